#include "socketio/msgpack_item.h"

#include "base/utf8.h"

/* Kinds that only the forms have: an integer with a sign, and an extension
 * whose form says how long it is. */
enum { SIGNED = SIO_ITEM_MAP + 1, FIXED };

/* Short names let the table be read as a table. */
enum {
    NIL = SIO_ITEM_NIL,
    NO = SIO_ITEM_FALSE,
    YES = SIO_ITEM_TRUE,
    INTEGER = SIO_ITEM_INTEGER,
    REAL = SIO_ITEM_REAL,
    STRING = SIO_ITEM_STRING,
    BINARY = SIO_ITEM_BINARY,
    EXTENSION = SIO_ITEM_EXTENSION,
    ARRAY = SIO_ITEM_ARRAY,
    MAP = SIO_ITEM_MAP
};

/* What begins with 0xc0 to 0xdf, and how many bytes of a length, or of a
 * number, follow; where FIXED, how many bytes the extension has. */
static const struct {
    uint8_t kind, width;
} forms[] = {
    {NIL, 0},       {SIO_ITEM_NONE, 0}, {NO, 0},      {YES, 0},
    {BINARY, 1},    {BINARY, 2},        {BINARY, 4},  {EXTENSION, 1},
    {EXTENSION, 2}, {EXTENSION, 4},     {REAL, 4},    {REAL, 8},
    {INTEGER, 1},   {INTEGER, 2},       {INTEGER, 4}, {INTEGER, 8},
    {SIGNED, 1},    {SIGNED, 2},        {SIGNED, 4},  {SIGNED, 8},
    {FIXED, 1},     {FIXED, 2},         {FIXED, 4},   {FIXED, 8},
    {FIXED, 16},    {STRING, 1},        {STRING, 2},  {STRING, 4},
    {ARRAY, 2},     {ARRAY, 4},         {MAP, 2},     {MAP, 4},
};

static uint64_t read_be(const uint8_t *at, size_t width)
{
    uint64_t value = 0;
    while (width-- > 0) {
        value = value << 8 | *at++;
    }
    return value;
}

static sio_error take_bytes(sio_bytes *in, uint64_t len, sio_bytes *out)
{
    if (len > in->len) {
        return SIO_ERR_JSON;
    }
    *out = (sio_bytes){in->base, (size_t)len};
    in->base += len;
    in->len -= (size_t)len;
    return SIO_OK;
}

static sio_error set_integer(sio_item *v, uint64_t magnitude, bool negative)
{
    v->kind = SIO_ITEM_INTEGER;
    v->negative = negative;
    v->magnitude = magnitude;
    return SIO_OK;
}

/* What is above the first byte is filled with its sign. */
static sio_error set_signed(sio_item *v, sio_bytes number)
{
    bool negative = number.base[0] >= 0x80;
    uint64_t value = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < number.len; i++) {
        value = value << 8 | number.base[i];
    }
    return set_integer(v, negative ? 0 - value : value, negative);
}

static sio_error set_real(sio_item *v, uint64_t bits, unsigned width)
{
    v->kind = SIO_ITEM_REAL;
    if (width == 4) {
        uint32_t half = (uint32_t)bits;
        float value;
        memcpy(&value, &half, sizeof(value));
        v->real = (double)value;
    } else {
        memcpy(&v->real, &bits, sizeof(v->real));
    }
    return SIO_OK;
}

static void set_time(sio_item *v, int64_t seconds, uint64_t nanoseconds)
{
    v->kind = SIO_ITEM_DATE;
    v->time = INT64_MAX;
    if (seconds > -(INT64_C(1) << 50) && seconds < INT64_C(1) << 50 &&
        nanoseconds < 1000000000) {
        v->time = seconds * 1000 + (int64_t)(nanoseconds / 1000000);
    }
}

