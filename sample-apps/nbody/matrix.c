/* matrix.c: a random square matrix multiplied, again and again, by a stochastic one. */
#include "nbody.h"

#include <string.h>

enum { TILE = 8 }; /* columns computed at once, in registers */

/*
 * The state is three matrices, by rows: the left factor, whose rows each sum to 1, so
 * that the elements of all products stay between 0 and 1; the right factor, which each
 * step replaces by the product; and the product before or after. Rows are padded with
 * zeros to whole tiles, which keeps the loop over a tile's columns at a constant length.
 */
static size_t stride_of(size_t size) {
    return (size + TILE - 1) / TILE * TILE;
}

static size_t matrix_of(size_t size) {
    return stride_of(size) * size;
}

static size_t count(size_t size) {
    return 3 * matrix_of(size);
}

static void normalize(double *row, size_t size) {
    double total = sum(row, size);
    for (size_t i = 0; i < size; i++)
        row[i] /= total;
}

static void fill(double *state, size_t size, uint64_t seed) {
    size_t stride = stride_of(size), matrix = matrix_of(size);
    struct rng rng = {seed};
    memset(state, 0, 3 * matrix * sizeof(double));
    for (size_t row = 0; row < size; row++) {
        rng_fill(&rng, state + row * stride, size, 0.5, 1);
        normalize(state + row * stride, size);
    }
    for (size_t row = 0; row < size; row++)
        rng_fill(&rng, state + matrix + row * stride, size, 0, 1);
}

/* Computes a tile of a row; left is the row, right starts at the tile's column. */
static void multiply_tile(double *restrict product, const double *restrict left,
                          const double *restrict right, size_t size) {
    double tile[TILE] = {0};
    for (size_t k = 0; k < size; k++, right += stride_of(size)) {
        for (size_t column = 0; column < TILE; column++)
            tile[column] += left[k] * right[column];
    }
    memcpy(product, tile, sizeof(tile));
}

/* A tile's columns of the right factor stay in the first-level cache for all rows. */
static void multiply(double *product, const double *left, const double *right,
                     size_t size) {
    size_t stride = stride_of(size);
    for (size_t column = 0; column < stride; column += TILE) {
        for (size_t row = 0; row < size; row++)
            multiply_tile(product + row * stride + column, left + row * stride,
                          right + column, size);
    }
}

static void run(double *state, size_t size, uint64_t steps) {
    size_t matrix = matrix_of(size);
    double *right = state + matrix, *product = right + matrix;
    for (uint64_t step = 0; step < steps; step++) {
        double *done = product;
        multiply(product, state, right, size);
        product = right;
        right = done;
    }
    if (steps % 2 == 1)
        memcpy(product, right, matrix * sizeof(double));
}

static void print(const double *state, size_t size) {
    size_t row = size / 2;
    const double *right = state + matrix_of(size);
    print_value("sum", sum(right, matrix_of(size)));
    print_row("element", row, right + row * stride_of(size), size);
}

const struct kernel matrix_kernel = {"matrix", count, fill, run, print};
