/* What the own suite of socket.io-client asks for. */

#include <stdlib.h>
#include <string.h>

#include "profiles.h"
#include "socketio/jansson.h"

#define HANDSHAKE_DELAY_MS 10

static const char eight_bytes[] = "asdfasdf";

enum { SEEN_ABUFF1 = 1, SEEN_BLOB1 = 2, SEEN_BLOB2 = 4 };

/* What a socket has sent so far, as its data. */
static unsigned seen(const sio_socket *socket)
{
    return (unsigned)(uintptr_t)sio_socket_data(socket);
}

static void set_seen(sio_socket *socket, unsigned what)
{
    uintptr_t all = seen(socket) | what;
    sio_socket_set_data(socket, (void *)all, NULL);
}

static bool first_is_binary(const sio_event *event)
{
    sio_binary binary;
    return sio_event_arg_binary(event, 0, &binary) == SIO_OK;
}

static void on_hi(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit(socket, "hi", NULL);
}

static void on_echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    sio_event_ack_args(event, sio_event_args(event));
}

static void on_acked(sio_socket *socket, sio_error err, sio_event *answer,
                     void *arg)
{
    (void)arg;
    int five, test;
    if (err == SIO_OK &&
        sio_event_unpack(answer, "i{s:b}", &five, "test", &test) == SIO_OK &&
        five == 5 && test) {
        sio_socket_emit(socket, "got it", NULL);
    }
}

static void on_ack(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit_ack(socket, "ack", 0, on_acked, NULL, NULL);
}

static void on_get_ack_date(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    char date[32];
    iso_now(date);
    sio_event_ack(event, "s", date);
}

static void on_get_date(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    char date[32];
    iso_now(date);
    sio_socket_emit(socket, "takeDate", "s", date);
}

static void on_get_date_obj(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    char date[32];
    iso_now(date);
    sio_socket_emit(socket, "takeDateObj", "{s:s}", "date", date);
}

static void on_get_utf8(sio_socket *socket, sio_event *event, void *arg)
{
    static const char *const texts[] = {
        "てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string",
    };
    (void)event;
    (void)arg;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        sio_socket_emit(socket, "takeUtf8", "s", texts[i]);
    }
}

static void on_false(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit(socket, "false", "b", 0);
}

static void on_doge(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit_binary(socket, "doge", eight_bytes, 8);
}

static void on_getbin(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    sio_socket_emit_binary(socket, "takebin", eight_bytes, 8);
}

static void on_buffa(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (first_is_binary(event)) {
        sio_socket_emit(socket, "buffack", NULL);
    }
}

/* `arg` is the name of the event to emit when the argument is as agreed. */
static void on_jsonbuff(sio_socket *socket, sio_event *event, void *arg)
{
    const char *hello, *goodbye;
    int placeholder, num;
    if (sio_event_unpack(event, "{s:s,s:{s:b,s:i},s:s}", "hello", &hello,
                         "message", "_placeholder", &placeholder, "num", &num,
                         "goodbye", &goodbye) == SIO_OK &&
        strcmp(hello, "lol") == 0 && strcmp(goodbye, "gotcha") == 0 &&
        placeholder && sio_event_args(event)->binary_count == 1) {
        sio_socket_emit(socket, arg, NULL);
    }
}

static void on_abuff1(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (first_is_binary(event)) {
        set_seen(socket, SEEN_ABUFF1);
    }
}

static void on_abuff2(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    if (seen(socket) & SEEN_ABUFF1) {
        sio_socket_emit(socket, "abuff2-ack", NULL);
    }
}

static void on_blob(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (first_is_binary(event)) {
        sio_socket_emit_args(socket, "back", sio_event_args(event), 0);
    }
}

static void on_blob1(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (first_is_binary(event)) {
        set_seen(socket, SEEN_BLOB1);
    }
}

static void on_blob2(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const char *text;
    if (sio_event_unpack(event, "s", &text) == SIO_OK &&
        strcmp(text, "second") == 0 && (seen(socket) & SEEN_BLOB1)) {
        set_seen(socket, SEEN_BLOB2);
    }
}

static void on_blob3(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (first_is_binary(event) && (seen(socket) & SEEN_BLOB2)) {
        sio_socket_emit(socket, "blob3-ack", NULL);
    }
}

