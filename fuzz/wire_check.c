#include "fuzz/wire_check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static void need(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "wire_check: %s\n", what);
        abort();
    }
}

void wire_check_init(wire_check *w, wire_message_fn *message, void *arg)
{
    memset(w, 0, sizeof(*w));
    w->message = message;
    w->arg = arg;
}

void wire_check_deinit(wire_check *w)
{
    if (w->deflate) {
        (void)inflateEnd(&w->zlib);
    }
}

/* ------------------------------------------------------------------ HTTP -- */

typedef struct head_facts {
    int status;
    bool chunked, close, has_length, upgrade;
    uint64_t length;
    bool deflate, fresh_window;
} head_facts;

static bool has_word(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

static void check_length(head_facts *f, const char *value)
{
    need(!f->has_length, "two lengths");
    need(value[0] != '\0' && strspn(value, "0123456789") == strlen(value),
         "a length that is no number");
    f->has_length = true;
    f->length = strtoull(value, NULL, 10);
}

/* An IMF-fixdate, whose day of the week is right. */
static void check_date(const char *value)
{
    static const char form[] = "%a, %d %b %Y %H:%M:%S GMT";
    char again[64];
    struct tm tm = {0};
    const char *end = strptime(value, form, &tm);
    need(end != NULL && *end == '\0', "no date");
    time_t seconds = timegm(&tm);
    (void)strftime(again, sizeof(again), form, gmtime_r(&seconds, &tm));
    need(strcmp(again, value) == 0, "a date that is none");
}

static void check_header(head_facts *f, char *line)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrst"
                                "uvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t name = strspn(line, token);
    need(name > 0 && line[name] == ':', "no name of a header");
    line[name] = '\0';
    char *value = line + name + 1;
    value += strspn(value, " \t");
    for (const char *c = value; *c != '\0'; c++) {
        need((uint8_t)*c >= 0x20 || *c == '\t', "a control in a header");
    }
    if (strcasecmp(line, "content-length") == 0) {
        check_length(f, value);
    } else if (strcasecmp(line, "transfer-encoding") == 0) {
        need(strcasecmp(value, "chunked") == 0, "an unknown encoding");
        f->chunked = true;
    } else if (strcasecmp(line, "date") == 0) {
        check_date(value);
    } else if (strcasecmp(line, "connection") == 0) {
        f->close = has_word(value, "close");
    } else if (strcasecmp(line, "upgrade") == 0) {
        f->upgrade = strcasecmp(value, "websocket") == 0;
    } else if (strcasecmp(line, "sec-websocket-extensions") == 0) {
        f->deflate = has_word(value, "permessage-deflate");
        f->fresh_window = has_word(value, "server_no_context_takeover");
    }
}

static void start_websocket(wire_check *w, const head_facts *f)
{
    need(f->upgrade, "101 to what?");
    w->state = WIRE_FRAME_HEAD;
    w->fresh_window = f->fresh_window;
    if (f->deflate) {
        need(inflateInit2(&w->zlib, -15) == Z_OK, "no memory for zlib");
        w->deflate = true;
    }
}

/* Where the answer's body is, see RFC 9112, 6.3. */
static void choose_body(wire_check *w, const head_facts *f)
{
    need(!(f->chunked && f->has_length), "a length and chunks");
    w->fresh = true;
    if (f->status == 101) {
        start_websocket(w, f);
    } else if (f->status < 200 || f->status == 204 || f->status == 304) {
        w->state = WIRE_HEAD;
    } else if (f->chunked) {
        w->state = WIRE_CHUNK_SIZE;
    } else if (f->has_length) {
        w->left = f->length;
        w->state = f->length == 0 ? WIRE_HEAD : WIRE_BODY;
    } else {
        need(f->close, "no length, and the connection stays");
        w->state = WIRE_REST;
    }
}

/* w->line holds a head with its empty line. */
static void check_head(wire_check *w)
{
    head_facts f = {0};
    char *line = (char *)w->line;
    w->line[w->line_len - 2] = '\0';
    need(strlen(line) == w->line_len - 2, "NUL in a head");
    char *end = strstr(line, "\r\n");
    need(end != NULL, "no status line");
    *end = '\0';
    need(strncmp(line, "HTTP/1.1 ", 9) == 0 && isdigit((uint8_t)line[9]) &&
             isdigit((uint8_t)line[10]) && isdigit((uint8_t)line[11]) &&
             line[12] == ' ',
         "no status line");
    f.status = atoi(line + 9);
    need(f.status >= 100 && f.status < 600, "no such status");
    for (line = end + 2; *line != '\0'; line = end + 2) {
        end = strstr(line, "\r\n");
        need(end != NULL, "no end of a header");
        *end = '\0';
        check_header(&f, line);
    }
    w->line_len = 0;
    w->answers++;
    choose_body(w, &f);
}

