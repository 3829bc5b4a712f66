#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/events.h"
#include "socketio/jansson.h"
#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HOLE(n) "{\"_placeholder\":true,\"num\":" #n "}"

static sio_rig rig;
static sio_peer a, b;
static sio_socket *socket_a, *socket_b;

static int setup(void **state)
{
    (void)state;
    sio_rig_init(&rig);
    a = sio_rig_join(&rig, "a");
    b = sio_rig_join(&rig, "b");
    socket_a = sio_peer_socket(&a, "/");
    socket_b = sio_peer_socket(&b, "/");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sio_rig_deinit(&rig);
    return 0;
}

/* Writes down the event: mark, socket, name, arguments. */
static void show(sio_socket *socket, sio_event *event, void *arg)
{
    const sio_args *args = sio_event_args(event);
    sio_rig_tell(&rig, " %s%s:%s(%.*s)", arg == NULL ? "" : (const char *)arg,
                 sio_rig_name(socket), sio_event_name(event),
                 (int)args->json_len, args->json_len == 0 ? "" : args->json);
    for (size_t i = 0; i < args->binary_count; i++) {
        sio_rig_tell(&rig, "%.*s;", (int)args->binaries[i].len,
                     (const char *)args->binaries[i].data);
    }
}

static void show_too(sio_socket *socket, sio_event *event, void *arg)
{
    show(socket, event, arg);
}

static void event(const char *packet, const char *told)
{
    sio_peer_send(&a, packet);
    assert_string_equal(sio_rig_told(&rig), told);
}

/* The marks of those that are listed, at most three of them. */
static void listed(size_t (*list)(const sio_namespace *nsp, sio_listener *out,
                                  size_t cap),
                   const char *marks)
{
    sio_listener all[3];
    char text[32] = "";
    size_t count = list(rig.root, NULL, 0);
    assert_int_equal(list(rig.root, all, COUNT(all)), count);
    for (size_t i = 0; i < count && i < COUNT(all); i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
                 (const char *)all[i].arg);
    }
    assert_string_equal(text, marks);
}

/* -------------------------------------------------------------- incoming --
 */

static void test_any(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on(rig.root, "e", show, "n"), SIO_OK);
    assert_int_equal(sio_namespace_on_any(rig.root, show, "1"), SIO_OK);
    assert_int_equal(sio_namespace_on_any(rig.root, show, "2"), SIO_OK);
    assert_int_equal(sio_namespace_prepend_any(rig.root, show_too, "3"),
                     SIO_OK);
    assert_int_equal(sio_namespace_prepend_any(rig.root, show, "4"), SIO_OK);
    listed(sio_namespace_listeners_any, "431");
    assert_int_equal(sio_namespace_listeners_any(rig.root, NULL, 0), 4);
    event("2[\"e\",1]", " 4a:e(1) 3a:e(1) 1a:e(1) 2a:e(1) na:e(1)");
    sio_namespace_off_any(rig.root, show, "3"); /* not that one */
    sio_namespace_off_any(rig.root, show, "1");
    event("2[\"f\"]", " 4a:f() 3a:f() 2a:f()");
    sio_namespace_off_any(rig.root, NULL, NULL);
    assert_int_equal(sio_namespace_listeners_any(rig.root, NULL, 0), 0);
    event("2[\"e\"]", " na:e()");
}

static void acknowledge(sio_socket *socket, sio_event *event, void *arg)
{
    show(socket, event, arg);
    assert_int_equal(sio_event_ack(event, "i", 7), SIO_OK);
}

static void test_any_acknowledges(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_any(rig.root, acknowledge, "1"), SIO_OK);
    event("25[\"e\"]", " 1a:e()");
    assert_string_equal(sio_peer_said(&a), " 435[7]");
}

/* Handlers that change the list they are in. */
static void prepend(sio_socket *socket, sio_event *event, void *arg)
{
    show(socket, event, arg);
    sio_namespace_off_any(rig.root, prepend, arg);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(sio_namespace_on_any(rig.root, show, "z"), SIO_OK);
    }
    assert_int_equal(sio_namespace_prepend_any(rig.root, show, "x"), SIO_OK);
    assert_int_equal(sio_namespace_prepend_any(rig.root, show, "y"), SIO_OK);
    listed(sio_namespace_listeners_any, "yx1");
}

