#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/reap.h"
#include "base/writer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define B(s) SIO_LIT_INIT(s)

typedef struct item {
    int value;
    sio_link link;
} item;

/* The list holds `count` values, `values`, read in both directions. */
static void check_list(const sio_link *head, const int *values, size_t count)
{
    const sio_link *at = head->next;
    for (size_t i = 0; i < count; i++, at = at->next) {
        assert_int_equal(SIO_OWNER(at, item, link)->value, values[i]);
        assert_true(sio_link_used(at));
    }
    assert_ptr_equal(at, head);
    at = head->prev;
    for (size_t i = count; i > 0; i--, at = at->prev) {
        assert_int_equal(SIO_OWNER(at, item, link)->value, values[i - 1]);
    }
    assert_ptr_equal(at, head);
    assert_true(sio_list_empty(head) == (count == 0));
}

static void test_list(void **state)
{
    (void)state;
    item items[] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    sio_link head;
    sio_list_init(&head);
    check_list(&head, NULL, 0);
    for (size_t i = 0; i < COUNT(items); i++) {
        assert_false(sio_link_used(&items[i].link));
        sio_list_append(&head, &items[i].link);
    }
    check_list(&head, (const int[]){0, 1, 2, 3}, 4);
    sio_link_drop(&items[1].link);
    sio_link_drop(&items[1].link);
    assert_false(sio_link_used(&items[1].link));
    check_list(&head, (const int[]){0, 2, 3}, 3);
    sio_link_drop(&items[0].link);
    sio_link_drop(&items[3].link);
    check_list(&head, (const int[]){2}, 1);
    sio_list_append(&head, &items[0].link);
    check_list(&head, (const int[]){2, 0}, 2);
    sio_link_drop(&items[2].link);
    sio_link_drop(&items[0].link);
    check_list(&head, NULL, 0);
}

static void test_take(void **state)
{
    (void)state;
    item items[3] = {{.value = 0}, {.value = 1}, {.value = 2}};
    static const int values[] = {0, 1, 2};
    for (size_t count = 0; count <= COUNT(items); count++) {
        sio_link from, to;
        sio_list_init(&from);
        for (size_t i = 0; i < count; i++) {
            sio_list_append(&from, &items[i].link);
        }
        sio_list_take(&to, &from);
        check_list(&from, NULL, 0);
        check_list(&to, values, count);
        for (size_t i = 0; i < count; i++) {
            sio_link_drop(&items[i].link);
        }
        check_list(&to, NULL, 0);
    }
}

/* A mortal that dooms the next of its line, and itself once more, as it goes.
 */
typedef struct victim {
    int number;
    sio_mortal mortal;
    sio_link *doomed;
    struct victim *heir;
    int *died;
} victim;

static void destroy_victim(sio_mortal *self)
{
    victim *v = SIO_OWNER(self, victim, mortal);
    assert_false(sio_link_used(&self->link));
    assert_int_equal(*v->died, v->number); /* in order of dooming */
    ++*v->died;
    if (v->heir != NULL) {
        sio_reap_later(v->doomed, &v->heir->mortal);
    }
    free(v);
}

static void test_reap(void **state)
{
    (void)state;
    sio_link doomed;
    int died = 0;
    victim *victims[4];
    sio_list_init(&doomed);
    sio_reap_now(&doomed);
    for (int i = 0; i < 4; i++) {
        victims[i] = calloc(1, sizeof(victim));
        *victims[i] = (victim){.number = i,
                               .mortal = {.destroy = destroy_victim},
                               .doomed = &doomed,
                               .died = &died};
    }
    victims[1]->heir = victims[3];
    for (int i = 0; i < 3; i++) {
        sio_reap_later(&doomed, &victims[i]->mortal);
        sio_reap_later(&doomed, &victims[0]->mortal); /* same as once */
    }
    assert_int_equal(died, 0);
    sio_reap_now(&doomed);
    assert_int_equal(died, 4);
    assert_true(sio_list_empty(&doomed));
}

static const struct {
    uint64_t value;
    sio_bytes text;
} numbers[] = {
    {0, B("0")},
    {9, B("9")},
    {10, B("10")},
    {1234567890, B("1234567890")},
    {UINT64_MAX, B("18446744073709551615")},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint8_t out[20];
        sio_writer w = {out, sizeof(out), 0};
        sio_write_uint(&w, numbers[i].value);
        assert_true(sio_bytes_eq((sio_bytes){out, w.len}, numbers[i].text));
    }
}

/* The same output over spans of every size: counted in full, written up to the
 * end of the span and never beyond, whole if it fits. */
static void test_spans(void **state)
{
    (void)state;
    const sio_bytes whole = SIO_LIT("2/admin,17[\"x\"]");
    for (size_t cap = 0; cap < whole.len + 5; cap++) {
        uint8_t *out = cap == 0 ? NULL : malloc(cap);
        sio_writer w = {out, cap, 0};
        sio_write_byte(&w, '2');
        sio_write_bytes(&w, SIO_LIT("/admin"));
        sio_write_bytes(&w, (sio_bytes){NULL, 0});
        sio_write_byte(&w, ',');
        sio_write_uint(&w, 17);
        sio_write_bytes(&w, SIO_LIT("[\"x\"]"));
        assert_int_equal(w.len, whole.len);
        if (w.len <= w.cap) {
            assert_memory_equal(out, whole.base, whole.len);
        }
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),  cmocka_unit_test(test_take),
        cmocka_unit_test(test_reap),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
