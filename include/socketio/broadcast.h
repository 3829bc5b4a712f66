#ifndef SOCKETIO_BROADCAST_H
#define SOCKETIO_BROADCAST_H

/* Broadcasts: what is sent to, and done with, many sockets at once. */

#include "socketio/event.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SIO_BROADCAST_ROOMS = 8 };

/*
 * Whom a broadcast is for, as a value: copy it, build on it, emit with it as
 * often as you like; each function returns a changed copy.  It owns nothing:
 * names and sockets are borrowed and must be valid when it is used.  More
 * than SIO_BROADCAST_ROOMS names of a kind make the emit fail with
 * SIO_ERR_ARGUMENT; use the functions with lists for those.
 *
 * Any thread makes and uses them.  A broadcast reaches the recipients on the
 * calling thread's loop before the call returns, those on other loops when
 * their turn comes: those who are in the room by then.
 */
typedef struct sio_broadcast {
    sio_namespace *nsp;
    sio_socket *except_socket;
    const char *to[SIO_BROADCAST_ROOMS];
    const char *except[SIO_BROADCAST_ROOMS];
    const char *const *to_list;
    const char *const *except_list;
    size_t to_list_count, except_list_count;
    unsigned to_count, except_count;
    unsigned flags;
    uint32_t timeout_ms;
} sio_broadcast;

/* All sockets of the namespace.  Any thread. */
SIO_API sio_broadcast sio_namespace_broadcast(sio_namespace *nsp);

/* All sockets of the socket's namespace but itself.  Any thread. */
SIO_API sio_broadcast sio_socket_broadcast(sio_socket *socket);

/* Adds a room (or a socket's id); several are a union in which each socket
 * counts once.  Any thread. */
SIO_API sio_broadcast sio_broadcast_to(sio_broadcast b, const char *room);

/* Leaves out the members of a room (or a socket by its id).  Any thread. */
SIO_API sio_broadcast sio_broadcast_except(sio_broadcast b, const char *room);

/* Any number of rooms; `rooms` is borrowed until the broadcast is used.  They
 * replace an earlier list and add to single rooms.  Any thread. */
SIO_API sio_broadcast sio_broadcast_to_list(sio_broadcast b,
                                            const char *const *rooms,
                                            size_t count);
SIO_API sio_broadcast sio_broadcast_except_list(sio_broadcast b,
                                                const char *const *rooms,
                                                size_t count);

/* Dropped for each recipient for whom something waits to be sent.
 * Any thread. */
SIO_API sio_broadcast sio_broadcast_volatile(sio_broadcast b);

/* Whether answers that carry it may be compressed; they may, unless told.
 * Any thread. */
SIO_API sio_broadcast sio_broadcast_compress(sio_broadcast b, bool compress);

/* This server only, where several are connected by an adapter.  Any thread. */
SIO_API sio_broadcast sio_broadcast_local(sio_broadcast b);

/* Shortcuts for the two that are used most.  Any thread. */
SIO_API sio_broadcast sio_namespace_to(sio_namespace *nsp, const char *room);
SIO_API sio_broadcast sio_socket_to(sio_socket *socket, const char *room);

/* Emit as the functions for one socket do; no recipient is no error.
 * Any thread. */
SIO_API sio_error sio_broadcast_emit(sio_broadcast b, const char *event,
                                     const char *format, ...);
SIO_API sio_error sio_broadcast_emit_json(sio_broadcast b, const char *event,
                                          const char *json, size_t len);
SIO_API sio_error sio_broadcast_emit_args(sio_broadcast b, const char *event,
                                          const sio_args *args);

/*
 * Receives the answers to a broadcast, once, on the loop of the thread that
 * asked, or, where that is none of the server's, on its first one.  `answers`
 * is the inner text of a JSON array with the first argument of each answer,
 * in the order of arrival on each loop (null where an answer had none, or was
 * binary), valid until the call returns; `count` says how many came and
 * `expected` how many clients were asked.  `err` is SIO_OK when all came,
 * SIO_ERR_TIMEOUT otherwise.
 */
typedef void sio_answers_fn(sio_error err, const char *answers, size_t len,
                            size_t count, size_t expected, void *arg);

/* Emits and asks every recipient for an acknowledgement, within `timeout_ms`
 * (at least 1).  With no recipient, `on_answers` is told so in a later turn.
 * Called if, and only if, SIO_OK is returned and the server is not freed
 * before.  Any thread. */
SIO_API sio_error sio_broadcast_emit_ack(sio_broadcast b, const char *event,
                                         uint32_t timeout_ms,
                                         sio_answers_fn *on_answers, void *arg,
                                         const char *format, ...);

/*
 * Make every matching socket join, leave or disconnect; `close` ends the whole
 * connection.  Any thread; on other loops it is done when their turn
 * comes.
 *
 * Return SIO_OK, SIO_ERR_ARGUMENT for too many rooms, SIO_ERR_NO_MEMORY, and
 * joining SIO_ERR_LIMIT where a socket of the calling thread's loop has reached
 * max_rooms; those that could have joined.
 */
