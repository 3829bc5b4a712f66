#ifndef SIO_BASE_LOG_H
#define SIO_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "socketio/log.h"

/* Where log events go.  Zeroed, it is silent. */
typedef struct sio_log {
    sio_log_fn *fn; /* NULL: silent */
    void *arg;      /* handed to `fn` untouched */
    int level;      /* the highest that is wanted; 0 for none */
} sio_log;

/*
 * Formats a line as printf does and hands it on, unless its level is above that
 * of `log`; then nothing is formatted.  `log` may be NULL for silence.  Control
 * characters, and what is not UTF-8, become '?', so that no peer can forge a
 * second line; text beyond 511 bytes is cut and ends in "...".
 */
__attribute__((cold, format(printf, 4, 5))) void
sio_log_write(const sio_log *log, int level, const char *event, const char *fmt,
              ...);

/* Whether a line of `level` would be handed on. */
static inline bool sio_log_wants(const sio_log *log, int level)
{
    return log != NULL && log->fn != NULL && level <= log->level;
}

#endif
