/* calibration: work whose amount is known. SLOWER is the slowdown in percent: so much
   more of the same work is done, and its result is used. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "work.h"

#ifndef SLOWER
#define SLOWER 0
#endif

enum { ROUNDS = 10000 };

int main(int argc, char **argv) {
    char *end = NULL;
    errno = 0;
    long repeat = argc == 2 ? strtol(argv[1], &end, 10) : 0;
    if (!end || *end || errno || repeat < 1 || repeat > 1000000000) {
        fputs("usage: calibration REPEAT\n", stderr);
        return 2;
    }
    uint32_t state = 1, sum = 0;
    for (long i = 0; i < repeat; i++)
        sum += work(&state, ROUNDS);
    uint32_t extra = state, unused = 0;
    for (long i = 0; i < repeat; i++)
        unused += work(&extra, ROUNDS * SLOWER / 100);
    printf("%" PRIu32 "\n", sum);
    return unused == 1 && extra == 1;
}
