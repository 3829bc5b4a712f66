/* Servers that end: little by little, and at once. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/server_rig.h"
#include "test/threads_rig.h"
#include "test/ws_client.h"

#define UPGRADE                                                                \
    SERVER_RIG_GET("/socket.io/?EIO=4&transport=websocket")                    \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "     \
    "13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void open_all(ws_client *clients, int count, uint16_t port)
{
    for (int i = 0; i < count; i++) {
        ws_client_open(&clients[i], port);
    }
}

/* Looks at all until each has been told to close; gives how many packets came
 * before that, and when the first and the last were told. */
static size_t await_closes(ws_client *clients, int count, uint64_t *first,
                           uint64_t *last)
{
    size_t packets = 0;
    int left = count;
    *first = *last = 0;
    while (left > 0) {
        for (int i = 0; i < count; i++) {
            ws_message m;
            if (clients[i].fd < 0) {
                continue;
            }
            while (ws_client_poll(&clients[i], &m)) {
                packets++;
            }
            if (ws_client_ended(&clients[i])) {
                assert_true(clients[i].said_close);
                *last = now_ms();
                *first = *first == 0 ? *last : *first;
                ws_client_close(&clients[i]);
                left--;
            }
        }
    }
    return packets;
}

/* The answer to one request on a connection of its own. */
static const char *answer_to(uint16_t port, const char *request,
                             const char *end)
{
    int fd = server_rig_dial(port);
    assert_true(fd >= 0);
    server_rig_say(fd, request);
    const char *answer = server_rig_hear(fd, end);
    close(fd);
    return answer;
}

static uint64_t counted(const threads_rig *rig, sio_counter counter)
{
    return sio_server_counter(rig->server, counter);
}

/* ------------------------------------------------------- little by little --
 */

/* As often as the rate says, over all loops, and not in one heap. */
static void drain_at(unsigned threads, unsigned jitter)
{
    enum { COUNT = 40, RATE = 100 };
    static ws_client clients[COUNT];
    threads_rig rig;
    uint64_t first, last;
    threads_rig_start(&rig, threads, NULL);
    open_all(clients, COUNT, rig.port);
    threads_rig_await(&rig, COUNT);
    sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
    o.rate = RATE;
    o.jitter = jitter;
    uint64_t begun = now_ms();
    assert_int_equal(sio_server_drain(rig.server, &o), SIO_OK);
    /* No Socket.IO packet: that would tell clients to stay away. */
    assert_int_equal(await_closes(clients, COUNT, &first, &last), 0);
    /* 400 ms; what chance adds or takes is less than what is allowed here. */
    assert_in_range(last - begun, 250, 4000);
    assert_true(last - first > 200);
    assert_int_equal(counted(&rig, SIO_COUNTER_DISCONNECTED_SHUTTING_DOWN),
                     COUNT);
    threads_rig_stop(&rig);
}

static void test_rate(void **state)
{
    (void)state;
    drain_at(1, 0);
    drain_at(1, 50);
    drain_at(4, 0);
    drain_at(4, 50);
}

/* 0 is no rate. */
static void test_all_at_once(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static ws_client clients[COUNT];
    threads_rig rig;
    uint64_t first, last;
    threads_rig_start(&rig, 3, NULL);
    open_all(clients, COUNT, rig.port);
    threads_rig_await(&rig, COUNT);
    sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
    o.rate = 0;
    assert_int_equal(sio_server_drain(rig.server, &o), SIO_OK);
    assert_int_equal(await_closes(clients, COUNT, &first, &last), 0);
    assert_int_equal(pthread_join(rig.thread, NULL), 0);
    assert_true(sio_server_closed(rig.server));
    assert_int_equal(rig.count, 0);
    sio_server_free(rig.server);
    pthread_mutex_destroy(&rig.lock);
}

/* ---------------------------------------------------- while it is drained --
 */

static void on_echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    assert_int_equal(
        sio_socket_emit_args(socket, "echo", sio_event_args(event), 0), SIO_OK);
}

static void on_health(sio_http_request *request, void *arg)
{
    (void)arg;
    sio_http_respond(request, 200, NULL, "healthy", 7);
}

/* Whether it has not been told to close. */
static bool echoes_still(ws_client *c)
{
    ws_message m;
    ws_client_say(c, "42[\"echo\",1]");
    while (!ws_client_poll(c, &m)) {
        if (ws_client_ended(c)) {
            return false;
        }
    }
    assert_int_equal(m.len, strlen("42[\"echo\",1]"));
    assert_memory_equal(m.data, "42[\"echo\",1]", m.len);
    return true;
}

