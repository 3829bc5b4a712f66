#ifndef TEST_TLS_LOCKED_H
#define TEST_TLS_LOCKED_H

/*
 * A certificate, and its key in the ways in which openssl encrypts it; the
 * password is "secret".
 */

static const char tls_locked_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBjTCCATKgAwIBAgIUQMQ9YdCvHLAvmYb4ZN+FAE272wIwCgYIKoZIzj0EAwIw\n"
    "ETEPMA0GA1UEAwwGbG9ja2VkMCAXDTI2MTEzMDEwMzg0MVoYDzIxMjYxMTA2MTAz\n"
    "ODQxWjARMQ8wDQYDVQQDDAZsb2NrZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
    "AARHRgtg9BpiMFs7kgBf1iM7e21KBkspayptvzyH3E7iNu04DmiPWj464Fi0mWye\n"
    "nuRvXM42jjtGXMy+OZVf0Y+Oo2YwZDAdBgNVHQ4EFgQUer3NcYp0uFx92fYJRx8H\n"
    "sIeboh8wHwYDVR0jBBgwFoAUer3NcYp0uFx92fYJRx8HsIeboh8wDwYDVR0TAQH/\n"
    "BAUwAwEB/zARBgNVHREECjAIggZsb2NrZWQwCgYIKoZIzj0EAwIDSQAwRgIhAL1g\n"
    "HU0iXtXILXwccURQNAgxO5skjrJV62xKmHU2ZoCqAiEA7yohd7J0wssLOSZxAEEy\n"
    "8glVWA628AQ/C0FZ74JWWUc=\n"
    "-----END CERTIFICATE-----\n";

/* openssl ec -aes256 */
static const char tls_locked_old[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-256-CBC,0CE1C5B101A62762557F795533A9457A\n"
    "\n"
    "HMQeD1KVF4K7409bNCqSufzuMaMW6kvcHyx7bGkRpSwYcq+WwbPXjSz1iRlhmqPX\n"
    "06QaZs0sX7djR9AHOcShjUeEEYzcfSIPbYWM7bvGadEv2R0zRlMDiE3Hv3TBFHrH\n"
    "8uhU69dAz5yo0HfQl4lvubs/PqzWudfkoqD5Gh6vVfU=\n"
    "-----END EC PRIVATE KEY-----\n";

/* openssl pkcs8 -topk8 -v2 des3 */
static const char tls_locked_des3[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAiLvJUL9D/lewICCAAw\n"
    "DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQILdd/TIL3HkAEgZCEexDoKGiRw+CG\n"
    "+qf29ftUaN/TrZ24nvY75PVXAeGHB7+aG8CaFEPtMLKiqvXJZREmSZcGyKUvQP79\n"
    "TBi3kR2sxwcX8mu/7Xb7DqACU2kYuP4ZyzyzS7ed+R5Z4lmVFT3nG3dcldmfhAjZ\n"
    "uiZjz/61F054+sE/uujFITf9VS8sYXMPgqbfqlaYjpM87sh7C5I=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

/* openssl pkcs8 -topk8, which 2.28 cannot read */
static const char tls_locked_aes[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjuXzRynpZ+kAICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJ7S454gZMdLULsHJ/VIq9EEgZCC\n"
    "mRkw/UbTq9pqqpRIU9RzhypaaJnf5vUVTFM2Gcxp0SIpvGygtHunuJqFkI2knLqp\n"
    "PQfHa0tKp07YIRUwq+4uynQ+GltxV3q5g2Je495MNaXTIAsL27fuUHxhYRlQPJEE\n"
    "6MUT+DYN4wEIAaMZiH6p8ro4A8G4OLZvlW2ODZVZ/Qeo6RUDyBmcqHtdHhlUy54=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

#endif
