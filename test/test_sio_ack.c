#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "socketio/events.h"
#include "test/sio_rig.h"

#define HOLE(n) "{\"_placeholder\":true,\"num\":" #n "}"
#define MANY 20000

static sio_rig rig;
static sio_peer a;
static sio_socket *socket_a;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    a = sio_rig_join(&rig, "a");
    socket_a = sio_peer_socket(&a, "/");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

static void on(const char *name, sio_event_fn *fn, void *arg)
{
    assert_int_equal(sio_namespace_on(rig.root, name, fn, arg), SIO_OK);
}

/* --------------------------------------------------- answers to the client --
 */

static void answer(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    bool wants = sio_event_wants_ack(event);
    sio_rig_tell(&rig, wants ? " asked" : " told");
    assert_int_equal(sio_event_ack(event, "%"),
                     wants ? SIO_ERR_ARGUMENT : SIO_ERR_STATE);
    assert_int_equal(sio_event_wants_ack(event), wants);
    assert_int_equal(sio_event_ack(event, "is", 1, "x"),
                     wants ? SIO_OK : SIO_ERR_STATE);
    assert_false(sio_event_wants_ack(event));
    assert_int_equal(sio_event_ack(event, NULL), SIO_ERR_STATE);
    assert_int_equal(sio_event_ack_args(event, NULL), SIO_ERR_STATE);
    assert_null(sio_event_take_ack(event));
}

static void answer_back(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    assert_int_equal(sio_event_ack_args(event, sio_event_args(event)), SIO_OK);
}

static void test_answers(void **state)
{
    (void)state;
    on("e", answer, NULL);
    on("back", answer_back, NULL);
    sio_peer_send(&a, "2[\"e\"]");
    sio_peer_send(&a, "20[\"e\"]");
    sio_peer_send(&a, "29007199254740991[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " told asked asked");
    assert_string_equal(sio_peer_said(&a),
                        " 430[1,\"x\"] 439007199254740991[1,\"x\"]");
    sio_peer_send(&a, "27[\"back\",{\"k\":1},[]]");
    sio_peer_send(&a, "28[\"back\"]");
    sio_peer_send(&a, "51-9[\"back\"," HOLE(0) "]");
    sio_peer_send_binary(&a, SIO_LIT("x"));
    assert_string_equal(sio_peer_said(&a), " 437[{\"k\":1},[]] 438[]"
                                           " 461-9[" HOLE(0) "] b78");
}

static sio_ack *taken;

static void take(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)arg;
    taken = sio_event_take_ack(event);
    assert_non_null(taken);
    assert_int_equal(sio_event_ack(event, NULL), SIO_ERR_STATE);
}

static void test_take(void **state)
{
    (void)state;
    on("e", take, NULL);
    sio_peer_send(&a, "21[\"e\"]");
    rig_advance(&rig.engine, 1000);
    assert_int_equal(sio_ack_send(taken, "i", 7), SIO_OK);
    sio_peer_send(&a, "22[\"e\"]");
    assert_int_equal(sio_ack_send_args(taken, &(sio_args){"8", 1, NULL, 0}),
                     SIO_OK);
    sio_peer_send(&a, "23[\"e\"]");
    sio_ack_drop(taken);
    sio_ack_drop(NULL);
    sio_peer_send(&a, "24[\"e\"]");
    assert_int_equal(sio_ack_send(taken, "%"), SIO_ERR_ARGUMENT);
    assert_string_equal(sio_peer_said(&a), " 431[7] 432[8]");

    sio_peer_send(&a, "25[\"e\"]");
    sio_socket_disconnect(socket_a);
    assert_int_equal(sio_ack_send(taken, NULL), SIO_ERR_CLOSED);
    assert_string_equal(sio_peer_said(&a), " 41");
    sio_peer b = sio_rig_join(&rig, "b");
    sio_peer_send(&b, "21[\"e\"]");
    memory_transport_drop(b.mt, SIO_OK);
    rig_turn(&rig.engine);
    assert_int_equal(sio_ack_send(taken, NULL), SIO_ERR_CLOSED);
}

/* The right to answer may outlive everything. */
static void test_take_for_ever(void **state)
{
    (void)state;
    sio_rig other;
    sio_rig_init(&other);
    assert_int_equal(sio_namespace_on(other.root, "e", take, NULL), SIO_OK);
    sio_peer b = sio_rig_join(&other, "b");
    sio_peer_send(&b, "21[\"e\"]");
    sio_rig_deinit(&other);
    assert_int_equal(sio_ack_send(taken, NULL), SIO_ERR_CLOSED);
}

