#include "base/utf8.h"
#include "socketio/events.h"
#include "socketio/recovery.h"

/* --------------------------------------------------------------- emitting --
 */

sio_error sio_args_of_json(const char *json, size_t len, sio_args *out)
{
    sio_bytes text = {(const uint8_t *)json, len};
    unsigned count;
    *out = (sio_args){.json = json, .json_len = len};
    if (!sio_utf8_valid(text)) {
        return SIO_ERR_ARGUMENT;
    }
    return sio_json_list_check(text, SIO_JSON_DEPTH_MAX, &count) == SIO_OK
               ? SIO_OK
               : SIO_ERR_ARGUMENT;
}

bool sio_socket_drops(sio_socket *socket, unsigned flags)
{
    if ((flags & SIO_EMIT_VOLATILE) == 0) {
        return false;
    }
    sio_batch_catch_up(socket);
    if (socket->client->session != NULL &&
        eio_session_idle(socket->client->session)) {
        return false;
    }
    eio_count(sio_socket_engine(socket), SIO_COUNTER_VOLATILE_DROPPED);
    return true;
}

/* These two stand apart from their caller, whose frame is empty without theirs
 * and which mostly writes an event in its place at once. */

/* From a thread that is not the socket's. */
__attribute__((noinline)) static sio_error emit_far(sio_socket *socket,
                                                    const char *event,
                                                    const sio_args *args,
                                                    unsigned flags)
{
    sio_outgoing out;
    sio_error err = sio_outgoing_event(
        &out, socket->nsp, sio_core_here(socket->nsp->core), event, args, NULL);
    if (err != SIO_OK) {
        return err;
    }
    out.form = (flags & SIO_EMIT_NO_COMPRESS) != 0 ? EIO_FORM_PLAIN : 0;
    return sio_outgoing_send_far(&out, socket, flags);
}

/* The long way: a packet that is encoded, told to listeners, kept or sent. */
__attribute__((noinline)) static sio_error emit_here(sio_socket *socket,
                                                     const char *event,
                                                     const sio_args *args,
                                                     unsigned flags)
{
    sio_outgoing out;
    sio_error err = sio_outgoing_event(&out, socket->nsp, socket->local->loop,
                                       event, args, NULL);
    if (err != SIO_OK) {
        return err;
    }
    out.form = (flags & SIO_EMIT_NO_COMPRESS) != 0 ? EIO_FORM_PLAIN : 0;
    err = sio_any_outgoing(&out, socket)
              ? sio_recovery_send(&out, socket, flags)
              : SIO_ERR_CLOSED;
    sio_outgoing_deinit(&out);
    return err;
}

sio_error sio_socket_emit_args(sio_socket *socket, const char *event,
                               const sio_args *args, unsigned flags)
{
    if (!sio_socket_is_alive(socket)) {
        return SIO_ERR_CLOSED;
    }
    if (!sio_socket_is_here(socket)) {
        return emit_far(socket, event, args, flags);
    }
    if ((flags & SIO_EMIT_VOLATILE) != 0 && sio_socket_drops(socket, flags)) {
        return sio_event_check(event);
    }
    if (socket->local->recovery == NULL) {
        if (sio_event_place(socket, event, args)) {
            return SIO_OK;
        }
    } else if (socket->saved != NULL &&
               !sio_namespace_tells_outgoing(socket->nsp)) {
        return sio_recovery_emit(socket, event, args, flags);
    }
    return emit_here(socket, event, args, flags);
}

static sio_error emit_packed(sio_socket *socket, const char *event,
                             unsigned flags, const char *format, va_list list)
{
    sio_args args;
    sio_error err = sio_pack(format, list, &args);
    if (err == SIO_OK) {
        err = sio_socket_emit_args(socket, event, &args, flags);
        sio_pack_free(&args);
    }
    return err;
}

sio_error sio_socket_emit(sio_socket *socket, const char *event,
                          const char *format, ...)
{
    va_list list;
    va_start(list, format);
    sio_error err = emit_packed(socket, event, 0, format, list);
    va_end(list);
    return err;
}

sio_error sio_socket_emit_volatile(sio_socket *socket, const char *event,
                                   const char *format, ...)
{
    va_list list;
    va_start(list, format);
    sio_error err = emit_packed(socket, event, SIO_EMIT_VOLATILE, format, list);
    va_end(list);
    return err;
}

