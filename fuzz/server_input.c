#include "fuzz/server_input.h"

#include <string.h>

#include "fuzz/fake_net.h"

static const uint8_t *in;
static size_t left;

void input_begin(const uint8_t *data, size_t size)
{
    in = data;
    left = size;
}

bool input_left(void)
{
    return left != 0;
}

unsigned input_byte(void)
{
    if (left == 0) {
        return 0;
    }
    left--;
    return *in++;
}

unsigned input_two(void)
{
    unsigned high = input_byte();
    return high << 8 | input_byte();
}

size_t input_bytes(const uint8_t **bytes)
{
    size_t len = input_two();
    len = len < left ? len : left;
    *bytes = in;
    in += len;
    left -= len;
    return len;
}

size_t input_text(uint8_t out[INPUT_MOST], bool ids)
{
    const uint8_t *bytes;
    size_t len = input_bytes(&bytes), at = 0;
    for (size_t i = 0; i < len && at + sizeof(fake_pid) < INPUT_MOST; i++) {
        const char *id = !ids            ? NULL
                         : bytes[i] == 1 ? fake_pid
                         : bytes[i] == 2 ? fake_offset
                                         : NULL;
        if (id == NULL) {
            out[at++] = bytes[i];
        } else {
            memcpy(out + at, id, strlen(id));
            at += strlen(id);
        }
    }
    return at;
}
