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

static sio_logged *at_number(const sio_recovery *recovery, uint64_t number)
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

static void drop_first(sio_recovery *recovery)
{
    sio_logged *entry = at_number(recovery, recovery->first++);
    recovery->log_bytes -= entry->bytes;
    uncount(recovery, SIO_COUNTER_RECOVERY_BYTES, entry->bytes);
    uncount(recovery, SIO_COUNTER_RECOVERY_PACKETS, 1);
    sio_frame_unref(entry->text);
    for (size_t i = 0; i < entry->binary_count; i++) {
        sio_frame_unref(entry->binaries[i]);
    }
    free(entry->binaries);
    free(entry->names);
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
            at_number(recovery, recovery->first)->time + window <= now)) {
        drop_first(recovery);
    }
    if (recovery->first == recovery->next) {
        sio_recovery_clear_log(recovery);
    } else if (!sio_timer_armed(&recovery->log_timer)) {
        sio_wheel_arm(engine->wheel, &recovery->log_timer,
                      at_number(recovery, recovery->first)->time + window);
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
        ring[n & (cap - 1)] = *at_number(recovery, n);
    }
    free(recovery->ring);
    recovery->ring = ring;
    recovery->cap = cap;
    return true;
}

/* ------------------------------------------------------------- appending -- */

static size_t names_len(const char *const *names, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        len += strlen(names[i]) + 1;
    }
    return len;
}

static char *put_names(char *at, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(names[i]) + 1;
        memcpy(at, names[i], size);
        at += size;
    }
    return at;
}

/* Copies the names of whom it is for, and counts them in. */
static bool copy_names(sio_logged *entry, const sio_broadcast *b)
{
    const char *left_out =
        b->except_socket == NULL ? NULL : b->except_socket->id;
    size_t own = left_out == NULL ? 0 : 1;
    size_t len = names_len(b->to, b->to_count) +
                 names_len(b->to_list, b->to_list_count) +
                 names_len(b->except, b->except_count) +
                 names_len(b->except_list, b->except_list_count) +
                 names_len(&left_out, own);
    entry->to_count = (uint32_t)(b->to_count + b->to_list_count);
    entry->except_count =
        (uint32_t)(b->except_count + b->except_list_count + own);
    if (len == 0) {
        return true;
    }
    entry->names = malloc(len);
    if (entry->names == NULL) {
        return false;
    }
    char *at = put_names(entry->names, b->to, b->to_count);
    at = put_names(at, b->to_list, b->to_list_count);
    at = put_names(at, b->except, b->except_count);
    at = put_names(at, b->except_list, b->except_list_count);
    (void)put_names(at, &left_out, own);
    entry->bytes += len;
    return true;
}

static bool copy_binaries(sio_logged *entry, const sio_outgoing *out)
{
    if (out->binary_count == 0) {
        return true;
    }
    entry->binaries = malloc(out->binary_count * sizeof(sio_frame *));
    if (entry->binaries == NULL) {
        return false;
    }
    entry->binary_count = (uint32_t)out->binary_count;
    for (size_t i = 0; i < out->binary_count; i++) {
        entry->binaries[i] = sio_frame_ref(out->binaries[i]);
        entry->bytes +=
            sizeof(sio_frame *) + sizeof(sio_frame) + out->binaries[i]->len;
    }
    return true;
}

/* Appends the packet, which has the number that is next. */
static bool append(sio_recovery *recovery, const sio_outgoing *out,
                   const sio_broadcast *b)
{
    sio_logged entry = {
        .time = eio_now(recovery->local->loop->engine),
        .form = out->form,
        .bytes = sizeof(entry) + sizeof(sio_frame) + out->text->len,
    };
    if (!grow(recovery) || !copy_names(&entry, b) ||
        !copy_binaries(&entry, out)) {
        free(entry.names);
        return false;
    }
    entry.text = sio_frame_ref(out->text);
    *at_number(recovery, recovery->next++) = entry;
    recovery->log_bytes += entry.bytes;
    count(recovery, SIO_COUNTER_RECOVERY_BYTES, entry.bytes);
    count(recovery, SIO_COUNTER_RECOVERY_PACKETS, 1);
    sio_recovery_trim(recovery);
    return true;
}

