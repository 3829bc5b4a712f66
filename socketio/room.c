#include <stdlib.h>

#include "socketio/parent.h"
#include "socketio/recovery.h"

sio_room *sio_room_find(const sio_local *local, sio_bytes name)
{
    sio_map_node *node = sio_map_find(&local->rooms, name);
    return node == NULL ? NULL : SIO_OWNER(node, sio_room, node);
}

void sio_room_report(sio_namespace *nsp, sio_room_change change,
                     const char *room, const char *id)
{
    sio_namespace *at = sio_namespace_first(nsp);
    if (nsp->adapter->room != NULL) {
        nsp->adapter->room(nsp->adapter_self, nsp, change, room, id);
    }
    for (; at != NULL; at = sio_namespace_then(nsp, at)) {
        for (size_t i = 0; i < at->room.count; i++) {
            sio_hook *hook = &at->room.items[i];
            ((sio_room_fn *)hook->fn)(nsp, change, room, id, hook->arg);
        }
    }
}

/* Searches the shorter of the two lists that the seat would be in. */
static sio_seat *find_seat(const sio_room *room, const sio_socket *socket)
{
    if (room->count < socket->room_count) {
        const sio_link *at = room->seats.next;
        for (; at != &room->seats; at = at->next) {
            sio_seat *seat = SIO_OWNER(at, sio_seat, in_room);
            if (seat->socket == socket) {
                return seat;
            }
        }
        return NULL;
    }
    const sio_link *at = socket->seats.next;
    for (; at != &socket->seats; at = at->next) {
        sio_seat *seat = SIO_OWNER(at, sio_seat, in_socket);
        if (seat->room == room) {
            return seat;
        }
    }
    return NULL;
}

static sio_room *new_room(sio_local *local, const char *name)
{
    size_t len = strlen(name);
    sio_room *room = malloc(sizeof(*room) + len + 1);
    if (room == NULL) {
        return NULL;
    }
    *room = (sio_room){.name_len = len};
    sio_list_init(&room->seats);
    memcpy(room->name, name, len + 1);
    if (sio_map_insert(&local->rooms, &room->node) != SIO_OK) {
        free(room);
        return NULL;
    }
    return room;
}

static void free_room(sio_local *local, sio_room *room)
{
    sio_namespace *nsp = local->nsp;
    sio_map_remove(&local->rooms, &room->node);
    if (sio_namespace_tells_rooms(nsp)) {
        sio_room_report(nsp, SIO_ROOM_DELETED, room->name, NULL);
    }
    free(room);
}

bool sio_room_has(const sio_room *room, const sio_socket *socket)
{
    return find_seat(room, socket) != NULL;
}

sio_seat *sio_room_seat(const sio_room *room, const sio_socket *socket)
{
    return find_seat(room, socket);
}

