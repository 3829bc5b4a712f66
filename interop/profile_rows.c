/*
 * What the tests of interop/client ask for: the API, driven by a client.
 *
 * The namespaces "/", "/foo", "/bar" and "/plain" have these events.  Those
 * marked * are acknowledged, with the text of a sio_error where nothing else
 * is said.  [...] are further arguments, binary ones too.
 *
 *   echo ...             acked with ..., or emits `echo` ...
 *   message ...          emits `message` ...
 *   emit {event, volatile, plain} ...   * emits event ... to the sender;
 *                        plain: not compressed
 *   emit-text ...        * the same by a format, the arguments as one text
 *   burst {event, count, volatile, binary, regular} * emits event 0, 1, ...
 *                        in one go; with regular: event "regular" first; with
 *                        binary: a second argument of four bytes; acks how
 *                        many bytes wait then
 *   stream {event, count, every} * emits event 0, 1, ... every so many ms
 *   n I [...]            notes that I came; they are to come in order
 *   n-count              * acks how many came, and how many out of order
 *   disconnect-me [...]  emits `last` ... and disconnects the namespace
 *   close-me [...]       the same and closes the connection
 *   mark X               notes {what: "mark", x: X}
 *   info                 * acks what there is to know of a socket
 *   handshake            * acks the handshake object
 *   set-data TEXT        * attaches the text to the socket
 *   everyone [ROOM]      * acks [{id, text}] of the sockets (in the room)
 *   reserved             * acks {name: [text of emit's error, of on's]}
 *   twice                emits `twice` "first", then "second": two handlers
 *   once                 emits `once`; the handler takes itself back
 *   re-once              * registers the handler of `once` anew
 *
 *   ack-twice X          acks X, then "again"; notes the error of both
 *   ack-later MS ...     acks ... after MS
 *   ack-never            takes the ack and drops it
 *   call {event, timeout} ...    * emits event ... and asks for an ack; acks
 *                        the error's text and what came; notes `called`
 *   flaky                acks on every third try only, with the try
 *
 *   join ROOM|[ROOMS]    * acks the rooms, as does
 *   leave ROOM|[ROOMS]   *
 *   rooms                * acks the rooms
 *   in ROOM              * acks true or false
 *   to {event, to, except, from, volatile, plain} ...   * emits event ... to
 * `to`, a list, but `except`, a list; from "socket" leaves out the sender ask
 * {event, to, except, from, timeout} X     * emits event X, asks for acks; acks
 * error, answers, count, expected all {do, to, except, room, close}   * do:
 * "join", "leave", "disconnect" immutable            emits `m` 3, 2, 1 by
 * operators made of one another
 *
 * On connection a socket with {greet: N} in its auth is sent `n` 0 to N - 1.
 * "/any" notes every event: {what: "any", event, count}.  The namespaces with
 * middlewares stand in profile_rows_mw.c, those with hooks in
 * profile_rows_hooks.c.
 *
 * Notes are kept in a log, each {what, nsp, id, ...}.  Over HTTP:
 *
 *   GET /log?key=K&wait=W&count=N   the notes whose id, tag or room is K (all
 *              without K), once there are N (1) that are W (at once without)
 *   GET /counters          what the server counts; errors by their text
 *   GET /gate              lets pass who waits at a gate; {opened: N}
 *   GET /rooms?nsp=N&room=R   {sockets, members, rooms}
 *   GET /namespaces?name=N    makes it; {name, same, comma}
 *
 * The end of a socket by the server's stop is written to stderr as JSON.
 */

#include "profile_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
    LIST_ENTRY(waiter) link;
    sio_http_request *request;
    char key[64];  /* "" is everything */
    char what[32]; /* "" is nothing */
    size_t count;
};

static void respond(sio_http_request *request, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        sio_http_respond(request, 500, NULL, NULL, 0);
        return;
    }
    sio_http_respond(request, 200, "application/json", text, strlen(text));
    free(text);
}

