// What a socket knows of its session, and moves between transports.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io as ioV3 } from 'socket.io-client-v3';
import {
  ask, client, collect, connected, connection, next, noted, notes, rawPolling, rawWebSocket, tell,
  withServer,
} from '../support/client.mjs';
import { upgrade } from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

withServer('a session', {}, (on, onEach) => {
  on('UP08 both sides are told of an upgrade', async (t, server) => {
    const socket = client(t, server);
    const upgraded = new Promise((done) => {
      socket.io.once('open', () => socket.io.engine.once('upgrade', done));
    });
    await connection(socket);
    const transport = await upgraded;
    assert.equal(transport.name, 'websocket');
    assert.equal((await noted(server, socket.id, 'connection')).transport, 'polling');
    assert.equal((await noted(server, socket.id, 'upgrade')).transport, 'websocket');
    assert.equal((await ask(socket, 'info'))[0].transport, 'websocket');
    const all = await notes(server, socket.id);
    assert.equal(all.filter((n) => n.what === 'upgrade').length, 1);
  });

  on('UP08 every socket of the session is told', async (t, server) => {
    const session = await rawPolling(server);
    await session.postOk('40/foo,');
    const [, foo] = /^40\/foo,\{"sid":"(.*)"\}$/.exec(await session.pollText());
    const ws = await upgrade(session);
    t.after(() => ws.destroy());
    for (const id of [session.id, foo]) {
      assert.equal((await noted(server, id, 'upgrade')).transport, 'websocket');
    }
    ws.sendText('420["echo",1]');
    await ws.text('430[1]');
  });

  on('UP08 no upgrade, no news', async (t, server) => {
    for (const transports of [['polling'], ['websocket']]) {
      const socket = await connected(t, server, '/', { transports });
      const [info] = await ask(socket, 'info');
      assert.equal(info.transport, transports[0]);
      const all = await notes(server, socket.id);
      assert.equal(all.filter((n) => n.what === 'upgrade').length, 0);
    }
  });

  onEach('SA01 WS09 the handshake is that of the first request', async (t, server, options) => {
    const before = Date.now();
    const socket = await connected(t, server, '/', {
      ...options,
      query: { a: '1', 'b ä&=': 'c+d %', empty: '' },
      auth: { token: 'x' },
      extraHeaders: { 'X-Custom': 'one', Authorization: 'Bearer t' },
    });
    const [h] = await ask(socket, 'handshake');
    assert.deepEqual(Object.keys(h).sort(), [
      'address', 'auth', 'headers', 'issued', 'query', 'secure', 'time', 'url', 'xdomain',
    ]);
    assert.equal(h.headers['x-custom'], 'one');
    assert.equal(h.headers.authorization, 'Bearer t');
    assert.equal(h.headers.host, `127.0.0.1:${server.port}`);
    assert.equal(h.query.a, '1');
    assert.equal(h.query['b ä&='], 'c+d %');
    assert.equal(h.query.empty, '');
    assert.equal(h.query.EIO, '4');
    assert.equal(h.query.transport, options.transports[0]);
    assert.equal(h.query.sid, undefined);
    assert.deepEqual(h.auth, { token: 'x' });
    assert.match(h.address, /^(::ffff:)?127\.0\.0\.1$/);
    assert.equal(h.secure, false);
    assert.equal(h.xdomain, false);
    assert.ok(h.issued >= before - 1000 && h.issued <= Date.now() + 1000, `${h.issued}`);
    assert.ok(Math.abs(Date.parse(h.time) - h.issued) < 2000, h.time);
    assert.match(h.url, /^\/socket\.io\/\?/);
    const [info] = await ask(socket, 'info');
    assert.equal(info.url, h.url);
    assert.equal(info.issued, h.issued);
    assert.equal(info.address, h.address);
    assert.ok(info.found && info.connected && info['own-room']);
  });

  on('SA01 an Origin header makes xdomain', async (t, server) => {
    const socket = await connected(t, server, '/', { extraHeaders: { Origin: 'http://b.example' } });
    const [h] = await ask(socket, 'handshake');
    assert.equal(h.xdomain, true);
    assert.equal(h.headers.origin, 'http://b.example');
  });

  on('SA01 hostile keys do no harm', async (t, server) => {
    const ws = await rawWebSocket(t, server, '/', '{"__proto__":{"x":1},"constructor":"y"}');
    ws.sendText('420["handshake"]');
    const text = await ws.text();
    const [h] = JSON.parse(text.slice(3));
    assert.equal(Object.hasOwn(h, 'auth'), true);
    assert.equal(h.auth.constructor, 'y');
  });
});

