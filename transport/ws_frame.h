#ifndef TP_WS_FRAME_H
#define TP_WS_FRAME_H

#include <stdbool.h>

#include "base/bytes.h"
#include "socketio/error.h"

typedef enum tp_ws_opcode {
    TP_WS_OP_CONTINUATION = 0x0,
    TP_WS_OP_TEXT = 0x1,
    TP_WS_OP_BINARY = 0x2,
    TP_WS_OP_CLOSE = 0x8,
    TP_WS_OP_PING = 0x9,
    TP_WS_OP_PONG = 0xa
} tp_ws_opcode;

#define TP_WS_HEADER_MAX 14

typedef struct tp_ws_header {
    tp_ws_opcode opcode;
    bool fin;
    bool deflated; /* RSV1: a message under permessage-deflate starts here */
    bool masked;
    uint8_t mask[4];  /* zero unless `masked` */
    uint64_t payload; /* bytes that follow the header */
    size_t size;      /* bytes the header itself takes */
} tp_ws_header;

static inline bool tp_ws_opcode_is_control(tp_ws_opcode opcode)
{
    return opcode >= TP_WS_OP_CLOSE;
}

/*
 * Reads the frame header at the start of `in` (RFC 6455, section 5.2).
 * Returns SIO_MORE, leaving `*out` alone, while `in` is too short to tell;
 * call again with the same start and more bytes.  Keeps no state between
 * calls.  Fails with FRAME_BITS or FRAME_LENGTH, as early as possible.
 */
sio_error tp_ws_header_decode(sio_bytes in, bool deflate, tp_ws_header *out);

/*
 * Writes a server's header: of an unfragmented, unmasked frame with `payload`
 * bytes, its length in the shortest form.  `deflated` sets RSV1.  Returns the
 * bytes written, at most 10.
 */
size_t tp_ws_header_write(uint8_t out[TP_WS_HEADER_MAX], tp_ws_opcode opcode,
                          bool deflated, uint64_t payload);

/*
 * Masks or, which is the same, unmasks `len` bytes in place (section 5.3).
 * `offset` is the position of data[0] within its frame's payload.  Any
 * alignment will do.
 */
void tp_ws_unmask(uint8_t *data, size_t len, const uint8_t mask[4],
                  size_t offset);

/* The same for the whole payload of a frame of at most 125 bytes.  Returns
 * whether it is ASCII, unmasked. */
bool tp_ws_unmask_short(uint8_t *data, size_t len, const uint8_t mask[4]);

#endif
