#ifndef TP_HTTP_CONN_H
#define TP_HTTP_CONN_H

#include "base/buf.h"
#include "transport/http1.h"
#include "transport/http_chunked.h"
#include "transport/loop.h"
#include "transport/stream.h"
#include "transport/trusted.h"

/* What the connections of one loop have in common.  Milliseconds, bytes. */
typedef struct tp_http_config {
    tp_http_limits limits;
    uint32_t header_timeout;
    uint32_t body_timeout;
    uint32_t keep_alive;
    uint32_t max_body;
    const tp_trusted *trusted; /* proxies; NULL: none; borrowed */
    sio_proxy_headers proxy_headers;
} tp_http_config;

typedef struct tp_http_conn tp_http_conn;

/* A request as it is handed up: views that are valid until the call returns. */
typedef struct tp_http_request {
    const tp_http_head *head;
    sio_bytes raw; /* the head as it came, to be kept and parsed again */
    uint8_t *body; /* whole and without its coding; may be changed */
    size_t body_len;
} tp_http_request;

/*
 * What a connection tells the one who gives the answers.  Each request is
 * answered once, by one of the tp_http_* functions below, in the call or
 * later; the next one is not looked at before.
 */
typedef struct tp_http_events {
    /* The head of a request whose body is still to come; `body` is NULL.
     * Returns false where it has been answered already, or the connection
     * closed: the body is then of no interest. */
    bool (*begin)(void *owner, tp_http_conn *conn, const tp_http_request *req);

    /* A whole request. */
    void (*request)(void *owner, tp_http_conn *conn,
                    const tp_http_request *req);

    /* A request is refused here, for `err`; it is answered when this returns,
     * or, where it has been and nobody reads that, the connection closed.
     * `head` is NULL where there is none that is whole, or it has been through
     * `begin`. */
    void (*refused)(void *owner, tp_http_conn *conn, const tp_http_head *head,
                    sio_error err);

    /* The last call about `conn`, unless it was detached. */
    void (*gone)(void *owner, tp_http_conn *conn);
} tp_http_events;

typedef enum tp_http_state {
    TP_HTTP_STATE_HEAD,    /* for a request, or the rest of its head */
    TP_HTTP_STATE_BODY,    /* for the rest of a body */
    TP_HTTP_STATE_ANSWER,  /* for the answer */
    TP_HTTP_STATE_SENDING, /* for the answer to leave */
    TP_HTTP_STATE_FOREIGN, /* an upgrade that nobody wants; for its end */
    TP_HTTP_STATE_LINGER,  /* for the peer to stop sending after the last
                              answer */
    TP_HTTP_STATE_CLOSED
} tp_http_state;

/* Who is going to answer a request, while it has not been answered. */
typedef struct tp_http_waiter {
    /* There is nothing to answer any more: the connection has ended (CLOSED),
     * or the request was refused here, for what `why` says. */
    void (*lost)(struct tp_http_waiter *self, sio_error why);

    /* The answer has left; told to one who became the waiter when he had
     * answered.  May be NULL for others. */
    void (*left)(struct tp_http_waiter *self);
} tp_http_waiter;

/* A part of the answer that is fetched piece by piece while the connection
 * takes it, such as a file. */
typedef struct tp_http_source {
    /* Fills `out` with up to `cap` bytes; 0 in `*len` ends the connection, as
     * the length was promised. */
    sio_error (*read)(struct tp_http_source *self, uint8_t *out, size_t cap,
                      size_t *len);
    void (*close)(struct tp_http_source *self);
    uint64_t left; /* bytes that `read` still has to give */
} tp_http_source;

/*
 * One HTTP/1.1 connection, the server's side.  It reads from the stream into
 * memory only what is incomplete; an idle one holds no buffer.
 */
