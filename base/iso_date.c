#include "base/iso_date.h"

#define DAY_MS INT64_C(86400000)

/* Days in 400, 100, 4 and 1 years that begin with March, so that a day more
 * that a leap year has is the last. */
#define DAYS_400 146097
#define DAYS_100 36524
#define DAYS_4 1461
#define DAYS_1 365
/* From the first of March of the year 0 to 1970. */
#define DAYS_1970 719468

typedef struct date {
    int64_t year;
    unsigned month, day; /* from 1 */
} date;

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static date date_of(int64_t days)
{
    static const uint16_t before[] = {0,   31,  61,  92,  122, 153, 184,
                                      214, 245, 275, 306, 337}; /* March... */
    int64_t cycle = days / DAYS_400 - (days % DAYS_400 < 0);
    unsigned rest = (unsigned)(days - cycle * DAYS_400);
    unsigned hundreds = least(rest / DAYS_100, 3);
    rest -= hundreds * DAYS_100;
    unsigned fours = rest / DAYS_4;
    rest -= fours * DAYS_4;
    unsigned ones = least(rest / DAYS_1, 3);
    rest -= ones * DAYS_1;

    unsigned month = 11;
    while (before[month] > rest) {
        month--;
    }
    date d = {cycle * 400 + hundreds * 100 + fours * 4 + ones, month + 3,
              rest - before[month] + 1};
    if (d.month > 12) {
        d.month -= 12;
        d.year++;
    }
    return d;
}

static void write_padded(sio_writer *w, char before, uint64_t value,
                         unsigned digits)
{
    uint64_t limit = 10;
    if (before != '\0') {
        sio_write_byte(w, (uint8_t)before);
    }
    for (; digits > 1; digits--) {
        if (value < limit) {
            sio_write_byte(w, '0');
        }
        limit *= 10;
    }
    sio_write_uint(w, value);
}

void sio_write_iso_date(sio_writer *w, int64_t ms)
{
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0);
    uint64_t time = (uint64_t)(ms - days * DAY_MS);
    date d = date_of(days + DAYS_1970);

    if (d.year >= 0 && d.year <= 9999) {
        write_padded(w, '\0', (uint64_t)d.year, 4);
    } else {
        write_padded(w, d.year < 0 ? '-' : '+',
                     (uint64_t)(d.year < 0 ? -d.year : d.year), 6);
    }
    write_padded(w, '-', d.month, 2);
    write_padded(w, '-', d.day, 2);
    write_padded(w, 'T', time / 3600000, 2);
    write_padded(w, ':', time / 60000 % 60, 2);
    write_padded(w, ':', time / 1000 % 60, 2);
    write_padded(w, '.', time % 1000, 3);
    sio_write_byte(w, 'Z');
}
