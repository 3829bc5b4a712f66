#include "transport/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/seldom.h"
#include "transport/backend.h"
#include "transport/tls.h"

/* Flushing may make others dirty: a poll that is answered makes its
 * connection so.  What is dirty after that many rounds waits for the next
 * turn, so that a callback which always sends cannot hold the loop. */
#define FLUSH_ROUNDS 3

/* Pieces of files that are read in a turn, for all who fetch one: those who
 * read files have to wait, not those who talk. */
#define PIECES 16

/* How long the inbox waits when the kernel cannot watch it. */
#define REST_MS 100

/* How long the worst turn is remembered, at least; twice that at most. */
#define LAG_PERIOD_US ((uint64_t)10 * 1000 * 1000)

static uint64_t monotonic_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void wake_up(tp_loop *loop)
{
    loop->woke = monotonic_us();
    loop->now = loop->woke / 1000;
}

/* At the end of a turn: how long have others had to wait for it? */
static void measure_turn(tp_loop *loop)
{
    sio_metric *counters = loop->counters;
    uint64_t end = monotonic_us(), took = end - loop->woke;
    if (end / LAG_PERIOD_US != loop->period) {
        loop->period = end / LAG_PERIOD_US;
        loop->worst[1] = loop->worst[0];
        loop->worst[0] = 0;
    }
    if (took > loop->worst[0]) {
        loop->worst[0] = took;
    }
    sio_metric_set(&counters[SIO_COUNTER_LOOP_LAG_US],
                   loop->worst[0] > loop->worst[1] ? loop->worst[0]
                                                   : loop->worst[1]);
    sio_metric_add(&counters[SIO_COUNTER_LOOP_TURNS], 1);
    sio_metric_add(&counters[SIO_COUNTER_LOOP_BUSY_US], took);
    sio_metric_set(&counters[SIO_COUNTER_BACKLOG_BYTES], loop->chunks.queued);
}

static void flush_round(tp_loop *loop)
{
    sio_link taken;
    sio_list_take(&taken, &loop->dirty);
    while (!sio_list_empty(&taken)) {
        tp_dirty *dirty = SIO_OWNER(taken.next, tp_dirty, link);
        sio_link_drop(&dirty->link);
        dirty->flush(dirty);
    }
}

static void set_timer(tp_loop *loop)
{
    uint64_t due;
    if (!sio_list_empty(&loop->dirty)) {
        due = loop->now;
    } else if (!sio_wheel_next(&loop->wheel, &due)) {
        due = UINT64_MAX;
    }
    if (due == loop->timer_due && due > loop->now) {
        return;
    }
    ev_timer_stop(loop->ev, &loop->timer);
    loop->timer_due = due;
    if (due != UINT64_MAX) {
        double after = due > loop->now ? (double)(due - loop->now) / 1000 : 0;
        ev_timer_set(&loop->timer, after, 0.);
        ev_timer_start(loop->ev, &loop->timer);
    }
}

static void on_prepare(struct ev_loop *ev, ev_prepare *w, int revents)
{
    tp_loop *loop = w->data;
    (void)ev;
    (void)revents;
    sio_wheel_advance(&loop->wheel, loop->now);
    loop->pieces = PIECES;
    for (int i = 0; i < FLUSH_ROUNDS && !sio_list_empty(&loop->dirty); i++) {
        flush_round(loop);
    }
    while (!sio_list_empty(&loop->later)) {
        sio_link *link = loop->later.next;
        sio_link_drop(link);
        sio_list_append(&loop->dirty, link);
    }
    tp_deflater_forget(&loop->deflater);
    sio_reap_now(&loop->doomed);
    set_timer(loop);
    measure_turn(loop);
}

static void on_check(struct ev_loop *ev, ev_check *w, int revents)
{
    tp_loop *loop = w->data;
    (void)ev;
    (void)revents;
    wake_up(loop);
}

/* It only ends the sleep: on_prepare() does the work. */
static void on_timer(struct ev_loop *ev, ev_timer *w, int revents)
{
    tp_loop *loop = w->data;
    (void)ev;
    (void)revents;
    loop->timer_due = UINT64_MAX;
}

static void on_inbox(struct ev_loop *ev, ev_io *w, int revents)
{
    tp_loop *loop = w->data;
    (void)ev;
    if ((revents & EV_ERROR) != 0) { /* libev has stopped it */
        sio_wheel_arm(&loop->wheel, &loop->rest, loop->now + REST_MS);
    }
    sio_metric_add(&loop->counters[SIO_COUNTER_LOOP_MESSAGES],
                   sio_inbox_drain(&loop->inbox));
}

static void on_rested(sio_timer *timer)
{
    tp_loop *loop = SIO_OWNER(timer, tp_loop, rest);
    ev_io_start(loop->ev, &loop->inbox_io);
}

static void init_watchers(tp_loop *loop)
{
    loop->rest.fire = on_rested;
    ev_prepare_init(&loop->prepare, on_prepare);
    ev_check_init(&loop->check, on_check);
    ev_set_priority(&loop->check, EV_MAXPRI);
    ev_init(&loop->timer, on_timer);
    ev_io_init(&loop->inbox_io, on_inbox, sio_inbox_fd(&loop->inbox), EV_READ);
    loop->prepare.data = loop;
    loop->check.data = loop;
    loop->timer.data = loop;
    loop->inbox_io.data = loop;
}

