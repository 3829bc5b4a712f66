#ifndef TP_TCP_H
#define TP_TCP_H

#include <sys/socket.h>

#include "transport/loop.h"
#include "transport/stream.h"

/*
 * Makes a stream of the connected, non-blocking socket `fd`, taking it in any
 * case, and starts to read.  Set `events` and `owner` before the turn ends.
 * `bytes_in` and `bytes_out` are counters, borrowed.  NULL when memory is
 * short.
 */
tp_stream *tp_tcp_new(tp_loop *loop, int fd, const struct sockaddr *peer,
                      uint64_t *bytes_in, uint64_t *bytes_out);

#endif
