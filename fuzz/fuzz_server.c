/*
 * The whole server, with sockets and a clock that the input scripts: four
 * bytes switch features on, then come steps of a client or of the network (see
 * `steps`).  Whatever they do, what clients get is well formed, a client that
 * behaves gets its echoes, memory stays within the limits, and nothing is left
 * once the server has closed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/allocator_interface.h>

#include "fuzz/fake_net.h"
#include "fuzz/server_app.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MOST = 8192,
    MAX_PAYLOAD = 4096,
    MAX_BACKLOG = 32768,
    MAX_HEADER = 1024,
    RECOVERY_BYTES = 32768,
    /* Of a connection, beside its limits: what is read at once, windows of
     * zlib, frames that are packed, blocks of pools. */
    PER_CONN = 1 << 20,
    STOP_MS = 500
};

static struct ev_loop *ev;
static server_app app;
static sio_server *server;
static uint32_t flags;
static int current; /* the connection that steps are about */
static bool quick;  /* steps do not wait for what they cause */
static size_t memory_before;

static const uint8_t *in;
static size_t left;

static void need(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "fuzz_server: %s\n", what);
        abort();
    }
}

/* ------------------------------------------------------------- the input -- */

static unsigned take_byte(void)
{
    if (left == 0) {
        return 0;
    }
    left--;
    return *in++;
}

static unsigned take_two(void)
{
    unsigned high = take_byte();
    return high << 8 | take_byte();
}

/* Two bytes of length, and as many bytes as there are of it. */
static size_t take_bytes(const uint8_t **bytes)
{
    size_t len = take_two();
    len = len < left ? len : left;
    *bytes = in;
    in += len;
    left -= len;
    return len;
}

/* Bytes 1 and 2 stand for the ids that recovery is asked for with. */
static size_t take_text(uint8_t out[INPUT_MOST])
{
    const uint8_t *bytes;
    size_t len = take_bytes(&bytes), at = 0;
    for (size_t i = 0; i < len && at + sizeof(fake_pid) < INPUT_MOST; i++) {
        const char *id = bytes[i] == 1   ? fake_pid
                         : bytes[i] == 2 ? fake_offset
                                         : NULL;
        if (id == NULL) {
            out[at++] = bytes[i];
        } else {
            memcpy(out + at, id, strlen(id));
            at += strlen(id);
        }
    }
    return at;
}

/* -------------------------------------------------- a client that behaves --
 */

static struct {
    unsigned echoes;
    bool closed;
} healthy;

static void write_frame(int conn, unsigned head, const void *data, size_t len)
{
    uint8_t bytes[8] = {(uint8_t)head}; /* and a mask of zeros */
    size_t n = 2;
    if (len < 126) {
        bytes[1] = (uint8_t)(0x80 | len);
    } else {
        bytes[1] = 0x80 | 126;
        bytes[2] = (uint8_t)(len >> 8);
        bytes[3] = (uint8_t)len;
        n = 4;
    }
    fake_net_write(conn, bytes, n + 4);
    fake_net_write(conn, data, len);
}

static void write_text(int conn, const char *text)
{
    fake_net_write(conn, text, strlen(text));
}

/* Its echoes come in order, each once. */
static void on_healthy(void *arg, bool text, const uint8_t *data, size_t len)
{
    (void)arg;
    if (text && len == 1 && data[0] == '2') {
        write_frame(0, 0x81, "3", 1);
    }
    if (memmem(data, len, "echo", 4) != NULL) {
        char want[4] = {'h', (char)('1' + healthy.echoes), '\0'};
        need(memmem(data, len, want, 2) != NULL, "an echo out of order");
        healthy.echoes++;
    }
}

static bool speaks_msgpack(void)
{
    return (flags >> 4 & 1) != 0;
}

