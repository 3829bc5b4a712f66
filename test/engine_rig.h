#ifndef TEST_ENGINE_RIG_H
#define TEST_ENGINE_RIG_H

#include "engineio/engine.h"
#include "engineio/handshake.h"
#include "engineio/session.h"
#include "test/memory_transport.h"

/*
 * An engine with all it needs, over memory transports, and a layer above that
 * writes down what it is told.  Uses neither sockets nor a clock.  Aborts when
 * the engine breaks its word.
 */
typedef enum rig_event {
    RIG_OPENED,
    RIG_MESSAGE,
    RIG_DRAINED,
    RIG_UPGRADED,
    RIG_CLOSED,
    RIG_EVENTS
} rig_event;

/* What the layer above does about an event, before it returns. */
typedef enum rig_reaction {
    RIG_NOTHING,
    RIG_ECHO,   /* of messages; sends `re` otherwise */
    RIG_LINGER, /* closes */
    RIG_NOW,    /* the same */
    RIG_BLAME,
    RIG_CLOSE_ALL,  /* closes every session */
    RIG_CLOSE_SOME, /* closes every other one */
    RIG_REACTIONS
} rig_reaction;

/* A session as the layer above sees it.  It outlives the session. */
typedef struct rig_client {
    sio_link link; /* in rig.clients */
    struct engine_rig *rig;
    eio_session *session; /* NULL once closed */
    memory_transport *mt; /* the one that opened it */
    unsigned events[RIG_EVENTS];
    eio_reason reason;
    sio_error why;
    char sid[EIO_SID_LEN + 1];
    size_t len;
    char told[1024]; /* in words, behind a space each */
} rig_client;

typedef struct engine_rig {
    eio_config config;            /* may be changed at any time */
    const eio_protocol *protocol; /* of sessions to come */
    eio_engine engine;
    uint64_t now;
    sio_wheel wheel;
    sio_link doomed;
    sio_frame_pool frames;
    sio_chunk_pool chunks;
    sio_random random;
    sio_inbox inbox;
    sio_log log;
    sio_metric counters[SIO_COUNTER_COUNT];
    sio_metric errors[EIO_ERROR_CODES];
    rig_reaction reactions[RIG_EVENTS];
    unsigned patience; /* reactions that are left */
    sio_link transports, clients;
    memory_transport *opening;
    size_t logged_len;
    char logged[1024]; /* names of events, behind a space each */
} engine_rig;

/* Starts at the time 1000.  Intervals: ping 25000, pong 20000, upgrade 10000,
 * close 30000; the backlog may be 1000 bytes. */
void rig_init(engine_rig *rig);

/* Closes what is open and sees that nothing is left. */
void rig_deinit(engine_rig *rig);

/* A transport for one of the rig's sessions.  NULL when out of memory. */
memory_transport *rig_transport(engine_rig *rig, memory_kind kind);

/* A request as the front door makes it, owned by the caller; NULL when out of
 * memory. */
eio_request *rig_request(void);
eio_request *rig_request_of(sio_bytes address);

/* Opens a session; polling with the GET that asked for it.  NULL when that
 * fails, with `*err` set. */
rig_client *rig_try_open(engine_rig *rig, memory_kind kind, sio_error *err);

/* The same, where nothing may fail, and lets the open packet out unseen. */
rig_client *rig_open(engine_rig *rig, memory_kind kind);

/* Offers the session a websocket, which is then returned; NULL when it is
 * refused. */
memory_transport *rig_probe(rig_client *client);

/* Sends a message as the layer above does. */
sio_error rig_send(rig_client *client, const char *text);
sio_error rig_send_binary(rig_client *client, sio_bytes bytes);

/* The end of a loop turn: transports, timers that are due, then the dead. */
void rig_turn(engine_rig *rig);

/* Begins a turn `ms` later: descriptors are ready, timers have not fired. */
void rig_sleep(engine_rig *rig, uint64_t ms);

/* Moves the time in one step, and ends the turn. */
void rig_advance(engine_rig *rig, uint64_t ms);

/* The same, but stops wherever the wheel wants to be woken. */
void rig_run(engine_rig *rig, uint64_t ms);

/* What the layer above was told since the last call, lent until the next. */
const char *rig_told(rig_client *client);

/* The same for the log. */
const char *rig_logged(engine_rig *rig);

/* Gives packets to a transport, as a string. */
void rig_receive(memory_transport *mt, const char *text);

#endif
