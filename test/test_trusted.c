#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "transport/trusted.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static tp_address address_of(const char *text)
{
    tp_address address = {.kind = TP_ADDRESS_UNIX};
    if (strcmp(text, "unix:") != 0) {
        assert_true(tp_address_parse(
            (sio_bytes){(const uint8_t *)text, strlen(text)}, &address));
    }
    return address;
}

/* ------------------------------------------------------------------ lists --
 */

static void test_lists(void **state)
{
    static const struct {
        const char *list;
        const char *within[4], *without[4];
    } rows[] = {
        {"", {NULL}, {"127.0.0.1", "::1", "unix:"}},
        {" ,,\t", {NULL}, {"0.0.0.0", "::", "unix:"}},
        {"192.0.2.1", {"192.0.2.1", "::ffff:192.0.2.1"}, {"192.0.2.0"}},
        {"10.0.0.0/8",
         {"10.0.0.0", "10.255.255.255"},
         {"9.255.255.255", "11.0.0.0", "a00::"}},
        {"192.0.2.8/29",
         {"192.0.2.8", "192.0.2.15"},
         {"192.0.2.7", "192.0.2.16"}},
        {"192.0.2.254/31", {"192.0.2.254", "192.0.2.255"}, {"192.0.2.253"}},
        {"192.0.2.1/32", {"192.0.2.1"}, {"192.0.2.0", "192.0.2.2"}},
        {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::", "unix:"}},
        {"128.0.0.0/1", {"128.0.0.0", "255.0.0.0"}, {"127.255.255.255"}},
        {"::1", {"::1"}, {"::", "::2", "0.0.0.1"}},
        {"::/0", {"::", "ffff::"}, {"0.0.0.0", "unix:"}},
        {"2001:db8::/33", {"2001:db8:7fff::"}, {"2001:db8:8000::"}},
        {"2001:db8::/127", {"2001:db8::", "2001:db8::1"}, {"2001:db8::2"}},
        {"::ffff:10.0.0.0/104", {"10.1.2.3"}, {"11.0.0.0"}},
        {"::ffff:0.0.0.0/96", {"255.0.0.1"}, {"::1"}},
        {"::ffff:192.0.2.1", {"192.0.2.1"}, {"192.0.2.2"}},
        {"unix:", {"unix:"}, {"127.0.0.1", "::1"}},
        {"192.0.2.1,::1 unix:\n198.51.100.0/24",
         {"192.0.2.1", "::1", "unix:", "198.51.100.7"},
         {"192.0.2.2", "::2"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_arena arena = {0};
        tp_trusted trusted;
        const char *why = NULL;
        sio_bytes item;
        sio_error err =
            tp_trusted_parse(rows[i].list, &arena, &trusted, &why, &item);
        if (err != SIO_OK) {
            fail_msg("%s: %s", rows[i].list, why);
        }
        for (size_t j = 0; j < 4 && rows[i].within[j] != NULL; j++) {
            tp_address address = address_of(rows[i].within[j]);
            if (!tp_trusted_has(&trusted, &address)) {
                fail_msg("%s: not %s", rows[i].list, rows[i].within[j]);
            }
        }
        for (size_t j = 0; j < 4 && rows[i].without[j] != NULL; j++) {
            tp_address address = address_of(rows[i].without[j]);
            if (tp_trusted_has(&trusted, &address)) {
                fail_msg("%s: but %s", rows[i].list, rows[i].without[j]);
            }
        }
        sio_arena_deinit(&arena);
    }
}

static void test_bad_lists(void **state)
{
    static const struct {
        const char *list, *item, *why;
    } rows[] = {
        {"x", "x", "address"},
        {"localhost", "localhost", "address"},
        {"10.0.0.1 10.0.0", "10.0.0", "address"},
        {"10.0.0.256", "10.0.0.256", "address"},
        {"010.0.0.1", "010.0.0.1", "address"},
        {"/8", "/8", "address"},
        {"[::1]", "[::1]", "address"},
        {"fe80::1%lo", "fe80::1%lo", "address"},
        {"10.0.0.1:80", "10.0.0.1:80", "address"},
        {"unix", "unix", "address"},
        {"10.0.0.0/", "10.0.0.0/", "bits"},
        {"::1,10.0.0.0/33", "10.0.0.0/33", "bits"},
        {"10.0.0.0/08", "10.0.0.0/08", "bits"},
        {"10.0.0.0/-1", "10.0.0.0/-1", "bits"},
        {"10.0.0.0/8/8", "10.0.0.0/8/8", "bits"},
        {"10.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0", "bits"},
        {"::/129", "::/129", "bits"},
        {"::/4294967296", "::/4294967296", "bits"},
        {"::ffff:0.0.0.0/95", "::ffff:0.0.0.0/95", "mixes"},
        {"10.0.0.1/8", "10.0.0.1/8", "ones"},
        {"2001:db8::1/64", "2001:db8::1/64", "ones"},
        {"128.0.0.0/0", "128.0.0.0/0", "ones"},
        {"::ffff:10.0.0.1/104", "::ffff:10.0.0.1/104", "ones"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_arena arena = {0};
        tp_trusted trusted;
        const char *why = "";
        sio_bytes item = {0};
        sio_error err =
            tp_trusted_parse(rows[i].list, &arena, &trusted, &why, &item);
        if (err != SIO_ERR_ARGUMENT || strstr(why, rows[i].why) == NULL ||
            item.len != strlen(rows[i].item) ||
            memcmp(item.base, rows[i].item, item.len) != 0) {
            fail_msg("%s: %d, %.*s %s", rows[i].list, (int)err, (int)item.len,
                     (const char *)item.base, why);
        }
        sio_arena_deinit(&arena);
    }
}

/* -------------------------------------------------------------- addresses --
 */

static void test_texts(void **state)
{
    static const struct {
        const char *in, *out; /* NULL: no address */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"", NULL},
        {" 192.0.2.1", NULL},
        {"192.0.2.1 ", NULL},
        {"192.0.2", NULL},
        {"0xc0.0.2.1", NULL},
        {"::1::", NULL},
        {"::1%1", NULL},
        {"[::1]", NULL},
        {"unix:", NULL},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        tp_address address;
        char text[TP_ADDRESS_SIZE] = "";
        sio_bytes in = {(const uint8_t *)rows[i].in, strlen(rows[i].in)};
        bool is = tp_address_parse(in, &address);
        if (is) {
            size_t len = tp_address_text(&address, text);
            assert_int_equal(len, strlen(text));
        }
        if (is != (rows[i].out != NULL) ||
            (is && strcmp(text, rows[i].out) != 0)) {
            fail_msg("%s: %s", rows[i].in, text);
        }
    }
    tp_address address;
    assert_false(tp_address_parse(SIO_LIT("192.0.2.1\0"), &address));
}

static void expect_peer(const void *peer, const char *want)
{
    char text[TP_ADDRESS_SIZE];
    tp_address address = tp_address_of_peer(peer);
    (void)tp_address_text(&address, text);
    assert_string_equal(text, want);
}

static void test_peers(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr = {htonl(0xc0000207)}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)state;
    memcpy(&mapped.sin6_addr.s6_addr[10], "\xff\xff\xc0\x00\x02\x07", 6);
    expect_peer(&in, "192.0.2.7");
    expect_peer(&in6, "::1");
    expect_peer(&mapped, "192.0.2.7");
    expect_peer(&un, "unix:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
