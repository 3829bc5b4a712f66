#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/sio_rig.h"

/* Connections as the application sees them: packets, their end, sockets. */

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

static void show(sio_conn *conn, const sio_conn_packet *packet, void *arg)
{
    assert_true(sio_conn_id(conn)[0] != '\0');
    sio_rig_tell(&rig, " %s%u%s(%.*s)", (const char *)arg, packet->type,
                 packet->binary ? "b" : "", (int)packet->len,
                 (const char *)packet->data);
}

static void on_drained(sio_conn *conn, void *arg)
{
    (void)arg;
    assert_int_equal(sio_conn_backlog(conn), 0);
    sio_rig_tell(&rig, " drained");
}

static void on_closed(sio_conn *conn, const char *id,
                      sio_disconnect_reason reason, sio_error why, void *arg)
{
    (void)arg;
    (void)why;
    assert_int_equal(strlen(id), EIO_SID_LEN);
    assert_string_equal(sio_conn_id(conn), "");
    assert_string_equal(sio_conn_transport(conn), "");
    assert_int_equal(sio_conn_backlog(conn), 0);
    sio_conn_close(conn);
    sio_rig_tell(&rig, " closed(%s)", sio_disconnect_text(reason));
}

static void listen_to(sio_hooks *hooks, void (*fn)(void), char *arg)
{
    assert_int_equal(sio_core_on_conn(&rig.core, hooks, fn, arg), SIO_OK);
}

static void listen_to_packets(void)
{
    listen_to(&rig.core.conn.packet, (void (*)(void))show, "<");
    listen_to(&rig.core.conn.packet_create, (void (*)(void))show, ">");
}

static void told(const char *expected)
{
    assert_string_equal(sio_rig_told(&rig), expected);
}

static void echo(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    (void)sio_socket_emit_args(socket, "e", sio_event_args(event), 0);
}

static void test_packets(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on(rig.root, "e", echo, NULL), SIO_OK);
    sio_peer a = sio_rig_join(&rig, "a");
    listen_to_packets();
    sio_peer_send(&a, "2[\"e\",1]");
    told(" <4(2[\"e\",1]) >4(2[\"e\",1])");
    sio_peer_send(&a, "51-[\"e\",{\"_placeholder\":true,\"num\":0}]");
    (void)sio_rig_told(&rig);
    sio_peer_send_binary(&a, SIO_LIT("xyz"));
    told(" <4b(xyz) >4(51-[\"e\",{\"_placeholder\":true,\"num\":0}])"
         " >4b(xyz)");
    (void)sio_peer_said(&a);
    rig_advance(&rig.engine, 25000);
    told(" >2()");
    rig_receive(a.mt, "3");
    told(" <3()");
    /* A batch is told of one by one. */
    sio_broadcast all = sio_namespace_broadcast(rig.root);
    assert_int_equal(sio_broadcast_emit(all, "x", NULL), SIO_OK);
    assert_int_equal(sio_broadcast_emit(all, "y", NULL), SIO_OK);
    rig_turn(&rig.engine);
    told(" >4(2[\"x\"]) >4(2[\"y\"])");
}

static void close_it(sio_conn *conn, const sio_conn_packet *packet, void *arg)
{
    show(conn, packet, arg);
    if (packet->type == 4) {
        sio_conn_close(conn);
    }
}

static void test_packet_closes(void **state)
{
    (void)state;
    assert_int_equal(sio_namespace_on(rig.root, "e", echo, NULL), SIO_OK);
    sio_rig_listen(rig.root);
    sio_peer a = sio_rig_join(&rig, "a");
    listen_to(&rig.core.conn.packet, (void (*)(void))close_it, "1<");
    listen_to(&rig.core.conn.packet, (void (*)(void))close_it, "2<");
    listen_to(&rig.core.conn.closed, (void (*)(void))on_closed, NULL);
    (void)sio_rig_told(&rig);
    sio_peer_send(&a, "2[\"e\",1]");
    rig_turn(&rig.engine);
    told(" 1<4(2[\"e\",1]) ~a(server namespace disconnect)"
         " -a(server namespace disconnect) 2<4(2[\"e\",1])"
         " closed(forced close)");
    assert_false(sio_peer_open(&a));
    /* One that has joined nothing. */
    sio_peer b = sio_rig_open(&rig, MEMORY_WEBSOCKET, "b");
    sio_peer_send(&b, "0");
    rig_turn(&rig.engine);
    told(" 1<4(0) closed(forced close)");
    assert_false(sio_peer_open(&b));
}

