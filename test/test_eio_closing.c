#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/engine_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define POLLING MEMORY_POLLING
#define SOCKET MEMORY_WEBSOCKET
#define LINGER EIO_CLOSE_LINGER
#define NOW EIO_CLOSE_NOW

static void expect(const char *label, const char *what, const char *got,
                   const char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        fail_msg("%s, %s:%s, not%s", label, what, got, wanted);
    }
}

#define FORCED " closed(forced close, success)"
#define BLAMED " closed(forced close, payload does not fit the packet type)"
#define LATE " closed(forced close, not answered in time)"

/* What comes next, once the session was closed. */
typedef enum sequel {
    NOTHING,
    POLL,      /* the peer asks for packets */
    POLLS,     /* and once more */
    JUST,      /* a moment before patience ends */
    TIMEOUT,   /* patience ends */
    AGAIN,     /* closed again, lingering */
    AGAIN_NOW, /* closed again, without */
    BLAME,
    PACKETS, /* the peer goes on talking */
    DROP,    /* the peer is gone */
    BREAK    /* the carrier fails */
} sequel;

// clang-format off
static const struct {
    const char *label;
    memory_kind kind;
    bool polls;
    const char *queued;
    eio_close_mode mode;
    const char *told, *said; /* before eio_session_close() returns */
    sequel then;
    const char *told_then, *said_then;
} closings[] = {
    {"websocket",              SOCKET, 0, NULL, LINGER, FORCED, " close", NOTHING, "", ""},
    {"websocket, queue",       SOCKET, 0, "x", LINGER, "", "", NOTHING, FORCED, " 4x close"},
    {"websocket, now",         SOCKET, 0, NULL, NOW, FORCED, " close", NOTHING, "", ""},
    {"websocket, queue, now",  SOCKET, 0, "x", NOW, FORCED, " close", NOTHING, "", ""},
    {"poll waits",             POLLING, 1, NULL, LINGER, FORCED, " [1]", NOTHING, "", ""},
    {"poll waits, queue",      POLLING, 1, "x", LINGER, "", "", POLL, FORCED, " [4x] [6|1]"},
    {"poll waits, now",        POLLING, 1, NULL, NOW, FORCED, " [1]", NOTHING, "", ""},
    {"no poll, now",           POLLING, 0, NULL, NOW, FORCED, "", POLL, "", ""},
    {"no poll, queue, now",    POLLING, 0, "x", NOW, FORCED, "", POLL, "", ""},
    {"no poll",                POLLING, 0, NULL, LINGER, "", "", POLL, FORCED, " [6|1]"},
    {"one poll, queue",        POLLING, 0, "x", LINGER, "", "", POLL, "", " [4x]"},
    {"two polls, queue",       POLLING, 0, "x", LINGER, "", "", POLLS, FORCED, " [4x] [6|1]"},
    {"patience",               POLLING, 0, NULL, LINGER, "", "", JUST, "", ""},
    {"patience, queue",        POLLING, 0, "x", LINGER, "", "", JUST, "", ""},
    {"no patience",            POLLING, 0, NULL, LINGER, "", "", TIMEOUT, LATE, ""},
    {"no patience, queue",     POLLING, 0, "x", LINGER, "", "", TIMEOUT, LATE, ""},
    {"twice",                  POLLING, 0, NULL, LINGER, "", "", AGAIN, "", ""},
    {"twice, queue",           POLLING, 0, "x", LINGER, "", "", AGAIN, "", ""},
    {"then now",               POLLING, 0, NULL, LINGER, "", "", AGAIN_NOW, FORCED, ""},
    {"then now, queue",        POLLING, 0, "x", LINGER, "", "", AGAIN_NOW, FORCED, ""},
    {"then blame",             POLLING, 0, "x", LINGER, "", "", BLAME, "", ""},
    {"peer talks",             POLLING, 0, NULL, LINGER, "", "", PACKETS, "", ""},
    {"peer talks, queue",      POLLING, 0, "x", LINGER, "", "", PACKETS, "", ""},
    {"peer leaves",            POLLING, 0, NULL, LINGER, "", "", DROP, FORCED, ""},
    {"peer leaves, queue",     POLLING, 0, "x", LINGER, "", "", DROP, FORCED, ""},
    {"carrier breaks",         POLLING, 0, NULL, LINGER, "", "", BREAK, " closed(forced close, request was abandoned before its end)", ""},
};
// clang-format on

