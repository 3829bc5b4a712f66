#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/cookie.h"
#include "transport/http_date.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define DOMAIN_63                                                              \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* In place of a default. */
static const char none[] = "none";
#define SITE(value) ((int)(value) + 2)

/* What a row sets; zeros are the defaults, with the name "io". */
typedef struct options {
    const char *name, *path, *domain;
    uint32_t max_age;
    int64_t expires;
    bool scripts, secure, partitioned;
    int same_site, priority;
} options;

static const char *text_of(const char *given, const char *otherwise)
{
    return given == none ? NULL : given == NULL ? otherwise : given;
}

static sio_server_config config_of(const options *o)
{
    sio_server_config c = SIO_SERVER_CONFIG_DEFAULT;
    c.cookie_name = text_of(o->name, "io");
    c.cookie_path = text_of(o->path, c.cookie_path);
    c.cookie_domain = o->domain;
    c.cookie_max_age_s = o->max_age;
    c.cookie_expires_s = o->expires;
    c.cookie_http_only = o->scripts ? false : c.cookie_http_only;
    c.cookie_secure = o->secure;
    c.cookie_partitioned = o->partitioned;
    c.cookie_same_site = o->same_site == 0 ? c.cookie_same_site
                                           : (sio_same_site)(o->same_site - 2);
    c.cookie_priority = (sio_cookie_priority)o->priority;
    return c;
}

/* ----------------------------------------------------------------- lines -- */

static const struct {
    options options;
    const char *line;
} lines[] = {
    {{.name = none}, ""},
    {{0}, "io=SID; Path=/; HttpOnly; SameSite=Lax"},
    {{.name = "a!#$%&'*+-.^_`|~9"},
     "a!#$%&'*+-.^_`|~9=SID; Path=/; HttpOnly; SameSite=Lax"},
    {{.path = none}, "io=SID; HttpOnly; SameSite=Lax"},
    {{.path = "/a/~b"}, "io=SID; Path=/a/~b; HttpOnly; SameSite=Lax"},
    {{.scripts = true}, "io=SID; Path=/; SameSite=Lax"},
    {{.same_site = SITE(SIO_SAME_SITE_UNSET)}, "io=SID; Path=/; HttpOnly"},
    {{.same_site = SITE(SIO_SAME_SITE_STRICT)},
     "io=SID; Path=/; HttpOnly; SameSite=Strict"},
    {{.same_site = SITE(SIO_SAME_SITE_NONE), .secure = true},
     "io=SID; Path=/; HttpOnly; Secure; SameSite=None"},
    {{.domain = "example.com"},
     "io=SID; Domain=example.com; Path=/; HttpOnly; SameSite=Lax"},
    {{.domain = ".a-b.Example.com"},
     "io=SID; Domain=.a-b.Example.com; Path=/; HttpOnly; SameSite=Lax"},
    {{.domain = DOMAIN_63},
     "io=SID; Domain=" DOMAIN_63 "; Path=/; HttpOnly; SameSite=Lax"},
    {{.max_age = UINT32_MAX},
     "io=SID; Max-Age=4294967295; Path=/; HttpOnly; SameSite=Lax"},
    {{.expires = 1},
     "io=SID; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT; HttpOnly; "
     "SameSite=Lax"},
    {{.expires = TP_HTTP_DATE_END - 1},
     "io=SID; Path=/; Expires=Fri, 31 Dec 9999 23:59:59 GMT; HttpOnly; "
     "SameSite=Lax"},
    {{.priority = SIO_COOKIE_PRIORITY_LOW},
     "io=SID; Path=/; HttpOnly; Priority=Low; SameSite=Lax"},
    {{.priority = SIO_COOKIE_PRIORITY_MEDIUM},
     "io=SID; Path=/; HttpOnly; Priority=Medium; SameSite=Lax"},
    {{.name = "__Host-io", .secure = true},
     "__Host-io=SID; Path=/; HttpOnly; Secure; SameSite=Lax"},
    {{.name = "__secure-io", .secure = true, .domain = "a.b"},
     "__secure-io=SID; Domain=a.b; Path=/; HttpOnly; Secure; SameSite=Lax"},
    {{.name = "n",
      .path = "/p",
      .domain = "d.e",
      .max_age = 60,
      .expires = 1000000000,
      .secure = true,
      .partitioned = true,
      .priority = SIO_COOKIE_PRIORITY_HIGH,
      .same_site = SITE(SIO_SAME_SITE_NONE)},
     "n=SID; Max-Age=60; Domain=d.e; Path=/p; Expires=Sun, 09 Sep 2001 "
     "01:46:40 GMT; HttpOnly; Secure; Partitioned; Priority=High; "
     "SameSite=None"},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        sio_arena arena = {0};
        sio_buf got = {0};
        tp_cookie cookie;
        char want[512] = "";
        if (lines[i].line[0] != '\0') {
            snprintf(want, sizeof(want), "Set-Cookie: %s\r\n", lines[i].line);
        }
        sio_server_config config = config_of(&lines[i].options);
        assert_int_equal(tp_cookie_init(&cookie, &config, &arena, NULL),
                         SIO_OK);
        assert_true((cookie.before.len == 0) == (want[0] == '\0'));
        if (cookie.before.len != 0) {
            assert_int_equal(tp_cookie_write(&cookie, SIO_LIT("SID"), &got),
                             SIO_OK);
        }
        if (got.len != strlen(want) ||
            (got.len != 0 && memcmp(got.base, want, got.len) != 0)) {
            fail_msg("%zu: %.*s", i, (int)got.len, (const char *)got.base);
        }
        sio_buf_deinit(&got);
        sio_arena_deinit(&arena);
    }
}

