/* load.h: what the modules of the load generator share. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* mix.c: the requests of one connection */

struct mix;

struct plan {
    char *bytes; /* the requests, one after the other */
    size_t length, size;
    size_t *ends; /* where each of them ends */
};

const struct mix *mix_find(const char *name); /* NULL if there is none of that name */
const char *mix_names(void);                  /* separated by spaces */

/* Makes a plan that depends on nothing but its arguments. False if memory runs out. */
bool plan_make(struct plan *plan, const struct mix *mix, uint64_t seed, size_t connection,
               size_t count);
void plan_free(struct plan *plan);

/* reply.c: RESP2 replies as a client sees them */

/* Length of the reply at a place; 0 if it is not complete, SIZE_MAX if it is none. Adds
 * to the digest what it says, which does not depend on the order of an array's elements.
 */
size_t reply_length(const char *at, size_t there, uint64_t *digest);

/* histogram.c: latencies in log-linear buckets */

enum { HISTOGRAM_BITS = 7, HISTOGRAM_SIZE = (64 - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS };

struct histogram {
    uint64_t counts[HISTOGRAM_SIZE], total;
};

void histogram_add(struct histogram *histogram, uint64_t value, uint64_t count);
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* Corrects for coordinated omission: a value v of a loop that was held up stands also for
 * v - interval, v - 2 * interval ..., which would have been seen but for that. */
void histogram_correct(struct histogram *histogram, uint64_t interval);

/* process.c: the server as a child process */

struct process {
    pid_t pid;
    int output; /* read end of its standard output */
    double cpu_s;
};

/* False with errno set. In turn, the server's clock counts turns of its event loop. */
bool process_start(struct process *process, const char *path, bool in_turn);
bool process_await(const struct process *process, uint16_t *port);

/* Ends it by SIGTERM; false unless its exit status is 0 then. */
bool process_stop(struct process *process);

/* drive.c: the connections */

struct drive {
    const struct mix *mix;
    uint64_t seed;
    uint16_t port;
    size_t requests; /* of all connections together */
    size_t repeat, connections, pipeline;
    double rate;  /* requests per second; 0: closed loop */
    bool in_turn; /* one connection at a time */

    /* results */
    struct histogram *latency_ns;
    uint64_t digest;
    double seconds;

    /* inside */
    struct client *clients;
    struct pollfd *polls;
    uint64_t start_ns;
};

/* Reports what went wrong on standard error, if it returns false. */
bool drive_prepare(struct drive *drive);
bool drive_run(struct drive *drive);
void drive_free(struct drive *drive);

#endif
