/*
 * Weaknesses that were published of servers like this one, where no socket is
 * needed to show that ours has none of the kind.  The id stands in the name of
 * each case.  The others are in interop/raw/cves.test.mjs and
 * cves-http.test.mjs.
 *
 * Of these there is nothing here yet that could have them: clients that check
 * certificates (CVE-2016-10536, CVE-2020-28502, CVE-2021-31597), messages of a
 * Redis (CVE-2025-61765, CVE-2021-32672, CVE-2021-32765), TLS (CVE-2024-42383),
 * answers of DNS that we parse (CVE-2025-11678).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/token.h"
#include "test/sio_rig.h"
#include "transport/ws_message.h"

/* ------------------------------------------------------ ids of sessions -- */

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, SIO_TOKEN_LEN);
}

/* Many ids: all differ, and each bit of each place is as often 0 as 1. */
static void test_CVE_2017_16031_ids(void **state)
{
    enum { IDS = 200000, BITS = 6 * SIO_TOKEN_LEN };
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static char ids[IDS][SIO_TOKEN_LEN + 1];
    unsigned ones[BITS] = {0};
    sio_random random = {0};
    (void)state;
    for (size_t i = 0; i < IDS; i++) {
        assert_int_equal(sio_token_make(&random, ids[i]), SIO_OK);
        for (size_t k = 0; k < BITS; k++) {
            const char *at = strchr(digits, ids[i][k / 6]);
            assert_non_null(at);
            ones[k] += (unsigned)(at - digits) >> k % 6 & 1;
        }
    }
    double chi = 0; /* of 120 degrees of freedom: 240 is out of the question */
    for (size_t k = 0; k < BITS; k++) {
        double off = ones[k] - IDS / 2.0;
        chi += off * off / (IDS / 4.0);
    }
    assert_true(chi < 240);
    qsort(ids, IDS, sizeof(ids[0]), compare);
    for (size_t i = 1; i < IDS; i++) {
        assert_true(compare(ids[i - 1], ids[i]) != 0);
    }
    sio_random_deinit(&random);
}

/* --------------------------------------------------------------- lengths -- */

static sio_error feed(uint8_t first, uint64_t announced)
{
    const tp_ws_limits limits = {1000000, 16384, false};
    uint8_t frame[14] = {first, 0xff};
    tp_ws_reader r = {0};
    for (unsigned i = 0; i < 8; i++) {
        frame[2 + i] = (uint8_t)(announced >> (56 - 8 * i));
    }
    /* A mask as well; a payload is not there. */
    sio_error err =
        tp_ws_reader_feed(&r, frame, sizeof(frame), &limits, NULL, NULL);
    assert_true(tp_ws_reader_ended(&r));
    tp_ws_reader_deinit(&r);
    return err;
}

/* Lengths whose sum with a header's wraps: refused by the header alone. */
static void test_CVE_2020_27813_re_1584_lengths(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {
        UINT64_MAX,     UINT64_MAX - 3,
        UINT64_MAX - 7, UINT64_MAX - 13,
        INT64_MAX,      (uint64_t)INT64_MAX + 1,
        UINT32_MAX,     (uint64_t)UINT32_MAX + 2};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (uint8_t first = 0x81; first <= 0x82; first++) {
            sio_error err = feed(first, lengths[i]);
            assert_int_equal(err, lengths[i] > INT64_MAX ? SIO_ERR_FRAME_LENGTH
                                                         : SIO_ERR_TOO_LARGE);
        }
    }
}

/* ----------------------------------------------------------------- rooms -- */

static sio_rig rig;
static unsigned seed;

static unsigned draw(unsigned n)
{
    return (unsigned)rand_r(&seed) % n;
}

static void disturb(sio_socket *socket)
{
    char room[2] = {(char)('a' + draw(4)), '\0'};
    sio_broadcast to = sio_namespace_to(rig.root, room);
    switch (draw(8)) {
    case 0:
    case 1:
    case 2:
        (void)sio_socket_join(socket, room);
        break;
    case 3:
        sio_socket_leave(socket, room);
        break;
    case 4:
        (void)sio_broadcast_emit(to, "x", "i", 1);
        break;
    case 5:
        (void)sio_broadcast_emit(sio_socket_to(socket, room), "x", NULL);
        break;
    case 6:
        (void)sio_broadcast_join(to, "d");
        break;
    default:
        if (draw(8) == 0) {
            draw(2) == 0 ? sio_socket_disconnect(socket)
                         : sio_socket_close(socket);
        }
    }
}

/* In the middle of a fan-out, for each of those it goes to. */
static void on_outgoing(sio_socket *socket, sio_event *event, void *arg)
{
    static unsigned depth;
    (void)event;
    (void)arg;
    if (depth < 3) {
        depth++;
        disturb(socket);
        depth--;
    }
}

/* Joining, leaving, emitting and closing while an emit walks over rooms. */
static void test_CVE_2020_36406_fan_out(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
        sio_peer peers[6];
        seed = round;
        sio_rig_init(&rig);
        assert_int_equal(
            sio_namespace_on_any_outgoing(rig.root, on_outgoing, NULL), SIO_OK);
        for (size_t i = 0; i < 6; i++) {
            peers[i] = sio_rig_join(&rig, names[i]);
        }
        for (unsigned step = 0; step < 200; step++) {
            sio_socket *socket = sio_peer_socket(&peers[draw(6)], "/");
            if (socket != NULL && sio_socket_connected(socket)) {
                disturb(socket);
            }
            if (draw(4) == 0) {
                rig_advance(&rig.engine, 1);
            }
        }
        sio_rig_deinit(&rig);
    }
}

/* ------------------------------------------------------------------ zlib -- */

/* The one that is there now, not only the one it was built with. */
static void test_CVE_2018_25032_CVE_2022_37434_zlib(void **state)
{
    (void)state;
    int major = 0, minor = 0, patch = 0, fix = 0;
    assert_true(sscanf(zlibVersion(), "%d.%d.%d.%d", &major, &minor, &patch,
                       &fix) >= 2);
    assert_true(major * 10000 + minor * 100 + patch >= 10213);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_CVE_2017_16031_ids),
        cmocka_unit_test(test_CVE_2020_27813_re_1584_lengths),
        cmocka_unit_test(test_CVE_2020_36406_fan_out),
        cmocka_unit_test(test_CVE_2018_25032_CVE_2022_37434_zlib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
