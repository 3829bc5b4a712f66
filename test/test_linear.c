/*
 * The time that each parser takes grows with its input and not faster.  Each
 * input is given at one size and at eight times that; a parser of quadratic
 * time would take 64 times as long, and 24 is where the test fails.  It is the
 * processor's time of this thread, the least of several runs.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/number.h"
#include "base/query.h"
#include "base/utf8.h"
#include "engineio/packet.h"
#include "socketio/events.h"
#include "socketio/msgpack.h"
#include "socketio/parent.h"
#include "socketio/parser_impl.h"
#include "transport/forwarded.h"
#include "transport/http1.h"
#include "transport/http_chunked.h"
#include "transport/http_text.h"
#include "transport/ws_extensions.h"
#include "transport/ws_handshake.h"
#include "transport/ws_message.h"

#define GROWTH 8
#define FACTOR 24
#define RUNS 5

/* Shorter times are taken for this one: a ratio of noise says nothing. */
#define FLOOR_NS 100000

typedef void parse_fn(sio_bytes in);

static const sio_packet_limits limits = {1024, 65535, SIZE_MAX};

/* ------------------------------------------------------------- the parsers --
 */

static void check_json(sio_bytes in)
{
    (void)sio_json_check(in, 1024);
}

static sio_error found(void *arg, sio_bytes object, sio_bytes num)
{
    size_t index;
    (void)arg;
    (void)object;
    (void)sio_placeholder_index(num, 10, &index);
    return SIO_OK;
}

static void find_placeholders(sio_bytes in)
{
    (void)sio_json_check_placeholders(in, 1024, found, NULL);
}

static void unescape(sio_bytes in)
{
    size_t len;
    uint8_t *out = malloc(in.len + 1);
    assert_non_null(out);
    (void)sio_json_unescape(in, out, &len);
    free(out);
}

static void read_number(sio_bytes in)
{
    uint64_t magnitude;
    bool negative;
    (void)sio_number_read(in);
    (void)sio_number_is_integer(in, &magnitude, &negative);
}

static void decode_packet(sio_bytes in)
{
    sio_packet packet;
    if (sio_packet_decode(in, &limits, &packet) == SIO_OK) {
        sio_json_items it = sio_json_items_of_list(packet.args);
        sio_json_type type;
        sio_bytes item;
        while (sio_json_items_next(&it, &item, &type)) {
        }
    }
}

static sio_error try_msgpack(sio_bytes in)
{
    static const sio_packet_limits few = {128, 1000, 4096};
    sio_parser_room room = {0};
    sio_packet packet;
    assert_int_equal(sio_parser_room_init(&room, &few), SIO_OK);
    sio_error err = sio_parser_msgpack.decode(&sio_parser_msgpack, in, &few,
                                              &room, &packet);
    sio_parser_room_deinit(&room);
    return err;
}

static void decode_msgpack(sio_bytes in)
{
    (void)try_msgpack(in);
}

/* An event whose arguments are `unit` bytes each, behind the number of them,
 * which is put in. */
static void decode_arguments(sio_bytes in, size_t unit)
{
    enum { COUNT_AT = 19, HEAD = COUNT_AT + 4 + 2 };
    uint8_t *copy = malloc(in.len);
    uint32_t count = (uint32_t)((in.len - HEAD) / unit) + 1;
    assert_non_null(copy);
    memcpy(copy, in.base, in.len);
    for (size_t i = 0; i < 4; i++) {
        copy[COUNT_AT + i] = (uint8_t)(count >> (24 - 8 * i));
    }
    assert_int_equal(try_msgpack((sio_bytes){copy, in.len}), SIO_OK);
    free(copy);
}

static void decode_bytes(sio_bytes in)
{
    decode_arguments(in, 1);
}

static void decode_pairs(sio_bytes in)
{
    decode_arguments(in, 2);
}

