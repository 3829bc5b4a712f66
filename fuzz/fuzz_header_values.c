#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transport/http1.h"
#include "transport/http_text.h"
#include "transport/ws_handshake.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define SIZE_MAX_IN 1024
#define LINES_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const tp_http_limits limits = TP_HTTP_LIMITS_DEFAULT;

/* A value of the input: no byte in it that ends a line, nor blanks around. */
typedef struct line {
    const char *name;
    char value[SIZE_MAX_IN + 1];
    size_t len;
} line;

static line lines[LINES_MAX];
static size_t line_count;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool same_word(const char *text, size_t len, const char *lower)
{
    return strlen(lower) == len && strncasecmp(text, lower, len) == 0;
}

/* RFC 9110, section 5.6.2, but for the length. */
static bool is_token(const char *text, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\0' || strchr(marks, text[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ lists --
 */

typedef void element_fn(void *arg, const char *text, size_t len);

/* Calls `fn` for each element of a list, read byte by byte: one at least. */
static void each_element(const char *text, size_t len, element_fn *fn,
                         void *arg)
{
    size_t from = 0, to = 0; /* of the element without blanks */
    bool begun = false;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || text[i] == ',') {
            fn(arg, text + from, begun ? to - from : 0);
            begun = false;
        } else if (!is_blank(text[i])) {
            from = begun ? from : i;
            to = i + 1;
            begun = true;
        }
    }
}

static sio_bytes view(const line *l)
{
    return (sio_bytes){(const uint8_t *)l->value, l->len};
}

/* A word that is looked for. */
typedef struct search {
    const char *lower;
    size_t found, elements;
} search;

static void on_word(void *arg, const char *text, size_t len)
{
    search *s = arg;
    s->elements++;
    s->found += same_word(text, len, s->lower) ? 1 : 0;
}

static bool lists_word(const line *l, const char *lower)
{
    search s = {.lower = lower};
    each_element(l->value, l->len, on_word, &s);
    return s.found != 0;
}

static void check_lists(void)
{
    for (size_t i = 0; i < line_count; i++) {
        const line *l = &lines[i];
        sio_bytes rest = view(l), element;
        const uint8_t *at = rest.base;
        search s = {.lower = "upgrade"};
        size_t count = 0, found = 0;
        each_element(l->value, l->len, on_word, &s);
        while (tp_http_list_next(&rest, &element)) {
            REQUIRE(element.base >= at &&
                    element.base + element.len <= view(l).base + l->len);
            at = element.base + element.len;
            found += tp_http_equals(element, SIO_LIT("upgrade")) ? 1 : 0;
            count++;
        }
        REQUIRE(count == s.elements && found == s.found);
        REQUIRE(tp_http_list_has_token(view(l), SIO_LIT("upgrade")) ==
                (found != 0));
    }
}

/* ------------------------------------------------------------------- host --
 */

/* uri-host [ ":" port ] (RFC 3986, section 3.2), cut where the port may begin:
 * at the last colon. */
