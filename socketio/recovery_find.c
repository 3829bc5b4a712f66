#include <stdlib.h>

#include "socketio/recovery.h"

/* Finds in the log what a session has missed, by the chains of its rooms. */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const sio_member *)a)->name, ((const sio_member *)b)->name);
}

/* Whether they were in the room when the packet with `number` was sent. */
static bool was_in(const sio_members *members, const char *name,
                   uint64_t number)
{
    if (strcmp(name, members->id) == 0) {
        return true;
    }
    const sio_member key = {name, 0};
    const sio_member *found =
        members->count == 0 ? NULL
                            : bsearch(&key, members->rooms, members->count,
                                      sizeof(key), by_name);
    return found != NULL && found->joined < number;
}

static bool is_left_out(const sio_logged *entry, const sio_members *members,
                        uint64_t number)
{
    const char *name = sio_logged_excepts(entry);
    for (uint32_t i = 0; i < entry->except_count; i++) {
        if (was_in(members, name, number)) {
            return true;
        }
        name += strlen(name) + 1;
    }
    return false;
}

bool sio_logged_is_for(const sio_logged *entry, const sio_members *members,
                       uint64_t number)
{
    bool in = false;
    for (uint32_t i = 0; i < entry->place_count && !in; i++) {
        const sio_aim *aim = sio_logged_place(entry, i)->aim;
        in = aim == NULL || was_in(members, aim->name, number);
    }
    return in && !is_left_out(entry, members, number);
}

static bool push(sio_missed *missed, uint64_t number)
{
    if (missed->count == missed->cap) {
        size_t cap = missed->cap == 0 ? 16 : missed->cap * 2;
        uint64_t *numbers = realloc(missed->numbers, cap * sizeof(*numbers));
        if (numbers == NULL) {
            return false;
        }
        missed->numbers = numbers;
        missed->cap = cap;
    }
    missed->numbers[missed->count++] = number;
    return true;
}

static uint64_t before_it(const sio_logged *entry, const sio_aim *aim)
{
    uint32_t i = 0;
    while (sio_logged_place(entry, i)->aim != aim) {
        i++; /* it has one */
    }
    return sio_logged_place(entry, i)->before;
}

/* Walks back from `newest` along the chain of `aim`, NULL for everybody's. */
static bool walk(sio_recovery *recovery, const sio_members *members,
                 const sio_aim *aim, uint64_t newest, uint64_t after,
                 sio_missed *missed)
{
    uint64_t n = newest;
    while (n > after && n >= recovery->first) {
        const sio_logged *entry = sio_recovery_at(recovery, n);
        recovery->visits++;
        if (!is_left_out(entry, members, n) && !push(missed, n)) {
            return false;
        }
        n = before_it(entry, aim);
    }
    return true;
}

static bool walk_name(sio_recovery *recovery, const sio_members *members,
                      const char *name, uint64_t after, sio_missed *missed)
{
    sio_map_node *node = sio_map_find(&recovery->aims, sio_text(name));
    const sio_aim *aim = node == NULL ? NULL : SIO_OWNER(node, sio_aim, node);
    return aim == NULL ||
           walk(recovery, members, aim, aim->newest, after, missed);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* One that is for several rooms was met in each. */
static void put_in_order(sio_missed *missed)
{
    size_t kept = 0;
    if (missed->count != 0) {
        qsort(missed->numbers, missed->count, sizeof(*missed->numbers),
              by_number);
    }
    for (size_t i = 0; i < missed->count; i++) {
        if (kept == 0 || missed->numbers[kept - 1] != missed->numbers[i]) {
            missed->numbers[kept++] = missed->numbers[i];
        }
    }
    missed->count = kept;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

bool sio_recovery_find_missed(sio_recovery *recovery,
                              const sio_members *members, uint64_t after,
                              uint64_t floor, sio_missed *missed)
{
    uint64_t behind = later(after, floor);
    bool good =
        walk(recovery, members, NULL, recovery->everybody, behind, missed) &&
        walk_name(recovery, members, members->id, after, missed);
    for (size_t i = 0; i < members->count && good; i++) {
        const sio_member *room = &members->rooms[i];
        good = walk_name(recovery, members, room->name,
                         later(behind, room->joined), missed);
    }
    put_in_order(missed);
    return good;
}

static bool reserve(sio_members *out, const char *id, size_t count)
{
    *out = (sio_members){.id = id};
    out->rooms = malloc((count + 1) * sizeof(*out->rooms)); /* or none */
    return out->rooms != NULL;
}

static void sort(sio_members *members)
{
    qsort(members->rooms, members->count, sizeof(*members->rooms), by_name);
}

bool sio_socket_members(const sio_socket *socket, sio_members *out)
{
    if (!reserve(out, socket->id, socket->room_count)) {
        return false;
    }
    const sio_link *at = socket->seats.next;
    for (; at != &socket->seats; at = at->next) {
        const sio_seat *seat = SIO_OWNER(at, sio_seat, in_socket);
        out->rooms[out->count++] = (sio_member){seat->room->name, seat->joined};
    }
    sort(out);
    return true;
}

const char *sio_saved_room(const sio_saved *saved, size_t *at, uint64_t *joined)
{
    if (*at == saved->rooms_len) {
        return NULL;
    }
    memcpy(joined, saved->rooms + *at, sizeof(*joined));
    const char *name = (const char *)saved->rooms + *at + sizeof(*joined);
    *at += sizeof(*joined) + strlen(name) + 1;
    return name;
}

bool sio_saved_members(const sio_saved *saved, sio_members *out)
{
    size_t at = 0, count = 0;
    uint64_t joined;
    const char *name;
    while (sio_saved_room(saved, &at, &joined) != NULL) {
        count++;
    }
    if (!reserve(out, saved->sid, count)) {
        return false;
    }
    at = 0;
    while ((name = sio_saved_room(saved, &at, &joined)) != NULL) {
        out->rooms[out->count++] = (sio_member){name, joined};
    }
    sort(out);
    return true;
}

void sio_saved_rejoin(sio_saved *saved, uint64_t joined)
{
    size_t at = 0, here = 0;
    uint64_t before;
    while (sio_saved_room(saved, &at, &before) != NULL) {
        memcpy(saved->rooms + here, &joined, sizeof(joined));
        here = at;
    }
}
