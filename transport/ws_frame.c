#include "transport/ws_frame.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static uint64_t read_be(const uint8_t *at, size_t n)
{
    uint64_t value = 0;
    while (n-- > 0) {
        value = value << 8 | *at++;
    }
    return value;
}

static bool is_known(unsigned opcode)
{
    return opcode <= TP_WS_OP_BINARY ||
           (opcode >= TP_WS_OP_CLOSE && opcode <= TP_WS_OP_PONG);
}

sio_error tp_ws_header_decode(sio_bytes in, bool deflate, tp_ws_header *out)
{
    if (in.len < 2) {
        return SIO_MORE;
    }
    const uint8_t *b = in.base;
    bool fin = (b[0] & 0x80) != 0;
    bool rsv1 = (b[0] & 0x40) != 0;
    unsigned opcode = b[0] & 0x0f;
    bool control = opcode >= TP_WS_OP_CLOSE;
    bool masked = (b[1] & 0x80) != 0;
    unsigned len7 = b[1] & 0x7f;

    if ((b[0] & 0x30) != 0 || !is_known(opcode)) {
        return SIO_ERR_FRAME_BITS;
    }
    /* RSV1 marks a message, so only its first frame may carry it. */
    if (rsv1 && (!deflate || control || opcode == TP_WS_OP_CONTINUATION)) {
        return SIO_ERR_FRAME_BITS;
    }
    if (control && (!fin || len7 > 125)) {
        return SIO_ERR_FRAME_LENGTH;
    }

    size_t ext = len7 < 126 ? 0 : len7 == 126 ? 2 : 8;
    size_t size = 2 + ext + (masked ? 4 : 0);
    if (in.len < size) {
        return SIO_MORE;
    }
    uint64_t payload = ext == 0 ? len7 : read_be(b + 2, ext);
    if ((ext == 2 && payload < 126) || (ext == 8 && payload <= UINT16_MAX) ||
        payload > INT64_MAX) {
        return SIO_ERR_FRAME_LENGTH;
    }

    *out = (tp_ws_header){
        .opcode = (tp_ws_opcode)opcode,
        .fin = fin,
        .deflated = rsv1,
        .masked = masked,
        .payload = payload,
        .size = size,
    };
    if (masked) {
        memcpy(out->mask, b + size - 4, 4);
    }
    return SIO_OK;
}

size_t tp_ws_header_write(uint8_t out[TP_WS_HEADER_MAX], tp_ws_opcode opcode,
                          bool deflated, uint64_t payload)
{
    out[0] = (uint8_t)(0x80 | (deflated ? 0x40 : 0) | opcode);
    if (payload < 126) {
        out[1] = (uint8_t)payload;
        return 2;
    }
    size_t ext = payload <= UINT16_MAX ? 2 : 8;
    out[1] = ext == 2 ? 126 : 127;
    for (size_t i = ext; i > 0; i--) {
        out[1 + i] = (uint8_t)payload;
        payload >>= 8;
    }
    return 2 + ext;
}

/* Masks whole blocks, with `key` as it lies in memory, and returns how many
 * bytes that were: a multiple of 8. */
#ifdef __SSE2__
static size_t mask_blocks(uint8_t *data, size_t len, uint32_t key)
{
    const __m128i keys = _mm_set1_epi32((int)key);
    size_t done = 0;

    for (; len - done >= 64; done += 64) {
        __m128i *at = (__m128i *)(void *)(data + done);
        __m128i a = _mm_xor_si128(_mm_loadu_si128(at), keys);
        __m128i b = _mm_xor_si128(_mm_loadu_si128(at + 1), keys);
        __m128i c = _mm_xor_si128(_mm_loadu_si128(at + 2), keys);
        __m128i d = _mm_xor_si128(_mm_loadu_si128(at + 3), keys);
        _mm_storeu_si128(at, a);
        _mm_storeu_si128(at + 1, b);
        _mm_storeu_si128(at + 2, c);
        _mm_storeu_si128(at + 3, d);
    }
    for (; len - done >= 16; done += 16) {
        __m128i *at = (__m128i *)(void *)(data + done);
        _mm_storeu_si128(at, _mm_xor_si128(_mm_loadu_si128(at), keys));
    }
    return done;
}
#else
static size_t mask_blocks(uint8_t *data, size_t len, uint32_t key)
{
    const uint64_t keys = (uint64_t)key << 32 | key;
    size_t done = 0;

    for (; len - done >= sizeof(keys); done += sizeof(keys)) {
        uint64_t word;
        memcpy(&word, data + done, sizeof(word));
        word ^= keys;
        memcpy(data + done, &word, sizeof(word));
    }
    return done;
}
#endif

void tp_ws_unmask(uint8_t *data, size_t len, const uint8_t mask[4],
                  size_t offset)
{
    uint8_t turned[4];
    for (size_t i = 0; i < 4; i++) {
        turned[i] = mask[(offset + i) % 4];
    }
    uint32_t key;
    memcpy(&key, turned, sizeof(key));

    size_t i = mask_blocks(data, len, key);
    for (; len - i >= sizeof(key); i += sizeof(key)) {
        uint32_t word;
        memcpy(&word, data + i, sizeof(word));
        word ^= key;
        memcpy(data + i, &word, sizeof(word));
    }
    for (; i < len; i++) {
        data[i] ^= turned[i % 4];
    }
}

#ifdef __SSE2__
/* The same for 16 bytes at least.  The last block overlaps the one before it,
 * so it is fetched as it came. */
static bool unmask_wide(uint8_t *data, size_t len, uint32_t key)
{
    uint8_t *last = data + len - 16;
    unsigned turn = 8 * (len % 4);
    uint32_t turned = turn == 0 ? key : key >> turn | key << (32 - turn);
    const __m128i keys = _mm_set1_epi32((int)key);
    __m128i end = _mm_loadu_si128((__m128i *)(void *)last);
    end = _mm_xor_si128(end, _mm_set1_epi32((int)turned));
    __m128i seen = end;
    for (; data < last; data += 16) {
        __m128i *at = (__m128i *)(void *)data;
        __m128i block = _mm_xor_si128(_mm_loadu_si128(at), keys);
        _mm_storeu_si128(at, block);
        seen = _mm_or_si128(seen, block);
    }
    _mm_storeu_si128((__m128i *)(void *)last, end);
    return _mm_movemask_epi8(seen) == 0;
}
#endif

bool tp_ws_unmask_short(uint8_t *data, size_t len, const uint8_t mask[4])
{
    uint32_t key;
    memcpy(&key, mask, sizeof(key));
#ifdef __SSE2__
    if (len >= 16) {
        return unmask_wide(data, len, key);
    }
#endif
    const uint64_t keys = (uint64_t)key << 32 | key;
    uint64_t seen = 0, word;
    uint8_t *end = data + len;

    for (; end - data >= 8; data += 8) {
        memcpy(&word, data, 8);
        word ^= keys;
        memcpy(data, &word, 8);
        seen |= word;
    }
    if (end - data >= 4) {
        uint32_t half;
        memcpy(&half, data, 4);
        half ^= key;
        memcpy(data, &half, 4);
        seen |= half;
        data += 4;
    }
    for (size_t i = 0; data < end; i++) {
        *data ^= mask[i];
        seen |= *data++;
    }
    return (seen & 0x8080808080808080) == 0;
}
