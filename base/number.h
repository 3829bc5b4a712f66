#ifndef SIO_BASE_NUMBER_H
#define SIO_BASE_NUMBER_H

#include "base/writer.h"

/* Numbers between their text in JSON (RFC 8259, section 6) and doubles.  The
 * process's locale has no influence. */

/* The double nearest to `text`, one JSON number; an infinity where it is
 * beyond them.  Of text that is no number the result has no meaning. */
double sio_number_read(sio_bytes text);

/* Whether `text`, one JSON number, is written as an integer, without fraction
 * or exponent, and its magnitude fits in 64 bits: then sets `*magnitude` and
 * `*negative`, which -0 is, too. */
bool sio_number_is_integer(sio_bytes text, uint64_t *magnitude, bool *negative);

/*
 * Appends `value` as JSON.stringify does: with the fewest digits that are read
 * back as the same double, and null for what is not finite.  At most
 * SIO_NUMBER_MAX bytes.
 */
void sio_number_write(sio_writer *w, double value);

#define SIO_NUMBER_MAX 25 /* -0.0000012345678901234567 */

#endif
