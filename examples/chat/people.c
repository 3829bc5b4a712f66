#include "people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const first_rooms[] = {"lobby", "ideas", "pictures"};

static bool is_first_room(const char *name)
{
    for (size_t i = 0; i < sizeof(first_rooms) / sizeof(*first_rooms); i++) {
        if (strcmp(first_rooms[i], name) == 0) {
            return true;
        }
    }
    return false;
}

chat_key chat_key_of(const char *room)
{
    chat_key key;
    snprintf(key.text, sizeof(key.text), "room:%.*s", RULES_LABEL_BYTES, room);
    return key;
}

void chat_answer_error(sio_event *event, const char *words)
{
    sio_event_ack(event, "{s:s}", "error", words);
}

void chat_answer_later(sio_event *event)
{
    sio_event_ack(event, "{s:s,s:b}", "error", "Not so fast, please.", "retry",
                  1);
}

bool chat_may(chat_user *user)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    double passed = (double)(now - user->allowance_at) / 1000;
    user->allowance += passed * CHAT_PER_SECOND;
    user->allowance_at = now;
    if (user->allowance > CHAT_BURST) {
        user->allowance = CHAT_BURST;
    }
    if (user->allowance < 1) {
        return false;
    }
    user->allowance -= 1;
    return true;
}

/* -------------------------------------------------------------- users -- */

static void set_name(chat *c, chat_user *user, const char *name)
{
    if (strcmp(user->name, name) == 0) {
        return;
    }
    snprintf(user->name, sizeof(user->name), "%s", name);
    if (user->sockets > 0) {
        sio_broadcast_emit(sio_namespace_broadcast(c->nsp), "renamed",
                           "{s:I,s:s}", "user", (json_int_t)user->id, "name",
                           user->name);
    }
}

static chat_user *user_of(chat *c, int64_t id)
{
    for (chat_user *user = c->users; user != NULL; user = user->next) {
        if (user->id == id) {
            return user;
        }
    }
    chat_user *user = calloc(1, sizeof(*user));
    if (user != NULL) {
        user->id = id;
        user->next = c->users;
        c->users = user;
    }
    return user;
}

/* Frees a user without pages. */
static void forget_user(chat *c, chat_user *user)
{
    if (user->sockets > 0) {
        return;
    }
    chat_user **at = &c->users;
    while (*at != user) {
        at = &(*at)->next;
    }
    *at = user->next;
    free(user);
}

static void free_page(void *data)
{
    chat_page *page = data;
    page->user->sockets--;
    forget_user(page->chat, page->user);
    free(page);
}

/* Attaches a page to the socket; false when memory is short. */
static bool add_page(chat *c, sio_socket *socket, int64_t id, const char *name)
{
    chat_user *user = user_of(c, id);
    if (user == NULL) {
        return false;
    }
    chat_page *page = calloc(1, sizeof(*page));
    if (page == NULL) {
        forget_user(c, user);
        return false;
    }
    set_name(c, user, name);
    user->sockets++;
    page->chat = c;
    page->user = user;
    sio_socket_set_data(socket, page, free_page);
    return true;
}

/* -------------------------------------------------------------- census -- */

typedef struct census {
    const chat_user *sought;
    uint64_t number; /* marks who has been counted */
    size_t count;
    bool found;
    json_t *list; /* or NULL */
} census;

static void count_page(sio_socket *socket, void *arg)
{
    census *all = arg;
    const chat_page *page = sio_socket_data(socket);
    if (page == NULL || page->user->counted == all->number) {
        return;
    }
    chat_user *user = page->user;
    user->counted = all->number;
    all->count++;
    all->found = all->found || user == all->sought;
    if (all->list != NULL && all->count <= CHAT_PEOPLE_SHOWN) {
        json_array_append_new(all->list, json_pack("{s:I,s:s}", "user",
                                                   (json_int_t)user->id, "name",
                                                   user->name));
    }
}

