/*
 * What tests of several threads ask for.  Events on "/":
 *
 *   echo, ack, broadcast, join, room   as in profile bench
 *   binary N         broadcasts N events "binary": a number and 100 bytes
 *   fetch ROOM?      emits "fetched" with the ids of the sockets there
 *   count ROOM?      emits "counted" with their number
 *   survey MS ROOM?  asks them "who" and emits "surveyed": answers, expected
 *   gather FROM TO   has all in FROM join TO
 *   kick ID          disconnects the socket of that id, on whichever loop
 *   far WHAT ...     from a thread that is none of the server's: emit N, join
 *                    ROOM, leave ROOM, disconnect, close, post, ack,
 *                    broadcast N, ask MS
 *   side N           asks the application's own events `side` N, from another
 *                    thread, and emits "sided": error, answers, count
 *   data TEXT?       keeps the text as the socket's data; acked with what is
 * kept and whether the socket was recovered infos ROOM?      emits "informed":
 * error, [{id, rooms, handshake}]
 *
 * On "/gate" a middleware answers from that thread too: it refuses those whose
 * auth has `no`.  On "/events" middlewares of events answer from it, those
 * named `no` by a failure, after which `failed` is emitted; others are acked.
 * What goes out there is counted, and `out-count` acked with the number.
 * Namespaces /dyn-* are made on demand, and /far-* where that thread allows it:
 * not where the auth has `no`.  They have the events join ROOM, count ROOM? and
 * fetch ROOM?, and parent N ROOM?, which has all namespaces of the same parent
 * emit "parent" N.
 * GET /loops gives what each loop counts, GET /rooms how many rooms there are
 * on all loops, GET /slow answers from the other thread.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"
#include "socketio/jansson.h"

static testserver *server_of(void *arg)
{
    return arg;
}

/* The first argument, if it is a string; or NULL. */
static const char *text_arg(sio_event *event)
{
    const char *text;
    return sio_event_unpack(event, "s", &text) == SIO_OK ? text : NULL;
}

static int number_arg(sio_event *event, int otherwise)
{
    int number;
    return sio_event_unpack(event, "i", &number) == SIO_OK ? number : otherwise;
}

/* ------------------------------------------------------------ broadcasts -- */

static sio_broadcast whom(sio_socket *socket, const char *room)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    return room == NULL || room[0] == '\0' ? sio_namespace_broadcast(nsp)
                                           : sio_namespace_to(nsp, room);
}

static void send_binaries(sio_namespace *nsp, const char *event, int count)
{
    uint8_t bytes[100];
    for (int i = 0; i < count; i++) {
        char json[64];
        sio_binary binary = {bytes, sizeof(bytes)};
        memset(bytes, i & 0xff, sizeof(bytes));
        int len = snprintf(json, sizeof(json),
                           "%d,{\"_placeholder\":true,\"num\":0}", i);
        sio_args args = {json, (size_t)len, &binary, 1};
        sio_broadcast_emit_args(sio_namespace_broadcast(nsp), event, &args);
    }
}

static void on_binary(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    send_binaries(sio_socket_namespace(socket), "binary", number_arg(event, 0));
}

static void on_data(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *text = text_arg(event);
    if (text != NULL) {
        sio_socket_set_data(socket, strdup(text), free);
    }
    text = sio_socket_data(socket);
    sio_event_ack(event, "sb", text == NULL ? "" : text,
                  (int)sio_socket_recovered(socket));
}

/* ------------------------------------------------------------- questions -- */

/* `arg` is the socket that asked, with a reference; it may be of another loop
 * than the one that is told, in theory, so it is emitted to and no more. */
static void on_fetched(sio_error err, sio_socket *const *sockets, size_t count,
                       void *arg)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(ids, json_string(sio_socket_id(sockets[i])));
    }
    sio_socket_emit(arg, "fetched", "io", (int)err, ids);
    sio_socket_unref(arg);
}

static void on_informed(sio_error err, const sio_socket_info *infos,
                        size_t count, void *arg)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *rooms = json_array();
        for (size_t n = 0; n < infos[i].room_count; n++) {
            json_array_append_new(rooms, json_string(infos[i].rooms[n]));
        }
        json_array_append_new(
            all,
            json_pack("{s:s,s:o,s:o}", "id", sio_socket_id(infos[i].socket),
                      "rooms", rooms, "handshake",
                      json_loadb(infos[i].handshake, infos[i].handshake_len, 0,
                                 NULL)));
    }
    sio_socket_emit(arg, "informed", "io", (int)err, all);
    sio_socket_unref(arg);
}