static void walk_payload(sio_bytes in)
{
    uint8_t *copy = malloc(in.len);
    eio_payload it = {.rest = {copy, in.len}};
    eio_packet packet;
    sio_bytes raw;
    assert_non_null(copy);
    memcpy(copy, in.base, in.len);
    while (eio_payload_next(&it, &raw)) {
        (void)eio_packet_decode_in_place((uint8_t *)(uintptr_t)raw.base,
                                         raw.len, &packet);
    }
    free(copy);
}

static void check_utf8(sio_bytes in)
{
    sio_utf8 u = {0};
    (void)sio_utf8_valid(in);
    for (size_t i = 0; i < in.len; i++) {
        (void)sio_utf8_feed(&u, (sio_bytes){in.base + i, 1});
    }
}

static void repair_utf8(sio_bytes in)
{
    (void)sio_utf8_repair(in, NULL);
}

static void decode_base64(sio_bytes in)
{
    size_t len;
    uint8_t *out = malloc(in.len + 4);
    assert_non_null(out);
    (void)sio_base64_decode(in, out, &len);
    free(out);
}

static void read_query(sio_bytes in)
{
    sio_bytes value;
    size_t len;
    uint8_t *out = malloc(in.len + 1);
    assert_non_null(out);
    (void)sio_query_get(in, SIO_LIT("sid"), &value);
    sio_query_decode(in, out, &len);
    free(out);
}

/* As it comes over a slow connection. */
static void read_head_by_bytes(sio_bytes in)
{
    const tp_http_limits wide = {UINT32_MAX, TP_HTTP_HEADERS_MAX};
    static tp_http_head head;
    size_t len, seen = 0;
    sio_error err = SIO_MORE;
    for (size_t i = 1; i <= in.len && err == SIO_MORE; i++) {
        err = tp_http_head_end((sio_bytes){in.base, i}, seen, &wide, &len);
        seen = i;
    }
    (void)tp_http_head_parse(in, &wide, &head);
    sio_bytes list = tp_http_header_find(&head, SIO_LIT("a"));
    (void)tp_http_list_has_token(list, SIO_LIT("zzz"));
}

static void read_forwarded(sio_bytes in)
{
    static tp_http_head head;
    tp_trusted trusted = {0};
    sio_arena arena = {0};
    const char *why;
    sio_bytes item;
    tp_stream stream = {.peer = {TP_ADDRESS_IPV4, {10, 0, 0, 1}}};
    assert_int_equal(
        tp_trusted_parse("10.0.0.0/8", &arena, &trusted, &why, &item), SIO_OK);
    head.header_count = 2;
    head.headers[0] = (tp_http_header){SIO_LIT("x-forwarded-for"), in};
    head.headers[1] = (tp_http_header){SIO_LIT("forwarded"), in};
    (void)tp_client_of(&stream, &head, &trusted, SIO_PROXY_HEADERS_X_FORWARDED);
    (void)tp_client_of(&stream, &head, &trusted, SIO_PROXY_HEADERS_FORWARDED);
    sio_arena_deinit(&arena);
}

static void read_chunks(sio_bytes in)
{
    tp_http_chunked whole = {0}, pieces = {0};
    sio_bytes rest = in, data;
    while (tp_http_chunked_next(&whole, &rest, &data) == SIO_OK &&
           data.len != 0) {
    }
    for (size_t i = 0; i < in.len; i++) {
        rest = (sio_bytes){in.base + i, 1};
        if (tp_http_chunked_next(&pieces, &rest, &data) < 0) {
            break;
        }
    }
}

static void read_offers(sio_bytes in)
{
    const tp_ws_deflate_config config = {.enabled = true,
                                         .server_max_window_bits = 15,
                                         .client_max_window_bits = 15};
    tp_ws_negotiation n = {0};
    tp_ws_negotiate(&n, &config, in);
    (void)tp_ws_subprotocol(in);
}

static void read_arguments(sio_bytes in)
{
    sio_packet packet;
    sio_event event;
    size_t len;
    assert_int_equal(sio_packet_decode(in, &limits, &packet), SIO_OK);
    sio_event_init(&event, NULL, &packet, NULL);
    for (size_t i = 0; i < sio_event_arg_count(&event); i++) {
        assert_non_null(sio_event_arg(&event, i, &len));
    }
    sio_event_deinit(&event);
}

