#include "socketio/core.h"

/* A socket whose middlewares are still at it may have lost its client. */
void sio_limit_tell(const sio_client *client, sio_counter counter,
                    const char *event, const char *what, uint32_t limit)
{
    if (client == NULL || client->session == NULL) {
        return;
    }
    eio_engine *engine = client->loop->engine;
    eio_count(engine, counter);
    sio_log_write(engine->log, SIO_LOG_WARN, event,
                  "sid %s, address %s: %s: the limit is %u",
                  eio_session_sid(client->session),
                  eio_request_peer(eio_session_request(client->session)), what,
                  limit);
}
