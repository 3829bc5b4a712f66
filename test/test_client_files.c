#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/files_peer.h"
#include "transport/client_files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

static const char *const bundles[] = {"socket.io.js", "socket.io.min.js",
                                      "socket.io.esm.min.js",
                                      "socket.io.msgpack.min.js"};

/* ---------------------------------------------------------- the folder -- */

typedef struct folder {
    char path[40];
    size_t descriptors; /* open before */
    size_t warnings, notes;
    tp_client_files *files;
} folder;

static void put(folder *f, const char *name, const char *content)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file),
                     strlen(content));
    assert_int_equal(fclose(file), 0);
}

static void drop(folder *f, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
    assert_int_equal(unlink(path), 0);
}

/* Each file holds its own name. */
static int make_folder(void **state)
{
    static const char *const suffixes[] = {"",     ".gz",     ".br",
                                           ".map", ".map.gz", ".map.br"};
    folder *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->descriptors = open_descriptors();
    (void)snprintf(f->path, sizeof(f->path), "/tmp/test_client.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    put(f, "VERSION", "4.8.1\n");
    put(f, "package.json", "{}");
    for (size_t i = 0; i < COUNT(bundles) * COUNT(suffixes); i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s%s", bundles[i % COUNT(bundles)],
                       suffixes[i / COUNT(bundles)]);
        put(f, name, name);
    }
    *state = f;
    return 0;
}

static int remove_folder(void **state)
{
    folder *f = *state;
    char command[64];
    tp_client_files_free(f->files);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", f->path);
    int failed = system(command);
    failed |= open_descriptors() != f->descriptors;
    free(f);
    return failed;
}

static void on_log(void *arg, int level, const char *event, const char *text)
{
    folder *f = arg;
    (void)text;
    assert_string_equal(event, "client_files");
    f->warnings += level == SIO_LOG_WARN;
    f->notes += level == SIO_LOG_INFO;
}

static void look(folder *f)
{
    static sio_log log;
    log = (sio_log){on_log, f, SIO_LOG_DEBUG};
    tp_client_files_free(f->files);
    f->warnings = f->notes = 0;
    assert_int_equal(tp_client_files_new(f->path, &log, &f->files), SIO_OK);
}

/* --------------------------------------------------------------- tests -- */

static bool serve(void *arg, tp_http_conn *conn, const tp_http_request *req,
                  sio_bytes path)
{
    folder *f = arg;
    return tp_client_files_serve(f->files, conn, req,
                                 (sio_bytes){path.base + 7, path.len - 7},
                                 SIO_LIT("X-Extra: yes\r\n"));
}

static void ask(folder *f, const char *method, const char *name,
                const char *fields, reply *out)
{
    char target[128];
    int len = snprintf(target, sizeof(target), "/files/%s", name);
    peer_ask(serve, f, method,
             (sio_bytes){(const uint8_t *)target, (size_t)len}, fields, out);
}

static bool is(sio_bytes bytes, const char *text)
{
    return sio_bytes_eq(bytes,
                        (sio_bytes){(const uint8_t *)text, strlen(text)});
}

static void test_all(void **state)
{
    folder *f = *state;
    look(f);
    assert_int_equal(f->warnings + f->notes, 0);
    for (size_t i = 0; i < 2 * COUNT(bundles); i++) {
        bool map = i % 2 == 1;
        char name[64], len[24];
        reply r;
        (void)snprintf(name, sizeof(name), "%s%s", bundles[i / 2],
                       map ? ".map" : "");
        (void)snprintf(len, sizeof(len), "%zu", strlen(name));
        ask(f, "GET", name, "", &r);
        CHECK(name, r.status == 200);
        CHECK(name, is(r.body, name));
        CHECK(name, is(reply_field(&r, "Content-Type"),
                       map ? "application/json; charset=utf-8"
                           : "application/javascript; charset=utf-8"));
        CHECK(name, is(reply_field(&r, "Cache-Control"), "public, max-age=0"));
        CHECK(name, is(reply_field(&r, "ETag"), "\"4.8.1\""));
        CHECK(name, is(reply_field(&r, "Vary"), "Accept-Encoding"));
        CHECK(name, is(reply_field(&r, "Content-Length"), len));
        CHECK(name, is(reply_field(&r, "X-Extra"), "yes"));
        CHECK(name, reply_field(&r, "Content-Encoding").base == NULL);
        reply_deinit(&r);
    }
}

