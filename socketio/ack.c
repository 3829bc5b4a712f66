#include <stdlib.h>

#include "socketio/events.h"

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

/* The place of the one with `id`, or NULL. */
static sio_ack_slot *find(const sio_socket *socket, uint64_t id)
{
    sio_acks *acks = socket->acks;
    if (acks == NULL) {
        return NULL;
    }
    uint32_t low = acks->first, high = acks->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (acks->slots[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    sio_ack_slot *slot = &acks->slots[low];
    return low < acks->count && slot->id == id && slot->pending != NULL ? slot
                                                                        : NULL;
}

static void close_gaps(sio_acks *acks)
{
    uint32_t to = 0;
    for (uint32_t i = acks->first; i < acks->count; i++) {
        if (acks->slots[i].pending != NULL) {
            acks->slots[to++] = acks->slots[i];
        }
    }
    acks->first = 0;
    acks->count = to;
}

static sio_error make_room(sio_socket *socket)
{
    sio_acks *acks = socket->acks;
    if (acks != NULL) {
        if (acks->count < acks->cap) {
            return SIO_OK;
        }
        close_gaps(acks);
        if (acks->count < acks->cap / 2) {
            return SIO_OK;
        }
    }
    uint32_t cap = acks == NULL ? 4 : acks->cap * 2;
    sio_acks *more =
        realloc(acks, sizeof(*acks) + cap * sizeof(acks->slots[0]));
    if (more == NULL) {
        return acks != NULL && acks->count < acks->cap ? SIO_OK
                                                       : SIO_ERR_NO_MEMORY;
    }
    if (acks == NULL) {
        more->first = more->count = more->live = 0;
    }
    more->cap = cap;
    socket->acks = more;
    return SIO_OK;
}

/* Takes the one in `slot` out of the list and gives it. */
static sio_pending *take(sio_socket *socket, sio_ack_slot *slot)
{
    sio_acks *acks = socket->acks;
    sio_pending *pending = slot->pending;
    slot->pending = NULL;
    acks->live--;
    while (acks->first < acks->count &&
           acks->slots[acks->first].pending == NULL) {
        acks->first++;
    }
    if (acks->first == acks->count) {
        acks->first = acks->count = 0;
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
    sio_ack_slot *slot = find(pending->socket, pending->id);
    finish(take(pending->socket, slot), SIO_ERR_TIMEOUT, NULL);
}

sio_error sio_ack_expect(sio_socket *socket, uint64_t id, uint32_t timeout_ms,
                         sio_ack_fn *fn, void *arg)
{
    if (socket->acks != NULL &&
        socket->acks->live >= socket->nsp->core->max_acks) {
        sio_limit_tell(socket->client, SIO_COUNTER_LIMITED_ACKS, "socket_acks",
                       "acks awaited from a socket",
                       socket->nsp->core->max_acks,
                       &socket->local->loop->acks_next);
        return SIO_ERR_LIMIT;
    }
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
    sio_acks *acks = socket->acks;
    uint32_t at = acks->count++;
    for (; at > acks->first && acks->slots[at - 1].id > id; at--) {
        acks->slots[at] = acks->slots[at - 1];
    }
    acks->slots[at] = (sio_ack_slot){id, pending};
    acks->live++;
    if (timeout_ms != 0) {
        sio_wheel_arm(wheel_of(socket), &pending->timer,
                      eio_now(sio_socket_engine(socket)) + timeout_ms);
    }
    return SIO_OK;
}

void sio_ack_forget(sio_socket *socket, uint64_t id)
{
    sio_ack_slot *slot = find(socket, id);
    if (slot != NULL) {
        free(take(socket, slot));
    }
}

void sio_ack_arrive(sio_socket *socket, const sio_packet *packet,
                    const sio_binary *binaries)
{
    sio_ack_slot *slot = packet->has_id ? find(socket, packet->id) : NULL;
    if (slot == NULL) {
        return; /* late, or never asked for */
    }
    sio_event answer;
    sio_event_init(&answer, socket, packet, binaries);
    answer.wants_ack = false;
    finish(take(socket, slot), SIO_OK, &answer);
    sio_event_deinit(&answer);
}

void sio_ack_fail_all(sio_socket *socket)
{
    sio_acks *acks;
    while ((acks = socket->acks) != NULL && acks->first < acks->count) {
        finish(take(socket, &acks->slots[acks->first]), SIO_ERR_CLOSED, NULL);
    }
}
