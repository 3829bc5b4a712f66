#include "engineio/request.h"

#include <stdlib.h>

eio_request *eio_request_ref(eio_request *request)
{
    atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
    return request;
}

void eio_request_unref(eio_request *request)
{
    if (request != NULL && atomic_fetch_sub_explicit(
                               &request->refs, 1, memory_order_acq_rel) == 1) {
        free(request);
    }
}

eio_header eio_request_header(const eio_request *request, uint32_t i)
{
    const uint8_t *base = (const uint8_t *)request;
    const eio_header_at *at = &request->headers[i];
    return (eio_header){
        {base + at[0].name, at[0].value - at[0].name - 1},
        {base + at[0].value, at[1].name - at[0].value - 1},
    };
}
