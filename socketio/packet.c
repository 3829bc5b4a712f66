#include "socketio/packet.h"

#define DIGITS_MAX 19 /* of a number, so that it fits into 64 bits */
#define ID_MAX ((UINT64_C(1) << 53) - 1) /* Number.MAX_SAFE_INTEGER */

static bool is_binary(sio_packet_type type)
{
    return type >= SIO_PACKET_BINARY_EVENT;
}

static bool is_event(sio_packet_type type)
{
    return type == SIO_PACKET_EVENT || type == SIO_PACKET_BINARY_EVENT;
}

static bool is_ack(sio_packet_type type)
{
    return type == SIO_PACKET_ACK || type == SIO_PACKET_BINARY_ACK;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Reads the decimal digits at the start of `in`: no sign, no leading zero, at
 * least one.  Returns how many there are; 0 also when the value exceeds
 * `max`, at most 2^60. */
static size_t read_uint(sio_bytes in, uint64_t max, uint64_t *value)
{
    uint64_t sum = 0;
    size_t len = 0;

    for (; len < in.len && is_digit(in.base[len]); len++) {
        if (len == DIGITS_MAX) {
            return 0;
        }
        sum = sum * 10 + (uint64_t)(in.base[len] - '0');
    }
    if (sum > max || (len > 1 && in.base[0] == '0')) {
        return 0;
    }
    *value = sum;
    return len;
}

/* Each of these reads one part of a packet from the start of `in` and moves
 * `in` behind it. */

static sio_error read_type(sio_bytes *in, sio_packet *out)
{
    if (in->len == 0) {
        return SIO_ERR_PACKET_EMPTY;
    }
    uint8_t digit = in->base[0];
    if (digit < '0' || digit > '0' + SIO_PACKET_BINARY_ACK) {
        return SIO_ERR_PACKET_TYPE;
    }
    out->type = (sio_packet_type)(digit - '0');
    sio_bytes_skip(in, 1);
    return SIO_OK;
}

static sio_error read_attachments(sio_bytes *in, unsigned max, sio_packet *out)
{
    uint64_t count = 0;
    size_t len = read_uint(*in, max, &count);
    if (count == 0 || len == in->len || in->base[len] != '-') {
        return SIO_ERR_ATTACHMENTS;
    }
    out->attachments = (uint32_t)count;
    sio_bytes_skip(in, len + 1);
    return SIO_OK;
}

static sio_error read_nsp(sio_bytes *in, size_t max, sio_packet *out)
{
    if (in->len == 0 || in->base[0] != '/') {
        out->nsp = SIO_LIT("/");
        return SIO_OK;
    }
    size_t within = max < in->len ? max + 1 : in->len;
    const uint8_t *comma = memchr(in->base, ',', within);
    size_t len = comma != NULL ? (size_t)(comma - in->base) : in->len;
    if (len > max) {
        return SIO_ERR_TOO_LARGE;
    }
    out->nsp = (sio_bytes){in->base, len};
    sio_bytes_skip(in, comma != NULL ? len + 1 : len);
    return SIO_OK;
}

static sio_error read_id(sio_bytes *in, sio_packet *out)
{
    uint64_t id;
    if (in->len != 0 && is_digit(in->base[0])) {
        size_t len = read_uint(*in, ID_MAX, &id);
        if (len == 0) {
            return SIO_ERR_PACKET_ID;
        }
        if (is_event(out->type) || is_ack(out->type)) {
            out->has_id = true;
            out->id = id;
        }
        sio_bytes_skip(in, len);
    }
    /* Node's parser takes blanks here for a part of the id; JSON would allow
     * them.  No encoder writes them, so neither reading is right. */
    if (in->len != 0 && in->base[0] <= ' ') {
        return SIO_ERR_PACKET_ID;
    }
    return SIO_OK;
}

bool sio_placeholder_index(sio_bytes num, size_t count, size_t *index)
{
    uint64_t value;
    if (count == 0) {
        return false;
    }
    size_t len = read_uint(num, count - 1, &value);
    if (len == 0 || len != num.len) {
        return false;
    }
    *index = (size_t)value;
    return true;
}

/* A sio_json_placeholder_fn; `arg` is the packet. */
static sio_error check_placeholder(void *arg, sio_bytes object, sio_bytes num)
{
    const sio_packet *packet = arg;
    size_t index;
    (void)object;
    return sio_placeholder_index(num, packet->attachments, &index)
               ? SIO_OK
               : SIO_ERR_ATTACHMENTS;
}

/* Reserved names have 7 to 14 letters; an escape that spells one takes six
 * bytes. */
#define RESERVED_MIN 7
#define RESERVED_MAX 14

/* As sio_event_name_reserved(), of a string with its quotes and escapes.  Apart
 * from its caller, whose stack frame is small without this one's. */
__attribute__((noinline)) static bool is_reserved_escaped(sio_bytes string)
{
    uint8_t plain[RESERVED_MAX * 6 + 2];
    size_t len;
    if (string.len > sizeof(plain) ||
        memchr(string.base, '\\', string.len) == NULL ||
        sio_json_unescape(string, plain, &len) != SIO_OK) {
        return false;
    }
    return sio_event_name_reserved((sio_bytes){plain, len});
}

/* The same of any string with its quotes. */
static bool is_reserved(sio_bytes string)
{
    sio_bytes name = {string.base + 1, string.len - 2};
    return name.len >= RESERVED_MIN &&
           (sio_event_name_reserved(name) ||
            (name.len >= RESERVED_MIN + 5 && is_reserved_escaped(string)));
}

/* Splits the name of an event from its arguments. */
static sio_error take_name(const sio_json_array *array, sio_packet *out)
{
    out->name_is_number = array->first_type == SIO_JSON_NUMBER;
    if (!out->name_is_number &&
        (array->first_type != SIO_JSON_STRING || is_reserved(array->first))) {
        return SIO_ERR_PAYLOAD;
    }
    out->name = array->first;
    out->args = array->rest;
    out->arg_count = array->count - 1;
    return SIO_OK;
}

static sio_error read_array(sio_bytes in, unsigned max_depth, sio_packet *out)
{
    sio_json_array array;
    sio_json_placeholder_fn *found =
        is_binary(out->type) ? check_placeholder : NULL;
    sio_error err = sio_json_array_scan(in, max_depth, found, out, &array);
    if (err != SIO_OK) {
        return err == SIO_ERR_MISMATCH ? SIO_ERR_PAYLOAD : err;
    }
    out->payload_type = SIO_JSON_ARRAY;
    if (is_event(out->type)) {
        return take_name(&array, out);
    }
    out->args = array.all;
    out->arg_count = array.count;
    return SIO_OK;
}

static sio_error read_single(sio_bytes in, unsigned max_depth, sio_packet *out)
{
    if (out->type == SIO_PACKET_DISCONNECT) {
        return SIO_ERR_PAYLOAD;
    }
    sio_error err = sio_json_check(in, max_depth);
    if (err != SIO_OK) {
        return err;
    }
    /* No whitespace can precede the value: the id ended at it. */
    if (in.base[0] == '{') {
        out->payload_type = SIO_JSON_OBJECT;
        return SIO_OK;
    }
    if (in.base[0] == '"' && out->type == SIO_PACKET_CONNECT_ERROR) {
        out->payload_type = SIO_JSON_STRING;
        return SIO_OK;
    }
    return SIO_ERR_PAYLOAD;
}

static sio_error read_payload(sio_bytes in, unsigned max_depth, sio_packet *out)
{
    if (in.len == 0) {
        return SIO_OK;
    }
    out->payload = in;
    return is_event(out->type) || is_ack(out->type)
               ? read_array(in, max_depth, out)
               : read_single(in, max_depth, out);
}

/* Any packet, part by part. */
__attribute__((noinline)) static sio_error
decode_any(sio_bytes in, const sio_packet_limits *limits, sio_packet *out)
{
    *out = (sio_packet){0};
    sio_error err = read_type(&in, out);

    if (err == SIO_OK && is_binary(out->type)) {
        err = read_attachments(&in, limits->max_attachments, out);
    }
    if (err == SIO_OK) {
        err = read_nsp(&in, limits->max_nsp, out);
    }
    if (err == SIO_OK) {
        err = read_id(&in, out);
    }
    if (err == SIO_OK) {
        err = read_payload(in, limits->max_depth, out);
    }
    return err;
}

/* An event of the main namespace that has an id: what comes behind its type. */
__attribute__((noinline)) static sio_error
decode_numbered(sio_bytes in, const sio_packet_limits *limits, sio_packet *out)
{
    *out = (sio_packet){.type = SIO_PACKET_EVENT, .nsp = SIO_LIT("/")};
    sio_error err = read_id(&in, out);
    return err == SIO_OK ? read_payload(in, limits->max_depth, out) : err;
}

sio_error sio_packet_decode(sio_bytes in, const sio_packet_limits *limits,
                            sio_packet *out)
{
    if (in.len < 2 || in.base[0] != '0' + SIO_PACKET_EVENT) {
        return decode_any(in, limits, out);
    }
    /* The most frequent beginnings. */
    sio_bytes rest = {in.base + 1, in.len - 1};
    if (rest.base[0] == '[') {
        *out = (sio_packet){
            .type = SIO_PACKET_EVENT, .nsp = SIO_LIT("/"), .payload = rest};
        return read_array(rest, limits->max_depth, out);
    }
    return is_digit(rest.base[0]) ? decode_numbered(rest, limits, out)
                                  : decode_any(in, limits, out);
}

bool sio_event_name_reserved(sio_bytes name)
{
    switch (name.len) {
    case 7:
        return sio_bytes_eq(name, SIO_LIT("connect"));
    case 10:
        return sio_bytes_eq(name, SIO_LIT("disconnect"));
    case 11:
        return sio_bytes_eq(name, SIO_LIT("newListener"));
    case 13:
        return sio_bytes_eq(name, SIO_LIT("connect_error")) ||
               sio_bytes_eq(name, SIO_LIT("disconnecting"));
    case 14:
        return sio_bytes_eq(name, SIO_LIT("removeListener"));
    default:
        return false;
    }
}

void sio_packet_write_head(sio_writer *w, const sio_packet_head *head)
{
    sio_write_byte(w, (uint8_t)('0' + head->type));

    if (is_binary(head->type)) {
        sio_write_uint(w, head->attachments);
        sio_write_byte(w, '-');
    }
    if (head->nsp.len != 0 && !sio_bytes_eq(head->nsp, SIO_LIT("/"))) {
        sio_write_bytes(w, head->nsp);
        sio_write_byte(w, ',');
    }
    if (head->has_id) {
        sio_write_uint(w, head->id);
    }
}

/* Writes `head` as `plain`, or as `binary` if it has attachments. */
static void write_head_as(sio_writer *w, const sio_packet_head *head,
                          sio_packet_type plain, sio_packet_type binary)
{
    sio_packet_head typed = *head;
    typed.type = head->attachments != 0 ? binary : plain;
    sio_packet_write_head(w, &typed);
}

void sio_packet_write_event(sio_writer *w, const sio_packet_head *head,
                            sio_bytes name, sio_bytes args)
{
    write_head_as(w, head, SIO_PACKET_EVENT, SIO_PACKET_BINARY_EVENT);
    sio_write_byte(w, '[');
    sio_json_write_string(w, name);
    if (args.len != 0) {
        sio_write_byte(w, ',');
        sio_write_bytes(w, args);
    }
    sio_write_byte(w, ']');
}

void sio_packet_write_ack(sio_writer *w, const sio_packet_head *head,
                          sio_bytes args)
{
    write_head_as(w, head, SIO_PACKET_ACK, SIO_PACKET_BINARY_ACK);
    sio_write_byte(w, '[');
    sio_write_bytes(w, args);
    sio_write_byte(w, ']');
}

/* Writes a packet without id or attachments. */
static void write_single(sio_writer *w, sio_packet_type type, sio_bytes nsp,
                         sio_bytes payload)
{
    sio_packet_head head = {.type = type, .nsp = nsp};
    sio_packet_write_head(w, &head);
    sio_write_bytes(w, payload);
}

void sio_packet_write_connect(sio_writer *w, sio_bytes nsp, sio_bytes payload)
{
    write_single(w, SIO_PACKET_CONNECT, nsp, payload);
}

void sio_packet_write_connect_error(sio_writer *w, sio_bytes nsp,
                                    sio_bytes payload)
{
    write_single(w, SIO_PACKET_CONNECT_ERROR, nsp, payload);
}

void sio_packet_write_disconnect(sio_writer *w, sio_bytes nsp)
{
    write_single(w, SIO_PACKET_DISCONNECT, nsp, (sio_bytes){0});
}
