/*
 * floor_tcp PORT: sends back records of a length, with one recv() and one
 * send() for each time that a socket is readable, and does nothing else.
 *
 * A record is its whole length in four bytes, big-endian, and the rest.
 * Not a server to build upon: no limits, no timeouts, loopback only.
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
#include <sys/socket.h>
#include <unistd.h>

typedef struct conn {
    ev_io io;
    uint8_t *kept; /* the start of a record */
    uint32_t kept_len;
} conn;

static uint8_t in[1 << 18];

/* How many bytes of `in` are whole records, or -1. */
static int64_t whole(uint32_t len)
{
    uint32_t used = 0, size;
    while (len - used >= sizeof(size)) {
        memcpy(&size, in + used, sizeof(size));
        size = ntohl(size);
        if (size < sizeof(size) || size > sizeof(in) / 2) {
            return -1;
        }
        if (len - used < size) {
            break;
        }
        used += size;
    }
    return used;
}

/* Returns -1 when the connection has to end. */
static int serve(conn *c, int fd)
{
    uint32_t len = c->kept_len;
    if (len != 0) {
        memcpy(in, c->kept, len);
        free(c->kept);
        c->kept = NULL;
        c->kept_len = 0;
    }
    ssize_t got = recv(fd, in + len, sizeof(in) - len, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN ? 0 : -1;
    }
    len += (uint32_t)got;
    int64_t used = whole(len);
    if (used < 0 ||
        (used != 0 && send(fd, in, (size_t)used, MSG_NOSIGNAL) != used)) {
        return -1;
    }
    if (used < len) {
        c->kept_len = len - (uint32_t)used;
        c->kept = malloc(c->kept_len);
        memcpy(c->kept, in + used, c->kept_len);
    }
    return 0;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    conn *c = (conn *)io;
    (void)events;
    if (serve(c, io->fd) < 0) {
        ev_io_stop(loop, io);
        close(io->fd);
        free(c->kept);
        free(c);
    }
}

static void on_acceptable(struct ev_loop *loop, ev_io *io, int events)
{
    int on = 1, fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
    (void)events;
    if (fd < 0) {
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    conn *c = calloc(1, sizeof(*c));
    ev_io_init(&c->io, on_readable, fd, EV_READ);
    ev_io_start(loop, &c->io);
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
    struct ev_loop *loop = ev_default_loop(0);
    ev_io listener;
    ev_io_init(&listener, on_acceptable, fd, EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
    return 0;
}
