/* TLS in a server's configuration: what is refused, and how it is reloaded. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "socketio/socketio.h"
#include "test/tls_certs.h"

typedef struct heard {
    unsigned count;
    char event[32], text[512];
} heard;

static void on_log(void *arg, int level, const char *event, const char *text)
{
    heard *h = arg;
    (void)level;
    h->count++;
    (void)snprintf(h->event, sizeof(h->event), "%s", event);
    (void)snprintf(h->text, sizeof(h->text), "%s", text);
}

static sio_server_config config_for(heard *h)
{
    sio_server_config c = sio_server_config_default();
    c.host = "127.0.0.1";
    c.port = 0;
    c.threads = 2;
    c.serve_client = false;
    c.on_log = on_log;
    c.arg = h;
    return c;
}

static sio_tls_certificate own(void)
{
    return (sio_tls_certificate){.chain_pem = tls_cert_server()->cert,
                                 .key_pem = tls_cert_server()->key};
}

static void bad_options_make_no_server(void **state)
{
    heard h = {0};
    sio_server_config config = config_for(&h);
    sio_tls_certificate one = own();
    sio_tls_options tls = SIO_TLS_OPTIONS_DEFAULT;
    (void)state;
    config.tls = &tls;
    assert_null(sio_server_new(&config));
    assert_string_equal(h.event, "bad_config");
    tls.certificates = &one;
    tls.certificate_count = 1;
    one.key_pem = NULL;
    one.key_file = "/nowhere/key.pem";
    assert_null(sio_server_new(&config));
    assert_string_equal(h.event, "tls_certificate");
    assert_non_null(strstr(h.text, "/nowhere/key.pem: No such file"));
}

static void options_are_copied(void **state)
{
    heard h = {0};
    sio_server_config config = config_for(&h);
    sio_tls_certificate one = own();
    sio_tls_options tls = SIO_TLS_OPTIONS_DEFAULT;
    (void)state;
    tls.certificates = &one;
    tls.certificate_count = 1;
    config.tls = &tls;
    sio_server *server = sio_server_new(&config);
    assert_non_null(server);
    memset(&tls, 0xee, sizeof(tls));
    memset(&one, 0xee, sizeof(one));
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(sio_server_reload_tls(server, 0, NULL), SIO_OK);
    assert_int_equal(
        sio_server_reload_tls(server, sio_server_port(server), NULL), SIO_OK);
    assert_int_equal(h.count, 0);
    sio_server_free(server);
}

static void each_place_has_its_own(void **state)
{
    heard h = {0};
    sio_server_config config = config_for(&h);
    sio_tls_certificate one = own();
    sio_tls_options tls = SIO_TLS_OPTIONS_DEFAULT;
    sio_listen_options at = {.size = sizeof(at), .host = "127.0.0.1"};
    uint16_t plain, secure;
    (void)state;
    sio_server *server = sio_server_new(&config);
    assert_non_null(server);
    assert_int_equal(sio_server_reload_tls(server, 0, NULL), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_server_listen_at(server, &at, &plain), SIO_OK);
    at.tls = &tls;
    assert_int_equal(sio_server_listen_at(server, &at, &secure),
                     SIO_ERR_ARGUMENT);
    tls.certificates = &one;
    tls.certificate_count = 1;
    one.chain_pem = "garbage";
    assert_int_equal(sio_server_listen_at(server, &at, &secure),
                     SIO_ERR_CERTIFICATE);
    one.chain_pem = NULL;
    one.chain_file = "/nowhere/chain.pem";
    assert_int_equal(sio_server_listen_at(server, &at, &secure), SIO_ERR_FILE);
    one = own();
    assert_int_equal(sio_server_listen_at(server, &at, &secure), SIO_OK);

    /* Whose port it is counts, and what is wrong changes nothing. */
    assert_int_equal(sio_server_reload_tls(server, plain, &tls),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(sio_server_reload_tls(server, secure, &tls), SIO_OK);
    one.key_pem = tls_cert_client()->key;
    assert_int_equal(sio_server_reload_tls(server, secure, &tls),
                     SIO_ERR_CERTIFICATE);
    assert_int_equal(sio_server_reload_tls(server, 0, NULL), SIO_OK);
    sio_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_options_make_no_server),
        cmocka_unit_test(options_are_copied),
        cmocka_unit_test(each_place_has_its_own),
    };
    return cmocka_run_group_tests_name("server_tls", tests, NULL, NULL);
}
