#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>

#include <cmocka.h>

#include "socketio/msgpack.h"
#include "socketio/parent.h"
#include "test/recovery_rig.h"

/* Recovery beside what else there is: namespaces that come and go, listeners
 * to what goes out, another parser. */

/* ------------------------------------------------------------- children -- */

static void read_hi(const char *said, char *pid, char *offset)
{
    const char *at = strstr(said, "\"pid\":\"");
    assert_non_null(at);
    memcpy(pid, at + 7, SIO_TOKEN_LEN);
    pid[SIO_TOKEN_LEN] = '\0';
    at = strstr(said, "[\"hi\",\"");
    if (at != NULL) {
        size_t len = strcspn(at + 7, "\"");
        memcpy(offset, at + 7, len);
        offset[len] = '\0';
    }
}

static void say_hi(sio_socket *socket, void *arg)
{
    (void)arg;
    assert_int_equal(sio_socket_emit(socket, "hi", NULL), SIO_OK);
}

static sio_namespace *parent;

static void open_children(void)
{
    open_rig(1000, 1000000, true);
    rig.core.cleanup = true;
    rig.muted = true;
    parent = sio_core_of_pattern(&rig.core, "/c-*");
    assert_non_null(parent);
    assert_int_equal(sio_namespace_on_connection(parent, say_hi, NULL), SIO_OK);
}

/* A session that is stored holds the namespace of its socket. */
static void test_child(void **state)
{
    (void)state;
    char pid[64], offset[64], text[256];
    open_children();
    sio_peer p = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    sio_peer_send(&p, "0/c-1,");
    read_hi(sio_peer_said(&p), pid, offset);
    drop(&p);
    assert_int_equal(counter(SIO_COUNTER_NAMESPACES_REMOVED), 0);
    sio_namespace *child = sio_core_find(&rig.core, "/c-1");
    assert_non_null(child);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(child), "one", NULL),
        SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(parent), "all", NULL),
        SIO_OK);
    sio_namespace_unref(child);
    p = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    (void)snprintf(text, sizeof(text),
                   "0/c-1,{\"pid\":\"%s\",\"offset\":\"%s\"}", pid, offset);
    sio_peer_send(&p, text);
    const char *said = sio_peer_said(&p);
    const char *one = strstr(said, "[\"one\",\""), *all = strstr(said, "\"all");
    assert_true(one != NULL && all > one && strstr(all, "40/c-1,") > all);
    assert_true(sio_socket_recovered(sio_peer_socket(&p, "/c-1")));
    drop(&p);
    rig_advance(&rig.engine, WINDOW - 1);
    assert_int_equal(counter(SIO_COUNTER_NAMESPACES_REMOVED), 0);
    rig_advance(&rig.engine, 1);
    assert_int_equal(counter(SIO_COUNTER_NAMESPACES_REMOVED), 1);
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_BYTES), 0);
    assert_null(sio_core_find(&rig.core, "/c-1"));
    (void)tear_down(NULL);
}

/* What is stored when the server closes goes, and so does the child. */
static void test_child_at_close(void **state)
{
    (void)state;
    open_children();
    for (int i = 0; i < 3; i++) {
        sio_peer p = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
        sio_peer_send(&p, "0/c-1,");
        (void)sio_peer_said(&p);
        drop(&p);
    }
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), 3);
    sio_loop_close(&rig.loop);
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), 0);
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_BYTES), 0);
    assert_int_equal(counter(SIO_COUNTER_NAMESPACES_REMOVED), 1);
    (void)tear_down(NULL);
}

/* Without one who could come again nothing is kept. */
static void test_nobody(void **state)
{
    (void)state;
    session s;
    sio_peer p = join("a", &s);
    emit_all("1");
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_PACKETS), 1);
    sio_peer_send(&p, "1/r,");
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_PACKETS), 0);
    emit_all("2");
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_PACKETS), 0);
    assert_true(sio_list_empty(&rig.loop.active));
}

/* ------------------------------------------------------------------ work -- */

static void emit_to(const char *room, const char *event)
{
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(nsp, room), event, NULL), SIO_OK);
}

