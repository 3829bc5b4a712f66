#include "transport/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/reap.h"
#include "transport/admission.h"
#include "transport/backend.h"

typedef struct tp_tcp {
    tp_stream base;
    ev_io io; /* io.fd is -1 once closed; io.data is the loop, or NULL */
    sio_mortal mortal;
} tp_tcp;

static tp_tcp *of(tp_stream *s)
{
    return SIO_OWNER(s, tp_tcp, base);
}

static tp_loop *loop_of(const tp_tcp *tcp)
{
    return tcp->io.data;
}

static void watch(tp_tcp *tcp)
{
    int events =
        (tcp->base.paused ? 0 : EV_READ) | (tcp->base.blocked ? EV_WRITE : 0);
    ev_io_stop(loop_of(tcp)->ev, &tcp->io);
    if (events != 0) {
        ev_io_set(&tcp->io, tcp->io.fd, events);
        ev_io_start(loop_of(tcp)->ev, &tcp->io);
    }
}

/* A call has failed: where that is not the peer's doing, it is told. */
__attribute__((cold, noinline)) static sio_error fail(const tp_tcp *tcp,
                                                      int error)
{
    if (error == ENOMEM || error == ENOBUFS) {
        tp_loop_lacks(loop_of(tcp), "a connection");
    }
    return SIO_ERR_IO;
}

/* Apart from its caller, whose stack frame is small without this one's. */
__attribute__((noinline)) static ssize_t
send_several(int fd, const struct iovec *pieces, int count, size_t *want)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
                         .msg_iovlen = (size_t)count};
    *want = 0;
    for (int i = 0; i < count; i++) {
        *want += pieces[i].iov_len;
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static sio_error send_pieces(tp_stream *s, const struct iovec *pieces,
                             int count, size_t *sent)
{
    tp_tcp *tcp = of(s);
    size_t want = pieces->iov_len;
    ssize_t n;

    *sent = 0;
    if (count == 1) {
        n = send(tcp->io.fd, pieces->iov_base, want, MSG_NOSIGNAL);
    } else {
        n = send_several(tcp->io.fd, pieces, count, &want);
    }
    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            return fail(tcp, errno);
        }
        n = 0;
    }
    *sent = (size_t)n;
    sio_metric_add(&loop_of(tcp)->counters[SIO_COUNTER_BYTES_OUT], (size_t)n);
    if (*sent < want && !tcp->base.blocked) {
        tcp->base.blocked = true;
        watch(tcp);
    }
    return SIO_OK;
}

static void pause_reading(tp_stream *s, bool paused)
{
    tp_tcp *tcp = of(s);
    if (tcp->base.paused != paused) {
        tcp->base.paused = paused;
        watch(tcp);
    }
}

static void narrow(tp_stream *s)
{
    s->narrow = true;
}

static void shut(tp_stream *s)
{
    (void)shutdown(of(s)->io.fd, SHUT_WR);
}

static void destroy(sio_mortal *mortal)
{
    free(SIO_OWNER(mortal, tp_tcp, mortal));
}

/* What the kernel has taken is of no use without the rest, but it would keep it
 * for minutes for a peer that does not read. */
static void give_up_output(const tp_tcp *tcp)
{
    static const struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(tcp->io.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static void close_now(tp_stream *s)
{
    tp_tcp *tcp = of(s);
    tp_stream_vacate(s);
    if (loop_of(tcp) == NULL) {
        close(tcp->io.fd);
        free(tcp);
        return;
    }
    if (tcp->io.fd < 0) {
        return;
    }
    ev_io_stop(loop_of(tcp)->ev, &tcp->io);
    if (tcp->base.blocked) {
        give_up_output(tcp);
    }
    close(tcp->io.fd);
    tcp->io.fd = -1;
    sio_reap_later(&loop_of(tcp)->doomed, &tcp->mortal);
}

static void leave(tp_stream *s)
{
    tp_tcp *tcp = of(s);
    ev_io_stop(loop_of(tcp)->ev, &tcp->io);
    tp_backend_forget(loop_of(tcp)->backend, tcp->io.fd);
    tcp->io.data = NULL;
}

static void enter(tp_stream *s, tp_loop *loop)
{
    tp_tcp *tcp = of(s);
    tcp->io.data = loop;
    tcp->base.paused = false;
    tcp->base.blocked = false;
    watch(tcp);
}

static const tp_stream_ops tcp_ops = {
    .send = send_pieces,
    .pause = pause_reading,
    .narrow = narrow,
    .shut = shut,
    .close = close_now,
    .leave = leave,
    .enter = enter,
};

static void read_some(tp_tcp *tcp)
{
    size_t most = tcp->base.narrow ? TP_LOOP_IN_NARROW : TP_LOOP_IN;
    ssize_t n = recv(tcp->io.fd, loop_of(tcp)->in, most, 0);
    if (n > 0) {
        sio_metric_add(&loop_of(tcp)->counters[SIO_COUNTER_BYTES_IN],
                       (size_t)n);
        tcp->base.events->input(tcp->base.owner, loop_of(tcp)->in, (size_t)n);
    } else if (n == 0) {
        pause_reading(&tcp->base, true);
        tcp->base.events->ended(tcp->base.owner, SIO_OK);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        sio_error err = fail(tcp, errno);
        pause_reading(&tcp->base, true);
        tcp->base.events->ended(tcp->base.owner, err);
    }
}

static void on_io(struct ev_loop *ev, ev_io *w, int revents)
{
    tp_tcp *tcp = SIO_OWNER(w, tp_tcp, io);
    (void)ev;
    if ((revents & EV_ERROR) != 0) { /* it cannot be watched any more */
        tp_loop_lacks(loop_of(tcp), "watching a connection");
        tcp->base.blocked = false;
        pause_reading(&tcp->base, true);
        tcp->base.events->ended(tcp->base.owner, SIO_ERR_IO);
        return;
    }
    if ((revents & EV_WRITE) != 0 && tcp->base.blocked) {
        tcp->base.blocked = false;
        watch(tcp);
        tcp->base.events->writable(tcp->base.owner);
    }
    /* A look at `paused`, as that callback may have changed it. */
    if ((revents & EV_READ) != 0 && tcp->io.fd >= 0 && !tcp->base.paused) {
        read_some(tcp);
    }
}

tp_stream *tp_tcp_new(int fd, const struct sockaddr *peer)
{
    tp_tcp *tcp = calloc(1, sizeof(*tcp));
    if (tcp == NULL) {
        close(fd);
        return NULL;
    }
    tcp->base.ops = &tcp_ops;
    tcp->mortal.destroy = destroy;
    tcp->base.peer = tp_address_of_peer(peer);
    ev_io_init(&tcp->io, on_io, fd, EV_READ);
    return &tcp->base;
}

size_t tp_stream_address(const tp_stream *s, char out[TP_ADDRESS_SIZE])
{
    return tp_address_text(&s->peer, out);
}
