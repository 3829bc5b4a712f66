#include "socketio/msgpack.h"
#include "socketio/parser_impl.h"

/* The text is mostly about as long as its message: what is longer is decoded
 * once more. */
static sio_error decode(const sio_parser *self, sio_bytes in,
                        const sio_packet_limits *limits, sio_parser_room *room,
                        sio_packet *out)
{
    (void)self;
    size_t wanted = in.len + 64;
    for (;;) {
        if (wanted > room->text.cap) {
            sio_error err = sio_buf_reserve(&room->text, wanted);
            if (err != SIO_OK) {
                return err;
            }
        }
        sio_writer text = {room->text.base, room->text.cap, 0};
        sio_error err =
            sio_msgpack_decode(in, limits, &text, room->binaries, out);
        if (err != SIO_ERR_NO_SPACE) {
            return err;
        }
        wanted = text.len;
    }
}

static sio_error write_event(const sio_parser *self, sio_writer *w,
                             const sio_packet_head *head, sio_bytes name,
                             const sio_args *args)
{
    (void)self;
    return sio_msgpack_write_event(w, head, name, args);
}

static sio_error write_ack(const sio_parser *self, sio_writer *w,
                           const sio_packet_head *head, const sio_args *args)
{
    (void)self;
    return sio_msgpack_write_ack(w, head, args);
}

static sio_error write_longer(const sio_parser *self, sio_writer *w,
                              sio_bytes event, sio_bytes nsp, size_t old,
                              sio_bytes text)
{
    (void)self;
    sio_msgpack_write_longer(w, event, nsp, old, text);
    return SIO_OK;
}

static sio_error write_single(const sio_parser *self, sio_writer *w,
                              sio_packet_type type, sio_bytes nsp,
                              sio_bytes payload)
{
    (void)self;
    return sio_msgpack_write_single(w, type, nsp, payload);
}

const sio_parser sio_parser_msgpack = {
    .name = "msgpack",
    .whole = true,
    .binary = true,
    .decode = decode,
    .write_event = write_event,
    .write_ack = write_ack,
    .write_longer = write_longer,
    .write_single = write_single,
};
