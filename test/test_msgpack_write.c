#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/msgpack_rig.h"

static sio_bytes view(const char *text)
{
    return (sio_bytes){(const uint8_t *)text, strlen(text)};
}

static void drop(sio_bytes bytes)
{
    free((uint8_t *)(uintptr_t)bytes.base);
}

/* Something to be written, in the way that is right for its type. */
typedef struct job {
    sio_packet_type type;
    const char *nsp;
    bool has_id;
    uint64_t id;
    sio_bytes name;
    sio_bytes json; /* arguments, or all there is */
    const sio_binary *binaries;
    size_t binary_count;
} job;

static sio_error write_job(sio_writer *w, const job *j)
{
    sio_packet_head head = {
        .nsp = view(j->nsp), .has_id = j->has_id, .id = j->id};
    sio_args args = {(const char *)j->json.base, j->json.len, j->binaries,
                     j->binary_count};
    if (j->type == SIO_PACKET_EVENT) {
        return sio_msgpack_write_event(w, &head, j->name, &args);
    }
    if (j->type == SIO_PACKET_ACK) {
        return sio_msgpack_write_ack(w, &head, &args);
    }
    return sio_msgpack_write_single(w, j->type, head.nsp, j->json);
}

/* Measures, then writes to just as much room, which gives the bytes. */
static sio_error write_exactly(const job *j, sio_bytes *out)
{
    sio_writer measure = {0};
    sio_error err = write_job(&measure, j);
    if (err != SIO_OK) {
        return err;
    }
    sio_writer w = {malloc(measure.len), measure.len, 0};
    check("a second time", write_job(&w, j), SIO_OK);
    check("length", w.len, measure.len);
    *out = (sio_bytes){w.base, w.len};
    return SIO_OK;
}

/* A packet that has been decoded, as one to be written. */
static job job_of(const mp_decoded *d, char nsp[16], uint8_t *name_room)
{
    const sio_packet *p = &d->packet;
    bool event =
        p->type == SIO_PACKET_EVENT || p->type == SIO_PACKET_BINARY_EVENT;
    bool ack = p->type == SIO_PACKET_ACK || p->type == SIO_PACKET_BINARY_ACK;
    job j = {
        .type = event ? SIO_PACKET_EVENT
                : ack ? SIO_PACKET_ACK
                      : p->type,
        .nsp = nsp,
        .has_id = p->has_id,
        .id = p->id,
        .json = event || ack ? p->args : p->payload,
        .binaries = d->binaries,
        .binary_count = p->attachments,
    };
    memcpy(nsp, p->nsp.base, p->nsp.len);
    nsp[p->nsp.len] = '\0';
    if (p->name_is_number) {
        j.name = p->name;
    } else if (event) {
        j.name.base = name_room;
        check("name", sio_json_unescape(p->name, name_room, &j.name.len),
              SIO_OK);
    }
    return j;
}

/* What official packets mean is written as the official encoder does; or, where
 * that has a form of its own, is read again as the same. */
static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < mp_vector_count; i++) {
        const vector *v = &mp_vectors[i];
        char nsp[16];
        uint8_t name[64];
        mp_decoded d, again;
        sio_bytes in = mp_unhex(v->hex), out;
        check(v->label, mp_decode(in, &mp_limits, &d), SIO_OK);
        job j = job_of(&d, nsp, name);
        check(v->label, write_exactly(&j, &out), SIO_OK);
        if (v->exact) {
            check(v->label, sio_bytes_eq(in, out), true);
        }
        check(v->label, mp_decode(out, &mp_limits, &again), SIO_OK);
        if (d.packet.name_is_number) {
            check_text(v->label, again.packet.args,
                       j.json.len == 0 ? "" : "\"x\"");
        } else {
            check_text(v->label, again.packet.payload, v->json);
        }
        char *listed = mp_list_binaries(&again);
        check(v->label, strcmp(listed, v->binaries), 0);
        free(listed);
        mp_drop(&again);
        mp_drop(&d);
        drop(out);
        drop(in);
    }
}

/* -------------------------------------------------------------- values -- */

/* The packet around one argument. */
#define BEFORE "83a47479706502a46461746192a165"
#define BEHIND "a36e7370a12f"
#define PLACEHOLDER "{\"_placeholder\":true,\"num\":0}"

