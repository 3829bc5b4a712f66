#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/engine_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

/* ------------------------------------------------------------- refusals -- */

/* Stand for the ids of a polling and of a websocket session. */
#define POLL "P"
#define SOCK "W"

#define BOTH (SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET)
#define OK EIO_REFUSAL_NONE
#define NO(what) EIO_REFUSAL_##what
#define GET true
#define POST false
#define UP true
#define PLAIN false

// clang-format off
static const struct {
    const char *label;
    unsigned offered;
    const char *transport, *sid;
    unsigned protocol;
    bool is_get, upgrade, origin;
    eio_refusal refusal;
    const char *context;
} knocks[] = {
    {"new polling",             BOTH, "polling", "", 4, GET, PLAIN, true, OK, ""},
    {"new websocket",           BOTH, "websocket", "", 4, GET, UP, true, OK, ""},
    {"new, revision is later",  BOTH, "polling", "", 0, GET, PLAIN, true, OK, ""},
    {"no transport",            BOTH, "", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"unknown transport",       BOTH, "tube", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"webtransport over HTTP",  BOTH, "webtransport", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"inherited name",          BOTH, "constructor", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"prefix of a name",        BOTH, "pollin", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"more than a name",        BOTH, "pollings", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"other case",              BOTH, "Polling", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"polling not offered",     SIO_TRANSPORT_WEBSOCKET, "polling", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"websocket not offered",   SIO_TRANSPORT_POLLING, "websocket", "", 4, GET, UP, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"nothing offered",         0, "polling", "", 4, GET, PLAIN, true, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"bad origin",              BOTH, "polling", "", 4, GET, PLAIN, false, NO(REQUEST), "INVALID_ORIGIN"},
    {"bad origin, known",       BOTH, "polling", POLL, 4, GET, PLAIN, false, NO(REQUEST), "INVALID_ORIGIN"},
    {"unknown sid",             BOTH, "polling", "AAAAAAAAAAAAAAAAAAAA", 4, GET, PLAIN, true, NO(SESSION), "UNKNOWN_SID"},
    {"inherited sid",           BOTH, "polling", "__proto__", 4, GET, PLAIN, true, NO(SESSION), "UNKNOWN_SID"},
    {"unknown sid, upgrade",    BOTH, "websocket", "x", 4, GET, UP, true, NO(SESSION), "UNKNOWN_SID"},
    {"new by POST",             BOTH, "polling", "", 4, POST, PLAIN, true, NO(METHOD), "BAD_HANDSHAKE_METHOD"},
    {"new websocket by POST",   BOTH, "websocket", "", 4, POST, UP, true, NO(METHOD), "BAD_HANDSHAKE_METHOD"},
    {"websocket, no upgrade",   BOTH, "websocket", "", 4, GET, PLAIN, true, NO(REQUEST), "TRANSPORT_HANDSHAKE_ERROR"},
    {"polling with upgrade",    BOTH, "polling", "", 4, GET, UP, true, NO(REQUEST), "TRANSPORT_HANDSHAKE_ERROR"},
    {"poll",                    BOTH, "polling", POLL, 4, GET, PLAIN, true, OK, ""},
    {"post",                    BOTH, "polling", POLL, 4, POST, PLAIN, true, OK, ""},
    {"upgrade",                 BOTH, "websocket", POLL, 4, GET, UP, true, OK, ""},
    {"upgrade of a websocket",  BOTH, "websocket", SOCK, 4, GET, UP, true, OK, ""},
    {"plain websocket request", BOTH, "websocket", SOCK, 4, GET, PLAIN, true, NO(REQUEST), "TRANSPORT_MISMATCH"},
    {"upgrade to polling",      BOTH, "polling", POLL, 4, GET, UP, true, NO(REQUEST), "TRANSPORT_MISMATCH"},
    {"poll of a websocket",     BOTH, "polling", SOCK, 4, GET, PLAIN, true, NO(REQUEST), "TRANSPORT_MISMATCH"},
    {"post to a websocket",     BOTH, "polling", SOCK, 4, POST, PLAIN, true, NO(REQUEST), "TRANSPORT_MISMATCH"},
    {"websocket of a poller",   BOTH, "websocket", POLL, 4, GET, PLAIN, true, NO(REQUEST), "TRANSPORT_MISMATCH"},
    {"other revision",          BOTH, "polling", POLL, 0, GET, PLAIN, true, NO(REQUEST), "PROTOCOL_MISMATCH"},
    {"upgrade, other revision", BOTH, "websocket", POLL, 0, GET, UP, true, NO(REQUEST), "PROTOCOL_MISMATCH"},
    /* What comes first when all is wrong from there on. */
    {"transport before all",    BOTH, "tube", "x", 0, POST, UP, false, NO(TRANSPORT), "TRANSPORT_UNKNOWN"},
    {"origin before sid",       BOTH, "polling", "x", 0, POST, UP, false, NO(REQUEST), "INVALID_ORIGIN"},
    {"origin before method",    BOTH, "polling", "", 0, POST, UP, false, NO(REQUEST), "INVALID_ORIGIN"},
    {"sid before mismatch",     BOTH, "polling", "x", 0, POST, UP, true, NO(SESSION), "UNKNOWN_SID"},
    {"transport before revision", BOTH, "polling", SOCK, 0, POST, PLAIN, true, NO(REQUEST), "TRANSPORT_MISMATCH"},
    {"method before upgrade",   BOTH, "polling", "", 0, POST, UP, true, NO(METHOD), "BAD_HANDSHAKE_METHOD"},
};
// clang-format on