/* Those who resume cost what they have missed, whatever else was sent. */
static void test_work(void **state)
{
    (void)state;
    enum { OTHERS = 5000, MISSED = 20 };
    session a, b;
    open_rig(100000, 100000000, true);
    rig.muted = true;
    sio_peer pa = join("a", &a), pb = join("b", &b);
    sio_socket *socket = sio_peer_socket(&pa, "/r");
    assert_int_equal(sio_socket_join(socket, "r"), SIO_OK);
    assert_int_equal(sio_socket_join(socket, "s"), SIO_OK);
    emit_all("1");
    note_offset(&a, sio_peer_said(&pa));
    drop(&pa);
    for (int i = 0; i < OTHERS; i++) {
        emit_to("other", "no");
        assert_int_equal(
            sio_socket_emit(sio_peer_socket(&pb, "/r"), "no", NULL), SIO_OK);
        (void)sio_peer_said(&pb);
        if (i % (OTHERS / MISSED) == 0) {
            sio_broadcast both = sio_namespace_to(nsp, "r");
            both = sio_broadcast_to(sio_broadcast_to(both, "s"), "other");
            assert_int_equal(sio_broadcast_emit(both, "y", NULL), SIO_OK);
        }
    }
    uint64_t before = recovery()->visits;
    pa = resume("a", &a);
    assert_string_equal(names(sio_peer_said(&pa)), "yyyyyyyyyyyyyyyyyyyy+");
    uint64_t work = recovery()->visits - before;
    print_message("packets looked at: %llu of %d, for %d that were missed\n",
                  (unsigned long long)work, 2 * OTHERS + MISSED, MISSED);
    assert_in_range(work, MISSED, 2 * MISSED); /* each by both rooms */
    (void)tear_down(NULL);
}

/* What the allocator has given out; 0 where a sanitizer is in its place. */
static size_t allocated(void)
{
    return mallinfo2().uordblks;
}

static void print_each(const char *what, size_t before, size_t after,
                       unsigned count)
{
    print_message("%s: %.1f bytes\n", what,
                  ((double)after - (double)before) / count);
}

/* Tells what sessions and packets take, of the allocator too; see
 * docs/recovery.md. */
static void test_memory(void **state)
{
    (void)state;
    enum { SESSIONS = 500, PACKETS = 20000 };
    session a;
    open_rig(1000000, 1000000000, true);
    rig.muted = true;
    sio_peer stays = join("s", &a);
    size_t before = allocated();
    for (int i = 0; i < PACKETS; i++) {
        emit_all("hello");
        (void)sio_peer_said(&stays);
    }
    print_each("a packet to all", before, allocated(), PACKETS);
    before = allocated();
    for (int i = 0; i < PACKETS; i++) {
        emit_to("room", "hello");
        rig_turn(&rig.engine);
    }
    print_each("a packet to a room", before, allocated(), PACKETS);
    for (int rooms = 0; rooms < 3; rooms++) {
        for (int i = 0; i < SESSIONS; i++) {
            sio_peer p = join("p", &a);
            for (int n = 0; n < rooms; n++) {
                assert_int_equal(sio_socket_join(sio_peer_socket(&p, "/r"),
                                                 n == 0 ? "room-1" : "room-2"),
                                 SIO_OK);
            }
            drop(&p);
        }
        assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), SESSIONS);
        uint64_t counted = counter(SIO_COUNTER_RECOVERY_BYTES);
        before = allocated();
        while (sio_recovery_first(recovery()) != NULL) {
            sio_recovery_expire(sio_recovery_first(recovery()), false);
        }
        counted -= counter(SIO_COUNTER_RECOVERY_BYTES);
        print_message("in %d rooms, counted: %.1f bytes\n", rooms,
                      (double)counted / SESSIONS);
        print_each("a stored session", allocated(), before, SESSIONS);
        assert_in_range(counted / SESSIONS, 1, 300);
    }
    (void)tear_down(NULL);
}

/* Who has missed more than may wait for a connection gets a fresh session, or
 * it would lose one after the other. */
