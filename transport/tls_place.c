#include <string.h>

#include "transport/tls_context.h"

/* Copies a string that may be NULL; false when memory is short. */
static bool copy_text(sio_arena *arena, const char **text)
{
    if (*text != NULL) {
        *text = sio_arena_copy(
            arena, (sio_bytes){(const uint8_t *)*text, strlen(*text)});
        return *text != NULL;
    }
    return true;
}

static bool copy_certificate(sio_arena *arena, sio_tls_certificate *c)
{
    return copy_text(arena, &c->chain_file) &&
           copy_text(arena, &c->chain_pem) && copy_text(arena, &c->key_file) &&
           copy_text(arena, &c->key_pem) && copy_text(arena, &c->key_password);
}

/* `*to` becomes a copy of `from` that stands in `arena`. */
static sio_error copy_options(sio_arena *arena, sio_tls_options *to,
                              const sio_tls_options *from)
{
    size_t count = from->certificate_count;
    sio_tls_certificate *certificates =
        sio_arena_alloc(arena, count * sizeof(*certificates));
    if (certificates == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    *to = *from;
    to->certificates = certificates;
    for (size_t i = 0; i < count; i++) {
        certificates[i] = from->certificates[i];
        if (!copy_certificate(arena, &certificates[i])) {
            return SIO_ERR_NO_MEMORY;
        }
    }
    return copy_text(arena, &to->client_ca_file) &&
                   copy_text(arena, &to->client_ca_pem) &&
                   copy_text(arena, &to->client_crl_file) &&
                   copy_text(arena, &to->client_crl_pem)
               ? SIO_OK
               : SIO_ERR_NO_MEMORY;
}

/* A smaller one is of an older header: the rest keeps its defaults. */
static sio_tls_options widen(const sio_tls_options *given)
{
    sio_tls_options o = sio_tls_options_default();
    size_t size = given->size < sizeof(o) ? given->size : sizeof(o);
    memcpy(&o, given, size);
    o.size = sizeof(o);
    return o;
}

/* Those who take a connection wait for no file. */
static void exchange(tp_tls_place *place, tp_tls_context *context)
{
    sio_lock_take(&place->lock);
    tp_tls_context *before = place->context;
    place->context = context;
    sio_lock_leave(&place->lock);
    if (before != NULL) {
        tp_tls_context_unref(before);
    }
}

/* Makes what `options`, NULL for those of before, ask for.  All is as it was
 * when this fails. */
static sio_error change(tp_tls_place *place, const sio_tls_options *options,
                        const sio_log *log)
{
    sio_tls_options wanted = options == NULL ? place->options : widen(options);
    sio_tls_options copy = wanted;
    sio_arena arena = {0};
    tp_tls_context *context = NULL;
    sio_error err = tp_tls_context_new(&wanted, place->context, log, &context);
    if (err == SIO_OK && options != NULL) {
        err = copy_options(&arena, &copy, &wanted);
    }
    if (err != SIO_OK) {
        sio_arena_deinit(&arena);
        if (context != NULL) {
            tp_tls_context_unref(context);
        }
        return err;
    }
    exchange(place, context);
    if (options != NULL) {
        sio_arena_deinit(&place->arena);
        place->arena = arena;
        place->options = copy;
    }
    return SIO_OK;
}

sio_error tp_tls_place_init(tp_tls_place *place, const sio_tls_options *options,
                            const sio_log *log)
{
    *place = (tp_tls_place){0};
    sio_lock_init(&place->lock);
    sio_lock_init(&place->changing);
    sio_error err = change(place, options, log);
    if (err != SIO_OK) {
        sio_lock_deinit(&place->lock);
        sio_lock_deinit(&place->changing);
    }
    return err;
}

void tp_tls_place_deinit(tp_tls_place *place)
{
    tp_tls_context_unref(place->context);
    sio_arena_deinit(&place->arena);
    sio_lock_deinit(&place->lock);
    sio_lock_deinit(&place->changing);
}

sio_error tp_tls_place_reload(tp_tls_place *place,
                              const sio_tls_options *options,
                              const sio_log *log)
{
    sio_lock_take(&place->changing);
    sio_error err = change(place, options, log);
    sio_lock_leave(&place->changing);
    return err;
}

tp_tls_context *tp_tls_place_context(tp_tls_place *place)
{
    sio_lock_take(&place->lock);
    tp_tls_context *context = tp_tls_context_ref(place->context);
    sio_lock_leave(&place->lock);
    return context;
}
