#ifndef TEST_FAULT_PLAY_H
#define TEST_FAULT_PLAY_H

#include "test/fault_scenes.h"

/* What scenes are made of.  Each returns whether what should come has come. */

#define POLLING "/socket.io/?EIO=4&transport=polling"

/* The clients of the scenes. */
extern turn_client one, two;

/* Of the open packet: sets `sid`. */
bool hear_sid(turn_client *c);

/* Sends an Engine.IO text packet; NULL waits for nothing. */
bool say(turn_client *c, const char *text, const char *want);

/* Writes the answer, 1, to `event`, which asks for one: `42ID` is before it. */
bool answer(turn_client *c, const char *event, char out[64]);

/* The same, and sends it. */
bool say_answer(turn_client *c, const char *event);

/* A WebSocket that has joined `/`; `headers` are lines with their ends. */
bool join(turn_client *c, turn_rig *rig, const char *headers);

/* Of the session `sid`, if there is one; NULL waits for nothing. */
bool get(turn_client *c, const char *target, const char *headers,
         const char *want);
bool post(turn_client *c, const char *target, const char *body);

/* Posts, then polls until the answer is there. */
bool talk(turn_client *c, const char *body, const char *want);

/* Ends the session, if there is one, as long as nothing fails. */
void end_polling(turn_client *c, turn_rig *rig, const char *target,
                 const char *body);

#endif
