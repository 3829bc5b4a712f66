/* Handshakes: who is let in, by which certificate, how long it may take, and
 * what becomes of those that break off. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/tls_rig.h"
#include "transport/tls_identity.h"

#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Where all takes long, as in valgrind, only every so many bytes are tried. */
static size_t stride(void)
{
    const char *text = getenv("TEST_STRIDE");
    size_t n = text == NULL ? 0 : strtoul(text, NULL, 10);
    return n == 0 ? 1 : n;
}

/* --------------------------------------------------------------- breaking --
 */

/* The peer ends after each number of bytes, the handshake's and those of two
 * records behind it. */
static void break_off_everywhere(sio_error how, size_t step,
                                 const tls_client_options *client)
{
    tls_rig r;
    tls_conn c;
    size_t total;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, client);
    tls_conn_say(&c, SIO_LIT("first"));
    tls_conn_say(&c, SIO_LIT("second"));
    total = c.fed;
    tls_conn_close(&c);
    for (size_t at = 0; at < total; at += step * stride()) {
        tls_conn_open(&c, &r, client);
        c.most_fed = at;
        tls_conn_pump(&c);
        if (c.client == 0) {
            tls_conn_say(&c, SIO_LIT("first"));
            tls_conn_say(&c, SIO_LIT("second"));
        }
        assert_int_equal(c.fed, at);
        assert_int_equal(c.ends, 0);
        memory_stream_end(&c.under, how);
        memory_loop_turn(&r.loop);
        assert_int_equal(c.ends, 1);
        assert_true(c.why != SIO_OK);
        assert_true(c.got.len == 0 || c.got.len == 5);
        tls_conn_close(&c);
    }
    tls_rig_deinit(&r);
}

static void ends_after_any_byte(void **state)
{
    (void)state;
    break_off_everywhere(SIO_OK, 1, NULL);
}

static void breaks_after_any_byte(void **state)
{
    (void)state;
    break_off_everywhere(SIO_ERR_IO, 3, NULL);
}

/* Any one byte of the handshake is another one: nobody gets in, nothing leaks,
 * and where the server sees it, it says so. */
static void any_byte_changed(void **state)
{
    tls_rig r;
    tls_conn c;
    size_t total;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    total = c.fed;
    tls_conn_close(&c);
    for (size_t at = 0; at < total; at += 2 * stride()) {
        tls_conn_open(&c, &r, NULL);
        c.most_fed = at;
        tls_conn_pump(&c);
        if (c.to_server.len != 0) {
            c.to_server.base[0] ^= 0x55;
        }
        c.most_fed = SIZE_MAX;
        tls_conn_pump(&c);
        /* Not all look at the minor version of the first record. */
        assert_true(!tls_conn_is_open(&c) || at == 2);
        tls_conn_close(&c);
    }
    tls_rig_deinit(&r);
}

static void no_tls_at_all(void **state)
{
    static const sio_bytes starts[] = {
        SIO_LIT_INIT("\x15\x03\x01\x00\x02\x02\x28"),
        SIO_LIT_INIT("\x16\x03\x01\xff\xff\x01"),
        SIO_LIT_INIT("\x80\x2e\x01\x00\x02\x00\x15\x00\x00"),
        SIO_LIT_INIT("\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        SIO_LIT_INIT("\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00"),
#if MBEDTLS_VERSION_MAJOR < 3 /* which puts messages together */
        SIO_LIT_INIT("\x16\x03\x01\x00\x04\x01\xff\xff\xff"),
#endif
        SIO_LIT_INIT("\x17\x03\x03\x00\x05hello"),
    };
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    for (size_t i = 0; i < COUNT(starts); i++) {
        tls_conn_open(&c, &r, NULL);
        c.client = 1; /* it is not asked */
        (void)memory_stream_feed(&c.under, starts[i], 0);
        tls_conn_pump(&c);
        memory_loop_turn(&r.loop);
        assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_ERRORS), i + 1);
        assert_string_equal(r.logged.event, "tls_refused");
        /* It may go on for a moment, so that it reads why. */
        assert_true(c.under.shut);
        assert_int_equal(c.ends, 0);
        (void)memory_stream_feed(&c.under, SIO_LIT("more and more"), 1);
        memory_loop_advance(&r.loop, 1000);
        assert_int_equal(c.ends, 1);
        assert_int_equal(c.why, SIO_ERR_TLS);
        tls_conn_close(&c);
    }
    tls_rig_deinit(&r);
}

