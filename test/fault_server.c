#include <stdlib.h>
#include <string.h>

#include "test/fault_scenes.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* The application of the scenes.  Where a call of it fails it goes on: the
 * client does not get what it waits for. */

atomic_size_t fault_told;

static void note(sio_error err)
{
    fault_told += err != SIO_OK;
}

static void on_echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    note(sio_socket_emit_args(socket, "echo", sio_event_args(event), 0));
}

static void on_ack(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    note(sio_event_ack_args(event, sio_event_args(event)));
}

/* What comes as jansson's values goes back as such. */
static void on_pack(sio_socket *socket, sio_event *event, void *arg)
{
    const char *text;
    int number;
    (void)arg;
    if (sio_event_unpack(event, "si", &text, &number) == SIO_OK) {
        note(sio_socket_emit(socket, "packed", "is", number, text));
    }
    note(sio_socket_emit_volatile(socket, "maybe", "i", 1));
    note(sio_socket_emit_json(socket, "json", "{\"a\":1}", 7));
    note(sio_event_ack(event, "i", 7));
}

static void on_answer(sio_socket *socket, sio_error err, sio_event *answer,
                      void *arg)
{
    (void)arg;
    REQUIRE((err == SIO_OK) == (answer != NULL));
    note(err);
    if (answer != NULL) {
        note(sio_socket_emit_args(socket, "got", sio_event_args(answer), 0));
    }
}

static void on_ask(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    note(sio_socket_emit_ack(socket, "question", 60000, on_answer, NULL, NULL));
}

static void on_auth(sio_socket *socket, sio_event *event, void *arg)
{
    const char *auth = sio_socket_auth(socket);
    sio_args args = {.json = auth, .json_len = strlen(auth)};
    (void)arg;
    note(sio_event_ack_args(event, &args));
}

static void send_ack(sio_server *server, void *arg)
{
    (void)server;
    note(sio_ack_send(arg, "s", "later"));
}

static void on_later(sio_socket *socket, sio_event *event, void *arg)
{
    sio_server *server = arg;
    sio_ack *ack = sio_event_take_ack(event);
    (void)socket;
    fault_told += ack == NULL;
    if (ack != NULL && sio_server_post(server, send_ack, ack) != SIO_OK) {
        fault_told++;
        sio_ack_drop(ack);
    }
}

static void on_big(sio_socket *socket, sio_event *event, void *arg)
{
    static char text[3000 + 1];
    (void)event;
    (void)arg;
    memset(text, 'x', sizeof(text) - 1);
    note(sio_socket_emit(socket, "big", "s", text));
}

/* ---------------------------------------------------------- several ones -- */

static void on_join(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_error err = sio_socket_join(socket, "r");
    note(err);
    note(sio_event_ack(event, "b", err == SIO_OK));
}

static void on_leave(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_socket_leave(socket, "r");
    note(sio_event_ack(event, NULL));
}

static void on_room(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    sio_broadcast b = sio_broadcast_except(sio_namespace_to(nsp, "r"), "s");
    (void)arg;
    note(sio_broadcast_emit_args(b, "room", sio_event_args(event)));
}

static void on_all(sio_socket *socket, sio_event *event, void *arg)
{
    sio_broadcast b = sio_namespace_broadcast(sio_socket_namespace(socket));
    (void)arg;
    note(sio_broadcast_emit_args(b, "all", sio_event_args(event)));
    note(sio_broadcast_emit(b, "packed", "s", "text"));
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    sio_namespace *nsp = arg;
    (void)count;
    (void)expected;
    note(err);
    note(sio_broadcast_emit_json(sio_namespace_broadcast(nsp), "answers",
                                 answers, len));
}

static void on_survey(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    (void)event;
    (void)arg;
    note(sio_broadcast_emit_ack(sio_namespace_broadcast(nsp), "survey", 2000,
                                on_answers, nsp, "i", 1));
}

static void on_sockets(sio_error err, sio_socket *const *sockets, size_t count,
                       void *arg)
{
    (void)arg;
    note(err);
    for (size_t i = 0; i < count; i++) {
        note(sio_socket_emit(sockets[i], "fetched", "b", err == SIO_OK));
    }
}

static void on_infos(sio_error err, const sio_socket_info *infos, size_t count,
                     void *arg)
{
    (void)arg;
    note(err);
    for (size_t i = 0; i < count; i++) {
        note(sio_socket_emit(infos[i].socket, "info", "b", err == SIO_OK));
    }
}

