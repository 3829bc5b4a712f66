/*
 * A client over long-polling: one connection that GETs, another one that
 * POSTs.  It POSTs at once what has come back meanwhile.
 */
#ifndef BENCH_POLLING_H
#define BENCH_POLLING_H

#include <stdint.h>

#include "conn.h"

/* Makes a client of two connections, of which the first is to be opened. */
void polling_attach(conn *get, conn *post);

/* TCP is there. */
void polling_connected(conn *c);

/* Takes what is complete; returns how many bytes that are, or -1. */
int64_t polling_parse(conn *c, const uint8_t *in, uint32_t len, uint64_t now);

/* Lets the client of `get` send its first events. */
void polling_begin(conn *get);

/* Whether the answer to a POST is still to come. */
bool polling_is_busy(const conn *get);

#endif
