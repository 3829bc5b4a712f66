#ifndef FUZZ_SERVER_APP_H
#define FUZZ_SERVER_APP_H

/* The application that the fuzzer of the whole server runs. */

#include <stdbool.h>

#include "socketio/socketio.h"

typedef struct server_app {
    sio_server *server;
    bool moody;         /* middlewares refuse and wait */
    bool slow_verdicts; /* handshakes wait for server_app_act() */
    unsigned ids;       /* sessions that got an id */
    unsigned connected, disconnected, asked, answered;
    unsigned events, echoes, binaries, upgrades;
    unsigned answers, gathered; /* acks that came, not those that were missed;
                                   the same of broadcasts */
    unsigned requests;          /* that a route has got */
    unsigned verdicts, waited; /* handshakes and middlewares that had to wait */
    unsigned acks;             /* sent later */
    unsigned proxied, local;   /* handshakes by a PROXY header, a unix socket */
    unsigned read;             /* events that it was curious about */
    unsigned conns, rooms, members;              /* that there are now */
    unsigned packets, outgoing, drained, failed; /* see server_hooks.c */
    unsigned rules, claims, late;                /* that had to wait */
    sio_verdict *verdict; /* each one that waits, or NULL */
    sio_next *next;
    sio_ack *ack;
    sio_event_next *event_next;
    sio_claim *claim;
    sio_http_request *request;
} server_app;

/* Sets the callbacks of a config; `app` is their argument. */
void server_app_configure(server_app *app, sio_server_config *config,
                          bool short_ids);

/* What it does beyond answering. */
typedef struct server_app_habits {
    bool event_rules; /* decides on each event */
    bool packets;     /* looks at each packet */
    bool outgoing;    /* looks at each event that goes out */
} server_app_habits;

/* Registers what it answers. */
void server_app_start(server_app *app, sio_server *server,
                      server_app_habits habits);

/* Does one of the things that need no client. */
void server_app_act(server_app *app, unsigned what);

/* Answers what waits. */
void server_app_end(server_app *app);

/* Its server is free: nothing is left. */
void server_app_check(const server_app *app);

#endif
