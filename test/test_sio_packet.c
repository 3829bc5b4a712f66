#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/packet.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

static const sio_packet_limits limits = {
    .max_depth = 4, .max_attachments = 10, .max_nsp = 8};

#define MAIN B("/")
#define NO_ID false, 0
#define ID(n) true, UINT64_C(n)
#define NO_NAME B(""), false
#define NO_ARGS B(""), 0

// clang-format off
static const struct {
    const char *label;
    sio_bytes in;
    sio_packet_type type;
    uint32_t attachments;
    sio_bytes nsp;
    bool has_id;
    uint64_t id;
    sio_json_type payload_type;
    sio_bytes name;
    bool name_is_number;
    sio_bytes args;
    unsigned arg_count;
} good[] = {
    {"connect", B("0"), SIO_PACKET_CONNECT, 0, MAIN, NO_ID,
     SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"connect with auth", B("0{\"token\":\"x\"}"), SIO_PACKET_CONNECT, 0, MAIN,
     NO_ID, SIO_JSON_OBJECT, NO_NAME, NO_ARGS},
    {"connect to a namespace", B("0/foo,"), SIO_PACKET_CONNECT, 0, B("/foo"),
     NO_ID, SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"no comma", B("0/foo"), SIO_PACKET_CONNECT, 0, B("/foo"), NO_ID,
     SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"namespace and auth", B("0/foo,{} "), SIO_PACKET_CONNECT, 0, B("/foo"),
     NO_ID, SIO_JSON_OBJECT, NO_NAME, NO_ARGS},
    {"main spelled out", B("0/,{}"), SIO_PACKET_CONNECT, 0, MAIN, NO_ID,
     SIO_JSON_OBJECT, NO_NAME, NO_ARGS},
    {"query", B("0/f?a=b,"), SIO_PACKET_CONNECT, 0, B("/f?a=b"), NO_ID,
     SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"longest namespace", B("0/1234567,"), SIO_PACKET_CONNECT, 0,
     B("/1234567"), NO_ID, SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"connect forgets its id", B("012{}"), SIO_PACKET_CONNECT, 0, MAIN, NO_ID,
     SIO_JSON_OBJECT, NO_NAME, NO_ARGS},
    {"disconnect", B("1"), SIO_PACKET_DISCONNECT, 0, MAIN, NO_ID,
     SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"disconnect a namespace", B("1/foo,"), SIO_PACKET_DISCONNECT, 0,
     B("/foo"), NO_ID, SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"event", B("2[\"a\",1]"), SIO_PACKET_EVENT, 0, MAIN, NO_ID,
     SIO_JSON_ARRAY, B("\"a\""), false, B("1"), 1},
    {"event without arguments", B("2[\"a\"]"), SIO_PACKET_EVENT, 0, MAIN,
     NO_ID, SIO_JSON_ARRAY, B("\"a\""), false, NO_ARGS},
    {"event without payload", B("2"), SIO_PACKET_EVENT, 0, MAIN, NO_ID,
     SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"event with id alone", B("27"), SIO_PACKET_EVENT, 0, MAIN, ID(7),
     SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"event with everything", B("2/foo,12[\"a\",{\"b\":[1]},\"c\"]"),
     SIO_PACKET_EVENT, 0, B("/foo"), ID(12), SIO_JSON_ARRAY, B("\"a\""),
     false, B("{\"b\":[1]},\"c\""), 2},
    {"blanks in the payload", B("2[ \"a\" , 1 , 2 ] "), SIO_PACKET_EVENT, 0,
     MAIN, NO_ID, SIO_JSON_ARRAY, B("\"a\""), false, B("1 , 2"), 2},
    {"number as name", B("2[1,2]"), SIO_PACKET_EVENT, 0, MAIN, NO_ID,
     SIO_JSON_ARRAY, B("1"), true, B("2"), 1},
    {"empty name", B("2[\"\"]"), SIO_PACKET_EVENT, 0, MAIN, NO_ID,
     SIO_JSON_ARRAY, B("\"\""), false, NO_ARGS},
    {"error is allowed", B("2[\"error\"]"), SIO_PACKET_EVENT, 0, MAIN, NO_ID,
     SIO_JSON_ARRAY, B("\"error\""), false, NO_ARGS},
    {"connection is allowed", B("2[\"connection\"]"), SIO_PACKET_EVENT, 0,
     MAIN, NO_ID, SIO_JSON_ARRAY, B("\"connection\""), false, NO_ARGS},
    {"escape in the name", B("2[\"\\u0063onnection\"]"), SIO_PACKET_EVENT, 0,
     MAIN, NO_ID, SIO_JSON_ARRAY, B("\"\\u0063onnection\""), false, NO_ARGS},
    {"id 0", B("20[\"a\"]"), SIO_PACKET_EVENT, 0, MAIN, ID(0),
     SIO_JSON_ARRAY, B("\"a\""), false, NO_ARGS},
    {"greatest id", B("29007199254740991[\"a\"]"), SIO_PACKET_EVENT, 0, MAIN,
     ID(9007199254740991), SIO_JSON_ARRAY, B("\"a\""), false, NO_ARGS},
    {"placeholder as data", B("2[\"a\",{\"_placeholder\":true,\"num\":9}]"),
     SIO_PACKET_EVENT, 0, MAIN, NO_ID, SIO_JSON_ARRAY, B("\"a\""), false,
     B("{\"_placeholder\":true,\"num\":9}"), 1},
    {"as deep as allowed", B("2[\"a\",[[[1]]]]"), SIO_PACKET_EVENT, 0, MAIN,
     NO_ID, SIO_JSON_ARRAY, B("\"a\""), false, B("[[[1]]]"), 1},
    {"ack", B("312[]"), SIO_PACKET_ACK, 0, MAIN, ID(12), SIO_JSON_ARRAY,
     NO_NAME, NO_ARGS},
    {"ack with arguments", B("3/foo,0[null,{}]"), SIO_PACKET_ACK, 0,
     B("/foo"), ID(0), SIO_JSON_ARRAY, NO_NAME, B("null,{}"), 2},
    {"ack without id", B("3[1]"), SIO_PACKET_ACK, 0, MAIN, NO_ID,
     SIO_JSON_ARRAY, NO_NAME, B("1"), 1},
    {"error, object", B("4{\"message\":\"x\"}"), SIO_PACKET_CONNECT_ERROR, 0,
     MAIN, NO_ID, SIO_JSON_OBJECT, NO_NAME, NO_ARGS},
    {"error, string", B("4/foo,\"x\""), SIO_PACKET_CONNECT_ERROR, 0,
     B("/foo"), NO_ID, SIO_JSON_STRING, NO_NAME, NO_ARGS},
    {"binary event", B("51-[\"a\",{\"_placeholder\":true,\"num\":0}]"),
     SIO_PACKET_BINARY_EVENT, 1, MAIN, NO_ID, SIO_JSON_ARRAY, B("\"a\""),
     false, B("{\"_placeholder\":true,\"num\":0}"), 1},
    {"binary event with everything",
     B("510-/foo,3[\"a\",[{\"num\":9,\"_placeholder\":true}]]"),
     SIO_PACKET_BINARY_EVENT, 10, B("/foo"), ID(3), SIO_JSON_ARRAY,
     B("\"a\""), false, B("[{\"num\":9,\"_placeholder\":true}]"), 1},
    {"unused attachments", B("53-[\"a\"]"), SIO_PACKET_BINARY_EVENT, 3, MAIN,
     NO_ID, SIO_JSON_ARRAY, B("\"a\""), false, NO_ARGS},
    {"attachment used twice",
     B("51-[1,{\"_placeholder\":true,\"num\":0},"
       "{\"_placeholder\":true,\"num\":0}]"),
     SIO_PACKET_BINARY_EVENT, 1, MAIN, NO_ID, SIO_JSON_ARRAY, B("1"), true,
     B("{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}"),
     2},
    {"false placeholder", B("51-[1,{\"_placeholder\":false,\"num\":5}]"),
     SIO_PACKET_BINARY_EVENT, 1, MAIN, NO_ID, SIO_JSON_ARRAY, B("1"), true,
     B("{\"_placeholder\":false,\"num\":5}"), 1},
    {"binary without payload", B("51-"), SIO_PACKET_BINARY_EVENT, 1, MAIN,
     NO_ID, SIO_JSON_NONE, NO_NAME, NO_ARGS},
    {"binary ack", B("61-2[{\"_placeholder\":true,\"num\":0}]"),
     SIO_PACKET_BINARY_ACK, 1, MAIN, ID(2), SIO_JSON_ARRAY, NO_NAME,
     B("{\"_placeholder\":true,\"num\":0}"), 1},
};

