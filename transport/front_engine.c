#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "transport/front_impl.h"
#include "transport/polling.h"
#include "transport/ws_handshake.h"

static bool origin_allowed(const tp_http_head *head)
{
    sio_bytes origin = tp_http_header_find(head, SIO_LIT("origin"));
    return origin.len == 0 || memchr(origin.base, 0x7f, origin.len) == NULL;
}

static eio_knock read_knock(const tp_front *front, const tp_http_head *head,
                            const tp_front_query *query)
{
    return (eio_knock){
        .transport = query->transport,
        .sid = query->sid,
        .protocol = eio_knock_revision(front->engine->config, query->eio),
        .is_get = head->method == TP_HTTP_METHOD_GET,
        .upgrade = head->upgrade,
        .origin_allowed = origin_allowed(head),
    };
}

/* -------------------------------------------------------------- refusals -- */

/* Counts, logs and reports a refusal.  `request` is borrowed; it may be NULL
 * where memory is short. */
static void tell_refused(tp_front *front, tp_http_conn *conn,
                         eio_request *request, eio_refusal refusal,
                         const char *message, const char *context)
{
    eio_count(front->engine, SIO_COUNTER_REFUSED);
    eio_count(front->engine,
              (sio_counter)(SIO_COUNTER_REFUSED_TRANSPORT + (int)refusal));
    if (request == NULL) {
        return;
    }
    sio_log_write(front->loop->log, SIO_LOG_WARN, "request_refused",
                  "address %s: code %d, %s, %s", eio_request_peer(request),
                  (int)refusal, message, context);
    if (front->hooks->refused != NULL) {
        tp_exchange x = {.conn = conn, .request = request};
        front->hooks->refused(front->app, &x, (int)refusal, message, context);
        sio_buf_deinit(&x.headers);
    }
}

static void answer_refusal(tp_http_conn *conn, eio_refusal refusal,
                           const char *message, bool upgrade, bool close)
{
    uint8_t body[512];
    sio_bytes text = {(const uint8_t *)message, strlen(message)};
    sio_writer w = {body, sizeof(body), 0};
    if (upgrade) {
        tp_http_answer_refusal(conn, 400, (sio_bytes){0}, message);
        return;
    }
    sio_write_bytes(&w, SIO_LIT("{\"code\":"));
    sio_write_uint(&w, (uint64_t)refusal);
    sio_write_bytes(&w, SIO_LIT(",\"message\":"));
    sio_json_write_string(&w, text.len > 400 ? SIO_LIT("Forbidden") : text);
    sio_write_bytes(&w, SIO_LIT("}"));
    tp_http_answer_send(
        conn, &(tp_http_answer){
                  .status = refusal == EIO_REFUSAL_FORBIDDEN ? 403 : 400,
                  .type = "application/json",
                  .body = {body, w.len < sizeof(body) ? w.len : sizeof(body)},
                  .close = close,
              });
}

void tp_front_refuse(tp_front *front, tp_http_conn *conn, eio_request *request,
                     eio_refusal refusal, const char *message,
                     const char *context, bool upgrade, bool close)
{
    tell_refused(front, conn, request, refusal, message, context);
    answer_refusal(conn, refusal, message, upgrade, close);
}

/* ------------------------------------------------------------ handshakes -- */

static void add_headers(tp_front *front, tp_http_conn *conn,
                        eio_request *request, bool initial)
{
    const tp_front_hooks *hooks = front->hooks;
    if (hooks->headers == NULL &&
        (!initial || hooks->initial_headers == NULL)) {
        return;
    }
    /* The hooks look at the request; it stays the caller's. */
    tp_exchange x = {.conn = conn, .request = request};
    if (initial && hooks->initial_headers != NULL) {
        hooks->initial_headers(front->app, &x);
    }
    if (hooks->headers != NULL) {
        hooks->headers(front->app, &x);
    }
    if (sio_buf_append(&conn->extra, sio_buf_view(&x.headers)) != SIO_OK) {
        tp_loop_lacks(front->loop, "headers");
    }
    sio_buf_deinit(&x.headers);
}

