#include "socketio/parser_impl.h"

#include <stdlib.h>

/* What is encoded, for the two functions that make frames. */
typedef struct job {
    const sio_packet_head *head;
    const sio_bytes *name;
    const sio_args *args; /* NULL for a packet without */
    sio_bytes payload;
    sio_bytes event, text; /* or an event to be made longer, and by what ... */
    size_t old;            /* ... in the place of an argument so long */
} job;

static sio_error write_job(const sio_parser *parser, sio_writer *w,
                           const job *j)
{
    if (j->event.len != 0) {
        return parser->write_longer(parser, w, j->event, j->head->nsp, j->old,
                                    j->text);
    }
    if (j->args == NULL) {
        return parser->write_single(parser, w, j->head->type, j->head->nsp,
                                    j->payload);
    }
    return j->name == NULL
               ? parser->write_ack(parser, w, j->head, j->args)
               : parser->write_event(parser, w, j->head, *j->name, j->args);
}

/* Writes to a frame of `most` bytes, or, where that is too little, of as many
 * as it takes. */
static sio_error make_frame(const sio_parser *parser, sio_frame_pool *frames,
                            const job *j, size_t most, sio_frame **out)
{
    for (;;) {
        sio_frame *frame = parser->binary ? sio_frame_new(frames, most)
                                          : eio_message_new(frames, most);
        if (frame == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        uint8_t *base = parser->binary ? frame->data : eio_message_text(frame);
        sio_writer w = {base, most, 0};
        sio_error err = write_job(parser, &w, j);
        if (err == SIO_OK && w.len <= most) {
            sio_frame_trim(frame, (size_t)(base - frame->data) + w.len);
            *out = frame;
            return SIO_OK;
        }
        sio_frame_unref(frame);
        if (err != SIO_OK) {
            return err;
        }
        most = w.len;
    }
}

sio_error sio_parser_frame(const sio_parser *parser, sio_frame_pool *frames,
                           const sio_packet_head *head, const sio_bytes *name,
                           const sio_args *args, sio_frame **out)
{
    job j = {.head = head, .name = name, .args = args};
    /* Type, numbers, keys; a name that is all escapes. */
    size_t most = 64 + head->nsp.len + args->json_len;
    most += name == NULL ? 0 : 6 * name->len;
    for (size_t i = 0; i < args->binary_count && parser->whole; i++) {
        most += args->binaries[i].len;
    }
    return make_frame(parser, frames, &j, most, out);
}

sio_error sio_parser_frame_single(const sio_parser *parser,
                                  sio_frame_pool *frames, sio_packet_type type,
                                  sio_bytes nsp, sio_bytes payload,
                                  sio_frame **out)
{
    sio_packet_head head = {.type = type, .nsp = nsp};
    job j = {.head = &head, .payload = payload};
    return make_frame(parser, frames, &j, 64 + nsp.len + payload.len, out);
}

sio_frame *sio_parser_frame_longer(const sio_parser *parser,
                                   sio_frame_pool *frames,
                                   const sio_frame *event, sio_bytes nsp,
                                   size_t old_text, sio_bytes text)
{
    size_t skip = parser->binary ? 0 : 1; /* the type of the message */
    sio_packet_head head = {.nsp = nsp};
    job j = {.head = &head,
             .event = {event->data + skip, event->len - skip},
             .old = old_text,
             .text = text};
    sio_frame *frame = NULL;
    size_t most = event->len + text.len + 16; /* quotes, comma, heads */
    (void)make_frame(parser, frames, &j, most, &frame);
    return frame;
}

/* ---------------------------------------------------------------- room -- */

#define KEPT (64 * 1024)

sio_error sio_parser_room_init(sio_parser_room *room,
                               const sio_packet_limits *limits)
{
    *room = (sio_parser_room){0};
    room->binaries =
        calloc(limits->max_attachments + (size_t)1, sizeof(*room->binaries));
    return room->binaries == NULL ? SIO_ERR_NO_MEMORY : SIO_OK;
}

void sio_parser_room_deinit(sio_parser_room *room)
{
    sio_buf_deinit(&room->text);
    free(room->binaries);
    *room = (sio_parser_room){0};
}

void sio_parser_room_tidy(sio_parser_room *room)
{
    if (room->text.cap > KEPT) {
        sio_buf_deinit(&room->text);
    }
}
