#ifndef TEST_MSGPACK_RIG_H
#define TEST_MSGPACK_RIG_H

/* What the tests of the msgpack parser share: packets in hexadecimal digits,
 * and what every decoded packet has to be like.  Include cmocka before. */

#include "socketio/msgpack.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MP_BINARIES 10

/* A packet of the official parser. */
typedef struct vector {
    const char *label, *hex;
    int type;
    const char *nsp;
    bool has_id;
    uint64_t id;
    bool exact; /* our encoder gives the same bytes */
    const char *json;
    const char *binaries; /* in hexadecimal digits, with commas between */
    unsigned binary_count;
} vector;

extern const vector mp_vectors[];
extern const size_t mp_vector_count;

extern const sio_packet_limits mp_limits; /* depth 7, namespaces of 8 bytes */

typedef struct mp_decoded {
    sio_writer text;                      /* owned */
    sio_binary binaries[MP_BINARIES + 1]; /* one that must not be used */
    sio_packet packet;
} mp_decoded;

/* Gives the bytes, on the heap, just as many; blanks are skipped. */
sio_bytes mp_unhex(const char *hex);
sio_bytes mp_copy(sio_bytes in);

/* Decodes with just as much room as it takes; to be dropped after SIO_OK. */
sio_error mp_decode(sio_bytes in, const sio_packet_limits *limits,
                    mp_decoded *out);
void mp_drop(mp_decoded *d);

/* Gives the digits of all binary values, with commas between. */
char *mp_list_binaries(const mp_decoded *d);

/* What msgpack.h says of any packet that has passed. */
void mp_check_promises(const char *label, sio_bytes in,
                       const sio_packet_limits *limits, const mp_decoded *d);

/* Says which row it was, and fails the test. */
void mp_expect(const char *file, int line, const char *label, intmax_t got,
               intmax_t want);
void mp_expect_text(const char *file, int line, const char *label,
                    sio_bytes got, const char *want);

#define check(label, got, want)                                                \
    mp_expect(__FILE__, __LINE__, label, (intmax_t)(got), (intmax_t)(want))
#define check_text(label, got, want)                                           \
    mp_expect_text(__FILE__, __LINE__, label, got, want)

#endif
