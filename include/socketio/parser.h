#ifndef SOCKETIO_PARSER_H
#define SOCKETIO_PARSER_H

/* A parser of the application's own: how packets look in messages.  Clients
 * have to use its counterpart, the option `parser` of socket.io-client. */

#include "socketio/event.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Types of packets with their numbers in the protocol. */
typedef enum sio_packet_type {
    SIO_PACKET_CONNECT,
    SIO_PACKET_DISCONNECT,
    SIO_PACKET_EVENT,
    SIO_PACKET_ACK,
    SIO_PACKET_CONNECT_ERROR,
    SIO_PACKET_BINARY_EVENT, /* from here on, attachments follow; parsers of */
    SIO_PACKET_BINARY_ACK    /* applications never meet these two */
} sio_packet_type;

/*
 * A packet, whatever it looks like in a message.  `data` is JSON text: of an
 * event the array of its name and arguments, of an ack that of its arguments,
 * of CONNECT an object, of CONNECT_ERROR an object or a string, of DISCONNECT
 * nothing.  Binary values in it are placeholders for `binaries`, as in
 * sio_args.  A view: it owns nothing.
 */
typedef struct sio_packet_view {
    sio_packet_type type;
    const char *nsp; /* with its slash; not terminated */
    size_t nsp_len;
    bool has_id;
    uint64_t id;      /* an ack's, or of an event that asks for one */
    const char *data; /* not terminated; may be NULL when data_len is 0 */
    size_t data_len;
    const sio_binary *binaries;
    size_t binary_count;
} sio_packet_view;

/* Where a message is written to, and where a packet is. */
typedef struct sio_message_out sio_message_out;
typedef struct sio_packet_out sio_packet_out;

/*
 * A packet is one message.  The functions are called on any thread, on several
 * at the same time.  They call no function of the server but the two below.
 */
typedef struct sio_parser_methods {
    bool binary; /* messages are binary; else text in UTF-8, without U+001E,
                    which polling has between messages */

    /* Writes the message for `packet`, borrowed, by any number of calls of
     * sio_message_write().  May be called twice for one packet, and has to
     * write the same then.  With an error nothing is sent, and who emits is
     * given SIO_ERR_ARGUMENT. */
    sio_error (*encode)(const sio_packet_view *packet, sio_message_out *out,
                        void *arg);

    /*
     * Reads the packet in the message of `len` bytes, which has the form that
     * `binary` says and at most max_payload bytes, and gives it to
     * sio_packet_give() once.  What it makes of the message it has to bound
     * itself.  An error, best SIO_ERR_PAYLOAD, ends the client's connection
     * with "parse error", and so does a return without a packet.
     */
    sio_error (*decode)(const void *message, size_t len, sio_packet_out *out,
                        void *arg);
} sio_parser_methods;

/* Appends to the message.  Any thread: within encode. */
SIO_API void sio_message_write(sio_message_out *out, const void *data,
                               size_t len);

/*
 * Gives the packet; all of it is copied.  It is checked as if it had come in
 * the form of the default parser: types, depth, reserved names, ids up to
 * 2^53 - 1, placeholders.  Returns SIO_OK, or what is wrong, which decode has
 * to return, too.  Any thread: within decode.
 */
SIO_API sio_error sio_packet_give(sio_packet_out *out,
                                  const sio_packet_view *packet);

#ifdef __cplusplus
}
#endif

#endif
