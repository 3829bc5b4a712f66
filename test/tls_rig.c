#include "test/tls_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* ---------------------------------------------------------------- the rig --
 */

static void on_log(void *arg, int level, const char *event, const char *text)
{
    tls_log *log = arg;
    (void)level;
    log->count++;
    (void)snprintf(log->event, sizeof(log->event), "%s", event);
    (void)snprintf(log->text, sizeof(log->text), "%s", text);
}

void tls_rig_add(tls_rig *r, const tls_cert *cert)
{
    r->own[r->options.certificate_count++] =
        (sio_tls_certificate){.chain_pem = cert->cert, .key_pem = cert->key};
}

void tls_rig_init(tls_rig *r)
{
    *r = (tls_rig){0};
    r->log = (sio_log){on_log, &r->logged, SIO_LOG_DEBUG};
    memory_loop_init(&r->loop, &r->log);
    r->loop.error_counts = r->errors;
    r->options = sio_tls_options_default();
    r->options.certificates = r->own;
    (void)tls_cert_ca(); /* seeds what 3.6 needs for its keys */
    mbedtls_entropy_init(&r->entropy);
    mbedtls_ctr_drbg_init(&r->drbg);
    REQUIRE(mbedtls_ctr_drbg_seed(&r->drbg, mbedtls_entropy_func, &r->entropy,
                                  NULL, 0) == 0);
}

void tls_rig_open(tls_rig *r)
{
    if (r->options.certificate_count == 0) {
        tls_rig_add(r, tls_cert_server());
    }
    REQUIRE(tp_tls_place_init(&r->place, &r->options, &r->log) == SIO_OK);
}

void tls_rig_deinit(tls_rig *r)
{
    memory_loop_deinit(&r->loop);
    if (r->place.context != NULL) {
        tp_tls_place_deinit(&r->place);
    }
    mbedtls_ctr_drbg_free(&r->drbg);
    mbedtls_entropy_free(&r->entropy);
}

uint64_t tls_rig_count(const tls_rig *r, sio_counter counter)
{
    return sio_metric_get(&r->loop.counters[counter]);
}

/* -------------------------------------------------------------- the owner --
 */

static void on_input(void *owner, uint8_t *data, size_t len)
{
    tls_conn *c = owner;
    c->inputs++;
    REQUIRE(sio_buf_append(&c->got, (sio_bytes){data, len}) == SIO_OK);
    memset(data, 0xee, len); /* it may be changed */
    if (c->pauses) {
        c->stream->ops->pause(c->stream, true);
    }
    if (c->moves != NULL) {
        tp_loop *to = c->moves;
        c->moves = NULL;
        c->stream->ops->leave(c->stream);
        c->stream->ops->enter(c->stream, to);
    }
    if (c->closes) {
        c->stream->ops->close(c->stream);
        c->stream = NULL;
    }
}

static void on_writable(void *owner)
{
    ((tls_conn *)owner)->writables++;
}

static void on_ended(void *owner, sio_error why)
{
    tls_conn *c = owner;
    c->ends++;
    c->why = why;
}

static const tp_stream_events owner_events = {
    .input = on_input,
    .writable = on_writable,
    .ended = on_ended,
};

/* ------------------------------------------------------------- the client --
 */

static int client_send(void *arg, const unsigned char *buf, size_t len)
{
    tls_conn *c = arg;
    REQUIRE(sio_buf_append(&c->to_server, (sio_bytes){buf, len}) == SIO_OK);
    return (int)len;
}

static int client_recv(void *arg, unsigned char *buf, size_t len)
{
    tls_conn *c = arg;
    size_t left = c->under.out.len - c->read;
    size_t n = len < left ? len : left;
    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(buf, c->under.out.base + c->read, n);
    c->read += n;
    return (int)n;
}

static void show_certificate(tls_conn *c, const tls_cert *cert)
{
    const unsigned char *pem = (const unsigned char *)cert->cert;
    REQUIRE(mbedtls_x509_crt_parse(&c->crt, pem, strlen(cert->cert) + 1) == 0);
    REQUIRE(tp_tls_parse_key(&c->key, (const unsigned char *)cert->key,
                             strlen(cert->key) + 1, NULL, &c->rig->drbg) == 0);
    REQUIRE(mbedtls_ssl_conf_own_cert(&c->conf, &c->crt, &c->key) == 0);
}

static void configure(tls_conn *c, const tls_client_options *o)
{
    const tls_cert *ca = tls_cert_ca();
    REQUIRE(mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT,
                                        MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&c->conf, mbedtls_ctr_drbg_random, &c->rig->drbg);
    REQUIRE(mbedtls_x509_crt_parse(&c->ca, (const unsigned char *)ca->cert,
                                   strlen(ca->cert) + 1) == 0);
    mbedtls_ssl_conf_ca_chain(&c->conf, &c->ca, NULL);
    if (o->cert != NULL) {
        show_certificate(c, o->cert);
    }
    if (o->alpn != NULL) {
        REQUIRE(mbedtls_ssl_conf_alpn_protocols(
                    &c->conf, (const char **)(uintptr_t)o->alpn) == 0);
    }
    if (o->renegotiates) {
        mbedtls_ssl_conf_renegotiation(&c->conf,
                                       MBEDTLS_SSL_RENEGOTIATION_ENABLED);
    }
#if MBEDTLS_VERSION_MAJOR < 3
    if (o->old) {
        mbedtls_ssl_conf_max_version(&c->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                                     MBEDTLS_SSL_MINOR_VERSION_2);
    }
#else
    /* Sessions, records and what a client may do again are those of 1.2. */
    if (!o->newest) {
        mbedtls_ssl_conf_max_tls_version(&c->conf, MBEDTLS_SSL_VERSION_TLS1_2);
    }
#if TP_TLS_HAS_1_3
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        &c->conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
#endif
}

