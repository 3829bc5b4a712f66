#include "socketio/core.h"

/* A client's connection, as the application sees it: sio_conn is sio_client by
 * its public name. */

static sio_client *client_of(const sio_conn *conn)
{
    return (sio_client *)(uintptr_t)conn;
}

static sio_conn *conn_of(sio_client *client)
{
    return (sio_conn *)client;
}

/* ------------------------------------------------------------- accessors -- */

sio_conn *sio_socket_conn(const sio_socket *socket)
{
    return socket->client == NULL || socket->client->session == NULL
               ? NULL
               : conn_of(socket->client);
}

const char *sio_conn_id(const sio_conn *conn)
{
    const eio_session *session = client_of(conn)->session;
    return session == NULL ? "" : eio_session_sid(session);
}

const char *sio_conn_transport(const sio_conn *conn)
{
    const eio_session *session = client_of(conn)->session;
    return session == NULL ? "" : eio_session_transport_name(session);
}

size_t sio_conn_backlog(const sio_conn *conn)
{
    const eio_session *session = client_of(conn)->session;
    return session == NULL ? 0 : eio_session_backlog(session);
}

sio_socket *sio_conn_socket(const sio_conn *conn, const char *nsp)
{
    const sio_client *client = client_of(conn);
    sio_bytes name = sio_text(nsp);
    const sio_link *at = client->sockets.next;
    for (; at != &client->sockets; at = at->next) {
        sio_socket *socket = SIO_OWNER(at, sio_socket, in_client);
        if (sio_socket_connected(socket) &&
            sio_bytes_eq(sio_namespace_view(socket->nsp), name)) {
            return socket;
        }
    }
    return NULL;
}

void sio_conn_each_socket(sio_conn *conn, sio_socket_fn *fn, void *arg)
{
    const sio_client *client = client_of(conn);
    sio_socket *at =
        sio_list_empty(&client->sockets)
            ? NULL
            : SIO_OWNER(client->sockets.next, sio_socket, in_client);
    while (at != NULL) {
        sio_socket *each = sio_socket_ref(at);
        if (sio_socket_connected(each)) {
            fn(each, arg);
        }
        at = sio_socket_next(each);
        sio_socket_unref(each);
    }
}

void sio_conn_close(sio_conn *conn)
{
    const sio_client *client = client_of(conn);
    if (!sio_list_empty(&client->sockets)) {
        sio_socket_close(
            SIO_OWNER(client->sockets.next, sio_socket, in_client));
    } else if (client->session != NULL) {
        sio_client_close(client_of(conn));
    }
}

/* ----------------------------------------------------------------- hooks -- */

static void tell_packet(const sio_hooks *hooks, sio_client *client,
                        const eio_packet *packet)
{
    sio_conn_packet what = {
        .type = (unsigned)packet->type,
        .binary = packet->form == EIO_FORM_BINARY,
        .data = packet->data.base,
        .len = packet->data.len,
    };
    for (size_t i = 0; i < hooks->count && client->session != NULL; i++) {
        ((sio_conn_packet_fn *)hooks->items[i].fn)(conn_of(client), &what,
                                                   hooks->items[i].arg);
    }
}

static void on_received(void *user, const eio_packet *packet)
{
    sio_client *client = user;
    tell_packet(&client->loop->core->conn.packet, client, packet);
}

/* The open packet leaves before there is a client. */
static void on_created(void *user, const eio_packet *packet)
{
    sio_client *client = user;
    if (client->loop != NULL) {
        tell_packet(&client->loop->core->conn.packet_create, client, packet);
    }
}

static const eio_tap tap = {on_received, on_created};

void sio_conn_drained(sio_client *client)
{
    const sio_hooks *hooks = &client->loop->core->conn.drained;
    for (size_t i = 0; i < hooks->count && client->session != NULL; i++) {
        ((sio_conn_fn *)hooks->items[i].fn)(conn_of(client),
                                            hooks->items[i].arg);
    }
}

void sio_conn_closed(sio_client *client, const char *id,
                     sio_disconnect_reason reason, sio_error why)
{
    const sio_hooks *hooks = &client->loop->core->conn.closed;
    for (size_t i = 0; i < hooks->count; i++) {
        ((sio_conn_closed_fn *)hooks->items[i].fn)(conn_of(client), id, reason,
                                                   why, hooks->items[i].arg);
    }
}

sio_error sio_core_on_conn(sio_core *core, sio_hooks *hooks, void (*fn)(void),
                           void *arg)
{
    sio_error err = core->fixed ? SIO_ERR_STATE : sio_hooks_add(hooks, fn, arg);
    bool packets =
        hooks == &core->conn.packet || hooks == &core->conn.packet_create;
    for (unsigned i = 0; packets && err == SIO_OK && i < core->loop_count;
         i++) {
        core->loops[i]->engine->tap = &tap;
    }
    if (hooks == &core->conn.drained && err == SIO_OK) {
        core->tells_drained = true;
    }
    return err;
}
