/* A server on several threads, and threads that are none of its own: every call
 * that any thread may make, while clients come and go. */

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
#include <unistd.h>

#include <cmocka.h>

#include "socketio/socketio.h"
#include "test/threads_rig.h"
#include "test/ws_client.h"

/* ------------------------------------------------------------- the storm -- */

enum { CLIENTS = 24, CALLERS = 3, CALLS = 1500 };

typedef struct caller {
    threads_rig *rig;
    int number;
    unsigned seed;
    pthread_t thread;
    unsigned refused; /* calls that said that the socket has gone */
} caller;

static void on_answer(sio_socket *socket, sio_error err, sio_event *answer,
                      void *arg)
{
    atomic_uint *answered = arg;
    (void)socket;
    (void)err;
    (void)answer;
    atomic_fetch_add(answered, 1);
}

static void on_posted(sio_socket *socket, void *arg)
{
    atomic_uint *posted = arg;
    /* On its own loop, so what belongs to that may be asked. */
    assert_true(sio_socket_room_count(socket) <= 8);
    atomic_fetch_add(posted, 1);
}

static void on_fetched(sio_error err, sio_socket *const *sockets, size_t count,
                       void *arg)
{
    atomic_uint *fetched = arg;
    assert_int_equal(err, SIO_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strlen(sio_socket_id(sockets[i])), 20);
    }
    atomic_fetch_add(fetched, 1);
}

static void on_counted(sio_error err, size_t count, void *arg)
{
    atomic_uint *counted = arg;
    assert_int_equal(err, SIO_OK);
    assert_true(count <= CLIENTS);
    atomic_fetch_add(counted, 1);
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    atomic_uint *surveyed = arg;
    (void)answers;
    (void)len;
    assert_true(err == SIO_OK || err == SIO_ERR_TIMEOUT);
    assert_true(count <= expected);
    atomic_fetch_add(surveyed, 1);
}

static void note(caller *self, sio_error err)
{
    assert_true(err == SIO_OK || err == SIO_ERR_CLOSED ||
                err == SIO_ERR_BACKLOG);
    self->refused += err == SIO_ERR_CLOSED;
}

/* Numbered, so that clients can tell that each caller's order is kept. */
static void number_to(caller *self, sio_socket *socket, int i)
{
    note(self, sio_socket_emit(socket, "n", "ii", self->number, i));
}

static void call_once(caller *self, sio_socket *socket, int i)
{
    threads_rig *rig = self->rig;
    sio_broadcast all = sio_namespace_broadcast(rig->root);
    sio_broadcast room = sio_namespace_to(rig->root, "r");
    switch (rand_r(&self->seed) % 12) {
    case 0:
        note(self, sio_broadcast_emit(all, "b", "ii", self->number, i));
        break;
    case 1:
        note(self, sio_broadcast_emit(room, "r", "ii", self->number, i));
        break;
    case 2:
        note(self, sio_socket_join(socket, "r"));
        break;
    case 3:
        sio_socket_leave(socket, "r");
        break;
    case 4:
        note(self, sio_socket_emit_ack(socket, "q", 50, on_answer,
                                       &rig->answered, NULL));
        break;
    case 5:
        note(self, sio_socket_post(socket, on_posted, &rig->posted));
        break;
    case 6:
        note(self, sio_broadcast_fetch(room, on_fetched, &rig->fetched));
        break;
    case 7:
        note(self, sio_broadcast_count(all, on_counted, &rig->counted));
        break;
    case 8:
        note(self, sio_broadcast_emit_ack(room, "q", 50, on_answers,
                                          &rig->surveyed, NULL));
        break;
    case 9:
        if (i % 16 == 0) {
            sio_socket_disconnect(socket);
        }
        break;
    case 10:
        if (i % 16 == 8) {
            sio_socket_close(socket);
        }
        break;
    default:
        (void)sio_namespace_count(rig->root);
        (void)sio_server_counter(rig->server, SIO_COUNTER_SOCKETS);
        break;
    }
}

static void *call(void *arg)
{
    caller *self = arg;
    for (int i = 0; i < CALLS; i++) {
        sio_socket *socket = threads_rig_pick(self->rig, &self->seed);
        if (socket == NULL) {
            break; /* the server is gone */
        }
        number_to(self, socket, i);
        call_once(self, socket, i);
        sio_socket_unref(socket);
    }
    return NULL;
}

/* What a client has heard of each caller. */
typedef struct heard {
    int n[CALLERS], b[CALLERS];
} heard;

static void check_order(int *last, const char *text)
{
    int number, i;
    assert_int_equal(sscanf(text, "%d,%d", &number, &i), 2);
    assert_true(i > last[number]);
    last[number] = i;
}

static bool begins_with(const ws_message *m, const char *text)
{
    return m->len > strlen(text) && memcmp(m->data, text, strlen(text)) == 0;
}

