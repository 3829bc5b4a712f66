#ifndef TEST_TLS_CERTS_H
#define TEST_TLS_CERTS_H

#include <stddef.h>

/*
 * Certificates that are made when a test runs, as PEM.  They live until the
 * program ends, so the same is made once.
 */
typedef struct tls_cert {
    char cert[4096];
    char key[4096];
} tls_cert;

typedef enum tls_cert_kind { TLS_CERT_ECDSA, TLS_CERT_RSA } tls_cert_kind;

typedef struct tls_cert_options {
    const char *subject; /* "CN=Test CA" */
    const char *dns;     /* names with blanks between, or NULL */
    tls_cert_kind kind;
    unsigned bits;          /* of an RSA key; 0: 2048 */
    const tls_cert *issuer; /* NULL: itself, and it is a CA */
    const char *issuer_subject;
    const char *until; /* NULL: for long */
} tls_cert_options;

/* Gives a certificate, static. */
const tls_cert *tls_cert_make(const tls_cert_options *o);

/* What most tests need: a CA, a server for localhost and *.example.com, an RSA
 * one for rsa.example.org, a client. */
const tls_cert *tls_cert_ca(void);
const tls_cert *tls_cert_other_ca(void);
const tls_cert *tls_cert_server(void);
const tls_cert *tls_cert_rsa(void);
const tls_cert *tls_cert_client(void);
const tls_cert *tls_cert_expired_client(void);

#endif
