#include "test/memory_transport.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

typedef struct memory_shell {
    eio_transport base;
    memory_transport *record;
} memory_shell;

static memory_transport *of(eio_transport *tp)
{
    return SIO_OWNER(tp, memory_shell, base)->record;
}

/* --------------------------------------------------- what the peer sees -- */

/* Appends what fits. */
__attribute__((format(printf, 2, 3))) static void say(memory_transport *mt,
                                                      const char *fmt, ...)
{
    if (mt->was_read) {
        mt->was_read = false;
        mt->len = 0;
    }
    va_list args;
    va_start(args, fmt);
    int n =
        vsnprintf(mt->said + mt->len, sizeof(mt->said) - mt->len, fmt, args);
    va_end(args);
    REQUIRE(n >= 0);
    size_t room = sizeof(mt->said) - 1 - mt->len;
    mt->len += (size_t)n < room ? (size_t)n : room;
}

static void say_packet(memory_transport *mt, const sio_frameq_entry *entry)
{
    const sio_frame *frame = entry->frame;
    if (entry->flags == EIO_FORM_TEXT) {
        say(mt, "%.*s", (int)frame->len, (const char *)frame->data);
        return;
    }
    say(mt, "b");
    for (size_t i = 0; i < frame->len; i++) {
        say(mt, "%02x", frame->data[i]);
    }
}

static void say_queue(memory_transport *mt)
{
    bool polling = mt->kind == MEMORY_POLLING;
    const sio_frameq_entry *entry;
    const char *before = polling ? " [" : " ";
    while ((entry = sio_frameq_first(&mt->queue)) != NULL) {
        say(mt, "%s", before);
        say_packet(mt, entry);
        sio_frameq_pop(&mt->queue, mt->chunks);
        before = polling ? "|" : " ";
    }
    mt->shell->base.unsent = 0;
    mt->shell->base.held = 0;
}

/* Answers the waiting poll with what is queued and then `last`. */
static void answer(memory_transport *mt, const char *last)
{
    bool alone = sio_frameq_empty(&mt->queue);
    REQUIRE(mt->polled);
    mt->polled = false;
    mt->shell->base.writable = false;
    say_queue(mt);
    say(mt, "%s%s]", last[0] == '\0' ? "" : alone ? " [" : "|", last);
}

const char *memory_transport_said(memory_transport *mt)
{
    if (mt->was_read) {
        mt->len = 0;
    }
    mt->said[mt->len] = '\0';
    mt->was_read = true;
    return mt->said;
}

/* ------------------------------------------------------------ operations -- */

