/* bodies.c: masses that attract each other, followed by the leapfrog method. */
#include "nbody.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/*
 * Units in which the gravitational constant is 1. The attraction is Plummer's: between
 * two bodies a distance r apart it acts as if the distance were sqrt(r^2 + SOFTENING),
 * which keeps it finite, and lets a body attract itself by exactly nothing.
 */
static const double SOFTENING = 0.0625, TIME_STEP = 0x1p-7;

/*
 * The state is arrays of one number per body: the masses, then positions, velocities and
 * accelerations, each as all x, all y, all z. This is where they start, in arrays.
 */
enum { MASS = 0, POSITION = 1, VELOCITY = 4, ACCELERATION = 7, ARRAYS = 10 };

static size_t count(size_t size) {
    return ARRAYS * size;
}

/* Adds to the acceleration of every body what one of them, the source, causes. */
static void attract(const double *restrict position, double *restrict acceleration,
                    size_t size, size_t source, double mass) {
    const double *x = position, *y = x + size, *z = y + size;
    double *ax = acceleration, *ay = ax + size, *az = ay + size;
    double x0 = x[source], y0 = y[source], z0 = z[source];
    for (size_t i = 0; i < size; i++) {
        double dx = x0 - x[i], dy = y0 - y[i], dz = z0 - z[i];
        double square = dx * dx + dy * dy + dz * dz + SOFTENING;
        double pull = mass / (square * sqrt(square));
        ax[i] += pull * dx;
        ay[i] += pull * dy;
        az[i] += pull * dz;
    }
}

static void accelerate(double *state, size_t size) {
    const double *mass = state + MASS * size, *position = state + POSITION * size;
    double *acceleration = state + ACCELERATION * size;
    memset(acceleration, 0, 3 * size * sizeof(double));
    for (size_t source = 0; source < size; source++)
        attract(position, acceleration, size, source, mass[source]);
}

static void fill(double *state, size_t size, uint64_t seed) {
    double *mass = state + MASS * size;
    struct rng rng = {seed};
    rng_fill(&rng, mass, size, 0.5, 1);
    rng_fill(&rng, state + POSITION * size, 3 * size, -1, 2);
    rng_fill(&rng, state + VELOCITY * size, 3 * size, -0.5, 1);
    for (size_t i = 0; i < size; i++)
        mass[i] /= (double)size;
    accelerate(state, size);
}

static void kick(double *state, size_t size) {
    add_scaled(state + VELOCITY * size, state + ACCELERATION * size, TIME_STEP / 2,
               3 * size);
}

static void drift(double *state, size_t size) {
    add_scaled(state + POSITION * size, state + VELOCITY * size, TIME_STEP, 3 * size);
}

static void run(double *state, size_t size, uint64_t steps) {
    for (uint64_t step = 0; step < steps; step++) {
        kick(state, size);
        drift(state, size);
        accelerate(state, size);
        kick(state, size);
    }
}

/* The square of the length of the i-th vector. */
static double square_of(const double *vectors, size_t size, size_t i) {
    double x = vectors[i], y = vectors[size + i], z = vectors[2 * size + i];
    return x * x + y * y + z * z;
}

static double square_between(const double *vectors, size_t size, size_t i, size_t j) {
    double difference[3];
    for (size_t axis = 0; axis < 3; axis++)
        difference[axis] = vectors[axis * size + i] - vectors[axis * size + j];
    return square_of(difference, 1, 0);
}

static double kinetic_energy(const double *mass, const double *velocity, size_t size) {
    double energy = 0;
    for (size_t i = 0; i < size; i++)
        energy += mass[i] * square_of(velocity, size, i) / 2;
    return energy;
}

static double potential_energy(const double *mass, const double *position, size_t size) {
    double energy = 0;
    for (size_t i = 0; i < size; i++) {
        for (size_t j = 0; j < i; j++)
            energy -= mass[i] * mass[j] /
                      sqrt(square_between(position, size, i, j) + SOFTENING);
    }
    return energy;
}

static void print_vector(const char *name, size_t i, const double *vectors, size_t size) {
    for (size_t axis = 0; axis < 3; axis++)
        printf("%s[%zu].%c %.16e\n", name, i, "xyz"[axis], vectors[axis * size + i]);
}

static void print(const double *state, size_t size) {
    const double *mass = state + MASS * size, *position = state + POSITION * size;
    const double *velocity = state + VELOCITY * size;
    print_value("kinetic", kinetic_energy(mass, velocity, size));
    print_value("potential", potential_energy(mass, position, size));
    for (size_t n = 0; n < sample_count(size); n++) {
        size_t i = sample_place(n, size);
        print_vector("position", i, position, size);
        print_vector("velocity", i, velocity, size);
    }
}

const struct kernel bodies_kernel = {"bodies", count, fill, run, print};
