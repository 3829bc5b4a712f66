#include <stdlib.h>
#include <string.h>

#include "test/fault_play.h"

/* Decisions of the application, namespaces on demand, adapters. */

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static void note(sio_error err)
{
    fault_told += err != SIO_OK;
}

static void on_echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    note(sio_socket_emit_args(socket, "echo", sio_event_args(event), 0));
}

/* ------------------------------------------------------------ middlewares --
 */

static void refuse(sio_server *server, void *arg)
{
    (void)server;
    sio_next_refuse(arg, "not you", "{\"code\":7}");
}

static void on_newcomer(sio_socket *socket, sio_next *next, void *arg)
{
    (void)socket;
    if (sio_server_post(arg, refuse, next) != SIO_OK) {
        fault_told++;
        sio_next_refuse(next, "no memory", NULL);
    }
}

static void fail(sio_server *server, void *arg)
{
    (void)server;
    sio_event_next_fail(arg, "no such", "{\"x\":1}");
}

static void on_event(sio_socket *socket, sio_event *event, sio_event_next *next,
                     void *arg)
{
    (void)socket;
    if (strcmp(sio_event_name(event), "fails") != 0) {
        sio_event_next_pass(next);
    } else if (sio_server_post(arg, fail, next) != SIO_OK) {
        fault_told++;
        sio_event_next_drop(next);
    }
}

static void on_event_error(sio_socket *socket, sio_event *event,
                           const char *message, const char *data, void *arg)
{
    (void)event;
    (void)data;
    (void)arg;
    note(sio_socket_emit(socket, "failed", "s", message));
}

static void on_any(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)event;
    (void)arg;
}