static void expect_refusal(uint16_t port, const char *request,
                           const char *retry)
{
    const char *answer = answer_to(port, request, "\r\n\r\n");
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
    assert_non_null(strstr(answer, "Connection: close"));
    if (retry != NULL) {
        assert_non_null(strstr(answer, retry));
    } else {
        assert_null(strstr(answer, "Retry-After"));
    }
}

/* Waits until handshakes are refused on each loop. */
static void await_refusals(uint16_t port, const char *request)
{
    for (int in_a_row = 0; in_a_row < 20;) {
        const char *answer = answer_to(port, request, "\r\n\r\n");
        in_a_row = strstr(answer, " 503 ") != NULL ? in_a_row + 1 : 0;
    }
}

static void drain_meanwhile(unsigned threads, uint32_t retry_after,
                            const char *retry)
{
    enum { COUNT = 20 };
    threads_rig rig;
    ws_client clients[COUNT];
    sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
    threads_rig_prepare(&rig, threads, NULL);
    assert_int_equal(sio_namespace_on(rig.root, "echo", on_echo, NULL), SIO_OK);
    assert_int_equal(sio_server_on_http(rig.server, "/health", on_health, NULL),
                     SIO_OK);
    threads_rig_run(&rig);
    open_all(clients, COUNT, rig.port);
    /* A connection that stays open from before. */
    int kept = server_rig_dial(rig.port);
    server_rig_say(kept, SERVER_RIG_GET("/health") "\r\n");
    assert_non_null(strstr(server_rig_hear(kept, "healthy"), "200 OK"));
    o.rate = 1; /* with the first at once, on one loop or another */
    o.jitter = 0;
    o.retry_after_s = retry_after;
    assert_int_equal(sio_server_drain(rig.server, &o), SIO_OK);
    assert_int_equal(sio_server_drain(rig.server, &o), SIO_ERR_STATE);
    await_refusals(rig.port, SERVER_RIG_POLL);
    uint64_t handshakes = counted(&rig, SIO_COUNTER_HANDSHAKES);
    expect_refusal(rig.port, SERVER_RIG_POLL, retry);
    expect_refusal(rig.port, UPGRADE, retry);
    assert_true(counted(&rig, SIO_COUNTER_REFUSED) >= 2);
    server_rig_say(kept, SERVER_RIG_POLL);
    assert_non_null(strstr(server_rig_hear(kept, "\r\n\r\n"), " 503 "));
    close(kept);
    /* Those whose turn has not come go on; requests that are none of ours are
     * served. */
    int echoes = 0;
    for (int i = 0; i < COUNT; i++) {
        echoes += echoes_still(&clients[i]) ? 1 : 0;
    }
    assert_in_range(echoes, 1, COUNT - 1);
    assert_non_null(
        strstr(answer_to(rig.port, SERVER_RIG_GET("/health") "\r\n", "healthy"),
               "200 OK"));
    assert_int_equal(counted(&rig, SIO_COUNTER_HANDSHAKES), handshakes);
    /* Stopping cuts it short. */
    uint64_t begun = now_ms();
    threads_rig_stop(&rig);
    assert_true(now_ms() - begun < 1500);
    for (int i = 0; i < COUNT; i++) {
        ws_client_close(&clients[i]);
    }
}

static void test_meanwhile(void **state)
{
    (void)state;
    drain_meanwhile(1, 7, "\r\nRetry-After: 7\r\n");
    drain_meanwhile(1, 0, NULL);
    drain_meanwhile(3, UINT32_MAX, "\r\nRetry-After: 4294967295\r\n");
}

/* The port is free at once, and sessions go on. */
static void test_stop_listening(void **state)
{
    (void)state;
    static const unsigned threads[] = {1, 3};
    for (int i = 0; i < 2; i++) {
        threads_rig rig;
        ws_client clients[8];
        sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
        threads_rig_start(&rig, threads[i], NULL);
        open_all(clients, 8, rig.port);
        o.rate = 1;
        o.stop_listening = true;
        assert_int_equal(sio_server_drain(rig.server, &o), SIO_OK);
        sio_server_config config = server_rig_config();
        config.port = rig.port;
        sio_server *other = server_rig_make(&config);
        while (sio_server_listen(other) != SIO_OK) {
            /* the last loop has not closed it yet */
        }
        assert_true(counted(&rig, SIO_COUNTER_SESSIONS) > 4);
        sio_server_free(other);
        threads_rig_stop(&rig);
        for (int k = 0; k < 8; k++) {
            ws_client_close(&clients[k]);
        }
    }
}

