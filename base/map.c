#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

#define BITS_MIN 3U
#define BITS_MAX 48U

static size_t bucket_of(uint64_t hash, unsigned bits)
{
    return (size_t)(hash >> (64 - bits));
}

static size_t capacity(const sio_map *map)
{
    return map->table == NULL ? 0 : (size_t)1 << map->bits;
}

void sio_map_init(sio_map *map, sio_map_key_fn *key, sio_hash_key secret)
{
    *map = (sio_map){.key = key, .secret = secret};
}

void sio_map_deinit(sio_map *map)
{
    free(map->table);
    map->table = NULL;
    map->count = 0;
}

/* Takes all nodes over into a table of another size.  They come in order of
 * hash, so each goes behind the one before it.  Without memory nothing
 * happens: both sizes work. */
static void resize(sio_map *map, unsigned bits)
{
    sio_map_node **table = calloc((size_t)1 << bits, sizeof(*table));
    if (table == NULL) {
        return;
    }
    size_t filling = 0;
    sio_map_node **end = &table[0];
    sio_map_walk walk = sio_map_walk_start(map);
    sio_map_node *node;
    while ((node = sio_map_walk_next(&walk)) != NULL) {
        size_t bucket = bucket_of(node->hash, bits);
        if (bucket != filling) {
            filling = bucket;
            end = &table[bucket];
        }
        *end = node;
        node->next = NULL;
        end = &node->next;
    }
    free(map->table);
    map->table = table;
    map->bits = bits;
}

/* Where a node of that hash and key is linked, or, if there is none, where it
 * would have to be. */
static sio_map_node **seek(const sio_map *map, uint64_t hash, sio_bytes key,
                           bool *found)
{
    sio_map_node **at = &map->table[bucket_of(hash, map->bits)];
    while (*at != NULL && (*at)->hash < hash) {
        at = &(*at)->next;
    }
    while (*at != NULL && (*at)->hash == hash) {
        if (sio_bytes_eq(map->key(*at), key)) {
            *found = true;
            return at;
        }
        at = &(*at)->next;
    }
    *found = false;
    return at;
}

sio_map_node *sio_map_find(const sio_map *map, sio_bytes key)
{
    if (map->count == 0) {
        return NULL;
    }
    bool found;
    sio_map_node **at = seek(map, sio_hash(&map->secret, key), key, &found);
    return found ? *at : NULL;
}

sio_error sio_map_insert(sio_map *map, sio_map_node *node)
{
    if (map->table == NULL) {
        resize(map, BITS_MIN);
        if (map->table == NULL) {
            return SIO_ERR_NO_MEMORY;
        }
    }
    sio_bytes key = map->key(node);
    uint64_t hash = sio_hash(&map->secret, key);
    bool found;
    sio_map_node **at = seek(map, hash, key, &found);
    if (found) {
        return SIO_ERR_STATE;
    }
    node->hash = hash;
    node->next = *at;
    *at = node;
    map->count++;

    if (map->count > capacity(map) && map->bits < BITS_MAX) {
        resize(map, map->bits + 1);
    }
    return SIO_OK;
}

void sio_map_remove(sio_map *map, sio_map_node *node)
{
    assert(map->count != 0);
    sio_map_node **at = &map->table[bucket_of(node->hash, map->bits)];
    while (*at != node) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    map->count--;

    if (map->count == 0) {
        sio_map_deinit(map);
    } else if (map->bits > BITS_MIN && map->count < capacity(map) / 8) {
        /* Half full afterwards at the most, far from growing again. */
        resize(map, map->bits - 2 < BITS_MIN ? BITS_MIN : map->bits - 2);
    }
}

static sio_map_node *first_from(const sio_map *map, size_t bucket)
{
    size_t end = capacity(map);
    for (; bucket < end; bucket++) {
        if (map->table[bucket] != NULL) {
            return map->table[bucket];
        }
    }
    return NULL;
}

sio_map_walk sio_map_walk_start(const sio_map *map)
{
    return (sio_map_walk){map, first_from(map, 0)};
}

sio_map_node *sio_map_walk_next(sio_map_walk *walk)
{
    sio_map_node *node = walk->next;
    if (node != NULL) {
        size_t bucket = bucket_of(node->hash, walk->map->bits);
        walk->next =
            node->next != NULL ? node->next : first_from(walk->map, bucket + 1);
    }
    return node;
}

sio_map_walk sio_map_walk_from(const sio_map *map, uint64_t hash)
{
    sio_map_walk walk = {map, NULL};
    if (map->count != 0) {
        walk.next = first_from(map, bucket_of(hash, map->bits));
    }
    /* Those before it are in the first of these buckets, and come first. */
    while (walk.next != NULL && walk.next->hash < hash) {
        (void)sio_map_walk_next(&walk);
    }
    return walk;
}
