#ifndef CHAT_STORE_H
#define CHAT_STORE_H

/*
 * The history of the chat in an SQLite file.  Calls block for as long as the
 * disk takes; failures are told on stderr.  Strings are NUL-terminated UTF-8.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STORE_ROOM_MESSAGES = 500,            /* kept of each room, the newest */
    STORE_IMAGE_BYTES = 256 * 1024 * 1024 /* kept in all, the newest */
};

typedef struct store store;

/* Gives the store, making the file if there is none; NULL on failure. */
store *store_open(const char *file);
void store_close(store *s);

/* Sets `*user` to the number of whoever holds `token`, a new one if it is
 * unknown, and notes the name. */
bool store_user(store *s, const char *token, const char *name, int64_t *user);
bool store_rename(store *s, int64_t user, const char *name);

typedef struct store_image {
    const char *type; /* NULL: there is none */
    const void *data; /* NULL in what store_history() visits */
    size_t len;       /* bytes */
    int width, height;
} store_image;

typedef struct store_message {
    int64_t id; /* grows with time, over all rooms */
    int64_t at; /* ms since 1970-01-01 UTC */
    int64_t user;
    const char *name;
    const char *room;
    const char *client_id; /* the sender's own mark, one per message */
    const char *text;
    store_image image;
} store_message;

typedef enum store_added { STORE_ADDED, STORE_KNOWN, STORE_FAILED } store_added;

/*
 * Adds a message and sets its `id` and `at`.  A second message with the same
 * user and client_id is not stored: STORE_KNOWN, with `id` and `at` of the
 * first.  Old messages go when the limits above are passed.
 */
store_added store_add(store *s, store_message *message);

/* Visits at most `limit` messages of `room` with an id below `before`, the
 * newest first.  `message` is borrowed. */
typedef void store_visit_fn(const store_message *message, void *arg);
bool store_history(store *s, const char *room, int64_t before, int limit,
                   store_visit_fn *fn, void *arg);

/* Sets `*image` to the picture of a message; its `type` and `data` are given,
 * end them with store_image_free().  False when there is none. */
bool store_get_image(store *s, int64_t message, store_image *image);
void store_image_free(store_image *image);

/* Visits at most `limit` rooms, those with the newest messages. */
typedef void store_room_fn(const char *room, int64_t last, void *arg);
bool store_rooms(store *s, int limit, store_room_fn *fn, void *arg);

#endif
