#include "messages.h"

#include <string.h>

#include "socketio/jansson.h"

enum {
    HISTORY = 50,                /* messages in one answer */
    INLINE_IMAGES = 8,           /* pictures in it; clients take 10 */
    INLINE_IMAGE_BYTES = 1000000 /* in all; the page asks for the others */
};

/* A message as pages see it; gives the object, or NULL. */
static json_t *message_json(const store_message *m)
{
    json_t *head = json_pack(
        "{s:I,s:s,s:I,s:s,s:s,s:s,s:I}", "id", (json_int_t)m->id, "room",
        m->room, "user", (json_int_t)m->user, "name", m->name, "cid",
        m->client_id, "text", m->text, "at", (json_int_t)m->at);
    if (head != NULL && m->image.type != NULL) {
        json_object_set_new(head, "image",
                            json_pack("{s:s,s:i,s:i}", "type", m->image.type,
                                      "width", m->image.width, "height",
                                      m->image.height));
    }
    return head;
}

/* ------------------------------------------------------------- history -- */

typedef struct history {
    store *store;
    json_t *messages; /* the oldest first */
    bool more;        /* there are older ones */
    store_image images[INLINE_IMAGES];
    sio_binary binaries[INLINE_IMAGES]; /* what the page gets of them */
    size_t image_count;
    size_t image_bytes;
} history;

/* Puts the picture itself into the message where there is room for it. */
static void add_picture(history *h, const store_message *m, json_t *head)
{
    if (m->image.type == NULL || h->image_count == INLINE_IMAGES ||
        m->image.len > INLINE_IMAGE_BYTES - h->image_bytes) {
        return;
    }
    size_t num = h->image_count;
    store_image *image = &h->images[num];
    if (!store_get_image(h->store, m->id, image)) {
        return;
    }
    h->binaries[num] = (sio_binary){image->data, image->len};
    json_object_set_new(head, "data", sio_binary_json(num));
    h->image_bytes += image->len;
    h->image_count++;
}

static void add_past(const store_message *m, void *arg)
{
    history *h = arg;
    if (json_array_size(h->messages) == HISTORY) {
        h->more = true;
        return;
    }
    json_t *head = message_json(m);
    if (head != NULL) {
        add_picture(h, m, head);
        json_array_insert_new(h->messages, 0, head);
    }
}

/* Answers with `answer`, which it takes, and the messages before `before`. */
static void answer_history(chat *c, sio_event *event, json_t *answer,
                           const char *room, int64_t before)
{
    history h = {.store = c->store, .messages = json_array()};
    if (!store_history(c->store, room, before, HISTORY + 1, add_past, &h)) {
        json_decref(h.messages);
        chat_answer_error(event, "The history cannot be read.");
    } else {
        json_object_set_new(answer, "messages", h.messages);
        json_object_set_new(answer, "more", json_boolean(h.more));
        json_t *args = json_pack("[O]", answer);
        sio_event_ack_tree(event, args, h.binaries, h.image_count);
        json_decref(args);
    }
    for (size_t i = 0; i < h.image_count; i++) {
        store_image_free(&h.images[i]);
    }
    json_decref(answer);
}

static void on_open(sio_socket *socket, sio_event *event, void *arg)
{
    chat *c = arg;
    const chat_page *page = sio_socket_data(socket);
    const char *name;
    if (sio_event_unpack(event, "s", &name) != SIO_OK ||
        !rules_label_ok(name)) {
        chat_answer_error(event, "A room cannot have that name.");
        return;
    }
    if (!chat_may(page->user)) {
        chat_answer_later(event);
        return;
    }
    if (!chat_enter(socket, name)) {
        chat_answer_error(event, "There are too many rooms.");
        return;
    }
    const chat_room *room = chat_find_room(c, name);
    json_t *answer = json_pack("{s:s,s:I,s:o}", "room", name, "count",
                               (json_int_t)(room == NULL ? 0 : room->people),
                               "people", chat_people_in(c, name));
    answer_history(c, event, answer, name, INT64_MAX);
}

static void on_history(sio_socket *socket, sio_event *event, void *arg)
{
    const chat_page *page = sio_socket_data(socket);
    const char *room;
    json_int_t before;
    if (sio_event_unpack(event, "sI", &room, &before) != SIO_OK) {
        chat_answer_error(event, "That cannot be read.");
    } else if (!chat_may(page->user)) {
        chat_answer_later(event);
    } else {
        answer_history(arg, event, json_object(), room, before);
    }
}

