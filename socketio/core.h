#ifndef SIO_CORE_H
#define SIO_CORE_H

/* The inside of the socketio layer: what its files share. */

#include <stdalign.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/map.h"
#include "base/token.h"
#include "engineio/engine.h"
#include "engineio/session.h"
#include "socketio/adapter.h"
#include "socketio/batch.h"
#include "socketio/handlers.h"
#include "socketio/packet.h"
#include "socketio/parser_impl.h"
#include "socketio/prefix.h"
#include "socketio/recovery_types.h"
#include "socketio/socketio.h"

typedef struct sio_client sio_client;
typedef struct sio_pending sio_pending;
typedef struct sio_acks sio_acks;
typedef struct sio_recovery sio_recovery;
typedef struct sio_saved sio_saved;

/*
 * What belongs to one loop, and to its thread alone.  The layer is cut into
 * what a server has once, which does not change while several threads run, and
 * what each loop has of it: sio_core and sio_loop, sio_namespace and sio_local.
 */
typedef struct sio_loop {
    struct sio_core *core;
    eio_engine *engine;
    unsigned index;       /* in core->loops */
    sio_link nexts;       /* of sio_next: middlewares that have not answered */
    sio_link event_nexts; /* of sio_event_next: the same for events */
    sio_link claims;      /* of sio_claim: checks that have not answered */
    sio_link active;      /* of sio_active: those with connected sockets, or
                             with sessions that are stored */
    sio_link rounds, replies; /* see app_event.c; of the first loop */
    sio_socket *dead;         /* by next_dead: no client's any more ... */
    sio_mortal sweep;         /* ... and let go of at the end of the turn */
    sio_prefix prefixes[SIO_PREFIXES];
    sio_batch batch;
    sio_arena spare;      /* for the next sio_incoming */
    bool closed;          /* no session is stored any more */
    sio_parser_room room; /* for a parser that needs it */
    /* When these are next to be told of; see sio_seldom(). */
    uint64_t rooms_next, acks_next, namespaces_next, refused_next;
    sio_link fetches;   /* see recovery_move.c: those that wait */
    sio_origin running; /* where the task at work comes from */
    uint64_t sent;      /* tasks of its own for all loops */
} sio_loop;

/* What all namespaces of a server have in common. */
typedef struct sio_core {
    sio_server *server;
    sio_loop *const *loops; /* borrowed */
    unsigned loop_count;
    const sio_parser *parser;
    const sio_adapter_methods *adapter; /* of all namespaces, if they can */
    void *adapter_arg;
    sio_data_json_fn *data_json; /* or NULL */
    void *data_json_arg;
    bool serving; /* the server listens; under `making` */
    sio_packet_limits limits;
    uint32_t connect_timeout; /* ms */
    uint32_t max_namespaces;
    uint32_t max_rooms;
    sio_recovery_limits recovery;
    uint32_t max_acks;           /* awaited from one socket */
    uint32_t attachment_timeout; /* ms, for all attachments of one packet */
    size_t max_binary;           /* bytes in the attachments of one packet */
    uint64_t *heard; /* see sio_recovery_row(); NULL where that is of no use */
    sio_lock foreign_lock; /* for tasks of other threads ... */
    uint64_t foreign_sent; /* ... and how many there were */
    sio_hash_key secret;   /* of the maps of all namespaces */
    sio_lock making;       /* held, before `lock`, while a new namespace is told
                              of; see parent.c */
    sio_lock lock;      /* for `namespaces`, `dynamic`, and who is in those */
    sio_map namespaces; /* of sio_namespace, by name; not parents */
    sio_link parents;   /* of sio_parent, in order; Setup */
    unsigned parent_count;         /* in that list; Setup */
    sio_hooks new_namespace;       /* of sio_namespace_fn; Setup */
    bool cleanup;                  /* remove dynamic ones that are empty */
    uint32_t max_dynamic;          /* namespaces that clients may have made */
    uint32_t dynamic;              /* ... and how many there are */
    _Atomic uint64_t serials;      /* given to namespaces */
    _Atomic uint64_t foreign_acks; /* asked for by threads that are not ours */
    atomic_bool tells_drained;     /* somebody waits for that */
    struct {
        sio_hooks opened, packet, packet_create, drained, closed;
    } conn;     /* about connections; see conn.c */
    bool fixed; /* handlers may not change any more: several threads run */
} sio_core;

