#ifndef INTEROP_PROFILE_ROWS_H
#define INTEROP_PROFILE_ROWS_H

/* What the files of the profile `rows` know of each other; the commands stand
 * in profile_rows.c. */

#include "profiles.h"
#include "socketio/jansson.h"

typedef struct waiter waiter; /* a GET /log that is not answered yet */
typedef struct gate gate;     /* a middleware that is not answered yet */

typedef struct rows {
    testserver *ts;
    json_t *log; /* array of what has been noted */
    LIST_HEAD(waiter_list, waiter) waiters;
    STAILQ_HEAD(gate_list, gate) gates; /* in the order of arrival */
    unsigned flaky_tries;
} rows;

/* What a socket carries as its data. */
typedef struct person {
    rows *rows;
    char text[64];     /* of the event `set-data` */
    char id[32];       /* of the socket, for the note at its end */
    uint32_t next;     /* the number that `n` has to bring next */
    uint32_t disorder; /* how often it was another */
} person;

typedef struct handler {
    const char *event;
    sio_event_fn *fn;
} handler;

/* Notes `what` with the socket's namespace and id and what jansson packs by
 * `format`, an object, or NULL. */
void rows_note(rows *r, const sio_socket *socket, const char *what,
               const char *format, ...);

/* Notes an object, which is taken. */
void rows_append(rows *r, json_t *entry);

/* Registers handlers whose `arg` is `r`. */
bool rows_on_all(rows *r, sio_namespace *nsp, const handler *list,
                 size_t count);

/* Acknowledges an event with the text of `err`. */
void rows_ack_error(sio_event *event, sio_error err);

/* The first argument if it is an object, borrowed, or NULL; then the event
 * has been acknowledged with an error. */
json_t *rows_options(sio_event *event);

bool rows_events_add(rows *r, sio_namespace *nsp);
bool rows_acks_add(rows *r, sio_namespace *nsp);
bool rows_rooms_add(rows *r, sio_namespace *nsp);
bool rows_hooks_events_add(rows *r, sio_namespace *nsp);

/* Makes the namespaces with hooks; see profile_rows_hooks.c. */
bool rows_hooks_add(rows *r);

/* Gives a namespace all events; see profile_rows.c. */
bool rows_commands_add(rows *r, sio_namespace *nsp);

/* Has clients make namespaces, and notes those that are made from then on. */
bool rows_namespaces_add(rows *r);

/* Makes the namespaces with middlewares. */
bool rows_middlewares_add(rows *r);

/* Lets everyone pass who waits at a gate; says how many. */
size_t rows_gates_open(rows *r);

#endif