/* Plays a client until it is disconnected. */
static void listen_to(ws_client *c, heard *h, atomic_uint *messages)
{
    ws_message m;
    while (ws_client_poll(c, &m)) {
        char text[256];
        snprintf(text, sizeof(text), "%.*s", (int)m.len, m.data);
        ++*messages;
        if (begins_with(&m, "42[\"n\",")) {
            check_order(h->n, text + 7);
        } else if (begins_with(&m, "42[\"b\",")) {
            check_order(h->b, text + 7);
        } else if (m.len > 2 && m.data[0] == '4' && m.data[1] == '2' &&
                   m.data[2] != '[') { /* asks for an ack */
            char answer[64];
            snprintf(answer, sizeof(answer), "43%.*s[1]",
                     (int)strcspn(text + 2, "["), text + 2);
            ws_client_say(c, answer);
        } else if (m.len == 2 && memcmp(m.data, "41", 2) == 0) {
            c->said_close = true; /* comes again on another connection */
        }
    }
}

/* The clients, which come again when they are disconnected. */
typedef struct crowd {
    threads_rig *rig;
    atomic_bool over;
    atomic_uint messages, comebacks;
} crowd;

static void come(crowd *self, ws_client *c, heard *h)
{
    ws_client_close(c);
    ws_client_open(c, self->rig->port);
    memset(h, 0xff, sizeof(*h)); /* -1 for each */
}

static void *play(void *arg)
{
    crowd *self = arg;
    static ws_client clients[CLIENTS];
    static heard all[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (ws_client){.fd = -1};
        come(self, &clients[i], &all[i]);
    }
    while (!self->over) {
        for (int i = 0; i < CLIENTS; i++) {
            listen_to(&clients[i], &all[i], &self->messages);
            if (ws_client_ended(&clients[i]) && !self->over) {
                self->comebacks++;
                come(self, &clients[i], &all[i]);
            }
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        ws_client_close(&clients[i]);
    }
    return NULL;
}

static void test_storm(void **state)
{
    (void)state;
    threads_rig rig;
    threads_rig_start(&rig, 4, NULL);
    crowd clients = {.rig = &rig};
    caller callers[CALLERS];
    pthread_t player;
    assert_int_equal(pthread_create(&player, NULL, play, &clients), 0);
    threads_rig_await(&rig, CLIENTS);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){&rig, i, (unsigned)i + 1, 0, 0};
        assert_int_equal(
            pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
    }
    /* What was sent may still be on its way to the clients, and one that was
     * disconnected to the server. */
    for (int i = 0;
         i < 3000 && (clients.messages <= CALLS || clients.comebacks == 0);
         i++) {
        usleep(10000);
    }
    clients.over = true;
    pthread_join(player, NULL);
    assert_true(clients.messages > CALLS && clients.comebacks > 0);
    threads_rig_await(&rig, 0);
    assert_true(rig.posted > 0 && rig.answered > 0 && rig.fetched > 0 &&
                rig.counted > 0 && rig.surveyed > 0);
    threads_rig_stop(&rig);
}

/* The server stops while all that goes on. */
static void test_stop(void **state)
{
    (void)state;
    threads_rig rig;
    threads_rig_start(&rig, 4, NULL);
    ws_client clients[CLIENTS];
    caller callers[CALLERS];
    for (int i = 0; i < CLIENTS; i++) {
        ws_client_open(&clients[i], rig.port);
    }
    threads_rig_await(&rig, CLIENTS);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){&rig, i, (unsigned)i + 9, 0, 0};
        assert_int_equal(
            pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < CLIENTS / 2; i++) {
        ws_client_close(&clients[i]);
    }
    sio_server_stop(rig.server);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
    }
    for (int i = CLIENTS / 2; i < CLIENTS; i++) {
        ws_message m;
        while (ws_client_hear(&clients[i], &m)) {
        }
        ws_client_close(&clients[i]);
    }
    threads_rig_stop(&rig);
}

/* A reference outlives the socket, and says so. */
static void test_after_the_end(void **state)
{
    (void)state;
    threads_rig rig;
    ws_client c;
    unsigned seed = 1;
    threads_rig_start(&rig, 2, NULL);
    ws_client_open(&c, rig.port);
    threads_rig_await(&rig, 1);
    sio_socket *socket = threads_rig_pick(&rig, &seed);
    ws_client_close(&c);
    threads_rig_await(&rig, 0);
    assert_false(sio_socket_connected(socket));
    assert_int_equal(sio_socket_emit(socket, "e", NULL), SIO_ERR_CLOSED);
    assert_int_equal(sio_socket_emit_ack(socket, "e", 0, on_answer, NULL, NULL),
                     SIO_ERR_CLOSED);
    assert_int_equal(sio_socket_join(socket, "r"), SIO_ERR_CLOSED);
    assert_int_equal(sio_socket_post(socket, on_posted, NULL), SIO_ERR_CLOSED);
    sio_socket_leave(socket, "r");
    sio_socket_disconnect(socket);
    sio_socket_close(socket);
    sio_socket_unref(socket);
    threads_rig_stop(&rig);
}

