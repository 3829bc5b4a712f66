#include <stdlib.h>

#include "test/engine_rig.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SLOTS 4
#define OPENS_MAX 15 /* the prepared random bytes last for so many */
#define PROBES_MAX 40
#define FRAME_MAX (8 * 255 + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct place {
    rig_client *client;          /* the latest; it may have closed */
    memory_transport *candidate; /* the latest; it may have moved on */
} place;

/* The input is a list of steps of three bytes: what, where, and how much.
 * Packets follow their step. */
typedef struct script {
    const uint8_t *at, *end;
    engine_rig rig;
    place slots[SLOTS];
    unsigned opens, probes;
} script;

enum {
    OPEN,
    POLL,
    PACKET,    /* bytes of the script, to the first transport */
    CANDIDATE, /* the same, to the latest */
    KNOWN,     /* what a peer would say, to the first */
    KNOWN_CANDIDATE,
    BINARY,
    SEND,
    TURN,
    ADVANCE,
    CLOSE,
    PROBE,
    LOSE,
    WEATHER, /* how fast the peer reads, and whether memory lasts */
    REACT,
    STEPS
};

static const char *const known[] = {"2probe",
                                    "5",
                                    "3",
                                    "4hi",
                                    "1",
                                    "6\x1e"
                                    "4a\x1e"
                                    "bAQID"};

static sio_bytes take(script *s, size_t len)
{
    size_t left = (size_t)(s->end - s->at);
    sio_bytes bytes = {s->at, len < left ? len : left};
    s->at += bytes.len;
    return bytes;
}

static void open_session(script *s, place *slot, unsigned kind)
{
    sio_error err;
    if (s->opens == OPENS_MAX) {
        return;
    }
    s->opens++;
    s->rig.protocol = (kind & 2) != 0 ? &eio_protocol_3 : &eio_protocol_4;
    rig_client *client = rig_try_open(
        &s->rig, kind % 2 == 0 ? MEMORY_POLLING : MEMORY_WEBSOCKET, &err);
    REQUIRE(client != NULL);
    *slot = (place){client, client->mt};
}

static void send_frame(place *slot, unsigned how)
{
    static const uint8_t zeros[FRAME_MAX];
    if (slot->client->session == NULL) {
        return;
    }
    if (how % 2 == 0) {
        (void)rig_send(slot->client, "text");
    } else {
        (void)rig_send_binary(slot->client, (sio_bytes){zeros, 8 * how});
    }
}

static void close_session(script *s, place *slot, unsigned how)
{
    if (how == UINT8_MAX) {
        (void)eio_engine_close_all(&s->rig.engine, EIO_CLOSE_LINGER);
        return;
    }
    eio_session *session = slot->client->session;
    if (session == NULL) {
        return;
    }
    if (how % 3 == 2) {
        eio_session_blame(session, SIO_ERR_PAYLOAD);
    } else {
        eio_session_close(session,
                          how % 3 == 0 ? EIO_CLOSE_LINGER : EIO_CLOSE_NOW);
    }
}

static void probe(script *s, place *slot)
{
    if (slot->client->session == NULL || s->probes == PROBES_MAX) {
        return;
    }
    s->probes++;
    memory_transport *mt = rig_probe(slot->client);
    if (mt != NULL) {
        slot->candidate = mt;
    }
}

static void lose(place *slot, unsigned how)
{
    memory_transport *mt = how % 2 == 0 ? slot->client->mt : slot->candidate;
    if (how % 8 < 2) {
        memory_transport_drop(mt, SIO_OK);
    } else if (how % 8 < 4) {
        memory_transport_drop(mt, SIO_ERR_IO);
    } else {
        memory_transport_fail(mt, how % 8 < 6 ? SIO_ERR_OVERLAP
                                              : SIO_ERR_PACKET_TYPE);
    }
}

static void change_weather(place *slot, unsigned how)
{
    memory_transport *mt = how % 2 == 0 ? slot->client->mt : slot->candidate;
    mt->slow = (how & 2) != 0;
    mt->failing = (how & 4) != 0 ? 1 : 0;
    mt->passing = how >> 3 & 3;
}

