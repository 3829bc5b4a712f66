#include "test/bus_adapter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

enum { NODES = 8, ROOMS = 16, TEXT = 4096, INFOS = 16 };

/* One server's namespace. */
typedef struct node {
    bus *bus;
    sio_namespace *nsp;
    bool serving;
} node;

struct bus {
    pthread_mutex_t lock; /* of the list; recursive */
    node *nodes[NODES];
    size_t count;
};

bus *bus_new(void)
{
    bus *b = calloc(1, sizeof(*b));
    pthread_mutexattr_t attr;
    REQUIRE(b != NULL && pthread_mutexattr_init(&attr) == 0);
    REQUIRE(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE) == 0);
    REQUIRE(pthread_mutex_init(&b->lock, &attr) == 0);
    pthread_mutexattr_destroy(&attr);
    return b;
}

void bus_free(bus *b)
{
    REQUIRE(b->count == 0);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void *bus_open(sio_namespace *nsp, void *arg)
{
    bus *b = arg;
    node *n = calloc(1, sizeof(*n));
    REQUIRE(n != NULL);
    *n = (node){b, nsp, false};
    pthread_mutex_lock(&b->lock);
    REQUIRE(b->count < NODES);
    b->nodes[b->count++] = n;
    pthread_mutex_unlock(&b->lock);
    return n;
}

static void bus_close(void *self, sio_namespace *nsp)
{
    node *n = self;
    bus *b = n->bus;
    (void)nsp;
    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->count; i++) {
        if (b->nodes[i] == n) {
            b->nodes[i] = b->nodes[--b->count];
            break;
        }
    }
    pthread_mutex_unlock(&b->lock);
    free(n);
}

static void set_serving(node *n, bool serving)
{
    pthread_mutex_lock(&n->bus->lock);
    n->serving = serving;
    pthread_mutex_unlock(&n->bus->lock);
}

static void bus_start(void *self, sio_namespace *nsp)
{
    (void)nsp;
    set_serving(self, true);
}

static void bus_stop(void *self, sio_namespace *nsp)
{
    (void)nsp;
    set_serving(self, false);
}

/* Visits the nodes of that name that serve; `me` too, if it is wanted.  Returns
 * how many there were. */
typedef void visit_fn(node *to, void *arg);

static size_t each_node(node *me, bool myself, visit_fn *visit, void *arg)
{
    const char *name = sio_namespace_name(me->nsp);
    size_t visited = 0;
    pthread_mutex_lock(&me->bus->lock);
    for (size_t i = 0; i < me->bus->count; i++) {
        node *to = me->bus->nodes[i];
        if (to->serving && (myself || to != me) &&
            strcmp(sio_namespace_name(to->nsp), name) == 0) {
            visited++;
            if (visit != NULL) {
                visit(to, arg);
            }
        }
    }
    pthread_mutex_unlock(&me->bus->lock);
    return visited;
}

/* The broadcast as it is for another server, which has `rooms` for names. */
static sio_broadcast translate(const sio_broadcast *b, const node *to,
                               const char *rooms[2][ROOMS])
{
    sio_broadcast other = sio_namespace_broadcast(to->nsp);
    size_t in = sio_broadcast_rooms(b, rooms[0], ROOMS);
    size_t out = sio_broadcast_excepted(b, rooms[1], ROOMS);
    REQUIRE(in <= ROOMS && out <= ROOMS);
    other = sio_broadcast_to_list(other, rooms[0], in);
    other = sio_broadcast_except_list(other, rooms[1], out);
    if (sio_broadcast_is_volatile(b)) {
        other = sio_broadcast_volatile(other);
    }
    return sio_broadcast_compress(other, sio_broadcast_may_compress(b));
}

/* ------------------------------------------------- what nobody answers -- */

typedef struct command {
    const sio_broadcast *b;
    const char *text; /* event or room */
    const sio_args *args;
    bool close;
    sio_error (*run)(const struct command *self, const sio_broadcast *b);
} command;

static void run_there(node *to, void *arg)
{
    const command *c = arg;
    const char *rooms[2][ROOMS];
    sio_broadcast b = translate(c->b, to, rooms);
    REQUIRE(c->run(c, &b) == SIO_OK);
}

static sio_error run_everywhere(node *me, command c)
{
    (void)each_node(me, false, run_there, &c);
    return c.run(&c, c.b);
}

