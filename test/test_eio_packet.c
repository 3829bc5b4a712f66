#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engineio/packet.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

/* A copy as long as the bytes are, where one read too many is seen. */
static uint8_t *copy_of(sio_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    assert_non_null(copy);
    if (bytes.len != 0) {
        memcpy(copy, bytes.base, bytes.len);
    }
    return copy;
}

// clang-format off
static const struct {
    const char *label;
    sio_bytes in;
    eio_packet_type type;
    eio_form form;
    sio_bytes data;
} packets[] = {
    {"open",             B("0{\"sid\":1}"), EIO_PACKET_OPEN, EIO_FORM_TEXT, B("{\"sid\":1}")},
    {"close",            B("1"),       EIO_PACKET_CLOSE, EIO_FORM_TEXT, B("")},
    {"ping",             B("2"),       EIO_PACKET_PING, EIO_FORM_TEXT, B("")},
    {"probe",            B("2probe"),  EIO_PACKET_PING, EIO_FORM_TEXT, B("probe")},
    {"pong",             B("3"),       EIO_PACKET_PONG, EIO_FORM_TEXT, B("")},
    {"message",          B("4hi"),     EIO_PACKET_MESSAGE, EIO_FORM_TEXT, B("hi")},
    {"empty message",    B("4"),       EIO_PACKET_MESSAGE, EIO_FORM_TEXT, B("")},
    {"NUL in a message", B("4a\0b"),   EIO_PACKET_MESSAGE, EIO_FORM_TEXT, B("a\0b")},
    {"RS in a message",  B("4a\x1e" "4"), EIO_PACKET_MESSAGE, EIO_FORM_TEXT, B("a\x1e" "4")},
    {"UTF-8 unchecked",  B("4\xff"),   EIO_PACKET_MESSAGE, EIO_FORM_TEXT, B("\xff")},
    {"digit in data",    B("44"),      EIO_PACKET_MESSAGE, EIO_FORM_TEXT, B("4")},
    {"upgrade",          B("5"),       EIO_PACKET_UPGRADE, EIO_FORM_TEXT, B("")},
    {"noop",             B("6"),       EIO_PACKET_NOOP, EIO_FORM_TEXT, B("")},
    {"base64",           B("bAQID"),   EIO_PACKET_MESSAGE, EIO_FORM_BASE64, B("AQID")},
    {"empty base64",     B("b"),       EIO_PACKET_MESSAGE, EIO_FORM_BASE64, B("")},
    {"base64 unchecked", B("b!"),      EIO_PACKET_MESSAGE, EIO_FORM_BASE64, B("!")},
};
// clang-format on

/* Every prefix that holds the type is a packet of that type. */
static void test_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packets); i++) {
        for (size_t len = 1; len <= packets[i].in.len; len++) {
            uint8_t *copy = copy_of((sio_bytes){packets[i].in.base, len});
            eio_packet got;
            sio_error err =
                eio_packet_decode_text((sio_bytes){copy, len}, &got);
            bool same =
                err == SIO_OK && got.type == packets[i].type &&
                got.form == packets[i].form && got.data.base == copy + 1 &&
                sio_bytes_eq(got.data,
                             (sio_bytes){packets[i].data.base, len - 1});
            free(copy);
            if (!same) {
                fail_msg("%s, %zu bytes", packets[i].label, len);
            }
        }
    }
}

/* Of all first bytes eight are known; what follows changes nothing. */
static void test_types(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (size_t len = 1; len <= 2; len++) {
            uint8_t *in = copy_of((sio_bytes){(uint8_t[]){0, '4'}, len});
            in[0] = (uint8_t)first;
            eio_packet got = {EIO_PACKET_NOOP, EIO_FORM_BINARY, {NULL, 7}};
            sio_error err = eio_packet_decode_text((sio_bytes){in, len}, &got);
            bool known = (first >= '0' && first <= '6') || first == 'b';
            bool untouched = got.type == EIO_PACKET_NOOP &&
                             got.form == EIO_FORM_BINARY && got.data.len == 7;
            free(in);
            if (err != (known ? SIO_OK : SIO_ERR_PACKET_TYPE) ||
                untouched == known) {
                fail_msg("type %u, %zu bytes: %d", first, len, err);
            }
        }
    }
}

