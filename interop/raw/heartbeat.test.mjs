// Pings and their timeouts, closing in both directions, and what waits.  A
// deadline may be met late, but never early.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  OP, Polling, QUIET, RS, UNKNOWN_SID, WebSocketWire, Wire, assertError, encodeRequest, now, request,
  settle, splitPayload,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const INTERVAL = 300;
const TIMEOUT = 1000; // a machine with other things to do still polls within it
const SLACK = 2; // ms that clocks of two processes may differ

const exact = await startServer('eio4', { 'ping-interval': INTERVAL, 'ping-timeout': TIMEOUT });
const patient = await startServer('eio4', { 'ping-interval': INTERVAL, 'ping-timeout': 20_000 });
const quiet = await startServer('eio4', QUIET);
const sio = await startServer('sio5', QUIET);
const servers = [exact, patient, quiet, sio];
after(() => Promise.all(servers.map((server) => server.stop())));

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function assertNotBefore(start, ms) {
  const took = now() - start;
  assert.ok(took >= ms - SLACK, `after ${took} ms, not before ${ms}`);
}

/** Asks for a session, as a websocket would, until it is unknown. */
async function untilGone(server, sid, path = '/engine.io/') {
  const target = `${path}?EIO=4&transport=websocket&sid=${sid}`;
  for (const start = now(); now() - start < 10_000; ) {
    const response = await request(server, { target });
    assert.equal(response.status, 400);
    if (JSON.parse(response.text).code === 1) return;
    await sleep(10);
  }
  assert.fail('the session is still there');
}

describe('pings', { concurrency: true }, () => {
  test('HB01 polling: a poll answer is exactly 2, three rounds', async () => {
    let start = now();
    const session = await Polling.open(patient);
    for (let i = 0; i < 3; i++) {
      await session.pollText('2');
      assertNotBefore(start, INTERVAL);
      start = now();
      await session.postOk('3');
    }
  });

  test('HB01 websocket: three rounds', async () => {
    let start = now();
    const ws = await WebSocketWire.session(patient);
    for (let i = 0; i < 3; i++) {
      await ws.text('2');
      assertNotBefore(start, INTERVAL);
      start = now();
      ws.sendText('3');
    }
    ws.destroy();
  });

  test('HB01 messages do not put off the ping', async () => {
    const ws = await WebSocketWire.session(patient);
    const timer = setInterval(() => ws.sendText('4x'), 20);
    try {
      while ((await ws.text()) !== '2');
    } finally {
      clearInterval(timer);
    }
    ws.destroy();
  });

  test('HB01 a pong nobody asked for starts the interval anew', async () => {
    const ws = await WebSocketWire.session(patient);
    await sleep(INTERVAL / 2);
    const start = now();
    ws.sendText('3').sendText('4mark');
    // A ping that was under way when the pong came proves nothing.
    if ((await ws.text()) === '4mark') {
      await ws.text('2');
      assertNotBefore(start, INTERVAL);
    }
    ws.destroy();
  });

  test('HB02 polling: no pong, session closed at interval + timeout and not before', async () => {
    const start = now();
    const session = await Polling.open(exact);
    await untilGone(exact, session.sid);
    assertNotBefore(start, INTERVAL + TIMEOUT);
    await session.assertGone();
  });

  test('HB02 polling: interval + timeout after the answer to the handshake the next poll is 400', async () => {
    const session = await Polling.open(exact);
    await sleep(INTERVAL + TIMEOUT);
    for (let tries = 0; ; tries++) {
      const response = await session.poll();
      if (response.status === 400) return assertError(response, ...UNKNOWN_SID);
      assert.ok(tries < 5, 'the session outlives its timeout');
    }
  });

  test('HB02 polling: a poll that waits is answered, with the ping and then the end', async () => {
    const start = now();
    const session = await Polling.open(exact);
    await session.pollText('2');
    const last = await session.poll();
    assertNotBefore(start, INTERVAL + TIMEOUT);
    if (last.status === 200) assert.equal(last.text, '1');
    else assertError(last, ...UNKNOWN_SID);
    await session.assertGone();
  });

  test('HB02 websocket: no pong, the connection ends', async () => {
    const start = now();
    const ws = await WebSocketWire.session(exact);
    await ws.text('2');
    await ws.gone();
    assertNotBefore(start, INTERVAL + TIMEOUT);
    await untilGone(exact, ws.sid);
  });

  test('HB02 a peer that answers no close frame either is let go', { skip: oursOnly('waits for 30 s') }, async () => {
    const own = await startServer('eio4', { 'close-timeout': 300 });
    try {
      const ws = await WebSocketWire.session(own);
      await ws.text('2');
      await ws.wire.ended();
    } finally {
      await own.stop();
    }
  });

  test('HB02 websocket pongs are not Engine.IO pongs', async () => {
    const ws = await WebSocketWire.session(exact);
    await ws.text('2');
    ws.send(OP.PONG, '2');
    await ws.gone();
  });

  test('HB03 another packet while a pong is awaited restarts the timeout, once', async (t) => {
    const own = await startServer('eio4', { 'ping-interval': INTERVAL, 'ping-timeout': 3 * TIMEOUT });
    t.after(own.stop);
    const ws = await WebSocketWire.session(own);
    await ws.text('2');
    await sleep(500);
    const restart = now();
    ws.sendText('4x');
    await ws.text('4x');
    // Packets without end put it off no further.
    const timer = setInterval(() => ws.sendText('4y'), 100);
    try {
      for (;;) {
        const { opcode } = await ws.frame();
        if (opcode === OP.CLOSE) break;
      }
    } finally {
      clearInterval(timer);
    }
    assertNotBefore(restart, 3 * TIMEOUT);
    ws.destroy();
  });

  for (const text of ['2', '2probe', '2x']) {
    test(`HB04 ${text} over polling closes the session`, async () => {
      const session = await Polling.open(quiet);
      await session.postOk(text);
      await session.assertGone();
    });

    test(`HB04 ${text} over a websocket closes the session`, async () => {
      const ws = await WebSocketWire.session(quiet);
      ws.sendText(text);
      await ws.gone();
      await untilGone(quiet, ws.sid);
    });
  }

  test('HB08 a peer that is silent, its poll waiting, is found out', async () => {
    const session = await Polling.open(exact);
    await session.pollText('2');
    await session.poll();
    await session.assertGone();
  });

  for (const how of ['destroy', 'abort']) {
    test(`HB08 a websocket that is lost (${how}) ends the session at once`, async () => {
      const ws = await WebSocketWire.session(quiet);
      await ws.assertEchoes();
      ws.wire[how]();
      await untilGone(quiet, ws.sid);
    });
  }
});

