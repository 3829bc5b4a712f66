#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "transport/ws_extensions.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define PD "permessage-deflate"
#define SNT "; server_no_context_takeover"
#define CNT "; client_no_context_takeover"
#define SB "; server_max_window_bits"
#define CB "; client_max_window_bits"

/* What is read from a line: its good offers, as they would be written, with a
 * bar behind each; "malformed" at the end if it is. */
static void read_line(char *out, size_t cap, sio_bytes line)
{
    tp_ws_offers it = {.rest = line};
    tp_ws_deflate_params offer;
    uint8_t text[TP_WS_DEFLATE_TEXT_MAX];
    size_t len = 0;
    out[0] = '\0';
    while (tp_ws_offers_next(&it, &offer)) {
        size_t n = tp_ws_deflate_write(&offer, text);
        assert_true(n <= sizeof(text) && len + n + 2 < cap);
        len += (size_t)snprintf(out + len, cap - len, "%.*s|", (int)n,
                                (const char *)text);
    }
    assert_int_equal(it.rest.len, 0);
    assert_false(tp_ws_offers_next(&it, &offer));
    snprintf(out + len, cap - len, "%s", it.malformed ? "malformed" : "");
}

/* From a block of just that size. */
static void read_copy(char *out, size_t cap, sio_bytes line)
{
    uint8_t *copy = malloc(line.len + (line.len == 0));
    assert_non_null(copy);
    memcpy(copy, line.base, line.len);
    read_line(out, cap, (sio_bytes){copy, line.len});
    free(copy);
}

// clang-format off
static const struct {
    sio_bytes line;
    const char *offers;
} lines[] = {
    /* Lists. */
    {B(""), ""},
    {B(" \t"), ""},
    {B(",, ,"), ""},
    {B(PD), PD "|"},
    {B("\t " PD " \t"), PD "|"},
    {B("," PD ","), PD "|"},
    {B(PD "," PD), PD "|" PD "|"},
    {B(PD " , , " PD SNT), PD "|" PD SNT "|"},

    /* Others are passed over, whatever they say. */
    {B("x-webkit-deflate-frame"), ""},
    {B("permessage-bzip2; a=b; a; c=\"d\""), ""},
    {B("bbf-usp-protocol, " PD ", foo; bar=1"), PD "|"},
    {B("Permessage-Deflate"), ""},
    {B(PD "2, perMessage-deflate"), ""},

    /* Parameters, in any order. */
    {B(PD SNT), PD SNT "|"},
    {B(PD CNT), PD CNT "|"},
    {B(PD CB), PD CB "|"},
    {B(PD CB "=8" SB "=8"), PD SB "=8" CB "=8|"},
    {B(PD CB "=15" SB "=15" CNT SNT), PD SNT CNT SB "=15" CB "=15|"},
    {B(PD ";server_max_window_bits=9"), PD SB "=9|"},
    {B(PD " ;\tserver_max_window_bits = 12 ;client_max_window_bits"), PD SB "=12" CB "|"},

    /* Quoted strings, unescaped. */
    {B(PD SB "=\"10\""), PD SB "=10|"},
    {B(PD SB "=\"\\1\\0\" " SNT), PD SNT SB "=10|"},
    {B("x; a=\"b\\\"\""), "malformed"}, /* unescaped it is no token */
    {B("x; a=\",\""), "malformed"},
    {B("x; a=\" \""), "malformed"},
    {B("x; a=\"\""), "malformed"},
    {B("x; a=\"b"), "malformed"},
    {B("x; a=\"b\\"), "malformed"},
    {B("x; a=\"b\"c"), "malformed"},
    {B("x; a=\"b\" c"), "malformed"},
    {B("x; \"a\"=b"), "malformed"},
    {B("\"" PD "\""), "malformed"},

    /* Declined: unknown, twice, or with a value that must not be. */
    {B(PD "; unknown"), ""},
    {B(PD "; unknown=1" SNT), ""},
    {B(PD "; Server_no_context_takeover"), ""},
    {B(PD SNT SNT), ""},
    {B(PD CNT CNT), ""},
    {B(PD SB "=10" SB "=10"), ""},
    {B(PD CB CB), ""},
    {B(PD CB CB "=10"), ""},
    {B(PD SNT "=true"), ""},
    {B(PD CNT "=1"), ""},
    {B(PD SNT "=\"1\""), ""},
    {B(PD SB), ""},
    {B(PD SB "=7"), ""},
    {B(PD SB "=16"), ""},
    {B(PD SB "=0"), ""},
    {B(PD SB "=08"), ""},
    {B(PD SB "=010"), ""},
    {B(PD SB "=100"), ""},
    {B(PD SB "=1000000000000000000000000000000000000000000010"), ""},
    {B(PD SB "=-9"), ""},
    {B(PD SB "=+9"), ""},
    {B(PD SB "=9a"), ""},
    {B(PD SB "=9.0"), ""},
    {B(PD SB "=0x9"), ""},
    {B(PD SB "=1e1"), ""},
    {B(PD CB "=7"), ""},
    {B(PD CB "=16"), ""},
    {B(PD CB "=1"), ""},
    {B(PD CB "=x"), ""},
    {B(PD CB "=09"), ""},

    /* What is declined leaves the others alone. */
    {B(PD SB "=7, " PD SB "=10"), PD SB "=10|"},
    {B(PD "; x," PD "; y," PD CB), PD CB "|"},
    {B(PD ", " PD SNT SNT ", " PD CNT), PD "|" PD CNT "|"},

    /* No lists of extensions. */
    {B(";"), "malformed"},
    {B("="), "malformed"},
    {B(PD ";"), "malformed"},
    {B(PD "; "), "malformed"},
    {B(PD ";;server_no_context_takeover"), "malformed"},
    {B(PD "; =1"), "malformed"},
    {B(PD SB "="), "malformed"},
    {B(PD SB "=,x"), "malformed"},
    {B(PD SB "==9"), "malformed"},
    {B(PD SB "=9 9"), "malformed"},
    {B(PD " " PD), "malformed"},
    {B(PD "\r\n"), "malformed"},
    {B(PD "\0"), "malformed"},
    {B("\xff"), "malformed"},
    {B(PD ";;" ", " PD), "malformed"},
    {B(PD CB ", a b, " PD), PD CB "|malformed"},
    {B(PD "/1"), "malformed"},
    {B(PD "; (x)"), "malformed"},
};
// clang-format on

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        char got[1024];
        read_copy(got, sizeof(got), lines[i].line);
        if (strcmp(got, lines[i].offers) != 0) {
            fail_msg("%s: %s", (const char *)lines[i].line.base, got);
        }
    }
}

