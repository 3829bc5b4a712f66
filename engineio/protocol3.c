#include "base/base64.h"
#include "base/utf16.h"
#include "engineio/protocol.h"

/*
 * Revision 3, of Socket.IO 1 and 2.  A text body is a row of
 * `<length>:<packet>`, with lengths in UTF-16 code units; a body of octets is a
 * row of a byte that is 0 for text and 1 for binary, the digits of the length
 * in bytes, each as a byte of its value, 255, and the packet.
 */

#define OCTETS_TEXT 0
#define OCTETS_BINARY 1
#define OCTETS_STOP 0xff

/* -------------------------------------------------------------- packets -- */

static sio_error read_type(uint8_t type, eio_packet *out)
{
    if (type > EIO_PACKET_NOOP) {
        return SIO_ERR_PACKET_TYPE;
    }
    out->type = (eio_packet_type)type;
    return SIO_OK;
}

static sio_error read_binary(sio_bytes data, eio_packet *out)
{
    eio_packet packet = {.form = EIO_FORM_BINARY};
    if (data.len == 0) {
        return SIO_ERR_PACKET_EMPTY;
    }
    sio_error err = read_type(data.base[0], &packet);
    if (err == SIO_OK) {
        packet.data = (sio_bytes){data.base + 1, data.len - 1};
        *out = packet;
    }
    return err;
}

/* `b`, the digit of the type, and base64. */
static sio_error read_base64(uint8_t *text, size_t len, eio_packet *out)
{
    eio_packet packet = {.form = EIO_FORM_BINARY};
    if (len < 2) {
        return SIO_ERR_PACKET_EMPTY;
    }
    sio_error err = read_type((uint8_t)(text[1] - '0'), &packet);
    if (err == SIO_OK) {
        packet.data.base = text + 2;
        err = sio_base64_decode((sio_bytes){text + 2, len - 2}, text + 2,
                                &packet.data.len);
    }
    if (err == SIO_OK) {
        *out = packet;
    }
    return err;
}

static sio_error read_text(uint8_t *text, size_t len, eio_packet *out)
{
    return len != 0 && text[0] == 'b'
               ? read_base64(text, len, out)
               : eio_packet_decode_text((sio_bytes){text, len}, out);
}

/* ------------------------------------------------------ bodies that come -- */

/* Reads decimal digits, each less `zero`, up to `stop`, and moves `*body`
 * behind that.  A length that the rest could not have is refused: so is one
 * that overflows. */
static sio_error read_length(eio_body *body, uint8_t zero, uint8_t stop,
                             size_t *out)
{
    size_t i = 0, value = 0;
    for (; i < body->left && body->at[i] != stop; i++) {
        uint8_t digit = (uint8_t)(body->at[i] - zero);
        if (digit > 9 || value > body->left) {
            return SIO_ERR_PACKET_LENGTH;
        }
        value = value * 10 + digit;
    }
    if (i == 0 || i == body->left) {
        return SIO_ERR_PACKET_LENGTH;
    }
    body->at += i + 1;
    body->left -= i + 1;
    *out = value;
    return SIO_OK;
}

static uint8_t *take(eio_body *body, size_t len)
{
    uint8_t *at = body->at;
    body->at += len;
    body->left -= len;
    return at;
}

static sio_error next_of_octets(eio_body *body, eio_packet *out)
{
    size_t len;
    if (body->left == 0) {
        return SIO_MORE;
    }
    uint8_t kind = *take(body, 1);
    sio_error err = kind > OCTETS_BINARY
                        ? SIO_ERR_PACKET_TYPE
                        : read_length(body, 0, OCTETS_STOP, &len);
    if (err != SIO_OK) {
        return err;
    }
    if (len > body->left) {
        return SIO_ERR_PACKET_LENGTH;
    }
    uint8_t *packet = take(body, len);
    return kind == OCTETS_BINARY ? read_binary((sio_bytes){packet, len}, out)
                                 : read_text(packet, len, out);
}

