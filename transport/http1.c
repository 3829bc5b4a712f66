#include "transport/http1.h"

#include <assert.h>

#include "transport/http_scan.h"

/* Reads a head from `at` to `end`.  The byte before `end` is a line feed, so
 * that a carriage return is always followed by a byte. */
typedef struct parser {
    const uint8_t *at;
    const uint8_t *end;
    tp_http_head *out;
    sio_bytes length; /* the last Content-Length */
    sio_bytes coding; /* the last Transfer-Encoding */
    size_t lengths, codings, hosts;
    bool says_close, says_keep, says_upgrade; /* in Connection */
    bool has_upgrade;
} parser;

static sio_bytes span(const uint8_t *from, const uint8_t *to)
{
    return (sio_bytes){from, (size_t)(to - from)};
}

/* How many bytes of empty lines `in` starts with, as far as these are passed
 * over. */
static size_t count_blanks(sio_bytes in)
{
    size_t len = 0;
    while (len < (size_t)2 * TP_HTTP_BLANKS_MAX && in.len - len >= 2 &&
           in.base[len] == '\r' && in.base[len + 1] == '\n') {
        len += 2;
    }
    return len;
}

static sio_error find_end(sio_bytes in, size_t seen, size_t *len)
{
    size_t start = count_blanks(in);
    if (start == in.len) {
        return SIO_MORE;
    }
    const uint8_t *first = in.base + start;
    if (*first == '\r' && in.len - start == 1) {
        return SIO_MORE;
    }
    if (*first == '\r' || *first == '\n') { /* one empty line too many */
        size_t end = start + (*first == '\r');
        if (in.base[end] != '\n') {
            return SIO_ERR_HTTP_SYNTAX;
        }
        *len = end + 1;
        return SIO_OK;
    }
    if (!tp_http_is(*first, TP_HTTP_CLASS_TOKEN)) {
        return SIO_ERR_HTTP_SYNTAX;
    }
    /* The byte behind the first ends no empty line. */
    size_t from = seen > start + 2 ? seen : start + 2;
    size_t end = tp_http_find_empty_line(in.base, from, in.len);
    if (end >= in.len) {
        return SIO_MORE;
    }
    *len = end + 1;
    return SIO_OK;
}

sio_error tp_http_head_end(sio_bytes in, size_t seen,
                           const tp_http_limits *limits, size_t *len)
{
    assert(seen <= in.len);
    if (in.len < limits->max_head) {
        return find_end(in, seen, len);
    }
    in.len = limits->max_head;
    sio_error err = find_end(in, seen, len);
    return err == SIO_MORE ? SIO_ERR_HTTP_HEADERS : err;
}

/* Reads a line's end.  What follows may be the end of the head. */
static sio_error take_crlf(parser *p)
{
    if (p->at[0] != '\r' || p->at[1] != '\n') {
        return SIO_ERR_HTTP_SYNTAX;
    }
    p->at += 2;
    return SIO_OK;
}

/* Takes what goes up to `end`, one byte at least, and the byte `stop` there. */
static sio_error take_until(parser *p, const uint8_t *end, uint8_t stop,
                            sio_bytes *out)
{
    *out = span(p->at, end);
    if (out->len == 0 || *end != stop) {
        return SIO_ERR_HTTP_SYNTAX;
    }
    p->at = end + 1;
    return SIO_OK;
}

static tp_http_method method_of(sio_bytes name)
{
    static const struct {
        sio_bytes name;
        tp_http_method method;
    } methods[] = {
        {SIO_LIT_INIT("GET"), TP_HTTP_METHOD_GET},
        {SIO_LIT_INIT("POST"), TP_HTTP_METHOD_POST},
        {SIO_LIT_INIT("OPTIONS"), TP_HTTP_METHOD_OPTIONS},
        {SIO_LIT_INIT("HEAD"), TP_HTTP_METHOD_HEAD},
        {SIO_LIT_INIT("PUT"), TP_HTTP_METHOD_PUT},
        {SIO_LIT_INIT("DELETE"), TP_HTTP_METHOD_DELETE},
        {SIO_LIT_INIT("PATCH"), TP_HTTP_METHOD_PATCH},
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (sio_bytes_eq(name, methods[i].name)) {
            return methods[i].method;
        }
    }
    return TP_HTTP_METHOD_OTHER;
}

