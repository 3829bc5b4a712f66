#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)
#define IS(type) SIO_OK, SIO_JSON_##type
#define BAD SIO_ERR_JSON, SIO_JSON_NONE
#define DEEP SIO_ERR_JSON_DEPTH, SIO_JSON_NONE

#define DEPTH 4 /* the limit for `texts` */

// clang-format off
static const struct {
    const char *label;
    sio_bytes in;
    sio_error err;
    sio_json_type type;
} texts[] = {
    /* Words */
    {"null", B("null"), IS(NULL)},
    {"true", B("true"), IS(TRUE)},
    {"false", B("false"), IS(FALSE)},
    {"capital", B("True"), BAD},
    {"all capitals", B("NULL"), BAD},
    {"word too short", B("nul"), BAD},
    {"word with more", B("nulll"), BAD},
    {"two words", B("true false"), BAD},
    {"undefined", B("undefined"), BAD},
    {"NaN", B("NaN"), BAD},
    {"Infinity", B("Infinity"), BAD},
    {"-Infinity", B("-Infinity"), BAD},

    /* Numbers */
    {"zero", B("0"), IS(NUMBER)},
    {"minus zero", B("-0"), IS(NUMBER)},
    {"one digit", B("7"), IS(NUMBER)},
    {"many digits", B("12345678901234567890123456789012345"), IS(NUMBER)},
    {"negative", B("-12"), IS(NUMBER)},
    {"fraction", B("0.5"), IS(NUMBER)},
    {"fraction with zeros", B("10.050"), IS(NUMBER)},
    {"negative fraction", B("-0.0"), IS(NUMBER)},
    {"exponent", B("1e5"), IS(NUMBER)},
    {"capital exponent", B("1E5"), IS(NUMBER)},
    {"exponent plus", B("1e+5"), IS(NUMBER)},
    {"exponent minus", B("1e-5"), IS(NUMBER)},
    {"exponent zeros", B("1e007"), IS(NUMBER)},
    {"zero exponent", B("0e0"), IS(NUMBER)},
    {"fraction and exponent", B("-1.25E-10"), IS(NUMBER)},
    {"beyond a double", B("1e400"), IS(NUMBER)},
    {"leading zero", B("01"), BAD},
    {"two zeros", B("00"), BAD},
    {"negative leading zero", B("-01"), BAD},
    {"minus alone", B("-"), BAD},
    {"two minus", B("--1"), BAD},
    {"plus", B("+1"), BAD},
    {"no digit before the point", B(".5"), BAD},
    {"minus point", B("-.5"), BAD},
    {"no digit behind the point", B("1."), BAD},
    {"point then exponent", B("1.e5"), BAD},
    {"exponent alone", B("e5"), BAD},
    {"no digit in the exponent", B("1e"), BAD},
    {"sign alone in the exponent", B("1e+"), BAD},
    {"two signs in the exponent", B("1e+-5"), BAD},
    {"fraction in the exponent", B("1e5.0"), BAD},
    {"two points", B("1.2.3"), BAD},
    {"two exponents", B("1e5e5"), BAD},
    {"hexadecimal", B("0x10"), BAD},
    {"letter behind", B("1a"), BAD},
    {"blank inside", B("1 2"), BAD},
    {"blank behind minus", B("- 1"), BAD},
    {"separator", B("1_000"), BAD},
    {"comma", B("1,"), BAD},

    /* Strings */
    {"empty string", B("\"\""), IS(STRING)},
    {"letters", B("\"abc\""), IS(STRING)},
    {"blanks", B("\" \""), IS(STRING)},
    {"slash", B("\"/\""), IS(STRING)},
    {"single quote", B("\"'\""), IS(STRING)},
    {"DEL", B("\"\x7f\""), IS(STRING)},
    {"UTF-8", B("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""), IS(STRING)},
    {"line separator", B("\"\xe2\x80\xa8\""), IS(STRING)},
    {"any high byte", B("\"\xff\x80\""), IS(STRING)},
    {"brackets", B("\"[{}]\""), IS(STRING)},
    {"14 letters", B("\"0123456789abcd\""), IS(STRING)},
    {"15 letters", B("\"0123456789abcde\""), IS(STRING)},
    {"16 letters", B("\"0123456789abcdef\""), IS(STRING)},
    {"40 letters", B("\"0123456789abcdef0123456789abcdef01234567\""),
     IS(STRING)},
    {"all short escapes", B("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), IS(STRING)},
    {"unicode escape", B("\"\\u0041\""), IS(STRING)},
    {"hex in both cases", B("\"\\uabCD\\uABcd\""), IS(STRING)},
    {"escaped NUL", B("\"\\u0000\""), IS(STRING)},
    {"escaped surrogate pair", B("\"\\ud83d\\ude00\""), IS(STRING)},
    {"escaped lone surrogate", B("\"\\ud83d\""), IS(STRING)},
    {"escaped swapped surrogates", B("\"\\ude00\\ud83d\""), IS(STRING)},
    {"escape late", B("\"0123456789abcdef0123\\n\""), IS(STRING)},
    {"escaped quote last", B("\"\\\"\""), IS(STRING)},
    {"escaped backslash last", B("\"\\\\\""), IS(STRING)},
    {"no end", B("\"abc"), BAD},
    {"quote alone", B("\""), BAD},
    {"end escaped", B("\"abc\\\""), BAD},
    {"no start", B("abc\""), BAD},
    {"single quotes", B("'abc'"), BAD},
    {"unknown escape", B("\"\\a\""), BAD},
    {"escaped NUL byte", B("\"\\\0\""), BAD},
    {"escaped single quote", B("\"\\'\""), BAD},
    {"octal escape", B("\"\\01\""), BAD},
    {"hex escape", B("\"\\x41\""), BAD},
    {"capital unicode escape", B("\"\\U0041\""), BAD},
    {"three hex digits", B("\"\\u004\""), BAD},
    {"no hex digit", B("\"\\u00g0\""), BAD},
    {"sign in hex", B("\"\\u-041\""), BAD},
    {"escape cut short", B("\"\\u00"), BAD},
    {"backslash cut short", B("\"\\"), BAD},
    {"NUL inside", B("\"a\0b\""), BAD},
    {"newline inside", B("\"a\nb\""), BAD},
    {"tab inside", B("\"a\tb\""), BAD},
    {"1F inside", B("\"a\x1f\""), BAD},
    {"control late", B("\"0123456789abcdef0123\x01\""), BAD},
    {"1F late", B("\"0123456789abcdef0123456789\x1f" "0123456789\""), BAD},
    {"blanks late", B("\"0123456789abcdef           0123456789\""), IS(STRING)},
    {"control, escaped", B("\"\\\x0a\""), BAD},
    {"two strings", B("\"a\"\"b\""), BAD},

    /* Arrays */
    {"empty array", B("[]"), IS(ARRAY)},
    {"blank array", B("[ ]"), IS(ARRAY)},
    {"one element", B("[1]"), IS(ARRAY)},
    {"all types", B("[null,true,false,0,\"\",[],{}]"), IS(ARRAY)},
    {"blanks everywhere", B(" [ 1 , 2 ] "), IS(ARRAY)},
    {"trailing comma", B("[1,]"), BAD},
    {"leading comma", B("[,1]"), BAD},
    {"comma alone", B("[,]"), BAD},
    {"two commas", B("[1,,2]"), BAD},
    {"no comma", B("[1 2]"), BAD},
    {"no comma, strings", B("[\"a\"\"b\"]"), BAD},
    {"colon", B("[1:2]"), BAD},
    {"array cut short", B("[1,2"), BAD},
    {"cut behind comma", B("[1,"), BAD},
    {"opening alone", B("["), BAD},
    {"closing alone", B("]"), BAD},
    {"one closing too many", B("[1]]"), BAD},
    {"closed by brace", B("[1}"), BAD},
    {"inner closed by brace", B("[[1}]"), BAD},
    {"comment", B("[1/*2*/]"), BAD},
    {"line comment", B("[1]//"), BAD},
    {"two arrays", B("[][]"), BAD},

    /* Objects */
    {"empty object", B("{}"), IS(OBJECT)},
    {"blank object", B("{ }"), IS(OBJECT)},
    {"one member", B("{\"a\":1}"), IS(OBJECT)},
    {"two members", B("{\"a\":1,\"b\":[2]}"), IS(OBJECT)},
    {"empty key", B("{\"\":0}"), IS(OBJECT)},
    {"equal keys", B("{\"a\":1,\"a\":2}"), IS(OBJECT)},
    {"escape in key", B("{\"\\u0061\\n\":1}"), IS(OBJECT)},
    {"blanks in object", B("{ \"a\" : 1 , \"b\" : { } }"), IS(OBJECT)},
    {"nested", B("{\"a\":{\"b\":[{}]}}"), IS(OBJECT)},
    {"object trailing comma", B("{\"a\":1,}"), BAD},
    {"object leading comma", B("{,\"a\":1}"), BAD},
    {"object comma alone", B("{,}"), BAD},
    {"no colon", B("{\"a\" 1}"), BAD},
    {"equals sign", B("{\"a\"=1}"), BAD},
    {"two colons", B("{\"a\"::1}"), BAD},
    {"no value", B("{\"a\":}"), BAD},
    {"key alone", B("{\"a\"}"), BAD},
    {"number as key", B("{1:1}"), BAD},
    {"word as key", B("{null:1}"), BAD},
    {"bare key", B("{a:1}"), BAD},
    {"array as key", B("{[]:1}"), BAD},
    {"single quoted key", B("{'a':1}"), BAD},
    {"bad key", B("{\"\\q\":1}"), BAD},
    {"no comma between", B("{\"a\":1 \"b\":2}"), BAD},
    {"closed by bracket", B("{\"a\":1]"), BAD},
    {"empty, closed by bracket", B("{]"), BAD},
    {"object cut short", B("{\"a\":1"), BAD},
    {"object cut in key", B("{\"a"), BAD},
    {"object cut behind key", B("{\"a\""), BAD},
    {"object cut behind colon", B("{\"a\":"), BAD},
    {"object cut behind comma", B("{\"a\":1,"), BAD},
    {"brace alone", B("{"), BAD},
    {"closing brace alone", B("}"), BAD},
    {"one brace too many", B("{}}"), BAD},

    /* Around the value */
    {"all whitespace", B(" \t\r\n1 \t\r\n"), IS(NUMBER)},
    {"whitespace around a word", B("\n\ntrue\n"), IS(TRUE)},
    {"nothing", B(""), BAD},
    {"blank", B(" "), BAD},
    {"vertical tab", B("\v1"), BAD},
    {"form feed", B("1\f"), BAD},
    {"no-break space", B("\xc2\xa0" "1"), BAD},
    {"byte order mark", B("\xef\xbb\xbf" "1"), BAD},
    {"byte order mark behind", B("1\xef\xbb\xbf"), BAD},
    {"UTF-16", B("[\0]\0"), BAD},
    {"high byte outside", B("[\x80]"), BAD},
    {"letter outside", B("[\xc3\xa9]"), BAD},
    {"NUL behind", B("1\0"), BAD},
    {"NUL before", B("\0" "1"), BAD},
    {"backslash outside", B("[\\n]"), BAD},
    {"semicolon", B("{};"), BAD},

    /* Depth */
    {"as deep as allowed", B("[[[[]]]]"), IS(ARRAY)},
    {"as deep, mixed", B("{\"a\":[{\"b\":[1]}]}"), IS(OBJECT)},
    {"deep twice", B("[[[[]]],[[[]]]]"), IS(ARRAY)},
    {"too deep", B("[[[[[]]]]]"), DEEP},
    {"too deep in objects", B("{\"\":{\"\":{\"\":{\"\":{}}}}}"), DEEP},
    {"too deep the second time", B("[[[[]]],[[[[]]]]]"), DEEP},
    {"too deep, cut short", B("[[[[["), DEEP},
    {"malformed before too deep", B("[[x,[[[["), BAD},
};
// clang-format on

static void check(const char *label, intmax_t got, intmax_t want)
{
    if (got != want) {
        fail_msg("%s: %jd, not %jd", label, got, want);
    }
}

/* Where ASan sees a byte read too many. */
static sio_bytes copy_of(sio_bytes in)
{
    uint8_t *copy = malloc(in.len);
    if (in.len != 0) {
        memcpy(copy, in.base, in.len);
    }
    return (sio_bytes){copy, in.len};
}

static void drop(sio_bytes copy)
{
    free((void *)(uintptr_t)copy.base);
}

static void test_texts(void **state)
{
    (void)state;
    assert_true(COUNT(texts) >= 120);
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_bytes in = copy_of(texts[i].in);
        const char *label = texts[i].label;
        check(label, sio_json_check(in, DEPTH), texts[i].err);
        if (texts[i].err == SIO_OK) {
            sio_json_type type;
            size_t used;
            check(label, sio_json_scan(in, DEPTH, &type, &used), SIO_OK);
            check(label, type, texts[i].type);
            check(label, sio_json_check((sio_bytes){in.base, used}, DEPTH),
                  SIO_OK);
            check(label, strchr(" \t\r\n", in.base[used - 1]) == NULL, true);
        }
        drop(in);
    }
}

/* A value that ends by itself is whole at its last byte and not before. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_json_type type = SIO_JSON_NONE;
        size_t used = 0;
        if (texts[i].err != SIO_OK) {
            continue;
        }
        sio_json_scan(texts[i].in, DEPTH, &type, &used);
        for (size_t len = 0; len <= texts[i].in.len; len++) {
            sio_bytes in = copy_of((sio_bytes){texts[i].in.base, len});
            sio_error err = sio_json_check(in, DEPTH);
            if (type != SIO_JSON_NUMBER || len >= used) {
                check(texts[i].label, err, len >= used ? SIO_OK : SIO_ERR_JSON);
            }
            drop(in);
        }
    }
}

/* Any one byte changed in any text must not lead outside it. */
static void test_changes(void **state)
{
    (void)state;
    static const char others[] = "\"\\[]{},:u0e-.t \x01\xff";
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_bytes in = copy_of(texts[i].in);
        uint8_t *bytes = (uint8_t *)(uintptr_t)in.base;
        for (size_t at = 0; at < in.len * sizeof(others); at++) {
            uint8_t *byte = &bytes[at / sizeof(others)];
            uint8_t before = *byte;
            *byte = (uint8_t)others[at % sizeof(others)];
            sio_json_items it = sio_json_items_of_array(in);
            sio_bytes item;
            sio_json_type type;
            sio_json_check(in, DEPTH);
            for (size_t n = 0; sio_json_items_next(&it, &item, &type); n++) {
                check(texts[i].label, n < in.len && item.len > 0, true);
            }
            *byte = before;
        }
        drop(in);
    }
}

/* A list passes exactly where its array does. */
static void test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        sio_bytes in = copy_of(texts[i].in);
        uint8_t *array = malloc(in.len + 2);
        sio_bytes whole = {array, in.len + 2};
        array[0] = '[';
        memcpy(array + 1, in.base, in.len);
        array[in.len + 1] = ']';
        unsigned count = 77;
        sio_json_array parts;
        for (unsigned depth = 0; depth <= DEPTH + 1; depth++) {
            sio_error err = sio_json_list_check(in, depth, &count);
            sio_error want = sio_json_check(whole, depth);
            /* Where the list has a bracket too many, so has the array. */
            check(texts[i].label, err, want);
            check(texts[i].label,
                  sio_json_array_scan(whole, depth, NULL, NULL, &parts), want);
            if (err == SIO_OK) {
                check(texts[i].label, count, parts.count);
            }
        }
        free(array);
        drop(in);
    }
}

