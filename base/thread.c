#include "base/thread.h"

#include <pthread.h>

uintptr_t sio_thread_self(void)
{
    return (uintptr_t)pthread_self();
}
