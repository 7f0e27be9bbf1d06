/* main.c - command line: reads a script and runs it. */
#include "lox.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Exit statuses, as in sysexits.h. */
enum { EXIT_USAGE = 64, EXIT_SOURCE = 65, EXIT_SCRIPT = 70, EXIT_IO = 74 };

enum { SOURCE_MIN = 1 << 16, SOURCE_MAX = 256 << 20 };

typedef struct {
    const char *path;
    unsigned long repeat;
    unsigned long heap_mib;
    unsigned long steps;
} Arguments;

static int usage(void) {
    fputs(
        "usage: lox [--repeat N] [--max-heap MIB] [--max-steps N] FILE\n"
        "  --repeat N      run the script N times, each time in a new machine, and show\n"
        "                  what it prints the last time\n"
        "  --max-heap MIB  memory for the script's objects (default 1024)\n"
        "  --max-steps N   calls and loop iterations it may make (default: unlimited)\n",
        stderr);
    return EXIT_USAGE;
}

static bool parse_count(const char *text, unsigned long max, unsigned long *count) {
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *count = strtoul(text, &end, 10);
    return errno == 0 && *end == '\0' && *count >= 1 && *count <= max;
}

static bool parse_option(const char *name, const char *value, Arguments *arguments) {
    if (value == NULL)
        return false;
    if (strcmp(name, "--repeat") == 0)
        return parse_count(value, ULONG_MAX, &arguments->repeat);
    if (strcmp(name, "--max-heap") == 0)
        return parse_count(value, SIZE_MAX >> 20, &arguments->heap_mib);
    if (strcmp(name, "--max-steps") == 0)
        return parse_count(value, ULONG_MAX, &arguments->steps);
    return false;
}

static bool parse_arguments(int argc, char **argv, Arguments *arguments) {
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i += 2)
        if (!parse_option(argv[i], argv[i + 1], arguments))
            return false;
    arguments->path = argv[i];
    return i == argc - 1;
}

/* The whole file with a zero byte after it; NULL: errno says why not. */
static char *read_all(FILE *file, size_t *length) {
    char *text = NULL;

    *length = 0;
    for (size_t capacity = SOURCE_MIN; capacity <= SOURCE_MAX; capacity *= 2) {
        char *grown = realloc(text, capacity + 1);
        if (grown == NULL)
            break;
        text = grown;
        *length += fread(text + *length, 1, capacity - *length, file);
        text[*length] = '\0';
        if (ferror(file))
            break;
        if (*length < capacity)
            return text;
        errno = EFBIG;
    }
    free(text);
    return NULL;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return NULL;
    char *text = read_all(file, length);
    fclose(file);
    return text;
}

static LoxResult run(const char *source, size_t length, const Arguments *arguments) {
    LoxOptions options = {.err = stderr,
                          .heap_max = (size_t)arguments->heap_mib << 20,
                          .steps_max = arguments->steps};
    LoxResult result = LOX_OK;

    for (unsigned long i = 1; i <= arguments->repeat && result == LOX_OK; i++) {
        options.out = i == arguments->repeat ? stdout : NULL;
        result = lox_run(source, length, &options);
    }
    return result;
}

static int exit_status(LoxResult result) {
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "lox: standard output: %s\n", strerror(errno));
        return EXIT_IO;
    }
    if (result == LOX_COMPILE_ERROR)
        return EXIT_SOURCE;
    return result == LOX_RUNTIME_ERROR ? EXIT_SCRIPT : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    Arguments arguments = {.repeat = 1, .heap_mib = 1024};

    if (!parse_arguments(argc, argv, &arguments))
        return usage();
    size_t length;
    char *source = read_file(arguments.path, &length);
    if (source == NULL) {
        fprintf(stderr, "lox: %s: %s\n", arguments.path, strerror(errno));
        return EXIT_IO;
    }
    LoxResult result = run(source, length, &arguments);
    free(source);
    return exit_status(result);
}
