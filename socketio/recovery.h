#ifndef SIO_RECOVERY_H
#define SIO_RECOVERY_H

/*
 * Connection state recovery: what a socket that has lost its connection needs
 * to go on with another one.  Each loop has of each namespace a log of packets
 * and the sessions of its sockets; nothing here is shared between threads.
 *
 * Packets are numbered from 1 on in the order in which they go to the sockets
 * of the loop, without gaps.  A packet's offset, the last argument that the
 * client sees, is a tag that no other log has, and this number: so it tells
 * where in the log the client is.  Volatile packets are not kept; they bear the
 * number of the latest one that was.
 */

#include "socketio/spread.h"

#define SIO_OFFSET_TAG 5
#define SIO_OFFSET_MAX (SIO_OFFSET_TAG + 13) /* and 64 bits in base 36 */

/* A packet in the log. */
typedef struct sio_logged {
    sio_frame *text; /* frames: a reference to each */
    sio_frame **binaries;
    char *names;   /* owned: rooms that it is for, then those it is not for,
                      a NUL behind each; NULL for none of either */
    uint64_t time; /* ms; when it was sent */
    uint32_t to_count, except_count; /* 0 in the first is everybody */
    uint32_t binary_count;
    unsigned form; /* as in sio_outgoing */
    size_t bytes;  /* all of it, as counted against the limit */
} sio_logged;

/* A session: of a connected socket, or, without one, stored. */
typedef struct sio_saved {
    sio_map_node node;  /* in sio_recovery.sessions */
    sio_link link;      /* in sio_recovery.stored, without a socket */
    sio_socket *socket; /* not owned; NULL while stored */
    uint64_t start;     /* number of the latest packet when it began ... */
    uint64_t end;       /* ... and when it lost its socket */
    uint64_t newest;    /* of those that were for its socket */
    uint64_t resume;    /* the packet behind which it goes on */
    uint64_t until;     /* ms; then it expires */
    void *data;         /* the socket's, while stored */
    void (*destroy)(void *data);
    uint8_t *rooms; /* owned: a number and a NUL-terminated name each; NULL */
    size_t rooms_len;
    bool keep; /* it will be stored once the handlers have been told */
    char pid[SIO_TOKEN_LEN + 1];
    char sid[SIO_TOKEN_LEN + 1];
} sio_saved;

/* It has a log, timers and, by its local, a place among those that are active
 * only while there are sessions, each of which holds the namespace, by its
 * socket or by itself. */
typedef struct sio_recovery {
    sio_local *local;
    sio_logged *ring;     /* at number & (cap - 1) */
    size_t cap;           /* a power of two, or 0 */
    uint64_t first, next; /* in the ring: from `first` to before `next` */
    size_t log_bytes, stored_bytes;
    sio_map sessions; /* of sio_saved, by pid */
    sio_link stored;  /* of sio_saved, the first to expire first */
    sio_timer log_timer, stored_timer;
    char tag[SIO_OFFSET_TAG];
} sio_recovery;

/* Gives one for `local`, or NULL when out of memory. */
sio_recovery *sio_recovery_new(sio_local *local);

/* Frees one without sessions; NULL is allowed.  Any thread. */
void sio_recovery_free(sio_recovery *recovery);

/* Drops what is stored, without telling; it may go itself with the last. */
void sio_recovery_close(sio_recovery *recovery);

/* ----------------------------------------------------------- the log -- */

/*
 * A copy of an event, with its offset, which goes to the log unless `flags`, of
 * SIO_EMIT_*, have it volatile.  It borrows the attachments; unref its `text`.
 * Where memory is short the copy is the original, and the log begins anew: who
 * resumes from before gets a fresh session.
 */
sio_outgoing sio_recovery_stamp(sio_recovery *recovery, const sio_outgoing *out,
                                const sio_broadcast *b, unsigned flags);

/* sio_outgoing_send() of an event to one socket, which may be of a namespace
 * without recovery. */
sio_error sio_recovery_send(const sio_outgoing *out, sio_socket *socket,
                            unsigned flags);

/* Drops the oldest until the limits are met. */
void sio_recovery_trim(sio_recovery *recovery);

/* Drops all packets. */
void sio_recovery_clear_log(sio_recovery *recovery);

/* Sends the socket what is for it behind number `after`. */
void sio_recovery_replay(sio_socket *socket, uint64_t after);

/* Reads an offset.  False where it is not one of this log. */
bool sio_offset_read(const sio_recovery *recovery, sio_bytes text,
                     uint64_t *number);

/* Writes one, of at most SIO_OFFSET_MAX bytes, and returns its length. */
size_t sio_offset_write(const sio_recovery *recovery, uint64_t number,
                        char out[SIO_OFFSET_MAX]);

/* ------------------------------------------------------ the sessions -- */

/* Finds `pid` and `offset`, with their quotes, in a CONNECT packet's payload,
 * valid JSON; empty where they are missing or no strings. */
void sio_recovery_read_auth(sio_bytes payload, sio_bytes *pid,
                            sio_bytes *offset);

/* Makes of a socket that is CONNECTING the one whose session its client asks
 * for, ending the socket that has it, where that can be; and admits it. */
void sio_recovery_claim(sio_socket *socket);

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

#endif
