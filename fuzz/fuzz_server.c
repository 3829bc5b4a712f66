/*
 * The whole server, with sockets and a clock that the input scripts: five
 * bytes switch features on (rig_flag), then come steps of a client or of the
 * network (server_steps.c).  Whatever they do, what clients get is well formed,
 * a client that behaves gets its echoes, memory stays within the limits, and
 * nothing is left once the servers have closed.
 */
#include <stdlib.h>

#include "fuzz/fake_net.h"
#include "fuzz/server_client.h"
#include "fuzz/server_input.h"
#include "fuzz/server_reach.h"
#include "fuzz/server_rig.h"
#include "fuzz/server_steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ev_loop *ev;

/* For seeds: each must get where it says that it does. */
static void report(void)
{
    const char *wanted = getenv("FUZZ_SERVER_REACH");
    if (!reach_report(wanted == NULL ? "" : wanted)) {
        _Exit(1);
    }
}

static void prepare(void)
{
    ev = ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
    if (ev == NULL) {
        abort();
    }
    (void)atexit(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t flags = 0;
    if (ev == NULL) {
        prepare();
    }
    if (size <= RIG_FLAG_BYTES || size > INPUT_MOST) {
        return 0;
    }
    input_begin(data, size);
    for (int i = 0; i < RIG_FLAG_BYTES; i++) {
        flags = flags << 8 | input_byte();
    }
    fake_net_begin(ev);
    rig_start(ev, flags);
    steps_run();
    healthy_echo(true);
    rig_end();
    fake_net_end();
    return 0;
}
