#include "socketio/msgpack.h"
#include "socketio/parser.h"

/* The text is mostly about as long as its message: what is longer is decoded
 * once more. */
static sio_error decode(sio_bytes in, const sio_packet_limits *limits,
                        sio_parser_room *room, sio_packet *out)
{
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

const sio_parser sio_parser_msgpack = {
    .name = "msgpack",
    .binary = true,
    .decode = decode,
    .write_event = sio_msgpack_write_event,
    .write_ack = sio_msgpack_write_ack,
    .write_longer = sio_msgpack_write_longer,
    .write_single = sio_msgpack_write_single,
};
