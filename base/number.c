#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/power10.h"

/*
 * A double is c * 2^q, with c below 2^53 and q from -1074 up (IEEE 754,
 * binary64).
 */
#define FRACTION_BITS 52
#define HIDDEN_BIT (UINT64_C(1) << FRACTION_BITS)
#define BIAS 1023 /* of the exponent, that is q + FRACTION_BITS */

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static double of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* ------------------------------------------------------------- reading -- */

/* Digits that can decide to which of two doubles a number is nearer; where more
 * follow it matters only whether one of them is not zero. */
#define DIGITS_MAX 768
#define DIGITS_64 19 /* so many fit in 64 bits */

/* `digits` * 10^exponent, without leading zeros. */
typedef struct decimal {
    char digits[DIGITS_MAX + 16]; /* with room for more; not terminated */
    int count;
    bool negative;
    bool more; /* digits that are not zero have been left out */
    int64_t exponent;
} decimal;

static void add_digit(decimal *d, uint8_t digit)
{
    if (d->count < DIGITS_MAX) {
        d->digits[d->count] = (char)digit;
        d->count += digit != '0' || d->count != 0 ? 1 : 0;
    } else {
        d->more |= digit != '0';
        d->exponent++;
    }
}

static int64_t read_exponent(const uint8_t *at, const uint8_t *end)
{
    bool negative = at < end && *at == '-';
    int64_t value = 0;
    at += at < end && (*at == '-' || *at == '+');
    for (; at < end && is_digit(*at); at++) {
        if (value < INT64_MAX / 100) {
            value = value * 10 + (*at - '0');
        }
    }
    return negative ? -value : value;
}

