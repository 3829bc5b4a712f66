#ifndef SIO_BASE_THREAD_H
#define SIO_BASE_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Whose thread something belongs to.  Any thread may ask; the answer is exact
 * for the owner itself and for everybody who is not the owner, as long as the
 * owner's thread lives.
 */
typedef struct sio_owner {
    atomic_uintptr_t thread; /* 0: nobody's */
} sio_owner;

/* A number of the calling thread that no other living thread has; never 0. */
uintptr_t sio_thread_self(void);

/* Makes the calling thread the owner.  The one before must have ended, or have
 * handed over by something that orders the two, such as starting a thread. */
static inline void sio_owner_take(sio_owner *owner)
{
    atomic_store_explicit(&owner->thread, sio_thread_self(),
                          memory_order_relaxed);
}

static inline void sio_owner_leave(sio_owner *owner)
{
    atomic_store_explicit(&owner->thread, 0, memory_order_relaxed);
}

static inline bool sio_owner_is_me(const sio_owner *owner)
{
    return atomic_load_explicit(&owner->thread, memory_order_relaxed) ==
           sio_thread_self();
}

#endif
