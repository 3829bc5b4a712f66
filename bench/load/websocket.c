#include "websocket.h"

#include <stdio.h>
#include <string.h>

#include "load.h"
#include "message.h"
#include "traffic.h"

#define WS_FIN 0x80
#define WS_CONTINUATION 0
#define WS_TEXT 1
#define WS_CLOSE 8
#define WS_PING 9
#define WS_PONG 10
#define WS_CONTROL_MAX 125
#define WS_HEADER_MAX 14
#define WS_LENGTH_MAX (1u << 28)
#define UPGRADE_MAX 16384

/* RFC 6455's example of a key, and the answer to it. */
#define WS_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* -- writing -------------------------------------------------------------- */

void websocket_upgrade(conn *c)
{
    char request[1024];
    int len = snprintf(request, sizeof(request),
                       "GET %s?EIO=4&transport=websocket HTTP/1.1\r\n"
                       "Host: 127.0.0.1:%d\r\n"
                       "User-Agent: sioload\r\n"
                       "Connection: Upgrade\r\n"
                       "Upgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: " WS_KEY "\r\n\r\n",
                       opts.path, opts.port);
    outgoing_add(request, (uint32_t)len);
    c->state = CONN_UPGRADING;
    conn_flush(c);
}

/* Writes the header but for its mask; returns its length. */
static uint32_t write_header(uint8_t *at, uint8_t opcode, uint32_t len)
{
    at[0] = (uint8_t)(WS_FIN | opcode);
    if (len < 126) {
        at[1] = (uint8_t)(0x80 | len);
        return 2;
    }
    if (len < 65536) {
        at[1] = 0x80 | 126;
        at[2] = (uint8_t)(len >> 8);
        at[3] = (uint8_t)len;
        return 4;
    }
    at[1] = 0x80 | 127;
    memset(at + 2, 0, 4);
    for (int i = 0; i < 4; i++) {
        at[6 + i] = (uint8_t)(len >> (24 - 8 * i));
    }
    return 10;
}

/* Adds a frame to what goes out.  Reads and writes up to 7 bytes beyond the
 * end: it masks eight at a time. */
static void put_frame(uint8_t opcode, const uint8_t *payload, uint32_t len)
{
    outgoing_need(len + WS_HEADER_MAX);
    uint8_t *at = outgoing + outgoing_len;
    uint32_t mask = random_bits();
    uint64_t twice = (uint64_t)mask << 32 | mask, word;

    uint32_t head = write_header(at, opcode, len);
    memcpy(at + head, &mask, sizeof(mask));
    at += head + sizeof(mask);
    for (uint32_t i = 0; i < len; i += sizeof(word)) {
        memcpy(&word, payload + i, sizeof(word));
        word ^= twice;
        memcpy(at + i, &word, sizeof(word));
    }
    outgoing_len += head + (uint32_t)sizeof(mask) + len;
}

void websocket_put_event(uint32_t seq)
{
    put_frame(WS_TEXT, scratch, message_write(scratch, seq));
}

/* A copy in `scratch`, beyond which one may read. */
static void put_copy(uint8_t opcode, const void *payload, uint32_t len)
{
    memcpy(scratch, payload, len);
    put_frame(opcode, scratch, len);
}

/* -- Engine.IO ------------------------------------------------------------ */

static bool has_sid(const uint8_t *in, uint32_t len)
{
    return memmem(in, len, "\"sid\":\"", 7) != NULL;
}

static int on_open(conn *c, const uint8_t *in, uint32_t len)
{
    if (c->state != CONN_ENGINE || len < 10 || in[1] != '{' ||
        !has_sid(in, len)) {
        return complain("bad open packet", c, in, len);
    }
    c->state = CONN_SOCKET;
    put_copy(WS_TEXT, "40", 2);
    return 0;
}

static int on_ping(const uint8_t *in, uint32_t len)
{
    uint32_t copied = len < 32 ? len : 32;
    counts.pings++;
    memcpy(scratch, in, copied);
    scratch[0] = '3';
    put_frame(WS_TEXT, scratch, copied);
    return 0;
}

/* The answer to CONNECT: in connect mode the end of what is measured. */
static int on_connect(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    if (in[1] != '0' || !has_sid(in, len)) {
        return complain("bad answer to CONNECT", c, in, len);
    }
    if (opts.mode != LOAD_CONNECT) {
        conn_is_running(c);
        return 0;
    }
    if (phase == PHASE_MEASURE) {
        counts.connects++;
        histogram_add(&latencies, now - c->begun);
    }
    c->state = CONN_CLOSING;
    put_copy(WS_CLOSE, "\x03\xe8", 2); /* 1000 */
    return 0;
}

