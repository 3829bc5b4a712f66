/* Memory and system calls fail while a server is made, begins to listen, begins
 * anew, and is drained: who asked for it is told, or it is done all the same,
 * and nothing is left. */

#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/fault_alloc.h"
#include "test/fault_play.h"
#include "test/tls_certs.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Of mbedTLS's arithmetic. */
#define THIN 29

static char folder[40], chain[80], key[80], path[80];
static size_t logged; /* errors that a place or a file is the reason for */

static void on_log(void *arg, int level, const char *event, const char *text)
{
    (void)arg;
    (void)level;
    (void)text;
    logged += strcmp(event, "listen_failed") == 0 ||
              strcmp(event, "tls_certificate") == 0 ||
              strcmp(event, "files_folder") == 0;
}

/* ------------------------------------------------------------- the server --
 */

typedef struct made {
    sio_server *server, *inner;
} made;

static sio_server_config config_for(const char *at)
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.host = "127.0.0.1";
    config.port = 0;
    config.path = at;
    config.threads = 2;
    config.serve_client = false;
    config.recovery = true;
    config.deflate = true;
    config.cors_origin = "https://*.example.com, https://example.org";
    config.trusted_proxies = "10.0.0.0/8";
    config.cookie_name = "io";
    config.max_sessions_per_address = 10;
    config.on_log = on_log;
    return config;
}

static void on_event(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)event;
    (void)arg;
}

static void on_connect(sio_socket *socket, void *arg)
{
    (void)socket;
    (void)arg;
}

static void on_claim(sio_claim *claim, void *arg)
{
    (void)arg;
    sio_claim_refuse(claim);
}

static void on_http(sio_http_request *request, void *arg)
{
    (void)arg;
    sio_http_respond(request, 204, NULL, NULL, 0);
}

