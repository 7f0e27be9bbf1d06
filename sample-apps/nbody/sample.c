/* sample.c: what of a result is printed. */
#include "nbody.h"

#include <stdio.h>

size_t sample_count(size_t size) {
    return size < MAX_SAMPLES ? size : MAX_SAMPLES;
}

size_t sample_place(size_t n, size_t size) {
    return n * size / sample_count(size);
}

void print_value(const char *name, double value) {
    printf("%s %.16e\n", name, value);
}

void print_row(const char *name, size_t row, const double *values, size_t size) {
    for (size_t n = 0; n < sample_count(size); n++) {
        size_t column = sample_place(n, size);
        printf("%s[%zu][%zu] %.16e\n", name, row, column, values[column]);
    }
}

double sum(const double *values, size_t count) {
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += values[i];
    return total;
}
