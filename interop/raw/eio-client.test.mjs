// What the suite of engine.io-client expects of its server, to the letter
// (profile eio-client).

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  OP, Polling, QUIET, UNKNOWN_SID, WebSocketWire, assertEmpty, assertError, assertUpgradeRefused,
  request, upgrade,
} from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

const server = await startServer('eio-client', QUIET);
after(server.stop);

const UTF8 = 'пойду спать всем спокойной ночи';

async function polling(options) {
  const session = await Polling.open(server, options);
  assert.deepEqual(await session.packets(1), ['4hi']);
  return session;
}

async function websocket(options) {
  const ws = await WebSocketWire.session(server, options);
  await ws.text('4hi');
  return ws;
}

test('HS09 maxPayload is 100', async () => {
  const { opened } = await Polling.open(server);
  assert.equal(opened.maxPayload, 100);
});

test('PL01 hi comes first', async () => {
  await polling();
  (await websocket()).destroy();
});

test('PL04 give binary, give utf8, and echoes over polling', async () => {
  const session = await polling();
  for (const [sent, expected] of [['4give binary', 'bAAECAwQ='], ['4give utf8', '4' + UTF8], ['4x', '4x'], ['bAAH/', 'bAAH/']]) {
    await session.postOk(sent);
    await session.pollText(expected);
  }
});

test('WS01 the same over a websocket', async () => {
  const ws = await websocket();
  ws.sendText('4give binary');
  await ws.binary([0, 1, 2, 3, 4]);
  ws.sendText('4give utf8');
  await ws.text('4' + UTF8);
  await ws.assertEchoes();
  ws.send(OP.BINARY, [1, 0, 255]);
  await ws.binary([1, 0, 255]);
  ws.destroy();
});

test('WS02 the same over a websocket for text only', async () => {
  const ws = await websocket({ query: { b64: 1 } });
  ws.sendText('4give binary');
  await ws.text('bAAECAwQ=');
  ws.destroy();
});

test('UP01 the same after an upgrade', async () => {
  const session = await polling();
  const ws = await upgrade(session);
  ws.sendText('4give binary');
  await ws.binary([0, 1, 2, 3, 4]);
  ws.destroy();
});

test('RT06 sendHeaders tells the headers of the POST', async () => {
  const session = await polling();
  const headers = { Cookie: '1=1; 2=2', 'X-Some-Thing': 'Yes' };
  await session.postOk('4sendHeaders', { headers });
  const got = JSON.parse((await session.pollText()).slice(1));
  assert.equal(got.cookie, '1=1; 2=2');
  assert.equal(got['x-some-thing'], 'Yes');
  assert.equal(got['content-length'], '12');
  await session.postOk('4sendHeaders');
  assert.equal('cookie' in JSON.parse((await session.pollText()).slice(1)), false);
});

test('RT06 four lines of Set-Cookie on the handshake, in order', async () => {
  const session = await Polling.open(server);
  const [first, second, third, fourth] = session.handshake.headers['set-cookie'];
  assert.equal(first, '1=1; Max-Age=86400');
  assert.equal(second, '2=2; Path=/; HttpOnly; Secure; SameSite=Strict');
  assert.equal(third, '3=3; Max-Age=0');
  const expires = Date.parse(fourth.replace('4=4; Expires=', ''));
  assert.ok(Math.abs(expires - Date.now()) < 60_000, fourth);
});

test('PL08 100 bytes are fine, 101 get 413 and the session lives', async () => {
  const session = await polling();
  await session.postOk('4' + 'x'.repeat(99));
  await session.pollText('4' + 'x'.repeat(99));
  assertEmpty(await session.post('4' + 'x'.repeat(100)), 413);
  await session.assertEchoes();
});

test('PL08 bytes are counted', async () => {
  const session = await polling();
  assertEmpty(await session.post('4' + 'я'.repeat(50)), 413);
  await session.postOk('4x' + 'я'.repeat(49));
  await session.pollText('4x' + 'я'.repeat(49));
});

test('WS05 100 bytes are fine, 101 get 1009 with an empty reason', async () => {
  const ws = await websocket();
  ws.sendText('4' + 'x'.repeat(99));
  await ws.text('4' + 'x'.repeat(99));
  ws.send(OP.BINARY, Buffer.alloc(100));
  await ws.binary(Buffer.alloc(100));
  ws.send(OP.BINARY, Buffer.alloc(101));
  await ws.closed(1009);
});

test('WS05 after an upgrade as well', async () => {
  const session = await polling();
  const ws = await upgrade(session);
  ws.sendText('4' + 'x'.repeat(100));
  await ws.closed(1009);
});

test('HS04 HS05 an unknown sid', async () => {
  const target = '/engine.io/?EIO=4&transport=polling&sid=abc';
  assertError(await request(server, { target }), ...UNKNOWN_SID);
  await assertUpgradeRefused(server, { query: { sid: 'abc' } }, 'Session ID unknown');
});

test('HS06 deny', async () => {
  for (const deny of ['1', '', 'x']) {
    const target = `/engine.io/?EIO=4&transport=polling&deny=${deny}`;
    assertError(await request(server, { target }), 403, 4, 'Forbidden');
    await assertUpgradeRefused(server, { query: { deny } }, 'Forbidden');
  }
  const session = await polling();
  assert.equal((await request(server, { method: 'POST', target: session.target({ deny: 1 }), body: '4x' })).text, 'ok');
});

test('UP03 a client that closes in the middle of an upgrade', async () => {
  for (const step of ['open', 'probe', 'noop', 'done']) {
    const session = await polling();
    const ws = await WebSocketWire.open(server, { query: { sid: session.sid } });
    if (step !== 'open') {
      ws.sendText('2probe');
      await ws.text('3probe');
    }
    if (step === 'noop' || step === 'done') await session.pollText('6');
    if (step === 'done') {
      ws.sendText('5').sendText('4x');
      await ws.text('4x');
      ws.send(OP.CLOSE, '');
    } else {
      await session.postOk('1');
    }
    await ws.gone();
    await session.assertGone();
  }
});
