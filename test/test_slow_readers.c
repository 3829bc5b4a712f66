/* Clients that stop reading while broadcasts go out: those who read get all of
 * them in order, the others are let go, and memory stays within bounds. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "test/threads_rig.h"
#include "test/ws_client.h"

enum {
    SLOW = 200,
    HEALTHY = 10,
    BROADCASTS = 10000,
    SIZE = 1024,
    AHEAD = 200 /* broadcasts that the healthy ones may be behind */
};

/* Bytes of memory that this process has, by the kernel's count. */
static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * 4096;
}

typedef struct reader {
    ws_client client;
    int next; /* the number it has to hear now */
} reader;

typedef struct readers {
    reader all[HEALTHY];
    atomic_int slowest;
    pthread_t thread;
} readers;

static void check(reader *r, const ws_message *m)
{
    int number;
    char text[32];
    snprintf(text, sizeof(text), "%.*s", (int)m->len, m->data);
    assert_int_equal(sscanf(text, "42[\"b\",%d,", &number), 1);
    assert_int_equal(number, r->next);
    assert_true(m->len > SIZE);
    r->next++;
}

/* One turn; false when all have heard everything. */
static bool read_all(readers *rs)
{
    int slowest = BROADCASTS;
    for (int i = 0; i < HEALTHY; i++) {
        ws_message m;
        reader *r = &rs->all[i];
        while (ws_client_poll(&r->client, &m)) {
            check(r, &m);
        }
        assert_false(ws_client_ended(&r->client));
        slowest = r->next < slowest ? r->next : slowest;
    }
    rs->slowest = slowest;
    return slowest < BROADCASTS;
}

static void *read_on(void *arg)
{
    while (read_all(arg)) {
    }
    return NULL;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void broadcast(const threads_rig *rig, readers *rs)
{
    char padding[SIZE + 1];
    memset(padding, 'x', SIZE);
    padding[SIZE] = '\0';
    for (int i = 0; i < BROADCASTS; i++) {
        while (i - rs->slowest > AHEAD) {
            rest();
        }
        assert_int_equal(sio_broadcast_emit(sio_namespace_broadcast(rig->root),
                                            "b", "is", i, padding),
                         SIO_OK);
    }
}

static void test_slow_readers(void **state)
{
    (void)state;
    static ws_client slow[SLOW];
    static readers rs;
    threads_rig rig;
    threads_rig_start(&rig, 2, NULL);
    for (int i = 0; i < SLOW; i++) {
        ws_client_dial(&slow[i], rig.port, 4096);
        ws_client_say(&slow[i], "40");
    }
    for (int i = 0; i < HEALTHY; i++) {
        ws_client_open(&rs.all[i].client, rig.port);
    }
    threads_rig_await(&rig, SLOW + HEALTHY);
    size_t before = resident();

    assert_int_equal(pthread_create(&rs.thread, NULL, read_on, &rs), 0);
    broadcast(&rig, &rs);
    pthread_join(rs.thread, NULL);

    const sio_server *server = rig.server;
    threads_rig_await(&rig, HEALTHY);
    size_t grown = resident() - before;
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_BACKLOG_CLOSED),
                     SLOW);
    assert_int_equal(
        sio_server_counter(server, SIO_COUNTER_DISCONNECTED_TRANSPORT_ERROR),
        SLOW);
    assert_int_equal(sio_server_error_count(server, SIO_ERR_BACKLOG), SLOW);
    /* Sanitizers keep what is freed. */
    if (!threads_rig_sanitized()) {
        assert_in_range(grown, 0, 64 * 1024 * 1024);
    }
    for (int i = 0; i < SLOW; i++) {
        ws_client_close(&slow[i]);
    }
    for (int i = 0; i < HEALTHY; i++) {
        ws_client_close(&rs.all[i].client);
    }
    threads_rig_stop(&rig);
}

static void refuse(sio_server_config *config)
{
    config->max_backlog = 65536;
    config->backlog_policy = SIO_BACKLOG_REFUSE;
}

/* By the other policy the packet is refused, and the client stays. */
static void test_refusal(void **state)
{
    (void)state;
    threads_rig rig;
    ws_client c;
    unsigned seed = 1;
    char padding[SIZE + 1];
    memset(padding, 'x', SIZE);
    padding[SIZE] = '\0';
    threads_rig_start(&rig, 2, refuse);
    ws_client_dial(&c, rig.port, 4096);
    ws_client_say(&c, "40");
    threads_rig_await(&rig, 1);
    sio_socket *socket = threads_rig_pick(&rig, &seed);
    const sio_server *server = rig.server;
    /* As long as the kernel's buffers grow, it takes what waits. */
    for (int sent = 0;
         sio_server_counter(server, SIO_COUNTER_BACKLOG_REFUSED) == 0 ||
         sio_server_counter(server, SIO_COUNTER_BACKLOG_BYTES) == 0;
         sent++) {
        assert_int_equal(sio_socket_emit(socket, "b", "is", sent, padding),
                         SIO_OK);
        assert_true(sent < 1000000);
        if (sent % 64 == 0) {
            rest();
        }
    }
    /* The counter takes the packet of which a part has left as a whole. */
    assert_in_range(sio_server_counter(server, SIO_COUNTER_BACKLOG_BYTES), 1,
                    65536 + SIZE + 32);
    assert_true(sio_socket_connected(socket));
    /* It reads on, and all is well again. */
    unsigned drained = rig.drained;
    ws_message m;
    while (rig.drained == drained) {
        (void)ws_client_poll(&c, &m);
    }
    assert_int_equal(sio_socket_emit(socket, "last", NULL), SIO_OK);
    do {
        assert_true(ws_client_hear(&c, &m));
    } while (m.len != 10 || memcmp(m.data, "42[\"last\"]", 10) != 0);
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_BACKLOG_CLOSED), 0);
    sio_socket_unref(socket);
    ws_client_close(&c);
    threads_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_readers),
        cmocka_unit_test(test_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
