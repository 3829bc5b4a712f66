#ifndef SIO_SERVER_IMPL_H
#define SIO_SERVER_IMPL_H

/* The composition root: the only files that see every layer are
 * socketio/server*.c. */

#include "socketio/core.h"
#include "transport/files.h"
#include "transport/front.h"
#include "transport/listener.h"
#include "transport/loop.h"

/* Where requests outside the server's path go. */
typedef struct sio_route {
    sio_bytes prefix; /* owned, begins with a slash */
    sio_http_fn *fn;  /* or files */
    void *arg;
    tp_files *files; /* owned */
} sio_route;

struct sio_server {
    sio_core core;
    sio_server_config config; /* its strings are in `strings` */
    sio_arena strings;
    sio_log log;
    uint64_t counters[SIO_COUNTER_COUNT];
    uint64_t error_counts[EIO_ERROR_CODES];

    tp_loop loop;
    eio_config eio_config;
    eio_engine engine;
    tp_front_config front_config;
    tp_front_hooks hooks;
    tp_front front;
    tp_listener listener;
    tp_client_files *client_files;
    sio_route *routes; /* longest prefix first */
    size_t route_count;
    sio_hooks looks; /* sio_request_fn: of sio_server_use() */

    ev_signal interrupt, terminate;
    sio_timer grace;  /* while closing: the end of patience */
    tp_dirty closing; /* while closing: looks whether it is over */
    sio_message stop; /* posted by sio_server_stop() */
    atomic_flag stop_posted;
    bool listening;
    bool closed;
};

/* Copies what the caller gave and checks it; the log says what is wrong. */
sio_error sio_server_configure(sio_server *server,
                               const sio_server_config *config);

/* tp_front_hooks.other. */
bool sio_server_lead(void *server, tp_http_conn *conn,
                     const tp_http_request *req, bool whole);
/* tp_front_hooks.look. */
bool sio_server_look(void *server, tp_http_conn *conn,
                     const tp_http_request *req);
void sio_server_free_routes(sio_server *server);

#endif
