#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/recovery_rig.h"

/* Random emits, losses and resumes, compared with what each client should get.
 */

#define PEERS 4
#define SEEDS 300
#define STEPS 80

/* What one client should get and has got, as numbers of events. */
typedef struct model {
    sio_peer peer;
    session s;
    char name[2];
    bool in[2], away;
    unsigned want[STEPS * 2], got[STEPS * 2];
    size_t want_count, got_count;
} model;

static const char *const room_names[] = {"r", "s"};
static model models[PEERS];
static unsigned seed, number;

static unsigned pick(unsigned below)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % below;
}

/* Takes in what the client hears, but for what comes behind `most` events,
 * which is lost on the way. */
static void hear(model *m, unsigned most)
{
    const char *at = sio_peer_said(&m->peer);
    while ((at = strchr(at, ' ')) != NULL) {
        at++;
        unsigned n;
        if (strncmp(at, "42/r,[\"", 7) == 0 && most-- == 0) {
            return;
        }
        char one[256];
        size_t len = strcspn(at, " ");
        assert_true(len < sizeof(one));
        memcpy(one, at, len);
        one[len] = '\0';
        if (sscanf(one, "42/r,[\"e\",%u,", &n) == 1) {
            assert_true(m->got_count < STEPS * 2);
            m->got[m->got_count++] = n;
        }
        if (strncmp(one, "42/r,", 5) == 0) {
            note_offset(&m->s, one);
        }
    }
}

static void check(const model *m)
{
    assert_int_equal(m->got_count, m->want_count);
    assert_memory_equal(m->got, m->want, m->got_count * sizeof(m->got[0]));
}

static void send_to(sio_broadcast b, const bool to[PEERS])
{
    unsigned n = ++number;
    assert_int_equal(sio_broadcast_emit(b, "e", "i", (int)n), SIO_OK);
    for (size_t i = 0; i < PEERS; i++) {
        if (to[i]) {
            models[i].want[models[i].want_count++] = n;
        }
    }
}

static void broadcast(unsigned which)
{
    bool to[PEERS];
    unsigned room = pick(2), self = pick(PEERS);
    sio_broadcast b = sio_namespace_broadcast(nsp);
    for (size_t i = 0; i < PEERS; i++) {
        bool in = models[i].in[room];
        to[i] = which == 0   ? true
                : which == 1 ? in
                : which == 2 ? !in
                : which == 3 ? i == self
                             : models[i].in[0] || models[i].in[1];
    }
    b = which == 1   ? sio_broadcast_to(b, room_names[room])
        : which == 2 ? sio_broadcast_except(b, room_names[room])
        : which == 3 ? sio_broadcast_to(b, models[self].s.sid)
        : which == 4 ? sio_broadcast_to(sio_broadcast_to(b, "r"), "s")
                     : b;
    send_to(b, to);
}

static void emit(model *m, sio_socket *socket)
{
    unsigned n = ++number;
    assert_int_equal(sio_socket_emit(socket, "e", "i", (int)n), SIO_OK);
    m->want[m->want_count++] = n;
}

static void come_back(model *m)
{
    session before = m->s;
    m->peer = resume(m->name, &m->s);
    assert_true(recovered(&m->peer, &before));
    m->away = false;
}

static void step(void)
{
    model *m = &models[pick(PEERS)];
    unsigned room = pick(2);
    sio_socket *socket = m->away ? NULL : sio_peer_socket(&m->peer, "/r");
    switch (pick(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        broadcast(pick(5));
        break;
    case 5:
        if (socket != NULL) {
            emit(m, socket);
        }
        break;
    case 6:
        assert_int_equal(sio_broadcast_emit(sio_broadcast_volatile(
                                                sio_namespace_broadcast(nsp)),
                                            "v", "s", "x"),
                         SIO_OK);
        break;
    case 7:
        if (socket != NULL) {
            assert_int_equal(sio_socket_join(socket, room_names[room]), SIO_OK);
            m->in[room] = true;
        }
        break;
    case 8:
        if (socket != NULL) { /* from here on it goes on behind this */
            sio_socket_leave(socket, room_names[room]);
            m->in[room] = false;
            emit(m, socket);
            hear(m, ~0U);
        }
        break;
    case 9:
        if (socket != NULL) {
            hear(m, pick(4));
            drop(&m->peer);
            m->away = true;
        }
        break;
    case 10:
        if (m->away) {
            come_back(m);
        }
        break;
    case 11: /* half-open: some is lost, and the old one looks alive */
        if (!m->away) {
            hear(m, pick(4));
            broadcast(pick(5));
            come_back(m);
        }
        break;
    case 12:
        rig_advance(&rig.engine, pick(2000));
        break;
    default:
        if (!m->away) {
            hear(m, ~0U);
        }
        break;
    }
}

static void test_model(void **state)
{
    (void)state;
    for (unsigned s = 1; s <= SEEDS; s++) {
        open_rig(1000, 1000000, true);
        rig.muted = true;
        seed = s;
        number = 0;
        memset(models, 0, sizeof(models));
        for (size_t i = 0; i < PEERS; i++) {
            models[i].name[0] = (char)('a' + i);
            models[i].peer = join(models[i].name, &models[i].s);
        }
        /* Who has no offset yet is given a fresh session. */
        broadcast(0);
        for (size_t i = 0; i < PEERS; i++) {
            hear(&models[i], ~0U);
        }
        for (unsigned i = 0; i < STEPS; i++) {
            step();
        }
        for (size_t i = 0; i < PEERS; i++) {
            if (models[i].away) {
                come_back(&models[i]);
            }
            hear(&models[i], ~0U);
            check(&models[i]);
        }
        (void)tear_down(NULL);
    }
}

/* Many at once, while all their old sessions look alive. */
static void test_crowd(void **state)
{
    (void)state;
    enum { CROWD = 500 };
    static session sessions[CROWD];
    static sio_peer peers[CROWD];
    rig.muted = true;
    for (size_t i = 0; i < CROWD; i++) {
        peers[i] = join("x", &sessions[i]);
    }
    emit_all("1");
    for (size_t i = 0; i < CROWD; i++) {
        note_offset(&sessions[i], sio_peer_said(&peers[i]));
    }
    emit_all("2");
    rig_turn(&rig.engine);
    emit_all("3");
    for (size_t i = 0; i < CROWD; i++) {
        peers[i] = resume("y", &sessions[i]);
    }
    emit_all("4");
    for (size_t i = 0; i < CROWD; i++) {
        assert_string_equal(names(sio_peer_said(&peers[i])), "23+4");
        assert_true(recovered(&peers[i], &sessions[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test_setup_teardown(test_crowd, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