/* KiB of one kind that are kept for one client, over all its namespaces. */
static inline size_t sio_core_most_kib(const sio_core *core)
{
    return 64 + core->max_binary / 1024;
}

/* --------------------------------------------------------- namespaces -- */

typedef struct sio_room {
    sio_map_node node; /* in sio_local.rooms */
    sio_link seats;    /* of sio_seat.in_room, in order of joining */
    size_t count;
    unsigned held; /* by those who tell of it; then it may be empty */
    size_t name_len;
    char name[]; /* NUL-terminated */
} sio_room;

/*
 * A socket sits in many rooms and a room holds many sockets.  Each pair is one
 * sio_seat that hangs in both lists, so leaving costs no search and a socket
 * leaves all its rooms in one short walk.  The room that each socket has by
 * its own id is not one of these: its id finds the socket.
 */
typedef struct sio_seat {
    sio_link in_room, in_socket;
    sio_room *room;
    sio_socket *socket;
    uint64_t joined; /* after which packet; see recovery.h */
} sio_seat;

/* In loop->active. */
typedef struct sio_active {
    sio_link link;
    struct sio_local *local; /* NULL: keeps the place of a walk */
} sio_active;

/* What one loop has of a namespace.  Aligned so that no two threads write to
 * one line of the cache. */
typedef struct sio_local {
    alignas(64) sio_namespace *nsp;
    sio_loop *loop;
    sio_recovery *recovery; /* owned; NULL where it is off */
    sio_map sockets;        /* connected sio_socket, by id */
    sio_map rooms;          /* of sio_room, by name; none is empty */
    sio_metric connected;   /* how many `sockets` has, for any thread */
    uint64_t next_ack;
    uint32_t mark;     /* of the latest walk over recipients */
    sio_socket **list; /* the same as in `sockets`, for walks over all: nearly
                          in the order in which they came, as the memory of
                          what belongs to them lies, ours and the kernel's */
    uint32_t listed, list_cap;
    sio_handlers *latest; /* found for the event before, mostly of one name */
    sio_active active;    /* linked while `sockets` has any, or `recovery` */
} sio_local;

/* Of an event between parts of the application. */
typedef struct sio_server_handler {
    char *name; /* owned */
    sio_server_event_fn *fn;
    void *arg;
} sio_server_handler;

typedef struct sio_parent sio_parent;

struct sio_namespace {
    sio_core *core;
    const sio_adapter_methods *adapter;
    void *adapter_self;    /* NULL for sio_adapter_memory */
    sio_map_node node;     /* in core->namespaces */
    sio_namespace *parent; /* whose handlers come before its own; or NULL */
    sio_parent *as_parent; /* owned; NULL where it is none */
    sio_link sibling;      /* in parent->as_parent->children, while listed */
    uint64_t serial;       /* no other has or had the same; not 0 */
    unsigned loop_count;   /* of the core, which it may outlive */
    atomic_uint refs;      /* of a child; see sio_namespace_ref() */
    atomic_uint members;   /* sockets of a child, not only connected ones;
                              grows under core->lock while `listed` */
    bool listed;           /* in core->namespaces */
    bool dynamic;          /* made for a client, counted in core->dynamic */
    bool pinned;           /* stays when it is empty; as the two above, under
                              core->lock */
    atomic_bool fresh;     /* being told of; others wait for core->making */
    _Atomic(sio_local *) *locals; /* by loop, each made and written by that one;
                                     owned, may be NULL */
    sio_map handlers;             /* of sio_handlers, by event */
    sio_lock pids_lock;           /* for `pids` */
    sio_map pids;                 /* of sio_saved, by pid, of all loops */
    sio_handlers any, outgoing;   /* catch-all: what comes, what goes */
    sio_hooks event_middlewares, event_errors;
    sio_server_handler *server_handlers; /* owned */
    size_t server_handler_count;
    sio_hooks middlewares, connection, disconnecting, disconnect, drained,
        upgrade, room, expired;
    size_t name_len;
    char *name; /* with its slash, NUL-terminated; behind the locals */
};

