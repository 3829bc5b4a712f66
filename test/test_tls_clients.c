/* Who comes: again, by a session of before, or with a certificate. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/tls_rig.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* In the place of libc's, for mbedTLS: it is later than it seems. */
static time_t later;

#define IN_PLACE_OF_LIBC __attribute__((visibility("default")))

IN_PLACE_OF_LIBC int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ts);
    ts->tv_sec += later;
    return rc;
}

IN_PLACE_OF_LIBC time_t time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out != NULL) {
        *out = ts.tv_sec;
    }
    return ts.tv_sec;
}

/* --------------------------------------------------------------- resuming --
 */

/* Connects twice, with the session of the first.  Returns whether the second
 * has resumed it. */
static bool resumes(tls_rig *r, void (*between)(tls_rig *r),
                    const tls_cert *cert)
{
    tls_client_options o = {.host = "localhost", .cert = cert};
    uint64_t before = tls_rig_count(r, SIO_COUNTER_TLS_RESUMED);
    mbedtls_ssl_session session;
    tls_conn c;
    mbedtls_ssl_session_init(&session);
    tls_conn_shake(&c, r, &o);
    assert_int_equal(mbedtls_ssl_get_session(&c.ssl, &session), 0);
    tls_conn_close(&c);
    if (between != NULL) {
        between(r);
    }
    o.session = &session;
    tls_conn_shake(&c, r, &o);
    tls_conn_say(&c, SIO_LIT("again"));
    assert_int_equal(c.got.len, 5);
    const char *subject = tp_stream_subject(c.stream);
    assert_true((cert == NULL) == (subject == NULL));
    tls_conn_close(&c);
    mbedtls_ssl_session_free(&session);
    return tls_rig_count(r, SIO_COUNTER_TLS_RESUMED) == before + 1;
}

static void reload(tls_rig *r)
{
    assert_int_equal(tp_tls_place_reload(&r->place, NULL, &r->log), SIO_OK);
}

static void check_resuming(bool tickets, uint32_t cache, bool want)
{
    tls_rig r;
    tls_rig_init(&r);
    r.options.session_tickets = tickets;
    r.options.session_cache = cache;
    tls_rig_open(&r);
    assert_int_equal(resumes(&r, NULL, NULL), want);
    assert_int_equal(resumes(&r, reload, NULL), want);
    tls_rig_deinit(&r);
}

static void sessions_are_resumed(void **state)
{
    (void)state;
    check_resuming(true, 0, true);
    check_resuming(false, 10, true);
    check_resuming(false, 0, false);
}

static void within_its_life(tls_rig *r)
{
    later += r->options.session_lifetime_s - 30;
}

static void after_its_life(tls_rig *r)
{
    later += r->options.session_lifetime_s + 1;
}

static void check_age(bool tickets, uint32_t cache)
{
    tls_rig r;
    tls_rig_init(&r);
    r.options.session_tickets = tickets;
    r.options.session_cache = cache;
    r.options.session_lifetime_s = 300;
    tls_rig_open(&r);
    assert_true(resumes(&r, within_its_life, NULL));
    assert_false(resumes(&r, after_its_life, NULL));
    assert_true(resumes(&r, NULL, NULL));
    tls_rig_deinit(&r);
}

static void sessions_grow_old(void **state)
{
    (void)state;
    check_age(true, 0);
    check_age(false, 10);
}

/* ---------------------------------------------------------------- clients --
 */

static void ask(tls_rig *r, sio_tls_client_certs how)
{
    tls_rig_init(r);
    r->options.client_certs = how;
    r->options.client_ca_pem = tls_cert_ca()->cert;
    tls_rig_open(r);
}