static void fits_pattern(sio_bytes in)
{
    (void)sio_pattern_fits(SIO_LIT("/*a*a*a*a*b"), in);
}

static bool take(void *owner, tp_ws_opcode opcode, sio_bytes payload)
{
    (void)owner;
    (void)opcode;
    (void)payload;
    return true;
}

static bool take_control(void *owner, sio_bytes payload)
{
    (void)owner;
    (void)payload;
    return true;
}

static void take_close(void *owner, uint16_t code, sio_bytes reason)
{
    (void)owner;
    (void)code;
    (void)reason;
}

/* In pieces of `step` bytes, each in memory of its own. */
static void feed_websocket(sio_bytes in, size_t step)
{
    const tp_ws_limits wide = {SIZE_MAX / 2, UINT32_MAX, false};
    static const tp_ws_reader_events events = {
        .message = take,
        .ping = take_control,
        .pong = take_control,
        .close = take_close,
    };
    tp_ws_reader r = {0};
    uint8_t piece[4096];
    for (size_t at = 0; at < in.len; at += step) {
        size_t len = in.len - at < step ? in.len - at : step;
        memcpy(piece, in.base + at, len);
        if (tp_ws_reader_feed(&r, piece, len, &wide, &events, NULL) != SIO_OK) {
            break;
        }
    }
    tp_ws_reader_deinit(&r);
}

static void read_frames(sio_bytes in)
{
    feed_websocket(in, 4096);
}

static void read_frames_by_bytes(sio_bytes in)
{
    feed_websocket(in, 1);
}

/* -------------------------------------------------------------- the inputs --
 */

#define B(text) SIO_LIT_INIT(text)

/* `units` of `unit`, and twice as many bytes as the first number of a frame
 * where `before` is one, between `before` and `after`. */