static sio_bytes view(const char *text)
{
    return (sio_bytes){(const uint8_t *)text, strlen(text)};
}

static void test_knocks(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *poll = rig_open(&rig, MEMORY_POLLING);
    rig_client *sock = rig_open(&rig, MEMORY_WEBSOCKET);

    for (size_t i = 0; i < COUNT(knocks); i++) {
        const char *sid = knocks[i].sid;
        rig_client *client = strcmp(sid, POLL) == 0   ? poll
                             : strcmp(sid, SOCK) == 0 ? sock
                                                      : NULL;
        eio_knock knock = {
            .transport = view(knocks[i].transport),
            .sid = view(client == NULL ? sid : client->sid),
            .protocol = knocks[i].protocol,
            .is_get = knocks[i].is_get,
            .upgrade = knocks[i].upgrade,
            .origin_allowed = knocks[i].origin,
        };
        rig.config.transports = knocks[i].offered;
        eio_session *session = NULL;
        const char *context = NULL;
        eio_refusal refusal =
            eio_knock_check(&rig.engine, &knock, &session, &context);
        if (refusal != knocks[i].refusal ||
            strcmp(context, knocks[i].context) != 0) {
            fail_msg("%s: %d, %s", knocks[i].label, (int)refusal, context);
        }
        if (refusal == EIO_REFUSAL_NONE &&
            session != (client == NULL ? NULL : client->session)) {
            fail_msg("%s: wrong session", knocks[i].label);
        }
    }
    rig_deinit(&rig);
}

/* A session that is closing can be polled for its end; one that has closed, or
 * has moved, cannot. */
static void test_knock_of_the_past(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    eio_knock knock = {.transport = SIO_LIT("polling"),
                       .protocol = 4,
                       .is_get = true,
                       .origin_allowed = true};
    eio_session *session;
    const char *context;
    rig_client *client = rig_open(&rig, MEMORY_POLLING);
    knock.sid = view(client->sid);
    eio_session_close(client->session, EIO_CLOSE_LINGER);
    assert_int_equal(eio_knock_check(&rig.engine, &knock, &session, &context),
                     EIO_REFUSAL_NONE);
    assert_ptr_equal(session, client->session);
    memory_transport_poll(client->mt);
    assert_int_equal(eio_knock_check(&rig.engine, &knock, &session, &context),
                     EIO_REFUSAL_SESSION);

    client = rig_open(&rig, MEMORY_POLLING);
    knock.sid = view(client->sid);
    rig_receive(rig_probe(client), "5");
    assert_int_equal(eio_knock_check(&rig.engine, &knock, &session, &context),
                     EIO_REFUSAL_REQUEST);
    assert_string_equal(context, "TRANSPORT_MISMATCH");
    rig_deinit(&rig);
}

static void test_revisions(void **state)
{
    (void)state;
    static const struct {
        const char *value; /* of `EIO`; NULL: there is none */
        unsigned revision, missing_is_3;
    } asked[] = {
        {"3", 3, 3}, {"4", 4, 4}, {NULL, 0, 3}, {"", 0, 0},   {"5", 0, 0},
        {"2", 0, 0}, {"0", 0, 0}, {"33", 0, 0}, {"3 ", 0, 0}, {"abc", 0, 0},
    };
    eio_config config = {.allow_eio3 = false};
    assert_ptr_equal(eio_knock_protocol(&config, 4), &eio_protocol_4);
    assert_null(eio_knock_protocol(&config, 3));
    assert_null(eio_knock_protocol(&config, 0));
    config.allow_eio3 = true;
    assert_ptr_equal(eio_knock_protocol(&config, 4), &eio_protocol_4);
    assert_ptr_equal(eio_knock_protocol(&config, 3), &eio_protocol_3);
    assert_null(eio_knock_protocol(&config, 0));
    for (size_t i = 0; i < COUNT(asked); i++) {
        sio_bytes value =
            asked[i].value == NULL ? (sio_bytes){0} : view(asked[i].value);
        config.eio_missing_is_3 = false;
        assert_int_equal(eio_knock_revision(&config, value), asked[i].revision);
        config.eio_missing_is_3 = true;
        assert_int_equal(eio_knock_revision(&config, value),
                         asked[i].missing_is_3);
    }
}

