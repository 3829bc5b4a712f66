#include "transport/compress.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#define LEVEL 6
#define MEMORY_LEVEL 8

/* zlib's window bits choose the wrapping, too. */
#define WINDOW_BITS 15
#define GZIP_WRAPPING 16

static z_stream *new_stream(int window_bits)
{
    z_stream *z = calloc(1, sizeof(*z));
    if (z != NULL && deflateInit2(z, LEVEL, Z_DEFLATED, window_bits,
                                  MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(z);
        z = NULL;
    }
    return z;
}

static z_stream *stream_for(tp_compressor *c, tp_coding coding)
{
    bool gzip = coding == TP_CODING_GZIP;
    z_stream **at = &c->streams[gzip ? 0 : 1];
    if (*at == NULL) {
        *at = new_stream(WINDOW_BITS + (gzip ? GZIP_WRAPPING : 0));
    }
    return *at;
}

sio_error tp_compress(tp_compressor *c, tp_coding coding, sio_bytes in,
                      sio_buf *out)
{
    z_stream *z = stream_for(c, coding);
    if (z == NULL || in.len > UINT32_MAX / 2) {
        return SIO_ERR_NO_MEMORY;
    }
    size_t most = deflateBound(z, (uLong)in.len);
    sio_error err = sio_buf_reserve(out, most);
    if (err != SIO_OK) {
        return err;
    }
    z->next_in = (Bytef *)(uintptr_t)in.base;
    z->avail_in = (uInt)in.len;
    z->next_out = out->base + out->len;
    z->avail_out = (uInt)most;
    int rc = deflate(z, Z_FINISH);
    assert(rc == Z_STREAM_END); /* as deflateBound() has promised */
    (void)rc;
    out->len += most - z->avail_out;
    (void)deflateReset(z);
    return SIO_OK;
}

void tp_compressor_deinit(tp_compressor *c)
{
    for (int i = 0; i < 2; i++) {
        if (c->streams[i] != NULL) {
            (void)deflateEnd(c->streams[i]);
            free(c->streams[i]);
            c->streams[i] = NULL;
        }
    }
}
