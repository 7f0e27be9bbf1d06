/* input.c: reading files, and showing where in them an error is. */
#define _POSIX_C_SOURCE 200809L
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FIRST_CAPACITY = 64 * 1024,
    SHOWN_BEFORE = 40, /* code points of a long line */
    SHOWN_AFTER = 36,
};

/* A file's size is only the first guess: it may be a pipe, or grow. */
static size_t guess_capacity(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size <= 0 ||
        (uintmax_t)status.st_size > SIZE_MAX / 4)
        return FIRST_CAPACITY;
    return (size_t)status.st_size + 2; /* the NUL, and a byte left to read the end at */
}

static bool resize(struct json_input *input, size_t capacity) {
    uint8_t *bytes = capacity > SIZE_MAX / 2 ? NULL : realloc(input->bytes, capacity);
    if (bytes == NULL) {
        errno = ENOMEM;
        return false;
    }
    input->bytes = bytes;
    return true;
}

static bool read_all(struct json_input *input, int fd) {
    size_t capacity = guess_capacity(fd);
    if (!resize(input, capacity))
        return false;
    for (;;) {
        ssize_t count =
            read(fd, input->bytes + input->length, capacity - input->length - 1);
        if (count == 0)
            break;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        input->length += (size_t)count;
        if (capacity - input->length > 1)
            continue;
        capacity *= 2;
        if (!resize(input, capacity))
            return false;
    }
    input->bytes[input->length] = 0;
    return true;
}

bool json_input_read(struct json_input *input, const char *path) {
    int fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), error;
    bool done;
    *input = (struct json_input){0};
    if (fd < 0)
        return false;
    done = read_all(input, fd);
    error = errno;
    if (path != NULL)
        close(fd);
    if (!done)
        json_input_free(input);
    errno = error;
    return done;
}

void json_input_free(struct json_input *input) {
    free(input->bytes);
    *input = (struct json_input){0};
}

/* The bytes of a code point, or one byte that belongs to none. */
static size_t step(const uint8_t *at) {
    size_t length = json_utf8_length(at);
    return length == 0 ? 1 : length;
}

static size_t count_columns(const uint8_t *at, const uint8_t *end) {
    size_t count = 0;
    for (; at < end; at += step(at))
        count++;
    return count;
}

static const uint8_t *skip_columns(const uint8_t *at, const uint8_t *end, size_t count) {
    for (; at < end && count > 0; count--)
        at += step(at);
    return at;
}

/* Prints a line's bytes, a '?' for each that a terminal should not get. */
static void show(FILE *stream, const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        size_t length = json_utf8_length(at);
        bool control = *at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0);
        if (*at == '\t')
            fputc(' ', stream);
        else if (control || length == 0)
            fputc('?', stream);
        else
            fwrite(at, 1, length, stream);
        at += step(at);
    }
}

static void show_caret(FILE *stream, size_t spaces) {
    while (spaces-- > 0)
        fputc(' ', stream);
    fputs("^\n", stream);
}

static void show_line(FILE *stream, const uint8_t *line, const uint8_t *at,
                      const uint8_t *end) {
    size_t column = count_columns(line, at);
    size_t hidden = column > SHOWN_BEFORE ? column - SHOWN_BEFORE : 0;
    const uint8_t *from = skip_columns(line, at, hidden);
    const uint8_t *to = skip_columns(at, end, SHOWN_AFTER);
    const char *before = hidden > 0 ? "..." : "";
    fputs(before, stream);
    show(stream, from, to);
    fputs(to < end ? "...\n" : "\n", stream);
    show_caret(stream, strlen(before) + column - hidden);
}

void json_report(FILE *stream, const char *name, const struct json *doc) {
    const uint8_t *limit = doc->source + doc->length, *line = doc->source;
    const uint8_t *at = doc->source + doc->error.offset, *end = at;
    size_t number = 1;
    for (const uint8_t *p = doc->source; p < at; p++) {
        if (*p == '\n') {
            number++;
            line = p + 1;
        }
    }
    while (end < limit && *end != '\n')
        end++;
    if (end > at && end[-1] == '\r')
        end--;
    fprintf(stream, "%s:%zu:%zu: %s%s\n", name, number, count_columns(line, at) + 1,
            doc->error.what, at == limit ? ", but the input ends here" : "");
    show_line(stream, line, at, end);
}
