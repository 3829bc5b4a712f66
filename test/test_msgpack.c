#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/msgpack_rig.h"

/* ------------------------------------------------------- good packets -- */

#define DATA(json) SIO_PACKET_EVENT, "/", false, 0, "[\"e\"," json "]"
/* An event `e` with one argument, which follows. */
#define E "83 a474797065 02 a36e7370 a12f a464617461 92 a165 "
#define TYPE "a474797065 "
#define NSP "a36e7370 a12f "
#define NAME_DATA "a464617461 "

/* Forms that the official encoder does not write, or seldom. */
static const struct {
    const char *label, *hex;
    sio_packet_type type;
    const char *nsp;
    bool has_id;
    uint64_t id;
    const char *json, *binaries;
} good[] = {
    {"type is a long integer", "82" TYPE "cf0000000000000001" NSP,
     SIO_PACKET_DISCONNECT, "/", false, 0, "", ""},
    {"type is signed", "82" TYPE "d3 0000000000000001" NSP,
     SIO_PACKET_DISCONNECT, "/", false, 0, "", ""},
    {"type is a real", "82" TYPE "ca 3f800000" NSP, SIO_PACKET_DISCONNECT, "/",
     false, 0, "", ""},
    {"long heads", "df00000002 db00000004 74797065 01 da0003 6e7370 d9012f",
     SIO_PACKET_DISCONNECT, "/", false, 0, "", ""},
    {"type comes last", "83" NAME_DATA "91a161" NSP TYPE "02", SIO_PACKET_EVENT,
     "/", false, 0, "[\"a\"]", ""},
    {"others are ignored",
     "86" TYPE "02 a161 9192a16281a163c403010203" NSP "01c0 c0d70000"
     "00000000000000" NAME_DATA "91a162",
     SIO_PACKET_EVENT, "/", false, 0, "[\"b\"]", ""},
    {"a container as a key", "84" TYPE "01 9281a16101c0 02 80 81a16101" NSP,
     SIO_PACKET_DISCONNECT, "/", false, 0, "", ""},
    {"nil for id and data", "84" TYPE "00" NSP "a26964 c0" NAME_DATA "c0",
     SIO_PACKET_CONNECT, "/", false, 0, "", ""},
    {"nil data of DISCONNECT", "83" TYPE "01" NSP NAME_DATA "c0",
     SIO_PACKET_DISCONNECT, "/", false, 0, "", ""},
    {"undefined id", "84" TYPE "02" NSP "a26964 d40000" NAME_DATA "91a161",
     SIO_PACKET_EVENT, "/", false, 0, "[\"a\"]", ""},
    {"id is forgotten", "83" TYPE "01" NSP "a26964 07", SIO_PACKET_DISCONNECT,
     "/", false, 0, "", ""},
    {"id is a real",
     "84" TYPE "03" NSP "a26964 cb40b0010000000000" NAME_DATA "90",
     SIO_PACKET_ACK, "/", true, 4097, "[]", ""},
    {"greatest id",
     "84" TYPE "03" NSP "a26964 cf001fffffffffffff" NAME_DATA "90",
     SIO_PACKET_ACK, "/", true, UINT64_C(9007199254740991), "[]", ""},
    {"longest namespace", "82" TYPE "00 a36e7370 a82f31323334353637",
     SIO_PACKET_CONNECT, "/1234567", false, 0, "", ""},
    {"float32", E "94 ca3dcccccd ca7f7fffff ca00000001 ca80000000",
     DATA("[0.10000000149011612,3.4028234663852886e+38,"
          "1.401298464324817e-45,0]"),
     ""},
    {"float32 that is none", E "92 ca7fc00000 caff800000", DATA("[null,null]"),
     ""},
    {"float64 that is an integer",
     E "93 cb3ff0000000000000 cb43e0000000000000 cb4415af1d78b58c40",
     DATA("[1,9223372036854776000,100000000000000000000]"), ""},
    {"greatest integers",
     E "93 cfffffffffffffffff d37fffffffffffffff d38000000000000000",
     DATA("[18446744073709551615,9223372036854775807,"
          "-9223372036854775808]"),
     ""},
    {"signed, small", E "95 d0ff d080 d1ffff d2ffffffff d3ffffffffffffffff",
     DATA("[-1,-128,-1,-1,-1]"), ""},
    {"long containers", E "dd00000002 dc0001 c3 de0001 a161 df00000000",
     DATA("[[true],{\"a\":{}}]"), ""},
    {"integers as keys", E "83 01 c0 e0 c0 cd0100 c0",
     DATA("{\"1\":null,\"-32\":null,\"256\":null}"), ""},
    {"equal keys", E "82 a161 01 a161 02", DATA("{\"a\":1,\"a\":2}"), ""},
    {"all undefined", E "82 a161 d400ff a162 d40000", DATA("{}"), ""},
    {"invalid dates",
     E "93 d7007fffffffffffffff d70080000000000000 00"
       "d700001eb208c2dc0001",
     DATA("[null,null,null]"), ""},
    {"timestamps",
     E "94 d6ff 00000001 d6ff ffffffff d7ff ee6b27fc 00000001"
       "c70cff 3b9ac9ff ffffffffffffffff",
     DATA("[\"1970-01-01T00:00:01.000Z\",\"2106-02-07T06:28:15.000Z\","
          "\"1970-01-01T00:00:01.999Z\",\"1969-12-31T23:59:59.999Z\"]"),
     ""},
    {"timestamps that are none",
     E "94 d7ff ffffffff ffffffff c70cff 00000000 7fffffffffffffff"
       "c70cff ee6b2800 0000000000000000 c70cff 3b9aca00 0000000000000000",
     DATA("[null,null,null,null]"), ""},
    {"an extension where nobody looks",
     "83" TYPE "01" NSP "a178 93 d40501 c40102 82ac5f706c616365686f6c646572c3"
     "a36e756d01",
     SIO_PACKET_DISCONNECT, "/", false, 0, "", ""},
    {"a false placeholder where nobody looks",
     "84" TYPE "03" NSP "a178 81ac5f706c616365686f6c646572c3" NAME_DATA
     "91 c40102",
     SIO_PACKET_ACK, "/", false, 0, "[{\"_placeholder\":true,\"num\":0}]",
     "02"},
    {"other extensions",
     E "95 d4050a d5000a0b d60a01020304 d880"
       "000102030405060708090a0b0c0d0e0f c70301070809",
     DATA("[[5,{\"_placeholder\":true,\"num\":0}],"
          "[0,{\"_placeholder\":true,\"num\":1}],"
          "[10,{\"_placeholder\":true,\"num\":2}],"
          "[-128,{\"_placeholder\":true,\"num\":3}],"
          "[1,{\"_placeholder\":true,\"num\":4}]]"),
     "0a,0a0b,01020304,000102030405060708090a0b0c0d0e0f,070809"},
    {"timestamp of a length that is none", E "d5ff0102",
     DATA("[-1,{\"_placeholder\":true,\"num\":0}]"), "0102"},
    {"array buffers, bins",
     E "94 c800020001 02 c90000000100 03 c5000104"
       "c60000000105",
     DATA("[{\"_placeholder\":true,\"num\":0},"
          "{\"_placeholder\":true,\"num\":1},"
          "{\"_placeholder\":true,\"num\":2},"
          "{\"_placeholder\":true,\"num\":3}]"),
     "0102,03,04,05"},
    {"as many as allowed", E "9a c400c400c400c400c400c400c400c400c400c400",
     DATA("[{\"_placeholder\":true,\"num\":0},"
          "{\"_placeholder\":true,\"num\":1},"
          "{\"_placeholder\":true,\"num\":2},"
          "{\"_placeholder\":true,\"num\":3},"
          "{\"_placeholder\":true,\"num\":4},"
          "{\"_placeholder\":true,\"num\":5},"
          "{\"_placeholder\":true,\"num\":6},"
          "{\"_placeholder\":true,\"num\":7},"
          "{\"_placeholder\":true,\"num\":8},"
          "{\"_placeholder\":true,\"num\":9}]"),
     ",,,,,,,,,"},
    {"as deep as allowed", E "91 91 91 91 91 91 01", DATA("[[[[[[1]]]]]]"), ""},
    {"an extension as deep as allowed", E "91 91 91 91 d40501",
     DATA("[[[[[5,{\"_placeholder\":true,\"num\":0}]]]]]"), "01"},
    {"deep where nobody looks",
     "83" TYPE "01" NSP "a178 91 91 91 91 91 91 91 91 91 91 91 91 91 91 c0",
     SIO_PACKET_DISCONNECT, "/", false, 0, "", ""},
    {"a name that is no longer reserved",
     "83" TYPE "02" NSP NAME_DATA "91aa636f6e6e656374696f6e", SIO_PACKET_EVENT,
     "/", false, 0, "[\"connection\"]", ""},
    {"a real as name", "83" TYPE "02" NSP NAME_DATA "92 ca3fc00000 01",
     SIO_PACKET_EVENT, "/", false, 0, "[1.5,1]", ""},
};

