#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "transport/accept_encoding.h"
#include "transport/file_conditions.h"
#include "transport/http_date.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define SIZE_MAX_IN 512
#define ETAG "\"5f.1-a\""

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What is compared with the names of units and codings. */
static bool equals(const char *text, size_t len, const char *lower)
{
    return strlen(lower) == len && strncasecmp(text, lower, len) == 0;
}

/* Takes the line that `*rest` begins with, and makes it a string. */
static char *take_line(char **rest)
{
    char *line = *rest;
    size_t len = strcspn(line, "\n");
    *rest = line + len + (line[len] == '\n' ? 1 : 0);
    line[len] = '\0';
    return line;
}

static sio_bytes view(const char *text)
{
    return (sio_bytes){(const uint8_t *)text, strlen(text)};
}

/* ------------------------------------------------------------------ dates --
 */

typedef struct date {
    int year, month, day, hour, minute, second;
} date;

/* Days since 1970-01-01, of the calendar that repeats after 400 years. */
static int64_t days_of(int year, int month, int day)
{
    static const int before[] = {0,   31,  59,  90,  120, 151,
                                 181, 212, 243, 273, 304, 334};
    int64_t y = year + 400 - 1; /* whole years, from one that is not below 0 */
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t days = 365 * y + y / 4 - y / 100 + y / 400 + before[month];
    return days + (leap && month > 1 ? 1 : 0) + day - 1 - 146097 - 719162;
}

static int number_at(const char *text, size_t at, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        char c = text[at + (size_t)i];
        value = 10 * value + (c == ' ' ? 0 : c - '0');
    }
    return value;
}

/* `form` has 0 for a digit, _ for a digit or a space, n for the three letters
 * of a month; the rest stands for itself. */
static bool fits(const char *text, const char *form)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (; *form != '\0'; form++, text++) {
        if (*form == 'n') {
            size_t at = 0;
            while (at < 36 && strncmp(months + at, text, 3) != 0) {
                at += 3;
            }
            if (at == 36) {
                return false;
            }
            text += 2;
        } else if (*form == '0' || *form == '_') {
            if (!is_digit(*text) && (*form == '0' || *text != ' ')) {
                return false;
            }
        } else if (*text != *form) {
            return false;
        }
    }
    return *text == '\0';
}

static int month_at(const char *text, size_t at)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char name[] = {text[at], text[at + 1], text[at + 2], '\0'};
    return (int)(strstr(months, name) - months) / 3;
}

static int this_year(int64_t now)
{
    int year = 1970;
    while (days_of(year + 1, 0, 1) * 86400 <= now) {
        year++;
    }
    return year;
}

/* Reads what is behind the day of the week. */
static bool read_date(const char *text, int64_t now, date *d)
{
    static const struct {
        const char *form;
        size_t day, month, year, time;
        int digits;
    } forms[] = {
        {", 00 n 0000 00:00:00 GMT", 2, 5, 9, 14, 4},
        {", 00-n-00 00:00:00 GMT", 2, 5, 9, 12, 2},
        {" n _0 00:00:00 0000", 5, 1, 17, 8, 4},
    };
    for (size_t i = 0; i < 3; i++) {
        if (!fits(text, forms[i].form)) {
            continue;
        }
        size_t time = forms[i].time;
        *d = (date){number_at(text, forms[i].year, forms[i].digits),
                    month_at(text, forms[i].month),
                    number_at(text, forms[i].day, 2),
                    number_at(text, time, 2),
                    number_at(text, time + 3, 2),
                    number_at(text, time + 6, 2)};
        if (forms[i].digits == 2) {
            int present = this_year(now);
            d->year += present - present % 100;
            d->year -= d->year > present + 50 ? 100 : 0;
        }
        return true;
    }
    return false;
}

static bool naive_date(const char *text, int64_t now, int64_t *seconds)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    date d;
    size_t at = 0, letters = 3;
    while (at < 21 && strncmp(days + at, text, 3) != 0) {
        at += 3;
    }
    while (at < 21 && letters < 9 && text[letters] >= 'a' &&
           text[letters] <= 'z') {
        letters++;
    }
    if (at == 21 || !read_date(text + letters, now, &d)) {
        return false;
    }
    int64_t first = days_of(d.year, d.month, 1);
    int64_t next = d.month == 11 ? days_of(d.year + 1, 0, 1)
                                 : days_of(d.year, d.month + 1, 1);
    if (d.day < 1 || d.day > next - first || d.hour > 23 || d.minute > 59 ||
        d.second > 60) {
        return false;
    }
    *seconds =
        ((first + d.day - 1) * 24 + d.hour) * 3600 + d.minute * 60 + d.second;
    return true;
}

