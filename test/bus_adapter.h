#ifndef TEST_BUS_ADAPTER_H
#define TEST_BUS_ADAPTER_H

#include "socketio/socketio.h"

/*
 * An adapter that joins the servers of one process, over nothing but the public
 * headers: what one for servers of several processes has to do, but for
 * packing its messages.  The config's adapter_arg is a bus.
 */
typedef struct bus bus;

bus *bus_new(void);

/* Once no namespace is on it. */
void bus_free(bus *b);

extern const sio_adapter_methods bus_adapter;

#endif
