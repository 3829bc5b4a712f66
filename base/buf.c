#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

#define SMALLEST 256

sio_error sio_buf_reserve(sio_buf *buf, size_t more)
{
    if (more <= buf->cap - buf->len) {
        return SIO_OK;
    }
    if (more > SIZE_MAX / 2 - buf->len) {
        return SIO_ERR_NO_MEMORY;
    }
    size_t want = buf->len + more;
    size_t cap = buf->cap < SMALLEST / 2 ? SMALLEST : buf->cap * 2;
    if (cap < want) {
        cap = want;
    }
    uint8_t *base = realloc(buf->base, cap);
    if (base == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    buf->base = base;
    buf->cap = cap;
    return SIO_OK;
}

sio_error sio_buf_append(sio_buf *buf, sio_bytes bytes)
{
    if (bytes.len == 0) {
        return SIO_OK;
    }
    sio_error err = sio_buf_reserve(buf, bytes.len);
    if (err != SIO_OK) {
        return err;
    }
    memcpy(buf->base + buf->len, bytes.base, bytes.len);
    buf->len += bytes.len;
    return SIO_OK;
}

void sio_buf_consume(sio_buf *buf, size_t count)
{
    assert(count <= buf->len);
    if (count == buf->len) {
        sio_buf_deinit(buf);
        return;
    }
    if (count != 0) {
        buf->len -= count;
        memmove(buf->base, buf->base + count, buf->len);
    }
}

void sio_buf_deinit(sio_buf *buf)
{
    free(buf->base);
    *buf = (sio_buf){0};
}
