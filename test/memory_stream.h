#ifndef TEST_MEMORY_STREAM_H
#define TEST_MEMORY_STREAM_H

#include "base/buf.h"
#include "transport/loop.h"
#include "transport/stream.h"

/*
 * A stream without a network: the test is the peer.  It keeps the rules of
 * transport/stream.h, and aborts when its holder breaks one.  It outlives its
 * `close`, so that the test can look at what was sent.
 */
typedef struct memory_stream {
    tp_stream base;
    sio_buf out;  /* what was sent */
    size_t room;  /* bytes that are taken before the stream is full */
    size_t most;  /* bytes that one send takes; 0: any number */
    bool failing; /* sends fail */
    bool blocked; /* a send was cut short, and `writable` has not followed */
    bool paused;
    bool narrow;
    bool shut;
    bool closed;
    bool ended;
    unsigned sends;
} memory_stream;

/* Makes a stream that takes everything.  Its address is 192.0.2.7. */
void memory_stream_init(memory_stream *ms);
void memory_stream_deinit(memory_stream *ms);

/* Whether the holder would read what comes. */
bool memory_stream_reads(const memory_stream *ms);

/* Lets `bytes` come in pieces of `piece` bytes, 0 for one piece, each from
 * where ASan sees a byte read too many.  Returns how many the holder let come
 * before it stopped reading. */
size_t memory_stream_feed(memory_stream *ms, sio_bytes bytes, size_t piece);

/* Makes room for `more` bytes, and says so to one who waits for it. */
void memory_stream_drain(memory_stream *ms, size_t more);

/* The peer ends its side, or the connection breaks. */
void memory_stream_end(memory_stream *ms, sio_error why);

/* A loop that is turned by hand: its time stands still, and its date is always
 * "Thu, 01 Jan 1970 00:00:00 GMT". */
void memory_loop_init(tp_loop *loop, const sio_log *log);

/* Ends a turn: due timers fire, the dirty are flushed and the doomed freed. */
void memory_loop_turn(tp_loop *loop);

/* Moves the time by `ms` and ends a turn. */
void memory_loop_advance(tp_loop *loop, uint64_t ms);

/* Stops the loop and sees that nothing is left in it. */
void memory_loop_deinit(tp_loop *loop);

#endif
