/* reply.c: output that waits to be sent, and RESP2 replies. */
#include "kv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 * 1024, KEPT_CAPACITY = 1024 * 1024 };

void buffer_free(struct buffer *buffer) {
    free(buffer->bytes);
    buffer->bytes = NULL;
    buffer->start = buffer->end = buffer->capacity = 0;
}

static size_t new_capacity(const struct buffer *buffer, size_t need) {
    size_t capacity = buffer->capacity == 0 ? FIRST_CAPACITY : buffer->capacity;
    while (capacity < need)
        capacity *= 2; /* at most twice the limit, which is at most half of SIZE_MAX */
    return capacity < buffer->limit ? capacity : buffer->limit;
}

/* Moves what is there to the front of a block that has the room. */
static bool make_room(struct buffer *buffer, size_t length) {
    size_t held = buffer_length(buffer);
    if (held > buffer->limit || length > buffer->limit - held)
        return false;
    size_t capacity = new_capacity(buffer, held + length);
    char *bytes = malloc(capacity);
    if (bytes == NULL)
        return false;
    if (held > 0)
        memcpy(bytes, buffer->bytes + buffer->start, held);
    buffer_free(buffer);
    buffer->bytes = bytes;
    buffer->end = held;
    buffer->capacity = capacity;
    return true;
}

/* Where so many bytes can be written, to be followed by an increase of end; NULL if it
 * failed. */
static char *room_for(struct buffer *buffer, size_t length) {
    if (buffer->failed)
        return NULL;
    if (length > buffer->capacity - buffer->end && !make_room(buffer, length)) {
        buffer->failed = true;
        return NULL;
    }
    return buffer->bytes + buffer->end;
}

void buffer_append(struct buffer *buffer, struct slice bytes) {
    char *room = room_for(buffer, bytes.length);
    if (room == NULL)
        return;
    memcpy(room, bytes.bytes, bytes.length);
    buffer->end += bytes.length;
}

void buffer_print(struct buffer *buffer, const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof(line))
        buffer->failed = true;
    else
        buffer_append(buffer, (struct slice){line, (size_t)length});
}

void buffer_consume(struct buffer *buffer, size_t length) {
    buffer->start += length;
    if (buffer->start < buffer->end)
        return;
    buffer->start = buffer->end = 0;
    if (buffer->capacity > KEPT_CAPACITY)
        buffer_free(buffer);
}

enum { HEADER_SIZE = 1 + KV_INTEGER_SIZE + 2 };

/* "$12\r\n"; returns the place after it. */
static char *write_header(char *at, char type, int64_t value) {
    *at++ = type;
    at += format_integer(at, value);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static void append_header(struct buffer *out, char type, int64_t value) {
    char *room = room_for(out, HEADER_SIZE);
    if (room != NULL)
        out->end += (size_t)(write_header(room, type, value) - room);
}

void reply_ok(struct buffer *out) {
    buffer_append(out, SLICE("+OK\r\n"));
}

void reply_status(struct buffer *out, const char *text) {
    buffer_print(out, "+%s\r\n", text);
}

/* A line break in an error would end it: some quote what the client sent. */
void reply_error(struct buffer *out, const char *format, ...) {
    char line[500];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    for (char *at = line; (at = strpbrk(at, "\r\n")) != NULL;)
        *at = ' ';
    buffer_print(out, "-%s\r\n", line);
}

void reply_integer(struct buffer *out, int64_t value) {
    append_header(out, ':', value);
}

void reply_bulk(struct buffer *out, struct slice bytes) {
    char *room = room_for(out, HEADER_SIZE + bytes.length + 2);
    if (room == NULL)
        return;
    char *at = write_header(room, '$', (int64_t)bytes.length);
    memcpy(at, bytes.bytes, bytes.length);
    at += bytes.length;
    *at++ = '\r';
    *at++ = '\n';
    out->end += (size_t)(at - room);
}

void reply_nil(struct buffer *out) {
    buffer_append(out, SLICE("$-1\r\n"));
}

void reply_array(struct buffer *out, size_t count) {
    append_header(out, '*', (int64_t)count);
}

void reply_collected(struct buffer *out, struct buffer *collected, bool bulk) {
    size_t length = buffer_length(collected);
    struct slice bytes = {length > 0 ? collected->bytes : "", length};
    if (collected->failed)
        out->failed = true;
    else if (bulk)
        reply_bulk(out, bytes);
    else
        buffer_append(out, bytes);
    buffer_free(collected);
}
