#include "base/number.h"
#include "socketio/msgpack.h"

/* Which member of an object a value is of. */
typedef enum role { ROLE_OTHER, ROLE_NUM, ROLE_PLACEHOLDER } role;

/* A container that is being written. */
typedef struct level {
    size_t start;   /* of its head in the output */
    uint32_t count; /* elements or pairs so far */
    bool is_map;
    role role;        /* of the value being written ... */
    bool placeholder; /* the last `_placeholder` so far is true */
    sio_bytes num;    /* the last `num` */
} level;

typedef struct maker {
    sio_writer *w;
    sio_bytes in;  /* the text that is left */
    sio_error err; /* read only after a failure; JSON unless it says more */
    const sio_binary *binaries;
    size_t binary_count;
    unsigned depth; /* open containers */
    level levels[SIO_JSON_DEPTH_MAX];
} maker;

/* Sets all but `levels`, which are written before they are read. */
static void start(maker *m, sio_writer *w, const sio_args *args)
{
    m->w = w;
    m->err = SIO_ERR_JSON;
    m->binaries = args->binaries;
    m->binary_count = args->binary_count;
    m->depth = 0;
}

static bool fail(maker *m, sio_error err)
{
    m->err = err;
    return false;
}

/* --------------------------------------------------------------- items -- */

static void put_be(sio_writer *w, uint8_t head, uint64_t value, int width)
{
    sio_write_byte(w, head);
    while (width-- > 0) {
        sio_write_byte(w, (uint8_t)(value >> 8 * width));
    }
}

/* How long, or how many, things are: behind these heads, or in the first. */
typedef struct heads {
    uint8_t fixed, fixed_count; /* for less than that many */
    uint8_t in8, in16, in32;    /* `in8` is 0 where there is none */
} heads;

static const heads string_heads = {0xa0, 32, 0xd9, 0xda, 0xdb};
static const heads binary_heads = {0, 0, 0xc4, 0xc5, 0xc6};
static const heads array_heads = {0x90, 16, 0, 0xdc, 0xdd};
static const heads map_heads = {0x80, 16, 0, 0xde, 0xdf};

static void put_count(sio_writer *w, const heads *h, size_t count)
{
    if (count < h->fixed_count) {
        sio_write_byte(w, (uint8_t)(h->fixed | count));
    } else if (count <= UINT8_MAX && h->in8 != 0) {
        put_be(w, h->in8, count, 1);
    } else if (count <= UINT16_MAX) {
        put_be(w, h->in16, count, 2);
    } else {
        put_be(w, h->in32, count, 4);
    }
}

static void put_string(sio_writer *w, sio_bytes utf8)
{
    put_count(w, &string_heads, utf8.len);
    sio_write_bytes(w, utf8);
}

