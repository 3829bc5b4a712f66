#ifndef SIO_PREFIX_H
#define SIO_PREFIX_H

#include <stddef.h>
#include <stdint.h>

/* What events of one name in one namespace begin with; see outgoing.c. */
typedef struct sio_prefix {
    uint64_t nsp;  /* the namespace's serial; 0: nothing is kept here */
    size_t len;    /* of `text` */
    char name[40]; /* NUL-terminated */
    uint8_t text[72];
} sio_prefix;

#define SIO_PREFIXES 8

#endif
