#include <stdlib.h>

#include "base/query.h"
#include "base/utf8.h"
#include "transport/front_impl.h"
#include "transport/jsonp.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define SIZE_MAX_IN 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A decoded name or value. */
typedef struct text {
    uint8_t bytes[SIZE_MAX_IN];
    size_t len;
} text;

static bool same(const text *a, sio_bytes b)
{
    return sio_bytes_eq((sio_bytes){a->bytes, a->len}, b);
}

/* ------------------------------------------------------- a second reader -- */

/*
 * It reads a query byte by byte, as the application/x-www-form-urlencoded
 * parser of the URL standard is written (section 5.1), with one state.
 */
typedef struct reader {
    text name, value;
    bool in_value, any; /* behind the '='; there are bytes of a pair */
    unsigned escape;    /* bytes of a "%XX" that are still to be passed over */
} reader;

static unsigned digit(uint8_t c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c == 0 ? NULL : strchr(digits, c);
    return at == NULL ? 16 : (unsigned)(at - digits) % 16;
}

static uint8_t plain(sio_bytes rest, unsigned *escape)
{
    if (rest.base[0] == '+') {
        return ' ';
    }
    if (rest.base[0] == '%' && rest.len >= 3 && digit(rest.base[1]) < 16 &&
        digit(rest.base[2]) < 16) {
        *escape = 2;
        return (uint8_t)(digit(rest.base[1]) * 16 + digit(rest.base[2]));
    }
    return rest.base[0];
}

/* Whether the byte at the front of `rest` ends a pair that is not empty.  An
 * empty `rest` is the end of the query. */
static bool step(reader *r, sio_bytes rest)
{
    if (rest.len == 0 || rest.base[0] == '&') {
        bool any = r->any;
        r->escape = 0;
        return any;
    }
    if (r->escape != 0) {
        r->escape--;
        return false;
    }
    r->any = true;
    if (rest.base[0] == '=' && !r->in_value) {
        r->in_value = true;
    } else {
        text *t = r->in_value ? &r->value : &r->name;
        t->bytes[t->len++] = plain(rest, &r->escape);
    }
    return false;
}

static void restart(reader *r)
{
    r->name.len = r->value.len = 0;
    r->in_value = r->any = false;
}

static text decoded(sio_bytes raw)
{
    text t;
    sio_query_decode(raw, t.bytes, &t.len);
    REQUIRE(t.len <= raw.len);
    return t;
}

/* Both readers see the same pairs; what is found by a pair's name is the value
 * of the last pair of that name. */
static void check_pairs(sio_bytes query)
{
    sio_query it = {.rest = query};
    reader r;
    restart(&r);
    r.escape = 0;
    for (size_t i = 0; i <= query.len; i++) {
        if (!step(&r, (sio_bytes){query.base + i, query.len - i})) {
            if (i < query.len && query.base[i] == '&') {
                restart(&r);
            }
            continue;
        }
        sio_bytes name, value, found = {NULL, 0};
        REQUIRE(sio_query_next(&it, &name, &value));
        REQUIRE(name.base >= query.base && name.base + name.len <= value.base &&
                value.base + value.len <= query.base + query.len);
        text n = decoded(name), v = decoded(value);
        REQUIRE(same(&r.name, (sio_bytes){n.bytes, n.len}));
        REQUIRE(same(&r.value, (sio_bytes){v.bytes, v.len}));
        REQUIRE(sio_query_get(query, (sio_bytes){n.bytes, n.len}, &found));
        REQUIRE(found.base >= value.base);
        restart(&r);
    }
    sio_bytes name, value;
    REQUIRE(!sio_query_next(&it, &name, &value));
}