/* What the text has to look like, whatever else there is. */
static void check_row(const char *label, const char *hex, sio_packet_type type,
                      const char *nsp, bool has_id, uint64_t id,
                      const char *json, const char *binaries)
{
    sio_bytes in = mp_unhex(hex);
    mp_decoded d;
    check(label, mp_decode(in, &mp_limits, &d), SIO_OK);
    unsigned count = d.packet.attachments;
    bool binary = count != 0;
    if (binary) {
        type = type == SIO_PACKET_EVENT ? SIO_PACKET_BINARY_EVENT
                                        : SIO_PACKET_BINARY_ACK;
    }
    check(label, d.packet.type, type);
    check_text(label, d.packet.nsp, nsp);
    check(label, d.packet.has_id, has_id);
    check(label, (intmax_t)d.packet.id, (intmax_t)id);
    check_text(label, d.packet.payload, json);
    char *listed = mp_list_binaries(&d);
    check(label, strcmp(listed, binaries), 0);
    free(listed);
    mp_check_promises(label, in, &mp_limits, &d);
    mp_drop(&d);
    free((uint8_t *)(uintptr_t)in.base);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        check_row(good[i].label, good[i].hex, good[i].type, good[i].nsp,
                  good[i].has_id, good[i].id, good[i].json, good[i].binaries);
    }
}

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < mp_vector_count; i++) {
        const vector *v = &mp_vectors[i];
        check_row(v->label, v->hex, (sio_packet_type)v->type, v->nsp, v->has_id,
                  v->id, v->json, v->binaries);
    }
}

