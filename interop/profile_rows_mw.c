/*
 * Namespaces with middlewares.  A client may send {tag: T} in its auth; what
 * is noted of it then has that tag.
 *
 *   /mw-order    three, of which the second answers after 20 ms; each notes
 *                {what: "middleware", step}
 *   /mw-refuse   notes step 1, refuses by {message, data} of the auth, passes
 *                without a message; a second notes step 2
 *   /mw-emit     emits `early` 1, 2 before it lets pass
 *   /mw-join     joins `kept`; a second refuses when the auth has {message};
 *                an event `hello` gets one
 *   /mw-gate     notes step 1 and waits for GET /gate; then step 2
 */

#include <stdlib.h>

#include "profile_rows.h"

#define SLOW_MS 20

struct gate {
    STAILQ_ENTRY(gate) link;
    sio_next *next;
};

static void note_step(rows *r, sio_socket *socket, int step)
{
    const char *tag = NULL;
    if (sio_socket_auth_unpack(socket, "{s?s}", "tag", &tag) != SIO_OK) {
        tag = NULL;
    }
    rows_note(r, socket, "middleware", "{s:i,s:s?,s:b}", "step", step, "tag",
              tag, "connected", sio_socket_connected(socket));
}

static void step_1(sio_socket *socket, sio_next *next, void *arg)
{
    note_step(arg, socket, 1);
    sio_next_allow(next);
}

static void allow_late(void *arg)
{
    sio_next_allow(arg);
}

static void step_2_slowly(sio_socket *socket, sio_next *next, void *arg)
{
    rows *r = arg;
    note_step(r, socket, 2);
    if (!later_start(r->ts, SLOW_MS, allow_late, next)) {
        sio_next_refuse(next, "no memory", NULL);
    }
}

static void step_2(sio_socket *socket, sio_next *next, void *arg)
{
    note_step(arg, socket, 2);
    sio_next_allow(next);
}

static void step_3(sio_socket *socket, sio_next *next, void *arg)
{
    note_step(arg, socket, 3);
    sio_next_allow(next);
}

/* Refuses as the client's auth says, or lets pass. */
static void refuse_as_told(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    const char *message = NULL;
    json_t *data = NULL;
    sio_error err = sio_socket_auth_unpack(socket, "{s?s,s?o}", "message",
                                           &message, "data", &data);
    if (err != SIO_OK || message == NULL) {
        sio_next_allow(next);
        return;
    }
    char *text =
        data == NULL ? NULL : json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    sio_next_refuse(next, message, text);
    free(text);
}

static void step_1_refuse(sio_socket *socket, sio_next *next, void *arg)
{
    note_step(arg, socket, 1);
    refuse_as_told(socket, next, arg);
}

static void emit_early(sio_socket *socket, sio_next *next, void *arg)
{
    rows *r = arg;
    sio_error err = sio_socket_emit(socket, "early", "i", 1);
    rows_note(r, socket, "early", "{s:s}", "error", sio_error_text(err));
    sio_socket_emit(socket, "early", "i", 2);
    sio_next_allow(next);
}

static void join_kept(sio_socket *socket, sio_next *next, void *arg)
{
    sio_error err = sio_socket_join(socket, "kept");
    rows_note(arg, socket, "joined", "{s:s,s:b}", "error", sio_error_text(err),
              "in", sio_socket_in_room(socket, "kept"));
    sio_next_allow(next);
}

static void wait_at_gate(sio_socket *socket, sio_next *next, void *arg)
{
    rows *r = arg;
    gate *one = malloc(sizeof(*one));
    if (one == NULL || r->ts->stopping) {
        free(one);
        sio_next_refuse(next, "closing", NULL);
        return;
    }
    one->next = next;
    STAILQ_INSERT_TAIL(&r->gates, one, link);
    note_step(r, socket, 1);
}

size_t rows_gates_open(rows *r)
{
    size_t count = 0;
    while (!STAILQ_EMPTY(&r->gates)) {
        gate *one = STAILQ_FIRST(&r->gates);
        STAILQ_REMOVE_HEAD(&r->gates, link);
        sio_next_allow(one->next);
        free(one);
        count++;
    }
    return count;
}

static void on_hello(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit(socket, "hello", NULL);
}

static void on_rooms(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_event_ack(event, "b", sio_socket_in_room(socket, "kept"));
}

static void on_connection(sio_socket *socket, void *arg)
{
    const char *tag = NULL;
    if (sio_socket_auth_unpack(socket, "{s?s}", "tag", &tag) != SIO_OK) {
        tag = NULL;
    }
    rows_note(arg, socket, "connection", "{s:s?}", "tag", tag);
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    (void)why;
    rows_note(arg, socket, "disconnect", "{s:s}", "reason",
              sio_disconnect_text(reason));
}

static bool add(rows *r, const char *name, sio_middleware_fn *const *fns)
{
    sio_namespace *nsp = sio_server_of(r->ts->server, name);
    if (nsp == NULL) {
        return false;
    }
    for (; *fns != NULL; fns++) {
        if (sio_namespace_use(nsp, *fns, r) != SIO_OK) {
            return false;
        }
    }
    return sio_namespace_on_connection(nsp, on_connection, r) == SIO_OK &&
           sio_namespace_on_disconnect(nsp, on_disconnect, r) == SIO_OK &&
           sio_namespace_on(nsp, "kept", on_rooms, r) == SIO_OK &&
           sio_namespace_on(nsp, "hello", on_hello, r) == SIO_OK;
}

bool rows_middlewares_add(rows *r)
{
    static sio_middleware_fn *const order[] = {step_1, step_2_slowly, step_3,
                                               NULL};
    static sio_middleware_fn *const refuse[] = {step_1_refuse, step_2, NULL};
    static sio_middleware_fn *const emit[] = {emit_early, NULL};
    static sio_middleware_fn *const join[] = {join_kept, refuse_as_told, NULL};
    static sio_middleware_fn *const gates[] = {wait_at_gate, step_2, NULL};
    return add(r, "/mw-order", order) && add(r, "/mw-refuse", refuse) &&
           add(r, "/mw-emit", emit) && add(r, "/mw-join", join) &&
           add(r, "/mw-gate", gates);
}
