#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/fault.h"

/* System calls that fail.  Those of the library come here as it is linked
 * (-Wl,--wrap), those of libev as the program's functions come before those of
 * libc. */

static bool strikes(fault_call which)
{
    if (!fault_strikes(which)) {
        return false;
    }
    errno = fault_now.error;
    return true;
}

/* How many bytes may be moved. */
static size_t cut(size_t len)
{
    return fault_now.error == 0 && len > 1 ? 1 : len;
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

int __real_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **list);
FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
size_t __real_fread(void *data, size_t size, size_t count, FILE *file);
size_t __wrap_fread(void *data, size_t size, size_t count, FILE *file);
int __real_ferror(FILE *file);
int __wrap_ferror(FILE *file);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*run)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*run)(void *arg), void *arg);
int __real_lstat64(const char *path, struct stat *st);
int __wrap_lstat64(const char *path, struct stat *st);
int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);
int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
    return strikes(FAULT_ACCEPT) ? -1 : __real_accept4(fd, at, len, flags);
}

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
    if (!strikes(FAULT_RECV)) {
        return __real_recv(fd, data, len, flags);
    }
    return fault_now.error == 0 ? __real_recv(fd, data, cut(len), flags) : -1;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    if (!strikes(FAULT_SEND)) {
        return __real_send(fd, data, len, flags);
    }
    return fault_now.error == 0 ? __real_send(fd, data, cut(len), flags) : -1;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (!strikes(FAULT_SEND)) {
        return __real_sendmsg(fd, msg, flags);
    }
    const struct iovec *first = msg->msg_iov;
    return fault_now.error == 0
               ? __real_send(fd, first->iov_base, cut(first->iov_len), flags)
               : -1;
}

ssize_t __wrap_read(int fd, void *data, size_t len)
{
    return strikes(FAULT_READ) ? -1 : __real_read(fd, data, len);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    return strikes(FAULT_WRITE) ? -1 : __real_write(fd, data, len);
}

ssize_t __wrap_getrandom(void *data, size_t len, unsigned flags)
{
    if (!strikes(FAULT_RANDOM)) {
        return __real_getrandom(data, len, flags);
    }
    return fault_now.error == 0 ? __real_getrandom(data, cut(len), flags) : -1;
}

long __wrap_syscall(long number, long a, long b, long c, long d)
{
    return strikes(FAULT_OPEN) ? -1 : __real_syscall(number, a, b, c, d);
}

int __wrap_fstat64(int fd, struct stat *st)
{
    return strikes(FAULT_STAT) ? -1 : __real_fstat64(fd, st);
}

ssize_t __wrap_pread64(int fd, void *data, size_t len, off_t at)
{
    if (!strikes(FAULT_PREAD)) {
        return __real_pread64(fd, data, len, at);
    }
    return fault_now.error == 0 ? __real_pread64(fd, data, cut(len), at) : -1;
}

int __wrap_eventfd(unsigned value, int flags)
{
    return strikes(FAULT_EVENTFD) ? -1 : __real_eventfd(value, flags);
}

int __wrap_socket(int domain, int type, int protocol)
{
    return strikes(FAULT_SOCKET) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len)
{
    return strikes(FAULT_BIND) ? -1 : __real_bind(fd, at, len);
}

int __wrap_listen(int fd, int backlog)
{
    return strikes(FAULT_LISTEN) ? -1 : __real_listen(fd, backlog);
}

int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, struct addrinfo **list)
{
    return strikes(FAULT_RESOLVE) ? fault_now.error
                                  : __real_getaddrinfo(host, port, hints, list);
}

FILE *__wrap_fopen64(const char *path, const char *mode)
{
    return strikes(FAULT_FOPEN) ? NULL : __real_fopen64(path, mode);
}

static bool reading_failed;

size_t __wrap_fread(void *data, size_t size, size_t count, FILE *file)
{
    reading_failed = strikes(FAULT_FREAD);
    return reading_failed ? 0 : __real_fread(data, size, count, file);
}

int __wrap_ferror(FILE *file)
{
    return reading_failed || __real_ferror(file);
}

/* What a thread is to run.  Enough for those that begin at the same time. */
typedef struct start {
    void *(*run)(void *arg);
    void *arg;
} start;

static start starts[64];
static unsigned next_start;

static void *run_start(void *arg)
{
    start s = *(start *)arg;
    fault_here = FAULT_THREAD_COUNTS;
    void *result = s.run(s.arg);
    fault_here = FAULT_THREAD_TEST;
    return result;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*run)(void *arg), void *arg)
{
    unsigned i = __atomic_fetch_add(&next_start, 1, __ATOMIC_RELAXED);
    start *s = &starts[i % (sizeof(starts) / sizeof(starts[0]))];
    if (strikes(FAULT_THREAD)) {
        return fault_now.error;
    }
    *s = (start){run, arg};
    return __real_pthread_create(thread, attr, run_start, s);
}

int __wrap_lstat64(const char *path, struct stat *st)
{
    return strikes(FAULT_LSTAT) ? -1 : __real_lstat64(path, st);
}

int __wrap_chmod(const char *path, mode_t mode)
{
    return strikes(FAULT_CHMOD) ? -1 : __real_chmod(path, mode);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return strikes(FAULT_CHMOD) ? -1 : __real_fchmod(fd, mode);
}

int __wrap_flock(int fd, int operation)
{
    return strikes(FAULT_FLOCK) ? -1 : __real_flock(fd, operation);
}

/* ----------------------------------------------------------------- libev's --
 */

typedef int wait_fn(int fd, struct epoll_event *events, int max, int timeout);
typedef int control_fn(int fd, int op, int target, struct epoll_event *event);

/* A data pointer becomes one to a function as dlsym(3) has it. */
static wait_fn *real_wait;
static control_fn *real_control;
static int (*real_create)(int flags);

__attribute__((constructor)) static void find_real(void)
{
    *(void **)(&real_wait) = dlsym(RTLD_NEXT, "epoll_wait");
    *(void **)(&real_control) = dlsym(RTLD_NEXT, "epoll_ctl");
    *(void **)(&real_create) = dlsym(RTLD_NEXT, "epoll_create1");
}

__attribute__((visibility("default"))) int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    return strikes(FAULT_WAIT) ? -1 : real_wait(fd, events, max, timeout);
}

__attribute__((visibility("default"))) int epoll_ctl(int fd, int op, int target,
                                                     struct epoll_event *event)
{
    return op != EPOLL_CTL_DEL && strikes(FAULT_CONTROL)
               ? -1
               : real_control(fd, op, target, event);
}

__attribute__((visibility("default"))) int epoll_create1(int flags)
{
    return strikes(FAULT_EPOLL) ? -1 : real_create(flags);
}
