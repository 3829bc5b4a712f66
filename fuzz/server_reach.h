#ifndef FUZZ_SERVER_REACH_H
#define FUZZ_SERVER_REACH_H

/* Whether inputs of the fuzzed server get anywhere: sums over the whole run, by
 * name. */

#include "fuzz/server_app.h"

/* `name` is static. */
void reach_noted(const char *name, unsigned long count);

/* All counters of a server, at its end. */
void reach_server(const sio_server *server);

/* What its application has seen, where `other` as "other_events" alone. */
void reach_app(const server_app *app, bool other);

/* Prints the names of what is not 0.  Returns whether each in `wanted`, with
 * blanks between them, is among them; those that are not are named. */
bool reach_report(const char *wanted);

#endif