static bool member_is(const json_t *entry, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(entry, name));
    return value != NULL && strcmp(value, text) == 0;
}

static bool has_key(const json_t *entry, const char *key)
{
    return *key == '\0' || member_is(entry, "id", key) ||
           member_is(entry, "tag", key) || member_is(entry, "room", key);
}

/* Answers, and frees `one`, when what it waits for has come or `now`. */
static void waiter_check(rows *r, waiter *one, bool now)
{
    json_t *found = json_array();
    size_t index, count = 0;
    json_t *entry;
    json_array_foreach(r->log, index, entry)
    {
        if (has_key(entry, one->key)) {
            json_array_append(found, entry);
            count += member_is(entry, "what", one->what);
        }
    }
    if (!now && *one->what != '\0' && count < one->count) {
        json_decref(found);
        return;
    }
    LIST_REMOVE(one, link);
    respond(one->request, found);
    free(one);
}

static void check_waiters(rows *r, bool now)
{
    waiter *at = LIST_FIRST(&r->waiters);
    while (at != NULL) {
        waiter *next = LIST_NEXT(at, link);
        waiter_check(r, at, now);
        at = next;
    }
}

void rows_append(rows *r, json_t *entry)
{
    json_array_append_new(r->log, entry);
    check_waiters(r, false);
}

void rows_note(rows *r, const sio_socket *socket, const char *what,
               const char *format, ...)
{
    json_t *entry = json_pack("{s:s,s:s,s:s}", "what", what, "nsp",
                              sio_namespace_name(sio_socket_namespace(socket)),
                              "id", sio_socket_id(socket));
    if (format != NULL) {
        va_list args;
        va_start(args, format);
        json_t *more = json_vpack_ex(NULL, 0, format, args);
        va_end(args);
        json_object_update(entry, more);
        json_decref(more);
    }
    rows_append(r, entry);
}

bool rows_on_all(rows *r, sio_namespace *nsp, const handler *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sio_namespace_on(nsp, list[i].event, list[i].fn, r) != SIO_OK) {
            return false;
        }
    }
    return true;
}

void rows_ack_error(sio_event *event, sio_error err)
{
    sio_event_ack(event, "s", sio_error_text(err));
}

json_t *rows_options(sio_event *event)
{
    json_t *first = json_array_get(sio_event_json(event), 0);
    if (json_is_object(first)) {
        return first;
    }
    rows_ack_error(event, SIO_ERR_MISMATCH);
    return NULL;
}

static void person_free(void *data)
{
    person *p = data;
    rows_append(p->rows,
                json_pack("{s:s,s:s}", "what", "data-freed", "id", p->id));
    free(p);
}

static void on_connection(sio_socket *socket, void *arg)
{
    rows *r = arg;
    const char *tag = NULL;
    int greet = 0;
    sio_error err = sio_socket_auth_unpack(socket, "{s?s,s?i}", "tag", &tag,
                                           "greet", &greet);
    person *p = sio_socket_recovered(socket) ? NULL : calloc(1, sizeof(*p));
    if (p != NULL) {
        p->rows = r;
        snprintf(p->id, sizeof(p->id), "%s", sio_socket_id(socket));
        sio_socket_set_data(socket, p, person_free);
    }
    rows_note(r, socket, "connection", "{s:s?,s:b,s:s,s:s}", "tag", tag,
              "connected", sio_socket_connected(socket), "transport",
              sio_socket_transport(socket), "auth", sio_error_text(err));
    for (int i = 0; i < greet; i++) {
        sio_socket_emit(socket, "n", "i", i);
    }
}

static void add_room(const char *room, void *arg)
{
    json_array_append_new(arg, json_string(room));
}

