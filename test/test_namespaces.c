/* Namespaces that come and go while several threads use them, and what one
 * costs. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/socketio.h"
#include "test/threads_rig.h"
#include "test/ws_client.h"

enum { THREADS = 4, CLIENTS = 16, NAMES = 6, ROUNDS = 150, CALLS = 1500 };

static threads_rig rig;
static sio_namespace *parents[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `claims` */
static sio_claim *claims[CLIENTS * 2]; /* for the thread that answers them */
static size_t claim_count;
static atomic_uint made, told, reached, asked, joined, own_joined;
static atomic_bool clients_over;

static void enough(sio_server_config *config)
{
    config->cleanup_empty_child_namespaces = true;
}

/* ------------------------------------------------------------- the server --
 */

static void on_child_event(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    atomic_fetch_add(&told, 1);
    assert_int_equal(sio_socket_join(socket, "r"), SIO_OK);
    assert_int_equal(sio_event_ack(event, NULL), SIO_OK);
}

static void on_connection(sio_socket *socket, void *arg)
{
    sio_namespace *nsp = sio_socket_namespace(socket);
    assert_ptr_equal(sio_namespace_parent(nsp), arg);
    atomic_fetch_add(&joined, 1);
    /* It has a socket, so it is still the one of its name. */
    sio_namespace *found =
        sio_server_find(sio_namespace_server(nsp), sio_namespace_name(nsp));
    assert_ptr_equal(found, nsp);
    sio_namespace_unref(found);
}

static void on_own(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)event;
    (void)arg;
}

static void on_own_connection(sio_socket *socket, void *arg)
{
    (void)socket;
    (void)arg;
    atomic_fetch_add(&own_joined, 1);
}

/* Takes its time, so that others find the namespace meanwhile. */
static void on_namespace(sio_namespace *nsp, void *arg)
{
    (void)arg;
    atomic_fetch_add(&made, 1);
    for (int i = 0; i < 20; i++) {
        sched_yield();
    }
    assert_int_equal(sio_namespace_on(nsp, "own", on_own, NULL), SIO_OK);
    assert_int_equal(sio_namespace_on_connection(nsp, on_own_connection, NULL),
                     SIO_OK);
}

static void on_claim(sio_claim *claim, void *arg)
{
    (void)arg;
    atomic_fetch_add(&asked, 1);
    pthread_mutex_lock(&lock);
    assert_true(claim_count < CLIENTS * 2);
    claims[claim_count++] = claim;
    pthread_mutex_unlock(&lock);
}

static sio_claim *next_claim(void)
{
    pthread_mutex_lock(&lock);
    sio_claim *claim = claim_count == 0 ? NULL : claims[--claim_count];
    pthread_mutex_unlock(&lock);
    return claim;
}

/* ------------------------------------------------------------- the callers --
 */

static void reach(sio_socket *socket, void *arg)
{
    (void)arg;
    atomic_fetch_add(&reached, 1);
    (void)sio_socket_emit(socket, "reached", NULL);
}

static void visit(sio_namespace *nsp, void *arg)
{
    (void)arg;
    (void)sio_namespace_count(nsp);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(nsp, "r"), "visit", NULL), SIO_OK);
}

static void on_count(sio_error err, size_t count, void *arg)
{
    (void)arg;
    assert_int_equal(err, SIO_OK);
    assert_true(count <= CLIENTS);
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)answers;
    (void)len;
    (void)arg;
    assert_true(err == SIO_OK || err == SIO_ERR_TIMEOUT);
    assert_true(count <= expected && expected <= CLIENTS);
}

static void call_child(unsigned *seed)
{
    char name[24];
    snprintf(name, sizeof(name), "/t-%d", rand_r(seed) % NAMES);
    sio_namespace *nsp = sio_server_find(rig.server, name);
    if (nsp == NULL) {
        return;
    }
    sio_broadcast all = sio_namespace_broadcast(nsp);
    assert_int_equal(sio_broadcast_emit(all, "n", NULL), SIO_OK);
    assert_int_equal(sio_broadcast_each(all, reach, NULL), SIO_OK);
    assert_int_equal(sio_broadcast_count(all, on_count, NULL), SIO_OK);
    assert_string_equal(sio_namespace_name(nsp), name);
    sio_namespace_unref(nsp);
}

