#include "transport/accept_encoding.h"

#include "transport/http_text.h"

#define Q_MAX 1000 /* q in thousandths */

/* What the client says about one coding. */
typedef struct wish {
    unsigned q;
    bool named; /* and not by a `*` */
    size_t place;
} wish;

sio_bytes tp_coding_name(tp_coding coding)
{
    static const sio_bytes names[TP_CODING_COUNT] = {
        [TP_CODING_BR] = SIO_LIT_INIT("br"),
        [TP_CODING_GZIP] = SIO_LIT_INIT("gzip"),
        [TP_CODING_DEFLATE] = SIO_LIT_INIT("deflate"),
        [TP_CODING_IDENTITY] = SIO_LIT_INIT("identity"),
    };
    return names[coding];
}

/* A qvalue in thousandths, 0 if malformed. */
static unsigned parse_q(sio_bytes text)
{
    unsigned q = 0, unit = Q_MAX;
    if (text.len == 0 || text.len > 5 || text.base[0] > '1' ||
        (text.len > 1 && text.base[1] != '.')) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1) {
            continue;
        }
        if (!tp_http_is(text.base[i], TP_HTTP_CLASS_DIGIT)) {
            return 0;
        }
        q += unit * (text.base[i] - (unsigned)'0');
        unit /= 10;
    }
    return q <= Q_MAX ? q : 0;
}

/* Cuts what is in front of the next ';' from `*rest`; base NULL at the end. */
static sio_bytes next_part(sio_bytes *rest)
{
    sio_bytes part = *rest;
    if (part.base == NULL) {
        return part;
    }
    const uint8_t *cut = memchr(part.base, ';', part.len);
    *rest = (sio_bytes){NULL, 0};
    if (cut != NULL) {
        size_t len = (size_t)(cut - part.base);
        *rest = (sio_bytes){cut + 1, part.len - len - 1};
        part.len = len;
    }
    return tp_http_trim(part);
}

static unsigned q_of(sio_bytes parameters)
{
    sio_bytes part;
    while ((part = next_part(&parameters)).base != NULL) {
        if (part.len >= 2 && (part.base[0] | 0x20) == 'q' &&
            part.base[1] == '=') {
            return parse_q((sio_bytes){part.base + 2, part.len - 2});
        }
    }
    return Q_MAX;
}

/* Enters one element of the list, unless there is a better word already. */
static void note(wish wishes[TP_CODING_COUNT], sio_bytes element, size_t place)
{
    sio_bytes rest = element;
    sio_bytes name = next_part(&rest);
    bool any = sio_bytes_eq(name, SIO_LIT("*"));
    unsigned q = q_of(rest);
    for (size_t i = 0; i < TP_CODING_COUNT; i++) {
        wish *w = &wishes[i];
        bool named = tp_http_equals(name, tp_coding_name((tp_coding)i));
        bool better = named ? !w->named || q > w->q : !w->named && q > w->q;
        if ((any || named) && better) {
            *w = (wish){q, named, place};
        }
    }
}

static bool is_before(const wish *a, const wish *b)
{
    if (a->q != b->q) {
        return a->q > b->q;
    }
    return a->named != b->named ? a->named : a->place < b->place;
}

tp_coding tp_coding_choose(const tp_http_head *head, unsigned offered)
{
    wish wishes[TP_CODING_COUNT] = {0};
    const tp_http_header *field = NULL;
    size_t place = 0;
    while ((field = tp_http_header_next(head, SIO_LIT("accept-encoding"),
                                        field)) != NULL) {
        sio_bytes rest = field->value, element;
        while (tp_http_list_next(&rest, &element)) {
            note(wishes, element, place++);
        }
    }
    tp_coding best = TP_CODING_IDENTITY;
    for (size_t i = TP_CODING_IDENTITY; i-- > 0;) {
        bool usable = (offered & 1u << i) != 0 && wishes[i].q != 0;
        if (usable && !is_before(&wishes[best], &wishes[i])) {
            best = (tp_coding)i;
        }
    }
    return best;
}
