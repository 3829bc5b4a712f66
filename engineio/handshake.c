#include "engineio/handshake.h"

#include "base/writer.h"
#include "engineio/session_impl.h"

const char *eio_refusal_text(eio_refusal refusal)
{
    switch (refusal) {
    case EIO_REFUSAL_TRANSPORT:
        return "Transport unknown";
    case EIO_REFUSAL_SESSION:
        return "Session ID unknown";
    case EIO_REFUSAL_METHOD:
        return "Bad handshake method";
    case EIO_REFUSAL_REQUEST:
        return "Bad request";
    case EIO_REFUSAL_FORBIDDEN:
        return "Forbidden";
    case EIO_REFUSAL_PROTOCOL:
        return "Unsupported protocol version";
    case EIO_REFUSAL_NONE:
        break;
    }
    return "";
}

static unsigned transport_bit(sio_bytes name)
{
    if (sio_bytes_eq(name, SIO_LIT("polling"))) {
        return SIO_TRANSPORT_POLLING;
    }
    if (sio_bytes_eq(name, SIO_LIT("websocket"))) {
        return SIO_TRANSPORT_WEBSOCKET;
    }
    return 0;
}

static eio_refusal check_known(const eio_session *s, const eio_knock *knock,
                               unsigned bit, const char **context)
{
    const char *carried_by = eio_session_transport_name(s);
    bool same =
        sio_bytes_eq(knock->transport, (sio_bytes){(const uint8_t *)carried_by,
                                                   strlen(carried_by)});
    if (knock->upgrade ? bit != SIO_TRANSPORT_WEBSOCKET
                       : !same || bit != SIO_TRANSPORT_POLLING) {
        *context = "TRANSPORT_MISMATCH";
        return EIO_REFUSAL_REQUEST;
    }
    if (knock->protocol != s->protocol->revision) {
        *context = "PROTOCOL_MISMATCH";
        return EIO_REFUSAL_REQUEST;
    }
    return EIO_REFUSAL_NONE;
}

static eio_refusal check_new(const eio_knock *knock, unsigned bit,
                             const char **context)
{
    if (!knock->is_get) {
        *context = "BAD_HANDSHAKE_METHOD";
        return EIO_REFUSAL_METHOD;
    }
    if (knock->upgrade != (bit == SIO_TRANSPORT_WEBSOCKET)) {
        *context = "TRANSPORT_HANDSHAKE_ERROR";
        return EIO_REFUSAL_REQUEST;
    }
    return EIO_REFUSAL_NONE;
}

eio_refusal eio_knock_check(const eio_engine *engine, const eio_knock *knock,
                            eio_session **session, const char **context)
{
    unsigned bit = transport_bit(knock->transport);
    *session = NULL;
    *context = "";
    if ((bit & engine->config->transports) == 0) {
        *context = "TRANSPORT_UNKNOWN";
        return EIO_REFUSAL_TRANSPORT;
    }
    if (!knock->origin_allowed) {
        *context = "INVALID_ORIGIN";
        return EIO_REFUSAL_REQUEST;
    }
    if (knock->sid.len == 0) {
        return check_new(knock, bit, context);
    }
    sio_map_node *node = sio_map_find(&engine->sessions, knock->sid);
    if (node == NULL) {
        *context = "UNKNOWN_SID";
        return EIO_REFUSAL_SESSION;
    }
    *session = SIO_OWNER(node, eio_session, node);
    return check_known(*session, knock, bit, context);
}

unsigned eio_knock_revision(const eio_config *config, sio_bytes value)
{
    if (value.base == NULL) {
        return config->eio_missing_is_3 ? 3 : 0;
    }
    return value.len == 1 && (value.base[0] == '3' || value.base[0] == '4')
               ? value.base[0] - (unsigned)'0'
               : 0;
}

const eio_protocol *eio_knock_protocol(const eio_config *config,
                                       unsigned revision)
{
    return revision == 4                         ? &eio_protocol_4
           : revision == 3 && config->allow_eio3 ? &eio_protocol_3
                                                 : NULL;
}

