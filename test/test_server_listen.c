/* Where a server listens, and whose the connections are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/server_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------- listening -- */

/* Without the port of the config. */
static void test_only_unix(void **state)
{
    static const unsigned threads[] = {1, 3};
    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        sio_server_config config = server_rig_config();
        sio_listen_options options = server_rig_at_path(server_rig_path);
        uint16_t port = 4711;
        config.threads = threads[i];
        options.unix_mode = 0600;
        sio_server *server = server_rig_make(&config);
        assert_int_equal(sio_server_listen_at(server, &options, &port), SIO_OK);
        assert_int_equal(port, 0);
        assert_int_equal(sio_server_port(server), 0);
        pthread_t thread = server_rig_start(server);
        server_rig_expect_who(server_rig_dial_unix(server_rig_path), "",
                              "unix:");
        server_rig_stop(thread, server);
        assert_false(server_rig_is_there(server_rig_path));
        assert_int_equal(server_rig_dial_unix(server_rig_path), -1);
        sio_server_free(server);
    }
}

/* A port of the config, one more, and two sockets. */
static void test_many_places(void **state)
{
    static const unsigned threads[] = {1, 3};
    char abstract[96];
    (void)state;
    (void)snprintf(abstract, sizeof(abstract), "@%s", server_rig_path);
    for (size_t i = 0; i < COUNT(threads); i++) {
        sio_server_config config = server_rig_config();
        sio_listen_options host = server_rig_at_host("127.0.0.1"),
                           file = server_rig_at_path(server_rig_path),
                           name = server_rig_at_path(abstract);
        uint16_t port = 0;
        config.threads = threads[i];
        sio_server *server = server_rig_make(&config);
        assert_int_equal(sio_server_listen_at(server, &host, &port), SIO_OK);
        assert_int_equal(sio_server_listen(server), SIO_OK);
        assert_int_equal(sio_server_listen(server), SIO_ERR_STATE);
        assert_int_equal(sio_server_listen_at(server, &file, NULL), SIO_OK);
        assert_int_equal(sio_server_listen_at(server, &name, NULL), SIO_OK);
        assert_true(port != 0 && port != sio_server_port(server));
        pthread_t thread = server_rig_start(server);
        for (int j = 0; j < 8; j++) {
            server_rig_expect_who(server_rig_dial(port), "", "127.0.0.1");
            server_rig_expect_who(server_rig_dial(sio_server_port(server)), "",
                                  "127.0.0.1");
            server_rig_expect_who(server_rig_dial_unix(server_rig_path), "",
                                  "unix:");
        }
        server_rig_stop(thread, server);
        assert_int_equal(server_rig_dial(port), -1);
        assert_int_equal(server_rig_dial(sio_server_port(server)), -1);
        assert_false(server_rig_is_there(server_rig_path));
        sio_server_free(server);
    }
}

/* A server that is freed without having run leaves no file. */
static void test_freed(void **state)
{
    sio_server_config config = server_rig_config();
    sio_listen_options file = server_rig_at_path(server_rig_path);
    (void)state;
    sio_server *server = server_rig_make(&config);
    assert_int_equal(sio_server_listen_at(server, &file, NULL), SIO_OK);
    assert_true(server_rig_is_there(server_rig_path));
    int fd = server_rig_dial_unix(server_rig_path);
    sio_server_free(server);
    assert_false(server_rig_is_there(server_rig_path));
    close(fd);
}

