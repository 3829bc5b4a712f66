#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/http1.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

static const tp_http_limits limits = TP_HTTP_LIMITS_DEFAULT;

/* A head or the start of one, where ASan sees a byte read too many. */
static uint8_t *copy_of(sio_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len);
    if (bytes.len != 0) {
        assert_non_null(copy);
        memcpy(copy, bytes.base, bytes.len);
    }
    return copy;
}

/* Receives `in` in pieces that end at `cut`, or after each byte if `cut` is
 * 0, and parses the head once it has ended.  `*head` then borrows from
 * `*copy`, which is the caller's to free. */
static sio_error receive(sio_bytes in, size_t cut, const tp_http_limits *lim,
                         tp_http_head *head, uint8_t **copy)
{
    size_t seen = 0, len = 0;
    *copy = NULL;
    for (size_t have = cut == 0 ? 1 : cut; have <= in.len;) {
        free(*copy);
        *copy = copy_of((sio_bytes){in.base, have});
        sio_error err =
            tp_http_head_end((sio_bytes){*copy, have}, seen, lim, &len);
        if (err == SIO_OK) {
            return tp_http_head_parse((sio_bytes){*copy, len}, lim, head);
        }
        if (err != SIO_MORE) {
            return err;
        }
        seen = have;
        have = cut == 0 || have == in.len ? have + 1 : in.len;
    }
    return SIO_MORE;
}

/* `is` of a good head lists what differs from a bodiless, persistent
 * request. */
typedef struct good_head {
    const char *label;
    sio_bytes in;
    tp_http_method method;
    const char *path;
    const char *query; /* NULL: none */
    size_t headers;
    struct {
        bool old; /* HTTP/1.0 */
        bool closing, upgrade, chunked;
        uint64_t length;
        tp_http_expect expect;
        tp_http_form form;
        const char *authority, *host;
    } is;
} good_head;

#define GET TP_HTTP_METHOD_GET
#define POST TP_HTTP_METHOD_POST
#define OTHER TP_HTTP_METHOD_OTHER
#define H11 " HTTP/1.1\r\nHost: a\r\n"
#define H10 " HTTP/1.0\r\n"

