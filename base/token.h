#ifndef SIO_BASE_TOKEN_H
#define SIO_BASE_TOKEN_H

#include "base/random.h"

/* Characters of a token: 120 random bits in the url-safe base64 alphabet. */
#define SIO_TOKEN_LEN 20

/* Writes a fresh token that nobody can guess, NUL-terminated.  May fail with
 * RANDOM. */
sio_error sio_token_make(sio_random *random, char out[SIO_TOKEN_LEN + 1]);

/* Makes another one of it: they are numbers, and this is the next. */
void sio_token_next(char token[SIO_TOKEN_LEN + 1]);

#endif
