/* A client over WebSocket: the upgrade, frames, and Engine.IO's packets. */
#ifndef BENCH_WEBSOCKET_H
#define BENCH_WEBSOCKET_H

#include <stdint.h>

#include "conn.h"

/* Sends the request. */
void websocket_upgrade(conn *c);

/* Adds an event to what goes out. */
void websocket_put_event(uint32_t seq);

/* Takes what is complete; returns how many bytes that are, or -1. */
int64_t websocket_parse(conn *c, const uint8_t *in, uint32_t len, uint64_t now);

#endif
