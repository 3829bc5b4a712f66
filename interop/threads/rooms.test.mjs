// Rooms whose members are on several loops, and what is asked of them.

import assert from 'node:assert/strict';
import { ask, collect, connected, eventually, next } from '../support/client.mjs';
import { deserted, everywhere, oneOfEach, placed, withThreads } from '../support/threads.mjs';

const TIMEOUT = -304; // SIO_ERR_TIMEOUT
const OK = 0;

const ids = (list) => list.map((socket) => socket.id).sort();
const join = (list, room) => Promise.all(list.map((socket) => ask(socket, 'join', room)));

/** What an event is answered with by another. */
async function answer(socket, event, name, ...list) {
  const coming = next(socket, name);
  socket.emit(event, ...list);
  return coming;
}

const count = (socket, ...list) => answer(socket, 'count', 'counted', ...list);
const survey = (socket, ...list) => answer(socket, 'survey', 'surveyed', ...list);

async function fetch(socket, ...list) {
  const [err, found] = await answer(socket, 'fetch', 'fetched', ...list);
  assert.equal(new Set(found).size, found.length, 'each once');
  return [err, found.sort()];
}

/** How often each has heard of room events; all that was sent before is there. */
async function heard(asker, all, room) {
  for (const socket of all) {
    socket.heard ??= collect(socket, 'room');
  }
  asker.emit('room', room, 'x');
  // A broadcast to all goes to each loop behind that.
  const behind = all.map((socket) => next(socket, 'broadcast'));
  asker.emit('broadcast');
  await Promise.all(behind);
  return all.map((socket) => socket.heard.splice(0).length);
}