static const struct {
    const char *label, *json, *hex;
} values[] = {
    {"null", "null", "c0"},
    {"false", "false", "c2"},
    {"true", "true", "c3"},
    {"blanks", " \t\r\n[ 1 ,\n2 ] ", "920102"},
    {"blanks in an object", " { \"a\" : 1 , \"b\":{ } } ", "82a16101a16280"},
    {"0", "0", "00"},
    {"-0", "-0", "00"},
    {"127", "127", "7f"},
    {"128", "128", "cc80"},
    {"256", "256", "cd0100"},
    {"65536", "65536", "ce00010000"},
    {"2^32", "4294967296", "cf0000000100000000"},
    {"2^64 - 1", "18446744073709551615", "cfffffffffffffffff"},
    {"2^64", "18446744073709551616", "cb43f0000000000000"},
    {"-32", "-32", "e0"},
    {"-33", "-33", "d0df"},
    {"-128", "-128", "d080"},
    {"-129", "-129", "d1ff7f"},
    {"-32768", "-32768", "d18000"},
    {"-32769", "-32769", "d2ffff7fff"},
    {"-2^31", "-2147483648", "d280000000"},
    {"-2^31 - 1", "-2147483649", "d3ffffffff7fffffff"},
    {"-2^63", "-9223372036854775808", "d38000000000000000"},
    {"-2^63 - 1", "-9223372036854775809", "cbc3e0000000000000"},
    {"1.0", "1.0", "01"},
    {"1e2", "1e2", "64"},
    {"-1.28e2", "-1.28E+2", "d080"},
    {"-0.0", "-0.0", "00"},
    {"1e15", "1e15", "cf00038d7ea4c68000"},
    {"9007199254740991.0", "9007199254740991.0", "cf001fffffffffffff"},
    {"9007199254740992.0", "9007199254740992.0", "cb4340000000000000"},
    {"1.5", "1.5", "cb3ff8000000000000"},
    {"-0.1", "-0.1", "cbbfb999999999999a"},
    {"1e400", "1e400", "cb7ff0000000000000"},
    {"1e-400", "1e-400", "00"},
    {"empty string", "\"\"", "a0"},
    {"escapes", "\"\\u0061\\n\\/\\\"\\\\\\u0000\"", "a6610a2f225c00"},
    {"pair", "\"\\ud83d\\ude00\"", "a4f09f9880"},
    {"half a pair", "\"\\ud83d\"", "a3efbfbd"},
    {"31 bytes once 36", "\"\\u0061xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
     "bf61787878787878787878787878787878787878787878787878787878787878"},
    {"a key with an escape", "{\"\\u0061\":0}", "81a16100"},
    {"equal keys", "{\"a\":0,\"a\":1}", "82a16100a16101"},
    {"placeholder", PLACEHOLDER, "c4020102"},
    {"placeholder, otherwise", "{ \"num\" : 1 , \"\\u005fplaceholder\" :true}",
     "c400"},
    {"placeholder with more", "{\"_placeholder\":true,\"x\":[{}],\"num\":0}",
     "c4020102"},
    {"placeholders", "[" PLACEHOLDER "," PLACEHOLDER "]", "92c4020102c4020102"},
    {"placeholder in one",
     "{\"_placeholder\":true,\"x\":" PLACEHOLDER ",\"num\":1}", "c400"},
    {"the last counts",
     "{\"num\":9,\"_placeholder\":false,\"_placeholder\":true,\"num\":1}",
     "c400"},
    {"false placeholder", "{\"_placeholder\":false,\"num\":0}",
     "82ac5f706c616365686f6c646572c2a36e756d00"},
    {"placeholder of none", "{\"_placeholder\":true,\"num\":2}",
     "82ac5f706c616365686f6c646572c3a36e756d02"},
    {"placeholder without num", "{\"_placeholder\":true}",
     "81ac5f706c616365686f6c646572c3"},
    {"num is no integer", "{\"_placeholder\":true,\"num\":0.0}",
     "82ac5f706c616365686f6c646572c3a36e756d00"},
    {"num is an array", "{\"_placeholder\":true,\"num\":[0]}",
     "82ac5f706c616365686f6c646572c3a36e756d9100"},
    {"num of another", "{\"_placeholder\":true,\"a\":{\"num\":0}}",
     "82ac5f706c616365686f6c646572c3a16181a36e756d00"},
};

static const uint8_t two_bytes[] = {1, 2};
static const sio_binary binaries[] = {{two_bytes, 2}, {NULL, 0}};

static job event_of(sio_bytes json)
{
    return (job){.type = SIO_PACKET_EVENT,
                 .nsp = "/",
                 .name = view("e"),
                 .json = json,
                 .binaries = binaries,
                 .binary_count = 2};
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        char hex[256];
        (void)snprintf(hex, sizeof(hex), BEFORE "%s" BEHIND, values[i].hex);
        sio_bytes json = mp_copy(view(values[i].json));
        sio_bytes want = mp_unhex(hex), out;
        job j = event_of(json);
        check(values[i].label, write_exactly(&j, &out), SIO_OK);
        check(values[i].label, sio_bytes_eq(out, want), true);
        drop(out);
        drop(want);
        drop(json);
    }
}

