/*
 * number.c: numbers from text, exactly.
 *
 * A decimal fraction becomes the nearest double in one of three ways: by one exact
 * floating-point operation (Clinger, "How to read floating point numbers accurately",
 * 1990); else from 128 bits of the product with a power of ten, if they bracket the value
 * closely enough to round it (after Lemire, "Number parsing at a gigabyte per second",
 * 2021); else, next to the middle between two doubles, by comparison with that middle in
 * long arithmetic. The C library's locale and rounding play no part.
 */
#include "json.h"

#include "powers.h"

#include <float.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0,
               "the exact floating-point operation needs plain doubles");

enum {
    EXACT_DIGITS = 19, /* so many always fit 64 bits */
    EXACT_POWER = 22,  /* the largest power of ten that is a double */
    /* The middle between two doubles has at most 768 significant digits: of what follows
     * 800 of them it only matters whether it is zero. */
    LONG_DIGITS = 800,
    /* Both sides of the comparison are nearly equal, and one is at most 801 digits (2,661
     * bits) shifted by at most 1,075 bits: 117 limbs. */
    LIMBS = 120,
};

static const uint64_t INTEGER_LIMIT = (uint64_t)1 << 56; /* payloads are smaller */
static const int64_t EXPONENT_LIMIT = (int64_t)1 << 56;
static const uint64_t HIDDEN_BIT = (uint64_t)1 << 52;
static const uint64_t INFINITY_BITS = (uint64_t)0x7ff << 52;

/* All digits, as one integer, times 10^exponent. */
struct decimal {
    const uint8_t *first, *end; /* with at most one '.' between the digits */
    int64_t exponent;
    uint64_t leading; /* all of them without the last dropped ones */
    int64_t dropped;
};

/* An unsigned integer, least significant limb first, without leading zeros. */
struct big {
    size_t used;
    uint32_t limb[LIMBS];
};

const struct json_power *json_power(int exponent) {
    return &powers[exponent - JSON_POWER_MIN];
}

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

/* big = big * factor + addend */
static void big_multiply(struct big *big, uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (size_t i = 0; i < big->used; i++) {
        carry += (uint64_t)big->limb[i] * factor;
        big->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0)
        big->limb[big->used++] = (uint32_t)carry;
}

static void big_shift(struct big *big, int64_t bits) {
    size_t limbs = (size_t)bits / 32;
    big_multiply(big, (uint32_t)1 << bits % 32, 0);
    memmove(big->limb + limbs, big->limb, big->used * sizeof(big->limb[0]));
    memset(big->limb, 0, limbs * sizeof(big->limb[0]));
    big->used += limbs;
}

static void big_scale(struct big *big, int64_t exponent) {
    const uint32_t billion = 1000000000;
    for (; exponent >= 9; exponent -= 9)
        big_multiply(big, billion, 0);
    for (; exponent > 0; exponent--)
        big_multiply(big, 10, 0);
}

static int big_compare(const struct big *a, const struct big *b) {
    if (a->used != b->used)
        return a->used < b->used ? -1 : 1;
    for (size_t i = a->used; i-- > 0;) {
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    }
    return 0;
}

/* Reads LONG_DIGITS significant digits, and one for all that follow. Returns the power of
 * ten with which they are to be multiplied. */
static int64_t big_read(struct big *big, const struct decimal *d) {
    int64_t count = 0;
    bool rest = false;
    for (const uint8_t *at = d->first; at < d->end; at++) {
        if (*at == '.' || (count == 0 && *at == '0'))
            continue;
        if (count++ < LONG_DIGITS)
            big_multiply(big, 10, (uint32_t)(*at - '0'));
        else
            rest |= *at != '0';
    }
    if (count <= LONG_DIGITS)
        return d->exponent;
    big_multiply(big, 10, rest);
    return d->exponent + count - LONG_DIGITS - 1;
}

/* Decides between the double with the bits below and the next one, by comparison with
 * their middle (2 * significand + 1) * 2^exponent; there the even one is taken. */
static uint64_t nearest_of_two(const struct decimal *d, uint64_t below) {
    struct big value = {0}, middle = {0};
    int64_t power = big_read(&value, d), biased = (int64_t)(below >> 52);
    int64_t exponent = (biased == 0 ? 1 : biased) - 1075 - 1;
    uint64_t significand = (below & (HIDDEN_BIT - 1)) | (biased == 0 ? 0 : HIDDEN_BIT);
    int order;
    middle.limb[0] = (uint32_t)(2 * significand + 1);
    middle.limb[1] = (uint32_t)(significand >> 31);
    middle.used = middle.limb[1] == 0 ? 1 : 2;
    big_scale(power > 0 ? &value : &middle, power > 0 ? power : -power);
    big_shift(exponent > 0 ? &middle : &value, exponent > 0 ? exponent : -exponent);
    order = big_compare(&value, &middle);
    return below + (order > 0 || (order == 0 && (below & 1) == 1));
}

/* The double nearest to product * 2^exponent, half to even, as bits; product > 2^64. */
static uint64_t round_to_bits(uint128 product, int exponent) {
    const uint128 half = (uint128)1 << 127;
    int zeros = __builtin_clzll((uint64_t)(product >> 64));
    int biased = exponent - zeros + 127 + 1023;
    int below = 128 - 53; /* bits of the product below the significand's last */
    uint64_t bits;
    uint128 rest;
    product <<= zeros;
    if (biased >= 0x7ff)
        return INFINITY_BITS;
    if (biased < 1) {
        below += 1 - biased;
        biased = 1;
    }
    if (below > 128)
        return 0;
    /* The hidden bit of a normal significand adds what is missing in the exponent. */
    bits = (uint64_t)(product >> 1 >> (below - 1)) + ((uint64_t)(biased - 1) << 52);
    rest = product << (128 - below);
    return bits + (rest > half || (rest == half && (bits & 1) == 1));
}

