#include "raw.h"

#include <arpa/inet.h>
#include <string.h>

#include "load.h"
#include "message.h"
#include "traffic.h"

/* As long as a client's WebSocket frame: two bytes of header, two more for a
 * long payload, four of mask, "42". */
static uint32_t record_len(void)
{
    uint32_t packet = message_len + 2;
    return packet + 6 + (packet >= 126 ? 2 : 0);
}

void raw_put(uint32_t seq)
{
    uint32_t len = record_len(), head = htonl(len);
    outgoing_need(len);
    uint8_t *at = outgoing + outgoing_len;
    memcpy(at, &head, 4);
    memset(at + 4, '.', len - 4 - message_len);
    message_write_args(at + len - message_len, seq);
    outgoing_len += len;
}

int64_t raw_parse(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    uint32_t used = 0, back = 0, wanted = record_len();
    for (; len - used >= 4; used += wanted) {
        uint32_t head;
        memcpy(&head, in + used, 4);
        if (ntohl(head) != wanted) {
            return complain("bad length", c, NULL, 0);
        }
        if (len - used < wanted) {
            break;
        }
        const uint8_t *args = in + used + wanted - message_len;
        if (traffic_check(c, args, message_len)) {
            traffic_returned(c, now);
            back++;
        } else {
            complain("wrong payload", c, args, message_len);
            counts.bad++;
        }
    }
    traffic_send(c, back);
    return used;
}
