#ifndef TEST_FAULT_ALLOC_H
#define TEST_FAULT_ALLOC_H

#include <stddef.h>

/*
 * The allocator of a program that links this: the functions are the program's
 * own, so every library has them in the place of libc's.  While fault_now is on
 * each call counts, and fails if fault_strikes() says so.  Any thread.
 *
 * libev is left out: it ends the process where it gets no memory.
 */

/* Has libev go past the hook, and libc have what it keeps.  First of all. */
void fault_alloc_init(void);

/*
 * Of the calls of mbedTLS's arithmetic, of which a handshake has thousands, one
 * in so many counts from now on; 1: each, 0: none.  All others count.
 */
void fault_alloc_thin(size_t one_in);

/* Blocks that are allocated and not freed, over all libraries but libev. */
size_t fault_alloc_live(void);

#endif
