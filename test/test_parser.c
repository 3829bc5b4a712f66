#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/parser_impl.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const sio_packet_limits limits = {
    .max_depth = 16, .max_attachments = 2, .max_nsp = 16};

static const sio_parser *const parsers[] = {&sio_parser_json,
                                            &sio_parser_msgpack};

static void require_text(sio_bytes got, const char *want)
{
    sio_bytes text = {(const uint8_t *)want, strlen(want)};
    assert_true(sio_bytes_eq(got, text));
}

/* The message that a frame holds. */
static sio_bytes message_of(const sio_parser *parser, sio_frame *frame)
{
    sio_bytes whole = sio_frame_view(frame);
    return parser->binary ? whole
                          : (sio_bytes){eio_message_text(frame), whole.len - 1};
}

/* Whatever the parser, the same comes out that went in. */
static void test_events(void **state)
{
    (void)state;
    static const char json[] =
        "1,{\"_placeholder\":true,\"num\":0},\"\\u0001\"";
    static const sio_binary binary = {"\1\2", 2};
    const sio_args args = {json, sizeof(json) - 1, &binary, 1};
    const sio_packet_head head = {
        .nsp = SIO_LIT("/foo"), .has_id = true, .id = 7};
    const sio_bytes name = SIO_LIT("a\"b");
    for (size_t i = 0; i < COUNT(parsers); i++) {
        const sio_parser *parser = parsers[i];
        sio_parser_room room;
        sio_packet packet;
        sio_frame *frame;
        assert_int_equal(sio_parser_room_init(&room, &limits), SIO_OK);
        for (int ack = 0; ack < 2; ack++) {
            assert_int_equal(sio_parser_frame(parser, NULL, &head,
                                              ack != 0 ? NULL : &name, &args,
                                              &frame),
                             SIO_OK);
            sio_bytes message = message_of(parser, frame);
            assert_int_equal(
                parser->decode(parser, message, &limits, &room, &packet),
                SIO_OK);
            assert_int_equal(packet.type, ack != 0 ? SIO_PACKET_BINARY_ACK
                                                   : SIO_PACKET_BINARY_EVENT);
            require_text(packet.nsp, "/foo");
            require_text(packet.args, json);
            require_text(packet.name, ack != 0 ? "" : "\"a\\\"b\"");
            assert_int_equal(packet.attachments, 1);
            assert_true(packet.has_id && packet.id == 7);
            if (parser->whole) {
                assert_int_equal(room.binaries[0].len, 2);
                assert_memory_equal(room.binaries[0].data, "\1\2", 2);
            }
            sio_frame_unref(frame);
        }
        sio_parser_room_deinit(&room);
    }
}

static void test_singles(void **state)
{
    (void)state;
    static const struct {
        sio_packet_type type;
        const char *payload;
    } rows[] = {
        {SIO_PACKET_CONNECT, ""},
        {SIO_PACKET_CONNECT, "{\"sid\":\"x\"}"},
        {SIO_PACKET_CONNECT_ERROR, "{\"message\":\"no\"}"},
        {SIO_PACKET_DISCONNECT, ""},
    };
    for (size_t i = 0; i < COUNT(parsers); i++) {
        const sio_parser *parser = parsers[i];
        sio_parser_room room;
        assert_int_equal(sio_parser_room_init(&room, &limits), SIO_OK);
        for (size_t k = 0; k < COUNT(rows); k++) {
            sio_packet packet;
            sio_frame *frame;
            sio_bytes payload = {(const uint8_t *)rows[k].payload,
                                 strlen(rows[k].payload)};
            assert_int_equal(sio_parser_frame_single(parser, NULL, rows[k].type,
                                                     SIO_LIT("/"), payload,
                                                     &frame),
                             SIO_OK);
            assert_int_equal(parser->decode(parser, message_of(parser, frame),
                                            &limits, &room, &packet),
                             SIO_OK);
            assert_int_equal(packet.type, rows[k].type);
            require_text(packet.payload, rows[k].payload);
            require_text(packet.nsp, "/");
            sio_frame_unref(frame);
        }
        sio_parser_room_deinit(&room);
    }
}

