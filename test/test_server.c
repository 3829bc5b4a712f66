/* The public API around a server: making, listening, stopping, freeing, with
 * real sockets on loopback and real threads. */

#include <ev.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/server_rig.h"

/* ------------------------------------------------------------- a client -- */

static int dial(uint16_t port)
{
    int fd = server_rig_dial(port);
    assert_true(fd >= 0);
    return fd;
}

static void get(int fd, const char *target)
{
    char head[512];
    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    server_rig_say(fd, head);
}

/* ------------------------------------------------------ a running server -- */

typedef struct log {
    char text[512]; /* of the latest event */
    int count;
} log_record;

static void on_log(void *arg, int level, const char *event, const char *text)
{
    log_record *log = arg;
    (void)level;
    snprintf(log->text, sizeof(log->text), "%s %s", event, text);
    log->count++;
}

static sio_server_config quiet_config(void)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.host = "127.0.0.1";
    config.port = 0;
    config.serve_client = false;
    return config;
}

static void *run(void *arg)
{
    return sio_server_run(arg) == SIO_OK ? NULL : arg;
}

static pthread_t start(sio_server *server)
{
    pthread_t thread;
    assert_non_null(server);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_equal(pthread_create(&thread, NULL, run, server), 0);
    return thread;
}

static void finish(pthread_t thread, sio_server *server)
{
    void *failed;
    sio_server_stop(server);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_true(sio_server_closed(server));
    sio_server_free(server);
}

/* ---------------------------------------------------------------- config -- */

#define WITH(field, value)                                                     \
    {                                                                          \
#field, offsetof(sio_server_config, field),                            \
            sizeof(((sio_server_config *)NULL)->field), value                  \
    }

static const struct {
    const char *label;
    size_t at, size;
    uint64_t value;
} bad_numbers[] = {
    WITH(backlog, 0),
    WITH(proxy_headers, 3),
    WITH(transports, 0),
    WITH(transports, 4),
    WITH(ping_interval_ms, 0),
    WITH(ping_timeout_ms, 0),
    WITH(upgrade_timeout_ms, 0),
    WITH(connect_timeout_ms, 0),
    WITH(header_timeout_ms, 0),
    WITH(body_timeout_ms, 0),
    WITH(keep_alive_ms, 0),
    WITH(close_timeout_ms, 0),
    WITH(max_payload, 0),
    WITH(max_payload, UINT32_MAX),
    WITH(max_header_bytes, 63),
    WITH(max_headers, 0),
    WITH(max_headers, 129),
    WITH(max_json_depth, 0),
    WITH(max_json_depth, 1025),
    WITH(max_attachments, 0),
    WITH(max_packets, 0),
    WITH(max_namespaces, 0),
    WITH(max_rooms, 0),
    WITH(max_dynamic_namespaces, 0),
    WITH(max_pending_acks, 0),
    WITH(attachment_timeout_ms, 0),
    WITH(rate_policy, 3),
    WITH(max_backlog, 0),
    WITH(deflate_server_max_window_bits, 8),
    WITH(deflate_server_max_window_bits, 16),
    WITH(deflate_client_max_window_bits, 8),
    WITH(deflate_client_max_window_bits, 16),
    WITH(deflate_level, 0),
    WITH(deflate_level, 10),
    WITH(deflate_memory_level, 0),
    WITH(deflate_memory_level, 10),
    WITH(deflate_memory, 0),
};

static void test_bad_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_numbers) / sizeof(bad_numbers[0]); i++) {
        log_record log = {0};
        sio_server_config config = quiet_config();
        config.on_log = on_log;
        config.arg = &log;
        memcpy((char *)&config + bad_numbers[i].at, &bad_numbers[i].value,
               bad_numbers[i].size);
        sio_server *server = sio_server_new(&config);
        if (server != NULL || strstr(log.text, bad_numbers[i].label) == NULL) {
            fail_msg("%s: %p, %s", bad_numbers[i].label, (void *)server,
                     log.text);
        }
    }
}

