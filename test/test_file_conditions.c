#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/file_conditions.h"
#include "transport/http_date.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

/* A copy of exactly that size, where ASan sees a byte read too many. */
static sio_bytes copy_of(sio_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len);
    memcpy(copy, bytes.base, bytes.len);
    return (sio_bytes){copy, bytes.len};
}

static void drop(sio_bytes copy)
{
    free((void *)(uintptr_t)copy.base);
}

/* ---------------------------------------------------------- conditions -- */

static void test_etag_lists(void **state)
{
    (void)state;
    static const struct {
        sio_bytes list;
        bool has;
    } rows[] = {
        {B("\"a\""), true},
        {B("W/\"a\""), true},
        {B("*"), true},
        {B(" * "), true},
        {B("\"b\", \"a\""), true},
        {B("\"b\",W/\"a\" ,\"c\""), true},
        {B("\"x,y\",\"a\""), true},
        {B(",, \"a\""), true},
        {B("\"\", \"a\""), true},
        {B("\"b\""), false},
        {B(""), false},
        {B("a"), false},
        {B("\"a"), false},
        {B("\""), false},
        {B("w/\"a\""), false},
        {B("W/"), false},
        {B("W/a"), false},
        {B("\"A\""), false},
        {B("\"aa\""), false},
        {B("*, \"b\""), false},
        {B("\"x,\"a\",\"y\""), false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t len = 0; len <= rows[i].list.len; len++) {
            sio_bytes copy = copy_of((sio_bytes){rows[i].list.base, len});
            bool got = tp_etag_list_has(copy, SIO_LIT("\"a\""));
            drop(copy);
            if (len == rows[i].list.len && got != rows[i].has) {
                fail_msg("list %s", (const char *)rows[i].list.base);
            }
        }
    }
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        sio_bytes value;
        tp_range want;
        uint64_t first, len; /* of 100 bytes */
    } rows[] = {
        {B("bytes=0-"), TP_RANGE_PART, 0, 100},
        {B("bytes=0-0"), TP_RANGE_PART, 0, 1},
        {B("bytes=10-19"), TP_RANGE_PART, 10, 10},
        {B("Bytes=99-"), TP_RANGE_PART, 99, 1},
        {B("bytes= 5-5 "), TP_RANGE_PART, 5, 1},
        {B("bytes=0-99"), TP_RANGE_PART, 0, 100},
        {B("bytes=0-100"), TP_RANGE_PART, 0, 100},
        {B("bytes=90-1000"), TP_RANGE_PART, 90, 10},
        {B("bytes=1-99999999999999999999999"), TP_RANGE_PART, 1, 99},
        {B("bytes=1-18446744073709551615"), TP_RANGE_PART, 1, 99},
        {B("bytes=-1"), TP_RANGE_PART, 99, 1},
        {B("bytes=-100"), TP_RANGE_PART, 0, 100},
        {B("bytes=-1000"), TP_RANGE_PART, 0, 100},
        {B("bytes=-99999999999999999999999"), TP_RANGE_PART, 0, 100},
        {B("bytes=100-"), TP_RANGE_OUTSIDE, 0, 0},
        {B("bytes=100-200"), TP_RANGE_OUTSIDE, 0, 0},
        {B("bytes=99999999999999999999999-"), TP_RANGE_OUTSIDE, 0, 0},
        {B("bytes=18446744073709551617-"), TP_RANGE_OUTSIDE, 0, 0},
        {B("bytes=-0"), TP_RANGE_OUTSIDE, 0, 0},
        {B("bytes=2-1"), TP_RANGE_NONE, 0, 0},
        {B("bytes=-"), TP_RANGE_NONE, 0, 0},
        {B("bytes="), TP_RANGE_NONE, 0, 0},
        {B("bytes"), TP_RANGE_NONE, 0, 0},
        {B(""), TP_RANGE_NONE, 0, 0},
        {B("bytes=1"), TP_RANGE_NONE, 0, 0},
        {B("bytes=1-2-3"), TP_RANGE_NONE, 0, 0},
        {B("bytes=--1"), TP_RANGE_NONE, 0, 0},
        {B("bytes=+1-2"), TP_RANGE_NONE, 0, 0},
        {B("bytes=0x1-2"), TP_RANGE_NONE, 0, 0},
        {B("bytes=1 -2"), TP_RANGE_NONE, 0, 0},
        {B("bytes=0-1,5-6"), TP_RANGE_NONE, 0, 0},
        {B("lines=0-1"), TP_RANGE_NONE, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *label = (const char *)rows[i].value.base;
        for (size_t cut = 0; cut <= rows[i].value.len; cut++) {
            sio_bytes copy = copy_of((sio_bytes){rows[i].value.base, cut});
            uint64_t first = 0, len = 0;
            tp_range got = tp_range_parse(copy, 100, &first, &len);
            drop(copy);
            CHECK(label, got != TP_RANGE_PART || len != 0);
            CHECK(label, first <= 100 && len <= 100 - first);
            if (cut == rows[i].value.len) {
                CHECK(label, got == rows[i].want);
                CHECK(label, first == rows[i].first && len == rows[i].len);
            }
        }
    }
}

