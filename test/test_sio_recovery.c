#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/recovery_rig.h"

/* -------------------------------------------------------------- offsets -- */

static void test_offsets(void **state)
{
    (void)state;
    sio_recovery *r = (sio_recovery *)(uintptr_t)recovery();
    char text[SIO_OFFSET_MAX];
    uint64_t number;
    static const uint64_t numbers[] = {0, 1, 35, 36, 1295, 1296, 123456789};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size_t len = sio_offset_write(r, numbers[i], text);
        sio_bytes view = {(const uint8_t *)text, len};
        uint64_t next = r->next;
        r->next = numbers[i] + 1;
        assert_true(sio_offset_read(r, view, &number));
        assert_int_equal(number, numbers[i]);
        r->next = numbers[i];
        assert_false(sio_offset_read(r, view, &number)); /* yet to come */
        r->next = 1;
        for (size_t n = 0; n <= SIO_OFFSET_TAG; n++) {
            view.len = n;
            assert_false(n < SIO_OFFSET_TAG + 1 &&
                         sio_offset_read(r, view, &number) && n <= 5);
        }
        r->next = next;
    }
    static const char *const bad[] = {"", "00", "A", "-1", "1 ", " 1", "\x80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t all[32];
        size_t n = strlen(bad[i]);
        memcpy(all, r->tag, SIO_OFFSET_TAG);
        memcpy(all + SIO_OFFSET_TAG, bad[i], n);
        assert_false(
            sio_offset_read(r, (sio_bytes){all, SIO_OFFSET_TAG + n}, &number));
    }
}

static void test_auth(void **state)
{
    (void)state;
    static const char text[] =
        " { \"a\" : [ {\"pid\":\"no\"} ] , \"p\\u0069d\" : \"P\" ,"
        "\"offset\":\"O\\\"\" , \"z\":{} } ";
    sio_bytes pid, offset, all = SIO_LIT(text);
    sio_recovery_read_auth(all, &pid, &offset);
    assert_int_equal(pid.len, 3);
    assert_memory_equal(pid.base, "\"P\"", 3);
    assert_int_equal(offset.len, 5);
    for (size_t i = 0; i < all.len; i++) { /* stays inside any prefix */
        uint8_t *copy = malloc(i == 0 ? 1 : i);
        assert_non_null(copy);
        memcpy(copy, text, i);
        sio_recovery_read_auth((sio_bytes){copy, i}, &pid, &offset);
        free(copy);
    }
    sio_recovery_read_auth(SIO_LIT("{\"pid\":1,\"offset\":null}"), &pid,
                           &offset);
    assert_int_equal(pid.len + offset.len, 0);
    sio_recovery_read_auth(SIO_LIT("{}"), &pid, &offset);
    assert_int_equal(pid.len + offset.len, 0);
}

/* --------------------------------------------------------------- resuming --
 */

static void test_resume(void **state)
{
    (void)state;
    session a, b;
    sio_peer pa = join("a", &a), pb = join("b", &b);
    sio_socket *socket = sio_peer_socket(&pa, "/r");
    static int data;
    sio_socket_set_data(socket, &data, NULL);
    assert_int_equal(sio_socket_join(socket, "room"), SIO_OK);
    emit_all("1");
    note_offset(&a, sio_peer_said(&pa));
    drop(&pa);
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), 1);
    emit_all("2");
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(nsp, "room"), "3", NULL), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(nsp, "other"), "4", NULL), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(
            sio_broadcast_except(sio_namespace_broadcast(nsp), "room"), "5",
            NULL),
        SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_to(nsp, a.sid), "6", NULL), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_socket_broadcast(sio_peer_socket(&pb, "/r")),
                           "7", "i", 7),
        SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_broadcast_volatile(sio_namespace_broadcast(nsp)),
                           "8", NULL),
        SIO_OK);
    assert_string_equal(names(sio_peer_said(&pb)), "125");
    (void)sio_rig_told(&rig);
    pa = resume("a", &a);
    const char *said = sio_peer_said(&pa);
    assert_string_equal(names(said), "2367+");
    assert_true(recovered(&pa, &a));
    session again;
    read_session(&pa, said, &again);
    assert_string_equal(again.pid, a.pid);
    socket = sio_peer_socket(&pa, "/r");
    assert_true(sio_socket_in_room(socket, "room"));
    assert_ptr_equal(sio_socket_data(socket), &data);
    assert_string_equal(sio_rig_told(&rig), " +a/r");
    assert_int_equal(counter(SIO_COUNTER_RECOVERED), 1);
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), 0);
}

