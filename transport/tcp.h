#ifndef TP_TCP_H
#define TP_TCP_H

#include <sys/socket.h>

#include "transport/loop.h"
#include "transport/stream.h"

/* Makes a stream, of no loop yet, of the connected, non-blocking socket `fd`,
 * of TCP or a unix socket, taking it in any case.  NULL when memory is short.
 */
tp_stream *tp_tcp_new(int fd, const struct sockaddr *peer);

#endif
