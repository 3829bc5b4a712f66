#ifndef SIO_ADAPTER_IMPL_H
#define SIO_ADAPTER_IMPL_H

/* The adapters of namespaces: who does what a broadcast says. */

#include "socketio/adapter.h"
#include "socketio/spread.h"

/* The methods of sio_adapter_memory; `self` is not looked at, `b` may be a
 * parent's. */
sio_error sio_memory_emit(void *self, const sio_broadcast *b, const char *event,
                          const sio_args *args);
sio_error sio_memory_emit_ack(void *self, const sio_broadcast *b,
                              const char *event, const sio_args *args,
                              uint32_t timeout_ms, sio_answers_fn *fn,
                              void *arg);
sio_error sio_memory_join(void *self, const sio_broadcast *b, const char *room);
sio_error sio_memory_leave(void *self, const sio_broadcast *b,
                           const char *room);
sio_error sio_memory_disconnect(void *self, const sio_broadcast *b, bool close);
sio_error sio_memory_fetch_infos(void *self, const sio_broadcast *b,
                                 sio_infos_fn *fn, void *arg);
sio_error sio_memory_emit_server(void *self, sio_namespace *nsp,
                                 const char *event, const sio_args *args);
sio_error sio_memory_emit_server_ack(void *self, sio_namespace *nsp,
                                     const char *event, const sio_args *args,
                                     uint32_t timeout_ms, sio_answers_fn *fn,
                                     void *arg);

/* The functions of the API, which have the arguments ready: let the adapter of
 * the namespace do it, or of each child. */
sio_error sio_adapter_emit(const sio_broadcast *b, const char *event,
                           const sio_args *args);
sio_error sio_adapter_emit_ack(const sio_broadcast *b, const char *event,
                               const sio_args *args, uint32_t timeout_ms,
                               sio_answers_fn *fn, void *arg);
sio_error sio_adapter_emit_server(sio_namespace *nsp, const char *event,
                                  const sio_args *args);
sio_error sio_adapter_emit_server_ack(sio_namespace *nsp, const char *event,
                                      const sio_args *args, uint32_t timeout_ms,
                                      sio_answers_fn *fn, void *arg);

/* A namespace that nobody knows yet gets its adapter; it is freed.  Opening is
 * done with core->making. */
void sio_adapter_open(sio_namespace *nsp);
void sio_adapter_close(sio_namespace *nsp);

/* The server listens; has closed. */
void sio_adapters_start(sio_core *core);
void sio_adapters_stop(sio_core *core);

#endif
