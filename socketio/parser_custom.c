#include "base/list.h"
#include "base/utf8.h"
#include "socketio/parser_impl.h"

/*
 * A parser of the application.  What it reads is written as the text that the
 * default parser has for it, and read from there: so it is checked as all
 * packets are, whatever the application makes of a message.
 */

static const sio_parser_custom *custom_of(const sio_parser *self)
{
    return SIO_OWNER(self, const sio_parser_custom, parser);
}

/* --------------------------------------------------------------- writing -- */

struct sio_message_out {
    sio_writer *to;
};

void sio_message_write(sio_message_out *out, const void *data, size_t len)
{
    sio_write_bytes(out->to, (sio_bytes){data, len});
}

static sio_error encode(const sio_parser *self, sio_writer *w,
                        sio_packet_view *packet, sio_bytes nsp, sio_bytes data)
{
    const sio_parser_custom *custom = custom_of(self);
    sio_message_out out = {w};
    nsp = nsp.len == 0 ? SIO_LIT("/") : nsp;
    packet->nsp = (const char *)nsp.base;
    packet->nsp_len = nsp.len;
    packet->data = (const char *)data.base;
    packet->data_len = data.len;
    return custom->methods.encode(packet, &out, custom->arg);
}

/* The array of `args`, behind `name` where that is not NULL. */
static void write_data(sio_writer *w, const sio_bytes *name,
                       const sio_args *args)
{
    sio_write_byte(w, '[');
    if (name != NULL) {
        sio_json_write_string(w, *name);
    }
    if (name != NULL && args->json_len != 0) {
        sio_write_byte(w, ',');
    }
    sio_write_bytes(w,
                    (sio_bytes){(const uint8_t *)args->json, args->json_len});
    sio_write_byte(w, ']');
}

static sio_error write_args(const sio_parser *self, sio_writer *w,
                            const sio_packet_head *head, sio_packet_type type,
                            const sio_bytes *name, const sio_args *args)
{
    sio_packet_view packet = {.type = type,
                              .has_id = head->has_id,
                              .id = head->id,
                              .binaries = args->binaries,
                              .binary_count = args->binary_count};
    sio_writer measure = {NULL, 0, 0};
    sio_buf data = {0};
    write_data(&measure, name, args);
    sio_error err = sio_buf_reserve(&data, measure.len);
    if (err == SIO_OK) {
        sio_writer text = {data.base, data.cap, 0};
        write_data(&text, name, args);
        err = encode(self, w, &packet, head->nsp,
                     (sio_bytes){data.base, text.len});
    }
    sio_buf_deinit(&data);
    return err;
}

static sio_error write_event(const sio_parser *self, sio_writer *w,
                             const sio_packet_head *head, sio_bytes name,
                             const sio_args *args)
{
    return write_args(self, w, head, SIO_PACKET_EVENT, &name, args);
}

static sio_error write_ack(const sio_parser *self, sio_writer *w,
                           const sio_packet_head *head, const sio_args *args)
{
    return write_args(self, w, head, SIO_PACKET_ACK, NULL, args);
}

static sio_error write_single(const sio_parser *self, sio_writer *w,
                              sio_packet_type type, sio_bytes nsp,
                              sio_bytes payload)
{
    sio_packet_view packet = {.type = type};
    return encode(self, w, &packet, nsp, payload);
}

/* --------------------------------------------------------------- reading -- */

struct sio_packet_out {
    const sio_packet_limits *limits;
    sio_parser_room *room;
    sio_packet *packet;
    sio_error err; /* of the packet given last */
    bool given;
};

/* The packet as the default parser has it, but for a slash that all names of
 * namespaces have here. */
static void write_text(sio_writer *w, const sio_packet_view *packet)
{
    sio_packet_type type = packet->type;
    if (packet->binary_count != 0) {
        type = type == SIO_PACKET_EVENT ? SIO_PACKET_BINARY_EVENT
                                        : SIO_PACKET_BINARY_ACK;
    }
    sio_packet_head head = {
        .type = type,
        .attachments = (uint32_t)packet->binary_count,
        .nsp = {(const uint8_t *)packet->nsp, packet->nsp_len},
        .has_id = packet->has_id,
        .id = packet->id,
    };
    sio_packet_write_head(w, &head);
    sio_write_bytes(
        w, (sio_bytes){(const uint8_t *)packet->data, packet->data_len});
}

static bool is_plain(const sio_packet_view *packet)
{
    bool has_args =
        packet->type == SIO_PACKET_EVENT || packet->type == SIO_PACKET_ACK;
    /* Nothing that would be taken for an id or a namespace. */
    bool is_json = packet->data_len == 0 || packet->data[0] == '[' ||
                   packet->data[0] == '{' || packet->data[0] == '"';
    return is_json && packet->nsp_len != 0 && packet->nsp[0] == '/' &&
           memchr(packet->nsp, ',', packet->nsp_len) == NULL &&
           packet->type <= SIO_PACKET_CONNECT_ERROR &&
           (has_args || packet->binary_count == 0);
}

