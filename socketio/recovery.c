#include "socketio/recovery.h"

#include <stdlib.h>

#include "socketio/parent.h"

static sio_bytes saved_key(const sio_map_node *node)
{
    const sio_saved *saved = SIO_OWNER(node, sio_saved, node);
    return (sio_bytes){(const uint8_t *)saved->pid, SIO_TOKEN_LEN};
}

static sio_bytes aim_key(const sio_map_node *node)
{
    const sio_aim *aim = SIO_OWNER(node, sio_aim, node);
    return (sio_bytes){(const uint8_t *)aim->name, aim->len};
}

static eio_engine *engine_of(const sio_recovery *recovery)
{
    return recovery->local->loop->engine;
}

/* Each loop's row is in lines of the cache of its own. */
sio_error sio_recovery_init_core(sio_core *core)
{
    size_t row = core->loop_count + 8;
    sio_lock_init(&core->foreign_lock);
    if (core->recovery.window == 0 || core->loop_count == 1) {
        return SIO_OK;
    }
    core->heard = calloc(core->loop_count * row, sizeof(*core->heard));
    return core->heard == NULL ? SIO_ERR_NO_MEMORY : SIO_OK;
}

void sio_recovery_deinit_core(sio_core *core)
{
    free(core->heard);
    sio_lock_deinit(&core->foreign_lock);
}

/* ----------------------------------------------------- all sessions, by pid --
 */

void sio_recovery_init_pids(sio_namespace *nsp)
{
    sio_lock_init(&nsp->pids_lock);
    sio_map_init(&nsp->pids, saved_key, nsp->core->secret);
}

void sio_recovery_deinit_pids(sio_namespace *nsp)
{
    sio_map_deinit(&nsp->pids);
    sio_lock_deinit(&nsp->pids_lock);
}

/* Where a session is. */
typedef struct whereabouts {
    sio_saved *saved; /* NULL: nowhere */
    sio_recovery *recovery;
    bool moving;
} whereabouts;

/* What is found on another loop may go as soon as the lock is left. */
static whereabouts find_where(sio_namespace *nsp, sio_bytes pid)
{
    whereabouts found = {0};
    sio_lock_take(&nsp->pids_lock);
    sio_map_node *node = sio_map_find(&nsp->pids, pid);
    if (node != NULL) {
        found.saved = SIO_OWNER(node, sio_saved, node);
        found.recovery = found.saved->recovery;
        found.moving = found.saved->moving;
    }
    sio_lock_leave(&nsp->pids_lock);
    return found;
}

sio_loop *sio_recovery_find_loop(sio_namespace *nsp, sio_bytes pid)
{
    whereabouts found = find_where(nsp, pid);
    return found.saved == NULL ? NULL : found.recovery->local->loop;
}

bool sio_recovery_is_coming(sio_namespace *nsp, sio_bytes pid,
                            const sio_loop *loop)
{
    whereabouts found = find_where(nsp, pid);
    return found.moving && found.recovery->local->loop == loop;
}

sio_saved *sio_recovery_find(const sio_recovery *recovery, sio_bytes pid)
{
    whereabouts found = find_where(recovery->local->nsp, pid);
    bool here = found.recovery == recovery && !found.moving;
    return here ? found.saved : NULL;
}

void sio_recovery_enter(sio_recovery *recovery)
{
    sio_local *local = recovery->local;
    recovery->sessions++;
    if (!sio_link_used(&local->active.link)) {
        sio_list_append(&local->loop->active, &local->active.link);
    }
}

void sio_recovery_leave(sio_recovery *recovery)
{
    if (--recovery->sessions == 0) {
        sio_recovery_clear_log(recovery); /* nobody can come for it */
        if (recovery->local->listed == 0) {
            sio_link_drop(&recovery->local->active.link);
        }
    }
}

sio_error sio_recovery_list(sio_recovery *recovery, sio_saved *saved)
{
    sio_namespace *nsp = recovery->local->nsp;
    saved->recovery = recovery;
    sio_lock_take(&nsp->pids_lock);
    sio_error err = sio_map_insert(&nsp->pids, &saved->node);
    sio_lock_leave(&nsp->pids_lock);
    if (err == SIO_OK) {
        sio_recovery_enter(recovery);
    }
    return err;
}

void sio_recovery_unlist(sio_saved *saved)
{
    sio_recovery_lose(saved, saved->recovery->local->nsp);
    sio_recovery_leave(saved->recovery);
}

static void set_moving(sio_saved *saved, sio_recovery *to, bool moving)
{
    sio_namespace *nsp = to->local->nsp;
    sio_lock_take(&nsp->pids_lock);
    saved->recovery = to;
    saved->moving = moving;
    sio_lock_leave(&nsp->pids_lock);
}

void sio_recovery_depart(sio_saved *saved, sio_recovery *to)
{
    sio_recovery *from = saved->recovery;
    set_moving(saved, to, true);
    sio_recovery_leave(from);
}

void sio_recovery_arrive(sio_saved *saved)
{
    set_moving(saved, saved->recovery, false);
    sio_recovery_enter(saved->recovery);
}

