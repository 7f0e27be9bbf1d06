/* json.h: what the parser's modules share: the document, its errors, its output. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

__extension__ typedef unsigned __int128 uint128;

enum {
    JSON_MAX_DEPTH = 1024,     /* containers within each other */
    JSON_NUMBER_SIZE = 32,     /* bytes that fit any formatted integer or double */
    JSON_OUT_SIZE = 64 * 1024, /* bytes collected before they are flushed */
};

/*
 * A document is a tape of 64-bit words: its values in the order of the text. The low
 * eight bits of a value's first word are its kind, the other 56 its payload:
 *
 *   kind            payload                        further words
 *   null false true 0
 *   INTEGER         magnitude, without a sign
 *   NEGATIVE        magnitude, with a minus sign
 *   DOUBLE          0                              the bits of the double
 *   NUMERAL         offset of its text in source   length of its text
 *   STRING          offset in source               length in bytes
 *   TEXT            offset in text                 length in bytes
 *   ARRAY           number of words in it          its elements
 *   OBJECT          number of words in it          its members, a name before each value
 *
 * NUMERAL is a number too large for INTEGER or outside the range of a double: it is kept
 * as it was written. STRING has no escapes and stays where it is in the source; TEXT had
 * some and was decoded into the document's own text. Names are STRING or TEXT.
 */
enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INTEGER,
    JSON_NEGATIVE,
    JSON_DOUBLE,
    JSON_NUMERAL,
    JSON_STRING,
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_error {
    const char *what;
    size_t offset; /* into the source; its length if the input ended too early */
};

/* Zero-initialize before the first json_parse(); the source must outlive the document. */
struct json {
    const uint8_t *source;
    size_t length;
    uint64_t *words;
    size_t count, capacity;
    uint8_t *text;
    size_t text_length, text_capacity;
    size_t values; /* without member names */
    size_t depth;  /* of the deepest container */
    struct json_error error;
};

static inline enum json_kind json_kind(uint64_t word) {
    return (enum json_kind)(word & 0xff);
}

static inline uint64_t json_payload(uint64_t word) {
    return word >> 8;
}

static inline uint64_t json_word(enum json_kind kind, uint64_t payload) {
    return payload << 8 | (uint64_t)kind;
}

/* input.c: files in, error messages out */

struct json_input {
    uint8_t *bytes; /* followed by a NUL */
    size_t length;
};

/* Reads a file, or standard input if path is NULL. False, with errno set, on failure. */
bool json_input_read(struct json_input *input, const char *path);
void json_input_free(struct json_input *input);

/* Writes "name:line:column: what", the line and a caret below the column, counting
 * columns in code points. A long line is shown in part. */
void json_report(FILE *stream, const char *name, const struct json *doc);

/* parse.c: grammar and tape */

/* Parses source, which must be followed by a NUL; what doc held before is replaced.
 * False, with doc->error set, unless it is one valid JSON text as of RFC 8259. */
bool json_parse(struct json *doc, const uint8_t *source, size_t length);
void json_free(struct json *doc);

/* The one error that is no fault of the source. */
extern const char json_no_memory[];

/* Records an error and returns NULL. */
const uint8_t *json_fail(struct json *doc, const uint8_t *at, const char *what);

/* Append a value's words; false, with doc->error set, if memory runs out. */
bool json_append(struct json *doc, uint64_t word);
bool json_append_pair(struct json *doc, uint64_t first, uint64_t second);

/* The place after the value at a place on the tape. */
size_t json_next(const struct json *doc, size_t at);

/* The bytes of the STRING, TEXT or NUMERAL at a place on the tape. */
const uint8_t *json_bytes(const struct json *doc, size_t at, size_t *length);

/* string.c, number.c: tokens. Both append a value and return the end of its text, or
 * record an error and return NULL. */

/* From the opening quote. */
const uint8_t *json_string(struct json *doc, const uint8_t *quote);

/* From the minus sign or the first digit. */
const uint8_t *json_number(struct json *doc, const uint8_t *start);

/* Length of the UTF-8 sequence (RFC 3629) at a place before a NUL; 0 if ill-formed. */
size_t json_utf8_length(const uint8_t *at);

/*
 * 10^exponent as a 128-bit significand in [2^127, 2^128), rounded up where it is not
 * exact, times 2^(json_log2_power(exponent) - 127); for exponents from JSON_POWER_MIN to
 * JSON_POWER_MAX.
 */
struct json_power {
    uint64_t high, low;
};
const struct json_power *json_power(int exponent);

/* floor(log2(10^exponent)), for |exponent| <= 1233. */
static inline int json_log2_power(int exponent) {
    return (exponent * 1741647) >> 19;
}

/* format.c: numbers as text. Both return how many bytes they wrote, at most
 * JSON_NUMBER_SIZE. */

size_t json_format_integer(uint8_t *out, uint64_t magnitude, bool negative);

/* The shortest decimal that reads back as the same double, with a '.' or an exponent. */
size_t json_format_double(uint8_t *out, double value);

/* print.c: output through a buffer */

struct json_out {
    void (*flush)(void *context, const uint8_t *bytes, size_t count);
    void *context;
    size_t used;
    uint8_t buffer[JSON_OUT_SIZE];
};

void json_out_byte(struct json_out *out, uint8_t byte);
void json_out_bytes(struct json_out *out, const uint8_t *bytes, size_t count);
void json_out_flush(struct json_out *out);

/* Prints the value at a place on the tape, on one line if indent is 0. */
void json_print(const struct json *doc, size_t at, unsigned indent, struct json_out *out);

/* pointer.c: RFC 6901 with wildcards */

struct json_token {
    const uint8_t *name;
    size_t length;
    size_t index; /* as an array index, or SIZE_MAX */
    bool all;
};

struct json_pointer {
    struct json_token *tokens;
    size_t count;
    uint8_t *names;
};

/* Returns NULL, or what is wrong with the pointer. */
const char *json_pointer_compile(struct json_pointer *pointer, const char *text);
void json_pointer_free(struct json_pointer *pointer);

/* Calls visit for every value that the pointer selects, in document order, and returns
 * their number. */
size_t json_pointer_each(const struct json_pointer *pointer, const struct json *doc,
                         void (*visit)(void *context, size_t at), void *context);

#endif
