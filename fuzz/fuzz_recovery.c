#include <stdio.h>
#include <stdlib.h>

#include "socketio/recovery.h"
#include "test/sio_rig.h"

/*
 * Clients that get events, lose their connections, come again, take each
 * other's places with what they should not know, and wait too long.  A model
 * says what each must have got: every event that was for it, once and in order,
 * as long as it has the same session.
 */

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define CLIENTS 3
#define STEPS_MAX 250
#define WINDOW 1000 /* ms */
#define DUE_MAX 32  /* events that one has yet to hear of */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct person {
    sio_peer peer;
    bool away, in[2];
    bool strict; /* nothing can have been dropped that it has missed */
    uint64_t lost_at;
    char pid[SIO_TOKEN_LEN + 1], sid[SIO_TOKEN_LEN + 1], offset[64];
    unsigned due[DUE_MAX * 2]; /* numbers of events, first to be heard first */
    size_t due_count;
} person;

/* The input is a list of steps of three bytes: what, who, and how. */
typedef struct script {
    const uint8_t *at, *end;
    sio_rig rig;
    sio_namespace *nsp;
    person people[CLIENTS];
    uint64_t now;
    unsigned number;
    bool tight; /* little is kept */
} script;

enum {
    TO_ALL,
    TO_ROOM,
    TO_BOTH,
    TO_OTHERS,
    TO_ONE,
    BUT_ROOM,
    VOLATILE,
    EMIT,
    JOIN,
    LEAVE,
    HEAR,
    LOSE,
    RESUME,
    TAKE_OVER,
    FORGE,
    RAW,
    WAIT,
    QUIT,
    STEPS
};

static const char *const rooms[] = {"r", "s"};

static sio_socket *socket_of(const person *p)
{
    return sio_peer_open(&p->peer) ? sio_peer_socket(&p->peer, "/r") : NULL;
}

/* ---------------------------------------------------------- what is heard --
 */

static void pick(const char *text, const char *before, char *out, size_t cap)
{
    const char *at = text, *found = NULL;
    while ((at = strstr(at, before)) != NULL) {
        at += strlen(before);
        found = at;
    }
    REQUIRE(found != NULL);
    size_t len = strcspn(found, "\"");
    REQUIRE(len < cap);
    memcpy(out, found, len);
    out[len] = '\0';
}

/* One packet of what the client has been sent. */
static void hear_one(person *p, const char *packet, size_t len)
{
    char text[256];
    unsigned n;
    REQUIRE(len < sizeof(text));
    memcpy(text, packet, len);
    text[len] = '\0';
    if (strncmp(text, "42/r,", 5) != 0) {
        return;
    }
    if (sscanf(text, "42/r,[\"e\",%u,", &n) == 1) {
        REQUIRE(p->due_count != 0 && p->due[0] == n);
        p->due_count--;
        memmove(p->due, p->due + 1, p->due_count * sizeof(p->due[0]));
    }
    pick(text, ",\"", p->offset, sizeof(p->offset));
}

/* What comes behind `most` packets is lost on its way. */
static void hear(person *p, unsigned most)
{
    const char *at = sio_peer_said(&p->peer);
    while ((at = strchr(at, ' ')) != NULL && most-- != 0) {
        at++;
        hear_one(p, at, strcspn(at, " "));
    }
}

/* ------------------------------------------------------------- sessions -- */

static void read_session(person *p, const char *said)
{
    const sio_socket *socket = socket_of(p);
    REQUIRE(socket != NULL);
    pick(said, "\"pid\":\"", p->pid, sizeof(p->pid));
    memcpy(p->sid, socket->id, sizeof(p->sid));
}

static void emit(script *s, person *p)
{
    p->due[p->due_count++] = ++s->number;
    REQUIRE(sio_socket_emit(socket_of(p), "e", "i", (int)s->number) == SIO_OK);
}

static void say_connect(person *p, const char *pid, const char *offset)
{
    char text[256];
    (void)snprintf(text, sizeof(text), "0/r,{\"pid\":\"%s\",\"offset\":\"%s\"}",
                   pid, offset);
    sio_peer_send(&p->peer, text);
}

/* A session that nobody had before, and an event in it. */
static void begin(script *s, person *p)
{
    p->due_count = 0;
    p->away = false;
    p->strict = !s->tight;
    memset(p->in, 0, sizeof(p->in));
    p->peer = sio_rig_open(&s->rig, MEMORY_WEBSOCKET, "p");
    sio_peer_send(&p->peer, "0/r,");
    read_session(p, sio_peer_said(&p->peer));
    emit(s, p);
    hear(p, ~0U);
    REQUIRE(p->due_count == 0);
}

