#include "test/fault_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

turn_client one = {.fd = -1}, two = {.fd = -1};

bool hear_sid(turn_client *c)
{
    return turn_client_hear(c, "\"sid\":\"") &&
           turn_client_copy(c, "\"", c->sid, sizeof(c->sid)) &&
           turn_client_hear(c, "}");
}

bool fault_open_websocket(turn_client *c, turn_rig *rig, const char *query,
                          const char *headers)
{
    turn_client_dial(c, rig);
    turn_client_sayf(c,
                     "GET /socket.io/?transport=websocket&%s HTTP/1.1\r\n"
                     "Host: x\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n",
                     query, headers);
    return turn_client_hear(c, "\r\n\r\n");
}

bool say(turn_client *c, const char *text, const char *want)
{
    turn_client_text(c, text);
    return want == NULL || turn_client_hear(c, want);
}

/* Writes the answer, 1, to `event`, which asks for one: `42ID` is before it. */
bool answer(turn_client *c, const char *event, char out[64])
{
    static char before[8192];
    if (!turn_client_copy(c, event, before, sizeof(before))) {
        return false;
    }
    size_t len = strlen(before), from = len;
    while (from > 0 && strchr("0123456789", before[from - 1]) != NULL) {
        from--;
    }
    REQUIRE(len - from > 2 && len - from < 32);
    (void)snprintf(out, 64, "43%s[1]", before + from + 2);
    return true;
}

bool say_answer(turn_client *c, const char *event)
{
    char text[64];
    bool ok = answer(c, event, text);
    if (ok) {
        turn_client_text(c, text);
    }
    return ok;
}

/* A WebSocket that has joined `/`. */
bool join(turn_client *c, turn_rig *rig, const char *headers)
{
    return fault_open_websocket(c, rig, "EIO=4", headers) && hear_sid(c) &&
           say(c, "40{\"token\":1}", "40{\"sid\":\"") &&
           turn_client_hear(c, "}");
}

/* --------------------------------------------------------------- polling -- */

bool get(turn_client *c, const char *target, const char *headers,
         const char *want)
{
    const char *between = c->sid[0] == '\0' ? "" : "&sid=";
    turn_client_sayf(c, "GET %s%s%s HTTP/1.1\r\nHost: x\r\n%s\r\n", target,
                     between, c->sid, headers);
    return want == NULL || turn_client_hear(c, want);
}

bool post(turn_client *c, const char *target, const char *body)
{
    turn_client_sayf(c,
                     "POST %s&sid=%s HTTP/1.1\r\nHost: x\r\n"
                     "Content-Type: text/plain\r\nContent-Length: %u\r\n\r\n%s",
                     target, c->sid, (unsigned)strlen(body), body);
    return turn_client_hear(c, "ok");
}

/* Posts, then polls until the answer is there. */
bool talk(turn_client *c, const char *body, const char *want)
{
    return post(c, POLLING, body) && get(c, POLLING, "", want);
}

/* Ends the session, if there is one, as long as nothing fails. */
void end_polling(turn_client *c, turn_rig *rig, const char *target,
                 const char *body)
{
    size_t at = fault_now.at;
    fault_now.at = FAULT_NEVER;
    fault_now.on = false;
    if (c->sid[0] != '\0') {
        turn_client_dial(c, rig);
        turn_client_sayf(c,
                         "POST %s&sid=%s HTTP/1.1\r\nHost: x\r\n"
                         "Connection: close\r\nContent-Length: %u\r\n\r\n%s",
                         target, c->sid, (unsigned)strlen(body), body);
        (void)turn_client_hear(c, "\r\n\r\n");
    }
    turn_client_close(c);
    fault_now.at = at;
}

/* ------------------------------------------------------------- bystander -- */

/* In the server's parser. */
static const struct {
    const char *connect;
    size_t connect_len;
    const char *event;
    size_t event_len;
} quiet[] = {
#define PACKET(s) s, sizeof(s) - 1
    {PACKET("40/quiet,"), PACKET("42/quiet,[\"echo\",\"there\"]")},
    {PACKET("\x82\xa4type\0\xa3nsp\xa6/quiet"),
     PACKET("\x83\xa4type\2\xa3nsp\xa6/quiet\xa4"
            "data\x92\xa4"
            "echo\xa5there")},
#undef PACKET
};

void fault_bystander_join(turn_client *c, turn_rig *rig, bool msgpack)
{
    uint8_t first = msgpack ? 0x82 : 0x81;
    REQUIRE(fault_open_websocket(c, rig, "EIO=4", "") && hear_sid(c));
    turn_client_frame(c, first, quiet[msgpack].connect,
                      quiet[msgpack].connect_len);
    REQUIRE(turn_client_hear(c, "sid"));
}

void fault_bystander_check(turn_client *c, bool msgpack)
{
    uint8_t first = msgpack ? 0x82 : 0x81;
    fault_now = (fault){.at = FAULT_NEVER};
    turn_client_frame(c, first, quiet[msgpack].event, quiet[msgpack].event_len);
    REQUIRE(turn_client_hear(c, "there"));
}
