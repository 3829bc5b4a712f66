#include <stdlib.h>
#include <string.h>

#include "base/wheel.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define TIMERS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct subject {
    sio_timer timer;
    struct script *script;
    uint64_t order; /* of arming; 0 while not armed */
} subject;

/* The input is a list of steps of four bytes: what, which timer, how far, and
 * by which power of two.  Callbacks take steps too. */
typedef struct script {
    const uint8_t *at, *end;
    sio_wheel wheel;
    subject subjects[TIMERS];
    uint64_t order, round; /* of the next arming; where the advance began */
    bool advancing;
} script;

/* The earliest of the armed timers that were armed before `order`. */
static subject *first_before(script *s, uint64_t order)
{
    subject *first = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        subject *each = &s->subjects[i];
        REQUIRE(sio_timer_armed(&each->timer) == (each->order != 0));
        if (each->order == 0 || each->order >= order) {
            continue;
        }
        if (first == NULL || each->timer.deadline < first->timer.deadline ||
            (each->timer.deadline == first->timer.deadline &&
             each->order < first->order)) {
            first = each;
        }
    }
    return first;
}

static void advance(script *s, uint64_t now)
{
    s->round = s->order;
    s->advancing = true;
    sio_wheel_advance(&s->wheel, now);
    s->advancing = false;
    subject *first = first_before(s, s->round);
    REQUIRE(first == NULL || first->timer.deadline > s->wheel.now);
}

static void step(script *s)
{
    if (s->end - s->at < 4) {
        return;
    }
    unsigned what = s->at[0] % 8;
    subject *subject = &s->subjects[s->at[1] % TIMERS];
    uint64_t delta = (uint64_t)s->at[2] << s->at[3] % 64;
    uint64_t target = s->wheel.now + delta;
    uint64_t when;
    s->at += 4;

    if (what < 4) {
        target -= what == 0 ? 1 : 0;
        sio_wheel_arm(&s->wheel, &subject->timer, target);
        subject->order = s->order++;
        REQUIRE(subject->timer.deadline >= target);
        REQUIRE(subject->timer.deadline >= s->wheel.now);
    } else if (what == 4) {
        sio_wheel_cancel(&s->wheel, &subject->timer);
        subject->order = 0;
    } else if (!s->advancing && what == 5) {
        advance(s, target);
    } else if (!s->advancing && sio_wheel_next(&s->wheel, &when)) {
        advance(s, when - (what == 6 ? 1 : 0));
    }
}

static void on_fire(sio_timer *timer)
{
    subject *subject = SIO_OWNER(timer, struct subject, timer);
    script *s = subject->script;
    REQUIRE(!sio_timer_armed(timer));
    REQUIRE(timer->deadline <= s->wheel.now);
    uint64_t order = subject->order;
    subject->order = 0;
    subject = first_before(s, s->round);
    REQUIRE(order != 0 && order < s->round);
    REQUIRE(
        subject == NULL || timer->deadline < subject->timer.deadline ||
        (timer->deadline == subject->timer.deadline && order < subject->order));
    step(s);
}

/*
 * Plays a script against the wheel and a search over all timers.  Timers fire
 * in the order of deadline and arming, never early, and none that is due is
 * left; the time of the next one is no later than its deadline, and waking up
 * as told reaches it soon.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static script s; /* 12 KiB */
    memset(&s, 0, sizeof(s));
    s.at = data;
    s.end = data + size;
    s.order = 1;
    for (size_t i = 0; i < TIMERS; i++) {
        s.subjects[i].script = &s;
        s.subjects[i].timer.fire = on_fire;
    }
    uint64_t start = 0;
    if (size >= sizeof(start)) {
        memcpy(&start, data, sizeof(start));
        s.at += sizeof(start);
    }
    sio_wheel_init(&s.wheel, start);

    while (s.end - s.at >= 4) {
        step(&s);
        subject *first = first_before(&s, UINT64_MAX);
        uint64_t when;
        REQUIRE(sio_wheel_next(&s.wheel, &when) == (first != NULL));
        if (first != NULL) {
            REQUIRE(when >= s.wheel.now && when <= first->timer.deadline);
        }
    }
    uint64_t when;
    unsigned steps = 0;
    while (sio_wheel_next(&s.wheel, &when)) {
        advance(&s, when);
        REQUIRE(++steps <= TIMERS * SIO_WHEEL_LEVELS);
    }
    REQUIRE(first_before(&s, UINT64_MAX) == NULL);
    return 0;
}
