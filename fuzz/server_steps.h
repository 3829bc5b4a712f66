#ifndef FUZZ_SERVER_STEPS_H
#define FUZZ_SERVER_STEPS_H

/* What clients, the network and the application of the fuzzed server do, step
 * by step, as the input says. */

/* Runs steps until nothing of the input is left. */
void steps_run(void);

#endif
