#ifndef SOCKETIO_NAMESPACE_H
#define SOCKETIO_NAMESPACE_H

/* Namespaces: handlers, middlewares, parents that make them when asked for. */

#include "socketio/socket.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The namespace `name`, made on first use; a missing leading `/` is added.
 * Borrowed from the server.  NULL when `name` holds a comma, or when memory
 * is short.  Any thread.
 */
SIO_API sio_namespace *sio_server_of(sio_server *server, const char *name);

/* Both any thread. */
SIO_API const char *sio_namespace_name(const sio_namespace *nsp);
SIO_API sio_server *sio_namespace_server(const sio_namespace *nsp);

/* Sockets connected to this namespace, on all loops.  Any thread. */
SIO_API size_t sio_namespace_count(const sio_namespace *nsp);

/*
 * What the loop of the calling thread has: sockets in `room`; rooms that have
 * at least one socket, own-id rooms left out; the connected socket with this
 * id, borrowed, or NULL.  With one thread that is all there is;
 * sio_broadcast_count() and sio_broadcast_fetch() ask all loops.  Loop: on a
 * thread that is none of the server's there is nothing.
 */
SIO_API size_t sio_namespace_room_count(const sio_namespace *nsp,
                                        const char *room);

/* Loop. */
SIO_API size_t sio_namespace_rooms(const sio_namespace *nsp);

/* Loop. */
SIO_API sio_socket *sio_namespace_socket(const sio_namespace *nsp,
                                         const char *id);

typedef void sio_event_fn(sio_socket *socket, sio_event *event, void *arg);

/* Visits each connected socket of the calling thread's loop; `fn` may
 * disconnect any of them.  Loop; sio_broadcast_each() visits those of all
 * loops. */
SIO_API void sio_namespace_each(sio_namespace *nsp, sio_socket_fn *fn,
                                void *arg);

/* The same for the members of `room`.  Loop. */
SIO_API void sio_namespace_each_in(sio_namespace *nsp, const char *room,
                                   sio_socket_fn *fn, void *arg);

/*
 * Registers a handler for an event of this name from any client of this
 * namespace.  Handlers of one event run in the order of registration.  `arg`
 * is handed back untouched and stays yours.
 *
 * This and all that registers handlers below is Setup: with several threads
 * handlers cannot change while the server listens, as all loops read them.
 *
 * Returns SIO_OK, SIO_ERR_RESERVED for a name that no client may use,
 * SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 */
SIO_API sio_error sio_namespace_on(sio_namespace *nsp, const char *event,
                                   sio_event_fn *fn, void *arg);

/* Registers a handler for every event, called before those by name.  Setup. */
SIO_API sio_error sio_namespace_on_any(sio_namespace *nsp, sio_event_fn *fn,
                                       void *arg);

/* Takes back what sio_namespace_on() registered with the same three values;
 * nothing happens when there is no such handler, or when it is too late.
 * Setup. */
SIO_API void sio_namespace_off(sio_namespace *nsp, const char *event,
                               sio_event_fn *fn, void *arg);

/* Registers a handler for a socket that has connected: its CONNECT packet is
 * queued, so what the handler emits comes behind it.  Setup. */
SIO_API sio_error sio_namespace_on_connection(sio_namespace *nsp,
                                              sio_socket_fn *fn, void *arg);

/*
 * Told of the end of a socket.  `why` is the error behind the reason, such as
 * SIO_ERR_OVERLAP for "transport error", or SIO_OK.
 */
typedef void sio_disconnect_fn(sio_socket *socket, sio_disconnect_reason reason,
                               sio_error why, void *arg);

/* The socket is about to go: its rooms are still there.  Setup. */
SIO_API sio_error sio_namespace_on_disconnecting(sio_namespace *nsp,
                                                 sio_disconnect_fn *fn,
                                                 void *arg);

