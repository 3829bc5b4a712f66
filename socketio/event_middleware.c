#include <stdlib.h>

#include "base/seldom.h"
#include "socketio/events.h"
#include "socketio/parent.h"
#include "socketio/spread.h"

/*
 * Middlewares of events.  As long as each answers at once, the event stays
 * what it was: views into the packet.  One that is answered later is copied
 * when its middleware returns, and charged to its client until then, as a peer
 * may send more while nobody answers.
 */

typedef enum answer { NONE, PASS, DROP, FAIL } answer;

struct sio_event_next {
    sio_link link;       /* in loop->event_nexts */
    sio_message message; /* for an answer from another thread ... */
    answer answer;
    bool running;         /* a middleware has been called and not returned */
    bool kept;            /* the event is a copy, in its own arena */
    char *refusal, *data; /* ... and what FAIL says; owned */
    sio_socket *socket;   /* a reference */
    sio_dues *dues;       /* that it is charged to, a reference; or NULL */
    uint32_t charge;      /* KiB */
    size_t index;         /* of the middleware that decides */
    sio_event event;
};

/* -------------------------------------------------------- life and death -- */

static void unref(sio_dues *dues)
{
    if (--dues->refs == 0) {
        free(dues);
    }
}

static void end_next(sio_event_next *next)
{
    sio_socket *socket = next->socket;
    if (next->dues != NULL) {
        next->dues->kib -= next->charge;
        unref(next->dues);
    }
    sio_link_drop(&next->link);
    sio_event_deinit(&next->event);
    free(next->refusal);
    free(next->data);
    free(next);
    sio_socket_unref(socket);
}

void sio_event_nexts_forget(sio_client *client)
{
    if (client->dues != NULL) {
        unref(client->dues);
        client->dues = NULL;
    }
}

void sio_event_nexts_free(sio_loop *loop)
{
    while (!sio_list_empty(&loop->event_nexts)) {
        end_next(SIO_OWNER(loop->event_nexts.next, sio_event_next, link));
    }
}

/* -------------------------------------------------------------- waiting -- */

static sio_dues *dues_of(sio_client *client)
{
    if (client->dues == NULL) {
        client->dues = calloc(1, sizeof(*client->dues));
        if (client->dues != NULL) {
            client->dues->refs = 1;
        }
    }
    return client->dues;
}

