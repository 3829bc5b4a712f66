#include <stdlib.h>

#include "socketio/events.h"
#include "socketio/parent.h"
#include "socketio/spread.h"

/* The right to answer, on its own. */
struct sio_ack {
    sio_socket *socket; /* a reference */
    uint64_t id;
};

/* ------------------------------------------------------------- dispatch -- */

void sio_event_init(sio_event *event, sio_socket *socket,
                    const sio_packet *packet, const sio_binary *binaries)
{
    *event = (sio_event){
        .socket = socket,
        .raw_name = packet->name,
        .args = {(const char *)packet->args.base, packet->args.len, binaries,
                 packet->attachments},
        .arg_count = packet->arg_count,
        .wants_ack = packet->has_id,
        .ack_id = packet->id,
    };
}

void sio_event_deinit(sio_event *event)
{
    sio_event_free_tree(event);
    if (event->arena.blocks != NULL) { /* mostly not: worth no call */
        sio_arena_deinit(&event->arena);
    }
}

/* Leaves out those that were taken back during a walk. */
__attribute__((noinline)) static void tidy(sio_handlers *handlers)
{
    size_t to = 0;
    for (size_t i = 0; i < handlers->count; i++) {
        sio_handler one = handlers->items[i];
        if (one.fn == NULL || one.spent) {
            continue;
        }
        size_t at = one.first ? 0 : to;
        memmove(&handlers->items[at + 1], &handlers->items[at],
                (to - at) * sizeof(one));
        one.first = false;
        handlers->items[at] = one;
        to++;
    }
    handlers->count = to;
    handlers->untidy = false;
}

/* Whether one that is for once has not been called yet. */
static bool spend(sio_handlers *handlers, sio_handler *handler, bool fixed)
{
    if (!fixed) {
        handlers->untidy = true;
    }
    return !atomic_exchange_explicit(&handler->spent, true,
                                     memory_order_relaxed);
}

static inline void run(sio_handlers *handlers, sio_socket *socket,
                       sio_event *event)
{
    size_t count = handlers->count; /* those added meanwhile have to wait */
    bool fixed = socket->nsp->core->fixed; /* then others are reading too */
    uint8_t state = socket->state;
    if (!fixed) {
        handlers->running++;
    }
    for (size_t i = 0; i < count && socket->state == state; i++) {
        sio_handler *handler = &handlers->items[i];
        if (handler->fn != NULL &&
            (!handler->once || spend(handlers, handler, fixed))) {
            handler->fn(socket, event, handler->arg);
        }
    }
    if (!fixed && --handlers->running == 0 && handlers->untidy) {
        tidy(handlers);
    }
}

void sio_handlers_run(sio_handlers *handlers, sio_socket *socket,
                      sio_event *event)
{
    run(handlers, socket, event);
}

