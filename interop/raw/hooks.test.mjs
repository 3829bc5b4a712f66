// What the application may do to the engine's requests: see ../hooks.c.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  Polling, QUIET, Wire, assertError, assertUpgradeRefused, encodeRequest, request, requestUpgrade, splitPayload,
} from '../support/raw.mjs';
import { isOfficial, startServer } from '../support/server.mjs';

const only = { skip: isOfficial && 'its options are set in code' };
const server = isOfficial ? undefined : await startServer('eio4', { ...QUIET, hooks: true });
after(() => server?.stop());

const PATH = '/engine.io/';
const HANDSHAKE = `${PATH}?EIO=4&transport=polling`;
const BAD = [400, 3, 'Bad request'];

const sidOf = (response) => JSON.parse(splitPayload(response.text)[0].slice(1)).sid;

function assertLooked(response) {
  assert.equal(response.header('x-first'), '1');
  assert.equal(response.header('x-second'), '2');
}

test('RT05 engine middlewares add headers to every answer', only, async () => {
  const open = await request(server, { target: HANDSHAKE });
  assertLooked(open);
  const session = new Polling(server, PATH, sidOf(open));
  const held = await session.hold();
  const post = await session.post('4x');
  assertLooked(post);
  assertLooked(await held.response());
  assertLooked(await request(server, { target: `${PATH}?EIO=4&transport=none` }));
  const { wire, response } = await requestUpgrade(server, { query: { sid: session.sid } });
  assert.equal(response.status, 101);
  assertLooked(response);
  wire.destroy();
  const other = await request(server, { target: '/hello' });
  assert.equal(other.header('x-first'), undefined);
});

test('RT05 one that fails refuses with code 3', only, async () => {
  const response = await request(server, { target: `${HANDSHAKE}&mw=refuse` });
  assertError(response, ...BAD);
  assert.equal(response.header('x-first'), '1');
  await assertUpgradeRefused(server, { query: { mw: 'refuse' } }, 'Bad request');
});

test('RT05 one may answer by itself', only, async () => {
  for (const method of ['GET', 'POST', 'PUT']) {
    const response = await request(server, { method, target: `${HANDSHAKE}&mw=answer`, body: 'body' });
    assert.equal(response.status, 403);
    assert.equal(response.text, 'no entry');
  }
  const { wire, response } = await requestUpgrade(server, { query: { mw: 'answer' } });
  assert.equal(response.status, 403);
  wire.destroy();
});

test('RT05 a request whose body comes late is looked at once', only, async () => {
  const open = await request(server, { target: HANDSHAKE });
  const session = new Polling(server, PATH, sidOf(open));
  const wire = await Wire.open(server);
  const bytes = encodeRequest(server, { method: 'POST', target: session.target(), body: '4late' });
  for (const byte of bytes) wire.write(Buffer.of(byte));
  const response = await wire.response();
  assert.equal(response.text, 'ok');
  assert.deepEqual(response.headers['x-first'], ['1']);
  await session.pollText('4late');
  wire.destroy();
});

test('RT06 headers of the opening and of every answer', only, async () => {
  const open = await request(server, { target: HANDSHAKE });
  assert.equal(open.header('x-initial'), '1');
  assert.equal(open.header('x-every'), '1');
  const session = new Polling(server, PATH, sidOf(open));
  const post = await session.post('4x');
  assert.equal(post.header('x-initial'), undefined);
  assert.equal(post.header('x-every'), '1');
  const poll = await session.poll();
  assert.equal(poll.header('x-initial'), undefined);
  assert.equal(poll.header('x-every'), '1');
  const { wire, response } = await requestUpgrade(server);
  assert.equal(response.header('x-initial'), '1');
  assert.equal(response.header('x-every'), '1');
  wire.destroy();
});

test('HS07 the application chooses the id', only, async () => {
  const first = sidOf(await request(server, { target: HANDSHAKE }));
  assert.match(first, /^own-\d+$/);
  for (const id of ['a', 'A-b_c.d~9', 'x'.repeat(64)]) {
    const open = await request(server, { target: `${HANDSHAKE}&id=${id}` });
    assert.equal(sidOf(open), id);
    await new Polling(server, PATH, id).assertEchoes();
  }
  const { wire, response } = await requestUpgrade(server, { query: { id: 'by-websocket' } });
  assert.equal(response.status, 101);
  wire.destroy();
});

test('HS07 an id that fails, is not allowed or in use is refused', only, async () => {
  await request(server, { target: `${HANDSHAKE}&id=taken` });
  for (const id of ['', 'taken', 'a%20b', 'a%22', 'a%0d%0aX:1', '%C3%A9', 'a%2Fb']) {
    assertError(await request(server, { target: `${HANDSHAKE}&id=${id}` }), ...BAD);
    await assertUpgradeRefused(server, { target: `${PATH}?EIO=4&transport=websocket&id=${id}` }, 'Bad request');
  }
  await new Polling(server, PATH, 'taken').assertEchoes();
});