/* The old session looks alive: it is over at once, and nothing is lost. */
static void take_over_by(memory_kind kind)
{
    session a;
    sio_peer old = join("a", &a);
    emit_all("1");
    note_offset(&a, sio_peer_said(&old));
    emit_all("2");
    (void)sio_peer_said(&old); /* on its way, and lost */
    emit_all("3");             /* waits for the end of the turn */
    (void)sio_rig_told(&rig);
    sio_peer fresh = resume_by(kind, "A", &a);
    emit_all("4");
    if (kind == MEMORY_POLLING) {
        memory_transport_poll(fresh.mt);
    }
    rig_turn(&rig.engine);
    const sio_socket *socket = sio_peer_socket(&fresh, "/r");
    assert_non_null(socket);
    assert_true(recovered(&fresh, &a));
    const char *said = sio_peer_said(&fresh);
    assert_non_null(strstr(said, "[\"2\","));
    assert_non_null(strstr(strstr(said, "[\"2\","), "[\"3\","));
    assert_non_null(strstr(strstr(said, "[\"3\","), "40/r,"));
    assert_non_null(strstr(strstr(said, "40/r,"), "[\"4\","));
    assert_null(strstr(said, "[\"1\","));
    assert_false(sio_peer_open(&old));
    assert_string_equal(sio_rig_told(&rig),
                        " ~a/r(transport close) -a/r(transport close) +A/r");
}

static void test_take_over(void **state)
{
    (void)state;
    take_over_by(MEMORY_WEBSOCKET);
    take_over_by(MEMORY_POLLING);
}

static void test_refused(void **state)
{
    (void)state;
    session a, bad;
    sio_peer pa = join("a", &a);
    emit_all("1");
    note_offset(&a, sio_peer_said(&pa));
    bad = a;
    bad.pid[0] ^= 1;
    sio_peer p = resume("b", &bad);
    assert_string_equal(names(sio_peer_said(&p)), "+");
    assert_false(recovered(&p, &a));
    static const char *const offsets[] = {"", "x", "AAAAA1",
                                          "AAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        bad = a;
        strcpy(bad.offset, offsets[i]);
        p = resume("b", &bad);
        assert_string_equal(names(sio_peer_said(&p)), "+");
        assert_false(recovered(&p, &a));
    }
    assert_true(sio_peer_open(&pa)); /* nobody took it over */
    drop(&pa);
    rig_advance(&rig.engine, WINDOW);
    p = resume("b", &a);
    assert_string_equal(names(sio_peer_said(&p)), "+");
    assert_false(recovered(&p, &a));
}

/* After each of these the client does not come back. */
static void test_reasons(void **state)
{
    (void)state;
    session a;
    for (int i = 0; i < 2; i++) {
        sio_peer pa = join("a", &a);
        emit_all("1");
        note_offset(&a, sio_peer_said(&pa));
        if (i == 0) {
            sio_peer_send(&pa, "1/r,");
        } else {
            sio_socket_disconnect(sio_peer_socket(&pa, "/r"));
        }
        drop(&pa);
        assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), 0);
        sio_peer p = resume("a", &a);
        (void)sio_peer_said(&p);
        assert_false(recovered(&p, &a));
        drop(&p);
        rig_advance(&rig.engine, WINDOW);
        assert_int_equal(recovery()->sessions, 0);
    }
}

/* Volatile packets have an offset, though they are not kept; so have others
 * that end with a string. */
static void test_volatile(void **state)
{
    (void)state;
    session a;
    sio_peer pa = join("a", &a);
    sio_socket *socket = sio_peer_socket(&pa, "/r");
    assert_int_equal(sio_socket_emit(socket, "1", "s", "text"), SIO_OK);
    (void)sio_peer_said(&pa);
    assert_int_equal(sio_socket_emit_volatile(socket, "2", "s", "text"),
                     SIO_OK);
    note_offset(&a, sio_peer_said(&pa));
    assert_int_equal(recovery()->next - recovery()->first, 1);
    drop(&pa);
    emit_all("3");
    pa = resume("a", &a);
    assert_string_equal(names(sio_peer_said(&pa)), "3+");
    assert_true(recovered(&pa, &a));
}

