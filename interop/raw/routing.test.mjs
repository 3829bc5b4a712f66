// Which request belongs to Engine.IO, and what becomes of the others.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  Polling, QUIET, UNKNOWN_SID, WebSocketWire, Wire, assertEmpty, assertError, assertUpgradeRefused,
  encodeRequest, now, request, settle, upgradeHeaders, within,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const HANDSHAKE = 'EIO=4&transport=polling';

async function assertHandshake(server, target) {
  const response = await request(server, { target });
  assert.equal(response.status, 200, response.text);
  assert.match(response.text, /^0\{"sid":"/);
}

async function assertNotFound(server, target) {
  const { status } = await request(server, { target });
  assert.ok(status === 404 || status === 501, `${target}: ${status}`);
}

const shared = await startServer('eio4', QUIET);
after(shared.stop);

describe('default options', () => {
  const on = (name, run) => test(name, () => run(shared));

  on('RT01 the path is matched as a prefix that ends in a slash', async (server) => {
    await assertHandshake(server, `/engine.io/?${HANDSHAKE}`);
    await assertHandshake(server, `/engine.io/default/?${HANDSHAKE}`);
    await assertHandshake(server, `/engine.io/x?${HANDSHAKE}`);
    await assertNotFound(server, `/engine.io?${HANDSHAKE}`);
    await assertNotFound(server, `/engine.iofoo/?${HANDSHAKE}`);
    await assertNotFound(server, `/ENGINE.IO/?${HANDSHAKE}`);
    await assertNotFound(server, `/x/engine.io/?${HANDSHAKE}`);
  });

  on('RT01 a websocket below the path', async (server) => {
    const ws = await WebSocketWire.session(server, { path: '/engine.io/default/' });
    await ws.assertEchoes();
    ws.destroy();
  });

  on('RT02 without the trailing slash the path is not ours', async (server) => {
    await assertNotFound(server, '/engine.io');
  });

  on('RT03 other paths go to the application', async (server) => {
    const hello = await request(server, { target: '/hello' });
    assert.equal(hello.status, 200);
    assert.equal(hello.text, 'hello');
    assert.match(hello.header('content-type'), /^text\/plain/);
    const echo = await request(server, { method: 'POST', target: '/echo?a=1&b=x%20y', body: 'grüße' });
    assert.equal(echo.status, 200);
    assert.match(echo.header('content-type'), /^application\/json/);
    assert.deepEqual(JSON.parse(echo.text), {
      method: 'POST',
      path: '/echo',
      query: 'a=1&b=x%20y',
      body: 'grüße',
    });
  });

  on('RT03 what nobody answers is 404', async (server) => {
    await assertNotFound(server, '/');
    await assertNotFound(server, '/other?EIO=4&transport=polling');
  });

  on('RT03 application and Engine.IO take turns on one connection', async (server) => {
    const wire = await Wire.open(server);
    for (const target of ['/hello', `/engine.io/?${HANDSHAKE}`, '/nowhere', '/hello']) {
      wire.write(encodeRequest(server, { target }));
      const { status } = await wire.response();
      assert.equal(status, target === '/nowhere' ? 404 : 200);
    }
    wire.destroy();
  });

  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '%00', '%ff%fe', '%']) {
    on(`RT09 sid=${key} is unknown, transport=${key} too`, async (server) => {
      const bySid = await request(server, { target: `/engine.io/?${HANDSHAKE}&sid=${key}` });
      assertError(bySid, ...UNKNOWN_SID);
      const byTransport = await request(server, { target: `/engine.io/?EIO=4&transport=${key}` });
      assertError(byTransport, 400, 0, 'Transport unknown');
    });
  }

  on('RT09 the last of several equal keys counts', async (server) => {
    await assertHandshake(server, '/engine.io/?EIO=3&EIO=4&transport=x&transport=polling');
    const response = await request(server, { target: '/engine.io/?EIO=4&EIO=3&transport=polling' });
    assertError(response, 400, 5, 'Unsupported protocol version');
  });

  on('RT09 an empty sid is none', async (server) => {
    await assertHandshake(server, `/engine.io/?${HANDSHAKE}&sid=`);
    const session = await Polling.open(server);
    await assertHandshake(server, `/engine.io/?${HANDSHAKE}&sid=${session.sid}&sid=`);
  });

  on('RT09 names and values are percent-decoded; unknown ones are ignored', async (server) => {
    await assertHandshake(server, '/engine.io/?%45IO=%34&transport=%70olling&t=abc&t=def&&=&x');
    await assertHandshake(server, `/engine.io/?${HANDSHAKE}&` + 'k=v&'.repeat(500));
  });

  on('RT09 EIO must be exactly 4', async (server) => {
    for (const value of ['04', '4.0', '+4', '4+', '%204', '']) {
      const response = await request(server, { target: `/engine.io/?EIO=${value}&transport=polling` });
      assertError(response, 400, 5, 'Unsupported protocol version');
    }
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    on(`RT10 ${method} without a sid: 400 code 2`, async (server) => {
      const response = await request(server, { method, target: `/engine.io/?${HANDSHAKE}`, body: '' });
      assertError(response, 400, 2, 'Bad handshake method');
    });
  }

  on('RT10 HEAD without a sid: the headers of 400, no body', async (server) => {
    const wire = await Wire.open(server);
    wire.write(encodeRequest(server, { method: 'HEAD', target: `/engine.io/?${HANDSHAKE}` }));
    assert.equal((await wire.response({ method: 'HEAD' })).status, 400);
    wire.write(encodeRequest(server, { target: '/hello' }));
    assert.equal((await wire.response()).text, 'hello');
    wire.destroy();
  });

  for (const method of ['HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    on(`RT10 ${method} with a sid: 500, empty, the session survives`, async (server) => {
      const session = await Polling.open(server);
      const response = await request(server, { method, target: session.target() });
      assertEmpty(response, 500);
      await session.assertEchoes();
    });
  }

  on('RT10 an error keeps the connection', async (server) => {
    const wire = await Wire.open(server);
    for (const query of ['', 'EIO=4&transport=x', `${HANDSHAKE}&sid=x`]) {
      wire.write(encodeRequest(server, { target: `/engine.io/?${query}` }));
      assert.equal((await wire.response()).status, 400);
    }
    wire.write(encodeRequest(server, { target: '/hello' }));
    assert.equal((await wire.response()).text, 'hello');
    wire.destroy();
  });
});

