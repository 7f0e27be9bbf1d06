/* request.c: requests of RESP2, as arrays of bulk strings or inline. */
#include "kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_SIZE = 64 * 1024,
    KEPT_CAPACITY = 4 * READ_SIZE,
    FIRST_ARGS = 8,
    KEPT_ARGS = 1024,
};

void request_free(struct request *request) {
    free(request->bytes);
    free(request->args);
    *request = (struct request){.limit = request->limit};
}

/* Lets the arguments follow the request from its start to the front of `bytes`. */
static void rebase(struct request *request, char *bytes) {
    for (size_t i = 0; i < request->count; i++) {
        size_t offset = (size_t)(request->args[i].bytes - request->bytes);
        request->args[i].bytes = bytes + (offset - request->start);
    }
    request->bytes = bytes;
    request->at -= request->start;
    request->end -= request->start;
    request->start = 0;
}

static void move_to_front(struct request *request) {
    memmove(request->bytes, request->bytes + request->start,
            request->end - request->start);
    rebase(request, request->bytes);
}

static bool set_capacity(struct request *request, size_t capacity) {
    char *old = request->bytes;
    char *bytes = malloc(capacity);
    if (bytes == NULL)
        return false;
    if (old != NULL)
        memcpy(bytes, old + request->start, request->end - request->start);
    rebase(request, bytes);
    request->capacity = capacity;
    free(old);
    return true;
}

/* What one large request needed is not kept by an idle connection. */
static void let_go(struct request *request) {
    request->start = request->at = request->end = request->count = 0;
    if (request->capacity > KEPT_CAPACITY) {
        free(request->bytes);
        request->bytes = NULL;
        request->capacity = 0;
    }
    if (request->args_size > KEPT_ARGS) {
        free(request->args);
        request->args = NULL;
        request->args_size = 0;
    }
}

char *request_room(struct request *request, size_t *room) {
    if (request->missing == 0 && request->at == request->end)
        let_go(request);
    if (request->bytes == NULL && !set_capacity(request, READ_SIZE))
        return NULL;
    if (request->start > 0)
        move_to_front(request);
    if (request->end > request->limit)
        return NULL;
    if (request->capacity - request->end < request->capacity / 4 &&
        !set_capacity(request, 2 * request->capacity))
        return NULL;
    *room = request->capacity - request->end;
    return request->bytes + request->end;
}

void request_received(struct request *request, size_t length) {
    request->end += length;
}

static enum request_state invalid(struct request *request, const char *what) {
    snprintf(request->error, sizeof(request->error), "Protocol error: %s", what);
    return REQUEST_INVALID;
}

static bool grow_args(struct request *request) {
    size_t size = request->args_size == 0 ? FIRST_ARGS : 2 * request->args_size;
    struct slice *args = realloc(request->args, size * sizeof(*args));
    if (args == NULL)
        return false;
    request->args = args;
    request->args_size = size;
    return true;
}

static bool add_arg(struct request *request, const char *bytes, size_t length) {
    if (request->count == request->args_size && !grow_args(request))
        return false;
    request->args[request->count++] = (struct slice){bytes, length};
    return true;
}

/* Reads the line of digits after the '*' or '$' at request->at. */
static enum request_state read_length(struct request *request, int64_t *value,
                                      const char *what) {
    const char *digits = request->bytes + request->at + 1;
    size_t there = request->end - request->at - 1, length = 0;
    while (length < there && digits[length] != '\r' && length < KV_INTEGER_SIZE)
        length++;
    if (length == KV_INTEGER_SIZE)
        return invalid(request, what);
    if (there - length < 2)
        return REQUEST_INCOMPLETE;
    if (digits[length + 1] != '\n' ||
        !parse_integer((struct slice){digits, length}, value))
        return invalid(request, what);
    request->at += 1 + length + 2;
    return REQUEST_READY;
}

static enum request_state begin_bulk(struct request *request) {
    int64_t length;
    char got[32];
    if (request->bytes[request->at] != '$') {
        snprintf(got, sizeof(got), "expected '$', got '%c'", request->bytes[request->at]);
        return invalid(request, got);
    }
    enum request_state state = read_length(request, &length, "invalid bulk length");
    if (state != REQUEST_READY)
        return state;
    if (length < 0 || length > KV_MAX_BULK)
        return invalid(request, "invalid bulk length");
    request->bulk = (size_t)length;
    request->in_bulk = true;
    return REQUEST_READY;
}

static enum request_state end_bulk(struct request *request) {
    const char *bulk = request->bytes + request->at;
    if (request->end - request->at < request->bulk + 2)
        return REQUEST_INCOMPLETE;
    if (bulk[request->bulk] != '\r' || bulk[request->bulk + 1] != '\n')
        return invalid(request, "bulk is longer than its length");
    if (!add_arg(request, bulk, request->bulk))
        return invalid(request, "out of memory");
    request->at += request->bulk + 2;
    request->in_bulk = false;
    request->missing--;
    return REQUEST_READY;
}

static enum request_state next_bulk(struct request *request) {
    if (!request->in_bulk) {
        if (request->at == request->end)
            return REQUEST_INCOMPLETE;
        enum request_state state = begin_bulk(request);
        if (state != REQUEST_READY)
            return state;
    }
    return end_bulk(request);
}

static enum request_state begin_array(struct request *request) {
    int64_t count;
    enum request_state state = read_length(request, &count, "invalid multibulk length");
    if (state != REQUEST_READY)
        return state;
    if (count > KV_MAX_ARGS)
        return invalid(request, "invalid multibulk length");
    request->missing = count < 0 ? 0 : (size_t)count;
    return REQUEST_READY;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static enum request_state split_line(struct request *request, const char *at,
                                     const char *end) {
    for (;;) {
        while (at < end && is_space(*at))
            at++;
        if (at == end)
            return REQUEST_READY;
        const char *word = at;
        while (at < end && !is_space(*at))
            at++;
        if (!add_arg(request, word, (size_t)(at - word)))
            return invalid(request, "out of memory");
    }
}

static enum request_state read_inline(struct request *request) {
    const char *line = request->bytes + request->at;
    size_t there = request->end - request->at;
    const char *end = memchr(line, '\n', there);
    if (end == NULL && there <= KV_MAX_LINE)
        return REQUEST_INCOMPLETE;
    if (end == NULL || end - line > KV_MAX_LINE)
        return invalid(request, "too big inline request");
    request->at += (size_t)(end - line) + 1;
    return split_line(request, line, end);
}

static enum request_state begin(struct request *request) {
    request->start = request->at;
    request->count = 0;
    if (request->at == request->end)
        return REQUEST_INCOMPLETE;
    if (request->bytes[request->at] != '*')
        return read_inline(request);
    return begin_array(request);
}

enum request_state request_next(struct request *request) {
    enum request_state state = REQUEST_READY;
    if (request->missing == 0)
        state = begin(request);
    while (state == REQUEST_READY && request->missing > 0)
        state = next_bulk(request);
    return state;
}