static void go_on(engine_rig *rig, rig_client *client, sequel then)
{
    eio_session *s = client->session;
    switch (then) {
    case NOTHING:
        break;
    case POLL:
        memory_transport_poll(client->mt);
        break;
    case POLLS:
        memory_transport_poll(client->mt);
        rig_turn(rig);
        memory_transport_poll(client->mt);
        break;
    case JUST:
        rig_run(rig, 29999);
        break;
    case TIMEOUT:
        rig_run(rig, 30000);
        break;
    case AGAIN:
        eio_session_close(s, LINGER);
        break;
    case AGAIN_NOW:
        eio_session_close(s, NOW);
        break;
    case BLAME:
        eio_session_blame(s, SIO_ERR_PAYLOAD);
        assert_int_equal(rig->errors[-SIO_ERR_PAYLOAD], 0);
        break;
    case PACKETS:
        rig_receive(client->mt, "4x\x1e"
                                "3\x1e"
                                "2\x1e"
                                "1");
        break;
    case DROP:
        memory_transport_drop(client->mt, SIO_OK);
        break;
    case BREAK:
        memory_transport_fail(client->mt, SIO_ERR_ABORTED);
        break;
    }
}

static void test_closings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(closings); i++) {
        const char *label = closings[i].label;
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, closings[i].kind);
        if (closings[i].polls) {
            memory_transport_poll(client->mt);
            (void)rig_told(client);
        }
        if (closings[i].queued != NULL) {
            assert_int_equal(rig_send(client, closings[i].queued), SIO_OK);
        }
        eio_session *s = client->session;
        eio_session_close(s, closings[i].mode);
        if (client->session != NULL) {
            assert_int_equal(rig_send(client, "late"), SIO_ERR_CLOSED);
        } else {
            /* Still there until the turn ends, and still closed. */
            eio_session_close(s, LINGER);
            eio_session_close(s, NOW);
            eio_session_blame(s, SIO_ERR_PAYLOAD);
            assert_null(eio_session_carrier(s));
            assert_string_equal(eio_session_transport_name(s), "");
            assert_false(eio_session_idle(s));
        }
        expect(label, "told", rig_told(client), closings[i].told);
        expect(label, "said", memory_transport_said(client->mt),
               closings[i].said);
        rig_turn(&rig);
        go_on(&rig, client, closings[i].then);
        rig_turn(&rig);
        expect(label, "told then", rig_told(client), closings[i].told_then);
        expect(label, "said then", memory_transport_said(client->mt),
               closings[i].said_then);
        rig_deinit(&rig);
    }
}

/* Patience counts from the call, however long the loop had slept before. */
static void test_patience_after_sleep(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    rig_sleep(&rig, 20000);
    eio_session_close(client->session, LINGER);
    rig_run(&rig, 29999);
    assert_int_equal(client->events[RIG_CLOSED], 0);
    rig_run(&rig, 1);
    assert_int_equal(client->why, SIO_ERR_TIMEOUT);
    rig_deinit(&rig);
}

/* A closing session neither pings nor dies of silence. */
static void test_no_heartbeat(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig.config.close_timeout = 3600000;
    rig_client *client = rig_open(&rig, POLLING);
    assert_int_equal(rig_send(client, "x"), SIO_OK);
    eio_session_close(client->session, LINGER);
    rig_run(&rig, 3599999);
    assert_string_equal(rig_told(client), "");
    memory_transport_poll(client->mt);
    rig_turn(&rig);
    memory_transport_poll(client->mt);
    assert_string_equal(memory_transport_said(client->mt), " [4x] [6|1]");
    rig_deinit(&rig);
}

