#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "socketio/msgpack.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define BINARIES 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const sio_packet_limits limits = {.max_depth = SIO_JSON_DEPTH_MAX,
                                         .max_attachments = BINARIES,
                                         .max_nsp = 32};

typedef struct decoded {
    sio_packet packet;
    sio_writer text;
    sio_binary binaries[BINARIES];
} decoded;

static bool is_inside(const void *base, size_t len, sio_bytes in)
{
    const uint8_t *at = base;
    return len == 0 || (at >= in.base && len <= in.len &&
                        at - in.base <= (ptrdiff_t)(in.len - len));
}

/* Decodes to just as much room as it takes. */
static sio_error decode(sio_bytes in, decoded *d)
{
    d->text = (sio_writer){0};
    sio_error err =
        sio_msgpack_decode(in, &limits, &d->text, d->binaries, &d->packet);
    if (err == SIO_ERR_NO_SPACE) {
        size_t len = d->text.len;
        REQUIRE(len <= 6 * in.len + 64 * BINARIES);
        d->text = (sio_writer){malloc(len), len, 0};
        err =
            sio_msgpack_decode(in, &limits, &d->text, d->binaries, &d->packet);
        REQUIRE(err == SIO_OK && d->text.len == len);
    }
    return err;
}

static unsigned next_num; /* what the next placeholder has to name */

static sio_error on_placeholder(void *arg, sio_bytes object, sio_bytes num)
{
    size_t index;
    const sio_packet *p = arg;
    (void)object;
    if (p->attachments != 0) {
        REQUIRE(sio_placeholder_index(num, p->attachments, &index));
        REQUIRE(index == next_num++);
    }
    return SIO_OK;
}

/* What the header promises of a packet that has passed. */
static void check_packet(decoded *d, sio_bytes in)
{
    sio_packet *p = &d->packet;
    sio_bytes text = {d->text.base, d->text.len};
    sio_json_type type;
    size_t used;
    unsigned count;

    REQUIRE((p->type >= SIO_PACKET_BINARY_EVENT) == (p->attachments != 0));
    REQUIRE(p->nsp.len >= 1 && p->nsp.len <= 32 && p->nsp.base[0] == '/');
    REQUIRE(is_inside(p->nsp.base, p->nsp.len, in));
    REQUIRE(p->id <= UINT64_C(9007199254740991) && (p->has_id || p->id == 0));
    REQUIRE(sio_utf8_valid(text) && sio_bytes_eq(text, p->payload));
    REQUIRE(is_inside(p->name.base, p->name.len, text));
    REQUIRE(is_inside(p->args.base, p->args.len, text));
    for (uint32_t i = 0; i < p->attachments; i++) {
        REQUIRE(is_inside(d->binaries[i].data, d->binaries[i].len, in));
    }
    REQUIRE((text.len == 0) == (p->payload_type == SIO_JSON_NONE));
    next_num = 0;
    if (text.len != 0) {
        REQUIRE(sio_json_check_placeholders(text, limits.max_depth,
                                            on_placeholder, p) == SIO_OK);
        REQUIRE(sio_json_scan(text, limits.max_depth, &type, &used) == SIO_OK);
        REQUIRE(type == p->payload_type);
    }
    REQUIRE(next_num == p->attachments);
    REQUIRE(sio_json_list_check(p->args, limits.max_depth, &count) == SIO_OK);
    REQUIRE(count == p->arg_count);
}

static sio_error write_packet(sio_writer *w, const sio_packet *p,
                              sio_bytes name, const sio_binary *binaries)
{
    sio_packet_head head = {.nsp = p->nsp, .has_id = p->has_id, .id = p->id};
    sio_args args = {(const char *)p->args.base, p->args.len, binaries,
                     p->attachments};
    switch (p->type) {
    case SIO_PACKET_EVENT:
    case SIO_PACKET_BINARY_EVENT:
        return sio_msgpack_write_event(w, &head, name, &args);
    case SIO_PACKET_ACK:
    case SIO_PACKET_BINARY_ACK:
        return sio_msgpack_write_ack(w, &head, &args);
    default:
        return sio_msgpack_write_single(w, p->type, p->nsp, p->payload);
    }
}

