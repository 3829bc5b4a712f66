#include "base/query.h"
#include "transport/front_impl.h"

static sio_bytes decoded(sio_bytes raw, uint8_t out[TP_FRONT_VALUE_MAX])
{
    if (raw.base == NULL || raw.len > TP_FRONT_VALUE_MAX) {
        return raw;
    }
    sio_bytes value = {out, 0};
    sio_query_decode(raw, out, &value.len);
    return value;
}

sio_bytes tp_front_value(sio_bytes query, sio_bytes name,
                         uint8_t out[TP_FRONT_VALUE_MAX])
{
    sio_bytes raw = {0};
    return sio_query_get(query, name, &raw) ? decoded(raw, out) : raw;
}

void tp_front_query_read(tp_front_query *out, sio_bytes query)
{
    sio_query it = {.rest = query};
    sio_bytes name, value;
    out->transport = out->sid = out->eio = out->b64 = (sio_bytes){0};
    while (sio_query_next(&it, &name, &value)) {
        if (sio_query_is(name, SIO_LIT("transport"))) {
            out->transport = value;
        } else if (sio_query_is(name, SIO_LIT("sid"))) {
            out->sid = value;
        } else if (sio_query_is(name, SIO_LIT("EIO"))) {
            out->eio = value;
        } else if (sio_query_is(name, SIO_LIT("b64"))) {
            out->b64 = value;
        }
    }
    if (sio_query_is_plain(query)) { /* mostly; then they stay where they are */
        return;
    }
    out->transport = decoded(out->transport, out->room[0]);
    out->sid = decoded(out->sid, out->room[1]);
    out->eio = decoded(out->eio, out->room[2]);
    out->b64 = decoded(out->b64, out->room[3]);
}
