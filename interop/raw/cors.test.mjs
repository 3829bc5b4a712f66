// CORS, on the wire: whose pages may read the answers, and what a preflight is
// told.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  Polling, QUIET, WebSocketWire, assertEmpty, assertError, assertUpgradeRefused, request,
} from '../support/raw.mjs';
import { isOfficial, oursOnly, startServer } from '../support/server.mjs';

const PATH = '/engine.io/';
const HANDSHAKE = `${PATH}?EIO=4&transport=polling`;
const A = 'https://a.example';
const B = 'https://b.example';

async function withServer(options, run, profile = 'eio4') {
  const server = await startServer(profile, { ...QUIET, ...options });
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

const handshake = (server, origin, more = {}) =>
  request(server, { target: HANDSHAKE, headers: { Origin: origin }, ...more });

const preflight = (server, origin, asked) =>
  request(server, {
    method: 'OPTIONS',
    target: HANDSHAKE,
    headers: {
      Origin: origin,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': asked,
    },
  });

const allowed = (response) => response.header('access-control-allow-origin');
const varies = (response) => (response.header('vary') ?? '').toLowerCase().split(/ *, */).filter(Boolean);

/** The answer can be read by pages of `origin`, and says so to caches. */
function assertNamed(response, origin) {
  assert.equal(allowed(response), origin);
  assert.ok(varies(response).includes('origin'), `Vary: ${response.header('vary')}`);
}

/** Served, but for no page to read. */
function assertUnnamed(response, status = 200) {
  assert.equal(response.status, status);
  assertNamed(response, undefined);
}

describe('CORS: whose pages', () => {
  test('CO01 all: *, whoever asks', () =>
    withServer({ 'cors-origin': '*' }, async (server) => {
      for (const origin of [A, 'null', undefined]) {
        const response = await handshake(server, origin);
        assert.equal(allowed(response), '*');
        assert.deepEqual(varies(response), []);
      }
    }));

  test('CO02 one: it is named, whoever asks', () =>
    withServer({ 'cors-origin': A }, async (server) => {
      for (const origin of [A, B, undefined]) assertNamed(await handshake(server, origin), A);
    }));

  test('CO03 a list: each by its name', () =>
    withServer({ 'cors-origin': `${A}, ${B}:8443` }, async (server) => {
      assertNamed(await handshake(server, A), A);
      assertNamed(await handshake(server, `${B}:8443`), `${B}:8443`);
      const others = [
        B, `${A}.evil.org`, `${A}:8443`, 'http://a.example', 'https://a.exampl', 'https://xa.example',
        'https://evil.org/https://a.example', 'HTTPS://A.EXAMPLE', 'null', '', undefined, `${A} ${A}`, `${A}, ${A}`,
      ];
      for (const origin of others) assertUnnamed(await handshake(server, origin));
    }));

  test('CO03 a pattern: what stands for the * is part of a host', () =>
    withServer({ 'cors-origin': 'https://*.a.example https://app-*.b.example http://localhost:*' }, async (server) => {
      const matching = [
        'https://x.a.example', 'https://x-1.y.a.example', 'https://app-7.b.example', 'http://localhost',
        'http://localhost:3000',
      ];
      for (const origin of matching) assertNamed(await handshake(server, origin), origin);
      const others = [
        A, 'http://x.a.example', 'https://x.a.example:81', 'https://x.a.example.evil.org', 'https://xa.example',
        'https://.a.example', 'https://evil.org/.a.example', 'https://evil.org?.a.example',
        'https://evil.org#.a.example', 'https://evil.org\\.a.example', 'https://user@x.a.example',
        'https://X.a.example', 'https://app-.b.example', 'http://localhost.evil.org', 'http://localhost:3000.evil.org',
        'http://localhost:', 'http://localhost:123456', 'null', undefined,
      ];
      for (const origin of others) assertUnnamed(await handshake(server, origin));
    }));

  test('CO03 every origin by its name', () =>
    withServer({ 'cors-reflect': true }, async (server) => {
      for (const origin of [A, 'null', 'http://[::1]:8080', 'chrome-extension://abc']) {
        assertNamed(await handshake(server, origin), origin);
      }
      assertUnnamed(await handshake(server, undefined));
    }));

  test('CO03 what cannot be one origin is not named', { skip: oursOnly('it sends it back') }, () =>
    withServer({ 'cors-reflect': true }, async (server) => {
      for (const origin of [[A, B], [A, A], `${A}, ${B}`, `${A} ${B}`, '\xff', 'x'.repeat(513)]) {
        assertUnnamed(await handshake(server, origin));
      }
    }));

  test('CO03 those that the application agrees to', () =>
    withServer({ 'cors-ask': A }, async (server) => {
      assertNamed(await handshake(server, A), A);
      assertUnnamed(await handshake(server, B));
      assertUnnamed(await handshake(server, undefined));
      assertNamed(await preflight(server, A), A);
      assertUnnamed(await preflight(server, B), 204);
    }));

  test('CO03 one connection, several origins', () =>
    withServer({ 'cors-origin': `${A} ${B}` }, async (server) => {
      const session = await Polling.open(server, { headers: { Origin: A } });
      assertNamed(session.handshake, A);
      const post = await session.post('4x', { headers: { Origin: B } });
      assertNamed(post, B);
      const poll = await session.poll({ headers: { Origin: 'https://c.example' } });
      assert.equal(poll.text, '4x');
      assertUnnamed(poll);
    }));
});

describe('CORS: credentials', () => {
  const credentials = (response) => response.header('access-control-allow-credentials');

  test('CO04 one origin', () =>
    withServer({ 'cors-origin': A, 'cors-credentials': true }, async (server) => {
      for (const response of [await handshake(server, A), await preflight(server, A)]) {
        assertNamed(response, A);
        assert.equal(credentials(response), 'true');
      }
    }));

  test('CO04 a list', () =>
    withServer({ 'cors-origin': `${A} https://*.b.example`, 'cors-credentials': true }, async (server) => {
      for (const response of [await handshake(server, 'https://x.b.example'), await preflight(server, A)]) {
        assert.equal(credentials(response), 'true');
        assert.notEqual(allowed(response), '*');
      }
    }));

  test('CO04 not for others', { skip: oursOnly('it says so without an origin') }, () =>
    withServer({ 'cors-origin': `${A} ${B}`, 'cors-credentials': true }, async (server) => {
      for (const origin of ['https://c.example', 'null', undefined]) {
        for (const response of [await handshake(server, origin), await preflight(server, origin)]) {
          assertNamed(response, undefined);
          assert.equal(credentials(response), undefined);
        }
      }
    }));

  test('CO04 never said unless asked for', () =>
    withServer({ 'cors-origin': A }, async (server) => {
      assert.equal(credentials(await handshake(server, A)), undefined);
      assert.equal(credentials(await preflight(server, A)), undefined);
    }));

  const refuses = oursOnly('it starts');
  for (const [what, options, said] of [
    ['*', { 'cors-origin': '*', 'cors-credentials': true }, /bad_config cors_credentials /],
    ['null', { 'cors-origin': `${A} null`, 'cors-credentials': true }, /bad_config cors_origin: null /],
    ['a * that reaches too far', { 'cors-origin': 'https://*example.com' }, /bad_config cors_origin: https:\/\/\*example\.com /],
    ['a slash at the end', { 'cors-origin': `${A}/` }, /bad_config cors_origin: https:\/\/a\.example\/ has a path/],
    ['a name with a line break', { 'cors-origin': A, 'cors-exposed-headers': 'X\r\nY: z' }, /bad_config cors_exposed_headers /],
  ]) {
    test(`CO03 CO04 a server with ${what} does not start`, { skip: refuses }, () =>
      assert.rejects(startServer('eio4', options), said));
  }
});

describe('CORS: preflights', () => {
  test('CO05 by default all methods, and the headers that are asked for', () =>
    withServer({ 'cors-origin': A }, async (server) => {
      const response = await preflight(server, A, 'X-One, x-two');
      assertEmpty(response, 204);
      assert.equal(response.header('content-length'), '0');
      assertNamed(response, A);
      assert.equal(response.header('access-control-allow-methods'), 'GET,HEAD,PUT,PATCH,POST,DELETE');
      assert.equal(response.header('access-control-allow-headers'), 'X-One, x-two');
      assert.deepEqual(varies(response).sort(), ['access-control-request-headers', 'origin']);
      assert.equal(response.header('access-control-max-age'), undefined);
      assert.equal(response.header('access-control-expose-headers'), undefined);
      const plain = await preflight(server, A);
      assertEmpty(plain, 204);
      assert.equal(plain.header('access-control-allow-headers'), undefined);
    }));

  test('CO05 methods, headers and an age as configured', () =>
    withServer(
      {
        'cors-origin': '*',
        'cors-methods': 'GET,POST',
        'cors-allowed-headers': 'X-One,X-Two',
        'cors-exposed-headers': 'X-Three,X-Four',
        'cors-max-age': 600,
      },
      async (server) => {
        const response = await preflight(server, A, 'x-other');
        assertEmpty(response, 204);
        assert.equal(response.header('access-control-allow-methods'), 'GET,POST');
        assert.equal(response.header('access-control-allow-headers'), 'X-One,X-Two');
        assert.equal(response.header('access-control-expose-headers'), 'X-Three,X-Four');
        assert.equal(response.header('access-control-max-age'), '600');
        assert.deepEqual(varies(response), []);

        const actual = await handshake(server, A);
        assert.equal(actual.header('access-control-expose-headers'), 'X-Three,X-Four');
        for (const name of ['methods', 'headers']) assert.equal(actual.header(`access-control-allow-${name}`), undefined);
        assert.equal(actual.header('access-control-max-age'), undefined);
      },
    ));

  test('CO05 an age of 0 is said', () =>
    withServer({ 'cors-origin': A, 'cors-max-age': 0 }, async (server) => {
      assert.equal((await preflight(server, A)).header('access-control-max-age'), '0');
    }));

  test('CO05 what is no list of names is not sent back', { skip: oursOnly('it is') }, () =>
    withServer({ 'cors-origin': A }, async (server) => {
      for (const asked of ['a<b>', 'a: b', '"x"', '\xff']) {
        const response = await preflight(server, A, asked);
        assertEmpty(response, 204);
        assert.equal(response.header('access-control-allow-headers'), undefined);
      }
    }));

  test('CO05 any OPTIONS is one, with a sid, a body, or below the path', () =>
    withServer({ 'cors-origin': A }, async (server) => {
      const session = await Polling.open(server);
      for (const target of [session.target(), PATH, `${PATH}x?transport=none`]) {
        for (const body of [undefined, 'hello']) {
          assertEmpty(await request(server, { method: 'OPTIONS', target, body }), 204);
        }
      }
      await session.assertEchoes();
    }));

  test('CO05 engine middlewares do not see preflights', { skip: oursOnly('its options are set in code') }, () =>
    withServer({ 'cors-origin': A, hooks: true }, async (server) => {
      const response = await request(server, {
        method: 'OPTIONS', target: `${HANDSHAKE}&mw=refuse`, headers: { Origin: A },
      });
      assertEmpty(response, 204);
      assert.equal(response.header('x-first'), undefined);
      assertError(await request(server, { target: `${HANDSHAKE}&mw=refuse`, headers: { Origin: A } }), 400, 3, 'Bad request');
    }));

  test('CO05 without CORS, OPTIONS is a method like others', () =>
    withServer({}, async (server) => {
      assertError(await preflight(server, A, 'x-one'), 400, 2, 'Bad handshake method');
      const session = await Polling.open(server);
      assertEmpty(await request(server, { method: 'OPTIONS', target: session.target() }), 500);
    }));
});

describe('CORS: everywhere', () => {
  for (const [what, options] of [
    ['one origin', { 'cors-origin': A }],
    ['a list', { 'cors-origin': `${B} ${A}` }],
    ['the application', { 'cors-ask': A }],
  ]) {
    test(`CO06 on errors, answers and 101 (${what})`, () =>
      withServer({ ...options, 'max-payload': 100, 'cors-credentials': true }, async (server) => {
        const headers = { Origin: A };
        const session = await Polling.open(server, { headers });
        const post = (more) => request(server, { method: 'POST', target: session.target(), ...more });
        const answers = {
          handshake: session.handshake,
          'unknown transport': await request(server, { target: `${PATH}?EIO=4&transport=x`, headers }),
          'unknown sid': await request(server, { target: `${HANDSHAKE}&sid=x`, headers }),
          'bad method': await request(server, { method: 'POST', target: HANDSHAKE, headers }),
          'bad protocol': await request(server, { target: `${PATH}?EIO=9&transport=polling`, headers }),
          post: await post({ body: '4x', headers }),
          poll: await session.poll({ headers }),
          'bad type': await post({ body: 'x', headers: { ...headers, 'Content-Type': 'application/octet-stream' } }),
        };
        const large = await Polling.open(server);
        answers['too large'] = await request(server, {
          method: 'POST', target: large.target(), headers, body: 'x'.repeat(101),
        });
        const ws = await WebSocketWire.open(server, { headers });
        answers.websocket = ws.response;
        ws.destroy();
        for (const [name, response] of Object.entries(answers)) {
          assert.equal(allowed(response), A, name);
          assert.equal(response.header('access-control-allow-credentials'), 'true', name);
        }
        assert.equal(answers['too large'].status, 413);
        assert.equal(answers['unknown sid'].status, 400);
      }));
  }

  test('CO06 on client files, also when they have not changed', () =>
    withServer({ 'cors-origin': `${A} ${B}`, 'client-dir': process.env.CLIENT_DIR }, async (server) => {
      const target = '/socket.io/socket.io.js';
      const file = await request(server, { target, headers: { Origin: B } });
      assert.equal(file.status, 200);
      assertNamed(file, B);
      const known = { Origin: B, 'If-None-Match': file.header('etag') };
      const again = await request(server, { target, headers: known });
      assert.equal(again.status, 304);
      assertNamed(again, B);
      assertUnnamed(await request(server, { target, headers: { Origin: 'https://c.example' } }));
      assertEmpty(await request(server, { method: 'OPTIONS', target, headers: { Origin: B } }), 204);
    }, 'sio5'));

  test('CO06 not on what the application serves', () =>
    withServer({ 'cors-origin': '*' }, async (server) => {
      for (const target of ['/hello', '/none']) {
        assert.equal(allowed(await request(server, { target, headers: { Origin: A } })), undefined);
      }
    }));
});

describe('CORS: enforced', () => {
  const only = { skip: isOfficial && 'it never is: allowRequest has to' };
  const options = { 'cors-origin': `${A} https://*.b.example`, 'cors-enforce': true };
  const FORBIDDEN = [403, 4, 'Forbidden'];

  test('CO03 another origin gets no session', only, () =>
    withServer(options, async (server) => {
      assertNamed(await handshake(server, A), A);
      assert.equal((await handshake(server, undefined)).status, 200, 'no page asks');
      for (const origin of [B, 'null', '', [A, A]]) {
        const response = await handshake(server, origin);
        assertError(response, ...FORBIDDEN);
        assertNamed(response, undefined);
      }
      assert.match(server.stderr(), /code=4 Forbidden ORIGIN_NOT_ALLOWED/);
    }));

  test('CO03 nor a WebSocket', only, () =>
    withServer(options, async (server) => {
      const ws = await WebSocketWire.session(server, { headers: { Origin: 'https://x.b.example' } });
      await ws.assertEchoes();
      ws.destroy();
      await assertUpgradeRefused(server, { headers: { Origin: B } }, 'Forbidden');
      const session = await Polling.open(server, { headers: { Origin: A } });
      await assertUpgradeRefused(server, { headers: { Origin: B }, query: { sid: session.sid } }, 'Forbidden');
      assertError(await session.post('4x', { headers: { Origin: B } }), ...FORBIDDEN);
      await session.assertEchoes();
    }));

  test('CO03 unless enforced, other origins are served', () =>
    withServer({ 'cors-origin': `${A} https://*.b.example` }, async (server) => {
      const ws = await WebSocketWire.session(server, { headers: { Origin: B } });
      await ws.assertEchoes();
      ws.destroy();
    }));
});