static inline sio_bytes sio_text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, strlen(s)};
}

static inline sio_bytes sio_namespace_view(const sio_namespace *nsp)
{
    return (sio_bytes){(const uint8_t *)nsp->name, nsp->name_len};
}

/* sio_server_of(), sio_server_find().  Any thread. */
sio_namespace *sio_core_of(sio_core *core, const char *name);
sio_namespace *sio_core_find(sio_core *core, const char *name);

/* Completes a core whose limits and loops the caller has set.  May fail with
 * RANDOM. */
sio_error sio_core_init(sio_core *core, sio_random *random);
void sio_core_deinit(sio_core *core);

void sio_loop_init(sio_loop *loop, sio_core *core, eio_engine *engine,
                   unsigned index);

/* Disconnects every socket of the loop. */
void sio_loop_close(sio_loop *loop);

/* Whether the calling thread is the one that the loop belongs to. */
static inline bool sio_loop_is_here(const sio_loop *loop)
{
    const sio_inbox *inbox = loop->engine->inbox;
    return inbox == NULL || sio_owner_is_me(&inbox->owner);
}

/* The loop of the calling thread; NULL where that is none of the server's. */
sio_loop *sio_core_here(const sio_core *core);

/* NULL where the loop has had no socket in it. */
static inline sio_local *sio_local_of(const sio_namespace *nsp,
                                      const sio_loop *loop)
{
    return atomic_load_explicit(&nsp->locals[loop->index],
                                memory_order_acquire);
}

/* The same, made where there is none.  On the loop's thread.  NULL when out of
 * memory. */
sio_local *sio_local_make(sio_namespace *nsp, sio_loop *loop);

/* Takes a connected socket in, and out.  The first may fail with NO_MEMORY. */
sio_error sio_local_add(sio_local *local, sio_socket *socket);
void sio_local_remove(sio_local *local, sio_socket *socket);

/* What the loop of the calling thread has of it, or NULL. */
sio_local *sio_namespace_here(const sio_namespace *nsp);

/* An id for an acknowledgement that no other loop gives out. */
static inline uint64_t sio_local_next_ack(sio_local *local)
{
    return local->next_ack++ * local->nsp->core->loop_count +
           local->loop->index;
}

/* Whether other threads may be reading its handlers; not as long as it is only
 * being told of. */
static inline bool sio_namespace_is_fixed(const sio_namespace *nsp)
{
    return nsp->core->fixed && !atomic_load(&nsp->fresh);
}

/* Whether somebody listens to what goes out, there or in its parent. */
static inline bool sio_namespace_tells_outgoing(const sio_namespace *nsp)
{
    return nsp->outgoing.count != 0 ||
           (nsp->parent != NULL && nsp->parent->outgoing.count != 0);
}

sio_error sio_hooks_add(sio_hooks *hooks, void (*fn)(void), void *arg);

/* Calls them as long as the socket is connected. */
void sio_hooks_run_sockets(const sio_hooks *hooks, sio_socket *socket);

/* ------------------------------------------------------------- clients -- */

/* Counts and tells of a limit of a client that has been reached; limits.c.
 * `next`, unless NULL, is that of sio_seldom(), as the client may come to it as
 * often as it likes. */
void sio_limit_tell(const sio_client *client, sio_counter counter,
                    const char *event, const char *what, uint32_t limit,
                    uint64_t *next);

/* The same for a client with as many namespaces as it may have, which ends
 * it. */
void sio_limit_end_namespaces(sio_client *client);

