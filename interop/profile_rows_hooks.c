/*
 * Namespaces with hooks about events and connections.
 *
 *   /ev-use   two middlewares of events, which note {what: "step", step,
 * event}; the second one does what the event's name says: drop, fail MESSAGE
 * DATA, slow (answers after 200 ms), edit (another name, arguments from the
 * second on), leave (disconnects, lets pass), answer (acks "m"), request (acks
 * what it knows of the request); others pass.  Catch-all handlers note {what:
 * "any"}, handlers of slow, drop, fail, leave, edited, plain and error note
 * {what: "handled", event, args} and ack "h"; what fails is noted as {what:
 * "event-error", event, message, data}. /catch    handlers a, b, and p in
 * front, which note {what: "catch", mark, event, ack} and of which `a` acks the
 * event `catch-ack`; events `off` and `off-all` take back b or all, `listed`
 * acks how many there are, `once-more` puts a handler for one `single`. /out
 * notes {what: "out", event, args, binaries} of all that goes out, two
 * handlers, marks 1 and 2; has the commands of "/".
 *
 * On "/", "/foo", ...:
 *   conn      * acks {id, transport, namespaces, same} of the connection
 *   infos [ROOM]   * acks [{id, rooms, text, handshake}]
 *   local {event, to} ...   * emits to this server only
 *   ids [ROOM]  * acks the ids
 *
 * The end of a connection is noted as {what: "conn-closed", id, reason}; the
 * profile rows-tap notes its packets too: {what: "conn-in" or "conn-out", id,
 * type, binary, text}.
 */

#include <stdlib.h>
#include <string.h>

#include "profile_rows.h"

static void note_args(rows *r, sio_socket *socket, const char *what,
                      const char *mark, const sio_event *event)
{
    const sio_args *args = sio_event_args(event);
    rows_note(r, socket, what, "{s:s,s:s,s:s%,s:i,s:b}", "mark", mark, "event",
              sio_event_name(event), "args",
              args->json_len == 0 ? "" : args->json, args->json_len, "binaries",
              (int)args->binary_count, "ack", sio_event_wants_ack(event));
}

/* -------------------------------------------------------------- /ev-use -- */

static void step_1(sio_socket *socket, sio_event *event, sio_event_next *next,
                   void *arg)
{
    note_args(arg, socket, "step", "1", event);
    sio_event_next_pass(next);
}

static void add_header(const char *name, const char *value, void *arg)
{
    json_object_set_new(arg, name, json_string(value));
}

static void ack_request(sio_socket *socket, sio_event *event)
{
    const sio_handshake *h = sio_socket_handshake(socket);
    json_t *headers = json_object();
    sio_handshake_each_header(h, add_header, headers);
    sio_event_ack(event, "{s:s,s:s,s:s,s:s?,s:o}", "method",
                  sio_handshake_method(h), "url", sio_handshake_url(h),
                  "address", sio_handshake_address(h), "eio",
                  sio_handshake_query(h, "EIO"), "headers", headers);
}

static void pass_late(void *arg)
{
    sio_event_next_pass(arg);
}

static void fail_as_told(sio_event *event, sio_event_next *next)
{
    const char *message;
    json_t *data = NULL;
    if (sio_event_unpack(event, "so", &message, &data) != SIO_OK) {
        message = "no";
    }
    char *text = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    sio_event_next_fail(next, message, text);
    free(text);
}

static void step_2(sio_socket *socket, sio_event *event, sio_event_next *next,
                   void *arg)
{
    rows *r = arg;
    const char *name = sio_event_name(event);
    note_args(r, socket, "step", "2", event);
    if (strcmp(name, "drop") == 0) {
        sio_event_next_drop(next);
        return;
    }
    if (strcmp(name, "fail") == 0) {
        fail_as_told(event, next);
        return;
    }
    if (strcmp(name, "slow") == 0 && later_start(r->ts, 200, pass_late, next)) {
        return;
    }
    if (strcmp(name, "edit") == 0) {
        sio_args rest = sio_event_args_from(event, 1);
        (void)sio_event_set(event, "edited", &rest);
    } else if (strcmp(name, "leave") == 0) {
        sio_socket_disconnect(socket);
    } else if (strcmp(name, "answer") == 0) {
        sio_event_ack(event, "s", "m");
    } else if (strcmp(name, "request") == 0) {
        ack_request(socket, event);
    }
    sio_event_next_pass(next);
}

static void on_handled(sio_socket *socket, sio_event *event, void *arg)
{
    note_args(arg, socket, "handled", "", event);
    sio_event_ack(event, "s", "h");
}

static void on_any(sio_socket *socket, sio_event *event, void *arg)
{
    note_args(arg, socket, "any", "", event);
}

static void on_event_error(sio_socket *socket, sio_event *event,
                           const char *message, const char *data, void *arg)
{
    rows_note(arg, socket, "event-error", "{s:s,s:s,s:s?}", "event",
              sio_event_name(event), "message", message, "data", data);
}

