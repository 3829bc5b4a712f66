#ifndef FUZZ_SERVER_HOOKS_H
#define FUZZ_SERVER_HOOKS_H

/* What the application is told of beside events, and what it decides on later;
 * it sees that each beginning has its end. */

#include "fuzz/server_app.h"

/* For a whole server; `packets` has it look at each packet. */
void hooks_of_server(server_app *app, sio_server *server, bool packets);

/* For a namespace; `outgoing` has it look at each event that goes out. */
void hooks_of_namespace(server_app *app, sio_namespace *nsp, bool outgoing);

/* Answers what waits. */
void hooks_answer(server_app *app, bool allow);

/* The server is free: nothing is left. */
void hooks_check(const server_app *app);

#endif