static const struct input {
    const char *label;
    parse_fn *parse;
    size_t units;
    sio_bytes before, unit, after;
} inputs[] = {
    {"JSON: numbers", check_json, 20000, B("["), B("1,"), B("1]")},
    {"JSON: strings", check_json, 20000, B("["), B("\"a\","), B("1]")},
    {"JSON: a string", check_json, 20000, B("\""), B("abcd"), B("\"")},
    {"JSON: escapes", check_json, 20000, B("\""), B("\\u0041\\n"), B("\"")},
    {"JSON: a number", check_json, 20000, B(""), B("1"), B("")},
    {"JSON: blanks", check_json, 20000, B("["), B(" "), B("]")},
    {"JSON: objects", find_placeholders, 20000, B("["), B("{\"num\":1},"),
     B("1]")},
    {"JSON: members", find_placeholders, 20000, B("{"),
     B("\"_placeholder\":true,\"num\":1,"), B("\"a\":1}")},
    {"JSON: placeholders", find_placeholders, 5000, B("["),
     B("{\"_placeholder\":true,\"num\":1},"), B("1]")},
    {"JSON: objects in objects", find_placeholders, 100, B(""), B("{\"a\":"),
     B("1")},
    {"JSON: open brackets", check_json, 20000, B(""), B("["), B("")},
    {"JSON: names that are escaped", find_placeholders, 5000, B("{"),
     B("\"\\u006eum\":1,"), B("\"a\":1}")},
    {"unescaping", unescape, 20000, B("\""), B("\\ud800"), B("\"")},
    {"a number of many digits", read_number, 20000, B("0."), B("1"), B("")},
    {"a number of many zeros", read_number, 20000, B(""), B("0"), B("1")},
    {"an exponent", read_number, 20000, B("1e"), B("9"), B("")},
    {"a namespace", decode_packet, 20000, B("2/"), B("a"), B(",[\"e\"]")},
    {"no end of a namespace", decode_packet, 20000, B("0/"), B("a"), B("")},
    {"attachments", decode_packet, 20000, B("5"), B("1"), B("-[\"e\"]")},
    {"zeros of attachments", decode_packet, 20000, B("5"), B("0"),
     B("1-[\"e\"]")},
    {"an id", decode_packet, 20000, B("2"), B("1"), B("[\"e\"]")},
    {"arguments", decode_packet, 20000, B("2[\"e\""), B(",1"), B("]")},
    {"an event's name", decode_packet, 20000, B("2[\""), B("a"), B("\"]")},
    {"placeholders", decode_packet, 5000, B("51-[\"e\""),
     B(",{\"_placeholder\":true,\"num\":0}"), B("]")},
    {"msgpack: an array", decode_bytes, 20000,
     B("\x83\xa4type\x02\xa3nsp\xa1/\xa4"
       "data\xdd....\xa1"
       "e"),
     B("\x01"), B("")},
    {"msgpack: short strings", decode_pairs, 20000,
     B("\x83\xa4type\x02\xa3nsp\xa1/\xa4"
       "data\xdd....\xa1"
       "e"),
     B("\xa1x"), B("")},
    {"msgpack: arrays in arrays", decode_msgpack, 20000,
     B("\x83\xa4type\x02\xa3nsp\xa1/\xa4"
       "data"),
     B("\x91"), B("")},
    {"msgpack: a map that is none", decode_msgpack, 20000, B("\xdf"),
     B("\xff\xff"), B("")},
    {"packets of a body", walk_payload, 20000, B("4a"),
     B("\x1e"
       "4a"),
     B("")},
    {"separators", walk_payload, 20000, B(""), B("\x1e"), B("")},
    {"base64 of a body", walk_payload, 20000, B("b"), B("QUJD"), B("")},
    {"base64", decode_base64, 20000, B(""), B("QUJD"), B("QQ==")},
    {"UTF-8: ASCII", check_utf8, 20000, B(""), B("a"), B("")},
    {"UTF-8: wide", check_utf8, 20000, B(""), B("\xf0\x9f\x98\x80"), B("")},
    {"UTF-8: repaired", repair_utf8, 20000, B(""), B("\xf0\x9f"), B("")},
    {"UTF-8: continuations", repair_utf8, 20000, B(""), B("\x80"), B("")},
    {"a query of many", read_query, 20000, B(""), B("a=b&"), B("sid=1")},
    {"a query's separators", read_query, 20000, B(""), B("&"), B("sid=1")},
    {"a query's escapes", read_query, 20000, B("a="), B("%41"), B("")},
    {"a head: a long value", read_head_by_bytes, 20000,
     B("GET / HTTP/1.1\r\nHost: h\r\nA: "), B("b"), B("\r\n\r\n")},
    {"a head: a list", read_head_by_bytes, 20000,
     B("GET / HTTP/1.1\r\nHost: h\r\nA: "), B("b , "), B("\r\n\r\n")},
    {"a head: blanks", read_head_by_bytes, 20000,
     B("GET / HTTP/1.1\r\nHost: h\r\nA: x"), B(" "), B("x\r\n\r\n")},
    {"a head: a long target", read_head_by_bytes, 20000, B("GET /"), B("a"),
     B(" HTTP/1.1\r\nHost: h\r\n\r\n")},
    {"a head: many lines", read_head_by_bytes, 20000,
     B("GET / HTTP/1.1\r\nHost: h\r\n"), B("a:\r\n"), B("\r\n")},
    {"a head: line ends", read_head_by_bytes, 20000,
     B("GET / HTTP/1.1\r\nHost: h\r\nA: "), B("\r"), B("\r\n\r\n")},
    {"addresses of proxies", read_forwarded, 5000, B("192.0.2.1"),
     B(",10.0.0.1"), B("")},
    {"proxies by name", read_forwarded, 5000, B("for=192.0.2.1"),
     B(";proto=http,for=10.0.0.1"), B("")},
    {"proxies' quotes", read_forwarded, 5000, B("for=\""), B("\\a"), B("\"")},
    {"proxies' commas", read_forwarded, 20000, B(""), B(" , "), B("")},
    {"arguments by their index", read_arguments, 2000, B("2[\"e\""), B(",1"),
     B("]")},
    {"chunks of a byte", read_chunks, 20000, B(""), B("1\r\na\r\n"),
     B("0\r\n\r\n")},
    {"chunks' digits", read_chunks, 20000, B(""), B("0"), B("1\r\na\r\n")},
    {"a chunk's extension", read_chunks, 20000, B("1;"), B("a"), B("\r\n")},
    {"offers", read_offers, 5000, B("x"), B(",permessage-deflate;a=b"), B("")},
    {"parameters of an offer", read_offers, 5000, B("permessage-deflate"),
     B(";client_max_window_bits"), B("")},
    {"blanks of an offer", read_offers, 20000, B("x"), B(" "), B(",y")},
    {"a quoted offer", read_offers, 20000, B("x;a=\""), B("\\a"), B("\"")},
    {"a name against a pattern", fits_pattern, 5000, B("/"), B("a"), B("c")},
    {"small frames", read_frames, 20000, B(""),
     B("\x81\x81\x01\x02\x03\x04"
       "5"),
     B("")},
    {"small frames by bytes", read_frames_by_bytes, 5000, B(""),
     B("\x81\x81\x01\x02\x03\x04"
       "5"),
     B("")},
    {"fragments", read_frames, 20000, B("\x01\x80\0\0\0\0"),
     B("\x00\x81\x01\x02\x03\x04"
       "5"),
     B("\x80\x80\0\0\0\0")},
    {"empty fragments", read_frames, 20000, B("\x01\x80\0\0\0\0"),
     B("\x00\x80\x01\x02\x03\x04"), B("\x80\x80\0\0\0\0")},
    {"a long message", read_frames, 20000,
     B("\x81\xff\0\0\0\0\0\x20\0\0\x01\x02\x03\x04"), B("aaaaaaaa"), B("")},
    {"a long message by bytes", read_frames_by_bytes, 10000,
     B("\x82\xff\0\0\0\0\0\x20\0\0\x01\x02\x03\x04"), B("aaaaaaaa"), B("")},
    {"pings", read_frames, 20000, B(""),
     B("\x89\x81\x01\x02\x03\x04"
       "x"),
     B("")},
};

