#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/listener_rig.h"

/* As in transport/listener.c. */
#define REST_MS 100

/* A wheel may wake up ten times for one timer, and a clock be a bit early. */
#define TURNS_OF_REST 20

/* ----------------------------------------------------------- descriptors -- */

static struct rlimit usual_limit;

static int note_limit(void **state)
{
    (void)state;
    return getrlimit(RLIMIT_NOFILE, &usual_limit);
}

static void allow_descriptors(void)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual_limit), 0);
}

/* From now on nothing can be opened, unless something is closed. */
static void allow_no_descriptors(void)
{
    struct rlimit limit = usual_limit;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(next >= 0);
    close(next);
    limit.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(open("/dev/null", O_RDONLY | O_CLOEXEC), -1);
    assert_int_equal(errno, EMFILE);
}

static int tear_down(void **state)
{
    allow_descriptors();
    return listener_rig_teardown(state);
}

/* ----------------------------------------------------------------- tests -- */

/* Turns until there is one more log event: an accept has failed. */
static void await_failure(listener_rig *r)
{
    unsigned before = r->logged;
    for (int turns = 0; r->logged == before; turns++) {
        assert_true(turns < TURNS_OF_REST);
        listener_rig_turn(r);
    }
    assert_int_equal(r->logged, before + 1);
    assert_int_equal(r->level, SIO_LOG_ERROR);
    assert_string_equal(r->event, "accept_failed");
    assert_non_null(strstr(r->text, strerror(EMFILE)));
}

static void test_rests(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_open(&r, "127.0.0.1");
    for (int i = 0; i < 3; i++) {
        (void)listener_rig_dial(&r, "127.0.0.1");
    }
    int spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    allow_no_descriptors();
    await_failure(&r);
    for (int i = 0; i < 3; i++) {
        uint64_t before = r.when;
        await_failure(&r);
        assert_true(r.when - before >= REST_MS);
    }
    assert_int_equal(r.came, 0);
    /* Room for one of the three, who have waited all the time. */
    close(spare);
    await_failure(&r);
    assert_int_equal(r.came, 1);
    allow_descriptors();
    listener_rig_await(&r, 3);
    assert_int_equal(r.logged, 5);
    /* From then on nobody has to wait. */
    (void)listener_rig_dial(&r, "127.0.0.1");
    listener_rig_turn(&r);
    assert_int_equal(r.came, 4);
    listener_rig_deinit(&r);
}

/* Those who are there already are served meanwhile. */
static void test_others_are_served(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_open(&r, "127.0.0.1");
    int fd = listener_rig_dial(&r, "127.0.0.1");
    listener_rig_await(&r, 1);
    (void)listener_rig_dial(&r, "127.0.0.1");
    allow_no_descriptors();
    await_failure(&r);
    assert_true(sio_timer_armed(&r.listener.rest));
    assert_int_equal(send(fd, "hi", 2, MSG_NOSIGNAL), 2);
    listener_rig_hear(&r, 2);
    assert_int_equal(r.came, 1);
    allow_descriptors();
    listener_rig_await(&r, 2);
    listener_rig_deinit(&r);
}

/* Closed while it rests: in time for one who waits, or not. */
static void test_close(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        listener_rig r;
        char byte;
        listener_rig_open(&r, "127.0.0.1");
        int fd = listener_rig_dial(&r, "127.0.0.1");
        allow_no_descriptors();
        await_failure(&r);
        if (i == 1) {
            allow_descriptors();
        }
        tp_listener_close(&r.listener);
        allow_descriptors();
        assert_false(sio_timer_armed(&r.listener.rest));
        assert_int_equal(r.came, i);
        assert_true(i == 1 || recv(fd, &byte, 1, 0) <= 0);
        listener_rig_deinit(&r);
    }
}

#define CASE(f)                                                                \
    cmocka_unit_test_setup_teardown(f, listener_rig_setup, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_rests),
        CASE(test_others_are_served),
        CASE(test_close),
    };
    return cmocka_run_group_tests(tests, note_limit, NULL);
}
