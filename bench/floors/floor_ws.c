/*
 * floor_ws PORT [batch|flip|drop]: what WebSocket costs without Socket.IO.  It
 * upgrades, unmasks and frames as a server has to, knows as many bytes of
 * packets as letting a client in takes, and sends back what it gets:
 *
 *   42["broadcast"...   to every connection; with `batch`, all that is
 *                       broadcast during a turn of the loop in one send() to
 *                       each, at the end of that turn
 *   42<id>["ack",x]     43<id>[x]
 *   any other           the same; of every FAULT_EVERY of them, `flip` changes
 *                       a bit of one, and `drop` forgets one: the generator
 *                       has to notice
 *
 * Not a server to build upon: no limits, no timeouts, no pings, loopback
 * only.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sha1.h"

#define WS_TEXT 1
#define WS_CLOSE 8
#define WS_PING 9
#define WS_PONG 10
#define WS_HEADER_MAX 16
#define FAULT_EVERY 1000
#define ACCEPTS_PER_TURN 64
#define UPGRADE_MAX 8192

typedef struct conn {
    ev_io io;
    uint8_t *kept, *out;
    uint32_t kept_len;          /* the start of a frame */
    uint32_t out_len, out_sent; /* what the kernel did not take */
    uint32_t slot;              /* in `conns` */
    bool is_up;                 /* the upgrade is done */
} conn;

static conn **conns;
static uint32_t conn_count, conn_cap;
static uint8_t in[1 << 18], out[1 << 18];
static uint32_t out_len;
static struct ev_loop *loop;
static bool batching, flipping, dropping;
static uint8_t *batch; /* what this turn broadcasts */
static uint32_t batch_len, batch_cap;

/* -- writing -------------------------------------------------------------- */

static void end(conn *c)
{
    ev_io_stop(loop, &c->io);
    close(c->io.fd);
    if (c->is_up) {
        conns[c->slot] = conns[--conn_count];
        conns[c->slot]->slot = c->slot;
    }
    free(c->kept);
    free(c->out);
    free(c);
}

static void watch(conn *c, int events)
{
    ev_io_stop(loop, &c->io);
    ev_io_set(&c->io, c->io.fd, events);
    ev_io_start(loop, &c->io);
}

static void send_some(conn *c, const uint8_t *bytes, uint32_t len)
{
    ssize_t sent = 0;
    if (c->out_len == 0) {
        sent = send(c->io.fd, bytes, len, MSG_NOSIGNAL);
        sent = sent < 0 ? 0 : sent;
    }
    if ((uint32_t)sent < len) {
        uint32_t rest = len - (uint32_t)sent;
        c->out = realloc(c->out, c->out_len + rest);
        memcpy(c->out + c->out_len, bytes + sent, rest);
        c->out_len += rest;
        watch(c, EV_READ | EV_WRITE);
    }
}

/* Returns -1 when the connection is broken. */
static int send_rest(conn *c)
{
    ssize_t sent = send(c->io.fd, c->out + c->out_sent,
                        c->out_len - c->out_sent, MSG_NOSIGNAL);
    if (sent < 0) {
        return errno == EAGAIN ? 0 : -1;
    }
    c->out_sent += (uint32_t)sent;
    if (c->out_sent == c->out_len) {
        free(c->out);
        c->out = NULL;
        c->out_len = c->out_sent = 0;
        watch(c, EV_READ);
    }
    return 0;
}

static uint32_t write_header(uint8_t *at, uint8_t opcode, uint32_t len)
{
    at[0] = (uint8_t)(0x80 | opcode);
    if (len < 126) {
        at[1] = (uint8_t)len;
        return 2;
    }
    if (len < 65536) {
        at[1] = 126;
        at[2] = (uint8_t)(len >> 8);
        at[3] = (uint8_t)len;
        return 4;
    }
    at[1] = 127;
    memset(at + 2, 0, 4);
    for (int i = 0; i < 4; i++) {
        at[6 + i] = (uint8_t)(len >> (24 - 8 * i));
    }
    return 10;
}

/* Adds a frame to what goes out to the connection that is being served. */
static void put(conn *c, uint8_t opcode, const void *payload, uint32_t len)
{
    if (out_len + len + WS_HEADER_MAX > sizeof(out)) {
        send_some(c, out, out_len);
        out_len = 0;
    }
    out_len += write_header(out + out_len, opcode, len);
    memcpy(out + out_len, payload, len);
    out_len += len;
}

/* -- packets -------------------------------------------------------------- */