static sio_error seat(sio_room *room, sio_socket *socket)
{
    sio_batch_flush(socket->local->loop);
    sio_seat *new_seat = calloc(1, sizeof(*new_seat));
    if (new_seat == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    new_seat->room = room;
    new_seat->socket = socket;
    if (socket->local->recovery != NULL) {
        new_seat->joined = socket->local->recovery->next - 1;
    }
    sio_list_append(&room->seats, &new_seat->in_room);
    sio_list_append(&socket->seats, &new_seat->in_socket);
    room->count++;
    socket->room_count++;
    return SIO_OK;
}

static void unseat(sio_seat *old)
{
    sio_local *local = old->socket->local;
    sio_namespace *nsp = local->nsp;
    sio_room *room = old->room;
    sio_socket *socket = old->socket;
    sio_batch_flush(local->loop);
    sio_link_drop(&old->in_room);
    sio_link_drop(&old->in_socket);
    free(old);
    room->count--;
    socket->room_count--;
    if (sio_namespace_tells_rooms(nsp)) {
        (void)sio_socket_ref(socket);
        room->held++;
        sio_room_report(nsp, SIO_ROOM_LEFT, room->name,
                        sio_socket_own_id(socket));
        room->held--;
        sio_socket_unref(socket);
    }
    /* Somebody may have joined meanwhile. */
    if (room->count == 0 && room->held == 0) {
        free_room(local, room);
    }
}

/* A room's name on its way to the socket's thread. */
typedef struct move {
    sio_errand errand;
    char name[];
} move;

static void run_join(sio_errand *errand)
{
    (void)sio_socket_join(errand->socket,
                          SIO_OWNER(errand, move, errand)->name);
}

static void run_leave(sio_errand *errand)
{
    sio_socket_leave(errand->socket, SIO_OWNER(errand, move, errand)->name);
}

static sio_error move_far(sio_socket *socket, const char *name,
                          void (*run)(sio_errand *self))
{
    size_t size = strlen(name) + 1;
    move *m = sio_errand_new(sizeof(*m) + size, socket, run, NULL);
    if (m == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    memcpy(m->name, name, size);
    return sio_errand_send(&m->errand);
}

sio_error sio_socket_join(sio_socket *socket, const char *name)
{
    sio_namespace *nsp = socket->nsp;
    if (!sio_socket_is_alive(socket)) {
        return SIO_ERR_CLOSED;
    }
    if (!sio_socket_is_here(socket)) {
        return move_far(socket, name, run_join);
    }
    if (strcmp(name, sio_socket_own_id(socket)) == 0) {
        return SIO_OK;
    }
    sio_room *room = sio_room_find(socket->local, sio_text(name));
    if (room != NULL && find_seat(room, socket) != NULL) {
        return SIO_OK;
    }
    if (socket->room_count >= nsp->core->max_rooms) {
        sio_limit_tell(socket->client, SIO_COUNTER_LIMITED_ROOMS,
                       "socket_rooms", "rooms of a socket",
                       nsp->core->max_rooms, &socket->local->loop->rooms_next);
        return SIO_ERR_LIMIT;
    }
    bool fresh = room == NULL;
    if (fresh) {
        room = new_room(socket->local, name);
    }
    if (room == NULL || seat(room, socket) != SIO_OK) {
        if (fresh && room != NULL) {
            sio_map_remove(&socket->local->rooms, &room->node);
            free(room);
        }
        return SIO_ERR_NO_MEMORY;
    }
    if (sio_namespace_tells_rooms(nsp)) {
        (void)sio_socket_ref(socket);
        if (fresh) {
            sio_room_report(nsp, SIO_ROOM_CREATED, name, NULL);
        }
        sio_room_report(nsp, SIO_ROOM_JOINED, name, sio_socket_own_id(socket));
        sio_socket_unref(socket);
    }
    return SIO_OK;
}

void sio_socket_leave(sio_socket *socket, const char *name)
{
    if (!sio_socket_is_here(socket)) {
        (void)move_far(socket, name, run_leave);
        return;
    }
    sio_room *room = sio_room_find(socket->local, sio_text(name));
    sio_seat *found = room == NULL ? NULL : find_seat(room, socket);
    if (found != NULL) {
        unseat(found);
    }
}

void sio_room_leave_all(sio_socket *socket)
{
    while (!sio_list_empty(&socket->seats)) {
        unseat(SIO_OWNER(socket->seats.next, sio_seat, in_socket));
    }
}

static bool in_own_room(const sio_socket *socket)
{
    return socket->state == SIO_SOCKET_CONNECTED ||
           socket->state == SIO_SOCKET_LEAVING;
}

bool sio_socket_in_room(const sio_socket *socket, const char *name)
{
    if (strcmp(name, sio_socket_own_id(socket)) == 0) {
        return in_own_room(socket);
    }
    const sio_room *room = sio_room_find(socket->local, sio_text(name));
    return room != NULL && find_seat(room, socket) != NULL;
}

void sio_socket_each_room(const sio_socket *socket, sio_room_visit_fn *fn,
                          void *arg)
{
    if (in_own_room(socket)) {
        fn(sio_socket_own_id(socket), arg);
    }
    const sio_link *at = socket->seats.next;
    for (; at != &socket->seats; at = at->next) {
        fn(SIO_OWNER(at, sio_seat, in_socket)->room->name, arg);
    }
}

size_t sio_socket_room_count(const sio_socket *socket)
{
    return socket->room_count + (in_own_room(socket) ? 1 : 0);
}
