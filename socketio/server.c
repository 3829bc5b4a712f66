#include "socketio/server_impl.h"

#include <stdlib.h>

const char *sio_version(void)
{
    return SIO_VERSION;
}

/* ---------------------------------------------------------------- hooks -- */

static const sio_server *server_of(const void *app)
{
    const sio_worker *worker = app;
    return worker->server;
}

static void on_allow(void *app, tp_exchange *x)
{
    const sio_server *server = server_of(app);
    /* A verdict is the exchange seen from the other side. */
    server->config.on_allow_request(x, (sio_verdict *)x, server->config.arg);
}

static bool on_generate_id(void *app, tp_exchange *x,
                           char id[SIO_SESSION_ID_SIZE])
{
    const sio_server *server = server_of(app);
    return server->config.on_generate_id(x, id, server->config.arg);
}

static bool on_cors(void *app, tp_exchange *x, const char *origin)
{
    const sio_server *server = server_of(app);
    return server->config.on_cors_origin(x, origin, server->config.arg);
}

static void on_initial_headers(void *app, tp_exchange *x)
{
    const sio_server *server = server_of(app);
    server->config.on_initial_headers(x, server->config.arg);
}

static void on_headers(void *app, tp_exchange *x)
{
    const sio_server *server = server_of(app);
    server->config.on_headers(x, server->config.arg);
}

static void on_refused(void *app, tp_exchange *x, int code, const char *message,
                       const char *context)
{
    const sio_server *server = server_of(app);
    server->config.on_connection_error(x, code, message, context,
                                       server->config.arg);
}

static void set_hooks(sio_server *server)
{
    const sio_server_config *c = &server->config;
    server->hooks = (tp_front_hooks){
        .allow = c->on_allow_request == NULL ? NULL : on_allow,
        .generate_id = c->on_generate_id == NULL ? NULL : on_generate_id,
        .cors = c->on_cors_origin == NULL ? NULL : on_cors,
        .initial_headers =
            c->on_initial_headers == NULL ? NULL : on_initial_headers,
        .headers = c->on_headers == NULL ? NULL : on_headers,
        .refused = c->on_connection_error == NULL ? NULL : on_refused,
        .other = sio_server_lead,
    };
}

/* ------------------------------------------------------------ life, death --
 */

static void wire_worker(sio_server *server, unsigned index)
{
    sio_worker *worker = &server->workers[index];
    tp_loop *loop = &worker->loop;
    worker->engine = (eio_engine){
        .config = &server->eio_config,
        .wheel = &loop->wheel,
        .now = &loop->now,
        .doomed = &loop->doomed,
        .frames = &loop->frames,
        .chunks = &loop->chunks,
        .random = &loop->random,
        .inbox = &loop->inbox,
        .log = &server->log,
        .counters = loop->counters,
        .error_counts = worker->error_counts,
        .events = &sio_client_events,
        .app = &worker->sio,
        .partition = &server->partition,
        .index = index,
    };
    worker->front = (tp_front){
        .loop = loop,
        .engine = &worker->engine,
        .peers = server->fronts,
        .peer_count = server->config.threads,
        .config = &server->front_config,
        .client_files = server->client_files,
        .hooks = &server->hooks,
        .app = worker,
        .ended = sio_worker_connection_ended,
    };
    sio_list_init(&worker->listeners);
    tp_front_init(&worker->front);
    sio_loop_init(&worker->sio, &server->core, &worker->engine, index);
    server->loops[index] = &worker->sio;
    server->fronts[index] = &worker->front;
}

static void free_workers(sio_server *server, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        eio_engine_deinit(&server->workers[i].engine);
    }
    for (unsigned i = 0; i < count; i++) {
        sio_parser_room_deinit(&server->workers[i].sio.room);
        sio_arena_deinit(&server->workers[i].sio.spare);
        tp_loop_deinit(&server->workers[i].loop);
    }
    free(server->workers);
    free(server->loops);
    free(server->fronts);
}

