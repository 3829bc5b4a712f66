#include "polling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load.h"
#include "message.h"
#include "traffic.h"

#define SEPARATOR 0x1e /* between packets */
#define SID_MAX 100
#define HEAD_MAX 1024

#define HEADERS                                                                \
    "Host: 127.0.0.1\r\n"                                                      \
    "User-Agent: sioload\r\n"                                                  \
    "Accept: */*\r\n"                                                          \
    "Connection: keep-alive\r\n"

typedef struct poller {
    conn *get, *post;
    char get_head[HEAD_MAX];  /* a whole request */
    char post_head[HEAD_MAX]; /* up to the body's length */
    uint32_t get_len, post_len;
    uint32_t due;   /* events to be sent */
    uint32_t pongs; /* pongs to be sent */
    bool posting;   /* the answer to a POST is to come */
} poller;

void polling_attach(conn *get, conn *post)
{
    poller *p = must_zalloc(1, sizeof(*p));
    p->get = get;
    p->post = post;
    get->kind = CONN_GET;
    post->kind = CONN_POST;
    get->poller = post->poller = p;
}

bool polling_is_busy(const conn *get)
{
    return get->poller->posting;
}

/* -- requests ------------------------------------------------------------- */

static void send_get(poller *p)
{
    outgoing_add(p->get_head, p->get_len);
    conn_flush(p->get);
}

static void send_post(poller *p, const uint8_t *body, uint32_t len)
{
    outgoing_add(p->post_head, p->post_len);
    outgoing_need(16);
    outgoing_len += decimal_write(outgoing + outgoing_len, len);
    outgoing_add("\r\n\r\n", 4);
    outgoing_add(body, len);
    p->posting = true;
    conn_flush(p->post);
}

/* Sends all that is due, unless a POST is under way. */
static void send_due(poller *p)
{
    static uint8_t *body;
    static size_t cap;
    size_t wanted = (size_t)(p->due + p->pongs) * (message_len + 32);
    uint32_t len = 0;

    if (p->posting || p->due + p->pongs == 0) {
        return;
    }
    if (wanted > cap) {
        body = must_grow(body, wanted);
        cap = wanted;
    }
    for (; p->pongs > 0; p->pongs--) {
        body[len++] = '3';
        body[len++] = SEPARATOR;
    }
    uint64_t now = now_ns();
    for (; p->due > 0; p->due--) {
        len += message_write(body + len, traffic_take(p->get, now));
        body[len++] = SEPARATOR;
    }
    send_post(p, body, len - 1); /* without the last separator */
}

void polling_begin(conn *get)
{
    if (get->state == CONN_RUNNING) {
        get->poller->due = (uint32_t)opts.depth;
        send_due(get->poller);
    }
}

void polling_connected(conn *c)
{
    poller *p = c->poller;
    if (c->kind == CONN_POST) {
        c->state = CONN_RUNNING;
        send_post(p, (const uint8_t *)"40", 2);
        return;
    }
    c->state = CONN_ENGINE;
    p->get_len = (uint32_t)snprintf(
        p->get_head, HEAD_MAX,
        "GET %s?EIO=4&transport=polling HTTP/1.1\r\n" HEADERS "\r\n",
        opts.path);
    send_get(p);
}

/* -- packets -------------------------------------------------------------- */

/* Engine.IO's open packet: from now on requests name the session. */
static int on_open(poller *p, const uint8_t *in, uint32_t len)
{
    const char *sid = memmem(in, len, "\"sid\":\"", 7);
    const char *end = (const char *)in + len;
    if (in[0] != '0' || sid == NULL) {
        return complain("bad open packet", p->get, in, len);
    }
    sid += 7;
    const char *quote = memchr(sid, '"', (size_t)(end - sid));
    if (quote == NULL || quote - sid > SID_MAX) {
        return complain("bad sid", p->get, in, len);
    }
    p->get_len = (uint32_t)snprintf(
        p->get_head, HEAD_MAX,
        "GET %s?EIO=4&transport=polling&sid=%.*s HTTP/1.1\r\n" HEADERS "\r\n",
        opts.path, (int)(quote - sid), sid);
    p->post_len = (uint32_t)snprintf(
        p->post_head, HEAD_MAX,
        "POST %s?EIO=4&transport=polling&sid=%.*s HTTP/1.1\r\n" HEADERS
        "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ",
        opts.path, (int)(quote - sid), sid);
    p->get->state = CONN_SOCKET;
    return conn_start(p->post, 0) ? 0 : -1;
}

