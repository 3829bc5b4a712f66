#ifndef SIO_BASE_BASE64_H
#define SIO_BASE_BASE64_H

#include "base/bytes.h"
#include "socketio/error.h"

/* What sio_base64_encode() writes for `len` bytes, at most SIZE_MAX / 2. */
size_t sio_base64_encoded_len(size_t len);

/* Writes `in` in the standard alphabet with padding (RFC 4648, section 4) to
 * `out`, which has room for sio_base64_encoded_len(in.len) bytes and does not
 * overlap `in`. */
void sio_base64_encode(sio_bytes in, uint8_t *out);

/*
 * Reads `in` into `out`, which has room for in.len / 4 * 3 + 2 bytes or is
 * in.base itself, to decode in place.  At most in.len * 3 / 4 bytes are
 * written; `*out_len` says how many.
 *
 * Lenient where Node's Buffer is: either alphabet of RFC 4648 (also mixed),
 * padding optional, whitespace skipped, the first `=` ends the data and what
 * follows it is not looked at, bits that make no whole byte are dropped.
 * Stricter in one point: any other byte fails with BASE64, where Node skips
 * it; `*out_len` is then left alone and `out` holds nothing of use.
 */
sio_error sio_base64_decode(sio_bytes in, uint8_t *out, size_t *out_len);

#endif
