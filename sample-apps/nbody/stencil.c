/* stencil.c: Poisson's equation on a square, relaxed by Jacobi's method with five points.
 */
#include "nbody.h"

#include <math.h>
#include <string.h>

/*
 * The square has size * size inner points and a border of given values around them. The
 * state is three grids: the source (its border unused), the values, and those of the
 * sweep before or after. The distance between points is 1.
 */
static size_t stride_of(size_t size) {
    return size + 2;
}

static size_t grid_of(size_t size) {
    return stride_of(size) * stride_of(size);
}

static size_t count(size_t size) {
    return 3 * grid_of(size);
}

static void fill(double *state, size_t size, uint64_t seed) {
    size_t grid = grid_of(size);
    struct rng rng = {seed};
    rng_fill(&rng, state, grid, -1, 2);
    rng_fill(&rng, state + grid, grid, 0, 1);
    memcpy(state + 2 * grid, state + grid, grid * sizeof(double));
}

static void relax_row(double *restrict to, const double *restrict from,
                      const double *restrict source, size_t size) {
    const double *above = from - stride_of(size), *below = from + stride_of(size);
    const double *left = from - 1, *right = from + 1;
    for (size_t i = 0; i < size; i++)
        to[i] = (above[i] + below[i] + left[i] + right[i] + source[i]) * 0.25;
}

static void relax(double *to, const double *from, const double *source, size_t size) {
    size_t at = stride_of(size) + 1;
    for (size_t row = 0; row < size; row++, at += stride_of(size))
        relax_row(to + at, from + at, source + at, size);
}

static void run(double *state, size_t size, uint64_t steps) {
    size_t grid = grid_of(size);
    double *from = state + grid, *to = from + grid;
    for (uint64_t step = 0; step < steps; step++) {
        double *done = to;
        relax(to, from, state, size);
        to = from;
        from = done;
    }
    if (steps % 2 == 1)
        memcpy(to, from, grid * sizeof(double));
}

/* By how much the equation is missed at the worst point. */
static double residual(const double *source, const double *values, size_t size) {
    size_t stride = stride_of(size);
    double worst = 0;
    for (size_t row = 1; row <= size; row++) {
        for (size_t i = row * stride + 1; i <= row * stride + size; i++) {
            double around =
                values[i - stride] + values[i + stride] + values[i - 1] + values[i + 1];
            worst = fmax(worst, fabs(around + source[i] - 4 * values[i]));
        }
    }
    return worst;
}

static void print(const double *state, size_t size) {
    size_t row = size / 2;
    const double *values = state + grid_of(size);
    print_value("residual", residual(state, values, size));
    print_value("sum", sum(values, grid_of(size)));
    print_row("value", row, values + (row + 1) * stride_of(size) + 1, size);
}

const struct kernel stencil_kernel = {"stencil", count, fill, run, print};