// clang-format off
static const good_head goods[] = {
    {"polling GET",
     B("GET /socket.io/?EIO=4&transport=polling&t=abc HTTP/1.1\r\n"
       "Host: localhost:3000\r\nConnection: keep-alive\r\n"
       "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"
       "Cookie: a=b; c=\"d\"\r\n\r\n"),
     GET, "/socket.io/", "EIO=4&transport=polling&t=abc", 5,
     {.host = "localhost:3000"}},
    {"least", B("GET /" H11 "\r\n"), GET, "/", NULL, 1, {.host = "a"}},
    {"WebSocket upgrade",
     B("GET /?x HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\n"
       "upgrade: websocket\r\n\r\n"), GET, "/", "x", 3, {.upgrade = true}},
    {"Upgrade without Connection", B("GET /" H11 "Upgrade: h2c\r\n\r\n"),
     GET, "/", NULL, 2, {0}},
    {"Connection without Upgrade", B("GET /" H11 "Connection: upgrade\r\n\r\n"),
     GET, "/", NULL, 2, {0}},
    {"Upgrade in HTTP/1.0",
     B("GET /" H10 "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
     GET, "/", NULL, 2, {.old = true, .closing = true}},
    {"HTTP/1.0 without Host", B("GET /" H10 "\r\n"),
     GET, "/", NULL, 0, {.old = true, .closing = true}},
    {"HTTP/1.0 keep-alive", B("GET /" H10 "Connection: Keep-Alive\r\n\r\n"),
     GET, "/", NULL, 1, {.old = true}},
    {"close", B("GET /" H11 "Connection: x,\tCLOSE ,\r\n\r\n"),
     GET, "/", NULL, 2, {.closing = true}},
    {"close outranks keep-alive",
     B("GET /" H11 "Connection: close\r\nConnection: keep-alive\r\n\r\n"),
     GET, "/", NULL, 3, {.closing = true}},
    {"closed is not close", B("GET /" H11 "Connection: closed\r\n\r\n"),
     GET, "/", NULL, 2, {0}},
    {"body by length", B("POST /" H11 "Content-Length: 0012\r\n\r\n"),
     POST, "/", NULL, 2, {.length = 12}},
    {"empty body", B("POST /" H11 "content-length:0\r\n\r\n"),
     POST, "/", NULL, 2, {0}},
    {"longest body",
     B("POST /" H11 "Content-Length: 9223372036854775807\r\n\r\n"),
     POST, "/", NULL, 2, {.length = INT64_MAX}},
    {"chunked", B("POST /" H11 "Transfer-Encoding: CHUNKED \r\n\r\n"),
     POST, "/", NULL, 2, {.chunked = true}},
    {"expect", B("POST /" H11 "Expect: 100-Continue\r\n\r\n"),
     POST, "/", NULL, 2, {.expect = TP_HTTP_EXPECT_CONTINUE}},
    {"expect in HTTP/1.0", B("POST /" H10 "Expect: 100-continue\r\n\r\n"),
     POST, "/", NULL, 1, {.old = true, .closing = true}},
    {"unknown expectation", B("POST /" H11 "Expect: 200-ok\r\n\r\n"),
     POST, "/", NULL, 2, {.expect = TP_HTTP_EXPECT_UNKNOWN}},
    {"unknown beside known",
     B("POST /" H11 "Expect: x\r\nExpect: 100-continue\r\n\r\n"),
     POST, "/", NULL, 3, {.expect = TP_HTTP_EXPECT_UNKNOWN}},
    {"HEAD", B("HEAD /" H11 "\r\n"), TP_HTTP_METHOD_HEAD, "/", NULL, 1, {0}},
    {"PUT", B("PUT /" H11 "\r\n"), TP_HTTP_METHOD_PUT, "/", NULL, 1, {0}},
    {"DELETE", B("DELETE /" H11 "\r\n"),
     TP_HTTP_METHOD_DELETE, "/", NULL, 1, {0}},
    {"OPTIONS", B("OPTIONS /" H11 "\r\n"),
     TP_HTTP_METHOD_OPTIONS, "/", NULL, 1, {0}},
    {"PATCH", B("PATCH /" H11 "\r\n"), TP_HTTP_METHOD_PATCH, "/", NULL, 1, {0}},
    {"methods have a case", B("get /" H11 "\r\n"), OTHER, "/", NULL, 1, {0}},
    {"any token", B("M-SEARCH /" H11 "\r\n"), OTHER, "/", NULL, 1, {0}},
    {"asterisk", B("OPTIONS *" H11 "\r\n"),
     TP_HTTP_METHOD_OPTIONS, "*", NULL, 1, {.form = TP_HTTP_FORM_ASTERISK}},
    {"absolute", B("GET http://b.c:80/d?e" H11 "\r\n"), GET, "/d", "e", 1,
     {.form = TP_HTTP_FORM_ABSOLUTE, .authority = "b.c:80", .host = "a"}},
    {"absolute without a path", B("GET HTTPS://[::1]?" H11 "\r\n"),
     GET, "", "", 1,
     {.form = TP_HTTP_FORM_ABSOLUTE, .authority = "[::1]"}},
    {"two question marks", B("GET /?a?b" H11 "\r\n"), GET, "/", "a?b", 1, {0}},
    {"no authority in the origin form", B("GET //b/c" H11 "\r\n"),
     GET, "//b/c", NULL, 1, {0}},
    {"target beyond ASCII", B("GET /\xc3\xbc\"<>\\^`{|}" H11 "\r\n"),
     GET, "/\xc3\xbc\"<>\\^`{|}", NULL, 1, {0}},
    {"blank lines in front", B("\r\n\r\n\r\n\r\nGET /" H11 "\r\n"),
     GET, "/", NULL, 1, {0}},
    {"empty Host", B("GET / HTTP/1.1\r\nHost:\r\n\r\n"),
     GET, "/", NULL, 1, {.host = ""}},
    {"IPv6 Host", B("GET / HTTP/1.1\r\nHost: [fe80::1.2.3.4]:8080\r\n\r\n"),
     GET, "/", NULL, 1, {.host = "[fe80::1.2.3.4]:8080"}},
    {"escaped Host", B("GET / HTTP/1.1\r\nHOST: a%2Fb_c:\r\n\r\n"),
     GET, "/", NULL, 1, {.host = "a%2Fb_c:"}},
    {"empty value", B("GET /" H11 "X:\r\nY: \t \r\n\r\n"),
     GET, "/", NULL, 3, {0}},
    {"tab and obs-text in a value", B("GET /" H11 "X: a\tb\xff\x80\r\n\r\n"),
     GET, "/", NULL, 2, {0}},
    {"hostile field name", B("GET /" H11 "__proto__: 1\r\n\r\n"),
     GET, "/", NULL, 2, {0}},
};
// clang-format on

static bool is_text(sio_bytes got, const char *want)
{
    return want == NULL ? got.base == NULL
                        : got.base != NULL && got.len == strlen(want) &&
                              memcmp(got.base, want, got.len) == 0;
}

static void check_good(const good_head *row, const tp_http_head *got)
{
    bool body = row->is.chunked || row->is.length != 0;
    const char *host = row->is.host;
    CHECK(row->label, got->method == row->method);
    CHECK(row->label, got->version == (row->is.old ? TP_HTTP_VERSION_10
                                                   : TP_HTTP_VERSION_11));
    CHECK(row->label, got->form == row->is.form);
    CHECK(row->label, is_text(got->path, row->path));
    CHECK(row->label, is_text(got->query, row->query));
    CHECK(row->label, is_text(got->authority, row->is.authority));
    CHECK(row->label, host == NULL || is_text(got->host, host));
    CHECK(row->label, (got->host.base == NULL) == row->is.old);
    CHECK(row->label, got->header_count == row->headers);
    CHECK(row->label, got->keep_alive == !row->is.closing);
    CHECK(row->label, got->upgrade == row->is.upgrade);
    CHECK(row->label, got->chunked == row->is.chunked);
    CHECK(row->label, got->content_length == row->is.length);
    CHECK(row->label, got->has_body == body);
    CHECK(row->label, got->expect == row->is.expect);
}

/* Whole, in two pieces cut anywhere, and byte by byte. */
static void test_goods(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goods); i++) {
        for (size_t cut = 0; cut <= goods[i].in.len; cut++) {
            tp_http_head got;
            uint8_t *copy;
            sio_error err = receive(goods[i].in, cut, &limits, &got, &copy);
            CHECK(goods[i].label, err == SIO_OK);
            check_good(&goods[i], &got);
            free(copy);
        }
    }
}

