#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/listener_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* As in transport/listener.c. */
#define ACCEPT_BATCH 64

/* --------------------------------------------------------------- opening -- */

static bool has_ipv6(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6,
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

static void test_addresses(void **state)
{
    static const struct {
        const char *label, *host, *peer;
        const char *stranger; /* where it must not listen, or NULL */
        bool ipv6_only;
    } rows[] = {
        {"IPv4", "127.0.0.1", "127.0.0.1", "127.0.0.2", false},
        {"IPv6", "::1", "::1", "127.0.0.1", false},
        {"IPv6 only", "::1", "::1", "127.0.0.1", true},
        {"every one, by IPv4", NULL, "127.0.0.1", NULL, false},
        {"every one, by IPv6", NULL, "::1", NULL, false},
        {"every one of IPv6", NULL, "::1", "127.0.0.1", true},
        {"every one of IPv4", "0.0.0.0", "127.0.0.1", "::1", false},
        {"::, by IPv4", "::", "127.0.0.1", NULL, false},
        {"::, by IPv6", "::", "::1", NULL, false},
        {"::, only IPv6", "::", "::1", "127.0.0.1", true},
    };
    (void)state;
    bool skips_ipv6 = !has_ipv6();
    for (size_t i = 0; i < COUNT(rows); i++) {
        listener_rig r;
        char address[TP_ADDRESS_SIZE];
        print_message("%s\n", rows[i].label);
        if (skips_ipv6 && strcmp(rows[i].peer, "::1") == 0) {
            continue;
        }
        listener_rig_init(&r);
        r.ipv6_only = rows[i].ipv6_only;
        assert_int_equal(
            listener_rig_listen(&r, rows[i].host, 0, TP_LISTENER_ALONE),
            SIO_OK);
        (void)listener_rig_dial(&r, rows[i].peer);
        listener_rig_await(&r, 1);
        (void)tp_stream_address(r.streams[0], address);
        assert_string_equal(address, rows[i].peer);
        assert_true(rows[i].stranger == NULL ||
                    listener_rig_connect(rows[i].stranger, r.listener.port) ==
                        -1);
        listener_rig_deinit(&r);
    }
}

static size_t largest, in_all;

static void measure(void *owner, uint8_t *data, size_t len)
{
    (void)owner;
    (void)data;
    largest = len > largest ? len : largest;
    in_all += len;
}

static void hear_no_end(void *owner, sio_error why)
{
    (void)owner;
    (void)why;
}

/* What may cost much is read by less. */
static void test_narrow(void **state)
{
    static const tp_stream_events events = {.input = measure,
                                            .ended = hear_no_end};
    static uint8_t bytes[TP_LOOP_IN];
    (void)state;
    for (int narrow = 0; narrow < 2; narrow++) {
        listener_rig r;
        listener_rig_open(&r, "127.0.0.1");
        int peer = listener_rig_dial(&r, "127.0.0.1");
        listener_rig_await(&r, 1);
        r.streams[0]->events = &events;
        if (narrow) {
            r.streams[0]->ops->narrow(r.streams[0]);
        }
        largest = in_all = 0;
        assert_int_equal(send(peer, bytes, sizeof(bytes), 0), sizeof(bytes));
        while (in_all < sizeof(bytes)) {
            listener_rig_turn(&r);
        }
        assert_int_equal(largest <= TP_LOOP_IN_NARROW, narrow);
        listener_rig_deinit(&r);
    }
}

/* A name may stand for one address or for several, at one port. */
static void test_name(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    listener_rig r;
    (void)state;
    listener_rig_open(&r, "localhost");
    for (size_t i = 0; i < COUNT(addresses); i++) {
        int fd = listener_rig_connect(addresses[i], r.listener.port);
        if (fd >= 0) {
            r.peers[r.dialled++] = fd;
        }
    }
    assert_int_equal(r.dialled, r.listener.count);
    listener_rig_await(&r, r.dialled);
    listener_rig_deinit(&r);
}

static void expect_failure(listener_rig *r, const char *host, uint16_t port,
                           tp_listener_share share, const char *why)
{
    char where[400];
    unsigned before = r->logged;
    assert_int_equal(listener_rig_listen(r, host, port, share),
                     SIO_ERR_ADDRESS);
    assert_int_equal(r->logged, before + 1);
    assert_int_equal(r->level, SIO_LOG_ERROR);
    assert_string_equal(r->event, "listen_failed");
    (void)snprintf(where, sizeof(where),
                   "host %s, port %u: ", host == NULL ? "*" : host, port);
    assert_memory_equal(r->text, where, strlen(where));
    assert_non_null(strstr(r->text + strlen(where), why));
    assert_int_equal(r->listener.count, 0);
    tp_listener_close(&r->listener);
}

static void test_busy_port(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", NULL};
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        listener_rig first, second;
        listener_rig_open(&first, hosts[i]);
        listener_rig_init(&second);
        uint16_t port = first.listener.port;
        expect_failure(&second, hosts[i], port, TP_LISTENER_ALONE,
                       strerror(EADDRINUSE));
        expect_failure(&second, hosts[i], port, TP_LISTENER_FIRST,
                       strerror(EADDRINUSE));
        (void)listener_rig_dial(&first, "127.0.0.1");
        listener_rig_await(&first, 1);
        /* It is free at once, though there is a connection still. */
        tp_listener_close(&first.listener);
        assert_int_equal(
            listener_rig_listen(&second, hosts[i], port, TP_LISTENER_ALONE),
            SIO_OK);
        assert_int_equal(second.listener.port, port);
        (void)listener_rig_dial(&second, "127.0.0.1");
        listener_rig_await(&second, 1);
        assert_int_equal(first.came, 1);
        listener_rig_deinit(&second);
        listener_rig_deinit(&first);
    }
}

