#include "transport/forwarded.h"

#include "transport/http_text.h"

/*
 * What is known of the client while a list is read from its beginning: the
 * result is that of reading it from its end.  What is not trusted replaces all
 * that is known; what is no address makes it unknown; a proxy that is trusted
 * counts only where nothing is known, as the one that is next to it.
 */
typedef struct hops {
    const tp_trusted *trusted;
    bool known;
    tp_address address;
    bool has_proto, secure; /* of the same element */
    size_t at;              /* its index */
    size_t count;
} hops;

static void forget(hops *h)
{
    h->known = false;
    h->count++;
}

static void note(hops *h, const tp_address *address, bool has_proto,
                 bool secure)
{
    if (!h->known || !tp_trusted_has(h->trusted, address)) {
        h->known = true;
        h->address = *address;
        h->has_proto = has_proto;
        h->secure = secure;
        h->at = h->count;
    }
    h->count++;
}

static bool is_secure(sio_bytes proto)
{
    return tp_http_equals(proto, SIO_LIT("https")) ||
           tp_http_equals(proto, SIO_LIT("wss"));
}

/* ------------------------------------------------------------------ nodes --
 */

static bool is_port(sio_bytes text)
{
    bool obscure = text.len != 0 && text.base[0] == '_';
    if (text.len == 0 || (text.len > 5 && !obscure)) {
        return false;
    }
    for (size_t i = 0; i < text.len && !obscure; i++) {
        if (!tp_http_is(text.base[i], TP_HTTP_CLASS_DIGIT)) {
            return false;
        }
    }
    return true;
}

/* Reads an address, with a port or without (RFC 7239, section 6).  That of
 * IPv6 may stand without its brackets where there is no port. */
static bool read_node(sio_bytes text, tp_address *out)
{
    if (tp_address_parse(text, out)) {
        return true;
    }
    if (text.len == 0) {
        return false;
    }
    bool bracketed = text.base[0] == '[';
    const uint8_t *end = memchr(text.base, bracketed ? ']' : ':', text.len);
    if (end == NULL) {
        return false;
    }
    sio_bytes ip = {text.base, (size_t)(end - text.base)};
    sio_bytes rest = {end, text.len - ip.len};
    if (bracketed) {
        ip = (sio_bytes){ip.base + 1, ip.len - 1};
        rest = (sio_bytes){rest.base + 1, rest.len - 1};
    }
    bool has_port = rest.len != 0;
    if (has_port && (rest.base[0] != ':' ||
                     !is_port((sio_bytes){rest.base + 1, rest.len - 1}))) {
        return false;
    }
    return tp_address_parse(ip, out) &&
           (ip.len != 0 && memchr(ip.base, ':', ip.len) != NULL) == bracketed;
}

/* ----------------------------------------------------------- X-Forwarded- --
 */

static void read_x_for(hops *h, const tp_http_head *head)
{
    const tp_http_header *field = NULL;
    while ((field = tp_http_header_next(head, SIO_LIT("x-forwarded-for"),
                                        field)) != NULL) {
        sio_bytes rest = field->value, element;
        tp_address address;
        while (tp_http_list_next(&rest, &element)) {
            if (read_node(element, &address)) {
                note(h, &address, false, false);
            } else {
                forget(h);
            }
        }
    }
}

/* Sets `*proto` to the element with that index, or the last; returns how many
 * there are. */
static size_t find_x_proto(const tp_http_head *head, size_t at,
                           sio_bytes *proto)
{
    const tp_http_header *field = NULL;
    size_t count = 0;
    while ((field = tp_http_header_next(head, SIO_LIT("x-forwarded-proto"),
                                        field)) != NULL) {
        sio_bytes rest = field->value, element;
        while (tp_http_list_next(&rest, &element)) {
            if (count <= at) {
                *proto = element;
            }
            count++;
        }
    }
    return count;
}

static void read_x_forwarded(tp_client *client, const tp_trusted *trusted,
                             const tp_http_head *head)
{
    hops h = {.trusted = trusted};
    sio_bytes proto;
    read_x_for(&h, head);
    if (h.known) {
        client->address = h.address;
    }
    size_t count = find_x_proto(head, SIZE_MAX, &proto);
    if (h.known && count == h.count) {
        (void)find_x_proto(head, h.at, &proto);
    }
    if (count != 0) {
        client->secure = is_secure(proto);
    }
}

/* -------------------------------------------------------------- Forwarded --
 */

/* Longer than any address with its port. */
#define NODE_MAX 64

/* One element of the list: what one proxy says. */
typedef struct element {
    bool has_for, has_proto, secure;
    size_t node_len; /* more than NODE_MAX: too long for an address */
    uint8_t node[NODE_MAX];
} element;

