#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/query.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define CHECK(label, cond)                                                     \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fail_msg("%s: %s", (label), #cond);                                \
        }                                                                      \
    } while (0)

/* Exactly as many bytes, where ASan sees a byte read too many. */
static uint8_t *copy_of(sio_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len);
    if (bytes.len != 0) {
        assert_non_null(copy);
        memcpy(copy, bytes.base, bytes.len);
    }
    return copy;
}

// clang-format off
static const struct {
    const char *label;
    sio_bytes query;
    size_t count;
    struct { sio_bytes name, value; } pairs[3];
} splits[] = {
    {"empty", B(""), 0, {{B(""), B("")}}},
    {"only separators", B("&&&"), 0, {{B(""), B("")}}},
    {"one", B("a=b"), 1, {{B("a"), B("b")}}},
    {"two", B("a=b&c=d"), 2, {{B("a"), B("b")}, {B("c"), B("d")}}},
    {"empty pieces", B("&a=b&&c=d&"), 2,
     {{B("a"), B("b")}, {B("c"), B("d")}}},
    {"no equals sign", B("a&b"), 2, {{B("a"), B("")}, {B("b"), B("")}}},
    {"empty value", B("a="), 1, {{B("a"), B("")}}},
    {"empty name", B("=a"), 1, {{B(""), B("a")}}},
    {"equals sign alone", B("="), 1, {{B(""), B("")}}},
    {"first equals sign", B("a=b=c"), 1, {{B("a"), B("b=c")}}},
    {"escapes stay", B("a%26=%3d"), 1, {{B("a%26"), B("%3d")}}},
    {"semicolon does not split", B("a=b;c=d"), 1, {{B("a"), B("b;c=d")}}},
    {"question mark is a byte", B("?a=b"), 1, {{B("?a"), B("b")}}},
    {"duplicates", B("a=1&a=2&a"), 3,
     {{B("a"), B("1")}, {B("a"), B("2")}, {B("a"), B("")}}},
    {"hostile names", B("__proto__=1&constructor[a]=2"), 2,
     {{B("__proto__"), B("1")}, {B("constructor[a]"), B("2")}}},
};

static const struct {
    const char *label;
    sio_bytes raw, text;
} decodings[] = {
    {"empty", B(""), B("")},
    {"plain", B("abc"), B("abc")},
    {"plus", B("+a+"), B(" a ")},
    {"escaped plus", B("%2B%2b"), B("++")},
    {"both cases", B("%4A%4a%fF"), B("JJ\xff")},
    {"NUL", B("a%00b"), B("a\0b")},
    {"once only", B("%2541"), B("%41")},
    {"percent alone", B("%"), B("%")},
    {"percent at the end", B("a%4"), B("a%4")},
    {"no hex", B("%zz%4g%g4%"), B("%zz%4g%g4%")},
    {"percent before an escape", B("%%41%4%41"), B("%A%4A")},
    {"plus in an escape", B("%+1"), B("% 1")},
    {"beyond ASCII", B("\xc3%bc"), B("\xc3\xbc")},
};

static const struct {
    const char *label;
    sio_bytes raw;
    bool is_sid;
} names[] = {
    {"as it is", B("sid"), true},
    {"another case", B("Sid"), false},
    {"empty", B(""), false},
    {"a beginning", B("si"), false},
    {"more", B("side"), false},
    {"one escape", B("%73id"), true},
    {"all escaped", B("%73%69%64"), true},
    {"an escape of another", B("%74id"), false},
    {"an escape that is none", B("%7zid"), false},
    {"an escape cut short", B("si%6"), false},
    {"as long as one that fits", B("%73"), false},
    {"a space", B("s+d"), false},
};

