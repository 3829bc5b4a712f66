#include "transport/front_impl.h"

/*
 * Servers behind one port.  One listens; the others are its neighbours, and it
 * theirs.  A request that is for another one's path is moved there with its
 * connection, which stays: what comes on it next is moved on, or back, in the
 * same way.
 */

/* The neighbour whose path is the longest of those that have the request, and
 * longer than `least`; or the one for what is nobody's, if there is one. */
static const tp_neighbour *find(const tp_neighbours *all,
                                const tp_http_head *head, size_t least,
                                bool ours)
{
    const tp_neighbour *found = NULL;
    sio_bytes below;
    for (size_t i = 0; i < all->count; i++) {
        const tp_neighbour *n = &all->list[i];
        if (n->config == NULL) {
            found = found == NULL && !ours ? n : found;
        } else if (n->config->path.len > least &&
                   tp_front_is_ours(n->config, head, &below)) {
            least = n->config->path.len;
            found = n;
        }
    }
    return found;
}

static tp_front *least_of(const tp_neighbour *n)
{
    tp_front *least = n->fronts[0];
    for (unsigned i = 1; i < n->count; i++) {
        if (atomic_load_explicit(&n->fronts[i]->load, memory_order_relaxed) <
            atomic_load_explicit(&least->load, memory_order_relaxed)) {
            least = n->fronts[i];
        }
    }
    return least;
}

bool tp_front_hand_over_to_neighbour(tp_front *front, tp_http_conn *conn,
                                     const tp_http_request *req)
{
    sio_bytes below;
    bool ours = tp_front_is_ours(front->config, req->head, &below);
    const tp_neighbour *n = find(front->neighbours, req->head,
                                 ours ? front->config->path.len : 0, ours);
    if (n == NULL) {
        return false;
    }
    tp_front_move(front, least_of(n), conn, req);
    return true;
}
