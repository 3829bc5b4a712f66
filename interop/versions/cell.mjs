// A cell of the matrix, in a thread of its own: a client that throws where
// nobody can catch it takes no other one with it.  Tells of each case
// { what }, and when it is over { what, error }, where `error` is a text or
// null; at the end { over: true }.

import { parentPort, workerData as cell } from 'node:worker_threads';
import { CASES } from './cases.mjs';

/** Runs one case and ends what it began; gives the text of its error. */
async function attempt(run) {
  const ends = [];
  try {
    await run({ ...cell, after: (end) => ends.push(end) });
    return null;
  } catch (err) {
    return err.stack ?? String(err);
  } finally {
    for (const end of ends.reverse()) end();
  }
}

for (const [what, run] of Object.entries(CASES)) {
  parentPort.postMessage({ what });
  parentPort.postMessage({ what, error: await attempt(run) });
}
parentPort.postMessage({ over: true }); // timers of old clients may go on