static void on_disconnecting(sio_socket *socket, sio_disconnect_reason reason,
                             sio_error why, void *arg)
{
    json_t *rooms = json_array();
    sio_socket_each_room(socket, add_room, rooms);
    rows_note(arg, socket, "disconnecting", "{s:s,s:s,s:b,s:o}", "reason",
              sio_disconnect_text(reason), "why", sio_error_text(why),
              "connected", sio_socket_connected(socket), "rooms", rooms);
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    rows *r = arg;
    size_t rooms = sio_socket_room_count(socket);
    sio_error join = sio_socket_join(socket, "too-late");
    sio_error emit = sio_socket_emit(socket, "too-late", NULL);
    rows_note(r, socket, "disconnect", "{s:s,s:s,s:b,s:i,s:s,s:s}", "reason",
              sio_disconnect_text(reason), "why", sio_error_text(why),
              "connected", sio_socket_connected(socket), "rooms", (int)rooms,
              "join", sio_error_text(join), "emit", sio_error_text(emit));
    if (reason == SIO_DISCONNECT_SERVER_SHUTTING_DOWN) {
        size_t last = json_array_size(r->log) - 1;
        json_dumpf(json_array_get(r->log, last), stderr, JSON_COMPACT);
        fputc('\n', stderr);
    }
}

static void on_drained(sio_socket *socket, void *arg)
{
    rows_note(arg, socket, "drained", "{s:i}", "backlog",
              (int)sio_socket_backlog(socket));
}

static void on_upgrade(sio_socket *socket, void *arg)
{
    rows_note(arg, socket, "upgrade", "{s:s}", "transport",
              sio_socket_transport(socket));
}

static void on_room(sio_namespace *nsp, sio_room_change change,
                    const char *room, const char *id, void *arg)
{
    static const char *const changes[] = {"created", "joined", "left",
                                          "deleted"};
    rows_append(arg, json_pack("{s:s,s:s,s:s,s:s,s:s?}", "what", "room", "nsp",
                               sio_namespace_name(nsp), "change",
                               changes[change], "room", room, "id", id));
}

static void on_any(sio_socket *socket, sio_event *event, void *arg)
{
    rows_note(arg, socket, "any", "{s:s,s:i}", "event", sio_event_name(event),
              "count", (int)sio_event_arg_count(event));
}

static void get_log(sio_http_request *request, void *arg)
{
    rows *r = arg;
    const char *query = sio_http_query(request);
    char count[8] = "1";
    waiter *one = calloc(1, sizeof(*one));
    if (one == NULL) {
        sio_http_respond(request, 500, NULL, NULL, 0);
        return;
    }
    query_value(query, "key", one->key, sizeof(one->key));
    query_value(query, "wait", one->what, sizeof(one->what));
    query_value(query, "count", count, sizeof(count));
    one->request = request;
    one->count = strtoul(count, NULL, 10);
    LIST_INSERT_HEAD(&r->waiters, one, link);
    waiter_check(r, one, r->ts->stopping);
}

static json_t *error_counts(const sio_server *server)
{
    static const sio_error all[] = {
#define ERROR_CODE(name, code, text) SIO_ERR_##name,
        SIO_ERROR_MAP(ERROR_CODE)
#undef ERROR_CODE
    };
    json_t *counts = json_object();
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        uint64_t count = sio_server_error_count(server, all[i]);
        if (count != 0) {
            json_object_set_new(counts, sio_error_text(all[i]),
                                json_integer((json_int_t)count));
        }
    }
    return counts;
}

static void get_counters(sio_http_request *request, void *arg)
{
    rows *r = arg;
    json_t *all = json_object();
    for (int i = 0; i < SIO_COUNTER_COUNT; i++) {
        sio_counter counter = (sio_counter)i;
        uint64_t value = sio_server_counter(r->ts->server, counter);
        json_object_set_new(all, sio_counter_name(counter),
                            json_integer((json_int_t)value));
    }
    json_object_set_new(all, "errors", error_counts(r->ts->server));
    respond(request, all);
}

static void get_gate(sio_http_request *request, void *arg)
{
    int opened = (int)rows_gates_open(arg);
    respond(request, json_pack("{s:i}", "opened", opened));
}

