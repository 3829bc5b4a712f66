#ifndef TEST_WS_RECORD_H
#define TEST_WS_RECORD_H

#include "base/buf.h"
#include "transport/ws_message.h"

/* What a reader said, in words: `text(hi) ping() 1000:close(bye) `. */
typedef struct ws_record {
    char said[4096];
    size_t len;
    size_t events;
    size_t stop_at;       /* the event that refuses to go on; 0: none does */
    const uint8_t *piece; /* what is being fed */
    size_t piece_len;
    bool in_place; /* all payloads so far lay in the piece fed */
    size_t bytes;  /* of all payloads */
} ws_record;

/* 1000 bytes, 16384 fragments, no compression. */
extern const tp_ws_limits ws_usual_limits;

#define WS_MASKS 5
extern const uint8_t ws_masks[WS_MASKS][4];

/* Feeds a copy of `bytes` that is as long as they are, where a byte read too
 * many is seen. */
sio_error ws_feed(tp_ws_reader *r, ws_record *rec, sio_bytes bytes,
                  const tp_ws_limits *limits);

#define WS_BYTEWISE SIZE_MAX

/* Feeds `stream` to a new reader in two pieces, cut at `cut`, or, for a cut
 * beyond its end, byte by byte; `*used` is how many bytes were fed before an
 * error or the end. */
sio_error ws_feed_cut(ws_record *rec, sio_bytes stream, size_t cut,
                      const tp_ws_limits *limits, size_t *used);

/* Feeds `stream` whole, in two pieces cut everywhere, and byte by byte, and
 * expects the same every time.  The last byte of a stream that fails has to
 * be the one that shows it. */
void ws_expect(const char *label, sio_bytes stream, const tp_ws_limits *limits,
               const char *said, sio_error err);

void ws_add(sio_buf *stream, const void *base, size_t len);

/* Appends the header of a client's frame; `first` is its first byte. */
void ws_add_header(sio_buf *stream, uint8_t first, uint64_t payload,
                   const uint8_t mask[4]);

/* Appends a client's frame that announces `announced` bytes of payload, of
 * which `payload` are there. */
void ws_add_frame(sio_buf *stream, uint8_t first, uint64_t announced,
                  sio_bytes payload, const uint8_t mask[4]);

#endif
