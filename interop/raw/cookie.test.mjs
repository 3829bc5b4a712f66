// The session cookie, on the wire.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Polling, QUIET, WebSocketWire, request } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const HANDSHAKE = '/engine.io/?EIO=4&transport=polling';

async function withServer(options, run) {
  const server = await startServer('eio4', { ...QUIET, ...options });
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

const cookies = (response) => response.headers['set-cookie'] ?? [];

describe('the session cookie', () => {
  test('CO07 it is off by default', () =>
    withServer({}, async (server) => {
      assert.deepEqual(cookies(await request(server, { target: HANDSHAKE })), []);
    }));

  const lax = 'Path=/; HttpOnly; SameSite=Lax';
  for (const [what, options, name, attributes] of [
    ['the defaults', {}, 'io', lax],
    ['a name', { cookie: 'sid_of.mine' }, 'sid_of.mine', lax],
    ['a path', { 'cookie-path': '/a/b' }, 'io', 'Path=/a/b; HttpOnly; SameSite=Lax'],
    ['no path', { 'no-cookie-path': true }, 'io', 'HttpOnly; SameSite=Lax'],
    ['a domain', { 'cookie-domain': 'a.example' }, 'io', `Domain=a.example; ${lax}`],
    ['for scripts', { 'no-cookie-http-only': true }, 'io', 'Path=/; SameSite=Lax'],
    ['strict', { 'cookie-same-site': 'strict' }, 'io', 'Path=/; HttpOnly; SameSite=Strict'],
    ['no SameSite', { 'cookie-same-site': 'unset' }, 'io', 'Path=/; HttpOnly'],
    ['none', { 'cookie-same-site': 'none', 'cookie-secure': true }, 'io', 'Path=/; HttpOnly; Secure; SameSite=None'],
    ['an age', { 'cookie-max-age': 3600 }, 'io', `Max-Age=3600; ${lax}`],
    ['an end', { 'cookie-expires': 2000000000 }, 'io', 'Path=/; Expires=Wed, 18 May 2033 03:33:20 GMT; HttpOnly; SameSite=Lax'],
    ['a priority', { 'cookie-priority': 'high' }, 'io', 'Path=/; HttpOnly; Priority=High; SameSite=Lax'],
    [
      'all',
      {
        'cookie-path': '/p', 'cookie-domain': 'a.example', 'cookie-max-age': 1, 'cookie-expires': 1, 'cookie-secure': true,
        'cookie-partitioned': true, 'cookie-same-site': 'none', 'cookie-priority': 'low',
      },
      'io',
      'Max-Age=1; Domain=a.example; Path=/p; Expires=Thu, 01 Jan 1970 00:00:01 GMT; HttpOnly; Secure; Partitioned; ' +
        'Priority=Low; SameSite=None',
    ],
  ]) {
    test(`CO07 with ${what}`, () =>
      withServer({ cookie: 'io', ...options }, async (server) => {
        const session = await Polling.open(server);
        assert.deepEqual(cookies(session.handshake), [`${name}=${session.sid}; ${attributes}`]);
      }));
  }

  test('CO07 it comes with the handshake over polling alone', () =>
    withServer({ cookie: 'io' }, async (server) => {
      const session = await Polling.open(server);
      const held = await session.hold();
      const post = await session.post('4x');
      assert.equal(post.text, 'ok');
      assert.deepEqual(cookies(post), []);
      assert.deepEqual(cookies(await held.response()), []);
      for (const target of [`${HANDSHAKE}&sid=x`, '/engine.io/?EIO=9&transport=polling']) {
        const refused = await request(server, { target });
        assert.equal(refused.status, 400);
        assert.deepEqual(cookies(refused), []);
      }
      for (const query of [{}, { sid: session.sid }]) {
        const ws = await WebSocketWire.open(server, { query });
        assert.deepEqual(cookies(ws.response), []);
        ws.destroy();
      }
    }));

  test('CO07 beside the headers of hooks, with an id of their own', { skip: oursOnly('its hooks are set in code') }, () =>
    withServer({ cookie: 'io', hooks: true }, async (server) => {
      const response = await request(server, { target: `${HANDSHAKE}&id=my~id.1` });
      assert.deepEqual(cookies(response), [`io=my~id.1; ${lax}`]);
      assert.equal(response.header('x-initial'), '1');
    }));

  // An id that belongs to another loop takes its connection there.
  test('CO07 on several loops', { skip: oursOnly('it has one') }, () =>
    withServer({ cookie: 'io', threads: 3 }, async (server) => {
      for (let i = 0; i < 12; i++) {
        const session = await Polling.open(server);
        assert.deepEqual(cookies(session.handshake), [`io=${session.sid}; ${lax}`]);
        await session.assertEchoes();
      }
    }));

  for (const [what, options, field] of [
    ['a name with a line break', { cookie: 'a\r\nX: y' }, 'cookie_name'],
    ['a name with a semicolon', { cookie: 'a;b' }, 'cookie_name'],
    ['a path with a semicolon', { cookie: 'io', 'cookie-path': '/;Domain=x' }, 'cookie_path'],
    ['a domain that is none', { cookie: 'io', 'cookie-domain': 'a b' }, 'cookie_domain'],
    ['SameSite=None, but not Secure', { cookie: 'io', 'cookie-same-site': 'none' }, 'cookie_same_site'],
    ['Partitioned, but not Secure', { cookie: 'io', 'cookie-partitioned': true }, 'cookie_partitioned'],
    ['attributes, but no name', { 'cookie-domain': 'a.example' }, 'cookie_domain'],
  ]) {
    test(`CO07 a server with ${what} does not start`, { skip: oursOnly('it starts, or fails later') }, () =>
      assert.rejects(startServer('eio4', options), new RegExp(`bad_config ${field} `)));
  }
});
