#include "test/tls_certs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "transport/tls_compat.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

#define CERTS_MOST 32

static tls_cert certs[CERTS_MOST];
static size_t cert_count;
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;

static void seed(void)
{
    static bool seeded;
    if (!seeded) {
        seeded = true;
#if MBEDTLS_VERSION_MAJOR >= 3
        REQUIRE(psa_crypto_init() == PSA_SUCCESS);
#endif
        mbedtls_entropy_init(&entropy);
        mbedtls_ctr_drbg_init(&drbg);
        REQUIRE(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy,
                                      NULL, 0) == 0);
    }
}

static void make_key(mbedtls_pk_context *key, const tls_cert_options *o)
{
    mbedtls_pk_init(key);
    if (o->kind == TLS_CERT_RSA) {
        REQUIRE(mbedtls_pk_setup(
                    key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0);
        REQUIRE(mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key),
                                    mbedtls_ctr_drbg_random, &drbg,
                                    o->bits == 0 ? 2048 : o->bits, 65537) == 0);
    } else {
        REQUIRE(mbedtls_pk_setup(
                    key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
        REQUIRE(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1,
                                    mbedtls_pk_ec(*key),
                                    mbedtls_ctr_drbg_random, &drbg) == 0);
    }
}

/* Writes one DNS name before `*at`. */
static int put_name(unsigned char **at, unsigned char *start, const char *name,
                    size_t len)
{
    int total = 0;
    *at -= len;
    REQUIRE(*at > start);
    memcpy(*at, name, len);
    total = (int)len;
    total += mbedtls_asn1_write_len(at, start, len);
    total += mbedtls_asn1_write_tag(at, start, 0x82);
    return total;
}

static void set_names(mbedtls_x509write_cert *cert, const char *dns)
{
    unsigned char room[1024], *at = room + sizeof(room);
    int len = 0;
    while (*dns != '\0') {
        size_t one = strcspn(dns, " ");
        len += put_name(&at, room, dns, one);
        dns += one;
        dns += *dns == ' ';
    }
    len += mbedtls_asn1_write_len(&at, room, (size_t)len);
    len += mbedtls_asn1_write_tag(&at, room, 0x30);
    REQUIRE(mbedtls_x509write_crt_set_extension(
                cert, MBEDTLS_OID_SUBJECT_ALT_NAME,
                MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, at,
                (size_t)len) == 0);
}

static void set_serial(mbedtls_x509write_cert *cert, unsigned char number)
{
#if MBEDTLS_VERSION_MAJOR >= 3
    REQUIRE(mbedtls_x509write_crt_set_serial_raw(cert, &number, 1) == 0);
#else
    mbedtls_mpi serial;
    mbedtls_mpi_init(&serial);
    REQUIRE(mbedtls_mpi_lset(&serial, number) == 0);
    REQUIRE(mbedtls_x509write_crt_set_serial(cert, &serial) == 0);
    mbedtls_mpi_free(&serial);
#endif
}

static void parse_key(mbedtls_pk_context *key, const char *pem)
{
    mbedtls_pk_init(key);
    REQUIRE(tp_tls_parse_key(key, (const unsigned char *)pem, strlen(pem) + 1,
                             NULL, &drbg) == 0);
}

static void write_cert(tls_cert *out, const tls_cert_options *o,
                       mbedtls_pk_context *key, mbedtls_pk_context *issuer)
{
    mbedtls_x509write_cert cert;
    mbedtls_x509write_crt_init(&cert);
    mbedtls_x509write_crt_set_version(&cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&cert, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&cert, key);
    mbedtls_x509write_crt_set_issuer_key(&cert, issuer);
    set_serial(&cert, (unsigned char)(cert_count + 1));
    REQUIRE(mbedtls_x509write_crt_set_subject_name(&cert, o->subject) == 0);
    REQUIRE(mbedtls_x509write_crt_set_issuer_name(
                &cert, o->issuer == NULL ? o->subject : o->issuer_subject) ==
            0);
    REQUIRE(mbedtls_x509write_crt_set_validity(
                &cert, "20200101000000",
                o->until == NULL ? "20491231235959" : o->until) == 0);
    REQUIRE(mbedtls_x509write_crt_set_basic_constraints(
                &cert, o->issuer == NULL, -1) == 0);
    if (o->dns != NULL) {
        set_names(&cert, o->dns);
    }
    REQUIRE(mbedtls_x509write_crt_pem(&cert, (unsigned char *)out->cert,
                                      sizeof(out->cert),
                                      mbedtls_ctr_drbg_random, &drbg) == 0);
    mbedtls_x509write_crt_free(&cert);
}

const tls_cert *tls_cert_make(const tls_cert_options *o)
{
    mbedtls_pk_context key, issuer;
    seed();
    REQUIRE(cert_count < CERTS_MOST);
    tls_cert *out = &certs[cert_count];
    make_key(&key, o);
    REQUIRE(mbedtls_pk_write_key_pem(&key, (unsigned char *)out->key,
                                     sizeof(out->key)) == 0);
    parse_key(&issuer, o->issuer == NULL ? out->key : o->issuer->key);
    write_cert(out, o, &key, &issuer);
    cert_count++;
    mbedtls_pk_free(&issuer);
    mbedtls_pk_free(&key);
    return out;
}

static const tls_cert *once(const tls_cert **slot, const tls_cert_options *o)
{
    if (*slot == NULL) {
        *slot = tls_cert_make(o);
    }
    return *slot;
}

#define CA_SUBJECT "O=Test, CN=Test CA"

const tls_cert *tls_cert_ca(void)
{
    static const tls_cert *slot;
    return once(&slot, &(tls_cert_options){.subject = CA_SUBJECT});
}

const tls_cert *tls_cert_other_ca(void)
{
    static const tls_cert *slot;
    return once(&slot, &(tls_cert_options){.subject = "CN=Another CA"});
}

const tls_cert *tls_cert_server(void)
{
    static const tls_cert *slot;
    return once(&slot, &(tls_cert_options){
                           .subject = "CN=localhost",
                           .dns = "localhost *.example.com",
                           .issuer = tls_cert_ca(),
                           .issuer_subject = CA_SUBJECT,
                       });
}

const tls_cert *tls_cert_rsa(void)
{
    static const tls_cert *slot;
    return once(&slot, &(tls_cert_options){
                           .subject = "CN=rsa.example.org",
                           .dns = "rsa.example.org",
                           .kind = TLS_CERT_RSA,
                           .issuer = tls_cert_ca(),
                           .issuer_subject = CA_SUBJECT,
                       });
}

const tls_cert *tls_cert_client(void)
{
    static const tls_cert *slot;
    return once(&slot, &(tls_cert_options){
                           .subject = "O=Acme, CN=anna",
                           .issuer = tls_cert_ca(),
                           .issuer_subject = CA_SUBJECT,
                       });
}

const tls_cert *tls_cert_expired_client(void)
{
    static const tls_cert *slot;
    return once(&slot, &(tls_cert_options){
                           .subject = "O=Acme, CN=otto",
                           .issuer = tls_cert_ca(),
                           .issuer_subject = CA_SUBJECT,
                           .until = "20210101000000",
                       });
}