/* A line that is cut anywhere reads as before, up to its last offer. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        for (size_t len = 0; len <= lines[i].line.len; len++) {
            char got[1024];
            read_copy(got, sizeof(got), (sio_bytes){lines[i].line.base, len});
            char *last = strrchr(got, '|');
            while (last != NULL && last != got && last[-1] != '|') {
                last--;
            }
            if (last != NULL &&
                memcmp(got, lines[i].offers, (size_t)(last - got)) != 0) {
                fail_msg("%zu bytes of %s: %s", len,
                         (const char *)lines[i].line.base, got);
            }
        }
    }
}

/* What was written is read back. */
static void test_writing(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 2 * 2 * 16 * 16; n++) {
        tp_ws_deflate_params p = {n & 1, n >> 1 & 1, n >> 2 & 15, n >> 6 & 15};
        tp_ws_deflate_params again;
        uint8_t text[TP_WS_DEFLATE_TEXT_MAX];
        if ((p.server_max_window_bits != 0 && p.server_max_window_bits < 8) ||
            (p.client_max_window_bits > TP_WS_BITS_ANY &&
             p.client_max_window_bits < 8)) {
            continue;
        }
        tp_ws_offers it = {.rest = {text, tp_ws_deflate_write(&p, text)}};
        assert_true(tp_ws_offers_next(&it, &again));
        assert_memory_equal(&p, &again, sizeof(p));
        assert_false(tp_ws_offers_next(&it, &again));
        assert_false(it.malformed);
    }
}

/* ----------------------------------------------------------- negotiation -- */

#define DEFAULT                                                                \
    {                                                                          \
        true, false, false, 15, 15, 6, 8, 1024                                 \
    }
#define NO_TAKEOVER                                                            \
    {                                                                          \
        true, true, true, 15, 15, 6, 8, 1024                                   \
    }
#define BITS(server, client)                                                   \
    {                                                                          \
        true, false, false, server, client, 6, 8, 1024                         \
    }

