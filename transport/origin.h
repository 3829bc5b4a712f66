#ifndef TP_ORIGIN_H
#define TP_ORIGIN_H

#include "base/bytes.h"

/* Longer than any origin of a browser: scheme, a host of 255 bytes, port. */
#define TP_ORIGIN_MAX 512

/*
 * What an entry in a list of origins stands for: one origin, or those that
 * begin with `before`, end with `after` and have one or more of
 * a-z 0-9 - _ . between; of these, behind which any port may stand.  The views
 * are borrowed from the entry.
 */
typedef struct tp_origin_pattern {
    sio_bytes before; /* without a `*`: all of it */
    sio_bytes after;
    bool wild;     /* there is a `*` in the host */
    bool any_port; /* the port is `*`; not in `before` or `after` */
} tp_origin_pattern;

/*
 * Reads an entry: "null", or a scheme, "://", a host and perhaps a port, as
 * browsers write origins (RFC 6454, section 6.2).  The host may hold a `*`, the
 * port may be one.  Returns NULL, or what is wrong, a static phrase to stand
 * behind the entry; `*out` is undefined then.
 *
 * Entries that no origin can match are refused, and those in which the `*`
 * would reach into the domain whose owner is meant: a label of nothing but `*`
 * needs another label behind it, a label with a `*` among other characters
 * needs two.
 */
const char *tp_origin_pattern_read(sio_bytes entry, tp_origin_pattern *out);

/* Whether it names one origin and no more. */
bool tp_origin_pattern_is_exact(const tp_origin_pattern *pattern);

/* Whether `origin`, which may hold anything, is one of those, byte for byte:
 * browsers write scheme and host in lower case.  Takes time linear in the
 * length of `pattern`, and of `origin` up to TP_ORIGIN_MAX; longer ones match
 * nothing. */
bool tp_origin_matches(const tp_origin_pattern *pattern, sio_bytes origin);

#endif