/* Measures and writes; gives the bytes. */
static sio_bytes encode(const decoded *d)
{
    const sio_packet *p = &d->packet;
    uint8_t *plain = malloc(p->name.len);
    sio_bytes name = p->name;
    sio_writer measure = {0};
    if (name.len != 0 && !p->name_is_number) {
        REQUIRE(sio_json_unescape(p->name, plain, &name.len) == SIO_OK);
        name.base = plain;
        REQUIRE(!sio_event_name_reserved(name));
    }
    REQUIRE(write_packet(&measure, p, name, d->binaries) == SIO_OK);
    sio_writer w = {malloc(measure.len), measure.len, 0};
    REQUIRE(write_packet(&w, p, name, d->binaries) == SIO_OK);
    REQUIRE(w.len == measure.len);
    free(plain);
    return (sio_bytes){w.base, w.len};
}

static void require_same(const decoded *a, const decoded *b)
{
    const sio_packet *p = &a->packet, *q = &b->packet;
    REQUIRE(p->type == q->type && p->attachments == q->attachments);
    REQUIRE(sio_bytes_eq(p->nsp, q->nsp));
    REQUIRE(p->has_id == q->has_id && p->id == q->id);
    REQUIRE(sio_bytes_eq(p->args, q->args) && p->arg_count == q->arg_count);
    REQUIRE(p->name_is_number || sio_bytes_eq(p->payload, q->payload));
    for (uint32_t i = 0; i < p->attachments; i++) {
        REQUIRE(
            sio_bytes_eq((sio_bytes){a->binaries[i].data, a->binaries[i].len},
                         (sio_bytes){b->binaries[i].data, b->binaries[i].len}));
    }
}

/* A packet that passes keeps its promises; written and read again it is the
 * same, and written once more gives the same bytes. */
static void check_decode(sio_bytes in)
{
    decoded first, second;
    if (decode(in, &first) != SIO_OK) {
        return;
    }
    check_packet(&first, in);
    sio_bytes bytes = encode(&first);
    REQUIRE(decode(bytes, &second) == SIO_OK);
    check_packet(&second, bytes);
    require_same(&first, &second);
    sio_bytes again = encode(&second);
    REQUIRE(sio_bytes_eq(bytes, again));
    free((uint8_t *)(uintptr_t)again.base);
    free((uint8_t *)(uintptr_t)bytes.base);
    free(second.text.base);
    free(first.text.base);
}

/* The list as a tree; NULL where jansson does not take what is valid. */
static json_t *tree_of(sio_bytes list)
{
    size_t flags = JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
    char *text = malloc(list.len + 2);
    text[0] = '[';
    if (list.len != 0) {
        memcpy(text + 1, list.base, list.len);
    }
    text[list.len + 1] = ']';
    json_t *tree = json_loadb(text, list.len + 2, flags, NULL);
    free(text);
    return tree;
}

static void require_equal(sio_bytes a, sio_bytes b)
{
    json_t *left = tree_of(a);
    if (left != NULL) {
        json_t *right = tree_of(b);
        REQUIRE(right != NULL && json_equal(left, right));
        json_decref(right);
    }
    json_decref(left);
}

/* Any text is written if, and only if, it is valid, and is read as a text that
 * means the same; or, where there are binary values, as one that names them. */
static void check_encode(sio_bytes json, size_t binary_count)
{
    static const sio_binary binaries[] = {{"\1\2\3", 3}, {NULL, 0}};
    sio_packet_head head = {.nsp = SIO_LIT("/")};
    sio_args args = {(const char *)json.base, json.len, binaries, binary_count};
    sio_writer measure = {0};
    unsigned count;
    sio_error err =
        sio_msgpack_write_event(&measure, &head, SIO_LIT("e"), &args);
    REQUIRE(err == sio_json_list_check(json, SIO_JSON_DEPTH_MAX, &count));
    if (err != SIO_OK) {
        return;
    }
    sio_writer w = {malloc(measure.len), measure.len, 0};
    REQUIRE(sio_msgpack_write_event(&w, &head, SIO_LIT("e"), &args) == SIO_OK);
    REQUIRE(w.len == measure.len);
    decoded d;
    err = decode((sio_bytes){w.base, w.len}, &d);
    if (binary_count == 0) {
        REQUIRE(err == SIO_OK ||
                (err == SIO_ERR_UTF8 && !sio_utf8_valid(json)));
    } else {
        REQUIRE(err == SIO_OK || err == SIO_ERR_ATTACHMENTS ||
                (err == SIO_ERR_UTF8 && !sio_utf8_valid(json)));
    }
    if (err == SIO_OK) {
        REQUIRE(d.packet.arg_count == count);
        if (d.packet.attachments == 0) {
            require_equal(json, d.packet.args);
        }
        free(d.text.base);
    }
    free(w.base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sio_bytes in = {data, size};
    check_decode(in);
    check_encode(in, 0);
    check_encode(in, 2);
    return 0;
}