static void off_all(sio_socket *socket, sio_event *event, void *arg)
{
    show(socket, event, arg);
    sio_namespace_off_any(rig.root, NULL, NULL);
    assert_int_equal(sio_namespace_listeners_any(rig.root, NULL, 0), 0);
    assert_int_equal(sio_namespace_on_any(rig.root, show, "w"), SIO_OK);
}

static void test_any_changes_itself(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_any(rig.root, show, "1"), SIO_OK);
    assert_int_equal(sio_namespace_on_any(rig.root, prepend, "2"), SIO_OK);
    assert_int_equal(sio_namespace_on_any(rig.root, show, "3"), SIO_OK);
    event("2[\"e\"]", " 1a:e() 2a:e() 3a:e()");
    event("2[\"e\"]", " ya:e() xa:e() 1a:e() 3a:e() za:e() za:e() za:e() za:e()"
                      " za:e() za:e() za:e() za:e() za:e()");
    assert_int_equal(sio_namespace_prepend_any(rig.root, off_all, "4"), SIO_OK);
    event("2[\"e\"]", " 4a:e()");
    event("2[\"e\"]", " wa:e()");
}

static void again(sio_socket *socket, sio_event *event, void *arg)
{
    show(socket, event, arg);
    assert_int_equal(sio_namespace_once(rig.root, "e", again, "again "),
                     SIO_OK);
}

static void test_once(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_once(rig.root, "disconnect", show, ""),
                     SIO_ERR_RESERVED);
    assert_int_equal(sio_namespace_once(rig.root, "e", show, "1"), SIO_OK);
    assert_int_equal(sio_namespace_on(rig.root, "e", show, "2"), SIO_OK);
    assert_int_equal(sio_namespace_once(rig.root, "e", show, "3"), SIO_OK);
    sio_namespace_off(rig.root, "e", show, "3");
    sio_peer_send(&b, "2[\"e\"]");
    assert_string_equal(sio_rig_told(&rig), " 1b:e() 2b:e()");
    event("2[\"e\"]", " 2a:e()");
    sio_namespace_off(rig.root, "e", show, "2");
    assert_int_equal(sio_namespace_once(rig.root, "e", again, ""), SIO_OK);
    event("2[\"e\"]", " a:e()");
    event("2[\"e\"]", " again a:e()");
    /* Where handlers do not change any more, it is called once all the same. */
    assert_int_equal(sio_namespace_on(rig.root, "f", show, "4"), SIO_OK);
    assert_int_equal(sio_namespace_once(rig.root, "f", show, "5"), SIO_OK);
    rig.core.fixed = true;
    assert_int_equal(sio_namespace_once(rig.root, "f", show, "6"),
                     SIO_ERR_STATE);
    assert_int_equal(sio_namespace_prepend_any(rig.root, show, "6"),
                     SIO_ERR_STATE);
    assert_int_equal(sio_namespace_on_any_outgoing(rig.root, show, "6"),
                     SIO_ERR_STATE);
    sio_namespace_off_any(rig.root, NULL, NULL);
    event("2[\"f\"]", " 4a:f() 5a:f()");
    event("2[\"f\"]", " 4a:f()");
}

/* -------------------------------------------------------------- outgoing --
 */

static void on_ack(sio_socket *socket, sio_error err, sio_event *answer,
                   void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " ack %s(%d,%d)", sio_rig_name(socket), (int)err,
                 answer != NULL);
}

static void on_answers(sio_error err, const char *answers, size_t len,
                       size_t count, size_t expected, void *arg)
{
    (void)arg;
    sio_rig_tell(&rig, " answers(%d;%.*s;%d/%d)", (int)err, (int)len,
                 len == 0 ? "" : answers, (int)count, (int)expected);
}

static void emit_plain(void)
{
    (void)sio_socket_emit(socket_a, "e", "is", 1, "x");
}

static void emit_escaped(void)
{
    (void)sio_socket_emit(socket_a, "a\"b", NULL);
}