static void on_count(sio_error err, size_t count, void *arg)
{
    sio_namespace *nsp = arg;
    note(err);
    note(sio_broadcast_emit(sio_namespace_broadcast(nsp), "count", "bi",
                            err == SIO_OK, (int)count));
}

/* In this order they are answered. */
static void on_fetch(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    sio_broadcast b = sio_namespace_broadcast(nsp);
    (void)event;
    (void)arg;
    if (sio_broadcast_fetch(b, on_sockets, NULL) != SIO_OK ||
        sio_broadcast_fetch_infos(b, on_infos, NULL) != SIO_OK ||
        sio_broadcast_count(b, on_count, nsp) != SIO_OK) {
        note(sio_socket_emit(socket, "no", NULL));
    }
}

/* ----------------------------------------------------------- middlewares -- */

static void allow(sio_server *server, void *arg)
{
    (void)server;
    sio_next_allow(arg);
}

static void on_middleware(sio_socket *socket, sio_next *next, void *arg)
{
    sio_server *server = arg;
    note(sio_socket_join(socket, "early"));
    if (sio_server_post(server, allow, next) != SIO_OK) {
        sio_next_refuse(next, "no memory", NULL);
    }
}

static void pass(sio_server *server, void *arg)
{
    (void)server;
    sio_event_next_pass(arg);
}

static void on_event(sio_socket *socket, sio_event *event, sio_event_next *next,
                     void *arg)
{
    sio_server *server = arg;
    sio_args args = {.json = "\"changed\"", .json_len = 9};
    (void)socket;
    if (strcmp(sio_event_name(event), "slow") != 0) {
        sio_event_next_pass(next);
    } else if (sio_event_set(event, "echo", &args) != SIO_OK ||
               sio_server_post(server, pass, next) != SIO_OK) {
        sio_event_next_fail(next, "no memory", NULL);
    }
}

static void on_who(sio_http_request *request, void *arg)
{
    const char *who = sio_http_address(request);
    (void)arg;
    sio_http_respond(request, 200, "text/plain", who, strlen(who));
}

/* --------------------------------------------------------------- balance -- */

atomic_llong fault_sockets, fault_rooms, fault_members;

static void on_connection(sio_socket *socket, void *arg)
{
    (void)socket;
    (void)arg;
    fault_sockets++;
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    (void)socket;
    (void)reason;
    (void)why;
    (void)arg;
    fault_sockets--;
}

static void on_room_change(sio_namespace *nsp, sio_room_change change,
                           const char *room, const char *id, void *arg)
{
    (void)nsp;
    (void)room;
    (void)id;
    (void)arg;
    fault_rooms += (change == SIO_ROOM_CREATED) - (change == SIO_ROOM_DELETED);
    fault_members += (change == SIO_ROOM_JOINED) - (change == SIO_ROOM_LEFT);
}

/* ------------------------------------------------------------------ all -- */

static void add(sio_namespace *nsp, sio_server *server)
{
    static const struct {
        const char *name;
        sio_event_fn *fn;
    } handlers[] = {
        {"echo", on_echo}, {"ack", on_ack},       {"pack", on_pack},
        {"ask", on_ask},   {"later", on_later},   {"big", on_big},
        {"join", on_join}, {"leave", on_leave},   {"room", on_room},
        {"all", on_all},   {"survey", on_survey}, {"fetch", on_fetch},
        {"auth", on_auth},
    };
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        REQUIRE(sio_namespace_on(nsp, handlers[i].name, handlers[i].fn,
                                 server) == SIO_OK);
    }
}

void fault_server_fill(sio_server *server)
{
    sio_namespace *root = sio_server_of(server, "/");
    sio_namespace *quiet = sio_server_of(server, "/quiet");
    sio_namespace *parent = sio_server_of_pattern(server, "/t-*");
    REQUIRE(root != NULL && quiet != NULL && parent != NULL);
    add(root, server);
    add(parent, server);
    REQUIRE(sio_namespace_on(quiet, "echo", on_echo, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on_connection(root, on_connection, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on_disconnect(root, on_disconnect, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on_room(root, on_room_change, NULL) == SIO_OK);
    REQUIRE(sio_namespace_use(root, on_middleware, server) == SIO_OK);
    REQUIRE(sio_namespace_use_events(root, on_event, server) == SIO_OK);
    REQUIRE(sio_server_on_http(server, "/who", on_who, NULL) == SIO_OK);
}

void fault_scene_open(const fault_scene *scene, turn_rig *rig)
{
    turn_rig_prepare(rig, scene->change);
    fault_server_fill(rig->server);
    if (scene->prepare != NULL) {
        scene->prepare(rig);
    }
}
