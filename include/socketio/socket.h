#ifndef SOCKETIO_SOCKET_H
#define SOCKETIO_SOCKET_H

/* Sockets: one client in one namespace. */

#include "socketio/event.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SIO_DISCONNECT_MAP(X)                                                  \
    X(CLIENT_NAMESPACE_DISCONNECT, "client namespace disconnect")              \
    X(SERVER_NAMESPACE_DISCONNECT, "server namespace disconnect")              \
    X(SERVER_SHUTTING_DOWN, "server shutting down")                            \
    X(FORCED_CLOSE, "forced close")                                            \
    X(FORCED_SERVER_CLOSE, "forced server close")                              \
    X(PING_TIMEOUT, "ping timeout")                                            \
    X(TRANSPORT_CLOSE, "transport close")                                      \
    X(TRANSPORT_ERROR, "transport error")                                      \
    X(PARSE_ERROR, "parse error")

typedef enum sio_disconnect_reason {
#define SIO_DISCONNECT_NAME(name, text) SIO_DISCONNECT_##name,
    SIO_DISCONNECT_MAP(SIO_DISCONNECT_NAME)
#undef SIO_DISCONNECT_NAME
} sio_disconnect_reason;

/* The reason as the official server spells it, static.  Any thread. */
SIO_API const char *sio_disconnect_text(sio_disconnect_reason reason);

/* 20 characters, unlike the session's id; what the client knows as its id.
 * These two any thread. */
SIO_API const char *sio_socket_id(const sio_socket *socket);
SIO_API sio_namespace *sio_socket_namespace(const sio_socket *socket);

/* Between the connection handlers and the disconnect handlers.  Any thread;
 * elsewhere than on its loop it may be over in the next moment. */
SIO_API bool sio_socket_connected(const sio_socket *socket);

/* The Engine.IO session that carries it; NUL-terminated, borrowed, "" once
 * that is gone.  Loop, like the two below. */
SIO_API const char *sio_socket_session_id(const sio_socket *socket);

/* "polling" or "websocket"; "" once the session is gone.  Static.  Loop. */
SIO_API const char *sio_socket_transport(const sio_socket *socket);

/* The revision of Engine.IO that the client speaks: 4, or 3 for clients of
 * Socket.IO 1 and 2.  Loop. */
SIO_API unsigned sio_socket_protocol(const sio_socket *socket);

/* Bytes queued for the socket's connection that the kernel has not taken.
 * Loop. */
SIO_API size_t sio_socket_backlog(const sio_socket *socket);

/* Keeps `socket` valid beyond the callback; it does not keep it connected.
 * Each is undone by one sio_socket_unref().  Returns `socket`.  Any thread,
 * while the socket is valid there: in its callbacks, or by another reference.
 */
SIO_API sio_socket *sio_socket_ref(sio_socket *socket);
SIO_API void sio_socket_unref(sio_socket *socket);

/*
 * Runs `fn` with the socket and `arg` on the socket's loop, in a later turn, in
 * the order of posting; it may be over for the socket by then.  `arg` stays the
 * caller's.  Any thread.  `fn` is not called when the server is freed
 * before its turn comes.
 *
 * Returns SIO_OK, SIO_ERR_CLOSED when the socket or the server has ended, or
 * SIO_ERR_NO_MEMORY.
 */
SIO_API SIO_CHECK sio_error sio_socket_post(sio_socket *socket,
                                            sio_socket_fn *fn, void *arg);

/* Attaches a pointer of the application.  `destroy`, unless NULL, is called
 * with it when it is replaced or the socket's memory goes, which is on the
 * thread that lets go of the last reference.  Loop. */
SIO_API void sio_socket_set_data(sio_socket *socket, void *data,
                                 void (*destroy)(void *data));
SIO_API void *sio_socket_data(const sio_socket *socket);

/*
 * Emits an event.  `format` and what follows are packed as by jansson's
 * json_pack(), one item per argument: sio_socket_emit(s, "said", "s{s:i}",
 * "hello", "at", 5); NULL sends none.
 *
 * The packet is queued, not sent: success says nothing about the network.  Any
 * thread, like all that emits: there success says that it is on its way to the
 * socket's loop.
 *
 * Returns SIO_OK, or, having done nothing:
 *   SIO_ERR_ARGUMENT   the format is bad, or a string is not UTF-8
 *   SIO_ERR_RESERVED   `event` is a reserved name
 *   SIO_ERR_CLOSED     the socket has been disconnected
 *   SIO_ERR_BACKLOG    more than max_backlog would wait; backlog_policy says
 *                      whether that closes the session
 *   SIO_ERR_NO_MEMORY
 */
SIO_API sio_error sio_socket_emit(sio_socket *socket, const char *event,
                                  const char *format, ...);