static void step(script *s)
{
    unsigned what = s->at[0] % STEPS, much = s->at[2];
    place *slot = &s->slots[s->at[1] % SLOTS];
    s->at += 3;
    if (what == OPEN) {
        open_session(s, slot, much);
    } else if (what == TURN) {
        rig_turn(&s->rig);
    } else if (what == ADVANCE) {
        rig_advance(&s->rig, much << much % 9);
    } else if (what == REACT) {
        s->rig.reactions[much % RIG_EVENTS] =
            (rig_reaction)(much / RIG_EVENTS % RIG_REACTIONS);
        s->rig.patience = 4;
    } else if (slot->client == NULL) {
        return;
    } else if (what == POLL) {
        memory_transport_poll(slot->client->mt);
    } else if (what == PACKET) {
        memory_transport_text(slot->client->mt, take(s, much % 16));
    } else if (what == CANDIDATE) {
        memory_transport_text(slot->candidate, take(s, much % 16));
    } else if (what == KNOWN) {
        rig_receive(slot->client->mt, known[much % COUNT(known)]);
    } else if (what == KNOWN_CANDIDATE) {
        rig_receive(slot->candidate, known[much % COUNT(known)]);
    } else if (what == BINARY) {
        memory_transport_binary(slot->candidate, take(s, much % 16));
    } else if (what == SEND) {
        send_frame(slot, much);
    } else if (what == CLOSE) {
        close_session(s, slot, much);
    } else if (what == PROBE) {
        probe(s, slot);
    } else if (what == LOSE) {
        lose(slot, much);
    } else {
        change_weather(slot, much);
    }
}

/* What holds at any time. */
static void check(const script *s)
{
    const engine_rig *rig = &s->rig;
    size_t open = 0, opened = 0, upgraded = 0, timeouts = 0;
    const sio_link *at = rig->clients.next;
    for (; at != &rig->clients; at = at->next) {
        const rig_client *client = SIO_OWNER(at, rig_client, link);
        REQUIRE(client->events[RIG_OPENED] == 1);
        REQUIRE(client->events[RIG_CLOSED] == (client->session == NULL));
        opened++;
        open += client->session != NULL;
        upgraded += client->events[RIG_UPGRADED];
        timeouts += client->session == NULL &&
                    client->reason == EIO_REASON_PING_TIMEOUT;
        if (client->session != NULL) {
            /* Pings go beyond the limit, but there is one at a time. */
            REQUIRE(eio_session_backlog(client->session) <=
                    rig->config.max_backlog + FRAME_MAX + 1);
        }
    }
    REQUIRE(rig->engine.sessions.count == open);
    REQUIRE(rig->counters[SIO_COUNTER_SESSIONS] == open);
    REQUIRE(rig->counters[SIO_COUNTER_HANDSHAKES] == opened);
    REQUIRE(rig->counters[SIO_COUNTER_UPGRADES] == upgraded);
    REQUIRE(rig->counters[SIO_COUNTER_PING_TIMEOUTS] == timeouts);
}

/*
 * Plays a script against an engine with some sessions over transports in
 * memory.  Each session is reported as closed exactly once, and then no more;
 * each transport is closed at most once and hears nothing after its end; what
 * waits is bounded; the counters agree with what was reported; and in the end
 * neither a session, nor a timer, nor memory is left.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static script s; /* 20 KiB */
    memset(&s, 0, sizeof(s));
    s.at = data;
    s.end = data + size;
    rig_init(&s.rig);
    if (size % 2 != 0) { /* half of the inputs meet limits */
        s.rig.config.rate = (eio_rate_limits){
            {20, 5}, {100, 50}, (sio_rate_policy)(size / 2 % 3)};
    }
    s.rig.random.left = sizeof(s.rig.random.pool);
    for (size_t i = 0; i < sizeof(s.rig.random.pool); i++) {
        s.rig.random.pool[i] = (uint8_t)i;
    }
    while (s.end - s.at >= 3) {
        step(&s);
        check(&s);
    }
    rig_deinit(&s.rig);
    return 0;
}
