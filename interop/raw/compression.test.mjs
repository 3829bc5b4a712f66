// Compression of the answers to polls.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { gunzipSync, inflateSync } from 'node:zlib';
import { Polling, QUIET, request } from '../support/raw.mjs';
import { isOfficial, startServer } from '../support/server.mjs';

const plain = (data) => data;
const DECODE = { gzip: gunzipSync, deflate: inflateSync, none: plain };
const LONG = '4' + 'compress me, '.repeat(100);

const echo = await startServer('eio4', QUIET);
after(echo.stop);

async function open(server, path = '/engine.io/') {
  const response = await request(server, { target: `${path}?EIO=4&transport=polling` });
  return new Polling(server, path, JSON.parse(response.text.slice(1)).sid);
}

/** What comes of `text` when it is polled with this Accept-Encoding. */
async function pollCoded(session, accept) {
  const response = await session.poll({ headers: { 'Accept-Encoding': accept } });
  assert.equal(response.status, 200);
  const coding = response.header('content-encoding') ?? 'none';
  return { response, coding, text: DECODE[coding](response.body).toString() };
}

async function echoed(server, text, accept) {
  const session = await open(server);
  await session.postOk(text);
  return pollCoded(session, accept);
}

const CHOICES = [
  ['gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['gzip, deflate', 'gzip'],
  ['deflate, gzip', 'deflate'],
  ['gzip;q=0.5, deflate;q=0.8', 'deflate'],
  ['*', 'gzip'],
  ['br', 'none'],
  ['gzip;q=0', 'none'],
  ['identity', 'none'],
  [undefined, 'none'],
];

for (const [accept, expected] of CHOICES) {
  test(`PL11 Accept-Encoding ${accept}: ${expected}`, async () => {
    const { response, coding, text } = await echoed(echo, LONG, accept);
    assert.equal(coding, expected);
    assert.equal(text, LONG);
    assert.match(response.header('content-type'), /^text\/plain/);
    assert.equal(response.header('cache-control'), 'no-store');
    if (coding !== 'none') assert.ok(response.body.length < LONG.length / 4);
  });
}

test('PL11 what is shorter than the threshold is sent as it is', async () => {
  for (const [length, expected] of [[1023, 'none'], [1024, 'gzip']]) {
    const text = '4' + 'x'.repeat(length - 1);
    const got = await echoed(echo, text, 'gzip');
    assert.equal(got.coding, expected);
    assert.equal(got.text, text);
  }
});

test('PL11 the payload counts, not the packet; answers to POST are never coded', async () => {
  const session = await open(echo);
  const many = Array.from({ length: 60 }, (_, i) => `4this is packet ${i}`).join('\x1e');
  const post = await session.post(many, { headers: { 'Accept-Encoding': 'gzip' } });
  assert.equal(post.header('content-encoding'), undefined);
  assert.equal(post.text, 'ok');
  const { coding, text } = await pollCoded(session, 'gzip');
  assert.equal(coding, 'gzip');
  assert.equal(text, many);
});

test('PL11 one answer after the other, text and binary', async () => {
  const session = await open(echo);
  for (const accept of ['gzip', 'deflate', 'gzip', 'deflate']) {
    const binary = 'b' + Buffer.alloc(3000, accept).toString('base64');
    await session.postOk(binary);
    const { coding, text } = await pollCoded(session, accept);
    assert.equal(coding, accept);
    assert.equal(text, binary);
  }
});

const ours = { skip: isOfficial && 'its options are set in code' };

test('PL12 off', ours, async (t) => {
  const server = await startServer('eio4', { ...QUIET, 'no-http-compression': true });
  t.after(server.stop);
  const { coding, text } = await echoed(server, LONG, 'gzip');
  assert.equal(coding, 'none');
  assert.equal(text, LONG);
});

test('PL12 a threshold of its own', ours, async (t) => {
  const server = await startServer('eio4', { ...QUIET, 'http-compression-threshold': 10 });
  t.after(server.stop);
  for (const [text, expected] of [['4' + 'x'.repeat(8), 'none'], ['4' + 'x'.repeat(9), 'gzip']]) {
    const got = await echoed(server, text, 'gzip');
    assert.equal(got.coding, expected);
    assert.equal(got.text, text);
  }
});

test('PL12 EV12 RM12 packets that ask for none, by emit and by broadcast', ours, async (t) => {
  const server = await startServer('rows', QUIET);
  t.after(server.stop);
  const session = await open(server, '/socket.io/');
  await session.postOk('40');
  await session.pollText();
  for (const command of ['emit', 'to']) {
    for (const [flags, expected] of [[{}, 'gzip'], [{ plain: true }, 'none']]) {
      const options = JSON.stringify({ event: 'x', ...flags });
      const data = 'y'.repeat(2000);
      await session.postOk(`42["${command}",${options},"${data}"]`);
      const { coding, text } = await pollCoded(session, 'gzip');
      assert.equal(coding, expected, `${command} ${options}`);
      assert.equal(text, `42["x","${data}"]`);
    }
  }
});

test('EV12 one packet that may be compressed is enough for all', ours, async (t) => {
  const server = await startServer('rows', QUIET);
  t.after(server.stop);
  const session = await open(server, '/socket.io/');
  await session.postOk('40');
  await session.pollText();
  const data = 'y'.repeat(2000);
  await session.postOk(`42["emit",{"event":"x","plain":true},"${data}"]\x1e42["emit",{"event":"z"}]`);
  const { coding, text } = await pollCoded(session, 'gzip');
  assert.equal(coding, 'gzip');
  assert.equal(text, `42["x","${data}"]\x1e42["z"]`);
});
