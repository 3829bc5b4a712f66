#ifndef TEST_HTTP_RIG_H
#define TEST_HTTP_RIG_H

#include "test/memory_stream.h"
#include "transport/http_conn.h"

/* What the application does with a request. */
typedef enum http_rig_how {
    HTTP_RIG_ECHO,   /* answers at once */
    HTTP_RIG_LATER,  /* when http_rig_answer() is called */
    HTTP_RIG_SOURCE, /* at once, from a source of `source_len` bytes */
    HTTP_RIG_FOREIGN,
    HTTP_RIG_DETACH,
    HTTP_RIG_ABORT,
    HTTP_RIG_UNWANTED /* answers 400 to the head of a body, else as ECHO */
} http_rig_how;

/* A connection over a memory stream, and an application above it that writes
 * down what it is told.  Aborts when it is told what it must not be. */
typedef struct http_rig {
    tp_loop loop;
    tp_http_config config; /* may be changed at any time */
    memory_stream ms;
    tp_http_conn *conn; /* NULL once gone or detached */
    http_rig_how how;
    tp_http_waiter waiter;
    sio_buf told; /* `METHOD target[body];`, `refused CODE;`, `gone;` */
    sio_buf echo; /* the answer that is awaited */
    bool asked;   /* an answer is awaited */
    unsigned begun, requests, refused, lost, gone;
    sio_error why_lost;
    tp_http_source source;
    uint64_t source_len;
    size_t source_step; /* bytes at once; 0: as many as asked for */
    uint64_t source_at;
    bool source_fails;
    unsigned source_closed;
    sio_buf rest; /* what was left behind a request that detached */
} http_rig;

/* Milliseconds, bytes: head 3000, body 7000, keep-alive 5000, a body of 1000,
 * a head of 512. */
void http_rig_init(http_rig *rig);
void http_rig_deinit(http_rig *rig);

/* Gives the answer that is awaited. */
void http_rig_answer(http_rig *rig);

/* Takes the stream away from the connection, as an upgrade does. */
void http_rig_detach(http_rig *rig);

/* The byte at `at` of what a source gives. */
uint8_t http_rig_byte(uint64_t at);

#endif
