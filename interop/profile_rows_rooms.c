#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile_rows.h"

enum { NAMES_MAX = 64 };

static void add_room(const char *room, void *arg)
{
    json_array_append_new(arg, json_string(room));
}

static void ack_rooms(const sio_socket *socket, sio_event *event)
{
    json_t *rooms = json_array();
    sio_socket_each_room(socket, add_room, rooms);
    sio_event_ack(event, "o", rooms);
}

/* Fills `names` with the one name, or the list of them, that `json` is;
 * borrowed from it. */
static size_t names_of(const json_t *json, const char *names[NAMES_MAX])
{
    size_t count = 0;
    if (json_is_string(json)) {
        names[count++] = json_string_value(json);
    }
    for (size_t i = 0; i < json_array_size(json) && count < NAMES_MAX; i++) {
        const char *name = json_string_value(json_array_get(json, i));
        if (name != NULL) {
            names[count++] = name;
        }
    }
    return count;
}

static void on_join(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *names[NAMES_MAX];
    size_t count = names_of(json_array_get(sio_event_json(event), 0), names);
    for (size_t i = 0; i < count; i++) {
        sio_error err = sio_socket_join(socket, names[i]);
        if (err != SIO_OK) {
            rows_ack_error(event, err);
            return;
        }
    }
    ack_rooms(socket, event);
}

static void on_leave(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *names[NAMES_MAX];
    size_t count = names_of(json_array_get(sio_event_json(event), 0), names);
    for (size_t i = 0; i < count; i++) {
        sio_socket_leave(socket, names[i]);
    }
    ack_rooms(socket, event);
}

static void on_rooms(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    ack_rooms(socket, event);
}

static void on_in(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *room;
    if (sio_event_unpack(event, "s", &room) == SIO_OK) {
        sio_event_ack(event, "b", sio_socket_in_room(socket, room));
    }
}

/* A broadcast and the lists it borrows. */
typedef struct target {
    sio_broadcast broadcast;
    const char *to[NAMES_MAX];
    const char *except[NAMES_MAX];
} target;

/* Up to SIO_BROADCAST_ROOMS names are given one by one, more as a list. */
static void target_init(target *t, sio_socket *socket, const json_t *opts)
{
    const char *from = json_string_value(json_object_get(opts, "from"));
    bool from_socket = from != NULL && strcmp(from, "socket") == 0;
    sio_broadcast b =
        from_socket ? sio_socket_broadcast(socket)
                    : sio_namespace_broadcast(sio_socket_namespace(socket));
    size_t to = names_of(json_object_get(opts, "to"), t->to);
    size_t except = names_of(json_object_get(opts, "except"), t->except);

    if (to > SIO_BROADCAST_ROOMS) {
        b = sio_broadcast_to_list(b, (const char *const *)t->to, to);
        to = 0;
    }
    if (except > SIO_BROADCAST_ROOMS) {
        b = sio_broadcast_except_list(b, (const char *const *)t->except,
                                      except);
        except = 0;
    }
    for (size_t i = 0; i < to; i++) {
        b = sio_broadcast_to(b, t->to[i]);
    }
    for (size_t i = 0; i < except; i++) {
        b = sio_broadcast_except(b, t->except[i]);
    }
    if (json_is_true(json_object_get(opts, "volatile"))) {
        b = sio_broadcast_volatile(b);
    }
    t->broadcast = sio_broadcast_compress(
        b, !json_is_true(json_object_get(opts, "plain")));
}

static const char *event_of(const json_t *opts)
{
    const char *name = json_string_value(json_object_get(opts, "event"));
    return name == NULL ? "event" : name;
}

static void on_to(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const json_t *opts = rows_options(event);
    if (opts == NULL) {
        return;
    }
    target t;
    target_init(&t, socket, opts);
    sio_args rest = sio_event_args_from(event, 1);
    rows_ack_error(event,
                   sio_broadcast_emit_args(t.broadcast, event_of(opts), &rest));
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    sio_ack *ack = arg;
    size_t cap = len + 128;
    char *json = malloc(cap);
    if (json == NULL) {
        sio_ack_drop(ack);
        return;
    }
    int used = snprintf(json, cap, "\"%s\",[%.*s],%zu,%zu", sio_error_text(err),
                        (int)len, len == 0 ? "" : answers, count, expected);
    sio_ack_send_args(ack, &(sio_args){json, (size_t)used, NULL, 0});
    free(json);
}

static void on_ask(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const json_t *opts = rows_options(event);
    sio_ack *ack = opts == NULL ? NULL : sio_event_take_ack(event);
    if (ack == NULL) {
        return;
    }
    target t;
    target_init(&t, socket, opts);
    json_t *x = json_array_get(sio_event_json(event), 1);
    json_int_t ms = json_integer_value(json_object_get(opts, "timeout"));
    sio_error err = sio_broadcast_emit_ack(
        t.broadcast, event_of(opts), (uint32_t)ms, on_answers, ack, "O?", x);
    if (err != SIO_OK) {
        on_answers(err, NULL, 0, 0, 0, ack);
    }
}

static void on_all(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const json_t *opts = rows_options(event);
    const char *what = json_string_value(json_object_get(opts, "do"));
    const char *room = json_string_value(json_object_get(opts, "room"));
    if (what == NULL) {
        return;
    }
    target t;
    target_init(&t, socket, opts);
    sio_error err = SIO_OK;
    if (strcmp(what, "join") == 0) {
        err = sio_broadcast_join(t.broadcast, room);
    } else if (strcmp(what, "leave") == 0) {
        sio_broadcast_leave(t.broadcast, room);
    } else {
        bool close = json_is_true(json_object_get(opts, "close"));
        sio_broadcast_disconnect(t.broadcast, close);
    }
    rows_ack_error(event, err);
}

static void on_immutable(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_broadcast all = sio_namespace_broadcast(sio_socket_namespace(socket));
    sio_broadcast red = sio_broadcast_to(all, "red");
    sio_broadcast red_but_me = sio_broadcast_except(red, sio_socket_id(socket));
    sio_broadcast_emit(red_but_me, "m", "i", 3);
    sio_broadcast_emit(red, "m", "i", 2);
    sio_broadcast_emit(all, "m", "i", 1);
}

bool rows_rooms_add(rows *r, sio_namespace *nsp)
{
    static const handler list[] = {
        {"join", on_join},   {"leave", on_leave},
        {"rooms", on_rooms}, {"in", on_in},
        {"to", on_to},       {"ask", on_ask},
        {"all", on_all},     {"immutable", on_immutable},
    };
    return rows_on_all(r, nsp, list, sizeof(list) / sizeof(list[0]));
}