/* One pass over the query gives what looking for each name does. */
static void check_known(sio_bytes query)
{
    tp_front_query all;
    tp_front_query_read(&all, query);
    const struct {
        sio_bytes name, got;
    } known[] = {
        {SIO_LIT("transport"), all.transport},
        {SIO_LIT("sid"), all.sid},
        {SIO_LIT("EIO"), all.eio},
        {SIO_LIT("b64"), all.b64},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        sio_bytes raw = {NULL, 0};
        bool found = sio_query_get(query, known[i].name, &raw);
        REQUIRE(found == (known[i].got.base != NULL));
        text want = {.len = 0};
        if (raw.len > TP_FRONT_VALUE_MAX) {
            REQUIRE(sio_bytes_eq(known[i].got, raw));
        } else if (found) {
            want = decoded(raw);
            REQUIRE(same(&want, known[i].got));
        }
        REQUIRE(!sio_query_is_plain(raw) || sio_bytes_eq(known[i].got, raw));
    }
}

/* ---------------------------------------------------------- a round trip -- */

/* Bytes as a client may write them: those with a meaning as %XX, the others so
 * or as they are, by `how`. */
static size_t encode(sio_bytes plain_text, uint8_t how, uint8_t *out)
{
    static const char hex[] = "0123456789abcdef0123456789ABCDEF";
    const char *digits = how & 1 ? hex : hex + 16;
    size_t len = 0;
    for (size_t i = 0; i < plain_text.len; i++) {
        uint8_t c = plain_text.base[i];
        bool special = c == '&' || c == '=' || c == '%' || c == '+';
        if (c == ' ' && (how & 2) != 0) {
            out[len++] = '+';
        } else if (special || ((how + i) & 4) != 0) {
            out[len++] = '%';
            out[len++] = (uint8_t)digits[c >> 4];
            out[len++] = (uint8_t)digits[c & 15];
        } else {
            out[len++] = c;
        }
    }
    return len;
}

/* Any two texts come through a query as its only pair, and as the last. */
static void check_round_trip(sio_bytes in)
{
    static uint8_t query[3 * SIZE_MAX_IN + 8];
    if (in.len < 2) {
        return;
    }
    uint8_t how = in.base[0];
    size_t cut = 1 + in.base[1] % (in.len - 1);
    sio_bytes name = {in.base + 1, cut - 1};
    sio_bytes value = {in.base + cut, in.len - cut};
    size_t len = 0;
    if (how & 8) {
        memcpy(query, "&a=b&&", 6);
        len = 6;
    }
    len += encode(name, how, query + len);
    query[len++] = '=';
    len += encode(value, (uint8_t)(how >> 4), query + len);
    sio_bytes raw = {NULL, 0};
    REQUIRE(sio_query_get((sio_bytes){query, len}, name, &raw));
    text back = {.len = 0};
    REQUIRE(raw.len <= 3 * value.len);
    sio_query_decode(raw, query, &back.len); /* where it may lie */
    REQUIRE(sio_bytes_eq((sio_bytes){query, back.len}, value));
}

/* ----------------------------------------------------------------- JSONP -- */

/* A literal of JavaScript, between its quotes, as a script reads it. */
static size_t read_literal(sio_bytes in, uint8_t *out)
{
    size_t len = 0, i = 0;
    while (i < in.len) {
        uint8_t c = in.base[i++];
        REQUIRE(c >= 0x20 && c != '"');
        REQUIRE(c != 0xe2 || in.len - i < 2 || in.base[i] != 0x80 ||
                (in.base[i + 1] & 0xfe) != 0xa8); /* U+2028 and U+2029 */
        if (c != '\\') {
            REQUIRE(c != '<' || i == in.len || in.base[i] != '/');
            out[len++] = c;
            continue;
        }
        REQUIRE(i < in.len);
        c = in.base[i++];
        if (c == 'u') {
            REQUIRE(in.len - i >= 4);
            unsigned code = 0;
            for (size_t end = i + 4; i < end; i++) {
                REQUIRE(digit(in.base[i]) < 16);
                code = code << 4 | digit(in.base[i]);
            }
            if (code < 0x80) {
                out[len++] = (uint8_t)code;
            } else {
                REQUIRE(code == 0x2028 || code == 0x2029);
                memcpy(out + len, code == 0x2028 ? "\u2028" : "\u2029", 3);
                len += 3;
            }
        } else {
            REQUIRE(c == 'n' || c == '"' || c == '\\' || c == '/');
            out[len++] = c == 'n' ? '\n' : c;
        }
    }
    return len;
}