static bool add_ev_use(rows *r)
{
    static const handler list[] = {
        {"slow", on_handled},   {"drop", on_handled},  {"fail", on_handled},
        {"leave", on_handled},  {"plain", on_handled}, {"error", on_handled},
        {"edited", on_handled},
    };
    sio_namespace *nsp = sio_server_of(r->ts->server, "/ev-use");
    return nsp != NULL && sio_namespace_use_events(nsp, step_1, r) == SIO_OK &&
           sio_namespace_use_events(nsp, step_2, r) == SIO_OK &&
           sio_namespace_on_event_error(nsp, on_event_error, r) == SIO_OK &&
           sio_namespace_on_any(nsp, on_any, r) == SIO_OK &&
           rows_on_all(r, nsp, list, sizeof(list) / sizeof(list[0]));
}

/* --------------------------------------------------------------- /catch -- */

/* A catch-all handler, and what it is called in notes. */
static void catch_as(sio_socket *socket, sio_event *event, rows *r,
                     const char *mark)
{
    note_args(r, socket, "catch", mark, event);
}

static void catch_a(sio_socket *socket, sio_event *event, void *arg)
{
    catch_as(socket, event, arg, "a");
    if (strcmp(sio_event_name(event), "catch-ack") == 0) {
        sio_event_ack(event, "s", "a");
    }
}

static void catch_b(sio_socket *socket, sio_event *event, void *arg)
{
    catch_as(socket, event, arg, "b");
}

static void catch_p(sio_socket *socket, sio_event *event, void *arg)
{
    catch_as(socket, event, arg, "p");
}

static void on_off(sio_socket *socket, sio_event *event, void *arg)
{
    sio_namespace_off_any(sio_socket_namespace(socket), catch_b, arg);
    sio_event_ack(event, NULL);
}

static void on_off_all(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_namespace_off_any(sio_socket_namespace(socket), NULL, NULL);
    sio_event_ack(event, NULL);
}

static void on_listed(sio_socket *socket, sio_event *event, void *arg)
{
    sio_listener all[4];
    sio_namespace *nsp = sio_socket_namespace(socket);
    size_t count = sio_namespace_listeners_any(nsp, all, 4);
    bool mine = true;
    for (size_t i = 0; i < count && i < 4; i++) {
        mine = mine && all[i].arg == arg;
    }
    sio_event_ack(event, "ib", (int)count, mine);
}

static void on_single(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit(socket, "single", NULL);
}

static void on_once_more(sio_socket *socket, sio_event *event, void *arg)
{
    rows_ack_error(event, sio_namespace_once(sio_socket_namespace(socket),
                                             "single", on_single, arg));
}

static bool add_catch(rows *r)
{
    static const handler list[] = {
        {"off", on_off},
        {"off-all", on_off_all},
        {"listed", on_listed},
        {"once-more", on_once_more},
    };
    sio_namespace *nsp = sio_server_of(r->ts->server, "/catch");
    return nsp != NULL && sio_namespace_on_any(nsp, catch_a, r) == SIO_OK &&
           sio_namespace_on_any(nsp, catch_b, r) == SIO_OK &&
           sio_namespace_prepend_any(nsp, catch_p, r) == SIO_OK &&
           rows_on_all(r, nsp, list, sizeof(list) / sizeof(list[0]));
}

/* ----------------------------------------------------------------- /out -- */

static void out_1(sio_socket *socket, sio_event *event, void *arg)
{
    note_args(arg, socket, "out", "1", event);
}

static void out_2(sio_socket *socket, sio_event *event, void *arg)
{
    note_args(arg, socket, "out", "2", event);
}

static bool add_out(rows *r)
{
    sio_namespace *nsp = sio_server_of(r->ts->server, "/out");
    return nsp != NULL &&
           sio_namespace_on_any_outgoing(nsp, out_2, r) == SIO_OK &&
           sio_namespace_prepend_any_outgoing(nsp, out_1, r) == SIO_OK &&
           rows_events_add(r, nsp) && rows_acks_add(r, nsp) &&
           rows_rooms_add(r, nsp);
}

/* ---------------------------------------------------- sockets, connections --
 */

static void add_name(sio_socket *socket, void *arg)
{
    json_array_append_new(
        arg, json_string(sio_namespace_name(sio_socket_namespace(socket))));
}

static void on_conn(sio_socket *socket, sio_event *event, void *arg)
{
    sio_conn *conn = sio_socket_conn(socket);
    const char *nsp = sio_namespace_name(sio_socket_namespace(socket));
    json_t *names = json_array();
    (void)arg;
    sio_conn_each_socket(conn, add_name, names);
    sio_event_ack(event, "{s:s,s:s,s:o,s:b}", "id", sio_conn_id(conn),
                  "transport", sio_conn_transport(conn), "namespaces", names,
                  "same", sio_conn_socket(conn, nsp) == socket);
}

