// Clients of all versions together: one room, broadcasts that each has to get
// once and in order, in the encoding of its own protocol.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask, collect, tell } from '../support/client.mjs';
import { oursOnly, startServer } from '../support/server.mjs';
import { startThreads } from '../support/threads.mjs';
import { AGAIN, ALL, VERSIONS, WAYS, opened, plain, settled } from './clients.mjs';

const COUNT = 40; // broadcasts
const LIMIT = { timeout: 60_000 };

/** What the i-th broadcast is made of: text, binary, or both by turns. */
function contents(i) {
  const bytes = Buffer.alloc(1 + ((i * 97) % 700), i);
  if (i % 3 === 0) return [i, `number ${i} 😀 ü`];
  if (i % 3 === 1) return [i, bytes];
  return [i, { text: `𝒳 ${i}`, list: [bytes, [Buffer.from([i, 0, 255])]] }];
}

/** A client of each version over each transport, by turns when `each` is no. */
async function crowd(t, url, { each = true, options = {} } = {}) {
  const ways = Object.entries(WAYS);
  const wanted = VERSIONS.flatMap((version, i) =>
    (each ? ways : [ways[i % ways.length]]).map(([way, transports]) => ({ version, way, transports })));
  return Promise.all(wanted.map(async ({ version, way, transports }) => {
    const socket = await opened(t, version, url, '/', { transports, ...options });
    return Object.assign(socket, { who: `${version} over ${way}`, way });
  }));
}

/** Fails unless each has heard exactly that. */
function assertHeard(all, wanted) {
  for (const socket of all) {
    assert.deepEqual(socket.heard.map(plain), wanted, socket.who);
  }
}

describe('versions in one room', () => {
  let server;
  before(async () => (server = await startServer('rows', ALL)));
  after(async () => server?.stop());

  test('V311 broadcasts to a room reach each once, in order', LIMIT, async (t) => {
    const all = await crowd(t, server.url);
    const away = await opened(t, '2.5.0', server.url);
    const sender = await opened(t, '4.8.4', server.url);
    for (const socket of [...all, away]) socket.heard = collect(socket, 'said');
    const lists = await Promise.all(all.map((socket) => ask(socket, 'join', 'mixed 😀')));
    assert.equal(lists.length, all.length);
    for (let i = 0; i < COUNT; i++) sender.emit('to', { to: 'mixed 😀', event: 'said' }, ...contents(i));
    await Promise.all(all.map((socket) => socket.heard.reach(COUNT)));
    await Promise.all([...all, away].map((socket) => ask(socket, 'echo')));
    assertHeard(all, Array.from({ length: COUNT }, (_, i) => contents(i)));
    assertHeard([away], []);
  });

  test('V311 broadcasts during upgrades reach each once, in order', LIMIT, async (t) => {
    const sender = await opened(t, '4.8.4', server.url);
    const options = { transports: WAYS.upgrade };
    const all = await Promise.all(VERSIONS.map(async (version) => {
      const socket = await opened(t, version, server.url, '/', options);
      socket.who = version;
      socket.heard = collect(socket, 'moved');
      await ask(socket, 'join', 'moving');
      return socket;
    }));
    for (let i = 0; i < COUNT; i++) {
      await tell(sender, 'to', { to: 'moving', event: 'moved' }, ...contents(i));
    }
    await Promise.all(all.map((socket) => settled(socket, 'upgrade')));
    await Promise.all(all.map((socket) => ask(socket, 'echo')));
    assertHeard(all, Array.from({ length: COUNT }, (_, i) => contents(i)));
  });

  test('V310 V311 each version broadcasts to all the others', LIMIT, async (t) => {
    const all = await crowd(t, server.url, { each: false });
    await Promise.all(all.map((socket) => ask(socket, 'join', 'others')));
    for (const socket of all) socket.heard = collect(socket, 'other');
    for (const [i, socket] of all.entries()) {
      await tell(socket, 'to', { to: 'others', from: 'socket', event: 'other' }, ...contents(i));
    }
    await Promise.all(all.map((socket) => ask(socket, 'echo')));
    for (const [i, socket] of all.entries()) {
      assertHeard([socket], all.map((_, k) => contents(k)).filter((_, k) => k !== i));
    }
  });

  test('V310 V311 all versions acknowledge a broadcast', LIMIT, async (t) => {
    const all = await crowd(t, server.url, { each: false });
    await Promise.all(all.map((socket) => ask(socket, 'join', 'asked')));
    for (const [i, socket] of all.entries()) socket.on('who', (x, answer) => answer([x, i]));
    const [error, answers] = await ask(all[0], 'ask', { to: 'asked', event: 'who', timeout: 10_000 }, '😀');
    assert.equal(error, 'success');
    const numbers = answers.map((answer) => answer.flat()).sort((a, b) => a[1] - b[1]);
    assert.deepEqual(numbers, all.map((_, i) => ['😀', i]));
  });
});

test('V311 broadcasts cross four threads to all versions', { ...LIMIT, skip: oursOnly('one thread') }, async (t) => {
  const server = await startThreads({ eio3: true, threads: 4 });
  try {
    const all = await crowd(t, server.url);
    for (const socket of all) {
      socket.heard = collect(socket, 'binary');
      socket.texts = collect(socket, 'broadcast');
    }
    await Promise.all(all.map((socket) => settled(socket, socket.way)));
    all[0].emit('binary', COUNT);
    await Promise.all(all.map((socket) => socket.heard.reach(COUNT)));
    for (let i = 0; i < COUNT; i++) all[1].emit('broadcast', i, '😀');
    await Promise.all(all.map((socket) => socket.texts.reach(COUNT)));
    assertHeard(all, Array.from({ length: COUNT }, (_, i) => [i, Buffer.alloc(100, i)]));
    for (const { texts, who } of all) assert.deepEqual([...texts], Array.from({ length: COUNT }, (_, i) => [i, '😀']), who);
    for (const socket of all) socket.disconnect();
  } finally {
    await server.stop();
  }
});

test('V310 V311 all versions come back to a restarted server', LIMIT, async (t) => {
  let server = await startServer('rows', ALL);
  t.after(() => server.stop());
  const all = await crowd(t, server.url, { options: AGAIN });
  await Promise.all(all.map((socket) => settled(socket, socket.way)));
  const ids = new Set(all.map((socket) => socket.id));
  const gone = Promise.all(all.map((socket) => new Promise((done) => socket.once('disconnect', done))));
  const { port } = server;
  await server.stop();
  for (const reason of await gone) assert.match(reason, /^transport (close|error)$/);
  const answers = all.map((socket, i) => ask(socket, 'echo', i, '😀'));
  server = await startServer('rows', { ...ALL, port });
  assert.deepEqual(await Promise.all(answers), all.map((_, i) => [i, '😀']));
  assert.equal(all.filter((socket) => ids.has(socket.id)).length, 0);
});
