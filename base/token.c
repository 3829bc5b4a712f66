#include "base/token.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz"
                               "0123456789-_";

sio_error sio_token_make(sio_random *random, char out[SIO_TOKEN_LEN + 1])
{
    uint8_t raw[SIO_TOKEN_LEN / 4 * 3];
    sio_error err = sio_random_fill(random, raw, sizeof(raw));
    if (err != SIO_OK) {
        return err;
    }
    for (size_t i = 0; i < sizeof(raw) / 3; i++) {
        const uint8_t *in = raw + 3 * i;
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        out[4 * i] = alphabet[bits >> 18];
        out[4 * i + 1] = alphabet[bits >> 12 & 63];
        out[4 * i + 2] = alphabet[bits >> 6 & 63];
        out[4 * i + 3] = alphabet[bits & 63];
    }
    out[SIO_TOKEN_LEN] = '\0';
    memset(raw, 0, sizeof(raw));
    return SIO_OK;
}

void sio_token_next(char token[SIO_TOKEN_LEN + 1])
{
    for (size_t i = SIO_TOKEN_LEN; i-- > 0;) {
        const char *at = strchr(alphabet, token[i]);
        token[i] = at[1] == '\0' ? alphabet[0] : at[1];
        if (at[1] != '\0') {
            return; /* without a carry */
        }
    }
}
