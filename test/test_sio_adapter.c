#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "socketio/adapter_impl.h"
#include "socketio/parent.h"
#include "test/sio_rig.h"

/*
 * An adapter that writes down what it is called for, and leaves the rest to
 * sio_adapter_memory.
 */

static sio_rig rig;
static sio_peer a, b;
static bool absent; /* open() gives none */
static int self;

static void note(const void *given, const sio_namespace *nsp, const char *what)
{
    assert_ptr_equal(given, &self);
    sio_rig_tell(&rig, " %s[%s]", what, sio_namespace_name(nsp));
}

static void note_names(char sign, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sio_rig_tell(&rig, "%c%s", sign, names[i]);
    }
}

static void note_broadcast(const void *given, const sio_broadcast *to,
                           const char *what)
{
    const char *names[32];
    note(given, to->nsp, what);
    note_names('+', names, sio_broadcast_rooms(to, names, 32));
    note_names('-', names, sio_broadcast_excepted(to, names, 32));
    sio_rig_tell(&rig, "%s%s", sio_broadcast_is_volatile(to) ? "?" : "",
                 sio_broadcast_may_compress(to) ? "" : "!");
}

static void note_event(const char *event, const sio_args *args)
{
    sio_rig_tell(&rig, ":%s(%.*s)%s", event, (int)args->json_len,
                 args->json_len == 0 ? "" : args->json,
                 args->binary_count == 0 ? "" : "b");
}

static void *mock_open(sio_namespace *nsp, void *arg)
{
    assert_ptr_equal(arg, &rig);
    sio_rig_tell(&rig, " open[%s]", sio_namespace_name(nsp));
    return absent ? NULL : &self;
}

static void mock_close(void *me, sio_namespace *nsp)
{
    note(me, nsp, "close");
}

static void mock_start(void *me, sio_namespace *nsp)
{
    note(me, nsp, "start");
}

static void mock_stop(void *me, sio_namespace *nsp)
{
    note(me, nsp, "stop");
}

static sio_error mock_emit(void *me, const sio_broadcast *to, const char *event,
                           const sio_args *args)
{
    note_broadcast(me, to, "emit");
    note_event(event, args);
    return sio_adapter_memory.emit(NULL, to, event, args);
}

static sio_error mock_emit_ack(void *me, const sio_broadcast *to,
                               const char *event, const sio_args *args,
                               uint32_t timeout_ms, sio_answers_fn *fn,
                               void *arg)
{
    note_broadcast(me, to, "ask");
    note_event(event, args);
    sio_rig_tell(&rig, "@%u", (unsigned)timeout_ms);
    return sio_adapter_memory.emit_ack(NULL, to, event, args, timeout_ms, fn,
                                       arg);
}

static sio_error mock_join(void *me, const sio_broadcast *to, const char *room)
{
    note_broadcast(me, to, "join");
    sio_rig_tell(&rig, ":%s", room);
    return sio_adapter_memory.join(NULL, to, room);
}

static sio_error mock_leave(void *me, const sio_broadcast *to, const char *room)
{
    note_broadcast(me, to, "leave");
    sio_rig_tell(&rig, ":%s", room);
    return sio_adapter_memory.leave(NULL, to, room);
}

static sio_error mock_disconnect(void *me, const sio_broadcast *to, bool close)
{
    note_broadcast(me, to, close ? "close" : "disconnect");
    return sio_adapter_memory.disconnect(NULL, to, close);
}

static sio_error mock_fetch_infos(void *me, const sio_broadcast *to,
                                  sio_infos_fn *fn, void *arg)
{
    note_broadcast(me, to, "fetch");
    return sio_adapter_memory.fetch_infos(NULL, to, fn, arg);
}

static sio_error mock_emit_server(void *me, sio_namespace *nsp,
                                  const char *event, const sio_args *args)
{
    note(me, nsp, "server");
    note_event(event, args);
    return sio_adapter_memory.emit_server(NULL, nsp, event, args);
}

