#ifndef EIO_REQUEST_H
#define EIO_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* A header field.  Of a request that is kept the name is in lower case, and
 * both are NUL-terminated behind `len`. */
typedef struct eio_header {
    sio_bytes name, value;
} eio_header;

/*
 * The request that opened a session, as one block of memory, frozen, that the
 * session shares with those who want to know of it.  One is kept for as long as
 * each session lives, so it is packed: the functions below give views into the
 * block, NUL-terminated.
 */
typedef struct eio_request {
    atomic_uint refs;
    uint32_t header_count; /* as they came; names may repeat */
    int64_t issued;        /* ms since 1970-01-01 UTC */
    uint32_t url_len, path_at, path_len, query_at, query_len, headers_at;
    uint8_t method_len, address_len;
    bool secure;    /* the client has sent it over TLS ... */
    bool named;     /* ... and shown a certificate: its subject is in `text` */
    uint8_t text[]; /* what the numbers above count from */
} eio_request;

/* What a request is made of, borrowed. */
typedef struct eio_request_parts {
    sio_bytes method;  /* at most 255 bytes, and so is `address` */
    sio_bytes url;     /* the target as sent: path and query */
    sio_bytes path;    /* before the `?` of `url` */
    sio_bytes query;   /* behind it, may be empty */
    sio_bytes address; /* of the client, numeric, or "unix:" */
    int64_t issued;
    bool secure;
    sio_bytes subject;         /* of the client's certificate; empty: none */
    const eio_header *headers; /* names in any case; no NUL in either part */
    size_t header_count;
} eio_request_parts;

/* Makes a request with one reference; NULL when out of memory, or when it would
 * take more than 4 GiB. */
eio_request *eio_request_new(const eio_request_parts *parts);

static inline sio_bytes eio_request_url(const eio_request *r)
{
    return (sio_bytes){r->text, r->url_len};
}

static inline sio_bytes eio_request_path(const eio_request *r)
{
    return (sio_bytes){r->text + r->path_at, r->path_len};
}

static inline sio_bytes eio_request_query(const eio_request *r)
{
    return (sio_bytes){r->text + r->query_at, r->query_len};
}

static inline sio_bytes eio_request_method(const eio_request *r)
{
    return (sio_bytes){r->text + r->url_len + 1, r->method_len};
}

static inline sio_bytes eio_request_address(const eio_request *r)
{
    return (sio_bytes){r->text + r->url_len + 1 + r->method_len + 1,
                       r->address_len};
}

/* The same as a string, for the log. */
static inline const char *eio_request_peer(const eio_request *r)
{
    return (const char *)eio_request_address(r).base;
}

/* Whom the client's certificate names; NULL: it has shown none. */
static inline const char *eio_request_subject(const eio_request *r)
{
    return r->named ? eio_request_peer(r) + r->address_len + 1 : NULL;
}

/* A walk over the headers, in the order in which they came. */
typedef struct eio_headers {
    const uint8_t *at;
    uint32_t left;
} eio_headers;

static inline eio_headers eio_request_headers(const eio_request *r)
{
    return (eio_headers){r->text + r->headers_at, r->header_count};
}

/* Sets `*out` to the next header; false when there are no more. */
bool eio_headers_next(eio_headers *walk, eio_header *out);

/* The value of the first header of that name, which is in lower case; without a
 * base where there is none. */
sio_bytes eio_request_header(const eio_request *request, sio_bytes name);

/* Takes one more reference.  Returns `request`. */
eio_request *eio_request_ref(eio_request *request);

/* Gives a reference back; the last one frees.  NULL is allowed. */
void eio_request_unref(eio_request *request);

#endif
