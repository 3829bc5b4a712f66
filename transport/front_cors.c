#include "transport/front_impl.h"

/* Asks the application about an origin.  Where memory is short it is not
 * allowed. */
static bool ask(tp_front *front, tp_http_conn *conn, const tp_http_head *head,
                sio_bytes origin)
{
    eio_request *request = tp_request_new(conn, head);
    if (request == NULL) {
        return false;
    }
    tp_exchange x = {.conn = conn, .request = request};
    origin = eio_request_header(request, SIO_LIT("origin")); /* terminated */
    bool allowed =
        front->hooks->cors(front->app, &x, (const char *)origin.base);
    sio_buf_deinit(&x.headers);
    eio_request_unref(request);
    return allowed;
}

bool tp_front_cors(tp_front *front, tp_http_conn *conn,
                   const tp_http_head *head)
{
    const tp_cors *cors = &front->config->cors;
    if (cors->rule == TP_CORS_RULE_NONE) {
        return true;
    }
    sio_bytes origin = tp_cors_origin(head);
    bool allowed = cors->rule != TP_CORS_RULE_ASK
                       ? tp_cors_allows(cors, origin)
                       : origin.len != 0 && ask(front, conn, head, origin);
    size_t before = conn->extra.len;
    if (tp_cors_write(cors, origin, allowed, &conn->extra) != SIO_OK) {
        tp_loop_lacks(front->loop, "headers");
        conn->extra.len = before; /* a page cannot read it then */
    }
    return allowed || !cors->enforce ||
           tp_http_header_find(head, SIO_LIT("origin")).base == NULL;
}

bool tp_front_is_preflight(const tp_front *front, const tp_http_head *head)
{
    return front->config->cors.rule != TP_CORS_RULE_NONE &&
           head->method == TP_HTTP_METHOD_OPTIONS && !head->upgrade;
}

void tp_front_answer_preflight(tp_front *front, tp_http_conn *conn,
                               const tp_http_head *head)
{
    sio_buf lines = {0};
    sio_error err = tp_cors_write_preflight(&front->config->cors, head, &lines);
    if (err != SIO_OK) {
        tp_loop_lacks(front->loop, "an answer");
    }
    tp_http_answer_send(conn, &(tp_http_answer){
                                  .status = err == SIO_OK ? 204 : 503,
                                  .extra = err == SIO_OK ? sio_buf_view(&lines)
                                                         : (sio_bytes){0},
                              });
    sio_buf_deinit(&lines);
}

void tp_front_refuse_origin(tp_front *front, tp_http_conn *conn,
                            const tp_http_head *head, bool close)
{
    eio_request *request = tp_request_new(conn, head);
    tp_front_refuse(front, conn, request, EIO_REFUSAL_FORBIDDEN,
                    eio_refusal_text(EIO_REFUSAL_FORBIDDEN),
                    "ORIGIN_NOT_ALLOWED", head->upgrade, close);
    eio_request_unref(request);
}
