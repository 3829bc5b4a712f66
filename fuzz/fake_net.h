#ifndef FUZZ_FAKE_NET_H
#define FUZZ_FAKE_NET_H

/*
 * Sockets and a clock that a script drives, in the place of the kernel's: the
 * linker's --wrap leads the calls of the library here (see meson.build).  A
 * descriptor is one end of an empty pipe, so that libev may poll it and never
 * sees anything; fake_net_turn() tells it what has happened.
 */

#include <ev.h>

#include "fuzz/wire_check.h"

enum {
    FAKE_PLACES = 3, /* that are listened at, in the order of that */
    FAKE_CONNS = 12,
    FAKE_RESERVED = 1, /* of them, for a client that behaves */
    FAKE_IN = 16384,
    FAKE_HEALTHY_HOST = 99
};

#define FAKE_UNLIMITED ((size_t)-1)

typedef struct fake_conn {
    int fd;        /* -1: not accepted, or closed */
    int place;     /* where it connects */
    unsigned host; /* 10.0.0.`host` is where it comes from */
    bool waiting, shut;
    bool eof, reset;            /* what the client has done */
    size_t window;              /* bytes that send takes before EAGAIN */
    size_t send_most;           /* ... and in one call */
    size_t recv_most;           /* bytes that recv gives in one call */
    int recv_error, send_error; /* of the next call; 0: none */
    uint8_t in[FAKE_IN];        /* what the client has sent */
    size_t in_len;
    size_t taken; /* bytes sent to the client */
    wire_check wire;
} fake_conn;

extern fake_conn fake_conns[FAKE_CONNS];

/* The ids that the server has sent last, NUL-terminated: of a session, `pid`
 * of a CONNECT and the last string of an event. */
extern char fake_sid[64], fake_pid[64], fake_offset[64];

/* Clears all.  Until fake_net_end(), which checks that the server has closed
 * what it has opened, its calls come here. */
void fake_net_begin(struct ev_loop *ev);
void fake_net_end(void);

/* A client connects from 10.0.0.`host`, or, at a unix socket, from nowhere.
 * Gives its index; -1 if there are too many. */
int fake_net_connect(int place, unsigned host, wire_message_fn *message,
                     void *arg);

/* The next accept4() fails so. */
void fake_net_refuse(int error);

/* The client sends; what does not fit is dropped. */
void fake_net_write(int index, const void *data, size_t len);

/* One turn of the loop, with all that is due. */
void fake_net_turn(void);

/* Turns until nothing more moves, but not for ever. */
void fake_net_settle(void);

/* Lets time pass, without a turn. */
void fake_net_pass(uint64_t ms);

/* Sets the wall clock so many hours from where it would be. */
void fake_net_jump(int hours);

#endif
