// What is special for clients of Engine.IO 3: the server itself joins them to
// "/", and the query of a namespace is its auth.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { ask, next } from '../support/client.mjs';
import { startServer } from '../support/server.mjs';
import { ALL, OLD, WAYS, beside, connection, open, opened, refusal } from './clients.mjs';

describe('clients of Engine.IO 3 and "/"', { concurrency: 6 }, () => {
  const starting = startServer('sio-client', ALL);
  starting.catch(() => {}); // each test says so
  after(async () => (await starting).stop());

  const onEach = (name, run) => {
    for (const version of OLD) {
      for (const [way, transports] of Object.entries(WAYS)) {
        test(`${name} (${version}, ${way})`, async (t) => run(t, version, (await starting).url, { transports }));
      }
    }
  };

  onEach('V306 V309 a middleware of "/" refuses, other namespaces are open', async (t, version, url, options) => {
    const main = open(t, version, url, '/', { ...options, query: { fail: '1' } });
    main.on('connect', () => assert.fail('connected'));
    assert.equal(await refusal(main, version), 'Auth failed (main namespace)');
    const foo = beside(t, main, '/foo');
    await next(foo, 'connect');
    assert.deepEqual(await ask(foo, 'getId'), [`/foo#${foo.io.engine.id}`]);
    assert.equal(main.connected, false);
  });

  onEach('V307 what is emitted on connection comes behind CONNECT', async (t, version, url, options) => {
    const auth = { token: 'abc', more: 'ö &=?#/,😀' };
    const abc = open(t, version, url, '/abc', { ...options, auth });
    const order = [];
    abc.on('connect', () => order.push('connect'));
    abc.on('handshake', () => order.push('handshake'));
    const [told] = await next(abc, 'handshake');
    assert.deepEqual(order, ['connect', 'handshake']);
    assert.deepEqual(told.auth, auth);
    assert.equal(told.query.EIO, '3');
  });

  onEach('V306 V308 "/" is joined before what the client asks for', async (t, version, url, options) => {
    const foo = open(t, version, url, '/foo', options);
    const main = beside(t, foo, '/');
    const order = [];
    for (const socket of [main, foo]) socket.on('connect', () => order.push(socket.nsp));
    await Promise.all([connection(main), connection(foo)]);
    assert.deepEqual(order, ['/', '/foo']);
    assert.deepEqual(await ask(main, 'getId'), [main.io.engine.id]);
    assert.deepEqual(await ask(foo, 'getId'), [`/foo#${main.io.engine.id}`]);
  });
});

/** A server that does not allow it says so, and new clients get on. */
describe('without allowEIO3', () => {
  const starting = startServer('rows');
  starting.catch(() => {});
  after(async () => (await starting).stop());
  for (const version of OLD) {
    for (const transports of [['polling'], ['websocket']]) {
      test(`V301 ${version} is refused over ${transports}`, async (t) => {
        const socket = open(t, version, (await starting).url, '/', { transports });
        socket.on('connect', () => assert.fail('connected'));
        const [err] = await next(socket, 'connect_error');
        assert.match(String(err), /xhr poll error|websocket error/);
      });
    }
  }

  test('a new client is taken', async (t) => {
    await opened(t, '4.8.4', (await starting).url);
  });
});
