#include "transport/cors.h"

#include "base/writer.h"
#include "transport/http_text.h"

#define ALLOW_ORIGIN "Access-Control-Allow-Origin: "
#define VARY_ORIGIN "Vary: Origin\r\n"

static sio_bytes text(const char *s)
{
    return (sio_bytes){(const uint8_t *)s, s == NULL ? 0 : strlen(s)};
}

/* ------------------------------------------------------- configuration -- */

static sio_error refuse(const sio_log *log, const char *field,
                        const char *fault)
{
    sio_log_write(log, SIO_LOG_ERROR, "bad_config", "%s %s", field, fault);
    return SIO_ERR_ARGUMENT;
}

static bool is_separator(uint8_t c)
{
    return c == ',' || c == ' ';
}

/* Sets `*entry` to the next entry of a list of origins; false at its end. */
static bool next_entry(sio_bytes *rest, sio_bytes *entry)
{
    size_t from = 0;
    while (from < rest->len && is_separator(rest->base[from])) {
        from++;
    }
    size_t to = from;
    while (to < rest->len && !is_separator(rest->base[to])) {
        to++;
    }
    *entry = (sio_bytes){rest->base + from, to - from};
    *rest = (sio_bytes){rest->base + to, rest->len - to};
    return entry->len != 0;
}

static sio_error refuse_entry(const sio_log *log, sio_bytes entry,
                              const char *fault)
{
    sio_log_write(log, SIO_LOG_ERROR, "bad_config", "cors_origin: %.*s %s",
                  (int)entry.len, (const char *)entry.base, fault);
    return SIO_ERR_ARGUMENT;
}

static sio_error read_entry(const sio_server_config *config, sio_bytes entry,
                            const sio_log *log, tp_origin_pattern *out)
{
    const char *fault = tp_origin_pattern_read(entry, out);
    if (sio_bytes_eq(entry, SIO_LIT("*"))) {
        fault = "does not stand in a list, but alone";
    } else if (config->cors_credentials &&
               sio_bytes_eq(entry, SIO_LIT("null"))) {
        fault = "with cors_credentials lets in any page, by a sandboxed frame";
    }
    return fault == NULL ? SIO_OK : refuse_entry(log, entry, fault);
}

