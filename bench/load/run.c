#include "run.h"

#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "load.h"
#include "polling.h"
#include "traffic.h"

#define SECOND 1000000000.0
#define DRAIN_S 10
#define CONNECT_S 3       /* connect: longer than this is given up */
#define FAILURES_MAX 1000 /* then no server is there */
#define CLOSED_S 3        /* idle: from closing to reading the memory */

static conn *conns;
static int count; /* of connections, for polling of the GETs alone */
static report result;
static uint64_t begun, phase_begun, measure_begun, measure_ended;
static double own_cpu_begun;

static void make_conns(void)
{
    bool poll = opts.mode == LOAD_POLL;
    count = opts.mode == LOAD_CONNECT ? opts.opening_max : opts.conns;
    conns = must_zalloc((size_t)count * (poll ? 2 : 1), sizeof(*conns));
    for (int i = 0; i < count * (poll ? 2 : 1); i++) {
        conns[i].fd = -1;
        conns[i].index = (uint32_t)(i % count);
        conns[i].kind = opts.mode == LOAD_RAW ? CONN_RAW : CONN_WEBSOCKET;
    }
    for (int i = 0; i < count; i++) {
        traffic_attach(&conns[i]);
        if (poll) {
            polling_attach(&conns[i], &conns[count + i]);
        }
    }
}

static void enter(load_phase next, uint64_t now)
{
    phase = next;
    phase_begun = now;
}

static double seconds_since(uint64_t then, uint64_t now)
{
    return (double)(now - then) / SECOND;
}

static void measure_begin(void)
{
    result.begin = usage_read(opts.server, false);
    own_cpu_begun = usage_own_cpu();
    measure_begun = now_ns();
}

static void measure_end(void)
{
    result.end = usage_read(opts.server, false);
    result.own_cpu = usage_own_cpu() - own_cpu_begun;
    measure_ended = now_ns();
}

/* -- phases: each may enter the next -------------------------------------- */

static void all_are_open(uint64_t now)
{
    result.opening_seconds = seconds_since(begun, now);
    if (running < opts.conns) {
        complain("not all connections opened", NULL, NULL, 0);
    }
    if (running == 0) {
        enter(PHASE_DONE, now);
        return;
    }
    enter(opts.mode == LOAD_IDLE ? PHASE_HOLD : PHASE_WARM, now);
    if (opts.mode == LOAD_POLL) {
        for (int i = 0; i < count; i++) {
            polling_begin(&conns[i]);
        }
    } else {
        traffic_begin(conns, count);
    }
}

static void on_open(uint64_t now)
{
    static int next;
    while (opening < opts.opening_max && next < opts.conns) {
        int before = opening;
        conn_open(&conns[next++]);
        if (opening == before && counts.failed > FAILURES_MAX) {
            die("cannot connect");
        }
    }
    if (opening == 0 && next == opts.conns) {
        all_are_open(now);
    } else if (seconds_since(begun, now) > opts.open_limit_s) {
        complain("opening took too long", NULL, NULL, 0);
        counts.bad++;
        enter(PHASE_DONE, now);
    }
}

static void on_warm(uint64_t now)
{
    if (seconds_since(phase_begun, now) < opts.warm_s) {
        return;
    }
    memset(&latencies, 0, sizeof(latencies));
    memset(&round_latencies, 0, sizeof(round_latencies));
    measure_begin();
    enter(PHASE_MEASURE, measure_begun);
}

static void on_measure(uint64_t now)
{
    if (seconds_since(phase_begun, now) >= opts.measure_s) {
        measure_end();
        enter(PHASE_DRAIN, measure_ended);
    }
}

static bool is_drained(void)
{
    for (int i = 0; i < count; i++) {
        if ((opts.mode == LOAD_CONNECT && conns[i].state != CONN_FREE) ||
            (opts.mode == LOAD_POLL && polling_is_busy(&conns[i]))) {
            return false;
        }
    }
    return in_flight == 0;
}

static void on_drain(uint64_t now)
{
    if (is_drained() || seconds_since(phase_begun, now) > DRAIN_S) {
        counts.missed += (uint64_t)in_flight;
        enter(PHASE_DONE, now);
    }
}

static void on_hold(uint64_t now)
{
    double held = seconds_since(phase_begun, now);
    if (measure_begun == 0 && held >= 1) {
        result.open = usage_read(opts.server, true);
        measure_begin();
    } else if (measure_begun != 0 && held >= 1 + opts.hold_s) {
        measure_end();
        result.held = usage_read(opts.server, true);
        result.alive = running;
        enter(PHASE_DONE, now);
    }
}

/* connect: gives up what hangs, and opens others in its place. */
static void sweep(uint64_t now)
{
    for (int i = 0; i < count; i++) {
        conn *c = &conns[i];
        if (c->state == CONN_FREE && phase < PHASE_DRAIN) {
            conn_open(c);
        } else if (c->state != CONN_FREE && now > c->begun &&
                   seconds_since(c->begun, now) > CONNECT_S) {
            counts.forced += phase == PHASE_MEASURE;
            conn_drop(c, false);
        }
    }
}

/* -- the whole ------------------------------------------------------------ */

static void step(uint64_t now)
{
    switch (phase) {
    case PHASE_OPEN:
        on_open(now);
        break;
    case PHASE_WARM:
        on_warm(now);
        break;
    case PHASE_MEASURE:
        on_measure(now);
        break;
    case PHASE_DRAIN:
        on_drain(now);
        break;
    case PHASE_HOLD:
        on_hold(now);
        break;
    case PHASE_DONE:
        break;
    }
}

/* Sends what is due without an answer; returns how long epoll may wait. */
static uint64_t send_due(uint64_t now)
{
    if (load_is_on() && opts.mode == LOAD_BCAST) {
        traffic_broadcast(conns);
    } else if (load_is_on() && opts.rate > 0) {
        uint64_t next = traffic_on_schedule(conns, now);
        now = now_ns();
        return next > now ? next - now : 0;
    }
    return phase == PHASE_DRAIN ? 1000000 : 50000000;
}

static void close_all(void)
{
    for (int i = 0; i < count; i++) {
        if (conns[i].fd >= 0) {
            close(conns[i].fd);
        }
    }
    sleep(CLOSED_S);
    result.closed = usage_read(opts.server, true);
}

report run_all(void)
{
    make_conns();
    result.before = usage_read(opts.server, true);
    begun = phase_begun = now_ns();
    uint64_t swept = begun;
    if (opts.mode == LOAD_CONNECT) {
        for (int i = 0; i < count; i++) {
            conn_open(&conns[i]);
        }
        enter(PHASE_WARM, begun);
    }
    while (phase != PHASE_DONE) {
        uint64_t now = now_ns();
        step(now);
        if (phase == PHASE_DONE) {
            break;
        }
        conn_serve(send_due(now));
        if (opts.mode == LOAD_CONNECT && seconds_since(swept, now) > 0.5) {
            sweep(now);
            swept = now;
        }
    }
    if (measure_ended <= measure_begun) { /* it never came to that */
        measure_ended = measure_begun + (uint64_t)SECOND;
        result.end = result.begin;
        counts.bad++;
    }
    result.seconds = seconds_since(measure_begun, measure_ended);
    if (opts.mode == LOAD_IDLE) {
        close_all();
    }
    return result;
}
