#ifndef SIO_BASE_BUF_H
#define SIO_BASE_BUF_H

#include "base/bytes.h"
#include "socketio/error.h"

/*
 * Bytes that grow at the end and are used up at the front.  A zeroed buf is
 * empty and owns nothing; one that becomes empty by sio_buf_consume() gives
 * its memory back, so that idle owners hold none.
 */
typedef struct sio_buf {
    uint8_t *base; /* NULL while cap is 0 */
    size_t len;
    size_t cap;
} sio_buf;

/* Makes room for `more` bytes behind `len`, at least doubling what there is.
 * May fail with NO_MEMORY, leaving the buf as it was. */
sio_error sio_buf_reserve(sio_buf *buf, size_t more);

/* Appends a copy of `bytes`.  May fail with NO_MEMORY, leaving the buf as it
 * was. */
sio_error sio_buf_append(sio_buf *buf, sio_bytes bytes);

/* Drops `count` bytes, at most `len`, from the front. */
void sio_buf_consume(sio_buf *buf, size_t count);

/* Frees the memory and leaves an empty buf. */
void sio_buf_deinit(sio_buf *buf);

static inline sio_bytes sio_buf_view(const sio_buf *buf)
{
    return (sio_bytes){buf->base, buf->len};
}

#endif
