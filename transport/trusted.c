#include "transport/trusted.h"

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next item; false at the end. */
static bool next_item(const char **at, sio_bytes *item)
{
    const char *from = *at;
    while (is_separator(*from)) {
        from++;
    }
    const char *to = from;
    while (*to != '\0' && !is_separator(*to)) {
        to++;
    }
    *at = to;
    *item = (sio_bytes){(const uint8_t *)from, (size_t)(to - from)};
    return to != from;
}

/* A number of bits, at most `most`, in plain decimal. */
static bool read_bits(sio_bytes text, unsigned most, unsigned *bits)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 3 ||
        (text.base[0] == '0' && text.len > 1)) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.base[i] < '0' || text.base[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text.base[i] - '0');
    }
    *bits = value;
    return value <= most;
}

/* The bits of byte `at` that a block of so many bits fixes. */
static uint8_t mask_of(unsigned bits, unsigned at)
{
    unsigned left = bits > 8 * at ? bits - 8 * at : 0;
    return (uint8_t)(left >= 8 ? 0xff : 0xff00U >> left);
}

static bool ends_in_zeros(const tp_block *block)
{
    for (unsigned i = 0; i < sizeof(block->from.ip); i++) {
        if ((block->from.ip[i] & ~mask_of(block->bits, i)) != 0) {
            return false;
        }
    }
    return true;
}

/* Sets `*block`; returns what is wrong, or NULL. */
static const char *read_block(sio_bytes item, tp_block *block)
{
    const uint8_t *slash = memchr(item.base, '/', item.len);
    sio_bytes ip = item;
    if (slash != NULL) {
        ip.len = (size_t)(slash - item.base);
    }
    if (!tp_address_parse(ip, &block->from)) {
        return "is no numeric address";
    }
    bool written_ipv6 = memchr(ip.base, ':', ip.len) != NULL;
    bool is_ipv6 = block->from.kind == TP_ADDRESS_IPV6;
    unsigned most = written_ipv6 ? 128 : 32, bits = most;
    if (slash != NULL &&
        !read_bits((sio_bytes){slash + 1, item.len - ip.len - 1}, most,
                   &bits)) {
        return "has no proper number of bits";
    }
    if (written_ipv6 && !is_ipv6) {
        if (bits < 96) {
            return "mixes IPv4 and IPv6";
        }
        bits -= 96;
    }
    block->bits = (uint8_t)bits;
    return ends_in_zeros(block) ? NULL : "has ones behind its bits";
}

static size_t count_items(const char *text)
{
    size_t count = 0;
    sio_bytes item;
    while (next_item(&text, &item)) {
        count++;
    }
    return count;
}

sio_error tp_trusted_parse(const char *text, sio_arena *arena, tp_trusted *out,
                           const char **why, sio_bytes *item)
{
    size_t count = count_items(text);
    *out = (tp_trusted){0};
    out->blocks = sio_arena_alloc(arena, (count + 1) * sizeof(*out->blocks));
    if (out->blocks == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    while (next_item(&text, item)) {
        if (sio_bytes_eq(*item, SIO_LIT(TP_ADDRESS_UNIX_TEXT))) {
            out->local = true;
            continue;
        }
        *why = read_block(*item, &out->blocks[out->count]);
        if (*why != NULL) {
            return SIO_ERR_ARGUMENT;
        }
        out->count++;
    }
    return SIO_OK;
}

static bool is_within(const tp_block *block, const tp_address *address)
{
    if (block->from.kind != address->kind) {
        return false;
    }
    for (unsigned i = 0; 8 * i < block->bits; i++) {
        if (((block->from.ip[i] ^ address->ip[i]) & mask_of(block->bits, i)) !=
            0) {
            return false;
        }
    }
    return true;
}

bool tp_trusted_has(const tp_trusted *trusted, const tp_address *address)
{
    if (address->kind == TP_ADDRESS_UNIX) {
        return trusted->local;
    }
    for (size_t i = 0; i < trusted->count; i++) {
        if (is_within(&trusted->blocks[i], address)) {
            return true;
        }
    }
    return false;
}
