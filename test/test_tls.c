/* The stream: what goes through TLS once it is open, and how it ends. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/tls_rig.h"

#include <stdlib.h>

enum { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, DATA };

static void assert_bytes(const sio_buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->base, text, buf->len);
}

static size_t send_some(tls_conn *c, const void *bytes, size_t len)
{
    struct iovec piece = {(void *)(uintptr_t)bytes, len};
    size_t sent = 0;
    assert_int_equal(c->stream->ops->send(c->stream, &piece, 1, &sent), SIO_OK);
    return sent;
}

/* Bytes that tell where they stand. */
static uint8_t *pattern(size_t len)
{
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    }
    return bytes;
}

static void carries_both_ways(void **state)
{
    tls_rig r;
    tls_conn c;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    assert_true(c.stream->secure);
    assert_null(tp_stream_subject(c.stream));
    tls_conn_say(&c, SIO_LIT("ping"));
    assert_bytes(&c.got, "ping");
    assert_int_equal(send_some(&c, "pong", 4), 4);
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_bytes(&heard, "pong");
    sio_buf_deinit(&heard);
    tls_conn_close(&c);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_HANDSHAKES), 1);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_RESUMED), 0);
    tls_rig_deinit(&r);
}

/* The answers of the handshake leave in one piece, too; and it is the stream
 * below that reads less at once. */
static void one_send_is_one_record(void **state)
{
    tls_rig r;
    tls_conn c;
    struct iovec pieces[] = {{(char[]){"head"}, 4},
                             {(char[]){""}, 0},
                             {(char[]){"body"}, 4},
                             {(char[]){"tail"}, 4}};
    size_t sent;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    assert_int_equal(c.under.sends, 2); /* a flight each */
    c.stream->ops->narrow(c.stream);
    assert_true(c.under.narrow);
    size_t from = c.under.out.len;
    assert_int_equal(c.stream->ops->send(c.stream, pieces, 4, &sent), SIO_OK);
    assert_int_equal(sent, 12);
    assert_int_equal(tls_conn_records(&c, from, DATA), 1);
    assert_int_equal(c.under.sends, 3);
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_bytes(&heard, "headbodytail");
    sio_buf_deinit(&heard);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

/* What comes at once is handed up at once. */
static void many_records_are_one_input(void **state)
{
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(
            mbedtls_ssl_write(&c.ssl, (const unsigned char *)"x", 1), 1);
    }
    tls_conn_say(&c, SIO_LIT("y"));
    assert_int_equal(c.inputs, 1);
    assert_bytes(&c.got, "xxxxxxxxxxxxxxxxxxxxy");
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

static void bytes_one_by_one(void **state)
{
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_open(&c, &r, NULL);
    c.piece = 1;
    tls_conn_pump(&c);
    assert_true(tls_conn_is_open(&c));
    for (char at = 'a'; at <= 'z'; at++) {
        tls_conn_say(&c, (sio_bytes){(const uint8_t *)&at, 1});
    }
    assert_bytes(&c.got, "abcdefghijklmnopqrstuvwxyz");
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

#define LARGE ((size_t)200 * 1000)

static void large_in_any_pieces(void **state)
{
    static const size_t pieces[] = {0, 1000, 16384, 65536};
    uint8_t *bytes = pattern(LARGE);
    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        tls_rig r;
        tls_conn c;
        tls_rig_init(&r);
        tls_rig_open(&r);
        tls_conn_shake(&c, &r, NULL);
        c.piece = pieces[i];
        tls_conn_say(&c, (sio_bytes){bytes, LARGE});
        assert_int_equal(c.got.len, LARGE);
        assert_memory_equal(c.got.base, bytes, LARGE);
        tls_conn_close(&c);
        tls_rig_deinit(&r);
    }
    free(bytes);
}

/* The stream below takes `most` at a time, and is full in between. */
static void send_through(size_t most)
{
    uint8_t *bytes = pattern(LARGE);
    size_t sent = 0;
    tls_rig r;
    tls_conn c;
    int end;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    c.under.room = 0;
    while (sent < LARGE) {
        unsigned before = c.writables;
        sent += send_some(&c, bytes + sent, LARGE - sent);
        assert_true(tls_conn_inside(&c)->out.len <= TP_TLS_RECORD + 64);
        if (sent < LARGE) {
            assert_true(c.stream->blocked);
        }
        while (sent < LARGE && c.writables == before) {
            memory_stream_drain(&c.under, most);
        }
    }
    while (tls_conn_inside(&c)->out.len != 0) {
        memory_stream_drain(&c.under, most);
    }
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_int_equal(heard.len, LARGE);
    assert_memory_equal(heard.base, bytes, LARGE);
    sio_buf_deinit(&heard);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
    free(bytes);
}

static void slow_readers_hold_one_record(void **state)
{
    (void)state;
    send_through(1);
    send_through(700);
    send_through(16384);
    send_through(50000);
}

static void pausing_holds_back(void **state)
{
    tls_rig r;
    tls_conn c;
    uint8_t *bytes = pattern(LARGE);
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    c.pauses = true;
    tls_conn_say(&c, (sio_bytes){bytes, LARGE});
    assert_int_equal(c.inputs, 1);
    assert_true(c.got.len < LARGE);
    assert_true(c.under.paused);
    while (c.got.len < LARGE) {
        unsigned before = c.inputs;
        c.stream->ops->pause(c.stream, false);
        assert_int_equal(c.inputs, before); /* not within that call */
        memory_loop_turn(&r.loop);
        (void)tls_conn_step(&c);
        assert_true(c.inputs > before);
    }
    assert_memory_equal(c.got.base, bytes, LARGE);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
    free(bytes);
}

/* On its way to another loop, with what has come and was not read. */
static void leaves_with_what_has_come(void **state)
{
    uint8_t *bytes = pattern(LARGE);
    tls_rig r;
    tls_conn c;
    tp_loop other;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    memory_loop_init(&other, &r.log);
    tls_conn_shake(&c, &r, NULL);
    c.moves = &other;
    tls_conn_say(&c, (sio_bytes){bytes, LARGE});
    assert_ptr_equal(tls_conn_inside(&c)->loop, &other);
    assert_int_equal(c.inputs, 1);
    memory_loop_turn(&other);
    assert_int_equal(c.got.len, LARGE);
    assert_memory_equal(c.got.base, bytes, LARGE);
    assert_int_equal(send_some(&c, "there", 5), 5);
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_bytes(&heard, "there");
    sio_buf_deinit(&heard);
    c.stream->ops->close(c.stream);
    c.stream = NULL;
    memory_loop_turn(&other);
    tls_conn_close(&c);
    memory_loop_deinit(&other);
    tls_rig_deinit(&r);
    free(bytes);
}

/* ---------------------------------------------------------------- the end --
 */

static void peer_ends_in_order(void **state)
{
    tls_rig r;
    tls_conn c;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    assert_int_equal(mbedtls_ssl_close_notify(&c.ssl), 0);
    tls_conn_pump(&c);
    assert_int_equal(c.ends, 1);
    assert_int_equal(c.why, SIO_OK);
    /* What is ready can still be sent. */
    assert_int_equal(send_some(&c, "bye", 3), 3);
    c.stream->ops->shut(c.stream);
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_bytes(&heard, "bye");
    assert_int_equal(end, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    assert_true(c.under.shut);
    sio_buf_deinit(&heard);
    tls_conn_close(&c);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_TRUNCATED), 0);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_ERRORS), 0);
    tls_rig_deinit(&r);
}

