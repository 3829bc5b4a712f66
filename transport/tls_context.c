#include "transport/tls_context.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "transport/tls_identity.h"

/* More would be searched through for each handshake. */
#define CERTIFICATES_MOST 1024

/* A week: RFC 8446, section 4.6.1. */
#define LIFETIME_MOST 604800

/* By what sessions are resumed: it may outlast a context. */
typedef struct sessions {
    atomic_uint refs;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_ssl_cache_context cache;
} sessions;

struct tp_tls_context {
    atomic_uint refs;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt ca;
    mbedtls_x509_crl crl;
    sessions *sessions;
    size_t buffer_size;
    uint32_t handshake_timeout;
    bool asks;    /* for the client's certificate ... */
    bool insists; /* ... and refuses who has none */
    size_t count;
    tp_tls_identity identities[];
};

/* Ephemeral keys and authenticated ciphers alone.  The order counts in TLS 1.2;
 * in 1.3 mbedTLS takes that of the client. */
#if TP_TLS_HAS_1_3
#define SUITES_OF_1_3                                                          \
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384,      \
        MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#else
#define SUITES_OF_1_3
#endif
#define SUITES_WITH_AES                                                        \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,                           \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,                         \
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,                       \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
#define SUITES_WITH_CHACHA20                                                   \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,                     \
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256

static const int suites[] = {SUITES_OF_1_3 SUITES_WITH_AES,
                             SUITES_WITH_CHACHA20, 0};
static const int suites_chacha20_first[] = {SUITES_OF_1_3 SUITES_WITH_CHACHA20,
                                            SUITES_WITH_AES, 0};

static const char *const protocols[] = {"http/1.1", NULL};

/* --------------------------------------------------------------- sessions --
 */

