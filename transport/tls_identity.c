#include "transport/tls_identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* More than any chain or list is long. */
#define FILE_MOST ((size_t)16 * 1024 * 1024)

/* Bits of an RSA key that make it worth its name. */
#define RSA_LEAST 2048

/* ---------------------------------------------------------------- reading --
 */

__attribute__((cold)) static sio_error refuse(const sio_log *log, sio_error err,
                                              const char *what,
                                              const char *file, const char *why)
{
    sio_log_write(log, SIO_LOG_ERROR, "tls_certificate", "%s%s%s: %s", what,
                  file == NULL ? "" : " ", file == NULL ? "" : file, why);
    return err;
}

static sio_error refuse_parsed(const sio_log *log, const char *what,
                               const char *file, int code)
{
    char why[160] = "some of what is in it cannot be read";
    if (code < 0) {
        mbedtls_strerror(code, why, sizeof(why));
    }
    return refuse(log, SIO_ERR_CERTIFICATE, what, file, why);
}

static sio_error read_stream(FILE *file, sio_buf *out)
{
    size_t n = 1;
    while (n != 0) {
        if (out->len > FILE_MOST || sio_buf_reserve(out, 4096) != SIO_OK) {
            errno = out->len > FILE_MOST ? EFBIG : ENOMEM;
            return SIO_ERR_FILE;
        }
        n = fread(out->base + out->len, 1, out->cap - out->len - 1, file);
        out->len += n;
    }
    out->base[out->len++] = '\0'; /* there was room for more */
    return ferror(file) ? SIO_ERR_FILE : SIO_OK;
}

static void wipe(sio_buf *buf)
{
    if (buf->base != NULL) {
        mbedtls_platform_zeroize(buf->base, buf->cap);
    }
    sio_buf_deinit(buf);
}

/* The text of a file or of `pem`, with its NUL. */
static sio_error read_pem(const char *file, const char *pem, const char *what,
                          const sio_log *log, sio_buf *out)
{
    sio_error err;
    if (file == NULL) {
        return sio_buf_append(
            out, (sio_bytes){(const uint8_t *)pem, strlen(pem) + 1});
    }
    errno = 0;
    FILE *stream = fopen(file, "re");
    if (stream == NULL) {
        return refuse(log, SIO_ERR_FILE, what, file, strerror(errno));
    }
    (void)setvbuf(stream, NULL, _IONBF, 0); /* no copy of a key is left */
    err = read_stream(stream, out);
    if (err != SIO_OK) {
        (void)refuse(log, err, what, file, strerror(errno));
    }
    (void)fclose(stream);
    return err;
}

sio_error tp_tls_read_chain(mbedtls_x509_crt *crt, const char *what,
                            const char *file, const char *pem,
                            const sio_log *log)
{
    sio_buf text = {0};
    sio_error err = read_pem(file, pem, what, log, &text);
    if (err == SIO_OK) {
        int rc = mbedtls_x509_crt_parse(crt, text.base, text.len);
        err = rc == 0 ? SIO_OK : refuse_parsed(log, what, file, rc);
    }
    wipe(&text);
    return err;
}

sio_error tp_tls_read_crl(mbedtls_x509_crl *crl, const char *what,
                          const char *file, const char *pem, const sio_log *log)
{
    sio_buf text = {0};
    sio_error err = read_pem(file, pem, what, log, &text);
    if (err == SIO_OK) {
        int rc = mbedtls_x509_crl_parse(crl, text.base, text.len);
        err = rc == 0 ? SIO_OK : refuse_parsed(log, what, file, rc);
    }
    wipe(&text);
    return err;
}

/* ------------------------------------------------------------------- keys --
 */

static sio_error read_key(tp_tls_identity *identity,
                          const sio_tls_certificate *from, const char *what,
                          mbedtls_ctr_drbg_context *drbg, const sio_log *log)
{
    sio_buf text = {0};
    sio_error err = read_pem(from->key_file, from->key_pem, what, log, &text);
    if (err == SIO_OK) {
        int rc = tp_tls_parse_key(&identity->key, text.base, text.len,
                                  from->key_password, drbg);
        err = rc == 0 ? SIO_OK : refuse_parsed(log, what, from->key_file, rc);
    }
    wipe(&text);
    return err;
}

/* Why a key is of no use here; NULL where it is. */
static const char *flaw_of(const tp_tls_identity *identity,
                           mbedtls_ctr_drbg_context *drbg)
{
    const mbedtls_pk_context *key = &identity->key;
    if (mbedtls_pk_can_do(key, MBEDTLS_PK_RSA)) {
        if (mbedtls_pk_get_bitlen(key) < RSA_LEAST) {
            return "an RSA key needs at least 2048 bits";
        }
    } else if (!mbedtls_pk_can_do(key, MBEDTLS_PK_ECDSA)) {
        return "neither an RSA nor an ECDSA key";
    }
    return tp_tls_check_pair(&identity->chain.pk, key, drbg) == 0
               ? NULL
               : "the key is not that of the certificate";
}