static void take_apart(sio_bytes text, decimal *d)
{
    const uint8_t *at = text.base;
    const uint8_t *end = at + text.len;

    d->count = 0;
    d->more = false;
    d->exponent = 0;
    d->negative = at < end && *at == '-';
    at += d->negative;
    for (; at < end && is_digit(*at); at++) {
        add_digit(d, *at);
    }
    if (at < end && *at == '.') {
        for (at++; at < end && is_digit(*at); at++) {
            add_digit(d, *at);
            d->exponent--;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        d->exponent += read_exponent(at + 1, end);
    }
}

/*
 * Rounds digits * 10^k to a double by a product of 192 bits.  The power is too
 * large by less than one in its lowest bit, the product by less than one in
 * `middle`: where that says nothing about the bits above, and about there being
 * a rest below them, it is right.  False where it may be wrong.
 */
static bool read_short(const decimal *d, double *value)
{
    uint64_t digits = 0, high, middle, carry;
    if (d->count > DIGITS_64 || d->exponent < SIO_POWER10_MIN ||
        d->exponent > SIO_POWER10_MAX) {
        return false;
    }
    for (int i = 0; i < d->count; i++) {
        digits = digits * 10 + (uint64_t)(d->digits[i] - '0');
    }
    if (d->exponent == 0 && digits <= 2 * HIDDEN_BIT) {
        *value = (double)digits;
        return true;
    }
    int shift = __builtin_clzll(digits);
    sio_power10 power = sio_power10_of((int)d->exponent);
    middle = sio_multiply(power.high, digits << shift, &high);
    (void)sio_multiply(power.low, digits << shift, &carry);
    middle += carry;
    high += middle < carry ? 1 : 0;
    if (middle < 2) {
        return false;
    }
    int exponent = sio_power10_log2((int)d->exponent) + 64 - shift;
    if (high >> 63 == 0) {
        high = high << 1 | middle >> 63;
        exponent--;
    }
    if (exponent >= BIAS) {
        return false; /* the least power leads to nothing near zero */
    }
    uint64_t rounded = (high >> 11) + (high >> 10 & 1); /* to 53 bits */
    *value = of_bits(((uint64_t)(exponent + BIAS) << FRACTION_BITS) + rounded -
                     HIDDEN_BIT);
    return true;
}

/* strtod() expects the locale's decimal point: it is given no point. */
static double read_long(decimal *d)
{
    int64_t exponent = d->exponent;
    if (d->more) {
        d->digits[d->count++] = '1';
        exponent--;
    }
    exponent = exponent > 9999 ? 9999 : exponent < -9999 ? -9999 : exponent;
    (void)snprintf(d->digits + d->count, 8, "e%d", (int)exponent);
    return strtod(d->digits, NULL);
}

double sio_number_read(sio_bytes text)
{
    decimal d;
    double value;
    take_apart(text, &d);
    if (d.count == 0) {
        value = 0;
    } else if (!read_short(&d, &value)) {
        value = read_long(&d);
    }
    return d.negative ? -value : value;
}

bool sio_number_is_integer(sio_bytes text, uint64_t *magnitude, bool *negative)
{
    size_t at = text.len != 0 && text.base[0] == '-' ? 1 : 0;
    uint64_t sum = 0;

    *negative = at == 1;
    for (; at < text.len; at++) {
        uint64_t digit = (uint64_t)text.base[at] - '0';
        if (!is_digit(text.base[at]) || sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *magnitude = sum;
    return true;
}

/* ------------------------------------------------------------- writing -- */

/* The upper bits of a product of 192, their lowest set where something is lost
 * below it: enough to compare. */
static uint64_t multiply_to_odd(sio_power10 power, uint64_t factor)
{
    uint64_t high, carry;
    uint64_t low = sio_multiply(power.high, factor, &high);
    (void)sio_multiply(power.low, factor, &carry);
    low += carry;
    high += low < carry ? 1 : 0;
    return high | (low > 1 ? 1 : 0);
}

/*
 * Sets `*digits` and `*k` so that digits * 10^k is the shortest number, and of
 * those the nearest, that is read as c * 2^q: Schubfach (R. Giulietti, "The
 * Schubfach way to render doubles").  Everything is scaled by 10^-k, where at
 * least one integer and at most one multiple of ten are read as it, and by 4,
 * where the bounds of what is are integers.
 */
static void find_shortest(uint64_t c, int q, uint64_t *digits, int *k)
{
    /* Below a power of two the next double is half as far. */
    bool uneven = c == HIDDEN_BIT && q > 1 - BIAS - FRACTION_BITS;
    *k = uneven ? (q * 1262611 - 524031) >> 22 : (q * 1262611) >> 22;
    int shift = q + sio_power10_log2(-*k) + 1;
    sio_power10 power = sio_power10_of(-*k);

    uint64_t value = multiply_to_odd(power, 4 * c << shift);
    uint64_t below = multiply_to_odd(power, (4 * c - 2 + uneven) << shift);
    uint64_t above = multiply_to_odd(power, (4 * c + 2) << shift);
    /* Half-way is rounded to the even one. */
    below += c & 1;
    above -= c & 1;

    uint64_t floor = value / 4;
    uint64_t tens = floor / 10;
    bool low = below <= 40 * tens, high = 40 * (tens + 1) <= above;
    if (low != high) {
        *digits = 10 * (tens + high);
        return;
    }
    low = below <= 4 * floor;
    high = 4 * (floor + 1) <= above;
    if (low == high) {
        uint64_t half = 4 * floor + 2;
        high = value > half || (value == half && (floor & 1) != 0);
    }
    *digits = floor + high;
}

/* 0.DIGITS * 10^point. */
typedef struct shortest {
    uint8_t digits[20];
    int count; /* the last one is not zero */
    int point;
} shortest;

static void to_digits(uint64_t value, int k, shortest *s)
{
    uint8_t backwards[20];
    while (value % 10 == 0) {
        value /= 10;
        k++;
    }
    s->count = 0;
    for (; value != 0; value /= 10) {
        backwards[s->count++] = (uint8_t)('0' + value % 10);
    }
    for (int i = 0; i < s->count; i++) {
        s->digits[i] = backwards[s->count - 1 - i];
    }
    s->point = s->count + k;
}

static void write_zeros(sio_writer *w, int count)
{
    while (count-- > 0) {
        sio_write_byte(w, '0');
    }
}

static void write_digits(sio_writer *w, const shortest *s, int from, int to)
{
    sio_write_bytes(w, (sio_bytes){s->digits + from, (size_t)(to - from)});
}

static void write_exponent(sio_writer *w, const shortest *s)
{
    int exponent = s->point - 1;
    write_digits(w, s, 0, 1);
    if (s->count > 1) {
        sio_write_byte(w, '.');
        write_digits(w, s, 1, s->count);
    }
    sio_write_byte(w, 'e');
    sio_write_byte(w, exponent < 0 ? '-' : '+');
    sio_write_uint(w, (uint64_t)abs(exponent));
}

/* Number::toString of ECMA-262. */
static void write_shortest(sio_writer *w, const shortest *s)
{
    if (s->point > 21 || s->point < -5) {
        write_exponent(w, s);
    } else if (s->point <= 0) {
        sio_write_bytes(w, SIO_LIT("0."));
        write_zeros(w, -s->point);
        write_digits(w, s, 0, s->count);
    } else if (s->count <= s->point) {
        write_digits(w, s, 0, s->count);
        write_zeros(w, s->point - s->count);
    } else {
        write_digits(w, s, 0, s->point);
        sio_write_byte(w, '.');
        write_digits(w, s, s->point, s->count);
    }
}

void sio_number_write(sio_writer *w, double value)
{
    uint64_t bits, digits;
    shortest s;
    int k;

    memcpy(&bits, &value, sizeof(bits));
    uint64_t c = bits & (HIDDEN_BIT - 1);
    int exponent = (int)(bits >> FRACTION_BITS & 0x7ff);
    if (exponent == 0x7ff) {
        sio_write_bytes(w, SIO_LIT("null"));
        return;
    }
    if (bits << 1 == 0) {
        sio_write_byte(w, '0');
        return;
    }
    if (bits >> 63 != 0) {
        sio_write_byte(w, '-');
        value = -value;
    }
    if (value < (double)(2 * HIDDEN_BIT) && value == (double)(uint64_t)value) {
        sio_write_uint(w, (uint64_t)value);
        return;
    }
    c |= exponent != 0 ? HIDDEN_BIT : 0;
    exponent += exponent == 0 ? 1 : 0;
    find_shortest(c, exponent - BIAS - FRACTION_BITS, &digits, &k);
    to_digits(digits, k, &s);
    write_shortest(w, &s);
}