static void free_memory(tp_loop *loop)
{
    free(loop->in);
    free(loop->out);
    free(loop->cork.bytes);
}

static sio_error init_memory(tp_loop *loop)
{
    loop->in = malloc(TP_LOOP_IN);
    loop->out = malloc(TP_LOOP_OUT);
    loop->cork.bytes = malloc(TP_CORK_SIZE);
    if (loop->in == NULL || loop->out == NULL || loop->cork.bytes == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = sio_frame_pool_init(&loop->frames);
    if (err != SIO_OK) {
        return err;
    }
    err = sio_inbox_init(&loop->inbox);
    if (err != SIO_OK) {
        sio_frame_pool_deinit(&loop->frames);
    }
    return err;
}

sio_error tp_loop_init(tp_loop *loop, struct ev_loop *ev, const sio_log *log)
{
    *loop = (tp_loop){.ev = ev, .own = ev == NULL, .backend = -1, .log = log};
    sio_error err = init_memory(loop);
    if (err == SIO_OK && loop->own) {
        loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
        if (loop->ev == NULL) {
            sio_inbox_deinit(&loop->inbox);
            sio_frame_pool_deinit(&loop->frames);
            err = SIO_ERR_IO;
        }
    }
    if (err != SIO_OK) {
        free_memory(loop);
        return err;
    }
    wake_up(loop);
    loop->timer_due = UINT64_MAX;
    sio_wheel_init(&loop->wheel, loop->now);
    sio_list_init(&loop->doomed);
    sio_list_init(&loop->dirty);
    sio_list_init(&loop->later);
    init_watchers(loop);
    return SIO_OK;
}

void tp_loop_adopt(tp_loop *loop)
{
    sio_owner_take(&loop->inbox.owner);
    sio_frame_pool_adopt(&loop->frames);
}

void tp_loop_start(tp_loop *loop)
{
    wake_up(loop);
    ev_prepare_start(loop->ev, &loop->prepare);
    ev_check_start(loop->ev, &loop->check);
    ev_io_start(loop->ev, &loop->inbox_io);
}

void tp_loop_share(tp_loop *loop)
{
    ev_run(loop->ev, EVRUN_NOWAIT); /* has libev add the inbox */
    loop->backend = tp_backend_find(sio_inbox_fd(&loop->inbox));
}

void tp_loop_stop(tp_loop *loop)
{
    ev_prepare_stop(loop->ev, &loop->prepare);
    ev_check_stop(loop->ev, &loop->check);
    ev_io_stop(loop->ev, &loop->inbox_io);
    sio_wheel_cancel(&loop->wheel, &loop->rest);
    ev_timer_stop(loop->ev, &loop->timer);
    loop->timer_due = UINT64_MAX;
}

void tp_loop_deinit(tp_loop *loop)
{
    tp_loop_stop(loop);
    sio_reap_now(&loop->doomed);
    tp_tls_loop_free(loop->tls);
    sio_inbox_deinit(&loop->inbox);
    tp_deflater_deinit(&loop->deflater);
    sio_frame_pool_deinit(&loop->frames);
    free(loop->spare_conn);
    sio_buf_deinit(&loop->spare_out);
    sio_chunk_pool_deinit(&loop->chunks);
    sio_random_deinit(&loop->random);
    tp_compressor_deinit(&loop->compressor);
    free_memory(loop);
    if (loop->own) {
        ev_loop_destroy(loop->ev);
    }
}

void tp_loop_dirty_later(tp_loop *loop, tp_dirty *dirty)
{
    if (!sio_link_used(&dirty->link)) {
        sio_list_append(&loop->later, &dirty->link);
    }
}

void tp_loop_dirty(tp_loop *loop, tp_dirty *dirty)
{
    if (!sio_link_used(&dirty->link)) {
        sio_list_append(&loop->dirty, &dirty->link);
    }
}

void tp_loop_lacks(tp_loop *loop, const char *what)
{
    if (loop->error_counts != NULL) {
        sio_metric_add(&loop->error_counts[-SIO_ERR_NO_MEMORY], 1);
    }
    if (sio_seldom(&loop->next_lack, loop->now)) {
        sio_log_write(loop->log, SIO_LOG_ERROR, "no_memory", "for %s", what);
    }
}

const char *tp_loop_date(tp_loop *loop)
{
    time_t now = (time_t)ev_now(loop->ev);
    if (now != loop->date_second || loop->date[0] == '\0') {
        /* Not strftime(): day and month names must not follow the locale. */
        static const char days[] = "SunMonTueWedThuFriSat";
        static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        struct tm tm;
        gmtime_r(&now, &tm);
        char text[64];
        snprintf(text, sizeof(text), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        memcpy(loop->date, text, TP_DATE_LEN);
        loop->date[TP_DATE_LEN] = '\0';
        loop->date_second = now;
    }
    return loop->date;
}
