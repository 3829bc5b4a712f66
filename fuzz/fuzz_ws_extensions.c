#include <stdlib.h>

#include "base/buf.h"
#include "transport/ws_extensions.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const tp_ws_deflate_params *a, const tp_ws_deflate_params *b)
{
    return a->server_no_context_takeover == b->server_no_context_takeover &&
           a->client_no_context_takeover == b->client_no_context_takeover &&
           a->server_max_window_bits == b->server_max_window_bits &&
           a->client_max_window_bits == b->client_max_window_bits;
}

/* What is written is read back, as the one offer that it is. */
static void write_and_read(const tp_ws_deflate_params *params)
{
    uint8_t text[TP_WS_DEFLATE_TEXT_MAX];
    tp_ws_deflate_params again;
    size_t len = tp_ws_deflate_write(params, text);
    REQUIRE(len <= sizeof(text));
    tp_ws_offers it = {.rest = {text, len}};
    REQUIRE(tp_ws_offers_next(&it, &again));
    REQUIRE(same(params, &again));
    REQUIRE(!tp_ws_offers_next(&it, &again) && !it.malformed);
}

/* The answer keeps to what was offered and to what is configured. */
static bool try_offer(const tp_ws_deflate_config *c,
                      const tp_ws_deflate_params *offer,
                      tp_ws_deflate_params *agreed)
{
    write_and_read(offer);
    if (!tp_ws_deflate_accept(c, offer, agreed)) {
        return false;
    }
    write_and_read(agreed);
    unsigned server = agreed->server_max_window_bits;
    unsigned client = agreed->client_max_window_bits;
    REQUIRE(server == 0 ||
            (server >= 9 && server <= c->server_max_window_bits));
    REQUIRE(client != TP_WS_BITS_ANY && client <= c->client_max_window_bits);
    REQUIRE(offer->server_max_window_bits == 0 ||
            (server != 0 && server <= offer->server_max_window_bits));
    REQUIRE(offer->client_max_window_bits != 0 || client == 0);
    REQUIRE(
        agreed->server_no_context_takeover ||
        (!offer->server_no_context_takeover && !c->server_no_context_takeover));
    return true;
}

static tp_ws_negotiation negotiate(const tp_ws_deflate_config *c,
                                   sio_bytes before, sio_bytes line,
                                   sio_bytes behind)
{
    sio_buf whole = {0};
    tp_ws_negotiation n = {0};
    REQUIRE(sio_buf_append(&whole, before) == SIO_OK);
    REQUIRE(sio_buf_append(&whole, line) == SIO_OK);
    REQUIRE(sio_buf_append(&whole, behind) == SIO_OK);
    tp_ws_negotiate(&n, c, sio_buf_view(&whole));
    sio_buf_deinit(&whole);
    return n;
}

/*
 * Reads a line of Sec-WebSocket-Extensions.  Each offer in it has to survive
 * writing and reading; the first that can be accepted has to be, and an
 * extension that is unknown, or an empty element, makes no difference.  The
 * first byte is the configuration.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    tp_ws_deflate_config c = {
        .enabled = true,
        .server_no_context_takeover = (data[0] & 1) != 0,
        .client_no_context_takeover = (data[0] & 2) != 0,
        .server_max_window_bits = (uint8_t)(9 + (data[0] >> 2) % 7),
        .client_max_window_bits = (uint8_t)(9 + (data[0] >> 5) % 7),
    };
    sio_bytes line = {data + 1, size - 1};
    tp_ws_offers it = {.rest = line};
    tp_ws_deflate_params offer, agreed = {0};
    bool accepted = false;
    while (tp_ws_offers_next(&it, &offer)) {
        tp_ws_deflate_params answer;
        if (try_offer(&c, &offer, &answer) && !accepted) {
            accepted = true;
            agreed = answer;
        }
    }
    static const sio_bytes around[][2] = {
        {SIO_LIT_INIT(""), SIO_LIT_INIT("")},
        {SIO_LIT_INIT(" ,\t,"), SIO_LIT_INIT(" ,")},
        {SIO_LIT_INIT("a; b=\"\\c\" ,"), SIO_LIT_INIT("\t,d")},
    };
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        tp_ws_negotiation n = negotiate(&c, around[i][0], line, around[i][1]);
        REQUIRE(n.malformed == it.malformed);
        REQUIRE(n.agreed == accepted && same(&n.params, &agreed));
    }
    return 0;
}