/* Makes its client pay for a copy: LIMIT where it has too many. */
static sio_error charge(sio_event_next *next)
{
    sio_client *client = next->socket->client;
    const sio_args *args = &next->event.args;
    size_t bytes = sizeof(*next) + next->event.raw_name.len + args->json_len;
    for (size_t i = 0; i < args->binary_count; i++) {
        bytes += sizeof(sio_binary) + args->binaries[i].len;
    }
    if (client == NULL || client->session == NULL) {
        return SIO_OK; /* it can send no more */
    }
    sio_dues *dues = dues_of(client);
    if (dues == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    size_t kib = 1 + bytes / 1024, most = sio_core_most_kib(client->loop->core);
    if (kib > most || dues->kib > most - kib) {
        return SIO_ERR_LIMIT;
    }
    dues->refs++;
    dues->kib += (uint32_t)kib;
    next->dues = dues;
    next->charge = (uint32_t)kib;
    return SIO_OK;
}

static sio_error copy(sio_event *event)
{
    const char *raw = sio_arena_copy(&event->arena, event->raw_name);
    if (raw == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    event->raw_name.base = (const uint8_t *)raw;
    return sio_args_copy(&event->arena, &event->args, &event->args);
}

/* The packet will be gone before there is an answer. */
static void keep(sio_event_next *next)
{
    sio_event *event = &next->event;
    sio_socket *socket = next->socket;
    if (next->kept) {
        return;
    }
    next->kept = true;
    sio_error err = charge(next);
    if (err == SIO_OK) {
        err = copy(event);
    }
    if (err == SIO_OK) {
        return;
    }
    /* It leads nowhere, but whoever has it will still answer. */
    event->raw_name.len = 0;
    event->args = (sio_args){0};
    event->arg_count = 0;
    if (socket->client == NULL || socket->client->session == NULL) {
        return;
    }
    if (err == SIO_ERR_LIMIT) {
        sio_client_blame(socket->client, err);
    } else {
        eio_session_close(socket->client->session, EIO_CLOSE_NOW);
    }
}

/* --------------------------------------------------------------- answers -- */

static void tell_error(sio_event_next *next)
{
    sio_socket *socket = next->socket;
    sio_namespace *nsp = socket->nsp, *at = sio_namespace_first(nsp);
    const eio_engine *engine = sio_socket_engine(socket);
    const char *message = next->refusal == NULL ? "" : next->refusal;
    if (nsp->event_errors.count == 0 && at->event_errors.count == 0 &&
        sio_seldom(&socket->local->loop->refused_next, eio_now(engine))) {
        sio_log_write(engine->log, SIO_LOG_WARN, "event_refused",
                      "namespace %s, socket %s, address %s: %s",
                      socket->nsp->name, sio_socket_own_id(socket),
                      eio_request_peer(socket->request), message);
    }
    for (; at != NULL; at = sio_namespace_then(nsp, at)) {
        const sio_hooks *hooks = &at->event_errors;
        for (size_t i = 0;
             i < hooks->count && socket->state == SIO_SOCKET_CONNECTED; i++) {
            ((sio_event_error_fn *)hooks->items[i].fn)(
                socket, &next->event, message, next->data, hooks->items[i].arg);
        }
    }
}

/* Calls middlewares until one has not answered, then does what was said. */
static void go_on(sio_event_next *next)
{
    sio_socket *socket = next->socket;
    const sio_hook *hook;
    for (; next->answer == PASS && socket->state == SIO_SOCKET_CONNECTED &&
           (hook = sio_namespace_event_middleware(socket->nsp, next->index)) !=
               NULL;
         next->index++) {
        next->answer = NONE;
        next->running = true;
        ((sio_event_middleware_fn *)hook->fn)(socket, &next->event, next,
                                              hook->arg);
        next->running = false;
        if (next->answer == NONE) {
            next->index++;
            keep(next);
            return;
        }
    }
    if (socket->state == SIO_SOCKET_CONNECTED) {
        if (next->answer == PASS) {
            sio_event_deliver(&next->event);
        } else if (next->answer == FAIL) {
            tell_error(next);
        }
    }
    end_next(next);
}

void sio_event_filter(sio_event *event)
{
    sio_socket *socket = event->socket;
    sio_event_next *next = calloc(1, sizeof(*next));
    if (next == NULL) {
        sio_event_deinit(event);
        if (socket->client != NULL && socket->client->session != NULL) {
            eio_session_close(socket->client->session, EIO_CLOSE_NOW);
        }
        return;
    }
    next->socket = sio_socket_ref(socket);
    next->event = *event;
    next->answer = PASS;
    sio_list_append(&socket->local->loop->event_nexts, &next->link);
    go_on(next);
}

/* On the socket's loop. */
static void answer_here(sio_event_next *next, answer what)
{
    next->answer = what;
    if (!next->running) {
        go_on(next);
    }
}

/* Where its loop has ended, it is among those that nobody answers any more. */
static void answer_far(sio_event_next *next, void (*run)(sio_message *self))
{
    next->message = (sio_message){.run = run};
    (void)sio_inbox_post(sio_socket_engine(next->socket)->inbox,
                         &next->message);
}

static void run_pass(sio_message *message)
{
    answer_here(SIO_OWNER(message, sio_event_next, message), PASS);
}

static void run_drop(sio_message *message)
{
    answer_here(SIO_OWNER(message, sio_event_next, message), DROP);
}

static void run_fail(sio_message *message)
{
    answer_here(SIO_OWNER(message, sio_event_next, message), FAIL);
}

void sio_event_next_pass(sio_event_next *next)
{
    if (sio_socket_is_here(next->socket)) {
        answer_here(next, PASS);
    } else {
        answer_far(next, run_pass);
    }
}

void sio_event_next_drop(sio_event_next *next)
{
    if (sio_socket_is_here(next->socket)) {
        answer_here(next, DROP);
    } else {
        answer_far(next, run_drop);
    }
}

void sio_event_next_fail(sio_event_next *next, const char *message,
                         const char *data)
{
    /* Without memory for the words the refusal stands all the same. */
    next->refusal = strdup(message);
    next->data = data == NULL ? NULL : strdup(data);
    if (sio_socket_is_here(next->socket)) {
        answer_here(next, FAIL);
    } else {
        answer_far(next, run_fail);
    }
}

/* -------------------------------------------------------------- changing -- */

static sio_error set_args(sio_event *event, const sio_args *args)
{
    unsigned count = 0;
    sio_bytes text = {(const uint8_t *)args->json, args->json_len};
    sio_args own;
    if (sio_json_list_check(text, SIO_JSON_DEPTH_MAX, &count) != SIO_OK) {
        return SIO_ERR_ARGUMENT;
    }
    sio_error err = sio_args_copy(&event->arena, args, &own);
    if (err == SIO_OK) {
        event->args = own;
        event->arg_count = count;
        sio_event_free_tree(event);
    }
    return err;
}

static sio_error set_name(sio_event *event, const char *name)
{
    sio_writer measure = {NULL, 0, 0};
    sio_json_write_string(&measure, sio_text(name));
    uint8_t *raw = sio_arena_alloc(&event->arena, measure.len);
    if (raw == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_writer w = {raw, measure.len, 0};
    sio_json_write_string(&w, sio_text(name));
    event->raw_name = (sio_bytes){raw, w.len};
    event->name = NULL;
    return SIO_OK;
}

sio_error sio_event_set(sio_event *event, const char *name,
                        const sio_args *args)
{
    sio_error err = name == NULL ? SIO_OK : sio_event_check(name);
    if (err == SIO_OK && args != NULL) {
        err = set_args(event, args);
    }
    return err == SIO_OK && name != NULL ? set_name(event, name) : err;
}

/* ---------------------------------------------------------- registration -- */

sio_error sio_namespace_use_events(sio_namespace *nsp,
                                   sio_event_middleware_fn *fn, void *arg)
{
    return sio_namespace_is_fixed(nsp) ? SIO_ERR_STATE
                                       : sio_hooks_add(&nsp->event_middlewares,
                                                       (void (*)(void))fn, arg);
}

sio_error sio_namespace_on_event_error(sio_namespace *nsp,
                                       sio_event_error_fn *fn, void *arg)
{
    return sio_namespace_is_fixed(nsp)
               ? SIO_ERR_STATE
               : sio_hooks_add(&nsp->event_errors, (void (*)(void))fn, arg);
}
