#ifndef TP_TLS_H
#define TP_TLS_H

#include "transport/loop.h"
#include "transport/stream.h"
#include "transport/tls_context.h"

/*
 * TLS between a stream and its owner, the server's side: a stream that stands
 * on another one.
 *
 * Where `inner` wants a PROXY header, so does the new one: until its holder has
 * cleared `wants_proxy` and given back what follows the header, by `feed`, it
 * passes on what comes as it is.  Then, or from the start, the handshake is
 * made, of which the owner hears nothing unless it fails: `ended` tells why.
 *
 * A peer's orderly end is SIO_OK, one without close_notify TRUNCATED.  Closing
 * sends close_notify, if it can be sent at once; so does shutting, for sure.
 *
 * Takes `inner`, which is of no loop, and a reference to the place's present
 * context.  NULL when memory is short; `inner` is closed then.
 */
tp_stream *tp_tls_new(tp_stream *inner, tp_tls_place *place);

/* Frees what the TLS streams of a loop share.  NULL is allowed. */
struct tp_tls_loop;
void tp_tls_loop_free(struct tp_tls_loop *shared);

#endif
