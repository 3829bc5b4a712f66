#include "base/wheel.h"

#define DIGIT_BITS 6

/* The time at which `slot` of `level` begins, as long as it is in use: its
 * timers agree with `now` in all digits above. */
static uint64_t slot_start(const sio_wheel *wheel, unsigned level,
                           unsigned slot)
{
    unsigned shift = level * DIGIT_BITS;
    /* At the top level the shift leaves 0, and `low` is everything. */
    uint64_t low = ((uint64_t)SIO_WHEEL_SLOTS << shift) - 1;
    return (wheel->now & ~low) | (uint64_t)slot << shift;
}

static void place(sio_wheel *wheel, sio_timer *timer)
{
    uint64_t differ = timer->deadline ^ wheel->now;
    unsigned top = 63 - (unsigned)__builtin_clzll(differ | 1);
    unsigned level = top / DIGIT_BITS;
    unsigned slot =
        (unsigned)(timer->deadline >> level * DIGIT_BITS) % SIO_WHEEL_SLOTS;

    sio_link *head = &wheel->slots[level][slot];
    uint64_t bit = UINT64_C(1) << slot;
    if ((wheel->used[level] & bit) == 0) {
        wheel->used[level] |= bit;
        sio_list_init(head);
    }
    sio_list_append(head, &timer->link);
}

/* Notes that the list at `head` has become empty, if `head` is of the wheel
 * and not that of an advance under way. */
static void release(sio_wheel *wheel, const sio_link *head)
{
    uintptr_t first = (uintptr_t)&wheel->slots[0][0];
    uintptr_t offset = (uintptr_t)head - first; /* huge if below */
    if (offset < sizeof(wheel->slots)) {
        size_t index = offset / sizeof(*head);
        wheel->used[index / SIO_WHEEL_SLOTS] &=
            ~(UINT64_C(1) << index % SIO_WHEEL_SLOTS);
    }
}

/* Names the slot in use that begins first. */
static bool first_slot(const sio_wheel *wheel, unsigned *level, unsigned *slot)
{
    for (unsigned i = 0; i < SIO_WHEEL_LEVELS; i++) {
        if (wheel->used[i] != 0) {
            *level = i;
            *slot = (unsigned)__builtin_ctzll(wheel->used[i]);
            return true;
        }
    }
    return false;
}

void sio_wheel_init(sio_wheel *wheel, uint64_t now)
{
    wheel->now = now;
    for (unsigned i = 0; i < SIO_WHEEL_LEVELS; i++) {
        wheel->used[i] = 0;
    }
}

void sio_wheel_arm(sio_wheel *wheel, sio_timer *timer, uint64_t deadline)
{
    sio_wheel_cancel(wheel, timer);
    timer->deadline = deadline < wheel->now ? wheel->now : deadline;
    place(wheel, timer);
}

void sio_wheel_cancel(sio_wheel *wheel, sio_timer *timer)
{
    if (!sio_timer_armed(timer)) {
        return;
    }
    /* In a ring of two, the other one is the head. */
    if (timer->link.next == timer->link.prev) {
        release(wheel, timer->link.next);
    }
    sio_link_drop(&timer->link);
}

/* Empties the slot, whose time has come.  From level 0 its timers go to the end
 * of `due`, from elsewhere to lower levels, in order: what is armed later for
 * the same time is placed later. */
static void open_slot(sio_wheel *wheel, unsigned level, unsigned slot,
                      sio_link *due)
{
    sio_link *head = &wheel->slots[level][slot];
    wheel->used[level] &= ~(UINT64_C(1) << slot);

    if (level == 0) {
        head->next->prev = due->prev;
        due->prev->next = head->next;
        head->prev->next = due;
        due->prev = head->prev;
        return;
    }
    while (!sio_list_empty(head)) {
        sio_timer *timer = SIO_OWNER(head->next, sio_timer, link);
        sio_link_drop(&timer->link);
        place(wheel, timer);
    }
}

void sio_wheel_advance(sio_wheel *wheel, uint64_t now)
{
    if (now < wheel->now) {
        now = wheel->now;
    }
    sio_link due;
    sio_list_init(&due);

    unsigned level, slot;
    while (first_slot(wheel, &level, &slot)) {
        uint64_t start = slot_start(wheel, level, slot);
        if (start > now) {
            break;
        }
        wheel->now = start;
        open_slot(wheel, level, slot, &due);
    }
    wheel->now = now;

    while (!sio_list_empty(&due)) {
        sio_timer *timer = SIO_OWNER(due.next, sio_timer, link);
        sio_link_drop(&timer->link);
        timer->fire(timer);
    }
}

bool sio_wheel_next(const sio_wheel *wheel, uint64_t *when)
{
    unsigned level, slot;
    if (!first_slot(wheel, &level, &slot)) {
        return false;
    }
    *when = slot_start(wheel, level, slot);
    return true;
}