static void leave_and_answer(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    sio_socket_disconnect(socket);
    assert_int_equal(sio_event_ack(event, NULL), SIO_ERR_CLOSED);
}

static void test_answer_after_the_end(void **state)
{
    (void)state;
    on("e", leave_and_answer, NULL);
    sio_peer_send(&a, "21[\"e\"]");
    assert_string_equal(sio_peer_said(&a), " 41");
}

/* -------------------------------------------------- answers from the client --
 */

static void on_ack(sio_socket *socket, sio_error err, sio_event *reply,
                   void *arg)
{
    const char *tag = arg == NULL ? "" : arg;
    assert_ptr_equal(socket, socket_a);
    assert_int_equal(reply == NULL, err != SIO_OK);
    if (err != SIO_OK) {
        sio_rig_tell(&rig, " %s:%s", tag,
                     err == SIO_ERR_CLOSED ? "closed" : "timeout");
        return;
    }
    const sio_args *args = sio_event_args(reply);
    assert_false(sio_event_wants_ack(reply));
    assert_int_equal(sio_event_ack(reply, NULL), SIO_ERR_STATE);
    assert_string_equal(sio_event_name(reply), "");
    sio_rig_tell(&rig, " %s:%zu(%.*s)", tag, sio_event_arg_count(reply),
                 (int)args->json_len, args->json_len == 0 ? "" : args->json);
    for (size_t i = 0; i < args->binary_count; i++) {
        sio_rig_tell(&rig, "%.*s;", (int)args->binaries[i].len,
                     (const char *)args->binaries[i].data);
    }
}

static void ask(uint32_t timeout_ms, const char *tag)
{
    assert_int_equal(sio_socket_emit_ack(socket_a, "q", timeout_ms, on_ack,
                                         (void *)(uintptr_t)tag, "s", tag),
                     SIO_OK);
}

static void test_asking(void **state)
{
    (void)state;
    ask(0, "x");
    ask(0, "y");
    ask(0, "z");
    assert_string_equal(sio_peer_said(&a), " 420[\"q\",\"x\"] 421[\"q\",\"y\"]"
                                           " 422[\"q\",\"z\"]");
    assert_string_equal(sio_rig_told(&rig), "");
    sio_peer_send(&a, "31[1]"); /* out of order */
    sio_peer_send(&a, "31[2]"); /* twice */
    sio_peer_send(&a, "33[]");  /* never asked */
    sio_peer_send(&a, "3");     /* no id */
    sio_peer_send(&a, "39007199254740991[]");
    sio_peer_send(&a, "30"); /* no payload */
    sio_peer_send(&a, "61-2[1," HOLE(0) "]");
    sio_peer_send_binary(&a, SIO_LIT("bin"));
    assert_string_equal(sio_rig_told(&rig),
                        " y:1(1) x:0() z:2(1," HOLE(0) ")bin;");
    assert_true(sio_peer_open(&a));
}

static void test_timeouts(void **state)
{
    (void)state;
    ask(100, "x");
    ask(50, "y");
    ask(0, "z");
    ask(100, "w");
    rig_advance(&rig.engine, 49);
    assert_string_equal(sio_rig_told(&rig), "");
    rig_advance(&rig.engine, 1);
    assert_string_equal(sio_rig_told(&rig), " y:timeout");
    sio_peer_send(&a, "31[]"); /* late */
    sio_peer_send(&a, "33[]");
    assert_string_equal(sio_rig_told(&rig), " w:0()");
    rig_advance(&rig.engine, 50);
    assert_string_equal(sio_rig_told(&rig), " x:timeout");
    rig_advance(&rig.engine, 10000);
    sio_peer_send(&a, "32[]");
    assert_string_equal(sio_rig_told(&rig), " z:0()");
}

static void tell_gone(sio_socket *socket, sio_disconnect_reason reason,
                      sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    assert_int_equal(sio_socket_emit_ack(socket, "q", 0, on_ack, NULL, NULL),
                     SIO_ERR_CLOSED);
    sio_rig_tell(&rig, " gone");
}

/* The disconnect handler is the last that hears of a socket. */
static void test_closed(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_disconnect(rig.root, tell_gone, NULL),
                     SIO_OK);
    ask(0, "x");
    ask(100, "y");
    sio_socket_disconnect(socket_a);
    assert_string_equal(sio_rig_told(&rig), " x:closed y:closed gone");
    rig_advance(&rig.engine, 1000);
    sio_peer_send(&a, "30[]");
    assert_string_equal(sio_rig_told(&rig), "");
    assert_true(sio_peer_open(&a));
    assert_int_equal(sio_socket_emit_ack(socket_a, "q", 0, on_ack, NULL, NULL),
                     SIO_ERR_CLOSED);
}

