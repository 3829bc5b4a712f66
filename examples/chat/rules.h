#ifndef CHAT_RULES_H
#define CHAT_RULES_H

/* What the chat accepts from people; nothing here knows of connections. */

#include <stdbool.h>
#include <stddef.h>

enum {
    RULES_LABEL_CHARS = 32, /* of a name, or a room's */
    RULES_LABEL_BYTES = RULES_LABEL_CHARS * 4,
    RULES_TEXT_CHARS = 4000,
    RULES_TOKEN_BYTES = 64,
    RULES_IMAGE_BYTES = 1000000,
    RULES_IMAGE_SIDE = 16384 /* pixels */
};

/* Names of people and rooms: 1 to RULES_LABEL_CHARS characters, no controls
 * or invisible marks, no space at either end.  `text` is UTF-8. */
bool rules_label_ok(const char *text);

/* A message: at most RULES_TEXT_CHARS characters, no controls but newline
 * and tab.  Empty is allowed.  `text` is UTF-8. */
bool rules_text_ok(const char *text);

/* What a client proves itself with, or marks its messages with: 8 to
 * RULES_TOKEN_BYTES of A-Z, a-z, 0-9, `-` and `_`. */
bool rules_token_ok(const char *text);

/* The media type of a picture by its first bytes, static; NULL when it is
 * none that a page may show.  What the sender calls it does not count. */
const char *rules_image_type(const void *data, size_t len);

#endif
