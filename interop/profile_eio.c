/*
 * Bare Engine.IO, for its own suites: the server's front and engine with other
 * events than those of Socket.IO on top, which only the inside knows how to
 * set.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles.h"
#include "socketio/jansson.h"
#include "socketio/server_impl.h"

/* The headers of the latest request, as JSON; see `sendHeaders`. */
typedef struct eio_state_of_profile {
    json_t *headers;
} profile_state;

static void send_text(eio_session *session, sio_bytes text)
{
    eio_engine *engine = eio_session_engine(session);
    sio_frame *frame = eio_message_new(engine->frames, text.len);
    if (frame == NULL) {
        return;
    }
    if (text.len != 0) {
        memcpy(eio_message_text(frame), text.base, text.len);
    }
    (void)eio_session_send(session, frame, EIO_FORM_TEXT);
    sio_frame_unref(frame);
}

static void send_binary(eio_session *session, sio_bytes data)
{
    eio_engine *engine = eio_session_engine(session);
    sio_frame *frame = sio_frame_new(engine->frames, data.len);
    if (frame == NULL) {
        return;
    }
    if (data.len != 0) {
        memcpy(frame->data, data.base, data.len);
    }
    (void)eio_session_send(session, frame, EIO_FORM_BINARY);
    sio_frame_unref(frame);
}

static void echo(eio_session *session, eio_form form, sio_bytes data)
{
    if (form == EIO_FORM_BINARY) {
        send_binary(session, data);
    } else {
        send_text(session, data);
    }
}

static void on_drained(void *user, eio_session *session)
{
    (void)user;
    (void)session;
}

static void on_closed(void *user, eio_session *session, eio_reason reason,
                      sio_error why)
{
    (void)user;
    (void)session;
    (void)reason;
    (void)why;
}

/* ----------------------------------------------------------------- eio4 -- */

static void on_opened_silently(void *app, eio_session *session)
{
    eio_session_set_user(session, app);
}

static void on_message_to_echo(void *user, eio_session *session, eio_form form,
                               sio_bytes data)
{
    (void)user;
    echo(session, form, data);
}

static const eio_session_events echo_events = {
    .opened = on_opened_silently,
    .message = on_message_to_echo,
    .drained = on_drained,
    .upgraded = on_drained,
    .closed = on_closed,
};

/* ----------------------------------------------------------- eio-client -- */

static void on_opened(void *app, eio_session *session)
{
    eio_session_set_user(session, app);
    send_text(session, SIO_LIT("hi"));
}

static void send_headers(testserver *ts, eio_session *session)
{
    profile_state *state = ts->state;
    char *text = state->headers == NULL
                     ? NULL
                     : json_dumps(state->headers, JSON_COMPACT);
    send_text(session, sio_text(text == NULL ? "{}" : text));
    free(text);
}

static void on_message(void *user, eio_session *session, eio_form form,
                       sio_bytes data)
{
    if (form == EIO_FORM_TEXT && sio_bytes_eq(data, SIO_LIT("give binary"))) {
        send_binary(session, SIO_LIT("\0\1\2\3\4"));
    } else if (form == EIO_FORM_TEXT &&
               sio_bytes_eq(data, SIO_LIT("give utf8"))) {
        send_text(session,
                  SIO_LIT("\u043f\u043e\u0439\u0434\u0443 "
                          "\u0441\u043f\u0430\u0442\u044c "
                          "\u0432\u0441\u0435\u043c "
                          "\u0441\u043f\u043e\u043a\u043e\u0439\u043d\u043e"
                          "\u0439 \u043d\u043e\u0447\u0438"));
    } else if (form == EIO_FORM_TEXT &&
               sio_bytes_eq(data, SIO_LIT("sendHeaders"))) {
        send_headers(user, session);
    } else {
        echo(session, form, data);
    }
}

static const eio_session_events client_events = {
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .upgraded = on_drained,
    .closed = on_closed,
};

static void on_initial_headers(sio_http_request *request, void *arg)
{
    char expires[64];
    time_t now = time(NULL);
    struct tm tm;
    (void)arg;
    gmtime_r(&now, &tm);
    strftime(expires, sizeof(expires), "4=4; Expires=%a, %d %b %Y %H:%M:%S GMT",
             &tm);
    (void)sio_http_add_header(request, "Set-Cookie", "1=1; Max-Age=86400");
    (void)sio_http_add_header(request, "Set-Cookie",
                              "2=2; Path=/; HttpOnly; Secure; SameSite=Strict");
    (void)sio_http_add_header(request, "Set-Cookie", "3=3; Max-Age=0");
    (void)sio_http_add_header(request, "Set-Cookie", expires);
}

/* Called with each request before its packets are read. */
static void on_headers(sio_http_request *request, void *arg)
{
    testserver *ts = arg;
    profile_state *state = ts->state;
    const eio_request *r = request->request;
    json_decref(state->headers);
    state->headers = json_object();
    eio_headers walk = eio_request_headers(r);
    eio_header header;
    while (eio_headers_next(&walk, &header)) {
        json_object_set_new(state->headers, (const char *)header.name.base,
                            json_string((const char *)header.value.base));
    }
}

/* --------------------------------------------------------------- profiles --
 */

void profile_eio4_defaults(options *opts)
{
    opts->config.path = "/engine.io";
    opts->config.ping_interval_ms = 300;
    opts->config.ping_timeout_ms = 200;
}

void profile_eio3_defaults(options *opts)
{
    profile_eio4_defaults(opts);
    opts->config.allow_eio3 = true;
}

void profile_eio_client_defaults(options *opts)
{
    opts->config.path = "/engine.io";
    opts->config.ping_interval_ms = 500;
    opts->config.max_payload = 100;
    opts->config.on_initial_headers = on_initial_headers;
    opts->config.on_headers = on_headers;
    opts->deny_query = true;
}

/* Sessions are led here instead of to the layer above. */
static void take_sessions(testserver *ts, const eio_session_events *events)
{
    for (unsigned i = 0; i < ts->server->config.threads; i++) {
        ts->server->workers[i].engine.events = events;
        ts->server->workers[i].engine.app = ts;
    }
}

bool profile_eio4_setup(testserver *ts)
{
    take_sessions(ts, &echo_events);
    return true;
}

bool profile_eio_client_setup(testserver *ts)
{
    take_sessions(ts, &client_events);
    ts->state = calloc(1, sizeof(profile_state));
    return ts->state != NULL;
}

void profile_eio_client_teardown(testserver *ts)
{
    profile_state *state = ts->state;
    if (state != NULL) {
        json_decref(state->headers);
        free(state);
    }
}
