#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/listener_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------ the folder -- */

/* Each test has a folder of its own, and in it: */
static char folder[64], path[80];

static int set_up(void **state)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/sio-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    return listener_rig_setup(state);
}

/* Nothing is left in it. */
static int tear_down(void **state)
{
    return rmdir(folder) == 0 ? listener_rig_teardown(state) : -1;
}

static bool is_there(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(lstat(name, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    return st.st_mode & 0777;
}

/* A socket at that path that is bound, and perhaps listens. */
static int foreign_socket(const char *name, int type, bool listens)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, name, strlen(name));
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_true(!listens || listen(fd, 1) == 0);
    return fd;
}

static void expect_failure(listener_rig *r, const char *name, int why)
{
    char want[256];
    unsigned before = r->logged;
    assert_int_equal(listener_rig_listen_unix(r, name, 0), SIO_ERR_ADDRESS);
    assert_int_equal(r->logged, before + 1);
    assert_int_equal(r->level, SIO_LOG_ERROR);
    assert_string_equal(r->event, "listen_failed");
    (void)snprintf(want, sizeof(want), "path %s: %s", name, strerror(why));
    assert_string_equal(r->text, want);
    assert_int_equal(r->listener.count, 0);
}

static void expect_open(listener_rig *r, const char *name)
{
    assert_int_equal(listener_rig_listen_unix(r, name, 0), SIO_OK);
    assert_int_equal(r->logged, 0);
}

/* ----------------------------------------------------------------- tests -- */

static void test_file(void **state)
{
    listener_rig r;
    char address[TP_ADDRESS_SIZE];
    (void)state;
    listener_rig_init(&r);
    expect_open(&r, path);
    int fd = listener_rig_dial_unix(&r, path);
    assert_int_equal(send(fd, "hi", 2, MSG_NOSIGNAL), 2);
    listener_rig_await(&r, 1);
    listener_rig_hear(&r, 2);
    assert_string_equal(r.heard, "hi");
    assert_int_equal(tp_stream_address(r.streams[0], address), 5);
    assert_string_equal(address, "unix:");
    assert_int_equal(r.listener.port, 0);
    tp_listener_close(&r.listener);
    assert_false(is_there(path));
    tp_listener_close(&r.listener);
    listener_rig_deinit(&r);
}

/* In the working folder, and with a name of one character. */
static void test_relative(void **state)
{
    char before[512];
    listener_rig r;
    (void)state;
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    listener_rig_init(&r);
    expect_open(&r, "s");
    (void)listener_rig_dial_unix(&r, "s");
    listener_rig_await(&r, 1);
    assert_true(is_there("s"));
    listener_rig_deinit(&r);
    assert_false(is_there("s"));
    assert_int_equal(chdir(before), 0);
}

static void test_abstract(void **state)
{
    listener_rig r, other;
    char name[96];
    (void)state;
    (void)snprintf(name, sizeof(name), "@%s", path + 1);
    listener_rig_init(&r);
    listener_rig_init(&other);
    expect_open(&r, name);
    (void)listener_rig_dial_unix(&r, name);
    listener_rig_await(&r, 1);
    expect_failure(&other, name, EADDRINUSE);
    assert_false(is_there(name));
    tp_listener_close(&r.listener);
    assert_int_equal(listener_rig_connect_unix(name), -1);
    assert_int_equal(listener_rig_listen_unix(&other, name, 0), SIO_OK);
    listener_rig_deinit(&other);
    listener_rig_deinit(&r);
}

/* In libc's place: the file must not have been open to more before. */
int __real_chmod(const char *name, mode_t mode);
int __wrap_chmod(const char *name, mode_t mode);

int __wrap_chmod(const char *name, mode_t mode)
{
    assert_int_equal(mode_of(name) & ~mode, 0);
    return __real_chmod(name, mode);
}

static void test_mode(void **state)
{
    static const struct {
        unsigned mode;
        mode_t mask;
        unsigned want;
    } rows[] = {
        {0600, 022, 0600}, {0666, 077, 0666}, {0777, 0777, 0777},
        {0660, 0, 0660},   {0600, 0, 0600},   {0, 022, 0755},
        {0, 077, 0700},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        listener_rig r;
        listener_rig_init(&r);
        mode_t before = umask(rows[i].mask);
        assert_int_equal(listener_rig_listen_unix(&r, path, rows[i].mode),
                         SIO_OK);
        (void)umask(before);
        assert_int_equal(mode_of(path), rows[i].want);
        listener_rig_deinit(&r);
    }
}

static void test_bad_names(void **state)
{
    static char long_path[109] = "/", long_name[110] = "@";
    listener_rig r;
    char missing[96];
    (void)state;
    memset(long_path + 1, 'a', 107);
    memset(long_name + 1, 'a', 108);
    listener_rig_init(&r);
    expect_failure(&r, "", EINVAL);
    expect_failure(&r, "@", EINVAL);
    expect_failure(&r, long_path, ENAMETOOLONG);
    expect_failure(&r, long_name, ENAMETOOLONG);
    (void)snprintf(missing, sizeof(missing), "%s/none/socket", folder);
    expect_failure(&r, missing, ENOENT);
    listener_rig_deinit(&r);
    /* One less is not too much. */
    long_name[108] = '\0';
    listener_rig_init(&r);
    expect_open(&r, long_name);
    (void)listener_rig_dial_unix(&r, long_name);
    listener_rig_await(&r, 1);
    listener_rig_deinit(&r);
}

