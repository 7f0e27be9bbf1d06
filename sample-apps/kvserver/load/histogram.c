/* histogram.c: latencies in log-linear buckets: 128 per factor of two, that is 0.8 %
 * wide. */
#include "load.h"

enum { LINEAR = 1 << HISTOGRAM_BITS };

static size_t bucket_of(uint64_t value) {
    if (value < LINEAR)
        return (size_t)value;
    unsigned shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
    return ((size_t)shift + 1) * LINEAR + (size_t)(value >> shift) - LINEAR;
}

static uint64_t highest_in(size_t bucket) {
    if (bucket < LINEAR)
        return bucket;
    unsigned shift = (unsigned)(bucket / LINEAR - 1);
    return (((bucket % LINEAR + LINEAR + 1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t count) {
    histogram->counts[bucket_of(value)] += count;
    histogram->total += count;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
    double rank = quantile * (double)histogram->total;
    uint64_t below = 0;
    size_t bucket = 0;
    for (; bucket < HISTOGRAM_SIZE - 1; bucket++) {
        below += histogram->counts[bucket];
        if (below > 0 && (double)below >= rank)
            break;
    }
    return highest_in(bucket);
}

/* From below, so that what is added is not corrected again: it lies lower. */
void histogram_correct(struct histogram *histogram, uint64_t interval) {
    for (size_t bucket = 0; interval > 0 && bucket < HISTOGRAM_SIZE; bucket++) {
        uint64_t count = histogram->counts[bucket], value = highest_in(bucket);
        while (count > 0 && value >= 2 * interval) {
            value -= interval;
            histogram_add(histogram, value, count);
        }
    }
}
