#ifndef TP_FILE_PATH_H
#define TP_FILE_PATH_H

#include "base/bytes.h"

/* Room for a path with its NUL, what stands for a folder included. */
#define TP_FILE_PATH_SIZE 4096

/*
 * Which file a request means, below the folder that is served: segments
 * between single slashes, none of them empty or with a dot in front.  That
 * leaves out `..` and hidden files alike.
 */
typedef struct tp_file_path {
    size_t len;  /* of `text`; 0: the folder that is served itself */
    bool folder; /* there was a slash at the end, or nothing at all */
    char text[TP_FILE_PATH_SIZE]; /* NUL-terminated, no slash at either end */
} tp_file_path;

/*
 * Reads the percent-encoded path `raw`, which starts behind the slash at the
 * served folder.  It is decoded once; what is still encoded then is a part of
 * a name.  Names are bytes and need not be UTF-8.
 *
 * Returns false, leaving `*out` undefined, where nothing may be served: an
 * empty segment or one that starts with a dot, however written; an encoded
 * slash; a backslash or control byte; a '%' without two hex digits; more than
 * there is room for.
 */
bool tp_file_path_resolve(sio_bytes raw, tp_file_path *out);

/* Turns a folder into the file that stands for it; false if it does not fit. */
bool tp_file_path_add_index(tp_file_path *path);

#endif
