#ifndef SIO_BASE_UTF8_H
#define SIO_BASE_UTF8_H

#include "base/bytes.h"

/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 */

/* Whether all of `text` is UTF-8.  The empty view is. */
bool sio_utf8_valid(sio_bytes text);

/*
 * Where a text that comes in pieces stands.  Zeroed at the start of a text;
 * while `need` is not 0, the next byte has to be within low..high.
 */
typedef struct sio_utf8 {
    uint8_t need; /* continuation bytes still to come */
    uint8_t low, high;
    bool broken; /* once set, no further piece is valid */
} sio_utf8;

/* Takes the next piece, cut anywhere.  False from the first byte on that no
 * continuation could make valid. */
bool sio_utf8_feed(sio_utf8 *u, sio_bytes piece);

/* Whether what was fed so far is whole: valid, and not cut in a character. */
bool sio_utf8_done(const sio_utf8 *u);

/*
 * Copies `in` to `out` with U+FFFD for every maximal part of an ill-formed
 * sequence, as the decoder of the WHATWG Encoding Standard does, without
 * removing a byte order mark.  Returns the length of the result, at most
 * 3 * in.len.  `out` may be NULL, to measure; it must not overlap `in`.
 */
size_t sio_utf8_repair(sio_bytes in, uint8_t *out);

#endif
