/* What permessage-deflate costs, and that it costs no more. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "test/deflate_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Linked with --wrap for these: the allocation after so many fails. */
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

static size_t until_short = SIZE_MAX;
static bool was_short;

static bool is_short(void)
{
    if (until_short == SIZE_MAX || until_short-- != 0) {
        return false;
    }
    until_short = SIZE_MAX;
    was_short = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_short() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_short() ? NULL : __real_realloc(memory, size);
}

static const tp_ws_deflate_params takeover = {false, false, 0, 0};
static const tp_ws_deflate_params no_takeover = {true, true, 0, 0};

/* zlib's, with a window of 15 bits: 256 KiB and some, 32 KiB and some. */
#define OUT_LEAST ((size_t)256 * 1024)
#define OUT_MOST ((size_t)288 * 1024)
#define IN_MOST ((size_t)48 * 1024)

static void talk(deflate_rig *r, deflate_peer *p, size_t len)
{
    sio_buf text = {0};
    deflate_text(&text, len);
    sio_frame_unref(deflate_rig_send(r, p, sio_buf_view(&text)));
    deflate_rig_hear(r, p, sio_buf_view(&text));
    sio_buf_deinit(&text);
}

/* Connections that do without takeover cost nothing, idle or not. */
static void test_no_takeover_is_free(void **state)
{
    (void)state;
    deflate_rig r;
    deflate_peer p[50];
    deflate_rig_init(&r, TP_DEFLATER_SHARE);
    for (size_t i = 0; i < COUNT(p); i++) {
        deflate_peer_init(&p[i], &r, &no_takeover);
        talk(&r, &p[i], 50000);
        assert_null(p[i].side.out);
        assert_null(p[i].side.in);
    }
    assert_int_equal(r.budget.used, TP_DEFLATER_SHARE);
    for (size_t i = 0; i < COUNT(p); i++) {
        deflate_peer_deinit(&p[i], &r);
    }
    deflate_rig_deinit(&r);
}

/* One with takeover is promised what the client's messages need, and has
 * nothing until there is one; for ours it takes what it needs when it does. */
static void test_takeover(void **state)
{
    (void)state;
    deflate_rig r;
    deflate_peer p;
    deflate_rig_init(&r, 2 * MIB);
    deflate_peer_init(&p, &r, &takeover);
    assert_null(p.side.out);
    assert_null(p.side.in);
    size_t promised = r.budget.used - TP_DEFLATER_SHARE;
    assert_in_range(promised, 32 * 1024, IN_MOST);

    sio_buf text = {0};
    deflate_text(&text, 100000);
    deflate_rig_hear(&r, &p, sio_buf_view(&text));
    assert_non_null(p.side.in);
    assert_null(p.side.out);
    assert_int_equal(r.budget.used - TP_DEFLATER_SHARE, promised);
    sio_frame *sent = deflate_rig_send(&r, &p, sio_buf_view(&text));
    assert_non_null(sent);
    sio_frame_unref(sent);
    assert_in_range(r.budget.used - TP_DEFLATER_SHARE - promised, OUT_LEAST,
                    OUT_MOST);
    deflate_peer_deinit(&p, &r);
    assert_int_equal(r.budget.used, TP_DEFLATER_SHARE);

    /* One that never said anything gives its promise back as well. */
    deflate_peer_init(&p, &r, &takeover);
    deflate_peer_deinit(&p, &r);
    sio_buf_deinit(&text);
    deflate_rig_deinit(&r);
}

/* With a budget of any size all messages arrive and it is never exceeded.
 * Where it ends, clients are told to do without takeover, and ours is left. */
static void test_cap(void **state)
{
    (void)state;
    for (size_t cap = TP_DEFLATER_SHARE; cap < 2 * MIB; cap += 79 * 1024) {
        deflate_rig r;
        deflate_peer p[6];
        size_t with_in = 0, with_out = 0;
        deflate_rig_init(&r, cap);
        for (size_t i = 0; i < COUNT(p); i++) {
            deflate_peer_init(&p[i], &r, &takeover);
            with_in += !p[i].side.params.client_no_context_takeover;
        }
        for (size_t n = 0; n < 4; n++) {
            for (size_t i = 0; i < COUNT(p); i++) {
                talk(&r, &p[i], 40000 + n);
            }
        }
        for (size_t i = 0; i < COUNT(p); i++) {
            with_out += p[i].side.out != NULL;
        }
        size_t left = cap - TP_DEFLATER_SHARE;
        size_t room = left / (44 * 1024);
        assert_int_equal(with_in, room < COUNT(p) ? room : COUNT(p));
        left -= with_in * 44 * 1024;
        assert_true(with_out <= left / OUT_LEAST);
        assert_true(with_out >=
                    (left / OUT_MOST < COUNT(p) ? left / OUT_MOST : COUNT(p)));
        for (size_t i = 0; i < COUNT(p); i++) {
            deflate_peer_deinit(&p[i], &r);
        }
        deflate_rig_deinit(&r);
    }
}

