#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/fault_play.h"

/* Old clients, and other parsers. */

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

/* Opens a session over JSONP, and hears that it is in. */
static bool open_jsonp(turn_rig *rig)
{
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    return get(&one, EIO3 "&j=0", "", "\\\"sid\\\":\\\"") &&
           turn_client_copy(&one, "\\", one.sid, sizeof(one.sid)) &&
           get(&one, EIO3 "&j=1", "", "___eio[0](\"2:40\")");
}

static bool play_jsonp(turn_rig *rig)
{
    bool ok = open_jsonp(rig) &&
              post(&one, EIO3 "&j=2", "d=15%3A42%5B%22echo%22%2C%22hi%22%5D") &&
              get(&one, EIO3 "&j=3", "", "echo");
    end_polling(&one, rig, EIO3, "1:1");
    return ok;
}

/* A body of the packets, each behind its length. */
static const char *body3(const char *first, const char *second)
{
    static char text[512];
    int len =
        snprintf(text, sizeof(text), "%u:%s", (unsigned)strlen(first), first);
    if (second != NULL) {
        (void)snprintf(text + len, sizeof(text) - (size_t)len, "%u:%s",
                       (unsigned)strlen(second), second);
    }
    return text;
}

#define HOLE "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]"

/* Binary values as base64, and as they are. */
static bool play_eio3_binary(turn_rig *rig)
{
    bool ok = true;
    for (int i = 0; i < 2 && ok; i++) {
        const char *target = i == 0 ? EIO3 "&b64=1" : EIO3;
        one.sid[0] = '\0';
        turn_client_dial(&one, rig);
        ok = get(&one, target, "", NULL) && hear_sid(&one) &&
             get(&one, target, "", "2:40") &&
             post(&one, target, body3(HOLE, "b4AQID")) &&
             get(&one, target, "", i == 0 ? "b4AQID" : "\4\1\2\3");
        end_polling(&one, rig, EIO3, "1:1");
    }
    return ok;
}

static bool play_jsonp_binary(turn_rig *rig)
{
    bool ok = open_jsonp(rig) &&
              post(&one, EIO3 "&j=2",
                   "d=42%3A451-%5B%22echo%22%2C%7B%22_placeholder%22%3Atrue"
                   "%2C%22num%22%3A0%7D%5D6%3Ab4AQID") &&
              get(&one, EIO3 "&j=3", "", "b4AQID");
    end_polling(&one, rig, EIO3, "1:1");
    return ok;
}

static bool say3_binary(turn_client *c)
{
    turn_client_text(c, HOLE);
    turn_client_frame(c, 0x82, "\4\1\2\3", 4);
    return turn_client_hear(c, "\"num\":0}]") &&
           turn_client_hear(c, "\4\1\2\3");
}

/* A namespace with a query, which is its auth. */
static bool play_eio3_websocket(turn_rig *rig)
{
    bool ok =
        fault_open_websocket(&one, rig, "EIO=3&a=%C3", "") && hear_sid(&one) &&
        turn_client_hear(&one, "40") && say(&one, "2", "3") &&
        say(&one, "42[\"echo\",1]", "42[\"echo\",1]") && say3_binary(&one) &&
        say(&one, "40/t-1?a=b%20c&d=%C3,", "40/t-1,") &&
        say(&one, "42/t-1,1[\"ack\",2]", "43/t-1,1[2]") &&
        say(&one, "42/t-1,2[\"auth\"]", "{\"a\":\"b c\",\"d\":\"") &&
        say(&one, "41/t-1,", NULL) && say(&one, "40/none,", "44/none,{") &&
        say(&one, "1", NULL);
    turn_client_close(&one);
    return ok;
}

