/* Namespaces that clients make: how they are asked for, what children have of
 * their parent, and how they go. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "socketio/parent.h"
#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define JOINED(nsp) " 40" nsp ",{\"sid\":\"*\"}"
#define UNKNOWN(nsp) " 44" nsp ",{\"message\":\"Invalid namespace\"}"

static sio_rig rig;
static sio_claim *held[4]; /* those that were not answered at once */
static size_t held_count;

static void on_namespace(sio_namespace *nsp, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " new%s", sio_namespace_name(nsp));
}

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    assert_int_equal(sio_core_on_namespace(&rig.core, on_namespace, NULL),
                     SIO_OK);
    held_count = 0;
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

static void hold(sio_claim *claim, void *arg)
{
    sio_rig_tell(&rig, " %s%s%s", (const char *)arg, sio_claim_name(claim),
                 sio_claim_auth(claim));
    assert_true(held_count < COUNT(held));
    held[held_count++] = claim;
}

static sio_namespace *check(sio_claim_fn *fn, void *arg)
{
    sio_namespace *nsp = sio_core_of_check(&rig.core, fn, arg);
    assert_non_null(nsp);
    return nsp;
}

/* What a peer is told when it sends that. */
static const char *ask(const sio_peer *peer, const char *packet)
{
    sio_peer_send(peer, packet);
    return sio_peer_said(peer);
}

/* Whether there is such a namespace now. */
static bool is_there(const char *name)
{
    sio_namespace *nsp = sio_core_find(&rig.core, name);
    sio_namespace_unref(nsp);
    return nsp != NULL;
}

/* ----------------------------------------------------------- by pattern -- */

static void test_children(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    sio_rig_listen(parent);
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    assert_string_equal(ask(&a, "0/t-1,"), JOINED("/t-1"));
    assert_string_equal(ask(&b, "0/t-2"), JOINED("/t-2"));
    assert_string_equal(ask(&b, "0/t-1,"), JOINED("/t-1"));
    assert_string_equal(sio_rig_told(&rig),
                        " new/t-1 +a/t-1 new/t-2 +b/t-2 +b/t-1");
    assert_string_equal(ask(&a, "0/u-1,"), UNKNOWN("/u-1"));
    assert_string_equal(ask(&a, "0/t-,"), UNKNOWN("/t-"));
    assert_string_equal(ask(&a, "0/_0,"), UNKNOWN("/_0"));
    assert_false(is_there("/u-1") || is_there("/_0"));
    const sio_namespace *child = sio_peer_socket(&a, "/t-1")->nsp;
    assert_ptr_equal(sio_namespace_parent(child), parent);
    assert_null(sio_namespace_parent(parent));
    assert_int_equal(sio_namespace_count(child), 2);
    assert_int_equal(sio_namespace_count(parent), 3);
    sio_peer_send(&b, "1/t-1,");
    assert_string_equal(sio_rig_told(&rig),
                        " ~b/t-1(client namespace disconnect)"
                        " -b/t-1(client namespace disconnect)");
    assert_int_equal(sio_namespace_count(parent), 2);
    rig.muted = true;
}

static void on_event(sio_socket *socket, sio_event *event, void *arg)
{
    sio_rig_tell(&rig, " %s:%s%s", (const char *)arg, sio_event_name(event),
                 sio_namespace_name(socket->nsp));
}

static void say(sio_socket *socket, void *arg)
{
    sio_rig_tell(&rig, " %s%s", (const char *)arg,
                 sio_namespace_name(socket->nsp));
}

static void allow(sio_socket *socket, sio_next *next, void *arg)
{
    say(socket, arg);
    sio_next_allow(next);
}

static void refuse(sio_socket *socket, sio_next *next, void *arg)
{
    say(socket, arg);
    sio_next_refuse(next, "no", NULL);
}

static void add_all(sio_namespace *nsp, const char *who)
{
    void *arg = (void *)(uintptr_t)who;
    assert_int_equal(sio_namespace_use(nsp, allow, arg), SIO_OK);
    assert_int_equal(sio_namespace_on(nsp, "e", on_event, arg), SIO_OK);
    assert_int_equal(sio_namespace_on_any(nsp, on_event, arg), SIO_OK);
    assert_int_equal(sio_namespace_on_connection(nsp, say, arg), SIO_OK);
    assert_int_equal(sio_namespace_on_drained(nsp, say, arg), SIO_OK);
}

/* Those of the parent come first, also such as were added later; catch-all ones
 * of both before those by name. */
