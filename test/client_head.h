#ifndef TEST_CLIENT_HEAD_H
#define TEST_CLIENT_HEAD_H

#include <stddef.h>
#include <stdint.h>

#define CLIENT_HEAD_MAX 8

/*
 * Writes what comes before `len` bytes, at most 65535, in a frame of a client
 * (RFC 6455, section 5.2), whose first byte is `first`; returns its length.
 * The mask is zero, which is allowed, and the bytes can be read in a trace.
 */
static inline size_t client_head(uint8_t out[CLIENT_HEAD_MAX], unsigned first,
                                 size_t len)
{
    size_t head = 2;
    out[0] = (uint8_t)first;
    if (len < 126) {
        out[1] = (uint8_t)(0x80 | len);
    } else {
        out[1] = 0x80 | 126;
        out[2] = (uint8_t)(len >> 8);
        out[3] = (uint8_t)len;
        head = 4;
    }
    for (size_t end = head + 4; head < end; head++) {
        out[head] = 0;
    }
    return head;
}

#endif
