#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/engine_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define POLLING MEMORY_POLLING
#define SOCKET MEMORY_WEBSOCKET

static void expect(const char *label, const char *what, const char *got,
                   const char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        fail_msg("%s, %s:%s, not%s", label, what, got, wanted);
    }
}

/* --------------------------------------------------------------- packets -- */

#define CLOSED(reason, why) " closed(" reason ", " why ")"
#define FAILED " transport_failed session_closed"
#define EMPTY "a packet needs at least its type"

// clang-format off
static const struct {
    const char *label;
    memory_kind kind;
    bool polls;
    const char *in, *told, *said, *logged;
    sio_error counted;
    uint64_t packets;
} packets[] = {
    {"text",            SOCKET, 0, "4hi", " text(hi)", "", "", 0, 1},
    {"empty text",      SOCKET, 0, "4", " text()", "", "", 0, 1},
    {"base64",          SOCKET, 0, "bAQID", " binary(010203)", "", "", 0, 1},
    {"empty base64",    SOCKET, 0, "b", " binary()", "", "", 0, 1},
    {"RS is data",      SOCKET, 0, "4a\x1e" "4b", " text(a\x1e" "4b)", "", "", 0, 1},
    {"open",            SOCKET, 0, "0{}", "", "", "", 0, 1},
    {"upgrade",         SOCKET, 0, "5", "", "", "", 0, 1},
    {"noop",            SOCKET, 0, "6", "", "", "", 0, 1},
    {"unasked pong",    SOCKET, 0, "3", "", "", "", 0, 1},
    {"pong with data",  SOCKET, 0, "3probe", "", "", "", 0, 1},
    {"ping",            SOCKET, 0, "2", CLOSED("transport error", "heartbeat in the wrong direction"), " close", FAILED, SIO_ERR_HEARTBEAT, 1},
    {"probe",           SOCKET, 0, "2probe", CLOSED("transport error", "heartbeat in the wrong direction"), " close", FAILED, SIO_ERR_HEARTBEAT, 1},
    {"close",           SOCKET, 0, "1", CLOSED("transport close", "success"), " close", " session_closed", 0, 1},
    {"nothing",         SOCKET, 0, "", CLOSED("parse error", EMPTY), " close", FAILED, SIO_ERR_PACKET_EMPTY, 0},
    {"unknown digit",   SOCKET, 0, "7", CLOSED("parse error", "unknown packet type"), " close", FAILED, SIO_ERR_PACKET_TYPE, 0},
    {"letter",          SOCKET, 0, "hi", CLOSED("parse error", "unknown packet type"), " close", FAILED, SIO_ERR_PACKET_TYPE, 0},
    {"bad base64",      SOCKET, 0, "b!", CLOSED("parse error", "binary data is not valid base64"), " close", FAILED, SIO_ERR_BASE64, 0},
    {"posted text",     POLLING, 0, "4hi", " text(hi)", "", "", 0, 1},
    {"posted list",     POLLING, 0, "4a\x1e" "bAQID\x1e" "6\x1e" "3\x1e" "4b", " text(a) binary(010203) text(b)", "", "", 0, 5},
    {"posted, polling", POLLING, 1, "4a\x1e" "4b", " text(a) text(b)", "", "", 0, 2},
    {"posted ping",     POLLING, 1, "2", CLOSED("transport error", "heartbeat in the wrong direction"), " [1]", FAILED, SIO_ERR_HEARTBEAT, 1},
    {"posted close",    POLLING, 0, "1", CLOSED("transport close", "success"), "", " session_closed", 0, 1},
    {"close, polling",  POLLING, 1, "1", CLOSED("transport close", "success"), " [6]", " session_closed", 0, 1},
    {"then ignored",    POLLING, 1, "4a\x1e" "1\x1e" "4b", " text(a)" CLOSED("transport close", "success"), " [6]", " session_closed", 0, 2},
    {"empty body",      POLLING, 0, "", CLOSED("parse error", EMPTY), "", FAILED, SIO_ERR_PACKET_EMPTY, 0},
    {"empty, polling",  POLLING, 1, "", CLOSED("parse error", EMPTY), " [1]", FAILED, SIO_ERR_PACKET_EMPTY, 0},
    {"bad in between",  POLLING, 1, "4a\x1e" "7\x1e" "4b", " text(a)" CLOSED("parse error", "unknown packet type"), " [1]", FAILED, SIO_ERR_PACKET_TYPE, 1},
    {"trailing RS",     POLLING, 1, "4a\x1e", " text(a)" CLOSED("parse error", EMPTY), " [1]", FAILED, SIO_ERR_PACKET_EMPTY, 1},
    {"bad base64",      POLLING, 0, "b*", CLOSED("parse error", "binary data is not valid base64"), "", FAILED, SIO_ERR_BASE64, 0},
};
// clang-format on

