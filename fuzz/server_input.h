#ifndef FUZZ_SERVER_INPUT_H
#define FUZZ_SERVER_INPUT_H

/* The input of the fuzzer of the whole server, as it is used up. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INPUT_MOST = 8192 };

/* Borrows `data` until the next call. */
void input_begin(const uint8_t *data, size_t size);

bool input_left(void);

/* Where nothing is left, zeros come. */
unsigned input_byte(void);
unsigned input_two(void);

/* Two bytes of length, and as many bytes as there are of it, borrowed. */
size_t input_bytes(const uint8_t **bytes);

/* The same, copied.  With `ids`, bytes 1 and 2 stand for the ids by which
 * recovery is asked for: they are texts that the script cannot know. */
size_t input_text(uint8_t out[INPUT_MOST], bool ids);

#endif