static void lose(script *s, person *p)
{
    if (!p->away) {
        memory_transport_drop(p->peer.mt, SIO_OK);
        rig_turn(&s->rig.engine);
        p->away = true;
        p->lost_at = s->now;
    }
}

static bool expired(const script *s, const person *p)
{
    return p->away && s->now - p->lost_at >= WINDOW;
}

static void come_back(script *s, person *p)
{
    bool over = expired(s, p);
    p->peer = sio_rig_open(&s->rig, MEMORY_WEBSOCKET, "p");
    say_connect(p, p->pid, p->offset);
    const sio_socket *socket = socket_of(p);
    REQUIRE(socket != NULL);
    if (!socket->recovered) {
        REQUIRE(over || !p->strict);
        REQUIRE(strcmp(socket->id, p->sid) != 0);
        sio_peer_send(&p->peer, "1/r,");
        begin(s, p);
        return;
    }
    REQUIRE(!over);
    REQUIRE(strcmp(socket->id, p->sid) == 0);
    for (int i = 0; i < 2; i++) {
        REQUIRE(sio_socket_in_room(socket, rooms[i]) == p->in[i]);
    }
    p->away = false;
    hear(p, ~0U);
    REQUIRE(p->due_count == 0);
}

/* Leaves for good. */
static void quit(script *s, person *p)
{
    if (!p->away) {
        sio_peer_send(&p->peer, "1/r,");
        rig_turn(&s->rig.engine);
        lose(s, p);
        p->lost_at = s->now - WINDOW; /* as if it had expired */
    }
}

/* Somebody else asks for what may be the session of `p`. */
static void intrude(script *s, person *p, const char *auth)
{
    char text[400];
    person other = {0};
    other.peer = sio_rig_open(&s->rig, MEMORY_WEBSOCKET, "x");
    (void)snprintf(text, sizeof(text), "0/r,%s", auth);
    sio_peer_send(&other.peer, text);
    const sio_socket *socket = socket_of(&other);
    if (socket == NULL) {
        return; /* that was no packet */
    }
    bool took = socket->recovered;
    REQUIRE(!took || strstr(auth, p->pid) != NULL);
    REQUIRE(!took || (strcmp(socket->id, p->sid) == 0 && !expired(s, p)));
    sio_peer_send(&other.peer, "1/r,");
    rig_turn(&s->rig.engine);
    memory_transport_drop(other.peer.mt, SIO_OK);
    rig_turn(&s->rig.engine);
    if (took) {
        REQUIRE(p->away || !sio_peer_open(&p->peer));
        begin(s, p);
    }
}

static void forge(script *s, person *p, uint8_t how)
{
    char auth[256], pid[64], offset[80];
    const person *q = &s->people[how % CLIENTS];
    memcpy(pid, how & 64 ? q->pid : p->pid, sizeof(p->pid));
    (void)snprintf(offset, sizeof(offset), "%s",
                   how & 32 ? q->offset : p->offset);
    size_t len = strlen(offset);
    if ((how & 16) != 0) {
        pid[how & 15] = pid[how & 15] == 'A' ? 'B' : 'A';
    }
    if ((how & 8) != 0 && len != 0) {
        offset[len - 1] = "0z!9a"[how % 5];
    }
    (void)snprintf(auth, sizeof(auth), "{\"pid\":\"%s\",\"offset\":\"%s\"}",
                   pid, offset);
    bool of_q = (how & 64) != 0;
    intrude(s, of_q ? &s->people[how % CLIENTS] : p, auth);
}

/* As it stands in the input. */
static void intrude_raw(script *s, person *p, uint8_t len)
{
    char auth[256];
    size_t left = (size_t)(s->end - s->at);
    size_t n = len < left ? len : left;
    memcpy(auth, s->at, n);
    auth[n] = '\0';
    s->at += n;
    intrude(s, p, auth);
}

/* ------------------------------------------------------------ broadcasts -- */

static void broadcast(script *s, unsigned what, person *self, uint8_t how)
{
    unsigned room = how & 1;
    sio_broadcast b = sio_namespace_broadcast(s->nsp);
    sio_socket *socket = self->away ? NULL : socket_of(self);
    if (what == TO_OTHERS && socket == NULL) {
        return;
    }
    b = what == TO_ROOM     ? sio_broadcast_to(b, rooms[room])
        : what == TO_BOTH   ? sio_broadcast_to(sio_broadcast_to(b, "r"), "s")
        : what == TO_ONE    ? sio_broadcast_to(b, self->sid)
        : what == BUT_ROOM  ? sio_broadcast_except(b, rooms[room])
        : what == TO_OTHERS ? sio_socket_broadcast(socket)
                            : b;
    s->number++;
    for (size_t i = 0; i < CLIENTS; i++) {
        person *p = &s->people[i];
        bool is_for = what == TO_ROOM     ? p->in[room]
                      : what == TO_BOTH   ? p->in[0] || p->in[1]
                      : what == TO_ONE    ? p == self
                      : what == BUT_ROOM  ? !p->in[room]
                      : what == TO_OTHERS ? p != self
                                          : true;
        if (is_for && !expired(s, p)) {
            p->due[p->due_count++] = s->number;
        }
    }
    REQUIRE(sio_broadcast_emit(b, "e", "i", (int)s->number) == SIO_OK);
}