/* The socket is gone: the last call about it.  Setup. */
SIO_API sio_error sio_namespace_on_disconnect(sio_namespace *nsp,
                                              sio_disconnect_fn *fn, void *arg);

/* All that was queued for the socket's connection has been handed to the
 * kernel, or to the poll that fetched it.  Setup. */
SIO_API sio_error sio_namespace_on_drained(sio_namespace *nsp,
                                           sio_socket_fn *fn, void *arg);

/* The socket's connection has moved to another transport.  Setup. */
SIO_API sio_error sio_namespace_on_upgrade(sio_namespace *nsp,
                                           sio_socket_fn *fn, void *arg);

/*
 * A middleware decides on a client that wants to connect.  Middlewares run in
 * the order of registration, each after the one before has called
 * sio_next_allow().  The socket has its id and handshake and may join rooms,
 * which is undone on refusal; it is not connected.
 *
 * Answer `next` exactly once, now or later, from any thread.  The client may
 * have left meanwhile; the answer then has no effect.  sio_server_free()
 * ends those that were not answered.
 */
typedef void sio_middleware_fn(sio_socket *socket, sio_next *next, void *arg);
SIO_API sio_error sio_namespace_use(sio_namespace *nsp, sio_middleware_fn *fn,
                                    void *arg);

/* Goes on to the next middleware, or connects.  Takes `next`.  Any thread. */
SIO_API void sio_next_allow(sio_next *next);

/* Refuses: the client gets a CONNECT_ERROR with `message` and, if `data` is
 * not NULL, with that JSON text as `data`; malformed JSON is left out and
 * logged.  Takes `next`, borrows the strings.  Any thread. */
SIO_API void sio_next_refuse(sio_next *next, const char *message,
                             const char *data);

typedef enum sio_room_change {
    SIO_ROOM_CREATED,
    SIO_ROOM_JOINED,
    SIO_ROOM_LEFT,
    SIO_ROOM_DELETED
} sio_room_change;

/* Told of rooms; `id` is the socket's id, or NULL for created and deleted. Each
 * loop has its own part of a room, which it creates and deletes.  Rooms named
 * by a socket's own id are not reported.  Setup. */
typedef void sio_room_fn(sio_namespace *nsp, sio_room_change change,
                         const char *room, const char *id, void *arg);
SIO_API sio_error sio_namespace_on_room(sio_namespace *nsp, sio_room_fn *fn,
                                        void *arg);

/* As sio_namespace_on(), for the first such event of any client; it is then
 * taken back by itself.  Setup. */
SIO_API sio_error sio_namespace_once(sio_namespace *nsp, const char *event,
                                     sio_event_fn *fn, void *arg);

/* A handler, and what it was registered with. */
typedef struct sio_listener {
    sio_event_fn *fn;
    void *arg;
} sio_listener;

/*
 * Catch-all handlers.  Those of sio_namespace_on_any() hear of every event that
 * comes, before middlewares of events decide on it and before handlers by name,
 * and may acknowledge it.  prepend puts one before all there are; off takes
 * back the one with these values, or all where `fn` is NULL, and does nothing
 * when it is too late.  listeners fills `out` with up to `cap` of them in their
 * order, and returns how many there are.  Setup; listeners: Loop.
 */
SIO_API sio_error sio_namespace_prepend_any(sio_namespace *nsp,
                                            sio_event_fn *fn, void *arg);
SIO_API void sio_namespace_off_any(sio_namespace *nsp, sio_event_fn *fn,
                                   void *arg);
SIO_API size_t sio_namespace_listeners_any(const sio_namespace *nsp,
                                           sio_listener *out, size_t cap);

/*
 * The same for events that go out: called once for each socket that an emit or
 * a broadcast is sent to, on the socket's loop, before it is sent.  The event
 * has name and arguments, and nothing to acknowledge.  Not called for acks, for
 * volatile events that are dropped, and for arguments that are malformed.  A
 * handler that disconnects the socket stops the event; one that emits to it is
 * called for that too.  Broadcasts are sent one by one then, not gathered for
 * the turn.  Setup; listeners: Loop.
 */
