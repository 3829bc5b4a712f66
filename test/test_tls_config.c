/* What a configuration may not say, and how the log tells; reloading. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/tls_locked.h"
#include "test/tls_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void check(tls_rig *r, sio_error want, const char *event,
                  const char *text)
{
    tp_tls_place place;
    unsigned before = r->logged.count;
    sio_error err = tp_tls_place_init(&place, &r->options, &r->log);
    if (err == SIO_OK) {
        tp_tls_place_deinit(&place);
    }
    assert_int_equal(err, want);
    if (want != SIO_OK) {
        assert_int_equal(r->logged.count, before + 1);
        assert_string_equal(r->logged.event, event);
        if (strstr(r->logged.text, text) == NULL) {
            fail_msg("\"%s\" says nothing of \"%s\"", r->logged.text, text);
        }
    }
}

/* One thing that is wrong, in options that are right else. */
#define WRONG(name, statement)                                                 \
    static void name(sio_tls_options *o, sio_tls_certificate *own)             \
    {                                                                          \
        (void)own;                                                             \
        (void)o;                                                               \
        statement;                                                             \
    }

WRONG(no_certificate, o->certificate_count = 0)
WRONG(no_list, o->certificates = NULL)
WRONG(too_many, o->certificate_count = 1025)
WRONG(two_chains, own->chain_file = "also.pem")
WRONG(no_chain, own->chain_pem = NULL)
WRONG(two_keys, own->key_file = "also.pem")
WRONG(no_key, own->key_pem = NULL)
WRONG(unasked_ca, o->client_ca_pem = "pem")
WRONG(unasked_crl, o->client_crl_file = "crl.pem")
WRONG(no_ca, o->client_certs = SIO_TLS_CLIENT_CERTS_REQUIRED)
WRONG(optional_no_ca, o->client_certs = SIO_TLS_CLIENT_CERTS_OPTIONAL)
WRONG(two_cas, o->client_certs = SIO_TLS_CLIENT_CERTS_REQUIRED;
      o->client_ca_pem = "pem"; o->client_ca_file = "ca.pem")
WRONG(two_crls, o->client_certs = SIO_TLS_CLIENT_CERTS_REQUIRED;
      o->client_ca_pem = "pem"; o->client_crl_pem = "pem";
      o->client_crl_file = "crl.pem")
WRONG(no_choice, o->client_certs = (sio_tls_client_certs)3)
WRONG(no_time, o->handshake_timeout_ms = 0)
WRONG(long_time, o->handshake_timeout_ms = 0x80000000)
WRONG(no_life, o->session_lifetime_s = 0)
WRONG(long_life, o->session_lifetime_s = 604801)
WRONG(large_cache, o->session_cache = 0x80000000)
WRONG(no_version, o->min_version = (sio_tls_version)2)