/* Sets product, a number > 2^125, to the leading bits of digits * 10^power / 2^exponent:
 * the value lies between product - 1 and product + 1. Returns the exponent. */
static int multiply(uint128 *product, uint64_t digits, int power) {
    int zeros = __builtin_clzll(digits);
    const struct json_power *p = json_power(power);
    digits <<= zeros;
    *product = (uint128)digits * p->high + (uint64_t)((uint128)digits * p->low >> 64);
    return json_log2_power(power) - 127 + 64 - zeros;
}

static uint64_t bracketed(const struct decimal *d, int power) {
    uint128 product;
    int exponent = multiply(&product, d->leading, power);
    uint64_t low = round_to_bits(product - 1, exponent), high;
    if (d->dropped > 0)
        exponent = multiply(&product, d->leading + 1, power);
    high = round_to_bits(product + 1, exponent);
    return low == high ? low : nearest_of_two(d, low);
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* The bits of the nearest double; INFINITY_BITS beyond the largest. */
static uint64_t to_bits(const struct decimal *d) {
    static const double exact[EXACT_POWER + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    };
    int64_t power = d->exponent + d->dropped;
    if (d->leading == 0 || power < JSON_POWER_MIN)
        return 0;
    if (power >= DBL_MAX_10_EXP + 1)
        return INFINITY_BITS;
    if (d->leading > 2 * HIDDEN_BIT || power < -EXACT_POWER || power > EXACT_POWER)
        return bracketed(d, (int)power);
    if (power < 0)
        return bits_of((double)d->leading / exact[-power]);
    return bits_of((double)d->leading * exact[power]);
}

/* Digits beyond the 64 bits of leading have overflowed it: takes the first EXACT_DIGITS
 * again. */
static void shorten(struct decimal *d) {
    int count = 0;
    d->leading = 0;
    for (const uint8_t *at = d->first; at < d->end; at++) {
        if (*at == '.' || (count == 0 && *at == '0'))
            continue;
        if (count == EXACT_DIGITS) {
            d->dropped++;
            continue;
        }
        d->leading = d->leading * 10 + (uint64_t)(*at - '0');
        count++;
    }
}

static const uint8_t *read_digits(const uint8_t *at, uint64_t *value) {
    for (; is_digit(*at); at++)
        *value = *value * 10 + (uint64_t)(*at - '0');
    return at;
}

/* After the 'e'. An exponent beyond EXPONENT_LIMIT leads out of a double's range, however
 * many digits are before it. */
static const uint8_t *read_exponent(struct json *doc, const uint8_t *at,
                                    int64_t *result) {
    bool negative = *at == '-';
    int64_t value = 0;
    if (*at == '-' || *at == '+')
        at++;
    if (!is_digit(*at))
        return json_fail(doc, at, "expected a digit in the exponent");
    for (; is_digit(*at); at++) {
        if (value < EXPONENT_LIMIT)
            value = value * 10 + (*at - '0');
    }
    *result += negative ? -value : value;
    return at;
}

static const uint8_t *numeral(struct json *doc, const uint8_t *start,
                              const uint8_t *end) {
    uint64_t word = json_word(JSON_NUMERAL, (uint64_t)(start - doc->source));
    return json_append_pair(doc, word, (uint64_t)(end - start)) ? end : NULL;
}

static const uint8_t *integer(struct json *doc, const uint8_t *start,
                              const struct decimal *d) {
    enum json_kind kind = start < d->first ? JSON_NEGATIVE : JSON_INTEGER;
    if (d->end - d->first > EXACT_DIGITS || d->leading >= INTEGER_LIMIT)
        return numeral(doc, start, d->end);
    return json_append(doc, json_word(kind, d->leading)) ? d->end : NULL;
}

/* A number with a fraction or an exponent, of which d has the digits before these. */
static const uint8_t *fraction(struct json *doc, const uint8_t *start,
                               struct decimal *d) {
    const uint8_t *at = d->end;
    uint64_t bits, sign = start < d->first ? (uint64_t)1 << 63 : 0;
    if (*at == '.') {
        d->end = read_digits(at + 1, &d->leading);
        d->exponent = at + 1 - d->end;
        if (d->exponent == 0)
            return json_fail(doc, d->end, "expected a digit after the decimal point");
        at = d->end;
    }
    if ((*at | 0x20) == 'e' && (at = read_exponent(doc, at + 1, &d->exponent)) == NULL)
        return NULL;
    if (d->end - d->first > EXACT_DIGITS)
        shorten(d);
    bits = to_bits(d);
    if (bits == INFINITY_BITS || (bits == 0 && d->leading != 0))
        return numeral(doc, start, at);
    return json_append_pair(doc, json_word(JSON_DOUBLE, 0), bits | sign) ? at : NULL;
}

const uint8_t *json_number(struct json *doc, const uint8_t *start) {
    struct decimal d = {.first = start + (*start == '-')};
    d.end = read_digits(d.first, &d.leading);
    if (d.end == d.first)
        return json_fail(doc, d.end, "expected a digit after the minus sign");
    if (*d.first == '0' && d.end > d.first + 1)
        return json_fail(doc, d.first, "a number must not start with a zero");
    if (*d.end == '.' || (*d.end | 0x20) == 'e')
        return fraction(doc, start, &d);
    return integer(doc, start, &d);
}