void sio_recovery_lose(sio_saved *saved, sio_namespace *nsp)
{
    sio_lock_take(&nsp->pids_lock);
    sio_map_remove(&nsp->pids, &saved->node);
    sio_lock_leave(&nsp->pids_lock);
}

void sio_saved_free(sio_saved *saved)
{
    free(saved->missed.numbers);
    free(saved->rooms);
    free(saved);
}

/* ------------------------------------------------------ what is stored -- */

static size_t bytes_of(const sio_saved *saved)
{
    return sizeof(*saved) + saved->rooms_len;
}

void sio_recovery_unstore(sio_saved *saved)
{
    sio_recovery *recovery = saved->recovery;
    sio_link_drop(&saved->link);
    if (sio_list_empty(&recovery->stored)) {
        sio_wheel_cancel(engine_of(recovery)->wheel, &recovery->stored_timer);
    }
    recovery->stored_bytes -= bytes_of(saved);
    sio_metric_sub(&engine_of(recovery)->counters[SIO_COUNTER_RECOVERY_BYTES],
                   bytes_of(saved));
    eio_uncount(engine_of(recovery), SIO_COUNTER_RECOVERY_STORED);
}

static void tell_expired(sio_namespace *nsp, const char *sid, void *data)
{
    sio_namespace *at = sio_namespace_first(nsp);
    for (; at != NULL; at = sio_namespace_then(nsp, at)) {
        for (size_t i = 0; i < at->expired.count; i++) {
            const sio_hook *hook = &at->expired.items[i];
            ((sio_expired_fn *)hook->fn)(nsp, sid, data, hook->arg);
        }
    }
}

void sio_recovery_expire(sio_saved *saved, bool tell)
{
    sio_recovery *recovery = saved->recovery;
    sio_namespace *nsp = recovery->local->nsp;
    const sio_loop *loop = recovery->local->loop;
    sio_recovery_unstore(saved);
    sio_recovery_unlist(saved);
    if (tell) {
        eio_count(loop->engine, SIO_COUNTER_RECOVERY_EXPIRED);
        tell_expired(nsp, saved->sid, saved->data);
    }
    if (saved->destroy != NULL) {
        saved->destroy(saved->data);
    }
    sio_saved_free(saved);
    sio_namespace_part(nsp, loop); /* the recovery may go with it */
}

sio_saved *sio_recovery_first(const sio_recovery *recovery)
{
    return sio_list_empty(&recovery->stored)
               ? NULL
               : SIO_OWNER(recovery->stored.next, sio_saved, link);
}

static void on_stored_timer(sio_timer *timer)
{
    sio_recovery *recovery = SIO_OWNER(timer, sio_recovery, stored_timer);
    sio_namespace *nsp = sio_namespace_ref(recovery->local->nsp);
    sio_saved *saved;
    while ((saved = sio_recovery_first(recovery)) != NULL &&
           saved->until <= eio_now(engine_of(recovery))) {
        sio_recovery_expire(saved, true);
    }
    if (saved != NULL && !sio_timer_armed(timer)) {
        sio_wheel_arm(engine_of(recovery)->wheel, timer, saved->until);
    }
    sio_namespace_unref(nsp);
}

/* Half of the memory is for packets at least. */
static void bound_stored(sio_recovery *recovery)
{
    size_t most = recovery->local->nsp->core->recovery.max_bytes / 2;
    while (recovery->stored_bytes > most) {
        sio_recovery_expire(sio_recovery_first(recovery), true);
    }
    sio_recovery_trim(recovery);
}

void sio_recovery_store(sio_saved *saved)
{
    sio_recovery *recovery = saved->recovery;
    eio_engine *engine = engine_of(recovery);
    sio_namespace *nsp = sio_namespace_ref(recovery->local->nsp);
    saved->socket = NULL;
    saved->until = eio_now(engine) + nsp->core->recovery.window;
    sio_list_append(&recovery->stored, &saved->link);
    recovery->stored_bytes += bytes_of(saved);
    sio_metric_add(&engine->counters[SIO_COUNTER_RECOVERY_BYTES],
                   bytes_of(saved));
    eio_count(engine, SIO_COUNTER_RECOVERY_STORED);
    if (!sio_timer_armed(&recovery->stored_timer)) {
        sio_wheel_arm(engine->wheel, &recovery->stored_timer, saved->until);
    }
    bound_stored(recovery);
    sio_namespace_unref(nsp);
}

/* ------------------------------------------------------- life and death -- */

static void on_log_timer(sio_timer *timer)
{
    sio_recovery_trim(SIO_OWNER(timer, sio_recovery, log_timer));
}

/* Logs of other loops, namespaces and servers have other tags. */
static void make_tag(sio_recovery *recovery)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const sio_local *local = recovery->local;
    uint64_t which[] = {local->nsp->serial, local->loop->index};
    uint64_t bits =
        sio_hash(&local->nsp->core->secret,
                 (sio_bytes){(const uint8_t *)which, sizeof(which)});
    for (size_t i = 0; i < SIO_OFFSET_TAG; i++) {
        recovery->tag[i] = alphabet[bits & 63];
        bits >>= 6;
    }
}

