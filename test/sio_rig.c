#include "test/sio_rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* ---------------------------------------------------------------- diary -- */

void sio_rig_tell(sio_rig *rig, const char *fmt, ...)
{
    va_list args;
    size_t room = sizeof(rig->told) - rig->len;
    if (rig->muted) {
        return;
    }
    va_start(args, fmt);
    int n = vsnprintf(rig->told + rig->len, room, fmt, args);
    va_end(args);
    REQUIRE(n >= 0);
    rig->len += (size_t)n < room ? (size_t)n : room - 1;
}

const char *sio_rig_told(sio_rig *rig)
{
    static char copy[sizeof(rig->told)];
    memcpy(copy, rig->told, sizeof(copy));
    copy[rig->len] = '\0';
    rig->len = 0;
    return copy;
}

sio_rig *sio_rig_around(const sio_namespace *nsp)
{
    return SIO_OWNER(nsp->core, sio_rig, core);
}

const char *sio_rig_name(const sio_socket *socket)
{
    return sio_handshake_address(sio_socket_handshake(socket));
}

/* What stands behind a name. */
static const char *place(const sio_namespace *nsp)
{
    return nsp->name_len == 1 ? "" : nsp->name;
}

static void on_connection(sio_socket *socket, void *arg)
{
    (void)arg;
    REQUIRE(sio_socket_connected(socket));
    sio_rig_tell(sio_rig_around(socket->nsp), " +%s%s", sio_rig_name(socket),
                 place(socket->nsp));
}

static void tell_end(sio_socket *socket, char mark,
                     sio_disconnect_reason reason, sio_error why)
{
    sio_rig_tell(sio_rig_around(socket->nsp), " %c%s%s(%s%s%s)", mark,
                 sio_rig_name(socket), place(socket->nsp),
                 sio_disconnect_text(reason), why == SIO_OK ? "" : ": ",
                 why == SIO_OK ? "" : sio_error_text(why));
}

static void on_disconnecting(sio_socket *socket, sio_disconnect_reason reason,
                             sio_error why, void *arg)
{
    (void)arg;
    REQUIRE(sio_socket_connected(socket));
    tell_end(socket, '~', reason, why);
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    (void)arg;
    REQUIRE(!sio_socket_connected(socket));
    REQUIRE(sio_socket_room_count(socket) == 0);
    tell_end(socket, '-', reason, why);
}

static void on_room(sio_namespace *nsp, sio_room_change change,
                    const char *room, const char *id, void *arg)
{
    static const char marks[] = {'*', '>', '<', '/'};
    bool about_socket = change == SIO_ROOM_JOINED || change == SIO_ROOM_LEFT;
    (void)arg;
    REQUIRE((id != NULL) == about_socket);
    REQUIRE(id == NULL || strlen(id) == SIO_TOKEN_LEN);
    sio_rig_tell(sio_rig_around(nsp), " %c%s", marks[change], room);
}

void sio_rig_listen(sio_namespace *nsp)
{
    REQUIRE(sio_namespace_on_connection(nsp, on_connection, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on_disconnecting(nsp, on_disconnecting, NULL) ==
            SIO_OK);
    REQUIRE(sio_namespace_on_disconnect(nsp, on_disconnect, NULL) == SIO_OK);
}

void sio_rig_listen_rooms(sio_namespace *nsp)
{
    REQUIRE(sio_namespace_on_room(nsp, on_room, NULL) == SIO_OK);
}

/* --------------------------------------------------------- life and death --
 */

sio_namespace *sio_rig_of(sio_rig *rig, const char *name)
{
    sio_namespace *nsp = sio_core_of(&rig->core, name);
    REQUIRE(nsp != NULL);
    return nsp;
}

void sio_rig_init(sio_rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig_init(&rig->engine);
    rig->loops[0] = &rig->loop;
    rig->core = (sio_core){
        .loops = rig->loops,
        .loop_count = 1,
        .parser = &sio_parser_json,
        .limits = {.max_depth = 16, .max_attachments = 4, .max_nsp = 64},
        .connect_timeout = 5000,
        .max_namespaces = 4,
        .max_rooms = 8,
        .max_dynamic = 4,
        .max_acks = UINT32_MAX,
        .attachment_timeout = 60000,
        .max_binary = 64,
    };
    rig->engine.config.max_backlog = 1000000;
    rig->engine.engine.events = &sio_client_events;
    rig->engine.engine.app = &rig->loop;
    sio_loop_init(&rig->loop, &rig->core, &rig->engine.engine, 0);
    REQUIRE(sio_core_init(&rig->core, &rig->engine.random) == SIO_OK);
    rig->root = sio_rig_of(rig, "/");
    (void)sio_rig_of(rig, "/b");
}

void sio_rig_close(sio_rig *rig)
{
    eio_engine_close_all(&rig->engine.engine, EIO_CLOSE_NOW);
    rig_turn(&rig->engine);
    sio_map_walk walk = sio_map_walk_start(&rig->core.namespaces);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        const sio_namespace *nsp = SIO_OWNER(node, sio_namespace, node);
        const sio_local *local = sio_local_of(nsp, &rig->loop);
        REQUIRE(local == NULL ||
                (local->sockets.count == 0 && local->rooms.count == 0));
    }
    REQUIRE(rig->engine.counters[SIO_COUNTER_SOCKETS] == 0);
}