/* Each thread needs its share of the memory, if it is to compress. */
static void test_deflate_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        log_record log = {0};
        sio_server_config config = quiet_config();
        config.on_log = on_log;
        config.arg = &log;
        config.deflate = i != 0;
        config.threads = 3;
        config.deflate_memory = 3 * 524288 - (i != 2);
        sio_server *server = sio_server_new(&config);
        assert_true((server == NULL) == (i == 1));
        assert_true((strstr(log.text, "deflate_memory") != NULL) == (i == 1));
        sio_server_free(server);
    }
}

static void test_bad_strings(void **state)
{
    static const char *const paths[] = {"", "socket.io", "/a b", "/a\n", NULL};
    static const char *const origins[] = {"", "a b", "x\r\nSet-Cookie: a",
                                          "https://*", "*, https://a"};
    static const char *const cookies[] = {"", "a b", "a;b", "a\r\nX: y"};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        sio_server_config config = quiet_config();
        config.path = paths[i];
        assert_null(sio_server_new(&config));
    }
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        sio_server_config config = quiet_config();
        config.cors_origin = origins[i];
        assert_null(sio_server_new(&config));
    }
    for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
        sio_server_config config = quiet_config();
        config.cookie_name = cookies[i];
        assert_null(sio_server_new(&config));
    }
}

/* A program built with an older header has a smaller config: what it does not
 * know keeps its default. */
static void test_older_config(void **state)
{
    sio_server_config config = quiet_config();
    (void)state;
    config.max_backlog = 0; /* beyond the size that is claimed */
    config.size = offsetof(sio_server_config, max_backlog);
    sio_server *server = sio_server_new(&config);
    assert_non_null(server);
    sio_server_free(server);
}

static void test_strings_are_copied(void **state)
{
    char path[] = "/here", origin[] = "https://*.x.org", cookie[] = "io";
    char exposed[] = "X-A";
    sio_server_config config = quiet_config();
    (void)state;
    config.path = path;
    config.cors_origin = origin;
    config.cors_exposed_headers = exposed;
    config.cookie_name = cookie;
    sio_server *server = sio_server_new(&config);
    memset(path, 'x', sizeof(path) - 1);
    memset(origin, 'x', sizeof(origin) - 1);
    memset(exposed, 'x', sizeof(exposed) - 1);
    memset(cookie, 'x', sizeof(cookie) - 1);
    pthread_t thread = start(server);
    int fd = dial(sio_server_port(server));
    server_rig_say(fd,
                   "GET /here/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n"
                   "Origin: https://a.x.org\r\n\r\n");
    const char *answer = server_rig_hear(fd, "}");
    assert_non_null(strstr(answer, "\"sid\""));
    assert_non_null(strstr(answer, "-Allow-Origin: https://a.x.org\r\n"));
    assert_non_null(strstr(answer, "-Expose-Headers: X-A\r\n"));
    assert_non_null(strstr(answer, "\r\nSet-Cookie: io="));
    close(fd);
    finish(thread, server);
}

/* -------------------------------------------------------------- lifecycle --
 */

static void test_free_at_any_time(void **state)
{
    sio_server_config config = quiet_config();
    (void)state;
    sio_server_free(NULL);
    sio_server_free(sio_server_new(&config));
    sio_server *server = sio_server_new(&config);
    assert_int_equal(sio_server_port(server), 0);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_int_not_equal(sio_server_port(server), 0);
    assert_int_equal(sio_server_listen(server), SIO_ERR_STATE);
    int fd = dial(sio_server_port(server));
    sio_server_free(server);
    close(fd);
}

static void test_busy_port(void **state)
{
    log_record log = {0};
    sio_server_config config = quiet_config();
    (void)state;
    sio_server *first = sio_server_new(&config);
    assert_int_equal(sio_server_listen(first), SIO_OK);
    config.port = sio_server_port(first);
    config.on_log = on_log;
    config.arg = &log;
    sio_server *second = sio_server_new(&config);
    assert_int_equal(sio_server_run(second), SIO_ERR_ADDRESS);
    assert_non_null(strstr(log.text, "listen_failed"));
    sio_server_free(second);
    sio_server_free(first);
}

