#ifndef CHAT_MESSAGES_H
#define CHAT_MESSAGES_H

#include "people.h"

/* Registers `open`, `history`, `message` and `image`. */
bool chat_add_message_handlers(chat *c);

#endif
