#include "base/hash.h"

static uint64_t rotate(uint64_t value, unsigned left)
{
    return value << left | value >> (64 - left);
}

/* Eight bytes, lowest first. */
static uint64_t read_le(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t sio_hash(const sio_hash_key *key, sio_bytes bytes)
{
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    uint64_t v[4] = {
        key->k0 ^ UINT64_C(0x736f6d6570736575),
        key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    size_t whole = bytes.len - bytes.len % 8;
    for (size_t at = 0; at < whole; at += 8) {
        absorb(v, read_le(bytes.base + at));
    }
    uint64_t last = (uint64_t)bytes.len << 56; /* the length modulo 256 */
    for (size_t at = whole; at < bytes.len; at++) {
        last |= (uint64_t)bytes.base[at] << 8 * (at - whole);
    }
    absorb(v, last);

    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
