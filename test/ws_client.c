#include "test/ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/client_head.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static void send_all(const ws_client *c, const void *data, size_t len)
{
    const char *at = data;
    while (len != 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return; /* it has ended; reading shows it */
        }
        at += n;
        len -= (size_t)n;
    }
}

static void send_frame(const ws_client *c, uint8_t opcode, const void *data,
                       size_t len)
{
    uint8_t frame[CLIENT_HEAD_MAX + 4096];
    REQUIRE(len <= 4096);
    size_t head = client_head(frame, 0x80U | opcode, len);
    memcpy(frame + head, data, len);
    send_all(c, frame, head + len);
}

/* Reads what there is; false when there is nothing, or the end has come. */
static bool receive(ws_client *c, int flags)
{
    if (c->cap - c->len < 4096) {
        c->cap = c->cap == 0 ? 8192 : c->cap * 2;
        c->in = realloc(c->in, c->cap);
        REQUIRE(c->in != NULL);
    }
    ssize_t n;
    do {
        n = recv(c->fd, c->in + c->len, c->cap - c->len - 1, flags);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return false;
    }
    if (n <= 0) {
        close(c->fd);
        c->fd = -1;
        return false;
    }
    c->len += (size_t)n;
    return true;
}

/* Sets where the payload of the first frame lies; false while it is not
 * whole. */
static bool first_frame(const ws_client *c, size_t *head, size_t *len)
{
    if (c->len < 2) {
        return false;
    }
    *head = c->in[1] < 126 ? 2 : c->in[1] == 126 ? 4 : 10;
    if (c->len < *head) {
        return false;
    }
    *len = *head == 2 ? c->in[1] : 0;
    for (size_t i = 2; i < *head; i++) {
        *len = *len << 8 | c->in[i];
    }
    return c->len - *head >= *len;
}

/* The next frame that has come whole; false when there is none. */
static bool next_frame(ws_client *c, int flags, uint8_t *opcode, ws_message *m)
{
    size_t head, len;
    if (c->used != 0) {
        memmove(c->in, c->in + c->used, c->len - c->used);
        c->len -= c->used;
        c->used = 0;
    }
    while (!first_frame(c, &head, &len)) {
        if (c->fd < 0 || !receive(c, flags)) {
            return false;
        }
    }
    REQUIRE((c->in[0] & 0xf0) == 0x80 && (c->in[1] & 0x80) == 0);
    *opcode = c->in[0] & 0x0f;
    *m = (ws_message){*opcode == 2, (const char *)c->in + head, len};
    c->used = head + len;
    return true;
}

static bool next_message(ws_client *c, int flags, ws_message *m)
{
    uint8_t opcode;
    while (next_frame(c, flags, &opcode, m)) {
        if (opcode == 1 && m->len == 1 && m->data[0] == '2') {
            ws_client_say(c, "3");
        } else if (opcode == 8) {
            c->said_close = true;
        } else {
            return true;
        }
    }
    return false;
}

bool ws_client_hear(ws_client *c, ws_message *m)
{
    return next_message(c, 0, m);
}

bool ws_client_poll(ws_client *c, ws_message *m)
{
    return next_message(c, MSG_DONTWAIT, m);
}

bool ws_client_ended(const ws_client *c)
{
    return c->fd < 0 || c->said_close;
}

void ws_client_say(ws_client *c, const char *packet)
{
    send_frame(c, 1, packet, strlen(packet));
}

static void expect(ws_client *c, const char *begin)
{
    ws_message m;
    REQUIRE(ws_client_hear(c, &m) && m.len >= strlen(begin) &&
            memcmp(m.data, begin, strlen(begin)) == 0);
}

/* Reads up to the blank line, byte by byte, so that nothing behind it goes. */
static void skip_head(const ws_client *c)
{
    static const char end[] = "\r\n\r\n";
    size_t seen = 0;
    char byte;
    while (end[seen] != '\0') {
        REQUIRE(recv(c->fd, &byte, 1, 0) == 1);
        seen = byte == end[seen] ? seen + 1 : byte == end[0] ? 1 : 0;
    }
}

void ws_client_dial(ws_client *c, uint16_t port, int receive_buffer)
{
    static const char head[] =
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    *c = (ws_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(c->fd >= 0);
    if (receive_buffer != 0) {
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                         sizeof(receive_buffer));
    }
    REQUIRE(connect(c->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    send_all(c, head, sizeof(head) - 1);
    skip_head(c);
    expect(c, "0{");
}

void ws_client_open(ws_client *c, uint16_t port)
{
    ws_client_dial(c, port, 0);
    ws_client_say(c, "40");
    expect(c, "40{");
}

void ws_client_close(ws_client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    free(c->in);
    *c = (ws_client){.fd = -1};
}
