#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/parser_impl.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ATTACHMENTS 3

static const sio_packet_limits limits = {
    .max_depth = 4, .max_attachments = ATTACHMENTS, .max_nsp = 16};

/*
 * Messages of this parser: a packet's fields each with their length, in bytes
 * of their own, all of them short.  What a test wants it to do besides is in
 * `quirk`.
 */
typedef enum quirk {
    NONE,
    FAILS,   /* in both functions */
    SILENT,  /* gives no packet */
    TWICE,   /* gives two */
    DEAF,    /* does not hand on that its packet was refused */
    NO_ID,   /* has lost it */
    MANY,    /* attachments that are not there */
    UNKNOWN, /* type */
} quirk;

static void put(sio_message_out *out, const void *data, size_t len)
{
    uint8_t head = (uint8_t)len;
    sio_message_write(out, &head, 1);
    sio_message_write(out, data, len);
}

static sio_error encode(const sio_packet_view *packet, sio_message_out *out,
                        void *arg)
{
    uint8_t head[] = {(uint8_t)packet->type, packet->has_id,
                      (uint8_t)packet->id, (uint8_t)packet->binary_count};
    sio_message_write(out, head, sizeof(head));
    put(out, packet->nsp, packet->nsp_len);
    put(out, packet->data, packet->data_len);
    for (size_t i = 0; i < packet->binary_count; i++) {
        put(out, packet->binaries[i].data, packet->binaries[i].len);
    }
    return *(quirk *)arg == FAILS ? SIO_ERR_JSON : SIO_OK;
}

typedef struct cursor {
    const uint8_t *at;
    size_t left;
} cursor;

static bool take(cursor *c, const char **data, size_t *len)
{
    if (c->left == 0 || *c->at >= c->left) {
        return false;
    }
    *len = *c->at;
    *data = (const char *)c->at + 1;
    c->at += 1 + *len;
    c->left -= 1 + *len;
    return true;
}

static sio_error decode(const void *message, size_t len, sio_packet_out *out,
                        void *arg)
{
    quirk q = *(quirk *)arg;
    const uint8_t *head = message;
    sio_binary binaries[ATTACHMENTS + 1] = {{NULL, 0}};
    if (q == FAILS || len < 4) {
        return SIO_ERR_PAYLOAD;
    }
    cursor c = {head + 4, len - 4};
    sio_packet_view p = {.type = (sio_packet_type)head[0],
                         .has_id = head[1] != 0 && q != NO_ID,
                         .id = head[2],
                         .binaries = binaries,
                         .binary_count = head[3]};
    bool whole = take(&c, &p.nsp, &p.nsp_len) && take(&c, &p.data, &p.data_len);
    for (size_t i = 0; whole && i < p.binary_count; i++) {
        const char *data = NULL;
        whole = i < COUNT(binaries) && take(&c, &data, &binaries[i].len);
        binaries[i].data = data;
    }
    if (!whole || c.left != 0) {
        return SIO_ERR_PAYLOAD;
    }
    if (q == MANY) {
        p.binary_count = ATTACHMENTS + 1;
    } else if (q == UNKNOWN) {
        p.type = (sio_packet_type)7;
    } else if (q == SILENT) {
        return SIO_OK;
    }
    sio_error err = sio_packet_give(out, &p);
    if (q == TWICE) {
        assert_int_equal(sio_packet_give(out, &p), SIO_ERR_PAYLOAD);
    }
    return q == DEAF ? SIO_OK : err;
}

static quirk now;
static sio_parser_custom custom;
static const sio_parser *parser;
static sio_parser_room room;

static int setup(void **state)
{
    static const sio_parser_methods methods = {true, encode, decode};
    (void)state;
    now = NONE;
    sio_parser_custom_init(&custom, &methods, &now, ATTACHMENTS);
    parser = &custom.parser;
    return sio_parser_room_init(&room, &limits) == SIO_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sio_parser_room_deinit(&room);
    return 0;
}

static sio_error read_back(sio_bytes message, sio_packet *packet)
{
    return parser->decode(parser, message, &limits, &room, packet);
}

static void require_text(sio_bytes got, const char *want)
{
    sio_bytes text = {(const uint8_t *)want, strlen(want)};
    assert_true(sio_bytes_eq(got, text));
}

#define HOLE(n) "{\"_placeholder\":true,\"num\":" #n "}"

static const sio_binary two[] = {{"\1\2", 2}, {NULL, 0}};

static sio_frame *frame_of(const char *nsp, const char *name, const char *json,
                           size_t binaries)
{
    sio_packet_head head = {
        .nsp = {(const uint8_t *)nsp, strlen(nsp)}, .has_id = true, .id = 7};
    sio_bytes text = {(const uint8_t *)name, name == NULL ? 0 : strlen(name)};
    sio_args args = {json, strlen(json), two, binaries};
    sio_frame *frame = NULL;
    assert_int_equal(sio_parser_frame(parser, NULL, &head,
                                      name == NULL ? NULL : &text, &args,
                                      &frame),
                     SIO_OK);
    return frame;
}