static void plain_http_is_answered(void **state)
{
    static const char want[] = "HTTP/1.1 400 Bad Request\r\n";
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_open(&c, &r, NULL);
    c.client = 1;
    (void)memory_stream_feed(
        &c.under, SIO_LIT("GET /socket.io/?EIO=4 HTTP/1.1\r\n\r\n"), 0);
    tls_conn_pump(&c);
    assert_true(c.under.out.len > sizeof(want));
    assert_memory_equal(c.under.out.base, want, sizeof(want) - 1);
    sio_bytes answer = sio_buf_view(&c.under.out);
    const uint8_t *body = memmem(answer.base, answer.len, "\r\n\r\n", 4);
    assert_non_null(body);
    assert_int_equal(answer.base + answer.len - (body + 4), 42);
    assert_true(c.under.shut);
    assert_non_null(strstr(r.logged.text, "plain HTTP"));
    memory_stream_end(&c.under, SIO_OK);
    assert_int_equal(c.why, SIO_ERR_TLS);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

static void it_has_to_be_done_in_time(void **state)
{
    tls_rig r;
    tls_conn c, silent;
    (void)state;
    tls_rig_init(&r);
    r.options.handshake_timeout_ms = 3000;
    tls_rig_open(&r);
    tls_conn_open(&c, &r, NULL);
    tls_conn_open(&silent, &r, NULL);
    c.most_fed = 300;
    tls_conn_pump(&c);
    memory_loop_advance(&r.loop, 2999);
    assert_int_equal(c.ends + silent.ends, 0);
    memory_loop_advance(&r.loop, 1);
    assert_int_equal(c.why, SIO_ERR_TIMEOUT);
    assert_int_equal(silent.why, SIO_ERR_TIMEOUT);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_TIMEOUTS), 2);
    assert_int_equal(r.logged.count, 1); /* the silent one is none to tell of */
    tls_conn_close(&c);
    tls_conn_close(&silent);

    tls_conn_shake(&c, &r, NULL);
    memory_loop_advance(&r.loop, 100000);
    assert_int_equal(c.ends, 0);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

/* ------------------------------------------------------------------ turns --
 */

#define CROWD 30

static tls_conn crowd[CROWD];

/* What each client has to say comes at once; the loop has no turn yet. */
static void all_send(void)
{
    for (size_t i = 0; i < CROWD; i++) {
        tls_conn *c = &crowd[i];
        c->client = mbedtls_ssl_handshake(&c->ssl);
        (void)memory_stream_feed(&c->under, sio_buf_view(&c->to_server), 0);
        sio_buf_consume(&c->to_server, c->to_server.len);
    }
}

static void open_crowd(tls_rig *r)
{
    for (size_t i = 0; i < CROWD; i++) {
        tls_conn_open(&crowd[i], r, NULL);
    }
    all_send();
}

static void close_crowd(void)
{
    for (size_t i = 0; i < CROWD; i++) {
        tls_conn_close(&crowd[i]);
    }
}

static bool key_is_made(const tp_tls *tls)
{
    return tls->set_up && tls->ssl.state > MBEDTLS_SSL_SERVER_KEY_EXCHANGE;
}

static bool key_is_taken(const tp_tls *tls)
{
    return tls->ssl.state > MBEDTLS_SSL_CLIENT_KEY_EXCHANGE;
}

static size_t count_crowd(bool (*is)(const tp_tls *tls))
{
    size_t n = 0;
    for (size_t i = 0; i < CROWD; i++) {
        n += is(tls_conn_inside(&crowd[i]));
    }
    return n;
}

/* Turns until all are so; in a turn one becomes so, not more. */
static void become_one_by_one(tls_rig *r, bool (*is)(const tp_tls *tls))
{
    size_t done = 0;
    assert_int_equal(count_crowd(is), 0);
    for (unsigned turns = 0; done < CROWD; turns++) {
        memory_loop_turn(&r->loop);
        size_t now = count_crowd(is);
        assert_true(now - done <= 1);
        done = now;
        assert_true(turns < 10 * CROWD);
    }
}

/* In a turn of the loop no more than one of many gets through what takes long:
 * the two of the server's parts in the exchange of keys. */
static void a_turn_makes_few_steps(void **state)
{
    tls_rig r;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    open_crowd(&r);
    become_one_by_one(&r, key_is_made);
    while (!sio_list_empty(&r.loop.tls->waiting)) {
        memory_loop_turn(&r.loop); /* for the rest of that flight */
    }
    all_send();
    become_one_by_one(&r, key_is_taken);
    for (size_t i = 0; i < CROWD; i++) {
        tls_conn_pump(&crowd[i]);
        assert_true(tls_conn_is_open(&crowd[i]));
    }
    close_crowd();
    tls_rig_deinit(&r);
}

/* One that is open does not wait for those: it is served in the turn in which
 * it asks. */
static void others_go_on_meanwhile(void **state)
{
    tls_rig r;
    tls_conn c;
    size_t asked = 0;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, NULL);
    open_crowd(&r);
    while (count_crowd(key_is_made) < CROWD) {
        tls_conn_say(&c, SIO_LIT("healthy"));
        asked++;
        assert_int_equal(c.got.len, 7 * asked);
    }
    assert_true(asked >= CROWD);
    close_crowd();
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

/* ----------------------------------------------------------------- choice --
 */

static void check_name(tls_rig *r, const char *host, const char *want)
{
    const tls_client_options o = {.host = host};
    tls_conn c;
    char name[256];
    tls_conn_open(&c, r, &o);
    /* Whether the name is right is not the question. */
    mbedtls_ssl_conf_authmode(&c.conf, MBEDTLS_SSL_VERIFY_OPTIONAL);
    tls_conn_pump(&c);
    assert_true(tls_conn_is_open(&c));
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&c.ssl);
    assert_true(mbedtls_x509_dn_gets(name, sizeof(name), &crt->subject) > 0);
    assert_string_equal(name, want);
    tls_conn_close(&c);
}

