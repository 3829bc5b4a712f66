#include "transport/request.h"

#include <time.h>

#include "transport/forwarded.h"

eio_request *tp_request_new(const tp_http_conn *conn, const tp_http_head *head)
{
    char address[TP_ADDRESS_SIZE];
    tp_client client = tp_client_of(conn->stream, head, conn->config->trusted,
                                    conn->config->proxy_headers);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    eio_request_parts parts = {
        .method = head->method_name,
        .url = head->target,
        .path = head->path,
        .query = head->query,
        .issued = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
        .secure = client.secure,
        .headers = head->headers,
        .header_count = head->header_count,
    };
    const char *subject = tp_stream_subject(conn->stream);
    if (subject != NULL) {
        parts.subject = (sio_bytes){(const uint8_t *)subject, strlen(subject)};
    }
    parts.address.len = tp_address_text(&client.address, address);
    parts.address.base = (const uint8_t *)address;
    eio_request *request = eio_request_new(&parts);
    if (request == NULL) {
        tp_loop_lacks(conn->loop, "a request");
    }
    return request;
}
