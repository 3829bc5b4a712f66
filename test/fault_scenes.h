#ifndef TEST_FAULT_SCENES_H
#define TEST_FAULT_SCENES_H

#include <stdatomic.h>

#include "test/turn_rig.h"

/* What clients do with a server, for tests in which the server's calls fail. */
typedef struct fault_scene {
    const char *label;
    void (*change)(sio_server_config *config); /* NULL: nothing */

    /* Whether all that should come has come, as it has to when nothing fails.
     * Leaves no connection open. */
    bool (*play)(turn_rig *rig);
    bool msgpack; /* the server's parser */

    /* More handlers and places, before the server listens, and what has to be
     * put in order when it has been freed; or NULL. */
    void (*prepare)(turn_rig *rig);
    void (*finish)(void);
    size_t thin; /* for fault_alloc_thin(), unless FAULT_ALL is set */
} fault_scene;

/* Those of a file; the last one has no label. */
extern const fault_scene fault_scenes_plain[], fault_scenes_old[],
    fault_scenes_http[], fault_scenes_more[], fault_scenes_tls[];

/* All of them, from 0 on; NULL behind the last. */
const fault_scene *fault_scene_get(size_t index);

const fault_scene *fault_scene_named(const char *label);

/* How often the application was told of an error. */
extern atomic_size_t fault_told;

/* Sockets of `/` whose connection was told of and whose end was not; the same
 * for its rooms, and who has joined them. */
extern atomic_llong fault_sockets, fault_rooms, fault_members;

/* Makes the server, with all handlers; it does not listen yet. */
void fault_scene_open(const fault_scene *scene, turn_rig *rig);

/* Adds the handlers to a server that another one has made. */
void fault_server_fill(sio_server *server);

/* A client that has no part in the scene.  It joins `/quiet`, and later has to
 * hear its echo, with nothing failing. */
void fault_bystander_join(turn_client *c, turn_rig *rig, bool msgpack);
void fault_bystander_check(turn_client *c, bool msgpack);

/* A WebSocket of a new session, or of the one with this id; `headers` are lines
 * with their ends. */
bool fault_open_websocket(turn_client *c, turn_rig *rig, const char *query,
                          const char *headers);

#endif