/* NULL when out of memory. */
static sio_frame *with_offset(const sio_recovery *recovery,
                              const sio_frame *text, uint64_t number)
{
    const sio_loop *loop = recovery->local->loop;
    char offset[SIO_OFFSET_MAX];
    size_t len = sio_offset_write(recovery, number, offset);
    return sio_parser_frame_longer(loop->core->parser, loop->engine->frames,
                                   text,
                                   sio_namespace_view(recovery->local->nsp),
                                   (sio_bytes){(const uint8_t *)offset, len});
}

sio_outgoing sio_recovery_stamp(sio_recovery *recovery, const sio_outgoing *out,
                                const sio_broadcast *b, unsigned flags)
{
    /* Nobody can resume where nobody has been. */
    bool keep =
        (flags & SIO_EMIT_VOLATILE) == 0 && recovery->sessions.count != 0;
    sio_outgoing stamped = *out;
    stamped.number = keep ? recovery->next : 0;
    stamped.text = with_offset(recovery, out->text,
                               keep ? recovery->next : recovery->next - 1);
    if (stamped.text != NULL && (!keep || append(recovery, &stamped, b))) {
        return stamped;
    }
    sio_frame_unref(stamped.text);
    sio_recovery_clear_log(recovery);
    recovery->first = ++recovery->next;
    stamped.text = sio_frame_ref(out->text);
    stamped.number = recovery->next - 1;
    return stamped;
}

sio_error sio_recovery_send(const sio_outgoing *out, sio_socket *socket,
                            unsigned flags)
{
    if (socket->saved == NULL) {
        return sio_outgoing_send(out, socket);
    }
    bool connected = socket->state == SIO_SOCKET_CONNECTED;
    if (!connected && (flags & SIO_EMIT_VOLATILE) != 0) {
        return SIO_OK;
    }
    sio_broadcast b = {0};
    b.to[b.to_count++] = socket->id;
    /* Before it has connected, the log has it sent in its turn. */
    sio_outgoing stamped =
        sio_recovery_stamp(socket->local->recovery, out, &b, flags);
    sio_error err = connected ? sio_outgoing_send(&stamped, socket) : SIO_OK;
    sio_frame_unref(stamped.text);
    return err;
}

/* -------------------------------------------------------------- replaying --
 */

/* Whether the socket was in the room when the packet with `number` was sent. */
static bool was_in(const sio_socket *socket, const char *name, uint64_t number)
{
    if (strcmp(name, socket->id) == 0) {
        return true;
    }
    const sio_room *room = sio_room_find(socket->local, sio_text(name));
    const sio_seat *seat = room == NULL ? NULL : sio_room_seat(room, socket);
    return seat != NULL && seat->joined < number;
}

/* Whether it was in one of `n` rooms; moves `*names` on behind them. */
static bool was_in_any(const sio_socket *socket, const char **names, uint32_t n,
                       uint64_t number)
{
    bool found = false;
    for (uint32_t i = 0; i < n; i++) {
        found = found || was_in(socket, *names, number);
        *names += strlen(*names) + 1;
    }
    return found;
}

static bool is_for(const sio_logged *entry, const sio_socket *socket,
                   uint64_t number)
{
    const char *names = entry->names;
    bool in = was_in_any(socket, &names, entry->to_count, number);
    return (in || entry->to_count == 0) &&
           !was_in_any(socket, &names, entry->except_count, number);
}

void sio_recovery_replay(sio_socket *socket, uint64_t after)
{
    const sio_recovery *recovery = socket->local->recovery;
    for (uint64_t n = after + 1; n < recovery->next; n++) {
        const sio_logged *entry = at_number(recovery, n);
        if (is_for(entry, socket, n)) {
            sio_outgoing out = {.text = entry->text,
                                .binaries = entry->binaries,
                                .binary_count = entry->binary_count,
                                .form = entry->form,
                                .number = n};
            (void)sio_outgoing_send(&out, socket); /* costs that socket */
        }
    }
}
