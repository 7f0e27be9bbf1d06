/* random.c: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
 * generators). */
#include "nbody.h"

static uint64_t next(struct rng *rng) {
    uint64_t z = rng->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

double rng_uniform(struct rng *rng, double low, double width) {
    return low + width * ((double)(next(rng) >> 11) * 0x1p-53);
}

void rng_fill(struct rng *rng, double *values, size_t count, double low, double width) {
    for (size_t i = 0; i < count; i++)
        values[i] = rng_uniform(rng, low, width);
}
