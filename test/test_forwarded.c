#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport/forwarded.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Trusted are 10.0.0.0/8 and fd00::/8; the peer is 10.0.0.1 unless a row says
 * otherwise. */
#define PEER "10.0.0.1"

typedef struct rig {
    sio_arena arena;
    tp_trusted trusted;
    tp_stream stream;
} rig;

static void init(rig *r, const char *peer)
{
    const char *why;
    sio_bytes item;
    *r = (rig){0};
    assert_int_equal(tp_trusted_parse("10.0.0.0/8 fd00::/8 unix:", &r->arena,
                                      &r->trusted, &why, &item),
                     SIO_OK);
    r->stream.peer.kind = TP_ADDRESS_UNIX;
    assert_true(
        strcmp(peer, "unix:") == 0 ||
        tp_address_parse((sio_bytes){(const uint8_t *)peer, strlen(peer)},
                         &r->stream.peer));
}

/* Whom a request with these header lines comes from. */
static tp_client read_client(const rig *r, sio_proxy_headers headers,
                             const char *lines)
{
    static const tp_http_limits limits = TP_HTTP_LIMITS_DEFAULT;
    char text[1024];
    tp_http_head head;
    int len = snprintf(text, sizeof(text),
                       "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", lines);
    /* From memory of exactly that size. */
    uint8_t *copy = malloc((size_t)len);
    memcpy(copy, text, (size_t)len);
    assert_int_equal(
        tp_http_head_parse((sio_bytes){copy, (size_t)len}, &limits, &head),
        SIO_OK);
    tp_client client = tp_client_of(&r->stream, &head, &r->trusted, headers);
    free(copy);
    return client;
}

typedef struct row {
    const char *lines, *client;
    bool secure;
} row;

static void expect(const rig *r, sio_proxy_headers headers, const row *want)
{
    char text[TP_ADDRESS_SIZE];
    tp_client got = read_client(r, headers, want->lines);
    (void)tp_address_text(&got.address, text);
    if (strcmp(text, want->client) != 0 || got.secure != want->secure) {
        fail_msg("%s: %s, secure %d", want->lines, text, got.secure);
    }
}

/* ----------------------------------------------------------- X-Forwarded- --
 */

#define FOR "X-Forwarded-For: "
#define PROTO "X-Forwarded-Proto: "

static void test_x_forwarded(void **state)
{
    static const row rows[] = {
        {"", PEER, false},
        {FOR "192.0.2.1\r\n", "192.0.2.1", false},
        {"x-FORWARDED-for:192.0.2.1\r\n", "192.0.2.1", false},
        {FOR "2001:db8::1\r\n", "2001:db8::1", false},
        {FOR "[2001:db8::1]\r\n", "2001:db8::1", false},
        {FOR "[2001:db8::1]:443\r\n", "2001:db8::1", false},
        {FOR "192.0.2.1:50000\r\n", "192.0.2.1", false},
        {FOR "::ffff:192.0.2.1\r\n", "192.0.2.1", false},
        /* The last that is not trusted; what stands before it is a claim. */
        {FOR "192.0.2.1, 192.0.2.2\r\n", "192.0.2.2", false},
        {FOR "192.0.2.1, 10.0.0.2\r\n", "192.0.2.1", false},
        {FOR "192.0.2.1,192.0.2.2 ,10.0.0.3, fd00::1\r\n", "192.0.2.2", false},
        {FOR "10.0.0.9, 192.0.2.2, 10.0.0.2\r\n", "192.0.2.2", false},
        {FOR "192.0.2.1\r\n" FOR "10.0.0.2\r\n", "192.0.2.1", false},
        {FOR "192.0.2.1\r\n" FOR "192.0.2.2\r\n", "192.0.2.2", false},
        /* Only proxies: the first of them. */
        {FOR "10.0.0.2\r\n", "10.0.0.2", false},
        {FOR "10.0.0.2, 10.0.0.3\r\n", "10.0.0.2", false},
        /* What is no address hides what stands before it. */
        {FOR "unknown\r\n", PEER, false},
        {FOR "192.0.2.1, unknown\r\n", PEER, false},
        {FOR "192.0.2.1, unknown, 10.0.0.2\r\n", "10.0.0.2", false},
        {FOR "192.0.2.1, unknown, 10.0.0.2, 10.0.0.3\r\n", "10.0.0.2", false},
        {FOR "192.0.2.1, unix:\r\n", PEER, false},
        {FOR "192.0.2.1,\r\n", PEER, false},
        {FOR "192.0.2.1, , 10.0.0.2\r\n", "10.0.0.2", false},
        {FOR "\r\n", PEER, false},
        {FOR "192.0.2.1\r\n" FOR "\r\n", PEER, false},
        {FOR "192.0.2.1 192.0.2.2\r\n", PEER, false},
        {FOR "192.0.2.1:\r\n", PEER, false},
        {FOR "192.0.2.1:x\r\n", PEER, false},
        {FOR "192.0.2.1:123456\r\n", PEER, false},
        {FOR "[192.0.2.1]\r\n", PEER, false},
        {FOR "[2001:db8::1\r\n", PEER, false},
        {FOR "[2001:db8::1]443\r\n", PEER, false},
        {FOR "[]\r\n", PEER, false},
        {FOR "[\r\n", PEER, false},
        {FOR ":1\r\n", PEER, false},
        {FOR "\"192.0.2.1\"\r\n", PEER, false},
        {FOR "0192.0.2.1\r\n", PEER, false},
        /* Another header, which a client may have set. */
        {"Forwarded: for=192.0.2.1;proto=https\r\n", PEER, false},
        {"X-Real-IP: 192.0.2.1\r\n", PEER, false},
        /* The protocol. */
        {PROTO "https\r\n", PEER, true},
        {PROTO "HTTPS\r\n", PEER, true},
        {PROTO "wss\r\n", PEER, true},
        {PROTO "http\r\n", PEER, false},
        {PROTO "\r\n", PEER, false},
        {PROTO "httpsx\r\n", PEER, false},
        {FOR "192.0.2.1\r\n" PROTO "https\r\n", "192.0.2.1", true},
        {FOR "192.0.2.1, 10.0.0.2\r\n" PROTO "https\r\n", "192.0.2.1", true},
        {FOR "192.0.2.1, 10.0.0.2\r\n" PROTO "https, http\r\n", "192.0.2.1",
         true},
        {FOR "192.0.2.1, 10.0.0.2\r\n" PROTO "https\r\n" PROTO "http\r\n",
         "192.0.2.1", true},
        {FOR "192.0.2.1, 192.0.2.2\r\n" PROTO "https, http\r\n", "192.0.2.2",
         false},
        {FOR "192.0.2.1\r\n" PROTO "https, http\r\n", "192.0.2.1", false},
        {PROTO "https, http\r\n", PEER, false},
        {FOR "x\r\n" PROTO "http, https\r\n", PEER, true},
    };
    rig r;
    (void)state;
    init(&r, PEER);
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&r, SIO_PROXY_HEADERS_X_FORWARDED, &rows[i]);
    }
    sio_arena_deinit(&r.arena);
}

