#ifndef SOCKETIO_SOCKETIO_H
#define SOCKETIO_SOCKETIO_H

/*
 * libsocketio: a Socket.IO server (protocol revision 5 over Engine.IO 4).
 *
 * This header includes the others, but that for jansson: config and server,
 * namespace, socket, event and broadcast are what an application begins with.
 *
 * The words on ownership in all of them: a callee that *borrows* does not keep
 * what it gets beyond the call; one that *takes* owns it from then on; a
 * function that *gives* makes the caller the owner; what is *shared* is
 * counted, and each holder lets go of its own reference.
 *
 * Threads: a server runs one loop or several, each on a thread of its own, and
 * a client stays on the loop where its session was opened.  Everything about it
 * happens on that loop's thread, one thing after the other: the callbacks with
 * its sockets, in order.  Callbacks of sockets on different loops run at the
 * same time, with the same `arg`.  Each function has one of these rules:
 *
 *   Any thread    also one that is none of the server's.  What concerns another
 *                 loop is sent there and done when its turn comes; calls of one
 *                 thread about one socket are done in their order.  After the
 *                 socket has gone they fail, or do nothing; that needs a
 *                 reference, see sio_socket_ref().
 *   Loop          on the thread of the loop that the object belongs to: in its
 *                 callbacks, or by sio_socket_post() or sio_server_post().
 *   Setup         before sio_server_listen() returns, and after the server has
 *                 closed, on the thread that sets the server up; with one
 *                 thread, on that thread at any time.
 *
 * docs/threads.md tells more.  No call is allowed once sio_server_free() has
 * begun, but sio_socket_unref().
 *
 * Callbacks may call anything in these files, also on the very object they are
 * told about.  Memory goes at the end of the loop's turn, never under the
 * feet of a callback.
 *
 * Strings are NUL-terminated UTF-8 unless a length stands beside them.
 */

#include "socketio/adapter.h"
#include "socketio/broadcast.h"
#include "socketio/config.h"
#include "socketio/conn.h"
#include "socketio/error.h"
#include "socketio/event.h"
#include "socketio/handshake.h"
#include "socketio/http.h"
#include "socketio/log.h"
#include "socketio/namespace.h"
#include "socketio/parser.h"
#include "socketio/server.h"
#include "socketio/socket.h"
#include "socketio/tls.h"
#include "socketio/types.h"

#endif
