#include "socketio/server_impl.h"

#include <signal.h>
#include <stdlib.h>

/* How long sio_server_stop() waits for what is under way. */
#define GRACE_MS 2000

const char *sio_version(void)
{
    return SIO_VERSION;
}

/* ---------------------------------------------------------------- hooks -- */

static void on_allow(void *app, tp_exchange *x)
{
    sio_server *server = app;
    /* A verdict is the exchange seen from the other side. */
    server->config.on_allow_request(x, (sio_verdict *)x, server->config.arg);
}

static bool on_generate_id(void *app, tp_exchange *x,
                           char id[SIO_SESSION_ID_SIZE])
{
    sio_server *server = app;
    return server->config.on_generate_id(x, id, server->config.arg);
}

static void on_initial_headers(void *app, tp_exchange *x)
{
    sio_server *server = app;
    server->config.on_initial_headers(x, server->config.arg);
}

static void on_headers(void *app, tp_exchange *x)
{
    sio_server *server = app;
    server->config.on_headers(x, server->config.arg);
}

static void on_refused(void *app, tp_exchange *x, int code, const char *message,
                       const char *context)
{
    sio_server *server = app;
    server->config.on_connection_error(x, code, message, context,
                                       server->config.arg);
}

static void set_hooks(sio_server *server)
{
    const sio_server_config *c = &server->config;
    server->hooks = (tp_front_hooks){
        .allow = c->on_allow_request == NULL ? NULL : on_allow,
        .generate_id = c->on_generate_id == NULL ? NULL : on_generate_id,
        .initial_headers =
            c->on_initial_headers == NULL ? NULL : on_initial_headers,
        .headers = c->on_headers == NULL ? NULL : on_headers,
        .refused = c->on_connection_error == NULL ? NULL : on_refused,
        .other = sio_server_lead,
    };
}

/* -------------------------------------------------------------- closing -- */

/* Ends up where nothing of the server is left on its loop. */
static void finish_closing(sio_server *server)
{
    server->closed = true;
    sio_wheel_cancel(&server->loop.wheel, &server->grace);
    sio_inbox_close(&server->loop.inbox);
    if (server->loop.own) {
        ev_break(server->loop.ev, EVBREAK_ALL);
    }
    if (server->config.on_closed != NULL) {
        server->config.on_closed(server, server->config.arg);
    }
}

/* Runs at the end of each turn while connections are left. */
static void look_whether_over(tp_dirty *dirty)
{
    sio_server *server = SIO_OWNER(dirty, sio_server, closing);
    if (server->front.open == 0 && !server->closed) {
        finish_closing(server);
    }
}

static void on_grace(sio_timer *timer)
{
    sio_server *server = SIO_OWNER(timer, sio_server, grace);
    tp_front_abort(&server->front);
    finish_closing(server);
}

static void on_front_empty(void *app)
{
    sio_server *server = app;
    if (server->core.closing) {
        tp_loop_dirty(&server->loop, &server->closing);
    }
}

static void close_server(sio_server *server)
{
    if (server->core.closing) {
        return;
    }
    ev_signal_stop(server->loop.ev, &server->interrupt);
    ev_signal_stop(server->loop.ev, &server->terminate);
    tp_listener_close(&server->listener);
    sio_core_close(&server->core);
    eio_engine_close_all(&server->engine, EIO_CLOSE_LINGER);
    tp_front_close(&server->front);
    sio_wheel_arm(&server->loop.wheel, &server->grace,
                  server->loop.now + GRACE_MS);
    tp_loop_dirty(&server->loop, &server->closing);
}

static void on_stop(sio_message *message)
{
    close_server(SIO_OWNER(message, sio_server, stop));
}

void sio_server_stop(sio_server *server)
{
    if (!atomic_flag_test_and_set(&server->stop_posted)) {
        (void)sio_inbox_post(&server->loop.inbox, &server->stop);
    }
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
    (void)ev;
    (void)revents;
    sio_server_stop(w->data);
}

bool sio_server_closed(const sio_server *server)
{
    return server->closed;
}

/* ------------------------------------------------------------ life, death --
 */

static void wire(sio_server *server)
{
    tp_loop *loop = &server->loop;
    server->engine = (eio_engine){
        .config = &server->eio_config,
        .wheel = &loop->wheel,
        .now = &loop->now,
        .doomed = &loop->doomed,
        .frames = &loop->frames,
        .chunks = &loop->chunks,
        .random = &loop->random,
        .log = &server->log,
        .counters = server->counters,
        .error_counts = server->error_counts,
        .events = &sio_client_events,
        .app = &server->core,
    };
    server->core.server = server;
    server->core.engine = &server->engine;
    server->front = (tp_front){
        .loop = loop,
        .engine = &server->engine,
        .config = &server->front_config,
        .hooks = &server->hooks,
        .app = server,
        .ended = on_front_empty,
    };
    tp_front_init(&server->front);
    server->grace.fire = on_grace;
    server->closing.flush = look_whether_over;
    server->stop.run = on_stop;
    atomic_flag_clear(&server->stop_posted);
    ev_signal_init(&server->interrupt, on_signal, SIGINT);
    ev_signal_init(&server->terminate, on_signal, SIGTERM);
    server->interrupt.data = server;
    server->terminate.data = server;
    set_hooks(server);
}

