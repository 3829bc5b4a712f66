#include "test/fault_scenes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"
#define POLLING "/socket.io/?EIO=4&transport=polling"

static bool hear_sid(turn_client *c)
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

static bool say(turn_client *c, const char *text, const char *want)
{
    turn_client_text(c, text);
    return want == NULL || turn_client_hear(c, want);
}

/* Writes the answer, 1, to `event`, which asks for one: `42ID` is before it. */
static bool answer(turn_client *c, const char *event, char out[64])
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

static bool say_answer(turn_client *c, const char *event)
{
    char text[64];
    bool ok = answer(c, event, text);
    if (ok) {
        turn_client_text(c, text);
    }
    return ok;
}

/* A WebSocket that has joined `/`. */
static bool join(turn_client *c, turn_rig *rig, const char *headers)
{
    return fault_open_websocket(c, rig, "EIO=4", headers) && hear_sid(c) &&
           say(c, "40{\"token\":1}", "40{\"sid\":\"") &&
           turn_client_hear(c, "}");
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

/* --------------------------------------------------------------- polling -- */

static bool get(turn_client *c, const char *target, const char *headers,
                const char *want)
{
    const char *between = c->sid[0] == '\0' ? "" : "&sid=";
    turn_client_sayf(c, "GET %s%s%s HTTP/1.1\r\nHost: x\r\n%s\r\n", target,
                     between, c->sid, headers);
    return want == NULL || turn_client_hear(c, want);
}

static bool post(turn_client *c, const char *target, const char *body)
{
    turn_client_sayf(c,
                     "POST %s&sid=%s HTTP/1.1\r\nHost: x\r\n"
                     "Content-Type: text/plain\r\nContent-Length: %u\r\n\r\n%s",
                     target, c->sid, (unsigned)strlen(body), body);
    return turn_client_hear(c, "ok");
}

/* Posts, then polls until the answer is there. */
static bool talk(turn_client *c, const char *body, const char *want)
{
    return post(c, POLLING, body) && get(c, POLLING, "", want);
}

/* Ends the session, if there is one, as long as nothing fails. */
static void end_polling(turn_client *c, turn_rig *rig, const char *target,
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

static turn_client one = {.fd = -1}, two = {.fd = -1};

static bool open_polling(turn_rig *rig)
{
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    return get(&one, POLLING, "", NULL) && hear_sid(&one) &&
           talk(&one, "40", "40{\"sid\":\"") && turn_client_hear(&one, "}");
}

static bool play_polling(turn_rig *rig)
{
    char text[64];
    bool ok = open_polling(rig) &&
              talk(&one, "42[\"echo\",\"hi\"]", "42[\"echo\",\"hi\"]") &&
              talk(&one, "421[\"ack\",1]", "431[1]") &&
              talk(&one,
                   "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1e"
                   "bAQID",
                   "bAQID") &&
              talk(&one, "42[\"ask\"]", NULL) &&
              answer(&one, "[\"question\"]", text) &&
              talk(&one, text, "[\"got\",1]") &&
              talk(&one,
                   "42[\"echo\",1]\x1e"
                   "42[\"echo\",2]",
                   "[\"echo\",2]") &&
              post(&one, POLLING, "41");
    end_polling(&one, rig, POLLING, "1");
    return ok;
}

static bool play_upgrade(turn_rig *rig)
{
    char query[80];
    bool ok = open_polling(rig);
    if (ok) {
        (void)snprintf(query, sizeof(query), "EIO=4&sid=%s", one.sid);
        ok = get(&one, POLLING, "", NULL) &&
             fault_open_websocket(&two, rig, query, "") &&
             say(&two, "2probe", "3probe") && say(&two, "5", NULL) &&
             turn_client_hear(&one, "\r\n6") &&
             say(&two, "42[\"echo\",\"hi\"]", "42[\"echo\",\"hi\"]") &&
             say(&two, "1", NULL);
    }
    turn_client_close(&two);
    end_polling(&one, rig, POLLING, "1");
    return ok;
}

static bool play_gzip(turn_rig *rig)
{
    bool ok = open_polling(rig) && post(&one, POLLING, "42[\"big\"]") &&
              get(&one, POLLING, "Accept-Encoding: gzip\r\n", "gzip\r\n");
    end_polling(&one, rig, POLLING, "1");
    return ok;
}

/* ------------------------------------------------------------- websocket -- */

static bool say_binary(turn_client *c)
{
    turn_client_text(c, "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    turn_client_frame(c, 0x82, "\1\2\3", 3);
    return turn_client_hear(c, "\"num\":0}]") && turn_client_hear(c, "\1\2\3");
}

/* In two frames. */
static bool say_fragments(turn_client *c)
{
    turn_client_frame(c, 0x01, "42[\"ec", 6);
    turn_client_frame(c, 0x80, "ho\",3]", 6);
    return turn_client_hear(c, "42[\"echo\",3]");
}

static bool play_websocket(turn_rig *rig)
{
    bool ok = join(&one, rig, "") &&
              say(&one, "42[\"echo\",\"hi\"]", "42[\"echo\",\"hi\"]") &&
              say(&one, "421[\"ack\",1]", "431[1]") && say_binary(&one) &&
              say_fragments(&one) && say(&one, "42[\"ask\"]", NULL) &&
              say_answer(&one, "[\"question\"]") &&
              turn_client_hear(&one, "[\"got\",1]") &&
              say(&one, "422[\"later\"]", "432[\"later\"]") &&
              say(&one, "42[\"slow\",1]", "[\"echo\",\"changed\"]") &&
              say(&one, "423[\"pack\",\"a\",5]", "433[7]") &&
              say(&one, "42[\"big\"]", "xxx\"]") && say(&one, "41", NULL) &&
              say(&one, "40", "40{\"sid\":\"") && say(&one, "1", NULL);
    turn_client_close(&one);
    return ok;
}

static bool play_namespaces(turn_rig *rig)
{
    bool ok =
        join(&one, rig, "") && say(&one, "40/t-1,", "40/t-1,{\"sid\":\"") &&
        say(&one, "42/t-1,[\"echo\",1]", "42/t-1,[\"echo\",1]") &&
        say(&one, "42/t-1,[\"all\",1]", "42/t-1,[\"packed\",\"text\"]") &&
        say(&one, "40/none,", "44/none,{\"message\":\"") &&
        say(&one, "41/t-1,", NULL) && say(&one, "421[\"ack\",1]", "431[1]");
    turn_client_close(&one);
    return ok;
}

/* Two, of which one is in the room. */
static bool play_rooms(turn_rig *rig)
{
    bool ok = join(&one, rig, "") && join(&two, rig, "") &&
              say(&one, "421[\"join\"]", "431[true]") &&
              say(&two, "42[\"room\",1]", NULL) &&
              turn_client_hear(&one, "42[\"room\",1]") &&
              say(&one, "42[\"all\",1]", "42[\"packed\",\"text\"]") &&
              turn_client_hear(&two, "42[\"packed\",\"text\"]") &&
              say(&one, "42[\"fetch\"]", "42[\"count\",true,2]") &&
              turn_client_hear(&two, "42[\"count\",true,2]") &&
              say(&one, "422[\"leave\"]", "432[]");
    turn_client_close(&one);
    turn_client_close(&two);
    return ok;
}

static bool play_survey(turn_rig *rig)
{
    bool ok = join(&one, rig, "") && join(&two, rig, "") &&
              say(&one, "42[\"survey\"]", NULL) &&
              say_answer(&one, "[\"survey\",1]") &&
              say_answer(&two, "[\"survey\",1]") &&
              turn_client_hear(&one, "42[\"answers\",1,1]") &&
              turn_client_hear(&two, "42[\"answers\",1,1]");
    turn_client_close(&one);
    turn_client_close(&two);
    return ok;
}

/* ------------------------------------------------------------ the others -- */

static void with_recovery(sio_server_config *config)
{
    config->recovery = true;
    config->recovery_max_disconnection_ms = 5000;
    config->recovery_skip_middlewares = true;
}

/* Loses its connection, misses an event, comes back and gets it. */
static bool play_recovery(turn_rig *rig)
{
    char pid[32], offset[64], text[256];
    bool ok = fault_open_websocket(&one, rig, "EIO=4", "") && hear_sid(&one) &&
              say(&one, "40", "\"pid\":\"") &&
              turn_client_copy(&one, "\"", pid, sizeof(pid)) &&
              say(&one, "421[\"join\"]", "431[true]") &&
              say(&one, "42[\"all\"]", "42[\"all\",\"") &&
              turn_client_copy(&one, "\"", offset, sizeof(offset)) &&
              join(&two, rig, "");
    turn_client_close(&one);
    if (ok) {
        (void)snprintf(text, sizeof(text),
                       "40{\"pid\":\"%s\",\"offset\":\"%s\"}", pid, offset);
        ok = say(&two, "42[\"all\",9]", "42[\"all\",9") &&
             fault_open_websocket(&one, rig, "EIO=4", "") && hear_sid(&one) &&
             say(&one, text, "42[\"all\",9");
    }
    turn_client_close(&one);
    turn_client_close(&two);
    return ok;
}

static void with_old_clients(sio_server_config *config)
{
    config->allow_eio3 = true;
}

#define EIO3 "/socket.io/?EIO=3&transport=polling"

static bool play_eio3(turn_rig *rig)
{
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    bool ok = get(&one, EIO3, "", NULL) && hear_sid(&one) &&
              get(&one, EIO3, "", "2:40") &&
              post(&one, EIO3, "15:42[\"echo\",\"hi\"]") &&
              get(&one, EIO3, "", "42[\"echo\",\"hi\"]") &&
              post(&one, EIO3, "10:421[\"ack\"]1:2") &&
              get(&one, EIO3, "", "431[]");
    end_polling(&one, rig, EIO3, "1:1");
    return ok;
}

static bool play_jsonp(turn_rig *rig)
{
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    bool ok = get(&one, EIO3 "&j=0", "", "\\\"sid\\\":\\\"") &&
              turn_client_copy(&one, "\\", one.sid, sizeof(one.sid)) &&
              get(&one, EIO3 "&j=1", "", "___eio[0](\"2:40\")") &&
              post(&one, EIO3 "&j=2", "d=15%3A42%5B%22echo%22%2C%22hi%22%5D") &&
              get(&one, EIO3 "&j=3", "", "echo");
    end_polling(&one, rig, EIO3, "1:1");
    return ok;
}

static void with_msgpack(sio_server_config *config)
{
    config->parser = SIO_PARSER_MSGPACK;
}

static bool say_packet(turn_client *c, const char *packet, size_t len)
{
    turn_client_frame(c, 0x82, packet, len);
    return true;
}

#define SAY_PACKET(c, text) say_packet(c, text, sizeof(text) - 1)

static bool play_msgpack(turn_rig *rig)
{
    bool ok = fault_open_websocket(&one, rig, "EIO=4", "") && hear_sid(&one) &&
              SAY_PACKET(&one, "\x82\xa4type\0\xa3nsp\xa1/") &&
              turn_client_hear(&one, "sid") &&
              SAY_PACKET(&one, "\x84\xa4type\2\xa3nsp\xa1/\xa2id\1\xa4"
                               "data\x92\xa3"
                               "ack\xc4\3xyz") &&
              turn_client_hear(&one, "xyz") &&
              SAY_PACKET(&one, "\x83\xa4type\2\xa3nsp\xa1/\xa4"
                               "data\x92\xa3"
                               "all\xa2hi") &&
              turn_client_hear(&one, "packed");
    turn_client_close(&one);
    return ok;
}

static void with_deflate(sio_server_config *config)
{
    config->deflate = true;
}

static size_t deflate_text(const char *text, uint8_t *out, size_t cap)
{
    z_stream z = {0};
    REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) ==
            Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = out;
    z.avail_out = (uInt)cap;
    REQUIRE(deflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_out > 0);
    (void)deflateEnd(&z);
    return cap - z.avail_out - 4; /* without the empty block (RFC 7692) */
}

static bool play_deflate(turn_rig *rig)
{
    uint8_t packet[128];
    size_t len = deflate_text("421[\"ack\",1]", packet, sizeof(packet));
    bool ok = join(&one, rig, DEFLATE);
    if (ok) {
        turn_client_frame(&one, 0xc1, packet, len);
        ok = turn_client_hear(&one, "431[1]") &&
             say(&one, "42[\"big\"]", "\xc1") &&
             say(&one, "421[\"ack\",1]", "431[1]");
    }
    turn_client_close(&one);
    return ok;
}

static bool play_http(turn_rig *rig)
{
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    bool ok = get(&one, "/who", "", "127.0.0.1") &&
              get(&one, "/none", "", "404") &&
              get(&one, "/socket.io/?EIO=4&transport=no", "", "unknown") &&
              get(&one, "/who", "Connection: close\r\n", "127.0.0.1");
    turn_client_close(&one);
    return ok;
}

const fault_scene fault_scenes[] = {
    {"http", NULL, play_http, false},
    {"polling", NULL, play_polling, false},
    {"upgrade", NULL, play_upgrade, false},
    {"websocket", NULL, play_websocket, false},
    {"rooms", NULL, play_rooms, false},
    {"survey", NULL, play_survey, false},
    {"namespaces", NULL, play_namespaces, false},
    {"recovery", with_recovery, play_recovery, false},
    {"eio3", with_old_clients, play_eio3, false},
    {"jsonp", with_old_clients, play_jsonp, false},
    {"msgpack", with_msgpack, play_msgpack, true},
    {"gzip", NULL, play_gzip, false},
    {"deflate", with_deflate, play_deflate, false},
};
const size_t fault_scene_count = sizeof(fault_scenes) / sizeof(fault_scenes[0]);
