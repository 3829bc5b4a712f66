#include "transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

tp_address tp_address_of_ip(const uint8_t *ip, size_t len)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    tp_address address = {.kind = TP_ADDRESS_IPV4};
    if (len == 16 && memcmp(ip, mapped, sizeof(mapped)) != 0) {
        address.kind = TP_ADDRESS_IPV6;
        memcpy(address.ip, ip, 16);
    } else {
        memcpy(address.ip, ip + (len - 4), 4);
    }
    return address;
}

tp_address tp_address_of_peer(const struct sockaddr *peer)
{
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)peer;
        return tp_address_of_ip((const uint8_t *)&in->sin_addr, 4);
    }
    if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)peer;
        return tp_address_of_ip((const uint8_t *)&in6->sin6_addr, 16);
    }
    return (tp_address){.kind = TP_ADDRESS_UNIX};
}

bool tp_address_parse(sio_bytes text, tp_address *out)
{
    char copy[TP_ADDRESS_SIZE];
    uint8_t ip[16];
    if (text.len == 0 || text.len >= sizeof(copy) ||
        memchr(text.base, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(copy, text.base, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, ip) == 1) {
        *out = tp_address_of_ip(ip, 4);
        return true;
    }
    if (inet_pton(AF_INET6, copy, ip) == 1) {
        *out = tp_address_of_ip(ip, 16);
        return true;
    }
    return false;
}

size_t tp_address_text(const tp_address *address, char out[TP_ADDRESS_SIZE])
{
    int family = address->kind == TP_ADDRESS_IPV6 ? AF_INET6 : AF_INET;
    if (address->kind == TP_ADDRESS_UNIX) {
        memcpy(out, TP_ADDRESS_UNIX_TEXT, sizeof(TP_ADDRESS_UNIX_TEXT));
    } else if (inet_ntop(family, address->ip, out, TP_ADDRESS_SIZE) == NULL) {
        out[0] = '\0';
    }
    return strlen(out);
}
