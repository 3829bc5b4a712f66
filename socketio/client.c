#include <stdlib.h>

#include "socketio/compat.h"
#include "socketio/events.h"
#include "socketio/parent.h"

/* The same packet for another parser; takes `text`.  These are few, so they are
 * written as text and translated. */
static sio_frame *translate(const sio_loop *loop, sio_frame *text)
{
    const sio_core *core = loop->core;
    sio_bytes packet = {eio_message_text(text), text->len - 1};
    sio_packet p;
    sio_frame *out = NULL;
    if (sio_packet_decode(packet, &core->limits, &p) == SIO_OK) {
        (void)sio_parser_frame_single(core->parser, loop->engine->frames,
                                      p.type, p.nsp, p.payload, &out);
    }
    sio_frame_unref(text);
    return out;
}

sio_frame *sio_frame_of(const sio_loop *loop,
                        void (*write)(sio_writer *w, const void *arg),
                        const void *arg)
{
    sio_writer measure = {NULL, 0, 0};
    write(&measure, arg);
    sio_frame *frame = eio_message_new(loop->engine->frames, measure.len);
    if (frame == NULL) {
        return NULL;
    }
    sio_writer w = {eio_message_text(frame), measure.len, 0};
    write(&w, arg);
    return loop->core->parser->whole ? translate(loop, frame) : frame;
}

sio_error sio_client_send(sio_client *client, sio_frame *frame)
{
    if (client->session == NULL) {
        return SIO_ERR_CLOSED;
    }
    return eio_session_send(client->session, frame,
                            sio_parser_form(client->loop->core->parser));
}

/* Ends a socket and takes it out of its client's list.  A handler that closes
 * the session may have done the latter meanwhile. */
static void expel(sio_socket *socket, sio_disconnect_reason reason,
                  sio_error why)
{
    (void)sio_socket_ref(socket);
    sio_socket_end(socket, reason, why);
    sio_socket_unlist(socket);
    sio_socket_unref(socket);
}

static void expel_all(sio_client *client, sio_disconnect_reason reason,
                      sio_error why)
{
    while (!sio_list_empty(&client->sockets)) {
        expel(SIO_OWNER(client->sockets.next, sio_socket, in_client), reason,
              why);
    }
}

__attribute__((cold)) void sio_client_blame(sio_client *client, sio_error why)
{
    if (client->session == NULL) {
        return;
    }
    sio_batch_flush(client->loop);
    eio_session_blame(client->session, why);
    /* Where the transport cannot tell the peer yet, it is over for the sockets
     * all the same. */
    expel_all(client, SIO_DISCONNECT_FORCED_SERVER_CLOSE, why);
}

void sio_client_close(sio_client *client)
{
    sio_batch_flush(client->loop);
    if (client->session != NULL) {
        eio_session_close(client->session, EIO_CLOSE_LINGER);
    }
    /* The same as there. */
    expel_all(client, SIO_DISCONNECT_FORCED_SERVER_CLOSE, SIO_OK);
}

void sio_client_dismiss(sio_client *client)
{
    expel_all(client, SIO_DISCONNECT_SERVER_SHUTTING_DOWN, SIO_OK);
    if (client->session != NULL) {
        eio_session_close(client->session, EIO_CLOSE_LINGER);
    }
}

void sio_client_replace(sio_client *client)
{
    sio_batch_flush(client->loop);
    expel_all(client, SIO_DISCONNECT_TRANSPORT_CLOSE, SIO_OK);
    if (client->session != NULL) {
        eio_session_close(client->session, EIO_CLOSE_NOW);
    }
}

/* ---------------------------------------------------------- namespaces -- */

static sio_socket *find_socket(const sio_client *client, sio_bytes nsp)
{
    const sio_link *at = client->sockets.next;
    for (; at != &client->sockets; at = at->next) {
        sio_socket *socket = SIO_OWNER(at, sio_socket, in_client);
        if (socket->nsp->name_len == nsp.len &&
            (nsp.len == 1 || /* "/" */
             memcmp(socket->nsp->name, nsp.base, nsp.len) == 0)) {
            return socket;
        }
    }
    return NULL;
}

