#ifndef SIO_BASE_ISO_DATE_H
#define SIO_BASE_ISO_DATE_H

#include "base/writer.h"

/* How far from 1970 a Date of ECMA-262 can be, both ways, in ms. */
#define SIO_ISO_DATE_MAX INT64_C(8640000000000000)

/* Appends `ms` since 1970 in UTC, without leap seconds, as toISOString() of
 * ECMA-262 does: 1970-01-01T00:00:00.000Z, and with a sign and six digits where
 * the year has not just four.  `ms` is within SIO_ISO_DATE_MAX. */
void sio_write_iso_date(sio_writer *w, int64_t ms);

#endif