/* One loop accepts, all serve. */
static void test_unix_is_shared(void **state)
{
    enum { THREADS = 4, CLIENTS = 40 };
    sio_server_config config = server_rig_config();
    sio_listen_options file = server_rig_at_path(server_rig_path);
    int fds[CLIENTS];
    (void)state;
    config.threads = THREADS;
    sio_server *server = server_rig_make(&config);
    assert_int_equal(sio_server_listen_at(server, &file, NULL), SIO_OK);
    pthread_t thread = server_rig_start(server);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = server_rig_dial_unix(server_rig_path);
        server_rig_say(fds[i], SERVER_RIG_GET("/who") "\r\n");
        assert_non_null(strstr(server_rig_hear(fds[i], "]"), "[unix:]"));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        uint64_t has =
            sio_server_loop_counter(server, i, SIO_COUNTER_CONNECTIONS);
        uint64_t accepted =
            sio_server_loop_counter(server, i, SIO_COUNTER_ACCEPTED);
        assert_in_range(has, CLIENTS / THREADS - 1, CLIENTS / THREADS + 1);
        assert_int_equal(accepted, i == 0 ? CLIENTS : 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    server_rig_stop(thread, server);
    sio_server_free(server);
}

static void test_bad_options(void **state)
{
    const sio_listen_options rows[] = {
        {.unix_path = server_rig_path, .host = "127.0.0.1"},
        {.unix_path = server_rig_path, .port = 80},
        {.unix_path = server_rig_path, .ipv6_only = true},
        {.unix_path = server_rig_path, .unix_mode = 01000},
        {.host = "127.0.0.1", .unix_mode = 0600},
        {.host = "127.0.0.1", .backlog = -1},
        {.host = "127.0.0.1", .proxy_protocol = true},
    };
    sio_server_config config = server_rig_config();
    (void)state;
    sio_server *server = server_rig_make(&config);
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_listen_options options = rows[i];
        options.size = sizeof(options);
        assert_int_equal(sio_server_listen_at(server, &options, NULL),
                         SIO_ERR_ARGUMENT);
    }
    sio_listen_options missing =
        server_rig_at_path("/tmp/no such folder/socket");
    assert_int_equal(sio_server_listen_at(server, &missing, NULL),
                     SIO_ERR_ADDRESS);
    /* Of an older header, that knows no unix sockets. */
    sio_listen_options older = server_rig_at_path(server_rig_path);
    uint16_t port = 0;
    older.host = "127.0.0.1";
    older.size = offsetof(sio_listen_options, unix_path);
    assert_int_equal(sio_server_listen_at(server, &older, &port), SIO_OK);
    assert_int_not_equal(port, 0);
    sio_server_free(server);
}

/* The port, or 1 where it is refused; `arg` is an atomic_uint. */
static void listen_more(sio_server *server, void *arg)
{
    sio_listen_options options = server_rig_at_host("127.0.0.1");
    uint16_t port = 1;
    if (sio_server_listen_at(server, &options, &port) != SIO_OK) {
        port = 1;
    }
    atomic_store((atomic_uint *)arg, port);
}

/* Has the server listen at one more place while it runs, and ends it. */
static unsigned ask_to_listen(sio_server *server)
{
    atomic_uint answer = 0;
    pthread_t thread = server_rig_start(server);
    assert_int_equal(sio_server_post(server, listen_more, &answer), SIO_OK);
    for (int i = 0; i < 1000 && atomic_load(&answer) == 0; i++) {
        usleep(10000);
    }
    unsigned port = atomic_load(&answer);
    if (port > 1) {
        server_rig_expect_who(server_rig_dial((uint16_t)port), "", "127.0.0.1");
    }
    server_rig_expect_who(server_rig_dial(sio_server_port(server)), "",
                          "127.0.0.1");
    server_rig_stop(thread, server);
    sio_server_free(server);
    return port;
}

