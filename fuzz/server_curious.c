#include "fuzz/server_curious.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void must(bool good)
{
    if (!good) {
        abort();
    }
}

/* ------------------------------------------------------------------- JSON --
 */

/* Reads a text that has to be JSON; NULL only where jansson cannot have what
 * JSON can: NUL in a name, numbers without end. */
static json_t *read_json(const char *text, size_t len)
{
    json_error_t why;
    json_t *json =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (json == NULL) {
        enum json_error_code code = json_error_code(&why);
        must(code == json_error_null_byte_in_key ||
             code == json_error_numeric_overflow);
    }
    return json;
}

/* Whether `text` is as it came: neither cut nor repaired. */
static bool is_whole(const char *text, size_t len)
{
    return strlen(text) == len && strstr(text, "\xef\xbf\xbd") == NULL;
}

typedef const char *lookup_fn(const sio_handshake *handshake, const char *name);

/* Each member is what `lookup` finds by its name. */
static void check_members(json_t *object, const sio_handshake *handshake,
                          lookup_fn *lookup)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const char *text = json_string_value(value);
        const char *found = lookup(handshake, name);
        must(text != NULL);
        if (is_whole(name, strlen(name)) &&
            is_whole(text, json_string_length(value))) {
            must(found != NULL && strcmp(found, text) == 0);
            must(lookup(handshake, name) == found); /* it is kept */
        }
    }
}

/* ------------------------------------------------------------- handshakes --
 */

static void on_header(const char *name, const char *value, void *arg)
{
    size_t *count = arg;
    must(value != NULL && name[0] != '\0');
    for (; *name != '\0'; name++) {
        must(*name < 'A' || *name > 'Z');
    }
    ++*count;
}

static void check_auth(sio_socket *socket)
{
    const char *auth = sio_socket_auth(socket), *token = NULL;
    json_t *json = read_json(auth, strlen(auth));
    sio_error err = sio_socket_auth_unpack(socket, "{s:s}", "token", &token);
    json_t *member = json_object_get(json, "token");
    must(json == NULL || (err == SIO_OK) == json_is_string(member));
    must(json == NULL || err != SIO_OK ||
         strcmp(token, json_string_value(member)) == 0);
    json_decref(json);
}

static void check_handshake(sio_socket *socket)
{
    const sio_handshake *handshake = sio_socket_handshake(socket);
    size_t len = sio_socket_handshake_json(socket, NULL, 0), headers = 0;
    char *text = malloc(len);
    must(text != NULL && sio_socket_handshake_json(socket, text, len) == len);
    json_t *json = read_json(text, len);
    sio_handshake_each_header(handshake, on_header, &headers);
    if (json != NULL) {
        json_t *named = json_object_get(json, "headers");
        must(json_object_size(named) <= headers);
        check_members(named, handshake, sio_handshake_header);
        check_members(json_object_get(json, "query"), handshake,
                      sio_handshake_query);
        must(strcmp(json_string_value(json_object_get(json, "address")),
                    sio_handshake_address(handshake)) == 0);
    }
    json_decref(json);
    free(text);
    check_auth(socket);
}

/* ------------------------------------------------------------------ rooms --
 */

typedef struct rooms {
    sio_socket *socket;
    size_t count;
} rooms;

static void on_room(const char *room, void *arg)
{
    rooms *r = arg;
    must(sio_socket_in_room(r->socket, room));
    r->count++;
}

static void on_sibling(sio_socket *socket, void *arg)
{
    must(sio_socket_connected(socket));
    ++*(size_t *)arg;
}

static void check_conn(sio_socket *socket)
{
    sio_conn *conn = sio_socket_conn(socket);
    const char *nsp = sio_namespace_name(sio_socket_namespace(socket));
    size_t count = 0;
    must(conn != NULL);
    must(strcmp(sio_conn_id(conn), sio_socket_session_id(socket)) == 0);
    must(sio_conn_socket(conn, nsp) == socket);
    sio_conn_each_socket(conn, on_sibling, &count);
    must(count >= 1 && sio_conn_transport(conn) != NULL);
    must(sio_socket_backlog(socket) == sio_conn_backlog(conn));
}

