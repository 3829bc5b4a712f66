#include "base/base64.h"
#include "engineio/protocol.h"

/* Revision 4, of Socket.IO 3 and later.  Its packets are read in packet.c. */

#define RECORD_SEPARATOR 0x1e

bool eio_queue_has_binary(const sio_frameq *queue)
{
    sio_frameq_walk walk = sio_frameq_walk_start(queue);
    const sio_frameq_entry *entry;
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        if (eio_entry_is_binary(entry)) {
            return true;
        }
    }
    return false;
}

static sio_error read_binary(sio_bytes data, eio_packet *out)
{
    *out = (eio_packet){EIO_PACKET_MESSAGE, EIO_FORM_BINARY, data};
    return SIO_OK;
}

static sio_error next(eio_body *body, eio_packet *out)
{
    eio_payload it = {{body->at, body->left}, body->over};
    sio_bytes raw;
    if (!eio_payload_next(&it, &raw)) {
        return SIO_MORE;
    }
    uint8_t *packet = body->at;
    body->at += it.done ? body->left : raw.len + 1;
    body->left = it.done ? 0 : it.rest.len;
    body->over = it.done;
    return eio_packet_decode_in_place(packet, raw.len, out);
}

static size_t encoded_len(const sio_frameq_entry *entry)
{
    return eio_entry_is_binary(entry)
               ? 1 + sio_base64_encoded_len(entry->frame->len)
               : entry->frame->len;
}

static size_t payload_len(const sio_frameq *queue, bool octets)
{
    sio_frameq_walk walk = sio_frameq_walk_start(queue);
    const sio_frameq_entry *entry;
    size_t len = sio_frameq_count(queue) - 1;
    (void)octets;
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        len += encoded_len(entry);
    }
    return len;
}

static uint8_t *put_packet(uint8_t *at, const sio_frameq_entry *entry)
{
    size_t len = encoded_len(entry);
    if (eio_entry_is_binary(entry)) {
        *at = 'b';
        sio_base64_encode(sio_frame_view(entry->frame), at + 1);
    } else {
        memcpy(at, entry->frame->data, len);
    }
    return at + len;
}

static void payload_write(uint8_t *at, const sio_frameq *queue, bool octets)
{
    sio_frameq_walk walk = sio_frameq_walk_start(queue);
    const sio_frameq_entry *entry;
    bool first = true;
    (void)octets;
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        if (!first) {
            *at++ = RECORD_SEPARATOR;
        }
        first = false;
        at = put_packet(at, entry);
    }
}

const eio_protocol eio_protocol_4 = {
    .revision = 4,
    .beat = EIO_PACKET_PONG,
    .beaten = eio_heartbeat_start,
    .answers_beat = false,
    .typed_binary = false,
    .base64_head = {(const uint8_t *)"b", 1},
    .takes_octets = false,
    .read_text = eio_packet_decode_in_place,
    .read_binary = read_binary,
    .next = next,
    .payload_len = payload_len,
    .payload_write = payload_write,
};
