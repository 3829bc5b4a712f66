#include "test/threads_rig.h"

#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* Of the sanitizers' allocators, where they are there. */
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

static void on_connection(sio_socket *socket, void *arg)
{
    threads_rig *rig = arg;
    pthread_mutex_lock(&rig->lock);
    REQUIRE(rig->count < THREADS_RIG_SOCKETS);
    rig->sockets[rig->count++] = sio_socket_ref(socket);
    pthread_mutex_unlock(&rig->lock);
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    threads_rig *rig = arg;
    (void)reason;
    (void)why;
    pthread_mutex_lock(&rig->lock);
    size_t at = 0;
    while (rig->sockets[at] != socket) {
        at++;
        REQUIRE(at < rig->count);
    }
    rig->sockets[at] = rig->sockets[--rig->count];
    pthread_mutex_unlock(&rig->lock);
    sio_socket_unref(socket);
}

static void on_drained(sio_socket *socket, void *arg)
{
    threads_rig *rig = arg;
    (void)socket;
    atomic_fetch_add(&rig->drained, 1);
}

static void *run(void *arg)
{
    REQUIRE(sio_server_run(arg) == SIO_OK);
    return NULL;
}

void threads_rig_prepare(threads_rig *rig, unsigned threads,
                         void (*change)(sio_server_config *config))
{
    sio_server_config config = SIO_SERVER_CONFIG_DEFAULT;
    config.host = "127.0.0.1";
    config.port = 0;
    config.threads = threads;
    config.serve_client = false;
    config.log_level = SIO_LOG_ERROR;
    if (change != NULL) {
        change(&config);
    }
    *rig = (threads_rig){.server = sio_server_new(&config)};
    REQUIRE(rig->server != NULL && sio_server_threads(rig->server) == threads);
    pthread_mutex_init(&rig->lock, NULL);
    rig->root = sio_server_of(rig->server, "/");
    REQUIRE(
        sio_namespace_on_connection(rig->root, on_connection, rig) == SIO_OK &&
        sio_namespace_on_disconnect(rig->root, on_disconnect, rig) == SIO_OK &&
        sio_namespace_on_drained(rig->root, on_drained, rig) == SIO_OK);
}

void threads_rig_run(threads_rig *rig)
{
    REQUIRE(sio_server_listen(rig->server) == SIO_OK);
    rig->port = sio_server_port(rig->server);
    REQUIRE(pthread_create(&rig->thread, NULL, run, rig->server) == 0);
}

void threads_rig_start(threads_rig *rig, unsigned threads,
                       void (*change)(sio_server_config *config))
{
    threads_rig_prepare(rig, threads, change);
    threads_rig_run(rig);
}

void threads_rig_stop(threads_rig *rig)
{
    rig->over = true;
    sio_server_stop(rig->server);
    REQUIRE(pthread_join(rig->thread, NULL) == 0);
    REQUIRE(sio_server_closed(rig->server) && rig->count == 0);
    sio_server_free(rig->server);
    pthread_mutex_destroy(&rig->lock);
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

sio_socket *threads_rig_pick(threads_rig *rig, unsigned *seed)
{
    sio_socket *socket = NULL;
    while (socket == NULL) {
        pthread_mutex_lock(&rig->lock);
        if (rig->count != 0) {
            size_t at = (size_t)rand_r(seed) % rig->count;
            socket = sio_socket_ref(rig->sockets[at]);
        }
        pthread_mutex_unlock(&rig->lock);
        if (socket == NULL && sio_server_closed(rig->server)) {
            break;
        }
        if (socket == NULL) {
            rest();
        }
    }
    return socket;
}

void threads_rig_await(threads_rig *rig, size_t count)
{
    for (int left = 60000; left > 0; left--) {
        if (sio_namespace_count(rig->root) == count &&
            sio_server_counter(rig->server, SIO_COUNTER_SESSIONS) == count) {
            return;
        }
        rest();
    }
    abort();
}

int threads_rig_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    REQUIRE(dir != NULL);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

bool threads_rig_sanitized(void)
{
    return __sanitizer_get_current_allocated_bytes != NULL;
}

size_t threads_rig_memory(void)
{
    return threads_rig_sanitized() ? __sanitizer_get_current_allocated_bytes()
                                   : mallinfo2().uordblks;
}
