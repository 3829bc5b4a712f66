#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/request.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void check(sio_bytes got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_string_equal((const char *)got.base, want); /* NUL-terminated */
}

static eio_header header(const char *name, const char *value)
{
    return (eio_header){{(const uint8_t *)name, strlen(name)},
                        {(const uint8_t *)value, strlen(value)}};
}

static const struct {
    const char *url, *path, *query;
} targets[] = {
    {"/socket.io/?EIO=4&transport=polling", "/socket.io/",
     "EIO=4&transport=polling"},
    {"/socket.io/", "/socket.io/", ""},
    {"/socket.io/?", "/socket.io/", ""},
    {"http://h/p?q", "/p", "q"},
    {"/p?q", "/p", "other"}, /* decoded, say */
    {"", "", ""},
};

static void test_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        eio_request_parts parts = {
            .method = SIO_LIT("OPTIONS"),
            .url = {(const uint8_t *)targets[i].url, strlen(targets[i].url)},
            .path = {(const uint8_t *)targets[i].path, strlen(targets[i].path)},
            .query = {(const uint8_t *)targets[i].query,
                      strlen(targets[i].query)},
            .address = SIO_LIT("2001:db8::1"),
            .issued = 1234567890123,
            .secure = i % 2 == 0,
        };
        if (i % 2 == 0) {
            parts.subject = SIO_LIT("O=Acme, CN=anna");
        }
        eio_request *r = eio_request_new(&parts);
        assert_non_null(r);
        check(eio_request_method(r), "OPTIONS");
        check(eio_request_url(r), targets[i].url);
        check(eio_request_path(r), targets[i].path);
        check(eio_request_query(r), targets[i].query);
        check(eio_request_address(r), "2001:db8::1");
        assert_string_equal(eio_request_peer(r), "2001:db8::1");
        assert_true(r->issued == 1234567890123);
        assert_int_equal(r->secure, i % 2 == 0);
        if (i % 2 == 0) {
            assert_string_equal(eio_request_subject(r), "O=Acme, CN=anna");
        } else {
            assert_null(eio_request_subject(r));
        }
        eio_request_unref(eio_request_ref(r));
        eio_request_unref(r);
    }
}

/* Names that are kept as a code, those that are none, and what is near. */
static void test_headers(void **state)
{
    (void)state;
    const eio_header headers[] = {
        header("Host", "example.org"),
        header("X-Own", "1"),
        header("x-own", "2"),
        header("Hosts", "not host"),
        header("Hos", ""),
        header("SEC-WEBSOCKET-VERSION", "13"),
        header("User-Agent", "\xff\x80 bytes"),
        header("Accept", "*/*"),
        header("x-request-id", ""),
    };
    static const char *const names[] = {
        "host",       "x-own",  "x-own",
        "hosts",      "hos",    "sec-websocket-version",
        "user-agent", "accept", "x-request-id"};
    eio_request_parts parts = {.method = SIO_LIT("GET"),
                               .headers = headers,
                               .header_count = COUNT(headers)};
    eio_request *r = eio_request_new(&parts);
    assert_non_null(r);
    eio_headers walk = eio_request_headers(r);
    eio_header got;
    for (size_t i = 0; i < COUNT(headers); i++) {
        assert_true(eio_headers_next(&walk, &got));
        check(got.name, names[i]);
        check(got.value, (const char *)headers[i].value.base);
    }
    assert_false(eio_headers_next(&walk, &got));
    check(eio_request_header(r, SIO_LIT("x-own")), "1");
    check(eio_request_header(r, SIO_LIT("hos")), "");
    assert_null(eio_request_header(r, SIO_LIT("ho")).base);
    assert_null(eio_request_header(r, SIO_LIT("cookie")).base);
    eio_request_unref(r);
}

static void test_limits(void **state)
{
    (void)state;
    static uint8_t long_method[256];
    memset(long_method, 'M', sizeof(long_method));
    eio_request_parts parts = {.method = {long_method, 255}};
    eio_request *r = eio_request_new(&parts);
    assert_non_null(r);
    assert_int_equal(eio_request_method(r).len, 255);
    eio_request_unref(r);
    parts.method.len = 256;
    assert_null(eio_request_new(&parts));
    eio_request_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
