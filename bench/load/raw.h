/* Records of a length and as many bytes as a WebSocket frame would have: what
 * a server reaches that does nothing but send back what it reads. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include <stdint.h>

#include "conn.h"

/* Adds an event to what goes out. */
void raw_put(uint32_t seq);

/* Takes what is complete; returns how many bytes that are, or -1. */
int64_t raw_parse(conn *c, const uint8_t *in, uint32_t len, uint64_t now);

#endif