// clang-format off
static const struct {
    const char *label;
    sio_bytes in, first, rest, all;
    unsigned count;
    sio_json_type first_type;
    sio_error err;
} arrays[] = {
    {"empty", B("[]"), B(""), B(""), B(""), 0, SIO_JSON_NONE, SIO_OK},
    {"blank", B(" [ ] "), B(""), B(""), B(""), 0, SIO_JSON_NONE, SIO_OK},
    {"one", B("[1]"), B("1"), B(""), B("1"), 1, SIO_JSON_NUMBER, SIO_OK},
    {"two", B("[\"a\",{}]"), B("\"a\""), B("{}"), B("\"a\",{}"), 2,
     SIO_JSON_STRING, SIO_OK},
    {"blanks", B(" [ [1 ] , 2 , 3 ] "), B("[1 ]"), B("2 , 3"),
     B("[1 ] , 2 , 3"), 3, SIO_JSON_ARRAY, SIO_OK},
    {"number", B("1"), B(""), B(""), B(""), 0, SIO_JSON_NONE,
     SIO_ERR_MISMATCH},
    {"object", B(" {\"a\":[]} "), B(""), B(""), B(""), 0, SIO_JSON_NONE,
     SIO_ERR_MISMATCH},
    {"malformed object", B("{\"a\"}"), B(""), B(""), B(""), 0, SIO_JSON_NONE,
     SIO_ERR_JSON},
    {"more behind", B("[1]2"), B(""), B(""), B(""), 0, SIO_JSON_NONE,
     SIO_ERR_JSON},
    {"nothing", B(""), B(""), B(""), B(""), 0, SIO_JSON_NONE, SIO_ERR_JSON},
};
// clang-format on

