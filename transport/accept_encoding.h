#ifndef TP_ACCEPT_ENCODING_H
#define TP_ACCEPT_ENCODING_H

#include "transport/http1.h"

/* How a body is coded.  In the order in which they are preferred where the
 * client has no preference. */
typedef enum tp_coding {
    TP_CODING_BR,
    TP_CODING_GZIP,
    TP_CODING_DEFLATE,
    TP_CODING_IDENTITY,
    TP_CODING_COUNT
} tp_coding;

/* As Content-Encoding spells it. */
sio_bytes tp_coding_name(tp_coding coding);

/*
 * Chooses by the Accept-Encoding fields of `head` (RFC 9110, section 12.5.3)
 * among what `offered` has as bits 1 << coding.  The greatest q wins; among
 * equals a coding that was named over one that `*` stands for, and then the
 * order of the client.  An element whose q is malformed counts as q=0.
 *
 * IDENTITY if nothing else is wanted, even where the client excludes it: a
 * body that is not coded is of more use than none.
 */
tp_coding tp_coding_choose(const tp_http_head *head, unsigned offered);

#endif