static void emit_json(void)
{
    (void)sio_socket_emit_json(socket_a, "e", "1 , [2]", 7);
}

static void emit_binary(void)
{
    (void)sio_socket_emit_binary(socket_a, "e", "xyz", 3);
}

static void emit_ack(void)
{
    (void)sio_socket_emit_ack(socket_a, "e", 9, on_ack, NULL, "i", 1);
}

static void emit_reserved(void)
{
    (void)sio_socket_emit(socket_a, "disconnect", NULL);
}

static void emit_to_all(void)
{
    (void)sio_broadcast_emit(sio_namespace_broadcast(rig.root), "e", "i", 1);
}

static void emit_to_others(void)
{
    (void)sio_broadcast_emit(sio_socket_broadcast(socket_a), "e", "i", 1);
}

static void emit_to_nobody(void)
{
    (void)sio_broadcast_emit(sio_namespace_to(rig.root, "none"), "e", "i", 1);
}

static void emit_elsewhere(void)
{
    sio_namespace *other = sio_rig_of(&rig, "/b");
    (void)sio_broadcast_emit(sio_namespace_broadcast(other), "e", "i", 1);
}

static void emit_two(void)
{
    sio_binary two[] = {{"one", 3}, {"", 0}};
    sio_args args = {HOLE(1) "," HOLE(0), strlen(HOLE(1) "," HOLE(0)), two, 2};
    (void)sio_broadcast_emit_args(sio_namespace_broadcast(rig.root), "e",
                                  &args);
}

static void ask_all(void)
{
    (void)sio_broadcast_emit_ack(sio_namespace_broadcast(rig.root), "q", 9,
                                 on_answers, NULL, "i", 1);
}

static void emit_dropped(void)
{
    (void)sio_socket_emit(socket_a, "e", NULL);
    (void)sio_socket_emit_volatile(socket_a, "v", NULL);
    (void)sio_broadcast_emit(
        sio_broadcast_volatile(sio_namespace_broadcast(rig.root)), "w", NULL);
}

static const struct row {
    const char *label;
    void (*emit)(void);
    const char *told, *a, *b;
} rows[] = {
    {"plain", emit_plain, " a:e(1,\"x\")", " 42[\"e\",1,\"x\"]", ""},
    {"escaped", emit_escaped, " a:a\"b()", " 42[\"a\\\"b\"]", ""},
    {"JSON", emit_json, " a:e(1 , [2])", " 42[\"e\",1 , [2]]", ""},
    {"binary", emit_binary, " a:e(" HOLE(0) ")xyz;",
     " 451-[\"e\"," HOLE(0) "] b78797a", ""},
    {"ack", emit_ack, " a:e(1)", " 420[\"e\",1]", ""},
    {"reserved", emit_reserved, "", "", ""},
    {"all", emit_to_all, " a:e(1) b:e(1)", " 42[\"e\",1]", " 42[\"e\",1]"},
    {"others", emit_to_others, " b:e(1)", "", " 42[\"e\",1]"},
    {"nobody", emit_to_nobody, "", "", ""},
    {"elsewhere", emit_elsewhere, "", "", ""},
    {"two", emit_two, NULL, NULL, NULL},
    {"asked", ask_all, " a:q(1) b:q(1)", " 420[\"q\",1]", " 420[\"q\",1]"},
};

/* Whether the words are there, in any order. */
static void check(const char *label, const char *told, const char *expected)
{
    char copy[256];
    assert_int_equal(strlen(told), strlen(expected));
    snprintf(copy, sizeof(copy), "%s", expected);
    for (char *word = strtok(copy, " "); word != NULL;
         word = strtok(NULL, " ")) {
        if (strstr(told, word) == NULL) {
            fail_msg("%s: %s", label, told);
        }
    }
}

