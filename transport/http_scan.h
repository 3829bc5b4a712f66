#ifndef TP_HTTP_SCAN_H
#define TP_HTTP_SCAN_H

#include "transport/http_text.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * How the reading of a head passes over bytes: by blocks where the processor
 * has them, by the table for the rest.  A text goes from `at` to `end`, and the
 * byte before `end` is a line feed, which is in no class, so that it is a bound
 * for all.
 */

/* The first byte at or behind `at` that is not of `class`.  Four to a turn, for
 * where there are no blocks. */
static inline const uint8_t *tp_http_skip(const uint8_t *at,
                                          tp_http_class class)
{
    for (;; at += 4) {
        if (!tp_http_is(at[0], class)) {
            return at;
        }
        if (!tp_http_is(at[1], class)) {
            return at + 1;
        }
        if (!tp_http_is(at[2], class)) {
            return at + 2;
        }
        if (!tp_http_is(at[3], class)) {
            return at + 3;
        }
    }
}

#ifdef __SSE2__

static inline __m128i tp_http_block(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Of each byte whether it is `c`, and whether it is at most `c`: all bits, or
 * none. */
static inline __m128i tp_http_are(__m128i block, char c)
{
    return _mm_cmpeq_epi8(block, _mm_set1_epi8(c));
}

static inline __m128i tp_http_upto(__m128i block, char c)
{
    return _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(c)), block);
}

/* A bit for each byte that is neither a letter nor a hyphen. */
static inline unsigned tp_http_name_stops(__m128i block)
{
    __m128i lower = _mm_or_si128(block, _mm_set1_epi8(0x20));
    __m128i letters =
        tp_http_upto(_mm_sub_epi8(lower, _mm_set1_epi8('a')), 'z' - 'a');
    __m128i plain = _mm_or_si128(letters, tp_http_are(block, '-'));
    return (unsigned)_mm_movemask_epi8(plain) ^ 0xffff;
}

/* A bit for each byte that is not of class TARGET. */
static inline unsigned tp_http_target_stops(__m128i block)
{
    __m128i stops = _mm_or_si128(
        tp_http_are(block, 0x7f),
        _mm_or_si128(tp_http_are(block, '#'), tp_http_upto(block, ' ')));
    return (unsigned)_mm_movemask_epi8(stops);
}

/* A bit for each byte that is not of class VALUE. */
static inline unsigned tp_http_value_stops(__m128i block)
{
    __m128i low =
        _mm_andnot_si128(tp_http_are(block, '\t'), tp_http_upto(block, 0x1f));
    __m128i stops = _mm_or_si128(tp_http_are(block, 0x7f), low);
    return (unsigned)_mm_movemask_epi8(stops);
}

/* Defines a function that passes over blocks in which `stops` finds nothing,
 * up to what it finds, or to where no block is left. */
#define TP_HTTP_PASS(name, stops)                                              \
    static inline const uint8_t *name(const uint8_t *at, const uint8_t *end)   \
    {                                                                          \
        for (; end - at >= 16; at += 16) {                                     \
            unsigned found = stops(tp_http_block(at));                         \
            if (found != 0) {                                                  \
                return at + __builtin_ctz(found);                              \
            }                                                                  \
        }                                                                      \
        return at;                                                             \
    }

TP_HTTP_PASS(tp_http_pass_name, tp_http_name_stops)
TP_HTTP_PASS(tp_http_pass_target, tp_http_target_stops)
TP_HTTP_PASS(tp_http_pass_value, tp_http_value_stops)

#else

/* Whether one of the 8 bytes is below 0x20 or is 0x7f. */
static inline bool tp_http_has_control(uint64_t word)
{
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t deleted = word ^ (ones * 0x7f);
    uint64_t low = (word - ones * 0x20) & ~word;
    uint64_t del = (deleted - ones) & ~deleted;
    return ((low | del) & (ones * 0x80)) != 0;
}

/* Values are most of a head. */
static inline const uint8_t *tp_http_pass_value(const uint8_t *at,
                                                const uint8_t *end)
{
    uint64_t word;
    for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        if (tp_http_has_control(word)) {
            break;
        }
    }
    return at;
}

static inline const uint8_t *tp_http_pass_name(const uint8_t *at,
                                               const uint8_t *end)
{
    (void)end;
    return at;
}

static inline const uint8_t *tp_http_pass_target(const uint8_t *at,
                                                 const uint8_t *end)
{
    (void)end;
    return at;
}

#endif

/* These find the end of what they are named after; a token is a name mostly. */

static inline const uint8_t *tp_http_skip_token(const uint8_t *at,
                                                const uint8_t *end)
{
    return tp_http_skip(tp_http_pass_name(at, end), TP_HTTP_CLASS_TOKEN);
}

static inline const uint8_t *tp_http_skip_target(const uint8_t *at,
                                                 const uint8_t *end)
{
    return tp_http_skip(tp_http_pass_target(at, end), TP_HTTP_CLASS_TARGET);
}

static inline const uint8_t *tp_http_skip_value(const uint8_t *at,
                                                const uint8_t *end)
{
    return tp_http_skip(tp_http_pass_value(at, end), TP_HTTP_CLASS_VALUE);
}

/* Whether the line feed at `at`, which has two bytes before it, ends an empty
 * line. */
static inline bool tp_http_ends_empty_line(const uint8_t *at)
{
    return at[-1] == '\n' || (at[-1] == '\r' && at[-2] == '\n');
}

/* Where the line feed is that ends the first empty line at or behind
 * base[from], which has two bytes before it, or `len`: there is none.  A
 * carriage return may stand before that line feed, and before the one that it
 * follows. */
static inline size_t tp_http_find_empty_line(const uint8_t *base, size_t from,
                                             size_t len)
{
    size_t i = from;
#ifdef __SSE2__
    for (; i + 16 <= len; i += 16) {
        unsigned found = (unsigned)_mm_movemask_epi8(
            tp_http_are(tp_http_block(base + i), '\n'));
        for (; found != 0; found &= found - 1) {
            size_t at = i + (size_t)__builtin_ctz(found);
            if (tp_http_ends_empty_line(base + at)) {
                return at;
            }
        }
    }
#endif
    while (i < len) {
        const uint8_t *at = memchr(base + i, '\n', len - i);
        if (at == NULL) {
            return len;
        }
        if (tp_http_ends_empty_line(at)) {
            return (size_t)(at - base);
        }
        i = (size_t)(at - base) + 1;
    }
    return len;
}

#endif
