#include <stdlib.h>

#include "socketio/parent.h"
#include "socketio/recovery.h"

/* A client comes again, and goes on with its session. */

/* The packet that the client has seen last, by the offset that it sends.  False
 * where that is none of the session's. */
static bool read_place(const sio_saved *saved, sio_bytes offset,
                       uint64_t *number)
{
    if (offset.len == saved->alias_len &&
        memcmp(offset.base, saved->alias, offset.len) == 0) {
        *number = saved->start;
        return true;
    }
    return sio_offset_read(saved->recovery, offset, number);
}

/* After saved->resume comes what the client has missed; false where that cannot
 * be told any more. */
static bool find_place(sio_saved *saved, sio_bytes offset)
{
    const sio_recovery *recovery = saved->recovery;
    const sio_socket *socket = saved->socket;
    bool alive = socket != NULL && socket->state == SIO_SOCKET_CONNECTED;
    uint64_t newest = alive ? socket->newest : saved->newest;
    uint64_t end = alive ? recovery->next - 1 : saved->end;
    uint64_t number;
    if (!read_place(saved, offset, &number)) {
        return false;
    }
    uint64_t at = number > saved->start ? number : saved->start;
    if (at >= newest && at < end) {
        at = end; /* what was sent in between was for others */
    }
    if (at + 1 < recovery->first) {
        return false;
    }
    if (!alive) {
        saved->resume = at;
    }
    return true;
}

/* The session, if it can be resumed. */
static sio_saved *find_good(const sio_recovery *recovery, sio_bytes pid,
                            sio_bytes offset)
{
    sio_saved *saved = sio_recovery_find(recovery, pid);
    return saved != NULL && find_place(saved, offset) ? saved : NULL;
}

sio_saved *sio_recovery_take(sio_recovery *recovery, sio_bytes pid,
                             sio_bytes offset, const sio_client *but)
{
    sio_saved *saved = find_good(recovery, pid, offset);
    if (saved != NULL && saved->socket != NULL) {
        /* The client is here: whatever it had before is over, however alive it
         * looks. */
        sio_client *client = saved->socket->client;
        if (client != NULL && client != but) {
            sio_client_replace(client);
        }
        saved = find_good(recovery, pid, offset);
    }
    return saved == NULL || saved->socket != NULL ? NULL : saved;
}

static void adopt(sio_saved *saved, sio_socket *socket)
{
    sio_recovery_unstore(saved);
    saved->socket = socket;
    saved->keep = true;
    socket->saved = saved;
    socket->recovered = true;
    memcpy(socket->id, saved->sid, sizeof(socket->id));
    socket->data = saved->data;
    socket->destroy = saved->destroy;
    saved->data = NULL;
    saved->destroy = NULL;
    sio_namespace_part(socket->nsp, socket->local->loop); /* it holds it too */
}

/* Finds what it has missed, behind what has been found already. */
static bool find_missed(sio_saved *saved, const sio_members *members)
{
    sio_recovery *recovery = saved->recovery;
    uint64_t after =
        saved->found > saved->resume ? saved->found : saved->resume;
    saved->found = recovery->next - 1;
    return sio_recovery_find_missed(recovery, members, after, saved->floor,
                                    &saved->missed);
}

/* Whether what it has missed is no more than may wait for a connection: else
 * that would be closed, and the next one as well. */
static bool fits(const sio_saved *saved)
{
    const sio_recovery *recovery = saved->recovery;
    const eio_config *config = recovery->local->loop->engine->config;
    size_t sum = 0, frames = 0;
    for (size_t i = 0; i < saved->missed.count; i++) {
        const sio_logged *entry =
            sio_recovery_at(recovery, saved->missed.numbers[i]);
        sum += sio_logged_size(entry);
        frames += 1 + entry->binary_count;
    }
    return sum <= config->max_backlog && frames < eio_max_held(config);
}

/* Makes out what a stored session has missed; ends it where that is too much.
 */
static bool prepare(sio_saved *saved)
{
    sio_members members;
    saved->found = 0;
    saved->missed.count = 0;
    bool good =
        sio_saved_members(saved, &members) && find_missed(saved, &members);
    free(members.rooms);
    if (good && !fits(saved)) {
        sio_recovery_expire(saved, true);
        return false;
    }
    return good;
}

static void count_failure(const sio_socket *socket)
{
    eio_count(sio_socket_engine(socket), SIO_COUNTER_RECOVERY_FAILED);
}