/* What is kept of a packet while its attachments are coming. */
typedef struct sio_incoming {
    sio_timer timer; /* until all attachments must have come */
    sio_client *client;
    sio_arena arena;   /* with all of this, and what it points to */
    sio_packet packet; /* views into the arena */
    size_t bytes;      /* of attachments so far */
    uint32_t got;
    sio_binary binaries[]; /* packet.attachments of them, in the arena */
} sio_incoming;

/* A client that has joined no namespace yet. */
typedef struct sio_newcomer {
    sio_timer timer; /* until one must have been joined */
    sio_client *client;
} sio_newcomer;

/* Of a client that has joined one, or has left. */
void sio_newcomer_end(sio_client *client);

/* Registers about connections, in one of core->conn. */
sio_error sio_core_on_conn(sio_core *core, sio_hooks *hooks, void (*fn)(void),
                           void *arg);

/* Tell those who are. */
void sio_conn_tell(sio_client *client, const sio_hooks *hooks);
void sio_conn_closed(sio_client *client, const char *id,
                     sio_disconnect_reason reason, sio_error why);

/* What a client owes for events that middlewares have not let pass.  These
 * outlast it, so each of them has a reference, and the client one. */
typedef struct sio_dues {
    uint32_t refs;
    uint32_t kib;
} sio_dues;

/* One per session, which has the memory for it: kept small. */
struct sio_client {
    sio_loop *loop;
    eio_session *session;   /* the one it is part of; NULL once closed */
    sio_link sockets;       /* of sio_socket.in_client */
    unsigned count;         /* of sockets in that list ... */
    uint32_t auth;          /* ... and whole KiB in their auth */
    sio_dues *dues;         /* NULL: none yet; see event_middleware.c */
    sio_newcomer *newcomer; /* NULL once a namespace has been joined */
    sio_incoming *incoming;
};

extern const eio_session_events sio_client_events;

/* Answers that there is no such namespace. */
void sio_client_refuse_unknown(sio_client *client, sio_bytes nsp);

/* Closes the session once what is queued has left.  It is over for the sockets
 * before this returns, also for those about which middlewares decide. */
void sio_client_close(sio_client *client);

/* The same because the server shuts down. */
void sio_client_dismiss(sio_client *client);

/* Ends one that has come again by another connection. */
void sio_client_replace(sio_client *client);

/* Ends the session because its peer broke a rule. */
void sio_client_blame(sio_client *client, sio_error why);

/* Sends a packet without attachments. */
sio_error sio_client_send(sio_client *client, sio_frame *frame);

/* Makes a frame of what `write` writes with `arg`, a packet without event or
 * ack, as the server's parser has it.  NULL when out of memory. */
sio_frame *sio_frame_of(const sio_loop *loop,
                        void (*write)(sio_writer *w, const void *arg),
                        const void *arg);

/* ------------------------------------------------------------- sockets -- */

typedef enum sio_socket_state {
    SIO_SOCKET_CONNECTING, /* middlewares are deciding */
    SIO_SOCKET_CONNECTED,
    SIO_SOCKET_LEAVING, /* handlers are being told */
    SIO_SOCKET_LEFT     /* not in its namespace any more; may still be in its
                           client's list, where packets that were on their way
                           are ignored */
} sio_socket_state;

/* `refs`, `state`, and what never changes, are for any thread, the rest for the
 * loop's, and in the end for whoever holds the last reference. */
struct sio_socket {
    /* What each packet needs. */
    atomic_uint refs;
    unsigned room_count;
    sio_namespace *nsp;
    sio_local *local;
    sio_client *client;    /* NULL once it is in no client's list */
    sio_map_node node;     /* in local->sockets */
    uint64_t caught_up;    /* with which batch, and how far; see batch.c */
    _Atomic uint8_t state; /* sio_socket_state */
    bool in_child;         /* `nsp` is a child, and a reference to it held */
    bool recovered;

