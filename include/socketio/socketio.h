#ifndef SOCKETIO_SOCKETIO_H
#define SOCKETIO_SOCKETIO_H

/*
 * libsocketio: a Socket.IO server (protocol revision 5 over Engine.IO 4).
 *
 * The words on ownership in this file: a callee that *borrows* does not keep
 * what it gets beyond the call; one that *takes* owns it from then on; a
 * function that *gives* makes the caller the owner; what is *shared* is
 * counted, and each holder lets go of its own reference.
 *
 * Threads: a server runs one loop or several, each on a thread of its own, and
 * a client stays on the loop where its session was opened.  Everything about it
 * happens on that loop's thread, one thing after the other: the callbacks with
 * its sockets, in order.  Callbacks of sockets on different loops run at the
 * same time, with the same `arg`.  Each function has one of these rules:
 *
 *   Any thread    also one that is none of the server's.  What concerns another
 *                 loop is sent there and done when its turn comes; calls of one
 *                 thread about one socket are done in their order.  After the
 *                 socket has gone they fail, or do nothing; that needs a
 *                 reference, see sio_socket_ref().
 *   Loop          on the thread of the loop that the object belongs to: in its
 *                 callbacks, or by sio_socket_post() or sio_server_post().
 *   Setup         before sio_server_listen() returns, and after the server has
 *                 closed, on the thread that sets the server up; with one
 *                 thread, on that thread at any time.
 *
 * docs/threads.md tells more.  No call is allowed once sio_server_free() has
 * begun, but sio_socket_unref().
 *
 * Callbacks may call anything in this file, also on the very object they are
 * told about.  Memory goes at the end of the loop's turn, never under the
 * feet of a callback.
 *
 * Strings are NUL-terminated UTF-8 unless a length stands beside them.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "socketio/error.h"
#include "socketio/log.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SIO_CHECK __attribute__((warn_unused_result))

struct ev_loop;

typedef struct sio_server sio_server;
typedef struct sio_namespace sio_namespace;
typedef struct sio_socket sio_socket;
typedef struct sio_event sio_event;
typedef struct sio_ack sio_ack;
typedef struct sio_handshake sio_handshake;
typedef struct sio_next sio_next;
typedef struct sio_event_next sio_event_next;
typedef struct sio_conn sio_conn;
typedef struct sio_reply sio_reply;
typedef struct sio_claim sio_claim;
typedef struct sio_verdict sio_verdict;
typedef struct sio_http_request sio_http_request;

/* "major.minor.patch" of the library that is running, static.  Any thread. */
SIO_API const char *sio_version(void);

/* ------------------------------------------------------------- server -- */

/* Transports a server offers; a set of bits. */
enum { SIO_TRANSPORT_POLLING = 1, SIO_TRANSPORT_WEBSOCKET = 2 };

/* How packets look in messages: what its clients are told as `parser`. */
typedef enum sio_parser_kind {
    SIO_PARSER_JSON,   /* the default of all clients */
    SIO_PARSER_MSGPACK /* socket.io-msgpack-parser */
} sio_parser_kind;

/* What to do with a packet for a client for which more than max_backlog bytes
 * would wait: close the session, or refuse the packet, to that client alone. */
typedef enum sio_backlog_policy {
    SIO_BACKLOG_DISCONNECT,
    SIO_BACKLOG_REFUSE
} sio_backlog_policy;

/* What a request tells of the client, in headers that the proxies in front of
 * the server set.  Only these are read: the others a client could have set. */
typedef enum sio_proxy_headers {
    SIO_PROXY_HEADERS_X_FORWARDED, /* X-Forwarded-For, X-Forwarded-Proto */
    SIO_PROXY_HEADERS_FORWARDED,   /* Forwarded (RFC 7239) */
    SIO_PROXY_HEADERS_NONE
} sio_proxy_headers;

/*
 * Decides on a handshake.  Answer `verdict` once, now or later, by
 * sio_verdict_allow() or sio_verdict_refuse(), from any thread; the client
 * waits until then.  `request` is valid until the verdict is given.
 * sio_server_free() ends those that were not answered.
 */
typedef void sio_allow_request_fn(sio_http_request *request,
                                  sio_verdict *verdict, void *arg);

/* May add headers with sio_http_add_header() to an answer of the engine. */
typedef void sio_headers_fn(sio_http_request *request, void *arg);

/* Room for a session id with its NUL. */
enum { SIO_SESSION_ID_SIZE = 65 };

/*
 * Chooses the id of a new session: writes to `id`, NUL-terminated, 1 to 64
 * letters, digits, `-`, `_`, `.` and `~`, which are not in use and which nobody
 * can guess, for who knows them can speak for the session.  Returns false to
 * refuse the handshake (code 3), as an id that is not allowed does.
 */
typedef bool sio_generate_id_fn(sio_http_request *request,
                                char id[SIO_SESSION_ID_SIZE], void *arg);

/* Tells of a refused request: `code` and `message` as the client sees them
 * (0 "Transport unknown" to 5 "Unsupported protocol version"), `context` is a
 * short reason.  All valid until the call returns. */
typedef void sio_connection_error_fn(sio_http_request *request, int code,
                                     const char *message, const char *context,
                                     void *arg);

/* Told that the server has closed: nothing of it is left on its loops.  Called
 * on the thread of sio_server_run(), or of the joined loop.  The server may
 * listen again, and be freed once the callback has returned. */
typedef void sio_closed_fn(sio_server *server, void *arg);

/*
 * Says whether pages of `origin` may read the answers to this request.  Asked
 * for each request to the engine or for a client bundle that names one origin,
 * preflights included; `origin` is the header as it came.  Both are borrowed;
 * sio_http_add_header() adds nothing.
 */
typedef bool sio_cors_fn(sio_http_request *request, const char *origin,
                         void *arg);

/* SameSite of the session cookie: whether browsers send it along with what
 * pages of other sites ask for. */
typedef enum sio_same_site {
    SIO_SAME_SITE_UNSET, /* the browser's default */
    SIO_SAME_SITE_LAX,
    SIO_SAME_SITE_STRICT,
    SIO_SAME_SITE_NONE /* they do; needs cookie_secure */
} sio_same_site;

/* Which cookies a browser that has too many drops first. */
typedef enum sio_cookie_priority {
    SIO_COOKIE_PRIORITY_UNSET,
    SIO_COOKIE_PRIORITY_LOW,
    SIO_COOKIE_PRIORITY_MEDIUM,
    SIO_COOKIE_PRIORITY_HIGH
} sio_cookie_priority;

