#ifndef EIO_PROTOCOL_H
#define EIO_PROTOCOL_H

#include "base/frameq.h"
#include "engineio/heartbeat.h"
#include "engineio/packet.h"

/* A polling body that is being read; its bytes may be changed. */
typedef struct eio_body {
    uint8_t *at;
    size_t left;
    bool octets; /* it came as octets, not as text */
    bool over;   /* the last packet has been read */
} eio_body;

/*
 * What differs between the revisions of Engine.IO: a table for each.  A
 * session has one from its handshake on, and so have its carriers.
 */
typedef struct eio_protocol {
    unsigned revision; /* the number behind `EIO=` */

    /* The heartbeat: what the peer sends to show that it lives, how that is
     * noted, at the start and with each, and whether it is answered. */
    eio_packet_type beat;
    void (*beaten)(eio_heartbeat *hb, uint64_t now);
    bool answers_beat;

    /* Whether binary packets bear a byte for their type. */
    bool typed_binary;

    /* What is in front of the base64 of a binary message in a text. */
    sio_bytes base64_head;

    /* Whether polling bodies may be octets. */
    bool takes_octets;

    /* Read the single packet that fills a text or a binary message; `form` is
     * TEXT or BINARY then.  Base64 is decoded where it lies.  Fail, leaving
     * `*out` alone, with PACKET_EMPTY, PACKET_TYPE and BASE64. */
    sio_error (*read_text)(uint8_t *text, size_t len, eio_packet *out);
    sio_error (*read_binary)(sio_bytes data, eio_packet *out);

    /* Sets `*out` to the next packet of a polling body, text that is UTF-8, or
     * octets; in the latter, text packets are not proven to be UTF-8.  Returns
     * SIO_MORE at the end.  Fails as the two above, and with PAYLOAD_LENGTH. */
    sio_error (*next)(eio_body *body, eio_packet *out);

    /* The bytes of a polling body with the packets of a queue, which is not
     * empty and whose entries are marked with their eio_form; and that body,
     * written to `at`. */
    size_t (*payload_len)(const sio_frameq *queue, bool octets);
    void (*payload_write)(uint8_t *at, const sio_frameq *queue, bool octets);
} eio_protocol;

extern const eio_protocol eio_protocol_3, eio_protocol_4;

static inline bool eio_entry_is_binary(const sio_frameq_entry *entry)
{
    return (entry->flags & EIO_FORM_MASK) == EIO_FORM_BINARY;
}

/* Whether there is a binary message in the queue. */
bool eio_queue_has_binary(const sio_frameq *queue);

#endif
