#include "socketio/adapter_impl.h"

#include <stdlib.h>

#include "socketio/events.h"
#include "socketio/parent.h"

/* -------------------------------------------------------- lives of adapters --
 */

void sio_adapter_open(sio_namespace *nsp)
{
    sio_core *core = nsp->core;
    const sio_adapter_methods *methods = core->adapter;
    if (methods->open == NULL) {
        nsp->adapter = methods;
        return;
    }
    nsp->adapter_self = methods->open(nsp, core->adapter_arg);
    if (nsp->adapter_self == NULL) {
        sio_log_write(core->loops[0]->engine->log, SIO_LOG_ERROR,
                      "adapter_failed", "%s has no adapter", nsp->name);
        return;
    }
    nsp->adapter = methods;
    if (core->serving && methods->start != NULL) {
        methods->start(nsp->adapter_self, nsp);
    }
}

void sio_adapter_close(sio_namespace *nsp)
{
    const sio_adapter_methods *methods = nsp->adapter;
    nsp->adapter = &sio_adapter_memory;
    if (methods->close != NULL) {
        methods->close(nsp->adapter_self, nsp);
    }
}

static void start(sio_namespace *nsp, void *arg)
{
    (void)arg;
    if (nsp->adapter->start != NULL) {
        nsp->adapter->start(nsp->adapter_self, nsp);
    }
}

static void stop(sio_namespace *nsp, void *arg)
{
    (void)arg;
    if (nsp->adapter->stop != NULL) {
        nsp->adapter->stop(nsp->adapter_self, nsp);
    }
}

/* With core->making nobody opens one meanwhile. */
static void set_serving(sio_core *core, bool serving)
{
    if (core->adapter == &sio_adapter_memory) {
        return;
    }
    sio_lock_take(&core->making);
    core->serving = serving;
    if (sio_core_each(core, serving ? start : stop, NULL) != SIO_OK) {
        sio_log_write(core->loops[0]->engine->log, SIO_LOG_ERROR,
                      "adapter_failed", "no memory to tell the adapters");
    }
    sio_lock_leave(&core->making);
}

void sio_adapters_start(sio_core *core)
{
    set_serving(core, true);
}

void sio_adapters_stop(sio_core *core)
{
    set_serving(core, false);
}

void *sio_namespace_adapter(const sio_namespace *nsp)
{
    return nsp->adapter_self;
}

/* ------------------------------------------------------------- operations --
 */

/* Who does it: the namespace's adapter, or, where that does not, or `local`,
 * the one that knows this server alone. */
#define CHOOSE(nsp, local, name)                                               \
    ((local) || (nsp)->adapter->name == NULL ? &sio_adapter_memory             \
                                             : (nsp)->adapter)

/* An operation that has been given to each child. */
typedef struct passing {
    const sio_broadcast *b;
    sio_error (*pass)(const struct passing *self, const sio_broadcast *b);
    const char *text; /* event or room */
    const sio_args *args;
    bool close;
    sio_error err;
} passing;

static void pass_to(sio_namespace *child, void *arg)
{
    passing *p = arg;
    sio_broadcast b = *p->b;
    if (child->parent == b.nsp) {
        b.nsp = child;
        sio_error err = p->pass(p, &b);
        p->err = p->err == SIO_OK ? err : p->err;
    }
}

static bool is_passed_on(const sio_broadcast *b)
{
    return b->nsp->as_parent != NULL &&
           b->nsp->core->adapter != &sio_adapter_memory &&
           (b->flags & SIO_BROADCAST_LOCAL) == 0;
}

static sio_error pass_on(passing *p)
{
    sio_error err = sio_core_each(p->b->nsp->core, pass_to, p);
    return err == SIO_OK ? p->err : err;
}

static bool is_local(const sio_broadcast *b)
{
    return (b->flags & SIO_BROADCAST_LOCAL) != 0;
}

static const sio_args no_args;

/* What sio_adapter_memory looks at itself, others need not. */
static sio_error check(const sio_adapter_methods *adapter,
                       const sio_broadcast *b, const char *event,
                       const sio_args *args)
{
    const sio_core *core = b->nsp->core;
    if (adapter == &sio_adapter_memory) {
        return SIO_OK;
    }
    if ((b->flags & SIO_BROADCAST_OVERFLOW) != 0 ||
        args->binary_count > core->limits.max_attachments) {
        return SIO_ERR_ARGUMENT;
    }
    return event == NULL ? SIO_OK : sio_event_check(event);
}

static sio_error pass_emit(const passing *p, const sio_broadcast *b)
{
    return sio_adapter_emit(b, p->text, p->args);
}

sio_error sio_adapter_emit(const sio_broadcast *b, const char *event,
                           const sio_args *args)
{
    sio_namespace *nsp = b->nsp;
    if (is_passed_on(b)) {
        return pass_on(
            &(passing){.b = b, .pass = pass_emit, .text = event, .args = args});
    }
    const sio_adapter_methods *a = CHOOSE(nsp, is_local(b), emit);
    args = args == NULL ? &no_args : args;
    sio_error err = check(a, b, event, args);
    return err == SIO_OK ? a->emit(nsp->adapter_self, b, event, args) : err;
}

sio_error sio_adapter_emit_ack(const sio_broadcast *b, const char *event,
                               const sio_args *args, uint32_t timeout_ms,
                               sio_answers_fn *fn, void *arg)
{
    sio_namespace *nsp = b->nsp;
    const sio_adapter_methods *a = CHOOSE(nsp, is_local(b), emit_ack);
    sio_error err = check(a, b, event, args);
    return err == SIO_OK ? a->emit_ack(nsp->adapter_self, b, event, args,
                                       timeout_ms, fn, arg)
                         : err;
}

