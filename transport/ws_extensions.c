#include "transport/ws_extensions.h"

#include "base/writer.h"
#include "transport/http_text.h"

#define NAME "permessage-deflate"

/* The parameters, by the bit that says one has been seen. */
enum {
    SERVER_NO_TAKEOVER,
    CLIENT_NO_TAKEOVER,
    SERVER_BITS,
    CLIENT_BITS,
    NAMES
};

static const sio_bytes names[NAMES] = {
    [SERVER_NO_TAKEOVER] = SIO_LIT_INIT("server_no_context_takeover"),
    [CLIENT_NO_TAKEOVER] = SIO_LIT_INIT("client_no_context_takeover"),
    [SERVER_BITS] = SIO_LIT_INIT("server_max_window_bits"),
    [CLIENT_BITS] = SIO_LIT_INIT("client_max_window_bits"),
};

/* A value's length, and as much of it as matters: no good one is longer.
 * A length of 0 is no value. */
typedef struct value {
    size_t len;
    uint8_t head[2];
} value;

/* An offer while it is read. */
typedef struct draft {
    tp_ws_deflate_params params;
    unsigned seen; /* bits, by the parameters' numbers */
    bool declined;
} draft;

/* -------------------------------------------------------------- grammar -- */

/* Takes `c` and the blanks around it off `*rest`, if it comes next. */
static bool take(sio_bytes *rest, uint8_t c)
{
    tp_http_skip_blanks(rest);
    if (rest->len == 0 || rest->base[0] != c) {
        return false;
    }
    sio_bytes_skip(rest, 1);
    tp_http_skip_blanks(rest);
    return true;
}

static void append(value *v, uint8_t c)
{
    if (v->len < sizeof(v->head)) {
        v->head[v->len] = c;
    }
    v->len++;
}

/* The rest of a quoted string, which has to hold a token.  False if it does
 * not, or does not end. */
static bool take_quoted(sio_bytes *rest, value *v)
{
    while (rest->len != 0) {
        uint8_t c = rest->base[0];
        sio_bytes_skip(rest, 1);
        if (c == '"') {
            return v->len != 0;
        }
        if (c == '\\' && rest->len != 0) {
            c = rest->base[0];
            sio_bytes_skip(rest, 1);
        }
        if (!tp_http_is(c, TP_HTTP_CLASS_TOKEN)) {
            return false;
        }
        append(v, c);
    }
    return false;
}

static bool take_value(sio_bytes *rest, value *v)
{
    if (take(rest, '"')) {
        return take_quoted(rest, v);
    }
    sio_bytes token = tp_http_take_token(rest);
    for (size_t i = 0; i < token.len; i++) {
        append(v, token.base[i]);
    }
    return token.len != 0;
}

/* ------------------------------------------------------------ parameters -- */

/* Decimal, without a leading zero; 0 if it is no size of a window. */
static uint8_t parse_bits(const value *v)
{
    unsigned bits = 0;
    for (size_t i = 0; i < v->len && i < sizeof(v->head); i++) {
        if (!tp_http_is(v->head[i], TP_HTTP_CLASS_DIGIT)) {
            return 0;
        }
        bits = bits * 10 + (v->head[i] - (unsigned)'0');
    }
    bool good = v->len <= sizeof(v->head) && v->head[0] != '0' &&
                bits >= TP_WS_BITS_LEAST && bits <= TP_WS_BITS_MOST;
    return good ? (uint8_t)bits : 0;
}

/* Enters a parameter into the draft; returns whether it is a good one. */
static bool enter(draft *d, size_t which, const value *v)
{
    tp_ws_deflate_params *p = &d->params;
    switch (which) {
    case SERVER_NO_TAKEOVER:
        p->server_no_context_takeover = true;
        return v->len == 0;
    case CLIENT_NO_TAKEOVER:
        p->client_no_context_takeover = true;
        return v->len == 0;
    case SERVER_BITS:
        p->server_max_window_bits = parse_bits(v);
        return p->server_max_window_bits != 0;
    case CLIENT_BITS:
        p->client_max_window_bits =
            v->len == 0 ? TP_WS_BITS_ANY : parse_bits(v);
        return p->client_max_window_bits != 0;
    default:
        return false; /* unknown */
    }
}

static void note(draft *d, sio_bytes name, const value *v)
{
    size_t which = 0;
    while (which < NAMES && !sio_bytes_eq(name, names[which])) {
        which++;
    }
    unsigned bit = 1u << which;
    if ((d->seen & bit) != 0 || !enter(d, which, v)) {
        d->declined = true;
    }
    d->seen |= bit;
}

