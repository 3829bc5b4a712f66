#ifndef SIO_INQUIRY_H
#define SIO_INQUIRY_H

/* A broadcast that asks for acknowledgements: who is asked, and until when.
 * What is made of the answers is for survey.c and ask.c. */

#include "base/buf.h"
#include "socketio/spread.h"

typedef struct sio_inquiry sio_inquiry;

/* What one loop's sockets are asked; that loop's own, but for what its user
 * sends home. */
typedef struct sio_inquiry_part {
    sio_inquiry *inquiry; /* NULL until the loop's turn; then a reference */
    size_t expected, done;
    bool asking; /* still: then it is not whole */

    /* For the user. */
    sio_message whole, counted;
    size_t got;
    sio_buf answers;
} sio_inquiry_part;

/* On the part's loop. */
typedef struct sio_inquiry_user {
    /* All have been asked: `expected` is final.  May be NULL. */
    void (*counted)(sio_inquiry_part *part);

    /* One has answered. */
    void (*answered)(sio_inquiry_part *part, const sio_event *answer);

    /* Nobody of this loop will answer any more.  The part's reference is the
     * user's from now on.  `at_home`: this is where the answers are wanted, and
     * the call that asks has returned. */
    void (*whole)(sio_inquiry_part *part, bool at_home);

    void (*free)(sio_inquiry *inquiry);
} sio_inquiry_user;

/* The first member of what a user needs to know, which is `size` bytes with the
 * parts behind them. */
struct sio_inquiry {
    atomic_uint refs;
    const sio_inquiry_user *user;
    sio_loop *home; /* of who asks, or the first */
    unsigned loops; /* as many as there are parts */
    sio_inquiry_part *parts;
};

/* With one reference.  NULL when out of memory. */
void *sio_inquiry_new(size_t size, const sio_core *core,
                      const sio_inquiry_user *user);

void sio_inquiry_ref(sio_inquiry *inquiry);
void sio_inquiry_unref(sio_inquiry *inquiry);

/*
 * Asks the recipients of `b`.  Takes the reference.
 *
 * Fails as sio_broadcast_emit_ack(), having asked nobody.
 */
sio_error sio_inquiry_send(sio_inquiry *inquiry, const sio_broadcast *b,
                           const char *event, const sio_args *args,
                           uint32_t timeout_ms);

/* Posts a message home.  Fails with CLOSED. */
static inline sio_error sio_inquiry_post_home(const sio_inquiry *inquiry,
                                              sio_message *message)
{
    return sio_inbox_post(inquiry->home->engine->inbox, message);
}

#endif
