/* Memory and system calls fail while a server of two threads begins to run, and
 * while sessions, connections, answers and stored sessions go from one loop to
 * the other: who is on either loop without a part in it goes on, and nothing is
 * left. */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/fault_alloc.h"
#include "test/fault_client.h"
#include "test/fault_scenes.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* Milliseconds. */
#define PATIENCE_MS 30000

/* --------------------------------------------------------------- the helper --
 */

/* A thread of the application's, which answers what the loops get. */
static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed, emptied;
    sio_http_request *request;
    sio_verdict *verdict;
    bool good, ends;
} helper = {.lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER,
            .emptied = PTHREAD_COND_INITIALIZER};

/* Waits until it has nothing to do.  It is locked. */
static void await_helper(void)
{
    while (helper.request != NULL || helper.verdict != NULL) {
        (void)pthread_cond_wait(&helper.emptied, &helper.lock);
    }
}

static void *help(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&helper.lock);
    while (!helper.ends) {
        if (helper.request != NULL) {
            sio_http_respond(helper.request, 200, "text/plain", "far", 3);
            helper.request = NULL;
        } else if (helper.verdict != NULL && helper.good) {
            sio_verdict_allow(helper.verdict);
            helper.verdict = NULL;
        } else if (helper.verdict != NULL) {
            sio_verdict_refuse(helper.verdict, "not you");
            helper.verdict = NULL;
        } else {
            (void)pthread_cond_broadcast(&helper.emptied);
            (void)pthread_cond_wait(&helper.changed, &helper.lock);
        }
    }
    (void)pthread_mutex_unlock(&helper.lock);
    return NULL;
}

static void on_far(sio_http_request *request, void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&helper.lock);
    await_helper();
    helper.request = request;
    (void)pthread_cond_signal(&helper.changed);
    (void)pthread_mutex_unlock(&helper.lock);
}

static void on_allow(sio_http_request *request, sio_verdict *verdict, void *arg)
{
    bool good = sio_http_header(request, "x-bad") == NULL;
    (void)arg;
    if (good && sio_http_header(request, "x-far") == NULL) {
        sio_verdict_allow(verdict);
        return;
    }
    (void)pthread_mutex_lock(&helper.lock);
    await_helper();
    helper.verdict = verdict;
    helper.good = good;
    (void)pthread_cond_signal(&helper.changed);
    (void)pthread_mutex_unlock(&helper.lock);
}

/* --------------------------------------------------------------- the server --
 */

static turn_rig rig;
static pthread_t runner;
static sio_error outcome;

static sio_server *make(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    rig = (turn_rig){0};
    config.host = "127.0.0.1";
    config.port = 0;
    config.threads = 2;
    config.serve_client = false;
    config.recovery = true;
    config.on_log = turn_rig_log;
    config.arg = &rig;
    config.log_level = SIO_LOG_DEBUG;
    turn_rig_set_timeouts(&config);
    config.on_allow_request = on_allow;
    rig.server = sio_server_new(&config);
    REQUIRE(rig.server != NULL);
    fault_server_fill(rig.server);
    rig.root = sio_server_of(rig.server, "/");
    REQUIRE(sio_server_on_http(rig.server, "/far", on_far, NULL) == SIO_OK);
    return rig.server;
}

static void *run(void *arg)
{
    (void)arg;
    outcome = sio_server_run(rig.server);
    return NULL;
}

static void begin(void)
{
    REQUIRE(pthread_create(&runner, NULL, run, NULL) == 0);
}

static void end(void)
{
    REQUIRE(pthread_join(runner, NULL) == 0);
    sio_server_free(rig.server);
}

/* --------------------------------------------------------------- bystanders --
 */

static uint16_t port(void)
{
    return sio_server_port(rig.server);
}

static bool join(fault_client *c)
{
    bool ok = fault_client_websocket(c, port(), "") &&
              fault_client_hear(c, "\"sid\":\"") && fault_client_hear(c, "}");
    if (ok) {
        fault_client_text(c, "40");
    }
    return ok && fault_client_hear(c, "40{\"sid\":\"");
}

static fault_client bystanders[2] = {{.fd = -1}, {.fd = -1}};

static void join_bystanders(void)
{
    for (size_t i = 0; i < COUNT(bystanders); i++) {
        fault_client *c = &bystanders[i];
        REQUIRE(fault_client_websocket(c, port(), "") &&
                fault_client_hear(c, "\"sid\":\""));
        fault_client_text(c, "40/quiet,");
        REQUIRE(fault_client_hear(c, "40/quiet,"));
    }
}