static sio_error run_emit(const command *c, const sio_broadcast *b)
{
    return sio_adapter_memory.emit(NULL, b, c->text, c->args);
}

static sio_error bus_emit(void *self, const sio_broadcast *b, const char *event,
                          const sio_args *args)
{
    return run_everywhere(
        self, (command){.b = b, .text = event, .args = args, .run = run_emit});
}

static sio_error run_join(const command *c, const sio_broadcast *b)
{
    return sio_adapter_memory.join(NULL, b, c->text);
}

static sio_error bus_join(void *self, const sio_broadcast *b, const char *room)
{
    return run_everywhere(self,
                          (command){.b = b, .text = room, .run = run_join});
}

static sio_error run_leave(const command *c, const sio_broadcast *b)
{
    return sio_adapter_memory.leave(NULL, b, c->text);
}

static sio_error bus_leave(void *self, const sio_broadcast *b, const char *room)
{
    return run_everywhere(self,
                          (command){.b = b, .text = room, .run = run_leave});
}

static sio_error run_disconnect(const command *c, const sio_broadcast *b)
{
    return sio_adapter_memory.disconnect(NULL, b, c->close);
}

static sio_error bus_disconnect(void *self, const sio_broadcast *b, bool close)
{
    return run_everywhere(
        self, (command){.b = b, .close = close, .run = run_disconnect});
}

static void emit_there(node *to, void *arg)
{
    const command *c = arg;
    REQUIRE(sio_adapter_memory.emit_server(NULL, to->nsp, c->text, c->args) ==
            SIO_OK);
}

static sio_error bus_emit_server(void *self, sio_namespace *nsp,
                                 const char *event, const sio_args *args)
{
    command c = {.text = event, .args = args};
    (void)nsp;
    (void)each_node(self, false, emit_there, &c); /* to the others */
    return SIO_OK;
}

/* ------------------------------------------------------ what is answered -- */

/* What is gathered from all servers, on their threads, for one of them. */
typedef struct gather {
    pthread_mutex_t lock;
    node *me;
    size_t left; /* servers, and the one who asks them */
    size_t expected, got;
    char text[TEXT]; /* JSON */
    size_t len;
    sio_socket_info infos[INFOS];
    size_t info_count;
    sio_answers_fn *on_answers; /* or */
    sio_infos_fn *on_infos;
    void *arg;

    /* Of who is asked. */
    const sio_broadcast *b;
    const char *event;
    const sio_args *args;
    uint32_t timeout_ms;
} gather;

static gather *new_gather(node *me, const sio_broadcast *b, void *arg)
{
    gather *g = calloc(1, sizeof(*g));
    REQUIRE(g != NULL && pthread_mutex_init(&g->lock, NULL) == 0);
    g->me = me;
    g->left = 1;
    g->b = b;
    g->arg = arg;
    return g;
}

