#include "base/writer.h"
#include "transport/admission.h"
#include "transport/forwarded.h"
#include "transport/front_impl.h"

/*
 * Limits by address.  A connection counts for its peer, or for whom a PROXY
 * header names; those of trusted proxies do not count, as they carry the
 * requests of many.  A handshake and a session count for whom the request comes
 * from.
 */

static void tell(tp_front *front, const tp_address *address,
                 const tp_admission_answer *answer, const char *event,
                 const char *what)
{
    char text[TP_ADDRESS_SIZE];
    if (answer->tell) {
        (void)tp_address_text(address, text);
        sio_log_write(front->loop->log, SIO_LOG_WARN, event,
                      "address %s: too many %s", text, what);
    }
}

/* Answers by 429 (RFC 6585) to what is one client's doing, by 503 otherwise. */
static void turn_away(tp_front *front, tp_http_conn *conn,
                      const tp_admission_answer *answer, bool upgrade)
{
    uint8_t line[64];
    bool own = answer->verdict == TP_ADMISSION_ADDRESS;
    int status = own ? 429 : 503;
    sio_writer w = {line, sizeof(line), 0};
    sio_write_bytes(&w, SIO_LIT("Retry-After: "));
    sio_write_uint(&w, answer->retry_after);
    sio_write_bytes(&w, SIO_LIT("\r\n"));
    sio_bytes extra = {line, w.len};
    eio_count(front->engine, SIO_COUNTER_REFUSED);
    if (upgrade) {
        tp_http_answer_refusal(conn, status, extra,
                               own ? "Too Many Requests"
                                   : "Service Unavailable");
    } else {
        tp_http_answer_send(
            conn,
            &(tp_http_answer){.status = status, .extra = extra, .close = true});
    }
}

bool tp_front_lets_in(tp_front *front, tp_stream *stream)
{
    const tp_trusted *trusted = front->config->http.trusted;
    if (stream->nameless ||
        (trusted != NULL && tp_trusted_has(trusted, &stream->peer))) {
        return true;
    }
    tp_admission_answer answer =
        tp_admission_enter(front->config->admission, &stream->peer,
                           front->loop->now, &stream->place);
    if (answer.verdict == TP_ADMISSION_FINE) {
        return true;
    }
    eio_count(front->engine, SIO_COUNTER_LIMITED_CONNECTIONS);
    tell(front, &stream->peer, &answer, "connection_limit", "connections");
    return false;
}

bool tp_front_lets_shake(tp_front *front, tp_http_conn *conn,
                         const tp_http_head *head, bool upgrade)
{
    const tp_http_config *http = &front->config->http;
    tp_client client =
        tp_client_of(conn->stream, head, http->trusted, http->proxy_headers);
    tp_admission_answer answer = tp_admission_shake(
        front->config->admission, &client.address, front->loop->now);
    if (answer.verdict == TP_ADMISSION_FINE) {
        return true;
    }
    eio_count(front->engine, answer.verdict == TP_ADMISSION_ADDRESS
                                 ? SIO_COUNTER_LIMITED_HANDSHAKES
                                 : SIO_COUNTER_LIMITED_ALL_HANDSHAKES);
    tell(front, &client.address, &answer, "handshake_limit",
         answer.verdict == TP_ADMISSION_ADDRESS ? "handshakes"
                                                : "handshakes of all");
    turn_away(front, conn, &answer, upgrade);
    return false;
}

bool tp_front_lets_enter(tp_front *front, tp_http_conn *conn,
                         const eio_request *request, bool upgrade)
{
    tp_address address = {.kind = TP_ADDRESS_UNIX};
    (void)tp_address_parse(eio_request_address(request), &address);
    tp_admission_answer answer =
        tp_admission_ask(front->config->admission, &address, front->loop->now);
    if (answer.verdict == TP_ADMISSION_FINE) {
        return true;
    }
    eio_count(front->engine, SIO_COUNTER_LIMITED_SESSIONS);
    tell(front, &address, &answer, "session_limit", "sessions");
    turn_away(front, conn, &answer, upgrade);
    return false;
}
