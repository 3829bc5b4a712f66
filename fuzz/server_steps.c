#include "fuzz/server_steps.h"

#include <errno.h>
#include <stdio.h>

#include "fuzz/fake_net.h"
#include "fuzz/server_client.h"
#include "fuzz/server_input.h"
#include "fuzz/server_rig.h"

static int current; /* the connection that steps are about */
static bool quick;  /* steps do not wait for what they cause */
static bool other;  /* requests are for the server that is mounted */
static unsigned opened;

/* ------------------------------------------------------------ connections --
 */

/* Three addresses take turns. */
static void open_at(int place)
{
    int conn = fake_net_connect(place, ++opened % 3, NULL, NULL);
    current = conn < 0 ? current : conn;
}

static void do_open(void)
{
    open_at(RIG_PLAIN);
}

static void do_open_at(void)
{
    int place = (int)(input_byte() % FAKE_PLACES);
    open_at(rig_on(RIG_PLACES) ? place : RIG_PLAIN);
}

static void do_select(void)
{
    int wanted = (int)(input_byte() % FAKE_CONNS);
    if (wanted != 0 && (fake_conns[wanted].fd >= 0)) {
        current = wanted;
    }
}

static void do_eof(void)
{
    fake_conns[current].eof = true;
}

static void do_reset(void)
{
    fake_conns[current].reset = true;
}

static void do_window(void)
{
    unsigned window = input_two();
    fake_conns[current].window = window == 0xffff ? FAKE_UNLIMITED : window;
}

static void do_pieces(void)
{
    unsigned most = input_byte();
    fake_conns[current].recv_most = most % 16 + 1;
    fake_conns[current].send_most = most / 16 == 0 ? FAKE_UNLIMITED : most;
}

static void do_refuse(void)
{
    static const int errors[] = {EMFILE, ENFILE,       ENOMEM, ENOBUFS,
                                 EINTR,  ECONNABORTED, EPROTO, EAGAIN};
    fake_net_refuse(errors[input_byte() % 8]);
}

static void do_hiccup(void)
{
    static const int errors[] = {EINTR,     EAGAIN, ECONNRESET,
                                 ETIMEDOUT, EPIPE,  EHOSTUNREACH};
    unsigned which = input_byte();
    int error = errors[which % 6];
    if (which & 128) {
        fake_conns[current].send_error = error;
    } else {
        fake_conns[current].recv_error = error;
    }
}

/* ------------------------------------------------------------ what is sent --
 */

static void do_bytes(void)
{
    const uint8_t *bytes;
    size_t len = input_bytes(&bytes);
    fake_net_write(current, bytes, len);
}

/* Of binary ones each byte is as it is. */
static void do_frame(void)
{
    static uint8_t text[INPUT_MOST];
    unsigned head = input_byte();
    size_t len = input_text(text, (head & 15) != 2);
    client_frame(current, head, text, len);
}

static const char *path(void)
{
    return other ? "/other/" : "/socket.io/";
}

/* Names the session with the letter of `how`; where ids are random, that which
 * was opened last. */
static void write_sid(char out[80], unsigned how, bool wanted)
{
    const char letter[2] = {(char)('A' + (how & 31) % 26), '\0'};
    const char *sid = rig_on(RIG_RANDOM_IDS) ? fake_sid : letter;
    (void)snprintf(out, 80, "%s%s", wanted ? "&sid=" : "", wanted ? sid : "");
}

/* Bits 5 to 7 of `how`: Engine.IO 3, JSONP, a request with an Origin. */
static void write_head(const char *method, unsigned how, bool with_id)
{
    char line[384], sid[80];
    write_sid(sid, how, with_id);
    (void)snprintf(line, sizeof(line),
                   "%s %s?EIO=%c&transport=polling%s%s HTTP/1.1\r\n"
                   "Host: h\r\n%s",
                   method, path(), how & 32 ? '3' : '4', sid,
                   how & 64 ? "&j=0" : "",
                   how & 128 ? "Origin: http://a.example\r\n"
                               "Accept-Encoding: gzip\r\n"
                             : "");
    client_text(current, line);
}

