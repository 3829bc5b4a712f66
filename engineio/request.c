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
