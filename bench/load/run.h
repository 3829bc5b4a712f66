/* From the first connection to the last answer. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "report.h"

/* Makes the run that the options describe. */
report run_all(void);

#endif
