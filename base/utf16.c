#include "base/utf16.h"

/* The units of the character that a byte of it leads, none for the others. */
static size_t units_of(uint8_t byte)
{
    return (size_t)((byte & 0xc0) != 0x80) + (size_t)(byte >= 0xf0);
}

size_t sio_utf16_len(sio_bytes text)
{
    size_t units = 0;
    for (size_t i = 0; i < text.len; i++) {
        units += units_of(text.base[i]);
    }
    return units;
}

bool sio_utf16_cut(sio_bytes text, size_t units, size_t *bytes)
{
    size_t at = 0, left = units;
    if (units > text.len) {
        return false; /* no character has more units than bytes */
    }
    while (at < text.len) {
        size_t more = units_of(text.base[at]);
        if (more > left) {
            break; /* of the next character, or half of this one */
        }
        left -= more;
        at++;
    }
    if (left != 0) {
        return false;
    }
    *bytes = at;
    return true;
}
