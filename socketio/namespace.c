#include <stdlib.h>

#include "socketio/core.h"

static sio_bytes namespace_key(const sio_map_node *node)
{
    return sio_namespace_view(SIO_OWNER(node, sio_namespace, node));
}

static sio_bytes socket_key(const sio_map_node *node)
{
    const sio_socket *socket = SIO_OWNER(node, sio_socket, node);
    return (sio_bytes){(const uint8_t *)socket->id, SIO_TOKEN_LEN};
}

static sio_bytes room_key(const sio_map_node *node)
{
    const sio_room *room = SIO_OWNER(node, sio_room, node);
    return (sio_bytes){(const uint8_t *)room->name, room->name_len};
}

static sio_bytes handlers_key(const sio_map_node *node)
{
    return sio_text(SIO_OWNER(node, sio_handlers, node)->name);
}

/* ------------------------------------------------------- life and death -- */

sio_error sio_core_init(sio_core *core)
{
    sio_hash_key secret;
    sio_error err =
        sio_random_fill(core->engine->random, &secret, sizeof(secret));
    sio_list_init(&core->nexts);
    if (err == SIO_OK) {
        sio_map_init(&core->namespaces, namespace_key, secret);
    }
    return err;
}

static void free_handlers(sio_handlers *handlers)
{
    free(handlers->items);
    free(handlers->name);
}

static void free_namespace(sio_namespace *nsp)
{
    sio_map_walk walk = sio_map_walk_start(&nsp->handlers);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        sio_handlers *handlers = SIO_OWNER(node, sio_handlers, node);
        sio_map_remove(&nsp->handlers, node);
        free_handlers(handlers);
        free(handlers);
    }
    free_handlers(&nsp->any);
    free(nsp->middlewares.items);
    free(nsp->connection.items);
    free(nsp->disconnecting.items);
    free(nsp->disconnect.items);
    free(nsp->drained.items);
    free(nsp->upgrade.items);
    free(nsp->room.items);
    sio_map_deinit(&nsp->sockets);
    sio_map_deinit(&nsp->rooms);
    sio_map_deinit(&nsp->handlers);
    free(nsp);
}

void sio_core_deinit(sio_core *core)
{
    sio_map_walk walk = sio_map_walk_start(&core->namespaces);
    sio_map_node *node;
    sio_nexts_free(core);
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        sio_namespace *nsp = SIO_OWNER(node, sio_namespace, node);
        sio_map_remove(&core->namespaces, node);
        free_namespace(nsp);
    }
    sio_map_deinit(&core->namespaces);
}

sio_namespace *sio_core_find(const sio_core *core, sio_bytes name)
{
    sio_map_node *node = sio_map_find(&core->namespaces, name);
    return node == NULL ? NULL : SIO_OWNER(node, sio_namespace, node);
}

/* `name` without its slash. */
static sio_namespace *new_namespace(sio_core *core, const char *name)
{
    size_t len = strlen(name);
    sio_namespace *nsp = calloc(1, sizeof(*nsp) + len + 2);
    sio_hash_key secret;
    if (nsp == NULL) {
        return NULL;
    }
    nsp->core = core;
    nsp->name_len = len + 1;
    nsp->name[0] = '/';
    memcpy(nsp->name + 1, name, len);
    if (sio_random_fill(core->engine->random, &secret, sizeof(secret)) !=
            SIO_OK ||
        sio_map_insert(&core->namespaces, &nsp->node) != SIO_OK) {
        free(nsp);
        return NULL;
    }
    sio_map_init(&nsp->sockets, socket_key, secret);
    sio_map_init(&nsp->rooms, room_key, secret);
    sio_map_init(&nsp->handlers, handlers_key, secret);
    return nsp;
}

sio_namespace *sio_core_of(sio_core *core, const char *name)
{
    if (name[0] == '/') {
        name++;
    }
    if (strchr(name, ',') != NULL) {
        return NULL; /* it would end there on the wire */
    }
    size_t len = strlen(name);
    if (len >= core->limits.max_nsp) {
        return NULL;
    }
    char *full = malloc(len + 1);
    if (full == NULL) {
        return NULL;
    }
    full[0] = '/';
    memcpy(full + 1, name, len);
    sio_namespace *nsp =
        sio_core_find(core, (sio_bytes){(const uint8_t *)full, len + 1});
    free(full);
    return nsp != NULL ? nsp : new_namespace(core, name);
}

void sio_core_close(sio_core *core)
{
    sio_map_walk walk = sio_map_walk_start(&core->namespaces);
    sio_map_node *node, *inner;
    core->closing = true;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        sio_namespace *nsp = SIO_OWNER(node, sio_namespace, node);
        sio_map_walk sockets = sio_map_walk_start(&nsp->sockets);
        while ((inner = sio_map_walk_next(&sockets)) != NULL) {
            sio_socket_end(SIO_OWNER(inner, sio_socket, node),
                           SIO_DISCONNECT_SERVER_SHUTTING_DOWN, SIO_OK);
            /* Its handlers may have ended others. */
            sockets = sio_map_walk_start(&nsp->sockets);
        }
    }
}

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