describe('other options', { concurrency: true }, () => {
  async function withServer(profile, options, run) {
    const server = await startServer(profile, { ...QUIET, ...options });
    try {
      await run(server);
    } finally {
      await server.stop();
    }
  }

  test('RT01 a path of its own', () =>
    withServer('eio4', { path: '/a/b' }, async (server) => {
      await assertHandshake(server, `/a/b/?${HANDSHAKE}`);
      await assertNotFound(server, `/a/?${HANDSHAKE}`);
      await assertNotFound(server, `/engine.io/?${HANDSHAKE}`);
      const ws = await WebSocketWire.session(server, { path: '/a/b/' });
      await ws.assertEchoes();
      ws.destroy();
    }));

  test('RT01 a trailing slash in the option makes no difference', () =>
    withServer('eio4', { path: '/a/' }, async (server) => {
      await assertHandshake(server, `/a/?${HANDSHAKE}`);
      await assertNotFound(server, `/a?${HANDSHAKE}`);
    }));

  test('RT01 Socket.IO has its own default path', () =>
    withServer('sio5', {}, async (server) => {
      await assertHandshake(server, `/socket.io/?${HANDSHAKE}`);
      await assertNotFound(server, `/engine.io/?${HANDSHAKE}`);
      await assertNotFound(server, `/socket.io?${HANDSHAKE}`);
    }));

  test('RT02 without the slash any target that starts with the path is ours', () =>
    withServer('eio4', { 'no-trailing-slash': true }, async (server) => {
      await assertHandshake(server, `/engine.io?${HANDSHAKE}`);
      await assertHandshake(server, `/engine.io/?${HANDSHAKE}`);
      await assertHandshake(server, `/engine.io/x?${HANDSHAKE}`);
      await assertHandshake(server, `/engine.ioXY?${HANDSHAKE}`);
      await assertNotFound(server, `/engine.i?${HANDSHAKE}`);
      const ws = await WebSocketWire.session(server, { path: '/engine.io' });
      await ws.assertEchoes();
      ws.destroy();
    }));

  const foreign = (server) =>
    encodeRequest(server, { target: '/zzz', headers: upgradeHeaders() });

  test('RT04 an upgrade elsewhere is ended after the timeout, without a byte', () =>
    withServer('eio4', { 'destroy-upgrade-timeout': 300 }, async (server) => {
      const wire = await Wire.open(server);
      const start = now();
      wire.write(foreign(server));
      await wire.endedSilently();
      assert.ok(now() - start > 290, `after ${now() - start} ms`);
    }));

  test('RT04 the timeout is 1000 ms unless told otherwise', () =>
    withServer('eio4', {}, async (server) => {
      const wire = await Wire.open(server);
      const start = now();
      wire.write(foreign(server));
      await wire.endedSilently();
      assert.ok(now() - start > 990, `after ${now() - start} ms`);
    }));

  test('RT04 or it is left alone', () =>
    withServer('eio4', { 'no-destroy-upgrade': true, 'destroy-upgrade-timeout': 100 }, async (server) => {
      const wire = await Wire.open(server);
      wire.write(foreign(server));
      await assert.rejects(within(wire.ended(), 700, 'the end'), /nothing after/);
      assert.equal(wire.buffered, 0);
      wire.destroy();
    }));

  const unhandled = oursOnly('an error on such a connection ends it');
  test('RT04 a client that goes first does no harm', { skip: unhandled }, () =>
    withServer('eio4', { 'destroy-upgrade-timeout': 200 }, async (server) => {
      const wire = await Wire.open(server);
      wire.write(foreign(server));
      await settle(server);
      wire.abort();
      await settle(server);
      const other = await Wire.open(server);
      other.write(foreign(server));
      await other.endedSilently();
      await settle(server);
    }));

  test('RT06 initial headers are on the first answer only', () =>
    withServer('eio-client', {}, async (server) => {
      const session = await Polling.open(server);
      const cookies = session.handshake.headers['set-cookie'];
      assert.equal(cookies.length, 4);
      assert.deepEqual(cookies.slice(0, 3), [
        '1=1; Max-Age=86400',
        '2=2; Path=/; HttpOnly; Secure; SameSite=Strict',
        '3=3; Max-Age=0',
      ]);
      assert.match(cookies[3], /^4=4; Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
      await session.packets(1);
      const post = await session.post('4x');
      assert.equal(post.header('set-cookie'), undefined);
      const poll = await session.poll();
      assert.equal(poll.text, '4x');
      assert.equal(poll.header('set-cookie'), undefined);
    }));

  test('RT07 each refused request is reported, once, with its code', () =>
    withServer('sio5', { 'deny-query': true }, async (server) => {
      const lines = () => [...server.stderr().matchAll(/connection_error.*?\bcode=(\d)/g)];
      const get = (query) => request(server, { target: `/socket.io/?${query}` });
      await get('EIO=4&transport=x');
      await get(`${HANDSHAKE}&sid=x`);
      await request(server, { method: 'POST', target: `/socket.io/?${HANDSHAKE}`, body: 'x' });
      await get('EIO=4&transport=websocket');
      await get(`${HANDSHAKE}&deny=1`);
      await get('EIO=3&transport=polling');
      await assertUpgradeRefused(server, { path: '/socket.io/', query: { sid: 'x' } }, 'Session ID unknown');
      const deadline = now() + 5000;
      while (lines().length < 7 && now() < deadline) await settle(server);
      assert.equal(lines().map((match) => match[1]).join(''), '0123451');
    }));

  test('RT10 with CORS, OPTIONS is a preflight with a sid and without', () =>
    withServer('eio4', { 'cors-origin': 'https://a.example' }, async (server) => {
      const session = await Polling.open(server);
      for (const target of [session.target(), `/engine.io/?${HANDSHAKE}`, '/engine.io/']) {
        const response = await request(server, {
          method: 'OPTIONS',
          target,
          headers: {
            Origin: 'https://a.example',
            'Access-Control-Request-Method': 'POST',
            'Access-Control-Request-Headers': 'x-one, x-two',
          },
        });
        assertEmpty(response, 204);
        assert.equal(response.header('access-control-allow-origin'), 'https://a.example');
        assert.match(response.header('access-control-allow-methods'), /\bPOST\b/);
        assert.equal(response.header('access-control-allow-headers'), 'x-one, x-two');
      }
      await session.assertEchoes();
    }));

  test('RT10 CORS headers are on answers, errors and 101', () =>
    withServer('eio4', { 'cors-origin': 'https://a.example' }, async (server) => {
      const headers = { Origin: 'https://b.example' };
      const good = await request(server, { target: `/engine.io/?${HANDSHAKE}`, headers });
      const bad = await request(server, { target: '/engine.io/?transport=x', headers });
      const ws = await WebSocketWire.open(server, { headers });
      for (const response of [good, bad, ws.response]) {
        assert.equal(response.header('access-control-allow-origin'), 'https://a.example');
        assert.match(response.header('vary'), /\bOrigin\b/);
      }
      ws.destroy();
    }));

  test('RT10 without CORS there are no such headers', () =>
    withServer('eio4', {}, async (server) => {
      const headers = { Origin: 'https://b.example' };
      const response = await request(server, { target: `/engine.io/?${HANDSHAKE}`, headers });
      assert.equal(response.header('access-control-allow-origin'), undefined);
      assert.equal(response.header('vary'), undefined);
    }));
});
