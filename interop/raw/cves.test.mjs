// Weaknesses that were published of servers like this one, of the engines and
// parsers below them: what our server does with the same kind of input.  The
// id stands in the name of each test.  Those that need no socket are in
// test/test_cves.c; those of HTTP in cves-http.test.mjs.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateRawSync } from 'node:zlib';
import {
  OP, Polling, QUIET, WebSocketWire, Wire, assertError, assertUpgradeRefused, closePayload, encodeFrame, encodeRequest,
  exchange, now, request, requestUpgrade, settle, upgrade, upgradeHeaders,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const skip = oursOnly('each id tells the release that was mended');
const eio = await startServer('eio4', QUIET);
const sio = await startServer('sio5', QUIET);
const deflate = await startServer('eio4', { ...QUIET, deflate: true });
after(() => Promise.all([eio.stop(), sio.stop(), deflate.stop()]));

const hostile = (name, run, options = {}) => test(name, { skip, ...options }, run);

const files = (server) => readdirSync(`/proc/${server.pid}/fd`).length;
const threads = (server) => readdirSync(`/proc/${server.pid}/task`).length;

/** Bytes of memory that are in use, without what a sanitizer sets apart. */
const resident = (server) =>
  Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))[1]) * 1024;

/** Waits until `look` gives true. */
async function until(look, what, limit = 10_000) {
  for (const start = now(); !look(); await sleep(20)) assert.ok(now() - start < limit, what);
}

async function joined(server = sio) {
  const ws = await WebSocketWire.session(server, { path: '/socket.io/' });
  ws.sendText('40');
  await ws.text();
  await ws.text('42["auth",{}]');
  return ws;
}

async function echoes(ws) {
  ws.sendText('42["message","still here"]');
  await ws.text('42["message-back","still here"]');
}

/** Fails unless each text closes its connection, and no other. */
async function closes(packets, also = '') {
  const bystander = await joined();
  for (const packet of packets) {
    const ws = await joined();
    ws.sendText(packet);
    if (also) ws.send(OP.BINARY, also);
    await ws.gone();
  }
  await echoes(bystander);
  bystander.destroy();
}

/** The server is as it was. */
async function fit(server = eio) {
  const session = await Polling.open(server, server === sio ? { path: '/socket.io/' } : {});
  assert.equal(session.sid.length, 20);
}

