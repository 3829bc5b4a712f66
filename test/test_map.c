#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/map.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Computed by another implementation, with the key 00 01 .. 0f, over the bytes
 * 00 01 .. of each length. */
static const struct {
    size_t len;
    uint64_t hash;
} hashes[] = {
    {0, 0xabac0158050fc4dc},   {1, 0xc9f49bf37d57ca93},
    {7, 0xd3927d989bb11140},   {8, 0x369095118d299a8e},
    {9, 0x25a48eb36c063de4},   {15, 0xd320d86d2a519956},
    {16, 0xcc4fdd1a7d908b66},  {17, 0x9cf2689063dbd80c},
    {63, 0x9d199062b7bbb3a8},  {255, 0xf76214e3153c4a15},
    {256, 0x75b3e64e167de370}, {300, 0x4016a23bda5a2224},
};

static void test_hash(void **state)
{
    (void)state;
    const sio_hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    for (size_t i = 0; i < COUNT(hashes); i++) {
        size_t len = hashes[i].len;
        uint8_t *bytes = malloc(len == 0 ? 1 : len);
        for (size_t j = 0; j < len; j++) {
            bytes[j] = (uint8_t)j;
        }
        uint64_t got = sio_hash(&key, (sio_bytes){bytes, len});
        free(bytes);
        if (got != hashes[i].hash) {
            fail_msg("hash of %zu bytes", len);
        }
    }
    uint64_t empty = sio_hash(&key, (sio_bytes){NULL, 0});
    assert_true(empty == hashes[0].hash);
}

typedef struct entry {
    sio_map_node node;
    bool in_map;
    bool seen;
    size_t len;
    char key[24];
} entry;

static sio_bytes key_of(const sio_map_node *node)
{
    const entry *e = SIO_OWNER(node, entry, node);
    return (sio_bytes){(const uint8_t *)e->key, e->len};
}

static const sio_hash_key secret = {0x1234567890abcdef, 0xfedcba0987654321};

static entry *make_entries(size_t count)
{
    entry *entries = calloc(count, sizeof(*entries));
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(entries[i].key, sizeof(entries[i].key), "k%zu", i);
        entries[i].len = (size_t)len;
    }
    return entries;
}

static size_t capacity(const sio_map *map)
{
    return map->table == NULL ? 0 : (size_t)1 << map->bits;
}

/* What is said of the map must hold for its shape, too: chains are sorted, and
 * each node is in its bucket. */
static void check_shape(const sio_map *map)
{
    size_t count = 0;
    assert_true((map->table == NULL) == (map->count == 0));
    for (size_t i = 0; i < capacity(map); i++) {
        const sio_map_node *node = map->table[i];
        for (; node != NULL; node = node->next) {
            assert_true(node->hash >> (64 - map->bits) == i);
            assert_true(node->next == NULL || node->hash <= node->next->hash);
            count++;
        }
    }
    assert_int_equal(count, map->count);
}

static void test_keys(void **state)
{
    (void)state;
    entry a = {.len = 3, .key = "a\0b"}, b = {.len = 3, .key = "a\0c"};
    entry none = {.len = 0}, again = {.len = 3, .key = "a\0b"};
    sio_map map;
    sio_map_init(&map, key_of, secret);
    assert_null(sio_map_find(&map, SIO_LIT("")));

    assert_int_equal(sio_map_insert(&map, &a.node), SIO_OK);
    assert_int_equal(sio_map_insert(&map, &b.node), SIO_OK);
    assert_int_equal(sio_map_insert(&map, &none.node), SIO_OK);
    assert_int_equal(sio_map_insert(&map, &again.node), SIO_ERR_STATE);
    assert_int_equal(map.count, 3);
    assert_ptr_equal(sio_map_find(&map, SIO_LIT("a\0b")), &a.node);
    assert_ptr_equal(sio_map_find(&map, SIO_LIT("a\0c")), &b.node);
    assert_ptr_equal(sio_map_find(&map, SIO_LIT("")), &none.node);
    assert_ptr_equal(sio_map_find(&map, (sio_bytes){NULL, 0}), &none.node);
    assert_null(sio_map_find(&map, SIO_LIT("a")));

    sio_map_remove(&map, &a.node);
    assert_null(sio_map_find(&map, SIO_LIT("a\0b")));
    assert_int_equal(sio_map_insert(&map, &again.node), SIO_OK);
    assert_ptr_equal(sio_map_find(&map, SIO_LIT("a\0b")), &again.node);
    check_shape(&map);
    sio_map_deinit(&map);
}

static void test_grows_and_shrinks(void **state)
{
    (void)state;
    const size_t count = 20000;
    entry *entries = make_entries(count);
    sio_map map;
    sio_map_init(&map, key_of, secret);

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(sio_map_insert(&map, &entries[i].node), SIO_OK);
        assert_true(capacity(&map) >= map.count);
    }
    check_shape(&map);
    for (size_t i = 0; i < count; i++) {
        sio_map_node *found = sio_map_find(&map, key_of(&entries[i].node));
        assert_ptr_equal(found, &entries[i].node);
    }
    for (size_t i = 0; i < count; i++) {
        sio_map_remove(&map, &entries[i].node);
        assert_true(capacity(&map) <= 8 * map.count || capacity(&map) <= 8);
        assert_null(sio_map_find(&map, key_of(&entries[i].node)));
        if (i % 1000 == 0) {
            check_shape(&map);
        }
    }
    assert_null(map.table);
    free(entries);
}

