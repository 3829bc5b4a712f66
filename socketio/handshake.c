#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/query.h"
#include "base/utf8.h"
#include "socketio/core.h"

/* A value that was asked for, in the arena: asking again costs no memory. */
typedef struct answer {
    struct answer *next;
    const char *value;
    bool in_query; /* otherwise a header */
    char name[];
} answer;

/* What the accessors give, beside the request itself. */
struct sio_handshake {
    const eio_request *request;
    answer *answers;
    void *auth_tree; /* of the socket's; see value.c */
    sio_arena arena; /* decoded and joined values */
};

static const char *recall(const sio_handshake *handshake, const char *name,
                          bool in_query)
{
    const answer *at = handshake->answers;
    while (at != NULL &&
           (at->in_query != in_query || strcmp(at->name, name) != 0)) {
        at = at->next;
    }
    return at == NULL ? NULL : at->value;
}

/* Returns `value`. */
static const char *remember(sio_handshake *handshake, const char *name,
                            bool in_query, const char *value)
{
    size_t size = strlen(name) + 1;
    answer *a = value == NULL
                    ? NULL
                    : sio_arena_alloc(&handshake->arena, sizeof(*a) + size);
    if (a != NULL) {
        *a = (answer){handshake->answers, value, in_query};
        memcpy(a->name, name, size);
        handshake->answers = a;
    }
    return value;
}

const sio_handshake *sio_socket_handshake(const sio_socket *socket)
{
    sio_socket *self = (sio_socket *)(uintptr_t)socket; /* a cache inside */
    if (self->handshake == NULL) {
        self->handshake = calloc(1, sizeof(*self->handshake));
        if (self->handshake != NULL) {
            self->handshake->request = self->request;
        }
    }
    return self->handshake;
}

void **sio_socket_auth_tree(sio_socket *socket, bool make)
{
    if (make) {
        (void)sio_socket_handshake(socket);
    }
    return socket->handshake == NULL ? NULL : &socket->handshake->auth_tree;
}

void sio_socket_free_handshake(sio_socket *socket)
{
    if (socket->handshake != NULL) {
        sio_arena_deinit(&socket->handshake->arena);
        free(socket->handshake);
    }
}

/* -------------------------------------------------------------- headers -- */

/* Writes the values of all headers of that name, joined; returns how many there
 * are. */
static unsigned write_joined(sio_writer *w, const eio_request *r,
                             sio_bytes name)
{
    eio_headers walk = eio_request_headers(r);
    eio_header header;
    unsigned count = 0;
    while (eio_headers_next(&walk, &header)) {
        if (!sio_bytes_eq(header.name, name)) {
            continue;
        }
        if (count++ != 0) {
            sio_write_bytes(w, SIO_LIT(", "));
        }
        sio_write_bytes(w, header.value);
    }
    return count;
}

/* The same in the arena; NULL when memory is short. */
static const char *join(sio_arena *arena, const eio_request *r, sio_bytes name)
{
    sio_writer measure = {NULL, 0, 0};
    (void)write_joined(&measure, r, name);
    uint8_t *out = sio_arena_alloc(arena, measure.len + 1);
    if (out == NULL) {
        return NULL;
    }
    sio_writer w = {out, measure.len, 0};
    (void)write_joined(&w, r, name);
    out[measure.len] = '\0';
    return (const char *)out;
}

const char *sio_handshake_header(const sio_handshake *handshake,
                                 const char *name)
{
    sio_handshake *self = (sio_handshake *)(uintptr_t)handshake;
    const eio_request *r = handshake->request;
    const char *known = recall(handshake, name, false);
    sio_writer nowhere = {NULL, 0, 0};
    if (known != NULL) {
        return known;
    }
    if (write_joined(&nowhere, r, sio_text(name)) < 2) {
        return (const char *)eio_request_header(r, sio_text(name)).base;
    }
    return remember(self, name, false, join(&self->arena, r, sio_text(name)));
}

void sio_handshake_each_header(const sio_handshake *handshake,
                               sio_header_fn *fn, void *arg)
{
    eio_headers walk = eio_request_headers(handshake->request);
    eio_header header;
    while (eio_headers_next(&walk, &header)) {
        fn((const char *)header.name.base, (const char *)header.value.base,
           arg);
    }
}

const char *sio_handshake_method(const sio_handshake *handshake)
{
    return (const char *)eio_request_method(handshake->request).base;
}

/* ---------------------------------------------------------------- query -- */

/* Decodes, and repairs what is not UTF-8.  Gives a string in the arena, its
 * length in `*len`; NULL when memory is short. */