static void test_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packets); i++) {
        const char *label = packets[i].label;
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, packets[i].kind);
        if (packets[i].polls) {
            memory_transport_poll(client->mt);
            (void)rig_told(client);
        }
        rig_receive(client->mt, packets[i].in);
        expect(label, "told", rig_told(client), packets[i].told);
        expect(label, "said", memory_transport_said(client->mt),
               packets[i].said);
        expect(label, "logged", rig_logged(&rig), packets[i].logged);
        sio_error counted = packets[i].counted;
        if (rig.counters[SIO_COUNTER_PACKETS_IN] != packets[i].packets ||
            rig.counters[SIO_COUNTER_PEER_ERRORS] != (counted != SIO_OK) ||
            (counted != SIO_OK && rig.errors[-counted] != 1)) {
            fail_msg("%s: counters", label);
        }
        rig_turn(&rig);
        rig_deinit(&rig);
    }
}

static void test_binary(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, SOCKET);
    memory_transport_binary(client->mt, SIO_LIT("\0\xff"));
    memory_transport_binary(client->mt, SIO_LIT(""));
    assert_string_equal(rig_told(client), " binary(00ff) binary()");
    assert_int_equal(rig_send_binary(client, SIO_LIT("\1\xfe")), SIO_OK);
    assert_int_equal(rig_send_binary(client, SIO_LIT("")), SIO_OK);
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " b01fe b");
    rig_deinit(&rig);
}

/* Each error is counted once, and blamed on the peer if it is the peer's. */
static void test_carrier_fails(void **state)
{
    (void)state;
    static const struct {
        sio_error why;
        eio_reason reason;
    } rows[] = {
        {SIO_ERR_OVERLAP, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_ABORTED, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_CONTENT_TYPE, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_TOO_LARGE, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_FRAME_MASK, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_UTF8, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_IO, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_NO_MEMORY, EIO_REASON_TRANSPORT_ERROR},
        {SIO_ERR_PACKET_TYPE, EIO_REASON_PARSE_ERROR},
        {SIO_ERR_PACKET_EMPTY, EIO_REASON_PARSE_ERROR},
        {SIO_ERR_BASE64, EIO_REASON_PARSE_ERROR},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        sio_error why = rows[i / 2].why;
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, i % 2 == 0 ? POLLING : SOCKET);
        memory_transport_fail(client->mt, why);
        assert_int_equal(client->events[RIG_CLOSED], 1);
        assert_int_equal(client->reason, rows[i / 2].reason);
        assert_int_equal(client->why, why);
        assert_int_equal(client->mt->nows, 1);
        assert_int_equal(rig.errors[-why], 1);
        assert_int_equal(rig.counters[SIO_COUNTER_PEER_ERRORS],
                         sio_error_is_peers(why));
        expect("failed", "logged", rig_logged(&rig), FAILED);
        rig_deinit(&rig);
    }
}

