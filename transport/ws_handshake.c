#include "transport/ws_handshake.h"

#include <assert.h>
#include <mbedtls/sha1.h>
#include <mbedtls/version.h>

#include "base/base64.h"
#include "transport/http_text.h"

#define SHA1_LEN 20

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static bool lists_word(sio_bytes list, sio_bytes word)
{
    sio_bytes element;
    while (tp_http_list_next(&list, &element)) {
        if (tp_http_equals(element, word)) {
            return true;
        }
    }
    return false;
}

/* RFC 9110, section 5.6.2, but for the empty string. */
static bool is_token(sio_bytes text)
{
    (void)tp_http_take_token(&text);
    return text.len == 0;
}

/* Sets `*first` to the first name in `list`, or to nothing, and tells whether
 * all are well formed.  Empty elements count for nothing, as in any list. */
static bool scan_subprotocols(sio_bytes list, sio_bytes *first)
{
    sio_bytes element;
    *first = (sio_bytes){0};

    while (tp_http_list_next(&list, &element)) {
        if (element.len > TP_WS_SUBPROTOCOL_MAX || !is_token(element)) {
            return false;
        }
        if (first->len == 0) {
            *first = element;
        }
    }
    return true;
}

sio_bytes tp_ws_subprotocol(sio_bytes offered)
{
    sio_bytes first;
    return scan_subprotocols(offered, &first) ? first : (sio_bytes){0};
}

static bool is_alnum(uint8_t c)
{
    uint8_t small = c | 0x20;
    return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9');
}

/* 16 bytes are 22 digits; the bits the last one has to spare may be anything,
 * since the key is hashed as text and never decoded. */
static bool is_key(sio_bytes key)
{
    if (key.len != TP_WS_KEY_LEN) {
        return false;
    }
    for (size_t i = 0; i < TP_WS_KEY_LEN - 2; i++) {
        uint8_t c = key.base[i];
        if (!is_alnum(c) && c != '+' && c != '/') {
            return false;
        }
    }
    return key.base[22] == '=' && key.base[23] == '=';
}

tp_ws_refusal tp_ws_handshake_check(const tp_ws_handshake *h)
{
    sio_bytes first;

    if (!h->method_is_get) {
        return TP_WS_REFUSAL_METHOD;
    }
    if (!h->http11) {
        return TP_WS_REFUSAL_HTTP;
    }
    if (!lists_word(h->upgrade, SIO_LIT("websocket"))) {
        return TP_WS_REFUSAL_UPGRADE;
    }
    if (!lists_word(h->connection, SIO_LIT("upgrade"))) {
        return TP_WS_REFUSAL_CONNECTION;
    }
    if (!is_key(h->key)) {
        return TP_WS_REFUSAL_KEY;
    }
    if (!sio_bytes_eq(h->version, SIO_LIT("13")) &&
        !sio_bytes_eq(h->version, SIO_LIT("8"))) {
        return TP_WS_REFUSAL_VERSION;
    }
    if (!scan_subprotocols(h->protocol, &first)) {
        return TP_WS_REFUSAL_PROTOCOL;
    }
    if (h->extensions.malformed) {
        return TP_WS_REFUSAL_EXTENSIONS;
    }
    return TP_WS_REFUSAL_NONE;
}

unsigned tp_ws_refusal_status(tp_ws_refusal refusal)
{
    switch (refusal) {
    case TP_WS_REFUSAL_NONE:
        return 101;
    case TP_WS_REFUSAL_METHOD:
        return 405;
    case TP_WS_REFUSAL_HTTP:
    case TP_WS_REFUSAL_UPGRADE:
    case TP_WS_REFUSAL_CONNECTION:
    case TP_WS_REFUSAL_KEY:
    case TP_WS_REFUSAL_VERSION:
    case TP_WS_REFUSAL_PROTOCOL:
    case TP_WS_REFUSAL_EXTENSIONS:
        break;
    }
    return 400;
}