/* A session that has lived long, and whose latest packet is not kept any
 * more, has missed nothing. */
static void test_old_session(void **state)
{
    (void)state;
    session a;
    rig.engine.config.ping_interval = 10000000;
    sio_peer pa = join("a", &a);
    emit_all("1");
    note_offset(&a, sio_peer_said(&pa));
    rig_advance(&rig.engine, 1000000);
    rig_advance(&rig.engine, 100000000);
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_PACKETS), 0);
    if (!sio_peer_open(&pa)) {
        rig_advance(&rig.engine, 1);
    } else {
        drop(&pa);
    }
    emit_all("2");
    pa = resume("a", &a);
    assert_string_equal(names(sio_peer_said(&pa)), "2+");
    assert_true(recovered(&pa, &a));
}

/* A second time, and with what the first one sent lost again. */
static void test_again(void **state)
{
    (void)state;
    session a;
    sio_peer pa = join("a", &a);
    emit_all("1");
    note_offset(&a, sio_peer_said(&pa));
    drop(&pa);
    for (int i = 0; i < 3; i++) {
        emit_all("2");
        sio_peer p = resume("a", &a);
        const char *all = "222+";
        assert_string_equal(names(sio_peer_said(&p)), all + 2 - i);
        assert_true(recovered(&p, &a));
        if (i % 2 == 0) {
            drop(&p);
        }
    }
}

/* ------------------------------------------------------------ middlewares --
 */

static sio_next *waiting;
static unsigned asked;

static void on_middleware(sio_socket *socket, sio_next *next, void *arg)
{
    (void)socket;
    (void)arg;
    asked++;
    if (waiting == NULL && asked > 1) {
        waiting = next;
    } else {
        sio_next_allow(next);
    }
}

static void test_middlewares(void **state)
{
    (void)state;
    for (int skip = 0; skip < 2; skip++) {
        session a;
        open_rig(1000, 1000000, skip == 1);
        waiting = NULL;
        asked = 0;
        assert_int_equal(sio_namespace_use(nsp, on_middleware, NULL), SIO_OK);
        sio_peer pa = join("a", &a);
        emit_all("1");
        note_offset(&a, sio_peer_said(&pa));
        drop(&pa);
        emit_all("2");
        pa = resume("a", &a);
        if (skip == 0) {
            assert_int_equal(asked, 2);
            sio_socket *socket = sio_peer_socket(&pa, "/r");
            assert_true(sio_socket_recovered(socket));
            emit_all("3");
            assert_int_equal(sio_socket_emit(socket, "4", NULL), SIO_OK);
            assert_string_equal(names(sio_peer_said(&pa)), "");
            drop(&pa); /* it goes back to where it was */
            sio_next_allow(waiting);
            assert_int_equal(counter(SIO_COUNTER_RECOVERY_STORED), 1);
            pa = resume("a", &a);
            assert_string_equal(names(sio_peer_said(&pa)), "234+");
        } else {
            assert_int_equal(asked, 1);
            assert_string_equal(names(sio_peer_said(&pa)), "2+");
        }
        assert_true(recovered(&pa, &a));
        (void)tear_down(NULL);
    }
}

static void test_middleware_refuses(void **state)
{
    (void)state;
    session a;
    open_rig(1000, 1000000, false);
    waiting = NULL;
    asked = 0;
    assert_int_equal(sio_namespace_use(nsp, on_middleware, NULL), SIO_OK);
    sio_peer pa = join("a", &a);
    emit_all("1");
    note_offset(&a, sio_peer_said(&pa));
    drop(&pa);
    pa = resume("a", &a);
    sio_next_refuse(waiting, "no", NULL);
    assert_string_equal(sio_peer_said(&pa), " 44/r,{\"message\":\"no\"}");
    assert_int_equal(recovery()->sessions, 0);
    (void)tear_down(NULL);
}

