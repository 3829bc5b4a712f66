#ifndef SOCKETIO_SERVER_H
#define SOCKETIO_SERVER_H

/* A server: what it is made of, where it listens, how it runs and ends. */

#include "socketio/config.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes a server.  `config` and the strings in it are copied; its `loop` and
 * `arg` are borrowed until sio_server_free().  Nothing is bound yet.
 *
 * Gives the server, or NULL when a value in `config` is not allowed (the log
 * says which) or memory or randomness cannot be had.  Any thread: that one sets
 * it up.
 */
SIO_API sio_server *sio_server_new(const sio_server_config *config);

/*
 * Binds `host` and `port` of the config and listens; from then on clients are
 * accepted whenever the loop runs.  sio_server_run() does this by itself where
 * nothing is listened on.  A joined loop has to be run by the thread that calls
 * this.  Setup.
 *
 * A server that has closed begins anew with this, also from within
 * `on_closed`: with its namespaces, handlers and routes, without any client.
 * Loops of its own have to be run anew.
 *
 * Returns SIO_OK, SIO_ERR_ADDRESS (the log says why), SIO_ERR_STATE when the
 * address is listened on already or the server is being closed, or
 * SIO_ERR_NO_MEMORY.
 */
SIO_API SIO_CHECK sio_error sio_server_listen(sio_server *server);

/* One more place to listen at.  Zero what is not set. */
typedef struct sio_listen_options {
    size_t size; /* sizeof(sio_listen_options); sets the ABI */

    /* As in the config. */
    const char *host;
    uint16_t port;
    int backlog; /* 0: as in the config */
    bool ipv6_only;
    bool proxy_protocol; /* needs trusted_proxies in the config */

    /* A unix socket, in place of host and port: the path of its file, or `@`
     * and an abstract name; less than 108 bytes.  NULL: none.  The file of a
     * server that has died is replaced; closing removes it. */
    const char *unix_path;
    unsigned unix_mode; /* permissions of the file, such as 0660; 0: those that
                           umask leaves */

    const sio_tls_options *tls; /* NULL: no TLS */
} sio_listen_options;

/*
 * Listens at a further place, beside that of the config or instead of it, as
 * often as wanted.  `options` is borrowed.  `*port`, unless `port` is NULL, is
 * set to the port that was bound, 0 for a unix socket.  With several threads
 * the first one accepts what comes to a unix socket, and passes it on to those
 * with the fewest connections.
 *
 * Setup, or with several threads after sio_server_listen() too, as long as
 * sio_server_run() has not been called.
 *
 * Returns SIO_OK, SIO_ERR_ADDRESS (the log says why), SIO_ERR_ARGUMENT for what
 * contradicts itself, SIO_ERR_FILE or SIO_ERR_CERTIFICATE for what `tls` names
 * (the log says why), SIO_ERR_RANDOM where TLS gets no randomness,
 * SIO_ERR_STATE when it is too late or the server is being closed, or
 * SIO_ERR_NO_MEMORY.
 */
SIO_API SIO_CHECK sio_error sio_server_listen_at(
    sio_server *server, const sio_listen_options *options, uint16_t *port);

/*
 * Has `inner` stand behind the port of `outer`: requests below the path of
 * `inner` are moved to it with their connections, all others to `outer`, whose
 * handlers and files they find; those of `inner` are not asked.  Of two paths
 * that a request is below the longer one has it.  Any number of servers may
 * stand behind one.
 *
 * `inner` listens at no place of its own: sio_server_listen() only has its
 * loops watch, sio_server_listen_at() fails.  They may be the application's, or
 * threads of its own, whatever those of `outer` are.  Each is stopped by
 * itself; a request for one that has closed ends its connection.  Both have to
 * be closed before one is freed.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT when both have the same path, or another one
 * behind that port has it, SIO_ERR_STATE when one of them listens, `outer`
 * stands behind another one, or `inner` behind or before one, or
 * SIO_ERR_NO_MEMORY.  Setup, for both.
 */
SIO_API SIO_CHECK sio_error sio_server_mount(sio_server *outer,
                                             sio_server *inner);

/* How many loops, each on its own thread, the server has.  Any thread. */
SIO_API unsigned sio_server_threads(const sio_server *server);

/* The port that sio_server_listen() has bound, or 0 before that.  Any thread,
 * once it listens. */
SIO_API uint16_t sio_server_port(const sio_server *server);

/*
 * Runs the first of the server's own loops on the calling thread, and the
 * others on threads that it starts, until sio_server_stop() has closed them.  A
 * server that joined a loop of the application has no use for this.  Signals go
 * to other threads than those it starts.
 *
 * Returns SIO_OK after an orderly end, what sio_server_listen() says, or
 * SIO_ERR_NO_MEMORY when the threads cannot be had.  Any thread, but only one:
 * the setup has to be over.
 */
SIO_API SIO_CHECK sio_error sio_server_run(sio_server *server);