static void on_counted(sio_error err, size_t count, void *arg)
{
    sio_socket_emit(arg, "counted", "ii", (int)err, (int)count);
    sio_socket_unref(arg);
}

static void on_fetch(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (sio_broadcast_fetch(whom(socket, text_arg(event)), on_fetched,
                            sio_socket_ref(socket)) != SIO_OK) {
        sio_socket_unref(socket);
    }
}

static void on_infos(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (sio_broadcast_fetch_infos(whom(socket, text_arg(event)), on_informed,
                                  sio_socket_ref(socket)) != SIO_OK) {
        sio_socket_unref(socket);
    }
}

static void on_count(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (sio_broadcast_count(whom(socket, text_arg(event)), on_counted,
                            sio_socket_ref(socket)) != SIO_OK) {
        sio_socket_unref(socket);
    }
}

static void on_surveyed(sio_error err, const char *answers, size_t len,
                        size_t count, size_t expected, void *arg)
{
    (void)count;
    json_t *all = json_array();
    char *text = malloc(len + 2);
    if (text != NULL) {
        text[0] = '[';
        if (len != 0) {
            memcpy(text + 1, answers, len);
        }
        text[len + 1] = ']';
        json_decref(all);
        all = json_loadb(text, len + 2, 0, NULL);
        free(text);
    }
    sio_socket_emit(arg, "surveyed", "ioi", (int)err, all, (int)expected);
    sio_socket_unref(arg);
}

static void on_survey(sio_socket *socket, sio_event *event, void *arg)
{
    int ms = number_arg(event, 1000);
    const char *room;
    (void)arg;
    if (sio_event_unpack(event, "is", &ms, &room) != SIO_OK) {
        room = NULL;
    }
    if (sio_broadcast_emit_ack(whom(socket, room), "who", (uint32_t)ms,
                               on_surveyed, sio_socket_ref(socket),
                               NULL) != SIO_OK) {
        sio_socket_unref(socket);
    }
}

static void on_gather(sio_socket *socket, sio_event *event, void *arg)
{
    const char *from, *to;
    (void)arg;
    if (sio_event_unpack(event, "ss", &from, &to) == SIO_OK) {
        sio_broadcast_join(whom(socket, from), to);
        sio_event_ack(event, NULL);
    }
}

static void on_kick(sio_socket *socket, sio_event *event, void *arg)
{
    const char *id;
    (void)arg;
    if (sio_event_unpack(event, "s", &id) == SIO_OK) {
        sio_broadcast_disconnect(whom(socket, id), false);
    }
}

/* ---------------------------------------------------- from another thread --
 */

typedef struct far_call {
    sio_socket *socket; /* a reference */
    sio_ack *ack;       /* or NULL */
    char what[16];
    char room[64];
    int number;
} far_call;

static void on_posted(sio_socket *socket, void *arg)
{
    (void)arg;
    sio_socket_emit(socket, "posted", "s", sio_socket_transport(socket));
}

static void on_answered(sio_socket *socket, sio_error err, sio_event *answer,
                        void *arg)
{
    (void)arg;
    sio_socket_emit(socket, "answered", "ii", (int)err,
                    err == SIO_OK ? number_arg(answer, -1) : 0);
}

static void call_far(const far_call *call)
{
    sio_socket *socket = call->socket;
    const char *what = call->what;
    if (strcmp(what, "emit") == 0) {
        for (int i = 0; i < call->number; i++) {
            sio_socket_emit(socket, "far", "i", i);
        }
    } else if (strcmp(what, "join") == 0) {
        sio_socket_join(socket, call->room);
    } else if (strcmp(what, "leave") == 0) {
        sio_socket_leave(socket, call->room);
    } else if (strcmp(what, "disconnect") == 0) {
        sio_socket_disconnect(socket);
    } else if (strcmp(what, "close") == 0) {
        sio_socket_close(socket);
    } else if (strcmp(what, "post") == 0) {
        if (sio_socket_post(socket, on_posted, NULL) != SIO_OK) {
            fprintf(stderr, "error the socket has ended\n");
        }
    } else if (strcmp(what, "broadcast") == 0) {
        send_binaries(sio_socket_namespace(socket), "far-binary", call->number);
    } else if (strcmp(what, "ask") == 0) {
        sio_socket_emit_ack(socket, "question", (uint32_t)call->number,
                            on_answered, NULL, NULL);
    }
}