static void the_name_chooses(void **state)
{
    tls_rig r;
    (void)state;
    tls_rig_init(&r);
    tls_rig_add(&r, tls_cert_server());
    tls_rig_add(&r, tls_cert_rsa());
    tls_rig_open(&r);
    check_name(&r, "localhost", "CN=localhost");
    check_name(&r, "www.example.com", "CN=localhost");
    check_name(&r, "rsa.example.org", "CN=rsa.example.org");
    check_name(&r, "RSA.Example.ORG", "CN=rsa.example.org");
    check_name(&r, "elsewhere.test", "CN=localhost");
    check_name(&r, NULL, "CN=localhost");
    tls_rig_deinit(&r);
}

static void names_match_whole_labels(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool match;
    } rows[] = {
        {"example.com", "example.com", true},
        {"example.com", "EXAMPLE.com", true},
        {"example.com", "example.co", false},
        {"example.com", "an.example.com", false},
        {"*.example.com", "an.example.com", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", ".example.com", false},
        {"*.example.com", "one.an.example.com", false},
        {"*.Example.com", "AN.example.COM", true},
        {"*", "example", false},
        {"*.", "a.", false},
        {"a*.example.com", "an.example.com", false},
        {"", "", false},
        {"", "a", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_bytes pattern = {(const uint8_t *)rows[i].pattern,
                             strlen(rows[i].pattern)};
        sio_bytes name = {(const uint8_t *)rows[i].name, strlen(rows[i].name)};
        bool match = tp_tls_name_matches(pattern, name);
        if (match != rows[i].match) {
            fail_msg("%s for %s: %d", rows[i].pattern, rows[i].name, match);
        }
    }
}

static void only_http_is_spoken(void **state)
{
    static const char *const both[] = {"h2", "http/1.1", NULL};
    static const char *const other[] = {"h2", NULL};
    const tls_client_options may = {.host = "localhost", .alpn = both};
    const tls_client_options must = {.host = "localhost", .alpn = other};
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, &may);
    assert_string_equal(mbedtls_ssl_get_alpn_protocol(&c.ssl), "http/1.1");
    tls_conn_close(&c);
    tls_conn_open(&c, &r, &must);
    tls_conn_pump(&c);
    assert_int_equal(c.client, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    assert_false(tls_conn_is_open(&c));
    tls_conn_close(&c);
    tls_rig_deinit(&r);
}

static void old_versions_are_refused(void **state)
{
#if MBEDTLS_VERSION_MAJOR < 3
    const tls_client_options old = {.host = "localhost", .old = true};
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    tls_conn_open(&c, &r, &old);
    tls_conn_pump(&c);
    assert_int_equal(c.client, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    assert_int_equal(tls_rig_count(&r, SIO_COUNTER_TLS_ERRORS), 1);
    tls_conn_close(&c);
    tls_rig_deinit(&r);
#else
    (void)state;
    skip(); /* no client of that library speaks them */
#endif
}

/* ---------------------------------------------------------------- TLS 1.3 --
 */

static void newest_version(void **state)
{
#if TP_TLS_HAS_1_3
    const tls_client_options newest = {.host = "localhost", .newest = true};
    tls_rig r;
    tls_conn c;
    (void)state;
    tls_rig_init(&r);
    r.options.min_version = SIO_TLS_1_3;
    tls_rig_open(&r);
    tls_conn_shake(&c, &r, &newest);
    assert_string_equal(mbedtls_ssl_get_version(&c.ssl), "TLSv1.3");
    tls_conn_say(&c, SIO_LIT("new"));
    assert_int_equal(c.got.len, 3);
    const mbedtls_ssl_context *ssl = &tls_conn_inside(&c)->ssl;
    assert_null(ssl->in_buf);
    assert_null(ssl->out_buf);
    assert_null(ssl->handshake);
    tls_conn_close(&c);
    tls_conn_open(&c, &r, NULL);
    tls_conn_pump(&c);
    assert_false(tls_conn_is_open(&c));
    tls_conn_close(&c);
    tls_rig_deinit(&r);
    break_off_everywhere(SIO_OK, 1, &newest);
#else
    (void)state;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_after_any_byte),
        cmocka_unit_test(breaks_after_any_byte),
        cmocka_unit_test(any_byte_changed),
        cmocka_unit_test(no_tls_at_all),
        cmocka_unit_test(plain_http_is_answered),
        cmocka_unit_test(it_has_to_be_done_in_time),
        cmocka_unit_test(a_turn_makes_few_steps),
        cmocka_unit_test(others_go_on_meanwhile),
        cmocka_unit_test(the_name_chooses),
        cmocka_unit_test(names_match_whole_labels),
        cmocka_unit_test(only_http_is_spoken),
        cmocka_unit_test(old_versions_are_refused),
        cmocka_unit_test(newest_version),
    };
    return cmocka_run_group_tests_name("tls_handshake", tests, NULL, NULL);
}
