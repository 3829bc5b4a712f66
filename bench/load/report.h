/* The line of JSON that a run ends with. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>

#include "stats.h"

typedef struct report {
    double seconds;         /* that were measured */
    usage begin, end;       /* of the server, around these seconds */
    double own_cpu;         /* of this process, within them */
    usage before;           /* idle: no connection yet */
    usage open, held;       /* idle: all are open; after holding them */
    usage closed;           /* idle: all are closed */
    double opening_seconds; /* until all were open */
    int alive;              /* idle: how many were open at the end */
} report;

/* Prints it; returns whether all of the run was as it has to be. */
bool report_print(const report *r);

#endif
