#include <stdlib.h>

#include "socketio/recovery.h"

#define LEAST_CAP 16

/* -------------------------------------------------------------- offsets -- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

size_t sio_offset_write(const sio_recovery *recovery, uint64_t number,
                        char out[SIO_OFFSET_MAX])
{
    char text[SIO_OFFSET_MAX];
    size_t at = sizeof(text);
    do {
        text[--at] = digits[number % 36];
        number /= 36;
    } while (number != 0);
    memcpy(out, recovery->tag, SIO_OFFSET_TAG);
    memcpy(out + SIO_OFFSET_TAG, text + at, sizeof(text) - at);
    return SIO_OFFSET_TAG + sizeof(text) - at;
}

static unsigned digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 36;
}

bool sio_offset_read(const sio_recovery *recovery, sio_bytes text,
                     uint64_t *number)
{
    uint64_t n = 0;
    if (text.len <= SIO_OFFSET_TAG || text.len >= SIO_OFFSET_MAX ||
        memcmp(text.base, recovery->tag, SIO_OFFSET_TAG) != 0 ||
        (text.base[SIO_OFFSET_TAG] == '0' && text.len != SIO_OFFSET_TAG + 1)) {
        return false;
    }
    for (size_t i = SIO_OFFSET_TAG; i < text.len; i++) {
        unsigned digit = digit_of(text.base[i]);
        if (digit == 36) {
            return false;
        }
        n = n * 36 + digit; /* 12 digits at most */
    }
    if (n >= recovery->next) {
        return false;
    }
    *number = n;
    return true;
}

/* ------------------------------------------------------------- the ring -- */

sio_logged *sio_recovery_at(const sio_recovery *recovery, uint64_t number)
{
    return &recovery->ring[number & (recovery->cap - 1)];
}

static void count(const sio_recovery *recovery, sio_counter counter, size_t n)
{
    sio_metric_add(&recovery->local->loop->engine->counters[counter], n);
}

static void uncount(const sio_recovery *recovery, sio_counter counter, size_t n)
{
    sio_metric_sub(&recovery->local->loop->engine->counters[counter], n);
}

/* The parts of `extra`. */
static sio_place *more_places(const sio_logged *entry)
{
    return entry->extra;
}

static sio_frame **binaries_of(const sio_logged *entry)
{
    size_t more = entry->place_count - 1;
    return (sio_frame **)(void *)(more_places(entry) + more);
}

static char *excepts_of(const sio_logged *entry)
{
    return (char *)(binaries_of(entry) + entry->binary_count);
}

static sio_place *place_at(const sio_logged *entry, uint32_t i)
{
    return i == 0 ? (sio_place *)(uintptr_t)&entry->place
                  : &more_places(entry)[i - 1];
}

const sio_place *sio_logged_place(const sio_logged *entry, uint32_t index)
{
    return place_at(entry, index);
}

size_t sio_logged_size(const sio_logged *entry)
{
    size_t sum = entry->text->len;
    for (uint32_t i = 0; i < entry->binary_count; i++) {
        sum += binaries_of(entry)[i]->len;
    }
    return sum;
}

const char *sio_logged_excepts(const sio_logged *entry)
{
    return entry->extra == NULL ? NULL : excepts_of(entry);
}

sio_outgoing sio_logged_packet(const sio_logged *entry)
{
    return (sio_outgoing){
        .text = entry->text,
        .binaries = entry->binary_count == 0 ? NULL : binaries_of(entry),
        .binary_count = entry->binary_count,
        .form = entry->form,
        .is_event = true,
    };
}

static size_t aim_bytes(const sio_aim *aim)
{
    return sizeof(*aim) + aim->len + 1;
}

static void drop_aim(sio_recovery *recovery, sio_aim *aim)
{
    sio_map_remove(&recovery->aims, &aim->node);
    recovery->log_bytes -= aim_bytes(aim);
    uncount(recovery, SIO_COUNTER_RECOVERY_BYTES, aim_bytes(aim));
    free(aim);
}

static void drop_first(sio_recovery *recovery)
{
    uint64_t number = recovery->first++;
    sio_logged *entry = sio_recovery_at(recovery, number);
    for (uint32_t i = 0; i < entry->place_count; i++) {
        sio_aim *aim = place_at(entry, i)->aim;
        if (aim != NULL && aim->newest == number) {
            drop_aim(recovery, aim);
        }
    }
    for (size_t i = 0; i < entry->binary_count; i++) {
        sio_frame_unref(binaries_of(entry)[i]);
    }
    recovery->log_bytes -= entry->bytes;
    uncount(recovery, SIO_COUNTER_RECOVERY_BYTES, entry->bytes);
    uncount(recovery, SIO_COUNTER_RECOVERY_PACKETS, 1);
    sio_frame_unref(entry->text);
    free(entry->extra);
}