    char id[SIO_TOKEN_LEN + 1]; /* see sio_socket_own_id() */
    sio_saved *saved;           /* its session, or NULL; see recovery.h */
    uint64_t newest;            /* of the packets in the log sent to it */
    union {
        sio_link in_client;    /* while it has a client ... */
        sio_socket *next_dead; /* ... and then in loop->dead */
    };
    sio_link seats; /* of sio_seat.in_socket */
    uint32_t mark;  /* of the latest walk that met it */
    uint32_t place; /* in local->list */
    sio_acks *acks; /* owned; NULL until one is awaited */
    void *data;
    void (*destroy)(void *data);
    char *auth;               /* JSON, NUL-terminated, owned; NULL is "{}" */
    eio_request *request;     /* shared with the session */
    sio_handshake *handshake; /* made on demand */
};

/* An id that is longer than ours are is kept elsewhere, and its address, owned,
 * in `id`, behind a NUL, as no id is empty. */
static inline void sio_socket_set_long_id(sio_socket *socket, char *id)
{
    socket->id[0] = '\0';
    memcpy(socket->id + 1, &id, sizeof(id));
}

static inline char *sio_socket_long_id(const sio_socket *socket)
{
    char *id = NULL;
    if (socket->id[0] == '\0') {
        memcpy(&id, socket->id + 1, sizeof(id));
    }
    return id;
}

/* The id, NUL-terminated. */
static inline const char *sio_socket_own_id(const sio_socket *socket)
{
    return socket->id[0] != '\0' ? socket->id : sio_socket_long_id(socket);
}

static inline eio_engine *sio_socket_engine(const sio_socket *socket)
{
    return socket->local->loop->engine;
}

static inline bool sio_socket_is_here(const sio_socket *socket)
{
    return sio_loop_is_here(socket->local->loop);
}

/* Whether it can be emitted to, and may join rooms.  From any thread, but there
 * it may be over in the next moment. */
static inline bool sio_socket_is_alive(const sio_socket *socket)
{
    sio_socket_state state = socket->state;
    return state == SIO_SOCKET_CONNECTING || state == SIO_SOCKET_CONNECTED;
}

/* Makes a socket of `client` that is CONNECTING, with one reference for the
 * client's list.  Takes what sio_core_enter() gave.  NULL when memory or
 * randomness is short. */
sio_socket *sio_socket_new(sio_client *client, sio_namespace *nsp,
                           sio_bytes auth);

/* Ends what middlewares have not answered, when nobody can answer any more. */
void sio_nexts_free(sio_loop *loop);

/* Gives it the session that its client asks for, runs the middlewares, and
 * what follows from their answers. */
void sio_socket_start(sio_socket *socket);

/* The same from the middlewares on. */
void sio_socket_admit(sio_socket *socket);

/* Puts a socket that is CONNECTING, and in no room, in another namespace, as
 * given by sio_core_enter().  May fail with NO_MEMORY, having only taken
 * that. */
sio_error sio_socket_move(sio_socket *socket, sio_namespace *nsp);

/* Ends a socket for `reason`: tells the handlers, leaves the rooms. */
void sio_socket_end(sio_socket *socket, sio_disconnect_reason reason,
                    sio_error why);

/* Takes it out of its client's list, whose reference goes at the end of the
 * turn: so a socket that is given an event lives on while handlers run. */
void sio_socket_unlist(sio_socket *socket);

void sio_socket_free_handshake(sio_socket *socket);
void sio_socket_free_auth(sio_socket *socket);

/* Where the tree of its auth is kept, a json_t that may not have been made yet;
 * NULL where there is no room for one and, with `make`, memory is short. */
void **sio_socket_auth_tree(sio_socket *socket, bool make);

/* The socket behind this one in its client's list, or NULL, also when it has
 * left the list. */
static inline sio_socket *sio_socket_next(const sio_socket *socket)
{
    sio_link *next = socket->client == NULL ? NULL : socket->in_client.next;
    return next == NULL || next == &socket->client->sockets
               ? NULL
               : SIO_OWNER(next, sio_socket, in_client);
}

/* --------------------------------------------------------------- rooms -- */

void sio_room_leave_all(sio_socket *socket);
bool sio_room_has(const sio_room *room, const sio_socket *socket);
sio_seat *sio_room_seat(const sio_room *room, const sio_socket *socket);
sio_room *sio_room_find(const sio_local *local, sio_bytes name);