static void call_parent(unsigned *seed)
{
    sio_broadcast all = sio_namespace_broadcast(parents[rand_r(seed) % 2]);
    assert_int_equal(sio_broadcast_emit(all, "all", "i", 1), SIO_OK);
    assert_int_equal(sio_broadcast_each(all, reach, NULL), SIO_OK);
    assert_int_equal(sio_broadcast_count(all, on_count, NULL), SIO_OK);
    assert_true(sio_namespace_count(all.nsp) <= CLIENTS);
    assert_int_equal(
        sio_broadcast_emit_ack(all, "q", 20, on_answers, NULL, NULL), SIO_OK);
    if (rand_r(seed) % 16 == 0) {
        assert_int_equal(sio_broadcast_disconnect(all, false), SIO_OK);
    }
}

static void *call(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < CALLS && !atomic_load(&clients_over); i++) {
        switch (rand_r(&seed) % 4) {
        case 0:
            call_child(&seed);
            break;
        case 1:
            call_parent(&seed);
            break;
        case 2:
            assert_int_equal(sio_server_each_namespace(rig.server, visit, NULL),
                             SIO_OK);
            break;
        default:
            if (i % 64 == 0) {
                assert_non_null(sio_server_of(rig.server, "/t-pinned"));
            }
            break;
        }
        sched_yield();
    }
    return NULL;
}

static void *answer(void *arg)
{
    unsigned seed = 7;
    (void)arg;
    for (;;) {
        sio_claim *claim = next_claim();
        if (claim == NULL) {
            if (atomic_load(&clients_over)) {
                return NULL;
            }
            sched_yield();
        } else if (rand_r(&seed) % 4 == 0) {
            sio_claim_refuse(claim);
        } else {
            assert_int_equal(strncmp(sio_claim_name(claim), "/c-", 3), 0);
            assert_string_equal(sio_claim_auth(claim), "{}");
            sio_claim_allow(claim);
        }
    }
}

/* ------------------------------------------------------------- the clients --
 */

/* Reads until a packet that begins like that, or the end. */
static bool await(ws_client *c, const char *yes, const char *no)
{
    ws_message m;
    while (ws_client_hear(c, &m)) {
        if (strncmp(m.data, yes, strlen(yes)) == 0 ||
            strncmp(m.data, no, strlen(no)) == 0) {
            return true;
        }
    }
    return false;
}

static void visit_once(unsigned *seed, int round)
{
    char name[24], packet[64], yes[32], no[32];
    ws_client c;
    ws_client_open(&c, rig.port);
    snprintf(name, sizeof(name), "/%c-%d", round % 3 == 0 ? 'c' : 't',
             rand_r(seed) % NAMES);
    snprintf(packet, sizeof(packet), "40%s,", name);
    snprintf(yes, sizeof(yes), "40%s,", name);
    snprintf(no, sizeof(no), "44%s,", name);
    ws_client_say(&c, packet);
    if (round % 7 != 0) { /* or it does not wait */
        (void)await(&c, yes, no);
    }
    if (round % 3 != 0 && round % 7 != 0) {
        snprintf(packet, sizeof(packet), "42%s,1[\"e\"]", name);
        ws_client_say(&c, packet);
        snprintf(yes, sizeof(yes), "43%s,1", name);
        snprintf(no, sizeof(no), "41%s,", name);
        (void)await(&c, yes, no);
    }
    ws_client_close(&c);
}

/* Whether all has happened that the storm is about. */
static bool has_seen_all(void)
{
    return made > NAMES * 2 && told > 0 && reached > 0 && asked > 0;
}

/* Goes on for as long as a busy machine takes for that, within reason. */
static void *be_clients(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < ROUNDS || (i < 50 * ROUNDS && !has_seen_all()); i++) {
        visit_once(&seed, i);
    }
    return NULL;
}

static void check_names(sio_namespace *nsp, void *arg)
{
    unsigned *left = arg;
    *left += sio_namespace_parent(nsp) != NULL;
}

