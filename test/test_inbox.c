#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>

#include "base/inbox.h"
#include "base/list.h"

typedef struct note {
    sio_message msg;
    struct diary *diary;
    unsigned sender, number;
    bool again; /* posts itself once more when it runs */
    bool shuts; /* closes the box when it runs */
} note;

/* What has happened to the notes, in order. */
typedef struct diary {
    sio_inbox box;
    size_t ran, dropped;
    unsigned next[8]; /* by sender */
} diary;

static bool is_readable(const sio_inbox *box, int timeout)
{
    struct pollfd fd = {.fd = sio_inbox_fd(box), .events = POLLIN};
    return poll(&fd, 1, timeout) == 1;
}

static void run_note(sio_message *msg)
{
    note *n = SIO_OWNER(msg, note, msg);
    diary *d = n->diary;
    d->ran++;
    assert_int_equal(n->number, d->next[n->sender]);
    d->next[n->sender]++;
    if (n->shuts) {
        sio_inbox_close(&d->box);
    }
    if (n->again) {
        n->again = false;
        n->number++;
        assert_int_equal(sio_inbox_post(&d->box, msg), SIO_OK);
        return;
    }
    free(n);
}

static void drop_note(sio_message *msg)
{
    note *n = SIO_OWNER(msg, note, msg);
    n->diary->dropped++;
    free(n);
}

static note *new_note(diary *d, unsigned sender, unsigned number)
{
    note *n = calloc(1, sizeof(*n));
    n->msg.run = run_note;
    n->msg.drop = drop_note;
    n->diary = d;
    n->sender = sender;
    n->number = number;
    return n;
}

static void post(diary *d, unsigned number)
{
    note *n = new_note(d, 0, number);
    assert_int_equal(sio_inbox_post(&d->box, &n->msg), SIO_OK);
}

static void test_order_and_waking(void **state)
{
    (void)state;
    diary d = {0};
    assert_int_equal(sio_inbox_init(&d.box), SIO_OK);
    assert_false(is_readable(&d.box, 0));
    sio_inbox_drain(&d.box); /* for nothing */
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 10; i++) {
            post(&d, round * 10 + i);
            assert_true(is_readable(&d.box, 0));
        }
        sio_inbox_drain(&d.box);
        assert_int_equal(d.ran, (round + 1) * 10);
        assert_false(is_readable(&d.box, 0));
    }
    sio_inbox_deinit(&d.box);
    assert_int_equal(d.dropped, 0);
}

static void test_posting_while_draining(void **state)
{
    (void)state;
    diary d = {0};
    assert_int_equal(sio_inbox_init(&d.box), SIO_OK);
    note *n = new_note(&d, 0, 0);
    n->again = true;
    assert_int_equal(sio_inbox_post(&d.box, &n->msg), SIO_OK);
    sio_inbox_drain(&d.box);
    assert_int_equal(d.ran, 1);
    assert_true(is_readable(&d.box, 0));
    sio_inbox_drain(&d.box);
    assert_int_equal(d.ran, 2);
    assert_false(is_readable(&d.box, 0));
    sio_inbox_deinit(&d.box);
}

static void test_closing(void **state)
{
    (void)state;
    for (int drained = 0; drained < 2; drained++) {
        diary d = {0};
        assert_int_equal(sio_inbox_init(&d.box), SIO_OK);
        post(&d, 0);
        post(&d, 1);
        assert_false(sio_inbox_closed(&d.box));
        sio_inbox_close(&d.box);
        sio_inbox_close(&d.box);
        assert_true(sio_inbox_closed(&d.box));
        assert_true(is_readable(&d.box, 0));

        note *late = new_note(&d, 0, 2);
        sio_error err = sio_inbox_post(&d.box, &late->msg);
        assert_int_equal(err, SIO_ERR_CLOSED);
        free(late);
        if (drained) {
            sio_inbox_drain(&d.box);
            sio_inbox_drain(&d.box);
        }
        sio_inbox_deinit(&d.box);
        assert_int_equal(d.ran, drained ? 2 : 0);
        assert_int_equal(d.dropped, drained ? 0 : 2);
    }
}

