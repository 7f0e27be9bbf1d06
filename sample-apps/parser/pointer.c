/* pointer.c: JSON pointers (RFC 6901); a token '*' selects all elements or members, and
 * '~2' stands for a '*' that does not. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

struct walk {
    const struct json_pointer *pointer;
    const struct json *doc;
    void (*visit)(void *context, size_t at);
    void *context;
    size_t found;
};

/* Decodes a token at *text, up to the next '/' or the end, to *out, and advances both. */
static const char *decode(const char **text, uint8_t **out) {
    const char *at = *text;
    for (; *at != '\0' && *at != '/'; at++) {
        if (*at != '~') {
            *(*out)++ = (uint8_t)*at;
            continue;
        }
        at++;
        if (*at < '0' || *at > '2')
            return "'~' must be followed by 0, 1 or 2";
        *(*out)++ = (uint8_t)"~/*"[*at - '0'];
    }
    *text = at;
    return NULL;
}

/* A decimal number without leading zeros that fits; else SIZE_MAX, which is no element's
 * index. */
static size_t array_index(const uint8_t *name, size_t length) {
    size_t index = 0;
    if (length == 0 || (name[0] == '0' && length > 1))
        return SIZE_MAX;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9' || index > (SIZE_MAX - 9) / 10)
            return SIZE_MAX;
        index = index * 10 + (size_t)(name[i] - '0');
    }
    return index;
}

static const char *compile(struct json_pointer *pointer, const char *text) {
    uint8_t *out = pointer->names;
    while (*text != '\0') {
        struct json_token *token = &pointer->tokens[pointer->count++];
        const char *what;
        if (*text++ != '/')
            return "it must be empty or begin with '/'";
        token->name = out;
        token->all = text[0] == '*' && (text[1] == '\0' || text[1] == '/');
        if ((what = decode(&text, &out)) != NULL)
            return what;
        token->length = (size_t)(out - token->name);
        token->index = array_index(token->name, token->length);
    }
    return NULL;
}

const char *json_pointer_compile(struct json_pointer *pointer, const char *text) {
    size_t size = strlen(text) + 1; /* tokens are no more than characters */
    pointer->count = 0;
    pointer->names = malloc(size);
    pointer->tokens = calloc(size, sizeof(*pointer->tokens));
    if (pointer->names == NULL || pointer->tokens == NULL)
        return json_no_memory;
    return compile(pointer, text);
}

void json_pointer_free(struct json_pointer *pointer) {
    free(pointer->tokens);
    free(pointer->names);
    *pointer = (struct json_pointer){0};
}

static bool has_name(const struct json *doc, size_t at, const struct json_token *token) {
    size_t length;
    const uint8_t *name = json_bytes(doc, at, &length);
    return length == token->length && memcmp(name, token->name, length) == 0;
}

static void walk(struct walk *w, size_t depth, size_t at);

static void walk_array(struct walk *w, size_t depth, size_t at) {
    const struct json_token *token = &w->pointer->tokens[depth];
    size_t end = json_next(w->doc, at), index = 0;
    for (at++; at < end; at = json_next(w->doc, at)) {
        if (token->all || index == token->index)
            walk(w, depth + 1, at);
        if (index++ == token->index)
            break;
    }
}

/* A name that occurs twice is found twice. */
static void walk_object(struct walk *w, size_t depth, size_t at) {
    const struct json_token *token = &w->pointer->tokens[depth];
    size_t end = json_next(w->doc, at), value;
    for (at++; at < end; at = json_next(w->doc, value)) {
        value = json_next(w->doc, at);
        if (token->all || has_name(w->doc, at, token))
            walk(w, depth + 1, value);
    }
}

/* Goes one token down at a time, and so not deeper than the document, whose nesting is
 * limited. */
static void walk(struct walk *w, size_t depth, size_t at) {
    enum json_kind kind = json_kind(w->doc->words[at]);
    if (depth == w->pointer->count) {
        w->found++;
        w->visit(w->context, at);
    } else if (kind == JSON_ARRAY) {
        walk_array(w, depth, at);
    } else if (kind == JSON_OBJECT) {
        walk_object(w, depth, at);
    }
}

size_t json_pointer_each(const struct json_pointer *pointer, const struct json *doc,
                         void (*visit)(void *context, size_t at), void *context) {
    struct walk w = {pointer, doc, visit, context, 0};
    walk(&w, 0, 0);
    return w.found;
}
