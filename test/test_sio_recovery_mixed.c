#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                                     head.nsp, SIO_LIT("Wx3kQ1a"));
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
        cmocka_unit_test(test_child),  cmocka_unit_test(test_child_at_close),
        WITH_RIG(test_nobody),         WITH_RIG(test_listeners),
        cmocka_unit_test(test_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