static void write_unknown(sio_writer *w, const void *nsp)
{
    sio_packet_write_connect_error(
        w, *(const sio_bytes *)nsp,
        SIO_LIT("{\"message\":\"Invalid namespace\"}"));
}

void sio_client_refuse_unknown(sio_client *client, sio_bytes nsp)
{
    sio_frame *frame = sio_frame_of(client->loop, write_unknown, &nsp);
    if (frame != NULL) {
        (void)sio_client_send(client, frame);
        sio_frame_unref(frame);
    }
}

/* Whether a client may have so much auth beside what its sockets have, which
 * lasts as long as these. */
static bool may_have_auth(const sio_client *client, size_t len)
{
    return client->auth + len / 1024 <= sio_core_most_kib(client->loop->core);
}

static void join(sio_client *client, const sio_packet *packet)
{
    sio_socket *old = find_socket(client, packet->nsp);
    if (old != NULL && old->state != SIO_SOCKET_LEFT) {
        sio_client_blame(client, SIO_ERR_VIOLATION);
        return;
    }
    if (old != NULL) {
        sio_socket_unlist(old);
    }
    if (!may_have_auth(client, packet->payload.len)) {
        sio_client_blame(client, SIO_ERR_LIMIT);
        return;
    }
    sio_namespace *nsp = sio_core_enter(client->loop->core, packet->nsp);
    if (nsp == NULL) {
        sio_parent_ask(client, packet);
        return;
    }
    if (client->count >= client->loop->core->max_namespaces) {
        sio_namespace_part(nsp, client->loop);
        sio_limit_end_namespaces(client);
        return;
    }
    sio_socket *socket = sio_socket_new(client, nsp, packet->payload);
    if (socket == NULL) {
        eio_session_close(client->session, EIO_CLOSE_NOW);
        return;
    }
    sio_socket_start(socket);
}

__attribute__((noinline)) static void
on_connect_packet(sio_client *client, const sio_packet *packet)
{
    const sio_dialect *dialect = sio_dialect_of(client);
    sio_packet asked = *packet;
    char *owned = NULL;
    if (dialect->read_connect != NULL &&
        dialect->read_connect(&asked, &owned) != SIO_OK) {
        eio_session_close(client->session, EIO_CLOSE_NOW);
        return;
    }
    join(client, &asked);
    free(owned);
}

/* ------------------------------------------------------------- packets -- */

/* A packet that is no event for a socket. */
__attribute__((noinline)) static void deliver_other(sio_client *client,
                                                    sio_socket *socket,
                                                    const sio_packet *packet,
                                                    const sio_binary *binaries)
{
    switch (packet->type) {
    case SIO_PACKET_EVENT:
    case SIO_PACKET_BINARY_EVENT:
        break;
    case SIO_PACKET_ACK:
    case SIO_PACKET_BINARY_ACK:
        sio_ack_arrive(socket, packet, binaries);
        break;
    case SIO_PACKET_DISCONNECT:
        expel(socket, SIO_DISCONNECT_CLIENT_NAMESPACE_DISCONNECT, SIO_OK);
        break;
    case SIO_PACKET_CONNECT:
    case SIO_PACKET_CONNECT_ERROR:
        sio_client_blame(client, SIO_ERR_VIOLATION);
        break;
    }
}

/* A packet for a socket, all of it.  What was on its way when this side left
 * the namespace is ignored; the official server closes the connection. */
