/* calibration: the work. */

#include "work.h"

static uint32_t mix(uint32_t x) {
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

uint32_t work(uint32_t *state, int rounds) {
    static uint32_t table[256];
    uint32_t sum = 0;
    for (int i = 0; i < rounds; i++) {
        *state = mix(*state);
        uint32_t slot = *state >> 24;
        if (*state & 3)
            sum += table[slot] ^ *state;
        else
            table[slot] = *state % 1009;
    }
    return sum;
}