static json_t *info_json(const sio_socket_info *info)
{
    const person *p = info->data;
    json_t *rooms = json_array();
    for (size_t i = 0; i < info->room_count; i++) {
        json_array_append_new(rooms, json_string(info->rooms[i]));
    }
    return json_pack("{s:s,s:o,s:s,s:o}", "id", sio_socket_id(info->socket),
                     "rooms", rooms, "text", p == NULL ? "" : p->text,
                     "handshake",
                     json_loadb(info->handshake, info->handshake_len, 0, NULL));
}

static void on_got_infos(sio_error err, const sio_socket_info *infos,
                         size_t count, void *arg)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(all, info_json(&infos[i]));
    }
    sio_ack_send(arg, "so", sio_error_text(err), all);
}

static void on_got_sockets(sio_error err, sio_socket *const *sockets,
                           size_t count, void *arg)
{
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(all, json_string(sio_socket_id(sockets[i])));
    }
    sio_ack_send(arg, "so", sio_error_text(err), all);
}

static sio_broadcast whom(sio_socket *socket, sio_event *event)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    const char *room;
    return sio_event_unpack(event, "s", &room) == SIO_OK
               ? sio_namespace_to(nsp, room)
               : sio_namespace_broadcast(nsp);
}

static void on_infos(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_ack *ack = sio_event_take_ack(event);
    if (sio_broadcast_fetch_infos(whom(socket, event), on_got_infos, ack) !=
        SIO_OK) {
        sio_ack_drop(ack);
    }
}

static void on_ids(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_ack *ack = sio_event_take_ack(event);
    if (sio_broadcast_fetch(whom(socket, event), on_got_sockets, ack) !=
        SIO_OK) {
        sio_ack_drop(ack);
    }
}

static void on_local(sio_socket *socket, sio_event *event, void *arg)
{
    const char *name, *room;
    (void)arg;
    if (sio_event_unpack(event, "{s:s,s:s}", "event", &name, "to", &room) !=
        SIO_OK) {
        rows_ack_error(event, SIO_ERR_MISMATCH);
        return;
    }
    sio_args rest = sio_event_args_from(event, 1);
    sio_broadcast b = sio_broadcast_local(
        sio_namespace_to(sio_socket_namespace(socket), room));
    rows_ack_error(event, sio_broadcast_emit_args(b, name, &rest));
}

static void on_conn_closed(sio_conn *conn, const char *id,
                           sio_disconnect_reason reason, sio_error why,
                           void *arg)
{
    (void)conn;
    rows_append(arg, json_pack("{s:s,s:s,s:s,s:s}", "what", "conn-closed", "id",
                               id, "reason", sio_disconnect_text(reason), "why",
                               sio_error_text(why)));
}

static void on_conn_drained(sio_conn *conn, void *arg)
{
    rows_append(arg, json_pack("{s:s,s:s,s:i}", "what", "conn-drained", "id",
                               sio_conn_id(conn), "backlog",
                               (int)sio_conn_backlog(conn)));
}

static void note_packet(sio_conn *conn, const sio_conn_packet *packet, rows *r,
                        const char *what)
{
    rows_append(r, json_pack("{s:s,s:s,s:i,s:b,s:s%}", "what", what, "id",
                             sio_conn_id(conn), "type", (int)packet->type,
                             "binary", packet->binary, "text",
                             packet->binary ? "" : (const char *)packet->data,
                             packet->binary ? (size_t)0 : packet->len));
}

static void on_packet(sio_conn *conn, const sio_conn_packet *packet, void *arg)
{
    note_packet(conn, packet, arg, "conn-in");
}

static void on_packet_create(sio_conn *conn, const sio_conn_packet *packet,
                             void *arg)
{
    note_packet(conn, packet, arg, "conn-out");
}

bool rows_hooks_events_add(rows *r, sio_namespace *nsp)
{
    static const handler list[] = {
        {"conn", on_conn},
        {"infos", on_infos},
        {"ids", on_ids},
        {"local", on_local},
    };
    return rows_on_all(r, nsp, list, sizeof(list) / sizeof(list[0]));
}

bool rows_hooks_add(rows *r)
{
    sio_server *server = r->ts->server;
    return add_ev_use(r) && add_catch(r) && add_out(r) &&
           sio_server_on_conn_closed(server, on_conn_closed, r) == SIO_OK;
}

bool profile_rows_tap_setup(testserver *ts)
{
    return profile_rows_setup(ts) &&
           sio_server_on_conn_drained(ts->server, on_conn_drained, ts->state) ==
               SIO_OK &&
           sio_server_on_conn_packet(ts->server, on_packet, ts->state) ==
               SIO_OK &&
           sio_server_on_conn_packet_create(ts->server, on_packet_create,
                                            ts->state) == SIO_OK;
}
