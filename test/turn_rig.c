#include "test/turn_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test/client_head.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* Seconds; longer than each timeout of the server. */
#define TIMEOUT_S 10

/* Turns without news after which nothing comes any more, once something has
 * failed: what the server does about it takes two or three. */
#define QUIET_TURNS 8

/* Turns after which all has been done that waits for no timeout. */
#define SETTLE_TURNS 16

/* Milliseconds in which it has to come when nothing has failed. */
#define PATIENCE_MS 20000

/* The clock of the server is moved on where a timeout is waited for, so that
 * none strikes while the test is slow. */
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

static atomic_llong ahead; /* seconds */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = __real_clock_gettime(clock, ts);
    ts->tv_sec += clock == CLOCK_MONOTONIC ? ahead : 0;
    return rc;
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    __real_clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void rest(void)
{
    (void)poll(NULL, 0, 1);
}

/* ---------------------------------------------------------------- server -- */

/* For people: FAULT_LOG=1. */
__attribute__((format(printf, 1, 2))) static void debug(const char *format, ...)
{
    va_list list;
    if (getenv("FAULT_LOG") != NULL) {
        va_start(list, format);
        (void)vfprintf(stderr, format, list);
        va_end(list);
        (void)fputc('\n', stderr);
    }
}

void turn_rig_pass_time(void)
{
    ahead += TIMEOUT_S;
}

void turn_rig_log(void *arg, int level, const char *event, const char *text)
{
    turn_rig *rig = arg;
    atomic_fetch_add(&rig->logged, level < SIO_LOG_DEBUG);
    debug("%d %s: %s", level, event, text);
}

void turn_rig_set_timeouts(sio_server_config *config)
{
    config->ping_interval_ms = INT32_MAX; /* nobody answers */
    config->connect_timeout_ms = 5000;    /* who got no answer never joins */
    config->upgrade_timeout_ms = 5000;
    config->keep_alive_ms = 5000;
    config->header_timeout_ms = 5000;
    config->body_timeout_ms = 5000;
    config->close_timeout_ms = 5000;
    config->stop_timeout_ms = 5000;
}

void turn_rig_prepare(turn_rig *rig, void (*change)(sio_server_config *config))
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    *rig = (turn_rig){.ev = ev_loop_new(EVFLAG_AUTO)};
    REQUIRE(rig->ev != NULL);
    config.loop = rig->ev;
    config.threads = 1;
    config.host = "127.0.0.1";
    config.port = 0;
    config.serve_client = false;
    config.on_log = turn_rig_log;
    config.arg = rig;
    config.log_level = SIO_LOG_DEBUG;
    turn_rig_set_timeouts(&config);
    if (change != NULL) {
        change(&config);
    }
    rig->server = sio_server_new(&config);
    REQUIRE(rig->server != NULL);
    rig->root = sio_server_of(rig->server, "/");
    REQUIRE(rig->root != NULL);
}

void turn_rig_listen(turn_rig *rig)
{
    REQUIRE(sio_server_listen(rig->server) == SIO_OK);
    if (rig->inner != NULL) {
        REQUIRE(sio_server_listen(rig->inner) == SIO_OK);
    }
    rig->port = sio_server_port(rig->server);
}

void turn_rig_free(turn_rig *rig)
{
    sio_server_stop(rig->server);
    if (rig->inner != NULL) {
        sio_server_stop(rig->inner);
    }
    uint64_t end = now_ms() + PATIENCE_MS;
    for (unsigned turns = 0;
         !sio_server_closed(rig->server) ||
         (rig->inner != NULL && !sio_server_closed(rig->inner));
         turns++) {
        REQUIRE(now_ms() < end);
        ahead += turns > SETTLE_TURNS ? TIMEOUT_S : 0;
        ev_run(rig->ev, EVRUN_NOWAIT);
    }
    sio_server_free(rig->server);
    sio_server_free(rig->inner);
    ev_loop_destroy(rig->ev);
    *rig = (turn_rig){0};
}

void turn_rig_turn(turn_rig *rig)
{
    fault_now.on = true;
    ev_run(rig->ev, EVRUN_NOWAIT);
    fault_now.on = false;
}

static uint64_t count(const turn_rig *rig, sio_counter counter)
{
    return sio_server_counter(rig->server, counter) +
           (rig->inner == NULL ? 0 : sio_server_counter(rig->inner, counter));
}

static uint64_t count_lacks(const turn_rig *rig)
{
    return sio_server_error_count(rig->server, SIO_ERR_NO_MEMORY) +
           (rig->inner == NULL
                ? 0
                : sio_server_error_count(rig->inner, SIO_ERR_NO_MEMORY));
}

uint64_t turn_rig_signs(const turn_rig *rig)
{
    static const sio_counter signs[] = {
        SIO_COUNTER_REFUSED,
        SIO_COUNTER_HTTP_ERRORS,
        SIO_COUNTER_PROXY_ERRORS,
        SIO_COUNTER_PEER_ERRORS,
        SIO_COUNTER_CONNECT_TIMEOUTS,
        SIO_COUNTER_BACKLOG_CLOSED,
        SIO_COUNTER_BACKLOG_REFUSED,
        SIO_COUNTER_DISCONNECTED_TRANSPORT_ERROR,
        SIO_COUNTER_DISCONNECTED_PARSE_ERROR,
        SIO_COUNTER_RECOVERY_FAILED,
        SIO_COUNTER_TLS_ERRORS,
        SIO_COUNTER_TLS_TIMEOUTS,
    };
    uint64_t sum = rig->logged + count_lacks(rig);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        sum += count(rig, signs[i]);
    }
    return sum;
}

