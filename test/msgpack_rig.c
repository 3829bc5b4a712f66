#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "test/msgpack_rig.h"

#include "test/msgpack_vectors.h"

const size_t mp_vector_count = COUNT(mp_vectors);

const sio_packet_limits mp_limits = {
    .max_depth = 7, .max_attachments = MP_BINARIES, .max_nsp = 8};

void mp_expect(const char *file, int line, const char *label, intmax_t got,
               intmax_t want)
{
    if (got != want) {
        print_error("%s:%d: %s: %jd, not %jd\n", file, line, label, got, want);
        fail();
    }
}

void mp_expect_text(const char *file, int line, const char *label,
                    sio_bytes got, const char *want)
{
    sio_bytes text = {(const uint8_t *)want, strlen(want)};
    if (!sio_bytes_eq(got, text)) {
        print_error("%s:%d: %s: %.*s, not %s\n", file, line, label,
                    (int)got.len, (const char *)got.base, want);
        fail();
    }
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

sio_bytes mp_unhex(const char *hex)
{
    size_t digits = 0;
    for (const char *at = hex; *at != '\0'; at++) {
        digits += *at != ' ';
    }
    assert_true(digits % 2 == 0);
    uint8_t *bytes = malloc(digits / 2);
    size_t len = 0;
    for (const char *at = hex; len < digits / 2;) {
        unsigned value = 0;
        for (int i = 0; i < 2; at++) {
            if (*at != ' ') {
                value = value << 4 | digit(*at);
                i++;
            }
        }
        bytes[len++] = (uint8_t)value;
    }
    return (sio_bytes){bytes, len};
}

sio_bytes mp_copy(sio_bytes in)
{
    uint8_t *copy = malloc(in.len);
    if (in.len != 0) {
        memcpy(copy, in.base, in.len);
    }
    return (sio_bytes){copy, in.len};
}

sio_error mp_decode(sio_bytes in, const sio_packet_limits *limits,
                    mp_decoded *out)
{
    out->text = (sio_writer){0};
    sio_error err =
        sio_msgpack_decode(in, limits, &out->text, out->binaries, &out->packet);
    if (err != SIO_ERR_NO_SPACE) {
        return err;
    }
    size_t len = out->text.len;
    out->text = (sio_writer){malloc(len), len, 0};
    err =
        sio_msgpack_decode(in, limits, &out->text, out->binaries, &out->packet);
    mp_expect(__FILE__, __LINE__, "a second time", err, SIO_OK);
    mp_expect(__FILE__, __LINE__, "length", (intmax_t)out->text.len,
              (intmax_t)len);
    return err;
}

void mp_drop(mp_decoded *d)
{
    free(d->text.base);
}

char *mp_list_binaries(const mp_decoded *d)
{
    size_t len = 1;
    for (uint32_t i = 0; i < d->packet.attachments; i++) {
        len += 2 * d->binaries[i].len + 1;
    }
    char *list = malloc(len), *at = list;
    for (uint32_t i = 0; i < d->packet.attachments; i++) {
        const uint8_t *bytes = d->binaries[i].data;
        if (i != 0) {
            *at++ = ',';
        }
        for (size_t k = 0; k < d->binaries[i].len; k++) {
            *at++ = "0123456789abcdef"[bytes[k] >> 4];
            *at++ = "0123456789abcdef"[bytes[k] & 15];
        }
    }
    *at = '\0';
    return list;
}

static bool is_inside(const void *base, size_t len, sio_bytes in)
{
    const uint8_t *at = base;
    return len == 0 || (at >= in.base && len <= in.len &&
                        at - in.base <= (ptrdiff_t)(in.len - len));
}

typedef struct found {
    unsigned count, limit;
} found;

static sio_error on_placeholder(void *arg, sio_bytes object, sio_bytes num)
{
    found *f = arg;
    size_t index;
    (void)object;
    if (f->limit != 0) { /* else they are data */
        assert_true(sio_placeholder_index(num, f->limit, &index));
        assert_int_equal(index, f->count); /* in order, each once */
    }
    f->count++;
    return SIO_OK;
}

static void check_payload(const char *label, const sio_packet_limits *limits,
                          const mp_decoded *d)
{
    const sio_packet *p = &d->packet;
    sio_bytes text = {d->text.base, d->text.len};
    found f = {0, p->attachments};
    sio_json_type type;
    size_t used;
    unsigned count;

    check(label, sio_bytes_eq(p->payload, text), true);
    check(label, sio_utf8_valid(text), true);
    check(label,
          sio_json_check_placeholders(text, limits->max_depth, on_placeholder,
                                      &f),
          SIO_OK);
    check(label, p->attachments != 0 && f.count != p->attachments, false);
    check(label, sio_json_scan(text, limits->max_depth, &type, &used), SIO_OK);
    check(label, type, p->payload_type);
    check(label, is_inside(p->name.base, p->name.len, text), true);
    check(label, is_inside(p->args.base, p->args.len, text), true);
    check(label, sio_json_list_check(p->args, limits->max_depth, &count),
          SIO_OK);
    check(label, count, p->arg_count);
}

void mp_check_promises(const char *label, sio_bytes in,
                       const sio_packet_limits *limits, const mp_decoded *d)
{
    const sio_packet *p = &d->packet;
    bool binary = p->type >= SIO_PACKET_BINARY_EVENT;

    check(label, p->attachments != 0, binary);
    check(label, p->attachments <= limits->max_attachments, true);
    check(label, p->nsp.len >= 1 && p->nsp.base[0] == '/', true);
    check(label, p->nsp.len <= limits->max_nsp, true);
    check(label, is_inside(p->nsp.base, p->nsp.len, in), true);
    check(label, d->text.len <= 6 * in.len + 64 * p->attachments, true);
    for (uint32_t i = 0; i < p->attachments; i++) {
        check(label, is_inside(d->binaries[i].data, d->binaries[i].len, in),
              true);
    }
    check(label, p->payload.len == 0, p->payload_type == SIO_JSON_NONE);
    if (p->payload.len != 0) {
        check_payload(label, limits, d);
    }
}
