// Every version of the official client over every transport, against a server
// that allows Engine.IO 3.  A cell of the matrix is a test; the table is
// printed at the end.
//
//   TARGET=official node --test versions/matrix.test.mjs

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { startServer } from '../support/server.mjs';
import { CASES } from './cases.mjs';
import { ALL, VERSIONS, WAYS, isOld } from './clients.mjs';

const AT_ONCE = 4; // cells
const LIMIT = 60_000; // ms, of each

/** The rows that old clients show, by how they connect. */
const ROWS = {
  polling: 'V301 V302 V304 V306 V307 V308 V309 V310 ',
  websocket: 'V301 V306 V307 V308 V309 V310 ',
  upgrade: 'V301 V302 V304 V306 V307 V308 V309 V310 V312 ',
};

const count = Object.keys(CASES).length;
const cells = new Map(); // name of the cell -> { passed, failed }, names of cases

const idle = []; // threads

/** Runs all cases of a cell; gives what failed, as texts. */
async function runCell(cell, { passed, failed }) {
  const errors = [];
  let now = 'start';
  const fail = (what, error) => {
    failed.push(what);
    errors.push(`${what}: ${error}`);
  };
  const worker = idle.pop() ?? new Worker(new URL('cell.mjs', import.meta.url));
  await new Promise((done) => {
    const hears = {
      message: ({ what, error, over }) => {
        now = what;
        if (over) end(true);
        else if (error) fail(what, error);
        else if (error === null) passed.push(what);
      },
      error: (err) => fail(now, `uncaught: ${err.stack ?? err}`),
      exit: () => end(false),
    };
    const timer = setTimeout(() => {
      fail(now, `not over after ${LIMIT} ms`);
      worker.terminate();
    }, LIMIT);
    const end = (isWell) => {
      clearTimeout(timer);
      for (const [event, hear] of Object.entries(hears)) worker.off(event, hear);
      if (isWell) idle.push(worker);
      done();
    };
    for (const [event, hear] of Object.entries(hears)) worker.on(event, hear);
    worker.postMessage(cell);
  });
  return errors;
}

function cellText(version, way) {
  const result = cells.get(`${version} over ${way}`);
  if (!result) return '-';
  const { passed, failed } = result;
  const rest = passed.length + failed.length < count ? ' ...' : '';
  return `${passed.length}/${count}${failed.map((what) => ` !${what}`).join('')}${rest}`;
}

/** How many cases each cell has passed, which it failed; `...` where it did
 *  not come to all of them. */
function table() {
  const ways = Object.keys(WAYS);
  const lines = [['version', ...ways], ...VERSIONS.map((version) => [version, ...ways.map((way) => cellText(version, way))])];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => `| ${line.map((x, i) => x.padEnd(widths[i])).join(' | ')} |`).join('\n');
}

describe('versions of the client', { concurrency: AT_ONCE }, () => {
  const starting = startServer('rows', ALL);
  starting.catch(() => {}); // each test says so
  after(async () => {
    console.log(`${Object.keys(CASES).join(', ')}\n${table()}`);
    await Promise.all(idle.map((worker) => worker.terminate()));
    await (await starting).stop();
  });
  for (const version of VERSIONS) {
    for (const [way, transports] of Object.entries(WAYS)) {
      const name = `${version} over ${way}`;
      const old = isOld(version);
      test(`${old ? ROWS[way] : ''}${name}`, async () => {
        const { url, host, port } = await starting;
        const result = { passed: [], failed: [] };
        cells.set(name, result);
        const errors = await runCell({ version, old, way, transports, server: { url, host, port } }, result);
        assert.ok(errors.length === 0, `${name}\n${errors.join('\n')}`);
        assert.equal(result.passed.length, count);
      });
    }
  }
});
