/* main.c: the command line. */
#include "nbody.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TROUBLE = 2, CACHE_LINE = 64 };

enum setting { SIZE, STEPS, SEED, REPEAT, SETTINGS };

static const struct {
    const char *option;
    uint64_t least, most, normal;
} settings[SETTINGS] = {
    [SIZE] = {"--size", 1, MAX_SIZE, 64},
    [STEPS] = {"--steps", 0, 1000000000, 100},
    [SEED] = {"--seed", 0, UINT64_MAX, 1},
    [REPEAT] = {"--repeat", 1, 1000000000, 1},
};

struct job {
    const struct kernel *kernel;
    uint64_t values[SETTINGS];
};

static const char help[] =
    "usage: nbody KERNEL [--size N] [--steps N] [--seed S] [--repeat N]\n"
    "       nbody --help\n"
    "\n"
    "Computes, in doubles, from numbers that the seed determines, and prints what came\n"
    "out; the digest is of every bit of it.\n"
    "\n"
    "  bodies    N masses that attract each other, moved by the leapfrog method\n"
    "  stencil   Poisson's equation on N * N points, relaxed by Jacobi's method\n"
    "  matrix    an N * N matrix, multiplied by a stochastic matrix in each step\n"
    "\n"
    "  --size N     1 to 4096; 64 by default\n"
    "  --steps N    0 to 1000000000; 100 by default\n"
    "  --seed S     0 to 18446744073709551615; 1 by default\n"
    "  --repeat N   do it all N times, and print the result once; 1 by default\n"
    "\n"
    "Exit status: 0, or 2 for wrong usage, too little memory, or output that cannot be\n"
    "written.\n";

static const char hint[] = "try 'nbody --help'\n";

static int usage_error(const char *what, const char *about) {
    fprintf(stderr, "nbody: %s '%s'\n%s", what, about, hint);
    return TROUBLE;
}

static int number_error(const char *option, uint64_t least, uint64_t most,
                        const char *value) {
    fprintf(stderr,
            "nbody: %s needs a number from %" PRIu64 " to %" PRIu64 ", not '%s'\n%s",
            option, least, most, value, hint);
    return TROUBLE;
}

static int trouble(const char *what, const char *why) {
    fprintf(stderr, "nbody: %s: %s\n", what, why);
    return TROUBLE;
}

static int flush(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return trouble("cannot write standard output", strerror(errno));
}

static uint64_t digest(const double *values, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, values + i, sizeof(bits));
        sum = (sum ^ bits ^ sum >> 32) * 0x9e3779b97f4a7c15;
    }
    return sum;
}

static void print(const struct job *job, const double *state, uint64_t sum) {
    printf("%s", job->kernel->name);
    for (int i = SIZE; i <= SEED; i++)
        printf(" %s %" PRIu64, settings[i].option + 2, job->values[i]);
    putchar('\n');
    job->kernel->print(state, job->values[SIZE]);
    printf("digest %016" PRIx64 "\n", sum);
}

static int run(const struct job *job, double *state, size_t count) {
    uint64_t first = 0;
    for (uint64_t n = 0; n < job->values[REPEAT]; n++) {
        uint64_t sum;
        job->kernel->fill(state, job->values[SIZE], job->values[SEED]);
        job->kernel->run(state, job->values[SIZE], job->values[STEPS]);
        sum = digest(state, count);
        if (n == 0)
            first = sum;
        if (sum != first)
            return trouble("repetitions differ", job->kernel->name);
    }
    print(job, state, first);
    return flush();
}

/* Puts the state at a cache line, so that where it lies is the same in every build. */
static int run_allocated(const struct job *job) {
    size_t count = job->kernel->count(job->values[SIZE]);
    size_t bytes = (count * sizeof(double) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    double *state = aligned_alloc(CACHE_LINE, bytes);
    int status;
    if (state == NULL)
        return trouble("cannot allocate memory", strerror(errno));
    status = run(job, state, count);
    free(state);
    return status;
}

/* Reads a number up to most, which is at least 9. */
static bool number(const char *text, uint64_t most, uint64_t *value) {
    *value = 0;
    if (*text == '\0')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (*value > (most - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return *text == '\0';
}

/* Takes an option and its value, which is NULL at the end of the arguments. */
static int take_option(struct job *job, const char *option, const char *value) {
    for (int i = 0; i < SETTINGS; i++) {
        uint64_t least = settings[i].least, most = settings[i].most;
        if (strcmp(option, settings[i].option) != 0)
            continue;
        if (value != NULL && number(value, most, &job->values[i]) &&
            job->values[i] >= least)
            return 0;
        return number_error(option, least, most, value == NULL ? "" : value);
    }
    return usage_error("unknown option", option);
}

static int take_options(struct job *job, char **argv) {
    int status = 0;
    for (; status == 0 && *argv != NULL; argv += argv[1] == NULL ? 1 : 2)
        status = take_option(job, argv[0], argv[1]);
    return status;
}

static int take_kernel(struct job *job, const char *name) {
    static const struct kernel *const kernels[] = {&bodies_kernel, &stencil_kernel,
                                                   &matrix_kernel};
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        job->kernel = kernels[i];
        if (strcmp(name, job->kernel->name) == 0)
            return 0;
    }
    return usage_error("unknown kernel", name);
}

static int give_help(void) {
    fputs(help, stdout);
    return flush();
}

int main(int argc, char **argv) {
    struct job job;
    int status;
    if (argc < 2)
        return usage_error("missing argument", "KERNEL");
    if (strcmp(argv[1], "--help") == 0)
        return give_help();
    for (int i = 0; i < SETTINGS; i++)
        job.values[i] = settings[i].normal;
    status = take_kernel(&job, argv[1]);
    if (status == 0)
        status = take_options(&job, argv + 2);
    return status == 0 ? run_allocated(&job) : status;
}
