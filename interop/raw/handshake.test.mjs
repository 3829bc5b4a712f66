// The handshake: what opens a session, what is refused, and how.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  OP, Polling, QUIET, UNKNOWN_SID, WebSocketWire, Wire, assertError, assertUpgradeRefused, encodeFrame,
  encodeRequest, now, request, requestUpgrade, settle, upgrade, upgradeHeaders,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const server = await startServer('eio4', QUIET);
after(server.stop);

const KEYS = ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload'];
const UNKNOWN_TRANSPORT = [400, 0, 'Transport unknown'];
const BAD_REQUEST = [400, 3, 'Bad request'];
const FORBIDDEN = [403, 4, 'Forbidden'];
const UNSUPPORTED = [400, 5, 'Unsupported protocol version'];

const get = (query) => request(server, { target: `/engine.io/?${query}` });

async function withServer(profile, options, run) {
  const own = await startServer(profile, { ...QUIET, ...options });
  try {
    await run(own);
  } finally {
    await own.stop();
  }
}

describe('sessions', () => {
  test('HS01 polling: the open packet alone, five keys in order', async () => {
    const { handshake, opened } = await Polling.open(server);
    assert.equal(handshake.text, '0' + JSON.stringify(opened));
    assert.deepEqual(Object.keys(opened), KEYS);
    assert.deepEqual(opened.upgrades, ['websocket']);
    assert.equal(handshake.header('content-type'), 'text/plain; charset=UTF-8');
    assert.equal(handshake.header('cache-control'), 'no-store');
    assert.equal(handshake.header('content-length'), String(handshake.body.length));
    assert.equal(handshake.header('set-cookie'), undefined);
  });

  test('HS02 websocket: the open packet is the first frame, no upgrades', async () => {
    const ws = await WebSocketWire.open(server);
    const text = await ws.text();
    const opened = JSON.parse(text.slice(1));
    assert.equal(text, '0' + JSON.stringify(opened));
    assert.deepEqual(Object.keys(opened), KEYS);
    assert.deepEqual(opened.upgrades, []);
    await ws.assertEchoes();
    ws.destroy();
  });

  test('HS02 frames that come with the request are not lost', { skip: oursOnly('drops them') }, async () => {
    const bytes = Buffer.concat([encodeFrame(OP.TEXT, '4one'), encodeFrame(OP.TEXT, '4two')]);
    const ws = await WebSocketWire.session(server, { bytes });
    await ws.text('4one');
    await ws.text('4two');
    ws.destroy();
  });

  test('HS08 sids: 20 characters that need no escaping, all different', async () => {
    const seen = new Set();
    for (let i = 0; i < 60; i++) {
      const { sid } = i % 2 ? await Polling.open(server) : await WebSocketWire.session(server);
      assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
      seen.add(sid);
    }
    assert.equal(seen.size, 60);
    const heads = new Set([...seen].map((sid) => sid.slice(0, 8)));
    assert.equal(heads.size, 60, 'the front of a sid does not count up');
  });

  test('HS08 a sid that differs in one character is unknown', async () => {
    const session = await Polling.open(server);
    const other = session.sid[0] === 'A' ? 'B' : 'A';
    for (const sid of [other + session.sid.slice(1), session.sid.slice(1), session.sid + 'A']) {
      assertError(await get(`EIO=4&transport=polling&sid=${sid}`), ...UNKNOWN_SID);
    }
    await session.assertEchoes();
  });

  test('HS09 the values of the options are announced', async () => {
    const { opened } = await Polling.open(server);
    assert.equal(opened.pingInterval, QUIET['ping-interval']);
    assert.equal(opened.pingTimeout, QUIET['ping-timeout']);
    assert.equal(opened.maxPayload, 1_000_000);
  });

  const PROFILES = [
    ['eio4', '/engine.io/', 300, 200, 1_000_000],
    ['sio5', '/socket.io/', 300, 200, 1_000_000],
    ['sio-client', '/socket.io/', 2000, 20_000, 1_000_000],
    ['eio-client', '/engine.io/', 500, 20_000, 100],
    ['bench', '/socket.io/', 25_000, 20_000, 1_000_000],
  ];

  for (const [profile, path, pingInterval, pingTimeout, maxPayload] of PROFILES) {
    test(`HS09 the values of profile ${profile}`, async (t) => {
      const own = await startServer(profile);
      t.after(own.stop);
      const { opened } = await Polling.open(own, { path });
      const { sid, ...rest } = opened;
      assert.deepEqual(rest, { upgrades: ['websocket'], pingInterval, pingTimeout, maxPayload });
    });
  }

  test('HS09 the values of the command line', () =>
    withServer('eio4', { 'ping-interval': 1234, 'ping-timeout': 567, 'max-payload': 89 }, async (own) => {
      for (const { opened } of [await Polling.open(own), await WebSocketWire.session(own)]) {
        assert.equal(opened.pingInterval, 1234);
        assert.equal(opened.pingTimeout, 567);
        assert.equal(opened.maxPayload, 89);
      }
    }));
});