/* ---------------------------------------------------------------- faults -- */

static const struct {
    options options;
    const char *field, *fault;
} bad[] = {
    {{.name = ""}, "cookie_name ", "empty"},
    {{.name = "a b"}, "cookie_name ", "character"},
    {{.name = "a;b"}, "cookie_name ", "character"},
    {{.name = "a,b"}, "cookie_name ", "character"},
    {{.name = "a=b"}, "cookie_name ", "character"},
    {{.name = "a\tb"}, "cookie_name ", "character"},
    {{.name = "a\r\nX: y"}, "cookie_name ", "character"},
    {{.name = "a\nb"}, "cookie_name ", "character"},
    {{.name = "a\x7f"}, "cookie_name ", "character"},
    {{.name = "\xc3\xa4"}, "cookie_name ", "character"},
    {{.name = "\"a\""}, "cookie_name ", "character"},
    {{.name = "__Secure-a"}, "cookie_name ", "needs cookie_secure"},
    {{.name = "__HOST-a"}, "cookie_name ", "needs cookie_secure"},
    {{.name = "__Host-a", .secure = true, .path = "/x"},
     "cookie_name ",
     "__Host-"},
    {{.name = "__Host-a", .secure = true, .path = none},
     "cookie_name ",
     "__Host-"},
    {{.name = "__Host-a", .secure = true, .domain = "a.b"},
     "cookie_name ",
     "__Host-"},
    {{.path = ""}, "cookie_path ", "slash"},
    {{.path = "a"}, "cookie_path ", "slash"},
    {{.path = "/a;b"}, "cookie_path ", "character"},
    {{.path = "/a,b"}, "cookie_path ", "character"},
    {{.path = "/a b"}, "cookie_path ", "character"},
    {{.path = "/a\r\nX: y"}, "cookie_path ", "character"},
    {{.path = "/a\x7f"}, "cookie_path ", "character"},
    {{.path = "/\xc3\xa4"}, "cookie_path ", "character"},
    {{.domain = ""}, "cookie_domain ", "not a domain"},
    {{.domain = "."}, "cookie_domain ", "not a domain"},
    {{.domain = "a."}, "cookie_domain ", "not a domain"},
    {{.domain = "..a"}, "cookie_domain ", "not a domain"},
    {{.domain = "a..b"}, "cookie_domain ", "not a domain"},
    {{.domain = "-a.b"}, "cookie_domain ", "not a domain"},
    {{.domain = "a-.b"}, "cookie_domain ", "not a domain"},
    {{.domain = "a_b.c"}, "cookie_domain ", "not a domain"},
    {{.domain = "a;b"}, "cookie_domain ", "not a domain"},
    {{.domain = "a b"}, "cookie_domain ", "not a domain"},
    {{.domain = "a\r\nX: y"}, "cookie_domain ", "not a domain"},
    {{.domain = "a,b"}, "cookie_domain ", "not a domain"},
    {{.domain = "a" DOMAIN_63}, "cookie_domain ", "not a domain"},
    {{.domain = DOMAIN_63 "." DOMAIN_63 "." DOMAIN_63 "." DOMAIN_63},
     "cookie_domain ",
     "longer"},
    {{.expires = -1}, "cookie_expires_s ", "between"},
    {{.expires = TP_HTTP_DATE_END}, "cookie_expires_s ", "between"},
    {{.expires = INT64_MAX}, "cookie_expires_s ", "between"},
    {{.partitioned = true}, "cookie_partitioned ", "cookie_secure"},
    {{.same_site = SITE(SIO_SAME_SITE_NONE)},
     "cookie_same_site ",
     "cookie_secure"},
    {{.same_site = SITE(4)}, "cookie_same_site ", "none of"},
    {{.same_site = SITE(-1)}, "cookie_same_site ", "none of"},
    {{.priority = 4}, "cookie_priority ", "none of"},
    {{.priority = -1}, "cookie_priority ", "none of"},
    {{.name = none, .domain = "a.b"}, "cookie_domain ", "no cookie_name"},
    {{.name = none, .max_age = 1}, "cookie_max_age_s ", "no cookie_name"},
    {{.name = none, .expires = 1}, "cookie_expires_s ", "no cookie_name"},
    {{.name = none, .secure = true}, "cookie_secure ", "no cookie_name"},
    {{.name = none, .partitioned = true},
     "cookie_partitioned ",
     "no cookie_name"},
    {{.name = none, .priority = 1}, "cookie_priority ", "no cookie_name"},
};

static void on_log(void *arg, int level, const char *event, const char *text)
{
    assert_int_equal(level, SIO_LOG_ERROR);
    assert_string_equal(event, "bad_config");
    snprintf(arg, 256, "%s", text);
}

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char said[256] = "";
        sio_log log = {on_log, said, SIO_LOG_WARN};
        sio_arena arena = {0};
        tp_cookie cookie;
        sio_server_config config = config_of(&bad[i].options);
        sio_error err = tp_cookie_init(&cookie, &config, &arena, &log);
        if (err != SIO_ERR_ARGUMENT ||
            strncmp(said, bad[i].field, strlen(bad[i].field)) != 0 ||
            strstr(said, bad[i].fault) == NULL) {
            fail_msg("%zu, %s: %d, %s", i, bad[i].field, (int)err, said);
        }
        sio_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
