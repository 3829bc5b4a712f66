#ifndef TEST_WS_CLIENT_H
#define TEST_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A Socket.IO client over WebSocket, as small as can be, for servers that run
 * in the same process on other threads.  Aborts where the server breaks the
 * protocol.  One thread at a time.
 */
typedef struct ws_client {
    int fd;          /* -1 once closed */
    bool said_close; /* the server has sent its close frame */
    uint8_t *in;
    size_t len, cap; /* what has come */
    size_t used;     /* of it, by the message that is lent */
} ws_client;

/* Connects to 127.0.0.1, opens a session, and joins "/".  Pings are answered
 * while frames are read. */
void ws_client_open(ws_client *c, uint16_t port);

/* The same without joining, and with a receive buffer of `receive` bytes, 0 for
 * the kernel's choice. */
void ws_client_dial(ws_client *c, uint16_t port, int receive);

/* Sends an Engine.IO text packet. */
void ws_client_say(ws_client *c, const char *packet);

/* A message as it came: `data` is lent until the next call. */
typedef struct ws_message {
    bool binary;
    const char *data;
    size_t len;
} ws_message;

/* Takes the next message; false at the end of the connection. */
bool ws_client_hear(ws_client *c, ws_message *m);

/* The same, false also when none has come yet. */
bool ws_client_poll(ws_client *c, ws_message *m);

/* Whether the server has ended the connection, as far as was read. */
bool ws_client_ended(const ws_client *c);

/* Closes at once. */
void ws_client_close(ws_client *c);

#endif