/* Gives the socket's handshake as JSON text of `*len` bytes, or NULL. */
static char *handshake_json(const sio_socket *socket, size_t *len)
{
    *len = sio_socket_handshake_json(socket, NULL, 0);
    char *text = malloc(*len + 1);
    if (text != NULL) {
        sio_socket_handshake_json(socket, text, *len);
    }
    return text;
}

static void on_get_handshake(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    size_t len;
    char *text = handshake_json(socket, &len);
    if (text != NULL) {
        sio_event_ack_args(event, &(sio_args){text, len, NULL, 0});
        free(text);
    }
}

static void emit_handshake(sio_socket *socket, void *arg)
{
    (void)arg;
    size_t len;
    char *text = handshake_json(socket, &len);
    if (text != NULL) {
        sio_socket_emit_json(socket, "handshake", text, len);
        free(text);
    }
}

static void on_get_id(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_event_ack(event, "s", sio_socket_id(socket));
}

static void refuse_failing(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    const sio_handshake *handshake = sio_socket_handshake(socket);
    const char *fail = sio_handshake_query(handshake, "fail");
    if (fail != NULL && *fail != '\0') {
        sio_next_refuse(next, "Auth failed (main namespace)", NULL);
    } else {
        sio_next_allow(next);
    }
}

static void refuse_all(sio_socket *socket, sio_next *next, void *arg)
{
    (void)socket;
    (void)arg;
    sio_next_refuse(next, "Auth failed (custom namespace)", NULL);
}

static char jsonbuff_ack[] = "jsonbuff-ack";
static char jsonblob_ack[] = "jsonblob-ack";

static const struct {
    const char *event;
    sio_event_fn *fn;
    char *arg;
} handlers[] = {
    {"hi", on_hi, NULL},
    {"echo", on_echo, NULL},
    {"ack", on_ack, NULL},
    {"getAckDate", on_get_ack_date, NULL},
    {"getDate", on_get_date, NULL},
    {"getDateObj", on_get_date_obj, NULL},
    {"getUtf8", on_get_utf8, NULL},
    {"false", on_false, NULL},
    {"doge", on_doge, NULL},
    {"getbin", on_getbin, NULL},
    {"buffa", on_buffa, NULL},
    {"jsonbuff", on_jsonbuff, jsonbuff_ack},
    {"abuff1", on_abuff1, NULL},
    {"abuff2", on_abuff2, NULL},
    {"blob", on_blob, NULL},
    {"jsonblob", on_jsonbuff, jsonblob_ack},
    {"blob1", on_blob1, NULL},
    {"blob2", on_blob2, NULL},
    {"blob3", on_blob3, NULL},
    {"getHandshake", on_get_handshake, NULL},
    {"getId", on_get_id, NULL},
};

void profile_client_defaults(options *opts)
{
    opts->config.ping_interval_ms = 2000;
    opts->config.recovery = true;
    opts->allow_delay_ms = HANDSHAKE_DELAY_MS;
}

static bool setup_root(sio_namespace *root)
{
    if (root == NULL || sio_namespace_use(root, refuse_failing, NULL)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (sio_namespace_on(root, handlers[i].event, handlers[i].fn,
                             handlers[i].arg) != SIO_OK) {
            return false;
        }
    }
    return true;
}

bool profile_client_setup(testserver *ts)
{
    static const char *const silent[] = {"/timeout_socket", "/valid", "/asd"};
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        if (sio_server_of(ts->server, silent[i]) == NULL) {
            return false;
        }
    }
    sio_namespace *foo = sio_server_of(ts->server, "/foo");
    sio_namespace *abc = sio_server_of(ts->server, "/abc");
    sio_namespace *no = sio_server_of(ts->server, "/no");
    return foo != NULL && abc != NULL && no != NULL &&
           setup_root(sio_server_of(ts->server, "/")) &&
           sio_namespace_on(foo, "getId", on_get_id, NULL) == SIO_OK &&
           sio_namespace_on_connection(abc, emit_handshake, NULL) == SIO_OK &&
           sio_namespace_use(no, refuse_all, NULL) == SIO_OK;
}
