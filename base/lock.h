#ifndef SIO_BASE_LOCK_H
#define SIO_BASE_LOCK_H

#include <pthread.h>

/*
 * For the few tables that all threads share and that change seldom.  Nothing
 * that a message passes on its way takes one: what crosses threads there are
 * frames and messages.
 */
typedef struct sio_lock {
    pthread_mutex_t mutex;
} sio_lock;

static inline void sio_lock_init(sio_lock *lock)
{
    (void)pthread_mutex_init(&lock->mutex, NULL);
}

/* One that its holder may take again. */
static inline void sio_lock_init_nested(sio_lock *lock)
{
    pthread_mutexattr_t attr;
    (void)pthread_mutexattr_init(&attr);
    (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&lock->mutex, &attr);
    (void)pthread_mutexattr_destroy(&attr);
}

static inline void sio_lock_deinit(sio_lock *lock)
{
    (void)pthread_mutex_destroy(&lock->mutex);
}

static inline void sio_lock_take(sio_lock *lock)
{
    (void)pthread_mutex_lock(&lock->mutex);
}

static inline void sio_lock_leave(sio_lock *lock)
{
    (void)pthread_mutex_unlock(&lock->mutex);
}

#endif
