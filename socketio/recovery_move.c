#include <stdlib.h>

#include "socketio/parent.h"
#include "socketio/recovery.h"

/*
 * A client that comes again may come to another loop than the one that has its
 * session.  Then its session moves, by two messages: a fetch goes to the loop
 * that has it, the holder, and comes back with the session and the packets that
 * were missed.  These go to the log of the new loop anew, with its offsets, for
 * this socket alone.
 *
 * Broadcasts are on their way to all loops meanwhile, and come to each of the
 * two in an order of its own.  Those of one sender come in the same order to
 * all, and are numbered, so that a loop can say what it has heard: for each
 * sender, the latest number.  From this follows for each broadcast who gives it
 * to the session:
 *
 *  - The holder waits until it has heard what the new loop had heard when it
 *    asked.  So what is not in the answer comes to the new loop later than the
 *    question, and was noted by the claim that waits there.
 *  - The new loop waits until it has heard what the holder had heard when it
 *    answered.  So what is in the answer does not come to the session again.
 *  - Of what was noted, those that the holder had heard are in the answer; the
 *    others are added behind it.
 *
 * Neither waits for long: what one loop has heard has been posted to all.
 *
 * Others may ask for the session meanwhile.  Where it is going is known from
 * the moment when it leaves; a question goes after it, and waits there until it
 * has come.  So whoever asks last has it in the end, as on one loop.
 */

/* A packet that moves. */
typedef struct moved {
    sio_outgoing out; /* references; `binaries` owned */
    size_t offset;    /* bytes of the one that it bears */
} moved;

typedef struct fetch {
    sio_message message;
    sio_link link;                    /* in loop->fetches, while it waits ... */
    void (*then)(struct fetch *self); /* ... for this */
    bool asks;                        /* it is the question */
    sio_socket *socket;               /* a reference: who asks */
    sio_loop *holder;
    size_t offset_len;
    char pid[SIO_TOKEN_LEN + 1], offset[SIO_OFFSET_MAX];
    sio_saved *saved; /* the answer, owned; NULL: none */
    moved *packets;   /* owned */
    size_t count;
    uint64_t heard[]; /* by who has sent it */
} fetch;

/* A packet that has come to the log since the question. */
typedef struct note {
    uint64_t number; /* in the log */
    sio_origin origin;
} note;

typedef struct claim {
    sio_link link;            /* in recovery->claims */
    const sio_socket *socket; /* who waits; the fetch holds it */
    uint64_t after;           /* number of the latest packet at the question */
    note *notes;              /* owned */
    size_t count, cap;
    bool failed; /* memory was short for one */
} claim;

/* -------------------------------------------------------------- packets -- */

static sio_frame *take_frame(sio_frame *frame, bool share)
{
    if (share && !frame->shared) {
        sio_frame_share(frame); /* only this thread has it until now */
    }
    return sio_frame_ref(frame);
}

/* False when out of memory. */
static bool pack(moved *m, const sio_recovery *recovery, uint64_t number,
                 bool share)
{
    char offset[SIO_OFFSET_MAX];
    sio_outgoing from = sio_logged_packet(sio_recovery_at(recovery, number));
    m->out = from;
    m->offset = sio_offset_write(recovery, number, offset);
    if (from.binary_count != 0) {
        m->out.binaries = malloc(from.binary_count * sizeof(sio_frame *));
        if (m->out.binaries == NULL) {
            return false;
        }
    }
    m->out.text = take_frame(from.text, share);
    for (size_t i = 0; i < from.binary_count; i++) {
        m->out.binaries[i] = take_frame(from.binaries[i], share);
    }
    return true;
}

static bool pack_all(fetch *f, const sio_recovery *recovery,
                     const sio_missed *missed)
{
    f->packets = calloc(missed->count + 1, sizeof(*f->packets));
    bool good = f->packets != NULL;
    for (size_t i = 0; i < missed->count && good; i++) {
        good = pack(&f->packets[i], recovery, missed->numbers[i], true);
        f->count += good ? 1 : 0;
    }
    return good;
}