sio_error sio_handlers_add(sio_handlers *handlers, sio_handler handler)
{
    sio_handler *items =
        realloc(handlers->items, (handlers->count + 1) * sizeof(*items));
    if (items == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    items[handlers->count] = handler;
    handlers->items = items;
    handlers->count++;
    if (handler.first) {
        handlers->untidy = true;
        if (handlers->running == 0) {
            tidy(handlers);
        }
    }
    return SIO_OK;
}

void sio_handlers_remove(sio_handlers *handlers, sio_event_fn *fn, void *arg)
{
    for (size_t i = 0; i < handlers->count; i++) {
        sio_handler *item = &handlers->items[i];
        if (fn == NULL ||
            (item->fn == fn && item->arg == arg && !item->spent)) {
            item->fn = NULL; /* where a walk is under way, it keeps its place */
            handlers->untidy = true;
            if (fn != NULL) {
                break;
            }
        }
    }
    if (handlers->running == 0 && handlers->untidy) {
        tidy(handlers);
    }
}

/* Whether `len` bytes are the same.  Most names have 4 to 16, which two words
 * cover that may overlap; to call memcmp() would cost more. */
static inline bool same_name(const uint8_t *a, const char *b, size_t len)
{
    if (len >= 4 && len < 8) {
        return memcmp(a, b, 4) == 0 && memcmp(a + len - 4, b + len - 4, 4) == 0;
    }
    if (len >= 8 && len <= 16) {
        return memcmp(a, b, 8) == 0 && memcmp(a + len - 8, b + len - 8, 8) == 0;
    }
    return memcmp(a, b, len) == 0;
}

/* Whether the event is one of these, which is seen without a search for most:
 * of both the names are written plainly. */
static bool is_named(const sio_handlers *handlers, sio_bytes raw)
{
    return handlers->plain && raw.len == handlers->view.len + 2 &&
           raw.base[0] == '"' &&
           same_name(raw.base + 1, handlers->name, handlers->view.len);
}

/* The handlers of `at` by name, or NULL.  A name with an escape has to be
 * decoded first.  Only those that come first are remembered, as the loop's
 * `latest`, which lives as long. */
__attribute__((noinline)) static sio_handlers *
find_handlers(sio_event *event, const sio_namespace *at)
{
    sio_bytes raw = event->raw_name, name = raw;
    sio_local *local = event->socket->local;
    bool is_first = at == sio_namespace_first(event->socket->nsp);
    if (raw.base[0] == '"' && memchr(raw.base, '\\', raw.len) == NULL) {
        name = (sio_bytes){raw.base + 1, raw.len - 2};
    } else if (raw.base[0] == '"') {
        char *plain = sio_arena_alloc(&event->arena, raw.len);
        if (plain == NULL ||
            sio_json_unescape(raw, (uint8_t *)plain, &name.len) != SIO_OK) {
            return NULL;
        }
        name.base = (const uint8_t *)plain;
    }
    sio_map_node *node = sio_map_find(&at->handlers, name);
    if (node == NULL) {
        return NULL;
    }
    sio_handlers *found = SIO_OWNER(node, sio_handlers, node);
    if (is_first) {
        local->latest = found;
    }
    return found;
}

/* Calls the catch-all handlers, as long as the socket is connected. */
static void run_any(sio_namespace *nsp, sio_event *event)
{
    sio_socket *socket = event->socket;
    if (nsp->parent != NULL && nsp->parent->any.count != 0) {
        sio_handlers_run(&nsp->parent->any, socket, event);
    }
    if (nsp->any.count != 0 && socket->state == SIO_SOCKET_CONNECTED) {
        sio_handlers_run(&nsp->any, socket, event);
    }
}

void sio_event_dispatch(sio_socket *socket, const sio_packet *packet,
                        const sio_binary *binaries)
{
    sio_namespace *nsp = socket->nsp;
    sio_event event;
    sio_event_init(&event, socket, packet, binaries);
    run_any(nsp, &event);
    if (sio_namespace_filters_events(nsp)) {
        sio_event_filter(&event);
        return;
    }
    if (socket->state == SIO_SOCKET_CONNECTED) {
        sio_event_deliver(&event);
    }
    sio_event_deinit(&event);
}

static inline void run_found(sio_handlers *handlers, sio_event *event)
{
    if (handlers != NULL) {
        event->name = handlers->name;
        run(handlers, event->socket, event);
    }
}

void sio_event_deliver(sio_event *event)
{
    sio_socket *socket = event->socket;
    sio_namespace *nsp = socket->nsp;
    sio_handlers *own = socket->local->latest;
    if (event->raw_name.len == 0) {
        return;
    }
    if (own == NULL || !is_named(own, event->raw_name)) {
        own = find_handlers(event, sio_namespace_first(nsp));
    }
    run_found(own, event);
    if (nsp->parent != NULL && socket->state == SIO_SOCKET_CONNECTED) {
        run_found(find_handlers(event, nsp), event);
    }
}

/* ------------------------------------------------------------ accessors -- */

static char *decode_name(sio_event *event)
{
    sio_bytes raw = event->raw_name;
    char *name = sio_arena_copy(&event->arena, raw);
    size_t len = raw.len;
    if (name == NULL) {
        return NULL;
    }
    if (raw.len != 0 && raw.base[0] == '"' &&
        sio_json_unescape(raw, (uint8_t *)name, &len) != SIO_OK) {
        len = 0;
    }
    name[len] = '\0';
    return name;
}

const char *sio_event_name(const sio_event *event)
{
    sio_event *self = (sio_event *)(uintptr_t)event; /* a cache inside */
    if (self->name == NULL) {
        self->name = decode_name(self);
    }
    return self->name == NULL ? "" : self->name;
}

const sio_args *sio_event_args(const sio_event *event)
{
    return &event->args;
}

size_t sio_event_arg_count(const sio_event *event)
{
    return event->arg_count;
}

/* A walk over the arguments that is gone on with: a peer may send many, and a
 * handler that asks for one after the other must not start anew each time. */
typedef struct sio_arg_walk {
    const char *json; /* that it is over */
    sio_json_items items;
    size_t count;   /* how many it has met ... */
    sio_bytes item; /* ... and the latest */
} sio_arg_walk;

/* Below this one a walk is not worth its memory. */
#define WALK_FROM 16

/* Goes on to the one at `index`, or from the beginning. */
static sio_bytes walk_to(sio_arg_walk *walk, const sio_args *args, size_t index)
{
    sio_json_type type;
    if (walk->json != args->json || walk->count > index + 1) {
        *walk = (sio_arg_walk){
            .json = args->json,
            .items = sio_json_items_of_list(
                (sio_bytes){(const uint8_t *)args->json, args->json_len}),
        };
    }
    while (walk->count <= index) {
        if (!sio_json_items_next(&walk->items, &walk->item, &type)) {
            return (sio_bytes){NULL, 0};
        }
        walk->count++;
    }
    return walk->item;
}

static sio_bytes arg_at(const sio_event *event, size_t index)
{
    sio_event *self = (sio_event *)(uintptr_t)event; /* a cache inside */
    sio_arg_walk once = {0};
    if (index >= WALK_FROM && self->walk == NULL) {
        self->walk = sio_arena_alloc(&self->arena, sizeof(*self->walk));
        if (self->walk != NULL) {
            *self->walk = (sio_arg_walk){0};
        }
    }
    return walk_to(self->walk == NULL ? &once : self->walk, &event->args,
                   index);
}

const char *sio_event_arg(const sio_event *event, size_t index, size_t *len)
{
    sio_bytes arg = arg_at(event, index);
    if (len != NULL) {
        *len = arg.len;
    }
    return (const char *)arg.base;
}

sio_args sio_event_args_from(const sio_event *event, size_t index)
{
    const sio_args *all = &event->args;
    const char *first = (const char *)arg_at(event, index).base;
    if (first == NULL) {
        return (sio_args){0};
    }
    return (sio_args){first, (size_t)(all->json + all->json_len - first),
                      all->binaries, all->binary_count};
}

/* What the search for placeholders in one argument has found. */
typedef struct search {
    sio_bytes arg;
    sio_bytes num;
    bool found;
} search;

static sio_error on_placeholder(void *arg, sio_bytes object, sio_bytes num)
{
    search *s = arg;
    if (object.base == s->arg.base && object.len == s->arg.len) {
        s->found = true;
        s->num = num;
    }
    return SIO_OK;
}

sio_error sio_event_arg_binary(const sio_event *event, size_t index,
                               sio_binary *out)
{
    search s = {.arg = arg_at(event, index)};
    if (event->args.binary_count == 0 || s.arg.len == 0 ||
        s.arg.base[0] != '{' ||
        sio_json_check_placeholders(s.arg, SIO_JSON_DEPTH_MAX, on_placeholder,
                                    &s) != SIO_OK ||
        !s.found) {
        return SIO_ERR_MISMATCH;
    }
    size_t num = 0;
    for (size_t i = 0; i < s.num.len; i++) {
        num = num * 10 + (size_t)(s.num.base[i] - '0');
    }
    if (num >= event->args.binary_count) {
        return SIO_ERR_MISMATCH;
    }
    *out = event->args.binaries[num];
    return SIO_OK;
}

/* ----------------------------------------------------------------- acks -- */

static sio_error send_ack(sio_socket *socket, uint64_t id, const sio_args *args)
{
    sio_outgoing out;
    if (socket->state != SIO_SOCKET_CONNECTED) {
        return SIO_ERR_CLOSED;
    }
    bool here = sio_socket_is_here(socket);
    if (here && sio_ack_place(socket, args, id)) {
        return SIO_OK;
    }
    sio_loop *loop =
        here ? socket->local->loop : sio_core_here(socket->nsp->core);
    sio_error err = sio_outgoing_ack(&out, socket->nsp, loop, args, id);
    if (err != SIO_OK) {
        return err;
    }
    if (!here) {
        return sio_outgoing_send_far(&out, socket, 0);
    }
    err = sio_outgoing_send(&out, socket);
    sio_outgoing_deinit(&out);
    return err;
}

static sio_error send_packed(sio_socket *socket, uint64_t id,
                             const char *format, va_list list)
{
    sio_args args;
    sio_error err = sio_pack(format, list, &args);
    if (err == SIO_OK) {
        err = send_ack(socket, id, &args);
        sio_pack_free(&args);
    }
    return err;
}

bool sio_event_wants_ack(const sio_event *event)
{
    return event->wants_ack;
}

sio_error sio_event_ack(sio_event *event, const char *format, ...)
{
    va_list list;
    if (!event->wants_ack) {
        return SIO_ERR_STATE;
    }
    va_start(list, format);
    sio_error err = send_packed(event->socket, event->ack_id, format, list);
    va_end(list);
    event->wants_ack = err != SIO_OK;
    return err;
}

sio_error sio_event_ack_args(sio_event *event, const sio_args *args)
{
    if (!event->wants_ack) {
        return SIO_ERR_STATE;
    }
    sio_error err = send_ack(event->socket, event->ack_id, args);
    event->wants_ack = err != SIO_OK;
    return err;
}

sio_ack *sio_event_take_ack(sio_event *event)
{
    sio_ack *ack = event->wants_ack ? malloc(sizeof(*ack)) : NULL;
    if (ack != NULL) {
        *ack = (sio_ack){sio_socket_ref(event->socket), event->ack_id};
        event->wants_ack = false;
    }
    return ack;
}

void sio_ack_drop(sio_ack *ack)
{
    if (ack != NULL) {
        sio_socket_unref(ack->socket);
        free(ack);
    }
}

sio_error sio_ack_send(sio_ack *ack, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    sio_error err = send_packed(ack->socket, ack->id, format, list);
    va_end(list);
    sio_ack_drop(ack);
    return err;
}

sio_error sio_ack_send_args(sio_ack *ack, const sio_args *args)
{
    sio_error err = send_ack(ack->socket, ack->id, args);
    sio_ack_drop(ack);
    return err;
}