/* The thread's compressors for small windows come off the budget too; without
 * them messages leave as they are.  What comes in is always inflated. */
static void test_many_windows(void **state)
{
    (void)state;
    enum { WINDOWS = 7 };
    static const size_t more[] = {2 * MIB, 60 * 1024, 0};
    for (size_t i = 0; i < COUNT(more); i++) {
        deflate_rig r;
        deflate_peer p[WINDOWS];
        sio_buf text = {0};
        size_t shortened = 0;
        deflate_rig_init(&r, TP_DEFLATER_SHARE + more[i]);
        deflate_text(&text, 5000);
        for (uint8_t n = 0; n < WINDOWS; n++) {
            tp_ws_deflate_params params = {true, true, 15 - n, 0};
            deflate_peer_init(&p[n], &r, &params);
            sio_frame *sent = deflate_rig_send(&r, &p[n], sio_buf_view(&text));
            shortened += sent != NULL;
            sio_frame_unref(sent);
        }
        for (size_t n = 0; n < WINDOWS; n++) {
            deflate_rig_hear(&r, &p[n], sio_buf_view(&text));
            deflate_peer_deinit(&p[n], &r);
        }
        assert_true(i == 0 ? shortened == WINDOWS
                           : shortened > 0 && shortened < WINDOWS);
        assert_true(i == 0 ? r.budget.used > MIB
                           : r.budget.used == TP_DEFLATER_SHARE);
        sio_buf_deinit(&text);
        deflate_rig_deinit(&r);
    }
}

/* A thread that finds no share of its own is switched off. */
static void test_no_share(void **state)
{
    (void)state;
    deflate_rig r;
    tp_deflater second;
    tp_ws_deflate c;
    deflate_rig_init(&r, 2 * TP_DEFLATER_SHARE - 1);
    assert_int_equal(tp_deflater_init(&second, &r.config, &r.budget),
                     SIO_ERR_LIMIT);
    assert_false(tp_ws_deflate_open(&c, &second, &takeover));
    tp_deflater_deinit(&second);
    assert_int_equal(r.budget.used, TP_DEFLATER_SHARE);
    deflate_rig_deinit(&r);
}

/* -------------------------------------------------------------- the limit --
 */

static void test_max(void **state)
{
    (void)state;
    static const size_t lens[] = {1, 2, 100, 4095, 4096, 4097, 70000, 200000};
    for (size_t i = 0; i < COUNT(lens) * 3; i++) {
        size_t len = lens[i / 3];
        size_t max = i % 3 == 0 ? len - 1 : i % 3 == 1 ? len : len + 1;
        deflate_rig r;
        deflate_peer p;
        sio_buf text = {0}, payload = {0};
        sio_bytes got;
        deflate_rig_init(&r, MIB);
        deflate_peer_init(&p, &r, i % 2 == 0 ? &takeover : &no_takeover);
        deflate_text(&text, len);
        deflate_peer_pack(&p, sio_buf_view(&text), &payload);
        assert_int_equal(deflate_rig_receive(&r, &p, TP_WS_OP_BINARY,
                                             sio_buf_view(&payload), max, &got),
                         max < len ? SIO_ERR_TOO_LARGE : SIO_OK);
        sio_buf_deinit(&text);
        sio_buf_deinit(&payload);
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
}

/* 300 MB in 300 kB, of which a megabyte is seen. */
static void test_bomb(void **state)
{
    (void)state;
    enum { PIECE = 1000000, PIECES = 300 };
    deflate_rig r;
    deflate_peer p;
    sio_buf payload = {0};
    sio_bytes got;
    deflate_rig_init(&r, MIB);
    deflate_peer_init(&p, &r, &no_takeover);
    uint8_t *zeros = calloc(1, PIECE);
    assert_non_null(zeros);
    assert_int_equal(sio_buf_reserve(&payload, (size_t)2 * PIECE), SIO_OK);
    p.out.next_out = payload.base;
    p.out.avail_out = (uInt)payload.cap;
    for (size_t i = 0; i < PIECES; i++) {
        p.out.next_in = zeros;
        p.out.avail_in = PIECE;
        assert_int_equal(
            deflate(&p.out, i + 1 == PIECES ? Z_SYNC_FLUSH : Z_NO_FLUSH), Z_OK);
    }
    payload.len = payload.cap - p.out.avail_out - 4;
    assert_in_range(payload.len, 1, PIECE / 2);
    clock_t start = clock();
    assert_int_equal(deflate_rig_receive(&r, &p, TP_WS_OP_TEXT,
                                         sio_buf_view(&payload), PIECE, &got),
                     SIO_ERR_TOO_LARGE);
    assert_true(clock() - start < CLOCKS_PER_SEC / 4);
    assert_int_equal(r.deflater.inflated.cap, PIECE);
    tp_deflater_forget(&r.deflater);
    assert_int_equal(r.deflater.inflated.cap, 0);
    free(zeros);
    sio_buf_deinit(&payload);
    deflate_peer_deinit(&p, &r);
    deflate_rig_deinit(&r);
}

/* A megabyte of the least that can be said, by each way of saying it. */
static void test_many_blocks(void **state)
{
    (void)state;
    static const struct {
        sio_bytes block;
        bool good;
    } rows[] = {
        {SIO_LIT_INIT("\x03\0"), true},           /* final, fixed, empty */
        {SIO_LIT_INIT("\x01\0\0\xff\xff"), true}, /* final, stored, empty */
        {SIO_LIT_INIT("\0\0\0\xff\xff"), false},  /* stored, empty */
        {SIO_LIT_INIT("\x02"), false},
    };
    sio_buf payload = {0};
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        deflate_rig r;
        deflate_peer p;
        sio_bytes got;
        deflate_rig_init(&r, MIB);
        deflate_peer_init(&p, &r, i % 2 == 0 ? &takeover : &no_takeover);
        while (payload.len < MIB) {
            assert_int_equal(sio_buf_append(&payload, rows[i / 2].block),
                             SIO_OK);
        }
        clock_t start = clock();
        sio_error err = deflate_rig_receive(&r, &p, TP_WS_OP_TEXT,
                                            sio_buf_view(&payload), MIB, &got);
        assert_true(clock() - start < CLOCKS_PER_SEC);
        assert_int_equal(err, rows[i / 2].good ? SIO_OK : SIO_ERR_DEFLATE);
        assert_true(!rows[i / 2].good || got.len == 0);
        sio_buf_deinit(&payload);
        deflate_peer_deinit(&p, &r);
        deflate_rig_deinit(&r);
    }
}