/* A slow carrier that is not writable keeps the session until it is. */
static void test_waits_for_carrier(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, SOCKET);
    eio_transport *tp = memory_transport_base(client->mt);
    tp->writable = false;
    assert_int_equal(rig_send(client, "x"), SIO_OK);
    eio_session_close(client->session, LINGER);
    rig_turn(&rig);
    assert_string_equal(rig_told(client), "");
    assert_int_equal(client->mt->lingers, 0);
    tp->writable = true;
    tp->events->drained(tp->owner, tp);
    assert_string_equal(rig_told(client), "");
    rig_turn(&rig);
    assert_string_equal(rig_told(client), FORCED);
    assert_string_equal(memory_transport_said(client->mt), " 4x close");

    /* And one that never gets rid of it does not keep the session. */
    client = rig_open(&rig, SOCKET);
    client->mt->slow = true;
    assert_int_equal(rig_send(client, "x"), SIO_OK);
    eio_session_close(client->session, LINGER);
    rig_run(&rig, 29999);
    assert_string_equal(rig_told(client), "");
    rig_run(&rig, 1);
    assert_string_equal(rig_told(client), LATE);
    assert_string_equal(memory_transport_said(client->mt), " close");
    rig_deinit(&rig);
}

/* Closing after a send has failed, in the same turn: the session ends, one way
 * or another, once. */
static void test_close_doomed(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        engine_rig rig;
        rig_init(&rig);
        rig.config.max_backlog = 1;
        rig_client *client = rig_open(&rig, i % 2 == 0 ? POLLING : SOCKET);
        client->mt->slow = true;
        assert_int_equal(rig_send(client, "a"), SIO_OK);
        assert_int_equal(rig_send(client, "b"), SIO_ERR_BACKLOG);
        if (i < 2) {
            eio_session_close(client->session, LINGER);
        } else if (i < 4) {
            eio_session_close(client->session, NOW);
        } else if (i < 6) {
            eio_session_blame(client->session, SIO_ERR_PAYLOAD);
        } else {
            memory_transport_drop(client->mt, SIO_OK);
        }
        rig_turn(&rig);
        assert_int_equal(client->events[RIG_CLOSED], 1);
        rig_deinit(&rig);
    }
}

static void test_blame(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, SOCKET);
    assert_int_equal(rig_send(client, "x"), SIO_OK);
    eio_session_blame(client->session, SIO_ERR_PAYLOAD);
    rig_turn(&rig);
    assert_string_equal(rig_told(client), BLAMED);
    assert_string_equal(memory_transport_said(client->mt), " 4x close");
    assert_string_equal(rig_logged(&rig), " protocol_violation session_closed");
    assert_int_equal(rig.errors[-SIO_ERR_PAYLOAD], 1);
    assert_int_equal(rig.counters[SIO_COUNTER_PEER_ERRORS], 1);

    /* The blame is remembered while the session lingers. */
    client = rig_open(&rig, POLLING);
    eio_session_blame(client->session, SIO_ERR_PAYLOAD);
    assert_string_equal(rig_told(client), "");
    memory_transport_poll(client->mt);
    assert_string_equal(rig_told(client), BLAMED);
    rig_deinit(&rig);
}

/* ------------------------------------------------------ inside callbacks -- */

/* Does all a peer can do, and more than a session survives. */
static void live(engine_rig *rig, rig_client *client)
{
    memory_transport_poll(client->mt);
    rig_receive(client->mt, "4a");
    memory_transport_binary(client->mt, SIO_LIT("\1"));
    if (client->session != NULL) {
        (void)rig_send(client, "b");
    }
    rig_turn(rig);
    memory_transport *mt = client->session == NULL ? NULL : rig_probe(client);
    if (mt != NULL) {
        rig_receive(mt, "2probe");
        rig_receive(mt, "5");
        rig_receive(mt, "4c");
    }
    rig_run(rig, 60000);
    memory_transport_poll(client->mt);
    rig_receive(client->mt, "1");
    rig_turn(rig);
}

/* Whatever a callback does, and whichever it is: all sessions end once, and
 * nothing is touched that is no more. */
