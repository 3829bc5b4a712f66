/*
 * The server that official clients are tested against:
 *
 *   testserver --profile NAME [--port N] [--host A] ...
 *
 * It prints "listening on PORT" when it can be reached, writes warnings to
 * stderr, and ends with 0 on SIGTERM and SIGINT, and on SIGUSR1 when it has
 * been drained.  On SIGHUP it closes and listens again, on SIGUSR2 after it has
 * been drained, which it prints anew.  /hello answers with text, /echo with
 * the request as JSON, /who with the client's address and the subject of its
 * certificate; /reload-tls reads certificates anew.  The options stand in
 * testserver_options.c, the profiles in profile_*.c.
 */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiles.h"
#include "socketio/jansson.h"

void iso_now(char out[32])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + len, 32 - len, ".%03dZ",
             (int)(now.tv_nsec / 1000000 % 1000));
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, c | 0x20);
    return found == NULL ? -1 : (int)(found - digits);
}

static void decode(const char *in, size_t len, char *out, size_t cap)
{
    size_t used = 0;
    for (size_t i = 0; i < len && used + 1 < cap; i++) {
        char c = in[i] == '+' ? ' ' : in[i];
        if (c == '%' && i + 2 < len && hex_value(in[i + 1]) >= 0 &&
            hex_value(in[i + 2]) >= 0) {
            c = (char)(hex_value(in[i + 1]) * 16 + hex_value(in[i + 2]));
            i += 2;
        }
        out[used++] = c;
    }
    out[used] = '\0';
}

bool query_value(const char *query, const char *name, char *out, size_t cap)
{
    size_t name_len = strlen(name);
    while (*query != '\0') {
        size_t len = strcspn(query, "&");
        size_t key = strcspn(query, "=&");
        if (key == name_len && memcmp(query, name, key) == 0) {
            size_t skip = key < len ? key + 1 : key;
            decode(query + skip, len - skip, out, cap);
            return true;
        }
        query += len;
        query += *query == '&';
    }
    return false;
}

static void on_log(void *arg, int level, const char *event, const char *text)
{
    static const char *const levels[] = {"", "error", "warn", "info", "debug"};
    (void)arg;
    fprintf(stderr, "%s %s %s\n", levels[level], event, text);
}

static void on_connection_error(sio_http_request *request, int code,
                                const char *message, const char *context,
                                void *arg)
{
    (void)arg;
    fprintf(stderr, "connection_error %s code=%d %s %s\n",
            sio_http_path(request), code, message, context);
}

static bool on_cors_origin(sio_http_request *request, const char *origin,
                           void *arg)
{
    const testserver *ts = arg;
    (void)request;
    return strcmp(origin, ts->options->cors_ask) == 0;
}

static void on_hello(sio_http_request *request, void *arg)
{
    (void)arg;
    sio_http_respond(request, 200, "text/plain", "hello", 5);
}

static void on_echo(sio_http_request *request, void *arg)
{
    (void)arg;
    size_t len;
    const char *body = sio_http_body(request, &len);
    json_t *text = json_stringn(body == NULL ? "" : body, len);
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:o?}", "method", sio_http_method(request), "path",
        sio_http_path(request), "query", sio_http_query(request), "body", text);
    char *out = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (out == NULL) {
        sio_http_respond(request, 500, NULL, NULL, 0);
        return;
    }
    sio_http_respond(request, 200, "application/json", out, strlen(out));
    free(out);
}

static void on_who(sio_http_request *request, void *arg)
{
    (void)arg;
    char out[512];
    const char *subject = sio_http_client_subject(request);
    int len = snprintf(
        out, sizeof(out), "{\"address\":\"%s\",\"secure\":%s%s%.300s%s}",
        sio_http_address(request), sio_http_secure(request) ? "true" : "false",
        subject == NULL ? "" : ",\"subject\":\"",
        subject == NULL ? "" : subject, subject == NULL ? "" : "\"");
    sio_http_respond(request, 200, "application/json", out, (size_t)len);
}

static void on_reload_tls(sio_http_request *request, void *arg)
{
    sio_error err = sio_server_reload_tls(arg, 0, NULL);
    const char *text = sio_error_text(err);
    sio_http_respond(request, err == SIO_OK ? 200 : 500, "text/plain", text,
                     strlen(text));
}

static void allow_now(void *arg)
{
    sio_verdict_allow(arg);
}

