/* Listening again after the end, and signals that end several servers. */

#include <ev.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/server_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ----------------------------------------------------------------- again -- */

static void on_connection(sio_socket *socket, void *arg)
{
    (void)socket;
    ++*(int *)arg;
}

static void count_post(sio_server *server, void *arg)
{
    (void)server;
    ++*(int *)arg;
}

/* A session with a socket, whose poll is answered; the client stays.  `fds`
 * gets what is to be closed. */
static void connect_socket(uint16_t port)
{
    char text[256];
    int fd = server_rig_dial(port);
    server_rig_say(fd, SERVER_RIG_POLL);
    const char *sid = strstr(server_rig_hear(fd, "}"), "\"sid\":\"");
    assert_non_null(sid);
    (void)snprintf(text, sizeof(text),
                   "POST /socket.io/?EIO=4&transport=polling&sid=%.20s "
                   "HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n40",
                   sid + 7);
    server_rig_say(fd, text);
    assert_non_null(strstr(server_rig_hear(fd, "ok"), "200 OK"));
    close(fd);
}

static void on_life(sio_http_request *request, void *arg)
{
    (void)arg;
    sio_http_respond(request, 200, "text/plain", "[alive]", 7);
}

/* One life of a server, the number `life` from 1: what has been set up in those
 * before is there, nothing else is. */
static void live(sio_server *server, int life, int *posts)
{
    static const char *const paths[] = {"/one", "/two", "/three"};
    sio_listen_options file = server_rig_at_path(server_rig_path);
    char text[128];
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(sio_server_listen_at(server, &file, NULL), SIO_OK);
    assert_false(sio_server_closed(server));
    uint16_t port = sio_server_port(server);
    pthread_t thread = server_rig_start(server);
    server_rig_expect_who(server_rig_dial(port), "", "127.0.0.1");
    server_rig_expect_who(server_rig_dial_unix(server_rig_path), "", "unix:");
    connect_socket(port);
    for (int i = 0; i < 3; i++) {
        int fd = server_rig_dial(port);
        (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n",
                       paths[i]);
        server_rig_say(fd, text);
        const char *answer =
            server_rig_hear(fd, i < life - 1 ? "]" : "\r\n\r\n");
        assert_non_null(strstr(answer, i < life - 1 ? "[alive]" : "404"));
        close(fd);
    }
    assert_int_equal(sio_server_post(server, count_post, posts), SIO_OK);
    server_rig_stop(thread, server);
    assert_int_equal(*posts, life);
    assert_int_equal(sio_server_post(server, count_post, posts),
                     SIO_ERR_CLOSED);
    assert_int_equal(server_rig_dial(port), -1);
    assert_int_equal(sio_server_on_http(server, paths[life - 1], on_life, NULL),
                     SIO_OK);
}

/* As often as one likes, with all that was set up. */
static void test_again(void **state)
{
    static const unsigned threads[] = {1, 3};
    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        int connections = 0, posts = 0;
        sio_server_config config = server_rig_config();
        config.threads = threads[i];
        sio_server *server = server_rig_make(&config);
        sio_namespace *root = sio_server_of(server, "/");
        assert_int_equal(
            sio_namespace_on_connection(root, on_connection, &connections),
            SIO_OK);
        for (int life = 1; life <= 3; life++) {
            live(server, life, &posts);
            assert_int_equal(sio_namespace_count(root), 0);
            assert_int_equal(connections, life);
        }
        /* Running is enough. */
        pthread_t thread = server_rig_start(server);
        while (sio_server_closed(server)) {
            sched_yield();
        }
        server_rig_stop(thread, server);
        assert_int_equal(sio_server_counter(server, SIO_COUNTER_HANDSHAKES), 3);
        assert_int_equal(sio_server_counter(server, SIO_COUNTER_SESSIONS), 0);
        assert_int_equal(sio_server_counter(server, SIO_COUNTER_CONNECTIONS),
                         0);
        sio_server_free(server);
    }
}

