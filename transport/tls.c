#include "transport/tls.h"

#include <stdlib.h>
#include <string.h>

#include "transport/admission.h"
#include "transport/tls_impl.h"

static tp_tls *of(tp_stream *s)
{
    return SIO_OWNER(s, tp_tls, base);
}

/* ---------------------------------------------------------------- the end --
 */

static void free_tls(tp_tls *tls)
{
    if (tls->set_up) {
        mbedtls_ssl_free(&tls->ssl);
    }
    tp_tls_context_unref(tls->context);
    sio_buf_deinit(&tls->held);
    sio_buf_deinit(&tls->out);
    free(tls->subject);
    free(tls);
}

static void destroy(sio_mortal *mortal)
{
    free_tls(SIO_OWNER(mortal, tp_tls, mortal));
}

void tp_tls_tell_ended(tp_tls *tls, sio_error why)
{
    if (tls->state == TP_TLS_STATE_ENDED) {
        return;
    }
    tls->state = TP_TLS_STATE_ENDED;
    sio_wheel_cancel(&tls->loop->wheel, &tls->timer);
    sio_link_drop(&tls->turn);
    tls->inner->ops->pause(tls->inner, true);
    tls->base.events->ended(tls->base.owner, why);
}

/* The connection broke while the owner was not looking: it is told before the
 * turn ends. */
static void break_off(tp_tls *tls)
{
    tls->dead = true;
    sio_buf_deinit(&tls->out);
    tp_loop_dirty(tls->loop, &tls->dirty);
}

/* Whether there is TLS, and it works, be it that the peer has ended its side.
 */
static bool can_send(const tp_tls *tls)
{
    return !tls->dead && (tls->state == TP_TLS_STATE_OPEN ||
                          tls->state == TP_TLS_STATE_ENDED);
}

void tp_tls_sync_pause(tp_tls *tls)
{
    bool paused = tls->base.paused;
    if (tls->state == TP_TLS_STATE_HANDSHAKE) {
        paused = tp_tls_handshake_is_full(tls);
    } else if (tls->state != TP_TLS_STATE_OPEN) {
        paused = tls->state == TP_TLS_STATE_ENDED;
    }
    tls->inner->ops->pause(tls->inner, paused || tls->inner_ended);
}

/* ---------------------------------------------------------------- sending --
 */

void tp_tls_flush(tp_tls *tls)
{
    while (tls->out.len != 0 && !tls->inner->blocked) {
        struct iovec piece = {tls->out.base, tls->out.len};
        size_t sent = 0;
        if (tls->inner->ops->send(tls->inner, &piece, 1, &sent) != SIO_OK) {
            break_off(tls);
            return;
        }
        sio_buf_consume(&tls->out, sent);
        if (sent < piece.iov_len) {
            return; /* `writable` follows */
        }
    }
    if (tls->out.len == 0 && tls->shut_inner) {
        tls->shut_inner = false;
        tls->inner->ops->shut(tls->inner);
    }
}

/* Where the next bytes of some pieces are. */
typedef struct cursor {
    const struct iovec *piece;
    int left;    /* pieces, that one included */
    size_t used; /* of that one */
} cursor;

static void skip_empty(cursor *at)
{
    while (at->left > 0 && at->used == at->piece->iov_len) {
        at->piece++;
        at->left--;
        at->used = 0;
    }
}

/* The bytes for one record, at most `most`: where they are, or gathered in
 * `room`.  Empty at the end. */
static sio_bytes next_record(cursor *at, size_t most, uint8_t *room)
{
    sio_bytes record = {room, 0};
    skip_empty(at);
    while (at->left > 0 && record.len < most) {
        const uint8_t *base = (const uint8_t *)at->piece->iov_base + at->used;
        size_t len = at->piece->iov_len - at->used;
        len = len < most - record.len ? len : most - record.len;
        at->used += len;
        skip_empty(at);
        if (record.len == 0 && (at->left == 0 || len == most)) {
            return (sio_bytes){base, len};
        }
        memcpy(room + record.len, base, len);
        record.len += len;
    }
    return record;
}