static void with_decisions(turn_rig *rig)
{
    sio_namespace *never = sio_server_of(rig->server, "/never");
    sio_namespace *nsp = sio_server_of(rig->server, "/n");
    REQUIRE(never != NULL && nsp != NULL);
    REQUIRE(sio_namespace_use(never, on_newcomer, rig->server) == SIO_OK);
    REQUIRE(sio_namespace_use_events(nsp, on_event, rig->server) == SIO_OK);
    REQUIRE(sio_namespace_on_event_error(nsp, on_event_error, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on_any(nsp, on_any, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on_any_outgoing(nsp, on_any, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on(nsp, "echo", on_echo, NULL) == SIO_OK);
}

static bool play_decisions(turn_rig *rig)
{
    bool ok =
        join(&one, rig, "") &&
        say(&one, "40/never,", "44/never,{\"message\":\"not you\"") &&
        say(&one, "40/n,", "40/n,{\"sid\":\"") &&
        say(&one, "42/n,[\"fails\",1]", "42/n,[\"failed\",\"no such\"]") &&
        say(&one, "42/n,[\"echo\",1]", "42/n,[\"echo\",1]");
    turn_client_close(&one);
    return ok;
}

/* ------------------------------------------------------------- namespaces --
 */

static void claim_allow(sio_server *server, void *arg)
{
    (void)server;
    sio_claim_allow(arg);
}

static void claim_refuse(sio_server *server, void *arg)
{
    (void)server;
    sio_claim_refuse(arg);
}

/* A turn later, by the name. */
static void on_claim(sio_claim *claim, void *arg)
{
    bool good = strcmp(sio_claim_name(claim), "/bad") != 0;
    if (sio_server_post(arg, good ? claim_allow : claim_refuse, claim) !=
        SIO_OK) {
        fault_told++;
        sio_claim_refuse(claim);
    }
}

static void on_new(sio_namespace *nsp, void *arg)
{
    (void)arg;
    note(sio_namespace_on(nsp, "own", on_echo, NULL));
}

static void visit(sio_namespace *nsp, void *arg)
{
    (void)nsp;
    ++*(int *)arg;
}

static void on_list(sio_socket *socket, sio_event *event, void *arg)
{
    int count = 0;
    (void)socket;
    note(sio_server_each_namespace(arg, visit, &count));
    note(sio_event_ack(event, "b", count >= 3));
}

static void with_checks(turn_rig *rig)
{
    sio_namespace *first =
        sio_server_of_check(rig->server, on_claim, rig->server);
    REQUIRE(first != NULL);
    REQUIRE(sio_namespace_on(first, "echo", on_echo, NULL) == SIO_OK);
    REQUIRE(sio_server_on_namespace(rig->server, on_new, NULL) == SIO_OK);
    REQUIRE(sio_namespace_on(first, "list", on_list, rig->server) == SIO_OK);
}

static void with_cleanup(sio_server_config *config)
{
    config->cleanup_empty_child_namespaces = true;
}

static bool play_checks(turn_rig *rig)
{
    bool ok = join(&one, rig, "") &&
              say(&one, "40/good,{\"a\":1}", "40/good,{\"sid\":\"") &&
              say(&one, "42/good,[\"own\",1]", "42/good,[\"echo\",1]") &&
              say(&one, "42/good,1[\"list\"]", "43/good,1[true]") &&
              say(&one, "40/bad,", "44/bad,{\"message\":\"Invalid") &&
              say(&one, "41/good,", NULL) &&
              say(&one, "40/good,", "40/good,{\"sid\":\"") &&
              say(&one, "42/good,[\"echo\",2]", "42/good,[\"echo\",2]");
    turn_client_close(&one);
    return ok;
}

/* ---------------------------------------------------------- server events --
 */

static void on_server_event(sio_namespace *nsp, const char *event,
                            const sio_args *args, sio_reply *reply, void *arg)
{
    (void)event;
    (void)arg;
    note(sio_broadcast_emit_args(sio_namespace_broadcast(nsp), "heard", args));
    if (reply != NULL) {
        note(sio_reply_send(reply, "s", "yes"));
    }
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)count;
    (void)expected;
    note(err);
    note(sio_broadcast_emit_json(sio_namespace_broadcast(arg), "answers",
                                 answers, len));
}

static void on_tell(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    (void)event;
    (void)arg;
    note(sio_namespace_emit_server(nsp, "e", "i", 1));
    note(
        sio_namespace_emit_server_ack(nsp, "e", 1000, on_answers, nsp, "i", 2));
}

static void with_server_events(turn_rig *rig)
{
    REQUIRE(sio_namespace_on_server_event(rig->root, "e", on_server_event,
                                          NULL) == SIO_OK);
    REQUIRE(sio_namespace_on(rig->root, "tell", on_tell, NULL) == SIO_OK);
}

static bool play_server_events(turn_rig *rig)
{
    bool ok = join(&one, rig, "") && say(&one, "42[\"tell\"]", NULL) &&
              turn_client_hear(&one, "42[\"heard\",1]") &&
              turn_client_hear(&one, "42[\"heard\",2]") &&
              turn_client_hear(&one, "42[\"answers\",\"yes\"]");
    turn_client_close(&one);
    return ok;
}

/* ---------------------------------------------------------------- adapter --
 */

/* Of the application: it knows nobody else, and asks one by one. */
typedef struct question {
    sio_answers_fn *fn;
    void *arg;
    size_t expected, got, len;
    char text[256];
} question;

static void *adapter_open(sio_namespace *nsp, void *arg)
{
    void *self = malloc(8); /* NULL has it do without */
    (void)nsp;
    (void)arg;
    return self;
}

static void adapter_close(void *self, sio_namespace *nsp)
{
    (void)nsp;
    free(self);
}

static void on_asked(size_t expected, void *arg)
{
    question *q = arg;
    q->expected = expected;
}

static void on_answered(const sio_args *answer, void *arg)
{
    question *q = arg;
    REQUIRE(q->len + answer->json_len + 1 < sizeof(q->text));
    if (q->got++ != 0) {
        q->text[q->len++] = ',';
    }
    memcpy(q->text + q->len, answer->json, answer->json_len);
    q->len += answer->json_len;
}

static void on_ended(sio_error err, void *arg)
{
    question *q = arg;
    q->fn(err, q->text, q->len, q->got, q->expected, q->arg);
    free(q);
}

static sio_error adapter_emit_ack(void *self, const sio_broadcast *b,
                                  const char *event, const sio_args *args,
                                  uint32_t timeout_ms, sio_answers_fn *fn,
                                  void *arg)
{
    static const sio_ask_events events = {on_asked, on_answered, on_ended};
    question *q = calloc(1, sizeof(*q));
    (void)self;
    if (q == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    q->fn = fn;
    q->arg = arg;
    sio_error err = sio_broadcast_ask(*b, event, args, timeout_ms, &events, q);
    if (err != SIO_OK) {
        free(q);
    }
    return err;
}

static sio_error adapter_emit(void *self, const sio_broadcast *b,
                              const char *event, const sio_args *args)
{
    (void)self;
    return sio_adapter_memory.emit(NULL, b, event, args);
}

static void on_room(void *self, sio_namespace *nsp, sio_room_change change,
                    const char *room, const char *id)
{
    (void)self;
    (void)nsp;
    (void)change;
    (void)room;
    (void)id;
}

static void with_adapter(sio_server_config *config)
{
    static const sio_adapter_methods methods = {
        .open = adapter_open,
        .close = adapter_close,
        .emit = adapter_emit,
        .emit_ack = adapter_emit_ack,
        .room = on_room,
    };
    config->adapter = &methods;
}

static void on_servers(sio_error err, size_t count, void *arg)
{
    note(err);
    note(sio_broadcast_emit(sio_namespace_broadcast(arg), "servers", "i",
                            (int)count));
}

static void on_count_servers(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    (void)event;
    (void)arg;
    note(sio_namespace_count_servers(nsp, on_servers, nsp));
}

static void with_servers(turn_rig *rig)
{
    REQUIRE(sio_namespace_on(rig->root, "servers", on_count_servers, NULL) ==
            SIO_OK);
}

static bool play_adapter(turn_rig *rig)
{
    bool ok = join(&one, rig, "") && join(&two, rig, "") &&
              say(&one, "42[\"survey\"]", NULL) &&
              say_answer(&one, "[\"survey\",1]") &&
              say_answer(&two, "[\"survey\",1]") &&
              turn_client_hear(&one, "42[\"answers\",1,1]") &&
              say(&one, "421[\"join\"]", "431[true]") &&
              say(&two, "42[\"room\",1]", NULL) &&
              turn_client_hear(&one, "42[\"room\",1]") &&
              say(&one, "42[\"servers\"]", "42[\"servers\",1]") &&
              say(&one, "40/t-9,", "40/t-9,{\"sid\":\"");
    turn_client_close(&one);
    turn_client_close(&two);
    return ok;
}

/* ------------------------------------------------------------ connections --
 */

static struct {
    unsigned opened, packets, made, drained, closed;
} hooks;

static void on_opened(sio_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
    hooks.opened++;
}

static void on_packet(sio_conn *conn, const sio_conn_packet *packet, void *arg)
{
    (void)conn;
    (void)packet;
    ++*(unsigned *)arg;
}

static void on_drained(sio_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
    hooks.drained++;
}

static void on_closed(sio_conn *conn, const char *id,
                      sio_disconnect_reason reason, sio_error why, void *arg)
{
    (void)conn;
    (void)reason;
    (void)why;
    (void)arg;
    REQUIRE(strlen(id) > 0);
    hooks.closed++;
}

static void with_hooks(turn_rig *rig)
{
    sio_server *s = rig->server;
    memset(&hooks, 0, sizeof(hooks));
    REQUIRE(sio_server_on_conn_opened(s, on_opened, NULL) == SIO_OK);
    REQUIRE(sio_server_on_conn_packet(s, on_packet, &hooks.packets) == SIO_OK);
    REQUIRE(sio_server_on_conn_packet_create(s, on_packet, &hooks.made) ==
            SIO_OK);
    REQUIRE(sio_server_on_conn_drained(s, on_drained, NULL) == SIO_OK);
    REQUIRE(sio_server_on_conn_closed(s, on_closed, NULL) == SIO_OK);
}

/* Each is told of, and who has been told of has been told of its end. */
static bool play_hooks(turn_rig *rig)
{
    unsigned packets = hooks.packets, made = hooks.made;
    bool ok =
        join(&one, rig, "") && say(&one, "42[\"echo\",1]", "42[\"echo\",1]");
    turn_client_close(&one);
    if (ok) {
        REQUIRE(hooks.packets >= packets + 2 && hooks.made >= made + 2);
        REQUIRE(hooks.drained > 0);
    }
    fault before = fault_now;
    turn_rig_settle(rig, 1, 1);
    fault_now = before;
    REQUIRE(hooks.opened == hooks.closed + 1); /* the bystander is there */
    return ok;
}

const fault_scene fault_scenes_more[] = {
    {.label = "hooks", .play = play_hooks, .prepare = with_hooks},
    {.label = "decisions", .play = play_decisions, .prepare = with_decisions},
    {.label = "checks", with_cleanup, play_checks, .prepare = with_checks},
    {.label = "server events",
     .play = play_server_events,
     .prepare = with_server_events},
    {.label = "adapter", with_adapter, play_adapter, .prepare = with_servers},
    {.label = NULL},
};