describe('Engine.IO', () => {
  hostile('CVE-2017-16031 GHSA-qv2v-m59f-v5fw ids cannot be guessed', async () => {
    const sids = [];
    for (let i = 0; i < 20; i++) {
      const sessions = Array.from({ length: 50 }, () => Polling.open(eio));
      sids.push(...(await Promise.all(sessions)).map(({ sid }) => sid));
    }
    assert.equal(new Set(sids).size, sids.length);
    for (let at = 0; at < 20; at++) {
      const seen = new Set(sids.map((sid) => sid[at]));
      assert.ok(seen.size > 55, `character ${at} has ${seen.size} values of 64`);
    }
  });

  hostile('CVE-2020-28481 GHSA-fxwf-4rqh-v8g3 no origin is allowed unless the server is told to', async () => {
    const target = '/engine.io/?EIO=4&transport=polling';
    const headers = { Origin: 'http://evil.example' };
    const { status, headers: got } = await request(eio, { target, headers });
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(got).filter((name) => name.startsWith('access-control')), []);
    const own = await startServer('eio4', {
      ...QUIET, 'cors-origin': 'http://a.example,http://*.b.example', 'cors-credentials': true,
    });
    try {
      for (const [origin, expected] of [
        ['http://a.example', 'http://a.example'], ['http://a.example.evil', undefined], ['http://xa.example', undefined],
        ['null', undefined], ['http://b.example.evil', undefined], ['http://evilb.example', undefined],
      ]) {
        const answer = await request(own, { target, headers: { Origin: origin } });
        assert.equal(answer.header('access-control-allow-origin'), expected, origin);
        assert.match(answer.header('vary'), /origin/i);
      }
    } finally {
      await own.stop();
    }
  });

  hostile('CVE-2020-36048 GHSA-j4f2-536g-r55m a body is bounded while it comes, and its chunks cost no more', async () => {
    const small = await startServer('eio4', { ...QUIET, 'max-payload': 200_000 });
    try {
      const one = await Polling.open(small);
      const wire = await Wire.open(small);
      const fields = { 'Content-Type': 'text/plain', 'Transfer-Encoding': 'chunked' };
      wire.write(encodeRequest(small, { method: 'POST', target: one.target(), headers: fields }));
      wire.write('1\r\n4\r\n' + '1\r\nx\r\n'.repeat(200_000));
      assert.equal((await wire.response({ method: 'POST' })).status, 413);
      await wire.ended();
      const times = [];
      for (const count of [25_000, 100_000]) {
        const session = await Polling.open(small);
        const body = Buffer.from('1\r\n4\r\n' + '1\r\nx\r\n'.repeat(count) + '0\r\n\r\n');
        const head = encodeRequest(small, { method: 'POST', target: session.target(), headers: fields });
        const start = now();
        assert.equal((await exchange(small, Buffer.concat([head, body]), { method: 'POST' })).text, 'ok');
        times.push(now() - start);
        assert.equal((await session.pollText()).length, count + 1);
      }
      assert.ok(times[1] < times[0] * 12 + 500, `${times} ms for four times as much`);
    } finally {
      await small.stop();
    }
  });

  hostile('CVE-2022-21676 GHSA-273r-mgr4-v34f a bad frame in the segment of the upgrade', async () => {
    for (const first of [0xb1, 0xd1, 0xa1, 0xc1, 0x83, 0x8b]) {
      const ws = await WebSocketWire.open(eio, { bytes: Buffer.from([first, 0x80, 0, 0, 0, 0]) });
      await ws.text(); // the open packet
      await ws.closed(1002);
    }
    await fit();
  });

  hostile('CVE-2022-41940 GHSA-r7qp-cfhv-p84w a reset around an upgrade, granted or refused', async () => {
    for (let i = 0; i < 20; i++) {
      for (const transport of ['websocket', 'foo']) {
        const wire = await Wire.open(eio);
        const target = `/engine.io/?EIO=4&transport=${transport}`;
        wire.write(encodeRequest(eio, { target, headers: upgradeHeaders() }));
        await sleep(i % 4);
        wire.abort();
      }
    }
    await fit();
  });

  hostile('CVE-2023-31125 GHSA-q9mw-68c2-j6m5 an upgrade with a transport that is none', async () => {
    for (const transport of ['foo', '__proto__', 'constructor', 'toString', '']) {
      await assertUpgradeRefused(eio, { query: { transport } }, 'Transport unknown');
    }
    await fit();
  });

  hostile('CVE-2026-59725 GHSA-r635-g3xr-vw7x a POST of a type that is not taken is answered', async () => {
    const before = files(eio);
    for (let i = 0; i < 20; i++) {
      await Promise.all(Array.from({ length: 25 }, async () => {
        const session = await Polling.open(eio);
        const headers = { 'Content-Type': 'application/octet-stream' };
        assert.equal((await session.post('4x', { headers, limit: 5000 })).status, 400);
      }));
    }
    await until(() => files(eio) <= before + 2, 'descriptors are given back');
  });

  hostile('GHSA-gr94-w7qr-f4j3 an id that is the name of something else', async () => {
    for (const sid of ['__proto__', 'constructor', 'hasOwnProperty', '%00', 'x'.repeat(3000)]) {
      const { target } = { target: `/engine.io/?EIO=4&transport=polling&sid=${sid}` };
      assertError(await request(eio, { target }), 400, 1, 'Session ID unknown');
      await assertUpgradeRefused(eio, { target: target.replace('polling', 'websocket') }, 'Session ID unknown');
    }
  });

  hostile('GHSA-2gc4-cqfq-p2gv a session is not read by another protocol', async () => {
    const session = await Polling.open(eio);
    const target = session.target({ EIO: 3 });
    assertError(await request(eio, { target }), 400, 3, 'Bad request');
    assertError(await request(eio, { target, method: 'POST', body: '1:4' }), 400, 3, 'Bad request');
    await assertUpgradeRefused(eio, { query: { EIO: 3, sid: session.sid } }, 'Bad request');
    await session.assertEchoes();
  });

  hostile('engine.io 6.6.8 handshakes that fail leave nothing', async () => {
    const before = files(eio);
    for (let i = 0; i < 20; i++) {
      await Promise.all(Array.from({ length: 50 }, async (_, n) => {
        const headers = [{ 'Sec-WebSocket-Key': 'x' }, { 'Sec-WebSocket-Version': 12 }][n % 2];
        const { wire, response } = await requestUpgrade(eio, { headers });
        assert.ok(response.status === 400 || response.status === 426, String(response.status));
        wire.destroy();
      }));
    }
    await until(() => files(eio) <= before + 2, 'descriptors are given back');
  });

  hostile('engine.io 6.6.10 traffic does not stand for pongs for ever', async () => {
    const own = await startServer('eio4', { 'ping-interval': 200, 'ping-timeout': 300 });
    try {
      const ws = await WebSocketWire.session(own);
      const start = now();
      const spam = setInterval(() => ws.sendText('4x'), 30);
      try {
        while ((await ws.frame()).opcode !== OP.CLOSE) assert.ok(now() - start < 5000);
      } finally {
        clearInterval(spam);
        ws.destroy();
      }
    } finally {
      await own.stop();
    }
  });

  hostile('engine.io 6.6.1 a client that upgrades twice', async () => {
    const session = await Polling.open(eio);
    const ws = await upgrade(session);
    const second = await WebSocketWire.open(eio, { query: { sid: session.sid } });
    await second.closed(undefined);
    await ws.assertEchoes();
    ws.destroy();
  });

  hostile('CVE-2026-48802 handshakes that go no further cost no threads, and end', async () => {
    const own = await startServer('sio5', { ...QUIET, 'connect-timeout': 400, 'close-timeout': 300, 'keep-alive': 300 });
    try {
      const [before, base] = [threads(own), files(own)];
      const all = [];
      for (let i = 0; i < 20; i++) {
        const some = Array.from({ length: 50 }, () => Polling.open(own, { path: '/socket.io/' }));
        all.push(...(await Promise.all(some)));
        assert.equal(threads(own), before);
      }
      await sleep(1500);
      await all[0].assertGone();
      await all.at(-1).assertGone();
      await until(() => files(own) <= base + 2, 'descriptors are given back');
    } finally {
      await own.stop();
    }
  });

  hostile('CVE-2019-13611 with enforced origins no WebSocket for others', async () => {
    const own = await startServer('eio4', { ...QUIET, 'cors-origin': 'http://a.example', 'cors-enforce': true });
    try {
      const evil = await requestUpgrade(own, { headers: { Origin: 'http://evil.example' } });
      assert.notEqual(evil.response.status, 101);
      const good = await WebSocketWire.session(own, { headers: { Origin: 'http://a.example' } });
      await good.assertEchoes();
      good.destroy();
    } finally {
      await own.stop();
    }
  });
});

