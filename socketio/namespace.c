#include <stdlib.h>

#include "socketio/adapter_impl.h"
#include "socketio/events.h"
#include "socketio/parent.h"
#include "socketio/recovery.h"

static sio_bytes namespace_key(const sio_map_node *node)
{
    return sio_namespace_view(SIO_OWNER(node, sio_namespace, node));
}

static sio_bytes socket_key(const sio_map_node *node)
{
    const sio_socket *socket = SIO_OWNER(node, sio_socket, node);
    return sio_text(sio_socket_own_id(socket));
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
        if (core->adapter == NULL) {
            core->adapter = &sio_adapter_memory;
        }
        sio_lock_init_nested(&core->making);
        sio_lock_init(&core->lock);
        sio_list_init(&core->parents);
        atomic_init(&core->serials, 0);
        sio_map_init(&core->namespaces, namespace_key, core->secret);
        err = sio_recovery_init_core(core);
    }
    return err;
}

void sio_handlers_deinit(sio_handlers *handlers)
{
    free(handlers->items);
    free(handlers->name);
}

/* The core may be gone already. */
void sio_namespace_free(sio_namespace *nsp)
{
    sio_adapter_close(nsp);
    sio_map_walk walk = sio_map_walk_start(&nsp->handlers);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        sio_handlers *handlers = SIO_OWNER(node, sio_handlers, node);
        sio_map_remove(&nsp->handlers, node);
        sio_handlers_deinit(handlers);
        free(handlers);
    }
    sio_handlers_deinit(&nsp->any);
    sio_handlers_deinit(&nsp->outgoing);
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
    free(nsp->expired.items);
    for (unsigned i = 0; i < nsp->loop_count; i++) {
        sio_local *local = atomic_load(&nsp->locals[i]);
        if (local != NULL) {
            sio_map_deinit(&local->sockets);
            sio_map_deinit(&local->rooms);
            sio_recovery_free(local->recovery);
            free(local->list);
            free(local);
        }
    }
    sio_map_deinit(&nsp->handlers);
    sio_recovery_deinit_pids(nsp);
    free(nsp);
}

void sio_core_deinit(sio_core *core)
{
    sio_map_walk walk = sio_map_walk_start(&core->namespaces);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        sio_namespace *nsp = SIO_OWNER(node, sio_namespace, node);
        sio_map_remove(&core->namespaces, node);
        if (nsp->parent != NULL) {
            sio_link_drop(&nsp->sibling);
            sio_namespace_unref(nsp); /* sockets may be held that are in it */
        } else {
            sio_namespace_free(nsp);
        }
    }
    free(core->conn.opened.items);
    free(core->conn.packet.items);
    free(core->conn.packet_create.items);
    free(core->conn.drained.items);
    free(core->conn.closed.items);
    sio_map_deinit(&core->namespaces);
    sio_parents_free(core);
    free(core->new_namespace.items);
    sio_recovery_deinit_core(core);
    sio_lock_deinit(&core->lock);
    sio_lock_deinit(&core->making);
}

sio_namespace *sio_core_look(const sio_core *core, sio_bytes name)
{
    sio_map_node *node = sio_map_find(&core->namespaces, name);
    return node == NULL ? NULL : SIO_OWNER(node, sio_namespace, node);
}

sio_error sio_core_list(sio_core *core, sio_namespace *nsp)
{
    sio_error err = sio_map_insert(&core->namespaces, &nsp->node);
    if (err == SIO_OK) {
        nsp->listed = true;
        if (nsp->parent != NULL) {
            (void)sio_namespace_ref(nsp); /* the map's */
            sio_list_append(&nsp->parent->as_parent->children, &nsp->sibling);
        }
    }
    return err;
}

/* Until those who listen have been told of it, on some thread. */
static void await_told(sio_core *core, const sio_namespace *nsp)
{
    if (atomic_load_explicit(&nsp->fresh, memory_order_acquire)) {
        sio_lock_take(&core->making);
        sio_lock_leave(&core->making);
    }
}

sio_namespace *sio_core_find(sio_core *core, const char *name)
{
    sio_lock_take(&core->lock);
    sio_namespace *nsp = sio_core_look(core, sio_text(name));
    if (nsp != NULL) {
        (void)sio_namespace_ref(nsp);
    }
    sio_lock_leave(&core->lock);
    if (nsp != NULL) {
        await_told(core, nsp);
    }
    return nsp;
}

sio_namespace *sio_core_enter(sio_core *core, sio_bytes name)
{
    sio_lock_take(&core->lock);
    sio_namespace *nsp = sio_core_look(core, name);
    if (nsp != NULL && nsp->parent != NULL) {
        (void)sio_namespace_ref(nsp);
        atomic_fetch_add_explicit(&nsp->members, 1, memory_order_relaxed);
    }
    sio_lock_leave(&core->lock);
    if (nsp != NULL) {
        await_told(core, nsp);
    }
    return nsp;
}

