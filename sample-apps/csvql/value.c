/* Errors, memory and values: what everything else is made of. */
#include "csvql.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fails at a line of a file, 0 for all of it; without a file, at a place in the query. */
void fail(Error *err, const char *file, size_t at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->file = file;
    err->at = at;
    longjmp(err->trap, 1);
}

void fail_memory(Error *err) {
    fail(err, NULL, NO_PLACE, "out of memory");
}

/* ---- arenas and buffers ---- */

enum { ALIGNMENT = 16, FIRST_CHUNK = 1 << 14, LARGEST_DOUBLED = 1 << 20 };

typedef struct Chunk {
    struct Chunk *older;
    size_t size;
    _Alignas(ALIGNMENT) char memory[];
} Chunk;

static void add_chunk(Arena *arena, size_t need) {
    size_t size = arena->newest ? arena->newest->size : FIRST_CHUNK / 2;
    if (size < LARGEST_DOUBLED)
        size *= 2;
    if (size < need)
        size = need;
    Chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        fail_memory(arena->err);
    chunk->older = arena->newest;
    chunk->size = size;
    arena->newest = chunk;
    arena->used = 0;
}

/* Memory for `count` things of `size` bytes, not cleared. */
void *arena_alloc(Arena *arena, size_t count, size_t size) {
    if (size && count > SIZE_MAX / 4 / size)
        fail_memory(arena->err);
    size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!arena->newest || arena->newest->size - arena->used < bytes)
        add_chunk(arena, bytes);
    void *memory = arena->newest->memory + arena->used;
    arena->used += bytes;
    return memory;
}

/* Room for one more of `count` items in an array that only ever grew this way. The array
   is full whenever `count` is zero or a power of two. */
void *arena_extend(Arena *arena, void *items, size_t count, size_t size) {
    if (count & (count - 1))
        return items;
    void *larger = arena_alloc(arena, count ? 2 * count : 1, size);
    if (count)
        memcpy(larger, items, count * size);
    return larger;
}

