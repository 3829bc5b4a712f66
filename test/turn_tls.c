#include "test/turn_tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "test/tls_certs.h"
#include "transport/tls_compat.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

enum { CLIENTS = 2 };

typedef struct secret {
    turn_client *owner; /* NULL: free */
    mbedtls_ssl_context ssl;
} secret;

/* What they share, made once. */
static struct {
    bool ready, kept;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt ca;
    mbedtls_ssl_session session;
    secret secrets[CLIENTS];
} tls;

static void make_ready(void)
{
    if (tls.ready) {
        return;
    }
    const tls_cert *ca = tls_cert_ca();
    mbedtls_entropy_init(&tls.entropy);
    mbedtls_ctr_drbg_init(&tls.drbg);
    mbedtls_ssl_config_init(&tls.conf);
    mbedtls_x509_crt_init(&tls.ca);
    mbedtls_ssl_session_init(&tls.session);
    REQUIRE(mbedtls_ctr_drbg_seed(&tls.drbg, mbedtls_entropy_func, &tls.entropy,
                                  NULL, 0) == 0);
    REQUIRE(mbedtls_ssl_config_defaults(&tls.conf, MBEDTLS_SSL_IS_CLIENT,
                                        MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&tls.conf, mbedtls_ctr_drbg_random, &tls.drbg);
    REQUIRE(mbedtls_x509_crt_parse(&tls.ca, (const unsigned char *)ca->cert,
                                   strlen(ca->cert) + 1) == 0);
    mbedtls_ssl_conf_ca_chain(&tls.conf, &tls.ca, NULL);
#if MBEDTLS_VERSION_MAJOR >= 3
    mbedtls_ssl_conf_max_tls_version(&tls.conf, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
    tls.ready = true;
}

void turn_tls_deinit(void)
{
    if (tls.ready) {
        mbedtls_ssl_session_free(&tls.session);
        mbedtls_x509_crt_free(&tls.ca);
        mbedtls_ssl_config_free(&tls.conf);
        mbedtls_ctr_drbg_free(&tls.drbg);
        mbedtls_entropy_free(&tls.entropy);
        tls.ready = tls.kept = false;
    }
}

/* ------------------------------------------------------------- the socket --
 */

static int push(void *arg, const unsigned char *data, size_t len)
{
    const turn_client *c = arg;
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
        return (int)n;
    }
    return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE
                           : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int pull(void *arg, unsigned char *data, size_t len)
{
    const turn_client *c = arg;
    ssize_t n = recv(c->fd, data, len, MSG_DONTWAIT);
    if (n > 0) {
        return (int)n;
    }
    return n < 0 && errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ
                                    : MBEDTLS_ERR_SSL_CONN_EOF;
}

/* --------------------------------------------------------------- the pipe --
 */

static secret *secret_of(const turn_client *c)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        if (tls.secrets[i].owner == c) {
            return &tls.secrets[i];
        }
    }
    return NULL;
}

/* As of the system: -1 with errno, 0 for the end. */
static ssize_t result(int n)
{
    if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    if (n < 0 && getenv("FAULT_LOG") != NULL) {
        (void)fprintf(stderr, "TLS ends: -0x%04x\n", (unsigned)-n);
    }
    return n > 0 ? n : 0;
}

static ssize_t tls_send(turn_client *c, const void *data, size_t len)
{
    return result(mbedtls_ssl_write(&secret_of(c)->ssl, data, len));
}

static ssize_t tls_recv(turn_client *c, void *data, size_t len)
{
    return result(mbedtls_ssl_read(&secret_of(c)->ssl, data, len));
}

static void tls_close(turn_client *c)
{
    secret *s = secret_of(c);
    mbedtls_ssl_free(&s->ssl);
    s->owner = NULL;
}

static const turn_pipe tls_pipe = {tls_send, tls_recv, tls_close};

void turn_tls_dial(turn_client *c, turn_rig *rig, const char *host,
                   bool resumes)
{
    make_ready();
    turn_client_dial_at(c, rig, rig->secure_port);
    secret *s = secret_of(NULL);
    REQUIRE(s != NULL);
    s->owner = c;
    mbedtls_ssl_init(&s->ssl);
    REQUIRE(mbedtls_ssl_setup(&s->ssl, &tls.conf) == 0);
    REQUIRE(mbedtls_ssl_set_hostname(&s->ssl, host) == 0);
    if (resumes && tls.kept) {
        REQUIRE(mbedtls_ssl_set_session(&s->ssl, &tls.session) == 0);
    }
    mbedtls_ssl_set_bio(&s->ssl, c, push, pull, NULL);
    c->pipe = &tls_pipe;
}

bool turn_tls_has_session(void)
{
    return tls.kept;
}

void turn_tls_keep(const turn_client *c)
{
    const secret *s = secret_of(c);
    if (s != NULL && s->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER) {
        mbedtls_ssl_session_free(&tls.session);
        mbedtls_ssl_session_init(&tls.session);
        tls.kept = mbedtls_ssl_get_session(&s->ssl, &tls.session) == 0;
    }
}
