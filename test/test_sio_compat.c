#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/sio_rig.h"

/* Clients of Socket.IO 2. */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SERVER_VIOLATION                                                       \
    "forced server close: packet is not allowed in the present state"
#define VIOLATION "forced close: packet is not allowed in the present state"

static sio_rig rig;

static void on_hi(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    (void)sio_socket_emit(socket, "back", NULL);
}

static void on_ack(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    (void)sio_event_ack_args(event, sio_event_args(event));
}

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    rig.engine.protocol = &eio_protocol_3;
    sio_namespace *b = sio_rig_of(&rig, "/b");
    sio_rig_listen(rig.root);
    sio_rig_listen(b);
    assert_int_equal(sio_namespace_on(rig.root, "hi", on_hi, NULL), SIO_OK);
    assert_int_equal(sio_namespace_on(b, "hi", on_hi, NULL), SIO_OK);
    assert_int_equal(sio_namespace_on(rig.root, "ack", on_ack, NULL), SIO_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

/* Opens a session; its open packet is the first that is seen. */
static sio_peer open_peer(void)
{
    return sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
}

/* ---------------------------------------------------------------- CONNECT --
 */

static const struct row {
    const char *label, *packets[6], *said, *told;
} rows[] = {
    {"nothing asked", {NULL}, "", ""},
    {"another", {"0/b"}, " 40/b,", " +a/b"},
    {"with its comma", {"0/b,"}, " 40/b,", " +a/b"},
    {"with a query", {"0/b?token=abc,"}, " 40/b,", " +a/b"},
    {"query without comma", {"0/b?x"}, " 40/b,", " +a/b"},
    {"empty query", {"0/b?,"}, " 40/b,", " +a/b"},
    {"unknown", {"0/c?a=b,"}, " 44/c,{\"message\":\"Invalid namespace\"}", ""},
    {"unknown is no end",
     {"0/c", "2[\"x\"]", "0/b"},
     " 44/c,{\"message\":\"Invalid namespace\"} 40/b,",
     " +a/b"},
    {"main again", {"0"}, " close", " ~a(" VIOLATION ") -a(" VIOLATION ")"},
    {"main again with a query",
     {"0/?a=b,"},
     " close",
     " ~a(" VIOLATION ") -a(" VIOLATION ")"},
    {"twice",
     {"0/b", "0/b?x=y"},
     " 40/b, close",
     " +a/b ~a(" SERVER_VIOLATION ") -a(" SERVER_VIOLATION
     ") ~a/b(" SERVER_VIOLATION ") -a/b(" SERVER_VIOLATION ")"},
    {"leaves and comes",
     {"0/b", "1/b,", "0/b?a"},
     " 40/b, 40/b,",
     " +a/b ~a/b(client namespace disconnect) -a/b(client namespace "
     "disconnect) +a/b"},
    {"leaves main and comes",
     {"1", "0"},
     " 40",
     " ~a(client namespace disconnect) -a(client namespace disconnect) +a"},
    {"an error", {"4\"x\""}, " close", " ~a(" VIOLATION ") -a(" VIOLATION ")"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        (void)sio_rig_told(&rig);
        sio_peer peer = open_peer();
        assert_string_equal(sio_rig_told(&rig), " +a");
        for (size_t j = 0; rows[i].packets[j] != NULL; j++) {
            sio_peer_send(&peer, rows[i].packets[j]);
        }
        print_message("%s\n", rows[i].label);
        assert_string_equal(sio_peer_said(&peer), rows[i].said);
        assert_string_equal(sio_rig_told(&rig), rows[i].told);
    }
}

/* The main namespace is joined at once, behind the open packet; over polling
 * the answer waits for a poll. */
static void test_main(void **state)
{
    (void)state;
    sio_peer peer = {&rig, rig_transport(&rig.engine, MEMORY_WEBSOCKET), NULL};
    assert_int_equal(eio_session_open_as(&rig.engine.engine, &eio_protocol_3,
                                         memory_transport_base(peer.mt),
                                         rig_request(), (sio_bytes){NULL, 0}),
                     SIO_OK);
    const char *said = sio_peer_said(&peer);
    assert_memory_equal(said, " 0{", 3);
    assert_string_equal(strrchr(said, ' '), " 40");

    peer = sio_rig_open(&rig, MEMORY_POLLING, "a");
    assert_non_null(sio_peer_socket(&peer, "/"));
    memory_transport_poll(peer.mt);
    assert_string_equal(sio_peer_said(&peer), " [40]");
}

static void test_ids(void **state)
{
    (void)state;
    sio_peer peer = open_peer();
    char want[64];
    sio_peer_send(&peer, "0/b?x=1");
    const char *sid = eio_session_sid(peer.session);
    sio_socket *root = sio_peer_socket(&peer, "/");
    sio_socket *b = sio_peer_socket(&peer, "/b");
    assert_string_equal(sio_socket_id(root), sid);
    (void)snprintf(want, sizeof(want), "/b#%s", sid);
    assert_string_equal(sio_socket_id(b), want);

    /* Such an id is a room, and finds the socket, as others do. */
    sio_namespace *nsp = sio_rig_of(&rig, "/b");
    assert_ptr_equal(sio_namespace_socket(nsp, want), b);
    assert_true(sio_socket_in_room(b, want));
    assert_int_equal(sio_socket_join(b, want), SIO_OK);
    (void)sio_peer_said(&peer);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(nsp, want), "hi", NULL), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(rig.root, sid), "ho", NULL),
        SIO_OK);
    assert_string_equal(sio_peer_said(&peer), " 42/b,[\"hi\"] 42[\"ho\"]");
    assert_int_equal(sio_socket_protocol(b), 3);

    rig.engine.protocol = &eio_protocol_4;
    sio_peer other = sio_rig_join(&rig, "c");
    sio_socket *socket = sio_peer_socket(&other, "/");
    assert_int_equal(sio_socket_protocol(socket), 4);
    assert_string_not_equal(sio_socket_id(socket),
                            eio_session_sid(other.session));
}

