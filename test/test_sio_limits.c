#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/sio_rig.h"

/* Limits of one client: each is counted and logged. */

static sio_rig rig;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

static void expect(sio_counter counter, uint64_t count, const char *logged)
{
    assert_int_equal(sio_metric_get(&rig.engine.counters[counter]), count);
    assert_string_equal(rig_logged(&rig.engine), logged);
}

static void test_namespaces(void **state)
{
    (void)state;
    char packet[24];
    sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    for (int i = 0; i < 5; i++) {
        (void)snprintf(packet, sizeof(packet), "/n%d", i);
        (void)sio_rig_of(&rig, packet);
    }
    for (int i = 0; i < 4; i++) {
        (void)snprintf(packet, sizeof(packet), "0/n%d,", i);
        sio_peer_send(&a, packet);
    }
    (void)rig_logged(&rig.engine);
    assert_true(sio_peer_open(&a));
    sio_peer_send(&a, "0/n4,");
    rig_turn(&rig.engine);
    assert_false(sio_peer_open(&a));
    expect(SIO_COUNTER_LIMITED_NAMESPACES, 1,
           " client_namespaces protocol_violation session_closed");
}

/* What a client sends with its CONNECT packets stays as long as the sockets. */
static void join_with_auth(sio_peer *a, int nsp)
{
    static char packet[30000 + 32];
    (void)snprintf(packet, sizeof(packet), "0/n%d,{\"a\":\"%030000d\"}", nsp,
                   0);
    sio_peer_send(a, packet);
}

static void test_auth(void **state)
{
    (void)state;
    char packet[24];
    sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    rig.muted = true;
    rig.core.max_binary = (size_t)36 * 1024; /* and 64 KiB */
    for (int i = 0; i < 4; i++) {
        (void)snprintf(packet, sizeof(packet), "/n%d", i);
        (void)sio_rig_of(&rig, packet);
    }
    for (int round = 0; round < 10; round++) { /* who leaves takes it along */
        for (int i = 0; i < 3; i++) {
            join_with_auth(&a, i);
        }
        for (int i = 0; i < 3; i++) {
            (void)snprintf(packet, sizeof(packet), "1/n%d,", i);
            sio_peer_send(&a, packet);
        }
    }
    for (int i = 0; i < 3; i++) {
        join_with_auth(&a, i);
    }
    (void)rig_logged(&rig.engine);
    assert_true(sio_peer_open(&a));
    join_with_auth(&a, 3);
    rig_turn(&rig.engine);
    assert_false(sio_peer_open(&a));
    expect(SIO_COUNTER_LIMITED_NAMESPACES, 0,
           " protocol_violation session_closed");
}

static void test_rooms(void **state)
{
    (void)state;
    char name[16];
    sio_peer a = sio_rig_join(&rig, "a");
    sio_socket *socket = sio_peer_socket(&a, "/");
    (void)rig_logged(&rig.engine);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        assert_int_equal(sio_socket_join(socket, name), SIO_OK);
    }
    assert_int_equal(sio_socket_join(socket, "r0"), SIO_OK); /* is in it */
    expect(SIO_COUNTER_LIMITED_ROOMS, 0, "");
    assert_int_equal(sio_socket_join(socket, "r8"), SIO_ERR_LIMIT);
    expect(SIO_COUNTER_LIMITED_ROOMS, 1, " socket_rooms");
    for (int i = 0; i < 50; i++) { /* all are counted, one a second told of */
        assert_int_equal(sio_socket_join(socket, "r8"), SIO_ERR_LIMIT);
    }
    expect(SIO_COUNTER_LIMITED_ROOMS, 51, "");
    rig_advance(&rig.engine, 1000);
    assert_int_equal(sio_socket_join(socket, "r8"), SIO_ERR_LIMIT);
    expect(SIO_COUNTER_LIMITED_ROOMS, 52, " socket_rooms");
    sio_socket_leave(socket, "r3");
    assert_int_equal(sio_socket_join(socket, "r8"), SIO_OK);
}

static unsigned acks;

static void on_ack(sio_socket *socket, sio_error err, sio_event *answer,
                   void *arg)
{
    (void)socket;
    (void)err;
    (void)answer;
    (void)arg;
    acks++;
}

static sio_error ask(sio_socket *socket)
{
    return sio_socket_emit_ack(socket, "q", 100, on_ack, NULL, NULL);
}

static void test_acks(void **state)
{
    (void)state;
    rig.core.max_acks = 5;
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    sio_socket *socket = sio_peer_socket(&a, "/");
    (void)rig_logged(&rig.engine);
    acks = 0;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(socket), SIO_OK);
    }
    assert_int_equal(ask(socket), SIO_ERR_LIMIT);
    expect(SIO_COUNTER_LIMITED_ACKS, 1, " socket_acks");
    assert_int_equal(ask(sio_peer_socket(&b, "/")), SIO_OK);
    sio_peer_send(&a, "32[]"); /* an answer in their midst makes room */
    assert_int_equal(acks, 1);
    assert_int_equal(ask(socket), SIO_OK);
    assert_int_equal(ask(socket), SIO_ERR_LIMIT);
    rig_advance(&rig.engine, 200);
    assert_int_equal(acks, 7);
    assert_int_equal(ask(socket), SIO_OK);
}