/* Name and arguments are parts of the payload. */
static void test_parts(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *name, *args;
        unsigned count;
        bool number;
    } rows[] = {
        {"83" TYPE "02" NSP NAME_DATA "91a161", "\"a\"", "", 0, false},
        {"83" TYPE "02" NSP NAME_DATA "93a1220102", "\"\\\"\"", "1,2", 2,
         false},
        {"83" TYPE "02" NSP NAME_DATA "92e0d40000", "-32", "null", 1, true},
        {"83" TYPE "03" NSP NAME_DATA "90", "", "", 0, false},
        {"83" TYPE "03" NSP NAME_DATA "92019102", "", "1,[2]", 2, false},
        {"83" TYPE "00" NSP NAME_DATA "81a16101", "", "", 0, false},
        {"83" TYPE "04" NSP NAME_DATA "a161", "", "", 0, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_bytes in = mp_unhex(rows[i].hex);
        mp_decoded d;
        check(rows[i].hex, mp_decode(in, &mp_limits, &d), SIO_OK);
        check_text(rows[i].hex, d.packet.name, rows[i].name);
        check_text(rows[i].hex, d.packet.args, rows[i].args);
        check(rows[i].hex, d.packet.arg_count, rows[i].count);
        check(rows[i].hex, d.packet.name_is_number, rows[i].number);
        mp_drop(&d);
        free((uint8_t *)(uintptr_t)in.base);
    }
}

/* -------------------------------------------------------- bad packets -- */