/* Somebody else has taken the port meanwhile. */
static void test_again_in_vain(void **state)
{
    sio_server_config config = server_rig_config();
    (void)state;
    sio_server *first = server_rig_make(&config);
    assert_int_equal(sio_server_listen(first), SIO_OK);
    config.port = sio_server_port(first);
    sio_server_free(first);
    sio_server *server = server_rig_make(&config);
    sio_server_stop(server);
    assert_int_equal(sio_server_run(server), SIO_OK);
    sio_server *other = server_rig_make(&config);
    assert_int_equal(sio_server_listen(other), SIO_OK);
    assert_int_equal(sio_server_listen(server), SIO_ERR_ADDRESS);
    assert_int_equal(sio_server_port(server), 0);
    sio_server_free(other);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    pthread_t thread = server_rig_start(server);
    server_rig_expect_who(server_rig_dial(config.port), "", "127.0.0.1");
    server_rig_stop(thread, server);
    sio_server_free(server);
}

typedef struct lives {
    struct ev_loop *loop;
    int left, fd;
} lives;

/* From within the callback that tells of the end. */
static void on_closed(sio_server *server, void *arg)
{
    lives *l = arg;
    close(l->fd);
    if (--l->left == 0) {
        ev_break(l->loop, EVBREAK_ALL);
        return;
    }
    assert_int_equal(sio_server_listen(server), SIO_OK);
    l->fd = server_rig_dial(sio_server_port(server));
    server_rig_say(l->fd, SERVER_RIG_GET("/stop") "\r\n");
}

static void on_stop(sio_http_request *request, void *arg)
{
    sio_http_respond(request, 200, NULL, NULL, 0);
    sio_server_stop(*(sio_server **)arg);
}

static void test_again_on_a_joined_loop(void **state)
{
    lives l = {.loop = ev_loop_new(EVFLAG_AUTO), .left = 4};
    sio_server_config config = server_rig_config();
    sio_server *server;
    (void)state;
    config.loop = l.loop;
    config.on_closed = on_closed;
    config.arg = &l;
    server = server_rig_make(&config);
    assert_int_equal(sio_server_on_http(server, "/stop", on_stop, &server),
                     SIO_OK);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    l.fd = server_rig_dial(sio_server_port(server));
    /* A session that hears of the end only when it polls. */
    server_rig_say(l.fd, SERVER_RIG_POLL SERVER_RIG_GET("/stop") "\r\n");
    ev_run(l.loop, 0);
    assert_int_equal(l.left, 0);
    assert_true(sio_server_closed(server));
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_SESSIONS), 0);
    sio_server_free(server);
    ev_loop_destroy(l.loop);
}

/* While the end is under way there is nothing to begin. */
static void listen_while_closing(sio_server *server, void *arg)
{
    sio_listen_options options = server_rig_at_host("127.0.0.1");
    sio_server_stop(server);
    *(sio_error *)arg = sio_server_listen_at(server, &options, NULL);
}

static void listen_when_told(sio_server *server, void *arg)
{
    sio_listen_options options = server_rig_at_host("127.0.0.1");
    *(sio_error *)arg = sio_server_listen_at(server, &options, NULL);
}