/* The connected socket of this loop with that id, or NULL. */
sio_socket *sio_local_socket(const sio_local *local, sio_bytes id);

/* Tells those who listen that sockets joined by middlewares are there now. */
void sio_room_report(sio_namespace *nsp, sio_room_change change,
                     const char *room, const char *id);

/* ------------------------------------------------------ packets going out --
 */

/* An encoded event or ack with its attachments. */
typedef struct sio_outgoing {
    sio_frame *text;
    sio_frame **binaries; /* owned; NULL when there are none */
    size_t binary_count;
    unsigned form;   /* or'ed to the form of each: 0 or EIO_FORM_PLAIN */
    bool is_event;   /* no ack */
    uint64_t number; /* in the log; 0: not there.  See recovery.h */
} sio_outgoing;

/* Encodes with what belongs to `loop`, the calling thread's, or NULL.  `id` is
 * NULL for none.  Fails with NO_MEMORY; ARGUMENT for too many attachments or a
 * name that is not UTF-8; RESERVED. */
sio_error sio_outgoing_event(sio_outgoing *out, const sio_namespace *nsp,
                             sio_loop *loop, const char *event,
                             const sio_args *args, const uint64_t *id);
sio_error sio_outgoing_ack(sio_outgoing *out, const sio_namespace *nsp,
                           sio_loop *loop, const sio_args *args, uint64_t id);

/* The same for an event with one more argument, a string: `text`, which needs
 * no escapes. */
sio_error sio_outgoing_event_longer(sio_outgoing *out, const sio_namespace *nsp,
                                    sio_loop *loop, const char *event,
                                    const sio_args *args, sio_bytes text);

/* Sends an event or an ack without attachments by writing it where the carrier
 * will send it from.  False, having done nothing, where that cannot be now. On
 * the socket's thread. */
bool sio_event_place(sio_socket *socket, const char *event,
                     const sio_args *args);
bool sio_ack_place(sio_socket *socket, const sio_args *args, uint64_t id);

void sio_outgoing_deinit(sio_outgoing *out);

/* Whether a packet with these flags, of SIO_EMIT_*, is to be dropped, for it is
 * volatile and would have to wait.  Counts it then. */
bool sio_socket_drops(sio_socket *socket, unsigned flags);

/* To be called before a broadcast's packet goes to all loops. */
void sio_outgoing_share(sio_outgoing *out, const sio_core *core);

/* Adds a broadcast to the batch, for all of `local` or for one room; `except`
 * may be NULL.  False, having only sent what was in it, where it has to go out
 * by itself. */
bool sio_batch_add(sio_local *local, sio_room *room, const sio_outgoing *out,
                   const sio_socket *except);

/* The same as the functions below it, for when there is something. */
void sio_batch_send(sio_loop *loop);
void sio_batch_send_to(sio_socket *socket);

/* Sends what is in the batch: before its recipients change. */
static inline void sio_batch_flush(sio_loop *loop)
{
    if (loop->batch.count != 0) {
        sio_batch_send(loop);
    }
}

/* Sends what is in the batch to this one: before it is sent anything else. */
static inline void sio_batch_catch_up(sio_socket *socket)
{
    if (socket->local->loop->batch.count != 0) {
        sio_batch_send_to(socket);
    }
}

/* Sends all of it or nothing. */
sio_error sio_outgoing_send(const sio_outgoing *out, sio_socket *socket);
size_t sio_outgoing_bytes(const sio_outgoing *out);

/* Whether the application may emit `event`. */
sio_error sio_event_check(const char *event);

/* Makes `out` of the inner text of an array, borrowed.  Fails with ARGUMENT
 * where it is malformed. */
sio_error sio_args_of_json(const char *json, size_t len, sio_args *out);

/* Packs varargs to the inner text of an array, which sio_pack_free() frees. */
sio_error sio_pack(const char *format, va_list list, sio_args *out);
void sio_pack_free(const sio_args *packed);

#endif