static void free_chunks(Chunk *chunk) {
    while (chunk) {
        Chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

/* Forgets the contents, keeps the newest (and largest) chunk. */
void arena_reset(Arena *arena) {
    arena->used = 0;
    if (arena->newest && arena->newest->older) {
        free_chunks(arena->newest->older);
        arena->newest->older = NULL;
    }
}

void arena_free(Arena *arena) {
    free_chunks(arena->newest);
    *arena = (Arena){.err = arena->err};
}

/* Makes room for `size` more bytes; false if there is no memory. */
bool buffer_reserve(Buffer *out, size_t size) {
    size_t capacity = out->capacity ? out->capacity : 4096;
    if (size <= out->capacity - out->size)
        return true;
    if (size > SIZE_MAX / 2 - out->size)
        return false;
    while (capacity - out->size < size)
        capacity *= 2;
    char *data = realloc(out->data, capacity);
    if (!data)
        return false;
    out->data = data;
    out->capacity = capacity;
    return true;
}

void buffer_append(Buffer *out, const char *data, size_t size) {
    if (!buffer_reserve(out, size))
        fail_memory(out->err);
    if (size)
        memcpy(out->data + out->size, data, size);
    out->size += size;
}

/* ---- names ---- */

/* Names are equal whatever the case of their ASCII letters. */
bool text_same(Text a, Text b) {
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++) {
        if (fold(a.at[i]) != fold(b.at[i]))
            return false;
    }
    return true;
}

bool text_is(Text a, const char *b) {
    return text_same(a, (Text){b, strlen(b)});
}

/* ---- text to number ---- */

/* mantissa * 10^exponent, which leaves out digits from the 19th or 20th on. */
typedef struct Decimal {
    uint64_t mantissa;
    int64_t exponent;
    bool negative, real, digits;
} Decimal;

static const char *scan_digits(const char *s, const char *end, Decimal *d, int step) {
    for (; s < end && is_digit(*s); s++) {
        d->digits = true;
        if (d->mantissa <= (UINT64_MAX - 9) / 10) {
            d->mantissa = d->mantissa * 10 + (uint64_t)(*s - '0');
            d->exponent -= step;
        } else {
            d->exponent += 1 - step;
        }
    }
    return s;
}

static const char *scan_exponent(const char *s, const char *end, Decimal *d) {
    const char *p = s + 1;
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    if (p == end || !is_digit(*p))
        return s;
    int64_t exponent = 0;
    for (; p < end && is_digit(*p); p++) {
        if (exponent < INT64_MAX / 100)
            exponent = exponent * 10 + (*p - '0');
    }
    d->exponent += negative ? -exponent : exponent;
    d->real = true;
    return p;
}

static const char *scan_decimal(const char *s, const char *end, Decimal *d) {
    d->negative = s < end && *s == '-';
    s += s < end && (*s == '-' || *s == '+');
    s = scan_digits(s, end, d, 0);
    if (s < end && *s == '.') {
        d->real = true;
        s = scan_digits(s + 1, end, d, 1);
    }
    if (d->digits && s < end && fold(*s) == 'e')
        s = scan_exponent(s, end, d);
    return s;
}

/* Where mantissa and power of ten are exact doubles, one rounding makes the nearest
   double (W. D. Clinger, "How to read floating point numbers accurately", 1990). */
static double decimal_to_real(const Decimal *d) {
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double r = (double)d->mantissa;
    char text[64];
    if (d->mantissa > (UINT64_C(1) << 53) || d->exponent > 22 || d->exponent < -22) {
        snprintf(text, sizeof text, "%" PRIu64 "e%" PRId64, d->mantissa, d->exponent);
        r = strtod(text, NULL);
    } else {
        r = d->exponent < 0 ? r / power[-d->exponent] : r * power[d->exponent];
    }
    return d->negative ? -r : r;
}

/* The number that a text starts with, after white space: an integer if it is written as
   one and fits, else a real; 0 if there is none. `used`: where it ends, 0 for none. */
Value number_prefix(const char *s, size_t length, size_t *used) {
    const char *at = s, *end = s + length;
    Decimal d = {0};
    while (at < end && is_space(*at))
        at++;
    at = scan_decimal(at, end, &d);
    *used = d.digits ? (size_t)(at - s) : 0;
    if (!d.digits)
        return value_int(0);
    if (!d.real && !d.exponent && d.mantissa <= (uint64_t)INT64_MAX + d.negative)
        return value_int((int64_t)(d.negative ? 0 - d.mantissa : d.mantissa));
    return value_real(decimal_to_real(&d));
}

/* ---- conversions ---- */

/* A value as an operand of arithmetic: an integer, a real or NULL. */
Value value_number(Value v) {
    size_t used;
    return v.type == V_TEXT ? number_prefix(v.s, v.length, &used) : v;
}

/* Text that is a number, with white space around it or not, as that number. */
Value value_numeric(Value v) {
    size_t used;
    if (v.type != V_TEXT)
        return v;
    Value number = number_prefix(v.s, v.length, &used);
    while (used && used < v.length && is_space(v.s[used]))
        used++;
    return used && used == v.length ? number : v;
}

double value_to_real(Value v) {
    v = value_number(v);
    return v.type == V_REAL ? v.r : v.type == V_INT ? (double)v.i : 0.0;
}

static int64_t real_to_int(double r) {
    if (r >= 0x1p63)
        return INT64_MAX;
    return r < -0x1p63 ? INT64_MIN : (int64_t)r;
}

/* Of text, the integer that it starts with: as in SQLite, 1 for 1e3. */
int64_t value_to_int(Value v) {
    size_t end = 0, used;
    while (v.type == V_TEXT && end < v.length && !strchr(".eE", v.s[end]))
        end++;
    if (v.type == V_TEXT)
        v = number_prefix(v.s, end, &used);
    return v.type == V_INT ? v.i : v.type == V_REAL ? real_to_int(v.r) : 0;
}

/* 1 for true, 0 for false, -1 for unknown. */
int value_truth(Value v) {
    if (v.type == V_INT)
        return v.i != 0;
    return v.type == V_NULL ? -1 : value_to_real(v) != 0;
}

/* ---- order and hash ---- */

static int compare_int_real(int64_t i, double r) {
    if (r >= 0x1p63)
        return -1;
    if (r < -0x1p63)
        return 1;
    int64_t whole = (int64_t)r;
    double rest = r - (double)whole;
    if (i != whole)
        return i < whole ? -1 : 1;
    return (rest < 0) - (rest > 0);
}

static int compare_text(Value a, Value b) {
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.s, b.s, shorter);
    if (order == 0)
        return (a.length > b.length) - (a.length < b.length);
    return order < 0 ? -1 : 1;
}

