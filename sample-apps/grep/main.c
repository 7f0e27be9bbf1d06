/*
 * main.c: a grep for POSIX extended regular expressions over bytes.
 *
 *   grep [-EFHchilnoqrsvw] [-e PATTERNS] [-f FILE] [--repeat N] [PATTERNS] [FILE]...
 *
 * Exit status: 0 if a line was selected, 1 if none was, 2 after an error.
 */
#include "grep.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SELECTED = 0,
    NOT_SELECTED = 1,
    TROUBLE = 2,
    CACHE_BYTES = 1 << 22,
};

static const char usage[] =
    "usage: grep [OPTION]... PATTERNS [FILE]...\n"
    "\n"
    "Prints the lines of each FILE that match one of the PATTERNS: POSIX extended\n"
    "regular expressions over bytes, one on each line. A FILE of - is standard input,\n"
    "as is none.\n"
    "\n"
    "  -e PATTERNS  patterns, where the first operand is not to be one\n"
    "  -f FILE      take patterns from FILE\n"
    "  -E           patterns are extended regular expressions (the default)\n"
    "  -F           patterns are strings\n"
    "  -i           ignore case (of ASCII letters)\n"
    "  -w           match whole words only\n"
    "  -v           select the lines that do not match\n"
    "  -c           print only the number of selected lines\n"
    "  -l           print only the names of files with selected lines\n"
    "  -o           print only the matching parts, each on its own line\n"
    "  -q           print nothing; stop at the first selected line\n"
    "  -s           be silent about files that cannot be read\n"
    "  -n           print line numbers\n"
    "  -H, -h       print file names always, or never\n"
    "  -r           search directories, the current one by default\n"
    "  --repeat N   search N times, and print the last time\n"
    "\n"
    "Exit status: 0 if a line was selected, 1 if none was, 2 after an error.\n";

struct arguments {
    struct options options;
    uint8_t *patterns; /* each ended by a newline */
    size_t patterns_length, patterns_capacity;
    bool has_patterns;
    unsigned long repeat;
    char **files; /* the operands, moved to the front of argv */
    size_t file_count;
};

static _Noreturn void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("grep: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(TROUBLE);
}

/* Appends text, and a newline if it lacks one at its end. */
static void append_patterns(struct arguments *a, const char *text, size_t length,
                            bool ended) {
    if (length >= SIZE_MAX / 2 - a->patterns_length)
        die("memory exhausted");
    size_t needed = a->patterns_length + length + 1;
    if (needed > a->patterns_capacity) {
        uint8_t *grown = realloc(a->patterns, needed * 2);
        if (!grown)
            die("memory exhausted");
        a->patterns = grown;
        a->patterns_capacity = needed * 2;
    }
    memcpy(a->patterns + a->patterns_length, text, length);
    a->patterns_length += length;
    if (!ended)
        a->patterns[a->patterns_length++] = '\n';
    a->has_patterns = true;
}

static void add_patterns(struct arguments *a, const char *text) {
    append_patterns(a, text, strlen(text), false);
}

/* An empty file holds no pattern: nothing matches. An empty line matches anything. */
static void add_pattern_file(struct arguments *a, const char *name) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    if (!file)
        die("%s: %s", name, strerror(errno));
    a->has_patterns = true;
    while ((length = getline(&line, &capacity, file)) > 0)
        append_patterns(a, line, (size_t)length, line[length - 1] == '\n');
    if (!feof(file))
        die("%s: %s", name, strerror(errno));
    free(line);
    if (file != stdin)
        fclose(file);
}

static unsigned long parse_repeat(const char *text) {
    char *end;
    errno = 0;
    unsigned long count = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || count == 0)
        die("--repeat needs a number from 1 up, not '%s'", text);
    return count;
}

/* The option that a letter turns on. */
static bool *option_of(struct options *o, char letter) {
    switch (letter) {
    case 'F':
        return &o->fixed_strings;
    case 'c':
        return &o->count;
    case 'i':
        return &o->ignore_case;
    case 'l':
        return &o->list;
    case 'n':
        return &o->line_numbers;
    case 'o':
        return &o->only_matching;
    case 'q':
        return &o->quiet;
    case 'r':
        return &o->recursive;
    case 's':
        return &o->no_messages;
    case 'v':
        return &o->invert;
    case 'w':
        return &o->whole_words;
    default:
        die("unknown option -%c; see grep --help", letter);
    }
}

