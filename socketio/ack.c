#include <stdlib.h>

#include "socketio/core.h"

/*
 * Acks that are awaited stand in an array by rising id, as ids only rise.
 * Answers mostly come in that order, so the first is mostly the one that is
 * looked for; any other is found by bisection.  One that is done leaves a gap,
 * which is closed when the array would have to grow.
 */

static sio_wheel *wheel_of(const sio_socket *socket)
{
    return sio_socket_engine(socket)->wheel;
}

/* The place of the one with `id`, or the number of places. */
static uint32_t find(const sio_socket *socket, uint64_t id)
{
    uint32_t low = socket->ack_first, high = socket->ack_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (socket->acks[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < socket->ack_count && socket->acks[low].id == id &&
                   socket->acks[low].pending != NULL
               ? low
               : socket->ack_count;
}

static void close_gaps(sio_socket *socket)
{
    uint32_t to = 0;
    for (uint32_t i = socket->ack_first; i < socket->ack_count; i++) {
        if (socket->acks[i].pending != NULL) {
            socket->acks[to++] = socket->acks[i];
        }
    }
    socket->ack_first = 0;
    socket->ack_count = to;
}

static sio_error make_room(sio_socket *socket)
{
    if (socket->ack_count < socket->ack_cap) {
        return SIO_OK;
    }
    close_gaps(socket);
    if (socket->ack_count < socket->ack_cap / 2) {
        return SIO_OK;
    }
    uint32_t cap = socket->ack_cap == 0 ? 4 : socket->ack_cap * 2;
    sio_ack_slot *acks = realloc(socket->acks, cap * sizeof(*acks));
    if (acks == NULL) {
        return socket->ack_count < socket->ack_cap ? SIO_OK : SIO_ERR_NO_MEMORY;
    }
    socket->acks = acks;
    socket->ack_cap = cap;
    return SIO_OK;
}

/* Takes the one at `at` out of the array and gives it. */
static sio_pending *take(sio_socket *socket, uint32_t at)
{
    sio_pending *pending = socket->acks[at].pending;
    socket->acks[at].pending = NULL;
    while (socket->ack_first < socket->ack_count &&
           socket->acks[socket->ack_first].pending == NULL) {
        socket->ack_first++;
    }
    if (socket->ack_first == socket->ack_count) {
        socket->ack_first = socket->ack_count = 0;
    }
    sio_wheel_cancel(wheel_of(socket), &pending->timer);
    return pending;
}

static void finish(sio_pending *pending, sio_error err, sio_event *answer)
{
    sio_socket *socket = sio_socket_ref(pending->socket);
    pending->fn(socket, err, answer, pending->arg);
    free(pending);
    sio_socket_unref(socket);
}

static void on_timer(sio_timer *timer)
{
    sio_pending *pending = SIO_OWNER(timer, sio_pending, timer);
    uint32_t at = find(pending->socket, pending->id);
    finish(take(pending->socket, at), SIO_ERR_TIMEOUT, NULL);
}

sio_error sio_ack_expect(sio_socket *socket, uint64_t id, uint32_t timeout_ms,
                         sio_ack_fn *fn, void *arg)
{
    sio_error err = make_room(socket);
    sio_pending *pending = err == SIO_OK ? calloc(1, sizeof(*pending)) : NULL;
    if (pending == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    pending->id = id;
    pending->socket = socket;
    pending->fn = fn;
    pending->arg = arg;
    pending->timer.fire = on_timer;
    /* By rising id: mostly the last, but ids of other loops come in between. */
    uint32_t at = socket->ack_count++;
    for (; at > socket->ack_first && socket->acks[at - 1].id > id; at--) {
        socket->acks[at] = socket->acks[at - 1];
    }
    socket->acks[at] = (sio_ack_slot){id, pending};
    if (timeout_ms != 0) {
        sio_wheel_arm(wheel_of(socket), &pending->timer,
                      eio_now(sio_socket_engine(socket)) + timeout_ms);
    }
    return SIO_OK;
}

void sio_ack_forget(sio_socket *socket, uint64_t id)
{
    uint32_t at = find(socket, id);
    if (at != socket->ack_count) {
        free(take(socket, at));
    }
}

void sio_ack_arrive(sio_socket *socket, const sio_packet *packet,
                    const sio_binary *binaries)
{
    uint32_t at = packet->has_id ? find(socket, packet->id) : socket->ack_count;
    if (at == socket->ack_count) {
        return; /* late, or never asked for */
    }
    sio_event answer;
    sio_event_init(&answer, socket, packet, binaries);
    answer.wants_ack = false;
    finish(take(socket, at), SIO_OK, &answer);
    sio_event_deinit(&answer);
}

void sio_ack_fail_all(sio_socket *socket)
{
    while (socket->ack_first < socket->ack_count) {
        finish(take(socket, socket->ack_first), SIO_ERR_CLOSED, NULL);
    }
}
