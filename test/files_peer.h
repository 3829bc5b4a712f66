#ifndef TEST_FILES_PEER_H
#define TEST_FILES_PEER_H

#include "transport/http_conn.h"

/* Answers a request as tp_files_serve() does; `path` is a copy of the
 * request's. */
typedef bool peer_serve(void *arg, tp_http_conn *conn,
                        const tp_http_request *req, sio_bytes path);

/* A client and a server's connection, on the two ends of a socket pair and in
 * one thread.  What is not served is answered with 404. */
typedef struct peer {
    tp_loop loop;
    tp_http_conn *conn; /* NULL once gone */
    int fd;             /* the client's end */
    size_t held;        /* the most bytes that waited to be sent */
    peer_serve *serve;
    void *arg;
} peer;

void peer_open(peer *p, peer_serve *serve, void *arg);
void peer_send(peer *p, sio_bytes bytes);

/* Reads, `at_once` bytes each turn, until there are `want` or the server ends.
 * Returns whether it has not. */
bool peer_read(peer *p, size_t at_once, size_t want, sio_buf *got);

/* Closes the client's end, if it is open, and waits until all is gone. */
void peer_close(peer *p);

typedef struct reply {
    sio_buf all;
    int status;
    sio_bytes head, body; /* views of `all` */
} reply;

/* Sends a request that ends the connection and reads the answer to its end.
 * `target` may hold any bytes; `fields` are lines with their CRLF. */
void peer_ask(peer_serve *serve, void *arg, const char *method,
              sio_bytes target, const char *fields, reply *out);
void reply_split(reply *r);
void reply_deinit(reply *r);

/* The value of a field, or a view with base NULL. */
sio_bytes reply_field(const reply *r, const char *name);

/* Descriptors that are open in this process. */
size_t open_descriptors(void);

#endif
