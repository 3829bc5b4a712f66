#ifndef TP_WS_MESSAGE_H
#define TP_WS_MESSAGE_H

#include "base/buf.h"
#include "base/utf8.h"
#include "transport/ws_frame.h"

/* Close codes (RFC 6455, section 7.4.1) this server sends or reports. */
enum {
    TP_WS_CLOSE_NORMAL = 1000,
    TP_WS_CLOSE_PROTOCOL = 1002,
    TP_WS_CLOSE_NONE = 1005, /* the close frame held no code; never sent */
    TP_WS_CLOSE_DATA = 1007,
    TP_WS_CLOSE_POLICY = 1008,
    TP_WS_CLOSE_TOO_LARGE = 1009,
    TP_WS_CLOSE_INTERNAL = 1011
};

typedef struct tp_ws_limits {
    size_t max_message;     /* payload bytes in one message, as sent */
    uint32_t max_fragments; /* frames in one message; at least 1 */
    bool deflate;           /* permessage-deflate has been agreed on */
} tp_ws_limits;

/*
 * What a reader tells its owner.  Payloads are borrowed until the call
 * returns.  Where false is returned, reading has ended: what is left of the
 * input is dropped and no event follows.  An event must not feed or deinit
 * the reader that it came from.
 */
typedef struct tp_ws_reader_events {
    /* A whole message; `opcode` is TEXT, proven to be UTF-8, or BINARY. */
    bool (*message)(void *owner, tp_ws_opcode opcode, sio_bytes payload);

    /* A whole message as compressed by the peer, nothing of it checked.
     * Called only if limits->deflate; may be NULL otherwise. */
    bool (*deflated)(void *owner, tp_ws_opcode opcode, sio_bytes payload);

    /* At most 125 bytes; a pong has to return the same. */
    bool (*ping)(void *owner, sio_bytes payload);
    bool (*pong)(void *owner, sio_bytes payload);

    /* The peer's close frame, the last event of all.  `code` is CLOSE_NONE
     * or one that a peer may send; `reason` is UTF-8. */
    void (*close)(void *owner, uint16_t code, sio_bytes reason);
} tp_ws_reader_events;

/*
 * The receiving half of a server's WebSocket, from bytes to messages.  Zeroed
 * it stands at the start of a stream.  A frame that lies whole in the bytes
 * fed is handed on where it lies; only what is incomplete is copied, into
 * memory that grows with what has arrived, not with what was announced, and
 * that is freed with the message.  Between messages it owns nothing.
 */
typedef struct tp_ws_reader {
    struct tp_ws_partial *partial; /* owned; NULL between messages; or a mark
                                      that it has ended */
} tp_ws_reader;

/* Whether it reads nothing more: after an error, a close frame or a refusal. */
bool tp_ws_reader_ended(const tp_ws_reader *r);

/*
 * Reads the next `len` bytes of the stream, unmasking them in place, and
 * reports what they complete to `ev`, with `owner`.  `limits` should stay the
 * same for the life of a reader.
 *
 * Returns SIO_OK, or the error that ended the reading, as soon as the bytes
 * that show it have come; tp_ws_close_code_of() tells what to answer:
 *   FRAME_BITS    reserved bits or opcode
 *   FRAME_LENGTH  a length in a longer form than needed, beyond 2^63, or a
 *                 control frame over 125 bytes or in fragments
 *   FRAME_MASK    a frame that is not masked
 *   FRAME_ORDER   a continuation of nothing, or a message within a message
 *   TOO_LARGE     a header announces more than max_message in all
 *   VIOLATION     more than max_fragments
 *   UTF8          in text or in the reason of a close frame
 *   CLOSE_CODE    a close frame of one byte, or with a reserved code
 *   NO_MEMORY
 * Once reading has ended, for whatever reason, its memory is freed, and input
 * is dropped and called SIO_OK.
 */
sio_error tp_ws_reader_feed(tp_ws_reader *r, uint8_t *data, size_t len,
                            const tp_ws_limits *limits,
                            const tp_ws_reader_events *ev, void *owner);

/* Frees what the reader owns and makes it a new one. */
void tp_ws_reader_deinit(tp_ws_reader *r);

/* Bytes of memory that the reader owns. */
size_t tp_ws_reader_memory(const tp_ws_reader *r);

/* The code for the close frame that answers `err`, and NORMAL for SIO_OK. */
uint16_t tp_ws_close_code_of(sio_error err);

#define TP_WS_CLOSE_SIZE 4

/* Writes a server's close frame with `code` and no reason; for 0 and
 * CLOSE_NONE one without a code.  Returns the bytes written. */
size_t tp_ws_close_write(uint8_t out[TP_WS_CLOSE_SIZE], uint16_t code);

#endif
