#ifndef SIO_PARENT_H
#define SIO_PARENT_H

/* Namespaces that come and go: parents and children, and how to find them. */

#include "socketio/core.h"

/* ---------------------------------------------- looking, making, leaving -- */

/* The namespace that a socket of a client is to be in, or NULL: of a child it
 * is a member, with a reference, that sio_namespace_leave() and
 * sio_namespace_unref() end. */
sio_namespace *sio_core_enter(sio_core *core, sio_bytes name);

/* One that nobody knows yet; `name` comes without its slash. */
sio_namespace *sio_namespace_new(sio_core *core, sio_bytes name);
void sio_namespace_free(sio_namespace *nsp);

/* With core->lock: the one of that name, or NULL; puts one in its place. */
sio_namespace *sio_core_look(const sio_core *core, sio_bytes name);
sio_error sio_core_list(sio_core *core, sio_namespace *nsp);

/* ------------------------------------------------- parents and children -- */

/* What makes a namespace a parent. */
struct sio_parent {
    sio_link link;      /* in core->parents */
    sio_namespace *nsp; /* whose part it is */
    sio_link children;  /* of sio_namespace.sibling, under core->lock */
    sio_claim_fn *fn;   /* decides, or, where it is NULL, the pattern does */
    void *arg;
    sio_bytes pattern; /* owned */
};

/* sio_server_of_pattern(), sio_server_of_check(), sio_server_on_namespace(),
 * sio_server_each_namespace().  The last from any thread. */
sio_namespace *sio_core_of_pattern(sio_core *core, const char *pattern);
sio_namespace *sio_core_of_check(sio_core *core, sio_claim_fn *fn, void *arg);
sio_error sio_core_on_namespace(sio_core *core, sio_namespace_fn *fn,
                                void *arg);
sio_error sio_core_each(sio_core *core, sio_namespace_fn *fn, void *arg);

/* Connected sockets of all its children.  Any thread. */
size_t sio_parent_count(sio_parent *parent);

/* Whether the name fits the pattern; see sio_server_of_pattern(). */
bool sio_pattern_fits(sio_bytes pattern, sio_bytes name);

/* The first parent by pattern that the name fits, or NULL.  With core->lock. */
sio_parent *sio_core_parent_of(const sio_core *core, sio_bytes name);

/* A client asks for a namespace that there is not. */
void sio_parent_ask(sio_client *client, const sio_packet *packet);

/* With core->making, not with core->lock. */
void sio_core_tell(sio_core *core, sio_namespace *nsp);

/* Whether its sockets are counted, and hold it: it may go while the server
 * runs. */
static inline bool sio_namespace_is_counted(const sio_namespace *nsp)
{
    return nsp->parent != NULL;
}

/* Ends what sio_core_enter() gave. */
void sio_namespace_part(sio_namespace *nsp, const sio_loop *loop);

/* A socket is in it no longer. */
void sio_namespace_leave(sio_namespace *nsp, const sio_loop *loop);

/* Ends what was not answered, when nobody can answer any more. */
void sio_claims_free(sio_loop *loop);
void sio_parents_free(sio_core *core);

/* ------------------------------------------------------------- handlers -- */

/* Handlers are those of the parent, if there is one, and then its own:
 *
 *   for (at = sio_namespace_first(nsp); at != NULL;
 *        at = sio_namespace_then(nsp, at)) ...
 */
static inline sio_namespace *sio_namespace_first(sio_namespace *nsp)
{
    return nsp->parent != NULL ? nsp->parent : nsp;
}

static inline sio_namespace *sio_namespace_then(sio_namespace *nsp,
                                                const sio_namespace *at)
{
    return at == nsp ? NULL : nsp;
}

/* The middleware with this index, or NULL. */
const sio_hook *sio_namespace_middleware(const sio_namespace *nsp,
                                         size_t index);

/* The same for middlewares of events. */
const sio_hook *sio_namespace_event_middleware(const sio_namespace *nsp,
                                               size_t index);

static inline bool sio_namespace_filters_events(const sio_namespace *nsp)
{
    return nsp->event_middlewares.count != 0 ||
           (nsp->parent != NULL && nsp->parent->event_middlewares.count != 0);
}

/* Whether somebody listens to its rooms. */
static inline bool sio_namespace_tells_rooms(const sio_namespace *nsp)
{
    return nsp->room.count != 0 || nsp->adapter->room != NULL ||
           (nsp->parent != NULL && nsp->parent->room.count != 0);
}

/* ----------------------------------------------------------------- walks -- */

/* Visits what the loop has of the namespace: one or none, or, of a parent, one
 * for each child with connected sockets here.  `fn` may do anything.  On the
 * loop's thread. */
typedef void sio_local_fn(sio_local *local, void *arg);
void sio_locals_each(sio_loop *loop, const sio_namespace *nsp, sio_local_fn *fn,
                     void *arg);

#endif