static void test_too_much(void **state)
{
    (void)state;
    enum { SIZE = 1000 };
    char json[SIZE + 3];
    memset(json, 'x', sizeof(json));
    json[0] = json[SIZE + 1] = '"';
    for (int over = 0; over < 2; over++) {
        session a, b;
        open_rig(1000, 1000000, true);
        rig.muted = true;
        rig.engine.config.max_backlog = 10 * (SIZE + 100);
        sio_peer pa = join("a", &a);
        (void)join("b", &b);
        emit_all("1");
        note_offset(&a, sio_peer_said(&pa));
        drop(&pa);
        for (int i = 0; i < 9 + 3 * over; i++) {
            assert_int_equal(
                sio_broadcast_emit_json(sio_namespace_to(nsp, a.sid), "x", json,
                                        SIZE + 2),
                SIO_OK);
        }
        pa = resume("a", &a);
        assert_true(sio_peer_open(&pa));
        assert_int_equal(strcmp(sio_peer_socket(&pa, "/r")->id, a.sid) == 0,
                         over == 0);
        assert_int_equal(counter(SIO_COUNTER_RECOVERY_EXPIRED), over);
        assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), 0);
        (void)tear_down(NULL);
    }
}

/* The same where it is small ones, of which only so many may wait, and the
 * answer to CONNECT behind them. */
static void test_too_many(void **state)
{
    for (int over = 0; over < 2; over++) {
        session a, b;
        open_rig(1000, 1000000, true);
        rig.muted = true;
        rig.engine.config.max_backlog = 6400;
        sio_peer pa = join("a", &a);
        (void)join("b", &b);
        emit_all("1");
        note_offset(&a, sio_peer_said(&pa));
        drop(&pa);
        for (int i = 0; i < 163 + over; i++) {
            assert_int_equal(
                sio_broadcast_emit(sio_namespace_to(nsp, a.sid), "x", ""),
                SIO_OK);
        }
        pa = resume("a", &a);
        assert_true(sio_peer_open(&pa));
        assert_int_equal(strcmp(sio_peer_socket(&pa, "/r")->id, a.sid) == 0,
                         over == 0);
        (void)tear_down(state);
    }
}

/* Nor do packets of a room come that was left before the loss, even those that
 * were lost on their way while the socket was in it. */
static void test_room_left(void **state)
{
    (void)state;
    session a;
    sio_peer p = join("a", &a);
    sio_socket *socket = sio_peer_socket(&p, "/r");
    assert_int_equal(sio_socket_join(socket, "left"), SIO_OK);
    assert_int_equal(sio_socket_join(socket, "kept"), SIO_OK);
    emit_all("1");
    note_offset(&a, sio_peer_said(&p));
    emit_to("left", "2"); /* lost on its way */
    emit_to("kept", "3");
    sio_socket_leave(socket, "left");
    emit_to("left", "4");
    assert_string_equal(names(sio_peer_said(&p)), "23");
    drop(&p);
    emit_to("left", "5");
    emit_to("kept", "6");
    p = resume("a", &a);
    assert_string_equal(names(sio_peer_said(&p)), "36+");
    assert_false(sio_socket_in_room(sio_peer_socket(&p, "/r"), "left"));
    assert_true(sio_socket_in_room(sio_peer_socket(&p, "/r"), "kept"));
}

/* One that was joined again is as of the second time. */
static void test_room_joined_again(void **state)
{
    (void)state;
    session a;
    sio_peer p = join("a", &a);
    sio_socket *socket = sio_peer_socket(&p, "/r");
    emit_all("1");
    note_offset(&a, sio_peer_said(&p));
    assert_int_equal(sio_socket_join(socket, "r"), SIO_OK);
    sio_socket_leave(socket, "r");
    emit_to("r", "2");
    assert_int_equal(sio_socket_join(socket, "r"), SIO_OK);
    drop(&p);
    emit_to("r", "3");
    p = resume("a", &a);
    assert_string_equal(names(sio_peer_said(&p)), "3+");
}

/* The frame in the log is that which waits to be sent, also again. */
static void test_shared(void **state)
{
    (void)state;
    session a;
    sio_peer p = join("a", &a);
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "1" : "2";
        assert_int_equal(sio_socket_emit(sio_peer_socket(&p, "/r"), name, NULL),
                         SIO_OK);
        sio_frame *frame =
            sio_recovery_at(recovery(), recovery()->next - 1)->text;
        assert_int_equal(atomic_load(&frame->refs), 2);
        const char *said = sio_peer_said(&p);
        assert_int_equal(atomic_load(&frame->refs), 1);
        if (i == 0) {
            note_offset(&a, said);
        }
    }
    drop(&p);
    p = resume("a", &a);
    sio_frame *frame = sio_recovery_at(recovery(), recovery()->next - 1)->text;
    assert_int_equal(atomic_load(&frame->refs), 2);
    assert_string_equal(names(sio_peer_said(&p)), "2+");
}