typedef struct sio_server_config {
    size_t size; /* sizeof(sio_server_config); sets the ABI */

    /* Where to listen.  Port 0 takes a free one, see sio_server_port().  A
     * NULL host is every address, IPv6 and IPv4. */
    const char *host;
    uint16_t port;
    int backlog;    /* connections the kernel keeps for us; at least 1 */
    bool ipv6_only; /* of IPv6 addresses, `host` NULL among them: they take no
                       IPv4 */

    /* Proxies in front of the server, whose word about clients is taken.  The
     * list has addresses, blocks of them and "unix:" for unix sockets, with
     * commas or blanks between them: "10.0.0.0/8, ::1".  NULL: nobody's. */
    const char *trusted_proxies;
    sio_proxy_headers proxy_headers; /* what their requests tell */
    bool proxy_protocol; /* connections begin with a PROXY header (version 1 or
                            2); others than trusted proxies are refused */

    /* An event loop of the application to join, or NULL to own one. */
    struct ev_loop *loop;
    unsigned threads; /* loops, each on a thread of its own, behind one port;
                         0 takes one for each processor that is online, or 1
                         with `loop`, which allows no more */
    bool stop_on_signals; /* SIGINT and SIGTERM end sio_server_run() */

    /* What is spoken. */
    const char *path;        /* where clients find the server */
    unsigned transports;     /* of SIO_TRANSPORT_*; at least one */
    bool allow_upgrades;     /* whether the handshake offers an upgrade */
    bool add_trailing_slash; /* whether `path` needs a `/` behind it */
    bool destroy_upgrade;    /* end upgrade requests that are not for us */
    uint32_t destroy_upgrade_timeout_ms; /* ... after this time */
    bool serve_client;      /* serve the bundles of the official client */
    const char *client_dir; /* where they are; NULL is where they were
                               installed */
    bool http_compression;  /* gzip or deflate answers to polls ... */
    uint32_t http_compression_threshold; /* ... of at least these bytes */
    const char *initial_packet; /* text sent behind the open packet, or NULL */

    /* CORS: which pages of other origins browsers let read the answers.  One of
     * cors_origin, cors_reflect and on_cors_origin, or none.  Lists are
     * separated by commas; docs/cors.md tells what is allowed in them. */
    const char *cors_origin;  /* "*", or a list of origins; in a host, as in
                                 *.example.com, a `*` stands for one or more of
                                 a-z 0-9 - _ . and as the port for any */
    bool cors_reflect;        /* every origin, each by its own name */
    bool cors_credentials;    /* and with cookies; not with "*" */
    bool cors_enforce;        /* refuse requests of other origins, also
                                 upgrades, with code 4 */
    int32_t cors_max_age_s;   /* how long a browser remembers a preflight, in
                                 seconds; -1 leaves that to the browser */
    const char *cors_methods; /* NULL: GET,HEAD,PUT,PATCH,POST,DELETE */
    const char *cors_allowed_headers; /* NULL: those that are asked for */
    const char *cors_exposed_headers; /* NULL: none */

    /* A cookie with the session's id, set by the answer that opens a session
     * over polling: for proxies that keep a client at one server. */
    const char *cookie_name;   /* NULL: no cookie; "io" is usual */
    const char *cookie_path;   /* NULL leaves it out */
    const char *cookie_domain; /* NULL leaves it out: this host alone */
    int64_t cookie_expires_s;  /* seconds since 1970-01-01 UTC; 0 leaves it
                                  out */
    uint32_t cookie_max_age_s; /* seconds; 0 leaves it out */
    bool cookie_http_only;     /* scripts do not see it */
    bool cookie_secure;        /* over HTTPS alone */
    bool cookie_partitioned;   /* for each top-level site its own; needs
                                  cookie_secure */
    sio_same_site cookie_same_site;
    sio_cookie_priority cookie_priority;

    /* permessage-deflate on WebSockets (RFC 7692); docs/deflate.md. */
    bool deflate;               /* agree to it */
    uint32_t deflate_threshold; /* compress messages of at least these bytes */
    bool deflate_server_no_context_takeover; /* each of our messages stands for
                                                itself, which costs a client's
                                                connection no memory */
    bool deflate_client_no_context_takeover; /* ... and each of the client's */
    unsigned deflate_server_max_window_bits; /* 9 to 15: our window */
    unsigned deflate_client_max_window_bits; /* 9 to 15: the client's; with less
                                                than 15, clients that cannot be
                                                told are not compressed for */
    unsigned deflate_level;                  /* zlib's: 1 (fast) to 9 (small) */
    unsigned deflate_memory_level;           /* zlib's: 1 to 9 */
    uint64_t deflate_memory; /* bytes that zlib may have for it, all loops
                                together; at least 524288 for each thread */

    /* Milliseconds; at least 1. */
    uint32_t ping_interval_ms;
    uint32_t ping_timeout_ms;
    uint32_t upgrade_timeout_ms;
    uint32_t connect_timeout_ms; /* from the handshake to a namespace */
    uint32_t header_timeout_ms;  /* for a request's head */
    uint32_t body_timeout_ms;    /* for a request's body */
    uint32_t keep_alive_ms;      /* a connection without a request */
    uint32_t close_timeout_ms;   /* for the peer's half of a close */
    uint32_t stop_timeout_ms;    /* for all that sio_server_stop() waits for */

    /* Limits; at least 1. */
    uint32_t max_payload; /* bytes in a message, or a polling body */
    uint32_t max_header_bytes;
    uint32_t max_headers;     /* at most 128 */
    uint32_t max_json_depth;  /* at most 1024 */
    uint32_t max_attachments; /* binary attachments of one packet */
    uint32_t max_packets;     /* packets in one polling body */
    uint32_t max_namespaces;  /* a client may be connected to */
    uint32_t max_rooms;       /* a socket may be in, besides its own */
    sio_parser_kind parser;   /* the clients have to use the same */
    uint32_t max_backlog;     /* bytes waiting for one slow client ... */
    sio_backlog_policy backlog_policy; /* ... and what happens over it */

    /* Namespaces made for clients; at least 1, and whether one goes with its
     * last socket. */
    uint32_t max_dynamic_namespaces;
    bool cleanup_empty_child_namespaces;

    /* Callbacks, each NULL or called with `arg`. */
    sio_log_fn *on_log;
    sio_log_level log_level; /* the most talkative one that is reported */
    sio_allow_request_fn *on_allow_request;
    sio_generate_id_fn *on_generate_id; /* NULL: random, of 20 characters */
    sio_headers_fn *on_initial_headers; /* the answer that opens a session */
    sio_headers_fn *on_headers;         /* every answer of the engine */
    sio_cors_fn *on_cors_origin;        /* decides in place of cors_origin */
    sio_connection_error_fn *on_connection_error;
    sio_closed_fn *on_closed;
    void *arg;
} sio_server_config;

/* What Node's server would use.  Start from this and change what you must. */
static inline sio_server_config sio_server_config_default(void)
{
    sio_server_config c;
    memset(&c, 0, sizeof(c));
    c.size = sizeof(c);
    c.port = 3000;
    c.backlog = 1024;
    c.threads = 0;
    c.path = "/socket.io";
    c.transports = SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET;
    c.allow_upgrades = true;
    c.add_trailing_slash = true;
    c.destroy_upgrade = true;
    c.destroy_upgrade_timeout_ms = 1000;
    c.serve_client = true;
    c.http_compression = true;
    c.http_compression_threshold = 1024;
    c.cors_max_age_s = -1;
    c.cookie_path = "/";
    c.cookie_http_only = true;
    c.cookie_same_site = SIO_SAME_SITE_LAX;
    c.deflate_threshold = 1024;
    c.deflate_server_max_window_bits = 15;
    c.deflate_client_max_window_bits = 15;
    c.deflate_level = 6;
    c.deflate_memory_level = 8;
    c.deflate_memory = 268435456;
    c.ping_interval_ms = 25000;
    c.ping_timeout_ms = 20000;
    c.upgrade_timeout_ms = 10000;
    c.connect_timeout_ms = 45000;
    c.header_timeout_ms = 15000;
    c.body_timeout_ms = 60000;
    c.keep_alive_ms = 5000;
    c.close_timeout_ms = 30000;
    c.stop_timeout_ms = 2000;
    c.max_payload = 1000000;
    c.max_header_bytes = 16384;
    c.max_headers = 100;
    c.max_json_depth = 128;
    c.max_attachments = 10;
    c.max_packets = 65536;
    c.max_namespaces = 100;
    c.max_rooms = 10000;
    c.max_backlog = 4194304;
    c.max_dynamic_namespaces = 10000;
    c.log_level = SIO_LOG_WARN;
    return c;
}

#define SIO_SERVER_CONFIG_DEFAULT sio_server_config_default()

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
 * contradicts itself, SIO_ERR_STATE when it is too late or the server is being
 * closed, or SIO_ERR_NO_MEMORY.
 */
SIO_API SIO_CHECK sio_error sio_server_listen_at(
    sio_server *server, const sio_listen_options *options, uint16_t *port);

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
    X(NAMESPACES_REFUSED, "namespaces_refused")

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