/* Text and binary values, one behind the other, in the room. */
static sio_error keep(sio_packet_out *out, const sio_packet_view *packet,
                      sio_bytes *text)
{
    sio_writer measure = {NULL, 0, 0};
    write_text(&measure, packet);
    size_t size = measure.len;
    for (size_t i = 0; i < packet->binary_count; i++) {
        size += packet->binaries[i].len;
    }
    sio_buf *buf = &out->room->text;
    buf->len = 0;
    sio_error err = sio_buf_reserve(buf, size);
    if (err != SIO_OK) {
        return err;
    }
    sio_writer w = {buf->base, measure.len, 0};
    write_text(&w, packet);
    *text = (sio_bytes){buf->base, measure.len};
    size_t at = measure.len;
    for (size_t i = 0; i < packet->binary_count; i++) {
        const sio_binary *from = &packet->binaries[i];
        if (from->len != 0) {
            memcpy(buf->base + at, from->data, from->len);
        }
        out->room->binaries[i] = (sio_binary){buf->base + at, from->len};
        at += from->len;
    }
    return SIO_OK;
}

sio_error sio_packet_give(sio_packet_out *out, const sio_packet_view *packet)
{
    sio_bytes text = {NULL, 0};
    if (out->given || !is_plain(packet)) {
        out->err = SIO_ERR_PAYLOAD;
    } else if (packet->binary_count > out->limits->max_attachments) {
        out->err = SIO_ERR_ATTACHMENTS;
    } else {
        out->err = keep(out, packet, &text);
    }
    if (out->err == SIO_OK && !sio_utf8_valid(text)) {
        out->err = SIO_ERR_UTF8;
    }
    if (out->err == SIO_OK) {
        out->err = sio_packet_decode(text, out->limits, out->packet);
    }
    out->given = true;
    return out->err;
}

static sio_error decode(const sio_parser *self, sio_bytes in,
                        const sio_packet_limits *limits, sio_parser_room *room,
                        sio_packet *packet)
{
    const sio_parser_custom *custom = custom_of(self);
    sio_packet_out out = {.limits = limits, .room = room, .packet = packet};
    sio_error err = custom->methods.decode(in.base, in.len, &out, custom->arg);
    if (err == SIO_OK) {
        err = out.given ? out.err : SIO_ERR_PAYLOAD;
    }
    return err;
}

/* ---------------------------------------------------------------- longer -- */

static void write_more(sio_writer *w, const sio_packet *packet, sio_bytes text)
{
    sio_write_byte(w, '[');
    sio_write_bytes(w, packet->name);
    sio_write_byte(w, ',');
    sio_write_bytes(w, packet->args);
    if (packet->args.len != 0) {
        sio_write_byte(w, ',');
    }
    sio_json_write_string(w, text);
    sio_write_byte(w, ']');
}

static sio_error add_argument(const sio_parser *self, sio_writer *w,
                              const sio_packet *packet,
                              const sio_binary *binaries, sio_bytes text)
{
    sio_packet_view view = {.type = SIO_PACKET_EVENT,
                            .has_id = packet->has_id,
                            .id = packet->id,
                            .binaries = binaries,
                            .binary_count = packet->attachments};
    sio_writer measure = {NULL, 0, 0};
    sio_buf json = {0};
    write_more(&measure, packet, text);
    sio_error err = sio_buf_reserve(&json, measure.len);
    if (err == SIO_OK) {
        sio_writer data = {json.base, json.cap, 0};
        write_more(&data, packet, text);
        err = encode(self, w, &view, packet->nsp,
                     (sio_bytes){json.base, data.len});
    }
    sio_buf_deinit(&json);
    return err;
}

/* Takes away the last one, a string of `len` bytes, if that is not 0. */
static void drop_argument(sio_packet *packet, size_t len)
{
    sio_bytes *args = &packet->args;
    if (len == 0 || args->len < len + 2) {
        return;
    }
    args->len -= len + 2;
    while (args->len != 0 && args->base[args->len - 1] != ',') {
        args->len--; /* blanks, if anything */
    }
    args->len -= args->len == 0 ? 0 : 1;
}

/* The event is read as one that has come, and written anew. */
static sio_error write_longer(const sio_parser *self, sio_writer *w,
                              sio_bytes event, sio_bytes nsp, size_t old,
                              sio_bytes text)
{
    sio_packet_limits limits = {.max_depth = SIO_JSON_DEPTH_MAX,
                                .max_attachments =
                                    custom_of(self)->max_attachments,
                                .max_nsp = SIZE_MAX};
    sio_parser_room room;
    sio_packet packet;
    (void)nsp;
    sio_error err = sio_parser_room_init(&room, &limits);
    if (err == SIO_OK) {
        err = decode(self, event, &limits, &room, &packet);
        if (err == SIO_OK) {
            drop_argument(&packet, old);
            err = add_argument(self, w, &packet, room.binaries, text);
        }
        sio_parser_room_deinit(&room);
    }
    return err;
}

void sio_parser_custom_init(sio_parser_custom *custom,
                            const sio_parser_methods *methods, void *arg,
                            unsigned max_attachments)
{
    *custom = (sio_parser_custom){
        .parser = {.name = "custom",
                   .whole = true,
                   .binary = methods->binary,
                   .decode = decode,
                   .write_event = write_event,
                   .write_ack = write_ack,
                   .write_longer = write_longer,
                   .write_single = write_single},
        .methods = *methods,
        .arg = arg,
        .max_attachments = max_attachments,
    };
}
