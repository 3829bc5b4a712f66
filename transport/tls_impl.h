#ifndef TP_TLS_IMPL_H
#define TP_TLS_IMPL_H

/* What tls.c (the stream), tls_handshake.c and tls_records.c need of each
 * other. */

#include "base/buf.h"
#include "transport/tls.h"
#include "transport/tls_compat.h"

/* What one record carries at most (RFC 5246, section 6.2.1). */
#define TP_TLS_RECORD 16384

/* Plain bytes that are handed up at once. */
#define TP_TLS_PLAIN ((size_t)4 * TP_TLS_RECORD)

/* Record buffers of a kind that are kept for the next who needs one. */
#define TP_TLS_SPARES 4

typedef struct tp_tls_pool {
    uint8_t *spare[TP_TLS_SPARES];
    unsigned count;
} tp_tls_pool;

struct tp_tls;

/* What the TLS streams of a loop share. */
typedef struct tp_tls_loop {
    tp_loop *loop;
    tp_dirty dirty;      /* while handshakes wait */
    sio_link waiting;    /* of tp_tls.turn: who has a step to make */
    uint64_t turn;       /* of the loop, in which the latest steps were made */
    tp_tls_pool in, out; /* record buffers */
    uint8_t *plain;      /* TP_TLS_PLAIN */
    uint8_t *gather;     /* TP_TLS_RECORD */
    struct tp_tls *reading; /* while it hands up what it has read; NULL once it
                               has left the loop */
} tp_tls_loop;

typedef enum tp_tls_state {
    TP_TLS_STATE_HANDSHAKE,
    TP_TLS_STATE_OPEN,
    TP_TLS_STATE_LINGER, /* it has failed, which the peer is told; waits for
                            it to end */
    TP_TLS_STATE_ENDED   /* the owner has been told */
} tp_tls_state;

typedef struct tp_tls {
    tp_stream base;
    tp_stream *inner; /* NULL once closed */
    tp_loop *loop;    /* NULL: of none */
    tp_tls_context *context;
    mbedtls_ssl_context ssl;
    uint8_t in_counter[8]; /* of `ssl`, while its buffer is away */
    sio_bytes feed;        /* records that are being read; borrowed */
    sio_buf held;          /* what has come and waits */
    sio_buf out;           /* what `inner` has not taken */
    char *subject;         /* of the client's certificate; owned; or NULL */
    sio_timer timer;       /* until OPEN, and while LINGER */
    sio_link turn;         /* in tp_tls_loop.waiting */
    tp_dirty dirty;        /* to go on with what is held, or in `out` */
    sio_mortal mortal;
    uint32_t flaws; /* of the client's certificate: MBEDTLS_X509_BADCERT_* */
    uint16_t record_most; /* bytes for a record; of the handshake's choice */
    uint8_t state;        /* tp_tls_state */
    bool set_up;          /* `ssl` is */
    bool full;            /* the handshake is not one that resumes */
    bool alerted;         /* an alert has been sent */
    bool dead;            /* nothing can be sent any more */
    bool shut;            /* close_notify has been sent, or none will be */
    bool shut_inner;      /* `inner` is to be shut once `out` has left */
    bool inner_ended;
    sio_error inner_why; /* ... and how */
} tp_tls;

static inline void tp_tls_count(const tp_tls *tls, sio_counter counter)
{
    sio_metric_add(&tls->loop->counters[counter], 1);
}

/* ----------------------------------------------------------------- tls.c --
 */

/* Tells the owner the end, once. */
void tp_tls_tell_ended(tp_tls *tls, sio_error why);

/* Reads from `inner`, or not, as the state and the owner want it. */
void tp_tls_sync_pause(tp_tls *tls);

/* Sends what is in `out`, and shuts `inner` if that is to follow. */
void tp_tls_flush(tp_tls *tls);

/* Reads the records that are held. */
void tp_tls_read_held(tp_tls *tls);

/* Has `held` keep what is left of `feed`. */
void tp_tls_keep_rest(tp_tls *tls);

/* `inner` has ended, and all that came before has been read. */
void tp_tls_inner_over(tp_tls *tls);

/* ------------------------------------------------------- tls_handshake.c --
 */

/* Sees that the loop has what TLS streams share; false without memory. */
bool tp_tls_loop_prepare(tp_loop *loop);

/* Begins to wait for a handshake; something has come for it. */
void tp_tls_handshake_start(tp_tls *tls);
void tp_tls_handshake_input(tp_tls *tls, sio_bytes bytes);

/* Whether no more may come before it has had a turn. */
bool tp_tls_handshake_is_full(const tp_tls *tls);

/* Something of the peer's is not in order: logged and counted. */
void tp_tls_note_failure(tp_tls *tls, sio_error err, const char *why);

/* The words of mbedTLS for an error of its. */
void tp_tls_error_text(int code, char *out, size_t cap);

/* --------------------------------------------------------- tls_records.c --
 */

/*
 * mbedTLS gives each connection two record buffers of more than 16 KiB for
 * life.  Here they are lent: a connection has them from when it begins to read
 * or write a record until it is done with it.  Between records all that has
 * to be kept of them is a counter.
 */

/* Sees that a connection has the buffer it reads into, or writes from; false
 * without memory. */
bool tp_tls_borrow_in(tp_tls *tls);
bool tp_tls_borrow_out(tp_tls *tls);

/* Gives back what is not in use.  The rest goes with `ssl`. */
void tp_tls_give_back(tp_tls *tls);

/* Frees what a handshake that is over has left.  Of one of TLS 1.3, mbedTLS 3.6
 * keeps 5 KiB, its keys among them, as long as the connection is there. */
void tp_tls_end_handshake(tp_tls *tls);

void tp_tls_pool_deinit(tp_tls_pool *pool);

#endif
