/* System calls fail while a server is at work, with the errors that the kernel
 * has for them.  Those of the library pass through here as it is linked, those
 * of libev as the program's functions come before those of libc. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/fault_scenes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

typedef enum call {
    CALL_NONE,
    CALL_ACCEPT,
    CALL_RECV,
    CALL_SEND, /* send and sendmsg */
    CALL_READ,
    CALL_WRITE,
    CALL_RANDOM,
    CALL_OPEN, /* openat2 */
    CALL_STAT,
    CALL_PREAD,
    CALL_WAIT,
    CALL_CONTROL,
    CALL_EVENTFD,
    CALL_SOCKET,
    CALL_BIND,
    CALL_LISTEN
} call;

static call failing;
static int error; /* what it fails with; 0: it does less than it was asked to */

static bool strikes(call which)
{
    if (which != failing || !fault_strikes()) {
        return false;
    }
    errno = error;
    return true;
}

/* How many bytes may be moved. */
static size_t cut(size_t len)
{
    return error == 0 && len > 1 ? 1 : len;
}

/* ----------------------------------------------------------- the library's --
 */

int __real_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags);
ssize_t __real_recv(int fd, void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t len, int flags);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_read(int fd, void *data, size_t len);
ssize_t __wrap_read(int fd, void *data, size_t len);
ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __real_getrandom(void *data, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d);
int __real_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st);
ssize_t __real_pread64(int fd, void *data, size_t len, off_t at);
ssize_t __wrap_pread64(int fd, void *data, size_t len, off_t at);
int __real_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags);
int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __real_bind(int fd, const struct sockaddr *at, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len);
int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);

int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
    return strikes(CALL_ACCEPT) ? -1 : __real_accept4(fd, at, len, flags);
}

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
    if (!strikes(CALL_RECV)) {
        return __real_recv(fd, data, len, flags);
    }
    return error == 0 ? __real_recv(fd, data, cut(len), flags) : -1;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    if (!strikes(CALL_SEND)) {
        return __real_send(fd, data, len, flags);
    }
    return error == 0 ? __real_send(fd, data, cut(len), flags) : -1;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (!strikes(CALL_SEND)) {
        return __real_sendmsg(fd, msg, flags);
    }
    const struct iovec *first = msg->msg_iov;
    return error == 0
               ? __real_send(fd, first->iov_base, cut(first->iov_len), flags)
               : -1;
}

ssize_t __wrap_read(int fd, void *data, size_t len)
{
    return strikes(CALL_READ) ? -1 : __real_read(fd, data, len);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    return strikes(CALL_WRITE) ? -1 : __real_write(fd, data, len);
}

ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags)
{
    if (!strikes(CALL_RANDOM)) {
        return __real_getrandom(data, len, flags);
    }
    return error == 0 ? __real_getrandom(data, cut(len), flags) : -1;
}

long __wrap_syscall(long number, long a, long b, long c, long d)
{
    return strikes(CALL_OPEN) ? -1 : __real_syscall(number, a, b, c, d);
}

int __wrap_fstat64(int fd, struct stat *st)
{
    return strikes(CALL_STAT) ? -1 : __real_fstat64(fd, st);
}

ssize_t __wrap_pread64(int fd, void *data, size_t len, off_t at)
{
    if (!strikes(CALL_PREAD)) {
        return __real_pread64(fd, data, len, at);
    }
    return error == 0 ? __real_pread64(fd, data, cut(len), at) : -1;
}

int __wrap_eventfd(unsigned value, int flags)
{
    return strikes(CALL_EVENTFD) ? -1 : __real_eventfd(value, flags);
}

int __wrap_socket(int domain, int type, int protocol)
{
    return strikes(CALL_SOCKET) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len)
{
    return strikes(CALL_BIND) ? -1 : __real_bind(fd, at, len);
}

int __wrap_listen(int fd, int backlog)
{
    return strikes(CALL_LISTEN) ? -1 : __real_listen(fd, backlog);
}

/* ----------------------------------------------------------------- libev's --
 */

