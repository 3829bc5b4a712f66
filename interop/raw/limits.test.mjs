// Limits by address and by session, on real sockets: what is refused, what is
// held back, and that nobody else notices.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  OP, Polling, QUIET, WebSocketWire, Wire, encodeRequest, now, request, requestUpgrade, upgrade,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const skip = oursOnly('has no such limits');

/** Runs with a server of its own. */
const limited = (name, options, run, profile = 'eio4') =>
  test(name, { skip }, async () => {
    const server = await startServer(profile, { ...QUIET, ...options });
    try {
      await run(server);
    } finally {
      await server.stop();
    }
  });

const logged = (server, event) => server.stderr().split('\n').filter((line) => line.includes(` ${event} `)).length;

/** Waits for a line of the log, which may be on its way. */
async function told(server, line) {
  const start = now();
  while (!line.test(server.stderr())) {
    assert.ok(now() - start < 5000, `no ${line} in ${server.stderr()}`);
    await sleep(10);
  }
}

const handshake = (server, headers = {}) =>
  request(server, { target: '/engine.io/?EIO=4&transport=polling', headers });

/** Handshakes in one segment, so that no time passes between them: what each
 *  gets, up to the first that is refused. */
async function burst(server, list) {
  const wire = await Wire.open(server);
  const target = '/engine.io/?EIO=4&transport=polling';
  wire.write(Buffer.concat(list.map((headers) => encodeRequest(server, { target, headers }))));
  const answers = [];
  while (answers.length < list.length) {
    answers.push(await wire.response());
    if (answers.at(-1).status !== 200) break;
  }
  wire.destroy();
  return answers;
}

const statuses = (answers) => answers.map(({ status }) => status);
const from = (address) => ({ 'X-Forwarded-For': address });

describe('by address', () => {
  for (const threads of [1, 3]) {
    limited(`OP01 connections of an address, ${threads} threads`, { threads, 'max-connections-per-address': 5 },
      async (server) => {
        const open = [];
        for (let i = 0; i < 5; i++) open.push(await Wire.open(server));
        for (const wire of open) {
          wire.write(encodeRequest(server, { target: '/hello' }));
          assert.equal((await wire.response()).text, 'hello');
        }
        for (let i = 0; i < 3; i++) await (await Wire.open(server)).endedSilently();
        await told(server, /connection_limit address 127\.0\.0\.1: too many connections/);
        assert.equal(logged(server, 'connection_limit'), 1);
        open[0].destroy();
        await sleep(100);
        assert.equal((await request(server, { target: '/hello' })).text, 'hello');
        // Those that have moved to a WebSocket, or to another loop, count too.
        open[1].destroy();
        await sleep(100);
        const ws = await WebSocketWire.session(server);
        await ws.assertEchoes();
        for (const wire of open) wire.destroy();
        ws.destroy();
        await sleep(100);
        for (let i = 0; i < 20; i++) assert.equal((await handshake(server)).status, 200);
      });
  }

  limited('OP01 handshakes of an address', { 'handshakes-per-address': 1, 'handshakes-per-address-burst': 3 },
    async (server) => {
      const answers = await burst(server, [{}, {}, {}, {}]);
      assert.deepEqual(statuses(answers), [200, 200, 200, 429]);
      const refused = answers.at(-1);
      assert.equal(refused.header('retry-after'), '1');
      assert.equal(refused.header('connection'), 'close');
      await burst(server, [{}, {}, {}, {}]); // whatever was earned meanwhile
      const { wire, response } = await requestUpgrade(server);
      assert.equal(response.status, 429);
      assert.equal(response.header('retry-after'), '1');
      await wire.endedSilently();
      await sleep(1100);
      const session = await Polling.open(server);
      await session.assertEchoes(); // what a session asks for is no handshake
      (await upgrade(session)).destroy();
    });

  limited('OP01 handshakes and sessions of an address that a proxy tells of', {
    trust: '127.0.0.1', 'handshakes-per-address': 1, 'handshakes-per-address-burst': 2, 'max-sessions-per-address': 3,
  }, async (server) => {
    const [one, two] = [from('192.0.2.1'), from('192.0.2.2')];
    assert.deepEqual(statuses(await burst(server, [one, one, two, one])), [200, 200, 200, 429]);
    await sleep(2100);
    assert.equal((await handshake(server, from('192.0.2.1'))).status, 200);
    const refused = await handshake(server, from('192.0.2.1'));
    assert.equal(refused.status, 429);
    assert.equal(refused.header('retry-after'), '10');
    await told(server, /session_limit address 192\.0\.2\.1: /);
  });

  limited('OP01 who is not trusted takes nobody else\'s address', { 'handshakes-per-address': 1 }, async (server) => {
    const answers = await burst(server, [from('192.0.2.1'), from('192.0.2.2')]);
    assert.deepEqual(statuses(answers), [200, 429]);
  });

  for (const threads of [1, 3]) {
    limited(`OP01 sessions of an address end, ${threads} threads`, { threads, 'max-sessions-per-address': 4 },
      async (server) => {
        for (let round = 0; round < 5; round++) {
          const all = [];
          for (let i = 0; i < 4; i++) all.push(await WebSocketWire.session(server));
          assert.equal((await handshake(server)).status, 429);
          for (const ws of all) ws.destroy();
          await sleep(100);
        }
      });
  }

  limited('OP01 handshakes of all, with CORS headers', { 'handshakes': 1, 'handshakes-burst': 2, 'cors-origin': '*' },
    async (server) => {
      const answers = await burst(server, [{}, {}, { Origin: 'http://a.example' }]);
      assert.deepEqual(statuses(answers), [200, 200, 503]);
      const refused = answers.at(-1);
      assert.equal(refused.header('retry-after'), '1');
      assert.equal(refused.header('access-control-allow-origin'), '*');
    });
});

