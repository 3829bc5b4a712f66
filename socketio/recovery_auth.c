#include "socketio/recovery.h"

/* Reads what a client sends with its CONNECT packet to go on with a session. */

static size_t skip_blanks(sio_bytes text, size_t at)
{
    while (at < text.len && (text.base[at] == ' ' || text.base[at] == '\t' ||
                             text.base[at] == '\n' || text.base[at] == '\r')) {
        at++;
    }
    return at;
}

/* Gives the value at the start of `*text`, without blanks, and moves on to
 * what is behind it and the blanks there; false at the end. */
static bool take(sio_bytes *text, sio_json_type *type, sio_bytes *value)
{
    size_t used, start = skip_blanks(*text, 0);
    if (sio_json_scan(*text, SIO_JSON_DEPTH_MAX, type, &used) != SIO_OK) {
        return false;
    }
    *value = (sio_bytes){text->base + start, used - start};
    used = skip_blanks(*text, used);
    *text = (sio_bytes){text->base + used, text->len - used};
    return true;
}

static bool take_byte(sio_bytes *text, uint8_t byte)
{
    size_t at = skip_blanks(*text, 0);
    if (at == text->len || text->base[at] != byte) {
        return false;
    }
    *text = (sio_bytes){text->base + at + 1, text->len - at - 1};
    return true;
}

void sio_recovery_read_auth(sio_bytes payload, sio_bytes *pid,
                            sio_bytes *offset)
{
    sio_json_type type;
    sio_bytes text = payload, name, value;
    *pid = *offset = (sio_bytes){0};
    if (!take_byte(&text, '{')) {
        return;
    }
    while (take(&text, &type, &name) && type == SIO_JSON_STRING &&
           take_byte(&text, ':') && take(&text, &type, &value)) {
        sio_bytes *to = sio_json_string_is(name, SIO_LIT("pid"))      ? pid
                        : sio_json_string_is(name, SIO_LIT("offset")) ? offset
                                                                      : NULL;
        if (to != NULL) {
            *to = type == SIO_JSON_STRING ? value : (sio_bytes){0};
        }
        if (!take_byte(&text, ',')) {
            return;
        }
    }
}
