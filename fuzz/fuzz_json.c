#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/json.h"
#include "base/utf8.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define DEPTH 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Whether jansson takes the text.  Its rules are ours except that it refuses
 * lone surrogates, keys with a NUL and numbers beyond its own types, and takes
 * a NUL byte for the end of the text: nothing follows then, and `*known` is
 * false.
 */
static bool jansson_takes(sio_bytes in, bool *known)
{
    size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    json_error_t error;
    json_t *tree = json_loadb((const char *)in.base, in.len, flags, &error);
    *known = memchr(in.base, 0, in.len) == NULL;
    if (tree == NULL && *known) {
        enum json_error_code code = json_error_code(&error);
        *known = code != json_error_numeric_overflow &&
                 code != json_error_null_byte_in_key &&
                 strstr(error.text, "Unicode") == NULL;
    }
    json_decref(tree);
    return tree != NULL;
}

/* Items are inside their list, apart from each other, and well-formed; between
 * them are commas and whitespace, as many commas as it takes. */
static void check_items(sio_bytes array)
{
    sio_json_array parts;
    if (sio_json_array_scan(array, DEPTH, NULL, NULL, &parts) != SIO_OK) {
        return;
    }
    sio_json_items it = sio_json_items_of_array(array);
    sio_bytes item;
    sio_json_type type, scanned;
    const uint8_t *at = parts.all.base;
    unsigned count = 0, commas = 0, listed;
    size_t used;

    for (; sio_json_items_next(&it, &item, &type); count++) {
        for (; at < item.base; at++) {
            REQUIRE(strchr(", \t\r\n", *at) != NULL);
            commas += *at == ',';
        }
        REQUIRE(sio_json_scan(item, DEPTH, &scanned, &used) == SIO_OK);
        REQUIRE(scanned == type && used == item.len);
        REQUIRE(count != 0 || sio_bytes_eq(item, parts.first));
        REQUIRE(count != 1 || item.base == parts.rest.base);
        at = item.base + item.len;
    }
    REQUIRE(count == 0 || at == parts.all.base + parts.all.len);
    REQUIRE(count == 0 || commas == count - 1);
    REQUIRE(count == parts.count);
    REQUIRE(sio_json_list_check(parts.all, DEPTH, &listed) == SIO_OK);
    REQUIRE(listed == count);
}

/* Any text, written as a string and read back, is as before. */
static void check_round_trip(sio_bytes in)
{
    sio_writer w = {0};
    sio_json_write_string(&w, in);
    w = (sio_writer){malloc(w.len), w.len, 0};
    sio_json_write_string(&w, in);
    REQUIRE(w.len == w.cap);
    sio_bytes string = {w.base, w.len};
    size_t len;
    REQUIRE(sio_json_check(string, 0) == SIO_OK);
    REQUIRE(sio_json_string_is(string, in));
    REQUIRE(sio_json_unescape(string, w.base, &len) == SIO_OK);
    REQUIRE(sio_bytes_eq((sio_bytes){w.base, len}, in));
    free(w.base);
}

static void check_unescape(sio_bytes in)
{
    uint8_t *out = malloc(in.len);
    size_t len;
    sio_error err = sio_json_unescape(in, out, &len);
    bool is_string = in.len != 0 && in.base[0] == '"' &&
                     in.base[in.len - 1] == '"' &&
                     sio_json_check(in, 0) == SIO_OK;
    REQUIRE((err == SIO_OK) == is_string);
    if (is_string) {
        sio_bytes text = {out, len};
        REQUIRE(len <= in.len - 2 && sio_json_string_is(in, text));
        REQUIRE(!sio_utf8_valid(in) || sio_utf8_valid(text));
    }
    free(out);
}

typedef struct found {
    sio_bytes text;
    const uint8_t *last; /* where the one before ended */
} found;

static sio_error check_placeholder(void *arg, sio_bytes object, sio_bytes num)
{
    found *f = arg;
    const uint8_t *end = object.base + object.len;
    size_t used;
    sio_json_type type;
    REQUIRE(object.base >= f->text.base && end > f->last);
    REQUIRE(end <= f->text.base + f->text.len);
    REQUIRE(sio_json_scan(object, DEPTH, &type, &used) == SIO_OK);
    REQUIRE(type == SIO_JSON_OBJECT && used == object.len);
    if (num.len != 0) {
        REQUIRE(num.base > object.base && num.base + num.len < end);
        REQUIRE(sio_json_scan(num, DEPTH, &type, &used) == SIO_OK);
        REQUIRE(used == num.len);
    }
    f->last = end;
    return SIO_OK;
}

/*
 * The scanner agrees with jansson about what is JSON, with itself about where
 * things are, and what it writes it reads.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sio_bytes in = {data, size};
    sio_error err = sio_json_check(in, DEPTH);
    found f = {in, data};

    REQUIRE(sio_json_check_placeholders(in, DEPTH, check_placeholder, &f) ==
            err);
    check_items(in);
    check_round_trip(in);
    check_unescape(in);

    bool known;
    if (size != 0 && sio_utf8_valid(in) && err != SIO_ERR_JSON_DEPTH) {
        bool taken = jansson_takes(in, &known);
        REQUIRE(!known || taken == (err == SIO_OK));
    }
    return 0;
}