/* Random insertions and removals against an array of flags. */
static void test_model(void **state)
{
    (void)state;
    const size_t count = 500;
    entry *entries = make_entries(count);
    sio_map map;
    sio_map_init(&map, key_of, secret);
    uint32_t random = 1;
    size_t present = 0;

    for (size_t i = 0; i < 100000; i++) {
        random = random * 1664525 + 1013904223;
        size_t wave = i / 5000 % 2 == 0 ? 3 : 1; /* more of one, then less */
        entry *e = &entries[(random >> 8) % count];
        bool insert = random >> 24 & 1 || (random >> 25) % 4 < wave;
        sio_map_node *found = sio_map_find(&map, key_of(&e->node));
        assert_ptr_equal(found, e->in_map ? &e->node : NULL);
        if (insert && wave == 3) {
            sio_error want = e->in_map ? SIO_ERR_STATE : SIO_OK;
            assert_int_equal(sio_map_insert(&map, &e->node), want);
            present += e->in_map ? 0 : 1;
            e->in_map = true;
        } else if (e->in_map) {
            sio_map_remove(&map, &e->node);
            present--;
            e->in_map = false;
        }
        assert_int_equal(map.count, present);
        if (i % 100 == 0) {
            check_shape(&map);
        }
    }
    sio_map_deinit(&map);
    free(entries);
}

/* A walk meets each node once, whatever part of them it removes and frees on
 * the way, across every shrinking. */
static void check_walk(size_t count, size_t keep_each)
{
    entry **entries = calloc(count + 1, sizeof(*entries));
    sio_map map;
    sio_map_init(&map, key_of, secret);
    for (size_t i = 0; i < count; i++) {
        entries[i] = make_entries(1);
        entries[i]->len = sizeof(i);
        memcpy(entries[i]->key, &i, sizeof(i));
        assert_int_equal(sio_map_insert(&map, &entries[i]->node), SIO_OK);
    }
    sio_map_walk walk = sio_map_walk_start(&map);
    sio_map_node *node;
    size_t met = 0;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        entry *e = SIO_OWNER(node, entry, node);
        assert_false(e->seen);
        e->seen = true;
        met++;
        if (keep_each == 0 || met % keep_each != 0) {
            size_t i;
            memcpy(&i, e->key, sizeof(i));
            sio_map_remove(&map, node);
            free(e);
            entries[i] = NULL;
        }
    }
    assert_int_equal(met, count);
    assert_null(sio_map_walk_next(&walk));
    check_shape(&map);
    for (size_t i = 0; i < count; i++) {
        assert_true(entries[i] == NULL || entries[i]->seen);
        free(entries[i]);
    }
    free(entries);
    sio_map_deinit(&map);
}

static void test_walks(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 7, 8, 9, 64, 65, 1000, 5000};
    static const size_t keeps[] = {0, 1, 2, 10, 300};
    for (size_t i = 0; i < COUNT(counts); i++) {
        for (size_t j = 0; j < COUNT(keeps); j++) {
            check_walk(counts[i], keeps[j]);
        }
    }
}

/* What is there from the start is met once, even if the table grows. */
static void test_walk_with_insertions(void **state)
{
    (void)state;
    const size_t count = 3000;
    entry *entries = make_entries(count);
    sio_map map;
    sio_map_init(&map, key_of, secret);
    for (size_t i = 0; i < count / 3; i++) {
        assert_int_equal(sio_map_insert(&map, &entries[i].node), SIO_OK);
    }
    size_t next = count / 3;
    sio_map_walk walk = sio_map_walk_start(&map);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        entry *e = SIO_OWNER(node, entry, node);
        assert_false(e->seen);
        e->seen = true;
        for (int i = 0; i < 2 && next < count; i++) {
            sio_error err = sio_map_insert(&map, &entries[next++].node);
            assert_int_equal(err, SIO_OK);
        }
    }
    for (size_t i = 0; i < count / 3; i++) {
        assert_true(entries[i].seen);
    }
    check_shape(&map);
    sio_map_deinit(&map);
    free(entries);
}

/* A walk in pieces goes on where it was, whatever has changed in between: what
 * was there all the time is met once. */
static void test_walk_in_pieces(void **state)
{
    (void)state;
    const size_t count = 3000;
    entry *entries = make_entries(count);
    sio_map map;
    sio_map_init(&map, key_of, secret);
    sio_map_walk walk = sio_map_walk_from(&map, 0);
    assert_null(sio_map_walk_next(&walk));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(sio_map_insert(&map, &entries[i].node), SIO_OK);
        entries[i].in_map = true;
    }
    sio_map_node *node;
    uint64_t from = 0;
    size_t next = 0, met = 0;
    for (;;) {
        walk = sio_map_walk_from(&map, from);
        if ((node = sio_map_walk_next(&walk)) == NULL) {
            break;
        }
        entry *e = SIO_OWNER(node, entry, node);
        assert_true(node->hash >= from && !e->seen);
        e->seen = true;
        met++;
        from = node->hash + 1;
        for (int i = 0; i < 2 && next < count; i++, next++) {
            if (next % 16 != 0) { /* any, met or not */
                sio_map_remove(&map, &entries[next].node);
                entries[next].in_map = false;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(entries[i].seen || !entries[i].in_map);
    }
    assert_true(met >= count / 16 && met < count);
    check_shape(&map);
    sio_map_deinit(&map);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_grows_and_shrinks),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_walk_with_insertions),
        cmocka_unit_test(test_walk_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
