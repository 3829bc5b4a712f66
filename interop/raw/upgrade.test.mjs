// From polling to websocket.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  OP, Polling, QUIET, RS, UNKNOWN_SID, WebSocketWire, assertError, encodeFrame, now, request, settle,
  upgrade,
} from '../support/raw.mjs';
import { isOfficial, oursOnly, startServer } from '../support/server.mjs';

const server = await startServer('eio4', QUIET);
const sio = await startServer('sio5', QUIET);
after(() => Promise.all([server.stop(), sio.stop()]));

const openProbe = (session) =>
  WebSocketWire.open(session.server, { path: session.path, query: { sid: session.sid } });

/** A websocket that has probed. */
async function probe(session) {
  const ws = await openProbe(session);
  ws.sendText('2probe');
  await ws.text('3probe');
  return ws;
}

describe('the way over', () => {
  test('UP01 probe, noop, 5; then messages go over the websocket', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    await session.pollText('6');
    ws.sendText('5');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('UP01 a message in the same segment as 5 is echoed', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    await session.pollText('6');
    ws.wire.write(Buffer.concat([encodeFrame(OP.TEXT, '5'), encodeFrame(OP.TEXT, '4next')]));
    await ws.text('4next');
    ws.destroy();
  });

  test('UP01 what waits at 5 is sent over the websocket, in order, before the new', async () => {
    const session = await Polling.open(server);
    const ws = await openProbe(session);
    await session.postOk(`4one${RS}bAQI=${RS}4two`);
    ws.sendText('2probe');
    await ws.text('3probe');
    ws.wire.write(Buffer.concat([encodeFrame(OP.TEXT, '5'), encodeFrame(OP.TEXT, '4three')]));
    await ws.text('4one');
    await ws.binary([1, 2]);
    await ws.text('4two');
    await ws.text('4three');
    ws.destroy();
  });

  test('UP01 5 without a probe', async () => {
    const session = await Polling.open(server);
    const ws = await openProbe(session);
    ws.sendText('5');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('UP01 a poll that waits at 5 is answered', async () => {
    const session = await Polling.open(server);
    const ws = await openProbe(session);
    const wire = await session.hold();
    ws.sendText('5');
    const { status, text } = await wire.response();
    assert.equal(status, 200);
    assert.ok(text === '1' || text === '6', text);
    await ws.assertEchoes();
    ws.destroy();
    wire.destroy();
  });

  test('UP02 a poll that waits is answered by 6 once the probe is through', async () => {
    const session = await Polling.open(server);
    const wire = await session.hold();
    const start = now();
    const ws = await probe(session);
    assert.equal((await wire.response()).text, '6');
    assert.ok(now() - start < 5000);
    ws.sendText('5');
    await ws.assertEchoes();
    ws.destroy();
    wire.destroy();
  });

  test('UP02 each poll until 5 is answered by 6', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    for (let i = 0; i < 3; i++) await session.pollText('6');
    ws.sendText('5');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('UP02 without a probe a poll is held', async () => {
    const session = await Polling.open(server);
    const ws = await openProbe(session);
    const wire = await session.hold();
    await session.postOk('4x');
    assert.equal((await wire.response()).text, '4x');
    wire.destroy();
    ws.destroy();
  });

  test('UP02 the probe may be repeated', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    ws.sendText('2probe');
    await ws.text('3probe');
    await session.pollText('6');
    ws.sendText('5');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('UP03 POSTs are served during the upgrade, each message comes once', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    const sent = Array.from({ length: 20 }, (_, i) => `4${i}`);
    for (const text of sent) await session.postOk(text);
    const got = (await session.packets(1)).filter((packet) => packet !== '6');
    ws.sendText('5');
    ws.sendText('4last');
    while (got.at(-1) !== '4last') got.push(await ws.text());
    assert.deepEqual(got, [...sent, '4last']);
    ws.destroy();
  });

  test('UP03 a POST that is under way at 5', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    await session.pollText('6');
    const post = session.post('4posted');
    await post;
    ws.sendText('5');
    await ws.text('4posted');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('UP03 many sessions upgrade at a time', async () => {
    const sessions = await Promise.all(Array.from({ length: 25 }, () => Polling.open(server)));
    await Promise.all(
      sessions.map(async (session, i) => {
        await session.postOk(`4a${i}`);
        const ws = await openProbe(session);
        ws.sendText('2probe');
        await ws.text('3probe');
        const got = [];
        while (!got.includes('6')) got.push(...(await session.packets(1)));
        ws.sendText('5');
        await ws.assertEchoes(`4b${i}`);
        assert.deepEqual(got.filter((packet) => packet !== '6'), [`4a${i}`]);
        ws.destroy();
      }),
    );
  });

  test('UP04 a binary event that begins on polling and ends on the websocket', async () => {
    const session = await Polling.open(sio, { path: '/socket.io/' });
    await session.postOk('40');
    await session.packets(2); // CONNECT, then the event `auth`
    const data = '["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';
    await session.postOk(`452-${data.replace('message-back', 'message')}${RS}bAQID`);
    const ws = await upgrade(session);
    ws.send(OP.BINARY, [4, 5, 6]);
    await ws.text(`452-${data}`);
    await ws.binary([1, 2, 3]);
    await ws.binary([4, 5, 6]);
    ws.destroy();
  });

  test('UP04 an answer with attachments that waits during the upgrade', async () => {
    const session = await Polling.open(sio, { path: '/socket.io/' });
    await session.postOk('40');
    await session.packets(2);
    const ws = await openProbe(session);
    await session.postOk(`451-["message",{"_placeholder":true,"num":0}]${RS}bAQID`);
    ws.sendText('5');
    await ws.text('451-["message-back",{"_placeholder":true,"num":0}]');
    await ws.binary([1, 2, 3]);
    ws.destroy();
  });
});

describe('what fails', () => {
  test('UP05 a probe that never comes to an end is closed, polling goes on', async () => {
    const own = await startServer('eio4', { ...QUIET, 'upgrade-timeout': 300 });
    try {
      const session = await Polling.open(own);
      for (const text of [null, '2probe']) {
        const start = now();
        const ws = await openProbe(session);
        if (text) {
          ws.sendText(text);
          await ws.text('3probe');
        }
        await ws.gone();
        assert.ok(now() - start >= 295, `closed after ${now() - start} ms`);
        await session.assertEchoes();
      }
    } finally {
      await own.stop();
    }
  });

  test('UP05 an upgrade that is done is not closed by it', async () => {
    const own = await startServer('eio4', { ...QUIET, 'upgrade-timeout': 700 });
    try {
      const session = await Polling.open(own);
      const ws = await openProbe(session);
      ws.sendText('5');
      await ws.assertEchoes();
      await new Promise((done) => setTimeout(done, 1000));
      await ws.assertEchoes();
      ws.destroy();
    } finally {
      await own.stop();
    }
  });

  const WRONG = ['2', '3', '3probe', '4message', '1', '0', '6', '2prob', '2probes', '', 'abc', 'bAQID'];

  for (const text of WRONG) {
    test(`UP06 ${JSON.stringify(text)} in place of a probe: closed, polling goes on`, async () => {
      const session = await Polling.open(server);
      const ws = await openProbe(session);
      ws.sendText(text);
      await ws.gone();
      await session.assertEchoes();
    });
  }

  test('UP06 binary in place of a probe', async () => {
    const session = await Polling.open(server);
    const ws = await openProbe(session);
    ws.send(OP.BINARY, '2probe');
    await ws.gone();
    await session.assertEchoes();
  });

  test('UP06 a message behind the probe: closed, polling goes on', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    ws.sendText('4early');
    await ws.gone();
    await session.assertEchoes();
  });

  test('UP06 a broken frame in place of a probe', async () => {
    const session = await Polling.open(server);
    const ws = await openProbe(session);
    ws.send(OP.TEXT, '2probe', { rsv: 1 });
    await ws.closed(1002);
    await session.assertEchoes();
  });

  for (const how of ['finish', 'destroy', 'abort']) {
    test(`UP06 a probe that goes away (${how}): polling goes on, another may come`, async () => {
      const session = await Polling.open(server);
      const ws = await probe(session);
      ws.wire[how]();
      await settle(server);
      await session.assertEchoes();
      await (await upgrade(session)).assertEchoes();
    });
  }

  test('UP06 after a failed attempt another succeeds', async () => {
    const session = await Polling.open(server);
    const ws = await openProbe(session);
    ws.sendText('4x');
    await ws.gone();
    await settle(server);
    const again = await upgrade(session);
    await again.assertEchoes();
    again.destroy();
  });

  test('UP06 a second websocket during the upgrade: 101, closed; the first goes on', async () => {
    const session = await Polling.open(server);
    const first = await probe(session);
    const second = await openProbe(session);
    await second.closed(undefined);
    await session.pollText('6');
    first.sendText('5');
    await first.assertEchoes();
    first.destroy();
  });

  test('UP06 a session that closes takes the probe with it', async () => {
    const session = await Polling.open(server);
    const ws = await probe(session);
    await session.postOk('1');
    await ws.gone();
    assertError(await session.post('4x'), ...UNKNOWN_SID);
  });

  test('UP06 a session that began as a websocket', async () => {
    const first = await WebSocketWire.session(server);
    const second = await WebSocketWire.open(server, { query: { sid: first.sid } });
    if (isOfficial) second.sendText('4x'); // it may take the session over
    await second.gone();
    await first.assertEchoes();
    first.destroy();
  });

  test('UP07 after the upgrade GET and POST get 400 code 3', async () => {
    const session = await Polling.open(server);
    const ws = await upgrade(session);
    await ws.assertEchoes();
    assertError(await session.poll(), 400, 3, 'Bad request');
    assertError(await session.post('4x'), 400, 3, 'Bad request');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('UP07 a second websocket: 101, then a close frame without a code', async () => {
    const session = await Polling.open(server);
    const ws = await upgrade(session);
    await ws.assertEchoes();
    const second = await openProbe(session);
    await second.closed(undefined);
    await ws.assertEchoes();
    ws.destroy();
  });

  test('UP07 when the websocket ends, so does the session', async () => {
    const session = await Polling.open(server);
    const ws = await upgrade(session);
    await ws.assertEchoes();
    ws.send(OP.CLOSE, '');
    await ws.closed(undefined);
    await settle(server);
    await session.assertGone();
    const response = await request(server, { target: session.target() });
    assertError(response, ...UNKNOWN_SID);
  });
});

describe('heartbeat', { concurrency: true }, () => {
  async function withServer(options, run) {
    const own = await startServer('eio4', options);
    try {
      await run(own);
    } finally {
      await own.stop();
    }
  }

  test('UP09 pings go on over the websocket', () =>
    withServer({ 'ping-interval': 200, 'ping-timeout': 20_000 }, async (own) => {
      const session = await Polling.open(own);
      const ws = await openProbe(session);
      ws.sendText('2probe');
      await ws.text('3probe');
      ws.sendText('5');
      for (let i = 0; i < 3; i++) {
        await ws.text('2');
        ws.sendText('3');
      }
      ws.sendText('4x');
      const texts = [await ws.text(), await ws.text()];
      assert.ok(texts.includes('4x'));
      ws.destroy();
    }));

  const lost = oursOnly('loses the timer');

  test('UP09 a ping that is out at 5 still has its timeout', { skip: lost }, () =>
    withServer({ 'ping-interval': 200, 'ping-timeout': 1500 }, async (own) => {
      const start = now();
      const session = await Polling.open(own);
      await session.pollText('2');
      const ws = await openProbe(session);
      ws.sendText('5');
      await ws.gone();
      assert.ok(now() - start >= 1698, `closed after ${now() - start} ms`);
      await session.assertGone();
    }));

  test('UP09 a ping that is out at 5 may be answered over the websocket', { skip: lost }, () =>
    withServer({ 'ping-interval': 200, 'ping-timeout': 5000 }, async (own) => {
      const session = await Polling.open(own);
      await session.pollText('2');
      const ws = await openProbe(session);
      ws.sendText('5');
      ws.sendText('3');
      await ws.text('2');
      ws.destroy();
    }));

  test('UP09 silence after the upgrade ends the session', () =>
    withServer({ 'ping-interval': 600, 'ping-timeout': 400 }, async (own) => {
      const start = now();
      const session = await Polling.open(own);
      const ws = await openProbe(session);
      ws.sendText('5');
      await ws.text('2');
      await ws.gone();
      assert.ok(now() - start >= 998);
      await session.assertGone();
    }));
});
