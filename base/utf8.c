#include "base/utf8.h"

/* What may follow a lead byte: `need` continuation bytes, the first of them
 * within low..high, the others within 0x80..0xbf (RFC 3629, section 4). */
static bool lead(uint8_t byte, sio_utf8 *u)
{
    u->low = 0x80;
    u->high = 0xbf;
    if (byte < 0xc2 || byte > 0xf4) {
        return false;
    }
    if (byte < 0xe0) {
        u->need = 1;
    } else if (byte < 0xf0) {
        u->need = 2;
        u->low = byte == 0xe0 ? 0xa0 : 0x80;
        u->high = byte == 0xed ? 0x9f : 0xbf;
    } else {
        u->need = 3;
        u->low = byte == 0xf0 ? 0x90 : 0x80;
        u->high = byte == 0xf4 ? 0x8f : 0xbf;
    }
    return true;
}

/* Takes one byte that `u` waits for. */
static bool follow(uint8_t byte, sio_utf8 *u)
{
    if (byte < u->low || byte > u->high) {
        return false;
    }
    u->need--;
    u->low = 0x80;
    u->high = 0xbf;
    return true;
}

static uint64_t load64(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* The first byte from 0x80 up, or `end`. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
{
    const uint64_t high_bits = 0x8080808080808080;

    while (end - at >= 32 &&
           ((load64(at) | load64(at + 8) | load64(at + 16) | load64(at + 24)) &
            high_bits) == 0) {
        at += 32;
    }
    if (end - at >= 8 && (load64(at) & high_bits) == 0) {
        at += 8;
    }
    while (at < end && *at < 0x80) {
        at++;
    }
    return at;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the well-formed sequence from 0x80 up at `at`, where four
 * bytes can be read, or 0: what is wrong, and from where on, is for lead()
 * and follow() to tell. */
static unsigned sequence4(const uint8_t *at)
{
    uint32_t code = at[0];
    if (code < 0xe0) {
        return code >= 0xc2 && is_tail(at[1]) ? 2 : 0;
    }
    code = code << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    if (!is_tail(at[1]) || !is_tail(at[2])) {
        return 0;
    }
    if (code < 0xf0000) {
        return code >= 0xe0800 && code >> 11 != 0xed800 >> 11 ? 3 : 0;
    }
    return code >= 0xf0400 && code < 0xf4400 && is_tail(at[3]) ? 4 : 0;
}

/* Skips characters while they are well-formed; at most three bytes before
 * `end` are left for the caller. */
static const uint8_t *skip_whole(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 4) {
        unsigned len = 1;
        if (*at >= 0x80) {
            len = sequence4(at);
        } else if ((at[1] | at[2] | at[3]) < 0x80) {
            at = skip_ascii(at, end);
            continue;
        }
        if (len == 0) {
            break;
        }
        at += len;
    }
    return at;
}

bool sio_utf8_feed(sio_utf8 *u, sio_bytes piece)
{
    if (u->broken || piece.len == 0) {
        return !u->broken;
    }
    const uint8_t *at = piece.base;
    const uint8_t *end = at + piece.len;
    sio_utf8 now = *u;

    while (at < end && !now.broken) {
        if (now.need != 0) {
            now.broken = !follow(*at++, &now);
            continue;
        }
        at = skip_whole(at, end);
        if (at < end && *at++ >= 0x80) {
            now.broken = !lead(at[-1], &now);
        }
    }
    *u = now;
    return !now.broken;
}

bool sio_utf8_done(const sio_utf8 *u)
{
    return !u->broken && u->need == 0;
}

/* Most texts are no more than this. */
static bool is_ascii(sio_bytes text)
{
    const uint64_t high_bits = 0x8080808080808080;
    const uint8_t *at = text.base;
    size_t left = text.len;
    uint64_t seen = 0;

    for (; left >= 8; at += 8, left -= 8) {
        seen |= load64(at);
    }
    if (text.len >= 8) {
        seen |= load64(text.base + text.len - 8); /* the rest, and before it */
    } else {
        while (left-- > 0) {
            seen |= *at++;
        }
    }
    return (seen & high_bits) == 0;
}

bool sio_utf8_valid(sio_bytes text)
{
    sio_utf8 u = {0};
    if (text.len <= 256 && is_ascii(text)) {
        return true; /* a longer one that is not would be read twice */
    }
    return sio_utf8_feed(&u, text) && sio_utf8_done(&u);
}

/* The length of the well-formed sequence at `at`, or else of the maximal part
 * of one that begins there, at least 1; `*whole` says which. */
static size_t sequence(const uint8_t *at, const uint8_t *end, bool *whole)
{
    sio_utf8 u = {0};
    size_t len = 1;

    *whole = lead(*at, &u);
    if (!*whole) {
        return len;
    }
    while (u.need != 0 && at + len < end && follow(at[len], &u)) {
        len++;
    }
    *whole = u.need == 0;
    return len;
}

/* Appends to `out`, unless that is NULL. */
static size_t put(uint8_t *out, size_t len, const uint8_t *from, size_t count)
{
    if (out != NULL) {
        memcpy(out + len, from, count);
    }
    return len + count;
}

size_t sio_utf8_repair(sio_bytes in, uint8_t *out)
{
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};
    size_t len = 0;
    if (in.len == 0) {
        return 0;
    }
    const uint8_t *at = in.base;
    const uint8_t *end = at + in.len;

    while (at < end) {
        const uint8_t *from = at;
        bool whole = true;
        if (*at < 0x80) {
            at = skip_ascii(at, end);
        } else {
            at += sequence(at, end, &whole);
        }
        if (whole) {
            len = put(out, len, from, (size_t)(at - from));
        } else {
            len = put(out, len, replacement, sizeof(replacement));
        }
    }
    return len;
}