static sio_error mock_emit_server_ack(void *me, sio_namespace *nsp,
                                      const char *event, const sio_args *args,
                                      uint32_t timeout_ms, sio_answers_fn *fn,
                                      void *arg)
{
    note(me, nsp, "server_ack");
    note_event(event, args);
    sio_rig_tell(&rig, "@%u", (unsigned)timeout_ms);
    return sio_adapter_memory.emit_server_ack(NULL, nsp, event, args,
                                              timeout_ms, fn, arg);
}

static sio_error mock_count_servers(void *me, sio_namespace *nsp,
                                    sio_count_fn *fn, void *arg)
{
    note(me, nsp, "count");
    fn(SIO_OK, 3, arg);
    return SIO_OK;
}

static void mock_room(void *me, sio_namespace *nsp, sio_room_change change,
                      const char *room, const char *id)
{
    static const char *const changes[] = {"created", "joined", "left",
                                          "deleted"};
    note(me, nsp, changes[change]);
    sio_rig_tell(&rig, ":%s%s", room, id == NULL ? "" : "+");
}

static const sio_adapter_methods mock = {
    .open = mock_open,
    .close = mock_close,
    .start = mock_start,
    .stop = mock_stop,
    .emit = mock_emit,
    .emit_ack = mock_emit_ack,
    .join = mock_join,
    .leave = mock_leave,
    .disconnect = mock_disconnect,
    .fetch_infos = mock_fetch_infos,
    .emit_server = mock_emit_server,
    .emit_server_ack = mock_emit_server_ack,
    .count_servers = mock_count_servers,
    .room = mock_room,
};

/* One that does nothing itself. */
static const sio_adapter_methods idle;

static void use(const sio_adapter_methods *methods)
{
    rig.core.adapter = methods;
    rig.core.adapter_arg = &rig;
}

static sio_namespace *m; /* with the adapter */

static sio_peer join(const char *name)
{
    sio_peer peer = sio_rig_open(&rig, MEMORY_WEBSOCKET, name);
    sio_peer_send(&peer, "0/m,");
    (void)sio_peer_said(&peer);
    return peer;
}