/* A head goes on until its last byte, and not beyond. */
static void test_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goods); i++) {
        sio_bytes in = goods[i].in;
        size_t len = 77;
        for (size_t have = 0; have < in.len; have++) {
            uint8_t *copy = copy_of((sio_bytes){in.base, have});
            sio_bytes prefix = {copy, have};
            sio_error err = tp_http_head_end(prefix, 0, &limits, &len);
            CHECK(goods[i].label, err == SIO_MORE && len == 77);
            tp_http_head got;
            err = tp_http_head_parse(prefix, &limits, &got);
            CHECK(goods[i].label, err < 0);
            free(copy);
        }
        uint8_t twice[1024];
        memcpy(twice, in.base, in.len);
        memcpy(twice + in.len, in.base, in.len);
        sio_error err =
            tp_http_head_end((sio_bytes){twice, 2 * in.len}, 0, &limits, &len);
        CHECK(goods[i].label, err == SIO_OK && len == in.len);
    }
}

#define SYNTAX SIO_ERR_HTTP_SYNTAX
#define FRAMING SIO_ERR_HTTP_FRAMING
#define VERSION SIO_ERR_HTTP_VERSION
#define CODING SIO_ERR_HTTP_CODING
#define LINE(s) B(s "\r\nHost: a\r\n\r\n")
#define FIELD(s) B("POST /" H11 s "\r\n\r\n")
#define HOST(s) B("GET / HTTP/1.1\r\nHost: " s "\r\n\r\n")
#define TE(s) FIELD("Transfer-Encoding: " s)
#define CL(s) FIELD("Content-Length: " s)

