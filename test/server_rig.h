#ifndef TEST_SERVER_RIG_H
#define TEST_SERVER_RIG_H

#include <pthread.h>

#include "socketio/socketio.h"

/* Servers behind the public API, on threads of their own, and clients with real
 * sockets. */

/* Requests. */
#define SERVER_RIG_GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n"
#define SERVER_RIG_POLL                                                        \
    SERVER_RIG_GET("/socket.io/?EIO=4&transport=polling") "\r\n"

/* For before and after each test, which has a folder of its own: nothing may be
 * left in it.  `server_rig_path` is one in it. */
extern char server_rig_path[80];
int server_rig_setup(void **state);
int server_rig_teardown(void **state);
bool server_rig_is_there(const char *name);

/* One thread, a free port on loopback. */
sio_server_config server_rig_config(void);

/* A server that says at /who who asks: `[ADDRESS]`, or `[ADDRESS secure]`. */
sio_server *server_rig_make(const sio_server_config *config);

/* Runs it on a new thread; waits until that has ended in good order, having
 * stopped it. */
pthread_t server_rig_start(sio_server *server);
void server_rig_join(pthread_t thread, sio_server *server);
void server_rig_stop(pthread_t thread, sio_server *server);

sio_listen_options server_rig_at_path(const char *name);
sio_listen_options server_rig_at_host(const char *host);

/* Connect: a descriptor, or -1. */
int server_rig_dial(uint16_t port);
int server_rig_dial_unix(const char *path);

void server_rig_say(int fd, const char *text);

/* Reads until `end` has come or the peer closes.  Gives a static buffer. */
const char *server_rig_hear(int fd, const char *end);

/* Asks the server, behind `before`, who is asking, and expects `who`.  The
 * request says X-Forwarded-For: 192.0.2.1.  Closes `fd`. */
void server_rig_expect_who(int fd, const char *before, const char *who);

#endif