/* One row for each rule of RFC 7692, section 7.1: an answer, "" where there is
 * none, or "malformed". */
// clang-format off
static const struct {
    const char *label;
    tp_ws_deflate_config config;
    sio_bytes offer;
    const char *answer;
} rules[] = {
    {"switched off", {.enabled = false}, B(PD), ""},
    {"switched off, malformed", {.enabled = false}, B("; ;"), ""},
    {"not offered", DEFAULT, B(""), ""},
    {"something else offered", DEFAULT, B("permessage-lz4"), ""},
    {"malformed", DEFAULT, B(PD ";"), "malformed"},
    {"7.1.3, the simplest", DEFAULT, B(PD), PD},
    {"7.1.3, two parameters", DEFAULT, B(PD CB SB "=10"), PD SB "=10"},
    {"7.1.3, with a fallback", DEFAULT, B(PD CB SB "=8, " PD CB), PD},
    {"what browsers offer", DEFAULT, B(PD CB), PD},

    {"7.1.1.1, asked", DEFAULT, B(PD SNT), PD SNT},
    {"7.1.1.1, not asked", NO_TAKEOVER, B(PD), PD SNT CNT},
    {"7.1.1.1, both", NO_TAKEOVER, B(PD SNT), PD SNT CNT},
    {"7.1.1.1, with a value", DEFAULT, B(PD SNT "=1"), ""},
    {"7.1.1.2, a hint is taken", DEFAULT, B(PD CNT), PD CNT},
    {"7.1.1.2, with a value", DEFAULT, B(PD CNT "=0"), ""},

    {"7.1.2.1, asked", DEFAULT, B(PD SB "=9"), PD SB "=9"},
    {"7.1.2.1, asked for all", DEFAULT, B(PD SB "=15"), PD SB "=15"},
    {"7.1.2.1, we want less", BITS(10, 15), B(PD SB "=12"), PD SB "=10"},
    {"7.1.2.1, we want more", BITS(12, 15), B(PD SB "=10"), PD SB "=10"},
    {"7.1.2.1, not asked", BITS(10, 15), B(PD), PD SB "=10"},
    {"7.1.2.1, too little for us", DEFAULT, B(PD SB "=8"), ""},
    {"7.1.2.1, without a value", DEFAULT, B(PD SB), ""},
    {"7.1.2.1, not a size", DEFAULT, B(PD SB "=16"), ""},

    {"7.1.2.2, can be told, need not", DEFAULT, B(PD CB), PD},
    {"7.1.2.2, can be told", BITS(15, 11), B(PD CB), PD CB "=11"},
    {"7.1.2.2, has a size", DEFAULT, B(PD CB "=10"), PD CB "=10"},
    {"7.1.2.2, has a size, told less", BITS(15, 9), B(PD CB "=10"), PD CB "=9"},
    {"7.1.2.2, has a smaller size", BITS(15, 11), B(PD CB "=8"), PD CB "=8"},
    {"7.1.2.2, cannot be told", BITS(15, 11), B(PD), ""},
    {"7.1.2.2, cannot, fallback", BITS(15, 11), B(PD ", " PD CB), PD CB "=11"},
    {"7.1.2.2, not a size", DEFAULT, B(PD CB "=16"), ""},

    {"7.1, unknown parameter", DEFAULT, B(PD "; x"), ""},
    {"7.1, the same twice", DEFAULT, B(PD SNT SNT), ""},
    {"the first that will do", DEFAULT, B(PD "; x, " PD SNT ", " PD), PD SNT},
    {"behind another extension", DEFAULT, B("a; b=c, " PD CNT), PD CNT},
    {"all declined", DEFAULT, B(PD SB ", " PD SB "=8"), ""},
    {"agreed, then malformed", DEFAULT, B(PD ", ;"), "malformed"},
};
// clang-format on