static void drop_packets(fetch *f)
{
    for (size_t i = 0; i < f->count; i++) {
        sio_outgoing_deinit(&f->packets[i].out);
    }
    free(f->packets);
    f->packets = NULL;
    f->count = 0;
}

/* ----------------------------------------------------------------- fetches --
 */

/* Ends a session that has no place. */
static void discard(sio_saved *saved, sio_namespace *nsp, const sio_loop *loop)
{
    sio_recovery_lose(saved, nsp);
    if (saved->destroy != NULL) {
        saved->destroy(saved->data);
    }
    sio_saved_free(saved);
    sio_namespace_part(nsp, loop);
}

/* On the thread of `loop`. */
static void end_fetch(fetch *f, const sio_loop *loop)
{
    if (f->saved != NULL) {
        discard(f->saved, f->socket->nsp, loop);
    }
    drop_packets(f);
    sio_socket_unref(f->socket);
    free(f);
}

static bool has_heard(const sio_loop *loop, const fetch *f)
{
    const uint64_t *heard = sio_recovery_row(loop->core, loop);
    for (unsigned i = 0; i <= loop->core->loop_count; i++) {
        if (heard[i] < f->heard[i]) {
            return false;
        }
    }
    return true;
}

static void set_heard(fetch *f, const sio_loop *loop)
{
    memcpy(f->heard, sio_recovery_row(loop->core, loop),
           (loop->core->loop_count + 1) * sizeof(f->heard[0]));
}

/* Whether it can go on here. */
static bool is_ready(const sio_loop *loop, const fetch *f)
{
    return has_heard(loop, f) &&
           !(f->asks &&
             sio_recovery_is_coming(f->socket->nsp, sio_text(f->pid), loop));
}

/* Goes on with it on this loop, once that has heard enough. */
static void go_on(fetch *f, sio_loop *loop, void (*then)(fetch *self))
{
    f->then = then;
    if (is_ready(loop, f)) {
        then(f);
    } else {
        sio_list_append(&loop->fetches, &f->link);
    }
}

static fetch *find_ready(const sio_loop *loop)
{
    const sio_link *at = loop->fetches.next;
    for (; at != &loop->fetches; at = at->next) {
        fetch *f = SIO_OWNER(at, fetch, link);
        if (is_ready(loop, f)) {
            return f;
        }
    }
    return NULL;
}

void sio_recovery_heard(sio_loop *loop)
{
    fetch *f;
    while ((f = find_ready(loop)) != NULL) {
        sio_link_drop(&f->link);
        f->then(f);
    }
}

void sio_recovery_drop_fetches(sio_loop *loop)
{
    while (!sio_list_empty(&loop->fetches)) {
        fetch *f = SIO_OWNER(loop->fetches.next, fetch, link);
        sio_link_drop(&f->link);
        end_fetch(f, loop);
    }
}

/* ------------------------------------------------------------- the claim -- */

static claim *find_claim(const sio_recovery *recovery, const sio_socket *socket)
{
    const sio_link *at = recovery->claims.next;
    for (; at != &recovery->claims; at = at->next) {
        claim *c = SIO_OWNER(at, claim, link);
        if (c->socket == socket) {
            return c;
        }
    }
    return NULL;
}

static void end_claim(claim *c, sio_recovery *recovery)
{
    sio_link_drop(&c->link);
    free(c->notes);
    free(c);
    sio_recovery_leave(recovery);
}

void sio_recovery_drop_claims(sio_recovery *recovery)
{
    while (!sio_list_empty(&recovery->claims)) {
        end_claim(SIO_OWNER(recovery->claims.next, claim, link), recovery);
    }
}

static void add_note(claim *c, uint64_t number, sio_origin origin)
{
    if (c->count == c->cap) {
        size_t cap = c->cap == 0 ? 16 : c->cap * 2;
        note *notes = realloc(c->notes, cap * sizeof(*notes));
        if (notes == NULL) {
            c->failed = true;
            return;
        }
        c->notes = notes;
        c->cap = cap;
    }
    c->notes[c->count++] = (note){number, origin};
}

