/*
 * search.c: searches one file and prints what the options ask for.
 */
#include "grep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void output_flush(struct output *out) {
    const uint8_t *from = out->buffer, *end = from + out->used;
    while (from < end && !out->muted && !out->error) {
        ssize_t count = write(STDOUT_FILENO, from, (size_t)(end - from));
        if (count >= 0)
            from += count;
        else if (errno != EINTR)
            out->error = errno;
    }
    out->used = 0;
}

static void output_bytes(struct output *out, const void *bytes, size_t count) {
    const uint8_t *from = bytes;
    while (count > sizeof out->buffer - out->used) {
        size_t part = sizeof out->buffer - out->used;
        memcpy(out->buffer + out->used, from, part);
        out->used += part;
        from += part;
        count -= part;
        output_flush(out);
    }
    memcpy(out->buffer + out->used, from, count);
    out->used += count;
}

static void output_number(struct output *out, size_t number, char after) {
    char digits[24];
    size_t i = sizeof digits;
    digits[--i] = after;
    do
        digits[--i] = (char)('0' + number % 10);
    while (number /= 10);
    output_bytes(out, digits + i, sizeof digits - i);
}

static void warn(struct search *s, const char *name, const char *text) {
    output_flush(&s->output);
    if (!s->output.muted)
        fprintf(stderr, "grep: %s: %s\n", name, text);
}

void search_error(void *search, const char *name, const char *reason) {
    struct search *s = search;
    s->any_error = true;
    if (!s->options->no_messages)
        warn(s, name, reason);
}

static size_t count_lines(const uint8_t *begin, const uint8_t *end) {
    size_t count = 0;
    for (const uint8_t *p = begin; p < end; p++)
        count += *p == NEWLINE;
    return count;
}

static void print_name(struct search *s, char after) {
    output_bytes(&s->output, s->name, strlen(s->name));
    output_bytes(&s->output, &after, 1);
}

static void print_prefix(struct search *s, const uint8_t *line) {
    if (s->show_name)
        print_name(s, ':');
    if (s->options->line_numbers) {
        s->line += count_lines(s->numbered, line);
        s->numbered = line;
        output_number(&s->output, s->line, ':');
    }
}

static void print_spans(struct search *s, struct span line) {
    struct span text = {line.begin, line.end - 1}, match;
    matcher_enter_line(&s->matcher, text);
    while (matcher_next_span(&s->matcher, text.begin, &match)) {
        print_prefix(s, line.begin);
        output_bytes(&s->output, match.begin, (size_t)(match.end - match.begin));
        output_bytes(&s->output, "\n", 1);
        text.begin = match.end;
    }
}

static void print_line(struct search *s, struct span line) {
    if (s->options->only_matching) {
        if (!s->options->invert)
            print_spans(s, line);
        return;
    }
    print_prefix(s, line.begin);
    output_bytes(&s->output, line.begin, (size_t)(line.end - line.begin));
}

/* Takes lines that the options select. Returns false if what follows does not matter. */
static bool select_lines(struct search *s, struct span lines) {
    const struct options *o = s->options;
    while (lines.begin < lines.end) {
        struct span line = take_line(&lines);
        s->any_selected = true;
        s->selected++;
        if (o->quiet || o->list || (s->binary && !o->count))
            return false;
        if (!o->count)
            print_line(s, line);
    }
    return true;
}

/* Searches whole lines. Returns false if what follows does not matter. */
static bool search_block(struct search *s, struct span block) {
    s->numbered = block.begin;
    while (block.begin < block.end) {
        struct span hit;
        if (!matcher_next_line(&s->matcher, block, &hit))
            hit = (struct span){block.end, block.end};
        struct span passed = {block.begin, hit.begin};
        if (!select_lines(s, s->options->invert ? passed : hit))
            return false;
        block.begin = hit.end;
    }
    if (s->options->line_numbers)
        s->line += count_lines(s->numbered, block.end);
    return true;
}

/* A block with a NUL makes a file binary: from there on, lines end at NULs too, and are
 * not printed. */
static void check_binary(struct search *s, struct span block) {
    size_t length = (size_t)(block.end - block.begin);
    uint8_t *nul = memchr(block.begin, 0, length);
    s->binary = s->binary || nul;
    for (; nul; nul = memchr(nul, 0, (size_t)(block.end - nul)))
        *nul = NEWLINE;
}

/* What is printed would be found again. */
static bool is_output(const struct search *s, int fd) {
    const struct options *o = s->options;
    struct stat in, out;
    return !o->quiet && !o->list && !o->count && fstat(fd, &in) == 0 &&
           fstat(STDOUT_FILENO, &out) == 0 && S_ISREG(in.st_mode) &&
           in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static void print_result(struct search *s) {
    const struct options *o = s->options;
    if (o->quiet) {
        s->done = s->any_selected;
    } else if (o->list) {
        if (s->selected)
            print_name(s, '\n');
    } else if (o->count) {
        if (s->show_name)
            print_name(s, ':');
        output_number(&s->output, s->selected, '\n');
    } else if (s->binary && s->selected) {
        warn(s, s->name, "binary file matches");
    }
}

void search_file(void *search, int fd, const char *name, bool below) {
    struct search *s = search;
    struct span block;
    int status = 0;
    if (is_output(s, fd)) {
        search_error(s, name, "input file is also the output");
        return;
    }
    s->name = name;
    s->show_name = s->options->names == NAMES_ALWAYS ||
                   (s->options->names == NAMES_DEFAULT && (s->many || below));
    s->binary = false;
    s->line = 1;
    s->selected = 0;
    input_open(&s->input, fd);
    for (bool more = true; more && (status = input_next(&s->input, &block)) > 0;) {
        check_binary(s, block);
        more = search_block(s, block);
        if (s->terminal)
            output_flush(&s->output);
    }
    if (status < 0)
        search_error(s, name, strerror(errno));
    print_result(s);
    s->done = s->done || s->output.error;
}