static int setup(void **state)
{
    (void)state;
    absent = false;
    sio_rig_init(&rig);
    use(&mock);
    m = sio_rig_of(&rig, "/m");
    assert_string_equal(sio_rig_told(&rig), " open[/m]");
    assert_ptr_equal(sio_namespace_adapter(m), &self);
    a = join("a");
    b = join("b");
    assert_string_equal(sio_rig_told(&rig), "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_close(&rig);
    (void)sio_rig_told(&rig);
    sio_rig_free(&rig);
    assert_string_equal(sio_rig_told(&rig), " close[/m]");
    return 0;
}

/* After some turns: questions go from loop to loop. */
static void told(const char *expected)
{
    for (int i = 0; i < 3; i++) {
        rig_turn(&rig.engine);
    }
    assert_string_equal(sio_rig_told(&rig), expected);
}

static void said(const char *to_a, const char *to_b)
{
    assert_string_equal(sio_peer_said(&a), to_a);
    assert_string_equal(sio_peer_said(&b), to_b);
}

static void test_ad01_emit(void **state)
{
    (void)state;
    sio_broadcast all = sio_namespace_broadcast(m);
    assert_int_equal(sio_broadcast_emit(all, "e", "i", 1), SIO_OK);
    told(" emit[/m]:e(1)");
    said(" 42/m,[\"e\",1]", " 42/m,[\"e\",1]");
    assert_int_equal(sio_broadcast_emit_json(all, "e", "2,{}", 4), SIO_OK);
    told(" emit[/m]:e(2,{})");
    assert_int_equal(sio_broadcast_emit_args(all, "e", NULL), SIO_OK);
    told(" emit[/m]:e()");
    (void)sio_peer_said(&a);
    (void)sio_peer_said(&b);
    assert_int_equal(sio_socket_join(sio_peer_socket(&b, "/m"), "r"), SIO_OK);
    told(" created[/m]:r joined[/m]:r+");
    const char *rooms[] = {"s", "t"}, *others[] = {"u"};
    all = sio_broadcast_except_list(
        sio_broadcast_to_list(sio_broadcast_to(all, "r"), rooms, 2), others, 1);
    all = sio_broadcast_except(all, "v");
    all = sio_broadcast_compress(sio_broadcast_volatile(all), false);
    assert_int_equal(sio_broadcast_emit(all, "e", NULL), SIO_OK);
    told(" emit[/m]+r+s+t-v-u?!:e()");
    said("", " 42/m,[\"e\"]");
}

static void test_ad01_socket_is_left_out(void **state)
{
    (void)state;
    sio_socket *socket = sio_peer_socket(&a, "/m");
    char want[64];
    assert_int_equal(
        sio_broadcast_emit(sio_socket_broadcast(socket), "e", NULL), SIO_OK);
    snprintf(want, sizeof(want), " emit[/m]-%s:e()", sio_socket_id(socket));
    told(want);
    said("", " 42/m,[\"e\"]");
}

static void test_ad01_what_is_not_passed_on(void **state)
{
    (void)state;
    sio_broadcast all = sio_namespace_broadcast(m), many = all;
    sio_binary binaries[5] = {{"x", 1}};
    sio_args args = {"", 0, binaries, 5};
    for (int i = 0; i <= SIO_BROADCAST_ROOMS; i++) {
        many = sio_broadcast_to(many, "r");
    }
    assert_int_equal(sio_broadcast_emit(sio_broadcast_local(all), "e", NULL),
                     SIO_OK);
    said(" 42/m,[\"e\"]", " 42/m,[\"e\"]");
    assert_int_equal(sio_broadcast_emit(all, "connect", NULL),
                     SIO_ERR_RESERVED);
    assert_int_equal(sio_broadcast_emit(many, "e", NULL), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_broadcast_emit_args(all, "e", &args),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(sio_broadcast_join(many, "r"), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_broadcast_join(sio_broadcast_local(all), "r"), SIO_OK);
    assert_int_equal(sio_broadcast_leave(sio_broadcast_local(all), "r"),
                     SIO_OK);
    (void)sio_rig_told(&rig); /* of rooms */
    assert_int_equal(sio_broadcast_disconnect(sio_broadcast_local(all), false),
                     SIO_OK);
    told("");
    said(" 41/m,", " 41/m,");
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " (%d;%.*s;%d/%d)", (int)err, (int)len,
                 len == 0 ? "" : answers, (int)count, (int)expected);
}

static void test_ad01_emit_ack(void **state)
{
    (void)state;
    assert_int_equal(sio_broadcast_emit_ack(sio_namespace_broadcast(m), "q", 20,
                                            on_answers, NULL, "i", 1),
                     SIO_OK);
    told(" ask[/m]:q(1)@20");
    said(" 42/m,0[\"q\",1]", " 42/m,0[\"q\",1]");
    sio_peer_send(&a, "3/m,0[7]");
    sio_peer_send(&b, "3/m,0[8]");
    told(" (0;7,8;2/2)");
}

static void test_ad01_orders(void **state)
{
    (void)state;
    sio_broadcast all = sio_namespace_broadcast(m);
    assert_int_equal(sio_broadcast_join(all, "r"), SIO_OK);
    told(" join[/m]:r created[/m]:r joined[/m]:r+ joined[/m]:r+");
    assert_int_equal(sio_broadcast_leave(sio_broadcast_to(all, "r"), "r"),
                     SIO_OK);
    told(" leave[/m]+r:r left[/m]:r+ left[/m]:r+ deleted[/m]:r");
    assert_int_equal(
        sio_broadcast_disconnect(
            sio_broadcast_to(all, sio_socket_id(sio_peer_socket(&a, "/m"))),
            false),
        SIO_OK);
    assert_memory_equal(sio_rig_told(&rig), " disconnect[/m]+", 16);
    said(" 41/m,", "");
    assert_int_equal(sio_broadcast_disconnect(all, true), SIO_OK);
    told(" close[/m]");
    assert_false(sio_peer_open(&b));
}

static size_t data_json(sio_socket *socket, char *out, size_t cap, void *arg)
{
    const char *text = sio_socket_data(socket);
    assert_ptr_equal(arg, &rig);
    return text == NULL ? 0 : (size_t)snprintf(out, cap, "%s", text);
}

static void on_infos(sio_error err, const sio_socket_info *infos, size_t count,
                     void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " infos(%d;%d)", (int)err, (int)count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(infos[i].id, sio_socket_id(infos[i].socket));
        sio_rig_tell(&rig, " %s:%.*s", sio_rig_name(infos[i].socket),
                     (int)infos[i].data_json_len,
                     infos[i].data_json_len == 0 ? "" : infos[i].data_json);
    }
}

