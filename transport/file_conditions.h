#ifndef TP_FILE_CONDITIONS_H
#define TP_FILE_CONDITIONS_H

#include <time.h>

#include "transport/http1.h"

/* Room for an entity tag with its NUL. */
#define TP_ETAG_SIZE 48

/* What conditions on a file are judged by. */
typedef struct tp_file_facts {
    uint64_t size;
    int64_t modified;        /* seconds since 1970; from 0 to `now` */
    int64_t now;             /* the same clock */
    char etag[TP_ETAG_SIZE]; /* with its quotes, NUL-terminated, strong */
} tp_file_facts;

/* Makes the facts about a file of `size` bytes.  Its tag changes with either
 * argument; a time of modification to come is taken for now. */
void tp_file_facts_set(tp_file_facts *facts, uint64_t size,
                       struct timespec modified, int64_t now);

/* Which answer a GET or HEAD gets. */
typedef struct tp_file_verdict {
    int status;          /* 200, 206, 304 or 416 */
    uint64_t first, len; /* of the bytes to send, with 200 and 206 */
} tp_file_verdict;

/*
 * Judges by If-None-Match, If-Modified-Since, Range and If-Range (RFC 9110,
 * sections 13.1 and 14.2).  Ranges are for GET only; several at once, and
 * malformed ones, are as none.
 */
tp_file_verdict tp_file_judge(const tp_http_head *head,
                              const tp_file_facts *facts);

/* Whether an If-None-Match `value` names `etag`, by weak comparison, or is
 * `*`. */
bool tp_etag_list_has(sio_bytes value, sio_bytes etag);

typedef enum tp_range {
    TP_RANGE_NONE,   /* not one well-formed range of bytes */
    TP_RANGE_PART,   /* of what is there */
    TP_RANGE_OUTSIDE /* of it all */
} tp_range;

/* Reads a Range `value` for something of `size` bytes.  With PART the range
 * is not empty. */
tp_range tp_range_parse(sio_bytes value, uint64_t size, uint64_t *first,
                        uint64_t *len);

#endif
