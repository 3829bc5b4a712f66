// How sockets end, and what each side is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Manager } from 'socket.io-client';
import {
  ask, client, collect, connected, connection, next, noted, notes, rawPolling, rawWebSocket, rooms,
  tell, withServer,
} from '../support/client.mjs';
import { OP, QUIET, encodeFrame, settle } from '../support/raw.mjs';
import { isOfficial, oursOnly, startServer } from '../support/server.mjs';

/** Both notes of a socket's end; they agree on the reason. */
async function end(server, id, reason) {
  const before = await noted(server, id, 'disconnecting');
  const gone = await noted(server, id, 'disconnect');
  assert.equal(before.reason, reason);
  assert.equal(gone.reason, reason);
  const all = await notes(server, id);
  assert.equal(all.filter((n) => n.what === 'disconnect').length, 1);
  return { before, gone };
}

/** Sockets of one manager, one per namespace. */
async function several(t, server, names, options = {}) {
  const manager = new Manager(server.url, { reconnection: false, ...options });
  t.after(() => manager._close());
  const sockets = names.map((nsp) => manager.socket(nsp));
  await Promise.all(sockets.map(connection));
  return sockets;
}

withServer('disconnecting', {}, (on, onEach) => {
  onEach('DC01 a client leaves a namespace, the others live', async (t, server, options) => {
    const [root, foo] = await several(t, server, ['/', '/foo'], options);
    const { id } = foo;
    foo.disconnect();
    await end(server, id, 'client namespace disconnect');
    assert.deepEqual(await ask(root, 'echo', 'lives'), ['lives']);
    assert.ok(root.connected);
  });

  onEach('DC01 a client that leaves its last namespace is gone', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const { id } = socket;
    socket.disconnect();
    await end(server, id, 'client namespace disconnect');
  });

  onEach('DC02 the server disconnects one namespace', async (t, server, options) => {
    const [root, foo] = await several(t, server, ['/', '/foo'], { ...options, reconnection: true });
    const { id } = foo;
    const gone = next(foo, 'disconnect');
    const last = next(foo, 'last');
    foo.emit('disconnect-me', 'bye');
    assert.deepEqual(await last, ['bye']);
    assert.deepEqual((await gone)[0], 'io server disconnect');
    await end(server, id, 'server namespace disconnect');
    assert.equal(foo.active, false, 'the client does not come back');
    assert.deepEqual(await ask(root, 'echo', 1), [1]);
  });

  onEach('DC03 HB07 the server disconnects all namespaces and the connection', async (t, server, options) => {
    const [root, foo] = await several(t, server, ['/', '/foo'], options);
    const ids = [root.id, foo.id];
    const closed = next(root.io, 'close');
    const gone = Promise.all([next(root, 'disconnect'), next(foo, 'disconnect')]);
    const last = next(foo, 'last');
    foo.emit('close-me', Buffer.from([1, 2]), { a: 1 });
    assert.deepEqual(await last, [Buffer.from([1, 2]), { a: 1 }]);
    for (const [reason] of await gone) assert.equal(reason, 'io server disconnect');
    await closed;
    for (const id of ids) await end(server, id, 'server namespace disconnect');
  });

  on('DC03 HB07 the packets of a close and its close frame', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('42["close-me","x"]');
    await ws.text('42["last","x"]');
    await ws.text('41');
    await ws.closed();
  });

  onEach('DC04 rooms are there while disconnecting and gone after', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const { id } = socket;
    await ask(socket, 'join', ['dc4 a', 'dc4 b']);
    assert.equal((await rooms(server, '/', 'dc4 a')).members, 1);
    socket.disconnect();
    const { before, gone } = await end(server, id, 'client namespace disconnect');
    assert.deepEqual(before.rooms.sort(), [id, 'dc4 a', 'dc4 b'].sort());
    assert.equal(gone.rooms, 0);
    assert.equal(gone.connected, false);
    assert.equal((await rooms(server, '/', 'dc4 a')).members, 0);
  });

  on('DC05 client namespace disconnect', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('41');
    await end(server, ws.id, 'client namespace disconnect');
  });

  on('DC05 server namespace disconnect', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('42["disconnect-me"]');
    await ws.text('41');
    await end(server, ws.id, 'server namespace disconnect');
  });

  on('DC05 forced close', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('4abc');
    await ws.gone();
    await end(server, ws.id, 'forced close');
  });

  on('DC05 forced server close', async (t, server) => {
    const session = await rawPolling(server);
    await session.postOk('40'); // no poll is waiting to carry the close
    await end(server, session.id, 'forced server close');
  });

  on('DC05 transport close, by the WebSocket\'s end', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.send(OP.CLOSE, '');
    await end(server, ws.id, 'transport close');
    const other = await rawWebSocket(t, server);
    other.destroy();
    await end(server, other.id, 'transport close');
  });

  on('DC05 transport close, by a polling client', async (t, server) => {
    const session = await rawPolling(server);
    await session.postOk('1');
    await end(server, session.id, 'transport close');
  });

  on('DC05 DC06 transport error', async (t, server) => {
    const session = await rawPolling(server);
    const held = await session.hold();
    assert.equal((await session.poll()).status, 400);
    held.destroy();
    const { gone } = await end(server, session.id, 'transport error');
    if (!isOfficial) assert.equal(gone.why, 'request overlaps with one in flight');
  });

  on('DC05 DC06 parse error', async (t, server) => {
    const session = await rawPolling(server);
    await session.postOk('x');
    const { before, gone } = await end(server, session.id, 'parse error');
    if (isOfficial) return;
    assert.equal(gone.why, 'unknown packet type');
    assert.equal(before.why, gone.why);
  });

  on('DC06 the error behind each reason', async (t, server) => {
    const cases = [
      ['4abc', 'unknown packet type'],
      ['42{}', 'payload does not fit the packet type'],
      ['42["a"', 'not valid JSON'],
      ['40', 'packet is not allowed in the present state'],
      ['2', 'heartbeat in the wrong direction'],
    ];
    for (const [packet, why] of cases) {
      const ws = await rawWebSocket(t, server);
      ws.sendText(packet);
      const { why: seen } = await noted(server, ws.id, 'disconnect');
      assert.equal(seen, why, packet);
    }
    const ws = await rawWebSocket(t, server);
    ws.sendText('41');
    assert.equal((await noted(server, ws.id, 'disconnect')).why, 'success');
  }, { skip: oursOnly('no such codes') });

  onEach('DC07 no joins and no emits after the disconnect', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const { id } = socket;
    const late = collect(socket, 'too-late');
    const gone = next(socket, 'disconnect');
    socket.emit('disconnect-me');
    await gone;
    const { gone: note } = await end(server, id, 'server namespace disconnect');
    assert.equal(note.join, 'closed before it was done');
    assert.equal(note.emit, 'closed before it was done');
    assert.equal((await rooms(server, '/', 'too-late')).members, 0);
    assert.equal(late.length, 0);
  });

  on('DC07 events behind the disconnect are not delivered', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    const frames = ['42["disconnect-me"]', '42["mark",1]', '42["mark",2]'];
    ws.wire.write(Buffer.concat(frames.map((text) => encodeFrame(OP.TEXT, text))));
    await ws.text('41');
    await settle(server);
    const session = await rawPolling(server);
    await session.postOk('42["disconnect-me"]\x1e42["mark",1]');
    await end(server, session.id, 'server namespace disconnect');
    for (const id of [ws.id, session.id]) {
      assert.equal((await notes(server, id)).filter((n) => n.what === 'mark').length, 0);
    }
  });

  onEach('DC07 an ack after the disconnect has no effect', async (t, server, options) => {
    const [root, foo] = await several(t, server, ['/', '/foo'], options);
    foo.emit('ack-later', 500, 'late', () => assert.fail('acknowledged'));
    const { id } = foo;
    foo.emit('disconnect-me');
    await end(server, id, 'server namespace disconnect');
    await ask(root, 'ack-later', 600);
  });

  onEach('SA02 data of a socket lives as long as it', async (t, server, options) => {
    const socket = await connected(t, server, '/bar', options);
    const { id } = socket;
    await tell(socket, 'set-data', 'größe');
    assert.equal((await ask(socket, 'info'))[0].text, 'größe');
    const [all] = await ask(socket, 'everyone');
    assert.deepEqual(all, [{ id, text: 'größe' }]);
    socket.disconnect();
    if (!isOfficial) await noted(server, id, 'data-freed');
  });

  on('SV04 many sockets are disconnected at once', async (t, server) => {
    const list = await Promise.all([1, 2, 3, 4].map(() => connected(t, server, '/bar')));
    for (const socket of list.slice(1)) await ask(socket, 'join', 'sv4');
    const gone = list.slice(1, 3).map((s) => next(s, 'disconnect'));
    await tell(list[0], 'all', { do: 'disconnect', to: 'sv4', except: list[3].id });
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
    assert.ok(list[0].connected && list[3].connected);
    const closed = next(list[3].io, 'close');
    await tell(list[0], 'all', { do: 'disconnect', to: 'sv4', close: true });
    await closed;
    assert.deepEqual(await ask(list[0], 'echo', 1), [1]);
  });
});

