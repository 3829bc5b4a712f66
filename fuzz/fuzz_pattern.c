#include <stdlib.h>
#include <string.h>

#include "socketio/parent.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

#define MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The rule as the header has it, by a table: `fits[i]` says whether the first i
 * bytes of the name fit what has been read of the pattern. */
static bool by_table(sio_bytes pattern, sio_bytes name)
{
    bool fits[MAX + 1] = {true};
    for (size_t p = 0; p < pattern.len; p++) {
        bool next[MAX + 1] = {false};
        for (size_t i = 0; i < name.len; i++) {
            bool star = pattern.base[p] == '*';
            next[i + 1] = star ? name.base[i] != '/' && (fits[i] || next[i])
                               : name.base[i] == pattern.base[p] && fits[i];
        }
        memcpy(fits, next, sizeof(fits));
    }
    return fits[name.len];
}

/* A pattern, a newline, and a name: it has to fit exactly where the table says
 * so. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size == 0 ? NULL : memchr(data, '\n', size);
    if (cut == NULL) {
        return 0;
    }
    sio_bytes pattern = {data, (size_t)(cut - data)};
    sio_bytes name = {cut + 1, size - pattern.len - 1};
    if (pattern.len <= MAX && name.len <= MAX) {
        REQUIRE(sio_pattern_fits(pattern, name) == by_table(pattern, name));
    }
    return 0;
}
