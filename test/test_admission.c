#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport/admission.h"

static const sio_hash_key secret = {1, 2};

static tp_address at(const char *text)
{
    tp_address address = {.kind = TP_ADDRESS_UNIX};
    (void)tp_address_parse((sio_bytes){(const uint8_t *)text, strlen(text)},
                           &address);
    return address;
}

static tp_place *enter(tp_admission *a, const char *text, bool fine)
{
    tp_place *place;
    tp_address address = at(text);
    tp_admission_answer answer = tp_admission_enter(a, &address, 0, &place);
    assert_int_equal(answer.verdict == TP_ADMISSION_FINE, fine);
    assert_true(fine || (place == NULL && answer.retry_after != 0));
    return place;
}

static void test_connections(void **state)
{
    (void)state;
    tp_admission a;
    const tp_admission_limits limits = {.connections = 2};
    tp_admission_init(&a, &limits, secret, 0);
    tp_place *one = enter(&a, "192.0.2.1", true);
    tp_place *two = enter(&a, "::ffff:192.0.2.1", true); /* the same */
    (void)enter(&a, "192.0.2.1", false);
    tp_place *other = enter(&a, "192.0.2.2", true);
    tp_admission_leave(two);
    two = enter(&a, "192.0.2.1", true);
    (void)enter(&a, "192.0.2.1", false);
    for (int i = 0; i < 9; i++) {
        assert_null(enter(&a, "unix:", true));
    }
    tp_admission_leave(one);
    tp_admission_leave(two);
    tp_admission_leave(other);
    tp_admission_deinit(&a);
}

/* Whoever has a block of 64 bits has all the addresses in it. */
static void test_ipv6(void **state)
{
    (void)state;
    tp_admission a;
    const tp_admission_limits limits = {.connections = 1};
    tp_admission_init(&a, &limits, secret, 0);
    tp_place *one = enter(&a, "2001:db8:1:2::1", true);
    (void)enter(&a, "2001:db8:1:2:ffff::9", false);
    tp_place *two = enter(&a, "2001:db8:1:3::1", true);
    tp_admission_leave(one);
    tp_admission_leave(two);
    tp_admission_deinit(&a);
}

static tp_admission_answer shake(tp_admission *a, const char *text,
                                 uint64_t now)
{
    tp_address address = at(text);
    return tp_admission_shake(a, &address, now);
}

static void test_handshakes(void **state)
{
    (void)state;
    tp_admission a;
    const tp_admission_limits limits = {.handshakes = {1, 3},
                                        .all_handshakes = {2, 5}};
    tp_admission_init(&a, &limits, secret, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shake(&a, "192.0.2.1", 0).verdict, TP_ADMISSION_FINE);
    }
    tp_admission_answer refused = shake(&a, "192.0.2.1", 0);
    assert_int_equal(refused.verdict, TP_ADMISSION_ADDRESS);
    assert_int_equal(refused.retry_after, 1);
    assert_true(refused.tell);
    assert_false(shake(&a, "192.0.2.1", 999).tell); /* once a second */
    assert_int_equal(shake(&a, "192.0.2.1", 1000).verdict, TP_ADMISSION_FINE);
    /* Of all, five at once; two have come since, and one was taken. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shake(&a, "192.0.2.2", 1000).verdict,
                         TP_ADMISSION_FINE);
    }
    refused = shake(&a, "192.0.2.3", 1000);
    assert_int_equal(refused.verdict, TP_ADMISSION_ALL);
    assert_int_equal(refused.retry_after, 1);
    assert_true(refused.tell);
    assert_false(shake(&a, "192.0.2.4", 1001).tell);
    assert_int_equal(shake(&a, "unix:", 1001).verdict, TP_ADMISSION_ALL);
    assert_int_equal(shake(&a, "unix:", 1500).verdict, TP_ADMISSION_FINE);
    tp_admission_deinit(&a);
}

static void test_sessions(void **state)
{
    (void)state;
    tp_admission a;
    const tp_admission_limits limits = {.sessions = 2};
    tp_address one = at("192.0.2.1"), other = at("192.0.2.2");
    tp_admission_init(&a, &limits, secret, 0);
    assert_int_equal(tp_admission_ask(&a, &one, 0).verdict, TP_ADMISSION_FINE);
    tp_admission_begin(&a, &one);
    assert_int_equal(tp_admission_ask(&a, &one, 0).verdict, TP_ADMISSION_FINE);
    tp_admission_begin(&a, &one);
    assert_int_equal(tp_admission_ask(&a, &one, 0).verdict,
                     TP_ADMISSION_ADDRESS);
    assert_int_equal(tp_admission_ask(&a, &other, 0).verdict,
                     TP_ADMISSION_FINE);
    tp_admission_end(&a, &other); /* of one that was never counted */
    tp_admission_end(&a, &one);
    assert_int_equal(tp_admission_ask(&a, &one, 0).verdict, TP_ADMISSION_FINE);
    tp_admission_end(&a, &one);
    assert_int_equal(a.places.count, a.idle_count);
    tp_admission_deinit(&a);
}

/* What is remembered of those that have nothing open is bounded, and goes. */
static void test_memory(void **state)
{
    (void)state;
    tp_admission a;
    const tp_admission_limits limits = {.connections = 5,
                                        .handshakes = {1, 10}};
    tp_address address = {.kind = TP_ADDRESS_IPV4};
    tp_admission_init(&a, &limits, secret, 0);
    for (uint32_t i = 0; i < 10 * TP_ADMISSION_IDLE; i++) {
        memcpy(address.ip, &i, sizeof(i));
        assert_int_equal(tp_admission_shake(&a, &address, 0).verdict,
                         TP_ADMISSION_FINE);
        assert_in_range(a.places.count, 1, TP_ADMISSION_IDLE);
    }
    /* The latest are remembered. */
    for (int i = 0; i < 9; i++) {
        assert_int_equal(tp_admission_shake(&a, &address, 0).verdict,
                         TP_ADMISSION_FINE);
    }
    assert_int_equal(tp_admission_shake(&a, &address, 0).verdict,
                     TP_ADMISSION_ADDRESS);
    /* After a while each that comes lets two go. */
    for (uint32_t i = 0; i < TP_ADMISSION_IDLE; i++) {
        (void)tp_admission_shake(&a, &address, 20000 + i);
    }
    assert_in_range(a.places.count, 1, 2);
    /* Open ones stay, however many, and then are bounded as well. */
    static tp_place *open[2 * TP_ADMISSION_IDLE];
    for (uint32_t i = 0; i < 2 * TP_ADMISSION_IDLE; i++) {
        memcpy(address.ip, &i, sizeof(i));
        (void)tp_admission_enter(&a, &address, 100000, &open[i]);
        assert_non_null(open[i]);
    }
    assert_true(a.places.count >= 2 * TP_ADMISSION_IDLE);
    for (uint32_t i = 0; i < 2 * TP_ADMISSION_IDLE; i++) {
        tp_admission_leave(open[i]);
    }
    assert_int_equal(a.places.count, TP_ADMISSION_IDLE);
    tp_admission_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections), cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_handshakes),  cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