static sio_error make_worker(sio_server *server, unsigned index)
{
    sio_worker *worker = &server->workers[index];
    worker->server = server;
    sio_error err =
        tp_loop_init(&worker->loop, server->config.loop, &server->log);
    if (err != SIO_OK) {
        return err;
    }
    worker->loop.error_counts = worker->error_counts;
    wire_worker(server, index);
    if (server->config.deflate) {
        err = tp_deflater_init(&worker->loop.deflater,
                               &server->front_config.deflate,
                               &server->deflate_budget);
    }
    if (err == SIO_OK && server->core.parser->whole) {
        err = sio_parser_room_init(&worker->sio.room, &server->core.limits);
    }
    if (err == SIO_OK) {
        err = eio_engine_init(&worker->engine);
    }
    if (err != SIO_OK) {
        sio_parser_room_deinit(&worker->sio.room);
        tp_loop_deinit(&worker->loop);
    }
    return err;
}

static sio_error make_workers(sio_server *server)
{
    unsigned count = server->config.threads, made = 0;
    size_t size = count * sizeof(sio_worker);
    sio_error err = SIO_ERR_NO_MEMORY;
    server->workers = aligned_alloc(alignof(sio_worker), size);
    server->loops = calloc(count, sizeof(*server->loops));
    server->fronts = calloc(count, sizeof(*server->fronts));
    server->partition.count = count;
    if (server->workers != NULL && server->loops != NULL &&
        server->fronts != NULL) {
        memset(server->workers, 0, size);
        err = SIO_OK;
    }
    while (err == SIO_OK && made < count) {
        err = make_worker(server, made);
        made += err == SIO_OK ? 1 : 0;
    }
    if (err != SIO_OK) {
        free_workers(server, made);
    }
    return err;
}

static sio_error make_core(sio_server *server)
{
    sio_random *random = &server->workers[0].loop.random;
    server->core.server = server;
    server->core.loops = server->loops;
    server->core.loop_count = server->config.threads;
    sio_error err = sio_random_fill(random, &server->partition.secret,
                                    sizeof(server->partition.secret));
    sio_hash_key secret = {0};
    if (err == SIO_OK) {
        err = sio_random_fill(random, &secret, sizeof(secret));
    }
    if (err == SIO_OK) {
        err = sio_core_init(&server->core, random);
    }
    if (err == SIO_OK && sio_core_of(&server->core, "/") == NULL) {
        sio_core_deinit(&server->core);
        err = SIO_ERR_NO_MEMORY;
    }
    if (err == SIO_OK) {
        sio_server_init_admission(server, secret);
    }
    return err;
}

static sio_error open_client_files(sio_server *server)
{
    const char *dir = server->config.client_dir;
    return !server->config.serve_client
               ? SIO_OK
               : tp_client_files_new(dir == NULL ? SIO_CLIENT_DIR : dir,
                                     &server->log, &server->client_files);
}

/* Makes all that the configuration asks for, or nothing. */
static sio_error make_all(sio_server *server)
{
    sio_error err = open_client_files(server);
    if (err != SIO_OK) {
        return err;
    }
    err = make_workers(server);
    if (err == SIO_OK) {
        err = make_core(server);
        if (err != SIO_OK) {
            free_workers(server, server->config.threads);
        }
    }
    if (err != SIO_OK && server->client_files != NULL) {
        tp_client_files_free(server->client_files);
    }
    return err;
}

sio_server *sio_server_new(const sio_server_config *config)
{
    sio_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return NULL;
    }
    sio_server_init_tls(server);
    if (sio_server_configure(server, config) != SIO_OK ||
        make_all(server) != SIO_OK) {
        sio_server_deinit_tls(server);
        sio_arena_deinit(&server->strings);
        free(server);
        return NULL;
    }
    set_hooks(server);
    sio_server_init_closing(server);
    sio_server_init_signals(server);
    return server;
}

unsigned sio_server_threads(const sio_server *server)
{
    return server->config.threads;
}

