// Middlewares of namespaces: order, refusal, what they may do meanwhile.

import assert from 'node:assert/strict';
import { Manager } from 'socket.io-client';
import {
  ask, client, collect, connected, connection, eventually, getJson, next,
  noted, notes, rawWebSocket, rooms, sessions, withServer,
} from '../support/client.mjs';
import { oursOnly } from '../support/server.mjs';

let tags = 0;
const newTag = () => `tag${process.pid}-${++tags}`;

const steps = (list) => list.filter((n) => n.what === 'middleware').map((n) => n.step);

withServer('middlewares', {}, (on, onEach) => {
  onEach('MW01 middlewares run in order, also a slow one', async (t, server, options) => {
    const tag = newTag();
    const socket = await connected(t, server, '/mw-order', { ...options, auth: { tag } });
    const all = await notes(server, tag, 'connection');
    assert.deepEqual(all.map((n) => n.step ?? n.what), [1, 2, 3, 'connection']);
    assert.ok(all.every((n) => n.id === socket.id));
    assert.deepEqual(all.slice(0, 3).map((n) => n.connected), [false, false, false]);
  });

  on('MW01 clients pass a slow middleware side by side', async (t, server) => {
    const list = [1, 2, 3, 4, 5].map(newTag);
    await Promise.all(list.map((tag) => connected(t, server, '/mw-order', { auth: { tag } })));
    for (const tag of list) {
      assert.deepEqual(steps(await notes(server, tag, 'connection')), [1, 2, 3]);
    }
  });

  const refusals = {
    'an object': { code: 42, deep: [null, 'ü'] },
    'a string': 'why',
    'a number': 0,
    'null': null,
    'nothing': undefined,
  };
  for (const [what, data] of Object.entries(refusals)) {
    onEach(`MW02 a refusal carries its message and, as data, ${what}`, async (t, server, options) => {
      const auth = { tag: newTag(), message: 'not "you"', data };
      const socket = client(t, server, '/mw-refuse', { ...options, auth });
      const [error] = await next(socket, 'connect_error');
      assert.ok(error instanceof Error);
      assert.equal(error.message, 'not "you"');
      assert.deepEqual(error.data, data);
      const all = await notes(server, auth.tag);
      assert.deepEqual(steps(all), [1], 'later middlewares do not run');
      assert.equal(all.filter((n) => n.what === 'connection').length, 0);
    });
  }

  on('MW02 a refused client may try again', async (t, server) => {
    let message = 'no';
    const socket = client(t, server, '/mw-refuse', { auth: (give) => give({ message }) });
    await next(socket, 'connect_error');
    message = undefined;
    socket.connect();
    await connection(socket);
  });

  onEach('MW03 each namespace has middlewares of its own', async (t, server, options) => {
    const tag = newTag();
    const manager = new Manager(server.url, { reconnection: false, ...options });
    t.after(() => manager._close());
    const auth = { tag, message: 'no' };
    const bad = manager.socket('/mw-refuse', { auth });
    const good = manager.socket('/foo', { auth });
    await Promise.all([next(bad, 'connect_error'), connection(good)]);
    const all = await notes(server, tag, 'connection');
    assert.deepEqual(all.filter((n) => n.nsp === '/foo').map((n) => n.what), ['connection']);
    assert.deepEqual(await ask(good, 'echo', 1), [1]);
  });

  onEach('MW04 what a middleware emits is received', async (t, server, options) => {
    const socket = client(t, server, '/mw-emit', options);
    const early = collect(socket, 'early');
    await connection(socket);
    await early.reach(2);
    assert.deepEqual([...early], [[1], [2]]);
  });

  on('MW04 what a middleware emits goes before the answer to CONNECT', async (t, server) => {
    const ws = await rawWebSocket(t, server, null);
    ws.sendText('40/mw-emit,');
    await ws.text('42/mw-emit,["early",1]');
    await ws.text('42/mw-emit,["early",2]');
    assert.match(await ws.text(), /^40\/mw-emit,\{"sid":"[^"]{20}"\}$/);
  });

  onEach('MW05 a room joined in a middleware is kept', async (t, server, options) => {
    const socket = await connected(t, server, '/mw-join', options);
    assert.deepEqual(await ask(socket, 'kept'), [true]);
    const { id } = socket;
    assert.equal((await noted(server, id, 'joined')).in, true);
    socket.disconnect();
    await noted(server, id, 'disconnect');
    await eventually(() => rooms(server, '/mw-join', 'kept'), (r) => r.members === 0, 'an empty room');
  });

  onEach('MW05 a refusal takes it back', async (t, server, options) => {
    const socket = client(t, server, '/mw-join', { ...options, auth: { message: 'no' } });
    await next(socket, 'connect_error');
    const { sockets, members, rooms: count } = await rooms(server, '/mw-join', 'kept');
    assert.deepEqual([sockets, members, count], [0, 0, 0]);
  });

  onEach('MW06 a client that leaves meanwhile is never connected', async (t, server, options) => {
    const tag = newTag();
    await sessions(server, 0); // those of the test before have gone
    const socket = client(t, server, '/mw-gate', { ...options, auth: { tag } });
    await noted(server, tag, 'middleware');
    socket.io.engine.close();
    await sessions(server, 0);
    assert.equal((await getJson(server, '/gate')).opened, 1);
    const all = await notes(server, tag);
    assert.equal(all.filter((n) => n.what === 'connection' || n.what === 'disconnect').length, 0);
    assert.equal((await rooms(server, '/mw-gate', 'x')).sockets, 0);
  });

  on('MW06 one that leaves the namespace meanwhile, too', async (t, server) => {
    const tag = newTag();
    const ws = await rawWebSocket(t, server, null);
    ws.sendText(`40/mw-gate,{"tag":"${tag}"}`);
    await noted(server, tag, 'middleware');
    ws.sendText('41/mw-gate,');
    await ws.gone();
    await getJson(server, '/gate');
    const all = await notes(server, tag);
    assert.ok(all.every((n) => n.what === 'middleware'));
  });

  on('MW06 packets for a namespace whose middlewares run close the connection', async (t, server) => {
    for (const packet of ['42/mw-gate,["mark",1]', '40/mw-gate,']) {
      const ws = await rawWebSocket(t, server, null);
      const tag = newTag();
      ws.sendText(`40/mw-gate,{"tag":"${tag}"}`);
      await noted(server, tag, 'middleware');
      ws.sendText(packet);
      await ws.gone();
      await getJson(server, '/gate');
    }
  }, { skip: oursOnly('a second CONNECT starts a second socket') });
});
