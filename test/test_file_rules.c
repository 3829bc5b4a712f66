#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "transport/accept_encoding.h"
#include "transport/file_path.h"
#include "transport/mime.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

/* A copy of exactly that size, where ASan sees a byte read too many. */
static sio_bytes copy_of(sio_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len);
    memcpy(copy, bytes.base, bytes.len);
    return (sio_bytes){copy, bytes.len};
}

static void drop(sio_bytes copy)
{
    free((void *)(uintptr_t)copy.base);
}

/* --------------------------------------------------------------- paths -- */

static bool resolve(sio_bytes raw, tp_file_path *out)
{
    sio_bytes copy = copy_of(raw);
    bool ok = tp_file_path_resolve(copy, out);
    drop(copy);
    return ok;
}

static const struct {
    const char *label;
    sio_bytes raw;
    const char *text; /* NULL: refused */
    bool folder;
} paths[] = {
    {"nothing", B(""), "", true},
    {"a file", B("a"), "a", false},
    {"a folder", B("a/"), "a", true},
    {"deeper", B("a/b/c.html"), "a/b/c.html", false},
    {"deeper folder", B("a/b/"), "a/b", true},
    {"escapes", B("%61%2E%6a%73"), "a.js", false},
    {"space", B("a%20b"), "a b", false},
    {"plus stays", B("a+b"), "a+b", false},
    {"question mark", B("a%3Fb"), "a?b", false},
    {"dots inside", B("a..b/c."), "a..b/c.", false},
    {"dots behind", B("a../b"), "a../b", false},
    {"UTF-8", B("%C3%A9\xc3\xa9"), "\xc3\xa9\xc3\xa9", false},
    {"not UTF-8", B("%ff\xfe"), "\xff\xfe", false},
    {"decoded once", B("%252e%252e/%252f"), "%2e%2e/%2f", false},
    {"overlong dots", B("%c0%ae%c0%ae/a"), "\xc0\xae\xc0\xae/a", false},
    {"full-width dots", B("%ef%bc%8e/a"), "\xef\xbc\x8e/a", false},
    {"tilde", B("~root/a"), "~root/a", false},
    {"absolute", B("/a"), NULL, false},
    {"only a slash", B("/"), NULL, false},
    {"two slashes", B("//a"), NULL, false},
    {"empty inside", B("a//b"), NULL, false},
    {"empty at the end", B("a//"), NULL, false},
    {"dot", B("."), NULL, false},
    {"dot folder", B("./"), NULL, false},
    {"dot inside", B("a/./b"), NULL, false},
    {"up", B(".."), NULL, false},
    {"up folder", B("../"), NULL, false},
    {"up first", B("../a"), NULL, false},
    {"up inside", B("a/../b"), NULL, false},
    {"up last", B("a/.."), NULL, false},
    {"up by escapes", B("%2e%2e/a"), NULL, false},
    {"up by upper escapes", B("%2E%2E/a"), NULL, false},
    {"up half escaped", B(".%2e/a"), NULL, false},
    {"up half escaped, other", B("%2e./a"), NULL, false},
    {"up by an escaped slash", B("..%2fa"), NULL, false},
    {"escaped slash", B("a%2fb"), NULL, false},
    {"upper escaped slash", B("a%2Fb"), NULL, false},
    {"escaped slash first", B("%2fetc"), NULL, false},
    {"backslash", B("a\\b"), NULL, false},
    {"escaped backslash", B("a%5cb"), NULL, false},
    {"up by backslash", B("..\\a"), NULL, false},
    {"NUL", B("a%00"), NULL, false},
    {"NUL before an extension", B("a%00.html"), NULL, false},
    {"line feed", B("a%0ab"), NULL, false},
    {"delete", B("a%7f"), NULL, false},
    {"hidden file", B(".env"), NULL, false},
    {"hidden below", B("a/.git/config"), NULL, false},
    {"hidden by an escape", B("%2eenv"), NULL, false},
    {"three dots", B(".../a"), NULL, false},
    {"lone percent", B("a%"), NULL, false},
    {"short escape", B("a%4"), NULL, false},
    {"no escape", B("a%zz"), NULL, false},
    {"escape with a sign", B("a%+1"), NULL, false},
    {"unicode escape", B("%u002e%u002e/a"), NULL, false},
};

static void test_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        tp_file_path got;
        bool ok = resolve(paths[i].raw, &got);
        CHECK(paths[i].label, ok == (paths[i].text != NULL));
        if (ok) {
            CHECK(paths[i].label, strcmp(got.text, paths[i].text) == 0);
            CHECK(paths[i].label, got.len == strlen(got.text));
            CHECK(paths[i].label, got.folder == paths[i].folder);
        }
    }
}

