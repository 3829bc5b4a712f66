#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile_rows.h"

static const char four_bytes[] = {1, 2, 3, 4};

static const char *text_member(const json_t *opts, const char *name,
                               const char *otherwise)
{
    const char *text = json_string_value(json_object_get(opts, name));
    return text == NULL ? otherwise : text;
}

static int int_member(const json_t *opts, const char *name)
{
    return (int)json_integer_value(json_object_get(opts, name));
}

static bool bool_member(const json_t *opts, const char *name)
{
    return json_is_true(json_object_get(opts, name));
}

static void on_echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (sio_event_wants_ack(event)) {
        sio_event_ack_args(event, sio_event_args(event));
    } else {
        sio_socket_emit_args(socket, "echo", sio_event_args(event), 0);
    }
}

static void on_message(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_socket_emit_args(socket, "message", sio_event_args(event), 0);
}

static void on_emit(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const json_t *opts = rows_options(event);
    if (opts == NULL) {
        return;
    }
    sio_args rest = sio_event_args_from(event, 1);
    unsigned flags = bool_member(opts, "volatile") ? SIO_EMIT_VOLATILE : 0;
    flags |= bool_member(opts, "plain") ? SIO_EMIT_NO_COMPRESS : 0;
    rows_ack_error(
        event, sio_socket_emit_args(socket, text_member(opts, "event", "event"),
                                    &rest, flags));
}

static void on_emit_text(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const sio_args *args = sio_event_args(event);
    rows_ack_error(event, sio_socket_emit(socket, "text", "s%{s:i}", args->json,
                                          args->json_len, "length",
                                          (int)args->json_len));
}

static sio_error emit_number(sio_socket *socket, const char *event, int number,
                             bool with_binary, bool is_volatile)
{
    static const char placeholder[] = "{\"_placeholder\":true,\"num\":0}";
    char json[64];
    int len = snprintf(json, sizeof(json), "%d%s%s", number,
                       with_binary ? "," : "", with_binary ? placeholder : "");
    sio_binary binary = {four_bytes, sizeof(four_bytes)};
    sio_args args = {json, (size_t)len, &binary, with_binary ? 1 : 0};
    return sio_socket_emit_args(socket, event, &args,
                                is_volatile ? SIO_EMIT_VOLATILE : 0);
}

static void on_burst(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const json_t *opts = rows_options(event);
    if (opts == NULL) {
        return;
    }
    const char *name = text_member(opts, "event", "n");
    int count = int_member(opts, "count");
    bool with_binary = bool_member(opts, "binary");
    bool is_volatile = bool_member(opts, "volatile");
    sio_error err = SIO_OK;
    if (bool_member(opts, "regular")) {
        err = sio_socket_emit(socket, "regular", NULL);
    }
    for (int i = 0; i < count && err == SIO_OK; i++) {
        err = emit_number(socket, name, i, with_binary, is_volatile);
    }
    sio_event_ack(event, "si", sio_error_text(err),
                  (int)sio_socket_backlog(socket));
}

typedef struct stream {
    rows *rows;
    sio_socket *socket; /* a reference */
    char event[32];
    int next, count, every;
} stream;

static void stream_step(void *arg)
{
    stream *s = arg;
    sio_error err = emit_number(s->socket, s->event, s->next, false, false);
    s->next++;
    if (err != SIO_OK || s->next >= s->count ||
        !later_start(s->rows->ts, (uint32_t)s->every, stream_step, s)) {
        sio_socket_unref(s->socket);
        free(s);
    }
}

static void on_stream(sio_socket *socket, sio_event *event, void *arg)
{
    const json_t *opts = rows_options(event);
    stream *s = opts == NULL ? NULL : calloc(1, sizeof(*s));
    if (s == NULL) {
        return;
    }
    s->rows = arg;
    s->socket = sio_socket_ref(socket);
    s->count = int_member(opts, "count");
    s->every = int_member(opts, "every");
    snprintf(s->event, sizeof(s->event), "%s", text_member(opts, "event", "n"));
    rows_ack_error(event, SIO_OK);
    stream_step(s);
}

static void on_n(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    person *p = sio_socket_data(socket);
    int number;
    if (p == NULL || sio_event_unpack(event, "i", &number) != SIO_OK) {
        return;
    }
    p->disorder += (uint32_t)number != p->next;
    p->next = (uint32_t)number + 1;
}

static void on_n_count(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const person *p = sio_socket_data(socket);
    if (p != NULL) {
        sio_event_ack(event, "ii", (int)p->next, (int)p->disorder);
    }
}

static void say_goodbye(sio_socket *socket, const sio_event *event)
{
    if (sio_event_arg_count(event) != 0) {
        sio_socket_emit_args(socket, "last", sio_event_args(event), 0);
    }
}

static void on_disconnect_me(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    say_goodbye(socket, event);
    sio_socket_disconnect(socket);
}

static void on_close_me(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    say_goodbye(socket, event);
    sio_socket_close(socket);
}

