#ifndef SIO_BASE_WHEEL_H
#define SIO_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/*
 * A timing wheel: arming and cancelling cost the same however many timers
 * there are, nothing is allocated, and a timer fires at the first advance
 * that reaches its deadline, never before.  All times are in milliseconds on
 * one monotonic clock of the caller's choosing.  One thread per wheel.
 *
 * How it works: a time is a number of eleven digits of six bits.  A timer
 * waits at the level of the highest digit in which its deadline differs from
 * `now`, in the slot named by that digit.  So every timer of a level is due
 * before any timer of a level above, and the lowest slot in use of the lowest
 * level in use is next.  When `now` reaches the start of a slot above level
 * 0, the slot's timers move to the levels below.  Empty slots are skipped by
 * bitmap, so a long jump costs no more than the timers it meets.
 */
#define SIO_WHEEL_LEVELS 11
#define SIO_WHEEL_SLOTS 64

/*
 * A timer inside the object it serves, which may be freed only while the timer
 * is not armed.  Zero it and set `fire`.  The wheel holds, but does not own,
 * an armed timer.
 */
typedef struct sio_timer {
    sio_link link;
    uint64_t deadline; /* meaningful while armed */
    void (*fire)(struct sio_timer *self);
} sio_timer;

/* A head in `slots` is initialised if, and only if, its bit in `used` is set,
 * and then its list is not empty. */
typedef struct sio_wheel {
    uint64_t now; /* the time of the latest advance */
    uint64_t used[SIO_WHEEL_LEVELS];
    sio_link slots[SIO_WHEEL_LEVELS][SIO_WHEEL_SLOTS];
} sio_wheel;

/* Makes an empty wheel that stands at `now`.  It is not moved afterwards, and
 * needs no deinit: drop or cancel the timers and free it. */
void sio_wheel_init(sio_wheel *wheel, uint64_t now);

/*
 * Arms `timer`, or moves it if it is armed already.  A deadline that is
 * already past counts as the present; such a timer fires at the next advance,
 * not here, and not in the advance whose callback arms it.
 */
void sio_wheel_arm(sio_wheel *wheel, sio_timer *timer, uint64_t deadline);

/* Disarms `timer`, if it is armed. */
void sio_wheel_cancel(sio_wheel *wheel, sio_timer *timer);

static inline bool sio_timer_armed(const sio_timer *timer)
{
    return sio_link_used(&timer->link);
}

/*
 * Moves the wheel to `now` and fires what is due: earlier deadlines first,
 * equal ones in the order of arming.  A time before the latest one counts as
 * the latest one.
 *
 * A timer is disarmed when its `fire` is called, and all that is due has left
 * the wheel before the first call.  A callback may arm and cancel any timer,
 * including itself and others that are due, and may free the object of any
 * timer that is not armed.  It must not advance the wheel.
 */
void sio_wheel_advance(sio_wheel *wheel, uint64_t now);

/*
 * Sets `*when` to a time to advance at, or returns false, leaving it alone,
 * when no timer is armed.  No timer is due before `*when`; at `*when` one is
 * due, or the wheel gets nearer to knowing: at most ten such wake-ups pass
 * before the earliest timer fires.  Within the present 64 ms it is exact.
 */
bool sio_wheel_next(const sio_wheel *wheel, uint64_t *when);

#endif
