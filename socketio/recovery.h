#ifndef SIO_RECOVERY_H
#define SIO_RECOVERY_H

/*
 * Connection state recovery: what a socket that has lost its connection needs
 * to go on with another one.  Each loop has of each namespace a log of packets
 * and the sessions of its sockets; a session that is asked for on another loop
 * moves there (recovery_move.c).
 *
 * Packets are numbered from 1 on in the order in which they go to the sockets
 * of the loop, without gaps.  A packet's offset, the last argument that the
 * client sees, is a tag that no other log has, and this number: so it tells
 * where in the log the client is.  Volatile packets are not kept; they bear the
 * number of the latest one that was.
 *
 * Packets for one room hang together, each knowing the one before it: so those
 * that a client has missed are found without looking at others.
 */

#include "socketio/spread.h"

#define SIO_OFFSET_TAG 5
#define SIO_OFFSET_MAX (SIO_OFFSET_TAG + 13) /* and 64 bits in base 36 */

/* Whom packets in the log are for: a room, or a socket, by its id. */
typedef struct sio_aim {
    sio_map_node node; /* in sio_recovery.aims */
    uint64_t newest;   /* number of the latest packet for it */
    uint32_t len;
    char name[]; /* NUL-terminated */
} sio_aim;

/* A packet among those for one aim. */
typedef struct sio_place {
    sio_aim *aim;    /* NULL: everybody */
    uint64_t before; /* number of the one before it; it may be dropped */
} sio_place;

/* A packet in the log. */
typedef struct sio_logged {
    sio_frame *text;
    void *extra;     /* owned: places but the first, attachments, names that it
                        is not for, a NUL behind each; NULL for none */
    sio_place place; /* the first */
    uint64_t time;   /* ms; when it was sent */
    uint32_t place_count, except_count, binary_count;
    unsigned form; /* as in sio_outgoing */
    size_t bytes;  /* all of it, as counted against the limit */
} sio_logged;

/* A room of a session that has no socket. */
typedef struct sio_member {
    const char *name;
    uint64_t joined; /* behind which packet */
} sio_member;

/* What a session is in, by name. */
typedef struct sio_members {
    const char *id;
    sio_member *rooms; /* owned, in the order of strcmp() */
    size_t count;
} sio_members;

/* Numbers of packets. */
typedef struct sio_missed {
    uint64_t *numbers; /* owned */
    size_t count, cap;
} sio_missed;

/* A session: of a connected socket, or, without one, stored. */
typedef struct sio_saved {
    sio_map_node node; /* in nsp->pids, under nsp->pids_lock */
    sio_recovery *recovery;
    sio_link link;      /* in sio_recovery.stored, without a socket */
    sio_socket *socket; /* not owned; NULL while stored */
    uint64_t start;     /* number of the latest packet when it began here ... */
    uint64_t floor;     /* ... and when it had what it brought along */
    uint64_t end;       /* the latest one when it lost its socket */
    uint64_t newest;    /* of those that were for its socket */
    uint64_t resume;    /* the packet behind which it goes on */
    uint64_t until;     /* ms; then it expires */
    void *data;         /* the socket's, while stored */
    void (*destroy)(void *data);
    uint8_t *rooms; /* owned: a number and a NUL-terminated name each; NULL */
    size_t rooms_len;
    sio_missed missed; /* while it is being resumed, and up to here: */
    uint64_t found;
    bool keep;   /* it will be stored once the handlers have been told */
    bool moving; /* it is on its way to `recovery`; under nsp->pids_lock */
    uint8_t alias_len;
    char alias[SIO_OFFSET_MAX]; /* the offset of `start` in the log that it came
                                   from */
    char pid[SIO_TOKEN_LEN + 1];
    char sid[SIO_TOKEN_LEN + 1];
} sio_saved;

/* It has a log, timers and, by its local, a place among those that are active
 * only while there are sessions, each of which holds the namespace, by its
 * socket or by itself. */
struct sio_recovery {
    sio_local *local;
    sio_logged *ring;     /* at number & (cap - 1) */
    size_t cap;           /* a power of two, or 0 */
    uint64_t first, next; /* in the ring: from `first` to before `next` */
    uint64_t everybody;   /* number of the latest for everybody */
    sio_map aims; /* of sio_aim, by name: those of packets in the ring */
    size_t log_bytes, stored_bytes;
    size_t sessions; /* and those that are asked for */
    uint64_t visits; /* packets looked at to find those that were missed */
    sio_link stored; /* of sio_saved, the first to expire first */
    sio_link claims; /* see recovery_move.c */
    sio_timer log_timer, stored_timer;
    char tag[SIO_OFFSET_TAG];
};

