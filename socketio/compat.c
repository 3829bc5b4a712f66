#include "socketio/compat.h"

#include <stdlib.h>

#include "base/query.h"
#include "base/utf8.h"

/* The fourth protocol, of Socket.IO 1 and 2. */

const sio_dialect *sio_dialect_of(const sio_client *client)
{
    return client->session != NULL && eio_session_revision(client->session) == 3
               ? &sio_dialect_4
               : &sio_dialect_5;
}

/* --------------------------------------------------------- coming: CONNECT --
 */

/* Room for a name or a value of a query while it is translated. */
typedef struct scratch {
    uint8_t *decoded;  /* the query's length */
    uint8_t *repaired; /* three times that */
} scratch;

static void write_decoded(sio_writer *w, sio_bytes raw, const scratch *s)
{
    sio_bytes text = {s->decoded, 0};
    sio_query_decode(raw, s->decoded, &text.len);
    if (!sio_utf8_valid(text)) {
        text = (sio_bytes){s->repaired, sio_utf8_repair(text, s->repaired)};
    }
    sio_json_write_string(w, text);
}

/* Writes a query as a JSON object with strings.  A name that comes several
 * times does so there, too: then the last one counts. */
static void write_object(sio_writer *w, sio_bytes query, const scratch *s)
{
    sio_query it = {.rest = query};
    sio_bytes name, value;
    bool first = true;
    sio_write_byte(w, '{');
    while (sio_query_next(&it, &name, &value)) {
        if (!first) {
            sio_write_byte(w, ',');
        }
        first = false;
        write_decoded(w, name, s);
        sio_write_byte(w, ':');
        write_decoded(w, value, s);
    }
    sio_write_byte(w, '}');
}

static sio_error make_object(sio_bytes query, sio_bytes *out, char **owned)
{
    scratch s = {malloc(query.len + 1), malloc(query.len * 3 + 1)};
    sio_writer w = {NULL, 0, 0};
    sio_error err =
        s.decoded == NULL || s.repaired == NULL ? SIO_ERR_NO_MEMORY : SIO_OK;
    if (err == SIO_OK) {
        write_object(&w, query, &s);
        w = (sio_writer){malloc(w.len), w.len, 0};
        err = w.base == NULL ? SIO_ERR_NO_MEMORY : SIO_OK;
    }
    if (err == SIO_OK) {
        write_object(&w, query, &s);
        *out = (sio_bytes){w.base, w.len};
        *owned = (char *)w.base;
    }
    free(s.decoded);
    free(s.repaired);
    return err;
}

/* The namespace may have a query, which is to this protocol what the payload
 * is to the next; a payload means nothing. */
static sio_error read_connect(sio_packet *packet, char **owned)
{
    sio_bytes nsp = packet->nsp;
    const uint8_t *mark = memchr(nsp.base, '?', nsp.len);
    packet->payload = (sio_bytes){0};
    packet->payload_type = SIO_JSON_NONE;
    if (mark == NULL) {
        return SIO_OK;
    }
    packet->nsp.len = (size_t)(mark - nsp.base);
    sio_bytes_skip(&nsp, packet->nsp.len + 1);
    packet->payload_type = SIO_JSON_OBJECT;
    return make_object(nsp, &packet->payload, owned);
}

/* Clients can be told to call any event or ack binary, also one with nothing
 * binary in it: `50-` for `2`. */
static uint8_t *amend(sio_bytes text, size_t *len)
{
    if (text.len < 3 || memcmp(text.base + 1, "0-", 2) != 0 ||
        (text.base[0] != '0' + SIO_PACKET_BINARY_EVENT &&
         text.base[0] != '0' + SIO_PACKET_BINARY_ACK)) {
        return NULL;
    }
    uint8_t *out = malloc(text.len - 2);
    if (out == NULL) {
        return NULL;
    }
    out[0] = text.base[0] == '0' + SIO_PACKET_BINARY_EVENT
                 ? '0' + SIO_PACKET_EVENT
                 : '0' + SIO_PACKET_ACK;
    memcpy(out + 1, text.base + 3, text.len - 3);
    *len = text.len - 2;
    return out;
}

/* ------------------------------------------------------------------- ids -- */

/* Clients know the id without being told: the session's, behind the name of
 * the namespace and `#` unless that is the main one. */
static sio_error make_id(sio_socket *socket)
{
    sio_bytes nsp = sio_namespace_view(socket->nsp);
    sio_bytes sid = sio_text(eio_session_sid(socket->client->session));
    size_t head = nsp.len == 1 ? 0 : nsp.len + 1, len = head + sid.len;
    char *at = socket->id;
    if (len > SIO_TOKEN_LEN) {
        at = malloc(len + 1);
        if (at == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        sio_socket_set_long_id(socket, at);
    }
    if (head != 0) {
        memcpy(at, nsp.base, nsp.len);
        at[nsp.len] = '#';
    }
    memcpy(at + head, sid.base, sid.len);
    at[len] = '\0';
    return SIO_OK;
}

/* ---------------------------------------------------------------- answers --
 */

static void write_connect(sio_writer *w, const void *arg)
{
    const sio_socket *socket = arg;
    sio_packet_write_connect(w, sio_namespace_view(socket->nsp),
                             (sio_bytes){0});
}

/* The data instead of the message, if there is any. */
static void write_refusal(sio_writer *w, const void *arg)
{
    const sio_refusal *r = arg;
    sio_packet_write_connect_error(w, r->nsp, r->data);
    if (r->data.len == 0) {
        sio_json_write_string(w, r->message);
    }
}

const sio_dialect sio_dialect_4 = {
    .joins_main = true,
    .read_connect = read_connect,
    .amend = amend,
    .make_id = make_id,
    .write_connect = write_connect,
    .write_refusal = write_refusal,
};
