#include <stdlib.h>

#include "base/buf.h"
#include "socketio/core.h"

/* Flags of a sio_broadcast. */
enum { VOLATILE = 1, LOCAL = 2, OVERFLOW = 4, PLAIN = 8 };

/* ----------------------------------------------------------- the target -- */

sio_broadcast sio_namespace_broadcast(sio_namespace *nsp)
{
    sio_broadcast b = {0};
    b.nsp = nsp;
    return b;
}

sio_broadcast sio_socket_broadcast(sio_socket *socket)
{
    sio_broadcast b = sio_namespace_broadcast(socket->nsp);
    b.except_socket = socket;
    return b;
}

sio_broadcast sio_broadcast_to(sio_broadcast b, const char *room)
{
    if (b.to_count == SIO_BROADCAST_ROOMS) {
        b.flags |= OVERFLOW;
    } else {
        b.to[b.to_count++] = room;
    }
    return b;
}

sio_broadcast sio_broadcast_except(sio_broadcast b, const char *room)
{
    if (b.except_count == SIO_BROADCAST_ROOMS) {
        b.flags |= OVERFLOW;
    } else {
        b.except[b.except_count++] = room;
    }
    return b;
}

sio_broadcast sio_broadcast_to_list(sio_broadcast b, const char *const *rooms,
                                    size_t count)
{
    b.to_list = rooms;
    b.to_list_count = count;
    return b;
}

sio_broadcast sio_broadcast_except_list(sio_broadcast b,
                                        const char *const *rooms, size_t count)
{
    b.except_list = rooms;
    b.except_list_count = count;
    return b;
}

sio_broadcast sio_broadcast_volatile(sio_broadcast b)
{
    b.flags |= VOLATILE;
    return b;
}

sio_broadcast sio_broadcast_compress(sio_broadcast b, bool compress)
{
    b.flags = compress ? b.flags & ~(unsigned)PLAIN : b.flags | PLAIN;
    return b;
}

sio_broadcast sio_broadcast_local(sio_broadcast b)
{
    b.flags |= LOCAL;
    return b;
}

sio_broadcast sio_namespace_to(sio_namespace *nsp, const char *room)
{
    return sio_broadcast_to(sio_namespace_broadcast(nsp), room);
}

sio_broadcast sio_socket_to(sio_socket *socket, const char *room)
{
    return sio_broadcast_to(sio_socket_broadcast(socket), room);
}

/* ------------------------------------------------------------- the walk -- */

/* Visits a recipient.  It must not make anyone join, leave or end: packets are
 * only queued, so it never needs to. */
typedef void visit_fn(sio_socket *socket, void *arg);

/*
 * A walk over recipients.  Each socket that it has met, or must not meet,
 * bears its mark, which tells them apart without a list of its own.
 */
typedef struct walk {
    sio_namespace *nsp;
    uint64_t mark;
    visit_fn *visit; /* NULL while excluding */
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
    sio_room *room = sio_room_find(w->nsp, sio_text(name));
    sio_socket *own = sio_namespace_socket(w->nsp, name);
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

static void walk_all(const walk *w)
{
    sio_map_walk it = sio_map_walk_start(&w->nsp->sockets);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&it)) != NULL) {
        meet(w, SIO_OWNER(node, sio_socket, node));
    }
}

static void walk_names(const walk *w, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        walk_room(w, names[i]);
    }
}

