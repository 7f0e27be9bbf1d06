/* fuzz.c: libFuzzer target: what is printed must be read back as the same document. */
#include "../json.h"

#include <stdlib.h>
#include <string.h>

struct text {
    uint8_t *bytes; /* followed by a NUL */
    size_t length;
};

static void require(bool condition) {
    if (!condition)
        abort();
}

static void append(void *context, const uint8_t *bytes, size_t count) {
    struct text *text = context;
    uint8_t *longer = realloc(text->bytes, text->length + count + 1);
    require(longer != NULL);
    text->bytes = longer;
    memcpy(text->bytes + text->length, bytes, count);
    text->length += count;
    text->bytes[text->length] = 0;
}

static struct text print(const struct json *doc, unsigned indent) {
    static struct json_out out;
    struct text text = {0};
    out.flush = append;
    out.context = &text;
    json_print(doc, 0, indent, &out);
    json_out_flush(&out);
    return text;
}

/* A string may be STRING in one document and TEXT in the other: only its bytes matter. */
static bool is_string(enum json_kind kind) {
    return kind == JSON_STRING || kind == JSON_TEXT;
}

static bool same_bytes(const struct json *a, const struct json *b, size_t at) {
    size_t a_length, b_length;
    const uint8_t *a_bytes = json_bytes(a, at, &a_length);
    const uint8_t *b_bytes = json_bytes(b, at, &b_length);
    return a_length == b_length && memcmp(a_bytes, b_bytes, a_length) == 0;
}

static bool same_value(const struct json *a, const struct json *b, size_t at) {
    enum json_kind kind = json_kind(a->words[at]);
    if (is_string(kind))
        return is_string(json_kind(b->words[at])) && same_bytes(a, b, at);
    if (kind == JSON_NUMERAL)
        return json_kind(b->words[at]) == kind && same_bytes(a, b, at);
    if (kind == JSON_DOUBLE && a->words[at + 1] != b->words[at + 1])
        return false;
    return a->words[at] == b->words[at];
}

/* Containers take one word before their content: this goes through all values, nested or
 * not. */
static bool same_document(const struct json *a, const struct json *b) {
    bool same = a->count == b->count;
    for (size_t at = 0; same && at < a->count;) {
        enum json_kind kind = json_kind(a->words[at]);
        same = same_value(a, b, at);
        at = kind == JSON_ARRAY || kind == JSON_OBJECT ? at + 1 : json_next(a, at);
    }
    return same;
}

static void check_printed(const struct json *doc, unsigned indent) {
    struct json again = {0};
    struct text first = print(doc, indent), second;
    require(json_parse(&again, first.bytes, first.length));
    require(same_document(doc, &again));
    second = print(&again, indent);
    require(first.length == second.length);
    require(memcmp(first.bytes, second.bytes, first.length) == 0);
    free(first.bytes);
    free(second.bytes);
    json_free(&again);
}

static void ignore(void *context, size_t at) {
    (void)context;
    (void)at;
}

/* After a '/', any text without a wrong '~' is a pointer, the document's own as well. */
static void check_pointer(const struct json *doc) {
    struct json_pointer pointer = {0};
    struct text text = {0};
    append(&text, (const uint8_t *)"/", 1);
    append(&text, doc->source, doc->length);
    if (json_pointer_compile(&pointer, (const char *)text.bytes) == NULL)
        json_pointer_each(&pointer, doc, ignore, NULL);
    json_pointer_free(&pointer);
    require(json_pointer_compile(&pointer, "/*/*") == NULL);
    require(json_pointer_each(&pointer, doc, ignore, NULL) <= doc->values);
    json_pointer_free(&pointer);
    free(text.bytes);
}

static void check_report(const struct json *doc) {
    FILE *nowhere = fopen("/dev/null", "w");
    require(nowhere != NULL);
    require(doc->error.what != NULL && doc->error.offset <= doc->length);
    json_report(nowhere, "fuzz", doc);
    fclose(nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct text source = {0};
    struct json doc = {0};
    append(&source, data, size);
    if (json_parse(&doc, source.bytes, source.length)) {
        check_printed(&doc, 0);
        check_printed(&doc, 3);
        check_pointer(&doc);
    } else {
        check_report(&doc);
    }
    json_free(&doc);
    free(source.bytes);
    return 0;
}