static void add_headers_to_poll(tp_front *front, tp_http_conn *conn,
                                const tp_http_head *head)
{
    if (front->hooks->headers != NULL) {
        eio_request *request = tp_request_new(conn, head);
        if (request != NULL) {
            add_headers(front, conn, request, false);
            eio_request_unref(request);
        }
    }
}

/* Opens the session that a handshake has been admitted for.  Takes `tp` and
 * `request`. */
static void open_over(tp_front *front, const eio_protocol *protocol,
                      eio_transport *tp, eio_request *request, const char *sid)
{
    sio_bytes id = {(const uint8_t *)sid, strlen(sid)};
    if (eio_session_open_as(front->engine, protocol, tp, request, id) !=
        SIO_OK) {
        tp_loop_lacks(front->loop, "a session");
        tp->ops->close(tp, EIO_CLOSE_NOW);
    }
}

/* Adds the cookie that tells the session's id, which is chosen here if it has
 * not been: `sid` is empty then. */
static sio_error add_cookie(tp_front *front, tp_http_conn *conn,
                            char sid[SIO_SESSION_ID_SIZE])
{
    const tp_cookie *cookie = &front->config->cookie;
    sio_error err = SIO_OK;
    if (cookie->before.len == 0) {
        return SIO_OK;
    }
    if (sid[0] == '\0') {
        err = eio_sid_make(front->engine, sid);
    }
    return err == SIO_OK
               ? tp_cookie_write(cookie,
                                 (sio_bytes){(const uint8_t *)sid, strlen(sid)},
                                 &conn->extra)
               : err;
}

static void open_polling(tp_front *front, tp_http_conn *conn,
                         eio_request *request, const tp_polling_manner *manner,
                         char sid[SIO_SESSION_ID_SIZE])
{
    tp_polling *p = NULL;
    size_t before = conn->extra.len;
    if (add_cookie(front, conn, sid) == SIO_OK) {
        p = tp_polling_new(front->loop, front->engine, &front->config->polling,
                           manner);
    }
    if (p == NULL) {
        tp_loop_lacks(front->loop, "a session");
        conn->extra.len = before;
        eio_request_unref(request);
        tp_http_answer_send(conn,
                            &(tp_http_answer){.status = 503, .close = true});
        return;
    }
    tp_polling_get(p, conn, NULL);
    open_over(front, manner->protocol, tp_polling_base(p), request, sid);
}

static tp_ws_handshake ws_handshake(const tp_front *front, const eio_request *r)
{
    tp_ws_handshake h = {
        .method_is_get = sio_bytes_eq(eio_request_method(r), SIO_LIT("GET")),
        .http11 = true, /* an upgrade is none in HTTP/1.0 */
        .upgrade = eio_request_header(r, SIO_LIT("upgrade")),
        .connection = eio_request_header(r, SIO_LIT("connection")),
        .key = eio_request_header(r, SIO_LIT("sec-websocket-key")),
        .version = eio_request_header(r, SIO_LIT("sec-websocket-version")),
        .protocol = eio_request_header(r, SIO_LIT("sec-websocket-protocol")),
    };
    eio_headers walk = eio_request_headers(r);
    eio_header header;
    while (eio_headers_next(&walk, &header)) {
        if (sio_bytes_eq(header.name, SIO_LIT("sec-websocket-extensions"))) {
            tp_ws_negotiate(&h.extensions, &front->config->deflate,
                            header.value);
        }
    }
    return h;
}

/* Turns the connection into a WebSocket, of `home`, whose handshake is right.
 * NULL when memory is short; the connection is closed then.  `*rest` is what
 * the client has sent behind its request. */
