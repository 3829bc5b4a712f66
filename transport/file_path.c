#include "transport/file_path.h"

#include "transport/http_text.h"

/* Takes one byte of a segment from the front of `*raw`, which is not empty.
 * Returns false where it may not be part of a name. */
static bool take_byte(sio_bytes *raw, uint8_t *byte)
{
    const uint8_t *at = raw->base;
    size_t len = 1;
    *byte = *at;
    if (*at == '%') {
        if (raw->len < 3 || !tp_http_is(at[1], TP_HTTP_CLASS_HEX) ||
            !tp_http_is(at[2], TP_HTTP_CLASS_HEX)) {
            return false;
        }
        *byte =
            (uint8_t)(tp_http_hex_value(at[1]) << 4 | tp_http_hex_value(at[2]));
        len = 3;
    }
    *raw = (sio_bytes){at + len, raw->len - len};
    return *byte >= 0x20 && *byte != 0x7f && *byte != '/' && *byte != '\\';
}

bool tp_file_path_resolve(sio_bytes raw, tp_file_path *out)
{
    size_t len = 0, segment = 0; /* where the segment at hand starts */
    while (raw.len != 0) {
        uint8_t byte = '/';
        if (len == sizeof(out->text) - 1) {
            return false;
        }
        if (raw.base[0] == '/') {
            if (len == segment) {
                return false;
            }
            raw = (sio_bytes){raw.base + 1, raw.len - 1};
            segment = len + 1;
        } else if (!take_byte(&raw, &byte) || (len == segment && byte == '.')) {
            return false;
        }
        out->text[len++] = (char)byte;
    }
    out->folder = len == segment;
    out->len = out->folder && len != 0 ? len - 1 : len;
    out->text[out->len] = '\0';
    return true;
}

bool tp_file_path_add_index(tp_file_path *path)
{
    static const char index[] = "/index.html";
    size_t skip = path->len == 0 ? 1 : 0; /* never absolute */
    if (path->len + sizeof(index) > sizeof(path->text)) {
        return false;
    }
    memcpy(path->text + path->len, index + skip, sizeof(index) - skip);
    path->len += sizeof(index) - 1 - skip;
    path->folder = false;
    return true;
}