static void test_arrays(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(arrays); i++) {
        const char *label = arrays[i].label;
        sio_bytes in = copy_of(arrays[i].in);
        sio_json_array got = {0};
        sio_error err = sio_json_array_scan(in, DEPTH, NULL, NULL, &got);
        check(label, err, arrays[i].err);
        if (err == SIO_OK) {
            check(label, got.count, arrays[i].count);
            check(label, got.first_type, arrays[i].first_type);
            check(label, sio_bytes_eq(got.first, arrays[i].first), true);
            check(label, sio_bytes_eq(got.rest, arrays[i].rest), true);
            check(label, sio_bytes_eq(got.all, arrays[i].all), true);
        }
        drop(in);
    }
}

static void test_items(void **state)
{
    (void)state;
    static const struct {
        sio_bytes text;
        sio_json_type type;
    } want[] = {
        {B("1"), SIO_JSON_NUMBER},
        {B("\"a,]\\\"[\""), SIO_JSON_STRING},
        {B("[1,[2],\"]\"]"), SIO_JSON_ARRAY},
        {B("{\"}\":{\"a\":[ ]}}"), SIO_JSON_OBJECT},
        {B("null"), SIO_JSON_NULL},
        {B("true"), SIO_JSON_TRUE},
        {B("false"), SIO_JSON_FALSE},
        {B("-1.5e3"), SIO_JSON_NUMBER},
        {B("[]"), SIO_JSON_ARRAY},
    };
    static const char *const forms[] = {",", " , ", "\n,\t"};
    for (size_t f = 0; f < COUNT(forms); f++) {
        char text[200] = "[";
        for (size_t i = 0; i < COUNT(want); i++) {
            strcat(text, i == 0 ? "" : forms[f]);
            strncat(text, (const char *)want[i].text.base, want[i].text.len);
        }
        strcat(text, "] ");
        sio_bytes in = copy_of((sio_bytes){(uint8_t *)text, strlen(text)});
        sio_json_array parts;
        sio_json_array_scan(in, 8, NULL, NULL, &parts);
        assert_int_equal(parts.count, COUNT(want));
        for (int list = 0; list < 2; list++) {
            sio_json_items it = list ? sio_json_items_of_list(parts.all)
                                     : sio_json_items_of_array(in);
            sio_bytes item;
            sio_json_type type;
            size_t i = 0;
            for (; sio_json_items_next(&it, &item, &type); i++) {
                assert_true(i < COUNT(want));
                assert_true(sio_bytes_eq(item, want[i].text));
                assert_int_equal(type, want[i].type);
            }
            assert_int_equal(i, COUNT(want));
            assert_false(sio_json_items_next(&it, &item, &type));
        }
        drop(in);
    }
    sio_bytes item;
    sio_json_type type;
    sio_json_items none = sio_json_items_of_list((sio_bytes){0});
    assert_false(sio_json_items_next(&none, &item, &type));
    none = sio_json_items_of_array(SIO_LIT(" [ ] "));
    assert_false(sio_json_items_next(&none, &item, &type));
}

