#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile_rows.h"

static void on_ack_twice(sio_socket *socket, sio_event *event, void *arg)
{
    sio_error first = sio_event_ack_args(event, sio_event_args(event));
    sio_error second = sio_event_ack(event, "s", "again");
    rows_note(arg, socket, "ack-twice", "{s:s,s:s,s:b}", "first",
              sio_error_text(first), "second", sio_error_text(second), "wants",
              sio_event_wants_ack(event));
}

/* An acknowledgement that waits, and its arguments' text. */
typedef struct put_off {
    sio_ack *ack;
    size_t len;
    char json[];
} put_off;

static void send_put_off(void *arg)
{
    put_off *p = arg;
    sio_ack_send_args(p->ack, &(sio_args){p->json, p->len, NULL, 0});
    free(p);
}

static void on_ack_later(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    rows *r = arg;
    int ms;
    if (sio_event_unpack(event, "i", &ms) != SIO_OK) {
        return;
    }
    sio_args rest = sio_event_args_from(event, 1);
    put_off *p = malloc(sizeof(*p) + rest.json_len);
    if (p == NULL) {
        return;
    }
    p->ack = sio_event_take_ack(event);
    p->len = rest.json_len;
    if (p->len != 0) {
        memcpy(p->json, rest.json, p->len);
    }
    if (p->ack == NULL || !later_start(r->ts, (uint32_t)ms, send_put_off, p)) {
        sio_ack_drop(p->ack);
        free(p);
    }
}

static void on_ack_never(sio_socket *socket, sio_event *event, void *arg)
{
    sio_ack *ack = sio_event_take_ack(event);
    rows_note(arg, socket, "ack-never", "{s:b,s:b}", "took", ack != NULL,
              "wants", sio_event_wants_ack(event));
    sio_ack_drop(ack);
}

static void on_flaky(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    rows *r = arg;
    r->flaky_tries++;
    if (r->flaky_tries % 3 == 0) {
        bool empty = sio_event_arg_count(event) == 0;
        sio_event_ack(event, "ss", "try", empty ? "empty" : "full");
    }
}

typedef struct call {
    rows *rows;
    sio_ack *ack; /* of the client that wanted the call, or NULL */
} call;

/* Acknowledges with the text of `err` and the arguments of `answer`. */
static void pass_on(sio_ack *ack, sio_error err, const sio_event *answer)
{
    sio_args args = {0};
    if (answer != NULL) {
        args = *sio_event_args(answer);
    }
    const char *text = sio_error_text(err);
    size_t cap = strlen(text) + args.json_len + 8;
    char *json = malloc(cap);
    if (json == NULL) {
        sio_ack_drop(ack);
        return;
    }
    int len =
        snprintf(json, cap, "\"%s\"%s%.*s", text, args.json_len == 0 ? "" : ",",
                 (int)args.json_len, args.json_len == 0 ? "" : args.json);
    args.json = json;
    args.json_len = (size_t)len;
    sio_ack_send_args(ack, &args);
    free(json);
}

static void on_answer(sio_socket *socket, sio_error err, sio_event *answer,
                      void *arg)
{
    call *c = arg;
    rows_note(c->rows, socket, "called", "{s:s}", "error", sio_error_text(err));
    if (c->ack != NULL) {
        pass_on(c->ack, err, answer);
    }
    free(c);
}

static void on_call(sio_socket *socket, sio_event *event, void *arg)
{
    const json_t *opts = rows_options(event);
    call *c = opts == NULL ? NULL : malloc(sizeof(*c));
    if (c == NULL) {
        return;
    }
    const char *name = json_string_value(json_object_get(opts, "event"));
    json_int_t ms = json_integer_value(json_object_get(opts, "timeout"));
    sio_args rest = sio_event_args_from(event, 1);
    *c = (call){arg, sio_event_take_ack(event)};
    sio_error err =
        sio_socket_emit_ack_args(socket, name == NULL ? "call" : name,
                                 (uint32_t)ms, on_answer, c, &rest);
    if (err != SIO_OK) {
        on_answer(socket, err, NULL, c);
    }
}

bool rows_acks_add(rows *r, sio_namespace *nsp)
{
    static const handler list[] = {
        {"ack-twice", on_ack_twice}, {"ack-later", on_ack_later},
        {"ack-never", on_ack_never}, {"flaky", on_flaky},
        {"call", on_call},
    };
    return rows_on_all(r, nsp, list, sizeof(list) / sizeof(list[0]));
}
