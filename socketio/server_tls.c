#include <stdatomic.h>
#include <stdlib.h>

#include "socketio/server_impl.h"

struct sio_server_tls {
    sio_link link; /* in server->places */
    tp_tls_place place;
    _Atomic uint16_t port; /* 0: none, or not known yet */
};

void sio_server_init_tls(sio_server *server)
{
    sio_lock_init(&server->tls_lock);
    sio_list_init(&server->places);
}

sio_error sio_server_add_tls(sio_server *server, const sio_tls_options *options,
                             sio_server_tls **tls)
{
    sio_server_tls *one = calloc(1, sizeof(*one));
    if (one == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = tp_tls_place_init(&one->place, options, &server->log);
    if (err != SIO_OK) {
        free(one);
        return err;
    }
    sio_lock_take(&server->tls_lock);
    sio_list_append(&server->places, &one->link);
    sio_lock_leave(&server->tls_lock);
    *tls = one;
    return SIO_OK;
}

void sio_server_set_tls_port(sio_server_tls *tls, uint16_t port)
{
    if (tls != NULL) {
        tls->port = port;
    }
}

tp_tls_place *sio_server_tls_of(sio_server_tls *tls)
{
    return tls == NULL ? NULL : &tls->place;
}

void sio_server_drop_tls(sio_server *server, sio_server_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    sio_lock_take(&server->tls_lock);
    sio_link_drop(&tls->link);
    sio_lock_leave(&server->tls_lock);
    tp_tls_place_deinit(&tls->place);
    free(tls);
}

void sio_server_reopen_tls(sio_server *server)
{
    sio_link *at = server->places.next;
    while (at != &server->places) {
        sio_server_tls *tls = SIO_OWNER(at, sio_server_tls, link);
        at = at->next;
        if (tls != server->tls) {
            sio_server_drop_tls(server, tls);
        }
    }
}

void sio_server_deinit_tls(sio_server *server)
{
    while (!sio_list_empty(&server->places)) {
        sio_server_drop_tls(
            server, SIO_OWNER(server->places.next, sio_server_tls, link));
    }
    sio_lock_deinit(&server->tls_lock);
}

sio_error sio_server_reload_tls(sio_server *server, uint16_t port,
                                const sio_tls_options *options)
{
    sio_error err = SIO_OK;
    bool any = false;
    sio_lock_take(&server->tls_lock);
    for (sio_link *at = server->places.next;
         at != &server->places && err == SIO_OK; at = at->next) {
        sio_server_tls *tls = SIO_OWNER(at, sio_server_tls, link);
        if (port == 0 || tls->port == port) {
            any = true;
            err = tp_tls_place_reload(&tls->place, options, &server->log);
        }
    }
    sio_lock_leave(&server->tls_lock);
    if (!any) {
        sio_log_write(&server->log, SIO_LOG_ERROR, "bad_config",
                      "tls: nothing listens with it at port %u", port);
        return SIO_ERR_ARGUMENT;
    }
    return err;
}
