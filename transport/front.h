#ifndef TP_FRONT_H
#define TP_FRONT_H

#include <stdatomic.h>

#include "engineio/handshake.h"
#include "transport/admission.h"
#include "transport/client_files.h"
#include "transport/cookie.h"
#include "transport/cors.h"
#include "transport/exchange.h"
#include "transport/polling.h"
#include "transport/websocket.h"
#include "transport/ws_extensions.h"

/* The same for all loops of a server. */
typedef struct tp_front_config {
    sio_bytes path; /* "/socket.io", without a slash at its end */
    bool trailing_slash;
    bool destroy_upgrade;
    uint32_t destroy_upgrade_timeout; /* ms */
    tp_cors cors;
    tp_cookie cookie;
    tp_http_config http;
    tp_websocket_config websocket;
    tp_ws_deflate_config deflate;
    tp_polling_config polling;
    tp_admission *admission; /* NULL: whoever comes is let in; borrowed */
} tp_front_config;

/* Another server that has requests of this one's connections. */
typedef struct tp_neighbour {
    const tp_front_config *config; /* says which; NULL: what is nobody's */
    struct tp_front *const *fronts;
    unsigned count;
} tp_neighbour;

typedef struct tp_neighbours {
    tp_neighbour *list; /* owned by the composition root */
    size_t count;
} tp_neighbours;

/* What the composition root lends.  Each may be NULL. */
typedef struct tp_front_hooks {
    /* Decides on a handshake, by calling `x->verdict` once. */
    void (*allow)(void *app, tp_exchange *x);

    /* Whether pages of `origin` may read the answer; for TP_CORS_RULE_ASK. */
    bool (*cors)(void *app, tp_exchange *x, const char *origin);

    /* May add headers to the answer of the engine. */
    void (*initial_headers)(void *app, tp_exchange *x);
    void (*headers)(void *app, tp_exchange *x);

    /* Looks at a request to the engine, and may add headers.  Returns false
     * where it has answered, or closed the connection. */
    bool (*look)(void *app, tp_http_conn *conn, const tp_http_request *req);

    /* Chooses the id of a new session; false refuses it. */
    bool (*generate_id)(void *app, tp_exchange *x,
                        char id[SIO_SESSION_ID_SIZE]);

    /* Told of a refusal. */
    void (*refused)(void *app, tp_exchange *x, int code, const char *message,
                    const char *context);

    /* Answers a request that is not for the engine; false: it is nobody's.
     * Without a whole request (`whole` false) it only says whether it will. */
    bool (*other)(void *app, tp_http_conn *conn, const tp_http_request *req,
                  bool whole);
} tp_front_hooks;

/*
 * One loop's entrance: takes connections, reads what requests want, and leads
 * them to a session, to the client's bundles, or to the application.
 */
typedef struct tp_front {
    tp_loop *loop;
    eio_engine *engine;
    struct tp_front *const *peers;   /* of all loops of the server, this one
                                        included, by index; borrowed */
    unsigned peer_count;             /* 0: it is alone */
    const tp_neighbours *neighbours; /* or NULL */
    atomic_uint load;   /* connections here and on their way to here */
    atomic_uint coming; /* handshakes on their way to here */
    const tp_front_config *config;
    tp_client_files *client_files; /* NULL: not served */
    const tp_front_hooks *hooks;
    void *app;                /* handed to the hooks */
    void (*ended)(void *app); /* told of each connection's end */
    sio_link gates;           /* of those that await a PROXY header */
    sio_link conns;           /* of tp_http_conn.link */
    sio_link websockets;      /* of tp_websocket */
    tp_websocket_home websocket_homes[2]; /* by revision, from 3 on */
    sio_link exchanges;                   /* of tp_exchange: not answered yet */
    size_t open;                          /* connections of any kind */
    size_t peak;      /* the most there were since memory was returned */
    sio_timer shrink; /* soon after most have gone: returns memory */
    bool closing;
    bool draining;        /* no session begins any more */
    uint32_t retry_after; /* seconds, for those who are refused then; 0: none is
                             said */
} tp_front;

/* Completes a front whose pointers the caller has set. */
void tp_front_init(tp_front *front);

/* Frees what the application has not answered. */
void tp_front_deinit(tp_front *front);

/* Takes a new stream, of no loop yet, for the front that has the fewest
 * connections; the listener's callback, with the front as owner.  Where the
 * stream wants a PROXY header, its peer has to be trusted. */
void tp_front_accept(void *front, tp_stream *stream);

/* From now on no session begins: who asks for one is told to come again, after
 * so many seconds unless that is 0. */
void tp_front_drain(tp_front *front, uint32_t retry_after);

/* From now on connections end after the answer at hand.  Those that have none
 * are closed. */
void tp_front_close(tp_front *front);

/* Cuts off those that have got all we had for them, and only wait for the peer
 * to end its side. */
void tp_front_hurry(tp_front *front);

/* Cuts off what is left. */
void tp_front_abort(tp_front *front);

#endif