static void test_json_is_the_default(void **state)
{
    (void)state;
    const sio_args none = {0};
    const sio_packet_head head = {.nsp = SIO_LIT("/")};
    const sio_bytes name = SIO_LIT("a");
    sio_frame *frame;
    assert_int_equal(
        sio_parser_frame(&sio_parser_json, NULL, &head, &name, &none, &frame),
        SIO_OK);
    require_text(message_of(&sio_parser_json, frame), "2[\"a\"]");
    assert_int_equal(sio_parser_form(&sio_parser_json), EIO_FORM_TEXT);
    assert_int_equal(sio_parser_form(&sio_parser_msgpack), EIO_FORM_BINARY);
    sio_frame_unref(frame);
}

/* An estimate that is too small costs a second try, not the packet. */
static void test_estimate(void **state)
{
    (void)state;
    enum { COUNT_OF = 500 };
    char json[4 * COUNT_OF];
    for (size_t i = 0; i < COUNT_OF; i++) {
        memcpy(json + 4 * i, "0.5,", 4);
    }
    const sio_args args = {json, sizeof(json) - 1, NULL, 0};
    const sio_packet_head head = {.nsp = SIO_LIT("/")};
    const sio_bytes name = SIO_LIT("a");
    sio_parser_room room;
    sio_packet packet;
    sio_frame *frame;
    assert_int_equal(sio_parser_frame(&sio_parser_msgpack, NULL, &head, &name,
                                      &args, &frame),
                     SIO_OK);
    assert_int_equal(frame->len, 9 * COUNT_OF + 23);
    assert_int_equal(sio_parser_room_init(&room, &limits), SIO_OK);
    assert_int_equal(sio_parser_msgpack.decode(&sio_parser_msgpack,
                                               sio_frame_view(frame), &limits,
                                               &room, &packet),
                     SIO_OK);
    assert_true(sio_bytes_eq(packet.args,
                             (sio_bytes){(uint8_t *)json, sizeof(json) - 1}));
    sio_frame_unref(frame);
    sio_parser_room_deinit(&room);
}

/* A text longer than its message, and memory that is not kept. */
static void test_room(void **state)
{
    (void)state;
    static const char head[] = "\x83\xa4type\x03\xa3nsp\xa1/\xa4"
                               "data\xdd\x00\x01\x00\x00";
    const size_t len = sizeof(head) - 1 + 65536;
    uint8_t *message = malloc(len);
    sio_parser_room room;
    sio_packet packet;
    memcpy(message, head, sizeof(head) - 1);
    memset(message + sizeof(head) - 1, 0xc2, 65536);
    assert_int_equal(sio_parser_room_init(&room, &limits), SIO_OK);
    assert_int_equal(sio_parser_msgpack.decode(&sio_parser_msgpack,
                                               (sio_bytes){message, len},
                                               &limits, &room, &packet),
                     SIO_OK);
    assert_int_equal(packet.payload.len, 6 * 65536 + 1);
    assert_memory_equal(packet.args.base, "false,false,", 12);
    sio_parser_room_tidy(&room);
    assert_null(room.text.base);

    message[sizeof(head) - 3] = 0;
    message[sizeof(head) - 4] = 0; /* no elements */
    assert_int_equal(
        sio_parser_msgpack.decode(&sio_parser_msgpack,
                                  (sio_bytes){message, sizeof(head) - 1},
                                  &limits, &room, &packet),
        SIO_OK);
    sio_parser_room_tidy(&room);
    assert_non_null(room.text.base);
    assert_true(room.text.cap < 1024);
    sio_parser_room_deinit(&room);
    free(message);
}

static void test_errors(void **state)
{
    (void)state;
    const sio_args args = {"[", 1, NULL, 0};
    const sio_packet_head head = {.nsp = SIO_LIT("/")};
    sio_parser_room room;
    sio_packet packet;
    sio_frame *frame = NULL;
    assert_int_equal(
        sio_parser_frame(&sio_parser_msgpack, NULL, &head, NULL, &args, &frame),
        SIO_ERR_JSON);
    assert_null(frame);
    assert_int_equal(sio_parser_room_init(&room, &limits), SIO_OK);
    assert_int_equal(sio_parser_msgpack.decode(&sio_parser_msgpack,
                                               SIO_LIT("2[\"a\"]"), &limits,
                                               &room, &packet),
                     SIO_ERR_PACKET_TYPE);
    assert_int_equal(sio_parser_json.decode(&sio_parser_json, SIO_LIT("\x80"),
                                            &limits, NULL, &packet),
                     SIO_ERR_PACKET_TYPE);
    sio_parser_room_deinit(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_singles),
        cmocka_unit_test(test_json_is_the_default),
        cmocka_unit_test(test_estimate),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
