#include <stdlib.h>

#include "socketio/compat.h"
#include "socketio/events.h"
#include "socketio/parent.h"
#include "socketio/recovery.h"

/* A namespace's middlewares at work on one socket. */
struct sio_next {
    sio_link link;        /* in loop->nexts */
    sio_message message;  /* for an answer from another thread ... */
    char *refusal, *data; /* ... and what it says; owned */
    sio_socket *socket;   /* a reference */
    size_t index;         /* of the middleware that decides */
};

/* ------------------------------------------------------- life and death -- */

static sio_socket *make_socket(sio_client *client, sio_namespace *nsp,
                               sio_bytes auth)
{
    sio_local *local = sio_local_make(nsp, client->loop);
    sio_socket *socket = local == NULL ? NULL : calloc(1, sizeof(*socket));
    if (socket == NULL) {
        return NULL;
    }
    socket->nsp = nsp;
    socket->client = client;
    if (sio_dialect_of(client)->make_id(socket) != SIO_OK) {
        free(socket);
        return NULL;
    }
    if (auth.len != 0) {
        socket->auth = malloc(auth.len + 1);
        if (socket->auth == NULL) {
            free(sio_socket_long_id(socket));
            free(socket);
            return NULL;
        }
        memcpy(socket->auth, auth.base, auth.len);
        socket->auth[auth.len] = '\0';
    }
    atomic_init(&socket->refs, 1);
    socket->local = local;
    socket->request = eio_request_ref(
        (eio_request *)(uintptr_t)eio_session_request(client->session));
    sio_list_init(&socket->seats);
    sio_list_append(&client->sockets, &socket->in_client);
    client->count++;
    client->auth += (uint32_t)(auth.len / 1024);
    return socket;
}

sio_socket *sio_socket_new(sio_client *client, sio_namespace *nsp,
                           sio_bytes auth)
{
    sio_socket *socket = make_socket(client, nsp, auth);
    if (socket == NULL) {
        sio_namespace_part(nsp, client->loop);
        return NULL;
    }
    socket->in_child = sio_namespace_is_counted(nsp);
    return socket;
}

sio_error sio_socket_move(sio_socket *socket, sio_namespace *nsp)
{
    sio_loop *loop = socket->local->loop;
    sio_local *local = sio_local_make(nsp, loop);
    sio_namespace *old = socket->nsp;
    if (local == NULL) {
        sio_namespace_part(nsp, loop);
        return SIO_ERR_NO_MEMORY;
    }
    socket->nsp = nsp;
    socket->local = local;
    socket->in_child = sio_namespace_is_counted(nsp);
    sio_namespace_part(old, loop);
    return SIO_OK;
}

sio_socket *sio_socket_ref(sio_socket *socket)
{
    atomic_fetch_add_explicit(&socket->refs, 1, memory_order_relaxed);
    return socket;
}

