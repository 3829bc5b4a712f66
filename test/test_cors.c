#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/cors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What a test sets; the rest are the defaults. */
typedef struct options {
    const char *origin;
    bool reflect, ask, credentials, enforce;
    const char *methods, *headers, *exposed;
    const int32_t *max_age;
} options;

static bool never(sio_http_request *request, const char *origin, void *arg)
{
    (void)request;
    (void)origin;
    (void)arg;
    return false;
}

static sio_server_config config_of(const options *o)
{
    sio_server_config c = SIO_SERVER_CONFIG_DEFAULT;
    c.cors_origin = o->origin;
    c.cors_reflect = o->reflect;
    c.on_cors_origin = o->ask ? never : NULL;
    c.cors_credentials = o->credentials;
    c.cors_enforce = o->enforce;
    c.cors_methods = o->methods;
    c.cors_allowed_headers = o->headers;
    c.cors_exposed_headers = o->exposed;
    if (o->max_age != NULL) {
        c.cors_max_age_s = *o->max_age;
    }
    return c;
}

static const int32_t age_zero = 0, age_hour = 3600, age_bad = -2;

/* -------------------------------------------------------- configuration -- */

static void on_log(void *arg, int level, const char *event, const char *text)
{
    assert_int_equal(level, SIO_LOG_ERROR);
    assert_string_equal(event, "bad_config");
    snprintf(arg, 256, "%s", text);
}

static const struct {
    options options;
    const char *field, *fault;
} bad[] = {
    {{.origin = ""}, "cors_origin ", "is empty"},
    {{.origin = " , "}, "cors_origin ", "is empty"},
    {{.origin = "x"}, "cors_origin: x ", "no scheme"},
    {{.origin = "a b"}, "cors_origin: a ", "no scheme"},
    {{.origin = "https://a, b"}, "cors_origin: b ", "no scheme"},
    {{.origin = "https://a/"}, "cors_origin: https://a/ ", "has a path"},
    {{.origin = "https://a\r\nSet-Cookie: a=b"},
     "cors_origin: ",
     "no host has"},
    {{.origin = "* https://a"}, "cors_origin: * ", "but alone"},
    {{.origin = "https://a,*"}, "cors_origin: * ", "but alone"},
    {{.origin = "https://*"}, "cors_origin: https://* ", "far right"},
    {{.origin = "null", .credentials = true}, "cors_origin: null ", "sandbox"},
    {{.origin = "https://a null", .credentials = true},
     "cors_origin: null ",
     "sandbox"},
    {{.origin = "*", .credentials = true}, "cors_credentials ", "\"*\""},
    {{.origin = "*", .enforce = true}, "cors_enforce ", "every origin"},
    {{.reflect = true, .enforce = true}, "cors_enforce ", "every origin"},
    {{.origin = "*", .reflect = true}, "cors_origin ", "not alone"},
    {{.origin = "*", .ask = true}, "cors_origin ", "not alone"},
    {{.reflect = true, .ask = true}, "cors_reflect ", "not alone"},
    {{.credentials = true}, "cors_credentials ", "no origin is allowed"},
    {{.enforce = true}, "cors_enforce ", "no origin is allowed"},
    {{.methods = "GET"}, "cors_methods ", "no origin is allowed"},
    {{.headers = "X"}, "cors_allowed_headers ", "no origin is allowed"},
    {{.exposed = "X"}, "cors_exposed_headers ", "no origin is allowed"},
    {{.max_age = &age_zero}, "cors_max_age_s ", "no origin is allowed"},
    {{.reflect = true, .max_age = &age_bad}, "cors_max_age_s ", "below -1"},
    {{.reflect = true, .methods = ""}, "cors_methods ", "empty"},
    {{.reflect = true, .methods = "GET,,PUT"}, "cors_methods ", "empty"},
    {{.reflect = true, .methods = "GET,"}, "cors_methods ", "empty"},
    {{.reflect = true, .methods = "GET PUT"}, "cors_methods ", "character"},
    {{.reflect = true, .methods = "G\r\nX: y"}, "cors_methods ", "character"},
    {{.reflect = true, .headers = "X;"}, "cors_allowed_headers ", "character"},
    {{.reflect = true, .exposed = "\"X\""},
     "cors_exposed_headers ",
     "character"},
    {{.reflect = true, .headers = "*", .credentials = true},
     "cors_allowed_headers ",
     "means nothing"},
    {{.reflect = true, .exposed = "X, *", .credentials = true},
     "cors_exposed_headers ",
     "means nothing"},
    {{.reflect = true, .methods = "*", .credentials = true},
     "cors_methods ",
     "means nothing"},
};

