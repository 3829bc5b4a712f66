#include "store.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char schema[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = NORMAL;"
    "PRAGMA foreign_keys = ON;"
    "CREATE TABLE IF NOT EXISTS users ("
    "  userId INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  token TEXT NOT NULL UNIQUE,"
    "  name TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS messages ("
    "  messageId INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  userId INTEGER NOT NULL REFERENCES users,"
    "  roomId TEXT NOT NULL,"
    "  message TEXT NOT NULL,"
    "  timestamp INTEGER NOT NULL,"
    "  clientId TEXT NOT NULL,"
    "  UNIQUE (userId, clientId));"
    "CREATE INDEX IF NOT EXISTS messagesByRoom"
    "  ON messages (roomId, messageId);"
    "CREATE TABLE IF NOT EXISTS images ("
    "  messageId INTEGER PRIMARY KEY"
    "    REFERENCES messages ON DELETE CASCADE,"
    "  type TEXT NOT NULL,"
    "  width INTEGER NOT NULL,"
    "  height INTEGER NOT NULL,"
    "  size INTEGER NOT NULL,"
    "  data BLOB NOT NULL);"
    /* Who never wrote comes back as somebody new and is not missed. */
    "DELETE FROM users WHERE userId NOT IN (SELECT userId FROM messages);";

#define QUERY_MAP(X)                                                           \
    X(BEGIN, "BEGIN IMMEDIATE")                                                \
    X(COMMIT, "COMMIT")                                                        \
    X(ROLLBACK, "ROLLBACK")                                                    \
    X(USER, "INSERT INTO users (token, name) VALUES (?1, ?2)"                  \
            " ON CONFLICT (token) DO UPDATE SET name = excluded.name"          \
            " RETURNING userId")                                               \
    X(RENAME, "UPDATE users SET name = ?2 WHERE userId = ?1")                  \
    X(ADD, "INSERT INTO messages (userId, roomId, message, timestamp,"         \
           " clientId) VALUES (?1, ?2, ?3, ?4, ?5)"                            \
           " ON CONFLICT (userId, clientId) DO NOTHING RETURNING messageId")   \
    X(KNOWN, "SELECT messageId, timestamp FROM messages"                       \
             " WHERE userId = ?1 AND clientId = ?2")                           \
    X(ADD_IMAGE, "INSERT INTO images VALUES (?1, ?2, ?3, ?4, ?5, ?6)")         \
    X(PRUNE_ROOM, "DELETE FROM messages WHERE roomId = ?1 AND messageId <="    \
                  " (SELECT messageId FROM messages WHERE roomId = ?1"         \
                  "  ORDER BY messageId DESC LIMIT 1 OFFSET ?2)")              \
    X(IMAGE_BYTES, "SELECT coalesce(sum(size), 0) FROM images")                \
    X(DROP_IMAGE, "DELETE FROM messages WHERE messageId ="                     \
                  " (SELECT min(messageId) FROM images)")                      \
    X(HISTORY, "SELECT messageId, timestamp, userId, name, roomId, clientId,"  \
               " message, type, size, width, height FROM messages"             \
               " JOIN users USING (userId) LEFT JOIN images USING (messageId)" \
               " WHERE roomId = ?1 AND messageId < ?2"                         \
               " ORDER BY messageId DESC LIMIT ?3")                            \
    X(IMAGE, "SELECT type, data, width, height FROM images"                    \
             " WHERE messageId = ?1")                                          \
    X(ROOMS, "SELECT roomId, max(messageId) AS last FROM messages"             \
             " GROUP BY roomId ORDER BY last DESC LIMIT ?1")

typedef enum query {
#define QUERY_NAME(name, sql) QUERY_##name,
    QUERY_MAP(QUERY_NAME)
#undef QUERY_NAME
        QUERY_COUNT
} query;

static const char *const queries[QUERY_COUNT] = {
#define QUERY_SQL(name, sql) [QUERY_##name] = (sql),
    QUERY_MAP(QUERY_SQL)
#undef QUERY_SQL
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[QUERY_COUNT];
};

static bool complain(store *s, const char *what)
{
    fprintf(stderr, "chat: %s: %s\n", what, sqlite3_errmsg(s->db));
    return false;
}