sio_error tp_tls_warm_up(mbedtls_pk_context *key,
                         mbedtls_ctr_drbg_context *drbg)
{
    int rc = 0;
#if MBEDTLS_VERSION_MAJOR < 3
    if (mbedtls_pk_can_do(key, MBEDTLS_PK_ECKEY)) {
        mbedtls_ecp_group *group = &mbedtls_pk_ec(*key)->grp;
        mbedtls_ecp_point out;
        mbedtls_mpi two;
        mbedtls_ecp_point_init(&out);
        mbedtls_mpi_init(&two);
        rc = mbedtls_mpi_lset(&two, 2);
        if (rc == 0) {
            rc = mbedtls_ecp_mul(group, &out, &two, &group->G,
                                 mbedtls_ctr_drbg_random, drbg);
        }
        mbedtls_mpi_free(&two);
        mbedtls_ecp_point_free(&out);
    }
#else
    (void)key;
    (void)drbg;
#endif
    return rc == 0 ? SIO_OK : SIO_ERR_NO_MEMORY;
}

sio_error tp_tls_identity_init(tp_tls_identity *identity,
                               const sio_tls_certificate *from, size_t index,
                               mbedtls_ctr_drbg_context *drbg,
                               const sio_log *log)
{
    char what[64];
    mbedtls_x509_crt_init(&identity->chain);
    mbedtls_pk_init(&identity->key);
    (void)snprintf(what, sizeof(what), "certificate %zu, chain", index);
    sio_error err = tp_tls_read_chain(&identity->chain, what, from->chain_file,
                                      from->chain_pem, log);
    (void)snprintf(what, sizeof(what), "certificate %zu, key", index);
    if (err == SIO_OK) {
        err = read_key(identity, from, what, drbg, log);
    }
    if (err != SIO_OK) {
        return err;
    }
    const char *flaw = flaw_of(identity, drbg);
    return flaw == NULL
               ? tp_tls_warm_up(&identity->key, drbg)
               : refuse(log, SIO_ERR_CERTIFICATE, what, from->key_file, flaw);
}

void tp_tls_identity_deinit(tp_tls_identity *identity)
{
    mbedtls_x509_crt_free(&identity->chain);
    mbedtls_pk_free(&identity->key);
}

void tp_tls_identity_mend(tp_tls_identity *identity)
{
    if (mbedtls_pk_get_type(&identity->key) != MBEDTLS_PK_RSA) {
        return;
    }
    mbedtls_rsa_context *rsa = mbedtls_pk_rsa(identity->key);
    if (mbedtls_mutex_lock(&rsa->mutex) == 0) {
        mbedtls_mpi_free(&rsa->Vi);
        mbedtls_mpi_free(&rsa->Vf);
        (void)mbedtls_mutex_unlock(&rsa->mutex);
    }
}

/* ------------------------------------------------------------------ names --
 */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool same_name(sio_bytes a, sio_bytes b)
{
    bool same = a.len == b.len;
    for (size_t i = 0; i < a.len && same; i++) {
        same = lower(a.base[i]) == lower(b.base[i]);
    }
    return same;
}

/* What follows the first label, with its dot; empty where there is none. */
static sio_bytes behind_label(sio_bytes name)
{
    sio_bytes rest = {0};
    const uint8_t *dot =
        name.len == 0 ? NULL : memchr(name.base, '.', name.len);
    if (dot != NULL) {
        rest = (sio_bytes){dot, name.len - (size_t)(dot - name.base)};
    }
    return rest;
}

bool tp_tls_name_matches(sio_bytes pattern, sio_bytes name)
{
    if (pattern.len > 2 && pattern.base[0] == '*' && pattern.base[1] == '.') {
        sio_bytes rest = behind_label(name);
        return rest.len != 0 && rest.len < name.len &&
               same_name(rest, (sio_bytes){pattern.base + 1, pattern.len - 1});
    }
    return name.len != 0 && same_name(pattern, name);
}

/* RFC 5280, section 4.2.1.6: GeneralName, whose choice 2 is a DNS name. */
#define DNS_NAME 2
#define CHOICE_MASK 0x1f

bool tp_tls_identity_matches(const tp_tls_identity *identity, sio_bytes name)
{
    const mbedtls_x509_sequence *at = &identity->chain.subject_alt_names;
    for (; at != NULL; at = at->next) {
        sio_bytes pattern = {at->buf.p, at->buf.len};
        if (at->buf.p != NULL && (at->buf.tag & CHOICE_MASK) == DNS_NAME &&
            tp_tls_name_matches(pattern, name)) {
            return true;
        }
    }
    return false;
}
