#include <math.h>

#include "base/iso_date.h"
#include "base/number.h"
#include "socketio/msgpack.h"
#include "socketio/msgpack_item.h"

#define ID_MAX ((UINT64_C(1) << 53) - 1) /* Number.MAX_SAFE_INTEGER */

/* A container that is being read. */
typedef struct level {
    uint32_t left; /* elements or pairs */
    bool is_map;
    bool written; /* at least one, so a comma has to come before the next */
} level;

typedef struct reader {
    sio_bytes in;   /* what is left */
    sio_error err;  /* read only after a failure; JSON unless it says more */
    unsigned depth; /* open containers */
    unsigned max_depth;
    sio_writer *text;
    sio_writer nowhere; /* for what nobody will see; then `text` is this */
    sio_binary *binaries;
    uint32_t binary_count, max_binaries;
    bool fake; /* something that would be taken for a placeholder was there */
    level levels[SIO_JSON_DEPTH_MAX];
} reader;

/* What has been read of the packet's map. */
typedef struct members {
    bool has_type, has_nsp, has_data, has_id;
    sio_item data, first;        /* `first` of an array, NONE in an empty one */
    size_t first_end, rest, end; /* places in the text, which begins with it */
} members;

static bool fail(reader *r, sio_error err)
{
    r->err = err;
    return false;
}

static bool read_item(reader *r, sio_item *v)
{
    sio_error err = sio_item_read(&r->in, v);
    return err == SIO_OK || fail(r, err);
}

/* ---------------------------------------------------------------- text -- */

static void write_integer(sio_writer *w, const sio_item *v)
{
    if (v->negative) {
        sio_write_byte(w, '-');
    }
    sio_write_uint(w, v->magnitude);
}

static void put_date(sio_writer *w, int64_t ms)
{
    if (ms < -SIO_ISO_DATE_MAX || ms > SIO_ISO_DATE_MAX) {
        sio_write_bytes(w, SIO_LIT("null"));
        return;
    }
    sio_write_byte(w, '"');
    sio_write_iso_date(w, ms);
    sio_write_byte(w, '"');
}

/* Whether one more container can stand here. */
static bool has_depth(reader *r)
{
    return r->depth < r->max_depth || fail(r, SIO_ERR_JSON_DEPTH);
}

static bool put_binary(reader *r, sio_bytes data)
{
    if (!has_depth(r)) {
        return false;
    }
    if (r->text == &r->nowhere) {
        return true;
    }
    if (r->binary_count >= r->max_binaries) {
        return fail(r, SIO_ERR_ATTACHMENTS);
    }
    sio_write_bytes(r->text, SIO_LIT("{\"_placeholder\":true,\"num\":"));
    sio_write_uint(r->text, r->binary_count);
    sio_write_byte(r->text, '}');
    r->binaries[r->binary_count++] = (sio_binary){data.base, data.len};
    return true;
}

/* An extension of unknown meaning: its type, then its bytes. */
static bool put_extension(reader *r, const sio_item *v)
{
    int type = v->extension;
    sio_item number = {.kind = SIO_ITEM_INTEGER,
                       .negative = type < 0,
                       .magnitude = (uint64_t)(type < 0 ? -type : type)};
    if (!has_depth(r)) {
        return false;
    }
    sio_write_byte(r->text, '[');
    write_integer(r->text, &number);
    sio_write_byte(r->text, ',');
    r->depth++;
    bool done = put_binary(r, v->data);
    r->depth--;
    sio_write_byte(r->text, ']');
    return done;
}

static bool enter(reader *r, const sio_item *v)
{
    bool is_map = v->kind == SIO_ITEM_MAP;
    if (!has_depth(r)) {
        return false;
    }
    r->levels[r->depth++] = (level){.left = v->count, .is_map = is_map};
    sio_write_byte(r->text, is_map ? '{' : '[');
    return true;
}