static void test_handlers(void **state)
{
    (void)state;
    sio_namespace *parent = pattern("/t-*");
    add_all(parent, "p");
    add_all(sio_rig_of(&rig, "/t-1"), "c");
    sio_peer a = sio_rig_join(&rig, "a");
    (void)sio_rig_told(&rig);
    sio_peer_send(&a, "0/t-1,");
    assert_string_equal(sio_rig_told(&rig), " p/t-1 c/t-1 p/t-1 c/t-1");
    for (int i = 0; i < 2; i++) { /* looked up, remembered */
        sio_peer_send(&a, "2/t-1,[\"e\"]");
        assert_string_equal(sio_rig_told(&rig),
                            " p:e/t-1 c:e/t-1 p:e/t-1 c:e/t-1");
    }
    sio_peer_send(&a, "0/t-2,");
    assert_string_equal(sio_rig_told(&rig), " new/t-2 p/t-2 p/t-2");
    sio_peer_send(&a, "2/t-2,[\"\\u0065\"]");
    assert_string_equal(sio_rig_told(&rig), " p:e/t-2 p:e/t-2");
    assert_int_equal(sio_namespace_on(parent, "late", on_event, "p"), SIO_OK);
    sio_peer_send(&a, "2/t-2,[\"late\"]");
    assert_string_equal(sio_rig_told(&rig), " p:late/t-2 p:late/t-2");
    rig.muted = true;
}

static void add_handler_late(sio_namespace *nsp, void *arg)
{
    assert_int_equal(sio_namespace_on(nsp, "e", on_event, arg), SIO_OK);
    /* It is the one that is found. */
    assert_ptr_equal(sio_core_of(&rig.core, sio_namespace_name(nsp)), nsp);
    if (sio_namespace_name(nsp)[1] == 't') {
        assert_non_null(sio_core_of(&rig.core, "/within"));
    }
}

