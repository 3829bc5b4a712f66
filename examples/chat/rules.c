#include "rules.h"

#include <stdint.h>
#include <string.h>

/* Takes one character of well-formed UTF-8 from `*at`; the library has
 * checked that it is so.  A lead byte without its tail ends at the NUL. */
static uint32_t next_char(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;
    uint32_t c = *p++;
    unsigned tail = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    if (tail > 0) {
        c &= 0x3fu >> tail;
    }
    for (; tail > 0 && (*p & 0xc0) == 0x80; tail--) {
        c = c << 6 | (*p++ & 0x3fu);
    }
    *at = (const char *)p;
    return c;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Marks that show nothing, or turn the order of what follows: two names that
 * look alike would otherwise be two. */
static bool is_invisible(uint32_t c)
{
    return c == 0xad || c == 0x61c || c == 0x180e || c == 0x3164 ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

bool rules_label_ok(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > RULES_LABEL_BYTES || text[0] == ' ' ||
        text[len - 1] == ' ') {
        return false;
    }
    unsigned chars = 0;
    while (*text != '\0') {
        uint32_t c = next_char(&text);
        if (is_control(c) || is_invisible(c) || ++chars > RULES_LABEL_CHARS) {
            return false;
        }
    }
    return true;
}

bool rules_text_ok(const char *text)
{
    unsigned chars = 0;
    while (*text != '\0') {
        uint32_t c = next_char(&text);
        if ((is_control(c) && c != '\n' && c != '\t') ||
            ++chars > RULES_TEXT_CHARS) {
            return false;
        }
    }
    return true;
}

bool rules_token_ok(const char *text)
{
    size_t len = strlen(text);
    return len >= 8 && len <= RULES_TOKEN_BYTES &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "abcdefghijklmnopqrstuvwxyz"
                        "0123456789-_") == len;
}

static const struct {
    const char *type;
    const char *magic;
    size_t len;
} image_kinds[] = {
    {"image/png", "\x89PNG\r\n\x1a\n", 8},
    {"image/jpeg", "\xff\xd8\xff", 3},
    {"image/gif", "GIF87a", 6},
    {"image/gif", "GIF89a", 6},
};

const char *rules_image_type(const void *data, size_t len)
{
    for (size_t i = 0; i < sizeof(image_kinds) / sizeof(*image_kinds); i++) {
        if (len >= image_kinds[i].len &&
            memcmp(data, image_kinds[i].magic, image_kinds[i].len) == 0) {
            return image_kinds[i].type;
        }
    }
    const char *bytes = data;
    if (len >= 12 && memcmp(bytes, "RIFF", 4) == 0 &&
        memcmp(bytes + 8, "WEBP", 4) == 0) {
        return "image/webp";
    }
    return NULL;
}
