// How clients come to their namespaces.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Manager, io } from 'socket.io-client';
import {
  ask, assertNumbered, client, collect, connected, connection, counters, getJson, next, noted, notes,
  rawJoin, rawWebSocket, sessions, tell, withServer,
} from '../support/client.mjs';
import { OP, QUIET, encodeFrame, now } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

withServer('connecting', {}, (on, onEach) => {
  onEach('CN01 a client connects to the main namespace', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    assert.match(socket.id, /^[A-Za-z0-9_-]{20}$/);
    const [info] = await ask(socket, 'info');
    assert.equal(info.id, socket.id);
    assert.equal(info.nsp, '/');
    assert.notEqual(info.id, info.session);
    assert.equal(info.session, socket.io.engine.id);
  });

  on('CN01 the answer to CONNECT has the sid alone', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    assert.equal(ws.id.length, 20);
    assert.notEqual(ws.id, ws.sid);
  });

  onEach('CN02 auth as an object and as a function', async (t, server, options) => {
    const auth = { token: 'abc', deep: [{ ä: null }], n: 1.5 };
    const one = await connected(t, server, '/', { ...options, auth, query: { q: 'ö &=' } });
    const [first] = await ask(one, 'handshake');
    assert.deepEqual(first.auth, auth);
    assert.equal(first.query.q, 'ö &=');
    assert.equal(first.query.token, undefined);
    const two = await connected(t, server, '/foo', { ...options, auth: (give) => setImmediate(give, { token: 'def' }) });
    assert.deepEqual((await ask(two, 'handshake'))[0].auth, { token: 'def' });
    const none = await connected(t, server, '/', options);
    assert.deepEqual((await ask(none, 'handshake'))[0].auth, {});
  });

  on('CN02 auth is per namespace', async (t, server) => {
    const manager = new Manager(server.url, { reconnection: false });
    t.after(() => manager._close());
    const one = manager.socket('/', { auth: { who: 1 } });
    const two = manager.socket('/foo', { auth: { who: 2 } });
    await Promise.all([connection(one), connection(two)]);
    assert.equal((await ask(one, 'handshake'))[0].auth.who, 1);
    assert.equal((await ask(two, 'handshake'))[0].auth.who, 2);
  });

  onEach('CN03 several namespaces share a connection', async (t, server, options) => {
    const manager = new Manager(server.url, { reconnection: false, ...options });
    t.after(() => manager._close());
    const sockets = ['/', '/foo', '/bar', '/plain'].map((nsp) => manager.socket(nsp));
    await Promise.all(sockets.map(connection));
    assert.equal(new Set(sockets.map((s) => s.id)).size, 4);
    const infos = await Promise.all(sockets.map(async (s) => (await ask(s, 'info'))[0]));
    assert.deepEqual(infos.map((i) => i.nsp), ['/', '/foo', '/bar', '/plain']);
    assert.deepEqual(infos.map((i) => i.id), sockets.map((s) => s.id));
    assert.equal(new Set(infos.map((i) => i.session)).size, 1);
  });

  onEach('CN04 an unknown namespace is refused, the connection stays', async (t, server, options) => {
    const manager = new Manager(server.url, { reconnection: false, ...options });
    t.after(() => manager._close());
    const good = manager.socket('/foo');
    const bad = manager.socket('/nowhere');
    const [[error]] = await Promise.all([next(bad, 'connect_error'), connection(good)]);
    assert.equal(error.message, 'Invalid namespace');
    assert.equal(error.data, undefined);
    assert.deepEqual(await ask(good, 'echo', 1), [1]);
  });

  on('CN04 namespaces are case-sensitive and not decoded', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    for (const name of ['/FOO', '/foo/', '/%66oo', '/fo', '//foo', '/foo ']) {
      ws.sendText(`40${name},`);
      await ws.text(`44${name},{"message":"Invalid namespace"}`);
    }
    await rawJoin(ws, '/foo');
  });

  for (const packet of ['40[]', '40"x"', '40{', '401x', '40null', '4abc', '40/foo,[1]']) {
    on(`CN05 the CONNECT ${packet} closes the connection`, async (t, server) => {
      const ws = await rawWebSocket(t, server, null);
      ws.sendText(packet);
      await ws.gone();
    });
  }

  const violations = {
    'a second CONNECT': '40',
    'an event for a namespace not joined': '42/foo,["mark",1]',
    'an ack for a namespace not joined': '43/foo,1[]',
    'a DISCONNECT of a namespace not joined': '41/foo,',
    'a CONNECT_ERROR': '44{"message":"x"}',
  };
  for (const [what, packet] of Object.entries(violations)) {
    on(`CN07 ${what} closes the connection`, async (t, server) => {
      const ws = await rawWebSocket(t, server);
      ws.sendText(packet);
      await ws.gone();
      const end = await noted(server, ws.id, 'disconnect');
      assert.match(end.reason, /^forced (server )?close$/);
    });
  }

  on('CN07 an event before CONNECT closes the connection', async (t, server) => {
    const ws = await rawWebSocket(t, server, null);
    ws.sendText('42["mark",1]');
    await ws.gone();
  });

  onEach('CN08 connection handlers run once, their emits follow CONNECT', async (t, server, options) => {
    const socket = client(t, server, '/', { ...options, auth: { greet: 50 } });
    const numbers = collect(socket, 'n');
    let before = null;
    socket.on('connect', () => (before = numbers.length));
    await connection(socket);
    assertNumbered(await numbers.reach(50), 50);
    assert.equal(before, 0);
    const all = await notes(server, socket.id, 'connection');
    assert.equal(all.filter((n) => n.what === 'connection').length, 1);
    assert.equal(all[0].connected, true);
  });

  on('CN08 what a connection handler emits comes behind CONNECT on the wire', async (t, server) => {
    const ws = await rawWebSocket(t, server, '/', '{"greet":3}');
    for (let i = 0; i < 3; i++) await ws.text(`42["n",${i}]`);
  });

  onEach('CN09 a namespace left is joined anew on the same connection', async (t, server, options) => {
    const manager = new Manager(server.url, { reconnection: false, ...options });
    t.after(() => manager._close());
    const stays = manager.socket('/');
    const socket = manager.socket('/foo');
    await Promise.all([connection(stays), connection(socket)]);
    const ids = new Set();
    for (let i = 0; i < 3; i++) {
      const { id } = socket;
      ids.add(id);
      const [info] = await ask(socket, 'info');
      assert.equal(info.session, manager.engine.id);
      socket.disconnect();
      await noted(server, id, 'disconnect');
      socket.connect();
      await connection(socket);
    }
    assert.equal(ids.size, 3);
    assert.ok(stays.connected);
  });

  on('CN09 DISCONNECT and CONNECT may come in one piece', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.wire.write(Buffer.concat([encodeFrame(OP.TEXT, '41'), encodeFrame(OP.TEXT, '40')]));
    assert.match(await ws.text(), /^40\{"sid":"[^"]{20}"\}$/);
  }, { skip: oursOnly('it takes that for a second CONNECT') });

  on('CN10 forceNew and multiplex: false make connections of their own', async (t, server) => {
    const options = { reconnection: false };
    const shared = [io(server.url, options), io(`${server.url}/foo`, options)];
    const own = [
      io(server.url, { ...options, forceNew: true }),
      io(`${server.url}/foo`, { ...options, multiplex: false }),
    ];
    const all = [...shared, ...own];
    t.after(() => all.forEach((s) => s.disconnect()));
    await Promise.all(all.map(connection));
    const ids = await Promise.all(all.map(async (s) => (await ask(s, 'info'))[0].session));
    assert.equal(ids[0], ids[1]);
    assert.equal(new Set(ids).size, 3);
    own[0].disconnect();
    await noted(server, own[1].id, 'connection');
    assert.deepEqual(await ask(own[1], 'echo', 'lives'), ['lives']);
  });

  on('NS01 namespaces need no leading slash and are made once', async (t, server) => {
    const made = await getJson(server, '/namespaces?name=late');
    assert.deepEqual(made, { name: '/late', same: true, comma: false });
    const late = await connected(t, server, '/late');
    assert.ok(late.id);
    const plain = await connected(t, server, '/plain');
    assert.equal((await ask(plain, 'info'))[0].nsp, '/plain');
  });

  on('NS01 events stay in their namespace', async (t, server) => {
    const manager = new Manager(server.url, { reconnection: false });
    t.after(() => manager._close());
    const [root, foo] = [manager.socket('/'), manager.socket('/foo')];
    await Promise.all([connection(root), connection(foo)]);
    const strays = collect(root, 'only-foo');
    const got = next(foo, 'only-foo');
    await tell(foo, 'emit', { event: 'only-foo' }, 1);
    await got;
    await ask(root, 'echo', 1);
    assert.equal(strays.length, 0);
  });
});

