#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/engine_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define POLLING MEMORY_POLLING
#define SOCKET MEMORY_WEBSOCKET

#define SAID(mt, text) assert_string_equal(memory_transport_said(mt), text)
#define TOLD(client, text) assert_string_equal(rig_told(client), text)

static void poll_and_turn(rig_client *client)
{
    memory_transport_poll(client->mt);
    rig_turn(client->rig);
    (void)rig_told(client);
}

/* The session works as if nothing had happened, and can be upgraded. */
static void expect_unharmed(const char *label, rig_client *client)
{
    rig_turn(client->rig);
    if (client->events[RIG_CLOSED] != 0) {
        fail_msg("%s: closed", label);
    }
    (void)memory_transport_said(client->mt);
    (void)rig_told(client);
    assert_int_equal(rig_send(client, "on"), SIO_OK);
    poll_and_turn(client);
    SAID(client->mt, " [4on]");
    assert_string_equal(eio_session_transport_name(client->session), "polling");

    unsigned releases = client->mt->releases;
    rig_run(client->rig, 300);
    assert_int_equal(client->mt->releases, releases);
    memory_transport *ws = rig_probe(client);
    assert_non_null(ws);
    rig_receive(ws, "2probe");
    rig_receive(ws, "5");
    TOLD(client, " upgraded");
}

/* ----------------------------------------------------------- as it should --
 */

static void test_sequence(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport_poll(client->mt);
    memory_transport *ws = rig_probe(client);
    assert_non_null(ws);
    rig_run(&rig, 500);
    SAID(client->mt, ""); /* nobody has probed yet */
    rig_receive(ws, "2probe");
    SAID(client->mt, " [6]"); /* at once */
    rig_turn(&rig);
    SAID(ws, " 3probe");

    (void)rig_told(client);
    memory_transport_poll(client->mt);
    rig_run(&rig, 99);
    SAID(client->mt, "");
    rig_run(&rig, 1);
    SAID(client->mt, " [6]");
    rig_run(&rig, 250); /* no poll, no answer */
    memory_transport_poll(client->mt);
    rig_run(&rig, 49);
    SAID(client->mt, "");
    rig_run(&rig, 1);
    SAID(client->mt, " [6]");
    (void)rig_told(client);

    rig_receive(client->mt, "4up"); /* posts are served */
    TOLD(client, " text(up)");
    assert_string_equal(eio_session_transport_name(client->session), "polling");
    rig_receive(ws, "5");
    TOLD(client, " upgraded");
    assert_string_equal(eio_session_transport_name(client->session),
                        "websocket");
    assert_ptr_equal(eio_session_carrier(client->session),
                     memory_transport_base(ws));
    assert_int_equal(client->mt->nows, 1);
    assert_int_equal(rig.counters[SIO_COUNTER_UPGRADES], 1);
    unsigned releases = client->mt->releases;
    rig_run(&rig, 20000); /* neither a release nor a timeout is left */
    assert_int_equal(client->mt->releases, releases);
    rig_receive(ws, "4hi");
    TOLD(client, " text(hi)");
    assert_int_equal(rig_send(client, "ho"), SIO_OK);
    rig_turn(&rig);
    SAID(ws, " 4ho");
    assert_string_equal(rig_logged(&rig), "");
    rig_deinit(&rig);
}

static void test_without_probe(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    rig_receive(ws, "5");
    rig_receive(ws, "4x");
    TOLD(client, " upgraded text(x)");
    assert_int_equal(client->mt->releases, 0);
    rig_deinit(&rig);
}

static void test_probe_repeats(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    rig_receive(ws, "2probe");
    rig_run(&rig, 50);
    rig_receive(ws, "2probe");
    rig_run(&rig, 50);
    assert_int_equal(client->mt->releases, 2);
    SAID(ws, " 3probe 3probe");
    rig_receive(ws, "5");
    TOLD(client, " upgraded");
    rig_deinit(&rig);
}

/* A poll that waits when the upgrade comes is told to end, with what it was
 * about to be given. */
static void test_poll_pending(void **state)
{
    (void)state;
    for (int queued = 0; queued < 2; queued++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, POLLING);
        memory_transport *ws = rig_probe(client);
        memory_transport_poll(client->mt);
        if (queued != 0) {
            assert_int_equal(rig_send(client, "m"), SIO_OK);
        }
        rig_receive(ws, "5");
        SAID(client->mt, queued != 0 ? " [4m|6]" : " [1]");
        rig_turn(&rig);
        SAID(ws, "");
        rig_deinit(&rig);
    }
}

