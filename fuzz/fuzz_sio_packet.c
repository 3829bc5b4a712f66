#include <stdlib.h>
#include <string.h>

#include "socketio/packet.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const sio_packet_limits limits = {
    .max_depth = 16, .max_attachments = 10, .max_nsp = 32};

static void require_inside(sio_bytes view, sio_bytes in)
{
    REQUIRE(view.len == 0 ||
            (view.base >= in.base && view.len <= in.len &&
             view.base - in.base <= (ptrdiff_t)(in.len - view.len)));
}

/* What the header promises of a packet that has passed. */
static void check_packet(const sio_packet *p, sio_bytes in)
{
    bool binary = p->type >= SIO_PACKET_BINARY_EVENT;
    sio_json_type type;
    size_t used;
    unsigned count;

    REQUIRE(binary ? p->attachments >= 1 && p->attachments <= 10
                   : p->attachments == 0);
    REQUIRE(p->nsp.len >= 1 && p->nsp.len <= 32 && p->nsp.base[0] == '/');
    if (p->nsp.len > 1) {
        require_inside(p->nsp, in);
    }
    require_inside(p->payload, in);
    require_inside(p->name, p->payload);
    require_inside(p->args, p->payload);
    REQUIRE(p->id <= UINT64_C(9007199254740991) && (p->has_id || p->id == 0));
    REQUIRE((p->payload.len == 0) == (p->payload_type == SIO_JSON_NONE));
    if (p->payload.len != 0) {
        REQUIRE(sio_json_check(p->payload, limits.max_depth) == SIO_OK);
        sio_json_scan(p->payload, limits.max_depth, &type, &used);
        REQUIRE(type == p->payload_type);
    }
    if (p->name.len != 0) {
        REQUIRE(sio_json_check(p->name, 0) == SIO_OK);
        REQUIRE(p->name_is_number == (p->name.base[0] != '"'));
    }
    REQUIRE(sio_json_list_check(p->args, limits.max_depth, &count) == SIO_OK);
    REQUIRE(count == p->arg_count);
}

/* Appends `p` as an encoder would that has only its parts. */
static void encode(sio_writer *w, const sio_packet *p, sio_bytes name)
{
    sio_packet_head head = {p->type, p->attachments, p->nsp, p->has_id, p->id};
    bool event =
        p->type == SIO_PACKET_EVENT || p->type == SIO_PACKET_BINARY_EVENT;
    bool ack = p->type == SIO_PACKET_ACK || p->type == SIO_PACKET_BINARY_ACK;

    if (p->type == SIO_PACKET_CONNECT) {
        sio_packet_write_connect(w, p->nsp, p->payload);
    } else if (p->type == SIO_PACKET_CONNECT_ERROR) {
        sio_packet_write_connect_error(w, p->nsp, p->payload);
    } else if (p->type == SIO_PACKET_DISCONNECT) {
        sio_packet_write_disconnect(w, p->nsp);
    } else if (event && p->name.len != 0 && !p->name_is_number) {
        sio_packet_write_event(w, &head, name, p->args);
    } else if (ack && p->payload.len != 0) {
        sio_packet_write_ack(w, &head, p->args);
    } else {
        sio_packet_write_head(w, &head);
        sio_write_bytes(w, p->payload);
    }
}

static void require_same(const sio_packet *a, const sio_packet *b)
{
    REQUIRE(a->type == b->type && a->attachments == b->attachments);
    REQUIRE(sio_bytes_eq(a->nsp, b->nsp));
    REQUIRE(a->has_id == b->has_id && a->id == b->id);
    REQUIRE(a->payload_type == b->payload_type);
    REQUIRE(a->name_is_number == b->name_is_number);
    REQUIRE(sio_bytes_eq(a->args, b->args) && a->arg_count == b->arg_count);
}

/*
 * A packet that passes keeps its promises; written from its parts and read
 * again it is the same, and writing that again gives the same bytes.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sio_bytes in = {data, size};
    sio_packet first, second;
    if (sio_packet_decode(in, &limits, &first) != SIO_OK) {
        return 0;
    }
    check_packet(&first, in);

    uint8_t *plain = malloc(first.name.len);
    sio_bytes name = {plain, 0};
    if (first.name.len != 0 && !first.name_is_number) {
        REQUIRE(sio_json_unescape(first.name, plain, &name.len) == SIO_OK);
        REQUIRE(!sio_event_name_reserved(name));
    }
    sio_writer w = {0};
    encode(&w, &first, name);
    w = (sio_writer){malloc(w.len), w.len, 0};
    encode(&w, &first, name);
    REQUIRE(w.len == w.cap);

    sio_bytes text = {w.base, w.len};
    REQUIRE(sio_packet_decode(text, &limits, &second) == SIO_OK);
    check_packet(&second, text);
    require_same(&first, &second);
    sio_writer again = {malloc(w.len), w.len, 0};
    encode(&again, &second, name);
    REQUIRE(sio_bytes_eq(text, (sio_bytes){again.base, again.len}));
    free(again.base);
    free(w.base);
    free(plain);
    return 0;
}
