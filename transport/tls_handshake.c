#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "transport/tls_impl.h"

/*
 * Handshakes.  One step of them may take milliseconds, so those of a loop that
 * have a step to make stand in a line.  In a turn of the loop the first of them
 * are served, until BUDGET_US have passed; then all else has its turn.
 */
#define BUDGET_US 100

/* How much may come before a handshake has had its turn. */
#define HELD_MOST ((size_t)32 * 1024)

/* How long a peer whose handshake has failed may go on sending: closing at once
 * would destroy the alert on its way. */
#define LINGER_MS 1000

/* What a record with an alert begins with (RFC 5246, section 6.2.1). */
#define CONTENT_ALERT 0x15

static uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* --------------------------------------------------------------- failures --
 */

void tp_tls_note_failure(tp_tls *tls, sio_error err, const char *why)
{
    tp_loop *loop = tls->loop;
    char address[TP_ADDRESS_SIZE];
    tp_tls_count(tls, err == SIO_ERR_TIMEOUT ? SIO_COUNTER_TLS_TIMEOUTS
                                             : SIO_COUNTER_TLS_ERRORS);
    if (sio_error_is_peers(err)) {
        tp_tls_count(tls, SIO_COUNTER_PEER_ERRORS);
    }
    if (loop->error_counts != NULL) {
        sio_metric_add(&loop->error_counts[-err], 1);
    }
    if (sio_log_wants(loop->log, SIO_LOG_WARN)) {
        (void)tp_stream_address(&tls->base, address);
        sio_log_write(loop->log, SIO_LOG_WARN, "tls_refused", "address %s: %s",
                      address, why);
    }
}

void tp_tls_error_text(int code, char *out, size_t cap)
{
    mbedtls_strerror(code, out, cap);
}

/* The peer is told, as far as there is something to tell, and may end. */
static void linger(tp_tls *tls)
{
    tls->state = TP_TLS_STATE_LINGER;
    tls->dead = true;
    tls->shut = true;
    tls->shut_inner = true;
    sio_link_drop(&tls->turn);
    sio_buf_deinit(&tls->held);
    tp_tls_give_back(tls);
    tp_tls_flush(tls);
    if (tls->inner_ended) {
        tp_tls_tell_ended(tls, SIO_ERR_TLS);
        return;
    }
    tp_tls_sync_pause(tls);
    sio_wheel_arm(&tls->loop->wheel, &tls->timer, tls->loop->now + LINGER_MS);
}

static void fail(tp_tls *tls, const char *why)
{
    tp_tls_note_failure(tls, SIO_ERR_TLS, why);
    linger(tls);
}

/* What is wrong with the client's certificate, in one line. */
static void certificate_text(uint32_t flaws, char *out, size_t cap)
{
    int len = mbedtls_x509_crt_verify_info(out, cap, "", flaws);
    for (char *at = out; len > 0 && *at != '\0'; at++) {
        if (*at == '\n') {
            *at = at[1] == '\0' ? '\0' : ' ';
        }
    }
    if (len < 0) {
        (void)snprintf(out, cap, "flaws %x", (unsigned)flaws);
    }
}

/* Sees that the peer hears of it: not for all of its reasons does mbedTLS send
 * an alert. */
static void alert(tp_tls *tls, int code)
{
    if (!tls->alerted && code != MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        (void)mbedtls_ssl_send_alert_message(
            &tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
            MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    }
}

static void fail_step(tp_tls *tls, int code)
{
    char why[256];
    tp_tls_mend_keys(tls->context, code);
    alert(tls, code);
    if (tls->flaws != 0) {
        certificate_text(tls->flaws, why, sizeof(why));
    } else {
        tp_tls_error_text(code, why, sizeof(why));
    }
    fail(tls, why);
}

/* ------------------------------------------------------------- plain HTTP --
 */

/* A method's first letter is no content type of TLS. */
static bool is_plain_http(const tp_tls *tls)
{
    return !tls->set_up && tls->held.len != 0 && tls->held.base[0] >= 'A' &&
           tls->held.base[0] <= 'Z';
}

static void refuse_plain_http(tp_tls *tls)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
        "Content-Length: 42\r\nConnection: close\r\n\r\n"
        "This port speaks TLS: use https: or wss:.\n";
    (void)sio_buf_append(&tls->out, SIO_LIT(answer));
    fail(tls, "plain HTTP at a port with TLS");
}

/* ------------------------------------------------------------------ steps --
 */