static bool play_eio3_upgrade(turn_rig *rig)
{
    char query[80];
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    bool ok = get(&one, EIO3, "", NULL) && hear_sid(&one) &&
              get(&one, EIO3, "", "2:40");
    if (ok) {
        (void)snprintf(query, sizeof(query), "EIO=3&sid=%s", one.sid);
        ok = get(&one, EIO3, "", NULL) &&
             fault_open_websocket(&two, rig, query, "") &&
             say(&two, "2probe", "3probe") && say(&two, "5", NULL) &&
             turn_client_hear(&one, "1:6") &&
             say(&two, "42[\"echo\",\"hi\"]", "42[\"echo\",\"hi\"]") &&
             say(&two, "1", NULL);
    }
    turn_client_close(&two);
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

/* ------------------------------------------------ the application's parser --
 */

static const char *digits_end(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* As the default one, without binary values: TYPE NSP, ID DATA. */
static sio_error decode(const void *message, size_t len, sio_packet_out *out,
                        void *arg)
{
    const char *at = message, *end = at + len;
    (void)arg;
    if (len == 0 || *at < '0' || *at > '4') {
        return SIO_ERR_PAYLOAD;
    }
    sio_packet_view view = {
        .type = (sio_packet_type)(*at++ - '0'), .nsp = "/", .nsp_len = 1};
    if (at < end && *at == '/') {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        view.nsp = at;
        view.nsp_len = (size_t)((comma == NULL ? end : comma) - at);
        at = comma == NULL ? end : comma + 1;
    }
    const char *behind = digits_end(at, end);
    view.has_id = behind != at;
    for (; at < behind; at++) {
        view.id = view.id * 10 + (uint64_t)(*at - '0');
    }
    view.data = at;
    view.data_len = (size_t)(end - at);
    return sio_packet_give(out, &view);
}

static sio_error encode(const sio_packet_view *packet, sio_message_out *out,
                        void *arg)
{
    char text[32];
    (void)arg;
    int len = snprintf(text, sizeof(text), "%d", (int)packet->type);
    sio_message_write(out, text, (size_t)len);
    if (packet->nsp_len > 1) {
        sio_message_write(out, packet->nsp, packet->nsp_len);
        sio_message_write(out, ",", 1);
    }
    if (packet->has_id) {
        len = snprintf(text, sizeof(text), "%u", (unsigned)packet->id);
        sio_message_write(out, text, (size_t)len);
    }
    sio_message_write(out, packet->data, packet->data_len);
    return SIO_OK;
}

static void with_parser(sio_server_config *config)
{
    static const sio_parser_methods methods = {.encode = encode,
                                               .decode = decode};
    config->parser = SIO_PARSER_CUSTOM;
    config->custom_parser = &methods;
}

static bool play_parser(turn_rig *rig)
{
    bool ok = join(&one, rig, "") &&
              say(&one, "42[\"echo\",\"hi\"]", "42[\"echo\",\"hi\"]") &&
              say(&one, "421[\"ack\",1]", "431[1]") &&
              say(&one, "42[\"ask\"]", NULL) &&
              say_answer(&one, "[\"question\"]") &&
              turn_client_hear(&one, "[\"got\",1]") &&
              say(&one, "40/t-1,", "40/t-1,{\"sid\":\"") &&
              say(&one, "42/t-1,[\"all\",1]", "42/t-1,[\"packed\",\"text\"]") &&
              say(&one, "40/none,", "44/none,{\"message\":\"") &&
              say(&one, "41", NULL) && say(&one, "1", NULL);
    turn_client_close(&one);
    return ok;
}

const fault_scene fault_scenes_old[] = {
    {.label = "eio3", with_old_clients, play_eio3},
    {.label = "eio3 binary", with_old_clients, play_eio3_binary},
    {.label = "eio3 websocket", with_old_clients, play_eio3_websocket},
    {.label = "eio3 upgrade", with_old_clients, play_eio3_upgrade},
    {.label = "jsonp", with_old_clients, play_jsonp},
    {.label = "jsonp binary", with_old_clients, play_jsonp_binary},
    {.label = "msgpack", with_msgpack, play_msgpack, .msgpack = true},
    {.label = "parser", with_parser, play_parser},
    {.label = NULL},
};