static void test_empty(void **state)
{
    (void)state;
    eio_packet got = {EIO_PACKET_NOOP, EIO_FORM_BINARY, {NULL, 7}};
    uint8_t *none = malloc(1);
    assert_int_equal(eio_packet_decode_text((sio_bytes){NULL, 0}, &got),
                     SIO_ERR_PACKET_EMPTY);
    assert_int_equal(eio_packet_decode_text((sio_bytes){none + 1, 0}, &got),
                     SIO_ERR_PACKET_EMPTY);
    assert_int_equal(got.data.len, 7);
    free(none);
}

// clang-format off
static const struct {
    const char *label;
    sio_bytes body;
    size_t count;
    sio_bytes packets[5];
} payloads[] = {
    {"nothing",         B(""),               1, {B("")}},
    {"one",             B("4hi"),            1, {B("4hi")}},
    {"two",             B("4a\x1e" "4b"),    2, {B("4a"), B("4b")}},
    {"three kinds",     B("3\x1e" "bAQ==\x1e" "2probe"), 3, {B("3"), B("bAQ=="), B("2probe")}},
    {"only separator",  B("\x1e"),           2, {B(""), B("")}},
    {"trailing",        B("4a\x1e"),         2, {B("4a"), B("")}},
    {"leading",         B("\x1e" "4a"),      2, {B(""), B("4a")}},
    {"doubled",         B("4a\x1e\x1e" "4b"), 3, {B("4a"), B(""), B("4b")}},
    {"four separators", B("\x1e\x1e\x1e\x1e"), 5, {B(""), B(""), B(""), B(""), B("")}},
    {"not a packet",    B("zz\x1e" "4"),     2, {B("zz"), B("4")}},
    {"NUL and high",    B("4\0\xff\x1e" "4"), 2, {B("4\0\xff"), B("4")}},
};
// clang-format on

static void test_payloads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(payloads); i++) {
        uint8_t *copy = copy_of(payloads[i].body);
        eio_payload it = {.rest = {copy, payloads[i].body.len}};
        sio_bytes got;
        size_t count = 0;
        while (eio_payload_next(&it, &got)) {
            if (count >= payloads[i].count ||
                !sio_bytes_eq(got, payloads[i].packets[count])) {
                fail_msg("%s, packet %zu", payloads[i].label, count);
            }
            count++;
        }
        assert_false(eio_payload_next(&it, &got));
        free(copy);
        if (count != payloads[i].count) {
            fail_msg("%s: %zu packets", payloads[i].label, count);
        }
    }
    eio_payload none = {.rest = {NULL, 0}};
    sio_bytes got;
    assert_true(eio_payload_next(&none, &got));
    assert_int_equal(got.len, 0);
    assert_false(eio_payload_next(&none, &got));
}

/* A body cut short is another body: all packets but the last are unchanged, and
 * that one is as far as the body goes. */
static void test_payload_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(payloads); i++) {
        for (size_t len = 0; len <= payloads[i].body.len; len++) {
            uint8_t *copy = copy_of((sio_bytes){payloads[i].body.base, len});
            eio_payload it = {.rest = {copy, len}};
            sio_bytes got;
            size_t covered = 0, count = 0;
            bool same = true;
            while (eio_payload_next(&it, &got)) {
                const sio_bytes *whole = &payloads[i].packets[count];
                same =
                    same && got.base == copy + covered + count &&
                    (it.done ? got.len <= whole->len : got.len == whole->len) &&
                    memchr(copy + covered + count, 0x1e, got.len) == NULL;
                covered += got.len;
                count++;
            }
            free(copy);
            if (!same || covered + count - 1 != len) {
                fail_msg("%s, %zu bytes", payloads[i].label, len);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_payload_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