static void on_opened(sio_conn *conn, void *arg)
{
    assert_int_equal(strlen(sio_conn_id(conn)), EIO_SID_LEN);
    assert_null(sio_conn_socket(conn, "/"));
    sio_rig_tell(&rig, " opened(%s)", sio_conn_transport(conn));
    if (arg != NULL) {
        sio_conn_close(conn);
    }
}

static void test_opened(void **state)
{
    (void)state;
    listen_to(&rig.core.conn.opened, (void (*)(void))on_opened, NULL);
    (void)sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    (void)sio_rig_open(&rig, MEMORY_POLLING, "b");
    told(" opened(websocket) opened(polling)");
}

static void test_opened_closes(void **state)
{
    (void)state;
    static char closes[] = "closes";
    listen_to(&rig.core.conn.opened, (void (*)(void))on_opened, closes);
    listen_to(&rig.core.conn.closed, (void (*)(void))on_closed, NULL);
    sio_peer a = sio_rig_open(&rig, MEMORY_WEBSOCKET, "a");
    rig_turn(&rig.engine);
    told(" opened(websocket) closed(forced close)");
    assert_false(sio_peer_open(&a));
}

static void test_end(void **state)
{
    (void)state;
    sio_rig_listen(rig.root);
    listen_to(&rig.core.conn.closed, (void (*)(void))on_closed, NULL);
    listen_to(&rig.core.conn.drained, (void (*)(void))on_drained, NULL);
    assert_true(rig.core.tells_drained);
    sio_peer a = sio_rig_join(&rig, "a");
    (void)sio_rig_told(&rig);
    assert_int_equal(sio_socket_emit(sio_peer_socket(&a, "/"), "x", NULL),
                     SIO_OK);
    rig_turn(&rig.engine);
    (void)sio_peer_said(&a);
    told(" drained");
    memory_transport_drop(a.mt, SIO_OK);
    rig_turn(&rig.engine);
    told(" ~a(transport close) -a(transport close) closed(transport close)");
    sio_peer b = sio_rig_open(&rig, MEMORY_POLLING, "b");
    (void)b;
    rig_advance(&rig.engine, 5000); /* it joins nothing */
    memory_transport_poll(b.mt);
    rig_advance(&rig.engine, 60000);
    told(" closed(forced close)");
}

static void visit(sio_socket *socket, void *arg)
{
    sio_rig_tell(&rig, " %s", sio_namespace_name(socket->nsp));
    if (arg != NULL) {
        sio_socket_disconnect(socket);
    }
}

static void test_sockets(void **state)
{
    (void)state;
    sio_peer a = sio_rig_join(&rig, "a");
    sio_socket *root = sio_socket_ref(sio_peer_socket(&a, "/"));
    sio_conn *conn = sio_socket_conn(root);
    assert_non_null(conn);
    assert_string_equal(sio_conn_id(conn), sio_socket_session_id(root));
    assert_string_equal(sio_conn_transport(conn), "websocket");
    assert_null(sio_conn_socket(conn, "/b"));
    sio_peer_send(&a, "0/b,");
    sio_socket *other = sio_peer_socket(&a, "/b");
    assert_ptr_equal(sio_conn_socket(conn, "/b"), other);
    assert_ptr_equal(sio_conn_socket(conn, "/"), root);
    assert_ptr_equal(sio_socket_conn(other), conn);
    sio_conn_each_socket(conn, visit, NULL);
    sio_conn_each_socket(conn, visit, conn);
    told(" / /b / /b");
    sio_conn_each_socket(conn, visit, NULL);
    assert_null(sio_conn_socket(conn, "/b"));
    told("");
    sio_conn_close(conn);
    rig_turn(&rig.engine);
    assert_null(sio_socket_conn(root));
    sio_socket_unref(root);
}

static void test_fixed(void **state)
{
    (void)state;
    rig.core.fixed = true;
    assert_int_equal(sio_core_on_conn(&rig.core, &rig.core.conn.packet,
                                      (void (*)(void))show, NULL),
                     SIO_ERR_STATE);
    assert_null(rig.engine.engine.tap);
    rig.core.fixed = false;
    assert_int_equal(sio_core_on_conn(&rig.core, &rig.core.conn.closed,
                                      (void (*)(void))on_closed, NULL),
                     SIO_OK);
    assert_null(rig.engine.engine.tap); /* packets keep to their short way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_packets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_packet_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opened, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opened_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fixed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
