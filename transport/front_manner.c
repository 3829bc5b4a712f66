#include "transport/front_impl.h"

/* JSONP is for the same old clients that revision 3 is for. */
bool tp_front_read_manner(const tp_entry *e, const eio_request *request,
                          tp_polling_manner *out)
{
    const eio_config *config = e->front->engine->config;
    uint8_t value[TP_FRONT_VALUE_MAX];
    sio_bytes index =
        tp_front_value(eio_request_query(request), SIO_LIT("j"), value);
    *out = (tp_polling_manner){
        .protocol = eio_knock_protocol(config, e->protocol),
        .base64 = e->base64,
        .jsonp = config->allow_eio3 && index.base != NULL,
    };
    return !out->jsonp || tp_jsonp_index(index, out->index);
}