static void test_stop_before_run(void **state)
{
    sio_server_config config = quiet_config();
    (void)state;
    sio_server *server = sio_server_new(&config);
    sio_server_stop(server);
    sio_server_stop(server);
    assert_int_equal(sio_server_run(server), SIO_OK);
    assert_true(sio_server_closed(server));
    assert_int_equal(sio_server_listen(server), SIO_OK);
    assert_false(sio_server_closed(server));
    sio_server_stop(server);
    assert_int_equal(sio_server_run(server), SIO_OK);
    assert_true(sio_server_closed(server));
    sio_server_free(server);
}

static void test_stop_on_signal(void **state)
{
    sio_server_config config = quiet_config();
    (void)state;
    config.stop_on_signals = true;
    sio_server *server = sio_server_new(&config);
    assert_int_equal(sio_server_listen(server), SIO_OK);
    raise(SIGTERM);
    assert_int_equal(sio_server_run(server), SIO_OK);
    sio_server_free(server);
}

/* ----------------------------------------------------------------- posting --
 */

enum { POSTERS = 4, POSTS = 2000 };

typedef struct poster {
    sio_server *server;
    int next; /* what the loop expects of it */
    bool good;
} poster;

typedef struct letter {
    poster *from;
    int number;
} letter;

static void on_post(sio_server *server, void *arg)
{
    letter *l = arg;
    l->from->good = l->from->good && server == l->from->server &&
                    l->number == l->from->next;
    l->from->next++;
    free(l);
}

static void *post_many(void *arg)
{
    poster *p = arg;
    for (int i = 0; i < POSTS; i++) {
        letter *l = malloc(sizeof(*l));
        *l = (letter){p, i};
        if (sio_server_post(p->server, on_post, l) != SIO_OK) {
            free(l);
            return p;
        }
    }
    return NULL;
}

static void test_posts_in_order(void **state)
{
    sio_server_config config = quiet_config();
    pthread_t threads[POSTERS];
    poster posters[POSTERS];
    (void)state;
    sio_server *server = sio_server_new(&config);
    pthread_t loop = start(server);
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (poster){server, 0, true};
        assert_int_equal(
            pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < POSTERS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    finish(loop, server);
    for (int i = 0; i < POSTERS; i++) {
        assert_true(posters[i].good);
        assert_int_equal(posters[i].next, POSTS);
    }
}

static void test_post_after_the_end(void **state)
{
    sio_server_config config = quiet_config();
    (void)state;
    sio_server *server = sio_server_new(&config);
    sio_server_stop(server);
    assert_int_equal(sio_server_run(server), SIO_OK);
    assert_int_equal(sio_server_post(server, on_post, NULL), SIO_ERR_CLOSED);
    sio_server_free(server);
}

/* ---------------------------------------------------------- several servers --
 */

static int closed_count;

static void on_closed(sio_server *server, void *arg)
{
    (void)server;
    closed_count++;
    if (closed_count == 2) {
        ev_break(arg, EVBREAK_ALL);
    }
}

/* A poll of the second server ends both, from inside the loop they share. */
static sio_server *both[2];

static void on_hello(sio_http_request *request, void *arg)
{
    (void)arg;
    sio_http_respond(request, 200, "text/plain", "hi", 2);
    sio_server_stop(both[0]);
    sio_server_stop(both[1]);
}

static void test_two_on_one_loop(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    int fds[2];
    (void)state;
    closed_count = 0;
    for (int i = 0; i < 2; i++) {
        sio_server_config config = quiet_config();
        config.loop = loop;
        config.on_closed = on_closed;
        config.arg = loop;
        both[i] = sio_server_new(&config);
        assert_non_null(both[i]);
        assert_int_equal(sio_server_on_http(both[i], "/hello", on_hello, NULL),
                         SIO_OK);
        assert_int_equal(sio_server_run(both[i]), SIO_ERR_STATE);
        assert_int_equal(sio_server_listen(both[i]), SIO_OK);
        fds[i] = dial(sio_server_port(both[i]));
    }
    get(fds[0], "/socket.io/?EIO=4&transport=polling");
    get(fds[1], "/hello");
    ev_run(loop, 0);
    assert_int_equal(closed_count, 2);
    assert_non_null(strstr(server_rig_hear(fds[0], "}"), "\"sid\""));
    assert_non_null(strstr(server_rig_hear(fds[1], "hi"), "200 OK"));
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        sio_server_free(both[i]);
    }
    ev_loop_destroy(loop);
}

