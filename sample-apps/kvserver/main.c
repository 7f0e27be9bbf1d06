/* main.c: options, start and end of the server. */
#include "kv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: kvserver [OPTION VALUE]...\n"
    "An in-memory key-value server that speaks RESP2. It has no authentication.\n"
    "\n"
    "  --port N            TCP port, 0 for a free one (7379)\n"
    "  --bind ADDRESS      IPv4 address to listen on (127.0.0.1)\n"
    "  --hash-seed N       seed of the hash function; choose a secret one if\n"
    "                      clients are not trusted (0)\n"
    "  --max-clients N     connections at a time (1024)\n"
    "  --max-buffer BYTES  of one request, and of replies that wait for one\n"
    "                      client (1073741824)\n"
    "  --max-memory BYTES  of the data set, 0 for no limit (0)\n"
    "  --clock-step N      milliseconds by which a turn of the event loop advances\n"
    "                      the clock, so that runs repeat; 0 for the system's (0)\n"
    "\n"
    "Prints `ready ADDRESS:PORT` when it accepts connections. SIGTERM and SIGINT\n"
    "end it with status 0.\n";

struct options {
    const char *address;
    uint64_t port, hash_seed, clients, buffer, memory, clock_step;
};

struct option {
    const char *name;
    uint64_t *number;
    uint64_t minimum, maximum;
};

static bool set_number(const struct option *option, const char *text) {
    int64_t value;
    bool is_number = parse_integer((struct slice){text, strlen(text)}, &value);
    if (is_number && value >= 0 && (uint64_t)value >= option->minimum &&
        (uint64_t)value <= option->maximum) {
        *option->number = (uint64_t)value;
        return true;
    }
    fprintf(stderr, "kvserver: %s is '%s', not a number from %llu to %llu\n",
            option->name, text, (unsigned long long)option->minimum,
            (unsigned long long)option->maximum);
    return false;
}

static bool set_option(struct options *o, const char *name, const char *text) {
    const struct option numbers[] = {
        {"--port", &o->port, 0, UINT16_MAX},
        {"--hash-seed", &o->hash_seed, 0, INT64_MAX},
        {"--max-clients", &o->clients, 1, 1000000},
        {"--max-buffer", &o->buffer, 1024, INT64_MAX / 4},
        {"--max-memory", &o->memory, 0, INT64_MAX},
        {"--clock-step", &o->clock_step, 0, 1000000},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(name, numbers[i].name) == 0 && text != NULL)
            return set_number(&numbers[i], text);
    if (strcmp(name, "--bind") == 0 && text != NULL) {
        o->address = text;
        return true;
    }
    fprintf(stderr, "kvserver: unknown option, or one without a value: '%s'\n%s", name,
            usage);
    return false;
}

static bool parse_options(int argc, char **argv, struct options *options) {
    bool parsed = true;
    for (int i = 1; parsed && i < argc; i += 2) /* argv[argc] is NULL */
        parsed = set_option(options, argv[i], argv[i + 1]);
    return parsed;
}

static bool announce(const struct options *options, uint16_t port) {
    printf("ready %s:%u\n", options->address, (unsigned)port);
    if (fflush(stdout) == 0)
        return true;
    fprintf(stderr, "kvserver: standard output: %s\n", strerror(errno));
    return false;
}

static bool serve(struct server *server, const struct options *options) {
    struct net *net = net_open(server, options->address, (uint16_t)options->port);
    if (net == NULL) {
        fprintf(stderr, "kvserver: %s:%u: %s\n", options->address,
                (unsigned)options->port, strerror(errno));
        return false;
    }
    bool served = announce(options, server->port);
    if (served && !net_run(net)) {
        fprintf(stderr, "kvserver: waiting for clients: %s\n", strerror(errno));
        served = false;
    }
    net_close(net);
    return served;
}

int main(int argc, char **argv) {
    struct options options = {
        .address = "127.0.0.1", .port = 7379, .clients = 1024, .buffer = 1 << 30};
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0 || fflush(stdout) != 0;
    if (!parse_options(argc, argv, &options))
        return 2;
    struct server server = {
        .db.now_ms = net_now_ms(),
        .started_ms = net_now_ms(),
        .clock_step_ms = (int64_t)options.clock_step,
        .max_clients = options.clients,
        .max_buffer = options.buffer,
    };
    memory_limit(options.memory == 0 ? SIZE_MAX : options.memory);
    hash_seed(options.hash_seed);
    command_prepare();
    bool served = serve(&server, &options);
    db_clear(&server.db);
    return served ? 0 : 1;
}
