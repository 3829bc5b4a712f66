#include "test/fault_alloc.h"

#include <errno.h>
#include <ev.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/fault.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

/* The allocator below: a sanitizer's, or libc's. */
#ifdef SANITIZED
#define REAL(name) __interceptor_##name
#define REAL_ALIGNED __interceptor_aligned_alloc
#else
#define REAL(name) __libc_##name
#define REAL_ALIGNED __libc_memalign
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *memory, size_t size);
void *REAL_ALIGNED(size_t alignment, size_t size);
void REAL(free)(void *memory);

#define CALLER __builtin_return_address(0)
#define OURS FAULT_PLAIN __attribute__((visibility("default"), noinline))

static size_t allocated, freed;

FAULT_PLAIN static void *note(void *memory)
{
    if (memory != NULL) {
        (void)__atomic_fetch_add(&allocated, 1, __ATOMIC_RELAXED);
    }
    return memory;
}

/* Where libmbedcrypto's code lies, and which of its calls count. */
static struct {
    uintptr_t from, to;
    size_t one_in, calls;
} thin = {.one_in = 1};

FAULT_PLAIN static bool is_passed_over(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    if (at < thin.from || at >= thin.to) {
        return false;
    }
    return thin.one_in == 0 || thin.calls++ % thin.one_in != 0;
}

FAULT_PLAIN static bool strikes(const void *caller)
{
    if (!__atomic_load_n(&fault_now.on, __ATOMIC_RELAXED) ||
        is_passed_over(caller) || !fault_strikes(FAULT_MEMORY)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

OURS void *malloc(size_t size)
{
    return strikes(CALLER) ? NULL : note(REAL(malloc)(size));
}

OURS void *calloc(size_t count, size_t size)
{
    return strikes(CALLER) ? NULL : note(REAL(calloc)(count, size));
}

OURS void *realloc(void *memory, size_t size)
{
    if (strikes(CALLER)) {
        return NULL;
    }
    void *moved = REAL(realloc)(memory, size);
    return memory == NULL ? note(moved) : moved;
}

OURS void *aligned_alloc(size_t alignment, size_t size)
{
    return strikes(CALLER) ? NULL : note(REAL_ALIGNED(alignment, size));
}

OURS char *strndup(const char *text, size_t len)
{
    len = strnlen(text, len);
    char *copy = malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

OURS char *strdup(const char *text)
{
    return strndup(text, strlen(text));
}

OURS void free(void *memory)
{
    if (memory != NULL) {
        (void)__atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
    }
    REAL(free)(memory);
}

void fault_alloc_thin(size_t one_in)
{
    thin.one_in = one_in;
    thin.calls = 0;
}

static int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 &&
            strstr(info->dlpi_name, "libmbedcrypto") != NULL) {
            thin.from = info->dlpi_addr + part->p_vaddr;
            thin.to = thin.from + part->p_memsz;
        }
    }
    return 0;
}

size_t fault_alloc_live(void)
{
    return __atomic_load_n(&allocated, __ATOMIC_RELAXED) -
           __atomic_load_n(&freed, __ATOMIC_RELAXED);
}

/* As realloc(); 0 bytes are free(). */
static void *past_the_hook(void *memory, long size)
{
    if (size == 0) {
        REAL(free)(memory);
        return NULL;
    }
    return REAL(realloc)(memory, (size_t)size);
}

void fault_alloc_init(void)
{
    ev_set_allocator(past_the_hook);
    (void)dl_iterate_phdr(find_code, NULL);
    tzset(); /* libc keeps what it reads there */
}
