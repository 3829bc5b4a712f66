// Bodies of Engine.IO 3 that are wrong, at every byte: the packets before the
// fault are delivered, the session ends, the POST is answered, and the next
// session is none the worse.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Polling3, encodeOctets, encodeText } from '../support/eio3.mjs';
import { QUIET, WebSocketWire, request } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const server = await startServer('eio3', QUIET);
after(() => server.stop());

const OCTETS = { headers: { 'Content-Type': 'application/octet-stream' } };

/** Posts a body; whether the session has survived, which then still echoes. */
async function survives(body, options) {
  const session = await Polling3.open(server);
  const response = await session.post(body, options);
  assert.equal(response.status, 200);
  assert.equal(response.text, 'ok');
  const response2 = await request(server, { method: 'POST', target: session.target(), body: encodeText('4last') });
  if (response2.status !== 200) {
    assert.equal(response2.text, '{"code":1,"message":"Session ID unknown"}');
    return false;
  }
  let seen = '';
  while (!seen.endsWith('4last')) {
    const answer = await session.poll();
    assert.equal(answer.status, 200);
    seen += answer.body.toString('latin1');
  }
  return true;
}

describe('text', () => {
  const WRONG = [
    '', ':', '4a', '2', '2:', '2:4', '2:4ab', '2:4a2', '2:4a2:', '3:4a', '1:4a', ':4a', '-1:4', '-2:4a', '+2:4a', ' 2:4a',
    '2 :4a', '2.0:4a', '2e0:4a', '0x2:4a', '２:4a', '2;4a', '2:4a\n', '\n2:4a', '2:4a\x1e', 'NaN:4a', 'Infinity:4a',
    '99999999999:4a', '18446744073709551618:4a', '4294967298:4a', '9'.repeat(400) + ':4a', '5:4😀a', '2:4😀', '4:4😀',
    '1:7', '1:a', '2:ab', '1:b', '2:b7', '2:bx', '4:b4!!', '1:\x00',
  ];
  const LENIENT = new Set([' 2:4a', '2 :4a', '2.0:4a', '2e0:4a', '0x2:4a', '+2:4a', '\n2:4a', '1:b', '2:b7', '2:bx', '4:b4!!', '2:4😀']);
  for (const body of WRONG) {
    const skip = LENIENT.has(body) && oursOnly('is lenient');
    test(`PL09 ${JSON.stringify(body.slice(0, 40))}`, { skip }, async () => assert.equal(await survives(body), false));
  }

  for (const body of ['0:', '0:0:', '2:4a0:', '0:2:4a', '002:4a', '1:2', '1:0', '1:5', '1:6', '2:b4', '6:b4AQID']) {
    test(`PL09 ${JSON.stringify(body)} is right`, async () => assert.equal(await survives(body), true));
  }

  const GOOD = encodeText('4é😀', 'b4AQID', '2', '4z');

  test('PL09 every prefix', { skip: oursOnly('is lenient') }, async () => {
    const ends = ['4é😀', 'b4AQID', '2', '4z'].map((_, i, all) => encodeText(...all.slice(0, i + 1)).length);
    for (let length = 0; length < GOOD.length; length++) {
      const prefix = GOOD.slice(0, length);
      if (/[\ud800-\udbff]$/.test(prefix)) continue;
      assert.equal(await survives(prefix), ends.includes(length), JSON.stringify(prefix));
    }
  });

  test('PL09 every byte another one: it is answered, and the server lives', async () => {
    const bytes = Buffer.from(GOOD);
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0x00, 0x30, 0x39, 0x3a, 0x62, 0x80, 0xc3, 0xf0, 0xff]) {
        const body = Buffer.from(bytes);
        body[at] = byte;
        const session = await Polling3.open(server);
        await session.postOk(body);
      }
    }
    const session = await Polling3.open(server);
    await session.assertEchoes();
  });

  test('PL09 what comes before the fault is delivered', async () => {
    const session = await Polling3.open(server);
    const held = await session.hold();
    await session.postOk('4:4one4:4twoX');
    const { text } = await held.response();
    assert.match(text, /^4:4one(4:4two)?|^1:1/);
    held.destroy();
    await session.assertGone();
  });
});

describe('octets', () => {
  const bytes = (...list) => Buffer.concat(list.map((item) => Buffer.from(typeof item === 'string' ? item : [item].flat())));
  const WRONG = [
    bytes(0), bytes(1), bytes(0, 1), bytes(0, 255), bytes(0, 1, 255), bytes(0, 2, 255, '4'), bytes(0, 1, 255, '2', 0),
    bytes(0, 1, 255, '2x'), bytes(2, 1, 255, '2'), bytes(255, 1, 255, '2'), bytes(0, '1', 255, '2'), bytes(0, 10, 255, '2'),
    bytes(0, 254, 255, '2'), bytes(1, 1, 255, 7), bytes(1, 1, 255, 255), bytes(1, 1, 255, '4'), bytes(1, 0, 255), bytes(0, 0, 255),
    bytes(0, Array(30).fill(9), 255, '2'), bytes(0, Array(1000).fill(9), 255, '2'), bytes(0, Array(1000).fill(9)), bytes('2:4a'),
    bytes(0, 1, 8, 4, 4, 6, 7, 4, 4, 0, 7, 3, 7, 0, 9, 5, 5, 1, 6, 1, 7, 255, '2'),
  ];
  for (const body of WRONG) {
    test(`PL09 ${body.subarray(0, 24).toString('hex')}`, { skip: oursOnly('is lenient') }, async () => {
      assert.equal(await survives(body, OCTETS), false);
    });
  }

  for (const body of [bytes(), bytes(0, 1, 255, '2'), bytes(1, 1, 255, 4), bytes(0, 0, 1, 255, '2'), bytes(1, 1, 255, 6)]) {
    test(`PL09 ${body.toString('hex')} is right`, async () => assert.equal(await survives(body, OCTETS), true));
  }

  const GOOD = encodeOctets('4é😀', Buffer.from([1, 2, 3]), '2', '4z');

  test('PL09 every prefix', { skip: oursOnly('is lenient') }, async () => {
    const ends = [0, 10, 17, 21, 26];
    for (let length = 0; length < GOOD.length; length++) {
      assert.equal(await survives(GOOD.subarray(0, length), OCTETS), ends.includes(length), `${length} bytes`);
    }
  });

  test('PL09 every byte another one: it is answered, and the server lives', async () => {
    for (let at = 0; at < GOOD.length; at++) {
      for (const byte of [0, 1, 2, 4, 9, 10, 0x34, 0x80, 254, 255]) {
        const body = Buffer.from(GOOD);
        body[at] = byte;
        const session = await Polling3.open(server);
        await session.postOk(body, OCTETS);
      }
    }
    const session = await Polling3.open(server);
    await session.assertEchoes();
  });
});

test('PL09 more packets than a body may have', { skip: oursOnly('has no limit') }, async () => {
  const many = '1:2'.repeat(65_537);
  assert.equal(await survives('1:2'.repeat(65_536)), true);
  assert.equal(await survives(many), false);
});

test('PL09 a fault ends a waiting poll', async () => {
  const session = await Polling3.open(server);
  const held = await session.hold();
  await session.postOk('x');
  assert.equal((await held.response()).text, '1:1');
  held.destroy();
  const ws = await WebSocketWire.session(server, { query: { EIO: 3 } });
  await ws.assertEchoes();
  ws.destroy();
});