static sio_error init_layers(sio_server *server)
{
    const sio_server_config *c = &server->config;
    sio_error err = eio_engine_init(&server->engine);
    if (err != SIO_OK) {
        return err;
    }
    err = sio_core_init(&server->core);
    if (err == SIO_OK && sio_core_of(&server->core, "/") == NULL) {
        err = SIO_ERR_NO_MEMORY;
    }
    if (err == SIO_OK && c->serve_client) {
        err = tp_client_files_new(c->client_dir == NULL ? SIO_CLIENT_DIR
                                                        : c->client_dir,
                                  &server->log, &server->client_files);
        server->front.client_files = server->client_files;
    }
    if (err != SIO_OK) {
        sio_core_deinit(&server->core);
        eio_engine_deinit(&server->engine);
    }
    return err;
}

sio_server *sio_server_new(const sio_server_config *config)
{
    sio_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return NULL;
    }
    if (sio_server_configure(server, config) != SIO_OK ||
        tp_loop_init(&server->loop, server->config.loop, &server->log) !=
            SIO_OK) {
        sio_arena_deinit(&server->strings);
        free(server);
        return NULL;
    }
    wire(server);
    if (init_layers(server) != SIO_OK) {
        tp_loop_deinit(&server->loop);
        sio_arena_deinit(&server->strings);
        free(server);
        return NULL;
    }
    return server;
}

sio_error sio_server_listen(sio_server *server)
{
    if (server->listening || server->core.closing) {
        return SIO_ERR_STATE;
    }
    server->listener = (tp_listener){
        .loop = &server->loop,
        .accepted = &server->counters[SIO_COUNTER_ACCEPTED],
        .bytes_in = &server->counters[SIO_COUNTER_BYTES_IN],
        .bytes_out = &server->counters[SIO_COUNTER_BYTES_OUT],
        .connection = tp_front_accept,
        .owner = &server->front,
    };
    sio_error err =
        tp_listener_open(&server->listener, server->config.host,
                         server->config.port, server->config.backlog);
    if (err != SIO_OK) {
        server->listener.loop = NULL;
        return err;
    }
    server->listening = true;
    sio_frame_pool_adopt(&server->loop.frames);
    tp_loop_start(&server->loop);
    if (server->config.stop_on_signals) {
        ev_signal_start(server->loop.ev, &server->interrupt);
        ev_signal_start(server->loop.ev, &server->terminate);
    }
    return SIO_OK;
}

uint16_t sio_server_port(const sio_server *server)
{
    return server->listening ? server->listener.port : 0;
}

sio_error sio_server_run(sio_server *server)
{
    sio_error err = SIO_OK;
    if (!server->loop.own) {
        return SIO_ERR_STATE;
    }
    if (!server->listening) {
        err = sio_server_listen(server);
    }
    if (err == SIO_OK) {
        sio_frame_pool_adopt(&server->loop.frames);
        ev_run(server->loop.ev, 0);
    }
    return err;
}

void sio_server_free(sio_server *server)
{
    if (server == NULL) {
        return;
    }
    close_server(server);
    tp_front_abort(&server->front);
    eio_engine_close_all(&server->engine, EIO_CLOSE_NOW);
    sio_wheel_cancel(&server->loop.wheel, &server->grace);
    sio_link_drop(&server->closing.link);
    sio_reap_now(&server->loop.doomed);
    tp_front_deinit(&server->front);
    sio_core_deinit(&server->core);
    if (server->client_files != NULL) {
        tp_client_files_free(server->client_files);
    }
    sio_server_free_routes(server);
    eio_engine_deinit(&server->engine);
    tp_loop_deinit(&server->loop);
    sio_arena_deinit(&server->strings);
    free(server);
}

/* -------------------------------------------------------------- the rest -- */

sio_namespace *sio_server_of(sio_server *server, const char *name)
{
    return sio_core_of(&server->core, name);
}

typedef struct post {
    sio_message message;
    sio_server *server;
    sio_post_fn *fn;
    void *arg;
} post;

static void run_post(sio_message *message)
{
    post *p = SIO_OWNER(message, post, message);
    p->fn(p->server, p->arg);
    free(p);
}

static void drop_post(sio_message *message)
{
    free(SIO_OWNER(message, post, message));
}

sio_error sio_server_post(sio_server *server, sio_post_fn *fn, void *arg)
{
    post *p = malloc(sizeof(*p));
    if (p == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    *p = (post){{.run = run_post, .drop = drop_post}, server, fn, arg};
    sio_error err = sio_inbox_post(&server->loop.inbox, &p->message);
    if (err != SIO_OK) {
        free(p);
    }
    return err;
}

uint64_t sio_server_counter(const sio_server *server, sio_counter counter)
{
    return (unsigned)counter < SIO_COUNTER_COUNT ? server->counters[counter]
                                                 : 0;
}

const char *sio_counter_name(sio_counter counter)
{
    static const char *const names[] = {
#define SIO_COUNTER_TEXT(name, text) text,
        SIO_COUNTER_MAP(SIO_COUNTER_TEXT)
#undef SIO_COUNTER_TEXT
    };
    return (unsigned)counter < SIO_COUNTER_COUNT ? names[counter] : NULL;
}

uint64_t sio_server_error_count(const sio_server *server, sio_error err)
{
    return err < 0 && err > -EIO_ERROR_CODES ? server->error_counts[-err] : 0;
}
