#include <stdlib.h>
#include <string.h>

#include "fuzz/server_input.h"
#include "fuzz/server_rig.h"
#include "fuzz/server_steps.h"

/*
 * Mutates scripts by their steps: a byte too many in one would have all that
 * come behind it mean something else.
 */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1,
                                 const uint8_t *data2, size_t size2,
                                 uint8_t *out, size_t max_out, unsigned seed);

enum { STEPS_MOST = 512 };

/* Where each step of a script begins; the last entry is its end. */
typedef struct script {
    const uint8_t *data;
    size_t at[STEPS_MOST + 1];
    size_t count;
} script;

/* What is made. */
typedef struct draft {
    uint8_t data[INPUT_MOST];
    size_t len, most;
} draft;

static uint32_t state;

static size_t draw(size_t below)
{
    state = state * 1664525u + 1013904223u;
    return below == 0 ? 0 : (state >> 8) % below;
}

static size_t text_len(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* The length of the step at the front of `len` bytes; what is cut ends there.
 */
static size_t step_len(const uint8_t *at, size_t len)
{
    size_t n = 1;
    for (const char *arg = steps_arguments(at[0]); *arg != '\0'; arg++) {
        if (*arg == 't' && n + 2 <= len) {
            n += text_len(at + n);
        }
        n += *arg == 'b' ? 1 : 2;
    }
    return n < len ? n : len;
}

static void read_script(script *s, const uint8_t *data, size_t size)
{
    size_t at = size < RIG_FLAG_BYTES ? size : RIG_FLAG_BYTES;
    s->data = data;
    s->count = 0;
    while (at < size && s->count < STEPS_MOST) {
        s->at[s->count++] = at;
        at += step_len(data + at, size - at);
    }
    s->at[s->count] = at;
}

/* ---------------------------------------------------------------- writing --
 */

static void put(draft *d, const void *bytes, size_t len)
{
    if (len != 0 && len <= d->most - d->len) {
        memcpy(d->data + d->len, bytes, len);
        d->len += len;
    }
}

static void put_byte(draft *d, unsigned byte)
{
    uint8_t one = (uint8_t)byte;
    put(d, &one, 1);
}

static void put_text(draft *d, const void *text, size_t len)
{
    if (len + 2 <= d->most - d->len) {
        put_byte(d, (unsigned)len >> 8);
        put_byte(d, (unsigned)len);
        put(d, text, len);
    }
}

/* The steps from `from` to below `to`. */
static void put_steps(draft *d, const script *s, size_t from, size_t to)
{
    for (; from < to; from++) {
        put(d, s->data + s->at[from], s->at[from + 1] - s->at[from]);
    }
}

/* A step that was not there: of any kind, with numbers that matter more often
 * than others, and texts of a client. */
static void put_fresh(draft *d)
{
    static const uint8_t numbers[] = {0, 1, 2, 4, 8, 32, 64, 65, 66, 128, 255};
    static const uint8_t heads[] = {0x81, 0x81, 0x82, 0xc1, 0x01,
                                    0x80, 0x88, 0x89, 0x8a};
    static const char *const texts[] = {
        "40",
        "41",
        "2probe",
        "5",
        "3",
        "2",
        "1",
        "42[\"echo\",1]",
        "421[\"echo\"]",
        "40/chat,{\"token\":\"x\"}",
        "42/chat,[\"all\",1]",
        "40/dyn-1,",
        "40/ask-1,",
        "42[\"join\",\"x\"]",
        "42[\"say\",\"x\"]",
        "42[\"q\"]",
        "42[\"Q\"]",
        "430[\"a\"]",
        "42[\"read\",\"s\",{\"a\":1}]",
        "42[\"info\"]",
        "42[\"drop\"]",
        "451-[\"bin\",{\"_placeholder\":true,\"num\":0}]",
        "40{\"pid\":\"\1\",\"offset\":\"\2\"}",
        "42[\"?\"]",
    };
    unsigned kind = (unsigned)draw(steps_kinds());
    const char *args = steps_arguments(kind);
    put_byte(d, kind);
    for (const char *arg = args; *arg != '\0'; arg++) {
        const char *text = texts[draw(sizeof(texts) / sizeof(texts[0]))];
        if (*arg == 't') {
            put_text(d, text, strlen(text));
        } else if (*arg == 'b') {
            put_byte(d, arg[1] == 't' && draw(2) == 0
                            ? heads[draw(sizeof(heads))]
                            : numbers[draw(sizeof(numbers))]);
        } else {
            put_byte(d, (unsigned)draw(2) * 0x61); /* 25 s, or less */
            put_byte(d, numbers[draw(sizeof(numbers))]);
        }
    }
}

/* The same step with other arguments: its text, or what is before that. */
static void put_changed(draft *d, const script *s, size_t i)
{
    static uint8_t text[INPUT_MOST];
    const uint8_t *at = s->data + s->at[i];
    size_t len = s->at[i + 1] - s->at[i], n = 1;
    const char *args = steps_arguments(at[0]);
    bool in_text = draw(4) != 0;
    put_byte(d, at[0]);
    for (; *args != '\0' && *args != 't' && n < len; args++) {
        for (size_t end = n + (*args == 'b' ? 1 : 2); n < end && n < len; n++) {
            put_byte(d, in_text ? at[n] : at[n] ^ 1u << draw(8));
        }
    }
    if (*args == 't' && n + 2 <= len) {
        size_t left = len - n - 2;
        memcpy(text, at + n + 2, left);
        if (in_text) {
            left = LLVMFuzzerMutate(text, left,
                                    left * 2 + 8 < sizeof(text) ? left * 2 + 8
                                                                : sizeof(text));
        }
        put_text(d, text, left);
    }
}

/* ------------------------------------------------------------ the fuzzer's --
 */

static void put_flags(draft *d, const script *s, bool change)
{
    put(d, s->data, RIG_FLAG_BYTES);
    if (change) {
        size_t bit = draw(RIG_FLAGS);
        d->data[RIG_FLAG_BYTES - 1 - bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                               unsigned seed)
{
    static script s;
    static draft d;
    state = seed;
    if (size <= RIG_FLAG_BYTES || size > INPUT_MOST || draw(16) == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    read_script(&s, data, size);
    size_t how = draw(8), i = draw(s.count), j = draw(s.count);
    size_t end = i + 1 + draw(4);
    end = end < s.count ? end : s.count;
    d.len = 0;
    d.most = max_size < INPUT_MOST ? max_size : INPUT_MOST;
    put_flags(&d, &s, how == 0);
    if (how <= 1) { /* some steps less */
        put_steps(&d, &s, 0, how == 0 ? s.count : i);
        put_steps(&d, &s, how == 0 ? s.count : end, s.count);
    } else if (how == 2) { /* some again, elsewhere */
        put_steps(&d, &s, 0, j);
        put_steps(&d, &s, i, end);
        put_steps(&d, &s, j, s.count);
    } else if (how <= 5) { /* others: these change most of what is reached */
        put_steps(&d, &s, 0, i);
        put_changed(&d, &s, i);
        put_steps(&d, &s, i + 1, s.count);
    } else {
        put_steps(&d, &s, 0, i);
        put_fresh(&d);
        put_steps(&d, &s, i, s.count);
    }
    memcpy(data, d.data, d.len);
    return d.len;
}

/* Steps of the second script within the first, or instead of its end. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1,
                                 const uint8_t *data2, size_t size2,
                                 uint8_t *out, size_t max_out, unsigned seed)
{
    static script a, b;
    static draft d;
    state = seed;
    if (size1 <= RIG_FLAG_BYTES || size2 <= RIG_FLAG_BYTES) {
        return 0;
    }
    read_script(&a, data1, size1);
    read_script(&b, data2, size2);
    size_t at = draw(a.count + 1), from = draw(b.count);
    size_t to = from + 1 + draw(b.count - from);
    d.len = 0;
    d.most = max_out < INPUT_MOST ? max_out : INPUT_MOST;
    put_flags(&d, draw(2) == 0 ? &a : &b, false);
    put_steps(&d, &a, 0, at);
    put_steps(&d, &b, from, to);
    put_steps(&d, &a, at, draw(3) == 0 ? at : a.count);
    memcpy(out, d.data, d.len);
    return d.len;
}