static void on_allow_request(sio_http_request *request, sio_verdict *verdict,
                             void *arg)
{
    testserver *ts = arg;
    char value[2];
    if (ts->options->deny_query &&
        query_value(sio_http_query(request), "deny", value, sizeof(value))) {
        sio_verdict_refuse(verdict, NULL);
    } else if (ts->options->allow_delay_ms == 0 ||
               !later_start(ts, ts->options->allow_delay_ms, allow_now,
                            verdict)) {
        sio_verdict_allow(verdict);
    }
}

static const profile profiles[] = {
    {.name = "sio5",
     .defaults = profile_sio5_defaults,
     .setup = profile_sio5_setup},
    {.name = "sio-client",
     .defaults = profile_client_defaults,
     .setup = profile_client_setup},
    {.name = "bench",
     .defaults = profile_bench_defaults,
     .setup = profile_bench_setup},
    {.name = "rows",
     .one_thread = true,
     .defaults = profile_rows_defaults,
     .setup = profile_rows_setup,
     .stopped = profile_rows_stopped,
     .teardown = profile_rows_teardown},
    {.name = "rows-tap",
     .one_thread = true,
     .defaults = profile_rows_defaults,
     .setup = profile_rows_tap_setup,
     .stopped = profile_rows_stopped,
     .teardown = profile_rows_teardown},
    {.name = "threads",
     .defaults = profile_threads_defaults,
     .setup = profile_threads_setup},
    {.name = "eio4",
     .defaults = profile_eio4_defaults,
     .setup = profile_eio4_setup},
    {.name = "eio3",
     .defaults = profile_eio3_defaults,
     .setup = profile_eio4_setup},
    {.name = "eio-client",
     .one_thread = true,
     .defaults = profile_eio_client_defaults,
     .setup = profile_eio_client_setup,
     .teardown = profile_eio_client_teardown},
};

const profile *profile_find(const char *name)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        if (strcmp(profiles[i].name, name) == 0) {
            return &profiles[i];
        }
    }
    return NULL;
}

static void tell_port(const testserver *ts)
{
    printf("listening on %u\n", (unsigned)sio_server_port(ts->server));
    fflush(stdout);
}

/* At the port of the config, and where else it is wanted. */
static bool listen_all(testserver *ts)
{
    const options *opts = ts->options;
    sio_listen_options also = opts->also, direct = {.host = opts->config.host};
    uint16_t port;
    also.size = direct.size = sizeof(also);
    also.proxy_protocol = opts->config.proxy_protocol;
    if (sio_server_listen(ts->server) != SIO_OK ||
        (also.unix_path != NULL &&
         sio_server_listen_at(ts->server, &also, NULL) != SIO_OK)) {
        return false;
    }
    if (opts->direct) {
        if (sio_server_listen_at(ts->server, &direct, &port) != SIO_OK) {
            return false;
        }
        printf("direct on %u\n", (unsigned)port);
    }
    return true;
}

/* With several threads, it comes from another one. */
static void on_closed(sio_server *server, void *arg)
{
    testserver *ts = arg;
    (void)server;
    if (atomic_exchange(&ts->again, false) && !ts->stopping && listen_all(ts)) {
        tell_port(ts);
        return;
    }
    ts->closed = true;
    ev_async_send(ts->loop, &ts->wake);
}

static void on_wake(struct ev_loop *loop, ev_async *wake, int events)
{
    (void)events;
    testserver *ts = wake->data;
    later_take(ts);
    if (ts->closed && beside_is_over(ts)) {
        ev_break(loop, EVBREAK_ALL);
    }
}

/* Ends the server in an orderly way; the loop ends when it has closed. */
static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)events;
    (void)loop;
    testserver *ts = signal->data;
    if (ts->stopping) {
        return;
    }
    ts->stopping = true;
    later_flush(ts);
    sio_server_stop(ts->server);
    beside_stop(ts);
    const profile *own = profile_find(ts->options->profile);
    if (own->stopped != NULL) {
        own->stopped(ts);
    }
}

static void on_hangup(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)events;
    (void)loop;
    testserver *ts = signal->data;
    ts->again = true;
    sio_server_stop(ts->server);
}

static void on_drain(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)events;
    (void)loop;
    testserver *ts = signal->data;
    ts->again = signal->signum == SIGUSR2;
    if (sio_server_drain(ts->server, &ts->options->drain) != SIO_OK) {
        fprintf(stderr, "error it cannot be drained\n");
    }
}

