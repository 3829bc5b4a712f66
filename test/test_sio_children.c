/* What is done to all children of a parent. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/events.h"
#include "socketio/parent.h"
#include "test/sio_rig.h"

static sio_rig rig;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

static sio_namespace *pattern(const char *text)
{
    sio_namespace *nsp = sio_core_of_pattern(&rig.core, text);
    assert_non_null(nsp);
    return nsp;
}

/* What a peer is told when it sends that. */
static const char *ask(const sio_peer *peer, const char *packet)
{
    sio_peer_send(peer, packet);
    return sio_peer_said(peer);
}

static void say(sio_socket *socket, void *arg)
{
    sio_rig_tell(&rig, " %s%s", (const char *)arg,
                 sio_namespace_name(socket->nsp));
}

static void test_broadcast(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    sio_namespace *other = pattern("/o-*");
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    (void)ask(&a, "0/t-1,");
    (void)ask(&b, "0/t-2,");
    (void)ask(&b, "0/o-1,");
    sio_socket *socket = sio_peer_socket(&b, "/t-2");
    assert_int_equal(sio_socket_join(socket, "r"), SIO_OK);
    sio_broadcast all = sio_namespace_broadcast(parent);
    sio_broadcast room = sio_namespace_to(parent, "r");
    assert_int_equal(sio_broadcast_emit(all, "e", "i", 1), SIO_OK);
    assert_int_equal(sio_broadcast_emit(room, "r", NULL), SIO_OK);
    assert_int_equal(
        sio_broadcast_emit(sio_broadcast_except(all, "r"), "x", NULL), SIO_OK);
    assert_string_equal(sio_peer_said(&a), " 42/t-1,[\"e\",1] 42/t-1,[\"x\"]");
    assert_string_equal(sio_peer_said(&b), " 42/t-2,[\"e\",1] 42/t-2,[\"r\"]");
    sio_binary binary = {"xy", 2};
    sio_args args = {"{\"_placeholder\":true,\"num\":0}", 29, &binary, 1};
    assert_int_equal(sio_broadcast_emit_args(room, "b", &args), SIO_OK);
    assert_string_equal(
        sio_peer_said(&b),
        " 451-/t-2,[\"b\",{\"_placeholder\":true,\"num\":0}] b7879");
    assert_int_equal(sio_broadcast_emit(all, "connect", NULL),
                     SIO_ERR_RESERVED);
    args.binary_count = 5;
    assert_int_equal(sio_broadcast_emit_args(all, "b", &args),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(other), "o", NULL), SIO_OK);
    assert_string_equal(sio_peer_said(&a), "");
    assert_string_equal(sio_peer_said(&b), " 42/o-1,[\"o\"]");
}

static void test_orders(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    (void)ask(&a, "0/t-1,");
    (void)ask(&b, "0/t-2,");
    (void)sio_rig_told(&rig);
    sio_broadcast all = sio_namespace_broadcast(parent);
    sio_broadcast room = sio_namespace_to(parent, "r");
    assert_int_equal(sio_broadcast_join(all, "r"), SIO_OK);
    sio_namespace_each_in(parent, "r", say, "in");
    sio_namespace_each(parent, say, "all");
    assert_int_equal(
        sio_broadcast_leave(
            sio_broadcast_to(all, sio_peer_socket(&a, "/t-1")->id), "r"),
        SIO_OK);
    assert_int_equal(sio_broadcast_each(room, say, "left"), SIO_OK);
    assert_string_equal(sio_rig_told(&rig),
                        " in/t-1 in/t-2 all/t-1 all/t-2 left/t-2");
    assert_int_equal(sio_broadcast_disconnect(all, false), SIO_OK);
    assert_string_equal(sio_peer_said(&a), " 41/t-1,");
    assert_string_equal(sio_peer_said(&b), " 41/t-2,");
    assert_int_equal(sio_namespace_count(parent), 0);
    assert_int_equal(sio_broadcast_emit(all, "e", NULL), SIO_OK);
    assert_string_equal(sio_peer_said(&a), "");
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " %d:%.*s:%zu:%zu", err, (int)len,
                 answers == NULL ? "" : answers, count, expected);
}

static void test_survey(void **state)
{
    char reply[64];
    unsigned long long id;
    (void)state;
    sio_broadcast all = sio_namespace_broadcast(pattern("/t-*"));
    assert_int_equal(
        sio_broadcast_emit_ack(all, "connect", 9, on_answers, NULL, NULL),
        SIO_ERR_RESERVED);
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    (void)ask(&a, "0/t-1,");
    (void)ask(&b, "0/t-2,");
    (void)sio_rig_told(&rig);
    assert_int_equal(
        sio_broadcast_emit_ack(all, "q", 9, on_answers, NULL, "i", 5), SIO_OK);
    assert_int_equal(sscanf(sio_peer_said(&a), " 42/t-1,%llu[\"q\",5]", &id),
                     1);
    snprintf(reply, sizeof(reply), "3/t-1,%llu[\"one\"]", id);
    sio_peer_send(&a, reply);
    assert_string_equal(sio_rig_told(&rig), "");
    snprintf(reply, sizeof(reply), "3/t-2,%llu[2]", id);
    sio_peer_send(&b, reply);
    assert_string_equal(sio_rig_told(&rig), " 0:\"one\",2:2:2");
}

