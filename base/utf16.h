#ifndef SIO_BASE_UTF16_H
#define SIO_BASE_UTF16_H

#include <stdbool.h>

#include "base/bytes.h"

/* Lengths as JavaScript counts them: in UTF-16 code units, of which characters
 * from U+10000 up take two.  `text` has to be UTF-8. */

size_t sio_utf16_len(sio_bytes text);

/* Sets `*bytes` to how much of `text` its first `units` take.  False, leaving
 * `*bytes` alone, where there are not so many, or the last of them is half a
 * character. */
bool sio_utf16_cut(sio_bytes text, size_t units, size_t *bytes);

#endif