static void run_far(void *arg)
{
    far_call *call = arg;
    call_far(call);
    if (call->ack != NULL) {
        sio_ack_send(call->ack, "s", call->what);
    }
    sio_socket_unref(call->socket);
    free(call);
}

static void on_far(sio_socket *socket, sio_event *event, void *arg)
{
    const char *what = text_arg(event), *room;
    int number;
    far_call *call = what == NULL ? NULL : calloc(1, sizeof(*call));
    if (call == NULL) {
        return;
    }
    snprintf(call->what, sizeof(call->what), "%s", what);
    if (sio_event_unpack(event, "ss", &what, &room) == SIO_OK) {
        snprintf(call->room, sizeof(call->room), "%s", room);
    } else if (sio_event_unpack(event, "si", &what, &number) == SIO_OK) {
        call->number = number;
    }
    call->socket = sio_socket_ref(socket);
    call->ack = sio_event_take_ack(event);
    if (!later_start(server_of(arg), 0, run_far, call)) {
        run_far(call);
    }
}

static void allow_far(void *arg)
{
    sio_next_allow(arg);
}

static void refuse_far(void *arg)
{
    sio_next_refuse(arg, "no", "{\"why\":\"no\"}");
}

static void on_gate(sio_socket *socket, sio_next *next, void *arg)
{
    int no;
    later_fn *fn = sio_socket_auth_unpack(socket, "{s:b}", "no", &no) == SIO_OK
                       ? refuse_far
                       : allow_far;
    if (!later_start(server_of(arg), 5, fn, next)) {
        fn(next);
    }
}

/* ------------------------------------------- events of the application -- */

typedef struct side {
    sio_socket *socket; /* a reference */
    int number;
} side;

static void on_side_answers(sio_error err, const char *answers, size_t len,
                            size_t count, size_t expected, void *arg)
{
    (void)expected;
    sio_socket_emit(arg, "sided", "is%i", (int)err, len == 0 ? "" : answers,
                    len, (int)count);
    sio_socket_unref(arg);
}

static void ask_side(void *arg)
{
    side *s = arg;
    sio_namespace *nsp = sio_socket_namespace(s->socket);
    if (sio_namespace_emit_server_ack(nsp, "side", 5000, on_side_answers,
                                      s->socket, "i", s->number) != SIO_OK) {
        sio_socket_unref(s->socket);
    }
    free(s);
}

static void on_side(sio_socket *socket, sio_event *event, void *arg)
{
    side *s = malloc(sizeof(*s));
    if (s != NULL) {
        *s = (side){sio_socket_ref(socket), number_arg(event, 0)};
        if (!later_start(server_of(arg), 0, ask_side, s)) {
            ask_side(s);
        }
    }
}

static void reply_late(void *arg)
{
    (void)sio_reply_send(arg, "s", "late");
}

static void hear_late(sio_namespace *nsp, const char *event,
                      const sio_args *args, sio_reply *reply, void *arg)
{
    (void)nsp;
    (void)event;
    (void)args;
    if (!later_start(server_of(arg), 2, reply_late, reply)) {
        reply_late(reply);
    }
}

static void hear_now(sio_namespace *nsp, const char *event,
                     const sio_args *args, sio_reply *reply, void *arg)
{
    (void)nsp;
    (void)event;
    (void)arg;
    (void)sio_reply_send(reply, "s%", args->json, args->json_len);
}

/* ------------------------------------------------------------ namespaces -- */

static void allow_claim(void *arg)
{
    sio_claim_allow(arg);
}

static void refuse_claim(void *arg)
{
    sio_claim_refuse(arg);
}

static void on_claim(sio_claim *claim, void *arg)
{
    bool allowed = strncmp(sio_claim_name(claim), "/far-", 5) == 0 &&
                   strstr(sio_claim_auth(claim), "\"no\"") == NULL;
    later_fn *fn = allowed ? allow_claim : refuse_claim;
    if (!later_start(server_of(arg), 2, fn, claim)) {
        fn(claim);
    }
}

static void on_child_join(sio_socket *socket, sio_event *event, void *arg)
{
    const char *room = text_arg(event);
    (void)arg;
    if (room != NULL && sio_socket_join(socket, room) == SIO_OK) {
        sio_event_ack(event, NULL);
    }
}

