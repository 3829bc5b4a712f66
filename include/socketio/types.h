#ifndef SOCKETIO_TYPES_H
#define SOCKETIO_TYPES_H

/* The names of all objects; what the other headers build upon. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "socketio/error.h"
#include "socketio/log.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SIO_CHECK __attribute__((warn_unused_result))

struct ev_loop;

typedef struct sio_server sio_server;
typedef struct sio_namespace sio_namespace;
typedef struct sio_socket sio_socket;
typedef struct sio_event sio_event;
typedef struct sio_ack sio_ack;
typedef struct sio_handshake sio_handshake;
typedef struct sio_next sio_next;
typedef struct sio_event_next sio_event_next;
typedef struct sio_conn sio_conn;
typedef struct sio_reply sio_reply;
typedef struct sio_claim sio_claim;
typedef struct sio_verdict sio_verdict;
typedef struct sio_http_request sio_http_request;

typedef void sio_socket_fn(sio_socket *socket, void *arg);

/* "major.minor.patch" of the library that is running, static.  Any thread. */
SIO_API const char *sio_version(void);

#ifdef __cplusplus
}
#endif

#endif
