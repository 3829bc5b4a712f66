/*
 * Sessions over each transport, as their bytes were recorded: given whole, cut
 * in two at every byte, and byte by byte, with a turn of the loop after each
 * piece.  The application hears the same every time, and the peer sees the
 * same bytes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test/front_rig.h"

#define SID "abcdefghij0123456789"
#define AT "/socket.io/?EIO=4&transport="
#define HOST " HTTP/1.1\r\nHost: h\r\n"
#define OF_SID AT "polling&sid=" SID HOST
#define POST(length, body)                                                     \
    "POST " OF_SID "Content-Type: text/plain;charset=UTF-8\r\n"                \
    "Content-Length: " length "\r\n\r\n" body
#define CHUNKED(body)                                                          \
    "POST " OF_SID "Transfer-Encoding: chunked\r\n\r\n" body "0\r\n\r\n"
#define DIGITS "0123456789"
#define CLOSE "\x88\x82\0\0\0\0\x03\xe8"

/* What one connection says, before another has its turn. */
typedef struct step {
    int peer;
    sio_bytes bytes;
} step;

#define SAID(peer, literal)                                                    \
    {                                                                          \
        peer, SIO_LIT_INIT(literal)                                            \
    }
#define STEPS 6

static const struct script {
    const char *label;
    bool proxy;
    step steps[STEPS];
    const char *told;
} scripts[] = {
    {"polling",
     false,
     {SAID(0, "GET " AT "polling" HOST "\r\n"),
      SAID(0, POST("12", "4one\x1e"
                         "bQUI=\x1e"
                         "3")),
      SAID(0, CHUNKED("4\r\n4\xc3\xa4x\r\n6;ext=1\r\n\x1e"
                      "4end\x1e\r\n1\r\n3\r\n")),
      SAID(0, POST("1", "1")), SAID(0, "GET " OF_SID "\r\n")},
     "opened;[one];[AB];[\xc3\xa4x];[end];closed transport close;"
     "refused 1 Session ID unknown UNKNOWN_SID;"},
    {"polls of two connections",
     false,
     {SAID(0, "GET " AT "polling" HOST "\r\n"),
      SAID(1, "GET " OF_SID "X: y\r\n\r\n"), SAID(0, POST("3", "4hi")),
      SAID(0, POST("1", "1"))},
     "opened;[hi];closed transport close;"},
    {"a POST that is no payload",
     false,
     {SAID(0, "GET " AT "polling" HOST "\r\n"), SAID(0, POST("3", "9hi")),
      SAID(1, "GET " OF_SID "\r\n")},
     "opened;closed parse error;refused 1 Session ID unknown UNKNOWN_SID;"},
    {"websocket",
     false,
     {SAID(0, "GET " AT "websocket HTTP/1.1\r\n" WS_FIELDS "\r\n"),
      /* 4one, and 4two in two fragments */
      SAID(0, "\201\204\021\042\063\104\045\115\135\041\001\202\021\042\063"
              "\104\045\126\200\202\021\042\063\104\146\115"),
      /* a ping, two bytes, a pong, 3 */
      SAID(0, "\211\203\021\042\063\104\160\100\120\202\202\021\042\063\104"
              "\020\040\212\200\021\042\063\104\201\201\021\042\063\104\042"),
      /* 131 bytes */
      SAID(0, "\201\376\000\203\021\042\063\104\045\022\002\166\042\026\006"
              "\162\046\032\012\164\040\020\000\160\044\024\004\174\050\022"
              "\002\166\042\026\006\162\046\032\012\164\040\020\000\160\044"
              "\024\004\174\050\022\002\166\042\026\006\162\046\032\012\164"
              "\040\020\000\160\044\024\004\174\050\022\002\166\042\026\006"
              "\162\046\032\012\164\040\020\000\160\044\024\004\174\050\022"
              "\002\166\042\026\006\162\046\032\012\164\040\020\000\160\044"
              "\024\004\174\050\022\002\166\042\026\006\162\046\032\012\164"
              "\040\020\000\160\044\024\004\174\050\022\002\166\042\026\006"
              "\162\046\032\012"),
      SAID(0, CLOSE)},
     "opened;[one];[two];[\1\2];[" DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS
         DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS
     "];closed transport close;"},
    {"websocket, a rule broken",
     false,
     {SAID(0, "GET " AT "websocket HTTP/1.1\r\n" WS_FIELDS "\r\n"),
      SAID(0, MASKED_HI "\x81\x83\0\0\0\0"
                        "4\xff\xff")},
     "opened;[hi];closed transport error;"},
    {"upgrade",
     false,
     {SAID(0, "GET " AT "polling" HOST "\r\n"), SAID(0, "GET " OF_SID "\r\n"),
      SAID(1, "GET " AT "websocket&sid=" SID " HTTP/1.1\r\n" WS_FIELDS
              "\r\n" MASKED_PROBE),
      SAID(0, POST("3", "4by")), SAID(1, MASKED_UPGRADE MASKED_HI),
      SAID(1, CLOSE)},
     "opened;[by];upgraded;[hi];closed transport close;"},
    {"an upgrade that is given up",
     false,
     {SAID(0, "GET " AT "polling" HOST "\r\n"),
      SAID(1, "GET " AT "websocket&sid=" SID " HTTP/1.1\r\n" WS_FIELDS
              "\r\n" MASKED_PROBE MASKED_HI),
      SAID(0, POST("3", "4by")), SAID(0, POST("1", "1"))},
     "opened;[by];closed transport close;"},
    {"behind a proxy",
     true,
     {SAID(0, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"
              "GET " AT "websocket HTTP/1.1\r\n" WS_FIELDS "\r\n" MASKED_HI),
      SAID(0, CLOSE)},
     "opened;[hi];closed transport close;"},
};

