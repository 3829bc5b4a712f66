#ifndef SIO_BASE_QUERY_H
#define SIO_BASE_QUERY_H

#include "base/bytes.h"

/* Walks over a query, given without its '?', as a browser's URLSearchParams
 * splits it.  Start from {.rest = query}. */
typedef struct sio_query {
    sio_bytes rest;
} sio_query;

/*
 * Sets `*name` and `*value` to the next pair, both undecoded and borrowed
 * from the query, and returns true, or returns false at the end.  Empty
 * pieces between '&' are passed over; a pair without '=' has an empty value;
 * a name may be empty.
 */
bool sio_query_next(sio_query *it, sio_bytes *name, sio_bytes *value);

/*
 * Decodes a raw name or value: '+' is a space, %XX a byte, and a '%' without
 * two hex digits stands for itself.  Writes at most raw.len bytes to `out`,
 * which may be where `raw` lies, and their number to `*len`.  The result may
 * hold NUL and need not be UTF-8, for which a browser would put U+FFFD.
 */
void sio_query_decode(sio_bytes raw, uint8_t *out, size_t *len);

/* Whether `raw` has neither a '%' nor a '+', and so decodes to itself. */
bool sio_query_is_plain(sio_bytes raw);

/* Whether `raw` decodes to `name`, which is letters and digits. */
bool sio_query_is(sio_bytes raw, sio_bytes name);

/*
 * Finds the pair whose name decodes to `name`, the last one if there are
 * several, and sets `*raw_value`, undecoded and borrowed from `query`.
 * Returns false, leaving `*raw_value` alone, when there is none.
 */
bool sio_query_get(sio_bytes query, sio_bytes name, sio_bytes *raw_value);

#endif
