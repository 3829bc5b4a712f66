#ifndef TP_LISTENER_H
#define TP_LISTENER_H

#include <sys/types.h>

#include "transport/loop.h"
#include "transport/stream.h"

/* Addresses that one host name may stand for. */
#define TP_LISTENER_SOCKETS 4

/* The file of a unix socket. */
typedef struct tp_listener_file {
    char *path; /* owned; NULL: there is none */
    dev_t device;
    ino_t inode;
} tp_listener_file;

/*
 * Accepts connections for one loop.  When descriptors or memory run out it
 * rests for a moment instead of spinning.
 */
typedef struct tp_listener {
    sio_link link; /* for the owner's list */
    tp_loop *loop;
    ev_io sockets[TP_LISTENER_SOCKETS];
    int count;
    int backlog;              /* connections that the kernel keeps for each */
    uint16_t port;            /* the one that was bound */
    bool proxy;               /* connections begin with a PROXY header */
    struct tp_tls_place *tls; /* borrowed; NULL: there is no TLS */
    sio_timer rest;
    tp_listener_file file;

    /* Takes a new stream, which is of no loop yet. */
    void (*connection)(void *owner, tp_stream *stream);
    void *owner;
} tp_listener;

/* Whether others listen at the same place, each on its own loop: then the
 * kernel shares connections out.  The first of them makes sure that nobody
 * else is there. */
typedef enum tp_listener_share {
    TP_LISTENER_ALONE,
    TP_LISTENER_FIRST,
    TP_LISTENER_NEXT
} tp_listener_share;

/* Where and how to listen. */
typedef struct tp_listener_at {
    const char *host; /* NULL: every address of both families */
    uint16_t port;    /* 0: a free one */
    bool ipv6_only;   /* IPv6 alone; else an IPv6 address that stands for all
                         takes IPv4 too */
    int backlog;
    tp_listener_share share;
} tp_listener_at;

/*
 * Binds, and accepts from now on.  The caller has set `loop`, `connection`,
 * `owner`, `proxy` and `tls`, and zeroed the rest.  Fails with ADDRESS, having
 * logged why.
 */
sio_error tp_listener_open(tp_listener *l, const tp_listener_at *how);

/*
 * The same at a unix socket: the file `path`, or, where that begins with `@`,
 * the abstract name behind it.  `mode` are the file's permissions, 0 for what
 * umask leaves.
 *
 * The file of a server that has not removed it is replaced.  One on which
 * somebody listens is not, nor is what is no socket: ADDRESS.
 */
sio_error tp_listener_open_unix(tp_listener *l, const char *path, unsigned mode,
                                int backlog);

/* Stops accepting, closes the sockets and removes the file; twice is the same
 * as once. */
void tp_listener_close(tp_listener *l);

#endif