/* ----------------------------------------------------------------- a run -- */

typedef struct outcome {
    sio_buf told;
    sio_buf sent[FRONT_RIG_PEERS];
} outcome;

static bool on_generate_id(void *app, tp_exchange *x,
                           char id[SIO_SESSION_ID_SIZE])
{
    (void)app;
    (void)x;
    memcpy(id, SID, sizeof(SID));
    return true;
}

#define WHOLE SIZE_MAX
#define BYTEWISE (SIZE_MAX - 1)

/* Bytes of the piece that begins at `at`, of `left` that are there. */
static size_t piece_of(size_t at, size_t left, size_t cut)
{
    if (cut == BYTEWISE) {
        return 1;
    }
    return at < cut && cut - at < left ? cut - at : left;
}

/* Where the peer has been cut off, the rest of what it says is lost. */
static void feed(front_rig *r, const step *s, size_t *at, size_t cut)
{
    memory_stream *ms = &r->peers[s->peer];
    size_t done = 0;
    while (done < s->bytes.len) {
        size_t len = piece_of(*at, s->bytes.len - done, cut);
        (void)memory_stream_feed(ms, (sio_bytes){s->bytes.base + done, len}, 0);
        memory_loop_turn(&r->loop);
        memory_loop_turn(&r->loop);
        done += len;
        *at += len;
    }
}

/* Cut at a byte of all that is said; returns how many there are. */
static size_t run(const struct script *script, size_t cut, outcome *out)
{
    static front_rig r;
    tp_trusted trusted = {0};
    sio_arena arena = {0};
    const char *why;
    sio_bytes item;
    size_t at = 0;
    front_rig_init(&r);
    r.hooks.generate_id = on_generate_id;
    assert_int_equal(
        tp_trusted_parse("192.0.2.0/24", &arena, &trusted, &why, &item),
        SIO_OK);
    r.config.http.trusted = script->proxy ? &trusted : NULL;
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        r.peers[i].base.wants_proxy = script->proxy;
    }
    (void)front_rig_come(&r);
    (void)front_rig_come(&r);
    for (size_t i = 0; i < STEPS && script->steps[i].bytes.len != 0; i++) {
        feed(&r, &script->steps[i], &at, cut);
    }
    out->told = r.told;
    r.told = (sio_buf){0};
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        out->sent[i] = r.peers[i].out;
        r.peers[i].out = (sio_buf){0};
    }
    front_rig_deinit(&r);
    sio_arena_deinit(&arena);
    return at;
}

static void forget(outcome *out)
{
    sio_buf_deinit(&out->told);
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        sio_buf_deinit(&out->sent[i]);
    }
}

static void expect_equal(const char *label, size_t cut, const sio_buf *got,
                         const sio_buf *want)
{
    if (!sio_bytes_eq(sio_buf_view(got), sio_buf_view(want))) {
        fail_msg("%s, cut at %zd: %.*s, not %.*s", label, (ssize_t)cut,
                 (int)got->len, (const char *)got->base, (int)want->len,
                 (const char *)want->base);
    }
}

static void run_cut(const struct script *script, size_t cut,
                    const outcome *want)
{
    outcome got;
    (void)run(script, cut, &got);
    expect_equal(script->label, cut, &got.told, &want->told);
    for (size_t i = 0; i < FRONT_RIG_PEERS; i++) {
        expect_equal(script->label, cut, &got.sent[i], &want->sent[i]);
    }
    forget(&got);
}

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        outcome want;
        size_t len = run(&scripts[i], WHOLE, &want);
        sio_bytes told = sio_buf_view(&want.told);
        if (told.len != strlen(scripts[i].told) ||
            memcmp(told.base, scripts[i].told, told.len) != 0) {
            fail_msg("%s: %.*s", scripts[i].label, (int)told.len,
                     (const char *)told.base);
        }
        run_cut(&scripts[i], BYTEWISE, &want);
        for (size_t cut = 1; cut < len; cut++) {
            run_cut(&scripts[i], cut, &want);
        }
        print_message("%s: %zu bytes\n", scripts[i].label, len);
        forget(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