sio_error sio_namespace_on_connection(sio_namespace *nsp, sio_socket_fn *fn,
                                      void *arg)
{
    return sio_hooks_add(&nsp->connection, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_disconnecting(sio_namespace *nsp,
                                         sio_disconnect_fn *fn, void *arg)
{
    return sio_hooks_add(&nsp->disconnecting, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_disconnect(sio_namespace *nsp, sio_disconnect_fn *fn,
                                      void *arg)
{
    return sio_hooks_add(&nsp->disconnect, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_drained(sio_namespace *nsp, sio_socket_fn *fn,
                                   void *arg)
{
    return sio_hooks_add(&nsp->drained, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_upgrade(sio_namespace *nsp, sio_socket_fn *fn,
                                   void *arg)
{
    return sio_hooks_add(&nsp->upgrade, (void (*)(void))fn, arg);
}

sio_error sio_namespace_use(sio_namespace *nsp, sio_middleware_fn *fn,
                            void *arg)
{
    return sio_hooks_add(&nsp->middlewares, (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_room(sio_namespace *nsp, sio_room_fn *fn, void *arg)
{
    return sio_hooks_add(&nsp->room, (void (*)(void))fn, arg);
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
    if (handlers->name == NULL ||
        sio_map_insert(&nsp->handlers, &handlers->node) != SIO_OK) {
        free_handlers(handlers);
        free(handlers);
        return NULL;
    }
    return handlers;
}

static sio_error add_handler(sio_handlers *handlers, sio_event_fn *fn,
                             void *arg)
{
    sio_handler *items =
        realloc(handlers->items, (handlers->count + 1) * sizeof(*items));
    if (items == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    items[handlers->count] = (sio_handler){fn, arg};
    handlers->items = items;
    handlers->count++;
    return SIO_OK;
}

sio_error sio_namespace_on(sio_namespace *nsp, const char *event,
                           sio_event_fn *fn, void *arg)
{
    if (sio_event_name_reserved(sio_text(event))) {
        return SIO_ERR_RESERVED;
    }
    sio_handlers *handlers = handlers_of(nsp, event);
    if (handlers == NULL) {
        handlers = new_handlers(nsp, event);
    }
    return handlers == NULL ? SIO_ERR_NO_MEMORY
                            : add_handler(handlers, fn, arg);
}

sio_error sio_namespace_on_any(sio_namespace *nsp, sio_event_fn *fn, void *arg)
{
    return add_handler(&nsp->any, fn, arg);
}

void sio_namespace_off(sio_namespace *nsp, const char *event, sio_event_fn *fn,
                       void *arg)
{
    sio_handlers *handlers = handlers_of(nsp, event);
    for (size_t i = 0; handlers != NULL && i < handlers->count; i++) {
        sio_handler *item = &handlers->items[i];
        if (item->fn != fn || item->arg != arg) {
            continue;
        }
        if (handlers->running != 0) {
            item->fn = NULL; /* a walk is under way: keep its places */
            return;
        }
        handlers->count--;
        memmove(item, item + 1, (handlers->count - i) * sizeof(*item));
        return;
    }
}

/* -------------------------------------------------------------- queries -- */

const char *sio_namespace_name(const sio_namespace *nsp)
{
    return nsp->name;
}

sio_server *sio_namespace_server(const sio_namespace *nsp)
{
    return nsp->core->server;
}

size_t sio_namespace_count(const sio_namespace *nsp)
{
    return nsp->sockets.count;
}

size_t sio_namespace_rooms(const sio_namespace *nsp)
{
    return nsp->rooms.count;
}

sio_socket *sio_namespace_socket(const sio_namespace *nsp, const char *id)
{
    sio_map_node *node = sio_map_find(&nsp->sockets, sio_text(id));
    return node == NULL ? NULL : SIO_OWNER(node, sio_socket, node);
}

size_t sio_namespace_room_count(const sio_namespace *nsp, const char *room)
{
    /* Others may be in the room of a socket's own id. */
    const sio_room *found = sio_room_find(nsp, sio_text(room));
    return (found == NULL ? 0 : found->count) +
           (sio_namespace_socket(nsp, room) == NULL ? 0 : 1);
}

/* Visits a list taken beforehand, so that `fn` may do anything.  Takes
 * `sockets`, each with a reference. */
static void visit_all(sio_socket **sockets, size_t count, sio_socket_fn *fn,
                      void *arg)
{
    for (size_t i = 0; i < count; i++) {
        if (sockets[i]->state == SIO_SOCKET_CONNECTED) {
            fn(sockets[i], arg);
        }
        sio_socket_unref(sockets[i]);
    }
    free(sockets);
}

void sio_namespace_each(sio_namespace *nsp, sio_socket_fn *fn, void *arg)
{
    sio_socket **list = malloc((nsp->sockets.count + 1) * sizeof(sio_socket *));
    sio_map_walk walk = sio_map_walk_start(&nsp->sockets);
    sio_map_node *node;
    size_t count = 0;
    if (list == NULL) {
        return;
    }
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        list[count++] = sio_socket_ref(SIO_OWNER(node, sio_socket, node));
    }
    visit_all(list, count, fn, arg);
}

void sio_namespace_each_in(sio_namespace *nsp, const char *name,
                           sio_socket_fn *fn, void *arg)
{
    sio_room *room = sio_room_find(nsp, sio_text(name));
    sio_socket *own = sio_namespace_socket(nsp, name);
    size_t most = (room == NULL ? 0 : room->count) + 1;
    sio_socket **list = malloc(most * sizeof(sio_socket *));
    size_t count = 0;
    if (list == NULL) {
        return;
    }
    if (room != NULL) {
        sio_link *at = room->seats.next;
        for (; at != &room->seats; at = at->next) {
            sio_seat *seat = SIO_OWNER(at, sio_seat, in_room);
            list[count++] = sio_socket_ref(seat->socket);
        }
    }
    if (own != NULL) {
        list[count++] = sio_socket_ref(own);
    }
    visit_all(list, count, fn, arg);
}
