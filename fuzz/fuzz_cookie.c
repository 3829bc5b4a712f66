#include <stdlib.h>
#include <strings.h>

#include "transport/cookie.h"
#include "transport/http_date.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define SIZE_MAX_IN 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* -------------------------------------------------------------- a browser --
 */

/* A cookie as a browser keeps it. */
typedef struct kept {
    sio_bytes name, value, domain, path, expires, same_site, priority;
    int64_t max_age; /* -1: none */
    bool secure, http_only, partitioned;
} kept;

static sio_bytes trim(const char *from, const char *to)
{
    while (from != to && (*from == ' ' || *from == '\t')) {
        from++;
    }
    while (from != to && (to[-1] == ' ' || to[-1] == '\t')) {
        to--;
    }
    return (sio_bytes){(const uint8_t *)from, (size_t)(to - from)};
}

static bool is(sio_bytes name, const char *word)
{
    size_t i = 0;
    for (; i < name.len && word[i] != '\0'; i++) {
        char c = (char)name.base[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (c != word[i]) {
            return false;
        }
    }
    return i == name.len && word[i] == '\0';
}

static void keep_attribute(kept *k, sio_bytes name, sio_bytes value)
{
    if (is(name, "domain")) { /* a dot in front counts for nothing */
        bool dot = value.len != 0 && value.base[0] == '.';
        k->domain = (sio_bytes){value.base + dot, value.len - dot};
    } else if (is(name, "path")) {
        k->path = value;
    } else if (is(name, "expires")) {
        k->expires = value;
    } else if (is(name, "max-age")) {
        REQUIRE(value.len != 0 && value.len <= 10);
        k->max_age = 0;
        for (size_t i = 0; i < value.len; i++) {
            REQUIRE(value.base[i] >= '0' && value.base[i] <= '9');
            k->max_age = 10 * k->max_age + (value.base[i] - '0');
        }
    } else if (is(name, "samesite")) {
        k->same_site = value;
    } else if (is(name, "priority")) {
        k->priority = value;
    } else if (is(name, "secure")) {
        k->secure = true;
    } else if (is(name, "httponly")) {
        k->http_only = true;
    } else {
        REQUIRE(is(name, "partitioned"));
        k->partitioned = true;
    }
}

/* Reads the value of a Set-Cookie field (RFC 6265, section 5.2). */
static kept read_cookie(const char *line)
{
    kept k = {.max_age = -1};
    const char *end = line + strcspn(line, ";");
    const char *equals = memchr(line, '=', (size_t)(end - line));
    REQUIRE(equals != NULL);
    k.name = trim(line, equals);
    k.value = trim(equals + 1, end);
    while (*end == ';') {
        const char *from = end + 1;
        end = from + strcspn(from, ";");
        equals = memchr(from, '=', (size_t)(end - from));
        keep_attribute(&k, trim(from, equals == NULL ? end : equals),
                       equals == NULL ? (sio_bytes){NULL, 0}
                                      : trim(equals + 1, end));
    }
    return k;
}

/* ------------------------------------------------------------- the config --
 */

/* What was logged about a field. */
static void on_log(void *arg, int level, const char *event, const char *text)
{
    (void)level;
    REQUIRE(strcmp(event, "bad_config") == 0);
    REQUIRE(strncmp(text, "cookie_", 7) == 0);
    ++*(unsigned *)arg;
}

static const char *take_line(char **rest)
{
    char *line = *rest;
    char *end = strchr(line, '\n');
    if (end == NULL) {
        *rest = line + strlen(line);
    } else {
        *end = '\0';
        *rest = end + 1;
    }
    return line;
}

static bool equals(sio_bytes got, const char *want)
{
    return want == NULL ? got.base == NULL
                        : got.len == strlen(want) &&
                              memcmp(got.base, want, got.len) == 0;
}

static void check_date(sio_bytes got, int64_t want)
{
    int64_t seconds;
    if (want == 0) {
        REQUIRE(got.base == NULL);
        return;
    }
    REQUIRE(tp_http_date_parse(got, 0, &seconds) && seconds == want);
}

/* What browsers ask for, beside the attributes that they know (rfc6265bis,
 * sections 4.1.3 and 5.7). */
static bool browsers_take_it(const sio_server_config *c, const kept *k)
{
    bool host = strncasecmp(c->cookie_name, "__Host-", 7) == 0;
    bool needs_secure = host || k->partitioned || is(k->same_site, "none") ||
                        strncasecmp(c->cookie_name, "__Secure-", 9) == 0;
    return (!needs_secure || k->secure) &&
           (!host || (k->domain.base == NULL && equals(k->path, "/")));
}

static void check_kept(const sio_server_config *c, const char *line,
                       const char *sid)
{
    static const char *const priorities[] = {NULL, "Low", "Medium", "High"};
    static const char *const same_sites[] = {NULL, "Lax", "Strict", "None"};
    kept k = read_cookie(line);
    const char *domain = c->cookie_domain;
    domain = domain != NULL && domain[0] == '.' ? domain + 1 : domain;
    REQUIRE(equals(k.name, c->cookie_name) && equals(k.value, sid));
    REQUIRE(equals(k.domain, domain) && equals(k.path, c->cookie_path));
    REQUIRE(k.max_age ==
            (c->cookie_max_age_s == 0 ? -1 : (int64_t)c->cookie_max_age_s));
    check_date(k.expires, c->cookie_expires_s);
    REQUIRE(k.secure == c->cookie_secure);
    REQUIRE(k.http_only == c->cookie_http_only);
    REQUIRE(k.partitioned == c->cookie_partitioned);
    REQUIRE(equals(k.priority, priorities[c->cookie_priority]));
    REQUIRE(equals(k.same_site, same_sites[c->cookie_same_site]));
    REQUIRE(browsers_take_it(c, &k));
}

/* One header line, of bytes that a field's value may hold. */
static void check_line(const sio_server_config *c, const tp_cookie *cookie)
{
    static const char sid[] = "a-Z_09";
    static const char head[] = "Set-Cookie: ";
    sio_buf lines = {0};
    REQUIRE(tp_cookie_write(cookie, SIO_LIT(sid), &lines) == SIO_OK);
    REQUIRE(lines.len > sizeof(head) + 1);
    REQUIRE(memcmp(lines.base, head, sizeof(head) - 1) == 0);
    lines.len -= 2;
    REQUIRE(memcmp(lines.base + lines.len, "\r\n", 2) == 0);
    for (size_t i = 0; i < lines.len; i++) {
        REQUIRE(lines.base[i] >= ' ' && lines.base[i] < 0x7f);
    }
    lines.base[lines.len] = '\0';
    check_kept(c, (const char *)lines.base + sizeof(head) - 1, sid);
    sio_buf_deinit(&lines);
}

/*
 * The session's cookie, of any configuration: 16 bytes of flags and numbers,
 * then name, path and domain, a line each.  It is refused, with a word about
 * the field, or a browser keeps exactly what was configured.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[SIZE_MAX_IN + 1], *rest = text;
    if (size < 16 || size > SIZE_MAX_IN) {
        return 0;
    }
    memcpy(text, data + 16, size - 16);
    text[size - 16] = '\0';
    sio_server_config c = SIO_SERVER_CONFIG_DEFAULT;
    c.cookie_name = data[0] & 1 ? take_line(&rest) : NULL;
    c.cookie_path = data[0] & 2 ? take_line(&rest) : NULL;
    c.cookie_domain = data[0] & 4 ? take_line(&rest) : NULL;
    c.cookie_secure = (data[0] & 8) != 0;
    c.cookie_http_only = (data[0] & 16) != 0;
    c.cookie_partitioned = (data[0] & 32) != 0;
    c.cookie_same_site = (sio_same_site)(data[1] % 5);
    c.cookie_priority = (sio_cookie_priority)(data[1] / 5 % 5);
    memcpy(&c.cookie_max_age_s, data + 2, 4);
    memcpy(&c.cookie_expires_s, data + 8, 8);

    unsigned words = 0;
    sio_log log = {on_log, &words, SIO_LOG_DEBUG};
    sio_arena arena = {0};
    tp_cookie cookie;
    sio_error err = tp_cookie_init(&cookie, &c, &arena, &log);
    REQUIRE(err == SIO_OK || err == SIO_ERR_ARGUMENT);
    REQUIRE(words == (err == SIO_OK ? 0 : 1));
    if (err == SIO_OK && c.cookie_name != NULL) {
        check_line(&c, &cookie);
    } else if (err == SIO_OK) {
        REQUIRE(cookie.before.len == 0);
    }
    sio_arena_deinit(&arena);
    return 0;
}
