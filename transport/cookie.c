#include "transport/cookie.h"

#include "base/writer.h"
#include "transport/http_date.h"
#include "transport/http_text.h"

static sio_bytes text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

/* ------------------------------------------------------- configuration -- */

/* Each of these returns NULL, or what is wrong with its field. */

static bool begins_with(sio_bytes name, sio_bytes prefix)
{
    return name.len >= prefix.len &&
           tp_http_equals((sio_bytes){name.base, prefix.len}, prefix);
}

/* Prefixes by which browsers hold a cookie to its attributes, in any case
 * (draft-ietf-httpbis-rfc6265bis, section 4.1.3). */
static const char *check_name(const sio_server_config *c)
{
    sio_bytes name = text(c->cookie_name);
    bool host = begins_with(name, SIO_LIT("__Host-"));
    for (size_t i = 0; i < name.len; i++) {
        if (!tp_http_is(name.base[i], TP_HTTP_CLASS_TOKEN)) {
            return "holds a character that is not allowed there";
        }
    }
    if (name.len == 0) {
        return "is empty; NULL turns the cookie off";
    }
    if ((host || begins_with(name, SIO_LIT("__Secure-"))) &&
        !c->cookie_secure) {
        return "has a prefix that needs cookie_secure";
    }
    if (host && (c->cookie_domain != NULL ||
                 !sio_bytes_eq(text(c->cookie_path), SIO_LIT("/")))) {
        return "begins with __Host-, which needs the cookie_path \"/\" and no "
               "cookie_domain";
    }
    return NULL;
}

static const char *check_path(const sio_server_config *c)
{
    sio_bytes path = text(c->cookie_path);
    if (path.base == NULL) {
        return NULL;
    }
    if (path.len == 0 || path.base[0] != '/') {
        return "does not begin with a slash; NULL leaves it out";
    }
    for (size_t i = 0; i < path.len; i++) {
        uint8_t b = path.base[i];
        if (b <= ' ' || b >= 0x7f || b == ';' || b == ',') {
            return "holds a character that is not allowed there";
        }
    }
    return NULL;
}

static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* Letters, digits, and hyphens between them (RFC 1123, section 2.1). */
static bool is_label(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool inner = i != 0 && i != len - 1;
        if (!is_alnum(at[i]) && (at[i] != '-' || !inner)) {
            return false;
        }
    }
    return len >= 1 && len <= 63;
}

/* A dot in front is allowed, and ignored by browsers. */
static const char *check_domain(const sio_server_config *c)
{
    sio_bytes rest = text(c->cookie_domain);
    if (rest.base == NULL) {
        return NULL;
    }
    if (rest.len != 0 && rest.base[0] == '.') {
        rest = (sio_bytes){rest.base + 1, rest.len - 1};
    }
    if (rest.len > 253) {
        return "is longer than a domain can be";
    }
    for (;;) {
        const uint8_t *dot = memchr(rest.base, '.', rest.len);
        size_t len = dot == NULL ? rest.len : (size_t)(dot - rest.base);
        if (!is_label(rest.base, len)) {
            return "is not a domain";
        }
        if (dot == NULL) {
            return NULL;
        }
        rest = (sio_bytes){dot + 1, rest.len - len - 1};
    }
}

static const char *check_expires(const sio_server_config *c)
{
    return c->cookie_expires_s >= 0 && c->cookie_expires_s < TP_HTTP_DATE_END
               ? NULL
               : "is not between 1970 and 9999";
}

static const char *check_partitioned(const sio_server_config *c)
{
    return c->cookie_partitioned && !c->cookie_secure
               ? "needs cookie_secure, or browsers drop the cookie"
               : NULL;
}

static const char *check_same_site(const sio_server_config *c)
{
    if ((unsigned)c->cookie_same_site > SIO_SAME_SITE_NONE) {
        return "is none of sio_same_site";
    }
    return c->cookie_same_site == SIO_SAME_SITE_NONE && !c->cookie_secure
               ? "is NONE, which needs cookie_secure, or browsers drop the "
                 "cookie"
               : NULL;
}

static const char *check_priority(const sio_server_config *c)
{
    return (unsigned)c->cookie_priority > SIO_COOKIE_PRIORITY_HIGH
               ? "is none of sio_cookie_priority"
               : NULL;
}

