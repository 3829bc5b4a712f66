#ifndef TP_COOKIE_H
#define TP_COOKIE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "socketio/socketio.h"

/* The cookie that tells a session's id (RFC 6265, section 4.1).  Set up once,
 * then read by all loops. */
typedef struct tp_cookie {
    sio_bytes before; /* the id in its header line; empty: there is no cookie */
    sio_bytes after;
} tp_cookie;

/*
 * Fills `cookie` from the fields cookie_* of `config`; what is made stands in
 * `arena`.  Fails with ARGUMENT, having logged the field and its fault, or
 * NO_MEMORY.
 */
sio_error tp_cookie_init(tp_cookie *cookie, const sio_server_config *config,
                         sio_arena *arena, const sio_log *log);

/* Adds the line that sets the cookie to `sid`, which needs no escapes.  May
 * fail with NO_MEMORY, leaving a part of it. */
sio_error tp_cookie_write(const tp_cookie *cookie, sio_bytes sid,
                          sio_buf *lines);

#endif
