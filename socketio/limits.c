#include "base/seldom.h"
#include "socketio/core.h"

/* A socket whose middlewares are still at it may have lost its client. */
void sio_limit_tell(const sio_client *client, sio_counter counter,
                    const char *event, const char *what, uint32_t limit,
                    uint64_t *next)
{
    if (client == NULL || client->session == NULL) {
        return;
    }
    eio_engine *engine = client->loop->engine;
    eio_count(engine, counter);
    if (next != NULL && !sio_seldom(next, eio_now(engine))) {
        return;
    }
    sio_log_write(engine->log, SIO_LOG_WARN, event,
                  "sid %s, address %s: %s: the limit is %u",
                  eio_session_sid(client->session),
                  eio_request_peer(eio_session_request(client->session)), what,
                  limit);
}

void sio_limit_end_namespaces(sio_client *client)
{
    sio_limit_tell(client, SIO_COUNTER_LIMITED_NAMESPACES, "client_namespaces",
                   "namespaces of a client", client->loop->core->max_namespaces,
                   NULL);
    sio_client_blame(client, SIO_ERR_LIMIT);
}
