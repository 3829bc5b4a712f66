// Official clients in Node with headers and cookies of their own.  Node knows
// no origins: what a page may do is tested in browser/cors.test.mjs.

import assert from 'node:assert/strict';
import { createServer, request as ask } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Socket as Engine } from 'engine.io-client';
import { ask as emit, client, connected, connection, next } from '../support/client.mjs';
import { QUIET } from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

async function start(t, profile, options) {
  const server = await startServer(profile, { ...QUIET, ...options });
  t.after(() => server.stop());
  return server;
}

/** The Cookie that comes with the request after the handshake. */
async function cookieOf(t, server, options) {
  const engine = new Engine(server.url, { path: '/engine.io/', transports: ['polling'], ...options });
  t.after(() => engine.close());
  assert.deepEqual(await next(engine, 'data'), ['hi']);
  engine.send('sendHeaders');
  const [headers] = await next(engine, 'data');
  return { sid: engine.id, cookie: JSON.parse(headers).cookie };
}

test('CO04 CO07 a client with credentials sends the cookie back', async (t) => {
  const server = await start(t, 'eio-client', { cookie: 'io', 'cors-reflect': true, 'cors-credentials': true });
  const { sid, cookie } = await cookieOf(t, server, { withCredentials: true });
  assert.ok(cookie.split('; ').includes(`io=${sid}`), cookie);
});

test('CO04 CO07 one without does not', async (t) => {
  const server = await start(t, 'eio-client', { cookie: 'io', 'cors-reflect': true, 'cors-credentials': true });
  assert.equal((await cookieOf(t, server, {})).cookie, undefined);
});

test('CO05 headers of a client arrive with CORS set', async (t) => {
  const server = await start(t, 'rows', { 'cors-origin': 'http://a.example', 'cors-allowed-headers': 'X-Custom' });
  const socket = await connected(t, server, '/', {
    extraHeaders: { 'X-Custom': 'one', Origin: 'http://a.example' },
  });
  const [handshake] = await emit(socket, 'handshake');
  assert.equal(handshake.headers['x-custom'], 'one');
  assert.equal(handshake.headers.origin, 'http://a.example');
  assert.equal(handshake.xdomain, true);
});

/**
 * A proxy before several servers that keeps who has a cookie at the server that
 * set it, and deals all other requests out in turn.
 */
async function stickyProxy(t, servers) {
  const homes = new Map(); // cookie to server
  let turn = 0;
  const choose = (req) => {
    const cookie = /(?:^|; )io=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
    return homes.get(cookie) ?? servers[turn++ % servers.length];
  };
  const proxy = createServer((req, res) => {
    const server = choose(req);
    const { method, url: path, headers } = req;
    const onward = ask({ host: server.host, port: server.port, method, path, headers }, (answer) => {
      for (const line of answer.headers['set-cookie'] ?? []) homes.set(/^io=([^;]+)/.exec(line)[1], server);
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    res.on('close', () => onward.destroy());
    req.pipe(onward);
  });
  proxy.on('upgrade', (req, socket, head) => {
    const server = choose(req);
    const onward = connect(server.port, server.host, () => {
      const lines = [`${req.method} ${req.url} HTTP/1.1`];
      for (let i = 0; i < req.rawHeaders.length; i += 2) lines.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`);
      onward.write(`${lines.join('\r\n')}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward]) {
      end.on('error', () => {});
      end.on('close', () => (end === socket ? onward : socket).destroy());
    }
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  t.after(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${proxy.address().port}`, homes };
}

for (const transports of [['polling'], ['polling', 'websocket']]) {
  test(`CO07 sticky sessions by the cookie (${transports})`, async (t) => {
    const servers = [await start(t, 'rows', { cookie: 'io' }), await start(t, 'rows', { cookie: 'io' })];
    const proxy = await stickyProxy(t, servers);
    for (let i = 0; i < 4; i++) {
      const socket = client(t, proxy, '/', { transports, withCredentials: true });
      await connection(socket);
      for (let n = 0; n < 5; n++) assert.deepEqual(await emit(socket, 'echo', n), [n]);
      if (transports.length > 1) {
        while (socket.io.engine.transport.name !== 'websocket') await next(socket.io.engine, 'upgrade');
        assert.deepEqual(await emit(socket, 'echo', 'by WebSocket'), ['by WebSocket']);
      }
    }
    assert.equal(new Set(proxy.homes.values()).size, 2, 'both servers had sessions');
  });
}

test('CO07 without credentials a session is lost between servers', async (t) => {
  const servers = [await start(t, 'rows', { cookie: 'io' }), await start(t, 'rows', { cookie: 'io' })];
  const proxy = await stickyProxy(t, servers);
  const socket = client(t, proxy, '/', { transports: ['polling'] });
  await assert.rejects(connection(socket), /xhr p(oll|ost) error|websocket error/);
});
