#ifndef TEST_FRONT_RIG_H
#define TEST_FRONT_RIG_H

#include "engineio/session.h"
#include "test/memory_stream.h"
#include "transport/front.h"

/* Requests. */
#define ASK(method, target) method " " target " HTTP/1.1\r\nHost: h\r\n\r\n"
#define WS_FIELDS "Host: h\r\n" WS_FIELDS_BUT_HOST
#define WS_FIELDS_BUT_HOST                                                     \
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"                            \
    "Sec-WebSocket-Version: 13\r\n"                                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define WS_OPEN                                                                \
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n" WS_FIELDS "\r\n"
#define POLL_OPEN ASK("GET", "/socket.io/?EIO=4&transport=polling")

/* Frames of a client. */
#define MASKED_HI                                                              \
    "\x81\x83\0\0\0\0"                                                         \
    "4hi"
#define MASKED_PROBE                                                           \
    "\x81\x86\0\0\0\0"                                                         \
    "2probe"
#define MASKED_UPGRADE                                                         \
    "\x81\x81\0\0\0\0"                                                         \
    "5"

/* What the application says to a handshake. */
typedef enum front_rig_verdict {
    FRONT_RIG_ALLOW,
    FRONT_RIG_REFUSE,
    FRONT_RIG_LATER /* when front_rig_decide() is called */
} front_rig_verdict;

#define FRONT_RIG_PEERS 4

/* A front with all it needs, and an application that writes down what it is
 * told: `opened;`, `[message];`, `upgraded;`, `closed REASON;`,
 * `refused CODE MESSAGE CONTEXT;`, `other WHOLE;`. */
typedef struct front_rig {
    tp_loop loop;
    eio_config eio_config;
    eio_engine engine;
    sio_metric counters[SIO_COUNTER_COUNT];
    sio_metric errors[EIO_ERROR_CODES];
    sio_arena strings; /* of the parts of `config` that were made */
    tp_front_config config;
    tp_front_hooks hooks;
    tp_front front;
    memory_stream peers[FRONT_RIG_PEERS];
    size_t accepted;
    eio_session *session; /* the latest */
    front_rig_verdict verdict;
    tp_exchange *asked; /* whose verdict is awaited */
    unsigned ended, initial_headers, headers;
    bool serves_others;
    sio_buf told;
} front_rig;

/* Its hooks are `refused` and `other`; the three below may be set as well. */
void front_rig_init(front_rig *r);

/* Gives it other CORS rules, or a cookie, by those fields of `config`, whose
 * strings are borrowed. */
void front_rig_configure(front_rig *r, const sio_server_config *config);

/* Cuts off what is left, and sees that everything is counted down. */
void front_rig_deinit(front_rig *r);

/* The application says `verdict`, or adds a header and counts. */
void front_rig_on_allow(void *app, tp_exchange *x);
void front_rig_on_initial_headers(void *app, tp_exchange *x);
void front_rig_on_headers(void *app, tp_exchange *x);

/* Gives the verdict that is awaited. */
void front_rig_decide(front_rig *r, bool allow);

/* The next peer connects. */
memory_stream *front_rig_come(front_rig *r);

/* The peer says `bytes`, all of which have to be read. */
void front_rig_say(front_rig *r, memory_stream *ms, sio_bytes bytes);

#define SAY(r, ms, literal) front_rig_say((r), (ms), SIO_LIT(literal))

/* Says what holds the session's id in place of "%s". */
void front_rig_say_sid(front_rig *r, memory_stream *ms, const char *fmt);

/* Expects this to have been told since the last call. */
void front_rig_expect_told(const char *label, front_rig *r, const char *want);

/* Expects what was sent to begin with `start` and to have `part` in it, or
 * nothing for an empty `start`; it is then forgotten. */
void front_rig_expect_sent(const char *label, memory_stream *ms,
                           const char *start, const char *part);

#endif
