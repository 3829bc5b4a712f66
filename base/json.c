#include "base/json.h"
#include "base/json_string.h"

/* What the scan of one object remembers while placeholders are looked for. */
typedef struct mark {
    const uint8_t *start; /* its opening brace */
    sio_bytes num;        /* no base: no such member */
    bool in_num;          /* the value being scanned is that of `num` */
    bool placeholder;     /* the last `_placeholder` so far is true */
} mark;

typedef struct tracker {
    sio_json_placeholder_fn *found;
    void *arg;
    mark objects[SIO_JSON_DEPTH_MAX]; /* by depth; unset where arrays are */
} tracker;

typedef struct scanner {
    const uint8_t *base, *end;
    sio_error err;  /* read only after a failure; JSON unless it says more */
    unsigned depth; /* open containers */
    unsigned max_depth;
    tracker *tracker; /* NULL when nobody asks for placeholders */
    uint8_t closers[SIO_JSON_DEPTH_MAX]; /* how each open one has to end */
} scanner;

/* Sets all but `closers`, which are written before they are read. */
static void start(scanner *s, sio_bytes in, unsigned max_depth)
{
    static const uint8_t nothing[1];
    s->base = in.len != 0 ? in.base : nothing;
    s->end = s->base + in.len;
    s->err = SIO_ERR_JSON;
    s->depth = 0;
    s->max_depth =
        max_depth < SIO_JSON_DEPTH_MAX ? max_depth : SIO_JSON_DEPTH_MAX;
    s->tracker = NULL;
}

static sio_bytes span(const uint8_t *from, const uint8_t *to)
{
    return (sio_bytes){from, (size_t)(to - from)};
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static const uint8_t *skip_blanks(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_blank(*at)) {
        at++;
    }
    return at;
}

static sio_json_type type_of(uint8_t first)
{
    switch (first) {
    case 'n':
        return SIO_JSON_NULL;
    case 'f':
        return SIO_JSON_FALSE;
    case 't':
        return SIO_JSON_TRUE;
    case '"':
        return SIO_JSON_STRING;
    case '[':
        return SIO_JSON_ARRAY;
    case '{':
        return SIO_JSON_OBJECT;
    default:
        return SIO_JSON_NUMBER;
    }
}