struct tp_http_conn {
    sio_mortal mortal;
    tp_dirty dirty;
    sio_link link; /* for the owner's list */
    tp_loop *loop;
    tp_stream *stream; /* NULL once closed or detached */
    const tp_http_config *config;
    const tp_http_events *events;
    void *owner;
    tp_http_waiter *waiter; /* for the request at hand, or NULL; borrowed */
    sio_buf extra; /* header lines for the answer at hand, with their CRLF */
    sio_timer timer;
    sio_buf in;             /* what has come and is not used up */
    sio_buf body;           /* a chunked body, decoded */
    sio_buf out;            /* what has to be sent */
    tp_http_source *source; /* what comes behind `out`; owned, or NULL */
    tp_http_chunked chunks;
    size_t seen;       /* bytes of `in` without the end of a head */
    size_t head_len;   /* in BODY: where the body begins in `in` */
    uint64_t body_len; /* in BODY, unless chunked */
    uint8_t state;     /* tp_http_state */
    bool begun;        /* the request at hand has been through `begin` */
    bool chunked;      /* the body that is being read is */
    bool keep_alive;   /* after the answer at hand */
    bool no_body;      /* the request at hand was a HEAD */
    bool blocked;      /* the stream takes no more for now */
    bool in_use;       /* a request is being handed up; see `rest` */
    bool peer_ended;   /* nothing more comes; what is there is sent */
    sio_bytes rest;    /* while `in_use`: what has come behind that request */
};

/* Makes a connection of `stream`, taking it; NULL when memory is short, the
 * stream is closed then. */
tp_http_conn *tp_http_conn_new(tp_loop *loop, tp_stream *stream,
                               const tp_http_config *config,
                               const tp_http_events *events, void *owner);

/*
 * Answers the request at hand.  `extra` are whole header lines, each with its
 * CRLF.  `type` may be NULL.  Length, date and connection are added here.
 */
typedef struct tp_http_answer {
    int status;
    const char *type;
    sio_bytes extra;
    sio_bytes body;
    bool close;             /* end the connection afterwards */
    tp_http_source *source; /* behind `body`; taken; or NULL */
} tp_http_answer;
void tp_http_answer_send(tp_http_conn *conn, const tp_http_answer *answer);

/* As above, for a body of `len` bytes that the caller writes itself to the
 * memory that is returned; NULL when out of memory, the connection is closed
 * then.  Valid until the next call. */
uint8_t *tp_http_answer_begin(tp_http_conn *conn, const tp_http_answer *answer,
                              size_t len);

/* Sends an answer that is ready at once, and not at the end of the turn; of a
 * file one piece a turn does. */
void tp_http_answer_hurry(tp_http_conn *conn);

/* Answers with a bare text, and ends the connection: the form of refusals to
 * upgrade (`extra` as above). */
void tp_http_answer_refusal(tp_http_conn *conn, int status, sio_bytes extra,
                            const char *text);

/* Lets an upgrade request that nobody wants wait for `ms`, 0 for ever, then
 * ends the connection without a word. */
void tp_http_conn_foreign(tp_http_conn *conn, uint32_t ms);

/* Ends the connection at once, also with a request at hand; `lost` and `gone`
 * follow. */
void tp_http_conn_abort(tp_http_conn *conn);

/* Ends it after the answer to the request at hand, or to one that comes within
 * a moment. */
void tp_http_conn_finish(tp_http_conn *conn);

/*
 * Gives the stream, for another protocol, and what has come of that to `*rest`
 * (the caller frees it).  The connection is gone without the event.
 */
tp_stream *tp_http_conn_detach(tp_http_conn *conn, sio_buf *rest);

/*
 * Gives the stream, with the request that is being handed up, or begun, as it
 * came: `*bytes` (the caller frees it) are its bytes and all behind them, to be
 * fed to another connection.  NULL when memory is short.  Otherwise the
 * connection is gone without the event.
 */
tp_stream *tp_http_conn_move(tp_http_conn *conn, const tp_http_request *req,
                             sio_buf *bytes);

/* Makes a new connection one that has handed up a request, for which the
 * answer is awaited: `keep_alive` tells what comes after it.  Takes the memory
 * of `rest`, what has come behind it, and `extra`, lines for the answer. */
void tp_http_conn_resume(tp_http_conn *conn, bool keep_alive, sio_buf *rest,
                         sio_buf *extra);

/* The phrase for a status code, static. */
const char *tp_http_phrase(int status);

#endif
