// Cells of the matrix, one after the other, in a thread of its own: a client
// that throws where nobody can catch it takes no other one with it.  Of each
// case it tells { what }, and when it is over { what, error }, where `error` is
// a text or null; at the end { over: true }.

import { parentPort } from 'node:worker_threads';
import { CASES } from './cases.mjs';

/** Runs one case and ends what it began; gives the text of its error. */
async function attempt(run, cell) {
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

parentPort.on('message', async (cell) => {
  for (const [what, run] of Object.entries(CASES)) {
    parentPort.postMessage({ what });
    parentPort.postMessage({ what, error: await attempt(run, cell) });
  }
  parentPort.postMessage({ over: true });
});
