#include <stdlib.h>

#include "engineio/packet.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Splits and decodes a long-polling body.  Beyond not crashing, it holds the
 * code to its word: packets are disjoint views that cover the body up to one
 * separator each, none holds a separator, whatever decodes has lost exactly
 * its type byte, and what does not leaves the result alone.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eio_payload it = {.rest = {data, size}};
    sio_bytes raw;
    size_t covered = 0, count = 0;

    while (eio_payload_next(&it, &raw)) {
        REQUIRE(size == 0 || raw.base == data + covered + count);
        REQUIRE(raw.len == 0 || memchr(raw.base, 0x1e, raw.len) == NULL);
        covered += raw.len;
        count++;

        eio_packet packet = {EIO_PACKET_NOOP, EIO_FORM_BINARY, {NULL, 0}};
        sio_error err = eio_packet_decode_text(raw, &packet);
        if (err == SIO_OK) {
            REQUIRE(packet.data.base == raw.base + 1);
            REQUIRE(packet.data.len == raw.len - 1);
            REQUIRE(packet.type <= EIO_PACKET_NOOP);
            REQUIRE(packet.form != EIO_FORM_BINARY);
        } else {
            REQUIRE(raw.len == 0 ? err == SIO_ERR_PACKET_EMPTY
                                 : err == SIO_ERR_PACKET_TYPE);
            REQUIRE(packet.data.base == NULL);
        }
    }
    REQUIRE(count > 0 && covered + count - 1 == size);
    REQUIRE(!eio_payload_next(&it, &raw));
    return 0;
}