static const struct {
    const char *query, *auth;
} auths[] = {
    {"", "{}"},
    {"?", "{}"},
    {"?a=b%20c+d", "{\"a\":\"b c d\"}"},
    {"?token=abc&user=%C3%A9%E2%82%AC",
     "{\"token\":\"abc\",\"user\":\"\u00e9\u20ac\"}"},
    {"?a=1&a=2", "{\"a\":\"1\",\"a\":\"2\"}"},
    {"?a&=b&&c=", "{\"a\":\"\",\"\":\"b\",\"c\":\"\"}"},
    {"?q=%22%5C%0A", "{\"q\":\"\\\"\\\\\\n\"}"},
    {"?bad=%FF%zz", "{\"bad\":\"\uFFFD%zz\"}"},
    {"?a=?b", "{\"a\":\"?b\"}"},
};

static void test_auth(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(auths); i++) {
        char packet[128];
        sio_peer peer = open_peer();
        (void)snprintf(packet, sizeof(packet), "0/b%s,", auths[i].query);
        sio_peer_send(&peer, packet);
        sio_socket *socket = sio_peer_socket(&peer, "/b");
        assert_non_null(socket);
        assert_string_equal(sio_socket_auth(socket), auths[i].auth);
        assert_string_equal(sio_socket_auth(sio_peer_socket(&peer, "/")), "{}");
    }
}

/* A payload is for the next protocol, and forgotten. */
static void test_payload(void **state)
{
    (void)state;
    sio_peer peer = open_peer();
    sio_peer_send(&peer, "0/b?a=1,{\"b\":2}");
    assert_string_equal(sio_socket_auth(sio_peer_socket(&peer, "/b")),
                        "{\"a\":\"1\"}");
}