describe('errors', () => {
  for (const query of ['transport=polling', 'EIO=abc&transport=polling', 'EIO=3&transport=polling', 'EIO=5&transport=polling']) {
    test(`HS03 ${query}: code 5`, async () => assertError(await get(query), ...UNSUPPORTED));
  }

  for (const EIO of [undefined, 'abc', 3]) {
    const skip = oursOnly('finds out after 101');
    test(`HS03 websocket with EIO ${EIO}: 400 and not 101`, { skip }, () =>
      assertUpgradeRefused(server, { query: { EIO } }, 'Unsupported protocol version'));
  }

  for (const query of ['EIO=4', 'EIO=4&transport=', 'EIO=4&transport=abc', 'EIO=4&transport=webtransport', 'EIO=4&transport=Polling']) {
    test(`HS04 ${query}: code 0`, async () => assertError(await get(query), ...UNKNOWN_TRANSPORT));
  }

  test('HS04 unknown sid: code 1, for GET and POST', async () => {
    const session = new Polling(server, '/engine.io/', 'x'.repeat(20));
    assertError(await session.poll(), ...UNKNOWN_SID);
    assertError(await session.post('4x'), ...UNKNOWN_SID);
    assertError(await get('EIO=4&transport=websocket&sid=x'), ...UNKNOWN_SID);
  });

  test('HS04 an unknown sid with a large body: code 1', async () => {
    const target = '/engine.io/?EIO=4&transport=polling&sid=x';
    const body = 'x'.repeat(100_000);
    assertError(await request(server, { method: 'POST', target, body }), ...UNKNOWN_SID);
  });

  test('HS04 websocket without an upgrade: code 3', async () =>
    assertError(await get('EIO=4&transport=websocket'), ...BAD_REQUEST));

  test('HS04 a sid with another transport: code 3', async () => {
    const session = await Polling.open(server);
    const response = await request(server, { target: session.target({ transport: 'websocket' }) });
    assertError(response, ...BAD_REQUEST);
    await session.assertEchoes();
    const ws = await WebSocketWire.session(server);
    assertError(await get(`EIO=4&transport=polling&sid=${ws.sid}`), ...BAD_REQUEST);
    await ws.assertEchoes();
    ws.destroy();
  });

  test('HS04 order: transport, sid, method, version', async () => {
    assertError(await get('transport=x&sid=x'), ...UNKNOWN_TRANSPORT);
    assertError(await get('EIO=3&transport=polling&sid=x'), ...UNKNOWN_SID);
    assertError(await get('transport=websocket'), ...BAD_REQUEST);
    const options = { method: 'POST', target: '/engine.io/?transport=polling', body: '' };
    assertError(await request(server, options), 400, 2, 'Bad handshake method');
  });

  test('HS04 order: transport, Origin, sid', { skip: oursOnly('has a parser that is stricter') }, async () => {
    const headers = { Origin: 'https://a\x7f.example' };
    const target = '/engine.io/?EIO=4&transport=polling&sid=x';
    const { status, text } = await request(server, { target, headers });
    assert.equal(status, 400);
    assert.ok(text === '' || text === JSON.stringify({ code: 3, message: 'Bad request' }), text);
  });

  test('HS04 Origin with bytes from 0x80 is accepted', async () => {
    await Polling.open(server, { headers: { Origin: 'https://\xe4.example' } });
  });

  test('HS14 a sid with another protocol: code 3', async () => {
    const session = await Polling.open(server);
    for (const EIO of [3, undefined, 'abc']) {
      assertError(await request(server, { target: session.target({ EIO }) }), ...BAD_REQUEST);
      await assertUpgradeRefused(server, { query: { EIO, sid: session.sid } }, 'Bad request');
    }
    await session.assertEchoes();
  });
});