/* -------------------------------------------------------------- thousands --
 */

typedef struct tally {
    unsigned count, sum;
} tally;

static tally tallies[MANY];

static void count_ack(sio_socket *socket, sio_error err, sio_event *reply,
                      void *arg)
{
    tally *t = arg;
    int value = 0;
    (void)socket;
    t->count++;
    if (err == SIO_OK) {
        assert_int_equal(sio_event_unpack(reply, "i", &value), SIO_OK);
        t->sum += (unsigned)value;
    }
}

/* Asks for many, of which every third has a timeout. */
static void ask_many(void)
{
    memset(tallies, 0, sizeof(tallies));
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(sio_socket_emit_ack(socket_a, "q", i % 3 == 0 ? 50 : 0,
                                             count_ack, &tallies[i], NULL),
                         SIO_OK);
    }
}

static void reply_to(uint64_t first, size_t i)
{
    char packet[64];
    snprintf(packet, sizeof(packet), "3%llu[%zu]",
             (unsigned long long)(first + i), i);
    sio_peer_send(&a, packet);
}

/* Answers come in an order that visits each once; those to what has timed out
 * come late. */
static void check_many(size_t start, size_t step, bool late)
{
    uint64_t first = sio_local_of(rig.root, &rig.loop)->next_ack;
    ask_many();
    if (late) {
        rig_advance(&rig.engine, 50);
    }
    for (size_t i = 0, at = start; i < MANY; i++, at = (at + step) % MANY) {
        reply_to(first, at);
        reply_to(first, at);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(tallies[i].count, 1);
        assert_int_equal(tallies[i].sum, late && i % 3 == 0 ? 0 : i);
    }
    assert_int_equal(socket_a->acks->count, 0);
    memory_transport_turn(a.mt);
}

static void test_many(void **state)
{
    (void)state;
    rig.engine.config.max_backlog = SIZE_MAX / 2;
    check_many(0, 1, false);
    check_many(MANY - 1, MANY - 1, false); /* backwards */
    check_many(0, 7919, false);            /* here and there */
    check_many(MANY / 2, 1, true);
    check_many(5, 7919, true);
}

/* Unanswered ones among many answered ones cost neither time nor memory. */
static void test_stragglers(void **state)
{
    (void)state;
    rig.engine.config.max_backlog = SIZE_MAX / 2;
    memset(tallies, 0, sizeof(tallies));
    uint64_t first = sio_local_of(rig.root, &rig.loop)->next_ack;
    assert_int_equal(
        sio_socket_emit_ack(socket_a, "q", 0, count_ack, &tallies[0], NULL),
        SIO_OK);
    for (size_t i = 1; i < MANY; i++) {
        assert_int_equal(
            sio_socket_emit_ack(socket_a, "q", 0, count_ack, &tallies[i], NULL),
            SIO_OK);
        reply_to(first, i);
        assert_int_equal(tallies[i].count, 1);
    }
    assert_in_range(socket_a->acks->cap, 1, 16);
    assert_int_equal(tallies[0].count, 0);
    reply_to(first, 0);
    assert_int_equal(tallies[0].count, 1);
}

/* A callback that asks, answers and leaves. */
static void ask_again(sio_socket *socket, sio_error err, sio_event *reply,
                      void *arg)
{
    unsigned *left = arg;
    (void)err;
    (void)reply;
    if (--*left == 0) {
        sio_socket_disconnect(socket);
    } else {
        sio_error sent =
            sio_socket_emit_ack(socket, "q", 10, ask_again, arg, NULL);
        assert_true(sent == SIO_OK || sent == SIO_ERR_CLOSED);
    }
}

static void test_asking_in_callbacks(void **state)
{
    (void)state;
    unsigned left = 100;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(
            sio_socket_emit_ack(socket_a, "q", 10, ask_again, &left, NULL),
            SIO_OK);
    }
    for (int i = 0; i < 200 && left != 0; i++) {
        if (i % 2 == 0) {
            reply_to((uint64_t)i, 0);
        } else {
            rig_advance(&rig.engine, 10);
        }
    }
    assert_false(sio_socket_connected(socket_a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),       TEST(test_take),
        TEST(test_take_for_ever), TEST(test_answer_after_the_end),
        TEST(test_asking),        TEST(test_timeouts),
        TEST(test_closed),        TEST(test_many),
        TEST(test_stragglers),    TEST(test_asking_in_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