static void test_methods(void **state)
{
    folder *f = *state;
    static const char *const methods[] = {"POST", "PUT", "OPTIONS", "DELETE",
                                          "BREW"};
    reply r;
    look(f);
    for (size_t i = 0; i < COUNT(methods); i++) {
        ask(f, methods[i], "socket.io.js?x=1", "", &r);
        CHECK(methods[i], r.status == 200);
        CHECK(methods[i], is(r.body, "socket.io.js"));
        reply_deinit(&r);
    }
    ask(f, "HEAD", "socket.io.js", "Accept-Encoding: br\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.len, 0);
    assert_true(is(reply_field(&r, "Content-Length"), "15"));
    assert_true(is(reply_field(&r, "Content-Encoding"), "br"));
    reply_deinit(&r);
}

static void test_etag(void **state)
{
    folder *f = *state;
    static const struct {
        const char *fields;
        int status;
    } rows[] = {
        {"If-None-Match: \"4.8.1\"\r\n", 304},
        {"if-none-match:  W/\"4.8.1\" \r\n", 304},
        {"If-None-Match: \"4.8.1\"\r\nAccept-Encoding: br\r\n", 304},
        {"If-None-Match: \"4.8.0\"\r\n", 200},
        {"If-None-Match: \"4.8.10\"\r\n", 200},
        {"If-None-Match: 4.8.1\r\n", 200},
        {"If-None-Match: w/\"4.8.1\"\r\n", 200},
        {"If-None-Match: W/\r\n", 200},
        {"If-None-Match: \"4.8.0\", \"4.8.1\"\r\n", 200},
        {"If-None-Match: \"4.8.1\"\r\nIf-None-Match: \"4.8.1\"\r\n", 200},
        {"If-None-Match: *\r\n", 200},
        {"If-None-Match: \r\n", 200},
    };
    look(f);
    for (size_t i = 0; i < COUNT(rows); i++) {
        reply r;
        bool known = rows[i].status == 304;
        ask(f, "GET", "socket.io.js", rows[i].fields, &r);
        CHECK(rows[i].fields, r.status == rows[i].status);
        CHECK(rows[i].fields, (r.body.len == 0) == known);
        CHECK(rows[i].fields, (reply_field(&r, "ETag").base == NULL) == known);
        CHECK(rows[i].fields,
              (reply_field(&r, "Content-Length").base == NULL) == known);
        CHECK(rows[i].fields, is(reply_field(&r, "X-Extra"), "yes"));
        reply_deinit(&r);
    }
}

/* Checks that the answer is in `coding` ("" for none). */
static void check_coding(folder *f, const char *accept, const char *coding)
{
    char fields[128], body[64];
    const char *suffix = strcmp(coding, "gzip") == 0 ? ".gz"
                         : strcmp(coding, "br") == 0 ? ".br"
                                                     : "";
    reply r;
    (void)snprintf(fields, sizeof(fields), "Accept-Encoding: %s\r\n", accept);
    (void)snprintf(body, sizeof(body), "socket.io.min.js.map%s", suffix);
    ask(f, "GET", "socket.io.min.js.map", fields, &r);
    CHECK(accept, r.status == 200);
    CHECK(accept, is(r.body, body));
    sio_bytes got = reply_field(&r, "Content-Encoding");
    CHECK(accept, *coding == '\0' ? got.base == NULL : is(got, coding));
    CHECK(accept, is(reply_field(&r, "Vary"), "Accept-Encoding"));
    CHECK(accept, is(reply_field(&r, "Content-Type"),
                     "application/json; charset=utf-8"));
    reply_deinit(&r);
}

static void test_codings(void **state)
{
    folder *f = *state;
    static const struct {
        const char *accept, *all, *no_br, *none;
    } rows[] = {
        {"gzip, deflate, br", "gzip", "gzip", ""},
        {"br, gzip", "br", "gzip", ""},
        {"gzip;q=0.5, br", "br", "gzip", ""},
        {"deflate", "", "", ""},
        {"*", "br", "gzip", ""},
        {"br;q=0, *;q=0.1", "gzip", "gzip", ""},
        {"identity", "", "", ""},
        {"", "", "", ""},
        {"gzip;q=0, identity;q=0", "", "", ""},
    };
    look(f);
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_coding(f, rows[i].accept, rows[i].all);
    }
    drop(f, "socket.io.min.js.map.br"); /* behind its back */
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_coding(f, rows[i].accept, rows[i].no_br);
    }
    look(f);
    assert_int_equal(f->notes, 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_coding(f, rows[i].accept, rows[i].no_br);
    }
    drop(f, "socket.io.min.js.map.gz");
    look(f);
    assert_int_equal(f->notes, 2);
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_coding(f, rows[i].accept, rows[i].none);
    }
    assert_int_equal(f->warnings, 0);
}