static void tell(sio_server *server, void *arg)
{
    gather *g = arg;
    (void)server;
    if (g->on_infos != NULL) {
        g->on_infos(SIO_OK, g->infos, g->info_count, g->arg);
    } else {
        g->on_answers(g->got == g->expected ? SIO_OK : SIO_ERR_TIMEOUT, g->text,
                      g->len, g->got, g->expected, g->arg);
    }
    for (size_t i = 0; i < g->info_count; i++) {
        sio_socket_unref(g->infos[i].socket);
        free((char *)(uintptr_t)g->infos[i].id);
    }
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static void leave(gather *g)
{
    pthread_mutex_lock(&g->lock);
    bool last = --g->left == 0;
    pthread_mutex_unlock(&g->lock);
    if (last) {
        REQUIRE(sio_server_post(sio_namespace_server(g->me->nsp), tell, g) ==
                SIO_OK);
    }
}

static void enter(gather *g)
{
    pthread_mutex_lock(&g->lock);
    g->left++;
    pthread_mutex_unlock(&g->lock);
}

static void add(gather *g, const char *text, size_t len, size_t expected,
                size_t got)
{
    pthread_mutex_lock(&g->lock);
    REQUIRE(len < sizeof(g->text) - g->len - 1);
    if (len != 0 && g->len != 0) {
        g->text[g->len++] = ',';
    }
    memcpy(g->text + g->len, len == 0 ? "" : text, len);
    g->len += len;
    g->expected += expected;
    g->got += got;
    pthread_mutex_unlock(&g->lock);
}

static void on_asked(size_t expected, void *arg)
{
    add(arg, "", 0, expected, 0);
}

/* The first argument, which is all of them in these tests. */
static void on_answered(const sio_args *answer, void *arg)
{
    add(arg, answer->json, answer->json_len, 0, 1);
}

static void on_ended(sio_error err, void *arg)
{
    (void)err;
    leave(arg);
}

static const sio_ask_events events = {on_asked, on_answered, on_ended};

static void ask_there(node *to, void *arg)
{
    gather *g = arg;
    const char *rooms[2][ROOMS];
    enter(g);
    REQUIRE(sio_broadcast_ask(translate(g->b, to, rooms), g->event, g->args,
                              g->timeout_ms, &events, g) == SIO_OK);
}

static sio_error bus_emit_ack(void *self, const sio_broadcast *b,
                              const char *event, const sio_args *args,
                              uint32_t timeout_ms, sio_answers_fn *fn,
                              void *arg)
{
    gather *g = new_gather(self, b, arg);
    g->event = event;
    g->args = args;
    g->timeout_ms = timeout_ms;
    g->on_answers = fn;
    (void)each_node(self, true, ask_there, g);
    leave(g);
    return SIO_OK;
}

static void on_server_answers(sio_error err, const char *answers, size_t len,
                              size_t count, size_t expected, void *arg)
{
    (void)err;
    add(arg, answers, len, expected, count);
    leave(arg);
}

static void ask_server(node *to, void *arg)
{
    gather *g = arg;
    enter(g);
    REQUIRE(sio_adapter_memory.emit_server_ack(NULL, to->nsp, g->event, g->args,
                                               g->timeout_ms, on_server_answers,
                                               g) == SIO_OK);
}

static sio_error bus_emit_server_ack(void *self, sio_namespace *nsp,
                                     const char *event, const sio_args *args,
                                     uint32_t timeout_ms, sio_answers_fn *fn,
                                     void *arg)
{
    gather *g = new_gather(self, NULL, arg);
    (void)nsp;
    g->event = event;
    g->args = args;
    g->timeout_ms = timeout_ms;
    g->on_answers = fn;
    (void)each_node(self, false, ask_server, g);
    leave(g);
    return SIO_OK;
}

typedef struct visitor {
    gather *gather;
    bool mine; /* the sockets are of the server that asks */
} visitor;

static void on_infos(sio_error err, const sio_socket_info *infos, size_t count,
                     void *arg)
{
    visitor *v = arg;
    gather *g = v->gather;
    REQUIRE(err == SIO_OK);
    pthread_mutex_lock(&g->lock);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(g->info_count < INFOS);
        g->infos[g->info_count++] = (sio_socket_info){
            .socket = v->mine ? sio_socket_ref(infos[i].socket) : NULL,
            .id = strdup(infos[i].id)};
    }
    pthread_mutex_unlock(&g->lock);
    free(v);
    leave(g);
}

static void fetch_there(node *to, void *arg)
{
    gather *g = arg;
    const char *rooms[2][ROOMS];
    visitor *v = malloc(sizeof(*v));
    REQUIRE(v != NULL);
    *v = (visitor){g, to == g->me};
    sio_broadcast b = translate(g->b, to, rooms);
    enter(g);
    REQUIRE(sio_adapter_memory.fetch_infos(NULL, &b, on_infos, v) == SIO_OK);
}

static sio_error bus_fetch_infos(void *self, const sio_broadcast *b,
                                 sio_infos_fn *fn, void *arg)
{
    gather *g = new_gather(self, b, arg);
    g->on_infos = fn;
    (void)each_node(self, true, fetch_there, g);
    leave(g);
    return SIO_OK;
}

static sio_error bus_count_servers(void *self, sio_namespace *nsp,
                                   sio_count_fn *fn, void *arg)
{
    (void)nsp;
    fn(SIO_OK, each_node(self, true, NULL, NULL), arg);
    return SIO_OK;
}

const sio_adapter_methods bus_adapter = {
    .open = bus_open,
    .close = bus_close,
    .start = bus_start,
    .stop = bus_stop,
    .emit = bus_emit,
    .emit_ack = bus_emit_ack,
    .join = bus_join,
    .leave = bus_leave,
    .disconnect = bus_disconnect,
    .fetch_infos = bus_fetch_infos,
    .emit_server = bus_emit_server,
    .emit_server_ack = bus_emit_server_ack,
    .count_servers = bus_count_servers,
};
