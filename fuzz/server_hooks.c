#include "fuzz/server_hooks.h"

#include <stdlib.h>
#include <string.h>

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* ------------------------------------------------------------ connections --
 */

static void on_opened(sio_conn *conn, void *arg)
{
    server_app *app = arg;
    must(sio_conn_socket(conn, "/") == NULL);
    app->conns++;
}

static void on_closed(sio_conn *conn, const char *id,
                      sio_disconnect_reason reason, sio_error why, void *arg)
{
    server_app *app = arg;
    (void)conn;
    (void)why;
    must(id[0] != '\0' && sio_disconnect_text(reason) != NULL);
    must(app->conns != 0);
    app->conns--;
}

static void on_conn_drained(sio_conn *conn, void *arg)
{
    (void)arg;
    must(sio_conn_id(conn)[0] != '\0');
}

static void on_packet(sio_conn *conn, const sio_conn_packet *packet, void *arg)
{
    server_app *app = arg;
    (void)conn;
    must(packet->type <= 6 && (!packet->binary || packet->type == 4));
    must(packet->data != NULL || packet->len == 0);
    app->packets++;
}

/* ------------------------------------------------------------- namespaces --
 */

static void on_claim(sio_claim *claim, void *arg)
{
    server_app *app = arg;
    must(sio_claim_name(claim)[0] == '/' && sio_claim_auth(claim) != NULL);
    if (strncmp(sio_claim_name(claim), "/ask-", 5) != 0) {
        sio_claim_refuse(claim);
    } else if (app->claim != NULL) {
        sio_claim_allow(claim);
    } else {
        app->claim = claim;
    }
}

static void on_each(sio_namespace *nsp, void *arg)
{
    (void)arg;
    must(sio_namespace_name(nsp)[0] == '/');
}

static void on_namespace(sio_namespace *nsp, void *arg)
{
    server_app *app = arg;
    must(sio_server_each_namespace(app->server, on_each, NULL) == SIO_OK);
    sio_namespace *found =
        sio_server_find(app->server, sio_namespace_name(nsp));
    must(found == NULL || found == nsp);
    sio_namespace_unref(found);
}

static void on_room(sio_namespace *nsp, sio_room_change change,
                    const char *room, const char *id, void *arg)
{
    server_app *app = arg;
    (void)nsp;
    must(room[0] != '\0');
    must((id == NULL) ==
         (change == SIO_ROOM_CREATED || change == SIO_ROOM_DELETED));
    if (change == SIO_ROOM_CREATED) {
        app->rooms++;
    } else if (change == SIO_ROOM_DELETED) {
        must(app->rooms != 0);
        app->rooms--;
    } else if (change == SIO_ROOM_JOINED) {
        app->members++;
    } else {
        must(app->members != 0);
        app->members--;
    }
}

static void on_disconnecting(sio_socket *socket, sio_disconnect_reason reason,
                             sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    must(sio_socket_in_room(socket, sio_socket_id(socket)));
}

static void on_drained(sio_socket *socket, void *arg)
{
    server_app *app = arg;
    (void)socket;
    app->drained++;
}

static void on_outgoing(sio_socket *socket, sio_event *event, void *arg)
{
    server_app *app = arg;
    must(sio_socket_id(socket)[0] != '\0' && !sio_event_wants_ack(event));
    must(sio_event_arg(event, sio_event_arg_count(event), NULL) == NULL);
    app->outgoing++;
}

static void on_event_error(sio_socket *socket, sio_event *event,
                           const char *message, const char *data, void *arg)
{
    server_app *app = arg;
    (void)socket;
    (void)data;
    must(strcmp(message, "no") == 0);
    (void)sio_event_ack(event, "s", "failed");
    app->failed++;
}

static void on_expired(sio_namespace *nsp, const char *id, void *data,
                       void *arg)
{
    (void)nsp;
    (void)data;
    (void)arg;
    must(id[0] != '\0');
}

static void on_inner(sio_namespace *nsp, const char *event,
                     const sio_args *args, sio_reply *reply, void *arg)
{
    (void)nsp;
    (void)arg;
    must(strcmp(event, "inner") == 0 && args->json_len == 1);
    if (reply != NULL) {
        (void)sio_reply_send(reply, "i", 2);
    }
}

/* ------------------------------------------------------------------- HTTP --
 */

static bool on_filter(sio_http_request *request, void *arg)
{
    const char *refused = sio_http_header(request, "x-refuse");
    (void)arg;
    must(sio_http_path(request)[0] == '/');
    (void)sio_http_query(request);
    if (refused != NULL) {
        sio_http_respond(request, 418, NULL, refused, strlen(refused));
    }
    return refused == NULL;
}

static void on_later(sio_http_request *request, void *arg)
{
    server_app *app = arg;
    size_t len = 0;
    const void *body = sio_http_body(request, &len);
    must(body != NULL || len == 0);
    if (app->request != NULL) {
        sio_http_respond(app->request, 200, "text/plain", "soon", 4);
    }
    app->request = request;
}

/* ------------------------------------------------------------ the outside --
 */

void hooks_of_server(server_app *app, sio_server *server, bool packets)
{
    must(sio_server_on_conn_opened(server, on_opened, app) == SIO_OK &&
         sio_server_on_conn_closed(server, on_closed, app) == SIO_OK &&
         sio_server_on_conn_drained(server, on_conn_drained, app) == SIO_OK &&
         sio_server_on_namespace(server, on_namespace, app) == SIO_OK &&
         sio_server_use(server, on_filter, app) == SIO_OK &&
         sio_server_on_http(server, "/later", on_later, app) == SIO_OK);
    must(!packets ||
         (sio_server_on_conn_packet(server, on_packet, app) == SIO_OK &&
          sio_server_on_conn_packet_create(server, on_packet, app) == SIO_OK));
    must(sio_server_of_check(server, on_claim, app) != NULL);
}

void hooks_of_namespace(server_app *app, sio_namespace *nsp, bool outgoing)
{
    must(sio_namespace_on_room(nsp, on_room, app) == SIO_OK &&
         sio_namespace_on_disconnecting(nsp, on_disconnecting, app) == SIO_OK &&
         sio_namespace_on_drained(nsp, on_drained, app) == SIO_OK &&
         sio_namespace_on_event_error(nsp, on_event_error, app) == SIO_OK &&
         sio_namespace_on_expired(nsp, on_expired, app) == SIO_OK &&
         sio_namespace_on_server_event(nsp, "inner", on_inner, app) == SIO_OK);
    must(!outgoing ||
         sio_namespace_on_any_outgoing(nsp, on_outgoing, app) == SIO_OK);
}

void hooks_answer(server_app *app, bool allow)
{
    sio_event_next *next = app->event_next;
    sio_http_request *request = app->request;
    sio_claim *claim = app->claim;
    app->event_next = NULL;
    app->request = NULL;
    app->claim = NULL;
    if (next != NULL && allow) {
        app->rules++;
        sio_event_next_pass(next);
    } else if (next != NULL) {
        sio_event_next_fail(next, "no", "late");
    }
    if (claim != NULL && allow) {
        app->claims++;
        sio_claim_allow(claim);
    } else if (claim != NULL) {
        sio_claim_refuse(claim);
    }
    if (request != NULL) {
        app->late++;
        sio_http_respond(request, allow ? 200 : 404, "text/plain", "late", 4);
    }
}

void hooks_check(const server_app *app)
{
    must(app->conns == 0 && app->rooms == 0 && app->members == 0);
}