static void test_not_served(void **state)
{
    folder *f = *state;
    static const char *const names[] = {
        "",
        "VERSION",
        "package.json",
        "socket.io.js.gz",
        "socket.io.js.br",
        "socket.io.js/",
        "/socket.io.js",
        "./socket.io.js",
        "../socket.io.js",
        "socket%2eio.js",
        "Socket.io.js",
        "socket.io.j",
        "socket.io.jss",
        "socket.io.js.map.map",
        "socket.io.msgpack.js",
        "socket.io.js%00",
    };
    look(f);
    for (size_t i = 0; i < COUNT(names); i++) {
        reply r;
        ask(f, "GET", names[i], "", &r);
        CHECK(names[i], r.status == 404);
        reply_deinit(&r);
    }
}

static void check_missing(folder *f, const char *name)
{
    reply r;
    ask(f, "GET", name, "Accept-Encoding: br\r\n", &r);
    CHECK(name, r.status == 404);
    reply_deinit(&r);
}

static void test_missing(void **state)
{
    folder *f = *state;
    look(f);
    drop(f, "socket.io.js");
    drop(f, "socket.io.js.br");
    drop(f, "socket.io.js.gz");
    check_missing(f, "socket.io.js"); /* behind its back */
    put(f, "socket.io.js.br", "");
    look(f);
    assert_int_equal(f->warnings, 1);
    check_missing(f, "socket.io.js");
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/socket.io.js", f->path);
    assert_int_equal(mkdir(path, 0700), 0);
    look(f);
    assert_int_equal(f->warnings, 1);
    check_missing(f, "socket.io.js");
}

static void test_versions(void **state)
{
    folder *f = *state;
    static const struct {
        const char *text, *etag; /* NULL: nothing is served */
    } rows[] = {
        {"4.8.1", "\"4.8.1\""},
        {" \r\n", NULL},
        {"", NULL},
        {"4.8.1 \r\n\n", "\"4.8.1\""},
        {"4.8\r\nX: y\n", NULL},
        {"4.8\"1", NULL},
        {"4 8", NULL},
        {"4.8\xc3\xa9", NULL},
        {"12345678901234567890123456789012\n",
         "\"12345678901234567890123456789012\""},
        {"123456789012345678901234567890123\n", NULL},
        {"12345678901234567890123456789012345678901234567890\n", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        reply r;
        put(f, "VERSION", rows[i].text);
        look(f);
        ask(f, "GET", "socket.io.js", "", &r);
        CHECK(rows[i].text, r.status == (rows[i].etag != NULL ? 200 : 404));
        CHECK(rows[i].text, f->warnings == (rows[i].etag == NULL));
        if (rows[i].etag != NULL) {
            CHECK(rows[i].text, is(reply_field(&r, "ETag"), rows[i].etag));
        }
        reply_deinit(&r);
    }
}

static void test_no_folder(void **state)
{
    folder *f = *state, copy = *f;
    (void)snprintf(f->path + strlen(f->path), 8, "/no");
    look(f);
    assert_int_equal(f->warnings, 1);
    check_missing(f, "socket.io.js");
    memcpy(f->path, copy.path, sizeof(copy.path));
    drop(f, "VERSION");
    look(f);
    assert_int_equal(f->warnings, 1);
    check_missing(f, "socket.io.js");
    tp_client_files_free(NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_all),      CASE(test_methods),   CASE(test_etag),
        CASE(test_codings),  CASE(test_missing),   CASE(test_not_served),
        CASE(test_versions), CASE(test_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
