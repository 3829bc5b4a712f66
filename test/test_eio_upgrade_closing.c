#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/engine_rig.h"

#define POLLING MEMORY_POLLING
#define SAID(mt, text) assert_string_equal(memory_transport_said(mt), text)

/* A close comes when the client may have left the polls already, and has a
 * packet before it: both are for the transport that the client goes on with. */
enum { UPGRADES, DROPS, FAILS, IS_LATE, POLLS, IS_SILENT, ENDS };

/* What has been said, but for packets that release a poll. */
static void expect_but_noops(memory_transport *mt, const char *expected)
{
    char text[64];
    size_t len = 0;
    const char *said = memory_transport_said(mt);
    while (*said != '\0') {
        if (strncmp(said, "6|", 2) == 0) {
            said += 2;
        } else {
            text[len++] = *said++;
        }
    }
    text[len] = '\0';
    assert_string_equal(text, expected);
}

static void close_between(int end, bool packet)
{
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    rig_receive(ws, "2probe");
    rig_turn(&rig);
    (void)memory_transport_said(client->mt);
    SAID(ws, " 3probe");
    if (packet) {
        assert_int_equal(rig_send(client, "m"), SIO_OK);
    }
    eio_session_close(client->session, EIO_CLOSE_LINGER);
    rig_turn(&rig);
    assert_int_equal(client->events[RIG_CLOSED], 0);
    assert_true(memory_transport_alive(ws));
    assert_int_equal(rig_send(client, "no"), SIO_ERR_CLOSED);
    const char *by_poll = packet ? " [4m] [1]" : " [1]";
    switch (end) {
    case UPGRADES:
        rig_receive(ws, "5");
        rig_turn(&rig);
        SAID(ws, packet ? " 4m close" : " close");
        by_poll = "";
        break;
    case DROPS:
        memory_transport_drop(ws, SIO_OK);
        break;
    case FAILS:
        memory_transport_fail(ws, SIO_ERR_ABORTED);
        break;
    case IS_LATE:
        rig_run(&rig, 10000); /* the upgrade's time; a close has more */
        break;
    case IS_SILENT:
        rig_run(&rig, 30000);
        by_poll = "";
        break;
    default:
        break;
    }
    for (int i = 0; i < 2 && client->events[RIG_CLOSED] == 0; i++) {
        memory_transport_poll(client->mt);
        rig_turn(&rig);
    }
    expect_but_noops(client->mt, by_poll);
    assert_int_equal(client->events[RIG_CLOSED], 1);
    /* Where nobody is told of an upgrade, none is counted. */
    assert_int_equal(client->events[RIG_UPGRADED], 0);
    assert_int_equal(rig.counters[SIO_COUNTER_UPGRADES], 0);
    assert_int_equal(client->reason, EIO_REASON_FORCED_CLOSE);
    assert_false(memory_transport_alive(ws));
    assert_int_equal(rig.counters[SIO_COUNTER_SESSIONS], 0);
    rig_deinit(&rig);
}

static void test_close_between(void **state)
{
    (void)state;
    for (int end = 0; end < ENDS; end++) {
        close_between(end, false);
        close_between(end, true);
    }
}

/* What the last poll took along has left when the session is being closed: the
 * polls stay open as long as the upgrade is waited for. */
static void test_drained_between(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(client);
    memory_transport_poll(client->mt);
    assert_int_equal(rig_send(client, "m"), SIO_OK);
    rig_receive(ws, "2probe");
    eio_session_close(client->session, EIO_CLOSE_LINGER);
    rig_turn(&rig);
    SAID(client->mt, " [4m|6]");
    assert_true(memory_transport_alive(client->mt));
    rig_run(&rig, 1000);
    assert_int_equal(client->events[RIG_CLOSED], 0);
    rig_receive(ws, "5");
    rig_turn(&rig);
    SAID(ws, " 3probe close");
    assert_int_equal(client->events[RIG_CLOSED], 1);
    assert_int_equal(client->reason, EIO_REASON_FORCED_CLOSE);
    assert_false(memory_transport_alive(client->mt));
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_between),
        cmocka_unit_test(test_drained_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