/* ---------------------------------------------------------------- bounds -- */

/* Waits until no more than `most` bytes are in use: loops free what has ended
 * at the ends of their turns, some after it has been counted.  Gives what is in
 * use then, or after a while. */
static size_t memory_below(size_t most)
{
    size_t memory = threads_rig_memory();
    for (int i = 0; i < 5000 && memory >= most; i++) {
        usleep(1000);
        memory = threads_rig_memory();
    }
    return memory;
}

/* Sessions that come and go in waves leave no descriptor and no memory. */
static void test_waves(void **state)
{
    (void)state;
    enum { WAVES = 5, EACH = 1000 };
    static ws_client clients[EACH];
    threads_rig rig;
    size_t first = 0; /* what is left then, and a little */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    threads_rig_start(&rig, 4, NULL);
    int files = threads_rig_files();
    for (int wave = 0; wave < WAVES; wave++) {
        for (int i = 0; i < EACH; i++) {
            ws_client_open(&clients[i], rig.port);
        }
        threads_rig_await(&rig, EACH);
        for (int i = 0; i < EACH; i++) {
            ws_client_close(&clients[i]);
        }
        threads_rig_await(&rig, 0);
        assert_int_equal(sio_server_counter(rig.server, SIO_COUNTER_SESSIONS),
                         0);
        assert_int_equal(threads_rig_files(), files);
        if (wave == 1) {
            usleep(50 * 1000); /* all turns end within that, or it is more */
            first = threads_rig_memory() + 256 * 1024;
        }
        /* Tables and pools stay; a session of each wave would be 1 MB. */
        assert_true(wave <= 1 || memory_below(first) < first);
    }
    threads_rig_stop(&rig);
}

/* New connections go to all loops alike, also when some loops have lost
 * theirs. */
static void test_even(void **state)
{
    (void)state;
    enum { COUNT = 200, LOOPS = 4 };
    static ws_client clients[COUNT];
    threads_rig rig;
    threads_rig_start(&rig, LOOPS, NULL);
    for (int i = 0; i < COUNT; i++) {
        ws_client_open(&clients[i], rig.port);
    }
    for (int again = 0; again < 3; again++) {
        for (unsigned i = 0; i < LOOPS; i++) {
            uint64_t here =
                sio_server_loop_counter(rig.server, i, SIO_COUNTER_SESSIONS);
            assert_in_range(here, COUNT / LOOPS - 4, COUNT / LOOPS + 4);
        }
        /* Those who came first stay, others leave and come again. */
        for (int i = again + 1; i < COUNT; i += 3) {
            ws_client_close(&clients[i]);
        }
        threads_rig_await(&rig, COUNT - (size_t)(COUNT - again + 1) / 3);
        for (int i = again + 1; i < COUNT; i += 3) {
            ws_client_open(&clients[i], rig.port);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        ws_client_close(&clients[i]);
    }
    threads_rig_stop(&rig);
}

/* ----------------------------------------------------------------- setup -- */

static void on_e(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)event;
    (void)arg;
}

static void on_http(sio_http_request *request, void *arg)
{
    (void)arg;
    sio_http_respond(request, 204, NULL, NULL, 0);
}

static bool on_request(sio_http_request *request, void *arg)
{
    (void)request;
    (void)arg;
    return true;
}

/* With several threads handlers are fixed, namespaces are not. */
static void test_fixed(void **state)
{
    (void)state;
    threads_rig rig;
    threads_rig_start(&rig, 2, NULL);
    sio_namespace *nsp = sio_server_of(rig.server, "/late");
    assert_non_null(nsp);
    assert_ptr_equal(sio_server_of(rig.server, "late"), nsp);
    assert_int_equal(sio_namespace_on(nsp, "e", on_e, NULL), SIO_ERR_STATE);
    assert_int_equal(sio_namespace_on_any(nsp, on_e, NULL), SIO_ERR_STATE);
    assert_int_equal(sio_namespace_on_connection(nsp, NULL, NULL),
                     SIO_ERR_STATE);
    assert_int_equal(sio_server_on_http(rig.server, "/x", on_http, NULL),
                     SIO_ERR_STATE);
    assert_int_equal(sio_server_use(rig.server, on_request, NULL),
                     SIO_ERR_STATE);
    threads_rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storm),         cmocka_unit_test(test_stop),
        cmocka_unit_test(test_after_the_end), cmocka_unit_test(test_waves),
        cmocka_unit_test(test_even),          cmocka_unit_test(test_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