static size_t take_head(wire_check *w, const uint8_t *data, size_t len)
{
    (void)len;
    need(w->line_len < WIRE_LINE - 1, "a long head");
    w->line[w->line_len++] = data[0];
    if (w->line_len >= 4 &&
        memcmp(w->line + w->line_len - 4, "\r\n\r\n", 4) == 0) {
        check_head(w);
    }
    return 1;
}

/* An answer to HEAD has the length of a body that does not come: the next
 * answer comes in its place.  No body of the application begins so. */
static size_t take_body(wire_check *w, const uint8_t *data, size_t len)
{
    static const char next[] = "HTTP/1.1 ";
    if (w->fresh && data[0] == (uint8_t)next[w->line_len]) {
        w->line[w->line_len++] = data[0];
        if (next[w->line_len] == '\0') {
            w->state = WIRE_HEAD;
        }
        return 1;
    }
    w->fresh = false;
    need(w->line_len <= w->left, "a body that is too long");
    w->left -= w->line_len;
    w->line_len = 0;
    size_t n = len < w->left ? len : (size_t)w->left;
    w->left -= n;
    if (w->left == 0) {
        w->state = WIRE_HEAD;
    }
    return n;
}

static size_t take_chunk_size(wire_check *w, const uint8_t *data)
{
    need(w->line_len < 20, "a long size of a chunk");
    w->line[w->line_len++] = data[0];
    if (data[0] == '\n') {
        char *end;
        w->line[w->line_len] = '\0';
        w->left = strtoull((char *)w->line, &end, 16);
        need((uint8_t *)end != w->line && strcmp(end, "\r\n") == 0,
             "no size of a chunk");
        w->last_chunk = w->left == 0;
        w->state = w->last_chunk ? WIRE_CHUNK_END : WIRE_CHUNK;
        w->line_len = 0;
    }
    return 1;
}

static size_t take_chunk(wire_check *w, size_t len)
{
    size_t n = len < w->left ? len : (size_t)w->left;
    w->left -= n;
    if (w->left == 0) {
        w->state = WIRE_CHUNK_END;
    }
    return n;
}

static size_t take_chunk_end(wire_check *w, const uint8_t *data)
{
    need(data[0] == (uint8_t) "\r\n"[w->line_len++], "no end of a chunk");
    if (w->line_len == 2) {
        w->line_len = 0;
        w->state = w->last_chunk ? WIRE_HEAD : WIRE_CHUNK_SIZE;
    }
    return 1;
}

/* ------------------------------------------------------------- WebSocket -- */

