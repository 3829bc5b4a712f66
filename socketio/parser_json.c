#include "socketio/parser_impl.h"

static sio_error decode(const sio_parser *self, sio_bytes in,
                        const sio_packet_limits *limits, sio_parser_room *room,
                        sio_packet *out)
{
    (void)self;
    (void)room;
    return sio_packet_decode(in, limits, out);
}

static sio_bytes json_of(const sio_args *args)
{
    return (sio_bytes){(const uint8_t *)args->json, args->json_len};
}

static sio_packet_head with_attachments(const sio_packet_head *head,
                                        const sio_args *args)
{
    sio_packet_head whole = *head;
    whole.attachments = (uint32_t)args->binary_count;
    return whole;
}

static sio_error write_event(const sio_parser *self, sio_writer *w,
                             const sio_packet_head *head, sio_bytes name,
                             const sio_args *args)
{
    (void)self;
    sio_packet_head whole = with_attachments(head, args);
    sio_packet_write_event(w, &whole, name, json_of(args));
    return SIO_OK;
}

static sio_error write_ack(const sio_parser *self, sio_writer *w,
                           const sio_packet_head *head, const sio_args *args)
{
    (void)self;
    sio_packet_head whole = with_attachments(head, args);
    sio_packet_write_ack(w, &whole, json_of(args));
    return SIO_OK;
}

/* There is an argument already, its name. */
static sio_error write_longer(const sio_parser *self, sio_writer *w,
                              sio_bytes event, sio_bytes nsp, size_t old,
                              sio_bytes text)
{
    size_t cut = old == 0 ? 1 : old + 4; /* `,"`, `"]` */
    (void)self;
    (void)nsp;
    sio_write_bytes(w, (sio_bytes){event.base, event.len - cut});
    sio_write_bytes(w, SIO_LIT(",\""));
    sio_write_bytes(w, text);
    sio_write_bytes(w, SIO_LIT("\"]"));
    return SIO_OK;
}

static sio_error write_single(const sio_parser *self, sio_writer *w,
                              sio_packet_type type, sio_bytes nsp,
                              sio_bytes payload)
{
    (void)self;
    sio_packet_head head = {.type = type, .nsp = nsp};
    sio_packet_write_head(w, &head);
    sio_write_bytes(w, payload);
    return SIO_OK;
}

const sio_parser sio_parser_json = {
    .name = "json",
    .whole = false,
    .binary = false,
    .decode = decode,
    .write_event = write_event,
    .write_ack = write_ack,
    .write_longer = write_longer,
    .write_single = write_single,
};