/* Writes what `v` is, and enters it if it is a container. */
static bool begin_value(reader *r, const sio_item *v)
{
    sio_writer *w = r->text;
    switch (v->kind) {
    case SIO_ITEM_FALSE:
        sio_write_bytes(w, SIO_LIT("false"));
        return true;
    case SIO_ITEM_TRUE:
        sio_write_bytes(w, SIO_LIT("true"));
        return true;
    case SIO_ITEM_INTEGER:
        write_integer(w, v);
        return true;
    case SIO_ITEM_REAL:
        sio_number_write(w, v->real);
        return true;
    case SIO_ITEM_STRING:
        sio_json_write_string(w, v->data);
        return true;
    case SIO_ITEM_DATE:
        put_date(w, v->time);
        return true;
    case SIO_ITEM_BINARY:
        return put_binary(r, v->data);
    case SIO_ITEM_EXTENSION:
        return put_extension(r, v);
    case SIO_ITEM_ARRAY:
    case SIO_ITEM_MAP:
        return enter(r, v);
    default:
        sio_write_bytes(w, SIO_LIT("null"));
        return true;
    }
}

static void separate(reader *r, level *in)
{
    if (in->written) {
        sio_write_byte(r->text, ',');
    }
    in->written = true;
}

static bool begin_member(reader *r, level *in)
{
    sio_item key, value;
    if (!read_item(r, &key) ||
        (key.kind != SIO_ITEM_STRING && key.kind != SIO_ITEM_INTEGER) ||
        !read_item(r, &value)) {
        return false;
    }
    if (value.kind == SIO_ITEM_UNDEFINED) {
        return true;
    }
    separate(r, in);
    if (key.kind == SIO_ITEM_STRING) {
        sio_json_write_string(r->text, key.data);
        r->fake |= value.kind == SIO_ITEM_TRUE &&
                   sio_bytes_eq(key.data, SIO_LIT("_placeholder"));
    } else {
        sio_write_byte(r->text, '"');
        write_integer(r->text, &key);
        sio_write_byte(r->text, '"');
    }
    sio_write_byte(r->text, ':');
    return begin_value(r, &value);
}

/* Goes on in the innermost container: reads what is next in it, or leaves. */
static bool step(reader *r)
{
    level *in = &r->levels[r->depth - 1];
    sio_item value;
    if (in->left == 0) {
        sio_write_byte(r->text, in->is_map ? '}' : ']');
        r->depth--;
        return true;
    }
    in->left--;
    if (in->is_map) {
        return begin_member(r, in);
    }
    separate(r, in);
    return read_item(r, &value) && begin_value(r, &value);
}

/* Writes `v` and all that is in it. */
static bool put_value(reader *r, const sio_item *v)
{
    unsigned outer = r->depth;
    bool done = begin_value(r, v);
    while (done && r->depth > outer) {
        done = step(r);
    }
    return done;
}

/* -------------------------------------------------------------- packet -- */

/* Reads a value of which nothing is wanted. */
static bool skip_value(reader *r, const sio_item *v)
{
    sio_writer *text = r->text;
    unsigned max_depth = r->max_depth;
    bool fake = r->fake;
    r->text = &r->nowhere;
    r->max_depth = SIO_JSON_DEPTH_MAX;
    bool done = put_value(r, v);
    r->text = text;
    r->max_depth = max_depth;
    r->fake = fake;
    return done;
}

/* Writes the array that holds an event's name and arguments. */
static bool put_array(reader *r, members *m)
{
    if (!enter(r, &m->data)) {
        return false;
    }
    for (uint32_t i = 0; i < m->data.count; i++) {
        sio_item value;
        if (i != 0) {
            sio_write_byte(r->text, ',');
        }
        if (i == 1) {
            m->rest = r->text->len;
        }
        if (!read_item(r, &value) || !put_value(r, &value)) {
            return false;
        }
        if (i == 0) {
            m->first = value;
            m->first_end = r->text->len;
        }
    }
    r->depth--;
    sio_write_byte(r->text, ']');
    return true;
}

static bool is_absent(const sio_item *v)
{
    return v->kind == SIO_ITEM_NIL || v->kind == SIO_ITEM_UNDEFINED;
}