/* ---------------------------------------- hooks of a parent, and of a child --
 */

static void on_event(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    sio_rig_tell(&rig, " %s:%s", (const char *)arg, sio_event_name(event));
}

static void middleware(sio_socket *socket, sio_event *event,
                       sio_event_next *next, void *arg)
{
    on_event(socket, event, arg);
    if (strcmp(sio_event_name(event), arg) == 0) {
        sio_event_next_fail(next, "no", NULL);
    } else {
        sio_event_next_pass(next);
    }
}

static void on_error(sio_socket *socket, sio_event *event, const char *message,
                     const char *data, void *arg)
{
    (void)message;
    (void)data;
    on_event(socket, event, arg);
}

static void on_server_event(sio_namespace *nsp, const char *event,
                            const sio_args *args, sio_reply *reply, void *arg)
{
    (void)event;
    (void)args;
    sio_rig_tell(&rig, " %s%s", (const char *)arg, nsp->name);
    if (reply != NULL) {
        assert_int_equal(sio_reply_send(reply, "s", arg), SIO_OK);
    }
}

static void add_all(sio_namespace *nsp, const char *const names[6])
{
    void *args[6];
    for (size_t i = 0; i < 6; i++) {
        args[i] = (void *)(uintptr_t)names[i];
    }
    assert_int_equal(sio_namespace_on(nsp, "e", on_event, args[0]), SIO_OK);
    assert_int_equal(sio_namespace_on_any(nsp, on_event, args[1]), SIO_OK);
    assert_int_equal(sio_namespace_on_any_outgoing(nsp, on_event, args[2]),
                     SIO_OK);
    assert_int_equal(sio_namespace_use_events(nsp, middleware, args[3]),
                     SIO_OK);
    assert_int_equal(sio_namespace_on_event_error(nsp, on_error, args[4]),
                     SIO_OK);
    assert_int_equal(
        sio_namespace_on_server_event(nsp, "s", on_server_event, args[5]),
        SIO_OK);
}

static const char *const of_parent[] = {"pe", "pa", "po", "pm", "px", "ps"};
static const char *const of_child[] = {"ce", "ca", "co", "cm", "cx", "cs"};

static void add_childs(sio_namespace *nsp, void *arg)
{
    (void)arg;
    add_all(nsp, of_child);
}

static const char *told_of(const sio_peer *peer, const char *packet)
{
    sio_peer_send(peer, packet);
    return sio_rig_told(&rig);
}