void sio_recovery_clear_log(sio_recovery *recovery)
{
    while (recovery->first < recovery->next) {
        drop_first(recovery);
    }
    if (sio_timer_armed(&recovery->log_timer)) {
        sio_wheel_cancel(recovery->local->loop->engine->wheel,
                         &recovery->log_timer);
    }
    free(recovery->ring);
    recovery->ring = NULL;
    recovery->cap = 0;
}

static const sio_recovery_limits *limits_of(const sio_recovery *recovery)
{
    return &recovery->local->nsp->core->recovery;
}

/*
 * How long a packet is kept: as long as a session may be stored, and as long as
 * a connection that is dead may look alive before.
 */
static uint64_t window_of(const sio_recovery *recovery)
{
    const eio_config *config = recovery->local->loop->engine->config;
    return (uint64_t)limits_of(recovery)->window + config->ping_interval +
           config->ping_timeout;
}

void sio_recovery_trim(sio_recovery *recovery)
{
    eio_engine *engine = recovery->local->loop->engine;
    uint64_t now = eio_now(engine), window = window_of(recovery);
    size_t most = limits_of(recovery)->max_bytes;
    while (recovery->first < recovery->next &&
           (recovery->log_bytes + recovery->stored_bytes > most ||
            sio_recovery_at(recovery, recovery->first)->time + window <= now)) {
        drop_first(recovery);
    }
    if (recovery->first == recovery->next) {
        sio_recovery_clear_log(recovery);
    } else if (!sio_timer_armed(&recovery->log_timer)) {
        sio_wheel_arm(engine->wheel, &recovery->log_timer,
                      sio_recovery_at(recovery, recovery->first)->time +
                          window);
    }
}

/* Makes room for one more; false when out of memory. */
static bool grow(sio_recovery *recovery)
{
    size_t held = (size_t)(recovery->next - recovery->first);
    if (held == limits_of(recovery)->max_packets) {
        drop_first(recovery);
        return true;
    }
    if (held < recovery->cap) {
        return true;
    }
    size_t cap = recovery->cap == 0 ? LEAST_CAP : recovery->cap * 2;
    sio_logged *ring = malloc(cap * sizeof(*ring));
    if (ring == NULL) {
        return false;
    }
    for (uint64_t n = recovery->first; n < recovery->next; n++) {
        ring[n & (cap - 1)] = *sio_recovery_at(recovery, n);
    }
    free(recovery->ring);
    recovery->ring = ring;
    recovery->cap = cap;
    return true;
}

/* ------------------------------------------------------------- appending -- */

/* The names in a broadcast, those it is for or those it is not for, one after
 * the other. */
typedef struct names {
    const char *const *list[2];
    size_t count[2];
    const char *last; /* or NULL */
} names;

static const char *name_at(const names *n, size_t i)
{
    if (i < n->count[0]) {
        return n->list[0][i];
    }
    i -= n->count[0];
    return i < n->count[1] ? n->list[1][i] : n->last;
}

static size_t names_count(const names *n)
{
    return n->count[0] + n->count[1] + (n->last == NULL ? 0 : 1);
}

static size_t names_size(const names *n)
{
    size_t size = 0;
    for (size_t i = 0; i < names_count(n); i++) {
        size += strlen(name_at(n, i)) + 1;
    }
    return size;
}

static sio_aim *find_aim(sio_recovery *recovery, const char *name)
{
    sio_bytes text = sio_text(name);
    sio_map_node *node = sio_map_find(&recovery->aims, text);
    if (node != NULL) {
        return SIO_OWNER(node, sio_aim, node);
    }
    sio_aim *aim =
        text.len > UINT32_MAX ? NULL : malloc(sizeof(*aim) + text.len + 1);
    if (aim == NULL) {
        return NULL;
    }
    aim->newest = 0;
    aim->len = (uint32_t)text.len;
    memcpy(aim->name, name, text.len + 1);
    if (sio_map_insert(&recovery->aims, &aim->node) != SIO_OK) {
        free(aim);
        return NULL;
    }
    recovery->log_bytes += aim_bytes(aim);
    count(recovery, SIO_COUNTER_RECOVERY_BYTES, aim_bytes(aim));
    return aim;
}

