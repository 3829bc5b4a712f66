#ifndef FUZZ_PACKET_CHECK_H
#define FUZZ_PACKET_CHECK_H

/*
 * A checker of the Socket.IO packets that one client is sent, as text (revision
 * 5, and 4 of old clients).  It shares no code with the library; abort() is its
 * verdict.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed at the start. */
typedef struct packet_check {
    unsigned attachments; /* that have to come before the next packet */
} packet_check;

/* Whether packets are MessagePack, which is not looked into; of all clients
 * from now on. */
void packet_check_packed(bool packed);

/* A text of Engine.IO, with its type. */
void packet_check_text(packet_check *c, const uint8_t *data, size_t len);

/* A binary message. */
void packet_check_binary(packet_check *c);

#endif
