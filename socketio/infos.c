#include "socketio/infos.h"

#include <stdlib.h>

struct sio_infos {
    sio_infos_fn *fn;
    sio_socket_info *list;
    size_t count, cap;
    bool failed; /* memory was short: some are missing */
    sio_arena arena;
};

sio_infos *sio_infos_new(sio_infos_fn *fn)
{
    sio_infos *infos = calloc(1, sizeof(*infos));
    if (infos != NULL) {
        infos->fn = fn;
    }
    return infos;
}

void sio_infos_free(sio_infos *infos)
{
    if (infos != NULL) {
        sio_arena_deinit(&infos->arena);
        free(infos->list);
        free(infos);
    }
}

/* Rooms on their way into an info. */
typedef struct gather {
    sio_arena *arena;
    const char **rooms; /* NULL: only count */
    size_t count;
    bool failed;
} gather;

static void add_room(const char *room, void *arg)
{
    gather *g = arg;
    g->rooms[g->count] = sio_arena_copy(g->arena, sio_text(room));
    g->failed = g->failed || g->rooms[g->count] == NULL;
    g->count++;
}

/* What the application says of the socket's data, NULL where it says nothing.
 * False when out of memory. */
static bool take_data(sio_infos *infos, sio_socket *socket,
                      sio_socket_info *info)
{
    const sio_core *core = socket->nsp->core;
    size_t len = core->data_json == NULL
                     ? 0
                     : core->data_json(socket, NULL, 0, core->data_json_arg);
    if (len == 0) {
        return true;
    }
    char *json = sio_arena_alloc(&infos->arena, len);
    if (json == NULL) {
        return false;
    }
    size_t now = core->data_json(socket, json, len, core->data_json_arg);
    info->data_json = json;
    info->data_json_len = now < len ? now : len;
    return true;
}

static bool take(sio_infos *infos, sio_socket *socket)
{
    size_t len = sio_socket_handshake_json(socket, NULL, 0);
    size_t rooms = sio_socket_room_count(socket);
    gather g = {.arena = &infos->arena};
    char *handshake = sio_arena_alloc(&infos->arena, len);
    g.rooms = sio_arena_alloc(&infos->arena, (rooms + 1) * sizeof(*g.rooms));
    if (handshake == NULL || g.rooms == NULL) {
        return false;
    }
    (void)sio_socket_handshake_json(socket, handshake, len);
    sio_socket_each_room(socket, add_room, &g);
    sio_socket_info *info = &infos->list[infos->count++];
    *info = (sio_socket_info){
        .socket = socket,
        .id = g.rooms[0],
        .rooms = g.rooms,
        .room_count = g.count,
        .handshake = handshake,
        .handshake_len = len,
        .data = sio_socket_data(socket),
    };
    return take_data(infos, socket, info) && !g.failed;
}

void sio_infos_add(sio_infos *infos, sio_socket *const *sockets, size_t count)
{
    if (count > infos->cap - infos->count) {
        size_t cap = infos->count + count;
        sio_socket_info *more = realloc(infos->list, cap * sizeof(*more));
        if (more == NULL) {
            infos->failed = true;
            return;
        }
        infos->list = more;
        infos->cap = cap;
    }
    for (size_t i = 0; i < count; i++) {
        size_t before = infos->count;
        if (!take(infos, sockets[i])) {
            infos->count = before;
            infos->failed = true;
        }
    }
}

void sio_infos_tell(const sio_infos *infos, bool failed, void *arg)
{
    infos->fn(failed || infos->failed ? SIO_ERR_NO_MEMORY : SIO_OK, infos->list,
              infos->count, arg);
}
