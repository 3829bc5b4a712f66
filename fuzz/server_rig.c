#include "fuzz/server_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/allocator_interface.h>

#include "fuzz/fake_net.h"
#include "fuzz/server_client.h"
#include "fuzz/server_reach.h"

enum {
    MAX_PAYLOAD = 4096,
    MAX_BACKLOG = 32768,
    MAX_HEADER = 1024,
    RECOVERY_BYTES = 32768,
    /* Of a connection, beside its limits: what is read at once, windows of
     * zlib, frames that are packed, blocks of pools. */
    PER_CONN = 1 << 20,
    STOP_MS = 500
};

/* The second one is there where it is mounted. */
static struct {
    struct ev_loop *ev;
    uint64_t flags;
    sio_server *server[2];
    server_app app[2];
    size_t memory_before;
} rig;

static void need(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "fuzz_server: %s\n", what);
        abort();
    }
}

bool rig_on(rig_flag flag)
{
    return (rig.flags >> flag & 1) != 0;
}

server_app *rig_app(bool other)
{
    return &rig.app[other && rig.server[1] != NULL];
}

/* --------------------------------------------------------------- settings --
 */

static void configure_rates(sio_server_config *c)
{
    if (rig_on(RIG_PER_ADDRESS)) {
        c->max_connections_per_address = 2;
        c->max_sessions_per_address = 2;
        c->handshakes_per_address_per_s = 2;
    }
    if (rig_on(RIG_HANDSHAKES)) {
        c->handshakes_per_s = 3;
    }
    if (rig_on(RIG_RATE)) {
        c->packets_per_s = 20;
        c->bytes_per_s = 2000;
        c->rate_policy = rig_on(RIG_DISCONNECT) ? SIO_RATE_DISCONNECT
                         : rig_on(RIG_WARN)     ? SIO_RATE_WARN
                                                : SIO_RATE_THROTTLE;
    }
}

static void configure_limits(sio_server_config *c)
{
    c->max_payload = rig_on(RIG_SMALL_PAYLOAD) ? 128 : MAX_PAYLOAD;
    c->max_backlog = rig_on(RIG_SMALL_BACKLOG) ? 512 : MAX_BACKLOG;
    c->backlog_policy =
        rig_on(RIG_REFUSE) ? SIO_BACKLOG_REFUSE : SIO_BACKLOG_DISCONNECT;
    c->max_header_bytes = MAX_HEADER;
    c->max_headers = 20;
    c->max_json_depth = 16;
    c->max_attachments = 3;
    c->max_namespaces = 4;
    c->max_rooms = 4;
    c->max_dynamic_namespaces = 3;
    c->max_packets = 64;
    c->max_pending_acks = rig_on(RIG_FEW_ACKS) ? 1 : 8;
    c->cleanup_empty_child_namespaces = rig_on(RIG_CLEANUP);
    c->recovery_max_packets = 16;
    c->recovery_max_bytes = RECOVERY_BYTES;
    c->stop_timeout_ms = STOP_MS;
}

static void configure_deflate(sio_server_config *c)
{
    c->deflate = rig_on(RIG_DEFLATE);
    c->deflate_threshold = rig_on(RIG_DEFLATE_ALL) ? 1 : 64;
    c->deflate_server_no_context_takeover = rig_on(RIG_NO_TAKEOVER);
    c->deflate_memory = 1 << 20;
    if (rig_on(RIG_SMALL_WINDOWS)) {
        c->deflate_server_max_window_bits = 9;
        c->deflate_client_max_window_bits = 9;
        c->deflate_client_no_context_takeover = true;
    }
}

static void on_log(void *arg, int level, const char *event, const char *text)
{
    (void)arg;
    (void)fprintf(stderr, "%d %s: %s\n", level, event, text);
}

static sio_server_config make_config(void)
{
    sio_server_config c = SIO_SERVER_CONFIG_DEFAULT;
    if (getenv("FUZZ_SERVER_LOG") != NULL) {
        c.on_log = on_log;
        c.log_level = SIO_LOG_DEBUG;
    }
    c.host = "127.0.0.1";
    c.loop = rig.ev;
    c.serve_client = false;
    c.recovery = rig_on(RIG_RECOVERY);
    c.recovery_skip_middlewares = rig_on(RIG_SKIP_MIDDLEWARES);
    c.allow_eio3 = rig_on(RIG_EIO3);
    c.eio_missing_is_3 = rig_on(RIG_EIO3) && rig_on(RIG_MISSING_IS_3);
    c.parser = rig_on(RIG_MSGPACK) ? SIO_PARSER_MSGPACK : SIO_PARSER_JSON;
    c.http_compression_threshold = rig_on(RIG_COMPRESS) ? 1 : 1024;
    c.cookie_name = rig_on(RIG_COOKIE) ? "io" : NULL;
    c.cors_origin =
        rig_on(RIG_CORS) ? "http://a.example,http://*.b.example" : NULL;
    c.cors_credentials = rig_on(RIG_CORS);
    c.cors_enforce = rig_on(RIG_CORS) && rig_on(RIG_COMPRESS);
    c.trusted_proxies =
        rig_on(RIG_PROXIES) || rig_on(RIG_PLACES) ? "10.0.0.0/8, unix:" : NULL;
    c.initial_packet = rig_on(RIG_INITIAL) ? "first" : NULL;
    c.keep_alive_ms = rig_on(RIG_KEEP_ALIVE) ? 1 : 5000;
    configure_limits(&c);
    configure_rates(&c);
    configure_deflate(&c);
    return c;
}