static census take_census(chat *c, const char *room, const chat_user *sought,
                          json_t *list)
{
    census all = {.sought = sought, .number = ++c->census, .list = list};
    sio_namespace_each_in(c->nsp, chat_key_of(room).text, count_page, &all);
    return all;
}

json_t *chat_people_in(chat *c, const char *room)
{
    json_t *list = json_array();
    take_census(c, room, NULL, list);
    return list;
}

/* --------------------------------------------------------------- rooms -- */

chat_room *chat_find_room(chat *c, const char *name)
{
    for (size_t i = 0; i < c->room_count; i++) {
        if (strcmp(c->rooms[i].name, name) == 0) {
            return &c->rooms[i];
        }
    }
    return NULL;
}

chat_room *chat_room_of(chat *c, const char *name)
{
    chat_room *room = chat_find_room(c, name);
    if (room == NULL && c->room_count < CHAT_ROOMS) {
        room = &c->rooms[c->room_count++];
        *room = (chat_room){0};
        snprintf(room->name, sizeof(room->name), "%s", name);
    }
    return room;
}

static void load_room(const char *name, int64_t last, void *arg)
{
    chat_room *room = rules_label_ok(name) ? chat_room_of(arg, name) : NULL;
    if (room != NULL) {
        room->last = last;
    }
}

bool chat_load_rooms(chat *c)
{
    for (size_t i = 0; i < sizeof(first_rooms) / sizeof(*first_rooms); i++) {
        chat_room_of(c, first_rooms[i]);
    }
    return store_rooms(c->store, CHAT_ROOMS, load_room, c);
}

void chat_room_changed(chat *c, const char *name)
{
    const chat_room *room = chat_find_room(c, name);
    if (room != NULL) {
        sio_broadcast_emit(sio_namespace_broadcast(c->nsp), "room",
                           "{s:s,s:I,s:I}", "room", room->name, "people",
                           (json_int_t)room->people, "last",
                           (json_int_t)room->last);
    } else {
        sio_broadcast_emit(sio_namespace_broadcast(c->nsp), "room", "{s:s,s:b}",
                           "room", name, "gone", 1);
    }
}

void chat_tidy_room(chat *c, chat_room *room)
{
    if (room->people == 0 && room->last == 0 && !is_first_room(room->name)) {
        *room = c->rooms[--c->room_count];
    }
}

static void set_people(chat *c, const char *name, size_t people)
{
    chat_room *room = chat_find_room(c, name);
    if (room != NULL) {
        room->people = people;
        chat_tidy_room(c, room);
    }
}

static void emit_presence(sio_broadcast b, const char *event, const char *room,
                          const chat_user *user)
{
    sio_broadcast_emit(b, event, "{s:s,s:I,s:s}", "room", room, "user",
                       (json_int_t)user->id, "name", user->name);
}

/*
 * Takes the page out of its room; also after the socket has gone.
 *
 * An emit may end a slow reader's session, whose handlers then run before it
 * returns.  Hence here and below: first all changes, then what is told.
 */
static void leave_room(sio_socket *socket, chat_page *page)
{
    if (page->room[0] == '\0') {
        return;
    }
    chat *c = page->chat;
    chat_key key = chat_key_of(page->room);
    char name[sizeof(page->room)];
    memcpy(name, page->room, sizeof(name));
    page->room[0] = '\0';
    sio_socket_leave(socket, key.text);
    census remaining = take_census(c, name, page->user, NULL);
    set_people(c, name, remaining.count);

    if (!remaining.found) {
        emit_presence(sio_namespace_to(c->nsp, key.text), "left", name,
                      page->user);
    }
    chat_room_changed(c, name);
}

bool chat_enter(sio_socket *socket, const char *name)
{
    chat_page *page = sio_socket_data(socket);
    chat *c = page->chat;
    if (strcmp(page->room, name) == 0) {
        return true;
    }
    leave_room(socket, page);
    if (chat_room_of(c, name) == NULL) {
        return false;
    }
    chat_key key = chat_key_of(name);
    census before = take_census(c, name, page->user, NULL);
    if (sio_socket_join(socket, key.text) != SIO_OK) {
        set_people(c, name, before.count);
        return false;
    }
    snprintf(page->room, sizeof(page->room), "%s", name);
    set_people(c, name, before.count + (before.found ? 0 : 1));

    if (!before.found) {
        emit_presence(sio_socket_to(socket, key.text), "joined", name,
                      page->user);
    }
    chat_room_changed(c, name);
    return true;
}