static const struct {
    const char *label;
    sio_bytes query, name;
    bool found;
    sio_bytes value;
} gets[] = {
    {"first", B("EIO=4&sid=x"), B("EIO"), true, B("4")},
    {"last", B("EIO=4&sid=x"), B("sid"), true, B("x")},
    {"last duplicate wins", B("EIO=3&a=b&EIO=4"), B("EIO"), true, B("4")},
    {"empty duplicate wins", B("EIO=3&EIO"), B("EIO"), true, B("")},
    {"absent", B("EIO=4"), B("sid"), false, B("")},
    {"names have a case", B("eio=4"), B("EIO"), false, B("")},
    {"prefix", B("EI=1"), B("EIO"), false, B("")},
    {"longer", B("EIOX=1"), B("EIO"), false, B("")},
    {"value is no name", B("a=EIO"), B("EIO"), false, B("")},
    {"escaped name", B("%45I%4f=4"), B("EIO"), true, B("4")},
    {"escaped duplicate wins", B("EIO=3&%45IO=4"), B("EIO"), true, B("4")},
    {"name with a space", B("a+b=1&a%20b=2"), B("a b"), true, B("2")},
    {"literal percent", B("%4=1"), B("%4"), true, B("1")},
    {"value stays raw", B("a=%41+"), B("a"), true, B("%41+")},
    {"empty name", B("a=1&=2"), B(""), true, B("2")},
    {"no empty name", B("&&"), B(""), false, B("")},
    {"name with a NUL", B("a%00=1"), B("a"), false, B("")},
    {"hostile name", B("__proto__=1"), B("__proto__"), true, B("1")},
    {"hostile name absent", B("a=1"), B("__proto__"), false, B("")},
    {"no query", {NULL, 0}, B("a"), false, B("")},
};
// clang-format on

static void test_splits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(splits); i++) {
        const char *label = splits[i].label;
        uint8_t *copy = copy_of(splits[i].query);
        sio_query it = {.rest = {copy, splits[i].query.len}};
        sio_bytes name, value;
        for (size_t n = 0; n < splits[i].count; n++) {
            CHECK(label, sio_query_next(&it, &name, &value));
            CHECK(label, sio_bytes_eq(name, splits[i].pairs[n].name));
            CHECK(label, sio_bytes_eq(value, splits[i].pairs[n].value));
        }
        CHECK(label, !sio_query_next(&it, &name, &value));
        CHECK(label, !sio_query_next(&it, &name, &value));
        free(copy);
    }
}

/* Into other memory and in place. */
static void test_decodings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(decodings); i++) {
        sio_bytes raw = decodings[i].raw, text = decodings[i].text;
        uint8_t *from = copy_of(raw), *to = copy_of(raw);
        size_t len = 77;
        sio_query_decode((sio_bytes){from, raw.len}, to, &len);
        CHECK(decodings[i].label, sio_bytes_eq((sio_bytes){to, len}, text));
        sio_query_decode((sio_bytes){from, raw.len}, from, &len);
        CHECK(decodings[i].label, sio_bytes_eq((sio_bytes){from, len}, text));
        free(from);
        free(to);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        sio_bytes raw = names[i].raw;
        uint8_t *copy = copy_of(raw);
        CHECK(names[i].label, sio_query_is((sio_bytes){copy, raw.len},
                                           SIO_LIT("sid")) == names[i].is_sid);
        free(copy);
    }
    assert_true(sio_query_is_plain(SIO_LIT("")));
    assert_true(sio_query_is_plain(SIO_LIT("a-b_c.d~e=&")));
    assert_false(sio_query_is_plain(SIO_LIT("a%")));
    assert_false(sio_query_is_plain(SIO_LIT("+a")));
}

static void test_gets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(gets); i++) {
        uint8_t *copy = copy_of(gets[i].query);
        sio_bytes query = {copy, gets[i].query.len};
        sio_bytes value = SIO_LIT("untouched");
        sio_bytes want = gets[i].found ? gets[i].value : value;
        CHECK(gets[i].label,
              sio_query_get(query, gets[i].name, &value) == gets[i].found);
        CHECK(gets[i].label, sio_bytes_eq(value, want));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_decodings),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_gets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
