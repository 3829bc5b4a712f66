#include "base/query.h"

/* The value of a hex digit, or -1. */
static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sio_query_next(sio_query *it, sio_bytes *name, sio_bytes *value)
{
    while (it->rest.len != 0 && it->rest.base[0] == '&') {
        it->rest.base++;
        it->rest.len--;
    }
    if (it->rest.len == 0) {
        return false;
    }
    const uint8_t *from = it->rest.base;
    const uint8_t *end = from + it->rest.len;
    const uint8_t *mark = from; /* names are too short for memchr() */
    while (mark != end && *mark != '=' && *mark != '&') {
        mark++;
    }
    const uint8_t *second = mark, *stop = mark;
    if (mark != end && *mark == '=') {
        second = mark + 1;
        stop = memchr(second, '&', (size_t)(end - second));
        stop = stop == NULL ? end : stop;
    }
    *name = (sio_bytes){from, (size_t)(mark - from)};
    *value = (sio_bytes){second, (size_t)(stop - second)};
    it->rest = (sio_bytes){stop, (size_t)(end - stop)};
    return true;
}

/* Decodes the byte at the front of `*raw`, which is not empty, and drops what
 * it was written as. */
static uint8_t take_byte(sio_bytes *raw)
{
    const uint8_t *at = raw->base;
    uint8_t byte = *at == '+' ? ' ' : *at;
    size_t len = 1;
    if (byte == '%' && raw->len >= 3 && hex_value(at[1]) >= 0 &&
        hex_value(at[2]) >= 0) {
        byte = (uint8_t)(hex_value(at[1]) << 4 | hex_value(at[2]));
        len = 3;
    }
    *raw = (sio_bytes){at + len, raw->len - len};
    return byte;
}

void sio_query_decode(sio_bytes raw, uint8_t *out, size_t *len)
{
    size_t count = 0;
    while (raw.len != 0) {
        out[count++] = take_byte(&raw);
    }
    *len = count;
}

static bool decodes_to(sio_bytes raw, sio_bytes text)
{
    size_t i = 0;
    while (raw.len != 0 && i < text.len && take_byte(&raw) == text.base[i]) {
        i++;
    }
    return raw.len == 0 && i == text.len;
}

bool sio_query_is(sio_bytes raw, sio_bytes name)
{
    if (raw.len <= name.len) { /* what is escaped is longer */
        return sio_bytes_eq(raw, name);
    }
    return decodes_to(raw, name);
}

bool sio_query_is_plain(sio_bytes raw)
{
    return raw.len == 0 || (memchr(raw.base, '%', raw.len) == NULL &&
                            memchr(raw.base, '+', raw.len) == NULL);
}

bool sio_query_get(sio_bytes query, sio_bytes name, sio_bytes *raw_value)
{
    sio_query it = {.rest = query};
    sio_bytes raw_name, value;
    bool found = false;
    while (sio_query_next(&it, &raw_name, &value)) {
        if (decodes_to(raw_name, name)) {
            *raw_value = value;
            found = true;
        }
    }
    return found;
}
