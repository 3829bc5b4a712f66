#ifndef FUZZ_SERVER_RIG_H
#define FUZZ_SERVER_RIG_H

/* The servers that are fuzzed: how they are set up, held to their limits, and
 * ended. */

#include <ev.h>

#include "fuzz/server_app.h"

/* What an input switches on, by bits; seeds_server.py has the same names. */
typedef enum rig_flag {
    RIG_RECOVERY,
    RIG_EIO3,
    RIG_MISSING_IS_3, /* with EIO3 */
    RIG_DEFLATE,
    RIG_MSGPACK,
    RIG_RANDOM_IDS,
    RIG_COMPRESS, /* polls, from one byte on */
    RIG_SMALL_PAYLOAD,
    RIG_SMALL_BACKLOG,
    RIG_REFUSE, /* what is over it */
    RIG_COOKIE,
    RIG_CORS,
    RIG_PER_ADDRESS,
    RIG_HANDSHAKES,
    RIG_RATE,
    RIG_DISCONNECT, /* who is over it */
    RIG_WARN,
    RIG_SKIP_MIDDLEWARES,
    RIG_PROXIES,
    RIG_EVENT_RULES,
    RIG_FEW_ACKS,
    RIG_CLEANUP,
    RIG_INITIAL,
    RIG_KEEP_ALIVE, /* short */
    RIG_NO_TAKEOVER,
    RIG_DEFLATE_ALL, /* from one byte on */
    RIG_MOODY,
    RIG_SLOW,
    RIG_DRAIN,
    RIG_FREE,   /* in full run, without stopping */
    RIG_PLACES, /* one with PROXY headers, and a unix socket */
    RIG_MOUNT,  /* another server at /other */
    RIG_SMALL_WINDOWS,
    RIG_AGAIN, /* listens once more when it has closed */
    RIG_PACKETS,
    RIG_OUTGOING,
    RIG_FLAGS
} rig_flag;

enum {
    RIG_FLAG_BYTES = 5,
    RIG_PLAIN = 0, /* places */
    RIG_PROXY = 1,
    RIG_UNIX = 2
};

bool rig_on(rig_flag flag);

/* Which of the two servers steps are about: its application. */
server_app *rig_app(bool other);

/* Starts the servers on `ev`, and the client that behaves. */
void rig_start(struct ev_loop *ev, uint64_t flags);

/* Stops the mounted one, while the first goes on. */
void rig_stop_other(void);

/* Memory is within the limits. */
void rig_check_memory(void);

/* Ends the servers, as the flags say. */
void rig_end(void);

#endif