void sio_recovery_note(sio_recovery *recovery, uint64_t number)
{
    sio_origin origin = recovery->local->loop->running;
    sio_link *at = recovery->claims.next;
    if (origin.number == 0) {
        return; /* for a socket of this loop */
    }
    for (; at != &recovery->claims; at = at->next) {
        add_note(SIO_OWNER(at, claim, link), number, origin);
    }
}

/* ---------------------------------------------------- back with the answer --
 */

/* Adds what was noted, but for what the holder had heard. */
static bool add_noted(sio_saved *saved, const claim *c, const fetch *f)
{
    sio_recovery *recovery = saved->recovery;
    sio_members members;
    bool good = sio_saved_members(saved, &members);
    for (size_t i = 0; i < c->count && good; i++) {
        const note *n = &c->notes[i];
        moved m;
        if (n->origin.number <= f->heard[n->origin.sender]) {
            continue;
        }
        good = n->number >= recovery->first;
        if (good && sio_logged_is_for(sio_recovery_at(recovery, n->number),
                                      &members, UINT64_MAX)) {
            good = pack(&m, recovery, n->number, false);
            if (good) {
                good =
                    sio_recovery_inject(recovery, &m.out, m.offset, saved->sid);
                sio_outgoing_deinit(&m.out);
            }
        }
    }
    free(members.rooms);
    return good;
}

static bool add_packets(sio_saved *saved, const claim *c, const fetch *f)
{
    bool good = !c->failed && c->after + 1 >= saved->recovery->first;
    for (size_t i = 0; i < f->count && good; i++) {
        good = sio_recovery_inject(saved->recovery, &f->packets[i].out,
                                   f->packets[i].offset, saved->sid);
    }
    return good && add_noted(saved, c, f);
}

/* Stores the session here. */
static void settle(fetch *f, const claim *c)
{
    sio_recovery *recovery = f->socket->local->recovery;
    sio_saved *saved = f->saved;
    if (c == NULL || recovery->local->loop->closed) {
        return; /* it goes with the fetch */
    }
    sio_recovery_arrive(saved);
    f->saved = NULL;
    saved->start = recovery->next - 1;
    saved->alias_len = (uint8_t)f->offset_len;
    memcpy(saved->alias, f->offset, f->offset_len);
    bool good = add_packets(saved, c, f);
    saved->floor = saved->end = saved->newest = recovery->next - 1;
    sio_saved_rejoin(saved, saved->floor);
    sio_recovery_store(saved);
    if (!good && sio_recovery_find(recovery, sio_text(f->pid)) == saved) {
        sio_recovery_expire(saved, true);
    }
}

static void arrive(fetch *f)
{
    sio_socket *socket = f->socket;
    sio_recovery *recovery = socket->local->recovery;
    sio_loop *loop = socket->local->loop;
    claim *c = find_claim(recovery, socket);
    if (f->saved != NULL) {
        settle(f, c);
    }
    if (c != NULL) {
        end_claim(c, recovery);
    }
    if (socket->state == SIO_SOCKET_CONNECTING) {
        sio_recovery_claim_here(
            socket, sio_text(f->pid),
            (sio_bytes){(const uint8_t *)f->offset, f->offset_len});
    }
    if (socket->state == SIO_SOCKET_CONNECTING) {
        sio_socket_admit(socket);
    }
    end_fetch(f, loop);
    sio_recovery_heard(loop); /* others may wait for the session */
}

static void run_answer(sio_message *message)
{
    fetch *f = SIO_OWNER(message, fetch, message);
    go_on(f, f->socket->local->loop, arrive);
}

static void drop_answer(sio_message *message)
{
    fetch *f = SIO_OWNER(message, fetch, message);
    end_fetch(f, f->socket->local->loop);
}

/* ---------------------------------------------------------- at the holder --
 */

