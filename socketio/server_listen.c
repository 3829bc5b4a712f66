#include <stdlib.h>

#include "socketio/adapter_impl.h"
#include "socketio/server_impl.h"

/* What connections begin with. */
typedef struct manner {
    bool proxy;
    tp_tls_place *tls; /* or NULL */
} manner;

/* A listener of that worker, not open yet, at the end of its list; NULL when
 * memory is short. */
static tp_listener *add_listener(sio_worker *worker, manner how)
{
    tp_listener *l = calloc(1, sizeof(*l));
    if (l != NULL) {
        l->loop = &worker->loop;
        l->connection = tp_front_accept;
        l->owner = &worker->front;
        l->proxy = how.proxy;
        l->tls = how.tls;
        sio_list_append(&worker->listeners, &l->link);
    }
    return l;
}

static void drop_listener(tp_listener *l)
{
    tp_listener_close(l);
    sio_link_drop(&l->link);
    free(l);
}

static void drop_latest(sio_worker *worker)
{
    drop_listener(SIO_OWNER(worker->listeners.prev, tp_listener, link));
}

void sio_worker_stop_listening(sio_worker *worker)
{
    while (!sio_list_empty(&worker->listeners)) {
        drop_latest(worker);
    }
}

/* One listener of one worker.  `at->port` becomes what was bound. */
static sio_error open_one(sio_worker *worker, tp_listener_at *at, manner how)
{
    tp_listener *l = add_listener(worker, how);
    if (l == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = tp_listener_open(l, at);
    if (err != SIO_OK) {
        drop_listener(l);
        return err;
    }
    at->port = l->port;
    return SIO_OK;
}

/* One for each worker, all at the same place, or none. */
static sio_error open_port(sio_server *server, tp_listener_at *at, manner how)
{
    unsigned count = server->config.threads;
    at->share = count == 1 ? TP_LISTENER_ALONE : TP_LISTENER_FIRST;
    for (unsigned i = 0; i < count; i++) {
        sio_error err = open_one(&server->workers[i], at, how);
        if (err != SIO_OK) {
            while (i-- > 0) {
                drop_latest(&server->workers[i]);
            }
            return err;
        }
        at->share = TP_LISTENER_NEXT;
    }
    return SIO_OK;
}

/* Sockets at one path cannot share it, so the first worker takes all. */
static sio_error open_path(sio_server *server, const sio_listen_options *o,
                           int backlog, manner how)
{
    tp_listener *l = add_listener(&server->workers[0], how);
    if (l == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err =
        tp_listener_open_unix(l, o->unix_path, o->unix_mode, backlog);
    if (err != SIO_OK) {
        drop_listener(l);
    }
    return err;
}

/* Whether it is not too late, or, after a close, the beginning again. */
static sio_error make_ready(sio_server *server)
{
    if (server->closed) {
        sio_server_reopen(server);
    }
    return server->running || server->workers[0].front.draining ||
                   server->workers[0].state != SIO_WORKER_RUNNING
               ? SIO_ERR_STATE
               : SIO_OK;
}

/* Something is listened on: has the loops watch. */
static void start(sio_server *server)
{
    if (server->started) {
        return;
    }
    server->started = true;
    server->core.fixed = server->config.threads > 1;
    for (unsigned i = 0; i < server->config.threads; i++) {
        tp_loop_adopt(&server->workers[i].loop);
        tp_loop_start(&server->workers[i].loop);
        if (server->core.fixed) {
            tp_loop_share(&server->workers[i].loop);
        }
    }
    if (server->config.stop_on_signals) {
        sio_server_await_signals(server);
    }
    sio_adapters_start(&server->core);
}

sio_error sio_server_listen(sio_server *server)
{
    const sio_server_config *c = &server->config;
    tp_listener_at at = {
        .host = c->host,
        .port = c->port,
        .ipv6_only = c->ipv6_only,
        .backlog = c->backlog,
    };
    sio_error err = make_ready(server);
    if (err == SIO_OK && server->bound) {
        err = SIO_ERR_STATE;
    }
    if (err == SIO_OK && server->outer == NULL) {
        err = open_port(
            server, &at,
            (manner){c->proxy_protocol, sio_server_tls_of(server->tls)});
    }
    if (err != SIO_OK) {
        return err;
    }
    sio_server_set_tls_port(server->tls, at.port);
    server->port = at.port;
    server->bound = true;
    start(server);
    return SIO_OK;
}

static bool is_sound(const sio_server *server, const sio_listen_options *o)
{
    bool is_unix = o->unix_path != NULL;
    return o->backlog >= 0 && o->unix_mode <= 0777 &&
           (is_unix ? o->host == NULL && o->port == 0 && !o->ipv6_only
                    : o->unix_mode == 0) &&
           (!o->proxy_protocol || sio_server_trusts_anybody(server));
}

sio_error sio_server_listen_at(sio_server *server,
                               const sio_listen_options *options,
                               uint16_t *port)
{
    /* A smaller one is of an older header. */
    sio_listen_options o = {0};
    memcpy(&o, options, options->size < sizeof(o) ? options->size : sizeof(o));
    tp_listener_at at = {
        .host = o.host,
        .port = o.port,
        .ipv6_only = o.ipv6_only,
        .backlog = o.backlog == 0 ? server->config.backlog : o.backlog,
    };
    if (!is_sound(server, &o) || server->outer != NULL) {
        return SIO_ERR_ARGUMENT;
    }
    sio_server_tls *tls = NULL;
    sio_error err = make_ready(server);
    if (err == SIO_OK && o.tls != NULL) {
        err = sio_server_add_tls(server, o.tls, &tls);
    }
    manner how = {o.proxy_protocol, sio_server_tls_of(tls)};
    if (err == SIO_OK) {
        err = o.unix_path != NULL ? open_path(server, &o, at.backlog, how)
                                  : open_port(server, &at, how);
    }
    if (err != SIO_OK) {
        sio_server_drop_tls(server, tls);
        return err;
    }
    sio_server_set_tls_port(tls, o.unix_path != NULL ? 0 : at.port);
    if (port != NULL) {
        *port = o.unix_path != NULL ? 0 : at.port;
    }
    start(server);
    return SIO_OK;
}

uint16_t sio_server_port(const sio_server *server)
{
    if (server->outer != NULL) {
        return sio_server_port(server->outer);
    }
    return server->bound ? server->port : 0;
}
