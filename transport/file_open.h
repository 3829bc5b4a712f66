#ifndef TP_FILE_OPEN_H
#define TP_FILE_OPEN_H

#include <stdint.h>
#include <time.h>

#include "socketio/error.h"

/* What was found under a path: a regular file that is open, or a folder. */
typedef struct tp_file {
    int fd; /* the caller's to close; -1 for a folder */
    uint64_t size;
    struct timespec modified;
} tp_file;

/*
 * Opens what is at `path`, which is relative and has no `..`, below the folder
 * `dir`.  Symbolic links are followed as long as they stay below `dir`;
 * absolute ones never do.  Where the kernel has no openat2() none is followed.
 *
 * Fails, leaving `*out` alone, with
 *   FILE       nothing there that can be read, or a device, pipe or socket
 *   IO         too many open files, or the disk fails
 *   NO_MEMORY
 */
sio_error tp_file_open(int dir, const char *path, tp_file *out);

/* The same without openat2(). */
sio_error tp_file_open_walking(int dir, const char *path, tp_file *out);

/* The same for a path that is known and a folder that is trusted: links are
 * followed wherever they lead. */
sio_error tp_file_open_trusted(int dir, const char *path, tp_file *out);

#endif