static void test_reactions(void **state)
{
    (void)state;
    for (int event = 0; event < RIG_EVENTS; event++) {
        for (int reaction = 0; reaction < RIG_REACTIONS; reaction++) {
            for (int kind = POLLING; kind <= SOCKET; kind++) {
                engine_rig rig;
                rig_init(&rig);
                rig.patience = 8;
                rig.reactions[event] = (rig_reaction)reaction;
                rig_client *bystander = rig_open(&rig, SOCKET);
                rig_client *client = rig_open(&rig, (memory_kind)kind);
                live(&rig, client);
                rig_run(&rig, 120000);
                assert_int_equal(client->events[RIG_CLOSED], 1);
                assert_int_equal(bystander->events[RIG_CLOSED], 1);
                rig_deinit(&rig);
            }
        }
    }
}

/* From inside a message: what is left of the body is dropped. */
static void test_closes_in_message(void **state)
{
    (void)state;
    static const struct {
        rig_reaction reaction;
        bool polls;
        const char *told, *said;
    } rows[] = {
        {RIG_LINGER, true, " text(a)" FORCED, " [1]"},
        {RIG_LINGER, false, " text(a)", ""},
        {RIG_NOW, true, " text(a)" FORCED, " [1]"},
        {RIG_NOW, false, " text(a)" FORCED, ""},
        {RIG_BLAME, true, " text(a)" BLAMED, " [1]"},
        {RIG_CLOSE_ALL, false, " text(a)" FORCED, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, POLLING);
        if (rows[i].polls) {
            memory_transport_poll(client->mt);
            (void)rig_told(client);
        }
        rig.reactions[RIG_MESSAGE] = rows[i].reaction;
        rig_receive(client->mt, "4a\x1e"
                                "4b\x1e"
                                "zz");
        expect("message", "told", rig_told(client), rows[i].told);
        expect("message", "said", memory_transport_said(client->mt),
               rows[i].said);
        rig_deinit(&rig);
    }
}

/* ------------------------------------------------------------- all of them --
 */

static void test_close_all(void **state)
{
    (void)state;
    for (int reaction = 0; reaction < RIG_REACTIONS; reaction++) {
        engine_rig rig;
        rig_init(&rig);
        for (int i = 0; i < 100; i++) {
            rig_client *client = rig_open(&rig, i % 2 == 0 ? POLLING : SOCKET);
            assert_int_equal(rig_send(client, "x"), SIO_OK);
            if (i % 3 == 0) {
                eio_session_close(client->session, LINGER);
            } else if (i % 4 == 0) {
                assert_non_null(rig_probe(client));
            }
        }
        rig.reactions[RIG_CLOSED] = (rig_reaction)reaction;
        eio_engine_close_all(&rig.engine, EIO_CLOSE_NOW);
        assert_int_equal(rig.engine.sessions.count, 0);
        assert_int_equal(rig.counters[SIO_COUNTER_SESSIONS], 0);
        const sio_link *at = rig.clients.next;
        for (; at != &rig.clients; at = at->next) {
            const rig_client *client = SIO_OWNER(at, rig_client, link);
            assert_int_equal(client->events[RIG_CLOSED], 1);
            assert_int_equal(client->reason, EIO_REASON_FORCED_CLOSE);
        }
        eio_engine_close_all(&rig.engine,
                             EIO_CLOSE_NOW); /* nothing is left to do */
        rig_deinit(&rig);
    }
}

/* Lingering only waits for those who have to ask, and drops what is queued. */
static void test_close_all_lingers(void **state)
{
    (void)state;
    static const struct {
        memory_kind kind;
        bool polls, closing;
        const char *told, *said, *told_then, *said_then;
    } rows[] = {
        {SOCKET, false, false, FORCED, " close", "", ""},
        {POLLING, true, false, FORCED, " [1]", "", ""},
        {POLLING, false, false, "", "", FORCED, " [6|1]"},
        {POLLING, false, true, "", "", FORCED, " [1]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, rows[i].kind);
        if (rows[i].polls) {
            memory_transport_poll(client->mt);
            (void)rig_told(client);
        }
        assert_int_equal(rig_send(client, "x"), SIO_OK);
        if (rows[i].closing) {
            eio_session_close(client->session, LINGER);
        }
        eio_engine_close_all(&rig.engine, LINGER);
        expect("linger", "told", rig_told(client), rows[i].told);
        expect("linger", "said", memory_transport_said(client->mt),
               rows[i].said);
        rig_turn(&rig);
        memory_transport_poll(client->mt);
        expect("linger", "told then", rig_told(client), rows[i].told_then);
        expect("linger", "said then", memory_transport_said(client->mt),
               rows[i].said_then);
        rig_deinit(&rig);
    }
}

/* Half of them go while the first is being closed: none is missed, whatever
 * their order. */
static void test_close_all_loses_half(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        engine_rig rig;
        rig_init(&rig);
        for (int j = 0; j < 16; j++) {
            (void)rig_open(&rig, SOCKET);
        }
        rig.reactions[RIG_CLOSED] = RIG_CLOSE_SOME;
        rig.patience = 1;
        eio_engine_close_all(&rig.engine, EIO_CLOSE_NOW);
        assert_int_equal(rig.engine.sessions.count, 0);
        rig_deinit(&rig);
    }
}

