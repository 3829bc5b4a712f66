#ifndef TP_ADMISSION_H
#define TP_ADMISSION_H

#include "base/bucket.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/map.h"
#include "transport/address.h"
#include "transport/stream.h"

/*
 * Who may come in, by address: connections, sessions and handshakes of each,
 * and handshakes of all together.  One table for all loops, behind a lock that
 * is taken when a connection or a session begins or ends, not for messages.
 *
 * An IPv6 address stands for its block of 64 bits, as that is what one host
 * gets.  Unix sockets are not counted.  An address with nothing open is
 * forgotten once it may do again all that a new one may, or, when there are too
 * many of these, the longest unused first; so the table's size is bounded by
 * that number and by what is open.
 */
typedef struct tp_admission_limits {
    uint32_t connections, sessions; /* of an address at a time; 0: any number */
    sio_rate handshakes;            /* of an address */
    sio_rate all_handshakes;
} tp_admission_limits;

typedef struct tp_admission {
    tp_admission_limits limits;
    sio_lock lock;  /* for all below */
    sio_map places; /* of tp_place, by address */
    sio_link idle;  /* of those with nothing open, the longest unused first */
    size_t idle_count;  /* of these */
    sio_bucket all;     /* handshakes */
    uint64_t next_told; /* that these are too many; see sio_seldom() */
} tp_admission;

/* Those with nothing open that are remembered. */
#define TP_ADMISSION_IDLE 16384

/* An address, as long as it is in the table. */
typedef struct tp_place tp_place;

typedef enum tp_admission_verdict {
    TP_ADMISSION_FINE,
    TP_ADMISSION_ADDRESS, /* too many of this address */
    TP_ADMISSION_ALL      /* too many of all */
} tp_admission_verdict;

/* What a refusal is told with. */
typedef struct tp_admission_answer {
    tp_admission_verdict verdict;
    uint32_t retry_after; /* seconds until it is worth another try */
    bool tell; /* log it: the first of its kind and address in a second */
} tp_admission_answer;

void tp_admission_init(tp_admission *a, const tp_admission_limits *limits,
                       sio_hash_key secret, uint64_t now);

/* Nothing may be open any more. */
void tp_admission_deinit(tp_admission *a);

static inline bool tp_admission_is_limited(const tp_admission_limits *l)
{
    return l->connections != 0 || l->sessions != 0 ||
           l->handshakes.per_second != 0 || l->all_handshakes.per_second != 0;
}

/* All from any thread; `now` in ms, monotonic.  Where memory is short, what
 * cannot be counted is let in. */

/* A connection; `*place` is for tp_admission_leave(), or NULL. */
tp_admission_answer tp_admission_enter(tp_admission *a,
                                       const tp_address *address, uint64_t now,
                                       tp_place **place);

/* It has ended. */
void tp_admission_leave(tp_place *place);

/* A handshake; where it is let in it is counted. */
tp_admission_answer tp_admission_shake(tp_admission *a,
                                       const tp_address *address, uint64_t now);

/* Whether there may be one more session; one that has begun, has ended. */
tp_admission_answer tp_admission_ask(tp_admission *a, const tp_address *address,
                                     uint64_t now);
void tp_admission_begin(tp_admission *a, const tp_address *address);
void tp_admission_end(tp_admission *a, const tp_address *address);

/* For a stream that is being closed, by those who implement one. */
static inline void tp_stream_vacate(tp_stream *s)
{
    if (s->place != NULL) {
        tp_admission_leave(s->place);
        s->place = NULL;
    }
}

#endif
