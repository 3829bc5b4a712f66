#ifndef SIO_MSGPACK_ITEM_H
#define SIO_MSGPACK_ITEM_H

#include "base/bytes.h"
#include "socketio/error.h"

/* The items of MessagePack one by one: what msgpack_read.c is made from. */

typedef enum sio_item_kind {
    SIO_ITEM_NONE, /* no item begins so */
    SIO_ITEM_NIL,
    SIO_ITEM_UNDEFINED,
    SIO_ITEM_FALSE,
    SIO_ITEM_TRUE,
    SIO_ITEM_INTEGER,
    SIO_ITEM_REAL,
    SIO_ITEM_DATE,
    SIO_ITEM_STRING,
    SIO_ITEM_BINARY,
    SIO_ITEM_EXTENSION,
    SIO_ITEM_ARRAY,
    SIO_ITEM_MAP
} sio_item_kind;

/* One item, a container without what is in it.  msgpack.h says which
 * extensions are UNDEFINED, DATE and BINARY. */
typedef struct sio_item {
    sio_item_kind kind;
    bool negative;      /* INTEGER */
    int extension;      /* EXTENSION: its type */
    uint64_t magnitude; /* INTEGER */
    int64_t time;       /* DATE: ms since 1970; INT64_MAX for none */
    double real;        /* REAL */
    uint32_t count;     /* ARRAY, MAP: elements, pairs */
    sio_bytes data;     /* STRING, BINARY, EXTENSION; borrowed */
} sio_item;

/*
 * Reads the item at the start of `in`, of a container its head alone, and moves
 * `in` behind it.  A container has no more elements than there are bytes left.
 * Fails with JSON where there is no whole item, with UTF8 where a string is
 * none.
 */
sio_error sio_item_read(sio_bytes *in, sio_item *out);

#endif
