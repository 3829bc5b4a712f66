#ifndef SIO_BASE_MAP_H
#define SIO_BASE_MAP_H

#include "base/bytes.h"
#include "base/hash.h"
#include "socketio/error.h"

/* The part of an object by which it is in a map.  Find the object again with
 * SIO_OWNER() of base/list.h. */
typedef struct sio_map_node {
    struct sio_map_node *next;
    uint64_t hash;
} sio_map_node;

/* The key of the object around `node`: the same bytes as long as it is in a
 * map.  Borrowed by the map for the duration of a call. */
typedef sio_bytes sio_map_key_fn(const sio_map_node *node);

/*
 * Objects by unique byte string.  The map holds, but does not own, them.
 * Keys may be chosen by an enemy: buckets follow from a keyed hash.  An empty
 * map has no memory of its own.
 *
 * A bucket is the highest bits of the hash, and chains are sorted by hash.  So
 * buckets, one after the other, hold all nodes in one order that resizing does
 * not change, and a walk needs no more than the node that comes next.
 */
typedef struct sio_map {
    sio_map_node **table; /* 1 << bits chains, or NULL while count is 0 */
    size_t count;
    unsigned bits;
    sio_map_key_fn *key;
    sio_hash_key secret;
} sio_map;

void sio_map_init(sio_map *map, sio_map_key_fn *key, sio_hash_key secret);

/* Frees the table.  Nodes that are still in the map are left alone. */
void sio_map_deinit(sio_map *map);

/* Lends the node with `key`, or NULL. */
sio_map_node *sio_map_find(const sio_map *map, sio_bytes key);

/*
 * Adds `node`, which must be in no map.  Fails, changing nothing, with STATE
 * when its key is present, and with NO_MEMORY when the map was empty and no
 * table can be had.  A table that cannot grow only makes the map slower.
 */
sio_error sio_map_insert(sio_map *map, sio_map_node *node);

/* Takes out `node`, which must be in this map. */
void sio_map_remove(sio_map *map, sio_map_node *node);

/*
 * A walk over all nodes, in no useful order:
 *
 *   sio_map_walk walk = sio_map_walk_start(map);
 *   while ((node = sio_map_walk_next(&walk)) != NULL) ...
 *
 * Meanwhile the node just returned may be removed and freed, and nodes may be
 * added (the walk may or may not meet them); no other node may be removed.
 */
typedef struct sio_map_walk {
    const sio_map *map;
    sio_map_node *next;
} sio_map_walk;

sio_map_walk sio_map_walk_start(const sio_map *map);
sio_map_node *sio_map_walk_next(sio_map_walk *walk);

/* A walk over those whose hash is at least `hash`, by rising hash, for a walk
 * in pieces: the map may change between these. */
sio_map_walk sio_map_walk_from(const sio_map *map, uint64_t hash);

#endif
