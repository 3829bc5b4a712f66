#ifndef FUZZ_SERVER_CLIENT_H
#define FUZZ_SERVER_CLIENT_H

/* What clients of the fuzzed server write, and the one of them that behaves:
 * whatever others do, it gets its echoes. */

#include <stdbool.h>
#include <stddef.h>

enum { HEALTHY_ECHOES = 8 }; /* that it asks for, at most */

/* Bytes of a connection of fake_net. */
void client_text(int conn, const char *text);

/* A frame of a WebSocket with this first byte, masked. */
void client_frame(int conn, unsigned head, const void *data, size_t len);

/* Connects it to /healthy over a WebSocket, at the first place; again after its
 * server has begun anew. */
void healthy_connect(bool msgpack);

/* It sends an event, and has to have its echo; nothing once it has had as many
 * as above, unless `last`. */
void healthy_echo(bool last);

#endif
