#ifndef TEST_LISTENER_RIG_H
#define TEST_LISTENER_RIG_H

#include "transport/listener.h"

#define LISTENER_RIG_MOST 100

/* A listener and a loop, with real sockets on loopback, and an owner that keeps
 * what comes.  Where nothing happens for ten seconds, a test fails. */
typedef struct listener_rig {
    tp_loop loop;
    sio_log log;
    ev_timer patience;
    bool ipv6_only; /* how it is going to listen */
    tp_listener listener;
    tp_stream *streams[LISTENER_RIG_MOST]; /* what has come */
    size_t came;
    char heard[16];               /* on all of them, as text */
    int peers[LISTENER_RIG_MOST]; /* the clients' ends; owned */
    size_t dialled;
    unsigned logged; /* events, of which this is the latest: */
    int level;
    char event[32], text[512];
    uint64_t when;
} listener_rig;

/* A rig that does not listen yet. */
void listener_rig_init(listener_rig *r);
sio_error listener_rig_listen(listener_rig *r, const char *host, uint16_t port,
                              tp_listener_share share);

/* The same at a unix socket. */
sio_error listener_rig_listen_unix(listener_rig *r, const char *path,
                                   unsigned mode);

/* A rig that listens alone at a free port. */
void listener_rig_open(listener_rig *r, const char *host);

/* Closes all, and sees that no timer is left. */
void listener_rig_deinit(listener_rig *r);

uint64_t listener_rig_count(const listener_rig *r, sio_counter counter);

/* One turn, which waits until something happens. */
void listener_rig_turn(listener_rig *r);

/* Turns until so many have come, or so many bytes were heard, in all. */
void listener_rig_await(listener_rig *r, size_t want);
void listener_rig_hear(listener_rig *r, size_t want);

/* Connects to a numeric address: a descriptor, or -1 with errno. */
int listener_rig_connect(const char *ip, uint16_t port);

/* Connects, and returns when the connection waits to be accepted: a client
 * knows of it a moment before the server does.  The rig owns the descriptor. */
int listener_rig_dial(listener_rig *r, const char *ip);

/* The same at a unix socket, where a connection waits as soon as it is made. */
int listener_rig_connect_unix(const char *path);
int listener_rig_dial_unix(listener_rig *r, const char *path);

/* For before and after each test: it gives back what it has opened. */
int listener_rig_setup(void **state);
int listener_rig_teardown(void **state);

#endif