static int feed_input(void *arg, unsigned char *buf, size_t len)
{
    tp_tls *tls = arg;
    size_t n = len < tls->feed.len ? len : tls->feed.len;
    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(buf, tls->feed.base, n);
    tls->feed.base += n;
    tls->feed.len -= n;
    return (int)n;
}

/* What may wait for a peer that does not read, but has us send: alerts. */
#define OUT_MOST ((size_t)64 * 1024)

/* In a handshake all is kept until the other side's turn has come: it leaves in
 * one piece.  Later it is sent, and kept is what `inner` does not take. */
static int put_output(void *arg, const unsigned char *buf, size_t len)
{
    tp_tls *tls = arg;
    size_t sent = 0;
    if (tls->out.len > OUT_MOST || tls->loop == NULL) {
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    tls->alerted |= buf[0] == CONTENT_ALERT;
    if (tls->state != TP_TLS_STATE_HANDSHAKE && tls->out.len == 0) {
        struct iovec piece = {(void *)(uintptr_t)buf, len};
        if (tls->inner->ops->send(tls->inner, &piece, 1, &sent) != SIO_OK) {
            return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
        }
    }
    if (sent < len &&
        sio_buf_append(&tls->out, (sio_bytes){buf + sent, len - sent}) !=
            SIO_OK) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    return (int)len;
}

/* A certificate that need not have been shown has to be in order all the same.
 * Where one is required, mbedTLS sees to that. */
static int on_certificate(void *arg, mbedtls_x509_crt *crt, int depth,
                          uint32_t *flags)
{
    tp_tls *tls = arg;
    (void)crt;
    tls->flaws |= *flags;
    return depth == 0 && tls->flaws != 0 && tp_tls_client_may_show(tls->context)
               ? MBEDTLS_ERR_X509_FATAL_ERROR
               : 0;
}

static bool set_up(tp_tls *tls)
{
    mbedtls_ssl_init(&tls->ssl);
    tls->set_up = true;
    if (mbedtls_ssl_setup(&tls->ssl, tp_tls_conf(tls->context)) != 0) {
        return false;
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, put_output, feed_input, NULL);
    mbedtls_ssl_set_verify(&tls->ssl, on_certificate, tls);
    return true;
}

static void note_subject(tp_tls *tls)
{
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&tls->ssl);
    char text[1024];
    if (crt != NULL &&
        mbedtls_x509_dn_gets(text, sizeof(text), &crt->subject) > 0) {
        tls->subject = strdup(text);
    }
}

static uint16_t record_most(const tp_tls *tls)
{
    int most = mbedtls_ssl_get_max_out_record_payload(&tls->ssl);
    return (uint16_t)(most > 0 && most < TP_TLS_RECORD ? most : TP_TLS_RECORD);
}

/* The handshake is over; its owner's part begins. */
static void open_up(tp_tls *tls)
{
    tls->record_most = record_most(tls);
    tls->state = TP_TLS_STATE_OPEN;
    tls->flaws = 0;
    sio_wheel_cancel(&tls->loop->wheel, &tls->timer);
    tp_tls_count(tls, SIO_COUNTER_TLS_HANDSHAKES);
    if (!tls->full) {
        tp_tls_count(tls, SIO_COUNTER_TLS_RESUMED);
    }
    note_subject(tls);
    tp_tls_end_handshake(tls);
    tp_tls_give_back(tls);
    tp_tls_flush(tls);
    tp_tls_sync_pause(tls);
    tp_tls_read_held(tls);
}

static bool is_over(const tp_tls *tls)
{
    return tls->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER;
}

/* Makes steps with what is held, until `until` has passed. */
static int make_steps(tp_tls *tls, uint64_t until)
{
    sio_buf taken = tls->held;
    int rc;
    tls->held = (sio_buf){0};
    tls->feed = sio_buf_view(&taken);
    do {
        tls->full |= tls->ssl.state == MBEDTLS_SSL_SERVER_CERTIFICATE;
        rc = mbedtls_ssl_handshake_step(&tls->ssl);
    } while (rc == 0 && !is_over(tls) && now_us() < until);
    tp_tls_keep_rest(tls);
    sio_buf_deinit(&taken);
    return rc;
}