static void test_two_threads(void **state)
{
    sio_server *servers[2];
    pthread_t threads[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        sio_server_config config = quiet_config();
        config.path = i == 0 ? "/one" : "/two";
        servers[i] = sio_server_new(&config);
        threads[i] = start(servers[i]);
    }
    for (int i = 0; i < 2; i++) {
        int fd = dial(sio_server_port(servers[i]));
        get(fd, "/one/?EIO=4&transport=polling");
        const char *answer = server_rig_hear(fd, "\r\n\r\n");
        assert_non_null(strstr(answer, i == 0 ? "200 OK" : "404 Not Found"));
        close(fd);
    }
    for (int i = 0; i < 2; i++) {
        finish(threads[i], servers[i]);
    }
}

/* ---------------------------------------------------------------- unanswered
 * -- */

static void never_answer(sio_http_request *request, void *arg)
{
    (void)request;
    (void)arg;
}

static void never_decide(sio_http_request *request, sio_verdict *verdict,
                         void *arg)
{
    (void)request;
    (void)verdict;
    (void)arg;
}

static void test_unanswered_are_freed(void **state)
{
    sio_server_config config = quiet_config();
    (void)state;
    config.on_allow_request = never_decide;
    sio_server *server = sio_server_new(&config);
    assert_int_equal(sio_server_on_http(server, "/", never_answer, NULL),
                     SIO_OK);
    pthread_t thread = start(server);
    int asked = dial(sio_server_port(server));
    int knocked = dial(sio_server_port(server));
    get(asked, "/x");
    get(knocked, "/socket.io/?EIO=4&transport=polling");
    /* Both have been read once a third, sent later, is answered. */
    int third = dial(sio_server_port(server));
    server_rig_say(third, "BAD\r\n\r\n");
    assert_non_null(strstr(server_rig_hear(third, "\r\n\r\n"), "400"));
    finish(thread, server);
    close(asked);
    close(knocked);
    close(third);
}

static void test_counters(void **state)
{
    sio_server_config config = quiet_config();
    (void)state;
    sio_server *server = sio_server_new(&config);
    pthread_t thread = start(server);
    int fd = dial(sio_server_port(server));
    get(fd, "/socket.io/?EIO=4&transport=nothing");
    assert_non_null(strstr(server_rig_hear(fd, "}"), "Transport unknown"));
    server_rig_say(fd, "no request\r\n\r\n");
    assert_non_null(strstr(server_rig_hear(fd, "\r\n\r\n"), "400"));
    close(fd);
    sio_server_stop(server);
    pthread_join(thread, NULL);
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_ACCEPTED), 1);
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_CONNECTIONS), 0);
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_REFUSED), 1);
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_HTTP_ERRORS), 1);
    assert_int_equal(sio_server_error_count(server, SIO_ERR_HTTP_SYNTAX), 1);
    assert_int_equal(sio_server_counter(server, SIO_COUNTER_COUNT), 0);
    assert_string_equal(sio_counter_name(SIO_COUNTER_REFUSED), "refused");
    assert_null(sio_counter_name(SIO_COUNTER_COUNT));
    sio_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_deflate_memory),
        cmocka_unit_test(test_bad_strings),
        cmocka_unit_test(test_older_config),
        cmocka_unit_test(test_strings_are_copied),
        cmocka_unit_test(test_free_at_any_time),
        cmocka_unit_test(test_busy_port),
        cmocka_unit_test(test_stop_before_run),
        cmocka_unit_test(test_stop_on_signal),
        cmocka_unit_test(test_posts_in_order),
        cmocka_unit_test(test_post_after_the_end),
        cmocka_unit_test(test_two_on_one_loop),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_unanswered_are_freed),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
