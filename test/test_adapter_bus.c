/* Two servers that an adapter joins, which knows nothing but the public
 * headers, and real clients of both. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/bus_adapter.h"
#include "test/server_rig.h"
#include "test/ws_client.h"

enum { SERVERS = 2 };

static bus *shared;
static sio_server *servers[SERVERS];
static sio_namespace *roots[SERVERS];
static pthread_t threads[SERVERS];
static ws_client clients[2 * SERVERS]; /* two of each server */

static int setup(void **state)
{
    (void)state;
    shared = bus_new();
    for (unsigned i = 0; i < SERVERS; i++) {
        sio_server_config config = server_rig_config();
        config.threads = 1 + i; /* one has two loops */
        config.adapter = &bus_adapter;
        config.adapter_arg = shared;
        servers[i] = sio_server_new(&config);
        assert_non_null(servers[i]);
        roots[i] = sio_server_of(servers[i], "/");
        assert_int_equal(sio_server_listen(servers[i]), SIO_OK);
        threads[i] = server_rig_start(servers[i]);
        for (unsigned k = 0; k < 2; k++) {
            ws_client_open(&clients[2 * i + k], sio_server_port(servers[i]));
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * SERVERS; i++) {
        ws_client_close(&clients[i]);
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        server_rig_stop(threads[i], servers[i]);
        sio_server_free(servers[i]);
    }
    bus_free(shared);
    return 0;
}

static void expect(unsigned client, const char *packet)
{
    ws_message m;
    assert_true(ws_client_hear(&clients[client], &m));
    assert_int_equal(m.len, strlen(packet));
    assert_memory_equal(m.data, packet, m.len);
}

static void expect_all(const char *packet)
{
    for (unsigned i = 0; i < 2 * SERVERS; i++) {
        expect(i, packet);
    }
}

/* What has come back; written before `answered` is set. */
static atomic_int answered;
static char answer[4096];

static void await_answer(void)
{
    while (atomic_load(&answered) == 0) {
        usleep(1000);
    }
    atomic_store(&answered, 0);
}

static void on_infos(sio_error err, const sio_socket_info *infos, size_t count,
                     void *arg)
{
    size_t at = 0;
    (void)arg;
    assert_int_equal(err, SIO_OK);
    for (size_t i = 0; i < count; i++) {
        at +=
            (size_t)snprintf(answer + at, sizeof(answer) - at, "%s%c",
                             infos[i].id, infos[i].socket == NULL ? '-' : '+');
    }
    answer[at] = '\0';
    atomic_store(&answered, 1);
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)arg;
    snprintf(answer, sizeof(answer), "%d %zu/%zu %.*s", (int)err, count,
             expected, (int)len, len == 0 ? "" : answers);
    atomic_store(&answered, 1);
}

static void test_ad01_emit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SERVERS; i++) {
        assert_int_equal(
            sio_broadcast_emit(sio_namespace_broadcast(roots[i]), "e", "i", 1),
            SIO_OK);
        expect_all("42[\"e\",1]");
    }
    /* This server only. */
    assert_int_equal(
        sio_broadcast_emit(
            sio_broadcast_local(sio_namespace_broadcast(roots[0])), "l", NULL),
        SIO_OK);
    expect(0, "42[\"l\"]");
    expect(1, "42[\"l\"]");
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(roots[1]), "e", NULL),
        SIO_OK);
    expect_all("42[\"e\"]");
}

/* Ids, 20 characters and a sign each, of all sockets, asked for at `roots[i]`.
 */
static void fetch(unsigned i)
{
    assert_int_equal(sio_broadcast_fetch_infos(
                         sio_namespace_broadcast(roots[i]), on_infos, NULL),
                     SIO_OK);
    await_answer();
}

static void test_ad01_sockets_of_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SERVERS; i++) {
        unsigned mine = 0, others = 0;
        fetch(i);
        assert_int_equal(strlen(answer), 4 * 21);
        for (unsigned k = 0; k < 4; k++) {
            mine += answer[21 * k + 20] == '+';
            others += answer[21 * k + 20] == '-';
        }
        assert_int_equal(mine, 2);
        assert_int_equal(others, 2);
    }
}

