#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/files_folder.h"
#include "test/files_peer.h"
#include "transport/files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

/* Of www/a.txt. */
#define DATE "Tue, 14 Nov 2023 22:13:20 GMT"
#define TAG "\"6553f100.0-5\""
#define PLAIN "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"

/* ---------------------------------------------------------- the folder -- */

static tp_files *files;

static int make_all(void **state)
{
    (void)state;
    folder_make();
    assert_int_equal(tp_files_new(folder_path("www"), NULL, &files), SIO_OK);
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    tp_files_free(files);
    tp_files_free(NULL);
    folder_remove();
    return 0;
}

/* Every test gives back what it has opened. */
static size_t descriptors;

static int count_descriptors(void **state)
{
    (void)state;
    descriptors = open_descriptors();
    return 0;
}

static int compare_descriptors(void **state)
{
    (void)state;
    return open_descriptors() == descriptors ? 0 : -1;
}

/* --------------------------------------------------------------- tests -- */

/* Serves under the prefix `arg`. */
static bool serve(void *arg, tp_http_conn *conn, const tp_http_request *req,
                  sio_bytes path)
{
    size_t skip = strlen(arg);
    assert_memory_equal(path.base, arg, skip);
    return tp_files_serve(files, conn, req,
                          (sio_bytes){path.base + skip, path.len - skip},
                          SIO_LIT("X-Extra: yes\r\n"));
}

static void ask(const char *method, const char *target, const char *fields,
                reply *out)
{
    peer_ask(serve, "/files", method,
             (sio_bytes){(const uint8_t *)target, strlen(target)}, fields, out);
}

static bool is(sio_bytes bytes, const char *text)
{
    return sio_bytes_eq(bytes,
                        (sio_bytes){(const uint8_t *)text, strlen(text)});
}

static void test_served(void **state)
{
    (void)state;
    static const struct {
        const char *target, *type, *body;
    } rows[] = {
        {"/files/a.txt", PLAIN, "hello"},
        {"/files/a.txt?x=/../secret", PLAIN, "hello"},
        {"/files/%61%2etxt", PLAIN, "hello"},
        {"http://a/files/a.txt", PLAIN, "hello"},
        {"/files/", HTML, "root"},
        {"/files/index.html", HTML, "root"},
        {"/files/docs/", HTML, "docs"},
        {"/files/docs/index.html", HTML, "docs"},
        {"/files/docs/b%3F.js", "text/javascript; charset=utf-8", "js"},
        {"/files/s%20p/", HTML, "space"},
        {"/files/empty.txt", PLAIN, ""},
        {"/files/inside", "application/octet-stream", "hello"},
        {"/files/inside_folder/", HTML, "docs"},
        {"/files/%252e%252e", "application/octet-stream", "named so"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        reply r;
        char len[24];
        ask("GET", rows[i].target, "", &r);
        (void)snprintf(len, sizeof(len), "%zu", strlen(rows[i].body));
        CHECK(rows[i].target, r.status == 200);
        CHECK(rows[i].target, is(r.body, rows[i].body));
        CHECK(rows[i].target,
              is(reply_field(&r, "Content-Type"), rows[i].type));
        CHECK(rows[i].target, is(reply_field(&r, "Content-Length"), len));
        CHECK(rows[i].target, is(reply_field(&r, "X-Extra"), "yes"));
        CHECK(rows[i].target,
              is(reply_field(&r, "Cache-Control"), "public, max-age=0"));
        CHECK(rows[i].target,
              is(reply_field(&r, "X-Content-Type-Options"), "nosniff"));
        CHECK(rows[i].target, reply_field(&r, "ETag").len > 2);
        CHECK(rows[i].target, reply_field(&r, "Last-Modified").len == 29);
        reply_deinit(&r);
    }
}

static const sio_bytes refused[] = {
    B("/.."),
    B("/../"),
    B("/../secret"),
    B("/../../secret"),
    B("/./a.txt"),
    B("/docs/../a.txt"),
    B("/docs/../../secret"),
    B("/docs/.."),
    B("/docs/../"),
    B("/%2e%2e/secret"),
    B("/%2E%2E/secret"),
    B("/.%2e/secret"),
    B("/%2e./secret"),
    B("/%2e%2e%2fsecret"),
    B("/..%2fsecret"),
    B("/..%2Fsecret"),
    B("/docs/%2e%2e/%2e%2e/secret"),
    B("/docs%2f..%2f..%2fsecret"),
    B("/%252e%252e/secret"),
    B("/%252e%252e%252fsecret"),
    B("/%25252e%25252e/secret"),
    B("/..\\secret"),
    B("/..%5csecret"),
    B("/%2e%2e%5csecret"),
    B("/..%c0%afsecret"),
    B("/%c0%ae%c0%ae/secret"),
    B("/%e0%80%ae%e0%80%ae/secret"),
    B("/%uff0e%uff0e/secret"),
    B("/%u002e%u002e/secret"),
    B("/..;/secret"),
    B("/.../secret"),
    B("/....//secret"),
    B("/..%00/secret"),
    B("/..%0d%0a/secret"),
    B("/a.txt%00"),
    B("/a.txt%00.html"),
    B("/%00"),
    B("//etc/passwd"),
    B("///etc/passwd"),
    B("/%2fetc/passwd"),
    B("/%2f%2fetc%2fpasswd"),
    B("//a.txt"),
    B("/docs//index.html"),
    B("/a.txt/"),
    B("/a.txt/."),
    B("/a.txt/.."),
    B("/.env"),
    B("/%2eenv"),
    B("/.git/config"),
    B("/.git/"),
    B("/docs/.git"),
    B("/%"),
    B("/%2"),
    B("/a.txt%"),
    B("/out"),
    B("/out/"),
    B("/out_folder"),
    B("/out_folder/"),
    B("/out_folder/secret"),
    B("/absolute"),
    B("/root/etc/passwd"),
    B("/root"),
    B("/magic/etc/passwd"),
    B("/round"),
    B("/loop"),
    B("/pipe"),
    B("/pipe/"),
    B("/empty"),
    B("/empty/"),
    B("/folder"),
    B("/folder/"),
    B("/nothing"),
    B("/docs/nothing"),
    B(".txt"),
    B("a.txt"),
    B("x/a.txt"),
    B("../secret"),
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        reply r;
        sio_buf target = {0};
        assert_int_equal(sio_buf_append(&target, SIO_LIT("/files")), SIO_OK);
        assert_int_equal(sio_buf_append(&target, refused[i]), SIO_OK);
        peer_ask(serve, "/files", "GET", sio_buf_view(&target), "", &r);
        CHECK((const char *)refused[i].base, r.status == 404);
        CHECK((const char *)refused[i].base, r.body.len == 0);
        reply_deinit(&r);
        sio_buf_deinit(&target);
    }
}

