#include "fuzz/server_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fake_net.h"
#include "test/client_head.h"

static struct {
    int conn;
    unsigned echoes;
    bool msgpack;
} healthy;

static void need(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "fuzz_server: %s\n", what);
        abort();
    }
}

void client_text(int conn, const char *text)
{
    fake_net_write(conn, text, strlen(text));
}

void client_frame(int conn, unsigned head, const void *data, size_t len)
{
    uint8_t bytes[CLIENT_HEAD_MAX];
    fake_net_write(conn, bytes, client_head(bytes, head, len));
    fake_net_write(conn, data, len);
}

/* Its echoes come in order, each once. */
static void on_message(void *arg, bool text, const uint8_t *data, size_t len)
{
    (void)arg;
    if (text && len == 1 && data[0] == '2') {
        client_frame(healthy.conn, 0x81, "3", 1);
    }
    if (memmem(data, len, "echo", 4) != NULL) {
        char want[4] = {'h', (char)('1' + healthy.echoes), '\0'};
        need(memmem(data, len, want, 2) != NULL, "an echo out of order");
        healthy.echoes++;
    }
}

void healthy_connect(bool msgpack)
{
    static const char packed[] = "\x82\xa4type\0\xa3nsp\xa8/healthy";
    healthy.msgpack = msgpack;
    healthy.echoes = 0;
    healthy.conn = fake_net_connect(0, FAKE_HEALTHY_HOST, on_message, NULL);
    need(healthy.conn >= 0, "no connection for the client that behaves");
    client_text(healthy.conn,
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n");
    if (msgpack) {
        client_frame(healthy.conn, 0x82, packed, sizeof(packed) - 1);
    } else {
        client_frame(healthy.conn, 0x81, "40/healthy,", 11);
    }
    fake_net_settle();
}

static int write_event(char *out, size_t size, unsigned number)
{
    return healthy.msgpack
               ? snprintf(out, size,
                          "\x83\xa4type\x02\xa3nsp\xa8/healthy"
                          "\xa4"
                          "data\x92\xa4"
                          "echo\xa2h%u",
                          number)
               : snprintf(out, size, "42/healthy,[\"echo\",\"h%u\"]", number);
}

void healthy_echo(bool last)
{
    char event[64];
    unsigned want = healthy.echoes + 1;
    if (!last && healthy.echoes >= HEALTHY_ECHOES) {
        return;
    }
    int len = write_event(event, sizeof(event), want);
    client_frame(healthy.conn, healthy.msgpack ? 0x82 : 0x81, event,
                 (size_t)len);
    for (int i = 0; i < 8 && healthy.echoes < want; i++) {
        fake_net_settle();
    }
    need(healthy.echoes == want, "no echo for the client that behaves");
}
