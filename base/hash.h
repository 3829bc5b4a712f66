#ifndef SIO_BASE_HASH_H
#define SIO_BASE_HASH_H

#include "base/bytes.h"

/* A secret that makes hashes unpredictable to those who choose what is hashed.
 * Fill it with random bytes. */
typedef struct sio_hash_key {
    uint64_t k0, k1;
} sio_hash_key;

/* SipHash-1-3 of `bytes` under `key`, with 64 bits of result. */
uint64_t sio_hash(const sio_hash_key *key, sio_bytes bytes);

#endif
