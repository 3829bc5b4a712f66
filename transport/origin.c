#include "transport/origin.h"

#include "transport/http_text.h"

static bool is_lower(uint8_t c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* What a `*` in a host may stand for. */
static bool is_wild(uint8_t c)
{
    return is_lower(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
}

static sio_bytes head_of(sio_bytes bytes, size_t len)
{
    return (sio_bytes){bytes.base, len};
}

static sio_bytes tail_of(sio_bytes bytes, size_t from)
{
    return (sio_bytes){bytes.base + from, bytes.len - from};
}

/* The index of the first `c`, or the length. */
static size_t find(sio_bytes in, uint8_t c)
{
    const uint8_t *at = in.len == 0 ? NULL : memchr(in.base, c, in.len);
    return at == NULL ? in.len : (size_t)(at - in.base);
}

/* -------------------------------------------------------------- reading -- */

/* The parts of an entry. */
typedef struct parts {
    sio_bytes scheme, host, port; /* port: base NULL where there is none */
} parts;

/* A letter, then letters, digits, `+`, `-` and `.` (RFC 3986, section 3.1),
 * letters in lower case. */
static bool is_scheme(sio_bytes scheme)
{
    for (size_t i = 0; i < scheme.len; i++) {
        uint8_t c = scheme.base[i];
        bool other = is_digit(c) || c == '+' || c == '-' || c == '.';
        if (!is_lower(c) && (i == 0 || !other)) {
            return false;
        }
    }
    return scheme.len != 0;
}

static bool is_web(sio_bytes scheme)
{
    return sio_bytes_eq(scheme, SIO_LIT("http")) ||
           sio_bytes_eq(scheme, SIO_LIT("https"));
}

static const char *split(sio_bytes entry, parts *out)
{
    size_t colon = find(entry, ':');
    sio_bytes rest = tail_of(entry, colon);
    if (rest.len < 3 || memcmp(rest.base, "://", 3) != 0) {
        return "has no scheme, such as https://";
    }
    out->scheme = head_of(entry, colon);
    if (!is_scheme(out->scheme)) {
        return "has no scheme in lower case, such as https://";
    }
    rest = tail_of(rest, 3);
    if (find(rest, '/') != rest.len) {
        return "has a path: an origin ends with its host or port";
    }
    bool literal = rest.len != 0 && rest.base[0] == '[';
    size_t from = literal ? find(rest, ']') : 0;
    size_t end = from + find(tail_of(rest, from), ':');
    out->host = head_of(rest, end);
    out->port = end == rest.len ? (sio_bytes){NULL, 0} : tail_of(rest, end + 1);
    return NULL;
}

static const char *check_port(const parts *p)
{
    sio_bytes port = p->port;
    unsigned value = 0;
    if (port.base == NULL || sio_bytes_eq(port, SIO_LIT("*"))) {
        return NULL;
    }
    for (size_t i = 0; i < port.len; i++) {
        if (!is_digit(port.base[i]) || port.len > 5) {
            return "has a port that is no number";
        }
        value = value * 10 + (port.base[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX || port.base[0] == '0') {
        return "has a port that is none";
    }
    if ((value == 80 && sio_bytes_eq(p->scheme, SIO_LIT("http"))) ||
        (value == 443 && sio_bytes_eq(p->scheme, SIO_LIT("https")))) {
        return "names the scheme's own port, which browsers leave out";
    }
    return NULL;
}

static bool is_literal(sio_bytes host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (host.base[i] >= 'A' && host.base[i] <= 'F') {
            return false; /* browsers have them in lower case */
        }
    }
    return tp_http_is_host(host);
}

/* What browsers have in a host, brackets of IPv6 apart. */
static const char *check_host_bytes(sio_bytes host, bool web)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.base[i];
        if (c >= 'A' && c <= 'Z' && web) {
            return "is not in lower case, as browsers write hosts";
        }
        if (c != '*' && !tp_http_is(c, TP_HTTP_CLASS_REG_NAME)) {
            return "holds a character that no host has";
        }
    }
    return NULL;
}

/* Labels that are not empty. */
static unsigned count_labels(sio_bytes host)
{
    unsigned count = 0;
    size_t len = 0;
    for (size_t i = 0; i < host.len; i++) {
        len = host.base[i] == '.' ? 0 : len + 1;
        count += len == 1 ? 1 : 0;
    }
    return count;
}

static const char *check_wild(sio_bytes host)
{
    size_t star = find(host, '*');
    sio_bytes behind = tail_of(host, star + 1);
    size_t label_end = find(behind, '.');
    bool alone = label_end == 0 && (star == 0 || host.base[star - 1] == '.');
    if (find(behind, '*') != behind.len) {
        return "has more than one `*` in its host";
    }
    if (count_labels(tail_of(behind, label_end)) < (alone ? 1 : 2)) {
        return "has its `*` too far right: anybody may own such a host";
    }
    return NULL;
}

static const char *check_host(const parts *p)
{
    sio_bytes host = p->host;
    bool web = is_web(p->scheme);
    if (host.len == 0) {
        return web || p->port.base != NULL ? "has no host" : NULL;
    }
    if (host.base[0] == '[') {
        return is_literal(host) ? NULL : "has a malformed address";
    }
    const char *fault = check_host_bytes(host, web);
    if (fault != NULL || find(host, '*') == host.len) {
        return fault;
    }
    return check_wild(host);
}

const char *tp_origin_pattern_read(sio_bytes entry, tp_origin_pattern *out)
{
    parts p;
    *out = (tp_origin_pattern){.before = entry};
    if (entry.len > TP_ORIGIN_MAX) {
        return "is too long for an origin";
    }
    if (sio_bytes_eq(entry, SIO_LIT("null"))) {
        return NULL;
    }
    const char *fault = split(entry, &p);
    fault = fault != NULL ? fault : check_host(&p);
    fault = fault != NULL ? fault : check_port(&p);
    if (fault != NULL) {
        return fault;
    }
    sio_bytes all = entry;
    out->any_port = sio_bytes_eq(p.port, SIO_LIT("*"));
    if (out->any_port) {
        all.len -= 2;
    }
    size_t star = find(all, '*');
    out->wild = star != all.len;
    out->before = head_of(all, star);
    if (out->wild) {
        out->after = tail_of(all, star + 1);
    }
    return NULL;
}

bool tp_origin_pattern_is_exact(const tp_origin_pattern *pattern)
{
    return !pattern->wild && !pattern->any_port;
}

/* ------------------------------------------------------------- matching -- */

/* `origin` without a colon and one to five digits at its end. */
static sio_bytes without_port(sio_bytes origin)
{
    size_t len = origin.len, digits = 0;
    while (len != 0 && is_digit(origin.base[len - 1])) {
        len--;
        digits++;
    }
    bool port =
        digits >= 1 && digits <= 5 && len != 0 && origin.base[len - 1] == ':';
    return port ? head_of(origin, len - 1) : origin;
}

bool tp_origin_matches(const tp_origin_pattern *pattern, sio_bytes origin)
{
    sio_bytes before = pattern->before, after = pattern->after;
    if (origin.len > TP_ORIGIN_MAX) {
        return false;
    }
    if (pattern->any_port) {
        origin = without_port(origin);
    }
    if (!pattern->wild) {
        return sio_bytes_eq(before, origin);
    }
    if (origin.len <= before.len + after.len) {
        return false;
    }
    size_t end = origin.len - after.len;
    for (size_t i = before.len; i < end; i++) {
        if (!is_wild(origin.base[i])) {
            return false;
        }
    }
    return memcmp(origin.base, before.base, before.len) == 0 &&
           (after.len == 0 ||
            memcmp(origin.base + end, after.base, after.len) == 0);
}