static void test_closing_while_draining(void **state)
{
    (void)state;
    diary d = {0};
    assert_int_equal(sio_inbox_init(&d.box), SIO_OK);
    note *n = new_note(&d, 0, 0);
    n->shuts = true;
    assert_int_equal(sio_inbox_post(&d.box, &n->msg), SIO_OK);
    post(&d, 1);
    sio_inbox_drain(&d.box);
    assert_int_equal(d.ran, 2);
    sio_inbox_deinit(&d.box);
}

static void run_nothing(sio_message *msg)
{
    (void)msg;
}

/* What was accepted before the closing runs before what comes after. */
static void test_reopening(void **state)
{
    diary d = {0};
    (void)state;
    assert_int_equal(sio_inbox_init(&d.box), SIO_OK);
    sio_inbox_reopen(&d.box); /* of an open one: nothing happens */
    post(&d, 0);
    assert_int_equal(d.ran, 0);
    sio_inbox_close(&d.box);
    sio_inbox_reopen(&d.box);
    assert_false(sio_inbox_closed(&d.box));
    assert_int_equal(d.ran, 1);
    assert_false(is_readable(&d.box, 0));
    post(&d, 1);
    assert_true(is_readable(&d.box, 0));
    assert_int_equal(sio_inbox_drain(&d.box), 1);
    post(&d, 2);
    sio_inbox_deinit(&d.box);
    assert_int_equal(d.ran, 2);
    assert_int_equal(d.dropped, 1);
}

static void test_dropping_without_a_function(void **state)
{
    (void)state;
    sio_inbox box;
    sio_message msg = {.run = run_nothing};
    assert_int_equal(sio_inbox_init(&box), SIO_OK);
    assert_int_equal(sio_inbox_post(&box, &msg), SIO_OK);
    sio_inbox_deinit(&box);
    sio_inbox_deinit(&box);
}

/* Many senders and one owner that sleeps whenever it may: no message is lost,
 * none runs twice, each sender's order holds, and nobody oversleeps. */
#define SENDERS 4
#define PER_SENDER 20000

typedef struct sender {
    pthread_t thread;
    diary *diary;
    unsigned index;
    unsigned accepted;
} sender;

static void *send_all(void *arg)
{
    sender *s = arg;
    for (unsigned i = 0; i < PER_SENDER; i++) {
        note *n = new_note(s->diary, s->index, i);
        if (sio_inbox_post(&s->diary->box, &n->msg) != SIO_OK) {
            free(n);
            return NULL;
        }
        s->accepted++;
    }
    return NULL;
}

static void start_senders(sender *senders, diary *d)
{
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (sender){.diary = d, .index = i};
        pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
    }
}

static size_t join_senders(sender *senders)
{
    size_t accepted = 0;
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        accepted += senders[i].accepted;
    }
    return accepted;
}

static void test_senders(void **state)
{
    (void)state;
    diary d = {0};
    sender senders[SENDERS];
    assert_int_equal(sio_inbox_init(&d.box), SIO_OK);
    start_senders(senders, &d);
    while (d.ran < SENDERS * PER_SENDER) {
        assert_true(is_readable(&d.box, 30000));
        sio_inbox_drain(&d.box);
    }
    size_t accepted = join_senders(senders);
    assert_int_equal(accepted, SENDERS * PER_SENDER);
    sio_inbox_deinit(&d.box);
    assert_int_equal(d.ran, accepted);
}

/* Closed in the middle of it: what was accepted is run or dropped, no more. */
static void test_closing_under_senders(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 5000; limit += 500) {
        diary d = {0};
        sender senders[SENDERS];
        assert_int_equal(sio_inbox_init(&d.box), SIO_OK);
        start_senders(senders, &d);
        while (d.ran < limit) {
            assert_true(is_readable(&d.box, 30000));
            sio_inbox_drain(&d.box);
        }
        sio_inbox_close(&d.box);
        size_t accepted = join_senders(senders);
        sio_inbox_deinit(&d.box);
        assert_int_equal(d.ran + d.dropped, accepted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_waking),
        cmocka_unit_test(test_posting_while_draining),
        cmocka_unit_test(test_closing),
        cmocka_unit_test(test_closing_while_draining),
        cmocka_unit_test(test_reopening),
        cmocka_unit_test(test_dropping_without_a_function),
        cmocka_unit_test(test_senders),
        cmocka_unit_test(test_closing_under_senders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
