#include <stdlib.h>

#include "socketio/server_impl.h"

/* Has the loops of `server` move to `other` what is below its path, or, with
 * `rest`, what is nobody's. */
static sio_error add_neighbour(sio_server *server, const sio_server *other,
                               bool rest)
{
    tp_neighbours *all = &server->neighbours;
    tp_neighbour *more =
        realloc(all->list, (all->count + 1) * sizeof(tp_neighbour));
    if (more == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    more[all->count++] = (tp_neighbour){rest ? NULL : &other->front_config,
                                        other->fronts, other->config.threads};
    all->list = more;
    for (unsigned i = 0; i < server->config.threads; i++) {
        server->workers[i].front.neighbours = all;
    }
    return SIO_OK;
}

static bool has_path(const sio_server *server, const sio_server *other)
{
    return sio_bytes_eq(server->front_config.path, other->front_config.path);
}

/* Whether two servers may stand behind one port now. */
static sio_error check(const sio_server *outer, const sio_server *inner)
{
    for (size_t i = 0; i < outer->neighbours.count; i++) {
        const tp_front_config *config = outer->neighbours.list[i].config;
        if (config != NULL &&
            sio_bytes_eq(config->path, inner->front_config.path)) {
            return SIO_ERR_ARGUMENT;
        }
    }
    if (outer == inner || has_path(outer, inner)) {
        return SIO_ERR_ARGUMENT;
    }
    return outer->started || inner->started || outer->outer != NULL ||
                   inner->neighbours.count != 0
               ? SIO_ERR_STATE
               : SIO_OK;
}

sio_error sio_server_mount(sio_server *outer, sio_server *inner)
{
    sio_error err = check(outer, inner);
    if (err == SIO_OK) {
        err = add_neighbour(inner, outer, true);
    }
    if (err == SIO_OK) {
        err = add_neighbour(outer, inner, false);
        if (err != SIO_OK) {
            sio_server_unmount(inner);
        }
    }
    if (err == SIO_OK) {
        inner->outer = outer;
    }
    return err;
}

void sio_server_unmount(sio_server *server)
{
    for (unsigned i = 0; i < server->config.threads; i++) {
        server->workers[i].front.neighbours = NULL;
    }
    free(server->neighbours.list);
    server->neighbours = (tp_neighbours){0};
    server->outer = NULL;
}