typedef int wait_fn(int fd, struct epoll_event *events, int max, int timeout);
typedef int control_fn(int fd, int op, int target, struct epoll_event *event);

/* A data pointer becomes one to a function as dlsym(3) has it. */
static wait_fn *real_wait;
static control_fn *real_control;

__attribute__((constructor)) static void find_real(void)
{
    *(void **)(&real_wait) = dlsym(RTLD_NEXT, "epoll_wait");
    *(void **)(&real_control) = dlsym(RTLD_NEXT, "epoll_ctl");
}

__attribute__((visibility("default"))) int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    return strikes(CALL_WAIT) ? -1 : real_wait(fd, events, max, timeout);
}

__attribute__((visibility("default"))) int epoll_ctl(int fd, int op, int target,
                                                     struct epoll_event *event)
{
    return op != EPOLL_CTL_DEL && strikes(CALL_CONTROL)
               ? -1
               : real_control(fd, op, target, event);
}

/* ------------------------------------------------------------------ scenes --
 */

/* What may happen to a call.  Where it is harmless no client notices. */
static const struct row {
    call which;
    int error;
    bool harmless;
    const char *label;
} rows[] = {
    {CALL_ACCEPT, EINTR, true, "accept4: EINTR"},
    {CALL_ACCEPT, EAGAIN, true, "accept4: EAGAIN"},
    {CALL_ACCEPT, ECONNABORTED, true, "accept4: ECONNABORTED"},
    {CALL_ACCEPT, EPROTO, true, "accept4: EPROTO"},
    {CALL_ACCEPT, EPERM, true, "accept4: EPERM"},
    {CALL_ACCEPT, ENETDOWN, true, "accept4: ENETDOWN"},
    {CALL_RECV, EINTR, true, "recv: EINTR"},
    {CALL_RECV, EAGAIN, true, "recv: EAGAIN"},
    {CALL_RECV, 0, true, "recv: one byte"},
    {CALL_RECV, ECONNRESET, false, "recv: ECONNRESET"},
    {CALL_RECV, ETIMEDOUT, false, "recv: ETIMEDOUT"},
    {CALL_RECV, ENOMEM, false, "recv: ENOMEM"},
    {CALL_SEND, EINTR, true, "send: EINTR"},
    {CALL_SEND, EAGAIN, true, "send: EAGAIN"},
    {CALL_SEND, 0, true, "send: one byte"},
    {CALL_SEND, EPIPE, false, "send: EPIPE"},
    {CALL_SEND, ECONNRESET, false, "send: ECONNRESET"},
    {CALL_SEND, ENOBUFS, false, "send: ENOBUFS"},
    {CALL_SEND, ENOMEM, false, "send: ENOMEM"},
    {CALL_READ, EINTR, true, "read of eventfd: EINTR"},
    {CALL_READ, EAGAIN, true, "read of eventfd: EAGAIN"},
    {CALL_WRITE, EINTR, true, "write to eventfd: EINTR"},
    {CALL_OPEN, EINTR, true, "openat2: EINTR"},
    {CALL_OPEN, EAGAIN, true, "openat2: EAGAIN"},
    {CALL_OPEN, ENOSYS, true, "openat2: ENOSYS"},
    {CALL_OPEN, EMFILE, false, "openat2: EMFILE"},
    {CALL_OPEN, ENFILE, false, "openat2: ENFILE"},
    {CALL_OPEN, ENOMEM, false, "openat2: ENOMEM"},
    {CALL_OPEN, EACCES, false, "openat2: EACCES"},
    {CALL_STAT, EIO, false, "fstat: EIO"},
    {CALL_STAT, ENOMEM, false, "fstat: ENOMEM"},
    {CALL_PREAD, EINTR, true, "pread: EINTR"},
    {CALL_PREAD, 0, true, "pread: one byte"},
    {CALL_PREAD, EIO, false, "pread: EIO"},
    {CALL_WAIT, EINTR, true, "epoll_wait: EINTR"},
    {CALL_CONTROL, ENOMEM, false, "epoll_ctl: ENOMEM"},
    {CALL_CONTROL, ENOSPC, false, "epoll_ctl: ENOSPC"},
};

