#include <stdlib.h>

#include "transport/front_impl.h"

/*
 * A connection on its way to another loop.  A session lives on one loop, and
 * its id tells on which; a request that comes in elsewhere is moved there
 * with its connection and with the bytes that have been read, and is read
 * again as if it had come there.  The connection stays, so those that come
 * after it on the same one are where they belong.
 */
typedef struct handover {
    sio_message message;
    tp_front *to;
    tp_stream *stream; /* of no loop */
    sio_buf bytes;     /* what has been read and is not used up */

    /* For a handshake that has been admitted already. */
    eio_request *request; /* or NULL */
    tp_entry entry;
    bool keep_alive;
    sio_buf extra;
    char sid[SIO_SESSION_ID_SIZE];
} handover;

/* It is not on its way any more. */
static void uncount(const handover *h)
{
    if (h->request != NULL) {
        atomic_fetch_sub_explicit(&h->to->coming, 1, memory_order_relaxed);
    }
}

static void discard(handover *h)
{
    eio_request_unref(h->request);
    sio_buf_deinit(&h->bytes);
    sio_buf_deinit(&h->extra);
    free(h);
}

/* There is nobody to take it any more. */
static void drop(sio_message *message)
{
    handover *h = SIO_OWNER(message, handover, message);
    h->stream->ops->close(h->stream);
    atomic_fetch_sub_explicit(&h->to->load, 1, memory_order_relaxed);
    uncount(h);
    discard(h);
}

static void arrive(sio_message *message)
{
    handover *h = SIO_OWNER(message, handover, message);
    tp_front *front = h->to;
    tp_stream *stream = h->stream;
    if (sio_inbox_closed(&front->loop->inbox)) {
        drop(message); /* it was sent off before the loop had ended */
        return;
    }
    uncount(h);
    stream->ops->enter(stream, front->loop);
    tp_http_conn *conn = tp_front_take(front, stream);
    if (conn != NULL && h->request != NULL) {
        eio_request *request = h->request;
        h->request = NULL;
        tp_http_conn_resume(conn, h->keep_alive, &h->bytes, &h->extra);
        tp_front_enter(&h->entry, conn, request, h->sid);
    } else if (conn != NULL && h->bytes.len != 0) {
        stream->events->input(stream->owner, h->bytes.base, h->bytes.len);
    } else if (conn != NULL && front->closing) {
        tp_http_conn_finish(conn);
    }
    discard(h);
}

/* Sends a connection off.  Takes `stream`, which is of no loop, and what `h`,
 * zeroed but for what travels with it, holds. */
static void send_off(tp_front *from, tp_front *to, tp_stream *stream,
                     const handover *what)
{
    handover *h = malloc(sizeof(*h));
    if (h == NULL) {
        tp_loop_lacks(from->loop, "a connection to move");
        handover lost = *what;
        lost.to = to;
        stream->ops->close(stream);
        atomic_fetch_sub_explicit(&to->load, 1, memory_order_relaxed);
        uncount(&lost);
        eio_request_unref(lost.request);
        sio_buf_deinit(&lost.bytes);
        sio_buf_deinit(&lost.extra);
        return;
    }
    *h = *what;
    h->message = (sio_message){.run = arrive, .drop = drop};
    h->to = to;
    h->stream = stream;
    if (sio_inbox_post(&to->loop->inbox, &h->message) != SIO_OK) {
        drop(&h->message);
    }
}

/* The connection is not this front's any more. */
static void let_go(tp_front *front, tp_front *to, tp_stream *stream)
{
    stream->ops->leave(stream);
    atomic_fetch_add_explicit(&to->load, 1, memory_order_relaxed);
    eio_count(front->engine, SIO_COUNTER_HANDED_OVER);
    tp_front_connection_ended(front);
}

void tp_front_move(tp_front *front, tp_front *to, tp_http_conn *conn,
                   const tp_http_request *req)
{
    handover h = {0};
    tp_stream *stream = tp_http_conn_move(conn, req, &h.bytes);
    if (stream == NULL) {
        tp_http_conn_abort(conn);
        return;
    }
    let_go(front, to, stream);
    send_off(front, to, stream, &h);
}

bool tp_front_hand_over(tp_front *front, tp_http_conn *conn,
                        const tp_http_request *req)
{
    eio_engine *engine = front->engine;
    uint8_t value[TP_FRONT_VALUE_MAX];
    sio_bytes sid = tp_front_value(req->head->query, SIO_LIT("sid"), value);
    unsigned home = eio_engine_home(engine, sid);
    if (sid.len == 0 || home == engine->index) {
        return false;
    }
    tp_front_move(front, front->peers[home], conn, req);
    return true;
}

void tp_front_hand_over_entry(const tp_entry *e, tp_front *to,
                              tp_http_conn *conn, eio_request *request,
                              const char *sid)
{
    tp_front *front = e->front;
    handover h = {
        .request = request,
        .entry = *e,
        .keep_alive = conn->keep_alive,
        .extra = conn->extra,
    };
    h.entry.front = to;
    memcpy(h.sid, sid, strlen(sid) + 1);
    conn->extra = (sio_buf){0};
    tp_stream *stream = tp_http_conn_detach(conn, &h.bytes);
    if (stream == NULL) {
        sio_buf_deinit(&h.extra);
        eio_request_unref(request);
        tp_http_conn_abort(conn);
        return;
    }
    atomic_fetch_add_explicit(&to->coming, 1, memory_order_relaxed);
    let_go(front, to, stream);
    send_off(front, to, stream, &h);
}

static uint64_t sessions_of(const tp_front *front)
{
    return sio_metric_get(&front->engine->counters[SIO_COUNTER_SESSIONS]) +
           atomic_load_explicit(&front->coming, memory_order_relaxed);
}

/* Connections are shared out evenly, and sessions with them, but for those of
 * clients whose requests share a connection, as a proxy's do: all would live
 * where that one is.  Moving costs more than a small difference does. */
#define UNEVEN 2

tp_front *tp_front_choose_home(tp_front *front)
{
    tp_front *least = front;
    uint64_t fewest = sessions_of(front), own = fewest;
    for (unsigned i = 0; i < front->peer_count; i++) {
        uint64_t count = sessions_of(front->peers[i]);
        if (count < fewest) {
            least = front->peers[i];
            fewest = count;
        }
    }
    return own > fewest + UNEVEN + fewest / 16 ? least : front;
}

void tp_front_pass_on(tp_front *front, tp_front *to, tp_stream *stream)
{
    send_off(front, to, stream, &(handover){0});
}
