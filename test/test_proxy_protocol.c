#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "transport/proxy_protocol.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

/* ------------------------------------------------------------- the headers --
 */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x34\x00\x50"
#define IPV6_A "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define IPV6_B "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x09"
#define PORTS "\x12\x34\x00\x50"
#define X27 "0123456789abcdefghijklmnopq"
#define X108 X27 X27 X27 X27
#define TLV_SSL "\x20\0\x05\x01\0\0\0\x01"
#define TLV_NO_SSL "\x20\0\x05\x00\0\0\0\x01"
#define TLV_ALPN "\x01\0\x02h2"
#define TLV_NOOP "\x04\0\0"

/* Sums that another program has made. */
#define TLV_SUM "\x03\0\x04\xb8\x43\xbf\x0e"
#define TLV_SUM_OF_SSL "\x03\0\x04\xe7\x69\x4f\xf3"
#define TLV_WRONG_SUM "\x03\0\x04\xb8\x43\xbf\x0f"

typedef struct row {
    const char *label;
    sio_bytes in;
    const char *client; /* NULL: not known */
    bool secure;
} row;

static const row good[] = {
    {"IPv4", B("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), "192.0.2.1",
     false},
    {"IPv4 at its longest",
     B("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
     "255.255.255.255", false},
    {"ports of 0", B("PROXY TCP4 192.0.2.1 198.51.100.2 0 0\r\n"), "192.0.2.1",
     false},
    {"IPv6", B("PROXY TCP6 2001:db8::1 2001:DB8::2 4124 443\r\n"),
     "2001:db8::1", false},
    {"IPv6 at its longest",
     B("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"IPv4 as IPv6", B("PROXY TCP6 ::ffff:192.0.2.9 ::1 1 2\r\n"), "192.0.2.9",
     false},
    {"unknown, short", B("PROXY UNKNOWN\r\n"), NULL, false},
    {"unknown, long",
     B("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     NULL, false},
    {"unknown, with anything", B("PROXY UNKNOWN  \0\xff TCP4\r\n"), NULL,
     false},
    {"2: IPv4", B(SIGNATURE "\x21\x11\x00\x0c" IPV4), "192.0.2.1", false},
    {"2: IPv6", B(SIGNATURE "\x21\x21\x00\x24" IPV6_A IPV6_B PORTS),
     "2001:db8::1", false},
    {"2: IPv4 as IPv6", B(SIGNATURE "\x21\x21\x00\x24" MAPPED IPV6_B PORTS),
     "192.0.2.9", false},
    {"2: unix", B(SIGNATURE "\x21\x31\x00\xd8" X108 X108), "unix:", false},
    {"2: local", B(SIGNATURE "\x20\x00\x00\x00"), NULL, false},
    {"2: local, whatever else it says",
     B(SIGNATURE "\x20\xff\x00\x04\xff\xff\xff\xff"), NULL, false},
    {"2: local, of IPv4", B(SIGNATURE "\x20\x11\x00\x0c" IPV4), NULL, false},
    {"2: unspecified", B(SIGNATURE "\x21\x00\x00\x00"), NULL, false},
    {"2: unspecified, with bytes", B(SIGNATURE "\x21\x00\x00\x02\x01\x02"),
     NULL, false},
    {"2: IPv4, no protocol", B(SIGNATURE "\x21\x10\x00\x0c" IPV4), NULL, false},
    {"2: datagrams", B(SIGNATURE "\x21\x12\x00\x0c" IPV4), NULL, false},
    {"2: datagrams, too short", B(SIGNATURE "\x21\x22\x00\x00"), NULL, false},
    {"2: stream, no family", B(SIGNATURE "\x21\x01\x00\x00"), NULL, false},
    {"2: TLS", B(SIGNATURE "\x21\x11\x00\x14" IPV4 TLV_SSL), "192.0.2.1", true},
    {"2: no TLS", B(SIGNATURE "\x21\x11\x00\x14" IPV4 TLV_NO_SSL), "192.0.2.1",
     false},
    {"2: fields that are not read",
     B(SIGNATURE "\x21\x11\x00\x1c" IPV4 TLV_ALPN TLV_NOOP TLV_SSL),
     "192.0.2.1", true},
    {"2: a sum", B(SIGNATURE "\x21\x11\x00\x13" IPV4 TLV_SUM), "192.0.2.1",
     false},
    {"2: a sum of more",
     B(SIGNATURE "\x21\x11\x00\x1b" IPV4 TLV_SUM_OF_SSL TLV_SSL), "192.0.2.1",
     true},
};

/* `size` bytes suffice to tell that it is bad. */
static const struct {
    const char *label;
    sio_bytes in;
    size_t size;
} bad[] = {
    {"HTTP", B("GET / HTTP/1.1\r\n\r\n"), 1},
    {"lower case", B("Proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 2},
    {"no space", B("PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n"), 6},
    {"another PUT", B("PUT / HTTP/1.1\r\n\r\n"), 2},
    {"nothing more", B("PROXY \r\n"), 8},
    {"another protocol", B("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), 36},
    {"two spaces", B("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"), 37},
    {"a space at the end", B("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), 37},
    {"too many words", B("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), 38},
    {"a port is missing", B("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), 34},
    {"an address is missing", B("PROXY TCP4 192.0.2.1 1 2\r\n"), 26},
    {"a port too high", B("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), 40},
    {"a port of 6 digits", B("PROXY TCP4 192.0.2.1 192.0.2.2 1 100000\r\n"),
     41},
    {"a port with a zero", B("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), 37},
    {"a port with a sign", B("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"), 37},
    {"zeros in an address", B("PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n"), 37},
    {"a number too high", B("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), 38},
    {"three numbers", B("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n"), 34},
    {"IPv6 called IPv4", B("PROXY TCP4 ::1 ::2 1 2\r\n"), 24},
    {"IPv4 called IPv6", B("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), 36},
    {"both mixed", B("PROXY TCP6 ::1 192.0.2.2 1 2\r\n"), 30},
    {"a zone", B("PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n"), 35},
    {"a NUL in an address", B("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), 37},
    {"letters behind unknown", B("PROXY UNKNOWNS\r\n"), 16},
    {"a bare line feed", B("PROXY UNKNOWN\n"), 14},
    {"a bare return", B("PROXY UNKNOWN\rx\n"), 15},
    {"two returns", B("PROXY UNKNOWN\r\r\n"), 15},
    {"no end",
     B("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 655350\r\n"),
     106},
    {"2: a byte of the signature", B("\r\n\r\n\0\r\nQUIT\r" IPV4 IPV4), 12},
    {"2: version 1", B(SIGNATURE "\x11\x11\x00\x0c" IPV4), 13},
    {"2: version 3", B(SIGNATURE "\x31\x11\x00\x0c" IPV4), 13},
    {"2: command 2", B(SIGNATURE "\x22\x11\x00\x0c" IPV4), 13},
    {"2: family 4", B(SIGNATURE "\x21\x41\x00\x0c" IPV4), 14},
    {"2: protocol 3", B(SIGNATURE "\x21\x13\x00\x0c" IPV4), 14},
    {"2: IPv4 too short", B(SIGNATURE "\x21\x11\x00\x0b" IPV4), 16},
    {"2: IPv6 too short", B(SIGNATURE "\x21\x21\x00\x23" IPV6_A IPV6_B PORTS),
     16},
    {"2: unix too short", B(SIGNATURE "\x21\x31\x00\xd7" X108 X108), 16},
    {"2: too long", B(SIGNATURE "\x21\x11\x0f\xf1" IPV4), 16},
    {"2: local and too long", B(SIGNATURE "\x20\x00\xff\xff"), 16},
    {"2: a wrong sum", B(SIGNATURE "\x21\x11\x00\x13" IPV4 TLV_WRONG_SUM), 35},
    {"2: two sums", B(SIGNATURE "\x21\x11\x00\x1a" IPV4 TLV_SUM TLV_SUM), 42},
    {"2: a short sum",
     B(SIGNATURE "\x21\x11\x00\x12" IPV4 "\x03\0\x03\xb8\x43\xbf"), 34},
    {"2: SSL too short",
     B(SIGNATURE "\x21\x11\x00\x13" IPV4 "\x20\0\x04\x01\0\0\0"), 35},
    {"2: two bytes at the end", B(SIGNATURE "\x21\x11\x00\x0e" IPV4 "\x04\0"),
     30},
    {"2: a field beyond the end",
     B(SIGNATURE "\x21\x11\x00\x10" IPV4 "\x04\0\x02x"), 32},
};

/* --------------------------------------------------------------- decoding --
 */

/* From memory of exactly that size, so that ASan sees a byte read too many. */
static sio_error decode(sio_bytes in, size_t len, tp_proxy_header *out)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, in.base, len);
    sio_error err = tp_proxy_header_decode((sio_bytes){copy, len}, out);
    free(copy);
    return err;
}

static void expect_row(const row *want, const tp_proxy_header *got)
{
    char client[TP_ADDRESS_SIZE] = "";
    if (got->known) {
        (void)tp_address_text(&got->client, client);
    }
    if (got->known != (want->client != NULL) ||
        (want->client != NULL && strcmp(client, want->client) != 0) ||
        got->secure != want->secure || got->size != want->in.len) {
        fail_msg("%s: %d %s %d %zu", want->label, got->known, client,
                 got->secure, got->size);
    }
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        tp_proxy_header got;
        if (decode(good[i].in, good[i].in.len, &got) != SIO_OK) {
            fail_msg("%s", good[i].label);
        }
        expect_row(&good[i], &got);
    }
}

/* Every part of a good header asks for more, and touches nothing. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        for (size_t len = 0; len < good[i].in.len; len++) {
            tp_proxy_header got = {.size = 4711};
            if (decode(good[i].in, len, &got) != SIO_MORE || got.size != 4711) {
                fail_msg("%s, %zu bytes", good[i].label, len);
            }
        }
    }
}

/* What follows a header changes nothing about it. */
static void test_behind(void **state)
{
    static const sio_bytes more[] = {B("GET / HTTP/1.1\r\n"), B("\r\n"),
                                     B("\0"), B("PROXY UNKNOWN\r\n")};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        for (size_t j = 0; j < COUNT(more); j++) {
            uint8_t both[600];
            tp_proxy_header got;
            sio_bytes in = {both, good[i].in.len + more[j].len};
            memcpy(both, good[i].in.base, good[i].in.len);
            memcpy(both + good[i].in.len, more[j].base, more[j].len);
            assert_int_equal(decode(in, in.len, &got), SIO_OK);
            expect_row(&good[i], &got);
        }
    }
}

/* What is bad is refused as soon as it can be told, and not before. */
static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        for (size_t len = 0; len <= bad[i].in.len; len++) {
            tp_proxy_header got = {.size = 4711};
            sio_error want = len < bad[i].size ? SIO_MORE : SIO_ERR_PROXY;
            sio_error err = decode(bad[i].in, len, &got);
            if (err != want || got.size != 4711) {
                fail_msg("%s, %zu bytes: %d", bad[i].label, len, (int)err);
            }
        }
    }
}

/* One byte too many for the limit, and just as many as it allows. */
static void test_limit(void **state)
{
    enum { FIELDS = TP_PROXY_HEADER_MAX - 16 - 12 };
    static uint8_t big[TP_PROXY_HEADER_MAX + 1];
    sio_bytes in = {big, TP_PROXY_HEADER_MAX};
    tp_proxy_header got;
    (void)state;
    memcpy(big, SIGNATURE "\x21\x11\x0f\xf0" IPV4, 28);
    big[28] = 0x04; /* NOOP */
    big[29] = (FIELDS - 3) >> 8;
    big[30] = (uint8_t)(FIELDS - 3);
    assert_int_equal(decode(in, in.len - 1, &got), SIO_MORE);
    assert_int_equal(decode(in, in.len, &got), SIO_OK);
    assert_int_equal(got.size, TP_PROXY_HEADER_MAX);
    big[15]++;
    in.len++;
    assert_int_equal(decode(in, in.len, &got), SIO_ERR_PROXY);
}

/* A sum covers every byte of the header. */
static void test_sum(void **state)
{
    static const char text[] =
        SIGNATURE "\x21\x11\x00\x1b" IPV4 TLV_SUM_OF_SSL TLV_SSL;
    tp_proxy_header got;
    (void)state;
    for (size_t i = 16; i < sizeof(text) - 1; i++) {
        uint8_t copy[sizeof(text)];
        memcpy(copy, text, sizeof(copy));
        copy[i] ^= 0x10;
        if (i >= 28 && i < 31) {
            continue; /* then it is no sum, and what is there no fields */
        }
        assert_int_not_equal(
            decode((sio_bytes){copy, sizeof(text) - 1}, sizeof(text) - 1, &got),
            SIO_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_behind), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limit),  cmocka_unit_test(test_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