static void test_carrier_is_gone(void **state)
{
    (void)state;
    for (int kind = POLLING; kind <= SOCKET; kind++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, (memory_kind)kind);
        assert_int_equal(rig_send(client, "lost"), SIO_OK);
        memory_transport_drop(client->mt, SIO_OK);
        assert_string_equal(rig_told(client),
                            CLOSED("transport close", "success"));
        client = rig_open(&rig, (memory_kind)kind);
        memory_transport_drop(client->mt, SIO_ERR_IO);
        assert_string_equal(rig_told(client),
                            CLOSED("transport error", "input or output "
                                                      "failed"));
        assert_int_equal(client->mt->nows + client->mt->lingers, 0);
        expect("gone", "logged", rig_logged(&rig),
               " session_closed session_closed");
        rig_deinit(&rig);
    }
}

/* --------------------------------------------------------------- sending -- */

static void test_drained(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *sock = rig_open(&rig, SOCKET);
    assert_int_equal(rig_send(sock, "a"), SIO_OK);
    assert_int_equal(rig_send(sock, "bc"), SIO_OK);
    assert_int_equal(eio_session_backlog(sock->session), 5);
    assert_string_equal(memory_transport_said(sock->mt), "");
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(sock->mt), " 4a 4bc");
    assert_string_equal(rig_told(sock), " drained");
    assert_int_equal(eio_session_backlog(sock->session), 0);
    rig_turn(&rig);
    assert_string_equal(rig_told(sock), "");

    rig_client *poll = rig_open(&rig, POLLING);
    assert_int_equal(rig_send(poll, "a"), SIO_OK);
    rig_turn(&rig);
    assert_string_equal(rig_told(poll), "");
    memory_transport_poll(poll->mt);
    assert_string_equal(rig_told(poll), ""); /* it has not left yet */
    assert_int_equal(rig_send(poll, "b"), SIO_OK);
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(poll->mt), " [4a|4b]");
    assert_string_equal(rig_told(poll), " drained");
    memory_transport_poll(poll->mt);
    assert_string_equal(rig_told(poll), ""); /* nothing was sent */
    rig_deinit(&rig);
}

/* Whoever refills what has drained is told again. */
static void test_drained_refills(void **state)
{
    (void)state;
    for (int kind = POLLING; kind <= SOCKET; kind++) {
        engine_rig rig;
        rig_init(&rig);
        rig_client *client = rig_open(&rig, (memory_kind)kind);
        rig.reactions[RIG_DRAINED] = RIG_ECHO;
        rig.patience = 3;
        assert_int_equal(rig_send(client, "a"), SIO_OK);
        for (int turn = 0; turn < 4; turn++) {
            memory_transport_poll(client->mt);
            rig_turn(&rig);
        }
        assert_string_equal(memory_transport_said(client->mt),
                            kind == SOCKET ? " 4a 4re 4re 4re"
                                           : " [4a] [4re] [4re] [4re]");
        rig_deinit(&rig);
    }
}

/* More than one chunk of a queue, of both forms, before and after the poll. */
static void test_order(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, POLLING);
    char expected[1024] = " [";
    size_t len = 2;
    for (int i = 0; i < 60; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "m%d", i);
        uint8_t byte = (uint8_t)i;
        sio_error err = i % 3 == 0
                            ? rig_send_binary(client, (sio_bytes){&byte, 1})
                            : rig_send(client, text);
        assert_int_equal(err, SIO_OK);
        if (i == 40) {
            memory_transport_poll(client->mt);
        }
        len += (size_t)(i % 3 == 0 ? snprintf(expected + len, 9, "b%02x|", i)
                                   : snprintf(expected + len, 9, "4%s|", text));
    }
    expected[len - 1] = ']';
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), expected);
    rig_deinit(&rig);
}

