#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "engineio/protocol.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define OCTETS true
#define TEXT false
#define LENGTH SIO_ERR_PACKET_LENGTH
#define TYPE SIO_ERR_PACKET_TYPE
#define EMPTY SIO_ERR_PACKET_EMPTY

typedef struct told {
    char text[512]; /* `TYPE[data];`, or `TYPEb[data];` of binary ones */
    size_t len;
    sio_error err; /* MORE at the end */
} told;

static void tell(told *t, const eio_packet *packet)
{
    assert_true(packet->form == EIO_FORM_TEXT ||
                packet->form == EIO_FORM_BINARY);
    int len =
        snprintf(t->text + t->len, sizeof(t->text) - t->len, "%d%s[%.*s];",
                 (int)packet->type, packet->form == EIO_FORM_BINARY ? "b" : "",
                 (int)packet->data.len, (const char *)packet->data.base);
    t->len += (size_t)len;
    assert_true(t->len < sizeof(t->text));
}

/* Reads a copy that has nothing behind it. */
static told read_body(const eio_protocol *protocol, sio_bytes in, bool octets)
{
    told t = {.err = SIO_OK};
    uint8_t *copy = malloc(in.len == 0 ? 1 : in.len);
    assert_non_null(copy);
    if (in.len != 0) {
        memcpy(copy, in.base, in.len);
    }
    eio_body body = {.at = copy, .left = in.len, .octets = octets};
    while (t.err == SIO_OK) {
        eio_packet packet = {EIO_PACKET_NOOP, EIO_FORM_BASE64, {NULL, 0}};
        t.err = protocol->next(&body, &packet);
        if (t.err == SIO_OK) {
            tell(&t, &packet);
        } else {
            assert_int_equal(packet.form, EIO_FORM_BASE64);
        }
    }
    free(copy);
    return t;
}

// clang-format off
static const struct {
    sio_bytes body;
    bool octets;
    const char *told;
    sio_error err;
} bodies[] = {
    {B("1:2"), TEXT, "2[];", SIO_MORE},
    {B("6:2probe"), TEXT, "2[probe];", SIO_MORE},
    {B("3:4ab1:33:4cd"), TEXT, "4[ab];3[];4[cd];", SIO_MORE},
    {B("17:42[\"echo\",\"\u00e9\u20ac\U0001f600\"]1:6"), TEXT,
     "4[2[\"echo\",\"\u00e9\u20ac\U0001f600\"]];6[];", SIO_MORE},
    {B("3:4\U0001f6003:4\U0001f600"), TEXT, "4[\U0001f600];4[\U0001f600];", SIO_MORE},
    {B("10:b4YWJjZGU=1:3"), TEXT, "4b[abcde];3[];", SIO_MORE},
    {B("2:b4"), TEXT, "4b[];", SIO_MORE},
    {B("0003:4ab"), TEXT, "4[ab];", SIO_MORE},
    {B("0:"), TEXT, "", SIO_MORE},
    {B("0:0:1:30:"), TEXT, "3[];", SIO_MORE},
    {B("3:41:"), TEXT, "4[1:];", SIO_MORE},
    {B(""), TEXT, "", LENGTH},
    {B(":"), TEXT, "", LENGTH},
    {B(":4a"), TEXT, "", LENGTH},
    {B("1"), TEXT, "", LENGTH},
    {B("2:4"), TEXT, "", LENGTH},
    {B("1:4x"), TEXT, "4[];", LENGTH},
    {B("1:2:"), TEXT, "2[];", LENGTH},
    {B("-1:2"), TEXT, "", LENGTH},
    {B("+1:2"), TEXT, "", LENGTH},
    {B(" 1:2"), TEXT, "", LENGTH},
    {B("1 :2"), TEXT, "", LENGTH},
    {B("1.0:2"), TEXT, "", LENGTH},
    {B("1e0:2"), TEXT, "", LENGTH},
    {B(";:4aaaaaaaaaa"), TEXT, "", LENGTH}, /* 11, if it were a digit */
    {B("0x1:2"), TEXT, "", LENGTH},
    {B("\u0661:2"), TEXT, "", LENGTH},
    {B("4a\x1e" "4b"), TEXT, "", LENGTH},
    {B("18446744073709551617:2"), TEXT, "", LENGTH},
    {B("99999999999999999999999999:2"), TEXT, "", LENGTH},
    /* Half a character, and bytes for units. */
    {B("2:4\U0001f6001:3"), TEXT, "", LENGTH},
    {B("5:4\U0001f600"), TEXT, "", LENGTH},
    {B("3:4\u20ac"), TEXT, "", LENGTH},
    {B("1:7"), TEXT, "", TYPE},
    {B("1:22:xx1:3"), TEXT, "2[];", TYPE},
    {B("2:b7"), TEXT, "", TYPE},
    {B("2:b!"), TEXT, "", TYPE},
    {B("1:b"), TEXT, "", EMPTY},
    {B("3:b4!"), TEXT, "", SIO_ERR_BASE64},
    {B("\0\1\xff" "2"), OCTETS, "2[];", SIO_MORE},
    {B("\0\x04\xff" "4abc" "\1\4\xff\x04" "xyz\0\1\xff" "6"), OCTETS,
     "4[abc];4b[xyz];6[];", SIO_MORE},
    {B("\1\1\xff\4"), OCTETS, "4b[];", SIO_MORE},
    {B("\0\1\2\xff" "4aaaaaaaaaaa"), OCTETS, "4[aaaaaaaaaaa];", SIO_MORE},
    {B("\0\5\xff" "4\U0001f600"), OCTETS, "4[\U0001f600];", SIO_MORE},
    {B("\0\0\0\1\xff" "3"), OCTETS, "3[];", SIO_MORE},
    {B("\0\5\xff" "b4YWI"), OCTETS, "4b[ab];", SIO_MORE},
    {B("\1\1\xff\6"), OCTETS, "6b[];", SIO_MORE},
    {B(""), OCTETS, "", SIO_MORE},
    {B("\1"), OCTETS, "", LENGTH},
    {B("\0\xff"), OCTETS, "", LENGTH},
    {B("\0\1"), OCTETS, "", LENGTH},
    {B("\0\1\xff"), OCTETS, "", LENGTH},
    {B("\0" "1\xff" "2"), OCTETS, "", LENGTH},
    {B("\0\x0a\xff" "2"), OCTETS, "", LENGTH},
    {B("\0\x0a\xff" "4aaaaaaaaa"), OCTETS, "", LENGTH},
    {B("\0\1\xff" "2\0"), OCTETS, "2[];", LENGTH},
    {B("\0\1\xff" "2x"), OCTETS, "2[];", TYPE},
    {B("\2\1\xff" "2"), OCTETS, "", TYPE},
    {B("\1\1\xff\7"), OCTETS, "", TYPE},
    {B("\1\1\xff" "4"), OCTETS, "", TYPE},
    {B("\1\0\xff"), OCTETS, "", EMPTY},
    {B("\0\0\xff"), OCTETS, "", EMPTY},
    {B("\0\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09xff" "2"), OCTETS, "", LENGTH},
};
// clang-format on