/* Gives the lines, cut at the first `commas` commas, to a negotiation. */
static const char *negotiate(const tp_ws_deflate_config *config,
                             sio_bytes offer, size_t commas)
{
    static char answer[TP_WS_DEFLATE_TEXT_MAX + 1];
    tp_ws_negotiation n = {0};
    const uint8_t *comma;
    while (commas-- > 0 && offer.len != 0 &&
           (comma = memchr(offer.base, ',', offer.len)) != NULL) {
        size_t len = (size_t)(comma - offer.base);
        tp_ws_negotiate(&n, config, (sio_bytes){offer.base, len});
        offer = (sio_bytes){comma + 1, offer.len - len - 1};
    }
    tp_ws_negotiate(&n, config, offer);
    answer[n.agreed ? tp_ws_deflate_write(&n.params, (uint8_t *)answer) : 0] =
        '\0';
    return n.malformed ? "malformed" : answer;
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        for (size_t commas = 0; commas < 3; commas++) {
            const char *got =
                negotiate(&rules[i].config, rules[i].offer, commas);
            if (strcmp(got, rules[i].answer) != 0) {
                fail_msg("%s: %s", rules[i].label, got);
            }
        }
    }
}

/* What may follow on an offer, whatever the configuration. */
static bool is_allowed(const tp_ws_deflate_config *c,
                       const tp_ws_deflate_params *o,
                       const tp_ws_deflate_params *a)
{
    unsigned server = a->server_max_window_bits,
             client_said = a->client_max_window_bits;
    return (!o->server_no_context_takeover || a->server_no_context_takeover) &&
           (!c->server_no_context_takeover || a->server_no_context_takeover) &&
           (!c->client_no_context_takeover || a->client_no_context_takeover) &&
           (o->server_max_window_bits == 0 ||
            (server != 0 && server <= o->server_max_window_bits)) &&
           (server == 0 ? c->server_max_window_bits == 15
                        : server >= 9 && server <= c->server_max_window_bits) &&
           (o->client_max_window_bits != 0 || client_said == 0) &&
           (o->client_max_window_bits < 8 ||
            client_said <= o->client_max_window_bits) &&
           client_said != TP_WS_BITS_ANY &&
           (client_said == 0
                ? c->client_max_window_bits == 15
                : client_said >= 8 && client_said <= c->client_max_window_bits);
}

static bool is_bits(unsigned n, unsigned least)
{
    return n == 0 || (n >= least && n <= 15);
}

/* Every offer under every configuration. */
static void test_all(void **state)
{
    (void)state;
    size_t accepted = 0;
    for (unsigned n = 0; n < 1u << 16; n++) {
        tp_ws_deflate_config c = {
            true, n & 1, n >> 1 & 1, 9 + (n >> 2 & 7), 9 + (n >> 5 & 7),
            6,    8,     0};
        tp_ws_deflate_params o = {n >> 8 & 1, n >> 9 & 1, 0, 0}, a;
        if (c.server_max_window_bits > 15 || c.client_max_window_bits > 15) {
            continue;
        }
        for (uint8_t s = 0; s < 16; s++) {
            o.server_max_window_bits = s;
            o.client_max_window_bits = n >> 10 & 15;
            if (!is_bits(s, 8) || (o.client_max_window_bits != TP_WS_BITS_ANY &&
                                   !is_bits(o.client_max_window_bits, 8))) {
                continue;
            }
            bool got = tp_ws_deflate_accept(&c, &o, &a);
            bool want = s != 8 && (o.client_max_window_bits != 0 ||
                                   c.client_max_window_bits == 15);
            assert_true(got == want);
            assert_true(!got || is_allowed(&c, &o, &a));
            accepted += got;
        }
    }
    assert_true(accepted > 10000);
}

/* A megabyte of what makes careless reading slow takes no time to speak of. */
static void test_linear(void **state)
{
    (void)state;
    static const char *const units[] = {
        " ", ",",    ",\t",     "a,",       "a;b,", "a;b=\"\\c\",",
        ";", PD ",", PD CB ",", "a; b=\"c", "=",
    };
    static const tp_ws_deflate_config config = DEFAULT;
    size_t size = (size_t)1 << 20;
    uint8_t *text = malloc(size);
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(units); i++) {
        size_t unit = strlen(units[i]);
        for (size_t n = 0; n < size; n++) {
            text[n] = (uint8_t)units[i][n % unit];
        }
        clock_t start = clock();
        tp_ws_negotiation n = {0};
        tp_ws_negotiate(&n, &config, (sio_bytes){text, size});
        assert_true(clock() - start < CLOCKS_PER_SEC / 2);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_writing), cmocka_unit_test(test_rules),
        cmocka_unit_test(test_all),     cmocka_unit_test(test_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
