/* System calls fail while a server is at work, with the errors that the kernel
 * has for them. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "test/fault_scenes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------ scenes --
 */

/* What may happen to a call.  Where it is harmless no client notices; where
 * something is wrong with this system, and not with a peer, the server tells.
 */
static const struct row {
    fault_call which;
    int error;
    bool harmless;
    const char *label;
} rows[] = {
    {FAULT_ACCEPT, EINTR, true, "accept4: EINTR"},
    {FAULT_ACCEPT, EAGAIN, true, "accept4: EAGAIN"},
    {FAULT_ACCEPT, ECONNABORTED, true, "accept4: ECONNABORTED"},
    {FAULT_ACCEPT, EPROTO, true, "accept4: EPROTO"},
    {FAULT_ACCEPT, EPERM, true, "accept4: EPERM"},
    {FAULT_ACCEPT, ENETDOWN, true, "accept4: ENETDOWN"},
    {FAULT_RECV, EINTR, true, "recv: EINTR"},
    {FAULT_RECV, EAGAIN, true, "recv: EAGAIN"},
    {FAULT_RECV, 0, true, "recv: one byte"},
    {FAULT_RECV, ECONNRESET, false, "recv: ECONNRESET"},
    {FAULT_RECV, ETIMEDOUT, false, "recv: ETIMEDOUT"},
    {FAULT_RECV, ENOMEM, false, "recv: ENOMEM"},
    {FAULT_SEND, EINTR, true, "send: EINTR"},
    {FAULT_SEND, EAGAIN, true, "send: EAGAIN"},
    {FAULT_SEND, 0, true, "send: one byte"},
    {FAULT_SEND, EPIPE, false, "send: EPIPE"},
    {FAULT_SEND, ECONNRESET, false, "send: ECONNRESET"},
    {FAULT_SEND, ENOBUFS, false, "send: ENOBUFS"},
    {FAULT_SEND, ENOMEM, false, "send: ENOMEM"},
    {FAULT_READ, EINTR, true, "read of eventfd: EINTR"},
    {FAULT_READ, EAGAIN, true, "read of eventfd: EAGAIN"},
    {FAULT_WRITE, EINTR, true, "write to eventfd: EINTR"},
    {FAULT_OPEN, EINTR, true, "openat2: EINTR"},
    {FAULT_OPEN, EAGAIN, true, "openat2: EAGAIN"},
    {FAULT_OPEN, ENOSYS, true, "openat2: ENOSYS"},
    {FAULT_OPEN, EMFILE, false, "openat2: EMFILE"},
    {FAULT_OPEN, ENFILE, false, "openat2: ENFILE"},
    {FAULT_OPEN, ENOMEM, false, "openat2: ENOMEM"},
    {FAULT_OPEN, EACCES, false, "openat2: EACCES"},
    {FAULT_STAT, EIO, false, "fstat: EIO"},
    {FAULT_STAT, ENOMEM, false, "fstat: ENOMEM"},
    {FAULT_PREAD, EINTR, true, "pread: EINTR"},
    {FAULT_PREAD, 0, true, "pread: one byte"},
    {FAULT_PREAD, EIO, false, "pread: EIO"},
    {FAULT_WAIT, EINTR, true, "epoll_wait: EINTR"},
    {FAULT_CONTROL, ENOMEM, false, "epoll_ctl: ENOMEM"},
    {FAULT_CONTROL, ENOSPC, false, "epoll_ctl: ENOSPC"},
};

static turn_rig rig;
static turn_client bystander = {.fd = -1};
static size_t survived, silent;

static void settle(void)
{
    turn_rig_settle(&rig, 1, 1);
    assert_int_equal(fault_sockets, 0);
    assert_int_equal(fault_rooms, 0);
    assert_int_equal(fault_members, 0);
    fault_bystander_check(&bystander, false);
}

static void open_rig(const fault_scene *scene)
{
    fault_now = (fault){.at = FAULT_NEVER};
    fault_scene_open(scene, &rig);
    turn_rig_listen(&rig);
    fault_bystander_join(&bystander, &rig, false);
}

static void close_rig(const fault_scene *scene)
{
    turn_client_close(&bystander);
    turn_rig_free(&rig);
    if (scene->finish != NULL) {
        scene->finish();
    }
}

static bool play_failing(const fault_scene *scene, const struct row *row,
                         size_t at)
{
    fault_now = (fault){.at = at,
                        .harmless = row->harmless,
                        .which = row->which,
                        .error = row->error};
    return scene->play(&rig);
}

static bool is_ours(int error)
{
    static const int ours[] = {ENOMEM, ENOBUFS, ENOSPC, EIO, EMFILE, ENFILE};
    for (size_t i = 0; i < COUNT(ours); i++) {
        if (ours[i] == error) {
            return true;
        }
    }
    return false;
}

static void fail_one(const fault_scene *scene, const struct row *row, size_t at)
{
    uint64_t signs = turn_rig_signs(&rig) + fault_told;
    bool ok = play_failing(scene, row, at);
    if (!ok && row->harmless) {
        fail_msg("%s, %s: call %zu is noticed", scene->label, row->label, at);
    }
    survived += fault_has_struck();
    settle();
    if (!ok && is_ours(row->error) &&
        turn_rig_signs(&rig) + fault_told == signs) {
        print_error("%s, %s: nothing tells of %zu\n", scene->label, row->label,
                    at);
        silent++;
    }
}