static sio_error take_version(parser *p, tp_http_version *out)
{
    const uint8_t *at = p->at;
    if (p->end - at < 10 || memcmp(at, "HTTP/", 5) != 0 ||
        !tp_http_is(at[5], TP_HTTP_CLASS_DIGIT) || at[6] != '.' ||
        !tp_http_is(at[7], TP_HTTP_CLASS_DIGIT)) {
        return SIO_ERR_HTTP_SYNTAX;
    }
    p->at = at + 8;
    if (at[5] != '1' || at[7] > '1') {
        return SIO_ERR_HTTP_VERSION;
    }
    *out = at[7] == '1' ? TP_HTTP_VERSION_11 : TP_HTTP_VERSION_10;
    return take_crlf(p);
}

/* Splits "http://authority..." or "https://authority..." and returns where
 * the path begins, or NULL if `target` is nothing of the kind. */
static const uint8_t *split_absolute(sio_bytes target, sio_bytes *authority)
{
    static const sio_bytes schemes[] = {SIO_LIT_INIT("http://"),
                                        SIO_LIT_INIT("https://")};
    const uint8_t *end = target.base + target.len;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = schemes[i].len;
        if (target.len <= len ||
            !tp_http_equals((sio_bytes){target.base, len}, schemes[i])) {
            continue;
        }
        const uint8_t *from = target.base + len;
        const uint8_t *at = from;
        while (at != end && *at != '/' && *at != '?') {
            at++;
        }
        *authority = span(from, at);
        bool named = at != from && *from != ':';
        return named && tp_http_is_host(*authority) ? at : NULL;
    }
    return NULL;
}

static sio_error split_target(tp_http_head *out)
{
    sio_bytes target = out->target;
    const uint8_t *path = target.base;
    const uint8_t *end = target.base + target.len;

    out->form = TP_HTTP_FORM_ORIGIN;
    out->authority = out->query = (sio_bytes){NULL, 0};
    if (target.len == 1 && *path == '*') {
        if (out->method != TP_HTTP_METHOD_OPTIONS) {
            return SIO_ERR_HTTP_SYNTAX;
        }
        out->form = TP_HTTP_FORM_ASTERISK;
    } else if (*path != '/') {
        out->form = TP_HTTP_FORM_ABSOLUTE;
        path = split_absolute(target, &out->authority);
        if (path == NULL) {
            return SIO_ERR_HTTP_SYNTAX;
        }
    }
    out->path = span(path, end);
    const uint8_t *mark = memchr(path, '?', out->path.len);
    if (mark != NULL) {
        out->path = span(path, mark);
        out->query = span(mark + 1, end);
    }
    return SIO_OK;
}

static sio_error take_request_line(parser *p)
{
    tp_http_head *out = p->out;
    sio_error err = take_until(p, tp_http_skip_token(p->at, p->end), ' ',
                               &out->method_name);
    if (err == SIO_OK) {
        err = take_until(p, tp_http_skip_target(p->at, p->end), ' ',
                         &out->target);
    }
    if (err == SIO_OK) {
        err = take_version(p, &out->version);
    }
    if (err != SIO_OK) {
        return err;
    }
    out->method = method_of(out->method_name);
    return split_target(out);
}

static void note_connection(parser *p, sio_bytes value)
{
    sio_bytes element;
    if (tp_http_equals(value, SIO_LIT("keep-alive"))) { /* mostly all of it */
        p->says_keep = true;
        return;
    }
    while (tp_http_list_next(&value, &element)) {
        if (tp_http_equals(element, SIO_LIT("keep-alive"))) {
            p->says_keep = true;
        } else if (tp_http_equals(element, SIO_LIT("close"))) {
            p->says_close = true;
        } else if (tp_http_equals(element, SIO_LIT("upgrade"))) {
            p->says_upgrade = true;
        }
    }
}

static void note_expect(parser *p, sio_bytes value)
{
    if (!tp_http_equals(value, SIO_LIT("100-continue"))) {
        p->out->expect = TP_HTTP_EXPECT_UNKNOWN;
    } else if (p->out->expect == TP_HTTP_EXPECT_NONE) {
        p->out->expect = TP_HTTP_EXPECT_CONTINUE;
    }
}