#define NOW 1700000000 /* Tue, 14 Nov 2023 22:13:20 GMT */
#define DATE "Tue, 14 Nov 2023 21:00:00 GMT"
#define DATE_SECONDS 1699995600
#define LATER "Tue, 14 Nov 2023 21:00:01 GMT"
#define EARLIER "Tue, 14 Nov 2023 20:59:59 GMT"
#define TAG "\"6553dfd0.7-64\""

static const struct {
    const char *label;
    const char *fields;
    bool head;
    int status;
    uint64_t first, len;
} verdicts[] = {
    {"no condition", "", false, 200, 0, 100},
    {"known tag", "If-None-Match: " TAG "\r\n", false, 304, 0, 0},
    {"known tag of a HEAD", "If-None-Match: " TAG "\r\n", true, 304, 0, 0},
    {"weak tag", "If-None-Match: \"b\", W/" TAG "\r\n", false, 304, 0, 0},
    {"second field", "If-None-Match: \"b\"\r\nif-none-match: *\r\n", false, 304,
     0, 0},
    {"other tag", "If-None-Match: \"b\"\r\n", false, 200, 0, 100},
    {"empty list", "If-None-Match: \r\n", false, 200, 0, 100},
    {"same date", "If-Modified-Since: " DATE "\r\n", false, 304, 0, 0},
    {"later date", "If-Modified-Since: " LATER "\r\n", false, 304, 0, 0},
    {"earlier date", "If-Modified-Since: " EARLIER "\r\n", false, 200, 0, 100},
    {"no date", "If-Modified-Since: now\r\n", false, 200, 0, 100},
    {"two dates",
     "If-Modified-Since: " DATE "\r\nIf-Modified-Since: " DATE "\r\n", false,
     200, 0, 100},
    {"a tag outranks the date",
     "If-None-Match: \"b\"\r\nIf-Modified-Since: " LATER "\r\n", false, 200, 0,
     100},
    {"range", "Range: bytes=5-9\r\n", false, 206, 5, 5},
    {"range of a HEAD", "Range: bytes=5-9\r\n", true, 200, 0, 100},
    {"two fields of ranges", "Range: bytes=5-9\r\nRange: bytes=5-9\r\n", false,
     200, 0, 100},
    {"two ranges", "Range: bytes=5-9,11-12\r\n", false, 200, 0, 100},
    {"outside", "Range: bytes=100-\r\n", false, 416, 0, 0},
    {"range of what is known",
     "Range: bytes=100-\r\nIf-None-Match: " TAG "\r\n", false, 304, 0, 0},
    {"if that tag", "Range: bytes=5-9\r\nIf-Range: " TAG "\r\n", false, 206, 5,
     5},
    {"if that weak tag", "Range: bytes=5-9\r\nIf-Range: W/" TAG "\r\n", false,
     200, 0, 100},
    {"if another tag", "Range: bytes=500-\r\nIf-Range: \"b\"\r\n", false, 200,
     0, 100},
    {"if that date", "Range: bytes=5-9\r\nIf-Range: " DATE "\r\n", false, 206,
     5, 5},
    {"if a later date", "Range: bytes=5-9\r\nIf-Range: " LATER "\r\n", false,
     200, 0, 100},
    {"two conditions on a range",
     "Range: bytes=5-9\r\nIf-Range: " TAG "\r\nIf-Range: " TAG "\r\n", false,
     200, 0, 100},
    {"If-Range alone", "If-Range: \"b\"\r\n", false, 200, 0, 100},
};

static tp_file_verdict judge(bool is_head, const char *fields,
                             const tp_file_facts *facts)
{
    const tp_http_limits limits = TP_HTTP_LIMITS_DEFAULT;
    char request[512];
    tp_http_head head;
    int len =
        snprintf(request, sizeof(request), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n",
                 is_head ? "HEAD" : "GET", fields);
    sio_bytes copy = copy_of((sio_bytes){(uint8_t *)request, (size_t)len});
    assert_int_equal(tp_http_head_parse(copy, &limits, &head), SIO_OK);
    tp_file_verdict verdict = tp_file_judge(&head, facts);
    drop(copy);
    return verdict;
}

