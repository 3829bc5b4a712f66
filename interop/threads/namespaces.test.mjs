// Namespaces that clients make, with members on several loops.

import assert from 'node:assert/strict';
import { ask, client, collect, connected, eventually, next } from '../support/client.mjs';
import { counted, everywhere, oneOfEach, withThreads } from '../support/threads.mjs';

const OK = 0;

let names = 0;
const fresh = (prefix) => `${prefix}${++names}`;

async function answer(socket, event, name, ...list) {
  const coming = next(socket, name);
  socket.emit(event, ...list);
  return coming;
}

withThreads('namespaces over several loops', { 'cleanup-empty': true }, (on) => {
  on('NS02 NS06 one is made once, for members on all loops, and goes with the last', async (t, server) => {
    const nsp = fresh('/dyn-');
    const old = await counted(server, 'namespaces_created');
    const all = await everywhere(t, server, 2, {}, nsp);
    assert.equal(await counted(server, 'namespaces_created'), old + 1);
    for (const asker of oneOfEach(all)) {
      assert.deepEqual(await answer(asker, 'count', 'counted'), [OK, all.length]);
      const [err, found] = await answer(asker, 'fetch', 'fetched');
      assert.deepEqual([err, found.sort()], [OK, all.map(({ id }) => id).sort()]);
    }
    all.forEach((socket) => socket.disconnect());
    await eventually(() => counted(server, 'namespaces_removed'), (n) => n === old + 1, 'removed');
  });

  on('NS03 another thread decides, for many at a time', async (t, server) => {
    const old = await counted(server, 'namespaces_created');
    const list = [1, 2, 3].map(() => fresh('/far-'));
    const all = await Promise.all(Array.from({ length: 24 }, (_, i) => connected(t, server, list[i % 3])));
    assert.equal(await counted(server, 'namespaces_created'), old + 3);
    for (const socket of all.slice(0, 3)) {
      assert.deepEqual(await answer(socket, 'count', 'counted'), [OK, 8]);
    }
    const refused = client(t, server, fresh('/far-'), { auth: { no: true } });
    assert.equal((await next(refused, 'connect_error'))[0].message, 'Invalid namespace');
  });

  on('NS04 a parent reaches children on all loops, from every loop', async (t, server) => {
    const first = await everywhere(t, server, 2, {}, fresh('/dyn-'));
    const second = await everywhere(t, server, 1, {}, fresh('/dyn-'));
    const other = await connected(t, server, fresh('/far-'));
    const all = [...first, ...second];
    const heard = all.map((socket) => collect(socket, 'parent'));
    const silent = collect(other, 'parent');
    await Promise.all(second.map((socket) => ask(socket, 'join', 'some')));
    for (const [i, asker] of oneOfEach(first).entries()) asker.emit('parent', i);
    for (const list of heard) await list.reach(4);
    second[0].emit('parent', 4, 'some').emit('parent', 5);
    for (const [i, list] of heard.entries()) {
      const numbers = i < first.length ? [0, 1, 2, 3, 5] : [0, 1, 2, 3, 4, 5];
      await list.reach(numbers.length);
      assert.deepEqual(list.flat().sort(), numbers);
    }
    assert.equal(silent.length, 0);
  });
});