static void test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        told t = read_body(&eio_protocol_3, bodies[i].body, bodies[i].octets);
        if (strcmp(t.text, bodies[i].told) != 0 || t.err != bodies[i].err) {
            fail_msg("body %zu: %s %d", i, t.text, (int)t.err);
        }
    }
}

/* Whatever a prefix holds is what the whole begins with; it ends orderly only
 * behind a packet, and what is left is read then as the rest is. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        sio_bytes in = bodies[i].body;
        bool octets = bodies[i].octets;
        told whole = read_body(&eio_protocol_3, in, octets);
        for (size_t len = 0; len < in.len; len++) {
            if (!octets && !sio_utf8_valid((sio_bytes){in.base, len})) {
                continue; /* the carrier sees to that */
            }
            told t =
                read_body(&eio_protocol_3, (sio_bytes){in.base, len}, octets);
            told rest =
                read_body(&eio_protocol_3,
                          (sio_bytes){in.base + len, in.len - len}, octets);
            assert_memory_equal(whole.text, t.text, t.len);
            if (t.err == SIO_MORE) {
                assert_string_equal(whole.text + t.len, rest.text);
                assert_int_equal(whole.err, rest.err);
            }
        }
    }
}

/* ------------------------------------------------------------- encoding -- */

typedef struct piece {
    sio_bytes bytes;
    bool binary;
} piece;

static void push(sio_frameq *queue, sio_chunk_pool *chunks, piece p)
{
    sio_frame *frame = sio_frame_new(NULL, p.bytes.len);
    assert_non_null(frame);
    if (p.bytes.len != 0) {
        memcpy(frame->data, p.bytes.base, p.bytes.len);
    }
    assert_int_equal(
        sio_frameq_push(queue, chunks, frame,
                        (p.binary ? EIO_FORM_BINARY : EIO_FORM_TEXT) |
                            EIO_FORM_PLAIN),
        SIO_OK);
    sio_frame_unref(frame);
}

/* The payload in memory as long as it is, to be freed. */
static uint8_t *encode(const eio_protocol *protocol, const sio_frameq *queue,
                       bool octets, size_t *len)
{
    *len = protocol->payload_len(queue, octets);
    uint8_t *out = malloc(*len);
    assert_non_null(out);
    protocol->payload_write(out, queue, octets);
    return out;
}