SIO_API sio_error sio_broadcast_join(sio_broadcast b, const char *room);
SIO_API sio_error sio_broadcast_leave(sio_broadcast b, const char *room);
SIO_API sio_error sio_broadcast_disconnect(sio_broadcast b, bool close);

/*
 * Calls `fn` with `arg` for every matching socket, on the socket's own loop:
 * for those of the calling thread's before this returns, for others when their
 * turn comes.  Any thread.  Returns as sio_broadcast_leave().
 */
SIO_API sio_error sio_broadcast_each(sio_broadcast b, sio_socket_fn *fn,
                                     void *arg);

/*
 * Receives the sockets that a broadcast would reach, on the loop of the thread
 * that asked, or, where that is none of the server's, on its first one.
 * `sockets` are valid until the call returns; keep one with sio_socket_ref().
 * Those of other loops may have left by now, and bear only what may be done
 * from any thread.  `err` is SIO_OK, or SIO_ERR_NO_MEMORY when some are
 * missing.
 */
typedef void sio_sockets_fn(sio_error err, sio_socket *const *sockets,
                            size_t count, void *arg);
typedef void sio_count_fn(sio_error err, size_t count, void *arg);

/*
 * Ask all loops which sockets a broadcast would reach, or how many.  The answer
 * comes once, in a later turn, unless the server is freed before.  Any
 * thread.
 *
 * Return SIO_OK, SIO_ERR_ARGUMENT for too many rooms, or SIO_ERR_NO_MEMORY.
 */
SIO_API SIO_CHECK sio_error sio_broadcast_fetch(sio_broadcast b,
                                                sio_sockets_fn *fn, void *arg);
SIO_API SIO_CHECK sio_error sio_broadcast_count(sio_broadcast b,
                                                sio_count_fn *fn, void *arg);

/*
 * What there is to know of a socket, as it was when its loop was asked; all of
 * it is valid until the callback returns.
 */
typedef struct sio_socket_info {
    sio_socket *socket; /* as for sio_sockets_fn; NULL: of another server */
    const char *id;
    const char *const *rooms;
    size_t room_count;     /* the own id is the first */
    const char *handshake; /* JSON, as of sio_socket_handshake_json() */
    size_t handshake_len;
    void *data; /* as of sio_socket_data(); the socket's loop may have replaced
                   it by now, and it needs a lock where other loops use it */
    const char *data_json; /* as of the config's on_data_json(); or NULL */
    size_t data_json_len;
} sio_socket_info;

typedef void sio_infos_fn(sio_error err, const sio_socket_info *infos,
                          size_t count, void *arg);

/* As sio_broadcast_fetch(), with what of the sockets may only be asked for on
 * their own loops.  Any thread. */
SIO_API SIO_CHECK sio_error sio_broadcast_fetch_infos(sio_broadcast b,
                                                      sio_infos_fn *fn,
                                                      void *arg);

/*
 * Events between parts of the application: what is emitted to a namespace's
 * server events is heard by those who registered for the name, on the first
 * loop, in a later turn.  No client has to do with it.
 *
 * `args` are borrowed until the callback returns.  `reply` is NULL where nobody
 * asks; else answer it once, now or later, by sio_reply_send().
 *
 * on returns SIO_OK, SIO_ERR_RESERVED for `connect`, `connection` and
 * `new_namespace`, SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 * Setup.
 */
typedef void sio_server_event_fn(sio_namespace *nsp, const char *event,
                                 const sio_args *args, sio_reply *reply,
                                 void *arg);
SIO_API sio_error sio_namespace_on_server_event(sio_namespace *nsp,
                                                const char *event,
                                                sio_server_event_fn *fn,
                                                void *arg);

/* Emits to those, with arguments packed as by sio_socket_emit().  Any thread.
 * Returns SIO_OK, SIO_ERR_RESERVED, SIO_ERR_ARGUMENT for a bad format,
 * SIO_ERR_CLOSED, or SIO_ERR_NO_MEMORY. */
SIO_API sio_error sio_namespace_emit_server(sio_namespace *nsp,
                                            const char *event,
                                            const char *format, ...);

/* The same, and gathers what they answer within `timeout_ms` (at least 1); all
 * as for sio_broadcast_emit_ack(), but that `on_answers` is called on the first
 * loop.  Any thread. */
SIO_API sio_error sio_namespace_emit_server_ack(
    sio_namespace *nsp, const char *event, uint32_t timeout_ms,
    sio_answers_fn *on_answers, void *arg, const char *format, ...);

/* Answers with the first of the packed arguments, null where there is none or
 * the format is bad.  Takes `reply`, in any case.  Returns SIO_OK,
 * SIO_ERR_ARGUMENT or SIO_ERR_NO_MEMORY.  Any thread. */
SIO_API sio_error sio_reply_send(sio_reply *reply, const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
