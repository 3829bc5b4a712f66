#include "socketio/server_impl.h"

static tp_address address_of(const eio_request *request)
{
    tp_address address = {.kind = TP_ADDRESS_UNIX};
    (void)tp_address_parse(eio_request_address(request), &address);
    return address;
}

static void on_begun(void *arg, const eio_request *request)
{
    tp_address address = address_of(request);
    tp_admission_begin(arg, &address);
}

static void on_ended(void *arg, const eio_request *request)
{
    tp_address address = address_of(request);
    tp_admission_end(arg, &address);
}

void sio_server_init_admission(sio_server *server, sio_hash_key secret)
{
    tp_admission_limits limits = server->admission.limits;
    if (!tp_admission_is_limited(&limits)) {
        return;
    }
    tp_admission_init(&server->admission, &limits, secret,
                      server->workers[0].loop.now);
    server->front_config.admission = &server->admission;
    if (limits.sessions == 0) {
        return;
    }
    server->census = (eio_census){on_begun, on_ended, &server->admission};
    for (unsigned i = 0; i < server->config.threads; i++) {
        server->workers[i].engine.census = &server->census;
    }
}

void sio_server_deinit_admission(sio_server *server)
{
    if (server->front_config.admission != NULL) {
        tp_admission_deinit(&server->admission);
    }
}
