/*
 * Namespaces that clients make.  What is made is noted as {what:
 * "new_namespace", nsp, tag: the same}.
 *
 *   /dyn-*       with all events of "/"
 *   /mw-dyn-*    a middleware that refuses when the auth has {message}
 *   /tenant-...  a function decides after 5 ms, on another thread where there
 *                are several: the auth has to have {token: "let-in"}
 *
 * GET /children gives all namespaces as [{name, parent, sockets}], by name;
 * GET /parent?nsp=NAME has that namespace's parent emit `all` with the room, to
 * ?room=ROOM if there is one, and gives {sockets}; with &do=join or disconnect
 * it has them join ROOM or leave the namespace.  GET /of?nsp=NAME asks for it,
 * GET /find?nsp=NAME looks for it; both give {name, parent}.
 */

#include <stdlib.h>
#include <string.h>

#include "profile_rows.h"

#define SLOW_MS 5

static json_t *describe(sio_namespace *nsp)
{
    sio_namespace *parent = nsp == NULL ? NULL : sio_namespace_parent(nsp);
    return nsp == NULL
               ? json_null()
               : json_pack("{s:s,s:s?,s:i}", "name", sio_namespace_name(nsp),
                           "parent",
                           parent == NULL ? NULL : sio_namespace_name(parent),
                           "sockets", (int)sio_namespace_count(nsp));
}

static void on_namespace(sio_namespace *nsp, void *arg)
{
    const char *name = sio_namespace_name(nsp);
    rows_append(arg, json_pack("{s:s,s:s,s:s}", "what", "new_namespace", "nsp",
                               name, "tag", name));
}

/* ----------------------------------------------------------------- check -- */

static void allow_late(void *arg)
{
    sio_claim_allow(arg);
}

static void decide(sio_claim *claim, void *arg)
{
    rows *r = arg;
    bool allowed = strncmp(sio_claim_name(claim), "/tenant-", 8) == 0 &&
                   strcmp(sio_claim_auth(claim), "{\"token\":\"let-in\"}") == 0;
    if (!allowed) {
        sio_claim_refuse(claim);
    } else if (!later_start(r->ts, SLOW_MS, allow_late, claim)) {
        allow_late(claim);
    }
}

static void refuse_as_told(sio_socket *socket, sio_next *next, void *arg)
{
    const char *message;
    (void)arg;
    if (sio_socket_auth_unpack(socket, "{s:s}", "message", &message) ==
        SIO_OK) {
        sio_next_refuse(next, message, NULL);
    } else {
        sio_next_allow(next);
    }
}

/* ------------------------------------------------------------------ HTTP -- */

static void answer(sio_http_request *request, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    if (text == NULL) {
        sio_http_respond(request, 500, NULL, NULL, 0);
        return;
    }
    sio_http_respond(request, 200, "application/json", text, strlen(text));
    free(text);
}

static void add_namespace(sio_namespace *nsp, void *arg)
{
    json_array_append_new(arg, describe(nsp));
}

static void get_children(sio_http_request *request, void *arg)
{
    rows *r = arg;
    json_t *all = json_array();
    if (sio_server_each_namespace(r->ts->server, add_namespace, all) !=
        SIO_OK) {
        json_array_clear(all);
    }
    answer(request, all);
}

static void get_of(sio_http_request *request, void *arg)
{
    rows *r = arg;
    char name[64] = "";
    query_value(sio_http_query(request), "nsp", name, sizeof(name));
    answer(request, describe(sio_server_of(r->ts->server, name)));
}

static void get_find(sio_http_request *request, void *arg)
{
    rows *r = arg;
    char name[64] = "";
    query_value(sio_http_query(request), "nsp", name, sizeof(name));
    sio_namespace *nsp = sio_server_find(r->ts->server, name);
    answer(request, describe(nsp));
    sio_namespace_unref(nsp);
}

static void get_parent(sio_http_request *request, void *arg)
{
    rows *r = arg;
    char name[64] = "", room[64] = "", what[16] = "";
    const char *query = sio_http_query(request);
    query_value(query, "nsp", name, sizeof(name));
    query_value(query, "room", room, sizeof(room));
    query_value(query, "do", what, sizeof(what));
    sio_namespace *nsp = sio_server_find(r->ts->server, name);
    sio_namespace *parent = nsp == NULL ? NULL : sio_namespace_parent(nsp);
    int sockets = -1;
    if (parent != NULL) {
        sio_broadcast all = sio_namespace_broadcast(parent);
        sockets = (int)sio_namespace_count(parent);
        if (strcmp(what, "join") == 0) {
            sio_broadcast_join(all, room);
        } else if (strcmp(what, "disconnect") == 0) {
            sio_broadcast_disconnect(all, false);
        } else {
            sio_broadcast_emit(room[0] == '\0' ? all
                                               : sio_broadcast_to(all, room),
                               "all", "s", room);
        }
    }
    sio_namespace_unref(nsp);
    answer(request, json_pack("{s:i}", "sockets", sockets));
}

bool rows_namespaces_add(rows *r)
{
    static const struct {
        const char *path;
        sio_http_fn *fn;
    } paths[] = {
        {"/children", get_children},
        {"/parent", get_parent},
        {"/of", get_of},
        {"/find", get_find},
    };
    sio_server *server = r->ts->server;
    if (sio_server_on_namespace(server, on_namespace, r) != SIO_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (sio_server_on_http(server, paths[i].path, paths[i].fn, r) !=
            SIO_OK) {
            return false;
        }
    }
    sio_namespace *guarded = sio_server_of_pattern(server, "/mw-dyn-*");
    sio_namespace *tenants = sio_server_of_check(server, decide, r);
    return rows_commands_add(r, sio_server_of_pattern(server, "/dyn-*")) &&
           guarded != NULL &&
           sio_namespace_use(guarded, refuse_as_told, r) == SIO_OK &&
           rows_commands_add(r, tenants);
}