static void test_verdicts(void **state)
{
    (void)state;
    tp_file_facts facts;
    const struct timespec modified = {DATE_SECONDS, 7};
    tp_file_facts_set(&facts, 100, modified, NOW);
    assert_string_equal(facts.etag, TAG);
    for (size_t i = 0; i < COUNT(verdicts); i++) {
        tp_file_verdict got =
            judge(verdicts[i].head, verdicts[i].fields, &facts);
        CHECK(verdicts[i].label, got.status == verdicts[i].status);
        CHECK(verdicts[i].label, got.first == verdicts[i].first);
        CHECK(verdicts[i].label, got.len == verdicts[i].len);
    }
    /* Of an empty file there is no part. */
    tp_file_facts_set(&facts, 0, modified, NOW);
    assert_int_equal(judge(false, "Range: bytes=0-\r\n", &facts).status, 200);
    assert_int_equal(judge(false, "Range: bytes=-1\r\n", &facts).status, 200);
    /* A date that may stand for two versions is no proof. */
    tp_file_facts_set(&facts, 100, modified, DATE_SECONDS + 1);
    assert_int_equal(
        judge(false, "Range: bytes=0-1\r\nIf-Range: " DATE "\r\n", &facts)
            .status,
        200);
}

static void test_facts(void **state)
{
    (void)state;
    tp_file_facts a, b;
    tp_file_facts_set(&a, 1, (struct timespec){5, 6}, NOW);
    assert_int_equal(a.modified, 5);
    static const struct {
        uint64_t size;
        struct timespec modified;
    } others[] = {
        {2, {5, 6}},
        {1, {4, 6}},
        {1, {5, 7}},
        {1, {6, 5}},
        {1, {-5, 6}},
        {1, {0x56, 6}},
        {UINT64_MAX, {INT64_MAX, 999999999}},
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        tp_file_facts_set(&b, others[i].size, others[i].modified, NOW);
        assert_string_not_equal(a.etag, b.etag);
        assert_int_equal(b.etag[strlen(b.etag) - 1], '"');
        assert_in_range(b.modified, 0, NOW);
    }
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        sio_bytes text;
        int64_t seconds; /* -1: none */
    } rows[] = {
        {B("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777},
        {B("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777},
        {B("Sun Nov  6 08:49:37 1994"), 784111777},
        {B("Sun Nov 16 08:49:37 1994"), 784975777},
        {B("Thu, 01 Jan 1970 00:00:00 GMT"), 0},
        {B("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164800},
        {B("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800},
        {B("Fri, 31 Dec 9999 23:59:59 GMT"), TP_HTTP_DATE_END - 1},
        {B("Wednesday, 01-Jan-73 00:00:00 GMT"), 3250454400},
        {B("Wednesday, 01-Jan-74 00:00:00 GMT"), 126230400},
        {B("Wed, 29 Feb 2023 00:00:00 GMT"), -1},
        {B("Sun, 00 Nov 1994 08:49:37 GMT"), -1},
        {B("Sun, 32 Dec 1994 08:49:37 GMT"), -1},
        {B("Sun, 06 Nov 1994 24:00:00 GMT"), -1},
        {B("Sun, 06 Nov 1994 08:60:00 GMT"), -1},
        {B("Sun, 06 Nov 1994 08:00:61 GMT"), -1},
        {B("Sun, 06 Nov 1994 08:49:37 UTC"), -1},
        {B("Sun, 06 Nov 1994 08:49:37 GMT "), -1},
        {B("Sun, 6 Nov 1994 08:49:37 GMT"), -1},
        {B("Sun, 06 nov 1994 08:49:37 GMT"), -1},
        {B("Xyz, 06 Nov 1994 08:49:37 GMT"), -1},
        {B("1994-11-06T08:49:37Z"), -1},
        {B("784111777"), -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t len = 0; len <= rows[i].text.len; len++) {
            sio_bytes copy = copy_of((sio_bytes){rows[i].text.base, len});
            int64_t got = -1;
            bool ok = tp_http_date_parse(copy, NOW, &got);
            bool want = len == rows[i].text.len && rows[i].seconds >= 0;
            /* But for the one that goes on behind a whole date. */
            want |= i == 17 && len == TP_HTTP_DATE_LEN;
            drop(copy);
            if (ok != want ||
                (len == rows[i].text.len && got != rows[i].seconds)) {
                fail_msg("date %.*s gives %ld", (int)len,
                         (const char *)rows[i].text.base, (long)got);
            }
        }
    }
}

/* What is written is read, and sorts as the seconds do. */
static void test_date_round_trip(void **state)
{
    (void)state;
    for (int64_t s = 0; s < TP_HTTP_DATE_END; s += 98765431) {
        char text[TP_HTTP_DATE_LEN + 1];
        int64_t got;
        tp_http_date_write(s, text);
        assert_int_equal(strlen(text), TP_HTTP_DATE_LEN);
        assert_true(tp_http_date_parse(
            (sio_bytes){(uint8_t *)text, TP_HTTP_DATE_LEN}, NOW, &got));
        assert_int_equal(got, s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_etag_lists),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_date_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