static void test_not_while_closing(void **state)
{
    sio_server_config config = server_rig_config();
    sio_error early = SIO_ERR_STATE, late = SIO_OK;
    (void)state;
    sio_server *server = server_rig_make(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    int fd = server_rig_dial(sio_server_port(server)); /* that delays the end */
    assert_int_equal(sio_server_post(server, listen_while_closing, &early),
                     SIO_OK);
    sio_server_stop(server);
    assert_int_equal(sio_server_post(server, listen_when_told, &late), SIO_OK);
    assert_int_equal(sio_server_run(server), SIO_OK);
    assert_int_equal(early, SIO_OK); /* it was only asked to */
    assert_int_equal(late, SIO_ERR_STATE);
    close(fd);
    sio_server_free(server);
}

/* --------------------------------------------------------------- signals -- */

/* Several servers, each on a loop of its own: one signal stops them all. */
static void test_signal_for_all(void **state)
{
    enum { SERVERS = 3 };
    sio_server *servers[SERVERS];
    pthread_t threads[SERVERS];
    (void)state;
    for (int i = 0; i < SERVERS; i++) {
        sio_server_config config = server_rig_config();
        config.stop_on_signals = true;
        servers[i] = server_rig_make(&config);
        assert_int_equal(sio_server_listen(servers[i]), SIO_OK);
        threads[i] = server_rig_start(servers[i]);
    }
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    for (int i = 0; i < SERVERS; i++) {
        server_rig_join(threads[i], servers[i]);
        sio_server_free(servers[i]);
    }
}

/* The one that hears of signals ends: another takes its place. */
static void test_signal_after_one(void **state)
{
    enum { SERVERS = 3 };
    sio_server *servers[SERVERS];
    pthread_t threads[SERVERS];
    (void)state;
    for (int i = 0; i < SERVERS; i++) {
        sio_server_config config = server_rig_config();
        config.stop_on_signals = true;
        servers[i] = server_rig_make(&config);
        assert_int_equal(sio_server_listen(servers[i]), SIO_OK);
    }
    sio_server_free(servers[0]); /* one that has not run */
    for (int i = 1; i < SERVERS; i++) {
        threads[i] = server_rig_start(servers[i]);
        server_rig_expect_who(server_rig_dial(sio_server_port(servers[i])), "",
                              "127.0.0.1");
    }
    server_rig_stop(threads[1], servers[1]);
    /* It has begun to listen when a request behind that is answered. */
    server_rig_expect_who(server_rig_dial(sio_server_port(servers[2])), "",
                          "127.0.0.1");
    server_rig_expect_who(server_rig_dial(sio_server_port(servers[2])), "",
                          "127.0.0.1");
    assert_int_equal(kill(getpid(), SIGINT), 0);
    server_rig_join(threads[2], servers[2]);
    /* And again, after listening again. */
    assert_int_equal(sio_server_listen(servers[1]), SIO_OK);
    threads[1] = server_rig_start(servers[1]);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    server_rig_join(threads[1], servers[1]);
    sio_server_free(servers[1]);
    sio_server_free(servers[2]);
}

static void look_for_rest(sio_server *server, void *arg)
{
    *(uint64_t *)arg =
        1 + sio_server_counter(server, SIO_COUNTER_SESSIONS) +
        sio_server_counter(server, SIO_COUNTER_SESSIONS_POLLING) +
        sio_server_counter(server, SIO_COUNTER_BACKLOG_BYTES);
}

/* A client whose poll was answered last may never ask again: once the server
 * has closed, its session is not left either. */
static void test_nothing_is_left(void **state)
{
    static const unsigned threads[] = {1, 3};
    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++) {
        uint64_t left = 0;
        sio_server_config config = server_rig_config();
        config.threads = threads[i];
        config.on_closed = look_for_rest;
        config.arg = &left;
        sio_server *server = server_rig_make(&config);
        assert_int_equal(sio_server_listen(server), SIO_OK);
        pthread_t thread = server_rig_start(server);
        for (int k = 0; k < 5; k++) {
            connect_socket(sio_server_port(server));
        }
        server_rig_stop(thread, server);
        assert_int_equal(left, 1);
        sio_server_free(server);
    }
}

#define CASE(f)                                                                \
    cmocka_unit_test_setup_teardown(f, server_rig_setup, server_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_again),
        CASE(test_nothing_is_left),
        CASE(test_again_in_vain),
        CASE(test_again_on_a_joined_loop),
        CASE(test_not_while_closing),
        CASE(test_signal_for_all),
        CASE(test_signal_after_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