withServer('connectTimeout', { options: { ...QUIET, 'connect-timeout': 300 } }, (on) => {
  on('CN06 a connection that joins nothing is closed', async (t, server) => {
    const begun = now();
    const ws = await rawWebSocket(t, server, null);
    await ws.closed();
    const took = now() - begun;
    assert.ok(took > 280 && took < 3000, `${took} ms`);
  });

  on('CN06 the time counts from the handshake, also when the server was idle before', async (t, server) => {
    await new Promise((done) => setTimeout(done, 400));
    const begun = now();
    const ws = await rawWebSocket(t, server, null);
    await ws.closed();
    assert.ok(now() - begun > 280, `${now() - begun} ms`);
  });

  on('CN06 a refused CONNECT does not count', async (t, server) => {
    const ws = await rawWebSocket(t, server, null);
    ws.sendText('40/nowhere,');
    await ws.text('44/nowhere,{"message":"Invalid namespace"}');
    await ws.closed();
  });

  on('CN06 one that has joined, and left again, stays', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('41');
    await assert.rejects(ws.frame({ limit: 600 }), /nothing after/);
    await rawJoin(ws, '/foo');
  });
});

test('CN11 clients reconnect to a restarted server; buffered emits arrive', { skip: oursOnly('a slow stop') }, async (t) => {
  let server = await startServer('rows', QUIET);
  t.after(() => server.stop());
  const { port } = server;
  const options = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
  const sockets = await Promise.all(
    [['polling'], ['websocket'], ['polling', 'websocket']].map((transports) =>
      connected(t, server, '/', { ...options, transports })),
  );
  const ids = sockets.map((s) => s.id);
  const gone = sockets.map((s) => next(s, 'disconnect'));
  await server.stop();
  for (const [reason] of await Promise.all(gone)) assert.match(reason, /^transport (close|error)$/);
  const answers = sockets.map((s, i) => ask(s, 'echo', `kept ${i}`));
  const again = sockets.map((s) => next(s, 'connect'));
  server = await startServer('rows', { ...QUIET, port });
  await Promise.all(again);
  assert.deepEqual(await Promise.all(answers), [['kept 0'], ['kept 1'], ['kept 2']]);
  for (const [i, s] of sockets.entries()) assert.notEqual(s.id, ids[i]);
  assert.equal((await counters(server)).sockets, 3);
});

withServer('sessions', {}, (on) => {
  on('SV07 the number of sessions is known', async (t, server) => {
    const all = await Promise.all([1, 2, 3].map(() => connected(t, server)));
    assert.equal((await sessions(server, 3)).sockets, 3);
    all[0].disconnect();
    await sessions(server, 2);
  });
});