/*
 * Closes the server: it stops accepting, every socket is disconnected with
 * SIO_DISCONNECT_SERVER_SHUTTING_DOWN, waiting polls are answered, and
 * sio_server_run() returns once that has left, or `stop_timeout_ms` has
 * passed.  Who has got all and only does not end its side is waited for no
 * longer than a moment.  Doing so twice is the same as once.  Any thread, and a
 * signal handler.
 */
SIO_API void sio_server_stop(sio_server *server);

/* Whether the server has been stopped and nothing of it is left on its loops:
 * then a joined loop may end, and the server be freed or listen again.  Any
 * thread. */
SIO_API bool sio_server_closed(const sio_server *server);

/* How a server is drained. */
typedef struct sio_drain_options {
    size_t size;         /* sizeof(sio_drain_options); sets the ABI */
    uint32_t rate;       /* sessions ended in a second, all loops together; 0:
                            all at once */
    unsigned jitter;     /* percent, at most 100, by which the time between two
                            of a loop is longer or shorter by chance */
    uint32_t backlog_ms; /* how long to wait, when all have been ended, for
                            those who have not got what was queued */
    uint32_t retry_after_s; /* what refused handshakes are told to wait; 0: they
                               are told nothing */
    bool stop_listening;    /* at once: then new connections are refused by the
                               kernel, or go to another process at that port */
} sio_drain_options;

/* Start from this and change what you must. */
static inline sio_drain_options sio_drain_options_default(void)
{
    sio_drain_options o;
    memset(&o, 0, sizeof(o));
    o.size = sizeof(o);
    o.rate = 100;
    o.jitter = 50;
    o.backlog_ms = 10000;
    o.retry_after_s = 5;
    return o;
}

#define SIO_DRAIN_OPTIONS_DEFAULT sio_drain_options_default()

/*
 * Closes the server little by little, so that clients do not all come back at
 * once, and get what was queued for them.  From now on handshakes are answered
 * with 503.  Sessions go on until it is their turn: their sockets end with
 * SIO_DISCONNECT_SERVER_SHUTTING_DOWN, and the connection is closed when all
 * that was queued has left, so that official clients connect again by
 * themselves.  Each loop ends its share of the rate.  When none is left, or
 * `backlog_ms` has passed since the last one's turn, the rest is as by
 * sio_server_stop(), which also cuts this short.  A session that ends does so
 * within `close_timeout_ms` in any case.
 *
 * `options` is borrowed; NULL stands for the defaults.  Any thread, and a
 * signal handler.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT for too much jitter, SIO_ERR_STATE when the
 * server is being drained already, or SIO_ERR_CLOSED.
 */
SIO_API sio_error sio_server_drain(sio_server *server,
                                   const sio_drain_options *options);

/* Frees a server whose loops do not run (any more), with everything that
 * belongs to it, namespaces included.  NULL is allowed.  One thread, while no
 * other one uses the server. */
SIO_API void sio_server_free(sio_server *server);

/*
 * Runs `fn` with `arg` on the server's first loop, in the order of posting; see
 * sio_socket_post() for the others.  `arg` stays the caller's.  Any thread.
 * `fn` is not called when the server is freed before its turn comes.
 *
 * Returns SIO_OK, SIO_ERR_CLOSED or SIO_ERR_NO_MEMORY.
 */
typedef void sio_post_fn(sio_server *server, void *arg);
SIO_API SIO_CHECK sio_error sio_server_post(sio_server *server, sio_post_fn *fn,
                                            void *arg);

/*
 * What is counted since the server was made.  CONNECTIONS to BACKLOG_BYTES go
 * up and down; LOOP_LAG_US is the longest turn of a loop, that is the time for
 * which others on it had to wait, within the last ten to twenty seconds.  The
 * six that begin with REFUSED_ are the codes of refused requests, the nine with
 * DISCONNECTED_ the reasons for which sockets ended, both in their order.
 */