static sio_error pass_join(const passing *p, const sio_broadcast *b)
{
    return sio_broadcast_join(*b, p->text);
}

sio_error sio_broadcast_join(sio_broadcast b, const char *room)
{
    const sio_namespace *nsp = b.nsp;
    if (is_passed_on(&b)) {
        return pass_on(&(passing){.b = &b, .pass = pass_join, .text = room});
    }
    const sio_adapter_methods *a = CHOOSE(nsp, is_local(&b), join);
    sio_error err = check(a, &b, NULL, &no_args);
    return err == SIO_OK ? a->join(nsp->adapter_self, &b, room) : err;
}

static sio_error pass_leave(const passing *p, const sio_broadcast *b)
{
    return sio_broadcast_leave(*b, p->text);
}

sio_error sio_broadcast_leave(sio_broadcast b, const char *room)
{
    const sio_namespace *nsp = b.nsp;
    if (is_passed_on(&b)) {
        return pass_on(&(passing){.b = &b, .pass = pass_leave, .text = room});
    }
    const sio_adapter_methods *a = CHOOSE(nsp, is_local(&b), leave);
    sio_error err = check(a, &b, NULL, &no_args);
    return err == SIO_OK ? a->leave(nsp->adapter_self, &b, room) : err;
}

static sio_error pass_disconnect(const passing *p, const sio_broadcast *b)
{
    return sio_broadcast_disconnect(*b, p->close);
}

sio_error sio_broadcast_disconnect(sio_broadcast b, bool close)
{
    const sio_namespace *nsp = b.nsp;
    if (is_passed_on(&b)) {
        return pass_on(
            &(passing){.b = &b, .pass = pass_disconnect, .close = close});
    }
    const sio_adapter_methods *a = CHOOSE(nsp, is_local(&b), disconnect);
    sio_error err = check(a, &b, NULL, &no_args);
    return err == SIO_OK ? a->disconnect(nsp->adapter_self, &b, close) : err;
}

sio_error sio_broadcast_fetch_infos(sio_broadcast b, sio_infos_fn *fn,
                                    void *arg)
{
    const sio_namespace *nsp = b.nsp;
    const sio_adapter_methods *a = CHOOSE(nsp, is_local(&b), fetch_infos);
    sio_error err = check(a, &b, NULL, &no_args);
    return err == SIO_OK ? a->fetch_infos(nsp->adapter_self, &b, fn, arg) : err;
}

sio_error sio_adapter_emit_server(sio_namespace *nsp, const char *event,
                                  const sio_args *args)
{
    return CHOOSE(nsp, false, emit_server)
        ->emit_server(nsp->adapter_self, nsp, event, args);
}

sio_error sio_adapter_emit_server_ack(sio_namespace *nsp, const char *event,
                                      const sio_args *args, uint32_t timeout_ms,
                                      sio_answers_fn *fn, void *arg)
{
    return CHOOSE(nsp, false, emit_server_ack)
        ->emit_server_ack(nsp->adapter_self, nsp, event, args, timeout_ms, fn,
                          arg);
}

sio_error sio_namespace_count_servers(sio_namespace *nsp, sio_count_fn *fn,
                                      void *arg)
{
    return CHOOSE(nsp, false, count_servers)
        ->count_servers(nsp->adapter_self, nsp, fn, arg);
}

/* ------------------------------------------------- what a broadcast says -- */

static void list(const char *const *names, size_t count, const char **out,
                 size_t cap, size_t *at)
{
    for (size_t i = 0; i < count; i++, ++*at) {
        if (*at < cap) {
            out[*at] = names[i];
        }
    }
}

size_t sio_broadcast_rooms(const sio_broadcast *b, const char **out, size_t cap)
{
    size_t at = 0;
    list(b->to, b->to_count, out, cap, &at);
    list(b->to_list, b->to_list_count, out, cap, &at);
    return at;
}

size_t sio_broadcast_excepted(const sio_broadcast *b, const char **out,
                              size_t cap)
{
    size_t at = 0;
    list(b->except, b->except_count, out, cap, &at);
    list(b->except_list, b->except_list_count, out, cap, &at);
    if (b->except_socket != NULL) {
        const char *id = sio_socket_own_id(b->except_socket);
        list(&id, 1, out, cap, &at);
    }
    return at;
}

bool sio_broadcast_is_volatile(const sio_broadcast *b)
{
    return (b->flags & SIO_BROADCAST_VOLATILE) != 0;
}

bool sio_broadcast_may_compress(const sio_broadcast *b)
{
    return (b->flags & SIO_BROADCAST_PLAIN) == 0;
}

/* -------------------------------------------------- this server, and no other
 * --
 */

static sio_error memory_count_servers(void *self, sio_namespace *nsp,
                                      sio_count_fn *fn, void *arg)
{
    (void)self;
    (void)nsp;
    fn(SIO_OK, 1, arg);
    return SIO_OK;
}

const sio_adapter_methods sio_adapter_memory = {
    .emit = sio_memory_emit,
    .emit_ack = sio_memory_emit_ack,
    .join = sio_memory_join,
    .leave = sio_memory_leave,
    .disconnect = sio_memory_disconnect,
    .fetch_infos = sio_memory_fetch_infos,
    .emit_server = sio_memory_emit_server,
    .emit_server_ack = sio_memory_emit_server_ack,
    .count_servers = memory_count_servers,
};
