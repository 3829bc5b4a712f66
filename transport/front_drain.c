#include "base/writer.h"
#include "transport/front_impl.h"

void tp_front_drain(tp_front *front, uint32_t retry_after)
{
    front->draining = true;
    front->retry_after = retry_after;
}

void tp_front_turn_away(tp_front *front, tp_http_conn *conn, bool upgrade)
{
    uint8_t line[64];
    sio_writer w = {line, sizeof(line), 0};
    if (front->retry_after != 0) {
        /* RFC 9110, section 10.2.3. */
        sio_write_bytes(&w, SIO_LIT("Retry-After: "));
        sio_write_uint(&w, front->retry_after);
        sio_write_bytes(&w, SIO_LIT("\r\n"));
    }
    sio_bytes extra = {line, w.len};
    eio_count(front->engine, SIO_COUNTER_REFUSED);
    if (upgrade) {
        tp_http_answer_refusal(conn, 503, extra, "Service Unavailable");
        return;
    }
    tp_http_answer_send(
        conn, &(tp_http_answer){.status = 503, .extra = extra, .close = true});
}

void tp_front_hurry(tp_front *front)
{
    sio_link *at = front->conns.next;
    while (at != &front->conns) {
        sio_link *next = at->next;
        tp_http_conn *conn = SIO_OWNER(at, tp_http_conn, link);
        if (conn->state == TP_HTTP_STATE_LINGER ||
            conn->state == TP_HTTP_STATE_FOREIGN) {
            tp_http_conn_abort(conn);
        }
        at = next;
    }
    at = front->websockets.next;
    while (at != &front->websockets) {
        sio_link *next = at->next;
        tp_websocket_hurry(tp_websocket_of_link(at));
        at = next;
    }
}
