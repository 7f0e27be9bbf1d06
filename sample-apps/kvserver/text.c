/* text.c: integers and patterns. */
#include "kv.h"

#include <string.h>

static bool parse_digits(const char *at, size_t count, uint64_t *value) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(unsigned char)at[i] - '0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool parse_integer(struct slice text, int64_t *value) {
    bool negative = text.length > 0 && text.bytes[0] == '-';
    size_t digits = text.length - negative;
    uint64_t magnitude;
    if (digits == 0 || digits > 19) /* 19 digits cannot overflow 64 bits */
        return false;
    if (text.bytes[negative] == '0' && text.length > 1)
        return false;
    if (!parse_digits(text.bytes + negative, digits, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? -1 - (int64_t)(magnitude - 1) : (int64_t)magnitude;
    return true;
}

size_t format_integer(char *out, int64_t value) {
    char digits[KV_INTEGER_SIZE];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        digits[--at] = '-';
    memcpy(out, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool equal_folded(struct slice text, const char *low) {
    size_t i = 0;
    while (i < text.length && low[i] != '\0' && lower(text.bytes[i]) == low[i])
        i++;
    return i == text.length && low[i] == '\0';
}

/* The character at a place of a pattern, and the place after it. */
static unsigned char literal(struct slice pattern, size_t *at) {
    if (pattern.bytes[*at] == '\\' && *at + 1 < pattern.length)
        ++*at;
    return (unsigned char)pattern.bytes[(*at)++];
}

/* Matches c with the set whose '[' is before *at; *at is after its ']' then, or at the
 * pattern's end if it has none. */
static bool match_set(struct slice pattern, size_t *at, unsigned char c) {
    bool inverted = *at < pattern.length && pattern.bytes[*at] == '^';
    bool found = false;
    *at += inverted;
    while (*at < pattern.length && pattern.bytes[*at] != ']') {
        unsigned char low = literal(pattern, at);
        unsigned char high = low;
        if (*at + 1 < pattern.length && pattern.bytes[*at] == '-') {
            ++*at;
            high = literal(pattern, at);
        }
        found |= (low <= c && c <= high) || (high <= c && c <= low);
    }
    *at += *at < pattern.length;
    return found != inverted;
}

/* Matches one character with what is at *at, which is not a star, and moves *at behind
 * it. */
static bool match_one(struct slice pattern, size_t *at, unsigned char c) {
    switch (pattern.bytes[*at]) {
    case '?':
        ++*at;
        return true;
    case '[':
        ++*at;
        return match_set(pattern, at, c);
    default:
        return literal(pattern, at) == c;
    }
}

/* Only the last star needs to be tried again with one more character: those before it
 * have matched as little as they could, and more of the text would not help them. */
bool match_glob(struct slice pattern, struct slice text) {
    size_t p = 0, t = 0;
    size_t after_star = SIZE_MAX, star_end = 0;
    while (t < text.length) {
        if (p < pattern.length && pattern.bytes[p] == '*') {
            after_star = ++p;
            star_end = t;
        } else if (p < pattern.length &&
                   match_one(pattern, &p, (unsigned char)text.bytes[t])) {
            t++;
        } else if (after_star != SIZE_MAX) {
            p = after_star;
            t = ++star_end;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.bytes[p] == '*')
        p++;
    return p == pattern.length;
}
