#include <stdlib.h>

#include "base/utf8.h"
#include "socketio/events.h"

sio_error sio_event_check(const char *event)
{
    sio_bytes name = sio_text(event);
    if (sio_event_name_reserved(name)) {
        return SIO_ERR_RESERVED;
    }
    return sio_utf8_valid(name) ? SIO_OK : SIO_ERR_ARGUMENT;
}

/* ------------------------------------------------------------- encoding -- */

static sio_error copy_binaries(sio_outgoing *out, sio_frame_pool *frames,
                               const sio_args *args)
{
    out->binaries = calloc(args->binary_count, sizeof(*out->binaries));
    if (out->binaries == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < args->binary_count; i++) {
        const sio_binary *binary = &args->binaries[i];
        sio_frame *frame = sio_frame_new(frames, binary->len);
        if (frame == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        if (binary->len != 0) {
            memcpy(frame->data, binary->data, binary->len);
        }
        out->binaries[out->binary_count++] = frame;
    }
    return SIO_OK;
}

/* What an event of one name begins with, up to its first argument, is made once
 * and kept, as names are few and come again and again. */

static uint8_t *put(uint8_t *at, const void *from, size_t len)
{
    if (len != 0) {
        memcpy(at, from, len);
    }
    return at + len;
}

/* Fails where the event has to be encoded, or refused, the long way.  Apart
 * from its caller, whose stack frame is empty without this one's. */
__attribute__((noinline)) static bool
learn(sio_prefix *p, const sio_namespace *nsp, const char *event)
{
    sio_bytes name = sio_text(event);
    sio_packet_head head = {.type = SIO_PACKET_EVENT,
                            .nsp = sio_namespace_view(nsp)};
    sio_writer w = {p->text, sizeof(p->text), 0};
    p->nsp = 0;
    if (name.len >= sizeof(p->name) || sio_event_check(event) != SIO_OK) {
        return false;
    }
    sio_packet_write_head(&w, &head);
    sio_write_byte(&w, '[');
    sio_json_write_string(&w, name);
    if (w.len > w.cap) {
        return false;
    }
    memcpy(p->name, event, name.len + 1);
    p->len = w.len;
    p->nsp = nsp->serial;
    return true;
}

static const sio_prefix *prefix_of(sio_loop *loop, const sio_namespace *nsp,
                                   const char *event)
{
    /* Most names are literals, each at its own address. */
    size_t slot = ((uintptr_t)event >> 3 ^ (uintptr_t)event) % SIO_PREFIXES;
    sio_prefix *p = &loop->prefixes[slot];
    if (p->nsp == nsp->serial && strcmp(p->name, event) == 0) {
        return p;
    }
    return learn(p, nsp, event) ? p : NULL;
}

static size_t event_len(const sio_prefix *prefix, const sio_args *args)
{
    return prefix->len + (args->json_len != 0 ? 1 : 0) + args->json_len + 1;
}

/* Gives the place of the bracket that ends it. */
static uint8_t *write_event(uint8_t *at, const sio_prefix *prefix,
                            const sio_args *args)
{
    at = put(at, prefix->text, prefix->len);
    if (args->json_len != 0) {
        *at++ = ',';
        at = put(at, args->json, args->json_len);
    }
    *at = ']';
    return at;
}

/* Encodes an event, or, where `event` is NULL, an ack. */
static sio_error encode(sio_outgoing *out, sio_frame_pool *frames,
                        const sio_packet_head *head, const char *event,
                        const sio_args *args)
{
    sio_bytes name = sio_text(event == NULL ? "" : event);
    sio_bytes json = {(const uint8_t *)args->json, args->json_len};
    /* Type, two numbers, punctuation; a name that is all escapes. */
    size_t most = 64 + head->nsp.len + 6 * name.len + json.len;
    sio_frame *frame = eio_message_new(frames, most);
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_writer w = {eio_message_text(frame), most, 0};
    if (event == NULL) {
        sio_packet_write_ack(&w, head, json);
    } else {
        sio_packet_write_event(&w, head, name, json);
    }
    sio_frame_trim(frame, w.len + 1);
    out->text = frame;
    return SIO_OK;
}

/* Encodes with a parser that puts everything into one message. */
static sio_error translate(sio_outgoing *out, const sio_parser *parser,
                           sio_frame_pool *frames, const sio_packet_head *head,
                           const char *event, const sio_args *args)
{
    sio_bytes name = sio_text(event == NULL ? "" : event);
    sio_error err = sio_parser_frame(
        parser, frames, head, event == NULL ? NULL : &name, args, &out->text);
    return err == SIO_OK || err == SIO_ERR_NO_MEMORY ? err : SIO_ERR_ARGUMENT;
}

static sio_error make(sio_outgoing *out, const sio_namespace *nsp,
                      const sio_loop *loop, const char *event,
                      const sio_args *args, const uint64_t *id)
{
    sio_frame_pool *frames = loop == NULL ? NULL : loop->engine->frames;
    sio_packet_head head = {
        .attachments = (uint32_t)args->binary_count,
        .nsp = sio_namespace_view(nsp),
        .has_id = id != NULL,
        .id = id == NULL ? 0 : *id,
    };
    if (args->binary_count > nsp->core->limits.max_attachments) {
        return SIO_ERR_ARGUMENT;
    }
    const sio_parser *parser = nsp->core->parser;
    if (parser->whole) {
        return translate(out, parser, frames, &head, event, args);
    }
    sio_error err = encode(out, frames, &head, event, args);
    if (err == SIO_OK && args->binary_count != 0) {
        err = copy_binaries(out, frames, args);
    }
    if (err != SIO_OK) {
        sio_outgoing_deinit(out);
    }
    return err;
}

static const sio_args no_args;

/* An event of a kept prefix, with `text` as one more argument. */
static sio_frame *make_longer(const sio_prefix *prefix, sio_frame_pool *frames,
                              const sio_args *args, sio_bytes text)
{
    size_t len = event_len(prefix, args);
    sio_frame *frame = eio_message_new(frames, len + text.len + 3);
    if (frame != NULL) {
        uint8_t *at = write_event(eio_message_text(frame), prefix, args);
        at = put(at, ",\"", 2);
        at = put(at, text.base, text.len);
        (void)put(at, "\"]", 2);
    }
    return frame;
}

sio_error sio_outgoing_event_longer(sio_outgoing *out, const sio_namespace *nsp,
                                    sio_loop *loop, const char *event,
                                    const sio_args *args, sio_bytes text)
{
    const sio_parser *parser = nsp->core->parser;
    args = args == NULL ? &no_args : args;
    const sio_prefix *prefix = args->binary_count != 0 || parser->binary
                                   ? NULL
                                   : prefix_of(loop, nsp, event);
    if (prefix != NULL) {
        *out = (sio_outgoing){.is_event = true};
        out->text = make_longer(prefix, loop->engine->frames, args, text);
        return out->text == NULL ? SIO_ERR_NO_MEMORY : SIO_OK;
    }
    sio_error err = sio_outgoing_event(out, nsp, loop, event, args, NULL);
    if (err != SIO_OK) {
        return err;
    }
    sio_frame *longer =
        sio_parser_frame_longer(parser, loop->engine->frames, out->text,
                                sio_namespace_view(nsp), 0, text);
    if (longer == NULL) {
        sio_outgoing_deinit(out);
        return SIO_ERR_NO_MEMORY;
    }
    sio_frame_unref(out->text);
    out->text = longer;
    return SIO_OK;
}

sio_error sio_outgoing_event(sio_outgoing *out, const sio_namespace *nsp,
                             sio_loop *loop, const char *event,
                             const sio_args *args, const uint64_t *id)
{
    args = args == NULL ? &no_args : args;
    *out = (sio_outgoing){.is_event = true};
    const sio_prefix *prefix = loop == NULL || id != NULL ||
                                       args->binary_count != 0 ||
                                       nsp->core->parser->whole
                                   ? NULL
                                   : prefix_of(loop, nsp, event);
    if (prefix != NULL) {
        size_t len = event_len(prefix, args);
        out->text = eio_message_new(loop->engine->frames, len);
        if (out->text == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
        (void)write_event(eio_message_text(out->text), prefix, args);
        return SIO_OK;
    }
    sio_error err = sio_event_check(event);
    return err == SIO_OK ? make(out, nsp, loop, event, args, id) : err;
}

sio_error sio_outgoing_ack(sio_outgoing *out, const sio_namespace *nsp,
                           sio_loop *loop, const sio_args *args, uint64_t id)
{
    args = args == NULL ? &no_args : args;
    *out = (sio_outgoing){0};
    return make(out, nsp, loop, NULL, args, &id);
}

/* Whether a packet with these arguments is a single text. */
static bool is_one_text(const sio_socket *socket, const sio_args *args)
{
    return args->binary_count == 0 && !socket->nsp->core->parser->whole;
}

/* Where a text of the socket's that is not to wait can be written, or NULL. */
static uint8_t *place(sio_socket *socket, size_t len)
{
    eio_session *session =
        socket->client == NULL ? NULL : socket->client->session;
    sio_batch_catch_up(socket);
    return session == NULL ? NULL : eio_session_place(session, len);
}

bool sio_event_place(sio_socket *socket, const char *event,
                     const sio_args *args)
{
    args = args == NULL ? &no_args : args;
    if (!is_one_text(socket, args) ||
        sio_namespace_tells_outgoing(socket->nsp)) {
        return false;
    }
    const sio_prefix *prefix =
        prefix_of(socket->local->loop, socket->nsp, event);
    uint8_t *at =
        prefix == NULL ? NULL : place(socket, event_len(prefix, args));
    if (at == NULL) {
        return false;
    }
    (void)write_event(at, prefix, args);
    return true;
}

/* Type, namespace, id and bracket of an ack in place. */
#define ACK_HEAD_MAX 64

bool sio_ack_place(sio_socket *socket, const sio_args *args, uint64_t id)
{
    uint8_t head_text[ACK_HEAD_MAX];
    sio_writer w = {head_text, sizeof(head_text), 0};
    sio_packet_head head = {.type = SIO_PACKET_ACK,
                            .nsp = sio_namespace_view(socket->nsp),
                            .has_id = true,
                            .id = id};
    args = args == NULL ? &no_args : args;
    if (!is_one_text(socket, args)) {
        return false;
    }
    sio_packet_write_head(&w, &head);
    sio_write_byte(&w, '[');
    if (w.len > w.cap) {
        return false;
    }
    uint8_t *at = place(socket, w.len + args->json_len + 1);
    if (at == NULL) {
        return false;
    }
    at = put(put(at, head_text, w.len), args->json, args->json_len);
    *at = ']';
    return true;
}

void sio_outgoing_deinit(sio_outgoing *out)
{
    sio_frame_unref(out->text);
    for (size_t i = 0; i < out->binary_count; i++) {
        sio_frame_unref(out->binaries[i]);
    }
    free(out->binaries);
}

void sio_outgoing_share(sio_outgoing *out, const sio_core *core)
{
    if (core->loop_count == 1 && sio_loop_is_here(core->loops[0])) {
        return; /* no other thread will see it */
    }
    sio_frame_share(out->text);
    for (size_t i = 0; i < out->binary_count; i++) {
        sio_frame_share(out->binaries[i]);
    }
}

size_t sio_outgoing_bytes(const sio_outgoing *out)
{
    size_t sum = out->text->len;
    for (size_t i = 0; i < out->binary_count; i++) {
        sum += out->binaries[i]->len;
    }
    return sum;
}

sio_error sio_outgoing_send(const sio_outgoing *out, sio_socket *socket)
{
    eio_session *session =
        socket->client == NULL ? NULL : socket->client->session;
    if (session == NULL) {
        return SIO_ERR_CLOSED;
    }
    sio_batch_catch_up(socket);
    if (out->number != 0) {
        socket->newest = out->number;
    }
    eio_form form =
        (eio_form)(sio_parser_form(socket->nsp->core->parser) | out->form);
    if (out->binary_count == 0) {
        return eio_session_send(session, out->text, form);
    }
    sio_error err = eio_session_admit(session, sio_outgoing_bytes(out),
                                      1 + out->binary_count);
    if (err == SIO_OK) {
        err = eio_session_put(session, out->text, form);
    }
    for (size_t i = 0; i < out->binary_count && err == SIO_OK; i++) {
        err = eio_session_put(session, out->binaries[i],
                              (eio_form)(EIO_FORM_BINARY | out->form));
    }
    return err;
}