static void test_outgoing(void **state)
{
    const struct row *row = &rows[(size_t)*state];
    (void)setup(NULL);
    assert_int_equal(sio_namespace_on_any_outgoing(rig.root, show, NULL),
                     SIO_OK);
    row->emit();
    if (row->told == NULL) { /* `two` */
        const char *told = sio_rig_told(&rig);
        assert_non_null(strstr(told, " a:e(" HOLE(1) "," HOLE(0) ")one;;"));
        assert_non_null(strstr(told, " b:e(" HOLE(1) "," HOLE(0) ")one;;"));
    } else {
        check(row->label, sio_rig_told(&rig), row->told);
        assert_string_equal(sio_peer_said(&a), row->a);
        assert_string_equal(sio_peer_said(&b), row->b);
    }
    (void)teardown(NULL);
}

static void test_outgoing_order(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_any_outgoing(rig.root, show, "1"),
                     SIO_OK);
    assert_int_equal(sio_namespace_on_any_outgoing(rig.root, show, "2"),
                     SIO_OK);
    assert_int_equal(sio_namespace_prepend_any_outgoing(rig.root, show, "3"),
                     SIO_OK);
    listed(sio_namespace_listeners_any_outgoing, "312");
    emit_escaped();
    assert_string_equal(sio_rig_told(&rig), " 3a:a\"b() 1a:a\"b() 2a:a\"b()");
    sio_namespace_off_any_outgoing(rig.root, show, "1");
    listed(sio_namespace_listeners_any_outgoing, "32");
    sio_namespace_off_any_outgoing(rig.root, NULL, NULL);
    emit_escaped();
    assert_string_equal(sio_rig_told(&rig), "");
    assert_string_equal(sio_peer_said(&a), " 42[\"a\\\"b\"] 42[\"a\\\"b\"]");
}

/* What is dropped does not go out; acks are no events. */
static void test_outgoing_not(void **state)
{
    (void)state;
    sio_namespace_on_any_outgoing(rig.root, show, NULL);
    sio_namespace_on(rig.root, "e", acknowledge, "!");
    memory_transport_base(a.mt)->writable = false;
    emit_dropped();
    check("dropped", sio_rig_told(&rig), " a:e() b:w()");
    event("27[\"e\"]", " !a:e()");
}

/* A batch that waits goes before what is told of. */
static void test_outgoing_behind_a_batch(void **state)
{
    (void)state;
    emit_to_all();
    sio_namespace_on_any_outgoing(rig.root, show, NULL);
    (void)sio_broadcast_emit(sio_namespace_broadcast(rig.root), "f", NULL);
    assert_string_equal(sio_peer_said(&a), " 42[\"e\",1] 42[\"f\"]");
    assert_string_equal(sio_peer_said(&b), " 42[\"e\",1] 42[\"f\"]");
}

static void leave(sio_socket *socket, sio_event *event, void *arg)
{
    show(socket, event, NULL);
    sio_socket_disconnect(arg == NULL ? socket : arg);
}

static void test_outgoing_disconnects(void **state)
{
    (void)state;
    sio_namespace_on_any_outgoing(rig.root, leave, NULL);
    sio_namespace_on_any_outgoing(rig.root, show, "never");
    assert_int_equal(sio_socket_emit(socket_a, "e", NULL), SIO_ERR_CLOSED);
    assert_string_equal(sio_rig_told(&rig), " a:e()");
    assert_string_equal(sio_peer_said(&a), " 41");
    emit_to_all();
    assert_string_equal(sio_rig_told(&rig), " b:e(1)");
    assert_string_equal(sio_peer_said(&b), " 41");
}

/* Of two that are asked, whoever is told of first ends the other. */
static void test_outgoing_disconnects_who_is_asked(void **state)
{
    (void)state;
    sio_namespace_on_any_outgoing(rig.root, leave, socket_b);
    ask_all();
    sio_peer_send(&a, "30[5]");
    rig_advance(&rig.engine, 20);
    const char *told = sio_rig_told(&rig);
    assert_non_null(strstr(told, " answers(0;5;1/1)"));
    assert_string_equal(sio_peer_said(&b), " 41");
}

static void emit_once_more(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    if (strcmp(sio_event_name(event), "inner") != 0) {
        assert_int_equal(sio_socket_emit(socket, "inner", NULL), SIO_OK);
    }
}

