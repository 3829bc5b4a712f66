#include <stdlib.h>

#include "socketio/adapter_impl.h"
#include "socketio/infos.h"
#include "socketio/parent.h"
#include "socketio/spread.h"

/* --------------------------------------------------------- of this loop -- */

size_t sio_namespace_rooms(const sio_namespace *nsp)
{
    const sio_local *local = sio_namespace_here(nsp);
    return local == NULL ? 0 : local->rooms.count;
}

sio_socket *sio_local_socket(const sio_local *local, sio_bytes id)
{
    sio_map_node *node = sio_map_find(&local->sockets, id);
    return node == NULL ? NULL : SIO_OWNER(node, sio_socket, node);
}

sio_socket *sio_namespace_socket(const sio_namespace *nsp, const char *id)
{
    const sio_local *local = sio_namespace_here(nsp);
    return local == NULL ? NULL : sio_local_socket(local, sio_text(id));
}

size_t sio_namespace_room_count(const sio_namespace *nsp, const char *room)
{
    const sio_local *local = sio_namespace_here(nsp);
    if (local == NULL) {
        return 0;
    }
    /* Others may be in the room of a socket's own id. */
    const sio_room *found = sio_room_find(local, sio_text(room));
    return (found == NULL ? 0 : found->count) +
           (sio_local_socket(local, sio_text(room)) == NULL ? 0 : 1);
}

/* Visits a list taken beforehand, so that `fn` may do anything. */
static void visit_here(sio_local *local, const sio_broadcast *b,
                       sio_socket_fn *fn, void *arg)
{
    sio_crowd crowd = {0};
    sio_crowd_gather(&crowd, local, b);
    for (size_t i = 0; i < crowd.count; i++) {
        if (crowd.sockets[i]->state == SIO_SOCKET_CONNECTED) {
            fn(crowd.sockets[i], arg);
        }
    }
    sio_crowd_disperse(&crowd);
}

typedef struct here_visit {
    const sio_broadcast *b;
    sio_socket_fn *fn;
    void *arg;
} here_visit;

static void visit_local(sio_local *local, void *arg)
{
    const here_visit *v = arg;
    visit_here(local, v->b, v->fn, v->arg);
}

static void each_here(const sio_broadcast *b, sio_socket_fn *fn, void *arg)
{
    here_visit v = {b, fn, arg};
    sio_loop *loop = sio_core_here(b->nsp->core);
    if (loop != NULL) {
        sio_locals_each(loop, b->nsp, visit_local, &v);
    }
}

void sio_namespace_each(sio_namespace *nsp, sio_socket_fn *fn, void *arg)
{
    sio_broadcast all = sio_namespace_broadcast(nsp);
    each_here(&all, fn, arg);
}

void sio_namespace_each_in(sio_namespace *nsp, const char *room,
                           sio_socket_fn *fn, void *arg)
{
    sio_broadcast members = sio_namespace_to(nsp, room);
    each_here(&members, fn, arg);
}

/* ------------------------------------------------------ of all the loops -- */

size_t sio_namespace_count(const sio_namespace *nsp)
{
    size_t count = 0;
    if (nsp->as_parent != NULL) {
        return sio_parent_count(nsp->as_parent);
    }
    for (unsigned i = 0; i < nsp->loop_count; i++) {
        const sio_local *local = sio_local_of(nsp, nsp->core->loops[i]);
        count += local == NULL ? 0 : (size_t)sio_metric_get(&local->connected);
    }
    return count;
}

typedef struct visit {
    sio_task task;
    sio_socket_fn *fn;
    void *arg;
} visit;

static void run_visit(sio_task *task, sio_local *local, const sio_broadcast *b)
{
    const visit *v = SIO_OWNER(task, visit, task);
    visit_here(local, b, v->fn, v->arg);
}

static void end_visit(sio_task *task)
{
    (void)task;
}

sio_error sio_broadcast_each(sio_broadcast b, sio_socket_fn *fn, void *arg)
{
    visit v = {{run_visit, end_visit, NULL}, fn, arg};
    return sio_spread(&b, &v.task, sizeof(v));
}

/*
 * A question to all loops.  It is one message that goes from loop to loop, each
 * of which adds what it has, and then home: so no two threads ever have it at
 * the same time.
 */
