#ifndef TEST_RECOVERY_RIG_H
#define TEST_RECOVERY_RIG_H

#include "socketio/recovery.h"
#include "test/sio_rig.h"

/* A rig whose namespace `/r` has recovery, and clients that lose their
 * connections.  For programs with cmocka: what is amiss fails the test. */

#define WINDOW 120000 /* ms that a session is stored */

extern sio_rig rig;
extern sio_namespace *nsp; /* `/r` */

void open_rig(size_t max_packets, size_t max_bytes, bool skip);
int set_up(void **state);
int tear_down(void **state);

const sio_recovery *recovery(void);
uint64_t counter(sio_counter which);

/* What a client has of its session. */
typedef struct session {
    char sid[SIO_TOKEN_LEN + 1];
    char pid[SIO_TOKEN_LEN + 1];
    char offset[64];
} session;

/* Takes it from a CONNECT packet in `said`. */
void read_session(const sio_peer *peer, const char *said, session *s);

/* Keeps the offset of the latest event in `said`. */
void note_offset(session *s, const char *said);

/* Opens a connection and joins; resumes, which is not read yet; loses it. */
sio_peer join(const char *name, session *s);
sio_peer resume_by(memory_kind kind, const char *name, const session *s);
sio_peer resume(const char *name, const session *s);
void drop(const sio_peer *peer);

/* An event without arguments to all. */
void emit_all(const char *event);

/* The names of the events in `said`, and `+` where it is connected. */
const char *names(const char *said);

/* Whether the peer has that session. */
bool recovered(const sio_peer *peer, const session *s);

#endif
