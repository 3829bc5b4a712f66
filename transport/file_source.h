#ifndef TP_FILE_SOURCE_H
#define TP_FILE_SOURCE_H

#include "transport/http_conn.h"

/*
 * A source of the `len` bytes from `first` on of the open file `fd`, which it
 * takes in any case.  Reading fails with FILE when the file has become
 * shorter, or cannot be read.  NULL when memory is short.
 */
tp_http_source *tp_file_source_new(int fd, uint64_t first, uint64_t len);

#endif
