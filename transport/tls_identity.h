#ifndef TP_TLS_IDENTITY_H
#define TP_TLS_IDENTITY_H

#include "base/bytes.h"
#include "base/log.h"
#include "socketio/tls.h"
#include "transport/tls_compat.h"

/* A certificate with those that lead on from it, and its key. */
typedef struct tp_tls_identity {
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
} tp_tls_identity;

/*
 * Makes an identity of what `from`, the one with number `index`, names.  Fails
 * with FILE, CERTIFICATE or NO_MEMORY, having logged why; to be deinited all
 * the same.
 */
sio_error tp_tls_identity_init(tp_tls_identity *identity,
                               const sio_tls_certificate *from, size_t index,
                               mbedtls_ctr_drbg_context *drbg,
                               const sio_log *log);
void tp_tls_identity_deinit(tp_tls_identity *identity);

/*
 * Has the key find new values for the next time it is used.  Where memory has
 * run out in the middle of it, mbedTLS leaves an RSA key with values that do
 * not belong together, and no signature is good any more.  Any thread.
 */
void tp_tls_identity_mend(tp_tls_identity *identity);

/* Whether the certificate is for the host `name`, by its DNS names alone
 * (RFC 6125, section 6.4: a `*` stands for the whole of the first label). */
bool tp_tls_identity_matches(const tp_tls_identity *identity, sio_bytes name);

/* Whether `pattern`, a DNS name of a certificate, stands for `name`. */
bool tp_tls_name_matches(sio_bytes pattern, sio_bytes name);

/* Adds the certificates, or revocation lists, of a file or a text to `crt` or
 * `crl`.  `what` is for the log.  Fails as above. */
sio_error tp_tls_read_chain(mbedtls_x509_crt *crt, const char *what,
                            const char *file, const char *pem,
                            const sio_log *log);
sio_error tp_tls_read_crl(mbedtls_x509_crl *crl, const char *what,
                          const char *file, const char *pem,
                          const sio_log *log);

/*
 * Has all threads but read the public key afterwards: mbedTLS 2.28 keeps a
 * table of multiples of a curve's generator in the key that it is used with
 * first.
 */
sio_error tp_tls_warm_up(mbedtls_pk_context *key,
                         mbedtls_ctr_drbg_context *drbg);

#endif