static void on_packet(sio_client *client, const sio_packet *packet,
                      const sio_binary *binaries)
{
    if (packet->type == SIO_PACKET_CONNECT) {
        on_connect_packet(client, packet);
        return;
    }
    sio_socket *socket = find_socket(client, packet->nsp);
    int state = socket == NULL ? SIO_SOCKET_CONNECTING : socket->state;
    if (state == SIO_SOCKET_CONNECTING) {
        sio_client_blame(client, SIO_ERR_VIOLATION);
    } else if (state == SIO_SOCKET_CONNECTED &&
               (packet->type == SIO_PACKET_EVENT ||
                packet->type == SIO_PACKET_BINARY_EVENT)) {
        sio_event_dispatch(socket, packet, binaries);
    } else if (state == SIO_SOCKET_CONNECTED) {
        deliver_other(client, socket, packet, binaries);
    }
}

/* --------------------------------------------------------- attachments -- */

/* Its memory is kept for the next one of the loop. */
static void free_incoming(sio_incoming *in, sio_loop *loop)
{
    sio_arena arena = in->arena; /* in which it is itself */
    sio_wheel_cancel(loop->engine->wheel, &in->timer);
    if (loop->spare.blocks == NULL) {
        sio_arena_reset(&arena);
        loop->spare = arena;
    } else {
        sio_arena_deinit(&arena);
    }
}

static void drop_incoming(sio_client *client)
{
    sio_incoming *in = client->incoming;
    if (in != NULL) {
        client->incoming = NULL;
        free_incoming(in, client->loop);
    }
}

static void on_incoming_timer(sio_timer *timer)
{
    sio_client *client = SIO_OWNER(timer, sio_incoming, timer)->client;
    sio_limit_tell(client, SIO_COUNTER_ATTACHMENT_TIMEOUTS,
                   "attachment_timeout", "ms for the attachments of a packet",
                   client->loop->core->attachment_timeout, NULL);
    drop_incoming(client);
    sio_client_blame(client, SIO_ERR_TIMEOUT);
}

/* Where the view of `from` is in its copy, unless it is of something else. */
static sio_bytes moved(sio_bytes view, sio_bytes from, const char *copy)
{
    uintptr_t at = (uintptr_t)view.base - (uintptr_t)from.base;
    if (view.base != NULL && at <= from.len) {
        view.base = (const uint8_t *)copy + at;
    }
    return view;
}

/* Keeps a packet, read from `text`, whose attachments are still to come. */
static sio_error keep_incoming(sio_client *client, sio_bytes text,
                               const sio_packet *packet)
{
    sio_loop *loop = client->loop;
    sio_arena arena = loop->spare;
    loop->spare = (sio_arena){0};
    sio_incoming *in = sio_arena_alloc(
        &arena, sizeof(*in) + packet->attachments * sizeof(sio_binary));
    const char *copy = in == NULL ? NULL : sio_arena_copy(&arena, text);
    if (copy == NULL) {
        sio_arena_deinit(&arena);
        return SIO_ERR_NO_MEMORY;
    }
    *in = (sio_incoming){
        .timer = {.fire = on_incoming_timer},
        .client = client,
        .arena = arena,
        .packet = *packet,
    };
    in->packet.nsp = moved(packet->nsp, text, copy);
    in->packet.payload = moved(packet->payload, text, copy);
    in->packet.name = moved(packet->name, text, copy);
    in->packet.args = moved(packet->args, text, copy);
    sio_wheel_arm(loop->engine->wheel, &in->timer,
                  eio_now(loop->engine) + loop->core->attachment_timeout);
    client->incoming = in;
    return SIO_OK;
}

