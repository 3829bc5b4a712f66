#include "fuzz/fake_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

fake_conn fake_conns[FAKE_CONNS];
char fake_sid[64], fake_pid[64], fake_offset[64];

static struct {
    bool active;
    struct ev_loop *ev;
    ev_check check;
    uint64_t now_us, random;
    double wall;             /* seconds since 1970 when the time was 0 */
    int places[FAKE_PLACES]; /* descriptors that are listened at, or -1 */
    bool unix_place[FAKE_PLACES];
    int accept_error, connects;
    size_t moved; /* grows with everything that happens */
} net;

static int pipe_end(void)
{
    static int ends[2] = {-1, -1};
    if (ends[0] < 0 && pipe(ends) != 0) {
        abort();
    }
    int fd = dup(ends[0]);
    if (fd < 0) {
        abort();
    }
    return fd;
}

static fake_conn *find(int fd)
{
    for (int i = 0; net.active && fd >= 0 && i < net.connects; i++) {
        if (fake_conns[i].fd == fd) {
            return &fake_conns[i];
        }
    }
    return NULL;
}

/* ----------------------------------------------------- what is listened to --
 */

/* Below are declared as the linker wants them. */
int __real_close(int fd);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len);
int __wrap_listen(int fd, int backlog);
int __wrap_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *len);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
int __wrap_shutdown(int fd, int how);
int __wrap_close(int fd);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
ev_tstamp __wrap_ev_now(struct ev_loop *ev);

/* The place with this descriptor, or -1. */
static int place_of(int fd)
{
    int place = FAKE_PLACES - 1;
    while (place >= 0 && net.places[place] != fd) {
        place--;
    }
    return place;
}

int __wrap_socket(int domain, int type, int protocol)
{
    int place = 0;
    (void)type;
    (void)protocol;
    while (place < FAKE_PLACES && net.places[place] >= 0) {
        place++;
    }
    if (place == FAKE_PLACES) {
        abort();
    }
    net.unix_place[place] = domain == AF_UNIX;
    net.places[place] = pipe_end();
    return net.places[place];
}

int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len)
{
    (void)fd;
    (void)at;
    (void)len;
    return 0;
}

int __wrap_listen(int fd, int backlog)
{
    (void)fd;
    (void)backlog;
    return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t len)
{
    (void)fd;
    (void)level;
    (void)name;
    (void)value;
    (void)len;
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(3000)};
    (void)fd;
    memcpy(at, &in, sizeof(in));
    *len = sizeof(in);
    return 0;
}

static void name_peer(const fake_conn *c, struct sockaddr *peer, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(0x0a000000u + c->host)};
    if (net.unix_place[c->place]) {
        peer->sa_family = AF_UNIX;
        *len = sizeof(peer->sa_family);
    } else {
        memcpy(peer, &in, sizeof(in));
        *len = sizeof(in);
    }
}

int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
    int place = place_of(fd);
    (void)flags;
    if (place < 0) {
        abort();
    }
    if (net.accept_error != 0) {
        errno = net.accept_error;
        net.accept_error = 0;
        net.moved++;
        return -1;
    }
    for (int i = 0; i < net.connects; i++) {
        fake_conn *c = &fake_conns[i];
        if (c->waiting && c->place == place) {
            name_peer(c, peer, len);
            net.moved++;
            c->waiting = false;
            c->fd = pipe_end();
            return c->fd;
        }
    }
    errno = EAGAIN;
    return -1;
}

/* ------------------------------------------------------------- connections --
 */

static int take_error(int *error)
{
    errno = *error;
    *error = 0;
    return errno;
}

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
    fake_conn *c = find(fd);
    (void)flags;
    if (c == NULL) {
        abort(); /* it was closed */
    }
    net.moved++;
    if (c->reset) {
        errno = ECONNRESET;
        return -1;
    }
    if (c->recv_error != 0) {
        (void)take_error(&c->recv_error);
        return -1;
    }
    if (c->in_len == 0 && !c->eof) {
        errno = EAGAIN;
        return -1;
    }
    size_t n = c->in_len < len ? c->in_len : len;
    n = n < c->recv_most ? n : c->recv_most;
    memcpy(data, c->in, n);
    memmove(c->in, c->in + n, c->in_len - n);
    c->in_len -= n;
    return (ssize_t)n;
}