static bool prepare(store *s)
{
    for (unsigned i = 0; i < QUERY_COUNT; i++) {
        if (sqlite3_prepare_v3(s->db, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->statements[i], NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

store *store_open(const char *file)
{
    store *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    if (sqlite3_open(file, &s->db) != SQLITE_OK ||
        sqlite3_busy_timeout(s->db, 2000) != SQLITE_OK ||
        sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
        !prepare(s)) {
        complain(s, file);
        store_close(s);
        return NULL;
    }
    return s;
}

void store_close(store *s)
{
    if (s == NULL) {
        return;
    }
    for (unsigned i = 0; i < QUERY_COUNT; i++) {
        sqlite3_finalize(s->statements[i]);
    }
    sqlite3_close(s->db);
    free(s);
}

static sqlite3_stmt *statement(store *s, query which)
{
    return s->statements[which];
}

static void bind_text(sqlite3_stmt *q, int at, const char *text)
{
    /* Bound only until rest(): the caller's strings outlive that.  A failure
     * to bind leaves NULL, which the schema refuses. */
    sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
}

/* Makes the statement ready for its next use, borrowing nothing. */
static void rest(sqlite3_stmt *q)
{
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
}

/* Runs a statement that has no rows to give. */
static bool run(store *s, query which)
{
    sqlite3_stmt *q = statement(s, which);
    int got = sqlite3_step(q);
    bool ok = got == SQLITE_DONE || complain(s, queries[which]);
    rest(q);
    return ok;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------- people -- */

bool store_user(store *s, const char *token, const char *name, int64_t *user)
{
    sqlite3_stmt *q = statement(s, QUERY_USER);
    bind_text(q, 1, token);
    bind_text(q, 2, name);
    bool ok = sqlite3_step(q) == SQLITE_ROW;
    if (ok) {
        *user = sqlite3_column_int64(q, 0);
        /* The change is committed by the step that finds no more rows. */
        ok = sqlite3_step(q) == SQLITE_DONE;
    }
    if (!ok) {
        complain(s, "user");
    }
    rest(q);
    return ok;
}

bool store_rename(store *s, int64_t user, const char *name)
{
    sqlite3_stmt *q = statement(s, QUERY_RENAME);
    sqlite3_bind_int64(q, 1, user);
    bind_text(q, 2, name);
    return run(s, QUERY_RENAME);
}

/* ----------------------------------------------------------- messages -- */

static store_added known(store *s, store_message *m)
{
    sqlite3_stmt *q = statement(s, QUERY_KNOWN);
    sqlite3_bind_int64(q, 1, m->user);
    bind_text(q, 2, m->client_id);
    store_added result = STORE_FAILED;
    if (sqlite3_step(q) == SQLITE_ROW) {
        m->id = sqlite3_column_int64(q, 0);
        m->at = sqlite3_column_int64(q, 1);
        result = STORE_KNOWN;
    }
    rest(q);
    return result;
}

static store_added add_message(store *s, store_message *m)
{
    sqlite3_stmt *q = statement(s, QUERY_ADD);
    m->at = now_ms();
    sqlite3_bind_int64(q, 1, m->user);
    bind_text(q, 2, m->room);
    bind_text(q, 3, m->text);
    sqlite3_bind_int64(q, 4, m->at);
    bind_text(q, 5, m->client_id);
    int got = sqlite3_step(q);
    if (got == SQLITE_ROW) {
        m->id = sqlite3_column_int64(q, 0);
    } else if (got != SQLITE_DONE) {
        complain(s, "message");
    }
    rest(q);
    if (got == SQLITE_DONE) {
        return known(s, m);
    }
    return got == SQLITE_ROW ? STORE_ADDED : STORE_FAILED;
}

static bool add_image(store *s, const store_message *m)
{
    sqlite3_stmt *q = statement(s, QUERY_ADD_IMAGE);
    sqlite3_bind_int64(q, 1, m->id);
    bind_text(q, 2, m->image.type);
    sqlite3_bind_int(q, 3, m->image.width);
    sqlite3_bind_int(q, 4, m->image.height);
    sqlite3_bind_int64(q, 5, (sqlite3_int64)m->image.len);
    sqlite3_bind_blob64(q, 6, m->image.data, m->image.len, SQLITE_STATIC);
    return run(s, QUERY_ADD_IMAGE);
}

static bool prune_room(store *s, const char *room)
{
    sqlite3_stmt *q = statement(s, QUERY_PRUNE_ROOM);
    bind_text(q, 1, room);
    sqlite3_bind_int(q, 2, STORE_ROOM_MESSAGES);
    return run(s, QUERY_PRUNE_ROOM);
}

static bool images_fit(store *s)
{
    sqlite3_stmt *q = statement(s, QUERY_IMAGE_BYTES);
    bool fit = sqlite3_step(q) != SQLITE_ROW ||
               sqlite3_column_int64(q, 0) <= STORE_IMAGE_BYTES;
    rest(q);
    return fit;
}

static bool add_image_and_prune(store *s, const store_message *m)
{
    if (!add_image(s, m)) {
        return false;
    }
    while (!images_fit(s)) {
        if (!run(s, QUERY_DROP_IMAGE)) {
            return false;
        }
    }
    return true;
}

store_added store_add(store *s, store_message *message)
{
    if (!run(s, QUERY_BEGIN)) {
        return STORE_FAILED;
    }
    store_added result = add_message(s, message);
    if (result == STORE_ADDED &&
        ((message->image.type != NULL && !add_image_and_prune(s, message)) ||
         !prune_room(s, message->room))) {
        result = STORE_FAILED;
    }
    if (result != STORE_FAILED && !run(s, QUERY_COMMIT)) {
        result = STORE_FAILED;
    }
    if (result == STORE_FAILED && sqlite3_get_autocommit(s->db) == 0) {
        run(s, QUERY_ROLLBACK);
    }
    return result;
}

static const char *text_at(sqlite3_stmt *q, int column)
{
    return (const char *)sqlite3_column_text(q, column);
}

/* Ends a walk over rows; `got` is the last step's word. */
static bool walked(store *s, query which, int got)
{
    bool ok = got == SQLITE_DONE || complain(s, queries[which]);
    rest(statement(s, which));
    return ok;
}

bool store_history(store *s, const char *room, int64_t before, int limit,
                   store_visit_fn *fn, void *arg)
{
    sqlite3_stmt *q = statement(s, QUERY_HISTORY);
    bind_text(q, 1, room);
    sqlite3_bind_int64(q, 2, before);
    sqlite3_bind_int(q, 3, limit);
    int got;
    while ((got = sqlite3_step(q)) == SQLITE_ROW) {
        store_message m = {
            .id = sqlite3_column_int64(q, 0),
            .at = sqlite3_column_int64(q, 1),
            .user = sqlite3_column_int64(q, 2),
            .name = text_at(q, 3),
            .room = text_at(q, 4),
            .client_id = text_at(q, 5),
            .text = text_at(q, 6),
            .image = {.type = text_at(q, 7),
                      .len = (size_t)sqlite3_column_int64(q, 8),
                      .width = sqlite3_column_int(q, 9),
                      .height = sqlite3_column_int(q, 10)},
        };
        fn(&m, arg);
    }
    return walked(s, QUERY_HISTORY, got);
}

bool store_get_image(store *s, int64_t message, store_image *image)
{
    sqlite3_stmt *q = statement(s, QUERY_IMAGE);
    sqlite3_bind_int64(q, 1, message);
    *image = (store_image){0};
    if (sqlite3_step(q) == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(q, 1);
        size_t len = (size_t)sqlite3_column_bytes(q, 1);
        const char *type = text_at(q, 0);
        char *copy = data == NULL ? NULL : malloc(len);
        char *named = type == NULL ? NULL : strdup(type);
        if (copy != NULL) {
            memcpy(copy, data, len);
        }
        *image = (store_image){named, copy, len, sqlite3_column_int(q, 2),
                               sqlite3_column_int(q, 3)};
    }
    rest(q);
    if (image->type == NULL || image->data == NULL) {
        store_image_free(image);
        return false;
    }
    return true;
}

void store_image_free(store_image *image)
{
    free((void *)image->type);
    free((void *)image->data);
    *image = (store_image){0};
}

bool store_rooms(store *s, int limit, store_room_fn *fn, void *arg)
{
    sqlite3_stmt *q = statement(s, QUERY_ROOMS);
    sqlite3_bind_int(q, 1, limit);
    int got;
    while ((got = sqlite3_step(q)) == SQLITE_ROW) {
        fn(text_at(q, 0), sqlite3_column_int64(q, 1), arg);
    }
    return walked(s, QUERY_ROOMS, got);
}
