/* Servers behind one port: who may, and in which order they end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "test/server_rig.h"

static sio_server *make(const char *path, unsigned threads)
{
    sio_server_config config = server_rig_config();
    config.path = path;
    config.threads = threads;
    return server_rig_make(&config);
}

static void test_who_may(void **state)
{
    (void)state;
    sio_server *a = make("/a", 1), *b = make("/b", 1), *c = make("/c", 1),
               *a2 = make("/a", 1), *b2 = make("/b/", 1);
    sio_listen_options place = server_rig_at_host("127.0.0.1");
    assert_int_equal(sio_server_mount(a, a), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_server_mount(a, a2), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_server_mount(a, b), SIO_OK);
    assert_int_equal(sio_server_mount(a, b2), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_server_mount(a, b), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_server_mount(c, b), SIO_ERR_STATE);
    assert_int_equal(sio_server_mount(b, c), SIO_ERR_STATE);
    assert_int_equal(sio_server_mount(c, a), SIO_ERR_STATE);
    assert_int_equal(sio_server_port(b), 0);
    assert_int_equal(sio_server_listen_at(b, &place, NULL), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_server_listen(c), SIO_OK);
    assert_int_equal(sio_server_mount(a, c), SIO_ERR_STATE);
    assert_int_equal(sio_server_mount(c, a2), SIO_ERR_STATE);
    sio_server *all[] = {a, b, c, a2, b2};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        sio_server_free(all[i]);
    }
}

#define POLL(path) SERVER_RIG_GET(path "?EIO=4&transport=polling") "\r\n"

static void expect(int fd, const char *request, const char *end)
{
    server_rig_say(fd, request);
    assert_non_null(strstr(server_rig_hear(fd, end), end));
}

/* Whichever is stopped, and freed, first. */
static void run(unsigned threads, bool inner_first)
{
    sio_server *outer = make("/a", threads), *inner = make("/b", threads);
    assert_int_equal(sio_server_mount(outer, inner), SIO_OK);
    assert_int_equal(sio_server_listen(outer), SIO_OK);
    assert_int_equal(sio_server_listen(inner), SIO_OK);
    uint16_t port = sio_server_port(inner);
    assert_int_equal(port, sio_server_port(outer));
    pthread_t outers = server_rig_start(outer),
              inners = server_rig_start(inner);
    int fds[4];
    for (int i = 0; i < 4; i++) {
        fds[i] = server_rig_dial(port);
        expect(fds[i], POLL("/b/"), "upgrades");
        expect(fds[i], POLL("/a/"), "upgrades");
    }
    expect(fds[0], POLL("/b/"), "upgrades");
    if (inner_first) {
        server_rig_stop(inners, inner);
        /* For its path there is nobody now; for the rest there is. */
        int fd = server_rig_dial(port);
        server_rig_say(fd, POLL("/b/"));
        assert_string_equal(server_rig_hear(fd, "upgrades"), "");
        close(fd);
        server_rig_expect_who(server_rig_dial(port), "", "127.0.0.1");
        server_rig_stop(outers, outer);
    } else {
        server_rig_stop(outers, outer);
        server_rig_stop(inners, inner);
    }
    for (int i = 0; i < 4; i++) {
        close(fds[i]);
    }
    sio_server_free(inner_first ? outer : inner);
    sio_server_free(inner_first ? inner : outer);
}

static void test_ends(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        run(threads, true);
        run(threads, false);
    }
}

static void turn_until_closed(struct ev_loop *ev, const sio_server *server)
{
    while (!sio_server_closed(server)) {
        ev_run(ev, EVRUN_ONCE);
    }
    for (int i = 0; i < 5; i++) {
        ev_run(ev, EVRUN_NOWAIT);
    }
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_CONNECTIONS), 0);
}

/* A request is moved to a server in the turn in which that closes: on a shared
 * loop it may come when nothing of the server may be left. */
static void move_late(bool stop_first)
{
    struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
    sio_server_config config = server_rig_config();
    config.loop = ev;
    config.path = "/a";
    sio_server *outer = server_rig_make(&config);
    config.path = "/b";
    sio_server *inner = server_rig_make(&config);
    assert_int_equal(sio_server_mount(outer, inner), SIO_OK);
    assert_int_equal(sio_server_listen(outer), SIO_OK);
    assert_int_equal(sio_server_listen(inner), SIO_OK);
    int fd = server_rig_dial(sio_server_port(outer));
    while (sio_server_counter(outer, SIO_COUNTER_CONNECTIONS) == 0) {
        ev_run(ev, EVRUN_ONCE);
    }
    if (stop_first) {
        sio_server_stop(inner);
    }
    server_rig_say(fd, POLL("/b/"));
    if (!stop_first) {
        sio_server_stop(inner);
    }
    turn_until_closed(ev, inner);
    sio_server_stop(outer);
    turn_until_closed(ev, outer);
    close(fd);
    sio_server_free(inner);
    sio_server_free(outer);
    ev_loop_destroy(ev);
}

static void test_late(void **state)
{
    (void)state;
    move_late(true);
    move_late(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_may, server_rig_setup,
                                        server_rig_teardown),
        cmocka_unit_test_setup_teardown(test_ends, server_rig_setup,
                                        server_rig_teardown),
        cmocka_unit_test_setup_teardown(test_late, server_rig_setup,
                                        server_rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
