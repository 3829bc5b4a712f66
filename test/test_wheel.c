#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/wheel.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A small generator (xorshift), so that every run is the same. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/*
 * The model: what is armed, for when, and in which order it was armed.  Each
 * firing is compared with the one that a search over all timers would choose.
 */
#define TIMERS 40

typedef struct model model;

typedef struct subject {
    sio_timer timer;
    model *model;
    bool armed;
    uint64_t deadline;
    uint64_t order;
} subject;

struct model {
    sio_wheel wheel;
    subject subjects[TIMERS];
    uint64_t random;
    uint64_t now;
    uint64_t order;       /* of the next arming */
    uint64_t round_order; /* armings from here on are for later advances */
    bool advancing;
    bool meddling; /* callbacks arm and cancel */
    size_t fired;
};

static bool is_earlier(const subject *a, const subject *b)
{
    return a->deadline != b->deadline ? a->deadline < b->deadline
                                      : a->order < b->order;
}

static subject *first_armed(model *m)
{
    subject *first = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        subject *s = &m->subjects[i];
        if (s->armed && (first == NULL || is_earlier(s, first))) {
            first = s;
        }
    }
    return first;
}

/* The one that the advance under way has to fire next, or NULL. */
static subject *first_due(model *m)
{
    subject *first = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        subject *s = &m->subjects[i];
        if (s->armed && s->deadline <= m->now && s->order < m->round_order &&
            (first == NULL || is_earlier(s, first))) {
            first = s;
        }
    }
    return first;
}

static void arm(model *m, subject *s, uint64_t deadline)
{
    sio_wheel_arm(&m->wheel, &s->timer, deadline);
    s->armed = true;
    s->deadline = deadline < m->now ? m->now : deadline;
    s->order = m->order++;
    assert_true(sio_timer_armed(&s->timer));
    assert_true(s->timer.deadline == s->deadline);
}

static void cancel(model *m, subject *s)
{
    sio_wheel_cancel(&m->wheel, &s->timer);
    s->armed = false;
    assert_false(sio_timer_armed(&s->timer));
}

/* A time near `now`, near the borders of some level, or anywhere. */
static uint64_t choose_deadline(model *m)
{
    uint64_t r = next_random(&m->random);
    uint64_t span = UINT64_C(1) << r % 40;
    uint64_t delta = next_random(&m->random) % span;
    switch (r >> 40 & 7) {
    case 0:
        return m->now - delta % (m->now + 1);
    case 1:
        return m->now + span - 1;
    case 2:
        return m->now + span;
    case 3:
        return (m->now | (span - 1)) + (r >> 50 & 3) - 1;
    case 4:
        return m->now + delta % 64;
    default:
        return m->now + delta;
    }
}

static void meddle(model *m)
{
    uint64_t r = next_random(&m->random);
    subject *s = &m->subjects[r % TIMERS];
    if ((r >> 32 & 3) == 0) {
        cancel(m, s);
    } else {
        arm(m, s, choose_deadline(m));
    }
}

static void on_fire(sio_timer *timer)
{
    subject *s = SIO_OWNER(timer, subject, timer);
    model *m = s->model;
    assert_true(m->advancing);
    assert_ptr_equal(s, first_due(m));
    assert_false(sio_timer_armed(timer));
    s->armed = false;
    m->fired++;
    if (m->meddling) {
        uint64_t r = next_random(&m->random);
        if ((r & 3) == 0) {
            arm(m, s, m->now - m->now % 3); /* itself, for now or the past */
        }
        for (uint64_t i = 0; i < (r >> 8 & 3); i++) {
            meddle(m);
        }
    }
}

static void advance(model *m, uint64_t now)
{
    m->round_order = m->order;
    m->now = now > m->now ? now : m->now;
    m->advancing = true;
    sio_wheel_advance(&m->wheel, now);
    m->advancing = false;
    assert_true(m->wheel.now == m->now);
    assert_null(first_due(m));
}

static void check_next(model *m)
{
    subject *first = first_armed(m);
    uint64_t when = 12345;
    if (first == NULL) {
        assert_false(sio_wheel_next(&m->wheel, &when));
        assert_true(when == 12345);
        return;
    }
    assert_true(sio_wheel_next(&m->wheel, &when));
    assert_true(when >= m->now && when <= first->deadline);
    if (first->deadline / 64 == m->now / 64) {
        assert_true(when == first->deadline);
    } else {
        assert_true(when > m->now);
    }
}

static uint64_t choose_time(model *m)
{
    uint64_t r = next_random(&m->random);
    uint64_t when = m->now;
    switch (r >> 40 & 7) {
    case 0:
        return m->now;
    case 1:
        return m->now - r % 100 % (m->now + 1);
    case 2:
        return m->now + (UINT64_C(1) << r % 36);
    case 3:
        return m->now + r % (12 * 3600 * 1000);
    case 4:
    case 5:
        (void)sio_wheel_next(&m->wheel, &when);
        return when;
    default:
        return m->now + r % 70;
    }
}

static void start_model(model *m, uint64_t now, uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    m->now = now;
    m->random = seed;
    sio_wheel_init(&m->wheel, now);
    for (size_t i = 0; i < TIMERS; i++) {
        m->subjects[i].model = m;
        m->subjects[i].timer.fire = on_fire;
    }
}

