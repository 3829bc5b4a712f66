#ifndef TP_HTTP_TEXT_H
#define TP_HTTP_TEXT_H

#include "base/bytes.h"

/* The alphabets and lists that HTTP is written in. */

/* What a byte may be part of; flags.  A line feed is in none. */
typedef enum tp_http_class {
    TP_HTTP_CLASS_TOKEN = 1,    /* a token (RFC 9110, section 5.6.2) */
    TP_HTTP_CLASS_TARGET = 2,   /* a request-target: visible, or from 0x80, and
                                   not '#' */
    TP_HTTP_CLASS_VALUE = 4,    /* a field value: no control byte but the tab */
    TP_HTTP_CLASS_REG_NAME = 8, /* a host name, escapes apart (RFC 3986, section
                                   3.2.2) */
    TP_HTTP_CLASS_LITERAL = 16, /* an IPv6 address between its brackets */
    TP_HTTP_CLASS_DIGIT = 32,
    TP_HTTP_CLASS_HEX = 64
} tp_http_class;

extern const uint8_t tp_http_classes[256];

static inline bool tp_http_is(uint8_t c, tp_http_class class)
{
    return (tp_http_classes[c] & class) != 0;
}

static inline bool tp_http_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The value of a digit of class HEX. */
static inline unsigned tp_http_hex_value(uint8_t digit)
{
    unsigned c = digit;
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Whether `len` bytes are the same but for the case of ASCII letters. */
bool tp_http_same(const uint8_t *a, const uint8_t *b, size_t len);

/* The same of two texts.  Most that are as long differ in the first byte. */
static inline bool tp_http_equals(sio_bytes a, sio_bytes b)
{
    return a.len == b.len &&
           (a.len == 0 || (((a.base[0] ^ b.base[0]) & ~0x20) == 0 &&
                           tp_http_same(a.base, b.base, a.len)));
}

/* `text` without the spaces and tabs around it. */
sio_bytes tp_http_trim(sio_bytes text);

/*
 * Sets `*element` to the next element of a comma-separated list, trimmed and
 * possibly empty, and returns true, or returns false at the end.  Start with
 * `*rest` at the list, which has one element at least unless its base is
 * NULL.  Knows no quoted strings.
 */
bool tp_http_list_next(sio_bytes *rest, sio_bytes *element);

/* Moves `*rest` behind the spaces and tabs that it begins with. */
void tp_http_skip_blanks(sio_bytes *rest);

/* Takes the token that `*rest` begins with off it; empty if there is none. */
sio_bytes tp_http_take_token(sio_bytes *rest);

/* Whether `text` is uri-host [ ":" port ], where both may be empty.  Of the
 * literals in brackets only IPv6 addresses are known, by their alphabet. */
bool tp_http_is_host(sio_bytes text);

#endif
