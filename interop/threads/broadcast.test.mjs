// Broadcasts to clients on all loops: the order, the bytes, several senders.

import assert from 'node:assert/strict';
import { ask, assertNumbered, collect } from '../support/client.mjs';
import { everywhere, oneOfEach, withThreads } from '../support/threads.mjs';

const COUNT = 300;

function assertBytes([n, bytes]) {
  assert.ok(Buffer.isBuffer(bytes), `${n} has bytes`);
  assert.deepEqual(bytes, Buffer.alloc(100, n & 0xff));
}

/** Two rows of 0 to count - 1, each in order, however they are mixed. */
function assertTwoRows(list, count) {
  let [ahead, behind] = [0, 0];
  for (const [n] of list) {
    if (n === ahead) ahead++;
    else if (n === behind) behind++;
    else assert.fail(`${n} where ${ahead} or ${behind} is due`);
  }
  assert.deepEqual([ahead, behind], [count, count]);
}

/** What each sender has sent, in its order, `count` of each. */
function assertSenders(list, senders, count) {
  const due = new Map(senders.map((id) => [id, 0]));
  for (const [id, n] of list) {
    assert.equal(n, due.get(id), `of ${id}`);
    due.set(id, n + 1);
  }
  for (const [id, n] of due) assert.equal(n, count, `of ${id}`);
}

withThreads('broadcasts to all loops', {}, (on) => {
  on('binary from a loop, in order to every client on every loop', async (t, server) => {
    const all = await everywhere(t, server, 4);
    for (const sender of oneOfEach(all)) {
      const got = all.map((socket) => collect(socket, 'binary'));
      sender.emit('binary', COUNT);
      for (const list of got) {
        assertNumbered(await list.reach(COUNT), COUNT);
        list.forEach(assertBytes);
      }
      all.forEach((socket) => socket.off('binary'));
    }
  });

  on('binary from a thread that is none of the server\'s', async (t, server) => {
    const all = await everywhere(t, server, 4);
    const got = all.map((socket) => collect(socket, 'far-binary'));
    all[0].emit('far', 'broadcast', COUNT);
    for (const list of got) {
      assertNumbered(await list.reach(COUNT), COUNT);
      list.forEach(assertBytes);
    }
  });

  on('two loops and a foreign thread at once keep their own order', async (t, server) => {
    const all = await everywhere(t, server, 3);
    const [one, two, three] = oneOfEach(all);
    const mixed = all.map((socket) => collect(socket, 'binary'));
    const far = all.map((socket) => collect(socket, 'far-binary'));
    one.emit('binary', COUNT);
    three.emit('far', 'broadcast', COUNT);
    two.emit('binary', COUNT);
    for (const list of mixed) {
      assertTwoRows(await list.reach(2 * COUNT), COUNT);
      list.forEach(assertBytes);
    }
    for (const list of far) {
      assertNumbered(await list.reach(COUNT), COUNT);
      list.forEach(assertBytes);
    }
  });

  on('all clients broadcast at once, and each one\'s order is kept for each', async (t, server) => {
    const all = await everywhere(t, server, 3);
    const senders = all.map((socket) => socket.id);
    const got = all.map((socket) => collect(socket, 'broadcast'));
    const each = 40;
    for (let n = 0; n < each; n++) {
      for (const socket of all) socket.emit('broadcast', socket.id, n, n % 4 ? 'text' : Buffer.from(`${socket.id} ${n}`));
    }
    for (const list of got) {
      await list.reach(all.length * each);
      assertSenders(list, senders, each);
      for (const [id, n, what] of list) assert.deepEqual(what, n % 4 ? 'text' : Buffer.from(`${id} ${n}`));
    }
  });

  on('what a client has emitted before comes before', async (t, server) => {
    const all = await everywhere(t, server, 2);
    const [one] = all;
    const order = [];
    one.on('echo', (n) => order.push(n));
    const got = all.map((socket) => collect(socket, 'broadcast'));
    one.on('broadcast', (n) => order.push(n));
    for (let n = 0; n < 100; n++) one.emit(n % 2 ? 'echo' : 'broadcast', n);
    await ask(one, 'ack');
    for (const list of got) {
      await list.reach(50);
      assert.deepEqual(list.map(([n]) => n), Array.from({ length: 50 }, (_, i) => 2 * i));
    }
    assert.deepEqual(order, Array.from({ length: 100 }, (_, i) => i));
  });

  on('clients come and go while a broadcast is under way', async (t, server) => {
    const staying = await everywhere(t, server, 1);
    const got = staying.map((socket) => collect(socket, 'far-binary'));
    for (let round = 0; round < 5; round++) {
      const others = await everywhere(t, server, 1);
      staying[round % staying.length].emit('far', 'broadcast', 100);
      others.forEach((socket, i) => (i % 2 ? socket.disconnect() : socket.io.engine.close()));
    }
    for (const list of got) {
      await list.reach(500);
      for (let i = 0; i < 500; i += 100) assertNumbered(list.slice(i, i + 100), 100);
    }
  });
});