/* ------------------------------------------------------- what was queued -- */

static void test_order(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig.reactions[RIG_UPGRADED] = RIG_ECHO;
    rig_client *client = rig_open(&rig, POLLING);
    assert_int_equal(rig_send(client, "1"), SIO_OK);
    poll_and_turn(client);
    SAID(client->mt, " [41]");
    memory_transport *ws = rig_probe(client);
    assert_int_equal(rig_send(client, "2"), SIO_OK);
    rig_receive(ws, "2probe");
    assert_int_equal(rig_send(client, "3"), SIO_OK);
    poll_and_turn(client); /* a poll still gets what there is */
    SAID(client->mt, " [42|43]");
    assert_int_equal(rig_send(client, "4"), SIO_OK);
    assert_int_equal(rig_send_binary(client, SIO_LIT("\5")), SIO_OK);
    rig_run(&rig, 100);
    rig_receive(ws, "5");
    assert_int_equal(rig_send(client, "6"), SIO_OK);
    rig_turn(&rig);
    SAID(client->mt, "");
    SAID(ws, " 3probe 44 b05 4re 46");
    TOLD(client, " upgraded drained");
    rig_deinit(&rig);
}

/* A release takes along what waits in the poll, and that counts as sent. */
static void test_release_with_queue(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    memory_transport_poll(client->mt);
    (void)rig_told(client);
    assert_int_equal(rig_send(client, "m"), SIO_OK);
    rig_receive(ws, "2probe");
    SAID(client->mt, " [4m|6]");
    assert_int_equal(eio_session_backlog(client->session), 0);
    rig_turn(&rig);
    TOLD(client, " drained");
    rig_deinit(&rig);
}

static void test_not_writable(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    assert_int_equal(rig_send(client, "a"), SIO_OK);
    memory_transport *ws = rig_probe(client);
    eio_transport *tp = memory_transport_base(ws);
    tp->writable = false;
    rig_receive(ws, "5");
    assert_int_equal(rig_send(client, "b"), SIO_OK);
    rig_turn(&rig);
    SAID(ws, "");
    tp->writable = true;
    tp->events->drained(tp->owner, tp);
    rig_turn(&rig);
    SAID(ws, " 4a 4b");
    rig_deinit(&rig);
}

/* --------------------------------------------------------- wrong packets -- */

static const struct {
    const char *label;
    const char *in; /* NULL: binary */
    sio_error why;
} wrongs[] = {
    {"ping", "2", SIO_ERR_VIOLATION},
    {"half a probe", "2prob", SIO_ERR_VIOLATION},
    {"more than a probe", "2probe2", SIO_ERR_VIOLATION},
    {"pong", "3probe", SIO_ERR_VIOLATION},
    {"message", "4hi", SIO_ERR_VIOLATION},
    {"base64", "bAQ==", SIO_ERR_VIOLATION},
    {"binary", NULL, SIO_ERR_VIOLATION},
    {"open", "0", SIO_ERR_VIOLATION},
    {"close", "1", SIO_ERR_VIOLATION},
    {"noop", "6", SIO_ERR_VIOLATION},
    {"nothing", "", SIO_ERR_PACKET_EMPTY},
    {"unknown", "7", SIO_ERR_PACKET_TYPE},
    {"bad base64", "b!", SIO_ERR_BASE64},
};

static void test_wrong_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(wrongs); i++) {
        const char *label = wrongs[i / 2].label;
        sio_error why = wrongs[i / 2].why;
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, POLLING);
        memory_transport *ws = rig_probe(client);
        if (i % 2 != 0) {
            rig_receive(ws, "2probe");
        }
        if (wrongs[i / 2].in != NULL) {
            rig_receive(ws, wrongs[i / 2].in);
        } else {
            memory_transport_binary(ws, SIO_LIT("\1"));
        }
        if (ws->nows != 1 || rig.errors[-why] != 1 ||
            strcmp(rig_logged(&rig), " upgrade_failed") != 0 ||
            strcmp(rig_told(client), "") != 0) {
            fail_msg("%s", label);
        }
        rig_receive(ws, "5"); /* nobody listens */
        expect_unharmed(label, client);
        rig_deinit(&rig);
    }
}

/* A peer that probes and does not read is cut off. */
static void test_probe_flood(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig.config.max_backlog = 60;
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    ws->slow = true;
    for (int i = 0; i < 11; i++) {
        rig_receive(ws, "2probe");
        rig_turn(&rig);
        assert_int_equal(ws->nows, 0);
    }
    rig_receive(ws, "2probe");
    assert_int_equal(ws->nows, 1);
    assert_int_equal(rig.errors[-SIO_ERR_BACKLOG], 1);
    expect_unharmed("flood", client);
    rig_deinit(&rig);
}

