#ifndef SIO_PARSER_IMPL_H
#define SIO_PARSER_IMPL_H

#include "base/buf.h"
#include "base/frame.h"
#include "engineio/session.h"
#include "socketio/packet.h"
#include "socketio/socketio.h"

/*
 * How packets look in messages.  A server has one parser for all its clients:
 * JSON, which packet.h reads and writes, or another.  What clients send most
 * with the default is worth no call through a table: callers look at `whole`,
 * and call packet.h themselves where it is false.
 */

/* What the packet at hand needs beside its message; one for each loop.  What a
 * parser has put there is valid until the next packet is decoded. */
typedef struct sio_parser_room {
    sio_buf text;         /* owned */
    sio_binary *binaries; /* owned, limits.max_attachments of them */
} sio_parser_room;

typedef struct sio_parser sio_parser;

struct sio_parser {
    const char *name;
    /* A packet is one message, with its binary values inside; else it is one
     * text, and its binary values are messages that follow. */
    bool whole;
    bool binary; /* the form of that message; not without `whole` */

    /*
     * Reads the packet that fills `in`, a message of the form that `binary`
     * says, which outlives `*out`.  With `whole`, packet.attachments says how
     * many of room->binaries are its; otherwise `room` is not used and may be
     * NULL.  Fails with what sio_packet_decode() or sio_msgpack_decode() do,
     * but NO_SPACE, and with NO_MEMORY.
     */
    sio_error (*decode)(const sio_parser *self, sio_bytes in,
                        const sio_packet_limits *limits, sio_parser_room *room,
                        sio_packet *out);

    /* Append an event, `name` in UTF-8 without quotes, or an ack.  Neither
     * head->type nor head->attachments is read.  Fail where args->json is not
     * what the parser can translate: JSON, JSON_DEPTH, TOO_LARGE. */
    sio_error (*write_event)(const sio_parser *self, sio_writer *w,
                             const sio_packet_head *head, sio_bytes name,
                             const sio_args *args);
    sio_error (*write_ack)(const sio_parser *self, sio_writer *w,
                           const sio_packet_head *head, const sio_args *args);

    /* Appends the message of an event without an id, `event`, as written by
     * write_event(), with one more argument, a string: `text`, which needs no
     * escapes.  `nsp` is the event's.  Where `old` is not 0 the event has such
     * an argument of `old` bytes, at most 31, whose place the new one takes.
     * Fails as the functions above. */
    sio_error (*write_longer)(const sio_parser *self, sio_writer *w,
                              sio_bytes event, sio_bytes nsp, size_t old,
                              sio_bytes text);

    /* Appends CONNECT, CONNECT_ERROR or DISCONNECT, with `payload`, JSON, which
     * is empty for none.  Fails as those above. */
    sio_error (*write_single)(const sio_parser *self, sio_writer *w,
                              sio_packet_type type, sio_bytes nsp,
                              sio_bytes payload);
};

extern const sio_parser sio_parser_json;
extern const sio_parser sio_parser_msgpack;

/* One of the application's, `parser` within. */
typedef struct sio_parser_custom {
    sio_parser parser;
    sio_parser_methods methods;
    void *arg;
    unsigned max_attachments; /* of what is sent */
} sio_parser_custom;

void sio_parser_custom_init(sio_parser_custom *custom,
                            const sio_parser_methods *methods, void *arg,
                            unsigned max_attachments);

/* The form of what the frames below hold. */
static inline eio_form sio_parser_form(const sio_parser *parser)
{
    return parser->binary ? EIO_FORM_BINARY : EIO_FORM_TEXT;
}

/*
 * Encode to a frame of `frames`, which is the calling thread's, or NULL: an
 * event, or an ack where `name` is NULL; a packet as by write_single().  Give
 * the frame to the caller.
 *
 * Fail with NO_MEMORY, and as the functions of the table do; then there is no
 * frame.
 */
sio_error sio_parser_frame(const sio_parser *parser, sio_frame_pool *frames,
                           const sio_packet_head *head, const sio_bytes *name,
                           const sio_args *args, sio_frame **out);
sio_error sio_parser_frame_single(const sio_parser *parser,
                                  sio_frame_pool *frames, sio_packet_type type,
                                  sio_bytes nsp, sio_bytes payload,
                                  sio_frame **out);

/* A frame of `frames` with the message of `event`, and `text` behind its
 * arguments, as by write_longer().  NULL when that fails or memory is short. */
sio_frame *sio_parser_frame_longer(const sio_parser *parser,
                                   sio_frame_pool *frames,
                                   const sio_frame *event, sio_bytes nsp,
                                   size_t old_text, sio_bytes text);

/* Makes room for packets within `limits`.  May fail with NO_MEMORY. */
sio_error sio_parser_room_init(sio_parser_room *room,
                               const sio_packet_limits *limits);
void sio_parser_room_deinit(sio_parser_room *room);

/* To be called when the packet is done with: keeps the memory of packets of
 * ordinary size, 64 KiB, and gives the rest back. */
void sio_parser_room_tidy(sio_parser_room *room);

#endif