/* ------------------------------------------------------------ handlers -- */

/* Lets in who has a token and a name that can be shown. */
static void on_arrival(sio_socket *socket, sio_next *next, void *arg)
{
    chat *c = arg;
    const char *token, *name;
    int64_t user;
    if (sio_socket_auth_unpack(socket, "{s:s,s:s}", "token", &token, "name",
                               &name) != SIO_OK ||
        !rules_token_ok(token)) {
        sio_next_refuse(next, "The page did not say who you are.", NULL);
    } else if (!rules_label_ok(name)) {
        sio_next_refuse(next, "That name cannot be used.",
                        "{\"field\":\"name\"}");
    } else if (!store_user(c->store, token, name, &user) ||
               !add_page(c, socket, user, name)) {
        sio_next_refuse(next, "The server has a problem of its own.", NULL);
    } else {
        sio_next_allow(next);
    }
}

static void on_connection(sio_socket *socket, void *arg)
{
    chat *c = arg;
    const chat_page *page = sio_socket_data(socket);
    json_t *rooms = json_array();
    for (size_t i = 0; i < c->room_count; i++) {
        const chat_room *room = &c->rooms[i];
        json_array_append_new(rooms,
                              json_pack("{s:s,s:I,s:I}", "room", room->name,
                                        "people", (json_int_t)room->people,
                                        "last", (json_int_t)room->last));
    }
    /* "o" takes the array. */
    sio_socket_emit(socket, "welcome", "{s:I,s:s,s:o}", "user",
                    (json_int_t)page->user->id, "name", page->user->name,
                    "rooms", rooms);
}

static void on_disconnect(sio_socket *socket, sio_disconnect_reason reason,
                          sio_error why, void *arg)
{
    (void)reason;
    (void)why;
    (void)arg;
    leave_room(socket, sio_socket_data(socket));
}

static void on_rename(sio_socket *socket, sio_event *event, void *arg)
{
    chat *c = arg;
    const chat_page *page = sio_socket_data(socket);
    const char *name;
    if (sio_event_unpack(event, "s", &name) != SIO_OK ||
        !rules_label_ok(name)) {
        chat_answer_error(event, "That name cannot be used.");
    } else if (!chat_may(page->user)) {
        chat_answer_later(event);
    } else if (!store_rename(c->store, page->user->id, name)) {
        chat_answer_error(event, "The name could not be stored.");
    } else {
        set_name(c, page->user, name);
        sio_event_ack(event, "{s:s}", "name", page->user->name);
    }
}

/* Worth nothing a second later, hence volatile and without an answer. */
static void on_typing(sio_socket *socket, sio_event *event, void *arg)
{
    (void)arg;
    const chat_page *page = sio_socket_data(socket);
    int on;
    if (page->room[0] == '\0' || !chat_may(page->user) ||
        sio_event_unpack(event, "b", &on) != SIO_OK) {
        return;
    }
    chat_key key = chat_key_of(page->room);
    sio_broadcast others =
        sio_broadcast_volatile(sio_socket_to(socket, key.text));
    sio_broadcast_emit(others, "typing", "Ib", (json_int_t)page->user->id, on);
}

bool chat_add_people_handlers(chat *c)
{
    return sio_namespace_use(c->nsp, on_arrival, c) == SIO_OK &&
           sio_namespace_on_connection(c->nsp, on_connection, c) == SIO_OK &&
           sio_namespace_on_disconnect(c->nsp, on_disconnect, c) == SIO_OK &&
           sio_namespace_on(c->nsp, "rename", on_rename, c) == SIO_OK &&
           sio_namespace_on(c->nsp, "typing", on_typing, c) == SIO_OK;
}