static void test_ad01_fetch(void **state)
{
    (void)state;
    static char data[] = "[1,2]-";
    rig.core.data_json = data_json;
    rig.core.data_json_arg = &rig;
    sio_socket_set_data(sio_peer_socket(&b, "/m"), data, NULL);
    assert_int_equal(
        sio_broadcast_fetch_infos(sio_namespace_to(m, "none"), on_infos, NULL),
        SIO_OK);
    told(" fetch[/m]+none infos(0;0)");
    assert_int_equal(
        sio_broadcast_fetch_infos(sio_namespace_broadcast(m), on_infos, NULL),
        SIO_OK);
    /* A NUL needs its place, as with snprintf(). */
    told(" fetch[/m] infos(0;2) a: b:[1,2]");
}

static void on_server_event(sio_namespace *nsp, const char *event,
                            const sio_args *args, sio_reply *reply, void *arg)
{
    (void)nsp;
    (void)arg;
    sio_rig_tell(&rig, " heard:%s(%.*s)", event, (int)args->json_len,
                 args->json_len == 0 ? "" : args->json);
    if (reply != NULL) {
        assert_int_equal(sio_reply_send(reply, "i", 9), SIO_OK);
    }
}

static void test_ad01_server_events(void **state)
{
    (void)state;
    assert_int_equal(
        sio_namespace_on_server_event(m, "s", on_server_event, NULL), SIO_OK);
    assert_int_equal(sio_namespace_emit_server(m, "s", "i", 1), SIO_OK);
    told(" server[/m]:s(1) heard:s(1)");
    assert_int_equal(
        sio_namespace_emit_server_ack(m, "s", 30, on_answers, NULL, "i", 2),
        SIO_OK);
    told(" server_ack[/m]:s(2)@30 heard:s(2) (0;9;1/1)");
    assert_int_equal(sio_namespace_emit_server(m, "connection", NULL),
                     SIO_ERR_RESERVED);
    told("");
}

static void on_count(sio_error err, size_t count, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " count(%d;%d)", (int)err, (int)count);
}

static void test_ad01_servers(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_count_servers(m, on_count, NULL), SIO_OK);
    told(" count[/m] count(0;3)");
    assert_int_equal(sio_namespace_count_servers(rig.root, on_count, NULL),
                     SIO_OK);
    told(" count(0;1)"); /* without an adapter */
}

/* What an adapter does not have is done on this server. */
static void test_ad01_methods_may_be_missing(void **state)
{
    (void)state;
    use(&idle);
    sio_namespace *n = sio_rig_of(&rig, "/n");
    sio_peer_send(&a, "0/n,");
    (void)sio_peer_said(&a);
    sio_broadcast all = sio_namespace_broadcast(n);
    assert_null(sio_namespace_adapter(n));
    assert_int_equal(sio_broadcast_emit(all, "e", NULL), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit_ack(all, "q", 20, on_answers, NULL, NULL), SIO_OK);
    assert_int_equal(sio_broadcast_join(all, "r"), SIO_OK);
    assert_int_equal(sio_broadcast_leave(all, "r"), SIO_OK);
    assert_int_equal(sio_broadcast_fetch_infos(all, on_infos, NULL), SIO_OK);
    assert_int_equal(sio_namespace_emit_server(n, "s", NULL), SIO_OK);
    assert_int_equal(
        sio_namespace_emit_server_ack(n, "s", 20, on_answers, NULL, NULL),
        SIO_OK);
    assert_int_equal(sio_namespace_count_servers(n, on_count, NULL), SIO_OK);
    told(" count(0;1) (0;;0/0) infos(0;1) a:");
    assert_int_equal(sio_broadcast_disconnect(all, false), SIO_OK);
    told(" (-304;;0/1)");
    assert_string_equal(sio_peer_said(&a), " 42/n,[\"e\"] 42/n,0[\"q\"] 41/n,");
    use(&mock);
}

