#include "transport/listener.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "transport/listener_impl.h"
#include "transport/tcp.h"
#include "transport/tls.h"

/* Connections taken in one turn, so that a flood of them does not starve those
 * which are there already. */
#define ACCEPT_BATCH 64

/* How long to rest when there are no descriptors left, or the kernel cannot
 * watch the sockets. */
#define REST_MS 100

static void set_watching(tp_listener *l, bool on)
{
    for (int i = 0; i < l->count; i++) {
        if (on) {
            ev_io_start(l->loop->ev, &l->sockets[i]);
        } else {
            ev_io_stop(l->loop->ev, &l->sockets[i]);
        }
    }
}

static void on_rested(sio_timer *timer)
{
    set_watching(SIO_OWNER(timer, tp_listener, rest), true);
}

static void take_a_rest(tp_listener *l, const char *why)
{
    sio_log_write(l->loop->log, SIO_LOG_ERROR, "accept_failed",
                  "%s; resting for %d ms", why, REST_MS);
    set_watching(l, false);
    sio_wheel_arm(&l->loop->wheel, &l->rest, l->loop->now + REST_MS);
}

/* What accept() reports of a connection that died in the queue, or of the
 * network it came from, says nothing about the next one. */
static bool is_lasting(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

/* Takes one connection from the queue of `w`; false when there is none. */
static bool accept_one(tp_listener *l, const ev_io *w)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int fd = accept4(w->fd, (struct sockaddr *)&peer, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (is_lasting(errno)) {
            take_a_rest(l, strerror(errno));
        }
        return errno == EINTR || errno == ECONNABORTED;
    }
    tp_stream *stream = tp_tcp_new(fd, (const struct sockaddr *)&peer);
    if (stream != NULL) {
        stream->wants_proxy = l->proxy;
        sio_metric_add(&l->loop->counters[SIO_COUNTER_ACCEPTED], 1);
        if (l->tls != NULL) {
            stream = tp_tls_new(stream, l->tls);
        }
    }
    if (stream != NULL) {
        l->connection(l->owner, stream);
    } else {
        tp_loop_lacks(l->loop, "a connection");
    }
    return true;
}

static void on_accept(struct ev_loop *ev, ev_io *w, int revents)
{
    tp_listener *l = w->data;
    (void)ev;
    if ((revents & EV_ERROR) != 0) { /* libev has stopped it */
        take_a_rest(l, "the socket cannot be watched");
        return;
    }
    int left = ACCEPT_BATCH;
    while (left-- > 0 && ev_is_active(w) && accept_one(l, w)) {
    }
}

int tp_listener_discard(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void tp_listener_add(tp_listener *l, int fd)
{
    ev_io_init(&l->sockets[l->count], on_accept, fd, EV_READ);
    l->sockets[l->count].data = l;
    l->count++;
}

void tp_listener_start(tp_listener *l)
{
    l->rest.fire = on_rested;
    set_watching(l, true);
}

/* What the kernel may keep of a connection beyond what is on its way, in bytes.
 * Left alone it takes megabytes for one who hardly reads, which looks as if he
 * did.  Less than a piece of what is sent (TP_LOOP_OUT) would cut each in two.
 */
static const int most_unsent = TP_LOOP_OUT;

/* A socket that is bound, not listening yet; -1 with errno. */
static int bind_socket(const struct addrinfo *at, bool shared, bool ipv6_only)
{
    static const int on = 1;
    const int only = ipv6_only ? 1 : 0;
    int fd =
        socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
               at->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (shared) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }
    /* Accepted sockets inherit these two, which saves calls for each. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent,
                     sizeof(most_unsent));
    if (at->ai_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    }
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0) {
        fd = tp_listener_discard(fd);
    }
    return fd;
}

/* With SO_REUSEPORT two servers of one user could take the same port and not
 * know it.  So it has to be free for a socket without that first. */
static bool is_free(const struct addrinfo *at, bool ipv6_only)
{
    int fd = bind_socket(at, false, ipv6_only);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static int bind_one(const struct addrinfo *at, const tp_listener_at *how)
{
    if (how->share == TP_LISTENER_FIRST && !is_free(at, how->ipv6_only)) {
        return -1;
    }
    int fd = bind_socket(at, how->share != TP_LISTENER_ALONE, how->ipv6_only);
    if (fd >= 0 && listen(fd, how->backlog) != 0) {
        fd = tp_listener_discard(fd);
    }
    return fd;
}

/* Addresses of both families have it at the same place. */
static uint16_t port_of(int fd)
{
    static_assert(offsetof(struct sockaddr_in, sin_port) ==
                      offsetof(struct sockaddr_in6, sin6_port),
                  "one place");
    struct sockaddr_in6 at = {0};
    socklen_t len = sizeof(at);
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        return 0;
    }
    return ntohs(at.sin6_port);
}

static void set_port(struct sockaddr *at, uint16_t port)
{
    if (at->sa_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)at)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)(void *)at)->sin_port = htons(port);
    }
}