/* ------------------------------------------------------------------ start --
 */

static void make_server(size_t i, const char *path)
{
    sio_server_config c = make_config();
    c.path = path;
    rig.app[i] = (server_app){.moody = false};
    server_app_configure(&rig.app[i], &c, !rig_on(RIG_RANDOM_IDS));
    rig.server[i] = sio_server_new(&c);
    need(rig.server[i] != NULL, "a good configuration is refused");
    server_app_start(&rig.app[i], rig.server[i],
                     (server_app_habits){rig_on(RIG_EVENT_RULES),
                                         rig_on(RIG_PACKETS),
                                         rig_on(RIG_OUTGOING)});
}

/* At all places, and with the one that is mounted. */
static void listen(void)
{
    static const sio_listen_options places[] = {
        [RIG_PROXY] = {.size = sizeof(places[0]),
                       .host = "127.0.0.1",
                       .proxy_protocol = true},
        [RIG_UNIX] = {.size = sizeof(places[0]), .unix_path = "@fuzz"},
    };
    need(sio_server_listen(rig.server[0]) == SIO_OK, "nowhere to listen");
    for (int i = RIG_PROXY; rig_on(RIG_PLACES) && i <= RIG_UNIX; i++) {
        need(sio_server_listen_at(rig.server[0], &places[i], NULL) == SIO_OK,
             "no further place to listen");
    }
    if (rig.server[1] != NULL) {
        need(sio_server_listen(rig.server[1]) == SIO_OK, "nothing to watch");
    }
    healthy_connect(rig_on(RIG_MSGPACK));
    healthy_echo(false);
}

void rig_start(struct ev_loop *ev, uint64_t flags)
{
    rig.ev = ev;
    rig.flags = flags;
    rig.server[1] = NULL;
    packet_check_packed(rig_on(RIG_MSGPACK));
    make_server(0, "/socket.io");
    if (rig_on(RIG_MOUNT)) {
        make_server(1, "/other");
        need(sio_server_mount(rig.server[0], rig.server[1]) == SIO_OK,
             "a second server cannot be mounted");
    }
    listen();
    for (size_t i = 0; i < 2; i++) {
        rig.app[i].moody = rig_on(RIG_MOODY);
        rig.app[i].slow_verdicts = rig_on(RIG_SLOW);
    }
    rig.memory_before = __sanitizer_get_current_allocated_bytes();
}

void rig_check_memory(void)
{
    size_t now = __sanitizer_get_current_allocated_bytes(), conns = 1;
    size_t stored = rig.server[1] == NULL ? 1 : 2;
    for (int i = 1; i < FAKE_CONNS; i++) {
        conns += fake_conns[i].taken != 0 || fake_conns[i].fd >= 0 ? 1 : 0;
    }
    need(now < rig.memory_before + stored * RECOVERY_BYTES +
                   conns *
                       (MAX_PAYLOAD * 4 + MAX_BACKLOG + MAX_HEADER + PER_CONN),
         "more memory than the limits allow");
}

/* -------------------------------------------------------------------- end --
 */

static void check_gauges(const sio_server *server)
{
    /* What a server has now, not what it has done. */
    static const sio_counter gauges[] = {
        SIO_COUNTER_CONNECTIONS,      SIO_COUNTER_SESSIONS_WEBSOCKET,
        SIO_COUNTER_SOCKETS,          SIO_COUNTER_SESSIONS,
        SIO_COUNTER_SESSIONS_POLLING, SIO_COUNTER_BACKLOG_BYTES,
    };
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        need(sio_server_counter(server, gauges[i]) == 0,
             sio_counter_name(gauges[i]));
    }
}

static void stop(sio_server *server)
{
    if (rig_on(RIG_DRAIN)) {
        sio_drain_options options = SIO_DRAIN_OPTIONS_DEFAULT;
        (void)sio_server_drain(server, &options);
        fake_net_settle();
        fake_net_pass(50);
        fake_net_settle();
    }
    sio_server_stop(server);
    for (int i = 0; i < 20 && !sio_server_closed(server); i++) {
        fake_net_settle();
        fake_net_pass(STOP_MS / 10);
    }
    need(sio_server_closed(server), "the server does not stop");
    fake_net_settle();
    check_gauges(server);
}

void rig_stop_other(void)
{
    if (rig.server[1] != NULL) {
        stop(rig.server[1]);
    }
}

/* It comes to life again with all that it had but clients. */
static void begin_anew(void)
{
    for (size_t i = 0; i < 2; i++) {
        rig.app[i].moody = rig.app[i].slow_verdicts = false;
    }
    fake_net_pass(2000); /* for those who count handshakes */
    listen();
    reach_noted("lives", 1);
}

static void stop_both(void)
{
    stop(rig.server[0]);
    rig_stop_other();
}

void rig_end(void)
{
    /* Both have to be closed before one is freed. */
    bool free_now = rig_on(RIG_FREE) && rig.server[1] == NULL;
    if (!free_now) {
        stop_both();
    }
    if (!free_now && rig_on(RIG_AGAIN)) {
        begin_anew();
        stop_both();
    }
    for (size_t i = 0; i < 2; i++) {
        if (rig.server[i] != NULL) {
            reach_server(rig.server[i]);
            reach_app(&rig.app[i], i == 1);
            server_app_end(&rig.app[i]);
        }
    }
    for (size_t i = 0; i < 2; i++) {
        sio_server_free(rig.server[i]);
        if (rig.server[i] != NULL) {
            server_app_check(&rig.app[i]);
        }
    }
}