/* The first attribute that differs from the defaults, or NULL. */
static const char *find_attribute(const sio_server_config *c)
{
    return c->cookie_domain != NULL   ? "cookie_domain"
           : c->cookie_max_age_s != 0 ? "cookie_max_age_s"
           : c->cookie_expires_s != 0 ? "cookie_expires_s"
           : c->cookie_secure         ? "cookie_secure"
           : c->cookie_partitioned    ? "cookie_partitioned"
           : c->cookie_priority != SIO_COOKIE_PRIORITY_UNSET ? "cookie_priority"
                                                             : NULL;
}

static sio_error refuse(const sio_log *log, const char *field,
                        const char *fault)
{
    sio_log_write(log, SIO_LOG_ERROR, "bad_config", "%s %s", field, fault);
    return SIO_ERR_ARGUMENT;
}

static sio_error check(const sio_server_config *c, const sio_log *log)
{
    static const struct {
        const char *field;
        const char *(*fault)(const sio_server_config *c);
    } checks[] = {
        {"cookie_name", check_name},
        {"cookie_path", check_path},
        {"cookie_domain", check_domain},
        {"cookie_expires_s", check_expires},
        {"cookie_partitioned", check_partitioned},
        {"cookie_same_site", check_same_site},
        {"cookie_priority", check_priority},
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const char *fault = checks[i].fault(c);
        if (fault != NULL) {
            return refuse(log, checks[i].field, fault);
        }
    }
    return SIO_OK;
}

/* ----------------------------------------------------------------- line -- */

static void put(sio_writer *w, const char *name, sio_bytes value)
{
    if (value.base != NULL) {
        sio_write_bytes(w, text(name));
        sio_write_bytes(w, value);
    }
}

static void put_flag(sio_writer *w, bool wanted, const char *name)
{
    if (wanted) {
        sio_write_bytes(w, text(name));
    }
}

static void put_max_age(sio_writer *w, uint32_t seconds)
{
    if (seconds != 0) {
        sio_write_bytes(w, SIO_LIT("; Max-Age="));
        sio_write_uint(w, seconds);
    }
}

static void put_expires(sio_writer *w, int64_t seconds)
{
    char date[TP_HTTP_DATE_LEN + 1];
    if (seconds != 0) {
        tp_http_date_write(seconds, date);
        put(w, "; Expires=", text(date));
    }
}

/* In the order of the official server. */
static void put_attributes(sio_writer *w, const sio_server_config *c)
{
    static const char *const priorities[] = {NULL, "Low", "Medium", "High"};
    static const char *const same_sites[] = {NULL, "Lax", "Strict", "None"};
    put_max_age(w, c->cookie_max_age_s);
    put(w, "; Domain=", text(c->cookie_domain));
    put(w, "; Path=", text(c->cookie_path));
    put_expires(w, c->cookie_expires_s);
    put_flag(w, c->cookie_http_only, "; HttpOnly");
    put_flag(w, c->cookie_secure, "; Secure");
    put_flag(w, c->cookie_partitioned, "; Partitioned");
    put(w, "; Priority=", text(priorities[c->cookie_priority]));
    put(w, "; SameSite=", text(same_sites[c->cookie_same_site]));
    sio_write_bytes(w, SIO_LIT("\r\n"));
}

/* Returns where the value comes in. */
static size_t put_line(sio_writer *w, const sio_server_config *c)
{
    put(w, "Set-Cookie: ", text(c->cookie_name));
    sio_write_bytes(w, SIO_LIT("="));
    size_t before = w->len;
    put_attributes(w, c);
    return before;
}

sio_error tp_cookie_init(tp_cookie *cookie, const sio_server_config *config,
                         sio_arena *arena, const sio_log *log)
{
    *cookie = (tp_cookie){0};
    if (config->cookie_name == NULL) {
        const char *field = find_attribute(config);
        return field == NULL
                   ? SIO_OK
                   : refuse(log, field, "is set, but there is no cookie_name");
    }
    sio_error err = check(config, log);
    if (err != SIO_OK) {
        return err;
    }
    sio_writer w = {0};
    size_t before = put_line(&w, config);
    w = (sio_writer){sio_arena_alloc(arena, w.len), w.len, 0};
    if (w.base == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    (void)put_line(&w, config);
    cookie->before = (sio_bytes){w.base, before};
    cookie->after = (sio_bytes){w.base + before, w.len - before};
    return SIO_OK;
}

sio_error tp_cookie_write(const tp_cookie *cookie, sio_bytes sid,
                          sio_buf *lines)
{
    sio_error err = sio_buf_append(lines, cookie->before);
    if (err == SIO_OK) {
        err = sio_buf_append(lines, sid);
    }
    return err == SIO_OK ? sio_buf_append(lines, cookie->after) : err;
}