static turn_rig rig;
static turn_client bystander = {.fd = -1};
static char folder[64], file[80];
static size_t survived;

static bool play_file(void)
{
    static turn_client c = {.fd = -1};
    turn_client_dial(&c, &rig);
    turn_client_sayf(&c, "GET /files/a.txt HTTP/1.1\r\nHost: x\r\n\r\n");
    bool ok = turn_client_hear(&c, "end of it");
    turn_client_close(&c);
    return ok;
}

static bool play(void)
{
    bool ok = play_file();
    ok = fault_scene_named("upgrade")->play(&rig) && ok;
    return fault_scene_named("websocket")->play(&rig) && ok;
}

static void settle(void)
{
    failing = CALL_NONE;
    turn_rig_settle(&rig, 1, 1);
    fault_bystander_check(&bystander, false);
}

static void open_rig(void)
{
    failing = CALL_NONE;
    fault_now = (fault){.at = FAULT_NEVER};
    fault_scene_open(fault_scene_named("websocket"), &rig);
    assert_int_equal(sio_server_serve_files(rig.server, "/files", folder),
                     SIO_OK);
    turn_rig_listen(&rig);
    fault_bystander_join(&bystander, &rig, false);
}

static void close_rig(void)
{
    turn_client_close(&bystander);
    turn_rig_free(&rig);
}

static bool play_failing(const struct row *row, size_t at)
{
    failing = row->which;
    error = row->error;
    fault_now = (fault){.at = at, .harmless = row->harmless};
    return play();
}

static void try_row(const struct row *row)
{
    size_t before = survived;
    if (!play_failing(row, FAULT_NEVER)) {
        fail_msg("%s: fails by itself", row->label);
    }
    size_t calls = fault_now.count;
    assert_true(calls > 0);
    settle();
    for (size_t at = 0; at < calls; at++) {
        bool ok = play_failing(row, at);
        if (!ok && row->harmless) {
            fail_msg("%s: call %zu is noticed", row->label, at);
        }
        survived += fault_has_struck();
        settle();
    }
    print_message("# %s: %zu survived\n", row->label, survived - before);
}

/* The kernel is asked once for many tokens. */
static void test_random(void **state)
{
    static const struct row randoms[] = {
        {CALL_RANDOM, EINTR, true, "getrandom: EINTR"},
        {CALL_RANDOM, 0, true, "getrandom: one byte"},
        {CALL_RANDOM, EAGAIN, false, "getrandom: EAGAIN"},
        {CALL_RANDOM, ENOSYS, false, "getrandom: ENOSYS"},
    };
    (void)state;
    open_rig();
    for (size_t i = 0; i < COUNT(randoms); i++) {
        const struct row *row = &randoms[i];
        size_t struck = 0;
        for (int left = 2000; struck < 5 && left > 0; left--) {
            bool ok = play_failing(row, 0);
            struck += fault_has_struck();
            if (fault_has_struck() && !row->harmless) {
                assert_false(ok);
            }
            settle();
        }
        assert_int_equal(struck, 5);
        survived += struck;
        print_message("# %s: %zu survived\n", row->label, struck);
    }
    assert_true(play());
    settle();
    close_rig();
}

static void test_scenes(void **state)
{
    (void)state;
    open_rig();
    for (size_t i = 0; i < COUNT(rows); i++) {
        try_row(&rows[i]);
    }
    assert_true(play());
    settle();
    close_rig();
    print_message("# %zu failures survived\n", survived);
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
    (void)state;
    open_rig();
    for (size_t i = 0; i < COUNT(errors); i++) {
        turn_client c = {.fd = -1};
        failing = CALL_ACCEPT;
        error = errors[i];
        fault_now = (fault){.lasting = true};
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
        failing = CALL_NONE;
        fault_now = (fault){.at = FAULT_NEVER};
        assert_true(turn_client_hear(&c, "127.0.0.1"));
        turn_client_close(&c);
        settle();
    }
    close_rig();
}