static void on_image(sio_socket *socket, sio_event *event, void *arg)
{
    chat *c = arg;
    const chat_page *page = sio_socket_data(socket);
    json_int_t id;
    store_image image;
    if (sio_event_unpack(event, "I", &id) != SIO_OK) {
        chat_answer_error(event, "That cannot be read.");
    } else if (!chat_may(page->user)) {
        chat_answer_later(event);
    } else if (!store_get_image(c->store, id, &image)) {
        chat_answer_error(event, "There is no such picture.");
    } else {
        json_t *args = json_pack("[{s:s,s:o}]", "type", image.type, "data",
                                 sio_binary_json(0));
        sio_binary data = {image.data, image.len};
        sio_event_ack_tree(event, args, &data, 1);
        json_decref(args);
        store_image_free(&image);
    }
}

/* ------------------------------------------------------------- message -- */

/* Reads the picture of a message, if it has one.  Returns NULL, or what is
 * wrong with it. */
static const char *read_picture(const sio_event *event, store_image *image)
{
    sio_binary data;
    if (sio_event_arg_count(event) < 2) {
        *image = (store_image){0};
        return NULL;
    }
    if (sio_event_arg_binary(event, 1, &data) != SIO_OK) {
        return "That is not a picture.";
    }
    if (data.len > RULES_IMAGE_BYTES) {
        return "The picture is too large.";
    }
    image->type = rules_image_type(data.data, data.len);
    image->data = data.data;
    image->len = data.len;
    if (image->type == NULL || image->width < 1 || image->height < 1 ||
        image->width > RULES_IMAGE_SIDE || image->height > RULES_IMAGE_SIDE) {
        return "That is not a picture.";
    }
    return NULL;
}

/* Reads a message as a page sends it.  What `m` gets is borrowed from the
 * event.  Returns NULL, or what is wrong with it. */
static const char *read_message(sio_event *event, store_message *m)
{
    int width = 0, height = 0;
    if (sio_event_unpack(event, "{s:s,s:s,s:s,s?i,s?i}", "room", &m->room, "id",
                         &m->client_id, "text", &m->text, "width", &width,
                         "height", &height) != SIO_OK ||
        !rules_label_ok(m->room) || !rules_token_ok(m->client_id)) {
        return "That cannot be read.";
    }
    if (!rules_text_ok(m->text)) {
        return "That is too long, or has signs that cannot be shown.";
    }
    m->image.width = width;
    m->image.height = height;
    const char *wrong = read_picture(event, &m->image);
    if (wrong == NULL && m->text[0] == '\0' && m->image.type == NULL) {
        return "There is nothing in it.";
    }
    return wrong;
}

/* Passes a message on to the room: a picture's bytes are those that came. */
static void spread(sio_socket *socket, const store_message *m)
{
    sio_binary picture = {m->image.data, m->image.len};
    size_t pictures = m->image.type == NULL ? 0 : 1;
    json_t *args = json_pack("[o]", message_json(m));
    if (args != NULL && pictures > 0) {
        json_array_append_new(args, sio_binary_json(0));
    }
    chat_key key = chat_key_of(m->room);
    sio_broadcast_emit_tree(sio_socket_to(socket, key.text), "message", args,
                            &picture, pictures);
    json_decref(args);
}

static void on_message(sio_socket *socket, sio_event *event, void *arg)
{
    chat *c = arg;
    const chat_page *page = sio_socket_data(socket);
    store_message m = {.user = page->user->id, .name = page->user->name};
    const char *wrong = read_message(event, &m);
    if (wrong != NULL) {
        chat_answer_error(event, wrong);
        return;
    }
    if (!chat_may(page->user)) {
        chat_answer_later(event);
        return;
    }
    chat_room *room = chat_room_of(c, m.room);
    if (room == NULL) {
        chat_answer_error(event, "There are too many rooms.");
        return;
    }
    store_added added = store_add(c->store, &m);
    if (added == STORE_ADDED) {
        room->last = m.id;
    } else {
        chat_tidy_room(c, room);
    }
    if (added == STORE_FAILED) {
        chat_answer_error(event, "The message could not be stored.");
        return;
    }
    /* A message that was known is one whose answer got lost. */
    sio_event_ack(event, "{s:I,s:I}", "id", (json_int_t)m.id, "at",
                  (json_int_t)m.at);
    if (added == STORE_ADDED) {
        spread(socket, &m);
        chat_room_changed(c, m.room);
    }
}

bool chat_add_message_handlers(chat *c)
{
    return sio_namespace_on(c->nsp, "open", on_open, c) == SIO_OK &&
           sio_namespace_on(c->nsp, "history", on_history, c) == SIO_OK &&
           sio_namespace_on(c->nsp, "image", on_image, c) == SIO_OK &&
           sio_namespace_on(c->nsp, "message", on_message, c) == SIO_OK;
}