sio_recovery *sio_recovery_new(sio_local *local)
{
    sio_recovery *recovery = calloc(1, sizeof(*recovery));
    if (recovery != NULL) {
        recovery->local = local;
        recovery->first = recovery->next = 1;
        recovery->log_timer.fire = on_log_timer;
        recovery->stored_timer.fire = on_stored_timer;
        sio_map_init(&recovery->aims, aim_key, local->nsp->core->secret);
        sio_list_init(&recovery->stored);
        sio_list_init(&recovery->claims);
        make_tag(recovery);
    }
    return recovery;
}

void sio_recovery_free(sio_recovery *recovery)
{
    if (recovery != NULL) {
        sio_map_deinit(&recovery->aims);
        free(recovery);
    }
}

void sio_recovery_close(sio_recovery *recovery)
{
    sio_namespace *nsp = sio_namespace_ref(recovery->local->nsp);
    sio_saved *saved;
    while ((saved = sio_recovery_first(recovery)) != NULL) {
        sio_recovery_expire(saved, false);
    }
    sio_recovery_drop_claims(recovery);
    sio_namespace_unref(nsp);
}

/* ---------------------------------------------------------------- ending -- */

/* The reasons after which the client is expected to come again.  A server that
 * shuts down takes with it what it knows. */
static bool recoverable(sio_disconnect_reason reason)
{
    switch (reason) {
    case SIO_DISCONNECT_FORCED_CLOSE:
    case SIO_DISCONNECT_FORCED_SERVER_CLOSE:
    case SIO_DISCONNECT_PING_TIMEOUT:
    case SIO_DISCONNECT_TRANSPORT_CLOSE:
    case SIO_DISCONNECT_TRANSPORT_ERROR:
        return true;
    case SIO_DISCONNECT_CLIENT_NAMESPACE_DISCONNECT:
    case SIO_DISCONNECT_SERVER_NAMESPACE_DISCONNECT:
    case SIO_DISCONNECT_SERVER_SHUTTING_DOWN:
    case SIO_DISCONNECT_PARSE_ERROR:
        break;
    }
    return false;
}

static size_t rooms_size(const sio_socket *socket)
{
    size_t size = 0;
    const sio_link *at = socket->seats.next;
    for (; at != &socket->seats; at = at->next) {
        size += sizeof(uint64_t) + 1 +
                SIO_OWNER(at, sio_seat, in_socket)->room->name_len;
    }
    return size;
}

/* False when out of memory. */
static bool save_rooms(sio_saved *saved, const sio_socket *socket)
{
    size_t size = rooms_size(socket);
    if (size == 0) {
        return true;
    }
    uint8_t *to = malloc(size);
    if (to == NULL) {
        return false;
    }
    saved->rooms = to;
    saved->rooms_len = size;
    const sio_link *at = socket->seats.next;
    for (; at != &socket->seats; at = at->next) {
        const sio_seat *seat = SIO_OWNER(at, sio_seat, in_socket);
        memcpy(to, &seat->joined, sizeof(seat->joined));
        to += sizeof(seat->joined);
        memcpy(to, seat->room->name, seat->room->name_len + 1);
        to += seat->room->name_len + 1;
    }
    return true;
}

void sio_recovery_ending(sio_socket *socket)
{
    if (socket->saved != NULL) {
        socket->saved->end = socket->local->recovery->next - 1;
        socket->saved->newest = socket->newest;
    }
}

void sio_recovery_leaving(sio_socket *socket, sio_disconnect_reason reason)
{
    sio_saved *saved = socket->saved;
    if (saved != NULL) {
        saved->keep = recoverable(reason) && save_rooms(saved, socket);
    }
}

static void give_back(sio_socket *socket, bool keep)
{
    sio_namespace *nsp = socket->nsp;
    sio_saved *saved = socket->saved;
    socket->saved = NULL;
    free(saved->missed.numbers);
    saved->missed = (sio_missed){0};
    if (!keep || socket->local->loop->closed) {
        sio_recovery_unlist(saved);
        sio_saved_free(saved);
        return;
    }
    if (sio_namespace_is_counted(nsp)) { /* as its socket does until now */
        (void)sio_namespace_ref(nsp);
        atomic_fetch_add_explicit(&nsp->members, 1, memory_order_relaxed);
    }
    saved->data = socket->data;
    saved->destroy = socket->destroy;
    socket->data = NULL;
    socket->destroy = NULL;
    sio_recovery_store(saved);
}

void sio_recovery_ended(sio_socket *socket)
{
    if (socket->saved != NULL) {
        give_back(socket, socket->saved->keep);
    }
}

/* Its rooms may have been joined again already. */
void sio_recovery_abandon(sio_socket *socket, sio_disconnect_reason reason)
{
    sio_saved *saved = socket->saved;
    if (saved != NULL) {
        bool whole =
            saved->keep && (saved->rooms != NULL || save_rooms(saved, socket));
        give_back(socket, whole && recoverable(reason));
    }
}

bool sio_socket_recovered(const sio_socket *socket)
{
    return socket->recovered;
}