/* Returns -1 for what is too long. */
static int broadcast(const uint8_t *packet, uint32_t len)
{
    static uint8_t frame[1 << 17];
    if (len + WS_HEADER_MAX > sizeof(frame)) {
        return -1;
    }
    uint32_t size = write_header(frame, WS_TEXT, len);
    memcpy(frame + size, packet, len);
    size += len;
    if (!batching) {
        for (uint32_t i = 0; i < conn_count; i++) {
            send_some(conns[i], frame, size);
        }
        return 0;
    }
    if (batch_len + size > batch_cap) {
        batch_cap = (batch_len + size) * 2;
        batch = realloc(batch, batch_cap);
    }
    memcpy(batch + batch_len, frame, size);
    batch_len += size;
    return 0;
}

/* Makes an ack of an event that wants one; returns its length. */
static uint32_t make_ack(uint8_t *packet, uint32_t len)
{
    uint32_t at = 2;
    while (at < len && packet[at] >= '0' && packet[at] <= '9') {
        at++;
    }
    if (len - at <= 8 || memcmp(packet + at, "[\"ack\",", 7) != 0) {
        return len;
    }
    packet[1] = '3';
    memmove(packet + at + 1, packet + at + 7, len - at - 7);
    return len - 6;
}

static int on_packet(conn *c, uint8_t *packet, uint32_t len)
{
    if (len == 2 && packet[0] == '4' && packet[1] == '0') {
        put(c, WS_TEXT, "40{\"sid\":\"AAAAAAAAAAAAAAAAAAAB\"}", 30);
        return 0;
    }
    if (len < 3 || packet[0] != '4' || packet[1] != '2') {
        return 0;
    }
    if (len > 13 && memcmp(packet + 2, "[\"broadcast\"", 12) == 0) {
        return broadcast(packet, len);
    }
    if (packet[2] != '[') {
        len = make_ack(packet, len);
    }
    if (flipping || dropping) {
        static uint32_t events;
        bool fault = ++events % FAULT_EVERY == 0;
        packet[len - 3] ^= flipping && fault;
        if (dropping && fault) {
            return 0;
        }
    }
    put(c, WS_TEXT, packet, len);
    return 0;
}

/* -- the upgrade ---------------------------------------------------------- */

static const uint8_t *find_key(const uint8_t *head, const uint8_t *head_end)
{
    while ((head = memchr(head, '\n', (size_t)(head_end - head))) != NULL) {
        head++;
        if (strncasecmp((const char *)head, "sec-websocket-key: ", 19) == 0) {
            return head + 19;
        }
    }
    return NULL;
}

static void keep_conn(conn *c)
{
    if (conn_count == conn_cap) {
        conn_cap = conn_cap == 0 ? 1024 : conn_cap * 2;
        conns = realloc(conns, conn_cap * sizeof(conn *));
    }
    c->slot = conn_count;
    c->is_up = true;
    conns[conn_count++] = c;
}

/* Returns the length of the request, 0 while it is not all there, or -1. */
static int64_t upgrade(conn *c, const uint8_t *request, uint32_t len)
{
    static const char open[] =
        "0{\"sid\":\"AAAAAAAAAAAAAAAAAAAA\",\"upgrades\":[],"
        "\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
    const uint8_t *head_end = memmem(request, len, "\r\n\r\n", 4);
    char text[64], accept[32];
    uint8_t digest[20];

    if (head_end == NULL) {
        return len > UPGRADE_MAX ? -1 : 0;
    }
    const uint8_t *key = find_key(request, head_end);
    if (key == NULL) {
        return -1;
    }
    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    sha1((const uint8_t *)text, 60, digest);
    base64(digest, sizeof(digest), accept);
    out_len += (uint32_t)sprintf((char *)out + out_len,
                                 "HTTP/1.1 101 Switching Protocols\r\n"
                                 "Upgrade: websocket\r\n"
                                 "Connection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: %s\r\n\r\n",
                                 accept);
    put(c, WS_TEXT, open, sizeof(open) - 1);
    keep_conn(c);
    return head_end + 4 - request;
}

/* -- frames --------------------------------------------------------------- */

static void unmask(uint8_t *at, uint32_t len, uint32_t mask)
{
    uint64_t twice = (uint64_t)mask << 32 | mask, word;
    uint32_t i = 0;
    for (; i + sizeof(word) <= len; i += (uint32_t)sizeof(word)) {
        memcpy(&word, at + i, sizeof(word));
        word ^= twice;
        memcpy(at + i, &word, sizeof(word));
    }
    for (; i < len; i++) {
        at[i] ^= (uint8_t)(mask >> 8 * (i & 3));
    }
}

