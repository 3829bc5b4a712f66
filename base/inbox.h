#ifndef SIO_BASE_INBOX_H
#define SIO_BASE_INBOX_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/thread.h"
#include "socketio/error.h"

/*
 * Work for another thread, inside an object that the sender gives away.  For
 * each message that is accepted either `run` or `drop` is called, once, on the
 * owner's thread; the called one owns the object again.  `drop` only releases
 * what the message holds; NULL means that there is nothing to release.
 */
typedef struct sio_message {
    struct sio_message *next;
    void (*run)(struct sio_message *self);
    void (*drop)(struct sio_message *self);
} sio_message;

/*
 * Messages from any thread to one, the owner.  Those of one sender run in the
 * order of posting.  Posting never waits and never allocates.
 */
typedef struct sio_inbox {
    sio_owner owner;
    sio_message *rest;             /* accepted before the closing; owner only */
    _Atomic(sio_message *) newest; /* a stack; or a mark: closed */
    int fd;
} sio_inbox;

/* Makes the calling thread the owner; another one becomes it by
 * sio_owner_take() of `owner`.  Fails with IO when there is no event descriptor
 * to be had. */
sio_error sio_inbox_init(sio_inbox *box);

/* Drops what has not run.  No thread may be posting any more: the owner has
 * to make sure of that, since the memory of the box goes too. */
void sio_inbox_deinit(sio_inbox *box);

/* The descriptor that becomes readable when there is something to drain.  Only
 * to be watched; the inbox reads and closes it. */
static inline int sio_inbox_fd(const sio_inbox *box)
{
    return box->fd;
}

/* Gives `msg` to the owner.  Any thread.  Returns SIO_ERR_CLOSED after
 * sio_inbox_close(), and then `msg` stays the caller's. */
sio_error sio_inbox_post(sio_inbox *box, sio_message *msg);

/*
 * Runs all messages posted so far, oldest first, and returns how many.  What is
 * posted meanwhile, by anyone, waits for the next drain, and makes the
 * descriptor readable.  Owner only, and not from within a message.
 */
size_t sio_inbox_drain(sio_inbox *box);

/* Undoes sio_inbox_close(), after running what was accepted before that.  Owner
 * only, and not from within a message. */
void sio_inbox_reopen(sio_inbox *box);

/* Refuses messages from here on.  Those accepted before still run at the next
 * drain, or are dropped.  Owner only; twice is the same as once. */
void sio_inbox_close(sio_inbox *box);

/* Whether it has been closed: a message that runs now was accepted before.
 * Owner only. */
bool sio_inbox_closed(const sio_inbox *box);

#endif