static void truncation_is_told_apart(void **state)
{
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    memory_stream_end(&c.under, SIO_OK);
    assert_int_equal(c.ends, 1);
    assert_int_equal(c.why, SIO_ERR_TRUNCATED);
    tls_conn_close(&c);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_TRUNCATED), 1);
    tls_conn_shake(&c, &r, NULL);
    memory_stream_end(&c.under, SIO_ERR_IO);
    assert_int_equal(c.why, SIO_ERR_IO);
    tls_conn_close(&c);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_TRUNCATED), 1);
    tls_rig_deinit(&r);
}

static void closing_says_goodbye(void **state)
{
    tls_rig r;
    tls_conn c;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    size_t from = c.under.out.len;
    c.stream->ops->close(c.stream);
    c.stream = NULL;
    assert_int_equal(tls_conn_records(&c, from, ALERT), 1);
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_int_equal(heard.len, 0);
    assert_int_equal(end, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

static void closing_while_it_reads(void **state)
{
    tls_rig r;
    tls_conn c;
    uint8_t *bytes = pattern(LARGE);
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    c.closes = true;
    tls_conn_say(&c, (sio_bytes){bytes, LARGE});
    assert_int_equal(c.inputs, 1);
    assert_int_equal(c.ends, 0);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
    free(bytes);
}

/* An end that cannot leave yet leaves behind what waits, then ends. */
static void shutting_waits_for_room(void **state)
{
    tls_rig r;
    tls_conn c;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    c.under.room = 10;
    assert_int_equal(send_some(&c, "last words", 10), 10);
    c.stream->ops->shut(c.stream);
    assert_false(c.under.shut);
    memory_stream_drain(&c.under, 1000);
    assert_true(c.under.shut);
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_bytes(&heard, "last words");
    assert_int_equal(end, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    sio_buf_deinit(&heard);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

static void a_changed_byte_ends_it(void **state)
{
    tls_rig r;
    tls_conn c;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    for (size_t at = 0; at < 32; at++) {
        tls_conn_shake(&c, &r, NULL);
        assert_int_equal(
            mbedtls_ssl_write(&c.ssl, (const unsigned char *)"data", 4), 4);
        c.to_server.base[at % c.to_server.len] ^= 1;
        if (at == 3 || at == 4) {
            /* A longer record: the rest of it has to come. */
            uint8_t more[512] = {0};
            assert_int_equal(
                sio_buf_append(&c.to_server, (sio_bytes){more, sizeof(more)}),
                SIO_OK);
        }
        tls_conn_pump(&c);
        assert_int_equal(c.got.len, 0);
        assert_int_equal(c.ends, 1);
        assert_int_equal(c.why, SIO_ERR_TLS);
        size_t sent = 1;
        struct iovec piece = {(char[]){"x"}, 1};
        assert_int_equal(c.stream->ops->send(c.stream, &piece, 1, &sent),
                         SIO_ERR_IO);
        sio_buf heard = tls_conn_hear(&c, &end);
        assert_int_equal(heard.len, 0);
        assert_true(end < 0 && end != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
        tls_conn_close(&c);
    }
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_ERRORS), 32);
    assert_int_equal(sio_metric_get(&r.errors[-SIO_ERR_TLS]), 32);
    assert_string_equal(r.logged.event, "tls_refused");
    tls_rig_deinit(&r);
}

static void a_failing_send_is_told(void **state)
{
    tls_rig r;
    tls_conn c;
    size_t sent;
    struct iovec piece = {(char[]){"x"}, 1};
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    c.under.room = 1;
    assert_int_equal(send_some(&c, "some", 4), 4);
    c.under.failing = true;
    memory_stream_drain(&c.under, 100);
    assert_int_equal(c.ends, 0); /* not within that call */
    memory_loop_turn(&r.loop);
    assert_int_equal(c.ends, 1);
    assert_int_equal(c.why, SIO_ERR_IO);
    assert_int_equal(c.stream->ops->send(c.stream, &piece, 1, &sent),
                     SIO_ERR_IO);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

/* A peer that asks for what only makes us send, and does not read. */
static void renegotiation_is_refused(void **state)
{
    static const tls_client_options wants = {.host = "localhost",
                                             .renegotiates = true};
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, &wants);
    size_t from = c.under.out.len;
    assert_int_equal(mbedtls_ssl_renegotiate(&c.ssl),
                     MBEDTLS_ERR_SSL_WANT_READ);
    tls_conn_pump(&c);
    assert_int_equal(tls_conn_records(&c, from, HANDSHAKE), 0);
    assert_int_equal(tls_conn_records(&c, from, ALERT), 1);
    assert_true(mbedtls_ssl_renegotiate(&c.ssl) != 0);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_HANDSHAKES), 1);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

/* ----------------------------------------------------------------- memory --
 */

#define LENT(tls) ((tls)->ssl.in_buf != NULL || (tls)->ssl.out_buf != NULL)

static void idle_ones_have_no_record_buffers(void **state)
{
    tls_rig r;
    tls_conn c, d;
    int end;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    tls_conn_shake(&d, &r, NULL);
    assert_false(LENT(tls_conn_inside(&c)) || LENT(tls_conn_inside(&d)));
    tls_conn_say(&c, SIO_LIT("a"));
    tls_conn_say(&d, SIO_LIT("b"));
    (void)send_some(&c, "c", 1);
    (void)send_some(&d, "d", 1);
    assert_false(LENT(tls_conn_inside(&c)) || LENT(tls_conn_inside(&d)));

    /* Half a record is kept in one; the other goes on meanwhile. */
    assert_int_equal(mbedtls_ssl_write(&c.ssl, (const unsigned char *)"e", 1),
                     1);
    c.most_fed = c.fed + 9;
    (void)tls_conn_step(&c);
    assert_true(LENT(tls_conn_inside(&c)));
    tls_conn_say(&d, SIO_LIT("f"));
    c.most_fed = SIZE_MAX;
    tls_conn_pump(&c);
    assert_false(LENT(tls_conn_inside(&c)));
    assert_bytes(&c.got, "ae");
    assert_bytes(&d.got, "bf");
    sio_buf heard = tls_conn_hear(&c, &end);
    assert_bytes(&heard, "c");
    sio_buf_deinit(&heard);
    tls_conn_close(&c);
    tls_conn_close(&d);
    tls_rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_both_ways),
        cmocka_unit_test(one_send_is_one_record),
        cmocka_unit_test(many_records_are_one_input),
        cmocka_unit_test(bytes_one_by_one),
        cmocka_unit_test(large_in_any_pieces),
        cmocka_unit_test(slow_readers_hold_one_record),
        cmocka_unit_test(pausing_holds_back),
        cmocka_unit_test(leaves_with_what_has_come),
        cmocka_unit_test(peer_ends_in_order),
        cmocka_unit_test(truncation_is_told_apart),
        cmocka_unit_test(closing_says_goodbye),
        cmocka_unit_test(closing_while_it_reads),
        cmocka_unit_test(shutting_waits_for_room),
        cmocka_unit_test(a_changed_byte_ends_it),
        cmocka_unit_test(a_failing_send_is_told),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(idle_ones_have_no_record_buffers),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
