#ifndef SOCKETIO_CONN_H
#define SOCKETIO_CONN_H

/* Connections: one client with its sockets in all namespaces. */

#include "socketio/socket.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The connection of a client, over whatever transports it moves to; the sockets
 * of all namespaces that the client has joined share it.  Borrowed: it is valid
 * in callbacks about it or one of its sockets, and as long as the session is
 * open.
 */

/* NULL once it is gone.  Loop. */
SIO_API sio_conn *sio_socket_conn(const sio_socket *socket);

/* As the functions of the same names for a socket.  Loop. */
SIO_API const char *sio_conn_id(const sio_conn *conn); /* of the session */
SIO_API const char *sio_conn_transport(const sio_conn *conn);
SIO_API size_t sio_conn_backlog(const sio_conn *conn);
SIO_API void sio_conn_close(sio_conn *conn);

/* The connected socket in this namespace, whose name has its slash; or NULL.
 * Loop. */
SIO_API sio_socket *sio_conn_socket(const sio_conn *conn, const char *nsp);

/* Visits the connected sockets, in the order of connecting; `fn` may disconnect
 * any of them.  Loop. */
SIO_API void sio_conn_each_socket(sio_conn *conn, sio_socket_fn *fn, void *arg);

/* A packet of Engine.IO. */
typedef struct sio_conn_packet {
    unsigned type;    /* 0 open, 1 close, 2 ping, 3 pong, 4 message, 5 upgrade,
                         6 noop */
    bool binary;      /* a message of bytes, not of text */
    const void *data; /* behind the type; borrowed until the callback returns */
    size_t len;
} sio_conn_packet;

typedef void sio_conn_fn(sio_conn *conn, void *arg);
typedef void sio_conn_packet_fn(sio_conn *conn, const sio_conn_packet *packet,
                                void *arg);

/*
 * Told of each packet that has come over any connection, before anything is
 * done about it; and of each packet that was made to be sent, pings, pongs and
 * messages. Probes of an upgrade are neither.  The latter is called in the
 * middle of broadcasts: it may look, and post, but must not emit, join, leave,
 * disconnect or close.  While there is either, packets take a longer way.
 * Setup.
 *
 * Return SIO_OK, SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY, as do
 * the two below.
 */
SIO_API sio_error sio_server_on_conn_packet(sio_server *server,
                                            sio_conn_packet_fn *fn, void *arg);
SIO_API sio_error sio_server_on_conn_packet_create(sio_server *server,
                                                   sio_conn_packet_fn *fn,
                                                   void *arg);

/* As sio_namespace_on_drained(), once for the connection, after the sockets.
 * Setup. */
SIO_API sio_error sio_server_on_conn_drained(sio_server *server,
                                             sio_conn_fn *fn, void *arg);

/* The connection is gone, after its sockets, also where there were none: the
 * last call about it.  `id` is the session's, borrowed.  Setup. */
typedef void sio_conn_closed_fn(sio_conn *conn, const char *id,
                                sio_disconnect_reason reason, sio_error why,
                                void *arg);
SIO_API sio_error sio_server_on_conn_closed(sio_server *server,
                                            sio_conn_closed_fn *fn, void *arg);

/* The connection is there, and has no sockets yet.  Setup. */
SIO_API sio_error sio_server_on_conn_opened(sio_server *server, sio_conn_fn *fn,
                                            void *arg);

#ifdef __cplusplus
}
#endif

#endif
