#ifndef TP_THREAD_H
#define TP_THREAD_H

#include <pthread.h>

#include "transport/loop.h"

/* A thread that runs a loop which was made elsewhere.  Start zeroed. */
typedef struct tp_thread {
    pthread_t id;
    bool started;
} tp_thread;

/* Starts it: the loop is its own until it has ended, which it does when the
 * loop is broken off.  Signals go to other threads.  Fails with NO_MEMORY, the
 * kernel having refused. */
sio_error tp_thread_start(tp_thread *thread, tp_loop *loop);

/* Waits for its end, if it was started. */
void tp_thread_join(tp_thread *thread);

/* Processors that this process may run on; at least 1. */
unsigned tp_thread_processors(void);

#endif