/* Returns how many there were. */
static size_t fail_each(const fault_scene *scene, const struct row *row)
{
    size_t before = survived;
    if (!play_failing(scene, row, FAULT_NEVER)) {
        fail_msg("%s, %s: fails by itself", scene->label, row->label);
    }
    size_t calls = fault_now.count;
    settle();
    for (size_t at = 0; at < calls; at++) {
        fail_one(scene, row, at);
    }
    return survived - before;
}

static void test_scenes(void **state)
{
    static const char *const scenes[] = {
        "files", "upgrade", "websocket", "bundles", "proxy", "mount", "tls",
    };
    static size_t counts[COUNT(rows)];
    const char *only = getenv("FAULT_SCENE");
    (void)state;
    for (size_t s = 0; s < COUNT(scenes); s++) {
        const fault_scene *scene = fault_scene_named(scenes[s]);
        if (only != NULL && strcmp(only, scenes[s]) != 0) {
            continue;
        }
        open_rig(scene);
        for (size_t i = 0; i < COUNT(rows); i++) {
            counts[i] += fail_each(scene, &rows[i]);
        }
        assert_true(scene->play(&rig)); /* as if nothing had happened */
        settle();
        close_rig(scene);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        print_message("# %s: %zu survived\n", rows[i].label, counts[i]);
        assert_true(counts[i] > 0 || only != NULL);
    }
    print_message("# %zu failures survived\n", survived);
    assert_int_equal(silent, 0);
}

/* The kernel is asked once for many tokens. */
static void test_random(void **state)
{
    static const struct row randoms[] = {
        {FAULT_RANDOM, EINTR, true, "getrandom: EINTR"},
        {FAULT_RANDOM, 0, true, "getrandom: one byte"},
        {FAULT_RANDOM, EAGAIN, false, "getrandom: EAGAIN"},
        {FAULT_RANDOM, ENOSYS, false, "getrandom: ENOSYS"},
    };
    const fault_scene *scene = fault_scene_named("websocket");
    (void)state;
    open_rig(scene);
    for (size_t i = 0; i < COUNT(randoms); i++) {
        const struct row *row = &randoms[i];
        size_t struck = 0;
        for (int left = 2000; struck < 5 && left > 0; left--) {
            uint64_t signs = turn_rig_signs(&rig) + fault_told;
            bool ok = play_failing(scene, row, 0);
            bool has_struck = fault_has_struck();
            struck += has_struck;
            settle();
            if (has_struck && !row->harmless) {
                assert_false(ok);
                assert_true(turn_rig_signs(&rig) + fault_told > signs);
            }
        }
        assert_int_equal(struck, 5);
        survived += struck;
        print_message("# %s: %zu survived\n", row->label, struck);
    }
    assert_true(scene->play(&rig));
    settle();
    close_rig(scene);
}

/* ------------------------------------------------------------ while it lasts
 * --
 */

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What lacks is there again after a while: until then accept4() is called a few
 * times, and who is connected gets answers; then who waits is accepted. */
static void test_accept_while_it_lasts(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    const fault_scene *scene = fault_scene_named("http");
    (void)state;
    open_rig(scene);
    for (size_t i = 0; i < COUNT(errors); i++) {
        turn_client c = {.fd = -1};
        fault_now =
            (fault){.lasting = true, .which = FAULT_ACCEPT, .error = errors[i]};
        turn_client_dial(&c, &rig);
        turn_client_sayf(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
        uint64_t begin = now_ms();
        while (now_ms() < begin + 350) {
            turn_client_text(&bystander, "42/quiet,[\"echo\",\"there\"]");
            assert_true(turn_client_hear(&bystander, "there"));
        }
        /* One for each rest of 100 ms. */
        assert_in_range(fault_now.count, 2,
                        2 + (unsigned)((now_ms() - begin) / 100));
        fault_now = (fault){.at = FAULT_NEVER};
        assert_true(turn_client_hear(&c, "127.0.0.1"));
        turn_client_close(&c);
        settle();
    }
    close_rig(scene);
}

/* The kernel has no memory for the listener or the inbox to be watched. */
static void test_watching(void **state)
{
    const fault_scene *scene = fault_scene_named("websocket");
    (void)state;
    for (size_t calls = 1; calls < 4; calls++) {
        turn_client c = {.fd = -1};
        fault_now =
            (fault){.lasting = true, .which = FAULT_CONTROL, .error = ENOMEM};
        fault_scene_open(scene, &rig);
        turn_rig_listen(&rig);
        for (size_t i = 0; i < calls * 10; i++) {
            turn_rig_turn(&rig);
        }
        assert_in_range(fault_now.count, 1, 2 + calls * 2);
        fault_now = (fault){.at = FAULT_NEVER};
        turn_client_dial(&c, &rig);
        turn_client_sayf(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(turn_client_hear(&c, "127.0.0.1"));
        turn_client_close(&c);
        fault_bystander_join(&bystander, &rig, false);
        assert_true(scene->play(&rig));
        settle();
        close_rig(scene);
    }
}

/* A connection that cannot be watched ends, before any timeout. */
static void test_watching_one(void **state)
{
    const fault_scene *scene = fault_scene_named("http");
    turn_client c = {.fd = -1};
    (void)state;
    open_rig(scene);
    fault_now = (fault){.which = FAULT_CONTROL, .error = ENOSPC};
    turn_client_dial(&c, &rig);
    turn_client_sayf(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_false(turn_client_hear(&c, "127.0.0.1"));
    assert_true(fault_has_struck());
    assert_true(c.ended);
    turn_client_close(&c);
    settle();
    close_rig(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_while_it_lasts),
        cmocka_unit_test(test_watching),
        cmocka_unit_test(test_watching_one),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_scenes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
