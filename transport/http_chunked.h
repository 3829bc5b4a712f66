#ifndef TP_HTTP_CHUNKED_H
#define TP_HTTP_CHUNKED_H

#include "base/bytes.h"
#include "socketio/error.h"

/* What one body may spend on chunk extensions, and on trailer fields with
 * their line ends, in bytes.  Both are read and dropped. */
#define TP_HTTP_CHUNK_EXTENSIONS_MAX 4096
#define TP_HTTP_TRAILERS_MAX 4096

/*
 * The decoder of one chunked body (RFC 9112, section 7.1), resumable at any
 * byte.  A zeroed one stands at the start of a body.
 */
typedef struct tp_http_chunked {
    uint64_t left;      /* bytes of the chunk's data to come */
    uint8_t state;      /* private to http_chunked.c */
    uint8_t digits;     /* of the size line so far */
    uint16_t extension; /* bytes of extensions so far */
    uint16_t trailer;   /* bytes of the trailer section so far */
} tp_http_chunked;

/*
 * Takes bytes from the front of `*in` until it has a piece of the body.
 * Pieces are views into `*in`, not copies; a chunk may come in several.
 *
 * Returns
 *   SIO_OK    `*data` is the next piece; when it is empty the body is over,
 *             and `*in` starts with what follows it
 *   SIO_MORE  `*in` is used up and the body is not over; `*data` is empty
 * or fails, for good, with
 *   HTTP_FRAMING  malformed, or a size above INT64_MAX
 *   HTTP_HEADERS  extensions or trailer fields beyond their maximum
 *
 * Looser than the grammar in nothing but the inside of an extension, which
 * may be any visible bytes.  Stricter: a size has at most 16 digits, and no
 * white space stands around it.  Trailer fields must be well-formed, and none
 * of them is believed.
 */
sio_error tp_http_chunked_next(tp_http_chunked *c, sio_bytes *in,
                               sio_bytes *data);

#endif