/* Takes the session out, with what it has missed; does nothing where it cannot
 * be resumed. */
static void take_out(fetch *f)
{
    const sio_local *local = sio_local_of(f->socket->nsp, f->holder);
    sio_recovery *recovery = local->recovery;
    sio_members members = {0};
    sio_missed missed = {0};
    sio_saved *saved = sio_recovery_take(
        recovery, sio_text(f->pid),
        (sio_bytes){(const uint8_t *)f->offset, f->offset_len}, NULL);
    if (saved == NULL) {
        return;
    }
    bool good = sio_saved_members(saved, &members) &&
                sio_recovery_find_missed(recovery, &members, saved->resume,
                                         saved->floor, &missed) &&
                pack_all(f, recovery, &missed);
    free(members.rooms);
    free(missed.numbers);
    if (!good) {
        drop_packets(f);
        return;
    }
    sio_recovery_unstore(saved);
    sio_recovery_depart(saved, f->socket->local->recovery);
    f->saved = saved; /* it holds the namespace still */
}

static void run_question(sio_message *message);
static void drop_question(sio_message *message);

/* Puts the question to the loop that has the session by now.  False where that
 * is this one, or none. */
static bool ask_further(fetch *f)
{
    const sio_loop *here = f->holder;
    sio_loop *loop = sio_recovery_find_loop(f->socket->nsp, sio_text(f->pid));
    if (loop == NULL || loop == here) {
        return false;
    }
    f->holder = loop;
    f->message = (sio_message){.run = run_question, .drop = drop_question};
    if (sio_inbox_post(loop->engine->inbox, &f->message) != SIO_OK) {
        end_fetch(f, here);
    }
    return true;
}

static void answer(fetch *f)
{
    sio_loop *holder = f->holder;
    if (ask_further(f)) {
        return;
    }
    take_out(f);
    set_heard(f, holder);
    f->asks = false;
    f->message = (sio_message){.run = run_answer, .drop = drop_answer};
    if (sio_inbox_post(sio_socket_engine(f->socket)->inbox, &f->message) !=
        SIO_OK) {
        end_fetch(f, holder);
    }
}

static void run_question(sio_message *message)
{
    fetch *f = SIO_OWNER(message, fetch, message);
    go_on(f, f->holder, answer);
}

static void drop_question(sio_message *message)
{
    fetch *f = SIO_OWNER(message, fetch, message);
    end_fetch(f, f->holder);
}

/* ------------------------------------------------------------ the question --
 */

static fetch *new_fetch(sio_socket *socket, sio_loop *holder, sio_bytes pid,
                        sio_bytes offset)
{
    const sio_loop *loop = socket->local->loop;
    fetch *f = calloc(1, sizeof(*f) + (loop->core->loop_count + 1) *
                                          sizeof(f->heard[0]));
    if (f != NULL) {
        f->message = (sio_message){.run = run_question, .drop = drop_question};
        f->socket = sio_socket_ref(socket);
        f->holder = holder;
        f->asks = true;
        memcpy(f->pid, pid.base, SIO_TOKEN_LEN);
        memcpy(f->offset, offset.base, offset.len);
        f->offset_len = offset.len;
        set_heard(f, loop);
    }
    return f;
}

bool sio_recovery_fetch(sio_socket *socket, sio_loop *holder, sio_bytes pid,
                        sio_bytes offset)
{
    sio_recovery *recovery = socket->local->recovery;
    claim *c = calloc(1, sizeof(*c));
    fetch *f = c == NULL ? NULL : new_fetch(socket, holder, pid, offset);
    if (f == NULL) {
        free(c);
        return false;
    }
    c->socket = socket;
    c->after = recovery->next - 1;
    sio_list_append(&recovery->claims, &c->link);
    sio_recovery_enter(recovery);
    if (sio_inbox_post(holder->engine->inbox, &f->message) != SIO_OK) {
        end_claim(c, recovery);
        end_fetch(f, socket->local->loop);
        return false;
    }
    return true;
}