static const struct {
    const char *label, *hex;
    sio_error err;
} bad[] = {
    {"nothing", "", SIO_ERR_PACKET_EMPTY},
    {"a string", "a3616263", SIO_ERR_PACKET_TYPE},
    {"an array", "9102", SIO_ERR_PACKET_TYPE},
    {"nil", "c0", SIO_ERR_PACKET_TYPE},
    {"an empty map", "80", SIO_ERR_PACKET_TYPE},
    {"no type", "82" NSP NAME_DATA "91a161", SIO_ERR_PACKET_TYPE},
    {"type 5", "83" TYPE "05" NSP NAME_DATA "91a161", SIO_ERR_PACKET_TYPE},
    {"type -1", "82" TYPE "ff" NSP, SIO_ERR_PACKET_TYPE},
    {"type is a string", "82" TYPE "a131" NSP, SIO_ERR_PACKET_TYPE},
    {"type is a fraction", "82" TYPE "ca3f000000" NSP, SIO_ERR_PACKET_TYPE},
    {"type is not a number", "82" TYPE "ca7fc00000" NSP, SIO_ERR_PACKET_TYPE},
    {"type is undefined", "82" TYPE "d40000" NSP, SIO_ERR_PACKET_TYPE},
    {"type twice", "83" TYPE "01" TYPE "01" NSP, SIO_ERR_PAYLOAD},
    {"data twice", "84" TYPE "02" NSP NAME_DATA "91a161" NAME_DATA "91a161",
     SIO_ERR_PAYLOAD},
    {"no namespace", "81" TYPE "01", SIO_ERR_PAYLOAD},
    {"a number as namespace", "82" TYPE "01 a36e7370 01", SIO_ERR_PAYLOAD},
    {"an empty namespace", "82" TYPE "01 a36e7370 a0", SIO_ERR_PAYLOAD},
    {"a namespace without slash", "82" TYPE "01 a36e7370 a161",
     SIO_ERR_PAYLOAD},
    {"namespace too long", "82" TYPE "01 a36e7370 a92f3132333435363738",
     SIO_ERR_TOO_LARGE},
    {"a negative id", "84" TYPE "03" NSP "a26964 ff" NAME_DATA "90",
     SIO_ERR_PACKET_ID},
    {"an id that is too large",
     "84" TYPE "03" NSP "a26964 cf0020000000000000" NAME_DATA "90",
     SIO_ERR_PACKET_ID},
    {"a fraction as id",
     "84" TYPE "03" NSP "a26964 cb3fe0000000000000" NAME_DATA "90",
     SIO_ERR_PACKET_ID},
    {"a real as id that is too large",
     "84" TYPE "03" NSP "a26964 cb4340000000000000" NAME_DATA "90",
     SIO_ERR_PACKET_ID},
    {"a string as id", "84" TYPE "03" NSP "a26964 a131" NAME_DATA "90",
     SIO_ERR_PACKET_ID},
    {"CONNECT with an array", "83" TYPE "00" NSP NAME_DATA "90",
     SIO_ERR_PAYLOAD},
    {"CONNECT with bytes", "83" TYPE "00" NSP NAME_DATA "c400",
     SIO_ERR_PAYLOAD},
    {"bytes in CONNECT", "83" TYPE "00" NSP NAME_DATA "81a161c400",
     SIO_ERR_ATTACHMENTS},
    {"bytes in CONNECT_ERROR", "83" TYPE "04" NSP NAME_DATA "81a161c400",
     SIO_ERR_ATTACHMENTS},
    {"CONNECT with a date", "83" TYPE "00" NSP NAME_DATA "d7000000000000000000",
     SIO_ERR_PAYLOAD},
    {"DISCONNECT with data", "83" TYPE "01" NSP NAME_DATA "80",
     SIO_ERR_PAYLOAD},
    {"CONNECT_ERROR without data", "82" TYPE "04" NSP, SIO_ERR_PAYLOAD},
    {"CONNECT_ERROR with nil", "83" TYPE "04" NSP NAME_DATA "c0",
     SIO_ERR_PAYLOAD},
    {"CONNECT_ERROR with an array", "83" TYPE "04" NSP NAME_DATA "90",
     SIO_ERR_PAYLOAD},
    {"event without data", "82" TYPE "02" NSP, SIO_ERR_PAYLOAD},
    {"event with nil", "83" TYPE "02" NSP NAME_DATA "c0", SIO_ERR_PAYLOAD},
    {"event with a map", "83" TYPE "02" NSP NAME_DATA "80", SIO_ERR_PAYLOAD},
    {"empty event", "83" TYPE "02" NSP NAME_DATA "90", SIO_ERR_PAYLOAD},
    {"nil as name", "83" TYPE "02" NSP NAME_DATA "91c0", SIO_ERR_PAYLOAD},
    {"a map as name", "83" TYPE "02" NSP NAME_DATA "9180", SIO_ERR_PAYLOAD},
    {"a date as name", "83" TYPE "02" NSP NAME_DATA "91d7000000000000000000",
     SIO_ERR_PAYLOAD},
    {"bytes as name", "83" TYPE "02" NSP NAME_DATA "91c400", SIO_ERR_PAYLOAD},
    {"no number as name", "83" TYPE "02" NSP NAME_DATA "91ca7fc00000",
     SIO_ERR_PAYLOAD},
    {"reserved name", "83" TYPE "02" NSP NAME_DATA "91a7636f6e6e656374",
     SIO_ERR_PAYLOAD},
    {"reserved name, other form",
     "83" TYPE "02" NSP NAME_DATA "91da000a646973636f6e6e656374",
     SIO_ERR_PAYLOAD},
    {"ack without data", "82" TYPE "03" NSP, SIO_ERR_PAYLOAD},
    {"ack with a string", "83" TYPE "03" NSP NAME_DATA "a161", SIO_ERR_PAYLOAD},
    {"more than allowed", E "9b c400c400c400c400c400c400c400c400c400c400c400",
     SIO_ERR_ATTACHMENTS},
    {"false placeholder",
     E "92 82ac5f706c616365686f6c646572c3a36e756d00 c40101",
     SIO_ERR_ATTACHMENTS},
    {"false placeholder behind",
     E "92 c40101 82a36e756d05ac5f706c616365686f6c646572c3",
     SIO_ERR_ATTACHMENTS},
    {"a byte that begins nothing", E "c1", SIO_ERR_JSON},
    {"bytes behind", "82" TYPE "01" NSP "00", SIO_ERR_JSON},
    {"real as key", E "81 ca00000000 01", SIO_ERR_JSON},
    {"nil as key", E "81 c0 01", SIO_ERR_JSON},
    {"array as key", E "81 90 01", SIO_ERR_JSON},
    {"bytes as key", E "81 c400 01", SIO_ERR_JSON},
    {"more elements than bytes", E "ddffffffff 00", SIO_ERR_JSON},
    {"more pairs than bytes", E "dfffffffff 00 00", SIO_ERR_JSON},
    {"longer string than bytes", E "dbffffffff 61", SIO_ERR_JSON},
    {"longer bytes than bytes", E "c6ffffffff 61", SIO_ERR_JSON},
    {"longer extension than bytes", E "c9ffffffff0061", SIO_ERR_JSON},
    {"too deep", E "91 91 91 91 91 91 91 01", SIO_ERR_JSON_DEPTH},
    {"map too deep", E "91 91 91 91 91 91 80", SIO_ERR_JSON_DEPTH},
    {"bytes too deep", E "91 91 91 91 91 91 c400", SIO_ERR_JSON_DEPTH},
    {"extension too deep", E "91 91 91 91 91 d40501", SIO_ERR_JSON_DEPTH},
    {"no UTF-8", E "a2c3c3", SIO_ERR_UTF8},
    {"half a surrogate pair", E "a3eda080", SIO_ERR_UTF8},
    {"no UTF-8 in a key", E "81 a1ff 01", SIO_ERR_UTF8},
    {"no UTF-8 in the namespace", "82" TYPE "01 a36e7370 a22fff", SIO_ERR_UTF8},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        sio_bytes in = mp_unhex(bad[i].hex);
        mp_decoded d;
        check(bad[i].label, mp_decode(in, &mp_limits, &d), bad[i].err);
        free((uint8_t *)(uintptr_t)in.base);
    }
}

