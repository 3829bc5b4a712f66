#include "transport/http_chunked.h"

#include "transport/http_text.h"

/* What the next byte is. */
enum {
    SIZE = 0,  /* the first digit of a size */
    SIZE_MORE, /* another digit, or the end of the size */
    EXTENSION, /* of an extension, or the carriage return behind it */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,      /* the first of a trailer field, or of the last line */
    TRAILER_NAME, /* another one of a field's name, or its colon */
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    OVER,
    BROKEN
};

#define SIZE_DIGITS_MAX 16

static sio_error go(tp_http_chunked *c, bool allowed, unsigned state)
{
    if (!allowed) {
        return SIO_ERR_HTTP_FRAMING;
    }
    c->state = (uint8_t)state;
    return SIO_OK;
}

static sio_error take_digit(tp_http_chunked *c, uint8_t byte)
{
    bool fits = c->digits < SIZE_DIGITS_MAX && c->left <= INT64_MAX >> 4;
    if (!tp_http_is(byte, TP_HTTP_CLASS_HEX) || !fits) {
        return SIO_ERR_HTTP_FRAMING;
    }
    c->left = c->left << 4 | tp_http_hex_value(byte);
    c->digits++;
    c->state = SIZE_MORE;
    return SIO_OK;
}

static sio_error take_size(tp_http_chunked *c, uint8_t byte)
{
    if (byte == '\r') {
        return go(c, true, SIZE_LF);
    }
    if (byte == ';') {
        return go(c, true, EXTENSION);
    }
    return take_digit(c, byte);
}

static sio_error take_extension(tp_http_chunked *c, uint8_t byte)
{
    if (byte == '\r') {
        return go(c, true, SIZE_LF);
    }
    if (++c->extension > TP_HTTP_CHUNK_EXTENSIONS_MAX) {
        return SIO_ERR_HTTP_HEADERS;
    }
    return go(c, tp_http_is(byte, TP_HTTP_CLASS_VALUE), EXTENSION);
}

static sio_error take_trailer(tp_http_chunked *c, uint8_t byte)
{
    if (c->state == TRAILER && byte == '\r') {
        return go(c, true, LAST_LF);
    }
    if (++c->trailer > TP_HTTP_TRAILERS_MAX) {
        return SIO_ERR_HTTP_HEADERS;
    }
    switch (c->state) {
    case TRAILER_NAME:
        if (byte == ':') {
            return go(c, true, TRAILER_VALUE);
        }
        /* fall through */
    case TRAILER:
        return go(c, tp_http_is(byte, TP_HTTP_CLASS_TOKEN), TRAILER_NAME);
    case TRAILER_VALUE:
        if (byte == '\r') {
            return go(c, true, TRAILER_LF);
        }
        return go(c, tp_http_is(byte, TP_HTTP_CLASS_VALUE), TRAILER_VALUE);
    default: /* TRAILER_LF */
        return go(c, byte == '\n', TRAILER);
    }
}

/* Reads one byte of all that is not data. */
static sio_error step(tp_http_chunked *c, uint8_t byte)
{
    switch (c->state) {
    case SIZE:
        return take_digit(c, byte);
    case SIZE_MORE:
        return take_size(c, byte);
    case EXTENSION:
        return take_extension(c, byte);
    case SIZE_LF:
        c->digits = 0;
        return go(c, byte == '\n', c->left == 0 ? TRAILER : DATA);
    case DATA_CR:
        return go(c, byte == '\r', DATA_LF);
    case DATA_LF:
        return go(c, byte == '\n', SIZE);
    case TRAILER:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
        return take_trailer(c, byte);
    case LAST_LF:
        return go(c, byte == '\n', OVER);
    default: /* OVER and DATA take no single bytes */
        return SIO_ERR_HTTP_FRAMING;
    }
}

static void take_data(tp_http_chunked *c, sio_bytes *in, sio_bytes *data)
{
    size_t len = c->left < in->len ? (size_t)c->left : in->len;
    *data = (sio_bytes){in->base, len};
    in->base += len;
    in->len -= len;
    c->left -= len;
    if (c->left == 0) {
        c->state = DATA_CR;
    }
}

sio_error tp_http_chunked_next(tp_http_chunked *c, sio_bytes *in,
                               sio_bytes *data)
{
    *data = (sio_bytes){NULL, 0};
    while (c->state != OVER) {
        if (in->len == 0) {
            return SIO_MORE;
        }
        if (c->state == DATA) {
            take_data(c, in, data);
            return SIO_OK;
        }
        sio_error err = step(c, *in->base);
        if (err != SIO_OK) {
            c->state = BROKEN;
            return err;
        }
        in->base++;
        in->len--;
    }
    return SIO_OK;
}
