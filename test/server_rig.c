#include "test/server_rig.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------- a client -- */

int server_rig_dial(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int server_rig_dial_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void server_rig_say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
                     (int)strlen(text));
}

/* Reads until `end` has come or the peer closes.  Gives a static buffer. */
const char *server_rig_hear(int fd, const char *end)
{
    static char text[65536];
    size_t len = 0;
    text[0] = '\0';
    while (strstr(text, end) == NULL) {
        ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        text[len] = '\0';
    }
    return text;
}

/* Asks the server, behind `before`, who is asking, and expects `who`. */
void server_rig_expect_who(int fd, const char *before, const char *who)
{
    char want[80];
    (void)snprintf(want, sizeof(want), "[%s]", who);
    assert_true(fd >= 0);
    server_rig_say(fd, before);
    server_rig_say(fd,
                   SERVER_RIG_GET("/who") "X-Forwarded-For: 192.0.2.1\r\n\r\n");
    const char *answer = server_rig_hear(fd, "]");
    if (strstr(answer, want) == NULL) {
        fail_msg("%s: %s", want, answer);
    }
    close(fd);
}

/* ------------------------------------------------------ a running server -- */

static char folder[64];
char server_rig_path[80];

int server_rig_setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/sio-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(server_rig_path, sizeof(server_rig_path), "%s/socket",
                   folder);
    return 0;
}

int server_rig_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

sio_server_config server_rig_config(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.host = "127.0.0.1";
    config.port = 0;
    config.threads = 1;
    config.serve_client = false;
    return config;
}

static void on_who(sio_http_request *request, void *arg)
{
    char body[80];
    (void)arg;
    int len = snprintf(body, sizeof(body), "[%s%s]", sio_http_address(request),
                       sio_http_secure(request) ? " secure" : "");
    sio_http_respond(request, 200, "text/plain", body, (size_t)len);
}

sio_server *server_rig_make(const sio_server_config *config)
{
    sio_server *server = sio_server_new(config);
    assert_non_null(server);
    assert_int_equal(sio_server_on_http(server, "/who", on_who, NULL), SIO_OK);
    return server;
}

static void *run(void *arg)
{
    return sio_server_run(arg) == SIO_OK ? NULL : arg;
}

pthread_t server_rig_start(sio_server *server)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, server), 0);
    return thread;
}

void server_rig_join(pthread_t thread, sio_server *server)
{
    void *failed;
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_true(sio_server_closed(server));
}

void server_rig_stop(pthread_t thread, sio_server *server)
{
    sio_server_stop(server);
    server_rig_join(thread, server);
}

sio_listen_options server_rig_at_path(const char *name)
{
    return (sio_listen_options){.size = sizeof(sio_listen_options),
                                .unix_path = name};
}

sio_listen_options server_rig_at_host(const char *host)
{
    return (sio_listen_options){.size = sizeof(sio_listen_options),
                                .host = host};
}

bool server_rig_is_there(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}
