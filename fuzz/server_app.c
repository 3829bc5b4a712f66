#include "fuzz/server_app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/server_curious.h"
#include "fuzz/server_hooks.h"

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* -------------------------------------------------------------- requests -- */

/* "A" to "Z" and on: what a script can guess. */
static bool choose_id(sio_http_request *request, char id[SIO_SESSION_ID_SIZE],
                      void *arg)
{
    server_app *app = arg;
    (void)request;
    (void)snprintf(id, SIO_SESSION_ID_SIZE, "%c", 'A' + (int)(app->ids % 26));
    if (app->ids >= 26) {
        (void)snprintf(id + 1, SIO_SESSION_ID_SIZE - 1, "%u", app->ids);
    }
    app->ids++;
    return true;
}

static void on_allow(sio_http_request *request, sio_verdict *verdict, void *arg)
{
    server_app *app = arg;
    const char *address = sio_http_address(request);
    app->proxied += strncmp(address, "192.0.2.", 8) == 0 ? 1 : 0;
    app->local += strcmp(address, "unix:") == 0 ? 1 : 0;
    if (!app->slow_verdicts || app->verdict != NULL) {
        sio_verdict_allow(verdict);
    } else {
        app->verdict = verdict;
    }
}

static void on_headers(sio_http_request *request, void *arg)
{
    (void)arg;
    (void)sio_http_add_header(request, "X-Fuzz", "1");
}

static void on_who(sio_http_request *request, void *arg)
{
    server_app *app = arg;
    const char *address = sio_http_address(request);
    app->requests++;
    sio_http_respond(request, 200, "text/plain", address, strlen(address));
}

void server_app_configure(server_app *app, sio_server_config *config,
                          bool short_ids)
{
    config->arg = app;
    config->on_allow_request = on_allow;
    config->on_headers = on_headers;
    config->on_generate_id = short_ids ? choose_id : NULL;
}

/* --------------------------------------------------------------- sockets -- */

static void on_connection(sio_socket *socket, void *arg)
{
    server_app *app = arg;
    app->connected++;
    curious_about_socket(socket);
    (void)sio_socket_emit(socket, "hello", "s", sio_socket_id(socket));
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    server_app *app = arg;
    (void)reason;
    (void)why;
    (void)sio_socket_emit(socket, "late", "i", 1);
    app->disconnected++;
}

static void on_upgrade(sio_socket *socket, void *arg)
{
    server_app *app = arg;
    (void)socket;
    app->upgrades++;
}

static void on_middleware(sio_socket *socket, sio_next *next, void *arg)
{
    server_app *app = arg;
    (void)socket;
    if (!app->moody || app->connected % 3 == 0) {
        sio_next_allow(next);
    } else if (app->next == NULL) {
        app->next = next;
        app->moody = app->connected % 2 == 0;
    } else {
        sio_next_refuse(next, "no", "{\"why\":1}");
    }
}

static void on_event_rule(sio_socket *socket, sio_event *event,
                          sio_event_next *next, void *arg)
{
    server_app *app = arg;
    const char *name = sio_event_name(event);
    (void)socket;
    if (name[0] == '?' && app->event_next == NULL) {
        app->event_next = next;
    } else if (name[0] == '-') {
        sio_event_next_drop(next);
    } else if (name[0] == '!') {
        sio_event_next_fail(next, "no", NULL);
    } else {
        sio_event_next_pass(next);
    }
}

/* ---------------------------------------------------------------- events -- */

static void on_answer(sio_socket *socket, sio_error err, sio_event *answer,
                      void *arg)
{
    server_app *app = arg;
    app->answered++;
    if (err == SIO_OK) {
        app->answers++;
        (void)sio_socket_emit_args(socket, "answer", sio_event_args(answer), 0);
    }
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    server_app *app = arg;
    app->gathered += err == SIO_OK && count != 0 ? 1 : 0;
    must(count <= expected && (err != SIO_OK || count == expected));
    (void)sio_broadcast_emit_json(
        sio_namespace_broadcast(sio_server_of(app->server, "/")), "answers",
        answers, len);
}

static void on_sockets(sio_error err, sio_socket *const *sockets, size_t count,
                       void *arg)
{
    (void)err;
    (void)arg;
    for (size_t i = 0; i < count; i++) {
        must(sio_socket_id(sockets[i])[0] != '\0');
    }
}

static void ask(server_app *app, sio_socket *socket)
{
    if (sio_socket_emit_ack(socket, "ask", 1000, on_answer, app, "i", 7) ==
        SIO_OK) {
        app->asked++;
    }
}

/* The first argument's JSON text, cut, as the name of a room. */
static void room_of(const sio_event *event, char room[16])
{
    size_t len = 0;
    const char *text = sio_event_arg(event, 0, &len);
    (void)snprintf(room, 16, "r%.*s", (int)(len < 12 ? len : 12),
                   text == NULL ? "" : text);
}

static void act_in_rooms(sio_socket *socket, sio_event *event, char what)
{
    char room[16];
    room_of(event, room);
    switch (what) {
    case 'j':
        (void)sio_socket_join(socket, room);
        break;
    case 'l':
        sio_socket_leave(socket, room);
        break;
    case 's':
        (void)sio_broadcast_emit_args(sio_socket_to(socket, room), "said",
                                      sio_event_args(event));
        break;
    case 'a':
        (void)sio_broadcast_emit_args(
            sio_namespace_broadcast(sio_socket_namespace(socket)), "all",
            sio_event_args(event));
        break;
    default:
        (void)sio_broadcast_emit_args(
            sio_broadcast_volatile(
                sio_broadcast_except(sio_socket_broadcast(socket), room)),
            "others", sio_event_args(event));
        break;
    }
}