static sio_error add_handlers(sio_server *server)
{
    sio_namespace *nsp = sio_server_of(server, "/a");
    if (nsp == NULL || sio_server_of_pattern(server, "/t-*") == NULL ||
        sio_server_of_check(server, on_claim, NULL) == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = sio_namespace_on(nsp, "e", on_event, NULL);
    if (err == SIO_OK) {
        err = sio_namespace_on_connection(nsp, on_connect, NULL);
    }
    if (err == SIO_OK) {
        err = sio_namespace_on_any(nsp, on_event, NULL);
    }
    if (err == SIO_OK) {
        err = sio_namespace_on_any_outgoing(nsp, on_event, NULL);
    }
    if (err == SIO_OK) {
        err = sio_server_on_http(server, "/x", on_http, NULL);
    }
    return err == SIO_OK ? sio_server_serve_files(server, "/files", folder)
                         : err;
}

static sio_error add_places(sio_server *server)
{
    sio_tls_certificate own = {.chain_file = chain, .key_file = key};
    sio_tls_options tls = SIO_TLS_OPTIONS_DEFAULT;
    sio_listen_options at = {
        .size = sizeof(at), .unix_path = path, .unix_mode = 0600};
    sio_error err = sio_server_listen(server);
    if (err == SIO_OK) {
        err = sio_server_listen_at(server, &at, NULL);
    }
    tls.certificates = &own;
    tls.certificate_count = 1;
    at = (sio_listen_options){
        .size = sizeof(at), .host = "127.0.0.1", .tls = &tls};
    return err == SIO_OK ? sio_server_listen_at(server, &at, NULL) : err;
}

/* Up to the first error. */
static sio_error make(made *m)
{
    sio_server_config outer = config_for("/outer"), inner = config_for("/in");
    m->server = sio_server_new(&outer);
    m->inner = m->server == NULL ? NULL : sio_server_new(&inner);
    if (m->inner == NULL) {
        return SIO_ERR_NO_MEMORY; /* or the like: it cannot say */
    }
    sio_error err = add_handlers(m->server);
    if (err == SIO_OK) {
        err = sio_server_mount(m->server, m->inner);
    }
    if (err == SIO_OK) {
        err = add_places(m->server);
    }
    return err == SIO_OK ? sio_server_listen(m->inner) : err;
}

static sio_error set_up(void)
{
    made m = {NULL, NULL};
    fault_alloc_thin(THIN);
    fault_now.on = true;
    sio_error err = make(&m);
    fault_now.on = false;
    sio_server_free(m.inner);
    sio_server_free(m.server);
    assert_int_not_equal(access(path, F_OK), 0);
    return err;
}

/* -------------------------------------------------------------- the tests --
 */

static void test_memory(void **state)
{
    (void)state;
    fault_now = (fault){.at = FAULT_NEVER};
    assert_int_equal(set_up(), SIO_OK); /* libraries keep some */
    size_t live = fault_alloc_live(), at = 0;
    sio_error err;
    do {
        fault_now = (fault){.at = at++};
        logged = 0;
        err = set_up();
        if (err != SIO_OK &&
            (!fault_has_struck() || (err != SIO_ERR_NO_MEMORY &&
                                     err != SIO_ERR_RANDOM && logged == 0))) {
            fail_msg("%zu: %s", at - 1, sio_error_text(err));
        }
        assert_int_equal(fault_alloc_live(), live);
    } while (fault_has_struck());
    assert_int_equal(err, SIO_OK);
    assert_true(at > 100);
    print_message("# setup: %zu failures survived\n", at - 1);
}

static void test_calls(void **state)
{
    static const struct {
        fault_call which;
        int error;
        int harmless; /* -1: it depends on what it is for */
        const char *label;
    } rows[] = {
        {FAULT_EVENTFD, EMFILE, 0, "eventfd: EMFILE"},
        {FAULT_EVENTFD, ENOMEM, 0, "eventfd: ENOMEM"},
        {FAULT_EPOLL, EMFILE, 1, "epoll_create1: EMFILE"},
        {FAULT_SOCKET, EMFILE, 0, "socket: EMFILE"},
        {FAULT_SOCKET, ENOBUFS, 0, "socket: ENOBUFS"},
        {FAULT_BIND, EADDRINUSE, 0, "bind: EADDRINUSE"},
        {FAULT_BIND, EACCES, 0, "bind: EACCES"},
        {FAULT_LISTEN, EADDRINUSE, 0, "listen: EADDRINUSE"},
        {FAULT_RANDOM, EINTR, 1, "getrandom: EINTR"},
        {FAULT_RANDOM, ENOSYS, 0, "getrandom: ENOSYS"},
        {FAULT_RESOLVE, EAI_MEMORY, 0, "getaddrinfo: EAI_MEMORY"},
        {FAULT_RESOLVE, EAI_AGAIN, 0, "getaddrinfo: EAI_AGAIN"},
        {FAULT_FOPEN, EMFILE, -1, "fopen: EMFILE"},
        {FAULT_FOPEN, EACCES, -1, "fopen: EACCES"},
        {FAULT_FREAD, EIO, 0, "fread: EIO"},
        {FAULT_LSTAT, ENOMEM, 0, "lstat: ENOMEM"},
        {FAULT_CHMOD, EPERM, 0, "chmod: EPERM"},
        {FAULT_FLOCK, ENOLCK, 1, "flock: ENOLCK"},
    };
    size_t survived = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t at = 0;
        sio_error err;
        do {
            fault_now = (fault){
                .at = at++, .which = rows[i].which, .error = rows[i].error};
            err = set_up();
            if (fault_has_struck() && rows[i].harmless >= 0 &&
                (err == SIO_OK) != (rows[i].harmless == 1)) {
                fail_msg("%s: %zu: %s", rows[i].label, at - 1,
                         sio_error_text(err));
            }
        } while (fault_has_struck());
        assert_int_equal(err, SIO_OK);
        assert_true(at > 1);
        survived += at - 1;
        print_message("# %s: %zu survived\n", rows[i].label, at - 1);
    }
    print_message("# setup: %zu failures of calls survived\n", survived);
}

/* ------------------------------------------------------------- the end of it
 * --
 */