void sio_rig_free(sio_rig *rig)
{
    sio_nexts_free(&rig->loop);
    sio_core_deinit(&rig->core);
    rig_deinit(&rig->engine);
    sio_arena_deinit(&rig->loop.spare);
}

void sio_rig_deinit(sio_rig *rig)
{
    sio_rig_close(rig);
    sio_rig_free(rig);
}

/* ----------------------------------------------------------------- peers -- */

sio_peer sio_rig_open_by(sio_rig *rig, memory_kind kind, eio_request *request)
{
    sio_peer peer = {rig, rig_transport(&rig->engine, kind), NULL};
    REQUIRE(peer.mt != NULL && request != NULL);
    eio_transport *tp = memory_transport_base(peer.mt);
    if (kind == MEMORY_POLLING) {
        memory_transport_poll(peer.mt);
    }
    REQUIRE(eio_session_open_as(&rig->engine.engine, rig->engine.protocol, tp,
                                request, (sio_bytes){NULL, 0}) == SIO_OK);
    peer.session = memory_transport_alive(peer.mt) ? tp->owner : NULL;
    rig_turn(&rig->engine);
    (void)memory_transport_said(peer.mt);
    return peer;
}

sio_peer sio_rig_open(sio_rig *rig, memory_kind kind, const char *name)
{
    eio_request *request = rig_request_of(sio_text(name));
    REQUIRE(request != NULL);
    return sio_rig_open_by(rig, kind, request);
}

sio_peer sio_rig_join(sio_rig *rig, const char *name)
{
    bool muted = rig->muted;
    sio_peer peer = sio_rig_open(rig, MEMORY_WEBSOCKET, name);
    rig->muted = true;
    sio_peer_send(&peer, "0");
    (void)sio_peer_said(&peer);
    rig->muted = muted;
    return peer;
}

bool sio_peer_open(const sio_peer *peer)
{
    return memory_transport_alive(peer->mt);
}

sio_socket *sio_peer_socket(const sio_peer *peer, const char *nsp)
{
    const sio_client *client =
        sio_peer_open(peer) ? eio_session_user(peer->session) : NULL;
    const sio_link *at = client == NULL ? NULL : client->sockets.next;
    for (; client != NULL && at != &client->sockets; at = at->next) {
        sio_socket *socket = SIO_OWNER(at, sio_socket, in_client);
        if (strcmp(sio_namespace_name(socket->nsp), nsp) == 0) {
            return socket;
        }
    }
    return NULL;
}

void sio_peer_send(const sio_peer *peer, const char *text)
{
    size_t len = strlen(text);
    uint8_t *packet = malloc(len + 1);
    REQUIRE(packet != NULL);
    packet[0] = '4';
    memcpy(packet + 1, text, len);
    memory_transport_text(peer->mt, (sio_bytes){packet, len + 1});
    free(packet);
}

void sio_peer_send_binary(const sio_peer *peer, sio_bytes bytes)
{
    memory_transport_binary(peer->mt, bytes);
}

const char *sio_peer_said(const sio_peer *peer)
{
    static const char mark[] = "{\"sid\":\"";
    static char copy[sizeof(peer->mt->said)];
    rig_turn(&peer->rig->engine);
    const char *at = memory_transport_said(peer->mt), *sid;
    size_t len = 0;
    while ((sid = strstr(at, mark)) != NULL) {
        size_t before = (size_t)(sid - at) + sizeof(mark) - 1;
        memcpy(copy + len, at, before);
        len += before;
        copy[len++] = '*';
        at += before + strcspn(at + before, "\"");
    }
    memcpy(copy + len, at, strlen(at) + 1);
    return copy;
}
