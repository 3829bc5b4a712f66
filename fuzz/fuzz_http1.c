#include <stdlib.h>

#include "base/query.h"
#include "base/writer.h"
#include "transport/http1.h"
#include "transport/http_chunked.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define SIZE_MAX_IN 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const tp_http_limits limits = {.max_head = 2048, .max_headers = 20};

static void require_within(sio_bytes part, sio_bytes whole)
{
    REQUIRE(part.base != NULL || part.len == 0);
    REQUIRE(part.base == NULL ||
            (part.base >= whole.base &&
             part.base + part.len <= whole.base + whole.len));
}

static void require_spans(const tp_http_head *head, sio_bytes in)
{
    require_within(head->method_name, in);
    require_within(head->target, in);
    require_within(head->authority, head->target);
    require_within(head->path, head->target);
    require_within(head->query, head->target);
    require_within(head->host, in);
    for (size_t i = 0; i < head->header_count; i++) {
        require_within(head->headers[i].name, in);
        require_within(head->headers[i].value, in);
        REQUIRE(memchr(head->headers[i].value.base, '\r',
                       head->headers[i].value.len) == NULL);
        REQUIRE(memchr(head->headers[i].value.base, '\n',
                       head->headers[i].value.len) == NULL);
    }
    REQUIRE(head->content_length <= INT64_MAX);
    REQUIRE(!head->chunked || !head->has_content_length);
    sio_bytes host = tp_http_header_find(head, SIO_LIT("host"));
    REQUIRE(sio_bytes_eq(host, head->host));
}

static void require_same(const tp_http_head *a, const tp_http_head *b)
{
    REQUIRE(a->method == b->method && a->version == b->version);
    REQUIRE(a->form == b->form && a->expect == b->expect);
    REQUIRE(sio_bytes_eq(a->method_name, b->method_name));
    REQUIRE(sio_bytes_eq(a->target, b->target));
    REQUIRE(sio_bytes_eq(a->authority, b->authority));
    REQUIRE(sio_bytes_eq(a->path, b->path));
    REQUIRE(sio_bytes_eq(a->query, b->query));
    REQUIRE((a->query.base == NULL) == (b->query.base == NULL));
    REQUIRE(sio_bytes_eq(a->host, b->host));
    REQUIRE(a->content_length == b->content_length);
    REQUIRE(a->has_content_length == b->has_content_length);
    REQUIRE(a->chunked == b->chunked && a->has_body == b->has_body);
    REQUIRE(a->keep_alive == b->keep_alive && a->upgrade == b->upgrade);
    REQUIRE(a->header_count == b->header_count);
    for (size_t i = 0; i < a->header_count; i++) {
        REQUIRE(sio_bytes_eq(a->headers[i].name, b->headers[i].name));
        REQUIRE(sio_bytes_eq(a->headers[i].value, b->headers[i].value));
    }
}

static void write_head(sio_writer *w, const tp_http_head *head)
{
    bool old = head->version == TP_HTTP_VERSION_10;
    sio_write_bytes(w, head->method_name);
    sio_write_byte(w, ' ');
    sio_write_bytes(w, head->target);
    sio_write_bytes(w,
                    old ? SIO_LIT(" HTTP/1.0\r\n") : SIO_LIT(" HTTP/1.1\r\n"));
    for (size_t i = 0; i < head->header_count; i++) {
        sio_write_bytes(w, head->headers[i].name);
        sio_write_byte(w, ':');
        sio_write_bytes(w, head->headers[i].value);
        sio_write_bytes(w, SIO_LIT("\r\n"));
    }
    sio_write_bytes(w, SIO_LIT("\r\n"));
}

/* What is read says all that was written: writing it again and reading that
 * gives the same. */
static void check_parse(sio_bytes in)
{
    tp_http_head head, again;
    if (tp_http_head_parse(in, &limits, &head) != SIO_OK) {
        return;
    }
    require_spans(&head, in);
    uint8_t text[SIZE_MAX_IN];
    sio_writer w = {.base = text, .cap = sizeof(text)};
    write_head(&w, &head);
    REQUIRE(w.len <= in.len);
    sio_bytes copy = {text, w.len};
    size_t len = 0;
    REQUIRE(tp_http_head_end(copy, 0, &limits, &len) == SIO_OK);
    REQUIRE(len == copy.len);
    REQUIRE(tp_http_head_parse(copy, &limits, &again) == SIO_OK);
    require_same(&head, &again);
}

/* The end is found alike whole and byte by byte.  Returns the head's length,
 * or 0 if it has none. */
static size_t check_end(sio_bytes in)
{
    size_t whole = 0, piecewise = 0, have = 0;
    sio_error err = tp_http_head_end(in, 0, &limits, &whole);
    sio_error step;
    do {
        size_t seen = have == 0 ? 0 : have - 1;
        step = tp_http_head_end((sio_bytes){in.base, have}, seen, &limits,
                                &piecewise);
    } while (step == SIO_MORE && have++ < in.len);
    REQUIRE(step == err && piecewise == whole && whole <= in.len);
    REQUIRE(err != SIO_OK || whole == have);
    return whole;
}