static void sessions_unref(sessions *s)
{
    if (s == NULL ||
        atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    mbedtls_ssl_ticket_free(&s->tickets);
    mbedtls_ssl_cache_free(&s->cache);
    mbedtls_ctr_drbg_free(&s->drbg);
    mbedtls_entropy_free(&s->entropy);
    free(s);
}

static sio_error sessions_new(const sio_tls_options *o, sessions **out)
{
    static const unsigned char label[] = "libsocketio";
    sessions *s = calloc(1, sizeof(*s));
    *out = s;
    if (s == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    atomic_init(&s->refs, 1);
    mbedtls_entropy_init(&s->entropy);
    mbedtls_ctr_drbg_init(&s->drbg);
    mbedtls_ssl_ticket_init(&s->tickets);
    mbedtls_ssl_cache_init(&s->cache);
#if MBEDTLS_VERSION_MAJOR >= 3
    if (psa_crypto_init() != PSA_SUCCESS) {
        return SIO_ERR_RANDOM;
    }
#endif
    if (mbedtls_ctr_drbg_seed(&s->drbg, mbedtls_entropy_func, &s->entropy,
                              label, sizeof(label) - 1) != 0 ||
        mbedtls_ssl_ticket_setup(&s->tickets, mbedtls_ctr_drbg_random, &s->drbg,
                                 MBEDTLS_CIPHER_AES_256_GCM,
                                 o->session_lifetime_s) != 0) {
        return SIO_ERR_RANDOM;
    }
    mbedtls_ssl_cache_set_timeout(&s->cache, (int)o->session_lifetime_s);
    mbedtls_ssl_cache_set_max_entries(&s->cache, (int)o->session_cache);
    return SIO_OK;
}

/* Who has shown a certificate must not be known by it under other rules. */
static sio_error share_sessions(tp_tls_context *c, const tp_tls_context *before,
                                const sio_tls_options *o)
{
    if (before == NULL || before->asks || c->asks) {
        return sessions_new(o, &c->sessions);
    }
    c->sessions = before->sessions;
    atomic_fetch_add_explicit(&c->sessions->refs, 1, memory_order_relaxed);
    return SIO_OK;
}

/* ---------------------------------------------------------------- options --
 */

static const char *flaw_of_certificate(const sio_tls_certificate *c)
{
    if ((c->chain_file == NULL) == (c->chain_pem == NULL)) {
        return "a certificate needs one of chain_file and chain_pem";
    }
    return (c->key_file == NULL) == (c->key_pem == NULL)
               ? "a certificate needs one of key_file and key_pem"
               : NULL;
}

static const char *flaw_of_clients(const sio_tls_options *o)
{
    int cas = (o->client_ca_file != NULL) + (o->client_ca_pem != NULL);
    int crls = (o->client_crl_file != NULL) + (o->client_crl_pem != NULL);
    if (o->client_certs == SIO_TLS_CLIENT_CERTS_NONE) {
        return cas + crls == 0 ? NULL
                               : "client_ca and client_crl are of no use "
                                 "where client_certs is NONE";
    }
    if (o->client_certs > SIO_TLS_CLIENT_CERTS_REQUIRED) {
        return "client_certs is none of the choices";
    }
    return cas != 1 || crls > 1
               ? "client_certs needs one of client_ca_file and client_ca_pem, "
                 "and at most one of client_crl_file and client_crl_pem"
               : NULL;
}

static const char *flaw_of_numbers(const sio_tls_options *o)
{
    if (o->handshake_timeout_ms == 0 || o->handshake_timeout_ms > INT32_MAX) {
        return "handshake_timeout_ms is not 1 to 2147483647";
    }
    if (o->session_lifetime_s == 0 || o->session_lifetime_s > LIFETIME_MOST) {
        return "session_lifetime_s is not 1 to 604800";
    }
    if (o->session_cache > INT32_MAX) {
        return "session_cache is more than 2147483647";
    }
    if (o->min_version > SIO_TLS_1_3) {
        return "min_version is none of the choices";
    }
    return o->min_version == SIO_TLS_1_3 && !TP_TLS_HAS_1_3
               ? "min_version 1.3 needs mbedTLS 3.6"
               : NULL;
}

static const char *flaw_of(const sio_tls_options *o)
{
    const char *flaw = NULL;
    if (o->certificate_count == 0 || o->certificates == NULL) {
        return "there are no certificates";
    }
    if (o->certificate_count > CERTIFICATES_MOST) {
        return "there are more than 1024 certificates";
    }
    for (size_t i = 0; i < o->certificate_count && flaw == NULL; i++) {
        flaw = flaw_of_certificate(&o->certificates[i]);
    }
    flaw = flaw == NULL ? flaw_of_clients(o) : flaw;
    return flaw == NULL ? flaw_of_numbers(o) : flaw;
}

/* ------------------------------------------------------------- the making --
 */

/* The client names a host, and gets the certificates for it; where there are
 * none, those of the configuration stay. */
static int on_name(void *arg, mbedtls_ssl_context *ssl,
                   const unsigned char *name, size_t len)
{
    tp_tls_context *c = arg;
    for (size_t i = 0; i < c->count; i++) {
        tp_tls_identity *identity = &c->identities[i];
        if (tp_tls_identity_matches(identity, (sio_bytes){name, len})) {
            int rc = mbedtls_ssl_set_hs_own_cert(ssl, &identity->chain,
                                                 &identity->key);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static sio_error add_identities(tp_tls_context *c, const sio_tls_options *o,
                                const sio_log *log)
{
    sio_error err = SIO_OK;
    while (c->count < o->certificate_count && err == SIO_OK) {
        tp_tls_identity *identity = &c->identities[c->count];
        err = tp_tls_identity_init(identity, &o->certificates[c->count],
                                   c->count, &c->sessions->drbg, log);
        c->count++;
        if (err == SIO_OK &&
            mbedtls_ssl_conf_own_cert(&c->conf, &identity->chain,
                                      &identity->key) != 0) {
            err = SIO_ERR_NO_MEMORY;
        }
    }
    return err;
}

static sio_error ask_clients(tp_tls_context *c, const sio_tls_options *o,
                             const sio_log *log)
{
    bool revokes = o->client_crl_file != NULL || o->client_crl_pem != NULL;
    if (!c->asks) {
        return SIO_OK;
    }
    sio_error err = tp_tls_read_chain(&c->ca, "client_ca", o->client_ca_file,
                                      o->client_ca_pem, log);
    if (err == SIO_OK && revokes) {
        err = tp_tls_read_crl(&c->crl, "client_crl", o->client_crl_file,
                              o->client_crl_pem, log);
    }
    for (mbedtls_x509_crt *ca = &c->ca; ca != NULL && err == SIO_OK;
         ca = ca->next) {
        err = tp_tls_warm_up(&ca->pk, &c->sessions->drbg);
    }
    mbedtls_ssl_conf_ca_chain(&c->conf, &c->ca, revokes ? &c->crl : NULL);
    mbedtls_ssl_conf_authmode(&c->conf, c->insists
                                            ? MBEDTLS_SSL_VERIFY_REQUIRED
                                            : MBEDTLS_SSL_VERIFY_OPTIONAL);
    return err;
}

static sio_error configure(tp_tls_context *c, const sio_tls_options *o)
{
    mbedtls_ssl_config *conf = &c->conf;
    sessions *s = c->sessions;
    if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_SERVER,
                                    MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return SIO_ERR_NO_MEMORY;
    }
    mbedtls_ssl_conf_rng(conf, mbedtls_ctr_drbg_random, &s->drbg);
    mbedtls_ssl_conf_ciphersuites(
        conf, o->prefer_chacha20 ? suites_chacha20_first : suites);
    tp_tls_limit(conf, o->min_version == SIO_TLS_1_3);
    mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_sni(conf, on_name, c);
    if (o->session_tickets) {
        mbedtls_ssl_conf_session_tickets_cb(conf, mbedtls_ssl_ticket_write,
                                            mbedtls_ssl_ticket_parse,
                                            &s->tickets);
    }
#if TP_TLS_HAS_1_3
    if (c->asks) {
        /* Who resumes by one of TLS 1.3 has no certificate any more. */
        mbedtls_ssl_conf_new_session_tickets(conf, 0);
    }
#endif
    if (o->session_cache != 0) {
        mbedtls_ssl_conf_session_cache(conf, &s->cache, mbedtls_ssl_cache_get,
                                       mbedtls_ssl_cache_set);
    }
    /* It is not changed: the type is that of its first days. */
    return mbedtls_ssl_conf_alpn_protocols(
               conf, (const char **)(uintptr_t)protocols) == 0
               ? SIO_OK
               : SIO_ERR_NO_MEMORY;
}

/* No header tells how large the record buffers are. */
static sio_error measure_buffers(tp_tls_context *c)
{
    mbedtls_ssl_context ssl;
    mbedtls_ssl_init(&ssl);
    int rc = mbedtls_ssl_setup(&ssl, &c->conf);
    if (rc == 0) {
        size_t in = malloc_usable_size(ssl.in_buf);
        size_t out = malloc_usable_size(ssl.out_buf);
        c->buffer_size = in > out ? in : out;
    }
    mbedtls_ssl_free(&ssl);
    return rc == 0 ? SIO_OK : SIO_ERR_NO_MEMORY;
}

static void destroy(tp_tls_context *c)
{
    mbedtls_ssl_config_free(&c->conf);
    for (size_t i = 0; i < c->count; i++) {
        tp_tls_identity_deinit(&c->identities[i]);
    }
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_x509_crl_free(&c->crl);
    sessions_unref(c->sessions);
    free(c);
}

static sio_error make(tp_tls_context *c, const sio_tls_options *o,
                      const tp_tls_context *before, const sio_log *log)
{
    sio_error err = share_sessions(c, before, o);
    if (err == SIO_OK) {
        err = configure(c, o);
    }
    if (err == SIO_OK) {
        err = add_identities(c, o, log);
    }
    if (err == SIO_OK) {
        err = ask_clients(c, o, log);
    }
    return err == SIO_OK ? measure_buffers(c) : err;
}

sio_error tp_tls_context_new(const sio_tls_options *options,
                             const tp_tls_context *before, const sio_log *log,
                             tp_tls_context **context)
{
    const char *flaw = flaw_of(options);
    if (flaw != NULL) {
        sio_log_write(log, SIO_LOG_ERROR, "bad_config", "tls: %s", flaw);
        return SIO_ERR_ARGUMENT;
    }
    tp_tls_context *c = calloc(1, sizeof(*c) + options->certificate_count *
                                                   sizeof(tp_tls_identity));
    if (c == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    atomic_init(&c->refs, 1);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_x509_crl_init(&c->crl);
    c->handshake_timeout = options->handshake_timeout_ms;
    c->asks = options->client_certs != SIO_TLS_CLIENT_CERTS_NONE;
    c->insists = options->client_certs == SIO_TLS_CLIENT_CERTS_REQUIRED;
    sio_error err = make(c, options, before, log);
    if (err != SIO_OK) {
        destroy(c);
        return err;
    }
    *context = c;
    return SIO_OK;
}

tp_tls_context *tp_tls_context_ref(tp_tls_context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void tp_tls_context_unref(tp_tls_context *context)
{
    if (atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) ==
        1) {
        destroy(context);
    }
}

const struct mbedtls_ssl_config *tp_tls_conf(const tp_tls_context *context)
{
    return &context->conf;
}

uint32_t tp_tls_handshake_timeout(const tp_tls_context *context)
{
    return context->handshake_timeout;
}

size_t tp_tls_buffer_size(const tp_tls_context *context)
{
    return context->buffer_size;
}

/* Whether the arithmetic of RSA, or its memory, may be what has failed. */
static bool concerns_keys(int code)
{
    int high = -code & ~0x7f, low = -code & 0x7f;
    return low == -MBEDTLS_ERR_MPI_ALLOC_FAILED ||
           (high >= -MBEDTLS_ERR_RSA_BAD_INPUT_DATA &&
            high <= -MBEDTLS_ERR_RSA_RNG_FAILED);
}

void tp_tls_mend_keys(tp_tls_context *context, int code)
{
    for (size_t i = 0; i < context->count && concerns_keys(code); i++) {
        tp_tls_identity_mend(&context->identities[i]);
    }
}

bool tp_tls_client_may_show(const tp_tls_context *context)
{
    return context->asks && !context->insists;
}