static bool set_up(testserver *ts, const profile *own)
{
    const char *dir = ts->options->static_dir;
    if (ts->options->hooks && !hooks_add(ts->server)) {
        return false;
    }
    if (sio_server_on_http(ts->server, "/hello", on_hello, NULL) != SIO_OK ||
        sio_server_on_http(ts->server, "/echo", on_echo, NULL) != SIO_OK ||
        sio_server_on_http(ts->server, "/who", on_who, NULL) != SIO_OK ||
        sio_server_on_http(ts->server, "/reload-tls", on_reload_tls,
                           ts->server) != SIO_OK ||
        (dir != NULL &&
         sio_server_serve_files(ts->server, "/", dir) != SIO_OK)) {
        return false;
    }
    return own->setup(ts) && beside_make(ts) && listen_all(ts) &&
           beside_start(ts);
}

static void *run_server(void *arg)
{
    testserver *ts = arg;
    while (!ts->closed) {
        if (sio_server_run(ts->server) != SIO_OK) {
            fprintf(stderr, "error the threads could not be started\n");
            on_closed(ts->server, ts);
        }
    }
    return NULL;
}

static void serve(testserver *ts)
{
    bool threaded = ts->options->config.threads > 1;
    pthread_t thread;
    ev_signal term, interrupt, hangup, drain, renew;
    if (threaded && pthread_create(&thread, NULL, run_server, ts) != 0) {
        return;
    }
    ev_signal_init(&term, on_signal, SIGTERM);
    ev_signal_init(&interrupt, on_signal, SIGINT);
    ev_signal_init(&hangup, on_hangup, SIGHUP);
    ev_signal_init(&drain, on_drain, SIGUSR1);
    ev_signal_init(&renew, on_drain, SIGUSR2);
    drain.data = ts;
    renew.data = ts;
    term.data = ts;
    interrupt.data = ts;
    hangup.data = ts;
    ev_signal_start(ts->loop, &term);
    ev_signal_start(ts->loop, &interrupt);
    ev_signal_start(ts->loop, &hangup);
    ev_signal_start(ts->loop, &drain);
    ev_signal_start(ts->loop, &renew);

    tell_port(ts);
    ev_run(ts->loop, 0);
    if (threaded) {
        pthread_join(thread, NULL);
    }

    ev_signal_stop(ts->loop, &term);
    ev_signal_stop(ts->loop, &interrupt);
    ev_signal_stop(ts->loop, &hangup);
    ev_signal_stop(ts->loop, &drain);
    ev_signal_stop(ts->loop, &renew);
}

static int run(const options *opts, const profile *own)
{
    testserver ts = {.options = opts, .loop = ev_loop_new(EVFLAG_AUTO)};
    sio_server_config config = opts->config;
    int status = 1;
    if (ts.loop == NULL) {
        return status;
    }

    later_init(&ts);
    ev_async_init(&ts.wake, on_wake);
    ts.wake.data = &ts;
    ev_async_start(ts.loop, &ts.wake);
    config.loop = config.threads > 1 ? NULL : ts.loop;
    config.on_log = on_log;
    config.on_connection_error = on_connection_error;
    config.on_closed = on_closed;
    config.arg = &ts;
    if (opts->cors_ask != NULL) {
        config.on_cors_origin = on_cors_origin;
    }
    if (opts->deny_query || opts->allow_delay_ms != 0) {
        config.on_allow_request = on_allow_request;
    }
    if (opts->hooks) {
        hooks_configure(&config);
    }
    ts.server = sio_server_new(&config);
    if (ts.server != NULL && set_up(&ts, own)) {
        serve(&ts);
        status = 0;
    }
    later_flush(&ts);
    beside_free(&ts);
    sio_server_free(ts.server);
    if (own->teardown != NULL) {
        own->teardown(&ts);
    }
    ev_async_stop(ts.loop, &ts.wake);
    ev_loop_destroy(ts.loop);
    later_deinit(&ts);
    return status;
}

int main(int argc, char **argv)
{
    options opts;
    if (!options_parse(argc, argv, &opts)) {
        return 2;
    }
    const profile *own = profile_find(opts.profile);
    if (own->one_thread && opts.config.threads != 1) {
        fprintf(stderr,
                "profile %s keeps its books without locks: it takes "
                "one thread\n",
                own->name);
        return 2;
    }
    return run(&opts, own);
}