typedef struct body {
    sio_error err;
    size_t used, len;
    uint8_t bytes[2 * SIZE_MAX_IN];
} body;

static void feed(tp_http_chunked *c, sio_bytes in, body *out)
{
    const uint8_t *from = in.base;
    sio_bytes data;
    do {
        sio_bytes before = in;
        out->err = tp_http_chunked_next(c, &in, &data);
        require_within(data, before);
        REQUIRE(in.base + in.len == before.base + before.len);
        REQUIRE(out->len + data.len <= sizeof(out->bytes));
        if (data.len != 0) {
            memcpy(out->bytes + out->len, data.base, data.len);
        }
        out->len += data.len;
    } while (out->err == SIO_OK && data.len != 0);
    REQUIRE(out->err != SIO_MORE || in.len == 0);
    out->used += (size_t)(in.base - from);
}

static void check_chunked(sio_bytes in)
{
    static body whole, piecewise;
    tp_http_chunked a = {0}, b = {0};
    whole = (body){.err = SIO_MORE};
    piecewise = (body){.err = SIO_MORE};
    feed(&a, in, &whole);
    for (size_t i = 0; i < in.len && piecewise.err == SIO_MORE; i++) {
        feed(&b, (sio_bytes){in.base + i, 1}, &piecewise);
    }
    REQUIRE(whole.err == piecewise.err && whole.used == piecewise.used);
    REQUIRE(whole.len == piecewise.len);
    REQUIRE(memcmp(whole.bytes, piecewise.bytes, whole.len) == 0);
}

/* Writes `text` in chunks whose sizes are taken from it, and reads it back. */
static void check_round_trip(sio_bytes text)
{
    static uint8_t wire[8 * SIZE_MAX_IN];
    static body out;
    static const uint8_t hex[] = "0123456789abcdef";
    sio_writer w = {.base = wire, .cap = sizeof(wire)};
    for (size_t at = 0; at < text.len;) {
        size_t len = text.base[at];
        len = len == 0 ? 1 : len;
        len = len > text.len - at ? text.len - at : len;
        sio_write_byte(&w, hex[len >> 4]);
        sio_write_byte(&w, hex[len & 15]);
        sio_write_bytes(&w, SIO_LIT("\r\n"));
        sio_write_bytes(&w, (sio_bytes){text.base + at, len});
        sio_write_bytes(&w, SIO_LIT("\r\n"));
        at += len;
    }
    sio_write_bytes(&w, SIO_LIT("0\r\n\r\n"));
    REQUIRE(w.len <= w.cap);
    tp_http_chunked c = {0};
    out = (body){.err = SIO_MORE};
    feed(&c, (sio_bytes){wire, w.len}, &out);
    REQUIRE(out.err == SIO_OK && out.used == w.len);
    REQUIRE(sio_bytes_eq((sio_bytes){out.bytes, out.len}, text));
}

/* A plain text decodes to itself, and is told to be what it decodes to. */
static void check_raw(sio_bytes raw)
{
    static uint8_t decoded[SIZE_MAX_IN];
    sio_bytes text = {decoded, 0};
    sio_query_decode(raw, decoded, &text.len);
    REQUIRE(!sio_query_is_plain(raw) || sio_bytes_eq(raw, text));
    REQUIRE(sio_query_is(raw, SIO_LIT("sid")) ==
            sio_bytes_eq(text, SIO_LIT("sid")));
}

/* Pairs lie in order and apart; the last is what its decoded name finds; a
 * name decodes alike in place. */
static void check_query(sio_bytes query)
{
    static uint8_t decoded[SIZE_MAX_IN], in_place[SIZE_MAX_IN];
    sio_query it = {.rest = query};
    sio_bytes name, value, found;
    const uint8_t *at = query.base;
    bool any = false;
    while (sio_query_next(&it, &name, &value)) {
        REQUIRE(name.base >= at && value.base >= name.base + name.len);
        at = value.base + value.len;
        REQUIRE(at <= query.base + query.len);
        check_raw(name);
        check_raw(value);
        any = true;
    }
    if (!any) {
        return;
    }
    size_t len, again;
    sio_query_decode(name, decoded, &len);
    REQUIRE(len <= name.len);
    if (name.len != 0) {
        memcpy(in_place, name.base, name.len);
    }
    sio_query_decode((sio_bytes){in_place, name.len}, in_place, &again);
    REQUIRE(len == again && memcmp(decoded, in_place, len) == 0);
    REQUIRE(sio_query_get(query, (sio_bytes){decoded, len}, &found));
    REQUIRE(found.base == value.base && found.len == value.len);
}

/* Everything that reads HTTP, each on the whole input, and the body decoder
 * also on what follows the head. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_IN) {
        return 0;
    }
    sio_bytes in = {data, size};
    size_t len = check_end(in);
    if (len != 0) {
        check_parse((sio_bytes){data, len});
        check_chunked((sio_bytes){data + len, size - len});
    }
    check_parse(in);
    check_chunked(in);
    check_round_trip(in);
    check_query(in);
    return 0;
}