static int compare_numbers(Value a, Value b) {
    if (a.type == V_INT)
        return compare_int_real(a.i, b.r);
    if (b.type == V_INT)
        return -compare_int_real(b.i, a.r);
    return (a.r > b.r) - (a.r < b.r);
}

/* -1, 0 or 1. NULL comes before numbers, numbers before text; NULL equals NULL. */
int value_compare(Value a, Value b) {
    if (a.type == V_INT && b.type == V_INT)
        return (a.i > b.i) - (a.i < b.i);
    if (a.type == V_TEXT && b.type == V_TEXT)
        return compare_text(a, b);
    if (a.type == V_NULL || b.type == V_NULL)
        return (a.type != V_NULL) - (b.type != V_NULL);
    if (a.type == V_TEXT || b.type == V_TEXT)
        return a.type == V_TEXT ? 1 : -1;
    return compare_numbers(a, b);
}

static uint64_t mix(uint64_t hash, uint64_t bits) {
    hash = (hash ^ bits) * UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio */
    return hash ^ (hash >> 32);
}

static uint64_t hash_text(Value v, uint64_t hash) {
    for (uint32_t i = 0; i < v.length; i++)
        hash = (hash ^ (unsigned char)v.s[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return mix(hash, v.length);
}

/* Values that compare equal have equal hashes. */
uint64_t value_hash(Value v, uint64_t seed) {
    uint64_t bits = 0;
    if (v.type == V_TEXT)
        return hash_text(v, seed);
    if (v.type == V_REAL && compare_int_real(real_to_int(v.r), v.r) == 0)
        v = value_int(real_to_int(v.r));
    if (v.type == V_REAL)
        memcpy(&bits, &v.r, sizeof bits);
    else if (v.type == V_INT)
        bits = (uint64_t)v.i;
    return mix(seed, bits);
}

/* ---- number to text ---- */

/* Writes an integer or a real, without a terminator; returns the length. A real has 15
   digits at most and a decimal point in any case: 5.0, 1.0e+20. */
size_t value_format(Value v, char out[NUMBER_SIZE]) {
    if (v.type == V_INT)
        return (size_t)snprintf(out, NUMBER_SIZE, "%" PRId64, v.i);
    if (isinf(v.r))
        return (size_t)snprintf(out, NUMBER_SIZE, "%s", v.r < 0 ? "-Inf" : "Inf");
    size_t length = (size_t)snprintf(out, NUMBER_SIZE, "%.15g", v.r + 0.0); /* no -0 */
    if (memchr(out, '.', length))
        return length;
    char *exponent = memchr(out, 'e', length);
    char *at = exponent ? exponent : out + length;
    memmove(at + 2, at, (size_t)(out + length - at));
    memcpy(at, ".0", 2);
    return length + 2;
}

/* The value, with its text copied to an arena. */
Value value_keep(Value v, Arena *arena) {
    if (v.type == V_TEXT && v.length)
        v.s = memcpy(arena_alloc(arena, v.length, 1), v.s, v.length);
    return v;
}
