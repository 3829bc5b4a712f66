#include "engineio/request.h"

#include <stdlib.h>

/* Names that clients send all the time are kept as one byte, from 0x80 up. */
static const char *const known[] = {
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "dnt",
    "forwarded",
    "host",
    "origin",
    "pragma",
    "priority",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-gpc",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
};

#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))
#define FIRST_CODE 0x80u
_Static_assert(KNOWN_COUNT <= 0x80, "a code is one byte");

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

static bool is_known_as(sio_bytes name, const char *text)
{
    for (size_t i = 0; i < name.len; i++) {
        if (lower(name.base[i]) != (uint8_t)text[i]) {
            return false; /* also where `text` ends before `name` */
        }
    }
    return text[name.len] == '\0';
}

/* The code of a name, or 0. */
static uint8_t code_of(sio_bytes name)
{
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        if (is_known_as(name, known[i])) {
            return (uint8_t)(FIRST_CODE + i);
        }
    }
    return 0;
}

/* Bytes of what could be written, and them, once there is a place. */
typedef struct packer {
    uint8_t *text; /* NULL: only count */
    size_t len;
} packer;

/* Returns where it is. */
static uint32_t put(packer *p, sio_bytes bytes)
{
    uint32_t at = (uint32_t)p->len;
    if (p->text != NULL) {
        if (bytes.len != 0) {
            memcpy(p->text + p->len, bytes.base, bytes.len);
        }
        p->text[p->len + bytes.len] = '\0';
    }
    p->len += bytes.len + 1;
    return at;
}

static void put_name(packer *p, sio_bytes name)
{
    uint8_t code = code_of(name);
    if (code == 0) {
        uint32_t at = put(p, name);
        for (size_t i = 0; p->text != NULL && i < name.len; i++) {
            p->text[at + i] = lower(p->text[at + i]);
        }
        return;
    }
    if (p->text != NULL) {
        p->text[p->len] = code;
    }
    p->len++;
}

/* Where `part` is in `whole`, if it is a piece of it that ends with it. */
static bool is_tail(sio_bytes part, sio_bytes whole)
{
    return part.len <= whole.len &&
           (part.len == 0 || memcmp(whole.base + (whole.len - part.len),
                                    part.base, part.len) == 0);
}

static void pack(packer *p, const eio_request_parts *parts, eio_request *r)
{
    sio_bytes url = parts->url, path = parts->path, query = parts->query;
    (void)put(p, url);
    (void)put(p, parts->method);
    (void)put(p, parts->address);
    if (parts->subject.len != 0) {
        (void)put(p, parts->subject);
    }
    r->path_at = sio_bytes_eq(path, url) ? 0 : put(p, path);
    r->query_at =
        is_tail(query, url) ? (uint32_t)(url.len - query.len) : put(p, query);
    r->headers_at = (uint32_t)p->len;
    for (size_t i = 0; i < parts->header_count; i++) {
        put_name(p, parts->headers[i].name);
        (void)put(p, parts->headers[i].value);
    }
}

eio_request *eio_request_new(const eio_request_parts *parts)
{
    packer p = {NULL, 0};
    eio_request counted;
    if (parts->method.len > UINT8_MAX || parts->address.len > UINT8_MAX) {
        return NULL;
    }
    pack(&p, parts, &counted);
    eio_request *r = p.len > UINT32_MAX ? NULL : malloc(sizeof(*r) + p.len);
    if (r == NULL) {
        return NULL;
    }
    atomic_init(&r->refs, 1);
    p = (packer){r->text, 0};
    pack(&p, parts, r);
    r->url_len = (uint32_t)parts->url.len;
    r->path_len = (uint32_t)parts->path.len;
    r->query_len = (uint32_t)parts->query.len;
    r->method_len = (uint8_t)parts->method.len;
    r->address_len = (uint8_t)parts->address.len;
    r->issued = parts->issued;
    r->secure = parts->secure;
    r->named = parts->subject.len != 0;
    r->header_count = (uint32_t)parts->header_count;
    return r;
}

static sio_bytes view(const char *text)
{
    return (sio_bytes){(const uint8_t *)text, strlen(text)};
}

bool eio_headers_next(eio_headers *walk, eio_header *out)
{
    if (walk->left == 0) {
        return false;
    }
    walk->left--;
    if (*walk->at >= FIRST_CODE) {
        out->name = view(known[*walk->at++ - FIRST_CODE]);
    } else {
        out->name = view((const char *)walk->at);
        walk->at += out->name.len + 1;
    }
    out->value = view((const char *)walk->at);
    walk->at += out->value.len + 1;
    return true;
}

sio_bytes eio_request_header(const eio_request *request, sio_bytes name)
{
    eio_headers walk = eio_request_headers(request);
    eio_header header;
    while (eio_headers_next(&walk, &header)) {
        if (sio_bytes_eq(header.name, name)) {
            return header.value;
        }
    }
    return (sio_bytes){NULL, 0};
}

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