/* No part of any row resolves to what may not be. */
static void test_path_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        sio_bytes raw = paths[i].raw;
        for (size_t from = 0; from <= raw.len; from++) {
            for (size_t to = from; to <= raw.len; to++) {
                tp_file_path got;
                if (resolve((sio_bytes){raw.base + from, to - from}, &got)) {
                    CHECK(paths[i].label, got.text[0] != '.');
                    CHECK(paths[i].label, got.text[0] != '/');
                    CHECK(paths[i].label, strstr(got.text, "/.") == NULL);
                    CHECK(paths[i].label, strstr(got.text, "//") == NULL);
                    CHECK(paths[i].label, got.len == strlen(got.text));
                }
            }
        }
    }
}

static void test_path_bytes(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool fits = c >= 0x20 && c != 0x7f && c != '/' && c != '\\';
        uint8_t raw[3] = {'a', (uint8_t)c, 'b'};
        char escaped[8];
        tp_file_path got;
        (void)snprintf(escaped, sizeof(escaped), "a%%%02xb", c);
        bool ok = resolve((sio_bytes){(uint8_t *)escaped, 5}, &got);
        if (ok != fits || (ok && (uint8_t)got.text[1] != c)) {
            fail_msg("byte 0x%02x escaped", c);
        }
        ok = resolve((sio_bytes){raw, sizeof(raw)}, &got);
        if (ok != ((fits && c != '%') || c == '/')) {
            fail_msg("byte 0x%02x", c);
        }
    }
}

static void test_path_length(void **state)
{
    (void)state;
    tp_file_path got;
    uint8_t *raw = malloc(TP_FILE_PATH_SIZE + 1);
    memset(raw, 'a', TP_FILE_PATH_SIZE + 1);
    assert_true(resolve((sio_bytes){raw, TP_FILE_PATH_SIZE - 1}, &got));
    assert_int_equal(strlen(got.text), TP_FILE_PATH_SIZE - 1);
    assert_false(tp_file_path_add_index(&got));
    assert_false(resolve((sio_bytes){raw, TP_FILE_PATH_SIZE}, &got));
    assert_false(resolve((sio_bytes){raw, TP_FILE_PATH_SIZE + 1}, &got));
    size_t most = TP_FILE_PATH_SIZE - sizeof("/index.html");
    assert_true(resolve((sio_bytes){raw, most}, &got));
    assert_true(tp_file_path_add_index(&got));
    assert_int_equal(strlen(got.text), TP_FILE_PATH_SIZE - 1);
    assert_true(resolve((sio_bytes){raw, most + 1}, &got));
    assert_false(tp_file_path_add_index(&got));
    free(raw);
}

static void test_index(void **state)
{
    (void)state;
    tp_file_path got;
    assert_true(resolve(SIO_LIT(""), &got));
    assert_true(tp_file_path_add_index(&got));
    assert_string_equal(got.text, "index.html");
    assert_int_equal(got.len, 10);
    assert_true(resolve(SIO_LIT("a/b/"), &got));
    assert_true(tp_file_path_add_index(&got));
    assert_string_equal(got.text, "a/b/index.html");
    assert_int_equal(got.len, 14);
}

/* --------------------------------------------------------------- types -- */

