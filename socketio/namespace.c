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
    return SIO_OWNER(node, sio_handlers, node)->view;
}

/* ------------------------------------------------------- life and death -- */

sio_error sio_core_init(sio_core *core, sio_random *random)
{
    sio_error err =
        sio_random_fill(random, &core->secret, sizeof(core->secret));
    if (err == SIO_OK) {
        sio_lock_init(&core->lock);
        atomic_init(&core->newest, NULL);
        atomic_init(&core->serials, 0);
        sio_map_init(&core->namespaces, namespace_key, core->secret);
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
    free_handlers(&nsp->outgoing);
    free(nsp->event_middlewares.items);
    free(nsp->event_errors.items);
    sio_server_handlers_free(nsp);
    free(nsp->middlewares.items);
    free(nsp->connection.items);
    free(nsp->disconnecting.items);
    free(nsp->disconnect.items);
    free(nsp->drained.items);
    free(nsp->upgrade.items);
    free(nsp->room.items);
    for (unsigned i = 0; i < nsp->core->loop_count; i++) {
        sio_map_deinit(&nsp->locals[i].sockets);
        sio_map_deinit(&nsp->locals[i].rooms);
        free(nsp->locals[i].list);
    }
    sio_map_deinit(&nsp->handlers);
    free(nsp->locals);
    free(nsp);
}

void sio_core_deinit(sio_core *core)
{
    sio_namespace *nsp = atomic_load(&core->newest);
    while (nsp != NULL) {
        sio_namespace *older = nsp->older;
        sio_map_remove(&core->namespaces, &nsp->node);
        free_namespace(nsp);
        nsp = older;
    }
    free(core->conn.packet.items);
    free(core->conn.packet_create.items);
    free(core->conn.drained.items);
    free(core->conn.closed.items);
    sio_map_deinit(&core->namespaces);
    sio_lock_deinit(&core->lock);
}

static sio_namespace *find_locked(const sio_core *core, sio_bytes name)
{
    sio_map_node *node = sio_map_find(&core->namespaces, name);
    return node == NULL ? NULL : SIO_OWNER(node, sio_namespace, node);
}

sio_namespace *sio_core_find(sio_core *core, sio_bytes name)
{
    sio_lock_take(&core->lock);
    sio_namespace *nsp = find_locked(core, name);
    sio_lock_leave(&core->lock);
    return nsp;
}

static void free_raw(sio_namespace *nsp)
{
    if (nsp != NULL) {
        free(nsp->locals);
        free(nsp);
    }
}

/* One that nobody knows yet; `name` comes without its slash. */
static sio_namespace *new_namespace(sio_core *core, const char *name,
                                    size_t len)
{
    sio_namespace *nsp = calloc(1, sizeof(*nsp) + len + 2);
    size_t size = core->loop_count * sizeof(sio_local);
    if (nsp != NULL) {
        nsp->locals = aligned_alloc(alignof(sio_local), size);
    }
    if (nsp == NULL || nsp->locals == NULL) {
        free_raw(nsp);
        return NULL;
    }
    nsp->core = core;
    nsp->serial =
        1 + atomic_fetch_add_explicit(&core->serials, 1, memory_order_relaxed);
    nsp->name_len = len + 1;
    nsp->name[0] = '/';
    memcpy(nsp->name + 1, name, len);
    memset(nsp->locals, 0, size);
    for (unsigned i = 0; i < core->loop_count; i++) {
        sio_local *local = &nsp->locals[i];
        local->nsp = nsp;
        local->loop = core->loops[i];
        sio_map_init(&local->sockets, socket_key, core->secret);
        sio_map_init(&local->rooms, room_key, core->secret);
    }
    sio_map_init(&nsp->handlers, handlers_key, core->secret);
    return nsp;
}

sio_namespace *sio_core_of(sio_core *core, const char *name)
{
    sio_namespace *known =
        name[0] == '/' ? sio_core_find(core, sio_text(name)) : NULL;
    if (known != NULL) {
        return known; /* mostly, and without making another one first */
    }
    if (name[0] == '/') {
        name++;
    }
    size_t len = strlen(name);
    if (strchr(name, ',') != NULL || len >= core->limits.max_nsp) {
        return NULL; /* it would end there on the wire */
    }
    sio_namespace *fresh = new_namespace(core, name, len), *old;
    if (fresh == NULL) {
        return NULL;
    }
    sio_lock_take(&core->lock);
    old = find_locked(core, sio_namespace_view(fresh));
    bool added = old == NULL &&
                 sio_map_insert(&core->namespaces, &fresh->node) == SIO_OK;
    if (added) {
        /* Released: who finds it there finds all of it. */
        fresh->older =
            atomic_load_explicit(&core->newest, memory_order_relaxed);
        atomic_store_explicit(&core->newest, fresh, memory_order_release);
    }
    sio_lock_leave(&core->lock);
    if (!added) {
        free_raw(fresh);
    }
    return added ? fresh : old;
}

/* --------------------------------------------------------------- sockets -- */

static sio_error resize_list(sio_local *local, uint32_t cap)
{
    sio_socket **list = realloc(local->list, cap * sizeof(sio_socket *));
    if (list == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    local->list = list;
    local->list_cap = cap;
    return SIO_OK;
}

sio_error sio_local_add(sio_local *local, sio_socket *socket)
{
    sio_error err = SIO_OK;
    if (local->listed == local->list_cap) {
        err = resize_list(local, local->list_cap == 0 ? 4 : local->listed * 2);
    }
    if (err == SIO_OK) {
        err = sio_map_insert(&local->sockets, &socket->node);
    }
    if (err == SIO_OK) {
        socket->place = local->listed;
        local->list[local->listed++] = socket;
        sio_metric_add(&local->connected, 1);
    }
    return err;
}

void sio_local_remove(sio_local *local, sio_socket *socket)
{
    sio_socket *last = local->list[--local->listed];
    last->place = socket->place;
    local->list[last->place] = last;
    sio_map_remove(&local->sockets, &socket->node);
    sio_metric_sub(&local->connected, 1);
    if (local->list_cap > 64 && local->listed < local->list_cap / 4) {
        (void)resize_list(local, local->list_cap / 2); /* or it stays large */
    }
}

/* ----------------------------------------------------------------- loops -- */

static void sweep(sio_mortal *mortal)
{
    sio_loop *loop = SIO_OWNER(mortal, sio_loop, sweep);
    while (loop->dead != NULL) {
        sio_socket *socket = loop->dead;
        loop->dead = socket->next_dead;
        sio_socket_unref(socket);
    }
}

void sio_loop_init(sio_loop *loop, sio_core *core, eio_engine *engine,
                   unsigned index)
{
    *loop = (sio_loop){.core = core,
                       .engine = engine,
                       .index = index,
                       .sweep = {.destroy = sweep},
                       .batch = {.number = 1}};
    sio_list_init(&loop->nexts);
    sio_list_init(&loop->event_nexts);
    sio_list_init(&loop->rounds);
    sio_list_init(&loop->replies);
}

static void close_local(sio_local *local)
{
    sio_map_walk walk = sio_map_walk_start(&local->sockets);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        sio_socket_end(SIO_OWNER(node, sio_socket, node),
                       SIO_DISCONNECT_SERVER_SHUTTING_DOWN, SIO_OK);
        /* Its handlers may have ended others. */
        walk = sio_map_walk_start(&local->sockets);
    }
}

void sio_loop_close(sio_loop *loop)
{
    sio_namespace *nsp =
        atomic_load_explicit(&loop->core->newest, memory_order_acquire);
    for (; nsp != NULL; nsp = nsp->older) {
        close_local(sio_local_of(nsp, loop));
    }
}

sio_loop *sio_core_here(const sio_core *core)
{
    for (unsigned i = 0; i < core->loop_count; i++) {
        if (sio_loop_is_here(core->loops[i])) {
            return core->loops[i];
        }
    }
    return NULL;
}

sio_local *sio_namespace_here(const sio_namespace *nsp)
{
    const sio_loop *loop = sio_core_here(nsp->core);
    return loop == NULL ? NULL : sio_local_of(nsp, loop);
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

/* Registers for a namespace, unless other threads may be reading. */
static sio_error add_hook(const sio_namespace *nsp, sio_hooks *hooks,
                          void (*fn)(void), void *arg)
{
    return nsp->core->fixed ? SIO_ERR_STATE : sio_hooks_add(hooks, fn, arg);
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
    nsp->core->tells_drained = true;
    return add_hook(nsp, &nsp->drained, (void (*)(void))fn, arg);
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
        free_handlers(handlers);
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
    if (nsp->core->fixed) {
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
    sio_handlers *handlers = nsp->core->fixed ? NULL : handlers_of(nsp, event);
    if (handlers != NULL && fn != NULL) {
        sio_handlers_remove(handlers, fn, arg);
    }
}

/* ------------------------------------------------------------ attributes -- */

const char *sio_namespace_name(const sio_namespace *nsp)
{
    return nsp->name;
}

sio_server *sio_namespace_server(const sio_namespace *nsp)
{
    return nsp->core->server;
}