/* What is no host, or not one of ours; no name server is asked for these. */
static void test_unknown_host(void **state)
{
    static char long_name[301];
    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    const char *const hosts[] = {"a..b", long_name, "192.0.2.1", "2001:db8::1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        listener_rig r;
        listener_rig_init(&r);
        expect_failure(&r, hosts[i], 0, TP_LISTENER_ALONE, "");
        listener_rig_deinit(&r);
    }
}

/* There is no IPv4 address that is IPv6 only. */
static void test_no_ipv6_address(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_init(&r);
    r.ipv6_only = true;
    expect_failure(&r, "127.0.0.1", 0, TP_LISTENER_ALONE, "");
    listener_rig_deinit(&r);
}

/* Beside IPv6 alone there is room for IPv4 alone at one port. */
static void test_families_apart(void **state)
{
    listener_rig six, four;
    (void)state;
    if (!has_ipv6()) {
        skip();
    }
    listener_rig_init(&six);
    listener_rig_init(&four);
    six.ipv6_only = true;
    assert_int_equal(listener_rig_listen(&six, NULL, 0, TP_LISTENER_FIRST),
                     SIO_OK);
    assert_int_equal(listener_rig_listen(&four, "0.0.0.0", six.listener.port,
                                         TP_LISTENER_FIRST),
                     SIO_OK);
    (void)listener_rig_dial(&six, "::1");
    (void)listener_rig_dial(&four, "127.0.0.1");
    listener_rig_await(&six, 1);
    listener_rig_await(&four, 1);
    listener_rig_deinit(&four);
    listener_rig_deinit(&six);
}

/* --------------------------------------------------------------- sharing -- */

static void connect_many(listener_rig *owner, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++) {
        int fd = listener_rig_connect("127.0.0.1", port);
        assert_true(fd >= 0 && owner->dialled < LISTENER_RIG_MOST);
        owner->peers[owner->dialled++] = fd;
    }
}

/* Two loops at one port both get some; nobody else gets in between them. */
static void test_shared_port(void **state)
{
    listener_rig first, next, other;
    (void)state;
    listener_rig_init(&first);
    listener_rig_init(&next);
    listener_rig_init(&other);
    assert_int_equal(
        listener_rig_listen(&first, "127.0.0.1", 0, TP_LISTENER_FIRST), SIO_OK);
    uint16_t port = first.listener.port;
    assert_int_equal(
        listener_rig_listen(&next, "127.0.0.1", port, TP_LISTENER_NEXT),
        SIO_OK);
    assert_int_equal(next.listener.port, port);
    expect_failure(&other, "127.0.0.1", port, TP_LISTENER_ALONE, "");
    expect_failure(&other, "127.0.0.1", port, TP_LISTENER_FIRST, "");

    connect_many(&first, 50, port);
    for (int turns = 0; first.came + next.came < 50; turns++) {
        assert_true(turns < 1000000);
        ev_run(first.loop.ev, EVRUN_NOWAIT);
        ev_run(next.loop.ev, EVRUN_NOWAIT);
    }
    assert_true(first.came > 0 && next.came > 0);
    /* Without the one, the other gets all. */
    size_t before = first.came;
    tp_listener_close(&next.listener);
    connect_many(&next, 10, port);
    listener_rig_await(&first, before + 10);
    listener_rig_deinit(&other);
    listener_rig_deinit(&next);
    listener_rig_deinit(&first);
}

/* ------------------------------------------------------------- accepting -- */

