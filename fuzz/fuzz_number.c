#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any double is read back from its text, by libc, too. */
static void check_write(double value)
{
    char text[SIO_NUMBER_MAX + 1];
    sio_writer w = {(uint8_t *)text, SIO_NUMBER_MAX, 0};
    sio_json_type type;
    size_t used;
    sio_number_write(&w, value);
    REQUIRE(w.len <= SIO_NUMBER_MAX);
    text[w.len] = '\0';
    sio_bytes view = {(uint8_t *)text, w.len};
    REQUIRE(sio_json_scan(view, 0, &type, &used) == SIO_OK && used == w.len);
    REQUIRE((type == SIO_JSON_NULL) == (value - value != 0));
    if (type == SIO_JSON_NUMBER) {
        REQUIRE(sio_number_read(view) == value && strtod(text, NULL) == value);
    }
}

/* Any number is read as libc does. */
static void check_read(sio_bytes in)
{
    sio_json_type type;
    size_t used;
    uint64_t magnitude;
    bool negative;
    if (sio_json_scan(in, 0, &type, &used) != SIO_OK ||
        type != SIO_JSON_NUMBER || used != in.len || in.base[0] <= ' ') {
        return;
    }
    char *text = malloc(in.len + 1);
    memcpy(text, in.base, in.len);
    text[in.len] = '\0';
    double value = sio_number_read(in);
    double expected = strtod(text, NULL);
    REQUIRE(memcmp(&value, &expected, sizeof(value)) == 0);
    if (sio_number_is_integer(in, &magnitude, &negative)) {
        double same = (double)magnitude;
        REQUIRE(value == (negative ? -same : same));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double value;
    if (size >= sizeof(value)) {
        memcpy(&value, data, sizeof(value));
        check_write(value);
    }
    check_read((sio_bytes){data, size});
    return 0;
}