static bool take(sio_bytes *rest, uint8_t c)
{
    bool there = rest->len != 0 && rest->base[0] == c;
    if (there) {
        sio_bytes_skip(rest, 1);
    }
    return there;
}

/* The text of a quoted string, without its escapes, of which `out` gets as much
 * as fits.  Returns its length, or SIZE_MAX where it does not end. */
static size_t take_quoted(sio_bytes *rest, uint8_t out[NODE_MAX])
{
    size_t len = 0;
    while (rest->len != 0) {
        bool escaped = rest->base[0] == '\\';
        if (!escaped && rest->base[0] == '"') {
            sio_bytes_skip(rest, 1);
            return len;
        }
        if (escaped && rest->len < 2) {
            break;
        }
        if (len < NODE_MAX) {
            out[len] = rest->base[escaped ? 1 : 0];
        }
        len++;
        sio_bytes_skip(rest, escaped ? 2 : 1);
    }
    return SIZE_MAX;
}

/* A value, quoted or not; returns as take_quoted(), with SIZE_MAX also for what
 * is neither. */
static size_t take_value(sio_bytes *rest, uint8_t out[NODE_MAX])
{
    if (take(rest, '"')) {
        return take_quoted(rest, out);
    }
    sio_bytes token = tp_http_take_token(rest);
    if (token.len == 0) {
        return SIZE_MAX;
    }
    memcpy(out, token.base, token.len < NODE_MAX ? token.len : NODE_MAX);
    return token.len;
}

/* Reads name=value into `e`; false where it is malformed, or was there
 * before. */
static bool read_pair(sio_bytes *rest, element *e)
{
    uint8_t text[NODE_MAX];
    sio_bytes name = tp_http_take_token(rest);
    if (name.len == 0 || !take(rest, '=')) {
        return false;
    }
    size_t len = take_value(rest, text);
    if (len == SIZE_MAX) {
        return false;
    }
    size_t kept = len < NODE_MAX ? len : NODE_MAX;
    if (tp_http_equals(name, SIO_LIT("for"))) {
        if (e->has_for) {
            return false;
        }
        e->has_for = true;
        e->node_len = len;
        memcpy(e->node, text, kept);
    } else if (tp_http_equals(name, SIO_LIT("proto"))) {
        if (e->has_proto) {
            return false;
        }
        e->has_proto = true;
        e->secure = is_secure((sio_bytes){text, kept});
    }
    return true;
}

/* Reads pairs up to a comma, which is taken, or the end; false where they are
 * malformed. */
static bool read_element(sio_bytes *rest, element *e)
{
    *e = (element){0};
    for (;;) {
        tp_http_skip_blanks(rest);
        if (rest->len == 0 || take(rest, ',')) {
            return true;
        }
        if (take(rest, ';')) {
            continue;
        }
        if (!read_pair(rest, e)) {
            return false;
        }
        tp_http_skip_blanks(rest);
        if (rest->len != 0 && rest->base[0] != ',' && rest->base[0] != ';') {
            return false;
        }
    }
}

static void note_element(hops *h, const element *e)
{
    tp_address address;
    if (e->has_for && e->node_len <= NODE_MAX &&
        read_node((sio_bytes){e->node, e->node_len}, &address)) {
        note(h, &address, e->has_proto, e->secure);
    } else {
        forget(h);
    }
}

static void read_forwarded(tp_client *client, const tp_trusted *trusted,
                           const tp_http_head *head)
{
    hops h = {.trusted = trusted};
    element last = {0};
    const tp_http_header *field = NULL;
    while ((field = tp_http_header_next(head, SIO_LIT("forwarded"), field)) !=
           NULL) {
        sio_bytes rest = field->value;
        while (rest.len != 0) {
            if (!read_element(&rest, &last)) {
                last = (element){0};
                rest.len = 0;
            }
            note_element(&h, &last);
        }
    }
    if (h.known) {
        client->address = h.address;
    }
    if (h.known ? h.has_proto : last.has_proto) {
        client->secure = h.known ? h.secure : last.secure;
    }
}

tp_client tp_client_of(const tp_stream *s, const tp_http_head *head,
                       const tp_trusted *trusted, sio_proxy_headers headers)
{
    tp_client client = {s->peer, s->secure};
    if (trusted == NULL || headers == SIO_PROXY_HEADERS_NONE || s->nameless ||
        !tp_trusted_has(trusted, &s->peer)) {
        return client;
    }
    if (headers == SIO_PROXY_HEADERS_FORWARDED) {
        read_forwarded(&client, trusted, head);
    } else {
        read_x_forwarded(&client, trusted, head);
    }
    return client;
}
