#include <stdlib.h>
#include <string.h>

#include "transport/tls_impl.h"

/* What stands in the structure of other versions is not known. */
#define LENDS                                                                  \
    ((MBEDTLS_VERSION_NUMBER >= 0x021c0000 &&                                  \
      MBEDTLS_VERSION_NUMBER < 0x021d0000) ||                                  \
     (MBEDTLS_VERSION_NUMBER >= 0x03060000 &&                                  \
      MBEDTLS_VERSION_NUMBER < 0x03070000))

#if LENDS

/* A pointer into the buffer `from`, or, with NULL, an offset, as one into `to`:
 * or, with NULL, as an offset. */
static unsigned char *moved(const unsigned char *p, const unsigned char *from,
                            unsigned char *to)
{
    return (unsigned char *)((uintptr_t)to + ((uintptr_t)p - (uintptr_t)from));
}

static void move_in(mbedtls_ssl_context *ssl, unsigned char *to)
{
    unsigned char *from = ssl->in_buf;
    ssl->in_ctr = moved(ssl->in_ctr, from, to);
    ssl->in_hdr = moved(ssl->in_hdr, from, to);
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
    ssl->in_cid = moved(ssl->in_cid, from, to);
#endif
    ssl->in_len = moved(ssl->in_len, from, to);
    ssl->in_iv = moved(ssl->in_iv, from, to);
    ssl->in_msg = moved(ssl->in_msg, from, to);
    ssl->in_buf = to;
}

static void move_out(mbedtls_ssl_context *ssl, unsigned char *to)
{
    unsigned char *from = ssl->out_buf;
    ssl->out_ctr = moved(ssl->out_ctr, from, to);
    ssl->out_hdr = moved(ssl->out_hdr, from, to);
#if defined(MBEDTLS_SSL_DTLS_CONNECTION_ID)
    ssl->out_cid = moved(ssl->out_cid, from, to);
#endif
    ssl->out_len = moved(ssl->out_len, from, to);
    ssl->out_iv = moved(ssl->out_iv, from, to);
    ssl->out_msg = moved(ssl->out_msg, from, to);
    ssl->out_buf = to;
}

#if TP_TLS_HAS_1_3

/* A function of mbedTLS's own, by which it ends handshakes of TLS 1.2. */
__attribute__((weak)) void
mbedtls_ssl_handshake_wrapup_free_hs_transform(mbedtls_ssl_context *ssl);

void tp_tls_end_handshake(tp_tls *tls)
{
    if (tls->ssl.handshake != NULL &&
        mbedtls_ssl_handshake_wrapup_free_hs_transform != NULL) {
        mbedtls_ssl_handshake_wrapup_free_hs_transform(&tls->ssl);
    }
}

#else

void tp_tls_end_handshake(tp_tls *tls)
{
    (void)tls;
}

#endif

static uint8_t *pool_take(tp_tls_pool *pool, const tp_tls *tls)
{
    return pool->count != 0 ? pool->spare[--pool->count]
                            : calloc(1, tp_tls_buffer_size(tls->context));
}

static void pool_put(tp_tls_pool *pool, uint8_t *buffer)
{
    if (pool->count < TP_TLS_SPARES) {
        pool->spare[pool->count++] = buffer;
    } else {
        free(buffer);
    }
}

bool tp_tls_borrow_in(tp_tls *tls)
{
    if (tls->ssl.in_buf != NULL) {
        return true;
    }
    uint8_t *buffer = pool_take(&tls->loop->tls->in, tls);
    if (buffer == NULL) {
        return false;
    }
    move_in(&tls->ssl, buffer);
    memcpy(tls->ssl.in_ctr, tls->in_counter, sizeof(tls->in_counter));
    return true;
}

bool tp_tls_borrow_out(tp_tls *tls)
{
    if (tls->ssl.out_buf != NULL) {
        return true;
    }
    uint8_t *buffer = pool_take(&tls->loop->tls->out, tls);
    if (buffer == NULL) {
        return false;
    }
    move_out(&tls->ssl, buffer);
    return true;
}

static void give_in(tp_tls *tls)
{
    mbedtls_ssl_context *ssl = &tls->ssl;
    unsigned char *buffer = ssl->in_buf;
    memcpy(tls->in_counter, ssl->in_ctr, sizeof(tls->in_counter));
    move_in(ssl, NULL);
    pool_put(&tls->loop->tls->in, buffer);
}

static void give_out(tp_tls *tls)
{
    unsigned char *buffer = tls->ssl.out_buf;
    move_out(&tls->ssl, NULL);
    pool_put(&tls->loop->tls->out, buffer);
}

/* Whether no byte of a record, or of a message across records, is in it that
 * will be looked at again.  The handshake's last message, or an alert, is only
 * counted off before the next record.  Behind a part of a message 3.6 reads on
 * from elsewhere. */
static bool in_is_empty(const mbedtls_ssl_context *ssl)
{
    return ssl->in_left == 0 && ssl->in_offt == NULL &&
           ssl->in_hdr == ssl->in_buf + sizeof(((tp_tls *)0)->in_counter) &&
           (ssl->in_hslen == 0 || ssl->in_hslen >= ssl->in_msglen) &&
           ssl->keep_current_message == 0;
}

void tp_tls_give_back(tp_tls *tls)
{
    const mbedtls_ssl_context *ssl = &tls->ssl;
    if (tls->state == TP_TLS_STATE_HANDSHAKE || !tls->set_up) {
        return;
    }
    if (ssl->in_buf != NULL && in_is_empty(ssl)) {
        give_in(tls);
    }
    if (ssl->out_buf != NULL && ssl->out_left == 0) {
        give_out(tls);
    }
}

#else

void tp_tls_end_handshake(tp_tls *tls)
{
    (void)tls;
}

bool tp_tls_borrow_in(tp_tls *tls)
{
    (void)tls;
    return true;
}

bool tp_tls_borrow_out(tp_tls *tls)
{
    (void)tls;
    return true;
}

void tp_tls_give_back(tp_tls *tls)
{
    (void)tls;
}

#endif

void tp_tls_pool_deinit(tp_tls_pool *pool)
{
    while (pool->count != 0) {
        free(pool->spare[--pool->count]);
    }
}
