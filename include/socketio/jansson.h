#ifndef SOCKETIO_JANSSON_H
#define SOCKETIO_JANSSON_H

/* JSON values as jansson's trees, for those who prefer them to formats.  What
 * emits: any thread; what takes an event: Loop (see socketio.h); trees are the
 * caller's own. */

#include <jansson.h>

#include "socketio/socketio.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The arguments as an array.  Borrowed from the event: valid until the
 * callback returns, or keep it with json_incref().  Binary values are their
 * placeholder objects.  NULL when memory is short.  Loop. */
SIO_API json_t *sio_event_json(sio_event *event);

/* The value that stands for binaries[num] of a sio_args in a tree.  Gives a
 * new reference; NULL when memory is short.  Any thread. */
SIO_API json_t *sio_binary_json(size_t num);

/* Emit with `args`, an array, or NULL for none; it is borrowed.  Errors as
 * sio_socket_emit(), and SIO_ERR_ARGUMENT when `args` is no array.
 * Any thread; with an event: Loop. */
SIO_API sio_error sio_socket_emit_tree(sio_socket *socket, const char *event,
                                       const json_t *args,
                                       const sio_binary *binaries,
                                       size_t binary_count);
SIO_API sio_error sio_broadcast_emit_tree(sio_broadcast b, const char *event,
                                          const json_t *args,
                                          const sio_binary *binaries,
                                          size_t binary_count);
SIO_API sio_error sio_event_ack_tree(sio_event *event, const json_t *args,
                                     const sio_binary *binaries,
                                     size_t binary_count);

#ifdef __cplusplus
}
#endif

#endif