static void get_rooms(sio_http_request *request, void *arg)
{
    rows *r = arg;
    char name[64] = "/", room[64] = "";
    query_value(sio_http_query(request), "nsp", name, sizeof(name));
    query_value(sio_http_query(request), "room", room, sizeof(room));
    const sio_namespace *nsp = sio_server_of(r->ts->server, name);
    respond(request,
            json_pack("{s:i,s:i,s:i}", "sockets", (int)sio_namespace_count(nsp),
                      "members", (int)sio_namespace_room_count(nsp, room),
                      "rooms", (int)sio_namespace_rooms(nsp)));
}

static void get_namespaces(sio_http_request *request, void *arg)
{
    rows *r = arg;
    char name[66] = "/";
    query_value(sio_http_query(request), "name", name + 1, sizeof(name) - 1);
    const sio_namespace *bare = sio_server_of(r->ts->server, name + 1);
    const sio_namespace *full = sio_server_of(r->ts->server, name);
    const sio_namespace *comma = sio_server_of(r->ts->server, "/a,b");
    respond(request,
            json_pack("{s:s,s:b,s:b}", "name", sio_namespace_name(bare), "same",
                      bare == full, "comma", comma != NULL));
}

void profile_rows_defaults(options *opts)
{
    (void)opts;
}

static bool add_lifecycle(rows *r, sio_namespace *nsp)
{
    return nsp != NULL &&
           sio_namespace_on_connection(nsp, on_connection, r) == SIO_OK &&
           sio_namespace_on_disconnecting(nsp, on_disconnecting, r) == SIO_OK &&
           sio_namespace_on_disconnect(nsp, on_disconnect, r) == SIO_OK;
}

bool rows_commands_add(rows *r, sio_namespace *nsp)
{
    return add_lifecycle(r, nsp) &&
           sio_namespace_on_drained(nsp, on_drained, r) == SIO_OK &&
           sio_namespace_on_upgrade(nsp, on_upgrade, r) == SIO_OK &&
           sio_namespace_on_room(nsp, on_room, r) == SIO_OK &&
           rows_events_add(r, nsp) && rows_acks_add(r, nsp) &&
           rows_rooms_add(r, nsp) && rows_hooks_events_add(r, nsp);
}

static bool add_http(rows *r)
{
    static const struct {
        const char *path;
        sio_http_fn *fn;
    } all[] = {
        {"/log", get_log},
        {"/counters", get_counters},
        {"/gate", get_gate},
        {"/rooms", get_rooms},
        {"/namespaces", get_namespaces},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (sio_server_on_http(r->ts->server, all[i].path, all[i].fn, r) !=
            SIO_OK) {
            return false;
        }
    }
    return true;
}

bool profile_rows_setup(testserver *ts)
{
    /* "plain" gets its slash from the library. */
    static const char *const names[] = {"/", "/foo", "/bar", "plain"};
    rows *r = calloc(1, sizeof(*r));
    ts->state = r;
    if (r == NULL || (r->log = json_array()) == NULL) {
        return false;
    }
    r->ts = ts;
    LIST_INIT(&r->waiters);
    STAILQ_INIT(&r->gates);
    if (!rows_namespaces_add(r)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!rows_commands_add(r, sio_server_of(ts->server, names[i]))) {
            return false;
        }
    }
    sio_namespace *any = sio_server_of(ts->server, "/any");
    return add_lifecycle(r, any) &&
           sio_namespace_on_any(any, on_any, r) == SIO_OK &&
           rows_events_add(r, any) && rows_middlewares_add(r) &&
           rows_hooks_add(r) && add_http(r);
}

void profile_rows_stopped(testserver *ts)
{
    rows_gates_open(ts->state);
    check_waiters(ts->state, true);
}

void profile_rows_teardown(testserver *ts)
{
    rows *r = ts->state;
    if (r != NULL) {
        json_decref(r->log);
        free(r);
    }
}