#define SIO_COUNTER_MAP(X)                                                     \
    X(CONNECTIONS, "connections")                                              \
    X(SESSIONS, "sessions")                                                    \
    X(SESSIONS_POLLING, "sessions_polling")                                    \
    X(SESSIONS_WEBSOCKET, "sessions_websocket")                                \
    X(SOCKETS, "sockets")                                                      \
    X(BACKLOG_BYTES, "backlog_bytes")                                          \
    X(LOOP_LAG_US, "loop_lag_us")                                              \
    X(LOOP_TURNS, "loop_turns")                                                \
    X(LOOP_BUSY_US, "loop_busy_us")                                            \
    X(LOOP_MESSAGES, "loop_messages")                                          \
    X(ACCEPTED, "accepted")                                                    \
    X(HANDED_OVER, "handed_over")                                              \
    X(HANDSHAKES, "handshakes")                                                \
    X(UPGRADES, "upgrades")                                                    \
    X(REFUSED, "refused")                                                      \
    X(REFUSED_TRANSPORT, "refused_transport")                                  \
    X(REFUSED_SESSION, "refused_session")                                      \
    X(REFUSED_METHOD, "refused_method")                                        \
    X(REFUSED_REQUEST, "refused_request")                                      \
    X(REFUSED_FORBIDDEN, "refused_forbidden")                                  \
    X(REFUSED_PROTOCOL, "refused_protocol")                                    \
    X(HTTP_REQUESTS, "http_requests")                                          \
    X(HTTP_ERRORS, "http_errors")                                              \
    X(PROXY_ERRORS, "proxy_errors")                                            \
    X(PACKETS_IN, "packets_in")                                                \
    X(PACKETS_OUT, "packets_out")                                              \
    X(BYTES_IN, "bytes_in")                                                    \
    X(BYTES_OUT, "bytes_out")                                                  \
    X(PEER_ERRORS, "peer_errors")                                              \
    X(PING_TIMEOUTS, "ping_timeouts")                                          \
    X(CONNECT_TIMEOUTS, "connect_timeouts")                                    \
    X(BACKLOG_CLOSED, "backlog_closed")                                        \
    X(BACKLOG_REFUSED, "backlog_refused")                                      \
    X(VOLATILE_DROPPED, "volatile_dropped")                                    \
    X(DISCONNECTED_CLIENT_NAMESPACE, "disconnected_client_namespace")          \
    X(DISCONNECTED_SERVER_NAMESPACE, "disconnected_server_namespace")          \
    X(DISCONNECTED_SHUTTING_DOWN, "disconnected_shutting_down")                \
    X(DISCONNECTED_FORCED_CLOSE, "disconnected_forced_close")                  \
    X(DISCONNECTED_FORCED_SERVER_CLOSE, "disconnected_forced_server_close")    \
    X(DISCONNECTED_PING_TIMEOUT, "disconnected_ping_timeout")                  \
    X(DISCONNECTED_TRANSPORT_CLOSE, "disconnected_transport_close")            \
    X(DISCONNECTED_TRANSPORT_ERROR, "disconnected_transport_error")            \
    X(DISCONNECTED_PARSE_ERROR, "disconnected_parse_error")                    \
    X(NAMESPACES_CREATED, "namespaces_created")                                \
    X(NAMESPACES_REMOVED, "namespaces_removed")                                \
    X(NAMESPACES_REFUSED, "namespaces_refused")                                \
    X(RECOVERY_STORED, "recovery_stored")                                      \
    X(RECOVERY_PACKETS, "recovery_packets")                                    \
    X(RECOVERY_BYTES, "recovery_bytes")                                        \
    X(RECOVERED, "recovered")                                                  \
    X(RECOVERY_FAILED, "recovery_failed")                                      \
    X(RECOVERY_EXPIRED, "recovery_expired")                                    \
    X(TLS_HANDSHAKES, "tls_handshakes")                                        \
    X(TLS_RESUMED, "tls_resumed")                                              \
    X(TLS_ERRORS, "tls_errors")                                                \
    X(TLS_TIMEOUTS, "tls_timeouts")                                            \
    X(TLS_TRUNCATED, "tls_truncated")                                          \
    X(LIMITED_CONNECTIONS, "limited_connections")                              \
    X(LIMITED_SESSIONS, "limited_sessions")                                    \
    X(LIMITED_HANDSHAKES, "limited_handshakes")                                \
    X(LIMITED_ALL_HANDSHAKES, "limited_all_handshakes")                        \
    X(LIMITED_NAMESPACES, "limited_namespaces")                                \
    X(LIMITED_ROOMS, "limited_rooms")                                          \
    X(LIMITED_ACKS, "limited_acks")                                            \
    X(RATE_WARNED, "rate_warned")                                              \
    X(RATE_THROTTLED, "rate_throttled")                                        \
    X(RATE_CLOSED, "rate_closed")                                              \
    X(ATTACHMENT_TIMEOUTS, "attachment_timeouts")

typedef enum sio_counter {
#define SIO_COUNTER_NAME(name, text) SIO_COUNTER_##name,
    SIO_COUNTER_MAP(SIO_COUNTER_NAME)
#undef SIO_COUNTER_NAME
        SIO_COUNTER_COUNT
} sio_counter;

/* A counter over all loops: their sum, for LOOP_LAG_US their maximum; 0 for
 * what is no counter.  Any thread. */
SIO_API uint64_t sio_server_counter(const sio_server *server,
                                    sio_counter counter);

/* The same for the loop with this index, less than sio_server_threads().  Any
 * thread. */
SIO_API uint64_t sio_server_loop_counter(const sio_server *server,
                                         unsigned loop, sio_counter counter);

/* The counter's name as above, static; NULL for what is no counter.  Any
 * thread. */
SIO_API const char *sio_counter_name(sio_counter counter);

/* How many peers' errors of the kind `err` (-2xx, and SIO_ERR_TIMEOUT,
 * SIO_ERR_BACKLOG) have ended a request or a session.  Any thread. */
SIO_API uint64_t sio_server_error_count(const sio_server *server,
                                        sio_error err);

#ifdef __cplusplus
}
#endif

#endif
