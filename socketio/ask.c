#include <stdlib.h>

#include "socketio/adapter_impl.h"
#include "socketio/inquiry.h"

/*
 * A broadcast whose answers are told one by one.  All goes as messages to the
 * loop of whoever asked: of each part, in this order, how many it asks, the
 * answers, and that it is done.  The first of these is told once all parts have
 * sent theirs, answers wait for that.
 */
typedef struct inquest {
    sio_inquiry inquiry;
    const sio_ask_events *events;
    void *arg;

    /* For the thread at home. */
    unsigned uncounted, left; /* parts */
    size_t expected, got;
    sio_link early; /* of note: answers that wait */
} inquest;

/* An answer on its way. */
typedef struct note {
    sio_message message;
    sio_link link;  /* in `early` */
    inquest *whole; /* a reference, until it is home */
    sio_arena arena;
    sio_args args; /* in the arena */
} note;

static void free_note(note *n)
{
    sio_arena_deinit(&n->arena);
    free(n);
}

static note *take_early(inquest *q)
{
    note *n = SIO_OWNER(q->early.next, note, link);
    sio_link_drop(&n->link);
    return n;
}

static void free_inquest(sio_inquiry *inquiry)
{
    inquest *q = SIO_OWNER(inquiry, inquest, inquiry);
    while (!sio_list_empty(&q->early)) {
        free_note(take_early(q));
    }
    free(q);
}

/* ----------------------------------------------------------------- home -- */

static void tell(note *n)
{
    inquest *q = n->whole;
    q->got++;
    q->events->answered(&n->args, q->arg);
    free_note(n);
}

static void answer_home(sio_message *message)
{
    note *n = SIO_OWNER(message, note, message);
    inquest *q = n->whole;
    if (q->uncounted != 0) {
        sio_list_append(&q->early, &n->link);
    } else {
        tell(n);
    }
    sio_inquiry_unref(&q->inquiry); /* its part, which is not done, has one */
}

static void count_home(sio_message *message)
{
    const sio_inquiry_part *p = SIO_OWNER(message, sio_inquiry_part, counted);
    inquest *q = SIO_OWNER(p->inquiry, inquest, inquiry);
    q->expected += p->expected;
    if (--q->uncounted != 0) {
        return;
    }
    q->events->asked(q->expected, q->arg);
    while (!sio_list_empty(&q->early)) {
        tell(take_early(q));
    }
}

static void whole_home(sio_message *message)
{
    const sio_inquiry_part *p = SIO_OWNER(message, sio_inquiry_part, whole);
    inquest *q = SIO_OWNER(p->inquiry, inquest, inquiry);
    if (--q->left == 0) {
        q->events->ended(q->got == q->expected ? SIO_OK : SIO_ERR_TIMEOUT,
                         q->arg);
    }
    sio_inquiry_unref(&q->inquiry);
}

/* The server is being freed, so nobody is told. */
static void drop_note(sio_message *message)
{
    note *n = SIO_OWNER(message, note, message);
    inquest *q = n->whole;
    free_note(n);
    sio_inquiry_unref(&q->inquiry);
}

static void drop_count(sio_message *message)
{
    (void)message;
}

static void drop_whole(sio_message *message)
{
    sio_inquiry_unref(SIO_OWNER(message, sio_inquiry_part, whole)->inquiry);
}

/* ------------------------------------------------------- the part's loop -- */

static void on_counted(sio_inquiry_part *p)
{
    p->counted = (sio_message){.run = count_home, .drop = drop_count};
    (void)sio_inquiry_post_home(p->inquiry, &p->counted);
}

/* What memory is short for counts as not answered. */
static void on_answered(sio_inquiry_part *p, const sio_event *answer)
{
    note *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        return;
    }
    n->message = (sio_message){.run = answer_home, .drop = drop_note};
    n->whole = SIO_OWNER(p->inquiry, inquest, inquiry);
    sio_inquiry_ref(p->inquiry);
    if (sio_args_copy(&n->arena, sio_event_args(answer), &n->args) != SIO_OK ||
        sio_inquiry_post_home(p->inquiry, &n->message) != SIO_OK) {
        drop_note(&n->message);
    }
}

static void on_whole(sio_inquiry_part *p, bool at_home)
{
    (void)at_home; /* it comes behind its answers */
    p->whole = (sio_message){.run = whole_home, .drop = drop_whole};
    if (sio_inquiry_post_home(p->inquiry, &p->whole) != SIO_OK) {
        drop_whole(&p->whole);
    }
}

static const sio_inquiry_user user = {on_counted, on_answered, on_whole,
                                      free_inquest};

sio_error sio_broadcast_ask(sio_broadcast b, const char *event,
                            const sio_args *args, uint32_t timeout_ms,
                            const sio_ask_events *events, void *arg)
{
    inquest *q = timeout_ms == 0
                     ? NULL
                     : sio_inquiry_new(sizeof(*q), b.nsp->core, &user);
    if (q == NULL) {
        return timeout_ms == 0 ? SIO_ERR_ARGUMENT : SIO_ERR_NO_MEMORY;
    }
    q->events = events;
    q->arg = arg;
    q->uncounted = q->left = q->inquiry.loops;
    sio_list_init(&q->early);
    return sio_inquiry_send(&q->inquiry, &b, event, args, timeout_ms);
}
