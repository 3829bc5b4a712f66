#include "test/memory_stream.h"

#include <stdlib.h>

#include "transport/admission.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static memory_stream *of(tp_stream *s)
{
    return SIO_OWNER(s, memory_stream, base);
}

static sio_error send_pieces(tp_stream *s, const struct iovec *pieces,
                             int count, size_t *sent)
{
    memory_stream *ms = of(s);
    REQUIRE(!ms->closed && !ms->shut && count > 0);
    *sent = 0;
    ms->sends++;
    if (ms->failing) {
        return SIO_ERR_IO;
    }
    size_t want = 0;
    size_t limit = ms->most != 0 && ms->most < ms->room ? ms->most : ms->room;
    for (int i = 0; i < count; i++) {
        size_t left = limit - *sent;
        size_t len = pieces[i].iov_len < left ? pieces[i].iov_len : left;
        want += pieces[i].iov_len;
        REQUIRE(sio_buf_append(&ms->out,
                               (sio_bytes){pieces[i].iov_base, len}) == SIO_OK);
        *sent += len;
    }
    REQUIRE(want != 0);
    if (ms->room != SIZE_MAX) {
        ms->room -= *sent;
    }
    if (*sent < want) {
        ms->blocked = true;
    }
    return SIO_OK;
}

static void pause_reading(tp_stream *s, bool paused)
{
    REQUIRE(!of(s)->closed);
    of(s)->paused = paused;
}

static void narrow(tp_stream *s)
{
    REQUIRE(!of(s)->closed);
    of(s)->narrow = true;
}

static void shut(tp_stream *s)
{
    REQUIRE(!of(s)->closed && !of(s)->shut);
    of(s)->shut = true;
}

static void close_now(tp_stream *s)
{
    tp_stream_vacate(s);
    REQUIRE(!of(s)->closed);
    of(s)->closed = true;
}

static void leave(tp_stream *s)
{
    (void)s;
}

static void enter(tp_stream *s, struct tp_loop *loop)
{
    (void)s;
    (void)loop;
}

static const tp_stream_ops memory_ops = {
    .send = send_pieces,
    .pause = pause_reading,
    .narrow = narrow,
    .shut = shut,
    .close = close_now,
    .leave = leave,
    .enter = enter,
};

void memory_stream_init(memory_stream *ms)
{
    *ms = (memory_stream){
        .base = {.ops = &memory_ops, .peer = {.ip = {192, 0, 2, 7}}},
        .room = SIZE_MAX,
    };
}

void memory_stream_deinit(memory_stream *ms)
{
    sio_buf_deinit(&ms->out);
}

bool memory_stream_reads(const memory_stream *ms)
{
    return !ms->closed && !ms->paused && !ms->ended;
}

size_t memory_stream_feed(memory_stream *ms, sio_bytes bytes, size_t piece)
{
    size_t at = 0;
    while (at < bytes.len && memory_stream_reads(ms)) {
        size_t left = bytes.len - at;
        size_t len = piece != 0 && piece < left ? piece : left;
        uint8_t *copy = malloc(len);
        REQUIRE(copy != NULL);
        memcpy(copy, bytes.base + at, len);
        ms->base.events->input(ms->base.owner, copy, len);
        free(copy);
        at += len;
    }
    return at;
}

void memory_stream_drain(memory_stream *ms, size_t more)
{
    ms->room = more > SIZE_MAX - ms->room ? SIZE_MAX : ms->room + more;
    if (ms->blocked && ms->room != 0 && !ms->closed) {
        ms->blocked = false;
        ms->base.events->writable(ms->base.owner);
    }
}

void memory_stream_end(memory_stream *ms, sio_error why)
{
    REQUIRE(!ms->closed && !ms->ended);
    ms->ended = true;
    ms->paused = true;
    ms->base.events->ended(ms->base.owner, why);
}

void memory_loop_init(tp_loop *loop, const sio_log *log)
{
    REQUIRE(tp_loop_init(loop, NULL, log) == SIO_OK);
    loop->date_second = (time_t)ev_now(loop->ev);
    memcpy(loop->date, "Thu, 01 Jan 1970 00:00:00 GMT", TP_DATE_LEN + 1);
}

/* What libev would call before it sleeps. */
void memory_loop_turn(tp_loop *loop)
{
    ev_invoke(loop->ev, &loop->prepare, EV_PREPARE);
}

void memory_loop_advance(tp_loop *loop, uint64_t ms)
{
    loop->now += ms;
    memory_loop_turn(loop);
}

void memory_loop_deinit(tp_loop *loop)
{
    uint64_t when;
    memory_loop_turn(loop);
    REQUIRE(sio_list_empty(&loop->dirty) && sio_list_empty(&loop->doomed));
    REQUIRE(!sio_wheel_next(&loop->wheel, &when));
    tp_loop_deinit(loop);
}
