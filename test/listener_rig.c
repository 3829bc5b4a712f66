#include "test/listener_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 10

/* ------------------------------------------------------------- the owner -- */

static void on_input(void *owner, uint8_t *data, size_t len)
{
    listener_rig *r = owner;
    size_t at = strlen(r->heard);
    assert_true(at + len < sizeof(r->heard));
    memcpy(r->heard + at, data, len);
}

static void on_writable(void *owner)
{
    (void)owner;
}

static void on_ended(void *owner, sio_error why)
{
    (void)owner;
    (void)why;
}

static void on_connection(void *owner, tp_stream *stream)
{
    static const tp_stream_events events = {
        .input = on_input,
        .writable = on_writable,
        .ended = on_ended,
    };
    listener_rig *r = owner;
    assert_true(r->came < LISTENER_RIG_MOST);
    r->streams[r->came++] = stream;
    assert_int_equal(listener_rig_count(r, SIO_COUNTER_ACCEPTED), r->came);
    stream->ops->enter(stream, &r->loop);
    stream->events = &events;
    stream->owner = r;
}

/* --------------------------------------------------------------- the rig -- */

static void on_log(void *arg, int level, const char *event, const char *text)
{
    listener_rig *r = arg;
    r->logged++;
    r->level = level;
    r->when = r->loop.now;
    (void)snprintf(r->event, sizeof(r->event), "%s", event);
    (void)snprintf(r->text, sizeof(r->text), "%s", text);
}

static void on_patience(struct ev_loop *ev, ev_timer *w, int revents)
{
    (void)ev;
    (void)w;
    (void)revents;
    fail_msg("what is waited for does not happen");
}

void listener_rig_init(listener_rig *r)
{
    *r = (listener_rig){.log = {on_log, r, SIO_LOG_DEBUG}};
    assert_int_equal(tp_loop_init(&r->loop, NULL, &r->log), SIO_OK);
    tp_loop_start(&r->loop);
    ev_timer_init(&r->patience, on_patience, PATIENCE_S, 0.);
    ev_timer_start(r->loop.ev, &r->patience);
}

static void prepare_listener(listener_rig *r)
{
    r->listener = (tp_listener){
        .loop = &r->loop,
        .connection = on_connection,
        .owner = r,
    };
}

sio_error listener_rig_listen_unix(listener_rig *r, const char *path,
                                   unsigned mode)
{
    prepare_listener(r);
    return tp_listener_open_unix(&r->listener, path, mode, LISTENER_RIG_MOST);
}

sio_error listener_rig_listen(listener_rig *r, const char *host, uint16_t port,
                              tp_listener_share share)
{
    prepare_listener(r);
    tp_listener_at at = {
        .host = host,
        .port = port,
        .ipv6_only = r->ipv6_only,
        .backlog = LISTENER_RIG_MOST,
        .share = share,
    };
    return tp_listener_open(&r->listener, &at);
}

void listener_rig_open(listener_rig *r, const char *host)
{
    listener_rig_init(r);
    assert_int_equal(listener_rig_listen(r, host, 0, TP_LISTENER_ALONE),
                     SIO_OK);
    assert_int_not_equal(r->listener.port, 0);
    assert_int_equal(r->logged, 0);
}

void listener_rig_deinit(listener_rig *r)
{
    uint64_t when;
    tp_listener_close(&r->listener);
    for (size_t i = 0; i < r->came; i++) {
        r->streams[i]->ops->close(r->streams[i]);
    }
    for (size_t i = 0; i < r->dialled; i++) {
        close(r->peers[i]);
    }
    assert_false(sio_wheel_next(&r->loop.wheel, &when));
    ev_timer_stop(r->loop.ev, &r->patience);
    tp_loop_deinit(&r->loop);
}

uint64_t listener_rig_count(const listener_rig *r, sio_counter counter)
{
    return sio_metric_get(&r->loop.counters[counter]);
}

void listener_rig_turn(listener_rig *r)
{
    ev_run(r->loop.ev, EVRUN_ONCE);
}

void listener_rig_await(listener_rig *r, size_t want)
{
    for (int turns = 0; r->came < want; turns++) {
        assert_true(turns < 100);
        listener_rig_turn(r);
    }
    assert_int_equal(r->came, want);
}

void listener_rig_hear(listener_rig *r, size_t want)
{
    for (int turns = 0; strlen(r->heard) < want; turns++) {
        assert_true(turns < 100);
        listener_rig_turn(r);
    }
    assert_int_equal(strlen(r->heard), want);
}

/* --------------------------------------------------------------- clients -- */

int listener_rig_connect(const char *ip, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(port)};
    bool is_v6 = inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1;
    assert_true(is_v6 || inet_pton(AF_INET, ip, &in.sin_addr) == 1);
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct timeval patience = {.tv_sec = PATIENCE_S};
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
        0);
    int rc = is_v6 ? connect(fd, (struct sockaddr *)&in6, sizeof(in6))
                   : connect(fd, (struct sockaddr *)&in, sizeof(in));
    if (rc != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static unsigned queued(const listener_rig *r)
{
    unsigned count = 0;
    for (int i = 0; i < r->listener.count; i++) {
        struct tcp_info info = {0};
        socklen_t len = sizeof(info);
        assert_int_equal(getsockopt(r->listener.sockets[i].fd, IPPROTO_TCP,
                                    TCP_INFO, &info, &len),
                         0);
        count += info.tcpi_unacked; /* that, for a socket that listens */
    }
    return count;
}

int listener_rig_dial(listener_rig *r, const char *ip)
{
    unsigned before = queued(r);
    int fd = listener_rig_connect(ip, r->listener.port);
    assert_true(fd >= 0 && r->dialled < LISTENER_RIG_MOST);
    r->peers[r->dialled++] = fd;
    for (int i = 0; queued(r) == before; i++) {
        assert_true(i < 1000000);
        sched_yield();
    }
    return fd;
}

int listener_rig_connect_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    assert_true(len <= sizeof(at.sun_path));
    memcpy(at.sun_path, path, len);
    if (path[0] == '@') {
        at.sun_path[0] = '\0';
    }
    /* Where the queue is full it fails, and does not wait. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (connect(fd, (struct sockaddr *)&at, size) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int listener_rig_dial_unix(listener_rig *r, const char *path)
{
    int fd = listener_rig_connect_unix(path);
    assert_true(fd >= 0 && r->dialled < LISTENER_RIG_MOST);
    r->peers[r->dialled++] = fd;
    return fd;
}

/* ----------------------------------------------------------- descriptors -- */

static int descriptors;

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

int listener_rig_setup(void **state)
{
    (void)state;
    descriptors = count_descriptors();
    return 0;
}

int listener_rig_teardown(void **state)
{
    (void)state;
    assert_int_equal(count_descriptors(), descriptors);
    return 0;
}