describe('closing', () => {
  test('HB05 1 while a poll waits: the poll gets 6, session closed', async () => {
    const session = await Polling.open(quiet);
    const wire = await session.hold();
    await session.postOk('1');
    const { status, text } = await wire.response();
    assert.equal(status, 200);
    assert.equal(text, '6');
    await session.assertGone();
    wire.destroy();
  });

  test('HB05 1 while no poll waits: session closed', async () => {
    const session = await Polling.open(quiet);
    await session.postOk('1');
    await session.assertGone();
  });

  test('HB05 packets before 1 count, packets behind it do not', async () => {
    const session = await Polling.open(quiet);
    const wire = await session.hold();
    await session.postOk(`4before${RS}1${RS}4behind`);
    const packets = splitPayload((await wire.response()).text);
    assert.equal(packets[0], '4before');
    assert.ok(!packets.includes('4behind'));
    await session.assertGone();
    wire.destroy();
  });

  test('HB06 a server that stops answers a poll that waits with 1', async () => {
    const own = await startServer('eio4', QUIET);
    const session = await Polling.open(own);
    const wire = await session.hold();
    const stopped = own.stop();
    const { status, text } = await wire.response();
    assert.equal(status, 200);
    assert.equal(text, '1');
    wire.destroy();
    await stopped;
  });

  test('HB06 it closes a websocket without a code, and a probe', async () => {
    const own = await startServer('eio4', QUIET);
    const ws = await WebSocketWire.session(own);
    const session = await Polling.open(own);
    const probe = await WebSocketWire.open(own, { query: { sid: session.sid } });
    probe.sendText('2probe');
    await probe.text('3probe');
    const stopped = own.stop();
    await ws.closed(undefined);
    await probe.gone();
    await stopped;
  });

  test('HB06 it stops with sessions that nobody polls for', async () => {
    const own = await startServer('eio4', QUIET);
    for (let i = 0; i < 10; i++) await (await Polling.open(own)).postOk('4x');
    await own.stop();
  });

  const skip = oursOnly('waits for what it was sent');
  test('HB06 it stops in the middle of requests', { skip }, async () => {
    const own = await startServer('eio4', { ...QUIET, 'close-timeout': 500 });
    const session = await Polling.open(own);
    const wires = [];
    for (const bytes of ['GET /hel', `POST ${session.target()} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n4`]) {
      const wire = await Wire.open(own);
      wire.write(bytes);
      wires.push(wire);
    }
    await settle(own);
    await own.stop();
    for (const wire of wires) wire.destroy();
  });

  test('HB06 closed by the server with no poll waiting: the next gets 6 and 1', async () => {
    const session = await Polling.open(sio, { path: '/socket.io/' });
    await session.postOk('4abc');
    const packets = [];
    for (;;) {
      const response = await session.poll();
      if (response.status === 400) {
        assertError(response, ...UNKNOWN_SID);
        break;
      }
      packets.push(...splitPayload(response.text));
    }
    assert.deepEqual(packets, ['6', '1']);
  });

  test('HB06 closed by the server while a poll waits: it gets 1', async () => {
    const session = await Polling.open(sio, { path: '/socket.io/' });
    const wire = await session.hold();
    await session.postOk('4abc');
    assert.equal((await wire.response()).text, '1');
    await session.assertGone();
    wire.destroy();
  });

  test('HB06 closed by the server over a websocket: close frame without a code', async () => {
    const ws = await WebSocketWire.session(sio, { path: '/socket.io/' });
    ws.sendText('4abc');
    await ws.closed(undefined);
    await untilGone(sio, ws.sid, '/socket.io/');
  });

  test('HB07 what waits is delivered before a close', async () => {
    const session = await Polling.open(sio, { path: '/socket.io/' });
    await session.postOk('40');
    await session.postOk('4abc');
    const packets = [];
    for (;;) {
      const response = await session.poll();
      if (response.status === 400) break;
      packets.push(...splitPayload(response.text));
    }
    assert.match(packets[0], /^40\{"sid":"[^"]+"\}$/);
    assert.equal(packets[1], '42["auth",{}]');
    assert.deepEqual(packets.slice(2).filter((packet) => packet !== '6' && packet !== '1'), []);
  });

  test('HB07 also over a websocket that is read late', async () => {
    const ws = await WebSocketWire.session(sio, { path: '/socket.io/' });
    ws.sendText('40');
    assert.match(await ws.text(), /^40\{/);
    await ws.text('42["auth",{}]');
    ws.wire.pause();
    const sent = Array.from({ length: 20 }, (_, i) => `${i} ${'x'.repeat(100_000)}`);
    for (const text of sent) ws.sendText(`42["message","${text}"]`);
    await settle(sio);
    ws.sendText('4abc');
    await settle(sio);
    ws.wire.resume();
    for (const text of sent) await ws.text(`42["message-back","${text}"]`);
    await ws.closed(undefined);
  });
});

describe('what waits', () => {
  test('HB09 nothing is lost while nobody polls', async () => {
    const session = await Polling.open(quiet);
    const sent = Array.from({ length: 100 }, (_, i) => `4${i} ${'x'.repeat(i * 10)}`);
    for (const text of sent) await session.postOk(text);
    assert.deepEqual(await session.packets(sent.length), sent);
  });

  test('HB09 nothing is lost while a websocket does not read', async () => {
    const ws = await WebSocketWire.session(quiet);
    ws.wire.pause();
    const sent = Array.from({ length: 30 }, (_, i) => `4${i} ${'x'.repeat(100_000)}`);
    for (const text of sent) ws.sendText(text);
    await settle(quiet);
    ws.wire.resume();
    for (const text of sent) await ws.text(text);
    ws.destroy();
  });

  test('HB09 nothing is lost while a poll is read slowly', async () => {
    const session = await Polling.open(quiet);
    const text = '4' + 'x'.repeat(900_000);
    for (let i = 0; i < 3; i++) await session.postOk(text);
    const wire = await Wire.open(quiet);
    wire.pause();
    wire.write(encodeRequest(quiet, { target: session.target() }));
    await settle(quiet);
    wire.resume();
    assert.equal((await wire.response()).text, [text, text, text].join(RS));
    wire.destroy();
    await session.assertEchoes();
  });

  test('HB09 --max-backlog: who does not read is let go', { skip: oursOnly('has no such limit') }, async () => {
    const own = await startServer('eio4', { ...QUIET, 'max-backlog': 100_000 });
    try {
      const session = await Polling.open(own);
      const text = '4' + 'x'.repeat(30_000);
      let response;
      for (let i = 0; i < 5; i++) response = await session.post(text);
      assertError(response, ...UNKNOWN_SID);
      await session.assertGone();

      const ws = await WebSocketWire.session(own);
      ws.wire.pause();
      for (let i = 0; i < 1000; i++) ws.sendText(text);
      await untilGone(own, ws.sid);
      ws.destroy();
      await (await Polling.open(own)).assertEchoes();
    } finally {
      await own.stop();
    }
  });
});