static bool read_data(reader *r, members *m)
{
    m->first.kind = SIO_ITEM_NONE;
    if (!read_item(r, &m->data)) {
        return false;
    }
    bool done = is_absent(&m->data) ||
                (m->data.kind == SIO_ITEM_ARRAY ? put_array(r, m)
                                                : put_value(r, &m->data));
    m->end = r->text->len;
    return done;
}

/* As Number.isInteger() has it: a real can be one. */
static bool as_uint(const sio_item *v, uint64_t max, uint64_t *out)
{
    if (v->kind == SIO_ITEM_REAL) {
        if (!(v->real >= 0 && v->real <= (double)max)) {
            return false;
        }
        *out = (uint64_t)v->real;
        return (double)*out == v->real;
    }
    if (v->kind != SIO_ITEM_INTEGER || v->negative || v->magnitude > max) {
        return false;
    }
    *out = v->magnitude;
    return true;
}

static bool read_type(reader *r, sio_packet *out)
{
    sio_item v;
    uint64_t type;
    if (!read_item(r, &v)) {
        return false;
    }
    if (!as_uint(&v, SIO_PACKET_CONNECT_ERROR, &type)) {
        return fail(r, SIO_ERR_PACKET_TYPE);
    }
    out->type = (sio_packet_type)type;
    return true;
}

static bool read_nsp(reader *r, size_t max, sio_packet *out)
{
    sio_item v;
    if (!read_item(r, &v)) {
        return false;
    }
    if (v.kind != SIO_ITEM_STRING || v.data.len == 0 || v.data.base[0] != '/') {
        return fail(r, SIO_ERR_PAYLOAD);
    }
    out->nsp = v.data;
    return v.data.len <= max || fail(r, SIO_ERR_TOO_LARGE);
}

static bool read_id(reader *r, sio_packet *out)
{
    sio_item v;
    if (!read_item(r, &v)) {
        return false;
    }
    out->has_id = !is_absent(&v);
    return !out->has_id || as_uint(&v, ID_MAX, &out->id) ||
           fail(r, SIO_ERR_PACKET_ID);
}

/* Notes that a member is there; it must not have been. */
static bool once(reader *r, bool *has)
{
    if (*has) {
        return fail(r, SIO_ERR_PAYLOAD);
    }
    *has = true;
    return true;
}

static bool read_member(reader *r, const sio_packet_limits *limits, members *m,
                        sio_packet *out)
{
    sio_item key, value;
    if (!read_item(r, &key)) {
        return false;
    }
    if (key.kind != SIO_ITEM_STRING) {
        return skip_value(r, &key) && read_item(r, &value) &&
               skip_value(r, &value);
    }
    if (sio_bytes_eq(key.data, SIO_LIT("type"))) {
        return once(r, &m->has_type) && read_type(r, out);
    }
    if (sio_bytes_eq(key.data, SIO_LIT("nsp"))) {
        return once(r, &m->has_nsp) && read_nsp(r, limits->max_nsp, out);
    }
    if (sio_bytes_eq(key.data, SIO_LIT("data"))) {
        return once(r, &m->has_data) && read_data(r, m);
    }
    if (sio_bytes_eq(key.data, SIO_LIT("id"))) {
        return once(r, &m->has_id) && read_id(r, out);
    }
    return read_item(r, &value) && skip_value(r, &value);
}

static bool read_packet(reader *r, const sio_packet_limits *limits, members *m,
                        sio_packet *out)
{
    sio_item map;
    if (r->in.len == 0) {
        return fail(r, SIO_ERR_PACKET_EMPTY);
    }
    if (!read_item(r, &map)) {
        return false;
    }
    if (map.kind != SIO_ITEM_MAP) {
        return fail(r, SIO_ERR_PACKET_TYPE);
    }
    for (uint32_t i = 0; i < map.count; i++) {
        if (!read_member(r, limits, m, out)) {
            return false;
        }
    }
    return r->in.len == 0;
}

static bool is_event(const sio_packet *packet)
{
    return packet->type == SIO_PACKET_EVENT;
}

static bool is_ack(const sio_packet *packet)
{
    return packet->type == SIO_PACKET_ACK;
}