/* --------------------------------------------------------- namespaces -- */

/*
 * The namespace `name`, made on first use; a missing leading `/` is added.
 * Borrowed from the server.  NULL when `name` holds a comma, or when memory
 * is short.  Any thread.
 */
SIO_API sio_namespace *sio_server_of(sio_server *server, const char *name);

/* Both any thread. */
SIO_API const char *sio_namespace_name(const sio_namespace *nsp);
SIO_API sio_server *sio_namespace_server(const sio_namespace *nsp);

/* Sockets connected to this namespace, on all loops.  Any thread. */
SIO_API size_t sio_namespace_count(const sio_namespace *nsp);

/*
 * What the loop of the calling thread has: sockets in `room`; rooms that have
 * at least one socket, own-id rooms left out; the connected socket with this
 * id, borrowed, or NULL.  With one thread that is all there is;
 * sio_broadcast_count() and sio_broadcast_fetch() ask all loops.  Loop: on a
 * thread that is none of the server's there is nothing.
 */
SIO_API size_t sio_namespace_room_count(const sio_namespace *nsp,
                                        const char *room);

/* Loop. */
SIO_API size_t sio_namespace_rooms(const sio_namespace *nsp);

/* Loop. */
SIO_API sio_socket *sio_namespace_socket(const sio_namespace *nsp,
                                         const char *id);

typedef void sio_socket_fn(sio_socket *socket, void *arg);
typedef void sio_event_fn(sio_socket *socket, sio_event *event, void *arg);

/* Visits each connected socket of the calling thread's loop; `fn` may
 * disconnect any of them.  Loop; sio_broadcast_each() visits those of all
 * loops. */
SIO_API void sio_namespace_each(sio_namespace *nsp, sio_socket_fn *fn,
                                void *arg);

/* The same for the members of `room`.  Loop. */
SIO_API void sio_namespace_each_in(sio_namespace *nsp, const char *room,
                                   sio_socket_fn *fn, void *arg);

/*
 * Registers a handler for an event of this name from any client of this
 * namespace.  Handlers of one event run in the order of registration.  `arg`
 * is handed back untouched and stays yours.
 *
 * This and all that registers handlers below is Setup: with several threads
 * handlers cannot change while the server listens, as all loops read them.
 *
 * Returns SIO_OK, SIO_ERR_RESERVED for a name that no client may use,
 * SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 */
SIO_API sio_error sio_namespace_on(sio_namespace *nsp, const char *event,
                                   sio_event_fn *fn, void *arg);

/* Registers a handler for every event, called before those by name.  Setup. */
SIO_API sio_error sio_namespace_on_any(sio_namespace *nsp, sio_event_fn *fn,
                                       void *arg);

/* Takes back what sio_namespace_on() registered with the same three values;
 * nothing happens when there is no such handler, or when it is too late.
 * Setup. */
SIO_API void sio_namespace_off(sio_namespace *nsp, const char *event,
                               sio_event_fn *fn, void *arg);

/* Registers a handler for a socket that has connected: its CONNECT packet is
 * queued, so what the handler emits comes behind it.  Setup. */
SIO_API sio_error sio_namespace_on_connection(sio_namespace *nsp,
                                              sio_socket_fn *fn, void *arg);

#define SIO_DISCONNECT_MAP(X)                                                  \
    X(CLIENT_NAMESPACE_DISCONNECT, "client namespace disconnect")              \
    X(SERVER_NAMESPACE_DISCONNECT, "server namespace disconnect")              \
    X(SERVER_SHUTTING_DOWN, "server shutting down")                            \
    X(FORCED_CLOSE, "forced close")                                            \
    X(FORCED_SERVER_CLOSE, "forced server close")                              \
    X(PING_TIMEOUT, "ping timeout")                                            \
    X(TRANSPORT_CLOSE, "transport close")                                      \
    X(TRANSPORT_ERROR, "transport error")                                      \
    X(PARSE_ERROR, "parse error")

typedef enum sio_disconnect_reason {
#define SIO_DISCONNECT_NAME(name, text) SIO_DISCONNECT_##name,
    SIO_DISCONNECT_MAP(SIO_DISCONNECT_NAME)
#undef SIO_DISCONNECT_NAME
} sio_disconnect_reason;

/* The reason as the official server spells it, static.  Any thread. */
SIO_API const char *sio_disconnect_text(sio_disconnect_reason reason);

/*
 * Told of the end of a socket.  `why` is the error behind the reason, such as
 * SIO_ERR_OVERLAP for "transport error", or SIO_OK.
 */
typedef void sio_disconnect_fn(sio_socket *socket, sio_disconnect_reason reason,
                               sio_error why, void *arg);

/* The socket is about to go: its rooms are still there.  Setup. */
SIO_API sio_error sio_namespace_on_disconnecting(sio_namespace *nsp,
                                                 sio_disconnect_fn *fn,
                                                 void *arg);

/* The socket is gone: the last call about it.  Setup. */
SIO_API sio_error sio_namespace_on_disconnect(sio_namespace *nsp,
                                              sio_disconnect_fn *fn, void *arg);

/* All that was queued for the socket's connection has been handed to the
 * kernel, or to the poll that fetched it.  Setup. */
SIO_API sio_error sio_namespace_on_drained(sio_namespace *nsp,
                                           sio_socket_fn *fn, void *arg);

/* The socket's connection has moved to another transport.  Setup. */
SIO_API sio_error sio_namespace_on_upgrade(sio_namespace *nsp,
                                           sio_socket_fn *fn, void *arg);

/*
 * A middleware decides on a client that wants to connect.  Middlewares run in
 * the order of registration, each after the one before has called
 * sio_next_allow().  The socket has its id and handshake and may join rooms,
 * which is undone on refusal; it is not connected.
 *
 * Answer `next` exactly once, now or later, from any thread.  The client may
 * have left meanwhile; the answer then has no effect.  sio_server_free()
 * ends those that were not answered.
 */
typedef void sio_middleware_fn(sio_socket *socket, sio_next *next, void *arg);
SIO_API sio_error sio_namespace_use(sio_namespace *nsp, sio_middleware_fn *fn,
                                    void *arg);

/* Goes on to the next middleware, or connects.  Takes `next`.  Any thread. */
SIO_API void sio_next_allow(sio_next *next);

/* Refuses: the client gets a CONNECT_ERROR with `message` and, if `data` is
 * not NULL, with that JSON text as `data`; malformed JSON is left out and
 * logged.  Takes `next`, borrows the strings.  Any thread. */
SIO_API void sio_next_refuse(sio_next *next, const char *message,
                             const char *data);

typedef enum sio_room_change {
    SIO_ROOM_CREATED,
    SIO_ROOM_JOINED,
    SIO_ROOM_LEFT,
    SIO_ROOM_DELETED
} sio_room_change;

/* Told of rooms; `id` is the socket's id, or NULL for created and deleted. Each
 * loop has its own part of a room, which it creates and deletes.  Rooms named
 * by a socket's own id are not reported.  Setup. */
typedef void sio_room_fn(sio_namespace *nsp, sio_room_change change,
                         const char *room, const char *id, void *arg);
SIO_API sio_error sio_namespace_on_room(sio_namespace *nsp, sio_room_fn *fn,
                                        void *arg);

/* As sio_namespace_on(), for the first such event of any client; it is then
 * taken back by itself.  Setup. */
SIO_API sio_error sio_namespace_once(sio_namespace *nsp, const char *event,
                                     sio_event_fn *fn, void *arg);

/* A handler, and what it was registered with. */
typedef struct sio_listener {
    sio_event_fn *fn;
    void *arg;
} sio_listener;

