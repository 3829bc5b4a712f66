#include <stdlib.h>

#include "socketio/spread.h"

/*
 * A walk over recipients.  Each socket that it has met, or must not meet,
 * bears its mark, which tells them apart without a list of its own.
 */
typedef struct walk {
    sio_local *local;
    uint32_t mark;
    sio_visit_fn *visit; /* NULL while excluding */
    void *arg;
} walk;

static void meet(const walk *w, sio_socket *socket)
{
    if (socket->mark == w->mark || socket->state != SIO_SOCKET_CONNECTED) {
        return;
    }
    socket->mark = w->mark;
    if (w->visit != NULL) {
        w->visit(socket, w->arg);
    }
}

static void walk_room(const walk *w, const char *name)
{
    sio_room *room = sio_room_find(w->local, sio_text(name));
    sio_socket *own = sio_local_socket(w->local, sio_text(name));
    if (room != NULL) {
        sio_link *at = room->seats.next;
        for (; at != &room->seats; at = at->next) {
            meet(w, SIO_OWNER(at, sio_seat, in_room)->socket);
        }
    }
    if (own != NULL) {
        meet(w, own);
    }
}

/* With nobody to leave out but one socket there is no need for marks, which
 * would have to be written. */
static void visit_everybody(sio_local *local, const sio_socket *except,
                            sio_visit_fn *visit, void *arg)
{
    for (uint32_t i = 0; i < local->listed; i++) {
        sio_socket *socket = local->list[i];
        if (socket->state == SIO_SOCKET_CONNECTED && socket != except) {
            visit(socket, arg);
        }
    }
}

static void walk_all(const walk *w)
{
    for (uint32_t i = 0; i < w->local->listed; i++) {
        meet(w, w->local->list[i]);
    }
}

/* A mark that no socket bears. */
static uint32_t new_mark(sio_local *local)
{
    if (++local->mark == 0) { /* all have been used */
        for (uint32_t i = 0; i < local->listed; i++) {
            local->list[i]->mark = 0;
        }
        local->mark = 1;
    }
    return local->mark;
}

static void walk_names(const walk *w, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        walk_room(w, names[i]);
    }
}

void sio_recipients_each(sio_local *local, const sio_broadcast *b,
                         sio_visit_fn *visit, void *arg)
{
    if (b->to_count + b->to_list_count + b->except_count +
            b->except_list_count ==
        0) {
        visit_everybody(local, b->except_socket, visit, arg);
        return;
    }
    walk w = {local, new_mark(local), NULL, arg};
    if (b->except_socket != NULL && b->except_socket->local == local) {
        b->except_socket->mark = w.mark;
    }
    walk_names(&w, b->except, b->except_count);
    walk_names(&w, b->except_list, b->except_list_count);
    w.visit = visit;
    if (b->to_count + b->to_list_count == 0) {
        walk_all(&w);
    } else {
        walk_names(&w, b->to, b->to_count);
        walk_names(&w, b->to_list, b->to_list_count);
    }
}

/* ---------------------------------------------------------------- crowds -- */

static void gather(sio_socket *socket, void *arg)
{
    sio_crowd *c = arg;
    if (c->count == c->cap) {
        size_t cap = c->cap == 0 ? 16 : c->cap * 2;
        sio_socket **more = realloc(c->sockets, cap * sizeof(sio_socket *));
        if (more == NULL) {
            c->failed = true;
            return;
        }
        c->sockets = more;
        c->cap = cap;
    }
    c->sockets[c->count++] = sio_socket_ref(socket);
}

void sio_crowd_gather(sio_crowd *crowd, sio_local *local,
                      const sio_broadcast *b)
{
    sio_recipients_each(local, b, gather, crowd);
}

void sio_crowd_disperse(sio_crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) {
        sio_socket_unref(crowd->sockets[i]);
    }
    free(crowd->sockets);
    *crowd = (sio_crowd){0};
}