/* Sees to the fields that steer the connection. */
static void note_field(parser *p, const tp_http_header *field)
{
    sio_bytes name = field->name;
    switch (name.len) {
    case 4:
        if (tp_http_equals(name, SIO_LIT("host"))) {
            p->out->host = field->value;
            p->hosts++;
        }
        break;
    case 6:
        if (tp_http_equals(name, SIO_LIT("expect"))) {
            note_expect(p, field->value);
        }
        break;
    case 7:
        if (tp_http_equals(name, SIO_LIT("upgrade"))) {
            p->has_upgrade = true;
        }
        break;
    case 10:
        if (tp_http_equals(name, SIO_LIT("connection"))) {
            note_connection(p, field->value);
        }
        break;
    case 14:
        if (tp_http_equals(name, SIO_LIT("content-length"))) {
            p->length = field->value;
            p->lengths++;
        }
        break;
    case 17:
        if (tp_http_equals(name, SIO_LIT("transfer-encoding"))) {
            p->coding = field->value;
            p->codings++;
        }
        break;
    default:
        break;
    }
}

static sio_error take_field(parser *p, tp_http_header *field)
{
    sio_error err =
        take_until(p, tp_http_skip_token(p->at, p->end), ':', &field->name);
    if (err != SIO_OK) {
        return err;
    }
    while (tp_http_is_blank(*p->at)) {
        p->at++;
    }
    const uint8_t *from = p->at;
    p->at = tp_http_skip_value(from, p->end);
    field->value = tp_http_trim(span(from, p->at));
    return take_crlf(p);
}

/* Reads the fields and the empty line behind them. */
static sio_error take_fields(parser *p, const tp_http_limits *limits)
{
    tp_http_head *out = p->out;
    size_t max = limits->max_headers < TP_HTTP_HEADERS_MAX
                     ? limits->max_headers
                     : TP_HTTP_HEADERS_MAX;
    while (p->at != p->end && *p->at != '\r') {
        if (out->header_count == max) {
            return SIO_ERR_HTTP_HEADERS;
        }
        tp_http_header *field = &out->headers[out->header_count];
        sio_error err = take_field(p, field);
        if (err != SIO_OK) {
            return err;
        }
        out->header_count++;
        note_field(p, field);
    }
    if (p->at == p->end || take_crlf(p) != SIO_OK || p->at != p->end) {
        return SIO_ERR_HTTP_SYNTAX;
    }
    return SIO_OK;
}

/* Refuses what is not a list of tokens, and a list that goes on behind
 * chunked, for then nobody knows where the body ends; what remains is a
 * coding we do not have. */
static sio_error judge_coding(sio_bytes value, bool *chunked)
{
    sio_bytes element;
    bool last = false;
    *chunked = tp_http_equals(value, SIO_LIT("chunked"));
    if (*chunked) {
        return SIO_OK;
    }
    while (tp_http_list_next(&value, &element)) {
        for (size_t i = 0; i < element.len; i++) {
            if (!tp_http_is(element.base[i], TP_HTTP_CLASS_TOKEN)) {
                return SIO_ERR_HTTP_FRAMING;
            }
        }
        if (element.len == 0 || last) {
            return SIO_ERR_HTTP_FRAMING;
        }
        last = tp_http_equals(element, SIO_LIT("chunked"));
    }
    return SIO_ERR_HTTP_CODING;
}

static sio_error judge_length(sio_bytes value, uint64_t *length)
{
    uint64_t sum = 0;
    if (value.len == 0) {
        return SIO_ERR_HTTP_FRAMING;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (!tp_http_is(value.base[i], TP_HTTP_CLASS_DIGIT)) {
            return SIO_ERR_HTTP_FRAMING;
        }
        unsigned digit = (unsigned)value.base[i] - '0';
        if (sum > ((uint64_t)INT64_MAX - digit) / 10) {
            return SIO_ERR_HTTP_FRAMING;
        }
        sum = sum * 10 + digit;
    }
    *length = sum;
    return SIO_OK;
}

/* Says where the body ends (RFC 9112, section 6.3). */
static sio_error judge_framing(const parser *p)
{
    tp_http_head *out = p->out;
    sio_error err = SIO_OK;
    if (p->lengths + p->codings > 1) {
        return SIO_ERR_HTTP_FRAMING;
    }
    if (p->codings != 0 && out->version == TP_HTTP_VERSION_10) {
        return SIO_ERR_HTTP_FRAMING;
    }
    if (p->codings != 0) {
        err = judge_coding(p->coding, &out->chunked);
    } else if (p->lengths != 0) {
        err = judge_length(p->length, &out->content_length);
        out->has_content_length = true;
    }
    out->has_body = out->chunked || out->content_length != 0;
    return err;
}