/* The hook may add handlers when nobody else may, and make another one. */
static void test_handlers_of_new(void **state)
{
    (void)state;
    (void)pattern("/t-*");
    assert_int_equal(sio_core_on_namespace(&rig.core, add_handler_late, "h"),
                     SIO_OK);
    rig.core.fixed = true;
    sio_peer a = sio_rig_join(&rig, "a");
    sio_peer_send(&a, "0/t-1,");
    sio_peer_send(&a, "2/t-1,[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " new/t-1 new/within h:e/t-1");
    assert_int_equal(
        sio_namespace_on(sio_rig_of(&rig, "/t-1"), "e", on_event, "x"),
        SIO_ERR_STATE);
    rig.core.fixed = false;
}

static void answer_at_once(sio_claim *claim, void *arg)
{
    (void)arg;
    if (strstr(sio_claim_auth(claim), "yes") != NULL) {
        sio_claim_allow(claim);
    } else {
        sio_claim_refuse(claim);
    }
}

static void close_client(sio_namespace *nsp, void *arg)
{
    sio_peer *peer = arg;
    (void)nsp;
    if (sio_peer_open(peer)) {
        eio_session_close(peer->session, EIO_CLOSE_NOW);
    }
}

/* The hook may end the client for which the namespace is made. */
static void test_closed_by_hook(void **state)
{
    sio_peer peer;
    (void)state;
    (void)pattern("/t-*");
    (void)check(answer_at_once, NULL);
    rig.core.cleanup = true;
    assert_int_equal(sio_core_on_namespace(&rig.core, close_client, &peer),
                     SIO_OK);
    peer = sio_rig_join(&rig, "a");
    assert_string_equal(ask(&peer, "0/t-1,"), " close");
    peer = sio_rig_join(&rig, "b");
    assert_string_equal(ask(&peer, "0/x,{\"say\":\"yes\"}"), " close");
    assert_string_equal(sio_rig_told(&rig), " new/t-1 new/x");
    assert_int_equal(rig.core.dynamic, 0);
}

static void test_rooms_told(void **state)
{
    (void)state;
    sio_rig_listen_rooms(pattern("/t-*"));
    sio_peer a = sio_rig_join(&rig, "a");
    sio_peer_send(&a, "0/t-1,");
    assert_int_equal(sio_socket_join(sio_peer_socket(&a, "/t-1"), "r"), SIO_OK);
    sio_peer_send(&a, "1/t-1,");
    assert_string_equal(sio_rig_told(&rig), " new/t-1 *r >r <r /r");
}

/* ------------------------------------------------------------- by check -- */

static void test_claim_later(void **state)
{
    (void)state;
    sio_namespace *parent = check(hold, "?");
    sio_rig_listen(parent);
    sio_peer a = sio_rig_join(&rig, "a");
    assert_string_equal(ask(&a, "0/x,{\"k\":1}"), "");
    assert_string_equal(sio_rig_told(&rig), " ?/x{\"k\":1}");
    assert_string_equal(sio_handshake_address(sio_claim_handshake(held[0])),
                        "a");
    assert_false(is_there("/x"));
    sio_claim_allow(held[0]);
    assert_string_equal(sio_peer_said(&a), JOINED("/x"));
    assert_string_equal(sio_rig_told(&rig), " new/x +a/x");
    /* It is there now: nobody is asked. */
    sio_peer b = sio_rig_join(&rig, "b");
    assert_string_equal(ask(&b, "0/x,"), JOINED("/x"));
    assert_string_equal(sio_rig_told(&rig), " +b/x");
    rig.muted = true;
}

static void test_claim_refused(void **state)
{
    (void)state;
    (void)check(hold, "1");
    (void)check(hold, "2");
    sio_peer a = sio_rig_join(&rig, "a");
    assert_string_equal(ask(&a, "0/x"), "");
    sio_claim_refuse(held[0]);
    assert_string_equal(sio_rig_told(&rig), " 1/x{} 2/x{}");
    assert_string_equal(sio_peer_said(&a), "");
    sio_claim_refuse(held[1]);
    assert_string_equal(sio_peer_said(&a), UNKNOWN("/x"));
    assert_false(is_there("/x"));
    assert_int_equal(rig.core.dynamic, 0);
    /* It may try again. */
    held_count = 0;
    assert_string_equal(ask(&a, "0/x"), "");
    sio_claim_allow(held[0]);
    assert_string_equal(sio_peer_said(&a), JOINED("/x"));
}

/* In the order in which the parents were made. */
static void test_claim_order(void **state)
{
    (void)state;
    sio_namespace *first = pattern("/a-*");
    (void)check(hold, "1");
    sio_namespace *last = pattern("/*");
    sio_peer a = sio_rig_join(&rig, "a");
    assert_string_equal(ask(&a, "0/a-1,"), JOINED("/a-1"));
    assert_ptr_equal(sio_peer_socket(&a, "/a-1")->nsp->parent, first);
    assert_string_equal(ask(&a, "0/b,"), JOINED("/b")); /* a static one */
    assert_string_equal(ask(&a, "0/c,"), "");
    sio_claim_refuse(held[0]);
    assert_string_equal(sio_peer_said(&a), JOINED("/c"));
    assert_ptr_equal(sio_peer_socket(&a, "/c")->nsp->parent, last);
}

/* Two ask for the same while neither is there. */
static void test_claim_race(void **state)
{
    (void)state;
    (void)check(hold, "?");
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b"),
             c = sio_rig_join(&rig, "c");
    sio_peer_send(&a, "0/x,");
    sio_peer_send(&b, "0/x,");
    sio_peer_send(&c, "0/y,");
    (void)sio_rig_told(&rig);
    sio_claim_allow(held[1]);
    sio_claim_allow(held[0]);
    (void)sio_rig_of(&rig, "/y"); /* made by the application meanwhile */
    sio_claim_allow(held[2]);
    assert_string_equal(sio_rig_told(&rig), " new/x new/y");
    assert_string_equal(sio_peer_said(&a), JOINED("/x"));
    assert_string_equal(sio_peer_said(&b), JOINED("/x"));
    assert_string_equal(sio_peer_said(&c), JOINED("/y"));
    assert_ptr_equal(sio_peer_socket(&a, "/x")->nsp,
                     sio_peer_socket(&b, "/x")->nsp);
    assert_int_equal(sio_namespace_count(sio_rig_of(&rig, "/x")), 2);
    assert_int_equal(rig.core.dynamic, 1);
}

static void test_claim_moot(void **state)
{
    static const char *const breaches[] = {"0/x,", "2/x,[\"e\"]", "1/x,",
                                           "3/x,0[]"};
    (void)state;
    (void)check(hold, "?");
    for (size_t i = 0; i < COUNT(breaches); i++) {
        sio_peer a = sio_rig_join(&rig, "a");
        held_count = 0;
        sio_peer_send(&a, "0/x,");
        sio_peer_send(&a, breaches[i]);
        rig_turn(&rig.engine);
        assert_false(sio_peer_open(&a));
        if (i % 2 == 0) {
            sio_claim_allow(held[0]);
        } else {
            sio_claim_refuse(held[0]);
        }
    }
    assert_false(is_there("/x"));
    /* Unanswered to the end. */
    sio_peer b = sio_rig_join(&rig, "b");
    held_count = 0;
    sio_peer_send(&b, "0/x,");
}

static void test_claim_at_once(void **state)
{
    (void)state;
    (void)check(answer_at_once, NULL);
    sio_peer a = sio_rig_join(&rig, "a");
    assert_string_equal(ask(&a, "0/x,"), UNKNOWN("/x"));
    assert_string_equal(ask(&a, "0/x,{\"say\":\"yes\"}"), JOINED("/x"));
}

/* ----------------------------------------------------------- their end -- */

static void test_cleanup(void **state)
{
    (void)state;
    sio_rig_listen(pattern("/t-*"));
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    (void)ask(&a, "0/t-1,");
    (void)ask(&a, "1/t-1,");
    assert_true(is_there("/t-1")); /* without the option it stays */
    rig.core.cleanup = true;
    (void)sio_rig_told(&rig);
    (void)ask(&a, "0/t-1,");
    (void)ask(&b, "0/t-1,");
    sio_namespace *kept = sio_namespace_ref(sio_peer_socket(&a, "/t-1")->nsp);
    rig.muted = true;
    (void)ask(&a, "1/t-1,");
    assert_true(is_there("/t-1"));
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(kept), "last", NULL),
        SIO_OK);
    sio_socket *socket = sio_socket_ref(sio_peer_socket(&b, "/t-1"));
    assert_string_equal(sio_peer_said(&b), " 42/t-1,[\"last\"]");
    (void)ask(&b, "1/t-1,");
    assert_false(is_there("/t-1"));
    assert_int_equal(rig.core.dynamic, 0);
    assert_int_equal(rig.engine.counters[SIO_COUNTER_NAMESPACES_REMOVED], 1);
    /* Who holds it, or a socket in it, has it still. */
    assert_string_equal(sio_namespace_name(kept), "/t-1");
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(kept), "e", NULL), SIO_OK);
    sio_namespace_unref(kept);
    assert_string_equal(sio_namespace_name(sio_socket_namespace(socket)),
                        "/t-1");
    sio_socket_unref(socket);
    /* And its name is free. */
    rig.muted = false;
    assert_string_equal(ask(&b, "0/t-1,"), JOINED("/t-1"));
    assert_string_equal(sio_rig_told(&rig), " +a/t-1 +b/t-1 new/t-1 +b/t-1");
    rig.muted = true;
    sio_socket_close(sio_peer_socket(&b, "/t-1"));
    (void)sio_peer_said(&b);
    assert_false(is_there("/t-1"));
    assert_int_equal(rig.engine.counters[SIO_COUNTER_NAMESPACES_CREATED], 2);
}

