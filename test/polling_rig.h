#ifndef TEST_POLLING_RIG_H
#define TEST_POLLING_RIG_H

#include "test/memory_stream.h"
#include "transport/polling.h"

/* Requests. */
#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST_HEAD(len)                                                         \
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " len "\r\n\r\n"

#define POLLING_RIG_CLIENTS 3

struct polling_rig;

/* A connection of the peer. */
typedef struct polling_rig_client {
    struct polling_rig *rig;
    memory_stream ms;
    tp_http_conn *conn; /* NULL once gone */
} polling_rig_client;

/* A polling, its connections, and an owner that writes down what it is told
 * and closes what has failed. */
typedef struct polling_rig {
    tp_loop loop;
    eio_config eio_config;
    eio_engine engine;
    sio_metric counters[SIO_COUNTER_COUNT];
    tp_http_config http;
    tp_polling_config config;
    tp_polling *p;
    eio_transport *tp; /* NULL once it may be freed */
    polling_rig_client clients[POLLING_RIG_CLIENTS];
    bool closes; /* when it gets a packet */
    bool closed;
    unsigned drained, gone;
    sio_buf told; /* `TYPE[data];`, `b[data];`, `failed CODE;`, `gone CODE;` */
} polling_rig;

void polling_rig_init(polling_rig *r);
void polling_rig_init_as(polling_rig *r, const tp_polling_manner *manner);
void polling_rig_deinit(polling_rig *r);

/* Makes a rig whose first packet is through. */
void polling_rig_open(polling_rig *r);
void polling_rig_open_as(polling_rig *r, const tp_polling_manner *manner);

/* POSTs `body`, with `lines` in its head, cut in two at every byte, each time
 * in a rig of its own, and expects that this is told, and `ok` answered. */
void polling_rig_post_cut(const tp_polling_manner *manner, const char *lines,
                          sio_bytes body, const char *told);

/* Ends the turn; whatever has been closed may be gone then. */
void polling_rig_turn(polling_rig *r);

/* The client `at` sends a request, or a part, all of which has to be read. */
void polling_rig_ask(polling_rig *r, int at, sio_bytes request);

#define ASK(r, at, literal) polling_rig_ask((r), (at), SIO_LIT(literal))

/* The owner sends a packet, or closes. */
void polling_rig_send_text(polling_rig *r, const char *packet);
void polling_rig_send_binary(polling_rig *r, sio_bytes bytes);
void polling_rig_close(polling_rig *r, eio_close_mode mode);

/* Expects one answer at the client `at`, or nothing for a status of 0. */
void polling_rig_expect(polling_rig *r, int at, int status, const char *body);

/* Expects this to have been told since the last call. */
void polling_rig_expect_told(polling_rig *r, const char *want);

#endif
