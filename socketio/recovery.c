#include "socketio/recovery.h"

#include <stdlib.h>

#include "socketio/parent.h"

static sio_bytes saved_key(const sio_map_node *node)
{
    const sio_saved *saved = SIO_OWNER(node, sio_saved, node);
    return (sio_bytes){(const uint8_t *)saved->pid, SIO_TOKEN_LEN};
}

static eio_engine *engine_of(const sio_recovery *recovery)
{
    return recovery->local->loop->engine;
}

/* ------------------------------------------------------ what is stored -- */

static size_t bytes_of(const sio_saved *saved)
{
    return sizeof(*saved) + saved->rooms_len;
}

static void free_saved(sio_recovery *recovery, sio_saved *saved)
{
    sio_map_remove(&recovery->sessions, &saved->node);
    if (recovery->sessions.count == 0) {
        sio_recovery_clear_log(recovery); /* nobody can come for it */
        if (recovery->local->listed == 0) {
            sio_link_drop(&recovery->local->active);
        }
    }
    free(saved->rooms);
    free(saved);
}

/* Takes it off the list of those that wait; it may have been the last to hold
 * the namespace. */
static void unstore(sio_recovery *recovery, sio_saved *saved)
{
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

/* Ends one that is stored, and what it has of the namespace. */
static void expire(sio_recovery *recovery, sio_saved *saved, bool tell)
{
    sio_namespace *nsp = recovery->local->nsp;
    const sio_loop *loop = recovery->local->loop;
    char sid[sizeof(saved->sid)];
    void *data = saved->data;
    void (*destroy)(void *data) = saved->destroy;
    memcpy(sid, saved->sid, sizeof(sid));
    unstore(recovery, saved);
    free_saved(recovery, saved);
    if (tell) {
        eio_count(engine_of(recovery), SIO_COUNTER_RECOVERY_EXPIRED);
        tell_expired(nsp, sid, data);
    }
    if (destroy != NULL) {
        destroy(data);
    }
    sio_namespace_part(nsp, loop);
}

static sio_saved *first_stored(const sio_recovery *recovery)
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
    while ((saved = first_stored(recovery)) != NULL &&
           saved->until <= eio_now(engine_of(recovery))) {
        expire(recovery, saved, true);
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
        expire(recovery, first_stored(recovery), true);
    }
    sio_recovery_trim(recovery);
}

static void store(sio_recovery *recovery, sio_saved *saved)
{
    eio_engine *engine = engine_of(recovery);
    sio_namespace *nsp = recovery->local->nsp;
    if (sio_namespace_is_counted(nsp)) { /* its socket's does not suffice */
        (void)sio_namespace_ref(nsp);
        atomic_fetch_add_explicit(&nsp->members, 1, memory_order_relaxed);
    }
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
        sio_map_init(&recovery->sessions, saved_key, local->nsp->core->secret);
        sio_list_init(&recovery->stored);
        make_tag(recovery);
    }
    return recovery;
}

void sio_recovery_free(sio_recovery *recovery)
{
    if (recovery != NULL) {
        sio_map_deinit(&recovery->sessions);
        free(recovery);
    }
}

void sio_recovery_close(sio_recovery *recovery)
{
    sio_namespace *nsp = sio_namespace_ref(recovery->local->nsp);
    sio_saved *saved;
    while ((saved = first_stored(recovery)) != NULL) {
        expire(recovery, saved, false);
    }
    sio_namespace_unref(nsp);
}

/* -------------------------------------------------------------- resuming -- */

/* After `*after` comes what the client has missed; false where that cannot be
 * told any more. */
static bool find_place(const sio_recovery *recovery, const sio_saved *saved,
                       uint64_t number, uint64_t *after)
{
    const sio_socket *socket = saved->socket;
    bool alive = socket != NULL && socket->state == SIO_SOCKET_CONNECTED;
    uint64_t newest = alive ? socket->newest : saved->newest;
    uint64_t end = alive ? recovery->next - 1 : saved->end;
    uint64_t at = number > saved->start ? number : saved->start;
    if (at >= newest && at < end) {
        at = end; /* what was sent in between was for others */
    }
    *after = at;
    return at + 1 >= recovery->first;
}

static sio_saved *find(const sio_recovery *recovery, sio_bytes pid)
{
    sio_map_node *node = sio_map_find(&recovery->sessions, pid);
    return node == NULL ? NULL : SIO_OWNER(node, sio_saved, node);
}

/* The session, if it can be resumed from `number`. */
static sio_saved *find_good(const sio_recovery *recovery, sio_bytes pid,
                            uint64_t number)
{
    uint64_t after;
    sio_saved *saved = find(recovery, pid);
    return saved != NULL && find_place(recovery, saved, number, &after) ? saved
                                                                        : NULL;
}

static void adopt(sio_recovery *recovery, sio_saved *saved, sio_socket *socket)
{
    unstore(recovery, saved);
    saved->socket = socket;
    saved->keep = true;
    socket->saved = saved;
    socket->recovered = true;
    memcpy(socket->id, saved->sid, sizeof(socket->id));
    socket->data = saved->data;
    socket->destroy = saved->destroy;
    saved->data = NULL;
    saved->destroy = NULL;
    /* The socket holds the namespace as well. */
    sio_namespace_part(recovery->local->nsp, recovery->local->loop);
}