/* Whole messages come, so nothing waits for more. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < mp_vector_count; i++) {
        sio_bytes whole = mp_unhex(mp_vectors[i].hex);
        for (size_t len = 0; len < whole.len; len++) {
            sio_bytes in = mp_copy((sio_bytes){whole.base, len});
            mp_decoded d;
            check(mp_vectors[i].label, mp_decode(in, &mp_limits, &d),
                  len == 0 ? SIO_ERR_PACKET_EMPTY : SIO_ERR_JSON);
            free((uint8_t *)(uintptr_t)in.base);
        }
        free((uint8_t *)(uintptr_t)whole.base);
    }
}

/* Whatever a damaged packet means, it keeps to the rules or is refused. */
static void test_flips(void **state)
{
    (void)state;
    size_t passed = 0, failed = 0;
    for (size_t i = 0; i < mp_vector_count; i++) {
        sio_bytes in = mp_unhex(mp_vectors[i].hex);
        uint8_t *bytes = (uint8_t *)(uintptr_t)in.base;
        for (size_t at = 0; at < in.len; at++) {
            for (unsigned change = 1; change < 256; change++) {
                mp_decoded d;
                bytes[at] ^= (uint8_t)change;
                if (mp_decode(in, &mp_limits, &d) == SIO_OK) {
                    mp_check_promises(mp_vectors[i].label, in, &mp_limits, &d);
                    mp_drop(&d);
                    passed++;
                } else {
                    failed++;
                }
                bytes[at] ^= (uint8_t)change;
            }
        }
        free(bytes);
    }
    assert_true(passed > 1000 && failed > 1000);
}