/* -------------------------------------------------------------- backlogs -- */

enum { EVENTS = 200, SIZE = 20000 }; /* more than the kernel keeps for us */

static void queue_much(sio_socket *socket, void *arg)
{
    static char text[SIZE];
    (void)arg;
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < EVENTS; i++) {
        assert_int_equal(sio_socket_emit(socket, "much", "is", i, text),
                         SIO_OK);
    }
}

static void much_backlog(sio_server_config *config)
{
    config->max_backlog = 50000000;
}

/* A client that has got nothing of what was queued for it. */
static void open_slow(threads_rig *rig, ws_client *c)
{
    unsigned seed = 1;
    ws_message m;
    ws_client_dial(c, rig->port, 4096);
    ws_client_say(c, "40");
    while (!ws_client_hear(c, &m) || m.data[0] != '4') {
    }
    threads_rig_await(rig, 1);
    sio_socket *socket = threads_rig_pick(rig, &seed);
    assert_int_equal(sio_socket_post(socket, queue_much, NULL), SIO_OK);
    sio_socket_unref(socket);
    while (counted(rig, SIO_COUNTER_PACKETS_OUT) < EVENTS) {
    }
}

/* Who reads late gets everything, then the close. */
static void test_backlog(void **state)
{
    (void)state;
    threads_rig rig;
    ws_client c;
    ws_message m;
    int next = 0;
    sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
    threads_rig_start(&rig, 2, much_backlog);
    open_slow(&rig, &c);
    o.rate = 0;
    o.backlog_ms = 60000;
    assert_int_equal(sio_server_drain(rig.server, &o), SIO_OK);
    while (counted(&rig, SIO_COUNTER_SOCKETS) != 0) {
    }
    usleep(100000); /* much longer than it takes to be wrong */
    assert_false(sio_server_closed(rig.server));
    while (ws_client_hear(&c, &m)) {
        int number;
        char text[32];
        (void)snprintf(text, sizeof(text), "%.*s", (int)m.len, m.data);
        assert_int_equal(sscanf(text, "42[\"much\",%d,", &number), 1);
        assert_int_equal(number, next++);
    }
    assert_int_equal(next, EVENTS);
    assert_true(c.said_close);
    ws_client_close(&c);
    threads_rig_stop(&rig);
}

/* Who never reads is waited for as long as was said. */
static void test_limit(void **state)
{
    (void)state;
    threads_rig rig;
    ws_client c;
    sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
    threads_rig_start(&rig, 2, much_backlog);
    open_slow(&rig, &c);
    o.rate = 0;
    o.backlog_ms = 300;
    uint64_t begun = now_ms();
    assert_int_equal(sio_server_drain(rig.server, &o), SIO_OK);
    while (!sio_server_closed(rig.server)) {
        usleep(1000);
    }
    /* Then the stop drops what is queued, but not what has been begun. */
    assert_in_range(now_ms() - begun, 299, 300 + 2000 + 1000);
    ws_client_close(&c);
    threads_rig_stop(&rig);
}

/* ------------------------------------------------------------------ order --
 */

