/* Patterns of names, and what is no pattern. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "socketio/parent.h"
#include "test/sio_rig.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct row {
    const char *pattern, *name;
    bool fits;
} rows[] = {
    {"/a", "/a", true},
    {"/a", "/ab", false},
    {"/a", "/", false},
    {"/", "/", true},
    {"/dyn-*", "/dyn-101", true},
    {"/dyn-*", "/dyn-", false},
    {"/dyn-*", "/dyn-1/2", false},
    {"/dyn-*", "/Dyn-1", false},
    {"/*", "/a", true},
    {"/*", "/", false},
    {"/*/chat", "/a/chat", true},
    {"/*/chat", "//chat", false},
    {"/*/chat", "/a/b/chat", false},
    {"/a*b*c", "/a1b2bc", true},
    {"/a*b*c", "/abc", false},
    {"/**", "/a", false},
    {"/**", "/ab", true},
    {"/*", "/*", true},
    {"/*aab", "/aaab", true},
    {"/*aab", "/aaaab", true},
};

static void test_pattern_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (sio_pattern_fits(sio_text(rows[i].pattern),
                             sio_text(rows[i].name)) != rows[i].fits) {
            fail_msg("%s %s", rows[i].pattern, rows[i].name);
        }
    }
}

/* As the header has it, without care for time. */
static bool fits_plainly(const char *p, const char *n)
{
    if (*p == '\0') {
        return *n == '\0';
    }
    if (*p != '*') {
        return *p == *n && fits_plainly(p + 1, n + 1);
    }
    for (size_t len = 1; n[len - 1] != '\0' && n[len - 1] != '/'; len++) {
        if (fits_plainly(p + 1, n + len)) {
            return true;
        }
    }
    return false;
}

/* The text with that number, of the four letters, up to `max` of them. */
static void spell(unsigned number, char *out)
{
    static const char letters[] = {'a', 'b', '/', '*'};
    for (; number != 0; number = (number - 1) / 4) {
        *out++ = letters[(number - 1) % 4];
    }
    *out = '\0';
}

/* All patterns of up to five letters with all names of up to six. */
static void test_pattern_all(void **state)
{
    char p[8], n[8];
    unsigned fitting = 0;
    (void)state;
    for (unsigned i = 0; i < 1365; i++) {
        spell(i, p);
        for (unsigned k = 0; k < 5461; k++) {
            spell(k, n);
            bool fits = sio_pattern_fits(sio_text(p), sio_text(n));
            if (fits != fits_plainly(p, n)) {
                fail_msg("%s %s", p, n);
            }
            fitting += fits;
        }
    }
    assert_true(fitting > 10000);
}

static void test_bad_patterns(void **state)
{
    static sio_rig rig;
    char name[80];
    (void)state;
    sio_rig_init(&rig);
    assert_null(sio_core_of_pattern(&rig.core, ""));
    assert_null(sio_core_of_pattern(&rig.core, "a*"));
    assert_null(sio_core_of_pattern(&rig.core, "/a,b"));
    memset(name, '/', sizeof(name));
    name[65] = '\0';
    assert_null(sio_core_of_pattern(&rig.core, name));
    name[64] = '\0';
    assert_non_null(sio_core_of_pattern(&rig.core, name));
    assert_ptr_equal(sio_core_of_pattern(&rig.core, "/x-*"),
                     sio_core_of_pattern(&rig.core, "/x-*"));
    assert_ptr_not_equal(sio_core_of_pattern(&rig.core, "/x-*"),
                         sio_core_of_pattern(&rig.core, "/y-*"));
    rig.core.fixed = true;
    assert_null(sio_core_of_pattern(&rig.core, "/x-*"));
    assert_null(sio_core_of_check(&rig.core, NULL, NULL));
    assert_int_equal(sio_core_on_namespace(&rig.core, NULL, NULL),
                     SIO_ERR_STATE);
    rig.core.fixed = false;
    sio_rig_deinit(&rig);
}

/* A name with a NUL would look like another one. */
static void test_nul(void **state)
{
    static const uint8_t packet[] = "40/t-1\0x,";
    static sio_rig rig;
    (void)state;
    sio_rig_init(&rig);
    assert_non_null(sio_core_of_pattern(&rig.core, "/t-*"));
    sio_peer a = sio_rig_join(&rig, "a");
    memory_transport_text(a.mt, (sio_bytes){packet, sizeof(packet) - 1});
    (void)sio_peer_said(&a);
    assert_int_equal(rig.core.dynamic, 0);
    sio_rig_deinit(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern_rows),
        cmocka_unit_test(test_pattern_all),
        cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