static bool are_apart(void)
{
    return sio_server_loop_counter(rig.server, 0, SIO_COUNTER_SESSIONS) == 1 &&
           sio_server_loop_counter(rig.server, 1, SIO_COUNTER_SESSIONS) == 1;
}

/* A session is counted as gone before its loop has told of all that went with
 * it. */
static bool are_alone(void)
{
    return sio_server_counter(rig.server, SIO_COUNTER_SESSIONS) == 2 &&
           sio_server_counter(rig.server, SIO_COUNTER_CONNECTIONS) == 2 &&
           fault_sockets == 0 && fault_rooms == 0 && fault_members == 0;
}

/* Nothing but these is left after a while, and they are heard. */
static void settle(void)
{
    uint64_t until = fault_client_now() + PATIENCE_MS;
    fault_now = (fault){.at = FAULT_NEVER};
    for (unsigned tries = 0; !are_alone(); tries++) {
        REQUIRE(fault_client_now() < until);
        if (tries > 4) {
            turn_rig_pass_time();
        }
        REQUIRE(sio_broadcast_disconnect(sio_namespace_broadcast(rig.root),
                                         true) == SIO_OK);
        (void)poll(NULL, 0, 2);
    }
    for (size_t i = 0; i < COUNT(bystanders); i++) {
        fault_client_text(&bystanders[i], "42/quiet,[\"echo\",\"there\"]");
        REQUIRE(fault_client_hear(&bystanders[i], "there"));
    }
}

/* ------------------------------------------------------------------- scenes --
 */

static fault_client a = {.fd = -1}, b = {.fd = -1};
static char sid[32];

#define POLLING "/socket.io/?EIO=4&transport=polling"

/* Each request by a connection of its own, so that half of them come to the
 * other loop. */
static bool get(const char *want)
{
    fault_client_dial(&a, port());
    fault_client_sayf(&a, "GET " POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n",
                      sid);
    return fault_client_hear(&a, want);
}

static bool post(const char *body)
{
    fault_client_dial(&b, port());
    fault_client_sayf(&b,
                      "POST " POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\n"
                      "Content-Length: %u\r\n\r\n%s",
                      sid, (unsigned)strlen(body), body);
    return fault_client_hear(&b, "ok");
}

static bool upgrade(void)
{
    char query[64];
    (void)snprintf(query, sizeof(query), "&sid=%s", sid);
    if (!fault_client_websocket(&a, port(), query)) {
        return false;
    }
    fault_client_text(&a, "2probe");
    bool ok = fault_client_hear(&a, "3probe");
    fault_client_text(&a, "5");
    fault_client_text(&a, "42[\"echo\",3]");
    return ok && fault_client_hear(&a, "42[\"echo\",3");
}

static bool play_moves(void)
{
    fault_client_dial(&a, port());
    fault_client_sayf(&a, "GET " POLLING
                          " HTTP/1.1\r\nHost: x\r\nX-Far: 1\r\n\r\n");
    bool ok = fault_client_hear(&a, "\"sid\":\"") &&
              fault_client_copy(&a, "\"", sid, sizeof(sid)) && post("40") &&
              get("40{\"sid\":\"") && post("42[\"echo\",1]") &&
              get("42[\"echo\",1") && post("42[\"echo\",2]") &&
              get("42[\"echo\",2") && upgrade();
    fault_client_close(&a);
    fault_client_close(&b);
    return ok;
}

static bool answer(fault_client *c)
{
    char before[4096], text[64];
    if (!fault_client_copy(c, "[\"survey\",1]", before, sizeof(before))) {
        return false;
    }
    size_t from = strlen(before);
    while (from > 0 && before[from - 1] >= '0' && before[from - 1] <= '9') {
        from--;
    }
    (void)snprintf(text, sizeof(text), "43%.20s[1]", before + from + 2);
    fault_client_text(c, text);
    return true;
}

