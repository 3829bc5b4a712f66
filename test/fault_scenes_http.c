#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/fault_play.h"
#include "test/files_folder.h"

/* What lies around sessions: who may come in, files, proxies, other servers. */

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static bool ask(turn_client *c, const char *method, const char *target,
                const char *headers, const char *want)
{
    turn_client_sayf(c, "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, target,
                     headers);
    return turn_client_hear(c, want);
}

/* --------------------------------------------------------------- verdicts --
 */

static void allow(sio_server *server, void *arg)
{
    (void)server;
    sio_verdict_allow(arg);
}

static void refuse(sio_server *server, void *arg)
{
    (void)server;
    sio_verdict_refuse(arg, "not you");
}

/* The decision comes a turn later. */
static void on_allow(sio_http_request *request, sio_verdict *verdict, void *arg)
{
    const turn_rig *rig = arg;
    sio_post_fn *fn =
        sio_http_header(request, "x-bad") == NULL ? allow : refuse;
    if (sio_server_post(rig->server, fn, verdict) != SIO_OK) {
        fault_told++;
        sio_verdict_refuse(verdict, NULL);
    }
}

static void on_headers(sio_http_request *request, void *arg)
{
    (void)arg;
    fault_told += sio_http_add_header(request, "X-All", "1") != SIO_OK;
}

static void on_first(sio_http_request *request, void *arg)
{
    (void)arg;
    fault_told += sio_http_add_header(request, "X-First", "1") != SIO_OK;
}

static void with_verdicts(sio_server_config *config)
{
    config->on_allow_request = on_allow;
    config->on_headers = on_headers;
    config->on_initial_headers = on_first;
    config->cookie_name = "io";
    config->cors_reflect = true;
    config->cors_credentials = true;
    config->initial_packet = "welcome";
    config->max_sessions_per_address = 1000;
    config->max_connections_per_address = 1000;
    config->handshakes_per_address_per_s = 1000000;
}

#define ORIGIN "Origin: http://a.example\r\n"

static bool play_verdicts(turn_rig *rig)
{
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    bool ok = ask(&one, "OPTIONS", POLLING,
                  ORIGIN "Access-Control-Request-Method: POST\r\n",
                  "http://a.example") &&
              ask(&one, "GET", POLLING, ORIGIN "X-Bad: 1\r\n", "not you");
    turn_client_dial(&one, rig);
    ok = ok && ask(&one, "GET", POLLING, ORIGIN, "X-First: 1") &&
         hear_sid(&one) && get(&one, POLLING, ORIGIN, "4welcome") &&
         talk(&one, "40", "40{\"sid\":\"") && post(&one, POLLING, "41");
    end_polling(&one, rig, POLLING, "1");
    ok = ok && join(&two, rig, ORIGIN) && say(&two, "421[\"ack\",1]", "431[1]");
    turn_client_close(&two);
    if (ok) {
        ok = fault_open_websocket(&two, rig, "EIO=4", "X-Bad: 1\r\n");
    }
    turn_client_close(&two);
    return ok;
}

/* ------------------------------------------------------------------ files --
 */

static void with_files(turn_rig *rig)
{
    folder_make();
    REQUIRE(sio_server_serve_files(rig->server, "/files", folder_path("www")) ==
            SIO_OK);
}

#define FILES "/files/"

static bool play_files(turn_rig *rig)
{
    turn_client_dial(&one, rig);
    bool ok =
        ask(&one, "GET", FILES "a.txt", "", "\r\n\r\nhello") &&
        ask(&one, "GET", FILES "a.txt?b=c", "Range: bytes=1-2\r\n",
            "\r\n\r\nel") &&
        ask(&one, "GET", FILES "a.txt", "Range: bytes=9-\r\n", " 416 ") &&
        ask(&one, "GET", FILES "a.txt",
            "If-Modified-Since: Tue, 14 Nov 2033 22:13:20 GMT\r\n", " 304 ") &&
        ask(&one, "HEAD", FILES "big.bin", "", "\r\n\r\n") &&
        ask(&one, "GET", FILES "none", "", " 404 ") &&
        ask(&one, "GET", FILES "docs", "", " 301 ") &&
        ask(&one, "GET", FILES "a.txt", "Connection: close\r\n",
            "\r\n\r\nhello");
    turn_client_close(&one);
    return ok;
}

static char bundles[40];