static void disconnect(sio_namespace *nsp)
{
    REQUIRE(sio_broadcast_disconnect(sio_namespace_broadcast(nsp), true) ==
            SIO_OK);
}

void turn_rig_settle(turn_rig *rig, uint64_t sessions, uint64_t connections)
{
    uint64_t end = now_ms() + PATIENCE_MS;
    fault_now = (fault){.at = FAULT_NEVER};
    for (unsigned turns = 0;; turns++) {
        /* Those whose clients do not know that they are there. */
        disconnect(sio_server_of(rig->server, "/"));
        if (rig->inner != NULL) {
            disconnect(sio_server_of(rig->inner, "/"));
        }
        ev_run(rig->ev, EVRUN_NOWAIT);
        uint64_t s = count(rig, SIO_COUNTER_SESSIONS);
        uint64_t c = count(rig, SIO_COUNTER_CONNECTIONS);
        if (s == sessions && c == connections) {
            return;
        }
        if (now_ms() >= end) {
            (void)fprintf(stderr, "%u sessions, %u connections are left\n",
                          (unsigned)s, (unsigned)c);
            abort();
        }
        if (turns > SETTLE_TURNS) {
            ahead += TIMEOUT_S;
            rest();
        }
    }
}

/* --------------------------------------------------------------- clients -- */

void turn_client_dial(turn_client *c, turn_rig *rig)
{
    turn_client_dial_at(c, rig, rig->port);
}

void turn_client_dial_at(turn_client *c, turn_rig *rig, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    turn_client_close(c);
    c->rig = rig;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(c->fd >= 0);
    REQUIRE(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1},
                       sizeof(int)) == 0);
    REQUIRE(connect(c->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
    c->ended = false;
    c->len = 0;
    c->in[0] = '\0';
}

void turn_client_close(turn_client *c)
{
    if (c->rig != NULL && c->fd >= 0) {
        if (c->pipe != NULL) {
            c->pipe->close(c);
            c->pipe = NULL;
        }
        close(c->fd);
    }
    c->fd = -1;
    c->ended = true;
}

void turn_client_send(turn_client *c, const void *data, size_t len)
{
    const char *at = data;
    while (len != 0 && !c->ended) {
        ssize_t n = c->pipe != NULL
                        ? c->pipe->send(c, at, len)
                        : send(c->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            turn_rig_turn(c->rig);
            continue;
        }
        if (n <= 0) {
            return; /* it has ended; reading shows it */
        }
        at += n;
        len -= (size_t)n;
    }
}

void turn_client_sayf(turn_client *c, const char *format, ...)
{
    char text[8192];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    REQUIRE(len >= 0 && (size_t)len < sizeof(text));
    turn_client_send(c, text, (size_t)len);
}

void turn_client_frame(turn_client *c, uint8_t first, const void *data,
                       size_t len)
{
    uint8_t frame[CLIENT_HEAD_MAX + 4096];
    REQUIRE(len <= 4096);
    size_t head = client_head(frame, first, len);
    if (len != 0) {
        memcpy(frame + head, data, len);
    }
    turn_client_send(c, frame, head + len);
}

void turn_client_text(turn_client *c, const char *text)
{
    turn_client_frame(c, 0x81, text, strlen(text));
}

/* Whether something has come. */
static bool receive(turn_client *c)
{
    char *to = c->in + c->len;
    size_t room = sizeof(c->in) - 1 - c->len;
    REQUIRE(room > 0);
    ssize_t n = c->pipe != NULL ? c->pipe->recv(c, to, room)
                                : recv(c->fd, to, room, MSG_DONTWAIT);
    if (n > 0) {
        c->len += (size_t)n;
        c->in[c->len] = '\0';
        return true;
    }
    c->ended = n == 0 || (errno != EAGAIN && errno != EINTR);
    return false;
}

/* Copies what stands before `want`, unless `out` is NULL, and lets go of both.
 * False when it has not come. */
static bool take(turn_client *c, const char *want, char *out, size_t cap)
{
    char *at = memmem(c->in, c->len, want, strlen(want));
    if (at == NULL) {
        return false;
    }
    if (out != NULL) {
        size_t len = (size_t)(at - c->in);
        REQUIRE(len < cap);
        memcpy(out, c->in, len);
        out[len] = '\0';
    }
    at += strlen(want);
    c->len -= (size_t)(at - c->in);
    memmove(c->in, at, c->len + 1);
    return true;
}

bool turn_client_copy(turn_client *c, const char *want, char *out, size_t cap)
{
    uint64_t end = now_ms() + PATIENCE_MS;
    unsigned quiet = 0;
    while (!take(c, want, out, cap)) {
        if (c->ended) {
            debug("%s: ended, behind %s", want, c->in);
            return false;
        }
        turn_rig_turn(c->rig);
        if (receive(c)) {
            quiet = 0;
        } else if (++quiet > QUIET_TURNS && fault_has_struck() &&
                   !fault_now.harmless) {
            return false;
        } else if (now_ms() >= end) {
            (void)fprintf(stderr, "\"%s\" has not come, but \"%s\", at %zu\n",
                          want, c->in, fault_now.at);
            abort();
        }
    }
    return true;
}

bool turn_client_hear(turn_client *c, const char *want)
{
    return turn_client_copy(c, want, NULL, 0);
}