/* Clients see these, and the numbers. */
static void test_texts(void **state)
{
    (void)state;
    const char *texts[] = {"Transport unknown",
                           "Session ID unknown",
                           "Bad handshake method",
                           "Bad request",
                           "Forbidden",
                           "Unsupported protocol version",
                           ""};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_string_equal(eio_refusal_text((eio_refusal)i), texts[i]);
    }
    assert_int_equal(EIO_REFUSAL_NONE, COUNT(texts) - 1);
}

/* ------------------------------------------------------------- opening -- */

// clang-format off
static const struct {
    const char *label;
    memory_kind kind;
    unsigned offered;
    bool upgrades;
    const char *list;
} lists[] = {
    {"polling",            MEMORY_POLLING, BOTH, true, "\"websocket\""},
    {"upgrades off",       MEMORY_POLLING, BOTH, false, ""},
    {"nothing to upgrade", MEMORY_POLLING, SIO_TRANSPORT_POLLING, true, ""},
    {"websocket",          MEMORY_WEBSOCKET, BOTH, true, ""},
    {"only websocket",     MEMORY_WEBSOCKET, SIO_TRANSPORT_WEBSOCKET, true, ""},
};
// clang-format on

static void test_open_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        engine_rig rig;
        sio_error err;
        rig_init(&rig);
        rig.config.transports = lists[i].offered;
        rig.config.allow_upgrades = lists[i].upgrades;
        rig_client *client = rig_try_open(&rig, lists[i].kind, &err);
        rig_turn(&rig);

        char expected[256];
        bool polling = lists[i].kind == MEMORY_POLLING;
        (void)snprintf(expected, sizeof(expected),
                       " %s0{\"sid\":\"%s\",\"upgrades\":[%s],"
                       "\"pingInterval\":25000,\"pingTimeout\":20000,"
                       "\"maxPayload\":1000000}%s",
                       polling ? "[" : "", client->sid, lists[i].list,
                       polling ? "]" : "");
        const char *said = memory_transport_said(client->mt);
        if (strcmp(said, expected) != 0) {
            fail_msg("%s:%s", lists[i].label, said);
        }
        rig_deinit(&rig);
    }
}

/* The longest numbers fit. */
static void test_open_packet_longest(void **state)
{
    (void)state;
    engine_rig rig;
    sio_error err;
    rig_init(&rig);
    rig.config.ping_interval = UINT32_MAX;
    rig.config.ping_timeout = UINT32_MAX;
    rig.config.max_payload = UINT32_MAX;
    rig_client *client = rig_try_open(&rig, MEMORY_POLLING, &err);
    rig_turn(&rig);
    const char *said = memory_transport_said(client->mt);
    assert_non_null(strstr(said, "\"pingInterval\":4294967295,"
                                 "\"pingTimeout\":4294967295,"
                                 "\"maxPayload\":4294967295}]"));
    rig_deinit(&rig);
}

static void test_initial_packet(void **state)
{
    (void)state;
    engine_rig rig;
    sio_error err;
    rig_init(&rig);
    rig.config.initial_packet = "hello";
    rig_client *client = rig_try_open(&rig, MEMORY_POLLING, &err);
    rig_turn(&rig);
    memory_transport_poll(client->mt); /* the first answer is for open */
    rig_turn(&rig);
    assert_non_null(strstr(memory_transport_said(client->mt), "}] [4hello]"));
    client = rig_try_open(&rig, MEMORY_WEBSOCKET, &err);
    rig_turn(&rig);
    assert_non_null(strstr(memory_transport_said(client->mt), "} 4hello"));

    /* The backlog is for what the application sends. */
    rig.config.max_backlog = 1;
    client = rig_try_open(&rig, MEMORY_WEBSOCKET, &err);
    assert_non_null(client);
    rig_turn(&rig);
    assert_non_null(strstr(memory_transport_said(client->mt), "} 4hello"));
    rig_deinit(&rig);
}

static void test_opened(void **state)
{
    (void)state;
    engine_rig rig;
    sio_error err;
    rig_init(&rig);
    rig_client *client = rig_try_open(&rig, MEMORY_POLLING, &err);
    eio_session *s = client->session;
    assert_string_equal(rig_told(client), " opened");
    assert_int_equal(rig.counters[SIO_COUNTER_HANDSHAKES], 1);
    assert_int_equal(rig.counters[SIO_COUNTER_SESSIONS], 1);
    assert_int_equal(rig.counters[SIO_COUNTER_PACKETS_OUT], 1);
    assert_ptr_equal(eio_session_engine(s), &rig.engine);
    assert_ptr_equal(eio_session_carrier(s), memory_transport_base(client->mt));
    assert_string_equal(eio_session_transport_name(s), "polling");
    assert_string_equal(eio_request_peer(eio_session_request(s)), "192.0.2.7");
    assert_false(eio_session_idle(s));
    assert_int_equal(eio_session_backlog(s), 0);
    assert_false(eio_session_idle(s)); /* no poll waits */
    memory_transport_poll(client->mt);
    assert_true(eio_session_idle(s));
    rig_deinit(&rig);
}