void tls_conn_open(tls_conn *c, tls_rig *r, const tls_client_options *o)
{
    static const tls_client_options ordinary = {.host = "localhost"};
    o = o == NULL ? &ordinary : o;
    *c = (tls_conn){.rig = r, .most_fed = SIZE_MAX};
    memory_stream_init(&c->under);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_ssl_init(&c->ssl);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_x509_crt_init(&c->crt);
    mbedtls_pk_init(&c->key);
    configure(c, o);
    REQUIRE(mbedtls_ssl_setup(&c->ssl, &c->conf) == 0);
    if (o->host != NULL) {
        REQUIRE(mbedtls_ssl_set_hostname(&c->ssl, o->host) == 0);
    }
    if (o->session != NULL) {
        REQUIRE(mbedtls_ssl_set_session(&c->ssl, o->session) == 0);
    }
    mbedtls_ssl_set_bio(&c->ssl, c, client_send, client_recv, NULL);
    c->client = MBEDTLS_ERR_SSL_WANT_READ;
    c->stream = tp_tls_new(&c->under.base, &r->place);
    REQUIRE(c->stream != NULL);
    c->stream->ops->enter(c->stream, &r->loop);
    c->stream->events = &owner_events;
    c->stream->owner = c;
}

void tls_conn_close(tls_conn *c)
{
    if (c->stream != NULL) {
        c->stream->ops->close(c->stream);
    }
    memory_loop_turn(&c->rig->loop);
    REQUIRE(c->under.closed);
    memory_stream_deinit(&c->under);
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->conf);
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_x509_crt_free(&c->crt);
    mbedtls_pk_free(&c->key);
    sio_buf_deinit(&c->to_server);
    sio_buf_deinit(&c->got);
}

static size_t carry(tls_conn *c)
{
    size_t left = c->most_fed - c->fed;
    size_t len = c->to_server.len < left ? c->to_server.len : left;
    if (c->stream == NULL || !memory_stream_reads(&c->under)) {
        return 0;
    }
    size_t n = memory_stream_feed(
        &c->under, (sio_bytes){c->to_server.base, len}, c->piece);
    sio_buf_consume(&c->to_server, n);
    c->fed += n;
    return n;
}

bool tls_conn_step(tls_conn *c)
{
    size_t before = c->under.out.len + c->to_server.len, read = c->read;
    const tp_tls *tls = c->stream == NULL ? NULL : tls_conn_inside(c);
    if (c->client == MBEDTLS_ERR_SSL_WANT_READ) {
        c->client = mbedtls_ssl_handshake(&c->ssl);
    }
    size_t fed = carry(c);
    memory_loop_turn(&c->rig->loop);
    bool waits = tls != NULL && c->stream != NULL && sio_link_used(&tls->turn);
    return fed != 0 || waits || c->read != read ||
           c->under.out.len + c->to_server.len != before;
}

void tls_conn_pump(tls_conn *c)
{
    while (tls_conn_step(c)) {
    }
}

tp_tls *tls_conn_inside(const tls_conn *c)
{
    return SIO_OWNER(c->stream, tp_tls, base);
}

bool tls_conn_is_open(const tls_conn *c)
{
    return c->client == 0 && c->stream != NULL &&
           tls_conn_inside(c)->state == TP_TLS_STATE_OPEN;
}

void tls_conn_shake(tls_conn *c, tls_rig *r, const tls_client_options *o)
{
    tls_conn_open(c, r, o);
    tls_conn_pump(c);
    REQUIRE(tls_conn_is_open(c));
}

void tls_conn_say(tls_conn *c, sio_bytes bytes)
{
    while (bytes.len != 0) {
        int n = mbedtls_ssl_write(&c->ssl, bytes.base, bytes.len);
        REQUIRE(n > 0);
        bytes.base += n;
        bytes.len -= (size_t)n;
    }
    (void)carry(c);
    memory_loop_turn(&c->rig->loop);
}

sio_buf tls_conn_hear(tls_conn *c, int *end)
{
    sio_buf heard = {0};
    unsigned char room[4096];
    while ((*end = mbedtls_ssl_read(&c->ssl, room, sizeof(room))) > 0) {
        REQUIRE(sio_buf_append(&heard, (sio_bytes){room, (size_t)*end}) ==
                SIO_OK);
    }
    return heard;
}

unsigned tls_conn_records(const tls_conn *c, size_t from, uint8_t type)
{
    const uint8_t *at = c->under.out.base;
    unsigned count = 0;
    while (from + 5 <= c->under.out.len) {
        count += at[from] == type;
        from += 5 + ((size_t)at[from + 3] << 8 | at[from + 4]);
    }
    return count;
}
