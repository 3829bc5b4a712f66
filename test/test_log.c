#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/log.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The latest line, and how many there were. */
typedef struct witness {
    size_t lines;
    int level;
    char event[32];
    char text[600];
} witness;

static void see(void *arg, int level, const char *event, const char *text)
{
    witness *w = arg;
    w->lines++;
    w->level = level;
    snprintf(w->event, sizeof(w->event), "%s", event);
    snprintf(w->text, sizeof(w->text), "%s", text);
}

static void test_levels(void **state)
{
    (void)state;
    for (int threshold = 0; threshold <= SIO_LOG_DEBUG; threshold++) {
        for (int level = SIO_LOG_ERROR; level <= SIO_LOG_DEBUG; level++) {
            witness w = {0};
            sio_log log = {see, &w, threshold};
            bool wanted = level <= threshold;
            assert_int_equal(sio_log_wants(&log, level), wanted);
            sio_log_write(&log, level, "limit", "%s is %d", "it", 5);
            assert_int_equal(w.lines, wanted ? 1 : 0);
            if (wanted) {
                assert_int_equal(w.level, level);
                assert_string_equal(w.event, "limit");
                assert_string_equal(w.text, "it is 5");
            }
        }
    }
}

/* Nothing is formatted: the argument would not survive it. */
static void test_silence(void **state)
{
    (void)state;
    const char *bad = (const char *)(uintptr_t)1;
    witness w = {0};
    sio_log none = {0}, deaf = {NULL, &w, SIO_LOG_DEBUG};
    sio_log high = {see, &w, SIO_LOG_WARN};
    sio_log_write(NULL, SIO_LOG_ERROR, "x", "%s", bad);
    sio_log_write(&none, SIO_LOG_ERROR, "x", "%s", bad);
    sio_log_write(&deaf, SIO_LOG_ERROR, "x", "%s", bad);
    sio_log_write(&high, SIO_LOG_INFO, "x", "%s", bad);
    assert_int_equal(w.lines, 0);
}

/* `count` times `unit`, with `head` before it, comes out with `len` bytes. */
static const struct {
    const char *label;
    const char *head;
    const char *unit;
    size_t count;
    size_t len;
    const char *end;
} cuts[] = {
    {"empty", "", "x", 0, 0, ""},
    {"one below", "", "x", 510, 510, "xxxx"},
    {"fits", "", "x", 511, 511, "xxxx"},
    {"one too many", "", "x", 512, 511, "x..."},
    {"far too many", "", "x", 5000, 511, "x..."},
    {"two bytes", "", "\xc3\xa9", 300, 511, "\xc3\xa9..."},
    {"two bytes, split", "a", "\xc3\xa9", 300, 510, "\xc3\xa9..."},
    {"three bytes, a", "a", "\xe2\x82\xac", 300, 511, "\xe2\x82\xac..."},
    {"three bytes, b", "ab", "\xe2\x82\xac", 300, 509, "\xe2\x82\xac..."},
    {"three bytes, c", "", "\xe2\x82\xac", 300, 510, "\xe2\x82\xac..."},
    {"four bytes", "", "\xf0\x9f\x98\x80", 300, 511, "\x98\x80..."},
    {"four bytes, split", "a", "\xf0\x9f\x98\x80", 300, 508, "\x98\x80..."},
    {"stray bytes", "", "\x80", 600, 508, "?..."},
};

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cuts); i++) {
        witness w = {0};
        sio_log log = {see, &w, SIO_LOG_INFO};
        char *in = calloc(1, 6000);
        strcat(in, cuts[i].head);
        for (size_t n = 0; n < cuts[i].count; n++) {
            strcat(in, cuts[i].unit);
        }
        sio_log_write(&log, SIO_LOG_INFO, "cut", "%s", in);
        free(in);
        size_t len = strlen(w.text), end = strlen(cuts[i].end);
        if (len != cuts[i].len ||
            strcmp(w.text + len - end, cuts[i].end) != 0) {
            fail_msg("%s: %zu bytes, %s", cuts[i].label, len, w.text);
        }
    }
}

static void test_controls(void **state)
{
    (void)state;
    witness w = {0};
    sio_log log = {see, &w, SIO_LOG_INFO};
    sio_log_write(&log, SIO_LOG_INFO, "x", "%s",
                  "a\r\nb\tc\x1b[2Jd\x7f~ \xc3\xa9");
    assert_string_equal(w.text, "a??b?c?[2Jd?~ \xc3\xa9");
    /* CSI as a character, the first and the last of its kind, and what is next
     * to them. */
    sio_log_write(&log, SIO_LOG_INFO, "x", "%s",
                  "\xc2\x9b"
                  "2J\xc2\x80\xc2\x9f\xc2\xa0\xe2\x82\x9b");
    assert_string_equal(w.text, "??2J????\xc2\xa0\xe2\x82\x9b");
    /* The same as a byte, and a sequence without its end. */
    sio_log_write(&log, SIO_LOG_INFO, "x", "%s",
                  "\x9b"
                  "2J\xc3\xa9");
    assert_string_equal(w.text, "?2J??");
    sio_log_write(&log, SIO_LOG_INFO, "x", "%s", "a\xc2");
    assert_string_equal(w.text, "a?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
