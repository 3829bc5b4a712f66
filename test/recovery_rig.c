#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/recovery_rig.h"

sio_rig rig;
sio_namespace *nsp;

void open_rig(size_t max_packets, size_t max_bytes, bool skip)
{
    sio_rig_init(&rig);
    rig.core.recovery =
        (sio_recovery_limits){WINDOW, skip, max_packets, max_bytes};
    nsp = sio_rig_of(&rig, "/r");
    sio_rig_listen(nsp);
    assert_non_null(sio_local_make(nsp, &rig.loop));
}

int set_up(void **state)
{
    (void)state;
    open_rig(1000, 1000000, true);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    sio_rig_close(&rig);
    sio_loop_close(&rig.loop);
    sio_rig_free(&rig);
    return 0;
}

const sio_recovery *recovery(void)
{
    return sio_local_of(nsp, &rig.loop)->recovery;
}

uint64_t counter(sio_counter which)
{
    return sio_metric_get(&rig.engine.counters[which]);
}

/* Copies what stands between `before`, at its last place, and a quote. */
static void pick_text(const char *said, const char *before, char *out,
                      size_t cap)
{
    const char *at = said, *found = NULL;
    while ((at = strstr(at, before)) != NULL) {
        at += strlen(before);
        found = at;
    }
    assert_non_null(found);
    size_t len = strcspn(found, "\"");
    assert_true(len < cap);
    memcpy(out, found, len);
    out[len] = '\0';
}

void read_session(const sio_peer *peer, const char *said, session *s)
{
    pick_text(said, "\"pid\":\"", s->pid, sizeof(s->pid));
    assert_int_equal(strlen(s->pid), SIO_TOKEN_LEN);
    memcpy(s->sid, sio_peer_socket(peer, "/r")->id, sizeof(s->sid));
}

sio_peer join(const char *name, session *s)
{
    sio_peer peer = sio_rig_open(&rig, MEMORY_WEBSOCKET, name);
    sio_peer_send(&peer, "0/r,");
    read_session(&peer, sio_peer_said(&peer), s);
    s->offset[0] = '\0';
    return peer;
}

/* Keeps the offset of the latest event in `said`. */
void note_offset(session *s, const char *said)
{
    pick_text(said, ",\"", s->offset, sizeof(s->offset));
}

sio_peer resume_by(memory_kind kind, const char *name, const session *s)
{
    char text[256];
    sio_peer peer = sio_rig_open(&rig, kind, name);
    int len = snprintf(text, sizeof(text),
                       "0/r,{\"token\":[1,{\"pid\":2}],\"pid\":\"%s\","
                       "\"offset\":\"%s\"}",
                       s->pid, s->offset);
    assert_true(len > 0 && (size_t)len < sizeof(text));
    sio_peer_send(&peer, text);
    return peer;
}

sio_peer resume(const char *name, const session *s)
{
    return resume_by(MEMORY_WEBSOCKET, name, s);
}

void drop(const sio_peer *peer)
{
    memory_transport_drop(peer->mt, SIO_OK);
    rig_turn(&rig.engine);
}

void emit_all(const char *event)
{
    assert_int_equal(
        sio_broadcast_emit(sio_namespace_broadcast(nsp), event, NULL), SIO_OK);
}

/* The names of the events in `said`, and `+` where it is connected. */
const char *names(const char *said)
{
    static char out[1024];
    size_t len = 0;
    const char *at = said;
    while ((at = strchr(at, ' ')) != NULL) {
        at++;
        const char *name = strstr(at, ",[\"");
        if (strncmp(at, "40/r,", 5) == 0) {
            out[len++] = '+';
        } else if (strncmp(at, "42/r,", 5) == 0 && name != NULL) {
            size_t n = strcspn(name + 3, "\"");
            memcpy(out + len, name + 3, n);
            len += n;
        }
    }
    out[len] = '\0';
    return out;
}

bool recovered(const sio_peer *peer, const session *s)
{
    const sio_socket *socket = sio_peer_socket(peer, "/r");
    assert_non_null(socket);
    bool same = strcmp(socket->id, s->sid) == 0;
    assert_int_equal(sio_socket_recovered(socket), same);
    return same;
}