/* The timestamps of the MessagePack specification. */
static void set_timestamp(sio_item *v)
{
    const uint8_t *at = v->data.base;
    if (v->data.len == 4) {
        set_time(v, (int64_t)read_be(at, 4), 0);
    } else if (v->data.len == 8) {
        uint64_t both = read_be(at, 8);
        set_time(v, (int64_t)(both & ((UINT64_C(1) << 34) - 1)), both >> 34);
    } else if (v->data.len == 12) {
        set_time(v, (int64_t)read_be(at + 4, 8), read_be(at, 4));
    }
}

static sio_error read_extension(sio_bytes *in, sio_item *v, uint64_t len,
                                bool fixed)
{
    sio_bytes type;
    sio_error err = take_bytes(in, 1, &type);
    if (err == SIO_OK) {
        err = take_bytes(in, len, &v->data);
    }
    if (err != SIO_OK) {
        return err;
    }
    v->kind = SIO_ITEM_EXTENSION;
    v->extension = type.base[0] - (type.base[0] < 0x80 ? 0 : 0x100);
    if (v->extension == -1) {
        set_timestamp(v);
    } else if (v->extension == 0 && !fixed) {
        v->kind = SIO_ITEM_BINARY;
    } else if (v->extension == 0 && len == 1) {
        v->kind = SIO_ITEM_UNDEFINED;
    } else if (v->extension == 0 && len == 8) {
        v->kind = SIO_ITEM_DATE;
        v->time = (int64_t)read_be(v->data.base, 8);
    }
    return SIO_OK;
}

static sio_error read_string(sio_bytes *in, sio_item *v, uint64_t len)
{
    v->kind = SIO_ITEM_STRING;
    sio_error err = take_bytes(in, len, &v->data);
    return err == SIO_OK && !sio_utf8_valid(v->data) ? SIO_ERR_UTF8 : err;
}

/* Each element takes at least a byte: no walk is longer than the input. */
static sio_error set_count(sio_item *v, unsigned kind, uint64_t count,
                           size_t left)
{
    v->kind = (sio_item_kind)kind;
    v->count = (uint32_t)count;
    return (kind == MAP ? 2 * count : count) <= left ? SIO_OK : SIO_ERR_JSON;
}

/* The rest of an item whose first byte is one of those in `forms`. */
static sio_error read_form(sio_bytes *in, sio_item *v, unsigned form)
{
    unsigned kind = forms[form].kind, width = forms[form].width;
    sio_bytes number;
    sio_error err = take_bytes(in, kind == FIXED ? 0 : width, &number);
    if (err != SIO_OK) {
        return err;
    }
    uint64_t value = read_be(number.base, number.len);

    switch (kind) {
    case INTEGER:
        return set_integer(v, value, false);
    case SIGNED:
        return set_signed(v, number);
    case REAL:
        return set_real(v, value, width);
    case STRING:
        return read_string(in, v, value);
    case BINARY:
        v->kind = SIO_ITEM_BINARY;
        return take_bytes(in, value, &v->data);
    case EXTENSION:
        return read_extension(in, v, value, false);
    case FIXED:
        return read_extension(in, v, width, true);
    case ARRAY:
    case MAP:
        return set_count(v, kind, value, in->len);
    default:
        v->kind = (sio_item_kind)kind;
        return kind == SIO_ITEM_NONE ? SIO_ERR_JSON : SIO_OK;
    }
}

sio_error sio_item_read(sio_bytes *in, sio_item *out)
{
    sio_bytes first;
    if (take_bytes(in, 1, &first) != SIO_OK) {
        return SIO_ERR_JSON;
    }
    uint8_t head = first.base[0];
    if (head < 0x80) {
        return set_integer(out, head, false);
    }
    if (head < 0x90) {
        return set_count(out, MAP, head & 0x0f, in->len);
    }
    if (head < 0xa0) {
        return set_count(out, ARRAY, head & 0x0f, in->len);
    }
    if (head < 0xc0) {
        return read_string(in, out, head & 0x1f);
    }
    if (head < 0xe0) {
        return read_form(in, out, head - 0xc0u);
    }
    return set_integer(out, 0x100u - head, true);
}