/* The kernel has no memory for the listener or the inbox to be watched. */
static void test_watching(void **state)
{
    (void)state;
    for (size_t calls = 1; calls < 4; calls++) {
        turn_client c = {.fd = -1};
        failing = CALL_CONTROL;
        error = ENOMEM;
        fault_now = (fault){.lasting = true};
        fault_scene_open(fault_scene_named("websocket"), &rig);
        turn_rig_listen(&rig);
        for (size_t i = 0; i < calls * 10; i++) {
            turn_rig_turn(&rig);
        }
        assert_in_range(fault_now.count, 1, 2 + calls * 2);
        failing = CALL_NONE;
        fault_now = (fault){.at = FAULT_NEVER};
        turn_client_dial(&c, &rig);
        turn_client_sayf(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_true(turn_client_hear(&c, "127.0.0.1"));
        turn_client_close(&c);
        fault_bystander_join(&bystander, &rig, false);
        assert_true(fault_scene_named("websocket")->play(&rig));
        settle();
        close_rig();
    }
}

/* A connection that cannot be watched ends, before any timeout. */
static void test_watching_one(void **state)
{
    turn_client c = {.fd = -1};
    (void)state;
    open_rig();
    failing = CALL_CONTROL;
    error = ENOSPC;
    fault_now = (fault){.at = 0};
    turn_client_dial(&c, &rig);
    turn_client_sayf(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_false(turn_client_hear(&c, "127.0.0.1"));
    assert_true(fault_has_struck());
    assert_true(c.ended);
    turn_client_close(&c);
    settle();
    close_rig();
}

/* ------------------------------------------------------------------- setup --
 */

static sio_error set_up(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.host = "127.0.0.1";
    config.port = 0;
    config.threads = 2;
    config.serve_client = false;
    config.log_level = SIO_LOG_ERROR;
    fault_now.on = true;
    sio_server *server = sio_server_new(&config);
    sio_error err = server == NULL ? SIO_ERR_IO : sio_server_listen(server);
    fault_now.on = false;
    sio_server_free(server);
    return err;
}

static void test_setup(void **state)
{
    static const struct row setups[] = {
        {CALL_EVENTFD, EMFILE, false, "eventfd: EMFILE"},
        {CALL_EVENTFD, ENOMEM, false, "eventfd: ENOMEM"},
        {CALL_SOCKET, EMFILE, false, "socket: EMFILE"},
        {CALL_SOCKET, ENOBUFS, false, "socket: ENOBUFS"},
        {CALL_BIND, EADDRINUSE, false, "bind: EADDRINUSE"},
        {CALL_BIND, EACCES, false, "bind: EACCES"},
        {CALL_LISTEN, EADDRINUSE, false, "listen: EADDRINUSE"},
        {CALL_RANDOM, EINTR, true, "getrandom: EINTR"},
        {CALL_RANDOM, ENOSYS, false, "getrandom: ENOSYS"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(setups); i++) {
        size_t at = 0;
        sio_error err;
        do {
            failing = setups[i].which;
            error = setups[i].error;
            fault_now = (fault){.at = at++};
            err = set_up();
            if (fault_has_struck() && (err == SIO_OK) != setups[i].harmless) {
                fail_msg("%s: %s", setups[i].label, sio_error_text(err));
            }
        } while (fault_has_struck());
        assert_int_equal(err, SIO_OK);
        assert_true(at > 1);
        print_message("# setup, %s: %zu survived\n", setups[i].label, at - 1);
    }
}

static int make_file(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/sio-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(file, sizeof(file), "%s/a.txt", folder);
    FILE *out = fopen(file, "w");
    return out == NULL || fputs("the end of it", out) < 0 || fclose(out) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file) != 0 || rmdir(folder) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setup),
        cmocka_unit_test(test_accept_while_it_lasts),
        cmocka_unit_test(test_watching),
        cmocka_unit_test(test_watching_one),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_scenes),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