describe('by session', () => {
  limited('OP01 a WebSocket that sends too much is read more slowly', { packets: 200, 'packets-burst': 50 },
    async (server) => {
      const [loud, calm] = [await WebSocketWire.session(server), await WebSocketWire.session(server)];
      const start = now();
      for (let i = 0; i < 450; i++) loud.sendText(`4${i}`);
      await calm.assertEchoes();
      for (let i = 0; i < 450; i++) await loud.text(`4${i}`, { limit: 20_000 });
      // Another packet is not read before the others have been made up for.
      await loud.assertEchoes();
      const took = now() - start;
      assert.ok(took > 1800, `${took} ms for 451 packets, at 200 in a second`);
      await told(server, new RegExp(`rate_limit sid ${loud.sid}, address 127\\.0\\.0\\.1: .*throttled`));
      loud.destroy();
      calm.destroy();
    });

  limited('OP01 a POST with too much is answered later', { packets: 100, 'packets-burst': 50 }, async (server) => {
    const session = await Polling.open(server);
    const start = now();
    await session.postOk(Array(100).fill('4x').join('\x1e'));
    assert.ok(now() - start > 400, 'half a second for 50 packets too many');
    await session.pollText(Array(100).fill('4x').join('\x1e'));
    await session.assertEchoes();
    // While it waits a poll is answered, and the end of it ends the session.
    const wire = await Wire.open(server);
    wire.write(encodeRequest(server, {
      method: 'POST', target: session.target(), body: Array(150).fill('4y').join('\x1e'),
      headers: { 'Content-Type': 'text/plain' },
    }));
    await session.pollText(Array(150).fill('4y').join('\x1e'));
    wire.destroy();
    await sleep(100);
    await session.assertGone();
  });

  limited('OP01 a session that is closed while its POST waits', { packets: 100, 'packets-burst': 50 },
    async (server) => {
      const session = await Polling.open(server);
      const wire = await Wire.open(server);
      wire.write(encodeRequest(server, {
        method: 'POST', target: session.target(), body: Array(150).fill('4y').join('\x1e'),
        headers: { 'Content-Type': 'text/plain' },
      }));
      await session.pollText();
      await (await session.hold()).abort();
      assert.equal((await wire.response({ method: 'POST' })).text, 'ok');
    });

  limited('OP01 an upgrade while a POST waits', { packets: 100, 'packets-burst': 50 }, async (server) => {
    const session = await Polling.open(server);
    const ws = await WebSocketWire.open(server, { query: { sid: session.sid } });
    ws.sendText('2probe');
    await ws.text('3probe');
    const wire = await Wire.open(server);
    wire.write(encodeRequest(server, {
      method: 'POST', target: session.target(), body: Array(150).fill('4y').join('\x1e'),
      headers: { 'Content-Type': 'text/plain' },
    }));
    await session.pollText();
    const start = now();
    ws.sendText('5');
    assert.equal((await wire.response({ method: 'POST' })).text, 'ok');
    ws.sendText('4x');
    await ws.text('4x');
    assert.ok(now() - start > 500, 'the WebSocket is held back in its place');
    ws.destroy();
  });

  limited('OP01 far too much ends the session', { bytes: 1000, 'bytes-burst': 2000 }, async (server) => {
    const ws = await WebSocketWire.session(server);
    ws.sendText('4' + 'x'.repeat(20_000));
    await ws.gone();
    await told(server, /rate_limit .*closed/);
  });

  limited('OP01 or any of it', { packets: 10, 'rate-policy': 'disconnect' }, async (server) => {
    const ws = await WebSocketWire.session(server);
    for (let i = 0; i < 10; i++) ws.sendText('4x');
    for (let i = 0; i < 10; i++) await ws.text('4x');
    for (let i = 0; i < 5; i++) ws.sendText('4x');
    await ws.gone();
    const calm = await WebSocketWire.session(server);
    await calm.assertEchoes();
    calm.destroy();
  });

  limited('OP01 or it is only told of', { packets: 10, 'rate-policy': 'warn' }, async (server) => {
    const ws = await WebSocketWire.session(server);
    for (let i = 0; i < 100; i++) ws.sendText('4x');
    for (let i = 0; i < 100; i++) await ws.text('4x');
    await told(server, /rate_limit .*let through/);
    assert.equal(logged(server, 'rate_limit'), 1);
    ws.destroy();
  });

  limited('OP01 GHSA-55mf-67qm-4wpg attachments that do not come', { 'attachment-timeout': 300, 'connect-timeout': 60_000 },
    async (server) => {
      const ws = await WebSocketWire.session(server, { path: '/socket.io/' });
      ws.sendText('40');
      await ws.text();
      await ws.text();
      const start = now();
      ws.sendText('452-["message",{"_placeholder":true,"num":0}]').send(OP.BINARY, [1]);
      await ws.gone();
      assert.ok(now() - start > 250 && now() - start < 3000);
    }, 'sio5');
});
