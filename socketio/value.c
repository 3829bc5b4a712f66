#include "socketio/jansson.h"

#include <stdlib.h>

#include "socketio/events.h"

/* JSON trees: convenience over the spans that the rest of the layer passes. */

/* Longer formats are somebody's mistake. */
#define FORMAT_MAX 512

/* Writes `format` in brackets: one item per argument. */
static sio_error bracket(const char *format, char out[FORMAT_MAX + 3])
{
    size_t len = strlen(format);
    if (len > FORMAT_MAX) {
        return SIO_ERR_ARGUMENT;
    }
    out[0] = '[';
    memcpy(out + 1, format, len);
    memcpy(out + 1 + len, "]", 2);
    return SIO_OK;
}

/* Jansson's text goes where it came from: the application may have given it
 * an allocator by json_set_alloc_funcs(). */
static void free_text(char *text)
{
    json_free_t free_fn;
    if (text != NULL) {
        json_get_alloc_funcs(NULL, &free_fn);
        free_fn(text);
    }
}

void sio_pack_free(const sio_args *packed)
{
    free_text((char *)(uintptr_t)packed->json);
}

/* Whether jansson failed for want of memory.  Where an array or an object was
 * what it had none for, it says nothing, and sets no code. */
static bool lacked_memory(const json_error_t *error)
{
    return error->text[0] == '\0' ||
           json_error_code(error) == json_error_out_of_memory;
}

/* The inner text of an array, which sio_pack_free() frees. */
static sio_error dump(const json_t *array, sio_args *out)
{
    char *text = json_dumps(array, JSON_COMPACT);
    size_t len = text == NULL ? 0 : strlen(text);
    if (len < 2) {
        free_text(text);
        return SIO_ERR_NO_MEMORY;
    }
    memmove(text, text + 1, len - 2);
    *out = (sio_args){.json = text, .json_len = len - 2};
    return SIO_OK;
}

sio_error sio_pack(const char *format, va_list list, sio_args *out)
{
    char bracketed[FORMAT_MAX + 3];
    json_error_t error;
    *out = (sio_args){0};
    if (format == NULL) {
        return SIO_OK;
    }
    sio_error err = bracket(format, bracketed);
    if (err != SIO_OK) {
        return err;
    }
    json_t *array = json_vpack_ex(&error, 0, bracketed, list);
    if (array == NULL) {
        return lacked_memory(&error) ? SIO_ERR_NO_MEMORY : SIO_ERR_ARGUMENT;
    }
    err = dump(array, out);
    json_decref(array);
    return err;
}

/* --------------------------------------------------------------- events -- */

/* Why jansson gave no tree of what has been found to be JSON.  It does not know
 * all of that: half of a surrogate pair, and numbers beyond its range, it
 * refuses.  Where it had no memory it says nothing, or that a token is not what
 * it expected. */
static sio_error no_tree(const json_error_t *error)
{
    static const char half[] = "invalid Unicode";
    if (lacked_memory(error)) {
        return SIO_ERR_NO_MEMORY;
    }
    return json_error_code(error) == json_error_invalid_syntax &&
                   strncmp(error->text, half, sizeof(half) - 1) != 0
               ? SIO_ERR_NO_MEMORY
               : SIO_ERR_MISMATCH;
}

static sio_error plant_tree(sio_event *event)
{
    const sio_args *args = &event->args;
    json_error_t error;
    if (event->tree != NULL) {
        return SIO_OK;
    }
    char *text = malloc(args->json_len + 2);
    if (text == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    text[0] = '[';
    if (args->json_len != 0) {
        memcpy(text + 1, args->json, args->json_len);
    }
    text[args->json_len + 1] = ']';
    event->tree = json_loadb(text, args->json_len + 2, JSON_ALLOW_NUL, &error);
    free(text);
    return event->tree == NULL ? no_tree(&error) : SIO_OK;
}

json_t *sio_event_json(sio_event *event)
{
    return plant_tree(event) == SIO_OK ? event->tree : NULL;
}

void sio_event_free_tree(sio_event *event)
{
    json_decref(event->tree);
    event->tree = NULL;
}

static sio_error unpack(json_t *tree, const char *format, va_list list)
{
    json_error_t error;
    if (json_vunpack_ex(tree, &error, 0, format, list) == 0) {
        return SIO_OK;
    }
    return lacked_memory(&error) ? SIO_ERR_NO_MEMORY : SIO_ERR_MISMATCH;
}

sio_error sio_event_unpack(sio_event *event, const char *format, ...)
{
    char bracketed[FORMAT_MAX + 3];
    sio_error err = bracket(format, bracketed);
    if (err == SIO_OK) {
        err = plant_tree(event);
    }
    if (err != SIO_OK) {
        return err;
    }
    va_list list;
    va_start(list, format);
    err = unpack(event->tree, bracketed, list);
    va_end(list);
    return err;
}

sio_error sio_socket_auth_unpack(sio_socket *socket, const char *format, ...)
{
    const char *text = sio_socket_auth(socket);
    json_error_t error;
    void **tree = sio_socket_auth_tree(socket, true);
    if (tree == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    if (*tree == NULL) {
        *tree = json_loads(text, JSON_ALLOW_NUL, &error);
    }
    if (*tree == NULL) {
        return no_tree(&error);
    }
    va_list list;
    va_start(list, format);
    sio_error err = unpack(*tree, format, list);
    va_end(list);
    return err;
}

void sio_socket_free_auth(sio_socket *socket)
{
    void **tree = sio_socket_auth_tree(socket, false);
    if (tree != NULL) {
        json_decref(*tree);
        *tree = NULL;
    }
}

/* ---------------------------------------------------------------- trees -- */

json_t *sio_binary_json(size_t num)
{
    return json_pack("{s:b,s:I}", "_placeholder", 1, "num", (json_int_t)num);
}

static sio_error args_of(const json_t *tree, const sio_binary *binaries,
                         size_t count, sio_args *out)
{
    *out = (sio_args){0};
    if (tree != NULL && !json_is_array(tree)) {
        return SIO_ERR_ARGUMENT;
    }
    sio_error err = tree == NULL ? SIO_OK : dump(tree, out);
    out->binaries = binaries;
    out->binary_count = count;
    return err;
}

sio_error sio_socket_emit_tree(sio_socket *socket, const char *event,
                               const json_t *args, const sio_binary *binaries,
                               size_t binary_count)
{
    sio_args spans;
    sio_error err = args_of(args, binaries, binary_count, &spans);
    if (err == SIO_OK) {
        err = sio_socket_emit_args(socket, event, &spans, 0);
        sio_pack_free(&spans);
    }
    return err;
}

sio_error sio_broadcast_emit_tree(sio_broadcast b, const char *event,
                                  const json_t *args,
                                  const sio_binary *binaries,
                                  size_t binary_count)
{
    sio_args spans;
    sio_error err = args_of(args, binaries, binary_count, &spans);
    if (err == SIO_OK) {
        err = sio_broadcast_emit_args(b, event, &spans);
        sio_pack_free(&spans);
    }
    return err;
}

sio_error sio_event_ack_tree(sio_event *event, const json_t *args,
                             const sio_binary *binaries, size_t binary_count)
{
    sio_args spans;
    sio_error err = args_of(args, binaries, binary_count, &spans);
    if (err == SIO_OK) {
        err = sio_event_ack_args(event, &spans);
        sio_pack_free(&spans);
    }
    return err;
}
