/* string.c: strings: UTF-8 checked, escapes decoded. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* 1 for ASCII that stands for itself: no control character, quote or backslash. */
static const uint8_t plain[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 0x10 */
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x20 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x30 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x40 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, /* 0x50 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x60 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x70 */
};

static bool between(uint8_t byte, uint8_t low, uint8_t high) {
    return byte >= low && byte <= high;
}

static bool continues(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

/* The second byte's range excludes overlong forms, surrogates and what lies above
 * U+10FFFF. */
size_t json_utf8_length(const uint8_t *at) {
    uint8_t lead = at[0], low = 0x80, high = 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead < 0xe0)
        return lead >= 0xc2 && continues(at[1]) ? 2 : 0;
    if (lead < 0xf0) {
        low = lead == 0xe0 ? 0xa0 : low;
        high = lead == 0xed ? 0x9f : high;
        return between(at[1], low, high) && continues(at[2]) ? 3 : 0;
    }
    low = lead == 0xf0 ? 0x90 : low;
    high = lead == 0xf4 ? 0x8f : high;
    if (lead > 0xf4 || !between(at[1], low, high))
        return 0;
    return continues(at[2]) && continues(at[3]) ? 4 : 0;
}

static size_t encode_utf8(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

static int hex_digit(uint8_t byte) {
    if (between(byte, '0', '9'))
        return byte - '0';
    byte |= 0x20;
    return between(byte, 'a', 'f') ? byte - 'a' + 10 : -1;
}

/* The four digits after "\u"; -1 if it is none or they are not four. */
static int32_t code_unit(const uint8_t *at) {
    int32_t unit = 0;
    if (at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static const uint8_t *unicode_escape(struct json *doc, const uint8_t *at, uint8_t **out) {
    int32_t unit = code_unit(at);
    uint32_t code = (uint32_t)unit;
    if (unit < 0)
        return json_fail(doc, at, "expected four hexadecimal digits after \\u");
    at += 6;
    if (unit >= 0xd800 && unit < 0xe000) {
        int32_t second = code_unit(at);
        if (unit >= 0xdc00 || second < 0xdc00 || second >= 0xe000)
            return json_fail(doc, at - 6, "\\u escape is an unpaired surrogate");
        code = 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(second - 0xdc00);
        at += 6;
    }
    *out += encode_utf8(*out, code);
    return at;
}

static uint8_t short_escape(uint8_t letter) {
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

static const uint8_t *escape(struct json *doc, const uint8_t *at, uint8_t **out) {
    uint8_t byte = short_escape(at[1]);
    if (byte != 0) {
        *(*out)++ = byte;
        return at + 2;
    }
    if (at[1] == 'u')
        return unicode_escape(doc, at, out);
    return json_fail(doc, at, "unknown escape");
}

/* The bytes at a place that is neither plain nor a quote nor a backslash are an error
 * unless they are UTF-8; 0 after the error was recorded. */
static size_t wide(struct json *doc, const uint8_t *quote, const uint8_t *at) {
    size_t length = *at < 0x20 ? 0 : json_utf8_length(at);
    if (length == 0) {
        if (at == doc->source + doc->length)
            json_fail(doc, quote, "string without a closing quote");
        else if (*at < 0x20)
            json_fail(doc, at, "control character in a string must be escaped");
        else
            json_fail(doc, at, "ill-formed UTF-8");
    }
    return length;
}

/* Decoded text is never longer than its source: room for all of it is room enough. */
static bool reserve_text(struct json *doc) {
    if (doc->text_capacity >= doc->length)
        return true;
    free(doc->text);
    doc->text = malloc(doc->length);
    doc->text_capacity = doc->text == NULL ? 0 : doc->length;
    return doc->text != NULL;
}

/* The rest of a string from its first escape on. */
static const uint8_t *decode(struct json *doc, const uint8_t *quote, const uint8_t *at) {
    size_t offset = doc->text_length, before = (size_t)(at - quote - 1), length;
    uint8_t *out;
    if (!reserve_text(doc))
        return json_fail(doc, quote, json_no_memory);
    out = doc->text + offset;
    memcpy(out, quote + 1, before);
    out += before;
    for (;;) {
        while (plain[*at])
            *out++ = *at++;
        if (*at == '"')
            break;
        if (*at == '\\') {
            if ((at = escape(doc, at, &out)) == NULL)
                return NULL;
            continue;
        }
        if ((length = wide(doc, quote, at)) == 0)
            return NULL;
        while (length-- > 0)
            *out++ = *at++;
    }
    doc->text_length = (size_t)(out - doc->text);
    length = doc->text_length - offset;
    return json_append_pair(doc, json_word(JSON_TEXT, offset), length) ? at + 1 : NULL;
}

const uint8_t *json_string(struct json *doc, const uint8_t *quote) {
    const uint8_t *at = quote + 1;
    uint64_t word;
    size_t length;
    for (;;) {
        while (plain[*at])
            at++;
        if (*at == '"')
            break;
        if (*at == '\\')
            return decode(doc, quote, at);
        if ((length = wide(doc, quote, at)) == 0)
            return NULL;
        at += length;
    }
    length = (size_t)(at - quote - 1);
    word = json_word(JSON_STRING, (size_t)(quote + 1 - doc->source));
    return json_append_pair(doc, word, length) ? at + 1 : NULL;
}