/* The parent's come first, and handlers by name after all that decide. */
static void test_hooks(void **state)
{
    (void)state;
    add_all(pattern("/t-*"), of_parent);
    (void)pattern("/o-*");
    assert_int_equal(sio_core_on_namespace(&rig.core, add_childs, NULL),
                     SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    rig.core.fixed = true; /* the hook may add all the same */
    (void)ask(&a, "0/t-1,");
    (void)ask(&a, "0/o-1,");
    rig.core.fixed = false;
    (void)sio_rig_told(&rig);
    assert_string_equal(told_of(&a, "2/t-1,[\"e\"]"),
                        " pa:e ca:e pm:e cm:e pe:e ce:e");
    assert_string_equal(told_of(&a, "2/t-1,[\"pm\"]"),
                        " pa:pm ca:pm pm:pm px:pm cx:pm");
    assert_string_equal(told_of(&a, "2/t-1,[\"cm\"]"),
                        " pa:cm ca:cm pm:cm cm:cm px:cm cx:cm");
    assert_string_equal(told_of(&a, "2/o-1,[\"e\"]"), " ca:e cm:e ce:e");
}

/* A parent's alone are as good. */
static void test_hooks_of_parent(void **state)
{
    (void)state;
    add_all(pattern("/t-*"), of_parent);
    sio_peer a = sio_rig_join(&rig, "a");
    (void)ask(&a, "0/t-1,");
    (void)sio_rig_told(&rig);
    assert_string_equal(told_of(&a, "2/t-1,[\"e\"]"), " pa:e pm:e pe:e");
    assert_string_equal(told_of(&a, "2/t-1,[\"pm\"]"), " pa:pm pm:pm px:pm");
    sio_socket *socket = sio_peer_socket(&a, "/t-1");
    assert_int_equal(sio_socket_emit(socket, "x", NULL), SIO_OK);
    assert_string_equal(sio_rig_told(&rig), " po:x");
}

static void test_outgoing(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    add_all(parent, of_parent);
    assert_int_equal(sio_core_on_namespace(&rig.core, add_childs, NULL),
                     SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    (void)ask(&a, "0/t-1,");
    (void)sio_rig_told(&rig);
    sio_socket *socket = sio_peer_socket(&a, "/t-1");
    sio_broadcast all = sio_namespace_broadcast(parent);
    assert_int_equal(sio_socket_emit(socket, "x", NULL), SIO_OK);
    assert_string_equal(sio_rig_told(&rig), " po:x co:x");
    assert_int_equal(sio_broadcast_emit(all, "y", NULL), SIO_OK);
    assert_string_equal(sio_rig_told(&rig), " po:y co:y");
    assert_int_equal(
        sio_broadcast_emit_ack(all, "q", 9, on_answers, NULL, NULL), SIO_OK);
    assert_string_equal(sio_rig_told(&rig), " po:q co:q");
    (void)sio_peer_said(&a);
}

static sio_socket *victim;

static void disconnect_victim(sio_socket *socket, sio_event *event, void *arg)
{
    (void)event;
    (void)arg;
    if (socket != victim && victim != NULL) {
        sio_socket_disconnect(victim);
    }
}

/* One who is asked goes before the next child is asked: that is not the end. */
static void test_survey_shrinks(void **state)
{
    char reply[64];
    unsigned long long id;
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    (void)ask(&a, "0/t-1,");
    (void)ask(&b, "0/t-2,");
    (void)sio_rig_told(&rig);
    victim = sio_peer_socket(&a, "/t-1");
    assert_int_equal(
        sio_namespace_on_any_outgoing(parent, disconnect_victim, NULL), SIO_OK);
    assert_int_equal(sio_broadcast_emit_ack(sio_namespace_broadcast(parent),
                                            "q", 9, on_answers, NULL, NULL),
                     SIO_OK);
    victim = NULL;
    assert_int_equal(sscanf(sio_peer_said(&b), " 42/t-2,%llu[\"q\"]", &id), 1);
    assert_string_equal(sio_rig_told(&rig), "");
    snprintf(reply, sizeof(reply), "3/t-2,%llu[2]", id);
    sio_peer_send(&b, reply);
    char want[32];
    snprintf(want, sizeof(want), " %d:2:1:2", SIO_ERR_TIMEOUT);
    assert_string_equal(sio_rig_told(&rig), want);
}

/* On their way they hold the namespace. */
static void test_server_events(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    rig.core.cleanup = true;
    add_all(parent, of_parent);
    assert_int_equal(sio_core_on_namespace(&rig.core, add_childs, NULL),
                     SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    (void)ask(&a, "0/t-1,");
    (void)sio_rig_told(&rig);
    sio_namespace *nsp = sio_core_find(&rig.core, "/t-1");
    assert_string_equal(ask(&a, "1/t-1,"), "");
    assert_int_equal(
        sio_namespace_emit_server_ack(nsp, "s", 9, on_answers, NULL, NULL),
        SIO_OK);
    sio_namespace_unref(nsp);
    assert_null(sio_core_find(&rig.core, "/t-1"));
    (void)sio_peer_said(&a);
    assert_string_equal(sio_rig_told(&rig),
                        " ps/t-1 cs/t-1 0:\"ps\",\"cs\":2:2");
}

static void say_farewell(sio_socket *socket, sio_disconnect_reason reason,
                         sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(socket->nsp), "bye", NULL),
        SIO_OK);
}

/* What the last one who goes leaves behind does not wait for the turn's end,
 * when the namespace is gone. */
static void test_batch_ends(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    rig.core.cleanup = true;
    assert_int_equal(sio_namespace_on_disconnecting(parent, say_farewell, NULL),
                     SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    (void)ask(&a, "0/t-1,");
    (void)ask(&b, "0/t-1,");
    assert_string_equal(ask(&a, "1/t-1,"), "");
    assert_string_equal(sio_peer_said(&b), " 42/t-1,[\"bye\"]");
    sio_peer_send(&b, "1/t-1,");
    assert_int_equal(rig.loop.batch.count, 0);
    assert_string_equal(sio_peer_said(&b), "");
    assert_null(sio_core_find(&rig.core, "/t-1"));
}

/* A parent's hook is one that waits for that. */
static void on_drained(sio_socket *socket, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " drained%s", socket->nsp->name);
}

static void test_drained(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    assert_false(rig.core.tells_drained);
    assert_int_equal(sio_namespace_on_drained(parent, on_drained, NULL),
                     SIO_OK);
    assert_true(rig.core.tells_drained);
    sio_peer a = sio_rig_join(&rig, "a");
    (void)ask(&a, "0/t-1,");
    (void)sio_rig_told(&rig);
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(parent), "e", NULL), SIO_OK);
    assert_string_equal(sio_peer_said(&a), " 42/t-1,[\"e\"]");
    assert_non_null(strstr(sio_rig_told(&rig), " drained/t-1"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_broadcast),       CASE(test_orders),
        CASE(test_survey),          CASE(test_hooks),
        CASE(test_hooks_of_parent), CASE(test_outgoing),
        CASE(test_survey_shrinks),  CASE(test_server_events),
        CASE(test_batch_ends),      CASE(test_drained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