describe('Socket.IO packets', () => {
  hostile('CVE-2024-38355 GHSA-25hc-qcg6-38wj an event called error', async () => {
    const ws = await joined();
    ws.sendText('42["error","x"]').sendText('42["error"]');
    await echoes(ws);
    ws.destroy();
  });

  hostile('parser 4.2.4 events with reserved names', async () => {
    const names = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
    await closes(names.map((name) => `42["${name}","x"]`));
  });

  hostile('CVE-2020-36049 GHSA-xfhh-g9f5-x4m4 long names and numbers', async () => {
    const start = now();
    await closes([
      `40/${'x'.repeat(900_000)},`, `42/${'x'.repeat(900_000)},["e"]`, `45${'1'.repeat(100_000)}-["e"]`,
      `42${'1'.repeat(100_000)}["e"]`, `43${'9'.repeat(900_000)}[]`,
    ]);
    assert.ok(now() - start < 5000);
  });

  hostile('CVE-2022-2421 GHSA-qm95-pgcg-qqfq placeholders that stand for nothing', async () => {
    const nums = [
      '"splice"', '"0"', '-1', '1', '2', 'null', 'true', '[]', '[0]', '{}', '1e308', '4294967296',
      '18446744073709551616', '0.5', '-0.5', '1e-1', '-9223372036854775808',
    ];
    await closes(nums.map((num) => `451-["e",{"_placeholder":true,"num":${num}}]`), [1]);
    await closes(['451-["e",{"_placeholder":true}]', '451-["e",{"num":3,"_placeholder":true}]'], [1]);
  });

  hostile('CVE-2023-32695 GHSA-cqmj-92xf-r6r9 event names that are no names', async () => {
    await closes([
      '42[{"toString":1}]', '42[{}]', '42[null]', '42[[]]', '42[true]', '42[]', '42{}', '421[{"toString":"rick"}]',
    ]);
    await closes(['451-[{"_placeholder":true,"num":0}]'], [1]);
    const ws = await joined();
    ws.sendText('42[1]');
    await echoes(ws);
    ws.destroy();
  });

  hostile('CVE-2026-33151 GHSA-677m-j7p3-52f9 CVE-2026-48804 the number of attachments', async () => {
    const data = (count) => `45${count}-["message",{"_placeholder":true,"num":0}]`;
    await closes([
      '11', '12', '100', '65536', '4294967297', '4294967306', '18446744073709551617', '18446744073709551626',
      '559999999999', '-1', '1.5', '1e1', '+1', ' 1', '0x1', '',
    ].map(data), [1]);
    const ws = await joined();
    ws.sendText(data(10));
    for (let i = 0; i < 10; i++) ws.send(OP.BINARY, [i]);
    await ws.text('4510-["message-back",{"_placeholder":true,"num":0}]');
    for (let i = 0; i < 10; i++) await ws.binary([i]);
    await echoes(ws);
    ws.destroy();
  });

  hostile('CVE-2026-69185 GHSA-2m8v-j782-fhvr no attachment is announced, but comes', async () => {
    await closes(['450-["echo"]', '450-["message",1]', '460-[]', '4500-["message"]'], [1]);
  });

  hostile('GHSA-55mf-67qm-4wpg attachments are not gathered for one who has not joined', async () => {
    for (const packet of ['451-["e",{"_placeholder":true,"num":0}]', '451-/custom,["e",{"_placeholder":true,"num":0}]']) {
      const ws = await WebSocketWire.session(sio, { path: '/socket.io/' });
      ws.sendText(packet);
      await ws.gone();
    }
  });

  hostile('socketioxide #252 #320 a packet that comes with the connect timeout', async () => {
    const own = await startServer('sio5', { ...QUIET, 'connect-timeout': 150 });
    try {
      for (let i = -10; i <= 10; i += 2) {
        const ws = await WebSocketWire.session(own, { path: '/socket.io/' });
        await sleep(140 + i);
        ws.sendText('40').send(0xb, 'x');
        await ws.wire.ended();
      }
      const ws = await joined(own);
      await echoes(ws);
      ws.destroy();
    } finally {
      await own.stop();
    }
  });

  hostile('socketioxide #741 a payload of the protocol before', async () => {
    const session = await Polling.open(eio);
    const headers = { 'Content-Type': 'application/octet-stream' };
    assert.equal((await session.post(Buffer.from([0, 0xd0, 0xfe, 0xff, 0x34]), { headers })).status, 400);
    await fit();
  });

  hostile('dfb5ab3b files of the client that there are not', async () => {
    for (const name of ['xyz.js', 'socket.io.js/', '%2e%2e/socket.io.js', '../../etc/passwd', 'socket.io.js%00']) {
      const { status } = await request(sio, { target: `/socket.io/${name}` });
      assert.ok(status === 400 || status === 404, `${name}: ${status}`);
    }
  });
});

