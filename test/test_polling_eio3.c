#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/polling_rig.h"

/* Bodies of revision 3 and of JSONP, over connections. */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define OCTETS "Content-Type: application/octet-stream\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static const tp_polling_manner plain = {.protocol = &eio_protocol_3};
static const tp_polling_manner base64 = {.protocol = &eio_protocol_3,
                                         .base64 = true};
static const tp_polling_manner jsonp = {
    .protocol = &eio_protocol_3, .jsonp = true, .index = "12"};
static const tp_polling_manner jsonp4 = {
    .protocol = &eio_protocol_4, .jsonp = true, .index = ""};

/* Expects an answer of that type with that body at the first client. */
static void expect_answer(polling_rig *r, const char *type, sio_bytes body)
{
    sio_buf *out = &r->clients[0].ms.out;
    char line[96];
    assert_int_equal(sio_buf_append(out, SIO_LIT("\0")), SIO_OK);
    const char *head = (const char *)out->base;
    const uint8_t *end = memmem(out->base, out->len, "\r\n\r\n", 4);
    assert_non_null(end);
    assert_int_equal(out->len - 1 - (size_t)(end + 4 - out->base), body.len);
    assert_memory_equal(end + 4, body.base, body.len);
    (void)snprintf(line, sizeof(line), "\r\nContent-Length: %zu\r\n", body.len);
    assert_non_null(strstr(head, line));
    (void)snprintf(line, sizeof(line), "\r\nContent-Type: %s\r\n", type);
    assert_non_null(strstr(head, line));
    assert_non_null(strstr(head, "\r\ncache-control: no-store\r\n"));
    sio_buf_deinit(out);
}

#define PLAIN_TYPE "text/plain; charset=UTF-8"
#define OCTETS_TYPE "application/octet-stream"
#define SCRIPT_TYPE "text/javascript; charset=UTF-8"

// clang-format off
static const struct {
    const tp_polling_manner *manner;
    const char *texts[2]; /* with a binary \1\2\3 between them if both are */
    const char *type;
    sio_bytes body;
} answers[] = {
    {&plain, {"4\U0001f600"}, PLAIN_TYPE, B("3:4\U0001f600")},
    {&plain, {"4a", "3"}, OCTETS_TYPE, B("\0\2\xff" "4a\1\4\xff\4\1\2\3\0\1\xff" "3")},
    {&base64, {"4a", "3"}, PLAIN_TYPE, B("2:4a6:b4AQID1:3")},
    {&jsonp, {"4a", "3"}, SCRIPT_TYPE, B("___eio[12](\"2:4a6:b4AQID1:3\");")},
    {&jsonp, {"42[\"</script>\u2028\"]"}, SCRIPT_TYPE,
     B("___eio[12](\"16:42[\\\"<\\/script>\\u2028\\\"]\");")},
    {&jsonp4, {"4a", "3"}, SCRIPT_TYPE, B("___eio[](\"4a\\u001ebAQID\\u001e3\");")},
};