/* Buffers of a usual size stay, so that messages allocate nothing; large ones
 * go at the end of the turn. */
static void test_buffers(void **state)
{
    (void)state;
    deflate_rig r;
    deflate_peer p;
    deflate_rig_init(&r, MIB);
    deflate_peer_init(&p, &r, &no_takeover);
    talk(&r, &p, 20000);
    tp_deflater_forget(&r.deflater);
    assert_in_range(r.deflater.deflated.cap, 20000, 65536);
    assert_in_range(r.deflater.inflated.cap, 20000, 65536);
    talk(&r, &p, 200000);
    assert_true(r.deflater.deflated.cap >= 200000);
    tp_deflater_forget(&r.deflater);
    assert_int_equal(r.deflater.deflated.cap, 0);
    assert_int_equal(r.deflater.inflated.cap, 0);
    deflate_peer_deinit(&p, &r);
    deflate_rig_deinit(&r);
}

/* ---------------------------------------------------------- short memory -- */

/* Sends and hears with one allocation failing.  What is sent then leaves as it
 * is; what is heard may fail with NO_MEMORY.  Returns whether one failed. */
static bool try_once(const tp_ws_deflate_params *params, size_t at)
{
    deflate_rig r;
    deflate_peer p;
    sio_buf text = {0}, payload = {0};
    sio_bytes got;
    deflate_rig_init(&r, 2 * MIB);
    deflate_peer_init(&p, &r, params);
    deflate_text(&text, 20000);
    was_short = false;
    for (size_t n = 0; n < 3; n++) {
        sio_frame *frame = deflate_rig_frame(&r, sio_buf_view(&text));
        deflate_peer_pack(&p, sio_buf_view(&text), &payload);
        until_short = n == 0 ? at : SIZE_MAX;
        sio_frame *sent =
            tp_ws_deflate_frame(&p.side, &r.deflater, &r.frames, frame);
        bool short_out = was_short;
        sio_error err =
            tp_ws_deflate_inflate(&p.side, &r.deflater, TP_WS_OP_TEXT,
                                  sio_buf_view(&payload), MIB, &got);
        until_short = SIZE_MAX;
        bool short_in = was_short && !short_out;
        assert_int_equal(err, short_in ? SIO_ERR_NO_MEMORY : SIO_OK);
        /* One that is short of a state of its own can do with the thread's. */
        assert_true(sent != NULL || (short_out && n == 0));
        if (sent != NULL) {
            deflate_peer_expect(&p, sent, sio_buf_view(&text));
        }
        sio_frame_unref(sent);
        sio_frame_unref(frame);
        tp_deflater_forget(&r.deflater);
        if (short_in) {
            break;
        }
    }
    sio_buf_deinit(&text);
    sio_buf_deinit(&payload);
    deflate_peer_deinit(&p, &r);
    assert_true(r.deflater.packing.taken <= TP_DEFLATER_SHARE);
    deflate_rig_deinit(&r);
    return was_short;
}

static void test_short_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t at = 0;
        while (try_once(i == 0 ? &takeover : &no_takeover, at)) {
            at++;
        }
        assert_in_range(at, 10, 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_takeover_is_free),
        cmocka_unit_test(test_takeover),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_many_windows),
        cmocka_unit_test(test_no_share),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_short_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
