/* format.c: numbers as text. Doubles by Schubfach (Giulietti, "The Schubfach way to
 * render doubles", 2021). */
#include "json.h"

#include <string.h>

enum { SIGNIFICAND_BITS = 52, EXPONENT_BIAS = 1075, FIXED_DIGITS = 16, FIXED_ZEROS = 3 };

/* digits * 10^exponent */
struct shortest {
    uint64_t digits;
    int exponent;
};

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static size_t count_digits(uint64_t value) {
    size_t count = 1;
    for (; value >= 10000; value /= 10000)
        count += 4;
    return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

/* Writes the last count digits of value. */
static void put_digits(uint8_t *out, size_t count, uint64_t value) {
    for (; count >= 2; count -= 2) {
        memcpy(out + count - 2, pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (count == 1)
        out[0] = (uint8_t)('0' + value % 10);
}

size_t json_format_integer(uint8_t *out, uint64_t magnitude, bool negative) {
    size_t count = count_digits(magnitude);
    if (negative)
        *out++ = '-';
    put_digits(out, count, magnitude);
    return count + negative;
}

/* floor(power * factor / 2^128), its last bit also set if there is a remainder: the
 * paper's rounding to odd. A remainder of one unit may be nothing but power's error. */
static uint64_t multiply_to_odd(const struct json_power *power, uint64_t factor) {
    uint128 product =
        (uint128)power->high * factor + (uint64_t)((uint128)power->low * factor >> 64);
    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

/*
 * The shortest decimal in the interval that rounds to significand * 2^exponent, and the
 * nearest to that of the shortest ones. All bounds are in quarters of 10^k, the largest
 * power of ten that is not longer than the interval: it has at least one multiple of 10^k
 * and at most one of 10^(k+1).
 */
static struct shortest schubfach(uint64_t significand, int exponent, bool narrow_below) {
    bool odd = significand & 1; /* the bounds themselves round to even significands */
    int k = (exponent * 1262611 - (narrow_below ? 524031 : 0)) >> 22;
    const struct json_power *power = json_power(-k);
    int shift = exponent + json_log2_power(-k) + 1;
    uint64_t middle = 4 * significand;
    uint64_t low = multiply_to_odd(power, (middle - 2 + narrow_below) << shift) + odd;
    uint64_t value = multiply_to_odd(power, middle << shift);
    uint64_t high = multiply_to_odd(power, (middle + 2) << shift) - odd;
    uint64_t whole = value / 4, tens = whole / 10;
    bool down = low <= 40 * tens, up = 40 * tens + 40 <= high;
    if (whole >= 10 && down != up)
        return (struct shortest){tens + up, k + 1};
    down = low <= 4 * whole;
    up = 4 * whole + 4 <= high;
    if (down == up)
        up = value > 4 * whole + 2 || (value == 4 * whole + 2 && (whole & 1) == 1);
    return (struct shortest){whole + up, k};
}

static struct shortest shortest(uint64_t bits) {
    const uint64_t hidden = (uint64_t)1 << SIGNIFICAND_BITS;
    uint64_t fraction = bits & (hidden - 1);
    int biased = (int)(bits >> SIGNIFICAND_BITS & 0x7ff);
    int exponent = (biased == 0 ? 1 : biased) - EXPONENT_BIAS;
    uint64_t significand = biased == 0 ? fraction : fraction | hidden;
    struct shortest s;
    if (significand == 0)
        return (struct shortest){0, 0};
    s = schubfach(significand, exponent, fraction == 0 && biased > 1);
    for (; s.digits % 10000 == 0; s.exponent += 4)
        s.digits /= 10000;
    for (; s.digits % 10 == 0; s.exponent++)
        s.digits /= 10;
    return s;
}

static size_t put_exponent(uint8_t *out, int exponent) {
    *out = 'e';
    return 1 + json_format_integer(out + 1,
                                   (uint64_t)(exponent < 0 ? -exponent : exponent),
                                   exponent < 0);
}

/* One digit, a point before the others, an exponent. */
static size_t put_scientific(uint8_t *out, uint64_t digits, size_t count, int exponent) {
    if (count == 1) {
        put_digits(out, 1, digits);
        return 1 + put_exponent(out + 1, exponent);
    }
    put_digits(out + 1, count, digits);
    out[0] = out[1];
    out[1] = '.';
    return count + 1 + put_exponent(out + count + 1, exponent);
}

/* Digits with a point after the first whole ones, and zeros where it has no neighbour. */
static size_t put_fixed(uint8_t *out, uint64_t digits, size_t count, int whole) {
    size_t zeros;
    if (whole <= 0) {
        zeros = (size_t)-whole;
        memcpy(out, "0.000", 2 + FIXED_ZEROS);
        put_digits(out + 2 + zeros, count, digits);
        return 2 + zeros + count;
    }
    if ((size_t)whole >= count) {
        zeros = (size_t)whole - count;
        put_digits(out, count, digits);
        memset(out + count, '0', zeros);
        memcpy(out + whole, ".0", 2);
        return (size_t)whole + 2;
    }
    put_digits(out, count, digits);
    memmove(out + whole + 1, out + whole, count - (size_t)whole);
    out[whole] = '.';
    return count + 1;
}

size_t json_format_double(uint8_t *out, double value) {
    uint64_t bits;
    size_t sign, count;
    struct shortest s;
    int whole; /* digits before the point */
    memcpy(&bits, &value, sizeof(bits));
    sign = bits >> 63;
    s = shortest(bits);
    out[0] = '-';
    count = count_digits(s.digits);
    whole = s.exponent + (int)count;
    if (whole < -FIXED_ZEROS || whole > FIXED_DIGITS)
        return sign + put_scientific(out + sign, s.digits, count, whole - 1);
    return sign + put_fixed(out + sign, s.digits, count, whole);
}
