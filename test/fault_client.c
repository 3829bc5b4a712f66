#include "test/fault_client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test/client_head.h"
#include "test/fault.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* Milliseconds without news after which nothing comes any more, once something
 * has failed.  Where that is too short only more is given up than had to be. */
#define QUIET_MS 20
#define PATIENCE_MS 30000

int __real_clock_gettime(clockid_t clock, struct timespec *ts);

uint64_t fault_client_now(void)
{
    struct timespec ts;
    __real_clock_gettime(CLOCK_MONOTONIC, &ts); /* not the server's */
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void fault_client_close(fault_client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
    c->len = 0;
    c->in[0] = '\0';
}

void fault_client_dial(fault_client *c, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    fault_client_close(c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(c->fd >= 0);
    REQUIRE(connect(c->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
}

static void put(fault_client *c, const void *data, size_t len)
{
    (void)send(c->fd, data, len, MSG_NOSIGNAL);
}

void fault_client_sayf(fault_client *c, const char *format, ...)
{
    char text[2048];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    REQUIRE(len >= 0 && (size_t)len < sizeof(text));
    put(c, text, (size_t)len);
}

void fault_client_text(fault_client *c, const char *text)
{
    uint8_t frame[CLIENT_HEAD_MAX + 125];
    size_t len = strlen(text);
    REQUIRE(len < 126);
    size_t head = client_head(frame, 0x81, len);
    memcpy(frame + head, text, len);
    put(c, frame, head + len);
}

/* Copies what stands before `want` to `out`, unless that is NULL, and lets go
 * of both. */
static bool take(fault_client *c, const char *want, char *out, size_t cap)
{
    char *at = memmem(c->in, c->len, want, strlen(want));
    if (at == NULL) {
        return false;
    }
    size_t before = (size_t)(at - c->in), used = before + strlen(want);
    if (out != NULL) {
        REQUIRE(before < cap);
        memcpy(out, c->in, before);
        out[before] = '\0';
    }
    c->len -= used;
    memmove(c->in, c->in + used, c->len + 1);
    return true;
}

bool fault_client_copy(fault_client *c, const char *want, char *out, size_t cap)
{
    uint64_t last = fault_client_now();
    while (!take(c, want, out, cap)) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, 5) > 0) {
            ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len,
                             MSG_DONTWAIT);
            if (n <= 0) {
                if (getenv("FAULT_LOG") != NULL) {
                    (void)fprintf(stderr, "%s: ended, behind %s\n", want,
                                  c->in);
                }
                return false;
            }
            c->len += (size_t)n;
            c->in[c->len] = '\0';
            last = fault_client_now();
        }
        uint64_t patience = fault_has_struck() ? QUIET_MS : PATIENCE_MS;
        if (fault_client_now() - last > patience) {
            REQUIRE(patience == QUIET_MS);
            return false;
        }
    }
    return true;
}

bool fault_client_hear(fault_client *c, const char *want)
{
    return fault_client_copy(c, want, NULL, 0);
}

bool fault_client_websocket(fault_client *c, uint16_t port, const char *query)
{
    fault_client_dial(c, port);
    fault_client_sayf(
        c,
        "GET /socket.io/?transport=websocket&EIO=4%s HTTP/1.1\r\nHost: x\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        query);
    return fault_client_hear(c, "\r\n\r\n");
}
