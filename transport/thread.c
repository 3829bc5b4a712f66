#include "transport/thread.h"

#include <sched.h>
#include <signal.h>

static void *run(void *arg)
{
    tp_loop *loop = arg;
    tp_loop_adopt(loop);
    ev_run(loop->ev, 0);
    return NULL;
}

sio_error tp_thread_start(tp_thread *thread, tp_loop *loop)
{
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    thread->started = pthread_create(&thread->id, NULL, run, loop) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread->started ? SIO_OK : SIO_ERR_NO_MEMORY;
}

void tp_thread_join(tp_thread *thread)
{
    if (thread->started) {
        (void)pthread_join(thread->id, NULL);
        thread->started = false;
    }
}

unsigned tp_thread_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1; /* more than a set has room for */
    }
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}