static sio_error next_of_text(eio_body *body, eio_packet *out)
{
    size_t units = 0, len;
    /* A packet of no length is none. */
    while (units == 0) {
        if (body->left == 0 && body->over) {
            return SIO_MORE;
        }
        sio_error err = read_length(body, '0', ':', &units);
        if (err != SIO_OK) {
            return err; /* so is an empty body */
        }
        body->over = body->left == 0 && units == 0;
    }
    if (!sio_utf16_cut((sio_bytes){body->at, body->left}, units, &len)) {
        return SIO_ERR_PACKET_LENGTH;
    }
    uint8_t *packet = take(body, len);
    body->over = body->left == 0;
    return read_text(packet, len, out);
}

static sio_error next(eio_body *body, eio_packet *out)
{
    return body->octets ? next_of_octets(body, out) : next_of_text(body, out);
}

/* -------------------------------------------------------- bodies that go -- */

static unsigned count_digits(size_t value)
{
    unsigned count = 1;
    for (; value >= 10; value /= 10) {
        count++;
    }
    return count;
}

/* Writes the digits of `value` from `zero` on, and `stop`. */
static uint8_t *put_length(uint8_t *at, size_t value, uint8_t zero,
                           uint8_t stop)
{
    unsigned count = count_digits(value);
    for (unsigned i = count; i-- > 0; value /= 10) {
        at[i] = (uint8_t)(zero + value % 10);
    }
    at[count] = stop;
    return at + count + 1;
}

static uint8_t *put(uint8_t *at, sio_bytes bytes)
{
    if (bytes.len != 0) {
        memcpy(at, bytes.base, bytes.len);
    }
    return at + bytes.len;
}

/* The length that a text body has to tell of a packet. */
static size_t units_of(const sio_frameq_entry *entry)
{
    return eio_entry_is_binary(entry)
               ? 2 + sio_base64_encoded_len(entry->frame->len)
               : sio_utf16_len(sio_frame_view(entry->frame));
}

/* The length that a body of octets has to tell of it. */
static size_t octets_of(const sio_frameq_entry *entry)
{
    return entry->frame->len + (eio_entry_is_binary(entry) ? 1 : 0);
}

static size_t payload_len(const sio_frameq *queue, bool octets)
{
    sio_frameq_walk walk = sio_frameq_walk_start(queue);
    const sio_frameq_entry *entry;
    size_t len = 0;
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        if (octets) {
            size_t one = octets_of(entry);
            len += 1 + count_digits(one) + 1 + one;
        } else {
            size_t units = units_of(entry);
            len += count_digits(units) + 1 +
                   (eio_entry_is_binary(entry) ? units : entry->frame->len);
        }
    }
    return len;
}

static uint8_t *put_octets(uint8_t *at, const sio_frameq_entry *entry)
{
    bool binary = eio_entry_is_binary(entry);
    *at++ = binary ? OCTETS_BINARY : OCTETS_TEXT;
    at = put_length(at, octets_of(entry), 0, OCTETS_STOP);
    if (binary) {
        *at++ = EIO_PACKET_MESSAGE;
    }
    return put(at, sio_frame_view(entry->frame));
}

static uint8_t *put_text(uint8_t *at, const sio_frameq_entry *entry)
{
    size_t units = units_of(entry);
    at = put_length(at, units, '0', ':');
    if (!eio_entry_is_binary(entry)) {
        return put(at, sio_frame_view(entry->frame));
    }
    at = put(at, SIO_LIT("b4"));
    sio_base64_encode(sio_frame_view(entry->frame), at);
    return at + (units - 2);
}

static void payload_write(uint8_t *at, const sio_frameq *queue, bool octets)
{
    sio_frameq_walk walk = sio_frameq_walk_start(queue);
    const sio_frameq_entry *entry;
    while ((entry = sio_frameq_walk_next(&walk)) != NULL) {
        at = octets ? put_octets(at, entry) : put_text(at, entry);
    }
}

const eio_protocol eio_protocol_3 = {
    .revision = 3,
    .beat = EIO_PACKET_PING,
    .beaten = eio_heartbeat_await,
    .answers_beat = true,
    .typed_binary = true,
    .base64_head = {(const uint8_t *)"b4", 2},
    .takes_octets = true,
    .read_text = read_text,
    .read_binary = read_binary,
    .next = next,
    .payload_len = payload_len,
    .payload_write = payload_write,
};