/* A name as long as a request may make it. */
static void test_long(void **state)
{
    (void)state;
    static const size_t lengths[] = {255, 256, 4090, 4095, 4096, 16000};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        for (size_t step = 1; step <= 2; step++) {
            char *target = calloc(1, lengths[i] + 8);
            reply r;
            memcpy(target, "/files/", 7);
            for (size_t k = 0; k < lengths[i]; k++) {
                target[7 + k] = step == 2 && k % 2 == 1 ? '/' : 'x';
            }
            ask("GET", target, "", &r);
            assert_int_equal(r.status, 404);
            reply_deinit(&r);
            free(target);
        }
    }
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const methods[] = {"POST",    "PUT",   "DELETE",
                                          "OPTIONS", "PATCH", "PROPFIND"};
    reply r;
    for (size_t i = 0; i < COUNT(methods); i++) {
        ask(methods[i], "/files/a.txt", "", &r);
        CHECK(methods[i], r.status == 404);
        reply_deinit(&r);
    }
    ask("HEAD", "/files/a.txt", "Range: bytes=1-2\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.len, 0);
    assert_true(is(reply_field(&r, "Content-Length"), "5"));
    assert_true(is(reply_field(&r, "Content-Type"), PLAIN));
    assert_true(is(reply_field(&r, "ETag"), TAG));
    reply_deinit(&r);
}