static void on_mark(sio_socket *socket, sio_event *event, void *arg)
{
    json_t *x = json_array_get(sio_event_json(event), 0);
    rows_note(arg, socket, "mark", "{s:O?}", "x", x);
}

static void on_info(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const sio_handshake *h = sio_socket_handshake(socket);
    const person *p = sio_socket_data(socket);
    sio_namespace *nsp = sio_socket_namespace(socket);
    sio_event_ack(
        event,
        "{s:s,s:s,s:s,s:s,s:i,s:i,s:i,s:b,s:b,s:b,s:s,s:s,s:I,s:b,s:b,s:s,"
        "s:b}",
        "id", sio_socket_id(socket), "nsp", sio_namespace_name(nsp), "session",
        sio_socket_session_id(socket), "transport",
        sio_socket_transport(socket), "protocol",
        (int)sio_socket_protocol(socket), "backlog",
        (int)sio_socket_backlog(socket), "rooms",
        (int)sio_socket_room_count(socket), "own-room",
        sio_socket_in_room(socket, sio_socket_id(socket)), "found",
        sio_namespace_socket(nsp, sio_socket_id(socket)) == socket, "connected",
        sio_socket_connected(socket), "address", sio_handshake_address(h),
        "url", sio_handshake_url(h), "issued",
        (json_int_t)sio_handshake_issued(h), "xdomain",
        sio_handshake_xdomain(h), "secure", sio_handshake_secure(h), "text",
        p == NULL ? "" : p->text, "recovered", sio_socket_recovered(socket));
}

static void on_handshake(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    size_t len = sio_socket_handshake_json(socket, NULL, 0);
    char *text = malloc(len + 1);
    if (text != NULL) {
        sio_socket_handshake_json(socket, text, len);
        sio_event_ack_args(event, &(sio_args){text, len, NULL, 0});
        free(text);
    }
}

static void on_set_data(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    person *p = sio_socket_data(socket);
    const char *text;
    sio_error err = sio_event_unpack(event, "s", &text);
    if (p != NULL && err == SIO_OK) {
        snprintf(p->text, sizeof(p->text), "%s", text);
    }
    rows_ack_error(event, err);
}

static void add_person(sio_socket *socket, void *arg)
{
    const person *p = sio_socket_data(socket);
    json_array_append_new(arg,
                          json_pack("{s:s,s:s}", "id", sio_socket_id(socket),
                                    "text", p == NULL ? "" : p->text));
}

static void on_everyone(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_namespace *nsp = sio_socket_namespace(socket);
    json_t *list = json_array();
    const char *room;
    if (sio_event_unpack(event, "s", &room) == SIO_OK) {
        sio_namespace_each_in(nsp, room, add_person, list);
    } else {
        sio_namespace_each(nsp, add_person, list);
    }
    sio_event_ack(event, "o", list);
}

static void on_never(sio_socket *socket, sio_event *event, void *arg)
{
    rows_note(arg, socket, "never", "{s:s}", "event", sio_event_name(event));
}

static void on_reserved(sio_socket *socket, sio_event *event, void *arg)
{
    static const char *const names[] = {
        "connect",       "connect_error", "disconnect",
        "disconnecting", "newListener",   "removeListener",
    };
    sio_namespace *nsp = sio_socket_namespace(socket);
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        sio_error emit = sio_socket_emit(socket, names[i], "i", 1);
        sio_error on = sio_namespace_on(nsp, names[i], on_never, arg);
        json_object_set_new(
            all, names[i],
            json_pack("[s,s]", sio_error_text(emit), sio_error_text(on)));
    }
    sio_event_ack(event, "o", all);
}

static void on_twice_first(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit(socket, "twice", "s", "first");
}

static void on_twice_second(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit(socket, "twice", "s", "second");
}

static void on_once(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    sio_namespace *nsp = sio_socket_namespace(socket);
    sio_namespace_off(nsp, "once", on_once, arg);
    sio_namespace_off(nsp, "once", on_once, arg);
    sio_socket_emit(socket, "once", NULL);
}

static void on_re_once(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    rows_ack_error(event, sio_namespace_on(nsp, "once", on_once, arg));
}

bool rows_events_add(rows *r, sio_namespace *nsp)
{
    static const handler list[] = {
        {"echo", on_echo},
        {"message", on_message},
        {"emit", on_emit},
        {"emit-text", on_emit_text},
        {"burst", on_burst},
        {"stream", on_stream},
        {"n", on_n},
        {"n-count", on_n_count},
        {"disconnect-me", on_disconnect_me},
        {"close-me", on_close_me},
        {"mark", on_mark},
        {"info", on_info},
        {"handshake", on_handshake},
        {"set-data", on_set_data},
        {"everyone", on_everyone},
        {"reserved", on_reserved},
        {"twice", on_twice_first},
        {"twice", on_twice_second},
        {"once", on_once},
        {"re-once", on_re_once},
    };
    return rows_on_all(r, nsp, list, sizeof(list) / sizeof(list[0]));
}
