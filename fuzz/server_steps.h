#ifndef FUZZ_SERVER_STEPS_H
#define FUZZ_SERVER_STEPS_H

/* What clients, the network and the application of the fuzzed server do, step
 * by step, as the input says. */

/* Runs steps until nothing of the input is left. */
void steps_run(void);

/* A step is a byte, which counts modulo the number of kinds, and what the kind
 * takes: "b" a byte, "w" two of them, "t" two of length and a text. */
unsigned steps_kinds(void);
const char *steps_arguments(unsigned kind);

#endif