/* Too little room is told of, with how much it takes, and nothing else is
 * written to. */
static void test_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < mp_vector_count; i++) {
        sio_bytes in = mp_unhex(mp_vectors[i].hex);
        size_t whole = strlen(mp_vectors[i].json);
        for (size_t cap = 0; cap <= whole; cap++) {
            sio_binary binaries[MP_BINARIES];
            sio_packet packet;
            sio_writer text = {malloc(cap), cap, 0};
            sio_error err =
                sio_msgpack_decode(in, &mp_limits, &text, binaries, &packet);
            check(mp_vectors[i].label, err,
                  cap < whole ? SIO_ERR_NO_SPACE : SIO_OK);
            check(mp_vectors[i].label, (intmax_t)text.len, (intmax_t)whole);
            free(text.base);
        }
        free((uint8_t *)(uintptr_t)in.base);
    }
}

/* The deepest that there is, in each of the ways. */
static void test_deepest(void **state)
{
    (void)state;
    sio_packet_limits limits = {
        .max_depth = 5000, .max_attachments = 1, .max_nsp = 8};
    static const char head[] = "\x83\xa4type\x03\xa3nsp\xa1/\xa4"
                               "data";
    for (unsigned depth = 1023; depth <= 1025; depth++) {
        sio_writer w = {malloc(4096), 4096, 0};
        sio_write_bytes(&w,
                        (sio_bytes){(const uint8_t *)head, sizeof(head) - 1});
        for (unsigned i = 0; i < depth; i++) {
            sio_write_byte(&w, 0x91);
        }
        sio_write_byte(&w, 0xc0);
        mp_decoded d;
        sio_error err = mp_decode((sio_bytes){w.base, w.len}, &limits, &d);
        check("depth", err, depth <= 1024 ? SIO_OK : SIO_ERR_JSON_DEPTH);
        if (err == SIO_OK) {
            check("text", (intmax_t)d.packet.payload.len, 2 * depth + 4);
            mp_drop(&d);
        }
        free(w.base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_parts),    cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes), cmocka_unit_test(test_flips),
        cmocka_unit_test(test_room),     cmocka_unit_test(test_deepest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