static void test_no_memory(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    ws->failing = 1;
    rig_receive(ws, "2probe");
    assert_int_equal(ws->nows, 1);
    assert_int_equal(rig.errors[-SIO_ERR_NO_MEMORY], 1);
    expect_unharmed("no memory", client);
    rig_deinit(&rig);
}

/* ------------------------------------------------------------------- ends --
 */

static void test_timeout(void **state)
{
    (void)state;
    for (int probes = 0; probes < 3; probes++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, POLLING);
        memory_transport *ws = rig_probe(client);
        if (probes > 0) {
            rig_receive(ws, "2probe");
        }
        rig_run(&rig, 9999);
        if (probes > 1) {
            rig_receive(ws, "2probe"); /* wins no time */
        }
        assert_int_equal(ws->nows, 0);
        rig_run(&rig, 1);
        assert_int_equal(ws->nows, 1);
        assert_int_equal(rig.errors[-SIO_ERR_TIMEOUT], 1);
        assert_string_equal(rig_logged(&rig), " upgrade_failed");
        expect_unharmed("timeout", client);
        rig_deinit(&rig);
    }
}

/* Its times count from the call, however long the loop had slept before. */
static void test_times_after_sleep(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    rig_sleep(&rig, 9000);
    memory_transport *ws = rig_probe(client);
    rig_turn(&rig);
    rig_sleep(&rig, 9000);
    rig_receive(ws, "2probe");
    rig_run(&rig, 99);
    assert_int_equal(client->mt->releases, 1);
    rig_run(&rig, 1);
    assert_int_equal(client->mt->releases, 2);
    rig_run(&rig, 899);
    assert_int_equal(ws->nows, 0);
    rig_run(&rig, 1);
    assert_int_equal(ws->nows, 1);
    rig_deinit(&rig);
}

/* All its timers are due in the same turn. */
static void test_timeout_late(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    rig_receive(ws, "2probe");
    rig_advance(&rig, 20000);
    assert_int_equal(ws->nows, 1);
    expect_unharmed("late", client);
    rig_deinit(&rig);
}

static void test_candidate_goes(void **state)
{
    (void)state;
    static const sio_error whys[] = {SIO_OK, SIO_ERR_IO, SIO_ERR_CLOSED};
    for (size_t i = 0; i < 2 * COUNT(whys); i++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, POLLING);
        memory_transport *ws = rig_probe(client);
        if (i % 2 != 0) {
            rig_receive(ws, "2probe");
        }
        memory_transport_drop(ws, whys[i / 2]);
        assert_int_equal(ws->nows + ws->lingers, 0);
        TOLD(client, "");
        expect_unharmed("gone", client);
        rig_deinit(&rig);
    }
}

/* How a session may end while it is being upgraded. */
enum { BY_LINGER, BY_NOW, BY_BLAME, BY_PEER, BY_ALL, BY_GONE, BY_ERROR, WAYS };

static void end_session(engine_rig *rig, rig_client *client, int way)
{
    switch (way) {
    case BY_LINGER:
        eio_session_close(client->session, EIO_CLOSE_LINGER);
        break;
    case BY_NOW:
        eio_session_close(client->session, EIO_CLOSE_NOW);
        break;
    case BY_BLAME:
        eio_session_blame(client->session, SIO_ERR_PAYLOAD);
        break;
    case BY_PEER:
        rig_receive(client->mt, "1");
        break;
    case BY_ALL:
        eio_engine_close_all(&rig->engine, EIO_CLOSE_NOW);
        break;
    case BY_GONE:
        memory_transport_drop(client->mt, SIO_OK);
        break;
    default:
        memory_transport_fail(client->mt, SIO_ERR_ABORTED);
        break;
    }
}

