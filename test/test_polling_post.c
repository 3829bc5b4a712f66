#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "test/polling_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define A33 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// clang-format off
static const struct {
    sio_bytes body;
    const char *told;
} posts[] = {
    {B("4a"), "4[a];"},
    {B("4"), "4[];"},
    {B("4a\x1e" "3\x1e" "bAQI="), "4[a];3[];b[\1\2];"},
    {B("4a\x1e" "4b\x1e" "4c\x1e" "4d"), "4[a];4[b];4[c];4[d];"},
    {B("4a\x1e" "4b\x1e" "4c\x1e" "4d\x1e" "4e"),
     "4[a];4[b];4[c];4[d];failed -205;"},
    {B("4\xff" "a"), "4[\xef\xbf\xbd" "a];"},
    {B("4a\x1e"), "4[a];failed -202;"},
    {B("\x1e" "4a"), "failed -202;"},
    {B("4a\x1e" "x\x1e" "4b"), "4[a];failed -201;"},
    {B("7"), "failed -201;"},
};
// clang-format on

static void test_posts(void **state)
{
    (void)state;
    static const tp_polling_manner plain = {.protocol = &eio_protocol_4};
    for (size_t i = 0; i < COUNT(posts); i++) {
        print_message("post %zu\n", i);
        polling_rig_post_cut(&plain, "", posts[i].body, posts[i].told);
    }
}

static void test_empty_post(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    ASK(&r, 0, GET);
    ASK(&r, 1, POST_HEAD("0"));
    polling_rig_expect_told(&r, "failed -202;");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200, "1");
    polling_rig_expect(&r, 1, 200, "ok");
    polling_rig_deinit(&r);
}

/* The rest of a body is dropped once the session is closed. */
static void test_close_in_packet(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    r.closes = true;
    ASK(&r, 0, GET);
    ASK(&r, 1,
        POST_HEAD("5") "4a\x1e"
                       "4b");
    polling_rig_expect_told(&r, "4[a];");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200, "1");
    polling_rig_expect(&r, 1, 200, "ok");
    polling_rig_deinit(&r);
}

/* The first POST is cut off without an answer. */
static void test_post_overlap(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    ASK(&r, 0, GET);
    ASK(&r, 1, POST_HEAD("5") "4a");
    ASK(&r, 2, POST_HEAD("2") "4b");
    polling_rig_expect_told(&r, "failed -218;");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 0, 200, "1");
    polling_rig_expect(&r, 1, 0, "");
    assert_true(r.clients[1].ms.closed);
    polling_rig_expect(&r, 2, 400, "");
    polling_rig_deinit(&r);
}

static void test_content_type(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open(&r);
    ASK(&r, 1,
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
        "Content-Type: application/octet-stream;x=y\r\n\r\n4a");
    polling_rig_expect_told(&r, "4[a];");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 1, 200, "ok");
    ASK(&r, 1,
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
        "Content-Type: application/octet-stream\r\n\r\n4a");
    polling_rig_expect_told(&r, "failed -225;");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 1, 400, "");
    polling_rig_deinit(&r);
}

/* What becomes of the session when a body does not come as it should. */
static void test_bad_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *label, *in;
        enum { END, BREAK, WAIT, NOTHING } then;
        int status;
        const char *told;
    } rows[] = {
        {"ended", POST_HEAD("5") "4a", END, 0, "failed -219;"},
        {"broken", POST_HEAD("5") "4a", BREAK, 0, "failed -219;"},
        {"timeout", POST_HEAD("5") "4a", WAIT, 408, "failed -304;"},
        {"too large", POST_HEAD("101") "4a", NOTHING, 413, ""},
        {"chunk",
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"
         "4x",
         NOTHING, 400, "failed -221;"},
        {"too many chunks",
         "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
         "64\r\n4" A33 A33 A33 "\r\n1\r\na",
         NOTHING, 413, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        polling_rig r;
        polling_rig_open(&r);
        print_message("%s\n", rows[i].label);
        for (size_t at = 0; rows[i].in[at] != '\0'; at++) {
            if (memory_stream_reads(&r.clients[1].ms)) {
                polling_rig_ask(
                    &r, 1, (sio_bytes){(const uint8_t *)rows[i].in + at, 1});
            }
        }
        if (rows[i].then == END || rows[i].then == BREAK) {
            memory_stream_end(&r.clients[1].ms,
                              rows[i].then == END ? SIO_OK : SIO_ERR_IO);
        } else if (rows[i].then == WAIT) {
            memory_loop_advance(&r.loop, 7000);
        }
        polling_rig_expect_told(&r, rows[i].told);
        polling_rig_turn(&r);
        polling_rig_expect(&r, 1, rows[i].status, "");
        if (rows[i].told[0] == '\0') { /* the session lives */
            ASK(&r, 0, GET);
            polling_rig_send_text(&r, "4b");
            polling_rig_turn(&r);
            polling_rig_turn(&r);
            polling_rig_expect(&r, 0, 200, "4b");
        }
        polling_rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts),
        cmocka_unit_test(test_empty_post),
        cmocka_unit_test(test_close_in_packet),
        cmocka_unit_test(test_post_overlap),
        cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_bad_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
