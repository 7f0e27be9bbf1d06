/* reply.c: RESP2 replies as a client sees them. */
#include "load.h"

#include <stdlib.h>
#include <string.h>

/* Skips one reply, or the head of an array, whose elements are added to *pending. NULL if
 * it is incomplete or wrong (*wrong). */
static const char *skip_one(const char *at, const char *end, int64_t *pending,
                            bool *wrong) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *wrong = strchr("+-:$*", *at) == NULL || *at == '\0';
    if (*wrong || newline == NULL)
        return NULL;
    const char *next = newline + 1;
    if (*at != '$' && *at != '*')
        return next;
    int64_t value = strtoll(at + 1, NULL, 10); /* ends at the newline */
    if (value < 0)
        return next;
    if (*at == '*')
        *pending += value;
    else
        next = value > end - next - 2 ? NULL : next + value + 2;
    return next;
}

/* The multiplier and the shift are those of the finalizer of SplitMix64. */
static uint64_t mix(uint64_t sum, uint64_t word) {
    sum = (sum ^ word) * 0xbf58476d1ce4e5b9;
    return sum ^ sum >> 31;
}

static uint64_t checksum(const char *bytes, size_t length) {
    uint64_t sum = mix(0, length), word;
    for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        sum = mix(sum, word);
    }
    word = 0;
    memcpy(&word, bytes, length);
    return mix(sum, word);
}

size_t reply_length(const char *at, size_t there, uint64_t *digest) {
    const char *from = at, *end = at + there;
    uint64_t sum = 0;
    bool wrong = false;
    for (int64_t pending = 1; pending > 0; pending--) {
        const char *item = at;
        at = at < end ? skip_one(at, end, &pending, &wrong) : NULL;
        if (at == NULL)
            return wrong ? SIZE_MAX : 0;
        sum += checksum(item, (size_t)(at - item));
    }
    *digest = mix(*digest, sum);
    return (size_t)(at - from);
}