/*
 * Catch-all handlers.  Those of sio_namespace_on_any() hear of every event that
 * comes, before middlewares of events decide on it and before handlers by name,
 * and may acknowledge it.  prepend puts one before all there are; off takes
 * back the one with these values, or all where `fn` is NULL, and does nothing
 * when it is too late.  listeners fills `out` with up to `cap` of them in their
 * order, and returns how many there are.  Setup; listeners: Loop.
 */
SIO_API sio_error sio_namespace_prepend_any(sio_namespace *nsp,
                                            sio_event_fn *fn, void *arg);
SIO_API void sio_namespace_off_any(sio_namespace *nsp, sio_event_fn *fn,
                                   void *arg);
SIO_API size_t sio_namespace_listeners_any(const sio_namespace *nsp,
                                           sio_listener *out, size_t cap);

/*
 * The same for events that go out: called once for each socket that an emit or
 * a broadcast is sent to, on the socket's loop, before it is sent.  The event
 * has name and arguments, and nothing to acknowledge.  Not called for acks, for
 * volatile events that are dropped, and for arguments that are malformed.  A
 * handler that disconnects the socket stops the event; one that emits to it is
 * called for that too.  Broadcasts are sent one by one then, not gathered for
 * the turn.  Setup; listeners: Loop.
 */
SIO_API sio_error sio_namespace_on_any_outgoing(sio_namespace *nsp,
                                                sio_event_fn *fn, void *arg);
SIO_API sio_error sio_namespace_prepend_any_outgoing(sio_namespace *nsp,
                                                     sio_event_fn *fn,
                                                     void *arg);
SIO_API void sio_namespace_off_any_outgoing(sio_namespace *nsp,
                                            sio_event_fn *fn, void *arg);
SIO_API size_t sio_namespace_listeners_any_outgoing(const sio_namespace *nsp,
                                                    sio_listener *out,
                                                    size_t cap);

/*
 * A middleware of events decides on each event of a connected socket, after the
 * catch-all handlers and before those by name; several run in the order of
 * registration, each after the one before has let it pass.  It may change the
 * event by sio_event_set(), and acknowledge it.
 *
 * Answer `next` exactly once, now or later, from any thread.  `event` is valid
 * until then, and until the middleware has returned; it is for the socket's
 * loop.  Of one socket, later events overtake one that waits.  Where the socket
 * is disconnected meanwhile, an answer has no effect.
 *
 * Events that wait are copied.  A client for which more of them wait than
 * max_payload x max_attachments bytes and 64 KiB, each counted as 1 KiB at
 * least, is closed with SIO_ERR_LIMIT.  Setup.
 */
typedef void sio_event_middleware_fn(sio_socket *socket, sio_event *event,
                                     sio_event_next *next, void *arg);
SIO_API sio_error sio_namespace_use_events(sio_namespace *nsp,
                                           sio_event_middleware_fn *fn,
                                           void *arg);

/* The event goes on; or goes no further, and nobody is told; or fails, and
 * those of sio_namespace_on_event_error() are told.  Nothing is sent to the
 * client in the latter two, and its ack stays unanswered unless somebody
 * answers it.  `data` is any text, or NULL.  All take `next`, borrow the
 * strings.  Any thread. */
SIO_API void sio_event_next_pass(sio_event_next *next);
SIO_API void sio_event_next_drop(sio_event_next *next);
SIO_API void sio_event_next_fail(sio_event_next *next, const char *message,
                                 const char *data);

/* Told of an event that a middleware has let fail; without such a handler it is
 * logged as `event_refused`.  Setup. */
typedef void sio_event_error_fn(sio_socket *socket, sio_event *event,
                                const char *message, const char *data,
                                void *arg);
SIO_API sio_error sio_namespace_on_event_error(sio_namespace *nsp,
                                               sio_event_error_fn *fn,
                                               void *arg);

/*
 * Parents: namespaces that clients make.  A parent has no sockets and no name
 * that a client could use, but children.  A client that asks for a namespace
 * that there is not gets one where a parent takes it; parents are asked in the
 * order in which they were made.  Handlers, middlewares and hooks of the parent
 * are those of each child, also of those that were there before; a child may
 * have more of its own, which run behind them.  Broadcasts of a parent reach
 * the sockets of all children, as one would in each child; events emitted to a
 * parent by sio_namespace_emit_server() only its own handlers.
 *
 * A child made for a client may go as soon as it has no socket, if
 * cleanup_empty_child_namespaces says so; then its name is free.  So keep it
 * by sio_namespace_ref(), or as long as a socket that is in it; for a
 * sio_broadcast the same holds.  One that was asked for by sio_server_of()
 * stays, and so do all that have no parent.
 *
 * With cleanup off children stay until the server is freed: set it where
 * clients choose names freely.  max_dynamic_namespaces is the limit, above
 * which a client is told that there is no such namespace.
 */

/*
 * The parent of all names that `pattern` describes, made on first use: a `*`
 * stands for one or more bytes other than `/`, all else for itself, as in
 * "/tenant-*".  A namespace that sio_server_of() makes later belongs to the
 * first parent by pattern that its name fits.
 *
 * Borrowed from the server.  NULL for a pattern without a leading `/` or with
 * a comma, when it is too late, or when memory is short.  Setup.
 */
SIO_API sio_namespace *sio_server_of_pattern(sio_server *server,
                                             const char *pattern);

/*
 * Decides whether a client may have a namespace that there is not.  Answer
 * `claim` exactly once, now or later, from any thread; the client waits until
 * then.  It may have left meanwhile; the answer then has no effect.
 * sio_server_free() ends those that were not answered.
 */
typedef void sio_claim_fn(sio_claim *claim, void *arg);

/* A parent for which `fn` decides, called with `arg`.  As above, but each call
 * makes another one.  Setup. */
SIO_API sio_namespace *sio_server_of_check(sio_server *server, sio_claim_fn *fn,
                                           void *arg);

/* The name that is asked for, with its slash; the client's auth as JSON text,
 * "{}" when none.  Borrowed until the answer.  Any thread. */
SIO_API const char *sio_claim_name(const sio_claim *claim);
SIO_API const char *sio_claim_auth(const sio_claim *claim);

/* As sio_socket_handshake(), until the answer.  Loop: in the callback. */
SIO_API const sio_handshake *sio_claim_handshake(const sio_claim *claim);

/* Make the namespace, a child of the parent that asked, or go on to the next
 * parent that may take it; behind the last the client gets a CONNECT_ERROR,
 * "Invalid namespace".  Both take `claim`.  Any thread. */
SIO_API void sio_claim_allow(sio_claim *claim);
SIO_API void sio_claim_refuse(sio_claim *claim);

/*
 * Registers a hook for namespaces that are new, but for `/` and parents.  It is
 * called where the namespace is made: on the thread that calls sio_server_of()
 * for the first time, or on the loop of the client that gets it.  In it, and
 * with several threads only in it, handlers may be added to the namespace after
 * sio_server_listen().  No other namespace is made meanwhile, but by the hook
 * itself, so it must not wait for another thread.
 *
 * Returns SIO_OK, SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 * Setup.
 */
typedef void sio_namespace_fn(sio_namespace *nsp, void *arg);
SIO_API sio_error sio_server_on_namespace(sio_server *server,
                                          sio_namespace_fn *fn, void *arg);

/* Gives the namespace `name`, with its slash, if it is there; or NULL.  Unlike
 * sio_server_of() it neither makes it nor has it stay: let go of it by
 * sio_namespace_unref().  Any thread. */
SIO_API sio_namespace *sio_server_find(sio_server *server, const char *name);

/* Holds a namespace, for as long as its address is used.  What has no parent
 * stays anyway, and is not counted.  Ref returns `nsp`; unref allows NULL.
 * Any thread. */
SIO_API sio_namespace *sio_namespace_ref(sio_namespace *nsp);
SIO_API void sio_namespace_unref(sio_namespace *nsp);