#define NUM(text) \
    B("52-[\"a\",{\"_placeholder\":true,\"num\":" text "}]"), \
    SIO_ERR_ATTACHMENTS

static const struct {
    const char *label;
    sio_bytes in;
    sio_error err;
} bad[] = {
    {"nothing", B(""), SIO_ERR_PACKET_EMPTY},
    {"type 7", B("7"), SIO_ERR_PACKET_TYPE},
    {"type 9", B("9[\"a\"]"), SIO_ERR_PACKET_TYPE},
    {"no digit", B("a"), SIO_ERR_PACKET_TYPE},
    {"slash", B("/"), SIO_ERR_PACKET_TYPE},
    {"blank first", B(" 2[\"a\"]"), SIO_ERR_PACKET_TYPE},
    {"JSON alone", B("[\"a\"]"), SIO_ERR_PACKET_TYPE},

    {"no attachments", B("50-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"no number", B("5-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"no dash", B("51[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"number alone", B("51"), SIO_ERR_ATTACHMENTS},
    {"binary type alone", B("5"), SIO_ERR_ATTACHMENTS},
    {"ack, no number", B("6[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"eleven", B("511-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"9999999999", B("59999999999-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"2^32 + 1", B("54294967297-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"2^64 + 1", B("518446744073709551617-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"negative", B("5-1-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"plus", B("5+1-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"blank", B("5 1-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"leading zero", B("501-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"exponent", B("51e0-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"fraction", B("51.0-[\"a\"]"), SIO_ERR_ATTACHMENTS},
    {"letter", B("5a-[\"a\"]"), SIO_ERR_ATTACHMENTS},

    {"namespace too long", B("0/12345678,"), SIO_ERR_TOO_LARGE},
    {"namespace too long, no comma", B("0/12345678"), SIO_ERR_TOO_LARGE},
    {"no comma behind the namespace", B("2/f[\"a\",1]"), SIO_ERR_JSON},
    {"two namespaces", B("2/a,/b,[\"a\"]"), SIO_ERR_JSON},

    {"id 2^53", B("29007199254740992[\"a\"]"), SIO_ERR_PACKET_ID},
    {"20 digits", B("210000000000000000000[\"a\"]"), SIO_ERR_PACKET_ID},
    {"2^64 + 1 as id", B("218446744073709551617[]"), SIO_ERR_PACKET_ID},
    {"zero before the id", B("207[\"a\"]"), SIO_ERR_PACKET_ID},
    {"two zeros", B("300[]"), SIO_ERR_PACKET_ID},
    {"blank before the id", B("2 7[\"a\"]"), SIO_ERR_PACKET_ID},
    {"blank behind the id", B("27 [\"a\"]"), SIO_ERR_PACKET_ID},
    {"blank for an id", B("2 [\"a\"]"), SIO_ERR_PACKET_ID},
    {"newline for an id", B("2\n[\"a\"]"), SIO_ERR_PACKET_ID},
    {"bad id of a connect", B("001{}"), SIO_ERR_PACKET_ID},
    {"negative id", B("2-1[\"a\"]"), SIO_ERR_JSON},
    {"fraction as id", B("21.5[\"a\"]"), SIO_ERR_JSON},

    {"connect with null", B("0null"), SIO_ERR_PAYLOAD},
    {"connect with array", B("0[]"), SIO_ERR_PAYLOAD},
    {"connect with string", B("0\"a\""), SIO_ERR_PAYLOAD},
    {"connect, malformed", B("0{"), SIO_ERR_JSON},
    {"connect, more behind", B("0{}{}"), SIO_ERR_JSON},
    {"connect, too deep", B("0{\"\":[[[[]]]]}"), SIO_ERR_JSON_DEPTH},
    {"disconnect with object", B("1{}"), SIO_ERR_PAYLOAD},
    {"disconnect with text", B("1abc"), SIO_ERR_PAYLOAD},
    {"error with null", B("4null"), SIO_ERR_PAYLOAD},
    {"error with array", B("4[]"), SIO_ERR_PAYLOAD},
    {"error with word", B("4true"), SIO_ERR_PAYLOAD},
    {"ack with object", B("31{}"), SIO_ERR_PAYLOAD},
    {"ack with null", B("31null"), SIO_ERR_PAYLOAD},
    {"ack, malformed", B("31["), SIO_ERR_JSON},
    {"event with object", B("2{}"), SIO_ERR_PAYLOAD},
    {"event with string", B("2\"a\""), SIO_ERR_PAYLOAD},
    {"event with null", B("2null"), SIO_ERR_PAYLOAD},
    {"event without name", B("2[]"), SIO_ERR_PAYLOAD},
    {"name is an object", B("2[{}]"), SIO_ERR_PAYLOAD},
    {"name is an object with toString", B("2[{\"toString\":1}]"),
     SIO_ERR_PAYLOAD},
    {"name is an array", B("2[[]]"), SIO_ERR_PAYLOAD},
    {"name is null", B("2[null]"), SIO_ERR_PAYLOAD},
    {"name is true", B("2[true]"), SIO_ERR_PAYLOAD},
    {"name is false", B("2[false,1]"), SIO_ERR_PAYLOAD},
    {"event, cut short", B("2[\"a\""), SIO_ERR_JSON},
    {"event, trailing comma", B("2[\"a\",]"), SIO_ERR_JSON},
    {"event, more behind", B("2[\"a\"]x"), SIO_ERR_JSON},
    {"event, malformed object", B("2{]"), SIO_ERR_JSON},
    {"event, too deep", B("2[\"a\",[[[[]]]]]"), SIO_ERR_JSON_DEPTH},

    {"connect as event", B("2[\"connect\"]"), SIO_ERR_PAYLOAD},
    {"connect_error", B("2[\"connect_error\",1]"), SIO_ERR_PAYLOAD},
    {"disconnect as event", B("2[\"disconnect\"]"), SIO_ERR_PAYLOAD},
    {"disconnecting", B("2[\"disconnecting\"]"), SIO_ERR_PAYLOAD},
    {"newListener", B("2[\"newListener\"]"), SIO_ERR_PAYLOAD},
    {"removeListener", B("2[\"removeListener\"]"), SIO_ERR_PAYLOAD},
    {"reserved, one escape", B("2[\"\\u0063onnect\"]"), SIO_ERR_PAYLOAD},
    {"reserved, last escaped", B("2[\"connec\\u0074\"]"), SIO_ERR_PAYLOAD},
    {"reserved, all escaped",
     B("2[\"\\u0072\\u0065\\u006d\\u006f\\u0076\\u0065\\u004C\\u0069\\u0073"
       "\\u0074\\u0065\\u006e\\u0065\\u0072\"]"), SIO_ERR_PAYLOAD},
    {"reserved in a binary event", B("51-[\"connect\"]"), SIO_ERR_PAYLOAD},
    {"placeholder as name", B("51-[{\"_placeholder\":true,\"num\":0}]"),
     SIO_ERR_PAYLOAD},

    {"num is a string", NUM("\"splice\"")},
    {"num is a digit in quotes", NUM("\"0\"")},
    {"num is negative", NUM("-1")},
    {"num is minus zero", NUM("-0")},
    {"num is the count", NUM("2")},
    {"num is far beyond", NUM("100")},
    {"num is null", NUM("null")},
    {"num is true", NUM("true")},
    {"num is an array", NUM("[]")},
    {"num is an array of one", NUM("[0]")},
    {"num is an object", NUM("{}")},
    {"num is 1e308", NUM("1e308")},
    {"num is 2^32", NUM("4294967296")},
    {"num is 2^64", NUM("18446744073709551616")},
    {"num is 0.5", NUM("0.5")},
    {"num is 0.0", NUM("0.0")},
    {"num is 1e0", NUM("1e0")},
    {"num is missing", B("51-[\"a\",{\"_placeholder\":true}]"),
     SIO_ERR_ATTACHMENTS},
    {"last num is bad",
     B("51-[\"a\",{\"_placeholder\":true,\"num\":0,\"num\":1}]"),
     SIO_ERR_ATTACHMENTS},
    {"second placeholder is bad",
     B("51-[\"a\",{\"_placeholder\":true,\"num\":0},"
       "{\"_placeholder\":true,\"num\":1}]"), SIO_ERR_ATTACHMENTS},
    {"num is bad in an ack", B("61-1[{\"_placeholder\":true,\"num\":1}]"),
     SIO_ERR_ATTACHMENTS},
    {"num is bad, deep", B("51-[1,[{\"b\":{\"_placeholder\":true}}]]"),
     SIO_ERR_ATTACHMENTS},
    {"escaped key",
     B("51-[1,{\"\\u005fplaceholder\":true,\"num\":1}]"),
     SIO_ERR_ATTACHMENTS},
};
// clang-format on

static void check(const char *label, intmax_t got, intmax_t want)
{
    if (got != want) {
        fail_msg("%s: %jd, not %jd", label, got, want);
    }
}

/* Where ASan sees a byte read too many. */
static sio_bytes copy_of(sio_bytes in)
{
    uint8_t *copy = malloc(in.len);
    if (in.len != 0) {
        memcpy(copy, in.base, in.len);
    }
    return (sio_bytes){copy, in.len};
}

static void drop(sio_bytes copy)
{
    free((void *)(uintptr_t)copy.base);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        const char *label = good[i].label;
        sio_bytes in = copy_of(good[i].in);
        sio_packet got;
        check(label, sio_packet_decode(in, &limits, &got), SIO_OK);
        check(label, got.type, good[i].type);
        check(label, got.attachments, good[i].attachments);
        check(label, sio_bytes_eq(got.nsp, good[i].nsp), true);
        check(label, got.has_id, good[i].has_id);
        check(label, (intmax_t)got.id, (intmax_t)good[i].id);
        check(label, got.payload_type, good[i].payload_type);
        check(label, got.payload.len != 0, got.payload_type != SIO_JSON_NONE);
        check(label, sio_bytes_eq(got.name, good[i].name), true);
        check(label, got.name_is_number, good[i].name_is_number);
        check(label, sio_bytes_eq(got.args, good[i].args), true);
        check(label, got.arg_count, good[i].arg_count);
        drop(in);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        sio_bytes in = copy_of(bad[i].in);
        sio_packet got;
        check(bad[i].label, sio_packet_decode(in, &limits, &got), bad[i].err);
        drop(in);
    }
}

/* A packet that ends with a bracket is never whole without it, and no cut is
 * read past. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        sio_packet whole;
        sio_packet_decode(good[i].in, &limits, &whole);
        size_t head = good[i].in.len - whole.payload.len;
        for (size_t len = 0; len < good[i].in.len; len++) {
            sio_bytes in = copy_of((sio_bytes){good[i].in.base, len});
            sio_packet got;
            sio_error err = sio_packet_decode(in, &limits, &got);
            bool blank = good[i].in.base[good[i].in.len - 1] == ' ';
            if (len > head && !blank) {
                check(good[i].label, err, SIO_ERR_JSON);
            }
            drop(in);
        }
    }
}

/* One limit at a time: at it, and over it. */
static void test_limits(void **state)
{
    (void)state;
    sio_packet got;
    sio_packet_limits l = {.max_depth = 1};
    assert_int_equal(sio_packet_decode(SIO_LIT("2[1]"), &l, &got), SIO_OK);
    assert_int_equal(sio_packet_decode(SIO_LIT("2[1,[]]"), &l, &got),
                     SIO_ERR_JSON_DEPTH);
    assert_int_equal(sio_packet_decode(SIO_LIT("51-[1]"), &l, &got),
                     SIO_ERR_ATTACHMENTS);
    assert_int_equal(sio_packet_decode(SIO_LIT("2/,[1]"), &l, &got),
                     SIO_ERR_TOO_LARGE);
    l = (sio_packet_limits){1, UINT32_MAX, SIZE_MAX};
    assert_int_equal(
        sio_packet_decode(SIO_LIT("54294967295-/foo,[1]"), &l, &got), SIO_OK);
    assert_int_equal(got.attachments, UINT32_MAX);
    assert_int_equal(sio_packet_decode(SIO_LIT("54294967296-[1]"), &l, &got),
                     SIO_ERR_ATTACHMENTS);
}

static void test_reserved(void **state)
{
    (void)state;
    static const char *const names[] = {"connect",     "connect_error",
                                        "disconnect",  "disconnecting",
                                        "newListener", "removeListener"};
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t len = strlen(names[i]);
        sio_bytes name = {(const uint8_t *)names[i], len};
        check(names[i], sio_event_name_reserved(name), true);
        name.len--;
        check(names[i], sio_event_name_reserved(name), false);
    }
    assert_false(sio_event_name_reserved(SIO_LIT("")));
    assert_false(sio_event_name_reserved(SIO_LIT("error")));
    assert_false(sio_event_name_reserved(SIO_LIT("Connect")));
    assert_false(sio_event_name_reserved(SIO_LIT("message")));
}

/* What has been written. */
static sio_bytes written(sio_writer *w)
{
    return (sio_bytes){w->base, w->len};
}

static void expect(sio_writer *w, const char *want)
{
    sio_bytes text = {(const uint8_t *)want, strlen(want)};
    if (!sio_bytes_eq(written(w), text)) {
        fail_msg("%.*s, not %s", (int)w->len, w->base, want);
    }
    w->len = 0;
}

static void test_encode(void **state)
{
    (void)state;
    uint8_t room[100];
    sio_writer w = {room, sizeof(room), 0};
    sio_bytes none = {0}, foo = SIO_LIT("/foo"), root = SIO_LIT("/");
    sio_packet_head plain = {.nsp = root};
    sio_packet_head full = {
        .attachments = 2, .nsp = foo, .has_id = true, .id = 9007199254740991};

    sio_packet_write_event(&w, &plain, SIO_LIT("a"), none);
    expect(&w, "2[\"a\"]");
    sio_packet_write_event(&w, &plain, SIO_LIT("a"), SIO_LIT("1,{}"));
    expect(&w, "2[\"a\",1,{}]");
    sio_packet_write_event(&w, &full, SIO_LIT("\"\n"), SIO_LIT("1"));
    expect(&w, "52-/foo,9007199254740991[\"\\\"\\n\",1]");
    sio_packet_write_ack(&w, &plain, none);
    expect(&w, "3[]");
    sio_packet_write_ack(&w, &full, SIO_LIT("1,2"));
    expect(&w, "62-/foo,9007199254740991[1,2]");
    plain.has_id = true;
    sio_packet_write_ack(&w, &plain, SIO_LIT("null"));
    expect(&w, "30[null]");
    sio_packet_write_connect(&w, root, none);
    expect(&w, "0");
    sio_packet_write_connect(&w, none, SIO_LIT("{\"sid\":\"x\"}"));
    expect(&w, "0{\"sid\":\"x\"}");
    sio_packet_write_connect(&w, foo, none);
    expect(&w, "0/foo,");
    sio_packet_write_connect_error(&w, foo, SIO_LIT("{\"message\":\"no\"}"));
    expect(&w, "4/foo,{\"message\":\"no\"}");
    sio_packet_write_disconnect(&w, root);
    expect(&w, "1");
    sio_packet_write_disconnect(&w, foo);
    expect(&w, "1/foo,");
}

/* What is measured is what is written, and it decodes. */
static void test_measure(void **state)
{
    (void)state;
    static const char name[] = "new \"message\"\x01 \xc3\xa9 \\";
    sio_packet_head head = {.nsp = SIO_LIT("/foo"), .has_id = true, .id = 10};
    sio_bytes utf8 = {(const uint8_t *)name, sizeof(name) - 1};
    sio_writer measured = {0};
    sio_packet_write_event(&measured, &head, utf8, SIO_LIT("[],true"));
    sio_writer w = {malloc(measured.len), measured.len, 0};
    sio_packet_write_event(&w, &head, utf8, SIO_LIT("[],true"));
    assert_int_equal(w.len, measured.len);

    sio_packet got;
    assert_int_equal(sio_packet_decode(written(&w), &limits, &got), SIO_OK);
    assert_int_equal(got.type, SIO_PACKET_EVENT);
    assert_int_equal(got.id, 10);
    assert_int_equal(got.arg_count, 2);
    assert_true(sio_json_string_is(got.name, utf8));
    free(w.base);
}

/* CVE-2020-36049: time is linear in a hostile prefix. */
static void test_long(void **state)
{
    (void)state;
    size_t len = 1000000;
    uint8_t *text = malloc(len);
    sio_packet got;
    memset(text, '9', len);
    text[0] = '5';
    assert_int_equal(sio_packet_decode((sio_bytes){text, len}, &limits, &got),
                     SIO_ERR_ATTACHMENTS);
    text[0] = '2';
    assert_int_equal(sio_packet_decode((sio_bytes){text, len}, &limits, &got),
                     SIO_ERR_PACKET_ID);
    text[1] = '/';
    assert_int_equal(sio_packet_decode((sio_bytes){text, len}, &limits, &got),
                     SIO_ERR_TOO_LARGE);
    memset(text + 1, '[', len - 1);
    assert_int_equal(sio_packet_decode((sio_bytes){text, len}, &limits, &got),
                     SIO_ERR_JSON_DEPTH);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_reserved), cmocka_unit_test(test_encode),
        cmocka_unit_test(test_measure),  cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
