#ifndef TP_CORS_H
#define TP_CORS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "socketio/socketio.h"
#include "transport/http1.h"
#include "transport/origin.h"

/* Whose pages may read answers. */
typedef enum tp_cors_rule {
    TP_CORS_RULE_NONE,    /* nobody's: there are no CORS headers */
    TP_CORS_RULE_ANY,     /* everybody's, as "*" */
    TP_CORS_RULE_FIXED,   /* those of one origin, which is always named */
    TP_CORS_RULE_LIST,    /* of those in a list, each by its name */
    TP_CORS_RULE_REFLECT, /* of every origin, each by its name */
    TP_CORS_RULE_ASK      /* the application is asked */
} tp_cors_rule;

/* The CORS protocol (Fetch, section 3.2): which header lines answers get.  Set
 * up once, then read by all loops. */
typedef struct tp_cors {
    tp_cors_rule rule;
    bool enforce;         /* refuse other origins */
    bool reflect_headers; /* a preflight is allowed the headers it asks for */
    const tp_origin_pattern *patterns; /* of FIXED and LIST */
    size_t count;
    sio_bytes always;    /* of ANY and FIXED: the lines of every answer */
    sio_bytes allowed;   /* of the others: those behind the allowed origin */
    sio_bytes preflight; /* those that a preflight gets besides */
} tp_cors;

/*
 * Fills `cors` from the fields cors_* and on_cors_origin of `config`, whose
 * strings are borrowed as long as `cors` is used; what is made stands in
 * `arena`.  Fails with ARGUMENT, having logged the field and its fault, or
 * NO_MEMORY.
 */
sio_error tp_cors_init(tp_cors *cors, const sio_server_config *config,
                       sio_arena *arena, const sio_log *log);

/* The origin that a request names; empty where it names none, or several, or
 * what no origin can be. */
sio_bytes tp_cors_origin(const tp_http_head *head);

/* Whether the rule, which is not ASK, allows `origin`; an empty one is allowed
 * by ANY alone. */
bool tp_cors_allows(const tp_cors *cors, sio_bytes origin);

/* Adds the lines of an answer to a request from `origin`.  May fail with
 * NO_MEMORY, leaving a part of them. */
sio_error tp_cors_write(const tp_cors *cors, sio_bytes origin, bool allowed,
                        sio_buf *lines);

/* Adds those that only the answer to a preflight has besides. */
sio_error tp_cors_write_preflight(const tp_cors *cors, const tp_http_head *head,
                                  sio_buf *lines);

#endif
