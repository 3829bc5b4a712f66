#ifndef SIO_MSGPACK_H
#define SIO_MSGPACK_H

#include "socketio/packet.h"
#include "socketio/socketio.h"

/*
 * The packets of Socket.IO protocol 5 as socket.io-msgpack-parser 3 writes
 * them: each is one binary message, a MessagePack map with the members
 *
 *   type   0 to 4; there are no types for binary packets
 *   nsp    the namespace
 *   data   what is the JSON of a text packet, with binary values in their place
 *   id     where there is one
 *
 * in any order; others are ignored.  Applications see JSON text and binary
 * values beside it whatever the parser, so these functions translate.
 *
 * notepack.io, which that parser uses, has its own meaning for extension type
 * 0: one byte, 00, in the form of one byte (d4) is undefined; eight bytes in
 * the form of eight (d7) are a Date, milliseconds since 1970 as a signed
 * integer; any number of bytes in one of the forms with a length (c7 to c9) is
 * an ArrayBuffer.
 */

/*
 * Reads the packet that fills `in`.  Writes its `data` to `text`, which has to
 * be empty, as JSON, and points `binaries`, with room for
 * limits->max_attachments, to the binary values, which borrow from `in`.
 * `*out` is what sio_packet_decode() makes of such a packet in its text form:
 * `nsp` borrows from `in`, the other views from `text`, `type` is BINARY_* and
 * `attachments` says how many where there are binary values, and those are
 * placeholders in the text.
 *
 * What becomes of values: integers keep their digits, to 64 bits, and other
 * numbers get the shortest text, null where they are not finite, as by
 * JSON.stringify.  undefined becomes null in an array, and in a map it goes
 * with its key.  A Date, and a timestamp (extension type -1), becomes a string
 * as by Date.toJSON(), null where it is beyond a Date.  Bin and ArrayBuffer are
 * binary values.  Of any other extension comes [type, binary value], as by
 * notepack.  A key has to be a string or an integer.  Of equal keys all are
 * written; in the packet's own map they are refused.
 *
 * nil is as good as undefined for `id`, and for `data` where it may be absent:
 * CONNECT and DISCONNECT.
 *
 * The text has at most 6 bytes for each one of `in`, and 64 for each binary
 * value.  Time is linear; depth costs no stack.
 *
 * Fails, leaving nothing of use in `*out`, with
 *   NO_SPACE          the text does not fit: text->len says what it takes
 *   PACKET_EMPTY
 *   PACKET_TYPE       no map, or `type` is no integer from 0 to 4
 *   PAYLOAD           `nsp` is no string that begins with a slash; `data` is
 *                     not for this type; a member of the packet is there twice;
 *                     a reserved event name
 *   PACKET_ID         `id` is no integer from 0 to 2^53 - 1
 *   TOO_LARGE         the namespace exceeds max_nsp
 *   ATTACHMENTS       more binary values than max_attachments, or some in
 *                     CONNECT or CONNECT_ERROR; or beside them a map with
 *                     `_placeholder` true, which would be taken for one
 *   JSON              no MessagePack, cut short or with bytes behind it, or a
 *                     key of another type
 *   JSON_DEPTH        `data` is nested deeper than max_depth, counted as in its
 *                     JSON text, or another member than SIO_JSON_DEPTH_MAX
 *   UTF8              a string is none
 */
sio_error sio_msgpack_decode(sio_bytes in, const sio_packet_limits *limits,
                             sio_writer *text, sio_binary *binaries,
                             sio_packet *out);

/*
 * Append an event, an ack: as sio_packet_write_event() and _ack() do, but with
 * the binary values inside; neither head->type nor head->attachments is read.
 * `name` is UTF-8 without quotes.  args->json may be anything.
 *
 * What becomes of values: a number without fraction and exponent keeps its
 * value where it fits in 64 bits; any other is rounded to a double, which is
 * written as an integer where it is one and below 2^53.  Integers take the
 * fewest bytes.  Half a surrogate pair becomes U+FFFD.  A placeholder becomes
 * the binary value that it names, each time that it does; one that names none
 * is data like any other.
 *
 * Fail, with rubbish in `w`, with JSON or JSON_DEPTH where the text is not
 * valid or deeper than SIO_JSON_DEPTH_MAX, and with TOO_LARGE above 4 GiB.
 */
sio_error sio_msgpack_write_event(sio_writer *w, const sio_packet_head *head,
                                  sio_bytes name, const sio_args *args);
sio_error sio_msgpack_write_ack(sio_writer *w, const sio_packet_head *head,
                                const sio_args *args);

/* Appends `event`, which sio_msgpack_write_event() has written for `nsp`,
 * without an id, with one more argument: the string `text`; or, where `old` is
 * not 0, in the place of its last one, a string of that many bytes, at most 31.
 */
void sio_msgpack_write_longer(sio_writer *w, sio_bytes event, sio_bytes nsp,
                              size_t old, sio_bytes text);

/* Appends CONNECT, CONNECT_ERROR or DISCONNECT for `nsp`, "/" or empty for the
 * main one, with `payload`, JSON, which is empty for none.  Fails as those
 * above. */
sio_error sio_msgpack_write_single(sio_writer *w, sio_packet_type type,
                                   sio_bytes nsp, sio_bytes payload);

#endif
