#include <pthread.h>
#include <signal.h>

#include "socketio/server_impl.h"

/*
 * The signals of the process, of which libev allows one loop to hear.  So one
 * of the servers that want to be stopped by them listens, on its loop, and
 * stops all.  When it ends before the others, another one takes its place.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sio_link waiting; /* of sio_server.in_signals; zeroed while unused */
static sio_server *listener;

static void on_signal(struct ev_loop *ev, ev_signal *w, int revents)
{
    (void)ev;
    (void)w;
    (void)revents;
    (void)pthread_mutex_lock(&lock);
    for (const sio_link *at = waiting.next; at != &waiting; at = at->next) {
        sio_server_stop(SIO_OWNER(at, sio_server, in_signals));
    }
    (void)pthread_mutex_unlock(&lock);
}

/* On the thread of its first loop. */
static void listen_on(sio_server *server)
{
    struct ev_loop *ev = server->workers[0].loop.ev;
    listener = server;
    ev_signal_start(ev, &server->interrupt);
    ev_signal_start(ev, &server->terminate);
}

/* A message to one that waits: the place is free. */
static void on_turn(sio_message *message)
{
    sio_server *server = SIO_OWNER(message, sio_server, signals_turn);
    (void)pthread_mutex_lock(&lock);
    server->signals_asked = false;
    if (listener == NULL && sio_link_used(&server->in_signals)) {
        listen_on(server);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* Asks the first that will hear of it. */
static void ask_another(void)
{
    for (const sio_link *at = waiting.next; at != &waiting; at = at->next) {
        sio_server *server = SIO_OWNER(at, sio_server, in_signals);
        if (server->signals_asked ||
            sio_inbox_post(&server->workers[0].loop.inbox,
                           &server->signals_turn) == SIO_OK) {
            server->signals_asked = true;
            return;
        }
    }
}

void sio_server_init_signals(sio_server *server)
{
    ev_signal_init(&server->interrupt, on_signal, SIGINT);
    ev_signal_init(&server->terminate, on_signal, SIGTERM);
    server->signals_turn.run = on_turn;
}

void sio_server_await_signals(sio_server *server)
{
    (void)pthread_mutex_lock(&lock);
    if (!sio_link_used(&waiting)) {
        sio_list_init(&waiting);
    }
    if (!sio_link_used(&server->in_signals)) {
        sio_list_append(&waiting, &server->in_signals);
    }
    if (listener == NULL) {
        listen_on(server);
    }
    (void)pthread_mutex_unlock(&lock);
}

void sio_server_forget_signals(sio_server *server)
{
    struct ev_loop *ev = server->workers[0].loop.ev;
    (void)pthread_mutex_lock(&lock);
    sio_link_drop(&server->in_signals);
    if (listener == server) {
        ev_signal_stop(ev, &server->interrupt);
        ev_signal_stop(ev, &server->terminate);
        listener = NULL;
    }
    if (listener == NULL && sio_link_used(&waiting)) {
        ask_another();
    }
    (void)pthread_mutex_unlock(&lock);
}
