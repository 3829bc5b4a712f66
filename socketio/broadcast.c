#include <stdlib.h>

#include "socketio/adapter_impl.h"
#include "socketio/events.h"
#include "socketio/recovery.h"

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
        b.flags |= SIO_BROADCAST_OVERFLOW;
    } else {
        b.to[b.to_count++] = room;
    }
    return b;
}

sio_broadcast sio_broadcast_except(sio_broadcast b, const char *room)
{
    if (b.except_count == SIO_BROADCAST_ROOMS) {
        b.flags |= SIO_BROADCAST_OVERFLOW;
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
    b.flags |= SIO_BROADCAST_VOLATILE;
    return b;
}

sio_broadcast sio_broadcast_compress(sio_broadcast b, bool compress)
{
    b.flags = compress ? b.flags & ~(unsigned)SIO_BROADCAST_PLAIN
                       : b.flags | SIO_BROADCAST_PLAIN;
    return b;
}

sio_broadcast sio_broadcast_local(sio_broadcast b)
{
    b.flags |= SIO_BROADCAST_LOCAL;
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

/* ------------------------------------------------------------- emitting -- */

typedef struct emission {
    sio_task task;
    sio_outgoing out; /* frozen: all threads send these frames */
    unsigned flags;   /* of SIO_EMIT_* */
} emission;

static void emit_to(sio_socket *socket, void *arg)
{
    const emission *e = arg;
    if (!sio_socket_drops(socket, e->flags)) {
        (void)sio_outgoing_send(&e->out, socket); /* costs that socket */
    }
}

/* The same where somebody listens to what goes out: recipients are taken
 * beforehand, as those who listen may change who they are. */
static void emit_told(const emission *e, sio_local *local,
                      const sio_broadcast *b)
{
    sio_crowd crowd = {0};
    sio_crowd_gather(&crowd, local, b);
    for (size_t i = 0; i < crowd.count; i++) {
        sio_socket *socket = crowd.sockets[i];
        if (socket->state == SIO_SOCKET_CONNECTED &&
            !sio_socket_drops(socket, e->flags) &&
            sio_any_tell(&e->out, socket)) {
            (void)sio_outgoing_send(&e->out, socket); /* costs that socket */
        }
    }
    sio_crowd_disperse(&crowd);
}

/* Has it wait for the end of the turn, with others for the same; false where it
 * is not for one room, or all, or may be dropped. */
static bool join_batch(const emission *e, sio_local *local,
                       const sio_broadcast *b)
{
    sio_room *room = NULL;
    if (e->flags != 0 || b->to_count + b->to_list_count > 1 ||
        b->except_count + b->except_list_count != 0) {
        return false;
    }
    if (b->to_count + b->to_list_count == 1) {
        const char *name = b->to_count == 1 ? b->to[0] : b->to_list[0];
        room = sio_room_find(local, sio_text(name));
        if (room == NULL || sio_local_socket(local, sio_text(name)) != NULL) {
            return false;
        }
    }
    return sio_batch_add(local, room, &e->out, b->except_socket);
}

/* Each child of a parent has packets of its own, for they bear its name: so
 * they are made where they are needed. */
typedef struct parent_emission {
    sio_task task;
    sio_kept_event kept;
    unsigned form, flags; /* as those of an emission */
} parent_emission;

static void send_on(const emission *e, sio_local *local, const sio_broadcast *b)
{
    if (sio_metric_get(&local->connected) == 0 || join_batch(e, local, b)) {
        return;
    }
    sio_batch_flush(local->loop);
    sio_recipients_each(local, b, emit_to, (void *)(uintptr_t)e);
}

/* Tells those who listen before it has a place in the log: what they send comes
 * first. */
static void tell_all(const emission *e, sio_local *local,
                     const sio_broadcast *b)
{
    sio_crowd crowd = {0};
    sio_crowd_gather(&crowd, local, b);
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.sockets[i]->state == SIO_SOCKET_CONNECTED) {
            (void)sio_any_tell(&e->out, crowd.sockets[i]);
        }
    }
    sio_crowd_disperse(&crowd);
}

static void emit_kept(const emission *e, sio_local *local,
                      const sio_broadcast *b)
{
    if (local->recovery->sessions == 0) {
        return; /* each socket has one */
    }
    if (sio_namespace_tells_outgoing(local->nsp)) {
        tell_all(e, local, b);
    }
    emission stamped = *e;
    stamped.out = sio_recovery_stamp(local->recovery, &e->out, b, e->flags);
    send_on(&stamped, local, b);
    sio_frame_unref(stamped.out.text);
}

static void emit_on(const emission *e, sio_local *local, const sio_broadcast *b)
{
    if (local->recovery != NULL) {
        emit_kept(e, local, b);
    } else if (sio_namespace_tells_outgoing(local->nsp)) {
        emit_told(e, local, b);
    } else {
        send_on(e, local, b);
    }
}

static void run_emission(sio_task *task, sio_local *local,
                         const sio_broadcast *b)
{
    emit_on(SIO_OWNER(task, emission, task), local, b);
}

static void run_parent_emission(sio_task *task, sio_local *local,
                                const sio_broadcast *b)
{
    const parent_emission *p = SIO_OWNER(task, parent_emission, task);
    emission e = {.flags = p->flags};
    if (sio_outgoing_event(&e.out, local->nsp, local->loop, p->kept.event,
                           &p->kept.args,
                           NULL) == SIO_OK) { /* or memory is short */
        e.out.form = p->form;
        emit_on(&e, local, b);
        sio_outgoing_deinit(&e.out);
    }
}

static void end_parent_emission(sio_task *task)
{
    sio_arena_deinit(&SIO_OWNER(task, parent_emission, task)->kept.arena);
}

