#include "test/files_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/http_text.h"
#include "transport/tcp.h"

/* Turns in which nothing comes, until the test is given up. */
#define PATIENCE 20000

static bool on_begin(void *owner, tp_http_conn *conn,
                     const tp_http_request *req)
{
    (void)owner;
    (void)conn;
    (void)req;
    return true;
}

static void on_request(void *owner, tp_http_conn *conn,
                       const tp_http_request *req)
{
    peer *p = owner;
    /* To where ASan sees a byte read too many. */
    size_t len = req->head->path.len;
    uint8_t *copy = malloc(len);
    memcpy(copy, req->head->path.base, len);
    bool served = p->serve(p->arg, conn, req, (sio_bytes){copy, len});
    free(copy);
    if (!served) {
        assert_int_equal(conn->state, TP_HTTP_STATE_ANSWER);
        tp_http_answer_send(conn, &(tp_http_answer){.status = 404});
    }
}

static void on_refused(void *owner, tp_http_conn *conn,
                       const tp_http_head *head, sio_error err)
{
    (void)head;
    (void)owner;
    (void)conn;
    (void)err;
}

static void on_gone(void *owner, tp_http_conn *conn)
{
    peer *p = owner;
    (void)conn;
    p->conn = NULL;
}

static const tp_http_events events = {
    .begin = on_begin,
    .request = on_request,
    .refused = on_refused,
    .gone = on_gone,
};

void peer_open(peer *p, peer_serve *serve, void *arg)
{
    static const tp_http_config config = {
        .limits = TP_HTTP_LIMITS_DEFAULT,
        .header_timeout = 60000,
        .body_timeout = 60000,
        .keep_alive = 60000,
        .max_body = 1000,
    };
    static const struct sockaddr nobody = {.sa_family = AF_UNIX};
    int fds[2];
    *p = (peer){.serve = serve, .arg = arg};
    assert_int_equal(tp_loop_init(&p->loop, NULL, NULL), SIO_OK);
    tp_loop_start(&p->loop);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
        0);
    p->fd = fds[0];
    tp_stream *stream = tp_tcp_new(fds[1], &nobody);
    assert_non_null(stream);
    stream->ops->enter(stream, &p->loop);
    p->conn = tp_http_conn_new(&p->loop, stream, &config, &events, p);
    assert_non_null(p->conn);
}

static void turn(peer *p)
{
    ev_run(p->loop.ev, EVRUN_NOWAIT);
    if (p->conn != NULL && p->conn->out.cap > p->held) {
        p->held = p->conn->out.cap;
    }
}

void peer_send(peer *p, sio_bytes bytes)
{
    ssize_t n = send(p->fd, bytes.base, bytes.len, MSG_NOSIGNAL);
    assert_int_equal(n, bytes.len);
}

bool peer_read(peer *p, size_t at_once, size_t want, sio_buf *got)
{
    for (int idle = 0; got->len < want && idle < PATIENCE; idle++) {
        turn(p);
        size_t room = want - got->len < at_once ? want - got->len : at_once;
        assert_int_equal(sio_buf_reserve(got, room), SIO_OK);
        ssize_t n = recv(p->fd, got->base + got->len, room, 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET)) {
            return false;
        }
        if (n > 0) {
            got->len += (size_t)n;
            idle = 0;
        }
    }
    assert_true(got->len == want);
    return true;
}

void peer_close(peer *p)
{
    if (p->fd >= 0) {
        close(p->fd);
        p->fd = -1;
    }
    for (int i = 0; i < PATIENCE && p->conn != NULL; i++) {
        turn(p);
    }
    assert_null(p->conn);
    tp_loop_deinit(&p->loop);
}

void reply_split(reply *r)
{
    uint8_t *end = memmem(r->all.base, r->all.len, "\r\n\r\n", 4);
    assert_non_null(end);
    assert_memory_equal(r->all.base, "HTTP/1.1 ", 9);
    r->status = atoi((const char *)r->all.base + 9);
    size_t len = (size_t)(end + 4 - r->all.base);
    r->head = (sio_bytes){r->all.base, len};
    r->body = (sio_bytes){end + 4, r->all.len - len};
}

void peer_ask(peer_serve *serve, void *arg, const char *method,
              sio_bytes target, const char *fields, reply *out)
{
    char rest[4096];
    sio_buf request = {0};
    peer p;
    int len =
        snprintf(rest, sizeof(rest),
                 " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", fields);
    *out = (reply){0};
    assert_true(len > 0 && (size_t)len < sizeof(rest));
    assert_int_equal(
        sio_buf_append(&request,
                       (sio_bytes){(const uint8_t *)method, strlen(method)}),
        SIO_OK);
    assert_int_equal(sio_buf_append(&request, SIO_LIT(" ")), SIO_OK);
    assert_int_equal(sio_buf_append(&request, target), SIO_OK);
    assert_int_equal(sio_buf_append(&request, (sio_bytes){(const uint8_t *)rest,
                                                          (size_t)len}),
                     SIO_OK);
    peer_open(&p, serve, arg);
    peer_send(&p, sio_buf_view(&request));
    assert_false(peer_read(&p, 65536, SIZE_MAX, &out->all));
    peer_close(&p);
    sio_buf_deinit(&request);
    reply_split(out);
}

void reply_deinit(reply *r)
{
    sio_buf_deinit(&r->all);
}

sio_bytes reply_field(const reply *r, const char *name)
{
    sio_bytes wanted = {(const uint8_t *)name, strlen(name)};
    const uint8_t *at = r->head.base, *end = at + r->head.len;
    while (at != end) {
        const uint8_t *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        const uint8_t *colon = memchr(at, ':', (size_t)(stop - at));
        if (colon != NULL &&
            tp_http_equals((sio_bytes){at, (size_t)(colon - at)}, wanted)) {
            return tp_http_trim(
                (sio_bytes){colon + 1, (size_t)(stop - colon - 1)});
        }
        at = stop + 2;
    }
    return (sio_bytes){NULL, 0};
}

size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) != -1;
    }
    return count;
}
