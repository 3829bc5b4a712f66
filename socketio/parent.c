#include <stdio.h>
#include <stdlib.h>

#include "socketio/adapter_impl.h"
#include "socketio/parent.h"

/*
 * Parents have no sockets, but children, namespaces that come into being when
 * a client asks for one, and handlers, which the children use as they are.
 *
 * A child lives as long as somebody holds it: the map of namespaces, each of
 * its sockets, broadcasts on their way, the application.  A namespace is in the
 * map before those who listen have heard of it, lest two threads make the same;
 * until they have, it is `fresh`, and who finds it waits for core->making,
 * which is held meanwhile.
 */

/* A parent's function at work on one socket.  The socket is in a namespace of
 * its own until then, which becomes the child, or goes. */
struct sio_claim {
    sio_link link;       /* in loop->claims */
    sio_message message; /* for an answer from another thread */
    sio_socket *socket;  /* a reference */
    sio_parent *parent;  /* who is asked */
};

/* -------------------------------------------------------------- patterns -- */

/* A `*` that has to give up its text for a longer one has none before it that
 * would have to: it takes anything that they could, but a slash, which ends
 * them too. */
bool sio_pattern_fits(sio_bytes pattern, sio_bytes name)
{
    size_t p = 0, n = 0;
    size_t star = SIZE_MAX, end = 0; /* the latest `*`, and what it takes */
    while (n < name.len) {
        bool is_star = p < pattern.len && pattern.base[p] == '*';
        if (is_star && name.base[n] != '/') {
            star = p++;
            end = ++n;
        } else if (!is_star && p < pattern.len &&
                   pattern.base[p] == name.base[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX && name.base[end] != '/') {
            n = ++end;
            p = star + 1;
        } else {
            return false;
        }
    }
    return p == pattern.len;
}

/* The one behind `after`, which may be NULL, that may take the name. */
static sio_parent *next_parent(const sio_core *core, const sio_parent *after,
                               sio_bytes name, bool by_pattern)
{
    const sio_link *at = after == NULL ? core->parents.next : after->link.next;
    for (; at != &core->parents; at = at->next) {
        sio_parent *parent = SIO_OWNER(at, sio_parent, link);
        if (parent->fn == NULL ? sio_pattern_fits(parent->pattern, name)
                               : !by_pattern) {
            return parent;
        }
    }
    return NULL;
}

sio_parent *sio_core_parent_of(const sio_core *core, sio_bytes name)
{
    return next_parent(core, NULL, name, true);
}

/* --------------------------------------------------------------- parents -- */

static void free_parent(sio_parent *parent)
{
    if (parent != NULL) {
        free((uint8_t *)(uintptr_t)parent->pattern.base);
        free(parent);
    }
}

static sio_namespace *make_parent(sio_core *core, sio_bytes pattern,
                                  sio_claim_fn *fn, void *arg)
{
    char name[16];
    int len = snprintf(name, sizeof(name), "_%u", core->parent_count);
    sio_parent *parent = calloc(1, sizeof(*parent));
    uint8_t *copy = malloc(pattern.len + 1);
    sio_namespace *nsp = sio_namespace_new(
        core, (sio_bytes){(const uint8_t *)name, (size_t)len});
    if (parent == NULL || copy == NULL || nsp == NULL) {
        free(parent);
        free(copy);
        if (nsp != NULL) {
            sio_namespace_free(nsp);
        }
        return NULL;
    }
    if (pattern.len != 0) {
        memcpy(copy, pattern.base, pattern.len);
    }
    *parent = (sio_parent){.nsp = nsp, .fn = fn, .arg = arg};
    parent->pattern = (sio_bytes){copy, pattern.len};
    sio_list_init(&parent->children);
    nsp->as_parent = parent;
    sio_lock_take(&core->lock);
    sio_list_append(&core->parents, &parent->link);
    sio_lock_leave(&core->lock);
    core->parent_count++;
    /* The parent owns its pattern. */
    /* cppcheck-suppress memleak */
    return nsp;
}

sio_namespace *sio_core_of_pattern(sio_core *core, const char *pattern)
{
    sio_bytes text = sio_text(pattern);
    sio_link *at = core->parents.next;
    if (core->fixed || pattern[0] != '/' || strchr(pattern, ',') != NULL ||
        text.len > core->limits.max_nsp) {
        return NULL;
    }
    for (; at != &core->parents; at = at->next) {
        const sio_parent *parent = SIO_OWNER(at, sio_parent, link);
        if (parent->fn == NULL && parent->pattern.len == text.len &&
            memcmp(parent->pattern.base, text.base, text.len) == 0) {
            return parent->nsp;
        }
    }
    return make_parent(core, text, NULL, NULL);
}

sio_namespace *sio_core_of_check(sio_core *core, sio_claim_fn *fn, void *arg)
{
    return core->fixed ? NULL : make_parent(core, (sio_bytes){0}, fn, arg);
}

void sio_parents_free(sio_core *core)
{
    while (!sio_list_empty(&core->parents)) {
        sio_parent *parent = SIO_OWNER(core->parents.next, sio_parent, link);
        sio_link_drop(&parent->link);
        sio_namespace_free(parent->nsp);
        free_parent(parent);
    }
}

size_t sio_parent_count(sio_parent *parent)
{
    sio_core *core = parent->nsp->core;
    size_t count = 0;
    sio_lock_take(&core->lock);
    const sio_link *at = parent->children.next;
    for (; at != &parent->children; at = at->next) {
        count += sio_namespace_count(SIO_OWNER(at, sio_namespace, sibling));
    }
    sio_lock_leave(&core->lock);
    return count;
}

sio_namespace *sio_namespace_parent(const sio_namespace *nsp)
{
    return nsp->parent;
}

/* -------------------------------------------------------------- children -- */

sio_namespace *sio_namespace_ref(sio_namespace *nsp)
{
    if (sio_namespace_is_counted(nsp)) {
        atomic_fetch_add_explicit(&nsp->refs, 1, memory_order_relaxed);
    }
    return nsp;
}

void sio_namespace_unref(sio_namespace *nsp)
{
    if (nsp != NULL && sio_namespace_is_counted(nsp) &&
        atomic_fetch_sub_explicit(&nsp->refs, 1, memory_order_acq_rel) == 1) {
        sio_namespace_free(nsp);
    }
}

/* With core->lock.  Gives the map's reference. */
static void unlist(sio_namespace *nsp)
{
    sio_core *core = nsp->core;
    sio_map_remove(&core->namespaces, &nsp->node);
    sio_link_drop(&nsp->sibling);
    nsp->listed = false;
    core->dynamic--;
}

void sio_namespace_leave(sio_namespace *nsp, const sio_loop *loop)
{
    sio_core *core = nsp->core;
    if (atomic_fetch_sub_explicit(&nsp->members, 1, memory_order_acq_rel) !=
            1 ||
        !core->cleanup) {
        return;
    }
    /* Somebody may have come in, or have removed it, meanwhile. */
    sio_lock_take(&core->lock);
    bool gone = nsp->listed && nsp->dynamic && !nsp->pinned &&
                atomic_load_explicit(&nsp->members, memory_order_relaxed) == 0;
    if (gone) {
        unlist(nsp);
    }
    sio_lock_leave(&core->lock);
    if (gone) {
        eio_count(loop->engine, SIO_COUNTER_NAMESPACES_REMOVED);
        sio_namespace_unref(nsp);
    }
}

void sio_namespace_part(sio_namespace *nsp, const sio_loop *loop)
{
    if (sio_namespace_is_counted(nsp)) {
        sio_namespace_leave(nsp, loop);
        sio_namespace_unref(nsp);
    }
}

void sio_core_tell(sio_core *core, sio_namespace *nsp)
{
    const sio_hooks *hooks = &core->new_namespace;
    sio_adapter_open(nsp);
    for (size_t i = 0; i < hooks->count && nsp->name_len != 1; i++) {
        ((sio_namespace_fn *)hooks->items[i].fn)(nsp, hooks->items[i].arg);
    }
    atomic_store_explicit(&nsp->fresh, false, memory_order_release);
}

/* One with a single member and its reference, which nobody knows yet. */
static sio_namespace *new_candidate(sio_core *core, sio_bytes name,
                                    sio_parent *parent)
{
    sio_namespace *nsp =
        sio_namespace_new(core, (sio_bytes){name.base + 1, name.len - 1});
    if (nsp != NULL) {
        nsp->parent = parent->nsp;
        atomic_store_explicit(&nsp->members, 1, memory_order_relaxed);
    }
    return nsp;
}

/* Makes a child of a candidate, with core->making, and gives it, or, as
 * sio_core_enter() does, another one of that name, which may have come first,
 * or NULL. */
static sio_namespace *settle(sio_core *core, sio_namespace *candidate)
{
    sio_bytes name = sio_namespace_view(candidate);
    sio_namespace *other = sio_core_enter(core, name);
    if (other != NULL) {
        return other;
    }
    atomic_store(&candidate->fresh, true);
    sio_lock_take(&core->lock);
    bool listed = core->dynamic < core->max_dynamic &&
                  sio_core_list(core, candidate) == SIO_OK;
    if (listed) {
        candidate->dynamic = true;
        core->dynamic++;
    }
    sio_lock_leave(&core->lock);
    if (!listed) {
        return NULL;
    }
    sio_core_tell(core, candidate);
    return candidate;
}

/* The same for a client, and tells the loop's log and counters. */
static sio_namespace *admit(const sio_client *client, sio_namespace *candidate)
{
    sio_loop *loop = client->loop;
    sio_core *core = loop->core;
    sio_lock_take(&core->making);
    sio_namespace *nsp = settle(core, candidate);
    sio_lock_leave(&core->making);
    if (nsp == NULL) {
        sio_limit_tell(client, SIO_COUNTER_NAMESPACES_REFUSED,
                       "namespace_limit", "namespaces made for clients",
                       core->max_dynamic, &loop->namespaces_next);
    } else if (nsp == candidate) {
        eio_count(loop->engine, SIO_COUNTER_NAMESPACES_CREATED);
    }
    return nsp;
}

/* ---------------------------------------------------------------- claims -- */

static void end_claim(sio_claim *claim)
{
    sio_socket *socket = claim->socket;
    sio_link_drop(&claim->link);
    free(claim);
    sio_socket_unref(socket);
}

void sio_claims_free(sio_loop *loop)
{
    while (!sio_list_empty(&loop->claims)) {
        end_claim(SIO_OWNER(loop->claims.next, sio_claim, link));
    }
}

static void give_up(sio_client *client)
{
    if (client->session != NULL) {
        eio_session_close(client->session, EIO_CLOSE_NOW);
    }
}

static void start_claim(sio_client *client, sio_namespace *candidate,
                        sio_parent *parent, sio_bytes auth)
{
    sio_socket *socket = sio_socket_new(client, candidate, auth);
    sio_claim *claim = socket == NULL ? NULL : malloc(sizeof(*claim));
    if (claim == NULL) {
        give_up(client);
        return;
    }
    *claim = (sio_claim){.socket = sio_socket_ref(socket), .parent = parent};
    sio_list_append(&client->loop->claims, &claim->link);
    parent->fn(claim, parent->arg);
}

/* A pattern decides at once, so there is nothing to wait for. */
static void join_child(sio_client *client, sio_namespace *candidate,
                       sio_bytes auth)
{
    sio_namespace *nsp = admit(client, candidate);
    if (nsp == NULL) {
        sio_client_refuse_unknown(client, sio_namespace_view(candidate));
    }
    if (nsp != candidate) {
        sio_namespace_unref(candidate);
    }
    if (nsp == NULL) {
        return;
    }
    if (client->session == NULL) { /* who was told has closed it */
        sio_namespace_part(nsp, client->loop);
        return;
    }
    sio_socket *socket = sio_socket_new(client, nsp, auth);
    if (socket != NULL) {
        sio_socket_start(socket);
    } else {
        give_up(client);
    }
}

void sio_parent_ask(sio_client *client, const sio_packet *packet)
{
    sio_core *core = client->loop->core;
    sio_bytes name = packet->nsp;
    /* With a NUL in it, it would look like another one. */
    sio_parent *parent = memchr(name.base, '\0', name.len) != NULL
                             ? NULL
                             : next_parent(core, NULL, name, false);
    if (parent == NULL) {
        sio_client_refuse_unknown(client, name);
        return;
    }
    if (client->count >= core->max_namespaces) {
        sio_limit_end_namespaces(client);
        return;
    }
    sio_namespace *candidate = new_candidate(core, name, parent);
    if (candidate == NULL) {
        give_up(client);
    } else if (parent->fn == NULL) {
        join_child(client, candidate, packet->payload);
    } else {
        start_claim(client, candidate, parent, packet->payload);
    }
}

/* Where its loop has ended, it is among those that nobody answers any more. */
static bool answer_far(sio_claim *claim, void (*run)(sio_message *self))
{
    if (sio_socket_is_here(claim->socket)) {
        return false;
    }
    claim->message = (sio_message){.run = run};
    (void)sio_inbox_post(sio_socket_engine(claim->socket)->inbox,
                         &claim->message);
    return true;
}

/* Whether nobody waits for the answer any more. */
static bool is_moot(const sio_claim *claim)
{
    const sio_socket *socket = claim->socket;
    return socket->state != SIO_SOCKET_CONNECTING ||
           socket->client->session == NULL;
}

static void turn_away(sio_claim *claim)
{
    sio_socket *socket = claim->socket;
    sio_client_refuse_unknown(socket->client, sio_namespace_view(socket->nsp));
    sio_socket_end(socket, SIO_DISCONNECT_SERVER_NAMESPACE_DISCONNECT, SIO_OK);
    sio_socket_unlist(socket);
    end_claim(claim);
}

static void take_in(sio_claim *claim)
{
    sio_socket *socket = claim->socket;
    sio_namespace *nsp = admit(socket->client, socket->nsp);
    if (nsp == NULL) {
        turn_away(claim);
        return;
    }
    (void)sio_socket_ref(socket);
    end_claim(claim);
    if (nsp != socket->nsp && sio_socket_move(socket, nsp) != SIO_OK) {
        give_up(socket->client);
    } else if (socket->state == SIO_SOCKET_CONNECTING) {
        sio_socket_start(socket);
    }
    sio_socket_unref(socket);
}

static void run_allow(sio_message *message)
{
    sio_claim_allow(SIO_OWNER(message, sio_claim, message));
}

void sio_claim_allow(sio_claim *claim)
{
    if (answer_far(claim, run_allow)) {
        return;
    }
    if (is_moot(claim)) {
        end_claim(claim);
    } else {
        take_in(claim);
    }
}

static void run_refuse(sio_message *message)
{
    sio_claim_refuse(SIO_OWNER(message, sio_claim, message));
}

void sio_claim_refuse(sio_claim *claim)
{
    if (answer_far(claim, run_refuse)) {
        return;
    }
    sio_namespace *candidate = claim->socket->nsp;
    if (is_moot(claim)) {
        end_claim(claim);
        return;
    }
    sio_parent *next = next_parent(candidate->core, claim->parent,
                                   sio_namespace_view(candidate), false);
    if (next == NULL) {
        turn_away(claim);
        return;
    }
    claim->parent = next;
    candidate->parent = next->nsp;
    if (next->fn == NULL) {
        take_in(claim);
    } else {
        next->fn(claim, next->arg);
    }
}

const char *sio_claim_name(const sio_claim *claim)
{
    return claim->socket->nsp->name;
}

const char *sio_claim_auth(const sio_claim *claim)
{
    return sio_socket_auth(claim->socket);
}

const sio_handshake *sio_claim_handshake(const sio_claim *claim)
{
    return sio_socket_handshake(claim->socket);
}

/* ----------------------------------------------------------------- walks -- */

void sio_locals_each(sio_loop *loop, const sio_namespace *nsp, sio_local_fn *fn,
                     void *arg)
{
    if (nsp != NULL && nsp->as_parent == NULL) {
        sio_local *local = sio_local_of(nsp, loop);
        if (local != NULL) {
            fn(local, arg);
        }
        return;
    }
    sio_active mark = {0};
    sio_link *at = loop->active.next;
    while (at != &loop->active) {
        sio_local *local = SIO_OWNER(at, sio_active, link)->local;
        if (local == NULL || (nsp != NULL && local->nsp->parent != nsp)) {
            at = at->next;
            continue;
        }
        sio_list_append(at->next, &mark.link); /* before that one */
        fn(local, arg); /* its sockets, if now dead, hold it for this turn */
        at = mark.link.next;
        sio_link_drop(&mark.link);
    }
}

sio_error sio_core_on_namespace(sio_core *core, sio_namespace_fn *fn, void *arg)
{
    if (core->fixed) {
        return SIO_ERR_STATE;
    }
    sio_lock_take(&core->making);
    sio_error err =
        sio_hooks_add(&core->new_namespace, (void (*)(void))fn, arg);
    sio_lock_leave(&core->making);
    return err;
}

sio_error sio_core_each(sio_core *core, sio_namespace_fn *fn, void *arg)
{
    size_t count = 0;
    sio_lock_take(&core->making); /* none is fresh, but for who makes it */
    sio_lock_take(&core->lock);
    sio_namespace **all =
        malloc((core->namespaces.count + 1) * sizeof(sio_namespace *));
    sio_map_walk walk = sio_map_walk_start(&core->namespaces);
    sio_map_node *node;
    while (all != NULL && (node = sio_map_walk_next(&walk)) != NULL) {
        all[count++] = sio_namespace_ref(SIO_OWNER(node, sio_namespace, node));
    }
    sio_lock_leave(&core->lock);
    sio_lock_leave(&core->making);
    if (all == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        fn(all[i], arg);
        sio_namespace_unref(all[i]);
    }
    free(all);
    return SIO_OK;
}