static void test_moved(void **state)
{
    (void)state;
    static const struct {
        const char *target, *location;
    } rows[] = {
        {"/files/docs", "/files/docs/"},
        {"/files/docs?a=b&c", "/files/docs/?a=b&c"},
        {"/files/docs?", "/files/docs/?"},
        {"/files", "/files/"},
        {"/files?x", "/files/?x"},
        {"/files/inside_folder", "/files/inside_folder/"},
        {"/files/s%20p", "/files/s%20p/"},
        {"/files/docs?\"<\xc3\xa9>", "/files/docs/?%22%3C%C3%A9%3E"},
        {"http://a/files/docs?x", "/files/docs/?x"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        reply r;
        ask("GET", rows[i].target, "", &r);
        CHECK(rows[i].target, r.status == 301);
        CHECK(rows[i].target,
              is(reply_field(&r, "Location"), rows[i].location));
        CHECK(rows[i].target, is(reply_field(&r, "X-Extra"), "yes"));
        CHECK(rows[i].target, r.body.len == 0);
        reply_deinit(&r);
    }
}

/* The folder may be put anywhere, with a slash or without. */
static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *target;
        int status;
    } rows[] = {
        {"/", "/a.txt", 200},     {"", "/a.txt", 200},
        {"/", "/", 200},          {"", "/", 200},
        {"/", "/docs", 301},      {"", "/docs", 301},
        {"/", "//a.txt", 404},    {"", "//a.txt", 404},
        {"/", "//docs", 404},     {"", "//docs", 404},
        {"/", "/\\docs", 404},    {"", "/\\docs", 404},
        {"/", "///docs", 404},    {"/b/", "/b/docs", 301},
        {"/b/", "/b//docs", 404}, {"/b/", "/b/", 200},
        {"/b", "/b/docs/", 200},  {"", "http://a", 200},
        {"/b", "/ba.txt", 404},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        reply r;
        char prefix[8];
        sio_bytes target = {(const uint8_t *)rows[i].target,
                            strlen(rows[i].target)};
        (void)snprintf(prefix, sizeof(prefix), "%s", rows[i].prefix);
        peer_ask(serve, prefix, "GET", target, "", &r);
        CHECK(rows[i].target, r.status == rows[i].status);
        reply_deinit(&r);
    }
}

static void test_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        int status;
        const char *body, *range; /* NULL: no such field */
    } rows[] = {
        {"If-None-Match: " TAG "\r\n", 304, "", NULL},
        {"If-None-Match: \"x\", W/" TAG "\r\n", 304, "", NULL},
        {"If-None-Match: *\r\n", 304, "", NULL},
        {"If-None-Match: \"x\"\r\n", 200, "hello", NULL},
        {"If-Modified-Since: " DATE "\r\n", 304, "", NULL},
        {"If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n", 200, "hello",
         NULL},
        {"Range: bytes=1-3\r\n", 206, "ell", "bytes 1-3/5"},
        {"Range: bytes=4-\r\n", 206, "o", "bytes 4-4/5"},
        {"Range: bytes=-2\r\n", 206, "lo", "bytes 3-4/5"},
        {"Range: bytes=0-99\r\n", 206, "hello", "bytes 0-4/5"},
        {"Range: bytes=5-\r\n", 416, "", "bytes */5"},
        {"Range: bytes=0-0,2-2\r\n", 200, "hello", NULL},
        {"Range: bytes=1-3\r\nIf-Range: " TAG "\r\n", 206, "ell",
         "bytes 1-3/5"},
        {"Range: bytes=1-3\r\nIf-Range: " DATE "\r\n", 206, "ell",
         "bytes 1-3/5"},
        {"Range: bytes=1-3\r\nIf-Range: \"x\"\r\n", 200, "hello", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        reply r;
        ask("GET", "/files/a.txt", rows[i].fields, &r);
        sio_bytes range = reply_field(&r, "Content-Range");
        bool tagged = is(reply_field(&r, "ETag"), TAG);
        CHECK(rows[i].fields, r.status == rows[i].status);
        CHECK(rows[i].fields, is(r.body, rows[i].body));
        CHECK(rows[i].fields, rows[i].range != NULL ? is(range, rows[i].range)
                                                    : range.base == NULL);
        CHECK(rows[i].fields, tagged == (r.status != 416));
        CHECK(rows[i].fields, (reply_field(&r, "Content-Type").base != NULL) ==
                                  (r.status < 300));
        reply_deinit(&r);
    }
}

/* --------------------------------------------------------- large files -- */

static void open_big(peer *p)
{
    peer_open(p, serve, "/files");
    peer_send(p, SIO_LIT("GET /files/big.bin HTTP/1.1\r\nHost: a\r\n"
                         "Connection: close\r\n\r\n"));
}

static void test_slow_reader(void **state)
{
    (void)state;
    peer p;
    reply r = {0};
    open_big(&p);
    assert_false(peer_read(&p, 3000, SIZE_MAX, &r.all));
    peer_close(&p);
    reply_split(&r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.len, FOLDER_BIG);
    for (size_t i = 0; i < FOLDER_BIG; i++) {
        if (r.body.base[i] != folder_big_byte(i)) {
            fail_msg("byte %zu", i);
        }
    }
    assert_in_range(p.held, 1, 2 * TP_LOOP_OUT);
    reply_deinit(&r);
}

static void test_large_range(void **state)
{
    (void)state;
    reply r;
    ask("GET", "/files/big.bin", "Range: bytes=1000001-3000000\r\n", &r);
    assert_int_equal(r.status, 206);
    assert_int_equal(r.body.len, 2000000);
    for (size_t i = 0; i < r.body.len; i++) {
        if (r.body.base[i] != folder_big_byte(1000001 + i)) {
            fail_msg("byte %zu", i);
        }
    }
    reply_deinit(&r);
}

