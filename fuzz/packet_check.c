#include "fuzz/packet_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MOST = 64 };

static bool packed_packets;

static void need(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "packet_check: %s\n", what);
        abort();
    }
}

void packet_check_packed(bool packed)
{
    packed_packets = packed;
}

/* ------------------------------------------------------------------- JSON --
 */

/* A text, and where it is read; what is behind the end is NUL. */
typedef struct text {
    const uint8_t *at, *end;
} text;

static uint8_t peek(const text *t)
{
    return t->at == t->end ? 0 : *t->at;
}

static bool take(text *t, uint8_t byte)
{
    bool is = t->at != t->end && *t->at == byte;
    t->at += is ? 1 : 0;
    return is;
}

static size_t digits(text *t)
{
    const uint8_t *from = t->at;
    while (peek(t) >= '0' && peek(t) <= '9') {
        t->at++;
    }
    return (size_t)(t->at - from);
}

static void blanks(text *t)
{
    while (peek(t) != 0 && strchr(" \t\r\n", peek(t)) != NULL) {
        t->at++;
    }
}

static void string(text *t)
{
    need(take(t, '"'), "no string");
    while (peek(t) != '"') {
        need(peek(t) >= 0x20, "a control in a string, or no end of it");
        if (take(t, '\\')) {
            if (take(t, 'u')) {
                for (int i = 0; i < 4; i++, t->at++) {
                    need(peek(t) != 0 &&
                             strchr("0123456789abcdefABCDEF", peek(t)) != NULL,
                         "no hex digit");
                }
                continue;
            }
            need(peek(t) != 0 && strchr("\"\\/bfnrt", peek(t)) != NULL,
                 "no such escape");
        }
        t->at++;
    }
    t->at++;
}

static void number(text *t)
{
    (void)take(t, '-');
    need(take(t, '0') || digits(t) != 0, "no number");
    need(!take(t, '.') || digits(t) != 0, "no digit behind the point");
    if (take(t, 'e') || take(t, 'E')) {
        if (!take(t, '+')) {
            (void)take(t, '-');
        }
        need(digits(t) != 0, "no exponent");
    }
}

static void word(text *t, const char *name)
{
    for (; *name != '\0'; name++) {
        need(take(t, (uint8_t)*name), "no such word");
    }
}

/* Reads a value (RFC 8259). */
static void value(text *t, unsigned depth)
{
    uint8_t open = peek(t), close = open == '{' ? '}' : ']';
    need(depth < DEPTH_MOST, "JSON that is nested too deep");
    if (open == '"') {
        string(t);
    } else if (open == 't') {
        word(t, "true");
    } else if (open == 'f') {
        word(t, "false");
    } else if (open == 'n') {
        word(t, "null");
    } else if (open != '{' && open != '[') {
        number(t);
    } else {
        t->at++;
        blanks(t);
        while (!take(t, close)) {
            if (open == '{') {
                string(t);
                blanks(t);
                need(take(t, ':'), "no colon");
                blanks(t);
            }
            value(t, depth + 1);
            blanks(t);
            bool more = take(t, ',');
            blanks(t);
            need(more != (peek(t) == close), "no comma, or one too many");
        }
    }
}

/* ---------------------------------------------------------------- packets --
 */

static void check_payload(uint8_t type, text *t)
{
    uint8_t first = peek(t);
    bool there = t->at != t->end;
    if (type == '2' || type == '3' || type == '5' || type == '6') {
        need(first == '[', "an event without arguments");
    } else if (type == '1') {
        need(!there, "a DISCONNECT with a payload");
    }
    if (there) {
        value(t, 0);
        need(t->at == t->end, "something behind the payload");
    }
}

static void check_packet(packet_check *c, text t)
{
    uint8_t type = peek(&t);
    need(type >= '0' && type <= '6', "no such type of a packet");
    need(c->attachments == 0, "a packet among attachments");
    t.at++;
    if (type >= '5') {
        const char *count = (const char *)t.at;
        size_t len = digits(&t);
        need(len != 0 && len < 6 && take(&t, '-'), "no number of attachments");
        c->attachments = (unsigned)strtoul(count, NULL, 10);
    }
    if (peek(&t) == '/') {
        const uint8_t *comma = memchr(t.at, ',', (size_t)(t.end - t.at));
        t.at = comma == NULL ? t.end : comma + 1;
    }
    size_t id = digits(&t);
    need(id == 0 || type == '2' || type == '3' || type >= '5',
         "an id where there is none");
    need(id != 0 || (type != '3' && type != '6'), "an ack of nothing");
    check_payload(type, &t);
}

void packet_check_text(packet_check *c, const uint8_t *data, size_t len)
{
    static const char initial[] = "4first"; /* of the config */
    if (len != 0 && data[0] == 'b') {
        packet_check_binary(c);
    } else if (len != 0 && data[0] == '4' && !packed_packets &&
               (len != sizeof(initial) - 1 ||
                memcmp(data, initial, len) != 0)) {
        check_packet(c, (text){data + 1, data + len});
    }
}

void packet_check_binary(packet_check *c)
{
    need(packed_packets || c->attachments != 0, "bytes that nobody awaits");
    c->attachments -= packed_packets ? 0 : 1;
}