/* Takes the packet out of the chains that it is in. */
static void unchain(sio_recovery *recovery, const sio_logged *entry)
{
    for (uint32_t i = 0; i < entry->place_count; i++) {
        const sio_place *place = place_at(entry, i);
        if (place->before == 0) {
            drop_aim(recovery, place->aim);
        } else {
            place->aim->newest = place->before;
        }
    }
}

/* Chains the packet that is next to those before it; each name counts once. */
static bool chain(sio_recovery *recovery, sio_logged *entry, const names *to)
{
    uint64_t number = recovery->next;
    for (size_t i = 0; i < names_count(to); i++) {
        sio_aim *aim = find_aim(recovery, name_at(to, i));
        if (aim == NULL) {
            unchain(recovery, entry);
            return false;
        }
        if (aim->newest != number) {
            *place_at(entry, entry->place_count) =
                (sio_place){aim, aim->newest};
            entry->place_count++;
            aim->newest = number;
        }
    }
    return true;
}

static void fill_extra(sio_logged *entry, const sio_outgoing *out,
                       const names *except)
{
    if (entry->extra == NULL) {
        return;
    }
    for (size_t i = 0; i < out->binary_count; i++) {
        binaries_of(entry)[i] = sio_frame_ref(out->binaries[i]);
        entry->bytes += sizeof(sio_frame) + out->binaries[i]->len;
    }
    char *at = excepts_of(entry);
    for (size_t i = 0; i < names_count(except); i++) {
        size_t size = strlen(name_at(except, i)) + 1;
        memcpy(at, name_at(except, i), size);
        at += size;
    }
}

/* Fills an entry for the packet that is next; false when out of memory. */
static bool make_entry(sio_recovery *recovery, sio_logged *entry,
                       const sio_outgoing *out, const sio_broadcast *b)
{
    const names to = {
        {b->to, b->to_list}, {b->to_count, b->to_list_count}, NULL};
    const names except = {{b->except, b->except_list},
                          {b->except_count, b->except_list_count},
                          b->except_socket == NULL ? NULL
                                                   : b->except_socket->id};
    size_t more = names_count(&to) > 1 ? names_count(&to) - 1 : 0;
    size_t size = more * sizeof(sio_place) +
                  out->binary_count * sizeof(sio_frame *) + names_size(&except);
    *entry = (sio_logged){
        .time = eio_now(recovery->local->loop->engine),
        .form = out->form,
        .bytes = sizeof(*entry) + sizeof(sio_frame) + out->text->len + size,
    };
    if (size != 0) {
        entry->extra = malloc(size);
        if (entry->extra == NULL) {
            return false;
        }
    }
    if (names_count(&to) == 0) {
        entry->place = (sio_place){NULL, recovery->everybody};
        entry->place_count = 1;
        recovery->everybody = recovery->next;
    } else if (!chain(recovery, entry, &to)) {
        free(entry->extra);
        return false;
    }
    entry->binary_count = (uint32_t)out->binary_count;
    entry->except_count = (uint32_t)names_count(&except);
    fill_extra(entry, out, &except);
    return true;
}

/* Appends the packet, which has the number that is next. */
static bool append(sio_recovery *recovery, const sio_outgoing *out,
                   const sio_broadcast *b)
{
    sio_logged entry;
    if (!grow(recovery) || !make_entry(recovery, &entry, out, b)) {
        return false;
    }
    entry.text = sio_frame_ref(out->text);
    *sio_recovery_at(recovery, recovery->next++) = entry;
    recovery->log_bytes += entry.bytes;
    count(recovery, SIO_COUNTER_RECOVERY_BYTES, entry.bytes);
    count(recovery, SIO_COUNTER_RECOVERY_PACKETS, 1);
    sio_recovery_trim(recovery);
    if (!sio_list_empty(&recovery->claims)) {
        sio_recovery_note(recovery, recovery->next - 1);
    }
    return true;
}

/* After this nobody resumes from before. */
static void begin_anew(sio_recovery *recovery)
{
    sio_recovery_clear_log(recovery);
    recovery->first = ++recovery->next;
}

/* Whether a packet is kept.  Nobody can resume where nobody has been. */
static bool is_kept(const sio_recovery *recovery, unsigned flags)
{
    return (flags & SIO_EMIT_VOLATILE) == 0 && recovery->sessions != 0;
}