/* Sends pieces record by record, as long as `inner` takes all. */
static sio_error send_records(tp_tls *tls, cursor *at, size_t *sent)
{
    size_t most = tls->record_most;
    uint8_t *room = tls->loop->tls->gather;
    sio_bytes record;
    while (tls->out.len == 0 && (record = next_record(at, most, room)).len) {
        int rc = mbedtls_ssl_write(&tls->ssl, record.base, record.len);
        if (rc < 0 || (size_t)rc != record.len) {
            tls->dead = true;
            return SIO_ERR_IO;
        }
        *sent += record.len;
    }
    return SIO_OK;
}

static sio_error send_pieces(tp_stream *s, const struct iovec *pieces,
                             int count, size_t *sent)
{
    tp_tls *tls = of(s);
    cursor at = {pieces, count, 0};
    sio_error err = SIO_OK;
    *sent = 0;
    if (tls->dead || !tp_tls_borrow_out(tls)) {
        return SIO_ERR_IO;
    }
    if (can_send(tls)) {
        err = send_records(tls, &at, sent);
    }
    skip_empty(&at);
    if (at.left > 0) {
        tls->base.blocked = true;
    }
    tp_tls_give_back(tls);
    return err;
}

static void on_inner_writable(void *owner)
{
    tp_tls *tls = owner;
    tp_tls_flush(tls);
    if (tls->out.len == 0 && tls->base.blocked && can_send(tls)) {
        tls->base.blocked = false;
        tls->base.events->writable(tls->base.owner);
    }
}

/* Says that nothing more comes; once, and only where there is TLS. */
static void say_goodbye(tp_tls *tls)
{
    if (tls->shut || !can_send(tls) || !tp_tls_borrow_out(tls)) {
        return;
    }
    tls->shut = true;
    if (mbedtls_ssl_close_notify(&tls->ssl) != 0) {
        tls->dead = true;
    }
    tp_tls_give_back(tls);
}

static void shut(tp_stream *s)
{
    tp_tls *tls = of(s);
    say_goodbye(tls);
    tls->shut_inner = true;
    tp_tls_flush(tls);
}

/* ---------------------------------------------------------------- reading --
 */

void tp_tls_keep_rest(tp_tls *tls)
{
    if (tls->feed.len != 0 && sio_buf_append(&tls->held, tls->feed) != SIO_OK) {
        break_off(tls); /* there is a hole in what comes */
    }
    tls->feed = (sio_bytes){0};
}

void tp_tls_inner_over(tp_tls *tls)
{
    bool cut = tls->inner_why == SIO_OK;
    if (cut && tls->state == TP_TLS_STATE_OPEN) {
        tp_tls_count(tls, SIO_COUNTER_TLS_TRUNCATED);
    }
    tls->dead = true;
    tp_tls_tell_ended(tls, cut ? SIO_ERR_TRUNCATED : SIO_ERR_IO);
}

/* Fills `plain` from the records in `feed`.  Returns 0 when it is full, or what
 * mbedTLS said, WANT_READ once there is no whole record left.  It has taken a
 * record whole when it has given some of it, as there was room for that. */
static int fill(tp_tls *tls, uint8_t *plain, size_t *len)
{
    *len = 0;
    while (*len <= TP_TLS_PLAIN - TP_TLS_RECORD) {
        size_t before = tls->feed.len;
        int rc = mbedtls_ssl_read(&tls->ssl, plain + *len, TP_TLS_PLAIN - *len);
        if (rc > 0) {
            *len += (size_t)rc;
            if (tls->feed.len == 0) {
                return MBEDTLS_ERR_SSL_WANT_READ;
            }
        } else if ((rc != 0 && rc != MBEDTLS_ERR_SSL_WANT_READ) ||
                   tls->feed.len == before) {
            return rc == 0 ? MBEDTLS_ERR_SSL_WANT_READ : rc;
        } /* else it was a record without data: there may be others */
    }
    return 0;
}

