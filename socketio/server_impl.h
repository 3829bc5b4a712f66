#ifndef SIO_SERVER_IMPL_H
#define SIO_SERVER_IMPL_H

/* The composition root: the only files that see every layer are
 * socketio/server*.c. */

#include "socketio/core.h"
#include "transport/files.h"
#include "transport/front.h"
#include "transport/listener.h"
#include "transport/loop.h"
#include "transport/thread.h"
#include "transport/tls_context.h"

/* Where requests outside the server's path go. */
typedef struct sio_route {
    sio_bytes prefix; /* owned, begins with a slash */
    sio_http_fn *fn;  /* or files */
    void *arg;
    tp_files *files; /* owned */
} sio_route;

/* More than any machine of today has processors. */
#define SIO_THREADS_MAX 1024

/* How far a worker has come with its end. */
typedef enum sio_worker_state {
    SIO_WORKER_RUNNING,
    SIO_WORKER_CLOSING, /* waits for its connections to end */
    SIO_WORKER_CLOSED   /* has none left; others may still send it some */
} sio_worker_state;

/* How far a worker has come with ending its sessions one by one. */
typedef struct sio_drain {
    sio_timer timer;         /* the next step; armed while draining */
    sio_message begin, over; /* from the first worker, and to it */
    uint64_t cursor;         /* of eio_engine_next() */
    uint64_t due;            /* us on the loop's clock: the next one's turn */
    uint64_t patience;       /* ms: once all have been told, until when those
                                who linger are waited for */
    bool told;
} sio_drain;

/* One loop with all that stands on it, in the hands of one thread. */
typedef struct sio_worker {
    alignas(64) sio_server *server;
    tp_loop loop;
    eio_engine engine;
    sio_metric error_counts[EIO_ERROR_CODES];
    sio_loop sio;
    tp_front front;
    sio_link listeners; /* of tp_listener; owned */
    tp_thread thread;   /* the first worker's is whoever runs the server */
    sio_drain drain;
    sio_timer grace;   /* while closing: looks who may be cut off */
    uint64_t patience; /* ms: until when */
    tp_dirty empty;    /* while closing: looks whether it is over */
    sio_message close, closed, end; /* the steps of its end; server_close.c */
    uint8_t state;                  /* sio_worker_state */
} sio_worker;

/* TLS at one of the places where the server listens; server_tls.c. */
typedef struct sio_server_tls sio_server_tls;

struct sio_server {
    sio_core core;
    sio_parser_custom custom_parser; /* where the config has one */
    sio_server_config config;        /* its strings are in `strings` */
    sio_arena strings;
    sio_log log;
    sio_worker *workers; /* config.threads of them */
    sio_loop **loops;    /* theirs, by index */
    tp_front **fronts;
    tp_neighbours neighbours; /* servers behind the same port */
    sio_server *outer;        /* whose port it has; or NULL */
    eio_partition partition;
    eio_config eio_config;
    tp_trusted trusted;
    tp_front_config front_config;
    tp_admission admission; /* its limits; the rest where there are some */
    eio_census census;
    tp_deflate_budget deflate_budget;
    tp_front_hooks hooks;
    tp_client_files *client_files;
    sio_route *routes; /* longest prefix first */
    size_t route_count;
    sio_hooks looks; /* sio_request_fn: of sio_server_use() */

    ev_signal interrupt, terminate;
    sio_link in_signals;      /* those that signals stop; server_signals.c */
    sio_message signals_turn; /* posted when it is to listen to them ... */
    bool signals_asked;       /* ... and that is on its way */
    sio_message stop;         /* posted by sio_server_stop() */
    atomic_flag stop_posted;
    sio_message drain; /* posted by sio_server_drain() */
    atomic_flag drain_posted;
    sio_drain_options drain_options;
    unsigned draining;   /* workers that are; the first one's */
    unsigned open;       /* workers that are not closed; the first one's */
    uint16_t port;       /* that the config's address got */
    sio_lock tls_lock;   /* over `places` */
    sio_link places;     /* of sio_server_tls; owned */
    sio_server_tls *tls; /* that of the config's address, or NULL */
    bool bound;          /* that address is listened on */
    bool started;        /* the loops are, as something is listened on */
    bool running;        /* other threads run loops */
    atomic_bool closed;
};

/* Copies what the caller gave and checks it; the log says what is wrong. */
sio_error sio_server_configure(sio_server *server,
                               const sio_server_config *config);

/* Forgets all servers behind the same port. */
void sio_server_unmount(sio_server *server);
/* Begins to count who comes in, where that is limited; `secret` is for what
 * others choose. */
void sio_server_init_admission(sio_server *server, sio_hash_key secret);
void sio_server_deinit_admission(sio_server *server);

/* ------------------------------------------------------------- listening --
 */

/* Whether there may be a proxy that is believed. */
static inline bool sio_server_trusts_anybody(const sio_server *server)
{
    return server->trusted.count != 0 || server->trusted.local;
}

/* Stops listening on the worker's loop, wherever that was. */
void sio_worker_stop_listening(sio_worker *worker);

/* -------------------------------------------------------------------- TLS --
 */

void sio_server_init_tls(sio_server *server);

/* Adds a place; what sio_server_listen_at() says of errors.  Sets its port, 0
 * for one that has none.  The last two take NULL for no place. */
sio_error sio_server_add_tls(sio_server *server, const sio_tls_options *options,
                             sio_server_tls **tls);
void sio_server_set_tls_port(sio_server_tls *tls, uint16_t port);
tp_tls_place *sio_server_tls_of(sio_server_tls *tls);

/* Drops a place at which nothing listens; NULL is allowed.  All of them. */
void sio_server_drop_tls(sio_server *server, sio_server_tls *tls);
void sio_server_deinit_tls(sio_server *server);

/* The server has closed: all but that of the config's address go. */
void sio_server_reopen_tls(sio_server *server);

/* ---------------------------------------------------------------- signals --
 */

void sio_server_init_signals(sio_server *server);

/* From now on SIGINT and SIGTERM stop the server, or no longer.  On the thread
 * of its first loop, or while that does not run. */
void sio_server_await_signals(sio_server *server);
void sio_server_forget_signals(sio_server *server);

/* ---------------------------------------------------------------- the end --
 */

/* Prepares what sio_server_stop() needs. */
void sio_server_init_closing(sio_server *server);

/* Makes a server that has closed one that can be listened with. */
void sio_server_reopen(sio_server *server);

/* Closes a worker's share, on its thread: those who may stay a moment are given
 * it. */
void sio_worker_close(sio_worker *worker);

/* Prepares what sio_server_drain() needs; ends a worker's part in it; makes it
 * possible again. */
void sio_server_init_drain(sio_server *server);
void sio_worker_end_drain(sio_worker *worker);
void sio_server_reset_drain(sio_server *server);

/* tp_front.ended, with the worker. */
void sio_worker_connection_ended(void *worker);

/* Breaks off the loop of a worker that runs on a thread of its own. */
void sio_worker_end(sio_worker *worker);

/* Says that nothing is left on any loop, on the thread of the first. */
void sio_server_tell_closed(sio_server *server);

/* ------------------------------------------------------------------- HTTP --
 */

/* tp_front_hooks.other; the hooks get the worker. */
bool sio_server_lead(void *worker, tp_http_conn *conn,
                     const tp_http_request *req, bool whole);
/* tp_front_hooks.look. */
bool sio_server_look(void *worker, tp_http_conn *conn,
                     const tp_http_request *req);
void sio_server_free_routes(sio_server *server);

#endif