static void put_uint(sio_writer *w, uint64_t value)
{
    if (value < 0x80) {
        sio_write_byte(w, (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        put_be(w, 0xcc, value, 1);
    } else if (value <= UINT16_MAX) {
        put_be(w, 0xcd, value, 2);
    } else if (value <= UINT32_MAX) {
        put_be(w, 0xce, value, 4);
    } else {
        put_be(w, 0xcf, value, 8);
    }
}

/* `magnitude` is at most 2^63. */
static void put_negative(sio_writer *w, uint64_t magnitude)
{
    uint64_t value = 0 - magnitude;
    if (magnitude <= 32) {
        sio_write_byte(w, (uint8_t)value);
    } else if (magnitude <= UINT64_C(1) << 7) {
        put_be(w, 0xd0, value, 1);
    } else if (magnitude <= UINT64_C(1) << 15) {
        put_be(w, 0xd1, value, 2);
    } else if (magnitude <= UINT64_C(1) << 31) {
        put_be(w, 0xd2, value, 4);
    } else {
        put_be(w, 0xd3, value, 8);
    }
}

static void put_integer(sio_writer *w, uint64_t magnitude, bool negative)
{
    if (negative && magnitude != 0) {
        put_negative(w, magnitude);
    } else {
        put_uint(w, magnitude);
    }
}

static void put_number(sio_writer *w, sio_bytes text)
{
    const uint64_t lowest = UINT64_C(1) << 63, exact = UINT64_C(1) << 53;
    uint64_t magnitude;
    bool negative;
    if (sio_number_is_integer(text, &magnitude, &negative) &&
        (!negative || magnitude <= lowest)) {
        put_integer(w, magnitude, negative);
        return;
    }
    double value = sio_number_read(text);
    double positive = value < 0 ? -value : value;
    if (positive < (double)exact && positive == (double)(uint64_t)positive) {
        put_integer(w, (uint64_t)positive, value < 0);
        return;
    }
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put_be(w, 0xcb, bits, 8);
}

/* A string that is valid JSON, with its quotes. */
static void put_json_string(sio_writer *w, sio_bytes string)
{
    sio_bytes raw = {string.base + 1, string.len - 2};
    size_t len = raw.len;
    if (len == 0 || memchr(raw.base, '\\', len) == NULL) {
        put_string(w, raw);
        return;
    }
    (void)sio_json_unescape(string, NULL, &len);
    put_count(w, &string_heads, len);
    if (w->len <= w->cap && len <= w->cap - w->len) {
        (void)sio_json_unescape(string, w->base + w->len, &len);
    }
    w->len += len;
}

static bool put_binary(maker *m, size_t index)
{
    const sio_binary *binary = &m->binaries[index];
    if (binary->len > UINT32_MAX || m->w->len > UINT32_MAX) {
        return fail(m, SIO_ERR_TOO_LARGE);
    }
    put_count(m->w, &binary_heads, binary->len);
    sio_write_bytes(m->w, (sio_bytes){binary->data, binary->len});
    return true;
}

/* ---------------------------------------------------------- containers -- */

/* How many there are in a container is known at its end: its head is given one
 * byte, and what follows is moved where it takes more. */
static bool open_container(maker *m, bool is_map)
{
    if (m->depth == SIO_JSON_DEPTH_MAX) {
        return fail(m, SIO_ERR_JSON_DEPTH);
    }
    m->levels[m->depth++] = (level){.start = m->w->len, .is_map = is_map};
    sio_write_byte(m->w, 0);
    return true;
}

static void close_head(sio_writer *w, const level *in)
{
    const heads *h = in->is_map ? &map_heads : &array_heads;
    sio_writer head = {0};
    put_count(&head, h, in->count);
    size_t more = head.len - 1, body = in->start + 1;

    head = (sio_writer){w->base, w->cap, in->start};
    if (more != 0 && w->len + more <= w->cap) {
        memmove(w->base + body + more, w->base + body, w->len - body);
    }
    put_count(&head, h, in->count);
    w->len += more;
}

/* Ends the innermost container.  A placeholder gives way to what it names. */
static bool close_container(maker *m)
{
    const level *in = &m->levels[--m->depth];
    size_t index;
    if (in->placeholder &&
        sio_placeholder_index(in->num, m->binary_count, &index)) {
        m->w->len = in->start;
        return put_binary(m, index);
    }
    close_head(m->w, in);
    return true;
}

/* ---------------------------------------------------------------- text -- */

static void skip(maker *m, size_t count)
{
    m->in.base += count;
    m->in.len -= count;
}

/* Whether, after whitespace, `byte` comes next. */
static bool is_next(maker *m, uint8_t byte)
{
    while (m->in.len != 0 && (*m->in.base == ' ' || *m->in.base == '\n' ||
                              *m->in.base == '\r' || *m->in.base == '\t')) {
        skip(m, 1);
    }
    return m->in.len != 0 && *m->in.base == byte;
}

static bool is_over(maker *m)
{
    (void)is_next(m, 0);
    return m->in.len == 0;
}

static bool take(maker *m, uint8_t byte)
{
    bool there = is_next(m, byte);
    if (there) {
        skip(m, 1);
    }
    return there;
}

/* Writes a value that is no container. */
static bool put_scalar(maker *m)
{
    sio_json_type type;
    size_t used;
    if (sio_json_scan(m->in, 0, &type, &used) != SIO_OK) {
        return false;
    }
    sio_bytes text = {m->in.base, used};
    skip(m, used);
    switch (type) {
    case SIO_JSON_STRING:
        put_json_string(m->w, text);
        break;
    case SIO_JSON_NUMBER:
        put_number(m->w, text);
        break;
    case SIO_JSON_NULL:
        sio_write_byte(m->w, 0xc0);
        break;
    default:
        sio_write_byte(m->w, type == SIO_JSON_TRUE ? 0xc3 : 0xc2);
        break;
    }
    return true;
}

/* Writes the value that comes next, and of a container its beginning. */
static bool begin_value(maker *m)
{
    if (take(m, '{')) {
        return open_container(m, true);
    }
    if (take(m, '[')) {
        return open_container(m, false);
    }
    return put_scalar(m);
}

/* Notes what may make a placeholder of the object. */
static void note_key(maker *m, level *in, sio_bytes key)
{
    in->role = ROLE_OTHER;
    if (sio_json_string_is(key, SIO_LIT("num"))) {
        in->role = ROLE_NUM;
        in->num = (sio_bytes){m->in.base, 0};
    } else if (sio_json_string_is(key, SIO_LIT("_placeholder"))) {
        in->placeholder = is_next(m, 't');
    }
}

/* Writes the key that comes next, up to where its value begins. */
static bool put_key(maker *m, level *in)
{
    if (!is_next(m, '"')) {
        return false;
    }
    const uint8_t *from = m->in.base;
    if (!put_scalar(m)) {
        return false;
    }
    sio_bytes key = {from, (size_t)(m->in.base - from)};
    if (!take(m, ':')) {
        return false;
    }
    (void)is_over(m);
    if (m->binary_count != 0) {
        note_key(m, in, key);
    }
    return true;
}

/* Goes on in the innermost container: with its next element, or its end. */
static bool step(maker *m)
{
    level *in = &m->levels[m->depth - 1];
    if (in->role == ROLE_NUM) {
        in->num.len = (size_t)(m->in.base - in->num.base);
        in->role = ROLE_OTHER;
    }
    if (take(m, in->is_map ? '}' : ']')) {
        return close_container(m);
    }
    if (in->count != 0 && !take(m, ',')) {
        return false;
    }
    in->count++;
    return (!in->is_map || put_key(m, in)) && begin_value(m);
}

/* Writes the value that comes next, all of it. */
static bool put_value(maker *m)
{
    unsigned outer = m->depth;
    bool done = begin_value(m);
    while (done && m->depth > outer) {
        done = step(m);
    }
    return done;
}

/* Writes values with commas between them, to the end of the text, into the
 * array that is open. */
static bool put_list(maker *m)
{
    level *in = &m->levels[m->depth - 1];
    if (is_over(m)) {
        return true;
    }
    do {
        in->count++;
        if (!put_value(m)) {
            return false;
        }
    } while (take(m, ','));
    return is_over(m);
}

/* -------------------------------------------------------------- packet -- */

static void begin_packet(sio_writer *w, unsigned members, sio_packet_type type)
{
    put_count(w, &map_heads, members);
    put_string(w, SIO_LIT("type"));
    put_uint(w, type);
}

static void end_packet(sio_writer *w, sio_bytes nsp)
{
    put_string(w, SIO_LIT("nsp"));
    put_string(w, nsp.len == 0 ? SIO_LIT("/") : nsp);
}

/* Writes an event, or, without a name, an ack. */
static sio_error write_array(sio_writer *w, const sio_packet_head *head,
                             sio_packet_type type, const sio_bytes *name,
                             const sio_args *args)
{
    maker m;
    start(&m, w, args);
    m.in = (sio_bytes){(const uint8_t *)args->json, args->json_len};
    if (args->json_len > UINT32_MAX) {
        return SIO_ERR_TOO_LARGE;
    }
    begin_packet(w, head->has_id ? 4 : 3, type);
    put_string(w, SIO_LIT("data"));
    (void)open_container(&m, false);
    if (name != NULL) {
        put_string(w, *name);
        m.levels[0].count++;
    }
    if (!put_list(&m) || !close_container(&m)) {
        return m.err;
    }
    if (head->has_id) {
        put_string(w, SIO_LIT("id"));
        put_uint(w, head->id);
    }
    end_packet(w, head->nsp);
    return SIO_OK;
}

sio_error sio_msgpack_write_event(sio_writer *w, const sio_packet_head *head,
                                  sio_bytes name, const sio_args *args)
{
    return write_array(w, head, SIO_PACKET_EVENT, &name, args);
}

sio_error sio_msgpack_write_ack(sio_writer *w, const sio_packet_head *head,
                                const sio_args *args)
{
    return write_array(w, head, SIO_PACKET_ACK, NULL, args);
}

/* Reads the head of an array, which is valid, and moves behind it. */
static uint32_t take_array_head(sio_bytes *in)
{
    uint8_t head = in->base[0];
    unsigned width = head == array_heads.in16   ? 2
                     : head == array_heads.in32 ? 4
                                                : 0;
    uint32_t count = width == 0 ? head & 0x0fU : 0;
    for (unsigned i = 1; i <= width; i++) {
        count = count << 8 | in->base[i];
    }
    *in = (sio_bytes){in->base + 1 + width, in->len - 1 - width};
    return count;
}

void sio_msgpack_write_longer(sio_writer *w, sio_bytes event, sio_bytes nsp,
                              size_t old, sio_bytes text)
{
    sio_writer measure = {0};
    begin_packet(&measure, 3, SIO_PACKET_EVENT);
    put_string(&measure, SIO_LIT("data"));
    sio_bytes rest = {event.base + measure.len, event.len - measure.len};
    measure.len = 0;
    end_packet(&measure, nsp);
    rest.len -= measure.len + (old == 0 ? 0 : old + 1);
    uint32_t count = take_array_head(&rest);
    begin_packet(w, 3, SIO_PACKET_EVENT);
    put_string(w, SIO_LIT("data"));
    put_count(w, &array_heads, (size_t)count + (old == 0 ? 1 : 0));
    sio_write_bytes(w, rest);
    put_string(w, text);
    end_packet(w, nsp);
}

sio_error sio_msgpack_write_single(sio_writer *w, sio_packet_type type,
                                   sio_bytes nsp, sio_bytes payload)
{
    static const sio_args none;
    maker m;
    start(&m, w, &none);
    m.in = payload;
    if (payload.len > UINT32_MAX) {
        return SIO_ERR_TOO_LARGE;
    }
    begin_packet(w, payload.len == 0 ? 2 : 3, type);
    if (payload.len != 0) {
        put_string(w, SIO_LIT("data"));
        if (!put_value(&m)) {
            return m.err;
        }
        if (!is_over(&m)) {
            return SIO_ERR_JSON;
        }
    }
    end_packet(w, nsp);
    return SIO_OK;
}