/* Placeholders are data where there is nothing to be named. */
static void test_no_binaries(void **state)
{
    (void)state;
    sio_bytes want = mp_unhex(
                  BEFORE "82ac5f706c616365686f6c646572c3a36e756d00" BEHIND),
              out;
    job j = event_of(view(PLACEHOLDER));
    j.binary_count = 0;
    check("written", write_exactly(&j, &out), SIO_OK);
    check("as data", sio_bytes_eq(out, want), true);
    drop(out);
    drop(want);
}

/* ------------------------------------------------------------- packets -- */

#define TYPE "a474797065"
#define DATA "a464617461"

static void test_packets(void **state)
{
    (void)state;
    static const struct {
        const char *label, *hex;
        job job;
    } rows[] = {
        {"event",
         "83" TYPE "02" DATA "91a0" BEHIND,
         {.type = SIO_PACKET_EVENT, .nsp = ""}},
        {"event with id",
         "84" TYPE "02" DATA "91a0a26964cd0100" BEHIND,
         {.type = SIO_PACKET_EVENT, .nsp = "/", .has_id = true, .id = 256}},
        {"ack",
         "84" TYPE "03" DATA "90a2696400a36e7370a22f61",
         {.type = SIO_PACKET_ACK, .nsp = "/a", .has_id = true}},
        {"connect",
         "82" TYPE "00" BEHIND,
         {.type = SIO_PACKET_CONNECT, .nsp = ""}},
        {"disconnect",
         "82" TYPE "01a36e7370a22f61",
         {.type = SIO_PACKET_DISCONNECT, .nsp = "/a"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_bytes want = mp_unhex(rows[i].hex), out;
        check(rows[i].label, write_exactly(&rows[i].job, &out), SIO_OK);
        check(rows[i].label, sio_bytes_eq(out, want), true);
        drop(out);
        drop(want);
    }
}

static const struct {
    const char *label, *json;
} bad[] = {
    {"comma alone", ","},
    {"comma before", ",1"},
    {"comma behind", "1,"},
    {"two commas", "1,,2"},
    {"no comma", "1 2"},
    {"a bracket too many", "1]"},
    {"a brace too many", "1}"},
    {"open array", "[1"},
    {"open object", "{\"a\":1"},
    {"wrong bracket", "[1}"},
    {"wrong brace", "{\"a\":1]"},
    {"comma before bracket", "[1,]"},
    {"comma behind bracket", "[,1]"},
    {"comma before brace", "{\"a\":1,}"},
    {"comma behind brace", "{,\"a\":1}"},
    {"no colon", "{\"a\" 1}"},
    {"no value", "{\"a\":}"},
    {"no key", "{1:1}"},
    {"key alone", "{\"a\"}"},
    {"word", "nul"},
    {"other word", "undefined"},
    {"leading zero", "01"},
    {"plus", "+1"},
    {"point", "1."},
    {"open string", "\"abc"},
    {"bad escape", "\"\\x\""},
    {"control character", "\"\n\""},
    {"open placeholder", "{\"_placeholder\":true,\"num\":0"},
    {"minus", "-"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        sio_bytes json = mp_copy(view(bad[i].json)), out;
        job j = event_of(json);
        check(bad[i].label, write_exactly(&j, &out), SIO_ERR_JSON);
        j.type = SIO_PACKET_ACK;
        check(bad[i].label, write_exactly(&j, &out), SIO_ERR_JSON);
        j.type = SIO_PACKET_CONNECT;
        check(bad[i].label, write_exactly(&j, &out), SIO_ERR_JSON);
        drop(json);
    }
}

/* Text that is cut is refused, or means less, as jansson's scanner says. */
static void test_prefixes(void **state)
{
    (void)state;
    static const char whole[] =
        "1,-2.5e3,\"a\\u0061b\",[true,false,null,[]],{\"k\":{\"_placeholder\""
        ":true,\"num\":0},\"\\n\":[{}]} , \"last\"";
    for (size_t len = 0; len < sizeof(whole); len++) {
        sio_bytes json = mp_copy((sio_bytes){(const uint8_t *)whole, len}), out;
        unsigned count;
        job j = event_of(json);
        sio_error want = sio_json_list_check(json, 16, &count);
        check(whole + len, write_exactly(&j, &out), want);
        if (want == SIO_OK) {
            drop(out);
        }
        drop(json);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (unsigned depth = 1022; depth <= 1024; depth++) {
        char *text = malloc(2 * depth);
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        job j = event_of((sio_bytes){(uint8_t *)text, 2 * depth});
        sio_bytes out;
        sio_error err = write_exactly(&j, &out);
        check("depth", err, depth < 1024 ? SIO_OK : SIO_ERR_JSON_DEPTH);
        if (err == SIO_OK) {
            drop(out);
        }
        free(text);
    }
}

/* ---------------------------------------------------------------- size -- */

static void fill(sio_writer *w, size_t count, const char *item, bool keys)
{
    sio_write_byte(w, keys ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (i != 0) {
            sio_write_byte(w, ',');
        }
        if (keys) {
            sio_write_bytes(w, SIO_LIT("\"k"));
            sio_write_uint(w, i);
            sio_write_bytes(w, SIO_LIT("\":"));
        }
        sio_write_bytes(w, view(item));
    }
    sio_write_byte(w, keys ? '}' : ']');
}

/* Writes `json` and reads it: it has to be the same. */
static void check_same(const char *label, sio_bytes json, const char *head)
{
    static const sio_packet_limits limits = {
        .max_depth = 64, .max_attachments = 1, .max_nsp = 8};
    sio_bytes out, want = mp_unhex(head);
    mp_decoded d;
    job j = event_of(json);
    j.binary_count = 0;
    check(label, write_exactly(&j, &out), SIO_OK);
    check(label, memcmp(out.base + sizeof(BEFORE) / 2, want.base, want.len), 0);
    check(label, mp_decode(out, &limits, &d), SIO_OK);
    check(label, sio_bytes_eq(d.packet.args, json), true);
    mp_drop(&d);
    drop(out);
    drop(want);
}

/* Containers of which the heads grow, in each other: what is in them moves. */
static void test_containers(void **state)
{
    (void)state;
    static const struct {
        const char *label;
        size_t count;
        bool keys;
        const char *head;
    } rows[] = {
        {"15", 15, false, "9f"},
        {"16", 16, false, "dc0010"},
        {"65535", 65535, false, "dcffff"},
        {"65536", 65536, false, "dd00010000"},
        {"15 pairs", 15, true, "8f"},
        {"16 pairs", 16, true, "de0010"},
        {"65535 pairs", 65535, true, "deffff"},
        {"65536 pairs", 65536, true, "df00010000"},
    };
    static const char *items[] = {"7", "[]", "{\"a\":[1]}",
                                  "[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5]"};
    const size_t cap = 8 << 20;
    uint8_t *room = malloc(cap);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t k = 0; k < COUNT(items); k++) {
            sio_writer w = {room, cap, 0};
            fill(&w, rows[i].count, items[k], rows[i].keys);
            assert_true(w.len <= cap);
            check_same(rows[i].label, (sio_bytes){room, w.len}, rows[i].head);
        }
    }
    free(room);
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *head;
    } rows[] = {
        {31, "bf61"},      {32, "d92061"},      {255, "d9ff61"},
        {256, "da010061"}, {65535, "daffff61"}, {65536, "db0001000061"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = rows[i].len;
        uint8_t *text = malloc(len + 2);
        memset(text, 'a', len + 2);
        text[0] = text[len + 1] = '"';
        check_same("plain", (sio_bytes){text, len + 2}, rows[i].head);
        free(text);
        text = malloc(len + 3); /* one escape in it */
        memset(text, 'a', len + 3);
        text[0] = text[len + 2] = '"';
        memcpy(text + len, "\\n", 2);
        check_same("escape", (sio_bytes){text, len + 3}, rows[i].head);
        free(text);
    }
}

static void test_long_binaries(void **state)
{
    (void)state;
    static const size_t lens[] = {255, 256, 65535, 65536};
    for (size_t i = 0; i < COUNT(lens); i++) {
        uint8_t *bytes = malloc(lens[i]);
        memset(bytes, 0xa5, lens[i]);
        sio_binary binary = {bytes, lens[i]};
        job j = event_of(view(PLACEHOLDER));
        j.binaries = &binary;
        j.binary_count = 1;
        sio_bytes out;
        mp_decoded d;
        check("written", write_exactly(&j, &out), SIO_OK);
        check("read", mp_decode(out, &mp_limits, &d), SIO_OK);
        check("length", d.binaries[0].len, lens[i]);
        check("bytes", memcmp(d.binaries[0].data, bytes, lens[i]), 0);
        mp_drop(&d);
        drop(out);
        free(bytes);
    }
}

/* In too little room it counts on, and nothing is written beyond. */
static void test_room(void **state)
{
    (void)state;
    static const char json[] =
        "\"a\\nb\",[0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5]," PLACEHOLDER ",1.5";
    job j = event_of(view(json));
    sio_bytes whole;
    check("whole", write_exactly(&j, &whole), SIO_OK);
    for (size_t cap = 0; cap <= whole.len; cap++) {
        sio_writer w = {malloc(cap), cap, 0};
        check("written", write_job(&w, &j), SIO_OK);
        check("length", w.len, whole.len);
        free(w.base);
    }
    drop(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_no_binaries),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_long_binaries),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
