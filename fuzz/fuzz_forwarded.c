#include <stdio.h>
#include <stdlib.h>

#include "transport/forwarded.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define SIZE_MAX_IN 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tp_address address_of(const char *text)
{
    tp_address address;
    REQUIRE(tp_address_parse((sio_bytes){(const uint8_t *)text, strlen(text)},
                             &address));
    return address;
}

static bool same(const tp_address *a, const tp_address *b)
{
    return a->kind == b->kind && memcmp(a->ip, b->ip, 16) == 0;
}

typedef struct rig {
    tp_trusted trusted; /* 10.0.0.0/8 */
    tp_block block;
    tp_stream stream; /* of 10.0.0.1 */
    tp_http_head head;
} rig;

static void add(rig *r, const char *name, sio_bytes value)
{
    if (r->head.header_count < TP_HTTP_HEADERS_MAX) {
        r->head.headers[r->head.header_count++] =
            (tp_http_header){{(const uint8_t *)name, strlen(name)}, value};
    }
}

static void init(rig *r)
{
    *r = (rig){.block = {.from = address_of("10.0.0.0"), .bits = 8}};
    r->trusted = (tp_trusted){.blocks = &r->block, .count = 1};
    r->stream.peer = address_of("10.0.0.1");
}

static tp_client ask(const rig *r, sio_proxy_headers headers)
{
    return tp_client_of(&r->stream, &r->head, &r->trusted, headers);
}

/* What our proxy says, and what that has to come to. */
static const struct {
    sio_proxy_headers headers;
    const char *name, *value, *client;
    bool secure;
} own[] = {
    {SIO_PROXY_HEADERS_X_FORWARDED, "X-Forwarded-For", "198.51.100.7, 10.0.0.2",
     "198.51.100.7", false},
    {SIO_PROXY_HEADERS_FORWARDED, "Forwarded", "for=198.51.100.7;proto=https",
     "198.51.100.7", true},
    {SIO_PROXY_HEADERS_FORWARDED, "Forwarded",
     "for=\"[2001:db8::7]:1\";by=\"x\", for=\"10.0.0.2\"", "2001:db8::7",
     false},
};

/* A client's own lines, before what the proxy adds, change nothing. */
static void check_lines(sio_bytes claim)
{
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        rig r;
        init(&r);
        add(&r, own[i].name, claim);
        add(&r, own[i].name,
            (sio_bytes){(const uint8_t *)own[i].value, strlen(own[i].value)});
        tp_client got = ask(&r, own[i].headers);
        tp_address want = address_of(own[i].client);
        REQUIRE(same(&got.address, &want));
        REQUIRE(got.secure == own[i].secure);
    }
}

/* Where the proxy adds to the client's line, that can hide who the client is,
 * behind the proxy, but not make him another. */
static void check_joined(sio_bytes claim)
{
    static uint8_t text[SIZE_MAX_IN + 128];
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        rig r;
        init(&r);
        memcpy(text, claim.base, claim.len);
        size_t len = claim.len + (size_t)sprintf((char *)text + claim.len,
                                                 ", %s", own[i].value);
        add(&r, own[i].name, (sio_bytes){text, len});
        tp_client got = ask(&r, own[i].headers);
        tp_address want = address_of(own[i].client);
        bool hidden = same(&got.address, &r.stream.peer);
        REQUIRE(same(&got.address, &want) ||
                (hidden && own[i].headers == SIO_PROXY_HEADERS_FORWARDED));
        REQUIRE(hidden || got.secure == own[i].secure);
    }
}

/* Reads the list from its end, as it is meant. */
static tp_address read_backwards(const rig *r, sio_bytes list)
{
    tp_address client = r->stream.peer;
    while (tp_trusted_has(&r->trusted, &client)) {
        size_t from = list.len;
        while (from != 0 && list.base[from - 1] != ',') {
            from--;
        }
        sio_bytes element = {list.base + from, list.len - from};
        while (element.len != 0 &&
               (element.base[0] == ' ' || element.base[0] == '\t')) {
            element = (sio_bytes){element.base + 1, element.len - 1};
        }
        while (element.len != 0 && (element.base[element.len - 1] == ' ' ||
                                    element.base[element.len - 1] == '\t')) {
            element.len--;
        }
        if (!tp_address_parse(element, &client) || from == 0) {
            break;
        }
        list.len = from - 1;
    }
    return client;
}

static void check_backwards(sio_bytes list)
{
    rig r;
    /* It knows no ports. */
    if (list.len == 0 || memchr(list.base, ':', list.len) != NULL) {
        return;
    }
    init(&r);
    add(&r, "x-forwarded-for", list);
    tp_client got = ask(&r, SIO_PROXY_HEADERS_X_FORWARDED);
    tp_address want = read_backwards(&r, list);
    REQUIRE(same(&got.address, &want));
}

/* A list of proxies, written anew, is the same. */
static void check_list(const char *text)
{
    static char again[SIZE_MAX_IN * 64];
    sio_arena arena = {0};
    tp_trusted a, b;
    const char *why = NULL;
    sio_bytes item;
    size_t len = 0;
    if (tp_trusted_parse(text, &arena, &a, &why, &item) == SIO_OK) {
        again[0] = '\0';
        for (size_t i = 0; i < a.count; i++) {
            char ip[TP_ADDRESS_SIZE];
            REQUIRE(tp_trusted_has(&a, &a.blocks[i].from));
            (void)tp_address_text(&a.blocks[i].from, ip);
            len += (size_t)sprintf(again + len, "%s/%d,", ip, a.blocks[i].bits);
        }
        (void)sprintf(again + len, "%s", a.local ? "unix:" : "");
        REQUIRE(tp_trusted_parse(again, &arena, &b, &why, &item) == SIO_OK);
        REQUIRE(a.count == b.count && a.local == b.local);
        for (size_t i = 0; i < a.count; i++) {
            REQUIRE(same(&a.blocks[i].from, &b.blocks[i].from));
            REQUIRE(a.blocks[i].bits == b.blocks[i].bits);
        }
    } else {
        REQUIRE(why != NULL && item.len != 0);
    }
    sio_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SIZE_MAX_IN) {
        return 0;
    }
    char *text = malloc(size + 1);
    REQUIRE(text != NULL);
    if (size != 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    sio_bytes in = {(const uint8_t *)text, size};
    check_lines(in);
    check_joined(in);
    check_backwards(in);
    check_list(text);
    free(text);
    return 0;
}