/* What is called binary and is not. */
static void test_hollow(void **state)
{
    static const struct {
        const char *packet, *said;
    } hollow[] = {
        {"50-[\"hi\",1]", " 42[\"back\"]"},
        {"50-/b,[\"hi\"]", " 42/b,[\"back\"]"},
        {"50-7[\"ack\",\"x\"]", " 437[\"x\"]"},
        {"60-99[]", ""}, /* of no known id */
        {"50-[\"hi\",{\"_placeholder\":true,\"num\":0}]", " 42[\"back\"]"},
        {"50-", ""},
        {"50-[", " close"},
        {"50-/c,[\"hi\"]", " close"},
        {"500-[\"hi\"]", " close"},
        {"50", " close"},
        {"40-[\"hi\"]", " close"},
        {"55-[\"hi\"]", " close"}, /* more than there may be */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(hollow); i++) {
        sio_peer peer = open_peer();
        sio_peer_send(&peer, "0/b");
        (void)sio_peer_said(&peer);
        sio_peer_send(&peer, hollow[i].packet);
        print_message("%s\n", hollow[i].packet);
        assert_string_equal(sio_peer_said(&peer), hollow[i].said);
    }
    rig.engine.protocol = &eio_protocol_4;
    sio_peer peer = sio_rig_join(&rig, "c");
    sio_peer_send(&peer, "50-[\"hi\"]");
    assert_string_equal(sio_peer_said(&peer), " close");

    /* Not between a packet and its attachments. */
    rig.engine.protocol = &eio_protocol_3;
    peer = open_peer();
    sio_peer_send(&peer, "51-[\"hi\",{\"_placeholder\":true,\"num\":0}]");
    sio_peer_send(&peer, "50-[\"hi\"]");
    assert_string_equal(sio_peer_said(&peer), " close");
}

/* ------------------------------------------------------------- refusals -- */

static void refuse(sio_socket *socket, sio_next *next, void *arg)
{
    (void)socket;
    const char *const *why = arg;
    sio_next_refuse(next, why[0], why[1]);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const why[][3] = {
        {"no \"entry\"", NULL, " 44/m,\"no \\\"entry\\\"\""},
        {"no", "{\"code\":42}", " 44/m,{\"code\":42}"},
        {"no", "7", " 44/m,7"},
        {"no", "{bad", " 44/m,\"no\""},
    };
    for (size_t i = 0; i < COUNT(why); i++) {
        sio_rig own;
        sio_rig_init(&own);
        own.engine.protocol = &eio_protocol_3;
        assert_int_equal(sio_namespace_use(sio_rig_of(&own, "/m"), refuse,
                                           (void *)(uintptr_t)why[i]),
                         SIO_OK);
        sio_peer peer = sio_rig_open(&own, MEMORY_WEBSOCKET, "a");
        sio_peer_send(&peer, "0/m?a=b,");
        assert_string_equal(sio_peer_said(&peer), why[i][2]);
        assert_true(sio_peer_open(&peer));
        sio_rig_deinit(&own);
    }
}

static sio_next *waiting;

static void wait(sio_socket *socket, sio_next *next, void *arg)
{
    (void)socket;
    (void)arg;
    waiting = next;
}

/* Middlewares of the main namespace come first; who is refused there may join
 * others, and what waits is answered when it pleases. */
static void test_main_middleware(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_use(rig.root, wait, NULL), SIO_OK);
    sio_peer peer = open_peer();
    assert_string_equal(sio_rig_told(&rig), "");
    sio_next_allow(waiting);
    assert_string_equal(sio_peer_said(&peer), " 40");
    assert_string_equal(sio_rig_told(&rig), " +a");

    peer = open_peer();
    sio_next_refuse(waiting, "no", NULL);
    assert_string_equal(sio_peer_said(&peer), " 44\"no\"");
    sio_peer_send(&peer, "0/b");
    assert_string_equal(sio_peer_said(&peer), " 40/b,");
    assert_string_equal(sio_rig_told(&rig), " +a/b");

    /* Before the answer, asking is one time too many. */
    peer = open_peer();
    sio_peer_send(&peer, "0");
    assert_false(sio_peer_open(&peer));
    sio_next_allow(waiting);

    /* Nobody waits any more. */
    peer = open_peer();
    memory_transport_drop(peer.mt, SIO_OK);
    sio_next_refuse(waiting, "no", NULL);
    assert_string_equal(sio_rig_told(&rig), "");
}

/* Who gets in nowhere is shown out as others are. */
static void test_connect_timeout(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_use(rig.root, wait, NULL), SIO_OK);
    sio_peer peer = open_peer();
    sio_next_refuse(waiting, "no", NULL);
    rig_run(&rig.engine, 4999);
    assert_true(sio_peer_open(&peer));
    rig_run(&rig.engine, 1);
    assert_false(sio_peer_open(&peer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_main, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_payload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hollow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_main_middleware, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connect_timeout, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
