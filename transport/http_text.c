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

static bool is_letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool tp_http_equals(sio_bytes a, sio_bytes b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        /* The two cases of a letter differ in one bit. */
        unsigned bits = a.base[i] ^ b.base[i];
        if (bits != 0 && (bits != 0x20 || !is_letter(a.base[i]))) {
            return false;
        }
    }
    return true;
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
    while (at != end && *at != ':') {
        bool escape = *at == '%' && end - at >= 3 &&
                      tp_http_is(at[1], TP_HTTP_CLASS_HEX) &&
                      tp_http_is(at[2], TP_HTTP_CLASS_HEX);
        if (!escape && !tp_http_is(*at, TP_HTTP_CLASS_REG_NAME)) {
            return NULL;
        }
        at += escape ? 3 : 1;
    }
    return at;
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