describe('upgrade requests', () => {
  const REFUSED = [
    ['no transport', { transport: undefined }, 'Transport unknown'],
    ['an unknown transport', { transport: 'abc' }, 'Transport unknown'],
    ['transport=__proto__', { transport: '__proto__' }, 'Transport unknown'],
    ['transport=constructor', { transport: 'constructor' }, 'Transport unknown'],
    ['an unknown sid', { sid: 'x' }, 'Session ID unknown'],
    ['sid=__proto__', { sid: '__proto__' }, 'Session ID unknown'],
  ];

  for (const [label, query, message] of REFUSED) {
    test(`HS05 ${label}: 400, the text, the end`, () => assertUpgradeRefused(server, { query }, message));
  }

  test('HS05 POST without a sid', () =>
    assertUpgradeRefused(server, { method: 'POST', body: undefined }, 'Bad handshake method'));

  const FAULTS = [
    ['no key', { 'Sec-WebSocket-Key': undefined }],
    ['a short key', { 'Sec-WebSocket-Key': 'YWJj' }],
    ['a key that is no base64', { 'Sec-WebSocket-Key': '!'.repeat(22) + '==' }],
    ['no version', { 'Sec-WebSocket-Version': undefined }],
    ['version 7', { 'Sec-WebSocket-Version': 7 }],
    ['another protocol', { Upgrade: 'h2c' }],
    ['a bad subprotocol', { 'Sec-WebSocket-Protocol': 'a b' }],
  ];

  for (const [label, headers] of FAULTS) {
    test(`HS05 ${label}: 400, the end`, async () => {
      const { wire, response } = await requestUpgrade(server, { headers });
      assert.equal(response.status, 400);
      if (label.includes('version')) assert.equal(response.header('sec-websocket-version'), '13, 8');
      await wire.endedSilently();
    });
  }

  test('HS05 version 8 is spoken', async () => {
    const ws = await WebSocketWire.session(server, { headers: { 'Sec-WebSocket-Version': 8 } });
    await ws.assertEchoes();
    ws.destroy();
  });

  test('HS05 Upgrade and Connection in any case, among others', async () => {
    const headers = { Connection: 'keep-alive, UPGRADE', Upgrade: 'WebSocket' };
    const ws = await WebSocketWire.session(server, { headers });
    await ws.assertEchoes();
    ws.destroy();
  });

  test('HS05 another method with a sid: 405', async () => {
    const session = await Polling.open(server);
    const { wire, response } = await requestUpgrade(server, { method: 'PUT', query: { sid: session.sid } });
    assert.equal(response.status, 405);
    await wire.endedSilently();
    await session.assertEchoes();
  });

  test('HS05 transport=polling: never a session', async () => {
    const { wire, response } = await requestUpgrade(server, { query: { transport: 'polling' } });
    if (response.status === 101) {
      await new WebSocketWire(wire, response).gone();
    } else {
      assert.equal(response.status, 400);
      await wire.endedSilently();
    }
  });

  test('HS05 a proxy that strips the upgrade leaves the session as it is', async () => {
    const session = await Polling.open(server);
    const { Connection, Upgrade, ...headers } = upgradeHeaders();
    const response = await request(server, { target: session.target({ transport: 'websocket' }), headers });
    assertError(response, ...BAD_REQUEST);
    await session.assertEchoes();
  });

  test('HS05 garbage behind the handshake does no harm', async () => {
    const garbage = Buffer.from('\xff\xfe\x00garbage'.repeat(50), 'latin1');
    const direct = await WebSocketWire.open(server, { bytes: garbage });
    await direct.wire.ended();
    const session = await Polling.open(server);
    const probing = await WebSocketWire.open(server, { bytes: garbage, query: { sid: session.sid } });
    await probing.wire.ended();
    await session.assertEchoes();
  });
});

