#include "test/engine_rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* Appends what fits. */
__attribute__((format(printf, 4, 5))) static void
say(char *text, size_t size, size_t *len, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text + *len, size - *len, fmt, args);
    va_end(args);
    REQUIRE(n >= 0);
    *len += (size_t)n < size - 1 - *len ? (size_t)n : size - 1 - *len;
}

#define TELL(client, ...)                                                      \
    say((client)->told, sizeof((client)->told), &(client)->len, __VA_ARGS__)

/* ------------------------------------------------------- the layer above -- */

static sio_error send_text(eio_session *session, sio_bytes text)
{
    eio_engine *engine = eio_session_engine(session);
    sio_frame *frame = eio_message_new(engine->frames, text.len);
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    if (text.len != 0) {
        memcpy(eio_message_text(frame), text.base, text.len);
    }
    sio_error err = eio_session_send(session, frame, EIO_FORM_TEXT);
    sio_frame_unref(frame);
    return err;
}

static sio_error send_binary(eio_session *session, sio_bytes bytes)
{
    eio_engine *engine = eio_session_engine(session);
    sio_frame *frame = sio_frame_new(engine->frames, bytes.len);
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    if (bytes.len != 0) {
        memcpy(frame->data, bytes.base, bytes.len);
    }
    sio_error err = eio_session_send(session, frame, EIO_FORM_BINARY);
    sio_frame_unref(frame);
    return err;
}

static void close_some(engine_rig *rig)
{
    bool odd = false;
    const sio_link *at = rig->clients.next;
    for (; at != &rig->clients; at = at->next) {
        const rig_client *client = SIO_OWNER(at, rig_client, link);
        odd = !odd;
        if (odd && client->session != NULL) {
            eio_session_close(client->session, EIO_CLOSE_NOW);
        }
    }
}

static void react(rig_client *client, rig_event event, eio_session *session,
                  eio_form form, sio_bytes data)
{
    engine_rig *rig = client->rig;
    rig_reaction reaction = rig->reactions[event];
    if (reaction == RIG_NOTHING || rig->patience == 0) {
        return;
    }
    rig->patience--;
    switch (reaction) {
    case RIG_ECHO:
        (void)(form == EIO_FORM_BINARY ? send_binary(session, data)
                                       : send_text(session, data));
        break;
    case RIG_LINGER:
        eio_session_close(session, EIO_CLOSE_LINGER);
        break;
    case RIG_NOW:
        eio_session_close(session, EIO_CLOSE_NOW);
        break;
    case RIG_BLAME:
        eio_session_blame(session, SIO_ERR_PAYLOAD);
        break;
    case RIG_CLOSE_ALL:
        (void)eio_engine_close_all(&rig->engine, EIO_CLOSE_NOW);
        break;
    case RIG_CLOSE_SOME:
        close_some(rig);
        break;
    case RIG_NOTHING:
    case RIG_REACTIONS:
        break;
    }
}

static rig_client *note(void *user, eio_session *session, rig_event event)
{
    rig_client *client = user;
    REQUIRE(client != NULL && client->session == session);
    REQUIRE(client->events[RIG_CLOSED] == 0);
    REQUIRE(strcmp(client->sid, eio_session_sid(session)) == 0);
    client->events[event]++;
    return client;
}

static void on_opened(void *app, eio_session *session)
{
    engine_rig *rig = app;
    rig_client *client = calloc(1, sizeof(*client));
    REQUIRE(client != NULL);
    REQUIRE(eio_session_user(session) == NULL);
    sio_list_append(&rig->clients, &client->link);
    client->rig = rig;
    client->mt = rig->opening;
    client->session = session;
    memcpy(client->sid, eio_session_sid(session), sizeof(client->sid));
    eio_session_set_user(session, client);
    note(client, session, RIG_OPENED);
    TELL(client, " opened");
    react(client, RIG_OPENED, session, EIO_FORM_TEXT, SIO_LIT("re"));
}

static void on_message(void *user, eio_session *session, eio_form form,
                       sio_bytes data)
{
    rig_client *client = note(user, session, RIG_MESSAGE);
    if (form == EIO_FORM_TEXT) {
        TELL(client, " text(%.*s)", (int)data.len,
             data.len == 0 ? "" : (const char *)data.base);
    } else {
        REQUIRE(form == EIO_FORM_BINARY);
        TELL(client, " binary(");
        for (size_t i = 0; i < data.len; i++) {
            TELL(client, "%02x", data.base[i]);
        }
        TELL(client, ")");
    }
    react(client, RIG_MESSAGE, session, form, data);
}