static bool is_utf8(const uint8_t *s, size_t len)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < len;) {
        unsigned more = s[i] < 0x80           ? 0
                        : (s[i] >> 5) == 0x6  ? 1
                        : (s[i] >> 4) == 0xe  ? 2
                        : (s[i] >> 3) == 0x1e ? 3
                                              : 9;
        if (more == 9 || i + more >= len) {
            return false;
        }
        uint32_t c = more == 0 ? s[i] : s[i] & (0x3fu >> more);
        for (unsigned k = 1; k <= more; k++) {
            if ((s[i + k] & 0xc0) != 0x80) {
                return false;
            }
            c = c << 6 | (s[i + k] & 0x3fu);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

/* Takes the message out of w->body, by way of `out`. */
static size_t inflate_message(wire_check *w, uint8_t out[WIRE_MESSAGE])
{
    static uint8_t tail[] = {0, 0, 0xff, 0xff};
    uint8_t *parts[] = {w->body, tail};
    size_t lens[] = {w->body_len, sizeof(tail)};
    w->zlib.next_out = out;
    w->zlib.avail_out = WIRE_MESSAGE;
    for (int i = 0; i < 2; i++) {
        w->zlib.next_in = parts[i];
        w->zlib.avail_in = (uInt)lens[i];
        int rc = inflate(&w->zlib, Z_SYNC_FLUSH);
        need(rc == Z_OK || rc == Z_BUF_ERROR,
             "a message that does not inflate");
        need(w->zlib.avail_in == 0, "a message that inflates to too much");
    }
    if (w->fresh_window) {
        (void)inflateReset(&w->zlib);
    }
    return WIRE_MESSAGE - w->zlib.avail_out;
}

static void end_message(wire_check *w)
{
    static uint8_t out[WIRE_MESSAGE];
    const uint8_t *data = w->body;
    size_t len = w->body_len;
    if (w->packed) {
        len = inflate_message(w, out);
        data = out;
    }
    need(!w->text || is_utf8(data, len), "text that is no UTF-8");
    need(!w->text || (len > 0 && strchr("0123456b", data[0]) != NULL),
         "text that is no packet");
    if (w->text) {
        packet_check_text(&w->packets, data, len);
    } else {
        packet_check_binary(&w->packets);
    }
    w->messages++;
    w->within = false;
    w->body_len = 0;
    if (w->message != NULL) {
        w->message(w->arg, w->text, data, len);
    }
}

static void end_frame(wire_check *w)
{
    w->state = WIRE_FRAME_HEAD;
    w->line_len = 0;
    if (w->opcode == 8) {
        unsigned code = w->control_len < 2
                            ? 1000
                            : (unsigned)(w->control[0] << 8 | w->control[1]);
        need(w->control_len != 1, "half a code of a Close");
        need(code >= 1000 && code < 5000 && code != 1004 && code != 1005 &&
                 code != 1006 && code != 1015,
             "a code of a Close that may not be sent");
        need(w->control_len < 2 || is_utf8(w->control + 2, w->control_len - 2),
             "a reason that is no UTF-8");
        w->state = WIRE_OVER;
    } else if (w->opcode < 8 && w->fin) {
        end_message(w);
    }
}

static void start_frame(wire_check *w)
{
    uint8_t first = w->line[0];
    w->fin = (first & 0x80) != 0;
    w->opcode = first & 0xf;
    bool rsv1 = (first & 0x40) != 0;
    need((first & 0x30) == 0, "reserved bits");
    if (w->opcode >= 8) {
        need(w->opcode <= 10 && w->fin && !rsv1 && w->left <= 125,
             "a bad control frame");
        w->control_len = 0;
    } else if (w->opcode == 0) {
        need(w->within && !rsv1, "a continuation of nothing");
    } else {
        need(w->opcode <= 2 && !w->within, "a bad opcode");
        need(!rsv1 || w->deflate, "compression that nobody agreed to");
        w->text = w->opcode == 1;
        w->packed = rsv1;
        w->within = true;
        w->body_len = 0;
    }
    w->state = WIRE_FRAME;
    if (w->left == 0) {
        end_frame(w);
    }
}

static size_t take_frame_head(wire_check *w, const uint8_t *data)
{
    w->line[w->line_len++] = data[0];
    if (w->line_len < 2) {
        return 1;
    }
    need((w->line[1] & 0x80) == 0, "a server's frame with a mask");
    uint8_t length = w->line[1];
    size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (w->line_len < 2 + more) {
        return 1;
    }
    w->left = more == 0 ? length : 0;
    for (size_t i = 0; i < more; i++) {
        w->left = w->left << 8 | w->line[2 + i];
    }
    need(more == 0 || w->left > (more == 2 ? 125 : 65535), "a long length");
    start_frame(w);
    return 1;
}

static size_t take_frame(wire_check *w, const uint8_t *data, size_t len)
{
    size_t n = len < w->left ? len : (size_t)w->left;
    if (w->opcode >= 8) {
        memcpy(w->control + w->control_len, data, n);
        w->control_len += n;
    } else {
        need(w->body_len + n <= WIRE_MESSAGE, "a long message");
        memcpy(w->body + w->body_len, data, n);
        w->body_len += n;
    }
    w->left -= n;
    if (w->left == 0) {
        end_frame(w);
    }
    return n;
}

static size_t take(wire_check *w, const uint8_t *data, size_t len)
{
    switch (w->state) {
    case WIRE_HEAD:
        return take_head(w, data, len);
    case WIRE_BODY:
        return take_body(w, data, len);
    case WIRE_CHUNK_SIZE:
        return take_chunk_size(w, data);
    case WIRE_CHUNK:
        return take_chunk(w, len);
    case WIRE_CHUNK_END:
        return take_chunk_end(w, data);
    case WIRE_FRAME_HEAD:
        return take_frame_head(w, data);
    case WIRE_FRAME:
        return take_frame(w, data, len);
    case WIRE_OVER:
        need(false, "something behind a Close");
        return len;
    default:
        return len;
    }
}

void wire_check_feed(wire_check *w, const uint8_t *data, size_t len)
{
    while (len != 0) {
        size_t n = take(w, data, len);
        data += n;
        len -= n;
    }
}