static char *decode(sio_arena *arena, sio_bytes raw, size_t *len)
{
    uint8_t *plain = sio_arena_alloc(arena, raw.len + 1);
    if (plain == NULL) {
        return NULL;
    }
    sio_query_decode(raw, plain, len);
    plain[*len] = '\0';
    sio_bytes bytes = {plain, *len};
    if (sio_utf8_valid(bytes)) {
        return (char *)plain;
    }
    size_t repaired = sio_utf8_repair(bytes, NULL);
    uint8_t *out = sio_arena_alloc(arena, repaired + 1);
    if (out == NULL) {
        return NULL;
    }
    *len = sio_utf8_repair(bytes, out);
    out[*len] = '\0';
    return (char *)out;
}

const char *sio_handshake_query(const sio_handshake *handshake,
                                const char *name)
{
    sio_handshake *self = (sio_handshake *)(uintptr_t)handshake;
    const char *known = recall(handshake, name, true);
    sio_bytes raw;
    size_t len;
    if (known != NULL || !sio_query_get(eio_request_query(handshake->request),
                                        sio_text(name), &raw)) {
        return known;
    }
    return remember(self, name, true, decode(&self->arena, raw, &len));
}

/* ---------------------------------------------------------------- others -- */

const char *sio_handshake_url(const sio_handshake *handshake)
{
    return (const char *)eio_request_url(handshake->request).base;
}

unsigned sio_socket_protocol(const sio_socket *socket)
{
    const eio_session *session =
        socket->client == NULL ? NULL : socket->client->session;
    if (session != NULL) {
        return eio_session_revision(session);
    }
    /* It was opened by a request that says `EIO` and a digit, or nothing, which
     * stands for 3. */
    sio_bytes raw;
    uint8_t digit[3] = {'3'};
    size_t len;
    if (sio_query_get(eio_request_query(socket->request), SIO_LIT("EIO"),
                      &raw) &&
        raw.len != 0 && raw.len <= sizeof(digit)) {
        sio_query_decode(raw, digit, &len);
    }
    return digit[0] - (unsigned)'0';
}

const char *sio_handshake_address(const sio_handshake *handshake)
{
    return eio_request_peer(handshake->request);
}

int64_t sio_handshake_issued(const sio_handshake *handshake)
{
    return handshake->request->issued;
}

bool sio_handshake_xdomain(const sio_handshake *handshake)
{
    return sio_handshake_header(handshake, "origin") != NULL;
}

bool sio_handshake_secure(const sio_handshake *handshake)
{
    return handshake->request->secure;
}

const char *sio_handshake_client_subject(const sio_handshake *handshake)
{
    return eio_request_subject(handshake->request);
}

const char *sio_socket_auth(const sio_socket *socket)
{
    return socket->auth == NULL ? "{}" : socket->auth;
}

/* ------------------------------------------------------------------ JSON -- */

static void write_text(sio_writer *w, sio_bytes text)
{
    if (sio_utf8_valid(text)) {
        sio_json_write_string(w, text);
        return;
    }
    uint8_t *repaired = malloc(sio_utf8_repair(text, NULL));
    if (repaired == NULL) {
        sio_write_bytes(w, SIO_LIT("\"\""));
        return;
    }
    size_t len = sio_utf8_repair(text, repaired);
    sio_json_write_string(w, (sio_bytes){repaired, len});
    free(repaired);
}

/* Whether the first header of that name is the one at `index`. */
static bool is_first(const eio_request *r, sio_bytes name, unsigned index)
{
    eio_headers walk = eio_request_headers(r);
    eio_header header;
    for (unsigned i = 0; i < index && eio_headers_next(&walk, &header); i++) {
        if (sio_bytes_eq(header.name, name)) {
            return false;
        }
    }
    return true;
}

static void write_headers(sio_writer *w, const eio_request *r)
{
    eio_headers walk = eio_request_headers(r);
    eio_header header;
    sio_write_byte(w, '{');
    for (unsigned i = 0; eio_headers_next(&walk, &header); i++) {
        sio_arena arena = {0};
        if (!is_first(r, header.name, i)) {
            continue;
        }
        const char *value = join(&arena, r, header.name);
        if (i != 0) {
            sio_write_byte(w, ',');
        }
        sio_json_write_string(w, header.name);
        sio_write_byte(w, ':');
        write_text(w, sio_text(value == NULL ? "" : value));
        sio_arena_deinit(&arena);
    }
    sio_write_byte(w, '}');
}

/* A parameter, decoded. */
typedef struct param {
    sio_map_node node; /* by name */
    sio_link link;     /* in order of appearance */
    sio_bytes name, value;
} param;

