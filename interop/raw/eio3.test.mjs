// Engine.IO 3: who is let in, bodies of either form, WebSockets, upgrades, and
// a heartbeat that the client begins.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  Polling3, WebSocketWire3, encodeOctets, encodeText, packetsOf, splitOctets, upgrade3,
} from '../support/eio3.mjs';
import {
  OP, Polling, QUIET, UNKNOWN_SID, Wire, assertEmpty, assertError, assertUpgradeRefused, encodeFrame, encodeRequest,
  now, request, settle, upgrade,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const INTERVAL = 300;
const TIMEOUT = 1000; // a machine with other things to do still pings within it
const SLACK = 2; // ms that clocks of two processes may differ

const exact = await startServer('eio3', { 'ping-interval': INTERVAL, 'ping-timeout': TIMEOUT });
const quiet = await startServer('eio3', QUIET);
const off = await startServer('eio4', QUIET);
const missing = oursOnly('has no such option') ? null : await startServer('eio3', { ...QUIET, 'eio-missing-is-3': true });
const small = await startServer('eio3', { ...QUIET, 'max-payload': 100 });
after(() => Promise.all([exact, quiet, off, missing, small].map((server) => server?.stop())));

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const UNSUPPORTED = [400, 5, 'Unsupported protocol version'];
const handshake = (server, query) => request(server, { target: `/engine.io/?${query}` });

describe('who is let in', () => {
  test('V301 EIO=3 and EIO=4, beside each other', async () => {
    const old = await Polling3.open(quiet);
    assert.deepEqual(Object.keys(old.opened), ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload']);
    assert.deepEqual(old.opened.upgrades, ['websocket']);
    const young = await Polling.open(quiet);
    await old.assertEchoes();
    await young.assertEchoes();
  });

  test('V301 without allow_eio3, EIO=3 is refused with code 5', async () => {
    assertError(await handshake(off, 'EIO=3&transport=polling'), ...UNSUPPORTED);
  });

  test('V301 a websocket without allow_eio3 is refused before 101', { skip: oursOnly('answers 101 first') }, async () => {
    await assertUpgradeRefused(off, { query: { EIO: 3 } }, UNSUPPORTED[2]);
  });

  for (const value of ['abc', '', '2', '5', '33', '3%20', '3.0', '03', '-3', '%00', '3%00']) {
    test(`V301 EIO=${value} is refused`, { skip: oursOnly('takes all but 4 for 3') }, async () => {
      assertError(await handshake(quiet, `EIO=${value}&transport=polling`), ...UNSUPPORTED);
      await assertUpgradeRefused(quiet, { target: `/engine.io/?EIO=${value}&transport=websocket` }, UNSUPPORTED[2]);
      assertError(await handshake(missing, `EIO=${value}&transport=polling`), ...UNSUPPORTED);
    });
  }

  test('V301 no EIO is refused', { skip: oursOnly('takes it for 3') }, async () => {
    assertError(await handshake(quiet, 'transport=polling'), ...UNSUPPORTED);
  });

  test('V301 no EIO is 3 with eio_missing_is_3, and stays so', { skip: oursOnly('has no such option') }, async () => {
    const session = await Polling3.open(missing, { query: { EIO: undefined } });
    const target = `/engine.io/?transport=polling&sid=${session.sid}`;
    const { text } = await request(missing, { method: 'POST', target, body: '2:4a' });
    assert.equal(text, 'ok');
    assert.deepEqual(packetsOf(await request(missing, { target })), ['4a']);
    await session.assertEchoes();
    assertError(await handshake(missing, `EIO=4&transport=polling&sid=${session.sid}`), 400, 3, 'Bad request');
  });

  test('V301 the last EIO counts', async () => {
    assert.match((await handshake(quiet, 'EIO=4&EIO=3&transport=polling')).text, /^\d+:0\{/);
    assert.match((await handshake(quiet, 'EIO=3&EIO=4&transport=polling')).text, /^0\{/);
  });

  test('HS14 another revision for a session is refused, and the session lives', async () => {
    const old = await Polling3.open(quiet);
    const young = await Polling.open(quiet);
    assertError(await request(quiet, { target: old.target({ EIO: 4 }) }), 400, 3, 'Bad request');
    assertError(await request(quiet, { target: young.target({ EIO: 3 }) }), 400, 3, 'Bad request');
    await assertUpgradeRefused(quiet, { query: { EIO: 4, sid: old.sid } }, 'Bad request');
    await assertUpgradeRefused(quiet, { query: { EIO: 3, sid: young.sid } }, 'Bad request');
    await old.assertEchoes();
    await young.assertEchoes();
  });
});

describe('bodies', () => {
  const SCRIPTS = ['', 'a', 'é', '€', '😀', 'a😀b', '\u{10ffff}', 'よーこそ', '🏳️‍🌈🏳️‍🌈', 'e\u0301', '\u0000', '\n\u2028"\\'];

  test('V302 lengths are in UTF-16 code units', async () => {
    const session = await Polling3.open(quiet);
    await session.postOk('5:4€😀a');
    assert.equal((await session.poll()).text, '5:4€😀a');
    for (const text of SCRIPTS) await session.assertEchoes(`4${text}`);
    await session.send(...SCRIPTS.map((text) => `4${text}`));
    await session.receive(...SCRIPTS.map((text) => `4${text}`));
  });

  test('V302 what one POST asks for comes in one answer', async () => {
    const session = await Polling3.open(quiet);
    await session.send('4one', '4two', '4three');
    assert.equal((await session.poll()).text, '4:4one4:4two6:4three');
  });

  test('V302 cut anywhere in the body and in its characters', async () => {
    const session = await Polling3.open(quiet);
    const body = Buffer.from(encodeText('4é€😀', '4😀', '4z'));
    const bytes = encodeRequest(quiet, { method: 'POST', target: session.target(), body });
    const start = bytes.length - body.length;
    const wire = await Wire.open(quiet);
    for (let cut = start; cut <= bytes.length; cut++) {
      await wire.writePieces([bytes.subarray(0, cut), bytes.subarray(cut)].filter((piece) => piece.length));
      assert.equal((await wire.response()).text, 'ok');
      await session.receive('4é€😀', '4😀', '4z');
    }
    wire.destroy();
  });

  test('V303 octets both ways', async () => {
    const session = await Polling3.open(quiet);
    const bytes = Buffer.from([0, 1, 2, 0x1e, 0xff, 0xc3]);
    await session.sendOctets('4é😀', bytes, '4', Buffer.alloc(0), '4z');
    const response = await session.poll();
    assert.equal(response.header('content-type'), 'application/octet-stream');
    assert.equal(response.header('cache-control'), 'no-store');
    assert.deepEqual([...response.body], [...encodeOctets('4é😀', bytes, '4', Buffer.alloc(0), '4z')]);
  });

  test('V303 only bodies with a binary message are octets', async () => {
    const session = await Polling3.open(quiet);
    await session.sendOctets('4text');
    assert.equal((await session.poll()).text, '5:4text');
    await session.send('4a', 'b4AQID');
    assert.deepEqual(splitOctets((await session.poll()).body), ['4a', Buffer.from([1, 2, 3])]);
    await session.assertEchoes();
  });

  test('V303 lengths of one to seven digits', async () => {
    const session = await Polling3.open(quiet);
    for (const length of [1, 8, 9, 98, 99, 998, 999, 9998, 9999, 99998, 99999, 900_000]) {
      const bytes = Buffer.alloc(length, 'xyz');
      await session.sendOctets(bytes, '4end');
      await session.receive(bytes, '4end');
      await session.send(`4${'x'.repeat(length)}`);
      await session.receive(`4${'x'.repeat(length)}`);
    }
  });

  test('V303 octets with any other content type are text, and so malformed', async () => {
    const session = await Polling3.open(quiet);
    await session.postOk(encodeOctets('4a'), { headers: { 'Content-Type': 'application/octet-stream; charset=x' } });
    await session.assertGone();
  });

  test('V303 what is no UTF-8 is repaired', { skip: oursOnly('counts it otherwise') }, async () => {
    const session = await Polling3.open(quiet);
    await session.postOctets(Buffer.from([0, 3, 255, 0x34, 0xff, 0x61]));
    await session.receive('4\ufffda');
    await session.postOk(Buffer.from([0x33, 0x3a, 0x34, 0xff, 0x61]));
    await session.receive('4\ufffda');
  });

  test('V304 b64: base64 behind b4, in a text', async () => {
    const session = await Polling3.open(quiet, { query: { b64: 1 } });
    for (const length of [0, 1, 2, 3, 4, 99]) {
      const packet = `b4${Buffer.alloc(length, '\xfe\x00z', 'latin1').toString('base64')}`;
      await session.send('4a', packet, '4z');
      await session.receive('4a', packet, '4z');
    }
    await session.sendOctets(Buffer.from([1, 2, 3])); // which it may still send
    await session.receive('b4AQID');
  });

  test('V304 b64 without a value is none', async () => {
    const session = await Polling3.open(quiet, { query: { b64: '' } });
    await session.send('b4AQID');
    await session.receive(Buffer.from([1, 2, 3]));
  });

  test('PL08 a body over the limit is refused, one at the limit is not', async () => {
    const session = await Polling3.open(small);
    assertEmpty(await session.post(encodeText(`4${'x'.repeat(97)}`)), 413);
    await session.assertEchoes(`4${'x'.repeat(96)}`);
    assertEmpty(await session.post(encodeOctets(Buffer.alloc(97)), {
      headers: { 'Content-Type': 'application/octet-stream' },
    }), 413);
    await session.sendOctets(Buffer.alloc(95));
    await session.receive(Buffer.alloc(95));
  });

  test('PL10 octets of a v4 session are still refused', async () => {
    const session = await Polling.open(quiet);
    const headers = { 'Content-Type': 'application/octet-stream' };
    assertEmpty(await session.post('4a', { headers }), 400);
    await session.assertGone();
  });

  test('PL05 the second of two polls ends the session, and the first hears of it', async () => {
    const session = await Polling3.open(quiet);
    const held = await session.hold();
    assertEmpty(await session.poll(), 400);
    assert.equal((await held.response()).text, '1:1');
    await session.assertGone();
    held.destroy();
  });

  test('PL11 text and octets are compressed where the client takes that', async () => {
    const { gunzipSync } = await import('node:zlib');
    const session = await Polling3.open(quiet);
    const headers = { 'Accept-Encoding': 'gzip' };
    const text = '4' + '😀'.repeat(1000);
    await session.send(text);
    const coded = await session.poll({ headers });
    assert.equal(coded.header('content-encoding'), 'gzip');
    assert.equal(gunzipSync(coded.body).toString(), encodeText(text));
    const bytes = Buffer.alloc(5000, 7);
    await session.sendOctets(bytes);
    const octets = await session.poll({ headers });
    assert.equal(octets.header('content-encoding'), 'gzip');
    assert.equal(octets.header('content-type'), 'application/octet-stream');
    assert.deepEqual(gunzipSync(octets.body), encodeOctets(bytes));
  });

  test('PL09 1 in a body closes, what is behind it is not read, and a poll hears of it', async () => {
    const session = await Polling3.open(quiet);
    const held = await session.hold();
    await session.send('1', '4late');
    assert.equal((await held.response()).text, '1:6');
    await session.assertGone();
    held.destroy();
  });
});

describe('websockets', () => {
  test('V312 a binary message begins with its type', async () => {
    const ws = await WebSocketWire3.session(quiet);
    assert.deepEqual(ws.opened.upgrades, []);
    for (const length of [0, 1, 123, 124, 125, 126, 65534, 65535, 65536]) {
      const bytes = Buffer.concat([Buffer.from([4]), Buffer.alloc(length, 'abc')]);
      ws.send(OP.BINARY, bytes);
      await ws.binary(bytes);
    }
    ws.destroy();
  });

  test('V312 a message of several frames, and one of text', async () => {
    const ws = await WebSocketWire3.session(quiet);
    ws.send(OP.BINARY, [4], { fin: false }).send(OP.CONTINUATION, [1], { fin: false }).send(OP.CONTINUATION, [2]);
    await ws.binary([4, 1, 2]);
    await ws.assertEchoes('4é😀');
    ws.destroy();
  });

  test('V304 b64: base64 behind b4', async () => {
    const ws = await WebSocketWire3.session(quiet, { query: { b64: 1 } });
    ws.send(OP.BINARY, [4, 1, 2, 3]);
    await ws.text('b4AQID');
    ws.sendText('b4AQI=');
    await ws.text('b4AQI=');
    ws.destroy();
  });

  test('V312 v4 sessions of the same server have no type byte', async () => {
    const ws = await WebSocketWire3.session(quiet, { query: { EIO: 4 } });
    ws.send(OP.BINARY, [4, 1]);
    await ws.binary([4, 1]);
    ws.destroy();
  });

  const BAD = [['text without a packet', OP.TEXT, ''], ['an unknown type', OP.TEXT, '7'], ['half of base64', OP.TEXT, 'b']];
  for (const [name, opcode, payload] of BAD) {
    test(`PL09 ${name} closes`, { skip: payload === 'b' && oursOnly('ignores it') }, async () => {
      const ws = await WebSocketWire3.session(quiet);
      ws.send(opcode, payload);
      await ws.closed();
    });
  }

  const BYTES = [['nothing', []], ['the digit of a type', [0x34, 1]], ['type 7', [7]], ['type 255', [255, 4]]];
  for (const [name, payload] of BYTES) {
    test(`PL09 binary: ${name} closes`, { skip: oursOnly('ignores it') }, async () => {
      const ws = await WebSocketWire3.session(quiet);
      ws.send(OP.BINARY, payload);
      await ws.closed();
    });
  }
});

describe('upgrades', () => {
  test('V312 probe, noop, 5; then everything goes over the websocket', async () => {
    const session = await Polling3.open(quiet);
    const ws = await upgrade3(session);
    await ws.assertEchoes('4é😀');
    ws.send(OP.BINARY, [4, 9]);
    await ws.binary([4, 9]);
    assertError(await session.poll(), 400, 3, 'Bad request');
    ws.destroy();
  });

  test('V312 what waits at 5 goes over the websocket, in its form', async () => {
    const session = await Polling3.open(quiet);
    const { sid } = session;
    const ws = await WebSocketWire3.open(quiet, { query: { sid } });
    await session.sendOctets('4one', Buffer.from([1, 2]), '4two');
    ws.sendText('2probe');
    await ws.text('3probe');
    ws.wire.write(Buffer.concat([encodeFrame(OP.TEXT, '5'), encodeFrame(OP.TEXT, '4three')]));
    await ws.text('4one');
    await ws.binary([4, 1, 2]);
    await ws.text('4two');
    await ws.text('4three');
    ws.destroy();
  });

  test('V312 b64 of the upgrade is the websocket\'s', async () => {
    const session = await Polling3.open(quiet, { query: { b64: 1 } });
    const ws = await upgrade3(session);
    ws.send(OP.BINARY, [4, 1, 2, 3]);
    await ws.binary([4, 1, 2, 3]);
    ws.destroy();
  });

  test('V312 pings of the polling client are answered while it probes', async () => {
    const session = await Polling3.open(quiet);
    const ws = await WebSocketWire3.open(quiet, { query: { sid: session.sid } });
    ws.sendText('2probe');
    await ws.text('3probe');
    await session.send('2');
    await session.receive('3');
    ws.sendText('5');
    await ws.assertEchoes();
    ws.destroy();
  });

  for (const bad of ['2', '3probe', '4a', 'b4AQID']) {
    test(`UP04 ${bad} where a probe is due costs only that websocket`, async () => {
      const session = await Polling3.open(quiet);
      const ws = await WebSocketWire3.open(quiet, { query: { sid: session.sid } });
      ws.sendText(bad);
      await ws.gone();
      await session.assertEchoes();
    });
  }
});

describe('the heartbeat', { concurrency: true }, () => {
  function assertNotBefore(start, ms) {
    const took = now() - start;
    assert.ok(took >= ms - SLACK, `after ${took} ms, not before ${ms}`);
    assert.ok(took < ms + 400, `after ${took} ms, soon after ${ms}`);
  }

  test('V305 websocket: 2 is answered by 3, without what it carries', async () => {
    const ws = await WebSocketWire3.session(quiet);
    for (const packet of ['2', '2hi', '2probe']) {
      ws.sendText(packet);
      await ws.text('3');
    }
    ws.destroy();
  });

  test('V305 polling: the same, several in a body, in order with messages', async () => {
    const session = await Polling3.open(quiet);
    await session.send('2', '4a', '2', '4b', '2');
    await session.receive('3', '4a', '3', '4b', '3');
    await session.sendOctets('2', Buffer.from([1]));
    await session.receive('3', Buffer.from([1]));
  });

  test('V305 the server sends no pings', async () => {
    const ws = await WebSocketWire3.session(exact);
    await sleep(INTERVAL + 100);
    assert.equal(ws.wire.buffered, 0);
    ws.destroy();
  });

  test('V305 silent over a websocket: closed at interval + timeout', async () => {
    const start = now();
    const ws = await WebSocketWire3.session(exact);
    await ws.gone();
    assertNotBefore(start, INTERVAL + TIMEOUT);
  });

  test('V305 silent over polling: a waiting poll hears of it', async () => {
    const start = now();
    const session = await Polling3.open(exact);
    await session.receive('1');
    assertNotBefore(start, INTERVAL + TIMEOUT);
    await session.assertGone();
  });

  test('V305 messages do not count', async () => {
    const start = now();
    const ws = await WebSocketWire3.session(exact);
    const timer = setInterval(() => ws.sendText('4a'), 100);
    try {
      for (;;) {
        const { opcode } = await ws.frame();
        if (opcode === OP.CLOSE) break;
      }
    } finally {
      clearInterval(timer);
    }
    assertNotBefore(start, INTERVAL + TIMEOUT);
    ws.destroy();
  });

  test('V305 idle clients that ping stay, over either transport', async () => {
    const ws = await WebSocketWire3.session(exact);
    const session = await Polling3.open(exact);
    for (let i = 0; i < 5; i++) {
      await sleep(INTERVAL);
      ws.sendText('2');
      await ws.text('3');
      await session.send('2');
      await session.receive('3');
    }
    await ws.assertEchoes();
    await session.assertEchoes();
    ws.destroy();
  });

  test('V305 who pings after an upgrade stays', async () => {
    const session = await Polling3.open(exact);
    const ws = await upgrade3(session);
    for (let i = 0; i < 5; i++) {
      await sleep(INTERVAL);
      ws.sendText('2');
      await ws.text('3');
    }
    await ws.assertEchoes();
    ws.destroy();
  });

  test('V305 who is silent after an upgrade is closed', { skip: oursOnly('forgets the timer') }, async () => {
    const start = now();
    const session = await Polling3.open(exact);
    const ws = await upgrade3(session);
    await ws.gone();
    assertNotBefore(start, INTERVAL + TIMEOUT);
    assertError(await session.poll(), ...UNKNOWN_SID);
  });

  test('V305 the deadline after an upgrade is that of the last ping', { skip: oursOnly('forgets it') }, async () => {
    const session = await Polling3.open(exact);
    await sleep(200);
    const start = now();
    await session.send('2');
    await session.receive('3');
    const ws = await upgrade3(session);
    await ws.gone();
    assertNotBefore(start, INTERVAL + TIMEOUT);
  });

  test('V305 3 from a client is the wrong direction', async () => {
    const ws = await WebSocketWire3.session(quiet);
    ws.sendText('3');
    await ws.closed();
    const session = await Polling3.open(quiet);
    await session.send('4a', '3', '4b');
    await session.assertGone();
  });

  test('V305 v4 sessions of the same server are pinged', async () => {
    const session = await Polling.open(exact);
    await session.pollText('2');
    await session.postOk('3');
    const ws = await upgrade(session);
    await ws.text('2');
    ws.sendText('2');
    await ws.closed();
  });

  test('V305 pings without end and without a poll: bounded', { skip: oursOnly('keeps them all') }, async () => {
    const session = await Polling3.open(quiet);
    const body = encodeText(...Array(2000).fill('2'));
    for (let i = 0; i < 20; i++) await session.postOk(body);
    const packets = packetsOf(await session.poll());
    assert.ok(packets.length < 300, `${packets.length} answers`);
    await session.send('2');
    await session.receive('3');
    await settle(quiet);
  });
});