static void test_bad_configs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char said[256] = "";
        sio_log log = {on_log, said, SIO_LOG_WARN};
        sio_arena arena = {0};
        tp_cors cors;
        sio_server_config config = config_of(&bad[i].options);
        sio_error err = tp_cors_init(&cors, &config, &arena, &log);
        if (err != SIO_ERR_ARGUMENT ||
            strncmp(said, bad[i].field, strlen(bad[i].field)) != 0 ||
            strstr(said, bad[i].fault) == NULL) {
            fail_msg("%zu, %s: %d, %s", i, bad[i].field, (int)err, said);
        }
        sio_arena_deinit(&arena);
    }
}

/* -------------------------------------------------------------- answers -- */

#define ACAO "Access-Control-Allow-Origin: "
#define ACAC "Access-Control-Allow-Credentials: true\r\n"
#define ACEH "Access-Control-Expose-Headers: "
#define VARY "Vary: Origin\r\n"
#define METHODS                                                                \
    "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE\r\n"
#define VARY_ASKED "Vary: Access-Control-Request-Headers\r\n"
#define ACAH "Access-Control-Allow-Headers: "

static const struct {
    options options;
    const char *fields; /* of the request */
    const char *lines;  /* of every answer */
    const char *more;   /* of a preflight; NULL: not looked at */
} answers[] = {
    /* nobody */
    {{0}, "Origin: https://a\r\n", NULL, NULL},
    /* anybody */
    {{.origin = "*"}, "", ACAO "*\r\n", METHODS VARY_ASKED},
    {{.origin = "*"}, "Origin: https://a\r\n", ACAO "*\r\n", NULL},
    {{.origin = "*", .exposed = "X-A, X-B"},
     "Origin: null\r\n",
     ACAO "*\r\n" ACEH "X-A, X-B\r\n",
     NULL},
    /* one origin, named whoever asks */
    {{.origin = "https://a"}, "", ACAO "https://a\r\n" VARY, NULL},
    {{.origin = " https://a,"},
     "Origin: https://b\r\n",
     ACAO "https://a\r\n" VARY,
     METHODS VARY_ASKED},
    {{.origin = "https://a", .credentials = true, .exposed = "X"},
     "Origin: https://a\r\n",
     ACAO "https://a\r\n" VARY ACAC ACEH "X\r\n",
     NULL},
    /* a list */
    {{.origin = "https://a https://b"},
     "Origin: https://b\r\n",
     ACAO "https://b\r\n" VARY,
     NULL},
    {{.origin = "https://a,https://b"},
     "Origin: https://a\r\n",
     ACAO "https://a\r\n" VARY,
     NULL},
    {{.origin = "https://a, https://b", .credentials = true, .exposed = "X"},
     "Origin: https://b\r\n",
     ACAO "https://b\r\n" VARY ACAC ACEH "X\r\n",
     NULL},
    {{.origin = "https://a, https://b", .credentials = true, .exposed = "X"},
     "Origin: https://c\r\n",
     VARY,
     METHODS VARY_ASKED},
    {{.origin = "https://a,https://b"}, "", VARY, NULL},
    {{.origin = "https://a,https://b"}, "Origin:\r\n", VARY, NULL},
    {{.origin = "https://a,https://b"}, "Origin: null\r\n", VARY, NULL},
    {{.origin = "https://a,https://b"}, "Origin: HTTPS://A\r\n", VARY, NULL},
    {{.origin = "https://a,https://b"},
     "Origin: https://a\r\nOrigin: https://a\r\n",
     VARY,
     NULL},
    {{.origin = "https://a,https://b"},
     "Origin: https://a, https://b\r\n",
     VARY,
     NULL},
    {{.origin = "https://a null"},
     "Origin: null\r\n",
     ACAO "null\r\n" VARY,
     NULL},
    {{.origin = "https://*.example.com"},
     "Origin: https://x.example.com\r\n",
     ACAO "https://x.example.com\r\n" VARY,
     NULL},
    {{.origin = "https://*.example.com"},
     "Origin: https://x.example.com.evil.org\r\n",
     VARY,
     NULL},
    {{.origin = "https://a:*"},
     "Origin: https://a:8\r\n",
     ACAO "https://a:8\r\n" VARY,
     NULL},
    /* every origin, by its name */
    {{.reflect = true, .credentials = true},
     "Origin: https://a\r\n",
     ACAO "https://a\r\n" VARY ACAC,
     NULL},
    {{.reflect = true}, "Origin: null\r\n", ACAO "null\r\n" VARY, NULL},
    {{.reflect = true, .credentials = true}, "", VARY, NULL},
    {{.reflect = true}, "Origin: https://a b\r\n", VARY, NULL},
    {{.reflect = true}, "Origin: https://a,b\r\n", VARY, NULL},
    {{.reflect = true}, "Origin: \xff\r\n", VARY, NULL},
    {{.reflect = true}, "Origin: a\r\nOrigin: b\r\n", VARY, NULL},
    /* preflights */
    {{.origin = "*"},
     "Access-Control-Request-Headers: X-A,  x-b\r\n",
     ACAO "*\r\n",
     METHODS VARY_ASKED ACAH "X-A,  x-b\r\n"},
    {{.origin = "*"},
     "Access-Control-Request-Headers: a(b\r\n",
     ACAO "*\r\n",
     METHODS VARY_ASKED},
    {{.origin = "*"},
     "Access-Control-Request-Headers:\r\n",
     ACAO "*\r\n",
     METHODS VARY_ASKED},
    {{.origin = "*", .headers = "X-A", .methods = "GET, POST"},
     "Access-Control-Request-Headers: x-b\r\n",
     ACAO "*\r\n",
     "Access-Control-Allow-Methods: GET, POST\r\n" ACAH "X-A\r\n"},
    {{.origin = "*", .headers = "*", .max_age = &age_hour},
     "",
     ACAO "*\r\n",
     METHODS ACAH "*\r\nAccess-Control-Max-Age: 3600\r\n"},
    {{.reflect = true, .max_age = &age_zero},
     "",
     VARY,
     METHODS "Access-Control-Max-Age: 0\r\n" VARY_ASKED},
};