describe('other options', { concurrency: true }, () => {
  test('HS06 refused: 403 code 4, websocket 400 and the text', () =>
    withServer('eio4', { 'deny-query': true }, async (own) => {
      const deny = (query) => request(own, { target: `/engine.io/?${query}&deny=1` });
      assertError(await deny('EIO=4&transport=polling'), ...FORBIDDEN);
      await assertUpgradeRefused(own, { query: { deny: 1 } }, 'Forbidden');
      // Before the version, behind the rest.
      assertError(await deny('EIO=3&transport=polling'), ...FORBIDDEN);
      assertError(await deny('EIO=4&transport=x'), ...UNKNOWN_TRANSPORT);
      assertError(await deny('EIO=4&transport=polling&sid=x'), ...UNKNOWN_SID);
    }));

  test('HS06 requests with a sid are not asked about', () =>
    withServer('eio4', { 'deny-query': true }, async (own) => {
      const session = await Polling.open(own);
      const target = session.target({ deny: 1 });
      const post = await request(own, { method: 'POST', target, body: '4x' });
      assert.equal(post.text, 'ok');
      assert.equal((await request(own, { target })).text, '4x');
      const ws = await WebSocketWire.open(own, { query: { sid: session.sid, deny: 1 } });
      ws.sendText('2probe');
      await ws.text('3probe');
      ws.destroy();
    }));

  const DELAY = 200;

  test('HS06 the answer may come later', () =>
    withServer('eio4', { 'allow-delay': DELAY }, async (own) => {
      let start = now();
      const session = await Polling.open(own);
      assert.ok(now() - start >= DELAY - 2);
      await session.assertEchoes();
      start = now();
      const ws = await WebSocketWire.session(own);
      assert.ok(now() - start >= DELAY - 2);
      await ws.assertEchoes();
      ws.destroy();
      await (await upgrade(session)).assertEchoes();
    }));

  test('HS06 what comes behind a delayed websocket handshake is not lost', { skip: oursOnly('drops it') }, () =>
    withServer('eio4', { 'allow-delay': DELAY }, async (own) => {
      const ws = await WebSocketWire.session(own, { bytes: encodeFrame(OP.TEXT, '4early') });
      await ws.text('4early');
      ws.destroy();
    }));

  const unhandled = oursOnly('an error on such a connection ends it');
  test('HS06 clients that leave before the answer do no harm', { skip: unhandled }, () =>
    withServer('eio4', { 'allow-delay': DELAY }, async (own) => {
      const target = '/engine.io/?EIO=4&transport=';
      for (const end of ['abort', 'destroy', 'finish']) {
        const polling = await Wire.open(own);
        polling.write(encodeRequest(own, { target: target + 'polling' }));
        const websocket = await Wire.open(own);
        websocket.write(encodeRequest(own, { target: target + 'websocket', headers: upgradeHeaders() }));
        await settle(own);
        polling[end]();
        websocket[end]();
      }
      await (await Polling.open(own)).assertEchoes();
      await (await Polling.open(own)).assertEchoes();
    }));

  test('HS10 polling: the initial packet comes behind the open packet', () =>
    withServer('eio4', { 'initial-packet': 'wel\u00e7ome' }, async (own) => {
      const session = await Polling.open(own);
      assert.deepEqual(await session.packets(1), ['4wel\u00e7ome']);
      await session.assertEchoes();
    }));

  test('HS10 websocket: it is the second frame', () =>
    withServer('eio4', { 'initial-packet': 'welcome' }, async (own) => {
      const ws = await WebSocketWire.session(own);
      await ws.text('4welcome');
      await ws.assertEchoes();
      ws.destroy();
    }));

  test('HS11 polling only: no upgrades, websocket is unknown', () =>
    withServer('eio4', { transports: 'polling' }, async (own) => {
      const session = await Polling.open(own);
      assert.deepEqual(session.opened.upgrades, []);
      await session.assertEchoes();
      const response = await request(own, { target: '/engine.io/?EIO=4&transport=websocket' });
      assertError(response, ...UNKNOWN_TRANSPORT);
    }));

  test('HS11 polling only: an upgrade request opens nothing', () =>
    withServer('eio4', { transports: 'polling' }, async (own) => {
      const wire = await Wire.open(own);
      const target = '/engine.io/?EIO=4&transport=websocket';
      wire.write(encodeRequest(own, { target, headers: upgradeHeaders({ Connection: 'Upgrade, close' }) }));
      const text = (await wire.ended()).toString();
      assert.doesNotMatch(text, /^HTTP\/1\.1 101/);
    }));

  test('HS13 websocket only: polling is unknown', () =>
    withServer('eio4', { transports: 'websocket' }, async (own) => {
      const response = await request(own, { target: '/engine.io/?EIO=4&transport=polling' });
      assertError(response, ...UNKNOWN_TRANSPORT);
      const ws = await WebSocketWire.session(own);
      assert.deepEqual(ws.opened.upgrades, []);
      await ws.assertEchoes();
      ws.destroy();
    }));

  test('HS13 polling only: a session as ever', () =>
    withServer('eio4', { transports: 'polling' }, async (own) => {
      const session = await Polling.open(own);
      const wire = await session.hold();
      await session.postOk('4one');
      assert.equal((await wire.response()).text, '4one');
      await session.postOk('1');
      await session.assertGone();
      wire.destroy();
    }));

  test('HS12 without upgrades none is offered', () =>
    withServer('eio4', { 'no-upgrades': true }, async (own) => {
      const session = await Polling.open(own);
      assert.deepEqual(session.opened.upgrades, []);
      await session.assertEchoes();
      await (await WebSocketWire.session(own)).assertEchoes();
    }));
});