// clang-format off
static const struct {
    const eio_protocol *protocol;
    bool octets;
    piece pieces[3];
    sio_bytes want;
} queues[] = {
    {&eio_protocol_3, TEXT, {{B("40"), false}}, B("2:40")},
    {&eio_protocol_3, TEXT, {{B("42[\"\u00e9\u20ac\U0001f600\"]"), false}, {B("6"), false}},
     B("10:42[\"\u00e9\u20ac\U0001f600\"]1:6")},
    {&eio_protocol_3, TEXT, {{B("4a"), false}, {B("\1\2\3"), true}, {B("3"), false}},
     B("2:4a6:b4AQID1:3")},
    {&eio_protocol_3, OCTETS, {{B("4a"), false}, {B("\1\2\3"), true}, {B("3"), false}},
     B("\0\2\xff" "4a\1\4\xff\4\1\2\3\0\1\xff" "3")},
    {&eio_protocol_3, OCTETS, {{B(""), true}, {B("4\U0001f600"), false}, {B("aaaaaaaaa"), true}},
     B("\1\1\xff\4\0\5\xff" "4\U0001f600\1\1\0\xff\4aaaaaaaaa")},
    {&eio_protocol_3, TEXT, {{B(""), true}, {B("4"), false}, {B("4"), false}}, B("2:b41:41:4")},
    {&eio_protocol_4, TEXT, {{B("4a"), false}, {B("\1\2\3"), true}, {B("3"), false}},
     B("4a\x1e" "bAQID\x1e" "3")},
};
// clang-format on

static void test_queues(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(queues); i++) {
        sio_frameq queue = {0};
        sio_chunk_pool chunks = {0};
        size_t len;
        for (size_t j = 0; j < 3 && queues[i].pieces[j].bytes.base; j++) {
            push(&queue, &chunks, queues[i].pieces[j]);
        }
        uint8_t *out =
            encode(queues[i].protocol, &queue, queues[i].octets, &len);
        print_message("queue %zu\n", i);
        assert_int_equal(len, queues[i].want.len);
        assert_memory_equal(out, queues[i].want.base, len);
        free(out);
        sio_frameq_clear(&queue, &chunks);
        sio_chunk_pool_deinit(&chunks);
    }
}

/* Lengths around every change of the count of digits, there and back. */
static void test_round_trips(void **state)
{
    static const size_t lens[] = {0,  1,  7,   8,   9,    10,   97,
                                  98, 99, 100, 998, 9998, 9999, 123456};
    (void)state;
    for (size_t i = 0; i < COUNT(lens) * 4; i++) {
        bool octets = i % 2 == 1, binary = i / 2 % 2 == 1;
        sio_frameq queue = {0};
        sio_chunk_pool chunks = {0};
        size_t n = lens[i / 4], len;
        uint8_t *text = malloc(n + 1);
        assert_non_null(text);
        text[0] = '4';
        memset(text + 1, 'x', n);
        sio_bytes data = {text + 1, n};
        push(&queue, &chunks,
             (piece){binary ? data : (sio_bytes){text, n + 1}, binary});
        push(&queue, &chunks, (piece){B("2"), false});
        uint8_t *out = encode(&eio_protocol_3, &queue, octets, &len);
        eio_body body = {.at = out, .left = len, .octets = octets};
        eio_packet packet;
        assert_int_equal(eio_protocol_3.next(&body, &packet), SIO_OK);
        assert_int_equal(packet.type, EIO_PACKET_MESSAGE);
        assert_int_equal(packet.form, binary ? EIO_FORM_BINARY : EIO_FORM_TEXT);
        assert_true(sio_bytes_eq(packet.data, data));
        assert_int_equal(eio_protocol_3.next(&body, &packet), SIO_OK);
        assert_int_equal(packet.type, EIO_PACKET_PING);
        assert_int_equal(eio_protocol_3.next(&body, &packet), SIO_MORE);
        free(out);
        free(text);
        sio_frameq_clear(&queue, &chunks);
        sio_chunk_pool_deinit(&chunks);
    }
}

/* Revision 4 reads bodies as its own tests of packets say. */
static void test_revision_4(void **state)
{
    (void)state;
    told t = read_body(&eio_protocol_4,
                       SIO_LIT("4a\x1e"
                               "bYWI=\x1e"
                               "3"),
                       TEXT);
    assert_string_equal(t.text, "4[a];4b[ab];3[];");
    assert_int_equal(t.err, SIO_MORE);
    t = read_body(&eio_protocol_4, SIO_LIT("4a\x1e"), TEXT);
    assert_string_equal(t.text, "4[a];");
    assert_int_equal(t.err, EMPTY);
    t = read_body(&eio_protocol_4, SIO_LIT(""), TEXT);
    assert_int_equal(t.err, EMPTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),     cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_queues),     cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_revision_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