static bool is_host(const char *text, size_t len)
{
    static const char reg_name[] = "-._~!$&'()*+,;=0123456789"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char hex[] = "0123456789abcdefABCDEF";
    static const char literal[] = "0123456789abcdefABCDEF:.";
    char host[SIZE_MAX_IN + 1];
    size_t end = len;
    while (end != 0 && text[end - 1] >= '0' && text[end - 1] <= '9') {
        end--;
    }
    len = end != 0 && text[end - 1] == ':' ? end - 1 : len;
    if (memchr(text, '\0', len) != NULL) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (host[0] == '[') {
        size_t inner = strspn(host + 1, literal);
        return inner >= 2 && strcmp(host + 1 + inner, "]") == 0;
    }
    for (const char *at = host; *at != '\0'; at++) {
        if (*at == '%') {
            if (at[1] == '\0' || strchr(hex, at[1]) == NULL || at[2] == '\0' ||
                strchr(hex, at[2]) == NULL) {
                return false;
            }
            at += 2;
        } else if (strchr(reg_name, *at) == NULL) {
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- framing --
 */

/* What the lines say, read as RFC 9112, section 6.3, has it. */
typedef struct meaning {
    sio_error err;
    bool chunked, has_length, keep_alive, upgrade;
    uint64_t length;
    tp_http_expect expect;
} meaning;

static void on_coding(void *arg, const char *text, size_t len)
{
    meaning *m = arg;
    if (len == 0 || !is_token(text, len) || m->chunked) {
        m->err = SIO_ERR_HTTP_FRAMING;
    }
    m->chunked = same_word(text, len, "chunked");
}

static void read_coding(meaning *m, const line *l)
{
    each_element(l->value, l->len, on_coding, m);
    m->chunked = same_word(l->value, l->len, "chunked");
    if (!m->chunked && m->err == SIO_OK) {
        m->err = SIO_ERR_HTTP_CODING;
    }
}

/* At most INT64_MAX, however many zeros there are in front. */
static void read_length(meaning *m, const line *l)
{
    const char *digits = l->value + strspn(l->value, "0");
    size_t len = strlen(digits);
    if (l->len == 0 || strspn(l->value, "0123456789") != l->len || len > 19 ||
        (len == 19 && strcmp(digits, "9223372036854775807") > 0)) {
        m->err = SIO_ERR_HTTP_FRAMING;
        return;
    }
    m->has_length = true;
    m->length = strtoull(l->value, NULL, 10);
}

static const line *only(const char *name, size_t *count)
{
    const line *found = NULL;
    *count = 0;
    for (size_t i = 0; i < line_count; i++) {
        if (lines[i].name == name) {
            found = &lines[i];
            ++*count;
        }
    }
    return found;
}

static bool any_lists(const char *name, const char *lower)
{
    bool any = false;
    for (size_t i = 0; i < line_count; i++) {
        any = any || (lines[i].name == name && lists_word(&lines[i], lower));
    }
    return any;
}

static const char HOST[] = "Host", LENGTH[] = "Content-Length",
                  CODING[] = "transfer-Encoding", CONNECTION[] = "CONNECTION",
                  UPGRADE[] = "upgrade", EXPECT[] = "Expect",
                  KEY[] = "Sec-WebSocket-Key",
                  VERSION[] = "Sec-WebSocket-Version",
                  PROTOCOL[] = "Sec-WebSocket-Protocol", OTHER[] = "X-Other";
static const char *const names[] = {HOST,     LENGTH, CODING, CONNECTION,
                                    UPGRADE,  EXPECT, KEY,    VERSION,
                                    PROTOCOL, OTHER};

static meaning read_lines(bool modern)
{
    meaning m = {.err = SIO_OK};
    size_t codings, lengths, hosts, upgrades, expects;
    const line *coding = only(CODING, &codings);
    const line *length = only(LENGTH, &lengths);
    const line *host = only(HOST, &hosts);
    const line *expect = only(EXPECT, &expects);
    (void)only(UPGRADE, &upgrades);
    if (codings + lengths > 1 || (codings != 0 && !modern)) {
        m.err = SIO_ERR_HTTP_FRAMING;
    } else if (codings != 0) {
        read_coding(&m, coding);
    } else if (lengths != 0) {
        read_length(&m, length);
    }
    if (m.err == SIO_OK && (hosts > 1 || (hosts == 0 && modern) ||
                            (hosts == 1 && !is_host(host->value, host->len)))) {
        m.err = SIO_ERR_HTTP_SYNTAX;
    }
    m.keep_alive = !any_lists(CONNECTION, "close") &&
                   (modern || any_lists(CONNECTION, "keep-alive"));
    m.upgrade = modern && upgrades != 0 && any_lists(CONNECTION, "upgrade");
    for (size_t i = 0; modern && expect != NULL && i < line_count; i++) {
        if (lines[i].name == EXPECT &&
            !same_word(lines[i].value, lines[i].len, "100-continue")) {
            m.expect = TP_HTTP_EXPECT_UNKNOWN;
        } else if (lines[i].name == EXPECT && m.expect == TP_HTTP_EXPECT_NONE) {
            m.expect = TP_HTTP_EXPECT_CONTINUE;
        }
    }
    return m;
}

/* What is kept of a request is what has come. */
static void check_kept(const tp_http_head *head)
{
    eio_request_parts parts = {
        .method = head->method_name,
        .url = head->target,
        .path = head->path,
        .query = head->query,
        .address = SIO_LIT("127.0.0.1"),
        .headers = head->headers,
        .header_count = head->header_count,
    };
    eio_request *r = eio_request_new(&parts);
    REQUIRE(r != NULL && sio_bytes_eq(eio_request_url(r), head->target));
    REQUIRE(sio_bytes_eq(eio_request_path(r), head->path));
    REQUIRE(sio_bytes_eq(eio_request_query(r), head->query));
    REQUIRE(sio_bytes_eq(eio_request_method(r), head->method_name));
    eio_headers walk = eio_request_headers(r);
    eio_header h;
    for (size_t i = 0; i < head->header_count; i++) {
        REQUIRE(eio_headers_next(&walk, &h));
        REQUIRE(tp_http_equals(h.name, head->headers[i].name));
        REQUIRE(sio_bytes_eq(h.value, head->headers[i].value));
        REQUIRE(h.name.base[h.name.len] == '\0' &&
                h.value.base[h.value.len] == '\0');
        sio_bytes first = tp_http_header_find(head, h.name);
        REQUIRE(sio_bytes_eq(eio_request_header(r, h.name), first));
    }
    REQUIRE(!eio_headers_next(&walk, &h));
    eio_request_unref(r);
}

/* A head of these lines means what they say, and nothing else does. */
static void check_head(bool modern)
{
    static char text[LINES_MAX * (SIZE_MAX_IN + 64) + 64];
    tp_http_head head;
    size_t len = (size_t)sprintf(text, "GET /a?b=c HTTP/1.%d\r\n", modern);
    for (size_t i = 0; i < line_count; i++) {
        len += (size_t)sprintf(text + len, "%s: ", lines[i].name);
        memcpy(text + len, lines[i].value, lines[i].len);
        len += lines[i].len;
        memcpy(text + len, "\r\n", 2);
        len += 2;
    }
    memcpy(text + len, "\r\n", 2);
    len += 2;
    meaning want = read_lines(modern);
    sio_bytes whole = {(const uint8_t *)text, len};
    sio_error err = tp_http_head_parse(whole, &limits, &head);
    REQUIRE(err == want.err);
    if (err != SIO_OK) {
        REQUIRE(tp_http_status_of(err) >= 400 && tp_http_status_of(err) < 600);
        return;
    }
    REQUIRE(head.header_count == line_count);
    for (size_t i = 0; i < line_count; i++) {
        REQUIRE(sio_bytes_eq(head.headers[i].value, view(&lines[i])));
    }
    REQUIRE(head.chunked == want.chunked);
    REQUIRE(head.has_content_length == want.has_length);
    REQUIRE(head.content_length == want.length);
    REQUIRE(head.has_body == (want.chunked || want.length != 0));
    REQUIRE(head.keep_alive == want.keep_alive);
    REQUIRE(head.upgrade == want.upgrade);
    REQUIRE(head.expect == want.expect);
    check_kept(&head);
}

/* -------------------------------------------------------------- WebSocket --
 */

typedef struct protocols {
    const char *first;
    size_t len;
    bool bad;
} protocols;

static void on_protocol(void *arg, const char *text, size_t len)
{
    protocols *p = arg;
    p->bad = p->bad || len > TP_WS_SUBPROTOCOL_MAX || !is_token(text, len);
    if (p->len == 0) {
        p->first = text;
        p->len = len;
    }
}

static bool is_key(const line *l)
{
    static const char digits[] = "0123456789+/abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return l->len == 24 && strspn(l->value, digits) == 22 &&
           strcmp(l->value + 22, "==") == 0;
}

static sio_bytes value_of(const line *l)
{
    return l == NULL ? (sio_bytes){NULL, 0} : view(l);
}

/* The first line of each name, as one that opens a WebSocket. */
static void check_handshake(bool modern)
{
    size_t count;
    const line *upgrade = only(UPGRADE, &count), *key = only(KEY, &count);
    const line *connection = only(CONNECTION, &count);
    const line *version = only(VERSION, &count);
    const line *protocol = only(PROTOCOL, &count);
    tp_ws_handshake h = {
        .method_is_get = true,
        .http11 = modern,
        .upgrade = value_of(upgrade),
        .connection = value_of(connection),
        .key = value_of(key),
        .version = value_of(version),
        .protocol = value_of(protocol),
    };
    protocols p = {NULL, 0, false};
    if (protocol != NULL) {
        each_element(protocol->value, protocol->len, on_protocol, &p);
    }
    tp_ws_refusal want =
        !modern ? TP_WS_REFUSAL_HTTP
        : upgrade == NULL || !lists_word(upgrade, "websocket")
            ? TP_WS_REFUSAL_UPGRADE
        : connection == NULL || !lists_word(connection, "upgrade")
            ? TP_WS_REFUSAL_CONNECTION
        : key == NULL || !is_key(key) ? TP_WS_REFUSAL_KEY
        : version == NULL || (strcmp(version->value, "13") != 0 &&
                              strcmp(version->value, "8") != 0)
            ? TP_WS_REFUSAL_VERSION
        : p.bad ? TP_WS_REFUSAL_PROTOCOL
                : TP_WS_REFUSAL_NONE;
    REQUIRE(tp_ws_handshake_check(&h) == want);
    REQUIRE(tp_ws_refusal_status(want) ==
            (want == TP_WS_REFUSAL_NONE ? 101 : 400));
    sio_bytes chosen = tp_ws_subprotocol(h.protocol);
    REQUIRE(p.bad
                ? chosen.len == 0
                : chosen.len == p.len &&
                      (p.len == 0 || memcmp(chosen.base, p.first, p.len) == 0));
}

/* Lines: the first byte of each says which field it is, the rest is the value.
 * A byte that no value may have is taken as an "x", as no line would be read.
 */
static void take_lines(const uint8_t *at, const uint8_t *end)
{
    for (line_count = 0; at != end && line_count < LINES_MAX; line_count++) {
        line *l = &lines[line_count];
        l->len = 0;
        l->name = names[*at++ % (sizeof(names) / sizeof(names[0]))];
        for (; at != end && *at != '\n'; at++) {
            bool bad = (*at < 0x20 && *at != '\t') || *at == 0x7f;
            if (l->len != 0 || !is_blank((char)*at)) {
                l->value[l->len++] = bad ? 'x' : (char)*at;
            }
        }
        at += at == end ? 0 : 1;
        while (l->len != 0 && is_blank(l->value[l->len - 1])) {
            l->len--;
        }
        l->value[l->len] = '\0';
    }
}

/* Values by which a request is framed, and by which it asks for a WebSocket,
 * beside a reader that goes by the words of the RFCs.  The first byte is the
 * version of HTTP. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > SIZE_MAX_IN) {
        return 0;
    }
    bool modern = (data[0] & 1) != 0;
    take_lines(data + 1, data + size);
    check_lists();
    check_head(modern);
    check_handshake(modern);
    return 0;
}