/* Depth is exact at the greatest limit, and a greater one changes nothing. */
static void test_deepest(void **state)
{
    (void)state;
    size_t most = SIO_JSON_DEPTH_MAX;
    uint8_t *text = malloc(2 * most + 2);
    memset(text, '[', most + 1);
    memset(text + most + 1, ']', most + 1);
    sio_bytes fits = {text + 1, 2 * most}, deep = {text, 2 * most + 2};
    unsigned limits[] = {SIO_JSON_DEPTH_MAX, SIO_JSON_DEPTH_MAX + 1, UINT_MAX};

    for (size_t i = 0; i < COUNT(limits); i++) {
        assert_int_equal(sio_json_check(fits, limits[i]), SIO_OK);
        assert_int_equal(sio_json_check(deep, limits[i]), SIO_ERR_JSON_DEPTH);
    }
    assert_int_equal(sio_json_check(fits, SIO_JSON_DEPTH_MAX - 1),
                     SIO_ERR_JSON_DEPTH);
    assert_int_equal(sio_json_check(SIO_LIT("[]"), 0), SIO_ERR_JSON_DEPTH);
    assert_int_equal(sio_json_check(SIO_LIT("1"), 0), SIO_OK);
    free(text);
}

typedef struct notes {
    char text[200]; /* "object>num;" for each placeholder */
    unsigned left;  /* how many to accept */
} notes;