static void test_session_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 4 * WAYS; i++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, POLLING);
        memory_transport *ws = rig_probe(client);
        if (i % 2 != 0) {
            rig_receive(ws, "2probe");
        }
        if (i / 2 % 2 != 0) {
            memory_transport_poll(client->mt);
        } else if (i % 2 != 0 && (i / 4 == BY_LINGER || i / 4 == BY_BLAME)) {
            memory_transport_drop(ws,
                                  SIO_OK); /* see test_eio_upgrade_closing.c */
            rig_deinit(&rig);
            continue;
        }
        end_session(&rig, client, i / 4);
        assert_int_equal(ws->nows, 1);
        assert_int_equal(rig.counters[SIO_COUNTER_UPGRADES], 0);
        rig_receive(ws, "5"); /* too late */
        memory_transport_poll(client->mt);
        rig_turn(&rig);
        assert_int_equal(client->events[RIG_CLOSED], 1);
        assert_int_equal(client->events[RIG_UPGRADED], 0);
        assert_int_equal(client->mt->nows + client->mt->lingers,
                         i / 4 == BY_GONE ? 0 : 1);
        rig_deinit(&rig);
    }
}

static void test_ping_timeout(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    rig_run(&rig, 44999);
    memory_transport *ws = rig_probe(client);
    rig_receive(ws, "2probe");
    rig_run(&rig, 1);
    assert_int_equal(client->reason, EIO_REASON_PING_TIMEOUT);
    assert_int_equal(client->events[RIG_CLOSED], 1);
    assert_int_equal(ws->nows, 1);
    rig_deinit(&rig);
}

/* A ping that is out stays out across the upgrade. */
static void test_heartbeat_goes_on(void **state)
{
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, POLLING);
        memory_transport_poll(client->mt);
        rig_run(&rig, 25000);
        SAID(client->mt, " [2]");
        memory_transport *ws = rig_probe(client);
        rig_receive(ws, "5");
        rig_run(&rig, 19999);
        assert_int_equal(client->events[RIG_CLOSED], 0);
        if (answered != 0) {
            rig_receive(ws, "3");
            rig_run(&rig, 25000);
            SAID(ws, " 2");
        } else {
            rig_run(&rig, 1);
            assert_int_equal(client->reason, EIO_REASON_PING_TIMEOUT);
        }
        assert_int_equal(client->events[RIG_CLOSED], answered == 0);
        rig_deinit(&rig);
    }
}

/* --------------------------------------------------------------- refusals --
 */

static void test_refusals(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    assert_null(rig_probe(client)); /* one at a time */
    rig_receive(ws, "2probe");
    assert_null(rig_probe(client));
    rig_receive(ws, "5");
    TOLD(client, " upgraded");
    assert_null(rig_probe(client)); /* nor twice */
    rig_receive(ws, "4still");
    TOLD(client, " text(still)");

    assert_null(rig_probe(rig_open(&rig, SOCKET)));
    client = rig_open(&rig, POLLING);
    eio_session_close(client->session, EIO_CLOSE_LINGER);
    assert_null(rig_probe(client));

    memory_transport *mt = rig_transport(&rig, SOCKET);
    client = rig_open(&rig, POLLING);
    eio_session *s = client->session;
    eio_session_close(s, EIO_CLOSE_NOW);
    assert_int_equal(eio_session_probe(s, memory_transport_base(mt)),
                     SIO_ERR_STATE);
    assert_true(memory_transport_alive(mt)); /* the caller's */
    memory_transport_drop(mt, SIO_OK);
    rig_deinit(&rig);
}

/* What is done from inside the event happens to the new carrier. */
static void test_reactions(void **state)
{
    (void)state;
    for (int reaction = RIG_LINGER; reaction <= RIG_CLOSE_ALL; reaction++) {
        engine_rig rig;
        rig_init(&rig);
        rig.reactions[RIG_UPGRADED] = (rig_reaction)reaction;
        rig_client *client = rig_open(&rig, POLLING);
        memory_transport *ws = rig_probe(client);
        rig_receive(ws, "5");
        rig_receive(ws, "4late");
        TOLD(client, reaction == RIG_BLAME
                         ? " upgraded closed(forced close, payload does not "
                           "fit the packet type)"
                         : " upgraded closed(forced close, success)");
        SAID(ws, " close");
        assert_int_equal(ws->nows + ws->lingers, 1);
        assert_int_equal(client->mt->nows, 1);
        rig_deinit(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_without_probe),
        cmocka_unit_test(test_probe_repeats),
        cmocka_unit_test(test_poll_pending),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_release_with_queue),
        cmocka_unit_test(test_not_writable),
        cmocka_unit_test(test_wrong_packets),
        cmocka_unit_test(test_probe_flood),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_times_after_sleep),
        cmocka_unit_test(test_timeout_late),
        cmocka_unit_test(test_candidate_goes),
        cmocka_unit_test(test_session_ends),
        cmocka_unit_test(test_ping_timeout),
        cmocka_unit_test(test_heartbeat_goes_on),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_reactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
