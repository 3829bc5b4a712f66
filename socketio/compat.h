#ifndef SIO_COMPAT_H
#define SIO_COMPAT_H

#include "socketio/core.h"

/* Why a namespace was not joined. */
typedef struct sio_refusal {
    sio_bytes nsp, message;
    sio_bytes data; /* JSON; empty for none */
} sio_refusal;

/*
 * What differs between the protocols of Socket.IO: a table for each.  Clients
 * of Engine.IO 3 speak the fourth, those of Engine.IO 4 the fifth.
 */
typedef struct sio_dialect {
    /* Whether clients are in the main namespace without asking. */
    bool joins_main;

    /* Whether they can be told what it takes to go on with a session. */
    bool recovers;

    /* Takes apart what a CONNECT packet asks for: changes its namespace and
     * payload to what they mean.  What it allocates for that is the caller's,
     * in `*owned`.  NULL where they are what they mean.  May fail with
     * NO_MEMORY. */
    sio_error (*read_connect)(sio_packet *packet, char **owned);

    /* Gives another text for a packet that cannot be read, on the heap, or NULL
     * where there is none, or no memory.  NULL where there never is. */
    uint8_t *(*amend)(sio_bytes text, size_t *len);

    /* Gives a socket its id; it has a client and a namespace.  May fail with
     * NO_MEMORY or RANDOM. */
    sio_error (*make_id)(sio_socket *socket);

    /* Write the answers to CONNECT, `arg` being the sio_socket, or the
     * sio_refusal. */
    void (*write_connect)(sio_writer *w, const void *arg);
    void (*write_refusal)(sio_writer *w, const void *arg);
} sio_dialect;

extern const sio_dialect sio_dialect_4, sio_dialect_5;

/* What a client speaks; of one that is gone, something. */
const sio_dialect *sio_dialect_of(const sio_client *client);

#endif
