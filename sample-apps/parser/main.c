/* main.c: the commands. */
#define _POSIX_C_SOURCE 200809L
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INVALID = 1, TROUBLE = 2, MAX_INDENT = 16, MAX_REPEAT = 1000000000 };

enum command { CHECK, PRINT, QUERY };

struct options {
    enum command command;
    unsigned long indent, repeat;
    const char *pointer_text;
    struct json_pointer pointer;
};

/* Where the output goes: to standard output the first time, and always into a checksum,
 * by which the repetitions are compared. */
struct sink {
    bool write;
    int error; /* errno of the first failure */
    uint64_t sum;
};

struct job {
    const struct options *options;
    const char *name;
    struct json_input input;
    struct json doc;
    struct sink sink;
    struct json_out out;
};

static const char help[] =
    "usage: parser check [--repeat N] [FILE...]\n"
    "       parser print [--indent N] [--repeat N] [FILE...]\n"
    "       parser query [--indent N] [--repeat N] POINTER [FILE...]\n"
    "       parser --help\n"
    "\n"
    "Reads JSON (RFC 8259) from the files, or from standard input if there is none or it "
    "is '-'.\n"
    "\n"
    "  check   says whether each is valid, how many values it has and how deeply they "
    "nest\n"
    "  print   prints each on one line, or with N spaces per level\n"
    "  query   prints the values that a JSON pointer (RFC 6901) selects, each on its "
    "line;\n"
    "          in the pointer, '*' selects all elements or members: '/users/*/name';\n"
    "          '~0' stands for '~', '~1' for '/', '~2' for a '*' that is a name\n"
    "\n"
    "  --indent N   spaces per level, 0 (all on one line) to 16\n"
    "  --repeat N   do the work N times, and print its result once\n"
    "\n"
    "Member order and repeated names are kept; a query finds every member of a name. "
    "Integers\n"
    "stay exact. Numbers with a fraction or an exponent are read as the nearest double "
    "and\n"
    "printed as its shortest decimal; those too large or too small for a double are "
    "printed as\n"
    "written. Strings must be valid UTF-8 and may not contain escapes of unpaired "
    "surrogates.\n"
    "Arrays and objects may nest 1024 levels deep.\n"
    "\n"
    "Exit status: 0, or 1 if some input is not JSON or a pointer selects nothing in it, "
    "or 2\n"
    "for wrong usage and for files that cannot be read or written.\n";

static void drain(void *context, const uint8_t *bytes, size_t count) {
    struct sink *sink = context;
    uint64_t word = 0;
    for (size_t i = 0; i + sizeof(word) <= count; i += sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        sink->sum = (sink->sum ^ word) * 0x9e3779b97f4a7c15;
    }
    memcpy(&word, bytes + count - count % sizeof(word), count % sizeof(word));
    sink->sum = (sink->sum ^ word ^ count) * 0x9e3779b97f4a7c15;
    while (sink->write && sink->error == 0 && count > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, count);
        if (written < 0 && errno != EINTR)
            sink->error = errno;
        if (written > 0) {
            bytes += written;
            count -= (size_t)written;
        }
    }
}

static int complain(const char *what, const char *about) {
    fprintf(stderr, "parser: %s '%s'\n", what, about);
    return TROUBLE;
}

static int write_error(int error) {
    fprintf(stderr, "parser: cannot write standard output: %s\n", strerror(error));
    return TROUBLE;
}

static int usage_error(const char *what, const char *about) {
    complain(what, about);
    fputs("try 'parser --help'\n", stderr);
    return TROUBLE;
}

static void put_line(struct job *job, size_t at) {
    json_print(&job->doc, at, (unsigned)job->options->indent, &job->out);
    json_out_byte(&job->out, '\n');
}

static void put_match(void *context, size_t at) {
    put_line(context, at);
}

static void put_summary(struct job *job) {
    char text[128];
    const struct json *doc = &job->doc;
    int count =
        snprintf(text, sizeof(text), ": valid, %zu bytes, %zu values, depth %zu\n",
                 doc->length, doc->values, doc->depth);
    json_out_bytes(&job->out, (const uint8_t *)job->name, strlen(job->name));
    json_out_bytes(&job->out, (const uint8_t *)text, (size_t)count);
}

/* Does the command on a parsed document; false if there is nothing at the pointer. */
static bool render(struct job *job) {
    const struct options *options = job->options;
    switch (options->command) {
    case CHECK:
        put_summary(job);
        return true;
    case PRINT:
        put_line(job, 0);
        return true;
    case QUERY:
        return json_pointer_each(&options->pointer, &job->doc, put_match, job) > 0;
    }
    return false;
}

static int parse_failure(struct job *job) {
    if (job->doc.error.what == json_no_memory)
        return complain("out of memory for", job->name);
    json_report(stderr, job->name, &job->doc);
    return INVALID;
}

static int no_match(struct job *job) {
    fprintf(stderr, "parser: %s: no value at '%s'\n", job->name,
            job->options->pointer_text);
    return INVALID;
}

