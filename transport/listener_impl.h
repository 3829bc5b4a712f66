#ifndef TP_LISTENER_IMPL_H
#define TP_LISTENER_IMPL_H

/* What listener.c and listener_unix.c need of each other. */

#include "transport/listener.h"

/* Takes a socket that listens. */
void tp_listener_add(tp_listener *l, int fd);

/* Accepts from now on. */
void tp_listener_start(tp_listener *l);

/* Closes `fd`, leaving errno as it was.  Returns -1. */
int tp_listener_discard(int fd);

/* Removes the file of a unix socket, where there is one and it is still that
 * of this listener. */
void tp_listener_remove_file(tp_listener *l);

#endif
