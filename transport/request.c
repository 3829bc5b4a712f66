#include "transport/request.h"

#include <stdlib.h>

/* Where the next string goes, in the memory behind the headers. */
typedef struct cursor {
    uint8_t *at;
} cursor;

static sio_bytes put(cursor *c, sio_bytes bytes)
{
    sio_bytes copy = {c->at, bytes.len};
    if (bytes.len != 0) {
        memcpy(c->at, bytes.base, bytes.len);
    }
    c->at[bytes.len] = '\0';
    c->at += bytes.len + 1;
    return copy;
}

static sio_bytes put_lower(cursor *c, sio_bytes bytes)
{
    uint8_t *at = c->at;
    sio_bytes copy = put(c, bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        if (at[i] >= 'A' && at[i] <= 'Z') {
            at[i] = (uint8_t)(at[i] + ('a' - 'A'));
        }
    }
    return copy;
}

static uint32_t offset(const eio_request *r, sio_bytes string)
{
    return (uint32_t)(string.base - (const uint8_t *)r);
}

/* Whether `part` is the end of `whole`, as a query is of its target. */
static bool is_tail(sio_bytes part, sio_bytes whole)
{
    return part.len != 0 && part.base + part.len == whole.base + whole.len;
}

static sio_bytes tail(sio_bytes whole, size_t len)
{
    return (sio_bytes){whole.base + whole.len - len, len};
}

static size_t strings_size(const tp_http_head *head, size_t address_len)
{
    size_t query_len =
        is_tail(head->query, head->target) ? 0 : head->query.len + 1;
    size_t size = head->method_name.len + 1 + head->target.len + 1 +
                  head->path.len + 1 + query_len + address_len + 1;
    for (size_t i = 0; i < head->header_count; i++) {
        size += head->headers[i].name.len + head->headers[i].value.len + 2;
    }
    return size;
}

eio_request *tp_request_new(const tp_http_conn *conn, const tp_http_head *head)
{
    char address[TP_ADDRESS_SIZE];
    size_t address_len = tp_stream_address(conn->stream, address);
    size_t table = (head->header_count + 1) * sizeof(eio_header_at);
    eio_request *r =
        malloc(sizeof(*r) + table + strings_size(head, address_len));
    struct timespec now;
    if (r == NULL) {
        return NULL;
    }
    atomic_init(&r->refs, 1);
    cursor c = {(uint8_t *)r + sizeof(*r) + table};
    r->method = put(&c, head->method_name);
    r->url = put(&c, head->target);
    r->path = put(&c, head->path);
    r->query = is_tail(head->query, head->target)
                   ? tail(r->url, head->query.len)
                   : put(&c, head->query);
    r->address = put(&c, (sio_bytes){(const uint8_t *)address, address_len});
    clock_gettime(CLOCK_REALTIME, &now);
    r->issued = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    r->secure = false;
    r->header_count = (uint32_t)head->header_count;
    for (size_t i = 0; i < head->header_count; i++) {
        r->headers[i].name = offset(r, put_lower(&c, head->headers[i].name));
        r->headers[i].value = offset(r, put(&c, head->headers[i].value));
    }
    r->headers[head->header_count].name = (uint32_t)(c.at - (uint8_t *)r);
    return r;
}

sio_bytes tp_request_header(const eio_request *request, sio_bytes name)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        eio_header header = eio_request_header(request, i);
        if (sio_bytes_eq(header.name, name)) {
            return header.value;
        }
    }
    return (sio_bytes){NULL, 0};
}