typedef struct question {
    sio_message message;
    sio_broadcast b;
    sio_core *core;
    unsigned home; /* the loop that is told */
    unsigned next; /* the loop that is asked; core->loop_count: all have been */
    sio_crowd crowd;
    size_t count;
    sio_sockets_fn *on_sockets; /* or */
    sio_count_fn *on_count;     /* or */
    sio_infos *infos;           /* owned */
    void *arg;
} question;

static void free_question(question *q)
{
    sio_infos_free(q->infos);
    sio_crowd_disperse(&q->crowd);
    sio_socket_unref(q->b.except_socket);
    sio_namespace_unref(q->b.nsp);
    free(q);
}

static void drop_question(sio_message *message)
{
    free_question(SIO_OWNER(message, question, message));
}

static void tell(question *q)
{
    if (q->on_count != NULL) {
        q->on_count(SIO_OK, q->count, q->arg);
    } else if (q->infos != NULL) {
        sio_infos_tell(q->infos, q->crowd.failed, q->arg);
    } else {
        q->on_sockets(q->crowd.failed ? SIO_ERR_NO_MEMORY : SIO_OK,
                      q->crowd.sockets, q->crowd.count, q->arg);
    }
    free_question(q);
}

static sio_error post_to(question *q, unsigned loop)
{
    return sio_inbox_post(q->core->loops[loop]->engine->inbox, &q->message);
}

/* To the next loop; one that has ended has no sockets.  Once posted, it is the
 * other thread's. */
static void send_on(question *q)
{
    for (; q->next < q->core->loop_count; q->next++) {
        if (post_to(q, q->next) == SIO_OK) {
            return;
        }
    }
    if (post_to(q, q->home) != SIO_OK) {
        free_question(q);
    }
}

static void count_one(sio_socket *socket, void *count)
{
    (void)socket;
    ++*(size_t *)count;
}

static void ask_local(sio_local *local, void *arg)
{
    question *q = arg;
    size_t before = q->crowd.count;
    if (q->on_count != NULL) {
        sio_recipients_each(local, &q->b, count_one, &q->count);
        return;
    }
    sio_crowd_gather(&q->crowd, local, &q->b);
    if (q->infos != NULL && q->crowd.count != before) {
        sio_infos_add(q->infos, q->crowd.sockets + before,
                      q->crowd.count - before);
    }
}

static void run_question(sio_message *message)
{
    question *q = SIO_OWNER(message, question, message);
    if (q->next == q->core->loop_count) {
        tell(q);
        return;
    }
    sio_locals_each(q->core->loops[q->next], q->b.nsp, ask_local, q);
    q->next++;
    send_on(q);
}

static sio_error ask(const sio_broadcast *b, question what)
{
    const sio_loop *here = sio_core_here(b->nsp->core);
    if ((b->flags & SIO_BROADCAST_OVERFLOW) != 0) {
        return SIO_ERR_ARGUMENT;
    }
    question *q = malloc(sizeof(*q) + sio_broadcast_names_size(b));
    if (q == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    *q = what;
    q->message = (sio_message){.run = run_question, .drop = drop_question};
    q->core = b->nsp->core;
    q->home = here == NULL ? 0 : here->index;
    q->b = sio_broadcast_copy(b, q + 1);
    (void)sio_namespace_ref(q->b.nsp);
    send_on(q);
    return SIO_OK;
}

sio_error sio_broadcast_fetch(sio_broadcast b, sio_sockets_fn *fn, void *arg)
{
    return ask(&b, (question){.on_sockets = fn, .arg = arg});
}

sio_error sio_broadcast_count(sio_broadcast b, sio_count_fn *fn, void *arg)
{
    return ask(&b, (question){.on_count = fn, .arg = arg});
}

sio_error sio_memory_fetch_infos(void *self, const sio_broadcast *b,
                                 sio_infos_fn *fn, void *arg)
{
    (void)self;
    sio_infos *infos = sio_infos_new(fn);
    sio_error err = infos == NULL
                        ? SIO_ERR_NO_MEMORY
                        : ask(b, (question){.infos = infos, .arg = arg});
    if (err != SIO_OK) {
        sio_infos_free(infos);
    }
    return err;
}