static int run_once(struct job *job) {
    if (!json_parse(&job->doc, job->input.bytes, job->input.length))
        return parse_failure(job);
    if (!render(job))
        return no_match(job);
    json_out_flush(&job->out);
    if (job->sink.error != 0)
        return write_error(job->sink.error);
    return 0;
}

static int run_repeatedly(struct job *job) {
    uint64_t first_sum = 0;
    for (unsigned long n = 0; n < job->options->repeat; n++) {
        int status;
        job->sink = (struct sink){.write = n == 0};
        status = run_once(job);
        if (status != 0)
            return status;
        if (n == 0)
            first_sum = job->sink.sum;
        if (job->sink.sum != first_sum)
            return complain("repetitions differ on", job->name);
    }
    return 0;
}

static int run_file(struct job *job, const char *path) {
    bool standard_input = strcmp(path, "-") == 0;
    int status;
    job->name = standard_input ? "<stdin>" : path;
    if (!json_input_read(&job->input, standard_input ? NULL : path)) {
        fprintf(stderr, "parser: cannot read '%s': %s\n", job->name, strerror(errno));
        return TROUBLE;
    }
    status = run_repeatedly(job);
    json_input_free(&job->input);
    return status;
}

/* The worst status of all files. */
static int run_files(const struct options *options, char **files) {
    static struct job job;
    int worst = 0;
    job.options = options;
    job.out.flush = drain;
    job.out.context = &job.sink;
    for (; *files != NULL; files++) {
        int status = run_file(&job, *files);
        worst = status > worst ? status : worst;
    }
    json_free(&job.doc);
    return worst;
}

static bool number(const char *text, unsigned long most, unsigned long *value) {
    *value = 0;
    if (*text == '\0')
        return false;
    for (; *text >= '0' && *text <= '9' && *value <= most; text++)
        *value = *value * 10 + (unsigned long)(*text - '0');
    return *text == '\0' && *value <= most;
}

/* Takes the option that argv points to, with its value in the next argument. */
static int take_option(struct options *options, char **argv) {
    const char *value = argv[1] == NULL ? "" : argv[1];
    if (strcmp(argv[0], "--repeat") == 0) {
        if (!number(value, MAX_REPEAT, &options->repeat) || options->repeat == 0)
            return usage_error("--repeat needs a number from 1 to 1000000000, not",
                               value);
    } else if (strcmp(argv[0], "--indent") == 0 && options->command != CHECK) {
        if (!number(value, MAX_INDENT, &options->indent))
            return usage_error("--indent needs a number from 0 to 16, not", value);
    } else {
        return usage_error("unknown option", argv[0]);
    }
    return 0;
}

/* Takes the options out of the arguments, which leaves the others, up to a NULL. */
static int take_options(struct options *options, char **argv) {
    char **rest = argv;
    bool only_files = false;
    while (*argv != NULL) {
        int status;
        if (!only_files && strcmp(*argv, "--") == 0) {
            only_files = true;
            argv++;
        } else if (only_files || argv[0][0] != '-' || argv[0][1] == '\0') {
            *rest++ = *argv++;
        } else if ((status = take_option(options, argv)) != 0) {
            return status;
        } else {
            argv += 2;
        }
    }
    *rest = NULL;
    return 0;
}

static int take_command(struct options *options, const char *name) {
    static const char *const names[] = {
        [CHECK] = "check", [PRINT] = "print", [QUERY] = "query"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        options->command = (enum command)i;
        if (strcmp(name, names[i]) == 0)
            return 0;
    }
    return usage_error("unknown command", name);
}

static int take_pointer(struct options *options, const char *text) {
    const char *what;
    if (text == NULL)
        return usage_error("missing argument", "POINTER");
    options->pointer_text = text;
    what = json_pointer_compile(&options->pointer, text);
    if (what == NULL)
        return 0;
    fprintf(stderr, "parser: bad pointer '%s': %s\n", text, what);
    return TROUBLE;
}

static int run_command(struct options *options, char **argv) {
    static char *standard_input[] = {"-", NULL};
    int status = take_command(options, *argv++);
    if (status == 0)
        status = take_options(options, argv);
    if (status == 0 && options->command == QUERY)
        status = take_pointer(options, *argv++);
    if (status == 0)
        status = run_files(options, *argv == NULL ? standard_input : argv);
    json_pointer_free(&options->pointer);
    return status;
}

static bool wants_help(char **argv) {
    for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
        if (strcmp(*argv, "--help") == 0)
            return true;
    }
    return false;
}

static int give_help(void) {
    fputs(help, stdout);
    return fflush(stdout) == 0 ? 0 : write_error(errno);
}

int main(int argc, char **argv) {
    struct options options = {.repeat = 1};
    if (argc < 2)
        return usage_error("missing argument", "COMMAND");
    if (wants_help(argv + 1))
        return give_help();
    return run_command(&options, argv + 1);
}