/* Each worker but the first gets a thread; all of them, or none. */
static sio_error start_threads(sio_server *server)
{
    sio_error err = SIO_OK;
    for (unsigned i = 1; i < server->config.threads && err == SIO_OK; i++) {
        sio_worker *worker = &server->workers[i];
        err = tp_thread_start(&worker->thread, &worker->loop);
    }
    if (err != SIO_OK) {
        sio_log_write(&server->log, SIO_LOG_ERROR, "thread_failed",
                      "%u threads are not to be had", server->config.threads);
        for (unsigned i = 1; i < server->config.threads; i++) {
            sio_worker_end(&server->workers[i]);
        }
    }
    return err;
}

static void join_threads(sio_server *server)
{
    for (unsigned i = 1; i < server->config.threads; i++) {
        tp_thread_join(&server->workers[i].thread);
    }
}

sio_error sio_server_run(sio_server *server)
{
    tp_loop *first = &server->workers[0].loop;
    sio_error err = SIO_OK;
    if (!first->own) {
        return SIO_ERR_STATE;
    }
    if (!server->started || server->closed) {
        err = sio_server_listen(server);
    }
    if (err != SIO_OK) {
        return err;
    }
    tp_loop_adopt(first);
    server->running = server->config.threads > 1;
    err = start_threads(server);
    if (err == SIO_OK) {
        ev_run(first->ev, 0);
    }
    join_threads(server);
    server->running = false;
    if (err == SIO_OK) {
        server->core.fixed = false;
        sio_server_tell_closed(server);
    }
    return err;
}

/* No thread but this one is left. */
static void close_worker(sio_worker *worker)
{
    sio_worker_close(worker);
    tp_front_abort(&worker->front);
    eio_engine_close_all(&worker->engine, EIO_CLOSE_NOW);
    sio_wheel_cancel(&worker->loop.wheel, &worker->grace);
    sio_link_drop(&worker->empty.link);
    sio_reap_now(&worker->loop.doomed);
    tp_front_deinit(&worker->front);
    sio_nexts_free(&worker->sio);
}

void sio_server_free(sio_server *server)
{
    if (server == NULL) {
        return;
    }
    sio_server_forget_signals(server);
    for (unsigned i = 0; i < server->config.threads; i++) {
        /* First goes what never ran: it may be a part of what goes next. */
        tp_loop *loop = &server->workers[i].loop;
        tp_loop_adopt(loop);
        tp_loop_stop(loop);
        sio_inbox_deinit(&loop->inbox);
    }
    for (unsigned i = 0; i < server->config.threads; i++) {
        close_worker(&server->workers[i]);
    }
    sio_core_deinit(&server->core);
    if (server->client_files != NULL) {
        tp_client_files_free(server->client_files);
    }
    sio_server_free_routes(server);
    sio_server_unmount(server);
    free_workers(server, server->config.threads);
    sio_server_deinit_tls(server);
    sio_server_deinit_admission(server);
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
    sio_error err = sio_inbox_post(&server->workers[0].loop.inbox, &p->message);
    if (err != SIO_OK) {
        free(p);
    }
    return err;
}

uint64_t sio_server_loop_counter(const sio_server *server, unsigned loop,
                                 sio_counter counter)
{
    return loop < server->config.threads &&
                   (unsigned)counter < SIO_COUNTER_COUNT
               ? sio_metric_get(&server->workers[loop].loop.counters[counter])
               : 0;
}

uint64_t sio_server_counter(const sio_server *server, sio_counter counter)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < server->config.threads; i++) {
        uint64_t value = sio_server_loop_counter(server, i, counter);
        if (counter != SIO_COUNTER_LOOP_LAG_US) {
            total += value;
        } else if (value > total) {
            total = value;
        }
    }
    return total;
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
    uint64_t total = 0;
    for (unsigned i = 0; i < server->config.threads; i++) {
        if (err < 0 && err > -EIO_ERROR_CODES) {
            total += sio_metric_get(&server->workers[i].error_counts[-err]);
        }
    }
    return total;
}