// clang-format off
static const struct {
    const char *label;
    sio_bytes in;
    sio_error err;
} bads[] = {
    {"TLS hello", B("\x16\x03\x01\x02"), SYNTAX},
    {"space in front", LINE(" GET / HTTP/1.1"), SYNTAX},
    {"bare CR in front", B("\rGET /" H11 "\r\n"), SYNTAX},
    {"bare LF in front", B("\nGET /" H11 "\r\n"), SYNTAX},
    {"five blank lines", B("\r\n\r\n\r\n\r\n\r\nGET /" H11 "\r\n"), SYNTAX},
    {"HTTP/0.9", B("GET /\r\n\r\n"), SYNTAX},
    {"no target", LINE("GET HTTP/1.1"), SYNTAX},
    {"empty target", LINE("GET  HTTP/1.1"), SYNTAX},
    {"two spaces", LINE("GET  / HTTP/1.1"), SYNTAX},
    {"space in the target", LINE("GET /a b HTTP/1.1"), SYNTAX},
    {"space behind the version", LINE("GET / HTTP/1.1 "), SYNTAX},
    {"tab for a space", LINE("GET\t/ HTTP/1.1"), SYNTAX},
    {"method is no token", LINE("GE(T / HTTP/1.1"), SYNTAX},
    {"fragment", LINE("GET /#a HTTP/1.1"), SYNTAX},
    {"NUL in the target", LINE("GET /\0 HTTP/1.1"), SYNTAX},
    {"DEL in the target", LINE("GET /\x7f HTTP/1.1"), SYNTAX},
    {"CR in the target", LINE("GET /\ra HTTP/1.1"), SYNTAX},
    {"relative target", LINE("GET a/b HTTP/1.1"), SYNTAX},
    {"authority form", LINE("CONNECT a:80 HTTP/1.1"), SYNTAX},
    {"asterisk with GET", LINE("GET * HTTP/1.1"), SYNTAX},
    {"foreign scheme", LINE("GET ftp://a/ HTTP/1.1"), SYNTAX},
    {"absolute without authority", LINE("GET http:///a HTTP/1.1"), SYNTAX},
    {"absolute without a host", LINE("GET http://:80/a HTTP/1.1"), SYNTAX},
    {"user in the authority", LINE("GET http://u@b/ HTTP/1.1"), SYNTAX},
    {"scheme alone", LINE("GET http:// HTTP/1.1"), SYNTAX},
    {"version in lower case", LINE("GET / http/1.1"), SYNTAX},
    {"version with two digits", LINE("GET / HTTP/1.10"), SYNTAX},
    {"version cut short", LINE("GET / HTTP/1"), SYNTAX},
    {"version only", B("GET / HTTP/1.1\n\n"), SYNTAX},
    {"HTTP/1.2", LINE("GET / HTTP/1.2"), VERSION},
    {"HTTP/2 preface", B("PRI * HTTP/2.0\r\n\r\n"), VERSION},
    {"HTTP/0.1", LINE("GET / HTTP/0.1"), VERSION},

    {"bare LF behind the request line", B("GET / HTTP/1.1\nHost: a\r\n\r\n"),
     SYNTAX},
    {"bare LF behind a field", B("GET / HTTP/1.1\r\nHost: a\n\r\n"), SYNTAX},
    {"bare LF as the end", B("GET /" H11 "\n"), SYNTAX},
    {"bare LF throughout", B("GET / HTTP/1.1\nHost: a\n\n"), SYNTAX},
    {"CR CR LF", B("GET /" H11 "X: y\r\r\n\r\n"), SYNTAX},
    {"CVE-2021-22959 space before the colon", FIELD("Content-Length : 5"),
     SYNTAX},
    {"CVE-2021-22959 coding before the colon",
     FIELD("Transfer-Encoding : chunked"), SYNTAX},
    {"CVE-2022-32213 bare CR in a value", TE("chunked\rX"), SYNTAX},
    {"CVE-2022-32215 coding over two lines", TE("chunked\r\n , identity"),
     SYNTAX},
    {"CVE-2022-35256 no colon", FIELD("Transfer-Encoding"), SYNTAX},
    {"CVE-2023-30589 bare CR ends a field",
     FIELD("X: y\rContent-Length: 5"), SYNTAX},
    {"CVE-2024-27982 folded length", FIELD("X: y\r\n Content-Length: 5"),
     SYNTAX},
    {"CVE-2025-23167 head ended by CR", FIELD("X: y\r\n\rZ: 1"), SYNTAX},
    {"folded by a tab", FIELD("X: y\r\n\tz"), SYNTAX},
    {"folded request line", B("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), SYNTAX},
    {"empty name", FIELD(": y"), SYNTAX},
    {"name is no token", FIELD("X@: y"), SYNTAX},
    {"name beyond ASCII", FIELD("X\xc3\xbc: y"), SYNTAX},
    {"NUL in a name", FIELD("X\0: y"), SYNTAX},
    {"NUL in a value", FIELD("X: y\0z"), SYNTAX},
    {"NUL in a long value", FIELD("X: 0123456789\0""123456789"), SYNTAX},
    {"escape in a value", FIELD("X: 0123456\x1b[m"), SYNTAX},
    {"DEL in a value", FIELD("X: 0123456789abcdef\x7f"), SYNTAX},

    {"no Host", B("GET / HTTP/1.1\r\n\r\n"), SYNTAX},
    {"two Host fields", HOST("a\r\nHost: a"), SYNTAX},
    {"two Host fields in HTTP/1.0",
     B("GET /" H10 "Host: a\r\nHost: b\r\n\r\n"), SYNTAX},
    {"Host with a space", HOST("a b"), SYNTAX},
    {"Host with a path", HOST("a/b"), SYNTAX},
    {"Host with a user", HOST("u@a"), SYNTAX},
    {"Host list", HOST("a, b:1"), SYNTAX},
    {"Host with a bad port", HOST("a:8o"), SYNTAX},
    {"Host with two ports", HOST("a:1:2"), SYNTAX},
    {"Host with a bad escape", HOST("a%2"), SYNTAX},
    {"Host beyond ASCII", HOST("\xc3\xbc"), SYNTAX},
    {"open bracket", HOST("[::1"), SYNTAX},
    {"empty brackets", HOST("[]"), SYNTAX},
    {"text behind the bracket", HOST("[::1]a"), SYNTAX},
    {"Host of HTTP/1.0 counts", B("GET /" H10 "Host: a b\r\n\r\n"), SYNTAX},

    {"length without digits", CL(""), FRAMING},
    {"length with a plus", CL("+5"), FRAMING},
    {"length with a minus", CL("-5"), FRAMING},
    {"hexadecimal length", CL("0x5"), FRAMING},
    {"length with a space", CL("1 2"), FRAMING},
    {"length with a dot", CL("5.0"), FRAMING},
    {"length list", CL("5, 5"), FRAMING},
    {"length of 2^63", CL("9223372036854775808"), FRAMING},
    {"length beyond 2^64", CL("18446744073709551621"), FRAMING},
    {"length of 40 digits", CL("9999999999999999999999999999999999999999"),
     FRAMING},
    {"two lengths", CL("5\r\nContent-Length: 6"), FRAMING},
    {"one length twice", CL("5\r\ncontent-length: 5"), FRAMING},
    {"CVE-2019-15605 vertical tab", TE("chunked\x0b"), SYNTAX},
    {"CVE-2019-15605 form feed", TE("\x0c" "chunked"), SYNTAX},
    {"CVE-2019-15605 prefixed", TE("xchunked"), CODING},
    {"CVE-2019-15605 quoted", TE("\"chunked\""), FRAMING},
    {"CVE-2019-15605 two words", TE("chunked chunked"), FRAMING},
    {"CVE-2019-15605 parameter", TE("chunked;a=b"), FRAMING},
    {"CVE-2019-15605 empty element", TE("chunked,"), FRAMING},
    {"CVE-2019-15605 leading comma", TE(", chunked"), FRAMING},
    {"CVE-2019-15605 obs-text", TE("chunked\xa0"), FRAMING},
    {"no coding", TE(""), FRAMING},
    {"CVE-2022-32214 chunked twice", TE("chunked, chunked"), FRAMING},
    {"CVE-2022-32215 chunked not last", TE("chunked, identity"), FRAMING},
    {"gzip then chunked", TE("gzip, chunked"), CODING},
    {"gzip alone", TE("gzip"), CODING},
    {"identity", TE("identity"), CODING},
    {"CVE-2020-8287 two codings",
     TE("chunked\r\nTransfer-Encoding: chunked"), FRAMING},
    {"CVE-2020-8287 second is other",
     TE("chunked\r\nTransfer-Encoding: identity"), FRAMING},
    {"length beside coding", CL("5\r\nTransfer-Encoding: chunked"), FRAMING},
    {"coding beside length", TE("chunked\r\nContent-Length: 5"), FRAMING},
    {"coding in HTTP/1.0",
     B("POST /" H10 "Transfer-Encoding: chunked\r\n\r\n"), FRAMING},
};
// clang-format on

/* However it comes in, a bad head fails alike, and without a further byte. */
static void test_bads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bads); i++) {
        for (size_t cut = 0; cut <= bads[i].in.len; cut++) {
            tp_http_head got;
            uint8_t *copy;
            sio_error err = receive(bads[i].in, cut, &limits, &got, &copy);
            CHECK(bads[i].label, err == bads[i].err);
            free(copy);
        }
    }
}

