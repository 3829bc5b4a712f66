#include "transport/ws_packet.h"

#include <string.h>

#include "base/base64.h"

sio_frame *tp_ws_packet_base64(sio_frame_pool *frames,
                               const eio_protocol *protocol,
                               const sio_frame *binary)
{
    sio_bytes head = protocol->base64_head;
    sio_frame *frame =
        sio_frame_new(frames, head.len + sio_base64_encoded_len(binary->len));
    if (frame != NULL) {
        memcpy(frame->data, head.base, head.len);
        sio_base64_encode(sio_frame_view(binary), frame->data + head.len);
    }
    return frame;
}

sio_frame *tp_ws_packet_typed(sio_frame_pool *frames, const sio_frame *binary)
{
    sio_frame *frame = sio_frame_new(frames, 1 + binary->len);
    if (frame == NULL) {
        return NULL;
    }
    frame->data[0] = EIO_PACKET_MESSAGE;
    if (binary->len != 0) {
        memcpy(frame->data + 1, binary->data, binary->len);
    }
    return frame;
}