static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* From the start of a number to behind it, or NULL (RFC 8259, section 6). */
static const uint8_t *number_end(const uint8_t *at, const uint8_t *end)
{
    at += *at == '-';
    const uint8_t *from = at;
    at = skip_digits(at, end);
    if (at == from || (*from == '0' && at - from > 1)) {
        return NULL;
    }
    if (at < end && *at == '.') {
        from = ++at;
        at = skip_digits(at, end);
        if (at == from) {
            return NULL;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        from = at;
        at = skip_digits(at, end);
        if (at == from) {
            return NULL;
        }
    }
    return at;
}

/* From the start of `word` to behind it; NULL if something else is there. */
static const uint8_t *word_end(const uint8_t *at, const uint8_t *end,
                               sio_bytes word)
{
    bool there =
        (size_t)(end - at) >= word.len && memcmp(at, word.base, word.len) == 0;
    return there ? at + word.len : NULL;
}

/*
 * The functions from here to scan_value() step through a text: each takes the
 * position it starts from and returns the one behind what it has read, or
 * NULL, leaving the reason in `s->err`.
 */

/* Notes the key that the value at `at` belongs to. */
static void track_key(scanner *s, sio_bytes key, const uint8_t *at)
{
    mark *object = &s->tracker->objects[s->depth - 1];

    object->in_num = sio_json_string_is(key, SIO_LIT("num"));
    if (object->in_num) {
        object->num = span(at, at);
    } else if (sio_json_string_is(key, SIO_LIT("_placeholder"))) {
        object->placeholder = at < s->end && *at == 't';
    }
}

/* Reads a key and its colon, up to the start of the value. */
static inline const uint8_t *scan_key(scanner *s, const uint8_t *at)
{
    const uint8_t *from = at;
    if (at == s->end || *at != '"') {
        return NULL;
    }
    const uint8_t *to = sio_json_string_end(s->base, at + 1, s->end);
    if (to == NULL) {
        return NULL;
    }
    at = skip_blanks(to, s->end);
    if (at == s->end || *at != ':') {
        return NULL;
    }
    at = skip_blanks(at + 1, s->end);
    if (s->tracker != NULL) {
        track_key(s, span(from, to), at);
    }
    return at;
}

/* Tells of the object that ends before `at`, if it is a placeholder. */
static const uint8_t *track_close(scanner *s, const uint8_t *at)
{
    const mark *object = &s->tracker->objects[s->depth];
    if (!object->placeholder) {
        return at;
    }
    sio_error err = s->tracker->found(s->tracker->arg, span(object->start, at),
                                      object->num);
    if (err != SIO_OK) {
        s->err = err;
        return NULL;
    }
    return at;
}

/* Steps over the closing bracket at `at`. */
static inline const uint8_t *close_container(scanner *s, const uint8_t *at)
{
    s->depth--;
    if (s->tracker != NULL && *at == '}') {
        return track_close(s, at + 1);
    }
    return at + 1;
}

/* Steps over the opening bracket at `at`, and over a closing one where nothing
 * is between; else a value has to follow, and `*more` is set. */
static inline const uint8_t *open_container(scanner *s, const uint8_t *at,
                                            bool *more)
{
    if (s->depth >= s->max_depth) {
        s->err = SIO_ERR_JSON_DEPTH;
        return NULL;
    }
    uint8_t closer = *at == '{' ? '}' : ']';
    if (s->tracker != NULL) {
        s->tracker->objects[s->depth] = (mark){.start = at};
    }
    s->closers[s->depth++] = closer;
    at = skip_blanks(at + 1, s->end);
    if (at < s->end && *at == closer) {
        return close_container(s, at);
    }
    *more = true;
    return closer == '}' ? scan_key(s, at) : at;
}

/* Reads a scalar or an empty container, or else enters a container, up to the
 * start of its first value, and sets `*more`. */
static inline const uint8_t *begin_value(scanner *s, const uint8_t *at,
                                         bool *more)
{
    if (at == s->end) {
        return NULL;
    }
    switch (*at) {
    case '"':
        return sio_json_string_end(s->base, at + 1, s->end);
    case '{':
    case '[':
        return open_container(s, at, more);
    case 't':
        return word_end(at, s->end, SIO_LIT("true"));
    case 'f':
        return word_end(at, s->end, SIO_LIT("false"));
    case 'n':
        return word_end(at, s->end, SIO_LIT("null"));
    default:
        return number_end(at, s->end);
    }
}

/* After a value in a container: steps to the next one and sets `*more`, or
 * leaves the container, which is itself a value that has ended. */
static inline const uint8_t *end_value(scanner *s, const uint8_t *at,
                                       bool *more)
{
    if (s->tracker != NULL && s->tracker->objects[s->depth - 1].in_num) {
        mark *object = &s->tracker->objects[s->depth - 1];
        object->num = span(object->num.base, at);
    }
    at = skip_blanks(at, s->end);
    if (at == s->end) {
        return NULL;
    }
    uint8_t closer = s->closers[s->depth - 1];
    if (*at == closer) {
        return close_container(s, at);
    }
    if (*at != ',') {
        return NULL;
    }
    at = skip_blanks(at + 1, s->end);
    *more = true;
    return closer == '}' ? scan_key(s, at) : at;
}

/* Reads the value at `at`, where no whitespace is.  Containers are kept on
 * `closers`, so that depth costs no stack. */
static const uint8_t *scan_value(scanner *s, const uint8_t *at)
{
    unsigned outer = s->depth;
    bool more;

    do {
        more = false;
        at = begin_value(s, at, &more);
        while (at != NULL && !more && s->depth > outer) {
            at = end_value(s, at, &more);
        }
    } while (at != NULL && more);
    return at;
}

sio_error sio_json_scan(sio_bytes in, unsigned max_depth, sio_json_type *type,
                        size_t *used)
{
    scanner s;
    start(&s, in, max_depth);
    const uint8_t *from = skip_blanks(s.base, s.end);
    const uint8_t *to = scan_value(&s, from);
    if (to == NULL) {
        return s.err;
    }
    *type = type_of(*from);
    *used = (size_t)(to - s.base);
    return SIO_OK;
}

/* Reads a whole text. */
static sio_error scan_whole(scanner *s)
{
    const uint8_t *at = scan_value(s, skip_blanks(s->base, s->end));
    if (at == NULL) {
        return s->err;
    }
    return skip_blanks(at, s->end) == s->end ? SIO_OK : SIO_ERR_JSON;
}

sio_error sio_json_check(sio_bytes in, unsigned max_depth)
{
    scanner s;
    start(&s, in, max_depth);
    return scan_whole(&s);
}

sio_error sio_json_check_placeholders(sio_bytes in, unsigned max_depth,
                                      sio_json_placeholder_fn *found, void *arg)
{
    scanner s;
    tracker t;
    start(&s, in, max_depth);
    t.found = found;
    t.arg = arg;
    s.tracker = &t;
    return scan_whole(&s);
}

/* A value in a list.  Strings are most of what there is, and need none of the
 * books that containers do. */
static inline const uint8_t *scan_item(scanner *s, const uint8_t *at)
{
    return at < s->end && *at == '"'
               ? sio_json_string_end(s->base, at + 1, s->end)
               : scan_value(s, at);
}

/* Reads values with commas between them, the inside of an array, up to what
 * is neither.  Returns as the functions above scan_value() do. */
static const uint8_t *scan_list(scanner *s, const uint8_t *at,
                                sio_json_array *out)
{
    const uint8_t *first = skip_blanks(at, s->end);
    *out = (sio_json_array){0};
    if (first == s->end || *first == ']') {
        return first;
    }
    at = scan_item(s, first);
    if (at == NULL) {
        return NULL;
    }
    out->first_type = type_of(*first);
    out->first = span(first, at);

    const uint8_t *second = NULL;
    const uint8_t *to = at;
    unsigned count = 1;
    for (;;) {
        at = skip_blanks(to, s->end);
        if (at == s->end || *at != ',') {
            break;
        }
        at = skip_blanks(at + 1, s->end);
        if (second == NULL) {
            second = at;
        }
        to = scan_item(s, at);
        if (to == NULL) {
            return NULL;
        }
        count++;
    }
    out->count = count;
    out->all = span(first, to);
    if (second != NULL) {
        out->rest = span(second, to);
    }
    return at;
}

/* Enters the array whose elements are to be scanned. */
static bool enter_list(scanner *s)
{
    if (s->max_depth == 0) {
        s->err = SIO_ERR_JSON_DEPTH;
        return false;
    }
    s->closers[s->depth++] = ']';
    return true;
}

sio_error sio_json_list_check(sio_bytes in, unsigned max_depth, unsigned *count)
{
    scanner s;
    sio_json_array list;
    start(&s, in, max_depth);
    if (!enter_list(&s)) {
        return s.err;
    }
    const uint8_t *at = scan_list(&s, s.base, &list);
    if (at != s.end) {
        return s.err;
    }
    *count = list.count;
    return SIO_OK;
}

/* Reads a whole text that has to be an array. */
static sio_error scan_array(scanner *s, sio_json_array *out)
{
    const uint8_t *at = skip_blanks(s->base, s->end);

    if (at == s->end || *at != '[') {
        sio_error err = scan_whole(s);
        return err == SIO_OK ? SIO_ERR_MISMATCH : err;
    }
    if (!enter_list(s)) {
        return s->err;
    }
    at = scan_list(s, at + 1, out);
    if (at == NULL || at == s->end || *at != ']' ||
        skip_blanks(at + 1, s->end) != s->end) {
        return s->err;
    }
    return SIO_OK;
}

/* Apart from its caller, whose stack frame is small without this one's. */
__attribute__((noinline)) static sio_error
scan_array_tracked(scanner *s, sio_json_placeholder_fn *found, void *arg,
                   sio_json_array *out)
{
    tracker t;
    t.found = found;
    t.arg = arg;
    s->tracker = &t;
    sio_error err = scan_array(s, out);
    s->tracker = NULL;
    return err;
}

#if defined(__SSE2__)

/* A bit for each of `len` bytes, 16 to 64, that is special. */
static uint64_t specials_of(const uint8_t *base, size_t len)
{
    uint64_t mask = (uint64_t)sio_json_specials(base + len - 16) << (len - 16);
    for (size_t at = 0; at + 16 < len; at += 16) {
        mask |= (uint64_t)sio_json_specials(base + at) << at;
    }
    return mask;
}

/* Takes apart a short array of strings without escapes or blanks around them,
 * which is most of what comes.  False for what has to be looked at properly. */
static bool scan_plain(sio_bytes in, sio_json_array *out)
{
    size_t at = 0, second = 0;
    unsigned count = 0;
    if (in.len < 16 || in.len > 64 || in.base[0] != '[') {
        return false;
    }
    uint64_t mask = specials_of(in.base, in.len);
    do {
        at++;
        if ((mask >> at & 1) == 0 || in.base[at] != '"') {
            return false;
        }
        mask &= mask - 1;
        if (mask == 0) {
            return false;
        }
        at = (size_t)__builtin_ctzll(mask);
        mask &= mask - 1;
        if (in.base[at] != '"' || ++at == in.len) {
            return false;
        }
        second = count++ == 0 ? at + 1 : second;
    } while (in.base[at] == ',' && at + 1 < in.len);
    if (in.base[at] != ']' || at + 1 != in.len) {
        return false;
    }
    out->count = count;
    out->first_type = SIO_JSON_STRING;
    out->first = (sio_bytes){in.base + 1, second - 2};
    out->all = (sio_bytes){in.base + 1, at - 1};
    out->rest = count == 1 ? (sio_bytes){NULL, 0}
                           : (sio_bytes){in.base + second, at - second};
    return true;
}

#else

static bool scan_plain(sio_bytes in, sio_json_array *out)
{
    (void)in;
    (void)out;
    return false;
}

#endif

/* Apart from the next one, which mostly needs no stack at all. */
__attribute__((noinline)) static sio_error
scan_any_array(sio_bytes in, unsigned max_depth, sio_json_placeholder_fn *found,
               void *arg, sio_json_array *out)
{
    scanner s;
    start(&s, in, max_depth);
    return found == NULL ? scan_array(&s, out)
                         : scan_array_tracked(&s, found, arg, out);
}

sio_error sio_json_array_scan(sio_bytes in, unsigned max_depth,
                              sio_json_placeholder_fn *found, void *arg,
                              sio_json_array *out)
{
    return max_depth != 0 && scan_plain(in, out)
               ? SIO_OK
               : scan_any_array(in, max_depth, found, arg, out);
}

sio_json_items sio_json_items_of_list(sio_bytes list)
{
    if (list.len == 0) {
        return (sio_json_items){0};
    }
    return (sio_json_items){list.base, list.base + list.len};
}

sio_json_items sio_json_items_of_array(sio_bytes array)
{
    sio_json_items it = sio_json_items_of_list(array);

    it.at = skip_blanks(it.at, it.end);
    if (it.at < it.end && *it.at == '[') {
        it.at++;
    }
    while (it.at < it.end && is_blank(it.end[-1])) {
        it.end--;
    }
    if (it.at < it.end && it.end[-1] == ']') {
        it.end--;
    }
    return it;
}

/* From behind the opening quote to behind the closing one, or `end`. */
static const uint8_t *pass_string(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *to = sio_json_string_end(at, at, end);
    return to != NULL ? to : end;
}

/* From an opening bracket to behind the closing one, or `end`. */
static const uint8_t *pass_container(const uint8_t *at, const uint8_t *end)
{
    size_t depth = 0;
    do {
        uint8_t byte = *at++;
        if (byte == '"') {
            at = pass_string(at, end);
        } else if (byte == '[' || byte == '{') {
            depth++;
        } else if (byte == ']' || byte == '}') {
            depth--;
        }
    } while (depth != 0 && at < end);
    return at;
}

static const uint8_t *pass_scalar(const uint8_t *at, const uint8_t *end)
{
    do {
        at++;
    } while (at < end && *at != ',' && !is_blank(*at));
    return at;
}

bool sio_json_items_next(sio_json_items *it, sio_bytes *item,
                         sio_json_type *type)
{
    const uint8_t *from = it->at;
    while (from < it->end && (*from == ',' || is_blank(*from))) {
        from++;
    }
    if (from == it->end) {
        it->at = from;
        return false;
    }
    *type = type_of(*from);
    if (*type == SIO_JSON_STRING) {
        it->at = pass_string(from + 1, it->end);
    } else if (*type == SIO_JSON_ARRAY || *type == SIO_JSON_OBJECT) {
        it->at = pass_container(from, it->end);
    } else {
        it->at = pass_scalar(from, it->end);
    }
    *item = span(from, it->at);
    return true;
}
