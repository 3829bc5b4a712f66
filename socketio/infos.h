#ifndef SIO_INFOS_H
#define SIO_INFOS_H

/* What sio_broadcast_fetch_infos() gathers on each loop, to be read on
 * another. */

#include "socketio/core.h"

typedef struct sio_infos sio_infos;

/* NULL when out of memory. */
sio_infos *sio_infos_new(sio_infos_fn *fn);
void sio_infos_free(sio_infos *infos);

/* Adds what there is to know of these, whose loop this is.  They are borrowed
 * as long as `infos`. */
void sio_infos_add(sio_infos *infos, sio_socket *const *sockets, size_t count);

/* Tells; `failed` when sockets are missing. */
void sio_infos_tell(const sio_infos *infos, bool failed, void *arg);

#endif