/* All control bytes at every distance from a value's ends, as values are read
 * eight bytes at a time. */
static void test_value_words(void **state)
{
    (void)state;
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c += c == 0x20 ? 0x5f : 1) {
                char text[128] = "GET /" H11 "X: ";
                size_t head = strlen(text);
                memset(text + head, 'v', len);
                text[head + at] = (char)c;
                memcpy(text + head + len, "\r\n\r\n", 4);
                sio_bytes in = {(const uint8_t *)text, head + len + 4};
                uint8_t *copy = copy_of(in);
                tp_http_head got;
                sio_error err = tp_http_head_parse((sio_bytes){copy, in.len},
                                                   &limits, &got);
                bool want = c == '\t' || c == ' ' || c >= 0x80;
                CHECK("value", (err == SIO_OK) == want);
                free(copy);
            }
        }
    }
}

static void test_size_limit(void **state)
{
    (void)state;
    sio_bytes in = SIO_LIT("GET /path" H11 "X: y\r\n\r\n");
    for (uint32_t max = 0; max <= in.len + 1; max++) {
        tp_http_limits lim = {.max_head = max, .max_headers = 10};
        sio_error want = max < in.len ? SIO_ERR_HTTP_HEADERS : SIO_OK;
        for (size_t cut = 0; cut <= in.len; cut++) {
            tp_http_head got;
            uint8_t *copy;
            CHECK("limit", receive(in, cut, &lim, &got, &copy) == want);
            CHECK("parse", tp_http_head_parse(in, &lim, &got) == want);
            free(copy);
        }
    }
    /* No byte beyond the limit is waited for. */
    tp_http_limits lim = {.max_head = 8, .max_headers = 10};
    size_t len;
    sio_bytes seven = {in.base, 7}, eight = {in.base, 8};
    assert_int_equal(tp_http_head_end(seven, 0, &lim, &len), SIO_MORE);
    assert_int_equal(tp_http_head_end(eight, 7, &lim, &len),
                     SIO_ERR_HTTP_HEADERS);
}

