/*
 * floor_poll PORT: what HTTP long-polling costs without looking inside.  It
 * reads as much HTTP as holding sessions takes, and sends back every packet
 * that is POSTed.
 *
 * Not a server to build upon: no limits, no timeouts, no pings, loopback
 * only.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEPARATOR 0x1e

struct session;

typedef struct conn {
    ev_io io;
    uint8_t *kept; /* the start of a request */
    uint32_t kept_len;
    struct session *waits; /* for something to answer a GET with */
} conn;

typedef struct session {
    conn *get;
    uint8_t *queue; /* packets and separators */
    uint32_t len, cap;
} session;

static session **sessions; /* by number, which is the sid */
static uint32_t session_count, session_cap;
static uint8_t in[1 << 18], out[1 << 18];
static struct ev_loop *loop;

static void reply(conn *c, const void *body, uint32_t len)
{
    uint32_t head = (uint32_t)sprintf((char *)out,
                                      "HTTP/1.1 200 OK\r\n"
                                      "Content-Type: text/plain; "
                                      "charset=UTF-8\r\n"
                                      "Content-Length: %u\r\n\r\n",
                                      len);
    memcpy(out + head, body, len);
    /* A connection that has broken is found when it is read. */
    if (send(c->io.fd, out, head + len, MSG_NOSIGNAL) < 0) {
        return;
    }
}

static void push(session *s, const void *packet, uint32_t len)
{
    if (s->len + len + 1 > s->cap) {
        s->cap = (s->len + len + 1) * 2;
        s->queue = realloc(s->queue, s->cap);
    }
    if (s->len != 0) {
        s->queue[s->len++] = SEPARATOR;
    }
    memcpy(s->queue + s->len, packet, len);
    s->len += len;
}

static void deliver(session *s)
{
    conn *c = s->get;
    if (c == NULL || s->len == 0) {
        return;
    }
    c->waits = NULL;
    s->get = NULL;
    reply(c, s->queue, s->len);
    s->len = 0;
}

static void end(conn *c)
{
    if (c->waits != NULL) {
        c->waits->get = NULL;
    }
    ev_io_stop(loop, &c->io);
    close(c->io.fd);
    free(c->kept);
    free(c);
}

/* -- requests ------------------------------------------------------------- */

static void on_first_get(conn *c)
{
    char packet[160];
    if (session_count == session_cap) {
        session_cap = session_cap == 0 ? 256 : session_cap * 2;
        sessions = realloc(sessions, session_cap * sizeof(session *));
    }
    int len = sprintf(packet,
                      "0{\"sid\":\"%08u\",\"upgrades\":[\"websocket\"],"
                      "\"pingInterval\":25000,\"pingTimeout\":20000,"
                      "\"maxPayload\":1000000}",
                      session_count);
    sessions[session_count++] = calloc(1, sizeof(session));
    reply(c, packet, (uint32_t)len);
}

static void on_post(conn *c, session *s, const uint8_t *body, uint32_t len)
{
    const uint8_t *at = body, *stop = body + len;
    while (at < stop) {
        const uint8_t *cut = memchr(at, SEPARATOR, (size_t)(stop - at));
        uint32_t size = (uint32_t)((cut == NULL ? stop : cut) - at);
        if (size == 2 && at[1] == '0') {
            push(s, "40{\"sid\":\"AAAAAAAAAAAAAAAAAAAB\"}", 30);
        } else if (size != 0 && at[0] == '4') {
            push(s, at, size);
        }
        at += size + 1;
    }
    reply(c, "ok", 2);
    deliver(s);
}

/* Returns -1 for a request that it does not know. */
static int on_request(conn *c, const uint8_t *head, const uint8_t *head_end,
                      const uint8_t *body, uint32_t len)
{
    const uint8_t *line_end = memchr(head, '\r', (size_t)(head_end - head + 1));
    const char *query = memmem(head, (size_t)(line_end - head), "&sid=", 5);
    session *s = NULL;
    if (query != NULL) {
        uint32_t number = (uint32_t)strtoul(query + 5, NULL, 10);
        if (number >= session_count) {
            return -1;
        }
        s = sessions[number];
    }
    if (head[0] == 'G' && s == NULL) {
        on_first_get(c);
    } else if (head[0] == 'G') {
        s->get = c;
        c->waits = s;
        deliver(s);
    } else if (s != NULL) {
        on_post(c, s, body, len);
    } else {
        return -1;
    }
    return 0;
}

static uint32_t content_length(const uint8_t *head, const uint8_t *head_end)
{
    uint32_t len = 0;
    while ((head = memchr(head, '\n', (size_t)(head_end - head))) != NULL) {
        head++;
        if (strncasecmp((const char *)head, "content-length:", 15) == 0) {
            len = (uint32_t)atoi((const char *)head + 15);
        }
    }
    return len;
}

/* Returns how many bytes of `in` were whole requests, or -1. */
static int64_t serve(conn *c, uint32_t len)
{
    const uint8_t *at = in, *stop = in + len;
    while (at < stop) {
        const uint8_t *head_end =
            memmem(at, (size_t)(stop - at), "\r\n\r\n", 4);
        if (head_end == NULL) {
            break;
        }
        const uint8_t *body = head_end + 4;
        uint32_t size = content_length(at, head_end);
        if (size > (size_t)(stop - body)) {
            break;
        }
        if (on_request(c, at, head_end, body, size) < 0) {
            return -1;
        }
        at = body + size;
    }
    return at - in;
}

/* -- sockets -------------------------------------------------------------- */

static void on_readable(struct ev_loop *l, ev_io *io, int events)
{
    conn *c = (conn *)io;
    uint32_t len = c->kept_len;
    (void)l;
    (void)events;
    if (len != 0) {
        memcpy(in, c->kept, len);
        free(c->kept);
        c->kept = NULL;
        c->kept_len = 0;
    }
    ssize_t got = recv(io->fd, in + len, sizeof(in) - len - 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    if (got <= 0) {
        end(c);
        return;
    }
    len += (uint32_t)got;
    in[len] = 0;
    int64_t used = serve(c, len);
    if (used < 0) {
        end(c);
    } else if (used < len) {
        c->kept_len = len - (uint32_t)used;
        c->kept = malloc(c->kept_len);
        memcpy(c->kept, in + used, c->kept_len);
    }
}

static void on_acceptable(struct ev_loop *l, ev_io *io, int events)
{
    int on = 1, fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
    (void)events;
    if (fd < 0) {
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    conn *c = calloc(1, sizeof(*c));
    ev_io_init(&c->io, on_readable, fd, EV_READ);
    ev_io_start(l, &c->io);
}

int main(int argc, char **argv)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 3000)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    signal(SIGPIPE, SIG_IGN);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 4096) != 0) {
        perror("listen");
        return 1;
    }
    loop = ev_default_loop(0);
    ev_io listener;
    ev_io_init(&listener, on_acceptable, fd, EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
    return 0;
}
