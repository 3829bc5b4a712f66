#include "transport/admission.h"

#include <stdlib.h>
#include <string.h>

#include "base/seldom.h"

/* What an address is known by: its kind, and of IPv6 the first 8 bytes. */
#define KEY_SIZE 9

/* How long one is told to wait who has too much open, in seconds: when that
 * will end nobody knows. */
#define RETRY_S 10

/* Idle ones that are looked at, whether they can go, with each that comes. */
#define SWEEP 2

struct tp_place {
    sio_map_node node;
    sio_link link; /* in `idle`, while nothing is open */
    tp_admission *admission;
    uint32_t connections, sessions;
    sio_bucket handshakes;
    uint64_t next_told; /* see sio_seldom() */
    uint8_t key_len;
    uint8_t key[KEY_SIZE];
};

static sio_bytes key_of(const sio_map_node *node)
{
    const tp_place *p =
        SIO_OWNER((sio_map_node *)(uintptr_t)node, tp_place, node);
    return (sio_bytes){p->key, p->key_len};
}

static uint8_t make_key(const tp_address *address, uint8_t key[KEY_SIZE])
{
    uint8_t len = address->kind == TP_ADDRESS_IPV6 ? 8 : 4;
    key[0] = address->kind;
    memcpy(key + 1, address->ip, len);
    return (uint8_t)(len + 1);
}

void tp_admission_init(tp_admission *a, const tp_admission_limits *limits,
                       sio_hash_key secret, uint64_t now)
{
    *a = (tp_admission){.limits = *limits};
    sio_lock_init(&a->lock);
    sio_map_init(&a->places, key_of, secret);
    sio_list_init(&a->idle);
    sio_bucket_fill(&a->all, &limits->all_handshakes, now);
}

/* -------------------------------------------------------- places, locked -- */

static void forget(tp_place *p)
{
    tp_admission *a = p->admission;
    sio_link_drop(&p->link);
    a->idle_count--;
    sio_map_remove(&a->places, &p->node);
    free(p);
}

static tp_place *oldest(const tp_admission *a)
{
    return sio_list_empty(&a->idle) ? NULL
                                    : SIO_OWNER(a->idle.next, tp_place, link);
}

void tp_admission_deinit(tp_admission *a)
{
    tp_place *p;
    while ((p = oldest(a)) != NULL) {
        forget(p);
    }
    sio_map_deinit(&a->places);
    sio_lock_deinit(&a->lock);
}

/* Lets a few of those go that might as well be new. */
static void sweep(tp_admission *a, uint64_t now)
{
    for (int left = SWEEP; left > 0; left--) {
        tp_place *p = oldest(a);
        if (p == NULL ||
            !sio_bucket_is_full(&p->handshakes, &a->limits.handshakes, now)) {
            return;
        }
        forget(p);
    }
}

static void rest(tp_place *p)
{
    if (p->connections == 0 && p->sessions == 0) {
        sio_list_append(&p->admission->idle, &p->link);
        p->admission->idle_count++;
        while (p->admission->idle_count > TP_ADMISSION_IDLE) {
            forget(oldest(p->admission));
        }
    }
}

static void wake(tp_place *p)
{
    if (sio_link_used(&p->link)) {
        sio_link_drop(&p->link);
        p->admission->idle_count--;
    }
}

static tp_place *find(const tp_admission *a, const tp_address *address)
{
    uint8_t key[KEY_SIZE];
    uint8_t len = make_key(address, key);
    sio_map_node *node = sio_map_find(&a->places, (sio_bytes){key, len});
    return node == NULL ? NULL : SIO_OWNER(node, tp_place, node);
}

/* The place of an address, awake, so that it has to be used or to rest; NULL
 * without memory. */
static tp_place *visit(tp_admission *a, const tp_address *address, uint64_t now)
{
    tp_place *p = find(a, address);
    if (p != NULL) {
        wake(p);
        sweep(a, now);
        return p;
    }
    sweep(a, now);
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->admission = a;
    p->key_len = make_key(address, p->key);
    sio_bucket_fill(&p->handshakes, &a->limits.handshakes, now);
    if (sio_map_insert(&a->places, &p->node) != SIO_OK) {
        free(p);
        return NULL;
    }
    return p;
}