/* Gives one for `local`, or NULL when out of memory. */
sio_recovery *sio_recovery_new(sio_local *local);

/* Frees one without sessions; NULL is allowed.  Any thread. */
void sio_recovery_free(sio_recovery *recovery);

/* Drops what is stored, without telling; it may go itself with the last. */
void sio_recovery_close(sio_recovery *recovery);

/* What a server has for all loops; the first may fail with NO_MEMORY. */
sio_error sio_recovery_init_core(sio_core *core);
void sio_recovery_deinit_core(sio_core *core);

/* What a namespace has for all loops. */
void sio_recovery_init_pids(sio_namespace *nsp);
void sio_recovery_deinit_pids(sio_namespace *nsp);

/* ----------------------------------------------------------- the log -- */

/*
 * Encodes an event with its offset, for what `b` says, and puts it in the log
 * unless `flags`, of SIO_EMIT_*, have it volatile.  Where memory is short for
 * the log it begins anew: who resumes from before gets a fresh session.  Errors
 * as those of sio_outgoing_event().
 */
sio_error sio_recovery_event(sio_outgoing *out, sio_recovery *recovery,
                             const sio_broadcast *b, const char *event,
                             const sio_args *args, unsigned flags);

/*
 * The same for an event that has been encoded: a copy of its text, or, where
 * memory is short, the text without an offset.  It borrows the attachments;
 * unref its `text`.
 */
sio_outgoing sio_recovery_stamp(sio_recovery *recovery, const sio_outgoing *out,
                                const sio_broadcast *b, unsigned flags);

/* sio_outgoing_send() of an event to one socket, which may be of a namespace
 * without recovery, or have lost its connection. */
sio_error sio_recovery_send(const sio_outgoing *out, sio_socket *socket,
                            unsigned flags);

/* Encodes and sends one.  The socket's namespace has recovery. */
sio_error sio_recovery_emit(sio_socket *socket, const char *event,
                            const sio_args *args, unsigned flags);

/* Logs, for the socket with this id, a packet that bears an offset of
 * `old_offset` bytes, whose place one of this log takes.  False when out of
 * memory. */
bool sio_recovery_inject(sio_recovery *recovery, const sio_outgoing *out,
                         size_t old_offset, const char *sid);

/* Drops the oldest until the limits are met. */
void sio_recovery_trim(sio_recovery *recovery);

/* Drops all packets. */
void sio_recovery_clear_log(sio_recovery *recovery);

/* The packet with this number, which is in the log; as it was sent; its places;
 * the names that it is not for, or NULL. */
sio_logged *sio_recovery_at(const sio_recovery *recovery, uint64_t number);
sio_outgoing sio_logged_packet(const sio_logged *entry);
const sio_place *sio_logged_place(const sio_logged *entry, uint32_t index);
const char *sio_logged_excepts(const sio_logged *entry);

/* Bytes of its messages. */
size_t sio_logged_size(const sio_logged *entry);

/* Whether the packet is for such members, in rooms joined before `number`. */
bool sio_logged_is_for(const sio_logged *entry, const sio_members *members,
                       uint64_t number);

/* Adds the numbers of those for them behind `after`; everybody's, and those of
 * rooms, behind `floor` as well.  In order.  False when out of memory. */
bool sio_recovery_find_missed(sio_recovery *recovery,
                              const sio_members *members, uint64_t after,
                              uint64_t floor, sio_missed *missed);

/* Reads an offset.  False where it is not one of this log. */
bool sio_offset_read(const sio_recovery *recovery, sio_bytes text,
                     uint64_t *number);

/* Writes one, of at most SIO_OFFSET_MAX bytes, and returns its length. */
size_t sio_offset_write(const sio_recovery *recovery, uint64_t number,
                        char out[SIO_OFFSET_MAX]);

/* ------------------------------------------------------ the sessions -- */

/* One more session, or claim; one less, which may be the last. */
void sio_recovery_enter(sio_recovery *recovery);
void sio_recovery_leave(sio_recovery *recovery);

/* The loop that has the session, or gets it, or NULL. */
sio_loop *sio_recovery_find_loop(sio_namespace *nsp, sio_bytes pid);

/* Whether the session is on its way to that loop. */
bool sio_recovery_is_coming(sio_namespace *nsp, sio_bytes pid,
                            const sio_loop *loop);

