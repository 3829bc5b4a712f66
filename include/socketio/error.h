#ifndef SOCKETIO_ERROR_H
#define SOCKETIO_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef SIO_API
#define SIO_API __attribute__((visibility("default")))
#endif

/*
 * Every failure the library can report.  The hundreds say whose turn it is:
 *
 *   -1xx  the caller asked for something impossible; nothing has changed
 *   -2xx  the peer broke the protocol; its session has to be closed
 *   -3xx  circumstances, not conduct; trying again later may work
 *
 * Codes are part of the ABI: append, never renumber.
 */
#define SIO_ERROR_MAP(X)                                                       \
    X(ARGUMENT, -101, "invalid argument")                                      \
    X(STATE, -102, "not possible in the present state")                        \
    X(NO_SPACE, -103, "the destination is too small")                          \
    X(RESERVED, -104, "the event name is reserved")                            \
    X(LIMIT, -105, "a configured limit is reached")                            \
    X(MISMATCH, -106, "the arguments do not have the expected shape")          \
    X(CERTIFICATE, -107, "certificate or key cannot be used")                  \
    X(PACKET_TYPE, -201, "unknown packet type")                                \
    X(PACKET_EMPTY, -202, "a packet needs at least its type")                  \
    X(FRAME_BITS, -203, "reserved bits or opcode in a frame header")           \
    X(FRAME_LENGTH, -204, "frame length not allowed")                          \
    X(TOO_LARGE, -205, "message exceeds the agreed maximum")                   \
    X(FRAME_MASK, -206, "a client's frame must be masked")                     \
    X(FRAME_ORDER, -207, "frame does not continue the message")                \
    X(CLOSE_CODE, -208, "close frame with a code that is not allowed")         \
    X(UTF8, -209, "text is not valid UTF-8")                                   \
    X(BASE64, -210, "binary data is not valid base64")                         \
    X(JSON, -211, "not valid JSON")                                            \
    X(JSON_DEPTH, -212, "JSON is nested too deeply")                           \
    X(ATTACHMENTS, -213, "illegal attachments")                                \
    X(PACKET_ID, -214, "illegal packet id")                                    \
    X(PAYLOAD, -215, "payload does not fit the packet type")                   \
    X(VIOLATION, -216, "packet is not allowed in the present state")           \
    X(HEARTBEAT, -217, "heartbeat in the wrong direction")                     \
    X(OVERLAP, -218, "request overlaps with one in flight")                    \
    X(ABORTED, -219, "request was abandoned before its end")                   \
    X(HTTP_SYNTAX, -220, "malformed HTTP request")                             \
    X(HTTP_FRAMING, -221, "ambiguous HTTP message framing")                    \
    X(HTTP_VERSION, -222, "HTTP version not supported")                        \
    X(HTTP_HEADERS, -223, "HTTP head exceeds its limits")                      \
    X(HTTP_CODING, -224, "transfer coding not implemented")                    \
    X(CONTENT_TYPE, -225, "content type not allowed here")                     \
    X(HANDSHAKE, -226, "malformed WebSocket handshake")                        \
    X(DEFLATE, -227, "compressed data is malformed")                           \
    X(PROXY, -228, "PROXY header is missing, malformed or not allowed")        \
    X(TLS, -229, "TLS failed")                                                 \
    X(PACKET_LENGTH, -230, "a packet's length does not fit its payload")       \
    X(TRUNCATED, -231, "connection cut without an end of TLS")                 \
    X(RATE, -232, "more than may be sent in a second")                         \
    X(NO_MEMORY, -301, "out of memory")                                        \
    X(IO, -302, "input or output failed")                                      \
    X(CLOSED, -303, "closed before it was done")                               \
    X(TIMEOUT, -304, "not answered in time")                                   \
    X(BACKLOG, -305, "too much waits for a slow reader")                       \
    X(ADDRESS, -306, "address cannot be used")                                 \
    X(FILE, -307, "file cannot be read")                                       \
    X(RANDOM, -308, "no source of randomness")

typedef enum sio_error {
    SIO_OK = 0,
    SIO_MORE = 1, /* not an error: the answer needs more input */
#define SIO_ERROR_NAME(name, code, text) SIO_ERR_##name = (code),
    SIO_ERROR_MAP(SIO_ERROR_NAME)
#undef SIO_ERROR_NAME
} sio_error;

/* A lower-case phrase without a full stop, static, never NULL.  Any thread. */
SIO_API const char *sio_error_text(sio_error err);

/* Whether the peer is to blame, and its session therefore beyond repair. */
static inline bool sio_error_is_peers(sio_error err)
{
    return err <= -200 && err > -300;
}

#ifdef __cplusplus
}
#endif

#endif