static void do_handshake(void)
{
    write_head("GET", input_byte(), false);
    client_text(current, "\r\n");
}

static void do_get(void)
{
    write_head("GET", input_byte(), true);
    client_text(current, "\r\n");
}

static void do_post(void)
{
    static uint8_t text[INPUT_MOST];
    char line[128];
    unsigned how = input_byte();
    size_t len = input_text(text, true);
    write_head("POST", how, true);
    (void)snprintf(line, sizeof(line),
                   "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                   how & 64 ? "application/x-www-form-urlencoded"
                            : "text/plain;charset=UTF-8",
                   len);
    client_text(current, line);
    fake_net_write(current, text, len);
}

/* The same with a body of octets, which Engine.IO 3 has. */
static void do_post_octets(void)
{
    const uint8_t *bytes;
    char line[128];
    unsigned how = input_byte();
    size_t len = input_bytes(&bytes);
    write_head("POST", how, true);
    (void)snprintf(line, sizeof(line),
                   "Content-Type: application/octet-stream\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   len);
    client_text(current, line);
    fake_net_write(current, bytes, len);
}

/* Bit 5: Engine.IO 3; 6: of the session with that letter; 7: deflate. */
static void do_websocket(void)
{
    char text[640], sid[80];
    unsigned how = input_byte();
    write_sid(sid, how, (how & 64) != 0);
    (void)snprintf(text, sizeof(text),
                   "GET %s?EIO=%c&transport=websocket%s HTTP/1.1\r\n"
                   "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n%s\r\n",
                   path(), how & 32 ? '3' : '4', sid,
                   how & 128 ? "Sec-WebSocket-Extensions: permessage-deflate; "
                               "client_max_window_bits\r\n"
                             : "");
    client_text(current, text);
}

static void do_echo(void)
{
    healthy_echo(false);
}

/* ------------------------------------------------- time and the application --
 */

static void do_pass(void)
{
    unsigned ms = input_two();
    fake_net_settle();
    fake_net_pass(ms);
    fake_net_settle();
}

static void do_jump(void)
{
    fake_net_jump((int)input_two() - 0x8000);
}

static void do_act(void)
{
    server_app_act(rig_app(other), input_byte());
}

static void do_quick(void)
{
    quick = !quick;
}

static void do_other(void)
{
    other = !other && rig_on(RIG_MOUNT);
}

typedef struct step {
    void (*act)(void);
    const char *arguments;
    bool turns; /* not if `quick` */
} step;

static const step steps[] = {
    {do_open, "", true},          {do_select, "b", false},
    {do_bytes, "t", true},        {do_frame, "bt", true},
    {do_handshake, "b", true},    {do_get, "b", true},
    {do_post, "bt", true},        {do_websocket, "b", true},
    {fake_net_turn, "", false},   {do_pass, "w", false},
    {do_eof, "", true},           {do_reset, "", true},
    {do_window, "w", false},      {do_pieces, "b", false},
    {do_refuse, "b", true},       {do_hiccup, "b", false},
    {do_act, "b", true},          {do_quick, "", false},
    {fake_net_settle, "", false}, {do_echo, "", false},
    {do_open_at, "b", true},      {do_other, "", false},
    {rig_stop_other, "", true},   {do_post_octets, "bt", true},
    {do_jump, "w", false},
};

unsigned steps_kinds(void)
{
    return sizeof(steps) / sizeof(steps[0]);
}

const char *steps_arguments(unsigned kind)
{
    return steps[kind % steps_kinds()].arguments;
}

void steps_run(void)
{
    opened = 0;
    quick = other = false;
    do_open();
    while (input_left()) {
        const step *s = &steps[input_byte() % steps_kinds()];
        s->act();
        if (s->turns && !quick) {
            fake_net_settle();
        }
        rig_check_memory();
    }
}
