#ifndef TP_WS_PACKET_H
#define TP_WS_PACKET_H

#include "transport/websocket.h"
#include "transport/ws_frame.h"

/* Packets in WebSocket messages. */

/* Reads the one that fills `data`, which may be changed.  `typed` is what the
 * protocol of `home` says, which is fetched for what is rare only. */
static inline sio_error tp_ws_packet_read(const tp_websocket_home *home,
                                          bool typed, tp_ws_opcode opcode,
                                          sio_bytes data, eio_packet *packet)
{
    if (opcode == TP_WS_OP_BINARY) {
        if (typed) {
            return home->protocol->read_binary(data, packet);
        }
        *packet = (eio_packet){EIO_PACKET_MESSAGE, EIO_FORM_BINARY, data};
        return SIO_OK;
    }
    if (data.len != 0 && data.base[0] == '0' + EIO_PACKET_MESSAGE) {
        *packet = (eio_packet){
            EIO_PACKET_MESSAGE, EIO_FORM_TEXT, {data.base + 1, data.len - 1}};
        return SIO_OK;
    }
    return home->protocol->read_text((uint8_t *)(uintptr_t)data.base, data.len,
                                     packet);
}

/* Binary messages that cannot go as they are.  Both give a frame, made of
 * `frames`, or NULL when memory is short. */

/* As the text that `protocol` has for it. */
sio_frame *tp_ws_packet_base64(sio_frame_pool *frames,
                               const eio_protocol *protocol,
                               const sio_frame *binary);

/* With the byte for its type. */
sio_frame *tp_ws_packet_typed(sio_frame_pool *frames, const sio_frame *binary);

#endif
