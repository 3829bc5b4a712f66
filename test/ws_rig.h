#ifndef TEST_WS_RIG_H
#define TEST_WS_RIG_H

#include "test/memory_stream.h"
#include "transport/websocket.h"

#define WS_RIG_RESPONSE "RESPONSE"

/* A WebSocket over a memory stream, and an owner that writes down what it is
 * told and closes what has failed.  Aborts when it is told what it must not
 * be. */
typedef struct ws_rig {
    tp_loop loop;
    eio_engine engine; /* zeroed */
    tp_websocket_config config;
    tp_websocket_home home;
    tp_ws_deflate deflate; /* off */
    memory_stream ms;
    tp_websocket *ws;
    eio_transport *tp;
    bool echo;       /* messages are sent back ... */
    bool in_place;   /* ... texts by `place`, where there is a place */
    unsigned placed; /* so many were */
    bool closed;     /* by its owner */
    unsigned drained, failed, gone;
    unsigned ended; /* the connection */
    sio_buf echoed; /* as `4[data];` or `b[data];` */
    sio_buf told; /* `TYPE[data];`, `b[data];`, `failed CODE;`, `gone CODE;` */
} ws_rig;

/* A message may have 1000 bytes, a peer 5000 ms to close.  Nothing has been
 * sent yet, and `room` bytes will be taken. */
void ws_rig_init(ws_rig *rig, bool base64, size_t room);
void ws_rig_init_as(ws_rig *rig, const eio_protocol *protocol, bool base64,
                    size_t room);
void ws_rig_deinit(ws_rig *rig);

sio_error ws_rig_send(ws_rig *rig, sio_bytes bytes, eio_form form);
void ws_rig_close(ws_rig *rig, eio_close_mode mode);

/* Turns until nothing moves; the stream takes `room` bytes at a time. */
void ws_rig_settle(ws_rig *rig, size_t room);

/* Appends a client's frame, masked; `first` is its first byte. */
void ws_rig_frame(sio_buf *out, uint8_t first, sio_bytes payload);

/* A frame of the server's. */
typedef struct ws_rig_seen {
    uint8_t opcode;
    sio_bytes payload;
} ws_rig_seen;

/* Reads the frame at `*at` and moves on.  False where no whole one is. */
bool ws_rig_next(sio_bytes out, size_t *at, ws_rig_seen *seen);

#endif
