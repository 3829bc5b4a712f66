#include <stdlib.h>

#include "socketio/events.h"
#include "socketio/parent.h"

/* What the application has registered for. */

/* ---------------------------------------------------------------- hooks -- */

sio_error sio_hooks_add(sio_hooks *hooks, void (*fn)(void), void *arg)
{
    sio_hook *items =
        realloc(hooks->items, (hooks->count + 1) * sizeof(*items));
    if (items == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    items[hooks->count] = (sio_hook){fn, arg};
    hooks->items = items;
    hooks->count++;
    return SIO_OK;
}

void sio_hooks_run_sockets(const sio_hooks *hooks, sio_socket *socket)
{
    for (size_t i = 0;
         i < hooks->count && socket->state == SIO_SOCKET_CONNECTED; i++) {
        ((sio_socket_fn *)hooks->items[i].fn)(socket, hooks->items[i].arg);
    }
}

/* Registers for a namespace, unless it is too late. */
static sio_error add_hook(const sio_namespace *nsp, sio_hooks *hooks,
                          void (*fn)(void), void *arg)
{
    return sio_namespace_is_fixed(nsp) ? SIO_ERR_STATE
                                       : sio_hooks_add(hooks, fn, arg);
}

/* The one with this index in both lists, or NULL. */
static const sio_hook *hook_at(const sio_hooks *first, const sio_hooks *then,
                               size_t index)
{
    if (index < first->count) {
        return &first->items[index];
    }
    index -= first->count;
    return index < then->count ? &then->items[index] : NULL;
}

static const sio_hooks no_hooks;

const sio_hook *sio_namespace_middleware(const sio_namespace *nsp, size_t index)
{
    const sio_namespace *parent = nsp->parent;
    return hook_at(parent == NULL ? &no_hooks : &parent->middlewares,
                   &nsp->middlewares, index);
}

const sio_hook *sio_namespace_event_middleware(const sio_namespace *nsp,
                                               size_t index)
{
    const sio_namespace *parent = nsp->parent;
    return hook_at(parent == NULL ? &no_hooks : &parent->event_middlewares,
                   &nsp->event_middlewares, index);
}

sio_error sio_namespace_on_connection(sio_namespace *nsp, sio_socket_fn *fn,
                                      void *arg)
{
    return add_hook(nsp, &nsp->connection, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_disconnecting(sio_namespace *nsp,
                                         sio_disconnect_fn *fn, void *arg)
{
    return add_hook(nsp, &nsp->disconnecting, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_disconnect(sio_namespace *nsp, sio_disconnect_fn *fn,
                                      void *arg)
{
    return add_hook(nsp, &nsp->disconnect, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_drained(sio_namespace *nsp, sio_socket_fn *fn,
                                   void *arg)
{
    sio_error err = add_hook(nsp, &nsp->drained, (void (*)(void))fn, arg);
    if (err == SIO_OK) {
        nsp->core->tells_drained = true;
    }
    return err;
}

sio_error sio_namespace_on_upgrade(sio_namespace *nsp, sio_socket_fn *fn,
                                   void *arg)
{
    return add_hook(nsp, &nsp->upgrade, (void (*)(void))fn, arg);
}

sio_error sio_namespace_use(sio_namespace *nsp, sio_middleware_fn *fn,
                            void *arg)
{
    return add_hook(nsp, &nsp->middlewares, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_room(sio_namespace *nsp, sio_room_fn *fn, void *arg)
{
    return add_hook(nsp, &nsp->room, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_expired(sio_namespace *nsp, sio_expired_fn *fn,
                                   void *arg)
{
    return add_hook(nsp, &nsp->expired, (void (*)(void))fn, arg);
}

/* ------------------------------------------------------------- handlers -- */

static sio_handlers *handlers_of(sio_namespace *nsp, const char *event)
{
    sio_map_node *node = sio_map_find(&nsp->handlers, sio_text(event));
    return node == NULL ? NULL : SIO_OWNER(node, sio_handlers, node);
}

static sio_handlers *new_handlers(sio_namespace *nsp, const char *event)
{
    sio_handlers *handlers = calloc(1, sizeof(*handlers));
    if (handlers == NULL) {
        return NULL;
    }
    handlers->name = strdup(event);
    handlers->view = sio_text(event);
    handlers->view.base = (const uint8_t *)handlers->name;
    handlers->plain = strpbrk(event, "\"\\") == NULL;
    if (handlers->name == NULL ||
        sio_map_insert(&nsp->handlers, &handlers->node) != SIO_OK) {
        sio_handlers_deinit(handlers);
        free(handlers);
        return NULL;
    }
    return handlers;
}

static sio_error add_handler(sio_namespace *nsp, const char *event,
                             sio_handler handler)
{
    if (sio_event_name_reserved(sio_text(event))) {
        return SIO_ERR_RESERVED;
    }
    if (sio_namespace_is_fixed(nsp)) {
        return SIO_ERR_STATE;
    }
    sio_handlers *handlers = handlers_of(nsp, event);
    if (handlers == NULL) {
        handlers = new_handlers(nsp, event);
    }
    return handlers == NULL ? SIO_ERR_NO_MEMORY
                            : sio_handlers_add(handlers, handler);
}

sio_error sio_namespace_on(sio_namespace *nsp, const char *event,
                           sio_event_fn *fn, void *arg)
{
    return add_handler(nsp, event, (sio_handler){.fn = fn, .arg = arg});
}

sio_error sio_namespace_once(sio_namespace *nsp, const char *event,
                             sio_event_fn *fn, void *arg)
{
    return add_handler(nsp, event,
                       (sio_handler){.fn = fn, .arg = arg, .once = true});
}

void sio_namespace_off(sio_namespace *nsp, const char *event, sio_event_fn *fn,
                       void *arg)
{
    sio_handlers *handlers =
        sio_namespace_is_fixed(nsp) ? NULL : handlers_of(nsp, event);
    if (handlers != NULL && fn != NULL) {
        sio_handlers_remove(handlers, fn, arg);
    }
}
