#ifndef SIO_HANDLERS_H
#define SIO_HANDLERS_H

/* Functions of the application that are called when something happens. */

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "socketio/socketio.h"

/* A hook with its argument; `fn` is cast to the type its list is for. */
typedef struct sio_hook {
    void (*fn)(void);
    void *arg;
} sio_hook;

typedef struct sio_hooks {
    sio_hook *items;
    size_t count;
} sio_hooks;

typedef struct sio_handler {
    sio_event_fn *fn; /* NULL once taken back, while its list is in use */
    void *arg;
    bool once;
    bool first;         /* goes to the front when its list is free again */
    _Atomic bool spent; /* has been called, and was for once */
} sio_handler;

/* The handlers of one event. */
typedef struct sio_handlers {
    sio_map_node node; /* in sio_namespace.handlers */
    char *name;        /* NUL-terminated, owned; NULL for any event */
    sio_bytes view;    /* the same */
    sio_handler *items;
    size_t count;
    unsigned running; /* walks under way */
    bool untidy;      /* some were taken back, or put first, during one */
    bool plain;       /* the name is written in JSON as it is */
} sio_handlers;

void sio_handlers_deinit(sio_handlers *handlers);

#endif