static void connect_healthy(void)
{
    static const char packed[] = "\x82\xa4type\0\xa3nsp\xa8/healthy";
    memset(&healthy, 0, sizeof(healthy));
    need(fake_net_connect(on_healthy, NULL) == 0, "the first is not the first");
    write_text(0, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                  "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                  "Sec-WebSocket-Version: 13\r\n\r\n");
    if (speaks_msgpack()) {
        write_frame(0, 0x82, packed, sizeof(packed) - 1);
    } else {
        write_frame(0, 0x81, "40/healthy,", 11);
    }
    fake_net_settle();
}

static void expect_echo(void)
{
    char event[64];
    unsigned want = healthy.echoes + 1;
    int len = speaks_msgpack()
                  ? snprintf(event, sizeof(event),
                             "\x83\xa4type\x02\xa3nsp\xa8/healthy"
                             "\xa4"
                             "data\x92\xa4"
                             "echo\xa2h%u",
                             want)
                  : snprintf(event, sizeof(event),
                             "42/healthy,[\"echo\",\"h%u\"]", want);
    write_frame(0, speaks_msgpack() ? 0x82 : 0x81, event, (size_t)len);
    for (int i = 0; i < 8 && healthy.echoes < want; i++) {
        fake_net_settle();
    }
    need(healthy.echoes == want, "no echo for the client that behaves");
}

/* ------------------------------------------------------------- the server --
 */

static bool on(unsigned bit)
{
    return (flags >> bit & 1) != 0;
}

static void configure_limits(sio_server_config *c)
{
    c->max_payload = on(7) ? 128 : MAX_PAYLOAD;
    c->max_backlog = on(8) ? 512 : MAX_BACKLOG;
    c->backlog_policy = on(9) ? SIO_BACKLOG_REFUSE : SIO_BACKLOG_DISCONNECT;
    c->max_header_bytes = MAX_HEADER;
    c->max_headers = 20;
    c->max_json_depth = 16;
    c->max_attachments = 3;
    c->max_namespaces = 4;
    c->max_rooms = 4;
    c->max_dynamic_namespaces = 3;
    c->max_packets = 64;
    c->max_pending_acks = on(20) ? 1 : 8;
    c->cleanup_empty_child_namespaces = on(21);
    c->recovery_max_packets = 16;
    c->recovery_max_bytes = RECOVERY_BYTES;
    c->stop_timeout_ms = STOP_MS;
    if (on(12)) {
        c->max_connections_per_address = 2;
        c->max_sessions_per_address = 2;
        c->handshakes_per_address_per_s = 2;
    }
    if (on(13)) {
        c->handshakes_per_s = 3;
    }
    if (on(14)) {
        c->packets_per_s = 20;
        c->bytes_per_s = 2000;
        c->rate_policy = on(15)   ? SIO_RATE_DISCONNECT
                         : on(16) ? SIO_RATE_WARN
                                  : SIO_RATE_THROTTLE;
    }
}

static sio_server_config make_config(void)
{
    sio_server_config c = SIO_SERVER_CONFIG_DEFAULT;
    c.host = "127.0.0.1";
    c.loop = ev;
    c.serve_client = false;
    c.recovery = on(0);
    c.recovery_skip_middlewares = on(17);
    c.allow_eio3 = on(1);
    c.eio_missing_is_3 = on(1) && on(2);
    c.deflate = on(3);
    c.deflate_threshold = on(25) ? 1 : 64;
    c.deflate_server_no_context_takeover = on(24);
    c.deflate_memory = 1 << 20;
    c.parser = on(4) ? SIO_PARSER_MSGPACK : SIO_PARSER_JSON;
    c.http_compression_threshold = on(6) ? 1 : 1024;
    c.cookie_name = on(10) ? "io" : NULL;
    c.cors_origin = on(11) ? "http://a.example,http://*.b.example" : NULL;
    c.cors_credentials = on(11);
    c.cors_enforce = on(11) && on(6);
    c.trusted_proxies = on(18) ? "10.0.0.0/8" : NULL;
    c.initial_packet = on(22) ? "first" : NULL;
    c.keep_alive_ms = on(23) ? 1 : 5000;
    configure_limits(&c);
    server_app_configure(&app, &c, !on(5));
    return c;
}

static void start(void)
{
    memset(&app, 0, sizeof(app));
    sio_server_config config = make_config();
    server = sio_server_new(&config);
    need(server != NULL, "a good configuration is refused");
    server_app_start(&app, server, on(19));
    need(sio_server_listen(server) == SIO_OK, "nowhere to listen");
    connect_healthy();
    expect_echo();
    app.moody = on(26);
    app.slow_verdicts = on(27);
    memory_before = __sanitizer_get_current_allocated_bytes();
}

static void check_memory(void)
{
    size_t now = __sanitizer_get_current_allocated_bytes(), conns = 1;
    for (int i = 1; i < FAKE_CONNS; i++) {
        conns += fake_conns[i].taken != 0 || fake_conns[i].fd >= 0 ? 1 : 0;
    }
    need(now < memory_before + RECOVERY_BYTES +
                   conns *
                       (MAX_PAYLOAD * 4 + MAX_BACKLOG + MAX_HEADER + PER_CONN),
         "more memory than the limits allow");
}

/* What a server has now, not what it has done. */
static const sio_counter gauges[] = {
    SIO_COUNTER_CONNECTIONS,      SIO_COUNTER_SESSIONS_WEBSOCKET,
    SIO_COUNTER_SOCKETS,          SIO_COUNTER_SESSIONS,
    SIO_COUNTER_SESSIONS_POLLING, SIO_COUNTER_BACKLOG_BYTES,
};

static void stop(void)
{
    if (on(28)) {
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
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        need(sio_server_counter(server, gauges[i]) == 0,
             sio_counter_name(gauges[i]));
    }
}

/* Counters of the whole run: whether inputs get anywhere. */
static struct {
    unsigned long sessions, upgrades, events, echoes, binaries, recovered,
        answers;
} reached;

static void sum_up(void)
{
    reached.sessions += sio_server_counter(server, SIO_COUNTER_HANDSHAKES) - 1;
    reached.upgrades += sio_server_counter(server, SIO_COUNTER_UPGRADES);
    reached.events += app.events;
    reached.echoes += app.echoes;
    reached.binaries += app.binaries;
    reached.recovered += app.recovered;
    reached.answers += app.answered;
}

/* For the kept corpus: it must get everywhere. */
static void report(void)
{
    (void)fprintf(stderr,
                  "fuzz_server: %lu sessions, %lu upgrades, %lu events, %lu "
                  "echoes, %lu with binary, %lu recovered, %lu answers\n",
                  reached.sessions, reached.upgrades, reached.events,
                  reached.echoes, reached.binaries, reached.recovered,
                  reached.answers);
    if (getenv("FUZZ_SERVER_REACH") != NULL &&
        (reached.sessions == 0 || reached.upgrades == 0 ||
         reached.echoes == 0 || reached.binaries == 0 ||
         reached.recovered == 0 || reached.answers == 0)) {
        (void)fprintf(stderr, "fuzz_server: something is never reached\n");
        _Exit(1);
    }
}

/* ------------------------------------------------------------------ steps --
 */

static void do_open(void)
{
    int conn = fake_net_connect(NULL, NULL);
    current = conn < 0 ? current : conn;
}

static void do_select(void)
{
    int wanted = (int)(take_byte() % FAKE_CONNS);
    if (wanted != 0 && (fake_conns[wanted].fd >= 0)) {
        current = wanted;
    }
}

static void do_bytes(void)
{
    const uint8_t *bytes;
    size_t len = take_bytes(&bytes);
    fake_net_write(current, bytes, len);
}

static void do_frame(void)
{
    static uint8_t text[INPUT_MOST];
    unsigned head = take_byte();
    size_t len = take_text(text);
    write_frame(current, head, text, len);
}

static char session_letter(unsigned how)
{
    return (char)('A' + how % 26);
}

/* Bits 5 to 7 of `how`: Engine.IO 3, JSONP, a request with an Origin. */
static void write_head(const char *method, unsigned how, bool with_id)
{
    char line[256];
    char sid[8] = "";
    if (with_id) {
        (void)snprintf(sid, sizeof(sid), "&sid=%c", session_letter(how & 31));
    }
    (void)snprintf(line, sizeof(line),
                   "%s /socket.io/?EIO=%c&transport=polling%s%s HTTP/1.1\r\n"
                   "Host: h\r\n%s",
                   method, how & 32 ? '3' : '4', sid, how & 64 ? "&j=0" : "",
                   how & 128 ? "Origin: http://a.example\r\n"
                               "Accept-Encoding: gzip\r\n"
                             : "");
    write_text(current, line);
}

static void do_handshake(void)
{
    write_head("GET", take_byte(), false);
    write_text(current, "\r\n");
}

static void do_get(void)
{
    write_head("GET", take_byte(), true);
    write_text(current, "\r\n");
}

static void do_post(void)
{
    static uint8_t text[INPUT_MOST];
    char line[128];
    unsigned how = take_byte();
    size_t len = take_text(text);
    write_head("POST", how, true);
    (void)snprintf(line, sizeof(line),
                   "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                   how & 64 ? "application/x-www-form-urlencoded"
                            : "text/plain;charset=UTF-8",
                   len);
    write_text(current, line);
    fake_net_write(current, text, len);
}

/* Bit 5: Engine.IO 3; 6: of the session with that letter; 7: deflate. */
static void do_websocket(void)
{
    char text[512];
    unsigned how = take_byte();
    char sid[8] = "";
    if (how & 64) {
        (void)snprintf(sid, sizeof(sid), "&sid=%c", session_letter(how & 31));
    }
    (void)snprintf(text, sizeof(text),
                   "GET /socket.io/?EIO=%c&transport=websocket%s HTTP/1.1\r\n"
                   "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n%s\r\n",
                   how & 32 ? '3' : '4', sid,
                   how & 128 ? "Sec-WebSocket-Extensions: permessage-deflate; "
                               "client_max_window_bits\r\n"
                             : "");
    write_text(current, text);
}

static void do_pass(void)
{
    unsigned ms = take_two();
    fake_net_settle();
    fake_net_pass(ms);
    fake_net_settle();
}

static void do_eof(void)
{
    fake_conns[current].eof = true;
}

static void do_reset(void)
{
    fake_conns[current].reset = true;
}

static void do_window(void)
{
    unsigned window = take_two();
    fake_conns[current].window = window == 0xffff ? FAKE_UNLIMITED : window;
}

static void do_pieces(void)
{
    unsigned most = take_byte();
    fake_conns[current].recv_most = most % 16 + 1;
    fake_conns[current].send_most = most / 16 == 0 ? FAKE_UNLIMITED : most;
}

static void do_refuse(void)
{
    static const int errors[] = {EMFILE, ENFILE,       ENOMEM, ENOBUFS,
                                 EINTR,  ECONNABORTED, EPROTO, EAGAIN};
    fake_net_refuse(errors[take_byte() % 8]);
}

static void do_hiccup(void)
{
    static const int errors[] = {EINTR,     EAGAIN, ECONNRESET,
                                 ETIMEDOUT, EPIPE,  EHOSTUNREACH};
    unsigned which = take_byte();
    int error = errors[which % 6];
    if (which & 128) {
        fake_conns[current].send_error = error;
    } else {
        fake_conns[current].recv_error = error;
    }
}

static void do_act(void)
{
    server_app_act(&app, take_byte());
}

static void do_quick(void)
{
    quick = !quick;
}

static void do_echo(void)
{
    if (healthy.echoes < 8) {
        expect_echo();
    }
}

typedef struct step {
    void (*act)(void);
    bool turns; /* not if `quick` */
} step;

static const step steps[] = {
    {do_open, true},          {do_select, false},   {do_bytes, true},
    {do_frame, true},         {do_handshake, true}, {do_get, true},
    {do_post, true},          {do_websocket, true}, {fake_net_turn, false},
    {do_pass, false},         {do_eof, true},       {do_reset, true},
    {do_window, false},       {do_pieces, false},   {do_refuse, true},
    {do_hiccup, false},       {do_act, true},       {do_quick, false},
    {fake_net_settle, false}, {do_echo, false},
};

static void run_steps(void)
{
    do_open();
    quick = false;
    while (left != 0) {
        const step *s =
            &steps[take_byte() % (sizeof(steps) / sizeof(steps[0]))];
        s->act();
        if (s->turns && !quick) {
            fake_net_settle();
        }
        check_memory();
    }
}

static void prepare(void)
{
    ev = ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
    need(ev != NULL, "no loop");
    (void)atexit(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (ev == NULL) {
        prepare();
    }
    if (size < 5 || size > INPUT_MOST) {
        return 0;
    }
    in = data;
    left = size;
    flags = (uint32_t)take_two() << 16;
    flags |= take_two();
    fake_net_begin(ev);
    start();
    run_steps();
    expect_echo();
    if (!on(29)) {
        stop();
    }
    sum_up();
    server_app_end(&app);
    sio_server_free(server);
    need(app.connected == app.disconnected, "a socket is left");
    need(app.asked == app.answered, "an ack is left");
    fake_net_end();
    return 0;
}