/* The client is here: whatever it had before is over, however alive it looks.
 */
static void take_over(const sio_saved *saved, const sio_socket *socket)
{
    sio_client *client = saved->socket->client;
    if (client != NULL && client != socket->client) {
        sio_client_replace(client);
    }
}

static bool is_pid(sio_bytes pid)
{
    return pid.len == SIO_TOKEN_LEN + 2;
}

static sio_bytes unquoted(sio_bytes text)
{
    return (sio_bytes){text.base + 1, text.len - 2};
}

static void claim(sio_socket *socket, sio_bytes pid, sio_bytes offset)
{
    sio_recovery *recovery = socket->local->recovery;
    sio_saved *saved = NULL;
    uint64_t number;
    if (is_pid(pid) && offset.len > 2 &&
        sio_offset_read(recovery, unquoted(offset), &number)) {
        saved = find_good(recovery, unquoted(pid), number);
    }
    if (saved != NULL && saved->socket != NULL) {
        take_over(saved, socket);
        saved = find_good(recovery, unquoted(pid), number);
    }
    if (saved == NULL || saved->socket != NULL ||
        socket->state != SIO_SOCKET_CONNECTING) {
        eio_count(engine_of(recovery), SIO_COUNTER_RECOVERY_FAILED);
        return;
    }
    (void)find_place(recovery, saved, number, &saved->resume);
    adopt(recovery, saved, socket);
}

void sio_recovery_claim(sio_socket *socket)
{
    sio_bytes pid = {0}, offset;
    (void)sio_socket_ref(socket);
    if (socket->auth != NULL) {
        sio_recovery_read_auth(sio_text(socket->auth), &pid, &offset);
    }
    if (pid.len != 0) {
        claim(socket, pid, offset);
    }
    if (socket->state == SIO_SOCKET_CONNECTING) {
        sio_socket_admit(socket);
    }
    sio_socket_unref(socket);
}

/* ------------------------------------------------------------ connecting -- */

static bool new_session(sio_recovery *recovery, sio_socket *socket)
{
    sio_saved *saved = calloc(1, sizeof(*saved));
    if (saved == NULL) {
        return false;
    }
    if (sio_token_make(engine_of(recovery)->random, saved->pid) != SIO_OK ||
        sio_map_insert(&recovery->sessions, &saved->node) != SIO_OK) {
        free(saved);
        return false;
    }
    saved->socket = socket;
    saved->start = recovery->next - 1;
    memcpy(saved->sid, socket->id, sizeof(saved->sid));
    socket->saved = saved;
    return true;
}

/* Joins the rooms again, each as of the packet when it was joined. */
static bool join_rooms(sio_socket *socket)
{
    sio_saved *saved = socket->saved;
    uint8_t *rooms = saved->rooms;
    size_t len = saved->rooms_len;
    bool good = true;
    saved->rooms = NULL;
    saved->rooms_len = 0;
    saved->keep = false; /* until it is whole again */
    for (size_t at = 0; at < len && good;) {
        uint64_t joined;
        memcpy(&joined, rooms + at, sizeof(joined));
        const char *name = (const char *)rooms + at + sizeof(joined);
        at += sizeof(joined) + strlen(name) + 1;
        good = sio_socket_join(socket, name) == SIO_OK;
        const sio_room *room = sio_room_find(socket->local, sio_text(name));
        sio_seat *seat = room == NULL ? NULL : sio_room_seat(room, socket);
        if (seat != NULL) {
            seat->joined = joined;
        }
    }
    free(rooms);
    if (socket->saved != NULL) {
        saved->keep = good;
    }
    return good;
}

bool sio_recovery_begin(sio_socket *socket)
{
    sio_recovery *recovery = socket->local->recovery;
    if (socket->saved == NULL) {
        return new_session(recovery, socket);
    }
    return join_rooms(socket) && socket->state == SIO_SOCKET_CONNECTING &&
           socket->saved->resume + 1 >= recovery->first;
}

void sio_recovery_resume(sio_socket *socket)
{
    socket->newest = socket->saved->newest;
    eio_count(sio_socket_engine(socket), SIO_COUNTER_RECOVERED);
    sio_recovery_replay(socket, socket->saved->resume);
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
    uint8_t *to = size == 0 ? NULL : malloc(size);
    if (size != 0 && to == NULL) {
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
    sio_recovery *recovery = socket->local->recovery;
    sio_saved *saved = socket->saved;
    socket->saved = NULL;
    if (!keep || recovery->local->loop->closed) {
        free_saved(recovery, saved);
        return;
    }
    saved->data = socket->data;
    saved->destroy = socket->destroy;
    socket->data = NULL;
    socket->destroy = NULL;
    store(recovery, saved);
}

void sio_recovery_ended(sio_socket *socket)
{
    if (socket->saved != NULL) {
        give_back(socket, socket->saved->keep);
    }
}

void sio_recovery_abandon(sio_socket *socket, sio_disconnect_reason reason)
{
    if (socket->saved != NULL) {
        give_back(socket, recoverable(reason) && socket->saved->keep);
    }
}

bool sio_socket_recovered(const sio_socket *socket)
{
    return socket->recovered;
}
