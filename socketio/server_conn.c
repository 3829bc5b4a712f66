#include "socketio/server_impl.h"

/* Hooks about connections, which all namespaces share. */

sio_error sio_server_on_conn_opened(sio_server *server, sio_conn_fn *fn,
                                    void *arg)
{
    return sio_core_on_conn(&server->core, &server->core.conn.opened,
                            (void (*)(void))fn, arg);
}

sio_error sio_server_on_conn_packet(sio_server *server, sio_conn_packet_fn *fn,
                                    void *arg)
{
    return sio_core_on_conn(&server->core, &server->core.conn.packet,
                            (void (*)(void))fn, arg);
}

sio_error sio_server_on_conn_packet_create(sio_server *server,
                                           sio_conn_packet_fn *fn, void *arg)
{
    return sio_core_on_conn(&server->core, &server->core.conn.packet_create,
                            (void (*)(void))fn, arg);
}

sio_error sio_server_on_conn_drained(sio_server *server, sio_conn_fn *fn,
                                     void *arg)
{
    return sio_core_on_conn(&server->core, &server->core.conn.drained,
                            (void (*)(void))fn, arg);
}

sio_error sio_server_on_conn_closed(sio_server *server, sio_conn_closed_fn *fn,
                                    void *arg)
{
    return sio_core_on_conn(&server->core, &server->core.conn.closed,
                            (void (*)(void))fn, arg);
}