const char *tp_ws_refusal_text(tp_ws_refusal refusal)
{
    switch (refusal) {
    case TP_WS_REFUSAL_NONE:
        return "Switching Protocols";
    case TP_WS_REFUSAL_METHOD:
        return "Invalid HTTP method";
    case TP_WS_REFUSAL_HTTP:
        return "WebSocket needs HTTP/1.1";
    case TP_WS_REFUSAL_UPGRADE:
        return "Upgrade header does not ask for websocket";
    case TP_WS_REFUSAL_CONNECTION:
        return "Connection header does not ask for an upgrade";
    case TP_WS_REFUSAL_KEY:
        return "Sec-WebSocket-Key header is missing or malformed";
    case TP_WS_REFUSAL_VERSION:
        return "Sec-WebSocket-Version header is missing or not supported";
    case TP_WS_REFUSAL_PROTOCOL:
        return "Sec-WebSocket-Protocol header is malformed";
    case TP_WS_REFUSAL_EXTENSIONS:
        return "Sec-WebSocket-Extensions header is malformed";
    }
    return "Bad Request";
}

#if MBEDTLS_VERSION_MAJOR < 3
static int sha1(const uint8_t *data, size_t len, uint8_t out[SHA1_LEN])
{
    return mbedtls_sha1_ret(data, len, out);
}
#else
static int sha1(const uint8_t *data, size_t len, uint8_t out[SHA1_LEN])
{
    return mbedtls_sha1(data, len, out);
}
#endif

void tp_ws_accept_key(sio_bytes key, char out[TP_WS_ACCEPT_LEN])
{
    uint8_t text[TP_WS_KEY_LEN + sizeof(guid) - 1];
    uint8_t digest[SHA1_LEN] = {0};

    assert(key.len == TP_WS_KEY_LEN);
    memcpy(text, key.base, TP_WS_KEY_LEN);
    memcpy(text + TP_WS_KEY_LEN, guid, sizeof(guid) - 1);

    /* Hashing fails in hardware only.  The peer then gets the answer to no
     * key, and gives up. */
    if (sha1(text, sizeof(text), digest) != 0) {
        memset(digest, 0, sizeof(digest));
    }
    sio_base64_encode((sio_bytes){digest, sizeof(digest)}, (uint8_t *)out);
}

static sio_error put_extensions(sio_buf *out, const tp_ws_negotiation *n)
{
    uint8_t text[TP_WS_DEFLATE_TEXT_MAX];
    if (!n->agreed) {
        return SIO_OK;
    }
    size_t len = tp_ws_deflate_write(&n->params, text);
    sio_error err =
        sio_buf_append(out, SIO_LIT("\r\nSec-WebSocket-Extensions: "));
    return err == SIO_OK ? sio_buf_append(out, (sio_bytes){text, len}) : err;
}

sio_error tp_ws_handshake_write(sio_buf *out, const tp_ws_handshake *h,
                                sio_bytes extra)
{
    char accept[TP_WS_ACCEPT_LEN];
    sio_bytes protocol = tp_ws_subprotocol(h->protocol);
    tp_ws_accept_key(h->key, accept);
    sio_error err = sio_buf_append(
        out, SIO_LIT("HTTP/1.1 101 Switching Protocols\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: "));
    if (err == SIO_OK) {
        err = sio_buf_append(
            out, (sio_bytes){(const uint8_t *)accept, TP_WS_ACCEPT_LEN});
    }
    if (err == SIO_OK && protocol.len != 0) {
        err = sio_buf_append(out, SIO_LIT("\r\nSec-WebSocket-Protocol: "));
        if (err == SIO_OK) {
            err = sio_buf_append(out, protocol);
        }
    }
    if (err == SIO_OK) {
        err = put_extensions(out, &h->extensions);
    }
    if (err == SIO_OK) {
        err = sio_buf_append(out, SIO_LIT("\r\n"));
    }
    if (err == SIO_OK) {
        err = sio_buf_append(out, extra);
    }
    return err == SIO_OK ? sio_buf_append(out, SIO_LIT("\r\n")) : err;
}
