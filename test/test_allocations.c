/* What an echoed event allocates in the steady state: nothing.  Linked so that
 * the calls of the library to the allocator pass through here. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/threads_rig.h"
#include "test/ws_client.h"

static atomic_ulong calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    atomic_fetch_add(&calls, 1);
    return __real_realloc(memory, size);
}

static void on_echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_socket_emit_args(socket, "echo", sio_event_args(event), 0);
}

static void on_ack(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    sio_event_ack_args(event, sio_event_args(event));
}

static void on_all(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_broadcast_emit_args(
        sio_namespace_broadcast(sio_socket_namespace(socket)), "all",
        sio_event_args(event));
}

static void talk(ws_client *c, const char *packet, int count)
{
    ws_message m;
    for (int i = 0; i < count; i++) {
        ws_client_say(c, packet);
        assert_true(ws_client_hear(c, &m));
        assert_true(m.len > 10);
    }
}

static void add_handlers(sio_namespace *root)
{
    assert_int_equal(sio_namespace_on(root, "echo", on_echo, NULL), SIO_OK);
    assert_int_equal(sio_namespace_on(root, "ack", on_ack, NULL), SIO_OK);
    assert_int_equal(sio_namespace_on(root, "all", on_all, NULL), SIO_OK);
}

static void test_steady_state(void **state)
{
    static const struct {
        const char *label, *packet;
    } rows[] = {
        {"an echoed event", "42[\"echo\",\"hello, world\",{\"n\":1}]"},
        {"an acknowledged one", "4217[\"ack\",\"hello, world\"]"},
        {"a broadcast", "42[\"all\",\"hello, world\"]"},
    };
    (void)state;
    threads_rig rig;
    ws_client c;
    threads_rig_prepare(&rig, 1, NULL);
    add_handlers(rig.root);
    threads_rig_run(&rig);
    ws_client_open(&c, rig.port);
    threads_rig_await(&rig, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        talk(&c, rows[i].packet, 10);
        unsigned long before = calls;
        talk(&c, rows[i].packet, 1000);
        if (calls != before) {
            fail_msg("%s: %lu allocations in 1000 events", rows[i].label,
                     calls - before);
        }
    }
    ws_client_close(&c);
    threads_rig_stop(&rig);
    assert_true(calls > 0); /* they are counted */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