sio_error sio_socket_emit_json(sio_socket *socket, const char *event,
                               const char *json, size_t len)
{
    sio_args args;
    sio_error err = sio_args_of_json(json, len, &args);
    return err == SIO_OK ? sio_socket_emit_args(socket, event, &args, 0) : err;
}

sio_error sio_socket_emit_binary(sio_socket *socket, const char *event,
                                 const void *data, size_t len)
{
    static const char placeholder[] = "{\"_placeholder\":true,\"num\":0}";
    sio_binary binary = {data, len};
    sio_args args = {placeholder, sizeof(placeholder) - 1, &binary, 1};
    return sio_socket_emit_args(socket, event, &args, 0);
}

/* An event that asks for an answer, on its way to the socket's thread: the
 * number for the answer is given out there, and so it is encoded there. */
typedef struct request {
    sio_errand errand;
    sio_arena arena; /* of what follows */
    const char *event;
    sio_args args;
    uint32_t timeout_ms;
    sio_ack_fn *on_ack;
    void *arg;
} request;

static void run_request(sio_errand *errand)
{
    request *r = SIO_OWNER(errand, request, errand);
    sio_error err = sio_socket_emit_ack_args(
        errand->socket, r->event, r->timeout_ms, r->on_ack, r->arg, &r->args);
    if (err != SIO_OK) {
        r->on_ack(errand->socket, err, NULL, r->arg);
    }
}

static void end_request(sio_errand *errand)
{
    sio_arena_deinit(&SIO_OWNER(errand, request, errand)->arena);
}

static sio_error request_far(sio_socket *socket, const char *event,
                             uint32_t timeout_ms, sio_ack_fn *on_ack, void *arg,
                             const sio_args *args)
{
    static const sio_args none;
    sio_error err = sio_event_check(event);
    if (err != SIO_OK) {
        return err;
    }
    args = args == NULL ? &none : args;
    if (args->binary_count > socket->nsp->core->limits.max_attachments) {
        return SIO_ERR_ARGUMENT;
    }
    request *r = sio_errand_new(sizeof(*r), socket, run_request, end_request);
    if (r == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    r->timeout_ms = timeout_ms;
    r->on_ack = on_ack;
    r->arg = arg;
    r->event = sio_arena_copy(&r->arena, sio_text(event));
    err = r->event == NULL ? SIO_ERR_NO_MEMORY
                           : sio_args_copy(&r->arena, args, &r->args);
    if (err != SIO_OK) {
        sio_errand_drop(&r->errand);
        return err;
    }
    return sio_errand_send(&r->errand);
}

sio_error sio_socket_emit_ack_args(sio_socket *socket, const char *event,
                                   uint32_t timeout_ms, sio_ack_fn *on_ack,
                                   void *arg, const sio_args *args)
{
    sio_outgoing out;
    if (!sio_socket_is_alive(socket)) {
        return SIO_ERR_CLOSED;
    }
    if (!sio_socket_is_here(socket)) {
        return request_far(socket, event, timeout_ms, on_ack, arg, args);
    }
    uint64_t id = sio_local_next_ack(socket->local);
    sio_error err = sio_outgoing_event(&out, socket->nsp, socket->local->loop,
                                       event, args, &id);
    if (err != SIO_OK) {
        return err;
    }
    err = sio_any_outgoing(&out, socket)
              ? sio_ack_expect(socket, id, timeout_ms, on_ack, arg)
              : SIO_ERR_CLOSED;
    if (err == SIO_OK) {
        err = sio_outgoing_send(&out, socket);
        if (err != SIO_OK) {
            sio_ack_forget(socket, id);
        }
    }
    sio_outgoing_deinit(&out);
    return err;
}

sio_error sio_socket_emit_ack(sio_socket *socket, const char *event,
                              uint32_t timeout_ms, sio_ack_fn *on_ack,
                              void *arg, const char *format, ...)
{
    va_list list;
    sio_args args;
    va_start(list, format);
    sio_error err = sio_pack(format, list, &args);
    va_end(list);
    if (err == SIO_OK) {
        err = sio_socket_emit_ack_args(socket, event, timeout_ms, on_ack, arg,
                                       &args);
        sio_pack_free(&args);
    }
    return err;
}
