#include <stdlib.h>

#include "transport/front_impl.h"
#include "transport/proxy_protocol.h"

/*
 * Connections that proxies make, before their PROXY header has come.  It stands
 * in front of all else, so nothing behind it is looked at meanwhile; then the
 * stream goes on as if it were the client's own.
 */
typedef struct tp_gate {
    sio_mortal mortal;
    sio_link link; /* in front->gates */
    tp_front *front;
    tp_stream *stream;
    sio_timer timer;
    sio_buf in; /* the header as far as it has come */
    bool begun; /* something has come */
} tp_gate;

/* How long one may still take that has begun when all is closed. */
#define SETTLE_MS 200

static void destroy(sio_mortal *mortal)
{
    tp_gate *gate = SIO_OWNER(mortal, tp_gate, mortal);
    sio_buf_deinit(&gate->in);
    free(gate);
}

/* Leaves nothing but memory, which goes at the end of the turn. */
static tp_stream *bury(tp_gate *gate)
{
    tp_stream *stream = gate->stream;
    gate->stream = NULL;
    sio_wheel_cancel(&gate->front->loop->wheel, &gate->timer);
    sio_link_drop(&gate->link);
    sio_reap_later(&gate->front->loop->doomed, &gate->mortal);
    return stream;
}

static void close_gate(tp_gate *gate)
{
    tp_front *front = gate->front;
    tp_stream *stream = bury(gate);
    stream->ops->close(stream);
    tp_front_connection_ended(front);
}

static void tell_refused(tp_front *front, const tp_stream *stream,
                         sio_error err, const char *why)
{
    char address[TP_ADDRESS_SIZE];
    eio_count(front->engine, SIO_COUNTER_PROXY_ERRORS);
    eio_count_error(front->engine, err);
    (void)tp_stream_address(stream, address);
    sio_log_write(front->loop->log, SIO_LOG_WARN, "proxy_refused",
                  "address %s: %s", address, why);
}

/* One from which nothing has come is closed without a word: that is how some
 * proxies look whether there is anybody. */
static void refuse(tp_gate *gate, sio_error err)
{
    if (gate->begun) {
        tell_refused(gate->front, gate->stream, err, sio_error_text(err));
    }
    close_gate(gate);
}

static void on_timer(sio_timer *timer)
{
    refuse(SIO_OWNER(timer, tp_gate, timer), SIO_ERR_TIMEOUT);
}

static void on_ended(void *owner, sio_error why)
{
    (void)why;
    refuse(owner, SIO_ERR_PROXY);
}

static void on_writable(void *owner)
{
    (void)owner;
}

/* What follows the header in `data` is the client's. */
static void let_through(tp_gate *gate, const tp_proxy_header *header,
                        uint8_t *data, size_t len)
{
    tp_front *front = gate->front;
    tp_stream *stream = bury(gate);
    stream->wants_proxy = false;
    stream->nameless = !header->known || header->client.kind == TP_ADDRESS_UNIX;
    stream->secure = stream->secure || header->secure;
    if (header->known) {
        stream->peer = header->client;
    }
    if (front->config->admission != NULL && !tp_front_lets_in(front, stream)) {
        stream->ops->close(stream);
        tp_front_connection_ended(front);
        return;
    }
    tp_http_conn *conn = tp_front_serve(front, stream);
    if (conn != NULL && front->closing) {
        tp_http_conn_finish(conn);
    }
    if (conn != NULL && stream->ops->feed != NULL) {
        stream->ops->feed(stream, data + header->size, len - header->size);
    } else if (conn != NULL && len > header->size) {
        stream->events->input(stream->owner, data + header->size,
                              len - header->size);
    }
}

static void on_input(void *owner, uint8_t *data, size_t len)
{
    tp_gate *gate = owner;
    tp_proxy_header header;
    sio_bytes in = {data, len};
    sio_error err = SIO_OK;
    bool kept = gate->in.len != 0;
    gate->begun = true;
    if (kept) {
        err = sio_buf_append(&gate->in, in);
        data = gate->in.base;
        in = sio_buf_view(&gate->in);
    }
    if (err == SIO_OK) {
        err = tp_proxy_header_decode(in, &header);
    }
    if (err == SIO_MORE && !kept && sio_buf_append(&gate->in, in) != SIO_OK) {
        err = SIO_ERR_NO_MEMORY;
    }
    if (err == SIO_OK) {
        let_through(gate, &header, data, in.len);
    } else if (err != SIO_MORE) {
        refuse(gate, err);
    }
}

static const tp_stream_events gate_events = {
    .input = on_input,
    .writable = on_writable,
    .ended = on_ended,
};

bool tp_front_trusts(tp_front *front, const tp_stream *stream)
{
    const tp_trusted *trusted = front->config->http.trusted;
    bool trusts = trusted != NULL && tp_trusted_has(trusted, &stream->peer);
    if (!trusts) {
        tell_refused(front, stream, SIO_ERR_PROXY, "not a trusted proxy");
    }
    return trusts;
}

void tp_front_await_proxy(tp_front *front, tp_stream *stream)
{
    tp_gate *gate = calloc(1, sizeof(*gate));
    if (gate == NULL) {
        tp_loop_lacks(front->loop, "a connection");
        stream->ops->close(stream);
        tp_front_connection_ended(front);
        return;
    }
    gate->mortal.destroy = destroy;
    gate->timer.fire = on_timer;
    gate->front = front;
    gate->stream = stream;
    stream->events = &gate_events;
    stream->owner = gate;
    sio_list_append(&front->gates, &gate->link);
    uint32_t patience =
        front->closing ? SETTLE_MS : front->config->http.header_timeout;
    sio_wheel_arm(&front->loop->wheel, &gate->timer,
                  front->loop->now + patience);
}

void tp_front_close_gates(tp_front *front)
{
    for (sio_link *at = front->gates.next; at != &front->gates; at = at->next) {
        tp_gate *gate = SIO_OWNER(at, tp_gate, link);
        sio_wheel_arm(&front->loop->wheel, &gate->timer,
                      front->loop->now + SETTLE_MS);
    }
}

void tp_front_abort_gates(tp_front *front)
{
    while (!sio_list_empty(&front->gates)) {
        close_gate(SIO_OWNER(front->gates.next, tp_gate, link));
    }
}
