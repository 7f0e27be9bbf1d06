/* main.c: options and results of kvload, the load generator of kvserver. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static const char usage[] =
    "usage: kvload --server PROGRAM | --port N  [OPTION VALUE]...\n"
    "Sends requests to a key-value server, checks the replies and measures.\n"
    "\n"
    "  --server PROGRAM  start PROGRAM --port 0, and end it afterwards\n"
    "  --port N          use a server on 127.0.0.1, whose data set has to be empty\n"
    "  --mix NAME        %s (cache)\n"
    "  --seed N          of the requests (1)\n"
    "  --requests N      of all connections together (10000)\n"
    "  --repeat N        how often to send them (1)\n"
    "  --connections N   (1)\n"
    "  --pipeline N      requests sent at once; each has the latency of the last (1)\n"
    "  --rate N          requests per second on a fixed schedule, with latencies from\n"
    "                    when they were due; 0 for as fast as replies come (0)\n"
    "  --in-turn N       1: a batch is sent when no other is under way, and the server\n"
    "                    counts time in turns, so that it does the same in each run (0)\n"
    "\n"
    "Prints a digest of the replies, the same for the same mix, seed, requests and\n"
    "connections. Appends what it has measured to the file that PGOLAB_METRICS names.\n";

enum { MAX_CONNECTIONS = 1000, MAX_REQUESTS = 10000000 };

struct options {
    const char *server, *mix;
    uint64_t port, seed, requests, repeat, connections, pipeline, rate, in_turn;
};

struct option {
    const char *name;
    const char **text; /* one of the two is NULL */
    uint64_t *number;
    uint64_t minimum, maximum;
};

static bool set_option(const struct option *option, const char *text) {
    char *end;
    if (option->text != NULL) {
        *option->text = text;
        return true;
    }
    errno = 0;
    *option->number = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
        *option->number >= option->minimum && *option->number <= option->maximum)
        return true;
    fprintf(stderr, "kvload: %s is '%s', not a number from %llu to %llu\n", option->name,
            text, (unsigned long long)option->minimum,
            (unsigned long long)option->maximum);
    return false;
}

static bool parse_options(int argc, char **argv, struct options *o) {
    const struct option known[] = {
        {"--server", &o->server, NULL, 0, 0},
        {"--mix", &o->mix, NULL, 0, 0},
        {"--port", NULL, &o->port, 1, UINT16_MAX},
        {"--seed", NULL, &o->seed, 0, UINT64_MAX},
        {"--requests", NULL, &o->requests, 1, MAX_REQUESTS},
        {"--repeat", NULL, &o->repeat, 1, 1000000000},
        {"--connections", NULL, &o->connections, 1, MAX_CONNECTIONS},
        {"--pipeline", NULL, &o->pipeline, 1, MAX_REQUESTS},
        {"--rate", NULL, &o->rate, 0, 1000000000},
        {"--in-turn", NULL, &o->in_turn, 0, 1},
    };
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0, count = sizeof(known) / sizeof(known[0]);
        while (k < count && strcmp(argv[i], known[k].name) != 0)
            k++;
        if (k == count || i + 1 == argc) {
            fprintf(stderr, "kvload: %s '%s', see kvload --help\n",
                    k == count ? "unknown option" : "no value after", argv[i]);
            return false;
        }
        if (!set_option(&known[k], argv[i + 1]))
            return false;
    }
    return true;
}

static bool check_options(const struct options *o) {
    if ((o->server == NULL) == (o->port == 0))
        fprintf(stderr, "kvload: give one of --server and --port\n");
    else if (mix_find(o->mix) == NULL)
        fprintf(stderr, "kvload: no mix '%s'; there are: %s\n", o->mix, mix_names());
    else if (o->in_turn && o->rate > 0)
        fprintf(stderr, "kvload: --in-turn and --rate exclude each other\n");
    else if (o->connections > o->requests)
        fprintf(stderr, "kvload: more connections than requests\n");
    else
        return true;
    return false;
}

static void print_digest(const struct options *options, const struct drive *drive) {
    printf("%s, seed %llu: %zu requests on %zu connections, digest %016llx\n",
           options->mix, (unsigned long long)drive->seed, drive->requests,
           drive->connections, (unsigned long long)drive->digest);
}

static double latency_us(const struct drive *drive, double quantile) {
    return (double)histogram_quantile(drive->latency_ns, quantile) * 1e-3;
}

/* The lines fit stdio's buffer: those of programs that run at the same time do not mix.
 */
static bool append_metrics(const struct drive *drive, const struct process *server) {
    const char *path = getenv("PGOLAB_METRICS");
    const struct {
        const char *name, *better;
        double value;
    } metrics[] = {
        {"requests_per_s", "higher",
         (double)(drive->requests * drive->repeat) / drive->seconds},
        {"p50_us", "lower", latency_us(drive, 0.5)},
        {"p99_us", "lower", latency_us(drive, 0.99)},
        {"p99.9_us", "lower", latency_us(drive, 0.999)},
        {"server_cpu_ms", "lower", server->cpu_s * 1e3},
    };
    size_t count = sizeof(metrics) / sizeof(metrics[0]) - (server->pid == 0);
    if (path == NULL || *path == '\0')
        return true;
    FILE *file = fopen(path, "a");
    for (size_t i = 0; file != NULL && i < count; i++)
        fprintf(file, "{\"metric\": \"%s\", \"value\": %.3f, \"better\": \"%s\"}\n",
                metrics[i].name, metrics[i].value, metrics[i].better);
    if (file != NULL && fclose(file) == 0)
        return true;
    fprintf(stderr, "kvload: %s: %s\n", path, strerror(errno));
    return false;
}

/* The requests are made while the server starts. */
static bool drive_server(const struct options *options, struct drive *drive,
                         struct process *server) {
    if (options->server != NULL &&
        !process_start(server, options->server, drive->in_turn)) {
        fprintf(stderr, "kvload: %s: %s\n", options->server, strerror(errno));
        return false;
    }
    bool ran = drive_prepare(drive) &&
               (server->pid == 0 || process_await(server, &drive->port)) &&
               drive_run(drive);
    if (server->pid > 0)
        ran = process_stop(server) && ran;
    return ran;
}

int main(int argc, char **argv) {
    struct options options = {
        .mix = "cache",
        .seed = 1,
        .requests = 10000,
        .repeat = 1,
        .connections = 1,
        .pipeline = 1,
    };
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return printf(usage, mix_names()) < 0 || fflush(stdout) != 0;
    if (!parse_options(argc, argv, &options) || !check_options(&options))
        return 2;
    struct drive drive = {
        .mix = mix_find(options.mix),
        .seed = options.seed,
        .port = (uint16_t)options.port,
        .connections = options.connections,
        .pipeline = options.pipeline,
        .requests = options.requests,
        .repeat = options.repeat,
        .rate = (double)options.rate,
        .in_turn = options.in_turn == 1,
    };
    struct process server = {0};
    prctl(PR_SET_TIMERSLACK, 1); /* ns: a schedule is to be kept exactly */
    bool ran = drive_server(&options, &drive, &server) && append_metrics(&drive, &server);
    if (ran)
        print_digest(&options, &drive);
    drive_free(&drive);
    return ran && fflush(stdout) == 0 ? 0 : 1;
}
