#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/origin.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static sio_bytes text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, strlen(s)};
}

/* Reads a copy of exactly that size, where ASan sees a byte read too many;
 * the caller frees `*copy`. */
static const char *read_copy(sio_bytes entry, uint8_t **copy,
                             tp_origin_pattern *out)
{
    *copy = malloc(entry.len + 1) /* never of no bytes */;
    uint8_t *start = *copy + 1;
    if (entry.len != 0) {
        memcpy(start, entry.base, entry.len);
    }
    return tp_origin_pattern_read((sio_bytes){start, entry.len}, out);
}

/* -------------------------------------------------------------- reading -- */

static const char *const good[] = {
    "http://a",
    "https://example.com",
    "https://example.com:8443",
    "http://example.com:443",
    "https://example.com:80",
    "http://localhost:3000",
    "http://127.0.0.1:65535",
    "http://[::1]",
    "http://[::1]:3000",
    "http://[fe80::1]:*",
    "http://localhost:*",
    "https://*.example.com",
    "https://*.example.com:*",
    "https://*.example.com:8443",
    "https://*.localhost",
    "https://app-*.example.com",
    "https://*-app.example.com",
    "https://a.*.example.com",
    "https://a*b.example.com",
    "https://xn--bcher-kva.example",
    "https://under_score.example",
    "null",
    "file://",
    "app://MyBundle",
    "capacitor://localhost",
    "chrome-extension://abcdefghijklmnop",
    "a+b.c-1://x",
};

static const struct {
    const char *entry, *fault; /* a part of what is said */
} bad[] = {
    {"", "no scheme"},
    {"*", "no scheme"},
    {"example.com", "no scheme"},
    {"//example.com", "no scheme"},
    {"https:example.com", "no scheme"},
    {"https:/example.com", "no scheme"},
    {"://example.com", "no scheme"},
    {"HTTPS://example.com", "lower case"},
    {"1a://example.com", "lower case"},
    {"*://example.com", "lower case"},
    {"NULL", "no scheme"},
    {"https://", "no host"},
    {"https://:80", "no host"},
    {"app://:80", "no host"},
    {"https://Example.com", "lower case"},
    {"https://example.com/", "has a path"},
    {"https://example.com/a", "has a path"},
    {"https://*/", "has a path"},
    {"https://example.com?a", "no host has"},
    {"https://user@example.com", "no host has"},
    {"https://example.com\\a", "no host has"},
    {"https://example.com#", "no host has"},
    {"https://ex ample.com", "no host has"},
    {"https://example.com\r\nX: y", "no host has"},
    {"https://ex\xc3\xa4mple.com", "no host has"},
    {"https://example.com%2f", "no host has"},
    {"https://example.com\x7f", "no host has"},
    {"https://a:b:1", "no number"},
    {"https://a:", "is none"},
    {"https://a:0", "is none"},
    {"https://a:080", "is none"},
    {"https://a:65536", "is none"},
    {"https://a:100000", "no number"},
    {"https://a:+1", "no number"},
    {"https://a:8*", "no number"},
    {"https://a:**", "no number"},
    {"http://a:80", "leave out"},
    {"https://a:443", "leave out"},
    {"http://[::1", "malformed"},
    {"http://[::1]x", "malformed"},
    {"http://[::A]", "malformed"},
    {"http://[::*]", "malformed"},
    {"http://[::1]:80", "leave out"},
    {"https://*", "far right"},
    {"https://*:*", "far right"},
    {"https://example.*", "far right"},
    {"https://example.com*", "far right"},
    {"https://example.com.*", "far right"},
    {"https://*.", "far right"},
    {"https://*..", "far right"},
    {"https://*example.com", "far right"},
    {"https://*com", "far right"},
    {"https://a*.com", "far right"},
    {"http://192.168.1.*", "far right"},
    {"https://*.*.example.com", "more than one"},
    {"https://**.example.com", "more than one"},
};