static void test_types(void **state)
{
    (void)state;
    static const struct {
        sio_bytes name;
        const char *type;
    } rows[] = {
        {B("a.html"), "text/html; charset=utf-8"},
        {B("a.HTML"), "text/html; charset=utf-8"},
        {B("a/b.c.css"), "text/css; charset=utf-8"},
        {B("a.js"), "text/javascript; charset=utf-8"},
        {B("a.mjs"), "text/javascript; charset=utf-8"},
        {B("a.js.map"), "application/json; charset=utf-8"},
        {B("a.txt"), "text/plain; charset=utf-8"},
        {B("a.svg"), "image/svg+xml"},
        {B("a.jpeg"), "image/jpeg"},
        {B("a.wasm"), "application/wasm"},
        {B("a.woff2"), "font/woff2"},
        {B("a.mp4"), "video/mp4"},
        {B("a.pdf"), "application/pdf"},
        {B("html"), "application/octet-stream"},
        {B("a.html/b"), "application/octet-stream"},
        {B("a."), "application/octet-stream"},
        {B("a.unknown"), "application/octet-stream"},
        {B("a.htmlx"), "application/octet-stream"},
        {B(""), "application/octet-stream"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_bytes copy = copy_of(rows[i].name);
        assert_string_equal(tp_mime_type(copy), rows[i].type);
        drop(copy);
    }
}

/* ------------------------------------------------------------- codings -- */

#define BR TP_CODING_BR
#define GZIP TP_CODING_GZIP
#define PLAIN TP_CODING_IDENTITY
#define ALL (1u << BR | 1u << GZIP | 1u << PLAIN)

static const struct {
    sio_bytes fields[2]; /* the second with base NULL: one */
    unsigned offered;
    tp_coding want;
} accepts[] = {
    {{B("")}, ALL, PLAIN},
    {{B("gzip")}, ALL, GZIP},
    {{B("br")}, ALL, BR},
    {{B("BR")}, ALL, BR},
    {{B("gzip, deflate, br")}, ALL, GZIP},
    {{B("br, gzip")}, ALL, BR},
    {{B("gzip, deflate, br, zstd")}, ALL, GZIP},
    {{B("deflate")}, ALL, PLAIN},
    {{B("deflate, gzip;q=0.1")}, ALL, GZIP},
    {{B("gzip;q=0.5, br;q=0.8")}, ALL, BR},
    {{B("gzip;q=0.5, br;q=0.499")}, ALL, GZIP},
    {{B("gzip;q=0.001, br;q=0")}, ALL, GZIP},
    {{B("gzip;q=0")}, ALL, PLAIN},
    {{B("gzip;q=0.000")}, ALL, PLAIN},
    {{B("gzip ; Q=0.3 , br\t;\tq=0.2")}, ALL, GZIP},
    {{B("*")}, ALL, BR},
    {{B("*;q=0")}, ALL, PLAIN},
    {{B("*;q=0, gzip")}, ALL, GZIP},
    {{B("*, gzip")}, ALL, GZIP},
    {{B("*, gzip;q=0.5")}, ALL, BR},
    {{B("*, br;q=0")}, ALL, GZIP},
    {{B("br;q=0, *")}, ALL, GZIP},
    {{B("br;q=0.5, gzip;q=0.5, *")}, ALL, PLAIN},
    {{B("identity")}, ALL, PLAIN},
    {{B("identity, gzip")}, ALL, PLAIN},
    {{B("gzip, identity")}, ALL, GZIP},
    {{B("gzip;q=0.5, identity")}, ALL, PLAIN},
    {{B("identity;q=0")}, ALL, PLAIN},
    {{B("identity;q=0, br;q=0.1")}, ALL, BR},
    {{B("gzip;q=0.2, gzip;q=0.9, br;q=0.5")}, ALL, GZIP},
    {{B("gzip;q=2, br;q=0.1")}, ALL, BR},
    {{B("gzip;q=1.001, br;q=0.1")}, ALL, BR},
    {{B("gzip;q=0.1234, br;q=0.1")}, ALL, BR},
    {{B("gzip;q=-1, br;q=0.1")}, ALL, BR},
    {{B("gzip;q=, br;q=0.1")}, ALL, BR},
    {{B("gzip;q=1x, br;q=0.1")}, ALL, BR},
    {{B("gzip;q=1., br;q=0.1")}, ALL, GZIP},
    {{B("gzip;q=1.000, br")}, ALL, GZIP},
    {{B("gzip;level=9;q=0.1, br;q=0.2")}, ALL, BR},
    {{B("gzip;q, br;q=0.2")}, ALL, GZIP},
    {{B(",, ;q=1, gzip,,")}, ALL, GZIP},
    {{B("gzipped, xbr")}, ALL, PLAIN},
    {{B("gzip br")}, ALL, PLAIN},
    {{B("gzip"), B("br")}, ALL, GZIP},
    {{B("gzip;q=0.1"), B("br;q=0.2")}, ALL, BR},
    {{B("br, gzip")}, 1u << GZIP | 1u << PLAIN, GZIP},
    {{B("br, gzip")}, 1u << PLAIN, PLAIN},
    {{B("br, gzip")}, 0, PLAIN},
    {{B("*")}, 1u << GZIP | 1u << PLAIN, GZIP},
};

static void test_codings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(accepts); i++) {
        tp_http_head head = {.header_count = 0};
        for (size_t k = 0; k < 2 && accepts[i].fields[k].base != NULL; k++) {
            head.headers[head.header_count++] = (tp_http_header){
                SIO_LIT("Accept-Encoding"), copy_of(accepts[i].fields[k])};
        }
        tp_coding got = tp_coding_choose(&head, accepts[i].offered);
        if (got != accepts[i].want) {
            fail_msg("'%s' gives %d", (const char *)accepts[i].fields[0].base,
                     (int)got);
        }
        while (head.header_count != 0) {
            drop(head.headers[--head.header_count].value);
        }
    }
    tp_http_head none = {.header_count = 0};
    assert_int_equal(tp_coding_choose(&none, ALL), PLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),      cmocka_unit_test(test_path_parts),
        cmocka_unit_test(test_path_bytes), cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_index),      cmocka_unit_test(test_types),
        cmocka_unit_test(test_codings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
