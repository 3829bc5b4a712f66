#include "socketio/core.h"

/* More bytes than this are not kept waiting, nor copied for a burst. */
#define BATCH_BYTES ((size_t)32 * 1024)

/* `caught_up` of a socket: the batch's number, and how many of its items the
 * socket has been sent. */
#define COUNT_BITS 8
_Static_assert(SIO_BATCH_MAX < 1 << COUNT_BITS, "the count has to fit");

static unsigned seen_by(const sio_batch *batch, const sio_socket *socket)
{
    return socket->caught_up >> COUNT_BITS == batch->number
               ? (unsigned)(socket->caught_up & ((1 << COUNT_BITS) - 1))
               : 0;
}

static void send_burst(eio_burst *burst, sio_socket *socket)
{
    if (socket->client != NULL && socket->client->session != NULL) {
        /* What fails costs that socket. */
        (void)eio_session_send_burst(socket->client->session, burst);
    }
}

static void send_items(const sio_batch *batch, unsigned from,
                       sio_socket *socket)
{
    if (batch->newest != 0 && from < batch->count) {
        socket->newest = batch->newest;
    }
    if (socket->client != NULL && socket->client->session != NULL) {
        /* What fails costs that socket. */
        (void)eio_session_send_each(socket->client->session,
                                    batch->items + from, batch->count - from);
    }
}

static void visit(const sio_batch *batch, eio_burst *burst, sio_socket *socket)
{
    unsigned seen = seen_by(batch, socket);
    if (socket->state != SIO_SOCKET_CONNECTED) {
        return;
    }
    if (seen == 0) {
        if (batch->newest != 0) {
            socket->newest = batch->newest;
        }
        send_burst(burst, socket);
    } else {
        send_items(batch, seen, socket);
    }
}

/*
 * The recipients, several at a time: while one is sent to, what the next ones
 * need is fetched, step by step, as each thing only tells where the next is.
 * With many clients hardly any of it is in the cache.
 */
typedef struct queue {
    const sio_batch *batch;
    eio_burst *burst;
    sio_socket *next[4]; /* NULL where there is none */
} queue;

static const eio_session *session_of(const sio_socket *socket)
{
    const sio_client *client = socket == NULL ? NULL : socket->client;
    return client == NULL ? NULL : client->session;
}

static void fetch(const queue *q)
{
    const eio_session *far = session_of(q->next[2]);
    const eio_session *near = session_of(q->next[3]);
    if (q->next[0] != NULL) {
        __builtin_prefetch(q->next[0]);
        __builtin_prefetch((const char *)q->next[0] + 64);
    }
    if (q->next[1] != NULL && q->next[1]->client != NULL) {
        __builtin_prefetch((const char *)q->next[1]->client - 56);
        __builtin_prefetch((const char *)q->next[1]->client + 8);
    }
    if (far != NULL) {
        eio_session_fetch_carrier(far);
    }
    if (near != NULL) {
        eio_session_fetch_rest(near);
    }
}

/* Serves the first in the queue, and has `socket`, or nobody, come behind the
 * last. */
static void move_up(queue *q, sio_socket *socket)
{
    if (q->next[3] != NULL) {
        visit(q->batch, q->burst, q->next[3]);
    }
    q->next[3] = q->next[2];
    q->next[2] = q->next[1];
    q->next[1] = q->next[0];
    q->next[0] = socket;
    fetch(q);
}

static void visit_recipients(const sio_batch *batch, eio_burst *burst)
{
    queue q = {batch, burst, {NULL}};
    if (batch->room != NULL) {
        const sio_link *head = &batch->room->seats;
        for (sio_link *at = head->next; at != head; at = at->next) {
            move_up(&q, SIO_OWNER(at, sio_seat, in_room)->socket);
        }
    } else {
        const sio_local *local = batch->local;
        for (uint32_t i = 0; i < local->listed; i++) {
            move_up(&q, local->list[i]);
        }
    }
    for (size_t i = 0; i < sizeof(q.next) / sizeof(q.next[0]); i++) {
        move_up(&q, NULL);
    }
}

static void send_all(sio_loop *loop, bool turn_is_over)
{
    sio_batch *batch = &loop->batch;
    eio_burst burst = {
        .items = batch->items,
        .count = batch->count,
        .bytes = batch->bytes,
        .now = turn_is_over && !atomic_load_explicit(&loop->core->tells_drained,
                                                     memory_order_relaxed),
    };
    visit_recipients(batch, &burst);
    sio_frame_unref(burst.wire[0]);
    sio_frame_unref(burst.wire[1]);
    for (unsigned i = 0; i < batch->count; i++) {
        sio_frame_unref(batch->items[i].frame);
    }
    batch->count = 0;
    batch->bytes = 0;
    batch->newest = 0;
    batch->number++;
    sio_wheel_cancel(loop->engine->wheel, &batch->timer);
}

void sio_batch_send(sio_loop *loop)
{
    send_all(loop, false);
}

static bool is_recipient(const sio_batch *batch, const sio_socket *socket)
{
    return socket->local == batch->local &&
           (batch->room == NULL || sio_room_has(batch->room, socket));
}

static void set_seen(const sio_batch *batch, sio_socket *socket, unsigned count)
{
    socket->caught_up = batch->number << COUNT_BITS | count;
}

void sio_batch_send_to(sio_socket *socket)
{
    const sio_batch *batch = &socket->local->loop->batch;
    unsigned seen = seen_by(batch, socket);
    if (seen < batch->count && socket->state == SIO_SOCKET_CONNECTED &&
        is_recipient(batch, socket)) {
        send_items(batch, seen, socket);
        set_seen(batch, socket, batch->count);
    }
}

static void fire(sio_timer *timer)
{
    send_all(SIO_OWNER(timer, sio_loop, batch.timer), true);
}

static void add(sio_batch *batch, sio_frame *frame, eio_form form)
{
    batch->items[batch->count++] = (eio_burst_item){sio_frame_ref(frame), form};
    batch->bytes += frame->len;
}

bool sio_batch_add(sio_local *local, sio_room *room, const sio_outgoing *out,
                   const sio_socket *except)
{
    sio_loop *loop = local->loop;
    sio_batch *batch = &loop->batch;
    size_t bytes = sio_outgoing_bytes(out), count = 1 + out->binary_count;
    if (batch->local != local || batch->room != room ||
        bytes > BATCH_BYTES - batch->bytes ||
        count > SIO_BATCH_MAX - batch->count) {
        sio_batch_flush(loop);
    }
    if (bytes > BATCH_BYTES || count > SIO_BATCH_MAX) {
        return false;
    }
    sio_socket *left_out = (sio_socket *)(uintptr_t)except;
    bool skips = except != NULL && except->local == local;
    if (batch->count == 0) {
        batch->local = local;
        batch->room = room;
        batch->timer.fire = fire;
        sio_wheel_arm(loop->engine->wheel, &batch->timer,
                      eio_now(loop->engine));
    } else if (skips) {
        sio_batch_send_to(left_out);
    }
    if (out->number != 0) {
        batch->newest = out->number;
    }
    eio_form form = sio_parser_form(loop->core->parser);
    add(batch, out->text, (eio_form)(form | out->form));
    for (size_t i = 0; i < out->binary_count; i++) {
        add(batch, out->binaries[i], (eio_form)(EIO_FORM_BINARY | out->form));
    }
    if (skips) {
        set_seen(batch, left_out, batch->count);
    }
    return true;
}
