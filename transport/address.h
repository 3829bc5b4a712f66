#ifndef TP_ADDRESS_H
#define TP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"

typedef enum tp_address_kind {
    TP_ADDRESS_IPV4,
    TP_ADDRESS_IPV6,
    TP_ADDRESS_UNIX /* a unix socket on this machine; there is no more to it */
} tp_address_kind;

/* Where a peer is, without its port.  An IPv4 address in its IPv6 form is
 * always kept as IPv4. */
typedef struct tp_address {
    uint8_t kind;   /* tp_address_kind */
    uint8_t ip[16]; /* in network order; the first 4 bytes for IPv4 */
} tp_address;

/* Room for the text of an address with its NUL. */
#define TP_ADDRESS_SIZE 46

/* The text of a peer on a unix socket. */
#define TP_ADDRESS_UNIX_TEXT "unix:"

/* The address that 4 or 16 bytes in network order stand for. */
tp_address tp_address_of_ip(const uint8_t *ip, size_t len);

/* The address in what accept() gives. */
tp_address tp_address_of_peer(const struct sockaddr *peer);

/* Reads a numeric address, IPv4 or IPv6, that fills `text`; false where it is
 * none.  Leading zeros in IPv4, names, zones and ports are none of it. */
bool tp_address_parse(sio_bytes text, tp_address *out);

/* Writes the address, NUL-terminated, and returns its length. */
size_t tp_address_text(const tp_address *address, char out[TP_ADDRESS_SIZE]);

#endif