/* As the official server spells them. */
static void test_reasons(void **state)
{
    (void)state;
    static const char *const texts[] = {"transport close", "transport error",
                                        "parse error", "ping timeout",
                                        "forced close"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_string_equal(eio_reason_text((eio_reason)i), texts[i]);
    }
    assert_int_equal(EIO_REASON_FORCED_CLOSE, COUNT(texts) - 1);
}

/* Without an owner a transport is deaf, but a failing one is closed. */
static void test_orphan(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    memory_transport *mt = rig_transport(&rig, SOCKET);
    rig_receive(mt, "4a");
    rig_turn(&rig);
    memory_transport_fail(mt, SIO_ERR_IO);
    assert_int_equal(mt->nows, 1);
    rig_turn(&rig);
    assert_true(mt->gone);
    rig_deinit(&rig);
}

/* Closes one after the other as often as there is one; gives how many. */
static int close_each(engine_rig *rig, uint64_t *cursor)
{
    eio_session *s;
    int count = 0;
    while ((s = eio_engine_next(&rig->engine, cursor)) != NULL) {
        eio_session_close(s, LINGER);
        count++;
    }
    return count;
}

/* One by one, whatever becomes of them: those that linger, and those that are
 * gone.  Upgrades are left to end. */
static void test_one_by_one(void **state)
{
    (void)state;
    engine_rig rig;
    uint64_t cursor = 0;
    rig_init(&rig);
    assert_null(eio_engine_next(&rig.engine, &cursor));
    assert_false(eio_engine_in_use(&rig.engine));
    for (int i = 0; i < 50; i++) {
        (void)rig_open(&rig, i % 2 == 0 ? SOCKET : POLLING);
    }
    rig_client *amid = rig_open(&rig, POLLING);
    memory_transport *ws = rig_probe(amid);
    assert_non_null(ws);
    rig_receive(ws, "2probe");
    rig_client *offered = rig_open(&rig, POLLING);
    assert_non_null(rig_probe(offered)); /* has not said anything */
    assert_int_equal(close_each(&rig, &cursor), 51);
    assert_int_equal(rig.engine.sessions.count, 25 + 2);
    assert_true(eio_engine_in_use(&rig.engine));
    cursor = 0;
    assert_int_equal(close_each(&rig, &cursor), 0);
    rig_receive(ws, "5");
    assert_int_equal(close_each(&rig, &cursor), 0);
    cursor = 0;
    assert_int_equal(close_each(&rig, &cursor), 1);
    assert_false(eio_engine_in_use(&rig.engine));
    rig_turn(&rig);
    assert_null(amid->session);
    assert_non_null(offered->session); /* it lingers */
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closings),
        cmocka_unit_test(test_patience_after_sleep),
        cmocka_unit_test(test_no_heartbeat),
        cmocka_unit_test(test_waits_for_carrier),
        cmocka_unit_test(test_close_doomed),
        cmocka_unit_test(test_blame),
        cmocka_unit_test(test_reactions),
        cmocka_unit_test(test_closes_in_message),
        cmocka_unit_test(test_close_all),
        cmocka_unit_test(test_close_all_lingers),
        cmocka_unit_test(test_one_by_one),
        cmocka_unit_test(test_close_all_loses_half),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_orphan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
