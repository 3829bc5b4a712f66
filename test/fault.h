#ifndef TEST_FAULT_H
#define TEST_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* The calls that can be made to fail: those of the allocator (fault_alloc.h),
 * and of the system (fault_calls.c). */
typedef enum fault_call {
    FAULT_MEMORY,
    FAULT_ACCEPT,
    FAULT_RECV,
    FAULT_SEND, /* send and sendmsg */
    FAULT_READ,
    FAULT_WRITE,
    FAULT_RANDOM,
    FAULT_OPEN, /* openat2 */
    FAULT_STAT,
    FAULT_PREAD,
    FAULT_WAIT,    /* epoll_wait */
    FAULT_CONTROL, /* epoll_ctl */
    FAULT_EPOLL,   /* epoll_create1 */
    FAULT_EVENTFD,
    FAULT_SOCKET,
    FAULT_BIND,
    FAULT_LISTEN,
    FAULT_RESOLVE, /* getaddrinfo */
    FAULT_FOPEN,
    FAULT_FREAD,
    FAULT_THREAD, /* pthread_create */
    FAULT_LSTAT,
    FAULT_CHMOD, /* and fchmod */
    FAULT_FLOCK,
} fault_call;

/*
 * Which of the calls that a test looks at fails.  The test puts functions of
 * its own in the place of libc's, which ask fault_strikes() each time.  Set it
 * while it is off, or no other thread runs; calls may be on any.
 */
typedef struct fault {
    bool on;      /* calls are counted; off while the test itself is at work */
    bool lasting; /* all that follow fail, too */
    size_t at;    /* the first that fails, from 0; FAULT_NEVER */
    size_t count;
    bool harmless; /* nothing that is waited for may be missing */
    fault_call which;
    int error; /* what a call of the system fails with; 0: it does less than it
                  was asked to */
} fault;

#define FAULT_NEVER ((size_t)-1)

extern fault fault_now;

/* Whose calls those of this thread are: the test's do not count, nor does what
 * is done before a new thread runs. */
typedef enum fault_thread {
    FAULT_THREAD_NEW, /* counts, if it is the process's first one */
    FAULT_THREAD_COUNTS,
    FAULT_THREAD_TEST
} fault_thread;

extern _Thread_local fault_thread fault_here;

/* For what may be called before a sanitizer has started. */
#define FAULT_PLAIN                                                            \
    __attribute__((no_sanitize("address"), no_sanitize("thread"),              \
                   no_sanitize("undefined")))

/* Counts a call; whether it has to fail. */
bool fault_strikes(fault_call which);

/* Is called for each that fails: a place for a debugger to stop at. */
void fault_struck(void);

/* Whether one has failed. */
bool fault_has_struck(void);

#endif
