#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "transport/ws_handshake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

static const char sample[] = "dGhlIHNhbXBsZSBub25jZQ==";

/* A good handshake, but for the one value that a row changes. */
static tp_ws_handshake good(void)
{
    return (tp_ws_handshake){
        .method_is_get = true,
        .http11 = true,
        .upgrade = SIO_LIT("websocket"),
        .connection = SIO_LIT("Upgrade"),
        .key = SIO_LIT(sample),
        .version = SIO_LIT("13"),
    };
}

typedef enum field { UPGRADE, CONNECTION, KEY, VERSION, PROTOCOL } field;

static sio_bytes *field_of(tp_ws_handshake *h, field which)
{
    switch (which) {
    case UPGRADE:
        return &h->upgrade;
    case CONNECTION:
        return &h->connection;
    case KEY:
        return &h->key;
    case VERSION:
        return &h->version;
    case PROTOCOL:
        break;
    }
    return &h->protocol;
}

// clang-format off
static const struct {
    field which;
    sio_bytes value;
    bool fits;
} values[] = {
    {UPGRADE, B("websocket"), true},
    {UPGRADE, B("WebSocket"), true},
    {UPGRADE, B("WEBSOCKET"), true},
    {UPGRADE, B("h2c, websocket"), true},
    {UPGRADE, B("websocket,"), true},
    {UPGRADE, B(""), false},
    {UPGRADE, B(","), false},
    {UPGRADE, B("h2c"), false},
    {UPGRADE, B("websocket/13"), false},
    {UPGRADE, B("websockets"), false},
    {UPGRADE, B("websocke"), false},
    {UPGRADE, B("web socket"), false},
    {UPGRADE, B("\x17" "ebsocket"), false},
    {CONNECTION, B("upgrade"), true},
    {CONNECTION, B("UPGRADE"), true},
    {CONNECTION, B("keep-alive, Upgrade"), true},
    {CONNECTION, B("Upgrade,keep-alive"), true},
    {CONNECTION, B(" \t,, \tupgrade\t "), true},
    {CONNECTION, B(""), false},
    {CONNECTION, B("keep-alive"), false},
    {CONNECTION, B("keep-alive upgrade"), false},
    {CONNECTION, B("upgraded"), false},
    {CONNECTION, B("up grade"), false},
    {KEY, B("AAAAAAAAAAAAAAAAAAAAAA=="), true},
    {KEY, B("abcxyzABCXYZ0123456+/9=="), true},
    {KEY, B(""), false},
    {KEY, B("AAAAAAAAAAAAAAAAAAAAA=="), false},
    {KEY, B("AAAAAAAAAAAAAAAAAAAAAAA=="), false},
    {KEY, B("AAAAAAAAAAAAAAAAAAAAAAA="), false},
    {KEY, B("AAAAAAAAAAAAAAAAAAAAAAAA"), false},
    {KEY, B("AAAAAAAAAAAAAAAAAAAAA==="), false},
    {KEY, B("AAAAAAAAAAAAAAAAAAAAAA=A"), false},
    {KEY, B("AAAAAAAAAA-AAAAAAAAAAA=="), false},
    {KEY, B("AAAAAAAAAA_AAAAAAAAAAA=="), false},
    {KEY, B("AAAAAAAAAA AAAAAAAAAAA=="), false},
    {KEY, B("AAAAAAAAAA\0AAAAAAAAAAA=="), false},
    {VERSION, B("13"), true},
    {VERSION, B("8"), true},
    {VERSION, B(""), false},
    {VERSION, B("0"), false},
    {VERSION, B("7"), false},
    {VERSION, B("12"), false},
    {VERSION, B("14"), false},
    {VERSION, B("013"), false},
    {VERSION, B("13, 8"), false},
    {VERSION, B("130"), false},
    {PROTOCOL, B(""), true},
    {PROTOCOL, B("chat"), true},
    {PROTOCOL, B("!#$%&'*+-.^_`|~09azAZ"), true},
    {PROTOCOL, B("chat, superchat"), true},
    {PROTOCOL, B("chat,,superchat,"), true},
    {PROTOCOL, B("a b"), false},
    {PROTOCOL, B("a, b c"), false},
    {PROTOCOL, B("a;b"), false},
    {PROTOCOL, B("a\0"), false},
    {PROTOCOL, B("\"a\""), false},
    {PROTOCOL, B("a\x80"), false},
    {PROTOCOL, B("a\r\nx"), false},
};
// clang-format on

