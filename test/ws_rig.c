#include "test/ws_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static void put(sio_buf *buf, sio_bytes bytes)
{
    REQUIRE(sio_buf_append(buf, bytes) == SIO_OK);
}

static void put_code(sio_buf *buf, const char *what, sio_error err)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%s %d;", what, (int)err);
    put(buf, (sio_bytes){(const uint8_t *)text, (size_t)len});
}

static void echo(ws_rig *rig, const eio_packet *packet)
{
    sio_buf text = {0};
    if (packet->form == EIO_FORM_TEXT) {
        put(&text, SIO_LIT("4"));
    }
    put(&rig->echoed,
        packet->form == EIO_FORM_TEXT ? SIO_LIT("4[") : SIO_LIT("b["));
    put(&rig->echoed, packet->data);
    put(&rig->echoed, SIO_LIT("];"));
    put(&text, packet->data);
    uint8_t *at = rig->in_place && packet->form == EIO_FORM_TEXT
                      ? rig->tp->ops->place(rig->tp, text.len)
                      : NULL;
    if (at != NULL) {
        memcpy(at, text.base, text.len);
        rig->placed++;
    } else {
        REQUIRE(ws_rig_send(rig, sio_buf_view(&text), packet->form) == SIO_OK);
    }
    sio_buf_deinit(&text);
}

static void on_packet(void *owner, eio_transport *tp, const eio_packet *packet)
{
    ws_rig *rig = owner;
    uint8_t type = (uint8_t)('0' + packet->type);
    REQUIRE(tp == rig->tp && !rig->closed && rig->gone == 0);
    REQUIRE(packet->form != EIO_FORM_BASE64);
    bool binary = packet->form == EIO_FORM_BINARY;
    put(&rig->told, binary ? SIO_LIT("b") : (sio_bytes){&type, 1});
    put(&rig->told, SIO_LIT("["));
    put(&rig->told, packet->data);
    put(&rig->told, SIO_LIT("];"));
    if (rig->echo && packet->type == EIO_PACKET_MESSAGE) {
        echo(rig, packet);
    }
}

static void on_drained(void *owner, eio_transport *tp)
{
    ws_rig *rig = owner;
    REQUIRE(tp == rig->tp && !rig->closed && rig->gone == 0);
    REQUIRE(tp->writable && tp->unsent == 0);
    rig->drained++;
}

static void on_failed(void *owner, eio_transport *tp, sio_error why)
{
    ws_rig *rig = owner;
    REQUIRE(tp == rig->tp && !rig->closed && rig->gone == 0 && why < 0);
    rig->failed++;
    put_code(&rig->told, "failed", why);
    ws_rig_close(rig, EIO_CLOSE_NOW);
}

static void on_gone(void *owner, eio_transport *tp, sio_error why)
{
    ws_rig *rig = owner;
    REQUIRE(tp == rig->tp && rig->gone == 0 && !tp->writable);
    rig->gone++;
    put_code(&rig->told, "gone", why);
}

static const eio_transport_events events = {
    .packet = on_packet,
    .drained = on_drained,
    .failed = on_failed,
    .gone = on_gone,
};

static void on_ended(void *owner, tp_websocket *ws)
{
    ws_rig *rig = owner;
    REQUIRE(ws == rig->ws && rig->ended == 0 && rig->ms.closed);
    rig->ended++;
}

void ws_rig_init(ws_rig *rig, bool base64, size_t room)
{
    ws_rig_init_as(rig, &eio_protocol_4, base64, room);
}

void ws_rig_init_as(ws_rig *rig, const eio_protocol *protocol, bool base64,
                    size_t room)
{
    *rig = (ws_rig){
        .config = {.limits = {.max_message = 1000, .max_fragments = 100},
                   .close_timeout = 5000},
    };
    static const eio_config config = {.max_backlog = 1000000};
    memory_loop_init(&rig->loop, NULL);
    memory_stream_init(&rig->ms);
    rig->engine.config = &config;
    rig->ms.room = room;
    rig->home = (tp_websocket_home){
        .loop = &rig->loop,
        .engine = &rig->engine,
        .protocol = protocol,
        .config = &rig->config,
        .gone = on_ended,
        .owner = rig,
    };
    rig->ws = tp_websocket_new(&rig->home, &rig->ms.base,
                               SIO_LIT(WS_RIG_RESPONSE), base64, &rig->deflate);
    REQUIRE(rig->ws != NULL);
    rig->tp = tp_websocket_base(rig->ws);
    REQUIRE(rig->tp->writable);
    rig->tp->events = &events;
    rig->tp->owner = rig;
}

void ws_rig_deinit(ws_rig *rig)
{
    if (rig->ended == 0) {
        tp_websocket_abort(rig->ws);
    }
    memory_loop_deinit(&rig->loop);
    REQUIRE(rig->ended == 1 && rig->gone == 1);
    memory_stream_deinit(&rig->ms);
    sio_buf_deinit(&rig->echoed);
    sio_buf_deinit(&rig->told);
}

sio_error ws_rig_send(ws_rig *rig, sio_bytes bytes, eio_form form)
{
    sio_frame *frame = sio_frame_new(&rig->loop.frames, bytes.len);
    REQUIRE(frame != NULL && rig->tp->writable);
    if (bytes.len != 0) {
        memcpy(frame->data, bytes.base, bytes.len);
    }
    sio_error err = rig->tp->ops->send(rig->tp, frame, form);
    sio_frame_unref(frame);
    return err;
}

void ws_rig_close(ws_rig *rig, eio_close_mode mode)
{
    rig->closed = true;
    rig->tp->ops->close(rig->tp, mode);
}

void ws_rig_settle(ws_rig *rig, size_t room)
{
    memory_loop_turn(&rig->loop);
    while ((rig->ms.blocked && !rig->ms.closed) ||
           !sio_list_empty(&rig->loop.dirty)) {
        memory_stream_drain(&rig->ms, room);
        memory_loop_turn(&rig->loop);
    }
}

void ws_rig_frame(sio_buf *out, uint8_t first, sio_bytes payload)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t head[10] = {first};
    size_t head_len = 2;
    if (payload.len < 126) {
        head[1] = (uint8_t)(0x80 | payload.len);
    } else {
        size_t width = payload.len <= UINT16_MAX ? 2 : 8;
        head[1] = width == 2 ? 0xfe : 0xff;
        for (size_t i = 0; i < width; i++) {
            head[1 + width - i] = (uint8_t)(payload.len >> 8 * i);
        }
        head_len += width;
    }
    put(out, (sio_bytes){head, head_len});
    put(out, (sio_bytes){mask, sizeof(mask)});
    for (size_t i = 0; i < payload.len; i++) {
        uint8_t byte = payload.base[i] ^ mask[i % 4];
        put(out, (sio_bytes){&byte, 1});
    }
}

bool ws_rig_next(sio_bytes out, size_t *at, ws_rig_seen *seen)
{
    tp_ws_header h;
    sio_bytes rest = {out.base + *at, out.len - *at};
    if (tp_ws_header_decode(rest, false, &h) != SIO_OK) {
        REQUIRE(rest.len < TP_WS_HEADER_MAX);
        return false;
    }
    REQUIRE(!h.masked && h.fin);
    if (h.payload > rest.len - h.size) {
        return false;
    }
    *seen = (ws_rig_seen){(uint8_t)h.opcode,
                          {rest.base + h.size, (size_t)h.payload}};
    *at += h.size + (size_t)h.payload;
    return true;
}
