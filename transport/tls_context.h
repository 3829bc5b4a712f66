#ifndef TP_TLS_CONTEXT_H
#define TP_TLS_CONTEXT_H

#include "base/arena.h"
#include "base/lock.h"
#include "base/log.h"
#include "socketio/tls.h"

struct mbedtls_ssl_config;

/*
 * Certificates, keys and all else that connections of one place agree on:
 * made once, frozen, and shared by the connections that began with it.
 */
typedef struct tp_tls_context tp_tls_context;

/*
 * Reads all that `options`, borrowed, names.  Clients may resume sessions that
 * began under `before`, or NULL, unless one of the two asks for certificates.
 * Fails with ARGUMENT, FILE, CERTIFICATE, RANDOM or NO_MEMORY, having logged
 * why.
 */
sio_error tp_tls_context_new(const sio_tls_options *options,
                             const tp_tls_context *before, const sio_log *log,
                             tp_tls_context **context);

/* Takes a reference; gives one back.  Any thread. */
tp_tls_context *tp_tls_context_ref(tp_tls_context *context);
void tp_tls_context_unref(tp_tls_context *context);

const struct mbedtls_ssl_config *tp_tls_conf(const tp_tls_context *context);
uint32_t tp_tls_handshake_timeout(const tp_tls_context *context); /* ms */

/* Bytes that a record buffer of mbedTLS has room for, at least. */
size_t tp_tls_buffer_size(const tp_tls_context *context);

/* A handshake has ended with `code`, which may have left a key damaged. */
void tp_tls_mend_keys(tp_tls_context *context, int code);

/* Whether a client may, but need not, show a certificate. */
bool tp_tls_client_may_show(const tp_tls_context *context);

/* What is used where a server listens.  Its context may be exchanged while it
 * does. */
typedef struct tp_tls_place {
    sio_lock lock; /* over `context` */
    tp_tls_context *context;
    sio_lock changing; /* over what follows; taken before `lock` */
    sio_arena arena;
    sio_tls_options options; /* in `arena` */
} tp_tls_place;

/* Makes a place with a copy of `options`.  Fails as above, leaving nothing. */
sio_error tp_tls_place_init(tp_tls_place *place, const sio_tls_options *options,
                            const sio_log *log);
void tp_tls_place_deinit(tp_tls_place *place);

/* Exchanges the context; with NULL the files of before are read again.  Fails
 * as above, leaving all as it was.  Any thread. */
sio_error tp_tls_place_reload(tp_tls_place *place,
                              const sio_tls_options *options,
                              const sio_log *log);

/* A reference to the present context.  Any thread. */
tp_tls_context *tp_tls_place_context(tp_tls_place *place);

#endif
