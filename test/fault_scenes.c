#include "test/fault_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"

/* --------------------------------------------------------------- polling -- */

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

const fault_scene fault_scenes_plain[] = {
    {.label = "http", .play = play_http},
    {.label = "polling", .play = play_polling},
    {.label = "upgrade", .play = play_upgrade},
    {.label = "websocket", .play = play_websocket},
    {.label = "rooms", .play = play_rooms},
    {.label = "survey", .play = play_survey},
    {.label = "namespaces", .play = play_namespaces},
    {.label = "recovery", with_recovery, play_recovery},
    {.label = "gzip", .play = play_gzip},
    {.label = "deflate", with_deflate, play_deflate},
    {.label = NULL},
};

const fault_scene *fault_scene_get(size_t index)
{
    static const fault_scene *const files[] = {
        fault_scenes_plain, fault_scenes_old, fault_scenes_http,
        fault_scenes_more,  fault_scenes_tls,
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (const fault_scene *s = files[i]; s->label != NULL; s++) {
            if (index-- == 0) {
                return s;
            }
        }
    }
    return NULL;
}

const fault_scene *fault_scene_named(const char *label)
{
    const fault_scene *s;
    for (size_t i = 0; (s = fault_scene_get(i)) != NULL; i++) {
        if (strcmp(s->label, label) == 0) {
            return s;
        }
    }
    return NULL;
}
