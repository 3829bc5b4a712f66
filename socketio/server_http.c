#include <stdlib.h>

#include "socketio/server_impl.h"
#include "transport/front_impl.h"

/* -------------------------------------------------------------- routing -- */

static bool begins_with(sio_bytes path, sio_bytes prefix)
{
    return path.len >= prefix.len &&
           memcmp(path.base, prefix.base, prefix.len) == 0;
}

static bool ask_application(sio_worker *worker, const sio_route *route,
                            tp_http_conn *conn, const tp_http_request *req)
{
    tp_exchange *x = tp_exchange_new(conn, tp_request_new(conn, req->head));
    if (x == NULL ||
        sio_buf_append(&x->body, (sio_bytes){req->body, req->body_len}) !=
            SIO_OK) {
        if (x != NULL) {
            tp_exchange_free(x);
        }
        tp_http_answer_send(conn,
                            &(tp_http_answer){.status = 503, .close = true});
        return true;
    }
    x->answers = true;
    tp_exchange_attach(x, &worker->front.exchanges);
    route->fn(x, route->arg);
    return true;
}

bool sio_server_lead(void *owner, tp_http_conn *conn,
                     const tp_http_request *req, bool whole)
{
    sio_worker *worker = owner;
    sio_server *server = worker->server;
    sio_bytes path = req->head->path;
    for (size_t i = 0; i < server->route_count; i++) {
        const sio_route *route = &server->routes[i];
        if (!begins_with(path, route->prefix)) {
            continue;
        }
        if (route->fn != NULL) {
            return whole ? ask_application(worker, route, conn, req) : true;
        }
        sio_bytes below = {path.base + route->prefix.len,
                           path.len - route->prefix.len};
        if (whole &&
            tp_files_serve(route->files, conn, req, below, (sio_bytes){0})) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------ engine middlewares --
 */

/* Asks one of them.  Returns whether the request goes on. */
static bool ask_one(sio_worker *worker, const sio_hook *hook,
                    tp_http_conn *conn, const tp_http_request *req)
{
    tp_exchange *x = tp_exchange_new(conn, tp_request_new(conn, req->head));
    if (x == NULL) {
        tp_http_answer_send(conn,
                            &(tp_http_answer){.status = 503, .close = true});
        return false;
    }
    x->answers = true;
    tp_exchange_attach(x, &worker->front.exchanges);
    bool goes_on = ((sio_request_fn *)hook->fn)(x, hook->arg);
    if (conn->waiter != &x->waiter) {
        return false; /* answered, or lost: `x` is gone, or will be */
    }
    if (!goes_on) {
        tp_front_refuse(&worker->front, conn, x->request, EIO_REFUSAL_REQUEST,
                        eio_refusal_text(EIO_REFUSAL_REQUEST),
                        "MIDDLEWARE_FAILURE", req->head->upgrade, true);
    } else {
        (void)sio_buf_append(&conn->extra, sio_buf_view(&x->headers));
    }
    tp_exchange_free(x);
    return goes_on;
}

bool sio_server_look(void *owner, tp_http_conn *conn,
                     const tp_http_request *req)
{
    sio_worker *worker = owner;
    sio_server *server = worker->server;
    for (size_t i = 0; i < server->looks.count; i++) {
        if (!ask_one(worker, &server->looks.items[i], conn, req)) {
            return false;
        }
    }
    return true;
}

sio_error sio_server_use(sio_server *server, sio_request_fn *fn, void *arg)
{
    if (server->core.fixed) {
        return SIO_ERR_STATE;
    }
    server->hooks.look = sio_server_look;
    return sio_hooks_add(&server->looks, (void (*)(void))fn, arg);
}

/* --------------------------------------------------------------- routes -- */

static sio_error add_route(sio_server *server, const char *prefix,
                           sio_route route)
{
    size_t len = strlen(prefix);
    if (prefix[0] != '/') {
        return SIO_ERR_ARGUMENT;
    }
    if (server->core.fixed) {
        return SIO_ERR_STATE;
    }
    sio_route *routes =
        realloc(server->routes, (server->route_count + 1) * sizeof(*routes));
    if (routes == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    server->routes = routes;
    route.prefix.base =
        (uint8_t *)sio_arena_copy(&server->strings, sio_text(prefix));
    route.prefix.len = len;
    if (route.prefix.base == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    size_t at = 0;
    while (at < server->route_count && routes[at].prefix.len >= len) {
        at++;
    }
    memmove(&routes[at + 1], &routes[at],
            (server->route_count - at) * sizeof(*routes));
    routes[at] = route;
    server->route_count++;
    return SIO_OK;
}

sio_error sio_server_on_http(sio_server *server, const char *prefix,
                             sio_http_fn *fn, void *arg)
{
    return add_route(server, prefix, (sio_route){.fn = fn, .arg = arg});
}

sio_error sio_server_serve_files(sio_server *server, const char *prefix,
                                 const char *dir)
{
    tp_files *files;
    sio_error err = tp_files_new(dir, &server->log, &files);
    if (err != SIO_OK) {
        return err;
    }
    err = add_route(server, prefix, (sio_route){.files = files});
    if (err != SIO_OK) {
        tp_files_free(files);
    }
    return err;
}

void sio_server_free_routes(sio_server *server)
{
    for (size_t i = 0; i < server->route_count; i++) {
        if (server->routes[i].files != NULL) {
            tp_files_free(server->routes[i].files);
        }
    }
    free(server->routes);
    free(server->looks.items);
}
