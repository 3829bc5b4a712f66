// Holds docs/features.md to its word: each row is there once, and what it
// calls `works` is shown by a test that carries the row's id.
//
// RESULTS names files with the results of the suites, separated by colons:
// lines of JSON from support/reporter.mjs, or TAP (cmocka's too).  Only tests
// that have passed count then.  Without it the names in the sources count.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(fileURLToPath(new URL('.', import.meta.url)), '..');
const STATES = ['works', 'not yet'];

/** How many rows each part of the table has, numbered from 01. */
const PARTS = {
  RT: 11, CO: 7, HS: 14, PL: 15, WS: 9, UP: 9, V3: 12, JP: 5, WT: 7, SE: 1, HB: 9, CN: 11, DC: 8,
  NS: 8, MW: 9, EV: 21, RM: 14, SV: 9, SA: 5, RC: 7, AD: 7, PR: 3, CF: 4, AU: 7, OP: 4,
};
const IDS = Object.entries(PARTS).flatMap(([part, count]) =>
  Array.from({ length: count }, (_, i) => part + String(i + 1).padStart(2, '0')),
);

/** The ids a test's name starts with: `RT01 ...`, `DC05 DC06 ...`. */
function idsOf(name) {
  const head = /^(?:[A-Z][A-Z0-9]\d\d(?=\s|$)\s*)+/.exec(name);
  return head ? head[0].trim().split(/\s+/) : [];
}

function readRows() {
  const text = readFileSync(join(ROOT, 'docs/features.md'), 'utf8');
  const rows = [];
  for (const [index, line] of text.split('\n').entries()) {
    const cells = line.split('|').slice(1, -1).map((cell) => cell.trim());
    if (!/^[A-Z][A-Z0-9]\d+$/.test(cells[0] ?? '')) continue;
    assert.equal(cells.length, 4, `line ${index + 1}: four columns`);
    const [id, feature, state, file] = cells;
    rows.push({ id, feature, state, file: file.replaceAll('`', ''), line: index + 1 });
  }
  return rows;
}

function* filesBelow(folder, suffix) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path, suffix);
    else if (entry.name.endsWith(suffix)) yield path;
  }
}

/** Map from an id to the set of files with tests that carry it. */
function scanSources() {
  const found = new Map();
  const sources = [...filesBelow(join(ROOT, 'interop'), '.test.mjs'), ...filesBelow(join(ROOT, 'test'), '.c')];
  for (const path of sources) {
    if (path === fileURLToPath(import.meta.url)) continue;
    for (const [, name] of readFileSync(path, 'utf8').matchAll(/['"`]((?:[A-Z][A-Z0-9]\d\d\s+)+)/g)) {
      for (const id of idsOf(name)) add(found, id, relative(ROOT, path));
    }
  }
  return found;
}

function add(map, id, file) {
  if (!map.has(id)) map.set(id, new Set());
  if (file) map.get(id).add(file);
}

/** One line of a result file: { name, file, ok, skipped }, or null. */
function readResult(line) {
  if (line.startsWith('{')) return JSON.parse(line);
  const tap = /^\s*(not )?ok \d+ (?:- )?(.*?)(\s+# (?:SKIP|TODO)\b.*)?$/i.exec(line);
  return tap && { ok: !tap[1], name: tap[2], skipped: Boolean(tap[3]), file: null };
}

function readResults(paths) {
  const found = new Map();
  for (const path of paths) {
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const result = line && readResult(line);
      if (!result || !result.ok || result.skipped) continue;
      for (const id of idsOf(result.name)) add(found, id, result.file);
    }
  }
  return found;
}

describe('docs/features.md', () => {
  const rows = readRows();
  const byId = new Map(rows.map((row) => [row.id, row]));

  test('it has every row, once and in order', () => {
    assert.deepEqual(rows.map((row) => row.id), IDS);
  });

  test('each row has a feature and a state, and a test when it works', () => {
    for (const { id, feature, state, file, line } of rows) {
      assert.ok(feature, `${id}, line ${line}: the feature`);
      assert.ok(STATES.includes(state), `${id}, line ${line}: the state is ${STATES.join(' or ')}`);
      if (state === 'works') {
        assert.ok(file, `${id}, line ${line}: the test`);
        assert.ok(existsSync(join(ROOT, file)), `${id}, line ${line}: ${file}`);
      }
    }
  });

  test('the test that a row names carries its id', () => {
    const sources = scanSources();
    const wrong = rows.filter((row) => row.state === 'works' && !sources.get(row.id)?.has(row.file));
    assert.deepEqual(wrong.map((row) => `${row.id}: ${row.file}`), []);
  });

  test('no test carries an id that is no row', () => {
    const strays = [...scanSources()].filter(([id]) => !byId.has(id));
    assert.deepEqual(strays.map(([id, files]) => `${id}: ${[...files]}`), []);
  });

  const paths = (process.env.RESULTS ?? '').split(':').filter(Boolean);
  test(`what works is shown by a test${paths.length ? ' that has passed' : ''}`, () => {
    const shown = paths.length ? readResults(paths) : scanSources();
    const missing = rows.filter((row) => row.state === 'works' && !shown.has(row.id));
    assert.deepEqual(missing.map((row) => row.id), []);
  });
});
