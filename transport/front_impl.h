#ifndef TP_FRONT_IMPL_H
#define TP_FRONT_IMPL_H

/* What front.c (routing), front_cors.c (other origins), front_engine.c
 * (sessions), front_query.c (what they are asked for), front_proxy.c (PROXY
 * headers), front_drain.c (the end), front_admission.c (limits of addresses)
 * and handover.c (other loops) need of each other. */

#include "transport/front.h"

/* Adds the CORS lines to what goes with the answer to this request, if there
 * are any.  Returns whether the request may go on. */
bool tp_front_cors(tp_front *front, tp_http_conn *conn,
                   const tp_http_head *head);

/* Whether a request below our path is a preflight, which is answered by the
 * function below. */
bool tp_front_is_preflight(const tp_front *front, const tp_http_head *head);
void tp_front_answer_preflight(tp_front *front, tp_http_conn *conn,
                               const tp_http_head *head);

/* Refuses a request that tp_front_cors() did not let go on; `close` ends the
 * connection. */
void tp_front_refuse_origin(tp_front *front, tp_http_conn *conn,
                            const tp_http_head *head, bool close);

/* Whether a path is ours, by the official server's prefix rule.  `*below` is
 * what follows the slash behind our path. */
bool tp_front_is_ours(const tp_front_config *config, const tp_http_head *head,
                      sio_bytes *below);

/* Hands the connection to the neighbour that the request is for, if it is for
 * one; returns whether it did, and then it is gone. */
bool tp_front_hand_over_to_neighbour(tp_front *front, tp_http_conn *conn,
                                     const tp_http_request *req);

/* A request to the engine.  Without the body (`whole` false) it returns
 * whether that may come; where it may not, an answer has been given. */
bool tp_front_knock(tp_front *front, tp_http_conn *conn,
                    const tp_http_request *req, bool whole);

/* Refuses a request, telling those who want to know.  `request` is borrowed;
 * NULL where memory is short.  `close` ends the connection. */
void tp_front_refuse(tp_front *front, tp_http_conn *conn, eio_request *request,
                     eio_refusal refusal, const char *message,
                     const char *context, bool upgrade, bool close);

/* Whether there may be one more of those below from where it comes; if not,
 * that has been told, and the handshake been answered.  With an admission. */
bool tp_front_lets_in(tp_front *front, tp_stream *stream);
bool tp_front_lets_shake(tp_front *front, tp_http_conn *conn,
                         const tp_http_head *head, bool upgrade);
bool tp_front_lets_enter(tp_front *front, tp_http_conn *conn,
                         const eio_request *request, bool upgrade);

void tp_front_websocket_gone(void *front, tp_websocket *ws);

/* Makes a connection of a stream that is this loop's, or awaits its PROXY
 * header; then, and when memory is short, it gives NULL.  It has been counted
 * in `load`. */
tp_http_conn *tp_front_take(tp_front *front, tp_stream *stream);

/* The same for a stream that is counted in `open` too, header or not. */
tp_http_conn *tp_front_serve(tp_front *front, tp_stream *stream);

/* Whether the peer is a proxy whose PROXY header counts; if not, that has been
 * told. */
bool tp_front_trusts(tp_front *front, const tp_stream *stream);

/* Waits for the PROXY header, then serves the stream. */
void tp_front_await_proxy(tp_front *front, tp_stream *stream);

/* Those that wait for it get but a moment more; are cut off. */
void tp_front_close_gates(tp_front *front);
void tp_front_abort_gates(tp_front *front);

/* A connection has left this front, or ended. */
void tp_front_connection_ended(tp_front *front);

/* Longer than any value in a query that is right. */
#define TP_FRONT_VALUE_MAX 64

/* The query's value of that name, decoded into `out`; what is too long is given
 * as it is. */
sio_bytes tp_front_value(sio_bytes query, sio_bytes name,
                         uint8_t out[TP_FRONT_VALUE_MAX]);

/* What the query of a request to the engine says, as tp_front_value() gives
 * it; base NULL where it says nothing. */
typedef struct tp_front_query {
    sio_bytes transport, sid, eio, b64;
    uint8_t room[4][TP_FRONT_VALUE_MAX]; /* for what had to be decoded */
} tp_front_query;

/* Reads it in one pass.  `*out` borrows from `query`, and must not be moved. */
void tp_front_query_read(tp_front_query *out, sio_bytes query);

/* A handshake on its way to a session. */
typedef struct tp_entry {
    tp_front *front;
    bool upgrade;
    bool base64;
    unsigned protocol; /* the revision */
} tp_entry;

/* How the bodies of the session will look.  False where that makes no sense. */
bool tp_front_read_manner(const tp_entry *e, const eio_request *request,
                          tp_polling_manner *out);

static inline const tp_websocket_home *
tp_front_websocket_home(const tp_front *front, const eio_protocol *protocol)
{
    return &front->websocket_homes[protocol->revision - 3];
}

/* Opens the session that was asked for, under `sid`, and answers.  An empty
 * `sid` is for this function to choose.  Takes `request`. */
void tp_front_enter(const tp_entry *e, tp_http_conn *conn, eio_request *request,
                    char sid[SIO_SESSION_ID_SIZE]);

/* Hands the connection to the loop that the request's session belongs to, where
 * that is another one; returns whether it did, and then it is gone. */
bool tp_front_hand_over(tp_front *front, tp_http_conn *conn,
                        const tp_http_request *req);

/* Hands over a handshake to `to`, where its session will live: under the id
 * `sid`, or, where that is empty, under one that is chosen there.  Takes
 * `request`. */
void tp_front_hand_over_entry(const tp_entry *e, tp_front *to,
                              tp_http_conn *conn, eio_request *request,
                              const char *sid);

/* Hands the connection to `to`, with all that has been read of it. */
void tp_front_move(tp_front *front, tp_front *to, tp_http_conn *conn,
                   const tp_http_request *req);

/* Where a new session is to live whose id may be any. */
tp_front *tp_front_choose_home(tp_front *front);

/* Answers a handshake with 503, and ends the connection. */
void tp_front_turn_away(tp_front *front, tp_http_conn *conn, bool upgrade);

/* Hands a new stream to `to`. */
void tp_front_pass_on(tp_front *front, tp_front *to, tp_stream *stream);

#endif