/* Both readers agree, and what is written is read back. */
static void check_date(const char *text, int64_t now)
{
    int64_t got = -1, want = -1, again;
    bool reads = tp_http_date_parse(view(text), now, &got);
    REQUIRE(reads == naive_date(text, now, &want) && got == want);
    if (reads && got >= 0 && got < TP_HTTP_DATE_END) {
        char written[TP_HTTP_DATE_LEN + 1], other[64];
        struct tm tm;
        time_t time = (time_t)got;
        tp_http_date_write(got, written);
        (void)strftime(other, sizeof(other), "%a, %d %b %Y %H:%M:%S GMT",
                       gmtime_r(&time, &tm));
        REQUIRE(strcmp(written, other) == 0);
        REQUIRE(tp_http_date_parse(view(written), now, &again));
        REQUIRE(again == got);
    }
}

/* ----------------------------------------------------------------- ranges --
 */

/* One range of bytes (RFC 9110, section 14.1.2), from strings. */
static tp_range naive_range(const char *text, uint64_t size, uint64_t *first,
                            uint64_t *len)
{
    if (strlen(text) < 6 || !equals(text, 6, "bytes=")) {
        return TP_RANGE_NONE;
    }
    text += 6 + strspn(text + 6, " \t");
    const char *end = text + strlen(text);
    while (end != text && is_blank(end[-1])) {
        end--;
    }
    size_t from = strspn(text, "0123456789");
    if (text[from] != '-') {
        return TP_RANGE_NONE;
    }
    const char *second = text + from + 1;
    size_t to = strspn(second, "0123456789");
    if (second + to != end || from + to == 0) {
        return TP_RANGE_NONE;
    }
    uint64_t a = from == 0 ? 0 : strtoull(text, NULL, 10);
    uint64_t b = to == 0 ? UINT64_MAX : strtoull(second, NULL, 10);
    if (from == 0) {
        a = size - (b < size ? b : size);
        b = UINT64_MAX;
    }
    if (b < a) {
        return TP_RANGE_NONE;
    }
    if (a >= size) {
        return TP_RANGE_OUTSIDE;
    }
    *first = a;
    *len = (b < size ? b + 1 : size) - a;
    return TP_RANGE_PART;
}

static void compare_ranges(const char *text, uint64_t size)
{
    uint64_t first = 0, len = 0, want_first = 0, want_len = 0;
    tp_range got = tp_range_parse(view(text), size, &first, &len);
    REQUIRE(got == naive_range(text, size, &want_first, &want_len));
    REQUIRE(first == want_first && len == want_len);
    REQUIRE(got != TP_RANGE_PART ||
            (len != 0 && first < size && len <= size - first));
}

/* Both readers agree, also where the end of the file is near. */
static void check_range(const char *text, uint64_t size)
{
    char near[64];
    compare_ranges(text, size);
    compare_ranges(text, size % 32);
    for (uint64_t last = size - 2; last != size + 2; last++) {
        (void)snprintf(near, sizeof(near), "bytes=%" PRIu64 "-%" PRIu64,
                       size / 2, last);
        compare_ranges(near, size);
        (void)snprintf(near, sizeof(near), "bytes=%" PRIu64 "-", last);
        compare_ranges(near, size);
        (void)snprintf(near, sizeof(near), "bytes=-%" PRIu64, last);
        compare_ranges(near, size);
    }
}

/* ------------------------------------------------------------------- tags --
 */

/* Reads a list of tags byte by byte. */
static bool naive_list_has(const char *text, const char *tag)
{
    const char *stop = text + strlen(text);
    while (*text != '\0' && is_blank(*text)) {
        text++;
    }
    while (stop != text && is_blank(stop[-1])) {
        stop--;
    }
    if (stop - text == 1 && *text == '*') {
        return true;
    }
    for (;;) {
        text += strspn(text, ", \t");
        text += strncmp(text, "W/", 2) == 0 ? 2 : 0;
        const char *end = *text == '"' ? strchr(text + 1, '"') : NULL;
        if (end == NULL) {
            return false;
        }
        if (strlen(tag) == (size_t)(end + 1 - text) &&
            strncmp(text, tag, strlen(tag)) == 0) {
            return true;
        }
        text = end + 1;
    }
}