/* Copies what is between `begin` and the next quote. */
static void note(char out[64], const uint8_t *data, size_t len)
{
    const uint8_t *end = memchr(data, '"', len);
    size_t n = end == NULL ? 64 : (size_t)(end - data);
    if (n < 64) {
        memcpy(out, data, n);
        out[n] = '\0';
    }
}

/* What stands behind `mark`. */
static void note_behind(char out[64], const char *mark, const uint8_t *data,
                        size_t len)
{
    const uint8_t *at = memmem(data, len, mark, strlen(mark));
    if (at != NULL) {
        at += strlen(mark);
        note(out, at, (size_t)(data + len - at));
    }
}

static void note_ids(const uint8_t *data, size_t len)
{
    if (memmem(data, len, "\"upgrades\":", 11) != NULL) { /* an open packet */
        note_behind(fake_sid, "\"sid\":\"", data, len);
    }
    note_behind(fake_pid, "\"pid\":\"", data, len);
    const uint8_t *end = memmem(data, len, "\"]", 2), *at = end;
    while (at != NULL && at > data && at[-1] != '"') {
        at--;
    }
    if (at != NULL && at > data) {
        note(fake_offset, at, (size_t)(data + len - at));
    }
}

static ssize_t send_some(fake_conn *c, const struct iovec *pieces, size_t count)
{
    size_t room, done = 0;
    net.moved++;
    if (c == NULL || c->shut) {
        abort(); /* it was closed, or its end was sent */
    }
    if (c->reset || c->send_error != 0) {
        errno = EPIPE;
        if (!c->reset) {
            (void)take_error(&c->send_error);
        }
        return -1;
    }
    room = c->window < c->send_most ? c->window : c->send_most;
    for (size_t i = 0; i < count && done < room; i++) {
        size_t n =
            pieces[i].iov_len < room - done ? pieces[i].iov_len : room - done;
        wire_check_feed(&c->wire, pieces[i].iov_base, n);
        note_ids(pieces[i].iov_base, n);
        done += n;
    }
    if (done == 0) {
        errno = EAGAIN;
        return -1;
    }
    c->window -= c->window == FAKE_UNLIMITED ? 0 : done;
    c->taken += done;
    return (ssize_t)done;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    struct iovec piece = {(void *)(uintptr_t)data, len};
    (void)flags;
    return send_some(find(fd), &piece, 1);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    (void)flags;
    return send_some(find(fd), msg->msg_iov, msg->msg_iovlen);
}

int __wrap_shutdown(int fd, int how)
{
    fake_conn *c = find(fd);
    if (c == NULL || how != SHUT_WR) {
        abort();
    }
    c->shut = true;
    net.moved++;
    return 0;
}

int __wrap_close(int fd)
{
    fake_conn *c = find(fd);
    if (c != NULL) {
        c->fd = -1;
        net.moved++;
    }
    int place = net.active ? place_of(fd) : -1;
    if (place >= 0) {
        net.places[place] = -1;
    }
    return __real_close(fd);
}

/* ------------------------------------------------------ time and randomness --
 */

/* libFuzzer, which is linked here too, looks at CLOCK_REALTIME alone. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
    if (!net.active || clock != CLOCK_MONOTONIC) {
        return __real_clock_gettime(clock, ts);
    }
    ts->tv_sec = (time_t)(net.now_us / 1000000);
    ts->tv_nsec = (long)(net.now_us % 1000000 * 1000);
    return 0;
}

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
    uint8_t *at = out;
    (void)flags;
    for (size_t i = 0; i < len; i++) {
        net.random = net.random * 6364136223846793005u + 1442695040888963407u;
        at[i] = (uint8_t)(net.random >> 56);
    }
    return (ssize_t)len;
}

ev_tstamp __wrap_ev_now(struct ev_loop *ev)
{
    (void)ev;
    return net.wall + (double)net.now_us / 1e6;
}

/* --------------------------------------------------------------- the script --
 */