void sio_recovery_claim_here(sio_socket *socket, sio_bytes pid,
                             sio_bytes offset)
{
    sio_saved *saved =
        sio_recovery_take(socket->local->recovery, pid, offset, socket->client);
    if (saved == NULL || socket->state != SIO_SOCKET_CONNECTING ||
        !prepare(saved)) {
        count_failure(socket);
    } else {
        adopt(saved, socket);
    }
}

/* Looks for the session; whether the answer is still to come. */
static bool look(sio_socket *socket)
{
    sio_bytes pid, offset;
    sio_recovery_read_auth(sio_text(socket->auth), &pid, &offset);
    if (pid.len == 0) {
        return false;
    }
    sio_loop *loop = NULL;
    if (pid.len == SIO_TOKEN_LEN + 2 && offset.len > 2 &&
        offset.len - 2 <= SIO_OFFSET_MAX) {
        pid = (sio_bytes){pid.base + 1, pid.len - 2};
        offset = (sio_bytes){offset.base + 1, offset.len - 2};
        loop = sio_recovery_find_loop(socket->nsp, pid);
    }
    if (loop == NULL) {
        count_failure(socket);
        return false;
    }
    if (loop == socket->local->loop &&
        !sio_recovery_is_coming(socket->nsp, pid, loop)) {
        sio_recovery_claim_here(socket, pid, offset);
        return false;
    }
    if (sio_recovery_fetch(socket, loop, pid, offset)) {
        return true;
    }
    count_failure(socket);
    return false;
}

void sio_recovery_claim(sio_socket *socket)
{
    (void)sio_socket_ref(socket);
    bool waits = socket->auth != NULL && look(socket);
    if (!waits && socket->state == SIO_SOCKET_CONNECTING) {
        sio_socket_admit(socket);
    }
    sio_socket_unref(socket);
}

/* ------------------------------------------------------------ connecting -- */

static bool new_session(sio_socket *socket)
{
    sio_recovery *recovery = socket->local->recovery;
    sio_saved *saved = calloc(1, sizeof(*saved));
    if (saved == NULL) {
        return false;
    }
    if (sio_token_make(sio_socket_engine(socket)->random, saved->pid) !=
            SIO_OK ||
        sio_recovery_list(recovery, saved) != SIO_OK) {
        free(saved);
        return false;
    }
    saved->socket = socket;
    saved->start = saved->floor = recovery->next - 1;
    memcpy(saved->sid, socket->id, sizeof(saved->sid));
    socket->saved = saved;
    return true;
}

/* Joins the rooms again, each as of the packet when it was joined. */
static bool join_rooms(sio_socket *socket)
{
    sio_saved *saved = socket->saved;
    sio_saved rooms = {.rooms = saved->rooms, .rooms_len = saved->rooms_len};
    size_t at = 0;
    uint64_t joined;
    const char *name;
    bool good = true;
    saved->rooms = NULL;
    saved->rooms_len = 0;
    saved->keep = false; /* until it is whole again */
    while (good && (name = sio_saved_room(&rooms, &at, &joined)) != NULL) {
        good = sio_socket_join(socket, name) == SIO_OK;
        const sio_room *room = sio_room_find(socket->local, sio_text(name));
        sio_seat *seat = room == NULL ? NULL : sio_room_seat(room, socket);
        if (seat != NULL) {
            seat->joined = joined;
        }
    }
    free(rooms.rooms);
    if (socket->saved != NULL) {
        saved->keep = good;
    }
    return good;
}

/* What has come since it was asked for. */
static bool find_rest(const sio_socket *socket)
{
    sio_members members;
    bool good = sio_socket_members(socket, &members) &&
                find_missed(socket->saved, &members);
    free(members.rooms);
    return good;
}

bool sio_recovery_begin(sio_socket *socket)
{
    if (socket->saved == NULL) {
        return new_session(socket);
    }
    return join_rooms(socket) && socket->state == SIO_SOCKET_CONNECTING &&
           socket->saved->resume + 1 >= socket->saved->recovery->first &&
           find_rest(socket);
}

void sio_recovery_resume(sio_socket *socket)
{
    sio_saved *saved = socket->saved;
    sio_missed missed = saved->missed;
    saved->missed = (sio_missed){0};
    socket->newest = saved->newest;
    eio_count(sio_socket_engine(socket), SIO_COUNTER_RECOVERED);
    for (size_t i = 0; i < missed.count; i++) {
        const sio_logged *entry =
            sio_recovery_at(saved->recovery, missed.numbers[i]);
        sio_outgoing out = sio_logged_packet(entry);
        out.number = missed.numbers[i];
        (void)sio_outgoing_send(&out, socket); /* costs that socket */
    }
    free(missed.numbers);
}