static void test_arguments(void **state)
{
    sio_server_config config = server_rig_config();
    sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
    (void)state;
    sio_server *server = server_rig_make(&config);
    o.jitter = 101;
    assert_int_equal(sio_server_drain(server, &o), SIO_ERR_ARGUMENT);
    sio_server_free(server);

    /* Before it runs, with the defaults. */
    server = server_rig_make(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(sio_server_drain(server, NULL), SIO_OK);
    assert_int_equal(sio_server_drain(server, NULL), SIO_ERR_STATE);
    assert_int_equal(sio_server_run(server), SIO_OK);
    assert_int_equal(sio_server_drain(server, NULL), SIO_ERR_CLOSED);
    sio_server_free(server);

    /* Never run. */
    server = server_rig_make(&config);
    assert_int_equal(sio_server_drain(server, NULL), SIO_OK);
    sio_server_free(server);
}

/* A server that was drained listens again, and takes sessions. */
static void test_again(void **state)
{
    (void)state;
    static const unsigned threads[] = {1, 3};
    for (int i = 0; i < 2; i++) {
        sio_server_config config = server_rig_config();
        config.threads = threads[i];
        sio_server *server = server_rig_make(&config);
        for (int life = 1; life <= 3; life++) {
            ws_client clients[6];
            uint64_t first, last;
            assert_int_equal(sio_server_listen(server), SIO_OK);
            pthread_t thread = server_rig_start(server);
            open_all(clients, 6, sio_server_port(server));
            assert_int_equal(sio_server_drain(server, NULL), SIO_OK);
            await_closes(clients, 6, &first, &last);
            server_rig_join(thread, server);
            assert_int_equal(sio_server_counter(server, SIO_COUNTER_HANDSHAKES),
                             life * 6);
            assert_int_equal(sio_server_counter(server, SIO_COUNTER_SESSIONS),
                             0);
        }
        sio_server_free(server);
    }
}

static void listen_late(sio_server *server, void *arg)
{
    sio_listen_options options = server_rig_at_host("127.0.0.1");
    *(sio_error *)arg = sio_server_listen_at(server, &options, NULL);
    sio_server_stop(server);
}

/* Nothing to begin while it lasts. */
static void test_no_listening(void **state)
{
    sio_server_config config = server_rig_config();
    sio_error err = SIO_OK;
    (void)state;
    sio_server *server = server_rig_make(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(sio_server_drain(server, NULL), SIO_OK);
    assert_int_equal(sio_server_post(server, listen_late, &err), SIO_OK);
    assert_int_equal(sio_server_run(server), SIO_OK);
    assert_int_equal(err, SIO_ERR_STATE);
    sio_server_free(server);
}

/* --------------------------------------------------------------- stopping --
 */

/* A stop before, after and amid: each life ends once, and the next is whole. */
static void test_with_stop(void **state)
{
    sio_server_config config = server_rig_config();
    sio_drain_options o = SIO_DRAIN_OPTIONS_DEFAULT;
    (void)state;
    config.threads = 3;
    o.rate = 1000;
    sio_server *server = server_rig_make(&config);
    for (int life = 0; life < 30; life++) {
        ws_client clients[6];
        assert_int_equal(sio_server_listen(server), SIO_OK);
        pthread_t thread = server_rig_start(server);
        open_all(clients, 6, sio_server_port(server));
        if (life % 3 == 0) {
            sio_server_stop(server);
        }
        sio_error err = sio_server_drain(server, &o);
        assert_true(err == SIO_OK || (life % 3 == 0 && err == SIO_ERR_CLOSED));
        if (life % 3 == 2) {
            usleep((useconds_t)life * 200);
        }
        if (life % 3 != 0) {
            sio_server_stop(server);
        }
        for (int i = 0; i < 6; i++) {
            ws_client_close(&clients[i]);
        }
        server_rig_join(thread, server);
        assert_int_equal(sio_server_counter(server, SIO_COUNTER_SESSIONS), 0);
    }
    sio_server_free(server);
}

static void patient(sio_server_config *config)
{
    config->stop_timeout_ms = 20000;
}

/* A peer that does not answer the close frame holds nobody up, whatever the
 * limit. */
static void test_silent_peer(void **state)
{
    (void)state;
    threads_rig rig;
    ws_client clients[8];
    ws_message m;
    threads_rig_start(&rig, 4, patient);
    open_all(clients, 8, rig.port);
    threads_rig_await(&rig, 8);
    /* An upgrade to something that nobody knows. */
    int fd = server_rig_dial(rig.port);
    server_rig_say(fd, SERVER_RIG_GET("/other") "Connection: Upgrade\r\n"
                                                "Upgrade: websocket\r\n\r\n");
    uint64_t begun = now_ms();
    threads_rig_stop(&rig);
    assert_true(now_ms() - begun < 2000);
    for (int i = 0; i < 8; i++) {
        assert_false(ws_client_hear(&clients[i], &m));
        assert_true(clients[i].said_close);
        ws_client_close(&clients[i]);
    }
    close(fd);
}

static void hasty(sio_server_config *config)
{
    config->max_backlog = 50000000;
    config->stop_timeout_ms = 100;
}

/* One that does not read is waited for as long as was said. */
static void test_stop_limit(void **state)
{
    (void)state;
    threads_rig rig;
    ws_client c;
    threads_rig_start(&rig, 2, hasty);
    open_slow(&rig, &c);
    uint64_t begun = now_ms();
    threads_rig_stop(&rig);
    assert_in_range(now_ms() - begun, 99, 1000);
    ws_client_close(&c);
}

#define CASE(f)                                                                \
    cmocka_unit_test_setup_teardown(f, server_rig_setup, server_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_rate),         CASE(test_all_at_once),
        CASE(test_meanwhile),    CASE(test_stop_listening),
        CASE(test_backlog),      CASE(test_limit),
        CASE(test_arguments),    CASE(test_again),
        CASE(test_no_listening), CASE(test_with_stop),
        CASE(test_silent_peer),  CASE(test_stop_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
