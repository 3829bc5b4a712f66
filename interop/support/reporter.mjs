// A reporter for Node's test runner: a line of JSON for each test that ended,
// {name, file, ok, skipped}, for features.test.mjs.  Suites are left out.
//
//   node --test --test-reporter=./support/reporter.mjs --test-reporter-destination=results.jsonl

import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(fileURLToPath(new URL('.', import.meta.url)), '../..');

function lineOf({ type, data }) {
  const { name, file, skip, todo, details } = data;
  if (details?.type === 'suite' || name === file) return '';
  const result = {
    name,
    file: file ? relative(ROOT, file) : null,
    ok: type === 'test:pass',
    skipped: Boolean(skip || todo || skip === '' || todo === ''),
  };
  return `${JSON.stringify(result)}\n`;
}

export default async function* reporter(source) {
  for await (const event of source) {
    if (event.type === 'test:pass' || event.type === 'test:fail') yield lineOf(event);
  }
}
