#include "engineio/engine.h"

#include <stdlib.h>

#include "engineio/session_impl.h"

static sio_bytes sid_of(const sio_map_node *node)
{
    const eio_session *s = SIO_OWNER(node, eio_session, node);
    return (sio_bytes){(const uint8_t *)eio_session_sid(s), s->sid_len};
}

static sio_frame *fixed(const char *text)
{
    sio_frame *frame = sio_frame_new(NULL, strlen(text));
    if (frame != NULL) {
        memcpy(frame->data, text, strlen(text));
    }
    return frame;
}

static void free_fixed(eio_engine *engine)
{
    sio_frame_unref(engine->ping);
    sio_frame_unref(engine->pong);
    sio_frame_unref(engine->noop);
    sio_frame_unref(engine->close);
    sio_frame_unref(engine->probe);
}

sio_error eio_engine_init(eio_engine *engine)
{
    sio_hash_key secret;
    sio_error err = sio_random_fill(engine->random, &secret, sizeof(secret));
    if (err != SIO_OK) {
        return err;
    }
    engine->ping = fixed("2");
    engine->pong = fixed("3");
    engine->noop = fixed("6");
    engine->close = fixed("1");
    engine->probe = fixed("3probe");
    if (engine->ping == NULL || engine->pong == NULL || engine->noop == NULL ||
        engine->close == NULL || engine->probe == NULL) {
        free_fixed(engine);
        return SIO_ERR_NO_MEMORY;
    }
    sio_map_init(&engine->sessions, sid_of, secret);
    return SIO_OK;
}

unsigned eio_engine_home(const eio_engine *engine, sio_bytes sid)
{
    const eio_partition *partition = engine->partition;
    if (partition == NULL || partition->count <= 1) {
        return engine->index;
    }
    return (unsigned)(sio_hash(&partition->secret, sid) % partition->count);
}

/* A random id that belongs to this engine: what is drawn is counted up until
 * it does, which takes as many steps as there are engines, on average. */
sio_error eio_sid_make(const eio_engine *engine, char out[SIO_TOKEN_LEN + 1])
{
    sio_error err = sio_token_make(engine->random, out);
    sio_bytes sid = {(const uint8_t *)out, EIO_SID_LEN};
    while (err == SIO_OK && eio_engine_home(engine, sid) != engine->index) {
        sio_token_next(out);
    }
    return err;
}

void eio_engine_deinit(eio_engine *engine)
{
    sio_map_deinit(&engine->sessions);
    free_fixed(engine);
}

/* Needs no memory, but the first of each walk has to be searched for. */
static void close_one_by_one(eio_engine *engine)
{
    sio_map_node *node;
    sio_map_walk walk = sio_map_walk_start(&engine->sessions);
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        eio_session_close(SIO_OWNER(node, eio_session, node), EIO_CLOSE_NOW);
        walk = sio_map_walk_start(&engine->sessions);
    }
}

void eio_engine_close_all(eio_engine *engine, eio_close_mode mode)
{
    /* Closing one may close others, so they are taken down first; their memory
     * stays until the turn ends. */
    size_t count = 0;
    eio_session **all = malloc((engine->sessions.count + 1) * sizeof(*all));
    sio_map_walk walk = sio_map_walk_start(&engine->sessions);
    sio_map_node *node;
    if (all == NULL) {
        close_one_by_one(engine);
        return;
    }
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        all[count++] = SIO_OWNER(node, eio_session, node);
    }
    for (size_t i = 0; i < count; i++) {
        eio_session_shut(all[i], mode);
    }
    free(all);
    if (mode == EIO_CLOSE_NOW) {
        close_one_by_one(engine); /* what was opened by who was told */
    }
}

eio_session *eio_engine_next(const eio_engine *engine, uint64_t *cursor)
{
    sio_map_walk walk = sio_map_walk_from(&engine->sessions, *cursor);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        eio_session *s = SIO_OWNER(node, eio_session, node);
        *cursor = node->hash == UINT64_MAX ? UINT64_MAX : node->hash + 1;
        if (s->state != EIO_STATE_CLOSING && s->state != EIO_STATE_UPGRADING) {
            return s;
        }
    }
    return NULL;
}

bool eio_engine_in_use(const eio_engine *engine)
{
    sio_map_walk walk = sio_map_walk_start(&engine->sessions);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        if (SIO_OWNER(node, eio_session, node)->state != EIO_STATE_CLOSING) {
            return true;
        }
    }
    return false;
}

const char *eio_reason_text(eio_reason reason)
{
    switch (reason) {
    case EIO_REASON_TRANSPORT_CLOSE:
        return "transport close";
    case EIO_REASON_TRANSPORT_ERROR:
        return "transport error";
    case EIO_REASON_PARSE_ERROR:
        return "parse error";
    case EIO_REASON_PING_TIMEOUT:
        return "ping timeout";
    case EIO_REASON_FORCED_CLOSE:
        return "forced close";
    }
    return "";
}
