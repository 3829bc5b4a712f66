#ifndef TP_TLS_COMPAT_H
#define TP_TLS_COMPAT_H

/*
 * mbedTLS 2.28 and 3.6 behind one face.  What is under it keeps to what both
 * have in common; members that 3.6 calls private are used in tls_records.c, in
 * tp_tls_identity_mend(), and to read `state` alone.
 */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/threading.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

#if MBEDTLS_VERSION_MAJOR >= 3 && defined(MBEDTLS_SSL_PROTO_TLS1_3)
#define TP_TLS_HAS_1_3 1
#else
#define TP_TLS_HAS_1_3 0
#endif

#if MBEDTLS_VERSION_MAJOR >= 3

static inline int tp_tls_check_pair(const mbedtls_pk_context *pub,
                                    const mbedtls_pk_context *key,
                                    mbedtls_ctr_drbg_context *drbg)
{
    return mbedtls_pk_check_pair(pub, key, mbedtls_ctr_drbg_random, drbg);
}

static inline int tp_tls_parse_key(mbedtls_pk_context *key,
                                   const unsigned char *pem, size_t len,
                                   const char *password,
                                   mbedtls_ctr_drbg_context *drbg)
{
    return mbedtls_pk_parse_key(key, pem, len, (const unsigned char *)password,
                                password == NULL ? 0 : strlen(password),
                                mbedtls_ctr_drbg_random, drbg);
}

/* What 3.6 keeps tables for comes first. */
static inline void tp_tls_limit(mbedtls_ssl_config *conf, bool only_1_3)
{
    static const uint16_t groups[] = {
        MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
        MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
    mbedtls_ssl_conf_min_tls_version(conf, only_1_3
                                               ? MBEDTLS_SSL_VERSION_TLS1_3
                                               : MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_groups(conf, groups);
}

#else

static inline int tp_tls_check_pair(const mbedtls_pk_context *pub,
                                    const mbedtls_pk_context *key,
                                    mbedtls_ctr_drbg_context *drbg)
{
    (void)drbg;
    return mbedtls_pk_check_pair(pub, key);
}

static inline int tp_tls_parse_key(mbedtls_pk_context *key,
                                   const unsigned char *pem, size_t len,
                                   const char *password,
                                   mbedtls_ctr_drbg_context *drbg)
{
    (void)drbg;
    return mbedtls_pk_parse_key(key, pem, len, (const unsigned char *)password,
                                password == NULL ? 0 : strlen(password));
}

/* 2.28 makes its tables anew for each handshake; X25519 needs none. */
static inline void tp_tls_limit(mbedtls_ssl_config *conf, bool only_1_3)
{
    static const mbedtls_ecp_group_id curves[] = {
        MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
        MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
    static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384,
                                 MBEDTLS_MD_SHA512, MBEDTLS_MD_NONE};
    (void)only_1_3;
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_curves(conf, curves);
    mbedtls_ssl_conf_sig_hashes(conf, hashes);
}

#endif

#endif