/* ----------------------------------------------------------------- limits --
 */

static void on_expired(sio_namespace *of, const char *id, void *data, void *arg)
{
    (void)arg;
    assert_ptr_equal(of, nsp);
    assert_int_equal(strlen(id), SIO_TOKEN_LEN);
    sio_rig_tell(&rig, " !%s", (const char *)data);
}

static void on_destroy(void *data)
{
    sio_rig_tell(&rig, " x%s", (const char *)data);
}

static void test_expiry(void **state)
{
    (void)state;
    session a;
    assert_int_equal(sio_namespace_on_expired(nsp, on_expired, NULL), SIO_OK);
    sio_peer pa = join("a", &a);
    sio_socket_set_data(sio_peer_socket(&pa, "/r"), "d", on_destroy);
    drop(&pa);
    (void)sio_rig_told(&rig);
    rig_advance(&rig.engine, WINDOW - 1);
    assert_string_equal(sio_rig_told(&rig), "");
    rig_advance(&rig.engine, 1);
    assert_string_equal(sio_rig_told(&rig), " !d xd");
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_EXPIRED), 1);
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_BYTES), 0);
}

static void test_max_packets(void **state)
{
    (void)state;
    session a, b;
    open_rig(20, 1000000, true);
    sio_peer pa = join("a", &a);
    sio_peer pb = join("b", &b);
    emit_all("1");
    note_offset(&a, sio_peer_said(&pa));
    note_offset(&b, sio_peer_said(&pb));
    drop(&pa);
    for (int i = 0; i < 20; i++) {
        emit_all("2");
    }
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_PACKETS), 20);
    pa = resume("a", &a);
    (void)sio_peer_said(&pa);
    assert_true(recovered(&pa, &a));
    drop(&pb);
    emit_all("3");
    assert_int_equal(counter(SIO_COUNTER_RECOVERY_PACKETS), 20);
    pb = resume("b", &b);
    assert_string_equal(names(sio_peer_said(&pb)), "+"); /* too late */
    assert_false(recovered(&pb, &b));
    (void)tear_down(NULL);
}

static void test_max_bytes(void **state)
{
    (void)state;
    enum { MAX = 8000 };
    session s;
    open_rig(100000, MAX, true);
    assert_int_equal(sio_namespace_on_expired(nsp, on_expired, NULL), SIO_OK);
    for (int i = 0; i < 200; i++) {
        sio_peer p = join("a", &s);
        sio_socket_set_data(sio_peer_socket(&p, "/r"), "d", on_destroy);
        emit_all("1");
        drop(&p);
        assert_in_range(counter(SIO_COUNTER_RECOVERY_BYTES), 1, MAX);
    }
    assert_in_range(counter(SIO_COUNTER_RECOVERY_STORED), 10, 40);
    assert_in_range(counter(SIO_COUNTER_RECOVERY_PACKETS), 10, 80);
    (void)tear_down(NULL);
}

/* Tells what a stored session and a packet cost. */
static void test_sizes(void **state)
{
    (void)state;
    session s;
    sio_peer p = join("a", &s);
    emit_all("hello");
    note_offset(&s, sio_peer_said(&p));
    uint64_t packet = counter(SIO_COUNTER_RECOVERY_BYTES);
    drop(&p);
    uint64_t both = counter(SIO_COUNTER_RECOVERY_BYTES);
    print_message("bytes: a packet %llu, a session %llu\n",
                  (unsigned long long)packet,
                  (unsigned long long)(both - packet));
    assert_in_range(packet, 1, 160);
    assert_in_range(both - packet, 1, 240);
}

#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_offsets),
        WITH_RIG(test_auth),
        WITH_RIG(test_resume),
        WITH_RIG(test_take_over),
        WITH_RIG(test_refused),
        WITH_RIG(test_reasons),
        WITH_RIG(test_volatile),
        WITH_RIG(test_old_session),
        WITH_RIG(test_again),
        cmocka_unit_test(test_middlewares),
        cmocka_unit_test(test_middleware_refuses),
        WITH_RIG(test_expiry),
        cmocka_unit_test(test_max_packets),
        cmocka_unit_test(test_max_bytes),
        WITH_RIG(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