static sio_error read_list(tp_cors *cors, const sio_server_config *config,
                           sio_arena *arena, const sio_log *log)
{
    sio_bytes rest = text(config->cors_origin), entry;
    size_t count = 0;
    while (next_entry(&rest, &entry)) {
        count++;
    }
    if (count == 0) {
        return refuse(log, "cors_origin", "is empty; NULL turns CORS off");
    }
    tp_origin_pattern *patterns =
        sio_arena_alloc(arena, count * sizeof(*patterns));
    if (patterns == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    sio_error err = SIO_OK;
    rest = text(config->cors_origin);
    for (size_t i = 0; err == SIO_OK && next_entry(&rest, &entry); i++) {
        err = read_entry(config, entry, log, &patterns[i]);
    }
    cors->patterns = patterns;
    cors->count = count;
    cors->rule = count == 1 && tp_origin_pattern_is_exact(patterns)
                     ? TP_CORS_RULE_FIXED
                     : TP_CORS_RULE_LIST;
    return err;
}

static sio_error choose_rule(tp_cors *cors, const sio_server_config *c,
                             sio_arena *arena, const sio_log *log)
{
    if ((c->cors_origin != NULL) + c->cors_reflect +
            (c->on_cors_origin != NULL) >
        1) {
        return refuse(log,
                      c->cors_origin != NULL ? "cors_origin" : "cors_reflect",
                      "is not alone: of cors_origin, cors_reflect and "
                      "on_cors_origin one can decide");
    }
    if (c->cors_reflect) {
        cors->rule = TP_CORS_RULE_REFLECT;
    } else if (c->on_cors_origin != NULL) {
        cors->rule = TP_CORS_RULE_ASK;
    } else if (c->cors_origin != NULL && strcmp(c->cors_origin, "*") == 0) {
        cors->rule = TP_CORS_RULE_ANY;
    } else if (c->cors_origin != NULL) {
        return read_list(cors, c, arena, log);
    }
    return SIO_OK;
}

/* Options that say how, where none says whose pages. */
static sio_error check_unused(const sio_server_config *c, const sio_log *log)
{
    const char *field =
        c->cors_credentials               ? "cors_credentials"
        : c->cors_enforce                 ? "cors_enforce"
        : c->cors_methods != NULL         ? "cors_methods"
        : c->cors_allowed_headers != NULL ? "cors_allowed_headers"
        : c->cors_exposed_headers != NULL ? "cors_exposed_headers"
        : c->cors_max_age_s != -1         ? "cors_max_age_s"
                                          : NULL;
    return field == NULL
               ? SIO_OK
               : refuse(log, field,
                        "is set, but no origin is allowed: set cors_origin, "
                        "cors_reflect or on_cors_origin");
}

static sio_error check_rule(tp_cors_rule rule, const sio_server_config *c,
                            const sio_log *log)
{
    bool any = rule == TP_CORS_RULE_ANY || rule == TP_CORS_RULE_REFLECT;
    if (rule == TP_CORS_RULE_NONE) {
        return check_unused(c, log);
    }
    if (rule == TP_CORS_RULE_ANY && c->cors_credentials) {
        return refuse(log, "cors_credentials",
                      "is set, but with cors_origin \"*\" browsers keep "
                      "cookies back: name the origins");
    }
    if (any && c->cors_enforce) {
        return refuse(log, "cors_enforce",
                      "is set, but every origin is allowed");
    }
    if (c->cors_max_age_s < -1) {
        return refuse(log, "cors_max_age_s", "is below -1");
    }
    return SIO_OK;
}

/* A list of methods or field names: tokens, separated by commas. */
static sio_error check_tokens(const char *field, const char *list,
                              bool credentials, const sio_log *log)
{
    sio_bytes rest = text(list), element;
    while (tp_http_list_next(&rest, &element)) {
        for (size_t i = 0; i < element.len; i++) {
            if (!tp_http_is(element.base[i], TP_HTTP_CLASS_TOKEN)) {
                return refuse(log, field,
                              "holds a character that is not allowed there");
            }
        }
        if (element.len == 0) {
            return refuse(log, field, "has an empty element");
        }
        if (credentials && sio_bytes_eq(element, SIO_LIT("*"))) {
            return refuse(log, field,
                          "has a `*`, which means nothing with "
                          "cors_credentials");
        }
    }
    return SIO_OK;
}

static sio_error check_lists(const sio_server_config *c, const sio_log *log)
{
    const struct {
        const char *field, *list;
    } lists[] = {
        {"cors_methods", c->cors_methods},
        {"cors_allowed_headers", c->cors_allowed_headers},
        {"cors_exposed_headers", c->cors_exposed_headers},
    };
    sio_error err = SIO_OK;
    for (size_t i = 0; err == SIO_OK && i < sizeof(lists) / sizeof(lists[0]);
         i++) {
        err = check_tokens(lists[i].field, lists[i].list, c->cors_credentials,
                           log);
    }
    return err;
}

/* ---------------------------------------------------------------- lines -- */

static void put_line(sio_writer *w, sio_bytes name, sio_bytes value)
{
    sio_write_bytes(w, name);
    sio_write_bytes(w, value);
    sio_write_bytes(w, SIO_LIT("\r\n"));
}

static void put_allowed(sio_writer *w, const sio_server_config *c)
{
    if (c->cors_credentials) {
        sio_write_bytes(w,
                        SIO_LIT("Access-Control-Allow-Credentials: true\r\n"));
    }
    if (c->cors_exposed_headers != NULL) {
        put_line(w, SIO_LIT("Access-Control-Expose-Headers: "),
                 text(c->cors_exposed_headers));
    }
}

/* Starts with the origin where that never changes. */
static void put_always(sio_writer *w, const tp_cors *cors,
                       const sio_server_config *c)
{
    if (cors->rule == TP_CORS_RULE_ANY) {
        put_line(w, SIO_LIT(ALLOW_ORIGIN), SIO_LIT("*"));
    } else {
        put_line(w, SIO_LIT(ALLOW_ORIGIN), cors->patterns[0].before);
        sio_write_bytes(w, SIO_LIT(VARY_ORIGIN));
    }
    put_allowed(w, c);
}

static void put_preflight(sio_writer *w, const sio_server_config *c)
{
    put_line(w, SIO_LIT("Access-Control-Allow-Methods: "),
             c->cors_methods == NULL ? SIO_LIT("GET,HEAD,PUT,PATCH,POST,DELETE")
                                     : text(c->cors_methods));
    if (c->cors_allowed_headers != NULL) {
        put_line(w, SIO_LIT("Access-Control-Allow-Headers: "),
                 text(c->cors_allowed_headers));
    }
    if (c->cors_max_age_s >= 0) {
        sio_write_bytes(w, SIO_LIT("Access-Control-Max-Age: "));
        sio_write_uint(w, (uint64_t)c->cors_max_age_s);
        sio_write_bytes(w, SIO_LIT("\r\n"));
    }
}

/* Where the lines end that stand behind each other. */
typedef struct ends {
    size_t always, allowed;
} ends;

static ends put_lines(sio_writer *w, const tp_cors *cors,
                      const sio_server_config *c)
{
    ends at;
    if (cors->rule == TP_CORS_RULE_ANY || cors->rule == TP_CORS_RULE_FIXED) {
        put_always(w, cors, c);
    }
    at.always = w->len;
    put_allowed(w, c);
    at.allowed = w->len;
    put_preflight(w, c);
    return at;
}

static sio_error compose(tp_cors *cors, const sio_server_config *c,
                         sio_arena *arena)
{
    sio_writer w = {0};
    ends at = put_lines(&w, cors, c);
    w = (sio_writer){sio_arena_alloc(arena, w.len), w.len, 0};
    if (w.base == NULL) {
        return SIO_ERR_NO_MEMORY;
    }
    (void)put_lines(&w, cors, c);
    cors->always = (sio_bytes){w.base, at.always};
    cors->allowed = (sio_bytes){w.base + at.always, at.allowed - at.always};
    cors->preflight = (sio_bytes){w.base + at.allowed, w.len - at.allowed};
    return SIO_OK;
}

sio_error tp_cors_init(tp_cors *cors, const sio_server_config *config,
                       sio_arena *arena, const sio_log *log)
{
    *cors = (tp_cors){
        .enforce = config->cors_enforce,
        .reflect_headers = config->cors_allowed_headers == NULL,
    };
    sio_error err = choose_rule(cors, config, arena, log);
    if (err == SIO_OK) {
        err = check_rule(cors->rule, config, log);
    }
    if (err == SIO_OK) {
        err = check_lists(config, log);
    }
    return err == SIO_OK && cors->rule != TP_CORS_RULE_NONE
               ? compose(cors, config, arena)
               : err;
}

/* ------------------------------------------------------------- requests -- */

sio_bytes tp_cors_origin(const tp_http_head *head)
{
    const sio_bytes name = SIO_LIT("origin");
    const tp_http_header *field = tp_http_header_next(head, name, NULL);
    if (field == NULL || field->value.len > TP_ORIGIN_MAX ||
        tp_http_header_next(head, name, field) != NULL) {
        return (sio_bytes){NULL, 0};
    }
    for (size_t i = 0; i < field->value.len; i++) {
        uint8_t c = field->value.base[i];
        if (c <= ' ' || c >= 0x7f || c == ',') {
            return (sio_bytes){NULL, 0};
        }
    }
    return field->value;
}

bool tp_cors_allows(const tp_cors *cors, sio_bytes origin)
{
    switch (cors->rule) {
    case TP_CORS_RULE_ANY:
        return true;
    case TP_CORS_RULE_REFLECT:
        return origin.len != 0;
    case TP_CORS_RULE_FIXED:
    case TP_CORS_RULE_LIST:
        break;
    case TP_CORS_RULE_NONE:
    case TP_CORS_RULE_ASK:
        return false;
    }
    for (size_t i = 0; i < cors->count; i++) {
        if (tp_origin_matches(&cors->patterns[i], origin)) {
            return true;
        }
    }
    return false;
}

static sio_error append(sio_buf *lines, const sio_bytes *pieces, size_t count)
{
    sio_error err = SIO_OK;
    for (size_t i = 0; i < count && err == SIO_OK; i++) {
        err = sio_buf_append(lines, pieces[i]);
    }
    return err;
}

sio_error tp_cors_write(const tp_cors *cors, sio_bytes origin, bool allowed,
                        sio_buf *lines)
{
    if (cors->always.len != 0) {
        return sio_buf_append(lines, cors->always);
    }
    /* What is refused to one may be allowed to another: caches have to know. */
    if (!allowed) {
        return sio_buf_append(lines, SIO_LIT(VARY_ORIGIN));
    }
    const sio_bytes pieces[] = {
        SIO_LIT(ALLOW_ORIGIN),
        origin,
        SIO_LIT("\r\n" VARY_ORIGIN),
        cors->allowed,
    };
    return append(lines, pieces, 4);
}

/* Whether a request header may be sent back as it is: a list of field names. */
static bool is_list_of_tokens(sio_bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.base[i];
        if (!tp_http_is(c, TP_HTTP_CLASS_TOKEN) && !tp_http_is_blank(c) &&
            c != ',') {
            return false;
        }
    }
    return value.len != 0;
}

sio_error tp_cors_write_preflight(const tp_cors *cors, const tp_http_head *head,
                                  sio_buf *lines)
{
    sio_bytes asked =
        tp_http_header_find(head, SIO_LIT("access-control-request-headers"));
    const sio_bytes pieces[] = {
        cors->preflight,
        SIO_LIT("Vary: Access-Control-Request-Headers\r\n"),
        SIO_LIT("Access-Control-Allow-Headers: "),
        asked,
        SIO_LIT("\r\n"),
    };
    size_t count = !cors->reflect_headers     ? 1
                   : is_list_of_tokens(asked) ? 5
                                              : 2;
    return append(lines, pieces, count);
}