static void on_drained(void *user, eio_session *session)
{
    rig_client *client = note(user, session, RIG_DRAINED);
    REQUIRE(eio_session_backlog(session) == 0);
    TELL(client, " drained");
    react(client, RIG_DRAINED, session, EIO_FORM_TEXT, SIO_LIT("re"));
}

static void on_upgraded(void *user, eio_session *session)
{
    rig_client *client = note(user, session, RIG_UPGRADED);
    TELL(client, " upgraded");
    react(client, RIG_UPGRADED, session, EIO_FORM_TEXT, SIO_LIT("re"));
}

static void on_closed(void *user, eio_session *session, eio_reason reason,
                      sio_error why)
{
    rig_client *client = note(user, session, RIG_CLOSED);
    REQUIRE(send_text(session, SIO_LIT("late")) != SIO_OK);
    client->reason = reason;
    client->why = why;
    TELL(client, " closed(%s, %s)", eio_reason_text(reason),
         sio_error_text(why));
    react(client, RIG_CLOSED, session, EIO_FORM_TEXT, SIO_LIT("re"));
    client->session = NULL;
}

static const eio_session_events session_events = {
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .upgraded = on_upgraded,
    .closed = on_closed,
};

static void on_log(void *arg, int level, const char *event, const char *text)
{
    engine_rig *rig = arg;
    (void)level;
    REQUIRE(text[0] != '\0');
    say(rig->logged, sizeof(rig->logged), &rig->logged_len, " %s", event);
}

/* ------------------------------------------------------------- the engine --
 */

void rig_init(engine_rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    rig->config = (eio_config){
        .ping_interval = 25000,
        .ping_timeout = 20000,
        .upgrade_timeout = 10000,
        .close_timeout = 30000,
        .max_payload = 1000000,
        .max_packets = 100,
        .max_backlog = 1000,
        .transports = SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET,
        .allow_upgrades = true,
    };
    rig->log = (sio_log){on_log, rig, SIO_LOG_DEBUG};
    rig->patience = UINT32_MAX;
    rig->protocol = &eio_protocol_4;
    rig->now = 1000;
    sio_wheel_init(&rig->wheel, rig->now);
    sio_list_init(&rig->doomed);
    sio_list_init(&rig->transports);
    sio_list_init(&rig->clients);
    REQUIRE(sio_frame_pool_init(&rig->frames) == SIO_OK);
    REQUIRE(sio_inbox_init(&rig->inbox) == SIO_OK);
    rig->engine = (eio_engine){
        .config = &rig->config,
        .wheel = &rig->wheel,
        .now = &rig->now,
        .doomed = &rig->doomed,
        .frames = &rig->frames,
        .chunks = &rig->chunks,
        .random = &rig->random,
        .inbox = &rig->inbox,
        .log = &rig->log,
        .counters = rig->counters,
        .error_counts = rig->errors,
        .events = &session_events,
        .app = rig,
    };
    REQUIRE(eio_engine_init(&rig->engine) == SIO_OK);
}

void rig_deinit(engine_rig *rig)
{
    memset(rig->reactions, 0, sizeof(rig->reactions));
    eio_engine_close_all(&rig->engine, EIO_CLOSE_NOW);
    rig_turn(rig);
    REQUIRE(rig->engine.sessions.count == 0);
    REQUIRE(rig->counters[SIO_COUNTER_SESSIONS] == 0);
    uint64_t when;
    REQUIRE(!sio_wheel_next(&rig->wheel, &when));

    while (!sio_list_empty(&rig->clients)) {
        rig_client *client = SIO_OWNER(rig->clients.next, rig_client, link);
        REQUIRE(client->events[RIG_OPENED] == 1);
        REQUIRE(client->events[RIG_CLOSED] == 1);
        sio_link_drop(&client->link);
        free(client);
    }
    while (!sio_list_empty(&rig->transports)) {
        memory_transport *mt =
            SIO_OWNER(rig->transports.next, memory_transport, link);
        REQUIRE(mt->gone);
        sio_link_drop(&mt->link);
        memory_transport_free(mt);
    }
    sio_inbox_deinit(&rig->inbox);
    eio_engine_deinit(&rig->engine);
    sio_frame_pool_deinit(&rig->frames);
    sio_chunk_pool_deinit(&rig->chunks);
    sio_random_deinit(&rig->random);
}

