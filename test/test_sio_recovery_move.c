#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/recovery.h"
#include "test/sio_rig.h"

/* Sessions that several ask for at once, on loops of one thread: what comes
 * before what is for the test to say. */

#define LOOPS 3

/* The core is that of the first; the others have an engine and a loop. */
static sio_rig rigs[LOOPS];
static sio_loop *loops[LOOPS];
static sio_namespace *nsp;

/* A client, and what it has of its session. */
typedef struct asker {
    sio_peer peer;
    char sid[64], pid[64], offset[64];
} asker;

static int set_up(void **state)
{
    (void)state;
    memset(rigs, 0, sizeof(rigs));
    sio_core *core = &rigs[0].core;
    *core = (sio_core){
        .loops = loops,
        .loop_count = LOOPS,
        .parser = &sio_parser_json,
        .limits = {.max_depth = 16, .max_attachments = 4, .max_nsp = 64},
        .connect_timeout = 5000,
        .max_namespaces = 4,
        .max_rooms = 8,
        .max_acks = UINT32_MAX,
        .recovery = {120000, true, 1000, 1000000},
    };
    for (unsigned i = 0; i < LOOPS; i++) {
        rig_init(&rigs[i].engine);
        loops[i] = &rigs[i].loop;
        rigs[i].engine.config.max_backlog = 1000000;
        rigs[i].engine.engine.events = &sio_client_events;
        rigs[i].engine.engine.app = loops[i];
        sio_loop_init(loops[i], core, &rigs[i].engine.engine, i);
    }
    assert_int_equal(sio_core_init(core, &rigs[0].engine.random), SIO_OK);
    nsp = sio_rig_of(&rigs[0], "/");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < LOOPS; i++) {
        eio_engine_close_all(&rigs[i].engine.engine, EIO_CLOSE_NOW);
        rig_turn(&rigs[i].engine);
        assert_int_equal(rigs[i].engine.counters[SIO_COUNTER_SOCKETS], 0);
    }
    for (int i = 0; i < LOOPS; i++) {
        sio_loop_close(loops[i]);
        rig_turn(&rigs[i].engine);
        assert_int_equal(rigs[i].engine.counters[SIO_COUNTER_RECOVERY_STORED],
                         0);
        sio_nexts_free(loops[i]);
    }
    sio_core_deinit(&rigs[0].core);
    for (int i = 0; i < LOOPS; i++) {
        rig_deinit(&rigs[i].engine);
    }
    return 0;
}

/* Copies what stands behind the last `before` in `text`, up to a quote. */
static void pick(const char *text, const char *before, char out[64])
{
    const char *at = text, *found = NULL;
    while ((at = strstr(at, before)) != NULL) {
        at += strlen(before);
        found = at;
    }
    assert_non_null(found);
    (void)snprintf(out, 64, "%.*s", (int)strcspn(found, "\""), found);
}

/* One whose client has seen an event. */
static asker begin(unsigned loop)
{
    asker a = {.peer = sio_rig_open(&rigs[loop], MEMORY_WEBSOCKET, "first")};
    sio_peer_send(&a.peer, "0");
    rig_turn(&rigs[loop].engine);
    const char *said = memory_transport_said(a.peer.mt);
    pick(said, "\"sid\":\"", a.sid);
    pick(said, "\"pid\":\"", a.pid);
    sio_socket *socket = sio_peer_socket(&a.peer, "/");
    assert_int_equal(sio_socket_emit(socket, "e", "i", 1), SIO_OK);
    pick(sio_peer_said(&a.peer), "1,\"", a.offset);
    return a;
}

/* Asks for the session of `of` on a loop. */
static asker ask(const asker *of, unsigned loop, const char *name)
{
    char packet[256];
    asker a = *of;
    a.peer = sio_rig_open(&rigs[loop], MEMORY_WEBSOCKET, name);
    (void)snprintf(packet, sizeof(packet),
                   "0{\"pid\":\"%s\",\"offset\":\"%s\"}", of->pid, of->offset);
    sio_peer_send(&a.peer, packet);
    return a;
}

static void turn(unsigned loop)
{
    rig_turn(&rigs[loop].engine);
}

