#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engineio/state.h"

/* Short names let the table be read as a table. */
enum {
    OPENING = EIO_STATE_OPENING,
    OPEN = EIO_STATE_OPEN,
    UPGRADING = EIO_STATE_UPGRADING,
    CLOSING = EIO_STATE_CLOSING,
    CLOSED = EIO_STATE_CLOSED,
    NO = EIO_STATE_NONE
};

// clang-format off
static const int moves[EIO_STATE_COUNT][EIO_EVENT_COUNT] = {
    /* from       GREETED PROBED     UPGRADED ABANDONED CLOSE    DRAINED LOST */
    [NO]        = {NO,    NO,        NO,      NO,       NO,      NO,     NO},
    [OPENING]   = {OPEN,  NO,        NO,      NO,       CLOSING, NO,     CLOSED},
    [OPEN]      = {NO,    UPGRADING, NO,      NO,       CLOSING, NO,     CLOSED},
    [UPGRADING] = {NO,    NO,        OPEN,    OPEN,     CLOSING, NO,     CLOSED},
    [CLOSING]   = {NO,    NO,        NO,      NO,       NO,      CLOSED, CLOSED},
    [CLOSED]    = {NO,    NO,        NO,      NO,       NO,      NO,     NO},
};
// clang-format on

static void test_moves(void **state)
{
    (void)state;
    for (int from = 0; from < EIO_STATE_COUNT; from++) {
        for (int event = 0; event < EIO_EVENT_COUNT; event++) {
            int to = (int)eio_state_after((eio_state)from, (eio_event)event);
            if (to != moves[from][event]) {
                fail_msg("from %d by %d to %d", from, event, to);
            }
        }
    }
}

/* Whatever comes in whatever order, closing leads to nothing but closed. */
static void test_no_way_back(void **state)
{
    (void)state;
    for (int event = 0; event < EIO_EVENT_COUNT; event++) {
        eio_state to = eio_state_after(EIO_STATE_CLOSING, (eio_event)event);
        assert_true(to == EIO_STATE_NONE || to == EIO_STATE_CLOSED);
        to = eio_state_after(EIO_STATE_CLOSED, (eio_event)event);
        assert_int_equal(to, EIO_STATE_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_no_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
