// A reporter for Node's test runner: a line of JSON for each test that ended,
// {name, file, ok, skipped}, for features.test.mjs and ./dev test.  A suite
// has one only when it fails by itself, in a hook, and so has a file; the last
// line, {"end": true}, says that the runner came to its end.
//
//   node --test --test-reporter=./support/reporter.mjs --test-reporter-destination=results.jsonl

import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(fileURLToPath(new URL('.', import.meta.url)), '../..');

function isTest({ name, file, details }, ok) {
  const isGroup = details?.type === 'suite' || (file && resolve(name) === resolve(file));
  if (!isGroup) return true;
  return !ok && details?.error?.failureType !== 'subtestsFailed';
}

function lineOf({ name, file, skip, todo }, ok) {
  const isSkipped = [skip, todo].some((why) => why !== undefined && why !== false);
  const path = file ? relative(ROOT, file) : null;
  return `${JSON.stringify({ name, file: path, ok, skipped: isSkipped })}\n`;
}

export default async function* reporter(source) {
  for await (const { type, data } of source) {
    const ok = type === 'test:pass';
    if ((ok || type === 'test:fail') && isTest(data, ok)) yield lineOf(data, ok);
  }
  yield '{"end":true}\n';
}
