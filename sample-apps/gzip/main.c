/* main.c -- the command line. */
#include "gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_WARNING = 2 }; /* as gzip's */

static const char usage[] =
    "usage: gzip [-1..-9] [-dtf] [-o OUT] [--repeat N] [FILE]\n"
    "\n"
    "Compresses FILE, or standard input, to OUT, or standard output. FILE is kept.\n"
    "\n"
    "  -1 .. -9, --fast .. --best  effort; default -6\n"
    "  -d, --decompress            decompress instead, all members of FILE\n"
    "  -t, --test                  decompress, but write nothing\n"
    "  -o, --output OUT            write to OUT, which must not exist\n"
    "  -f, --force                 overwrite OUT; use a terminal for compressed data\n"
    "  -c, --stdout, -k, --keep    do nothing: that is what happens anyway\n"
    "      --repeat N              do it N times, to measure; write the last result\n"
    "  -h, --help                  show this text\n"
    "\n"
    "Exit status: 0, 1 after an error, 2 after a warning.\n";

struct options {
    int level;
    bool decompress, test, force;
    unsigned long repeat;
    const char *input, *output; /* NULL: standard input, standard output */
};

static const char *input_name(const struct options *options) {
    return options->input != NULL ? options->input : "stdin";
}

static const char *output_name(const struct options *options) {
    return options->output != NULL ? options->output : "stdout";
}

static bool complain(const char *name, const char *cause) {
    fprintf(stderr, "gzip: %s: %s\n", name, cause);
    return false;
}

static bool parse_repeat(const char *text, unsigned long *repeat) {
    char *end;
    errno = 0;
    *repeat = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || strchr(text, '-') != NULL || *repeat == 0)
        return complain(text, "--repeat takes a number from 1 on");
    return true;
}

static bool parse_option(int option, struct options *options) {
    switch (option) {
    case 'c':
    case 'k':
        return true;
    case 'd':
        return options->decompress = true;
    case 't':
        return options->decompress = options->test = true;
    case 'f':
        return options->force = true;
    case 'o':
        options->output = optarg;
        return true;
    case 'r':
        return parse_repeat(optarg, &options->repeat);
    default:
        if (option < '1' || option > '9')
            return false;
        options->level = option - '0';
        return true;
    }
}

