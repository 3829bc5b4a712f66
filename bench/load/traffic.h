/*
 * Which event goes out next, and whether what comes back is what has to: every
 * byte of it, in the order of its connection, once.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "conn.h"
#include "stats.h"

extern histogram latencies;       /* of each event */
extern histogram round_latencies; /* bcast: until the last receiver has it */

void traffic_setup(void);

/* Gives `c` what it needs to count. */
void traffic_attach(conn *c);

/* The number of the next event of `c`, which is in flight from `at` on. */
uint32_t traffic_take(conn *c, uint64_t at);

/* The event that `c` waits for is back. */
void traffic_returned(conn *c, uint64_t now);

/* Whether `in` is the event that `c` waits for. */
bool traffic_check(conn *c, const uint8_t *in, uint32_t len);

/* Takes an Engine.IO message of a connection that is running; returns 1 when
 * it was what has to come back, else 0 after counting it as bad. */
int traffic_message(conn *c, const uint8_t *in, uint32_t len, uint64_t now);

/* Sends so many events in place of those that are back. */
void traffic_send(conn *c, uint32_t how_many);

/* Lets every connection send its first ones. */
void traffic_begin(conn *conns, int count);

/* bcast: lets the senders send what they may. */
void traffic_broadcast(conn *conns);

/* With a rate: sends what is due; returns when the next one is. */
uint64_t traffic_on_schedule(conn *conns, uint64_t now);

#endif
