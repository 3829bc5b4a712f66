#ifndef TEST_HTTP_PEER_H
#define TEST_HTTP_PEER_H

#include "test/http_rig.h"

/* The peer of an http_rig: what it says, and what it has to hear. */

/* Requests. */
#define EXPECTING "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
#define GET_A "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST_HALF "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nhi"
#define CHUNKED_HALF                                                           \
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhi"

/* What fills a body. */
#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10
#define A600 A100 A100 A100 A100 A100 A100
#define A1000 A600 A100 A100 A100 A100

/* Answers of the rig, whose bodies follow, and such without a body. */
#define DATE "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
#define ANSWER(len, then)                                                      \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " len      \
    "\r\nX-Y: z\r\n" DATE "Connection: " then "\r\n\r\n"
#define KEPT(len) ANSWER(len, "keep-alive")
#define LAST(len) ANSWER(len, "close")
#define BARE(status)                                                           \
    "HTTP/1.1 " status "\r\nContent-Length: 0\r\n" DATE                        \
    "Connection: close\r\n\r\n"

/* Turns until nothing moves.  The stream takes `room` bytes at a time, the
 * application answers in the turn after the request. */
void http_peer_settle(http_rig *rig, size_t room);

/* Feeds all, in pieces, with turns between them. */
void http_peer_feed(http_rig *rig, sio_bytes in, size_t room);

/* The same with text, and room for all. */
void http_peer_say(http_rig *rig, const char *text);

/* Expects `text`, and nothing else, to have been sent since the last call. */
void http_peer_expect(http_rig *rig, const char *text);

#endif
