// Options of the server, as an official client meets them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Socket as Engine } from 'engine.io-client';
import { ask, client, connected, connection, next } from '../support/client.mjs';
import { QUIET, WebSocketWire, request } from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

function withOptions(name, options, run) {
  test(name, async (t) => {
    const server = await startServer('rows', { ...QUIET, ...options });
    t.after(() => server.stop());
    await run(t, server);
  });
}

const refused = async (t, server, options) => {
  const socket = client(t, server, '/', options);
  const [error] = await next(socket, 'connect_error');
  assert.ok(error instanceof Error);
  return error;
};

withOptions('RT01 a client with a path', { path: '/my/path' }, async (t, server) => {
  const socket = await connected(t, server, '/foo', { path: '/my/path' });
  assert.deepEqual(await ask(socket, 'echo', 1), [1]);
  await refused(t, server, {});
});

withOptions('RT02 a client without the trailing slash', { 'no-trailing-slash': true }, async (t, server) => {
  for (const transports of [['polling'], ['websocket']]) {
    const socket = await connected(t, server, '/', { addTrailingSlash: false, transports });
    assert.deepEqual(await ask(socket, 'echo', 1), [1]);
  }
});

withOptions('HS06 a client that is not allowed, and one that is, later', { 'deny-query': true, 'allow-delay': 50 }, async (t, server) => {
  for (const transports of [['polling'], ['websocket']]) {
    await refused(t, server, { transports, query: { deny: 1 } });
    const begun = performance.now();
    await connected(t, server, '/', { transports });
    assert.ok(performance.now() - begun > 45);
  }
});

withOptions('HS10 the initial packet comes right behind the open packet', { 'initial-packet': 'hello' }, async (t, server) => {
  for (const transports of [['polling'], ['websocket']]) {
    const engine = new Engine(server.url, { path: '/socket.io', transports });
    t.after(() => engine.close());
    assert.deepEqual(await next(engine, 'data'), ['hello']);
  }
});

withOptions('HS11 HS13 a server for WebSockets alone', { transports: 'websocket' }, async (t, server) => {
  await refused(t, server, { transports: ['polling'] });
  const socket = await connected(t, server, '/', { transports: ['websocket'] });
  assert.deepEqual(await ask(socket, 'echo', 1), [1]);
});

withOptions('HS11 HS13 a server for polling alone', { transports: 'polling' }, async (t, server) => {
  await refused(t, server, { transports: ['websocket'] });
  const socket = await connected(t, server);
  for (let i = 0; i < 10; i++) await ask(socket, 'echo', i);
  assert.equal(socket.io.engine.transport.name, 'polling');
});

withOptions('HS12 a client stays on polling where upgrades are off', { 'no-upgrades': true }, async (t, server) => {
  const socket = await connected(t, server);
  for (let i = 0; i < 10; i++) await ask(socket, 'echo', i);
  assert.equal(socket.io.engine.transport.name, 'polling');
});

withOptions('PL08 WS05 a client that sends too much comes back', { 'max-payload': 2000 }, async (t, server) => {
  for (const [transports, reason] of [[['polling'], /^transport error$/], [['websocket'], /^transport close$/]]) {
    const options = { transports, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20 };
    const socket = client(t, server, '/', options);
    await connection(socket);
    assert.equal((await ask(socket, 'echo', 'x'.repeat(1000)))[0].length, 1000);
    const gone = next(socket, 'disconnect');
    const back = gone.then(() => next(socket, 'connect'));
    socket.emit('echo', 'x'.repeat(2000));
    assert.match((await gone)[0], reason);
    await back;
    assert.deepEqual(await ask(socket, 'echo', 'lives'), ['lives']);
  }
});

/** The CORS headers of an answer, or of several. */
const corsOf = (response) =>
  Object.fromEntries(
    ['access-control-allow-origin', 'vary'].map((name) => [name, response.header(name)]),
  );

async function corsEverywhere(server, check) {
  const headers = { Origin: 'http://a.example' };
  const handshake = '/socket.io/?EIO=4&transport=polling';
  const bad = await request(server, { target: '/socket.io/?EIO=4&transport=x', headers });
  assert.equal(bad.status, 400);
  check(corsOf(bad));
  const good = await request(server, { target: handshake, headers });
  assert.equal(good.status, 200);
  check(corsOf(good));
  const preflight = await request(server, { method: 'OPTIONS', target: handshake, headers });
  assert.equal(preflight.status, 204);
  check(corsOf(preflight));
  const ws = await WebSocketWire.open(server, { path: '/socket.io/', headers });
  check(corsOf(ws.response));
  ws.destroy();
}

withOptions('CO01 CO06 any origin', { 'cors-origin': '*' }, (t, server) =>
  corsEverywhere(server, (cors) => {
    assert.equal(cors['access-control-allow-origin'], '*');
    assert.doesNotMatch(cors.vary ?? '', /(^|[ ,])origin/i);
  }));

withOptions('CO02 CO06 one origin', { 'cors-origin': 'http://b.example' }, (t, server) =>
  corsEverywhere(server, (cors) => {
    assert.equal(cors['access-control-allow-origin'], 'http://b.example');
    assert.match(cors.vary ?? '', /(^|[ ,])origin/i);
  }));

withOptions('CO01 without the option no header', {}, async (t, server) => {
  const response = await request(server, {
    target: '/socket.io/?EIO=4&transport=polling',
    headers: { Origin: 'http://a.example' },
  });
  assert.equal(corsOf(response)['access-control-allow-origin'], undefined);
});
