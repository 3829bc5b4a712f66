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

/*
 * The request that opened a session, as one block of memory, frozen, that the
 * session shares with those who want to know of it.  Values are views into the
 * block and NUL-terminated.
 */
typedef struct eio_request {
    atomic_uint refs;
    sio_bytes method;
    sio_bytes url;     /* the target as sent: path and query */
    sio_bytes path;    /* before the `?` of `url` */
    sio_bytes query;   /* behind it, may be empty */
    sio_bytes address; /* of the peer, numeric */
    int64_t issued;    /* ms since 1970-01-01 UTC */
    bool secure;       /* came over TLS */
    uint32_t header_count;
    eio_header headers[]; /* as they came; names may repeat */
} eio_request;

/* Takes one more reference.  Returns `request`. */
eio_request *eio_request_ref(eio_request *request);

/* Gives a reference back; the last one frees.  NULL is allowed. */
void eio_request_unref(eio_request *request);

#endif