static void test_header_limit(void **state)
{
    (void)state;
    static const struct {
        uint32_t max;
        size_t fields;
        sio_error err;
    } rows[] = {
        {1, 1, SIO_OK},
        {1, 2, SIO_ERR_HTTP_HEADERS},
        {0, 1, SIO_ERR_HTTP_HEADERS},
        {128, 128, SIO_OK},
        {128, 129, SIO_ERR_HTTP_HEADERS},
        {UINT32_MAX, 128, SIO_OK},
        {UINT32_MAX, 129, SIO_ERR_HTTP_HEADERS},
        {UINT32_MAX, 1000, SIO_ERR_HTTP_HEADERS},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[8192] = "GET /" H11;
        size_t len = strlen(text);
        for (size_t n = 1; n < rows[i].fields; n++) {
            memcpy(text + len, "X: y\r\n", 6);
            len += 6;
        }
        memcpy(text + len, "\r\n", 2);
        tp_http_limits lim = {.max_head = 8192, .max_headers = rows[i].max};
        sio_bytes in = {(const uint8_t *)text, len + 2};
        tp_http_head *got = malloc(sizeof(*got));
        assert_non_null(got);
        assert_int_equal(tp_http_head_parse(in, &lim, got), rows[i].err);
        free(got);
    }
}

