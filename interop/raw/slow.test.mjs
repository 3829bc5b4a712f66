// A thousand connections that take as long as they can, of each kind, while
// one client behaves: it is served, and they are ended.  How long its messages
// take is reported.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { Polling, QUIET, WebSocketWire, Wire, encodeRequest, now, request } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const COUNT = 1000;
const TIME = 2000; // ms, of the server's limits
const STEP = 400; // ms between two bytes
const skip = oursOnly('has limits of minutes');

const folder = mkdtempSync(join(tmpdir(), 'slow-'));
writeFileSync(join(folder, 'large.bin'), '');
truncateSync(join(folder, 'large.bin'), 20_000_000); // more than the kernel keeps
const server = skip ? null : await startServer('eio4', {
  ...QUIET,
  'header-timeout': TIME,
  'body-timeout': TIME,
  'keep-alive': TIME,
  'connect-timeout': TIME,
  static: folder,
});
after(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/** Opens them, a hundred at a time. */
async function crowd(open = () => Wire.open(server)) {
  const all = [];
  while (all.length < COUNT) all.push(...(await Promise.all(Array.from({ length: 100 }, open))));
  return all;
}

async function beside(t, run) {
  const worker = new Worker(new URL('../support/healthy.mjs', import.meta.url), {
    workerData: { server: { host: server.host, port: server.port } },
  });
  await once(worker, 'message');
  try {
    await run();
  } finally {
    worker.postMessage('enough');
  }
  const [times] = await once(worker, 'message');
  times.sort((a, b) => a - b);
  const part = (p) => times[Math.floor((times.length - 1) * p)].toFixed(1);
  t.diagnostic(`${times.length} messages: p50 ${part(0.5)} ms, p99 ${part(0.99)} ms, most ${part(1)} ms`);
  assert.ok(times.length > 50, `only ${times.length} messages were echoed`);
  assert.ok(times.at(-1) < 5000);
}

/** Sends each a piece now and then, until the server has ended all of them. */
async function ends(wires, piece) {
  const start = now();
  const left = () => wires.filter((wire) => !wire.isClosed);
  while (left().length) {
    assert.ok(now() - start < TIME * 5, `${left().length} are still there`);
    for (const wire of left()) if (piece) wire.write(piece);
    await sleep(STEP);
  }
  for (const wire of wires) wire.destroy();
  assert.equal((await request(server, { target: '/hello' })).text, 'hello');
}

test('OP01 slow heads', { skip }, (t) => beside(t, async () => {
  const wires = await crowd();
  for (const wire of wires) wire.write('GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\nX: ');
  await ends(wires, 'x');
}));

test('OP01 nothing at all', { skip }, (t) => beside(t, async () => ends(await crowd(), null)));

test('OP01 slow bodies', { skip }, (t) => beside(t, async () => {
  const session = await Polling.open(server);
  const wires = await crowd();
  wires.forEach((wire, i) => wire.write(encodeRequest(server, {
    method: 'POST', target: i ? '/echo' : session.target(),
    headers: i % 2 ? { 'Content-Length': 1000 } : { 'Transfer-Encoding': 'chunked' },
  })));
  await ends(wires, '1\r\nx\r\n');
}));

// Nothing is read, so that they are ended is seen at the server's descriptors.
test('OP01 slow readers of answers', { skip }, (t) => beside(t, async () => {
  const files = () => readdirSync(`/proc/${server.pid}/fd`).length;
  const before = files();
  const wires = await crowd();
  for (const wire of wires) {
    wire.pause();
    wire.write(encodeRequest(server, { target: '/large.bin' }));
  }
  const start = now();
  while (files() < before + COUNT) await sleep(10);
  while (files() > before) {
    assert.ok(now() - start < TIME * 20, `${files() - before} descriptors are still open`);
    await sleep(STEP);
  }
  for (const wire of wires) wire.destroy();
}));

test('OP01 slow handshakes of WebSockets', { skip }, (t) => beside(t, async () => {
  const wires = await crowd();
  for (const wire of wires) wire.write('GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nUpgrade: ');
  await ends(wires, 'w');
}));

test('OP01 messages that never end, and no pong', { skip }, async (t) => {
  const own = await startServer('eio4', { 'ping-interval': 500, 'ping-timeout': 500 });
  try {
    const all = await crowd(() => WebSocketWire.session(own));
    const start = now();
    for (const ws of all) ws.send(1, '4', { fin: false });
    while (all.some((ws) => !ws.wire.isClosed)) {
      assert.ok(now() - start < 20_000);
      for (const ws of all) {
        ws.send(0, 'x', { fin: false });
        if (now() - start > 1500) ws.send(8);
      }
      await sleep(STEP);
    }
    t.diagnostic(`all were ended within ${(now() - start).toFixed(0)} ms`);
  } finally {
    await own.stop();
  }
});
