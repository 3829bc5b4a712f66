#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "socketio/events.h"
#include "socketio/jansson.h"
#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HOLE(n) "{\"_placeholder\":true,\"num\":" #n "}"

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

/* Writes down the event. */
static void show(sio_socket *socket, sio_event *event, void *arg)
{
    const sio_args *args = sio_event_args(event);
    assert_ptr_equal(socket, socket_a);
    sio_rig_tell(&rig, " %s%s(%.*s)", arg == NULL ? "" : (const char *)arg,
                 sio_event_name(event), (int)args->json_len,
                 args->json_len == 0 ? "" : args->json);
    for (size_t i = 0; i < args->binary_count; i++) {
        sio_rig_tell(&rig, "%.*s;", (int)args->binaries[i].len,
                     (const char *)args->binaries[i].data);
    }
}

/* --------------------------------------------------------------- dispatch --
 */

static const struct row {
    const char *label, *packet, *told;
} rows[] = {
    {"by name", "2[\"e\"]", " any:e() e()"},
    {"arguments", "2[\"e\", 1 ,\"x\"]", " any:e(1 ,\"x\") e(1 ,\"x\")"},
    {"unknown", "2[\"f\",1]", " any:f(1)"},
    {"escaped", "2[\"\\u0065\"]", " any:e() e()"},
    {"escape in a longer one", "2[\"a\\\"b\\u00e9\",1]",
     " any:a\"b\xc3\xa9(1) a\"b\xc3\xa9(1)"},
    {"UTF-8", "2[\"a\\\"b\xc3\xa9\"]", " any:a\"b\xc3\xa9() a\"b\xc3\xa9()"},
    {"a NUL ends no name", "2[\"e\\u0000\"]", " any:e()"},
    {"number", "2[5,1]", " any:5(1) 5(1)"},
    {"digits", "2[\"5\",1]", " any:5(1) 5(1)"},
    {"empty name", "2[\"\",1]", " any:(1) (1)"},
    {"no payload", "2", " any:()"},
    {"with id", "217[\"e\"]", " any:e() e()"},
};

static void test_dispatch(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_any(rig.root, show, "any:"), SIO_OK);
    on("e", show, NULL);
    on("a\"b\xc3\xa9", show, NULL);
    on("5", show, NULL);
    on("", show, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_peer_send(&a, rows[i].packet);
        const char *told = sio_rig_told(&rig);
        if (strcmp(told, rows[i].told) != 0) {
            fail_msg("%s:%s", rows[i].label, told);
        }
    }
    assert_true(sio_peer_open(&a));
}

static void test_reserved(void **state)
{
    (void)state;
    static const char *const names[] = {"connect",       "disconnect",
                                        "connect_error", "newListener",
                                        "disconnecting", "removeListener"};
    char packet[64];
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(sio_namespace_on(rig.root, names[i], show, NULL),
                         SIO_ERR_RESERVED);
        assert_int_equal(sio_socket_emit(socket_a, names[i], NULL),
                         SIO_ERR_RESERVED);
        assert_int_equal(sio_broadcast_emit(sio_namespace_broadcast(rig.root),
                                            names[i], NULL),
                         SIO_ERR_RESERVED);
        assert_int_equal(sio_socket_emit_volatile(socket_a, names[i], NULL),
                         SIO_ERR_RESERVED);
        sio_peer b = sio_rig_join(&rig, "b");
        snprintf(packet, sizeof(packet), "2[\"%s\"]", names[i]);
        sio_peer_send(&b, packet);
        rig_turn(&rig.engine);
        assert_false(sio_peer_open(&b));
    }
}

/* Handlers that change the lists they are in. */
static void take_off(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)event;
    sio_rig_tell(&rig, " off");
    sio_namespace_off(rig.root, "e", show, arg);
    sio_namespace_off(rig.root, "e", take_off, arg);
}

static void add_more(sio_socket *socket, sio_event *event, void *arg)
{
    (void)socket;
    (void)event;
    sio_rig_tell(&rig, " add");
    sio_namespace_off(rig.root, "e", add_more, arg);
    for (int i = 0; i < 20; i++) {
        on("e", show, arg);
    }
}

