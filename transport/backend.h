#ifndef TP_BACKEND_H
#define TP_BACKEND_H

/*
 * The epoll descriptor of a loop of libev, which libev keeps to itself: the one
 * that watches `fd`, as the kernel tells in /proc; -1 where it does not.
 *
 * Why it is needed: when a watcher stops, libev leaves the descriptor in its
 * epoll set, expecting it to be closed, and takes it out when an event comes.
 * A connection that goes on to another loop is not closed, and by the time an
 * event comes its number may be somebody else's.
 */
int tp_backend_find(int fd);

/* Takes `fd` out of the epoll set at once. */
void tp_backend_forget(int backend, int fd);

#endif
