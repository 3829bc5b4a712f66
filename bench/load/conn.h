/* Connections: sockets, epoll, and bytes that wait. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <stdbool.h>
#include <stdint.h>

typedef enum conn_kind {
    CONN_WEBSOCKET,
    CONN_GET,  /* of a polling client */
    CONN_POST, /* the other one of it */
    CONN_RAW
} conn_kind;

typedef enum conn_state {
    CONN_FREE,
    CONN_CONNECTING, /* TCP */
    CONN_UPGRADING,  /* the answer to the upgrade is to come */
    CONN_ENGINE,     /* Engine.IO's open packet is to come */
    CONN_SOCKET,     /* Socket.IO's answer to CONNECT is to come */
    CONN_RUNNING,
    CONN_CLOSING /* connect: a close frame is out */
} conn_state;

typedef struct buffer {
    uint8_t *base; /* NULL when it is empty */
    uint32_t len, cap;
} buffer;

struct poller;

typedef struct conn {
    int fd;
    conn_kind kind;
    conn_state state;
    bool wants_write; /* epoll has been told so */
    bool dead;        /* writing failed; to be dropped */
    uint32_t index;
    uint32_t next, expected; /* numbers: next to send, next to come back */
    buffer in;               /* not parsed yet */
    buffer message;          /* fragments of one */
    buffer out;              /* not sent yet */
    uint32_t out_sent;       /* of `out` */
    uint64_t *sent_at;       /* of what is in flight, by number */
    uint64_t begun;          /* connect: when it was opened */
    uint32_t *bcast_next;    /* bcast: what each sender's next number is */
    struct poller *poller;   /* polling: whose it is */
} conn;

/* What goes out next on the connection that is being served. */
extern uint8_t *outgoing;
extern uint32_t outgoing_len;

/* To be called once, before the others. */
void conn_setup(void);

/* Begins to connect; in connect mode it goes on opening new ones in the place
 * of those that have ended. */
void conn_open(conn *c);

/* TCP alone, from one of 127.0.1.0's addresses, or from any for 0.  Returns
 * false when that failed. */
bool conn_start(conn *c, uint32_t source);

/* Ends it; `bad` says that the server is to blame. */
void conn_drop(conn *c, bool bad);

/* What has been opened is ready for events. */
void conn_is_running(conn *c);

void buffer_add(buffer *b, const uint8_t *bytes, uint32_t len);
void buffer_clear(buffer *b);

/* Makes room for `len` more bytes of `outgoing`, and for a word beyond. */
void outgoing_need(uint32_t len);
void outgoing_add(const void *bytes, uint32_t len);

/* Sends `outgoing` and leaves it empty; what the kernel does not take waits. */
void conn_flush(conn *c);

/* Serves what epoll has for us, after at most `timeout` nanoseconds. */
void conn_serve(uint64_t timeout);

/* Prints the first three complaints of a run to stderr.  `c` and `at` may be
 * NULL.  Returns -1, which is what parsers return then. */
int complain(const char *what, const conn *c, const uint8_t *at, uint32_t len);

#endif