static void test_random_schedules(void **state)
{
    (void)state;
    static const uint64_t starts[] = {0,
                                      1,
                                      63,
                                      64,
                                      4095,
                                      UINT64_C(1) << 32,
                                      1700000000000,
                                      (UINT64_C(1) << 36) - 5,
                                      (UINT64_C(1) << 60) - 1000};
    model *m = malloc(sizeof(*m));
    for (uint64_t seed = 1; seed <= 300; seed++) {
        start_model(m, starts[seed % COUNT(starts)], seed * 0x9e3779b97f4a7c15);
        m->meddling = seed % 2 == 0;
        for (size_t i = 0; i < 300; i++) {
            for (uint64_t n = next_random(&m->random) % 6; n > 0; n--) {
                meddle(m);
            }
            check_next(m);
            advance(m, choose_time(m));
            check_next(m);
        }
        assert_true(m->fired > 100);
        m->meddling = false;
        advance(m, UINT64_MAX);
        assert_null(first_armed(m));
        assert_false(sio_wheel_next(&m->wheel, &m->now));
    }
    free(m);
}

/* For each level: a lone timer at each kind of distance, from each kind of
 * present, fires at its time, not one before, and within a few wake-ups. */
static void check_alone(model *m, uint64_t now, uint64_t deadline)
{
    if (deadline < now) { /* wrapped around */
        return;
    }
    for (int stepwise = 0; stepwise < 2; stepwise++) {
        start_model(m, now, 1);
        arm(m, &m->subjects[0], deadline);
        check_next(m);
        unsigned steps = 0;
        uint64_t when;
        while (stepwise && sio_wheel_next(&m->wheel, &when) &&
               when < deadline) {
            advance(m, when);
            steps++;
        }
        assert_true(steps < SIO_WHEEL_LEVELS);
        if (deadline > now) {
            advance(m, deadline - 1);
            assert_int_equal(m->fired, 0);
            assert_true(sio_wheel_next(&m->wheel, &when) && when == deadline);
        }
        advance(m, deadline);
        assert_int_equal(m->fired, 1);
        assert_false(sio_wheel_next(&m->wheel, &when));
    }
}

static void test_level_borders(void **state)
{
    (void)state;
    model *m = malloc(sizeof(*m));
    for (unsigned level = 0; level < SIO_WHEEL_LEVELS; level++) {
        uint64_t unit = UINT64_C(1) << 6 * level;
        uint64_t nows[] = {0,         1,        unit - 1,
                           unit,      unit + 1, 63 * unit,
                           64 * unit, ~unit,    UINT64_MAX - 63 * unit,
                           UINT64_MAX};
        uint64_t spans[] = {0,         1,         unit - 1,      unit,
                            unit + 1,  2 * unit,  63 * unit - 1, 63 * unit,
                            64 * unit, 65 * unit, 64 * unit - 1, UINT64_MAX};
        for (size_t i = 0; i < COUNT(nows); i++) {
            for (size_t j = 0; j < COUNT(spans); j++) {
                check_alone(m, nows[i], nows[i] + spans[j]);
            }
            check_alone(m, nows[i], UINT64_MAX);
        }
    }
    free(m);
}

/* Equal deadlines keep the order of arming although they were armed from
 * different distances, and so waited at different levels. */
static void test_order_across_levels(void **state)
{
    (void)state;
    model *m = malloc(sizeof(*m));
    start_model(m, 0, 1);
    const uint64_t deadline = 1000000;
    for (size_t i = 0; i < 20; i++) {
        arm(m, &m->subjects[19 - i], deadline);
        advance(m, m->now + (deadline - m->now) / 2);
    }
    assert_int_equal(m->fired, 0);
    advance(m, deadline);
    assert_int_equal(m->fired, 20);
    free(m);
}

/* One timer that always comes back at once must not hold an advance. */
typedef struct eager {
    sio_timer timer;
    sio_wheel *wheel;
    unsigned fired;
    sio_timer *victim;
} eager;

static void fire_eager(sio_timer *timer)
{
    eager *e = SIO_OWNER(timer, eager, timer);
    e->fired++;
    sio_wheel_arm(e->wheel, timer, 0);
    if (e->victim != NULL) {
        sio_wheel_cancel(e->wheel, e->victim);
    }
}

static void fire_never(sio_timer *timer)
{
    (void)timer;
    fail();
}

static void test_callbacks(void **state)
{
    (void)state;
    sio_wheel *wheel = malloc(sizeof(*wheel));
    sio_wheel_init(wheel, 100);
    sio_timer victim = {.fire = fire_never};
    eager e = {.timer = {.fire = fire_eager}, .wheel = wheel};
    e.victim = &victim;

    sio_wheel_arm(wheel, &e.timer, 5); /* past: the next advance */
    assert_int_equal(e.fired, 0);
    uint64_t when = 0;
    assert_true(sio_wheel_next(wheel, &when) && when == 100);
    sio_wheel_advance(wheel, 50); /* backwards: still 100 */
    assert_int_equal(e.fired, 1);
    assert_true(wheel->now == 100);

    sio_wheel_arm(wheel, &victim, 100); /* due with it, cancelled by it */
    sio_wheel_advance(wheel, 100);
    assert_int_equal(e.fired, 2);
    assert_false(sio_timer_armed(&victim));

    sio_wheel_arm(wheel, &victim, 101);
    sio_wheel_cancel(wheel, &e.timer);
    sio_wheel_cancel(wheel, &e.timer);
    sio_wheel_cancel(wheel, &victim);
    assert_false(sio_wheel_next(wheel, &when));
    sio_wheel_advance(wheel, UINT64_MAX);
    assert_int_equal(e.fired, 2);
    free(wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_schedules),
        cmocka_unit_test(test_level_borders),
        cmocka_unit_test(test_order_across_levels),
        cmocka_unit_test(test_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
