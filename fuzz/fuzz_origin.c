#include <stdlib.h>

#include "transport/origin.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static sio_bytes behind(sio_bytes bytes, size_t from)
{
    return (sio_bytes){bytes.base + from, bytes.len - from};
}

/* The port that an entry with `:*` leaves open: none, or one to five digits. */
static bool is_any_port(sio_bytes rest)
{
    if (rest.len == 0) {
        return true;
    }
    for (size_t i = 1; i < rest.len; i++) {
        if (!is_digit(rest.base[i])) {
            return false;
        }
    }
    return rest.base[0] == ':' && rest.len >= 2 && rest.len <= 6;
}

/* The rule as it is written in docs/cors.md, byte by byte over the entry. */
static bool naive(sio_bytes entry, sio_bytes origin)
{
    static const char wild[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    if (entry.len == 2 && memcmp(entry.base, ":*", 2) == 0) {
        return is_any_port(origin);
    }
    if (entry.len == 0 || origin.len == 0) {
        return entry.len == 0 && origin.len == 0;
    }
    if (entry.base[0] != '*') {
        return entry.base[0] == origin.base[0] &&
               naive(behind(entry, 1), behind(origin, 1));
    }
    return origin.base[0] != '\0' && strchr(wild, origin.base[0]) != NULL &&
           (naive(behind(entry, 1), behind(origin, 1)) ||
            naive(entry, behind(origin, 1)));
}

static sio_bytes label_at_end(sio_bytes host)
{
    size_t len = 0;
    while (len < host.len && host.base[host.len - len - 1] != '.') {
        len++;
    }
    return behind(host, host.len - len);
}

/*
 * Reads an entry, up to the first line feed, and tries it on what follows.  It
 * matches what the rule says, spelt out byte by byte; and a host that has
 * matched ends with the same label as the entry's.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tp_origin_pattern pattern;
    const uint8_t *cut = size == 0 ? NULL : memchr(data, '\n', size);
    sio_bytes entry = {data, cut == NULL ? size : (size_t)(cut - data)};
    sio_bytes origin = {data + size, 0};
    if (cut != NULL) {
        origin = (sio_bytes){cut + 1, size - entry.len - 1};
    }
    if (tp_origin_pattern_read(entry, &pattern) != NULL) {
        return 0;
    }
    bool matches = tp_origin_matches(&pattern, origin);
    if (origin.len > TP_ORIGIN_MAX) {
        REQUIRE(!matches);
        return 0;
    }
    REQUIRE(matches == naive(entry, origin));
    if (matches && pattern.wild && !pattern.any_port) {
        sio_bytes want = label_at_end(entry), got = label_at_end(origin);
        REQUIRE(want.len != 0 || entry.base[entry.len - 1] == '.');
        REQUIRE(sio_bytes_eq(want, got));
    }
    if (tp_origin_pattern_is_exact(&pattern)) {
        REQUIRE(tp_origin_matches(&pattern, entry));
    }
    return 0;
}