static void test_storm(void **state)
{
    pthread_t threads[CLIENTS / 4 + 3];
    unsigned seeds[CLIENTS / 4 + 3], left = 0;
    size_t count = 0;
    (void)state;
    threads_rig_prepare(&rig, THREADS, enough);
    parents[0] = sio_server_of_pattern(rig.server, "/t-*");
    parents[1] = sio_server_of_check(rig.server, on_claim, NULL);
    for (int i = 0; i < 2; i++) {
        assert_non_null(parents[i]);
        assert_int_equal(
            sio_namespace_on(parents[i], "e", on_child_event, NULL), SIO_OK);
        assert_int_equal(
            sio_namespace_on_connection(parents[i], on_connection, parents[i]),
            SIO_OK);
    }
    assert_int_equal(sio_server_on_namespace(rig.server, on_namespace, NULL),
                     SIO_OK);
    threads_rig_run(&rig);
    for (; count < CLIENTS / 4; count++) {
        seeds[count] = (unsigned)count + 1;
        assert_int_equal(
            pthread_create(&threads[count], NULL, be_clients, &seeds[count]),
            0);
    }
    for (size_t i = 0; i < 3; i++) {
        seeds[count + i] = (unsigned)i + 100;
        assert_int_equal(pthread_create(&threads[count + i], NULL,
                                        i == 2 ? answer : call,
                                        &seeds[count + i]),
                         0);
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    threads_rig_await(&rig, 0);
    atomic_store(&clients_over, true);
    for (size_t i = count; i < count + 3; i++) {
        pthread_join(threads[i], NULL);
    }
    /* All have gone, but for the one that was asked for. */
    assert_int_equal(sio_server_each_namespace(rig.server, check_names, &left),
                     SIO_OK);
    assert_true(left <= 1);
    assert_true(has_seen_all());
    assert_int_equal(joined, own_joined); /* nobody came before the hook */
    uint64_t created =
        sio_server_counter(rig.server, SIO_COUNTER_NAMESPACES_CREATED);
    assert_int_equal(created, sio_server_counter(
                                  rig.server, SIO_COUNTER_NAMESPACES_REMOVED));
    print_message("# %llu made, %u told, %u reached, %u asked\n",
                  (unsigned long long)created, told, reached, asked);
    threads_rig_stop(&rig);
}

/* ---------------------------------------------------------------- memory -- */

enum { TENANTS = 2000, EACH = 100 };

static void many(sio_server_config *config)
{
    config->max_dynamic_namespaces = TENANTS;
}

/* Joins `EACH` namespaces, or leaves them. */
static void join_all(ws_client *c, int first, bool leave)
{
    char packet[40];
    for (int i = first; i < first + EACH - 1; i++) {
        snprintf(packet, sizeof(packet), "4%d/tenant-%d,", leave ? 1 : 0, i);
        ws_client_say(c, packet);
        if (!leave) {
            assert_true(await(c, "40/tenant", "44/tenant"));
        }
    }
}

/* What a child takes without a socket, and with one. */
static void test_cost(void **state)
{
    static ws_client clients[TENANTS / EACH];
    (void)state;
    threads_rig_prepare(&rig, THREADS, many);
    sio_namespace *parent = sio_server_of_pattern(rig.server, "/tenant-*");
    assert_non_null(parent);
    for (int i = 0; i < 40; i++) {
        char event[24];
        snprintf(event, sizeof(event), "event-%d", i);
        assert_int_equal(sio_namespace_on(parent, event, on_own, NULL), SIO_OK);
    }
    threads_rig_run(&rig);
    for (int i = 0; i < TENANTS / EACH; i++) {
        ws_client_open(&clients[i], rig.port);
    }
    threads_rig_await(&rig, TENANTS / EACH);
    size_t before = threads_rig_memory();
    for (int i = 0; i < TENANTS / EACH; i++) {
        join_all(&clients[i], i * EACH, false);
    }
    size_t with = threads_rig_memory();
    for (int i = 0; i < TENANTS / EACH; i++) {
        join_all(&clients[i], i * EACH, true);
        ws_client_say(&clients[i], "421[\"none\"]");
    }
    while (sio_namespace_count(parent) != 0) {
        sched_yield();
    }
    size_t without = threads_rig_memory();
    size_t count = TENANTS / EACH * (EACH - 1);
    print_message("# %zu bytes each without a socket, %zu with one\n",
                  (without - before) / count, (with - before) / count);
    assert_true((without - before) / count < 1024 || threads_rig_sanitized());
    for (int i = 0; i < TENANTS / EACH; i++) {
        ws_client_close(&clients[i]);
    }
    threads_rig_await(&rig, 0);
    threads_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
