#ifndef TP_STREAM_H
#define TP_STREAM_H

#include <stdbool.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "socketio/error.h"
#include "transport/address.h"

/*
 * A connection as a pair of byte streams: TCP, or TLS over it.  Whoever holds
 * the stream sets `events` and `owner`, and may hand it on by setting others.
 */
typedef struct tp_stream tp_stream;

struct tp_loop;

typedef struct tp_stream_events {
    /* Bytes have come.  They may be changed, and are gone when this returns. */
    void (*input)(void *owner, uint8_t *data, size_t len);

    /* After a send that was cut short: there is room again. */
    void (*writable)(void *owner);

    /* The peer has ended its side (SIO_OK), or the connection broke.  Nothing
     * else comes; the owner still has to close the stream. */
    void (*ended)(void *owner, sio_error why);
} tp_stream_events;

typedef struct tp_stream_ops {
    /* Sends what fits and sets `*sent`.  When that is less than all, `writable`
     * follows.  Fails with IO; `ended` may or may not follow that. */
    sio_error (*send)(tp_stream *s, const struct iovec *pieces, int count,
                      size_t *sent);

    /* Stops or resumes reading. */
    void (*pause)(tp_stream *s, bool paused);

    /* Has less read at once, for good: what comes may cost far more than its
     * bytes, and others wait meanwhile. */
    void (*narrow)(tp_stream *s);

    /* Tells the peer that nothing more comes; reading goes on. */
    void (*shut)(tp_stream *s);

    /* Ends the stream at once.  No event follows; the memory goes at the end
     * of the turn, or, where the stream is of no loop, at once. */
    void (*close)(tp_stream *s);

    /* Takes the stream from its loop: from now on it is of none, no event
     * comes, and it may be given to another thread.  Not from within
     * `writable`. */
    void (*leave)(tp_stream *s);

    /* Gives a stream of no loop to that of the calling thread, which begins to
     * read.  `events` and `owner` have to be set before the turn ends. */
    void (*enter)(tp_stream *s, struct tp_loop *loop);

    /* Gives back what has come behind a PROXY header, none maybe, once
     * `wants_proxy` is cleared and there is another owner.  NULL: it is that
     * owner's `input`. */
    void (*feed)(tp_stream *s, uint8_t *data, size_t len);

    /* Whom the client's certificate names, NUL-terminated, as long as the
     * stream; NULL, and so may the function be: there was none. */
    const char *(*subject)(const tp_stream *s);
} tp_stream_ops;

/* The first member of every stream. */
struct tp_stream {
    const tp_stream_ops *ops;
    const tp_stream_events *events;
    void *owner;
    tp_address peer; /* or the client's, once a PROXY header has told it */
    struct tp_place *place; /* where it is counted, or NULL; tp_stream_vacate()
                               gives that back, see admission.h */
    bool wants_proxy;       /* a PROXY header has to come first */
    bool nameless; /* one came that does not tell the client's address */
    bool secure;   /* the client's side of it is known to be over TLS */
    bool paused;   /* the stream's own: nothing is read ... */
    bool blocked;  /* ... it waits for room in the kernel's buffer ... */
    bool narrow;   /* ... and reads little at once */
};

/* Whom the client's certificate names, as above; NULL: there was none. */
static inline const char *tp_stream_subject(const tp_stream *s)
{
    return s->ops->subject == NULL ? NULL : s->ops->subject(s);
}

/* Writes the address in `peer`, NUL-terminated, and returns its length. */
size_t tp_stream_address(const tp_stream *s, char out[TP_ADDRESS_SIZE]);

#endif