/* It is found where it is, also behind a list of others. */
static void check_tags(const char *text)
{
    char more[SIZE_MAX_IN + 64];
    bool has = tp_etag_list_has(view(text), SIO_LIT(ETAG));
    REQUIRE(has == naive_list_has(text, ETAG));
    (void)strcpy(more, text);
    (void)strcat(more, ", W/" ETAG);
    REQUIRE(tp_etag_list_has(view(more), SIO_LIT(ETAG)) ==
            naive_list_has(more, ETAG));
    (void)strcpy(more, "\"\",\"a,b\" , W/" ETAG ",");
    (void)strcat(more, text);
    REQUIRE(tp_etag_list_has(view(more), SIO_LIT(ETAG)));
}

/* ---------------------------------------------------------------- codings --
 */

typedef struct wish {
    int q; /* thousandths; -1: nothing is said */
    bool named;
    int place;
} wish;

/* ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3"0" ] ), or 0. */
static int naive_q(const char *text, size_t len)
{
    static const int units[] = {1000, 0, 100, 10, 1};
    int q = 0;
    if (len == 0 || len > 5 || (text[0] != '0' && text[0] != '1')) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        if (i == 1 ? text[i] != '.' : !is_digit(text[i])) {
            return 0;
        }
        q += i == 1 ? 0 : (text[i] - '0') * units[i];
    }
    return q > 1000 ? 0 : q;
}

/* The text from `*at` to `stop` without blanks around it; `*at` moves on to
 * what ended it. */
static size_t piece(const char **at, const char *stop, const char **from)
{
    size_t len = strcspn(*at, stop);
    *from = *at;
    *at += len;
    while (len != 0 && is_blank((*from)[len - 1])) {
        len--;
    }
    while (len != 0 && is_blank(**from)) {
        ++*from;
        len--;
    }
    return len;
}

/* What one element says of the coding `name`; -1: nothing. */
static int q_of_element(const char **at, const char *name)
{
    const char *text;
    size_t len = piece(at, ";,", &text);
    int q = equals(text, len, name) ? 1000 : -1;
    bool told = false;
    while (**at == ';') {
        ++*at;
        len = piece(at, ";,", &text);
        if (!told && len >= 2 && equals(text, 2, "q=")) {
            told = true;
            q = q < 0 ? -1 : naive_q(text + 2, len - 2);
        }
    }
    return q;
}

static wish wish_for(const char *name, char *const *lines, size_t count)
{
    wish w = {-1, strcmp(name, "*") != 0, 0};
    int place = 0;
    for (size_t i = 0; i < count; i++) {
        const char *at = lines[i];
        for (;; at++) {
            int q = q_of_element(&at, name);
            if (q > w.q) {
                w.q = q;
                w.place = place;
            }
            place++;
            if (*at == '\0') {
                break;
            }
        }
    }
    return w;
}

static bool is_better(const wish *a, const wish *b)
{
    return a->q != b->q           ? a->q > b->q
           : a->named != b->named ? a->named
                                  : a->place < b->place;
}

static tp_coding naive_choice(char *const *lines, size_t count,
                              unsigned offered)
{
    static const char *const names[] = {"br", "gzip", "deflate", "identity"};
    tp_coding best = TP_CODING_IDENTITY;
    wish best_wish = {0, false, 0};
    for (int i = 0; i < TP_CODING_COUNT; i++) {
        wish w = wish_for(names[i], lines, count);
        if (w.q < 0) {
            w = wish_for("*", lines, count);
        }
        if (w.q > 0 && (i == TP_CODING_IDENTITY || (offered >> i & 1) != 0) &&
            is_better(&w, &best_wish)) {
            best = (tp_coding)i;
            best_wish = w;
        }
    }
    return best;
}

/* The choice is the one that the words of RFC 9110 and of our header lead to;
 * a coding that nobody knows does not change it. */