/* Takes a packet; returns how many events it brought back, or -1. */
static int on_packet(poller *p, const uint8_t *in, uint32_t len, uint64_t now)
{
    conn *c = p->get;
    if (len != 0 && c->state == CONN_ENGINE) {
        return on_open(p, in, len);
    }
    switch (len == 0 ? 0 : in[0]) {
    case '2':
        counts.pings++;
        p->pongs++;
        return 0;
    case '4':
        if (c->state != CONN_SOCKET) {
            return traffic_message(c, in, len, now);
        }
        if (len < 2 || in[1] != '0') {
            return complain("bad answer to CONNECT", c, in, len);
        }
        conn_is_running(c);
        return 0;
    case '6':
        return 0;
    default:
        return complain("unexpected packet", c, in, len);
    }
}

static int on_payload(poller *p, const uint8_t *in, uint32_t len, uint64_t now)
{
    const uint8_t *end = in + len, *cut;
    uint32_t back = 0;
    do {
        cut = memchr(in, SEPARATOR, (size_t)(end - in));
        const uint8_t *stop = cut == NULL ? end : cut;
        int got = on_packet(p, in, (uint32_t)(stop - in), now);
        if (got < 0) {
            return -1;
        }
        back += (uint32_t)got;
        in = stop + 1;
    } while (cut != NULL);

    send_get(p);
    if (load_is_on()) {
        p->due += back;
    }
    send_due(p);
    return 0;
}

/* -- responses ------------------------------------------------------------ */

typedef struct response {
    int status;
    bool chunked;
    const uint8_t *body;
    size_t len;
} response;

static int on_response(conn *c, const response *r, uint64_t now)
{
    uint32_t len = (uint32_t)r->len;
    if (r->status != 200) {
        return complain("HTTP status", c, r->body, len);
    }
    if (c->kind == CONN_GET) {
        return on_payload(c->poller, r->body, len, now);
    }
    /* python-engineio says it in capitals. */
    if (len != 2 || strncasecmp((const char *)r->body, "ok", 2) != 0) {
        return complain("bad answer to a POST", c, r->body, len);
    }
    c->poller->posting = false;
    send_due(c->poller);
    return 0;
}

/* Reads the head that ends at `end`; returns -1 for one we do not want. */
static int read_head(conn *c, const uint8_t *in, const uint8_t *end,
                     response *r)
{
    uint32_t len = (uint32_t)(end - in);
    if (len < 12 || memcmp(in, "HTTP/1.1 ", 9) != 0) {
        return complain("not HTTP", c, in, len);
    }
    *r = (response){.status = atoi((const char *)in + 9), .body = end + 4};
    while ((in = memchr(in, '\n', (size_t)(end - in))) != NULL) {
        const char *line = (const char *)++in;
        if (strncasecmp(line, "content-length:", 15) == 0) {
            r->len = strtoul(line + 15, NULL, 10);
        } else if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0) {
            r->chunked = true;
        } else if (strncasecmp(line, "connection: close", 17) == 0) {
            return complain("the server closes", c, in, len);
        }
    }
    return 0;
}

/* Puts the chunks together.  Returns what follows them, or NULL while not all
 * of them are there. */
static const uint8_t *join_chunks(response *r, const uint8_t *end)
{
    static uint8_t *joined;
    static size_t cap;
    const uint8_t *at = r->body;
    size_t size, len = 0;
    do {
        const uint8_t *line = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (line == NULL) {
            return NULL;
        }
        size = strtoul((const char *)at, NULL, 16);
        at = line + 2;
        if ((size_t)(end - at) < size + 2) {
            return NULL;
        }
        if (len + size + 1 > cap) {
            cap = (len + size + 1) * 2;
            joined = must_grow(joined, cap);
        }
        memcpy(joined + len, at, size);
        len += size;
        at += size + 2;
    } while (size != 0);
    r->body = joined;
    r->len = len;
    return at;
}

int64_t polling_parse(conn *c, const uint8_t *in, uint32_t len, uint64_t now)
{
    const uint8_t *at = in, *end = in + len, *next = in;
    while (at < end) {
        response r = {0};
        const uint8_t *head_end = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (head_end == NULL) {
            break;
        }
        if (read_head(c, at, head_end, &r) < 0) {
            return -1;
        }
        if (r.chunked) {
            next = join_chunks(&r, end);
        } else {
            next = (size_t)(end - r.body) < r.len ? NULL : r.body + r.len;
        }
        if (next == NULL) {
            break;
        }
        if (on_response(c, &r, now) < 0) {
            return -1;
        }
        at = next;
    }
    return at - in;
}