SIO_API sio_error sio_namespace_on_any_outgoing(sio_namespace *nsp,
                                                sio_event_fn *fn, void *arg);
SIO_API sio_error sio_namespace_prepend_any_outgoing(sio_namespace *nsp,
                                                     sio_event_fn *fn,
                                                     void *arg);
SIO_API void sio_namespace_off_any_outgoing(sio_namespace *nsp,
                                            sio_event_fn *fn, void *arg);
SIO_API size_t sio_namespace_listeners_any_outgoing(const sio_namespace *nsp,
                                                    sio_listener *out,
                                                    size_t cap);

/*
 * A middleware of events decides on each event of a connected socket, after the
 * catch-all handlers and before those by name; several run in the order of
 * registration, each after the one before has let it pass.  It may change the
 * event by sio_event_set(), and acknowledge it.
 *
 * Answer `next` exactly once, now or later, from any thread.  `event` is valid
 * until then, and until the middleware has returned; it is for the socket's
 * loop.  Of one socket, later events overtake one that waits.  Where the socket
 * is disconnected meanwhile, an answer has no effect.
 *
 * Events that wait are copied.  A client for which more of them wait than
 * max_payload x max_attachments bytes and 64 KiB, each counted as 1 KiB at
 * least, is closed with SIO_ERR_LIMIT.  Setup.
 */
typedef void sio_event_middleware_fn(sio_socket *socket, sio_event *event,
                                     sio_event_next *next, void *arg);
SIO_API sio_error sio_namespace_use_events(sio_namespace *nsp,
                                           sio_event_middleware_fn *fn,
                                           void *arg);

/* The event goes on; or goes no further, and nobody is told; or fails, and
 * those of sio_namespace_on_event_error() are told.  Nothing is sent to the
 * client in the latter two, and its ack stays unanswered unless somebody
 * answers it.  `data` is any text, or NULL.  All take `next`, borrow the
 * strings.  Any thread. */
SIO_API void sio_event_next_pass(sio_event_next *next);
SIO_API void sio_event_next_drop(sio_event_next *next);
SIO_API void sio_event_next_fail(sio_event_next *next, const char *message,
                                 const char *data);

/* Told of an event that a middleware has let fail; without such a handler it is
 * logged as `event_refused`.  Setup. */
typedef void sio_event_error_fn(sio_socket *socket, sio_event *event,
                                const char *message, const char *data,
                                void *arg);
SIO_API sio_error sio_namespace_on_event_error(sio_namespace *nsp,
                                               sio_event_error_fn *fn,
                                               void *arg);

/*
 * Parents: namespaces that clients make.  A parent has no sockets and no name
 * that a client could use, but children.  A client that asks for a namespace
 * that there is not gets one where a parent takes it; parents are asked in the
 * order in which they were made.  Handlers, middlewares and hooks of the parent
 * are those of each child, also of those that were there before; a child may
 * have more of its own, which run behind them.  Broadcasts of a parent reach
 * the sockets of all children, as one would in each child; events emitted to a
 * parent by sio_namespace_emit_server() only its own handlers.
 *
 * A child made for a client may go as soon as it has no socket, if
 * cleanup_empty_child_namespaces says so; then its name is free.  So keep it
 * by sio_namespace_ref(), or as long as a socket that is in it; for a
 * sio_broadcast the same holds.  One that was asked for by sio_server_of()
 * stays, and so do all that have no parent.
 *
 * With cleanup off children stay until the server is freed: set it where
 * clients choose names freely.  max_dynamic_namespaces is the limit, above
 * which a client is told that there is no such namespace.
 */

