#ifndef TEST_FAULT_CLIENT_H
#define TEST_FAULT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client of a server that runs on other threads, where something may fail:
 * it waits, but not for what is lost. */
typedef struct fault_client {
    int fd; /* -1: none */
    size_t len;
    char in[16384]; /* what has come and was not heard, NUL-terminated */
} fault_client;

/* Closes; connects to 127.0.0.1, having closed. */
void fault_client_close(fault_client *c);
void fault_client_dial(fault_client *c, uint16_t port);

/* Sends text as it stands, or in a WebSocket frame, up to 125 bytes. */
__attribute__((format(printf, 2, 3))) void
fault_client_sayf(fault_client *c, const char *format, ...);
void fault_client_text(fault_client *c, const char *text);

/*
 * Waits until `want` has come, and takes all up to its end.  False when the
 * connection has ended, or when a fault has struck and nothing comes; without
 * one that aborts.  The other one copies what stood before it.
 */
bool fault_client_hear(fault_client *c, const char *want);
bool fault_client_copy(fault_client *c, const char *want, char *out,
                       size_t cap);

/* Dials, and asks for a WebSocket; `query` is added to the target. */
bool fault_client_websocket(fault_client *c, uint16_t port, const char *query);

/* Milliseconds; not the server's clock. */
uint64_t fault_client_now(void);

#endif