static bool play_rooms(void)
{
    bool ok = join(&a) && join(&b);
    if (ok) {
        fault_client_text(&a, "421[\"join\"]");
        ok = fault_client_hear(&a, "431[true]");
        fault_client_text(&b, "42[\"room\",1]");
        ok = ok && fault_client_hear(&a, "42[\"room\",1");
        fault_client_text(&a, "42[\"all\",1]");
        ok = ok && fault_client_hear(&b, "42[\"packed\",\"text\"");
        fault_client_text(&a, "42[\"fetch\"]");
        ok = ok && fault_client_hear(&b, "42[\"count\",true,2");
        fault_client_text(&a, "42[\"survey\"]");
        ok = ok && answer(&a) && answer(&b) &&
             fault_client_hear(&a, "42[\"answers\",1,1");
        fault_client_text(&b, "40/t-1,");
        ok = ok && fault_client_hear(&b, "40/t-1,");
    }
    fault_client_close(&a);
    fault_client_close(&b);
    return ok;
}

/* Until it has come back to another loop than where it was stored, or not. */
static bool play_recovery(void)
{
    char pid[32], offset[64], text[160];
    bool ok = fault_client_websocket(&a, port(), "") &&
              fault_client_hear(&a, "\"sid\":\"");
    fault_client_text(&a, "40");
    ok = ok && fault_client_hear(&a, "\"pid\":\"") &&
         fault_client_copy(&a, "\"", pid, sizeof(pid));
    fault_client_text(&a, "42[\"all\"]");
    ok = ok && fault_client_hear(&a, "42[\"all\",\"") &&
         fault_client_copy(&a, "\"", offset, sizeof(offset));
    fault_client_close(&a);
    for (int i = 0; i < 3 && ok; i++) {
        (void)snprintf(text, sizeof(text),
                       "40{\"pid\":\"%.30s\",\"offset\":\"%.60s\"}", pid,
                       offset);
        ok = join(&b) && fault_client_websocket(&a, port(), "") &&
             fault_client_hear(&a, "\"sid\":\"");
        fault_client_text(&a, text);
        ok = ok && fault_client_hear(&a, "\"pid\":\"") &&
             fault_client_copy(&a, "\"", pid, sizeof(pid));
        fault_client_text(&a, "42[\"all\",2]");
        ok = ok && fault_client_hear(&a, "42[\"all\",2,\"") &&
             fault_client_copy(&a, "\"", offset, sizeof(offset));
        fault_client_close(&a);
        fault_client_close(&b);
    }
    return ok;
}

static bool play_far(void)
{
    fault_client_dial(&a, port());
    fault_client_sayf(&a, "GET /far HTTP/1.1\r\nHost: x\r\n\r\n");
    bool ok = fault_client_hear(&a, "\r\n\r\nfar");
    fault_client_sayf(&a, "GET " POLLING
                          " HTTP/1.1\r\nHost: x\r\nX-Bad: 1\r\n\r\n");
    ok = ok && fault_client_hear(&a, "not you");
    fault_client_dial(&a, port());
    fault_client_sayf(&a, "GET " POLLING
                          " HTTP/1.1\r\nHost: x\r\nX-Far: 1\r\n\r\n");
    ok = ok && fault_client_hear(&a, "\"sid\":\"");
    fault_client_close(&a);
    return ok;
}

/* -------------------------------------------------------------------- tests --
 */

static bool play_failing(bool (*play)(void), fault how)
{
    fault_now = how;
    fault_now.on = true;
    bool ok = play();
    fault_now.on = false;
    return ok;
}

/* How many there are is not the same each time: one more than at most. */
static size_t count_calls(bool (*play)(void), fault how)
{
    size_t most = 0;
    how.at = FAULT_NEVER;
    for (int i = 0; i < 3; i++) {
        REQUIRE(play_failing(play, how));
        most = fault_now.count > most ? fault_now.count : most;
        settle();
    }
    return most + 1;
}

static size_t fail_each(bool (*play)(void), fault how)
{
    size_t calls = count_calls(play, how), survived = 0;
    for (how.at = 0; how.at < calls; how.at++) {
        (void)play_failing(play, how);
        survived += fault_has_struck();
        settle();
    }
    return survived;
}

