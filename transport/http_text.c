#include "transport/http_text.h"

/* A row is 16 bytes. */
// clang-format off
const uint8_t tp_http_classes[256] = {
      0,   0,   0,   0,   0,   0,   0,   0,   0,   4,   0,   0,   0,   0,   0,   0,
      0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,
      4,  15,   6,   5,  15,   7,  15,  15,  14,  14,  15,  15,  14,  15,  31,   6,
    127, 127, 127, 127, 127, 127, 127, 127, 127, 127,  22,  14,   6,  14,   6,   6,
      6,  95,  95,  95,  95,  95,  95,  15,  15,  15,  15,  15,  15,  15,  15,  15,
     15,  15,  15,  15,  15,  15,  15,  15,  15,  15,  15,   6,   6,   6,   7,  15,
      7,  95,  95,  95,  95,  95,  95,  15,  15,  15,  15,  15,  15,  15,  15,  15,
     15,  15,  15,  15,  15,  15,  15,  15,  15,  15,  15,   6,   7,   6,  15,   0,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,
      6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6,   6
};
// clang-format on

#define ONES (UINT64_MAX / 255) /* a one in each byte */

/* Whether eight bytes are the same but for the case of letters.  The two cases
 * of a letter differ in one bit. */
static bool same_word(uint64_t a, uint64_t b)
{
    uint64_t bits = a ^ b;
    uint64_t low = (a | ONES * 0x20) & ONES * 0x7f;
    uint64_t from_a = low + ONES * (0x80 - 'a');
    uint64_t from_z = low + ONES * (0x80 - 'z' - 1);
    uint64_t letters = (from_a & ~from_z & ~a & ONES * 0x80) >> 2;
    return (bits & ~letters) == 0;
}

static uint64_t read_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Less than eight bytes, put into a word somehow: alike for the same length. */
static uint64_t read_rest(const uint8_t *at, size_t len)
{
    uint64_t word = 0;
    if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, at, sizeof(first));
        memcpy(&last, at + len - sizeof(last), sizeof(last));
        return (uint64_t)first << 32 | last;
    }
    for (size_t i = 0; i < len; i++) {
        word = word << 8 | at[i];
    }
    return word;
}

bool tp_http_same(const uint8_t *a, const uint8_t *b, size_t len)
{
    if (len < 8) {
        return same_word(read_rest(a, len), read_rest(b, len));
    }
    for (size_t i = 0; i < len - 8; i += 8) {
        if (!same_word(read_word(a + i), read_word(b + i))) {
            return false;
        }
    }
    return same_word(read_word(a + len - 8), read_word(b + len - 8));
}

sio_bytes tp_http_trim(sio_bytes text)
{
    const uint8_t *at = text.base;
    size_t len = text.len;
    while (len != 0 && tp_http_is_blank(at[len - 1])) {
        len--;
    }
    while (len != 0 && tp_http_is_blank(*at)) {
        at++;
        len--;
    }
    return (sio_bytes){at, len};
}

void tp_http_skip_blanks(sio_bytes *rest)
{
    while (rest->len != 0 && tp_http_is_blank(rest->base[0])) {
        sio_bytes_skip(rest, 1);
    }
}

sio_bytes tp_http_take_token(sio_bytes *rest)
{
    sio_bytes token = {rest->base, 0};
    while (token.len < rest->len &&
           tp_http_is(rest->base[token.len], TP_HTTP_CLASS_TOKEN)) {
        token.len++;
    }
    sio_bytes_skip(rest, token.len);
    return token;
}

bool tp_http_list_next(sio_bytes *rest, sio_bytes *element)
{
    if (rest->base == NULL) {
        return false;
    }
    const uint8_t *comma = memchr(rest->base, ',', rest->len);
    if (comma == NULL) {
        *element = tp_http_trim(*rest);
        *rest = (sio_bytes){NULL, 0};
        return true;
    }
    size_t len = (size_t)(comma - rest->base);
    *element = tp_http_trim((sio_bytes){rest->base, len});
    *rest = (sio_bytes){comma + 1, rest->len - len - 1};
    return true;
}

/* The end of the host that starts at `at`, or NULL if it is malformed. */
static const uint8_t *skip_literal(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *address = ++at;
    while (at != end && tp_http_is(*at, TP_HTTP_CLASS_LITERAL)) {
        at++;
    }
    return at != end && *at == ']' && at - address >= 2 ? at + 1 : NULL;
}

static const uint8_t *skip_reg_name(const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        while (at != end && tp_http_is(*at, TP_HTTP_CLASS_REG_NAME)) {
            at++;
        }
        if (at == end || *at == ':') {
            return at;
        }
        if (*at != '%' || end - at < 3 ||
            !tp_http_is(at[1], TP_HTTP_CLASS_HEX) ||
            !tp_http_is(at[2], TP_HTTP_CLASS_HEX)) {
            return NULL;
        }
        at += 3;
    }
}

bool tp_http_is_host(sio_bytes text)
{
    if (text.len == 0) {
        return true;
    }
    const uint8_t *end = text.base + text.len;
    const uint8_t *at = text.base[0] == '[' ? skip_literal(text.base, end)
                                            : skip_reg_name(text.base, end);
    if (at == NULL || (at != end && *at++ != ':')) {
        return false;
    }
    while (at != end && tp_http_is(*at, TP_HTTP_CLASS_DIGIT)) {
        at++;
    }
    return at == end;
}
