#include <stdio.h>
#include <stdlib.h>

#include "base/writer.h"
#include "transport/proxy_protocol.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define SIZE_MAX_IN (TP_PROXY_HEADER_MAX + 100)
#define EVERY_TO 300 /* up to here every prefix is tried */
#define STEP 131

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const tp_proxy_header *a, const tp_proxy_header *b)
{
    return a->known == b->known && a->secure == b->secure &&
           a->size == b->size &&
           (!a->known || (a->client.kind == b->client.kind &&
                          memcmp(a->client.ip, b->client.ip, 16) == 0));
}

/* A prefix asks for more until the answer is there, which then stays; a good
 * header is known at its last byte, and not before. */
static sio_error check_prefixes(sio_bytes in, tp_proxy_header *out)
{
    sio_error whole = tp_proxy_header_decode(in, out);
    bool told = false;
    for (size_t len = 0; len <= in.len; len += len < EVERY_TO ? 1 : STEP) {
        tp_proxy_header got = {.size = SIZE_MAX};
        sio_error err = tp_proxy_header_decode((sio_bytes){in.base, len}, &got);
        REQUIRE(err == whole || (err == SIO_MORE && !told));
        REQUIRE(err == SIO_OK || got.size == SIZE_MAX);
        REQUIRE(err != SIO_OK || (same(&got, out) && len >= got.size));
        REQUIRE(whole != SIO_OK || len < out->size || err == SIO_OK);
        told = told || err != SIO_MORE;
    }
    return whole;
}

static void expect(const uint8_t *bytes, size_t len,
                   const tp_proxy_header *want)
{
    tp_proxy_header got, copy = *want;
    copy.size = len;
    REQUIRE(tp_proxy_header_decode((sio_bytes){bytes, len}, &got) == SIO_OK);
    REQUIRE(same(&got, &copy));
}

/* The client's address in a line. */
static void check_line(const tp_proxy_header *header)
{
    char text[TP_ADDRESS_SIZE], line[128];
    bool ipv6 = header->client.kind == TP_ADDRESS_IPV6;
    tp_proxy_header want = *header;
    (void)tp_address_text(&header->client, text);
    int len = snprintf(line, sizeof(line), "PROXY TCP%d %s %s 1 65535\r\n",
                       ipv6 ? 6 : 4, text, ipv6 ? "::" : "0.0.0.0");
    want.secure = false;
    REQUIRE(len <= 107);
    expect((const uint8_t *)line, (size_t)len, &want);
}

/* Another way to make the sum: by a table. */
static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
    static uint32_t table[256];
    uint32_t sum = UINT32_MAX;
    for (uint32_t i = 0; table[255] == 0 && i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) {
            c = (c & 1) != 0 ? c >> 1 ^ 0x82f63b78U : c >> 1;
        }
        table[i] = c;
    }
    for (size_t i = 0; i < len; i++) {
        sum = table[(sum ^ bytes[i]) & 0xff] ^ sum >> 8;
    }
    return ~sum;
}

/* The same in binary, with TLS or without, and a sum, which every change
 * breaks. */
static void check_binary(const tp_proxy_header *header, size_t change)
{
    uint8_t out[80] = {0};
    bool ipv6 = header->client.kind == TP_ADDRESS_IPV6;
    size_t ip = ipv6 ? 16 : 4, fields = 2 * ip + 4;
    sio_writer w = {out, sizeof(out), 0};
    sio_write_bytes(&w, SIO_LIT("\r\n\r\n\0\r\nQUIT\n\x21"));
    sio_write_byte(&w, ipv6 ? 0x21 : 0x11);
    sio_write_byte(&w, 0);
    sio_write_byte(&w, (uint8_t)(fields + 8 + 7));
    sio_write_bytes(&w, (sio_bytes){header->client.ip, ip});
    w.len += ip + 4; /* zeros: to whom, and the ports */
    sio_write_bytes(&w, SIO_LIT("\x20\0\x05"));
    sio_write_byte(&w, header->secure ? 1 : 0);
    sio_write_bytes(&w, SIO_LIT("\0\0\0\0\x03\0\x04"));
    size_t at = w.len;
    w.len += 4;
    uint32_t sum = sum_of(out, w.len);
    for (int i = 0; i < 4; i++) {
        out[at + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
    }
    expect(out, w.len, header);
    tp_proxy_header got;
    change = 16 + change % (fields + 8);
    out[change] ^= 1;
    REQUIRE(tp_proxy_header_decode((sio_bytes){out, w.len}, &got) != SIO_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tp_proxy_header header;
    if (size > SIZE_MAX_IN) {
        return 0;
    }
    if (check_prefixes((sio_bytes){data, size}, &header) == SIO_OK &&
        header.known && header.client.kind != TP_ADDRESS_UNIX) {
        check_line(&header);
        check_binary(&header, size);
    }
    return 0;
}
