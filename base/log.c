#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define LINE_MAX_SIZE 512
#define CUT "..."

/* Ends a full line in `CUT`, in front of the UTF-8 sequence it would split. */
static void mark_cut(char *line)
{
    size_t at = LINE_MAX_SIZE - sizeof(CUT);
    size_t least = at - 3; /* no sequence is longer than four bytes */
    while (at > least && ((unsigned char)line[at] & 0xc0) == 0x80) {
        at--;
    }
    memcpy(line + at, CUT, sizeof(CUT));
}

/* Also those of two bytes, U+0080 to U+009F, and what is not UTF-8: terminals
 * know them as bytes, too. */
static void hide_controls(char *line)
{
    bool text = sio_utf8_valid((sio_bytes){(uint8_t *)line, strlen(line)});
    for (; *line != '\0'; line++) {
        unsigned char c = (unsigned char)*line;
        if (text && c == 0xc2 && (unsigned char)line[1] < 0xa0) {
            *line++ = '?';
            *line = '?';
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !text)) {
            *line = '?';
        }
    }
}

void sio_log_write(const sio_log *log, int level, const char *event,
                   const char *fmt, ...)
{
    if (!sio_log_wants(log, level)) {
        return;
    }
    char line[LINE_MAX_SIZE];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);

    if (len < 0) {
        line[0] = '\0'; /* the event is still worth its name */
    } else if ((size_t)len >= sizeof(line)) {
        mark_cut(line);
    }
    hide_controls(line);
    log->fn(log->arg, level, event, line);
}