/* A carrier that is not ready is not asked, and loses nothing. */
static void test_not_writable(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, SOCKET);
    eio_transport *tp = memory_transport_base(client->mt);
    tp->writable = false;
    assert_int_equal(rig_send(client, "a"), SIO_OK);
    assert_int_equal(rig_send(client, "b"), SIO_OK);
    assert_false(eio_session_idle(client->session));
    assert_int_equal(eio_session_backlog(client->session), 4);
    tp->writable = true;
    assert_int_equal(rig_send(client, "c"), SIO_OK); /* not past the others */
    tp->events->drained(tp->owner, tp);
    assert_int_equal(sio_frameq_count(&client->mt->queue), 3);
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " 4a 4b 4c");
    assert_string_equal(rig_told(client), " drained");
    rig_deinit(&rig);
}

static void test_send_fails(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, SOCKET);
    client->mt->failing = 1;
    assert_int_equal(rig_send(client, "a"), SIO_ERR_NO_MEMORY);
    assert_int_equal(rig_send(client, "b"), SIO_ERR_NO_MEMORY);
    assert_string_equal(rig_told(client), "");
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " close");
    assert_string_equal(rig_told(client),
                        CLOSED("transport error", "out of memory"));
    assert_int_equal(rig.errors[-SIO_ERR_NO_MEMORY], 1);
    assert_int_equal(rig.counters[SIO_COUNTER_BACKLOG_CLOSED], 0);
    expect("send fails", "logged", rig_logged(&rig),
           " send_failed session_closed");

    /* What waits and cannot be handed over costs the session as well: there
     * must be no gap. */
    client = rig_open(&rig, POLLING);
    assert_int_equal(rig_send(client, "a"), SIO_OK);
    assert_int_equal(rig_send(client, "b"), SIO_OK);
    assert_int_equal(rig_send(client, "c"), SIO_OK);
    client->mt->passing = 1;
    client->mt->failing = 1;
    memory_transport_poll(client->mt);
    rig_turn(&rig);
    rig_turn(&rig);
    assert_string_equal(memory_transport_said(client->mt), " [1]");
    assert_string_equal(rig_told(client),
                        CLOSED("transport error", "out of memory"));
    rig_deinit(&rig);
}

/* --------------------------------------------------------------- backlog -- */

// clang-format off
static const struct {
    const char *label;
    memory_kind kind;
    bool polls;
    size_t limit;
    size_t sizes[4];
    int refused; /* which of them, or -1 */
} backlogs[] = {
    {"just all, outbox",       POLLING, 0, 1000, {500, 499, 1}, -1},
    {"one too many, outbox",   POLLING, 0, 1000, {500, 500, 1}, 2},
    {"one too many, carrier",  POLLING, 1, 1000, {600, 401}, 1},
    {"just all, websocket",    SOCKET,  0, 1000, {999, 1}, -1},
    {"one too many, websocket", SOCKET, 0, 1000, {999, 2}, 1},
    {"alone it may be large",  POLLING, 0, 1000, {60000}, -1},
    {"large and one more",     SOCKET,  0, 1000, {60000, 1}, 1},
    {"nothing may wait",       SOCKET,  0, 0, {1, 1}, 1},
    {"unlimited",              SOCKET,  0, SIZE_MAX, {60000, 60000, 60000}, -1},
};
// clang-format on

