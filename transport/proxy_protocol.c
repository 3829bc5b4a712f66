#include "transport/proxy_protocol.h"

/* Whether the shorter of the two is how the longer one begins. */
static bool begins_alike(sio_bytes a, sio_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    return len == 0 || memcmp(a.base, b.base, len) == 0;
}

/* ------------------------------------------------------------- version 1 -- */

/* Bytes of a line without its CRLF. */
#define LINE_MAX_V1 105

/* Finds the end of the line: SIO_OK with its length, SIO_MORE, or PROXY. */
static sio_error find_line_end(sio_bytes in, size_t *len)
{
    size_t at = 0;
    while (at < in.len && in.base[at] != '\r' && in.base[at] != '\n') {
        at++;
    }
    if (at > LINE_MAX_V1 || (at < in.len && in.base[at] == '\n')) {
        return SIO_ERR_PROXY;
    }
    if (at + 1 >= in.len) {
        return SIO_MORE;
    }
    *len = at;
    return in.base[at + 1] == '\n' ? SIO_OK : SIO_ERR_PROXY;
}

/* Cuts off what stands before the next space, and that one space. */
static sio_bytes next_word(sio_bytes *rest)
{
    const uint8_t *space =
        rest->len == 0 ? NULL : memchr(rest->base, ' ', rest->len);
    sio_bytes word = *rest;
    if (space == NULL) {
        *rest = (sio_bytes){0};
        return word;
    }
    word.len = (size_t)(space - word.base);
    *rest = (sio_bytes){space + 1, rest->len - word.len - 1};
    return word;
}

static bool is_port(sio_bytes word)
{
    uint32_t value = 0;
    if (word.len == 0 || word.len > 5 ||
        (word.base[0] == '0' && word.len > 1)) {
        return false;
    }
    for (size_t i = 0; i < word.len; i++) {
        if (word.base[i] < '0' || word.base[i] > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(word.base[i] - '0');
    }
    return value <= UINT16_MAX;
}

/* An address as the family has it: only IPv6 is written with colons. */
static bool is_address(sio_bytes word, bool ipv6, tp_address *out)
{
    return word.len != 0 && tp_address_parse(word, out) &&
           (memchr(word.base, ':', word.len) != NULL) == ipv6;
}

/* What stands behind TCP4 or TCP6. */
static sio_error read_endpoints(sio_bytes rest, bool ipv6, tp_proxy_header *out)
{
    tp_address client, server;
    sio_bytes source = next_word(&rest);
    sio_bytes destination = next_word(&rest);
    sio_bytes source_port = next_word(&rest);
    /* Nothing comes behind the last port, so a space there belongs to it. */
    if (!is_address(source, ipv6, &client) ||
        !is_address(destination, ipv6, &server) || !is_port(source_port) ||
        !is_port(rest)) {
        return SIO_ERR_PROXY;
    }
    out->known = true;
    out->client = client;
    return SIO_OK;
}

static sio_error decode_v1(sio_bytes in, tp_proxy_header *out)
{
    size_t len;
    sio_error err = find_line_end(in, &len);
    if (err != SIO_OK) {
        return err;
    }
    sio_bytes rest = {in.base, len};
    tp_proxy_header header = {.size = len + 2};
    (void)next_word(&rest);
    sio_bytes protocol = next_word(&rest);
    if (sio_bytes_eq(protocol, SIO_LIT("TCP4"))) {
        err = read_endpoints(rest, false, &header);
    } else if (sio_bytes_eq(protocol, SIO_LIT("TCP6"))) {
        err = read_endpoints(rest, true, &header);
    } else if (!sio_bytes_eq(protocol, SIO_LIT("UNKNOWN"))) {
        err = SIO_ERR_PROXY;
    }
    if (err == SIO_OK) {
        *out = header;
    }
    return err;
}

/* ------------------------------------------------------------- version 2 -- */

enum {
    HEAD_SIZE = 16,
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    FAMILY_INET = 1,
    FAMILY_INET6 = 2,
    FAMILY_UNIX = 3,
    PROTOCOL_STREAM = 1,
    PROTOCOL_DGRAM = 2,
    TLV_CRC32C = 0x03,
    TLV_SSL = 0x20,
    CLIENT_SSL = 0x01
};

/* The fields behind the signature. */
typedef struct head_v2 {
    unsigned command, family, protocol;
    size_t len; /* of what follows the head */
} head_v2;

static size_t read_be16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static uint32_t read_be32(const uint8_t *at)
{
    return (uint32_t)(read_be16(at) << 16 | read_be16(at + 2));
}

/* Both addresses with their ports, where there are ports. */
static size_t size_of_addresses(unsigned family)
{
    static const uint8_t sizes[] = {
        0, [FAMILY_INET] = 12, [FAMILY_INET6] = 36, [FAMILY_UNIX] = 216};
    return sizes[family];
}

/* Whether the client's address is there to be read.  LOCAL speaks of nobody,
 * and then the family has no meaning. */
static bool is_known(const head_v2 *head)
{
    return head->command == COMMAND_PROXY && head->family != 0 &&
           head->protocol == PROTOCOL_STREAM;
}

/* Reads the head as far as it has come, so that what is wrong in it is refused
 * without waiting for more. */
static sio_error read_head(sio_bytes in, head_v2 *head)
{
    const uint8_t *b = in.base;
    if (in.len < 13) {
        return SIO_MORE;
    }
    head->command = b[12] & 0x0f;
    if (b[12] >> 4 != 2 || head->command > COMMAND_PROXY) {
        return SIO_ERR_PROXY;
    }
    if (in.len < 14) {
        return SIO_MORE;
    }
    head->family = b[13] >> 4;
    head->protocol = b[13] & 0x0f;
    if (head->command == COMMAND_PROXY &&
        (head->family > FAMILY_UNIX || head->protocol > PROTOCOL_DGRAM)) {
        return SIO_ERR_PROXY;
    }
    if (in.len < HEAD_SIZE) {
        return SIO_MORE;
    }
    head->len = read_be16(b + 14);
    if (head->len > TP_PROXY_HEADER_MAX - HEAD_SIZE ||
        (is_known(head) && head->len < size_of_addresses(head->family))) {
        return SIO_ERR_PROXY;
    }
    return in.len < HEAD_SIZE + head->len ? SIO_MORE : SIO_OK;
}

static tp_address read_client(unsigned family, const uint8_t *source)
{
    if (family == FAMILY_UNIX) {
        return (tp_address){.kind = TP_ADDRESS_UNIX};
    }
    return tp_address_of_ip(source, family == FAMILY_INET ? 4 : 16);
}

/* RFC 4960, appendix B: the polynomial 0x1EDC6F41, bits reversed. */
static uint32_t crc32c(uint32_t crc, sio_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= bytes.base[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78U : 0);
        }
    }
    return crc;
}

