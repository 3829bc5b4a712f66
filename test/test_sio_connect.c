#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static sio_rig rig;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    sio_rig_listen(rig.root);
    sio_rig_listen(sio_rig_of(&rig, "/b"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

/* ---------------------------------------------------------------- CONNECT --
 */

static const struct row {
    const char *label, *packets[6], *said, *told;
} rows[] = {
    {"main", {"0"}, " 40{\"sid\":\"*\"}", " +a"},
    {"with auth", {"0{\"token\":1}"}, " 40{\"sid\":\"*\"}", " +a"},
    {"by its name", {"0/,"}, " 40{\"sid\":\"*\"}", " +a"},
    {"another", {"0/b,"}, " 40/b,{\"sid\":\"*\"}", " +a/b"},
    {"without comma", {"0/b"}, " 40/b,{\"sid\":\"*\"}", " +a/b"},
    {"both",
     {"0", "0/b,"},
     " 40{\"sid\":\"*\"} 40/b,{\"sid\":\"*\"}",
     " +a +a/b"},
    {"unknown", {"0/c,"}, " 44/c,{\"message\":\"Invalid namespace\"}", ""},
    {"unknown is no end",
     {"0/c,", "0", "0/c"},
     " 44/c,{\"message\":\"Invalid namespace\"} 40{\"sid\":\"*\"}"
     " 44/c,{\"message\":\"Invalid namespace\"}",
     " +a"},
    {"twice",
     {"0", "0"},
     " 40{\"sid\":\"*\"} close",
     " +a ~a(forced close: packet is not allowed in the present state)"
     " -a(forced close: packet is not allowed in the present state)"},
    {"auth is no object", {"0[1]"}, " close", ""},
    {"malformed auth", {"0{"}, " close", ""},
    {"an event first", {"2[\"a\"]"}, " close", ""},
    {"an ack first", {"31[]"}, " close", ""},
    {"DISCONNECT first", {"1"}, " close", ""},
    {"CONNECT_ERROR",
     {"0", "4{}"},
     " 40{\"sid\":\"*\"} close",
     " +a ~a(forced close: packet is not allowed in the present state)"
     " -a(forced close: packet is not allowed in the present state)"},
    {"no packet", {"9"}, " close", ""},
    {"nothing", {""}, " close", ""},
    {"leaves",
     {"0", "1"},
     " 40{\"sid\":\"*\"}",
     " +a ~a(client namespace disconnect) -a(client namespace disconnect)"},
    {"leaves and comes",
     {"0", "1", "0"},
     " 40{\"sid\":\"*\"} 40{\"sid\":\"*\"}",
     " +a ~a(client namespace disconnect) -a(client namespace disconnect) +a"},
    {"leaves twice",
     {"0", "1", "1"},
     " 40{\"sid\":\"*\"} close",
     " +a ~a(client namespace disconnect) -a(client namespace disconnect)"},
    {"event after leaving",
     {"0", "1", "2[\"a\"]"},
     " 40{\"sid\":\"*\"} close",
     " +a ~a(client namespace disconnect) -a(client namespace disconnect)"},
    {"leaves one of two",
     {"0", "0/b,", "1/b,", "2[\"a\"]"},
     " 40{\"sid\":\"*\"} 40/b,{\"sid\":\"*\"}",
     " +a +a/b ~a/b(client namespace disconnect)"
     " -a/b(client namespace disconnect)"},
    {"all go together",
     {"0", "0/b,", "9"},
     " 40{\"sid\":\"*\"} 40/b,{\"sid\":\"*\"} close",
     " +a +a/b ~a(forced close: unknown packet type)"
     " -a(forced close: unknown packet type)"
     " ~a/b(forced close: unknown packet type)"
     " -a/b(forced close: unknown packet type)"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
        for (size_t j = 0; row->packets[j] != NULL; j++) {
            /* So that what closes can do it at once. */
            sio_peer_send(&a, row->packets[j]);
            rig_turn(&rig.engine);
        }
        const char *said = sio_peer_said(&a);
        const char *told = sio_rig_told(&rig);
        if (strcmp(said, row->said) != 0 || strcmp(told, row->told) != 0) {
            fail_msg("%s:\n said%s\n told%s", row->label, said, told);
        }
        memory_transport_drop(a.mt, SIO_OK);
        rig_turn(&rig.engine);
        (void)sio_rig_told(&rig);
        assert_int_equal(rig.engine.counters[SIO_COUNTER_SOCKETS], 0);
    }
}

static void test_auth(void **state)
{
    (void)state;
    sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    const char *token;
    sio_peer_send(&a, "0{\"token\":\"x\\u0041\",\"n\":[1]}");
    sio_peer_send(&a, "0/b,");
    sio_socket *root = sio_peer_socket(&a, "/");
    sio_socket *other = sio_peer_socket(&a, "/b");
    assert_string_equal(sio_socket_auth(root),
                        "{\"token\":\"x\\u0041\",\"n\":[1]}");
    assert_int_equal(sio_socket_auth_unpack(root, "{s:s}", "token", &token),
                     SIO_OK);
    assert_string_equal(token, "xA");
    assert_int_equal(sio_socket_auth_unpack(root, "{s:s}", "n", &token),
                     SIO_ERR_MISMATCH);
    assert_string_equal(sio_socket_auth(other), "{}");
    assert_int_equal(sio_socket_auth_unpack(other, "{s:s}", "token", &token),
                     SIO_ERR_MISMATCH);

    /* Half of a surrogate pair is JSON, but no string for us. */
    sio_peer b = sio_rig_open(&rig, MEMORY_WEBSOCKET, "b");
    sio_peer_send(&b, "0{\"token\":\"\\ud800\"}");
    assert_int_equal(sio_socket_auth_unpack(sio_peer_socket(&b, "/"), "{s:s}",
                                            "token", &token),
                     SIO_ERR_MISMATCH);
}

static void test_ids(void **state)
{
    (void)state;
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    sio_socket *sa = sio_peer_socket(&a, "/"), *sb = sio_peer_socket(&b, "/");
    assert_int_equal(strlen(sio_socket_id(sa)), 20);
    assert_string_not_equal(sio_socket_id(sa), sio_socket_id(sb));
    assert_string_not_equal(sio_socket_id(sa), sio_socket_session_id(sa));
    assert_string_equal(sio_socket_session_id(sa), eio_session_sid(a.session));
    assert_string_equal(sio_socket_transport(sa), "websocket");
    assert_ptr_equal(sio_namespace_socket(rig.root, sio_socket_id(sa)), sa);
    assert_ptr_equal(sio_socket_namespace(sa), rig.root);
    assert_int_equal(sio_namespace_count(rig.root), 2);
    assert_null(sio_namespace_socket(rig.root, "nobody"));

    (void)sio_socket_ref(sa);
    sio_socket_disconnect(sa);
    assert_null(sio_namespace_socket(rig.root, sio_socket_id(sa)));
    assert_string_equal(sio_socket_transport(sa), "websocket");
    memory_transport_drop(a.mt, SIO_OK);
    assert_string_equal(sio_socket_transport(sa), "");
    assert_string_equal(sio_socket_session_id(sa), "");
    assert_int_equal(sio_socket_backlog(sa), 0);
    sio_socket_unref(sa);
}

static void test_namespace_names(void **state)
{
    (void)state;
    char name[80];
    memset(name, 'n', sizeof(name));
    name[64] = '\0';
    assert_null(sio_core_of(&rig.core, name));
    name[63] = '\0';
    sio_namespace *longest = sio_core_of(&rig.core, name);
    assert_non_null(longest);
    assert_int_equal(strlen(sio_namespace_name(longest)), 64);
    assert_ptr_equal(sio_core_of(&rig.core, "b"), sio_rig_of(&rig, "/b"));
    assert_ptr_equal(sio_core_of(&rig.core, ""), rig.root);
    assert_ptr_equal(sio_core_of(&rig.core, "/"), rig.root);
    assert_null(sio_core_of(&rig.core, "a,b"));
    assert_null(sio_namespace_server(rig.root));
}

static void test_namespace_limit(void **state)
{
    (void)state;
    static const char *const names[] = {"/", "/b", "/c", "/d", "/e"};
    sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    char packet[16];
    for (size_t i = 0; i < COUNT(names); i++) {
        (void)sio_rig_of(&rig, names[i]);
        snprintf(packet, sizeof(packet), "0%s,", names[i]);
        assert_true(sio_peer_open(&a));
        sio_peer_send(&a, packet);
        rig_turn(&rig.engine);
    }
    assert_false(sio_peer_open(&a));
    assert_int_equal(rig.engine.counters[SIO_COUNTER_SOCKETS], 0);
}

/* ------------------------------------------------------- connect timeouts --
 */

static void test_timeout(void **state)
{
    (void)state;
    sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    sio_peer b = sio_rig_join(&rig, "b");
    sio_peer c = sio_rig_open(&rig, MEMORY_WEBSOCKET, "c");
    sio_peer_send(&c, "0/unknown,");
    rig_advance(&rig.engine, 4999);
    assert_true(sio_peer_open(&a) && sio_peer_open(&c));
    rig_advance(&rig.engine, 1);
    assert_false(sio_peer_open(&a) || sio_peer_open(&c));
    assert_true(sio_peer_open(&b));
    assert_int_equal(rig.engine.counters[SIO_COUNTER_CONNECT_TIMEOUTS], 2);
    rig_advance(&rig.engine, 10000);
    assert_true(sio_peer_open(&b));
    assert_string_equal(sio_rig_told(&rig), "");
}

/* Whoever has joined once may go on without a namespace. */
static void test_timeout_is_once(void **state)
{
    (void)state;
    sio_peer a = sio_rig_join(&rig, "a");
    sio_peer_send(&a, "1");
    rig_advance(&rig.engine, 10000);
    assert_true(sio_peer_open(&a));
}

/* ----------------------------------------------------- leaving, both sides --
 */

static void test_server_leaves(void **state)
{
    (void)state;
    sio_peer a = sio_rig_join(&rig, "a");
    sio_socket *first = sio_peer_socket(&a, "/");
    sio_socket_disconnect(first);
    sio_socket_disconnect(first);
    assert_string_equal(sio_peer_said(&a), " 41");
    assert_string_equal(sio_rig_told(&rig), " ~a(server namespace disconnect)"
                                            " -a(server namespace disconnect)");
    /* On their way before the peer knew. */
    sio_peer_send(&a, "2[\"late\"]");
    sio_peer_send(&a, "20[\"late\"]");
    sio_peer_send(&a, "30[]");
    sio_peer_send(&a, "51-[\"late\",{\"_placeholder\":true,\"num\":0}]");
    sio_peer_send_binary(&a, SIO_LIT("x"));
    sio_peer_send(&a, "1");
    assert_string_equal(sio_peer_said(&a), "");
    assert_true(sio_peer_open(&a));

    sio_peer_send(&a, "0");
    assert_string_equal(sio_peer_said(&a), " 40{\"sid\":\"*\"}");
    assert_string_equal(sio_rig_told(&rig), " +a");
    /* It has connected anew, so these are for the new socket. */
    sio_peer_send(&a, "2[\"early\"]");
    assert_true(sio_peer_open(&a));
    assert_int_equal(sio_namespace_count(rig.root), 1);
}

static void test_close(void **state)
{
    (void)state;
    sio_peer a = sio_rig_join(&rig, "a");
    sio_peer_send(&a, "0/b,");
    rig_turn(&rig.engine);
    (void)sio_rig_told(&rig);
    (void)sio_peer_said(&a);
    sio_socket_close(sio_peer_socket(&a, "/b"));
    assert_string_equal(sio_rig_told(&rig),
                        " ~a(server namespace disconnect)"
                        " -a(server namespace disconnect)"
                        " ~a/b(server namespace disconnect)"
                        " -a/b(server namespace disconnect)");
    assert_string_equal(sio_peer_said(&a), " 41 41/b, close");
    assert_string_equal(sio_rig_told(&rig), "");
}

/* The peer can only be told when it asks, but for the sockets it is over. */
static void test_close_polling(void **state)
{
    (void)state;
    sio_peer a = sio_rig_open(&rig, MEMORY_POLLING, "a");
    sio_peer_send(&a, "0");
    (void)sio_rig_told(&rig);
    sio_socket *socket = sio_socket_ref(sio_peer_socket(&a, "/"));
    sio_socket_close(socket);
    assert_string_equal(sio_rig_told(&rig), " ~a(server namespace disconnect)"
                                            " -a(server namespace disconnect)");
    assert_int_equal(rig.engine.counters[SIO_COUNTER_SESSIONS], 1);
    sio_socket_close(socket);
    sio_peer_send(&a, "2[\"late\"]");
    sio_peer_send(&a, "0");
    memory_transport_poll(a.mt);
    assert_string_equal(sio_peer_said(&a), " [40{\"sid\":\"*\"}|41]");
    memory_transport_poll(a.mt);
    (void)sio_peer_said(&a);
    assert_int_equal(rig.engine.counters[SIO_COUNTER_SESSIONS], 0);
    assert_string_equal(sio_rig_told(&rig), "");
    sio_socket_unref(socket);
}

/* ----------------------------------------------------------------- reasons --
 */

static void by_client(const sio_peer *a)
{
    sio_peer_send(a, "1");
}

static void by_server(const sio_peer *a)
{
    sio_socket_disconnect(sio_peer_socket(a, "/"));
}

static void by_shutdown(const sio_peer *a)
{
    sio_loop_close(&a->rig->loop);
}

static void by_violation(const sio_peer *a)
{
    sio_peer_send(a, "0");
}

static void by_silence(const sio_peer *a)
{
    rig_run(&a->rig->engine, 45000);
}

static void by_drop(const sio_peer *a)
{
    memory_transport_drop(a->mt, SIO_OK);
}

static void by_close_packet(const sio_peer *a)
{
    rig_receive(a->mt, "1");
}

static void by_error(const sio_peer *a)
{
    memory_transport_drop(a->mt, SIO_ERR_IO);
}

static void by_overlap(const sio_peer *a)
{
    memory_transport_fail(a->mt, SIO_ERR_OVERLAP);
}

static void by_garbage(const sio_peer *a)
{
    rig_receive(a->mt, "9");
}

static void by_json(const sio_peer *a)
{
    sio_peer_send(a, "2[");
}

static void by_backlog(const sio_peer *a)
{
    static char big[2000];
    sio_binary binary = {big, sizeof(big)};
    sio_socket *socket = sio_peer_socket(a, "/");
    a->rig->engine.config.max_backlog = 1000;
    a->mt->slow = true;
    while (sio_socket_emit_binary(socket, "big", binary.data, binary.len) ==
           SIO_OK) {
    }
    rig_turn(&a->rig->engine);
}

#define REASON(name) SIO_DISCONNECT_##name

static const struct reason {
    void (*end)(const sio_peer *a);
    memory_kind kind;
    sio_disconnect_reason reason;
    sio_error why;
} reasons[] = {
    {by_client, MEMORY_WEBSOCKET, REASON(CLIENT_NAMESPACE_DISCONNECT), SIO_OK},
    {by_server, MEMORY_POLLING, REASON(SERVER_NAMESPACE_DISCONNECT), SIO_OK},
    {by_shutdown, MEMORY_WEBSOCKET, REASON(SERVER_SHUTTING_DOWN), SIO_OK},
    {by_violation, MEMORY_WEBSOCKET, REASON(FORCED_CLOSE), SIO_ERR_VIOLATION},
    {by_violation, MEMORY_POLLING, REASON(FORCED_SERVER_CLOSE),
     SIO_ERR_VIOLATION},
    {by_json, MEMORY_WEBSOCKET, REASON(FORCED_CLOSE), SIO_ERR_JSON},
    {by_json, MEMORY_POLLING, REASON(FORCED_SERVER_CLOSE), SIO_ERR_JSON},
    {by_silence, MEMORY_WEBSOCKET, REASON(PING_TIMEOUT), SIO_ERR_TIMEOUT},
    {by_drop, MEMORY_WEBSOCKET, REASON(TRANSPORT_CLOSE), SIO_OK},
    {by_close_packet, MEMORY_POLLING, REASON(TRANSPORT_CLOSE), SIO_OK},
    {by_error, MEMORY_WEBSOCKET, REASON(TRANSPORT_ERROR), SIO_ERR_IO},
    {by_overlap, MEMORY_POLLING, REASON(TRANSPORT_ERROR), SIO_ERR_OVERLAP},
    {by_backlog, MEMORY_WEBSOCKET, REASON(TRANSPORT_ERROR), SIO_ERR_BACKLOG},
    {by_garbage, MEMORY_WEBSOCKET, REASON(PARSE_ERROR), SIO_ERR_PACKET_TYPE},
};

static void note_reason(sio_socket *socket, sio_disconnect_reason reason,
                        sio_error why, void *arg)
{
    struct reason *got = arg;
    assert_string_equal(sio_rig_name(socket), "a");
    assert_true(got->reason == (sio_disconnect_reason)-1);
    *got = (struct reason){.reason = reason, .why = why};
}

static void test_reasons(void **state)
{
    (void)state;
    struct reason about, gone;
    assert_int_equal(
        sio_namespace_on_disconnecting(rig.root, note_reason, &about), SIO_OK);
    assert_int_equal(sio_namespace_on_disconnect(rig.root, note_reason, &gone),
                     SIO_OK);
    for (size_t i = 0; i < COUNT(reasons); i++) {
        const struct reason *want = &reasons[i];
        sio_peer a = sio_rig_open(&rig, want->kind, "a");
        sio_peer_send(&a, "0");
        memory_transport_poll(a.mt);
        rig_turn(&rig.engine);
        about.reason = gone.reason = (sio_disconnect_reason)-1;
        want->end(&a);
        if (about.reason != want->reason || gone.reason != want->reason ||
            about.why != want->why || gone.why != want->why) {
            fail_msg("row %zu: %s, %s", i, sio_disconnect_text(gone.reason),
                     sio_error_text(gone.why));
        }
        rig.engine.config.max_backlog = 1000000;
        memory_transport_drop(a.mt, SIO_OK);
        rig_turn(&rig.engine);
    }
    assert_string_equal(sio_disconnect_text((sio_disconnect_reason)-1), "");
}

/* -------------------------------------------------------------- the order --
 */

static void add_room(const char *room, void *arg)
{
    sio_rig_tell(arg, " %s", strlen(room) == SIO_TOKEN_LEN ? "id" : room);
}

static void show_rooms(sio_socket *socket, sio_disconnect_reason reason,
                       sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    sio_socket_each_room(socket, add_room, arg);
    sio_rig_tell(arg, " %zu.", sio_socket_room_count(socket));
    assert_int_equal(sio_socket_join(socket, "new"), SIO_ERR_CLOSED);
    assert_int_equal(sio_socket_emit(socket, "late", NULL), SIO_ERR_CLOSED);
}

static void test_rooms_at_the_end(void **state)
{
    (void)state;
    sio_rig_listen_rooms(rig.root);
    assert_int_equal(sio_namespace_on_disconnecting(rig.root, show_rooms, &rig),
                     SIO_OK);
    assert_int_equal(sio_namespace_on_disconnect(rig.root, show_rooms, &rig),
                     SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    sio_socket *socket = sio_peer_socket(&a, "/");
    assert_int_equal(sio_socket_join(socket, "r"), SIO_OK);
    assert_int_equal(sio_socket_join(socket, "s"), SIO_OK);
    assert_string_equal(sio_rig_told(&rig), " *r >r *s >s");
    sio_peer_send(&a, "1");
    assert_string_equal(sio_rig_told(&rig),
                        " ~a(client namespace disconnect) id r s 3."
                        " <r /r <s /s -a(client namespace disconnect) 0.");
}

static void disconnect_it(sio_socket *socket, void *arg)
{
    (void)arg;
    sio_socket_disconnect(socket);
}

static void shut_core(sio_socket *socket, sio_disconnect_reason reason,
                      sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    sio_socket_close(socket);
    if (arg != NULL) {
        sio_namespace_each(socket->nsp, disconnect_it, NULL);
    }
}

/* All are told of the shutdown, whatever their handlers do. */
static void test_shutdown(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        sio_peer a = sio_rig_join(&rig, "a");
        sio_peer_send(&a, "0/b,");
    }
    assert_int_equal(sio_namespace_on_disconnecting(rig.root, shut_core, NULL),
                     SIO_OK);
    sio_loop_close(&rig.loop);
    assert_int_equal(rig.engine.counters[SIO_COUNTER_SOCKETS], 0);
    assert_int_equal(sio_namespace_count(rig.root), 0);
    rig_turn(&rig.engine);
    assert_int_equal(rig.engine.counters[SIO_COUNTER_SESSIONS], 0);
}

/* The handler of a client's DISCONNECT may close the whole connection. */
static void test_close_on_disconnect(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_disconnect(rig.root, shut_core, &rig),
                     SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    sio_peer_send(&a, "0/b,");
    rig_turn(&rig.engine);
    (void)sio_rig_told(&rig);
    sio_peer_send(&a, "1");
    (void)sio_peer_said(&a);
    assert_string_equal(sio_rig_told(&rig),
                        " ~a(client namespace disconnect)"
                        " -a(client namespace disconnect)"
                        " ~a/b(server namespace disconnect)"
                        " -a/b(server namespace disconnect)");
    assert_false(sio_peer_open(&a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rows),
        TEST(test_auth),
        TEST(test_ids),
        TEST(test_namespace_names),
        TEST(test_namespace_limit),
        TEST(test_timeout),
        TEST(test_timeout_is_once),
        TEST(test_server_leaves),
        TEST(test_close),
        TEST(test_close_polling),
        TEST(test_reasons),
        TEST(test_rooms_at_the_end),
        TEST(test_shutdown),
        TEST(test_close_on_disconnect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
