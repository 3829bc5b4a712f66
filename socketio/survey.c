#include <stdlib.h>

#include "base/buf.h"
#include "socketio/events.h"
#include "socketio/spread.h"

/* Acks that threads other than ours ask for are numbered from here on. */
#define FOREIGN_IDS ((uint64_t)1 << 52)

/* What one loop's sockets answer; its own until it is sent home. */
typedef struct part {
    sio_message message;
    struct survey *survey;
    size_t expected, done, got;
    bool asking; /* still: then it is not whole */
    sio_buf answers;
} part;

/*
 * A broadcast whose answers are gathered.  Each loop asks its own sockets and
 * gathers what they say in a part; when that is whole, or time is up, it goes
 * as a message to the loop of whoever asked, where the parts are added up.
 */
typedef struct survey {
    atomic_uint refs; /* the task, and parts under way */
    sio_answers_fn *fn;
    void *arg;
    sio_loop *home;
    unsigned left; /* parts that are not home; this and what follows is for
                      that thread */
    size_t expected, got;
    sio_buf answers;
    part parts[]; /* by loop */
} survey;

/* What the loops are told to do. */
typedef struct request {
    sio_task task;
    sio_outgoing out;
    sio_kept_event kept; /* of a parent, in the place of `out`'s packet */
    uint64_t id;
    uint32_t timeout_ms;
    survey *survey;
} request;

static void unref(survey *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    sio_buf_deinit(&s->answers);
    free(s);
}

/* Appends an answer, or several with commas between them. */
static sio_error append(sio_buf *answers, sio_bytes text)
{
    if (text.len == 0) {
        return SIO_OK;
    }
    sio_error err = sio_buf_reserve(answers, text.len + 1);
    if (err == SIO_OK && answers->len != 0) {
        err = sio_buf_append(answers, SIO_LIT(","));
    }
    return err == SIO_OK ? sio_buf_append(answers, text) : err;
}

/* A part has come home. */
static void add_up(sio_message *message)
{
    part *p = SIO_OWNER(message, part, message);
    survey *s = p->survey;
    s->expected += p->expected;
    if (append(&s->answers, sio_buf_view(&p->answers)) == SIO_OK) {
        s->got += p->got;
    }
    sio_buf_deinit(&p->answers);
    if (--s->left == 0) {
        s->fn(s->got == s->expected ? SIO_OK : SIO_ERR_TIMEOUT,
              (const char *)s->answers.base, s->answers.len, s->got,
              s->expected, s->arg);
    }
    unref(s);
}

/* The server is being freed, so nobody is told. */
static void drop(sio_message *message)
{
    part *p = SIO_OWNER(message, part, message);
    sio_buf_deinit(&p->answers);
    unref(p->survey);
}

static void send_home(part *p)
{
    p->message = (sio_message){.run = add_up, .drop = drop};
    if (sio_inbox_post(p->survey->home->engine->inbox, &p->message) != SIO_OK) {
        drop(&p->message);
    }
}

static void add_answer(part *p, const sio_event *answer)
{
    sio_binary binary;
    size_t len = 0;
    const char *first = sio_event_arg(answer, 0, &len);
    bool none =
        first == NULL || sio_event_arg_binary(answer, 0, &binary) == SIO_OK;
    sio_bytes text =
        none ? SIO_LIT("null") : (sio_bytes){(const uint8_t *)first, len};
    if (append(&p->answers, text) == SIO_OK) {
        p->got++;
    }
}

static void on_answer(sio_socket *socket, sio_error err, sio_event *answer,
                      void *arg)
{
    part *p = arg;
    if (err == SIO_OK) {
        add_answer(p, answer);
    }
    if (++p->done != p->expected || p->asking) {
        return;
    }
    if (p->survey->home == socket->local->loop) {
        add_up(&p->message); /* no need to wait for the next turn */
    } else {
        send_home(p);
    }
}

/* --------------------------------------------------------------- asking -- */

static void ask(sio_socket *socket, void *arg)
{
    const request *r = arg;
    part *p = &r->survey->parts[socket->local->loop->index];
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
static part *open_part(const request *r, const sio_loop *loop)
{
    part *p = &r->survey->parts[loop->index];
    if (p->survey == NULL) {
        atomic_fetch_add_explicit(&r->survey->refs, 1, memory_order_relaxed);
        p->survey = r->survey;
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
    part *p = open_part(SIO_OWNER(task, request, task), loop);
    p->asking = false;
    if (p->done == p->expected) {
        send_home(p); /* by message, so that nobody is told too early */
    }
}

static void end_request(sio_task *task)
{
    request *r = SIO_OWNER(task, request, task);
    sio_outgoing_deinit(&r->out);
    sio_arena_deinit(&r->kept.arena);
    unref(r->survey);
}

static survey *new_survey(const sio_core *core, sio_loop *home,
                          sio_answers_fn *fn, void *arg)
{
    size_t parts = core->loop_count * sizeof(part);
    survey *s = calloc(1, sizeof(*s) + parts);
    if (s != NULL) {
        atomic_init(&s->refs, 1);
        s->fn = fn;
        s->arg = arg;
        s->home = home != NULL ? home : core->loops[0];
        s->left = core->loop_count;
    }
    return s;
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

static sio_error emit_survey(const sio_broadcast *b, const char *event,
                             const sio_args *args, uint32_t timeout_ms,
                             sio_answers_fn *fn, void *arg)
{
    sio_core *core = b->nsp->core;
    sio_loop *here = sio_core_here(core);
    request r = {.task = {run_request, end_request, end_round},
                 .id = next_id(core, b, here),
                 .timeout_ms = timeout_ms,
                 .survey = new_survey(core, here, fn, arg)};
    if (r.survey == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    bool of_parent = b->nsp->as_parent != NULL;
    sio_error err = of_parent ? sio_kept_event_init(&r.kept, core, event, args)
                              : sio_outgoing_event(&r.out, b->nsp, here, event,
                                                   args, &r.id);
    if (err != SIO_OK) {
        unref(r.survey);
        return err;
    }
    r.out.form = (b->flags & SIO_BROADCAST_PLAIN) != 0 ? EIO_FORM_PLAIN : 0;
    if (!of_parent) {
        sio_outgoing_share(&r.out, core);
    }
    return sio_spread(b, &r.task, sizeof(r));
}

sio_error sio_broadcast_emit_ack(sio_broadcast b, const char *event,
                                 uint32_t timeout_ms,
                                 sio_answers_fn *on_answers, void *arg,
                                 const char *format, ...)
{
    va_list list;
    sio_args args;
    if (timeout_ms == 0) {
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