/* No more records can be read, for what `code` says. */
static void end_reading(tp_tls *tls, int code)
{
    char why[256];
    tls->feed = (sio_bytes){0};
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        tp_tls_tell_ended(tls, SIO_OK);
        return;
    }
    if (code == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE && !tls->alerted) {
        /* It leaves this one to its caller. */
        (void)mbedtls_ssl_send_alert_message(
            &tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
            MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE);
    }
    tls->dead = true;
    tp_tls_error_text(code, why, sizeof(why));
    tp_tls_note_failure(tls, SIO_ERR_TLS, why);
    tp_tls_tell_ended(tls, SIO_ERR_TLS);
}

static bool is_reading(const tp_tls *tls)
{
    return tls->inner != NULL && tls->state == TP_TLS_STATE_OPEN &&
           !tls->base.paused && !tls->dead;
}

/* Hands up what is in `feed`; what its owner does not want yet is kept.
 * Returns false when the stream has left, and may be another thread's. */
static bool read_records(tp_tls *tls)
{
    tp_tls_loop *shared = tls->loop->tls;
    int rc = 0;
    if (!tp_tls_borrow_in(tls)) {
        tls->dead = true;
        tp_tls_tell_ended(tls, SIO_ERR_NO_MEMORY);
        return true;
    }
    (void)tp_tls_borrow_out(tls); /* for an alert; not without memory */
    shared->reading = tls;
    while (rc == 0 && is_reading(tls)) {
        size_t len;
        rc = fill(tls, shared->plain, &len);
        if (len != 0) {
            tls->base.events->input(tls->base.owner, shared->plain, len);
        }
        if (shared->reading != tls) {
            return false;
        }
    }
    shared->reading = NULL;
    if (tls->inner == NULL) {
        return true;
    }
    if (rc != 0 && rc != MBEDTLS_ERR_SSL_WANT_READ) {
        end_reading(tls, rc);
    }
    if (tls->inner != NULL) {
        tp_tls_keep_rest(tls);
        tp_tls_give_back(tls);
    }
    return true;
}

void tp_tls_read_held(tp_tls *tls)
{
    if (tls->held.len != 0 && is_reading(tls)) {
        sio_buf taken = tls->held;
        tls->held = (sio_buf){0};
        tls->feed = sio_buf_view(&taken);
        bool here = read_records(tls);
        sio_buf_deinit(&taken);
        if (!here) {
            return;
        }
    }
    if (tls->inner != NULL && tls->inner_ended && tls->held.len == 0) {
        tp_tls_inner_over(tls);
    }
}

static void take_input(tp_tls *tls, uint8_t *data, size_t len)
{
    sio_bytes bytes = {data, len};
    if (tls->state == TP_TLS_STATE_HANDSHAKE) {
        tp_tls_handshake_input(tls, bytes);
    } else if (tls->state == TP_TLS_STATE_OPEN && tls->held.len == 0) {
        tls->feed = bytes;
        (void)read_records(tls);
    } else if (tls->state == TP_TLS_STATE_OPEN) {
        if (sio_buf_append(&tls->held, bytes) == SIO_OK) {
            tp_tls_read_held(tls);
        } else {
            break_off(tls);
        }
    }
}

static void on_inner_input(void *owner, uint8_t *data, size_t len)
{
    tp_tls *tls = owner;
    if (tls->base.wants_proxy) {
        tls->base.events->input(tls->base.owner, data, len);
    } else {
        take_input(tls, data, len);
    }
}

static void on_inner_ended(void *owner, sio_error why)
{
    tp_tls *tls = owner;
    bool waits = sio_link_used(&tls->turn);
    tls->inner_ended = true;
    tls->inner_why = why;
    if (tls->state == TP_TLS_STATE_LINGER) {
        tp_tls_tell_ended(tls, SIO_ERR_TLS);
    } else if (tls->state == TP_TLS_STATE_HANDSHAKE && tls->set_up && !waits &&
               why == SIO_OK) {
        tp_tls_note_failure(tls, SIO_ERR_TLS,
                            "the peer ended the connection in the handshake");
        tp_tls_tell_ended(tls, SIO_ERR_TLS);
    } else if (!waits || why != SIO_OK) {
        tp_tls_inner_over(tls);
    }
}

static const tp_stream_events inner_events = {
    .input = on_inner_input,
    .writable = on_inner_writable,
    .ended = on_inner_ended,
};

/* ------------------------------------------------------------- operations --
 */