withServer('socket.io-client 3', {}, (on, onEach) => {
  const open = async (t, server, nsp, options) => {
    const socket = ioV3(server.url + nsp, { forceNew: true, reconnection: false, ...options });
    t.after(() => socket.disconnect());
    await connection(socket);
    return socket;
  };

  onEach('CN01 EV01 EV05 a client of version 3 connects and talks', async (t, server, options) => {
    const socket = await open(t, server, '/', { ...options, auth: { who: 'v3' }, query: { q: 'x' } });
    assert.equal((await ask(socket, 'info'))[0].id, socket.id);
    assert.deepEqual((await ask(socket, 'handshake'))[0].auth, { who: 'v3' });
    const got = next(socket, 'echo');
    socket.emit('echo', 1, 'ü', { a: [null] });
    assert.deepEqual(await got, [1, 'ü', { a: [null] }]);
    socket.on('call', (x, done) => done(x, 'v3'));
    assert.deepEqual(await ask(socket, 'call', { event: 'call' }, 5), ['success', 5, 'v3']);
  });

  onEach('EV03 EV06 binary with a client of version 3', async (t, server, options) => {
    const socket = await open(t, server, '/', options);
    const list = [Buffer.from([1, 2, 3]), { a: Buffer.alloc(0) }, 'x'];
    const got = next(socket, 'echo');
    socket.emit('echo', ...list);
    assert.deepEqual(await got, list);
    assert.deepEqual(await ask(socket, 'echo', ...list), list);
  });

  onEach('CN03 CN04 MW02 DC02 namespaces with a client of version 3', async (t, server, options) => {
    const foo = await open(t, server, '/foo', options);
    assert.equal((await ask(foo, 'info'))[0].nsp, '/foo');
    const bad = ioV3(`${server.url}/nowhere`, { forceNew: true, reconnection: false, ...options });
    t.after(() => bad.disconnect());
    assert.equal((await next(bad, 'connect_error'))[0].message, 'Invalid namespace');
    const auth = { message: 'no', data: { code: 1 } };
    const refused = ioV3(`${server.url}/mw-refuse`, { forceNew: true, reconnection: false, auth, ...options });
    t.after(() => refused.disconnect());
    const [error] = await next(refused, 'connect_error');
    assert.equal(error.message, 'no');
    assert.deepEqual(error.data, { code: 1 });
    const gone = next(foo, 'disconnect');
    foo.emit('disconnect-me');
    assert.equal((await gone)[0], 'io server disconnect');
  });

  on('RM08 clients of version 3 and 4 in a room', async (t, server) => {
    const three = await open(t, server, '/', {});
    const four = await connected(t, server);
    await ask(three, 'join', 'mixed');
    await ask(four, 'join', 'mixed');
    const got = Promise.all([next(three, 'said'), next(four, 'said')]);
    await tell(four, 'to', { to: 'mixed', event: 'said' }, Buffer.from('x'), 1);
    assert.deepEqual(await got, [[Buffer.from('x'), 1], [Buffer.from('x'), 1]]);
  });
});

test('HB01 clients stay through many heartbeats', async (t) => {
  const server = await startServer('rows', { 'ping-interval': 60, 'ping-timeout': 5000 });
  t.after(() => server.stop());
  const ways = [['polling'], ['websocket'], ['polling', 'websocket']];
  const sockets = await Promise.all(ways.map((transports) => connected(t, server, '/', { transports })));
  const pings = sockets.map((s) => collect(s.io, 'ping'));
  await Promise.all(pings.map((p) => p.reach(10)));
  for (const s of sockets) assert.deepEqual(await ask(s, 'echo', 1), [1]);
});
