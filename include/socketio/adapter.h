#ifndef SOCKETIO_ADAPTER_H
#define SOCKETIO_ADAPTER_H

/*
 * What carries a namespace's operations to other servers.  Each namespace has
 * an adapter: sio_adapter_memory, which knows this server alone, unless the
 * config has another.
 *
 * Another one does its part, such as to publish the operation, and leaves the
 * part of this server to sio_adapter_memory, now or later; what it hears from
 * others it gives to that, too.
 */

#include "socketio/broadcast.h"
#include "socketio/namespace.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The methods of an adapter; static, for it has to outlive the server and what
 * is held of it.  A method that is NULL is sio_adapter_memory's.  `self` is
 * what open() gave.
 *
 * The operations are called by the functions of broadcast.h and namespace.h
 * that they are named after, on their callers' threads, several at the same
 * time; names, rooms and arguments are borrowed, and have been checked.  What
 * they return, those functions return.  Broadcasts for this server only, see
 * sio_broadcast_local(), never come here.
 *
 * Of a parent of namespaces each child's adapter is called for emit, join,
 * leave and disconnect; the others are for namespaces that have sockets of
 * their own, and of a parent are done on this server.
 */
typedef struct sio_adapter_methods {
    /*
     * Begins for `nsp`, which has just been made, before anybody else knows of
     * it.  Gives what is handed to the other methods, or NULL when it cannot:
     * the namespace is left with sio_adapter_memory then, and the log told.
     * `arg` is the config's.
     */
    void *(*open)(sio_namespace *nsp, void *arg);

    /* The namespace is gone: no method is called after this.  On any thread;
     * where somebody holds the namespace, also after sio_server_free(). */
    void (*close)(void *self, sio_namespace *nsp);

    /* The server listens, also when it does so anew; it has closed.  Each once,
     * in turns, not during another method of the two above. */
    void (*start)(void *self, sio_namespace *nsp);
    void (*stop)(void *self, sio_namespace *nsp);

    sio_error (*emit)(void *self, const sio_broadcast *b, const char *event,
                      const sio_args *args);

    /* Answers `fn`, in a later turn, once. */
    sio_error (*emit_ack)(void *self, const sio_broadcast *b, const char *event,
                          const sio_args *args, uint32_t timeout_ms,
                          sio_answers_fn *fn, void *arg);

    sio_error (*join)(void *self, const sio_broadcast *b, const char *room);
    sio_error (*leave)(void *self, const sio_broadcast *b, const char *room);
    sio_error (*disconnect)(void *self, const sio_broadcast *b, bool close);

    /* Answers `fn`, in a later turn, once.  Sockets of other servers have
     * `socket` NULL there. */
    sio_error (*fetch_infos)(void *self, const sio_broadcast *b,
                             sio_infos_fn *fn, void *arg);

    /* `fn` as in emit_ack. */
    sio_error (*emit_server)(void *self, sio_namespace *nsp, const char *event,
                             const sio_args *args);
    sio_error (*emit_server_ack)(void *self, sio_namespace *nsp,
                                 const char *event, const sio_args *args,
                                 uint32_t timeout_ms, sio_answers_fn *fn,
                                 void *arg);

    /* Answers `fn` with the number of servers, this one included, now or
     * later, once. */
    sio_error (*count_servers)(void *self, sio_namespace *nsp, sio_count_fn *fn,
                               void *arg);

    /* Told of rooms as by sio_namespace_on_room(), on the loop of the socket or
     * room.  Rooms are those of a loop: with several threads one room is
     * created on each loop that has members of it. */
    void (*room)(void *self, sio_namespace *nsp, sio_room_change change,
                 const char *room, const char *id);
} sio_adapter_methods;

/* The one that knows this server alone.  None of its methods is NULL but open,
 * close, start, stop and room; `self` may be anything. */
SIO_API extern const sio_adapter_methods sio_adapter_memory;

/* The number of servers that the namespace's adapter knows of.  Returns SIO_OK,
 * and then `fn` is called once, or SIO_ERR_NO_MEMORY.  Any thread. */
SIO_API sio_error sio_namespace_count_servers(sio_namespace *nsp,
                                              sio_count_fn *fn, void *arg);

/* What open() gave for a namespace, or NULL for sio_adapter_memory.  Any
 * thread. */
SIO_API void *sio_namespace_adapter(const sio_namespace *nsp);

/* ------------------------------------------------- what a broadcast says -- */

/*
 * Write at most `cap` of the names of rooms that a broadcast is for, or leaves
 * out, to `out`, borrowed from it, and return how many there are.  The socket
 * that is left out counts as a room by its id.  Any thread.
 */
SIO_API size_t sio_broadcast_rooms(const sio_broadcast *b, const char **out,
                                   size_t cap);
SIO_API size_t sio_broadcast_excepted(const sio_broadcast *b, const char **out,
                                      size_t cap);

/* Any thread. */
SIO_API bool sio_broadcast_is_volatile(const sio_broadcast *b);
SIO_API bool sio_broadcast_may_compress(const sio_broadcast *b);

/* ------------------------------------------ questions from other servers -- */

/*
 * Told of the answers of this server's sockets one by one: how many are asked,
 * once; each answer, borrowed; the end, once, with SIO_OK when all have
 * answered, or SIO_ERR_TIMEOUT.  In this order, in later turns, on the loop of
 * the thread that asked, or, where that is none of the server's, on its first.
 * Not told any more once the server is freed.
 */
typedef struct sio_ask_events {
    void (*asked)(size_t expected, void *arg);
    void (*answered)(const sio_args *answer, void *arg);
    void (*ended)(sio_error err, void *arg);
} sio_ask_events;

/*
 * As sio_broadcast_emit_ack(), on this server only.  `events` is static, `args`
 * may be NULL.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT for too many rooms, a `timeout_ms` of 0 or
 * too many attachments, SIO_ERR_RESERVED, or SIO_ERR_NO_MEMORY; `events` are
 * told if, and only if, it is SIO_OK.  Any thread.
 */
SIO_API sio_error sio_broadcast_ask(sio_broadcast b, const char *event,
                                    const sio_args *args, uint32_t timeout_ms,
                                    const sio_ask_events *events, void *arg);

#ifdef __cplusplus
}
#endif

#endif