static void test_backlog(void **state)
{
    (void)state;
    static uint8_t bytes[60000];
    for (size_t i = 0; i < COUNT(backlogs); i++) {
        const char *label = backlogs[i].label;
        engine_rig rig;
        rig_init(&rig);
        rig.config.max_backlog = backlogs[i].limit;
        rig_client *client = rig_open(&rig, backlogs[i].kind);
        if (backlogs[i].polls) {
            memory_transport_poll(client->mt);
            (void)rig_told(client);
        }
        bool refused = false;
        for (int j = 0; j < 4 && backlogs[i].sizes[j] != 0; j++) {
            refused = j == backlogs[i].refused;
            sio_error err = rig_send_binary(
                client, (sio_bytes){bytes, backlogs[i].sizes[j]});
            if (err != (refused ? SIO_ERR_BACKLOG : SIO_OK)) {
                fail_msg("%s, frame %d: %d", label, j, err);
            }
        }
        expect(label, "told at once", rig_told(client), "");
        if (refused) { /* nor does another one get through */
            assert_int_equal(rig_send(client, ""), SIO_ERR_BACKLOG);
        }
        sio_wheel_advance(&rig.wheel, rig.now);
        expect(label, "told", rig_told(client),
               refused ? CLOSED("transport error",
                                "too much waits for a slow reader")
                       : "");
        expect(label, "logged", rig_logged(&rig),
               refused ? " send_failed session_closed" : "");
        assert_int_equal(rig.counters[SIO_COUNTER_BACKLOG_CLOSED], refused);
        assert_int_equal(rig.errors[-SIO_ERR_BACKLOG], refused);
        assert_int_equal(rig.counters[SIO_COUNTER_PEER_ERRORS], 0);
        rig_deinit(&rig);
    }
}

/* Frames that wait take memory beside their bytes, so small ones are counted:
 * one for each 64 bytes of the limit, and 64. */
static void test_backlog_of_small(void **state)
{
    (void)state;
    static const memory_kind kinds[] = {POLLING, SOCKET};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        engine_rig rig;
        rig_init(&rig);
        rig.config.max_backlog = 6400;
        rig_client *client = rig_open(&rig, kinds[i]);
        for (int sent = 0; sent < 164; sent++) {
            assert_int_equal(rig_send(client, "a"), SIO_OK);
        }
        assert_int_equal(rig_send(client, "a"), SIO_ERR_BACKLOG);
        rig_turn(&rig);
        assert_int_equal(client->why, SIO_ERR_BACKLOG);
        rig_deinit(&rig);
    }
}

/* Heartbeats do not save a session that has failed to send, nor does what the
 * peer says meanwhile. */
static void test_doomed(void **state)
{
    (void)state;
    static const char *const signs[] = {"3", "4x", "6"};
    for (size_t i = 0; i < COUNT(signs); i++) {
        engine_rig rig;
        rig_init(&rig);
        rig.config.max_backlog = 1;
        rig_client *client = rig_open(&rig, SOCKET);
        rig_run(&rig, 25000);
        assert_int_equal(rig_send(client, "a"), SIO_OK);
        assert_int_equal(rig_send(client, "b"), SIO_ERR_BACKLOG);
        rig_receive(client->mt, signs[i]);
        assert_int_equal(client->events[RIG_CLOSED], 0);
        rig_turn(&rig);
        assert_int_equal(client->events[RIG_CLOSED], 1);
        assert_int_equal(client->why, SIO_ERR_BACKLOG);
        rig_deinit(&rig);
    }
}

/* A peer that makes the application answer and does not read is cut off, after
 * the message that is one too many. */
static void test_backlog_in_callback(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig.config.max_backlog = 10;
    rig.reactions[RIG_MESSAGE] = RIG_ECHO;
    rig_client *client = rig_open(&rig, SOCKET);
    client->mt->slow = true;
    for (int i = 0; i < 4; i++) {
        rig_receive(client->mt, "4abc");
        rig_turn(&rig);
    }
    assert_int_equal(client->events[RIG_MESSAGE], 3);
    assert_int_equal(client->events[RIG_CLOSED], 1);
    assert_int_equal(client->why, SIO_ERR_BACKLOG);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_carrier_fails),
        cmocka_unit_test(test_carrier_is_gone),
        cmocka_unit_test(test_drained),
        cmocka_unit_test(test_drained_refills),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_not_writable),
        cmocka_unit_test(test_send_fails),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_backlog_of_small),
        cmocka_unit_test(test_doomed),
        cmocka_unit_test(test_backlog_in_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