static const struct {
    const tp_polling_manner *manner;
    const char *head;
    sio_bytes body;
    const char *told;
} posts[] = {
    {&plain, "", B("2:4a1:26:b4AQID"), "4[a];2[];b[\1\2\3];"},
    {&plain, "", B("3:4\U0001f6001:3"), "4[\U0001f600];3[];"},
    {&plain, "", B("2:4a2:4b2:4c2:4d"), "4[a];4[b];4[c];4[d];"},
    {&plain, "", B("2:4a2:4b2:4c2:4d2:4e"), "4[a];4[b];4[c];4[d];failed -205;"},
    {&plain, "", B("0:"), ""},
    {&plain, "", B("2:4a3:4b"), "4[a];failed -230;"},
    {&plain, "", B("1:x"), "failed -201;"},
    /* What is no UTF-8 counts as what it is repaired to. */
    {&plain, "", B("3:4\xff" "a"), "4[\xef\xbf\xbd" "a];"},
    /* Octets are announced by that very type. */
    {&plain, "Content-Type: application/octet-stream; charset=x\r\n", B("2:4a"), "4[a];"},
    {&plain, OCTETS, B("\0\2\xff" "4a\1\3\xff\4\1\2"), "4[a];b[\1\2];"},
    {&plain, OCTETS, B("\0\3\xff" "4\xff" "a"), "4[\xef\xbf\xbd" "a];"},
    {&plain, OCTETS, B("\1\3\xff\4\xff\xfe"), "b[\xff\xfe];"},
    {&plain, OCTETS, B("\0\2\xff" "4a\0\2\xff" "4"), "4[a];failed -230;"},
    {&plain, OCTETS, B("2:4a"), "failed -201;"},
    {&base64, OCTETS, B("\0\2\xff" "4a"), "4[a];"},
    {&jsonp, FORM, B("d=2%3A4a4%3A4%5Cnb"), "4[a];failed -230;"},
    {&jsonp, FORM, B("d=2%3A4a3%3A4%5Cnb"), "4[a];4[\nb];"},
    {&jsonp, FORM, B("d=4%3A4%5C%5Cnb"), "4[\\nb];"},
    {&jsonp, FORM, B("d=3%3A4%F0%9F%98%80"), "4[\U0001f600];"},
    {&jsonp, FORM, B("d=3%3A4%FFa"), "4[\xef\xbf\xbd" "a];"},
    {&jsonp, FORM, B("d=6%3Ab4AQID"), "b[\1\2\3];"},
    {&jsonp, "", B("d=1%3A2"), "2[];"},
    {&jsonp, OCTETS, B("d=1%3A2"), "2[];"},
    {&jsonp, FORM, B("e=1%3A2"), ""},
    {&jsonp, FORM, B("d=1%3A2&d=1%3A2"), ""},
    {&jsonp, FORM, B("1:2"), ""},
    {&jsonp, FORM, B("d=x"), "failed -230;"},
    {&jsonp, FORM, B("d="), "failed -230;"},
    {&jsonp4, FORM, B("d=4a%1E3"), "4[a];3[];"},
};
// clang-format on

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        polling_rig r;
        polling_rig_open_as(&r, answers[i].manner);
        ASK(&r, 0, GET);
        polling_rig_send_text(&r, answers[i].texts[0]);
        if (answers[i].texts[1] != NULL) {
            polling_rig_send_binary(&r, SIO_LIT("\1\2\3"));
            polling_rig_send_text(&r, answers[i].texts[1]);
        }
        polling_rig_turn(&r);
        print_message("answer %zu\n", i);
        expect_answer(&r, answers[i].type, answers[i].body);
        polling_rig_deinit(&r);
    }
}

/* Cut in two at every byte, they come to the same. */
static void test_posts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(posts); i++) {
        print_message("post %zu\n", i);
        polling_rig_post_cut(posts[i].manner, posts[i].head, posts[i].body,
                             posts[i].told);
    }
}

static const struct {
    const tp_polling_manner *manner;
    const char *noop, *close, *both;
} ends[] = {
    {&plain, "1:6", "1:1", "1:61:1"},
    {&jsonp, "___eio[12](\"1:6\");", "___eio[12](\"1:1\");",
     "___eio[12](\"1:61:1\");"},
};

static void test_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        polling_rig r;
        polling_rig_open_as(&r, ends[i].manner);
        ASK(&r, 0, GET);
        r.tp->ops->release(r.tp);
        polling_rig_turn(&r);
        polling_rig_expect(&r, 0, 200, ends[i].noop);
        ASK(&r, 0, GET);
        ASK(&r, 1, GET); /* too many */
        polling_rig_expect_told(&r, "failed -218;");
        polling_rig_turn(&r);
        polling_rig_expect(&r, 0, 200, ends[i].close);
        polling_rig_expect(&r, 1, 400, "");
        polling_rig_deinit(&r);

        polling_rig_open_as(&r, ends[i].manner);
        polling_rig_close(&r, EIO_CLOSE_LINGER);
        ASK(&r, 0, GET);
        polling_rig_turn(&r);
        polling_rig_expect(&r, 0, 200, ends[i].both);
        polling_rig_deinit(&r);
    }
}

/* Revision 4 takes no octets, in whatever manner. */
static void test_octets_of_4(void **state)
{
    (void)state;
    polling_rig r;
    polling_rig_open_as(&r, &jsonp4);
    ASK(&r, 1,
        "POST / HTTP/1.1\r\nHost: h\r\n" OCTETS "Content-Length: 1\r\n\r\n");
    polling_rig_expect_told(&r, "failed -225;");
    polling_rig_turn(&r);
    polling_rig_expect(&r, 1, 400, "");
    polling_rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_posts),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_octets_of_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
