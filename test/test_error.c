#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/error.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const sio_error all[] = {SIO_OK, SIO_MORE,
#define ERROR(name, code, text) SIO_ERR_##name,
                                SIO_ERROR_MAP(ERROR)
#undef ERROR
};

/* Each has a text of its own, a line for a log. */
static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        const char *text = sio_error_text(all[i]);
        assert_true(text[0] != '\0');
        assert_null(strpbrk(text, "\r\n"));
        assert_string_not_equal(text, "unknown error");
        for (size_t k = 0; k < i; k++) {
            assert_true(all[i] != all[k]);
            assert_string_not_equal(text, sio_error_text(all[k]));
        }
    }
    assert_string_equal(sio_error_text(SIO_OK), "success");
    assert_string_equal(sio_error_text(SIO_ERR_NO_MEMORY), "out of memory");
    assert_string_equal(sio_error_text((sio_error)-9999), "unknown error");
}

static void test_peers(void **state)
{
    (void)state;
    assert_true(sio_error_is_peers(SIO_ERR_JSON));
    assert_true(sio_error_is_peers(SIO_ERR_TOO_LARGE));
    assert_false(sio_error_is_peers(SIO_ERR_NO_MEMORY));
    assert_false(sio_error_is_peers(SIO_ERR_ARGUMENT));
    assert_false(sio_error_is_peers(SIO_OK));
    assert_false(sio_error_is_peers(SIO_MORE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_peers),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