static tp_websocket *switch_protocol(tp_front *front, tp_http_conn *conn,
                                     const tp_websocket_home *home,
                                     tp_ws_handshake *h, bool base64,
                                     sio_buf *rest)
{
    tp_deflater *deflater = &front->loop->deflater;
    tp_ws_deflate deflate = {0};
    sio_buf response = {0};
    if (h->extensions.agreed) {
        h->extensions.agreed =
            tp_ws_deflate_open(&deflate, deflater, &h->extensions.params);
        h->extensions.params = deflate.params;
    }
    tp_stream *stream = NULL;
    tp_websocket *ws = NULL;
    if (tp_ws_handshake_write(&response, h, sio_buf_view(&conn->extra)) ==
        SIO_OK) {
        stream = tp_http_conn_detach(conn, rest);
    }
    if (stream == NULL) {
        tp_ws_deflate_close(&deflate, deflater);
        tp_http_conn_abort(conn);
    } else {
        ws = tp_websocket_new(home, stream, sio_buf_view(&response), base64,
                              &deflate);
        if (ws == NULL) {
            tp_front_websocket_gone(front, NULL);
            sio_buf_deinit(rest);
        } else {
            sio_list_append(&front->websockets, tp_websocket_link(ws));
        }
    }
    sio_buf_deinit(&response);
    if (ws == NULL) {
        tp_loop_lacks(front->loop, "a WebSocket");
    }
    return ws;
}

/* Refuses what is no proper WebSocket handshake; returns whether it did. */
static bool refuse_websocket(tp_front *front, tp_http_conn *conn,
                             const eio_request *r, const tp_ws_handshake *h)
{
    tp_ws_refusal refusal = tp_ws_handshake_check(h);
    if (refusal == TP_WS_REFUSAL_NONE) {
        return false;
    }
    eio_count(front->engine, SIO_COUNTER_REFUSED);
    eio_count_error(front->engine, SIO_ERR_HANDSHAKE);
    sio_log_write(front->loop->log, SIO_LOG_WARN, "handshake_refused",
                  "address %s: %s", eio_request_peer(r),
                  tp_ws_refusal_text(refusal));
    tp_http_answer_refusal(
        conn, (int)tp_ws_refusal_status(refusal),
        refusal == TP_WS_REFUSAL_VERSION
            ? SIO_LIT("Sec-WebSocket-Version: " TP_WS_VERSIONS "\r\n")
            : (sio_bytes){0},
        tp_ws_refusal_text(refusal));
    return true;
}

static void open_websocket(tp_front *front, tp_http_conn *conn,
                           eio_request *request,
                           const tp_polling_manner *manner, const char *sid)
{
    const tp_websocket_home *home =
        tp_front_websocket_home(front, manner->protocol);
    tp_ws_handshake h = ws_handshake(front, request);
    sio_buf rest = {0};
    if (refuse_websocket(front, conn, request, &h)) {
        eio_request_unref(request);
        return;
    }
    tp_websocket *ws =
        switch_protocol(front, conn, home, &h, manner->base64, &rest);
    if (ws == NULL) {
        eio_request_unref(request);
        return;
    }
    open_over(front, home->protocol, tp_websocket_base(ws), request, sid);
    tp_websocket_feed(ws, rest.base, rest.len, true);
    sio_buf_deinit(&rest);
}

static void probe_websocket(tp_front *front, tp_http_conn *conn,
                            eio_session *session, eio_request *request,
                            bool base64)
{
    tp_ws_handshake h = ws_handshake(front, request);
    sio_buf rest = {0};
    if (refuse_websocket(front, conn, request, &h)) {
        return;
    }
    const tp_websocket_home *home =
        tp_front_websocket_home(front, eio_session_protocol(session));
    tp_websocket *ws = switch_protocol(front, conn, home, &h, base64, &rest);
    if (ws == NULL) {
        return;
    }
    /* Where the session cannot be upgraded, clients expect to see the
     * handshake succeed and the WebSocket closed. */
    eio_transport *tp = tp_websocket_base(ws);
    if (eio_session_probe(session, tp) != SIO_OK) {
        tp->ops->close(tp, EIO_CLOSE_NOW);
    }
    tp_websocket_feed(ws, rest.base, rest.len, true);
    sio_buf_deinit(&rest);
}