static void test_off(void **state)
{
    (void)state;
    on("e", show, "1");
    on("e", show, "2");
    on("e", show, "3");
    sio_namespace_off(rig.root, "e", show, "2");
    sio_namespace_off(rig.root, "e", show, "none");
    sio_namespace_off(rig.root, "none", show, "1");
    sio_peer_send(&a, "2[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " 1e() 3e()");

    on("e", take_off, "3");
    on("e", show, "4");
    sio_peer_send(&a, "2[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " 1e() 3e() off 4e()");
    sio_peer_send(&a, "2[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " 1e() 4e()");
    /* A handler takes back one that has not run yet. */
    sio_namespace_off(rig.root, "e", show, "1");
    sio_namespace_off(rig.root, "e", show, "4");
    on("e", take_off, "5");
    on("e", show, "5");
    sio_peer_send(&a, "2[\"e\"]");
    sio_peer_send(&a, "2[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " off");

    on("e", add_more, "6");
    sio_peer_send(&a, "2[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " add");
    sio_peer_send(&a, "2[\"e\"]");
    assert_int_equal(strlen(sio_rig_told(&rig)), 20 * strlen(" 6e()"));
}

static void leave(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    (void)event;
    sio_rig_tell(&rig, " leave");
    sio_socket_disconnect(socket);
}

static void test_no_more_after_the_end(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_any(rig.root, leave, NULL), SIO_OK);
    assert_int_equal(sio_namespace_on_any(rig.root, show, NULL), SIO_OK);
    on("e", show, NULL);
    sio_peer_send(&a, "2[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " leave");
}

/* -------------------------------------------------------------- arguments --
 */

static void check_args(sio_socket *socket, sio_event *event, void *arg)
{
    size_t len;
    sio_binary binary;
    const char *s;
    int n;
    json_t *tree;
    (void)socket;
    (void)arg;
    sio_rig_tell(&rig, " checked");
    assert_int_equal(sio_event_arg_count(event), 4);
    assert_memory_equal(sio_event_arg(event, 0, &len), "1", 1);
    assert_int_equal(len, 1);
    assert_memory_equal(sio_event_arg(event, 1, &len), "\"t\\u0041\"", 9);
    assert_int_equal(len, 9);
    assert_non_null(sio_event_arg(event, 3, NULL));
    assert_null(sio_event_arg(event, 4, &len));
    assert_int_equal(len, 0);
    assert_int_equal(sio_event_args_from(event, 0).json_len,
                     sio_event_args(event)->json_len);
    sio_args rest = sio_event_args_from(event, 3);
    assert_memory_equal(rest.json, "[3,4]", rest.json_len);
    assert_int_equal(sio_event_args_from(event, 4).json_len, 0);
    assert_int_equal(sio_event_arg_binary(event, 2, &binary), SIO_ERR_MISMATCH);

    assert_int_equal(sio_event_unpack(event, "is", &n, &s), SIO_OK);
    assert_int_equal(n, 1);
    assert_string_equal(s, "tA");
    assert_int_equal(
        sio_event_unpack(event, "is{s:i}[ii]", &n, &s, "a", &n, &n, &n),
        SIO_OK);
    assert_int_equal(sio_event_unpack(event, "s", &s), SIO_ERR_MISMATCH);
    assert_int_equal(
        sio_event_unpack(event, "is{s:i}[ii]i", &n, &s, "a", &n, &n, &n, &n),
        SIO_ERR_MISMATCH);
    assert_int_equal(sio_event_unpack(event, "%%"), SIO_ERR_MISMATCH);
    assert_int_equal(sio_event_unpack(event, ""), SIO_OK);
    assert_int_equal(sio_event_unpack(event, "ooo", &tree, &tree, &tree),
                     SIO_OK);
    assert_true(json_is_object(tree));
    assert_int_equal(json_array_size(sio_event_json(event)), 4);
}

static void test_args(void **state)
{
    (void)state;
    on("e", check_args, NULL);
    sio_peer_send(&a, "2[\"e\", 1 , \"t\\u0041\",{\"a\":2} ,[3,4]]");
    sio_peer_send(&a, "2[\"e\",1,\"t\\u0041\",{\"a\":2},[3,4]]");
    assert_string_equal(sio_rig_told(&rig), " checked checked");
}

#define MANY 40

static void check_many(sio_socket *socket, sio_event *event, void *arg)
{
    static const int orders[][4] = {
        {0, 1, 2, MANY},        {MANY - 1, MANY - 2, MANY - 1, 3},
        {30, 30, 31, 20},       {MANY, MANY + 9, MANY - 1, MANY},
        {MANY - 1, 0, 17, 16},  {15, 16, 15, 15},
        {2, MANY, 2, MANY - 1},
    };
    (void)socket;
    (void)arg;
    sio_rig_tell(&rig, " checked");
    for (size_t i = 0; i < COUNT(orders) * 4; i++) {
        int at = orders[i / 4][i % 4];
        size_t len;
        const char *text = sio_event_arg(event, (size_t)at, &len);
        if (at < MANY) {
            char want[16];
            (void)snprintf(want, sizeof(want), "%d", 10 + at);
            assert_int_equal(len, 2);
            assert_memory_equal(text, want, 2);
        } else {
            assert_int_equal(len, 0);
            assert_null(text);
        }
    }
    assert_null(sio_event_arg(event, SIZE_MAX, NULL));
    assert_int_equal(sio_event_args_from(event, MANY - 2).json_len, 5);
    sio_args args = {"1,2", 3, NULL, 0}; /* all this is over with the others */
    assert_int_equal(sio_event_set(event, NULL, &args), SIO_OK);
    assert_null(sio_event_arg(event, 20, NULL));
    assert_memory_equal(sio_event_arg(event, 1, NULL), "2", 1);
}

/* In whatever order one asks for them. */
static void test_many_args(void **state)
{
    (void)state;
    char packet[32 + MANY * 3] = "2[\"e\"";
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(packet + strlen(packet), 16, ",%d", 10 + i);
    }
    strcat(packet, "]");
    on("e", check_many, NULL);
    sio_peer_send(&a, packet);
    assert_string_equal(sio_rig_told(&rig), " checked");
}

static void check_refused(sio_socket *socket, sio_event *event, void *arg)
{
    json_t *tree;
    (void)socket;
    (void)arg;
    sio_rig_tell(&rig, " checked");
    assert_int_equal(sio_event_unpack(event, "o", &tree), SIO_ERR_MISMATCH);
    assert_null(sio_event_json(event));
}

/* JSON that jansson does not take. */
static void test_beyond_jansson(void **state)
{
    (void)state;
    on("e", check_refused, NULL);
    sio_peer_send(&a, "2[\"e\",123456789012345678901234567890]");
    sio_peer_send(&a, "2[\"e\",1e999]");
    sio_peer_send(&a, "2[\"e\",\"\\ud800\"]");
    sio_peer_send(&a, "2[\"e\",{\"\\u0000\":1}]");
    assert_string_equal(sio_rig_told(&rig), " checked checked checked checked");
}

static void test_pack(void **state)
{
    (void)state;
    char longest[600];
    memset(longest, 'i', sizeof(longest));
    longest[513] = '\0';
    assert_int_equal(sio_socket_emit(socket_a, "e", "%"), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_socket_emit(socket_a, "e", "s", "\xff"),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(sio_socket_emit(socket_a, "\xff", NULL), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_socket_emit(socket_a, "e", longest), SIO_ERR_ARGUMENT);
    assert_int_equal(sio_socket_emit_json(socket_a, "e", "1,", 2),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(sio_socket_emit_json(socket_a, "e", "1],[2", 5),
                     SIO_ERR_ARGUMENT);
    assert_int_equal(sio_socket_emit_json(socket_a, "e", "\"\xff\"", 3),
                     SIO_ERR_ARGUMENT);
    json_t *object = json_object(), *list = json_pack("[is]", 1, "x");
    assert_int_equal(sio_socket_emit_tree(socket_a, "e", object, NULL, 0),
                     SIO_ERR_ARGUMENT);
    assert_string_equal(sio_peer_said(&a), "");

    assert_int_equal(
        sio_socket_emit(socket_a, "e", "s{s:i}n", "\xc3\xa9\n", "at", 5),
        SIO_OK);
    assert_int_equal(sio_socket_emit(socket_a, "q\"\n", ""), SIO_OK);
    assert_int_equal(sio_socket_emit_json(socket_a, "e", " 1 , [2] ", 9),
                     SIO_OK);
    assert_int_equal(sio_socket_emit_json(socket_a, "e", "", 0), SIO_OK);
    assert_int_equal(sio_socket_emit_args(socket_a, "e", NULL, 0), SIO_OK);
    assert_int_equal(sio_socket_emit_tree(socket_a, "e", list, NULL, 0),
                     SIO_OK);
    assert_int_equal(sio_socket_emit_tree(socket_a, "e", NULL, NULL, 0),
                     SIO_OK);
    assert_string_equal(sio_peer_said(&a),
                        " 42[\"e\",\"\xc3\xa9\\n\",{\"at\":5},null]"
                        " 42[\"q\\\"\\n\"] 42[\"e\", 1 , [2] ] 42[\"e\"]"
                        " 42[\"e\"] 42[\"e\",1,\"x\"] 42[\"e\"]");
    json_decref(object);
    json_decref(list);
}

static void test_volatile(void **state)
{
    (void)state;
    a.mt->slow = true;
    assert_int_equal(sio_socket_emit_volatile(socket_a, "v", "i", 1), SIO_OK);
    assert_int_equal(sio_socket_emit_volatile(socket_a, "v", "i", 2), SIO_OK);
    assert_int_equal(sio_socket_backlog(socket_a), 9);
    a.mt->slow = false;
    assert_string_equal(sio_peer_said(&a), " 42[\"v\",1]");
    assert_int_equal(sio_socket_emit_volatile(socket_a, "v", "i", 3), SIO_OK);
    assert_string_equal(sio_peer_said(&a), " 42[\"v\",3]");
    assert_int_equal(rig.engine.counters[SIO_COUNTER_VOLATILE_DROPPED], 1);

    sio_peer p = sio_rig_open(&rig, MEMORY_POLLING, "p");
    sio_peer_send(&p, "0");
    memory_transport_poll(p.mt);
    (void)sio_peer_said(&p);
    sio_socket *socket_p = sio_peer_socket(&p, "/");
    assert_int_equal(sio_socket_emit_volatile(socket_p, "v", NULL), SIO_OK);
    memory_transport_poll(p.mt);
    assert_int_equal(sio_socket_emit_volatile(socket_p, "w", NULL), SIO_OK);
    assert_string_equal(sio_peer_said(&p), " [42[\"w\"]]");
}

/* ----------------------------------------------------------------- binary --
 */

static void echo(sio_socket *socket, sio_event *event, void *arg)
{
    assert_int_equal(
        sio_socket_emit_args(socket, "back", sio_event_args(event), 0), SIO_OK);
    show(socket, event, arg);
}

static const struct binary_row {
    const char *label, *packet, *parts[6], *said;
} binary_rows[] = {
    {"one",
     "51-[\"e\"," HOLE(0) "]",
     {"ab"},
     " 451-[\"back\"," HOLE(0) "] b6162"},
    {"empty", "51-[\"e\"," HOLE(0) "]", {""}, " 451-[\"back\"," HOLE(0) "] b"},
    {"two",
     "52-[\"e\"," HOLE(1) "," HOLE(0) "]",
     {"a", "b"},
     " 452-[\"back\"," HOLE(1) "," HOLE(0) "] b61 b62"},
    {"three",
     "53-[\"e\",{\"k\":[" HOLE(0) "]}]",
     {"a", "b", "c"},
     " 453-[\"back\",{\"k\":[" HOLE(0) "]}] b61 b62 b63"},
    {"four",
     "54-[\"e\"]",
     {"a", "b", "c", "d"},
     " 454-[\"back\"] b61 b62 b63 b64"},
    {"five", "55-[\"e\"]", {"a"}, " close"},
    {"none", "50-[\"e\"]", {NULL}, " close"},
    {"hole too far", "51-[\"e\"," HOLE(1) "]", {"a"}, " close"},
    {"all that is allowed",
     "52-[\"e\"]",
     {"12345678901234567890123456789012", "12345678901234567890123456789012"},
     " 452-[\"back\"]"
     " b3132333435363738393031323334353637383930313233343536373839303132"
     " b3132333435363738393031323334353637383930313233343536373839303132"},
    {"one byte more",
     "52-[\"e\"]",
     {"12345678901234567890123456789012", "123456789012345678901234567890123"},
     " close"},
    {"no event", "2[\"e\"]", {"a"}, " 42[\"back\"] close"},
};

static void test_binary(void **state)
{
    (void)state;
    on("e", echo, NULL);
    for (size_t i = 0; i < COUNT(binary_rows); i++) {
        const struct binary_row *row = &binary_rows[i];
        a = sio_rig_join(&rig, "a");
        socket_a = sio_peer_socket(&a, "/");
        sio_peer_send(&a, row->packet);
        for (size_t j = 0; row->parts[j] != NULL; j++) {
            /* The connection closes at once only when nothing waits. */
            if (row->parts[j + 1] == NULL && row->packet[0] == '2') {
                rig_turn(&rig.engine);
            }
            sio_peer_send_binary(&a, sio_text(row->parts[j]));
        }
        const char *said = sio_peer_said(&a);
        if (strcmp(said, row->said) != 0) {
            fail_msg("%s:%s", row->label, said);
        }
    }
}

/* Neither text, nor the end of the connection, may come in between. */
static void test_binary_interrupted(void **state)
{
    (void)state;
    on("e", show, NULL);
    for (int i = 0; i < 4; i++) {
        sio_peer b = sio_rig_join(&rig, "b");
        sio_peer_send(&b, "52-[\"e\"," HOLE(0) "," HOLE(1) "]");
        sio_peer_send_binary(&b, SIO_LIT("x"));
        if (i == 0) {
            sio_peer_send(&b, "2[\"e\"]");
        } else if (i == 1) {
            sio_peer_send(&b, "1");
        } else if (i == 2) {
            memory_transport_drop(b.mt, SIO_OK);
        } else {
            sio_socket_disconnect(sio_peer_socket(&b, "/"));
            sio_peer_send_binary(&b, SIO_LIT("y"));
            assert_true(sio_peer_open(&b));
            continue;
        }
        rig_turn(&rig.engine);
        assert_false(sio_peer_open(&b));
    }
    /* Nothing is gathered for a namespace that was not joined. */
    sio_peer_send(&a, "51-/b,[\"e\"," HOLE(0) "]");
    (void)sio_peer_said(&a);
    assert_false(sio_peer_open(&a));
    assert_string_equal(sio_rig_told(&rig), "");
}

static void check_binary(sio_socket *socket, sio_event *event, void *arg)
{
    sio_binary binary;
    (void)socket;
    (void)arg;
    sio_rig_tell(&rig, " checked");
    assert_int_equal(sio_event_arg_binary(event, 0, &binary), SIO_OK);
    assert_int_equal(binary.len, 2);
    assert_memory_equal(binary.data, "yz", 2);
    assert_int_equal(sio_event_arg_binary(event, 1, &binary), SIO_ERR_MISMATCH);
    assert_int_equal(sio_event_arg_binary(event, 2, &binary), SIO_OK);
    assert_memory_equal(binary.data, "x", 1);
    assert_int_equal(sio_event_arg_binary(event, 3, &binary), SIO_ERR_MISMATCH);
    assert_int_equal(sio_event_arg_binary(event, 4, &binary), SIO_ERR_MISMATCH);
}

static void test_binary_args(void **state)
{
    (void)state;
    on("e", check_binary, NULL);
    sio_peer_send(&a, "52-[\"e\"," HOLE(1) ",[" HOLE(0) "]," HOLE(
                          0) ",{\"_placeholder\":false,\"num\":0}]");
    sio_peer_send_binary(&a, SIO_LIT("x"));
    sio_peer_send_binary(&a, SIO_LIT("yz"));
    assert_string_equal(sio_rig_told(&rig), " checked");
}

static void test_emit_binary(void **state)
{
    (void)state;
    sio_binary five[5] = {{"a", 1}, {"", 0}, {NULL, 0}, {"b", 1}, {"c", 1}};
    json_t *args = json_pack("[o]", sio_binary_json(3));
    for (size_t count = 1; count <= 5; count++) {
        assert_int_equal(sio_socket_emit_tree(socket_a, "e", args, five, count),
                         count == 5 ? SIO_ERR_ARGUMENT : SIO_OK);
        const char *said = sio_peer_said(&a);
        assert_int_equal(said[0] == '\0', count == 5);
    }
    assert_int_equal(sio_socket_emit_binary(socket_a, "e", "xy", 2), SIO_OK);
    assert_string_equal(sio_peer_said(&a), " 451-[\"e\"," HOLE(0) "] b7879");
    json_decref(args);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dispatch),
        TEST(test_reserved),
        TEST(test_off),
        TEST(test_no_more_after_the_end),
        TEST(test_args),
        TEST(test_beyond_jansson),
        TEST(test_many_args),
        TEST(test_pack),
        TEST(test_volatile),
        TEST(test_binary),
        TEST(test_binary_interrupted),
        TEST(test_binary_args),
        TEST(test_emit_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
