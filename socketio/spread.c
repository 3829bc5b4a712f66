#include "socketio/spread.h"

#include <stdlib.h>

#include "socketio/events.h"
#include "socketio/parent.h"
#include "socketio/recovery.h"

/* ------------------------------------------------- work for all the loops --
 */

typedef struct spread spread;

/* A task's way to one loop. */
typedef struct leg {
    sio_message message;
    spread *whole;
    sio_loop *loop;
} leg;

/* A task under way: one block of memory with the task, the legs, and the names
 * of `b` behind it, which the last leg frees. */
struct spread {
    atomic_uint left; /* legs, and the one who sends them off */
    sio_broadcast b;  /* its rooms are all in the lists */
    sio_origin origin;
    sio_task *task;
    leg *legs;
};

static void end_leg(spread *s)
{
    if (atomic_fetch_sub_explicit(&s->left, 1, memory_order_acq_rel) == 1) {
        s->task->end(s->task);
        sio_socket_unref(s->b.except_socket);
        sio_namespace_unref(s->b.nsp);
        free(s);
    }
}

/* A task at work on one loop. */
typedef struct round {
    sio_task *task;
    const sio_broadcast *b;
} round;

static void run_on_local(sio_local *local, void *arg)
{
    const round *r = arg;
    r->task->run(r->task, local, r->b);
}

static void run_on(sio_task *task, const sio_broadcast *b, sio_loop *loop)
{
    round r = {task, b};
    sio_locals_each(loop, b->nsp, run_on_local, &r);
    if (task->ran != NULL) {
        task->ran(task, loop);
    }
}

/* The same, with a note of what the loop has heard, for sessions that move
 * between loops. */
static void run_from(const spread *s, sio_loop *loop)
{
    const sio_core *core = loop->core;
    sio_origin outer = loop->running;
    if (core->heard == NULL) {
        run_on(s->task, &s->b, loop);
        return;
    }
    loop->running = s->origin;
    run_on(s->task, &s->b, loop);
    loop->running = outer;
    uint64_t *heard = &sio_recovery_row(core, loop)[s->origin.sender];
    if (*heard < s->origin.number) { /* it may have sent others meanwhile */
        *heard = s->origin.number;
    }
}

static void run_leg(sio_message *message)
{
    leg *l = SIO_OWNER(message, leg, message);
    spread *s = l->whole;
    run_from(s, l->loop);
    if (!sio_list_empty(&l->loop->fetches)) {
        sio_recovery_heard(l->loop);
    }
    end_leg(s);
}

static void drop_leg(sio_message *message)
{
    end_leg(SIO_OWNER(message, leg, message)->whole);
}

/* Copies names to `*text` and their places to `*list`, moving both on. */
static void copy_names(const char *const *names, size_t count,
                       const char ***list, char **text)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(names[i]) + 1;
        memcpy(*text, names[i], size);
        *(*list)++ = *text;
        *text += size;
    }
}

static size_t names_size(const char *const *names, size_t count)
{
    size_t size = count * sizeof(char *);
    for (size_t i = 0; i < count; i++) {
        size += strlen(names[i]) + 1;
    }
    return size;
}

size_t sio_broadcast_names_size(const sio_broadcast *b)
{
    return names_size(b->to, b->to_count) +
           names_size(b->to_list, b->to_list_count) +
           names_size(b->except, b->except_count) +
           names_size(b->except_list, b->except_list_count);
}

sio_broadcast sio_broadcast_copy(const sio_broadcast *b, void *memory)
{
    sio_broadcast copy = *b;
    const char **list = memory;
    copy.to_list_count = b->to_count + b->to_list_count;
    copy.except_list_count = b->except_count + b->except_list_count;
    copy.to_count = copy.except_count = 0;
    char *text = (char *)(list + copy.to_list_count + copy.except_list_count);
    copy.to_list = list;
    copy_names(b->to, b->to_count, &list, &text);
    copy_names(b->to_list, b->to_list_count, &list, &text);
    copy.except_list = list;
    copy_names(b->except, b->except_count, &list, &text);
    copy_names(b->except_list, b->except_list_count, &list, &text);
    if (b->except_socket != NULL) {
        (void)sio_socket_ref(b->except_socket);
    }
    return copy;
}

static spread *new_spread(const sio_broadcast *b, const sio_task *task,
                          size_t size, unsigned count)
{
    size_t task_at = sio_rounded(sizeof(spread));
    size_t legs_at = sio_rounded(task_at + size);
    size_t names_at = legs_at + count * sizeof(leg);
    uint8_t *memory = malloc(names_at + sio_broadcast_names_size(b));
    spread *s = (spread *)(void *)memory;
    if (s == NULL) {
        return NULL;
    }
    atomic_init(&s->left, count + 1);
    s->task = (sio_task *)(void *)(memory + task_at);
    memcpy(s->task, task, size);
    s->legs = (leg *)(void *)(memory + legs_at);
    s->b = sio_broadcast_copy(b, memory + names_at);
    (void)sio_namespace_ref(s->b.nsp);
    return s;
}

static void post_leg(spread *s, leg *l, sio_loop *loop)
{
    *l = (leg){{.run = run_leg, .drop = drop_leg}, s, loop};
    if (sio_inbox_post(loop->engine->inbox, &l->message) != SIO_OK) {
        end_leg(s); /* that loop has ended, and its sockets with it */
    }
}

static void post_legs(spread *s, sio_core *core, const sio_loop *here)
{
    leg *next = s->legs;
    for (unsigned i = 0; i < core->loop_count; i++) {
        if (core->loops[i] != here) {
            post_leg(s, next++, core->loops[i]);
        }
    }
}

