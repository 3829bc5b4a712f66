#ifndef SIO_EVENTS_H
#define SIO_EVENTS_H

/* Events that have come, what is told of those that go, and answers. */

#include "socketio/core.h"

/* ---------------------------------------------------------------- acks -- */

/* A place in a socket's list of acks; it keeps its id when it is done. */
typedef struct sio_ack_slot {
    uint64_t id;
    sio_pending *pending; /* owned; NULL once done */
} sio_ack_slot;

/* Those that are awaited, in slots[first] to before slots[count], by rising
 * id. */
struct sio_acks {
    uint32_t first, count, cap;
    uint32_t live; /* of them without gaps */
    sio_ack_slot slots[];
};

/* An acknowledgement that is awaited. */
struct sio_pending {
    uint64_t id;
    sio_socket *socket; /* not owned: the socket ends its pending acks */
    sio_ack_fn *fn;
    void *arg;
    sio_timer timer;
};

/* Has `fn` called with the answer that comes with `id`. */
sio_error sio_ack_expect(sio_socket *socket, uint64_t id, uint32_t timeout_ms,
                         sio_ack_fn *fn, void *arg);

/* Forgets the one with `id`, without telling. */
void sio_ack_forget(sio_socket *socket, uint64_t id);

/* An answer has come.  Unknown ids are ignored. */
void sio_ack_arrive(sio_socket *socket, const sio_packet *packet,
                    const sio_binary *binaries);

/* Fails all that are awaited, with CLOSED. */
void sio_ack_fail_all(sio_socket *socket);

/* -------------------------------------------------------------- events -- */

struct sio_event {
    sio_socket *socket;
    sio_bytes raw_name; /* as on the wire */
    sio_args args;
    size_t arg_count;
    const char *name; /* NULL until somebody asks */
    bool wants_ack;
    uint64_t ack_id;
    void *tree; /* json_t, made on demand */
    sio_arena arena;
    struct sio_arg_walk *walk; /* in the arena; NULL: none yet */
};

/* Calls the handlers of an event that has come. */
void sio_event_dispatch(sio_socket *socket, const sio_packet *packet,
                        const sio_binary *binaries);
void sio_event_init(sio_event *event, sio_socket *socket,
                    const sio_packet *packet, const sio_binary *binaries);
void sio_event_deinit(sio_event *event);
void sio_event_free_tree(sio_event *event);

/* Calls the handlers of its name.  The socket has to be connected. */
void sio_event_deliver(sio_event *event);

/* Calls handlers as long as the socket's state stays. */
void sio_handlers_run(sio_handlers *handlers, sio_socket *socket,
                      sio_event *event);

sio_error sio_handlers_add(sio_handlers *handlers, sio_handler handler);

/* Takes back one handler with these values, or all where `fn` is NULL. */
void sio_handlers_remove(sio_handlers *handlers, sio_event_fn *fn, void *arg);

/* Runs the middlewares for an event, and what follows from their answers.
 * Takes what the event holds. */
void sio_event_filter(sio_event *event);

/* Of a client that has no session any more, and of all when the server ends. */
void sio_event_nexts_forget(sio_client *client);
void sio_event_nexts_free(sio_loop *loop);

/* Ends what waits for answers when the server ends; what a namespace has. */
void sio_server_events_free(sio_loop *loop);
void sio_server_handlers_free(sio_namespace *nsp);

/* sio_any_outgoing() for when somebody listens. */
bool sio_any_tell(const sio_outgoing *out, sio_socket *socket);

/* Tells those who listen to what goes out to the socket, which may do anything;
 * whether it still is to be sent. */
static inline bool sio_any_outgoing(const sio_outgoing *out, sio_socket *socket)
{
    return !sio_namespace_tells_outgoing(socket->nsp) ||
           sio_any_tell(out, socket);
}

#endif