/* Turns of all loops until nothing is under way. */
static void turn_all(void)
{
    for (unsigned i = 0; i < 4 * LOOPS; i++) {
        turn(i % LOOPS);
    }
}

/* Whether it has the session, with its id. */
static bool has(const asker *a)
{
    sio_socket *socket = sio_peer_socket(&a->peer, "/");
    return socket != NULL && sio_socket_connected(socket) &&
           sio_socket_recovered(socket) &&
           strcmp(sio_socket_id(socket), a->sid) == 0;
}

static uint64_t total(sio_counter counter)
{
    uint64_t sum = 0;
    for (int i = 0; i < LOOPS; i++) {
        sum += sio_metric_get(&rigs[i].engine.counters[counter]);
    }
    return sum;
}

static void expect_last(const asker *former, const asker *last, uint64_t times)
{
    assert_true(has(last));
    assert_false(sio_peer_open(&former->peer));
    assert_int_equal(total(SIO_COUNTER_RECOVERED), times);
    assert_int_equal(total(SIO_COUNTER_RECOVERY_FAILED), 0);
    assert_int_equal(sio_namespace_count(nsp), 1);
}

/* Both questions wait at the loop that has it, whose socket looks alive or does
 * not: the second one goes after the session. */
static void test_asked_for_twice(void **state)
{
    (void)state;
    for (int alive = 0; alive < 2; alive++) {
        asker first = begin(0);
        if (!alive) {
            memory_transport_drop(first.peer.mt, SIO_OK);
            turn(0);
        }
        asker one = ask(&first, 1, "one"), two = ask(&first, 2, "two");
        turn_all();
        expect_last(&one, &two, 2 * ((uint64_t)alive + 1));
        eio_engine_close_all(&rigs[2].engine.engine, EIO_CLOSE_NOW);
        turn_all();
    }
}

/* It has left: who asks then asks the loop to which it goes, also from there.
 */
static void test_asked_for_on_its_way(void **state)
{
    (void)state;
    for (unsigned at = 1; at < LOOPS; at++) {
        asker first = begin(0);
        asker one = ask(&first, 1, "one");
        turn(0);
        asker two = ask(&first, at, "two");
        turn_all();
        expect_last(&one, &two, 2 * at);
        eio_engine_close_all(&rigs[at].engine.engine, EIO_CLOSE_NOW);
        turn_all();
    }
}

/* It has to wait where it comes, for a broadcast; and with it who asks. */
static void test_asked_for_while_it_waits(void **state)
{
    (void)state;
    asker first = begin(0);
    uint64_t *there = sio_recovery_row(&rigs[0].core, loops[0]);
    uint64_t *here = sio_recovery_row(&rigs[0].core, loops[1]);
    asker one = ask(&first, 1, "one");
    there[2]++;
    turn(0);
    turn(1);
    asker two = ask(&first, 1, "two"), three = ask(&first, 2, "three");
    for (unsigned i = 0; i < LOOPS; i++) {
        turn(i);
    }
    assert_false(has(&one) || has(&two) || has(&three));
    here[2]++;
    sio_recovery_heard(loops[1]);
    sio_recovery_row(&rigs[0].core, loops[2])[2]++;
    turn_all();
    sio_recovery_heard(loops[2]);
    turn_all();
    assert_false(sio_peer_open(&two.peer));
    expect_last(&one, &three, 3);
}

/* Where it goes to, all is closed: it is over, and who asks is told. */
static void test_lost_on_its_way(void **state)
{
    (void)state;
    asker first = begin(0);
    asker one = ask(&first, 1, "one");
    eio_engine_close_all(&rigs[1].engine.engine, EIO_CLOSE_NOW);
    turn(1);
    sio_loop_close(loops[1]);
    turn(0);
    asker two = ask(&first, 2, "two");
    turn_all();
    assert_false(sio_peer_open(&one.peer));
    assert_false(sio_peer_open(&first.peer));
    assert_non_null(sio_peer_socket(&two.peer, "/"));
    assert_false(has(&two));
    assert_int_equal(total(SIO_COUNTER_RECOVERY_FAILED), 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_asked_for_twice),
        CASE(test_asked_for_on_its_way),
        CASE(test_asked_for_while_it_waits),
        CASE(test_lost_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
