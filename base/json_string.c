#include "base/json_string.h"
#include "base/json.h"

/* Writes `code`, no surrogate, as UTF-8; returns its length. */
static size_t put_utf8(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* Reads the escape at `*at`, its backslash, and the second half of a
 * surrogate pair with the first.  Returns how many bytes of `out` it means,
 * or 0 if it is none; `*at` is then left alone. */
static size_t read_escape(const uint8_t **at, const uint8_t *end,
                          uint8_t out[4])
{
    const uint8_t *next = sio_json_escape_end(*at + 1, end);
    if (next == NULL) {
        return 0;
    }
    if ((*at)[1] != 'u') {
        out[0] = sio_json_escaped((*at)[1]);
        *at = next;
        return 1;
    }
    uint32_t code = (uint32_t)sio_json_hex4(*at + 2, end);
    if (code >= 0xd800 && code < 0xe000) {
        int32_t low = -1;
        if (code < 0xdc00 && end - next >= 6 && !memcmp(next, "\\u", 2)) {
            low = sio_json_hex4(next + 2, end);
        }
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (uint32_t)low - 0xdc00;
            next += 6;
        } else {
            code = 0xfffd;
        }
    }
    *at = next;
    return put_utf8(code, out);
}

sio_error sio_json_unescape(sio_bytes string, uint8_t *out, size_t *len)
{
    size_t to = 0;
    if (string.len < 2 || string.base[0] != '"') {
        return SIO_ERR_JSON;
    }
    const uint8_t *at = string.base + 1;
    const uint8_t *end = string.base + string.len;

    for (;;) {
        const uint8_t *run = at;
        at = sio_json_find_special(string.base, at, end);
        /* In place, what is written never overtakes what is read: the quote
         * is gone and no escape is shorter than its meaning. */
        if (out != NULL) {
            memmove(out + to, run, (size_t)(at - run));
        }
        to += (size_t)(at - run);
        if (at == end || *at != '\\') {
            break;
        }
        uint8_t bytes[4];
        size_t count = read_escape(&at, end, bytes);
        if (count == 0) {
            return SIO_ERR_JSON;
        }
        if (out != NULL) {
            memcpy(out + to, bytes, count);
        }
        to += count;
    }
    if (end - at != 1 || *at != '"') {
        return SIO_ERR_JSON;
    }
    *len = to;
    return SIO_OK;
}

bool sio_json_string_is(sio_bytes string, sio_bytes text)
{
    if (string.len < 2 || string.base[0] != '"' ||
        string.base[string.len - 1] != '"') {
        return false;
    }
    sio_bytes raw = {string.base + 1, string.len - 2};
    if (raw.len == 0 || memchr(raw.base, '\\', raw.len) == NULL) {
        return sio_bytes_eq(raw, text);
    }
    const uint8_t *at = raw.base;
    const uint8_t *end = raw.base + raw.len;
    size_t done = 0;

    while (at < end) {
        uint8_t bytes[4] = {*at};
        size_t count = 1;
        if (*at == '\\') {
            count = read_escape(&at, end, bytes);
        } else {
            at++;
        }
        if (count == 0 || text.len - done < count ||
            memcmp(text.base + done, bytes, count) != 0) {
            return false;
        }
        done += count;
    }
    return done == text.len;
}

static void write_escape(sio_writer *w, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn\0fr"; /* of 0x08 to 0x0d */
    uint8_t letter = 0;

    if (byte >= 0x20) {
        letter = byte;
    } else if (byte >= 0x08 && byte <= 0x0d) {
        letter = (uint8_t)letters[byte - 0x08];
    }
    if (letter != 0) {
        sio_write_bytes(w, (sio_bytes){(uint8_t[]){'\\', letter}, 2});
        return;
    }
    sio_write_bytes(w, SIO_LIT("\\u00"));
    sio_write_byte(w, (uint8_t)hex[byte >> 4]);
    sio_write_byte(w, (uint8_t)hex[byte & 15]);
}

/* Names are short and plain, and written again and again. */
static bool is_plain(sio_bytes utf8)
{
    bool special = false;
    for (size_t i = 0; i < utf8.len; i++) {
        special |= sio_json_is_special(utf8.base[i]);
    }
    return !special;
}

static void write_runs(sio_writer *w, sio_bytes utf8)
{
    const uint8_t *at = utf8.base;
    const uint8_t *end = at + utf8.len;
    for (;;) {
        const uint8_t *run = at;
        at = sio_json_find_special(utf8.base, at, end);
        sio_write_bytes(w, (sio_bytes){run, (size_t)(at - run)});
        if (at == end) {
            break;
        }
        write_escape(w, *at++);
    }
}

void sio_json_write_string(sio_writer *w, sio_bytes utf8)
{
    sio_write_byte(w, '"');
    if (utf8.len < 16 && is_plain(utf8)) {
        sio_write_bytes(w, utf8);
    } else {
        write_runs(w, utf8);
    }
    sio_write_byte(w, '"');
}
