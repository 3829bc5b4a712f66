// Every version of the official client over every transport, against a server
// that allows Engine.IO 3.  A cell of the matrix is a test; the table is
// printed at the end.
//
//   TARGET=official node --test versions/matrix.test.mjs

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { startServer } from '../support/server.mjs';
import { CASES } from './cases.mjs';
import { ALL, VERSIONS, WAYS, isOld } from './clients.mjs';

const AT_ONCE = 6; // cells
const LIMIT = { timeout: 60_000 };

/** The rows that old clients show, by how they connect. */
const ROWS = {
  polling: 'V301 V302 V304 V306 V307 V308 V309 V310 ',
  websocket: 'V301 V306 V307 V308 V309 V310 ',
  upgrade: 'V301 V302 V304 V306 V307 V308 V309 V310 V312 ',
};

const cells = new Map(); // name of the cell -> { passed, failed }, names of cases

/** Runs one case and ends what it began; gives its error, or null. */
async function attempt(run, cell) {
  const ends = [];
  try {
    await run({ ...cell, after: (end) => ends.push(end) });
    return null;
  } catch (err) {
    return err;
  } finally {
    for (const end of ends.reverse()) end();
  }
}

async function runCell(cell, name) {
  const result = { passed: [], failed: [] };
  const errors = [];
  cells.set(name, result);
  for (const [what, run] of Object.entries(CASES)) {
    const err = await attempt(run, cell);
    result[err ? 'failed' : 'passed'].push(what);
    if (err) errors.push(`${what}: ${err.stack}`);
  }
  assert.equal(errors.length, 0, `${name}\n${errors.join('\n')}`);
}

function table() {
  const count = Object.keys(CASES).length;
  const cell = (version, way) => {
    const result = cells.get(`${version} over ${way}`);
    if (!result) return '-';
    const { passed, failed } = result;
    const isOver = passed.length + failed.length === count;
    return `${passed.length}/${count}${failed.map((what) => ` !${what}`).join('')}${isOver ? '' : ' ...'}`;
  };
  const ways = Object.keys(WAYS);
  const lines = [['version', ...ways], ...VERSIONS.map((version) => [version, ...ways.map((way) => cell(version, way))])];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => `| ${line.map((x, i) => x.padEnd(widths[i])).join(' | ')} |`).join('\n');
}

describe('versions of the client', { concurrency: AT_ONCE }, () => {
  const starting = startServer('rows', ALL);
  starting.catch(() => {}); // each test says so
  after(async () => {
    console.log(`${Object.keys(CASES).join(', ')}\n${table()}`);
    await (await starting).stop();
  });
  for (const version of VERSIONS) {
    for (const [way, transports] of Object.entries(WAYS)) {
      const name = `${version} over ${way}`;
      const old = isOld(version);
      test(`${old ? ROWS[way] : ''}${name}`, LIMIT, async () => {
        await runCell({ version, old, way, transports, server: await starting }, name);
      });
    }
  }
});