static void act_on_event(server_app *app, sio_socket *socket, sio_event *event)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    char what = sio_event_name(event)[0];
    switch (what) {
    case 'j':
    case 'l':
    case 's':
    case 'a':
    case 'o':
        act_in_rooms(socket, event, what);
        break;
    case 'q':
        ask(app, socket);
        break;
    case 'Q':
        (void)sio_broadcast_emit_ack(sio_namespace_broadcast(nsp), "ask", 1000,
                                     on_answers, app, "i", 7);
        break;
    case 'r':
        app->read++;
        curious_about_event(event);
        break;
    case 'i':
        curious_about_all(nsp);
        break;
    case 'b':
        (void)sio_socket_emit_binary(socket, "bytes", "\0\1", 2);
        (void)sio_socket_emit_volatile(socket, "maybe", "f", 0.1);
        (void)sio_socket_emit_json(socket, "text", "[1e2,\"\"]", 8);
        break;
    case 'f':
        must(sio_broadcast_fetch(sio_namespace_broadcast(nsp), on_sockets,
                                 app) == SIO_OK);
        break;
    case 't':
        if (app->ack == NULL && sio_event_wants_ack(event)) {
            app->ack = sio_event_take_ack(event);
        }
        break;
    case 'd':
        sio_socket_disconnect(socket);
        break;
    case 'c':
        sio_socket_close(socket);
        break;
    default:
        break;
    }
}

/* Does what the name says, and sends the arguments back. */
static void on_any(sio_socket *socket, sio_event *event, void *arg)
{
    server_app *app = arg;
    const sio_args *args = sio_event_args(event);
    app->events++;
    app->binaries += args->binary_count != 0 ? 1 : 0;
    act_on_event(app, socket, event);
    if (sio_socket_emit_args(socket, "echo", args, 0) == SIO_OK) {
        app->echoes++;
    }
    if (sio_event_wants_ack(event)) {
        (void)sio_event_ack_args(event, args);
    }
}

static void on_healthy(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    (void)sio_socket_emit_args(socket, "echo", sio_event_args(event), 0);
}

/* ------------------------------------------------------------ the outside --
 */

static void set_up(server_app *app, sio_namespace *nsp,
                   server_app_habits habits)
{
    must(nsp != NULL &&
         sio_namespace_on_connection(nsp, on_connection, app) == SIO_OK &&
         sio_namespace_on_disconnect(nsp, on_disconnect, app) == SIO_OK &&
         sio_namespace_on_upgrade(nsp, on_upgrade, app) == SIO_OK &&
         sio_namespace_use(nsp, on_middleware, app) == SIO_OK &&
         sio_namespace_on_any(nsp, on_any, app) == SIO_OK);
    must(!habits.event_rules ||
         sio_namespace_use_events(nsp, on_event_rule, app) == SIO_OK);
    hooks_of_namespace(app, nsp, habits.outgoing);
}

void server_app_start(server_app *app, sio_server *server,
                      server_app_habits habits)
{
    app->server = server;
    set_up(app, sio_server_of(server, "/"), habits);
    set_up(app, sio_server_of(server, "/chat"), habits);
    set_up(app, sio_server_of_pattern(server, "/dyn-*"), habits);
    must(sio_namespace_on(sio_server_of(server, "/healthy"), "echo", on_healthy,
                          app) == SIO_OK);
    must(sio_server_on_http(server, "/who", on_who, app) == SIO_OK);
    hooks_of_server(app, server, habits.packets);
}

static void answer(server_app *app, bool allow)
{
    if (app->verdict != NULL && allow) {
        app->verdicts++;
        sio_verdict_allow(app->verdict);
    } else if (app->verdict != NULL) {
        sio_verdict_refuse(app->verdict, "no");
    }
    if (app->next != NULL && allow) {
        app->waited++;
        sio_next_allow(app->next);
    } else if (app->next != NULL) {
        sio_next_refuse(app->next, "no", NULL);
    }
    if (app->ack != NULL && allow) {
        app->acks++;
        (void)sio_ack_send(app->ack, "s", "late");
    } else {
        sio_ack_drop(app->ack);
    }
    app->verdict = NULL;
    app->next = NULL;
    app->ack = NULL;
    hooks_answer(app, allow);
}

void server_app_act(server_app *app, unsigned what)
{
    sio_namespace *nsp =
        sio_server_of(app->server, what & 0x80 ? "/chat" : "/");
    sio_broadcast b = sio_namespace_broadcast(nsp);
    switch (what % 8) {
    case 0:
        (void)sio_broadcast_emit(b, "news", "s", "of the server");
        break;
    case 1:
        (void)sio_broadcast_disconnect(b, (what & 0x40) != 0);
        break;
    case 2:
    case 3:
        answer(app, what % 2 == 0);
        break;
    case 4:
        (void)sio_broadcast_join(b, "r\"x\"");
        break;
    case 5:
        (void)sio_broadcast_emit(sio_broadcast_to(b, "r\"x\""), "news", "b",
                                 "\0\1\2", (size_t)3);
        break;
    case 6:
        (void)sio_namespace_emit_server(nsp, "inner", "i", 1);
        (void)sio_namespace_emit_server_ack(nsp, "inner", 1000, on_answers, app,
                                            "i", 1);
        break;
    default:
        (void)sio_broadcast_leave(b, "r\"x\"");
        break;
    }
}

void server_app_end(server_app *app)
{
    answer(app, false);
}

void server_app_check(const server_app *app)
{
    must(app->connected == app->disconnected && app->asked == app->answered);
    hooks_check(app);
}