/* Comes after the library's watcher, which looks at the clock. */
static void on_check(struct ev_loop *ev, ev_check *w, int revents)
{
    (void)w;
    (void)revents;
    bool waiting[FAKE_PLACES] = {net.accept_error != 0};
    for (int i = 0; i < net.connects; i++) {
        fake_conn *c = &fake_conns[i];
        waiting[c->place] = waiting[c->place] || c->waiting;
        int now = c->in_len != 0 || c->eof || c->reset ? EV_READ : 0;
        if (c->window != 0 || c->reset || c->send_error != 0) {
            now |= EV_WRITE;
        }
        if (c->fd >= 0 && now != 0) {
            ev_feed_fd_event(ev, c->fd, now);
        }
    }
    for (int i = 0; i < FAKE_PLACES; i++) {
        if (waiting[i] && net.places[i] >= 0) {
            ev_feed_fd_event(ev, net.places[i], EV_READ);
        }
    }
}

void fake_net_begin(struct ev_loop *ev)
{
    memset(&net, 0, sizeof(net));
    net.ev = ev;
    net.now_us = 1000000000;
    net.random = 1;
    fake_net_jump(0);
    for (int i = 0; i < FAKE_PLACES; i++) {
        net.places[i] = -1;
    }
    net.active = true;
    fake_sid[0] = fake_pid[0] = fake_offset[0] = '\0';
    ev_check_init(&net.check, on_check);
    ev_set_priority(&net.check, EV_MINPRI);
    ev_check_start(ev, &net.check);
}

void fake_net_end(void)
{
    ev_check_stop(net.ev, &net.check);
    for (int i = 0; i < net.connects; i++) {
        if (fake_conns[i].fd >= 0) {
            abort(); /* a connection is left */
        }
        wire_check_deinit(&fake_conns[i].wire);
    }
    for (int i = 0; i < FAKE_PLACES; i++) {
        if (net.places[i] >= 0) {
            abort();
        }
    }
    net.active = false;
}

int fake_net_connect(int place, unsigned host, wire_message_fn *message,
                     void *arg)
{
    int most = FAKE_CONNS - (host == FAKE_HEALTHY_HOST ? 0 : FAKE_RESERVED);
    if (net.connects >= most) {
        return -1;
    }
    fake_conn *c = &fake_conns[net.connects];
    c->fd = -1;
    c->place = place;
    c->host = host;
    c->waiting = true;
    c->shut = c->eof = c->reset = false;
    c->window = c->send_most = c->recv_most = FAKE_UNLIMITED;
    c->recv_error = c->send_error = 0;
    c->in_len = c->taken = 0;
    wire_check_init(&c->wire, message, arg);
    return net.connects++;
}

void fake_net_refuse(int error)
{
    net.accept_error = error;
}

void fake_net_write(int index, const void *data, size_t len)
{
    fake_conn *c = &fake_conns[index];
    size_t room = FAKE_IN - c->in_len, n = len < room ? len : room;
    memcpy(c->in + c->in_len, data, n);
    c->in_len += n;
}

void fake_net_turn(void)
{
    net.now_us += 10;
    ev_run(net.ev, EVRUN_NOWAIT);
}

void fake_net_settle(void)
{
    size_t before;
    int turns = 0, still = 0;
    while (still < 3 && turns++ < 200) {
        before = net.moved;
        fake_net_turn();
        still = net.moved == before ? still + 1 : 0;
    }
}

void fake_net_pass(uint64_t ms)
{
    net.now_us += ms * 1000;
}

void fake_net_jump(int hours)
{
    net.wall = 1.7e9 + hours * 3600.0;
}
