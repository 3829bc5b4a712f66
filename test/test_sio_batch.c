#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/sio_rig.h"

/* Broadcasts wait for the end of the turn.  Nobody may see that: what each
 * client gets is compared with what it would get if nothing waited. */

#define PEERS 4
#define SEEDS 400
#define STEPS 60

static const char *const rooms[] = {"r", "s"};

typedef struct model {
    sio_peer peer;
    bool in[2];
    char want[8192];
    size_t want_len;
    char got[8192];
    size_t got_len;
} model;

static sio_rig rig;
static model models[PEERS];
static unsigned seed, number;

static unsigned pick(unsigned below)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % below;
}

static void want(model *m, const char *format, unsigned n)
{
    int len = snprintf(m->want + m->want_len, sizeof(m->want) - m->want_len,
                       format, n);
    m->want_len += (size_t)len;
    assert_true(m->want_len < sizeof(m->want));
}

static void end_turn(void)
{
    for (size_t i = 0; i < PEERS; i++) {
        model *m = &models[i];
        const char *said = sio_peer_said(&m->peer);
        size_t len = strlen(said);
        assert_true(m->got_len + len < sizeof(m->got));
        memcpy(m->got + m->got_len, said, len + 1);
        m->got_len += len;
    }
}

static sio_socket *socket_of(const model *m)
{
    return sio_peer_socket(&m->peer, "/");
}

/* To all, or to a room, but to one; `room` 2 is all. */
static void broadcast(unsigned room, const model *except, bool binary)
{
    unsigned n = ++number;
    sio_broadcast b = sio_namespace_broadcast(rig.root);
    if (except != NULL) {
        b = sio_socket_broadcast(socket_of(except));
    }
    if (room < 2) {
        b = sio_broadcast_to(b, rooms[room]);
    }
    if (binary) {
        sio_binary bin = {"x", 1};
        sio_args args = {"{\"_placeholder\":true,\"num\":0}", 29, &bin, 1};
        assert_int_equal(sio_broadcast_emit_args(b, "b", &args), SIO_OK);
    } else {
        assert_int_equal(sio_broadcast_emit(b, "e", "i", (int)n), SIO_OK);
    }
    for (size_t i = 0; i < PEERS; i++) {
        if (&models[i] == except || (room < 2 && !models[i].in[room])) {
            continue;
        }
        want(&models[i],
             binary ? " 451-[\"b\",{\"_placeholder\":true,\"num\":0}] b78"
                    : " 42[\"e\",%u]",
             n);
    }
}

static void emit(model *m)
{
    unsigned n = ++number;
    assert_int_equal(sio_socket_emit(socket_of(m), "d", "i", (int)n), SIO_OK);
    want(m, " 42[\"d\",%u]", n);
}

static void move(model *m, unsigned room)
{
    if (m->in[room]) {
        sio_socket_leave(socket_of(m), rooms[room]);
    } else {
        assert_int_equal(sio_socket_join(socket_of(m), rooms[room]), SIO_OK);
    }
    m->in[room] = !m->in[room];
}

/* Everybody but those in a room, or some in both. */
static void broadcast_other(void)
{
    unsigned n = ++number, room = pick(2);
    bool both = pick(2) == 0;
    sio_broadcast b = sio_namespace_broadcast(rig.root);
    b = both ? sio_broadcast_to(sio_broadcast_to(b, "r"), "s")
             : sio_broadcast_except(b, rooms[room]);
    assert_int_equal(sio_broadcast_emit(b, "o", "i", (int)n), SIO_OK);
    for (size_t i = 0; i < PEERS; i++) {
        const model *m = &models[i];
        if (both ? m->in[0] || m->in[1] : !m->in[room]) {
            want(&models[i], " 42[\"o\",%u]", n);
        }
    }
}

/* Leaves the namespace and comes again. */
static void come_again(model *m)
{
    sio_socket_disconnect(socket_of(m));
    want(m, " 41", 0);
    sio_peer_send(&m->peer, "0");
    want(m, " 40{\"sid\":\"*\"}", 0);
    m->in[0] = m->in[1] = false;
}

static void step(void)
{
    model *m = &models[pick(PEERS)];
    switch (pick(12)) {
    case 0:
    case 1:
        broadcast(2, NULL, false);
        break;
    case 2:
        broadcast(2, m, false);
        break;
    case 3:
    case 4:
        broadcast(pick(2), NULL, false);
        break;
    case 5:
        broadcast(pick(2), m, false);
        break;
    case 6:
        broadcast(pick(3), NULL, true);
        break;
    case 7:
        emit(m);
        break;
    case 8:
        move(m, pick(2));
        break;
    case 9:
        broadcast_other();
        break;
    case 10:
        if (pick(4) == 0) {
            come_again(m);
        }
        break;
    default:
        end_turn();
        break;
    }
}

static void run_seed(unsigned start)
{
    static const char *const names[PEERS] = {"a", "b", "c", "d"};
    seed = start;
    sio_rig_init(&rig);
    for (size_t i = 0; i < PEERS; i++) {
        models[i] = (model){.peer = sio_rig_join(&rig, names[i])};
    }
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    end_turn();
    for (size_t i = 0; i < PEERS; i++) {
        if (strcmp(models[i].got, models[i].want) != 0) {
            fail_msg("seed %u, peer %zu\n got%s\nwant%s", start, i,
                     models[i].got, models[i].want);
        }
    }
    sio_rig_deinit(&rig);
}

static void test_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SEEDS; i++) {
        run_seed(i);
    }
}

/* More, and more bytes, than a batch holds. */
static void test_bounds(void **state)
{
    (void)state;
    static char text[40000];
    char words[4096];
    size_t len = 0;
    memset(text, 'x', sizeof(text));
    text[0] = text[sizeof(text) - 1] = '"';
    sio_rig_init(&rig);
    sio_peer a = sio_rig_join(&rig, "a");
    sio_broadcast all = sio_namespace_broadcast(rig.root);
    for (unsigned i = 0; i < SIO_BATCH_MAX + 8; i++) {
        assert_int_equal(sio_broadcast_emit(all, "e", "i", (int)i), SIO_OK);
        assert_true(rig.loop.batch.count <= SIO_BATCH_MAX);
        len += (size_t)snprintf(words + len, sizeof(words) - len,
                                " 42[\"e\",%u]", i);
    }
    assert_string_equal(sio_peer_said(&a), words);
    assert_int_equal(sio_broadcast_emit(all, "e", NULL), SIO_OK);
    assert_int_equal(sio_broadcast_emit_json(all, "big", text, sizeof(text)),
                     SIO_OK);
    assert_int_equal(rig.loop.batch.count, 0);
    rig_turn(&rig.engine);
    sio_rig_deinit(&rig);
}

/* What one sends before the connection is closed arrives before that. */
static void test_close(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        sio_rig_init(&rig);
        sio_peer a = sio_rig_join(&rig, "a");
        sio_broadcast all = sio_namespace_broadcast(rig.root);
        assert_int_equal(sio_broadcast_emit(all, "e", NULL), SIO_OK);
        if (i == 0) {
            sio_socket_close(sio_peer_socket(&a, "/"));
        } else {
            sio_peer_send(&a, "nonsense");
        }
        const char *said = sio_peer_said(&a);
        assert_memory_equal(said, " 42[\"e\"]", 8);
        sio_rig_deinit(&rig);
    }
}

/* Nothing is kept for a namespace in which nobody is. */
static void test_nobody(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(rig.root), "e", NULL),
        SIO_OK);
    assert_int_equal(rig.loop.batch.count, 0);
    sio_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
