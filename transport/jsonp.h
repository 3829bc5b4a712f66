#ifndef TP_JSONP_H
#define TP_JSONP_H

#include <stdbool.h>

#include "base/writer.h"

/*
 * Long-polling for pages that may not read answers of other origins: a GET is
 * answered with a script that calls `___eio[<index>]` with the payload, and a
 * POST is a form whose field `d` has the payload.
 */

/* Digits of an index; clients count from 0. */
#define TP_JSONP_INDEX_MAX 10

/* Keeps the digits of `value`, as the query has it, NUL-terminated.  False
 * where there are more than the maximum. */
bool tp_jsonp_index(sio_bytes value, char out[TP_JSONP_INDEX_MAX + 1]);

/* Appends the script.  `payload` is UTF-8. */
void tp_jsonp_write(sio_writer *w, const char *index, sio_bytes payload);

/*
 * Reads the payload out of a form, where it lies; line feeds are escaped in it
 * beyond what forms do.  False where there is no `d`, or several.  It need not
 * be UTF-8.
 */
bool tp_jsonp_read(uint8_t *form, size_t len, uint8_t **payload,
                   size_t *payload_len);

#endif