/* A file that becomes shorter ends the connection, short of what was
 * promised. */
static void test_truncated(void **state)
{
    (void)state;
    peer p;
    sio_buf got = {0};
    open_big(&p);
    assert_true(peer_read(&p, 1000, 10000, &got));
    assert_int_equal(truncate(folder_path("www/big.bin"), 1000000), 0);
    assert_false(peer_read(&p, 65536, SIZE_MAX, &got));
    assert_in_range(got.len, 1000000, 1002000);
    assert_null(p.conn);
    peer_close(&p);
    sio_buf_deinit(&got);
    folder_make_big();
}

static void test_reader_leaves(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 1000, 500000};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        peer p;
        sio_buf got = {0};
        open_big(&p);
        assert_true(peer_read(&p, 1000, lengths[i], &got));
        peer_close(&p);
        sio_buf_deinit(&got);
    }
}

/* Requests that come at once are answered in turn, on one connection. */
static void test_pipeline(void **state)
{
    (void)state;
    peer p;
    sio_buf got = {0};
    peer_open(&p, serve, "/files");
    peer_send(&p, SIO_LIT("GET /files/empty.txt HTTP/1.1\r\nHost: a\r\n\r\n"
                          "HEAD /files/big.bin HTTP/1.1\r\nHost: a\r\n\r\n"
                          "GET /files/nothing HTTP/1.1\r\nHost: a\r\n\r\n"
                          "GET /files/a.txt HTTP/1.1\r\nHost: a\r\n"
                          "If-None-Match: *\r\n\r\n"
                          "GET /files/a.txt HTTP/1.1\r\nHost: a\r\n"
                          "Connection: close\r\n\r\n"));
    assert_false(peer_read(&p, 65536, SIZE_MAX, &got));
    static const char *const parts[] = {
        "HTTP/1.1 200", "Length: 0\r\n", "HTTP/1.1 200", "Length: 5242887\r\n",
        "HTTP/1.1 404", "HTTP/1.1 304",  "HTTP/1.1 200", "\r\n\r\nhello"};
    const uint8_t *at = got.base, *end = got.base + got.len;
    for (size_t i = 0; i < COUNT(parts); i++) {
        at = memmem(at, (size_t)(end - at), parts[i], strlen(parts[i]));
        CHECK(parts[i], at != NULL);
        at += strlen(parts[i]);
    }
    assert_true(at == end);
    peer_close(&p);
    sio_buf_deinit(&got);
}

/* ------------------------------------------------------- circumstances -- */

static void test_no_descriptor(void **state)
{
    (void)state;
    struct rlimit limit, none;
    peer p;
    reply r = {0};
    peer_open(&p, serve, "/files");
    ev_run(p.loop.ev, EVRUN_NOWAIT); /* opens what the loop itself needs */
    int lowest = dup(0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    peer_send(&p, SIO_LIT("GET /files/a.txt HTTP/1.1\r\nHost: a\r\n"
                          "Connection: close\r\n\r\n"));
    assert_false(peer_read(&p, 65536, SIZE_MAX, &r.all));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    peer_close(&p);
    reply_split(&r);
    assert_int_equal(r.status, 503);
    reply_deinit(&r);
}

typedef struct said {
    const char *folder;
    int level;
    char event[32];
} said;

static void on_log(void *arg, int level, const char *event, const char *text)
{
    said *s = arg;
    assert_non_null(strstr(text, s->folder));
    s->level = level;
    (void)snprintf(s->event, sizeof(s->event), "%s", event);
}

static void test_no_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"nothing", "secret", "www/loop"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        said s = {.folder = path};
        const sio_log log = {on_log, &s, SIO_LOG_DEBUG};
        tp_files *none = NULL;
        (void)snprintf(path, sizeof(path), "%s", folder_path(names[i]));
        assert_int_equal(tp_files_new(path, &log, &none), SIO_ERR_FILE);
        assert_null(none);
        assert_int_equal(s.level, SIO_LOG_ERROR);
        assert_string_equal(s.event, "files_folder");
    }
}

#define CASE(f)                                                                \
    cmocka_unit_test_setup_teardown(f, count_descriptors, compare_descriptors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_served),        CASE(test_refused),
        CASE(test_long),          CASE(test_methods),
        CASE(test_moved),         CASE(test_prefixes),
        CASE(test_conditions),    CASE(test_slow_reader),
        CASE(test_large_range),   CASE(test_truncated),
        CASE(test_reader_leaves), CASE(test_pipeline),
        CASE(test_no_descriptor), CASE(test_no_folder),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