static sio_error send_frame(eio_transport *tp, sio_frame *frame, eio_form form)
{
    memory_transport *mt = of(tp);
    REQUIRE(tp->writable && !mt->closed && !mt->gone);
    form =
        (eio_form)(form & ~(unsigned)EIO_FORM_PLAIN); /* it never compresses */
    REQUIRE(form == EIO_FORM_TEXT || form == EIO_FORM_BINARY);
    if (mt->passing != 0) {
        mt->passing--;
    } else if (mt->failing != 0) {
        mt->failing--;
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = sio_frameq_push(&mt->queue, mt->chunks, frame, form);
    tp->unsent = sio_frameq_bytes(&mt->queue);
    tp->held = (uint32_t)sio_frameq_count(&mt->queue);
    if (err == SIO_OK && mt->kind == MEMORY_POLLING && !mt->greeted) {
        mt->greeted = true;
        answer(mt, "");
    }
    return err;
}

/* What lingers may still be closed at once. */
static void close_transport(eio_transport *tp, eio_close_mode mode)
{
    memory_transport *mt = of(tp);
    REQUIRE(!mt->gone);
    REQUIRE(!mt->closed || (mt->lingering && mode == EIO_CLOSE_NOW));
    mt->lingers += mode == EIO_CLOSE_LINGER;
    mt->nows += mode == EIO_CLOSE_NOW;
    mt->closed = true;
    mt->lingering = false;
    if (mode == EIO_CLOSE_NOW) {
        sio_frameq_clear(&mt->queue, mt->chunks);
    }
    if (mt->kind == MEMORY_WEBSOCKET) {
        say_queue(mt);
        say(mt, " close");
    } else if (mt->polled) {
        answer(mt, "1");
    } else {
        mt->lingering = mode == EIO_CLOSE_LINGER;
    }
    tp->writable = false;
}

static void release(eio_transport *tp)
{
    memory_transport *mt = of(tp);
    REQUIRE(!mt->closed && !mt->gone);
    mt->releases++;
    if (mt->polled) {
        mt->owes = !sio_frameq_empty(&mt->queue);
        answer(mt, "6");
    }
}

static void pause_reading(eio_transport *tp, bool paused)
{
    memory_transport *mt = of(tp);
    REQUIRE(!mt->gone);
    mt->pauses += paused;
    mt->paused = paused;
}

static const eio_transport_ops polling_ops = {
    .name = "polling",
    .counter = SIO_COUNTER_SESSIONS_POLLING,
    .can_take_over = false,
    .send = send_frame,
    .close = close_transport,
    .release = release,
    .pause = pause_reading,
};

static const eio_transport_ops websocket_ops = {
    .name = "websocket",
    .counter = SIO_COUNTER_SESSIONS_WEBSOCKET,
    .can_take_over = true,
    .send = send_frame,
    .close = close_transport,
    .pause = pause_reading,
};

memory_transport *memory_transport_new(memory_kind kind, sio_chunk_pool *chunks)
{
    memory_transport *mt = calloc(1, sizeof(*mt));
    memory_shell *shell = calloc(1, sizeof(*shell));
    if (mt == NULL || shell == NULL) {
        free(mt);
        free(shell);
        return NULL;
    }
    mt->kind = kind;
    mt->chunks = chunks;
    mt->shell = shell;
    shell->record = mt;
    shell->base.ops = kind == MEMORY_POLLING ? &polling_ops : &websocket_ops;
    shell->base.writable = kind == MEMORY_WEBSOCKET;
    eio_transport_orphan(&shell->base);
    return mt;
}

void memory_transport_free(memory_transport *mt)
{
    sio_frameq_clear(&mt->queue, mt->chunks);
    free(mt->shell);
    free(mt);
}

eio_transport *memory_transport_base(const memory_transport *mt)
{
    return mt->shell == NULL ? NULL : &mt->shell->base;
}

bool memory_transport_alive(const memory_transport *mt)
{
    return !mt->closed && !mt->gone;
}

/* ------------------------------------------------------------------ news -- */

static void end(memory_transport *mt, sio_error why)
{
    eio_transport *tp = &mt->shell->base;
    REQUIRE(!mt->gone);
    mt->gone = true;
    mt->lingering = false;
    mt->polled = false;
    tp->writable = false;
    tp->unsent = 0;
    tp->held = 0;
    sio_frameq_clear(&mt->queue, mt->chunks);
    tp->events->gone(tp->owner, tp, why);
    free(mt->shell);
    mt->shell = NULL;
}

void memory_transport_poll(memory_transport *mt)
{
    if (mt->kind == MEMORY_WEBSOCKET || mt->gone ||
        (mt->closed && !mt->lingering)) {
        return;
    }
    if (mt->polled) {
        memory_transport_fail(mt, SIO_ERR_OVERLAP);
        return;
    }
    eio_transport *tp = &mt->shell->base;
    mt->polled = true;
    if (mt->lingering) {
        answer(mt, "6|1");
        end(mt, SIO_OK);
        return;
    }
    tp->writable = true;
    tp->events->drained(tp->owner, tp);
}

static void deliver(memory_transport *mt, const eio_packet *packet)
{
    eio_transport *tp = &mt->shell->base;
    tp->events->packet(tp->owner, tp, packet);
}

/* Decodes in place. */
static void deliver_text(memory_transport *mt, sio_bytes text)
{
    eio_packet packet;
    sio_error err = eio_packet_decode_text(text, &packet);
    if (err == SIO_OK && packet.form == EIO_FORM_BASE64) {
        uint8_t *out = (uint8_t *)(uintptr_t)packet.data.base;
        err = sio_base64_decode(packet.data, out, &packet.data.len);
        packet.form = EIO_FORM_BINARY;
    }
    if (err == SIO_OK) {
        deliver(mt, &packet);
    } else {
        memory_transport_fail(mt, err);
    }
}

/* A copy as long as the bytes are, where one read too many is seen. */
static uint8_t *copy_of(sio_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    REQUIRE(copy != NULL);
    if (bytes.len != 0) {
        memcpy(copy, bytes.base, bytes.len);
    }
    return copy;
}

void memory_transport_text(memory_transport *mt, sio_bytes text)
{
    uint8_t *copy = copy_of(text);
    sio_bytes whole = {copy, text.len}, packet;
    eio_payload it = {.rest = whole};
    if (mt->kind == MEMORY_WEBSOCKET && memory_transport_alive(mt)) {
        deliver_text(mt, whole);
    }
    while (mt->kind == MEMORY_POLLING && memory_transport_alive(mt) &&
           eio_payload_next(&it, &packet)) {
        deliver_text(mt, packet);
    }
    free(copy);
}

void memory_transport_binary(memory_transport *mt, sio_bytes bytes)
{
    if (!memory_transport_alive(mt)) {
        return;
    }
    uint8_t *copy = copy_of(bytes);
    eio_packet packet = {
        EIO_PACKET_MESSAGE, EIO_FORM_BINARY, {copy, bytes.len}};
    deliver(mt, &packet);
    free(copy);
}

void memory_transport_fail(memory_transport *mt, sio_error why)
{
    if (memory_transport_alive(mt)) {
        eio_transport *tp = &mt->shell->base;
        tp->events->failed(tp->owner, tp, why);
        REQUIRE(mt->closed);
    } else if (mt->lingering) {
        end(mt, why);
    }
}

void memory_transport_drop(memory_transport *mt, sio_error why)
{
    if (!mt->gone) {
        end(mt, why);
    }
}

static bool leaves(const memory_transport *mt)
{
    return !sio_frameq_empty(&mt->queue) && !mt->slow &&
           (mt->kind == MEMORY_WEBSOCKET || mt->polled);
}

void memory_transport_turn(memory_transport *mt)
{
    if (mt->gone) {
        return;
    }
    if (mt->closed) {
        if (!mt->lingering) {
            end(mt, SIO_OK);
        }
        return;
    }
    eio_transport *tp = &mt->shell->base;
    bool drained = mt->owes;
    mt->owes = false;
    if (leaves(mt)) {
        drained = true;
        if (mt->kind == MEMORY_POLLING) {
            answer(mt, "");
        } else {
            say_queue(mt);
        }
    }
    if (drained) {
        tp->events->drained(tp->owner, tp);
    }
}
