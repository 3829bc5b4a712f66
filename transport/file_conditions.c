#include "transport/file_conditions.h"

#include <inttypes.h>
#include <stdio.h>

#include "transport/http_date.h"
#include "transport/http_text.h"

void tp_file_facts_set(tp_file_facts *facts, uint64_t size,
                       struct timespec modified, int64_t now)
{
    int64_t seconds = modified.tv_sec < now ? modified.tv_sec : now;
    facts->size = size;
    facts->modified = seconds > 0 ? seconds : 0;
    facts->now = now;
    (void)snprintf(facts->etag, sizeof(facts->etag),
                   "\"%" PRIx64 ".%lx-%" PRIx64 "\"", (uint64_t)modified.tv_sec,
                   (unsigned long)modified.tv_nsec, size);
}

/* ---------------------------------------------------------- validators -- */

static bool starts(sio_bytes text, sio_bytes prefix)
{
    return text.len >= prefix.len &&
           memcmp(text.base, prefix.base, prefix.len) == 0;
}

/* Not tp_http_list_next(): a tag may hold commas. */
bool tp_etag_list_has(sio_bytes value, sio_bytes etag)
{
    sio_bytes rest = tp_http_trim(value);
    if (sio_bytes_eq(rest, SIO_LIT("*"))) {
        return true;
    }
    while (rest.len != 0) {
        if (rest.base[0] == ',' || tp_http_is_blank(rest.base[0])) {
            sio_bytes_skip(&rest, 1);
            continue;
        }
        if (starts(rest, SIO_LIT("W/"))) {
            sio_bytes_skip(&rest, 2);
        }
        const uint8_t *end = rest.len < 2 || rest.base[0] != '"'
                                 ? NULL
                                 : memchr(rest.base + 1, '"', rest.len - 1);
        if (end == NULL) {
            return false; /* what follows cannot be told apart */
        }
        size_t len = (size_t)(end - rest.base) + 1;
        if (sio_bytes_eq((sio_bytes){rest.base, len}, etag)) {
            return true;
        }
        sio_bytes_skip(&rest, len);
    }
    return false;
}

static sio_bytes tag_of(const tp_file_facts *facts)
{
    return (sio_bytes){(const uint8_t *)facts->etag, strlen(facts->etag)};
}

/* The value of a field that may stand once; base NULL unless it does. */
static sio_bytes find_single(const tp_http_head *head, sio_bytes name)
{
    sio_bytes none = {NULL, 0};
    return tp_http_header_count(head, name) == 1
               ? tp_http_header_find(head, name)
               : none;
}

/* Whether the client has what there is. */
static bool is_known(const tp_http_head *head, const tp_file_facts *facts)
{
    const sio_bytes name = SIO_LIT("if-none-match");
    const tp_http_header *field = tp_http_header_next(head, name, NULL);
    int64_t since;
    if (field == NULL) {
        sio_bytes date = find_single(head, SIO_LIT("if-modified-since"));
        return date.base != NULL &&
               tp_http_date_parse(date, facts->now, &since) &&
               facts->modified <= since;
    }
    for (; field != NULL; field = tp_http_header_next(head, name, field)) {
        if (tp_etag_list_has(field->value, tag_of(facts))) {
            return true;
        }
    }
    return false;
}

/* -------------------------------------------------------------- ranges -- */

/* Takes a number, which is UINT64_MAX if it does not fit.  Returns whether
 * there was one. */
static bool take_number(sio_bytes *text, uint64_t *value)
{
    size_t len = 0;
    *value = 0;
    while (len < text->len &&
           tp_http_is(text->base[len], TP_HTTP_CLASS_DIGIT)) {
        uint64_t digit = text->base[len++] - (unsigned)'0';
        bool fits = *value <= (UINT64_MAX - digit) / 10;
        *value = fits ? 10 * *value + digit : UINT64_MAX;
    }
    sio_bytes_skip(text, len);
    return len != 0;
}

tp_range tp_range_parse(sio_bytes value, uint64_t size, uint64_t *first,
                        uint64_t *len)
{
    const sio_bytes unit = SIO_LIT("bytes=");
    uint64_t from, last;
    if (value.len < unit.len ||
        !tp_http_equals((sio_bytes){value.base, unit.len}, unit)) {
        return TP_RANGE_NONE;
    }
    sio_bytes_skip(&value, unit.len);
    value = tp_http_trim(value);
    bool has_from = take_number(&value, &from);
    if (value.len == 0 || value.base[0] != '-') {
        return TP_RANGE_NONE;
    }
    sio_bytes_skip(&value, 1);
    bool has_last = take_number(&value, &last);
    if (value.len != 0 || (!has_from && !has_last) ||
        (has_from && has_last && last < from)) {
        return TP_RANGE_NONE;
    }
    if (!has_from) { /* the last so many */
        from = last < size ? size - last : 0;
        from = last == 0 ? size : from;
        has_last = false;
    }
    if (from >= size) {
        return TP_RANGE_OUTSIDE;
    }
    *first = from;
    *len = has_last && last < size ? last - from + 1 : size - from;
    return TP_RANGE_PART;
}

/* Whether the range is of the version that the client has a part of. */
static bool range_applies(const tp_http_head *head, const tp_file_facts *facts)
{
    int64_t date;
    sio_bytes name = SIO_LIT("if-range");
    size_t count = tp_http_header_count(head, name);
    if (count != 1) {
        return count == 0;
    }
    sio_bytes value = tp_http_header_find(head, name);
    if (sio_bytes_eq(value, tag_of(facts))) {
        return true;
    }
    /* In the second of a change, a date may stand for two versions (RFC 9110,
     * section 8.8.2.2). */
    return tp_http_date_parse(value, facts->now, &date) &&
           date == facts->modified && facts->modified < facts->now - 1;
}

tp_file_verdict tp_file_judge(const tp_http_head *head,
                              const tp_file_facts *facts)
{
    tp_file_verdict whole = {200, 0, facts->size};
    tp_file_verdict part = {.status = 206};
    if (is_known(head, facts)) {
        return (tp_file_verdict){.status = 304};
    }
    sio_bytes range = find_single(head, SIO_LIT("range"));
    /* Of an empty file no part can be named, not even all of it. */
    if (head->method != TP_HTTP_METHOD_GET || range.base == NULL ||
        facts->size == 0 || !range_applies(head, facts)) {
        return whole;
    }
    switch (tp_range_parse(range, facts->size, &part.first, &part.len)) {
    case TP_RANGE_PART:
        return part;
    case TP_RANGE_OUTSIDE:
        return (tp_file_verdict){.status = 416};
    case TP_RANGE_NONE:
        break;
    }
    return whole;
}
