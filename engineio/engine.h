#ifndef EIO_ENGINE_H
#define EIO_ENGINE_H

#include "base/frame.h"
#include "base/frameq.h"
#include "base/inbox.h"
#include "base/log.h"
#include "base/map.h"
#include "base/metric.h"
#include "base/random.h"
#include "base/reap.h"
#include "base/token.h"
#include "base/wheel.h"
#include "engineio/events.h"
#include "engineio/rate.h"
#include "engineio/transport.h"
#include "socketio/socketio.h"

/* What all sessions of a server have in common.  Milliseconds and bytes. */
typedef struct eio_config {
    uint32_t ping_interval;
    uint32_t ping_timeout;
    uint32_t upgrade_timeout;
    uint32_t close_timeout;
    uint32_t max_payload;
    uint32_t max_packets; /* in one polling body */
    size_t max_backlog;
    sio_backlog_policy backlog_policy;
    unsigned transports; /* of SIO_TRANSPORT_* */
    bool allow_upgrades;
    const char *initial_packet; /* or NULL; borrowed */
    bool allow_eio3;            /* speak revision 3, too ... */
    bool eio_missing_is_3;      /* ... also with those that name none */
    eio_rate_limits rate;       /* of each session */
} eio_config;

/* Frames that may wait for a session, however small they are: each takes
 * memory beside its bytes. */
static inline size_t eio_max_held(const eio_config *config)
{
    return config->max_backlog / 64 + 64;
}

/* Told of each session that begins, and of its end. */
typedef struct eio_census {
    void (*begun)(void *arg, const eio_request *request);
    void (*ended)(void *arg, const eio_request *request);
    void *arg;
} eio_census;

/* Errors are counted by their positive code. */
#define EIO_ERROR_CODES 400

/*
 * How the sessions of a server are shared out among its engines: the id of a
 * session tells whose it is, by a keyed hash.
 */
typedef struct eio_partition {
    unsigned count; /* engines; 0 is the same as 1 */
    sio_hash_key secret;
} eio_partition;

/*
 * What the sessions of one loop share.  The loop owns the parts behind the
 * pointers; the engine has neither a clock nor a thread of its own.
 */
typedef struct eio_engine {
    const eio_config *config;
    sio_wheel *wheel;
    const uint64_t *now; /* ms; the wheel's own time lags behind it */
    sio_link *doomed;    /* sio_mortal, freed at the end of the turn */
    sio_frame_pool *frames;
    sio_chunk_pool *chunks;
    sio_random *random;
    sio_inbox *inbox; /* for those on other threads; NULL: there are none */
    const sio_log *log;
    sio_metric *counters;     /* SIO_COUNTER_COUNT */
    sio_metric *error_counts; /* EIO_ERROR_CODES */
    const eio_session_events *events;
    const eio_tap *tap;       /* or NULL */
    const eio_census *census; /* or NULL */
    void *app;                /* handed back with `opened` */
    const eio_partition *partition;
    unsigned index; /* of this engine in the partition */

    sio_map sessions; /* of eio_session, by sid */
    sio_frame *ping;  /* packets that never differ, shared by all */
    sio_frame *pong;
    sio_frame *noop;
    sio_frame *close;
    sio_frame *probe; /* the answer to a probe */
} eio_engine;

/* Completes an engine whose pointers the caller has set.  May fail with
 * NO_MEMORY or RANDOM, leaving nothing to undo. */
sio_error eio_engine_init(eio_engine *engine);

/* The index of the engine that a session with this id belongs to. */
unsigned eio_engine_home(const eio_engine *engine, sio_bytes sid);

/* Writes a new id that nobody can guess, NUL-terminated, for a session of this
 * engine.  May fail with RANDOM. */
sio_error eio_sid_make(const eio_engine *engine, char out[SIO_TOKEN_LEN + 1]);

/* All sessions have to be closed and reaped before. */
void eio_engine_deinit(eio_engine *engine);

/*
 * Closes every session, dropping what is queued.  NOW reports each as closed
 * before this returns.  LINGER does so too, but for those whose peer can only
 * be told when it asks: these wait for that, or for the close timeout.
 */
void eio_engine_close_all(eio_engine *engine, eio_close_mode mode);

/*
 * A session that may be closed; NULL when there is none.  Called again with the
 * same `*cursor`, 0 at first, it gives the others, each once, whatever happens
 * to them in between; those that are opened meanwhile it may give or not.
 *
 * Left out are those that are closing, and those amid an upgrade: their clients
 * have stopped polling, and would not hear of the end.
 */
eio_session *eio_engine_next(const eio_engine *engine, uint64_t *cursor);

/* Whether there is a session that is not closing. */
bool eio_engine_in_use(const eio_engine *engine);

static inline uint64_t eio_now(const eio_engine *engine)
{
    return *engine->now;
}

static inline void eio_count(eio_engine *engine, sio_counter counter)
{
    sio_metric_add(&engine->counters[counter], 1);
}

/* For what goes up and down. */
static inline void eio_uncount(eio_engine *engine, sio_counter counter)
{
    sio_metric_sub(&engine->counters[counter], 1);
}

/* Counts an error that ended a request or a session. */
static inline void eio_count_error(eio_engine *engine, sio_error err)
{
    if (err < 0 && err > -EIO_ERROR_CODES) {
        sio_metric_add(&engine->error_counts[-err], 1);
        if (sio_error_is_peers(err)) {
            eio_count(engine, SIO_COUNTER_PEER_ERRORS);
        }
    }
}

#endif