withServer('a short heartbeat', { options: { 'ping-interval': 100, 'ping-timeout': 100 } }, (on) => {
  on('DC05 ping timeout', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    await end(server, ws.id, 'ping timeout');
  });
});

test('DC05 DC08 server shutting down', async (t) => {
  const server = await startServer('rows', QUIET);
  t.after(() => server.stop());
  const options = [['polling'], ['websocket'], ['polling', 'websocket']];
  const sockets = await Promise.all(options.map((transports) => connected(t, server, '/foo', { transports })));
  const ids = sockets.map((s) => s.id);
  const gone = sockets.map((s) => next(s, 'disconnect'));
  await server.stop();
  for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'transport close');
  const lines = server.stderr().split('\n').filter((line) => line.startsWith('{'));
  const notesLeft = lines.map((line) => JSON.parse(line));
  for (const id of ids) {
    const note = notesLeft.find((n) => n.id === id);
    assert.equal(note?.reason, 'server shutting down');
  }
});

test('DC08 clients of a server that closes come back', async (t) => {
  let server = await startServer('rows', QUIET);
  const { port } = server;
  const options = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };
  const socket = client(t, server, '/', options);
  await connection(socket);
  const gone = next(socket, 'disconnect');
  await server.stop();
  assert.equal((await gone)[0], 'transport close');
  assert.equal(socket.active, true);
  const back = next(socket, 'connect');
  server = await startServer('rows', { ...QUIET, port });
  t.after(() => server.stop());
  await back;
  assert.deepEqual(await ask(socket, 'echo', 2), [2]);
});