/* Ends the process after --help. */
static bool parse_arguments(int argc, char **argv, struct options *options) {
    static const struct option names[] = {{"fast", no_argument, NULL, '1'},
                                          {"best", no_argument, NULL, '9'},
                                          {"decompress", no_argument, NULL, 'd'},
                                          {"test", no_argument, NULL, 't'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"force", no_argument, NULL, 'f'},
                                          {"stdout", no_argument, NULL, 'c'},
                                          {"keep", no_argument, NULL, 'k'},
                                          {"repeat", required_argument, NULL, 'r'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "123456789cdfhko:t", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        if (!parse_option(option, options))
            return false;
    }
    if (argc - optind > 1)
        return complain(argv[optind + 1], "only one file at a time");
    if (optind < argc && strcmp(argv[optind], "-") != 0)
        options->input = argv[optind];
    return true;
}

static ptrdiff_t read_descriptor(void *context, uint8_t *data, size_t size) {
    const int *descriptor = context;
    ptrdiff_t got;
    do
        got = read(*descriptor, data, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool write_descriptor(void *context, const uint8_t *data, size_t size) {
    const int *descriptor = context;
    while (size > 0) {
        ssize_t put = write(*descriptor, data, size);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            data += put;
            size -= (size_t)put;
        }
    }
    return true;
}

static bool discard(void *context, const uint8_t *data, size_t size) {
    (void)context;
    (void)data;
    (void)size;
    return true;
}

static bool open_input(const struct options *options, int *descriptor) {
    *descriptor = options->input != NULL ? open(options->input, O_RDONLY) : STDIN_FILENO;
    if (*descriptor < 0)
        return complain(options->input, strerror(errno));
    if (options->decompress && !options->force && isatty(*descriptor))
        return complain(input_name(options),
                        "compressed data is not read from a terminal");
    return true;
}

static bool is_same_file(int a, int b) {
    struct stat of_a, of_b;
    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && S_ISREG(of_a.st_mode) &&
           of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

static bool is_regular(const char *name) {
    struct stat found;
    return stat(name, &found) == 0 && S_ISREG(found.st_mode);
}

/* A device or pipe, as /dev/null, is not overwritten and needs no -f. */
static bool open_output_file(const struct options *options, int input, int *descriptor) {
    *descriptor = open(options->output, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (*descriptor < 0 && errno == EEXIST) {
        if (!options->force && is_regular(options->output))
            return complain(options->output, "exists; -f overwrites it");
        *descriptor = open(options->output, O_WRONLY);
    }
    if (*descriptor < 0)
        return complain(options->output, strerror(errno));
    if (is_same_file(input, *descriptor))
        return complain(options->output, "is the input");
    if (is_regular(options->output) && ftruncate(*descriptor, 0) != 0)
        return complain(options->output, strerror(errno));
    return true;
}

static bool open_output(const struct options *options, int input, int *descriptor) {
    if (options->output != NULL && !options->test)
        return open_output_file(options, input, descriptor);
    *descriptor = STDOUT_FILENO;
    if (!options->decompress && !options->force && isatty(STDOUT_FILENO))
        return complain("stdout", "compressed data is not written to a terminal");
    return true;
}

static int report(const struct options *options, enum status status, uint64_t offset) {
    switch (status) {
    case STATUS_OK:
        return EXIT_SUCCESS;
    case STATUS_READ_FAILED:
        complain(input_name(options), strerror(errno));
        return EXIT_FAILURE;
    case STATUS_WRITE_FAILED:
        complain(output_name(options), strerror(errno));
        return EXIT_FAILURE;
    default:
        fprintf(stderr, "gzip: %s: byte %llu: %s\n", input_name(options),
                (unsigned long long)offset, status_text(status));
        return status == STATUS_TRAILING_GARBAGE ? EXIT_WARNING : EXIT_FAILURE;
    }
}

static int process(const struct options *options, int input, int output) {
    struct source in = {read_descriptor, &input};
    struct sink to_output = {write_descriptor, &output}, nowhere = {discard, NULL};
    for (unsigned long round = 1;; round++) {
        bool last = round == options->repeat;
        struct sink out = last && !options->test ? to_output : nowhere;
        uint64_t offset = 0;
        enum status status = options->decompress ? gzip_decompress(in, out, &offset)
                                                 : gzip_compress(in, out, options->level);
        if (last || (status != STATUS_OK && status != STATUS_TRAILING_GARBAGE))
            return report(options, status, offset);
        if (lseek(input, 0, SEEK_SET) != 0) {
            complain(input_name(options), "cannot be read again for --repeat");
            return EXIT_FAILURE;
        }
    }
}

/* A result that is not complete is removed. */
static int finish_output(const struct options *options, int descriptor, int status) {
    if (options->output == NULL || options->test)
        return status;
    if (close(descriptor) != 0 && status != EXIT_FAILURE) {
        complain(options->output, strerror(errno));
        status = EXIT_FAILURE;
    }
    if (status == EXIT_FAILURE && is_regular(options->output))
        unlink(options->output);
    return status;
}

int main(int argc, char **argv) {
    struct options options = {.level = 6, .repeat = 1};
    int input, output;
    if (!parse_arguments(argc, argv, &options)) {
        fputs("gzip: --help shows the usage\n", stderr);
        return EXIT_FAILURE;
    }
    if (!open_input(&options, &input) || !open_output(&options, input, &output))
        return EXIT_FAILURE;
    return finish_output(&options, output, process(&options, input, output));
}