/* The id for a new session; empty for a random one.  False refuses. */
static bool choose_id(tp_front *front, tp_http_conn *conn, eio_request *request,
                      char sid[SIO_SESSION_ID_SIZE])
{
    tp_exchange x = {.conn = conn, .request = request};
    sid[0] = '\0';
    if (front->hooks->generate_id == NULL) {
        return true;
    }
    bool chosen = front->hooks->generate_id(front->app, &x, sid);
    sio_buf_deinit(&x.headers);
    sid[SIO_SESSION_ID_SIZE - 1] = '\0';
    return chosen && sid[0] != '\0';
}

static void refuse_entry(const tp_entry *e, tp_http_conn *conn,
                         eio_request *request, eio_refusal refusal,
                         const char *context)
{
    tp_front_refuse(e->front, conn, request, refusal, eio_refusal_text(refusal),
                    context, e->upgrade, false);
    eio_request_unref(request);
}

void tp_front_enter(const tp_entry *e, tp_http_conn *conn, eio_request *request,
                    char sid[SIO_SESSION_ID_SIZE])
{
    tp_front *front = e->front;
    sio_bytes id = {(const uint8_t *)sid, strlen(sid)};
    tp_polling_manner manner;
    if (front->closing || front->draining) {
        eio_request_unref(request);
        tp_front_turn_away(front, conn, e->upgrade);
        return;
    }
    if (id.len != 0 && !eio_sid_is_good(front->engine, id)) {
        refuse_entry(e, conn, request, EIO_REFUSAL_REQUEST,
                     "ID_GENERATION_ERROR");
        return;
    }
    if (!tp_front_read_manner(e, request, &manner)) {
        refuse_entry(e, conn, request, EIO_REFUSAL_REQUEST, "BAD_JSONP_INDEX");
        return;
    }
    if (front->config->admission != NULL &&
        !tp_front_lets_enter(front, conn, request, e->upgrade)) {
        eio_request_unref(request);
        return;
    }
    add_headers(front, conn, request, true);
    if (e->upgrade) {
        open_websocket(front, conn, request, &manner, sid);
    } else {
        open_polling(front, conn, request, &manner, sid);
    }
}

static tp_front *home_of(tp_front *front, const char *sid)
{
    sio_bytes id = {(const uint8_t *)sid, strlen(sid)};
    if (front->peer_count <= 1) {
        return front;
    }
    return id.len == 0 ? tp_front_choose_home(front)
                       : front->peers[eio_engine_home(front->engine, id)];
}

/* The application agrees, or was not asked.  Takes `request`. */
static void admit(const tp_entry *e, tp_http_conn *conn, eio_request *request)
{
    tp_front *home;
    char sid[SIO_SESSION_ID_SIZE];
    if (eio_knock_protocol(e->front->engine->config, e->protocol) == NULL) {
        refuse_entry(e, conn, request, EIO_REFUSAL_PROTOCOL,
                     "UNSUPPORTED_PROTOCOL_VERSION");
    } else if (!choose_id(e->front, conn, request, sid)) {
        refuse_entry(e, conn, request, EIO_REFUSAL_REQUEST,
                     "ID_GENERATION_ERROR");
    } else if ((home = home_of(e->front, sid)) != e->front) {
        tp_front_hand_over_entry(e, home, conn, request, sid);
    } else {
        tp_front_enter(e, conn, request, sid);
    }
}

static void on_verdict(tp_exchange *x, const char *refusal)
{
    tp_entry *e = x->arg;
    tp_http_conn *conn = x->conn;
    eio_request *request = x->request;
    x->request = NULL;
    x->arg = NULL;
    tp_exchange_free(x);
    if (conn == NULL) {
        eio_request_unref(request);
    } else if (refusal != NULL) {
        tp_front_refuse(e->front, conn, request, EIO_REFUSAL_FORBIDDEN, refusal,
                        "FORBIDDEN", e->upgrade, false);
        eio_request_unref(request);
    } else {
        admit(e, conn, request);
    }
    free(e);
}

