#ifndef SIO_PACKET_H
#define SIO_PACKET_H

#include "base/json.h"
#include "base/writer.h"
#include "socketio/error.h"
#include "socketio/parser.h"

/* The text packets of Socket.IO protocol 5:
 * <type>[<attachments>-][<namespace>,][<id>][<JSON>] */

typedef struct sio_packet {
    sio_packet_type type;
    uint32_t attachments; /* binary messages that follow; 0 unless BINARY_* */
    sio_bytes nsp;        /* "/" when the packet names none; never empty */
    bool has_id;
    uint64_t id;                /* 0 unless `has_id` */
    sio_bytes payload;          /* the JSON text, empty when there is none */
    sio_json_type payload_type; /* NONE when there is no payload */

    /* EVENT, BINARY_EVENT: the first element as written, a string with its
     * quotes or a number.  Empty without a payload, and for other types. */
    sio_bytes name;
    bool name_is_number;

    /* EVENT, BINARY_EVENT: the elements after the name; ACK, BINARY_ACK: all
     * elements.  Values with commas between them, without brackets. */
    sio_bytes args;
    unsigned arg_count;
} sio_packet;

typedef struct sio_packet_limits {
    unsigned max_depth;       /* of the payload; at most SIO_JSON_DEPTH_MAX */
    unsigned max_attachments; /* of one packet; 0 refuses binary packets */
    size_t max_nsp;           /* bytes in a namespace, its slash included */
} sio_packet_limits;

/*
 * Reads the single packet that fills `in`, which the carrier has proven to be
 * UTF-8.  All views in `*out` borrow from `in`, except `nsp` when absent.
 *
 * EVENT needs an array whose first element is a number or a string that is
 * not reserved; ACK an array; CONNECT an object; CONNECT_ERROR an object or a
 * string; DISCONNECT nothing.  No payload at all is accepted for every type:
 * an event then has no name and concerns only those who listen to all.
 * The id is read and forgotten where only events and acks have a use for it.
 *
 * In BINARY_* packets each placeholder (sio_json_placeholder_fn) has to name
 * an attachment by a plain integer.  An attachment may be named twice or not
 * at all.  Elsewhere placeholders are data like any other.
 *
 * Fails, leaving nothing of use in `*out`, with
 *   PACKET_EMPTY, PACKET_TYPE
 *   ATTACHMENTS        their number is no plain integer from 1 to
 *                      max_attachments, or a placeholder names none of them
 *   TOO_LARGE          the namespace exceeds max_nsp
 *   PACKET_ID          no plain integer up to 2^53 - 1, or whitespace where
 *                      the id or the payload should begin
 *   JSON, JSON_DEPTH   the payload is malformed
 *   PAYLOAD            it is well-formed, but not for this type
 */
sio_error sio_packet_decode(sio_bytes in, const sio_packet_limits *limits,
                            sio_packet *out);

/*
 * Whether `num`, the member of a placeholder (sio_json_placeholder_fn), is a
 * plain integer below `count`, and so names an attachment: then sets `*index`.
 */
bool sio_placeholder_index(sio_bytes num, size_t count, size_t *index);

/* Whether applications may not use `name`, UTF-8, for events of their own. */
bool sio_event_name_reserved(sio_bytes name);

typedef struct sio_packet_head {
    sio_packet_type type;
    uint32_t attachments; /* binary packets that follow; 0 unless BINARY_* */
    sio_bytes nsp;        /* "/" and the empty view both mean the main one */
    bool has_id;
    uint64_t id; /* read only if `has_id` */
} sio_packet_head;

/* Appends all that precedes the JSON of a packet. */
void sio_packet_write_head(sio_writer *w, const sio_packet_head *head);

/*
 * Appends an event: `name` is UTF-8 without quotes, `args` the inside of an
 * array, valid JSON, empty for none.  The type is BINARY_EVENT if, and only
 * if, `head` has attachments; `head->type` is not read.
 */
void sio_packet_write_event(sio_writer *w, const sio_packet_head *head,
                            sio_bytes name, sio_bytes args);

/* Appends an ack, as sio_packet_write_event() does an event.  `head` has to
 * have the id of the event that is answered. */
void sio_packet_write_ack(sio_writer *w, const sio_packet_head *head,
                          sio_bytes args);

/* Appends a packet for `nsp`, "/" or empty for the main one, with `payload`,
 * valid JSON; for CONNECT, it may be empty. */
void sio_packet_write_connect(sio_writer *w, sio_bytes nsp, sio_bytes payload);
void sio_packet_write_connect_error(sio_writer *w, sio_bytes nsp,
                                    sio_bytes payload);
void sio_packet_write_disconnect(sio_writer *w, sio_bytes nsp);

#endif