/* The sum is made over the whole header, with zeros in its own place. */
static bool sum_is_right(sio_bytes header, sio_bytes sum)
{
    static const uint8_t zeros[4];
    if (sum.len != sizeof(zeros)) {
        return false;
    }
    size_t before = (size_t)(sum.base - header.base);
    sio_bytes behind = {sum.base + 4, header.len - before - 4};
    uint32_t crc = crc32c(UINT32_MAX, (sio_bytes){header.base, before});
    crc = crc32c(crc, (sio_bytes){zeros, sizeof(zeros)});
    crc = crc32c(crc, behind);
    return ~crc == read_be32(sum.base);
}

/* Reads the type-length-value fields that fill `rest`, the end of `header`. */
static sio_error read_tlvs(sio_bytes header, sio_bytes rest,
                           tp_proxy_header *out)
{
    bool summed = false;
    while (rest.len != 0) {
        if (rest.len < 3 || read_be16(rest.base + 1) > rest.len - 3) {
            return SIO_ERR_PROXY;
        }
        sio_bytes value = {rest.base + 3, read_be16(rest.base + 1)};
        uint8_t type = rest.base[0];
        if (type == TLV_CRC32C && (summed || !sum_is_right(header, value))) {
            return SIO_ERR_PROXY;
        }
        summed = summed || type == TLV_CRC32C;
        if (type == TLV_SSL && value.len < 5) {
            return SIO_ERR_PROXY;
        }
        if (type == TLV_SSL) {
            out->secure = (value.base[0] & CLIENT_SSL) != 0;
        }
        rest = (sio_bytes){value.base + value.len, rest.len - value.len - 3};
    }
    return SIO_OK;
}

static sio_error decode_v2(sio_bytes in, tp_proxy_header *out)
{
    head_v2 head;
    sio_error err = read_head(in, &head);
    if (err != SIO_OK) {
        return err;
    }
    tp_proxy_header header = {.size = HEAD_SIZE + head.len};
    if (is_known(&head)) {
        size_t used = HEAD_SIZE + size_of_addresses(head.family);
        header.known = true;
        header.client = read_client(head.family, in.base + HEAD_SIZE);
        err =
            read_tlvs((sio_bytes){in.base, header.size},
                      (sio_bytes){in.base + used, header.size - used}, &header);
    }
    if (err == SIO_OK) {
        *out = header;
    }
    return err;
}

sio_error tp_proxy_header_decode(sio_bytes in, tp_proxy_header *out)
{
    static const sio_bytes line = SIO_LIT_INIT("PROXY ");
    static const sio_bytes signature = SIO_LIT_INIT("\r\n\r\n\0\r\nQUIT\n");
    if (in.len == 0) {
        return SIO_MORE;
    }
    if (begins_alike(in, line)) {
        return decode_v1(in, out);
    }
    return begins_alike(in, signature) ? decode_v2(in, out) : SIO_ERR_PROXY;
}
