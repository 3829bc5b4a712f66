#include "test/http_peer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool is_busy(const http_rig *rig)
{
    return rig->asked || (rig->ms.blocked && !rig->ms.closed) ||
           !sio_list_empty(&rig->loop.dirty);
}

void http_peer_settle(http_rig *rig, size_t room)
{
    memory_loop_turn(&rig->loop);
    for (int i = 0; is_busy(rig); i++) {
        assert_true(i < 1000000);
        if (rig->asked) {
            http_rig_answer(rig);
        }
        if (rig->ms.blocked) {
            memory_stream_drain(&rig->ms, room);
        }
        memory_loop_turn(&rig->loop);
    }
}

void http_peer_feed(http_rig *rig, sio_bytes in, size_t room)
{
    size_t at = 0;
    while (at < in.len) {
        size_t n = memory_stream_feed(
            &rig->ms, (sio_bytes){in.base + at, in.len - at}, 0);
        http_peer_settle(rig, room);
        if (n == 0) {
            return;
        }
        at += n;
    }
}

void http_peer_say(http_rig *rig, const char *text)
{
    http_peer_feed(rig, (sio_bytes){(const uint8_t *)text, strlen(text)},
                   SIZE_MAX);
}

void http_peer_expect(http_rig *rig, const char *text)
{
    assert_true(sio_buf_append(&rig->ms.out, SIO_LIT("\0")) == SIO_OK);
    assert_string_equal((const char *)rig->ms.out.base, text);
    sio_buf_deinit(&rig->ms.out);
}