sio_namespace *sio_namespace_new(sio_core *core, sio_bytes name)
{
    size_t locals = core->loop_count * sizeof(_Atomic(sio_local *));
    sio_namespace *nsp = calloc(1, sizeof(*nsp) + locals + name.len + 2);
    if (nsp == NULL) {
        return NULL;
    }
    nsp->core = core;
    nsp->adapter = &sio_adapter_memory;
    nsp->loop_count = core->loop_count;
    nsp->serial =
        1 + atomic_fetch_add_explicit(&core->serials, 1, memory_order_relaxed);
    nsp->locals = (void *)(nsp + 1);
    for (unsigned i = 0; i < core->loop_count; i++) {
        atomic_init(&nsp->locals[i], NULL);
    }
    nsp->name = (char *)(nsp->locals + core->loop_count);
    nsp->name_len = name.len + 1;
    nsp->name[0] = '/';
    memcpy(nsp->name + 1, name.base, name.len);
    atomic_init(&nsp->refs, 1);
    atomic_init(&nsp->members, 0);
    atomic_init(&nsp->fresh, false);
    sio_map_init(&nsp->handlers, handlers_key, core->secret);
    sio_recovery_init_pids(nsp);
    return nsp;
}

sio_local *sio_local_make(sio_namespace *nsp, sio_loop *loop)
{
    sio_local *local = sio_local_of(nsp, loop);
    if (local != NULL) {
        return local;
    }
    local = aligned_alloc(alignof(sio_local), sizeof(*local));
    if (local == NULL) {
        return NULL;
    }
    memset(local, 0, sizeof(*local));
    local->nsp = nsp;
    local->loop = loop;
    local->active.local = local;
    sio_map_init(&local->sockets, socket_key, nsp->core->secret);
    sio_map_init(&local->rooms, room_key, nsp->core->secret);
    if (nsp->core->recovery.window != 0) {
        local->recovery = sio_recovery_new(local);
        if (local->recovery == NULL) {
            free(local);
            return NULL;
        }
    }
    atomic_store_explicit(&nsp->locals[loop->index], local,
                          memory_order_release);
    return local;
}

/* Makes one that the application asks for, with core->making. */
static sio_namespace *make_asked_for(sio_core *core, sio_bytes name)
{
    sio_namespace *fresh = sio_namespace_new(core, name), *old;
    if (fresh == NULL) {
        return NULL;
    }
    fresh->pinned = true;
    atomic_store(&fresh->fresh, true);
    sio_lock_take(&core->lock);
    sio_parent *parent = sio_core_parent_of(core, sio_namespace_view(fresh));
    fresh->parent = parent == NULL ? NULL : parent->nsp;
    old = sio_core_look(core, sio_namespace_view(fresh));
    sio_error err = old == NULL ? sio_core_list(core, fresh) : SIO_ERR_STATE;
    if (old != NULL) {
        old->pinned = true;
    }
    sio_lock_leave(&core->lock);
    if (err != SIO_OK) {
        sio_namespace_free(fresh);
        return old;
    }
    if (fresh->parent != NULL) {
        sio_namespace_unref(fresh); /* the map's stays */
    }
    sio_core_tell(core, fresh);
    return fresh;
}

static sio_namespace *find_and_pin(sio_core *core, sio_bytes name)
{
    sio_lock_take(&core->lock);
    sio_namespace *nsp = sio_core_look(core, name);
    if (nsp != NULL) {
        nsp->pinned = true;
    }
    sio_lock_leave(&core->lock);
    if (nsp != NULL) {
        await_told(core, nsp);
    }
    return nsp;
}

sio_namespace *sio_core_of(sio_core *core, const char *name)
{
    sio_namespace *known =
        name[0] == '/' ? find_and_pin(core, sio_text(name)) : NULL;
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
    sio_lock_take(&core->making);
    sio_namespace *nsp = make_asked_for(core, sio_text(name));
    sio_lock_leave(&core->making);
    return nsp;
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
        if (!sio_link_used(&local->active.link)) {
            sio_list_append(&local->loop->active, &local->active.link);
        }
    }
    return err;
}

void sio_local_remove(sio_local *local, sio_socket *socket)
{
    if (local->listed == 1) {
        /* Nobody is left to get it; and then the namespace may go. */
        sio_batch_flush(local->loop);
        if (local->recovery == NULL) { /* else when that has no session */
            sio_link_drop(&local->active.link);
        }
    }
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
    sio_list_init(&loop->claims);
    sio_list_init(&loop->active);
    sio_list_init(&loop->fetches);
}

static void close_local(sio_local *local, void *arg)
{
    (void)arg;
    sio_map_walk walk = sio_map_walk_start(&local->sockets);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        sio_socket_end(SIO_OWNER(node, sio_socket, node),
                       SIO_DISCONNECT_SERVER_SHUTTING_DOWN, SIO_OK);
        /* Its handlers may have ended others. */
        walk = sio_map_walk_start(&local->sockets);
    }
    if (local->recovery != NULL) {
        sio_recovery_close(local->recovery);
    }
}

void sio_loop_close(sio_loop *loop)
{
    loop->closed = true;
    sio_locals_each(loop, NULL, close_local, NULL);
    sio_recovery_drop_fetches(loop);
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

/* ------------------------------------------------------------ attributes -- */

const char *sio_namespace_name(const sio_namespace *nsp)
{
    return nsp->name;
}

sio_server *sio_namespace_server(const sio_namespace *nsp)
{
    return nsp->core->server;
}
