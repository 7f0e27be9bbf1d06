/* print.c: values as text, through a buffer. */
#include "json.h"

#include <string.h>

/* A container being printed. */
struct frame {
    size_t end; /* place after it on the tape */
    bool object;
};

struct printer {
    const struct json *doc;
    struct json_out *out;
    unsigned indent;
    size_t depth;
    bool first; /* nothing is printed yet in the innermost container */
    struct frame frames[JSON_MAX_DEPTH];
};

void json_out_flush(struct json_out *out) {
    if (out->used > 0)
        out->flush(out->context, out->buffer, out->used);
    out->used = 0;
}

/* Room for so many bytes, at most JSON_OUT_SIZE, at the buffer's end. */
static uint8_t *reserve(struct json_out *out, size_t count) {
    if (JSON_OUT_SIZE - out->used < count)
        json_out_flush(out);
    return out->buffer + out->used;
}

void json_out_byte(struct json_out *out, uint8_t byte) {
    *reserve(out, 1) = byte;
    out->used++;
}

void json_out_bytes(struct json_out *out, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        size_t part = count < JSON_OUT_SIZE ? count : JSON_OUT_SIZE;
        memcpy(reserve(out, part), bytes, part);
        out->used += part;
        bytes += part;
        count -= part;
    }
}

static void put_literal(struct json_out *out, const char *text) {
    json_out_bytes(out, (const uint8_t *)text, strlen(text));
}

/* The letter of a byte's short escape, 'u' if it has only the long one, 0 if it needs
 * none. */
static uint8_t escape_letter(uint8_t byte) {
    static const uint8_t controls[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";
    if (byte < 0x20)
        return controls[byte];
    return byte == '"' || byte == '\\' ? byte : 0;
}

static void put_escape(struct json_out *out, uint8_t byte, uint8_t letter) {
    json_out_byte(out, '\\');
    json_out_byte(out, letter);
    if (letter == 'u') {
        put_literal(out, byte < 0x10 ? "000" : "001");
        json_out_byte(out, (uint8_t)"0123456789abcdef"[byte & 0xf]);
    }
}

static void put_text(struct json_out *out, const uint8_t *bytes, size_t length) {
    size_t done = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t letter = escape_letter(bytes[i]);
        if (letter == 0)
            continue;
        json_out_bytes(out, bytes + done, i - done);
        put_escape(out, bytes[i], letter);
        done = i + 1;
    }
    json_out_bytes(out, bytes + done, length - done);
}

static void put_string(const struct json *doc, size_t at, struct json_out *out) {
    size_t length;
    const uint8_t *bytes = json_bytes(doc, at, &length);
    json_out_byte(out, '"');
    if (json_kind(doc->words[at]) == JSON_TEXT)
        put_text(out, bytes, length);
    else
        json_out_bytes(out, bytes, length);
    json_out_byte(out, '"');
}

static void put_double(struct json_out *out, uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    out->used += json_format_double(reserve(out, JSON_NUMBER_SIZE), value);
}

static void put_integer(struct json_out *out, uint64_t word) {
    uint8_t *room = reserve(out, JSON_NUMBER_SIZE);
    bool negative = json_kind(word) == JSON_NEGATIVE;
    out->used += json_format_integer(room, json_payload(word), negative);
}

static void put_numeral(const struct json *doc, size_t at, struct json_out *out) {
    size_t length;
    const uint8_t *bytes = json_bytes(doc, at, &length);
    json_out_bytes(out, bytes, length);
}

static void new_line(struct printer *p) {
    size_t spaces = p->depth * p->indent;
    if (p->indent == 0)
        return;
    json_out_byte(p->out, '\n');
    while (spaces-- > 0)
        json_out_byte(p->out, ' ');
}

/* Returns the place after the opening, where the container's content is. */
static size_t open_container(struct printer *p, size_t at) {
    bool object = json_kind(p->doc->words[at]) == JSON_OBJECT;
    size_t end = json_next(p->doc, at);
    if (end == at + 1) {
        put_literal(p->out, object ? "{}" : "[]");
        return end;
    }
    json_out_byte(p->out, object ? '{' : '[');
    p->frames[p->depth++] = (struct frame){end, object};
    p->first = true;
    return at + 1;
}

static void close_container(struct printer *p) {
    bool object = p->frames[--p->depth].object;
    new_line(p);
    json_out_byte(p->out, object ? '}' : ']');
    p->first = false;
}

/* Prints a value, of a container only the opening; returns where to go on. */
static size_t put_value(struct printer *p, size_t at) {
    uint64_t word = p->doc->words[at];
    switch (json_kind(word)) {
    case JSON_NULL:
        put_literal(p->out, "null");
        break;
    case JSON_FALSE:
        put_literal(p->out, "false");
        break;
    case JSON_TRUE:
        put_literal(p->out, "true");
        break;
    case JSON_INTEGER:
    case JSON_NEGATIVE:
        put_integer(p->out, word);
        break;
    case JSON_DOUBLE:
        put_double(p->out, p->doc->words[at + 1]);
        break;
    case JSON_NUMERAL:
        put_numeral(p->doc, at, p->out);
        break;
    case JSON_STRING:
    case JSON_TEXT:
        put_string(p->doc, at, p->out);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return open_container(p, at);
    }
    return json_next(p->doc, at);
}

/* Whatever comes before the next value in the innermost container; returns the value's
 * place. */
static size_t lead_in(struct printer *p, size_t at) {
    if (!p->first)
        json_out_byte(p->out, ',');
    p->first = false;
    new_line(p);
    if (!p->frames[p->depth - 1].object)
        return at;
    put_string(p->doc, at, p->out);
    json_out_byte(p->out, ':');
    if (p->indent > 0)
        json_out_byte(p->out, ' ');
    return json_next(p->doc, at);
}

void json_print(const struct json *doc, size_t at, unsigned indent,
                struct json_out *out) {
    struct printer p;
    p.doc = doc;
    p.out = out;
    p.indent = indent;
    p.depth = 0;
    p.first = true;
    at = put_value(&p, at);
    while (p.depth > 0) {
        if (at == p.frames[p.depth - 1].end)
            close_container(&p);
        else
            at = put_value(&p, lead_in(&p, at));
    }
}