static void set_option(struct options *o, char letter) {
    if (letter == 'E')
        o->fixed_strings = false;
    else if (letter == 'H' || letter == 'h')
        o->names = letter == 'H' ? NAMES_ALWAYS : NAMES_NEVER;
    else
        *option_of(o, letter) = true;
}

/* Reads letters after a '-'. Returns whether `next` was the argument of the last. */
static bool parse_letters(struct arguments *a, const char *letters, const char *next) {
    for (; *letters; letters++) {
        if (*letters != 'e' && *letters != 'f') {
            set_option(&a->options, *letters);
            continue;
        }
        const char *value = letters[1] ? letters + 1 : next;
        if (!value)
            die("option -%c needs an argument", *letters);
        if (*letters == 'e')
            add_patterns(a, value);
        else
            add_pattern_file(a, value);
        return value == next;
    }
    return false;
}

/* The same for what begins with "--". */
static bool parse_long(struct arguments *a, const char *option, const char *next) {
    if (strcmp(option, "--help") == 0) {
        fputs(usage, stdout);
        exit(fflush(stdout) == 0 ? SELECTED : TROUBLE);
    }
    bool joined = strncmp(option, "--repeat=", 9) == 0;
    if (!joined && strcmp(option, "--repeat") != 0)
        die("unknown option %s; see grep --help", option);
    if (!joined && !next)
        die("option --repeat needs an argument");
    a->repeat = parse_repeat(joined ? option + 9 : next);
    return !joined;
}

/* Options may come after operands, until a "--". */
static void parse_arguments(struct arguments *a, int argc, char **argv) {
    bool options_ended = false;
    a->repeat = 1;
    a->files = argv;
    for (int i = 1; i < argc; i++) {
        const char *next = argv[i + 1];
        if (options_ended || argv[i][0] != '-' || argv[i][1] == '\0')
            a->files[a->file_count++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options_ended = true;
        else if (argv[i][1] == '-')
            i += parse_long(a, argv[i], next);
        else
            i += parse_letters(a, argv[i] + 1, next);
    }
    if (!a->has_patterns) {
        if (a->file_count == 0)
            die("a pattern is needed; see grep --help");
        add_patterns(a, *a->files++);
        a->file_count--;
    }
}

static bool reads_standard_input(const struct arguments *a) {
    for (size_t i = 0; i < a->file_count; i++)
        if (strcmp(a->files[i], "-") == 0)
            return true;
    return a->file_count == 0 && !a->options.recursive;
}

static int status_of(const struct search *s) {
    if (s->any_error && !(s->options->quiet && s->any_selected))
        return TROUBLE;
    return s->any_selected ? SELECTED : NOT_SELECTED;
}

/* Compiles the patterns and searches all files, once. */
static int run(const struct arguments *a, bool muted) {
    static struct search search;
    const struct options *o = &a->options;
    struct span patterns = {a->patterns, a->patterns + a->patterns_length};
    struct visitor visitor = {&search, search_file, search_error, &search.done,
                              o->recursive};
    unsigned flags = (o->ignore_case ? FOLD_CASE : 0U) |
                     (o->fixed_strings ? FIXED_STRINGS : 0U) |
                     (o->whole_words ? WHOLE_WORDS : 0U);
    struct failure why;
    search = (struct search){.options = o, .many = a->file_count > 1};
    search.output.muted = muted;
    search.terminal = isatty(STDOUT_FILENO);
    if (!matcher_init(&search.matcher, patterns, flags, o->only_matching, CACHE_BYTES,
                      &why))
        die("%s", why.text);
    if (!visit_paths(&visitor, a->files, a->file_count))
        die("memory exhausted");
    output_flush(&search.output);
    if (search.output.error)
        die("write error: %s", strerror(search.output.error));
    matcher_free(&search.matcher);
    input_free(&search.input);
    return status_of(&search);
}

int main(int argc, char **argv) {
    struct arguments arguments = {0};
    int status = TROUBLE;
    parse_arguments(&arguments, argc, argv);
    if (arguments.repeat > 1 && reads_standard_input(&arguments))
        die("--repeat needs files: standard input can be read only once");
    for (unsigned long left = arguments.repeat; left > 0; left--)
        status = run(&arguments, left > 1);
    free(arguments.patterns);
    return status;
}