static void test_values(void **state)
{
    (void)state;
    static const tp_ws_refusal refusals[] = {
        [UPGRADE] = TP_WS_REFUSAL_UPGRADE,
        [CONNECTION] = TP_WS_REFUSAL_CONNECTION,
        [KEY] = TP_WS_REFUSAL_KEY,
        [VERSION] = TP_WS_REFUSAL_VERSION,
        [PROTOCOL] = TP_WS_REFUSAL_PROTOCOL,
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        size_t len = values[i].value.len;
        uint8_t *copy = malloc(len + (len == 0));
        assert_non_null(copy);
        memcpy(copy, values[i].value.base, len);

        tp_ws_handshake h = good();
        *field_of(&h, values[i].which) = (sio_bytes){copy, len};
        tp_ws_refusal want =
            values[i].fits ? TP_WS_REFUSAL_NONE : refusals[values[i].which];
        tp_ws_refusal got = tp_ws_handshake_check(&h);
        if (got != want) {
            fail_msg("%s: %d, not %d", (const char *)values[i].value.base,
                     (int)got, (int)want);
        }
        free(copy);
    }
}

/* Of several faults the first in order is told. */
static void test_order(void **state)
{
    (void)state;
    tp_ws_handshake h = {.protocol = SIO_LIT("a b")};
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_METHOD);
    h.method_is_get = true;
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_HTTP);
    h.http11 = true;
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_UPGRADE);
    h.upgrade = SIO_LIT("websocket");
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_CONNECTION);
    h.connection = SIO_LIT("upgrade");
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_KEY);
    h.key = SIO_LIT(sample);
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_VERSION);
    h.version = SIO_LIT("8");
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_PROTOCOL);
    h.protocol = SIO_LIT("a");
    h.extensions.malformed = true;
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_EXTENSIONS);
    h.extensions.malformed = false;
    assert_int_equal(tp_ws_handshake_check(&h), TP_WS_REFUSAL_NONE);
}

static void test_statuses(void **state)
{
    (void)state;
    for (int i = TP_WS_REFUSAL_NONE; i <= TP_WS_REFUSAL_EXTENSIONS; i++) {
        unsigned want = i == TP_WS_REFUSAL_NONE     ? 101
                        : i == TP_WS_REFUSAL_METHOD ? 405
                                                    : 400;
        assert_int_equal(tp_ws_refusal_status((tp_ws_refusal)i), want);
        assert_true(tp_ws_refusal_text((tp_ws_refusal)i)[0] != '\0');
    }
}

static const struct {
    sio_bytes offered, first;
} offers[] = {
    {B(""), B("")},
    {B("chat"), B("chat")},
    {B("chat, superchat"), B("chat")},
    {B(" \tb\t,a"), B("b")},
    {B(",, c"), B("c")},
    {B("a b"), B("")},
    {B("good, bad bad"), B("")},
};

static void test_subprotocols(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(offers); i++) {
        sio_bytes got = tp_ws_subprotocol(offers[i].offered);
        assert_true(sio_bytes_eq(got, offers[i].first));
    }
}

static void test_subprotocol_length(void **state)
{
    (void)state;
    uint8_t name[TP_WS_SUBPROTOCOL_MAX + 1];
    memset(name, 'n', sizeof(name));
    sio_bytes longest = {name, TP_WS_SUBPROTOCOL_MAX};
    sio_bytes longer = {name, sizeof(name)};
    assert_true(sio_bytes_eq(tp_ws_subprotocol(longest), longest));
    assert_int_equal(tp_ws_subprotocol(longer).len, 0);
}

/* A megabyte of what makes careless matching slow takes no time to speak of.
 */
static void test_linear(void **state)
{
    (void)state;
    static const char *const units[] = {" ", ",", " ,", "a,", "a ", "\t"};
    size_t size = (size_t)1 << 20;
    uint8_t *text = malloc(size);
    assert_non_null(text);

    for (size_t i = 0; i < COUNT(units); i++) {
        size_t unit = strlen(units[i]);
        for (size_t n = 0; n < size; n++) {
            text[n] = (uint8_t)units[i][n % unit];
        }
        text[0] = 'a';
        text[size - 1] = 'b';
        tp_ws_handshake h = good();
        h.protocol = (sio_bytes){text, size};
        clock_t start = clock();
        (void)tp_ws_handshake_check(&h);
        h.connection = h.protocol;
        (void)tp_ws_handshake_check(&h);
        h.upgrade = h.protocol;
        (void)tp_ws_handshake_check(&h);
        assert_true(clock() - start < CLOCKS_PER_SEC / 2);
    }
    free(text);
}

static const struct {
    sio_bytes key;
    const char *accept;
} keys[] = {
    {B("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
    {B("x3JJHMbDL1EzLkh9GBhXDw=="), "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
};

static void test_accept(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        char *out = malloc(TP_WS_ACCEPT_LEN);
        assert_non_null(out);
        tp_ws_accept_key(keys[i].key, out);
        assert_memory_equal(out, keys[i].accept, TP_WS_ACCEPT_LEN);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_subprotocols),
        cmocka_unit_test(test_subprotocol_length),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
