/* What the test server puts off.  Any thread may ask for it; it happens on the
 * thread of the test server's own loop. */

#include <stdlib.h>

#include "profiles.h"

struct later {
    ev_timer timer;
    LIST_ENTRY(later) link;
    testserver *ts;
    later_fn *fn;
    void *arg;
    uint32_t ms;
};

void later_init(testserver *ts)
{
    LIST_INIT(&ts->laters);
    LIST_INIT(&ts->incoming);
    ts->home = pthread_self();
    pthread_mutex_init(&ts->lock, NULL);
}

void later_deinit(testserver *ts)
{
    pthread_mutex_destroy(&ts->lock);
}

/* Calls and frees `one`, which is in no list any more. */
static void later_fire(later *one)
{
    later_fn *fn = one->fn;
    void *arg = one->arg;
    ev_timer_stop(one->ts->loop, &one->timer);
    free(one);
    fn(arg);
}

static void later_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    later *one = timer->data;
    LIST_REMOVE(one, link);
    later_fire(one);
}

static void start(later *one)
{
    testserver *ts = one->ts;
    ev_timer_init(&one->timer, later_due, (double)one->ms / 1000.0, 0.0);
    one->timer.data = one;
    LIST_INSERT_HEAD(&ts->laters, one, link);
    ev_timer_start(ts->loop, &one->timer);
}

bool later_start(testserver *ts, uint32_t ms, later_fn *fn, void *arg)
{
    later *one = calloc(1, sizeof(*one));
    if (one == NULL) {
        return false;
    }
    one->ts = ts;
    one->fn = fn;
    one->arg = arg;
    one->ms = ms;
    if (ts->stopping) {
        later_fire(one);
    } else if (pthread_equal(pthread_self(), ts->home)) {
        start(one);
    } else {
        pthread_mutex_lock(&ts->lock);
        LIST_INSERT_HEAD(&ts->incoming, one, link);
        pthread_mutex_unlock(&ts->lock);
        ev_async_send(ts->loop, &ts->wake);
    }
    return true;
}

void later_take(testserver *ts)
{
    pthread_mutex_lock(&ts->lock);
    later *one = LIST_FIRST(&ts->incoming);
    LIST_INIT(&ts->incoming);
    pthread_mutex_unlock(&ts->lock);
    while (one != NULL) {
        later *next = LIST_NEXT(one, link);
        start(one);
        one = next;
    }
}

void later_flush(testserver *ts)
{
    later_take(ts);
    later *one = LIST_FIRST(&ts->laters);
    LIST_INIT(&ts->laters);
    while (one != NULL) {
        later *next = LIST_NEXT(one, link);
        later_fire(one);
        one = next;
    }
}
