#ifndef TEST_TURN_TLS_H
#define TEST_TURN_TLS_H

#include "test/turn_rig.h"

/*
 * TLS of 1.2 for the clients of turn_rig.h, at rig->secure_port.  Two at a
 * time.  The certificate has to be for `host` and of tls_cert_ca()'s.
 */

/* Connects; the handshake is made by what is sent first.  With `resumes` the
 * session of the last one that turn_tls_keep() was called for is offered. */
void turn_tls_dial(turn_client *c, turn_rig *rig, const char *host,
                   bool resumes);

/* Keeps the session, if the handshake is over. */
void turn_tls_keep(const turn_client *c);

bool turn_tls_has_session(void);

/* Frees what is kept. */
void turn_tls_deinit(void);

#endif