/* One turn of a handshake.  Returns whether it has more to do. */
static bool advance(tp_tls *tls, uint64_t until)
{
    if (is_plain_http(tls)) {
        refuse_plain_http(tls);
        return false;
    }
    if (!tls->set_up && !set_up(tls)) {
        fail(tls, sio_error_text(SIO_ERR_NO_MEMORY));
        return false;
    }
    int rc = make_steps(tls, until);
    if (rc == 0 && !tls->dead) {
        if (!is_over(tls)) {
            return true;
        }
        open_up(tls); /* it may be another thread's by now */
        return false;
    }
    if (rc != MBEDTLS_ERR_SSL_WANT_READ || tls->dead) {
        fail_step(tls, rc);
        return false;
    }
    if (tls->inner_ended) {
        fail(tls, "the peer ended the connection in the handshake");
        return false;
    }
    tp_tls_flush(tls);
    tp_tls_sync_pause(tls);
    return tls->held.len != 0;
}

/* ---------------------------------------------------------------- waiting --
 */

static void serve_waiting(tp_dirty *dirty)
{
    tp_tls_loop *shared = SIO_OWNER(dirty, tp_tls_loop, dirty);
    uint64_t turn =
        sio_metric_get(&shared->loop->counters[SIO_COUNTER_LOOP_TURNS]) + 1;
    if (turn != shared->turn) {
        uint64_t until = now_us() + BUDGET_US;
        shared->turn = turn;
        /* Those that made it dirty may have gone. */
        while (!sio_list_empty(&shared->waiting) && now_us() < until) {
            tp_tls *tls = SIO_OWNER(shared->waiting.next, tp_tls, turn);
            sio_link_drop(&tls->turn);
            if (advance(tls, until)) {
                sio_list_append(&shared->waiting, &tls->turn);
            }
        }
    }
    if (!sio_list_empty(&shared->waiting)) {
        tp_loop_dirty(shared->loop, dirty);
    }
}

static void on_timer(sio_timer *timer)
{
    tp_tls *tls = SIO_OWNER(timer, tp_tls, timer);
    if (tls->state == TP_TLS_STATE_LINGER) {
        tp_tls_tell_ended(tls, SIO_ERR_TLS);
        return;
    }
    tls->dead = true;
    if (tls->set_up) {
        tp_tls_note_failure(tls, SIO_ERR_TIMEOUT,
                            "the handshake was not done in time");
    } else {
        tp_tls_count(tls, SIO_COUNTER_TLS_TIMEOUTS);
    }
    tp_tls_tell_ended(tls, SIO_ERR_TIMEOUT);
}

void tp_tls_handshake_start(tp_tls *tls)
{
    tls->timer.fire = on_timer;
    sio_wheel_arm(&tls->loop->wheel, &tls->timer,
                  tls->loop->now + tp_tls_handshake_timeout(tls->context));
}

void tp_tls_handshake_input(tp_tls *tls, sio_bytes bytes)
{
    tp_tls_loop *shared = tls->loop->tls;
    if (sio_buf_append(&tls->held, bytes) != SIO_OK) {
        fail(tls, sio_error_text(SIO_ERR_NO_MEMORY));
        return;
    }
    if (tls->held.len >= HELD_MOST) {
        tp_tls_sync_pause(tls);
    }
    if (!sio_link_used(&tls->turn)) {
        sio_list_append(&shared->waiting, &tls->turn);
        tp_loop_dirty(tls->loop, &shared->dirty);
    }
}

bool tp_tls_handshake_is_full(const tp_tls *tls)
{
    return tls->held.len >= HELD_MOST;
}

/* ----------------------------------------------------------- the loop's --
 */

bool tp_tls_loop_prepare(tp_loop *loop)
{
    if (loop->tls != NULL) {
        return true;
    }
    tp_tls_loop *shared = calloc(1, sizeof(*shared));
    if (shared == NULL) {
        return false;
    }
    shared->loop = loop;
    shared->dirty.flush = serve_waiting;
    shared->turn = UINT64_MAX;
    shared->plain = malloc(TP_TLS_PLAIN);
    shared->gather = malloc(TP_TLS_RECORD);
    sio_list_init(&shared->waiting);
    if (shared->plain == NULL || shared->gather == NULL) {
        tp_tls_loop_free(shared);
        return false;
    }
    loop->tls = shared;
    return true;
}

void tp_tls_loop_free(tp_tls_loop *shared)
{
    if (shared != NULL) {
        sio_link_drop(&shared->dirty.link);
        tp_tls_pool_deinit(&shared->in);
        tp_tls_pool_deinit(&shared->out);
        free(shared->plain);
        free(shared->gather);
        free(shared);
    }
}