static void ask(tp_front *front, tp_http_conn *conn, eio_request *request,
                const tp_entry *e)
{
    tp_entry *copy = malloc(sizeof(*copy));
    tp_exchange *x = tp_exchange_new(conn, request);
    if (copy == NULL || x == NULL) {
        if (copy == NULL) {
            tp_loop_lacks(front->loop, "a request");
        }
        free(copy);
        if (x != NULL) {
            tp_exchange_free(x);
        }
        tp_http_answer_send(conn,
                            &(tp_http_answer){.status = 503, .close = true});
        return;
    }
    *copy = *e;
    x->verdict = on_verdict;
    x->arg = copy;
    tp_exchange_attach(x, &front->exchanges);
    front->hooks->allow(front->app, x);
}

static void open_session(tp_front *front, tp_http_conn *conn,
                         const tp_http_head *head, const eio_knock *knock,
                         bool base64)
{
    tp_entry e = {front, knock->upgrade, base64, knock->protocol};
    if (front->draining) {
        tp_front_turn_away(front, conn, knock->upgrade);
        return;
    }
    if (front->config->admission != NULL &&
        !tp_front_lets_shake(front, conn, head, knock->upgrade)) {
        return;
    }
    eio_request *request = tp_request_new(conn, head);
    if (request == NULL) {
        tp_http_answer_send(conn,
                            &(tp_http_answer){.status = 503, .close = true});
    } else if (front->hooks->allow != NULL) {
        ask(front, conn, request, &e);
    } else {
        admit(&e, conn, request);
    }
}

/* ------------------------------------------------------- known sessions -- */

static void probe_session(tp_front *front, tp_http_conn *conn,
                          const tp_http_head *head, eio_session *session,
                          bool base64)
{
    eio_request *request = tp_request_new(conn, head);
    if (request == NULL) {
        tp_http_conn_abort(conn);
        return;
    }
    add_headers(front, conn, request, false);
    probe_websocket(front, conn, session, request, base64);
    eio_request_unref(request);
}

static void answer_bad_method(tp_http_conn *conn, bool close)
{
    tp_http_answer_send(conn, &(tp_http_answer){.status = 500, .close = close});
}

static bool serve_polling(tp_front *front, tp_http_conn *conn,
                          const tp_http_request *req, tp_polling *p, bool whole)
{
    const tp_http_head *head = req->head;
    if (head->method == TP_HTTP_METHOD_POST) {
        if (!conn->begun && !tp_polling_post_begin(p, conn, head)) {
            return false;
        }
        if (whole) {
            add_headers_to_poll(front, conn, head);
            tp_polling_post(p, conn, req->body, req->body_len);
        }
        return true;
    }
    if (head->method == TP_HTTP_METHOD_GET) {
        if (whole) {
            add_headers_to_poll(front, conn, head);
            tp_polling_get(p, conn, head);
        }
        return true;
    }
    answer_bad_method(conn, !whole);
    return false;
}

bool tp_front_knock(tp_front *front, tp_http_conn *conn,
                    const tp_http_request *req, bool whole)
{
    const tp_http_head *head = req->head;
    tp_front_query query;
    tp_front_query_read(&query, head->query);
    eio_knock knock = read_knock(front, head, &query);
    eio_session *session;
    const char *context;
    eio_refusal refusal =
        eio_knock_check(front->engine, &knock, &session, &context);
    bool base64 = query.b64.len != 0;

    if (refusal != EIO_REFUSAL_NONE) {
        eio_request *request = tp_request_new(conn, head);
        tp_front_refuse(front, conn, request, refusal,
                        eio_refusal_text(refusal), context, knock.upgrade,
                        !whole);
        eio_request_unref(request);
        return false;
    }
    if (session == NULL) {
        if (whole) {
            open_session(front, conn, head, &knock, base64);
        }
        return true;
    }
    if (knock.upgrade) {
        if (whole) {
            probe_session(front, conn, head, session, base64);
        }
        return true;
    }
    return serve_polling(front, conn, req,
                         tp_polling_of(eio_session_carrier(session)), whole);
}
