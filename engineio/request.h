#ifndef EIO_REQUEST_H
#define EIO_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* A header field, its name in lower case; both NUL-terminated behind `len`. */
typedef struct eio_header {
    sio_bytes name, value;
} eio_header;

/* Where it lies, counted from the start of the request.  The name ends before
 * the NUL before the value, that one before the NUL before the next name. */
typedef struct eio_header_at {
    uint32_t name, value;
} eio_header_at;

/*
 * The request that opened a session, as one block of memory, frozen, that the
 * session shares with those who want to know of it.  Values are views into the
 * block and NUL-terminated.
 */
typedef struct eio_request {
    atomic_uint refs;
    sio_bytes method;
    sio_bytes url;           /* the target as sent: path and query */
    sio_bytes path;          /* before the `?` of `url` */
    sio_bytes query;         /* behind it, may be empty */
    sio_bytes address;       /* of the peer, numeric */
    int64_t issued;          /* ms since 1970-01-01 UTC */
    bool secure;             /* came over TLS */
    uint32_t header_count;   /* as they came; names may repeat */
    eio_header_at headers[]; /* one more than `header_count`, for its name */
} eio_request;

/* The header at `i`, less than `header_count`: views into the request. */
eio_header eio_request_header(const eio_request *request, uint32_t i);

/* Takes one more reference.  Returns `request`. */
eio_request *eio_request_ref(eio_request *request);

/* Gives a reference back; the last one frees.  NULL is allowed. */
void eio_request_unref(eio_request *request);

#endif
