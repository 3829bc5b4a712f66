#ifndef SIO_BASE_JSON_STRING_H
#define SIO_BASE_JSON_STRING_H

#include "base/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* How strings look in JSON text: for json.c and json_string.c, which spend
 * most of their time here, and for nobody else. */

static inline bool sio_json_is_special(uint8_t byte)
{
    return byte == '"' || byte == '\\' || byte < 0x20;
}

#if defined(__SSE2__)

/* A bit for each of the 16 bytes at `at` that is special. */
static inline unsigned sio_json_specials(const uint8_t *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i slashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i least = _mm_min_epu8(bytes, _mm_set1_epi8(0x1f));
    __m128i controls = _mm_cmpeq_epi8(least, bytes);
    return (unsigned)_mm_movemask_epi8(
        _mm_or_si128(controls, _mm_or_si128(quotes, slashes)));
}

/* Whether one of the 64 bytes at `at` is. */
static inline bool sio_json_any_special(const uint8_t *at)
{
    const __m128i *from = (const __m128i *)(const void *)at;
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    __m128i least = _mm_set1_epi8(-1), found = _mm_setzero_si128();
    for (int i = 0; i < 4; i++) {
        __m128i bytes = _mm_loadu_si128(from + i);
        least = _mm_min_epu8(least, bytes);
        found = _mm_or_si128(found, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                                 _mm_cmpeq_epi8(bytes, slash)));
    }
    __m128i control =
        _mm_cmpeq_epi8(_mm_min_epu8(least, _mm_set1_epi8(0x1f)), least);
    return _mm_movemask_epi8(_mm_or_si128(found, control)) != 0;
}

/* The first special byte in at..end, or `end`.  Bytes from `base` on may be
 * read too: what is left of 16 bytes is looked at together with those before
 * it. */
static inline const uint8_t *sio_json_find_special(const uint8_t *base,
                                                   const uint8_t *at,
                                                   const uint8_t *end)
{
    for (; end - at >= 16; at += 16) {
        unsigned found = sio_json_specials(at);
        if (found != 0) {
            return at + __builtin_ctz(found);
        }
        while (end - at >= 64 + 16 && !sio_json_any_special(at + 16)) {
            at += 64;
        }
    }
    if (at < end && end - base >= 16) {
        unsigned found = sio_json_specials(end - 16) >> (16 - (end - at));
        return found != 0 ? at + __builtin_ctz(found) : end;
    }
    while (at < end && !sio_json_is_special(*at)) {
        at++;
    }
    return at;
}

#else

static inline const uint8_t *sio_json_find_special(const uint8_t *base,
                                                   const uint8_t *at,
                                                   const uint8_t *end)
{
    (void)base;
    while (at < end && !sio_json_is_special(*at)) {
        at++;
    }
    return at;
}

#endif

static inline int sio_json_hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The value of four hexadecimal digits, or -1. */
static inline int32_t sio_json_hex4(const uint8_t *at, const uint8_t *end)
{
    int32_t value = 0;
    if (end - at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = sio_json_hex_digit(at[i]);
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

/* What a backslash and `byte` stand for, or 0. */
static inline uint8_t sio_json_escaped(uint8_t byte)
{
    switch (byte) {
    case '"':
    case '\\':
    case '/':
        return byte;
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

/* From behind a backslash to behind its escape; NULL if there is none. */
static inline const uint8_t *sio_json_escape_end(const uint8_t *at,
                                                 const uint8_t *end)
{
    if (at < end && *at == 'u') {
        return sio_json_hex4(at + 1, end) >= 0 ? at + 5 : NULL;
    }
    return at < end && sio_json_escaped(*at) != 0 ? at + 1 : NULL;
}

/* From behind the opening quote to behind the closing one, or NULL.  Bytes
 * from `base` on may be read. */
static inline const uint8_t *
sio_json_string_end(const uint8_t *base, const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        at = sio_json_find_special(base, at, end);
        if (at == end || *at < 0x20) {
            return NULL;
        }
        if (*at == '"') {
            return at + 1;
        }
        at = sio_json_escape_end(at + 1, end);
        if (at == NULL) {
            return NULL;
        }
    }
}

#endif