memory_transport *rig_transport(engine_rig *rig, memory_kind kind)
{
    memory_transport *mt = memory_transport_new(kind, &rig->chunks);
    if (mt != NULL) {
        sio_list_append(&rig->transports, &mt->link);
    }
    return mt;
}

eio_request *rig_request_of(sio_bytes address)
{
    eio_request_parts parts = {
        .method = SIO_LIT("GET"),
        .url = SIO_LIT("/socket.io/"),
        .path = SIO_LIT("/socket.io/"),
        .address = address,
    };
    return eio_request_new(&parts);
}

eio_request *rig_request(void)
{
    return rig_request_of(SIO_LIT("192.0.2.7"));
}

rig_client *rig_try_open(engine_rig *rig, memory_kind kind, sio_error *err)
{
    memory_transport *mt = rig_transport(rig, kind);
    eio_request *request = mt == NULL ? NULL : rig_request();
    *err = SIO_ERR_NO_MEMORY;
    if (request == NULL) {
        return NULL;
    }
    if (kind == MEMORY_POLLING) {
        memory_transport_poll(mt);
    }
    rig->opening = mt;
    *err = eio_session_open_as(&rig->engine, rig->protocol,
                               memory_transport_base(mt), request,
                               (sio_bytes){NULL, 0});
    if (*err != SIO_OK) {
        memory_transport_drop(mt, SIO_OK);
        return NULL;
    }
    return SIO_OWNER(rig->clients.prev, rig_client, link);
}

rig_client *rig_open(engine_rig *rig, memory_kind kind)
{
    sio_error err;
    rig_client *client = rig_try_open(rig, kind, &err);
    REQUIRE(client != NULL);
    rig_turn(rig);
    (void)memory_transport_said(client->mt);
    (void)rig_told(client);
    return client;
}

memory_transport *rig_probe(rig_client *client)
{
    memory_transport *mt = rig_transport(client->rig, MEMORY_WEBSOCKET);
    if (mt == NULL) {
        return NULL;
    }
    if (eio_session_probe(client->session, memory_transport_base(mt)) !=
        SIO_OK) {
        memory_transport_drop(mt, SIO_OK);
        return NULL;
    }
    return mt;
}

sio_error rig_send(rig_client *client, const char *text)
{
    return send_text(client->session,
                     (sio_bytes){(const uint8_t *)text, strlen(text)});
}

sio_error rig_send_binary(rig_client *client, sio_bytes bytes)
{
    return send_binary(client->session, bytes);
}

void rig_turn(engine_rig *rig)
{
    (void)sio_inbox_drain(&rig->inbox);
    sio_wheel_advance(&rig->wheel, rig->now);
    sio_link *at = rig->transports.next;
    for (; at != &rig->transports; at = at->next) {
        memory_transport_turn(SIO_OWNER(at, memory_transport, link));
    }
    sio_reap_now(&rig->doomed);
}

void rig_sleep(engine_rig *rig, uint64_t ms)
{
    rig->now += ms;
}

/* Timers come first, so that a turn shows what they made transports send. */
void rig_advance(engine_rig *rig, uint64_t ms)
{
    rig->now += ms;
    sio_wheel_advance(&rig->wheel, rig->now);
    rig_turn(rig);
}

void rig_run(engine_rig *rig, uint64_t ms)
{
    uint64_t end = rig->now + ms, when;
    while (sio_wheel_next(&rig->wheel, &when) && when <= end) {
        rig_advance(rig, when > rig->now ? when - rig->now : 0);
    }
    rig_advance(rig, end - rig->now);
}

const char *rig_told(rig_client *client)
{
    static char copy[sizeof(client->told)];
    memcpy(copy, client->told, sizeof(copy));
    copy[client->len] = '\0';
    client->len = 0;
    return copy;
}

const char *rig_logged(engine_rig *rig)
{
    static char copy[sizeof(rig->logged)];
    memcpy(copy, rig->logged, sizeof(copy));
    copy[rig->logged_len] = '\0';
    rig->logged_len = 0;
    return copy;
}

void rig_receive(memory_transport *mt, const char *text)
{
    memory_transport_text(mt, (sio_bytes){(const uint8_t *)text, strlen(text)});
}