static void walk_recipients(const sio_broadcast *b, visit_fn *visit, void *arg)
{
    walk w = {b->nsp, ++b->nsp->mark, NULL, arg};
    if (b->except_socket != NULL) {
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

/* ------------------------------------------------------------- emitting -- */

typedef struct emission {
    const sio_outgoing *out;
    unsigned flags;
} emission;

static void emit_to(sio_socket *socket, void *arg)
{
    const emission *e = arg;
    const eio_session *session = socket->client->session;
    if ((e->flags & VOLATILE) != 0 &&
        (session == NULL || !eio_session_idle(session))) {
        eio_count(socket->nsp->core->engine, SIO_COUNTER_VOLATILE_DROPPED);
        return;
    }
    (void)sio_outgoing_send(e->out, socket); /* costs that socket, no more */
}

sio_error sio_broadcast_emit_args(sio_broadcast b, const char *event,
                                  const sio_args *args)
{
    sio_outgoing out;
    if ((b.flags & OVERFLOW) != 0) {
        return SIO_ERR_ARGUMENT;
    }
    sio_error err = sio_outgoing_event(&out, b.nsp, event, args, NULL);
    if (err == SIO_OK) {
        out.form = (b.flags & PLAIN) != 0 ? EIO_FORM_PLAIN : 0;
        emission e = {&out, b.flags};
        walk_recipients(&b, emit_to, &e);
        sio_outgoing_deinit(&out);
    }
    return err;
}

sio_error sio_broadcast_emit(sio_broadcast b, const char *event,
                             const char *format, ...)
{
    va_list list;
    sio_args args;
    va_start(list, format);
    sio_error err = sio_pack(format, list, &args);
    va_end(list);
    if (err == SIO_OK) {
        err = sio_broadcast_emit_args(b, event, &args);
        free((char *)(uintptr_t)args.json);
    }
    return err;
}

sio_error sio_broadcast_emit_json(sio_broadcast b, const char *event,
                                  const char *json, size_t len)
{
    sio_args args;
    sio_error err = sio_args_of_json(json, len, &args);
    return err == SIO_OK ? sio_broadcast_emit_args(b, event, &args) : err;
}

/* -------------------------------------------------------------- surveys -- */

/* A broadcast whose answers are gathered. */
typedef struct survey {
    sio_answers_fn *fn;
    void *arg;
    sio_wheel *wheel;
    const sio_outgoing *out; /* only while asking */
    uint64_t id;
    uint32_t timeout_ms;
    size_t expected, done, got;
    sio_buf answers;
    sio_timer timer; /* for the case that nobody was asked */
} survey;

static void finish(survey *s)
{
    s->fn(s->got == s->expected ? SIO_OK : SIO_ERR_TIMEOUT,
          (const char *)s->answers.base, s->answers.len, s->got, s->expected,
          s->arg);
    sio_buf_deinit(&s->answers);
    free(s);
}

static void add_answer(survey *s, const sio_event *answer)
{
    sio_binary binary;
    size_t len = 0;
    const char *first = sio_event_arg(answer, 0, &len);
    bool none =
        first == NULL || sio_event_arg_binary(answer, 0, &binary) == SIO_OK;
    sio_bytes text =
        none ? SIO_LIT("null") : (sio_bytes){(const uint8_t *)first, len};
    if (sio_buf_reserve(&s->answers, text.len + 1) != SIO_OK) {
        return;
    }
    if (s->got != 0) {
        (void)sio_buf_append(&s->answers, SIO_LIT(","));
    }
    (void)sio_buf_append(&s->answers, text);
    s->got++;
}

static void on_answer(sio_socket *socket, sio_error err, sio_event *answer,
                      void *arg)
{
    survey *s = arg;
    (void)socket;
    if (err == SIO_OK) {
        add_answer(s, answer);
    }
    if (++s->done == s->expected) {
        finish(s);
    }
}

static void on_nobody(sio_timer *timer)
{
    finish(SIO_OWNER(timer, survey, timer));
}

static void ask(sio_socket *socket, void *arg)
{
    survey *s = arg;
    if (sio_ack_expect(socket, s->id, s->timeout_ms, on_answer, s) != SIO_OK) {
        return;
    }
    if (sio_outgoing_send(s->out, socket) == SIO_OK) {
        s->expected++;
    } else {
        sio_ack_forget(socket, s->id);
    }
}

static sio_error emit_survey(const sio_broadcast *b, const char *event,
                             const sio_args *args, uint32_t timeout_ms,
                             sio_answers_fn *fn, void *arg)
{
    sio_outgoing out;
    survey *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    *s = (survey){
        .fn = fn,
        .arg = arg,
        .wheel = b->nsp->core->engine->wheel,
        .out = &out,
        .id = b->nsp->next_ack,
        .timeout_ms = timeout_ms,
        .timer = {.fire = on_nobody},
    };
    sio_error err = sio_outgoing_event(&out, b->nsp, event, args, &s->id);
    if (err != SIO_OK) {
        free(s);
        return err;
    }
    b->nsp->next_ack++;
    out.form = (b->flags & PLAIN) != 0 ? EIO_FORM_PLAIN : 0;
    walk_recipients(b, ask, s);
    sio_outgoing_deinit(&out);
    if (s->expected == 0) {
        sio_wheel_arm(s->wheel, &s->timer, s->wheel->now);
    }
    return SIO_OK;
}

sio_error sio_broadcast_emit_ack(sio_broadcast b, const char *event,
                                 uint32_t timeout_ms,
                                 sio_answers_fn *on_answers, void *arg,
                                 const char *format, ...)
{
    va_list list;
    sio_args args;
    if ((b.flags & OVERFLOW) != 0 || timeout_ms == 0) {
        return SIO_ERR_ARGUMENT;
    }
    va_start(list, format);
    sio_error err = sio_pack(format, list, &args);
    va_end(list);
    if (err == SIO_OK) {
        err = emit_survey(&b, event, &args, timeout_ms, on_answers, arg);
        free((char *)(uintptr_t)args.json);
    }
    return err;
}

/* ---------------------------------------------------- the whole of a room --
 */

/* Recipients taken beforehand, for what changes the lists they are in. */
typedef struct crowd {
    sio_socket **sockets;
    size_t count, cap;
    bool failed;
} crowd;

static void gather(sio_socket *socket, void *arg)
{
    crowd *c = arg;
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

static crowd gather_all(const sio_broadcast *b)
{
    crowd c = {0};
    if ((b->flags & OVERFLOW) != 0) {
        c.failed = true;
    } else {
        walk_recipients(b, gather, &c);
    }
    return c;
}

static void disperse(crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        sio_socket_unref(c->sockets[i]);
    }
    free(c->sockets);
}

sio_error sio_broadcast_join(sio_broadcast b, const char *room)
{
    if ((b.flags & OVERFLOW) != 0) {
        return SIO_ERR_ARGUMENT;
    }
    crowd c = gather_all(&b);
    sio_error err = c.failed ? SIO_ERR_NO_MEMORY : SIO_OK;
    for (size_t i = 0; i < c.count; i++) {
        sio_error one = sio_socket_join(c.sockets[i], room);
        err = one == SIO_OK || one == SIO_ERR_CLOSED ? err : one;
    }
    disperse(&c);
    return err;
}

void sio_broadcast_leave(sio_broadcast b, const char *room)
{
    crowd c = gather_all(&b);
    for (size_t i = 0; i < c.count; i++) {
        sio_socket_leave(c.sockets[i], room);
    }
    disperse(&c);
}

void sio_broadcast_disconnect(sio_broadcast b, bool close)
{
    crowd c = gather_all(&b);
    for (size_t i = 0; i < c.count; i++) {
        if (close) {
            sio_socket_close(c.sockets[i]);
        } else {
            sio_socket_disconnect(c.sockets[i]);
        }
    }
    disperse(&c);
}