static void check_client(tls_rig *r, const tls_cert *cert, bool enters,
                         const char *subject)
{
    const tls_client_options o = {.host = "localhost", .cert = cert};
    uint64_t errors = tls_rig_count(r, SIO_COUNTER_TLS_ERRORS);
    tls_conn c;
    tls_conn_open(&c, r, &o);
    tls_conn_pump(&c);
    assert_int_equal(tls_conn_is_open(&c), enters);
    if (enters && subject != NULL) {
        assert_string_equal(tp_stream_subject(c.stream), subject);
    } else if (enters) {
        assert_null(tp_stream_subject(c.stream));
    } else {
        assert_int_equal(c.client, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    }
    tls_conn_close(&c);
    assert_int_equal(tls_rig_count(r, SIO_COUNTER_TLS_ERRORS),
                     errors + (enters ? 0 : 1));
}

static const tls_cert *stranger(void)
{
    static const tls_cert *slot;
    if (slot == NULL) {
        slot = tls_cert_make(&(tls_cert_options){
            .subject = "CN=stranger",
            .issuer = tls_cert_other_ca(),
            .issuer_subject = "CN=Another CA",
        });
    }
    return slot;
}

static void certificates_are_required(void **state)
{
    tls_rig r;
    (void)state;
    ask(&r, SIO_TLS_CLIENT_CERTS_REQUIRED);
    check_client(&r, tls_cert_client(), true, "O=Acme, CN=anna");
    check_client(&r, NULL, false, NULL);
    check_client(&r, stranger(), false, NULL);
    assert_non_null(strstr(r.logged.text, "trusted"));
    check_client(&r, tls_cert_expired_client(), false, NULL);
    assert_non_null(strstr(r.logged.text, "expired"));
    tls_rig_deinit(&r);
}

static void certificates_are_optional(void **state)
{
    tls_rig r;
    (void)state;
    ask(&r, SIO_TLS_CLIENT_CERTS_OPTIONAL);
    check_client(&r, tls_cert_client(), true, "O=Acme, CN=anna");
    check_client(&r, NULL, true, NULL);
    check_client(&r, stranger(), false, NULL);
    check_client(&r, tls_cert_expired_client(), false, NULL);
    assert_non_null(strstr(r.logged.text, "expired"));
    tls_rig_deinit(&r);
}

/* Who resumes is still who it was, but not after other rules may hold. */
static void who_resumes_is_known(void **state)
{
    tls_rig r;
    (void)state;
    ask(&r, SIO_TLS_CLIENT_CERTS_REQUIRED);
    assert_true(resumes(&r, NULL, tls_cert_client()));
    assert_false(resumes(&r, reload, tls_cert_client()));
    tls_rig_deinit(&r);
}

#if TP_TLS_HAS_1_3
/* Connects twice, with the session of the first, if it gave one: then it comes
 * in a record of its own behind the handshake. */
static void check_again(tls_rig *r, const tls_cert *cert, uint64_t resumed)
{
    unsigned char room[16];
    tls_client_options o = {.host = "localhost", .cert = cert, .newest = true};
    mbedtls_ssl_session session;
    tls_conn c;
    mbedtls_ssl_session_init(&session);
    tls_conn_shake(&c, r, &o);
    (void)mbedtls_ssl_read(&c.ssl, room, sizeof(room)); /* finds it */
    int rc = mbedtls_ssl_read(&c.ssl, room, sizeof(room));
    if (resumed != 0) {
        assert_int_equal(rc, MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
        assert_int_equal(mbedtls_ssl_get_session(&c.ssl, &session), 0);
        o.session = &session;
    } else {
        assert_int_equal(rc, MBEDTLS_ERR_SSL_WANT_READ);
    }
    tls_conn_close(&c);
    tls_conn_shake(&c, r, &o);
    assert_int_equal(tls_rig_count(r, SIO_COUNTER_TLS_RESUMED), resumed);
    assert_true((cert == NULL) == (tp_stream_subject(c.stream) == NULL));
    tls_conn_close(&c);
    mbedtls_ssl_session_free(&session);
}
#endif

static void newest_version_resumes(void **state)
{
#if TP_TLS_HAS_1_3
    tls_rig r;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    check_again(&r, NULL, 1);
    tls_rig_deinit(&r);
    ask(&r, SIO_TLS_CLIENT_CERTS_REQUIRED);
    check_again(&r, tls_cert_client(), 0);
    tls_rig_deinit(&r);
#else
    (void)state;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(sessions_grow_old),
        cmocka_unit_test(certificates_are_required),
        cmocka_unit_test(certificates_are_optional),
        cmocka_unit_test(who_resumes_is_known),
        cmocka_unit_test(newest_version_resumes),
    };
    return cmocka_run_group_tests_name("tls_clients", tests, NULL, NULL);
}
