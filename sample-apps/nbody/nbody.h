/* nbody.h: what the kernels offer to main.c, and what they share. */
#ifndef NBODY_H
#define NBODY_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_SIZE = 4096 }; /* so that no product of sizes overflows */

/*
 * A computation of some steps on a state, which is one array of doubles. The order of the
 * floating-point operations on each element is fixed by the source: loops run over
 * independent elements, or add up in order. So results are the same to the last bit
 * whatever the compiler vectorizes, as long as it may not contract a * b + c.
 */
struct kernel {
    const char *name;
    /* The number of doubles in the state; size is 1 to MAX_SIZE here and below. */
    size_t (*count)(size_t size);
    /* Writes all of the state. */
    void (*fill)(double *state, size_t size, uint64_t seed);
    void (*run)(double *state, size_t size, uint64_t steps);
    /* Prints what sums the state up, and a few elements. */
    void (*print)(const double *state, size_t size);
};

extern const struct kernel bodies_kernel, stencil_kernel, matrix_kernel;

/* random.c: the same numbers everywhere, given the seed */

struct rng {
    uint64_t state; /* any value is a seed */
};

/* The next number that is at least low and below low + width, uniformly distributed. */
double rng_uniform(struct rng *rng, double low, double width);
void rng_fill(struct rng *rng, double *values, size_t count, double low, double width);

/* sample.c: which elements are printed, and how */

enum { MAX_SAMPLES = 8 };

/* How many of size elements are printed, and the place of the n-th: evenly spread. */
size_t sample_count(size_t size);
size_t sample_place(size_t n, size_t size);

/* Prints "name value", with digits that identify the double. */
void print_value(const char *name, double value);
/* Prints "name[row][column] value" for samples of a row. */
void print_row(const char *name, size_t row, const double *values, size_t size);

double sum(const double *values, size_t count);

static inline void add_scaled(double *restrict to, const double *restrict from,
                              double factor, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] += factor * from[i];
}

#endif