static void on_parent(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace *nsp = sio_namespace_parent(sio_socket_namespace(socket));
    int number = number_arg(event, 0);
    const char *room;
    (void)arg;
    sio_broadcast all = sio_namespace_broadcast(nsp);
    if (sio_event_unpack(event, "is", &number, &room) == SIO_OK) {
        all = sio_broadcast_to(all, room);
    }
    sio_broadcast_emit(all, "parent", "i", number);
}

static bool add_children(testserver *ts, sio_namespace *parent)
{
    return parent != NULL &&
           sio_namespace_on(parent, "join", on_child_join, ts) == SIO_OK &&
           sio_namespace_on(parent, "count", on_count, ts) == SIO_OK &&
           sio_namespace_on(parent, "fetch", on_fetch, ts) == SIO_OK &&
           sio_namespace_on(parent, "parent", on_parent, ts) == SIO_OK;
}

/* ------------------------------------------------------------------ HTTP -- */

static void answer_slowly(void *arg)
{
    sio_http_add_header(arg, "X-Thread", "another");
    sio_http_respond(arg, 200, "text/plain", "slow", 4);
}

static void on_slow(sio_http_request *request, void *arg)
{
    if (!later_start(server_of(arg), 5, answer_slowly, request)) {
        answer_slowly(request);
    }
}

/* How many rooms there are, the parts of each loop counted one by one. */
static atomic_int rooms;

static void on_room_change(sio_namespace *nsp, sio_room_change change,
                           const char *room, const char *id, void *arg)
{
    (void)nsp;
    (void)room;
    (void)id;
    (void)arg;
    if (change == SIO_ROOM_CREATED) {
        atomic_fetch_add(&rooms, 1);
    } else if (change == SIO_ROOM_DELETED) {
        atomic_fetch_sub(&rooms, 1);
    }
}

static void on_rooms(sio_http_request *request, void *arg)
{
    char text[16];
    (void)arg;
    int len = snprintf(text, sizeof(text), "%d", atomic_load(&rooms));
    sio_http_respond(request, 200, "application/json", text, (size_t)len);
}

static void on_loops(sio_http_request *request, void *arg)
{
    const sio_server *server = server_of(arg)->server;
    json_t *all = json_array();
    for (unsigned i = 0; i < sio_server_threads(server); i++) {
        json_t *one = json_object();
        for (int c = 0; c < SIO_COUNTER_COUNT; c++) {
            sio_counter counter = (sio_counter)c;
            json_object_set_new(
                one, sio_counter_name(counter),
                json_integer(
                    (json_int_t)sio_server_loop_counter(server, i, counter)));
        }
        json_array_append_new(all, one);
    }
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    if (text == NULL) {
        sio_http_respond(request, 500, NULL, NULL, 0);
        return;
    }
    sio_http_respond(request, 200, "application/json", text, strlen(text));
    free(text);
}

/* ----------------------------------------------------------------- setup -- */

void profile_threads_defaults(options *opts)
{
    opts->config.threads = 4;
}

bool profile_threads_setup(testserver *ts)
{
    static const struct {
        const char *name;
        sio_event_fn *fn;
    } events[] = {
        {"binary", on_binary}, {"fetch", on_fetch},   {"count", on_count},
        {"survey", on_survey}, {"gather", on_gather}, {"kick", on_kick},
        {"far", on_far},       {"infos", on_infos},   {"side", on_side},
        {"data", on_data},
    };
    sio_namespace *root = sio_server_of(ts->server, "/");
    sio_namespace *gate = sio_server_of(ts->server, "/gate");
    if (!profile_bench_setup(ts) || gate == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (sio_namespace_on(root, events[i].name, events[i].fn, ts) !=
            SIO_OK) {
            return false;
        }
    }
    return profile_threads_events_add(ts) &&
           sio_namespace_on_server_event(root, "side", hear_late, ts) ==
               SIO_OK &&
           sio_namespace_on_server_event(root, "side", hear_now, ts) ==
               SIO_OK &&
           sio_namespace_on_room(root, on_room_change, NULL) == SIO_OK &&
           sio_server_on_http(ts->server, "/rooms", on_rooms, ts) == SIO_OK &&
           sio_namespace_use(gate, on_gate, ts) == SIO_OK &&
           add_children(ts, sio_server_of_pattern(ts->server, "/dyn-*")) &&
           add_children(ts, sio_server_of_check(ts->server, on_claim, ts)) &&
           sio_server_on_http(ts->server, "/loops", on_loops, ts) == SIO_OK &&
           sio_server_on_http(ts->server, "/slow", on_slow, ts) == SIO_OK;
}