/* ------------------------------------------------------------- listeners -- */

static unsigned told;

static void on_outgoing(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    assert_int_equal(sio_event_arg_count(event), 1); /* no offset */
    if (told++ == 0) {
        assert_int_equal(sio_socket_emit(socket, "inner", "i", 1), SIO_OK);
    }
}

/* They do not see offsets, and what they send has a place of its own. */
static void test_listeners(void **state)
{
    (void)state;
    session a;
    assert_int_equal(sio_namespace_on_any_outgoing(nsp, on_outgoing, NULL),
                     SIO_OK);
    for (int direct = 0; direct < 2; direct++) {
        sio_peer p = join("a", &a);
        told = 0;
        if (direct != 0) {
            assert_int_equal(
                sio_socket_emit(sio_peer_socket(&p, "/r"), "outer", "i", 1),
                SIO_OK);
        } else {
            assert_int_equal(sio_broadcast_emit(sio_namespace_broadcast(nsp),
                                                "outer", "i", 1),
                             SIO_OK);
        }
        const char *said = sio_peer_said(&p);
        assert_string_equal(names(said), "innerouter");
        note_offset(&a, said);
        drop(&p);
        p = resume("a", &a);
        assert_string_equal(names(sio_peer_said(&p)), "+");
        sio_peer_send(&p, "1/r,");
    }
    assert_int_equal(told, 2);
}

/* --------------------------------------------------------------- msgpack -- */

/* An event with one more argument is what it would be with that from the
 * start. */
static void test_longer(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 13, 14, 15, 16, 65533, 65534, 65535};
    static const char *const names_of[] = {"/",
                                           "/a-longer-one-than-31-bytes-is"};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t len = counts[i] * 2, size = len + 64;
        char *json = malloc(size);
        uint8_t *out = malloc(3 * (size + 128));
        assert_true(json != NULL && out != NULL);
        for (size_t n = 0; n < counts[i]; n++) {
            memcpy(json + 2 * n, "7,", 2);
        }
        for (size_t n = 0; n < 2; n++) {
            sio_packet_head head = {.nsp = sio_text(names_of[n])};
            sio_args args = {json, len == 0 ? 0 : len - 1, NULL, 0};
            sio_writer w[3];
            for (size_t k = 0; k < 3; k++) {
                w[k] = (sio_writer){out + k * (size + 128), size + 128, 0};
            }
            assert_int_equal(
                sio_msgpack_write_event(&w[0], &head, SIO_LIT("e"), &args),
                SIO_OK);
            memcpy(json + len, "\"Wx3kQ1a\"", 9);
            args.json_len = len + 9;
            assert_int_equal(
                sio_msgpack_write_event(&w[1], &head, SIO_LIT("e"), &args),
                SIO_OK);
            sio_msgpack_write_longer(&w[2], (sio_bytes){w[0].base, w[0].len},
                                     head.nsp, 0, SIO_LIT("Wx3kQ1a"));
            assert_int_equal(w[2].len, w[1].len);
            assert_memory_equal(w[2].base, w[1].base, w[1].len);
            w[2].len = 0; /* and in the place of another */
            memcpy(json + len, "\"abc\"", 5);
            args.json_len = len + 5;
            w[0].len = 0;
            assert_int_equal(
                sio_msgpack_write_event(&w[0], &head, SIO_LIT("e"), &args),
                SIO_OK);
            sio_msgpack_write_longer(&w[2], (sio_bytes){w[0].base, w[0].len},
                                     head.nsp, 3, SIO_LIT("Wx3kQ1a"));
            assert_int_equal(w[2].len, w[1].len);
            assert_memory_equal(w[2].base, w[1].base, w[1].len);
        }
        free(json);
        free(out);
    }
}

#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child),
        cmocka_unit_test(test_child_at_close),
        WITH_RIG(test_nobody),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_too_many),
        WITH_RIG(test_room_left),
        WITH_RIG(test_room_joined_again),
        WITH_RIG(test_shared),
        WITH_RIG(test_listeners),
        cmocka_unit_test(test_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