static void test_stream(void **state)
{
    listener_rig r;
    char text[] = "you", answer[8];
    size_t sent;
    (void)state;
    listener_rig_open(&r, "127.0.0.1");
    int fd = listener_rig_dial(&r, "127.0.0.1");
    assert_int_equal(send(fd, "hi", 2, MSG_NOSIGNAL), 2);
    listener_rig_hear(&r, 2);
    assert_string_equal(r.heard, "hi");
    assert_int_equal(listener_rig_count(&r, SIO_COUNTER_BYTES_IN), 2);
    struct iovec piece = {text, 3};
    tp_stream *stream = r.streams[0];
    assert_int_equal(stream->ops->send(stream, &piece, 1, &sent), SIO_OK);
    assert_int_equal(sent, 3);
    assert_int_equal(listener_rig_count(&r, SIO_COUNTER_BYTES_OUT), 3);
    assert_int_equal(recv(fd, answer, sizeof(answer), 0), 3);
    assert_memory_equal(answer, text, 3);
    listener_rig_deinit(&r);
}

/* Sends until the kernel takes no more; how much it has taken. */
static size_t fill(tp_stream *stream)
{
    static uint8_t zeros[TP_LOOP_OUT];
    struct iovec piece = {zeros, sizeof(zeros)};
    size_t taken = 0, sent;
    while (!stream->blocked) {
        assert_int_equal(stream->ops->send(stream, &piece, 1, &sent), SIO_OK);
        taken += sent;
    }
    return taken;
}

/* For one who does not read the kernel keeps little, and once the connection is
 * closed nothing: he has what is in his own kernel, and then a reset. */
static void test_no_reader(void **state)
{
    static uint8_t in[65536];
    listener_rig r;
    int there;
    ssize_t n;
    (void)state;
    listener_rig_open(&r, "127.0.0.1");
    int fd = listener_rig_dial(&r, "127.0.0.1");
    listener_rig_await(&r, 1);
    size_t taken = fill(r.streams[0]);
    assert_int_equal(ioctl(fd, FIONREAD, &there), 0);
    assert_true(taken > TP_LOOP_OUT && there > 0);
    assert_in_range(taken - (size_t)there, 1, TP_LOOP_OUT + 65536);

    r.streams[0]->ops->close(r.streams[0]);
    r.came = 0;
    while ((n = recv(fd, in, sizeof(in), 0)) > 0) {
        there -= (int)n;
    }
    assert_int_equal(n, -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(there, 0);
    listener_rig_deinit(&r);
}

/* A flood does not hold the loop: it comes in over several turns. */
static void test_batches(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_open(&r, "127.0.0.1");
    for (int i = 0; i < LISTENER_RIG_MOST; i++) {
        (void)listener_rig_dial(&r, "127.0.0.1");
    }
    listener_rig_turn(&r);
    assert_int_equal(r.came, ACCEPT_BATCH);
    listener_rig_turn(&r);
    assert_int_equal(r.came, LISTENER_RIG_MOST);
    assert_int_equal(r.logged, 0);
    listener_rig_deinit(&r);
}

/* --------------------------------------------------------------- closing -- */

static void expect_refusal(uint16_t port)
{
    assert_int_equal(listener_rig_connect("127.0.0.1", port), -1);
    assert_int_equal(errno, ECONNREFUSED);
}

/* Those in the queue believe to be connected. */
static void test_queue_at_close(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_open(&r, "127.0.0.1");
    for (int i = 0; i < 3; i++) {
        int fd = listener_rig_dial(&r, "127.0.0.1");
        assert_int_equal(send(fd, "a", 1, MSG_NOSIGNAL), 1);
    }
    tp_listener_close(&r.listener);
    assert_int_equal(r.came, 3);
    expect_refusal(r.listener.port);
    listener_rig_hear(&r, 3);
    assert_int_equal(r.came, 3);
    listener_rig_deinit(&r);
}

static void test_close_twice(void **state)
{
    tp_listener never = {0};
    listener_rig r;
    (void)state;
    tp_listener_close(&never);
    tp_listener_close(&never);
    listener_rig_open(&r, NULL);
    tp_listener_close(&r.listener);
    expect_refusal(r.listener.port);
    /* A descriptor with the number of its socket is not its own. */
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    tp_listener_close(&r.listener);
    assert_int_equal(close(fd), 0);
    listener_rig_deinit(&r);
}

#define CASE(f)                                                                \
    cmocka_unit_test_setup_teardown(f, listener_rig_setup,                     \
                                    listener_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_addresses),       CASE(test_name),
        CASE(test_busy_port),       CASE(test_unknown_host),
        CASE(test_no_ipv6_address), CASE(test_families_apart),
        CASE(test_shared_port),     CASE(test_stream),
        CASE(test_no_reader),       CASE(test_batches),
        CASE(test_queue_at_close),  CASE(test_close_twice),
        CASE(test_narrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