static void check_codings(char *rest, unsigned offered)
{
    tp_http_head head = {.header_count = 0};
    char *lines[8];
    size_t count = 0;
    while (*rest != '\0' && count < 8) {
        lines[count] = take_line(&rest);
        head.headers[count] =
            (tp_http_header){SIO_LIT("Accept-Encoding"), view(lines[count])};
        count++;
    }
    head.header_count = count;
    tp_coding got = tp_coding_choose(&head, offered);
    REQUIRE(got == TP_CODING_IDENTITY || (offered >> got & 1) != 0);
    REQUIRE(got == naive_choice(lines, count, offered));
    head.headers[head.header_count++] = (tp_http_header){
        SIO_LIT("accept-encoding"), SIO_LIT("zstd;q=1, x;a=b;q=0.9")};
    REQUIRE(tp_coding_choose(&head, offered) == got);
}

/* --------------------------------------------------------------- verdicts --
 */

static bool knows_it(const tp_http_head *head, const tp_file_facts *facts)
{
    bool lists = false, has = false;
    unsigned dates = 0;
    int64_t since = -1;
    for (size_t i = 0; i < head->header_count; i++) {
        const tp_http_header *h = &head->headers[i];
        if (sio_bytes_eq(h->name, SIO_LIT("If-None-Match"))) {
            lists = true;
            has = has || tp_etag_list_has(h->value, view(facts->etag));
        } else if (sio_bytes_eq(h->name, SIO_LIT("If-Modified-Since"))) {
            dates++;
            (void)tp_http_date_parse(h->value, facts->now, &since);
        }
    }
    return lists ? has : dates == 1 && since >= facts->modified;
}

/* A verdict is one that a client can work with, whatever it has sent: lines
 * whose first byte says which field they are. */
static void check_verdict(char *rest, uint64_t size, int64_t now)
{
    static const char *const names[] = {"If-None-Match", "If-Modified-Since",
                                        "Range", "If-Range"};
    tp_http_head head = {.method = TP_HTTP_METHOD_GET};
    tp_file_facts facts;
    struct timespec modified = {.tv_sec = 0x5f, .tv_nsec = 1};
    unsigned ranges = 0;
    tp_file_facts_set(&facts, size, modified, now);
    REQUIRE(facts.modified <= now && strlen(facts.etag) < TP_ETAG_SIZE);
    while (*rest != '\0' && head.header_count < 8) {
        char *line = take_line(&rest);
        size_t which = (size_t)(line[0] & 3);
        ranges += which == 2 ? 1 : 0;
        head.headers[head.header_count++] = (tp_http_header){
            view(names[which]), view(line[0] == '\0' ? line : line + 1)};
    }
    tp_file_verdict v = tp_file_judge(&head, &facts);
    REQUIRE((v.status == 304) == knows_it(&head, &facts));
    REQUIRE(v.status != 200 || (v.first == 0 && v.len == size));
    REQUIRE(v.status != 206 ||
            (v.len != 0 && v.first < size && v.len <= size - v.first));
    REQUIRE(v.status == 200 || v.status == 304 || ranges == 1);
    REQUIRE(v.status == 200 || v.status == 206 || v.status == 304 ||
            v.status == 416);
    head.method = TP_HTTP_METHOD_HEAD; /* has no ranges */
    REQUIRE(tp_file_judge(&head, &facts).status ==
            (v.status == 304 ? 304 : 200));
}

/* Values that say what a client has and wants: the first byte chooses which,
 * eight are a time and a size, the rest is text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t number = 0;
    if (size < 9 || size > SIZE_MAX_IN) {
        return 0;
    }
    for (size_t i = 1; i < 9; i++) {
        number = number << 8 | data[i];
    }
    char *text = malloc(size - 8);
    REQUIRE(text != NULL);
    memcpy(text, data + 9, size - 9);
    text[size - 9] = '\0';
    int64_t now = (int64_t)(number % TP_HTTP_DATE_END);
    switch (data[0] % 5) {
    case 0:
        check_date(text, now);
        break;
    case 1:
        check_range(text, number);
        break;
    case 2:
        check_tags(text);
        break;
    case 3:
        check_codings(text, (unsigned)number & 7);
        break;
    default:
        check_verdict(text, number >> 40, now);
        break;
    }
    free(text);
    return 0;
}