/* Goes on with what was held back, and sends what was left over. */
static void go_on(tp_dirty *dirty)
{
    tp_tls *tls = SIO_OWNER(dirty, tp_tls, dirty);
    if (tls->dead && tls->state == TP_TLS_STATE_OPEN) {
        tp_tls_tell_ended(tls, SIO_ERR_IO);
        return;
    }
    tp_tls_flush(tls);
    if (tls->inner != NULL && tls->state == TP_TLS_STATE_OPEN) {
        tp_tls_read_held(tls);
    }
}

static void pause_reading(tp_stream *s, bool paused)
{
    tp_tls *tls = of(s);
    tls->base.paused = paused;
    tp_tls_sync_pause(tls);
    if (!paused && tls->held.len != 0 && tls->state == TP_TLS_STATE_OPEN) {
        tp_loop_dirty(tls->loop, &tls->dirty);
    }
}

static void close_now(tp_stream *s)
{
    tp_tls *tls = of(s);
    if (tls->inner == NULL) {
        return;
    }
    tp_stream_vacate(s);
    if (tls->loop == NULL) {
        tls->inner->ops->close(tls->inner);
        free_tls(tls);
        return;
    }
    say_goodbye(tls);
    tp_tls_give_back(tls);
    sio_wheel_cancel(&tls->loop->wheel, &tls->timer);
    sio_link_drop(&tls->turn);
    sio_link_drop(&tls->dirty.link);
    tls->inner->ops->close(tls->inner);
    tls->inner = NULL;
    sio_reap_later(&tls->loop->doomed, &tls->mortal);
}

static void narrow(tp_stream *s)
{
    of(s)->inner->ops->narrow(of(s)->inner);
}

static void leave(tp_stream *s)
{
    tp_tls *tls = of(s);
    tp_tls_keep_rest(tls);
    tp_tls_give_back(tls);
    if (tls->loop->tls != NULL && tls->loop->tls->reading == tls) {
        tls->loop->tls->reading = NULL;
    }
    sio_wheel_cancel(&tls->loop->wheel, &tls->timer);
    sio_link_drop(&tls->turn);
    sio_link_drop(&tls->dirty.link);
    tls->inner->ops->leave(tls->inner);
    tls->loop = NULL;
}

static void enter(tp_stream *s, tp_loop *loop)
{
    tp_tls *tls = of(s);
    tls->loop = loop;
    tls->base.paused = false;
    tls->base.blocked = false;
    tls->inner->ops->enter(tls->inner, loop);
    tls->dead |= !tp_tls_loop_prepare(loop);
    if (tls->state == TP_TLS_STATE_HANDSHAKE && !tls->base.wants_proxy) {
        tp_tls_handshake_start(tls);
    }
    if (tls->dead || tls->held.len != 0 || tls->out.len != 0) {
        tp_loop_dirty(loop, &tls->dirty);
    }
}

static void feed(tp_stream *s, uint8_t *data, size_t len)
{
    tp_tls *tls = of(s);
    tp_tls_handshake_start(tls);
    if (len != 0) {
        take_input(tls, data, len);
    }
}

static const char *subject(const tp_stream *s)
{
    return of((tp_stream *)(uintptr_t)s)->subject;
}

static const tp_stream_ops tls_ops = {
    .send = send_pieces,
    .pause = pause_reading,
    .narrow = narrow,
    .shut = shut,
    .close = close_now,
    .leave = leave,
    .enter = enter,
    .feed = feed,
    .subject = subject,
};

tp_stream *tp_tls_new(tp_stream *inner, tp_tls_place *place)
{
    tp_tls *tls = calloc(1, sizeof(*tls));
    if (tls == NULL) {
        inner->ops->close(inner);
        return NULL;
    }
    tls->base.ops = &tls_ops;
    tls->base.peer = inner->peer;
    tls->base.wants_proxy = inner->wants_proxy;
    tls->base.secure = true;
    tls->dirty.flush = go_on;
    tls->mortal.destroy = destroy;
    tls->context = tp_tls_place_context(place);
    tls->inner = inner;
    inner->events = &inner_events;
    inner->owner = tls;
    return &tls->base;
}