/* Those of one sender come to all loops in the same order. */
static void send_off(spread *s, sio_core *core, sio_loop *here)
{
    if (core->heard != NULL && here == NULL) {
        sio_lock_take(&core->foreign_lock);
        s->origin = (sio_origin){++core->foreign_sent, core->loop_count};
        post_legs(s, core, here);
        sio_lock_leave(&core->foreign_lock);
        return;
    }
    if (core->heard != NULL) {
        s->origin = (sio_origin){++here->sent, here->index};
    }
    post_legs(s, core, here);
}

sio_error sio_spread(const sio_broadcast *b, sio_task *task, size_t size)
{
    sio_core *core = b->nsp->core;
    sio_loop *here = sio_core_here(core);
    unsigned others = core->loop_count - (here == NULL ? 0 : 1);
    if ((b->flags & SIO_BROADCAST_OVERFLOW) != 0) {
        task->end(task);
        return SIO_ERR_ARGUMENT;
    }
    if (others == 0) {
        run_on(task, b, here);
        task->end(task);
        return SIO_OK;
    }
    spread *s = new_spread(b, task, size, others);
    if (s == NULL) {
        task->end(task);
        return SIO_ERR_NO_MEMORY;
    }
    send_off(s, core, here);
    if (here != NULL) {
        run_from(s, here);
    }
    end_leg(s);
    return SIO_OK;
}

/* --------------------------------------------------- work for one socket -- */

void sio_errand_drop(sio_errand *errand)
{
    if (errand->end != NULL) {
        errand->end(errand);
    }
    sio_socket_unref(errand->socket);
    free(errand);
}

static void run_errand(sio_message *message)
{
    sio_errand *errand = SIO_OWNER(message, sio_errand, message);
    errand->run(errand);
    sio_errand_drop(errand);
}

static void drop_errand(sio_message *message)
{
    sio_errand_drop(SIO_OWNER(message, sio_errand, message));
}

void *sio_errand_new(size_t size, sio_socket *socket,
                     void (*run)(sio_errand *self),
                     void (*end)(sio_errand *self))
{
    sio_errand *errand = calloc(1, size);
    if (errand != NULL) {
        errand->message = (sio_message){.run = run_errand, .drop = drop_errand};
        errand->socket = sio_socket_ref(socket);
        errand->run = run;
        errand->end = end;
    }
    return errand;
}

sio_error sio_errand_send(sio_errand *errand)
{
    sio_inbox *inbox = sio_socket_engine(errand->socket)->inbox;
    sio_error err = sio_inbox_post(inbox, &errand->message);
    if (err != SIO_OK) {
        sio_errand_drop(errand);
    }
    return err;
}

/* ---------------------------------------------------- what travels with it --
 */

typedef struct parcel {
    sio_errand errand;
    sio_outgoing out;
    unsigned flags; /* of SIO_EMIT_* */
} parcel;

static void run_parcel(sio_errand *errand)
{
    const parcel *p = SIO_OWNER(errand, parcel, errand);
    sio_socket *socket = errand->socket;
    if (!sio_socket_is_alive(socket)) {
        if (p->out.is_event && socket->local->recovery != NULL) {
            (void)sio_recovery_send(&p->out, socket, p->flags); /* is kept */
        }
    } else if (!sio_socket_drops(socket, p->flags)) {
        if (!p->out.is_event) {
            (void)sio_outgoing_send(&p->out, socket); /* costs that socket */
        } else if (sio_any_outgoing(&p->out, socket)) {
            (void)sio_recovery_send(&p->out, socket, p->flags); /* as above */
        }
    }
}

static void end_parcel(sio_errand *errand)
{
    sio_outgoing_deinit(&SIO_OWNER(errand, parcel, errand)->out);
}

sio_error sio_outgoing_send_far(sio_outgoing *out, sio_socket *socket,
                                unsigned flags)
{
    parcel *p = sio_errand_new(sizeof(*p), socket, run_parcel, end_parcel);
    if (p == NULL) {
        sio_outgoing_deinit(out);
        return SIO_ERR_NO_MEMORY;
    }
    p->out = *out;
    p->flags = flags;
    return sio_errand_send(&p->errand);
}

sio_error sio_args_copy(sio_arena *arena, const sio_args *args, sio_args *out)
{
    sio_binary *binaries =
        sio_arena_alloc(arena, args->binary_count * sizeof(*binaries));
    const char *json = sio_arena_copy(
        arena, (sio_bytes){(const uint8_t *)args->json, args->json_len});
    if (binaries == NULL || json == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < args->binary_count; i++) {
        const sio_binary *from = &args->binaries[i];
        const char *data =
            sio_arena_copy(arena, (sio_bytes){from->data, from->len});
        if (data == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        binaries[i] = (sio_binary){data, from->len};
    }
    *out = (sio_args){json, args->json_len, binaries, args->binary_count};
    return SIO_OK;
}

sio_error sio_kept_event_init(sio_kept_event *kept, const sio_core *core,
                              const char *event, const sio_args *args)
{
    static const sio_args none;
    sio_error err = sio_event_check(event);
    args = args == NULL ? &none : args;
    *kept = (sio_kept_event){0};
    if (err == SIO_OK && args->binary_count > core->limits.max_attachments) {
        err = SIO_ERR_ARGUMENT;
    }
    if (err != SIO_OK) {
        return err;
    }
    kept->event = sio_arena_copy(&kept->arena, sio_text(event));
    err = kept->event == NULL ? SIO_ERR_NO_MEMORY
                              : sio_args_copy(&kept->arena, args, &kept->args);
    if (err != SIO_OK) {
        sio_arena_deinit(&kept->arena);
    }
    return err;
}
