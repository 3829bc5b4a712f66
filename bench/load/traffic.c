#include "traffic.h"

#include <string.h>

#include "load.h"
#include "message.h"
#include "raw.h"
#include "websocket.h"

/* A broadcast's number: who sent it, and the how manieth. */
#define SENDER_SHIFT 24
#define COUNT_MASK 0xffffffu

/* How many may be in flight where a rate decides. */
#define DEPTH_AT_RATE 256

typedef struct broadcast {
    uint64_t sent_at;
    uint32_t missing; /* receivers that do not have it yet */
} broadcast;

histogram latencies, round_latencies;

/* What is in flight is kept by number, in a ring: a power of two. */
static uint32_t ring = 1;
static broadcast *broadcasts;              /* a ring for each sender */
static uint32_t *bcast_begun, *bcast_done; /* how many, by sender */

void traffic_setup(void)
{
    while (ring < (uint32_t)opts.depth) {
        ring *= 2;
    }
    if (opts.rate > 0) {
        ring = DEPTH_AT_RATE;
    }
    if (opts.mode == LOAD_BCAST) {
        size_t senders = (size_t)opts.senders;
        broadcasts = must_zalloc(senders * ring, sizeof(*broadcasts));
        bcast_begun = must_zalloc(senders, sizeof(*bcast_begun));
        bcast_done = must_zalloc(senders, sizeof(*bcast_done));
    }
}

void traffic_attach(conn *c)
{
    if (opts.mode == LOAD_BCAST) {
        c->bcast_next =
            must_zalloc((size_t)opts.senders, sizeof(*c->bcast_next));
    } else if (opts.mode != LOAD_CONNECT && opts.mode != LOAD_IDLE) {
        c->sent_at = must_zalloc(ring, sizeof(*c->sent_at));
    }
}

/* -- sending -------------------------------------------------------------- */

uint32_t traffic_take(conn *c, uint64_t at)
{
    c->sent_at[c->next & (ring - 1)] = at;
    in_flight++;
    return c->next++;
}

static void put(conn *c, uint32_t seq)
{
    if (c->kind == CONN_RAW) {
        raw_put(seq);
    } else {
        websocket_put_event(seq);
    }
    if (opts.unbatched) {
        conn_flush(c);
    }
}

void traffic_send(conn *c, uint32_t how_many)
{
    if (how_many == 0 || opts.rate > 0 || opts.mode == LOAD_BCAST ||
        !load_is_on()) {
        return;
    }
    uint64_t now = now_ns();
    while (how_many-- > 0) {
        put(c, traffic_take(c, now));
    }
}

void traffic_begin(conn *conns, int count)
{
    for (int i = 0; i < count; i++) {
        if (conns[i].state == CONN_RUNNING) {
            traffic_send(&conns[i], (uint32_t)opts.depth);
            conn_flush(&conns[i]);
        }
    }
}

void traffic_broadcast(conn *conns)
{
    for (uint32_t s = 0; s < (uint32_t)opts.senders; s++) {
        if (conns[s].state != CONN_RUNNING) {
            continue;
        }
        while (bcast_begun[s] - bcast_done[s] < (uint32_t)opts.depth) {
            uint32_t seq = bcast_begun[s]++ & COUNT_MASK;
            broadcasts[s * ring + (seq & (ring - 1))] = (broadcast){
                .sent_at = now_ns(),
                .missing = (uint32_t)opts.conns,
            };
            in_flight++;
            put(&conns[s], s << SENDER_SHIFT | seq);
        }
        conn_flush(&conns[s]);
    }
}

uint64_t traffic_on_schedule(conn *conns, uint64_t now)
{
    static uint64_t begun, sent;
    static uint32_t turn;
    double interval = 1e9 / opts.rate;

    if (begun == 0) {
        begun = now;
    }
    uint64_t due = (uint64_t)((double)(now - begun) / interval);
    for (; sent < due; sent++) {
        conn *c = &conns[turn++ % (uint32_t)opts.conns];
        if (c->state != CONN_RUNNING) {
            continue;
        }
        if (c->next - c->expected >= ring) {
            counts.missed++;
            continue;
        }
        /* It counts from when it was due: waiting to be sent is latency. */
        uint64_t at = begun + (uint64_t)((double)sent * interval);
        put(c, traffic_take(c, at));
        conn_flush(c);
    }
    return begun + (uint64_t)((double)(sent + 1) * interval);
}

/* -- what comes back ------------------------------------------------------ */

void traffic_returned(conn *c, uint64_t now)
{
    uint64_t took = now - c->sent_at[c->expected & (ring - 1)];
    c->expected++;
    in_flight--;
    if (phase == PHASE_MEASURE) {
        counts.messages++;
        histogram_add(&latencies, took);
    }
}

bool traffic_check(conn *c, const uint8_t *in, uint32_t len)
{
    return c->expected != c->next && message_is(in, len, c->expected);
}

static int is_bad(const char *what, conn *c, const uint8_t *in, uint32_t len)
{
    complain(what, c, in, len);
    counts.bad++;
    return 0;
}

static int on_broadcast(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    uint32_t number;
    if (len < 2 || in[1] != '2' || !message_read(in + 2, len - 2, &number)) {
        return is_bad("wrong broadcast", c, in, len);
    }
    uint32_t s = number >> SENDER_SHIFT, seq = number & COUNT_MASK;
    if (s >= (uint32_t)opts.senders || seq != c->bcast_next[s]) {
        return is_bad("broadcast out of order", c, in, len);
    }
    c->bcast_next[s] = (seq + 1) & COUNT_MASK;
    broadcast *b = &broadcasts[s * ring + (seq & (ring - 1))];
    if (phase == PHASE_MEASURE) {
        counts.messages++;
        histogram_add(&latencies, now - b->sent_at);
    }
    if (--b->missing == 0) {
        bcast_done[s]++;
        in_flight--;
        if (phase == PHASE_MEASURE) {
            histogram_add(&round_latencies, now - b->sent_at);
        }
    }
    return 1;
}

int traffic_message(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    uint8_t id[12];
    uint32_t at = 2;

    if (opts.mode == LOAD_BCAST) {
        return on_broadcast(c, in, len, now);
    }
    if (len < 2 || in[1] != (opts.mode == LOAD_ACK ? '3' : '2')) {
        return is_bad("unexpected packet", c, in, len);
    }
    if (opts.mode == LOAD_ACK) {
        uint32_t digits = decimal_write(id, c->expected);
        if (len - at < digits || memcmp(in + at, id, digits) != 0) {
            return is_bad("wrong ack id", c, in, len);
        }
        at += digits;
    }
    if (!traffic_check(c, in + at, len - at)) {
        return is_bad("wrong payload", c, in, len);
    }
    traffic_returned(c, now);
    return 1;
}