static void parse(const char *fields, char *raw, size_t size,
                  tp_http_head *head)
{
    const tp_http_limits limits = TP_HTTP_LIMITS_DEFAULT;
    int len =
        snprintf(raw, size, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    assert_int_equal(
        tp_http_head_parse((sio_bytes){(const uint8_t *)raw, (size_t)len},
                           &limits, head),
        SIO_OK);
}

static void check(size_t i, const char *what, sio_buf *got, const char *want)
{
    if (got->len != strlen(want) ||
        (got->len != 0 && memcmp(got->base, want, got->len) != 0)) {
        fail_msg("%zu, %s: %.*s", i, what, (int)got->len,
                 (const char *)got->base);
    }
    sio_buf_deinit(got);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        sio_arena arena = {0};
        sio_buf lines = {0};
        tp_cors cors;
        tp_http_head head;
        char raw[256];
        sio_server_config config = config_of(&answers[i].options);
        assert_int_equal(tp_cors_init(&cors, &config, &arena, NULL), SIO_OK);
        assert_true((cors.rule == TP_CORS_RULE_NONE) ==
                    (answers[i].lines == NULL));
        if (answers[i].lines != NULL) {
            parse(answers[i].fields, raw, sizeof(raw), &head);
            sio_bytes origin = tp_cors_origin(&head);
            bool allowed = tp_cors_allows(&cors, origin);
            assert_int_equal(tp_cors_write(&cors, origin, allowed, &lines),
                             SIO_OK);
            check(i, "lines", &lines, answers[i].lines);
        }
        if (answers[i].more != NULL) {
            assert_int_equal(tp_cors_write_preflight(&cors, &head, &lines),
                             SIO_OK);
            check(i, "preflight", &lines, answers[i].more);
        }
        sio_arena_deinit(&arena);
    }
}

/* The rule for one origin names it whoever asks, but enforcing it has to know
 * who does. */
static void test_who_is_allowed(void **state)
{
    (void)state;
    static const struct {
        options options;
        const char *origin;
        bool allowed;
    } rows[] = {
        {{.origin = "https://a"}, "https://a", true},
        {{.origin = "https://a"}, "https://b", false},
        {{.origin = "https://a"}, "", false},
        {{.origin = "https://a https://b"}, "https://b", true},
        {{.origin = "https://a https://b"}, "https://c", false},
        {{.origin = "*"}, "", true},
        {{.reflect = true}, "https://a", true},
        {{.reflect = true}, "", false},
        {{.ask = true}, "https://a", false},
        {{0}, "https://a", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_arena arena = {0};
        tp_cors cors;
        sio_server_config config = config_of(&rows[i].options);
        sio_bytes origin = {(const uint8_t *)rows[i].origin,
                            strlen(rows[i].origin)};
        assert_int_equal(tp_cors_init(&cors, &config, &arena, NULL), SIO_OK);
        if (tp_cors_allows(&cors, origin) != rows[i].allowed) {
            fail_msg("%zu: %s", i, rows[i].origin);
        }
        sio_arena_deinit(&arena);
    }
}

static void test_long_list(void **state)
{
    (void)state;
    enum { ENTRIES = 1000 };
    static char list[ENTRIES * 32];
    sio_arena arena = {0};
    tp_cors cors;
    size_t len = 0;
    for (int i = 0; i < ENTRIES; i++) {
        len += (size_t)snprintf(list + len, sizeof(list) - len,
                                "https://host%d.example,", i);
    }
    sio_server_config config = config_of(&(options){.origin = list});
    assert_int_equal(tp_cors_init(&cors, &config, &arena, NULL), SIO_OK);
    assert_int_equal(cors.count, ENTRIES);
    assert_true(tp_cors_allows(&cors, SIO_LIT("https://host999.example")));
    assert_false(tp_cors_allows(&cors, SIO_LIT("https://host1000.example")));
    sio_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_configs),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_who_is_allowed),
        cmocka_unit_test(test_long_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