/* -------------------------------------------------------------- Forwarded --
 */

#define F "Forwarded: "
#define X20 "xxxxxxxxxxxxxxxxxxxx"

static void test_forwarded(void **state)
{
    static const row rows[] = {
        {"", PEER, false},
        {F "for=192.0.2.1\r\n", "192.0.2.1", false},
        {F "For=192.0.2.1;Proto=https;by=203.0.113.43;host=a\r\n", "192.0.2.1",
         true},
        {F "for=\"192.0.2.1\"\r\n", "192.0.2.1", false},
        {F "for=\"192.0.2.1:4711\"\r\n", "192.0.2.1", false},
        {F "for=\"[2001:db8::1]\"\r\n", "2001:db8::1", false},
        {F "for=\"[2001:db8::1]:4711\"\r\n", "2001:db8::1", false},
        {F "for=\"[2001:db8::1]:_port\"\r\n", "2001:db8::1", false},
        {F "for=\"\\1\\92.0.2.1\"\r\n", "192.0.2.1", false},
        {F "proto=https;for=192.0.2.1\r\n", "192.0.2.1", true},
        {F "for=192.0.2.1 ; proto=https\r\n", "192.0.2.1", true},
        {F "for=192.0.2.1;;proto=https;\r\n", "192.0.2.1", true},
        {F "for=192.0.2.1;ext=\"a, for=10.0.0.2; \\\"\"\r\n", "192.0.2.1",
         false},
        {F "for=192.0.2.1, for=192.0.2.2\r\n", "192.0.2.2", false},
        {F "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http\r\n",
         "192.0.2.1", true},
        {F "for=192.0.2.1;proto=https,for=192.0.2.2\r\n", "192.0.2.2", false},
        {F "for=192.0.2.1\r\n" F "for=10.0.0.2\r\n", "192.0.2.1", false},
        {F "for=192.0.2.1\r\n" F "for=192.0.2.2\r\n", "192.0.2.2", false},
        {F "for=10.0.0.2, for=10.0.0.3\r\n", "10.0.0.2", false},
        /* What hides itself. */
        {F "for=unknown\r\n", PEER, false},
        {F "for=192.0.2.1, for=_hidden\r\n", PEER, false},
        {F "for=192.0.2.1, for=_hidden, for=10.0.0.2\r\n", "10.0.0.2", false},
        {F "for=192.0.2.1, proto=https\r\n", PEER, true},
        {F "for=192.0.2.1, for=unknown;proto=https\r\n", PEER, true},
        {F "proto=https\r\n", PEER, true},
        {F "for=192.0.2.1,, for=10.0.0.2\r\n", "10.0.0.2", false},
        {F "for=" X20 X20 X20 X20 "\r\n", PEER, false},
        {F "for=\"" X20 X20 X20 X20 "\"\r\n", PEER, false},
        /* What is malformed says nothing, nor does what stands before it. */
        {F "for=192.0.2.1, for=10.0.0.2;for=10.0.0.2\r\n", PEER, false},
        {F "for=192.0.2.1;proto=https;proto=https\r\n", PEER, false},
        {F "for=192.0.2.1, for=\"10.0.0.2\r\n", PEER, false},
        {F "for=192.0.2.1, for=\"10.0.0.2\\\r\n", PEER, false},
        {F "for=192.0.2.1, for=\r\n", PEER, false},
        {F "for=192.0.2.1, for\r\n", PEER, false},
        {F "for=192.0.2.1, =x\r\n", PEER, false},
        {F "for=192.0.2.1, for =10.0.0.2\r\n", PEER, false},
        {F "for=192.0.2.1 for=10.0.0.2\r\n", PEER, false},
        {F "for=\"10.0.0.2\"x\r\n", PEER, false},
        {F "for=[2001:db8::1]\r\n", PEER, false},
        {F "for=192.0.2.9:1\r\n", PEER, false},
        {F "for=192.0.2.1, \"\r\n" F "for=10.0.0.2\r\n", "10.0.0.2", false},
        {F "\"\r\n" F "for=192.0.2.1;proto=https\r\n", "192.0.2.1", true},
        {F "\r\n", PEER, false},
        {F ",\r\n", PEER, false},
        /* Other headers. */
        {FOR "192.0.2.1\r\n" PROTO "https\r\n", PEER, false},
    };
    rig r;
    (void)state;
    init(&r, PEER);
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(&r, SIO_PROXY_HEADERS_FORWARDED, &rows[i]);
    }
    sio_arena_deinit(&r.arena);
}