static int on_message(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    if (c->state == CONN_CLOSING) {
        return 0;
    }
    if (len >= 2 && c->state == CONN_SOCKET) {
        return on_connect(c, in, len, now);
    }
    if (c->state != CONN_RUNNING || opts.mode == LOAD_IDLE) {
        return complain("unexpected message", c, in, len);
    }
    return traffic_message(c, in, len, now);
}

/* Takes a packet; returns how many events it brought back, or -1. */
static int on_packet(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    switch (len == 0 ? 0 : in[0]) {
    case '0':
        return on_open(c, in, len);
    case '2':
        return on_ping(in, len);
    case '4':
        return on_message(c, in, len, now);
    case '6':
        return 0;
    default:
        return c->state == CONN_CLOSING
                   ? 0
                   : complain("unexpected packet", c, in, len);
    }
}

/* -- frames --------------------------------------------------------------- */

typedef struct ws_header {
    uint8_t bits; /* FIN, reserved bits, opcode */
    uint32_t size, len;
} ws_header;

static int64_t read_upgrade(conn *c, const uint8_t *in, uint32_t len)
{
    const uint8_t *end = memmem(in, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return len > UPGRADE_MAX ? -1 : 0;
    }
    size_t head = (size_t)(end - in);
    if (head < 12 || memcmp(in, "HTTP/1.1 101", 12) != 0 ||
        memmem(in, head, WS_ACCEPT, sizeof(WS_ACCEPT) - 1) == NULL) {
        return complain("bad upgrade", c, in, (uint32_t)head);
    }
    c->state = CONN_ENGINE;
    return (int64_t)head + 4;
}

/* Returns 1 when a frame stands whole in `in`, 0 when not yet, or -1. */
static int read_header(const uint8_t *in, uint32_t len, ws_header *out)
{
    if (len < 2) {
        return 0;
    }
    uint32_t payload = in[1], size = 2;
    if (payload > 127) {
        return complain("masked frame", NULL, NULL, 0);
    }
    if (payload == 126) {
        size = 4;
        payload = len < size ? 0 : (uint32_t)in[2] << 8 | in[3];
    } else if (payload == 127) {
        size = 10;
        payload = len < size ? 0
                             : (uint32_t)in[6] << 24 | (uint32_t)in[7] << 16 |
                                   (uint32_t)in[8] << 8 | in[9];
        if (len >= size &&
            ((in[2] | in[3] | in[4] | in[5]) != 0 || payload > WS_LENGTH_MAX)) {
            return complain("frame too long", NULL, NULL, 0);
        }
    }
    *out = (ws_header){in[0], size, payload};
    return len >= size && len - size >= payload;
}

/* Takes a frame of a message that has several; returns the same as for a
 * whole one when it was the last of them. */
static int on_fragment(conn *c, const ws_header *head, const uint8_t *in,
                       uint64_t now)
{
    bool is_first = head->bits == WS_TEXT;
    if (is_first != (c->message.len == 0)) {
        return complain("unexpected fragment", c, in, head->len);
    }
    buffer_add(&c->message, in, head->len);
    if ((head->bits & WS_FIN) == 0) {
        return 0;
    }
    int got = on_packet(c, c->message.base, c->message.len, now);
    buffer_clear(&c->message);
    return got;
}

/* Takes a frame; returns how many events it brought back, or -1. */
static int on_frame(conn *c, const ws_header *head, const uint8_t *in,
                    uint64_t now)
{
    switch (head->bits) {
    case WS_FIN | WS_TEXT:
        return on_packet(c, in, head->len, now);
    case WS_TEXT:
    case WS_CONTINUATION:
    case WS_FIN | WS_CONTINUATION:
        return on_fragment(c, head, in, now);
    case WS_FIN | WS_PING:
        if (head->len > WS_CONTROL_MAX) {
            return complain("ping too long", c, NULL, 0);
        }
        counts.ws_pings++;
        put_copy(WS_PONG, in, head->len);
        return 0;
    case WS_FIN | WS_PONG:
        return 0;
    case WS_FIN | WS_CLOSE:
        return c->state == CONN_CLOSING
                   ? 0
                   : complain("close frame", c, in, head->len);
    default:
        return complain("unexpected frame", c, &head->bits, 1);
    }
}

int64_t websocket_parse(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    uint32_t used = 0, back = 0;
    if (c->state == CONN_UPGRADING) {
        int64_t got = read_upgrade(c, in, len);
        if (got <= 0) {
            return got;
        }
        used = (uint32_t)got;
    }
    for (;;) {
        ws_header head;
        int whole = read_header(in + used, len - used, &head);
        if (whole <= 0) {
            if (whole < 0) {
                return -1;
            }
            break;
        }
        int got = on_frame(c, &head, in + used + head.size, now);
        if (got < 0) {
            return -1;
        }
        back += (uint32_t)got;
        used += head.size + head.len;
    }
    traffic_send(c, back);
    return used;
}