static sio_bytes param_key(const sio_map_node *node)
{
    return SIO_OWNER(node, param, node)->name;
}

/* Adds a parameter, or, where the name is there, changes its value: the last
 * one counts. */
static void add_param(sio_map *map, sio_link *list, sio_arena *arena,
                      sio_bytes raw_name, sio_bytes raw_value)
{
    param *p = sio_arena_alloc(arena, sizeof(*p));
    sio_bytes name = {0}, value = {0};
    name.base = (uint8_t *)decode(arena, raw_name, &name.len);
    value.base = (uint8_t *)decode(arena, raw_value, &value.len);
    if (p == NULL || name.base == NULL || value.base == NULL) {
        return;
    }
    *p = (param){.name = name, .value = value};
    if (sio_map_insert(map, &p->node) == SIO_OK) {
        sio_list_append(list, &p->link);
        return;
    }
    sio_map_node *node = sio_map_find(map, name);
    if (node != NULL) {
        SIO_OWNER(node, param, node)->value = value;
    }
}

static void write_params(sio_writer *w, sio_link *list)
{
    sio_write_byte(w, '{');
    for (sio_link *at = list->next; at != list; at = at->next) {
        const param *p = SIO_OWNER(at, param, link);
        if (at != list->next) {
            sio_write_byte(w, ',');
        }
        sio_json_write_string(w, p->name);
        sio_write_byte(w, ':');
        sio_json_write_string(w, p->value);
    }
    sio_write_byte(w, '}');
}

static void write_query(sio_writer *w, const sio_socket *socket)
{
    sio_query it = {.rest = eio_request_query(socket->request)};
    sio_arena arena = {0};
    sio_bytes name, value;
    sio_hash_key secret = {0};
    sio_map map;
    sio_link list;
    (void)sio_random_fill(sio_socket_engine(socket)->random, &secret,
                          sizeof(secret));
    sio_map_init(&map, param_key, secret);
    sio_list_init(&list);
    while (sio_query_next(&it, &name, &value)) {
        add_param(&map, &list, &arena, name, value);
    }
    write_params(w, &list);
    sio_map_deinit(&map);
    sio_arena_deinit(&arena);
}

/* As JavaScript prints a Date, in UTC. */
static void write_time(sio_writer *w, int64_t issued_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(issued_ms / 1000);
    struct tm tm;
    char text[96];
    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof(text),
             "%.3s %.3s %02d %04d %02d:%02d:%02d GMT+0000 (Coordinated "
             "Universal Time)",
             days + 3 * tm.tm_wday, months + 3 * tm.tm_mon, tm.tm_mday,
             tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    sio_json_write_string(w, sio_text(text));
}

static void write_bool(sio_writer *w, bool value)
{
    sio_write_bytes(w, value ? SIO_LIT("true") : SIO_LIT("false"));
}

size_t sio_socket_handshake_json(const sio_socket *socket, char *out,
                                 size_t cap)
{
    const eio_request *r = socket->request;
    sio_handshake plain = {.request = r};
    sio_writer w = {(uint8_t *)out, cap, 0};
    sio_write_bytes(&w, SIO_LIT("{\"headers\":"));
    write_headers(&w, r);
    sio_write_bytes(&w, SIO_LIT(",\"time\":"));
    write_time(&w, r->issued);
    sio_write_bytes(&w, SIO_LIT(",\"address\":"));
    sio_json_write_string(&w, eio_request_address(r));
    sio_write_bytes(&w, SIO_LIT(",\"xdomain\":"));
    write_bool(&w, sio_handshake_xdomain(&plain));
    sio_write_bytes(&w, SIO_LIT(",\"secure\":"));
    write_bool(&w, r->secure);
    if (eio_request_subject(r) != NULL) {
        sio_write_bytes(&w, SIO_LIT(",\"clientSubject\":"));
        write_text(&w, sio_text(eio_request_subject(r)));
    }
    sio_write_bytes(&w, SIO_LIT(",\"issued\":"));
    sio_write_uint(&w, (uint64_t)r->issued);
    sio_write_bytes(&w, SIO_LIT(",\"url\":"));
    write_text(&w, eio_request_url(r));
    sio_write_bytes(&w, SIO_LIT(",\"query\":"));
    write_query(&w, socket);
    sio_write_bytes(&w, SIO_LIT(",\"auth\":"));
    sio_write_bytes(&w, sio_text(sio_socket_auth(socket)));
    sio_write_bytes(&w, SIO_LIT("}"));
    sio_arena_deinit(&plain.arena);
    return w.len;
}
