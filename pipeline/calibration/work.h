/* calibration: the work. */

#include <stdint.h>

/* Advances a generator by so many rounds, with data-dependent branches; returns a
 * checksum. */
uint32_t work(uint32_t *state, int rounds);
