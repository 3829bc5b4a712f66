#ifndef SOCKETIO_TLS_H
#define SOCKETIO_TLS_H

/* TLS at the places where a server listens; docs/tls.md. */

#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A certificate and its key, as PEM: of each one or the other, the path of a
 * file or the text itself.  Chains begin with the server's own certificate,
 * those that lead on to a root follow.  Keys are RSA, of at least 2048 bits,
 * or ECDSA.  All strings are borrowed.
 */
typedef struct sio_tls_certificate {
    const char *chain_file;
    const char *chain_pem;
    const char *key_file;
    const char *key_pem;
    const char *key_password; /* NULL: the key is not encrypted */
} sio_tls_certificate;

/* Whether clients are to show a certificate of their own. */
typedef enum sio_tls_client_certs {
    SIO_TLS_CLIENT_CERTS_NONE,     /* they are not asked for one */
    SIO_TLS_CLIENT_CERTS_OPTIONAL, /* who has one may show it; one that is not
                                      in order ends the handshake */
    SIO_TLS_CLIENT_CERTS_REQUIRED  /* who has none is refused */
} sio_tls_client_certs;

typedef enum sio_tls_version { SIO_TLS_1_2, SIO_TLS_1_3 } sio_tls_version;

/* Start from sio_tls_options_default() and set the certificates. */
typedef struct sio_tls_options {
    size_t size; /* sizeof(sio_tls_options); sets the ABI */

    /* At least one.  A client that names a host gets those whose names (the
     * DNS names of subjectAltName) match; without a match, or a name, all of
     * them stand for choice by the kind of key, the first before the others. */
    const sio_tls_certificate *certificates;
    size_t certificate_count;

    /* The oldest version that is spoken.  1.3 needs mbedTLS 3.6; with 2.28 only
     * 1.2 is. */
    sio_tls_version min_version;

    /* Whose certificates count, as PEM, and, or NULL, those of theirs that were
     * revoked.  With NONE all four are NULL. */
    sio_tls_client_certs client_certs;
    const char *client_ca_file;
    const char *client_ca_pem;
    const char *client_crl_file;
    const char *client_crl_pem;

    uint32_t handshake_timeout_ms; /* from the connection to the end of the
                                      handshake; at least 1 */
    bool session_tickets;          /* clients may resume by tickets ... */
    uint32_t session_cache;        /* ... or by what is kept here: so many
                                      sessions; 0: none */
    uint32_t session_lifetime_s;   /* how long that is possible; at least 1, at
                                      most 604800 */

    /* In TLS 1.2 ChaCha20-Poly1305 comes before AES: for processors without
     * instructions for AES; docs/tls.md has figures. */
    bool prefer_chacha20;
} sio_tls_options;

static inline sio_tls_options sio_tls_options_default(void)
{
    sio_tls_options c;
    memset(&c, 0, sizeof(c));
    c.size = sizeof(c);
    c.handshake_timeout_ms = 10000;
    c.session_tickets = true;
    c.session_cache = 1000;
    c.session_lifetime_s = 7200;
    return c;
}

#define SIO_TLS_OPTIONS_DEFAULT sio_tls_options_default()

/*
 * Has what comes from now on at `port` use other certificates: at 0 wherever
 * there is TLS.  Connections that are there go on with what they have.
 * `options` is borrowed; NULL reads the files of before again.  Certificates
 * given as text then stay as they are.
 *
 * Returns SIO_OK; or, with everything as it was and the reason in the log,
 * SIO_ERR_ARGUMENT for options that contradict each other, or where nothing
 * listens with TLS; SIO_ERR_FILE, SIO_ERR_CERTIFICATE, SIO_ERR_RANDOM or
 * SIO_ERR_NO_MEMORY.
 * With port 0 those places keep the new ones that came before the one which
 * failed.  Any thread.
 */
SIO_API SIO_CHECK sio_error sio_server_reload_tls(
    sio_server *server, uint16_t port, const sio_tls_options *options);

#ifdef __cplusplus
}
#endif

#endif