/* -------------------------------------------------------- who is believed --
 */

#define ALL                                                                    \
    FOR "192.0.2.1\r\n" PROTO "https\r\n" F "for=192.0.2.2;proto=https\r\n"

static void test_belief(void **state)
{
    static const struct {
        const char *peer;
        bool believed;
    } rows[] = {
        {"10.255.0.1", true}, {"fd00::1", true},    {"unix:", true},
        {"11.0.0.1", false},  {"192.0.2.7", false}, {"fe00::1", false},
        {"::1", false},       {"127.0.0.1", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig r;
        bool believed = rows[i].believed;
        init(&r, rows[i].peer);
        expect(&r, SIO_PROXY_HEADERS_X_FORWARDED,
               &(row){ALL, believed ? "192.0.2.1" : rows[i].peer, believed});
        expect(&r, SIO_PROXY_HEADERS_FORWARDED,
               &(row){ALL, believed ? "192.0.2.2" : rows[i].peer, believed});
        expect(&r, SIO_PROXY_HEADERS_NONE, &(row){ALL, rows[i].peer, false});
        /* A PROXY header has not said who it is. */
        r.stream.nameless = true;
        expect(&r, SIO_PROXY_HEADERS_X_FORWARDED,
               &(row){ALL, rows[i].peer, false});
        sio_arena_deinit(&r.arena);
    }
}

/* A connection that is secure stays so, unless the proxy knows better. */
static void test_secure_stream(void **state)
{
    rig r;
    (void)state;
    init(&r, PEER);
    r.stream.secure = true;
    expect(&r, SIO_PROXY_HEADERS_X_FORWARDED, &(row){"", PEER, true});
    expect(&r, SIO_PROXY_HEADERS_X_FORWARDED,
           &(row){FOR "192.0.2.1\r\n", "192.0.2.1", true});
    expect(&r, SIO_PROXY_HEADERS_X_FORWARDED,
           &(row){PROTO "http\r\n", PEER, false});
    expect(&r, SIO_PROXY_HEADERS_FORWARDED,
           &(row){F "for=192.0.2.1\r\n", "192.0.2.1", true});
    expect(&r, SIO_PROXY_HEADERS_FORWARDED,
           &(row){F "proto=http\r\n", PEER, false});
    sio_arena_deinit(&r.arena);
    init(&r, "192.0.2.7");
    r.stream.secure = true;
    expect(&r, SIO_PROXY_HEADERS_X_FORWARDED,
           &(row){PROTO "http\r\n", "192.0.2.7", true});
    sio_arena_deinit(&r.arena);
}

static void test_no_list(void **state)
{
    rig r;
    tp_http_head head = {0};
    (void)state;
    init(&r, PEER);
    tp_client got =
        tp_client_of(&r.stream, &head, NULL, SIO_PROXY_HEADERS_X_FORWARDED);
    assert_memory_equal(&got.address, &r.stream.peer, sizeof(got.address));
    assert_false(got.secure);
    sio_arena_deinit(&r.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x_forwarded),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_belief),
        cmocka_unit_test(test_secure_stream),
        cmocka_unit_test(test_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
