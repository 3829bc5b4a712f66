#ifndef CHAT_PEOPLE_H
#define CHAT_PEOPLE_H

/*
 * Who is here: people, who may have several pages open, and the one room each
 * page looks at.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules.h"
#include "socketio/socketio.h"
#include "store.h"

enum { CHAT_ROOMS = 100, CHAT_PEOPLE_SHOWN = 200 };

typedef struct chat_user {
    struct chat_user *next;
    int64_t id;
    unsigned sockets;     /* pages of this user; the last one frees it */
    uint64_t counted;     /* the last census that has counted this user */
    double allowance;     /* requests that may come at once */
    int64_t allowance_at; /* ms, monotonic: when that was so */
    char name[RULES_LABEL_BYTES + 1];
} chat_user;

typedef struct chat_room {
    char name[RULES_LABEL_BYTES + 1];
    int64_t last;  /* id of the newest message; 0: none */
    size_t people; /* users, not pages */
} chat_room;

typedef struct chat {
    sio_namespace *nsp;
    store *store;
    chat_user *users;
    uint64_t census;
    chat_room rooms[CHAT_ROOMS];
    size_t room_count;
} chat;

/* A page; the data of its socket. */
typedef struct chat_page {
    chat *chat;
    chat_user *user;
    char room[RULES_LABEL_BYTES + 1]; /* "" while none is open */
} chat_page;

/* The name under which the server knows a room, unlike any socket's id. */
typedef struct chat_key {
    char text[sizeof("room:") + RULES_LABEL_BYTES];
} chat_key;
chat_key chat_key_of(const char *room);

/* Fills the list of rooms: those with messages, and some to begin with. */
bool chat_load_rooms(chat *c);

/* The room of this name, made if need be; NULL when there are too many.
 * Valid until the next emit, which may end sessions and with them rooms. */
chat_room *chat_room_of(chat *c, const char *name);

/* The same, but NULL when there is none. */
chat_room *chat_find_room(chat *c, const char *name);

/* Forgets a room that nobody is in and nothing was said in.  Rooms may move. */
void chat_tidy_room(chat *c, chat_room *room);

/* Tells everyone how many people a room has and what is new in it, or that
 * it is gone. */
void chat_room_changed(chat *c, const char *name);

/* Moves a page into a room, out of the one before.  Whoever is in them is
 * told, unless the user is there with another page. */
bool chat_enter(sio_socket *socket, const char *room);

/* At most CHAT_PEOPLE_SHOWN people in a room; gives the array, or NULL. */
json_t *chat_people_in(chat *c, const char *room);

/* Whether this user may ask for something now: CHAT_BURST at once, then
 * CHAT_PER_SECOND. */
enum { CHAT_BURST = 60, CHAT_PER_SECOND = 10 };
bool chat_may(chat_user *user);

/* Registers the handlers of connections, and of `open`'s companions
 * `rename` and `typing`. */
bool chat_add_people_handlers(chat *c);

/* Ends an acknowledgement with words for people. */
void chat_answer_error(sio_event *event, const char *words);

/* The same, where trying again in a moment will do. */
void chat_answer_later(sio_event *event);

#endif
