#ifndef TEST_SIO_RIG_H
#define TEST_SIO_RIG_H

#include "socketio/core.h"
#include "test/engine_rig.h"

/*
 * The namespaces of a server over an engine rig: packets come from a script,
 * time stands until it is moved, and what the application is told is written
 * down.  Peers are called by the names they were opened with.
 */
typedef struct sio_rig {
    engine_rig engine;
    sio_core core;
    sio_loop loop;
    sio_loop *loops[1];
    sio_namespace *root;
    bool muted; /* nothing is written down */
    size_t len;
    char told[4096]; /* in words, behind a space each */
} sio_rig;

/* A connection.  Its memory is the rig's, and lasts as long. */
typedef struct sio_peer {
    sio_rig *rig;
    memory_transport *mt; /* the latest */
    eio_session *session; /* dead once sio_peer_open() is false */
} sio_peer;

/* Limits: depth 16, 4 attachments of together 64 bytes, 4 namespaces, 8 rooms,
 * 5000 ms until CONNECT.  Has the namespaces `/` and `/b`. */
void sio_rig_init(sio_rig *rig);

/* Closes what is open and sees that nothing is left. */
void sio_rig_deinit(sio_rig *rig);

/* The same in two steps, for what happens when a server is freed. */
void sio_rig_close(sio_rig *rig);
void sio_rig_free(sio_rig *rig);

sio_namespace *sio_rig_of(sio_rig *rig, const char *name);

/* Has what happens to sockets written down: +a when the socket of a has
 * connected, ~a(reason) when it is about to go, -a(reason) when it is gone;
 * with `/b` behind the name in namespaces but the main one. */
void sio_rig_listen(sio_namespace *nsp);

/* The same for rooms: created, joined by and left by a socket's id, deleted:
 * *r >r <r /r. */
void sio_rig_listen_rooms(sio_namespace *nsp);

/* Opens a session and lets its open packet out unseen.  `name` is borrowed,
 * and stands as the address in the request. */
sio_peer sio_rig_open(sio_rig *rig, memory_kind kind, const char *name);

/* The same with a request of the caller's own, which is taken. */
sio_peer sio_rig_open_by(sio_rig *rig, memory_kind kind, eio_request *request);

/* A websocket that has joined the main namespace, which is neither written
 * down nor seen. */
sio_peer sio_rig_join(sio_rig *rig, const char *name);

bool sio_peer_open(const sio_peer *peer);

/* The client's socket in the namespace, or NULL. */
sio_socket *sio_peer_socket(const sio_peer *peer, const char *nsp);

/* Gives the engine a message, as text behind its `4`, or binary. */
void sio_peer_send(const sio_peer *peer, const char *text);
void sio_peer_send_binary(const sio_peer *peer, sio_bytes bytes);

/* Ends a turn.  Then what the peer has seen since the last call, where the
 * sid in a CONNECT packet is `*`; lent until the next call. */
const char *sio_peer_said(const sio_peer *peer);

/* The name of the socket's peer. */
const char *sio_rig_name(const sio_socket *socket);

/* Writes down. */
__attribute__((format(printf, 2, 3))) void sio_rig_tell(sio_rig *rig,
                                                        const char *fmt, ...);

/* What was written down since the last call, lent until the next. */
const char *sio_rig_told(sio_rig *rig);

/* The rig of a namespace made by sio_rig_init() or sio_rig_of(). */
sio_rig *sio_rig_around(const sio_namespace *nsp);

#endif