static void test_cleanup_refused(void **state)
{
    (void)state;
    rig.core.cleanup = true;
    assert_int_equal(sio_namespace_use(pattern("/t-*"), refuse, "no"), SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    assert_string_equal(ask(&a, "0/t-1,"), " 44/t-1,{\"message\":\"no\"}");
    assert_false(is_there("/t-1"));
    assert_string_equal(sio_rig_told(&rig), " new/t-1 no/t-1");
}

/* What the application asked for stays, in whatever order. */
static void test_pinned(void **state)
{
    (void)state;
    rig.core.cleanup = true;
    sio_namespace *parent = pattern("/t-*");
    sio_namespace *first = sio_rig_of(&rig, "t-1");
    assert_ptr_equal(sio_namespace_parent(first), parent);
    assert_int_equal(rig.core.dynamic, 0);
    sio_peer a = sio_rig_join(&rig, "a");
    assert_string_equal(ask(&a, "0/t-1,"), JOINED("/t-1"));
    assert_string_equal(ask(&a, "0/t-2,"), JOINED("/t-2"));
    (void)sio_rig_of(&rig, "/t-2");
    (void)ask(&a, "1/t-1,");
    (void)ask(&a, "1/t-2,");
    assert_true(is_there("/t-1") && is_there("/t-2"));
    assert_ptr_equal(sio_rig_of(&rig, "/t-1"), first);
    assert_null(sio_namespace_parent(sio_rig_of(&rig, "/b")));
    assert_string_equal(sio_rig_told(&rig), " new/t-1 new/t-2");
}

static void test_limit(void **state)
{
    (void)state;
    rig.core.cleanup = true;
    rig.core.max_namespaces = 100;
    (void)pattern("/t-*");
    (void)check(answer_at_once, NULL);
    sio_peer a = sio_rig_join(&rig, "a"), b = sio_rig_join(&rig, "b");
    (void)sio_rig_of(&rig, "/t-0"); /* is not counted */
    assert_string_equal(ask(&a, "0/t-1,"), JOINED("/t-1"));
    assert_string_equal(ask(&a, "0/t-2,"), JOINED("/t-2"));
    assert_string_equal(ask(&a, "0/t-3,"), JOINED("/t-3"));
    assert_string_equal(ask(&a, "0/x,{\"say\":\"yes\"}"), JOINED("/x"));
    assert_string_equal(ask(&b, "0/t-4,"), UNKNOWN("/t-4"));
    assert_string_equal(ask(&b, "0/y,{\"say\":\"yes\"}"), UNKNOWN("/y"));
    assert_string_equal(ask(&b, "0/t-1,"), JOINED("/t-1"));
    assert_string_equal(ask(&b, "0/t-0,"), JOINED("/t-0"));
    assert_int_equal(rig.engine.counters[SIO_COUNTER_NAMESPACES_REFUSED], 2);
    assert_string_equal(rig_logged(&rig.engine), " namespace_limit");
    rig_advance(&rig.engine, 999); /* once in a second, however often */
    assert_string_equal(ask(&b, "0/t-4,"), UNKNOWN("/t-4"));
    assert_string_equal(rig_logged(&rig.engine), "");
    rig_advance(&rig.engine, 1);
    assert_string_equal(ask(&b, "0/t-4,"), UNKNOWN("/t-4"));
    assert_string_equal(rig_logged(&rig.engine), " namespace_limit");
    assert_int_equal(rig.engine.counters[SIO_COUNTER_NAMESPACES_REFUSED], 4);
    (void)ask(&a, "1/t-3,");
    assert_string_equal(ask(&b, "0/t-4,"), JOINED("/t-4"));
}

/* Those under way count as well for what one client may have. */
static void test_client_limit(void **state)
{
    (void)state;
    (void)check(hold, "?");
    sio_peer a = sio_rig_join(&rig, "a");
    (void)ask(&a, "0/x,");
    (void)ask(&a, "0/y,");
    (void)ask(&a, "0/z,");
    assert_true(sio_peer_open(&a));
    (void)rig_logged(&rig.engine);
    (void)ask(&a, "0/w,");
    assert_false(sio_peer_open(&a));
    assert_int_equal(rig.engine.counters[SIO_COUNTER_LIMITED_NAMESPACES], 1);
    assert_string_equal(rig_logged(&rig.engine),
                        " client_namespaces protocol_violation session_closed");
    assert_int_equal(held_count, 3);
    for (size_t i = 0; i < held_count; i++) {
        sio_claim_allow(held[i]);
    }
    assert_int_equal(rig.core.dynamic, 0);
}

static void tell_name(sio_namespace *nsp, void *arg)
{
    size_t *count = arg;
    ++*count;
    assert_non_null(sio_namespace_name(nsp));
    (void)sio_core_of(&rig.core, "/more"); /* it may do anything */
}

static void test_each(void **state)
{
    size_t count = 0;
    (void)state;
    (void)pattern("/t-*");
    sio_peer a = sio_rig_join(&rig, "a");
    (void)ask(&a, "0/t-1,");
    assert_int_equal(sio_core_each(&rig.core, tell_name, &count), SIO_OK);
    assert_int_equal(count, 3); /* `/`, `/b`, `/t-1` */
    count = 0;
    assert_int_equal(sio_core_each(&rig.core, tell_name, &count), SIO_OK);
    assert_int_equal(count, 4);
}

/* A socket and a namespace may be held longer than the server. */
static void test_outlives_server(void **state)
{
    (void)state;
    rig.core.cleanup = true;
    (void)pattern("/t-*");
    sio_peer a = sio_rig_join(&rig, "a");
    (void)ask(&a, "0/t-1,");
    sio_socket *socket = sio_socket_ref(sio_peer_socket(&a, "/t-1"));
    sio_rig_close(&rig);
    sio_rig_free(&rig);
    sio_socket_unref(socket);
    sio_rig_init(&rig);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_children),
        CASE(test_handlers),
        CASE(test_handlers_of_new),
        CASE(test_closed_by_hook),
        CASE(test_rooms_told),
        CASE(test_claim_later),
        CASE(test_claim_refused),
        CASE(test_claim_order),
        CASE(test_claim_race),
        CASE(test_claim_moot),
        CASE(test_claim_at_once),
        CASE(test_cleanup),
        CASE(test_cleanup_refused),
        CASE(test_pinned),
        CASE(test_limit),
        CASE(test_client_limit),
        CASE(test_each),
        CASE(test_outlives_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
