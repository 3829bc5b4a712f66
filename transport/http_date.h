#ifndef TP_HTTP_DATE_H
#define TP_HTTP_DATE_H

#include "base/bytes.h"

/* Characters of an IMF-fixdate. */
#define TP_HTTP_DATE_LEN 29

/* Seconds since 1970, as below, end before the year 10000. */
#define TP_HTTP_DATE_END INT64_C(253402300800)

/* Writes an IMF-fixdate (RFC 9110, section 5.6.7), NUL-terminated.  `seconds`
 * is at least 0 and below the end. */
void tp_http_date_write(int64_t seconds, char out[TP_HTTP_DATE_LEN + 1]);

/*
 * Reads a date in any of the three forms of RFC 9110, section 5.6.7.  `now`
 * tells the century of years with two digits.  Whether the day of the week is
 * right does not matter.  Returns false, leaving `*seconds` alone, for
 * anything else.
 */
bool tp_http_date_parse(sio_bytes text, int64_t now, int64_t *seconds);

#endif