/* Lends the parent, or NULL.  Any thread. */
SIO_API sio_namespace *sio_namespace_parent(const sio_namespace *nsp);

/* Visits all namespaces that there are at the time of the call, but parents, in
 * no order; `fn` may do anything.  Returns SIO_OK or SIO_ERR_NO_MEMORY.  Any
 * thread. */
SIO_API sio_error sio_server_each_namespace(sio_server *server,
                                            sio_namespace_fn *fn, void *arg);

/* ---------------------------------------------------- arguments, events -- */

/* All functions on a sio_event: Loop, in the callback that was given it. */

typedef struct sio_binary {
    const void *data;
    size_t len; /* bytes */
} sio_binary;

/*
 * The arguments of an event or an acknowledgement, as they stand on the wire:
 * `json` is the inner text of a JSON array, such as `1,"two",{"three":3}`,
 * without the brackets.  Where an argument, or a value anywhere in one, is
 * binary, the text has {"_placeholder":true,"num":N} and `binaries[N]` the
 * bytes.  A view: it owns nothing.
 */
typedef struct sio_args {
    const char *json; /* not terminated; may be NULL when json_len is 0 */
    size_t json_len;
    const sio_binary *binaries;
    size_t binary_count;
} sio_args;

/* The event's name, NUL-terminated; "" when the client sent no payload.  A
 * number, which is allowed as a name, is given as its digits.  Loop. */
SIO_API const char *sio_event_name(const sio_event *event);

/* All arguments, borrowed from the event: valid until the callback returns.
 * Ready to be handed to any function that takes sio_args.  Loop. */
SIO_API const sio_args *sio_event_args(const sio_event *event);

/* Loop. */
SIO_API size_t sio_event_arg_count(const sio_event *event);

/* The JSON text of one argument, a view into sio_event_args()->json; NULL when
 * there is none.  `len` may be NULL.  Loop. */
SIO_API const char *sio_event_arg(const sio_event *event, size_t index,
                                  size_t *len);

/* The arguments from the one at `index` on: a view that is good for as long as
 * the event.  Loop. */
SIO_API sio_args sio_event_args_from(const sio_event *event, size_t index);

/* Sets `*out` when this argument is binary.  Borrowed.  SIO_ERR_MISMATCH
 * otherwise.  Loop. */
SIO_API SIO_CHECK sio_error sio_event_arg_binary(const sio_event *event,
                                                 size_t index, sio_binary *out);

/*
 * Unpacks the arguments by a format of jansson's json_unpack(): one item per
 * argument, further arguments are ignored.  "s" fills a `const char *` that is
 * valid until the callback returns; "{s:i}" reads a member of an object; "o"
 * borrows a json_t.
 *
 * Returns SIO_OK, SIO_ERR_MISMATCH when the arguments do not fit, or
 * SIO_ERR_NO_MEMORY.  Loop.
 */
SIO_API SIO_CHECK sio_error sio_event_unpack(sio_event *event,
                                             const char *format, ...);

/* Whether the client asked for an acknowledgement and has not got one.
 * Loop. */
SIO_API bool sio_event_wants_ack(const sio_event *event);

/*
 * Acknowledges the event.  `format` and what follows are packed as by
 * jansson's json_pack(), one item per argument; NULL sends none.  Where the
 * client asked for no acknowledgement, or has got it, nothing happens.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT for a bad format, SIO_ERR_STATE when there
 * is nothing to acknowledge, SIO_ERR_CLOSED, SIO_ERR_TOO_LARGE or
 * SIO_ERR_NO_MEMORY.  Loop.
 */
SIO_API sio_error sio_event_ack(sio_event *event, const char *format, ...);

/* The same with ready arguments, which are trusted to be well formed.  Loop. */
SIO_API sio_error sio_event_ack_args(sio_event *event, const sio_args *args);

/*
 * Gives the right to acknowledge later, also after the callback has
 * returned, from any thread; end it with sio_ack_send*() or sio_ack_drop().
 * NULL when there is nothing to acknowledge or memory is short.
 */
SIO_API sio_ack *sio_event_take_ack(sio_event *event);

/* Acknowledge as sio_event_ack() does.  Takes `ack` in every case.  Any
 * thread. */
SIO_API sio_error sio_ack_send(sio_ack *ack, const char *format, ...);
SIO_API sio_error sio_ack_send_args(sio_ack *ack, const sio_args *args);

/* Lets go of `ack` without an answer.  NULL is allowed.  Any thread. */
SIO_API void sio_ack_drop(sio_ack *ack);

/*
 * Gives the event another name, other arguments, or both, for those who are
 * told of it after the caller; NULL leaves what there is.  Both are copied, so
 * they may be views into the event; what was unpacked from it before is not
 * valid any more.
 *
 * Returns SIO_OK; SIO_ERR_RESERVED, or SIO_ERR_ARGUMENT for what is malformed,
 * with nothing changed; or SIO_ERR_NO_MEMORY.  Loop.
 */
SIO_API sio_error sio_event_set(sio_event *event, const char *name,
                                const sio_args *args);

/* -------------------------------------------------------------- sockets -- */

/* 20 characters, unlike the session's id; what the client knows as its id.
 * These two any thread. */
SIO_API const char *sio_socket_id(const sio_socket *socket);
SIO_API sio_namespace *sio_socket_namespace(const sio_socket *socket);

/* Between the connection handlers and the disconnect handlers.  Any thread;
 * elsewhere than on its loop it may be over in the next moment. */
SIO_API bool sio_socket_connected(const sio_socket *socket);

/* The Engine.IO session that carries it; NUL-terminated, borrowed, "" once
 * that is gone.  Loop, like the two below. */
SIO_API const char *sio_socket_session_id(const sio_socket *socket);

/* "polling" or "websocket"; "" once the session is gone.  Static.  Loop. */
SIO_API const char *sio_socket_transport(const sio_socket *socket);

/* The revision of Engine.IO that the client speaks: 4.  Loop. */
SIO_API unsigned sio_socket_protocol(const sio_socket *socket);

/* Bytes queued for the socket's connection that the kernel has not taken.
 * Loop. */
SIO_API size_t sio_socket_backlog(const sio_socket *socket);

/* Keeps `socket` valid beyond the callback; it does not keep it connected.
 * Each is undone by one sio_socket_unref().  Returns `socket`.  Any thread,
 * while the socket is valid there: in its callbacks, or by another reference.
 */
SIO_API sio_socket *sio_socket_ref(sio_socket *socket);
SIO_API void sio_socket_unref(sio_socket *socket);

/*
 * Runs `fn` with the socket and `arg` on the socket's loop, in a later turn, in
 * the order of posting; it may be over for the socket by then.  `arg` stays the
 * caller's.  Any thread.  `fn` is not called when the server is freed
 * before its turn comes.
 *
 * Returns SIO_OK, SIO_ERR_CLOSED when the socket or the server has ended, or
 * SIO_ERR_NO_MEMORY.
 */
SIO_API SIO_CHECK sio_error sio_socket_post(sio_socket *socket,
                                            sio_socket_fn *fn, void *arg);

/* Attaches a pointer of the application.  `destroy`, unless NULL, is called
 * with it when it is replaced or the socket's memory goes, which is on the
 * thread that lets go of the last reference.  Loop. */
SIO_API void sio_socket_set_data(sio_socket *socket, void *data,
                                 void (*destroy)(void *data));
SIO_API void *sio_socket_data(const sio_socket *socket);