static void contradictions(void **state)
{
    static const struct {
        void (*make)(sio_tls_options *o, sio_tls_certificate *own);
        const char *text;
    } rows[] = {
        {no_certificate, "there are no certificates"},
        {no_list, "there are no certificates"},
        {too_many, "more than 1024 certificates"},
        {two_chains, "one of chain_file and chain_pem"},
        {no_chain, "one of chain_file and chain_pem"},
        {two_keys, "one of key_file and key_pem"},
        {no_key, "one of key_file and key_pem"},
        {unasked_ca, "where client_certs is NONE"},
        {unasked_crl, "where client_certs is NONE"},
        {no_ca, "one of client_ca_file and client_ca_pem"},
        {optional_no_ca, "one of client_ca_file and client_ca_pem"},
        {two_cas, "one of client_ca_file and client_ca_pem"},
        {two_crls, "at most one of client_crl_file and client_crl_pem"},
        {no_choice, "client_certs is none of the choices"},
        {no_time, "handshake_timeout_ms is not 1 to 2147483647"},
        {long_time, "handshake_timeout_ms is not 1 to 2147483647"},
        {no_life, "session_lifetime_s is not 1 to 604800"},
        {long_life, "session_lifetime_s is not 1 to 604800"},
        {large_cache, "session_cache is more than 2147483647"},
        {no_version, "min_version is none of the choices"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        tls_rig r;
        tls_rig_init(&r);
        tls_rig_add(&r, tls_cert_server());
        rows[i].make(&r.options, r.own);
        check(&r, SIO_ERR_ARGUMENT, "bad_config", rows[i].text);
        tls_rig_deinit(&r);
    }
}

static void the_limits_themselves_are_fine(void **state)
{
    tls_rig r;
    (void)state;
    tls_rig_init(&r);
    tls_rig_add(&r, tls_cert_server());
    r.options.handshake_timeout_ms = 1;
    r.options.session_lifetime_s = 604800;
    r.options.session_cache = INT32_MAX;
    r.options.client_certs = SIO_TLS_CLIENT_CERTS_REQUIRED;
    r.options.client_ca_pem = tls_cert_ca()->cert;
    check(&r, SIO_OK, NULL, NULL);
    r.options.min_version = SIO_TLS_1_3;
    check(&r, TP_TLS_HAS_1_3 ? SIO_OK : SIO_ERR_ARGUMENT, "bad_config",
          "min_version 1.3 needs mbedTLS 3.6");
    tls_rig_deinit(&r);
}

/* A file with that text, or, with NULL, its name alone. */
static const char *file_with(const char *text)
{
    static char names[8][64];
    static size_t next;
    char *name = names[next++ % COUNT(names)];
    (void)snprintf(name, sizeof(names[0]), "/tmp/test_tls_XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    if (text == NULL) {
        assert_int_equal(unlink(name), 0);
    } else {
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    }
    close(fd);
    return name;
}

static void files_that_are_of_no_use(void **state)
{
    const tls_cert *own = tls_cert_server();
    const char *missing = file_with(NULL), *chain = file_with(own->cert);
    const char *key = file_with(own->key), *empty = file_with("");
    const char *other = file_with(tls_cert_client()->key);
    char half[4096];
    (void)snprintf(half, sizeof(half), "%.*s", (int)strlen(own->cert) / 2,
                   own->cert);
    const char *cut = file_with(half);
    /* A good one, and one with a byte too few. */
    char spoilt[2 * sizeof(own->cert)];
    size_t len = strlen(own->cert);
    (void)snprintf(spoilt, sizeof(spoilt), "%s%s", own->cert, own->cert);
    memmove(spoilt + len + 40, spoilt + len + 41, len - 40);
    const char *half_good = file_with(spoilt);
    const struct {
        const char *chain, *key;
        sio_error err;
        const char *text, *also;
    } rows[] = {
        {chain, key, SIO_OK, NULL, NULL},
        {missing, key, SIO_ERR_FILE, missing, "No such file"},
        {chain, missing, SIO_ERR_FILE, missing, "No such file"},
        {"/tmp", key, SIO_ERR_FILE, "/tmp", "directory"},
        {empty, key, SIO_ERR_CERTIFICATE, empty, "X509"},
        {cut, key, SIO_ERR_CERTIFICATE, cut, "X509"},
        {half_good, key, SIO_ERR_CERTIFICATE, half_good, "some of what"},
        {chain, empty, SIO_ERR_CERTIFICATE, empty, "PK"},
        {chain, chain, SIO_ERR_CERTIFICATE, chain, "PK"},
        {chain, other, SIO_ERR_CERTIFICATE, other, "not that of the"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        tls_rig r;
        tls_rig_init(&r);
        r.own[0] = (sio_tls_certificate){.chain_file = rows[i].chain,
                                         .key_file = rows[i].key};
        r.options.certificate_count = 1;
        check(&r, rows[i].err, "tls_certificate", rows[i].text);
        if (rows[i].also != NULL) {
            check(&r, rows[i].err, "tls_certificate", rows[i].also);
        }
        tls_rig_deinit(&r);
    }
    (void)unlink(chain);
    (void)unlink(key);
    (void)unlink(empty);
    (void)unlink(other);
    (void)unlink(cut);
    (void)unlink(half_good);
}

static void keys_that_are_too_short(void **state)
{
    const tls_cert *weak = tls_cert_make(&(tls_cert_options){
        .subject = "CN=weak", .kind = TLS_CERT_RSA, .bits = 1024});
    tls_rig r;
    (void)state;
    tls_rig_init(&r);
    tls_rig_add(&r, tls_cert_server());
    tls_rig_add(&r, weak);
    check(&r, SIO_ERR_CERTIFICATE, "tls_certificate", "certificate 1");
    check(&r, SIO_ERR_CERTIFICATE, "tls_certificate", "2048");
    tls_rig_deinit(&r);
}

static void keys_that_are_encrypted(void **state)
{
    static const struct {
        const char *key, *password, *text; /* NULL: it is of use */
    } rows[] = {
        {tls_locked_old, "secret", NULL},
        {tls_locked_old, "Secret", "password"},
        {tls_locked_old, NULL, "password"},
        {tls_locked_des3, "secret", NULL},
        {tls_locked_des3, "", "password"},
        {tls_locked_des3, NULL, "password"},
        {tls_locked_aes, "secret", MBEDTLS_VERSION_MAJOR < 3 ? "PKCS5" : NULL},
        {tls_locked_aes, NULL, "password"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        tls_rig r;
        tls_rig_init(&r);
        r.own[0] = (sio_tls_certificate){.chain_pem = tls_locked_cert,
                                         .key_pem = rows[i].key,
                                         .key_password = rows[i].password};
        r.options.certificate_count = 1;
        check(&r, rows[i].text == NULL ? SIO_OK : SIO_ERR_CERTIFICATE,
              "tls_certificate", rows[i].text);
        tls_rig_deinit(&r);
    }
}

/* What client_ca_file, or client_crl_file, names. */
static void check_of_clients(const char *ca, const char *crl, sio_error want,
                             const char *what, const char *why)
{
    tls_rig r;
    tls_rig_init(&r);
    tls_rig_add(&r, tls_cert_server());
    r.options.client_certs = SIO_TLS_CLIENT_CERTS_OPTIONAL;
    r.options.client_ca_file = ca;
    r.options.client_crl_file = crl;
    check(&r, want, "tls_certificate", what);
    check(&r, want, "tls_certificate", crl == NULL ? ca : crl);
    check(&r, want, "tls_certificate", why);
    tls_rig_deinit(&r);
}

static void files_of_clients(void **state)
{
    const char *ca = file_with(tls_cert_ca()->cert), *missing = file_with(NULL);
    const char *garbage = file_with("garbage");
    (void)state;
    check_of_clients(ca, NULL, SIO_OK, NULL, NULL);
    check_of_clients(missing, NULL, SIO_ERR_FILE, "client_ca", "No such file");
    check_of_clients(garbage, NULL, SIO_ERR_CERTIFICATE, "client_ca", "X509");
    check_of_clients(ca, missing, SIO_ERR_FILE, "client_crl", "No such file");
    check_of_clients(ca, garbage, SIO_ERR_CERTIFICATE, "client_crl", "X509");
    (void)unlink(ca);
    (void)unlink(garbage);
}

static void garbage_of_clients(void **state)
{
    tls_rig r;
    (void)state;
    tls_rig_init(&r);
    tls_rig_add(&r, tls_cert_server());
    r.options.client_certs = SIO_TLS_CLIENT_CERTS_OPTIONAL;
    r.options.client_ca_pem = "garbage";
    check(&r, SIO_ERR_CERTIFICATE, "tls_certificate", "client_ca");
    r.options.client_ca_pem = tls_cert_ca()->cert;
    r.options.client_crl_pem = "garbage";
    check(&r, SIO_ERR_CERTIFICATE, "tls_certificate", "client_crl");
    tls_rig_deinit(&r);
}

/* --------------------------------------------------------------- reloading --
 */

static void check_subject(tls_rig *r, const char *want)
{
    char name[256];
    tls_conn c;
    tls_conn_open(&c, r, NULL);
    mbedtls_ssl_conf_authmode(&c.conf, MBEDTLS_SSL_VERIFY_OPTIONAL);
    tls_conn_pump(&c);
    assert_true(tls_conn_is_open(&c));
    const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&c.ssl);
    assert_true(mbedtls_x509_dn_gets(name, sizeof(name), &crt->subject) > 0);
    assert_string_equal(name, want);
    tls_conn_close(&c);
}

static void rewrite(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Half a handshake and an open connection go on with what they began with. */
static void reloading_drops_nobody(void **state)
{
    const tls_cert *own = tls_cert_server(), *next = tls_cert_rsa();
    const char *chain = file_with(own->cert), *key = file_with(own->key);
    tls_rig r;
    tls_conn half, whole;
    (void)state;
    tls_rig_init(&r);
    r.own[0] = (sio_tls_certificate){.chain_file = chain, .key_file = key};
    r.options.certificate_count = 1;
    tls_rig_open(&r);
    memset(r.own, 0, sizeof(r.own)); /* it has been copied */
    check_subject(&r, "CN=localhost");
    tls_conn_shake(&whole, &r, NULL);
    tls_conn_open(&half, &r, NULL);
    half.most_fed = 100;
    tls_conn_pump(&half);

    rewrite(chain, next->cert);
    assert_int_equal(tp_tls_place_reload(&r.place, NULL, &r.log),
                     SIO_ERR_CERTIFICATE);
    assert_string_equal(r.logged.event, "tls_certificate");
    check_subject(&r, "CN=localhost");
    rewrite(key, next->key);
    assert_int_equal(tp_tls_place_reload(&r.place, NULL, &r.log), SIO_OK);
    check_subject(&r, "CN=rsa.example.org");

    half.most_fed = SIZE_MAX;
    tls_conn_pump(&half);
    assert_true(tls_conn_is_open(&half));
    tls_conn_say(&half, SIO_LIT("half"));
    tls_conn_say(&whole, SIO_LIT("whole"));
    assert_int_equal(half.got.len, 4);
    assert_int_equal(whole.got.len, 5);
    tls_conn_close(&half);
    tls_conn_close(&whole);
    tls_rig_deinit(&r);
    (void)unlink(chain);
    (void)unlink(key);
}

static void other_options_take_over(void **state)
{
    sio_tls_certificate own = {.chain_pem = tls_cert_rsa()->cert,
                               .key_pem = tls_cert_rsa()->key};
    sio_tls_options options = SIO_TLS_OPTIONS_DEFAULT;
    tls_rig r;
    (void)state;
    tls_rig_init(&r);
    tls_rig_open(&r);
    assert_int_equal(tp_tls_place_reload(&r.place, &options, &r.log),
                     SIO_ERR_ARGUMENT);
    check_subject(&r, "CN=localhost");
    options.certificates = &own;
    options.certificate_count = 1;
    assert_int_equal(tp_tls_place_reload(&r.place, &options, &r.log), SIO_OK);
    check_subject(&r, "CN=rsa.example.org");
    assert_int_equal(tp_tls_place_reload(&r.place, NULL, &r.log), SIO_OK);
    check_subject(&r, "CN=rsa.example.org");
    tls_rig_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contradictions),
        cmocka_unit_test(the_limits_themselves_are_fine),
        cmocka_unit_test(files_that_are_of_no_use),
        cmocka_unit_test(keys_that_are_too_short),
        cmocka_unit_test(keys_that_are_encrypted),
        cmocka_unit_test(files_of_clients),
        cmocka_unit_test(garbage_of_clients),
        cmocka_unit_test(reloading_drops_nobody),
        cmocka_unit_test(other_options_take_over),
    };
    return cmocka_run_group_tests_name("tls_config", tests, NULL, NULL);
}
