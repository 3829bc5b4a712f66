#ifndef TEST_DEFLATE_RIG_H
#define TEST_DEFLATE_RIG_H

#include <zlib.h>

#include "transport/ws_deflate.h"

#define MIB ((size_t)1024 * 1024)

/* A thread's deflater with all it needs. */
typedef struct deflate_rig {
    tp_ws_deflate_config config;
    tp_deflate_budget budget;
    tp_deflater deflater;
    sio_frame_pool frames;
} deflate_rig;

/* With a budget of `cap` bytes and no threshold. */
void deflate_rig_init(deflate_rig *r, size_t cap);

/* Sees that nothing is left off the budget. */
void deflate_rig_deinit(deflate_rig *r);

/* A client, by zlib alone, and the server's side of its connection.  Windows
 * are those of the server's parameters. */
typedef struct deflate_peer {
    tp_ws_deflate side;
    z_stream out, in;
} deflate_peer;

/* Agrees on `params` with the server, which may change its mind about
 * client_no_context_takeover.  The peer must not be moved. */
void deflate_peer_init(deflate_peer *p, deflate_rig *r,
                       const tp_ws_deflate_params *params);
void deflate_peer_deinit(deflate_peer *p, deflate_rig *r);

/* Compresses a message as clients do, into `out`. */
void deflate_peer_pack(deflate_peer *p, sio_bytes message, sio_buf *out);

/* Inflates what the server has sent, and expects `want`. */
void deflate_peer_expect(deflate_peer *p, const sio_frame *frame,
                         sio_bytes want);

/* A frame with these bytes. */
sio_frame *deflate_rig_frame(deflate_rig *r, sio_bytes bytes);

/* Has the server send `bytes`; returns what became shorter, and was expected
 * by the peer, or NULL. */
sio_frame *deflate_rig_send(deflate_rig *r, deflate_peer *p, sio_bytes bytes);

/* Has the server inflate `payload` from a block of just that size. */
sio_error deflate_rig_receive(deflate_rig *r, deflate_peer *p,
                              tp_ws_opcode opcode, sio_bytes payload,
                              size_t max, sio_bytes *out);

/* Has the peer send `message`, and expects the server to read it. */
void deflate_rig_hear(deflate_rig *r, deflate_peer *p, sio_bytes message);

/* Text of `len` bytes that compresses well, the more so when some of it has
 * been seen; or bytes that do not. */
void deflate_text(sio_buf *buf, size_t len);
void deflate_noise(sio_buf *buf, size_t len, uint32_t seed);

#endif