static void make_bundle(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", bundles, name);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void with_bundles(sio_server_config *config)
{
    (void)snprintf(bundles, sizeof(bundles), "/tmp/sio-test-XXXXXX");
    REQUIRE(mkdtemp(bundles) != NULL);
    make_bundle("VERSION", "1.2.3\n");
    make_bundle("socket.io.js", "the bundle");
    make_bundle("socket.io.js.gz", "the packed bundle");
    make_bundle("socket.io.js.map", "{}");
    config->serve_client = true;
    config->client_dir = bundles;
    config->log_level = SIO_LOG_ERROR; /* the others are missing */
}

static void remove_bundles(void)
{
    char command[80];
    (void)snprintf(command, sizeof(command), "rm -r '%s'", bundles);
    REQUIRE(system(command) == 0);
}

static bool play_bundles(turn_rig *rig)
{
    turn_client_dial(&one, rig);
    bool ok = ask(&one, "GET", "/socket.io/socket.io.js", "", "the bundle") &&
              ask(&one, "GET", "/socket.io/socket.io.js",
                  "Accept-Encoding: gzip\r\n", "the packed bundle") &&
              ask(&one, "GET", "/socket.io/socket.io.js.map", "", "{}") &&
              ask(&one, "GET", "/socket.io/socket.io.js",
                  "If-None-Match: \"1.2.3\"\r\n", " 304 ") &&
              ask(&one, "HEAD", "/socket.io/socket.io.js", "", "\r\n\r\n");
    turn_client_close(&one);
    return ok;
}

/* ------------------------------------------------------------------ proxy --
 */

static void with_trusted(sio_server_config *config)
{
    config->trusted_proxies = "127.0.0.0/8";
    config->max_connections_per_address = 1000;
}

static void listen_behind_proxy(turn_rig *rig)
{
    sio_listen_options at = {
        .size = sizeof(at), .host = "127.0.0.1", .proxy_protocol = true};
    REQUIRE(sio_server_listen_at(rig->server, &at, &rig->secure_port) ==
            SIO_OK);
}

#define V2                                                                     \
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\xc0\0\2\1\x12\x34\0" \
    "\x50"

/* A header at once, one in pieces, and a bad one. */
static bool play_proxy(turn_rig *rig)
{
    static const char header[] = V2;
    turn_client_dial_at(&one, rig, rig->secure_port);
    turn_client_sayf(&one, "PROXY TCP4 198.51.100.7 192.0.2.1 4711 80\r\n");
    bool ok = ask(&one, "GET", "/who", "", "198.51.100.7") &&
              ask(&one, "GET", POLLING, "", "\"sid\":\"") &&
              turn_client_copy(&one, "\"", one.sid, sizeof(one.sid));
    end_polling(&one, rig, POLLING, "1");
    turn_client_dial_at(&one, rig, rig->secure_port);
    turn_client_send(&one, header, 9);
    for (int i = 0; i < 3; i++) {
        turn_rig_turn(rig);
    }
    turn_client_send(&one, header + 9, sizeof(header) - 1 - 9);
    ok = ok && ask(&one, "GET", "/who", "", "198.51.100.7");
    turn_client_dial_at(&one, rig, rig->secure_port);
    ok = !ask(&one, "GET", "/who", "", "198.51.100.7") && ok;
    turn_client_close(&one);
    return ok;
}

/* ------------------------------------------------------------------ mount --
 */

static void mount(turn_rig *rig)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.loop = rig->ev;
    config.threads = 1;
    config.path = "/inner";
    config.serve_client = false;
    config.on_log = turn_rig_log;
    config.arg = rig;
    config.log_level = SIO_LOG_DEBUG;
    turn_rig_set_timeouts(&config);
    rig->inner = sio_server_new(&config);
    REQUIRE(rig->inner != NULL && sio_server_of(rig->inner, "/") != NULL);
    REQUIRE(sio_server_mount(rig->server, rig->inner) == SIO_OK);
}

#define INNER "/inner/?EIO=4&transport=polling"

static bool play_mount(turn_rig *rig)
{
    one.sid[0] = '\0';
    turn_client_dial(&one, rig);
    bool ok = ask(&one, "GET", "/who", "", "127.0.0.1") &&
              get(&one, INNER, "", NULL) && hear_sid(&one) &&
              post(&one, INNER, "40") &&
              get(&one, INNER, "", "40{\"sid\":\"") &&
              ask(&one, "GET", "/who", "", "127.0.0.1");
    end_polling(&one, rig, INNER, "1");
    return ok;
}

const fault_scene fault_scenes_http[] = {
    {.label = "verdicts", with_verdicts, play_verdicts},
    {.label = "files",
     .play = play_files,
     .prepare = with_files,
     .finish = folder_remove},
    {.label = "bundles", with_bundles, play_bundles, .finish = remove_bundles},
    {.label = "proxy",
     with_trusted,
     play_proxy,
     .prepare = listen_behind_proxy},
    {.label = "mount", .play = play_mount, .prepare = mount},
    {.label = NULL},
};
