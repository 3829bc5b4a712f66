#include "transport/http_date.h"

#include <stdio.h>
#include <time.h>

#include "transport/http_text.h"

/* Not those of strftime(), which follow the locale. */
static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

void tp_http_date_write(int64_t seconds, char out[TP_HTTP_DATE_LEN + 1])
{
    char text[96];
    struct tm tm;
    time_t time = (time_t)seconds;
    gmtime_r(&time, &tm);
    (void)snprintf(text, sizeof(text),
                   "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(out, text, TP_HTTP_DATE_LEN);
    out[TP_HTTP_DATE_LEN] = '\0';
}

/* Takes a number of exactly `digits` digits, where the first may be a space if
 * `padded`; -1 if there is none. */
static int take_number(sio_bytes *text, size_t digits, bool padded)
{
    int value = 0;
    if (text->len < digits) {
        return -1;
    }
    for (size_t i = 0; i < digits; i++) {
        uint8_t c = text->base[i];
        if (padded && i == 0 && c == ' ') {
            c = '0';
        }
        if (!tp_http_is(c, TP_HTTP_CLASS_DIGIT)) {
            return -1;
        }
        value = 10 * value + (c - '0');
    }
    *text = (sio_bytes){text->base + digits, text->len - digits};
    return value;
}

/* Takes one of the three-letter names; its place among them, or -1. */
static int take_name(sio_bytes *text, const char *names, int count)
{
    for (int i = 0; text->len >= 3 && i < count; i++) {
        if (memcmp(text->base, names + 3 * (ptrdiff_t)i, 3) == 0) {
            *text = (sio_bytes){text->base + 3, text->len - 3};
            return i;
        }
    }
    return -1;
}

/* Takes a day of the week, short or in full, as it plays no part. */
static int take_weekday(sio_bytes *text)
{
    int day = take_name(text, days, 7);
    for (int i = 0; i < 6 && text->len != 0 && text->base[0] >= 'a' &&
                    text->base[0] <= 'z';
         i++) {
        *text = (sio_bytes){text->base + 1, text->len - 1};
    }
    return day;
}

/* The two-digit year that is at most 50 years ahead. */
static int whole_year(int digits, int64_t now)
{
    struct tm tm;
    time_t time = (time_t)now;
    gmtime_r(&time, &tm);
    int present = tm.tm_year + 1900;
    int year = present - present % 100 + digits;
    return year > present + 50 ? year - 100 : year;
}

/* Takes what the letter `part` of a form stands for; below 0: it is not
 * there. */
static int take_part(sio_bytes *text, char part, int64_t now, struct tm *tm)
{
    int year;
    switch (part) {
    case 'w':
        return take_weekday(text);
    case 'n':
        return tm->tm_mon = take_name(text, months, 12);
    case 'd':
    case 'e':
        return tm->tm_mday = take_number(text, 2, part == 'e');
    case 'h':
        return tm->tm_hour = take_number(text, 2, false);
    case 'm':
        return tm->tm_min = take_number(text, 2, false);
    case 's':
        return tm->tm_sec = take_number(text, 2, false);
    case 'y':
    case 'Y':
        year = take_number(text, part == 'y' ? 2 : 4, false);
        tm->tm_year = (part == 'y' ? whole_year(year, now) : year) - 1900;
        return year;
    default:
        if (text->len == 0 || text->base[0] != (uint8_t)part) {
            return -1;
        }
        *text = (sio_bytes){text->base + 1, text->len - 1};
        return 0;
    }
}

static bool read_form(sio_bytes text, const char *form, int64_t now,
                      struct tm *tm)
{
    while (*form != '\0') {
        if (take_part(&text, *form++, now, tm) < 0) {
            return false;
        }
    }
    return text.len == 0;
}

/* A leap second is the next minute's first. */
static bool to_seconds(struct tm *tm, int64_t *seconds)
{
    int day = tm->tm_mday, second = tm->tm_sec;
    if (day < 1 || tm->tm_hour > 23 || tm->tm_min > 59 || second > 60) {
        return false;
    }
    tm->tm_sec = 0;
    int64_t minute = timegm(tm);
    if (tm->tm_mday != day) { /* it has been carried into the next month */
        return false;
    }
    *seconds = minute + second;
    return true;
}

bool tp_http_date_parse(sio_bytes text, int64_t now, int64_t *seconds)
{
    /* As take_part() reads them; other characters stand for themselves. */
    static const char *const forms[] = {
        "w, d n Y h:m:s GMT",
        "w, d-n-y h:m:s GMT",
        "w n e h:m:s Y",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {0};
        if (read_form(text, forms[i], now, &tm)) {
            return to_seconds(&tm, seconds);
        }
    }
    return false;
}