/* Nobody has more to hear of than can be seen in one go. */
static void relieve(script *s)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        person *p = &s->people[i];
        if (p->due_count < DUE_MAX) {
            continue;
        }
        if (p->away) {
            come_back(s, p);
        } else {
            hear(p, ~0U);
        }
        REQUIRE(p->due_count == 0);
    }
}

/* ----------------------------------------------------------------- steps -- */

static void step_connected(script *s, person *p, unsigned what, uint8_t how)
{
    sio_socket *socket = socket_of(p);
    unsigned room = how & 1;
    REQUIRE(socket != NULL);
    switch (what) {
    case EMIT:
        emit(s, p);
        break;
    case JOIN:
        REQUIRE(sio_socket_join(socket, rooms[room]) == SIO_OK);
        p->in[room] = true;
        break;
    case LEAVE: /* what was on its way is not for it any more */
        hear(p, ~0U);
        sio_socket_leave(socket, rooms[room]);
        p->in[room] = false;
        emit(s, p);
        hear(p, ~0U);
        break;
    case HEAR:
        hear(p, ~0U);
        REQUIRE(p->due_count == 0);
        break;
    case LOSE:
        hear(p, how & 7);
        lose(s, p);
        break;
    case TAKE_OVER: /* the rest is lost on a connection that looks alive */
        hear(p, how & 7);
        (void)sio_peer_said(&p->peer);
        come_back(s, p);
        break;
    default:
        quit(s, p);
        break;
    }
}

static void step(script *s)
{
    unsigned what = s->at[0] % STEPS;
    person *p = &s->people[s->at[1] % CLIENTS];
    uint8_t how = s->at[2];
    s->at += 3;
    if (what <= BUT_ROOM) {
        broadcast(s, what, p, how);
    } else if (what == VOLATILE) {
        sio_broadcast all = sio_namespace_broadcast(s->nsp);
        REQUIRE(sio_broadcast_emit(sio_broadcast_volatile(all), "v", "s",
                                   "x") == SIO_OK);
    } else if (what == RESUME) {
        if (p->away) {
            come_back(s, p);
        }
    } else if (what == FORGE) {
        forge(s, p, how);
    } else if (what == RAW) {
        intrude_raw(s, p, how);
    } else if (what == WAIT) {
        uint64_t ms = (how & 15) * (uint64_t)100;
        s->now += ms;
        rig_advance(&s->rig.engine, ms);
    } else if (!p->away) {
        step_connected(s, p, what, how);
    }
    relieve(s);
}

static void set_up(script *s)
{
    sio_rig_init(&s->rig);
    s->rig.muted = true;
    s->rig.engine.config.ping_interval = 100000000;
    s->rig.core.recovery = (sio_recovery_limits){
        WINDOW, true, s->tight ? 12 : 100000, s->tight ? 4000 : 10000000};
    s->nsp = sio_rig_of(&s->rig, "/r");
    for (size_t i = 0; i < CLIENTS; i++) {
        begin(s, &s->people[i]);
    }
}

static void tear_down(script *s)
{
    sio_rig_close(&s->rig);
    sio_loop_close(&s->rig.loop);
    REQUIRE(s->rig.engine.counters[SIO_COUNTER_RECOVERY_BYTES] == 0);
    REQUIRE(s->rig.engine.counters[SIO_COUNTER_RECOVERY_STORED] == 0);
    REQUIRE(s->rig.engine.counters[SIO_COUNTER_RECOVERY_PACKETS] == 0);
    sio_rig_free(&s->rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static script s;
    if (size < 1) {
        return 0;
    }
    memset(&s, 0, sizeof(s));
    s.tight = (data[0] & 1) != 0;
    s.at = data + 1;
    s.end = data + size;
    set_up(&s);
    for (unsigned n = 0; n < STEPS_MAX && s.end - s.at >= 3; n++) {
        step(&s);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        if (s.people[i].away) {
            come_back(&s, &s.people[i]);
        }
        hear(&s.people[i], ~0U);
        REQUIRE(s.people[i].due_count == 0);
    }
    tear_down(&s);
    return 0;
}