static void test_outgoing_emits(void **state)
{
    (void)state;
    sio_namespace_on_any_outgoing(rig.root, emit_once_more, NULL);
    emit_to_all();
    assert_string_equal(sio_peer_said(&a), " 42[\"inner\"] 42[\"e\",1]");
    assert_string_equal(sio_peer_said(&b), " 42[\"inner\"] 42[\"e\",1]");
}

/* What a middleware of the namespace emits goes out too. */
static void greet(sio_socket *socket, sio_next *next, void *arg)
{
    (void)arg;
    assert_int_equal(sio_socket_emit(socket, "early", NULL), SIO_OK);
    sio_next_allow(next);
}

static void test_outgoing_before_connection(void **state)
{
    (void)state;
    sio_namespace_on_any_outgoing(rig.root, show, NULL);
    assert_int_equal(sio_namespace_use(rig.root, greet, NULL), SIO_OK);
    sio_peer c = sio_rig_open(&rig, MEMORY_WEBSOCKET, "c");
    sio_peer_send(&c, "0");
    assert_string_equal(sio_rig_told(&rig), " c:early()");
    assert_string_equal(sio_peer_said(&c), " 42[\"early\"] 40{\"sid\":\"*\"}");
}

#define CASE(i)                                                                \
    {                                                                          \
        "outgoing " #i, test_outgoing, NULL, NULL, (void *)(size_t)(i)         \
    }

/* With a parser that puts everything into one message. */
static void test_outgoing_msgpack(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on_any_outgoing(rig.root, show, NULL),
                     SIO_OK);
    sio_binary binary = {"xyz", 3};
    sio_args args = {"1," HOLE(0), strlen("1," HOLE(0)), &binary, 1};
    sio_outgoing out;
    rig.core.parser = &sio_parser_msgpack;
    assert_int_equal(
        sio_outgoing_event(&out, rig.root, &rig.loop, "e", &args, NULL),
        SIO_OK);
    assert_true(out.is_event);
    assert_true(sio_any_tell(&out, socket_a));
    sio_outgoing_deinit(&out);
    rig.core.parser = &sio_parser_json;
    assert_string_equal(sio_rig_told(&rig), " a:e(1," HOLE(0) ")xyz;");
}

/* A parser whose messages are text, and nothing but the packet's data. */
static sio_error write_data(const sio_packet_view *packet, sio_message_out *out,
                            void *arg)
{
    (void)arg;
    sio_message_write(out, packet->data, packet->data_len);
    return SIO_OK;
}

static sio_error read_data(const void *message, size_t len, sio_packet_out *out,
                           void *arg)
{
    sio_packet_view packet = {.type = SIO_PACKET_EVENT,
                              .nsp = "/",
                              .nsp_len = 1,
                              .data = message,
                              .data_len = len};
    (void)arg;
    return sio_packet_give(out, &packet);
}

static void test_outgoing_custom(void **state)
{
    static const sio_parser_methods methods = {false, write_data, read_data};
    const sio_args args = {"1,true", strlen("1,true"), NULL, 0};
    sio_parser_custom custom;
    sio_outgoing out;
    (void)state;
    assert_int_equal(sio_namespace_on_any_outgoing(rig.root, show, NULL),
                     SIO_OK);
    sio_parser_custom_init(&custom, &methods, NULL, 1);
    rig.core.parser = &custom.parser;
    assert_int_equal(
        sio_outgoing_event(&out, rig.root, &rig.loop, "e", &args, NULL),
        SIO_OK);
    assert_true(sio_any_tell(&out, socket_a));
    sio_outgoing_deinit(&out);
    rig.core.parser = &sio_parser_json;
    assert_string_equal(sio_rig_told(&rig), " a:e(1,true)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_acknowledges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_changes_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        CASE(0),
        CASE(1),
        CASE(2),
        CASE(3),
        CASE(4),
        CASE(5),
        CASE(6),
        CASE(7),
        CASE(8),
        CASE(9),
        CASE(10),
        CASE(11),
        cmocka_unit_test_setup_teardown(test_outgoing_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_behind_a_batch, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_disconnects, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_disconnects_who_is_asked,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_emits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_msgpack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_custom, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outgoing_before_connection, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
