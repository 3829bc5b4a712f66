#include "socketio/inquiry.h"

#include <stdlib.h>

#include "socketio/events.h"

/* Acks that threads other than ours ask for are numbered from here on. */
#define FOREIGN_IDS ((uint64_t)1 << 52)

/* What the loops are told to do. */
typedef struct request {
    sio_task task;
    sio_outgoing out;
    sio_kept_event kept; /* of a parent, in the place of `out`'s packet */
    uint64_t id;
    uint32_t timeout_ms;
    sio_inquiry *inquiry; /* a reference */
} request;

/* ------------------------------------------------------------- lifetime -- */

void *sio_inquiry_new(size_t size, const sio_core *core,
                      const sio_inquiry_user *user)
{
    size_t parts_at = sio_rounded(size);
    uint8_t *memory =
        calloc(1, parts_at + core->loop_count * sizeof(sio_inquiry_part));
    sio_inquiry *inquiry = (sio_inquiry *)(void *)memory;
    if (inquiry != NULL) {
        sio_loop *here = sio_core_here(core);
        atomic_init(&inquiry->refs, 1);
        inquiry->user = user;
        inquiry->home = here != NULL ? here : core->loops[0];
        inquiry->loops = core->loop_count;
        inquiry->parts = (sio_inquiry_part *)(void *)(memory + parts_at);
    }
    return inquiry;
}

void sio_inquiry_ref(sio_inquiry *inquiry)
{
    atomic_fetch_add_explicit(&inquiry->refs, 1, memory_order_relaxed);
}

void sio_inquiry_unref(sio_inquiry *inquiry)
{
    if (atomic_fetch_sub_explicit(&inquiry->refs, 1, memory_order_acq_rel) ==
        1) {
        inquiry->user->free(inquiry);
    }
}

/* --------------------------------------------------------------- asking -- */

static void on_answer(sio_socket *socket, sio_error err, sio_event *answer,
                      void *arg)
{
    sio_inquiry_part *p = arg;
    if (err == SIO_OK) {
        p->inquiry->user->answered(p, answer);
    }
    if (++p->done == p->expected && !p->asking) {
        p->inquiry->user->whole(p, p->inquiry->home == socket->local->loop);
    }
}

static void ask(sio_socket *socket, void *arg)
{
    const request *r = arg;
    sio_inquiry_part *p = &r->inquiry->parts[socket->local->loop->index];
    if (sio_ack_expect(socket, r->id, r->timeout_ms, on_answer, p) != SIO_OK) {
        return;
    }
    if (sio_outgoing_send(&r->out, socket) == SIO_OK) {
        p->expected++;
    } else {
        sio_ack_forget(socket, r->id);
    }
}

/* The same where somebody listens to what goes out.  All are told of before the
 * first is asked, so that no answer is in before the number of those who are
 * asked is known. */
static void ask_told(request *r, sio_local *local, const sio_broadcast *b)
{
    sio_crowd crowd = {0};
    sio_crowd_gather(&crowd, local, b);
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.sockets[i]->state == SIO_SOCKET_CONNECTED) {
            (void)sio_any_tell(&r->out, crowd.sockets[i]);
        }
    }
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.sockets[i]->state == SIO_SOCKET_CONNECTED) {
            ask(crowd.sockets[i], r);
        }
    }
    sio_crowd_disperse(&crowd);
}

/* The loop's part, which it works on from now on. */
static sio_inquiry_part *open_part(const request *r, const sio_loop *loop)
{
    sio_inquiry_part *p = &r->inquiry->parts[loop->index];
    if (p->inquiry == NULL) {
        sio_inquiry_ref(r->inquiry);
        p->inquiry = r->inquiry;
        p->asking = true;
    }
    return p;
}

static void ask_all(request *r, sio_local *local, const sio_broadcast *b)
{
    if (sio_namespace_tells_outgoing(local->nsp)) {
        ask_told(r, local, b);
    } else {
        sio_recipients_each(local, b, ask, r);
    }
}

static void run_request(sio_task *task, sio_local *local,
                        const sio_broadcast *b)
{
    request *r = SIO_OWNER(task, request, task);
    request one = *r; /* with packets of the child's own, where it is one */
    (void)open_part(r, local->loop);
    if (b->nsp->as_parent == NULL) {
        ask_all(r, local, b);
    } else if (sio_outgoing_event(&one.out, local->nsp, local->loop,
                                  r->kept.event, &r->kept.args,
                                  &r->id) == SIO_OK) { /* or memory is short */
        one.out.form = r->out.form;
        ask_all(&one, local, b);
        sio_outgoing_deinit(&one.out);
    }
}

static void end_round(sio_task *task, sio_loop *loop)
{
    sio_inquiry_part *p = open_part(SIO_OWNER(task, request, task), loop);
    const sio_inquiry_user *user = p->inquiry->user;
    p->asking = false;
    if (user->counted != NULL) {
        user->counted(p);
    }
    if (p->done == p->expected) {
        user->whole(p, false);
    }
}

static void end_request(sio_task *task)
{
    request *r = SIO_OWNER(task, request, task);
    sio_outgoing_deinit(&r->out);
    sio_arena_deinit(&r->kept.arena);
    sio_inquiry_unref(r->inquiry);
}

static uint64_t next_id(sio_core *core, const sio_broadcast *b,
                        const sio_loop *here)
{
    sio_local *local = here == NULL ? NULL : sio_local_of(b->nsp, here);
    return local != NULL
               ? sio_local_next_ack(local)
               : FOREIGN_IDS + atomic_fetch_add_explicit(&core->foreign_acks, 1,
                                                         memory_order_relaxed);
}

sio_error sio_inquiry_send(sio_inquiry *inquiry, const sio_broadcast *b,
                           const char *event, const sio_args *args,
                           uint32_t timeout_ms)
{
    sio_core *core = b->nsp->core;
    sio_loop *here = sio_core_here(core);
    request r = {.task = {run_request, end_request, end_round},
                 .id = next_id(core, b, here),
                 .timeout_ms = timeout_ms,
                 .inquiry = inquiry};
    bool of_parent = b->nsp->as_parent != NULL;
    sio_error err = of_parent ? sio_kept_event_init(&r.kept, core, event, args)
                              : sio_outgoing_event(&r.out, b->nsp, here, event,
                                                   args, &r.id);
    if (err != SIO_OK) {
        sio_inquiry_unref(inquiry);
        return err;
    }
    r.out.form = (b->flags & SIO_BROADCAST_PLAIN) != 0 ? EIO_FORM_PLAIN : 0;
    if (!of_parent) {
        sio_outgoing_share(&r.out, core);
    }
    return sio_spread(b, &r.task, sizeof(r));
}
