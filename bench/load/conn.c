#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "polling.h"
#include "raw.h"
#include "websocket.h"

#define INCOMING_SIZE (1u << 20)
#define EVENTS_MAX 1024
#define CONNECT_SOURCES 200

uint8_t *outgoing;
uint32_t outgoing_len;

static uint32_t outgoing_cap = 1u << 20;
static uint8_t *incoming;
static int epoll_fd;
static struct sockaddr_in server;

void conn_setup(void)
{
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)opts.port);
    if (inet_pton(AF_INET, opts.address, &server.sin_addr) != 1 ||
        ntohl(server.sin_addr.s_addr) >> 24 != 127) {
        die("only addresses within 127.0.0.0/8");
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    incoming = must_alloc(INCOMING_SIZE);
    outgoing = must_alloc(outgoing_cap);
}

int complain(const char *what, const conn *c, const uint8_t *at, uint32_t len)
{
    static int complaints;
    if (complaints++ < 3) {
        fprintf(stderr, "sioload: %s (connection %u, state %d): %.*s\n", what,
                c == NULL ? 0 : c->index, c == NULL ? 0 : (int)c->state,
                (int)(len > 200 ? 200 : len),
                at == NULL ? "" : (const char *)at);
    }
    return -1;
}

/* -- writing -------------------------------------------------------------- */

void buffer_add(buffer *b, const uint8_t *bytes, uint32_t len)
{
    if (b->len + len > b->cap) {
        uint32_t cap = b->cap == 0 ? 256 : b->cap;
        while (cap < b->len + len) {
            cap *= 2;
        }
        b->base = must_grow(b->base, cap);
        b->cap = cap;
    }
    memcpy(b->base + b->len, bytes, len);
    b->len += len;
}

void buffer_clear(buffer *b)
{
    free(b->base);
    *b = (buffer){0};
}