/* Whether `data` is what its packet may have. */
static bool fits(const members *m, sio_packet_type type)
{
    sio_item_kind kind = m->has_data ? m->data.kind : SIO_ITEM_UNDEFINED;
    bool absent = kind == SIO_ITEM_NIL || kind == SIO_ITEM_UNDEFINED;

    switch (type) {
    case SIO_PACKET_CONNECT:
        return absent || kind == SIO_ITEM_MAP;
    case SIO_PACKET_DISCONNECT:
        return absent;
    case SIO_PACKET_CONNECT_ERROR:
        return kind == SIO_ITEM_MAP || kind == SIO_ITEM_STRING;
    case SIO_PACKET_EVENT:
        return kind == SIO_ITEM_ARRAY &&
               ((m->first.kind == SIO_ITEM_STRING &&
                 !sio_event_name_reserved(m->first.data)) ||
                m->first.kind == SIO_ITEM_INTEGER ||
                (m->first.kind == SIO_ITEM_REAL && isfinite(m->first.real)));
    default:
        return kind == SIO_ITEM_ARRAY;
    }
}

/* What is wrong with a packet of which each member is well-formed. */
static sio_error check(const reader *r, const members *m,
                       const sio_packet *packet)
{
    if (!m->has_type) {
        return SIO_ERR_PACKET_TYPE;
    }
    if (!m->has_nsp || !fits(m, packet->type)) {
        return SIO_ERR_PAYLOAD;
    }
    if (r->binary_count != 0 &&
        (r->fake || !(is_event(packet) || is_ack(packet)))) {
        return SIO_ERR_ATTACHMENTS;
    }
    return r->text->len <= r->text->cap ? SIO_OK : SIO_ERR_NO_SPACE;
}

static sio_bytes span(const sio_writer *text, size_t from, size_t to)
{
    return (sio_bytes){text->base + from, to - from};
}

static void set_views(const reader *r, const members *m, sio_packet *out)
{
    const sio_writer *text = r->text;
    uint32_t count = m->data.count;

    out->payload = span(text, 0, m->end);
    if (!is_event(out) && !is_ack(out)) {
        out->payload_type =
            m->data.kind == SIO_ITEM_MAP ? SIO_JSON_OBJECT : SIO_JSON_STRING;
        return;
    }
    out->payload_type = SIO_JSON_ARRAY;
    if (is_ack(out)) {
        out->args = span(text, 1, m->end - 1);
        out->arg_count = count;
        return;
    }
    out->name = span(text, 1, m->first_end);
    out->name_is_number = m->first.kind != SIO_ITEM_STRING;
    out->arg_count = count - 1;
    if (count > 1) {
        out->args = span(text, m->rest, m->end - 1);
    }
}

/* Ids have a meaning, and attachments a type, only with these. */
static void set_type(const reader *r, sio_packet *out)
{
    if (!is_event(out) && !is_ack(out)) {
        out->has_id = false;
        out->id = 0;
    } else if (r->binary_count != 0) {
        out->type =
            is_event(out) ? SIO_PACKET_BINARY_EVENT : SIO_PACKET_BINARY_ACK;
        out->attachments = r->binary_count;
    }
}

sio_error sio_msgpack_decode(sio_bytes in, const sio_packet_limits *limits,
                             sio_writer *text, sio_binary *binaries,
                             sio_packet *out)
{
    reader r; /* all but `levels`, which are written before they are read */
    members m;
    r.in = in;
    r.err = SIO_ERR_JSON;
    r.depth = 0;
    r.max_depth = limits->max_depth < SIO_JSON_DEPTH_MAX ? limits->max_depth
                                                         : SIO_JSON_DEPTH_MAX;
    r.text = text;
    r.nowhere = (sio_writer){0};
    r.binaries = binaries;
    r.binary_count = 0;
    r.max_binaries = limits->max_attachments;
    r.fake = false;
    memset(&m, 0, sizeof(m));
    *out = (sio_packet){0};

    if (!read_packet(&r, limits, &m, out)) {
        return r.err;
    }
    sio_error err = check(&r, &m, out);
    if (err == SIO_OK && m.end != 0) {
        set_views(&r, &m, out);
    }
    if (err == SIO_OK) {
        set_type(&r, out);
    }
    return err;
}
