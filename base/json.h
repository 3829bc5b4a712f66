#ifndef SIO_BASE_JSON_H
#define SIO_BASE_JSON_H

#include "base/writer.h"
#include "socketio/error.h"

/*
 * Scans JSON text (RFC 8259) without building anything: what is valid, where
 * each value begins and ends.  All results are views that borrow from the
 * text.
 *
 * Bytes from 0x80 up are accepted inside strings and nowhere else; that they
 * are UTF-8 is for the carrier to prove.  A byte order mark is refused.
 * Depth counts containers: `1` has depth 0, `[1]` has 1.  Time is linear and
 * the stack use constant whatever the text.
 */

/* No `max_depth` counts for more than this. */
#define SIO_JSON_DEPTH_MAX 1024

typedef enum sio_json_type {
    SIO_JSON_NONE, /* no value at all */
    SIO_JSON_NULL,
    SIO_JSON_FALSE,
    SIO_JSON_TRUE,
    SIO_JSON_NUMBER,
    SIO_JSON_STRING,
    SIO_JSON_ARRAY,
    SIO_JSON_OBJECT
} sio_json_type;

/*
 * Validates the one value at the start of `in`, after optional whitespace.
 * `*used` counts the bytes up to its end, leading whitespace included; what
 * follows is not looked at, except that a number runs as far as it can.
 *
 * Fails with JSON, also where the text is cut short, or JSON_DEPTH, and then
 * leaves `*type` and `*used` alone.
 */
sio_error sio_json_scan(sio_bytes in, unsigned max_depth, sio_json_type *type,
                        size_t *used);

/* Validates that `in` is one value with optional whitespace around it.  Fails
 * with JSON or JSON_DEPTH. */
sio_error sio_json_check(sio_bytes in, unsigned max_depth);

/*
 * Validates the inside of an array: values with commas between them, without
 * the brackets; nothing or whitespace is no values.  The missing brackets
 * count as one level: a list passes if, and only if, `[list]` would.
 *
 * Fails with JSON or JSON_DEPTH, leaving `*count` alone.
 */
sio_error sio_json_list_check(sio_bytes in, unsigned max_depth,
                              unsigned *count);

/*
 * Told of an object that stands for an attachment: one with a member
 * `_placeholder` whose value is the literal true.  `object` is the whole
 * object, `num` the value of its member `num`, empty if there is none.  Of
 * equal keys in one object the last counts; keys are compared unescaped.
 *
 * Objects come in the order in which they end, so one inside another comes
 * before it.  The text behind `object` is not validated yet.  Anything but
 * SIO_OK stops the scan, which then returns it.
 */
typedef sio_error sio_json_placeholder_fn(void *arg, sio_bytes object,
                                          sio_bytes num);

/* As sio_json_check(), telling `found` of each placeholder on the way. */
sio_error sio_json_check_placeholders(sio_bytes in, unsigned max_depth,
                                      sio_json_placeholder_fn *found,
                                      void *arg);

/* An array taken apart after its first element. */
typedef struct sio_json_array {
    unsigned count;           /* all elements, the first included */
    sio_json_type first_type; /* NONE when there are no elements */
    sio_bytes first;
    sio_bytes rest; /* from the second element to the last: a list */
    sio_bytes all;  /* from the first element to the last: a list */
} sio_json_array;

/*
 * Validates, in one pass, that `in` is one value with optional whitespace
 * around it and that this value is an array, and takes it apart.  `found` may
 * be NULL; otherwise it is told of each placeholder in the array.
 *
 * Fails with JSON or JSON_DEPTH, or with MISMATCH where the text is valid but
 * no array; `*out` then holds nothing of use.
 */
sio_error sio_json_array_scan(sio_bytes in, unsigned max_depth,
                              sio_json_placeholder_fn *found, void *arg,
                              sio_json_array *out);

/*
 * Walks over the elements of an array or list that one of the functions above
 * has validated.  On other text the walk gives views of no meaning, but stays
 * inside it and ends.
 */
typedef struct sio_json_items {
    const uint8_t *at, *end;
} sio_json_items;

/* A walk over `array`, brackets and whitespace around them included. */
sio_json_items sio_json_items_of_array(sio_bytes array);

/* A walk over `list`, the inside of an array. */
sio_json_items sio_json_items_of_list(sio_bytes list);

/* Sets `*item` to the next element, without whitespace, and `*type` to what
 * it is; false when there are no more. */
bool sio_json_items_next(sio_json_items *it, sio_bytes *item,
                         sio_json_type *type);

/*
 * Writes the meaning of `string`, given with its quotes, to `out`, which has
 * room for string.len bytes, or as many as are written, or is string.base
 * itself, to decode in place, or NULL, to measure.  Halves of surrogate pairs
 * that stand alone become U+FFFD; `\u0000` becomes a NUL byte.
 *
 * Fails with JSON if `string` is not one whole string, leaving `*len` alone.
 */
sio_error sio_json_unescape(sio_bytes string, uint8_t *out, size_t *len);

/* Whether `string`, given with its quotes, means `text`. */
bool sio_json_string_is(sio_bytes string, sio_bytes text);

/* Appends `utf8` as a string in quotes, escaping what JSON.stringify does and
 * nothing else: the quote, the backslash and bytes below 0x20. */
void sio_json_write_string(sio_writer *w, sio_bytes utf8);

#endif