static void test_scenes(void **state)
{
    static const struct {
        const char *label;
        bool (*play)(void);
    } scenes[] = {
        {"moves", play_moves},
        {"rooms", play_rooms},
        {"recovery", play_recovery},
        {"far answers", play_far},
    };
    static const struct {
        fault how;
        const char *label;
    } rows[] = {
        {{.which = FAULT_MEMORY}, "memory"},
        {{.which = FAULT_MEMORY, .lasting = true}, "memory from there on"},
        {{.which = FAULT_SEND, .error = ENOBUFS}, "send: ENOBUFS"},
        {{.which = FAULT_RECV, .error = ENOMEM}, "recv: ENOMEM"},
        {{.which = FAULT_READ, .error = EAGAIN}, "read: EAGAIN"},
        {{.which = FAULT_WRITE, .error = EINTR}, "write: EINTR"},
        {{.which = FAULT_CONTROL, .error = ENOMEM}, "epoll_ctl: ENOMEM"},
    };
    const char *only = getenv("FAULT_SCENE");
    (void)state;
    make();
    begin();
    while (sio_server_port(rig.server) == 0) {
        (void)poll(NULL, 0, 1);
    }
    REQUIRE(pthread_create(&helper.thread, NULL, help, NULL) == 0);
    join_bystanders();
    for (int tries = 0; !are_apart(); tries++) {
        assert_true(tries < 100);
        fault_client_close(&bystanders[0]);
        fault_client_close(&bystanders[1]);
        while (sio_server_counter(rig.server, SIO_COUNTER_SESSIONS) != 0) {
            (void)poll(NULL, 0, 1);
        }
        join_bystanders();
    }
    for (size_t s = 0; s < COUNT(scenes); s++) {
        for (size_t i = 0; i < COUNT(rows); i++) {
            if (only == NULL || strcmp(only, scenes[s].label) == 0) {
                size_t count = fail_each(scenes[s].play, rows[i].how);
                print_message("# %s, %s: %zu survived\n", scenes[s].label,
                              rows[i].label, count);
                assert_true(count > 0);
            }
        }
    }
    fault_client_close(&bystanders[0]);
    fault_client_close(&bystanders[1]);
    (void)pthread_mutex_lock(&helper.lock);
    helper.ends = true;
    (void)pthread_cond_signal(&helper.changed);
    (void)pthread_mutex_unlock(&helper.lock);
    REQUIRE(pthread_join(helper.thread, NULL) == 0);
    sio_server_stop(rig.server);
    end();
    assert_int_equal(outcome, SIO_OK);
}

/* It runs, or says why not and is as before: then it runs. */
static bool start(fault how)
{
    make();
    fault_now = how;
    fault_now.on = true;
    begin();
    uint64_t until = fault_client_now() + PATIENCE_MS;
    while (sio_server_port(rig.server) == 0 && outcome == SIO_OK &&
           fault_client_now() < until) {
        (void)poll(NULL, 0, 1);
    }
    bool runs = false;
    if (sio_server_port(rig.server) != 0) {
        fault_client c = {.fd = -1};
        fault_client_dial(&c, port());
        fault_client_sayf(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
        runs = fault_client_hear(&c, "127.0.0.1");
        fault_client_close(&c);
    }
    sio_server_stop(rig.server);
    turn_rig_pass_time();
    end();
    fault_now.on = false;
    return runs;
}

static void test_start(void **state)
{
    static const struct {
        fault how;
        const char *label;
    } rows[] = {
        {{.which = FAULT_MEMORY}, "memory"},
        {{.which = FAULT_THREAD, .error = EAGAIN}, "pthread_create: EAGAIN"},
        {{.which = FAULT_SOCKET, .error = EMFILE}, "socket: EMFILE"},
        {{.which = FAULT_LISTEN, .error = EADDRINUSE}, "listen: EADDRINUSE"},
        {{.which = FAULT_ACCEPT, .error = EMFILE}, "accept4: EMFILE"},
        {{.which = FAULT_CONTROL, .error = ENOMEM}, "epoll_ctl: ENOMEM"},
        {{.which = FAULT_WAIT, .error = EINTR}, "epoll_wait: EINTR"},
        {{.which = FAULT_READ, .error = EAGAIN}, "read: EAGAIN"},
        {{.which = FAULT_WRITE, .error = EINTR}, "write: EINTR"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        fault how = rows[i].how;
        size_t survived = 0;
        bool struck = true;
        for (how.at = 0; struck && how.at < 200; how.at++) {
            outcome = SIO_OK;
            bool runs = start(how);
            struck = fault_has_struck();
            survived += struck;
            if (!struck) {
                assert_true(runs);
                assert_int_equal(outcome, SIO_OK);
            }
        }
        assert_true(survived > 0);
        print_message("# start, %s: %zu survived\n", rows[i].label, survived);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_scenes),
    };
    fault_alloc_init();
    fault_here = FAULT_THREAD_TEST;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