static void test_ad02_open_and_close(void **state)
{
    (void)state;
    absent = true;
    sio_namespace *none = sio_rig_of(&rig, "/none");
    assert_string_equal(sio_rig_told(&rig), " open[/none]");
    assert_null(sio_namespace_adapter(none));
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(none), "e", NULL), SIO_OK);
    told(""); /* nor is it closed; see teardown() */
    absent = false;
    assert_ptr_equal(sio_rig_of(&rig, "/m"), m);
    told(""); /* not opened again */
}

static void test_ad02_start_and_stop(void **state)
{
    (void)state;
    sio_adapters_start(&rig.core);
    told(" start[/m]");
    rig.core.cleanup = true;
    sio_namespace *parent = sio_core_of_pattern(&rig.core, "/p*");
    assert_non_null(parent);
    sio_peer_send(&a, "0/p1,");
    told(" open[/p1] start[/p1]");
    sio_peer_send(&a, "1/p1,"); /* and with the last the namespace goes */
    told(" close[/p1]");
    sio_adapters_stop(&rig.core);
    told(" stop[/m]");
    sio_adapters_start(&rig.core);
    told(" start[/m]");
}

/* A parent has no adapter, its children have. */
static void test_ad02_children(void **state)
{
    (void)state;
    rig.core.cleanup = true;
    sio_namespace *parent = sio_core_of_pattern(&rig.core, "/p*");
    assert_non_null(parent);
    sio_peer_send(&a, "0/p1,");
    sio_peer_send(&b, "0/p2,");
    told(" open[/p1] open[/p2]");
    (void)sio_peer_said(&a);
    (void)sio_peer_said(&b);
    sio_broadcast all = sio_namespace_broadcast(parent);
    assert_int_equal(sio_broadcast_emit(sio_broadcast_to(all, "no"), "e", NULL),
                     SIO_OK);
    const char *heard = sio_rig_told(&rig);
    assert_non_null(strstr(heard, " emit[/p1]+no:e()"));
    assert_non_null(strstr(heard, " emit[/p2]+no:e()"));
    assert_int_equal(sio_broadcast_emit(all, "e", NULL), SIO_OK);
    assert_int_equal(sio_broadcast_join(all, "r"), SIO_OK);
    assert_int_equal(sio_broadcast_leave(all, "r"), SIO_OK);
    assert_int_equal(sio_broadcast_emit(sio_broadcast_local(all), "l", NULL),
                     SIO_OK);
    said(" 42/p1,[\"e\"] 42/p1,[\"l\"]", " 42/p2,[\"e\"] 42/p2,[\"l\"]");
    heard = sio_rig_told(&rig);
    assert_non_null(strstr(heard, " emit[/p1]:e()"));
    assert_non_null(strstr(heard, " join[/p2]:r"));
    assert_non_null(strstr(heard, " leave[/p2]:r"));
    assert_null(strstr(heard, ":l()"));
    assert_int_equal(sio_broadcast_disconnect(all, false), SIO_OK);
    said(" 41/p1,", " 41/p2,");
    sio_rig_close(&rig); /* with their sockets' connections they go */
    heard = sio_rig_told(&rig);
    assert_non_null(strstr(heard, " disconnect[/p1]"));
    assert_non_null(strstr(heard, " close[/p1]"));
    assert_non_null(strstr(heard, " close[/p2]"));
}

/* With the id of a row in docs/features.md. */
#define AD01(name)                                                             \
    {                                                                          \
        "AD01 " #name, test_ad01_##name, setup, teardown, NULL                 \
    }
#define AD02(name)                                                             \
    {                                                                          \
        "AD02 " #name, test_ad02_##name, setup, teardown, NULL                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        AD01(emit),
        AD01(socket_is_left_out),
        AD01(what_is_not_passed_on),
        AD01(emit_ack),
        AD01(orders),
        AD01(fetch),
        AD01(server_events),
        AD01(servers),
        AD01(methods_may_be_missing),
        AD02(open_and_close),
        AD02(start_and_stop),
        AD02(children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
