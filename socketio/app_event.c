#include <stdlib.h>

#include "base/buf.h"
#include "socketio/adapter_impl.h"
#include "socketio/events.h"
#include "socketio/parent.h"
#include "socketio/spread.h"

/*
 * Events between parts of the application.  They are heard on the first loop,
 * whoever emits them; what is gathered of their answers belongs to it alone.
 */

/* The answers to one event. */
typedef struct round {
    sio_link link; /* in loop->rounds */
    sio_timer timer;
    sio_loop *loop;
    unsigned refs; /* until it is told, the event, replies */
    bool told;
    size_t expected, got;
    sio_buf answers;
    sio_answers_fn *fn;
    void *arg;
} round;

struct sio_reply {
    sio_link link;       /* in loop->replies */
    sio_message message; /* for an answer from another thread ... */
    char *json;          /* ... and what it says; owned */
    round *round;        /* a reference */
};

/* An event on its way to the first loop. */
typedef struct call {
    sio_message message;
    sio_namespace *nsp; /* a reference */
    sio_arena arena;    /* of what follows */
    const char *name;
    sio_args args;
    uint32_t timeout_ms;
    round *round; /* a reference; NULL: nobody asks */
} call;

/* --------------------------------------------------------------- answers -- */

static void unref(round *r)
{
    if (r != NULL && --r->refs == 0) {
        sio_link_drop(&r->link);
        sio_buf_deinit(&r->answers);
        free(r);
    }
}

static void finish(round *r)
{
    if (r->told) {
        return;
    }
    r->told = true;
    sio_wheel_cancel(r->loop->engine->wheel, &r->timer);
    r->fn(r->got == r->expected ? SIO_OK : SIO_ERR_TIMEOUT,
          (const char *)r->answers.base, r->answers.len, r->got, r->expected,
          r->arg);
    unref(r);
}

static void on_timer(sio_timer *timer)
{
    finish(SIO_OWNER(timer, round, timer));
}

/* Appends the first of the values in `json`, or null. */
static void add_answer(round *r, const char *json)
{
    sio_json_items it = sio_json_items_of_list(sio_text(json));
    sio_bytes item;
    sio_json_type type;
    sio_error err = SIO_OK;
    if (!sio_json_items_next(&it, &item, &type)) {
        item = SIO_LIT("null");
    }
    if (r->answers.len != 0) {
        err = sio_buf_append(&r->answers, SIO_LIT(","));
    }
    if (err == SIO_OK && sio_buf_append(&r->answers, item) == SIO_OK) {
        r->got++;
    }
}

static void free_reply(sio_reply *reply)
{
    sio_link_drop(&reply->link);
    free(reply->json);
    free(reply);
}

static void take_reply(sio_reply *reply)
{
    round *r = reply->round;
    if (!r->told) {
        add_answer(r, reply->json == NULL ? "" : reply->json);
        if (r->got == r->expected) {
            finish(r);
        }
    }
    free_reply(reply);
    unref(r);
}

static void run_reply(sio_message *message)
{
    take_reply(SIO_OWNER(message, sio_reply, message));
}

sio_error sio_reply_send(sio_reply *reply, const char *format, ...)
{
    va_list list;
    sio_args args = {0};
    va_start(list, format);
    sio_error err = sio_pack(format, list, &args);
    va_end(list);
    if (err == SIO_OK) {
        reply->json =
            strndup(args.json == NULL ? "" : args.json, args.json_len);
        sio_pack_free(&args);
    }
    /* Where its loop has ended, it is among those that go with the server. */
    const sio_loop *loop = reply->round->loop;
    if (sio_loop_is_here(loop)) {
        take_reply(reply);
    } else {
        reply->message = (sio_message){.run = run_reply};
        (void)sio_inbox_post(loop->engine->inbox, &reply->message);
    }
    return err;
}

void sio_server_events_free(sio_loop *loop)
{
    while (!sio_list_empty(&loop->replies)) {
        sio_reply *reply = SIO_OWNER(loop->replies.next, sio_reply, link);
        round *r = reply->round;
        free_reply(reply);
        unref(r);
    }
    while (!sio_list_empty(&loop->rounds)) {
        round *r = SIO_OWNER(loop->rounds.next, round, link);
        sio_wheel_cancel(loop->engine->wheel, &r->timer);
        unref(r); /* that of not having been told */
    }
}

/* --------------------------------------------------------------- hearing -- */

static sio_reply *new_reply(round *r)
{
    sio_reply *reply = r == NULL ? NULL : calloc(1, sizeof(*reply));
    if (reply != NULL) {
        reply->round = r;
        r->refs++;
        sio_list_append(&r->loop->replies, &reply->link);
    }
    return reply;
}

static bool is_for(const sio_server_handler *handler, const call *c)
{
    return strcmp(handler->name, c->name) == 0;
}

/* Puts the round where the loop finds it; tells at once where nobody hears. */
static void open_round(round *r, const call *c, size_t expected)
{
    r->loop = c->nsp->core->loops[0];
    sio_list_append(&r->loop->rounds, &r->link);
    r->expected = expected;
    r->refs++;
    r->timer.fire = on_timer;
    if (expected == 0) {
        finish(r);
    } else {
        sio_wheel_arm(r->loop->engine->wheel, &r->timer,
                      eio_now(r->loop->engine) + c->timeout_ms);
    }
}

