#ifndef TEST_TURN_RIG_H
#define TEST_TURN_RIG_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "socketio/socketio.h"
#include "test/fault.h"

/*
 * A server on a loop that the test turns by hand, and clients with real sockets
 * on the same thread: while the loop turns, faults are on, and nothing of the
 * test runs but its handlers.
 */
typedef struct turn_rig {
    struct ev_loop *ev;
    sio_server *server;
    sio_namespace *root;
    uint16_t port, secure_port; /* the latter: of a scene that needs one */
    sio_server *inner;          /* of a scene that mounts one; or NULL */
    atomic_ullong logged;       /* lines of the log, but those for debugging */
} turn_rig;

/* For a config's on_log, with the rig as its `arg`. */
void turn_rig_log(void *arg, int level, const char *event, const char *text);

/* Timeouts of five seconds, which turn_rig_settle() has pass at once. */
void turn_rig_set_timeouts(sio_server_config *config);

/* Makes it, with these timeouts; `change`, unless NULL, may change the
 * configuration.  Nothing may fail. */
void turn_rig_prepare(turn_rig *rig, void (*change)(sio_server_config *config));

/* Listens. */
void turn_rig_listen(turn_rig *rig);

/* Stops it, and frees all. */
void turn_rig_free(turn_rig *rig);

/* One turn of the loop, in which fault_now counts. */
void turn_rig_turn(turn_rig *rig);

/* What the server has told of that is out of order: lines of the log, and
 * counters of what was refused, or closed by the server. */
uint64_t turn_rig_signs(const turn_rig *rig);

/* Moves the server's clock behind all timeouts that run. */
void turn_rig_pass_time(void);

/* Closes who is in `/`, and turns, with nothing failing, until so many sessions
 * and connections are left. */
void turn_rig_settle(turn_rig *rig, uint64_t sessions, uint64_t connections);

struct turn_client;

/* What lies over a client's socket; as send(), recv() and close() do. */
typedef struct turn_pipe {
    ssize_t (*send)(struct turn_client *c, const void *data, size_t len);
    ssize_t (*recv)(struct turn_client *c, void *data, size_t len);
    void (*close)(struct turn_client *c);
} turn_pipe;

typedef struct turn_client {
    turn_rig *rig;
    const turn_pipe *pipe; /* NULL: nothing */
    int fd;                /* -1: none */
    bool ended;            /* the server has closed the connection */
    size_t len;
    char in[65536]; /* what has come and was not heard, NUL-terminated */
    char sid[32];   /* of its session; "" before that is known */
} turn_client;

/* Connects; what the client had before is closed. */
void turn_client_dial(turn_client *c, turn_rig *rig);
void turn_client_dial_at(turn_client *c, turn_rig *rig, uint16_t port);

/* Closes. */
void turn_client_close(turn_client *c);

/* Sends bytes, or text as they stand; a printf of the latter. */
void turn_client_send(turn_client *c, const void *data, size_t len);
__attribute__((format(printf, 2, 3))) void
turn_client_sayf(turn_client *c, const char *format, ...);

/* Sends a WebSocket frame, masked: its first byte, and up to 4096 bytes. */
void turn_client_frame(turn_client *c, uint8_t first, const void *data,
                       size_t len);

/* A text frame, at most 4096 bytes. */
void turn_client_text(turn_client *c, const char *text);

/*
 * Turns until `want` has come, and takes all up to its end.  False when the
 * connection has ended, or when a fault that is not harmless has struck and
 * nothing comes; else that is an error.
 */
bool turn_client_hear(turn_client *c, const char *want);

/* The same, and copies what stood before it. */
bool turn_client_copy(turn_client *c, const char *want, char *out, size_t cap);

#endif