static sio_buf make(const struct input *input, size_t units)
{
    sio_buf buf = {0};
    assert_int_equal(sio_buf_append(&buf, input->before), SIO_OK);
    for (size_t i = 0; i < units; i++) {
        assert_int_equal(sio_buf_append(&buf, input->unit), SIO_OK);
    }
    assert_int_equal(sio_buf_append(&buf, input->after), SIO_OK);
    return buf;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t measure(const struct input *input, size_t units)
{
    sio_buf buf = make(input, units);
    int64_t least = INT64_MAX;
    for (int i = 0; i < RUNS; i++) {
        int64_t start = now_ns();
        input->parse(sio_buf_view(&buf));
        int64_t took = now_ns() - start;
        least = took < least ? took : least;
    }
    sio_buf_deinit(&buf);
    return least < FLOOR_NS ? FLOOR_NS : least;
}

static bool is_linear(const struct input *input)
{
    int64_t small = measure(input, input->units);
    int64_t large = measure(input, input->units * GROWTH);
    if (large > small * FACTOR) {
        print_message("%s: %lld us, then %lld us\n", input->label,
                      (long long)small / 1000, (long long)large / 1000);
        return false;
    }
    return true;
}

static void test_parsers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        /* Once more, before a bad moment of the machine is taken for it. */
        if (!is_linear(&inputs[i]) && !is_linear(&inputs[i])) {
            fail_msg("%s", inputs[i].label);
        }
    }
}

/* What the test is for: this it has to find. */
static void quadratic(sio_bytes in)
{
    volatile unsigned sum = 0;
    for (size_t i = 0; i < in.len; i++) {
        for (size_t k = 0; k < i; k += 8) {
            sum += in.base[k];
        }
    }
    (void)sum;
}

static void test_finds(void **state)
{
    static const struct input bad = {"quadratic", quadratic, 2000,
                                     B(""),       B("a"),    B("")};
    (void)state;
    assert_false(is_linear(&bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_finds),
                                       cmocka_unit_test(test_parsers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