void curious_about_socket(sio_socket *socket)
{
    rooms r = {socket, 0};
    check_handshake(socket);
    sio_socket_each_room(socket, on_room, &r);
    must(r.count == sio_socket_room_count(socket));
    check_conn(socket);
    must(sio_socket_protocol(socket) == 3 || sio_socket_protocol(socket) == 4);
}

/* ----------------------------------------------------------------- events --
 */

/* The arguments lie in order within the text of all of them. */
static void check_arguments(const sio_event *event)
{
    const sio_args *args = sio_event_args(event);
    const char *at = args->json;
    size_t count = sio_event_arg_count(event), len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *arg = sio_event_arg(event, i, &len);
        sio_args rest = sio_event_args_from(event, i);
        must(arg != NULL && len != 0 && arg >= at);
        at = arg + len;
        must(at <= args->json + args->json_len);
        must(rest.json_len >= len && memcmp(rest.json, arg, len) == 0);
        sio_binary binary;
        if (sio_event_arg_binary(event, i, &binary) == SIO_OK) {
            must(binary.data != NULL || binary.len == 0);
            must(args->binary_count != 0);
        } else {
            json_decref(read_json(arg, len));
        }
    }
    must(sio_event_arg(event, count, &len) == NULL);
    must(sio_event_args_from(event, count).json_len == 0);
}

/* What jansson unpacks is of the kind that the text is. */
static void check_unpacking(sio_event *event)
{
    const char *text = NULL, *arg = sio_event_arg(event, 0, NULL);
    json_t *tree = NULL;
    json_int_t number = 0;
    double real = 0;
    int flag = 0;
    if (sio_event_unpack(event, "s", &text) == SIO_OK) {
        must(arg != NULL && arg[0] == '"' && text != NULL);
    }
    if (sio_event_unpack(event, "I", &number) == SIO_OK) {
        must(arg != NULL &&
             (arg[0] == '-' || (arg[0] >= '0' && arg[0] <= '9')));
    }
    if (sio_event_unpack(event, "b", &flag) == SIO_OK) {
        must(arg != NULL && arg[0] == (flag ? 't' : 'f'));
    }
    (void)sio_event_unpack(event, "F", &real);
    (void)sio_event_unpack(event, "{s:i}", "a", &flag);
    if (sio_event_unpack(event, "o", &tree) == SIO_OK) {
        must(tree != NULL && tree->refcount != 0 && arg != NULL);
    }
}

void curious_about_event(sio_event *event)
{
    size_t count = sio_event_arg_count(event);
    check_arguments(event);
    check_unpacking(event);
    if (count != 0) {
        sio_args rest = sio_event_args_from(event, 1);
        must(sio_event_set(event, "less", &rest) == SIO_OK);
        must(strcmp(sio_event_name(event), "less") == 0);
        must(sio_event_arg_count(event) == count - 1);
        check_arguments(event);
    }
}

/* ----------------------------------------------------------------- others --
 */

static void on_infos(sio_error err, const sio_socket_info *infos, size_t count,
                     void *arg)
{
    (void)arg;
    must(err == SIO_OK);
    for (size_t i = 0; i < count; i++) {
        must(infos[i].room_count >= 1 &&
             strcmp(infos[i].rooms[0], infos[i].id) == 0);
        json_decref(read_json(infos[i].handshake, infos[i].handshake_len));
    }
}

static void on_count(sio_error err, size_t count, void *arg)
{
    (void)count;
    (void)arg;
    must(err == SIO_OK);
}

static void on_each(sio_socket *socket, void *arg)
{
    (void)arg;
    if (sio_socket_connected(socket)) {
        curious_about_socket(socket);
    }
}

void curious_about_all(sio_namespace *nsp)
{
    sio_broadcast b = sio_namespace_broadcast(nsp);
    must(sio_broadcast_fetch_infos(b, on_infos, NULL) == SIO_OK);
    must(sio_broadcast_count(b, on_count, NULL) == SIO_OK);
    must(sio_broadcast_each(b, on_each, NULL) == SIO_OK);
}