static sio_error judge_host(const parser *p)
{
    size_t min = p->out->version == TP_HTTP_VERSION_11 ? 1 : 0;
    if (p->hosts < min || p->hosts > 1) {
        return SIO_ERR_HTTP_SYNTAX;
    }
    return p->hosts == 0 || tp_http_is_host(p->out->host) ? SIO_OK
                                                          : SIO_ERR_HTTP_SYNTAX;
}

/* Says how the connection goes on.  HTTP/1.0 knows neither 100 nor Upgrade
 * (RFC 9110, sections 7.8 and 10.1.1). */
static void judge_connection(const parser *p)
{
    tp_http_head *out = p->out;
    bool modern = out->version == TP_HTTP_VERSION_11;
    out->keep_alive = !p->says_close && (modern || p->says_keep);
    out->upgrade = modern && p->says_upgrade && p->has_upgrade;
    if (!modern) {
        out->expect = TP_HTTP_EXPECT_NONE;
    }
}

/* The fields are not cleared: header_count says how many of them count, and
 * 4 KiB of zeros would cost as much as the parsing. */
static void clear(tp_http_head *out)
{
    out->expect = TP_HTTP_EXPECT_NONE;
    out->host = (sio_bytes){NULL, 0};
    out->content_length = 0;
    out->has_content_length = false;
    out->chunked = false;
    out->header_count = 0;
}

sio_error tp_http_head_parse(sio_bytes head, const tp_http_limits *limits,
                             tp_http_head *out)
{
    if (head.len > limits->max_head) {
        return SIO_ERR_HTTP_HEADERS;
    }
    size_t blanks = count_blanks(head);
    if (blanks == head.len || head.base[head.len - 1] != '\n') {
        return SIO_ERR_HTTP_SYNTAX;
    }
    parser p = {
        .at = head.base + blanks,
        .end = head.base + head.len,
        .out = out,
    };
    clear(out);
    sio_error err = take_request_line(&p);
    if (err == SIO_OK) {
        err = take_fields(&p, limits);
    }
    if (err == SIO_OK) {
        err = judge_framing(&p);
    }
    if (err == SIO_OK) {
        err = judge_host(&p);
    }
    if (err == SIO_OK) {
        judge_connection(&p);
    }
    return err;
}

const tp_http_header *tp_http_header_next(const tp_http_head *head,
                                          sio_bytes lower_name,
                                          const tp_http_header *after)
{
    const tp_http_header *at = after == NULL ? head->headers : after + 1;
    for (; at != head->headers + head->header_count; at++) {
        if (tp_http_equals(at->name, lower_name)) {
            return at;
        }
    }
    return NULL;
}

sio_bytes tp_http_header_find(const tp_http_head *head, sio_bytes lower_name)
{
    const tp_http_header *field = tp_http_header_next(head, lower_name, NULL);
    return field == NULL ? (sio_bytes){NULL, 0} : field->value;
}

size_t tp_http_header_count(const tp_http_head *head, sio_bytes lower_name)
{
    size_t count = 0;
    const tp_http_header *at = NULL;
    while ((at = tp_http_header_next(head, lower_name, at)) != NULL) {
        count++;
    }
    return count;
}

bool tp_http_list_has_token(sio_bytes value, sio_bytes token)
{
    sio_bytes element;
    while (tp_http_list_next(&value, &element)) {
        if (tp_http_equals(element, token)) {
            return true;
        }
    }
    return false;
}

int tp_http_status_of(sio_error err)
{
    switch (err) {
    case SIO_ERR_HTTP_HEADERS:
        return 431;
    case SIO_ERR_HTTP_VERSION:
        return 505;
    case SIO_ERR_HTTP_CODING:
        return 501;
    case SIO_ERR_TOO_LARGE:
        return 413;
    case SIO_ERR_TIMEOUT:
        return 408;
    case SIO_ERR_NO_MEMORY:
    case SIO_ERR_BACKLOG:
        return 503;
    default:
        return sio_error_is_peers(err) ? 400 : 500;
    }
}

int tp_http_overflow_status(sio_bytes in)
{
    size_t spaces = 0;
    for (size_t i = count_blanks(in); i < in.len; i++) {
        if (in.base[i] == '\n') {
            return 431;
        }
        spaces += in.base[i] == ' ';
    }
    return spaces == 1 ? 414 : 431;
}