/* A script hands on the payload that it was made of, whatever that is. */
static void check_script(sio_bytes in)
{
    static uint8_t script[6 * 3 * SIZE_MAX_IN + 64], again[3 * SIZE_MAX_IN];
    static uint8_t repaired[3 * SIZE_MAX_IN];
    char index[TP_JSONP_INDEX_MAX + 1];
    sio_bytes payload = {repaired, sio_utf8_repair(in, repaired)};
    if (!tp_jsonp_index(in, index)) {
        index[0] = '\0';
    }
    sio_writer measure = {NULL, 0, 0}, w = {script, sizeof(script), 0};
    tp_jsonp_write(&measure, index, payload);
    tp_jsonp_write(&w, index, payload);
    REQUIRE(measure.len == w.len && w.len <= w.cap);
    sio_bytes rest = {script, w.len};
    const sio_bytes pieces[] = {
        SIO_LIT("___eio["),
        {(const uint8_t *)index, strlen(index)},
        SIO_LIT("](\""),
    };
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(rest.len >= pieces[i].len &&
                memcmp(rest.base, pieces[i].base, pieces[i].len) == 0);
        sio_bytes_skip(&rest, pieces[i].len);
    }
    REQUIRE(rest.len >= 3 && memcmp(rest.base + rest.len - 3, "\");", 3) == 0);
    rest.len -= 3;
    size_t len = read_literal(rest, again);
    REQUIRE(sio_bytes_eq((sio_bytes){again, len}, payload));
}

/* What the official client does before the form's own escapes: a line feed is
 * written as "\n", and what already looks so gets one more backslash. */
static size_t escape_lines(sio_bytes in, uint8_t *out)
{
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        bool looks =
            in.base[i] == '\\' && i + 1 < in.len && in.base[i + 1] == 'n';
        if (in.base[i] == '\n') {
            out[len++] = '\\';
            out[len++] = 'n';
        } else {
            if (looks) {
                out[len++] = '\\';
            }
            out[len++] = in.base[i];
        }
    }
    return len;
}

/* A client's form gives what it wanted to send, unless that has a line feed
 * behind a backslash, which the escapes cannot tell from what looks like one.
 * JSON has it nowhere. */
static void check_form(sio_bytes in)
{
    static uint8_t escaped[2 * SIZE_MAX_IN], form[6 * SIZE_MAX_IN + 16];
    uint8_t *payload = NULL;
    size_t len = 0, back = 0;
    if (in.len != 0 && memmem(in.base, in.len, "\\\n", 2) == NULL) {
        size_t n = escape_lines(in, escaped);
        memcpy(form, "a=1&d=", 6);
        len = 6 + encode((sio_bytes){escaped, n}, in.base[0], form + 6);
        REQUIRE(tp_jsonp_read(form, len, &payload, &back));
        REQUIRE(sio_bytes_eq((sio_bytes){payload, back}, in));
    }
    if (in.len != 0) { /* and any form is read within its bounds */
        uint8_t *any = malloc(in.len);
        REQUIRE(any != NULL);
        memcpy(any, in.base, in.len);
        if (tp_jsonp_read(any, in.len, &payload, &back)) {
            REQUIRE(payload >= any && payload + back <= any + in.len);
        }
        free(any);
    }
}

/* Queries and forms: what stands behind the '?' of a request, and in the body
 * of a POST of JSONP. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_IN) {
        return 0;
    }
    uint8_t *copy = malloc(size == 0 ? 1 : size); /* with nothing behind it */
    REQUIRE(copy != NULL);
    if (size != 0) {
        memcpy(copy, data, size);
    }
    sio_bytes in = {copy, size};
    check_pairs(in);
    check_known(in);
    check_round_trip(in);
    check_script(in);
    check_form(in);
    free(copy);
    return 0;
}