/* Without a host, the IPv6 address serves both families where there is IPv6 at
 * all; a name may stand for one address of each. */
static int bind_all(tp_listener *l, struct addrinfo *list,
                    const tp_listener_at *how)
{
    int error = 0;
    l->port = how->port;
    for (struct addrinfo *at = list;
         at != NULL && l->count < TP_LISTENER_SOCKETS; at = at->ai_next) {
        set_port(at->ai_addr, l->port);
        int fd = bind_one(at, how);
        if (fd < 0) {
            error = errno;
            continue;
        }
        tp_listener_add(l, fd);
        l->port = port_of(fd);
        if (how->host == NULL) {
            break;
        }
    }
    return l->count > 0 ? 0 : error;
}

static int resolve(const char *host, int family, struct addrinfo **list)
{
    struct addrinfo hints = {
        .ai_family = family,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    return getaddrinfo(host, "0", &hints, list);
}

static int bind_host(tp_listener *l, const tp_listener_at *how, int family,
                     const char **why)
{
    struct addrinfo *list;
    int rc = resolve(how->host, family, &list);
    if (rc != 0) {
        *why = gai_strerror(rc);
        return -1;
    }
    int error = bind_all(l, list, how);
    freeaddrinfo(list);
    *why = strerror(error);
    return error == 0 ? 0 : -1;
}

/* Where there is none at all, IPv4 alone is every address; where its port is
 * taken, it would not be. */
static bool has_ipv6(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has =
        fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return has;
}

sio_error tp_listener_open(tp_listener *l, const tp_listener_at *how)
{
    const char *why = "";
    bool any = how->host == NULL;
    l->backlog = how->backlog;
    int rc =
        bind_host(l, how, any || how->ipv6_only ? AF_INET6 : AF_UNSPEC, &why);
    if (rc != 0 && any && !how->ipv6_only && !has_ipv6()) {
        rc = bind_host(l, how, AF_INET, &why);
    }
    if (rc != 0) {
        sio_log_write(l->loop->log, SIO_LOG_ERROR, "listen_failed",
                      "host %s, port %u: %s", any ? "*" : how->host, how->port,
                      why);
        return SIO_ERR_ADDRESS;
    }
    tp_listener_start(l);
    return SIO_OK;
}

void tp_listener_close(tp_listener *l)
{
    if (l->loop == NULL) {
        return;
    }
    set_watching(l, false);
    tp_listener_remove_file(l);
    for (int i = 0; i < l->count; i++) {
        /* Those in the queue believe to be connected: they get an answer. */
        int left = l->backlog + 1; /* as many as it holds */
        while (left-- > 0 && accept_one(l, &l->sockets[i])) {
        }
        close(l->sockets[i].fd);
    }
    sio_wheel_cancel(&l->loop->wheel, &l->rest);
    l->count = 0;
}