/* The session with that pid, if it is here. */
sio_saved *sio_recovery_find(const sio_recovery *recovery, sio_bytes pid);

/* Adds a session, whose pid no other has.  Fails with NO_MEMORY. */
sio_error sio_recovery_list(sio_recovery *recovery, sio_saved *saved);
void sio_recovery_unlist(sio_saved *saved);

/* A session leaves for another loop, or for this one anew, which has a claim to
 * it; it arrives there, or is lost on the way, on whichever thread. */
void sio_recovery_depart(sio_saved *saved, sio_recovery *to);
void sio_recovery_arrive(sio_saved *saved);
void sio_recovery_lose(sio_saved *saved, sio_namespace *nsp);

/* Puts one among those that wait, which holds the namespace already. */
void sio_recovery_store(sio_saved *saved);

/* The one that has waited longest, or NULL. */
sio_saved *sio_recovery_first(const sio_recovery *recovery);

/* Takes it off the list of those that wait; it holds the namespace still. */
void sio_recovery_unstore(sio_saved *saved);

/* Ends one that is stored, and what it has of the namespace. */
void sio_recovery_expire(sio_saved *saved, bool tell);

/* Frees one that is in no list. */
void sio_saved_free(sio_saved *saved);

/* What a stored session, or a socket, is in.  False when out of memory. */
bool sio_saved_members(const sio_saved *saved, sio_members *out);
bool sio_socket_members(const sio_socket *socket, sio_members *out);

/* The room at `*at` of a stored session, which moves on; NULL at the end. */
const char *sio_saved_room(const sio_saved *saved, size_t *at,
                           uint64_t *joined);

/* Has all its rooms be joined behind that number. */
void sio_saved_rejoin(sio_saved *saved, uint64_t joined);

/* Finds `pid` and `offset`, with their quotes, in a CONNECT packet's payload,
 * valid JSON; empty where they are missing or no strings. */
void sio_recovery_read_auth(sio_bytes payload, sio_bytes *pid,
                            sio_bytes *offset);

/* Makes of a socket that is CONNECTING the one whose session its client asks
 * for, ending the socket that has it, where that can be; and admits it. */
void sio_recovery_claim(sio_socket *socket);

/* The same for a session that is on this loop, without admitting: counts a
 * failure. */
void sio_recovery_claim_here(sio_socket *socket, sio_bytes pid,
                             sio_bytes offset);

/* Finds the stored session that can be resumed from `offset`, ending its
 * socket, unless that is of the client `but`; or NULL.  Sets its `resume`. */
sio_saved *sio_recovery_take(sio_recovery *recovery, sio_bytes pid,
                             sio_bytes offset, const sio_client *but);

/* Before a socket connects: sees that it has a session, and its rooms.  False
 * when out of memory, or when it has ended meanwhile. */
bool sio_recovery_begin(sio_socket *socket);

/* Once one that goes on has connected, before its CONNECT packet. */
void sio_recovery_resume(sio_socket *socket);

/* A socket ends: before anybody is told, before it leaves its rooms, and when
 * everybody was told. */
void sio_recovery_ending(sio_socket *socket);
void sio_recovery_leaving(sio_socket *socket, sio_disconnect_reason reason);
void sio_recovery_ended(sio_socket *socket);

/* It ends without having connected. */
void sio_recovery_abandon(sio_socket *socket, sio_disconnect_reason reason);

/* ------------------------------------------------- from loop to loop -- */

/* Asks another loop for a session; the socket is admitted when the answer has
 * come.  False when out of memory, or where that loop has ended. */
bool sio_recovery_fetch(sio_socket *socket, sio_loop *holder, sio_bytes pid,
                        sio_bytes offset);

/* A packet has gone to the log while sessions are asked for. */
void sio_recovery_note(sio_recovery *recovery, uint64_t number);

/* Drops what waits; of a recovery, and of a loop that closes. */
void sio_recovery_drop_claims(sio_recovery *recovery);
void sio_recovery_drop_fetches(sio_loop *loop);

/* Of each sender, see sio_origin, the number of the latest task that has been
 * through the loop.  On its thread. */
static inline uint64_t *sio_recovery_row(const sio_core *core,
                                         const sio_loop *loop)
{
    return core->heard + (size_t)loop->index * (core->loop_count + 8);
}

/* A broadcast has been through the loop, while something waits for it. */
void sio_recovery_heard(sio_loop *loop);

#endif