static sio_error add_attachment(sio_client *client, sio_bytes data)
{
    sio_incoming *in = client->incoming;
    if (data.len > client->loop->core->max_binary - in->bytes) {
        return SIO_ERR_TOO_LARGE;
    }
    void *copy = sio_arena_alloc(&in->arena, data.len);
    if (copy == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    if (data.len != 0) {
        memcpy(copy, data.base, data.len);
    }
    in->bytes += data.len;
    in->binaries[in->got++] = (sio_binary){copy, data.len};
    return SIO_OK;
}

__attribute__((noinline)) static void on_binary(sio_client *client,
                                                sio_bytes data)
{
    sio_incoming *in = client->incoming;
    sio_error err =
        in == NULL ? SIO_ERR_VIOLATION : add_attachment(client, data);
    if (err != SIO_OK) {
        drop_incoming(client);
        sio_client_blame(client, err);
        return;
    }
    if (in->got < in->packet.attachments) {
        return;
    }
    sio_loop *loop = client->loop;
    client->incoming = NULL;
    sio_wheel_cancel(loop->engine->wheel, &in->timer);
    on_packet(client, &in->packet, in->binaries);
    free_incoming(in, loop);
}

/* Tries another text for one that could not be read, for `err`. */
__attribute__((cold)) static sio_error try_again(sio_client *client,
                                                 sio_bytes text, sio_error err)
{
    const sio_dialect *dialect = sio_dialect_of(client);
    sio_bytes other = {NULL, 0};
    sio_packet packet;
    if (err != SIO_ERR_ATTACHMENTS || dialect->amend == NULL) {
        return err;
    }
    uint8_t *amended = dialect->amend(text, &other.len);
    other.base = amended;
    if (amended != NULL) {
        err = sio_packet_decode(other, &client->loop->core->limits, &packet);
    }
    if (amended != NULL && err == SIO_OK) {
        on_packet(client, &packet, NULL);
    }
    free(amended);
    return err;
}

/* A text that is more than a packet, or cannot be one, for `err`. */
__attribute__((noinline)) static void on_other_text(sio_client *client,
                                                    sio_bytes text,
                                                    const sio_packet *packet,
                                                    sio_error err)
{
    if (err != SIO_OK) {
        err = try_again(client, text, err);
    } else if (find_socket(client, packet->nsp) == NULL) {
        /* Nothing is gathered for a namespace that was not joined. */
        err = SIO_ERR_VIOLATION;
    } else {
        err = keep_incoming(client, text, packet);
    }
    if (err != SIO_OK) {
        drop_incoming(client);
        sio_client_blame(client, err);
    }
}

static void on_text(sio_client *client, sio_bytes text)
{
    sio_packet packet;
    sio_error err =
        client->incoming != NULL
            ? SIO_ERR_VIOLATION
            : sio_packet_decode(text, &client->loop->core->limits, &packet);
    if (err == SIO_OK && packet.attachments == 0) {
        on_packet(client, &packet, NULL);
    } else {
        on_other_text(client, text, &packet, err);
    }
}

/* A packet with all that belongs to it, of a parser that makes such. */
__attribute__((noinline)) static void on_whole(sio_client *client,
                                               sio_bytes data)
{
    sio_loop *loop = client->loop;
    const sio_parser *parser = loop->core->parser;
    sio_packet packet;
    sio_error err =
        parser->decode(parser, data, &loop->core->limits, &loop->room, &packet);
    if (err == SIO_OK) {
        on_packet(client, &packet, loop->room.binaries);
    } else {
        sio_client_blame(client, err);
    }
    sio_parser_room_tidy(&loop->room);
}

/* -------------------------------------------------- the session's news -- */

static void on_timer(sio_timer *timer)
{
    sio_client *client = SIO_OWNER(timer, sio_newcomer, timer)->client;
    eio_engine *engine = client->loop->engine;
    sio_log_write(engine->log, SIO_LOG_INFO, "connect_timeout",
                  "sid %s: no namespace joined within %u ms",
                  eio_session_sid(client->session),
                  client->loop->core->connect_timeout);
    eio_count(engine, SIO_COUNTER_CONNECT_TIMEOUTS);
    sio_client_close(client);
}

void sio_newcomer_end(sio_client *client)
{
    if (client->newcomer != NULL) {
        sio_wheel_cancel(client->loop->engine->wheel, &client->newcomer->timer);
        free(client->newcomer);
        client->newcomer = NULL;
    }
}

static void on_opened(void *app, eio_session *session)
{
    sio_loop *loop = app;
    sio_client *client = eio_session_user(session);
    client->loop = loop;
    client->session = session;
    sio_list_init(&client->sockets);
    client->newcomer = calloc(1, sizeof(*client->newcomer));
    if (client->newcomer == NULL) {
        /* Its end is told of, so its beginning has to be. */
        sio_conn_tell(client, &loop->core->conn.opened);
        if (client->session != NULL) {
            eio_session_close(session, EIO_CLOSE_NOW);
        }
        return;
    }
    client->newcomer->client = client;
    client->newcomer->timer.fire = on_timer;
    sio_wheel_arm(loop->engine->wheel, &client->newcomer->timer,
                  eio_now(loop->engine) + loop->core->connect_timeout);
    sio_conn_tell(client, &loop->core->conn.opened);
    if (client->session != NULL && sio_dialect_of(client)->joins_main) {
        join(client,
             &(sio_packet){.type = SIO_PACKET_CONNECT, .nsp = SIO_LIT("/")});
    }
}

static void on_message(void *user, eio_session *session, eio_form form,
                       sio_bytes data)
{
    sio_client *client = user;
    (void)session;
    const sio_parser *parser = client->loop->core->parser;
    if (!parser->whole && form == EIO_FORM_TEXT) {
        on_text(client, data);
    } else if (!parser->whole) {
        on_binary(client, data);
    } else if (form == sio_parser_form(parser)) {
        on_whole(client, data);
    } else {
        sio_client_blame(client, SIO_ERR_VIOLATION);
    }
}

/* Tells each connected socket of the client. */
static void tell_sockets(sio_client *client, bool upgraded)
{
    sio_socket *socket =
        sio_list_empty(&client->sockets)
            ? NULL
            : SIO_OWNER(client->sockets.next, sio_socket, in_client);
    while (socket != NULL) {
        sio_namespace *nsp = socket->nsp, *at = sio_namespace_first(nsp);
        (void)sio_socket_ref(socket);
        for (; at != NULL; at = sio_namespace_then(nsp, at)) {
            sio_hooks_run_sockets(upgraded ? &at->upgrade : &at->drained,
                                  socket);
        }
        sio_socket *next = sio_socket_next(socket);
        sio_socket_unref(socket);
        socket = next;
    }
}

static void on_drained(void *user, eio_session *session)
{
    sio_client *client = user;
    (void)session;
    if (!atomic_load_explicit(&client->loop->core->tells_drained,
                              memory_order_relaxed)) {
        return;
    }
    tell_sockets(client, false);
    sio_conn_tell(client, &client->loop->core->conn.drained);
}

static void on_upgraded(void *user, eio_session *session)
{
    (void)session;
    tell_sockets(user, true);
}

static sio_disconnect_reason reason_of(eio_reason reason)
{
    switch (reason) {
    case EIO_REASON_TRANSPORT_CLOSE:
        return SIO_DISCONNECT_TRANSPORT_CLOSE;
    case EIO_REASON_TRANSPORT_ERROR:
        return SIO_DISCONNECT_TRANSPORT_ERROR;
    case EIO_REASON_PARSE_ERROR:
        return SIO_DISCONNECT_PARSE_ERROR;
    case EIO_REASON_PING_TIMEOUT:
        return SIO_DISCONNECT_PING_TIMEOUT;
    case EIO_REASON_FORCED_CLOSE:
        break;
    }
    return SIO_DISCONNECT_FORCED_CLOSE;
}

static void on_closed(void *user, eio_session *session, eio_reason reason,
                      sio_error why)
{
    sio_client *client = user;
    client->session = NULL;
    sio_newcomer_end(client);
    expel_all(client, reason_of(reason), why);
    sio_event_nexts_forget(client);
    drop_incoming(client);
    if (client->loop->core->conn.closed.count != 0) {
        sio_conn_closed(client, eio_session_sid(session), reason_of(reason),
                        why);
    }
}

_Static_assert(sizeof(sio_client) % 8 == 0, "for what is behind it");

const eio_session_events sio_client_events = {
    .user_size = sizeof(sio_client),
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .upgraded = on_upgraded,
    .closed = on_closed,
};