static void test_ad01_rooms_and_ends(void **state)
{
    (void)state;
    char id[21];
    fetch(0);
    for (unsigned k = 0; k < 4; k++) { /* one of the other server */
        if (answer[21 * k + 20] == '-') {
            memcpy(id, answer + 21 * k, 20);
            id[20] = '\0';
        }
    }
    sio_broadcast it = sio_namespace_to(roots[0], id);
    sio_broadcast all = sio_namespace_broadcast(roots[0]);
    assert_int_equal(sio_broadcast_join(it, "r"), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(roots[0], "r"), "in", NULL),
        SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_broadcast_except(all, "r"), "out", NULL),
        SIO_OK);
    assert_int_equal(sio_broadcast_leave(it, "r"), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(roots[0], "r"), "no", NULL),
        SIO_OK);
    assert_int_equal(sio_broadcast_disconnect(it, false), SIO_OK);
    assert_int_equal(sio_broadcast_emit(all, "end", NULL), SIO_OK);
    unsigned in = 0;
    for (unsigned i = 0; i < 4; i++) {
        ws_message m;
        assert_true(ws_client_hear(&clients[i], &m));
        if (m.len == strlen("42[\"in\"]")) {
            in++;
            expect(i, "41");
        } else {
            assert_memory_equal(m.data, "42[\"out\"]", m.len);
            expect(i, "42[\"end\"]");
        }
    }
    assert_int_equal(in, 1);
}

static void test_ad01_acks_of_all(void **state)
{
    (void)state;
    assert_int_equal(sio_broadcast_emit_ack(sio_namespace_broadcast(roots[1]),
                                            "q", 10000, on_answers, NULL, "s",
                                            "x"),
                     SIO_OK);
    for (unsigned i = 0; i < 4; i++) {
        ws_message m;
        char text[64];
        assert_true(ws_client_hear(&clients[i], &m));
        /* 42ID["q","x"]; ids are each server's own. */
        int digits = (int)strspn(m.data + 2, "0123456789");
        assert_memory_equal(m.data + 2 + digits, "[\"q\",\"x\"]", 9);
        snprintf(text, sizeof(text), "43%.*s[7]", digits, m.data + 2);
        ws_client_say(&clients[i], text);
    }
    await_answer();
    assert_string_equal(answer, "0 4/4 7,7,7,7");
}

static void on_server_event(sio_namespace *nsp, const char *event,
                            const sio_args *args, sio_reply *reply, void *arg)
{
    (void)nsp;
    (void)event;
    (void)args;
    if (reply != NULL) {
        assert_int_equal(sio_reply_send(reply, "s", arg), SIO_OK);
    } else {
        snprintf(answer, sizeof(answer), "%s", (const char *)arg);
        atomic_store(&answered, 1);
    }
}

/* The handlers have to be there before two loops run. */
static int setup_events(void **state)
{
    (void)state;
    static char names[SERVERS][2] = {"0", "1"};
    shared = bus_new();
    for (unsigned i = 0; i < SERVERS; i++) {
        sio_server_config config = server_rig_config();
        config.adapter = &bus_adapter;
        config.adapter_arg = shared;
        servers[i] = sio_server_new(&config);
        assert_non_null(servers[i]);
        roots[i] = sio_server_of(servers[i], "/");
        assert_int_equal(sio_namespace_on_server_event(
                             roots[i], "s", on_server_event, names[i]),
                         SIO_OK);
        assert_int_equal(sio_server_listen(servers[i]), SIO_OK);
        threads[i] = server_rig_start(servers[i]);
        clients[2 * i].fd = clients[2 * i + 1].fd = -1;
    }
    return 0;
}

static void on_count(sio_error err, size_t count, void *arg)
{
    assert_int_equal(err, SIO_OK);
    *(size_t *)arg = count;
}

static void test_ad01_server_events(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(sio_namespace_emit_server(roots[0], "s", NULL), SIO_OK);
    await_answer();
    assert_string_equal(answer, "1");
    assert_int_equal(sio_namespace_emit_server_ack(roots[1], "s", 10000,
                                                   on_answers, NULL, NULL),
                     SIO_OK);
    await_answer();
    assert_string_equal(answer, "0 1/1 \"0\"");
    assert_int_equal(sio_namespace_count_servers(roots[0], on_count, &count),
                     SIO_OK);
    assert_int_equal(count, SERVERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ad01_emit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ad01_sockets_of_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ad01_rooms_and_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ad01_acks_of_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ad01_server_events, setup_events,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