static void free_call(call *c)
{
    sio_namespace_unref(c->nsp);
    sio_arena_deinit(&c->arena);
    free(c);
}

/* How many of the first `count` that `at` has are for it. */
static size_t count_for(const sio_namespace *at, size_t count, const call *c)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += is_for(&at->server_handlers[i], c) ? 1 : 0;
    }
    return sum;
}

static void hear(const sio_namespace *at, size_t count, const call *c)
{
    for (size_t i = 0; i < count; i++) {
        sio_server_handler handler = at->server_handlers[i];
        if (is_for(&handler, c)) {
            handler.fn(c->nsp, c->name, &c->args, new_reply(c->round),
                       handler.arg);
        }
    }
}

static void run_call(sio_message *message)
{
    call *c = SIO_OWNER(message, call, message);
    const sio_namespace *nsp = c->nsp, *parent = nsp->parent;
    size_t own = nsp->server_handler_count; /* those added later have to wait */
    size_t first = parent == NULL ? 0 : parent->server_handler_count;
    if (c->round != NULL) {
        open_round(c->round, c,
                   count_for(parent, first, c) + count_for(nsp, own, c));
    }
    hear(parent, first, c);
    hear(nsp, own, c);
    unref(c->round);
    free_call(c);
}

/* The server is being freed. */
static void drop_call(sio_message *message)
{
    call *c = SIO_OWNER(message, call, message);
    free(c->round); /* in no list yet */
    free_call(c);
}

/* -------------------------------------------------------------- emitting -- */

static sio_error check_name(const char *event)
{
    static const char *const reserved[] = {"connect", "connection",
                                           "new_namespace"};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(event, reserved[i]) == 0) {
            return SIO_ERR_RESERVED;
        }
    }
    return SIO_OK;
}

/* Takes `r`. */
static sio_error send(sio_namespace *nsp, const char *event, round *r,
                      uint32_t timeout_ms, const sio_args *args)
{
    call *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        free(r);
        return SIO_ERR_NO_MEMORY;
    }
    *c = (call){.message = {.run = run_call, .drop = drop_call},
                .nsp = sio_namespace_ref(nsp),
                .round = r,
                .timeout_ms = timeout_ms};
    c->name = sio_arena_copy(&c->arena, sio_text(event));
    sio_error err = c->name == NULL ? SIO_ERR_NO_MEMORY
                                    : sio_args_copy(&c->arena, args, &c->args);
    if (err == SIO_OK) {
        err = sio_inbox_post(nsp->core->loops[0]->engine->inbox, &c->message);
    }
    if (err != SIO_OK) {
        drop_call(&c->message);
    }
    return err;
}

sio_error sio_memory_emit_server(void *self, sio_namespace *nsp,
                                 const char *event, const sio_args *args)
{
    (void)self;
    return send(nsp, event, NULL, 0, args);
}

sio_error sio_memory_emit_server_ack(void *self, sio_namespace *nsp,
                                     const char *event, const sio_args *args,
                                     uint32_t timeout_ms, sio_answers_fn *fn,
                                     void *arg)
{
    (void)self;
    round *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    r->refs = 1;
    r->fn = fn;
    r->arg = arg;
    return send(nsp, event, r, timeout_ms, args);
}

static sio_error pack(const char *event, const char *format, va_list list,
                      sio_args *args)
{
    sio_error err = check_name(event);
    return err == SIO_OK ? sio_pack(format, list, args) : err;
}

sio_error sio_namespace_emit_server(sio_namespace *nsp, const char *event,
                                    const char *format, ...)
{
    va_list list;
    sio_args args;
    va_start(list, format);
    sio_error err = pack(event, format, list, &args);
    va_end(list);
    if (err == SIO_OK) {
        err = sio_adapter_emit_server(nsp, event, &args);
        sio_pack_free(&args);
    }
    return err;
}

sio_error sio_namespace_emit_server_ack(sio_namespace *nsp, const char *event,
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
    sio_error err = pack(event, format, list, &args);
    va_end(list);
    if (err == SIO_OK) {
        err = sio_adapter_emit_server_ack(nsp, event, &args, timeout_ms,
                                          on_answers, arg);
        sio_pack_free(&args);
    }
    return err;
}

sio_error sio_namespace_on_server_event(sio_namespace *nsp, const char *event,
                                        sio_server_event_fn *fn, void *arg)
{
    sio_error err = check_name(event);
    if (err != SIO_OK || sio_namespace_is_fixed(nsp)) {
        return err != SIO_OK ? err : SIO_ERR_STATE;
    }
    size_t count = nsp->server_handler_count;
    char *name = strdup(event);
    sio_server_handler *more =
        realloc(nsp->server_handlers, (count + 1) * sizeof(*more));
    if (more != NULL) {
        nsp->server_handlers = more;
    }
    if (more == NULL || name == NULL) {
        free(name);
        return SIO_ERR_NO_MEMORY;
    }
    more[count] = (sio_server_handler){name, fn, arg};
    nsp->server_handler_count++;
    /* The list owns it. */
    /* cppcheck-suppress memleak */
    return SIO_OK;
}

void sio_server_handlers_free(sio_namespace *nsp)
{
    for (size_t i = 0; i < nsp->server_handler_count; i++) {
        free(nsp->server_handlers[i].name);
    }
    free(nsp->server_handlers);
}