withThreads('rooms over several loops', {}, (on) => {
  on('an emit to a room reaches its members on every loop, from every loop', async (t, server) => {
    const all = await everywhere(t, server, 3);
    const members = all.filter((_, i) => i % 2);
    await join(members, 'half');
    for (const asker of [...oneOfEach(all), ...oneOfEach(members).filter(Boolean)]) {
      assert.deepEqual(await heard(asker, all, 'half'), all.map((_, i) => i % 2));
    }
  });

  on('numbered emits to a room, with binary, in order', async (t, server) => {
    const all = await everywhere(t, server, 2);
    await join(all, 'row');
    const got = all.map((socket) => collect(socket, 'room'));
    const senders = oneOfEach(all);
    for (let n = 0; n < 50; n++) {
      for (const socket of senders) socket.emit('room', 'row', socket.loop, n, Buffer.alloc(n, n));
    }
    for (const list of got) {
      await list.reach(200);
      for (let loop = 0; loop < 4; loop++) {
        const own = list.filter(([from]) => from === loop);
        assert.deepEqual(own.map(([, n]) => n), Array.from({ length: 50 }, (_, i) => i));
        for (const [, n, bytes] of own) assert.deepEqual(bytes, Buffer.alloc(n, n));
      }
    }
  });

  on('a socket is found by its id from every loop', async (t, server) => {
    const all = await everywhere(t, server, 2);
    for (const asker of oneOfEach(all)) {
      for (const [i, target] of oneOfEach(all).entries()) {
        const expected = all.map((socket) => (socket === target ? 1 : 0));
        assert.deepEqual(await heard(asker, all, target.id), expected, `from ${asker.loop} to ${i}`);
      }
    }
    assert.deepEqual(await heard(all[0], all, 'nobody'), all.map(() => 0));
  });

  on('count and fetch see all loops, from every loop', async (t, server) => {
    const all = await everywhere(t, server, 2);
    const members = all.filter((_, i) => i % 3 !== 1);
    await join(members, 'some');
    for (const asker of oneOfEach(all)) {
      assert.deepEqual(await count(asker), [OK, all.length]);
      assert.deepEqual(await fetch(asker), [OK, ids(all)]);
      assert.deepEqual(await count(asker, 'some'), [OK, members.length]);
      assert.deepEqual(await fetch(asker, 'some'), [OK, ids(members)]);
      assert.deepEqual(await count(asker, all[1].id), [OK, 1]);
      assert.deepEqual(await fetch(asker, all[1].id), [OK, [all[1].id]]);
      assert.deepEqual(await count(asker, 'nobody'), [OK, 0]);
      assert.deepEqual(await fetch(asker, 'nobody'), [OK, []]);
    }
  });

  on('many questions at once are each answered', async (t, server) => {
    const all = await everywhere(t, server, 2);
    await join(all, 'crowd');
    const got = all.map((socket) => [collect(socket, 'counted'), collect(socket, 'fetched')]);
    for (let i = 0; i < 20; i++) {
      for (const socket of all) socket.emit('count', 'crowd').emit('fetch', 'crowd');
    }
    for (const [counted, fetched] of got) {
      await counted.reach(20);
      await fetched.reach(20);
      for (const list of counted) assert.deepEqual(list, [OK, all.length]);
      for (const [err, list] of fetched) assert.deepEqual([err, list.sort()], [OK, ids(all)]);
    }
  });

  on('SV03 the sockets of a room are made to join another', async (t, server) => {
    const all = await everywhere(t, server, 2);
    const members = all.filter((_, i) => i % 2);
    const asker = all[0];
    await join(members, 'from');
    await ask(asker, 'gather', 'from', 'to');
    assert.deepEqual(await count(asker, 'to'), [OK, members.length]);
    assert.deepEqual(await fetch(asker, 'to'), [OK, ids(members)]);
    assert.deepEqual(await heard(asker, all, 'to'), all.map((_, i) => i % 2));
    await ask(asker, 'gather', all[0].id, 'to');
    assert.deepEqual(await count(asker, 'to'), [OK, members.length + 1]);
    await ask(asker, 'gather', '', 'to');
    assert.deepEqual(await count(asker, 'to'), [OK, all.length]);
  });

  on('SV04 a socket of any loop is disconnected by its id', async (t, server) => {
    const all = await everywhere(t, server, 2);
    const [asker] = all;
    for (const target of oneOfEach(all).filter((socket) => socket !== asker)) {
      const gone = next(target, 'disconnect');
      asker.emit('kick', target.id);
      assert.equal((await gone)[0], 'io server disconnect');
      const rest = all.filter((socket) => socket.connected);
      assert.deepEqual(await fetch(asker), [OK, ids(rest)]);
    }
    const gone = next(asker, 'disconnect');
    asker.emit('kick', asker.id);
    assert.equal((await gone)[0], 'io server disconnect');
  });

  on('SV04 everybody is disconnected', async (t, server) => {
    const all = await everywhere(t, server, 3);
    const gone = all.map((socket) => next(socket, 'disconnect'));
    all[0].emit('kick', '');
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
    await deserted(server);
  });

  on('RM09 the answers of all loops are gathered', async (t, server) => {
    const all = await everywhere(t, server, 2);
    const members = all.filter((_, i) => i % 2);
    await join(members, 'asked');
    for (const socket of all) socket.on('who', (done) => done(socket.id));
    for (const asker of oneOfEach(all)) {
      const [err, answers, expected] = await survey(asker, 10_000, 'asked');
      assert.deepEqual([err, answers.sort(), expected], [OK, ids(members), members.length]);
    }
    const [err, answers, expected] = await survey(all[0], 10_000);
    assert.deepEqual([err, answers.sort(), expected], [OK, ids(all), all.length]);
  });

  on('RM09 what has come is told when one does not answer', async (t, server) => {
    const all = await everywhere(t, server, 1);
    const [silent] = all;
    await join(all, 'late');
    for (const socket of all) socket.on('who', (done) => socket !== silent && done(socket.id));
    for (const asker of oneOfEach(all)) {
      const [err, answers, expected] = await survey(asker, 150, 'late');
      assert.deepEqual([err, answers.sort()], [TIMEOUT, ids(all.filter((socket) => socket !== silent))]);
      assert.equal(expected, all.length);
    }
  });

  on('RM09 one that leaves does not answer', async (t, server) => {
    const all = await everywhere(t, server, 1);
    const target = all.findLast((socket) => socket.loop !== all[0].loop);
    for (const socket of all) {
      socket.on('who', (done) => (socket === target ? socket.disconnect() : done(socket.id)));
    }
    const [err, answers, expected] = await survey(all[0], 300);
    assert.deepEqual([err, answers.sort()], [TIMEOUT, ids(all.filter((socket) => socket !== target))]);
    assert.equal(expected, all.length);
  });

  on('RM09 nobody in the room, no waiting', async (t, server) => {
    const all = await everywhere(t, server, 1);
    for (const asker of oneOfEach(all)) {
      assert.deepEqual(await survey(asker, 60_000, 'nobody'), [OK, [], 0]);
    }
  });

  on('answers without an argument, and surveys at once from all loops', async (t, server) => {
    const all = await everywhere(t, server, 2);
    for (const [i, socket] of all.entries()) socket.on('who', (done) => (i % 2 ? done() : done(socket.id, 'more')));
    const got = all.map((socket) => collect(socket, 'surveyed'));
    for (let n = 0; n < 10; n++) all.forEach((socket) => socket.emit('survey', 10_000));
    const expected = all.map((socket, i) => (i % 2 ? null : socket.id)).sort();
    for (const list of got) {
      for (const [err, answers, asked] of await list.reach(10)) {
        assert.deepEqual([err, answers.sort(), asked], [OK, expected, all.length]);
      }
    }
  });

  on('the one who asks leaves before the answer', async (t, server) => {
    const all = await everywhere(t, server, 1);
    for (const socket of all) socket.on('who', (done) => setTimeout(done, 30, socket.id));
    for (let i = 0; i < 8; i++) {
      const asker = await connected(t, server, '/', { transports: ['websocket'] });
      asker.emit('survey', 10_000).emit('survey', 20).emit('count').emit('fetch').emit('survey', 60_000, 'nobody');
      await ask(asker, 'ack');
      if (i % 2) asker.disconnect();
      else asker.io.engine.close();
    }
    assert.deepEqual((await survey(all[0], 10_000))[0], OK);
    await eventually(() => count(all[0]), ([, n]) => n === all.length, 'those who stay');
  });

  on('rooms are left with the socket, on each loop', async (t, server) => {
    const all = await everywhere(t, server, 1);
    const last = await placed(t, server, '/', { transports: ['websocket'] });
    await join([...all, last], 'left');
    assert.deepEqual(await count(all[0], 'left'), [OK, all.length + 1]);
    last.disconnect();
    await eventually(() => count(all[0], 'left'), ([, n]) => n === all.length, 'the room');
    for (const socket of all) await ask(socket, 'far', 'leave', 'left');
    assert.deepEqual(await count(all[0], 'left'), [OK, 0]);
  });
});
