#include <stdlib.h>

#include "base/utf8.h"
#include "engineio/protocol.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define PACKETS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read from a body, in a copy of it that has nothing behind it. */
typedef struct reading {
    uint8_t *copy;
    size_t count;
    eio_packet packets[PACKETS_MAX];
    size_t ends[PACKETS_MAX]; /* where the body went on behind each */
    sio_error err;            /* MORE at the end */
} reading;

static reading read_body(const uint8_t *data, size_t size, bool octets)
{
    reading r = {.copy = malloc(size == 0 ? 1 : size), .err = SIO_OK};
    REQUIRE(r.copy != NULL);
    if (size != 0) {
        memcpy(r.copy, data, size);
    }
    eio_body body = {.at = r.copy, .left = size, .octets = octets};
    const uint8_t *floor = r.copy;
    while (r.count < PACKETS_MAX) {
        eio_packet *packet = &r.packets[r.count];
        *packet = (eio_packet){EIO_PACKET_NOOP, EIO_FORM_BASE64, {NULL, 0}};
        r.err = eio_protocol_3.next(&body, packet);
        REQUIRE(body.at + body.left == r.copy + size);
        if (r.err != SIO_OK) {
            REQUIRE(packet->form == EIO_FORM_BASE64);
            break;
        }
        REQUIRE(packet->type <= EIO_PACKET_NOOP);
        REQUIRE(packet->form == EIO_FORM_TEXT ||
                packet->form == EIO_FORM_BINARY);
        REQUIRE(packet->data.base > floor &&
                packet->data.base + packet->data.len <= body.at);
        floor = body.at;
        r.ends[r.count++] = (size_t)(body.at - r.copy);
    }
    return r;
}

static bool same(const eio_packet *a, const eio_packet *b)
{
    return a->type == b->type && a->form == b->form &&
           sio_bytes_eq(a->data, b->data);
}

/* Cut behind a packet, a body is two with the same packets. */
static void check_splits(const uint8_t *data, size_t size, bool octets,
                         const reading *whole)
{
    for (size_t i = 0; i < whole->count; i++) {
        size_t cut = whole->ends[i];
        reading head = read_body(data, cut, octets);
        reading tail = read_body(data + cut, size - cut, octets);
        REQUIRE(head.count == i + 1);
        REQUIRE(head.err == SIO_MORE || head.count == PACKETS_MAX);
        for (size_t j = 0; j <= i; j++) {
            REQUIRE(same(&head.packets[j], &whole->packets[j]));
        }
        REQUIRE(tail.count >= whole->count - i - 1);
        for (size_t j = i + 1; j < whole->count; j++) {
            REQUIRE(same(&tail.packets[j - i - 1], &whole->packets[j]));
        }
        /* An empty text is no body, but may be the end of one. */
        REQUIRE(tail.err == whole->err || whole->count == PACKETS_MAX ||
                (cut == size && !octets));
        free(head.copy);
        free(tail.copy);
    }
}

/* A packet as it would be sent; only messages are sent as binary. */
static void push(sio_frameq *queue, sio_chunk_pool *chunks,
                 const eio_packet *packet)
{
    bool binary = packet->form == EIO_FORM_BINARY;
    size_t head = binary ? 0 : 1;
    sio_frame *frame = sio_frame_new(NULL, head + packet->data.len);
    REQUIRE(frame != NULL);
    if (!binary) {
        frame->data[0] = (uint8_t)('0' + packet->type);
    }
    if (packet->data.len != 0) {
        memcpy(frame->data + head, packet->data.base, packet->data.len);
    }
    REQUIRE(sio_frameq_push(queue, chunks, frame, packet->form) == SIO_OK);
    sio_frame_unref(frame);
}

/* What was read is written, and read again, in either form. */
static void check_round_trip(const reading *r, bool octets)
{
    sio_frameq queue = {0};
    sio_chunk_pool chunks = {0};
    for (size_t i = 0; i < r->count; i++) {
        const eio_packet *packet = &r->packets[i];
        bool sent = packet->form == EIO_FORM_TEXT
                        ? sio_utf8_valid(packet->data)
                        : packet->type == EIO_PACKET_MESSAGE;
        if (!sent) {
            sio_frameq_clear(&queue, &chunks);
            sio_chunk_pool_deinit(&chunks);
            return;
        }
        push(&queue, &chunks, packet);
    }
    if (r->count != 0) {
        size_t len = eio_protocol_3.payload_len(&queue, octets);
        uint8_t *out = malloc(len);
        REQUIRE(out != NULL);
        eio_protocol_3.payload_write(out, &queue, octets);
        reading again = read_body(out, len, octets);
        REQUIRE(again.count == r->count);
        REQUIRE(again.count == PACKETS_MAX || again.err == SIO_MORE);
        for (size_t i = 0; i < r->count; i++) {
            REQUIRE(same(&again.packets[i], &r->packets[i]));
        }
        free(again.copy);
        free(out);
    }
    sio_frameq_clear(&queue, &chunks);
    sio_chunk_pool_deinit(&chunks);
}

/* Reads a polling body of revision 3; the first byte says which form it has. A
 * text is made UTF-8 first, as its carrier sees to that. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    bool octets = (data[0] & 1) != 0;
    sio_bytes in = {data + 1, size - 1};
    uint8_t *repaired = malloc(3 * size);
    REQUIRE(repaired != NULL);
    if (!octets) {
        in = (sio_bytes){repaired, sio_utf8_repair(in, repaired)};
    }
    reading whole = read_body(in.base, in.len, octets);
    check_splits(in.base, in.len, octets, &whole);
    check_round_trip(&whole, octets);
    check_round_trip(&whole, !octets);
    free(whole.copy);
    free(repaired);
    return 0;
}