/*
 * The parent of all names that `pattern` describes, made on first use: a `*`
 * stands for one or more bytes other than `/`, all else for itself, as in
 * "/tenant-*".  A namespace that sio_server_of() makes later belongs to the
 * first parent by pattern that its name fits.
 *
 * Borrowed from the server.  NULL for a pattern without a leading `/` or with
 * a comma, when it is too late, or when memory is short.  Setup.
 */
SIO_API sio_namespace *sio_server_of_pattern(sio_server *server,
                                             const char *pattern);

/*
 * Decides whether a client may have a namespace that there is not.  Answer
 * `claim` exactly once, now or later, from any thread; the client waits until
 * then.  It may have left meanwhile; the answer then has no effect.
 * sio_server_free() ends those that were not answered.
 */
typedef void sio_claim_fn(sio_claim *claim, void *arg);

/* A parent for which `fn` decides, called with `arg`.  As above, but each call
 * makes another one.  Setup. */
SIO_API sio_namespace *sio_server_of_check(sio_server *server, sio_claim_fn *fn,
                                           void *arg);

/* The name that is asked for, with its slash; the client's auth as JSON text,
 * "{}" when none.  Borrowed until the answer.  Any thread. */
SIO_API const char *sio_claim_name(const sio_claim *claim);
SIO_API const char *sio_claim_auth(const sio_claim *claim);

/* As sio_socket_handshake(), until the answer.  Loop: in the callback. */
SIO_API const sio_handshake *sio_claim_handshake(const sio_claim *claim);

/* Make the namespace, a child of the parent that asked, or go on to the next
 * parent that may take it; behind the last the client gets a CONNECT_ERROR,
 * "Invalid namespace".  Both take `claim`.  Any thread. */
SIO_API void sio_claim_allow(sio_claim *claim);
SIO_API void sio_claim_refuse(sio_claim *claim);

/*
 * Registers a hook for namespaces that are new, but for `/` and parents.  It is
 * called where the namespace is made: on the thread that calls sio_server_of()
 * for the first time, or on the loop of the client that gets it.  In it, and
 * with several threads only in it, handlers may be added to the namespace after
 * sio_server_listen().  No other namespace is made meanwhile, but by the hook
 * itself, so it must not wait for another thread.
 *
 * Returns SIO_OK, SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 * Setup.
 */
typedef void sio_namespace_fn(sio_namespace *nsp, void *arg);
SIO_API sio_error sio_server_on_namespace(sio_server *server,
                                          sio_namespace_fn *fn, void *arg);

/* Gives the namespace `name`, with its slash, if it is there; or NULL.  Unlike
 * sio_server_of() it neither makes it nor has it stay: let go of it by
 * sio_namespace_unref().  Any thread. */
SIO_API sio_namespace *sio_server_find(sio_server *server, const char *name);

/* Holds a namespace, for as long as its address is used.  What has no parent
 * stays anyway, and is not counted.  Ref returns `nsp`; unref allows NULL.
 * Any thread. */
SIO_API sio_namespace *sio_namespace_ref(sio_namespace *nsp);
SIO_API void sio_namespace_unref(sio_namespace *nsp);

/* Lends the parent, or NULL.  Any thread. */
SIO_API sio_namespace *sio_namespace_parent(const sio_namespace *nsp);

/* Visits all namespaces that there are at the time of the call, but parents, in
 * no order; `fn` may do anything.  Returns SIO_OK or SIO_ERR_NO_MEMORY.  Any
 * thread. */
SIO_API sio_error sio_server_each_namespace(sio_server *server,
                                            sio_namespace_fn *fn, void *arg);

/*
 * A session that was stored for recovery is over: time is up, or memory was
 * needed for others.  `id` was its socket's, `data` is what the socket had; it
 * is destroyed when the handlers have returned.  Not called for what is stored
 * when the server closes.  Setup; called on the loop.
 */
typedef void sio_expired_fn(sio_namespace *nsp, const char *id, void *data,
                            void *arg);
SIO_API sio_error sio_namespace_on_expired(sio_namespace *nsp,
                                           sio_expired_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif
