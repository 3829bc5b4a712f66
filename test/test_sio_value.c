/* JSON trees and formats where jansson has an allocator of the application's:
 * what it gives goes back to it, and what it refuses is an error. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/jansson.h"
#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NEVER ((size_t)-1)

/* Its blocks begin behind what free() would take. */
static struct {
    size_t live, count, fail_at;
} pool;

static void *take(size_t size)
{
    if (pool.count++ == pool.fail_at) {
        return NULL;
    }
    max_align_t *block = malloc(sizeof(*block) + size);
    assert_non_null(block);
    pool.live++;
    return block + 1;
}

static void give_back(void *memory)
{
    if (memory != NULL) {
        pool.live--;
        free((max_align_t *)memory - 1);
    }
}

static sio_rig rig;
static sio_peer a;
static sio_socket *socket_a;
static sio_error heard; /* what a handler has met */

static int setup(void **state)
{
    (void)state;
    memset(&pool, 0, sizeof(pool));
    pool.fail_at = NEVER;
    json_set_alloc_funcs(take, give_back);
    sio_rig_init(&rig);
    a = sio_rig_join(&rig, "a");
    socket_a = sio_peer_socket(&a, "/");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    assert_int_equal(pool.live, 0);
    json_set_alloc_funcs(malloc, free);
    return 0;
}

/* -------------------------------------------------------- ways to send -- */

static sio_broadcast all(void)
{
    return sio_namespace_broadcast(rig.root);
}

static void on_answer(sio_socket *socket, sio_error err, sio_event *event,
                      void *arg)
{
    (void)socket;
    (void)err;
    (void)event;
    (void)arg;
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)arg;
    (void)err;
    sio_rig_tell(&rig, " [%.*s]%u/%u", (int)len, answers, (unsigned)count,
                 (unsigned)expected);
}

static sio_error emit(void)
{
    return sio_socket_emit(socket_a, "e", "si", "x", 1);
}

static sio_error emit_volatile(void)
{
    return sio_socket_emit_volatile(socket_a, "e", "si", "x", 1);
}

static sio_error emit_ack(void)
{
    return sio_socket_emit_ack(socket_a, "e", 1000, on_answer, NULL, "si", "x",
                               1);
}

static sio_error broadcast(void)
{
    return sio_broadcast_emit(all(), "e", "si", "x", 1);
}

static sio_error broadcast_ack(void)
{
    return sio_broadcast_emit_ack(all(), "e", 1000, on_answers, NULL, "si", "x",
                                  1);
}

static sio_error tree(void)
{
    json_t *args = json_pack("[si]", "x", 1);
    if (args == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = sio_socket_emit_tree(socket_a, "e", args, NULL, 0);
    json_decref(args);
    return err;
}

static sio_error broadcast_tree(void)
{
    json_t *args = json_pack("[si]", "x", 1);
    if (args == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = sio_broadcast_emit_tree(all(), "e", args, NULL, 0);
    json_decref(args);
    return err;
}

static sio_error server_event(void)
{
    return sio_namespace_emit_server(rig.root, "e", "si", "x", 1);
}

static void on_server_event(sio_namespace *nsp, const char *event,
                            const sio_args *args, sio_reply *reply, void *arg)
{
    (void)nsp;
    (void)event;
    (void)arg;
    sio_rig_tell(&rig, " server(%.*s)", (int)args->json_len, args->json);
    if (reply != NULL) {
        heard = sio_reply_send(reply, "s", "yes");
    }
}

static sio_error server_event_ack(void)
{
    return sio_namespace_emit_server_ack(rig.root, "e", 1000, on_answers, NULL,
                                         "si", "x", 1);
}

/* What the client sees of each, or what is told, when nothing fails. */
static const struct {
    const char *label;
    sio_error (*send)(void);
    const char *said, *told;
} ways[] = {
    {"emit", emit, " 42[\"e\",\"x\",1]", ""},
    {"volatile", emit_volatile, " 42[\"e\",\"x\",1]", ""},
    {"emit_ack", emit_ack, " 420[\"e\",\"x\",1]", ""},
    {"broadcast", broadcast, " 42[\"e\",\"x\",1]", ""},
    {"broadcast_ack", broadcast_ack, " 421[\"e\",\"x\",1]", ""},
    {"tree", tree, " 42[\"e\",\"x\",1]", ""},
    {"broadcast_tree", broadcast_tree, " 42[\"e\",\"x\",1]", ""},
    {"server_event", server_event, "", " server(\"x\",1)"},
    {"server_event_ack", server_event_ack, "", " server(\"x\",1) [\"yes\"]1/1"},
};

/* Each way, with all well, and then with each allocation of jansson's refused:
 * nothing is sent, and the caller is told. */
static void test_sending(void **state)
{
    (void)state;
    assert_int_equal(
        sio_namespace_on_server_event(rig.root, "e", on_server_event, NULL),
        SIO_OK);
    for (size_t i = 0; i < COUNT(ways); i++) {
        pool.count = 0;
        pool.fail_at = NEVER;
        assert_int_equal(ways[i].send(), SIO_OK);
        size_t calls = pool.count;
        assert_true(calls > 0);
        assert_non_null(strstr(sio_peer_said(&a), ways[i].said));
        assert_string_equal(sio_rig_told(&rig), ways[i].told);
        assert_int_equal(pool.live, 0);
        for (size_t at = 0; at < calls; at++) {
            pool.count = 0;
            pool.fail_at = at;
            if (ways[i].send() != SIO_ERR_NO_MEMORY) {
                fail_msg("%s: %zu", ways[i].label, at);
            }
            assert_string_equal(sio_peer_said(&a), "");
            assert_string_equal(sio_rig_told(&rig), "");
            assert_int_equal(pool.live, 0);
        }
    }
}

/* --------------------------------------------------------- ways to read -- */

static void on_unpack(sio_socket *socket, sio_event *event, void *arg)
{
    const char *text;
    int number;
    (void)socket;
    (void)arg;
    heard = sio_event_unpack(event, "si", &text, &number);
    if (heard == SIO_OK) {
        sio_rig_tell(&rig, " %s,%d", text, number);
        heard = sio_event_ack(event, "i", number);
    }
}

static void on_tree(sio_socket *socket, sio_event *event, void *arg)
{
    const json_t *args = sio_event_json(event);
    (void)socket;
    (void)arg;
    heard = args == NULL ? SIO_ERR_NO_MEMORY
                         : sio_event_ack_tree(event, args, NULL, 0);
}

static void read_failing(const char *event, const char *packet,
                         const char *said)
{
    pool.count = 0;
    pool.fail_at = NEVER;
    sio_peer_send(&a, packet);
    size_t calls = pool.count;
    assert_int_equal(heard, SIO_OK);
    assert_string_equal(sio_peer_said(&a), said);
    assert_true(calls > 0);
    for (size_t at = 0; at < calls; at++) {
        pool.count = 0;
        pool.fail_at = at;
        heard = SIO_OK;
        sio_peer_send(&a, packet);
        if (heard != SIO_ERR_NO_MEMORY) {
            fail_msg("%s: %zu", event, at);
        }
        assert_string_equal(sio_peer_said(&a), "");
        assert_int_equal(pool.live, 0);
    }
    pool.fail_at = NEVER;
    assert_true(sio_peer_open(&a));
}

static void test_reading(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on(rig.root, "unpack", on_unpack, NULL),
                     SIO_OK);
    assert_int_equal(sio_namespace_on(rig.root, "tree", on_tree, NULL), SIO_OK);
    read_failing("unpack", "27[\"unpack\",\"x\",5]", " 437[5]");
    read_failing("tree", "27[\"tree\",\"x\",{\"y\":null}]",
                 " 437[\"x\",{\"y\":null}]");
}

static void test_auth(void **state)
{
    const char *token = NULL;
    sio_peer b = sio_rig_open(&rig, MEMORY_WEBSOCKET, "b");
    (void)state;
    sio_peer_send(&b, "0{\"token\":\"t\"}");
    sio_socket *socket = sio_peer_socket(&b, "/");
    assert_non_null(socket);
    for (size_t at = 0; pool.count >= at; at++) {
        pool.count = 0;
        pool.fail_at = at;
        sio_error err =
            sio_socket_auth_unpack(socket, "{s:s}", "token", &token);
        if (err == SIO_OK) {
            assert_true(at > 0);
            break;
        }
        assert_int_equal(err, SIO_ERR_NO_MEMORY);
    }
    pool.fail_at = NEVER;
    assert_string_equal(token, "t");
    assert_int_equal(sio_socket_auth_unpack(socket, "{s:i}", "token", &token),
                     SIO_ERR_MISMATCH);
}

/* ------------------------------------------------------------- refusals -- */

static void test_formats(void **state)
{
    char longest[513], longer[514];
    (void)state;
    memset(longest, ' ', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    memset(longer, ' ', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(sio_socket_emit(socket_a, "e", longest), SIO_OK);
    assert_string_equal(sio_peer_said(&a), " 42[\"e\"]");
    assert_int_equal(sio_socket_emit(socket_a, "e", longer), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_socket_emit(socket_a, "e", "x"), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_broadcast_emit(all(), "e", longer), SIO_ERR_ARGUMENT);
    assert_string_equal(sio_peer_said(&a), "");
}

/* JSON that jansson does not take is no want of memory. */
static void test_beyond_jansson(void **state)
{
    static const char *const rows[] = {
        "2[\"unpack\",\"\\ud800\"]",
        "2[\"unpack\",1e400]",
        "2[\"unpack\",123456789012345678901234567890]",
        "2[\"unpack\",{\"\\u0000\":1}]",
        "2[\"unpack\",\"x\"]", /* fewer than the format has */
    };
    (void)state;
    assert_int_equal(sio_namespace_on(rig.root, "unpack", on_unpack, NULL),
                     SIO_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        heard = SIO_OK;
        sio_peer_send(&a, rows[i]);
        if (heard != SIO_ERR_MISMATCH) {
            fail_msg("%s", rows[i]);
        }
        assert_string_equal(sio_peer_said(&a), "");
        assert_true(sio_peer_open(&a));
    }
}

/* No array, in each place that takes one. */
static void on_object(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    heard = sio_event_ack_tree(event, arg, NULL, 0);
}

static void test_objects(void **state)
{
    json_t *object = json_object();
    (void)state;
    assert_int_equal(sio_namespace_on(rig.root, "e", on_object, object),
                     SIO_OK);
    assert_int_equal(sio_socket_emit_tree(socket_a, "e", object, NULL, 0),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(sio_broadcast_emit_tree(all(), "e", object, NULL, 0),
                     SIO_ERR_ARGUMENT);
    sio_peer_send(&a, "21[\"e\"]");
    assert_int_equal(heard, SIO_ERR_ARGUMENT);
    assert_string_equal(sio_peer_said(&a), "");
    assert_int_equal(sio_broadcast_emit_tree(all(), "e", NULL, NULL, 0),
                     SIO_OK);
    assert_string_equal(sio_peer_said(&a), " 42[\"e\"]");
    json_decref(object);
}

static void test_binary(void **state)
{
    sio_binary bytes = {"\1\2", 2};
    json_t *args = json_pack("[oi]", sio_binary_json(0), 1);
    (void)state;
    assert_non_null(args);
    assert_int_equal(sio_broadcast_emit_tree(all(), "e", args, &bytes, 1),
                     SIO_OK);
    assert_non_null(strstr(sio_peer_said(&a), "\"num\":0},1]"));
    json_decref(args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beyond_jansson, setup, teardown),
        cmocka_unit_test_setup_teardown(test_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_binary, setup, teardown),
    };
    return cmocka_run_group_tests_name("sio_value", tests, NULL, NULL);
}
