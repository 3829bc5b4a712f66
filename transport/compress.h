#ifndef TP_COMPRESS_H
#define TP_COMPRESS_H

#include "base/buf.h"
#include "transport/accept_encoding.h"

/* The compressors of one loop, made when they are first needed (some 256 KiB
 * each) and used for one body after the other.  Start zeroed. */
typedef struct tp_compressor {
    struct z_stream_s *streams[2]; /* gzip, deflate; or NULL */
} tp_compressor;

/* Appends the whole of `in` to `out`, coded by GZIP or DEFLATE (RFC 9110,
 * section 8.4.1: the latter in its zlib wrapping).  Fails with NO_MEMORY; `out`
 * may have grown. */
sio_error tp_compress(tp_compressor *c, tp_coding coding, sio_bytes in,
                      sio_buf *out);

void tp_compressor_deinit(tp_compressor *c);

#endif
