#ifndef INTEROP_PROFILES_H
#define INTEROP_PROFILES_H

/*
 * What the parts of the test server know of each other.  A profile is what
 * one suite of official clients wants to talk to: defaults for the options,
 * and handlers.
 */

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "socketio/socketio.h"

typedef struct options {
    const char *profile;      /* its name */
    sio_server_config config; /* of the profile, then of the command line */
    const char *static_dir;   /* files served below "/", or NULL */
    sio_listen_options also;  /* a unix socket to listen at, too */
    bool direct;              /* a port without PROXY headers, too */
    const char *beside;       /* the path of a second server; see beside.c */
    bool mounted;             /* it stands behind the port of the first */
    uint32_t allow_delay_ms;  /* before a handshake is decided on */
    bool hooks;               /* see hooks.c */
    sio_drain_options drain;  /* for SIGUSR1 and SIGUSR2 */
    bool deny_query;          /* refuse handshakes with `deny` in the query */
    const char *tls; /* "CHAIN:KEY", and more with commas; NULL: none */
    sio_tls_options tls_options;         /* what else it is about */
    sio_tls_certificate certificates[4]; /* of `tls` */
    const char *cors_ask; /* the origin that on_cors_origin allows; NULL: it
                             is not set */
} options;

/* See own_parser.c. */
extern const sio_parser_methods own_parser, own_parser_binary;

typedef struct later later;
typedef void later_fn(void *arg);

typedef struct testserver {
    const options *options;
    struct ev_loop *loop; /* the server's too, if it has one thread */
    sio_server *server;
    LIST_HEAD(later_list, later) laters; /* on this loop's thread, `home` */
    struct later_list incoming;          /* of other threads; under `lock` */
    pthread_t home;
    pthread_mutex_t lock;
    ev_async wake;
    atomic_bool stopping; /* what is put off from now on happens at once */
    atomic_bool again;    /* it is to listen again when it has closed */
    struct beside *beside;
    atomic_bool closed;
    void *state; /* of the profile */
} testserver;

typedef struct profile {
    const char *name;
    bool one_thread; /* it does without locks of its own */
    void (*defaults)(options *opts);
    bool (*setup)(testserver *ts);    /* false: cannot go on */
    void (*stopped)(testserver *ts);  /* the server is closing; or NULL */
    void (*teardown)(testserver *ts); /* frees `state`; or NULL */
} profile;

/* The profile of this name, static, or NULL. */
const profile *profile_find(const char *name);

/* Fills `opts` from the command line; strings are borrowed from `argv`.  False
 * when it cannot be understood, which stderr has then been told. */
bool options_parse(int argc, char **argv, options *opts);

void later_init(testserver *ts);
void later_deinit(testserver *ts);

/* Calls `fn` with `arg` after `ms`, or at the server's stop if that comes
 * first, on the test server's own thread; false when memory is short.  From any
 * thread. */
bool later_start(testserver *ts, uint32_t ms, later_fn *fn, void *arg);

/* Takes in what other threads have asked for. */
void later_take(testserver *ts);

/* Calls all that was put off. */
void later_flush(testserver *ts);

/* Copies the decoded value of the parameter `name` in `query` to `out`, cut
 * off at `cap` - 1 bytes and terminated; false when there is none. */
bool query_value(const char *query, const char *name, char *out, size_t cap);

/* A date as JavaScript's toISOString() has it. */
void iso_now(char out[32]);

/* What --beside adds: makes and starts the second server; stops it, which
 * wakes the test server's loop when it is over; whether it is; frees it. */
bool beside_make(testserver *ts);
bool beside_start(testserver *ts);
void beside_stop(testserver *ts);
bool beside_is_over(const testserver *ts);
void beside_free(testserver *ts);

/* What --hooks adds, before the server is made and after. */
void hooks_configure(sio_server_config *config);
bool hooks_add(sio_server *server);

void profile_sio5_defaults(options *opts);
bool profile_sio5_setup(testserver *ts);

void profile_client_defaults(options *opts);
bool profile_client_setup(testserver *ts);

void profile_bench_defaults(options *opts);
bool profile_bench_setup(testserver *ts);

void profile_rows_defaults(options *opts);
bool profile_rows_setup(testserver *ts);
bool profile_rows_tap_setup(testserver *ts);
void profile_rows_stopped(testserver *ts);
void profile_rows_teardown(testserver *ts);

void profile_threads_defaults(options *opts);
bool profile_threads_setup(testserver *ts);
bool profile_threads_events_add(testserver *ts);

void profile_eio4_defaults(options *opts);
void profile_eio3_defaults(options *opts);
bool profile_eio4_setup(testserver *ts);

void profile_eio_client_defaults(options *opts);
bool profile_eio_client_setup(testserver *ts);
void profile_eio_client_teardown(testserver *ts);

#endif
