/*
 * A parser of an application's own, for tests of such: a packet is the object
 * {"t":type,"n":namespace,"i":id,"d":data,"b":[base64]}, as JSON in a text or,
 * with own_parser_binary, in a binary message.
 */

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "profiles.h"
#include "socketio/jansson.h"

/* ------------------------------------------------------------ encoding -- */

static void write_text(sio_message_out *out, const char *text)
{
    sio_message_write(out, text, strlen(text));
}

static void write_json(sio_message_out *out, json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    write_text(out, text == NULL ? "null" : text);
    free(text);
    json_decref(value);
}

static sio_error write_binary(sio_message_out *out, const sio_binary *binary)
{
    sio_bytes bytes = {binary->data, binary->len};
    size_t len = sio_base64_encoded_len(bytes.len);
    uint8_t *text = malloc(len + 1);
    if (text == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_base64_encode(bytes, text);
    write_text(out, "\"");
    sio_message_write(out, text, len);
    write_text(out, "\"");
    free(text);
    return SIO_OK;
}

static sio_error encode(const sio_packet_view *packet, sio_message_out *out,
                        void *arg)
{
    sio_error err = SIO_OK;
    (void)arg;
    write_text(out, "{\"t\":");
    write_json(out, json_integer(packet->type));
    write_text(out, ",\"n\":");
    write_json(out, json_stringn(packet->nsp, packet->nsp_len));
    if (packet->has_id) {
        write_text(out, ",\"i\":");
        write_json(out, json_integer((json_int_t)packet->id));
    }
    if (packet->data_len != 0) {
        write_text(out, ",\"d\":");
        sio_message_write(out, packet->data, packet->data_len);
    }
    write_text(out, ",\"b\":[");
    for (size_t i = 0; i < packet->binary_count && err == SIO_OK; i++) {
        write_text(out, i == 0 ? "" : ",");
        err = write_binary(out, &packet->binaries[i]);
    }
    write_text(out, "]}");
    return err;
}

/* ------------------------------------------------------------ decoding -- */

static sio_error give(json_t *root, sio_packet_out *out, sio_packet_view packet,
                      sio_binary *binaries)
{
    json_t *data = json_object_get(root, "d");
    json_t *list = json_object_get(root, "b"), *item;
    char *text =
        data == NULL ? NULL : json_dumps(data, JSON_ENCODE_ANY | JSON_COMPACT);
    sio_error err = SIO_OK;
    size_t i;
    json_array_foreach(list, i, item)
    {
        char *at = (char *)(uintptr_t)json_string_value(item);
        if (at == NULL) {
            err = SIO_ERR_PAYLOAD;
            break;
        }
        err = sio_base64_decode(
            (sio_bytes){(uint8_t *)at, json_string_length(item)}, (uint8_t *)at,
            &binaries[i].len);
        binaries[i].data = at;
        if (err != SIO_OK) {
            break;
        }
    }
    packet.data = text;
    packet.data_len = text == NULL ? 0 : strlen(text);
    packet.binaries = binaries;
    packet.binary_count = json_array_size(list);
    err = err == SIO_OK ? sio_packet_give(out, &packet) : err;
    free(text);
    return err;
}

static sio_error decode(const void *message, size_t len, sio_packet_out *out,
                        void *arg)
{
    json_t *root = json_loadb(message, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *id = json_object_get(root, "i");
    sio_packet_view packet = {0};
    int type;
    sio_error err = SIO_ERR_PAYLOAD;
    (void)arg;
    if (json_unpack(root, "{s:i,s:s%}", "t", &type, "n", &packet.nsp,
                    &packet.nsp_len) == 0 &&
        type >= 0 && type <= SIO_PACKET_CONNECT_ERROR) {
        size_t count = json_array_size(json_object_get(root, "b"));
        sio_binary *binaries = calloc(count + 1, sizeof(*binaries));
        packet.type = (sio_packet_type)type;
        packet.has_id = json_is_integer(id);
        packet.id = (uint64_t)json_integer_value(id);
        err = binaries == NULL ? SIO_ERR_NO_MEMORY
                               : give(root, out, packet, binaries);
        free(binaries);
    }
    json_decref(root);
    return err;
}

const sio_parser_methods own_parser = {false, encode, decode};
const sio_parser_methods own_parser_binary = {true, encode, decode};
