#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/engine_rig.h"

/* Linked with --wrap for these: memory that runs short while the engine is at
 * work, and only then. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

typedef struct shortage {
    bool on;      /* allocations are counted */
    bool lasting; /* all that follow fail, too */
    size_t at;    /* the first that fails */
    size_t count;
} shortage;

static shortage now;

static bool is_short(void)
{
    if (!now.on) {
        return false;
    }
    size_t nth = now.count++;
    return now.lasting ? nth >= now.at : nth == now.at;
}

void *__wrap_malloc(size_t size)
{
    return is_short() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_short() ? NULL : __real_calloc(count, size);
}

/* The layer above has its own memory. */
static eio_session_events spared;
static const eio_session_events *above;

static void on_opened(void *app, eio_session *session)
{
    now.on = false;
    above->opened(app, session);
    now.on = true;
}

static void spare_above(engine_rig *rig)
{
    above = rig->engine.events;
    spared = *above;
    spared.opened = on_opened;
    rig->engine.events = &spared;
}

static void give(memory_transport *mt, eio_packet_type type, sio_bytes data)
{
    eio_packet packet = {type, EIO_FORM_TEXT, data};
    if (memory_transport_alive(mt)) {
        eio_transport *tp = memory_transport_base(mt);
        now.on = true;
        tp->events->packet(tp->owner, tp, &packet);
        now.on = false;
    }
}

static void turn(engine_rig *rig, uint64_t ms)
{
    now.on = true;
    rig_advance(rig, ms);
    now.on = false;
}

static rig_client *open_short(engine_rig *rig)
{
    memory_transport *mt = rig_transport(rig, MEMORY_POLLING);
    eio_request *request = rig_request();
    memory_transport_poll(mt);
    rig->opening = mt;
    now.on = true;
    sio_error err =
        eio_session_open(&rig->engine, memory_transport_base(mt), request);
    now.on = false;
    if (err != SIO_OK) {
        assert_int_equal(err, SIO_ERR_NO_MEMORY);
        assert_true(memory_transport_alive(mt));
        memory_transport_drop(mt, SIO_OK);
        rig_turn(rig);
        assert_int_equal(rig->engine.sessions.count, 0);
        return NULL;
    }
    return SIO_OWNER(rig->clients.prev, rig_client, link);
}

static void send_short(rig_client *client, size_t count)
{
    for (size_t i = 0; i < count && client->session != NULL; i++) {
        now.on = true;
        sio_error err = i % 2 == 0 ? rig_send(client, "text")
                                   : rig_send_binary(client, SIO_LIT("\1"));
        now.on = false;
        assert_true(err == SIO_OK || err == SIO_ERR_NO_MEMORY ||
                    err == SIO_ERR_CLOSED);
    }
}

static memory_transport *probe_short(rig_client *client)
{
    if (client->session == NULL) {
        return NULL;
    }
    memory_transport *mt = rig_transport(client->rig, MEMORY_WEBSOCKET);
    now.on = true;
    sio_error err =
        eio_session_probe(client->session, memory_transport_base(mt));
    now.on = false;
    if (err != SIO_OK) {
        assert_int_equal(err, SIO_ERR_NO_MEMORY);
        assert_true(memory_transport_alive(mt));
        memory_transport_drop(mt, SIO_OK);
        return NULL;
    }
    return mt;
}

/* A life with all that takes memory. */
static void live(engine_rig *rig)
{
    rig_client *client = open_short(rig);
    if (client == NULL) {
        return;
    }
    send_short(client, 3);
    turn(rig, 0);
    send_short(client, 20);
    memory_transport *mt = probe_short(client);
    if (mt != NULL) {
        give(mt, EIO_PACKET_PING, SIO_LIT("probe"));
        turn(rig, 100);
        give(mt, EIO_PACKET_UPGRADE, SIO_LIT(""));
        send_short(client, 20);
        turn(rig, 0);
        give(mt, EIO_PACKET_MESSAGE, SIO_LIT("hi"));
    }
    turn(rig, 25000);
    if (client->session != NULL) {
        send_short(client, 3);
        now.on = true;
        eio_session_close(client->session, EIO_CLOSE_LINGER);
        now.on = false;
    }
    turn(rig, 60000);
    assert_int_equal(client->events[RIG_CLOSED], 1);
}

static void test_sessions(void **state)
{
    (void)state;
    size_t longest = 0;
    for (int lasting = 0; lasting < 2; lasting++) {
        for (size_t at = 0;; at++) {
            engine_rig rig;
            rig_init(&rig);
            spare_above(&rig);
            now = (shortage){.lasting = lasting != 0, .at = at};
            live(&rig);
            size_t count = now.count;
            rig_deinit(&rig);
            if (count <= at) {
                break;
            }
            longest = at;
        }
    }
    assert_in_range(longest, 10, 1000);
}

static void test_engine(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    sio_error err;
    size_t at = 0;
    do {
        eio_engine engine = rig.engine;
        now = (shortage){.on = true, .at = at++};
        err = eio_engine_init(&engine);
        now.on = false;
        if (err == SIO_OK) {
            eio_engine_deinit(&engine);
        } else {
            assert_int_equal(err, SIO_ERR_NO_MEMORY);
        }
    } while (err != SIO_OK);
    assert_int_equal(at, 6);
    rig_deinit(&rig);
}

/* Closing all needs no memory. */
static void test_close_all(void **state)
{
    (void)state;
    engine_rig rig;
    rig_init(&rig);
    rig_client *client = rig_open(&rig, MEMORY_WEBSOCKET);
    now = (shortage){.on = true};
    eio_engine_close_all(&rig.engine, EIO_CLOSE_NOW);
    now.on = false;
    assert_int_equal(client->events[RIG_CLOSED], 1);
    rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
