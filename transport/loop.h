#ifndef TP_LOOP_H
#define TP_LOOP_H

#include <ev.h>
#include <time.h>

#include "base/buf.h"
#include "base/frameq.h"
#include "base/inbox.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/random.h"
#include "base/reap.h"
#include "base/wheel.h"
#include "socketio/socketio.h"
#include "transport/compress.h"
#include "transport/ws_deflate.h"

/* Bytes read at once, and gathered for one write. */
#define TP_LOOP_IN (64 * 1024)
#define TP_LOOP_IN_NARROW (4 * 1024) /* by a stream that is narrow */
#define TP_LOOP_OUT (128 * 1024)
#define TP_CORK_SIZE (64 * 1024)

/* Bytes that are kept for the next answer, at most. */
#define TP_LOOP_SPARE_OUT (16 * 1024)

/* Characters of a Date header's value (RFC 9110, section 5.6.7). */
#define TP_DATE_LEN 29

/* Something with output to gather: `flush` runs once at the end of the turn in
 * which it was made dirty.  Zero it and set `flush`. */
typedef struct tp_dirty {
    sio_link link;
    void (*flush)(struct tp_dirty *self);
} tp_dirty;

/* Output of the one connection whose input is being handled; see
 * ws_output.h. */
typedef struct tp_cork {
    const void *holder; /* NULL: nobody */
    size_t len;
    uint8_t *bytes; /* TP_CORK_SIZE */
} tp_cork;

/*
 * One thread's event loop and all that belongs to it alone.
 *
 * A turn: descriptors are read and callbacks run; then, before the loop
 * sleeps, due timers fire, what was made dirty is written, and what was doomed
 * is freed.  `now` is the time at which the turn's descriptors were found
 * ready; timers are told that time, so that a peer whose answer had come by
 * then is heard before its timeout strikes, however long the callbacks of this
 * turn take.
 */
typedef struct tp_loop {
    struct ev_loop *ev;
    bool own;    /* whether `ev` is to be destroyed */
    int backend; /* its epoll descriptor, once needed; see backend.h; or -1 */
    const sio_log *log;
    ev_prepare prepare;
    ev_check check;
    ev_timer timer;
    ev_io inbox_io;
    sio_timer rest;     /* until the inbox is watched again */
    uint64_t now;       /* ms, monotonic, when the turn began */
    uint64_t woke;      /* the same in us */
    uint64_t worst[2];  /* the longest turn, in us, of this and of the last */
    uint64_t period;    /* ... of the periods that this is the number of */
    uint64_t timer_due; /* what `timer` is set to; UINT64_MAX: not running */
    sio_wheel wheel;
    sio_link doomed;
    sio_link dirty;  /* of tp_dirty */
    sio_link later;  /* the same, for the next turn */
    unsigned pieces; /* of files that may still be read in this turn */
    sio_inbox inbox;
    sio_random random;
    sio_frame_pool frames;
    sio_chunk_pool chunks;
    void *spare_conn;  /* memory of a tp_http_conn, or NULL; see http_conn.c */
    sio_buf spare_out; /* the same of an answer; empty */
    tp_compressor compressor;
    tp_deflater deflater;
    sio_metric counters[SIO_COUNTER_COUNT];
    uint8_t *in;  /* TP_LOOP_IN, for whoever reads, until it returns */
    uint8_t *out; /* TP_LOOP_OUT, for whoever writes, until it returns */
    tp_cork cork;
    struct tp_tls_loop *tls;  /* tls.h; NULL until a stream needs it */
    sio_metric *error_counts; /* by error, negated; the owner's, or NULL */
    uint64_t next_lack;       /* to be logged; see sio_seldom() */
    time_t date_second;
    char date[TP_DATE_LEN + 1];
} tp_loop;

/* Makes a loop, or joins `ev` if it is not NULL.  It must not be moved, and
 * belongs to the calling thread until another one adopts it.  May fail with
 * NO_MEMORY or IO, leaving nothing to undo. */
sio_error tp_loop_init(tp_loop *loop, struct ev_loop *ev, const sio_log *log);

/* Makes the calling thread the one that the loop belongs to, which runs it. */
void tp_loop_adopt(tp_loop *loop);

/* Starts to watch, which keeps `ev` running; stops to. */
void tp_loop_start(tp_loop *loop);
void tp_loop_stop(tp_loop *loop);

/* Runs what is doomed and frees all.  Nothing may use the loop any more. */
void tp_loop_deinit(tp_loop *loop);

/* Makes sure that descriptors can be given to other loops.  Before it runs,
 * once it has been started. */
void tp_loop_share(tp_loop *loop);

/* Has `dirty->flush` called at the end of this turn; twice is once. */
void tp_loop_dirty(tp_loop *loop, tp_dirty *dirty);

/* The same for the end of the next turn, behind all others of that. */
void tp_loop_dirty_later(tp_loop *loop, tp_dirty *dirty);

/* What a peer wanted, such as "a connection", ends or is refused for want of
 * memory: counted as that error, and logged once in a second at most. */
void tp_loop_lacks(tp_loop *loop, const char *what);

/* The present Date header value, NUL-terminated. */
const char *tp_loop_date(tp_loop *loop);

#endif