describe('WebSocket', () => {
  const session = (server = eio) => WebSocketWire.session(server);

  hostile('CVE-2016-10518 GHSA-2mhh-w6q8-5hxw a pong has the bytes of the ping', async () => {
    const ws = await session();
    for (const length of [0, 1, 2, 124, 125]) {
      const payload = Buffer.alloc(length, length);
      ws.send(OP.PING, payload);
      await ws.pong(payload);
    }
    ws.destroy();
  });

  hostile('CVE-2016-10542 GHSA-6663-c963-2gqg a length beyond the limit, and no data', async () => {
    const before = resident(eio);
    for (let i = 0; i < 30; i++) {
      const ws = await session();
      ws.send(OP.BINARY, '', { form: 64, announce: 256 * 1024 * 1024 });
      await ws.closed(1009);
    }
    assert.ok(resident(eio) < before + 64 * 1024 * 1024);
  });

  hostile('CVE-2020-27813 baresip/re #1584 lengths around the ends of 32 and 64 bits', async () => {
    const ends = [2n ** 64n - 1n, 2n ** 64n - 4n, 2n ** 64n - 8n, 2n ** 64n - 14n, 2n ** 63n, 2n ** 63n - 1n,
      2n ** 32n + 1n, 2n ** 32n - 1n];
    for (const length of ends) {
      for (const first of [OP.TEXT, OP.BINARY]) {
        const ws = await session();
        ws.send(first, 'four', { form: 64, announce: length });
        const { opcode, payload } = await ws.frame();
        assert.equal(opcode, OP.CLOSE);
        assert.ok([1002, 1009].includes(payload.readUInt16BE()), String(length));
        ws.destroy();
      }
    }
    await fit();
  });

  hostile('CVE-2025-51495 a continuation of nothing', async () => {
    for (const first of [0x80, 0x00]) {
      const ws = await session();
      ws.wire.write(Buffer.from([first, 0x80, 1, 2, 3, 4]));
      await ws.closed(1002);
    }
  });

  hostile('GHSA-5v72-xg48-5rpm extensions that are the names of something else', async () => {
    for (const offer of ['constructor', '__proto__', 'toString; x', 'permessage-deflate; constructor',
      'permessage-deflate; __proto__=1']) {
      for (const server of [eio, deflate]) {
        const { wire, response } = await requestUpgrade(server, { headers: { 'Sec-WebSocket-Extensions': offer } });
        assert.ok(response.status === 400 || response.status === 101);
        assert.equal(response.header('sec-websocket-extensions'), undefined);
        wire.destroy();
      }
    }
  });

  hostile('CVE-2021-32640 GHSA-6fc8-4gx4-v693 a long run of blanks', async () => {
    for (const name of ['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'Connection', 'Upgrade']) {
      const headers = { [name]: [upgradeHeaders()[name] ?? 'a', `b${' '.repeat(12_000)}x`].join(',') };
      const start = now();
      const { wire, response } = await requestUpgrade(deflate, { headers });
      assert.ok(now() - start < 1500, `${name}: ${now() - start} ms`);
      assert.ok([101, 400].includes(response.status));
      wire.destroy();
    }
  });

  hostile('CVE-2024-37890 GHSA-3h5v-q93c-6h6q more headers than are kept', async () => {
    for (const count of [101, 1000, 3000]) {
      const wire = await Wire.open(eio);
      const head = encodeRequest(eio, { target: '/engine.io/?EIO=4&transport=websocket', headers: upgradeHeaders() });
      wire.write(head.toString('latin1').slice(0, -2) + 'a: \r\n'.repeat(count) + '\r\n');
      assert.equal((await wire.response()).status, 431);
      await wire.ended();
    }
    await fit();
  });

  hostile('CVE-2026-45736 GHSA-58qx-3vcg-4xpx what a close frame is answered with', async () => {
    for (const reason of ['', 'x', 'bye', 'y'.repeat(123)]) {
      const ws = await session();
      ws.send(OP.CLOSE, closePayload(1000, reason));
      const { opcode, payload } = await ws.frame();
      assert.equal(opcode, OP.CLOSE);
      assert.equal(payload.readUInt16BE(), 1000);
      assert.ok(payload.length === 2 || payload.subarray(2).toString() === reason);
      await ws.wire.endedSilently();
    }
  });

  for (const [payload, label] of [['x', 'one byte'], ['', 'none']]) {
    hostile(`CVE-2026-48779 GHSA-96hv-2xvq-fx4p CVE-2014-0193 fragments of ${label} without end`, async () => {
      const ws = await session();
      const piece = encodeFrame(OP.CONTINUATION, payload, { fin: false });
      ws.send(OP.TEXT, '4', { fin: false });
      ws.wire.write(Buffer.concat(Array(40_000).fill(piece)));
      const { opcode, payload: code } = await ws.frame();
      assert.equal(opcode, OP.CLOSE);
      assert.equal(code.readUInt16BE(), 1008);
      ws.destroy();
    });
  }

  hostile('ws #2331 many connections just below the limit of fragments', async () => {
    const before = resident(eio);
    const piece = Buffer.concat(Array(16_000).fill(encodeFrame(OP.CONTINUATION, 'x', { fin: false })));
    const all = [];
    for (let i = 0; i < 50; i++) {
      const ws = await session();
      ws.send(OP.TEXT, '4', { fin: false }).wire.write(piece);
      all.push(ws);
    }
    await settle(eio);
    // Each holds 16 kB of message; sanitizers add to that; a wrapper for each
    // fragment would add more than 100 MB.
    assert.ok(resident(eio) < before + 50 * 200_000, `${resident(eio) - before} bytes`);
    for (const ws of all) {
      ws.send(OP.CONTINUATION, 'y');
      await ws.text(`4${'x'.repeat(16_000)}y`);
      ws.destroy();
    }
  });

  hostile('ws 8.21.3 CVE-2026-2229 bits of a window that is none', async () => {
    for (const bits of ['7', '16', '0', '-1', '1e1', '08', '010', '9.5', '', '"', '99999999999', '8 9', '10;client_max_window_bits=11']) {
      for (const name of ['client_max_window_bits', 'server_max_window_bits']) {
        const offer = `permessage-deflate; ${name}=${bits}`;
        const { wire, response } = await requestUpgrade(deflate, { headers: { 'Sec-WebSocket-Extensions': offer } });
        assert.ok([101, 400].includes(response.status));
        assert.equal(response.header('sec-websocket-extensions'), bits.startsWith('10;') && name[0] === 's'
          ? 'permessage-deflate; server_max_window_bits=10; client_max_window_bits=11' : undefined, offer);
        wire.destroy();
      }
    }
    await fit(deflate);
  });

  hostile('CVE-2026-1526 CVE-2026-29035 a message that grows without end', async () => {
    const before = resident(deflate);
    const bomb = deflateRawSync(Buffer.alloc(150_000_000, '4'));
    for (let i = 0; i < 3; i++) {
      const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
      const ws = await WebSocketWire.session(deflate, { headers });
      assert.match(ws.response.header('sec-websocket-extensions'), /^permessage-deflate/);
      ws.send(OP.TEXT, bomb, { rsv: 4 });
      await ws.closed(1009);
    }
    assert.ok(resident(deflate) < before + 64 * 1024 * 1024);
  });

  hostile('CVE-2025-11677 uWebSockets #1583 an upgrade refused by the application', async () => {
    const own = await startServer('eio-client', { ...QUIET, 'allow-delay': 50 });
    try {
      for (let i = 0; i < 20; i++) {
        const wire = await Wire.open(own);
        const target = '/engine.io/?EIO=4&transport=websocket&deny=1';
        wire.write(encodeRequest(own, { target, headers: upgradeHeaders() }));
        if (i % 2) {
          await sleep(i);
          wire.abort();
        } else {
          assert.equal((await wire.response()).status, 400);
          await wire.ended();
        }
      }
      await fit(own);
    } finally {
      await own.stop();
    }
  });

  for (const [label, put] of Object.entries({
    'a POST': (s) => s.post('4' + 'x'.repeat(1000)),
    'a chunked POST': async (s) => {
      const headers = { 'Transfer-Encoding': 'chunked' };
      const head = encodeRequest(s.server, { method: 'POST', target: s.target(), headers });
      const body = `1\r\n4\r\n${`32\r\n${'x'.repeat(50)}\r\n`.repeat(20)}0\r\n\r\n`;
      return exchange(s.server, Buffer.concat([head, Buffer.from(body)]), { method: 'POST' });
    },
    'a base64 packet': (s) => s.post('b' + Buffer.alloc(1000).toString('base64')),
  })) {
    hostile(`CVE-2026-48809 GHSA-m9gh-vj53-gvh9 the bound of a message holds for ${label}`, async () => {
      const own = await startServer('eio4', { ...QUIET, 'max-payload': 1000 });
      try {
        assert.equal((await put(await Polling.open(own))).status, 413);
      } finally {
        await own.stop();
      }
    });
  }

  for (const [label, put] of Object.entries({
    'a frame': (ws) => ws.sendText('4' + 'x'.repeat(1000)),
    fragments: (ws) => {
      ws.send(OP.TEXT, '4', { fin: false });
      for (let i = 0; i < 10; i++) ws.send(OP.CONTINUATION, 'x'.repeat(100), { fin: i === 9 });
    },
    'what is inflated': (ws) => ws.send(OP.TEXT, deflateRawSync(Buffer.alloc(1001, '4')), { rsv: 4 }),
  })) {
    hostile(`CVE-2026-48809 GHSA-m9gh-vj53-gvh9 the bound of a message holds for ${label}`, async () => {
      const own = await startServer('eio4', { ...QUIET, 'max-payload': 1000, deflate: true });
      try {
        const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
        const ws = await WebSocketWire.session(own, { headers });
        put(ws);
        await ws.closed(1009);
      } finally {
        await own.stop();
      }
    });
  }

  hostile('CVE-2026-48809 GHSA-m9gh-vj53-gvh9 the bound holds for all attachments together', async () => {
    const own = await startServer('sio5', { ...QUIET, 'max-payload': 1000 });
    try {
      const ws = await joined(own);
      for (let round = 0; round < 3; round++) { // ten of the full size are the bound
        ws.sendText('4510-["nothing",{"_placeholder":true,"num":0}]');
        for (let i = 0; i < 10; i++) ws.send(OP.BINARY, Buffer.alloc(1000));
      }
      await echoes(ws);
      ws.sendText('452-["nothing",{"_placeholder":true,"num":0}]').send(OP.BINARY, Buffer.alloc(1001));
      await ws.gone();
    } finally {
      await own.stop();
    }
  });
});