/*
 * Emits an event.  `format` and what follows are packed as by jansson's
 * json_pack(), one item per argument: sio_socket_emit(s, "said", "s{s:i}",
 * "hello", "at", 5); NULL sends none.
 *
 * The packet is queued, not sent: success says nothing about the network.  Any
 * thread, like all that emits: there success says that it is on its way to the
 * socket's loop.
 *
 * Returns SIO_OK, or, having done nothing:
 *   SIO_ERR_ARGUMENT   the format is bad, or a string is not UTF-8
 *   SIO_ERR_RESERVED   `event` is a reserved name
 *   SIO_ERR_CLOSED     the socket has been disconnected
 *   SIO_ERR_BACKLOG    more than max_backlog would wait; backlog_policy says
 *                      whether that closes the session
 *   SIO_ERR_NO_MEMORY
 */
SIO_API sio_error sio_socket_emit(sio_socket *socket, const char *event,
                                  const char *format, ...);

/* The same, but dropped (with SIO_OK) while anything waits to be sent.
 * Any thread. */
SIO_API sio_error sio_socket_emit_volatile(sio_socket *socket,
                                           const char *event,
                                           const char *format, ...);

/* Emits JSON text: `json` is the inner text of an array of `len` bytes, such
 * as `1,"two"`.  It is checked: SIO_ERR_ARGUMENT when malformed.
 * Any thread. */
SIO_API sio_error sio_socket_emit_json(sio_socket *socket, const char *event,
                                       const char *json, size_t len);

/* Flags of an emit: NO_COMPRESS is for what is compressed already, such as a
 * picture. */
enum { SIO_EMIT_VOLATILE = 1, SIO_EMIT_NO_COMPRESS = 2 };

/*
 * Emits ready arguments: those of a received event, or the caller's own.
 * They are trusted to be well formed (emit_json checks) and copied.  `flags`
 * is a set of SIO_EMIT_*.  Errors as sio_socket_emit(), and
 * SIO_ERR_ARGUMENT for more than max_attachments binaries.  Any thread.
 */
SIO_API sio_error sio_socket_emit_args(sio_socket *socket, const char *event,
                                       const sio_args *args, unsigned flags);

/* Emits one binary argument.  Any thread. */
SIO_API sio_error sio_socket_emit_binary(sio_socket *socket, const char *event,
                                         const void *data, size_t len);

/*
 * Receives the answer to an event that asked for one.  Called exactly once,
 * on the socket's loop:
 *
 *   SIO_OK           `answer` holds the arguments; sio_event_unpack() etc.
 *                    work on it until the call returns
 *   SIO_ERR_CLOSED   the socket was disconnected first; `answer` is NULL
 *   SIO_ERR_TIMEOUT  `timeout_ms` passed first; `answer` is NULL
 *
 * and where it was asked for on another thread, also what sio_socket_emit()
 * fails with there, instead of the return value.
 */
typedef void sio_ack_fn(sio_socket *socket, sio_error err, sio_event *answer,
                        void *arg);

/*
 * Emits an event and asks for an acknowledgement.  `timeout_ms` counts from
 * this call; 0 waits as long as the socket lives.  `on_ack` is called if, and
 * only if, SIO_OK is returned, and never before this function has returned.
 * `arg` is handed to it untouched.  Errors as sio_socket_emit().  Any thread.
 */
SIO_API sio_error sio_socket_emit_ack(sio_socket *socket, const char *event,
                                      uint32_t timeout_ms, sio_ack_fn *on_ack,
                                      void *arg, const char *format, ...);
SIO_API sio_error sio_socket_emit_ack_args(sio_socket *socket,
                                           const char *event,
                                           uint32_t timeout_ms,
                                           sio_ack_fn *on_ack, void *arg,
                                           const sio_args *args);

/*
 * Rooms.  Each socket is in the room named by its own id.  Joining twice is
 * the same as once; leaving a room it is not in does nothing.
 *
 * Join returns SIO_OK, SIO_ERR_CLOSED after the disconnect, SIO_ERR_LIMIT at
 * max_rooms (not from another thread), or SIO_ERR_NO_MEMORY.  Joining and
 * leaving: any thread; the others: Loop.
 */
SIO_API sio_error sio_socket_join(sio_socket *socket, const char *room);
SIO_API void sio_socket_leave(sio_socket *socket, const char *room);
SIO_API bool sio_socket_in_room(const sio_socket *socket, const char *room);

/* Visits the rooms, the own id first; `fn` must not join or leave.  Loop. */
typedef void sio_room_visit_fn(const char *room, void *arg);
SIO_API void sio_socket_each_room(const sio_socket *socket,
                                  sio_room_visit_fn *fn, void *arg);
SIO_API size_t sio_socket_room_count(const sio_socket *socket);

/* Disconnects from the namespace; the reason is
 * SIO_DISCONNECT_SERVER_NAMESPACE_DISCONNECT.  Any thread. */
SIO_API void sio_socket_disconnect(sio_socket *socket);

/* Disconnects every namespace of the client, then closes its connection once
 * what is queued has left.  Any thread. */
SIO_API void sio_socket_close(sio_socket *socket);

/* ---------------------------------------------------------- connections -- */

/*
 * The connection of a client, over whatever transports it moves to; the sockets
 * of all namespaces that the client has joined share it.  Borrowed: it is valid
 * in callbacks about it or one of its sockets, and as long as the session is
 * open.
 */

/* NULL once it is gone.  Loop. */
SIO_API sio_conn *sio_socket_conn(const sio_socket *socket);

/* As the functions of the same names for a socket.  Loop. */
SIO_API const char *sio_conn_id(const sio_conn *conn); /* of the session */
SIO_API const char *sio_conn_transport(const sio_conn *conn);
SIO_API size_t sio_conn_backlog(const sio_conn *conn);
SIO_API void sio_conn_close(sio_conn *conn);

/* The connected socket in this namespace, whose name has its slash; or NULL.
 * Loop. */
SIO_API sio_socket *sio_conn_socket(const sio_conn *conn, const char *nsp);

/* Visits the connected sockets, in the order of connecting; `fn` may disconnect
 * any of them.  Loop. */
SIO_API void sio_conn_each_socket(sio_conn *conn, sio_socket_fn *fn, void *arg);

/* A packet of Engine.IO. */
typedef struct sio_conn_packet {
    unsigned type;    /* 0 open, 1 close, 2 ping, 3 pong, 4 message, 5 upgrade,
                         6 noop */
    bool binary;      /* a message of bytes, not of text */
    const void *data; /* behind the type; borrowed until the callback returns */
    size_t len;
} sio_conn_packet;

typedef void sio_conn_fn(sio_conn *conn, void *arg);
typedef void sio_conn_packet_fn(sio_conn *conn, const sio_conn_packet *packet,
                                void *arg);

/*
 * Told of each packet that has come over any connection, before anything is
 * done about it; and of each packet that was made to be sent, pings and
 * messages. Probes of an upgrade are neither.  The latter is called in the
 * middle of broadcasts: it may look, and post, but must not emit, join, leave,
 * disconnect or close.  While there is either, packets take a longer way.
 * Setup.
 *
 * Return SIO_OK, SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY, as do
 * the two below.
 */
SIO_API sio_error sio_server_on_conn_packet(sio_server *server,
                                            sio_conn_packet_fn *fn, void *arg);
SIO_API sio_error sio_server_on_conn_packet_create(sio_server *server,
                                                   sio_conn_packet_fn *fn,
                                                   void *arg);

/* As sio_namespace_on_drained(), once for the connection, after the sockets.
 * Setup. */
SIO_API sio_error sio_server_on_conn_drained(sio_server *server,
                                             sio_conn_fn *fn, void *arg);

/* The connection is gone, after its sockets, also where there were none: the
 * last call about it.  `id` is the session's, borrowed.  Setup. */
typedef void sio_conn_closed_fn(sio_conn *conn, const char *id,
                                sio_disconnect_reason reason, sio_error why,
                                void *arg);
SIO_API sio_error sio_server_on_conn_closed(sio_server *server,
                                            sio_conn_closed_fn *fn, void *arg);

/* ------------------------------------------------------------ handshake -- */