static void test_events_and_acks(void **state)
{
    static const struct {
        const char *nsp, *name, *json, *want_name;
        size_t binaries;
        sio_packet_type type;
    } rows[] = {
        {"/", "e", "1,\"x\"", "\"e\"", 0, SIO_PACKET_EVENT},
        {"", "a\"b", "", "\"a\\\"b\"", 0, SIO_PACKET_EVENT},
        {"/foo", "e", HOLE(0) "," HOLE(1), "\"e\"", 2, SIO_PACKET_BINARY_EVENT},
        {"/foo", NULL, "null", "", 0, SIO_PACKET_ACK},
        {"/", NULL, HOLE(0), "", 1, SIO_PACKET_BINARY_ACK},
        {"/", NULL, "", "", 0, SIO_PACKET_ACK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_packet packet;
        sio_frame *frame =
            frame_of(rows[i].nsp, rows[i].name, rows[i].json, rows[i].binaries);
        assert_int_equal(read_back(sio_frame_view(frame), &packet), SIO_OK);
        assert_int_equal(packet.type, rows[i].type);
        require_text(packet.nsp, *rows[i].nsp == '\0' ? "/" : rows[i].nsp);
        require_text(packet.name, rows[i].want_name);
        require_text(packet.args, rows[i].json);
        assert_true(packet.has_id && packet.id == 7);
        assert_int_equal(packet.attachments, rows[i].binaries);
        sio_frame_unref(frame); /* what was read does not need it */
        for (size_t k = 0; k < rows[i].binaries; k++) {
            assert_int_equal(room.binaries[k].len, two[k].len);
            assert_memory_equal(room.binaries[k].data, k == 0 ? "\1\2" : "",
                                two[k].len);
        }
    }
}

static void test_singles(void **state)
{
    static const struct {
        sio_packet_type type;
        const char *nsp, *payload;
    } rows[] = {
        {SIO_PACKET_CONNECT, "/", "{\"sid\":\"s\"}"},
        {SIO_PACKET_CONNECT, "/foo", ""},
        {SIO_PACKET_CONNECT_ERROR, "/foo", "{\"message\":\"m\"}"},
        {SIO_PACKET_CONNECT_ERROR, "/foo", "\"m\""},
        {SIO_PACKET_DISCONNECT, "/", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_bytes nsp = {(const uint8_t *)rows[i].nsp, strlen(rows[i].nsp)};
        sio_bytes payload = {(const uint8_t *)rows[i].payload,
                             strlen(rows[i].payload)};
        sio_packet packet;
        sio_frame *frame = NULL;
        assert_int_equal(sio_parser_frame_single(parser, NULL, rows[i].type,
                                                 nsp, payload, &frame),
                         SIO_OK);
        assert_int_equal(read_back(sio_frame_view(frame), &packet), SIO_OK);
        assert_int_equal(packet.type, rows[i].type);
        require_text(packet.nsp, rows[i].nsp);
        require_text(packet.payload, rows[i].payload);
        sio_frame_unref(frame);
    }
}

/* Every prefix of a message costs no more than an error. */
static void test_prefixes(void **state)
{
    (void)state;
    sio_frame *frame = frame_of("/foo", "e", "1," HOLE(0), 1);
    for (size_t len = 0; len < frame->len; len++) {
        uint8_t *copy = malloc(len + 1);
        sio_packet packet;
        assert_non_null(copy);
        memcpy(copy, frame->data, len);
        assert_int_equal(read_back((sio_bytes){copy, len}, &packet),
                         SIO_ERR_PAYLOAD);
        free(copy);
    }
    sio_frame_unref(frame);
}

static void test_quirks(void **state)
{
    static const struct {
        quirk quirk;
        sio_error err;
    } rows[] = {{FAILS, SIO_ERR_PAYLOAD},  {SILENT, SIO_ERR_PAYLOAD},
                {TWICE, SIO_ERR_PAYLOAD},  {DEAF, SIO_OK},
                {NO_ID, SIO_OK},           {MANY, SIO_ERR_ATTACHMENTS},
                {UNKNOWN, SIO_ERR_PAYLOAD}};
    (void)state;
    sio_frame *frame = frame_of("/", "e", HOLE(0), 1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_packet packet;
        now = rows[i].quirk;
        assert_int_equal(read_back(sio_frame_view(frame), &packet),
                         rows[i].err);
    }
    sio_frame_unref(frame);
}

/* What is no packet is refused, also where the parser does not mind. */
static void test_refused(void **state)
{
    static const struct {
        const char *nsp, *data;
        sio_packet_type type;
        uint8_t binaries;
        sio_error err;
    } rows[] = {
        {"/", "[\"connect\"]", SIO_PACKET_EVENT, 0, SIO_ERR_PAYLOAD},
        {"/", "[\"e\"", SIO_PACKET_EVENT, 0, SIO_ERR_JSON},
        {"/", "[\"e\",[[[[1]]]]]", SIO_PACKET_EVENT, 0, SIO_ERR_JSON_DEPTH},
        {"/", "[\"\x80\"]", SIO_PACKET_EVENT, 0, SIO_ERR_UTF8},
        {"/", "7[\"e\"]", SIO_PACKET_EVENT, 0, SIO_ERR_PAYLOAD},
        {"/", "/x,[\"e\"]", SIO_PACKET_EVENT, 0, SIO_ERR_PAYLOAD},
        {"", "[\"e\"]", SIO_PACKET_EVENT, 0, SIO_ERR_PAYLOAD},
        {"x", "[\"e\"]", SIO_PACKET_EVENT, 0, SIO_ERR_PAYLOAD},
        {"/x,7", "[\"e\"]", SIO_PACKET_EVENT, 0, SIO_ERR_PAYLOAD},
        {"/0123456789abcdef", "[\"e\"]", SIO_PACKET_EVENT, 0,
         SIO_ERR_TOO_LARGE},
        {"/", "[\"e\"," HOLE(1) "]", SIO_PACKET_EVENT, 1, SIO_ERR_ATTACHMENTS},
        {"/", "{}", SIO_PACKET_CONNECT, 1, SIO_ERR_PAYLOAD},
        {"/", "[\"e\"]", SIO_PACKET_BINARY_EVENT, 0, SIO_ERR_PAYLOAD},
        {"/", "[]", SIO_PACKET_CONNECT, 0, SIO_ERR_PAYLOAD},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t message[128] = {(uint8_t)rows[i].type, 1, 7, rows[i].binaries};
        sio_packet packet;
        size_t nsp = strlen(rows[i].nsp), data = strlen(rows[i].data), at = 4;
        message[at++] = (uint8_t)nsp;
        memcpy(message + at, rows[i].nsp, nsp);
        at += nsp;
        message[at++] = (uint8_t)data;
        memcpy(message + at, rows[i].data, data);
        at += data + rows[i].binaries; /* empty ones */
        for (int deaf = 0; deaf < 2; deaf++) {
            now = deaf != 0 ? DEAF : NONE;
            assert_int_equal(read_back((sio_bytes){message, at}, &packet),
                             rows[i].err);
        }
    }
}

/* An event that has been written, with one more argument. */
static void test_longer(void **state)
{
    static const struct {
        const char *json, *want;
        size_t binaries;
    } rows[] = {{"", "\"more\"", 0},
                {"1,[2]", "1,[2],\"more\"", 0},
                {HOLE(0) "," HOLE(1), HOLE(0) "," HOLE(1) ",\"more\"", 2}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_packet packet;
        sio_frame *frame =
            frame_of("/foo", "a\"b", rows[i].json, rows[i].binaries);
        sio_frame *longer = sio_parser_frame_longer(
            parser, NULL, frame, SIO_LIT("/foo"), 0, SIO_LIT("less"));
        sio_frame_unref(frame);
        assert_non_null(longer);
        frame = longer;
        longer = sio_parser_frame_longer(parser, NULL, frame, SIO_LIT("/foo"),
                                         4, SIO_LIT("more"));
        sio_frame_unref(frame);
        assert_non_null(longer);
        assert_int_equal(read_back(sio_frame_view(longer), &packet), SIO_OK);
        require_text(packet.nsp, "/foo");
        require_text(packet.name, "\"a\\\"b\"");
        require_text(packet.args, rows[i].want);
        assert_int_equal(packet.attachments, rows[i].binaries);
        assert_true(packet.has_id && packet.id == 7);
        for (size_t k = 0; k < rows[i].binaries; k++) {
            assert_int_equal(room.binaries[k].len, two[k].len);
        }
        sio_frame_unref(longer);
    }
    sio_frame *frame = frame_of("/foo", "e", "", 0);
    now = FAILS;
    assert_null(sio_parser_frame_longer(parser, NULL, frame, SIO_LIT("/foo"), 0,
                                        SIO_LIT("more")));
    sio_frame_unref(frame);
}

static void test_encode_fails(void **state)
{
    static const sio_args none = {NULL, 0, NULL, 0};
    (void)state;
    const sio_packet_head head = {.nsp = SIO_LIT("/")};
    const sio_bytes name = SIO_LIT("e");
    sio_frame *frame;
    now = FAILS;
    assert_int_equal(
        sio_parser_frame(parser, NULL, &head, &name, &none, &frame),
        SIO_ERR_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_and_acks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_singles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quirks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_encode_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
