#include "transport/file_source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct file_source {
    tp_http_source base;
    int fd;
    uint64_t at; /* where the next byte lies */
} file_source;

static file_source *of(tp_http_source *source)
{
    return SIO_OWNER(source, file_source, base);
}

static sio_error read_piece(tp_http_source *self, uint8_t *out, size_t cap,
                            size_t *len)
{
    file_source *source = of(self);
    size_t want = self->left < cap ? (size_t)self->left : cap;
    ssize_t n;
    do {
        n = pread(source->fd, out, want, (off_t)source->at);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return SIO_ERR_FILE;
    }
    source->at += (uint64_t)n;
    self->left -= (uint64_t)n;
    *len = (size_t)n;
    return SIO_OK;
}

static void close_source(tp_http_source *self)
{
    file_source *source = of(self);
    close(source->fd);
    free(source);
}

tp_http_source *tp_file_source_new(int fd, uint64_t first, uint64_t len)
{
    file_source *source = malloc(sizeof(*source));
    if (source == NULL) {
        close(fd);
        return NULL;
    }
    *source = (file_source){
        .base = {.read = read_piece, .close = close_source, .left = len},
        .fd = fd,
        .at = first,
    };
    return &source->base;
}
