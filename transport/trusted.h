#ifndef TP_TRUSTED_H
#define TP_TRUSTED_H

#include "base/arena.h"
#include "socketio/error.h"
#include "transport/address.h"

/* Addresses that begin with the same bits. */
typedef struct tp_block {
    tp_address from; /* with zeros behind the bits */
    uint8_t bits;    /* 0 to 32, or 0 to 128 */
} tp_block;

/* The proxies that are believed when they speak of clients. */
typedef struct tp_trusted {
    tp_block *blocks; /* in the arena it was made with */
    size_t count;
    bool local; /* whoever connects to a unix socket */
} tp_trusted;

/*
 * Reads a list, its items separated by commas or blanks: numeric addresses,
 * blocks of them such as 10.0.0.0/8 and fd00::/8, and `unix:`.  A block of IPv4
 * addresses in their IPv6 form is one of IPv4.  The memory is taken from
 * `arena`.
 *
 * Fails with ARGUMENT, `*why` then being a phrase, static, and `*item` the item
 * that it is about, borrowed from `text`; or with NO_MEMORY.
 */
sio_error tp_trusted_parse(const char *text, sio_arena *arena, tp_trusted *out,
                           const char **why, sio_bytes *item);

bool tp_trusted_has(const tp_trusted *trusted, const tp_address *address);

#endif