/* 37aad114: what was asked and never answered leaves nothing. */
static void test_37aad114_acks_leave_nothing(void **state)
{
    (void)state;
    sio_peer a = sio_rig_join(&rig, "a");
    sio_socket *socket = sio_peer_socket(&a, "/");
    acks = 0;
    for (unsigned round = 0; round < 100; round++) {
        for (int i = 0; i < 100; i++) {
            assert_int_equal(ask(socket), SIO_OK);
        }
        (void)sio_peer_said(&a);
        rig_advance(&rig.engine, 100);
        assert_int_equal(acks, (round + 1) * 100);
    }
    expect(SIO_COUNTER_LIMITED_ACKS, 0, "");
}

#define HEADER "52-[\"e\",{\"_placeholder\":true,\"num\":0}]"

static void test_attachments(void **state)
{
    (void)state;
    rig.core.attachment_timeout = 1000;
    sio_peer a = sio_rig_join(&rig, "a");
    (void)rig_logged(&rig.engine);
    for (int i = 0; i < 3; i++) { /* in time */
        sio_peer_send(&a, HEADER);
        rig_advance(&rig.engine, 999);
        sio_peer_send_binary(&a, SIO_LIT("x"));
        sio_peer_send_binary(&a, SIO_LIT("y"));
    }
    rig_advance(&rig.engine, 5000);
    assert_true(sio_peer_open(&a));
    sio_peer_send(&a, HEADER);
    rig_advance(&rig.engine, 500);
    sio_peer_send_binary(&a, SIO_LIT("x")); /* wins no time */
    rig_advance(&rig.engine, 499);
    assert_true(sio_peer_open(&a));
    rig_advance(&rig.engine, 1);
    assert_false(sio_peer_open(&a));
    expect(SIO_COUNTER_ATTACHMENT_TIMEOUTS, 1,
           " attachment_timeout protocol_violation session_closed");
    /* One that ends before leaves no timer. */
    sio_peer b = sio_rig_join(&rig, "b");
    sio_peer_send(&b, HEADER);
    memory_transport_drop(b.mt, SIO_ERR_IO);
    rig_advance(&rig.engine, 5000);
}

/* ---------------------------------------------------------- the backlog -- */

#define HOLE "{\"_placeholder\":true,\"num\":0}"
#define LARGE 300

static sio_error emit_to(sio_socket *socket, bool to_all)
{
    static const char data[LARGE];
    sio_binary binary = {data, LARGE};
    sio_args args = {HOLE, sizeof(HOLE) - 1, &binary, 1};
    return to_all ? sio_broadcast_emit_args(sio_namespace_broadcast(rig.root),
                                            "b", &args)
                  : sio_socket_emit_args(socket, "b", &args, 0);
}

/* The numbers of texts and of attachments that a peer was sent, which come in
 * turn, one each. */
static unsigned count_pairs(const char *said)
{
    unsigned texts = 0, binaries = 0;
    for (; *said == ' '; said += strcspn(said + 1, " ") + 1) {
        texts += said[1] == '4';
        binaries += said[1] == 'b';
        assert_true(texts == binaries || texts == binaries + 1);
    }
    assert_int_equal(texts, binaries);
    return texts;
}

/* A packet for which there is no room is refused with all its attachments: half
 * of one would be taken for a part of the next. */
static void test_refused_whole(void **state)
{
    (void)state;
    for (int to_all = 0; to_all < 2; to_all++) {
        for (int burst = 0; burst < 2; burst++) {
            sio_peer a = sio_rig_join(&rig, "a");
            sio_socket *socket = sio_peer_socket(&a, "/");
            rig.engine.config.backlog_policy = SIO_BACKLOG_REFUSE;
            rig.engine.config.max_backlog = 2 * (LARGE + 40) + 50;
            a.mt->slow = true;
            uint64_t before = rig.engine.counters[SIO_COUNTER_BACKLOG_REFUSED];
            for (int i = 0; i < 3; i++) {
                sio_error err = emit_to(socket, to_all);
                assert_int_equal(err,
                                 i == 2 && !to_all ? SIO_ERR_BACKLOG : SIO_OK);
                if (burst == 0) {
                    rig_turn(&rig.engine);
                }
            }
            rig_turn(&rig.engine);
            assert_int_equal(rig.engine.counters[SIO_COUNTER_BACKLOG_REFUSED],
                             before + 1);
            a.mt->slow = false;
            assert_int_equal(count_pairs(sio_peer_said(&a)), 2);
            assert_true(sio_peer_open(&a));
            memory_transport_drop(a.mt, SIO_OK);
        }
    }
}

/* One that comes alone may be as large as it likes, also by its attachments. */
static void test_large_alone(void **state)
{
    (void)state;
    for (int to_all = 0; to_all < 2; to_all++) {
        sio_peer a = sio_rig_join(&rig, "a");
        sio_socket *socket = sio_peer_socket(&a, "/");
        rig.engine.config.max_backlog = LARGE - 1;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(emit_to(socket, to_all), SIO_OK);
            assert_int_equal(count_pairs(sio_peer_said(&a)), 1);
        }
        assert_true(sio_peer_open(&a));
        memory_transport_drop(a.mt, SIO_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_namespaces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rooms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_acks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_37aad114_acks_leave_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_attachments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
