/* What the answer to a WebSocket key is made with. */
#ifndef BENCH_SHA1_H
#define BENCH_SHA1_H

#include <stdint.h>

/* `len` is below 112. */
void sha1(const uint8_t *in, uint32_t len, uint8_t out[20]);

/* Writes a string, with its end. */
void base64(const uint8_t *in, uint32_t len, char *out);

#endif