static void test_reading(void **state)
{
    (void)state;
    tp_origin_pattern pattern;
    for (size_t i = 0; i < COUNT(good); i++) {
        uint8_t *copy;
        const char *fault = read_copy(text(good[i]), &copy, &pattern);
        free(copy);
        if (fault != NULL) {
            fail_msg("%s: %s", good[i], fault);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint8_t *copy;
        const char *fault = read_copy(text(bad[i].entry), &copy, &pattern);
        free(copy);
        if (fault == NULL || strstr(fault, bad[i].fault) == NULL) {
            fail_msg("%s: %s", bad[i].entry, fault);
        }
    }
}

static void test_long_entry(void **state)
{
    (void)state;
    uint8_t entry[TP_ORIGIN_MAX + 1];
    tp_origin_pattern pattern;
    memset(entry, 'a', sizeof(entry));
    memcpy(entry, "http://", 7);
    assert_null(
        tp_origin_pattern_read((sio_bytes){entry, TP_ORIGIN_MAX}, &pattern));
    assert_non_null(
        tp_origin_pattern_read((sio_bytes){entry, sizeof(entry)}, &pattern));
}

static void test_exact(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        bool exact;
    } rows[] = {
        {"https://example.com", true},
        {"https://example.com:81", true},
        {"null", true},
        {"https://*.example.com", false},
        {"https://example.com:*", false},
        {"https://*.a.b:*", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        tp_origin_pattern pattern;
        assert_null(tp_origin_pattern_read(text(rows[i].entry), &pattern));
        assert_int_equal(tp_origin_pattern_is_exact(&pattern), rows[i].exact);
    }
}

/* ------------------------------------------------------------- matching -- */

static const struct {
    const char *entry, *origin;
    bool matches;
} pairs[] = {
    {"https://example.com", "https://example.com", true},
    {"https://example.com", "https://example.com.evil.org", false},
    {"https://example.com", "https://evil-example.com", false},
    {"https://example.com", "https://example.co", false},
    {"https://example.com", "http://example.com", false},
    {"https://example.com", "https://EXAMPLE.com", false},
    {"https://example.com", "HTTPS://example.com", false},
    {"https://example.com", "https://example.com:443", false},
    {"https://example.com", "https://example.com/", false},
    {"https://example.com", "https://example.com.", false},
    {"https://example.com", "", false},
    {"https://example.com", "null", false},
    {"https://example.com:81", "https://example.com:81", true},
    {"https://example.com:81", "https://example.com", false},
    {"https://example.com:81", "https://example.com:8", false},
    {"https://example.com:81", "https://example.com:811", false},
    {"null", "null", true},
    {"null", "nul", false},
    {"null", "Null", false},
    {"file://", "file://", true},
    {"file://", "file:///etc", false},
    {"https://*.example.com", "https://a.example.com", true},
    {"https://*.example.com", "https://a.b.example.com", true},
    {"https://*.example.com", "https://xn--a_1.example.com", true},
    {"https://*.example.com", "https://example.com", false},
    {"https://*.example.com", "https://.example.com", false},
    {"https://*.example.com", "https://aexample.com", false},
    {"https://*.example.com", "https://a.example.com.evil.org", false},
    {"https://*.example.com", "https://a.example.com:81", false},
    {"https://*.example.com", "http://a.example.com", false},
    {"https://*.example.com", "https://evil.org/.example.com", false},
    {"https://*.example.com", "https://evil.org?.example.com", false},
    {"https://*.example.com", "https://evil.org#.example.com", false},
    {"https://*.example.com", "https://evil.org@a.example.com", false},
    {"https://*.example.com", "https://evil.org:1.example.com", false},
    {"https://*.example.com", "https://evil.org\\.example.com", false},
    {"https://*.example.com", "https://evil org.example.com", false},
    {"https://*.example.com", "https://evil%2f.example.com", false},
    {"https://*.example.com", "https://A.example.com", false},
    {"https://*.example.com", "https://\xc3\xa4.example.com", false},
    {"https://*.example.com", "https://*.example.com", false},
    {"https://*.example.com", "null", false},
    {"https://*.example.com", "https://", false},
    {"https://*.example.com", "", false},
    {"https://app-*.example.com", "https://app-1.example.com", true},
    {"https://app-*.example.com", "https://app-.example.com", false},
    {"https://app-*.example.com", "https://app1.example.com", false},
    {"https://*aa.example.com", "https://aa.example.com", false},
    {"https://*aa.example.com", "https://aaa.example.com", true},
    {"https://a*a.example.com", "https://aa.example.com", false},
    {"https://a*a.example.com", "https://aba.example.com", true},
    {"http://localhost:*", "http://localhost", true},
    {"http://localhost:*", "http://localhost:1", true},
    {"http://localhost:*", "http://localhost:65535", true},
    {"http://localhost:*", "http://localhost:", false},
    {"http://localhost:*", "http://localhost:123456", false},
    {"http://localhost:*", "http://localhost:1a", false},
    {"http://localhost:*", "http://localhost:1:2", false},
    {"http://localhost:*", "http://localhost1", false},
    {"http://localhost:*", "http://localhost.evil.org:1", false},
    {"http://10.0.0.1:*", "http://10.0.0.1", true},
    {"http://10.0.0.1:*", "http://10.0.0.1:81", true},
    {"http://10.0.0.1:*", "http://10.0.0", false},
    {"http://[::1]:*", "http://[::1]", true},
    {"http://[::1]:*", "http://[::1]:3", true},
    {"http://[::1]:*", "http://[::1", false},
    {"https://*.example.com:*", "https://a.example.com", true},
    {"https://*.example.com:*", "https://a.example.com:9", true},
    {"https://*.example.com:*", "https://example.com:9", false},
    {"https://*.example.com:8443", "https://a.example.com:8443", true},
    {"https://*.example.com:8443", "https://a.example.com", false},
};

static bool matches(const char *entry, sio_bytes origin)
{
    tp_origin_pattern pattern;
    uint8_t *copy = malloc(origin.len + 1);
    assert_null(tp_origin_pattern_read(text(entry), &pattern));
    if (origin.len != 0) {
        memcpy(copy + 1, origin.base, origin.len);
    }
    bool ok = tp_origin_matches(&pattern, (sio_bytes){copy + 1, origin.len});
    free(copy);
    return ok;
}

static void test_matching(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        if (matches(pairs[i].entry, text(pairs[i].origin)) !=
            pairs[i].matches) {
            fail_msg("%s, %s", pairs[i].entry, pairs[i].origin);
        }
    }
}

/* No part of an origin that matches does, but for a port that may be missing
 * or shorter. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        sio_bytes origin = text(pairs[i].origin);
        if (!pairs[i].matches || strstr(pairs[i].entry, ":*") != NULL) {
            continue;
        }
        for (size_t len = 0; len < origin.len; len++) {
            if (matches(pairs[i].entry, (sio_bytes){origin.base, len})) {
                fail_msg("%s, %s: %zu", pairs[i].entry, pairs[i].origin, len);
            }
        }
    }
}

static void test_long_origin(void **state)
{
    (void)state;
    uint8_t origin[TP_ORIGIN_MAX + 1];
    for (size_t len = TP_ORIGIN_MAX - 1; len <= TP_ORIGIN_MAX + 1; len++) {
        memset(origin, 'a', sizeof(origin));
        memcpy(origin, "https://", 8);
        memcpy(origin + len - 12, ".example.com", 12);
        assert_true(
            matches("https://*.example.com", (sio_bytes){origin, len}) ==
            (len <= TP_ORIGIN_MAX));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),  cmocka_unit_test(test_long_entry),
        cmocka_unit_test(test_exact),    cmocka_unit_test(test_matching),
        cmocka_unit_test(test_prefixes), cmocka_unit_test(test_long_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