sio_error sio_recovery_event(sio_outgoing *out, sio_recovery *recovery,
                             const sio_broadcast *b, const char *event,
                             const sio_args *args, unsigned flags)
{
    bool keep = is_kept(recovery, flags);
    char text[SIO_OFFSET_MAX];
    size_t len = sio_offset_write(
        recovery, keep ? recovery->next : recovery->next - 1, text);
    sio_error err = sio_outgoing_event_longer(
        out, recovery->local->nsp, recovery->local->loop, event, args,
        (sio_bytes){(const uint8_t *)text, len});
    if (err != SIO_OK) {
        return err;
    }
    out->form =
        (flags & SIO_EMIT_NO_COMPRESS) != 0 ? (unsigned)EIO_FORM_PLAIN : 0;
    if (!keep) {
        return SIO_OK;
    }
    out->number = recovery->next;
    if (!append(recovery, out, b)) {
        begin_anew(recovery); /* its number is still a good one */
    }
    return SIO_OK;
}

/* NULL when out of memory. */
static sio_frame *with_offset(const sio_recovery *recovery,
                              const sio_frame *text, size_t old,
                              uint64_t number)
{
    const sio_loop *loop = recovery->local->loop;
    char offset[SIO_OFFSET_MAX];
    size_t len = sio_offset_write(recovery, number, offset);
    return sio_parser_frame_longer(
        loop->core->parser, loop->engine->frames, text,
        sio_namespace_view(recovery->local->nsp), old,
        (sio_bytes){(const uint8_t *)offset, len});
}

sio_outgoing sio_recovery_stamp(sio_recovery *recovery, const sio_outgoing *out,
                                const sio_broadcast *b, unsigned flags)
{
    bool keep = is_kept(recovery, flags);
    sio_outgoing stamped = *out;
    stamped.number = keep ? recovery->next : 0;
    stamped.text = with_offset(recovery, out->text, 0,
                               keep ? recovery->next : recovery->next - 1);
    if (stamped.text != NULL && (!keep || append(recovery, &stamped, b))) {
        return stamped;
    }
    sio_frame_unref(stamped.text);
    begin_anew(recovery);
    stamped.text = sio_frame_ref(out->text);
    stamped.number = recovery->next - 1;
    return stamped;
}

static sio_broadcast to_one(const char *id)
{
    sio_broadcast b = {0};
    b.to[b.to_count++] = id;
    return b;
}

bool sio_recovery_inject(sio_recovery *recovery, const sio_outgoing *out,
                         size_t old_offset, const char *sid)
{
    sio_broadcast b = to_one(sid);
    sio_outgoing moved = *out;
    moved.text = with_offset(recovery, out->text, old_offset, recovery->next);
    bool good = moved.text != NULL && append(recovery, &moved, &b);
    sio_frame_unref(moved.text);
    return good;
}

/* Before it has connected, the log has it sent in its turn. */
static bool is_dropped(const sio_socket *socket, unsigned flags)
{
    return socket->state != SIO_SOCKET_CONNECTED &&
           (flags & SIO_EMIT_VOLATILE) != 0;
}

static sio_error send_logged(const sio_outgoing *out, sio_socket *socket)
{
    return socket->state == SIO_SOCKET_CONNECTED
               ? sio_outgoing_send(out, socket)
               : SIO_OK;
}

/* Of one without a session nobody goes on: it is new, or has ended. */
sio_error sio_recovery_send(const sio_outgoing *out, sio_socket *socket,
                            unsigned flags)
{
    sio_recovery *recovery = socket->local->recovery;
    if (recovery == NULL ||
        (socket->saved == NULL && socket->state != SIO_SOCKET_LEFT)) {
        return sio_outgoing_send(out, socket);
    }
    if (is_dropped(socket, flags)) {
        return SIO_OK;
    }
    sio_broadcast b = to_one(socket->id);
    sio_outgoing stamped = sio_recovery_stamp(recovery, out, &b, flags);
    sio_error err = send_logged(&stamped, socket);
    sio_frame_unref(stamped.text);
    return err;
}

sio_error sio_recovery_emit(sio_socket *socket, const char *event,
                            const sio_args *args, unsigned flags)
{
    sio_outgoing out;
    sio_broadcast b = to_one(socket->id);
    if (is_dropped(socket, flags)) {
        return sio_event_check(event);
    }
    sio_error err = sio_recovery_event(&out, socket->local->recovery, &b, event,
                                       args, flags);
    if (err == SIO_OK) {
        err = send_logged(&out, socket);
        sio_outgoing_deinit(&out);
    }
    return err;
}