static tp_admission_answer refuse(tp_place *p, uint64_t now,
                                  uint32_t retry_after)
{
    return (tp_admission_answer){TP_ADMISSION_ADDRESS, retry_after,
                                 sio_seldom(&p->next_told, now)};
}

static bool is_counted(const tp_address *address)
{
    return address->kind != TP_ADDRESS_UNIX;
}

static uint32_t seconds(uint64_t ms)
{
    uint64_t s = (ms + 999) / 1000;
    return s == 0 ? 1 : s < UINT32_MAX ? (uint32_t)s : UINT32_MAX;
}

/* ----------------------------------------------------------- connections -- */

tp_admission_answer tp_admission_enter(tp_admission *a,
                                       const tp_address *address, uint64_t now,
                                       tp_place **place)
{
    tp_admission_answer answer = {0};
    *place = NULL;
    if (a->limits.connections == 0 || !is_counted(address)) {
        return answer;
    }
    sio_lock_take(&a->lock);
    tp_place *p = visit(a, address, now);
    if (p != NULL && p->connections >= a->limits.connections) {
        answer = refuse(p, now, RETRY_S);
    } else if (p != NULL) {
        p->connections++;
        *place = p;
    }
    sio_lock_leave(&a->lock);
    return answer;
}

void tp_admission_leave(tp_place *place)
{
    tp_admission *a = place->admission;
    sio_lock_take(&a->lock);
    place->connections--;
    rest(place);
    sio_lock_leave(&a->lock);
}

/* ------------------------------------------------------------ handshakes -- */

tp_admission_answer tp_admission_shake(tp_admission *a,
                                       const tp_address *address, uint64_t now)
{
    const sio_rate *each = &a->limits.handshakes;
    const sio_rate *all = &a->limits.all_handshakes;
    tp_admission_answer answer = {0};
    if (each->per_second == 0 && all->per_second == 0) {
        return answer;
    }
    sio_lock_take(&a->lock);
    tp_place *p = each->per_second != 0 && is_counted(address)
                      ? visit(a, address, now)
                      : NULL;
    if (p != NULL && !sio_bucket_take(&p->handshakes, each, now, 1)) {
        answer = refuse(p, now,
                        seconds(sio_bucket_wait(&p->handshakes, each, now, 1)));
    } else if (!sio_bucket_take(&a->all, all, now, 1)) {
        answer = (tp_admission_answer){
            TP_ADMISSION_ALL, seconds(sio_bucket_wait(&a->all, all, now, 1)),
            sio_seldom(&a->next_told, now)};
    }
    if (p != NULL) {
        rest(p);
    }
    sio_lock_leave(&a->lock);
    return answer;
}

/* -------------------------------------------------------------- sessions -- */

tp_admission_answer tp_admission_ask(tp_admission *a, const tp_address *address,
                                     uint64_t now)
{
    tp_admission_answer answer = {0};
    if (a->limits.sessions == 0 || !is_counted(address)) {
        return answer;
    }
    sio_lock_take(&a->lock);
    tp_place *p = find(a, address);
    if (p != NULL && p->sessions >= a->limits.sessions) {
        answer = refuse(p, now, RETRY_S);
    }
    sio_lock_leave(&a->lock);
    return answer;
}

void tp_admission_begin(tp_admission *a, const tp_address *address)
{
    if (a->limits.sessions == 0 || !is_counted(address)) {
        return;
    }
    sio_lock_take(&a->lock);
    tp_place *p = visit(a, address, 0);
    if (p != NULL) {
        p->sessions++;
    }
    sio_lock_leave(&a->lock);
}

void tp_admission_end(tp_admission *a, const tp_address *address)
{
    if (a->limits.sessions == 0 || !is_counted(address)) {
        return;
    }
    sio_lock_take(&a->lock);
    tp_place *p = find(a, address);
    /* One that began without memory may not be there. */
    if (p != NULL && p->sessions != 0) {
        p->sessions--;
        rest(p);
    }
    sio_lock_leave(&a->lock);
}