static sio_error note(void *arg, sio_bytes object, sio_bytes num)
{
    notes *n = arg;
    if (n->left-- == 0) {
        return SIO_ERR_ATTACHMENTS;
    }
    strncat(n->text, (const char *)object.base, object.len);
    strcat(n->text, ">");
    if (num.len != 0) {
        strncat(n->text, (const char *)num.base, num.len);
    }
    strcat(n->text, ";");
    return SIO_OK;
}

#define P "{\"_placeholder\":true,\"num\":0}"

// clang-format off
static const struct {
    const char *label;
    const char *in, *found;
} placeholders[] = {
    {"none", "[1,{\"a\":1}]", ""},
    {"alone", P, P ">0;"},
    {"in an array", "[" P "," P "]", P ">0;" P ">0;"},
    {"other order", "{\"num\":12,\"_placeholder\":true}",
     "{\"num\":12,\"_placeholder\":true}>12;"},
    {"blanks", "{ \"_placeholder\" : true , \"num\" : 3 }",
     "{ \"_placeholder\" : true , \"num\" : 3 }>3;"},
    {"no num", "{\"_placeholder\":true}", "{\"_placeholder\":true}>;"},
    {"num is a string", "{\"_placeholder\":true,\"num\":\"a\"}",
     "{\"_placeholder\":true,\"num\":\"a\"}>\"a\";"},
    {"num is an object", "{\"_placeholder\":true,\"num\":{\"num\":[1]} }",
     "{\"_placeholder\":true,\"num\":{\"num\":[1]} }>{\"num\":[1]};"},
    {"num is an array", "{\"_placeholder\":true,\"num\":[[],{}]}",
     "{\"_placeholder\":true,\"num\":[[],{}]}>[[],{}];"},
    {"false", "{\"_placeholder\":false,\"num\":0}", ""},
    {"one", "{\"_placeholder\":1,\"num\":0}", ""},
    {"text", "{\"_placeholder\":\"true\",\"num\":0}", ""},
    {"a value, no key", "[\"_placeholder\",true]", ""},
    {"a value in an object", "{\"a\":\"_placeholder\"}", ""},
    {"similar keys", "{\"_placeholders\":true,\"_Placeholder\":true}", ""},
    {"escaped keys", "{\"\\u005fplaceholder\":true,\"n\\u0075m\":7}",
     "{\"\\u005fplaceholder\":true,\"n\\u0075m\":7}>7;"},
    {"more members", "{\"a\":[{}],\"_placeholder\":true,\"b\":1,\"num\":1,\"c\":2}",
     "{\"a\":[{}],\"_placeholder\":true,\"b\":1,\"num\":1,\"c\":2}>1;"},
    {"last key: false", "{\"_placeholder\":true,\"_placeholder\":false}", ""},
    {"last key: true", "{\"_placeholder\":false,\"_placeholder\":true}",
     "{\"_placeholder\":false,\"_placeholder\":true}>;"},
    {"last num", "{\"num\":1,\"_placeholder\":true,\"num\":2}",
     "{\"num\":1,\"_placeholder\":true,\"num\":2}>2;"},
    {"num of another object", "{\"_placeholder\":true,\"a\":{\"num\":1}}",
     "{\"_placeholder\":true,\"a\":{\"num\":1}}>;"},
    {"mark of another object", "{\"num\":1,\"a\":{\"_placeholder\":true}}",
     "{\"_placeholder\":true}>;"},
    {"inner before outer", "{\"num\":" P ",\"_placeholder\":true}",
     P ">0;{\"num\":" P ",\"_placeholder\":true}>" P ";"},
    {"behind a sibling", "[{\"num\":1},{\"_placeholder\":true}]",
     "{\"_placeholder\":true}>;"},
    {"deep", "{\"a\":[{\"b\":[" P "]}]}", P ">0;"},
};
// clang-format on