/* Bytes behind the empty line are none of the head's. */
static void test_length_is_exact(void **state)
{
    (void)state;
    static const sio_bytes rows[] = {
        B("GET /" H11 "\r\n\r\n"), B("\r\n"), {NULL, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        tp_http_head got;
        assert_int_equal(tp_http_head_parse(rows[i], &limits, &got), SYNTAX);
    }
}

static void test_fields(void **state)
{
    (void)state;
    tp_http_head head;
    sio_bytes in = SIO_LIT("GET /" H11 "Cookie:  a \r\nX-Y: 1\r\nCOOKIE: b\r\n"
                           "Empty:\r\n\r\n");
    assert_int_equal(tp_http_head_parse(in, &limits, &head), SIO_OK);
    sio_bytes cookie = SIO_LIT("cookie");
    const tp_http_header *at = tp_http_header_next(&head, cookie, NULL);
    assert_ptr_equal(at, &head.headers[1]);
    assert_true(is_text(at->name, "Cookie"));
    assert_true(is_text(at->value, "a"));
    at = tp_http_header_next(&head, cookie, at);
    assert_ptr_equal(at, &head.headers[3]);
    assert_null(tp_http_header_next(&head, cookie, at));
    assert_int_equal(tp_http_header_count(&head, cookie), 2);
    assert_int_equal(tp_http_header_count(&head, SIO_LIT("x")), 0);
    assert_true(is_text(tp_http_header_find(&head, cookie), "a"));
    assert_true(is_text(tp_http_header_find(&head, SIO_LIT("x-y")), "1"));
    assert_true(is_text(tp_http_header_find(&head, SIO_LIT("empty")), ""));
    assert_null(tp_http_header_find(&head, SIO_LIT("x\ry")).base);
    assert_null(tp_http_header_find(&head, SIO_LIT("origin")).base);
    at = &head.headers[head.header_count - 1];
    assert_null(tp_http_header_next(&head, SIO_LIT("empty"), at));
}

static void test_statuses(void **state)
{
    (void)state;
    static const struct {
        sio_error err;
        int status;
    } rows[] = {
        {SYNTAX, 400},
        {FRAMING, 400},
        {SIO_ERR_TIMEOUT, 408},
        {SIO_ERR_TOO_LARGE, 413},
        {SIO_ERR_HTTP_HEADERS, 431},
        {CODING, 501},
        {VERSION, 505},
        {SIO_ERR_OVERLAP, 400},
        {SIO_ERR_NO_MEMORY, 503},
        {SIO_ERR_IO, 500},
        {SIO_ERR_STATE, 500},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(tp_http_status_of(rows[i].err), rows[i].status);
    }
    static const struct {
        sio_bytes in;
        int status;
    } overflows[] = {
        {B("GET /aaaaaaaaaa"), 414},
        {B("\r\nGET /aaaaaaaa"), 414},
        {B("GET /a HTTP/1.111111"), 431},
        {B("GETGETGETGET"), 431},
        {B("GET / HTTP/1.1\r\nX: yyy"), 431},
        {B("GET /aaaa\n"), 431},
        {{NULL, 0}, 431},
    };
    for (size_t i = 0; i < COUNT(overflows); i++) {
        assert_int_equal(tp_http_overflow_status(overflows[i].in),
                         overflows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goods),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_bads),
        cmocka_unit_test(test_value_words),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_header_limit),
        cmocka_unit_test(test_length_is_exact),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
