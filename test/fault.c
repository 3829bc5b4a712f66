#include "test/fault.h"

#include <unistd.h>

fault fault_now = {.at = FAULT_NEVER};
_Thread_local fault_thread fault_here;

FAULT_PLAIN static bool counts_here(void)
{
    return fault_here == FAULT_THREAD_COUNTS ||
           (fault_here == FAULT_THREAD_NEW && gettid() == getpid());
}

FAULT_PLAIN bool fault_strikes(fault_call which)
{
    if (which != fault_now.which ||
        !__atomic_load_n(&fault_now.on, __ATOMIC_RELAXED) || !counts_here()) {
        return false;
    }
    size_t nth = __atomic_fetch_add(&fault_now.count, 1, __ATOMIC_RELAXED);
    bool struck = fault_now.lasting ? nth >= fault_now.at : nth == fault_now.at;
    if (struck) {
        fault_struck();
    }
    return struck;
}

FAULT_PLAIN __attribute__((noinline)) void fault_struck(void)
{
    __asm__ volatile("");
}

bool fault_has_struck(void)
{
    return __atomic_load_n(&fault_now.count, __ATOMIC_RELAXED) > fault_now.at;
}
