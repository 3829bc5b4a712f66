#include "base/base64.h"

/* Values of bytes that are not digits; all of them from 64 up, so that one
 * comparison tells four digits from anything else. */
#define BLANK 64
#define PAD 65
#define BAD 66

// clang-format off
static const uint8_t values[256] = {
    66, 66, 66, 66, 66, 66, 66, 66, 66, 64, 64, 64, 64, 64, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    64, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 62, 66, 62, 66, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 66, 66, 66, 65, 66, 66,
    66,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 66, 66, 66, 66, 63,
    66, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
    66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66,
};
// clang-format on

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t sio_base64_encoded_len(size_t len)
{
    return len / 3 * 4 + (len % 3 != 0 ? 4 : 0);
}

/* Writes the four digits of 24 bits. */
static uint8_t *put_four(uint8_t *out, uint32_t bits)
{
    *out++ = (uint8_t)digits[bits >> 18];
    *out++ = (uint8_t)digits[bits >> 12 & 63];
    *out++ = (uint8_t)digits[bits >> 6 & 63];
    *out++ = (uint8_t)digits[bits & 63];
    return out;
}

void sio_base64_encode(sio_bytes in, uint8_t *out)
{
    const uint8_t *at = in.base;
    size_t left = in.len;

    for (; left >= 3; left -= 3, at += 3) {
        out = put_four(out, (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 |
                                (uint32_t)at[2]);
    }
    if (left == 2) {
        out = put_four(out, (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8);
        out[-1] = '=';
    } else if (left == 1) {
        out = put_four(out, (uint32_t)at[0] << 16);
        out[-1] = out[-2] = '=';
    }
}

/* Reads groups of four digits while there is nothing else, and returns how
 * many bytes of `in` that were. */
static size_t decode_groups(sio_bytes in, uint8_t *out)
{
    size_t at = 0;

    for (; in.len - at >= 4; at += 4, out += 3) {
        uint32_t a = values[in.base[at]], b = values[in.base[at + 1]];
        uint32_t c = values[in.base[at + 2]], d = values[in.base[at + 3]];
        if ((a | b | c | d) >= BLANK) {
            break;
        }
        uint32_t bits = a << 18 | b << 12 | c << 6 | d;
        out[0] = (uint8_t)(bits >> 16);
        out[1] = (uint8_t)(bits >> 8);
        out[2] = (uint8_t)bits;
    }
    return at;
}

sio_error sio_base64_decode(sio_bytes in, uint8_t *out, size_t *out_len)
{
    size_t at = 0, to = 0;
    uint32_t bits = 0; /* the last `held` bits are not written yet */
    unsigned held = 0;

    while (at < in.len) {
        if (held == 0) {
            sio_bytes rest = {in.base + at, in.len - at};
            size_t len = decode_groups(rest, out + to);
            at += len;
            to += len / 4 * 3;
        }
        uint8_t value = at < in.len ? values[in.base[at++]] : PAD;
        if (value < BLANK) {
            bits = bits << 6 | value;
            held += 6;
            if (held >= 8) {
                held -= 8;
                out[to++] = (uint8_t)(bits >> held);
            }
        } else if (value == PAD) {
            break;
        } else if (value == BAD) {
            return SIO_ERR_BASE64;
        }
    }
    *out_len = to;
    return SIO_OK;
}