/* The first HTTP request of the session and the client's auth.  Borrowed:
 * valid as long as the socket.  Loop, with all that reads it: values are
 * decoded when they are asked for. */
SIO_API const sio_handshake *sio_socket_handshake(const sio_socket *socket);

/* A header by its lower-case name; values of a repeated header are joined by
 * ", ".  NULL when absent.  Loop. */
SIO_API const char *sio_handshake_header(const sio_handshake *handshake,
                                         const char *name);

/* A decoded query parameter, the last of its name; NULL when absent.  Loop. */
SIO_API const char *sio_handshake_query(const sio_handshake *handshake,
                                        const char *name);
SIO_API const char *sio_handshake_url(const sio_handshake *handshake);

/* The client's address: numeric, without its port, or "unix:" for who came by a
 * unix socket.  Behind trusted proxies it is what these say.  Loop. */
SIO_API const char *sio_handshake_address(const sio_handshake *handshake);
SIO_API int64_t sio_handshake_issued(const sio_handshake *handshake); /* ms
                                                     since 1970-01-01 UTC */
SIO_API bool sio_handshake_xdomain(const sio_handshake *handshake);

/* The request's method.  Loop. */
SIO_API const char *sio_handshake_method(const sio_handshake *handshake);

/* Visits all headers in the order in which they came, repeated ones each by
 * itself; names are in lower case.  Loop. */
typedef void sio_header_fn(const char *name, const char *value, void *arg);
SIO_API void sio_handshake_each_header(const sio_handshake *handshake,
                                       sio_header_fn *fn, void *arg);

/* Whether the client uses TLS, be it to a trusted proxy that says so.  Loop. */
SIO_API bool sio_handshake_secure(const sio_handshake *handshake);

/* The auth the client sent with its CONNECT: JSON text, "{}" when none.
 * Loop. */
SIO_API const char *sio_socket_auth(const sio_socket *socket);

/* Unpacks the auth object by a jansson format such as "{s:s}".  Strings live
 * as long as the socket.  SIO_ERR_MISMATCH when it does not fit.  Loop. */
SIO_API SIO_CHECK sio_error sio_socket_auth_unpack(sio_socket *socket,
                                                   const char *format, ...);

/* Writes the whole handshake object as JSON, with the members headers, time,
 * address, xdomain, secure, issued, url, query and auth.  Writes at most
 * `cap` bytes, not terminated, and returns how many there are.  Loop. */
SIO_API size_t sio_socket_handshake_json(const sio_socket *socket, char *out,
                                         size_t cap);

/* ------------------------------------------------------------ broadcast -- */

enum { SIO_BROADCAST_ROOMS = 8 };

/*
 * Whom a broadcast is for, as a value: copy it, build on it, emit with it as
 * often as you like; each function returns a changed copy.  It owns nothing:
 * names and sockets are borrowed and must be valid when it is used.  More
 * than SIO_BROADCAST_ROOMS names of a kind make the emit fail with
 * SIO_ERR_ARGUMENT; use the functions with lists for those.
 *
 * Any thread makes and uses them.  A broadcast reaches the recipients on the
 * calling thread's loop before the call returns, those on other loops when
 * their turn comes: those who are in the room by then.
 */
typedef struct sio_broadcast {
    sio_namespace *nsp;
    sio_socket *except_socket;
    const char *to[SIO_BROADCAST_ROOMS];
    const char *except[SIO_BROADCAST_ROOMS];
    const char *const *to_list;
    const char *const *except_list;
    size_t to_list_count, except_list_count;
    unsigned to_count, except_count;
    unsigned flags;
    uint32_t timeout_ms;
} sio_broadcast;

/* All sockets of the namespace.  Any thread. */
SIO_API sio_broadcast sio_namespace_broadcast(sio_namespace *nsp);

/* All sockets of the socket's namespace but itself.  Any thread. */
SIO_API sio_broadcast sio_socket_broadcast(sio_socket *socket);

/* Adds a room (or a socket's id); several are a union in which each socket
 * counts once.  Any thread. */
SIO_API sio_broadcast sio_broadcast_to(sio_broadcast b, const char *room);

/* Leaves out the members of a room (or a socket by its id).  Any thread. */
SIO_API sio_broadcast sio_broadcast_except(sio_broadcast b, const char *room);

/* Any number of rooms; `rooms` is borrowed until the broadcast is used.  They
 * replace an earlier list and add to single rooms.  Any thread. */
SIO_API sio_broadcast sio_broadcast_to_list(sio_broadcast b,
                                            const char *const *rooms,
                                            size_t count);
SIO_API sio_broadcast sio_broadcast_except_list(sio_broadcast b,
                                                const char *const *rooms,
                                                size_t count);

/* Dropped for each recipient for whom something waits to be sent.
 * Any thread. */
SIO_API sio_broadcast sio_broadcast_volatile(sio_broadcast b);

/* Whether answers that carry it may be compressed; they may, unless told.
 * Any thread. */
SIO_API sio_broadcast sio_broadcast_compress(sio_broadcast b, bool compress);

/* This server only, where several are connected by an adapter.  Any thread. */
SIO_API sio_broadcast sio_broadcast_local(sio_broadcast b);

/* Shortcuts for the two that are used most.  Any thread. */
SIO_API sio_broadcast sio_namespace_to(sio_namespace *nsp, const char *room);
SIO_API sio_broadcast sio_socket_to(sio_socket *socket, const char *room);

/* Emit as the functions for one socket do; no recipient is no error.
 * Any thread. */
SIO_API sio_error sio_broadcast_emit(sio_broadcast b, const char *event,
                                     const char *format, ...);
SIO_API sio_error sio_broadcast_emit_json(sio_broadcast b, const char *event,
                                          const char *json, size_t len);
SIO_API sio_error sio_broadcast_emit_args(sio_broadcast b, const char *event,
                                          const sio_args *args);

/*
 * Receives the answers to a broadcast, once, on the loop of the thread that
 * asked, or, where that is none of the server's, on its first one.  `answers`
 * is the inner text of a JSON array with the first argument of each answer,
 * in the order of arrival on each loop (null where an answer had none, or was
 * binary), valid until the call returns; `count` says how many came and
 * `expected` how many clients were asked.  `err` is SIO_OK when all came,
 * SIO_ERR_TIMEOUT otherwise.
 */
typedef void sio_answers_fn(sio_error err, const char *answers, size_t len,
                            size_t count, size_t expected, void *arg);

/* Emits and asks every recipient for an acknowledgement, within `timeout_ms`
 * (at least 1).  With no recipient, `on_answers` is told so in a later turn.
 * Called if, and only if, SIO_OK is returned and the server is not freed
 * before.  Any thread. */
SIO_API sio_error sio_broadcast_emit_ack(sio_broadcast b, const char *event,
                                         uint32_t timeout_ms,
                                         sio_answers_fn *on_answers, void *arg,
                                         const char *format, ...);

/*
 * Make every matching socket join, leave or disconnect; `close` ends the whole
 * connection.  Any thread; on other loops it is done when their turn
 * comes.
 *
 * Return SIO_OK, SIO_ERR_ARGUMENT for too many rooms, SIO_ERR_NO_MEMORY, and
 * joining SIO_ERR_LIMIT where a socket of the calling thread's loop has reached
 * max_rooms; those that could have joined.
 */
SIO_API sio_error sio_broadcast_join(sio_broadcast b, const char *room);
SIO_API sio_error sio_broadcast_leave(sio_broadcast b, const char *room);
SIO_API sio_error sio_broadcast_disconnect(sio_broadcast b, bool close);

/*
 * Calls `fn` with `arg` for every matching socket, on the socket's own loop:
 * for those of the calling thread's before this returns, for others when their
 * turn comes.  Any thread.  Returns as sio_broadcast_leave().
 */
