#ifndef SOCKETIO_CONFIG_H
#define SOCKETIO_CONFIG_H

/* How a server is configured, and what it asks the application. */

#include "socketio/parser.h"
#include "socketio/tls.h"
#include "socketio/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Transports a server offers; a set of bits. */
enum { SIO_TRANSPORT_POLLING = 1, SIO_TRANSPORT_WEBSOCKET = 2 };

/* How packets look in messages: what its clients are told as `parser`. */
typedef enum sio_parser_kind {
    SIO_PARSER_JSON,    /* the default of all clients */
    SIO_PARSER_MSGPACK, /* socket.io-msgpack-parser */
    SIO_PARSER_CUSTOM   /* the application's own, see parser.h */
} sio_parser_kind;

/* What to do with a packet for a client for which more than max_backlog bytes
 * would wait: close the session, or refuse the packet, to that client alone. */
typedef enum sio_backlog_policy {
    SIO_BACKLOG_DISCONNECT,
    SIO_BACKLOG_REFUSE
} sio_backlog_policy;

/* What to do about a session that sends more than it may: tell of it, stop
 * reading from it until that is made up for, or close it. */
typedef enum sio_rate_policy {
    SIO_RATE_THROTTLE,
    SIO_RATE_WARN,
    SIO_RATE_DISCONNECT
} sio_rate_policy;

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

/*
 * Writes what is told of a socket's data, see sio_socket_set_data(), as JSON to
 * `out`, of `cap` bytes: if it is longer, only as much as fits.  Returns its
 * length; 0 for nothing.  On the socket's loop.
 */
typedef size_t sio_data_json_fn(sio_socket *socket, char *out, size_t cap,
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
    const sio_parser_methods *custom_parser; /* of SIO_PARSER_CUSTOM; copied */
    void *custom_parser_arg;                 /* given to its functions */
    uint32_t max_backlog; /* bytes waiting for one slow client ... */
    sio_backlog_policy backlog_policy; /* ... and what happens over it */

    /* Namespaces made for clients; at least 1, and whether one goes with its
     * last socket. */
    uint32_t max_dynamic_namespaces;
    bool cleanup_empty_child_namespaces;

    /* Connection state recovery: a client that has lost its connection goes on
     * with its session, and gets the packets that it has missed. */
    bool recovery;
    bool recovery_skip_middlewares;         /* for those who go on */
    uint32_t recovery_max_disconnection_ms; /* that a session is stored */
    uint32_t recovery_max_packets;          /* kept for each namespace ... */
    uint64_t recovery_max_bytes; /* ... and the bytes of these and of stored
                                    sessions; loops share both evenly */
    /* Limits of one address, as the proxies that are trusted tell it; of IPv6
     * its block of 64 bits.  Many clients may share one, so these are off: 0.
     * docs/limits.md. */
    uint32_t max_connections_per_address; /* not of trusted proxies */
    uint32_t max_sessions_per_address;
    uint32_t handshakes_per_address_per_s;
    uint32_t handshakes_per_address_burst; /* at once; 0: those of a second */

    /* Handshakes of all clients together; 0: any number. */
    uint32_t handshakes_per_s;
    uint32_t handshakes_burst; /* at once; 0: those of a second */

    /* What one session may send: packets of Engine.IO, so events and all else,
     * and their bytes; 0: any number. */
    uint32_t packets_per_s;
    uint32_t packets_burst; /* at once; 0: those of a second */
    uint32_t bytes_per_s;
    uint32_t bytes_burst; /* at once; 0: those of a second */
    sio_rate_policy rate_policy;

    uint32_t max_pending_acks;      /* that one socket is asked for; at least
                                       1 */
    uint32_t attachment_timeout_ms; /* from a packet to the last attachment of
                                       it; at least 1 */

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
    sio_data_json_fn *on_data_json; /* for sio_broadcast_fetch_infos() */
    void *arg;
    const struct sio_adapter_methods *adapter; /* see adapter.h; NULL: none */
    void *adapter_arg;                         /* given to its open() */

    /* Old clients: those of Socket.IO 1 and 2, which speak Engine.IO 3, and
     * JSONP.  Requests have to say `EIO=3` or `EIO=4`, or are refused. */
    bool allow_eio3;
    bool eio_missing_is_3; /* those that say nothing speak Engine.IO 3 */

    /* TLS at `port`, with all it points to borrowed until sio_server_new() has
     * returned; NULL: none. */
    const sio_tls_options *tls;
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
    c.recovery_skip_middlewares = true;
    c.recovery_max_disconnection_ms = 120000;
    c.recovery_max_packets = 65536;
    c.recovery_max_bytes = 67108864;
    c.max_connections_per_address = 0;
    c.max_sessions_per_address = 0;
    c.handshakes_per_address_per_s = 0;
    c.handshakes_per_address_burst = 0;
    c.handshakes_per_s = 0;
    c.handshakes_burst = 0;
    c.packets_per_s = 0;
    c.packets_burst = 0;
    c.bytes_per_s = 0;
    c.bytes_burst = 0;
    c.max_pending_acks = 10000;
    c.attachment_timeout_ms = 60000;
    c.log_level = SIO_LOG_WARN;
    return c;
}

#define SIO_SERVER_CONFIG_DEFAULT sio_server_config_default()

#ifdef __cplusplus
}
#endif

#endif