static turn_rig rig;

static void close_in_time(void)
{
    for (unsigned turns = 0; !sio_server_closed(rig.server); turns++) {
        assert_true(turns < 10000);
        turn_rig_turn(&rig);
        if (turns > 50) {
            turn_rig_pass_time();
        }
    }
}

/* Two clients, of which one has something waiting; then it is drained, and
 * listens again. */
static bool end_and_begin(bool drained)
{
    sio_drain_options options = SIO_DRAIN_OPTIONS_DEFAULT;
    options.rate = 0;
    fault_now.on = true;
    sio_error err = SIO_OK;
    if (drained) {
        err = sio_server_drain(rig.server, &options);
    } else {
        sio_server_stop(rig.server);
    }
    fault_now.on = false;
    if (err != SIO_OK) {
        assert_int_equal(err, SIO_ERR_NO_MEMORY);
        sio_server_stop(rig.server);
    }
    close_in_time();
    fault_now.on = true;
    err = sio_server_listen(rig.server);
    fault_now.on = false;
    if (err != SIO_OK) {
        assert_true(fault_has_struck());
        fault_now.at = FAULT_NEVER;
        assert_int_equal(sio_server_listen(rig.server), SIO_OK);
    }
    rig.port = sio_server_port(rig.server);
    return err == SIO_OK;
}

static size_t fail_ends(bool drained, fault_call which, int error)
{
    size_t at = 0;
    do {
        fault_now = (fault){.at = FAULT_NEVER};
        fault_scene_open(fault_scene_named("recovery"), &rig);
        turn_rig_listen(&rig);
        assert_true(join(&one, &rig, "") && join(&two, &rig, ""));
        fault_now = (fault){.at = at++, .which = which, .error = error};
        (void)end_and_begin(drained);
        bool struck = fault_has_struck() || fault_now.at == FAULT_NEVER;
        fault_now = (fault){.at = FAULT_NEVER};
        turn_client_close(&one);
        turn_client_close(&two);
        assert_true(fault_scene_named("recovery")->play(&rig));
        turn_rig_free(&rig);
        if (!struck) {
            return at - 1;
        }
    } while (true);
}

static void test_ends(void **state)
{
    static const struct {
        fault_call which;
        int error;
        const char *label;
    } rows[] = {
        {FAULT_MEMORY, ENOMEM, "memory"},
        {FAULT_SEND, EPIPE, "send: EPIPE"},
        {FAULT_SEND, ENOBUFS, "send: ENOBUFS"},
        {FAULT_READ, EAGAIN, "read: EAGAIN"},
        {FAULT_WRITE, EINTR, "write: EINTR"},
        {FAULT_SOCKET, EMFILE, "socket: EMFILE"},
        {FAULT_BIND, EADDRINUSE, "bind: EADDRINUSE"},
        {FAULT_LISTEN, EADDRINUSE, "listen: EADDRINUSE"},
        {FAULT_RESOLVE, EAI_MEMORY, "getaddrinfo: EAI_MEMORY"},
    };
    (void)state;
    for (int drained = 0; drained < 2; drained++) {
        for (size_t i = 0; i < COUNT(rows); i++) {
            size_t count =
                fail_ends(drained != 0, rows[i].which, rows[i].error);
            assert_true(count > 0);
            print_message("# %s, %s: %zu survived\n",
                          drained ? "drained" : "stopped", rows[i].label,
                          count);
        }
    }
}

/* ------------------------------------------------------------------- files --
 */

static void put(char *file, size_t cap, const char *name, const char *text)
{
    (void)snprintf(file, cap, "%s/%s", folder, name);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static int make_files(void **state)
{
    (void)state;
    fault_alloc_init();
    (void)snprintf(folder, sizeof(folder), "/tmp/sio-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    put(chain, sizeof(chain), "chain.pem", tls_cert_server()->cert);
    put(key, sizeof(key), "key.pem", tls_cert_server()->key);
    (void)snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    return unlink(chain) != 0 || unlink(key) != 0 || rmdir(folder) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
