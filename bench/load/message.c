#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* Where an event carries its number, in hexadecimal. */
#define MARK "00000000"
#define MARK_LEN 8

uint32_t message_len, expected_len;
uint8_t *scratch;

static char *sent, *expected;
static uint32_t sent_mark, expected_mark;

/* -- what payloads are made of -------------------------------------------- */

static void fill_plain(char *at, int len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789 ABCDEF";
    for (int i = 0; i < len; i++) {
        at[i] = letters[i % (int)(sizeof(letters) - 1)];
    }
}

static void fill_utf8(char *at, int len)
{
    static const char *const letters[] = {"\xc3\xa9", "\xe6\xbc\xa2",
                                          "\xf0\x9f\x98\x80", "x"};
    for (int i = 0; len > 0; i++) {
        const char *letter = letters[i % 4];
        int size = (int)strlen(letter);
        if (size > len) {
            letter = "z";
            size = 1;
        }
        memcpy(at, letter, (size_t)size);
        at += size;
        len -= size;
    }
}

static void fill_escapes(char *at, int len)
{
    static const char piece[] = "ab\\\"cd\\n";
    const int size = (int)sizeof(piece) - 1;
    for (; len >= size; len -= size, at += size) {
        memcpy(at, piece, (size_t)size);
    }
    memset(at, 'q', (size_t)len);
}

static void fill(char *at, int len)
{
    if (strcmp(opts.filler, "utf8") == 0) {
        fill_utf8(at, len);
    } else if (strcmp(opts.filler, "esc") == 0) {
        fill_escapes(at, len);
    } else {
        fill_plain(at, len);
    }
}

/* An argument that takes opts.size bytes, quotes not counted. */
static char *make_argument(void)
{
    static const char head[] =
        "{\"seq\":\"" MARK "\",\"user\":{\"id\":1234567,"
        "\"name\":\"ada lovelace\",\"admin\":false},"
        "\"tags\":[\"a\",\"b\",3],\"ref\":null,\"text\":\"";
    const int head_len = (int)sizeof(head) - 1;
    bool json = strcmp(opts.filler, "json") == 0;
    int least = json ? head_len + 2 : MARK_LEN;
    int size = opts.size < least ? least : opts.size;
    char *made = must_zalloc(1, (size_t)size + 8);

    if (json) {
        memcpy(made, head, (size_t)head_len);
        fill(made + head_len, size - head_len - 2);
        memcpy(made + size - 2, "\"}", 2);
    } else {
        made[0] = '"';
        memcpy(made + 1, MARK, MARK_LEN);
        fill(made + 1 + MARK_LEN, size - MARK_LEN);
        made[1 + size] = '"';
    }
    return made;
}

void message_prepare(void)
{
    char *arg = make_argument();
    const char *event = opts.mode == LOAD_ACK     ? "ack"
                        : opts.mode == LOAD_BCAST ? "broadcast"
                                                  : "echo";
    size_t size = strlen(arg) + 128;

    sent = must_zalloc(1, size);
    expected = must_zalloc(1, size);
    message_len = (uint32_t)snprintf(sent, size, "[\"%s\",%s]", event, arg);
    if (opts.mode == LOAD_ACK) {
        expected_len = (uint32_t)snprintf(expected, size, "[%s]", arg);
    } else {
        expected_len = message_len;
        memcpy(expected, sent, message_len);
    }
    sent_mark = (uint32_t)(strstr(sent, MARK) - sent);
    expected_mark = (uint32_t)(strstr(expected, MARK) - expected);
    scratch = must_zalloc(1, message_len + MESSAGE_SLACK);
    free(arg);
}

/* -- numbers -------------------------------------------------------------- */

uint32_t decimal_write(uint8_t *at, uint32_t value)
{
    uint8_t digits[12];
    uint32_t count = 0;
    do {
        digits[count++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (uint32_t i = 0; i < count; i++) {
        at[i] = digits[count - 1 - i];
    }
    return count;
}

static void hex_write(char *at, uint32_t value)
{
    for (int i = MARK_LEN - 1; i >= 0; i--, value >>= 4) {
        at[i] = "0123456789abcdef"[value & 15];
    }
}

static bool hex_read(const uint8_t *in, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < MARK_LEN; i++) {
        uint32_t digit = in[i];
        if (digit - '0' < 10) {
            digit -= '0';
        } else if (digit - 'a' < 6) {
            digit -= 'a' - 10;
        } else {
            return false;
        }
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

/* -- events --------------------------------------------------------------- */

void message_write_args(uint8_t *at, uint32_t seq)
{
    hex_write(sent + sent_mark, seq);
    memcpy(at, sent, message_len);
}

uint32_t message_write(uint8_t *at, uint32_t seq)
{
    uint32_t len = 2;
    memcpy(at, "42", 2);
    if (opts.mode == LOAD_ACK) {
        len += decimal_write(at + len, seq);
    }
    message_write_args(at + len, seq);
    return len + message_len;
}

bool message_read(const uint8_t *in, uint32_t len, uint32_t *seq)
{
    uint32_t rest = expected_mark + MARK_LEN;
    return len == expected_len && memcmp(in, expected, expected_mark) == 0 &&
           hex_read(in + expected_mark, seq) &&
           memcmp(in + rest, expected + rest, expected_len - rest) == 0;
}

bool message_is(const uint8_t *in, uint32_t len, uint32_t seq)
{
    uint32_t got;
    return message_read(in, len, &got) && got == seq;
}
