/* parse.c: the grammar of RFC 8259, and the tape that it fills. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* There is no recursion and no stack: while a container is open, its payload on the tape
 * is the place of the container around it, or NOWHERE. */
static const uint64_t NOWHERE = UINT64_MAX >> 8;

_Static_assert(JSON_MAX_DEPTH == 1024, "an error message and the help say so");

const char json_no_memory[] = "out of memory";

enum state { EXPECT_VALUE, AFTER_VALUE, COMPLETE, FAILED };

struct parser {
    struct json *doc;
    const uint8_t *at;
    uint64_t open; /* place of the innermost open container, or NOWHERE */
    size_t depth;
};

const uint8_t *json_fail(struct json *doc, const uint8_t *at, const char *what) {
    doc->error.what = what;
    doc->error.offset = (size_t)(at - doc->source);
    return NULL;
}

static bool grow(struct json *doc) {
    size_t capacity = doc->capacity == 0 ? 1024 : doc->capacity * 2;
    uint64_t *words = NULL;
    if (capacity <= SIZE_MAX / 2 / sizeof(uint64_t))
        words = realloc(doc->words, capacity * sizeof(uint64_t));
    if (words == NULL) {
        json_fail(doc, doc->source, json_no_memory);
        return false;
    }
    doc->words = words;
    doc->capacity = capacity;
    return true;
}

bool json_append(struct json *doc, uint64_t word) {
    if (doc->count == doc->capacity && !grow(doc))
        return false;
    doc->words[doc->count++] = word;
    return true;
}

bool json_append_pair(struct json *doc, uint64_t first, uint64_t second) {
    if (doc->capacity - doc->count < 2 && !grow(doc))
        return false;
    doc->words[doc->count++] = first;
    doc->words[doc->count++] = second;
    return true;
}

size_t json_next(const struct json *doc, size_t at) {
    uint64_t word = doc->words[at];
    switch (json_kind(word)) {
    case JSON_ARRAY:
    case JSON_OBJECT:
        return at + 1 + (size_t)json_payload(word);
    case JSON_DOUBLE:
    case JSON_NUMERAL:
    case JSON_STRING:
    case JSON_TEXT:
        return at + 2;
    default:
        return at + 1;
    }
}

const uint8_t *json_bytes(const struct json *doc, size_t at, size_t *length) {
    uint64_t word = doc->words[at];
    const uint8_t *base = json_kind(word) == JSON_TEXT ? doc->text : doc->source;
    *length = (size_t)doc->words[at + 1];
    return base + json_payload(word);
}

static const uint8_t *skip_space(const uint8_t *at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

static enum state fail(struct parser *p, const char *what) {
    json_fail(p->doc, p->at, what);
    return FAILED;
}

/* Takes what json_string() or json_number() returned. */
static enum state token(struct parser *p, const uint8_t *end) {
    p->at = end;
    return end == NULL ? FAILED : AFTER_VALUE;
}

static enum state literal(struct parser *p, const char *word, enum json_kind kind) {
    size_t length = strlen(word);
    if (strncmp((const char *)p->at, word, length) != 0)
        return fail(p, "expected a value");
    p->at += length;
    return json_append(p->doc, json_word(kind, 0)) ? AFTER_VALUE : FAILED;
}

/* Everything from a member's name to the start of its value. */
static enum state member_name(struct parser *p) {
    if (*p->at != '"')
        return fail(p, "expected a member name in double quotes");
    p->at = json_string(p->doc, p->at);
    if (p->at == NULL)
        return FAILED;
    p->at = skip_space(p->at);
    if (*p->at != ':')
        return fail(p, "expected ':'");
    p->at = skip_space(p->at + 1);
    return EXPECT_VALUE;
}

static void close_container(struct parser *p) {
    uint64_t *word = &p->doc->words[p->open];
    uint64_t inside = p->doc->count - p->open - 1;
    p->open = json_payload(*word);
    *word = json_word(json_kind(*word), inside);
    p->depth--;
    p->at++;
}

static enum state open_container(struct parser *p, enum json_kind kind, uint8_t closer) {
    if (p->depth == JSON_MAX_DEPTH)
        return fail(p, "nested too deeply (more than 1024 levels)");
    if (!json_append(p->doc, json_word(kind, p->open)))
        return FAILED;
    p->open = p->doc->count - 1;
    if (++p->depth > p->doc->depth)
        p->doc->depth = p->depth;
    p->at = skip_space(p->at + 1);
    if (*p->at == closer) {
        close_container(p);
        return AFTER_VALUE;
    }
    return kind == JSON_OBJECT ? member_name(p) : EXPECT_VALUE;
}

static enum state value(struct parser *p) {
    p->doc->values++;
    switch (*p->at) {
    case '{':
        return open_container(p, JSON_OBJECT, '}');
    case '[':
        return open_container(p, JSON_ARRAY, ']');
    case '"':
        return token(p, json_string(p->doc, p->at));
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return token(p, json_number(p->doc, p->at));
    case 't':
        return literal(p, "true", JSON_TRUE);
    case 'f':
        return literal(p, "false", JSON_FALSE);
    case 'n':
        return literal(p, "null", JSON_NULL);
    default:
        return fail(p, "expected a value");
    }
}

/* Closes containers up to the next comma, or up to the end of the document. */
static enum state after_value(struct parser *p) {
    while (p->open != NOWHERE) {
        bool object = json_kind(p->doc->words[p->open]) == JSON_OBJECT;
        p->at = skip_space(p->at);
        if (*p->at == ',') {
            p->at = skip_space(p->at + 1);
            return object ? member_name(p) : EXPECT_VALUE;
        }
        if (*p->at != (object ? '}' : ']'))
            return fail(p, object ? "expected ',' or '}'" : "expected ',' or ']'");
        close_container(p);
    }
    p->at = skip_space(p->at);
    if (p->at != p->doc->source + p->doc->length)
        return fail(p, "expected the end of the input");
    return COMPLETE;
}

bool json_parse(struct json *doc, const uint8_t *source, size_t length) {
    struct parser p = {.doc = doc, .at = skip_space(source), .open = NOWHERE};
    enum state state = EXPECT_VALUE;
    doc->source = source;
    doc->length = length;
    doc->count = doc->text_length = doc->values = doc->depth = 0;
    if (strncmp((const char *)source, "\xef\xbb\xbf", 3) == 0)
        state = fail(&p, "JSON must not start with a byte order mark");
    while (state == EXPECT_VALUE) {
        state = value(&p);
        if (state == AFTER_VALUE)
            state = after_value(&p);
    }
    return state == COMPLETE;
}

void json_free(struct json *doc) {
    free(doc->words);
    free(doc->text);
    *doc = (struct json){0};
}