SIO_API sio_error sio_broadcast_each(sio_broadcast b, sio_socket_fn *fn,
                                     void *arg);

/*
 * Receives the sockets that a broadcast would reach, on the loop of the thread
 * that asked, or, where that is none of the server's, on its first one.
 * `sockets` are valid until the call returns; keep one with sio_socket_ref().
 * Those of other loops may have left by now, and bear only what may be done
 * from any thread.  `err` is SIO_OK, or SIO_ERR_NO_MEMORY when some are
 * missing.
 */
typedef void sio_sockets_fn(sio_error err, sio_socket *const *sockets,
                            size_t count, void *arg);
typedef void sio_count_fn(sio_error err, size_t count, void *arg);

/*
 * Ask all loops which sockets a broadcast would reach, or how many.  The answer
 * comes once, in a later turn, unless the server is freed before.  Any
 * thread.
 *
 * Return SIO_OK, SIO_ERR_ARGUMENT for too many rooms, or SIO_ERR_NO_MEMORY.
 */
SIO_API SIO_CHECK sio_error sio_broadcast_fetch(sio_broadcast b,
                                                sio_sockets_fn *fn, void *arg);
SIO_API SIO_CHECK sio_error sio_broadcast_count(sio_broadcast b,
                                                sio_count_fn *fn, void *arg);

/*
 * What there is to know of a socket, as it was when its loop was asked; all of
 * it is valid until the callback returns.
 */
typedef struct sio_socket_info {
    sio_socket *socket; /* as for sio_sockets_fn */
    const char *const *rooms;
    size_t room_count;     /* the own id is the first */
    const char *handshake; /* JSON, as of sio_socket_handshake_json() */
    size_t handshake_len;
    void *data; /* as of sio_socket_data(); the socket's loop may have replaced
                   it by now, and it needs a lock where other loops use it */
} sio_socket_info;

typedef void sio_infos_fn(sio_error err, const sio_socket_info *infos,
                          size_t count, void *arg);

/* As sio_broadcast_fetch(), with what of the sockets may only be asked for on
 * their own loops.  Any thread. */
SIO_API SIO_CHECK sio_error sio_broadcast_fetch_infos(sio_broadcast b,
                                                      sio_infos_fn *fn,
                                                      void *arg);

/*
 * Events between parts of the application: what is emitted to a namespace's
 * server events is heard by those who registered for the name, on the first
 * loop, in a later turn.  No client has to do with it.
 *
 * `args` are borrowed until the callback returns.  `reply` is NULL where nobody
 * asks; else answer it once, now or later, by sio_reply_send().
 *
 * on returns SIO_OK, SIO_ERR_RESERVED for `connect`, `connection` and
 * `new_namespace`, SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 * Setup.
 */
typedef void sio_server_event_fn(sio_namespace *nsp, const char *event,
                                 const sio_args *args, sio_reply *reply,
                                 void *arg);
SIO_API sio_error sio_namespace_on_server_event(sio_namespace *nsp,
                                                const char *event,
                                                sio_server_event_fn *fn,
                                                void *arg);

/* Emits to those, with arguments packed as by sio_socket_emit().  Any thread.
 * Returns SIO_OK, SIO_ERR_RESERVED, SIO_ERR_ARGUMENT for a bad format,
 * SIO_ERR_CLOSED, or SIO_ERR_NO_MEMORY. */
SIO_API sio_error sio_namespace_emit_server(sio_namespace *nsp,
                                            const char *event,
                                            const char *format, ...);

/* The same, and gathers what they answer within `timeout_ms` (at least 1); all
 * as for sio_broadcast_emit_ack(), but that `on_answers` is called on the first
 * loop.  Any thread. */
SIO_API sio_error sio_namespace_emit_server_ack(
    sio_namespace *nsp, const char *event, uint32_t timeout_ms,
    sio_answers_fn *on_answers, void *arg, const char *format, ...);

/* Answers with the first of the packed arguments, null where there is none or
 * the format is bad.  Takes `reply`, in any case.  Returns SIO_OK,
 * SIO_ERR_ARGUMENT or SIO_ERR_NO_MEMORY.  Any thread. */
SIO_API sio_error sio_reply_send(sio_reply *reply, const char *format, ...);

/* ----------------------------------------------------------------- HTTP -- */

/*
 * Answers requests outside the server's path, on whichever loop they came in.
 * Call sio_http_respond() once, now or later, from any thread; `request` is
 * valid until then, even when the client has left. sio_server_free() ends those
 * that were not answered.
 */
typedef void sio_http_fn(sio_http_request *request, void *arg);

/*
 * Hands requests whose path begins with `prefix` to `fn`; the longest prefix
 * wins.  Bodies are gathered, up to max_payload.  Setup, like the two below.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT for a prefix without a leading `/`,
 * SIO_ERR_STATE when it is too late, or SIO_ERR_NO_MEMORY.
 */
SIO_API sio_error sio_server_on_http(sio_server *server, const char *prefix,
                                     sio_http_fn *fn, void *arg);

/*
 * Serves the files below the folder `dir` for paths that begin with `prefix`;
 * `index.html` stands for a folder.  What is not there is asked of the next
 * shorter prefix, then answered with 404.
 *
 * Returns SIO_OK, SIO_ERR_ARGUMENT, SIO_ERR_FILE when `dir` cannot be opened,
 * SIO_ERR_STATE or SIO_ERR_NO_MEMORY.  Setup.
 */
SIO_API sio_error sio_server_serve_files(sio_server *server, const char *prefix,
                                         const char *dir);

/*
 * Has `fn` look at every request below the server's path, upgrades included,
 * before the engine does; several run in the order of registration.  It may add
 * headers to the answer by sio_http_add_header().  It returns true to let the
 * request go on; false where it has answered by sio_http_respond(), or to have
 * it refused (code 3).  `request` is valid until either.
 *
 * Returns SIO_OK, SIO_ERR_STATE or SIO_ERR_NO_MEMORY.  Setup.
 */
typedef bool sio_request_fn(sio_http_request *request, void *arg);
SIO_API sio_error sio_server_use(sio_server *server, sio_request_fn *fn,
                                 void *arg);

/* All borrowed from the request.  Any thread that has it, one at a time. */
SIO_API const char *sio_http_method(const sio_http_request *request);
SIO_API const char *sio_http_path(const sio_http_request *request);  /* as sent,
                                                       without the query */
SIO_API const char *sio_http_query(const sio_http_request *request); /* behind
                                                      the `?`, or "" */
SIO_API const char *sio_http_header(const sio_http_request *request,
                                    const char *name); /* or NULL */
SIO_API const char *sio_http_address(const sio_http_request *request); /* as
                                                      sio_handshake_address() */
SIO_API bool sio_http_secure(const sio_http_request *request);         /* as
                                                       sio_handshake_secure() */
SIO_API const void *sio_http_body(const sio_http_request *request, size_t *len);

/* Adds a header to the answer; copied.  As those above.  SIO_ERR_ARGUMENT when
 * name or value holds a byte that is not allowed there, SIO_ERR_STATE after the
 * answer. Any thread. */
SIO_API sio_error sio_http_add_header(sio_http_request *request,
                                      const char *name, const char *value);

/* Answers, taking `request`; `content_type` may be NULL, `body` is copied.
 * Content-Length, Date and Connection are set by the server.  Any thread. */
SIO_API void sio_http_respond(sio_http_request *request, int status,
                              const char *content_type, const void *body,
                              size_t len);

/* Let a handshake pass, or refuse it with the text of `message` ("Forbidden"
 * when NULL).  Both take `verdict`.  Any thread. */
SIO_API void sio_verdict_allow(sio_verdict *verdict);
SIO_API void sio_verdict_refuse(sio_verdict *verdict, const char *message);

#ifdef __cplusplus
}
#endif

#endif