void sio_socket_unref(sio_socket *socket)
{
    if (socket == NULL || atomic_fetch_sub_explicit(
                              &socket->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    sio_socket_set_data(socket, NULL, NULL);
    sio_socket_free_auth(socket);
    sio_socket_free_handshake(socket);
    eio_request_unref(socket->request);
    if (socket->in_child) {
        sio_namespace_unref(socket->nsp);
    }
    free(socket->acks);
    free(socket->auth);
    free(sio_socket_long_id(socket));
    free(socket);
}

void sio_socket_unlist(sio_socket *socket)
{
    if (socket->client == NULL) {
        return;
    }
    sio_link_drop(&socket->in_client);
    socket->client->count--;
    if (socket->auth != NULL) {
        socket->client->auth -= (uint32_t)(strlen(socket->auth) / 1024);
    }
    socket->client = NULL;
    sio_loop *loop = socket->local->loop;
    socket->next_dead = loop->dead;
    loop->dead = socket;
    sio_reap_later(loop->engine->doomed, &loop->sweep);
}

/* Tells that a socket is about to go, or has gone. */
static void tell_disconnect(sio_socket *socket, bool over,
                            sio_disconnect_reason reason, sio_error why)
{
    sio_namespace *nsp = socket->nsp, *at = sio_namespace_first(nsp);
    for (; at != NULL; at = sio_namespace_then(nsp, at)) {
        const sio_hooks *hooks = over ? &at->disconnect : &at->disconnecting;
        for (size_t i = 0; i < hooks->count; i++) {
            ((sio_disconnect_fn *)hooks->items[i].fn)(socket, reason, why,
                                                      hooks->items[i].arg);
        }
    }
}

static void leave_namespace(sio_socket *socket)
{
    if (socket->in_child) {
        sio_namespace_leave(socket->nsp, socket->local->loop);
    }
}

/* Ends a socket that no handler has heard of. */
static void drop_out(sio_socket *socket, sio_disconnect_reason reason)
{
    (void)sio_socket_ref(socket);
    socket->state = SIO_SOCKET_LEFT;
    sio_recovery_abandon(socket, reason);
    sio_room_leave_all(socket);
    sio_ack_fail_all(socket);
    leave_namespace(socket);
    sio_socket_unref(socket);
}

void sio_socket_end(sio_socket *socket, sio_disconnect_reason reason,
                    sio_error why)
{
    eio_engine *engine = sio_socket_engine(socket);
    if (socket->state == SIO_SOCKET_CONNECTING) {
        drop_out(socket, reason);
        return;
    }
    if (socket->state != SIO_SOCKET_CONNECTED) {
        return;
    }
    (void)sio_socket_ref(socket);
    sio_batch_flush(socket->local->loop);
    socket->state = SIO_SOCKET_LEAVING;
    sio_recovery_ending(socket);
    tell_disconnect(socket, false, reason, why);
    sio_recovery_leaving(socket, reason);
    sio_room_leave_all(socket);
    sio_local_remove(socket->local, socket);
    socket->state = SIO_SOCKET_LEFT;
    eio_uncount(engine, SIO_COUNTER_SOCKETS);
    eio_count(engine, (sio_counter)(SIO_COUNTER_DISCONNECTED_CLIENT_NAMESPACE +
                                    reason));
    /* `disconnect` is the last that is heard of a socket. */
    sio_ack_fail_all(socket);
    tell_disconnect(socket, true, reason, why);
    sio_recovery_ended(socket);
    leave_namespace(socket);
    sio_socket_unref(socket);
}

const char *sio_disconnect_text(sio_disconnect_reason reason)
{
    switch (reason) {
#define SIO_DISCONNECT_TEXT(name, text)                                        \
    case SIO_DISCONNECT_##name:                                                \
        return text;
        SIO_DISCONNECT_MAP(SIO_DISCONNECT_TEXT)
#undef SIO_DISCONNECT_TEXT
    }
    return "";
}

/* ------------------------------------------------------------ connecting -- */

static void write_connect(sio_writer *w, const void *arg)
{
    const sio_socket *socket = arg;
    uint8_t payload[2 * SIO_TOKEN_LEN + 32];
    sio_writer p = {payload, sizeof(payload), 0};
    sio_write_bytes(&p, SIO_LIT("{\"sid\":\""));
    sio_write_bytes(&p,
                    (sio_bytes){(const uint8_t *)socket->id, SIO_TOKEN_LEN});
    if (socket->saved != NULL) {
        sio_write_bytes(&p, SIO_LIT("\",\"pid\":\""));
        sio_write_bytes(&p, (sio_bytes){(const uint8_t *)socket->saved->pid,
                                        SIO_TOKEN_LEN});
    }
    sio_write_bytes(&p, SIO_LIT("\"}"));
    sio_packet_write_connect(w, sio_namespace_view(socket->nsp),
                             (sio_bytes){payload, p.len});
}

/* The client cannot go on, for want of memory. */
static void give_up(sio_client *client)
{
    if (client->session != NULL) {
        eio_session_close(client->session, EIO_CLOSE_NOW);
    }
}

static void send_or_close(sio_client *client,
                          void (*write)(sio_writer *w, const void *arg),
                          const void *arg)
{
    sio_frame *frame = sio_frame_of(client->loop, write, arg);
    if (frame == NULL) {
        give_up(client);
        return;
    }
    (void)sio_client_send(client, frame);
    sio_frame_unref(frame);
}

/* Whatever can fail comes first, so that those who hear of the end have heard
 * of the beginning. */
static void connected(sio_socket *socket)
{
    sio_client *client = socket->client;
    sio_namespace *nsp = socket->nsp, *at = sio_namespace_first(nsp);
    eio_engine *engine = client->loop->engine;
    if (socket->local->recovery != NULL && sio_dialect_of(client)->recovers &&
        !sio_recovery_begin(socket)) {
        give_up(client);
        return;
    }
    sio_frame *frame = sio_frame_of(
        client->loop, sio_dialect_of(client)->write_connect, socket);
    sio_batch_flush(client->loop);
    if (frame == NULL || sio_local_add(socket->local, socket) != SIO_OK) {
        sio_frame_unref(frame);
        give_up(client);
        return;
    }
    socket->state = SIO_SOCKET_CONNECTED;
    eio_count(engine, SIO_COUNTER_SOCKETS);
    sio_newcomer_end(client);
    (void)sio_socket_ref(socket);
    if (socket->recovered) {
        sio_recovery_resume(socket);
    }
    (void)sio_client_send(client, frame);
    sio_frame_unref(frame);
    for (; at != NULL; at = sio_namespace_then(nsp, at)) {
        sio_hooks_run_sockets(&at->connection, socket);
    }
    sio_socket_unref(socket);
}

static void end_next(sio_next *next)
{
    sio_socket *socket = next->socket;
    sio_link_drop(&next->link);
    free(next->refusal);
    free(next->data);
    free(next);
    sio_socket_unref(socket);
}

void sio_nexts_free(sio_loop *loop)
{
    while (!sio_list_empty(&loop->nexts)) {
        end_next(SIO_OWNER(loop->nexts.next, sio_next, link));
    }
    sio_event_nexts_free(loop);
    sio_server_events_free(loop);
    sio_claims_free(loop);
}

static void run_middleware(sio_next *next)
{
    const sio_hook *hook =
        sio_namespace_middleware(next->socket->nsp, next->index);
    ((sio_middleware_fn *)hook->fn)(next->socket, next, hook->arg);
}

void sio_socket_start(sio_socket *socket)
{
    if (socket->local->recovery == NULL ||
        !sio_dialect_of(socket->client)->recovers) {
        sio_socket_admit(socket);
    } else {
        sio_recovery_claim(socket);
    }
}

void sio_socket_admit(sio_socket *socket)
{
    if (sio_namespace_middleware(socket->nsp, 0) == NULL ||
        (socket->recovered && socket->nsp->core->recovery.skip_middlewares)) {
        connected(socket);
        return;
    }
    sio_next *next = malloc(sizeof(*next));
    if (next == NULL) {
        eio_session_close(socket->client->session, EIO_CLOSE_NOW);
        return;
    }
    *next = (sio_next){.socket = sio_socket_ref(socket)};
    sio_list_append(&socket->local->loop->nexts, &next->link);
    run_middleware(next);
}

/* Where its loop has ended, it is among those that nobody answers any more. */
static void answer_far(sio_next *next, void (*run)(sio_message *self))
{
    next->message = (sio_message){.run = run};
    (void)sio_inbox_post(sio_socket_engine(next->socket)->inbox,
                         &next->message);
}

static void run_allow(sio_message *message)
{
    sio_next_allow(SIO_OWNER(message, sio_next, message));
}

void sio_next_allow(sio_next *next)
{
    sio_socket *socket = next->socket;
    if (!sio_socket_is_here(socket)) {
        answer_far(next, run_allow);
        return;
    }
    if (socket->state != SIO_SOCKET_CONNECTING ||
        socket->client->session == NULL) {
        end_next(next); /* the client has left meanwhile */
    } else if (sio_namespace_middleware(socket->nsp, ++next->index) != NULL) {
        run_middleware(next);
    } else {
        (void)sio_socket_ref(socket);
        end_next(next);
        connected(socket);
        sio_socket_unref(socket);
    }
}

static void write_refusal(sio_writer *w, const void *arg)
{
    const sio_refusal *r = arg;
    sio_packet_write_connect_error(w, r->nsp, (sio_bytes){0});
    sio_write_bytes(w, SIO_LIT("{\"message\":"));
    sio_json_write_string(w, r->message);
    if (r->data.len != 0) {
        sio_write_bytes(w, SIO_LIT(",\"data\":"));
        sio_write_bytes(w, r->data);
    }
    sio_write_bytes(w, SIO_LIT("}"));
}

static sio_error make_id(sio_socket *socket)
{
    return sio_token_make(socket->client->loop->engine->random, socket->id);
}

const sio_dialect sio_dialect_5 = {
    .make_id = make_id,
    .recovers = true,
    .write_connect = write_connect,
    .write_refusal = write_refusal,
};

static void run_refuse(sio_message *message)
{
    sio_next *next = SIO_OWNER(message, sio_next, message);
    sio_next_refuse(next, next->refusal == NULL ? "" : next->refusal,
                    next->data);
}

void sio_next_refuse(sio_next *next, const char *message, const char *data)
{
    sio_socket *socket = next->socket;
    if (!sio_socket_is_here(socket)) {
        /* Without memory for the words the refusal stands all the same. */
        next->refusal = strdup(message);
        next->data = data == NULL ? NULL : strdup(data);
        answer_far(next, run_refuse);
        return;
    }
    sio_client *client = socket->client;
    sio_refusal r = {sio_namespace_view(socket->nsp), sio_text(message),
                     sio_text(data == NULL ? "" : data)};
    if (socket->state == SIO_SOCKET_CONNECTING) {
        if (r.data.len != 0 &&
            sio_json_check(r.data, client->loop->core->limits.max_depth) !=
                SIO_OK) {
            sio_log_write(client->loop->engine->log, SIO_LOG_ERROR,
                          "bad_error_data", "namespace %s: %s",
                          socket->nsp->name, data);
            r.data.len = 0;
        }
        send_or_close(client, sio_dialect_of(client)->write_refusal, &r);
        sio_socket_end(socket, SIO_DISCONNECT_SERVER_NAMESPACE_DISCONNECT,
                       SIO_OK);
        sio_socket_unlist(socket);
    }
    end_next(next);
}

/* --------------------------------------------------------- disconnecting -- */

static void write_disconnect(sio_writer *w, const void *nsp)
{
    sio_packet_write_disconnect(w, *(const sio_bytes *)nsp);
}

static void run_disconnect(sio_errand *errand)
{
    sio_socket_disconnect(errand->socket);
}

static void run_close(sio_errand *errand)
{
    sio_socket_close(errand->socket);
}

static void send_errand(sio_socket *socket, void (*run)(sio_errand *self))
{
    sio_errand *errand = sio_errand_new(sizeof(*errand), socket, run, NULL);
    if (errand != NULL) {
        (void)sio_errand_send(errand);
    }
}

void sio_socket_disconnect(sio_socket *socket)
{
    if (socket->state != SIO_SOCKET_CONNECTED) {
        return;
    }
    if (!sio_socket_is_here(socket)) {
        send_errand(socket, run_disconnect);
        return;
    }
    sio_bytes nsp = sio_namespace_view(socket->nsp);
    (void)sio_socket_ref(socket);
    sio_batch_flush(socket->local->loop);
    send_or_close(socket->client, write_disconnect, &nsp);
    sio_socket_end(socket, SIO_DISCONNECT_SERVER_NAMESPACE_DISCONNECT, SIO_OK);
    sio_socket_unref(socket);
}

void sio_socket_close(sio_socket *socket)
{
    if (!sio_socket_is_here(socket)) {
        send_errand(socket, run_close);
        return;
    }
    sio_client *client = socket->client;
    if (client == NULL || client->session == NULL) {
        return;
    }
    sio_socket *at = SIO_OWNER(client->sockets.next, sio_socket,
                               in_client); /* one or more */
    while (at != NULL) {
        sio_socket *each = sio_socket_ref(at);
        sio_socket_disconnect(each);
        at = sio_socket_next(each);
        sio_socket_unref(each);
    }
    sio_client_close(client);
}

/* --------------------------------------------------------------- posting -- */

typedef struct posting {
    sio_errand errand;
    sio_socket_fn *fn;
    void *arg;
} posting;

static void run_posting(sio_errand *errand)
{
    const posting *p = SIO_OWNER(errand, posting, errand);
    p->fn(errand->socket, p->arg);
}

sio_error sio_socket_post(sio_socket *socket, sio_socket_fn *fn, void *arg)
{
    if (!sio_socket_is_alive(socket)) {
        return SIO_ERR_CLOSED;
    }
    posting *p = sio_errand_new(sizeof(*p), socket, run_posting, NULL);
    if (p == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    p->fn = fn;
    p->arg = arg;
    return sio_errand_send(&p->errand);
}

/* ----------------------------------------------------------- attributes -- */

const char *sio_socket_id(const sio_socket *socket)
{
    return sio_socket_own_id(socket);
}

sio_namespace *sio_socket_namespace(const sio_socket *socket)
{
    return socket->nsp;
}

bool sio_socket_connected(const sio_socket *socket)
{
    return socket->state == SIO_SOCKET_CONNECTED ||
           socket->state == SIO_SOCKET_LEAVING;
}

static eio_session *session_of(const sio_socket *socket)
{
    return socket->client == NULL ? NULL : socket->client->session;
}

const char *sio_socket_session_id(const sio_socket *socket)
{
    const eio_session *session = session_of(socket);
    return session == NULL ? "" : eio_session_sid(session);
}

const char *sio_socket_transport(const sio_socket *socket)
{
    const eio_session *session = session_of(socket);
    return session == NULL ? "" : eio_session_transport_name(session);
}

size_t sio_socket_backlog(const sio_socket *socket)
{
    const eio_session *session = session_of(socket);
    if (session == NULL) {
        return 0;
    }
    sio_batch_catch_up((sio_socket *)(uintptr_t)socket);
    return eio_session_backlog(session);
}

void sio_socket_set_data(sio_socket *socket, void *data,
                         void (*destroy)(void *data))
{
    void *old = socket->data;
    void (*destroy_old)(void *data) = socket->destroy;
    socket->data = data;
    socket->destroy = destroy;
    if (destroy_old != NULL) {
        destroy_old(old);
    }
}

void *sio_socket_data(const sio_socket *socket)
{
    return socket->data;
}