static void test_placeholders(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(placeholders); i++) {
        const char *label = placeholders[i].label;
        const char *text = placeholders[i].in;
        sio_bytes in =
            copy_of((sio_bytes){(const uint8_t *)text, strlen(text)});
        notes n = {.left = 9};
        check(label, sio_json_check_placeholders(in, 9, note, &n), SIO_OK);
        if (strcmp(n.text, placeholders[i].found) != 0) {
            fail_msg("%s: %s", label, n.text);
        }
        drop(in);
    }
    notes n = {.left = 1};
    sio_bytes two = SIO_LIT("[" P "," P "]");
    assert_int_equal(sio_json_check_placeholders(two, 9, note, &n),
                     SIO_ERR_ATTACHMENTS);
    n = (notes){.left = 1};
    sio_json_array array;
    assert_int_equal(sio_json_array_scan(two, 9, note, &n, &array),
                     SIO_ERR_ATTACHMENTS);
    n = (notes){.left = 2};
    assert_int_equal(sio_json_array_scan(two, 9, note, &n, &array), SIO_OK);
    assert_string_equal(n.text, P ">0;" P ">0;");
    assert_int_equal(sio_json_check_placeholders(two, 1, note, &n),
                     SIO_ERR_JSON_DEPTH);
    n = (notes){.left = 2};
    assert_int_equal(
        sio_json_check_placeholders(SIO_LIT("[" P ",]"), 9, note, &n),
        SIO_ERR_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_changes), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_arrays),  cmocka_unit_test(test_items),
        cmocka_unit_test(test_deepest), cmocka_unit_test(test_placeholders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
