#ifndef TEST_TLS_RIG_H
#define TEST_TLS_RIG_H

#include "test/memory_stream.h"
#include "test/tls_certs.h"
#include "transport/tls_impl.h"

/* What a test sees of the log. */
typedef struct tls_log {
    unsigned count;
    char event[32], text[512]; /* the latest */
} tls_log;

/* A loop and a place, which connections of a test share. */
typedef struct tls_rig {
    tp_loop loop;
    sio_log log;
    tls_log logged;
    sio_metric errors[400];
    sio_tls_certificate own[4];
    sio_tls_options options;
    tp_tls_place place;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
} tls_rig;

/* How the client behaves. */
typedef struct tls_client_options {
    const char *host; /* for SNI; NULL: none is sent */
    const tls_cert *cert;
    const char *const *alpn;
    const mbedtls_ssl_session *session; /* to resume */
    bool renegotiates;
    bool old;    /* speaks TLS 1.1 at most */
    bool newest; /* speaks TLS 1.3, where both can */
} tls_client_options;

/*
 * A connection: the stream under test with a memory stream below, and mbedTLS
 * as its client.  The test carries the bytes by tls_conn_pump().
 */
typedef struct tls_conn {
    tls_rig *rig;
    memory_stream under;
    tp_stream *stream; /* NULL once it is closed */
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt ca, crt;
    mbedtls_pk_context key;
    sio_buf to_server; /* sent by the client, not fed */
    size_t fed;        /* bytes that the server has got, in all */
    size_t most_fed;   /* it gets no more than that */
    size_t piece;      /* feed pieces of that size; 0: all */
    size_t read;       /* bytes of `under.out` the client has read */
    int client;        /* what the client's handshake said last */
    /* What the owner of the stream has heard. */
    sio_buf got;
    unsigned inputs, writables, ends;
    sio_error why;
    bool pauses;    /* pauses whenever something comes */
    bool closes;    /* closes when something comes */
    tp_loop *moves; /* leaves for that loop when something comes */
} tls_conn;

/* A rig whose place has the ECDSA server certificate; the test may change
 * `options` and call tls_rig_open() itself after tls_rig_init(). */
void tls_rig_init(tls_rig *r);
void tls_rig_open(tls_rig *r);
void tls_rig_deinit(tls_rig *r);

/* Adds a certificate to the options. */
void tls_rig_add(tls_rig *r, const tls_cert *cert);

uint64_t tls_rig_count(const tls_rig *r, sio_counter counter);

/* Opens a connection; NULL for an ordinary client. */
void tls_conn_open(tls_conn *c, tls_rig *r, const tls_client_options *o);
void tls_conn_close(tls_conn *c);

/* Has the client go on, and carries to the server what it has sent, and turns
 * the loop.  Returns whether anything moved. */
bool tls_conn_step(tls_conn *c);

/* Until nothing moves any more. */
void tls_conn_pump(tls_conn *c);

/* Whether both sides are done with the handshake. */
bool tls_conn_is_open(const tls_conn *c);

/* Opens a connection and makes its handshake. */
void tls_conn_shake(tls_conn *c, tls_rig *r, const tls_client_options *o);

/* The client sends, in one record; and it arrives, if the server reads. */
void tls_conn_say(tls_conn *c, sio_bytes bytes);

/* What the server has sent, as far as it has arrived; the result is owned by
 * the caller.  `*end` is what mbedTLS said last. */
sio_buf tls_conn_hear(tls_conn *c, int *end);

/* How many records of a content type are in what the server has sent, from the
 * byte `from` of it on. */
unsigned tls_conn_records(const tls_conn *c, size_t from, uint8_t type);

tp_tls *tls_conn_inside(const tls_conn *c);

#endif
