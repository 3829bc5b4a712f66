#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/fault_play.h"
#include "test/tls_certs.h"
#include "test/turn_tls.h"

/* https and wss: the handshake, resuming, names, certificates of clients, and
 * other certificates while the server is at work. */

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static char folder[40];

static const char *path_of(const char *name)
{
    static char paths[4][80];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    REQUIRE(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void make_folder(void)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/sio-test-XXXXXX");
    REQUIRE(mkdtemp(folder) != NULL);
    put("chain.pem", tls_cert_server()->cert);
    put("key.pem", tls_cert_server()->key);
    put("ca.pem", tls_cert_ca()->cert);
}

static void remove_folder(void)
{
    REQUIRE(unlink(path_of("chain.pem")) == 0);
    REQUIRE(unlink(path_of("key.pem")) == 0);
    REQUIRE(unlink(path_of("ca.pem")) == 0);
    REQUIRE(rmdir(folder) == 0);
    turn_tls_deinit();
}

/* One for localhost, from files, and one for another host. */
static sio_tls_options make_options(sio_tls_certificate own[2])
{
    sio_tls_options tls = SIO_TLS_OPTIONS_DEFAULT;
    own[0] = (sio_tls_certificate){.chain_file = path_of("chain.pem"),
                                   .key_file = path_of("key.pem")};
    own[1] = (sio_tls_certificate){.chain_pem = tls_cert_rsa()->cert,
                                   .key_pem = tls_cert_rsa()->key};
    tls.certificates = own;
    tls.certificate_count = 2;
    tls.client_certs = SIO_TLS_CLIENT_CERTS_OPTIONAL;
    tls.client_ca_file = path_of("ca.pem");
    tls.handshake_timeout_ms = 5000;
    return tls;
}

static void listen_with_tls(turn_rig *rig)
{
    sio_tls_certificate own[2];
    make_folder();
    sio_tls_options tls = make_options(own);
    sio_listen_options at = {
        .size = sizeof(at), .host = "127.0.0.1", .tls = &tls};
    REQUIRE(sio_server_listen_at(rig->server, &at, &rig->secure_port) ==
            SIO_OK);
}

/* A handshake, or what is left of it where a session is resumed. */
static bool visit(turn_rig *rig, const char *host, bool resumes)
{
    turn_tls_dial(&one, rig, host, resumes);
    turn_client_sayf(&one, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    bool ok = turn_client_hear(&one, "127.0.0.1");
    if (ok && !resumes) {
        turn_tls_keep(&one);
    }
    turn_client_close(&one);
    return ok;
}

/* A session is resumed, where there is one. */
static bool play_tls(turn_rig *rig)
{
    turn_tls_dial(&one, rig, "localhost", true);
    turn_client_sayf(&one,
                     "GET /socket.io/?transport=websocket&EIO=4 HTTP/1.1\r\n"
                     "Host: x\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
    bool ok = turn_client_hear(&one, "\r\n\r\n") && hear_sid(&one) &&
              say(&one, "40{\"token\":1}", "40{\"sid\":\"") &&
              say(&one, "42[\"echo\",\"hi\"]", "42[\"echo\",\"hi\"]") &&
              say(&one, "42[\"big\"]", "xxx\"]");
    if (ok) {
        turn_tls_keep(&one);
    }
    turn_client_close(&one);
    return ok;
}

static bool play_resume(turn_rig *rig)
{
    uint64_t before = sio_server_counter(rig->server, SIO_COUNTER_TLS_RESUMED);
    return visit(rig, "localhost", false) && visit(rig, "localhost", true) &&
           sio_server_counter(rig->server, SIO_COUNTER_TLS_RESUMED) > before;
}

static bool play_sni(turn_rig *rig)
{
    return visit(rig, "rsa.example.org", false);
}

/* While the files are read again something fails: all stays as it was. */
static bool play_reload(turn_rig *rig)
{
    sio_tls_certificate own[2];
    sio_tls_options tls = make_options(own);
    fault_now.on = true;
    sio_error same = sio_server_reload_tls(rig->server, 0, NULL);
    sio_error other =
        sio_server_reload_tls(rig->server, rig->secure_port, &tls);
    fault_now.on = false;
    fault_told += same != SIO_OK || other != SIO_OK;
    fault before = fault_now;
    fault_now = (fault){.at = FAULT_NEVER};
    REQUIRE(visit(rig, "localhost", turn_tls_has_session()));
    fault_now = before;
    return same == SIO_OK && other == SIO_OK;
}

const fault_scene fault_scenes_tls[] = {
    {.label = "tls",
     .play = play_tls,
     .prepare = listen_with_tls,
     .thin = 97,
     .finish = remove_folder},
    {.label = "tls resume",
     .play = play_resume,
     .prepare = listen_with_tls,
     .thin = 97,
     .finish = remove_folder},
    {.label = "tls names",
     .play = play_sni,
     .prepare = listen_with_tls,
     .thin = 97,
     .finish = remove_folder},
    {.label = "tls reload",
     .play = play_reload,
     .prepare = listen_with_tls,
     .thin = 397,
     .finish = remove_folder},
    {.label = NULL},
};
