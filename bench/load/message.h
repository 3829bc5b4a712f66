/* The events that a run sends, and what has to come back. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that may be read, and those of scratch that may be written, beyond a
 * packet's end: packets are masked in words. */
#define MESSAGE_SLACK 4096

extern uint32_t message_len;  /* an event's arguments, without "42" and id */
extern uint32_t expected_len; /* the same of what comes back */
extern uint8_t *scratch;      /* room for a packet, and MESSAGE_SLACK more */

/* Makes both from the options. */
void message_prepare(void);

/* Writes "42[...]", or with an id where acks are wanted; returns its length,
 * at most message_len + 32. */
uint32_t message_write(uint8_t *at, uint32_t seq);

/* Writes message_len bytes: the arguments alone. */
void message_write_args(uint8_t *at, uint32_t seq);

/* Whether `in` is what has to come back, but for its number, which goes to
 * `seq`. */
bool message_read(const uint8_t *in, uint32_t len, uint32_t *seq);

/* Whether `in` is what has to come back for number `seq`. */
bool message_is(const uint8_t *in, uint32_t len, uint32_t seq);

/* Writes decimal digits, at most 10; returns how many. */
uint32_t decimal_write(uint8_t *at, uint32_t value);

#endif
