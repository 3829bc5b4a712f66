#include <stdlib.h>

#include "transport/file_path.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(const tp_file_path *path)
{
    const char *at = path->text, *end = at + path->len;
    while (at < end) {
        const char *stop = memchr(at, '/', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        REQUIRE(stop != at && *at != '.');
        REQUIRE(stop == end || stop + 1 != end);
        at = stop + 1;
    }
    REQUIRE(path->len < sizeof(path->text));
    REQUIRE(path->text[path->len] == '\0');
    REQUIRE(memchr(path->text, '\0', path->len) == NULL);
    REQUIRE(memchr(path->text, '\\', path->len) == NULL);
}

/* Writes every byte but the slashes as an escape.  Returns the length. */
static size_t encode(const tp_file_path *path, uint8_t *out)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (size_t i = 0; i < path->len; i++) {
        uint8_t c = (uint8_t)path->text[i];
        if (c == '/') {
            out[len++] = c;
            continue;
        }
        out[len++] = '%';
        out[len++] = (uint8_t)hex[c >> 4];
        out[len++] = (uint8_t)hex[c & 15];
    }
    if (path->folder && len != 0) {
        out[len++] = '/';
    }
    return len;
}

/*
 * Resolves a path.  Whatever it gives is relative, has no segment that is
 * empty or starts with a dot, and no NUL or backslash; written anew, all in
 * escapes, it resolves to the same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tp_file_path path, again;
    static uint8_t escaped[3 * TP_FILE_PATH_SIZE];
    if (!tp_file_path_resolve((sio_bytes){data, size}, &path)) {
        return 0;
    }
    check_segments(&path);
    REQUIRE(path.len <= size);
    size_t len = encode(&path, escaped);
    REQUIRE(tp_file_path_resolve((sio_bytes){escaped, len}, &again));
    REQUIRE(again.len == path.len && again.folder == path.folder);
    REQUIRE(memcmp(again.text, path.text, path.len + 1) == 0);
    if (tp_file_path_add_index(&path)) {
        check_segments(&path);
        REQUIRE(!path.folder && path.len != 0);
    }
    return 0;
}
