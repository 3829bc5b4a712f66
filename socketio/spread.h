#ifndef SIO_SPREAD_H
#define SIO_SPREAD_H

/* Whom a broadcast is for, and what is done on other threads. */

#include "socketio/core.h"

/* A size up to where anything may stand behind what has it. */
static inline size_t sio_rounded(size_t size)
{
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* Flags of a sio_broadcast. */
enum {
    SIO_BROADCAST_VOLATILE = 1,
    SIO_BROADCAST_LOCAL = 2,
    SIO_BROADCAST_OVERFLOW = 4,
    SIO_BROADCAST_PLAIN = 8
};

/* Visits a recipient.  It must not make anyone join, leave or end: packets are
 * only queued, so it never needs to. */
typedef void sio_visit_fn(sio_socket *socket, void *arg);

/* Visits, once each, the sockets of this loop that a broadcast is for. */
void sio_recipients_each(sio_local *local, const sio_broadcast *b,
                         sio_visit_fn *visit, void *arg);

/* Recipients taken beforehand, each with a reference, for what changes the
 * lists they are in. */
typedef struct sio_crowd {
    sio_socket **sockets;
    size_t count, cap;
    bool failed; /* memory was short: some are missing */
} sio_crowd;

/* Adds the recipients on this loop. */
void sio_crowd_gather(sio_crowd *crowd, sio_local *local,
                      const sio_broadcast *b);
void sio_crowd_disperse(sio_crowd *crowd);

/* Bytes for a copy of the names in `b`; the copy itself, whose names lie in
 * that `memory`, all of them in the lists.  It has a reference to the excepted
 * socket. */
size_t sio_broadcast_names_size(const sio_broadcast *b);
sio_broadcast sio_broadcast_copy(const sio_broadcast *b, void *memory);

/* Work for what each loop has of a namespace, or of a parent's children, as the
 * first member of what it needs to know for that. */
typedef struct sio_task {
    /* On the thread of `local`, for its part of `b`; as often as the loop has
     * one, see sio_locals_each(). */
    void (*run)(struct sio_task *self, sio_local *local,
                const sio_broadcast *b);

    /* Once all are through, on the thread of the last: lets go of what the
     * task holds, but not of its memory. */
    void (*end)(struct sio_task *self);

    /* On each loop, once it is through; or NULL. */
    void (*ran)(struct sio_task *self, sio_loop *loop);
} sio_task;

/*
 * Runs a task of `size` bytes on every loop: here at once, elsewhere when its
 * turn comes, by one message each.  The task is copied where it has to outlive
 * this call, and so are the names in `b`.  Takes what it holds in any case.
 *
 * Fails with ARGUMENT for too many rooms, or NO_MEMORY, having run nothing.
 */
sio_error sio_spread(const sio_broadcast *b, sio_task *task, size_t size);

/* Something to do to one socket, on its own loop, as the first member of what
 * that needs; on the heap. */
typedef struct sio_errand {
    sio_message message;
    sio_socket *socket; /* a reference */
    void (*run)(struct sio_errand *self);
    void (*end)(struct sio_errand *self); /* lets go of what it holds, after
                                             the run or without one; or NULL */
} sio_errand;

/* Makes an errand of `size` bytes, zeroed but for what all have.  NULL when out
 * of memory. */
void *sio_errand_new(size_t size, sio_socket *socket,
                     void (*run)(sio_errand *self),
                     void (*end)(sio_errand *self));

/* Ends it unsent. */
void sio_errand_drop(sio_errand *errand);

/* Sends it, taking it in any case.  Fails with CLOSED where the loop has
 * ended. */
sio_error sio_errand_send(sio_errand *errand);

/* sio_outgoing_send() to a socket of another thread.  Takes what `out`
 * holds. */
sio_error sio_outgoing_send_far(sio_outgoing *out, sio_socket *socket,
                                unsigned flags);

/* An event to be encoded later, in packets of several namespaces. */
typedef struct sio_kept_event {
    sio_arena arena; /* of what follows */
    const char *event;
    sio_args args;
} sio_kept_event;

/* Copies it, `args` may be NULL, if it can be emitted.  Errors as
 * sio_outgoing_event(). */
sio_error sio_kept_event_init(sio_kept_event *kept, const sio_core *core,
                              const char *event, const sio_args *args);

/* A copy of arguments, in the arena.  May fail with NO_MEMORY. */
sio_error sio_args_copy(sio_arena *arena, const sio_args *args, sio_args *out);

#endif