static void write_open(sio_writer *w, const eio_session *s, bool upgrades)
{
    const eio_config *c = s->engine->config;
    sio_write_bytes(w, SIO_LIT("0{\"sid\":\""));
    sio_write_bytes(
        w, (sio_bytes){(const uint8_t *)eio_session_sid(s), s->sid_len});
    sio_write_bytes(w, upgrades ? SIO_LIT("\",\"upgrades\":[\"websocket\"]")
                                : SIO_LIT("\",\"upgrades\":[]"));
    sio_write_bytes(w, SIO_LIT(",\"pingInterval\":"));
    sio_write_uint(w, c->ping_interval);
    sio_write_bytes(w, SIO_LIT(",\"pingTimeout\":"));
    sio_write_uint(w, c->ping_timeout);
    sio_write_bytes(w, SIO_LIT(",\"maxPayload\":"));
    sio_write_uint(w, c->max_payload);
    sio_write_bytes(w, SIO_LIT("}"));
}

static sio_error send_open(eio_session *s)
{
    const eio_config *c = s->engine->config;
    uint8_t text[320]; /* the fixed parts, a sid, and three numbers */
    sio_writer w = {text, sizeof(text), 0};
    write_open(&w, s,
               c->allow_upgrades && !s->transport->ops->can_take_over &&
                   (c->transports & SIO_TRANSPORT_WEBSOCKET) != 0);
    sio_frame *frame = sio_frame_new(s->engine->frames, w.len);
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    memcpy(frame->data, text, w.len);
    sio_error err = eio_session_queue(s, frame, EIO_FORM_TEXT);
    sio_frame_unref(frame);
    return err;
}

static sio_error send_initial(eio_session *s)
{
    const char *text = s->engine->config->initial_packet;
    if (text == NULL) {
        return SIO_OK;
    }
    sio_frame *frame = eio_message_new(s->engine->frames, strlen(text));
    if (frame == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    memcpy(eio_message_text(frame), text, strlen(text));
    sio_error err = eio_session_queue(s, frame, EIO_FORM_TEXT);
    sio_frame_unref(frame);
    return err;
}

/* Undoes a session that nobody has heard of. */
static void forget(eio_session *s)
{
    eio_engine *engine = s->engine;
    eio_rate_end(s);
    (void)eio_session_uncarry(s);
    sio_wheel_cancel(engine->wheel, &s->timer);
    eio_session_unlist(s);
}

sio_error eio_session_open(eio_engine *engine, eio_transport *tp,
                           eio_request *request)
{
    return eio_session_open_as(engine, &eio_protocol_4, tp, request,
                               (sio_bytes){NULL, 0});
}

bool eio_sid_is_good(const eio_engine *engine, sio_bytes sid)
{
    for (size_t i = 0; i < sid.len; i++) {
        uint8_t c = sid.base[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z');
        if (!alnum && c != '-' && c != '_' && c != '.' && c != '~') {
            return false;
        }
    }
    return sid.len != 0 && sid.len <= EIO_SID_MAX &&
           sio_map_find(&engine->sessions, sid) == NULL;
}

sio_error eio_session_open_as(eio_engine *engine, const eio_protocol *protocol,
                              eio_transport *tp, eio_request *request,
                              sio_bytes sid)
{
    eio_session *s;
    sio_error err = eio_session_new(engine, protocol, request, sid, &s);
    if (err != SIO_OK) {
        eio_request_unref(request);
        return err;
    }
    eio_session_carry(s, tp);
    err = send_open(s);
    if (err == SIO_OK) {
        err = send_initial(s);
    }
    if (err != SIO_OK) {
        eio_transport_orphan(tp);
        forget(s);
        return err;
    }
    (void)eio_session_move(s, EIO_EVENT_GREETED);
    eio_count(engine, SIO_COUNTER_HANDSHAKES);
    eio_count(engine, SIO_COUNTER_SESSIONS);
    if (engine->census != NULL) {
        engine->census->begun(engine->census->arg, s->request);
    }
    engine->events->opened(engine->app, s);
    return SIO_OK;
}

const eio_protocol *eio_session_protocol(const eio_session *session)
{
    return session->protocol;
}

eio_transport *eio_session_carrier(const eio_session *session)
{
    return session->transport;
}
