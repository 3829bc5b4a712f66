#ifndef TP_MIME_H
#define TP_MIME_H

#include "base/bytes.h"

/* The Content-Type of a file by the extension of its name, in any case;
 * "application/octet-stream" where that says nothing.  Static. */
const char *tp_mime_type(sio_bytes name);

#endif
