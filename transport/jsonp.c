#include "transport/jsonp.h"

#include "base/json_string.h"
#include "base/query.h"

bool tp_jsonp_index(sio_bytes value, char out[TP_JSONP_INDEX_MAX + 1])
{
    size_t count = 0;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.base[i];
        if (c < '0' || c > '9') {
            continue;
        }
        if (count == TP_JSONP_INDEX_MAX) {
            return false;
        }
        out[count++] = (char)c;
    }
    out[count] = '\0';
    return true;
}

/* ------------------------------------------------------------ the script -- */

static void write_escape(sio_writer *w, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";
    if (byte == '\n') {
        sio_write_bytes(w, SIO_LIT("\\n"));
    } else if (byte < 0x20) {
        sio_write_bytes(w, SIO_LIT("\\u00"));
        sio_write_byte(w, (uint8_t)hex[byte >> 4]);
        sio_write_byte(w, (uint8_t)hex[byte & 15]);
    } else {
        sio_write_byte(w, '\\');
        sio_write_byte(w, byte);
    }
}

static bool begins_with(sio_bytes text, sio_bytes head)
{
    return text.len >= head.len && memcmp(text.base, head.base, head.len) == 0;
}

/* Appends what is at the front of `text`, which is not empty, and returns how
 * much of it that was. */
static size_t write_piece(sio_writer *w, sio_bytes text)
{
    uint8_t byte = text.base[0];
    if (byte == 0xe2 && begins_with(text, SIO_LIT("\u2028"))) {
        sio_write_bytes(w, SIO_LIT("\\u2028")); /* line ends in old scripts */
        return 3;
    }
    if (byte == 0xe2 && begins_with(text, SIO_LIT("\u2029"))) {
        sio_write_bytes(w, SIO_LIT("\\u2029"));
        return 3;
    }
    if (byte == '<' && begins_with(text, SIO_LIT("</"))) {
        sio_write_bytes(w, SIO_LIT("<\\/")); /* ends no script element */
        return 2;
    }
    if (sio_json_is_special(byte)) {
        write_escape(w, byte);
    } else {
        sio_write_byte(w, byte);
    }
    return 1;
}

void tp_jsonp_write(sio_writer *w, const char *index, sio_bytes payload)
{
    sio_write_bytes(w, SIO_LIT("___eio["));
    sio_write_bytes(w, (sio_bytes){(const uint8_t *)index, strlen(index)});
    sio_write_bytes(w, SIO_LIT("](\""));
    while (payload.len != 0) {
        sio_bytes_skip(&payload, write_piece(w, payload));
    }
    sio_write_bytes(w, SIO_LIT("\");"));
}

/* -------------------------------------------------------------- the form -- */

/* A backslash before `n` stands for a line feed, unless there is another one
 * before it, which is taken away then. */
static size_t unescape(uint8_t *text, size_t len)
{
    size_t to = 0;
    for (size_t at = 0; at < len; at++) {
        sio_bytes rest = {text + at, len - at};
        if (begins_with(rest, SIO_LIT("\\\\n"))) {
            text[to++] = '\\';
            text[to++] = 'n';
            at += 2;
        } else if (begins_with(rest, SIO_LIT("\\n"))) {
            text[to++] = '\n';
            at++;
        } else {
            text[to++] = text[at];
        }
    }
    return to;
}

static bool is_named_d(sio_bytes raw)
{
    uint8_t name[3]; /* "%64" */
    size_t len = 0;
    if (raw.len > sizeof(name)) {
        return false;
    }
    sio_query_decode(raw, name, &len);
    return len == 1 && name[0] == 'd';
}

bool tp_jsonp_read(uint8_t *form, size_t len, uint8_t **payload,
                   size_t *payload_len)
{
    sio_query it = {.rest = {form, len}};
    sio_bytes name, value, raw = {NULL, 0};
    unsigned found = 0;
    while (sio_query_next(&it, &name, &value)) {
        if (is_named_d(name)) {
            raw = value;
            found++;
        }
    }
    if (found != 1) {
        return false;
    }
    uint8_t *text = (uint8_t *)(uintptr_t)raw.base; /* the form's */
    sio_query_decode(raw, text, payload_len);
    *payload_len = unescape(text, *payload_len);
    *payload = text;
    return true;
}