/* Takes an extension with its parameters; false if it is malformed. */
static bool take_extension(sio_bytes *rest, draft *d)
{
    *d = (draft){0};
    sio_bytes name = tp_http_take_token(rest);
    d->declined = !sio_bytes_eq(name, SIO_LIT(NAME));
    if (name.len == 0) {
        return false;
    }
    while (take(rest, ';')) {
        value v = {0};
        sio_bytes parameter = tp_http_take_token(rest);
        if (parameter.len == 0 || (take(rest, '=') && !take_value(rest, &v))) {
            return false;
        }
        note(d, parameter, &v);
    }
    return rest->len == 0 || rest->base[0] == ',';
}

bool tp_ws_offers_next(tp_ws_offers *it, tp_ws_deflate_params *offer)
{
    for (;;) {
        draft d;
        tp_http_skip_blanks(&it->rest);
        while (take(&it->rest, ',')) {
            /* Empty elements count for nothing, as in any list. */
        }
        if (it->rest.len == 0) {
            return false;
        }
        if (!take_extension(&it->rest, &d)) {
            it->malformed = true;
            it->rest = (sio_bytes){0};
            return false;
        }
        if (!d.declined) {
            *offer = d.params;
            return true;
        }
    }
}

/* ----------------------------------------------------------- negotiation -- */

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* The answer's server_max_window_bits; 0 leaves it out. */
static uint8_t answer_server_bits(uint8_t ours, uint8_t offered)
{
    if (offered == 0) {
        return ours < TP_WS_BITS_MOST ? ours : 0;
    }
    return smaller(ours, offered);
}

/* The answer's client_max_window_bits; 0 leaves it out. */
static uint8_t answer_client_bits(uint8_t ours, uint8_t offered)
{
    if (offered == TP_WS_BITS_ANY) {
        return ours < TP_WS_BITS_MOST ? ours : 0;
    }
    return smaller(ours, offered);
}

bool tp_ws_deflate_accept(const tp_ws_deflate_config *config,
                          const tp_ws_deflate_params *offer,
                          tp_ws_deflate_params *agreed)
{
    bool asks_too_little = offer->server_max_window_bits == TP_WS_BITS_LEAST;
    bool cannot_be_told = offer->client_max_window_bits == 0 &&
                          config->client_max_window_bits < TP_WS_BITS_MOST;
    if (asks_too_little || cannot_be_told) {
        return false;
    }
    *agreed = (tp_ws_deflate_params){
        .server_no_context_takeover = config->server_no_context_takeover ||
                                      offer->server_no_context_takeover,
        .client_no_context_takeover = config->client_no_context_takeover ||
                                      offer->client_no_context_takeover,
        .server_max_window_bits = answer_server_bits(
            config->server_max_window_bits, offer->server_max_window_bits),
        .client_max_window_bits = answer_client_bits(
            config->client_max_window_bits, offer->client_max_window_bits),
    };
    return true;
}

static void write_parameter(sio_writer *w, size_t which, uint8_t bits)
{
    sio_write_bytes(w, SIO_LIT("; "));
    sio_write_bytes(w, names[which]);
    if (bits >= TP_WS_BITS_LEAST) {
        sio_write_byte(w, '=');
        sio_write_uint(w, bits);
    }
}

size_t tp_ws_deflate_write(const tp_ws_deflate_params *params,
                           uint8_t out[TP_WS_DEFLATE_TEXT_MAX])
{
    sio_writer w = {out, TP_WS_DEFLATE_TEXT_MAX, 0};
    sio_write_bytes(&w, SIO_LIT(NAME));
    if (params->server_no_context_takeover) {
        write_parameter(&w, SERVER_NO_TAKEOVER, 0);
    }
    if (params->client_no_context_takeover) {
        write_parameter(&w, CLIENT_NO_TAKEOVER, 0);
    }
    if (params->server_max_window_bits != 0) {
        write_parameter(&w, SERVER_BITS, params->server_max_window_bits);
    }
    if (params->client_max_window_bits != 0) {
        write_parameter(&w, CLIENT_BITS, params->client_max_window_bits);
    }
    return w.len;
}

void tp_ws_negotiate(tp_ws_negotiation *n, const tp_ws_deflate_config *config,
                     sio_bytes line)
{
    tp_ws_offers offers = {.rest = line};
    tp_ws_deflate_params offer;
    if (!config->enabled) {
        return;
    }
    while (tp_ws_offers_next(&offers, &offer)) {
        n->agreed =
            n->agreed || tp_ws_deflate_accept(config, &offer, &n->params);
    }
    n->malformed = n->malformed || offers.malformed;
}