/* With one thread at any time, with several not once they run. */
static void test_late(void **state)
{
    sio_server_config config = server_rig_config();
    (void)state;
    sio_server *server = server_rig_make(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_true(ask_to_listen(server) > 1);

    config.threads = 2;
    server = server_rig_make(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(ask_to_listen(server), 1);
}

/* --------------------------------------------------------------- proxies -- */

#define LINE "PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n"

static void test_forwarded(void **state)
{
    sio_server_config config = server_rig_config();
    sio_listen_options file = server_rig_at_path(server_rig_path);
    (void)state;
    config.trusted_proxies = "127.0.0.0/8";
    sio_server *server = server_rig_make(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(sio_server_listen_at(server, &file, NULL), SIO_OK);
    pthread_t thread = server_rig_start(server);
    server_rig_expect_who(server_rig_dial(sio_server_port(server)), "",
                          "192.0.2.1");
    server_rig_expect_who(server_rig_dial_unix(server_rig_path), "",
                          "unix:"); /* not in the list */
    server_rig_stop(thread, server);
    sio_server_free(server);

    config.trusted_proxies = "unix:";
    server = server_rig_make(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(sio_server_listen_at(server, &file, NULL), SIO_OK);
    thread = server_rig_start(server);
    server_rig_expect_who(server_rig_dial(sio_server_port(server)), "",
                          "127.0.0.1");
    server_rig_expect_who(server_rig_dial_unix(server_rig_path), "",
                          "192.0.2.1");
    server_rig_stop(thread, server);
    sio_server_free(server);
}

/* At some places, and not at others; on whichever loop it is read. */
static void test_proxy_protocol(void **state)
{
    static const unsigned threads[] = {1, 3};
    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        sio_server_config config = server_rig_config();
        sio_listen_options direct = server_rig_at_host("127.0.0.1"),
                           file = server_rig_at_path(server_rig_path);
        uint16_t port;
        config.threads = threads[i];
        config.proxy_protocol = true;
        config.trusted_proxies = "127.0.0.1 unix:";
        config.proxy_headers = SIO_PROXY_HEADERS_NONE;
        file.proxy_protocol = true;
        sio_server *server = server_rig_make(&config);
        assert_int_equal(sio_server_listen(server), SIO_OK);
        assert_int_equal(sio_server_listen_at(server, &direct, &port), SIO_OK);
        assert_int_equal(sio_server_listen_at(server, &file, NULL), SIO_OK);
        pthread_t thread = server_rig_start(server);
        int held[6]; /* so that those that come get to all loops */
        for (size_t j = 0; j < COUNT(held); j++) {
            held[j] = server_rig_dial_unix(server_rig_path);
            server_rig_say(held[j], LINE SERVER_RIG_POLL);
            assert_non_null(strstr(server_rig_hear(held[j], "}"), "200 OK"));
            server_rig_expect_who(server_rig_dial(sio_server_port(server)),
                                  LINE, "198.51.100.7");
            server_rig_expect_who(server_rig_dial_unix(server_rig_path), LINE,
                                  "198.51.100.7");
            server_rig_expect_who(server_rig_dial(port), "", "127.0.0.1");
        }
        int fd = server_rig_dial(sio_server_port(server));
        server_rig_say(fd, SERVER_RIG_POLL);
        assert_string_equal(server_rig_hear(fd, "nothing comes"), "");
        close(fd);
        for (size_t j = 0; j < COUNT(held); j++) {
            close(held[j]);
        }
        server_rig_stop(thread, server);
        assert_int_equal(sio_server_counter(server, SIO_COUNTER_PROXY_ERRORS),
                         1);
        assert_int_equal(sio_server_error_count(server, SIO_ERR_PROXY), 1);
        sio_server_free(server);
    }
}

static void on_log(void *arg, int level, const char *event, const char *text)
{
    (void)level;
    snprintf(arg, 256, "%s %s", event, text);
}

static void test_bad_proxies(void **state)
{
    static const struct {
        const char *list;
        bool proxy_protocol;
        const char *log;
    } rows[] = {
        {"10.0.0.0/8, my-proxy", false,
         "bad_config trusted_proxies: my-proxy is no numeric address"},
        {"10.0.0.1/8", false,
         "bad_config trusted_proxies: 10.0.0.1/8 has ones behind its bits"},
        {NULL, true, "bad_config proxy_protocol needs trusted_proxies"},
        {"", true, "bad_config proxy_protocol needs trusted_proxies"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char log[256] = "";
        sio_server_config config = server_rig_config();
        config.trusted_proxies = rows[i].list;
        config.proxy_protocol = rows[i].proxy_protocol;
        config.on_log = on_log;
        config.arg = log;
        assert_null(sio_server_new(&config));
        assert_string_equal(log, rows[i].log);
    }
}

#define CASE(f)                                                                \
    cmocka_unit_test_setup_teardown(f, server_rig_setup, server_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_only_unix),   CASE(test_many_places),
        CASE(test_freed),       CASE(test_unix_is_shared),
        CASE(test_bad_options), CASE(test_late),
        CASE(test_forwarded),   CASE(test_proxy_protocol),
        CASE(test_bad_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
