#ifndef SOCKETIO_EVENT_H
#define SOCKETIO_EVENT_H

/* Events: their names, arguments and acknowledgements. */

#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All functions on a sio_event: Loop, in the callback that was given it. */

typedef struct sio_binary {
    const void *data;
    size_t len; /* bytes */
} sio_binary;

/*
 * The arguments of an event or an acknowledgement, as they stand on the wire:
 * `json` is the inner text of a JSON array, such as `1,"two",{"three":3}`,
 * without the brackets.  Where an argument, or a value anywhere in one, is
 * binary, the text has {"_placeholder":true,"num":N} and `binaries[N]` the
 * bytes.  A view: it owns nothing.
 */
typedef struct sio_args {
    const char *json; /* not terminated; may be NULL when json_len is 0 */
    size_t json_len;
    const sio_binary *binaries;
    size_t binary_count;
} sio_args;

/* The event's name, NUL-terminated; "" when the client sent no payload.  A
 * number, which is allowed as a name, is given as its digits.  Loop. */
SIO_API const char *sio_event_name(const sio_event *event);

/* All arguments, borrowed from the event: valid until the callback returns.
 * Ready to be handed to any function that takes sio_args.  Loop. */
SIO_API const sio_args *sio_event_args(const sio_event *event);

/* Loop. */
SIO_API size_t sio_event_arg_count(const sio_event *event);

/* The JSON text of one argument, a view into sio_event_args()->json; NULL when
 * there is none.  `len` may be NULL.  Loop. */
SIO_API const char *sio_event_arg(const sio_event *event, size_t index,
                                  size_t *len);

/* The arguments from the one at `index` on: a view that is good for as long as
 * the event.  Loop. */
SIO_API sio_args sio_event_args_from(const sio_event *event, size_t index);

/* Sets `*out` when this argument is binary.  Borrowed.  SIO_ERR_MISMATCH
 * otherwise.  Loop. */
SIO_API SIO_CHECK sio_error sio_event_arg_binary(const sio_event *event,
                                                 size_t index, sio_binary *out);

/*
 * Unpacks the arguments by a format of jansson's json_unpack(): one item per
 * argument, further arguments are ignored.  "s" fills a `const char *` that is
 * valid until the callback returns; "{s:i}" reads a member of an object; "o"
 * borrows a json_t.
 *
 * Returns SIO_OK, SIO_ERR_MISMATCH when the arguments do not fit, or
 * SIO_ERR_NO_MEMORY.  Loop.
 */
SIO_API SIO_CHECK sio_error sio_event_unpack(sio_event *event,
                                             const char *format, ...);

/* Whether the client asked for an acknowledgement and has not got one.
 * Loop. */
SIO_API bool sio_event_wants_ack(const sio_event *event);

/*
 * Acknowledges the event.  `format` and what follows are packed as by
 * jansson's json_pack(), one item per argument; NULL sends none.  Where the
 * client asked for no acknowledgement, or has got it, nothing happens.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT for a bad format, SIO_ERR_STATE when there
 * is nothing to acknowledge, SIO_ERR_CLOSED, SIO_ERR_TOO_LARGE or
 * SIO_ERR_NO_MEMORY.  Loop.
 */
SIO_API sio_error sio_event_ack(sio_event *event, const char *format, ...);

/* The same with ready arguments, which are trusted to be well formed.  Loop. */
SIO_API sio_error sio_event_ack_args(sio_event *event, const sio_args *args);

/*
 * Gives the right to acknowledge later, also after the callback has
 * returned, from any thread; end it with sio_ack_send*() or sio_ack_drop().
 * NULL when there is nothing to acknowledge or memory is short.
 */
SIO_API sio_ack *sio_event_take_ack(sio_event *event);

/* Acknowledge as sio_event_ack() does.  Takes `ack` in every case.  Any
 * thread. */
SIO_API sio_error sio_ack_send(sio_ack *ack, const char *format, ...);
SIO_API sio_error sio_ack_send_args(sio_ack *ack, const sio_args *args);

/* Lets go of `ack` without an answer.  NULL is allowed.  Any thread. */
SIO_API void sio_ack_drop(sio_ack *ack);

/*
 * Gives the event another name, other arguments, or both, for those who are
 * told of it after the caller; NULL leaves what there is.  Both are copied, so
 * they may be views into the event; what was unpacked from it before is not
 * valid any more.
 *
 * Returns SIO_OK; SIO_ERR_RESERVED, or SIO_ERR_ARGUMENT for what is malformed,
 * with nothing changed; or SIO_ERR_NO_MEMORY.  Loop.
 */
SIO_API sio_error sio_event_set(sio_event *event, const char *name,
                                const sio_args *args);

#ifdef __cplusplus
}
#endif

#endif