/* The same, but dropped (with SIO_OK) while anything waits to be sent.
 * Any thread. */
SIO_API sio_error sio_socket_emit_volatile(sio_socket *socket,
                                           const char *event,
                                           const char *format, ...);

/* Emits JSON text: `json` is the inner text of an array of `len` bytes, such
 * as `1,"two"`.  It is checked: SIO_ERR_ARGUMENT when malformed.
 * Any thread. */
SIO_API sio_error sio_socket_emit_json(sio_socket *socket, const char *event,
                                       const char *json, size_t len);

/* Flags of an emit: NO_COMPRESS is for what is compressed already, such as a
 * picture. */
enum { SIO_EMIT_VOLATILE = 1, SIO_EMIT_NO_COMPRESS = 2 };

/*
 * Emits ready arguments: those of a received event, or the caller's own.
 * They are trusted to be well formed (emit_json checks) and copied.  `flags`
 * is a set of SIO_EMIT_*.  Errors as sio_socket_emit(), and
 * SIO_ERR_ARGUMENT for more than max_attachments binaries.  Any thread.
 */
SIO_API sio_error sio_socket_emit_args(sio_socket *socket, const char *event,
                                       const sio_args *args, unsigned flags);

/* Emits one binary argument.  Any thread. */
SIO_API sio_error sio_socket_emit_binary(sio_socket *socket, const char *event,
                                         const void *data, size_t len);

/*
 * Receives the answer to an event that asked for one.  Called exactly once,
 * on the socket's loop:
 *
 *   SIO_OK           `answer` holds the arguments; sio_event_unpack() etc.
 *                    work on it until the call returns
 *   SIO_ERR_CLOSED   the socket was disconnected first; `answer` is NULL
 *   SIO_ERR_TIMEOUT  `timeout_ms` passed first; `answer` is NULL
 *
 * and where it was asked for on another thread, also what sio_socket_emit()
 * fails with there, instead of the return value.
 */
typedef void sio_ack_fn(sio_socket *socket, sio_error err, sio_event *answer,
                        void *arg);

/*
 * Emits an event and asks for an acknowledgement.  `timeout_ms` counts from
 * this call; 0 waits as long as the socket lives.  `on_ack` is called if, and
 * only if, SIO_OK is returned, and never before this function has returned.
 * `arg` is handed to it untouched.  Errors as sio_socket_emit(), and
 * SIO_ERR_LIMIT when max_pending_acks are awaited already.  Any thread.
 */
SIO_API sio_error sio_socket_emit_ack(sio_socket *socket, const char *event,
                                      uint32_t timeout_ms, sio_ack_fn *on_ack,
                                      void *arg, const char *format, ...);
SIO_API sio_error sio_socket_emit_ack_args(sio_socket *socket,
                                           const char *event,
                                           uint32_t timeout_ms,
                                           sio_ack_fn *on_ack, void *arg,
                                           const sio_args *args);

/*
 * Rooms.  Each socket is in the room named by its own id.  Joining twice is
 * the same as once; leaving a room it is not in does nothing.
 *
 * Join returns SIO_OK, SIO_ERR_CLOSED after the disconnect, SIO_ERR_LIMIT at
 * max_rooms (not from another thread), or SIO_ERR_NO_MEMORY.  Joining and
 * leaving: any thread; the others: Loop.
 */
SIO_API sio_error sio_socket_join(sio_socket *socket, const char *room);
SIO_API void sio_socket_leave(sio_socket *socket, const char *room);
SIO_API bool sio_socket_in_room(const sio_socket *socket, const char *room);

/* Visits the rooms, the own id first; `fn` must not join or leave.  Loop. */
typedef void sio_room_visit_fn(const char *room, void *arg);
SIO_API void sio_socket_each_room(const sio_socket *socket,
                                  sio_room_visit_fn *fn, void *arg);
SIO_API size_t sio_socket_room_count(const sio_socket *socket);

/* Disconnects from the namespace; the reason is
 * SIO_DISCONNECT_SERVER_NAMESPACE_DISCONNECT.  Any thread. */
SIO_API void sio_socket_disconnect(sio_socket *socket);

/* Disconnects every namespace of the client, then closes its connection once
 * what is queued has left.  Any thread. */
SIO_API void sio_socket_close(sio_socket *socket);

/* Whether the client goes on with the session of a socket that it had before:
 * with its id, rooms and data, and the packets that it has missed.  The former
 * socket, if anyone has a reference, has no data any more; it may be of another
 * loop, and the data moves to this one, where it is destroyed.  Loop. */
SIO_API bool sio_socket_recovered(const sio_socket *socket);

#ifdef __cplusplus
}
#endif

#endif