static void epoll_update(conn *c, bool wants_write)
{
    struct epoll_event event = {
        .events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
        .data.ptr = c,
    };
    c->wants_write = wants_write;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

void outgoing_need(uint32_t len)
{
    if (outgoing_len + len + 64 <= outgoing_cap) {
        return;
    }
    while (outgoing_len + len + 64 > outgoing_cap) {
        outgoing_cap *= 2;
    }
    outgoing = must_grow(outgoing, outgoing_cap);
}

void outgoing_add(const void *bytes, uint32_t len)
{
    outgoing_need(len);
    memcpy(outgoing + outgoing_len, bytes, len);
    outgoing_len += len;
}

void conn_flush(conn *c)
{
    uint32_t len = outgoing_len, sent = 0;
    outgoing_len = 0;
    if (len == 0) {
        return;
    }
    if (c->out.len == 0) {
        ssize_t got = send(c->fd, outgoing, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (got < 0 && errno != EAGAIN) {
            c->dead = true;
            return;
        }
        sent = got > 0 ? (uint32_t)got : 0;
    }
    if (sent < len) {
        buffer_add(&c->out, outgoing + sent, len - sent);
        if (!c->wants_write) {
            epoll_update(c, true);
        }
    }
}

static void on_writable(conn *c)
{
    while (c->out_sent < c->out.len) {
        ssize_t got =
            send(c->fd, c->out.base + c->out_sent, c->out.len - c->out_sent,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (got < 0) {
            c->dead = errno != EAGAIN;
            return;
        }
        c->out_sent += (uint32_t)got;
    }
    buffer_clear(&c->out);
    c->out_sent = 0;
    epoll_update(c, false);
}

/* -- opening and ending --------------------------------------------------- */

/* One of 127.0.1.1 to 127.0.1.250, 127.0.2.1 and so on: each has the ports
 * for a few thousand connections. */
static bool bind_source(int fd, uint32_t source)
{
    int on = 1;
    uint32_t at = source - 1;
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f000101u + (at / 250 << 8) + at % 250);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0;
}

/* TCP is there: goes on to the next state. */
static void on_connected(conn *c)
{
    switch (c->kind) {
    case CONN_WEBSOCKET:
        websocket_upgrade(c);
        break;
    case CONN_GET:
    case CONN_POST:
        polling_connected(c);
        break;
    case CONN_RAW:
        conn_is_running(c);
        break;
    }
}

static bool failed(int fd)
{
    counts.failed++;
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

bool conn_start(conn *c, uint32_t source)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (source != 0 && !bind_source(fd, source))) {
        return failed(fd);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    bool at_once = connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0;
    if (!at_once && errno != EINPROGRESS) {
        return failed(fd);
    }
    c->fd = fd;
    c->dead = false;
    c->state = CONN_CONNECTING;
    c->wants_write = !at_once;
    struct epoll_event event = {
        .events = at_once ? EPOLLIN : EPOLLIN | EPOLLOUT,
        .data.ptr = c,
    };
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl: %s", strerror(errno));
    }
    if (at_once) {
        on_connected(c);
    }
    return true;
}

void conn_open(conn *c)
{
    static uint32_t turn;
    uint32_t source = 0;
    if (opts.mode == LOAD_CONNECT) {
        source = 1 + turn++ % CONNECT_SOURCES;
        c->begun = now_ns();
    } else if (opts.mode == LOAD_IDLE) {
        source = 1 + c->index / (uint32_t)opts.conns_per_source;
    }
    if (opts.mode != LOAD_CONNECT) {
        opening++;
    }
    if (!conn_start(c, source)) {
        c->state = CONN_FREE;
        opening -= opts.mode != LOAD_CONNECT;
    } else if (c->dead) {
        conn_drop(c, false);
    }
}

void conn_is_running(conn *c)
{
    c->state = CONN_RUNNING;
    opening--;
    running++;
    opened++;
}

static void release(conn *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    buffer_clear(&c->in);
    buffer_clear(&c->message);
    buffer_clear(&c->out);
    c->fd = -1;
    c->out_sent = 0;
    c->wants_write = false;
    c->state = CONN_FREE;
}

void conn_drop(conn *c, bool bad)
{
    conn_state state = c->state;
    if (state == CONN_FREE) {
        return;
    }
    counts.bad += bad;
    release(c);
    if (opts.mode == LOAD_CONNECT) {
        counts.closed += state != CONN_CLOSING;
        if (phase < PHASE_DRAIN) {
            conn_open(c);
        }
        return;
    }
    if (phase < PHASE_DONE) {
        counts.closed++;
        complain("connection closed", c, NULL, 0);
    }
    if (state == CONN_RUNNING) {
        running--;
    } else {
        opening--;
    }
}

/* -- reading -------------------------------------------------------------- */

/* Takes what is complete; returns how many bytes that are, or -1. */
static int64_t parse(conn *c, uint8_t *in, uint32_t len)
{
    uint64_t now = now_ns();
    switch (c->kind) {
    case CONN_WEBSOCKET:
        return websocket_parse(c, in, len, now);
    case CONN_GET:
    case CONN_POST:
        return polling_parse(c, in, len, now);
    case CONN_RAW:
        return raw_parse(c, in, len, now);
    }
    return -1;
}

static void on_readable(conn *c)
{
    uint32_t kept = c->in.len;
    if (kept > INCOMING_SIZE / 2) {
        conn_drop(c, true);
        return;
    }
    if (kept != 0) {
        memcpy(incoming, c->in.base, kept);
    }
    ssize_t got =
        recv(c->fd, incoming + kept, INCOMING_SIZE - kept, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        conn_drop(c, false);
        return;
    }
    uint32_t len = kept + (uint32_t)got;
    int64_t used = parse(c, incoming, len);
    if (used < 0) {
        outgoing_len = 0;
        conn_drop(c, true);
        return;
    }
    if ((uint32_t)used < len) {
        c->in.len = 0;
        buffer_add(&c->in, incoming + used, len - (uint32_t)used);
    } else if (kept != 0) {
        buffer_clear(&c->in);
    }
    conn_flush(c);
    if (c->dead) {
        conn_drop(c, false);
    }
}

static void on_connecting(conn *c, uint32_t events)
{
    int err = 0;
    socklen_t len = sizeof(err);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err != 0) {
        counts.failed++;
        complain(strerror(err), c, NULL, 0);
        conn_drop(c, false);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        epoll_update(c, false);
        on_connected(c);
    }
}

static void on_events(conn *c, uint32_t events)
{
    if (c->state == CONN_FREE) {
        return;
    }
    if (c->state == CONN_CONNECTING) {
        on_connecting(c, events);
        events = 0;
    }
    if ((events & EPOLLOUT) != 0) {
        on_writable(c);
    }
    if (c->dead) {
        conn_drop(c, false);
    } else if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        on_readable(c);
    }
}

void conn_serve(uint64_t timeout)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {
        .tv_sec = (time_t)(timeout / 1000000000),
        .tv_nsec = (long)(timeout % 1000000000),
    };
    int count = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &wait, NULL);
    if (count < 0 && errno != EINTR) {
        die("epoll_wait: %s", strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        on_events(events[i].data.ptr, events[i].events);
    }
}