/* Returns -1 when the connection has to end. */
static int on_frame(conn *c, uint8_t opcode, uint8_t *payload, uint32_t len)
{
    switch (opcode) {
    case WS_TEXT:
        return on_packet(c, payload, len);
    case WS_PING:
        put(c, WS_PONG, payload, len);
        return 0;
    case WS_CLOSE:
        put(c, WS_CLOSE, payload, len);
        send_some(c, out, out_len);
        return -1;
    default:
        return 0;
    }
}

/* Returns the size of the frame at `at`, 0 while it is not all there, or -1. */
static int64_t serve_frame(conn *c, uint8_t *at, uint32_t len)
{
    if (len < 6) {
        return 0;
    }
    uint32_t payload = at[1] & 127, head = 2, mask;
    if ((at[1] & 0x80) == 0) {
        return -1;
    }
    if (payload == 126 && len >= 8) {
        payload = (uint32_t)at[2] << 8 | at[3];
        head = 4;
    } else if (payload == 127 && len >= 14) {
        payload = (uint32_t)at[6] << 24 | (uint32_t)at[7] << 16 |
                  (uint32_t)at[8] << 8 | at[9];
        head = 10;
    } else if (payload > 125) {
        return 0;
    }
    if (payload > sizeof(in) / 2) {
        return -1;
    }
    if (len - head < sizeof(mask) + payload) {
        return 0;
    }
    memcpy(&mask, at + head, sizeof(mask));
    head += (uint32_t)sizeof(mask);
    unmask(at + head, payload, mask);
    if (on_frame(c, at[0] & 15, at + head, payload) < 0) {
        return -1;
    }
    return (int64_t)head + payload;
}

/* Returns how many bytes of `in` it has used, or -1. */
static int64_t serve(conn *c, uint32_t len)
{
    int64_t used = 0, got = 0;
    if (!c->is_up) {
        used = upgrade(c, in, len);
        if (used <= 0) {
            return used;
        }
    }
    do {
        used += got;
        got = serve_frame(c, in + used, len - (uint32_t)used);
    } while (got > 0);
    return got < 0 ? -1 : used;
}

static void on_readable(conn *c)
{
    uint32_t len = c->kept_len;
    if (len != 0) {
        memcpy(in, c->kept, len);
        free(c->kept);
        c->kept = NULL;
        c->kept_len = 0;
    }
    ssize_t got = recv(c->io.fd, in + len, sizeof(in) - len, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        end(c);
        return;
    }
    len += (uint32_t)got;
    out_len = 0;
    int64_t used = serve(c, len);
    if (used < 0) {
        end(c);
        return;
    }
    if (out_len != 0) {
        send_some(c, out, out_len);
    }
    if (used < len) {
        c->kept_len = len - (uint32_t)used;
        c->kept = malloc(c->kept_len);
        memcpy(c->kept, in + used, c->kept_len);
    }
}

/* -- the loop ------------------------------------------------------------- */

static void on_events(struct ev_loop *l, ev_io *io, int events)
{
    conn *c = (conn *)io;
    (void)l;
    if ((events & EV_WRITE) != 0 && send_rest(c) < 0) {
        end(c);
    } else if ((events & EV_READ) != 0) {
        on_readable(c);
    }
}

static void on_acceptable(struct ev_loop *l, ev_io *io, int events)
{
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int on = 1;
        int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        conn *c = calloc(1, sizeof(*c));
        ev_io_init(&c->io, on_events, fd, EV_READ);
        ev_io_start(l, &c->io);
    }
}

static void on_turn_end(struct ev_loop *l, ev_prepare *prepare, int events)
{
    (void)l;
    (void)prepare;
    (void)events;
    if (batch_len == 0) {
        return;
    }
    for (uint32_t i = 0; i < conn_count; i++) {
        send_some(conns[i], batch, batch_len);
    }
    batch_len = 0;
}

static int listen_at(uint16_t port)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 4096) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    ev_io listener;
    ev_prepare turn_end;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    const char *how = argc > 2 ? argv[2] : "";
    batching = strcmp(how, "batch") == 0;
    flipping = strcmp(how, "flip") == 0;
    dropping = strcmp(how, "drop") == 0;

    loop = ev_default_loop(0);
    ev_io_init(&listener, on_acceptable,
               listen_at((uint16_t)(argc > 1 ? atoi(argv[1]) : 3000)), EV_READ);
    ev_io_start(loop, &listener);
    ev_prepare_init(&turn_end, on_turn_end);
    if (batching) {
        ev_prepare_start(loop, &turn_end);
    }
    ev_run(loop, 0);
    return 0;
}