static sio_error emit_to_children(const sio_broadcast *b, const char *event,
                                  const sio_args *args, const emission *e)
{
    parent_emission p = {
        .task = {run_parent_emission, end_parent_emission, NULL},
        .form = e->out.form,
        .flags = e->flags};
    sio_error err = sio_kept_event_init(&p.kept, b->nsp->core, event, args);
    return err == SIO_OK ? sio_spread(b, &p.task, sizeof(p)) : err;
}

static void end_emission(sio_task *task)
{
    sio_outgoing_deinit(&SIO_OWNER(task, emission, task)->out);
}

/* Whether this is the only loop there is, and the packet can be made at once
 * with its offset. */
static bool emits_here(const sio_broadcast *b)
{
    const sio_namespace *nsp = b->nsp;
    const sio_core *core = nsp->core;
    return core->recovery.window != 0 && core->loop_count == 1 &&
           nsp->as_parent == NULL && sio_loop_is_here(core->loops[0]) &&
           sio_local_of(nsp, core->loops[0]) != NULL &&
           !sio_namespace_tells_outgoing(nsp) &&
           (b->flags & SIO_BROADCAST_OVERFLOW) == 0;
}

static sio_error emit_here(const sio_broadcast *b, const char *event,
                           const sio_args *args, emission *e)
{
    sio_local *local = sio_local_of(b->nsp, b->nsp->core->loops[0]);
    unsigned plain = e->out.form == 0 ? 0 : SIO_EMIT_NO_COMPRESS;
    sio_error err = sio_recovery_event(&e->out, local->recovery, b, event, args,
                                       e->flags | plain);
    if (err == SIO_OK) {
        send_on(e, local, b);
        sio_outgoing_deinit(&e->out);
    }
    return err;
}

sio_error sio_memory_emit(void *self, const sio_broadcast *b, const char *event,
                          const sio_args *args)
{
    (void)self;
    emission e = {.task = {run_emission, end_emission, NULL}};
    e.flags = (b->flags & SIO_BROADCAST_VOLATILE) != 0 ? SIO_EMIT_VOLATILE : 0;
    e.out.form = (b->flags & SIO_BROADCAST_PLAIN) != 0 ? EIO_FORM_PLAIN : 0;
    if (b->nsp->as_parent != NULL) {
        return emit_to_children(b, event, args, &e);
    }
    if (emits_here(b)) {
        return emit_here(b, event, args, &e);
    }
    sio_error err = sio_outgoing_event(
        &e.out, b->nsp, sio_core_here(b->nsp->core), event, args, NULL);
    if (err != SIO_OK) {
        return err;
    }
    e.out.form = (b->flags & SIO_BROADCAST_PLAIN) != 0 ? EIO_FORM_PLAIN : 0;
    sio_outgoing_share(&e.out, b->nsp->core);
    return sio_spread(b, &e.task, sizeof(e));
}

sio_error sio_broadcast_emit_args(sio_broadcast b, const char *event,
                                  const sio_args *args)
{
    return sio_adapter_emit(&b, event, args);
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
        sio_pack_free(&args);
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

/* ---------------------------------------------------- the whole of a room --
 */

enum { JOIN, LEAVE, DISCONNECT, CLOSE };

/* What all recipients are made to do. */
typedef struct order {
    sio_task task;
    int what;
    char *room;     /* owned; of JOIN and LEAVE */
    sio_error *err; /* the caller's, for the loop that it is on */
    const sio_loop *here;
} order;

static sio_error obey(const order *o, sio_socket *socket)
{
    switch (o->what) {
    case JOIN:
        return sio_socket_join(socket, o->room);
    case LEAVE:
        sio_socket_leave(socket, o->room);
        break;
    case DISCONNECT:
        sio_socket_disconnect(socket);
        break;
    default:
        sio_socket_close(socket);
        break;
    }
    return SIO_OK;
}

static void run_order(sio_task *task, sio_local *local, const sio_broadcast *b)
{
    const order *o = SIO_OWNER(task, order, task);
    sio_crowd crowd = {0};
    sio_crowd_gather(&crowd, local, b);
    sio_error err = crowd.failed ? SIO_ERR_NO_MEMORY : SIO_OK;
    for (size_t i = 0; i < crowd.count; i++) {
        sio_error one = obey(o, crowd.sockets[i]);
        err = one == SIO_OK || one == SIO_ERR_CLOSED ? err : one;
    }
    sio_crowd_disperse(&crowd);
    if (local->loop == o->here && err != SIO_OK) {
        *o->err = err; /* while the caller waits */
    }
}

static void end_order(sio_task *task)
{
    free(SIO_OWNER(task, order, task)->room);
}

static sio_error give_order(const sio_broadcast *b, int what, const char *room)
{
    sio_error here = SIO_OK;
    order o = {.task = {run_order, end_order, NULL},
               .what = what,
               .err = &here,
               .here = sio_core_here(b->nsp->core)};
    if (room != NULL) {
        o.room = strdup(room);
        if (o.room == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
    }
    sio_error err = sio_spread(b, &o.task, sizeof(o));
    return err == SIO_OK ? here : err;
}

sio_error sio_memory_join(void *self, const sio_broadcast *b, const char *room)
{
    (void)self;
    return give_order(b, JOIN, room);
}

sio_error sio_memory_leave(void *self, const sio_broadcast *b, const char *room)
{
    (void)self;
    return give_order(b, LEAVE, room);
}

sio_error sio_memory_disconnect(void *self, const sio_broadcast *b, bool close)
{
    (void)self;
    return give_order(b, close ? CLOSE : DISCONNECT, NULL);
}
