#ifndef TEST_THREADS_RIG_H
#define TEST_THREADS_RIG_H

#include <pthread.h>
#include <stdatomic.h>

#include "socketio/socketio.h"

enum { THREADS_RIG_SOCKETS = 4096 };

/* A server with several threads in this process, which keeps a reference to
 * each connected socket, for threads that are none of its own. */
typedef struct threads_rig {
    sio_server *server;
    sio_namespace *root;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    sio_socket *sockets[THREADS_RIG_SOCKETS];
    size_t count;
    atomic_bool over;
    atomic_uint posted, answered, fetched, counted, surveyed, drained;
} threads_rig;

/* Starts one; `change`, unless NULL, may change its configuration. */
void threads_rig_start(threads_rig *rig, unsigned threads,
                       void (*change)(sio_server_config *config));

/* The same in two steps: handlers may be added in between. */
void threads_rig_prepare(threads_rig *rig, unsigned threads,
                         void (*change)(sio_server_config *config));
void threads_rig_run(threads_rig *rig);

/* Stops and frees it. */
void threads_rig_stop(threads_rig *rig);

/* Gives a reference to one of the sockets; waits while there is none, and gives
 * NULL once the server is being stopped. */
sio_socket *threads_rig_pick(threads_rig *rig, unsigned *seed);

/* Waits until as many sockets are connected; aborts after a minute. */
void threads_rig_await(threads_rig *rig, size_t count);

/* Open descriptors, and bytes of the heap in use, of this process. */
int threads_rig_files(void);
size_t threads_rig_memory(void);

/* Whether a sanitizer's allocator is at work. */
bool threads_rig_sanitized(void);

#endif
