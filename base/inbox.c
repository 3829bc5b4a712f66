#include "base/inbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * `newest` is a stack on which senders push and from which the owner takes all
 * at once.  A push releases and the taking acquires, so what a sender wrote
 * into its message before posting is seen by `run`.  A push in between does
 * not break that: it is a read-modify-write and continues the release sequence
 * of the pushes below it.
 *
 * Only the sender that finds the stack empty wakes the owner.  The owner clears
 * the descriptor first and takes the stack afterwards.  A message that comes
 * after the taking therefore finds the stack empty and wakes again; one that
 * comes before it is taken.  The worst case is a wake-up for nothing.
 */

/* In `newest`: no more messages.  Never a message's address. */
#define SHUT ((sio_message *)(uintptr_t)1)

sio_error sio_inbox_init(sio_inbox *box)
{
    sio_owner_take(&box->owner);
    atomic_init(&box->newest, NULL);
    box->rest = NULL;
    box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return box->fd < 0 ? SIO_ERR_IO : SIO_OK;
}

/* Adds one to the counter, which cannot reach its limit of 2^64 - 2. */
static void wake(int fd)
{
    const uint64_t one = 1;
    ssize_t n;
    do {
        n = write(fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

static void clear_wake(int fd)
{
    uint64_t counter;
    ssize_t n;
    do {
        n = read(fd, &counter, sizeof(counter));
    } while (n < 0 && errno == EINTR);
}

sio_error sio_inbox_post(sio_inbox *box, sio_message *msg)
{
    sio_message *top = atomic_load_explicit(&box->newest, memory_order_relaxed);
    do {
        if (top == SHUT) {
            return SIO_ERR_CLOSED;
        }
        msg->next = top;
    } while (!atomic_compare_exchange_weak_explicit(
        &box->newest, &top, msg, memory_order_release, memory_order_relaxed));
    /* `msg` may have run and be gone by now. */
    if (top == NULL) {
        wake(box->fd);
    }
    return SIO_OK;
}

/* Turns a stack into a list, oldest first. */
static sio_message *reverse(sio_message *stack)
{
    sio_message *list = NULL;
    while (stack != NULL) {
        sio_message *next = stack->next;
        stack->next = list;
        list = stack;
        stack = next;
    }
    return list;
}

/* All that waits, oldest first.  Of `newest` and `rest`, one is always without
 * messages: the closing moves them over. */
static sio_message *take(sio_inbox *box)
{
    if (atomic_load_explicit(&box->newest, memory_order_relaxed) == SHUT) {
        sio_message *list = box->rest;
        box->rest = NULL;
        return list;
    }
    return reverse(
        atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire));
}

size_t sio_inbox_drain(sio_inbox *box)
{
    size_t count = 0;
    clear_wake(box->fd);
    sio_message *msg = take(box);
    while (msg != NULL) {
        sio_message *next = msg->next;
        msg->run(msg);
        msg = next;
        count++;
    }
    return count;
}

bool sio_inbox_closed(const sio_inbox *box)
{
    return atomic_load_explicit(&box->newest, memory_order_relaxed) == SHUT;
}

void sio_inbox_close(sio_inbox *box)
{
    if (sio_inbox_closed(box)) {
        return;
    }
    box->rest = reverse(
        atomic_exchange_explicit(&box->newest, SHUT, memory_order_acquire));
}

void sio_inbox_reopen(sio_inbox *box)
{
    if (sio_inbox_closed(box)) {
        (void)sio_inbox_drain(box);
        atomic_store_explicit(&box->newest, NULL, memory_order_relaxed);
    }
}

void sio_inbox_deinit(sio_inbox *box)
{
    sio_inbox_close(box);
    sio_message *msg = take(box);
    while (msg != NULL) {
        sio_message *next = msg->next;
        if (msg->drop != NULL) {
            msg->drop(msg);
        }
        msg = next;
    }
    if (box->fd >= 0) {
        close(box->fd);
        box->fd = -1;
    }
}