/* What the application does at once goes behind the open packet. */
static void test_opened_reacts(void **state)
{
    (void)state;
    static const struct {
        memory_kind kind;
        rig_reaction reaction;
        const char *end;
        const char *told;
    } rows[] = {
        {MEMORY_WEBSOCKET, RIG_ECHO, "} 4re", " opened drained"},
        {MEMORY_POLLING, RIG_ECHO, "}] [4re]", " opened drained"},
        {MEMORY_WEBSOCKET, RIG_LINGER, "} close",
         " opened closed(forced close, success)"},
        {MEMORY_POLLING, RIG_LINGER, "}] [6|1]",
         " opened closed(forced close, success)"},
        {MEMORY_WEBSOCKET, RIG_NOW, " close",
         " opened closed(forced close, success)"},
        {MEMORY_POLLING, RIG_NOW, "}]",
         " opened closed(forced close, success)"},
        {MEMORY_WEBSOCKET, RIG_CLOSE_ALL, " close",
         " opened closed(forced close, success)"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        engine_rig rig;
        sio_error err;
        rig_init(&rig);
        rig.reactions[RIG_OPENED] = rows[i].reaction;
        rig_client *client = rig_try_open(&rig, rows[i].kind, &err);
        assert_non_null(client);
        rig_turn(&rig);
        memory_transport_poll(client->mt);
        rig_turn(&rig);
        const char *said = memory_transport_said(client->mt);
        const char *told = rig_told(client);
        size_t len = strlen(said), end = strlen(rows[i].end);
        if (len < end || strcmp(said + len - end, rows[i].end) != 0 ||
            strcmp(told, rows[i].told) != 0) {
            fail_msg("row %zu:%s;%s", i, said, told);
        }
        rig_deinit(&rig);
    }
}

/* A transport that takes nothing leaves no session, and stays the caller's. */
static void test_open_fails(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 2; at++) {
        engine_rig rig;
        rig_init(&rig);
        rig.config.initial_packet = "hello";
        memory_transport *mt = rig_transport(&rig, MEMORY_WEBSOCKET);
        mt->passing = at; /* the open packet, or the initial one, fails */
        mt->failing = 1;
        sio_error err = eio_session_open(&rig.engine, memory_transport_base(mt),
                                         rig_request());
        assert_int_equal(err, SIO_ERR_NO_MEMORY);
        assert_true(memory_transport_alive(mt));
        rig_receive(mt, "4nobody hears"); /* it has no owner */
        memory_transport_drop(mt, SIO_OK);
        assert_int_equal(rig.engine.sessions.count, 0);
        assert_int_equal(rig.counters[SIO_COUNTER_SESSIONS], 0);
        assert_int_equal(rig.counters[SIO_COUNTER_HANDSHAKES], 0);
        assert_true(sio_list_empty(&rig.clients));
        rig_deinit(&rig);
    }
}

/* ------------------------------------------------------------------ ids -- */

#define MANY 10000

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_sids(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    char(*sids)[EIO_SID_LEN + 1] = calloc(MANY, sizeof(*sids));
    assert_non_null(sids);
    for (size_t i = 0; i < MANY; i++) {
        sio_error err;
        rig_client *client = rig_try_open(&rig, MEMORY_WEBSOCKET, &err);
        assert_non_null(client);
        size_t good = strspn(client->sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "abcdefghijklmnopqrstuvwxyz"
                                          "0123456789-_");
        assert_int_equal(good, EIO_SID_LEN);
        assert_int_equal(strlen(client->sid), EIO_SID_LEN);
        memcpy(sids[i], client->sid, sizeof(sids[i]));
    }
    assert_int_equal(rig.engine.sessions.count, MANY);
    qsort(sids, MANY, sizeof(*sids), by_text);
    for (size_t i = 1; i < MANY; i++) {
        assert_string_not_equal(sids[i - 1], sids[i]);
    }
    free(sids);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knocks),
        cmocka_unit_test(test_knock_of_the_past),
        cmocka_unit_test(test_revisions),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_open_packet),
        cmocka_unit_test(test_open_packet_longest),
        cmocka_unit_test(test_initial_packet),
        cmocka_unit_test(test_opened),
        cmocka_unit_test(test_opened_reacts),
        cmocka_unit_test(test_open_fails),
        cmocka_unit_test(test_sids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
