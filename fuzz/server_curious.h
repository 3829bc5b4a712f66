#ifndef FUZZ_SERVER_CURIOUS_H
#define FUZZ_SERVER_CURIOUS_H

/* The application asks for all there is to know, and sees that answers which
 * come by two ways agree. */

#include "fuzz/server_app.h"

/* About who has come, by its handshake, its connection and its rooms. */
void curious_about_socket(sio_socket *socket);

/* About an event, by its arguments; takes away the first of them. */
void curious_about_event(sio_event *event);

/* About all in a namespace, when the answers come. */
void curious_about_all(sio_namespace *nsp);

#endif
