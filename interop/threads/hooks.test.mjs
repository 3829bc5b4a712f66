// Hooks of events whose sockets are on several loops.

import assert from 'node:assert/strict';
import { ask, collect, next } from '../support/client.mjs';
import { everywhere, oneOfEach, withThreads } from '../support/threads.mjs';

withThreads('hooks over several loops', {}, (on) => {
  on('MW07 MW08 middlewares of events are answered from another thread', async (t, server) => {
    const all = await everywhere(t, server, 2, {}, '/events');
    const failed = all.map((socket) => collect(socket, 'failed'));
    const answers = all.map((socket) => Promise.all(Array.from({ length: 100 }, (_, n) => {
      if (n % 4 === 0) socket.emit('no', n, () => assert.fail('no ack'));
      return ask(socket, 'yes', n, Buffer.alloc(n % 5, n));
    })));
    for (const list of await Promise.all(answers)) {
      assert.deepEqual(list.map(([n, b]) => [n, b.length]), Array.from({ length: 100 }, (_, n) => [n, n % 5]));
    }
    for (const list of failed) {
      assert.ok((await list.reach(25)).every(([message, data]) => message === 'no' && data === '{}'));
    }
  });

  on('MW07 clients that leave while another thread decides', async (t, server) => {
    const all = await everywhere(t, server, 3, {}, '/events');
    for (const [i, socket] of all.entries()) {
      for (let n = 0; n < 50; n++) socket.emit(n % 2 ? 'yes' : 'no', Buffer.alloc(100), () => {});
      setTimeout(() => (i % 2 ? socket.disconnect() : socket.io.engine.close()), i);
    }
    const [rest] = await everywhere(t, server, 1, {}, '/events');
    assert.deepEqual(await ask(rest, 'yes', 1), [1]);
  });

  on('EV19 broadcasts to sockets of all loops are told of, once for each', async (t, server) => {
    const all = await everywhere(t, server, 2, {}, '/events');
    const got = all.map((socket) => collect(socket, 'all'));
    const [before] = await ask(all[0], 'out-count');
    for (const socket of oneOfEach(all)) for (let n = 0; n < 10; n++) socket.emit('all', socket.loop, n);
    for (const list of got) await list.reach(40);
    const [after] = await ask(all[0], 'out-count');
    assert.equal(after - before, 40 * all.length);
  });

  on('SV01 sockets of all loops are fetched with rooms and handshake', async (t, server) => {
    const all = await everywhere(t, server, 2, { query: { who: 'x' } });
    for (const socket of all) await ask(socket, 'join', 'sv01');
    for (const asker of oneOfEach(all)) {
      const informed = next(asker, 'informed');
      asker.emit('infos', 'sv01');
      const [err, infos] = await informed;
      assert.equal(err, 0);
      assert.deepEqual(infos.map((one) => one.id).sort(), all.map((socket) => socket.id).sort());
      for (const { id, rooms, handshake } of infos) {
        assert.deepEqual([rooms[0], rooms.includes('sv01')], [id, true]);
        assert.equal(handshake.query.who, 'x');
      }
    }
  });

  on('events of the application are answered, whoever asks', async (t, server) => {
    const all = await everywhere(t, server, 2);
    const got = all.map((socket) => collect(socket, 'sided'));
    for (const socket of all) for (let n = 0; n < 20; n++) socket.emit('side', n);
    for (const list of got) {
      await list.reach(20);
      const texts = list.map(([err, answers, count]) => [err, answers, count].join(' ')).sort();
      assert.deepEqual(texts, Array.from({ length: 20 }, (_, n) => `0 "${n}","late" 2`).sort());
    }
  });
});