/* ---------------------------------------------------------- what is there --
 */

/* Of a server that has died there is a file, at which nobody listens. */
static void test_left_over(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        listener_rig r;
        close(foreign_socket(path, types[i], false));
        assert_true(is_there(path));
        listener_rig_init(&r);
        expect_open(&r, path);
        (void)listener_rig_dial_unix(&r, path);
        listener_rig_await(&r, 1);
        listener_rig_deinit(&r);
    }
}

static void test_in_use(void **state)
{
    listener_rig first, second;
    (void)state;
    listener_rig_init(&first);
    listener_rig_init(&second);
    expect_open(&first, path);
    expect_failure(&second, path, EADDRINUSE);
    assert_true(is_there(path));
    (void)listener_rig_dial_unix(&first, path);
    listener_rig_await(&first, 2); /* the other one has tried it */
    tp_listener_close(&first.listener);
    assert_int_equal(listener_rig_listen_unix(&second, path, 0), SIO_OK);
    (void)listener_rig_dial_unix(&second, path);
    listener_rig_await(&second, 1);
    listener_rig_deinit(&second);
    listener_rig_deinit(&first);
}

/* Nor is one replaced whose queue is full, or that is of another kind. */
static void test_in_use_by_others(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_init(&r);
    int fd = foreign_socket(path, SOCK_STREAM, true);
    int filling[8], filled = 0;
    while (filled < 8 &&
           (filling[filled] = listener_rig_connect_unix(path)) >= 0) {
        filled++;
    }
    assert_true(filled > 0 && filled < 8);
    expect_failure(&r, path, EADDRINUSE);
    while (filled > 0) {
        close(filling[--filled]);
    }
    close(fd);
    assert_int_equal(unlink(path), 0);
    fd = foreign_socket(path, SOCK_DGRAM, false);
    expect_failure(&r, path, EADDRINUSE);
    close(fd);
    assert_int_equal(unlink(path), 0);
    listener_rig_deinit(&r);
}

/* What is no socket stays as it is. */
static void test_no_socket(void **state)
{
    listener_rig r;
    char target[96];
    (void)state;
    (void)snprintf(target, sizeof(target), "%s/target", folder);
    listener_rig_init(&r);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    expect_failure(&r, path, EEXIST);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_failure(&r, path, EEXIST);
    assert_int_equal(rmdir(path), 0);
    /* Not even what a link leads to. */
    close(foreign_socket(target, SOCK_STREAM, false));
    assert_int_equal(symlink(target, path), 0);
    expect_failure(&r, path, EEXIST);
    assert_true(is_there(target));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(target), 0);
    listener_rig_deinit(&r);
}

/* Who looks at an old file at the same time holds a lock; one that is never
 * given back is not waited for. */
static void test_locked(void **state)
{
    listener_rig r;
    (void)state;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    listener_rig_init(&r);
    expect_failure(&r, path, EWOULDBLOCK);
    assert_false(is_there(path));
    assert_int_equal(flock(fd, LOCK_UN), 0);
    assert_int_equal(listener_rig_listen_unix(&r, path, 0), SIO_OK);
    /* The end does not wait. */
    assert_int_equal(flock(fd, LOCK_EX), 0);
    tp_listener_close(&r.listener);
    assert_false(is_there(path));
    close(fd);
    listener_rig_deinit(&r);
}

/* The file of another, in the place of ours, is not removed. */
static void test_replaced(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_init(&r);
    expect_open(&r, path);
    assert_int_equal(unlink(path), 0);
    int fd = foreign_socket(path, SOCK_STREAM, true);
    tp_listener_close(&r.listener);
    assert_true(is_there(path));
    assert_int_equal(unlink(path), 0);
    close(fd);
    listener_rig_deinit(&r);
}

/* Those in the queue believe to be connected. */
static void test_queue_at_close(void **state)
{
    listener_rig r;
    (void)state;
    listener_rig_init(&r);
    expect_open(&r, path);
    for (int i = 0; i < 3; i++) {
        int fd = listener_rig_dial_unix(&r, path);
        assert_int_equal(send(fd, "a", 1, MSG_NOSIGNAL), 1);
    }
    tp_listener_close(&r.listener);
    assert_int_equal(r.came, 3);
    listener_rig_hear(&r, 3);
    listener_rig_deinit(&r);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_file),      CASE(test_relative),
        CASE(test_abstract),  CASE(test_mode),
        CASE(test_bad_names), CASE(test_left_over),
        CASE(test_in_use),    CASE(test_in_use_by_others),
        CASE(test_no_socket), CASE(test_locked),
        CASE(test_replaced),  CASE(test_queue_at_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
