#include <limits.h>
#include <stdlib.h>

#include "socketio/events.h"
#include "socketio/parent.h"
#include "socketio/spread.h"

/* Catch-all handlers: of what comes, and of what goes out. */

/* -------------------------------------------------------- registration -- */

static sio_error add(const sio_namespace *nsp, sio_handlers *handlers,
                     sio_handler handler)
{
    return sio_namespace_is_fixed(nsp) ? SIO_ERR_STATE
                                       : sio_handlers_add(handlers, handler);
}

static void take_back(const sio_namespace *nsp, sio_handlers *handlers,
                      sio_event_fn *fn, void *arg)
{
    if (!sio_namespace_is_fixed(nsp)) {
        sio_handlers_remove(handlers, fn, arg);
    }
}

static size_t list(const sio_handlers *handlers, sio_listener *out, size_t cap)
{
    size_t count = 0;
    for (int first = 1; first >= 0; first--) { /* as the list will be */
        for (size_t n = handlers->count, i = 0; i < n; i++) {
            const sio_handler *item = &handlers->items[first ? n - 1 - i : i];
            if (item->fn == NULL || item->spent || item->first != (bool)first) {
                continue;
            }
            if (count < cap) {
                out[count] = (sio_listener){item->fn, item->arg};
            }
            count++;
        }
    }
    return count;
}

sio_error sio_namespace_on_any(sio_namespace *nsp, sio_event_fn *fn, void *arg)
{
    return add(nsp, &nsp->any, (sio_handler){.fn = fn, .arg = arg});
}

sio_error sio_namespace_prepend_any(sio_namespace *nsp, sio_event_fn *fn,
                                    void *arg)
{
    return add(nsp, &nsp->any,
               (sio_handler){.fn = fn, .arg = arg, .first = true});
}

void sio_namespace_off_any(sio_namespace *nsp, sio_event_fn *fn, void *arg)
{
    take_back(nsp, &nsp->any, fn, arg);
}

size_t sio_namespace_listeners_any(const sio_namespace *nsp, sio_listener *out,
                                   size_t cap)
{
    return list(&nsp->any, out, cap);
}

sio_error sio_namespace_on_any_outgoing(sio_namespace *nsp, sio_event_fn *fn,
                                        void *arg)
{
    return add(nsp, &nsp->outgoing, (sio_handler){.fn = fn, .arg = arg});
}

sio_error sio_namespace_prepend_any_outgoing(sio_namespace *nsp,
                                             sio_event_fn *fn, void *arg)
{
    return add(nsp, &nsp->outgoing,
               (sio_handler){.fn = fn, .arg = arg, .first = true});
}

void sio_namespace_off_any_outgoing(sio_namespace *nsp, sio_event_fn *fn,
                                    void *arg)
{
    take_back(nsp, &nsp->outgoing, fn, arg);
}

size_t sio_namespace_listeners_any_outgoing(const sio_namespace *nsp,
                                            sio_listener *out, size_t cap)
{
    return list(&nsp->outgoing, out, cap);
}

/* ------------------------------------------------------------- outgoing -- */

/*
 * The event that a packet of ours is, read from its message: that is what other
 * loops have of it.  `room` is for parsers that need one.  Fails where the
 * application's arguments are not what they should be.
 */
static sio_error read_event(const sio_outgoing *out, sio_socket *socket,
                            sio_parser_room *room, sio_event *event)
{
    const sio_parser *parser = socket->nsp->core->parser;
    sio_packet_limits limits = {
        .max_depth = SIO_JSON_DEPTH_MAX,
        .max_attachments = socket->nsp->core->limits.max_attachments,
        .max_nsp = SIZE_MAX,
    };
    sio_packet packet;
    sio_bytes message = sio_frame_view(out->text);
    bool text = !parser->binary; /* whose type precedes it */
    message.base += text;
    message.len -= text;
    if (parser->whole) {
        sio_error err = sio_parser_room_init(room, &limits);
        if (err == SIO_OK) {
            err = parser->decode(parser, message, &limits, room, &packet);
        }
        if (err == SIO_OK) {
            sio_event_init(event, socket, &packet, room->binaries);
        }
        return err;
    }
    sio_error err = sio_packet_decode(message, &limits, &packet);
    if (err != SIO_OK) {
        return err;
    }
    sio_event_init(event, socket, &packet, NULL);
    sio_binary *binaries =
        sio_arena_alloc(&event->arena, out->binary_count * sizeof(*binaries));
    if (out->binary_count != 0 && binaries == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < out->binary_count; i++) {
        binaries[i] =
            (sio_binary){out->binaries[i]->data, out->binaries[i]->len};
    }
    event->args.binaries = binaries;
    return SIO_OK;
}

bool sio_any_tell(const sio_outgoing *out, sio_socket *socket)
{
    sio_event event = {0};
    sio_parser_room room = {0};
    sio_namespace *nsp = socket->nsp, *at = sio_namespace_first(nsp);
    uint8_t state = socket->state;
    if (read_event(out, socket, &room, &event) != SIO_OK) {
        at = NULL;
    }
    event.wants_ack = false;
    for (; at != NULL && socket->state == state;
         at = sio_namespace_then(nsp, at)) {
        sio_handlers_run(&at->outgoing, socket, &event);
    }
    sio_event_deinit(&event);
    sio_parser_room_deinit(&room);
    return sio_socket_is_alive(socket);
}
